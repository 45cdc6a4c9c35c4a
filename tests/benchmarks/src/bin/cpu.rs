//! Work per byte from the modem, ours and atat's, for callgrind to count; run by `tests/bench`.
//!
//! A cell is a stream cut into chunks. Ours is all of the driver: the runner, from the UART to the ring
//! and from the flow to the command on the UART, and the application's reads. The same bytes in the same
//! chunks then go through atat's stock ingress and default digester, and there nothing else is counted: no
//! client, no command, no typed response, no subscriber. Each chunk wakes the task that waits for it.
//!
//! Behind that come u-blox modules, which the simulator answers for: it is not inside of what is counted.
//!
//! Callgrind collects inside [`measured_section`] alone, and writes its counts at each call of
//! [`end_of_part`]; this program prints, in the same order, what they are of.

use std::cell::{Cell, RefCell};
use std::future::{Future, poll_fn};
use std::hint::black_box;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Wake, Waker};

use atat::{AtDigester, AtatIngress, Ingress, ResponseSlot, UrcChannel};
use embassy_futures::join::join;
use embassy_futures::select::{Either, Either3, Either4, select, select3, select4};
use embedded_io_async::Read;
use embedded_io_async::Write as _;
use sectag::modem::Full;
use sectag::wifi::WifiConfig;
use sectag::{CaScope, NoPins, ServerName, State, Tag, TlsConfig};
use sectag_benchmarks::modem::{Line, Modem, Pace, Rx, Tx};
use sectag_benchmarks::notices::Urc;
use sectag_benchmarks::server::{HOST, MESSAGE, MQTT_PORT, register};
use sectag_bg96::{Bg96, Config};
use sectag_simulator::time::block_on_virtual;
use sectag_simulator::{
    MemoryNetwork, ShortRangeOptions, ShortRangeProfile, Simulator, UbloxOptions, UbloxProfile,
};
use sectag_test_support::pki::Pki;
use sectag_ublox::cellular::UbloxCellular;
use sectag_ublox::short_range::ShortRange;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::task::LocalSet;

sectag_simulator::virtual_clock!();

#[derive(Clone, Copy, Debug, PartialEq)]
enum Stream {
    BringUp,
    Messages,
    Notices,
    Reads,
}

const STREAMS: [(Stream, &str); 4] = [
    (Stream::Reads, "reads of 1500 bytes"),
    (Stream::Messages, "messages of 64 bytes"),
    (Stream::BringUp, "bring-up"),
    (Stream::Notices, "notices"),
];
const PACES: [(Pace, &str); 2] = [(Pace::Slow, "wake"), (Pace::Fast, "ready")];
const CHUNKS: [usize; 4] = [1, 16, 64, 256];
/// Reads, messages or notices in the part that counts.
const MANY: usize = 40;

fn main() {
    for (pace, paced) in PACES {
        for (stream, name) in STREAMS {
            for chunk in CHUNKS {
                let cell = format!("{paced}\t{name}\t{chunk}");
                let line = || -> &'static Line { Box::leak(Box::new(Line::new(chunk, pace))) };
                let answers = ours(stream, line());
                let bytes: usize = answers.iter().map(Vec::len).sum();
                end_of_part(&format!("{cell}\tsectag\t{bytes}\tall"));
                let digested = atat(&answers, line());
                end_of_part(&format!("{cell}\tatat\t{bytes}\t{digested}"));
            }
        }
    }
    for (pace, paced) in PACES {
        for (work, name) in WORKS {
            let cell = format!("{paced}\t{name}\t{UBLOX_CHUNK}");
            let line = || -> &'static Line { Box::leak(Box::new(Line::new(UBLOX_CHUNK, pace))) };
            let bytes = ublox(
                work,
                line(),
                UbloxCellular::new(sectag_ublox::cellular::Config::new()),
                sara,
            );
            end_of_part(&format!("{cell}\tSARA-R5\t{bytes}\tall"));
            let config = sectag_ublox::short_range::Config::new(WIFI).flow_control();
            let bytes = ublox(work, line(), ShortRange::new(config), odin);
            end_of_part(&format!("{cell}\tODIN-W2\t{bytes}\tall"));
        }
    }
}

