//! The seams for uploads after a prompt of their own that needs a pause, and for closes that the modem confirms later.

use super::*;
use crate::engine::mailbox::ExchangeState;
use crate::modem::{
    CLOSE, Final, Limits, Line, OPEN, Out, Plain, Step, Then, Urc, Verdict, World, ask,
};

modem! { Takes { gone: bool = false }
    type Framing = Plain;
    const LIMITS: Limits = super::LIMITS;
    const PROMPT: u8 = b'@';
    const UPLOAD_PROMPT: Option<u8> = Some(b'>');
    const UPLOAD_PAUSE: u16 = 50;
    fn line(&mut self, line: &[u8], _: &[u8]) -> Line {
        match line {
            b"OK" => Line::Final(Final::Ok),
            b"ERROR" => Line::Final(Final::Error(crate::Code::Plain)),
            [b'+', b'U', b'U', b'C', b'L', b':', id] => {
                self.gone = true;
                Line::Urc(Urc::Closed { id: id - b'0' })
            }
            _ => Line::Info,
        }
    }
    fn script(number: u8) -> &'static [Step<Self>] {
        match number {
            OPEN => const { &[ask("AT+OPEN={i}")] },
            CLOSE => const { &[ask("AT+CLOSE={i}").then(|modem, w, _| {
                if !core::mem::take(&mut modem.gone) {
                    w.verdict = Verdict::Closing;
                }
                Then::End
            })] },
            _ => &[],
        }
    }
    fn argument(&self, _: u8, w: &World<'_>, out: &mut Out<'_>) {
        out.int(w.id.into());
    }
}

/// Returns a bench on which an upload of this many bytes is under way.
fn uploading(len: usize) -> Bench<Takes> {
    let mut bench = Bench::up(Takes::NEW);
    let command = b"AT+STORE=4\r";
    bench.world.mailbox.post = ExchangeState::Granted;
    bench.begin_guest(command, Plan::Upload(len), 5000);
    assert_eq!(bench.sent(), "AT+STORE=4\r");
    bench
}

#[test]
fn bytes_follow_the_prompt_after_its_pause() {
    let mut bench = uploading(4);
    assert!(!bench.engine.takes_bytes(false));
    bench.says("\r\n>");
    assert!(bench.engine.takes_bytes(false));
    bench.engine.hand_over(b"AT\r\n").unwrap();
    bench.wait(49);
    assert_eq!(bench.sent(), "");
    bench.wait(1);
    assert_eq!(bench.sent(), "AT\r\n");
    bench.says("\r\nOK\r\n");
    assert_eq!(bench.world.mailbox.post, ExchangeState::Done(Ok(Final::Ok)));
}

#[test]
fn a_refusal_in_the_place_of_the_prompt_ends_it() {
    let mut bench = uploading(4);
    bench.says("\r\nERROR\r\n");
    let refused = ExchangeState::Done(Ok(Final::Error(crate::Code::Plain)));
    assert_eq!(bench.world.mailbox.post, refused);
}

#[test]
fn an_upload_that_is_left_is_completed() {
    let mut bench = uploading(4);
    bench.says("\r\n>");
    bench.world.mailbox.post = ExchangeState::Left;
    bench.wait(50);
    assert_eq!(bench.sent(), "\n\n\n\n");
}

#[test]
fn an_id_is_free_when_the_modem_says_so() {
    let mut bench = Bench::up(Takes::NEW);
    bench.want(0);
    bench.says("\r\nOK\r\n");
    bench.sent();
    bench.world.slots[0].abandon();
    bench.run();
    assert_eq!(bench.sent(), "AT+CLOSE=0\r");
    bench.says("\r\nOK\r\n");
    // The close was accepted, but the id is not free yet; other sockets are served meanwhile.
    bench.wait(5000);
    assert!(bench.world.slots[0].in_modem);
    assert_eq!(bench.sent(), "");
    bench.says("\r\n+UUCL:0\r\n");
    assert_eq!(bench.sent(), "AT+CLOSE=0\r");
    bench.says("\r\nOK\r\n");
    assert!(bench.world.slots[0].is_free());
}

#[test]
fn a_close_that_is_never_confirmed_is_asked_for_again() {
    let mut bench = Bench::up(Takes::NEW);
    bench.want(0);
    bench.says("\r\nOK\r\n");
    bench.sent();
    bench.world.slots[0].abandon();
    bench.run();
    bench.says("\r\nOK\r\n");
    bench.sent();
    bench.wait(9_999);
    assert_eq!(bench.sent(), "");
    bench.wait(1);
    assert_eq!(bench.sent(), "AT+CLOSE=0\r");
}
