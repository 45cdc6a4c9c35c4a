//! Bring-up from the first answer to a usable modem (sheet 1): settings, stale sockets, SIM,
//! registration.

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
pub(crate) struct BringUp {
    /// The time at which the flow began to wait for the SIM or for the registration.
    since: u32,
    /// The suites in the first answer to `AT+QSSLCFG=?`, when the list is asked for a second time.
    pub(crate) suites: Option<SuiteSet>,
    /// `<stat>` of `+CEREG`.
    lte: u8,
    /// The script that follows after the data connection was deactivated; 0 while it was not.
    pub(crate) after_deactivation: u8,
    /// The error with which the data connection was refused.
    pub(crate) refused: Code,
    #[cfg(feature = "radio")]
    pub(crate) tuning: crate::radio::Tuning,
}

impl BringUp {
    pub(crate) const fn new() -> Self {
        Self {
            since: 0,
            suites: None,
            lte: 0,
            after_deactivation: 0,
            refused: Code::Plain,
            #[cfg(feature = "radio")]
            tuning: crate::radio::Tuning::new(),
        }
    }
}

impl<O: Options> Bg96<O> {
    /// The settings that the driver relies on (sheet 0 and 1.3).
    pub(crate) const SETTINGS: Script<O> = &[
        ask("ATE0"),
        // The slow clock loses the first characters behind a silence. It may outlive a restart (sheet
        // 1.8); a driver that is told to sleep switches it on again.
        ask("AT+QSCLK=0").then(Self::wakes_by_key),
        // Without a power key nothing would wake a modem from PSM, which the network may grant at once
        // (sheet 1.8).
        ask("AT+CPSMS=0").then(either_way),
        // Level 1, since some errors come as text only at level 2 (sheet 3).
        ask("AT+CMEE=1"),
        // URCs go to the USB port by default; the driver would then not see that data has arrived
        // (sheet 0).
        ask("AT+QURCCFG=\"urcport\",\"uart1\""),
        // DTR is not wired on most boards.
        ask("AT&D0").then(either_way),
        // No echo of payload (sheet 4.8).
        ask("AT+QISDE=0").then(Self::is_flow_controlled),
        ask("AT+IFC=2,2"),
        decide(Self::settings_made),
    ];

    /// Closes sockets of an earlier life of the MCU, which the modem kept open (sheet 5, quirk 8).
    pub(crate) const STALE_SOCKETS: Script<O> =
        &[ask("AT+QSSLCLOSE={i},3").limit(150).then(Self::one_closed)];

    /// Asks for the state of the SIM (sheet 1.4).
    pub(crate) const SIM: Script<O> = &[ask("AT+CPIN?").limit(50).then(Self::sim_state)];

    /// Enters the PIN of the SIM.
    pub(crate) const ENTER_PIN: Script<O> = &[ask("AT+CPIN=\"{s}\"")
        .limit(50)
        .even_unanswered()
        .then(Self::pin_entered)];

    /// Asks how many tries of the PIN are left.
    pub(crate) const COUNT_TRIES: Script<O> = &[ask("AT+CPINR=\"SIM PIN\"")
        .limit(50)
        .then(Self::tries_counted)];

    /// Asks for the registration. On LTE-M `+CGREG` often says 4 while attached (sheet T7); on GSM
    /// `+CGREG` is the one that counts.
    pub(crate) const REGISTRATION: Script<O> = &[
        ask("AT+CEREG?").then(Self::registered_on_lte),
        ask("AT+CGREG?").then(Self::registered_on_gsm),
        ask("AT+CSQ").even_unanswered().then(Self::not_registered),
    ];

    pub(crate) fn begin_settings(&mut self, world: &mut World<'_>) {
        self.bring_up = BringUp::new();
        self.sim.begin();
        self.clock_floor = None;
        self.limited = 0;
        // At most as much as one fetch could bring (sheet 4.4); the manual names no limit for pushed
        // data.
        world.push_unit = self.pushes().then_some(Self::LIMITS.max_receive);
    }

    fn wakes_by_key(&mut self, world: &mut World<'_>, _: Option<&[u8]>) -> Then {
        if O::PINS && world.pins.has_power_key {
            Then::Skip
        } else {
            Then::Next
        }
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
            // An upload is under way, and its marker must not be cleaned up now.
            return self.look_for_sim(world);
        }
        self.clean_up(true)
    }

    /// Goes on to the SIM once nothing of an earlier life is left. From here on the modem takes
    /// commands, with or without a SIM.
    pub(crate) fn look_for_sim(&mut self, world: &mut World<'_>) -> Then {
        world.answers = true;
        self.bring_up.since = world.now;
        Then::To(SIM)
    }

    fn sim_state(&mut self, world: &mut World<'_>, text: Option<&[u8]>) -> Then {
        let has_pin = O::PIN && self.config.pin.is_some();
        let waited = self.waited(world);
        match self.sim.asked(text, world.code, waited, has_pin) {
            SimNext::Ready => self.join(world),
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

    /// Goes on when the SIM is ready.
    fn join(&mut self, world: &mut World<'_>) -> Then {
        #[cfg(feature = "radio")]
        if !self.radio_written {
            return Then::To(RADIO);
        }
        self.look_for_network(world)
    }

    pub(crate) fn look_for_network(&mut self, world: &mut World<'_>) -> Then {
        self.bring_up.since = world.now;
        Then::To(REGISTRATION)
    }

    fn waited(&self, world: &World<'_>) -> u32 {
        world.now.wrapping_sub(self.bring_up.since)
    }

    fn registered_on_lte(&mut self, world: &mut World<'_>, answer: Option<&[u8]>) -> Then {
        match self.registered(world, answer, "+CEREG:") {
            Ok(status) => {
                self.bring_up.lte = status;
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
                // On GSM alone `+CEREG` says 0 or 4.
                if matches!(self.bring_up.lte, 0 | 4) {
                    self.bring_up.lte = status;
                }
                Then::Next
            }
            Err(then) => then,
        }
    }

    /// Returns `<stat>` if the modem is not registered.
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
            // 1 is the home network, 5 roaming.
            Some(1 | 5) if self.context_lost => Then::To(DEACTIVATE),
            Some(1 | 5) => Then::To(DATA_CONNECTION),
            Some(status) => {
                world.registration_is(status);
                return Ok(status);
            }
        })
    }

    /// Reports that registration failed, with whether a network was heard: `+CSQ` says 0 to 31, or 99
    /// for not known or not detectable (sheet 1.5).
    fn not_registered(&mut self, world: &mut World<'_>, text: Option<&[u8]>) -> Then {
        let strength = text.and_then(|text| Fields::new(answer(text, "+CSQ:")?).int());
        world.fail(BringUpError::NotRegistered {
            status: self.bring_up.lte,
            heard: strength.map(|rssi| rssi <= 31),
            // Such an answer ends the bring-up at once.
            unread: None,
        })
    }
}
