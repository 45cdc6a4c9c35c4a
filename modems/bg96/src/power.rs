//! Power down, sleep, PSM and eDRX (sheet 1.1 and 1.7).

use embassy_time::Duration;
use sectag::at::{AtatResp, Fields, answer, at_command};
use sectag::modem::{SavesPower, ask};
use sectag::{At, AtError, PowerSaving};

use crate::{Bg96, Options, Script};

impl<O: Options> Bg96<O> {
    /// Powers the modem down in order (1), so that it detaches from the network first. The modem
    /// answers at once and reports the end later.
    pub(crate) const POWER_OFF: Script<O> = &[ask("AT+QPOWD=1").limit(100)];

    /// Lets the modem sleep while DTR is high.
    pub(crate) const SLEEP: Script<O> = &[ask("AT+QSCLK=1")];
}

const QUICK: u32 = 3000;

/// An answer line as text, with its prefix.
struct Text(heapless::String<64>);
impl AtatResp for Text {}

fn text(bytes: &[u8]) -> Option<Text> {
    Some(Text(core::str::from_utf8(bytes).ok()?.try_into().ok()?))
}

/// Asks for the PSM timers that the network granted, in seconds.
struct GrantedSaving;
at_command!(
    GrantedSaving,
    QUICK,
    "+QPSMS?",
    |self, line| line,
    Text,
    text
);

impl<O: Options> SavesPower for Bg96<O> {
    async fn power_saving(at: &At<'_, Self>) -> Result<Option<PowerSaving>, AtError> {
        let granted = at.send(&GrantedSaving).await?.0;
        Ok(granted_saving(granted.as_bytes()))
    }
}

/// Reads `+QPSMS: 1,,,"86400","2"`, or `+QPSMS: 0` for PSM off.
fn granted_saving(text: &[u8]) -> Option<PowerSaving> {
    let mut fields = Fields::new(answer(text, "+QPSMS:")?);
    if fields.int() != Some(1) {
        return None;
    }
    // A u64 of seconds overflows in microseconds.
    let mut seconds = || {
        let seconds: u32 = fields.text()?.parse().ok()?;
        Some(Duration::from_secs(seconds.into()))
    };
    let (_, _) = (seconds(), seconds());
    Some(PowerSaving::granted(seconds()?, seconds()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_granted_is_read() {
        let granted = granted_saving(b"+QPSMS: 1,,,\"86400\",\"2\"").unwrap();
        assert_eq!(granted.period(), Duration::from_secs(86_400));
        assert_eq!(granted.active(), Duration::from_secs(2));
        assert_eq!(granted_saving(b"+QPSMS: 0"), None);
        assert_eq!(granted_saving(b"+QPSMS: 1,,,\"\",\"\""), None);
        let endless = b"+QPSMS: 1,,,\"18446744073709551615\",\"2\"";
        assert_eq!(granted_saving(endless), None);
    }
}
