//! The check of command lines that users type: which of them are refused, and which leave the connections alone.
//!
//! A query changes nothing, and neither does a command on a short list. Any other line may change the modem's
//! settings: it takes the channel alone, and the modem is brought up anew after it, which restores every setting
//! that the driver relies on. Only commands whose effect no bring-up undoes are refused.

use core::fmt;

use super::backend::Forbidden;
use super::mailbox::COMMAND_LIMIT;
use crate::at::InvalidInput;
use crate::error::{AtError, BringUpError};

/// The commands that are refused on every modem (V.250, 27.007), beside each backend's own.
static EVERYWHERE: [Forbidden; 6] = [
    // Three wrong PINs in a row block the SIM.
    Forbidden::new("+CPIN", "Config::pin, which is tried once only"),
    // These change the format on the UART, so that the driver does not find the modem again.
    Forbidden::new("+IPR", Forbidden::OURS),
    Forbidden::new("+ICF", Forbidden::OURS),
    Forbidden::new("+IFC", "Config::flow_control"),
    Forbidden::new("+CMUX", Forbidden::NONE),
    // It may leave the radio off, so that the modem does not register.
    Forbidden::new("+CFUN", "Control::power_off and Control::power_on"),
];

/// The commands without `?` that change nothing, beside each backend's own: signal strength and identity.
static HARMLESS: [&str; 8] = [
    "I", "&V", "+CSQ", "+CGMI", "+CGMM", "+CGMR", "+CGSN", "+CIMI",
];

/// The error of a raw command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum RawError {
    /// The command was sent, and its exchange ended with this error. [`AtError::Refused`] keeps the vendor's number.
    At(AtError),
    /// The modem does not come up, or does not register on its network. Nothing was sent.
    BringUp(BringUpError),
    /// The driver refuses the command, because it neither notices its effect nor undoes it: the driver would not find
    /// the modem again, or not with the settings that it needs, or an attempt at the SIM's PIN would be used up. Nothing
    /// was sent.
    Forbidden {
        /// The part of the driver's API to use instead.
        instead: &'static str,
    },
    /// The line is too long for a command, or has a character that no command has. Nothing was sent.
    InvalidInput(InvalidInput),
    /// The line does not begin with `AT`. Nothing was sent.
    NotACommand,
}

impl fmt::Display for RawError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::At(error) => error.fmt(f),
            Self::BringUp(error) => error.fmt(f),
            Self::Forbidden { instead } => write!(
                f,
                "not sent: what this command does, the driver neither notices nor mends; instead: {instead}"
            ),
            Self::InvalidInput(input) => input.fmt(f),
            Self::NotACommand => f.write_str("a command line begins with AT"),
        }
    }
}

impl core::error::Error for RawError {}

/// Checks a line. Returns `true` where it leaves connections and settings alone, `false` where the modem must be brought
/// up anew after it.
pub(crate) fn judge(
    line: &str,
    forbidden: &[Forbidden],
    harmless: &[&str],
) -> Result<bool, RawError> {
    if line.len() >= COMMAND_LIMIT {
        // The CR takes one byte of the buffer.
        return Err(RawError::InvalidInput(InvalidInput::TooLong {
            limit: COMMAND_LIMIT - 1,
        }));
    }
    let odd = |byte: u8| !(0x20..0x7f).contains(&byte);
    if let Some(at) = line.bytes().position(odd) {
        return Err(RawError::InvalidInput(InvalidInput::ForbiddenCharacter {
            at,
        }));
    }
    let mut rest = strip_at(line).ok_or(RawError::NotACommand)?;
    let mut keeps = true;
    // Several commands may stand on one line (V.250, 5.2).
    loop {
        rest = rest.trim_ascii_start();
        let (name, behind) = match rest.as_bytes().first() {
            None => return Ok(keeps),
            Some(b';') => {
                rest = &rest[1..];
                continue;
            }
            Some(b'+' | b'%' | b'^' | b'$' | b'*' | b'#' | b'_') => {
                let (command, behind) = rest.split_at(unquoted_semicolon(rest));
                let end = command.find(['=', '?', ' ']).unwrap_or(command.len());
                let (name, operation) = command.split_at(end);
                let operation = operation.trim_ascii();
                let query = matches!(operation, "?" | "=?" | "= ?");
                refused(name, query, forbidden)?;
                if query {
                    rest = behind;
                    continue;
                }
                // A name on the list is harmless only without arguments.
                (if operation.is_empty() { name } else { "" }, behind)
            }
            Some(_) => {
                let (name, behind) = basic(rest);
                refused(name, behind.starts_with('?'), forbidden)?;
                (name, behind)
            }
        };
        keeps &= HARMLESS
            .iter()
            .chain(harmless)
            .any(|known| known.eq_ignore_ascii_case(name));
        rest = behind;
    }
}

fn strip_at(line: &str) -> Option<&str> {
    line.get(..2)
        .filter(|start| start.eq_ignore_ascii_case("AT"))
        .map(|_| &line[2..])
}

