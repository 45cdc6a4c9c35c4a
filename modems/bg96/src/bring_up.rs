//! From any state of the modem to one with a data connection and no sockets (sheet 1).

use core::pin::pin;

use embassy_time::{Duration, Instant, Timer};
use sectag::at::{Fields, answer};
use sectag::modem::{Modem, apart};
use sectag::{At, AtError, BringUpError, Cause, Code, MIN_DATE, Power};

use crate::commands::{Attention, LastError, PDP_CONTEXT, Reboot, Sim, is_active, last_error};
#[cfg(feature = "radio")]
use crate::radio;
use crate::steps::{Answer, Flow, Forgives, Step, Then, optional, refuse, required};
use crate::{Bg96, clock, codes, dialect, escalation, files, keys, sockets};

/// The UART is active 4.9 s after the power key (sheet 1.1); ST waits 5.5 s, a cold one longer.
const BOOT_LIMIT: Duration = Duration::from_secs(12);
/// On after 500 ms, off after 650 ms: long enough for either.
const KEY_PRESS: Duration = Duration::from_millis(700);
/// RESET_N takes 150 to 460 ms.
const RESET_PULSE: Duration = Duration::from_millis(300);
/// Switching off by key takes at least 2 s, sometimes more than 4.
const SHUTDOWN: Duration = Duration::from_secs(5);
/// ESC.
const CANCEL: u8 = 0x1b;
/// "Reboot if the SIM is not identified in 20 s" (sheet 1.4).
const SIM_LIMIT: Duration = Duration::from_secs(20);
/// A SIM that is not there is reported at once, one that is just being read as well.
const SIM_MISSING_LIMIT: Duration = Duration::from_secs(5);
/// A BG95 answers ERROR between RDY and APP RDY; a BG96 may not print APP RDY at all (sheet 1.2).
const APP_READY_LIMIT: Duration = Duration::from_secs(2);

pub(crate) async fn run(
    modem: &Bg96,
    at: &mut At<'_>,
    power: &mut dyn Power,
) -> Result<(), BringUpError> {
    loop {
        apart(pin!(wake(at, power))).await?;
        if !modem.reboot.take() {
            break;
        }
        // It says OK, or restarts before it comes to that.
        let _ = at.send(&Reboot).await;
    }
    let at = *at;
    modem.clock_floor.set(None);
    modem.limited.set(0);
    let mut flow = Flow::new(modem, at, MIN_DATE);
    apart(pin!(flow.bring_up(Then::Ask(&ECHO_OFF)))).await?;
    step("AT+QSSLCFG", apart(pin!(keys::discover(modem, at))).await)?;
    // The modem outlived the MCU's last life: its sockets are still there (sheet 5, quirk 8).
    for id in 0..Bg96::LIMITS.ids {
        step("AT+QSSLCLOSE", sockets::close(at, id).await)?;
    }
    match files::tidy(modem, at).await {
        // A file that cannot be deleted is no reason to stay down.
        Err(AtError::Refused(_)) => {}
        result => step("AT+QFDEL", result)?,
    }
    apart(pin!(flow.bring_up(Then::Ask(&SIM)))).await?;
    #[cfg(feature = "radio")]
    radio::apply(modem, at).await?;
    // With the data connection and the clock.
    apart(pin!(flow.bring_up(Then::Ask(&LTE_REGISTRATION)))).await
}

fn step<T>(command: &'static str, result: Result<T, AtError>) -> Result<T, BringUpError> {
    result.map_err(|error| BringUpError::At { command, error })
}

// The means to get an answer, in this order.
const WAIT: u8 = 0;
const ASK: u8 = 1;
const FILL: u8 = 2;
const KEY: u8 = 3;
const KEY_AGAIN: u8 = 4;
const RESET: u8 = 5;

