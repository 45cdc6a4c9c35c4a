//! The handle [`Control`]: all that an application asks of the modem.

use core::cell::RefCell;
use core::future::poll_fn;
use core::task::Poll;

use embassy_time::{Duration, Instant, Timer};

use crate::capabilities::{Capabilities, Verification};
use crate::clock::DateTime;
use crate::engine::raw::RawError;
use crate::engine::time::{Ms, millis};
use crate::engine::{At, Counters, Errand, Link, PowerState, Protocol as _, Shared};
use crate::error::{AtError, BringUpError, ConnectError, SocketError};
use crate::loss::Loss;
#[cfg(feature = "sleep")]
use crate::modem::Sleeps;
use crate::modem::{
    Backend, Cellular, ClockPart, Full, HasClock, LinesPart, Reports, SavesPower, SimPart,
};
use crate::power_saving::{Edrx, PowerSaving};
use crate::socket::{OpenTurn, SecureConnect, Socket, Waiting, poll_claim, post_open};
#[cfg(feature = "sleep")]
use crate::status::LightSleep;
use crate::status::{SimCard, Status, Technology};
use crate::tls::{ServerName, TlsConfig};

/// The time that a connect waits for a socket that is being closed, when no other is free.
const CLOSING_PATIENCE: Duration = Duration::from_secs(15);

/// The handle of one modem: it [connects](Self::connect), keeps credentials, and reads and sets the modem's state. It is
/// cheap to copy, so each task has its own, and never touches the UART itself.
///
/// Methods that need the modem wait until it is up, or until it answers, and report why it does not come up. Methods
/// that only read the driver's state, and [`power_on`](Self::power_on), return at once. Where the last bring-up found a modem
/// that does not answer, `status`, `sim`, `raw_at` and `power_off` fail at once.
///
/// Their futures may be dropped at any time: a command that was sent is completed, and its answer discarded. Whether a
/// setting was made then only a query shows.
pub struct Control<'a, M: Backend> {
    pub(crate) world: &'a Shared<'a>,
    pub(crate) engine: &'a RefCell<M::Engine>,
    /// The caller promises that its commands leave connections and settings alone.
    pub(crate) keeps: bool,
    /// The time to wait for a modem that does not come up; `None` for that of `Timing`.
    pub(crate) patience: Option<Ms>,
}

impl<M: Backend> Clone for Control<'_, M> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<M: Backend> Copy for Control<'_, M> {}

