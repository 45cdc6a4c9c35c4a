//! The Quectel BG96, after `modems/bg96/FACTS.md` ("sheet"; the numbers in comments are those of its
//! headings).

mod commands;
mod controls;
mod files;
mod line;
mod multiplexer;
mod network;
mod notices;
mod parser;
mod sleep;
mod sockets;
mod state;
#[cfg(test)]
mod tests;

use std::cell::{Cell, RefCell};
use std::rc::{Rc, Weak};

use embassy_futures::join::join3;
use embassy_futures::select::{select, select3};
use embassy_time::{Instant, Timer};

pub use self::sleep::SLEEPS_AFTER;

use self::state::State;
use crate::core::Core;
use crate::network::Network;
use crate::options::{Boot, Options, Sim};

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

    /// Plays the modem, from one state of its power to the next.
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

    /// Forgets what a restart forgets, and goes on in this state.
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
}
