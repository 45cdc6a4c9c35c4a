//! What an application asks of the modem besides sockets.

use core::cell::RefCell;
use core::future::poll_fn;
use core::task::Poll;

use embassy_time::{Duration, Instant, Timer};

use crate::capabilities::{Capabilities, Verification};
use crate::clock::DateTime;
use crate::engine::raw::RawError;
use crate::engine::time::{Ms, millis};
use crate::engine::{At, Counters, Errand, Link, PowerState, Protocol as _, Shared};
use crate::error::{AtError, BringUpError};
use crate::loss::Loss;
#[cfg(feature = "sleep")]
use crate::modem::Sleeps;
use crate::modem::{
    Backend, Cellular, ClockPart, Full, HasClock, LinesPart, Reports, SavesPower, SimPart,
};
use crate::power_saving::{Edrx, PowerSaving};
use crate::socket::Waiting;
#[cfg(feature = "sleep")]
use crate::status::LightSleep;
use crate::status::{SimCard, Status, Technology};

/// Control of one modem. Cheap to copy; never touches the UART itself.
///
/// What needs the modem waits until it is up, or answers, and reports why it does not come up. What only looks at the driver, and
/// [`power_on`](Self::power_on), returns at once.
pub struct Control<'a, M: Backend> {
    pub(crate) world: &'a Shared<'a>,
    pub(crate) engine: &'a RefCell<M::Engine>,
    /// Commands of the caller's own leave connections alone, as he says.
    pub(crate) keeps: bool,
    /// How long a modem that does not come up is waited for.
    pub(crate) patience: Ms,
}

impl<M: Backend> Clone for Control<'_, M> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<M: Backend> Copy for Control<'_, M> {}

impl<'a, M: Backend> Control<'a, M> {
    /// Waits until the modem is registered and has a data connection. The runner tries again and again by itself,
    /// also after this has failed.
    ///
    /// # Errors
    /// Why the last attempt failed, once the [patience](Self::patience) is over and no attempt is under way; at once
    /// where only a change of SIM, configuration or firmware helps ([`BringUpError::is_lasting`]). An attempt that
    /// ended before this call does not count.
    pub async fn wait_up(&self) -> Result<(), BringUpError> {
        let waiting = Waiting::begin(self.world, self.patience);
        poll_fn(|cx| waiting.poll_up(self.world, cx)).await
    }

    /// Waits until the modem takes commands, which needs neither SIM nor network.
    ///
    /// # Errors
    /// As those of [`wait_up`](Self::wait_up).
    pub async fn wait_answering(&self) -> Result<(), BringUpError> {
        let waiting = Waiting::begin(self.world, self.patience);
        poll_fn(|cx| waiting.poll_answering(self.world, cx)).await
    }

    /// For a caller who waits so long for a modem that does not come up, in place of
    /// [`Timing::patience`](crate::modem::Timing::patience): `control.patience(Duration::from_secs(5)).wait_up()`. With
    /// none at all, the first attempt that fails is told.
    pub fn patience(mut self, patience: Duration) -> Self {
        self.patience = millis(patience);
        self
    }

    /// Switches the modem off in order, and leaves it off until [`power_on`](Self::power_on).
    ///
    /// Every socket is reset. The modem takes leave of the network first, up to a minute, during which
    /// nothing is sent to it. Whatever is asked of the driver meanwhile and afterwards fails with
    /// [`BringUpError::PoweredOff`]: a task that reconnects by itself does not switch it on again.
    ///
    /// With a modem that is off already, by an earlier call, this is an error too.
    ///
    /// Dropped before the modem has agreed, it is undone: what was not sent is not sent, and a modem that agrees all the same is
    /// brought up again. Afterwards only the word that it is off is not waited for. Where somebody lets the modem sleep at the
    /// time, that ends first.
    ///
    /// It takes as long as the modem needs to come up, where it is not, and then the exchange that is under way, the command's own limit, and
    /// the modem's for saying that it is off: about two minutes on the slowest. What waits at a parked connect or
    /// a bring-up is waited for, too.
    ///
    /// # Errors
    /// Why the modem does not answer; [`BringUpError::At`] where it refused, or restarted before it was told.
    pub async fn power_off(&self) -> Result<Shutdown, BringUpError> {
        self.answering().await?;
        #[cfg(feature = "sleep")]
        self.awake().await;
        self.errand(Errand::PowerOff, "power off").await?;
        let limit = Instant::now() + M::POWER_OFF_LIMIT;
        let mut timer = Timer::at(limit);
        poll_fn(|cx| {
            let mut world = self.world.borrow_mut();
            let confirmed = world.restarted;
            if confirmed || limit <= Instant::now() {
                world.restarted = false;
                return Poll::Ready(Ok(if confirmed {
                    Shutdown::Confirmed
                } else {
                    Shutdown::Assumed
                }));
            }
            world.waiting.register(cx);
            drop(world);
            let _ = core::future::Future::poll(core::pin::Pin::new(&mut timer), cx);
            Poll::Pending
        })
        .await
    }

