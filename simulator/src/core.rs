//! What every simulated modem shares: its end of the serial line, its tasks, and the record of what passed.
//!
//! Nothing here knows an executor. The tasks of a modem are futures that [`Simulator::serve`](crate::Simulator::serve)
//! polls, all of them on every wake; a task that changes what another may wait for calls [`Core::touch`].
//! With a dozen tasks this is cheaper than it sounds, and the order of events is the same on every run.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use crate::notice_pin::Notice;
use crate::{After, Reaction};

pub(crate) type Task = Pin<Box<dyn Future<Output = ()>>>;
/// Decides what becomes of each command line.
pub type Script = Box<dyn FnMut(&[u8]) -> Reaction>;

/// Happens once so many bytes have passed.
struct Trap {
    after: After,
    spring: Box<dyn FnOnce()>,
}

/// Output that waits for the host, beyond which no further command is taken up.
const OUTPUT_LIMIT: usize = 4096;

/// What a UART makes of a byte at another rate; it might be any, this one ends no line.
const NOISE: u8 = 0xf8;

#[derive(Default)]
pub(crate) struct Core {
    input: RefCell<VecDeque<u8>>,
    output: RefCell<VecDeque<u8>>,
    touched: Cell<bool>,
    waker: RefCell<Option<Waker>>,
    spawned: RefCell<Vec<Task>>,
    script: RefCell<Option<Script>>,
    trap: RefCell<Option<Trap>>,
    pub(crate) commands: RefCell<Vec<Vec<u8>>>,
    pub(crate) bytes_in: Cell<u64>,
    pub(crate) bytes_out: Cell<u64>,
    pub(crate) exchanges: Cell<u64>,
    /// RI, or the indicate pin.
    pub(crate) notice: Notice,
    /// Line rate, when paced; `AT+IPR` changes it.
    pub(crate) baud: Cell<Option<u32>>,
    /// Rates of the two UARTs, as far as it matters: what passes between different ones is noise.
    pub(crate) modem_rate: Cell<Option<u32>>,
    pub(crate) host_rate: Cell<Option<u32>>,
}

