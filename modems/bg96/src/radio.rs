//! Which networks the modem may use: technologies, bands, roaming, operator (sheet 1.5).

use core::fmt::Write;

use sectag::at::{AtatResp, Fields, InvalidInput, answer, at_command};
use sectag::{At, AtError, BringUpError};

use crate::Bg96;
use crate::commands::QUICK;

/// One choice about the radio, for [`Config::radio`](crate::Config::radio).
///
/// The modem keeps all of them in its flash. Each is asked for first and written only when it differs,
/// and at most once in the life of the MCU, so that the flash does not wear.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum Radio {
    /// GSM, LTE or both (`nwscanmode`).
    Search(Search),
    /// Which category of LTE (`iotopmode`).
    Lte(Lte),
    /// In which order networks are looked for (`nwscanseq`).
    Order([Network; 3]),
    /// Bands, as the bit sets of the manual: GSM 1 is 900, 2 is 1800, 4 is 850, 8 is 1900 MHz; LTE 1 is
    /// B1, 2 is B2, 4 is B3, 8 is B4 and so on, bit n-1 for Bn. 0 leaves a set as it is.
    Bands {
        /// GSM.
        gsm: u8,
        /// LTE Cat M1.
        cat_m1: u64,
        /// LTE Cat NB1.
        cat_nb1: u64,
    },
    /// Whether other operators' networks are used (`roamservice`).
    Roaming(Roaming),
    /// Whose network.
    Operator(Operator),
}

/// Which generation is looked for. The BG96-M refuses this.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Search {
    /// GSM and LTE.
    Any,
    /// GSM only.
    GsmOnly,
    /// LTE only.
    LteOnly,
}

/// Which category of LTE is looked for. The BG96-M refuses this.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Lte {
    /// Both.
    Any,
    /// Cat M1 (LTE-M) only.
    CatM1Only,
    /// Cat NB1 (NB-IoT) only.
    CatNb1Only,
}

/// A kind of network, in an order of search. The BG96-M refuses this.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Network {
    /// LTE Cat M1.
    CatM1,
    /// LTE Cat NB1.
    CatNb1,
    /// GSM.
    Gsm,
}

/// Whether other operators' networks are used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Roaming {
    /// As the modem decides.
    Auto,
    /// No.
    Off,
    /// Yes.
    On,
}

/// Whose network is used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Operator {
    /// The modem chooses.
    Automatic,
    /// This one and no other. Choosing it may take 180 s.
    Fixed(Plmn),
}

/// An operator's number: country code (MCC, 3 digits) and network code (MNC, 2 or 3 digits).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Plmn(&'static str);

impl Plmn {
    /// Checks it; `const`, so that a literal is checked when the firmware is built.
    pub const fn new(digits: &'static str) -> Result<Self, InvalidInput> {
        let bytes = digits.as_bytes();
        if bytes.len() < 5 {
            return Err(InvalidInput::Empty);
        }
        if bytes.len() > 6 {
            return Err(InvalidInput::TooLong { limit: 6 });
        }
        let mut at = 0;
        while at < bytes.len() {
            if !bytes[at].is_ascii_digit() {
                return Err(InvalidInput::ForbiddenCharacter { at });
            }
            at += 1;
        }
        Ok(Self(digits))
    }
}

/// The values of one item, as the modem writes them.
type Values = heapless::String<48>;

/// An item of `AT+QCFG`; without values, it is asked for.
struct Item<'a> {
    name: &'static str,
    values: &'a str,
}
at_command!(
    Item<'_>,
    QUICK,
    "+QCFG",
    |self, line| {
        let line = line.quoted(self.name);
        if self.values.is_empty() {
            line
        } else {
            line.raw(self.values)
        }
    },
    Text,
    text
);

/// An answer as it is, with its name.
struct Text(heapless::String<96>);
impl AtatResp for Text {}

fn text(bytes: &[u8]) -> Option<Text> {
    Some(Text(core::str::from_utf8(bytes).ok()?.try_into().ok()?))
}

struct OperatorQuery;
at_command!(
    OperatorQuery,
    180_000,
    "+COPS?",
    |self, line| line,
    Text,
    text
);

/// Operators by number or by name.
struct OperatorFormat(u32);
at_command!(OperatorFormat, QUICK, "+COPS", |self, line| line
    .int(3)
    .int(self.0));

struct SetOperator(Operator);
at_command!(SetOperator, 180_000, "+COPS", |self, line| match self.0 {
    Operator::Automatic => line.int(0),
    // By number. Without a technology, which would change the search as well (sheet 1.5).
    Operator::Fixed(plmn) => line.int(1).int(2).quoted(plmn.0),
});

pub(crate) async fn apply(modem: &Bg96, at: At<'_>) -> Result<(), BringUpError> {
    if modem.radio_written.get() {
        return Ok(());
    }
    for choice in modem.config.radio {
        match choice {
            Radio::Operator(operator) => choose(at, *operator).await?,
            choice => {
                let (name, values) = item(choice);
                set(at, name, &values).await?;
            }
        }
    }
    modem.radio_written.set(true);
    Ok(())
}

async fn set(at: At<'_>, name: &'static str, values: &str) -> Result<(), BringUpError> {
    let known = at.send(&Item { name, values: "" }).await;
    let known = known.map_err(|error| refused(name, error))?;
    if is_set(known.0.as_bytes(), values) {
        return Ok(());
    }
    let set = at.send(&Item { name, values }).await;
    set.map(|_| ()).map_err(|error| refused(name, error))
}

