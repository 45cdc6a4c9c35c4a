//! The common part of every simulated modem: its end of the serial line, its tasks, and its counters.
//!
//! Nothing here knows an executor. The tasks of a modem are futures that [`Simulator::serve`](crate::Simulator::serve)
//! polls, all of them on every wake; a task that changes what another may wait for calls [`Core::touch`].
//! With a dozen tasks this is cheaper than it sounds, and the order of events is the same on every run.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use embassy_time::{Duration, Instant, Timer};

use crate::notice_pin::Notice;
use crate::{After, Reaction};

pub(crate) type Task = Pin<Box<dyn Future<Output = ()>>>;
/// A script that chooses the reaction to each command line.
pub type Script = Box<dyn FnMut(&[u8]) -> Reaction>;

/// An action that is due once this many bytes have passed.
struct Trap {
    after: After,
    spring: Box<dyn FnOnce()>,
}

/// The amount of output, in bytes, beyond which no further command is started until the host has read
/// some.
const OUTPUT_LIMIT: usize = 4096;

/// The byte that a UART makes of any byte at another rate. It stands for all possible ones; it does not
/// end a line.
const NOISE: u8 = 0xf8;

#[derive(Default)]
pub(crate) struct Core {
    input: RefCell<VecDeque<u8>>,
    /// The time until which the UART keeps no more than this many unread bytes.
    short_of_room: Cell<Option<(Instant, usize)>>,
    output: RefCell<VecDeque<u8>>,
    touched: Cell<bool>,
    waker: RefCell<Option<Waker>>,
    spawned: RefCell<Vec<Task>>,
    script: RefCell<Option<Script>>,
    data_script: RefCell<Option<Script>>,
    trap: RefCell<Option<Trap>>,
    pub(crate) commands: RefCell<Vec<Vec<u8>>>,
    pub(crate) bytes_in: Cell<u64>,
    pub(crate) bytes_out: Cell<u64>,
    pub(crate) exchanges: Cell<u64>,
    /// The RI or indicate pin.
    pub(crate) notice: Notice,
    /// The line rate, if the line is paced; `AT+IPR` changes it.
    pub(crate) baud: Cell<Option<u32>>,
    /// The rate of the modem's UART. Bytes between UARTs of different rates are noise; `None` never
    /// differs.
    pub(crate) modem_rate: Cell<Option<u32>>,
    pub(crate) host_rate: Cell<Option<u32>>,
}

impl Core {
    /// Lets every task check again what it waits for.
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

    /// Adds a task. It runs until it ends, or the simulator is dropped.
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

    /// Waits for one byte from the host, without a limit.
    pub(crate) async fn read(&self) -> u8 {
        poll_fn(|_| self.try_read().map_or(Poll::Pending, Poll::Ready)).await
    }

    /// Drops the bytes that the host has sent, since a booting modem does not listen.
    pub(crate) fn discard_input(&self) {
        self.input.borrow_mut().clear();
    }

    /// Takes everything that the host sent so far.
    pub(crate) fn take_input(&self) -> Vec<u8> {
        self.input.borrow_mut().drain(..).collect()
    }

    /// Drops the bytes that the host has sent, except for the next `count`.
    pub(crate) fn keep_input(&self, count: usize) {
        self.input.borrow_mut().truncate(count);
    }

    /// Drops the bytes that the host has sent and sends until `end`, except for the next `count`. What arrives later is kept, however
    /// late the modem's own task runs on a busy computer.
    pub(crate) fn keep_input_until(&self, end: Instant, count: usize) {
        self.keep_input(count);
        self.short_of_room.set(Some((end, count)));
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

    /// Waits until the host has taken most of the output, as a UART under flow control does.
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
        self.take_in(before);
        self.passed(After::Received(left as u64));
        self.take_in(behind);
        self.touch();
    }

    fn take_in(&self, bytes: &[u8]) {
        self.input.borrow_mut().extend(bytes);
        match self.short_of_room.get() {
            Some((end, count)) if Instant::now() < end => self.keep_input(count),
            _ => self.short_of_room.set(None),
        }
    }

    /// Plans an action for the time when this many bytes have passed.
    pub(crate) fn set_trap(&self, after: After, spring: Box<dyn FnOnce()>) {
        *self.trap.borrow_mut() = Some(Trap { after, spring });
    }

    fn trapped(&self) -> Option<After> {
        self.trap.borrow().as_ref().map(|trap| trap.after)
    }

    /// Counts bytes, and carries out the action that is due.
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
        self.take_now(limit)
    }

    /// Takes up to `limit` bytes of the output that there is, fewer where something happens behind them.
    pub(crate) fn take_now(&self, limit: usize) -> Vec<u8> {
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

    /// Bytes of the output in front of the first place where `word` stands, all of it where it stands nowhere; `None` without output.
    pub(crate) fn find_output(&self, word: &[u8; 4]) -> Option<usize> {
        let output = self.output.borrow();
        let found = (0..output.len()).find(|at| output.iter().skip(*at).take(4).eq(word));
        (!output.is_empty()).then(|| found.unwrap_or(output.len()))
    }

    /// Sets the rate of the modem's UART.
    pub(crate) fn set_rate(&self, rate: u32) {
        self.modem_rate.set(Some(rate));
        if self.baud.get().is_some() {
            self.baud.set(Some(rate));
        }
    }

    fn garbled(&self) -> bool {
        let rates = self.modem_rate.get().zip(self.host_rate.get());
        rates.is_some_and(|(modem, host)| modem != host)
    }

    /// Drops the output for a host that is gone.
    pub(crate) fn discard_output(&self) {
        self.output.borrow_mut().clear();
    }

    // The record.

    pub(crate) fn set_script(&self, script: Script) {
        *self.script.borrow_mut() = Some(script);
    }

    /// Records a command, and returns the reaction that the script chooses.
    pub(crate) fn record(&self, line: &[u8]) -> Reaction {
        self.exchanges.set(self.exchanges.get() + 1);
        self.commands.borrow_mut().push(line.to_vec());
        Self::chosen_by(&self.script, line)
    }

    /// Records a command as [`record`](Self::record) does, and waits for as long as the modem takes to begin its answer.
    pub(crate) async fn record_after(&self, turnaround: Duration, line: &[u8]) -> Reaction {
        let reaction = self.record(line);
        if turnaround.as_ticks() > 0 {
            Timer::after(turnaround).await;
        }
        reaction
    }

    pub(crate) fn set_data_script(&self, script: Script) {
        *self.data_script.borrow_mut() = Some(script);
    }

    /// Returns the reaction that the data script chooses. Data is no command, and is not recorded.
    pub(crate) fn reaction_to_data(&self, data: &[u8]) -> Reaction {
        Self::chosen_by(&self.data_script, data)
    }

    fn chosen_by(place: &RefCell<Option<Script>>, bytes: &[u8]) -> Reaction {
        // The script is taken out while it runs, because it may use the handle that owns it.
        let script = place.borrow_mut().take();
        let Some(mut script) = script else {
            return Reaction::Normal;
        };
        let reaction = script(bytes);
        place.borrow_mut().get_or_insert(script);
        reaction
    }
}