impl<'a, M: Backend> Control<'a, M> {
    /// Connects to `name` at TCP `port`, see [`SecureConnect::connect`].
    ///
    /// Connections are opened one after another, so a connect may wait for an earlier one. It waits for the modem to
    /// come up, and for up to 15 s for a socket that is being closed, where no other is free. The future may be dropped
    /// at any time.
    ///
    /// # Errors
    /// [`ConnectError::BringUp`] where the modem does not come up within its [patience](Self::patience), or at once where
    /// only a change of SIM, configuration or firmware helps; otherwise see [`ConnectError`].
    pub async fn connect(
        &self,
        name: ServerName<'_>,
        port: u16,
        config: &TlsConfig,
    ) -> Result<Socket<'a>, ConnectError> {
        let world = self.world;
        let mut turn = OpenTurn::new(world);
        poll_fn(|cx| turn.poll(cx)).await;
        let waiting = Waiting::begin(world, self.patience);
        poll_fn(|cx| waiting.poll_up(world, cx))
            .await
            .map_err(ConnectError::BringUp)?;
        self.engine.borrow().backend().admit(config)?;
        let limit = Instant::now() + CLOSING_PATIENCE;
        let slot = poll_fn(|cx| poll_claim(world, limit, cx)).await?;
        let mut socket = post_open(world, slot, name.as_str(), port, config)?;
        poll_fn(|cx| socket.poll_opened(&waiting, cx)).await?;
        Ok(socket)
    }

    /// Checks, without connecting, whether [`connect`](Self::connect) would refuse this policy before a byte is sent, as
    /// far as the modem's firmware is known by now.
    ///
    /// # Errors
    /// The refusal of [`connect`](Self::connect).
    pub fn admit(&self, config: &TlsConfig) -> Result<(), ConnectError> {
        self.engine.borrow().backend().admit(config)
    }

    /// Waits until the modem is registered and has a data connection. May be dropped at any time: the runner repeats the
    /// bring-up by itself, also after this has failed.
    ///
    /// # Errors
    /// The error of the last bring-up, once the [patience](Self::patience) is over and no bring-up is under way in which the
    /// modem answers; at once
    /// where only a change of SIM, configuration or firmware helps ([`BringUpError::is_lasting`]). A bring-up that
    /// ended before this call does not count.
    pub async fn wait_up(&self) -> Result<(), BringUpError> {
        let waiting = Waiting::begin(self.world, self.patience);
        poll_fn(|cx| waiting.poll_up(self.world, cx)).await
    }

    /// Waits until the modem takes commands, which needs neither SIM nor network.
    ///
    /// # Errors
    /// Those of [`wait_up`](Self::wait_up).
    pub async fn wait_answering(&self) -> Result<(), BringUpError> {
        let waiting = Waiting::begin(self.world, self.patience);
        poll_fn(|cx| waiting.poll_answering(self.world, cx)).await
    }

    /// Sets the time that this handle waits for a modem that does not come up, in place of
    /// [`Timing::patience`](crate::modem::Timing::patience): `control.patience(Duration::from_secs(5)).wait_up()`. With a
    /// time of 0, the first bring-up that fails is reported.
    pub fn patience(mut self, patience: Duration) -> Self {
        self.patience = Some(millis(patience));
        self
    }

    /// Switches the modem off with its command, and leaves it off until [`power_on`](Self::power_on).
    ///
    /// Every socket is reset. The modem detaches from the network first, which takes up to a minute, during which
    /// nothing is sent to it. Meanwhile and afterwards, requests to the driver fail with [`BringUpError::PoweredOff`], so
    /// that a task that reconnects by itself does not switch the modem on again.
    ///
    /// The call waits until the modem is up or answers, until a request for light sleep and the work under way (a
    /// bring-up or a parked connect too) have ended, for the command, and for the modem's word that it is off: about two
    /// minutes on the slowest modem.
    ///
    /// If the future is dropped before the modem has accepted the command, it is undone: a command that was not sent
    /// is not sent, and a modem that accepts it all the same is brought up again. Dropped later, the modem goes off and
    /// stays off.
    ///
    /// # Errors
    /// The reason why the modem does not answer; [`BringUpError::At`] where it refused, or restarted before the command;
    /// [`BringUpError::PoweredOff`] where an earlier call has switched it off.
    pub async fn power_off(&self) -> Result<Shutdown, BringUpError> {
        self.answering().await?;
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

    /// Ends the effect of [`power_off`](Self::power_off): the runner brings the modem up again, with the power key where
    /// that is wired. Returns at once; [`wait_up`](Self::wait_up) waits for the modem.
    pub fn power_on(&self) {
        let mut world = self.world.borrow_mut();
        if world.power == PowerState::Off {
            world.restarted = false;
            world.power = PowerState::Awake;
            world.wake_runner();
        }
    }

    /// Returns whether the modem is not awake: it is in power saving mode or light sleep, which the next use ends, or it
    /// was switched off.
    ///
    /// An application that reconnects as soon as it loses its socket should check this first: the socket is also lost
    /// when the modem enters power saving mode, and a connect would wake the modem.
    pub fn is_asleep(&self) -> bool {
        self.world.borrow().power != PowerState::Awake
    }

    /// Returns whether the network has denied registration in the bring-up that is under way. The driver goes on waiting,
    /// since that may change; an application may show it to its user.
    pub fn is_denied(&self) -> bool {
        self.world.borrow().denied
    }

    /// Returns the reason of the last loss of a connection, or of the modem with all its connections; `None` before the
    /// first. It is for an application whose MQTT client owns the socket; [`Socket::loss`](crate::Socket::loss) has the
    /// reason of one socket.
    pub fn last_loss(&self) -> Option<Loss> {
        self.world.borrow().loss
    }

    /// Returns the reason why the last bring-up failed; `None` before the first failure. It is the reason behind
    /// [`AtError::LinkDown`], also while the runner already tries again.
    pub fn last_problem(&self) -> Option<BringUpError> {
        let world = self.world.borrow();
        (world.failures > 0).then_some(world.problem)
    }

    /// Returns the counters of the traffic with the modem.
    pub fn counters(&self) -> Counters {
        self.world.borrow().counters
    }

    /// Returns what the modem verifies of a server, as far as its firmware is known.
    pub fn verification(&self) -> Verification {
        self.engine.borrow().backend().verification()
    }

    /// Returns the capabilities of the modem, as far as its firmware is known. They are complete once the modem has come
    /// up; a setting that it refuses on a later connect counts as absent from then on.
    pub fn capabilities(&self) -> Capabilities {
        self.engine.borrow().backend().capabilities()
    }

    /// Calls `look` with the backend, for methods that only this modem has.
    pub fn modem<T>(&self, look: impl FnOnce(&M) -> T) -> T {
        look(self.engine.borrow().backend())
    }

    /// Waits until the modem is up, and returns a handle for commands of the application: any type that implements
    /// atat's [`AtatCmd`](crate::at::AtatCmd).
    ///
    /// As with [`raw_at`](Self::raw_at), the modem is brought up anew after a command that is no query, unless the caller
    /// [promises](Self::keeps_connections) that it leaves connections alone. The handle then fails with
    /// [`AtError::ModemReset`].
    ///
    /// # Errors
    /// [`AtError::LinkDown`] where the modem does not come up.
    pub async fn at(&self) -> Result<At<'a, M>, AtError> {
        self.wait_up().await.map_err(|_| AtError::LinkDown)?;
        Ok(At::new(self.world, self.engine).judged_unless(self.keeps))
    }

    /// Promises that the commands of this handle ([`at`](Self::at), [`raw_at`](Self::raw_at)) leave every connection, and
    /// every setting that the driver makes, as they are, so that no bring-up follows:
    /// `control.keeps_connections().raw_at("AT+QLEDMODE=1", ..)`.
    pub const fn keeps_connections(mut self) -> Self {
        self.keeps = true;
        self
    }

    /// Waits until the modem answers, and returns a handle as [`at`](Self::at) does, for commands that need neither SIM
    /// nor network.
    ///
    /// # Errors
    /// Those of [`wait_up`](Self::wait_up).
    pub async fn answering_at(&self) -> Result<At<'a, M>, BringUpError> {
        self.wait_answering().await?;
        Ok(At::new(self.world, self.engine).judged_unless(self.keeps))
    }

    /// Returns a handle on a modem that answers, and the error of its bring-up where it does not get on the network.
    pub(crate) async fn answering(
        &self,
    ) -> Result<(At<'a, M>, Option<BringUpError>), BringUpError> {
        let known = {
            let world = self.world.borrow();
            (world.link == Link::Failed && world.power == PowerState::Awake)
                .then_some(world.problem)
        };
        // A modem that does not answer at all is not waited for.
        if let Some(error @ (BringUpError::NoAnswer | BringUpError::Unintelligible)) = known {
            return Err(error);
        }
        let waiting = Waiting::begin(self.world, self.patience);
        let problem = poll_fn(|cx| {
            let world = self.world.borrow();
            let fails = world.link == Link::Failed && world.power == PowerState::Awake;
            // If the modem has restarted since, the next bring-up shows whether it answers.
            if fails && world.answers && world.problem.leaves_it_answering() {
                return Poll::Ready(Ok(Some(world.problem)));
            }
            drop(world);
            waiting.poll_up(self.world, cx).map_ok(|()| None)
        })
        .await?;
        Ok((At::new(self.world, self.engine), problem))
    }

    /// Posts an errand to the runner, once an earlier one of another user has ended, and waits for its end. A power-off
    /// that is dropped or fails is undone.
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
            // Light sleep may have begun while another errand ended.
            #[cfg(feature = "sleep")]
            if errand == Errand::PowerOff && !world.poll_awake(cx) {
                return Poll::Pending;
            }
            if !world.answers {
                return Poll::Ready(Err(at(AtError::ModemReset)));
            }
            world.errand = errand;
            world.errand_held = true;
            #[cfg(feature = "sleep")]
            {
                world.automatic_sleep = false;
            }
            if errand == Errand::PowerOff {
                world.power = PowerState::Off;
                world.waiting.wake();
            }
            world.wake_runner();
            Poll::Ready(Ok(()))
        })
        .await?;
        let mut held = ErrandHold {
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

impl<'a, M: Backend> SecureConnect for Control<'a, M> {
    type Error = ConnectError;
    type SocketError = SocketError;
    type Socket<'s>
        = Socket<'a>
    where
        Self: 's;

    async fn connect(
        &self,
        name: ServerName<'_>,
        port: u16,
        config: &TlsConfig,
    ) -> Result<Socket<'a>, ConnectError> {
        Control::connect(self, name, port, config).await
    }
}

