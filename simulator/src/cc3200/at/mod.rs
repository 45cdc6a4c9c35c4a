//! A CC3220 or CC3235 with TI's AT application, after the sheet of `modems/cc3200`; numbers in comments
//! are those of its headings.
//!
//! Not modelled are: access point and Wi-Fi Direct, enterprise security, profiles, provisioning, IPv6,
//! listening sockets, datagrams, `Select`, control of files, and the application's own MQTT and HTTP.

mod commands;
mod grammar;
mod options;
mod sockets;

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::rc::Rc;

use embassy_futures::select::{select, select3};
use embassy_time::{Duration, Instant, Timer};
use time::OffsetDateTime;

pub use self::options::{AtVersion, Cc32xxOptions};

use self::grammar::{Command, Wrong};
use self::sockets::Shared;
use super::files::Files;
use crate::clock::EmulatedClock;
use crate::core::Core;
use crate::network::{LocalBoxFuture, Network};
use crate::simulator::Modem;
use crate::{Failure, Reaction};

/// The size of the application's buffer for a command, in bytes.
const BUFFER: usize = 1024;
/// How long the application sleeps between lines.
const NAP: Duration = Duration::from_millis(1);
/// The time from the end of a line to the start of its worker. The line must not be overwritten until
/// then.
const WORKER_START: Duration = Duration::from_micros(300);
const WORKERS: usize = 5;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Power {
    Off,
    Starts(Instant),
    On,
    Hung,
}

struct State {
    files: Files,
    clock: Option<EmulatedClock>,
    /// Whether the network processor runs.
    started: bool,
    joined: bool,
    sockets: BTreeMap<u8, Shared>,
    /// The names that were looked up; the index of a name makes its address.
    names: Vec<String>,
}

/// The module.
pub(crate) struct Cc32xx {
    core: Rc<Core>,
    options: Cc32xxOptions,
    network: Rc<dyn Network>,
    state: RefCell<State>,
    power: Cell<Power>,
    /// The number of starts. An action that was begun before one does nothing after it.
    starts: Cell<u32>,
    /// The line that workers read.
    buffer: RefCell<Vec<u8>>,
    workers: Cell<usize>,
    coverage: Cell<bool>,
    failed_at: Cell<Option<Instant>>,
}

impl Cc32xx {
    pub(crate) fn new(
        core: Rc<Core>,
        options: Cc32xxOptions,
        network: Rc<dyn Network>,
    ) -> Rc<Self> {
        let state = State {
            files: Files::default(),
            clock: options.clock.map(EmulatedClock::starting_at),
            started: true,
            joined: false,
            sockets: BTreeMap::new(),
            names: Vec::new(),
        };
        let power = Power::Starts(Instant::now() + options.boot_time);
        Rc::new(Self {
            core,
            options,
            network,
            state: RefCell::new(state),
            power: Cell::new(power),
            starts: Cell::new(0),
            buffer: RefCell::default(),
            workers: Cell::new(0),
            coverage: Cell::new(true),
            failed_at: Cell::new(None),
        })
    }

    async fn life(self: Rc<Self>) {
        loop {
            let power = self.power.get();
            let changed = self.core.until(|| self.power.get() != power);
            let deaf = self.core.until(|| {
                self.core.discard_input();
                false
            });
            match power {
                Power::Off | Power::Hung => {
                    select(changed, deaf).await;
                }
                Power::Starts(at) => {
                    select3(changed, deaf, Timer::at(at)).await;
                    if self.power.get() == power {
                        self.power.set(Power::On);
                        self.core.discard_input();
                        self.banner();
                    }
                }
                Power::On => {
                    select(changed, self.listen()).await;
                }
            }
        }
    }

    /// Prints the banner (sheet 1.1).
    fn banner(&self) {
        let version = match self.options.version {
            AtVersion::First => "1.1.1",
            _ => "1.1.2",
        };
        let rule = "\t ==========================================";
        self.say("");
        for line in [
            rule,
            &format!("\t    AT Commands Example Ver: {version}"),
            rule,
            "",
            "\t CHIP: 0x30000019",
            "\t MAC:  3.7.0.1",
            "\t PHY:  3.1.0.26",
            "\t NWP:  4.13.0.2",
            "\t ROM:  8192",
            "\t HOST: 3.0.1.71",
            "\t MAC address: aa:bb:cc:01:02:03",
            rule,
        ] {
            self.say(line);
        }
        if self.options.version != AtVersion::First {
            self.prompt();
        }
    }

