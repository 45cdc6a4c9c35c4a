//! Dropping a future at each of its await points in turn.

use std::cell::Cell;
use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Wake, Waker};

use embassy_futures::select::{Either3, select3};
use embassy_time::{Duration, Instant, Timer};
use embedded_io_async::{Read, Write};
use sectag::Socket;
use sectag::modem::Full;
use tokio::sync::Mutex as AsyncMutex;

use crate::bench::Bench;
use crate::recovery::{self, Received};
use crate::simulated::{World, virtually};
use crate::unit::Unit;

/// A future that polls the inner one only when that was woken, and drops it when it has returned
/// `Pending` for the `limit`th time. Its output is `None` then.
pub struct DropAt<F> {
    inner: Option<Pin<Box<F>>>,
    waker: Arc<Own>,
    pending: usize,
    limit: usize,
}

/// The inner future's own waker, so that a wake-up that it has lost is not made up for by somebody
/// else's.
struct Own {
    woken: AtomicBool,
    outer: Mutex<Option<Waker>>,
}

impl Wake for Own {
    fn wake(self: Arc<Self>) {
        self.woken.store(true, Ordering::SeqCst);
        let outer = self.outer.lock().expect("nobody panics with it").take();
        if let Some(outer) = outer {
            outer.wake();
        }
    }
}

impl<F: Future> DropAt<F> {
    /// Drops `inner` at its `limit`th await point, counted from 1; 0 drops it unpolled.
    pub fn new(limit: usize, inner: F) -> Self {
        Self {
            inner: Some(Box::pin(inner)),
            waker: Arc::new(Own {
                woken: AtomicBool::new(true),
                outer: Mutex::default(),
            }),
            pending: 0,
            limit,
        }
    }
}

impl<F: Future> Future for DropAt<F> {
    type Output = Option<F::Output>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = &mut *self;
        if this.limit == 0 {
            this.inner = None;
            return Poll::Ready(None);
        }
        *this.waker.outer.lock().expect("nobody panics with it") = Some(cx.waker().clone());
        if !this.waker.woken.swap(false, Ordering::SeqCst) {
            return Poll::Pending;
        }
        let waker = Waker::from(this.waker.clone());
        let inner = this.inner.as_mut().expect("not polled after its end");
        match inner.as_mut().poll(&mut Context::from_waker(&waker)) {
            Poll::Ready(output) => Poll::Ready(Some(output)),
            Poll::Pending => {
                this.pending += 1;
                if this.pending < this.limit {
                    return Poll::Pending;
                }
                this.inner = None;
                Poll::Ready(None)
            }
        }
    }
}

/// A connection to the echoing peer, with an account of what went over it.
pub struct Subject {
    socket: AsyncMutex<Option<Socket<'static>>>,
    /// Bytes that a write has taken, as far as it said so.
    pub written: Cell<usize>,
    /// Bytes read so far.
    pub read: Cell<usize>,
    /// Makes its bytes differ from every other connection's.
    key: u8,
}

impl Subject {
    async fn connect<M: Full>(bench: Bench<M>, key: u8) -> Self {
        let socket = recovery::connect(bench).await.expect("it connects");
        Self {
            socket: AsyncMutex::new(Some(socket)),
            written: Cell::new(0),
            read: Cell::new(0),
            key,
        }
    }

    /// The socket, for one operation at a time.
    pub async fn socket(&self) -> tokio::sync::MappedMutexGuard<'_, Socket<'static>> {
        let guard = self.socket.lock().await;
        tokio::sync::MutexGuard::map(guard, |socket| socket.as_mut().expect("it is not closed"))
    }

    /// Takes the socket away, to close it.
    pub async fn take(&self) -> Socket<'static> {
        self.socket.lock().await.take().expect("it is not closed")
    }

    /// Its bytes from an offset on.
    pub fn bytes(&self, from: usize, count: usize) -> Vec<u8> {
        pattern(self.key, from, count)
    }

    /// Writes the next `count` bytes in one call.
    pub async fn write(&self, count: usize) {
        let bytes = self.bytes(self.written.get(), count);
        let taken = self.socket().await.write(&bytes).await.expect("it writes");
        self.written.set(self.written.get() + taken);
    }

    /// Reads once, up to `count` bytes, and compares.
    pub async fn read(&self, count: usize) {
        let mut buf = vec![0; count];
        let count = self.socket().await.read(&mut buf).await.expect("it reads");
        assert!(count > 0, "the peer has not closed");
        assert_eq!(buf[..count], self.bytes(self.read.get(), count), "read");
        self.read.set(self.read.get() + count);
    }

    /// Writes some more, and reads until everything is back: nothing is lost, doubled or mixed up.
    pub async fn check(&self, received: &Received) {
        if self.socket.lock().await.is_none() {
            return;
        }
        let goal = self.written.get() + 100;
        while self.written.get() < goal {
            self.write(goal - self.written.get()).await;
        }
        self.socket().await.flush().await.expect("it is sent");
        while self.read.get() < self.written.get() {
            self.read(512).await;
        }
        let expected = self.bytes(0, self.written.get());
        let all = received.borrow();
        assert!(all.contains(&expected), "the peers received {all:?}");
    }
}

/// All values, and what looks like answers and notices in between.
fn pattern(key: u8, from: usize, count: usize) -> Vec<u8> {
    const TEXT: &[u8] = b"\r\nOK\r\n> +QSSLURC: \"closed\",0\r\nRDY\r\n+++SEND OK\r\n#XDATAMODE: 0\r\nReady\r\n0123456789";
    (from..from + count)
        .map(|at| {
            let text = TEXT[(at + usize::from(key) * 17) % TEXT.len()];
            text.wrapping_add((at / TEXT.len()) as u8)
        })
        .collect()
}

