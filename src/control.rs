//! What an application asks of the modem besides sockets.

use embassy_time::{Duration, Instant};

use crate::capabilities::{Capabilities, Verification};
use crate::clock::DateTime;
use crate::engine::{At, Core, Counters, Engine, Rest};
use crate::error::{AtError, BringUpError};
use crate::modem::Modem;
use crate::power_saving::{Edrx, PowerSaving};
use crate::raw::{self, RawError};
use crate::status::{SimCard, Status, Technology};

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
        let mut status = Status::new(self.capabilities(), core.counters.get());
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
        status.capabilities = self.capabilities();
        status.counters = core.counters.get();
        status
    }

    /// Switches the modem off in order, and leaves it off until [`power_on`](Self::power_on).
    ///
    /// Every socket is reset. The modem takes leave of the network first, up to a minute, during which
    /// nothing is sent to it. Whatever is asked of the driver meanwhile and afterwards fails with
    /// [`BringUpError::PoweredOff`]: a task that reconnects by itself does not switch it on again.
    ///
    /// With a modem that is off already, by an earlier call, this is an error too.
    ///
    /// Dropped before the modem has agreed, it is undone; afterwards only the word that it is off is
    /// not waited for.
    pub async fn power_off(&self) -> Result<Shutdown, BringUpError> {
        let core = self.engine.core;
        let (at, _) = self.engine.answering().await?;
        #[cfg(feature = "sleep")]
        at.wake().await;
        // First, so that the runner starts nothing more.
        core.set_rest(Rest::Off);
        let undo = Undo(core);
        let told = self.modem.power_off(at).await;
        told.map_err(|error| BringUpError::At {
            command: "power off",
            error,
        })?;
        core::mem::forget(undo);
        // From here on every handle is stale, so that nobody sends anything.
        core.restarted.set(false);
        core.link_down(self.engine.table);
        let limit = Instant::now() + M::POWER_OFF_LIMIT;
        let mut gone = || core.restarted.get();
        let confirmed = core.changed.until_or(limit, &mut gone).await;
        core.restarted.set(false);
        Ok(if confirmed {
            Shutdown::Confirmed
        } else {
            Shutdown::Assumed
        })
    }

    /// Ends what [`power_off`](Self::power_off) began: the runner brings the modem up again, with the
    /// power key if that is wired. Returns at once; [`wait_up`](Self::wait_up) waits.
    pub fn power_on(&self) {
        let core = self.engine.core;
        if core.rest.get() == Rest::Off {
            core.restarted.set(false);
            core.set_rest(Rest::No);
        }
    }

    /// Whether the runner leaves the modem alone: it is in power saving mode or sleeps, and will be
    /// woken by the next use, or it was switched off.
    ///
    /// An application that reconnects as soon as it loses its socket asks this first: a modem in power
    /// saving mode has lost it too, and reconnecting wakes it.
    pub fn is_asleep(&self) -> bool {
        self.engine.core.rest.get() != Rest::No
    }

    /// Lets the modem sleep until the next use: a command, a write, or a notice of the modem, which
    /// wakes up by itself for that. Sockets stay; they are not asked for data while it sleeps, so that
    /// a notice which gets lost is made good for only after the next use.
    ///
    /// Needs the pin of [`Pins::with_dtr`](crate::Pins::with_dtr), or on modems that are woken by their
    /// power key that one; without it, [`AtError::Unsupported`]. Such a modem says nothing at all while it
    /// sleeps: where it has a pin that pulses when something waits, the application calls
    /// [`wake`](Self::wake) on it.
    #[cfg(feature = "sleep")]
    pub async fn sleep(&self) -> Result<(), AtError> {
        let at = self.at().await?;
        if !self.engine.core.has_sleep.get() {
            return Err(AtError::Unsupported);
        }
        let core = self.engine.core;
        let _dozing_off = DozingOff::new(core);
        core.work
            .until(|| (!core.at_work.get()).then_some(()))
            .await;
        self.modem.sleep(at).await?;
        if !at.is_stale() {
            core.set_rest(Rest::Dozing);
        }
        Ok(())
    }

    /// Ends what [`sleep`](Self::sleep) began, and has every socket asked for data: for an application that
    /// was told by a pin that something waits. Does nothing with a modem that is awake.
    #[cfg(feature = "sleep")]
    pub async fn wake(&self) -> Result<(), AtError> {
        self.at().await?.wake().await;
        Ok(())
    }

    /// Asks the network for power saving mode, or with `None` gives it up. It decides: see
    /// [`power_saving`](Self::power_saving). The modem remembers it; asking again for the same costs a
    /// write of its flash.
    pub async fn set_power_saving(&self, wanted: Option<PowerSaving>) -> Result<(), AtError> {
        self.modem.set_power_saving(self.at().await?, wanted).await
    }

    /// The times that the network granted; `None` when it granted nothing.
    pub async fn power_saving(&self) -> Result<Option<PowerSaving>, AtError> {
        self.modem.power_saving(self.at().await?).await
    }

    /// Asks the network for extended discontinuous reception with this technology, or with `None` gives
    /// it up. It decides: see [`edrx`](Self::edrx).
    pub async fn set_edrx(
        &self,
        technology: Technology,
        wanted: Option<Edrx>,
    ) -> Result<(), AtError> {
        let at = self.at().await?;
        self.modem.set_edrx(at, technology, wanted).await
    }

    /// The cycle that the network granted; `None` when it granted nothing.
    pub async fn edrx(&self) -> Result<Option<Edrx>, AtError> {
        self.modem.edrx(self.at().await?).await
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

    /// What this modem has and can, as far as its firmware is known. Complete once it has come up;
    /// a key that it then refuses on a connect counts as absent from then on.
    pub fn capabilities(&self) -> Capabilities {
        self.modem.capabilities()
    }

    /// The backend, for what only this modem can do and tell.
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

/// How far it is certain that the modem is off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Shutdown {
    /// It said nothing within its limit, as some firmware never does: it is off, or hangs. Its supply
    /// may be cut.
    Assumed,
    /// It said so. Its supply may be cut a second later.
    Confirmed,
}

/// While it lasts, the supervisor begins nothing.
#[cfg(feature = "sleep")]
struct DozingOff<'a>(&'a Core);

#[cfg(feature = "sleep")]
impl<'a> DozingOff<'a> {
    fn new(core: &'a Core) -> Self {
        core.dozing_off.set(true);
        Self(core)
    }
}

#[cfg(feature = "sleep")]
impl Drop for DozingOff<'_> {
    fn drop(&mut self) {
        self.0.dozing_off.set(false);
        self.0.work.wake();
    }
}

/// A modem that did not agree is not switched off.
struct Undo<'a>(&'a Core);

impl Drop for Undo<'_> {
    fn drop(&mut self) {
        self.0.set_rest(Rest::No);
    }
}