impl<'a, M: Full> Control<'a, M> {
    /// Sends a command line that a user typed, without its CR, and hands the lines of the answer to `sink`, each cut to
    /// 256 bytes. `deadline` is the time limit of the command, from the modem's manual; a command that asks the network
    /// may take minutes.
    ///
    /// Queries, and the commands on a short list ([`Modem::HARMLESS`](crate::modem::Modem::HARMLESS)), are sent between
    /// other work. Any other line may change the modem's settings: it takes the channel alone, every socket is reset, and
    /// the modem is brought up anew, unless the caller [promises](Self::keeps_connections) that it leaves connections
    /// alone. Commands whose arguments are secret are masked in the trace.
    ///
    /// It works also on a modem that answers but does not get on the network. It may be dropped at any time: the runner
    /// then waits for the rest of the answer.
    ///
    /// # Errors
    /// [`RawError::Forbidden`], before a byte is sent, for a command whose effect no bring-up undoes
    /// ([`Modem::FORBIDDEN`](crate::modem::Modem::FORBIDDEN)); [`AtError::Garbled`] where the modem prompts or leaves line
    /// mode; otherwise see [`RawError`].
    pub async fn raw_at(
        &self,
        command: &str,
        deadline: Duration,
        sink: &mut dyn FnMut(&[u8]),
    ) -> Result<(), RawError> {
        let keeps = M::Lines::admit(command)? || self.keeps;
        let (at, _) = self.answering().await.map_err(RawError::BringUp)?;
        self.typed(at, keeps, command, deadline, sink).await
    }

