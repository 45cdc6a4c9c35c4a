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
pub(crate) mod wakers;
mod world;

use core::cell::RefCell;

#[cfg(doc)]
use self::backend::Modem;
pub use self::conduct::{After, Guest};
#[cfg(feature = "sleep")]
pub(crate) use self::doze::SleepSettings;
pub use self::guest::{At, Exclusive, Upload};
pub use self::mailbox::{ANSWER_LIMIT, COMMAND_LIMIT};
pub use self::notices::Notices;
#[cfg(feature = "sleep")]
pub(crate) use self::notices::{Reception, sealed};
pub use self::protocol::{Backend, Protocol};
pub use self::runner::Runner;
pub use self::scheduler::Job;
pub(crate) use self::slot::{Phase, Slot};
pub(crate) use self::text::is_secret;
pub use self::world::{Counters, NOT_YET, Open, PinState, World};
pub(crate) use self::world::{Errand, Link, PowerState, Shared};
#[cfg(feature = "sleep")]
pub(crate) use self::world::{NEVER, NO_PIN};

/// The memory of the driver of one modem, for `SOCKETS` sockets with rings of `RX` and `TX` bytes, usually in a `static`.
/// [`new`](crate::new) makes the handle and the runner from it.
///
/// It is all zero until then, so a `static` of it costs no flash, and is never on the stack:
///
/// `static STATE: ConstStaticCell<State<Bg96, 1, 1024, 1024>> = ConstStaticCell::new(State::new());`
///
/// It is a build error when `SOCKETS` is 0 or above the number of the modem's TLS contexts, and when a ring (`RX`, `TX`)
/// has fewer than 16 or more than 32 767 bytes.
pub struct State<'a, M: Backend, const SOCKETS: usize, const RX: usize, const TX: usize> {
    // `None` is all zero here: a `RefCell` has no values to spare by which `None` could be told.
    engine: Option<RefCell<M::Engine>>,
    world: Option<RefCell<World<'a, [Slot<'a>; SOCKETS]>>>,
    rx: [[u8; RX]; SOCKETS],
    tx: [[u8; TX]; SOCKETS],
}

impl<'a, M: Backend, const SOCKETS: usize, const RX: usize, const TX: usize>
    State<'a, M, SOCKETS, RX, TX>
{
    /// Makes an unused state.
    pub const fn new() -> Self {
        const {
            assert!(
                SOCKETS > 0 && SOCKETS <= M::LIMITS.sockets,
                "this modem has fewer TLS contexts than SOCKETS"
            );
            assert!(
                RX >= 16 && TX >= 16,
                "rings below 16 bytes move hardly anything per exchange"
            );
            assert!(
                RX <= 32_767 && TX <= 32_767,
                "of a ring no more than 32767 bytes can be used"
            );
            // The driver keeps a set of ids as the bits of a word.
            assert!(M::LIMITS.ids <= 32, "the backend has more than 32 ids");
        }
        Self {
            engine: None,
            world: None,
            rx: [[0; RX]; SOCKETS],
            tx: [[0; TX]; SOCKETS],
        }
    }

    /// Fills the state, and returns engine and world.
    pub(crate) fn start(&'a mut self, backend: M) -> (&'a RefCell<M::Engine>, &'a Shared<'a>) {
        let engine = put_engine::<M>(&mut self.engine, backend);
        let world = put_world(&mut self.world);
        let slots = &mut world.get_mut().slots;
        let rings = self.rx.iter_mut().zip(&mut self.tx);
        for (slot, (rx, tx)) in slots.iter_mut().zip(rings) {
            slot.rx.set_memory(rx);
            slot.tx.set_memory(tx);
        }
        (engine, world)
    }
}

impl<M: Backend, const SOCKETS: usize, const RX: usize, const TX: usize> Default
    for State<'_, M, SOCKETS, RX, TX>
{
    fn default() -> Self {
        Self::new()
    }
}

/// Makes the engine in its place. A call of its own, so that engine and world are not on the stack at once.
#[inline(never)]
fn put_engine<M: Backend>(
    place: &mut Option<RefCell<M::Engine>>,
    backend: M,
) -> &mut RefCell<M::Engine> {
    place.get_or_insert_with(|| RefCell::new(backend.engine()))
}

/// Makes the world in its place. A call of its own for the reason of [`put_engine`].
#[inline(never)]
fn put_world<'p, 'a, const SOCKETS: usize>(
    place: &'p mut Option<RefCell<World<'a, [Slot<'a>; SOCKETS]>>>,
) -> &'p mut RefCell<World<'a, [Slot<'a>; SOCKETS]>> {
    place.get_or_insert_with(|| RefCell::new(World::new([const { Slot::new() }; SOCKETS])))
}
