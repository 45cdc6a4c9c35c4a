//! A modem whose optional roles are found out at run time, for tools and tests that work with every modem.

use embassy_time::Duration;

use super::roles::{Cellular, HasClock, Reports};
use crate::clock::DateTime;
use crate::credentials::Credentials;
use crate::engine::At;
use crate::engine::Backend;
use crate::engine::backend::Modem;
use crate::engine::raw::{self, RawError};
use crate::error::AtError;
use crate::status::SimCard;

/// A modem that stores credentials and reports its status, and may have a clock, a SIM or AT command lines.
///
/// Firmware names the roles that it needs, so that a role which the modem lacks does not compile. A tool for all modems
/// asks at run time through this trait.
pub trait Full: Credentials + Reports {
    /// [`There`] where the modem [has a clock](HasClock), otherwise [`NotThere`].
    type Clock: ClockPart<Self>;
    /// [`There`] where the modem [has a SIM](Cellular), otherwise [`NotThere`].
    type Sim: SimPart<Self>;
    /// [`There`] where the modem takes AT command lines, otherwise [`NotThere`].
    type Lines: LinesPart<Self>;
}

/// The type that stands for a role which the modem has.
pub struct There;

/// The type that stands for a role which the modem does not have.
pub struct NotThere;

/// The optional role of a clock.
#[allow(async_fn_in_trait)]
pub trait ClockPart<M: Backend> {
    /// Whether the modem has a clock.
    const THERE: bool;
    /// Reads the clock in UTC; `None` where it shows no date.
    ///
    /// # Errors
    /// [`AtError::Unsupported`] where the modem has no clock, otherwise the error that ended the exchange.
    async fn clock(at: &At<'_, M>) -> Result<Option<DateTime>, AtError>;
    /// Sets the clock, in UTC.
    ///
    /// # Errors
    /// [`AtError::Unsupported`] where the modem has no clock, otherwise the error that ended the exchange.
    async fn set_clock(at: &At<'_, M>, now: DateTime) -> Result<(), AtError>;
}

impl<M: HasClock> ClockPart<M> for There {
    const THERE: bool = true;

    async fn clock(at: &At<'_, M>) -> Result<Option<DateTime>, AtError> {
        M::clock(at).await
    }

    async fn set_clock(at: &At<'_, M>, now: DateTime) -> Result<(), AtError> {
        M::set_clock(at, now).await
    }
}

impl<M: Backend> ClockPart<M> for NotThere {
    const THERE: bool = false;

    async fn clock(_: &At<'_, M>) -> Result<Option<DateTime>, AtError> {
        Err(AtError::Unsupported)
    }

    async fn set_clock(_: &At<'_, M>, _: DateTime) -> Result<(), AtError> {
        Err(AtError::Unsupported)
    }
}

/// The optional role of AT command lines that users type.
#[allow(async_fn_in_trait)]
pub trait LinesPart<M: Backend> {
    /// Whether the modem takes AT command lines.
    const THERE: bool;
    /// Checks a line. Returns whether it leaves connections as they are.
    ///
    /// # Errors
    /// [`RawError::Forbidden`] with what to use instead, or the reason why it is no command line;
    /// [`AtError::Unsupported`] where the modem takes no lines.
    fn admit(line: &str) -> Result<bool, RawError>;
    /// Returns whether the arguments of a line, or its answer, are secret, such as a PIN. A program that prints the line
    /// masks them.
    fn is_secret(line: &str) -> bool;
    /// Sends a line that [`admit`](Self::admit) has accepted, and hands the lines of the answer to `sink`.
    ///
    /// # Errors
    /// [`AtError::Unsupported`] where the modem takes no lines, otherwise the error that ended the exchange.
    async fn typed(
        at: &At<'_, M>,
        line: &str,
        timeout: Duration,
        sink: &mut dyn FnMut(&[u8]),
    ) -> Result<(), RawError>;
}

impl<M: Modem + Reports> LinesPart<M> for There {
    const THERE: bool = true;

    fn admit(line: &str) -> Result<bool, RawError> {
        raw::judge(line, M::FORBIDDEN, M::HARMLESS)
    }

    fn is_secret(line: &str) -> bool {
        crate::engine::is_secret(line.as_bytes(), M::SECRET)
    }

    async fn typed(
        at: &At<'_, M>,
        line: &str,
        timeout: Duration,
        sink: &mut dyn FnMut(&[u8]),
    ) -> Result<(), RawError> {
        match at.raw(line, timeout, sink).await {
            Err(AtError::Refused(code)) => {
                let code = M::explain(at, line, code).await;
                Err(RawError::At(AtError::Refused(code)))
            }
            result => result.map_err(RawError::At),
        }
    }
}

impl<M: Backend> LinesPart<M> for NotThere {
    const THERE: bool = false;

    fn admit(_: &str) -> Result<bool, RawError> {
        Err(RawError::At(AtError::Unsupported))
    }

    fn is_secret(_: &str) -> bool {
        false
    }

    async fn typed(
        _: &At<'_, M>,
        _: &str,
        _: Duration,
        _: &mut dyn FnMut(&[u8]),
    ) -> Result<(), RawError> {
        Err(RawError::At(AtError::Unsupported))
    }
}

/// The optional role of a SIM.
#[allow(async_fn_in_trait)]
pub trait SimPart<M: Backend> {
    /// Whether the modem has a SIM.
    const THERE: bool;
    /// Reads the numbers of the SIM.
    ///
    /// # Errors
    /// [`AtError::Unsupported`] where the modem has no SIM, otherwise the error that ended the exchange.
    async fn sim(at: &At<'_, M>) -> Result<SimCard, AtError>;
}

impl<M: Cellular> SimPart<M> for There {
    const THERE: bool = true;

    async fn sim(at: &At<'_, M>) -> Result<SimCard, AtError> {
        M::sim(at).await
    }
}

impl<M: Backend> SimPart<M> for NotThere {
    const THERE: bool = false;

    async fn sim(_: &At<'_, M>) -> Result<SimCard, AtError> {
        Err(AtError::Unsupported)
    }
}
