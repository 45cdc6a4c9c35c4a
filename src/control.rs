//! What an application asks of the modem besides sockets.

use embassy_time::Duration;

use crate::capabilities::Verification;
use crate::clock::DateTime;
use crate::engine::{At, Counters, Engine};
use crate::error::{AtError, BringUpError};
use crate::modem::Modem;
use crate::raw::{self, RawError};
use crate::status::{SimCard, Status};

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

    /// Who the modem is and how it fares: see [`Status`]. Takes a dozen exchanges, during which other
    /// work goes on between them.
    ///
    /// A modem that answers but does not get on the network tells as much as it knows, with the
    /// reason in [`Status::problem`]. May be dropped at any time.
    pub async fn status(&self) -> Status {
        let core = self.engine.core;
        let mut status = Status::new(self.verification(), core.counters.get());
        match self.engine.answering().await {
            Ok((at, problem)) => {
                status.problem = problem;
                self.modem.status(at, &mut status).await;
            }
            Err(problem) => status.problem = Some(problem),
        }
        let slots = self.engine.table.slots();
        let open = slots.iter().filter(|slot| !slot.is_free()).count();
        status.sockets_open = open as u8;
        status.sockets_limit = slots.len() as u8;
        status.verification = self.verification();
        status.counters = core.counters.get();
        status
    }

    /// The numbers of the SIM. They name the subscriber: keep them out of logs.
    ///
    /// May be dropped at any time.
    pub async fn sim(&self) -> Result<SimCard, AtError> {
        let (at, _) = self
            .engine
            .answering()
            .await
            .map_err(|_| AtError::LinkDown)?;
        self.modem.sim(at).await
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

    /// The backend, for what only this modem can do.
    pub fn modem(&self) -> &'a M {
        self.modem
    }

    /// Sends a command line that somebody typed, without its CR, and hands the lines of the answer to
    /// `sink`, each at most 256 bytes. `deadline` is the command's, from the modem's manual; a command
    /// that asks the network may take minutes.
    ///
    /// What would break the driver is refused before a byte is sent, with what to use instead: see
    /// [`Modem::FORBIDDEN`]. Should the modem prompt or leave line mode all the same, this fails with
    /// [`AtError::Garbled`] and the modem is brought up anew. Commands whose arguments are secret are
    /// masked in the trace.
    ///
    /// Works also with a modem that answers and does not get on the network. May be dropped at any
    /// time: the runner then waits for the rest of the answer.
    pub async fn raw_at(
        &self,
        command: &str,
        deadline: Duration,
        sink: &mut dyn FnMut(&[u8]),
    ) -> Result<(), RawError> {
        raw::check(command, M::FORBIDDEN)?;
        let (at, _) = self
            .engine
            .answering()
            .await
            .map_err(|_| RawError::At(AtError::LinkDown))?;
        match at.raw(command, deadline, sink).await {
            Err(AtError::Refused(code)) => {
                let code = self.modem.explain(at, command, code).await;
                Err(RawError::At(AtError::Refused(code)))
            }
            result => result.map_err(RawError::At),
        }
    }

    /// A handle for commands of one's own: anything that implements atat's
    /// [`AtatCmd`](crate::at::AtatCmd). A command that changes the echo, the URC port or an open
    /// socket behind the driver's back breaks the driver.
    pub async fn at(&self) -> Result<At<'a>, AtError> {
        self.engine.up().await.map_err(|_| AtError::LinkDown)
    }
}
