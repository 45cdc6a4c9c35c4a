//! A network processor of TI's on a UART or SPI (CC3100; CC3120, CC3130, CC3135), after the sheet of `modems/cc3200`;
//! numbers in comments are those of its headings.
//!
//! What it does not do: TLS of the first generation without the feature `openssl` (see [`NwpGeneration`]), IPv6, listening sockets, datagrams, select,
//! control of files, enterprise security, profiles, ALPN, OCSP.

mod at;
#[cfg(feature = "openssl")]
mod cbc;
mod commands;
mod controls;
mod files;
mod generation;
mod options;
mod secure;
mod sockets;
mod spi;
mod wire;

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::rc::Rc;

use embassy_futures::select::{select, select3};
use embassy_time::{Duration, Instant, Timer};
use time::OffsetDateTime;

pub(crate) use self::at::Cc32xx;
pub use self::at::{AtVersion, Cc32xxOptions};
pub use self::generation::NwpGeneration;
pub use self::options::NwpOptions;
pub(crate) use self::spi::Spi;
pub use self::spi::{HostIntr, NwpSpi, NwpSpiOptions};

use self::files::Files;
use self::generation::Facts;
use self::sockets::Shared;
use self::wire::{COMMAND_SYNC, COUNT_ONLY, Fields, Head, INIT_COMPLETE};
use crate::Reaction;
use crate::clock::EmulatedClock;
use crate::core::Core;
use crate::network::Network;

/// The first address of names that are looked up; 198.51.100.0/24 is a network for documentation.
const ADDRESSES: u32 = 0xc633_6400;
/// Bits of the status in headers (sheet 3.2).
const CONNECTED: u8 = 0x01;
const LOCKED: u8 = 0x04;
const PROVISIONING: u8 = 0x08;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Power {
    /// nHIB is low.
    Hibernates,
    Starts(Instant),
    On,
    /// Stopped or dead: the chip is silent until nHIB was low.
    Dead,
}

struct State {
    files: Files,
    clock: Option<EmulatedClock>,
    joined: bool,
    provisions: bool,
    sockets: BTreeMap<u8, Shared>,
    pool: u8,
    /// The names that were looked up; the index of a name makes its address.
    names: Vec<String>,
}

impl State {
    fn now(&self) -> OffsetDateTime {
        match &self.clock {
            Some(clock) => clock.now(),
            None => OffsetDateTime::UNIX_EPOCH,
        }
    }
}

pub(crate) struct Nwp {
    core: Rc<Core>,
    spi: Rc<Spi>,
    options: NwpOptions,
    network: Rc<dyn Network>,
    state: RefCell<State>,
    power: Cell<Power>,
    /// The number of starts, by which tasks that began before the last one know to end.
    starts: Cell<u32>,
    coverage: Cell<bool>,
    failed_at: Cell<Option<Instant>>,
    /// The number of free buffers that the host was told last.
    told: Cell<u8>,
}

impl Nwp {
    pub(crate) fn new(core: Rc<Core>, options: NwpOptions, network: Rc<dyn Network>) -> Rc<Self> {
        let state = State {
            files: Files::default(),
            clock: options.clock.map(EmulatedClock::starting_at),
            joined: false,
            provisions: options.provisions,
            sockets: BTreeMap::new(),
            pool: options.buffers,
            names: Vec::new(),
        };
        let power = Power::Starts(Instant::now() + options.boot_time);
        let spi = Spi::new(core.clone(), options.spi);
        Rc::new(Self {
            core,
            spi,
            options,
            network,
            state: RefCell::new(state),
            power: Cell::new(power),
            starts: Cell::new(0),
            coverage: Cell::new(true),
            failed_at: Cell::new(None),
            told: Cell::new(u8::MAX),
        })
    }

