//! Radio settings: which technologies, bands, roaming and operator the modem may use (sheet 1.5).

use core::fmt::Write;

use sectag::at::{Fields, InvalidInput, answer};
use sectag::modem::{Out, Then, World, ask, decide, either_way};
use sectag::{BringUpError, Code};

use crate::{Bg96, OPERATOR, Options, RADIO, Script};

/// A radio setting, for [`Config::radio`](crate::Config::radio).
///
/// The modem keeps all of them in its flash. Each is read first and written only when it differs, and
/// at most once in a life of the MCU, so that the flash does not wear.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum Radio {
    /// GSM, LTE or both (`nwscanmode`).
    Search(Search),
    /// The category of LTE (`iotopmode`).
    Lte(Lte),
    /// The order in which networks are searched (`nwscanseq`).
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
    /// Use of other operators' networks (`roamservice`).
    Roaming(Roaming),
    /// The operator (`AT+COPS`).
    Operator(Operator),
}

/// The technology that is searched. The BG96-M refuses this setting.
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

/// The category of LTE that is searched. The BG96-M refuses this setting.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Lte {
    /// Cat M1 and Cat NB1.
    Any,
    /// Cat M1 (LTE-M) only.
    CatM1Only,
    /// Cat NB1 (NB-IoT) only.
    CatNb1Only,
}

/// A kind of network, in an order of search. The BG96-M refuses this setting.
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

/// Use of other operators' networks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Roaming {
    /// The modem decides.
    Auto,
    /// Roaming is off.
    Off,
    /// Roaming is on.
    On,
}

/// The choice of the operator.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Operator {
    /// The modem chooses.
    Automatic,
    /// This operator and no other. Registration with it may take 180 s.
    Fixed(Plmn),
}

/// An operator's number: country code (MCC, 3 digits) and network code (MNC, 2 or 3 digits).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Plmn(&'static str);

impl Plmn {
    /// Returns the number in a literal, checked when the firmware is built.
    ///
    /// # Panics
    /// If [`new`](Self::new) refuses the digits. In a `const`, that is a build error.
    pub const fn from_static(digits: &'static str) -> Self {
        match Self::new(digits) {
            Ok(plmn) => plmn,
            Err(_) => panic!("no operator's number: 5 or 6 digits"),
        }
    }