fn unquoted_semicolon(text: &str) -> usize {
    let mut quoted = false;
    text.bytes()
        .position(|byte| {
            quoted ^= byte == b'"';
            byte == b';' && !quoted
        })
        .unwrap_or(text.len())
}

/// Splits a basic command off: a letter, which may have `&` before it, and its number. All input is ASCII.
fn basic(text: &str) -> (&str, &str) {
    let name = if text.starts_with('&') { 2 } else { 1 }.min(text.len());
    let digits = text[name..].bytes().take_while(u8::is_ascii_digit).count();
    (&text[..name], &text[name + digits..])
}

fn refused(name: &str, query: bool, forbidden: &[Forbidden]) -> Result<(), RawError> {
    let rule = EVERYWHERE.iter().chain(forbidden).find(|rule| {
        let (known, typed) = match rule.name.strip_suffix('*') {
            Some(family) => (family, name.get(..family.len()).unwrap_or_default()),
            None => (rule.name, name),
        };
        known.eq_ignore_ascii_case(typed)
    });
    match rule {
        Some(rule) if rule.queries || !query => Err(RawError::Forbidden {
            instead: rule.instead,
        }),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    extern crate std;

    use super::*;

    const RULES: [Forbidden; 6] = [
        Forbidden::new("G*", "nothing"),
        Forbidden::new("&D", "nothing"),
        Forbidden::new("H", "nothing"),
        Forbidden::new("+OFF", "Control::power_off"),
        Forbidden {
            name: "+HANG",
            queries: true,
            instead: "nothing",
        },
        Forbidden::new("+SLEEP*", "Control::sleep"),
    ];

    fn check(line: &str) -> Result<bool, RawError> {
        judge(line, &RULES, &["+TEMP"])
    }

    #[test]
    fn what_is_forbidden_is_found_wherever_it_stands() {
        for line in [
            "AT+OFF=1",
            "at+off=1,2",
            "AT +OFF",
            "AT+OFF",
            "AT+OFF =1",
            "AT+CSQ;+OFF=1",
            "ATI;+OFF=1",
            "ATI+OFF=1",
            "ATE1+OFF",
            "AT+X=\"a;b\";+off=4",
            "AT+HANG?",
            "AT+HANG=?",
            "AT+SLEEPMODE=1",
            "AT+IPR=9600",
            // Basic commands with a number.
            "ATG",
            "atg1",
            "AT&D2",
            "ATE0&d2",
            "AT+CSQ;H0",
            "ATH*99#",
        ] {
            assert!(
                matches!(check(line), Err(RawError::Forbidden { .. })),
                "{line}"
            );
        }
    }

    #[test]
    fn queries_and_what_is_harmless_keep_connections() {
        for line in [
            "AT",
            "at",
            "ATI",
            "ATI0",
            "AT&V",
            "AT+OFF?",
            "AT+OFF=?",
            "AT+OFFER?",
            "AT+CSQ;+CREG?",
            "at+csq",
            "AT+TEMP",
            "ATI;",
            "AT;",
        ] {
            assert_eq!(check(line), Ok(true), "{line}");
        }
    }

    #[test]
    fn whatever_else_is_typed_is_followed_by_a_bring_up() {
        for line in [
            "ATE1",
            "ATE",
            "ate1",
            "ATIE1",
            "AT&F",
            "ATZ0",
            "AT&W",
            "ATD*99#",
            "ATO",
            "ATS3=10",
            "AT+CSQ;E1",
            "AT+CSQ=1",
            "AT\\Q3",
            "AT&",
            "AT&G",
            "ATD0",
            "AT+X",
            "AT+CREG?;+X=1",
            "AT+OFFER=1",
            "AT+X=\"+OFF=1;+HANG\"",
            // The question mark stands in quotes, so this is no query.
            "AT+X=\"?\"",
        ] {
            assert_eq!(check(line), Ok(false), "{line}");
        }
    }

    #[test]
    fn what_is_no_line_is_refused() {
        for line in ["", "A", "A/", "+++", "+CSQ", " AT"] {
            assert_eq!(check(line), Err(RawError::NotACommand), "{line}");
        }
        for line in [
            "AT\rATE1",
            "AT\n",
            "AT\0",
            "AT+X=\u{1a}",
            "AT\u{1b}",
            "AT\u{e9}",
        ] {
            assert_eq!(
                check(line).map_err(|error| matches!(
                    error,
                    RawError::InvalidInput(InvalidInput::ForbiddenCharacter { .. })
                )),
                Err(true),
                "{line:?}"
            );
        }
        let long = std::format!("AT{}", " ".repeat(COMMAND_LIMIT));
        assert_eq!(
            check(&long),
            Err(RawError::InvalidInput(InvalidInput::TooLong {
                limit: COMMAND_LIMIT - 1
            }))
        );
    }

    proptest::proptest! {
        #[test]
        fn any_text_is_judged_without_panic(line in "(AT)?[ -~\\PC]{0,40}") {
            let _ = check(&line);
        }
    }
}
