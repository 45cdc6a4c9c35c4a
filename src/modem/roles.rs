//! The optional roles of modems beyond sockets, one trait each. The use of a role that a modem lacks does not compile.

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
    /// Reads the clock in UTC; `None` where it shows no date.
    async fn clock(at: &At<'_, Self>) -> Result<Option<DateTime>, AtError>;
    /// Sets the clock, in UTC.
    async fn set_clock(at: &At<'_, Self>, now: DateTime) -> Result<(), AtError>;
}

/// A modem that reports its identity, its network, and the reasons of refusals.
#[allow(async_fn_in_trait)]
pub trait Reports: Backend {
    /// Fills in `status`. Fields that the modem does not report are left as they are.
    async fn status(at: &At<'_, Self>, status: &mut Status);
    /// Asks the modem for a better reason of the refusal of `command`, where it keeps one. The default returns `code`.
    async fn explain(_at: &At<'_, Self>, _command: &str, code: Code) -> Code {
        code
    }
}

/// A modem with a SIM.
#[allow(async_fn_in_trait)]
pub trait Cellular: Reports {
    /// Reads the numbers of the SIM.
    async fn sim(at: &At<'_, Self>) -> Result<SimCard, AtError>;
}

/// A cellular modem whose power saving can be set.
#[allow(async_fn_in_trait)]
pub trait SavesPower: Cellular + Modem {
    /// Asks the network for power saving mode with these times; `None` asks for none.
    async fn set_power_saving(
        at: &At<'_, Self>,
        wanted: Option<PowerSaving>,
    ) -> Result<(), AtError> {
        crate::standard::set_power_saving(at, wanted).await
    }
    /// Reads the power saving times that the network has granted; `None` where it has granted none.
    async fn power_saving(at: &At<'_, Self>) -> Result<Option<PowerSaving>, AtError>;
    /// Asks the network for extended discontinuous reception; `None` asks for none.
    async fn set_edrx(
        at: &At<'_, Self>,
        technology: Technology,
        wanted: Option<Edrx>,
    ) -> Result<(), AtError> {
        crate::standard::set_edrx(at, technology, wanted).await
    }
    /// Reads the extended discontinuous reception that the network has granted; `None` where it has granted none.
    async fn edrx(at: &At<'_, Self>) -> Result<Option<Edrx>, AtError> {
        crate::standard::edrx(at).await
    }
}

/// The traffic that is expected after the last data of a connection, see
/// [`RadioRelease::last_data`](crate::RadioRelease::last_data).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum LastData {
    /// No answer, as for a publish with QoS 0.
    NoAnswer,
    /// One answer of the peer, as for a publish with QoS 1 or a request. TCP's own acknowledgement does not count.
    OneAnswer,
}

/// A modem that can tell the network that the next send is the last, see [`RadioRelease`](crate::RadioRelease).
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot tell the network that data is the last",
    label = "no release assistance with this backend",
    note = "of the modems here only the nRF91 can, whose backend is chosen as `Nrf9160<ReleaseAssistance<AnyFirmware>>`"
)]
pub trait ReleasesRadio: Backend {
    /// Marks the next send on this connection that leaves nothing waiting as the last. It is a hint, so the default does
    /// nothing.
    fn mark_last(&mut self, _id: u8, _expected: LastData) {}
    /// Returns the number of connections that were opened in this slot, wrapping. It tells a connection from an earlier
    /// one with the id. The slot is [`Open::context`](crate::modem::Open::context).
    fn opens_in(&self, _place: u8) -> u16 {
        0
    }
}

/// A modem that has light sleep, in which its connections stand.
pub trait Sleeps: Backend {}