/// What an operation works with.
pub struct Stage<U: Unit> {
    /// The kind of modem.
    pub unit: U,
    /// The driver's handles.
    pub bench: Bench<U::Backend>,
    /// The simulated modem and its network.
    pub world: World,
    /// The connection that the operation is about; `None` when the driver has just been started.
    pub subject: Option<Subject>,
}

impl<U: Unit> Stage<U> {
    /// The connection of an operation that starts from [`From::Connected`].
    pub fn subject(&self) -> &Subject {
        self.subject.as_ref().expect("it starts connected")
    }
}

/// Where an operation starts from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum From {
    /// The runner is polled for the first time together with the operation.
    Start,
    /// The modem is up; the subject and a bystander are connected, the latter if the modem has a third
    /// socket for what the operation does.
    Connected,
    /// As `Connected` on modems that store credentials beside open connections; on others up, without a connection.
    Storing,
}

/// What an operation does.
pub type Deed<'a> = Pin<Box<dyn Future<Output = ()> + 'a>>;

/// An operation of the public interface.
pub struct Operation<U: Unit> {
    /// Its name in the report.
    pub name: &'static str,
    /// Where it starts from.
    pub from: From,
    /// Does it. Panics when it fails.
    pub run: for<'a> fn(&'a Stage<U>) -> Deed<'a>,
    /// What must hold afterwards, whether it was dropped or not.
    pub check: fn(&Stage<U>),
}

/// Drops the operation at each of its await points, each time in a new world, and then asks
/// everything of the driver that it promises. Returns how many await points there were.
pub fn torture<U: Unit>(operation: &Operation<U>, unit: &U) -> usize {
    for limit in 0.. {
        let done = virtually(async || attempt(operation, unit, limit).await);
        if done {
            return limit.saturating_sub(1);
        }
    }
    unreachable!("an operation ends")
}

async fn attempt<U: Unit>(operation: &Operation<U>, unit: &U, limit: usize) -> bool {
    let (world, received) = recovery::world_of(unit);
    let (host, device) = tokio::io::duplex(4096);
    let (bench, mut runner) = unit.start(host);
    let modem = world.modem.clone();
    let application = async {
        let connected = match operation.from {
            From::Start => false,
            From::Connected => true,
            From::Storing => unit.stores_connected(),
        };
        if operation.from != From::Start {
            bench.control.wait_up().await.expect("it comes up");
        }
        let bystander = if connected && unit.sockets() > 2 {
            Some(Subject::connect(bench, 1).await)
        } else {
            None
        };
        let subject = if connected {
            Some(Subject::connect(bench, 2).await)
        } else {
            None
        };
        let stage = Stage {
            unit: unit.clone(),
            bench,
            world,
            subject,
        };
        let done = DropAt::new(limit, (operation.run)(&stage)).await.is_some();
        // At once, while it is being tidied up behind the operation.
        if let Some(bystander) = &bystander {
            bystander.check(&received).await;
        }
        if let Some(subject) = &stage.subject {
            subject.check(&received).await;
        }
        // What the operation connected may have to be closed first, when there is no socket to spare.
        let start = Instant::now();
        while stage.world.modem.open_sockets().len() >= unit.sockets() {
            assert!(start.elapsed() < Duration::from_secs(60), "it is closed");
            Timer::after(Duration::from_millis(100)).await;
        }
        let new = Subject::connect(bench, 3).await;
        new.check(&received).await;
        // And when all is quiet.
        Timer::after(Duration::from_secs(30)).await;
        (operation.check)(&stage);
        if let Some(subject) = &stage.subject {
            subject.check(&received).await;
        }
        new.check(&received).await;
        new.take().await.close().await.expect("it is closed");
        let open = stage.world.modem.open_sockets().len();
        let expected = stage.subject.iter().chain(&bystander);
        let mut count = 0;
        for subject in expected {
            count += usize::from(subject.socket.lock().await.is_some());
        }
        assert_eq!(open, count, "sockets in the modem");
        assert_eq!(stage.bench.control.counters().restarts, 0, "restarts");
        done
    };
    match select3(modem.serve(device), runner.run(), application).await {
        Either3::First(end) => panic!("the port ended: {end:?}"),
        Either3::Second(error) => panic!("the runner ended: {error}"),
        Either3::Third(done) => done,
    }
}

/// Drops [`Runner::run`](sectag::Runner::run) at its `limit`th await point and runs it again, while an
/// application goes through a session; returns whether it was dropped at all.
pub async fn drop_runner<U: Unit, T, A: Future<Output = T>>(
    world: &World,
    unit: &U,
    limit: usize,
    application: impl FnOnce(Bench<U::Backend>) -> A,
) -> (bool, T) {
    let (host, device) = tokio::io::duplex(4096);
    let (bench, mut runner) = unit.start(host);
    let dropped = Cell::new(false);
    let run = async {
        let end = DropAt::new(limit, runner.run()).await;
        assert!(end.is_none(), "the runner ended: {end:?}");
        dropped.set(true);
        runner.run().await
    };
    let application = application(bench);
    match select3(world.modem.serve(device), run, application).await {
        Either3::First(end) => panic!("the port ended: {end:?}"),
        Either3::Second(error) => panic!("the runner ended: {error}"),
        Either3::Third(result) => (dropped.get(), result),
    }
}
