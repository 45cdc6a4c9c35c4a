//! Bring-up from the first answer to a registered module (sheet B.1.2, B.1.3).

use sectag::at::{Fields, answer};
use sectag::cellular::{Registering, SimNext};
use sectag::modem::{Modem, Then, World, ask, decide, either_way};
use sectag::{AtError, BringUpError};

use super::models::{DataConnection, Model, UNKNOWN, named};
use super::{Script, UbloxCellular, script};

/// The pause between two changes of `+CFUN`, in milliseconds: there must be 1 s between them (MKRNB,
/// sheet B.1.1).
const RADIO_PAUSE: u32 = 1100;
/// How often the model is asked for until two answers in a row agree.
const LOOKS: u8 = 4;

/// What an answer to `AT+CGMM` names.
#[derive(Clone, Copy)]
enum Named {
    /// No model at all: noise, or the lines of another answer.
    Nothing,
    /// A model that is not in the table, by a digest of its name.
    Other(u32),
    Known(&'static Model),
}

impl Named {
    fn by(line: &[u8]) -> Self {
        match named(line) {
            Some(model) => Self::Known(model),
            None if is_name(line) => Self::Other(
                line.iter()
                    .fold(0, |sum, byte| sum.rotate_left(5) ^ u32::from(*byte)),
            ),
            None => Self::Nothing,
        }
    }

    fn agrees(self, other: Self) -> bool {
        match (self, other) {
            (Self::Known(one), Self::Known(other)) => one.name == other.name,
            (Self::Other(one), Self::Other(other)) => one == other,
            _ => false,
        }
    }
}

/// Returns whether a line may be the name of a model: all of u-blox begin with a letter and contain a digit.
fn is_name(line: &[u8]) -> bool {
    let of_a_name = |byte: &u8| byte.is_ascii_alphanumeric() || b"-_. ".contains(byte);
    line.first().is_some_and(u8::is_ascii_alphabetic)
        && line.iter().any(u8::is_ascii_digit)
        && line.iter().all(of_a_name)
}

/// Scratch of a bring-up.
pub(crate) struct BringUp {
    /// The time at which the flow began to wait for the SIM or for the registration.
    since: u32,
    /// The PDP context has the configured APN.
    has_apn: bool,
    /// The model that the current answer names.
    found: Named,
    /// The model that the answer before named.
    before: Named,
    looks: u8,
    registering: Registering,
}

impl BringUp {
    pub(crate) const NEW: Self = Self {
        since: 0,
        has_apn: false,
        found: Named::Nothing,
        before: Named::Nothing,
        looks: 0,
        registering: Registering::NEW,
    };
}

impl UbloxCellular {
    /// The settings that the driver relies on. Hex mode is switched off because SARA-R5-01B keeps it
    /// over a restart, and payload would then be hex digits.
    pub(crate) const SETTINGS: Script = &[
        ask("ATE0"),
        ask("AT+UDCONF=1,0"),
        ask("AT+CGMM")
            .each(Self::model_told)
            .then(Self::model_known),
        // DTR is not wired on most boards.
        ask("AT&D0").then(either_way),
        // Flow control is refused on USB (sheet E.16).
        ask("AT&K{f}").then(either_way),
        // Power saving is off, because the first bytes to a sleeping module are lost.
        ask("AT+UPSV=0").then(either_way),
        // Events report the loss of the PDP context. Models without internal profiles report it in no
        // other way.
        ask("AT+CGEREP=1").then(either_way),
        decide(Self::keeps_clock),
        // The clock follows the network.
        ask("AT+CTZU=1").then(either_way),
        decide(Self::settings_made),
    ];

    /// Closes sockets of an earlier life of the MCU, which the module kept open (sheet D 6).
    pub(crate) const STALE_SOCKETS: Script =
        &[ask("AT+USOCL={i}").limit(1200).then(Self::one_closed)];

    /// Asks for the state of the SIM.
    pub(crate) const SIM: Script = &[ask("AT+CPIN?").limit(100).then(Self::sim_state)];

    /// Enters the PIN of the SIM.
    pub(crate) const ENTER_PIN: Script = &[ask("AT+CPIN=\"{s}\"")
        .limit(100)
        .even_unanswered()
        .then(Self::pin_entered)];

    /// Asks how many tries of the PIN are left.
    pub(crate) const COUNT_TRIES: Script = &[ask("AT+CPINR=\"SIM PIN\"")
        .limit(100)
        .then(Self::tries_counted)];

