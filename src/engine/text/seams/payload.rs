//! The seams for payload that begins inside a line, and for payload that is written as text.

use super::*;
use crate::at::{Decoder, Fields, decimal};
use crate::modem::{CLOSE, FETCH, Final, Limits, Line, OPEN, Out, Plain, Step, Urc, World, ask};

fn line(line: &[u8]) -> Line {
    match line {
        b"OK" => Line::Final(Final::Ok),
        b"ERROR" => Line::Final(Final::Error(crate::Code::Plain)),
        b"+UUSORD" => Line::Urc(Urc::Readable { id: 0 }),
        [b'+', b'U', b'U', ..] => Line::Urc(Urc::Other),
        _ => Line::Info,
    }
}

/// Returns the length of the payload after `text`, where it is the header of `name` up to its cue.
fn header(text: &[u8], name: &str, place: usize, cue: u8) -> Option<u16> {
    let fields = text.strip_prefix(name.as_bytes())?.strip_suffix(&[cue])?;
    let fields = Fields::new(fields);
    let count = fields.clone().nth(place).and_then(decimal).unwrap_or(0);
    // The header ends at the last cue, and not at the first.
    (cue == b'"' || fields.count() == place + 1).then_some(count as u16)
}

fn script<M: Modem>(number: u8) -> &'static [Step<M>] {
    match number {
        OPEN => const { &[ask("AT+OPEN=\"{i}\"")] },
        FETCH => const { &[ask("AT+USORD={i},{l}").fetches().limit(10).then(fetched)] },
        CLOSE => const { &[ask("AT+USOCL={i}")] },
        _ => &[],
    }
}

fn argument(name: u8, w: &World<'_>, out: &mut Out<'_>) {
    out.int(if name == b'i' {
        w.id.into()
    } else {
        w.len.into()
    });
}

modem! { Quotes {}
    type Framing = Plain;
    const LIMITS: Limits = super::LIMITS;
    const PAYLOAD_CUE: Option<u8> = Some(b'"');
    const PAYLOAD_ENDS: u8 = 2;

    fn line(&mut self, text: &[u8], _: &[u8]) -> Line {
        header(text, "+USORD:", 1, b'"').map_or_else(|| line(text), Line::Payload)
    }

    fn script(number: u8) -> &'static [Step<Self>] { script(number) }
    fn argument(&self, name: u8, w: &World<'_>, out: &mut Out<'_>) { argument(name, w, out) }
}

modem! { Commas { decoder: Decoder = Decoder::base64() }
    type Framing = Plain;
    const LIMITS: Limits = super::LIMITS;
    const PAYLOAD_CUE: Option<u8> = Some(b',');
    const DECODER: Option<fn(&mut Self) -> &mut Decoder> = Some(|modem| &mut modem.decoder);

    fn line(&mut self, text: &[u8], _: &[u8]) -> Line {
        header(text, "+recv:", 2, b',').map_or_else(|| line(text), Line::Payload)
    }

    fn script(number: u8) -> &'static [Step<Self>] { script(number) }
    fn argument(&self, name: u8, w: &World<'_>, out: &mut Out<'_>) { argument(name, w, out) }
}

modem! { Pushes { decoder: Decoder = Decoder::hex() }
    type Framing = Plain;
    const LIMITS: Limits = super::LIMITS;
    const DECODER: Option<fn(&mut Self) -> &mut Decoder> = Some(|modem| &mut modem.decoder);

    fn line(&mut self, text: &[u8], _: &[u8]) -> Line {
        match text.strip_prefix(b"+PUSH: ").and_then(decimal) {
            Some(len) => Line::Push { id: 0, len: len as u16 },
            None => line(text),
        }
    }

    fn script(number: u8) -> &'static [Step<Self>] { script(number) }
    fn argument(&self, name: u8, w: &World<'_>, out: &mut Out<'_>) { argument(name, w, out) }
}

/// Returns a bench with an open connection, and a fetch under way unless data is pushed.
fn fetching<M: Modem>(modem: M, push: bool) -> Bench<M> {
    let mut bench = Bench::up(modem);
    bench.world.push_unit = push.then_some(16);
    bench.want(0);
    // A quote outside of a fetch is an ordinary character.
    bench.says("\r\n+UUX: \"1\"\r\n+USORD: 0,5,\"hello\"\r\nOK\r\n");
    assert_eq!(
        (bench.phase(0), bench.sent()),
        (Phase::Open, "AT+OPEN=\"0\"\r".into())
    );
    if !push {
        bench.says("+UUSORD\r\n");
        assert_eq!(bench.sent(), "AT+USORD=0,64\r");
    }
    bench
}

#[test]
fn payload_in_quotes_is_counted_and_never_searched() {
    for payload in [
        "hello",
        "\"",
        "\r\nOK\r\n",
        "\"\r\n\r\nOK\r\n",
        "+USORD: 0,3,\"abc\"",
    ] {
        let len = payload.len();
        let whole = std::format!("\r\n+USORD: 0,{len},\"{payload}\"\r\n\r\nOK\r\n");
        for cut in 0..whole.len() {
            let mut bench = fetching(Quotes::NEW, false);
            bench.says(&whole[..cut]);
            assert_eq!(bench.read(0), b"", "{cut}");
            bench.says(&whole[cut..]);
            assert_eq!(bench.read(0), payload.as_bytes(), "{cut}");
            // The modem may have more data, so another fetch follows.
            assert!(bench.sent().starts_with("AT+USORD=0,"));
        }
    }
}

