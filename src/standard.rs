//! The commands of 3GPP 27.007 that every cellular modem has: clock, PSM and eDRX.

use atat::AtatResp;

use crate::at::{Fields, answer, at_command};
use crate::clock::DateTime;
use crate::engine::At;
use crate::engine::backend::Modem;
use crate::error::AtError;
use crate::power_saving::{Edrx, PowerSaving};
use crate::status::Technology;

const QUICK: u32 = 3000;

/// The response of a clock query; `None` where the modem prints no date.
struct Time(Option<DateTime>);
impl AtatResp for Time {}

struct ClockQuery;
at_command!(
    ClockQuery,
    QUICK,
    "+CCLK?",
    |self, line| line,
    Time,
    |text| Some(Time(DateTime::parse_local_bytes(answer(text, "+CCLK:")?)))
);

/// Reads the clock in UTC (`+CCLK?`); `None` where it shows no date.
pub async fn clock<M: Modem>(at: &At<'_, M>) -> Result<Option<DateTime>, AtError> {
    at.send(&ClockQuery).await.map(|time| time.0)
}

struct SetClock(DateTime);
at_command!(SetClock, QUICK, "+CCLK", |self, line| {
    let text = self.0.to_cclk();
    line.quoted(core::str::from_utf8(&text).unwrap_or_default())
});

/// Sets the clock, in UTC (`+CCLK`).
pub async fn set_clock<M: Modem>(at: &At<'_, M>, now: DateTime) -> Result<(), AtError> {
    at.send(&SetClock(now)).await.map(|_| ())
}

struct SetSaving(Option<PowerSaving>);
at_command!(SetSaving, QUICK, "+CPSMS", |self, line| match &self.0 {
    None => line.int(0),
    // The second and third parameter are for GSM; empty ones leave them as they are.
    Some(wanted) => line
        .int(1)
        .raw("")
        .raw("")
        .quoted(wanted.period_bits().as_str())
        .quoted(wanted.active_bits().as_str()),
});

pub(crate) async fn set_power_saving<M: Modem>(
    at: &At<'_, M>,
    wanted: Option<PowerSaving>,
) -> Result<(), AtError> {
    at.send(&SetSaving(wanted)).await.map(|_| ())
}

struct SetEdrx {
    technology: u32,
    wanted: Option<Edrx>,
}
at_command!(SetEdrx, QUICK, "+CEDRXS", |self, line| match &self.wanted {
    None => line.int(0).int(self.technology),
    Some(wanted) => line
        .int(1)
        .int(self.technology)
        .quoted(wanted.bits().last_four()),
});

pub(crate) async fn set_edrx<M: Modem>(
    at: &At<'_, M>,
    technology: Technology,
    wanted: Option<Edrx>,
) -> Result<(), AtError> {
    let technology = match technology {
        Technology::CatM1 => 4,
        Technology::CatNb1 => 5,
        _ => return Err(AtError::Unsupported),
    };
    at.send(&SetEdrx { technology, wanted }).await.map(|_| ())
}

/// The response of an eDRX query; `None` where the network has granted none.
struct Granted(Option<Edrx>);
impl AtatResp for Granted {}

struct GrantedEdrx;
at_command!(
    GrantedEdrx,
    QUICK,
    "+CEDRXRDP",
    |self, line| line,
    Granted,
    |text| Some(Granted(granted_edrx(text)))
);

pub(crate) async fn edrx<M: Modem>(at: &At<'_, M>) -> Result<Option<Edrx>, AtError> {
    at.send(&GrantedEdrx).await.map(|granted| granted.0)
}

/// Reads the granted cycle from `+CEDRXRDP: <act>[,"<asked>"[,"<granted>"[,"<window>"]]]`, where `<act>` 0 is no eDRX.
fn granted_edrx(text: &[u8]) -> Option<Edrx> {
    let mut fields = Fields::new(answer(text, "+CEDRXRDP:")?);
    fields.int().filter(|&technology| technology != 0)?;
    fields.next();
    Edrx::from_bits(fields.text()?)
}

#[cfg(test)]
mod tests {
    use embassy_time::Duration;

    use super::*;

    #[test]
    fn what_was_granted_is_read() {
        let cycle = granted_edrx(b"+CEDRXRDP: 4,\"0010\",\"1001\",\"0111\"").unwrap();
        assert_eq!(cycle.cycle(), Duration::from_millis(163_840));
        assert_eq!(granted_edrx(b"+CEDRXRDP: 0"), None);
        assert_eq!(granted_edrx(b"+CEDRXRDP: 4,\"0010\""), None);
    }
}
