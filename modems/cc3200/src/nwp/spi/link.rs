//! The memory between the runner and the bus: bytes on their way, and what nHIB says of the chip.

use core::cell::RefCell;
use core::fmt;
use core::future::poll_fn;
use core::task::{Context, Poll, Waker};

use embassy_time::{Duration, Instant, Timer};
use heapless::Vec;

use super::error::BusError;

/// Bytes that one transfer moves at most, a multiple of four.
pub(super) const PIECE: usize = 128;
/// How long the interrupt line means nothing after nHIB has risen: it rises and falls by itself then (sheet 2). A message that waits keeps it
/// high, so that nothing is missed.
const SETTLING: Duration = Duration::from_millis(60);

/// What lies between the runner and the task that has the SPI: some 300 bytes. See [`Link::split`].
pub struct Link(RefCell<State>);

/// nHIB has moved since: what was begun before is void.
pub(super) struct Restarted;

/// A start of the chip. What was begun in one has no part in the next.
pub(super) type Life = u8;

struct State {
    /// Of the chip, for the runner.
    input: Vec<u8, PIECE>,
    /// Of the runner, for the chip.
    output: Vec<u8, PIECE>,
    chip: Chip,
    /// The bus failed, and the reader was not told yet.
    failed: bool,
    /// A message or a command is under way on the bus.
    busy: bool,
    life: Life,
    // Each is awaited by one task.
    reader: Option<Waker>,
    writer: Option<Waker>,
    bus: Option<Waker>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Chip {
    /// nHIB is low, or was never moved.
    Hibernates,
    /// nHIB rose; nothing is looked at before then.
    Settles(Instant),
    Runs,
    /// Nobody knows any more where a message begins: only nHIB helps.
    Torn,
}

impl Link {
    /// An idle one, whose chip is not touched before nHIB moves.
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

    /// nHIB goes low, or high: whatever was on its way is of an earlier life.
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
            // It has room for them.
            let _ = state.output.extend_from_slice(&bytes[..count]);
            wake(&mut state.bus);
            Some(count)
        })
        .await
    }

    /// Until everything that was written is on the wire.
    pub(super) async fn flushed(&self) {
        let is_out = |state: &mut State| (state.output.is_empty() && !state.busy).then_some(());
        self.until(Who::Writer, is_out).await;
    }

    // For the bus.

    /// The bus is served from now on. A transfer that was dropped in its middle left the chip nobody knows where.
    pub(super) fn resume(&self) {
        let mut state = self.0.borrow_mut();
        if core::mem::take(&mut state.busy) {
            state.chip = Chip::Torn;
        }
    }

    /// Until the chip runs, and may be spoken with.
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

    /// Whether the chip has not been restarted since, and can be spoken with.
    pub(super) fn is_still(&self, life: Life) -> bool {
        let state = self.0.borrow();
        state.life == life && state.chip == Chip::Runs
    }

    /// Until there is something for the chip, or it is restarted.
    pub(super) async fn has_output(&self, life: Life) {
        self.until(Who::Bus, |state| {
            (state.output.len() >= 4 || state.life != life).then_some(())
        })
        .await;
    }

    /// A message or a command begins, or ends, on the bus.
    pub(super) fn set_busy(&self, busy: bool) {
        let mut state = self.0.borrow_mut();
        state.busy = busy;
        wake(&mut state.writer);
    }

    /// Takes bytes for the chip, a multiple of four as all transfers are, and four at least.
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

    /// Gives bytes of the chip to the runner, at most a piece.
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

    /// Nothing more is understood of this life of the chip, which the engine finds out by silence in a message or by bytes
    /// that are none.
    pub(super) fn tear(&self, life: Life) {
        let mut state = self.0.borrow_mut();
        if state.life == life {
            state.chip = Chip::Torn;
        }
    }

    /// Has the reader told that the bus failed, and waits until it was.
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
        // What is on its way may be a key.
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

/// Moves bytes off the front.
fn take(from: &mut Vec<u8, PIECE>, into: &mut [u8]) -> usize {
    let count = from.len().min(into.len());
    into[..count].copy_from_slice(&from[..count]);
    let left = from.len() - count;
    from.copy_within(count.., 0);
    // They may be of a key.
    from[left..].fill(0);
    from.truncate(left);
    count
}
