//! What a modem can do beyond sockets, one role each: what it cannot do does not compile.

use crate::clock::DateTime;
use crate::engine::At;
use crate::engine::Backend;
use crate::engine::backend::Modem;
use crate::error::{AtError, Code};
use crate::power_saving::{Edrx, PowerSaving};

use crate::status::{SimCard, Status, Technology};

/// A modem with a clock of its own.
#[allow(async_fn_in_trait)]
pub trait HasClock: Backend {
    /// What it shows, in UTC; `None` where that is no date.
    async fn clock(at: &At<'_, Self>) -> Result<Option<DateTime>, AtError>;
    /// Sets it, in UTC.
    async fn set_clock(at: &At<'_, Self>, now: DateTime) -> Result<(), AtError>;
}

/// A modem that tells of itself, of the network that it is on, and why it has refused.
#[allow(async_fn_in_trait)]
pub trait Reports: Backend {
    /// Fills in what it tells. What cannot be told is left as it is.
    async fn status(at: &At<'_, Self>, status: &mut Status);
    /// Asks the modem for a better reason of a refusal of `command`, where it keeps one.
    async fn explain(_at: &At<'_, Self>, _command: &str, code: Code) -> Code {
        code
    }
}

/// A modem with a SIM.
#[allow(async_fn_in_trait)]
pub trait Cellular: Reports {
    /// The numbers of the SIM.
    async fn sim(at: &At<'_, Self>) -> Result<SimCard, AtError>;
}

/// A cellular modem whose power saving can be set.
#[allow(async_fn_in_trait)]
pub trait SavesPower: Cellular + Modem {
    /// Asks for power saving mode, or for none.
    async fn set_power_saving(
        at: &At<'_, Self>,
        wanted: Option<PowerSaving>,
    ) -> Result<(), AtError> {
        crate::standard::set_power_saving(at, wanted).await
    }
    /// What the network granted.
    async fn power_saving(at: &At<'_, Self>) -> Result<Option<PowerSaving>, AtError>;
    /// Asks for extended discontinuous reception, or for none.
    async fn set_edrx(
        at: &At<'_, Self>,
        technology: Technology,
        wanted: Option<Edrx>,
    ) -> Result<(), AtError> {
        crate::standard::set_edrx(at, technology, wanted).await
    }
    /// What the network granted.
    async fn edrx(at: &At<'_, Self>) -> Result<Option<Edrx>, AtError> {
        crate::standard::edrx(at).await
    }
}

/// What follows the last data of a connection, see [`RadioRelease::last_data`](crate::RadioRelease::last_data).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum LastData {
    /// Nothing: a publish with QoS 0.
    NoAnswer,
    /// One answer of the peer's: a publish with QoS 1, a request. TCP's own acknowledgement is none.
    OneAnswer,
}

/// A modem that can tell the network that what is sent next is the last, see
/// [`RadioRelease`](crate::RadioRelease).
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot tell the network that data is the last",
    label = "no release assistance with this backend",
    note = "of the modems here only the nRF91 can, whose backend is chosen as `Nrf9160<ReleaseAssistance<AnyFirmware>>`"
)]
pub trait ReleasesRadio: Backend {
    /// The next send on the connection with this id that leaves nothing waiting is the last. As it is a hint, a backend
    /// may as well do nothing.
    fn mark_last(&mut self, _id: u8, _expected: LastData) {}
    /// How many connections were opened in this place among the driver's sockets, wrapping: by it an earlier one of the
    /// same id is told from the one that stands. The place is [`Open::context`](crate::modem::Open::context).
    fn opens_in(&self, _place: u8) -> u16 {
        0
    }
}

/// A modem that can be let sleep while its connections stand.
pub trait Sleeps: Backend {}
