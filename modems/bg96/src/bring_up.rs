//! From a modem that answers to one that can be used (sheet 1).

use sectag::at::{Fields, answer};
use sectag::cellular::{SimNext, registration};
use sectag::modem::{Modem, Then, World, ask, decide, either_way};
use sectag::{AtError, BringUpError, Code, SuiteSet};

#[cfg(feature = "radio")]
use crate::RADIO;
use crate::keys::Keys;
use crate::{
    Bg96, COUNT_TRIES, DATA_CONNECTION, DEACTIVATE, ENTER_PIN, KEYS, Options, REGISTRATION, SIM,
    STALE_SOCKETS, Script,
};

/// Scratch of a bring-up.
pub(crate) struct Rising {
    /// When the SIM, or the registration, was first asked for.
    since: u32,
    /// The suites in a first list of keys that is asked for once more.
    pub(crate) suites: Option<SuiteSet>,
    /// `<stat>` of `+CEREG`.
    lte: u8,
    /// The data connection was deactivated, to go on with this script; 0 if not.
    pub(crate) anew: u8,
    /// What making the data connection was refused with.
    pub(crate) refused: Code,
    #[cfg(feature = "radio")]
    pub(crate) tuning: crate::radio::Tuning,
}

impl Rising {
    pub(crate) const fn new() -> Self {
        Self {
            since: 0,
            suites: None,
            lte: 0,
            anew: 0,
            refused: Code::Plain,
            #[cfg(feature = "radio")]
            tuning: crate::radio::Tuning::new(),
        }
    }
}

impl<O: Options> Bg96<O> {
    /// What the driver relies on (sheet 0 and 1.3).
    pub(crate) const SETTINGS: Script<O> = &[
        ask("ATE0"),
        // Some come as text only at level 2 (sheet 3).
        ask("AT+CMEE=1"),
        // URCs go to the USB port by default, and then nobody is told of data (sheet 0).
        ask("AT+QURCCFG=\"urcport\",\"uart1\""),
        // DTR is not wired on most boards.
        ask("AT&D0").then(either_way),
        // No echo of payload (sheet 4.8).
        ask("AT+QISDE=0").then(Self::is_flow_controlled),
        ask("AT+IFC=2,2"),
        decide(Self::settings_made),
    ];

    /// The modem outlived the MCU's last life: its sockets are still there (sheet 5, quirk 8).
    pub(crate) const STALE_SOCKETS: Script<O> =
        &[ask("AT+QSSLCLOSE={i},3").limit(150).then(Self::one_closed)];

    /// The SIM (sheet 1.4).
    pub(crate) const SIM: Script<O> = &[ask("AT+CPIN?").limit(50).then(Self::sim_state)];

    /// Its PIN.
    pub(crate) const ENTER_PIN: Script<O> = &[ask("AT+CPIN=\"{s}\"")
        .limit(50)
        .even_unanswered()
        .then(Self::pin_entered)];

    /// How often it may still be wrong.
    pub(crate) const COUNT_TRIES: Script<O> = &[ask("AT+CPINR=\"SIM PIN\"")
        .limit(50)
        .then(Self::tries_counted)];

    /// On LTE-M `+CGREG` often says 4 while attached (sheet T7), on GSM it is the one that counts.
    pub(crate) const REGISTRATION: Script<O> = &[
        ask("AT+CEREG?").then(Self::registered_on_lte),
        ask("AT+CGREG?").then(Self::registered_on_gsm),
        ask("AT+CSQ").even_unanswered().then(Self::not_registered),
    ];

    pub(crate) fn begin_settings(&mut self, world: &mut World<'_>) {
        self.rising = Rising::new();
        self.sim.begin();
        self.clock_floor = None;
        self.limited = 0;
        // No more at once than one fetch could bring (sheet 4.4); the manual names no limit.
        world.push_unit = self.pushes().then_some(Self::LIMITS.max_receive);
    }

    fn is_flow_controlled(&mut self, _: &mut World<'_>, _: Option<&[u8]>) -> Then {
        if self.config.flow_control {
            Then::Next
        } else {
            Then::Skip
        }
    }

    fn settings_made(&mut self, world: &mut World<'_>, _: Option<&[u8]>) -> Then {
        self.keys = Keys::UNKNOWN;
        if O::DISCOVERY {
            return Then::To(KEYS);
        }
        Self::close_stale_sockets(world)
    }