async fn choose(at: At<'_>, operator: Operator) -> Result<(), BringUpError> {
    const NAME: &str = "AT+COPS";
    let refused = |error| refused(NAME, error);
    // By number, so that it can be compared; the format is not kept.
    at.send(&OperatorFormat(2)).await.map_err(refused)?;
    let known = at.send(&OperatorQuery).await.map_err(refused)?;
    let mut fields = Fields::new(answer(known.0.as_bytes(), "+COPS:").unwrap_or_default());
    let mode = fields.int();
    let right = match operator {
        Operator::Automatic => mode == Some(0),
        Operator::Fixed(plmn) => {
            let now = fields.nth(1).and_then(|now| Fields::new(now).text());
            mode == Some(1) && now == Some(plmn.0)
        }
    };
    let chosen = if right {
        Ok(())
    } else {
        at.send(&SetOperator(operator)).await.map(|_| ())
    };
    // Names again, for whoever asks who it is.
    let _ = at.send(&OperatorFormat(0)).await;
    chosen.map_err(refused)
}

fn refused(setting: &'static str, error: AtError) -> BringUpError {
    match error {
        AtError::Refused(code) => BringUpError::SettingRefused { setting, code },
        error => BringUpError::At {
            command: setting,
            error,
        },
    }
}

/// Name and values of all but the operator.
fn item(choice: &Radio) -> (&'static str, Values) {
    let mut values = Values::new();
    // All of them fit.
    let (name, _) = match choice {
        Radio::Search(search) => (
            "nwscanmode",
            values.push_str(match search {
                Search::Any => "0",
                Search::GsmOnly => "1",
                Search::LteOnly => "3",
            }),
        ),
        Radio::Lte(lte) => (
            "iotopmode",
            values.push_str(match lte {
                Lte::CatM1Only => "0",
                Lte::CatNb1Only => "1",
                Lte::Any => "2",
            }),
        ),
        Radio::Order(order) => (
            "nwscanseq",
            order.iter().try_for_each(|network| {
                values.push_str(match network {
                    Network::Gsm => "01",
                    Network::CatM1 => "02",
                    Network::CatNb1 => "03",
                })
            }),
        ),
        Radio::Bands {
            gsm,
            cat_m1,
            cat_nb1,
        } => (
            "band",
            write!(values, "{gsm:x},{cat_m1:x},{cat_nb1:x}").map_err(|_| Default::default()),
        ),
        Radio::Roaming(roaming) => (
            "roamservice",
            values.push_str(match roaming {
                Roaming::Off => "1",
                Roaming::On => "2",
                Roaming::Auto => "255",
            }),
        ),
        // See `choose`.
        Radio::Operator(_) => ("", Ok(())),
    };
    (name, values)
}

/// Whether the answer to a query shows these values. Compared as numbers, because some firmware writes
/// `0x` in front of a bit set; a bit set of 0 asks for no change.
fn is_set(known: &[u8], values: &str) -> bool {
    let Some(known) = answer(known, "+QCFG:") else {
        return false;
    };
    let mut known = Fields::new(known);
    known.next();
    let several = values.contains(',');
    values.split(',').all(|value| {
        let now = known.text();
        (several && value == "0") || now.is_some_and(|now| number(now) == number(value))
    })
}

fn number(text: &str) -> Option<u64> {
    let digits = text.strip_prefix("0x").or_else(|| text.strip_prefix("0X"));
    u64::from_str_radix(digits.unwrap_or(text), 16).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn choices_are_written_as_in_the_manual() {
        let written = |choice| {
            let (name, values) = item(&choice);
            (name, values)
        };
        for (choice, name, values) in [
            (Radio::Search(Search::LteOnly), "nwscanmode", "3"),
            (Radio::Lte(Lte::Any), "iotopmode", "2"),
            (
                Radio::Order([Network::CatM1, Network::CatNb1, Network::Gsm]),
                "nwscanseq",
                "020301",
            ),
            (
                Radio::Bands {
                    gsm: 0xf,
                    cat_m1: 0x40_0a0e_189f,
                    cat_nb1: 0xa0_e189f,
                },
                "band",
                "f,400a0e189f,a0e189f",
            ),
            (
                Radio::Bands {
                    gsm: u8::MAX,
                    cat_m1: u64::MAX,
                    cat_nb1: u64::MAX,
                },
                "band",
                "ff,ffffffffffffffff,ffffffffffffffff",
            ),
            (Radio::Roaming(Roaming::Auto), "roamservice", "255"),
        ] {
            assert_eq!(written(choice).0, name);
            assert_eq!(written(choice).1.as_str(), values);
        }
    }

    #[test]
    fn what_is_set_already_is_recognised() {
        for (known, values, same) in [
            ("+QCFG: \"nwscanmode\",3", "3", true),
            ("+QCFG: \"nwscanmode\",0", "3", false),
            ("+QCFG: \"nwscanmode\",3", "0", false),
            ("+QCFG: \"nwscanseq\",020301", "020301", true),
            ("+QCFG: \"nwscanseq\",00", "020301", false),
            ("+QCFG: \"band\",0xf,0x80,0x80", "f,80,80", true),
            ("+QCFG: \"band\",F,80,80", "f,80,80", true),
            ("+QCFG: \"band\",f,80,a0", "0,80,0", true),
            ("+QCFG: \"band\",f,82,a0", "0,80,0", false),
            ("+QCFG: \"band\",f", "f,80,80", false),
            ("nonsense", "3", false),
        ] {
            assert_eq!(is_set(known.as_bytes(), values), same, "{known} {values}");
        }
    }

    #[test]
    fn operators_are_numbers() {
        assert!(Plmn::new("00101").is_ok() && Plmn::new("310410").is_ok());
        for bad in ["", "0010", "0010100", "0010a", "001\"1"] {
            assert!(Plmn::new(bad).is_err(), "{bad}");
        }
    }
}
