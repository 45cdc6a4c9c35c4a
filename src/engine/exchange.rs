//! One exchange, from the wait for its turn to its end.
//!
//! A state machine by hand: as async functions inside each other it took four times the flash, and
//! another 50 bytes wherever one of them is awaited.

use core::future::poll_fn;
use core::mem;
use core::task::{Context, Poll, ready};

use atat::AtatCmd;
use embassy_time::Duration;
use zeroize::Zeroize;

use super::Engine;
use super::at::{At, accept};
#[cfg(feature = "sleep")]
use super::core::Rest;
use super::core::{COMMAND_LIMIT, Core, Outcome, Plan, Stage};
use crate::error::AtError;
use crate::modem::Final;

/// Sees information lines.
pub(super) type Sink<'s> = &'s mut dyn FnMut(&[u8]);

/// The part of [`AtatCmd`] that the engine needs, as an object: so that one copy of an exchange is
/// linked and not one for each command.
pub(super) trait CommandText {
    fn write(&self, buf: &mut [u8]) -> usize;

    /// In milliseconds.
    fn timeout(&self) -> u32;
}

impl<C: AtatCmd> CommandText for C {
    fn write(&self, buf: &mut [u8]) -> usize {
        AtatCmd::write(self, buf)
    }

    fn timeout(&self) -> u32 {
        C::MAX_TIMEOUT_MS
    }
}

/// Where an exchange is.
#[derive(Clone, Copy)]
pub(super) enum Place {
    /// Waits for its turn, with a ticket once it has one.
    Before(Option<u8>),
    /// Its number.
    Running(u32),
    /// The turn is somebody else's.
    Ended,
}

/// An exchange that is conducted step by step. Dropped before it has its turn, it never was; under way,
/// it is left to the custodian.
pub(super) struct Exchange<'a> {
    at: At<'a>,
    place: Place,
}

impl<'a> Exchange<'a> {
    pub(super) fn new(at: &At<'a>) -> Self {
        Self {
            at: *at,
            place: Place::Before(None),
        }
    }

    pub(super) fn core(&self) -> &'a Core {
        self.engine().core
    }

    pub(super) fn engine(&self) -> Engine<'a> {
        self.at.engine()
    }

    /// Waits for the turn and sends the command.
    pub(super) async fn begin(
        &mut self,
        command: &dyn CommandText,
        plan: Plan,
    ) -> Result<(), AtError> {
        poll_fn(|cx| self.place.poll_begin(&self.at, command, plan, cx)).await
    }

    /// Waits for the final result.
    pub(super) async fn finish(&mut self, sink: Sink<'_>) -> Result<Final, AtError> {
        poll_fn(|cx| self.place.poll_finish(&self.at, sink, cx)).await
    }

    /// Waits until everything that was handed over is on the UART.
    pub(super) async fn drained(&self) -> Result<(), AtError> {
        let core = self.core();
        let mut drained =
            |stage| core.out_sent.get() >= core.out_len.get() || matches!(stage, Stage::Done(_));
        self.step(&mut drained).await.map(|_| ())
    }

    /// Waits until `ready` holds for the stage, as long as the exchange moves within its time limit.
    pub(super) async fn step(
        &self,
        ready: &mut dyn FnMut(Stage) -> bool,
    ) -> Result<Stage, AtError> {
        poll_fn(|cx| self.place.poll_step(self.core(), ready, cx)).await
    }
}

impl Drop for Exchange<'_> {
    fn drop(&mut self) {
        self.place.end(self.core());
    }
}

impl Place {
    /// From the turn to a response that can be read, which is `answer` in [`Core`].
    pub(super) fn poll_answer(
        &mut self,
        at: &At<'_>,
        command: &dyn CommandText,
        cx: &mut Context<'_>,
    ) -> Poll<Result<(), AtError>> {
        let end = ready!(self.poll_whole(at, command, Plan::Collect, &mut |_| {}, cx));
        let accepted = end.and_then(|end| accept(end, Final::Ok));
        Poll::Ready(match accepted {
            Ok(()) if at.core().answer.borrow().overflowed() => Err(AtError::TooLong),
            accepted => accepted,
        })
    }

    /// From the turn to the final result.
    #[inline(never)]
    pub(super) fn poll_whole(
        &mut self,
        at: &At<'_>,
        command: &dyn CommandText,
        plan: Plan,
        sink: Sink<'_>,
        cx: &mut Context<'_>,
    ) -> Poll<Result<Final, AtError>> {
        let result = match self {
            Self::Before(_) => ready!(self.poll_begin(at, command, plan, cx)),
            _ => Ok(()),
        };
        let result = match result {
            Ok(()) => ready!(self.poll_finish(at, sink, cx)),
            Err(error) => Err(error),
        };
        self.end(at.core());
        Poll::Ready(result)
    }

