//! The engine: one task owns the UART, everyone else asks it through a mailbox.
//!
//! [`new`](crate::new) splits a [`State`] into [`Control`](crate::Control),
//! [`Sockets`](crate::Sockets) and [`Runner`]. The runner joins the I/O loops (the only owners of the
//! UART's halves), the custodian (ends exchanges that lost their caller) and the supervisor (brings
//! the modem up, moves socket data, closes what was dropped). A flow of a backend runs in its
//! caller's future, or in the supervisor, over the handle [`At`].

mod apart;
mod at;
mod core;
mod custodian;
mod exchange;
mod io;
mod notify;
mod push;
mod ring;
mod runner;
pub(crate) mod slots;
mod supervisor;
#[cfg(feature = "tap")]
mod tap;
mod turn;

pub use self::apart::apart;
pub use self::at::{At, Pipe, Question, Together, Upload};
pub use self::core::{ANSWER_LIMIT, COMMAND_LIMIT, Counters};
pub use self::runner::Runner;
pub use self::slots::Rings;
pub(crate) use self::turn::Held;

pub(crate) use self::core::{Core, Rest};
use self::core::{Fixed, Link};
use self::slots::{SlotState, SocketPhase, Sockets, Table};
use crate::error::{AtError, BringUpError, ConnectError};
use crate::modem::{Limits, Modem, Slot, Timing};

/// Everything the engine of one modem needs to remember, for `SOCKETS` sockets at a time with rings
/// of `RX` and `TX` bytes each. Meant for a `static`, in a `StaticCell`.
///
/// `RX` is the most that one fetch can bring, `TX` the most that one send can carry; a power of two
/// is not needed. 1024 each is a good start; 2048 saves exchanges where the modem moves 1500 bytes
/// at a time.
pub struct State<
    M,
    const SOCKETS: usize,
    const RX: usize,
    const TX: usize,
    B = Rings<SOCKETS, RX, TX>,
> {
    pub(crate) core: Core,
    pub(crate) modem: M,
    pub(crate) sockets: Sockets<SOCKETS, RX, TX, B>,
}

impl<M: Modem, const SOCKETS: usize, const RX: usize, const TX: usize> State<M, SOCKETS, RX, TX> {
    /// A state for `modem`, with default [`Timing`].
    #[inline(never)] // Inlined, it is made on the stack once more.
    pub const fn new(modem: M) -> Self {
        Self::of(modem, Rings::new())
    }
}

impl<'a, M: Modem, const SOCKETS: usize, const RX: usize, const TX: usize>
    State<M, SOCKETS, RX, TX, &'a mut Rings<SOCKETS, RX, TX>>
{
    /// The same with its rings elsewhere, in a `static` of their own: what fills the state's then has
    /// not the rings on the stack as well, which on a small MCU is the peak of it.
    #[inline(never)]
    pub const fn with_rings(modem: M, rings: &'a mut Rings<SOCKETS, RX, TX>) -> Self {
        Self::of(modem, rings)
    }
}

impl<M: Modem, const SOCKETS: usize, const RX: usize, const TX: usize, B>
    State<M, SOCKETS, RX, TX, B>
{
    const fn of(modem: M, rings: B) -> Self {
        Self {
            core: Core::new(Fixed {
                secret: M::SECRET,
                sync: M::SYNC,
                timing: Timing::DEFAULT,
                #[cfg(feature = "tap")]
                tap: None,
            }),
            modem,
            sockets: Sockets::new(rings),
        }
    }
}

impl<M, const SOCKETS: usize, const RX: usize, const TX: usize> State<M, SOCKETS, RX, TX> {
    /// The same with another timing.
    pub const fn with_timing(mut self, timing: Timing) -> Self {
        self.core.fixed.timing = timing;
        self
    }

    /// The same, with somebody who watches the UART.
    #[cfg(feature = "tap")]
    pub const fn with_tap(mut self, tap: &'static dyn crate::tap::Tap) -> Self {
        self.core.fixed.tap = Some(tap);
        self
    }
}

/// The shared state, erased from the sizes of its buffers.
#[derive(Clone, Copy)]
pub(crate) struct Engine<'a> {
    pub(crate) core: &'a Core,
    pub(crate) table: &'a dyn Table,
}

