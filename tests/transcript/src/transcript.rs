//! A whole transcript.

use std::fmt;
use std::str::FromStr;

use crate::event::Event;

const SOURCE: &str = "# source:";

/// What was said, and where that is known from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Transcript {
    /// Where it was seen or is documented, whether it is verbatim, what was masked.
    pub source: String,
    /// In order.
    pub events: Vec<Event>,
}

/// Why a text is no transcript.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParseError {
    /// Which line, counted from 1.
    pub line: usize,
    /// What is wrong with it.
    pub problem: String,
}

impl fmt::Display for ParseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}: {}", self.line, self.problem)
    }
}

impl std::error::Error for ParseError {}

impl FromStr for Transcript {
    type Err = ParseError;

    /// Empty lines and further comments are skipped.
    fn from_str(text: &str) -> Result<Self, ParseError> {
        let mut source = None;
        let mut events = Vec::new();
        for (index, line) in text.lines().enumerate() {
            let error = |problem| ParseError {
                line: index + 1,
                problem,
            };
            if source.is_none() {
                let found = line.strip_prefix(SOURCE).map(str::trim);
                let found = found.filter(|found| !found.is_empty());
                let missing = || {
                    error(format!(
                        "a transcript begins with {SOURCE:?} and where it is from"
                    ))
                };
                source = Some(found.ok_or_else(missing)?.to_owned());
            } else if !line.is_empty() && !line.starts_with('#') {
                events.push(Event::parse(line).map_err(error)?);
            }
        }
        let Some(source) = source else {
            return Err(ParseError {
                line: 1,
                problem: "it is empty".into(),
            });
        };
        Ok(Self { source, events })
    }
}

impl fmt::Display for Transcript {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&header(&self.source))?;
        for event in &self.events {
            writeln!(f, "{event}")?;
        }
        Ok(())
    }
}

/// The first line. A line end in the source would make it two.
pub(crate) fn header(source: &str) -> String {
    let words: Vec<&str> = source.split_whitespace().collect();
    format!("{SOURCE} {}\n", words.join(" "))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use proptest::prelude::*;

    use super::*;

    fn parse(text: &str) -> Result<Transcript, ParseError> {
        text.parse()
    }

    #[test]
    fn the_documented_example_is_read() {
        let text = "# source: bg96 sheet, 4.4, verbatim\n\n# a comment\n> AT+QSSLRECV=1,1500\\r\n< \\r\\n+QSSLRECV: 5\\r\\nhello\\r\\n\\r\\nOK\\r\\n\n~ 150ms\n! reset\n<\n> AT+X=\"\\x41\"\n";
        let transcript = parse(text).unwrap();
        assert_eq!(transcript.source, "bg96 sheet, 4.4, verbatim");
        assert_eq!(
            transcript.events,
            [
                Event::Host(b"AT+QSSLRECV=1,1500\r".to_vec()),
                Event::Modem(b"\r\n+QSSLRECV: 5\r\nhello\r\n\r\nOK\r\n".to_vec()),
                Event::Wait(Duration::from_millis(150)),
                Event::Reset,
                Event::Modem(Vec::new()),
                Event::Host(b"AT+X=\"A\"".to_vec()),
            ]
        );
    }

    #[test]
    fn mistakes_are_named_with_their_line() {
        for (line, problem) in [
            ("> \\q", "no escape \\q"),
            ("> \\", "middle of an escape"),
            ("> \\x4", "two hex digits"),
            ("> \\x+1", "two hex digits"),
            ("> \u{e9}", "must be written \\xc3"),
            ("> a\tb", "must be written \\x09"),
            (">AT", "a blank must follow"),
            ("AT", "a blank must follow"),
            ("\u{e9}", "none of # > < ~ !"),
            ("? x", "none of # > < ~ !"),
            ("~ 150", "is no time"),
            ("~ -1ms", "is no time"),
            ("! fire", "no event \"fire\""),
        ] {
            let error = parse(&format!("# source: here\n> AT\\r\n{line}\n")).unwrap_err();
            assert_eq!(error.line, 3, "{line}");
            assert!(error.problem.contains(problem), "{line}: {error}");
        }
        for text in ["", "> AT\\r\n", "# source:\n", "\n# source: late\n"] {
            assert_eq!(parse(text).map_err(|error| error.line), Err(1), "{text:?}");
        }
    }

    fn event() -> impl Strategy<Value = Event> {
        let bytes = || prop::collection::vec(any::<u8>(), 0..40);
        prop_oneof![
            bytes().prop_map(Event::Host),
            bytes().prop_map(Event::Modem),
            Just(Event::Reset),
            any::<u32>().prop_map(|millis| Event::Wait(Duration::from_millis(millis.into()))),
        ]
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_back(events in prop::collection::vec(event(), 0..20)) {
            let transcript = Transcript { source: "a test".into(), events };
            let text = transcript.to_string();
            // One event a line, and nothing that an editor would change.
            prop_assert_eq!(text.lines().count(), transcript.events.len() + 1);
            prop_assert!(text.bytes().all(|byte| byte == b'\n' || (0x20..0x7f).contains(&byte)));
            prop_assert_eq!(parse(&text), Ok(transcript));
        }

        #[test]
        fn any_text_is_read_or_refused(text in "\\PC*\n?[><~!#] ?\\PC*") {
            let _ = parse(&text);
        }
    }
}
