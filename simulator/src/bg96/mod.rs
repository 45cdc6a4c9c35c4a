//! The Quectel BG96, after `modems/bg96/FACTS.md` ("sheet"; the numbers in comments are those of its
//! headings).

mod commands;
mod files;
mod multiplexer;
mod parser;
mod sockets;
mod state;
#[cfg(test)]
mod tests;

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::future::poll_fn;
use std::rc::{Rc, Weak};
use std::task::Poll;

use embassy_futures::join::join3;
use embassy_futures::select::{select, select3};
use embassy_time::{Duration, Instant, Timer};
use time::OffsetDateTime;

use self::parser::Fail;
use self::state::{Pdp, State};
use crate::Failure;
use crate::Reaction;
use crate::clock::EmulatedClock;
use crate::core::Core;
use crate::network::{LocalBoxFuture, Network};
use crate::options::{Boot, LeftOn, Options, Sim};
use crate::simulator::Modem;

/// The longest command line, in bytes; a longer one answers `ERROR`. UNCONFIRMED: no manual gives a
/// number.
const LINE_LIMIT: usize = 1024;

/// The shortest press of the power key that switches the modem on (sheet 1.1 [HW 3.6, 3.7]).
const POWER_ON_PULSE: Duration = Duration::from_millis(500);
/// The shortest press of the power key that switches the modem off (sheet 1.1 [HW 3.6, 3.7]).
const POWER_OFF_PULSE: Duration = Duration::from_millis(650);
/// The shortest and the longest pulse of RESET_N that resets the modem (sheet 1.1 [HW 3.6, 3.7]).
const RESET_PULSE: (Duration, Duration) = (Duration::from_millis(150), Duration::from_millis(460));
/// The time from DTR low to a working UART. UNCONFIRMED: no manual gives a number.
const WAKE_TIME: Duration = Duration::from_millis(50);
/// How long the slow clock waits for traffic on a board that does not wire DTR, before characters are lost. UNCONFIRMED:
/// reports speak of some seconds (sheet 1.8).
pub const SLEEPS_AFTER: Duration = Duration::from_secs(2);
/// The active time of [`LeftOn::PowerSaving`].
const ACTIVE_TIME: Duration = Duration::from_secs(10);
/// How long RI is active for an unsolicited line. UNCONFIRMED: no source of the sheet gives a number.
const RING_PULSE: Duration = Duration::from_millis(120);
/// STATUS rises a little before the UART works, sheet 1.1 [HW fig.8].
const STATUS_LEAD: Duration = Duration::from_millis(100);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Power {
    Off,
    /// The modem boots; `RDY` comes at this instant.
    Booting(Instant),
    On,
    /// The modem neither listens nor sends, although its STATUS pin says that it is on.
    Hung,
}

pub(crate) struct Bg96 {
    /// A reference for tasks that outlive the command that starts them.
    me: Weak<Self>,
    core: Rc<Core>,
    options: Options,
    network: Rc<dyn Network>,
    state: RefCell<State>,
    power: Cell<Power>,
    /// The number of boots. A task that was started before a boot uses it to report nothing after it.
    boots: Cell<u32>,
    /// Whether a network is in reach.
    coverage: Cell<bool>,
    /// Whether the boot under way prints no banner.
    silent_boot: Cell<bool>,
    failed_at: Cell<Option<Instant>>,
    /// DTR has gone from low to high.
    dtr_rose: Cell<bool>,
    power_key_since: Cell<Option<Instant>>,
    reset_since: Cell<Option<Instant>>,
    /// The unfinished command line. Its bytes have been echoed already.
    line: RefCell<Vec<u8>>,
    /// DTR is high, so that the modem may sleep.
    sleep_pin: Cell<bool>,
    /// The instant from which the modem listens again after a sleep.
    awake_at: Cell<Instant>,
    /// The instant of the last byte that the modem heard, or of its start.
    active_at: Cell<Option<Instant>>,
}

