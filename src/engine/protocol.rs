//! What an engine and its backend are to the runner and the handles, whatever protocol they speak.

use embassy_time::Duration;

use super::backend::Limits;
#[cfg(doc)]
use super::backend::Modem;
use super::time::Ms;
use super::world::World;
use crate::capabilities::{Capabilities, Verification};
use crate::error::ConnectError;
use crate::numbers::Number;
use crate::tls::TlsConfig;

/// A protocol between MCU and modem, such as AT: synchronous, and without I/O of its own.
///
/// The core has the one of [`Modem`]s. A backend that speaks something else implements this beside its
/// [`Backend`]; scheduler, sockets, policy and credentials are the core's: see
/// [`Job`](crate::modem::Job).
pub trait Protocol {
    /// The modem that it is spoken with.
    type Backend: Backend;
    /// The modem's backend, which the engine owns.
    fn backend(&self) -> &Self::Backend;
    /// Likewise, to change it.
    fn backend_mut(&mut self) -> &mut Self::Backend;
    /// Takes in bytes from the modem, and returns how many; what is left is offered again when
    /// [`wants_input`](Self::wants_input) says so.
    fn feed(&mut self, world: &mut World<'_>, input: &[u8]) -> usize;
    /// Does what is due; returns when to call again at the latest.
    fn tick(&mut self, world: &mut World<'_>) -> Ms;
    /// Copies the next bytes for the modem, and returns how many.
    fn next_out(&mut self, world: &mut World<'_>, into: &mut [u8]) -> usize;
    /// That many of them are out.
    fn out_done(&mut self, world: &mut World<'_>, count: usize);
    /// Counts what was put in line to go out: a write of an earlier content is none of a later one's.
    fn out_turn(&self) -> u8;
    /// Whether everything is out.
    fn is_drained(&self) -> bool;
    /// What has just been yielded to go out. A protocol that does not tell has all of it masked, since keys are among it.
    #[cfg(feature = "tap")]
    fn tap_next(&self, _world: &World<'_>) -> crate::tap::Sent {
        crate::tap::Sent::Upload
    }
    /// Whether more can be taken in.
    fn wants_input(&self, world: &World<'_>) -> bool;
    /// The runner stops, in the middle of whatever it is.
    fn stopped(&mut self, world: &mut World<'_>);
    /// The guest whose exchange has ended has gone away: nothing of what it sent may stay.
    fn guest_is_gone(&mut self);
}

/// What the handles need of a modem, whatever it speaks. Each [`Modem`], which speaks AT, is one; a backend
/// with a protocol of its own implements this instead, and says with [`Engine`](Self::Engine) who conducts it.
pub trait Backend: Sized + 'static {
    /// Its name in reports, such as `bg96`.
    const NAME: &'static str;
    /// See [`Limits`].
    const LIMITS: Limits;
    /// How long switching off may take until it is confirmed.
    const POWER_OFF_LIMIT: Duration = Duration::from_secs(30);
    /// It is woken from light sleep by its power key, and not by the sleep pin.
    const WAKE_BY_KEY: bool = false;
    /// The vendor's own numbers of `+CME ERROR`, in their order, for the texts that explain them.
    const CODES: &'static [Number] = &[];
    /// Who conducts its exchanges, and owns it.
    type Engine: Protocol<Backend = Self>;

    /// The engine that owns it.
    fn engine(self) -> Self::Engine;
    /// Refuses what this modem cannot do, before anything is sent.
    fn admit(&self, config: &TlsConfig) -> Result<(), ConnectError>;
    /// What the modem has, as far as it is known.
    fn capabilities(&self) -> Capabilities;
    /// What is checked of a server.
    fn verification(&self) -> Verification {
        self.capabilities().verification
    }
}