/// Callgrind counts in here.
#[inline(never)]
fn measured_section(poll: &mut dyn FnMut()) {
    poll();
    // Not to be made a jump.
    black_box(());
}

/// Callgrind writes down what it has counted since the last time.
#[inline(never)]
fn end_of_part(name: &str) {
    println!("{name}");
}

/// A task of an executor: polled only when it was woken itself, and then measured.
struct Task<'a, T> {
    future: Pin<&'a mut dyn Future<Output = T>>,
    woken: Arc<Woken>,
}

struct Woken {
    flag: AtomicBool,
    executor: Mutex<Option<Waker>>,
}

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.flag.store(true, Ordering::Relaxed);
        if let Some(executor) = &*self.executor.lock().expect("nobody panics") {
            executor.wake_by_ref();
        }
    }
}

fn task<T>(future: Pin<&mut dyn Future<Output = T>>) -> Task<'_, T> {
    let woken = Arc::new(Woken {
        flag: true.into(),
        executor: None.into(),
    });
    Task { future, woken }
}

impl<T> Future for Task<'_, T> {
    type Output = T;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<T> {
        let task = &mut *self;
        let mut executor = task.woken.executor.lock().expect("nobody panics");
        executor.get_or_insert_with(|| cx.waker().clone());
        drop(executor);
        if !task.woken.flag.swap(false, Ordering::Relaxed) {
            return Poll::Pending;
        }
        let waker = Waker::from(task.woken.clone());
        let mut context = Context::from_waker(&waker);
        let mut result = Poll::Pending;
        measured_section(&mut || result = task.future.as_mut().poll(&mut context));
        result
    }
}

/// It is asked whenever anything was polled.
async fn until(mut ready: impl FnMut() -> bool) {
    poll_fn(|_| {
        if ready() {
            Poll::Ready(())
        } else {
            Poll::Pending
        }
    })
    .await;
}

fn order(modem: &Modem<'_>, stream: Stream, many: usize) {
    match stream {
        Stream::BringUp => {}
        Stream::Messages => modem.offer(64, many),
        Stream::Notices => modem.storm(many),
        Stream::Reads => modem.offer(1500 * many, 1),
    }
}

/// Returns what the modem said in the part that counts, answer by answer.
fn ours(stream: Stream, line: &'static Line) -> Vec<Vec<u8>> {
    // Room for two reads, so that one is fetched while the one before is read.
    let state: &'static mut State<'static, Bg96, 1, 4096, 1024> = Box::leak(Box::new(State::new()));
    let (control, mut runner) =
        sectag::new(state, Bg96::new(Config::new()), Rx(line), Tx(line), NoPins);
    let said = RefCell::new(Vec::new());
    let witness = |bytes: &[u8]| said.borrow_mut().push(bytes.to_vec());
    let mut modem = Modem::new(line);
    modem.witness = Some(&witness);
    let modem = &modem;

    let restart = Cell::new(false);
    let waiter = RefCell::new(None::<Waker>);
    let running = pin!(async {
        loop {
            let stopped = poll_fn(|cx| {
                waiter.replace(Some(cx.waker().clone()));
                if restart.take() {
                    Poll::Ready(())
                } else {
                    Poll::Pending
                }
            });
            match select(stopped, runner.run()).await {
                Either::First(()) => {}
                Either::Second(error) => panic!("the runner ended: {error}"),
            }
        }
    });
    let application = pin!(async {
        if stream != Stream::BringUp {
            let name = ServerName::new("broker.sectag.test").expect("a name");
            let tls = TlsConfig::new(Tag(7)).ca_scope(CaScope::Private);
            let mut socket = control.connect(name, 8883, &tls).await.expect("it opens");
            modem.was_read(0);
            let mut buf = [0; 1500];
            loop {
                let count = socket.read(&mut buf).await.expect("it stays open");
                black_box(&buf[..count]);
                modem.was_read(count);
            }
        }
        std::future::pending::<()>().await;
    });
    let director = async {
        control.wait_up().await.expect("it comes up");
        for many in [MANY / 4, MANY] {
            // Whatever follows a connect, or a message, is over then.
            embassy_time::Timer::after_millis(500).await;
            end_of_part("skip");
            said.borrow_mut().clear();
            if stream == Stream::BringUp {
                restart.set(true);
                waiter.take().expect("it runs").wake();
                until(|| !restart.get()).await;
                control.wait_up().await.expect("it comes up");
            }
            order(modem, stream, many);
            until(|| modem.is_done()).await;
        }
        // The last notices, and what the last message entails.
        embassy_time::Timer::after_millis(500).await;
    };
    let all = select4(task(running), task(application), modem.run(), director);
    match block_on_virtual(all) {
        Either4::Fourth(()) => {}
        _ => unreachable!("the others are for ever"),
    }
    said.take()
}

