//! A modem whose lines may end in binary: u-connectXpress of the second generation (ublox sheet, A.6). Where a line would end
//! stand 01, a length of two bytes, and as many bytes; the modem chooses the numbers of its sockets, and pushes or is asked.

use super::*;
use crate::at::{Fields, answer};
use crate::engine::mailbox::ExchangeState;
use crate::error::{AtError, Code, ConnectError, Meaning};
use crate::modem::{
    Abort, BRING_UP, CLOSE, FETCH, Final, Framing, InLine, Limits, Line, OPEN, Out, SEND, Step,
    Then, Unit, Urc, Verdict, Waits, World, ask, decide, took,
};

/// What an `ERROR:<n>` is told as.
const NUMBER: Meaning = Meaning::new("extended error");
/// What stands in the place of a line end.
const BINARY: u8 = 1;
/// What begins a notice that brings data.
const PUSHED: &[u8] = b"+UESODB:";
/// Every byte, for handing out those that the modem did not send.
static BYTES: [u8; 256] = {
    let mut bytes = [0; 256];
    let mut at = 0;
    while at < bytes.len() {
        bytes[at] = at as u8;
        at += 1;
    }
    bytes
};

/// Makes figures of binary lengths, and frames of what is pushed: `+USORB:0` 01 00 03 is read as `+USORB:0,3` 01, behind which payload
/// begins, and of a pushed notice the bytes are data of the socket that it names.
#[derive(Debug)]
struct Binary {
    state: State,
    /// How the line began.
    start: heapless::Vec<u8, 12>,
    length: heapless::Vec<u8, 2>,
    figures: heapless::String<8>,
    left: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Line,
    Length,
    Figures,
    Payload,
    Pushed,
}

impl Framing for Binary {
    const NEW: Self = Self {
        state: State::Line,
        start: heapless::Vec::new(),
        length: heapless::Vec::new(),
        figures: heapless::String::new(),
        left: 0,
    };
    const FRAMES: bool = true;

    fn next<'a>(&mut self, _: bool, input: &mut &'a [u8]) -> Option<Unit<'a>> {
        loop {
            match self.state {
                State::Payload if self.left == 0 => self.state = State::Line,
                State::Pushed if self.left == 0 => {
                    self.state = State::Line;
                    return Some(Unit::End);
                }
                State::Figures => {
                    let byte = usize::from(*self.figures.as_bytes().first()?);
                    return Some(Unit::Text(&BYTES[byte..=byte]));
                }
                _ => {}
            }
            let (&byte, behind) = input.split_first()?;
            match self.state {
                State::Line if byte == BINARY => {
                    *input = behind;
                    self.length.clear();
                    self.state = State::Length;
                }
                State::Line => {
                    let end = input.iter().position(|&byte| byte == BINARY);
                    return Some(Unit::Text(&input[..end.unwrap_or(input.len())]));
                }
                State::Length => {
                    *input = behind;
                    self.length.push(byte).unwrap();
                    if let &[high, low] = &self.length[..] {
                        self.left = usize::from(high) << 8 | usize::from(low);
                        let pushed = self.start.strip_prefix(PUSHED);
                        if let Some(&[digit]) = pushed {
                            self.state = State::Pushed;
                            return Some(Unit::Begin {
                                channel: digit - b'0',
                            });
                        }
                        self.figures = heapless::format!(",{}\x01", self.left).unwrap();
                        self.state = State::Figures;
                    }
                }
                State::Payload => return Some(Unit::Text(&input[..self.left.min(input.len())])),
                _ => return Some(Unit::Data(&input[..self.left.min(input.len())])),
            }
        }
    }

    fn consume(&mut self, input: &mut &[u8], count: usize) {
        if self.state == State::Figures {
            self.figures = self.figures.chars().skip(count).collect();
            if self.figures.is_empty() {
                self.state = State::Payload;
            }
            return;
        }
        let (taken, rest) = input.split_at(count);
        *input = rest;
        if self.state != State::Line {
            self.left -= count;
            return;
        }
        for &byte in taken {
            match byte {
                b'\r' | b'\n' => self.start.clear(),
                byte => drop(self.start.push(byte)),
            }
        }
    }

    fn data_left(&self) -> usize {
        if self.is_in_data() { self.left } else { 0 }
    }

    fn is_in_data(&self) -> bool {
        self.state == State::Pushed
    }

    fn is_inside(&self) -> bool {
        self.is_in_data()
    }
}