    /// Reads the APN of the PDP context, and writes it if it differs.
    pub(crate) const APN: Script = &[
        ask("AT+CGDCONT?")
            .each(Self::context_told)
            .then(Self::contexts_told),
        // The module leaves the network, since this is the context of the attach.
        ask("AT+CFUN={o}").limit(300),
        ask("AT+CGDCONT=1,\"IP\",\"{a}\"").then(Self::apn_set),
        decide(|_, _, _| Then::To(script::LOGIN)),
    ];

    /// Writes the login of the access point; the order of user and password differs between models.
    pub(crate) const LOGIN: Script = &[
        decide(Self::has_login),
        ask("AT+UAUTHREQ=1,{x},{g}"),
        decide(|_, _, _| Then::To(script::RADIO)),
    ];

    /// Switches the radio on.
    pub(crate) const RADIO: Script = &[
        ask("AT+CFUN?").then(Self::radio_is_on),
        ask("AT+CFUN=1").limit(300),
        decide(Self::look_for_network),
    ];

    /// Asks for the registration. `+CGREG` is the one of 2G and 3G; SARA-U201 has no other.
    pub(crate) const REGISTRATION: Script = &[
        ask("AT+CEREG?").then(Self::registered_on_lte),
        ask("AT+CGREG?").then(Self::registered_on_gprs),
        ask("AT+CSQ").even_unanswered().then(Self::not_registered),
    ];

    pub(crate) fn begin_settings(&mut self) {
        self.bringing_up = BringUp::NEW;
        self.sim.begin();
        self.clock_floor = None;
        self.sockets = super::sockets::Sockets::NEW;
    }

    fn model_told(&mut self, _: &mut World<'_>, line: &[u8]) {
        let line = super::dialect::without_noise(line).trim_ascii();
        let line = line.strip_prefix(b"\"").unwrap_or(line);
        let line = line.strip_suffix(b"\"").unwrap_or(line);
        // The first line that names a model of the table; else the first that may name another. A notice names none.
        let found = &mut self.bringing_up.found;
        match (*found, Named::by(line)) {
            (Named::Known(_), _) | (Named::Other(_), Named::Other(_)) | (_, Named::Nothing) => {}
            (_, named) => *found = named,
        }
    }

    /// Takes the model when two answers in a row name the same one: a garbled one would hold until the next restart, and a
    /// connect that demands what an unknown model may lack be refused until then.
    fn model_known(&mut self, world: &mut World<'_>, answer: Option<&[u8]>) -> Then {
        if answer.is_none() {
            return world.fail(AtError::Refused(world.code));
        }
        let seen = &mut self.bringing_up;
        let found = core::mem::replace(&mut seen.found, Named::Nothing);
        let agree = found.agrees(seen.before);
        seen.looks += 1;
        seen.before = found;
        if agree {
            self.model = match found {
                Named::Known(model) => Some(model),
                _ => None,
            };
            return Then::Next;
        }
        if seen.looks < LOOKS {
            return Then::Same;
        }
        world.fail(AtError::Garbled)
    }

    fn keeps_clock(&mut self, _: &mut World<'_>, _: Option<&[u8]>) -> Then {
        if self.config.set_clock {
            Then::Next
        } else {
            Then::Skip
        }
    }

    fn settings_made(&mut self, world: &mut World<'_>, _: Option<&[u8]>) -> Then {
        world.id = 0;
        Then::To(script::STALE_SOCKETS)
    }

    fn one_closed(&mut self, world: &mut World<'_>, _: Option<&[u8]>) -> Then {
        world.id += 1;
        if world.id < super::sockets::SOCKETS {
            return Then::Same;
        }
        // From here on the module takes commands, with or without a SIM.
        world.answers = true;
        self.bringing_up.since = world.now;
        Then::To(script::SIM)
    }