#[test]
fn an_empty_fetch_is_understood_with_or_without_a_length() {
    for answer in ["+USORD: 0,0,\"\"", "+USORD: 0,\"\""] {
        let mut bench = fetching(Quotes::NEW, false);
        bench.says(&std::format!("\r\n{answer}\r\n\r\nOK\r\n"));
        assert_eq!((bench.sent(), bench.phase(0)), (String::new(), Phase::Open));
    }
}

#[test]
fn a_wrong_count_delivers_nothing() {
    for answer in [
        "+USORD: 0,4,\"hello\"",
        "+USORD: 0,5,\"hello'",
        "+USORD: 0,5,\"hello\"x",
        // The announced length is above the requested one.
        "+USORD: 0,65,\"",
        // The announced length is too large, so the closing quote is counted as payload.
        "+USORD: 0,6,\"hello\"",
    ] {
        let mut bench = fetching(Quotes::NEW, false);
        bench.says(&std::format!("\r\n{answer}\r\n\r\nOK\r\n"));
        assert_eq!(bench.sent(), "AT+S?\r", "{answer}");
        bench.says("\r\n+S: 1\r\n\r\nOK\r\n");
        assert!(bench.is_reset(0), "{answer}");
        assert_eq!(bench.read(0), b"", "{answer}");
    }
}

#[test]
fn late_payload_in_quotes_is_counted_too() {
    let mut bench = fetching(Quotes::NEW, false);
    bench.wait(1001);
    assert_eq!(bench.sent(), "AT+S?\r");
    // The answer to the synchronising query inside the payload does not count.
    bench.says("\r\n+USORD: 0,20,\"\r\n+S: 1\r\n\r\nOK\r\n123");
    bench.wait(10);
    bench.says("\"\r\n\r\nOK\r\n");
    // The channel is not synchronised yet.
    assert_eq!(bench.sent(), "");
    bench.says("\r\n+S: 1\r\n\r\nOK\r\n");
    bench.wait(10);
    assert!(bench.is_reset(0));
    assert_eq!((bench.world.link, bench.read(0)), (Link::Up, Vec::new()));
}

#[test]
fn payload_behind_a_comma_may_be_base64() {
    let whole = "\r\n+recv:0,1,8,aGVsbG8=\r\n\r\nOK\r\n";
    for cut in 0..whole.len() {
        let mut bench = fetching(Commas::NEW, false);
        bench.says(&whole[..cut]);
        bench.says(&whole[cut..]);
        assert_eq!(bench.read(0), b"hello", "{cut}");
    }
    // The payload has the requested length: 64 bytes are 88 characters.
    let mut bench = fetching(Commas::NEW, false);
    let text = std::format!("{}QUE=", "QUFB".repeat(21));
    let text = text.replace("QUE=", "QQ==");
    bench.says(&std::format!("\r\n+recv:0,1,88,{text}\r\n\r\nOK\r\n"));
    assert_eq!(bench.read(0), [b'A'; 64]);
}

#[test]
fn text_that_stands_for_no_bytes_delivers_nothing() {
    for answer in [
        "+recv:0,1,4,aG-s",
        "+recv:0,1,3,aGk",
        "+recv:0,1,89,",
        "+recv:0,1,8,aGk=aGk=",
    ] {
        let mut bench = fetching(Commas::NEW, false);
        bench.says(&std::format!("\r\n{answer}\r\n\r\nOK\r\n"));
        assert_eq!(bench.sent(), "AT+S?\r", "{answer}");
        bench.says("\r\n+S: 1\r\n\r\nOK\r\n");
        assert!(bench.is_reset(0), "{answer}");
        assert_eq!(bench.read(0), b"", "{answer}");
    }
}

#[test]
fn pushed_payload_may_be_hexadecimal() {
    let whole = "\r\n+PUSH: 10\r\n68656C6c6f\r\n";
    for cut in 0..whole.len() {
        let mut bench = fetching(Pushes::NEW, true);
        bench.says(&whole[..cut]);
        // The end of the line shows that the count was right.
        let seen = if cut + 1 < whole.len() {
            &b""[..]
        } else {
            b"hello"
        };
        assert_eq!(bench.read(0), seen, "{cut}");
        bench.says(&whole[cut..]);
        assert_eq!(bench.read(0), &b"hello"[seen.len()..], "{cut}");
    }
}

#[test]
fn pushed_text_that_stands_for_no_bytes_resets_its_socket() {
    for text in ["+PUSH: 4\r\n68xx\r\n", "+PUSH: 3\r\n686\r\n"] {
        let mut bench = fetching(Pushes::NEW, true);
        bench.says(&std::format!("\r\n+PUSH: 2\r\n68\r\n{text}"));
        assert!(bench.is_reset(0), "{text}");
        assert_eq!(
            (bench.read(0), bench.sent()),
            (b"h".to_vec(), "AT+S?\r".into())
        );
    }
}