    fn prompt(&self) {
        self.say("Enter AT Command:");
    }

    /// Prints a line, from any thread.
    fn say(&self, text: &str) {
        if self.power.get() == Power::On {
            let end = match self.options.version {
                AtVersion::First => "\n\r",
                AtVersion::Second => "\r\n\r",
                AtVersion::Port => "\r\n",
            };
            self.core.send(format!("{text}{end}").as_bytes());
        }
    }

    fn ok(&self) {
        self.say("OK");
    }

    fn process_error(&self, code: i32) {
        self.say(&format!("ERROR: process command,{code}"));
    }

    fn wrong(&self, wrong: Wrong) {
        match wrong {
            Wrong::Command => self.say("ERROR: command not exist,0"),
            Wrong::Count => self.say("ERROR: number of parameters,0"),
            Wrong::Parameter(code) => self.say(&format!("ERROR: parse parameters,{code}")),
            Wrong::Overrun => self.crash_of_memory(),
        }
    }

    /// Restarts the module some time after its memory was damaged by a command.
    fn crash_of_memory(&self) {
        log::warn!("cc32xx: a command made the application run past a buffer");
        self.restart(self.boots());
    }

    /// Restarts the module; only flash survives.
    fn restart(&self, at: Power) {
        let mut state = self.state.borrow_mut();
        for socket in state.sockets.values() {
            socket.borrow_mut().cancelled = true;
        }
        state.sockets.clear();
        state.joined = false;
        state.started = true;
        state.files.restart();
        drop(state);
        self.workers.set(0);
        self.starts.set(self.starts.get() + 1);
        self.core.discard_output();
        self.power.set(at);
        self.core.touch();
    }

    fn boots(&self) -> Power {
        Power::Starts(Instant::now() + self.options.boot_time)
    }

    /// Drops what came while nothing read it, but for what the UART keeps.
    fn lose_input(&self) {
        self.core.keep_input(self.kept_by_uart());
    }

    /// Returns how many bytes the UART's FIFO, or the driver's ring, keeps while nothing reads them.
    fn kept_by_uart(&self) -> usize {
        match self.options.version {
            AtVersion::First => 16,
            _ => 32,
        }
    }

    /// Runs the thread that reads the UART.
    async fn listen(self: &Rc<Self>) {
        loop {
            if self.options.version == AtVersion::First {
                self.prompt();
            }
            let line = self.read_line().await;
            if !line.is_empty() {
                match self.core.record(&line) {
                    Reaction::Normal => self.execute(line).await,
                    Reaction::Silent => {}
                    Reaction::Reply(bytes) => self.core.send(&bytes),
                    Reaction::Reset => self.restart(self.boots()),
                }
            }
            let end = Instant::now() + NAP;
            self.core.keep_input_until(end, self.kept_by_uart());
            Timer::at(end).await;
            self.core.drained().await;
        }
    }

    /// Reads a line and echoes it; the echo cannot be switched off (sheet 1.1).
    async fn read_line(&self) -> Vec<u8> {
        let version = self.options.version;
        let mut line = Vec::new();
        let mut dropped = false;
        loop {
            let byte = self.core.read().await;
            match byte {
                b'\r' | b'\n' => break,
                8 if version == AtVersion::First => {
                    line.pop();
                    self.core.send(&[8]);
                    continue;
                }
                _ => {}
            }
            line.push(byte);
            self.core.send(&[byte]);
            match version {
                AtVersion::First if line.len() == BUFFER => line.clear(),
                // The rest of the line is another command.
                AtVersion::Second if line.len() == BUFFER - 1 => break,
                AtVersion::Port if line.len() == BUFFER => dropped = true,
                _ => {}
            }
        }
        self.say("");
        if dropped {
            line.clear();
        }
        line
    }