    /// Returns the number in a text that is known only when the firmware runs; errors if it is not 5 or
    /// 6 digits.
    pub const fn new(digits: &'static str) -> Result<Self, InvalidInput> {
        let bytes = digits.as_bytes();
        if bytes.len() < 5 {
            return Err(InvalidInput::TooShort { least: 5 });
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

/// The values of a setting, in the form in which the modem writes them.
type Values = heapless::String<48>;

/// Scratch of writing the radio settings.
pub(crate) struct Tuning {
    /// The index of the current setting in the configuration.
    index: usize,
    /// The reason why the operator could not be set.
    failure: Option<BringUpError>,
}

impl Tuning {
    pub(crate) const fn new() -> Self {
        Self {
            index: 0,
            failure: None,
        }
    }
}

impl<O: Options> Bg96<O> {
    /// Reads each setting and writes it only when it differs.
    pub(crate) const RADIO: Script<O> = &[
        decide(Self::next_choice),
        ask("AT+QCFG=\"{q}\"").then(Self::item_known),
        ask("AT+QCFG=\"{q}\",{v}").then(Self::item_set),
    ];

    /// Sets the operator by its number, so that it can be compared. The answer's format is then set
    /// back to names, for a user who asks for the operator, since the modem does not store the format.
    pub(crate) const OPERATOR: Script<O> = &[
        ask("AT+COPS=3,2").then(Self::format_set),
        // The modem may ask the network.
        ask("AT+COPS?").limit(1800).then(Self::operator_known),
        ask("AT+COPS={v}")
            .limit(1800)
            .even_unanswered()
            .then(Self::operator_set),
        ask("AT+COPS=3,0").even_unanswered().then(either_way),
        decide(Self::operator_done),
    ];

    fn choice(&self) -> Option<&'static Radio> {
        self.config.radio.get(self.bring_up.tuning.index)
    }

    fn next_choice(&mut self, world: &mut World<'_>, _: Option<&[u8]>) -> Then {
        match self.choice() {
            Some(Radio::Operator(_)) => Then::To(OPERATOR),
            Some(_) => Then::Next,
            None => {
                self.radio_written = true;
                self.look_for_network(world)
            }
        }
    }

    fn chosen(&mut self) -> Then {
        self.bring_up.tuning.index += 1;
        Then::To(RADIO)
    }

    /// Writes the name of a setting of `AT+QCFG`.
    pub(crate) fn write_item(&self, out: &mut Out<'_>) {
        if let Some(choice) = self.choice() {
            out.bytes(item(choice).0.as_bytes());
        }
    }

    /// Writes the values of a setting, or the arguments that choose an operator.
    pub(crate) fn write_values(&self, out: &mut Out<'_>) {
        match self.choice() {
            Some(Radio::Operator(Operator::Automatic)) => out.byte(b'0'),
            // By number and without a technology, which would change the search as well (sheet 1.5).
            Some(Radio::Operator(Operator::Fixed(plmn))) => {
                out.bytes(b"1,2,");
                out.quoted(plmn.0.as_bytes());
            }
            Some(choice) => out.bytes(item(choice).1.as_bytes()),
            None => {}
        }
    }

    /// Returns the name of the current setting in errors.
    fn setting(&self) -> &'static str {
        match self.choice() {
            Some(Radio::Operator(_)) | None => "AT+COPS",
            Some(choice) => item(choice).0,
        }
    }

    fn setting_refused(&self, code: Code) -> BringUpError {
        BringUpError::SettingRefused {
            setting: self.setting(),
            code,
        }
    }

    fn item_known(&mut self, world: &mut World<'_>, answer: Option<&[u8]>) -> Then {
        let (Some(answer), Some(choice)) = (answer, self.choice()) else {
            return world.fail(self.setting_refused(world.code));
        };
        if is_set(answer, &item(choice).1) {
            return self.chosen();
        }
        Then::Next
    }

    fn item_set(&mut self, world: &mut World<'_>, answer: Option<&[u8]>) -> Then {
        match answer {
            Some(_) => self.chosen(),
            None => world.fail(self.setting_refused(world.code)),
        }
    }

    fn format_set(&mut self, world: &mut World<'_>, answer: Option<&[u8]>) -> Then {
        if answer.is_none() {
            return world.fail(self.setting_refused(world.code));
        }
        Then::Next
    }

    fn operator_known(&mut self, world: &mut World<'_>, text: Option<&[u8]>) -> Then {
        let Some(text) = text else {
            return world.fail(self.setting_refused(world.code));
        };
        let mut fields = Fields::new(answer(text, "+COPS:").unwrap_or_default());
        let mode = fields.int();
        let right = match self.choice() {
            Some(Radio::Operator(Operator::Fixed(plmn))) => {
                let now = fields.nth(1).and_then(|now| Fields::new(now).unquoted());
                mode == Some(1) && now == Some(plmn.0.as_bytes())
            }
            _ => mode == Some(0),
        };
        if right { Then::Skip } else { Then::Next }
    }

    fn operator_set(&mut self, world: &mut World<'_>, answer: Option<&[u8]>) -> Then {
        if answer.is_none() {
            self.bring_up.tuning.failure = Some(match world.ended {
                Some(error) => BringUpError::At {
                    command: self.setting(),
                    error,
                },
                None => self.setting_refused(world.code),
            });
        }
        Then::Next
    }

    fn operator_done(&mut self, world: &mut World<'_>, _: Option<&[u8]>) -> Then {
        match self.bring_up.tuning.failure.take() {
            Some(failure) => world.fail(failure),
            None => self.chosen(),
        }
    }
}

/// Returns name and values of a setting of `AT+QCFG`, which the operator is not.
fn item(choice: &Radio) -> (&'static str, Values) {
    let mut values = Values::new();
    // The values of every setting fit.
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
        // The operator is set by `AT+COPS`, see `next_choice`.
        Radio::Operator(_) => ("", Ok(())),
    };
    (name, values)
}

/// Returns whether the answer to a query shows these values. Numbers are compared, because some
/// firmware writes `0x` in front of a bit set. A bit set of 0 asks for no change.
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
    fn an_operators_number_that_is_too_short_is_called_so() {
        assert_eq!(
            Plmn::new("0010").err(),
            Some(InvalidInput::TooShort { least: 5 })
        );
    }

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
    fn a_choice_that_is_already_in_effect_is_recognised() {
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