    /// Sends a command line as [`raw_at`](Self::raw_at) does, as soon as the modem answers: for commands that need neither
    /// SIM nor network, where nothing is to be gained by waiting for them.
    ///
    /// # Errors
    /// Those of [`raw_at`](Self::raw_at).
    pub async fn answering_raw_at(
        &self,
        command: &str,
        deadline: Duration,
        sink: &mut dyn FnMut(&[u8]),
    ) -> Result<(), RawError> {
        let keeps = M::Lines::admit(command)? || self.keeps;
        self.wait_answering().await.map_err(RawError::BringUp)?;
        let at = At::new(self.world, self.engine);
        self.typed(at, keeps, command, deadline, sink).await
    }

    async fn typed(
        &self,
        at: At<'a, M>,
        keeps: bool,
        command: &str,
        deadline: Duration,
        sink: &mut dyn FnMut(&[u8]),
    ) -> Result<(), RawError> {
        // Dropped in reverse order: the bring-up is asked for before other work may begin.
        let _alone = if keeps {
            None
        } else {
            Some(at.exclusive().await)
        };
        let _bring_up = (!keeps).then(|| BringUpGuard {
            world: self.world,
            exchanges: self.world.borrow().counters.exchanges,
        });
        M::Lines::typed(&at, command, deadline, sink).await
    }
}

