//! The dialect of a BG96: what each line is (sheet 0).

use sectag::Code;
use sectag::at::Fields;
use sectag::modem::{Final, Line, NOT_YET, Urc};

use crate::data_connection::PDP_CONTEXT;

/// Classifies a line. `asked` is the name of the running command, for lines that can be its answer or a
/// URC. `pushed` says that sockets were opened in direct push mode.
pub(crate) fn line(line: &[u8], asked: &[u8], pushed: bool) -> Line {
    // A fast path for the most frequent line; the tables give an equal result.
    if let (Some([digit @ b'0'..=b'9']), false) =
        (line.strip_prefix(b"+QSSLURC: \"recv\","), pushed)
    {
        return Line::Urc(Urc::Readable { id: digit - b'0' });
    }
    // A UART that was off wakes up with noise in front of the boot banner.
    let noise = line
        .iter()
        .take_while(|byte| !byte.is_ascii_graphic())
        .count();
    let line = &line[noise..];
    if !line.starts_with(b"+") {
        return word(line, asked);
    }
    let Some(colon) = line.iter().position(|&byte| byte == b':') else {
        return Line::Info;
    };
    // The manual shows `+QSIMSTAT : 1,0`, with a blank (sheet 0).
    let (name, text) = (line[..colon].trim_ascii_end(), &line[colon + 1..]);
    let known = NAMES.iter().find(|(known, _)| *known == name);
    let Some((_, named)) = known else {
        return if name.starts_with(b"+QMT") {
            OTHER
        } else {
            Line::Info
        };
    };
    let mut fields = Fields::new(text);
    match named {
        Named::CmeError | Named::CmsError => {
            let code = fields.int().and_then(|code| u16::try_from(code).ok());
            Line::Final(Final::Error(match (code, named) {
                (None, _) => Code::Plain,
                (Some(code), Named::CmeError) => Code::Cme(code),
                (Some(code), _) => Code::Cms(code),
            }))
        }
        Named::Received => payload(&mut fields).unwrap_or(Line::Info),
        Named::Opened => match (fields.byte(), fields.next()) {
            // A result that is no number, or none of the manual's, is a failure too.
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
        Named::Socket => match (fields.next(), fields.byte()) {
            (Some(b"\"recv\""), Some(id)) => match fields.int() {
                // Siblings may add the number of bytes that can be fetched (sheet 4.5).
                Some(len) if pushed => Line::Push {
                    id,
                    len: saturated(len),
                },
                _ => Line::Urc(Urc::Readable { id }),
            },
            (Some(b"\"closed\""), Some(id)) => Line::Urc(Urc::Closed { id }),
            _ => OTHER,
        },
        Named::Network
            if fields.next() == Some(b"\"pdpdeact\"") && fields.int() == Some(PDP_CONTEXT) =>
        {
            Line::Urc(Urc::NetworkLost)
        }
        Named::Network | Named::Notice => OTHER,
        Named::Registration => {
            // Answer `<n>,<stat>[,"<tac>",..]`, URC `<stat>[,"<tac>",..]` (sheet 0).
            fields.next();
            let is_answer = fields
                .next()
                .is_some_and(|second| !second.starts_with(b"\""));
            if is_answer && asked == name {
                Line::Info
            } else {
                OTHER
            }
        }
        // A result is `<err>,"<time>"`, the answer to a query `"<server>",<port>`.
        Named::Time if fields.int().is_none() => Line::Info,
        Named::Time => Line::Urc(Urc::Report),
        Named::NoticeUnlessAsked if asked == name => Line::Info,
        Named::NoticeUnlessAsked => OTHER,
    }
}

/// Classifies a line that does not begin with `+`.
fn word(line: &[u8], asked: &[u8]) -> Line {
    if let Some((_, kind)) = WHOLE.iter().find(|(whole, _)| *whole == line) {
        return *kind;
    }
    // While echo is on, the next echo may be glued to it (sheet 5, quirk 6).
    if line.starts_with(b"SEND OK") {
        return Line::Final(Final::SendOk);
    }
    // `CONNECT <length>` announces bytes that are read from a file (sheet 3).
    if let Some(text) = line.strip_prefix(b"CONNECT ") {
        return payload(&mut Fields::new(text))
            .filter(|_| asked != b"+QFUPL")
            .unwrap_or(Line::Final(Final::Connect));
    }
    Line::Info
}

/// Returns a line that announces payload. A count above `u16::MAX` becomes `u16::MAX`, which is also
/// more than any command asks for.
fn payload(fields: &mut Fields<'_>) -> Option<Line> {
    fields.int().map(|count| Line::Payload(saturated(count)))
}

fn saturated(count: u32) -> u16 {
    count.min(u16::MAX.into()) as u16
}

/// Stands for the result of an open that is no number or above the modem's range.
const NO_NUMBER: u16 = NOT_YET - 1;

const OTHER: Line = Line::Urc(Urc::Other);
const RESTARTED: Line = Line::Urc(Urc::Restarted);

/// Lines that are known as a whole. It is a table because a `match` takes three times the flash.
static WHOLE: [(&[u8], Line); 11] = [
    (b"OK", Line::Final(Final::Ok)),
    (b"ERROR", Line::Final(Final::Error(Code::Plain))),
    (b"SEND FAIL", Line::Final(Final::SendFail)),
    (b"CONNECT", Line::Final(Final::Connect)),
    (b"RDY", RESTARTED),
    (b"POWERED DOWN", RESTARTED),
    (b"NORMAL POWER DOWN", RESTARTED),
    // Drivers in the field wait for the first; the manual shows the second (sheet 1.7).
    (b"PSM POWER DOWN", Line::Urc(Urc::Saving)),
    (b"POWER DOWN", Line::Urc(Urc::Saving)),
    (b"APP RDY", Line::Urc(Urc::Booted)),
    (b"NO CARRIER", OTHER),
];

/// The meaning of a line `+NAME: ...`.
enum Named {
    CmeError,
    CmsError,
    Network,
    Notice,
    NoticeUnlessAsked,
    Opened,
    Received,
    Registration,
    Socket,
    Time,
}

static NAMES: [(&[u8], Named); 19] = [
    (b"+QSSLRECV", Named::Received),
    (b"+QSSLURC", Named::Socket),
    (b"+QSSLOPEN", Named::Opened),
    (b"+CME ERROR", Named::CmeError),
    (b"+CMS ERROR", Named::CmsError),
    (b"+QIURC", Named::Network),
    (b"+CREG", Named::Registration),
    (b"+CGREG", Named::Registration),
    (b"+CEREG", Named::Registration),
    (b"+QNTP", Named::Time),
    (b"+QIND", Named::Notice),
    (b"+QUSIM", Named::Notice),
    (b"+CTZV", Named::Notice),
    (b"+CTZE", Named::Notice),
    (b"+QPSMTIMER", Named::Notice),
    (b"+CGEV", Named::Notice),
    (b"+CFUN", Named::NoticeUnlessAsked),
    (b"+CPIN", Named::NoticeUnlessAsked),
    (b"+QSIMSTAT", Named::NoticeUnlessAsked),
];

#[cfg(test)]
mod tests {
    use super::*;

    fn line(text: &[u8], asked: &[u8]) -> Line {
        super::line(text, asked, false)
    }

    fn urc(text: &[u8]) -> Line {
        line(text, b"+QSSLRECV")
    }

    #[test]
    fn pushed_data_is_announced_only_where_it_is_pushed() {
        let header = b"+QSSLURC: \"recv\",3,15";
        let pushed = Line::Push { id: 3, len: 15 };
        assert_eq!(super::line(header, b"", true), pushed);
        assert_eq!(urc(header), Line::Urc(Urc::Readable { id: 3 }));
    }

    #[test]
    fn socket_notices_are_urcs() {
        assert_eq!(
            urc(b"+QSSLURC: \"recv\",3"),
            Line::Urc(Urc::Readable { id: 3 })
        );
        assert_eq!(
            urc(b"+QSSLURC: \"closed\",11"),
            Line::Urc(Urc::Closed { id: 11 })
        );
        assert_eq!(
            urc(b"+QSSLOPEN: 4,566"),
            Line::Urc(Urc::Opened { id: 4, result: 566 })
        );
        assert_eq!(
            urc(b"+QSSLOPEN: 4,0"),
            Line::Urc(Urc::Opened { id: 4, result: 0 })
        );
        assert_eq!(urc(b"+QIURC: \"pdpdeact\",1"), Line::Urc(Urc::NetworkLost));
        assert_eq!(urc(b"+QSSLURC: \"closed\",300"), Line::Urc(Urc::Other));
        for odd in [&b"+QSSLOPEN: 4,99999"[..], b"+QSSLOPEN: 4,-1"] {
            let failed = Urc::Opened {
                id: 4,
                result: NO_NUMBER,
            };
            assert_eq!(urc(odd), Line::Urc(failed));
        }
    }

    #[test]
    fn registration_is_told_apart_by_shape_and_question() {
        assert_eq!(line(b"+CEREG: 0,1", b"+CEREG"), Line::Info);
        assert_eq!(line(b"+CEREG: 2,5,\"2A\",\"1\",8", b"+CEREG"), Line::Info);
        assert_eq!(line(b"+CEREG: 1", b"+CEREG"), Line::Urc(Urc::Other));
        assert_eq!(
            line(b"+CEREG: 1,\"2A\",\"1\",8", b"+CEREG"),
            Line::Urc(Urc::Other)
        );
        assert_eq!(line(b"+CEREG: 0,1", b"+CSQ"), Line::Urc(Urc::Other));
    }

    #[test]
    fn banner_counts_also_behind_noise() {
        assert_eq!(urc(b"\xff\x00RDY"), Line::Urc(Urc::Restarted));
        assert_eq!(urc(b"POWERED DOWN"), Line::Urc(Urc::Restarted));
        assert_eq!(urc(b"PSM POWER DOWN"), Line::Urc(Urc::Saving));
        assert_eq!(urc(b"APP RDY"), Line::Urc(Urc::Booted));
        assert_eq!(urc(b"NOT RDY"), Line::Info);
    }

    #[test]
    fn errors_keep_their_number() {
        assert_eq!(
            urc(b"+CME ERROR: 407"),
            Line::Final(Final::Error(Code::Cme(407)))
        );
        assert_eq!(
            urc(b"+CME ERROR: file already exist"),
            Line::Final(Final::Error(Code::Plain))
        );
        assert_eq!(urc(b"ERROR"), Line::Final(Final::Error(Code::Plain)));
        let of_messages = Line::Final(Final::Error(Code::Cms(500)));
        assert_eq!(urc(b"+CMS ERROR: 500"), of_messages);
        assert_eq!(
            urc(b"+CMS ERROR: unknown"),
            Line::Final(Final::Error(Code::Plain))
        );
    }

    /// Another host may use the modem's own MQTT client (sheet 4.9). Its lines, and damaged ones,
    /// change nothing.
    #[test]
    fn lines_about_other_sockets_and_damaged_lines_change_nothing() {
        for line in [
            &b"+QMTRECV: 0,1,\"a\",OK"[..],
            b"+QMTSTAT: 0,1",
            b"+QSSLURC: \"recv\"",
            b"+QSSLURC: \"recv\",x",
            b"+QSSLURC: \"closed",
            b"+QSSLURC: ",
            b"+QSSLOPEN: 4",
            b"+QSSLOPEN: x,0",
            b"+QIURC: \"pdpdeact\",2",
            b"+QIURC: \"dnsgip\",0,1,600",
            b"+QSIMSTAT : 1,0",
            b"NO CARRIER",
        ] {
            assert_eq!(urc(line), Line::Urc(Urc::Other), "{}", line.escape_ascii());
        }
        for line in [&b"+NEW: 1"[..], b"+QSSLRECV", b"text: 1", b""] {
            assert_eq!(urc(line), Line::Info, "{}", line.escape_ascii());
        }
    }

    #[test]
    fn results_and_headers() {
        assert_eq!(urc(b"SEND OKAT+QIRD=0,0"), Line::Final(Final::SendOk));
        assert_eq!(urc(b"CONNECT"), Line::Final(Final::Connect));
        assert_eq!(urc(b"+QSSLRECV: 1500"), Line::Payload(1500));
        assert_eq!(urc(b"+QSSLRECV: x"), Line::Info);
        assert_eq!(line(b"CONNECT 128", b"+QFREAD"), Line::Payload(128));
        // A late answer, while another command is running.
        assert_eq!(line(b"CONNECT 128", b"+IPR"), Line::Payload(128));
        for upload in [&b"CONNECT"[..], b"CONNECT 128"] {
            assert_eq!(line(upload, b"+QFUPL"), Line::Final(Final::Connect));
        }
        assert_eq!(line(b"+CPIN: READY", b"+CPIN"), Line::Info);
        assert_eq!(line(b"+CPIN: READY", b""), Line::Urc(Urc::Other));
        assert_eq!(
            line(b"+QNTP: 0,\"2026/07/18,16:32:18-20\"", b""),
            Line::Urc(Urc::Report)
        );
        assert_eq!(line(b"+QNTP: \"pool.ntp.org\",123", b"+QNTP"), Line::Info);
    }
}
