//! The modem's identity and state for `Control::status` (sheet 2).

use heapless::String;
use sectag::at::Fields;
use sectag::cellular::Sim;
use sectag::modem::{Cellular, Full, HasClock, Reports, There};
use sectag::{At, AtError, Registration, SimCard, Status, Technology};

use crate::commands::{Command, GUEST_QUICK};
use crate::{Family, Nrf9160};

const QUESTIONS: [&str; 9] = [
    "+CGMI",
    "+CGMM",
    "+CGMR",
    "+CGSN",
    "+CEREG?",
    "%XMONITOR",
    "+CESQ",
    "+CPIN?",
    "+CGDCONT?",
];

impl<F: Family> Reports for Nrf9160<F> {
    async fn status(at: &At<'_, Self>, status: &mut Status) {
        for name in QUESTIONS {
            // A refusal is fine: this firmware does not know the query.
            let _ = at
                .lines(&Command::<GUEST_QUICK>::new(name, &[]), &mut |line| {
                    take(name, line, status)
                })
                .await;
        }
        status.clock = Self::clock(at).await.ok().flatten();
    }
}

impl<F: Family> Full for Nrf9160<F> {
    type Clock = There;
    type Sim = There;
    type Lines = There;
}

impl<F: Family> Cellular for Nrf9160<F> {
    async fn sim(at: &At<'_, Self>) -> Result<SimCard, AtError> {
        let mut card = SimCard::UNKNOWN;
        let iccid = at
            .lines(&Command::<GUEST_QUICK>::new("%XICCID", &[]), &mut |line| {
                let text = line.strip_prefix(b"%XICCID:").map(<[u8]>::trim_ascii);
                card.iccid = text.and_then(digits);
            })
            .await;
        let imsi = at
            .lines(&Command::<GUEST_QUICK>::new("+CIMI", &[]), &mut |line| {
                card.imsi = digits(line)
            })
            .await;
        match (iccid, imsi) {
            (Err(error), Err(_)) => Err(error),
            _ => Ok(card),
        }
    }
}

fn take(name: &str, line: &[u8], status: &mut Status) {
    let body = line
        .strip_prefix(name.trim_end_matches('?').as_bytes())
        .and_then(|rest| rest.strip_prefix(b":"));
    let mut fields = Fields::new(body.unwrap_or_default());
    match name {
        "+CGMI" => set(&mut status.manufacturer, line),
        "+CGMM" => set(&mut status.model, line),
        "+CGMR" => set(&mut status.firmware, line),
        "+CGSN" => status.imei = status.imei.take().or_else(|| digits(line)),
        "+CEREG?" => {
            fields.next();
            status.registration = fields.byte().map(Registration::from_stat);
            status.technology = fields.nth(2).and_then(|technology| match technology {
                b"7" => Some(Technology::CatM1),
                b"9" => Some(Technology::CatNb1),
                _ => None,
            });
        }
        "%XMONITOR" => {
            fields.next();
            status.operator = fields.text().filter(|name| !name.is_empty()).and_then(keep);
            // Short name, number and area stand in between.
            status.technology = match fields.nth(3) {
                Some(b"7") => Some(Technology::CatM1),
                Some(b"9") => Some(Technology::CatNb1),
                _ => status.technology,
            };
            status.band = fields.text().filter(|band| !band.is_empty()).and_then(keep);
        }
        "+CESQ" => {
            let known = |number: Option<u8>| number.filter(|&number| number != 255).map(i16::from);
            let rsrq = fields.nth(4).and_then(|text| Fields::new(text).byte());
            status.signal.rsrq = known(rsrq).map(|half| half / 2 - 19);
            status.signal.rsrp = known(fields.byte()).map(|index| index - 140);
        }
        "+CPIN?" => status.sim = Sim::read(line).map(Sim::state).or(status.sim),
        "+CGDCONT?" if fields.int() == Some(0) => {
            fields.nth(1);
            status.address = fields.text().filter(|text| !text.is_empty()).and_then(keep);
        }
        _ => {}
    }
}

fn set<const N: usize>(field: &mut Option<String<N>>, line: &[u8]) {
    if field.is_none() && !line.starts_with(b"+") {
        *field = core::str::from_utf8(line).ok().and_then(keep);
    }
}

/// Returns the text, or `None` when it does not fit, since half a text would be a wrong one.
fn keep<const N: usize>(text: &str) -> Option<String<N>> {
    text.trim().try_into().ok()
}

fn digits<const N: usize>(line: &[u8]) -> Option<String<N>> {
    let text = core::str::from_utf8(line).ok()?.trim().trim_matches('"');
    let is_number = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    if is_number { keep(text) } else { None }
}