    fn poll_begin(
        &mut self,
        at: &At<'_>,
        command: &dyn CommandText,
        plan: Plan,
        cx: &mut Context<'_>,
    ) -> Poll<Result<(), AtError>> {
        let core = at.core();
        ready!(self.poll_turn(core, cx));
        // It has the turn, which it gives back or keeps beyond its life.
        *self = Self::Ended;
        let begun = if at.is_stale() {
            Err(AtError::ModemReset)
        } else {
            let len = command.write(&mut core.out.borrow_mut()[..]);
            // The terminator may be longer by one than the CR that stands for it.
            if len + core.terminator.get().bytes().len() - 1 > COMMAND_LIMIT {
                Err(AtError::TooLong)
            } else {
                Ok(len)
            }
        };
        Poll::Ready(match begun {
            Ok(len) => {
                #[cfg(any(feature = "defmt", feature = "log"))]
                trace_command(&core.out.borrow()[..len], core.fixed.secret);
                core.begin(len, plan, Duration::from_millis(command.timeout().into()));
                *self = Self::Running(core.exchange.get());
                Ok(())
            }
            Err(error) => {
                core.turn.release();
                Err(error)
            }
        })
    }

    fn poll_turn(&mut self, core: &Core, cx: &mut Context<'_>) -> Poll<()> {
        let Self::Before(ticket) = self else {
            return Poll::Ready(());
        };
        #[cfg(feature = "sleep")]
        if ticket.is_none() && poll_wake(core, cx).is_pending() {
            return Poll::Pending;
        }
        ready!(core.turn.poll(ticket, cx));
        // It may have been put to sleep while others had their turns.
        #[cfg(feature = "sleep")]
        if matches!(core.rest.get(), Rest::Dozing | Rest::Waking) {
            core.turn.release();
            let awake = poll_wake(core, cx);
            debug_assert!(awake.is_pending());
            return Poll::Pending;
        }
        Poll::Ready(())
    }

    fn poll_finish(
        &self,
        at: &At<'_>,
        sink: Sink<'_>,
        cx: &mut Context<'_>,
    ) -> Poll<Result<Final, AtError>> {
        let core = at.core();
        let mut ready = |stage| matches!(stage, Stage::Info | Stage::Done(_));
        loop {
            return Poll::Ready(match ready!(self.poll_step(core, &mut ready, cx)) {
                Ok(Stage::Done(Outcome::Final(end))) => Ok(end),
                Ok(Stage::Done(Outcome::Reset)) => Err(AtError::ModemReset),
                Ok(Stage::Info) => {
                    sink(core.framer.borrow().line());
                    core.set_stage(Stage::Line);
                    continue;
                }
                Ok(_) => Err(AtError::Garbled),
                Err(error) => Err(error),
            });
        }
    }

    fn poll_step(
        &self,
        core: &Core,
        ready: &mut dyn FnMut(Stage) -> bool,
        cx: &mut Context<'_>,
    ) -> Poll<Result<Stage, AtError>> {
        let mut look = || ready(core.stage.get());
        // Payload brings the deadline nearer, and wakes for it.
        let _ = ready!(core.changed.poll_or(core.deadline.get(), &mut look, cx));
        let stage = core.stage.get();
        Poll::Ready(match *self {
            // Otherwise its caller was away for so long that the custodian has ended it.
            Self::Running(number) if core.exchange.get() == number && ready(stage) => Ok(stage),
            _ => Err(AtError::Timeout),
        })
    }

    /// Gives the turn on, or leaves the exchange to the custodian.
    #[inline(never)]
    pub(super) fn end(&mut self, core: &Core) {
        let number = match mem::replace(self, Self::Ended) {
            Self::Before(Some(ticket)) => return core.turn.give_up(ticket),
            Self::Before(None) | Self::Ended => return,
            Self::Running(number) => number,
        };
        if core.exchange.get() != number {
            return;
        }
        if let Stage::Done(Outcome::Final(_) | Outcome::Reset) = core.stage.get() {
            if core.lost_track.take() {
                core.forsake();
                return;
            }
            if let Plan::Upload { .. } | Plan::Quoted { .. } = core.plan.get() {
                // It may hold the end of a private key.
                core.out.borrow_mut().zeroize();
            }
            core.stage.set(Stage::Idle);
            core.turn.release();
        } else {
            if core.stage.get() == Stage::Info {
                core.stage.set(Stage::Line);
            }
            core.orphan.set(true);
        }
        core.changed.wake();
    }
}

/// Waits for the modem to wake from light sleep.
#[cfg(feature = "sleep")]
pub(super) fn poll_wake(core: &Core, cx: &mut Context<'_>) -> Poll<()> {
    if core.rest.get() == Rest::Dozing {
        core.set_rest(Rest::Waking);
    }
    if core.rest.get() == Rest::Waking {
        core.work.register(cx);
        return Poll::Pending;
    }
    Poll::Ready(())
}

/// The whole line at once, so that no part of a secret one is taken for another command.
#[cfg(any(feature = "defmt", feature = "log"))]
fn trace_command(line: &[u8], secret: &[&str]) {
    use super::core::is_secret;
    use crate::fmt::Ascii;

    match line
        .iter()
        .position(|&byte| byte == b'=')
        .filter(|_| is_secret(line, secret))
    {
        Some(end) => trace!("> {}=(masked)", Ascii(&line[..end])),
        None => trace!("> {}", Ascii(line)),
    }
}