impl Bg96 {
    pub(crate) fn new(core: Rc<Core>, options: Options, network: Rc<dyn Network>) -> Rc<Self> {
        let mut state = State::new(&options);
        let power = match options.boot {
            Boot::AlreadyOn => {
                state.sim_ready = true;
                state.registered =
                    options.registration_delay.as_ticks() == 0 && options.sim == Sim::Ready;
                Power::On
            }
            Boot::Off => Power::Off,
            Boot::Booting => Power::Booting(Instant::now() + options.boot_time),
        };
        core.set_rate(state.user.rate);
        Rc::new_cyclic(|me| Self {
            me: me.clone(),
            core,
            options,
            network,
            state: RefCell::new(state),
            power: Cell::new(power),
            boots: Cell::new(0),
            coverage: Cell::new(true),
            silent_boot: Cell::new(false),
            failed_at: Cell::new(None),
            dtr_rose: Cell::new(false),
            power_key_since: Cell::new(None),
            reset_since: Cell::new(None),
            line: RefCell::new(Vec::new()),
            sleep_pin: Cell::new(false),
            awake_at: Cell::new(Instant::MIN),
            active_at: Cell::new(None),
        })
    }

    async fn life(self: Rc<Self>) {
        loop {
            let power = self.power.get();
            let changed = self.core.until(|| self.power.get() != power);
            match power {
                Power::Off | Power::Hung => {
                    select(changed, self.deaf()).await;
                }
                Power::Booting(at) => {
                    select3(changed, self.deaf(), Timer::at(at)).await;
                    if self.power.get() == power {
                        self.power.set(Power::On);
                        self.active_at.set(Some(Instant::now()));
                        self.core.discard_input();
                        if !self.silent_boot.get() {
                            // Sheet 1.2. These two are seen on the UART whatever the URC port is (sheet section 0).
                            self.system_urc("RDY");
                            if self.options.profile.announces_application {
                                self.system_urc("APP RDY");
                            }
                        }
                    }
                }
                Power::On => {
                    let epoch = self.boots.get();
                    let radio = join3(self.find_sim(epoch), self.register(), self.rest());
                    select3(changed, self.command_loop(), radio).await;
                    self.line.borrow_mut().clear();
                }
            }
        }
    }

    /// Drops the host's bytes while the modem is off or booting.
    async fn deaf(&self) {
        loop {
            self.core.read().await;
        }
    }

    async fn find_sim(&self, epoch: u32) {
        if epoch > 0 || self.options.boot != Boot::AlreadyOn {
            Timer::after(self.options.sim_init).await;
        }
        self.state.borrow_mut().sim_ready = true;
        let already_on = epoch == 0 && self.options.boot == Boot::AlreadyOn;
        if already_on || self.silent_boot.get() || !self.options.profile.announces_sim {
            return;
        }
        match self.options.sim {
            Sim::Ready => self.sim_urcs(),
            Sim::PinRequired(_) => self.urc("+CPIN: SIM PIN"),
            Sim::PukRequired => self.urc("+CPIN: SIM PUK"),
            Sim::Foreign => self.urc("+CPIN: PH-NET PIN"),
            Sim::Missing => self.urc("+CPIN: NOT INSERTED"),
        }
        self.core.touch();
    }

    /// Prints the URCs of a ready SIM (sheet 1.2 [AT 2.22 example]).
    fn sim_urcs(&self) {
        self.urc("+CPIN: READY");
        self.urc("+QUSIM: 1");
        self.urc("+QIND: SMS DONE");
    }

    /// Registers whenever registration is possible.
    async fn register(&self) {
        loop {
            self.core
                .until(|| self.may_register() && !self.state.borrow().registered)
                .await;
            Timer::after(self.options.registration_delay).await;
            if self.may_register() && !self.state.borrow().registered {
                self.registered();
            }
        }
    }