    /// Ends what [`power_off`](Self::power_off) began: the runner brings the modem up again, with the
    /// power key if that is wired. Returns at once; [`wait_up`](Self::wait_up) waits.
    pub fn power_on(&self) {
        let mut world = self.world.borrow_mut();
        if world.power == PowerState::Off {
            world.restarted = false;
            world.power = PowerState::Awake;
            world.wake_runner();
        }
    }

    /// Whether the runner leaves the modem alone: it is in power saving mode or sleeps, and will be
    /// woken by the next use, or it was switched off.
    ///
    /// An application that reconnects as soon as it loses its socket asks this first: a modem in power
    /// saving mode has lost it too, and reconnecting wakes it.
    pub fn is_asleep(&self) -> bool {
        self.world.borrow().power != PowerState::Awake
    }

    /// Whether the network has denied registration to the modem that is being brought up. That may change, so that
    /// it is waited for all the same: an application that shows what it waits for may say it.
    pub fn is_denied(&self) -> bool {
        self.world.borrow().denied
    }

    /// Why a connection was lost last, or the modem with all its connections; `None` before the first time. For an
    /// application whose MQTT client has the socket; it itself tells more exactly: [`Socket::loss`](crate::Socket::loss).
    pub fn last_loss(&self) -> Option<Loss> {
        self.world.borrow().loss
    }

    /// Exchanges and bytes so far.
    pub fn counters(&self) -> Counters {
        self.world.borrow().counters
    }

    /// What is checked of a server, as far as this firmware is known.
    pub fn verification(&self) -> Verification {
        self.engine.borrow().backend().verification()
    }

    /// What this modem has and can, as far as its firmware is known. Complete once it has come up;
    /// a key that it then refuses on a connect counts as absent from then on.
    pub fn capabilities(&self) -> Capabilities {
        self.engine.borrow().backend().capabilities()
    }

    /// The backend, for what only this modem can do and tell.
    pub fn modem<T>(&self, look: impl FnOnce(&M) -> T) -> T {
        look(self.engine.borrow().backend())
    }