    pub(crate) fn close_stale_sockets(world: &mut World<'_>) -> Then {
        world.id = 0;
        Then::To(STALE_SOCKETS)
    }

    fn one_closed(&mut self, world: &mut World<'_>, _: Option<&[u8]>) -> Then {
        world.id += 1;
        if world.id < Self::LIMITS.ids {
            return Then::Same;
        }
        if world.changes_credentials() {
            // What is unfinished is under way.
            return self.look_for_sim(world);
        }
        self.clean_up(true)
    }

    /// Nothing of an earlier life is left: the modem can be talked to, be there a SIM or not.
    pub(crate) fn look_for_sim(&mut self, world: &mut World<'_>) -> Then {
        world.answers = true;
        self.rising.since = world.now;
        Then::To(SIM)
    }

    fn sim_state(&mut self, world: &mut World<'_>, text: Option<&[u8]>) -> Then {
        let has_pin = O::PIN && self.config.pin.is_some();
        let waited = self.waited(world);
        match self.sim.asked(text, world.code, waited, has_pin) {
            SimNext::Ready => self.join(world),
            SimNext::Enter => Then::To(ENTER_PIN),
            SimNext::Count => Then::To(COUNT_TRIES),
            SimNext::Wait(pause) => world.again(pause),
            SimNext::Fail(error) => world.fail(error),
        }
    }

    fn pin_entered(&mut self, world: &mut World<'_>, answer: Option<&[u8]>) -> Then {
        if world.ended == Some(AtError::ModemReset) {
            return world.fail(AtError::ModemReset);
        }
        if let Err(error) = self.sim.entered(answer.is_some(), world.ended, world.code) {
            return world.fail(error);
        }
        world.pause = 500;
        Then::To(SIM)
    }

    fn tries_counted(&mut self, world: &mut World<'_>, answer: Option<&[u8]>) -> Then {
        match self.sim.has_tries(answer) {
            Ok(()) => Then::To(ENTER_PIN),
            Err(error) => world.fail(error),
        }
    }

    /// The SIM is ready.
    fn join(&mut self, world: &mut World<'_>) -> Then {
        #[cfg(feature = "radio")]
        if !self.radio_written {
            return Then::To(RADIO);
        }
        self.look_for_network(world)
    }

    pub(crate) fn look_for_network(&mut self, world: &mut World<'_>) -> Then {
        self.rising.since = world.now;
        Then::To(REGISTRATION)
    }

    fn waited(&self, world: &World<'_>) -> u32 {
        world.now.wrapping_sub(self.rising.since)
    }

    fn registered_on_lte(&mut self, world: &mut World<'_>, answer: Option<&[u8]>) -> Then {
        match self.registered(world, answer, "+CEREG:") {
            Ok(status) => {
                self.rising.lte = status;
                Then::Next
            }
            Err(then) => then,
        }
    }

    fn registered_on_gsm(&mut self, world: &mut World<'_>, answer: Option<&[u8]>) -> Then {
        match self.registered(world, answer, "+CGREG:") {
            Ok(_) if self.waited(world) < self.config.registration => {
                world.pause = 1000;
                Then::To(REGISTRATION)
            }
            Ok(status) => {
                // A modem that is on GSM alone says nothing by `+CEREG`.
                if matches!(self.rising.lte, 0 | 4) {
                    self.rising.lte = status;
                }
                Then::Next
            }
            Err(then) => then,
        }
    }

    /// `<stat>` where it is not registered.
    #[inline(never)]
    fn registered(
        &mut self,
        world: &mut World<'_>,
        text: Option<&[u8]>,
        prefix: &str,
    ) -> Result<u8, Then> {
        let Some(text) = text else {
            return Err(world.fail(AtError::Refused(world.code)));
        };
        Err(match registration(text, prefix) {
            None => world.fail(AtError::Garbled),
            // Home or roaming.
            Some(1 | 5) if self.context_lost => Then::To(DEACTIVATE),
            Some(1 | 5) => Then::To(DATA_CONNECTION),
            Some(status) => {
                world.registration_is(status);
                return Ok(status);
            }
        })
    }

    /// 0 to 31; 99: not known or not detectable (sheet 1.5).
    fn not_registered(&mut self, world: &mut World<'_>, text: Option<&[u8]>) -> Then {
        let strength = text.and_then(|text| Fields::new(answer(text, "+CSQ:")?).int());
        world.fail(BringUpError::NotRegistered {
            status: self.rising.lte,
            heard: strength.map(|rssi| rssi <= 31),
        })
    }
}
