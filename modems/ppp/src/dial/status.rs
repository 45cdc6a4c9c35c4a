//! The module's identity and state: on the UART before a dial, or beside the link.

use heapless::String;
use sectag::at::{Fields, answer};
use sectag::cellular::Sim;
use sectag::clock::DateTime;
use sectag::wifi::Association;
use sectag::{AtError, BringUpError, Capabilities, Counters, Registration, Status};

use super::failure::at;

/// A way to send queries to a module.
pub(super) trait Ask {
    /// Sends a query, and passes each line of the answer to `each`.
    async fn ask(
        &mut self,
        command: &'static str,
        each: &mut dyn FnMut(&str),
    ) -> Result<(), AtError>;
}

/// The queries of sheet A.1.1, and those of the Wi-Fi station.
const SHORT_RANGE: [&str; 5] = ["AT+GMI", "AT+GMM", "ATI9", "AT+UWSSTAT", "AT+UNSTAT=0,101"];
/// The queries of sheet B and of 3GPP 27.007.
const CELLULAR: [&str; 8] = [
    "AT+CGMI", "AT+CGMM", "AT+CGMR", "AT+CGSN", "AT+CPIN?", "AT+COPS?", "AT+CSQ", "AT+CCLK?",
];

/// Asks an ODIN-W2 for its status.
pub(super) async fn short_range(module: &mut impl Ask) -> Result<Status, BringUpError> {
    let mut status = empty();
    let mut wifi = Association::default();
    for command in SHORT_RANGE {
        let mut each = |text: &str| take_short_range(command, text, &mut status, &mut wifi);
        unless_lost(module.ask(command, &mut each).await)?;
    }
    if wifi != Association::default() {
        status.wifi = Some(wifi);
    }
    Ok(status)
}

/// Asks a cellular module for its status.
pub(super) async fn cellular(module: &mut impl Ask) -> Result<Status, BringUpError> {
    let mut status = empty();
    for command in CELLULAR {
        let mut each = |text: &str| take_cellular(command, text, &mut status);
        unless_lost(module.ask(command, &mut each).await)?;
    }
    for command in ["AT+CEREG?", "AT+CGREG?"] {
        let mut each = |text: &str| {
            if let Some(stat) = registered(text)
                && !status.registration.is_some_and(Registration::is_registered)
            {
                status.registration = Some(Registration::from_stat(stat));
            }
        };
        unless_lost(module.ask(command, &mut each).await)?;
    }
    Ok(status)
}

fn empty() -> Status {
    #[cfg(feature = "tls")]
    const CAN: Capabilities = crate::tls::CAPABILITIES;
    #[cfg(not(feature = "tls"))]
    const CAN: Capabilities = Capabilities::UNKNOWN;
    let mut status = Status::new(CAN, Counters::default());
    status.sockets_limit = 1;
    status
}

/// Turns a refused query into success, so that the others go on.
fn unless_lost(answer: Result<(), AtError>) -> Result<(), BringUpError> {
    match answer {
        Ok(()) | Err(AtError::Refused(_)) => Ok(()),
        Err(error) => Err(at("status")(error)),
    }
}

fn take_short_range(command: &str, text: &str, status: &mut Status, wifi: &mut Association) {
    let line = text.as_bytes();
    match command {
        "AT+GMI" => set(&mut status.manufacturer, quoted(text)),
        "AT+GMM" => set(&mut status.model, quoted(text)),
        "ATI9" => set(&mut status.firmware, quoted(text)),
        "AT+UWSSTAT" => {
            let Some(text) = answer(line, "+UWSSTAT:") else {
                return;
            };
            let mut fields = Fields::new(text);
            match fields.byte() {
                Some(0) => wifi.ssid = fields.unquoted().and_then(text_of),
                Some(1) => wifi.access_point = fields.unquoted().and_then(text_of),
                Some(2) => wifi.channel = fields.byte(),
                Some(6) => {
                    let number = fields
                        .next()
                        .and_then(|text| core::str::from_utf8(text).ok());
                    let rssi = number.and_then(|text| text.trim().parse::<i16>().ok());
                    // The lowest value means that it is not connected.
                    status.signal.rssi = rssi.filter(|&rssi| rssi != i16::MIN);
                }
                _ => {}
            }
        }
        _ => {
            let field = answer(line, "+UNSTAT:").and_then(|text| Fields::new(text).nth(2));
            let address = field.filter(|text| *text != b"0.0.0.0");
            status.address = address.and_then(text_of).or(status.address.take());
        }
    }
}

