//! The memory between the runner and the bus: bytes on their way, and the state of the chip as nHIB has set it.

use core::cell::RefCell;
use core::fmt;
use core::future::poll_fn;
use core::task::{Context, Poll, Waker};

use embassy_time::{Duration, Instant, Timer};
use heapless::Vec;

use super::error::BusError;

/// The largest transfer, in bytes; a multiple of four.
pub(super) const PIECE: usize = 128;
/// The time after nHIB has risen for which the interrupt line is ignored, since it rises and falls by itself then (sheet 2). A
/// message that waits keeps it high, so that none is missed.
const SETTLING: Duration = Duration::from_millis(60);

/// The memory between the runner and the task that owns the SPI; some 300 bytes. See [`Link::split`].
pub struct Link(RefCell<State>);

/// The error of an operation that was begun before nHIB moved: it is void.
pub(super) struct Restarted;

/// The number of a start of the chip, wrapping. An operation that was begun in one is void in the next.
pub(super) type Life = u8;

struct State {
    /// The bytes from the chip that the runner has not read.
    input: Vec<u8, PIECE>,
    /// The bytes of the runner that the bus has not taken.
    output: Vec<u8, PIECE>,
    chip: Chip,
    /// Whether the bus failed and the reader has not returned that yet.
    failed: bool,
    /// Whether a message or a command is under way on the bus.
    busy: bool,
    life: Life,
    // One task each waits here.
    reader: Option<Waker>,
    writer: Option<Waker>,
    bus: Option<Waker>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Chip {
    /// Hibernating: nHIB is low, or has not moved yet.
    Hibernates,
    /// Starting: nHIB has risen, and the interrupt line is ignored until this time.
    Settles(Instant),
    Runs,
    /// Out of step: the place where a message begins is not known, and only nHIB helps.
    Torn,
}

impl Link {
    /// Makes an idle link, whose chip is not touched before nHIB moves.
    pub const fn new() -> Self {
        Self(RefCell::new(State {
            input: Vec::new(),
            output: Vec::new(),
            chip: Chip::Hibernates,
            failed: false,
            busy: false,
            life: 0,
            reader: None,
            writer: None,
            bus: None,
        }))
    }

    // For the runner.

    /// Notes that nHIB goes low or high. All bytes on their way are dropped.
    pub(super) fn restart(&self, hibernates: bool) {
        let mut state = self.0.borrow_mut();
        state.chip = match hibernates {
            true => Chip::Hibernates,
            false => Chip::Settles(Instant::now() + SETTLING),
        };
        state.input.clear();
        state.output.clear();
        state.failed = false;
        state.life = state.life.wrapping_add(1);
        wake(&mut state.reader);
        wake(&mut state.writer);
        wake(&mut state.bus);
    }

    pub(super) async fn read(&self, buf: &mut [u8]) -> Result<usize, BusError> {
        if buf.is_empty() {
            return Ok(0);
        }
        self.until(Who::Reader, |state| {
            if !state.input.is_empty() {
                let count = take(&mut state.input, buf);
                wake(&mut state.bus);
                return Some(Ok(count));
            }
            if state.failed {
                state.failed = false;
                wake(&mut state.bus);
                return Some(Err(BusError));
            }
            None
        })
        .await
    }

    pub(super) async fn write(&self, bytes: &[u8]) -> usize {
        if bytes.is_empty() {
            return 0;
        }
        self.until(Who::Writer, |state| {
            let count = bytes.len().min(PIECE - state.output.len());
            if count == 0 {
                return None;
            }
            // `count` is within the free room.
            let _ = state.output.extend_from_slice(&bytes[..count]);
            wake(&mut state.bus);
            Some(count)
        })
        .await
    }

    /// Waits until everything that was written is on the wire.
    pub(super) async fn flushed(&self) {
        let is_out = |state: &mut State| (state.output.is_empty() && !state.busy).then_some(());
        self.until(Who::Writer, is_out).await;
    }

    // For the bus.

    /// Notes that the bus is served from now on. If a transfer was dropped in its middle, the chip is out of step.
    pub(super) fn resume(&self) {
        let mut state = self.0.borrow_mut();
        if core::mem::take(&mut state.busy) {
            state.chip = Chip::Torn;
        }
    }

