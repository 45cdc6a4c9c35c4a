//! From any state of the modem to one with a data connection and no sockets (sheet 1).

use core::pin::pin;

use embassy_time::{Duration, Instant, Timer};
use sectag::modem::{Modem, apart};
use sectag::{At, AtError, BringUpError, Cause, Code, Power};

use crate::commands::{
    Activate, Attention, ContextQuery, Deactivate, EnterPin, GsmRegistration, LastError,
    LteRegistration, Reboot, SetContext, Setting, Signal, Sim, SimQuery,
};
#[cfg(feature = "radio")]
use crate::radio;
use crate::{Bg96, clock, codes, files, keys, sockets};

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
    apart(pin!(settings(modem, at))).await?;
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
    apart(pin!(sim(modem, at))).await?;
    #[cfg(feature = "radio")]
    radio::apply(modem, at).await?;
    apart(pin!(registration(modem, at))).await?;
    apart(pin!(context(modem, at))).await?;
    step("AT+CCLK", clock::bring_up(modem, at).await)
}

fn step<T>(command: &'static str, result: Result<T, AtError>) -> Result<T, BringUpError> {
    result.map_err(|error| BringUpError::At { command, error })
}

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
    let alive = (restarting && boots(at).await)
        || (!off && (answers(at, 6).await || completes_payload(at).await))
        || revive(at, power, off).await;
    if !alive {
        return Err(BringUpError::NoAnswer);
    }
    if at.synchronise().await {
        Ok(())
    } else {
        Err(BringUpError::NoAnswer)
    }
}

