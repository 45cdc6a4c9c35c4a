//! The u-blox cellular modules SARA, LARA, LENA and LEXI, after `modems/ublox/FACTS.md` ("sheet"), part
//! B.

mod commands;
mod credentials;
mod dial;
mod options;
mod profile;
mod sockets;
mod state;

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::rc::Rc;

use embassy_futures::join::join;
use embassy_futures::select::{select, select3};
use embassy_time::{Duration, Instant, Timer};
use time::{Date, Month, OffsetDateTime, Time};

pub use self::dial::DialTrouble;
pub use self::options::UbloxOptions;
pub use self::profile::{UbloxData, UbloxProfile, UbloxSuites};

use self::state::State;
use crate::clock::EmulatedClock;
use crate::core::Core;
use crate::network::{LocalBoxFuture, Network};
use crate::options::{Boot, Sim};
use crate::simulator::Modem;
use crate::syntax::{self, Fail};
use crate::{Failure, Reaction};

/// The time behind `@` in which bytes are lost (sheet D 3).
const PROMPT_PAUSE: Duration = Duration::from_millis(50);
/// The longest command line, in bytes; the rest is dropped.
const LINE_LIMIT: usize = 2048;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Power {
    Off,
    /// The module answers from this instant on, without a banner.
    Booting(Instant),
    On,
    /// The module neither listens nor sends.
    Hung,
}

pub(crate) struct Ublox {
    core: Rc<Core>,
    options: UbloxOptions,
    network: Rc<dyn Network>,
    network_clock: Option<EmulatedClock>,
    state: RefCell<State>,
    power: Cell<Power>,
    /// Whether a network is in reach.
    coverage: Cell<bool>,
    /// A data call uses the line.
    in_call: Cell<bool>,
    /// The remedy that the host has applied against failing dials.
    mended: Cell<DialTrouble>,
    /// The time of the last result.
    result_at: Cell<Instant>,
    pressed_at: Cell<Option<Instant>>,
    reset_at: Cell<Option<Instant>>,
    failed_at: Cell<Option<Instant>>,
}

impl Ublox {
    pub(crate) fn new(core: Rc<Core>, options: UbloxOptions, network: Rc<dyn Network>) -> Rc<Self> {
        let mut state = State::new(&options);
        let power = match options.boot {
            Boot::AlreadyOn => {
                // Another host has used the module before.
                state.now.echo = false;
                state.now.clock = options.clock.map(EmulatedClock::starting_at);
                Power::On
            }
            Boot::Off => Power::Off,
            Boot::Booting => Power::Booting(Instant::now() + options.boot_time),
        };
        let network_clock = options.network_time.map(EmulatedClock::starting_at);
        Rc::new(Self {
            core,
            options,
            network,
            network_clock,
            state: RefCell::new(state),
            power: Cell::new(power),
            coverage: Cell::new(true),
            in_call: Cell::new(false),
            mended: Cell::new(DialTrouble::None),
            result_at: Cell::new(Instant::from_ticks(0)),
            pressed_at: Cell::new(None),
            reset_at: Cell::new(None),
            failed_at: Cell::new(None),
        })
    }