    /// Enters PSM where it was left on: [`ACTIVE_TIME`] behind registration and the last command.
    async fn rest(&self) {
        if self.options.left_on != LeftOn::PowerSaving {
            return;
        }
        self.active_at.set(Some(Instant::now()));
        loop {
            let idle_until = self
                .active_at
                .get()
                .map_or(Instant::MIN, |at| at + ACTIVE_TIME);
            Timer::at(idle_until).await;
            let heard = self
                .active_at
                .get()
                .is_some_and(|at| at.elapsed() < ACTIVE_TIME);
            let saves = {
                let state = self.state.borrow();
                state.registered && state.nv.psm.starts_with('1')
            };
            if saves && !heard {
                return Modem::save_power(self);
            }
            if !heard {
                self.active_at.set(Some(Instant::now()));
            }
        }
    }

    fn may_register(&self) -> bool {
        let state = self.state.borrow();
        self.coverage.get()
            && state.functionality == 1
            && !state.operator_off
            && state.sim_obstacle(&self.options.sim).is_none()
    }

    fn registered(&self) {
        {
            let mut state = self.state.borrow_mut();
            state.registered = true;
            if let (true, Some(network)) = (state.nv.auto_zone > 0, state.network_clock) {
                // The network's time (NITZ).
                state.clock = network;
                state.zone = self.options.network_zone;
                state.synchronised = true;
            }
        }
        self.registration_urcs();
    }

    /// Ends registration, and with it every context and connection.
    fn unregister(&self) {
        let was = std::mem::replace(&mut self.state.borrow_mut().registered, false);
        if was {
            self.registration_urcs();
            let contexts: Vec<u8> = self.state.borrow().pdp.keys().copied().collect();
            contexts
                .into_iter()
                .for_each(|context| self.lose_pdp(context, true));
        }
    }

    fn registration_urcs(&self) {
        let urcs = {
            let state = self.state.borrow();
            commands::REGISTRATION_DOMAINS.map(|domain| commands::registration_urc(&state, domain))
        };
        urcs.iter().flatten().for_each(|urc| self.urc(urc));
        self.core.touch();
    }

    /// Deactivates a context by the network. Its connections are void, without a `closed` for each
    /// (sheet 4.5).
    fn lose_pdp(&self, context: u8, announced: bool) {
        {
            let mut state = self.state.borrow_mut();
            if !state.active(context) {
                return;
            }
            state.pdp.insert(context, Pdp::Lost);
            for socket in state.sockets.values() {
                let mut socket = socket.borrow_mut();
                if socket.pdp == context {
                    socket.cancelled = true;
                    socket.phase = sockets::Phase::Closing;
                }
            }
        }
        if announced {
            self.urc(&format!("+QIURC: \"pdpdeact\",{context}"));
        }
        self.core.touch();
    }

    fn restart(&self, at: Power) {
        self.state.borrow_mut().forget();
        let rate = self.state.borrow().user.rate;
        self.core.set_rate(rate);
        self.boots.set(self.boots.get() + 1);
        self.silent_boot.set(false);
        self.power.set(at);
        self.core.touch();
    }

    fn reboot(&self) {
        self.restart(Power::Booting(Instant::now() + self.options.reset_time));
    }

    // Unsolicited lines.

    /// Queues a line that is sent only if URCs are routed to this port.
    fn urc(&self, text: &str) {
        self.urc_bytes(text.as_bytes());
    }

    fn urc_bytes(&self, body: &[u8]) {
        // TRAP, sheet section 0: one port only, and by default not this one.
        let here = {
            let state = self.state.borrow();
            state.nv.urc_port == "uart1" && state.nv.urc_switches.get("all") != Some(&0)
        };
        if here {
            self.queue_urc(body);
        }
    }

    /// Queues a line that is sent on every port.
    fn system_urc(&self, text: &str) {
        self.queue_urc(text.as_bytes());
    }

    fn queue_urc(&self, body: &[u8]) {
        let mut line = [b"\r\n", body, b"\r\n"].concat();
        if self.state.borrow().multiplexes {
            line = multiplexer::frame(1, &line);
        }
        self.state.borrow_mut().urcs.push_back(line);
        self.core.touch();
    }