    /// A handle for commands of one's own: anything that implements atat's
    /// [`AtatCmd`](crate::at::AtatCmd). As with [`raw_at`](Self::raw_at), the modem is brought up anew after a command
    /// that is no query, and the handle answers [`AtError::ModemReset`] from then on; unless the caller
    /// [vouches for them](Self::keeps_connections).
    pub async fn at(&self) -> Result<At<'a, M>, AtError> {
        self.wait_up().await.map_err(|_| AtError::LinkDown)?;
        let mut at = At::new(self.world, self.engine);
        at.keeps = self.keeps;
        Ok(at)
    }

    /// For commands of one's own ([`at`](Self::at), [`raw_at`](Self::raw_at)) of which the caller knows that they
    /// leave every connection, and every setting that the driver makes, as they are: `control.keeps_connections()
    /// .raw_at("AT+QLEDMODE=1", ..)`. No bring-up follows.
    pub const fn keeps_connections(mut self) -> Self {
        self.keeps = true;
        self
    }

    /// As [`at`](Self::at), on a modem that answers: for commands that need neither SIM nor network.
    ///
    /// # Errors
    /// As those of [`wait_up`](Self::wait_up).
    pub async fn answering_at(&self) -> Result<At<'a, M>, BringUpError> {
        self.wait_answering().await?;
        let mut at = At::new(self.world, self.engine);
        at.keeps = self.keeps;
        Ok(at)
    }

    /// A handle on a modem that answers, though it may not get on the network; why not, is the second part.
    pub(crate) async fn answering(
        &self,
    ) -> Result<(At<'a, M>, Option<BringUpError>), BringUpError> {
        let known = {
            let world = self.world.borrow();
            (world.link == Link::Failed && world.power == PowerState::Awake)
                .then_some(world.problem)
        };
        // Without a supply it is not up a moment later.
        if let Some(error @ (BringUpError::NoAnswer | BringUpError::Unintelligible)) = known {
            return Err(error);
        }
        let waiting = Waiting::begin(self.world, self.patience);
        let problem = poll_fn(|cx| {
            let world = self.world.borrow();
            let fails = world.link == Link::Failed && world.power == PowerState::Awake;
            // Where it has restarted since, the next attempt tells whether it answers.
            if fails && world.answers && world.problem.leaves_it_answering() {
                return Poll::Ready(Ok(Some(world.problem)));
            }
            drop(world);
            waiting.poll_up(self.world, cx).map_ok(|()| None)
        })
        .await?;
        Ok((At::new(self.world, self.engine), problem))
    }

    /// Asks something of the runner, once what somebody else asked has ended, and waits for the end. Dropped, or without
    /// success, it is undone.
    async fn errand(&self, errand: Errand, command: &'static str) -> Result<(), BringUpError> {
        let at = |error| BringUpError::At { command, error };
        poll_fn(|cx| {
            let mut world = self.world.borrow_mut();
            if world.power == PowerState::Off {
                return Poll::Ready(Err(BringUpError::PoweredOff));
            }
            if world.errand_held || world.errand == Errand::Runs {
                world.waiting.register(cx);
                return Poll::Pending;
            }
            if !world.answers {
                return Poll::Ready(Err(at(AtError::ModemReset)));
            }
            world.errand = errand;
            world.errand_held = true;
            #[cfg(feature = "sleep")]
            {
                world.unasked = false;
            }
            if errand == Errand::PowerOff {
                world.power = PowerState::Off;
                world.waiting.wake();
            }
            world.wake_runner();
            Poll::Ready(Ok(()))
        })
        .await?;
        let mut held = Held {
            world: self.world,
            undo: errand == Errand::PowerOff,
        };
        let end = poll_fn(|cx| {
            let mut world = self.world.borrow_mut();
            if let Errand::Done(end) = world.errand {
                return Poll::Ready(end);
            }
            world.waiting.register(cx);
            Poll::Pending
        })
        .await;
        held.undo &= end.is_err();
        end.map_err(at)
    }
}

impl<M: Full> Control<'_, M> {
    /// Sends a command line that somebody typed, without its CR, and hands the lines of the answer to
    /// `sink`, each at most 256 bytes. `deadline` is the command's, from the modem's manual; a command
    /// that asks the network may take minutes.
    ///
    /// A query, and what is on a short list ([`Modem::HARMLESS`](crate::modem::Modem::HARMLESS)), goes between other work. After any other line
    /// nobody knows what the modem is set to: it takes the channel alone, every socket is reset, and the modem is
    /// brought up anew, unless the caller [vouches for it](Self::keeps_connections). What no bring-up mends is
    /// refused before a byte is sent, with what to use instead: see [`Modem::FORBIDDEN`](crate::modem::Modem::FORBIDDEN). Should the modem prompt
    /// or leave line mode, this fails with [`AtError::Garbled`]. Commands whose arguments are secret are masked
    /// in the trace.
    ///
    /// Works also with a modem that answers and does not get on the network. May be dropped at any
    /// time: the runner then waits for the rest of the answer.
    pub async fn raw_at(
        &self,
        command: &str,
        deadline: Duration,
        sink: &mut dyn FnMut(&[u8]),
    ) -> Result<(), RawError> {
        let keeps = M::Lines::admit(command)? || self.keeps;
        let (at, _) = self.answering().await.map_err(RawError::BringUp)?;
        // In this order: the modem is to be brought up anew before anything else begins.
        let _alone = if keeps {
            None
        } else {
            Some(at.exclusive().await)
        };
        let _anew = (!keeps).then(|| Anew(self.world));
        M::Lines::typed(&at, command, deadline, sink).await
    }
}