    fn facts(&self) -> &'static Facts {
        self.options.generation.facts()
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
                Power::Hibernates | Power::Dead => {
                    select(changed, deaf).await;
                }
                Power::Starts(at) => {
                    select3(changed, deaf, Timer::at(at)).await;
                    if self.power.get() == power {
                        self.power.set(Power::On);
                        self.core.discard_input();
                        // A station, and in the second generation its number (sheet 3.7).
                        self.tell(INIT_COMPLETE, self.facts().started);
                    }
                }
                Power::On => {
                    select(changed, self.listen()).await;
                }
            }
        }
    }

    /// Resets everything but the flash.
    fn restart(&self, at: Power) {
        let mut state = self.state.borrow_mut();
        for socket in state.sockets.values() {
            socket.borrow_mut().cancelled = true;
        }
        state.sockets.clear();
        state.joined = false;
        state.provisions = self.options.provisions;
        state.pool = self.options.buffers;
        state.files.restart();
        drop(state);
        self.starts.set(self.starts.get() + 1);
        self.core.discard_output();
        self.spi.restart(at == Power::Hibernates);
        self.power.set(at);
        self.core.touch();
    }

    fn boots(&self) -> Power {
        Power::Starts(Instant::now() + self.options.boot_time)
    }

    fn head(&self) -> Head {
        let state = self.state.borrow();
        let mut status = if state.joined { CONNECTED } else { 0 };
        if self.is_locked(&state) && self.facts().tells_locks {
            status |= LOCKED;
        }
        if state.provisions && self.facts().tells_locks {
            status |= PROVISIONING;
        }
        Head {
            pool: state.pool,
            status,
            failed: 0,
            non_blocking: 0,
        }
    }

    fn is_locked(&self, state: &State) -> bool {
        state.files.alerts >= self.options.alerts_until_locked
    }

    /// Returns an error code of the second generation as this generation has it.
    fn code(&self, code: i32) -> i32 {
        self.options.generation.code(code)
    }

    fn tell(&self, opcode: u16, payload: &[u8]) {
        if self.power.get() == Power::On {
            let generation = self.options.generation;
            let payload = if self.options.cut == Some(opcode) {
                &[]
            } else {
                payload
            };
            let head = self.head();
            self.told.set(head.pool);
            self.core
                .send(&wire::message(generation, opcode, head, payload));
        }
    }

    fn give_back(&self, buffers: u8) {
        if buffers == 0 {
            return;
        }
        self.state.borrow_mut().pool += buffers;
        self.core.touch();
        // A host that may be waiting for buffers learns of them by a message that exists for that alone (sheet 3.4).
        if self.told.get() <= self.facts().pool_minimum + 1 {
            self.tell(COUNT_ONLY, &[]);
        }
    }

    /// Takes buffers, and returns whether they were free. A host that does not count kills the chip.
    fn take_buffers(&self, buffers: u8) -> bool {
        let mut state = self.state.borrow_mut();
        if state.pool < buffers + self.facts().pool_minimum {
            drop(state);
            self.die(1);
            return false;
        }
        state.pool -= buffers;
        // The host counts down as well.
        self.told.set(self.told.get().saturating_sub(buffers));
        true
    }

    fn die(&self, kind: u32) {
        self.core.send(&wire::abort(kind));
        self.power.set(Power::Dead);
        self.core.touch();
    }

    async fn listen(self: &Rc<Self>) {
        loop {
            let mut last = [0; 4];
            while last != COMMAND_SYNC {
                last.rotate_left(1);
                last[3] = self.core.read().await;
            }
            let mut command = Vec::new();
            for _ in 0..4 {
                command.push(self.core.read().await);
            }
            let len = u16::from_le_bytes([command[2], command[3]]);
            for _ in 0..len {
                command.push(self.core.read().await);
            }
            match self.core.record(&command) {
                Reaction::Normal => {
                    if self.options.turnaround > Duration::from_millis(0) {
                        Timer::after(self.options.turnaround).await;
                    }
                    self.execute(&command);
                }
                Reaction::Silent => {}
                Reaction::Reply(bytes) => self.core.send(&bytes),
                Reaction::Reset => self.restart(self.boots()),
            }
            self.core.drained().await;
        }
    }

    fn answer(&self, command: u16, payload: &[u8]) {
        self.tell(command & 0x7fff, payload);
    }

    /// Sends the answer of most commands, which is a status.
    fn status(&self, command: u16, status: i16) {
        let [low, high] = (self.code(status.into()) as i16).to_le_bytes();
        self.answer(command, &[low, high, 0, 0]);
    }

    /// Sends the answer of a socket's command: status and socket.
    fn socket_status(&self, command: u16, status: i16, id: u8) {
        let [low, high] = status.to_le_bytes();
        self.answer(command, &[low, high, id, 0]);
    }

    fn execute(self: &Rc<Self>, command: &[u8]) {
        let mut args = Fields(command);
        let opcode = args.u16();
        args.u16();
        let locked = self.is_locked(&self.state.borrow());
        // A locked chip takes file commands only (sheet 3.2).
        if locked && opcode & 0x7800 != 0x2000 {
            return self.status(opcode, -2011);
        }
        if self.head().status & PROVISIONING != 0 && !matches!(opcode, 0x8c98 | 0x8466) {
            return self.status(opcode, -2014);
        }
        match opcode {
            0x8466 => self.device_get(args),
            0x84b7 => self.device_set(args),
            0x8473 => {
                self.status(opcode, 0);
                self.tell(0x0073, &[0; 4]);
                self.power.set(Power::Dead);
                self.core.touch();
            }
            0x8c80 => self.wlan_connect(args),
            0x8c81 => {
                let was = std::mem::replace(&mut self.state.borrow_mut().joined, false);
                self.status(opcode, if was { 0 } else { -2071 });
                if was {
                    self.left(200);
                }
            }
            0x8c86 | 0x8464 => self.status(opcode, 0),
            0x8c98 if self.facts().tells_locks => {
                if args.u8() == 4 {
                    self.state.borrow_mut().provisions = false;
                }
                self.status(opcode, 0);
            }
            0x9c20 => self.lookup(args),
            0x9401 => self.socket(args),
            0x9402 => self.close(args),
            0x9406 => self.connect(args),
            0x9408 => self.set_option(args),
            0x9409 => {
                let id = args.u8();
                let known = self.state.borrow().sockets.contains_key(&id);
                let [low, high] = if known { 0i16 } else { -9 }.to_le_bytes();
                self.answer(opcode, &[low, high, id, 4, 0, 0, 0, 0]);
            }
            0x940c => self.send(args),
            0x940a => self.recv(args),
            0xa43c..=0xa44b => self.file(opcode, args),
            _ => self.status(opcode, -14_337),
        }
    }
}
