//! The cellular modules of u-blox (sheet B.3).

use embassy_time::{Duration, Instant, Timer};
use embedded_io_async::{Read, Write};
use sectag::at::{InvalidInput, Text};
use sectag::cellular::{Sim, SimEntry, SimNext};
use sectag::{AtError, BringUpError, Code, Secret};

use super::dialogue::{Dialogue, Said};
use super::failure::{at, has_none, no_carrier};
use super::status::registered;

const SHORT: Duration = Duration::from_secs(5);
/// Attaching takes as long as the network likes.
const ATTACH: Duration = Duration::from_secs(180);
const DIAL: Duration = Duration::from_secs(20);
const RESTART: Duration = Duration::from_secs(60);

/// What a cellular module needs to know.
#[derive(Clone, Copy, Debug)]
pub struct Cellular {
    apn: Option<Text<'static, 64>>,
    pin: Option<Secret<Text<'static, 8>>>,
    context: Option<u8>,
    register: Duration,
}

impl Cellular {
    /// The access point is left to module and network.
    pub const fn new() -> Self {
        Self {
            apn: None,
            pin: None,
            context: None,
            register: Duration::from_secs(180),
        }
    }

    /// The access point's name (APN), of at most 64 bytes.
    ///
    /// # Errors
    /// [`InvalidInput`] where it is too long or could break a command.
    pub const fn apn(mut self, apn: &'static str) -> Result<Self, InvalidInput> {
        match Text::new(apn) {
            Ok(apn) => self.apn = Some(apn),
            Err(error) => return Err(error),
        }
        Ok(self)
    }

    /// The SIM's PIN, of 4 to 8 digits. A refused one is an error at once, for the third in a row blocks the SIM.
    ///
    /// # Errors
    /// [`InvalidInput`] where it is none.
    pub const fn pin(mut self, pin: &'static str) -> Result<Self, InvalidInput> {
        match Secret::pin(pin) {
            Ok(pin) => self.pin = Some(pin),
            Err(error) => return Err(error),
        }
        Ok(self)
    }

    /// The data context, 1 to 9. Without it 1, on LENA-R8 2: its own clients fail when the first is used (sheet B.3).
    ///
    /// # Panics
    /// Where it is another number; in a constant, that is an error of the compiler's.
    pub const fn context(mut self, context: u8) -> Self {
        assert!(context >= 1 && context <= 9);
        self.context = Some(context);
        self
    }

    /// How long to wait for the network; three minutes unless said otherwise.
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

/// Registers and dials. When it returns, PPP begins with what is [`behind`](Dialogue::behind).
///
/// A dial that ends in `NO CARRIER` is repeated after the module was detached and attached anew, then after it was restarted.
///
/// Each time it waits up to a minute for an answer, 20 s for the SIM and for the network as long as
/// [`register_within`](Cellular::register_within) says, and a dial takes up to 20 s; detaching and attaching may take three minutes each, a
/// restart one or two. So it may take half an hour in all before it fails: a caller with less time drops the future, which leaves the
/// module as it is then.
pub async fn cellular<R: Read, W: Write>(
    line: &mut Dialogue<R, W>,
    config: &Cellular,
) -> Result<(), BringUpError> {
    let context = prepare(line, config).await?;
    if dial(line, context).await? {
        return Ok(());
    }
    redial(line, config).await
}

/// Dials again after a link has ended: after detaching and attaching, then after a restart of the module. It takes as long as what
/// [`cellular`] does behind its first dial.
pub async fn redial<R: Read, W: Write>(
    line: &mut Dialogue<R, W>,
    config: &Cellular,
) -> Result<(), BringUpError> {
    // A dial fails for a second behind the end of a link (sheet B.3).
    Timer::after_secs(1).await;
    let context = prepare(line, config).await?;
    for attach in ["0", "1"] {
        let attached = line.ask(&["AT+CGATT=", attach], ATTACH).await;
        attached.map_err(at("+CGATT"))?;
    }
    if dial(line, context).await? {
        return Ok(());
    }
    // SARA-R4 knows 15, the others 16 too.
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

/// Everything before the dial; the context to dial with.
async fn prepare<R: Read, W: Write>(
    line: &mut Dialogue<R, W>,
    config: &Cellular,
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
    // Any but the first has to be defined; without a name the network chooses the access point.
    let apn = config.apn.as_ref().map(Text::as_str);
    if let Some(apn) = apn.or((context != '1').then_some("")) {
        let mut digit = [0; 4];
        let digit = context.encode_utf8(&mut digit);
        let parts = ["AT+CGDCONT=", digit, ",\"IP\",\"", apn, "\""];
        match line.ask(&parts, SHORT).await {
            Err(AtError::Refused(_)) => {
                // Some take it only without radio (sheet B.3).
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
    config: &Cellular,
) -> Result<(), BringUpError> {
    let since = Instant::now();
    let mut entry = SimEntry::NEW;
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
        match entry.says(said, code, waited, config.pin.is_some()) {
            SimNext::Ready => return Ok(()),
            SimNext::Enter | SimNext::Count => {
                let pin = config.pin.as_ref().ok_or(BringUpError::SimLocked)?;
                let parts = ["AT+CPIN=\"", pin.expose().as_str(), "\""];
                match line.ask(&parts, SHORT).await {
                    Ok(()) => entry.entered(true, None, Code::Plain)?,
                    Err(AtError::Refused(code)) => entry.entered(false, None, code)?,
                    Err(error) => return Err(at("+CPIN")(error)),
                }
                Timer::after_secs(1).await;
            }
            SimNext::Wait(pause) => Timer::after_millis(pause.into()).await,
            SimNext::Fail(error) => return Err(error),
        }
    }
}

/// Waits until the module is on a network, whichever kind.
async fn register<R: Read, W: Write>(
    line: &mut Dialogue<R, W>,
    limit: Duration,
) -> Result<(), BringUpError> {
    let deadline = Instant::now() + limit;
    loop {
        let mut status = 0;
        for query in ["AT+CEREG?", "AT+CGREG?"] {
            let parts = [query];
            let answered = line.command(&parts, SHORT, |text| {
                if let Some(found) = registered(text) {
                    status = found;
                }
            });
            match answered.await {
                // Not every module has both kinds.
                Ok(_) | Err(AtError::Refused(_)) => {}
                Err(error) => return Err(at("+CEREG?")(error)),
            }
            if matches!(status, 1 | 5) {
                return Ok(());
            }
        }
        if Instant::now() >= deadline {
            return Err(BringUpError::NotRegistered {
                status,
                heard: None,
            });
        }
        Timer::after_secs(2).await;
    }
}

/// Whether the dial was answered by `CONNECT`.
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