modem! { Nora { pushes: bool = false, opening: Option<u8> = None }
    type Framing = Binary;
    const LIMITS: Limits = Limits { ids: 0, ..super::LIMITS };
    const PAYLOAD_CUE: Option<u8> = Some(BINARY);
    const PAYLOAD_ENDS: u8 = 1;
    const IN_LINE: InLine = InLine::Counted;

    fn line(&mut self, line: &[u8], _: &[u8]) -> Line {
        match line {
            b"OK" => return Line::Final(Final::Ok),
            b"ERROR" => return Line::Final(Final::Error(Code::Plain)),
            b"+STARTUP" => return Line::Urc(Urc::Restarted),
            _ => {}
        }
        let Some(colon) = line.iter().position(|&byte| byte == b':') else {
            return Line::Info;
        };
        let (name, text) = (&line[..colon], &line[colon + 1..]);
        let header = text.strip_suffix(&[BINARY]);
        let mut fields = Fields::new(header.unwrap_or(text));
        let (first, second) = (fields.int().unwrap_or(0), fields.int().unwrap_or(0));
        let id = first as u8;
        match name {
            b"ERROR" => Line::Final(Final::Error(Code::Vendor(first as u16, NUMBER))),
            b"+USORB" if header.is_some() => Line::Payload(second as u16),
            b"+UESODA" => Line::Urc(Urc::Readable { id }),
            b"+UESOC" => Line::Urc(Urc::Opened { id, result: 0 }),
            // One notice has two meanings.
            b"+UESOCL" if self.opening == Some(id) => Line::Urc(Urc::Opened { id, result: 1 }),
            b"+UESOCL" => Line::Urc(Urc::Closed { id }),
            name if name.starts_with(b"+UE") => Line::Urc(Urc::Other),
            _ => Line::Info,
        }
    }

    fn script(number: u8) -> &'static [Step<Self>] {
        match number {
            BRING_UP => const { &[
                decide(|modem, w, _| {
                    w.restarted = false;
                    w.push_unit = modem.pushes.then_some(16);
                    Then::Next
                }),
                ask("AT+USYEE=1"),
            ] },
            OPEN => const { &[
                ask("AT+USOCR=6").then(|modem, w, text| {
                    let id = text.and_then(|text| Fields::new(answer(text, "+USOCR:")?).byte());
                    let Some(id) = id else {
                        return w.fail(AtError::Refused(w.code));
                    };
                    w.take_id(id);
                    modem.opening = Some(id);
                    w.expect_open();
                    Then::Next
                }),
                ask("AT+USOTLS={i},3,\"ca\""),
                ask("AT+USOC={i},\"example.com\",8883").then(|_, w, text| {
                    if text.is_none() {
                        return w.fail(AtError::Refused(w.code));
                    }
                    w.pause = 5000;
                    Then::Park
                }),
                decide(|modem, w, _| {
                    modem.opening = None;
                    match w.open {
                        Some(open) if open.result == 0 => Then::End,
                        Some(open) if open.result != NOT_YET => w.fail(AtError::Refused(Code::Plain)),
                        _ => w.fail(ConnectError::TimedOut),
                    }
                }),
            ] },
            SEND => const { &[ask("AT+USOWB={i}{b}").counted_in_line().then(|_, w, text| match text {
                Some(text) => took(w, text, "+USOWB:", 1),
                None => {
                    w.verdict = Verdict::NotConnected;
                    Then::End
                }
            })] },
            FETCH => const { &[ask("AT+USORB={i},{l}").fetches().then(fetched)] },
            CLOSE => const { &[ask("AT+USOCL={i}")] },
            _ => &[],
        }
    }

    fn argument(&self, name: u8, w: &World<'_>, out: &mut Out<'_>) {
        match name {
            b'i' => out.int(w.id.into()),
            b'l' => out.int(w.len.into()),
            _ => {
                out.byte(BINARY);
                out.bytes(&w.len.to_be_bytes());
            }
        }
    }

    fn abort(waits: Waits) -> Abort {
        match waits {
            Waits::Line => Abort::Synchronise,
            Waits::Counted => Abort::Filler,
            _ => Abort::Restart,
        }
    }
}

/// With a connection, to which the modem has given the number 4.
fn open(pushes: bool) -> Bench<Nora> {
    let mut bench = Bench::new(Nora {
        pushes,
        ..Nora::NEW
    });
    bench.run();
    bench.says("\r\nOK\r\n");
    assert_eq!(bench.sent(), "AT+USYEE=1\r");
    bench.want(0);
    bench.says("\r\n+USOCR:4\r\n\r\nOK\r\n");
    bench.says("\r\nOK\r\n");
    bench.says("\r\nOK\r\n");
    let asked = "AT+USOCR=6\rAT+USOTLS=4,3,\"ca\"\rAT+USOC=4,\"example.com\",8883\r";
    assert_eq!(bench.sent(), asked);
    bench.says("\r\n+UESOC:4\r\n");
    assert_eq!(bench.phase(0), Phase::Open);
    bench
}

/// Payload with all that has a meaning outside.
const AWKWARD: &[u8] = b"\x01\0\x05\r\nOK\r\n+UESOCL:4\r\n\x01\x01";