impl<M: Reports> Control<'_, M> {
    /// Who the modem is and how it fares: see [`Status`]. Takes a dozen exchanges, during which other
    /// work goes on between them.
    ///
    /// A modem that answers but does not get on the network tells as much as it knows, with the
    /// reason in [`Status::problem`]. May be dropped at any time.
    pub async fn status(&self) -> Status {
        let mut status = Status::new(self.capabilities(), self.counters());
        match self.answering().await {
            Ok((at, problem)) => {
                status.problem = problem;
                M::status(&at, &mut status).await;
            }
            Err(problem) => status.problem = Some(problem),
        }
        let world = self.world.borrow();
        let open = world.slots.iter().filter(|slot| !slot.is_free()).count();
        status.sockets_open = open as u8;
        status.sockets_limit = world.slots.len() as u8;
        status.counters = world.counters;
        #[cfg(feature = "sleep")]
        {
            status.light_sleep = LightSleep::of(world.liveness);
        }
        drop(world);
        status.capabilities = self.capabilities();
        status
    }
}

impl<M: Cellular> Control<'_, M> {
    /// The numbers of the SIM. They name the subscriber: keep them out of logs.
    ///
    /// May be dropped at any time.
    pub async fn sim(&self) -> Result<SimCard, AtError> {
        let (at, _) = self.answering().await.map_err(|_| AtError::LinkDown)?;
        M::sim(&at).await
    }
}

impl<M: Full> Control<'_, M> {
    /// As [`sim`](Self::sim), for a modem that may have none: [`AtError::Unsupported`] then.
    pub async fn sim_if_any(&self) -> Result<SimCard, AtError> {
        let (at, _) = self.answering().await.map_err(|_| AtError::LinkDown)?;
        M::Sim::sim(&at).await
    }

    /// As [`clock`](Self::clock), for a modem that may have none: [`AtError::Unsupported`] then.
    pub async fn clock_if_any(&self) -> Result<Option<DateTime>, AtError> {
        let at = self
            .keeps_connections()
            .answering_at()
            .await
            .map_err(|_| AtError::LinkDown)?;
        M::Clock::clock(&at).await
    }

    /// As [`set_clock`](Self::set_clock), for a modem that may have none: [`AtError::Unsupported`] then.
    pub async fn set_clock_if_any(&self, now: DateTime) -> Result<(), AtError> {
        let at = self
            .keeps_connections()
            .answering_at()
            .await
            .map_err(|_| AtError::LinkDown)?;
        M::Clock::set_clock(&at, now).await
    }
}

impl<M: HasClock> Control<'_, M> {
    /// Reads the modem's clock; `None` when it has no time at all.
    ///
    /// Needs a modem that answers; neither SIM nor network.
    pub async fn clock(&self) -> Result<Option<DateTime>, AtError> {
        let at = self
            .keeps_connections()
            .answering_at()
            .await
            .map_err(|_| AtError::LinkDown)?;
        M::clock(&at).await
    }

    /// Sets the modem's clock, for instance from the MCU's own.
    ///
    /// Needs a modem that answers; neither SIM nor network.
    pub async fn set_clock(&self, now: DateTime) -> Result<(), AtError> {
        let at = self
            .keeps_connections()
            .answering_at()
            .await
            .map_err(|_| AtError::LinkDown)?;
        M::set_clock(&at, now).await
    }
}

impl<M: SavesPower> Control<'_, M> {
    /// Asks the network for power saving mode, or with `None` gives it up. It decides: see
    /// [`power_saving`](Self::power_saving). The modem remembers it; asking again for the same costs a
    /// write of its flash.
    ///
    /// # Errors
    /// [`AtError::LinkDown`] where the modem is not up, [`AtError::Refused`] with its number where it knows no such mode, otherwise how the
    /// exchange ended: whether the modem has remembered it, then only asking tells.
    pub async fn set_power_saving(&self, wanted: Option<PowerSaving>) -> Result<(), AtError> {
        M::set_power_saving(&self.keeps_connections().at().await?, wanted).await
    }

    /// The times that the network granted; `None` when it granted nothing.
    pub async fn power_saving(&self) -> Result<Option<PowerSaving>, AtError> {
        M::power_saving(&self.keeps_connections().at().await?).await
    }

    /// Asks the network for extended discontinuous reception with this technology, or with `None` gives
    /// it up. It decides: see [`edrx`](Self::edrx).
    ///
    /// # Errors
    /// [`AtError::Unsupported`] for a technology that has none; the others as of
    /// [`set_power_saving`](Self::set_power_saving).
    pub async fn set_edrx(
        &self,
        technology: Technology,
        wanted: Option<Edrx>,
    ) -> Result<(), AtError> {
        M::set_edrx(&self.keeps_connections().at().await?, technology, wanted).await
    }

    /// The cycle that the network granted; `None` when it granted nothing.
    pub async fn edrx(&self) -> Result<Option<Edrx>, AtError> {
        M::edrx(&self.keeps_connections().at().await?).await
    }
}