    /// Returns the module's time in UTC; a clock that was never set runs from 1980, where GPS time
    /// begins.
    fn now(&self) -> OffsetDateTime {
        let state = self.state.borrow();
        state
            .now
            .clock
            .as_ref()
            .map_or_else(epoch, EmulatedClock::now)
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
                        self.core.discard_input();
                        if self.options.profile.nuls {
                            self.core.send(b"\0\0");
                        }
                    }
                }
                Power::On => {
                    select(changed, join(self.command_loop(), self.register())).await;
                }
            }
        }
    }

    /// Drops the host's bytes while the module is off or booting.
    async fn deaf(&self) {
        loop {
            self.core.read().await;
        }
    }

    fn restart(&self, power: Power) {
        self.state.borrow_mut().forget();
        self.in_call.set(false);
        self.mended.set(DialTrouble::UntilRestarted);
        self.core.discard_output();
        self.power.set(power);
        self.core.touch();
    }

    fn reboot(&self) {
        self.restart(Power::Booting(Instant::now() + self.options.boot_time));
    }

    // The network.

    fn sim_is_ready(&self) -> bool {
        match self.options.sim {
            Sim::Ready => true,
            Sim::PinRequired(_) => self.state.borrow().now.pin_entered,
            Sim::Missing | Sim::PukRequired | Sim::Foreign => false,
        }
    }

    async fn register(&self) {
        loop {
            self.core
                .until(|| self.may_register() && !self.state.borrow().now.registered)
                .await;
            Timer::after(self.options.registration_delay).await;
            if self.may_register() && !self.state.borrow().now.registered {
                self.registered();
            }
        }
    }

    fn may_register(&self) -> bool {
        let wanted = {
            let now = &self.state.borrow().now;
            now.functionality == 1 && !now.detached
        };
        self.coverage.get() && wanted && self.sim_is_ready()
    }

    fn registered(&self) {
        {
            let mut state = self.state.borrow_mut();
            let attach = self.options.profile.data == UbloxData::Attach;
            let now = &mut state.now;
            now.registered = true;
            now.context |= attach && !self.options.refuses_data;
            // The network's time is taken the first time even if the clock does not follow it.
            if now.clock.is_none() || now.ctzu {
                now.clock = self.network_clock.or(now.clock);
            }
        }
        self.tell_registration();
        self.core.touch();
    }

    fn tell_registration(&self) {
        let now = self.state.borrow().now.clone();
        let stat = self.stat();
        for (name, level) in ["CREG", "CGREG", "CEREG"].into_iter().zip(now.creg) {
            let lte = name == "CEREG";
            if level > 0 && (!lte || self.options.profile.lte) {
                self.urc(&format!("+{name}: {stat}"));
            }
        }
    }

    fn stat(&self) -> u8 {
        let now = &self.state.borrow().now;
        match (now.registered, now.functionality) {
            (true, _) => 5,
            (_, 1) => 2,
            _ => 0,
        }
    }

    /// Ends registration, and with it every connection (sheet E.4).
    fn unregister(&self) {
        let (was, events, profile) = {
            let now = &mut self.state.borrow_mut().now;
            let was = std::mem::replace(&mut now.registered, false);
            let profile = std::mem::replace(&mut now.profile, false);
            now.context = false;
            (was, now.cgerep, profile)
        };
        if !was {
            return;
        }
        if events {
            self.urc("+CGEV: ME DETACH");
        }
        self.tell_registration();
        if events {
            self.urc("+CGEV: ME PDN DEACT 1");
        }
        if profile {
            self.urc("+UUPSDD: 0");
        }
        self.break_sockets();
    }

    /// Returns whether sockets have a data connection.
    fn has_data(&self) -> bool {
        let now = &self.state.borrow().now;
        now.registered
            && match self.options.profile.data {
                UbloxData::Profile | UbloxData::Bound => now.profile,
                UbloxData::Context | UbloxData::Attach => now.context,
            }
    }

    // Output.

    fn urc(&self, text: &str) {
        if self.power.get() == Power::On && !self.in_call.get() {
            self.core.send(format!("\r\n{text}\r\n").as_bytes());
        }
    }

    /// Sends an information line.
    fn answer(&self, text: &str) {
        let spaced;
        let text = match text.split_once(": ") {
            // Some answers have no space (sheet B).
            Some((name, rest)) if self.options.profile.no_space && is_unspaced(name) => {
                spaced = format!("{name}:{rest}");
                &spaced
            }
            _ => text,
        };
        self.core.send(format!("\r\n{text}\r\n").as_bytes());
    }

    fn ok(&self) {
        self.core.send(b"\r\nOK\r\n");
        self.result_at.set(Instant::now());
    }

    fn fail(&self, fail: Fail) {
        let cmee = self.state.borrow().now.cmee;
        let text = match (fail, cmee) {
            (Fail::Cme(3), 2) => "+CME ERROR: operation not allowed".to_owned(),
            (Fail::Cme(4) | Fail::Unknown, 2) => "+CME ERROR: operation not supported".to_owned(),
            (Fail::Cme(code), 1) => format!("+CME ERROR: {code}"),
            (Fail::Unknown, 1) => "+CME ERROR: 4".to_owned(),
            _ => "ERROR".to_owned(),
        };
        self.core.send(format!("\r\n{text}\r\n").as_bytes());
        self.result_at.set(Instant::now());
    }

    // Command lines.

    async fn command_loop(self: &Rc<Self>) {
        loop {
            let line = self.read_line().await;
            self.core.drained().await;
            if !line.is_empty() {
                self.execute_line(line).await;
            }
            if self.power.get() != Power::On {
                return;
            }
        }
    }

    /// Reads a line up to CR; line feeds and NULs are ignored.
    async fn read_line(&self) -> Vec<u8> {
        let mut line = Vec::new();
        let mut lost = false;
        loop {
            let byte = self.core.read().await;
            if self.state.borrow().now.echo {
                self.core.send(&[byte]);
            }
            match byte {
                b'\r' if lost => (line, lost) = (Vec::new(), false),
                b'\r' => return line,
                b'\n' | 0 => {}
                8 => {
                    line.pop();
                }
                _ => {
                    let early = Instant::now() < self.result_at.get() + self.options.profile.gap;
                    if line.is_empty() && early && self.options.strict_gap {
                        // The line collides with output that the module still sends (sheet B.1.1).
                        lost = true;
                    }
                    if line.len() < LINE_LIMIT {
                        line.push(byte);
                    }
                }
            }
        }
    }

    async fn execute_line(self: &Rc<Self>, line: Vec<u8>) {
        let reaction = self.core.record(&line);
        if self.options.turnaround.as_ticks() > 0 {
            Timer::after(self.options.turnaround).await;
        }
        match reaction {
            Reaction::Normal => {}
            Reaction::Silent => return,
            Reaction::Reply(bytes) => return self.core.send(&bytes),
            Reaction::Reset => return self.reboot(),
        }
        if let Some(context) = dial::dialled(&line) {
            return self.dial(context).await;
        }
        match syntax::parse(&line) {
            Ok(command) => self.execute(command).await,
            Err(_) => self.fail(Fail::Error),
        }
    }

    /// Reads exactly this many bytes behind a prompt. Bytes that come too soon are lost, and others are
    /// awaited.
    async fn take_payload(&self, prompt: &[u8], count: usize, echo: bool) -> Vec<u8> {
        self.core.discard_input();
        self.core.send(b"\r\n");
        self.core.send(prompt);
        let since = Instant::now();
        let mut payload = Vec::with_capacity(count);
        while payload.len() < count {
            let byte = self.core.read().await;
            if Instant::now() >= since + PROMPT_PAUSE {
                payload.push(byte);
                if echo {
                    self.core.send(&[byte]);
                }
            }
        }
        payload
    }
}