    /// Returns the number of bytes on their way to the host.
    fn waiting_output(&self) -> usize {
        let urcs: usize = self.state.borrow().urcs.iter().map(Vec::len).sum();
        urcs + self.core.waiting_output()
    }

    /// Sends the queued URCs. The caller must not be inside an answer.
    fn flush_urcs(&self) {
        while let Some(urc) = { self.state.borrow_mut().urcs.pop_front() } {
            self.core.send(&urc);
            self.core.notice.pulse(RING_PULSE);
        }
    }

    // Command lines.

    async fn command_loop(self: &Rc<Self>) {
        loop {
            if self.state.borrow().multiplexes {
                self.serve_frames().await;
            }
            let received = self.read_line().await;
            self.core.drained().await;
            if let Some(line) = parser::find_line(&received) {
                self.execute_line(line).await;
            }
            if self.power.get() != Power::On {
                return;
            }
        }
    }

    /// Reads a line up to the next CR. URCs are sent while there is nothing else to do.
    async fn read_line(&self) -> Vec<u8> {
        poll_fn(|_| {
            loop {
                let mut line = self.line.borrow_mut();
                if line.is_empty() {
                    self.flush_urcs();
                }
                let Some(byte) = self.core.try_read() else {
                    self.flush_urcs();
                    return Poll::Pending;
                };
                // Sheet 1.7: in sleep the first characters are lost.
                if self.sleeps() {
                    self.wakes_by_traffic();
                    continue;
                }
                self.active_at.set(Some(Instant::now()));
                if byte == b'\n' && line.is_empty() {
                    // An LF after CR is tolerated (sheet section 0).
                    continue;
                }
                if self.state.borrow().user.echo {
                    self.core.send(&[byte]);
                }
                if byte == b'\r' {
                    return Poll::Ready(std::mem::take(&mut *line));
                }
                if line.len() <= LINE_LIMIT {
                    line.push(byte);
                }
            }
        })
        .await
    }

    async fn execute_line(self: &Rc<Self>, line: &[u8]) {
        let reaction = self.core.record(line);
        if self.options.turnaround.as_ticks() > 0 {
            Timer::after(self.options.turnaround).await;
        }
        if self.options.urc_inside_responses {
            // Sheet 4.5: a `recv` can come between a command and its answer.
            self.flush_urcs();
        }
        match reaction {
            Reaction::Normal => {}
            Reaction::Silent => return,
            Reaction::Reply(bytes) => return self.core.send(&bytes),
            Reaction::Reset => return self.reboot(),
        }
        if line.len() > LINE_LIMIT {
            return self.refuse(Fail::Error);
        }
        let commands = match parser::parse(line) {
            Ok(commands) => commands,
            Err(fail) => return self.refuse(fail),
        };
        self.execute(commands).await;
    }
}

