//! The seam for sends whose prompt is another byte than `>`, needs a pause, and whose payload may be taken in part.

use super::*;
use crate::modem::{
    Abort, CLOSE, FETCH, Final, Limits, Line, OPEN, Out, Plain, SEND, Step, Then, Urc, Verdict,
    Waits, World, ask, took,
};

fn line(line: &[u8]) -> Line {
    match line {
        b"OK" => Line::Final(Final::Ok),
        b"SEND OK" => Line::Final(Final::SendOk),
        b"ERROR" => Line::Final(Final::Error(crate::Code::Plain)),
        [b'+', b'U', b'U', ..] => Line::Urc(Urc::Other),
        _ => Line::Info,
    }
}

fn script<M: Modem>(number: u8) -> &'static [Step<M>] {
    match number {
        OPEN => const { &[ask("AT+OPEN={i}")] },
        SEND => {
            const {
                &[ask("AT+USOWR={i},{l}")
                    .sends()
                    .limit(1200)
                    .then(|_, w: &mut World<'_>, text| match text {
                        Some(text) => took(w, text, "+USOWR:", 1),
                        None => {
                            w.verdict = Verdict::NotConnected;
                            Then::End
                        }
                    })]
            }
        }
        FETCH => const { &[ask("AT+USORD={i},{l}").then(|_, _, _| Then::End)] },
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

modem! { Asks {}
    type Framing = Plain;
    const LIMITS: Limits = super::LIMITS;
    const PROMPT: u8 = b'@';
    const PROMPT_PAUSE: u16 = 50;
    const SEND_ENDS: Final = Final::Ok;
    fn abort(waits: Waits) -> Abort {
        if waits == Waits::Prompt { Abort::Filler } else { Abort::Synchronise }
    }
    fn line(&mut self, text: &[u8], _: &[u8]) -> Line { line(text) }
    fn script(number: u8) -> &'static [Step<Self>] { script(number) }
    fn argument(&self, name: u8, w: &World<'_>, out: &mut Out<'_>) { argument(name, w, out) }
}

modem! { SaysSo {}
    type Framing = Plain;
    const LIMITS: Limits = super::LIMITS;
    fn line(&mut self, text: &[u8], _: &[u8]) -> Line { line(text) }
    fn script(number: u8) -> &'static [Step<Self>] { script(number) }
    fn argument(&self, name: u8, w: &World<'_>, out: &mut Out<'_>) { argument(name, w, out) }
}

/// Returns a bench with an open connection and a send under way.
fn sending<M: Modem>(modem: M, bytes: &[u8]) -> Bench<M> {
    let mut bench = Bench::up(modem);
    bench.want(0);
    assert_eq!(bench.sent(), "AT+OPEN=0\r");
    bench.says("\r\nOK\r\n");
    assert_eq!(bench.phase(0), Phase::Open);
    bench.write(0, bytes);
    bench
}

/// Returns a bench whose send has put all payload on the UART.
fn all_out(bytes: &[u8]) -> Bench<Asks> {
    let mut bench = sending(Asks::NEW, bytes);
    bench.says("\r\n@");
    bench.wait(50);
    bench.sent();
    bench
}

#[test]
fn payload_follows_its_cue_after_the_pause() {
    let mut bench = sending(Asks::NEW, b"hello");
    assert_eq!(bench.sent(), "AT+USOWR=0,5\r");
    // `>` is the prompt of other modems, and a line here.
    bench.says("\r\n> \r\n");
    bench.wait(100);
    assert_eq!(bench.sent(), "");
    bench.says("\r\n@");
    bench.wait(49);
    assert_eq!(bench.sent(), "");
    bench.wait(1);
    assert_eq!(bench.sent(), "hello");
}

#[test]
fn without_a_pause_payload_follows_at_once() {
    let mut bench = sending(SaysSo::NEW, b"hello");
    assert_eq!(bench.sent(), "AT+USOWR=0,5\r");
    bench.says("\r\n> ");
    assert_eq!(bench.sent(), "hello");
    bench.says("\r\n+USOWR: 0,5\r\nSEND OK\r\n");
    assert_eq!(bench.world.slots[0].tx.len(), 0);
}

