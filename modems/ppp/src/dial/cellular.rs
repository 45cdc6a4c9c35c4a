//! The dialogue with u-blox cellular modules before a link (sheet B.3).

use embassy_time::{Duration, Instant, Timer};
use embedded_io_async::{Read, Write};
use sectag::at::{InvalidInput, Text};
use sectag::cellular::{Registering, Sim, SimEntry, SimNext};
use sectag::{AtError, BringUpError, Code, Secret};

use super::dialogue::{Dialogue, Said};
use super::failure::{at, has_none, no_carrier};

const SHORT: Duration = Duration::from_secs(5);
/// The time limit of an attach; the network decides how long it takes.
const ATTACH: Duration = Duration::from_secs(180);
const DIAL: Duration = Duration::from_secs(20);
const RESTART: Duration = Duration::from_secs(60);

/// The settings of a cellular module, and what the dials so far have found out about the PIN. Keep one
/// for as long as the firmware runs: a PIN that was refused is entered by no later dial, since the third
/// refusal in a row blocks the SIM.
#[derive(Clone, Debug)]
pub struct Cellular {
    apn: Option<Text<'static, 64>>,
    pin: Option<Secret<Text<'static, 8>>>,
    sim: SimEntry,
    context: Option<u8>,
    register: Duration,
}

impl Cellular {
    /// Returns the defaults: the module and the network choose the access point, no PIN, 180 s for
    /// registration.
    pub const fn new() -> Self {
        Self {
            apn: None,
            pin: None,
            sim: SimEntry::NEW,
            context: None,
            register: Duration::from_secs(180),
        }
    }

    /// Sets the name of the access point (APN), of at most 64 bytes.
    ///
    /// # Errors
    /// [`InvalidInput`] if it is too long, or contains a character that would break a command.
    pub const fn apn(mut self, apn: &'static str) -> Result<Self, InvalidInput> {
        match Text::new(apn) {
            Ok(apn) => self.apn = Some(apn),
            Err(error) => return Err(error),
        }
        Ok(self)
    }

    /// Sets the SIM's PIN, of 4 to 8 digits. A refusal fails this bring-up and every later one at once,
    /// since the third in a row blocks the SIM. A PIN that the module did not answer is entered once more,
    /// unless the module reports that a try is gone.
    ///
    /// # Errors
    /// [`InvalidInput`] if it is not a PIN.
    pub const fn pin(mut self, pin: &'static str) -> Result<Self, InvalidInput> {
        match Secret::pin(pin) {
            Ok(pin) => self.pin = Some(pin),
            Err(error) => return Err(error),
        }
        Ok(self)
    }

    /// Sets the PDP context, 1 to 9. The default is 1, and 2 on LENA-R8, whose own clients fail when
    /// PPP uses the first one (sheet B.3).
    ///
    /// # Panics
    /// If it is another number; in a `const`, that is a build error.
    pub const fn context(mut self, context: u8) -> Self {
        assert!(context >= 1 && context <= 9);
        self.context = Some(context);
        self
    }

    /// Sets how long to wait for registration; the default is 180 s.
    pub const fn register_within(mut self, limit: Duration) -> Self {
        self.register = limit;
        self
    }
}

impl Default for Cellular {
    fn default() -> Self {
        Self::new()
    }
}

/// Registers and dials. When it returns, PPP begins with the bytes in [`behind`](Dialogue::behind).
///
/// After a dial that ends in `NO CARRIER` it detaches, attaches and dials again, and then restarts the
/// module and dials again.
///
/// Each attempt waits up to a minute for an answer, 20 s for the SIM, and as long as
/// [`register_within`](Cellular::register_within) says for the network. A dial takes up to 20 s,
/// detaching and attaching up to three minutes each, a restart one or two minutes. So it may take half
/// an hour in all before it fails. A caller with less time drops the future; the module then stays as
/// it is.
pub async fn cellular<R: Read, W: Write>(
    line: &mut Dialogue<R, W>,
    config: &mut Cellular,
) -> Result<(), BringUpError> {
    let context = prepare(line, config).await?;
    if dial(line, context).await? {
        return Ok(());
    }
    redial(line, config).await
}

/// Dials again after a link has ended: after detaching and attaching, and then after a restart of the
/// module. Its time limits are those of [`cellular`] after the first dial.
pub async fn redial<R: Read, W: Write>(
    line: &mut Dialogue<R, W>,
    config: &mut Cellular,
) -> Result<(), BringUpError> {
    // For a second after the end of a link a dial fails (sheet B.3).
    Timer::after_secs(1).await;
    let context = prepare(line, config).await?;
    for attach in ["0", "1"] {
        let attached = line.ask(&["AT+CGATT=", attach], ATTACH).await;
        attached.map_err(at("+CGATT"))?;
    }
    if dial(line, context).await? {
        return Ok(());
    }
    // SARA-R4 knows only mode 15; the others also know 16.
    if line.ask(&["AT+CFUN=15"], RESTART).await.is_err() {
        let restarted = line.ask(&["AT+CFUN=16"], RESTART).await;
        restarted.map_err(at("+CFUN"))?;
    }
    Timer::after_secs(5).await;
    let context = prepare(line, config).await?;
    if dial(line, context).await? {
        return Ok(());
    }
    Err(no_carrier())
}

