//! The traits by which runner and handles use an engine and its backend, independent of the modem's protocol.

use embassy_time::Duration;

use super::backend::Limits;
#[cfg(doc)]
use super::backend::Modem;
use super::time::Ms;
use super::world::World;
use crate::capabilities::{Capabilities, Verification};
use crate::error::{AtError, ConnectError};
use crate::numbers::Number;
use crate::tls::TlsConfig;

/// The engine of a protocol between MCU and modem, such as AT. It is synchronous and does no I/O: bytes and the time go
/// in, bytes and a deadline come out.
///
/// The core has an engine for AT, which every [`Modem`] uses. A backend of another protocol implements this trait
/// beside its [`Backend`], and takes scheduler, sockets, policy and credentials from the core: see
/// [`Job`](crate::modem::Job).
pub trait Protocol {
    /// The backend of the modem that speaks this protocol.
    type Backend: Backend;
    /// Returns the backend, which the engine owns.
    fn backend(&self) -> &Self::Backend;
    /// Returns the backend, which the engine owns, for changes.
    fn backend_mut(&mut self) -> &mut Self::Backend;
    /// Takes in bytes from the modem, and returns their number. The rest is offered again when
    /// [`wants_input`](Self::wants_input) returns `true`.
    fn feed(&mut self, world: &mut World<'_>, input: &[u8]) -> usize;
    /// Does the work that is due. Returns the deadline for the next call, in milliseconds, wrapping.
    fn tick(&mut self, world: &mut World<'_>) -> Ms;
    /// Copies the next bytes for the modem into `into`, and returns their number; 0 where there are none.
    fn next_out(&mut self, world: &mut World<'_>, into: &mut [u8]) -> usize;
    /// Called when the UART has taken `count` bytes of [`next_out`](Self::next_out).
    fn out_done(&mut self, world: &mut World<'_>, count: usize);
    /// Returns the number, wrapping, of the present content of the output. A write that began with another number is
    /// not reported by [`out_done`](Self::out_done).
    fn out_turn(&self) -> u8;
    /// Returns whether all output was written, so that the UART is to be flushed.
    fn is_drained(&self) -> bool;
    /// Returns what kind of bytes [`next_out`](Self::next_out) returned last. The default has the tap mask all of them,
    /// since private keys may be among them.
    #[cfg(feature = "tap")]
    fn tap_next(&self, _world: &World<'_>) -> crate::tap::Sent {
        crate::tap::Sent::Upload
    }
    /// Returns whether the engine can take in more bytes.
    fn wants_input(&self, world: &World<'_>) -> bool;
    /// Called when the level of an awaited status pin, [`PinState::status`](super::PinState), has changed. The default
    /// does nothing: a backend still sees the level when it wakes the modem.
    fn status_changed(&mut self, _world: &mut World<'_>) {}
    /// Called when the runner stops, at any point of an exchange.
    fn stopped(&mut self, world: &mut World<'_>);
    /// Called when a guest is dropped after its exchange has ended. The engine wipes what the guest sent and received.
    fn guest_is_gone(&mut self);
}

/// The backend of one modem family of any protocol: what the handles need of a modem. Every [`Modem`], which speaks
/// AT, is a `Backend`. A backend with another protocol implements this trait instead, and names its engine with
/// [`Engine`](Self::Engine).
pub trait Backend: Sized + 'static {
    /// The name of the family in reports, such as `bg96`.
    const NAME: &'static str;
    /// The modem's limits.
    const LIMITS: Limits;
    /// The time limit for the modem to confirm that it is off.
    const POWER_OFF_LIMIT: Duration = Duration::from_secs(30);
    /// Whether a pulse of the power key wakes the modem from light sleep, instead of the level of the sleep pin. For a
    /// backend of several firmwares: whether this holds for any of them.
    const WAKE_BY_KEY: bool = false;
    /// The vendor's own numbers of `+CME ERROR`, ascending, with the texts for error messages.
    const CODES: &'static [Number] = &[];
    /// The engine that conducts the exchanges and owns the backend.
    type Engine: Protocol<Backend = Self>;

    /// Makes the engine of this backend.
    fn engine(self) -> Self::Engine;
    /// Refuses a policy that this modem cannot fulfil, before anything is sent.
    ///
    /// # Errors
    /// The reason why the modem cannot open such a connection.
    fn admit(&self, config: &TlsConfig) -> Result<(), ConnectError>;
    /// Returns the modem's capabilities as far as they are known.
    fn capabilities(&self) -> Capabilities;
    /// Returns whether a user's command, with the CR at its end, may change settings that the driver makes, so that the
    /// modem is brought up anew after it.
    ///
    /// # Errors
    /// [`AtError::Unsupported`] for a command that users may not send.
    fn may_change_settings(_command: &[u8]) -> Result<bool, AtError> {
        Ok(false)
    }
    /// Returns what the modem verifies of a server.
    fn verification(&self) -> Verification {
        self.capabilities().verification
    }
}