impl Core {
    /// Something changed: each task that waits for it looks again.
    pub(crate) fn touch(&self) {
        self.touched.set(true);
        let waker = self.waker.borrow().clone();
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    /// Waits until `condition` holds.
    pub(crate) async fn until(&self, mut condition: impl FnMut() -> bool) {
        poll_fn(|_| {
            if condition() {
                Poll::Ready(())
            } else {
                Poll::Pending
            }
        })
        .await;
    }

    /// Adds a task that lives until it ends, or the simulator does.
    pub(crate) fn spawn(&self, task: impl Future<Output = ()> + 'static) {
        self.spawned.borrow_mut().push(Box::pin(task));
        self.touch();
    }

    /// Polls every task until none of them changes anything more.
    pub(crate) fn poll_tasks(&self, tasks: &RefCell<Vec<Task>>, cx: &mut Context<'_>) {
        *self.waker.borrow_mut() = Some(cx.waker().clone());
        loop {
            self.touched.set(false);
            let mut tasks = tasks.borrow_mut();
            tasks.append(&mut self.spawned.borrow_mut());
            tasks.retain_mut(|task| task.as_mut().poll(cx).is_pending());
            if !self.touched.get() {
                break;
            }
        }
    }

    // The modem's side of the line.

    /// Takes one byte that the host sent, if there is one.
    pub(crate) fn try_read(&self) -> Option<u8> {
        self.input.borrow_mut().pop_front()
    }

    /// Waits for one byte from the host, for ever if need be.
    pub(crate) async fn read(&self) -> u8 {
        poll_fn(|_| self.try_read().map_or(Poll::Pending, Poll::Ready)).await
    }

    /// Forgets what the host sent so far: nobody listens while the modem boots.
    pub(crate) fn discard_input(&self) {
        self.input.borrow_mut().clear();
    }

    /// Takes everything that the host sent so far.
    pub(crate) fn take_input(&self) -> Vec<u8> {
        self.input.borrow_mut().drain(..).collect()
    }

    /// Forgets what the host sent beyond the next `count` bytes.
    pub(crate) fn keep_input(&self, count: usize) {
        self.input.borrow_mut().truncate(count);
    }

    /// Queues bytes for the host.
    pub(crate) fn send(&self, bytes: &[u8]) {
        self.output.borrow_mut().extend(bytes);
        self.touch();
    }

    /// Bytes that the host has not taken yet.
    pub(crate) fn waiting_output(&self) -> usize {
        self.output.borrow().len()
    }

    /// Waits until the host took most of what was sent, as a UART under flow control does.
    pub(crate) async fn drained(&self) {
        self.until(|| self.output.borrow().len() < OUTPUT_LIMIT)
            .await;
    }

    // The port's side of the line.

    pub(crate) fn received(&self, bytes: &[u8]) {
        self.bytes_in.set(self.bytes_in.get() + bytes.len() as u64);
        let noise;
        let bytes = if self.garbled() {
            noise = vec![NOISE; bytes.len()];
            &noise
        } else {
            bytes
        };
        let left = match self.trapped() {
            Some(After::Received(left)) => left.min(bytes.len() as u64) as usize,
            _ => bytes.len(),
        };
        let (before, behind) = bytes.split_at(left);
        self.input.borrow_mut().extend(before);
        self.passed(After::Received(left as u64));
        self.input.borrow_mut().extend(behind);
        self.touch();
    }

    /// Lets `spring` happen once so many bytes have passed.
    pub(crate) fn set_trap(&self, after: After, spring: Box<dyn FnOnce()>) {
        *self.trap.borrow_mut() = Some(Trap { after, spring });
    }

    fn trapped(&self) -> Option<After> {
        self.trap.borrow().as_ref().map(|trap| trap.after)
    }

    /// Counts bytes, and springs the trap that was waiting for them.
    fn passed(&self, bytes: After) {
        let mut trap = self.trap.borrow_mut();
        let Some(Trap { after, .. }) = trap.as_mut() else {
            return;
        };
        let left = match (after, bytes) {
            (After::Received(left), After::Received(n)) | (After::Sent(left), After::Sent(n)) => {
                *left = left.saturating_sub(n);
                *left
            }
            _ => return,
        };
        if left == 0 {
            let sprung = trap.take();
            drop(trap);
            sprung.into_iter().for_each(|trap| (trap.spring)());
        }
    }

    /// Waits for output, then takes up to `limit` bytes of it.
    pub(crate) async fn take_output(&self, limit: usize) -> Vec<u8> {
        self.until(|| !self.output.borrow().is_empty()).await;
        let limit = match self.trapped() {
            Some(After::Sent(left)) => limit.min(left.max(1) as usize),
            _ => limit,
        };
        let mut piece: Vec<u8> = {
            let mut output = self.output.borrow_mut();
            let n = limit.min(output.len());
            output.drain(..n).collect()
        };
        if self.garbled() {
            piece.fill(NOISE);
        }
        self.bytes_out
            .set(self.bytes_out.get() + piece.len() as u64);
        self.passed(After::Sent(piece.len() as u64));
        self.touch();
        piece
    }

    fn garbled(&self) -> bool {
        let rates = self.modem_rate.get().zip(self.host_rate.get());
        rates.is_some_and(|(modem, host)| modem != host)
    }

    /// Bytes on their way to a host that is gone are lost.
    pub(crate) fn discard_output(&self) {
        self.output.borrow_mut().clear();
    }

    // The record.

    pub(crate) fn set_script(&self, script: Script) {
        *self.script.borrow_mut() = Some(script);
    }

    /// Notes a command and asks the script what to make of it.
    pub(crate) fn record(&self, line: &[u8]) -> Reaction {
        self.exchanges.set(self.exchanges.get() + 1);
        self.commands.borrow_mut().push(line.to_vec());
        // Taken out while it runs, because it may use the handle that it belongs to.
        let script = self.script.borrow_mut().take();
        let Some(mut script) = script else {
            return Reaction::Normal;
        };
        let reaction = script(line);
        self.script.borrow_mut().get_or_insert(script);
        reaction
    }
}