/// What u-blox modules are measured at.
#[derive(Clone, Copy, PartialEq)]
enum Work {
    Notices,
    Reads,
    Sends,
}

/// A read of the application's takes what is there; 1024 bytes are the most that a SARA hands over.
const WORKS: [(Work, &str); 3] = [
    (Work::Reads, "reads of 1024 bytes"),
    (Work::Sends, "sends of 64 bytes"),
    (Work::Notices, "notices"),
];
const UBLOX_CHUNK: usize = 64;
const READ: usize = 1024;
/// The network of the simulated Wi-Fi module.
const WIFI: WifiConfig = match WifiConfig::wpa2("workshop", "correct horse battery") {
    Ok(wifi) => wifi,
    Err(_) => panic!("no name or passphrase of a network"),
};

/// A module, and a notice as it says it.
type Module = fn(MemoryNetwork) -> (Simulator, &'static [u8]);

fn sara(network: MemoryNetwork) -> (Simulator, &'static [u8]) {
    let options = UbloxOptions {
        profile: UbloxProfile::named("sara-r5").expect("a model"),
        ..UbloxOptions::default()
    };
    let modem = Simulator::ublox(options, Rc::new(network));
    install(&modem, ["0/st7_ca", "1/st7_cert", "2/st7_key"]);
    (modem, b"\r\n+CIEV: 2,3\r\n")
}

fn odin(network: MemoryNetwork) -> (Simulator, &'static [u8]) {
    let options = ShortRangeOptions {
        profile: ShortRangeProfile::ODIN,
        data_unit: READ,
        ..ShortRangeOptions::default()
    };
    let modem = Simulator::short_range(options, Rc::new(network));
    install(&modem, ["0/st7ca", "1/st7cc", "2/st7pk"]);
    (modem, b"\xaa\x00\x16\x00\x41\r\n+UUBTACLD:112233\r\n\x55")
}

fn install(modem: &Simulator, names: [&str; 3]) {
    let pki = Pki::shared();
    let client = pki.client();
    let pems = [&pki.ca_pem(), &client.cert_pem, &client.key_pem];
    for (name, pem) in names.into_iter().zip(pems) {
        modem.put_file(name, pem.as_bytes());
    }
}

/// Returns how many bytes the module said in the part that counts.
fn ublox<M: Full + 'static>(work: Work, line: &'static Line, backend: M, module: Module) -> usize {
    let network = MemoryNetwork::new();
    register(&network, MQTT_PORT, async |mut stream| {
        // A byte of `r` asks for a read's worth; what is sent for its own sake is `m`.
        loop {
            if stream.read_u8().await? == b'r' {
                stream.write_all(&[b'x'; READ]).await?;
                stream.flush().await?;
            }
        }
    });
    let (modem, notice) = module(network);
    let state: &'static mut State<'static, M, 1, 4096, 1024> = Box::leak(Box::new(State::new()));
    let (control, mut runner) = sectag::new(state, backend, Rx(line), Tx(line), NoPins);
    let said = Cell::new(0);
    // How often the application is to do its work, and how often it has.
    let (wanted, done) = (Cell::new(0), Cell::new(0));
    let waiter = RefCell::new(None::<Waker>);
    let (host, device) = tokio::io::duplex(4096);
    let (mut from_module, mut to_module) = tokio::io::split(host);
    let running = pin!(async {
        let error = runner.run().await;
        panic!("the runner ended: {error}");
    });
    let application = pin!(async {
        let tls = TlsConfig::new(Tag(7))
            .client_certificate()
            .ca_scope(CaScope::Private);
        let socket = control.connect(HOST, MQTT_PORT, &tls).await;
        let mut socket = socket.expect("it opens");
        let mut buf = [0; READ];
        loop {
            poll_fn(|cx| {
                waiter.replace(Some(cx.waker().clone()));
                if done.get() < wanted.get() {
                    Poll::Ready(())
                } else {
                    Poll::Pending
                }
            })
            .await;
            if work == Work::Sends {
                socket.write_all(&MESSAGE).await.expect("it is taken");
            } else {
                socket.write_all(b"r").await.expect("it is taken");
            }
            socket.flush().await.expect("it is sent");
            if work == Work::Reads {
                socket.read_exact(&mut buf).await.expect("it comes");
                black_box(&buf);
            }
            done.set(done.get() + 1);
        }
    });
    let line_of_module = async {
        let up = async {
            let mut buffer = [0; 1024];
            loop {
                let count = from_module.read(&mut buffer).await.expect("it is there");
                said.set(said.get() + count);
                line.say(&buffer[..count]).await;
            }
        };
        let down = async {
            loop {
                let bytes = line.heard().await;
                to_module.write_all(&bytes).await.expect("it is there");
            }
        };
        let _: (Result<(), _>, (), ()) = tokio::join!(modem.serve(device), up, down);
    };
    let director = async {
        control.wait_up().await.expect("it comes up");
        for many in [MANY / 4, MANY] {
            // Whatever follows a connect, or the work before, is over then.
            embassy_time::Timer::after_secs(5).await;
            end_of_part("skip");
            said.set(0);
            if work == Work::Notices {
                modem.inject_bytes(&notice.repeat(many));
            } else {
                wanted.set(wanted.get() + many);
                waiter.take().expect("it is connected").wake();
                until(|| done.get() == wanted.get()).await;
            }
        }
        embassy_time::Timer::after_millis(500).await;
    };
    let all = select4(task(running), task(application), line_of_module, director);
    match block_on_virtual(LocalSet::new().run_until(all)) {
        Either4::Fourth(()) => {}
        _ => unreachable!("the others are for ever"),
    }
    said.get()
}

