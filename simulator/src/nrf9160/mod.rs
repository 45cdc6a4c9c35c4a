//! The nRF9160 with Nordic's Serial LTE Modem (SLM) or Serial Modem (SM), after
//! `modems/nrf9160/FACTS.md` ("sheet"; the numbers in comments are those of its headings).

mod commands;
mod connect;
mod controls;
mod credentials;
mod data_mode;
mod keys;
mod line;
mod network;
mod notices;
mod options;
mod profile;
mod sockets;
mod state;
mod traffic;

#[cfg(test)]
mod tests;

use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::rc::{Rc, Weak};
use std::task::Poll;

use embassy_futures::join::join;
use embassy_futures::select::{Either, select, select3};
use embassy_time::{Duration, Instant, Timer};
use time::OffsetDateTime;

pub use self::options::{
    CountedFailure, FailingSend, HeapTrap, Nrf9160Options, OversizedRecord, SendFailure,
};
pub use self::profile::{
    DataEnd, DataFailure, Junk, Native, NativeStore, Nrf9160Profile, Overflow, Terminator,
};

use self::line::{Input, Line};
use self::sockets::ENETDOWN;
use self::state::{ModemCore, State};
use crate::Reaction;
use crate::clock::EmulatedClock;
use crate::core::Core;
use crate::network::Network;
use crate::options::{Boot, Sim};
use crate::syntax;

/// Sheet 1.1.
const DEFAULT_RATE: u32 = 115_200;
/// The time after which an incomplete line no longer holds back URCs (SM, sheet 5).
const STALE_LINE: Duration = Duration::from_secs(1);
/// `CONFIG_SLM_INDICATE_TIME`, and RI of SM v1.0.0.
const INDICATE_PULSE: Duration = Duration::from_millis(100);
/// From DTR to the UART of SM, sheet 1.6.
const DTR_DEBOUNCE: Duration = Duration::from_millis(10);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Power {
    /// The unit is off. A shutdown may be one that the wake pin cannot end.
    Off {
        shutdown: bool,
    },
    /// The unit boots; `Ready` comes at this instant.
    Booting(Instant),
    On,
    /// The application hangs: it neither listens nor sends until a reset.
    Hung,
}

/// The use of the serial channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mode {
    Command,
    Executing,
    Data,
    /// `#XSLEEP=2`: the UART is off, LTE is on.
    Idle,
}

pub(crate) struct Nrf9160 {
    /// A reference for tasks that outlive the command that starts them.
    me: Weak<Self>,
    core: Rc<Core>,
    options: Nrf9160Options,
    network: Rc<dyn Network>,
    network_clock: Option<EmulatedClock>,
    state: RefCell<State>,
    power: Cell<Power>,
    /// The number of boots. A task that was started before a boot uses it to do nothing after it.
    boots: Cell<u32>,
    mode: Cell<Mode>,
    /// Whether a network is in reach.
    coverage: Cell<bool>,
    line: RefCell<Line>,
    /// The line has been incomplete for so long that URCs are sent.
    stale: Cell<bool>,
    /// Reception has been off since the last command line.
    paused: Cell<bool>,
    /// The modem core executes a command; its notices wait in `after`.
    answering: Cell<bool>,
    after: RefCell<Vec<Vec<u8>>>,
    /// The number of bytes after a start that the UART loses.
    lost: Cell<usize>,
    reset_asserted: Cell<bool>,
    /// The host holds DTR high (SM).
    dtr_high: Cell<bool>,
    /// SM has switched its UART off for that.
    uart_off: Cell<bool>,
    failed_at: Cell<Option<Instant>>,
    /// The number of sends.
    sends: Cell<usize>,
}

impl Nrf9160 {
    pub(crate) fn new(
        core: Rc<Core>,
        options: Nrf9160Options,
        network: Rc<dyn Network>,
    ) -> Rc<Self> {
        let mut state = State::new(&options);
        let power = match options.boot {
            Boot::AlreadyOn => {
                let modem = &mut state.modem;
                modem.functionality = options.functionality;
                modem.registered = options.functionality == 1
                    && options.registration_delay.as_ticks() == 0
                    && options.sim == Sim::Ready;
                modem.clock = options.clock.map(EmulatedClock::starting_at);
                Power::On
            }
            Boot::Off => Power::Off { shutdown: false },
            Boot::Booting => Power::Booting(Instant::now() + options.boot_time),
        };
        if let (true, Some(rate)) = (options.profile.stored_rate, options.stored_rate) {
            state.nv.rate = Some((rate, options.flow_control));
            core.modem_rate.set(Some(rate));
        } else {
            core.modem_rate
                .set(Some(options.baud.unwrap_or(DEFAULT_RATE)));
        }
        let network_clock = options.network_time.map(EmulatedClock::starting_at);
        Rc::new_cyclic(|me| Self {
            me: me.clone(),
            core,
            options,
            network,
            network_clock,
            state: RefCell::new(state),
            power: Cell::new(power),
            boots: Cell::new(0),
            mode: Cell::new(Mode::Command),
            coverage: Cell::new(true),
            line: RefCell::new(Line::default()),
            stale: Cell::new(false),
            paused: Cell::new(false),
            answering: Cell::new(false),
            after: RefCell::new(Vec::new()),
            lost: Cell::new(0),
            reset_asserted: Cell::new(false),
            dtr_high: Cell::new(false),
            uart_off: Cell::new(false),
            failed_at: Cell::new(None),
            sends: Cell::new(0),
        })
    }