    fn sim_state(&mut self, world: &mut World<'_>, text: Option<&[u8]>) -> Then {
        let has_pin = self.config.pin.is_some();
        let waited = self.waited(world);
        match self.sim.asked(text, world.code, waited, has_pin) {
            SimNext::Ready => self.join(),
            SimNext::Count => Then::To(script::COUNT_TRIES),
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
        Then::To(script::SIM)
    }

    fn tries_counted(&mut self, world: &mut World<'_>, answer: Option<&[u8]>) -> Then {
        match self.sim.has_tries(answer) {
            Ok(()) => Then::To(script::ENTER_PIN),
            Err(error) => world.fail(error),
        }
    }

    /// Goes on when the SIM is ready.
    fn join(&mut self) -> Then {
        let profile = self.row().data == DataConnection::Profile;
        Then::To(if self.config.apn.is_some() && !profile {
            script::APN
        } else {
            script::RADIO
        })
    }

    /// Notes whether `+CGDCONT: 1,"IP","<apn>",..` has the configured APN.
    fn context_told(&mut self, _: &mut World<'_>, line: &[u8]) {
        let Some(text) = answer(line, "+CGDCONT:") else {
            return;
        };
        let mut fields = Fields::new(text);
        if fields.int() == Some(1) {
            fields.next();
            let apn = self.config.apn.as_ref().map(|apn| apn.as_str().as_bytes());
            // Networks append their operator identifier, as in `iot.mnc040.mcc901.gprs` (sheet E.8).
            let now = fields.unquoted().unwrap_or_default();
            self.bringing_up.has_apn = apn.is_some_and(|apn| {
                now.strip_prefix(apn)
                    .is_some_and(|rest| rest.is_empty() || rest.starts_with(b".mnc"))
            });
        }
    }

    fn contexts_told(&mut self, world: &mut World<'_>, answer: Option<&[u8]>) -> Then {
        if answer.is_none() {
            return world.fail(AtError::Refused(world.code));
        }
        if self.bringing_up.has_apn {
            return Then::To(script::LOGIN);
        }
        Then::Next
    }

    fn apn_set(&mut self, world: &mut World<'_>, answer: Option<&[u8]>) -> Then {
        if answer.is_none() {
            return world.fail(BringUpError::SettingRefused {
                setting: "AT+CGDCONT",
                code: world.code,
            });
        }
        world.pause = RADIO_PAUSE;
        Then::Next
    }

    fn has_login(&mut self, _: &mut World<'_>, _: Option<&[u8]>) -> Then {
        if self.config.auth.code() == 0 {
            Then::Skip
        } else {
            Then::Next
        }
    }

    fn radio_is_on(&mut self, world: &mut World<'_>, text: Option<&[u8]>) -> Then {
        let mode = text.and_then(|text| Fields::new(answer(text, "+CFUN:")?).int());
        if mode == Some(1) {
            return self.look_for_network(world, None);
        }
        Then::Next
    }

    fn look_for_network(&mut self, world: &mut World<'_>, _: Option<&[u8]>) -> Then {
        self.bringing_up.since = world.now;
        Then::To(script::REGISTRATION)
    }

    fn waited(&self, world: &World<'_>) -> u32 {
        world.now.wrapping_sub(self.bringing_up.since)
    }

    fn registered_on_lte(&mut self, world: &mut World<'_>, text: Option<&[u8]>) -> Then {
        // A model without LTE refuses this query.
        let stat = self.bringing_up.registering.told(text, "+CEREG:");
        world.registration_is(stat);
        self.has_network(stat)
    }

    fn registered_on_gprs(&mut self, world: &mut World<'_>, text: Option<&[u8]>) -> Then {
        let stat = self.bringing_up.registering.told(text, "+CGREG:");
        world.registration_is(stat);
        match self.has_network(stat) {
            Then::Next if self.waited(world) < self.config.registration => {
                world.pause = 1000;
                Then::To(script::REGISTRATION)
            }
            then => then,
        }
    }

    /// Goes on to the data connection if the module is registered at home (1) or roaming (5).
    fn has_network(&self, stat: u8) -> Then {
        if matches!(stat, 1 | 5) {
            Then::To(script::DATA)
        } else {
            Then::Next
        }
    }

    /// Reports that registration failed, with whether a network was heard: `+CSQ` says 0 to 31, or 99
    /// for not known or not detectable.
    fn not_registered(&mut self, world: &mut World<'_>, text: Option<&[u8]>) -> Then {
        let strength = text.and_then(|text| Fields::new(answer(text, "+CSQ:")?).int());
        let heard = strength.map(|rssi| rssi <= 31);
        world.fail(self.bringing_up.registering.failure(heard))
    }

    /// Returns the model's row of the table, or the row for unknown models.
    pub(crate) fn row(&self) -> &'static Model {
        self.model.unwrap_or(&UNKNOWN)
    }
}

const _: () = assert!(UbloxCellular::LIMITS.ids == 0);