#[test]
fn what_was_taken_leaves_the_ring_and_the_rest_is_sent() {
    let mut bench = all_out(b"hello world");
    bench.says("\r\n+USOWR: 0,6\r\n\r\nOK\r\n");
    assert_eq!(bench.sent(), "AT+USOWR=0,5\r");
    bench.says("\r\n@");
    bench.wait(50);
    assert_eq!(bench.sent(), "world");
    bench.says("\r\n+USOWR: 0,5\r\n\r\nOK\r\n");
    assert_eq!(
        (bench.world.slots[0].tx.len(), bench.sent()),
        (0, String::new())
    );
    assert!(!bench.world.slots[0].flush);
}

#[test]
fn a_bare_ok_means_that_nothing_was_taken() {
    for answer in ["\r\nOK\r\n", "\r\n+USOWR: 0,0\r\n\r\nOK\r\n"] {
        let mut bench = all_out(b"hello");
        bench.says(answer);
        assert_eq!(
            (bench.world.slots[0].tx.len(), bench.sent()),
            (5, String::new())
        );
        bench.wait(99);
        assert_eq!(bench.sent(), "");
        bench.wait(1);
        assert_eq!(bench.sent(), "AT+USOWR=0,5\r");
        assert_eq!(bench.phase(0), Phase::Open);
    }
}

#[test]
fn more_than_was_sent_is_no_answer() {
    let mut bench = all_out(b"hello");
    bench.write(0, b"more");
    bench.says("\r\n+USOWR: 0,9\r\n\r\nOK\r\n");
    assert!(bench.is_reset(0));
    assert_eq!(bench.world.slots[0].tx.len(), 9);
}

#[test]
fn a_refusal_behind_the_payload_is_the_judges() {
    let mut bench = all_out(b"hello");
    bench.says("\r\nERROR\r\n");
    assert_eq!(bench.phase(0), Phase::Open);
    // Nothing is resent, and data that came before is fetched.
    assert_eq!(bench.sent(), "AT+USORD=0,64\r");
}

#[test]
fn an_end_of_a_send_that_this_modem_has_not_is_a_fault() {
    // `OK` comes where `SEND OK` belongs.
    let mut bench = sending(SaysSo::NEW, b"hello");
    bench.says("\r\n> ");
    bench.sent();
    bench.says("\r\n+USOWR: 0,5\r\n\r\nOK\r\n");
    assert_eq!(bench.sent(), "AT+S?\r");
    // `OK` comes before the prompt, on a modem on which it is the final result of a send.
    let mut bench = sending(Asks::NEW, b"hello");
    bench.sent();
    bench.says("\r\nOK\r\n");
    assert_eq!(bench.sent(), "\n\n\n\n\nAT+S?\r");
    bench.says("\r\n+S: 1\r\n\r\nOK\r\n");
    assert!(bench.is_reset(0));
}

#[test]
fn a_lost_cue_costs_its_socket_and_no_other() {
    let mut bench = sending(Asks::NEW, b"hello");
    assert_eq!(bench.sent(), "AT+USOWR=0,5\r");
    bench.wait(19_999);
    assert_eq!((bench.sent(), bench.phase(0)), (String::new(), Phase::Open));
    bench.wait(1);
    // The payload that the modem may wait for is completed before anything else is sent.
    assert_eq!(bench.sent(), "\n\n\n\n\nAT+S?\r");
    assert!(bench.is_reset(0));
    bench.says("\r\n+S: 1\r\n\r\nOK\r\n");
    assert_eq!(bench.world.link, Link::Up);
}

#[test]
fn a_damaged_word_about_what_was_taken_is_no_word_about_nothing() {
    let mut bench = all_out(b"hello");
    bench.says("\r\n+USWR: 0,5\r\n\r\nOK\r\n");
    assert!(bench.is_reset(0));
    bench.wait(1000);
    assert!(!bench.sent().contains("USOWR"));
}
