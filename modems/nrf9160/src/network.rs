//! Registration with the network, and the check whether it still holds (sheet 2).

use sectag::cellular::{Registering, SimNext, registration};
use sectag::modem::{Then, World, ask, decide};
use sectag::{AtError, BringUpError, Code};

use crate::commands::{QUICK, SLOW, error, fields};
use crate::marks::Marks as _;
use crate::{Family, Nrf9160, Script, script};

const PAUSE: u32 = 500;

/// Scratch of a flow that registers, or checks the registration.
pub(crate) struct Joining {
    /// LTE is on.
    active: bool,
    /// The PDP context has the configured APN.
    has_apn: bool,
    /// A change of credentials has asked the modem to leave the network since the flow began, so that it may have left.
    pub(crate) left: bool,
    /// It has answered that it left, and was not sent back since.
    pub(crate) confirmed_off: bool,
    since: u32,
    registering: Registering,
    /// The script that follows on registration.
    then: u8,
    /// The end of the flow that checks the registration.
    end: Then,
}

impl Joining {
    pub(crate) const NEW: Self = Self {
        active: false,
        has_apn: false,
        left: false,
        confirmed_off: false,
        since: 0,
        registering: Registering::NEW,
        then: 0,
        end: Then::Next,
    };
}

impl<F: Family> Nrf9160<F> {
    /// Reads whether LTE is on, and the APN, which can be set only while LTE is off.
    pub(crate) const NETWORK: Script<F> = &[
        decide(after_changes),
        ask("AT+CFUN?").limit(QUICK).then(mode),
        ask("AT+CGDCONT?").limit(QUICK).each(context).then(contexts),
    ];

    pub(crate) const APN: Script<F> = &[
        ask("AT+CFUN=4").limit(SLOW),
        decide(|_, _, _| Then::To(script::SET_APN)),
    ];

    pub(crate) const SET_APN: Script<F> = &[
        ask("AT+CGDCONT=0,\"IP\",{a}").limit(QUICK),
        decide(|modem, _, _| modem.join(script::CLOCK)),
    ];

    /// Switches LTE on.
    pub(crate) const ONLINE: Script<F> = &[
        decide(begin_to_join),
        ask("AT%XTIME=1")
            .limit(QUICK)
            .even_unanswered()
            .then(|modem, world, _| even_refused(modem, world, "AT%XTIME")),
        ask("AT+CEREG=1")
            .limit(QUICK)
            .even_unanswered()
            .then(|modem, world, _| even_refused(modem, world, "AT+CEREG")),
        ask("AT+CFUN=1")
            .limit(SLOW)
            .even_unanswered()
            .then(switched_on),
    ];

    pub(crate) const SIM: Script<F> = &[ask("AT+CPIN?").limit(QUICK).even_unanswered().then(sim)];

    pub(crate) const ENTER_PIN: Script<F> = &[ask("AT+CPIN={q}")
        .limit(QUICK)
        .even_unanswered()
        .then(entered)];

    /// Asks how many tries of the PIN are left.
    pub(crate) const COUNT_TRIES: Script<F> = &[ask("AT+CPINR=\"SIM PIN\"")
        .limit(QUICK)
        .even_unanswered()
        .then(tries_counted)];

    pub(crate) const REGISTRATION: Script<F> = &[ask("AT+CEREG?")
        .limit(QUICK)
        .even_unanswered()
        .then(registered)];

    /// Checks the registration after a connection was found broken.
    pub(crate) const LOSS: Script<F> = &[ask("AT+CEREG?")
        .limit(QUICK)
        .even_unanswered()
        .then(judge_loss)];

    /// Registers with the network, and goes on with the script of this number.
    pub(crate) fn join(&mut self, then: u8) -> Then {
        self.joining.then = then;
        Then::To(if F::Marks::KEPT {
            script::ASSIST
        } else {
            script::ONLINE
        })
    }

    /// Ends a flow whose verdict or failure is known, after a check whether the network was lost. A
    /// modem that was taken off the network on purpose has not lost it.
    pub(crate) fn judge_loss(&mut self, end: Then) -> Then {
        if self.offline {
            return end;
        }
        self.joining.end = end;
        Then::To(script::LOSS)
    }
}

/// Waits while credentials are being changed, which needs LTE off.
fn after_changes<F: Family>(_: &mut Nrf9160<F>, world: &mut World<'_>, _: Option<&[u8]>) -> Then {
    if world.changes_credentials() {
        world.again(PAUSE)
    } else {
        Then::Next
    }
}

/// Waits until no change of credentials is under way: its caller may have announced it and not yet
/// switched LTE off.
fn begin_to_join<F: Family>(
    modem: &mut Nrf9160<F>,
    world: &mut World<'_>,
    _: Option<&[u8]>,
) -> Then {
    if world.changes_credentials() {
        return world.again(PAUSE);
    }
    modem.joining.left = false;
    modem.joining.confirmed_off = false;
    Then::Next
}

/// Starts the registration over if a change of credentials has switched LTE off in the meantime; waits
/// until the change is over.
fn begin_anew<F: Family>(modem: &Nrf9160<F>, world: &mut World<'_>) -> Option<Then> {
    let changing = world.changes_credentials();
    modem.joining.left.then(|| match changing {
        true => world.again(PAUSE),
        false => Then::To(script::ONLINE),
    })
}

