//! The u-blox cellular modules SARA, LARA, LENA and LEXI, after `modems/ublox/FACTS.md` ("sheet"), part
//! B.

mod commands;
mod controls;
mod credentials;
mod dial;
mod line;
mod network;
mod options;
mod profile;
mod sockets;
mod state;

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use embassy_futures::join::join;
use embassy_futures::select::{select, select3};
use embassy_time::{Instant, Timer};
use time::{Date, Month, OffsetDateTime, Time};

pub use self::dial::DialTrouble;
pub use self::options::UbloxOptions;
pub use self::profile::{UbloxData, UbloxProfile, UbloxSuites};

use self::state::State;
use crate::clock::EmulatedClock;
use crate::core::Core;
use crate::network::Network;
use crate::options::Boot;

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
}

/// The time that a clock shows which was never set.
fn epoch() -> OffsetDateTime {
    let date = Date::from_calendar_date(1980, Month::January, 6).expect("it exists");
    OffsetDateTime::new_utc(date, Time::MIDNIGHT)
}
