//! From any state of the modem to one on the network and without sockets (sheet 1, 2 and 11).

use core::cell::Cell;

use embassy_time::{Duration, Instant, Timer};
use sectag::at::{Fields, answer};
use sectag::modem::Terminator;
use sectag::{At, AtError, BringUpError, Code, Power};

use crate::commands::{Arg, Command, QUICK, SLOW, accepted, ask};
use crate::dialect::Firmware;
use crate::{Nrf9160, SILENCE, clock, sockets};

/// 0.5 to 1 s from a reset to `Ready` (sheet 1.5, estimated).
const BOOT_LIMIT: Duration = Duration::from_secs(5);
const PRESS: Duration = Duration::from_millis(200);
/// A SIM is read within seconds of `+CFUN=1`.
const SIM_LIMIT: Duration = Duration::from_secs(10);
/// One that has just answered is as quick again.
const CR_PATIENCE: u32 = 200;
/// CR first: to a build that ends lines with it, the LF of CR LF would be the first byte of data mode.
const TERMINATORS: [Terminator; 3] = [Terminator::Cr, Terminator::CrLf, Terminator::Lf];

/// `#XSLMUART`, which outlives a reset, and `+IPR` (sheet 1.1), the likeliest first.
const SPEEDS: [u32; 13] = [
    115_200, 921_600, 460_800, 9_600, 57_600, 230_400, 1_000_000, 38_400, 19_200, 14_400, 4_800,
    2_400, 1_200,
];

pub(crate) async fn run(
    modem: &Nrf9160,
    at: &mut At<'_>,
    power: &mut dyn Power,
) -> Result<(), BringUpError> {
    modem.idle.set(false);
    modem.wired.set(power.has_power_key() || power.has_reset());
    wake(modem, at, power).await?;
    let at = *at;
    modem.forget();
    identify(modem, at).await?;
    if modem.config.generated_key && modem.firmware.get().is_native() {
        return Err(BringUpError::Firmware {
            reason: "the device's key was made in the modem, and this firmware brings its own TLS, which does not see such keys: use a build without native TLS, or store a key from outside and leave Config::generated_key out",
        });
    }
    step("AT#XCLOSE", sockets::close_all(modem, at).await)?;
    network(modem, at).await?;
    step("AT%CCLK", clock::bring_up(modem, at).await)
}

fn step<T>(command: &'static str, result: Result<T, AtError>) -> Result<T, BringUpError> {
    result.map_err(|error| BringUpError::At { command, error })
}

/// `#XSLEEP=1` (sheet 1.5), or what SM has in its place; the wake pin or the reset pin ends it.
pub(crate) async fn system_off(modem: &Nrf9160, at: At<'_>) -> Result<(), AtError> {
    if !modem.wired.get() {
        return Err(AtError::Unsupported);
    }
    functionality(at, 0).await?;
    let args = [Arg::Int(1)];
    let off = if modem.firmware.get().has_handles() {
        Command::<QUICK>::new("#XSHUTDOWN", &[])
    } else {
        Command::<QUICK>::new("#XSLEEP", &args)
    };
    at.send(&off).await.map(|_| ())
}

/// `#XSLEEP=2` (SLM, sheet 1.5): UART off, LTE on. SM has pins of its own for it.
pub(crate) async fn idle(modem: &Nrf9160, at: At<'_>) -> Result<(), AtError> {
    if modem.firmware.get().has_handles() {
        return Err(AtError::Unsupported);
    }
    let args = [Arg::Int(2)];
    at.send(&Command::<QUICK>::new("#XSLEEP", &args)).await?;
    modem.idle.set(true);
    Ok(())
}

/// Gets answers out of the modem, finds out what ends a line for it, and synchronises.
async fn wake(modem: &Nrf9160, at: &mut At<'_>, power: &mut dyn Power) -> Result<(), BringUpError> {
    let restarting = at.follow_restart();
    if !restarting {
        at.escape().await;
    }
    if !(answers(modem, at).await
        || leaves_quotes(at).await
        || finds_speed(modem, at, power).await
        || revive(modem, at, power).await)
    {
        return Err(BringUpError::NoAnswer);
    }
    // The answer to the query that synchronises says whether this was ever sent, see `dialect::line`.
    step(
        "AT+CMEE",
        at.send(&Command::<QUICK>::new("+CMEE=1", &[])).await,
    )?;
    if at.synchronise().await && settles_terminator(modem, at).await {
        Ok(())
    } else {
        Err(BringUpError::NoAnswer)
    }
}