impl<M: Reports> Control<'_, M> {
    /// Reads the identity and the state of the modem, see [`Status`]. It takes a dozen exchanges, between which other work
    /// goes on.
    ///
    /// A modem that answers but does not get on the network reports what it knows, and [`Status::problem`] has the
    /// reason. May be dropped at any time.
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
    /// Reads the numbers of the SIM. They identify the subscriber: keep them out of logs. May be dropped at any time.
    ///
    /// # Errors
    /// [`AtError::LinkDown`] where the modem does not answer, otherwise the error that ended the exchange.
    pub async fn sim(&self) -> Result<SimCard, AtError> {
        let (at, _) = self.answering().await.map_err(|_| AtError::LinkDown)?;
        M::sim(&at).await
    }
}

impl<M: Full> Control<'_, M> {
    /// Reads the numbers of the SIM as [`sim`](Self::sim) does; [`AtError::Unsupported`] on a modem without a SIM.
    ///
    /// # Errors
    /// [`AtError::LinkDown`] where the modem does not answer, otherwise the error that ended the exchange.
    pub async fn sim_if_any(&self) -> Result<SimCard, AtError> {
        let (at, _) = self.answering().await.map_err(|_| AtError::LinkDown)?;
        M::Sim::sim(&at).await
    }

    /// Reads the clock as [`clock`](Self::clock) does; [`AtError::Unsupported`] on a modem without a clock.
    ///
    /// # Errors
    /// Those of [`clock`](Self::clock).
    pub async fn clock_if_any(&self) -> Result<Option<DateTime>, AtError> {
        let at = self
            .keeps_connections()
            .answering_at()
            .await
            .map_err(|_| AtError::LinkDown)?;
        M::Clock::clock(&at).await
    }

    /// Sets the clock as [`set_clock`](Self::set_clock) does; [`AtError::Unsupported`] on a modem without a clock.
    ///
    /// # Errors
    /// Those of [`set_clock`](Self::set_clock).
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
    /// Reads the modem's clock in UTC; `None` where it shows no date. It needs neither SIM nor network.
    ///
    /// # Errors
    /// [`AtError::LinkDown`] where the modem does not answer, otherwise the error that ended the exchange.
    pub async fn clock(&self) -> Result<Option<DateTime>, AtError> {
        let at = self
            .keeps_connections()
            .answering_at()
            .await
            .map_err(|_| AtError::LinkDown)?;
        M::clock(&at).await
    }

    /// Sets the modem's clock, in UTC, for instance from the MCU's own. It needs neither SIM nor network.
    ///
    /// `now` is not aged while the call waits for the channel, which a connect holds up to 150 s on modems that connect in one
    /// command: set the clock before the first connect.
    ///
    /// # Errors
    /// [`AtError::LinkDown`] where the modem does not answer, otherwise the error that ended the exchange.
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
    /// Asks the network for power saving mode; `None` asks for none. The network decides: see
    /// [`power_saving`](Self::power_saving). The modem keeps the setting in its flash, which each call writes.
    ///
    /// # Errors
    /// [`AtError::LinkDown`] where the modem is not up, [`AtError::Refused`] with its number where it has no such mode,
    /// otherwise the error that ended the exchange: only a query then shows whether the modem has kept the setting.
    pub async fn set_power_saving(&self, wanted: Option<PowerSaving>) -> Result<(), AtError> {
        M::set_power_saving(&self.keeps_connections().at().await?, wanted).await
    }

    /// Reads the power saving times that the network has granted; `None` where it has granted none.
    ///
    /// # Errors
    /// Those of [`set_power_saving`](Self::set_power_saving).
    pub async fn power_saving(&self) -> Result<Option<PowerSaving>, AtError> {
        M::power_saving(&self.keeps_connections().at().await?).await
    }

    /// Asks the network for extended discontinuous reception (eDRX) with this technology; `None` asks for none. The
    /// network decides: see [`edrx`](Self::edrx).
    ///
    /// # Errors
    /// [`AtError::Unsupported`] for a technology without eDRX, otherwise those of
    /// [`set_power_saving`](Self::set_power_saving).
    pub async fn set_edrx(
        &self,
        technology: Technology,
        wanted: Option<Edrx>,
    ) -> Result<(), AtError> {
        M::set_edrx(&self.keeps_connections().at().await?, technology, wanted).await
    }

    /// Reads the eDRX cycle that the network has granted; `None` where it has granted none.
    ///
    /// # Errors
    /// Those of [`set_power_saving`](Self::set_power_saving).
    pub async fn edrx(&self) -> Result<Option<Edrx>, AtError> {
        M::edrx(&self.keeps_connections().at().await?).await
    }
}