    fn terminator(&self) -> Terminator {
        self.options
            .terminator
            .unwrap_or(self.options.profile.terminator)
    }

    /// Returns the time in UTC, if the modem knows it.
    fn now(&self) -> Option<OffsetDateTime> {
        self.state
            .borrow()
            .modem
            .clock
            .as_ref()
            .map(EmulatedClock::now)
    }

    async fn life(self: Rc<Self>) {
        loop {
            let power = self.power.get();
            let changed = self.core.until(|| self.power.get() != power);
            match power {
                Power::Off { .. } | Power::Hung => {
                    select(changed, self.deaf()).await;
                }
                Power::Booting(at) => {
                    select3(changed, self.deaf(), Timer::at(at)).await;
                    if self.power.get() == power {
                        self.started();
                    }
                }
                Power::On => {
                    select(changed, join(self.command_loop(), self.register())).await;
                }
            }
        }
    }

    fn started(&self) {
        let rate = self.state.borrow().nv.rate;
        let rate = match rate {
            Some((rate, _)) if self.options.profile.stored_rate => rate,
            _ => self.default_rate(),
        };
        self.set_rate(rate);
        self.power.set(Power::On);
        if !self.holds() {
            self.core.discard_input();
        }
        self.lost.set(self.options.lost_after_ready);
        if self.options.dtr_at_boot && self.dtr_high.get() {
            self.uart_off.set(true);
            return self.hold_back(b"Ready\r\n");
        }
        self.core.send(&self.options.ready_junk);
        self.core.send(b"Ready\r\n");
    }

    /// Returns the rate of the devicetree.
    fn default_rate(&self) -> u32 {
        self.options.baud.unwrap_or(DEFAULT_RATE)
    }

    fn rate(&self) -> u32 {
        self.core
            .modem_rate
            .get()
            .unwrap_or_else(|| self.default_rate())
    }

    /// Sets the rate. A line that is not paced stays so.
    fn set_rate(&self, rate: u32) {
        self.core.modem_rate.set(Some(rate));
        if self.core.baud.get().is_some() {
            self.core.baud.set(Some(rate));
        }
    }

    /// Returns whether RTS holds back the host's bytes while the unit boots.
    fn holds(&self) -> bool {
        self.options.flow_control && self.options.held_while_booting
    }

    /// Drops the host's bytes while the unit is off or booting.
    async fn deaf(&self) {
        if self.holds() && matches!(self.power.get(), Power::Booting(_)) {
            std::future::pending::<()>().await;
        }
        loop {
            self.core.read().await;
        }
    }

    fn restart(&self, at: Power) {
        self.state.borrow_mut().forget();
        *self.line.borrow_mut() = Line::default();
        self.mode.set(Mode::Command);
        self.paused.set(false);
        self.uart_off.set(false);
        self.core.notice.release();
        self.boots.set(self.boots.get() + 1);
        self.power.set(at);
        self.core.touch();
    }

    fn reboot(&self) {
        self.restart(Power::Booting(Instant::now() + self.options.boot_time));
    }

    /// Damages the heap (sheet 7.2); the application crashes some time later.
    fn corrupt_heap(&self) {
        log::warn!("nrf9160: #XSSOCKET in a native build up to 2.5 corrupted the heap");
        if std::mem::replace(&mut self.state.borrow_mut().heap_corrupt, true) {
            return;
        }
        let Some(modem) = self.me.upgrade() else {
            return;
        };
        let boots = self.boots.get();
        self.core.spawn(async move {
            Timer::after(modem.options.crash_delay).await;
            if modem.boots.get() == boots {
                modem.reboot();
            }
        });
    }

    /// Crashes the modem core, which is restarted (sheet 1.5): sockets and LTE are gone, and `Ready` is
    /// not printed.
    fn crash_modem(&self, reason: &str) {
        let handles = {
            let mut state = self.state.borrow_mut();
            state.modem = ModemCore::default();
            std::mem::take(&mut state.sockets)
        };
        for socket in handles.values() {
            socket.borrow_mut().poll(None, true);
            self.broken(socket, ENETDOWN);
        }
        {
            let mut state = self.state.borrow_mut();
            state.opened.clear();
            state.current = None;
        }
        self.urc(&format!("#XMODEM: FAULT,{reason},0x119f0a"));
        self.urc("#XMODEM: SHUTDOWN,0");
        self.urc("#XMODEM: INIT,0");
        self.core.touch();
    }

