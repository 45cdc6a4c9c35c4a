//! A modem with whatever roles it has: for tools and tests that are to work with any.

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

/// A modem that keeps credentials and tells of itself, and may have a clock or a SIM.
///
/// Firmware names the roles that it needs, so that what a modem cannot do does not build. A tool for all
/// modems asks at run time.
pub trait Full: Credentials + Reports {
    /// [`There`] where it [has a clock](HasClock), otherwise [`NotThere`].
    type Clock: ClockPart<Self>;
    /// [`There`] where it [has a SIM](Cellular), otherwise [`NotThere`].
    type Sim: SimPart<Self>;
    /// [`There`] where it takes lines that somebody types, otherwise [`NotThere`].
    type Lines: LinesPart<Self>;
}

/// The modem has this role.
pub struct There;

/// The modem does not have this role.
pub struct NotThere;

/// Whether a modem has a clock.
#[allow(async_fn_in_trait)]
pub trait ClockPart<M: Backend> {
    /// Whether there is one.
    const THERE: bool;
    /// Reads it.
    ///
    /// # Errors
    /// [`AtError::Unsupported`] where there is none.
    async fn clock(at: &At<'_, M>) -> Result<Option<DateTime>, AtError>;
    /// Sets it.
    ///
    /// # Errors
    /// [`AtError::Unsupported`] where there is none.
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

/// Whether a modem takes lines that somebody types.
#[allow(async_fn_in_trait)]
pub trait LinesPart<M: Backend> {
    /// Whether it takes any.
    const THERE: bool;
    /// Refuses what may not be typed, which is everything where there are no lines; says of the rest whether
    /// connections stay as they are.
    ///
    /// # Errors
    /// With what to use instead.
    fn admit(line: &str) -> Result<bool, RawError>;
    /// Whether arguments of a line are secret, or its answer is: such as a PIN. Who prints the line masks them.
    fn is_secret(line: &str) -> bool;
    /// Sends one that was admitted, and hands the lines of the answer to `sink`.
    ///
    /// # Errors
    /// [`AtError::Unsupported`] where there are no lines.
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

/// Whether a modem has a SIM.
#[allow(async_fn_in_trait)]
pub trait SimPart<M: Backend> {
    /// Whether there is one.
    const THERE: bool;
    /// The numbers of the SIM.
    ///
    /// # Errors
    /// [`AtError::Unsupported`] where there is none.
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