/// Returns whether LENA-R8 prints this answer without a space (sheet E.5, E.6).
fn is_unspaced(name: &str) -> bool {
    matches!(name, "+USOCR" | "+CGATT" | "+UDNSRN" | "+CEER")
}

/// The time that a clock shows which was never set.
fn epoch() -> OffsetDateTime {
    let date = Date::from_calendar_date(1980, Month::January, 6).expect("it exists");
    OffsetDateTime::new_utc(date, Time::MIDNIGHT)
}

impl Modem for Ublox {
    fn run(self: Rc<Self>) -> LocalBoxFuture<'static, ()> {
        Box::pin(self.life())
    }

    /// Returns the credentials, as `<type>/<name>`.
    fn files(&self) -> BTreeMap<String, Vec<u8>> {
        let state = self.state.borrow();
        let store = state.nv.store.iter();
        store
            .map(|((of, name), content)| (format!("{of}/{name}"), content.clone()))
            .collect()
    }

    fn has_name_for(&self, name: &str) -> bool {
        let of = name.split_once('/').map(|(of, _)| of.parse::<u8>());
        matches!(of, Some(Ok(_)))
    }

    fn put_file(&self, name: &str, contents: &[u8]) {
        let Some((of, name)) = name.split_once('/') else {
            panic!("{name:?} is not <type>/<name>");
        };
        let of = of.parse().expect("a type is a number");
        let key = (of, name.to_owned());
        self.state
            .borrow_mut()
            .nv
            .store
            .insert(key, contents.to_vec());
    }

    fn inject_urc(&self, text: &str) {
        self.urc(text);
    }

    fn reset(&self) {
        self.reboot();
    }

    fn fail(&self, failure: Failure) {
        match failure {
            Failure::Hang => {
                self.power.set(Power::Hung);
                self.core.discard_output();
                self.core.touch();
            }
            // The module announces none of these.
            Failure::Reset | Failure::PoweredDown | Failure::BrownOut | Failure::PowerSaving => {
                self.reboot();
            }
        }
        self.failed_at.set(Some(Instant::now()));
    }

    fn failed_at(&self) -> Option<Instant> {
        self.failed_at.get()
    }

    fn power_key(&self, pressed: bool) {
        if pressed {
            return self.pressed_at.set(Some(Instant::now()));
        }
        let Some(since) = self.pressed_at.take() else {
            return;
        };
        let held = Instant::now() - since;
        let profile = &self.options.profile;
        match self.power.get() {
            Power::Off if held >= profile.press_on => self.reboot(),
            Power::On | Power::Hung if held >= profile.press_off => self.restart(Power::Off),
            _ => {}
        }
    }

    fn reset_pin(&self, asserted: bool) {
        if asserted {
            return self.reset_at.set(Some(Instant::now()));
        }
        let held = self.reset_at.take().map(|since| Instant::now() - since);
        if held.is_some_and(|held| held >= self.options.profile.reset) {
            self.reboot();
        }
    }

    fn status_pin(&self) -> bool {
        matches!(self.power.get(), Power::On | Power::Hung)
    }

    fn open_sockets(&self) -> Vec<u8> {
        self.state.borrow().sockets.keys().copied().collect()
    }

    fn set_registered(&self, registered: bool) {
        self.coverage.set(registered);
        if registered {
            self.core.touch();
        } else {
            self.unregister();
        }
    }

    fn drop_pdp(&self, _context: u8, announced: bool) {
        let (events, profile) = {
            let now = &mut self.state.borrow_mut().now;
            let attach = self.options.profile.data == UbloxData::Attach;
            now.context = attach;
            (now.cgerep, std::mem::replace(&mut now.profile, false))
        };
        if announced {
            if events {
                self.urc("+CGEV: NW PDN DEACT 1");
            }
            if profile {
                self.urc("+UUPSDD: 0");
            }
        }
        self.break_sockets();
    }

    fn clock(&self) -> OffsetDateTime {
        self.now()
    }

    fn set_clock(&self, utc: OffsetDateTime) {
        self.state.borrow_mut().now.clock = Some(EmulatedClock::starting_at(utc));
    }
}