impl<'a> Engine<'a> {
    pub(crate) fn slot(&self, slot: Slot) -> &'a SlotState {
        &self.table.slots()[usize::from(slot.0)]
    }

    /// A handle for flows; it goes stale when the modem resets.
    pub(crate) fn at(&self) -> At<'a> {
        At::new(*self)
    }

    /// Waits until the modem is up, or until an attempt to bring it up that ended after this call has
    /// failed.
    pub(crate) async fn up(&self) -> Result<At<'a>, BringUpError> {
        let failures = self.core.failures.get();
        self.core
            .work
            .until(|| match self.core.link.get() {
                _ if self.core.rest.get() == Rest::Off => Some(Err(BringUpError::PoweredOff)),
                // Whoever asks for it needs it now.
                Link::Down | Link::Failed(_) if self.core.rest.get() == Rest::Saving => {
                    self.core.rest.set(Rest::No);
                    self.core.work.wake();
                    None
                }
                // While the custodian is at work it is open whether the modem is still there.
                Link::Up if !self.core.orphan.get() => Some(Ok(self.at())),
                Link::Failed(error) if self.core.failures.get() != failures => Some(Err(error)),
                _ => None,
            })
            .await
    }

    /// For questions that a modem also answers when it is not on the network: a handle as soon as it is
    /// known to be in line mode, and why it is not up.
    pub(crate) async fn answering(&self) -> Result<(At<'a>, Option<BringUpError>), BringUpError> {
        let known = match self.core.link.get() {
            Link::Failed(error) if self.core.rest.get() == Rest::No => error,
            _ => match self.up().await {
                Ok(at) => return Ok((at, None)),
                Err(error) => error,
            },
        };
        match known {
            // It refused something: it is there.
            BringUpError::At {
                error: AtError::Refused(_),
                ..
            } => {}
            BringUpError::At { .. } | BringUpError::NoAnswer | BringUpError::PoweredOff => {
                return Err(known);
            }
            _ => {}
        }
        Ok((self.at(), Some(known)))
    }

    /// Takes a free entry of the table and an id that the modem does not hold, armed for the result
    /// of an open.
    pub(crate) fn claim(&self, limits: &Limits) -> Result<Slot, ConnectError> {
        let slots = self.table.slots();
        let index = slots
            .iter()
            .position(SlotState::is_free)
            .ok_or(ConnectError::TooManySockets)?;
        let taken = |id: u8| {
            self.core.stray.get() & 1 << id != 0
                || slots
                    .iter()
                    .any(|slot| slot.in_modem.get() && slot.id.get() == id)
        };
        // Ids go round, so that a late result of one connection finds none of its number.
        let id = (0..limits.ids)
            .map(|step| (self.core.next_id.get() + step) % limits.ids)
            .find(|&id| !taken(id))
            .ok_or(ConnectError::TooManySockets)?;
        self.core.next_id.set((id + 1) % limits.ids);
        let slot = Slot(index as u8);
        self.table.rx(slot).clear();
        self.table.tx(slot).clear();
        slots[index].arm(id);
        #[cfg(feature = "tap")]
        if let Some(tap) = self.core.fixed.tap {
            tap.opening(slot.0);
        }
        Ok(slot)
    }

    /// Whether an entry will become free without anybody's doing.
    pub(crate) fn one_is_closing(&self) -> bool {
        self.table
            .slots()
            .iter()
            .any(|slot| !slot.user.get() && slot.in_modem.get())
    }

    /// The result of an open, or why there will be none.
    pub(crate) fn open_result(&self, slot: Slot) -> Option<Result<u16, AtError>> {
        let state = self.slot(slot);
        match (state.open_result.get(), state.phase.get()) {
            (Some(result), _) => Some(Ok(result)),
            // Notices were missed while it was under way: its result may be among them.
            (None, SocketPhase::Opening) if state.check.get() => Some(Err(AtError::Garbled)),
            (None, SocketPhase::Opening) => None,
            (None, _) => Some(Err(AtError::ModemReset)),
        }
    }
}
