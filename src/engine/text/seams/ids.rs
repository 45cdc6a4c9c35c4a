//! The seam for a modem that chooses the ids of its sockets.

use super::*;
use crate::at::{Fields, answer};
use crate::modem::{
    CLOSE, FETCH, Final, Limits, Line, OPEN, Out, Plain, Step, Then, Urc, Verdict, World, ask,
    decide,
};

modem! { Chooses {}
    type Framing = Plain;
    const LIMITS: Limits = Limits { ids: 0, ..super::LIMITS };

    fn line(&mut self, line: &[u8], _: &[u8]) -> Line {
        if let Some(number) = line.strip_prefix(b"+UUSORD: ") {
            return Line::Urc(Urc::Readable { id: number[0] - b'0' });
        }
        match line {
            b"OK" => Line::Final(Final::Ok),
            b"ERROR" => Line::Final(Final::Error(crate::Code::Plain)),
            [b'+', b'U', b'U', ..] => Line::Urc(Urc::Report),
            _ => Line::Info,
        }
    }

    fn script(number: u8) -> &'static [Step<Self>] {
        match number {
            OPEN => const { &[
                ask("AT+USOCR=6").then(|_, w, text| {
                    let id = text.and_then(|text| Fields::new(answer(text, "+USOCR:")?).byte());
                    let Some(id) = id else {
                        return w.fail(crate::AtError::Refused(w.code));
                    };
                    w.take_id(id);
                    Then::Next
                }),
                ask("AT+USOCO={i}").then(|_, w, text| {
                    if text.is_none() {
                        return w.fail(crate::AtError::Refused(w.code));
                    }
                    w.report.1 = 0;
                    w.pause = 5000;
                    Then::Park
                }),
                decide(|_, w, _| match &w.report.0[..w.report.1.into()] {
                    b"+UUSOCO: 0" => Then::End,
                    _ => w.fail(crate::ConnectError::TimedOut),
                }),
            ] },
            FETCH => const { &[ask("AT+USORD={i}").then(|_, w, _| {
                w.verdict = Verdict::Empty;
                Then::End
            })] },
            CLOSE => const { &[ask("AT+USOCL={i}")] },
            _ => &[],
        }
    }

    fn argument(&self, _: u8, w: &World<'_>, out: &mut Out<'_>) {
        out.int(w.id.into());
    }
}

fn opened(bench: &mut Bench<Chooses>, index: u8, id: u8) {
    bench.want(index);
    assert_eq!(bench.sent(), "AT+USOCR=6\r");
    bench.says(&std::format!("\r\n+USOCR: {id}\r\n\r\nOK\r\n"));
    assert_eq!(bench.sent(), std::format!("AT+USOCO={id}\r"));
    bench.says("\r\nOK\r\n");
    bench.says("\r\n+UUSOCO: 0\r\n");
    assert_eq!(bench.phase(index.into()), Phase::Open);
}

#[test]
fn the_id_that_the_modem_chose_is_used_from_there_on() {
    let mut bench = Bench::up(Chooses::NEW);
    opened(&mut bench, 0, 6);
    opened(&mut bench, 1, 0);
    bench.says("\r\n+UUSORD: 0\r\n");
    assert_eq!(bench.sent(), "AT+USORD=0\r");
    bench.says("\r\nOK\r\n");
    bench.says("\r\n+UUSORD: 6\r\n");
    assert_eq!(bench.sent(), "AT+USORD=6\r");
    bench.says("\r\nOK\r\n");
    bench.world.slots[0].abandon();
    bench.run();
    assert_eq!(bench.sent(), "AT+USOCL=6\r");
    bench.says("\r\nOK\r\n");
    assert!(bench.world.slots[0].is_free());
}

#[test]
fn an_id_that_is_given_again_ends_the_connection_that_had_it() {
    let mut bench = Bench::up(Chooses::NEW);
    opened(&mut bench, 0, 3);
    opened(&mut bench, 1, 3);
    assert!(bench.is_reset(0));
    // The id belongs to the second connection now, and is not closed for the first.
    bench.wait(1000);
    assert_eq!((bench.sent(), bench.phase(1)), (String::new(), Phase::Open));
}

#[test]
fn an_open_that_fails_before_there_is_an_id_has_nothing_to_close() {
    let mut bench = Bench::up(Chooses::NEW);
    bench.want(0);
    bench.says("\r\nERROR\r\n");
    bench.wait(2000);
    assert_eq!(bench.sent(), "AT+USOCR=6\r");
    assert!(bench.is_reset(0));
    bench.world.slots[0].abandon();
    assert!(bench.world.slots[0].is_free());
}

#[test]
fn an_open_that_fails_with_an_id_gives_it_back() {
    let mut bench = Bench::up(Chooses::NEW);
    bench.want(0);
    bench.says("\r\n+USOCR: 2\r\n\r\nOK\r\n");
    bench.says("\r\nERROR\r\n");
    assert_eq!(bench.sent(), "AT+USOCR=6\rAT+USOCO=2\rAT+USOCL=2\r");
}

#[test]
fn one_connection_is_opened_at_a_time() {
    let mut bench = Bench::up(Chooses::NEW);
    bench.want(0);
    bench.says("\r\n+USOCR: 2\r\n\r\nOK\r\n");
    bench.says("\r\nOK\r\n");
    assert_eq!(bench.sent(), "AT+USOCR=6\rAT+USOCO=2\r");
    // The result of the first open is still to come: a second open command would end it (ublox sheet, B.2.3).
    bench.want(1);
    bench.wait(4000);
    assert_eq!(
        (bench.sent(), bench.phase(1)),
        (String::new(), Phase::Wanted)
    );
    bench.says("\r\n+UUSOCO: 0\r\n");
    assert_eq!(
        (bench.sent(), bench.phase(0)),
        ("AT+USOCR=6\r".into(), Phase::Open)
    );
}

#[test]
fn an_open_that_nobody_waits_for_ends_with_its_close() {
    let mut bench = Bench::up(Chooses::NEW);
    bench.want(0);
    bench.says("\r\n+USOCR: 2\r\n\r\nOK\r\n");
    bench.says("\r\nOK\r\n");
    bench.sent();
    bench.world.slots[0].abandon();
    bench.run();
    assert_eq!(bench.sent(), "AT+USOCL=2\r");
    // The next connection is not opened until the modem has confirmed the close.
    bench.want(1);
    assert_eq!(bench.sent(), "");
    bench.says("\r\nOK\r\n");
    assert_eq!(bench.sent(), "AT+USOCR=6\r");
    assert!(bench.world.slots[0].is_free());
}

#[test]
fn other_sockets_are_served_while_one_is_opened() {
    let mut bench = Bench::up(Chooses::NEW);
    opened(&mut bench, 0, 1);
    bench.want(1);
    bench.says("\r\n+USOCR: 2\r\n\r\nOK\r\n");
    bench.says("\r\nOK\r\n");
    bench.sent();
    bench.says("\r\n+UUSORD: 1\r\n");
    assert_eq!(bench.sent(), "AT+USORD=1\r");
}
