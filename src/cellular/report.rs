//! The reader of 27.007 answers for [`Status`].

use heapless::String;

use super::{Sim, registration};
use crate::at::{Fields, answer};
use crate::status::{Registration, Status, Technology};

/// Fills in `status` from a line of the answer to the query `name`, such as `+CEREG?`. The answers to queries of
/// identity have no name in front.
pub fn report(name: &str, line: &[u8], status: &mut Status) {
    let answered = |prefix| answer(line, prefix).map(Fields::new);
    match name {
        "+CGMI" => set(&mut status.manufacturer, line),
        "+CGMM" => set(&mut status.model, line),
        "+CGMR" => set(&mut status.firmware, line),
        "+CGSN" => status.imei = status.imei.take().or_else(|| digits(line)),
        "+CEREG?" => registered(line, "+CEREG:", status),
        "+CGREG?" => registered(line, "+CGREG:", status),
        "+CSQ" => {
            let steps = answered("+CSQ:").and_then(|mut fields| fields.byte());
            status.signal.rssi = steps
                .filter(|&steps| steps <= 31)
                .map(|steps| -113 + 2 * i16::from(steps));
        }
        "+COPS?" => {
            let Some(mut fields) = answered("+COPS:") else {
                return;
            };
            let name = fields.nth(2).and_then(|name| Fields::new(name).text());
            status.operator = name.filter(|name| !name.is_empty()).and_then(keep);
            status.technology = match fields.byte() {
                Some(0 | 1 | 3) => Some(Technology::Gsm),
                Some(2 | 4..=6) => Some(Technology::Umts),
                Some(7) => Some(Technology::Lte),
                Some(8) => Some(Technology::CatM1),
                Some(9) => Some(Technology::CatNb1),
                _ => status.technology,
            };
        }
        "+CGPADDR=1" => {
            let Some(mut fields) = answered("+CGPADDR:") else {
                return;
            };
            if fields.int() == Some(1) {
                let address = fields.text().filter(|text| !text.is_empty());
                status.address = address.and_then(keep);
            }
        }
        "+CPIN?" => status.sim = Sim::read(line).map(Sim::state).or(status.sim),
        _ => {}
    }
}

/// Reads a number of modem or SIM (`IMEI`, `IMSI`, `ICCID`) that stands alone on its line; `None` where it is no number
/// or does not fit.
pub fn digits<const N: usize>(line: &[u8]) -> Option<String<N>> {
    let text = core::str::from_utf8(line).ok()?.trim().trim_matches('"');
    let text = text.trim_end_matches(['F', 'f']);
    let is_number = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    if is_number { keep(text) } else { None }
}

/// Fills in the registration, unless it is known that the modem is registered: on LTE, the query of the GSM packet
/// domain often answers "unknown" although the modem is attached.
fn registered(line: &[u8], prefix: &str, status: &mut Status) {
    let known = status
        .registration
        .is_some_and(|known| known.is_registered());
    if let (Some(stat), false) = (registration(line, prefix), known) {
        status.registration = Some(Registration::from_stat(stat));
    }
}

/// Sets a text field from the first line of an answer. Later lines, and URCs among them, change nothing.
fn set<const N: usize>(field: &mut Option<String<N>>, line: &[u8]) {
    if field.is_none() && !line.starts_with(b"+") {
        let text = core::str::from_utf8(line).ok();
        *field = text.map(|text| text.trim_matches('"')).and_then(keep);
    }
}

/// Copies a text; `None` where it does not fit, since a cut text would be wrong.
fn keep<const N: usize>(text: &str) -> Option<String<N>> {
    text.trim().try_into().ok()
}