/// Asks up to `tries` times. The first answer may be an ERROR to half a command of an earlier life.
async fn answers(at: &mut At<'_>, tries: usize) -> bool {
    for _ in 0..tries {
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

/// A modem whose MCU was reset between prompt and payload waits for ever for up to 1460 bytes, or for
/// the character that ends or cancels a payload of no announced length (sheet 4.3); to one in line
/// mode they are nothing.
async fn completes_payload(at: &mut At<'_>) -> bool {
    at.filler(CANCEL, 1).await.is_ok()
        && at.filler(b'\r', Bg96::LIMITS.max_send).await.is_ok()
        && answers(at, 4).await
}

/// Uses the pins there are on a modem that is off, or on and deaf.
async fn revive(at: &mut At<'_>, power: &mut dyn Power, off: bool) -> bool {
    if power.has_power_key() {
        let status = power.status();
        if status == Some(true) {
            // Off first.
            press(power).await;
            Timer::after(SHUTDOWN).await;
        }
        // Without a status pin nobody knows whether the first press switched it on or off.
        for _ in 0..if status.is_none() { 2 } else { 1 } {
            press(power).await;
            at.follow_restart();
            if boots(at).await {
                return true;
            }
        }
        if !power.has_reset() {
            return false;
        }
    }
    // Only when the key has not helped (sheet 1.1).
    if power.has_reset() && !off {
        power.reset(true);
        Timer::after(RESET_PULSE).await;
        power.reset(false);
        at.follow_restart();
    }
    boots(at).await
}

async fn press(power: &mut dyn Power) {
    power.power_key(true);
    Timer::after(KEY_PRESS).await;
    power.power_key(false);
}

async fn boots(at: &mut At<'_>) -> bool {
    let limit = Instant::now() + BOOT_LIMIT;
    while Instant::now() < limit {
        if answers(at, 1).await {
            return true;
        }
    }
    false
}

async fn settings(modem: &Bg96, at: At<'_>) -> Result<(), BringUpError> {
    let settings = [
        Setting::EchoOff,
        Setting::NumericErrors,
        Setting::UrcsToUart,
        Setting::IgnoreDtr,
        Setting::PayloadEchoOff,
        Setting::FlowControl,
    ];
    let count = settings.len() - usize::from(!modem.config.flow_control);
    for setting in &settings[..count] {
        match at.send(setting).await {
            Err(AtError::Refused(_)) if setting.is_optional() => {}
            result => step(setting.text(), result.map(|_| ()))?,
        }
    }
    Ok(())
}

async fn sim(modem: &Bg96, at: At<'_>) -> Result<(), BringUpError> {
    let start = Instant::now();
    let mut entered = false;
    loop {
        match at.send(&SimQuery).await {
            Ok(Sim::Ready) => return Ok(()),
            Ok(Sim::Pin) if !entered => {
                let pin = modem.config.pin.ok_or(BringUpError::SimLocked)?;
                // Three wrong tries lock the SIM.
                if modem.pin_refused.get() {
                    return Err(BringUpError::SimPinRefused);
                }
                entered = true;
                match at.send(&EnterPin(pin)).await {
                    Ok(_) => {}
                    Err(AtError::Refused(_)) => {
                        modem.pin_refused.set(true);
                        return Err(BringUpError::SimPinRefused);
                    }
                    Err(error) => {
                        return Err(BringUpError::At {
                            command: "AT+CPIN",
                            error,
                        });
                    }
                }
            }
            Ok(Sim::NotReady) if start.elapsed() < SIM_MISSING_LIMIT => {}
            Ok(Sim::NotReady) => return Err(BringUpError::SimMissing(Code::Plain)),
            // The modem may take a moment to believe the PIN.
            Ok(Sim::Pin) if start.elapsed() < SIM_LIMIT => {}
            // The PIN was taken, and it is still asked for.
            Ok(Sim::Pin) => return Err(BringUpError::SimPinRefused),
            Ok(Sim::Puk) => return Err(BringUpError::SimPukNeeded),
            Ok(Sim::Foreign) => return Err(BringUpError::SimForeign),
            // 14: busy; others: not read yet, or not there.
            Err(AtError::Refused(code)) => {
                let limit = if code == Code::Cme(14) {
                    SIM_LIMIT
                } else {
                    SIM_MISSING_LIMIT
                };
                if start.elapsed() >= limit {
                    return Err(match code {
                        Code::Cme(11) => BringUpError::SimLocked,
                        Code::Cme(12) => BringUpError::SimPukNeeded,
                        Code::Cme(16) => BringUpError::SimPinRefused,
                        code => BringUpError::SimMissing(code),
                    });
                }
            }
            Err(error) => {
                return Err(BringUpError::At {
                    command: "AT+CPIN",
                    error,
                });
            }
        }
        Timer::after_millis(500).await;
    }
}

async fn registration(modem: &Bg96, at: At<'_>) -> Result<(), BringUpError> {
    let start = Instant::now();
    loop {
        let lte = step("AT+CEREG", at.send(&LteRegistration).await)?.0;
        // Home or roaming.
        if matches!(lte, 1 | 5) {
            return Ok(());
        }
        let gsm = step("AT+CGREG", at.send(&GsmRegistration).await)?.0;
        if matches!(gsm, 1 | 5) {
            return Ok(());
        }
        if start.elapsed() >= modem.config.registration {
            return Err(BringUpError::NotRegistered {
                status: lte.try_into().unwrap_or(u8::MAX),
                // 99: not known or not detectable (sheet 1.5).
                heard: at.send(&Signal).await.ok().map(|rssi| rssi.0 <= 31),
            });
        }
        Timer::after_secs(1).await;
    }
}

async fn context(modem: &Bg96, at: At<'_>) -> Result<(), BringUpError> {
    if modem.context_lost.get() {
        match at.send(&Deactivate).await {
            Ok(_) | Err(AtError::Refused(_)) => {}
            Err(error) => {
                return Err(BringUpError::At {
                    command: "AT+QIDEACT",
                    error,
                });
            }
        }
        modem.context_lost.set(false);
        at.forget_network_lost();
    } else if step("AT+QIACT?", at.send(&ContextQuery).await)?.0 == 1 {
        return Ok(());
    }
    if let Some(apn) = modem.config.apn {
        let (user, password, auth) = (modem.config.user, modem.config.password, modem.config.auth);
        step(
            "AT+QICSGP",
            at.send(&SetContext {
                apn,
                user,
                password,
                auth,
            })
            .await,
        )?;
    }
    match at.send(&Activate).await {
        Ok(_) => Ok(()),
        Err(AtError::Refused(code)) => {
            let refusal = codes::activation_refused(explain(at, code).await);
            Err(BringUpError::PdpRefused(if modem.config.apn.is_some() {
                refusal.without(Cause::ApnMissing)
            } else {
                refusal
            }))
        }
        Err(error) => Err(BringUpError::At {
            command: "AT+QIACT",
            error,
        }),
    }
}

/// A bare ERROR has its number in QIGETERROR.
pub(crate) async fn explain(at: At<'_>, code: Code) -> Code {
    match at.send(&LastError).await {
        Ok(number) if number.0 != 0 => number.0.try_into().map_or(code, codes::vendor),
        _ => code,
    }
}