fn take_cellular(command: &str, text: &str, status: &mut Status) {
    let line = text.as_bytes();
    match command {
        "AT+CGMI" => set(&mut status.manufacturer, plain(text)),
        "AT+CGMM" => set(&mut status.model, plain(text)),
        "AT+CGMR" => set(&mut status.firmware, plain(text)),
        "AT+CGSN" => set(&mut status.imei, plain(text)),
        "AT+CPIN?" => status.sim = Sim::read(line).map(Sim::state).or(status.sim),
        "AT+COPS?" => {
            let name = answer(line, "+COPS:").and_then(|text| {
                let mut fields = Fields::new(text);
                fields.byte()?;
                fields.byte()?;
                text_of(fields.unquoted()?)
            });
            status.operator = name.or(status.operator.take());
        }
        "AT+CSQ" => {
            let steps = answer(line, "+CSQ:").and_then(|text| Fields::new(text).byte());
            // 27.007, 8.5: steps of 2 dB from -113 dBm.
            let rssi = steps.filter(|steps| *steps <= 31);
            status.signal.rssi = rssi.map(|steps| i16::from(steps) * 2 - 113);
        }
        _ => {
            let clock = answer(line, "+CCLK:").and_then(DateTime::parse_local_bytes);
            status.clock = clock.or(status.clock);
        }
    }
}

/// Returns the state of an answer `+CEREG: <n>,<stat>...`, or of a notice, whose state is the first
/// number.
fn registered(text: &str) -> Option<u8> {
    let (_, rest) = text
        .split_once("+CEREG:")
        .or_else(|| text.split_once("+CGREG:"))?;
    let mut fields = rest.split(',').map(str::trim);
    let first = fields.next()?.parse().ok()?;
    // In a notice a string follows the state; in an answer the state follows a number.
    Some(
        fields
            .next()
            .and_then(|it| it.parse().ok())
            .unwrap_or(first),
    )
}

/// Returns the text between the first quotes of a line that begins with a quote.
fn quoted(text: &str) -> Option<&str> {
    text.strip_prefix('"')?.split('"').next()
}

/// Returns a line unless it is a notice.
fn plain(text: &str) -> Option<&str> {
    (!text.starts_with('+')).then_some(text.trim_matches('"'))
}

/// Sets a field unless it is set already.
fn set<const N: usize>(field: &mut Option<String<N>>, text: Option<&str>) {
    if field.is_none() {
        *field = text.and_then(|text| text_of(text.as_bytes()));
    }
}

/// Returns the text, or `None` when it is empty or does not fit, since half a text would be a wrong
/// one.
fn text_of<const N: usize>(text: &[u8]) -> Option<String<N>> {
    let text = core::str::from_utf8(text).ok()?;
    String::try_from(text).ok().filter(|text| !text.is_empty())
}

#[cfg(test)]
mod tests {
    use super::registered;

    #[test]
    fn a_state_is_read_from_answers_and_news() {
        for (text, state) in [
            ("+CEREG: 2,5,\"2CF7\",\"8A5A782\",6", Some(5)),
            ("+CGREG: 0,1", Some(1)),
            ("+CEREG: 1,\"6A33\",\"7F0B50F\",7", Some(1)),
            ("+CEREG: 2", Some(2)),
            ("+CGATT: 1", None),
            ("+CEREG: x", None),
        ] {
            assert_eq!(registered(text), state, "{text}");
        }
    }
}
