//! PSM and eDRX (sheet 2b). Unlike on other modems, a socket and its TLS session outlive PSM, the AT
//! port answers throughout, and the next send wakes the radio. Only the peer cannot reach the device
//! meanwhile.

use embassy_time::Duration;
use sectag::at::Fields;
use sectag::modem::SavesPower;
use sectag::{At, AtError, PowerSaving};

use crate::commands::{Command, GUEST_QUICK, fields};
use crate::{Family, Nrf9160};

/// The number of fields of `%XMONITOR` before the active time.
const BEFORE: usize = 13;

impl<F: Family> SavesPower for Nrf9160<F> {
    async fn power_saving(at: &At<'_, Self>) -> Result<Option<PowerSaving>, AtError> {
        let mut found = None;
        let mut see = |line: &[u8]| found = found.or(granted(fields(line, "%XMONITOR:")));
        let command = Command::<GUEST_QUICK>::new("%XMONITOR", &[]);
        at.lines(&command, &mut see).await?;
        Ok(found)
    }
}

/// Reads `..,"<active>","<period>","<period without PSM>"`, each of eight binary digits.
fn granted(mut fields: Fields<'_>) -> Option<PowerSaving> {
    let active = fields.nth(BEFORE).and_then(timer)?;
    let period = fields.next().and_then(timer)?;
    // 3GPP TS 24.008, tables 10.5.163 and 10.5.163a; the unit 111 means "deactivated" in both.
    let active = match active {
        (0, count) => count * 2,
        (2, count) => count * 360,
        (7, _) => return None,
        (_, count) => count * 60,
    };
    let period = match period {
        (0, count) => count * 600,
        (1, count) => count * 3600,
        (2, count) => count * 36_000,
        (3, count) => count * 2,
        (4, count) => count * 30,
        (5, count) => count * 60,
        (6, count) => count * 320 * 3600,
        _ => return None,
    };
    let [period, active] = [period, active].map(Duration::from_secs);
    Some(PowerSaving::granted(period, active))
}

/// Reads unit and count of a timer.
fn timer(field: &[u8]) -> Option<(u8, u64)> {
    let [b'"', digits @ .., b'"'] = field else {
        return None;
    };
    if digits.len() != 8 || !digits.iter().all(|digit| matches!(digit, b'0' | b'1')) {
        return None;
    }
    let value = digits
        .iter()
        .fold(0, |value, digit| value << 1 | (digit & 1));
    Some((value >> 5, u64::from(value & 31)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(line: &[u8]) -> Option<PowerSaving> {
        granted(fields(line, "%XMONITOR:"))
    }

    #[test]
    fn what_was_granted_is_read() {
        let line = b"%XMONITOR: 1,\"Op, a\",\"O\",\"00101\",\"002F\",7,20,\"0012BEEF\",7,6400,53,42,\"\",\"00001111\",\"00111000\",\"00000000\"";
        let saving = of(line).unwrap();
        assert_eq!(saving.active(), Duration::from_secs(30));
        assert_eq!(saving.period(), Duration::from_secs(86_400));
        // The answer with a network that grants nothing, and without a network.
        let off = b"%XMONITOR: 1,\"O\",\"O\",\"00101\",\"002F\",7,20,\"0012BEEF\",7,6400,53,42,\"\",\"11100000\",\"11100000\",\"00000000\"";
        assert_eq!(of(off), None);
        assert_eq!(of(b"%XMONITOR: 2"), None);
        assert_eq!(of(&line[..line.len() - 12]), None);
    }
}