/// Gets an answer out of the modem, by all means there are, and then synchronises.
async fn wake(at: &mut At<'_>, power: &mut dyn Power) -> Result<(), BringUpError> {
    // One that has just said so is starting: a key press now would switch it off.
    let restarting = at.follow_restart();
    let off = power.status() == Some(false);
    if !restarting && !off {
        // Another host, or our last life, may have left it in data mode, where `AT` would go to a
        // peer or into a file (sheet 3 and 4.7).
        at.escape().await;
    }
    let mut unsure = false;
    for means in WAIT..=RESET {
        // Presses of the key, or whether to pull the reset, and how often to ask; 0 is while it starts.
        let (mut pulses, tries) = match means {
            WAIT if restarting => (0, 0),
            ASK if !off => (0, 6),
            FILL if !off && completes_payload(at).await => (0, 4),
            KEY if power.has_power_key() => {
                let status = power.status();
                unsure = status.is_none();
                // Off first.
                (if status == Some(true) { 2 } else { 1 }, 0)
            }
            // Without a status pin nobody knows whether the first press switched it on or off.
            KEY_AGAIN if unsure => (1, 0),
            // Only when the key has not helped (sheet 1.1).
            RESET if power.has_reset() => (u8::from(!off), 0),
            RESET if !power.has_power_key() => (0, 0),
            _ => continue,
        };
        while pulses > 0 {
            drive(power, means, true);
            Timer::after(if means == RESET {
                RESET_PULSE
            } else {
                KEY_PRESS
            })
            .await;
            drive(power, means, false);
            pulses -= 1;
            if pulses > 0 {
                Timer::after(SHUTDOWN).await;
            }
            at.follow_restart();
        }
        if answers(at, tries).await {
            if at.synchronise().await {
                return Ok(());
            }
            break;
        }
    }
    Err(BringUpError::NoAnswer)
}

fn drive(power: &mut dyn Power, means: u8, on: bool) {
    if means == RESET {
        power.reset(on);
    } else {
        power.power_key(on);
    }
}

/// A modem whose MCU was reset between prompt and payload waits for ever for up to 1460 bytes, or for
/// the character that ends or cancels a payload of no announced length (sheet 4.3); to one in line
/// mode they are nothing.
async fn completes_payload(at: &mut At<'_>) -> bool {
    for (byte, count) in [(CANCEL, 1), (b'\r', Bg96::LIMITS.max_send)] {
        if at.filler(byte, count).await.is_err() {
            return false;
        }
    }
    true
}

/// Asks up to `tries` times, or as often as there is time while it starts. The first answer may be an
/// ERROR to half a command of an earlier life.
async fn answers(at: &mut At<'_>, tries: u8) -> bool {
    let limit = Instant::now() + BOOT_LIMIT;
    let mut left = tries;
    while left > 0 || tries == 0 && Instant::now() < limit {
        left = left.saturating_sub(1);
        match at.send(&Attention).await {
            Ok(_) => return true,
            // It is just starting.
            Err(AtError::ModemReset) => {
                at.follow_restart();
                at.booted(APP_READY_LIMIT).await;
            }
            Err(_) => {}
        }
    }
    false
}

static ECHO_OFF: Step = Step {
    next: Some(&NUMERIC_ERRORS),
    ..Step::new("E0", "E0", required)
};

/// Some come as text only at level 2 (sheet 3).
static NUMERIC_ERRORS: Step = Step {
    next: Some(&NOTICES_TO_UART),
    ..Step::new("+CMEE=1", "+CMEE=1", required)
};

/// URCs go to the USB port by default, and then nobody is told of data (sheet 0).
static NOTICES_TO_UART: Step = {
    const TEXT: &str = "+QURCCFG=\"urcport\",\"uart1\"";
    Step {
        next: Some(&IGNORE_DTR),
        ..Step::new(TEXT, TEXT, required)
    }
};

/// DTR is not wired on most boards.
static IGNORE_DTR: Step = Step {
    next: Some(&PAYLOAD_ECHO_OFF),
    ..Step::new("&D0", "&D0", optional)
};

