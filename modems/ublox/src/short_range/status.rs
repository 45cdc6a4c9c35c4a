//! The module's identity and state for `Control::status` (sheet A.1.1, A.2.3, E.2).

use heapless::String;
use sectag::at::{AtatCmd, CommandLine, Done, Fields, answer};
use sectag::modem::Reports;
use sectag::wifi::Association;
use sectag::{At, Status};

use super::ShortRange;

struct Ask(&'static str);

impl AtatCmd for Ask {
    type Response = Done;
    const MAX_TIMEOUT_MS: u32 = 3_000;

    fn write(&self, buf: &mut [u8]) -> usize {
        CommandLine::new(buf, self.0).finish()
    }

    fn parse(
        &self,
        answer: Result<&[u8], sectag::__atat::InternalError<'_>>,
    ) -> Result<Done, sectag::__atat::Error> {
        answer.map(|_| Done).map_err(Into::into)
    }
}

const QUESTIONS: [&str; 6] = ["+GMI", "+GMM", "I9", "+UMLA=2", "+UWSSTAT", "+UNSTAT=0,101"];

impl Reports for ShortRange {
    async fn status(at: &At<'_, Self>, status: &mut Status) {
        let mut wifi = Association::default();
        for name in QUESTIONS {
            // A refusal is fine: this software does not know the query.
            let _ = at
                .lines(&Ask(name), &mut |line| take(name, line, status, &mut wifi))
                .await;
        }
        if wifi != Association::default() {
            status.wifi = Some(wifi);
        }
    }
}

fn take(name: &str, line: &[u8], status: &mut Status, wifi: &mut Association) {
    match name {
        "+GMI" => set(&mut status.manufacturer, line),
        "+GMM" => set(&mut status.model, line),
        // `"<version>","<unique version>"`.
        "I9" => set(&mut status.firmware, line),
        "+UMLA=2" => {
            if let Some(text) = answer(line, "+UMLA:") {
                wifi.station = text_of(text);
            }
        }
        "+UWSSTAT" => {
            let Some(text) = answer(line, "+UWSSTAT:") else {
                return;
            };
            let mut fields = Fields::new(text);
            match fields.byte() {
                Some(0) => wifi.ssid = fields.unquoted().and_then(text_of),
                Some(1) => wifi.access_point = fields.unquoted().and_then(text_of),
                Some(2) => wifi.channel = fields.byte(),
                // -32768 means that it is not connected.
                Some(6) => {
                    let number = fields
                        .next()
                        .and_then(|text| core::str::from_utf8(text).ok());
                    let number = number.and_then(|text| text.parse::<i16>().ok());
                    status.signal.rssi = number.filter(|&rssi| rssi != i16::MIN);
                }
                _ => {}
            }
        }
        "+UNSTAT=0,101" => {
            let field = answer(line, "+UNSTAT:").and_then(|text| Fields::new(text).nth(2));
            let address = field.filter(|text| *text != b"0.0.0.0");
            status.address = address.and_then(text_of);
        }
        _ => {}
    }
}

fn set<const N: usize>(field: &mut Option<String<N>>, line: &[u8]) {
    if field.is_none() && line.starts_with(b"\"") {
        *field = Fields::new(line).unquoted().and_then(text_of);
    }
}

/// Returns the text, or `None` when it is empty or does not fit, since half a text would be a wrong
/// one.
fn text_of<const N: usize>(text: &[u8]) -> Option<String<N>> {
    let text = core::str::from_utf8(text).ok()?;
    String::try_from(text).ok().filter(|text| !text.is_empty())
}