impl Modem for Bg96 {
    fn run(self: Rc<Self>) -> LocalBoxFuture<'static, ()> {
        Box::pin(self.life())
    }

    fn files(&self) -> BTreeMap<String, Vec<u8>> {
        self.state.borrow().files.all().clone()
    }

    fn put_file(&self, name: &str, contents: &[u8]) {
        self.state.borrow_mut().files.put(name, contents);
    }

    fn inject_urc(&self, text: &str) {
        self.urc(text);
    }

    fn reset(&self) {
        self.reboot();
    }

    fn power_key(&self, pressed: bool) {
        if pressed {
            self.power_key_since.set(Some(
                self.power_key_since.get().unwrap_or_else(Instant::now),
            ));
            return;
        }
        let Some(since) = self.power_key_since.take() else {
            return;
        };
        let held = since.elapsed();
        match self.power.get() {
            Power::Off if held >= POWER_ON_PULSE => {
                self.restart(Power::Booting(Instant::now() + self.options.boot_time));
            }
            // TRAP, sheet 1.1: the key toggles; pulsing it on a running modem turns it off.
            Power::On if held >= POWER_OFF_PULSE => self.switch_off(),
            Power::Hung if held >= POWER_OFF_PULSE => self.restart(Power::Off),
            _ => {}
        }
    }

    fn sleep_pin(&self, high: bool) {
        if self.sleep_pin.replace(high) && !high && self.state.borrow().nv.sleep_mode == 1 {
            self.awake_at.set(Instant::now() + WAKE_TIME);
        }
    }

    fn save_power(&self) {
        let state = self.state.borrow();
        let words = self.options.profile.power_saving_words;
        let timers = state.nv.qcfg.get("psm/urc").is_some_and(|on| on == "1");
        drop(state);
        if timers {
            self.core.send(b"\r\n+QPSMTIMER: 86400,2\r\n");
        }
        self.core.send(format!("\r\n{words}\r\n").as_bytes());
        self.restart(Power::Off);
    }

    fn reset_pin(&self, asserted: bool) {
        if asserted {
            self.reset_since
                .set(Some(self.reset_since.get().unwrap_or_else(Instant::now)));
            return;
        }
        let Some(since) = self.reset_since.take() else {
            return;
        };
        if (RESET_PULSE.0..=RESET_PULSE.1).contains(&since.elapsed())
            && self.power.get() != Power::Off
        {
            self.reboot();
        }
    }

    fn status_pin(&self) -> bool {
        match self.power.get() {
            Power::Off => false,
            Power::Booting(at) => Instant::now() + STATUS_LEAD >= at,
            Power::On | Power::Hung => true,
        }
    }

    fn open_sockets(&self) -> Vec<u8> {
        self.state.borrow().sockets.keys().copied().collect()
    }

    fn set_registered(&self, registered: bool) {
        self.coverage.set(registered);
        if registered {
            self.core.touch()
        } else {
            self.unregister()
        }
    }

    fn drop_pdp(&self, context: u8, announced: bool) {
        self.lose_pdp(context, announced);
    }

    fn failed_at(&self) -> Option<Instant> {
        self.failed_at.get()
    }

    fn fail(&self, failure: Failure) {
        self.failed_at.set(Some(Instant::now()));
        self.core.discard_input();
        self.core.discard_output();
        match failure {
            Failure::Reset => self.reboot(),
            Failure::PoweredDown => {
                self.core.send(b"\r\nPOWERED DOWN\r\n");
                self.reboot();
            }
            Failure::BrownOut => {
                self.reboot();
                self.silent_boot.set(true);
            }
            Failure::Hang => self.restart(Power::Hung),
            Failure::PowerSaving => {
                self.core.send(b"\r\nPSM POWER DOWN\r\n");
                self.restart(Power::Off);
            }
        }
    }

    fn dtr_rises(&self) {
        self.dtr_rose.set(true);
        self.core.touch();
    }

    fn clock(&self) -> OffsetDateTime {
        self.state.borrow().clock.now()
    }

    fn set_clock(&self, utc: OffsetDateTime) {
        self.state.borrow_mut().clock = EmulatedClock::starting_at(utc);
    }
}

impl Bg96 {
    fn sleeps(&self) -> bool {
        self.state.borrow().nv.sleep_mode == 1
            && (self.sleep_pin.get() || Instant::now() < self.awake_at.get() || self.dozes())
    }

    /// Returns whether the modem sleeps although nobody raised DTR: the line is open, and nothing was heard for long.
    fn dozes(&self) -> bool {
        self.options.left_on == LeftOn::SlowClock
            && self
                .active_at
                .get()
                .is_none_or(|at| at.elapsed() >= SLEEPS_AFTER)
    }

    /// Wakes a modem that dozes, by a character that is lost.
    fn wakes_by_traffic(&self) {
        if self.dozes() {
            self.active_at.set(Some(Instant::now()));
            self.awake_at.set(Instant::now() + WAKE_TIME);
        }
    }

    /// Switches off in order, after a last line that reports it.
    fn switch_off(&self) {
        self.core.send(b"\r\nPOWERED DOWN\r\n");
        self.restart(Power::Off);
    }

    fn switch_off_silently(&self) {
        self.restart(Power::Off);
    }
}