/// No echo of payload (sheet 4.8).
static PAYLOAD_ECHO_OFF: Step = Step::new("+QISDE=0", "+QISDE=0", |flow, _| {
    if flow.modem.config.flow_control {
        Then::Ask(&FLOW_CONTROL)
    } else {
        Then::Done
    }
});

static FLOW_CONTROL: Step = Step::new("+IFC=2,2", "+IFC=2,2", required);

static SIM: Step = Step {
    limit: 50,
    ..Step::new("AT+CPIN", "+CPIN?", sim)
};

fn sim(flow: &mut Flow<'_>, answer: Answer<'_>) -> Then {
    let (limit, error) = match answer.map(Sim::read) {
        Ok(None) => return Then::Fail(AtError::Garbled),
        Ok(Some(Sim::Ready)) => return Then::Done,
        Ok(Some(Sim::Pin)) if !flow.entered => {
            if flow.modem.config.pin.is_none() {
                return flow.fail(BringUpError::SimLocked);
            }
            // Three wrong tries lock the SIM.
            if flow.modem.pin_refused.get() {
                return flow.fail(BringUpError::SimPinRefused);
            }
            flow.entered = true;
            return Then::Ask(&ENTER_PIN);
        }
        Ok(Some(Sim::NotReady)) => (SIM_MISSING_LIMIT, BringUpError::SimMissing(Code::Plain)),
        // The modem may take a moment to believe the PIN. Or it was taken, and is still asked for.
        Ok(Some(Sim::Pin)) => (SIM_LIMIT, BringUpError::SimPinRefused),
        Ok(Some(Sim::Puk)) => (Duration::MIN, BringUpError::SimPukNeeded),
        Ok(Some(Sim::Foreign)) => (Duration::MIN, BringUpError::SimForeign),
        // 14: busy; others: not read yet, or not there.
        Err(code) => match code {
            Code::Cme(11) => (SIM_MISSING_LIMIT, BringUpError::SimLocked),
            Code::Cme(12) => (SIM_MISSING_LIMIT, BringUpError::SimPukNeeded),
            Code::Cme(14) => (SIM_LIMIT, BringUpError::SimMissing(code)),
            Code::Cme(16) => (SIM_MISSING_LIMIT, BringUpError::SimPinRefused),
            _ => (SIM_MISSING_LIMIT, BringUpError::SimMissing(code)),
        },
    };
    if flow.start.elapsed() < limit {
        Then::Later(&SIM, 500)
    } else {
        flow.fail(error)
    }
}

static ENTER_PIN: Step = Step {
    limit: 50,
    arguments: |flow, line| match flow.modem.config.pin {
        Some(pin) => line.quoted(pin.expose().as_str()),
        None => line,
    },
    ..Step::new("AT+CPIN", "+CPIN", |flow, answer| {
        if answer.is_ok() {
            return Then::Later(&SIM, 500);
        }
        flow.modem.pin_refused.set(true);
        flow.fail(BringUpError::SimPinRefused)
    })
};

/// On LTE-M `+CGREG` often says 4 while attached (sheet T7), on GSM it is the one that counts.
static LTE_REGISTRATION: Step = Step::new("AT+CEREG", "+CEREG?", |flow, answer| {
    registered(flow, answer, "+CEREG:")
});
static GSM_REGISTRATION: Step = Step::new("AT+CGREG", "+CGREG?", |flow, answer| {
    registered(flow, answer, "+CGREG:")
});

fn registered(flow: &mut Flow<'_>, answer: Answer<'_>, prefix: &str) -> Then {
    let text = match answer {
        Ok(text) => text,
        Err(code) => return refuse(code),
    };
    match dialect::registration(text, prefix) {
        None => Then::Fail(AtError::Garbled),
        // Home or roaming.
        Some(1 | 5) => Then::Ask(if flow.modem.context_lost.get() {
            &DEACTIVATE
        } else {
            &CONTEXT
        }),
        Some(status) if prefix == "+CEREG:" => {
            flow.lte = status;
            Then::Ask(&GSM_REGISTRATION)
        }
        Some(_) if flow.start.elapsed() < flow.modem.config.registration => {
            Then::Later(&LTE_REGISTRATION, 1000)
        }
        Some(_) => Then::Ask(&SIGNAL),
    }
}