/// Prepares the dial: SIM, access point, registration. Returns the context to dial with.
async fn prepare<R: Read, W: Write>(
    line: &mut Dialogue<R, W>,
    config: &mut Cellular,
) -> Result<char, BringUpError> {
    let deadline = Instant::now() + RESTART;
    loop {
        match line.wake().await {
            Ok(()) => break,
            Err(AtError::Timeout) if Instant::now() < deadline => {}
            Err(AtError::Timeout) => return Err(BringUpError::NoAnswer),
            Err(error) => return Err(at("AT")(error)),
        }
    }
    let (mut lexi, mut lena) = (false, false);
    let model = line.command(&["AT+CGMM"], SHORT, |text| {
        lexi |= text.starts_with("LEXI-R10");
        lena |= text.starts_with("LENA-R8");
    });
    model.await.map_err(at("+CGMM"))?;
    if lexi {
        return Err(has_none(
            "LEXI-R10 has no PPP: use the TLS inside it, with the modem name ublox-cellular",
        ));
    }
    sim(line, config).await?;
    let context = config.context.unwrap_or(if lena { 2 } else { 1 });
    let context = char::from(b'0' + context);
    // Any context but the first has to be defined. Without a name the network chooses the access point.
    let apn = config.apn.as_ref().map(Text::as_str);
    if let Some(apn) = apn.or((context != '1').then_some("")) {
        let mut digit = [0; 4];
        let digit = context.encode_utf8(&mut digit);
        let parts = ["AT+CGDCONT=", digit, ",\"IP\",\"", apn, "\""];
        match line.ask(&parts, SHORT).await {
            Err(AtError::Refused(_)) => {
                // Some modules accept this only while the radio is off (sheet B.3).
                for step in [&["AT+CFUN=4"][..], &parts, &["AT+CFUN=1"]] {
                    line.ask(step, ATTACH).await.map_err(at("+CGDCONT"))?;
                }
            }
            set => set.map_err(at("+CGDCONT"))?,
        }
    }
    register(line, config.register).await?;
    Ok(context)
}

async fn sim<R: Read, W: Write>(
    line: &mut Dialogue<R, W>,
    config: &mut Cellular,
) -> Result<(), BringUpError> {
    let since = Instant::now();
    let Cellular { pin, sim, .. } = config;
    // The module may have been restarted since the last dial.
    sim.begin();
    loop {
        let mut said = None;
        let asked = line.command(&["AT+CPIN?"], SHORT, |text| {
            said = said.or_else(|| Sim::read(text.as_bytes()));
        });
        let (said, code) = match asked.await {
            Ok(_) => (said, Code::Plain),
            Err(AtError::Refused(code)) => (Sim::of_code(code), code),
            Err(error) => return Err(at("+CPIN?")(error)),
        };
        let waited = since.elapsed().as_millis() as u32;
        match sim.says(said, code, waited, pin.is_some()) {
            SimNext::Ready => return Ok(()),
            SimNext::Count => {
                let mut judged = Ok(());
                let asked = line.command(&["AT+CPINR=\"SIM PIN\""], SHORT, |text| {
                    judged = judged.and_then(|()| sim.has_tries(Some(text.as_bytes())));
                });
                match asked.await {
                    Ok(_) => judged?,
                    // Not every module knows the question.
                    Err(AtError::Refused(_)) => sim.has_tries(None)?,
                    Err(error) => return Err(at("+CPINR")(error)),
                }
                enter(line, pin, sim).await?;
            }
            SimNext::Wait(pause) => Timer::after_millis(pause.into()).await,
            SimNext::Fail(error) => return Err(error),
        }
    }
}

/// Enters the PIN once, and reports to `sim` how that ended.
async fn enter<R: Read, W: Write>(
    line: &mut Dialogue<R, W>,
    pin: &Option<Secret<Text<'static, 8>>>,
    sim: &mut SimEntry,
) -> Result<(), BringUpError> {
    let pin = pin.as_ref().ok_or(BringUpError::SimLocked)?;
    let parts = ["AT+CPIN=\"", pin.expose().as_str(), "\""];
    match line.ask(&parts, SHORT).await {
        Ok(()) => sim.entered(true, None, Code::Plain)?,
        Err(AtError::Refused(code)) => sim.entered(false, None, code)?,
        Err(error) => {
            sim.entered(false, Some(error), Code::Plain)?;
            return Err(at("+CPIN")(error));
        }
    }
    Timer::after_secs(1).await;
    Ok(())
}

/// Waits until the module is registered with a network of any kind.
async fn register<R: Read, W: Write>(
    line: &mut Dialogue<R, W>,
    limit: Duration,
) -> Result<(), BringUpError> {
    let deadline = Instant::now() + limit;
    let mut registering = Registering::NEW;
    loop {
        for (query, prefix) in [("AT+CEREG?", "+CEREG:"), ("AT+CGREG?", "+CGREG:")] {
            let mut status = registering.told(None, prefix);
            let parts = [query];
            let answered = line.command(&parts, SHORT, |text| {
                if text.starts_with(prefix) {
                    status = registering.told(Some(text.as_bytes()), prefix);
                }
            });
            match answered.await {
                // Not every module knows both queries.
                Ok(_) | Err(AtError::Refused(_)) => {}
                Err(error) => return Err(at("+CEREG?")(error)),
            }
            if matches!(status, 1 | 5) {
                return Ok(());
            }
        }
        if Instant::now() >= deadline {
            return Err(registering.failure(None));
        }
        Timer::after_secs(2).await;
    }
}

/// Dials; returns whether the answer was `CONNECT`.
async fn dial<R: Read, W: Write>(
    line: &mut Dialogue<R, W>,
    context: char,
) -> Result<bool, BringUpError> {
    let mut digit = [0; 4];
    let parts = ["ATD*99***", context.encode_utf8(&mut digit), "#"];
    match line.command(&parts, DIAL, |_| {}).await {
        Ok(Said::Connect) => Ok(true),
        Ok(Said::NoCarrier) | Err(AtError::Refused(_)) => Ok(false),
        Ok(_) => Err(at("D")(AtError::Garbled)),
        Err(error) => Err(at("D")(error)),
    }
}
