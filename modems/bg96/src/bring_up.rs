//! From a modem that answers to one that can be used (sheet 1).

use sectag::at::{Fields, answer};
use sectag::cellular::{Sim, registration};
use sectag::modem::{Modem, Then, World, ask, decide, either_way};
use sectag::{AtError, BringUpError, Code, SuiteSet};

#[cfg(feature = "radio")]
use crate::RADIO;
use crate::keys::Keys;
use crate::{
    Bg96, DATA_CONNECTION, DEACTIVATE, ENTER_PIN, KEYS, Options, REGISTRATION, SIM, STALE_SOCKETS,
    Script,
};

// In milliseconds.

/// "Reboot if the SIM is not identified in 20 s" (sheet 1.4).
const SIM_LIMIT: u32 = 20_000;
/// A SIM that is not there is reported at once, one that is just being read as well.
const SIM_MISSING_LIMIT: u32 = 5000;

/// Scratch of a bring-up.
pub(crate) struct Rising {
    /// When the SIM, or the registration, was first asked for.
    since: u32,
    /// The suites in a first list of keys that is asked for once more.
    pub(crate) suites: Option<SuiteSet>,
    /// The PIN was entered.
    entered: bool,
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
            entered: false,
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
    pub(crate) const ENTER_PIN: Script<O> =
        &[ask("AT+CPIN=\"{s}\"").limit(50).then(Self::pin_entered)];

    /// On LTE-M `+CGREG` often says 4 while attached (sheet T7), on GSM it is the one that counts.
    pub(crate) const REGISTRATION: Script<O> = &[
        ask("AT+CEREG?").then(Self::registered_on_lte),
        ask("AT+CGREG?").then(Self::registered_on_gsm),
        ask("AT+CSQ").even_unanswered().then(Self::not_registered),
    ];

    pub(crate) fn begin_settings(&mut self, world: &mut World<'_>) {
        self.rising = Rising::new();
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
        self.tidy(true)
    }

    /// Nothing of an earlier life is left: the modem can be talked to, be there a SIM or not.
    pub(crate) fn look_for_sim(&mut self, world: &mut World<'_>) -> Then {
        world.answers = true;
        self.rising.since = world.now;
        Then::To(SIM)
    }

    fn sim_state(&mut self, world: &mut World<'_>, text: Option<&[u8]>) -> Then {
        let (limit, error) = match text.map(Sim::read) {
            Some(None) => return world.fail(AtError::Garbled),
            Some(Some(Sim::Ready)) => return self.join(world),
            Some(Some(Sim::Pin)) if !O::PIN || self.config.pin.is_none() => {
                (0, BringUpError::SimLocked)
            }
            Some(Some(Sim::Pin)) if !self.rising.entered => {
                // Three wrong tries lock the SIM.
                if self.pin_refused {
                    return world.fail(BringUpError::SimPinRefused);
                }
                self.rising.entered = true;
                return Then::To(ENTER_PIN);
            }
            // The modem may take a moment to believe the PIN. Or it was taken, and is still asked for.
            Some(Some(Sim::Pin)) => (SIM_LIMIT, BringUpError::SimPinRefused),
            Some(Some(Sim::NotReady)) => (SIM_MISSING_LIMIT, BringUpError::SimMissing(Code::Plain)),
            Some(Some(Sim::Puk)) => (0, BringUpError::SimPukNeeded),
            Some(Some(Sim::Foreign)) => (0, BringUpError::SimForeign),
            // 14: busy; others: not read yet, or not there.
            None => match world.code {
                Code::Cme(11) => (SIM_MISSING_LIMIT, BringUpError::SimLocked),
                Code::Cme(12) => (SIM_MISSING_LIMIT, BringUpError::SimPukNeeded),
                code @ Code::Cme(14) => (SIM_LIMIT, BringUpError::SimMissing(code)),
                Code::Cme(16) => (SIM_MISSING_LIMIT, BringUpError::SimPinRefused),
                code => (SIM_MISSING_LIMIT, BringUpError::SimMissing(code)),
            },
        };
        if self.waited(world) < limit {
            return world.again(500);
        }
        world.fail(error)
    }

    fn pin_entered(&mut self, world: &mut World<'_>, answer: Option<&[u8]>) -> Then {
        if answer.is_none() {
            self.pin_refused = true;
            return world.fail(BringUpError::SimPinRefused);
        }
        world.pause = 500;
        Then::To(SIM)
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
            Some(status) => return Ok(status),
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