/// 0 to 31; 99: not known or not detectable (sheet 1.5).
static SIGNAL: Step = Step {
    forgives: Forgives::All,
    ..Step::new("AT+CSQ", "+CSQ", |flow, text| {
        let strength = text.ok().and_then(|text| answer(text, "+CSQ:"));
        let strength = strength.and_then(|text| Fields::new(text).int());
        flow.fail(BringUpError::NotRegistered {
            status: flow.lte,
            heard: strength.map(|rssi| rssi <= 31),
        })
    })
};

static DEACTIVATE: Step = Step {
    limit: 400,
    ..Step::new("AT+QIDEACT", "+QIDEACT=1", |flow, _| {
        flow.modem.context_lost.set(false);
        flow.at.forget_network_lost();
        let next = flow.anew.unwrap_or(activation(flow));
        flow.anew = Some(next);
        Then::Ask(next)
    })
};

/// An active one must not be activated again: some firmware answers `ERROR` (sheet 1.6). One that is not
/// listed need not be down.
static CONTEXT: Step = Step {
    limit: 1500,
    ..Step::new("AT+QIACT?", "+QIACT?", |flow, answer| match answer {
        Ok(text) if is_active(text) => clock::at_bring_up(flow),
        _ => Then::Ask(activation(flow)),
    })
};

fn activation(flow: &Flow<'_>) -> &'static Step {
    if flow.modem.config.apn.is_some() {
        &SET_CONTEXT
    } else {
        &ACTIVATE
    }
}

/// The judge of what makes a data connection. One that was lost in an earlier life of the host, or is up
/// and not listed, refuses all of it until it is deactivated, and nothing else tells (sheet 1.6). So only
/// the second refusal is about the network.
fn activated(flow: &mut Flow<'_>, answer: Answer<'_>) -> Then {
    let Err(code) = answer else {
        return match flow.step.next {
            Some(next) => Then::Ask(next),
            None => clock::at_bring_up(flow),
        };
    };
    flow.refused = code;
    Then::Ask(if flow.anew.is_none() {
        flow.anew = Some(flow.step);
        &DEACTIVATE
    } else {
        escalation::context_refused(flow.modem);
        &LAST_ERROR
    })
}

static SET_CONTEXT: Step = Step {
    arguments: |flow, line| {
        let config = &flow.modem.config;
        line.int(PDP_CONTEXT)
            .int(1)
            .quoted(config.apn.as_ref().map_or("", |apn| apn.as_str()))
            .quoted(config.user.as_str())
            .quoted(config.password.expose().as_str())
            .int(config.auth.code())
    },
    next: Some(&ACTIVATE),
    ..Step::new("AT+QICSGP", "+QICSGP", activated)
};

static ACTIVATE: Step = Step {
    limit: 1500,
    ..Step::new("AT+QIACT", "+QIACT=1", activated)
};

static LAST_ERROR: Step = Step {
    forgives: Forgives::All,
    ..Step::new("AT+QIGETERROR", "+QIGETERROR", |flow, answer| {
        let number = answer.ok().and_then(last_error);
        let refusal = codes::activation_refused(explained(flow.refused, number));
        flow.fail(BringUpError::PdpRefused(
            if flow.modem.config.apn.is_some() {
                refusal.without(Cause::ApnMissing)
            } else {
                refusal
            },
        ))
    })
};

/// A bare ERROR has its number in QIGETERROR.
pub(crate) async fn explain(at: At<'_>, code: Code) -> Code {
    let number = at.send(&LastError).await;
    explained(code, number.ok().map(|number| number.0))
}

fn explained(code: Code, number: Option<u32>) -> Code {
    match number {
        Some(number) if number != 0 => number.try_into().map_or(code, codes::vendor),
        _ => code,
    }
}
