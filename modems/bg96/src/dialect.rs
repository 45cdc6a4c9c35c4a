//! What each line of a BG96 is (sheet 0).

use sectag::Code;
use sectag::at::{Fields, answer};
use sectag::modem::{Final, Line, Urc};

/// `asked` is the name of the running command, for the lines that are an answer or a URC depending
/// on it.
pub(crate) fn line(line: &[u8], asked: &[u8]) -> Line {
    // A UART that was off wakes up with noise in front of the banner.
    let noise = line
        .iter()
        .take_while(|byte| !byte.is_ascii_graphic())
        .count();
    let line = &line[noise..];
    match line {
        b"OK" => return Line::Final(Final::Ok),
        b"ERROR" => return Line::Final(Final::Error(Code::Plain)),
        b"SEND FAIL" => return Line::Final(Final::SendFail),
        b"RDY" | b"POWERED DOWN" | b"NORMAL POWER DOWN" | b"PSM POWER DOWN" | b"POWER DOWN" => {
            return Line::Urc(Urc::Restarted);
        }
        b"APP RDY" => return Line::Urc(Urc::Booted),
        b"NO CARRIER" => return Line::Urc(Urc::Other),
        _ => {}
    }
    // May be glued to the next echo while echo is on (sheet 5, quirk 6).
    if line.starts_with(b"SEND OK") {
        return Line::Final(Final::SendOk);
    }
    // With a length behind it in file commands.
    if line == b"CONNECT" || line.starts_with(b"CONNECT ") {
        return Line::Final(Final::Connect);
    }
    let Some(colon) = line
        .iter()
        .position(|&byte| byte == b':')
        .filter(|_| line.starts_with(b"+"))
    else {
        return Line::Info;
    };
    // The manual shows `+QSIMSTAT : 1,0`, with a blank (sheet 0).
    let (name, text) = (line[..colon].trim_ascii_end(), &line[colon + 1..]);
    let mut fields = Fields::new(text);
    match name {
        b"+CME ERROR" => Line::Final(Final::Error(
            fields
                .int()
                .map_or(Code::Plain, |code| Code::Cme(code as u16)),
        )),
        b"+CMS ERROR" => Line::Final(Final::Error(
            fields
                .int()
                .map_or(Code::Plain, |code| Code::Cms(code as u16)),
        )),
        b"+QSSLRECV" => fields
            .int()
            .map_or(Line::Info, |count| Line::Payload(count as usize)),
        b"+QSSLOPEN" => match (fields.byte(), fields.int().map(u16::try_from)) {
            (Some(id), Some(Ok(result))) => Line::Urc(Urc::Opened { id, result }),
            _ => Line::Urc(Urc::Other),
        },
        b"+QSSLURC" => match (fields.text(), fields.byte()) {
            (Some("recv"), Some(id)) => Line::Urc(Urc::Readable { id }),
            (Some("closed"), Some(id)) => Line::Urc(Urc::Closed { id }),
            _ => Line::Urc(Urc::Other),
        },
        b"+QIURC" => match fields.text() {
            Some("pdpdeact") => Line::Urc(Urc::NetworkLost),
            _ => Line::Urc(Urc::Other),
        },
        b"+CREG" | b"+CGREG" | b"+CEREG" => {
            // Answer `<n>,<stat>[,"<tac>",..]`, URC `<stat>[,"<tac>",..]` (sheet 0).
            fields.next();
            let is_answer = fields
                .next()
                .is_some_and(|second| !second.starts_with(b"\""));
            if is_answer && asked == name {
                Line::Info
            } else {
                Line::Urc(Urc::Other)
            }
        }
        // Result `<err>,"<time>"`, answer to a query `"<server>",<port>`.
        b"+QNTP" if fields.int().is_some() => Line::Urc(Urc::Other),
        b"+QIND" | b"+QUSIM" | b"+CTZV" | b"+CTZE" | b"+QPSMTIMER" | b"+CGEV" => {
            Line::Urc(Urc::Other)
        }
        b"+CFUN" | b"+CPIN" | b"+QSIMSTAT" if asked != name => Line::Urc(Urc::Other),
        _ if name.starts_with(b"+QMT") => Line::Urc(Urc::Other),
        _ => Line::Info,
    }
}

/// `<stat>` of the answer to a registration query.
pub(crate) fn registration(text: &[u8], prefix: &str) -> Option<u8> {
    let mut fields = Fields::new(answer(text, prefix)?);
    fields.next();
    fields.byte()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn urc(text: &[u8]) -> Line {
        line(text, b"+QSSLRECV")
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
        assert_eq!(urc(b"+QSSLOPEN: 4,99999"), Line::Urc(Urc::Other));
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
        assert_eq!(registration(b"+CEREG: 2,5,\"2A\"", "+CEREG:"), Some(5));
    }

    #[test]
    fn banner_counts_also_behind_noise() {
        assert_eq!(urc(b"\xff\x00RDY"), Line::Urc(Urc::Restarted));
        assert_eq!(urc(b"PSM POWER DOWN"), Line::Urc(Urc::Restarted));
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
    }

    #[test]
    fn results_and_headers() {
        assert_eq!(urc(b"SEND OKAT+QIRD=0,0"), Line::Final(Final::SendOk));
        assert_eq!(urc(b"CONNECT"), Line::Final(Final::Connect));
        assert_eq!(urc(b"+QSSLRECV: 1500"), Line::Payload(1500));
        assert_eq!(urc(b"+QSSLRECV: x"), Line::Info);
        assert_eq!(line(b"+CPIN: READY", b"+CPIN"), Line::Info);
        assert_eq!(line(b"+CPIN: READY", b""), Line::Urc(Urc::Other));
        assert_eq!(
            line(b"+QNTP: 0,\"2026/07/18,16:32:18-20\"", b""),
            Line::Urc(Urc::Other)
        );
        assert_eq!(line(b"+QNTP: \"pool.ntp.org\",123", b"+QNTP"), Line::Info);
    }
}