#[cfg(feature = "sleep")]
impl<M: Sleeps> Control<'_, M> {
    /// Lets the modem enter light sleep, until the next use: a command, a write, or a URC, for which the modem wakes up by
    /// itself. Sockets stay open. They are not polled for data while the modem sleeps, so the data of a lost URC is
    /// fetched only after the next use.
    ///
    /// It needs the pin of [`Pins::with_dtr`](crate::Pins::with_dtr), or the power key on modems that are woken by it.
    /// A modem that is woken by its power key sends no URC while it sleeps: where it has a pin that pulses when data
    /// waits, the runner wakes it on that ([`NoticePin`](crate::NoticePin)), or the application calls
    /// [`wake`](Self::wake).
    ///
    /// The call waits until the modem is up, until a request of another user to sleep or switch off has ended, for the
    /// work under way, and for the command. Dropped before the command was sent, it has no effect; dropped later, the
    /// modem may sleep until the next use.
    ///
    /// # Errors
    /// [`AtError::LinkDown`] where the modem is not up, [`AtError::Unsupported`] without the pin, [`AtError::Refused`]
    /// where the modem refuses to sleep, [`AtError::ModemReset`] where it restarted meanwhile.
    pub async fn sleep(&self) -> Result<(), AtError> {
        self.wait_up().await.map_err(|_| AtError::LinkDown)?;
        let wired = {
            let pins = self.world.borrow().pins;
            pins.can_sleep || M::WAKE_BY_KEY && pins.has_power_key
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
    /// Ends light sleep, and has the modem asked for the data of every socket: for an application that learns from a pin
    /// that data waits. It does nothing while the modem is awake.
    ///
    /// It takes a second or two. If the modem does not wake, it is brought up anew, and the call returns without an
    /// error. Several tasks may call it at a time. If the future is dropped, the modem is woken all the same.
    ///
    /// # Errors
    /// [`AtError::LinkDown`] where the modem is not up.
    pub async fn wake(&self) -> Result<(), AtError> {
        self.wait_up().await.map_err(|_| AtError::LinkDown)?;
        poll_fn(|cx| {
            if self.world.borrow_mut().poll_awake(cx) {
                Poll::Ready(())
            } else {
                Poll::Pending
            }
        })
        .await;
        Ok(())
    }
}

/// The evidence that the modem is off, from [`Control::power_off`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Shutdown {
    /// The modem did not confirm it within its time limit, as some firmware never does: it is off, or hangs. Its supply
    /// may be cut.
    Assumed,
    /// The modem confirmed it. Its supply may be cut a second later.
    Confirmed,
}

/// The hold of a user on a posted errand. Dropped, it withdraws an errand that has not begun, and undoes a power-off that
/// the modem has not accepted.
struct ErrandHold<'a> {
    world: &'a Shared<'a>,
    /// The power-off is to be undone.
    undo: bool,
}

impl Drop for ErrandHold<'_> {
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

/// A guard around a user's command. Dropped, it has the modem brought up anew, if a command was begun since.
struct BringUpGuard<'a> {
    world: &'a Shared<'a>,
    /// The number of commands that were begun before.
    exchanges: u32,
}

impl Drop for BringUpGuard<'_> {
    fn drop(&mut self) {
        let mut world = self.world.borrow_mut();
        if world.counters.exchanges != self.exchanges {
            world.settings_changed = true;
            world.wake_runner();
        }
    }
}
