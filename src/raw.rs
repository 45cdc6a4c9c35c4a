//! Command lines that a user types, for [`Control::raw_at`](crate::Control::raw_at): what may be sent
//! without breaking the engine.

use core::fmt;

use crate::at::InvalidInput;
use crate::engine::COMMAND_LIMIT;
use crate::engine::backend::Forbidden;
use crate::error::AtError;

/// Commands that are forbidden on every modem (V.250, 27.005, 27.007). Each backend adds its own.
static EVERYWHERE: [Forbidden; 13] = [
    // They prompt, or leave line mode.
    Forbidden::new("+CMGS", Forbidden::NONE),
    Forbidden::new("+CMGW", Forbidden::NONE),
    Forbidden::new("+CMGC", Forbidden::NONE),
    Forbidden::new("+CNMA", Forbidden::NONE),
    // The text of a short message may look like anything.
    Forbidden::new("+CMGR", Forbidden::NONE),
    Forbidden::new("+CMGL", Forbidden::NONE),
    Forbidden::new("+CGDATA", Forbidden::NONE),
    Forbidden::new("+CMUX", Forbidden::NONE),
    Forbidden::new("+CPIN", "Config::pin, which is tried once only"),
    Forbidden::new("+IPR", Forbidden::OURS),
    Forbidden::new("+ICF", Forbidden::OURS),
    Forbidden::new("+IFC", "Config::flow_control"),
    Forbidden::new("+CMEE", Forbidden::OURS),
];

/// Why a raw command did not succeed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum RawError {
    /// It was sent, and this became of it; [`AtError::Refused`] keeps the vendor's number.
    At(AtError),
    /// It would break the driver, or a promise of it. Nothing was sent.
    Forbidden {
        /// What to use instead.
        instead: &'static str,
    },
    /// It cannot be a command line. Nothing was sent.
    InvalidInput(InvalidInput),
    /// It does not begin with `AT`. Nothing was sent.
    NotACommand,
}

impl fmt::Display for RawError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::At(error) => error.fmt(f),
            Self::Forbidden { instead } => write!(
                f,
                "this command would break the driver or what it promises; instead: {instead}"
            ),
            Self::InvalidInput(input) => input.fmt(f),
            Self::NotACommand => f.write_str("a command line begins with AT"),
        }
    }
}

impl core::error::Error for RawError {}

/// Of the basic commands only these have no lasting effect.
const HARMLESS: [&str; 2] = ["I", "&V"];
const BASIC: &str = "nothing: the driver needs these settings as it made them";

/// Whether the driver survives `line`.
pub(crate) fn check(line: &str, forbidden: &[Forbidden]) -> Result<(), RawError> {
    if line.len() >= COMMAND_LIMIT {
        // One byte is for the CR.
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
    // Several commands may stand on one line (V.250, 5.2).
    loop {
        rest = rest.trim_ascii_start();
        match rest.as_bytes().first() {
            None => return Ok(()),
            Some(b';') => rest = &rest[1..],
            Some(b'+' | b'%' | b'^' | b'$' | b'*' | b'#' | b'_') => {
                let (command, behind) = rest.split_at(unquoted_semicolon(rest));
                extended(command, forbidden)?;
                rest = behind;
            }
            Some(_) => {
                let (command, behind) = basic(rest);
                if !HARMLESS
                    .iter()
                    .any(|name| command.eq_ignore_ascii_case(name))
                {
                    return Err(RawError::Forbidden { instead: BASIC });
                }
                rest = behind;
            }
        }
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

/// Cuts a basic command off: a letter, perhaps with `&` before it, and its number. All input is ASCII.
fn basic(text: &str) -> (&str, &str) {
    let name = if text.starts_with('&') { 2 } else { 1 }.min(text.len());
    let digits = text[name..].bytes().take_while(u8::is_ascii_digit).count();
    (&text[..name], &text[name + digits..])
}

fn extended(command: &str, forbidden: &[Forbidden]) -> Result<(), RawError> {
    let end = command.find(['=', '?', ' ']).unwrap_or(command.len());
    let (name, operation) = command.split_at(end);
    let query = matches!(operation.as_bytes().trim_ascii(), b"?" | b"=?" | b"= ?");
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

    const RULES: [Forbidden; 3] = [
        Forbidden {
            name: "+SEND",
            queries: false,
            instead: "Socket",
        },
        Forbidden {
            name: "+HANG",
            queries: true,
            instead: "nothing",
        },
        Forbidden {
            name: "+HTTP*",
            queries: false,
            instead: "Socket",
        },
    ];

    #[test]
    fn what_is_forbidden_is_found_wherever_it_stands() {
        for line in [
            "AT+SEND=1",
            "at+send=1,2",
            "AT +SEND",
            "AT+SEND",
            "AT+SEND =1",
            "AT+CSQ;+SEND=1",
            "ATI;+SEND=1",
            "ATI+SEND=1",
            "AT+X=\"a;b\";+send=4",
            "AT+HANG?",
            "AT+HANG=?",
            "AT+HTTPPOST=1",
            "ATE1",
            "ATE",
            "ate1",
            "ATIE1",
            "AT&F",
            "ATZ0",
            "AT&W",
            "ATD*99#",
            "ATO",
            "ATA",
            "ATS3=10",
            "AT+CSQ;E1",
            "AT\\Q3",
            "AT&",
        ] {
            assert!(
                matches!(check(line, &RULES), Err(RawError::Forbidden { .. })),
                "{line}"
            );
        }
    }

    #[test]
    fn what_is_harmless_may_be_sent() {
        for line in [
            "AT",
            "at",
            "ATI",
            "ATI0",
            "AT&V",
            "AT+SEND?",
            "AT+SEND=?",
            "AT+SENDER=1",
            "AT+CSQ;+CREG?",
            "AT+X=\"+SEND=1;+HANG\"",
            "AT;",
        ] {
            assert_eq!(check(line, &RULES), Ok(()), "{line}");
        }
    }

    #[test]
    fn what_is_no_line_is_refused() {
        for line in ["", "A", "A/", "+++", "+CSQ", " AT"] {
            assert_eq!(check(line, &RULES), Err(RawError::NotACommand), "{line}");
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
                check(line, &RULES).map_err(|error| matches!(
                    error,
                    RawError::InvalidInput(InvalidInput::ForbiddenCharacter { .. })
                )),
                Err(true),
                "{line:?}"
            );
        }
        let long = std::format!("AT{}", " ".repeat(COMMAND_LIMIT));
        assert_eq!(
            check(&long, &RULES),
            Err(RawError::InvalidInput(InvalidInput::TooLong {
                limit: COMMAND_LIMIT - 1
            }))
        );
    }

    proptest::proptest! {
        #[test]
        fn any_text_is_judged_without_panic(line in "(AT)?[ -~\\PC]{0,40}") {
            let _ = check(&line, &RULES);
        }
    }
}
