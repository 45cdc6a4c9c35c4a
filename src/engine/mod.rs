//! The engine: the machinery between a UART and the users' sockets.
//!
//! The runner ([`Runner`]) is the only asynchronous part, and the only one that conducts an exchange. It drives
//! a [`Protocol`], which is synchronous and does no I/O: bytes and the time go in, bytes and a deadline come out. Both
//! share the [`World`], plain data with one owner, with the users' handles. A handle writes its request into the world
//! and waits; dropping its future sets a flag there.

pub(crate) mod backend;
mod conduct;
#[cfg(feature = "sleep")]
mod doze;
mod guest;
#[cfg(fuzzing)]
pub(crate) mod machine;
mod mailbox;
mod notices;
mod protocol;
mod queue;
pub(crate) mod raw;
mod ring;
mod runner;
mod scheduler;
mod slot;
pub(crate) mod text;
pub(crate) mod time;
mod wakers;
mod world;

use core::borrow::BorrowMut;
use core::cell::RefCell;

use self::backend::{Modem, Timing};
pub use self::conduct::{After, Guest};
#[cfg(feature = "sleep")]
pub(crate) use self::doze::SleepSettings;
pub use self::guest::{At, Exclusive, Upload};
pub use self::mailbox::ANSWER_LIMIT;
pub use self::notices::Notices;
#[cfg(feature = "sleep")]
pub(crate) use self::notices::{Listens, sealed};
pub use self::protocol::{Backend, Protocol};
pub use self::runner::Runner;
pub use self::scheduler::Job;
pub(crate) use self::slot::{Phase, Slot};
pub use self::text::COMMAND_LIMIT;
pub(crate) use self::text::is_secret;
pub use self::world::{Counters, NOT_YET, Open, PinState, World};
pub(crate) use self::world::{Errand, Link, PowerState, Shared};
#[cfg(feature = "sleep")]
pub(crate) use self::world::{NEVER, NO_PIN};

/// The socket buffers of a [`State`] for a `static` of their own. They are all zero, so they cost no flash, and are
/// never on the stack.
///
/// `static RINGS: ConstStaticCell<Rings<1, 1024, 1024>> = ConstStaticCell::new(Rings::new());`
pub struct Rings<const SOCKETS: usize, const RX: usize, const TX: usize> {
    rx: [[u8; RX]; SOCKETS],
    tx: [[u8; TX]; SOCKETS],
}

impl<const SOCKETS: usize, const RX: usize, const TX: usize> Rings<SOCKETS, RX, TX> {
    /// Makes empty rings.
    #[inline(never)] // Inlined, the value is made on the stack once more.
    pub const fn new() -> Self {
        Self {
            rx: [[0; RX]; SOCKETS],
            tx: [[0; TX]; SOCKETS],
        }
    }
}

impl<const SOCKETS: usize, const RX: usize, const TX: usize> Default for Rings<SOCKETS, RX, TX> {
    fn default() -> Self {
        Self::new()
    }
}

/// The state of the driver, for `SOCKETS` sockets with rings of `RX` and `TX` bytes. It lives in a `static`;
/// [`new`](crate::new) makes the handles and the runner from it.
pub struct State<
    'a,
    M: Backend,
    const SOCKETS: usize,
    const RX: usize,
    const TX: usize,
    B = Rings<SOCKETS, RX, TX>,
> {
    pub(crate) engine: RefCell<M::Engine>,
    pub(crate) world: RefCell<World<'a, [Slot<'a>; SOCKETS]>>,
    rings: B,
}

impl<M: Modem, const SOCKETS: usize, const RX: usize, const TX: usize>
    State<'_, M, SOCKETS, RX, TX>
{
    /// Makes a state that contains its rings.
    #[inline(never)] // Inlined, the value is made on the stack once more.
    pub const fn new(modem: M) -> Self {
        // Written out, and the cell made by its own constructor: passed on, it would be on the stack twice.
        Self {
            engine: text::Engine::cell(modem),
            world: World::cell([const { Slot::new() }; SOCKETS]),
            rings: Rings::new(),
        }
    }
}

impl<'r, M: Modem, const SOCKETS: usize, const RX: usize, const TX: usize>
    State<'_, M, SOCKETS, RX, TX, &'r mut Rings<SOCKETS, RX, TX>>
{
    /// Makes a state whose rings are in a `static` of their own, so that initialising it never puts them on the stack.
    #[inline(never)]
    pub const fn with_rings(modem: M, rings: &'r mut Rings<SOCKETS, RX, TX>) -> Self {
        // Written out, and the cell made by its own constructor: passed on, it would be on the stack twice.
        Self {
            engine: text::Engine::cell(modem),
            world: World::cell([const { Slot::new() }; SOCKETS]),
            rings,
        }
    }
}

impl<M: Backend, const SOCKETS: usize, const RX: usize, const TX: usize>
    State<'_, M, SOCKETS, RX, TX>
{
    /// Makes a state that contains its rings, for a modem that does not speak AT and whose backend brings the engine.
    #[inline(never)]
    pub const fn with_engine(engine: M::Engine) -> Self {
        Self::of(RefCell::new(engine), Rings::new())
    }
}

impl<'r, M: Backend, const SOCKETS: usize, const RX: usize, const TX: usize>
    State<'_, M, SOCKETS, RX, TX, &'r mut Rings<SOCKETS, RX, TX>>
{
    /// Makes a state for a modem that does not speak AT, as [`with_engine`](State::with_engine) does, with rings in a
    /// `static` of their own.
    #[inline(never)]
    pub const fn with_engine_and_rings(
        engine: M::Engine,
        rings: &'r mut Rings<SOCKETS, RX, TX>,
    ) -> Self {
        Self::of(RefCell::new(engine), rings)
    }
}

impl<'a, M: Backend, const SOCKETS: usize, const RX: usize, const TX: usize, B>
    State<'a, M, SOCKETS, RX, TX, B>
{
    const fn of(engine: RefCell<M::Engine>, rings: B) -> Self {
        Self {
            engine,
            world: World::cell([const { Slot::new() }; SOCKETS]),
            rings,
        }
    }

    /// Sets other times than [`Timing::DEFAULT`].
    pub fn with_timing(mut self, timing: Timing) -> Self {
        self.world.get_mut().set_timing(timing);
        self
    }

    /// Sets a tap, which sees all bytes on the UART.
    #[cfg(feature = "tap")]
    pub fn with_tap(mut self, tap: &'static dyn crate::tap::Tap) -> Self {
        self.world.get_mut().tap = Some(tap);
        self
    }

    /// Gives the sockets their rings, and returns engine and world.
    pub(crate) fn connect_rings(&'a mut self) -> (&'a RefCell<M::Engine>, &'a Shared<'a>)
    where
        B: BorrowMut<Rings<SOCKETS, RX, TX>>,
    {
        let Rings { rx, tx } = self.rings.borrow_mut();
        let slots = &mut self.world.get_mut().slots;
        for (slot, (rx, tx)) in slots.iter_mut().zip(rx.iter_mut().zip(tx)) {
            slot.rx.set_memory(rx);
            slot.tx.set_memory(tx);
        }
        (&self.engine, &self.world)
    }
}
