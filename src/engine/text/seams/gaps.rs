//! The seam for a modem that needs a gap between its output and the next command.

use super::*;
use crate::engine::mailbox::ExchangeState;
use crate::modem::{
    CLOSE, Final, LIVENESS, Limits, Line, OPEN, Out, Plain, SEND, Step, Then, Urc, Verdict, World,
    ask, decide,
};

modem! { Slow {}
    type Framing = Plain;
    const LIMITS: Limits = super::LIMITS;
    const GAP: u16 = 20;
    const UPLOAD_PROMPT: Option<u8> = Some(b'>');
    const UPLOAD_PAUSE: u16 = 50;

    fn line(&mut self, line: &[u8], _: &[u8]) -> Line {
        match line {
            b"OK" => Line::Final(Final::Ok),
            b"SEND OK" => Line::Final(Final::SendOk),
            b"+DATA" => Line::Urc(Urc::Readable { id: 0 }),
            [b'+', b'U', ..] => Line::Urc(Urc::Other),
            _ => Line::Info,
        }
    }

    fn script(number: u8) -> &'static [Step<Self>] {
        match number {
            OPEN => const { &[ask("AT+A"), decide(|_, _, _| Then::Next), ask("AT+B")] },
            SEND => const { &[ask("AT+W").sends().then(|_, w, _| {
                w.verdict = Verdict::Done;
                Then::End
            })] },
            CLOSE => const { &[ask("AT+C")] },
            LIVENESS => const { &[ask("ATI")] },
            _ => &[],
        }
    }

    fn argument(&self, _: u8, _: &World<'_>, _: &mut Out<'_>) {}
}

fn quiet<M: Modem>(bench: &mut Bench<M>, ms: u32, then: &str) {
    bench.wait(ms - 1);
    assert_eq!(bench.sent(), "");
    bench.wait(1);
    assert_eq!(bench.sent(), then);
}

#[test]
fn a_command_waits_behind_a_result() {
    let mut bench = Bench::up(Slow::NEW);
    bench.want(0);
    assert_eq!(bench.sent(), "AT+A\r");
    bench.wait(5);
    bench.says("\r\nOK\r\n");
    quiet(&mut bench, 20, "AT+B\r");
}

#[test]
fn a_command_waits_behind_a_notice_while_nothing_is_under_way() {
    let mut bench = Bench::up(Slow::NEW);
    bench.wait(1000);
    bench.says("\r\n+UUX: 1\r\n");
    bench.wait(10);
    bench.want(0);
    quiet(&mut bench, 10, "AT+A\r");
    // A second URC makes the gap longer.
    bench.says("\r\nOK\r\n");
    bench.wait(15);
    bench.says("\r\n+UUX: 2\r\n");
    quiet(&mut bench, 20, "AT+B\r");
}

#[test]
fn payload_does_not_wait() {
    let mut bench = Bench::up(Slow::NEW);
    bench.want(0);
    bench.says("\r\nOK\r\n");
    bench.wait(20);
    bench.says("\r\nOK\r\n");
    assert_eq!(
        (bench.phase(0), bench.sent()),
        (Phase::Open, "AT+A\rAT+B\r".into())
    );
    bench.write(0, b"hello");
    quiet(&mut bench, 20, "AT+W\r");
    bench.says("\r\n+UUX: 1\r\n\r\n> ");
    assert_eq!(bench.sent(), "hello");
}

#[test]
fn a_command_of_a_users_waits_behind_a_notice_that_came_once_it_had_the_channel() {
    let mut bench = Bench::up(Slow::NEW);
    bench.wait(1000);
    bench.world.mailbox.post = ExchangeState::Wanted;
    bench.run();
    assert_eq!(bench.world.mailbox.post, ExchangeState::Granted);
    bench.says("\r\n+UUX: 1\r\n");
    bench.begin_guest(b"AT+X", Plan::Lines, 1000);
    quiet(&mut bench, 20, "AT+X\r");
}

#[test]
fn a_sign_of_life_is_the_backends() {
    let mut bench = Bench::up(Slow::NEW);
    quiet(&mut bench, 60_000, "ATI\r");
    bench.says("\r\nMODEL\r\n\r\nOK\r\n");
    quiet(&mut bench, 60_000, "ATI\r");
    // A modem that does not answer is brought up anew.
    bench.wait(10_000);
    assert!(bench.sent().starts_with("AT+S?\r"));
    assert_eq!(bench.world.counters.restarts, 1);
}

#[test]
fn an_upload_waits_behind_its_prompt() {
    let mut bench = Bench::up(Slow::NEW);
    bench.world.mailbox.post = ExchangeState::Wanted;
    bench.run();
    bench.begin_guest(b"AT+U", Plan::Upload(5), 1000);
    assert_eq!(bench.sent(), "AT+U\r");
    assert!(!bench.engine.takes_bytes(false));
    // Some modules end the prompt with a space.
    bench.says("\r\n> ");
    assert!(bench.engine.takes_bytes(false));
    bench.engine.hand_over(b"hello").unwrap();
    quiet(&mut bench, 50, "hello");
    bench.says("\r\n+X: 5\r\n");
    assert_eq!(bench.world.mailbox.post, ExchangeState::Line);
    bench.world.mailbox.post = ExchangeState::Running;
    bench.says("\r\nOK\r\n");
    assert!(matches!(
        bench.world.mailbox.post,
        ExchangeState::Done(Ok(Final::Ok))
    ));
}