    /// Waits until the chip runs and its bus may be used.
    pub(super) async fn runs(&self) -> Life {
        loop {
            let chip = |state: &mut State| match state.chip {
                Chip::Runs => Some(Ok(state.life)),
                Chip::Settles(at) => Some(Err(at)),
                Chip::Hibernates | Chip::Torn => None,
            };
            let at = match self.until(Who::Bus, chip).await {
                Ok(life) => return life,
                Err(at) => at,
            };
            Timer::at(at).await;
            let mut state = self.0.borrow_mut();
            if state.chip == Chip::Settles(at) {
                state.chip = Chip::Runs;
            }
        }
    }

    /// Returns whether the chip still runs in this life.
    pub(super) fn is_still(&self, life: Life) -> bool {
        let state = self.0.borrow();
        state.life == life && state.chip == Chip::Runs
    }

    /// Waits until there are bytes for the chip, or it is restarted.
    pub(super) async fn has_output(&self, life: Life) {
        self.until(Who::Bus, |state| {
            (state.output.len() >= 4 || state.life != life).then_some(())
        })
        .await;
    }

    /// Notes that a message or a command begins, or ends, on the bus.
    pub(super) fn set_busy(&self, busy: bool) {
        let mut state = self.0.borrow_mut();
        state.busy = busy;
        wake(&mut state.writer);
    }

    /// Takes bytes for the chip: a multiple of four, as all transfers have, and four at least.
    pub(super) async fn take(&self, life: Life, into: &mut [u8]) -> Result<usize, Restarted> {
        self.until(Who::Bus, |state| {
            if state.life != life {
                return Some(Err(Restarted));
            }
            let words = into.len().min(state.output.len()) & !3;
            if words == 0 {
                return None;
            }
            wake(&mut state.writer);
            Some(Ok(take(&mut state.output, &mut into[..words])))
        })
        .await
    }

    /// Gives bytes from the chip to the runner, at most [`PIECE`].
    pub(super) async fn give(&self, life: Life, bytes: &[u8]) -> Result<(), Restarted> {
        self.until(Who::Bus, |state| {
            if state.life != life {
                return Some(Err(Restarted));
            }
            state.input.extend_from_slice(bytes).ok()?;
            wake(&mut state.reader);
            Some(Ok(()))
        })
        .await
    }

    /// Notes that the chip is out of step in this life. The engine finds that out by silence in a message, or by bytes that are
    /// not a message.
    pub(super) fn tear(&self, life: Life) {
        let mut state = self.0.borrow_mut();
        if state.life == life {
            state.chip = Chip::Torn;
        }
    }

    /// Lets the reader return that the bus failed, and waits until it has.
    pub(super) async fn fail(&self, life: Life) {
        {
            let mut state = self.0.borrow_mut();
            if state.life != life {
                return;
            }
            state.failed = true;
            wake(&mut state.reader);
        }
        self.until(Who::Bus, |state| (!state.failed).then_some(()))
            .await;
    }

    async fn until<T>(&self, who: Who, mut look: impl FnMut(&mut State) -> Option<T>) -> T {
        poll_fn(|cx| {
            let mut state = self.0.borrow_mut();
            match look(&mut state) {
                Some(found) => Poll::Ready(found),
                None => {
                    state.register(who, cx);
                    Poll::Pending
                }
            }
        })
        .await
    }
}

impl Default for Link {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The bytes may be of a key, so they are not shown.
        f.debug_tuple("Link").field(&self.0.borrow().chip).finish()
    }
}

#[derive(Clone, Copy)]
enum Who {
    Reader,
    Writer,
    Bus,
}

impl State {
    fn register(&mut self, who: Who, cx: &Context<'_>) {
        let place = match who {
            Who::Reader => &mut self.reader,
            Who::Writer => &mut self.writer,
            Who::Bus => &mut self.bus,
        };
        *place = Some(cx.waker().clone());
    }
}

fn wake(waiting: &mut Option<Waker>) {
    if let Some(waker) = waiting.take() {
        waker.wake();
    }
}

/// Moves bytes off the front of `from`, and returns their number.
fn take(from: &mut Vec<u8, PIECE>, into: &mut [u8]) -> usize {
    let count = from.len().min(into.len());
    into[..count].copy_from_slice(&from[..count]);
    let left = from.len() - count;
    from.copy_within(count.., 0);
    // The bytes may be of a key.
    from[left..].fill(0);
    from.truncate(left);
    count
}