#[test]
fn binary_behind_a_line_is_fetched_wherever_it_is_cut() {
    let mut said = b"\r\n+UEWSNU\r\n\r\n+USORB:4\x01\0\x16".to_vec();
    said.extend(AWKWARD);
    said.extend(b"\r\nOK\r\n");
    for cut in 0..said.len() {
        let mut bench = open(false);
        bench.says("\r\n+UESODA:4,22\r\n");
        assert_eq!(bench.sent(), "AT+USORB=4,64\r");
        assert_eq!(bench.hear(&said[..cut]), cut);
        // Nobody reads what is not known to be whole.
        assert_eq!(bench.read(0), b"", "{cut}");
        bench.hear(&said[cut..]);
        assert_eq!(bench.read(0), AWKWARD, "{cut}");
        // As much as there was room for.
        assert_eq!(bench.sent(), "AT+USORB=4,42\r");
        bench.says("\r\n+USORB:4\x01\0\0\r\nOK\r\n");
        assert_eq!((bench.sent(), bench.phase(0)), (String::new(), Phase::Open));
    }
}

#[test]
fn a_length_that_is_wrong_costs_the_socket_and_gives_no_byte() {
    let mut bench = open(false);
    bench.says("\r\n+UESODA:4,5\r\n");
    bench.says("\r\n+USORB:4\x01\0\x04hello\r\nOK\r\n");
    assert!(bench.is_reset(0));
    assert_eq!(bench.read(0), b"");
}

#[test]
fn binary_is_sent_behind_its_length_without_an_end() {
    let mut bench = open(false);
    bench.write(0, AWKWARD);
    let line = |bytes: &[u8]| {
        let mut line = b"AT+USOWB=4\x01\0".to_vec();
        line.push(bytes.len() as u8);
        line.extend(bytes);
        line
    };
    assert_eq!(core::mem::take(&mut bench.out), line(AWKWARD));
    // It took a part.
    bench.says("\r\n+USOWB:4,20\r\n\r\nOK\r\n");
    assert_eq!(core::mem::take(&mut bench.out), line(&AWKWARD[20..]));
    bench.says("\r\n+USOWB:4,2\r\n\r\nOK\r\n");
    bench.wait(1000);
    assert_eq!((bench.sent(), bench.phase(0)), (String::new(), Phase::Open));
}

#[test]
fn what_is_pushed_comes_between_a_command_and_its_answer() {
    let mut said = b"\r\n+UESODB:4\x01\0\x16".to_vec();
    said.extend(AWKWARD);
    for cut in 0..=said.len() {
        let mut bench = open(true);
        bench.write(0, b"x");
        assert_eq!(bench.sent(), "AT+USOWB=4\x01\0\x01x");
        bench.hear(&said[..cut]);
        if cut < said.len() {
            assert_eq!(bench.read(0), b"", "{cut}");
        }
        bench.hear(&said[cut..]);
        bench.says("\r\n\r\n+USOWB:4,1\r\n\r\nOK\r\n");
        assert_eq!(bench.read(0), AWKWARD, "{cut}");
        bench.wait(1000);
        assert_eq!((bench.sent(), bench.phase(0)), (String::new(), Phase::Open));
    }
}

#[test]
fn a_refusal_has_a_number() {
    let mut bench = open(false);
    bench.want(1);
    bench.says("\r\nERROR:17\r\n");
    assert_eq!(bench.world.code, Code::Vendor(17, NUMBER));
    assert!(bench.is_reset(1));
}

#[test]
fn a_connect_that_fails_is_a_close() {
    let mut bench = open(false);
    bench.want(1);
    bench.says("\r\n+USOCR:5\r\n\r\nOK\r\n");
    bench.says("\r\nOK\r\n");
    bench.says("\r\nOK\r\n");
    bench.sent();
    bench.says("\r\n+UESOCL:5\r\n");
    assert_eq!(bench.sent(), "AT+USOCL=5\r");
    bench.says("\r\nERROR:16\r\n");
    assert!(bench.is_reset(1));
    assert_eq!(bench.phase(0), Phase::Open);
}

/// A certificate of four bytes is being stored.
fn storing() -> Bench<Nora> {
    let mut bench = open(false);
    let command = b"AT+USECUB=0,\"ca\"\x01\0\x04";
    bench.world.mailbox.post = ExchangeState::Granted;
    bench.begin_guest(command, Plan::Quoted(4), 5000);
    assert_eq!(bench.sent(), "AT+USECUB=0,\"ca\"\x01\0\x04");
    bench
}

#[test]
fn a_credential_is_the_rest_of_its_line() {
    let mut bench = storing();
    bench.engine.hand_over(b"0\r\n\x01").unwrap();
    bench.run();
    assert_eq!(bench.sent(), "0\r\n\x01");
    assert!(!bench.engine.close_quote(b"\r"));
    bench.says("\r\nOK\r\n");
    assert_eq!(bench.world.mailbox.post, ExchangeState::Done(Ok(Final::Ok)));
}

#[test]
fn a_credential_that_is_left_is_completed() {
    let mut bench = storing();
    bench.world.mailbox.post = ExchangeState::Left;
    bench.run();
    assert_eq!(bench.sent(), "\n\n\n\n");
}