/// Notes whether LTE is on (sheet 2: 1, 2 and 21).
fn mode<F: Family>(modem: &mut Nrf9160<F>, world: &mut World<'_>, answer: Option<&[u8]>) -> Then {
    let Some(text) = answer else {
        return world.fail(error(world));
    };
    let mode = fields(text, "+CFUN:").int();
    modem.joining.active = matches!(mode, Some(1 | 2 | 21));
    modem.joining.has_apn = false;
    if modem.config.apn.is_some() {
        Then::Next
    } else {
        modem.join(script::CLOCK)
    }
}

/// Notes whether a line `+CGDCONT: 0,"IP","<apn>",..` has the configured APN.
fn context<F: Family>(modem: &mut Nrf9160<F>, _: &mut World<'_>, line: &[u8]) {
    let mut fields = fields(line, "+CGDCONT:");
    if fields.int() == Some(0) {
        fields.next();
        let apn = modem.config.apn.as_ref().map(|apn| apn.as_str().as_bytes());
        modem.joining.has_apn = fields.unquoted() == apn;
    }
}

fn contexts<F: Family>(
    modem: &mut Nrf9160<F>,
    world: &mut World<'_>,
    answer: Option<&[u8]>,
) -> Then {
    if answer.is_none() {
        return world.fail(error(world));
    }
    if modem.joining.has_apn {
        return modem.join(script::CLOCK);
    }
    Then::To(if modem.joining.active {
        script::APN
    } else {
        script::SET_APN
    })
}

/// Fails the flow. In a bring-up and in an open that is the error; a cleanup, which has no caller, has
/// the modem brought up again.
fn fail<F: Family>(modem: &Nrf9160<F>, world: &mut World<'_>, error: BringUpError) -> Then {
    if modem.joining.then == script::TIDIED {
        world.network_lost = true;
        return Then::End;
    }
    world.fail(error)
}

/// Fails a flow because of the step's command.
pub(crate) fn fail_at<F: Family>(
    modem: &Nrf9160<F>,
    world: &mut World<'_>,
    command: &'static str,
) -> Then {
    let error = error(world);
    fail(modem, world, BringUpError::At { command, error })
}

/// Goes on if the command was refused, since some firmware does not know it; fails if it was not
/// answered.
pub(crate) fn even_refused<F: Family>(
    modem: &Nrf9160<F>,
    world: &mut World<'_>,
    command: &'static str,
) -> Then {
    if world.ended.is_some() {
        return fail_at(modem, world, command);
    }
    Then::Next
}

fn switched_on<F: Family>(
    modem: &mut Nrf9160<F>,
    world: &mut World<'_>,
    answer: Option<&[u8]>,
) -> Then {
    if answer.is_none() {
        return fail_at(modem, world, "AT+CFUN");
    }
    modem.sim.begin();
    modem.joining.since = world.now;
    Then::To(script::SIM)
}

fn sim<F: Family>(modem: &mut Nrf9160<F>, world: &mut World<'_>, answer: Option<&[u8]>) -> Then {
    if let Some(then) = begin_anew(modem, world) {
        return then;
    }
    if world.ended.is_some() {
        return fail_at(modem, world, "AT+CPIN");
    }
    let waited = world.now.wrapping_sub(modem.joining.since);
    let has_pin = modem.config.pin.is_some();
    match modem.sim.asked(answer, world.code, waited, has_pin) {
        SimNext::Ready => {
            modem.joining.since = world.now;
            Then::To(script::REGISTRATION)
        }
        SimNext::Count => Then::To(script::COUNT_TRIES),
        SimNext::Wait(pause) => world.again(pause),
        SimNext::Fail(error) => fail(modem, world, error),
    }
}

fn entered<F: Family>(
    modem: &mut Nrf9160<F>,
    world: &mut World<'_>,
    answer: Option<&[u8]>,
) -> Then {
    if world.ended == Some(AtError::ModemReset) {
        return fail_at(modem, world, "AT+CPIN");
    }
    if let Err(error) = modem.sim.entered(answer.is_some(), world.ended, world.code) {
        return fail(modem, world, error);
    }
    world.pause = PAUSE;
    Then::To(script::SIM)
}

fn tries_counted<F: Family>(
    modem: &mut Nrf9160<F>,
    world: &mut World<'_>,
    answer: Option<&[u8]>,
) -> Then {
    match modem.sim.has_tries(answer) {
        Ok(()) => Then::To(script::ENTER_PIN),
        Err(error) => fail(modem, world, error),
    }
}

fn registered<F: Family>(
    modem: &mut Nrf9160<F>,
    world: &mut World<'_>,
    answer: Option<&[u8]>,
) -> Then {
    if let Some(then) = begin_anew(modem, world) {
        return then;
    }
    let Some(text) = answer else {
        return fail_at(modem, world, "AT+CEREG?");
    };
    let status = modem.joining.registering.told(Some(text), "+CEREG:");
    let waited = world.now.wrapping_sub(modem.joining.since);
    match status {
        1 | 5 => {
            modem.offline = false;
            match modem.joining.then {
                script::CLOCK => modem.look_at_clock(None),
                then => Then::To(then),
            }
        }
        // 90 is a failure of the UICC.
        90 => fail(modem, world, BringUpError::SimNotReady(Code::Plain)),
        _ if waited < modem.config.registration => {
            world.registration_is(status);
            world.again(PAUSE)
        }
        _ => {
            let failure = modem.joining.registering.failure(None);
            fail(modem, world, failure)
        }
    }
}

fn judge_loss<F: Family>(
    modem: &mut Nrf9160<F>,
    world: &mut World<'_>,
    answer: Option<&[u8]>,
) -> Then {
    if answer.is_some_and(|text| !matches!(registration(text, "+CEREG:"), Some(1 | 5))) {
        world.network_lost = true;
    }
    modem.joining.end
}