    async fn execute(self: &Rc<Self>, line: Vec<u8>) {
        let command = match Command::parse(&line) {
            Ok(command) => command,
            Err(wrong) => {
                Timer::after(self.options.command_time).await;
                self.lose_input();
                return self.wrong(wrong);
            }
        };
        if !commands::is_workers(&command.name) {
            // This runs in the reading thread: input is lost meanwhile, except for what the UART keeps.
            Timer::after(self.options.command_time).await;
            let done = self.run(&command).await;
            self.lose_input();
            return match done {
                Ok(()) => self.ok(),
                Err(error) => self.report(error),
            };
        }
        if self.workers.get() >= WORKERS {
            return self.say("ERROR: allocate,0");
        }
        self.workers.set(self.workers.get() + 1);
        *self.buffer.borrow_mut() = line;
        let (me, start) = (self.clone(), self.starts.get());
        self.core.spawn(async move {
            Timer::after(WORKER_START).await;
            // The worker reads the shared buffer: of two lines in quick succession only the later one
            // is there (sheet 1.3).
            let line = me.buffer.borrow().clone();
            let current = || me.starts.get() != start;
            let work = async {
                if let Ok(command) = Command::parse(&line) {
                    match me.work(&command).await {
                        Ok(()) => me.ok(),
                        Err(error) => me.report(error),
                    }
                }
            };
            select(me.core.until(current), work).await;
            if me.starts.get() == start {
                me.workers.set(me.workers.get() - 1);
            }
        });
    }

    fn report(&self, error: commands::Error) {
        match error {
            commands::Error::Wrong(wrong) => self.wrong(wrong),
            commands::Error::Code(code) => self.process_error(code),
        }
    }

    fn left(&self, reason: u8) {
        self.say(&format!(
            "+eventwlan:disconnect,{},0xaa:0xbb:0xcc:0x1:0x2:0x3,{reason}",
            self.options.ssid
        ));
    }
}

impl Modem for Cc32xx {
    fn run(self: Rc<Self>) -> LocalBoxFuture<'static, ()> {
        Box::pin(self.life())
    }

    fn files(&self) -> BTreeMap<String, Vec<u8>> {
        self.state.borrow().files.all()
    }

    fn put_file(&self, name: &str, contents: &[u8]) {
        self.state.borrow_mut().files.put(name, contents);
    }

    /// Emits an event, which interrupts the echo of a line.
    fn inject_urc(&self, text: &str) {
        self.say(text);
    }

    fn reset(&self) {
        self.restart(self.boots());
    }

    fn fail(&self, failure: Failure) {
        self.failed_at.set(Some(Instant::now()));
        match failure {
            Failure::Hang => self.restart(Power::Hung),
            _ => {
                if failure == Failure::BrownOut {
                    self.state.borrow_mut().clock = None;
                }
                self.restart(self.boots());
            }
        }
    }

    fn failed_at(&self) -> Option<Instant> {
        self.failed_at.get()
    }

    fn reset_pin(&self, asserted: bool) {
        if asserted {
            self.restart(Power::Off);
        } else if self.power.get() == Power::Off {
            self.power.set(self.boots());
            self.core.touch();
        }
    }

    fn status_pin(&self) -> bool {
        self.power.get() == Power::On
    }

    fn open_sockets(&self) -> Vec<u8> {
        self.state.borrow().sockets.keys().copied().collect()
    }

    fn set_registered(&self, registered: bool) {
        self.coverage.set(registered);
        if !registered && std::mem::replace(&mut self.state.borrow_mut().joined, false) {
            self.left(3);
        }
    }

    fn drop_pdp(&self, _: u8, announced: bool) {
        if !announced {
            self.state.borrow_mut().joined = false;
            return;
        }
        self.set_registered(false);
        self.coverage.set(true);
    }

    fn clock(&self) -> OffsetDateTime {
        let state = self.state.borrow();
        let clock = state.clock.as_ref();
        clock.map_or(OffsetDateTime::UNIX_EPOCH, EmulatedClock::now)
    }

    fn set_clock(&self, utc: OffsetDateTime) {
        self.state.borrow_mut().clock = Some(EmulatedClock::starting_at(utc));
    }

    fn alerts(&self) -> u32 {
        self.state.borrow().files.alerts
    }
}
