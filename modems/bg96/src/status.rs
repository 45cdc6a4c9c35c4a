//! The modem's identity and state for `Control::status` (sheet 1.3 to 1.6).
//!
//! A table of queries and one reader for all: each answer is a line or two and is not worth a type of
//! its own.

use heapless::String;
use sectag::at::{AtatResp, Fields, answer, at_command};
use sectag::cellular::Sim;
use sectag::modem::{Cellular, Full, Reports, There};
use sectag::{At, AtError, Code, Registration, SimCard, Status, Technology};

use crate::data_connection::{self, PDP_CONTEXT};
use crate::{Bg96, Options, clock};

const QUICK: u32 = 3000;

/// A query without arguments that the modem answers by itself.
struct Ask(&'static str);
at_command!(Ask, QUICK, self.0, |self, line| line);

/// A query that the modem may pass on to the network, which takes up to 180 s (sheet 1.5).
struct AskNetwork(&'static str);
at_command!(AskNetwork, 180_000, self.0, |self, line| line);

/// The state of the SIM in an answer.
struct SimWord(Sim);
impl AtatResp for SimWord {}

struct SimQuery;
at_command!(
    SimQuery,
    5000,
    "+CPIN?",
    |self, line| line,
    SimWord,
    |text| Sim::read(text).map(SimWord)
);

/// The queries in this order, since a later answer may be better than an earlier one.
const QUESTIONS: [&str; 10] = [
    "+CGMI", "+CGMM", "+QGMR", "+CGMR", "+CGSN", "+CGREG?", "+CEREG?", "+CSQ", "+QCSQ", "+QNWINFO",
];

impl<O: Options> Reports for Bg96<O> {
    async fn explain(at: &At<'_, Self>, command: &str, code: Code) -> Code {
        data_connection::explain(at, command, code).await
    }

    async fn status(at: &At<'_, Self>, status: &mut Status) {
        for name in QUESTIONS {
            // A refusal is fine: this firmware does not know the query.
            let _ = at
                .lines(&Ask(name), &mut |line| take(name, line, status))
                .await;
        }
        for name in ["+COPS?", "+QIACT?"] {
            let _ = at
                .lines(&AskNetwork(name), &mut |line| take(name, line, status))
                .await;
        }
        let sim = match at.send(&SimQuery).await {
            Ok(SimWord(sim)) => Some(sim),
            Err(AtError::Refused(code)) => Sim::of_code(code),
            Err(_) => None,
        };
        status.sim = sim.map(Sim::state);
        status.clock = clock::shown(at).await.ok().flatten();
    }
}

impl<O: Options> Full for Bg96<O> {
    type Clock = There;
    type Sim = There;
    type Lines = There;
}

impl<O: Options> Cellular for Bg96<O> {
    async fn sim(at: &At<'_, Self>) -> Result<SimCard, AtError> {
        let mut card = SimCard::UNKNOWN;
        let iccid = at
            .lines(&Ask("+QCCID"), &mut |line| {
                // The modem fills an odd number of digits up with an F (sheet 1.3).
                let digits = answer(line, "+QCCID:").and_then(|text| Fields::new(text).text());
                let digits = digits.map(|digits| digits.trim_end_matches(['F', 'f']));
                card.iccid = digits.filter(|digits| is_number(digits)).and_then(keep);
            })
            .await;
        let imsi = at
            .lines(&Ask("+CIMI"), &mut |line| card.imsi = number(line))
            .await;
        match (iccid, imsi) {
            // Both failed: the error says more than an empty answer.
            (Err(error), Err(_)) => Err(error),
            _ => Ok(card),
        }
    }
}

/// Takes what one line of the answer to `name` says into the status.
fn take(name: &str, line: &[u8], status: &mut Status) {
    // Most answers begin with the name of the query; the oldest ones do not.
    let body = line
        .strip_prefix(name.trim_end_matches('?').as_bytes())
        .and_then(|rest| rest.trim_ascii_start().strip_prefix(b":"));
    let mut fields = Fields::new(body.unwrap_or_default());
    match name {
        "+CGMI" => set(&mut status.manufacturer, line),
        "+CGMM" => set(&mut status.model, line),
        // The long version; the short one where the firmware does not know the query of the long one.
        "+QGMR" | "+CGMR" => set(&mut status.firmware, line),
        "+CGSN" => status.imei = status.imei.take().or_else(|| number(line)),
        // On LTE the `+CGREG` of the packet domain often says "unknown" although attached (sheet T7).
        "+CGREG?" | "+CEREG?" => {
            fields.next();
            if let Some(stat) = fields.byte()
                && !status
                    .registration
                    .is_some_and(|known| known.is_registered())
            {
                status.registration = Some(Registration::from_stat(stat));
            }
        }
        "+CSQ" => {
            status.signal.rssi = fields
                .byte()
                .filter(|&steps| steps <= 31)
                .map(|steps| -113 + 2 * i16::from(steps));
        }
        "+QCSQ" => {
            let known = fields.text().is_some_and(|mode| technology(mode).is_some());
            if !known {
                return;
            }
            let signal = &mut status.signal;
            signal.rssi = decibels(&mut fields).or(signal.rssi);
            signal.rsrp = decibels(&mut fields);
            // Fifths of a decibel above -20.
            signal.sinr = fields
                .int()
                .filter(|&fifths| fifths <= 250)
                .map(|fifths| fifths as i16 / 5 - 20);
            signal.rsrq = decibels(&mut fields);
        }
        "+QNWINFO" => {
            status.technology = fields.text().and_then(technology);
            fields.next();
            status.band = fields.text().filter(|band| !band.is_empty()).and_then(keep);
        }
        "+COPS?" => {
            status.operator = fields.nth(2).and_then(|name| {
                let name = Fields::new(name).text()?;
                Some(name).filter(|name| !name.is_empty()).and_then(keep)
            });
        }
        "+QIACT?" if fields.int() == Some(PDP_CONTEXT) && fields.int() == Some(1) => {
            fields.next();
            status.address = fields.text().and_then(keep);
        }
        _ => {}
    }
}

/// Sets a field to the first line that is text. Later lines, and a URC among them, change nothing.
fn set<const N: usize>(field: &mut Option<String<N>>, line: &[u8]) {
    if field.is_none() && !line.starts_with(b"+") {
        *field = core::str::from_utf8(line).ok().and_then(keep);
    }
}

/// Returns the text, or `None` when it does not fit, since half a text would be a wrong one.
fn keep<const N: usize>(text: &str) -> Option<String<N>> {
    text.trim().try_into().ok()
}

fn number(line: &[u8]) -> Option<String<16>> {
    let digits = core::str::from_utf8(line).ok()?.trim().trim_matches('"');
    Some(digits).filter(|text| is_number(text)).and_then(keep)
}

fn is_number(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// Reads a signed number such as `-71`, which `Fields` cannot.
fn decibels(fields: &mut Fields<'_>) -> Option<i16> {
    core::str::from_utf8(fields.next()?).ok()?.parse().ok()
}

/// Reads `<act>` of `+QNWINFO` or `<sysmode>` of `+QCSQ`. Real firmware does not keep to the manual's
/// case (sheet T7).
fn technology(name: &str) -> Option<Technology> {
    const KNOWN: [(&str, Technology); 9] = [
        ("CAT-M", Technology::CatM1),
        ("eMTC", Technology::CatM1),
        ("CAT-NB", Technology::CatNb1),
        ("NBIoT", Technology::CatNb1),
        ("GSM", Technology::Gsm),
        ("GPRS", Technology::Gsm),
        ("EDGE", Technology::Gsm),
        ("LTE", Technology::Lte),
        ("FDD LTE", Technology::Lte),
    ];
    KNOWN
        .iter()
        .find(|(prefix, _)| {
            name.get(..prefix.len())
                .is_some_and(|start| start.eq_ignore_ascii_case(prefix))
        })
        .map(|(_, technology)| *technology)
}
