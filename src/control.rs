//! What an application asks of the modem besides sockets.

use crate::capabilities::{Capabilities, Verification};
use crate::clock::DateTime;
use crate::engine::{At, Counters, Engine};
use crate::error::{AtError, BringUpError};
use crate::modem::Modem;

/// Control of one modem. Cheap to copy; never touches the UART itself.
///
/// Every method waits until the modem is up, or reports why it does not come up.
pub struct Control<'a, M> {
    pub(crate) engine: Engine<'a>,
    pub(crate) modem: &'a M,
}

impl<M> Clone for Control<'_, M> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<M> Copy for Control<'_, M> {}

impl<'a, M: Modem> Control<'a, M> {
    /// Waits until the modem is registered and has a data connection, or until an attempt that ended
    /// after this call has failed. The runner goes on trying either way.
    pub async fn wait_up(&self) -> Result<(), BringUpError> {
        self.engine.up().await.map(|_| ())
    }

    /// Reads the modem's clock; `None` when it has no time at all.
    pub async fn clock(&self) -> Result<Option<DateTime>, AtError> {
        self.modem.clock(self.at().await?).await
    }

    /// Sets the modem's clock, for instance from the MCU's own.
    pub async fn set_clock(&self, now: DateTime) -> Result<(), AtError> {
        self.modem.set_clock(self.at().await?, now).await
    }

    /// Exchanges and bytes so far.
    pub fn counters(&self) -> Counters {
        self.engine.core.counters.get()
    }

    /// What is checked of a server, as far as this firmware is known.
    pub fn verification(&self) -> Verification {
        self.modem.verification()
    }

    /// What this modem has and can, as far as its firmware is known. Complete once it has come up;
    /// a key that it then refuses on a connect counts as absent from then on.
    pub fn capabilities(&self) -> Capabilities {
        self.modem.capabilities()
    }

    /// The backend, for what only this modem can do.
    pub fn modem(&self) -> &'a M {
        self.modem
    }

    /// A handle for commands of one's own: anything that implements atat's
    /// [`AtatCmd`](crate::at::AtatCmd). A command that changes the echo, the URC port or an open
    /// socket behind the driver's back breaks the driver.
    pub async fn at(&self) -> Result<At<'a>, AtError> {
        self.engine.up().await.map_err(|_| AtError::LinkDown)
    }
}