/// Returns what came out: "r of R responses, u of U notices".
fn atat(answers: &[Vec<u8>], line: &'static Line) -> String {
    let slot = ResponseSlot::<2048>::new();
    let channel = UrcChannel::<Urc, 16, 1>::new();
    let mut subscription = channel.subscribe().expect("the only one");
    let mut buffer = [0; 2048];
    let digester = AtDigester::<Urc>::new();
    let mut ingress = Ingress::new(digester, &mut buffer, &slot, &channel);
    let (responses, notices) = (Cell::new(0), Cell::new(0));
    let reading = pin!(ingress.read_from(Rx(line)));
    let take_responses = async {
        loop {
            drop(slot.get().await);
            responses.set(responses.get() + 1);
        }
    };
    let take_notices = async {
        loop {
            subscription.next_message_pure().await;
            notices.set(notices.get() + 1);
        }
    };
    let feed = async {
        // Its first chunk is not in the steady state.
        line.say(b"\r\nOK\r\n").await;
        until(|| responses.get() == 1).await;
        end_of_part("skip");
        for answer in answers {
            line.say(answer).await;
        }
    };
    let taking = join(take_responses, take_notices);
    match block_on_virtual(select3(task(reading), taking, feed)) {
        Either3::Third(()) => {}
        _ => unreachable!("the others are for ever"),
    }
    let text: Vec<u8> = answers.concat();
    let count = |what: &str| {
        text.windows(what.len())
            .filter(|w| *w == what.as_bytes())
            .count()
    };
    let results = count("\r\nOK\r\n") + count("\r\nERROR\r\n");
    let urcs = ["+QSSLURC: ", "+CEREG: 1", "+QIND: ", "+CTZV: "].map(count);
    format!(
        "{} of {results} responses, {} of {} notices",
        responses.get() - 1,
        notices.get(),
        urcs.iter().sum::<usize>()
    )
}