/// Asks with each terminator, the last that was answered first.
async fn answers(modem: &Nrf9160, at: &mut At<'_>) -> bool {
    let known = modem.terminator.get();
    let others = TERMINATORS
        .into_iter()
        .filter(|other| Some(*other) != known);
    for terminator in known.into_iter().chain(others) {
        at.set_terminator(terminator);
        if answers_twice(at).await {
            return true;
        }
    }
    false
}

/// A build that ends lines with CR alone answers those with CR LF too, and would then take the LF for the
/// first byte of a payload. It may be found so when it was not listening as it was asked with CR, or when
/// answers came late: so it is asked once more where none is to come. Returns whether it is in step then.
async fn settles_terminator(modem: &Nrf9160, at: &mut At<'_>) -> bool {
    let found = at.terminator();
    if found == Terminator::CrLf && modem.terminator.get() != Some(found) {
        // Twice, since an answer may be lost.
        for _ in 0..2 {
            match ends_in_cr(at).await {
                Some(true) => break,
                Some(false) => {
                    // It waits for the end of that line, and refuses what it becomes with the next.
                    at.set_terminator(found);
                    if !(answers_twice(at).await && at.synchronise().await) {
                        return false;
                    }
                }
                None => return false,
            }
        }
    }
    modem.terminator.set(Some(at.terminator()));
    true
}

/// Whether CR alone ends a line. Silence speaks against it, a restart or noise for nothing.
async fn ends_in_cr(at: &mut At<'_>) -> Option<bool> {
    at.set_terminator(Terminator::Cr);
    for _ in 0..4 {
        match at.send(&Command::<CR_PATIENCE>::new("", &[])).await {
            Ok(_) => return Some(true),
            Err(AtError::Timeout) => return Some(false),
            Err(AtError::ModemReset) => {
                at.follow_restart();
            }
            Err(_) => {}
        }
    }
    None
}

/// One answer may be to a line that ended elsewhere than this one; the first may be an ERROR to what was
/// left of an earlier life.
async fn answers_twice(at: &mut At<'_>) -> bool {
    let mut in_a_row = 0;
    let mut silences = 0;
    for _ in 0..6 {
        match at.send(&Command::<500>::new("", &[])).await {
            Ok(_) => in_a_row += 1,
            Err(AtError::ModemReset) => {
                at.follow_restart();
                in_a_row = 0;
            }
            Err(AtError::Refused(_)) => in_a_row = 0,
            Err(_) => {
                in_a_row = 0;
                silences += 1;
            }
        }
        if in_a_row == 2 {
            return true;
        }
        if silences == 2 {
            return false;
        }
    }
    false
}

/// An MCU that was reset in the middle of a certificate leaves a modem that takes everything for its
/// rest. The backspaces also complete a payload of announced length (SM).
async fn leaves_quotes(at: &mut At<'_>) -> bool {
    for terminator in [Terminator::CrLf, Terminator::Cr, Terminator::Lf] {
        at.set_terminator(terminator);
        at.unquote().await;
        at.follow_restart();
        if answers_twice(at).await {
            return true;
        }
    }
    false
}

/// Asks at the modem's other speeds, where the UART can be set to them, and stays at the one that was
/// answered. In vain it moves on by one each time, so that a modem which hears but is inside quotes is got
/// out of them at its own speed in the end.
async fn finds_speed(modem: &Nrf9160, at: &mut At<'_>, power: &mut dyn Power) -> bool {
    let first = usize::from(modem.speed.get());
    for step in 1..=SPEEDS.len() {
        let index = (first + step) % SPEEDS.len();
        if !power.set_speed(SPEEDS[index]) {
            return false;
        }
        modem.speed.set(index as u8);
        // What came at the wrong speed may be the beginning of anything.
        at.follow_restart();
        if answers(modem, at).await {
            return true;
        }
    }
    let next = (first + 1) % SPEEDS.len();
    power.set_speed(SPEEDS[next]);
    modem.speed.set(next as u8);
    false
}