    // Command lines.

    async fn command_loop(self: &Rc<Self>) {
        loop {
            self.mode.set(Mode::Command);
            self.speak();
            let input = self.read_line().await;
            self.core.drained().await;
            self.mode.set(Mode::Executing);
            match input {
                Input::Nothing => {}
                Input::Line(line) => self.execute_line(line).await,
                Input::Overflow => {
                    if self.options.profile.overflow == Overflow::AtLimit {
                        // Drops the rest of the chunk.
                        self.core.take_input();
                    }
                    self.error();
                }
            }
            self.resume_reception();
            if self.power.get() != Power::On {
                return;
            }
            if self.mode.get() == Mode::Idle {
                self.core.until(|| self.mode.get() != Mode::Idle).await;
            }
        }
    }

    async fn read_line(&self) -> Input {
        loop {
            // RTS keeps what the host sends while the UART is off.
            self.core.until(|| !self.uart_off.get()).await;
            let byte = match self.core.try_read() {
                Some(byte) => byte,
                None if self.line.borrow().is_empty() || self.stale.get() => self.hear().await,
                None => match select(self.hear(), Timer::after(STALE_LINE)).await {
                    Either::First(byte) => byte,
                    Either::Second(()) => {
                        self.stale.set(true);
                        self.speak();
                        continue;
                    }
                },
            };
            if self.lost.get() > 0 {
                self.lost.set(self.lost.get() - 1);
                continue;
            }
            self.stale.set(false);
            if self.state.borrow().echo {
                self.core.send(&[byte]);
            }
            let input = self
                .line
                .borrow_mut()
                .push(byte, &self.options.profile, self.terminator());
            if input != Input::Nothing {
                return input;
            }
        }
    }

    /// Waits for a byte that the UART hears: none while DTR keeps it off (SM).
    async fn hear(&self) -> u8 {
        poll_fn(|_| {
            let is_on = !self.uart_off.get();
            let byte = is_on.then(|| self.core.try_read()).flatten();
            byte.map_or(Poll::Pending, Poll::Ready)
        })
        .await
    }

    /// Stops reception, as firmware up to 2.4 does from here on; the bytes in the chunk still do
    /// damage.
    fn pause_reception(&self, line: &mut [u8]) {
        if !self.options.profile.reception_pauses {
            return;
        }
        self.paused.set(true);
        let tail = self.core.take_input();
        self.line
            .borrow_mut()
            .overwrite(line, &tail, &self.options.profile, self.terminator());
    }

    /// Resumes reception. Bytes in between are lost unless RTS has held them back.
    fn resume_reception(&self) {
        if self.paused.replace(false) && !self.options.flow_control {
            self.core.discard_input();
        }
    }

    async fn execute_line(self: &Rc<Self>, mut line: Vec<u8>) {
        let junk = self.options.profile.junk;
        if line.is_empty() && junk != Junk::Refused {
            return;
        }
        self.pause_reception(&mut line);
        if junk == Junk::Skipped {
            let at = line
                .windows(2)
                .position(|two| two.eq_ignore_ascii_case(b"AT"));
            line.drain(..at.unwrap_or(0));
        }
        let turnaround = self.options.turnaround;
        let reaction = self.core.record_after(turnaround, &line).await;
        match reaction {
            Reaction::Normal => {}
            Reaction::Silent => return,
            Reaction::Reply(bytes) => return self.core.send(&bytes),
            Reaction::Reset => return self.reboot(),
        }
        match syntax::parse(&line) {
            Ok(command) => self.execute(command).await,
            Err(_) => self.error(),
        }
    }

    fn ok(&self) {
        self.core.send(b"\r\nOK\r\n");
    }

    fn error(&self) {
        self.core.send(b"\r\nERROR\r\n");
    }

    /// Sends a response line of the firmware itself.
    fn answer(&self, text: &str) {
        self.core.send(format!("\r\n{text}\r\n").as_bytes());
    }

    /// Handles the wake pin, which ends both kinds of sleep.
    fn wake(&self) {
        match self.power.get() {
            Power::Off { shutdown } if !shutdown || self.options.wakes_from_shutdown => {
                self.reboot();
            }
            Power::On if self.mode.get() == Mode::Idle => {
                self.core.discard_input();
                // TRAP, sheet 1.5: not every `Ready` means a reset.
                self.core.send(b"Ready\r\n");
                self.mode.set(Mode::Command);
                self.core.touch();
            }
            _ => {}
        }
    }
}