#[cfg(feature = "sleep")]
impl<M: Sleeps> Control<'_, M> {
    /// Lets the modem sleep until the next use: a command, a write, or a notice of the modem, which
    /// wakes up by itself for that. Sockets stay; they are not asked for data while it sleeps, so that
    /// a notice which gets lost is made good for only after the next use.
    ///
    /// Needs the pin of [`Pins::with_dtr`](crate::Pins::with_dtr), or on modems that are woken by their
    /// power key that one; without it, [`AtError::Unsupported`]. Such a modem says nothing at all while it
    /// sleeps: where it has a pin that pulses when something waits, the runner wakes it on that
    /// ([`NoticePin`](crate::NoticePin)), or the application calls [`wake`](Self::wake).
    ///
    /// Dropped before the modem was told, it is not begun; otherwise the modem may sleep until the next use. Where somebody else lets it
    /// sleep or switches it off at the time, that ends first. It takes no longer than what is under way and the command's own limit,
    /// after the modem has come up.
    ///
    /// # Errors
    /// [`AtError::LinkDown`] where the modem is not up, [`AtError::Refused`] where it does not want to sleep,
    /// [`AtError::ModemReset`] where it restarted meanwhile.
    pub async fn sleep(&self) -> Result<(), AtError> {
        self.wait_up().await.map_err(|_| AtError::LinkDown)?;
        let wired = {
            let pins = self.world.borrow().pins;
            if M::WAKE_BY_KEY {
                pins.has_power_key
            } else {
                pins.can_sleep
            }
        };
        if !wired {
            return Err(AtError::Unsupported);
        }
        match self.errand(Errand::Sleep, "sleep").await {
            Err(BringUpError::At { error, .. }) => Err(error),
            end => end.map_err(|_| AtError::LinkDown),
        }
    }
}

#[cfg(feature = "sleep")]
impl<M: Backend> Control<'_, M> {
    /// Ends what [`sleep`](Self::sleep) began, and has every socket asked for data: for an application that
    /// was told by a pin that something waits. Does nothing with a modem that is awake.
    ///
    /// It takes a second or two, or until the modem is brought up anew where it does not wake, which is no error. Several may
    /// call it at a time; dropped, it goes on all the same.
    ///
    /// # Errors
    /// [`AtError::LinkDown`] where the modem is not up.
    pub async fn wake(&self) -> Result<(), AtError> {
        self.wait_up().await.map_err(|_| AtError::LinkDown)?;
        self.awake().await;
        Ok(())
    }

    async fn awake(&self) {
        poll_fn(|cx| {
            let mut world = self.world.borrow_mut();
            match world.power {
                PowerState::Dozing => {
                    world.suspect = true;
                    world.wake_runner();
                }
                PowerState::Waking => {}
                _ => return Poll::Ready(()),
            }
            world.waiting.register(cx);
            Poll::Pending
        })
        .await;
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

/// What was asked of the runner is somebody's, who waits for the end. Nobody waits any more: it is not begun, and a
/// modem that did not agree is not switched off.
struct Held<'a> {
    world: &'a Shared<'a>,
    /// The modem is not to stay off.
    undo: bool,
}

impl Drop for Held<'_> {
    fn drop(&mut self) {
        let mut world = self.world.borrow_mut();
        world.errand_held = false;
        if world.errand != Errand::Runs {
            world.errand = Errand::None;
        }
        if self.undo {
            world.power = PowerState::Awake;
        }
        world.waiting.wake();
        world.wake_runner();
    }
}

/// After what a user has sent, the modem is brought up anew.
struct Anew<'a>(&'a Shared<'a>);

impl Drop for Anew<'_> {
    fn drop(&mut self) {
        let mut world = self.0.borrow_mut();
        world.anew = true;
        world.wake_runner();
    }
}