/// By the wake pin and the reset pin, as far as they are there.
async fn revive(modem: &Nrf9160, at: &mut At<'_>, power: &mut dyn Power) -> bool {
    if power.has_power_key() {
        power.power_key(true);
        Timer::after(PRESS).await;
        power.power_key(false);
        if boots(modem, at).await {
            return true;
        }
    }
    if power.has_reset() {
        power.reset(true);
        Timer::after(PRESS).await;
        power.reset(false);
    }
    boots(modem, at).await
}

async fn boots(modem: &Nrf9160, at: &mut At<'_>) -> bool {
    let limit = Instant::now() + BOOT_LIMIT;
    while Instant::now() < limit {
        at.follow_restart();
        if answers(modem, at).await {
            return true;
        }
    }
    false
}

/// Which firmware this is. A garbled answer would be believed until the next restart, and with the wrong
/// silence what is sent would end data mode: what was not known before is asked until two answers agree.
async fn identify(modem: &Nrf9160, at: At<'_>) -> Result<(), BringUpError> {
    let mut last = (modem.firmware.get(), modem.silence.get());
    for _ in 0..4 {
        let found = look(at).await?;
        if found == last {
            modem.firmware.set(found.0);
            modem.silence.set(found.1);
            return Ok(());
        }
        last = found;
    }
    step("AT#XSLMVER", Err(AtError::Garbled))
}

/// Firmware (sheet 0.1) and the inactivity limit of its data mode.
async fn look(at: At<'_>) -> Result<(Firmware, Duration), BringUpError> {
    let version = Command::<QUICK>::new("#XSLMVER", &[]);
    let slm = |fields: &mut Fields<'_>| fields.text().map(Firmware::slm);
    let firmware = match ask(at, &version, "#XSLMVER:", slm).await {
        Ok(Some(firmware)) => firmware,
        Ok(None) => return step("AT#XSLMVER", Err(AtError::Garbled)),
        Err(AtError::Refused(_)) if step("AT#XSMVER", accepted(at, "#XSMVER").await)? => {
            Firmware::SERIAL_MODEM
        }
        // Neither: no firmware that this backend is for.
        Err(error) => return step("AT#XSLMVER", Err(error)),
    };
    let mut native = false;
    let listed = at
        .lines(&Command::<QUICK>::new("#XCLAC", &[]), &mut |line| {
            native |= line.trim_ascii() == b"AT#XCMNG";
        })
        .await;
    step("AT#XCLAC", listed)?;
    let limit = Command::<QUICK>::new("#XDATACTRL?", &[]);
    let limits = |fields: &mut Fields<'_>| Some((fields.int()?, fields.int()?));
    let silence = match ask(at, &limit, "#XDATACTRL:", limits).await {
        // It cannot be set below its minimum.
        Ok(Some((now, least))) if now >= least => Duration::from_millis(now.into()),
        _ => SILENCE,
    };
    Ok((firmware.with_native(native), silence))
}

async fn network(modem: &Nrf9160, at: At<'_>) -> Result<(), BringUpError> {
    let active = step("AT+CFUN?", is_active(at).await)?;
    if let Some(apn) = modem.config.apn
        && !step("AT+CGDCONT?", has_apn(at, apn.as_str()).await)?
    {
        if active {
            step("AT+CFUN", functionality(at, 4).await)?;
        }
        let context = [Arg::Int(0), Arg::Quoted("IP"), Arg::Quoted(apn.as_str())];
        step(
            "AT+CGDCONT",
            at.send(&Command::<QUICK>::new("+CGDCONT", &context)).await,
        )?;
    }
    online(modem, at).await
}

async fn has_apn(at: At<'_>, apn: &str) -> Result<bool, AtError> {
    let context = Command::<QUICK>::new("+CGDCONT?", &[]);
    let same = Cell::new(false);
    at.lines(&context, &mut |line| {
        if let Some(text) = answer(line, "+CGDCONT:") {
            let mut fields = Fields::new(text);
            if fields.int() == Some(0) {
                fields.next();
                same.set(fields.text() == Some(apn));
            }
        }
    })
    .await?;
    Ok(same.get())
}

/// Whether LTE is on (sheet 2: 1, 2 and 21).
pub(crate) async fn is_active(at: At<'_>) -> Result<bool, AtError> {
    let mode = Command::<QUICK>::new("+CFUN?", &[]);
    let mode = ask(at, &mode, "+CFUN:", |fields| fields.int()).await?;
    Ok(matches!(mode, Some(1 | 2 | 21)))
}

pub(crate) async fn functionality(at: At<'_>, mode: u32) -> Result<(), AtError> {
    let args = [Arg::Int(mode)];
    at.send(&Command::<SLOW>::new("+CFUN", &args))
        .await
        .map(|_| ())
}

/// Switches LTE on and waits for registration.
pub(crate) async fn online(modem: &Nrf9160, at: At<'_>) -> Result<(), BringUpError> {
    for setting in ["%XTIME=1", "+CEREG=1"] {
        step("AT+CEREG", accepted(at, setting).await)?;
    }
    step("AT+CFUN", functionality(at, 1).await)?;
    sim(modem, at).await?;
    let start = Instant::now();
    loop {
        let status = step("AT+CEREG?", registration(at).await)?;
        match status {
            1 | 5 => {
                modem.offline.set(false);
                return Ok(());
            }
            // UICC failure.
            90 => return Err(BringUpError::SimMissing(Code::Plain)),
            _ => {}
        }
        if start.elapsed() >= modem.config.registration {
            return Err(BringUpError::NotRegistered {
                status,
                heard: None,
            });
        }
        Timer::after_millis(500).await;
    }
}

/// `<stat>` of `+CEREG`.
pub(crate) async fn registration(at: At<'_>) -> Result<u8, AtError> {
    let query = Command::<QUICK>::new("+CEREG?", &[]);
    let status = ask(at, &query, "+CEREG:", |fields| {
        fields.next();
        fields.byte()
    });
    Ok(status.await?.unwrap_or(4))
}

async fn sim(modem: &Nrf9160, at: At<'_>) -> Result<(), BringUpError> {
    let start = Instant::now();
    let mut entered = false;
    loop {
        let query = Command::<QUICK>::new("+CPIN?", &[]);
        let state = ask(at, &query, "+CPIN:", |fields| {
            Some(match fields.text()? {
                "READY" => Ok(true),
                "SIM PIN" => Ok(false),
                "SIM PUK" => Err(BringUpError::SimPukNeeded),
                _ => Err(BringUpError::SimForeign),
            })
        });
        match state.await {
            Ok(Some(Ok(true))) => return Ok(()),
            Ok(Some(Err(error))) => return Err(error),
            Ok(Some(Ok(false))) if entered && start.elapsed() >= SIM_LIMIT => {
                return Err(BringUpError::SimPinRefused);
            }
            Ok(Some(Ok(false))) if !entered => {
                let pin = modem.config.pin.ok_or(BringUpError::SimLocked)?;
                if modem.pin_refused.get() {
                    return Err(BringUpError::SimPinRefused);
                }
                entered = true;
                let args = [Arg::Quoted(pin.expose().as_str())];
                match at.send(&Command::<QUICK>::new("+CPIN", &args)).await {
                    Ok(_) => {}
                    Err(AtError::Refused(_)) => {
                        modem.pin_refused.set(true);
                        return Err(BringUpError::SimPinRefused);
                    }
                    Err(error) => return step("AT+CPIN", Err(error)),
                }
            }
            Err(AtError::Refused(code))
                if start.elapsed() >= SIM_LIMIT || code == Code::Cme(10) =>
            {
                return Err(BringUpError::SimMissing(code));
            }
            Ok(_) | Err(AtError::Refused(_)) => {}
            Err(error) => return step("AT+CPIN", Err(error)),
        }
        Timer::after_millis(500).await;
    }
}

/// For a flow that found a connection broken: whether it was the network. One that was left on purpose is
/// not lost.
pub(crate) async fn judge_loss(modem: &Nrf9160, at: At<'_>) {
    if !modem.offline.get()
        && let Ok(status) = registration(at).await
        && !matches!(status, 1 | 5)
    {
        at.report_network_lost();
    }
}
