//! The seam for a modem whose echo cannot be switched off, which takes payload as the rest of a line, and answers some
//! commands with two `OK`.

use super::*;
use crate::engine::mailbox::ExchangeState;
use crate::modem::{
    CLOSE, Echoed, FETCH, Final, InLine, Limits, Line, OPEN, OWN, Out, SEND, Step, Terminator,
    Then, Urc, Verdict, World, ask,
};
use crate::{AtError, Code};

modem! { Console { opened: u8 = 0, answer: Option<Vec<u8>> = None }
    type Framing = Echoed;
    const LIMITS: Limits = Limits { max_send: 600, ..super::LIMITS };
    const IN_LINE: InLine = InLine::Base64 { spoils: ",,,,," };
    const TWICE: &'static [&'static str] = &["+Connect", "+RECV"];

    fn line(&mut self, line: &[u8], _: &[u8]) -> Line {
        match line {
            b"OK" => Line::Final(Final::Ok),
            b"ERROR" => Line::Final(Final::Error(Code::Plain)),
            b"Ready:" => Line::Urc(Urc::Other),
            b"+event:booted" => Line::Urc(Urc::Restarted),
            b"+event:data" => Line::Urc(Urc::Readable { id: 0 }),
            _ if line.starts_with(b"+event:") => Line::Urc(Urc::Report),
            _ => Line::Info,
        }
    }

    fn script(number: u8) -> &'static [Step<Self>] {
        match number {
            OPEN => const { &[
                ask("AT+Socket=inet,stream,sec").then(|modem, _, answer| {
                    modem.answer = answer.map(<[u8]>::to_vec);
                    Then::Next
                }),
                ask("AT+Connect={i}").then(|modem, w, answer| {
                    modem.opened += 1;
                    match answer {
                        Some(_) => Then::End,
                        None => w.fail(AtError::Refused(w.code)),
                    }
                }),
            ] },
            SEND => const { &[ask("AT+Send=0,1,{n},").base64().then(|_, w, answer| {
                w.verdict = if answer.is_some() { Verdict::Done } else { Verdict::Busy };
                Then::End
            })] },
            FETCH => const { &[ask("AT+Nothing").then(|_, w, _| {
                w.verdict = Verdict::Empty;
                Then::End
            })] },
            CLOSE => const { &[ask("AT+Close=0")] },
            OWN => const { &[] },
            _ => &[],
        }
    }

    fn argument(&self, name: u8, w: &World<'_>, out: &mut Out<'_>) {
        out.int(match name {
            b'n' => u32::from(w.len).div_ceil(3) * 4,
            _ => w.id.into(),
        });
    }

}

fn console() -> Bench<Console> {
    let mut bench = Bench::up(Console::NEW);
    bench.world.terminator = Terminator::Lf;
    bench
}

const SOCKET: &str = "AT+Socket=inet,stream,sec";

/// Returns a bench on which a connection is being opened, and the first command was sent.
fn opening() -> Bench<Console> {
    let mut bench = console();
    bench.want(0);
    assert_eq!(bench.sent(), "AT+Socket=inet,stream,sec\n");
    bench
}

/// Returns a bench with an open connection.
fn open() -> Bench<Console> {
    let mut bench = opening();
    bench.says("AT+Socket=inet,stream,sec\n\r+socket:0\n\rOK\n\r");
    bench.says("AT+Connect=0\n\rOK\n\rOK\n\r");
    assert_eq!(
        (bench.phase(0), bench.sent()),
        (Phase::Open, "AT+Connect=0\n".into())
    );
    bench
}

/// Checks that the answer to the open was accepted, and the next command was sent.
fn went_on(bench: &mut Bench<Console>, how: &str) {
    assert_eq!(bench.sent(), "AT+Connect=0\n", "{how}");
    let answer = bench.engine.modem.answer.take();
    assert_eq!(answer.as_deref(), Some(&b"+socket:0"[..]), "{how}");
    assert_eq!(bench.world.counters.resyncs, 0, "{how}");
}

#[test]
fn lines_end_as_they_like() {
    for end in ["\n\r", "\r\n\r", "\r\n", "\n"] {
        let mut bench = opening();
        bench.says(&std::format!(
            "{SOCKET}{end}{end}Ready:{end}+socket:0{end}OK{end}"
        ));
        went_on(&mut bench, &std::format!("{end:?}"));
    }
}

#[test]
fn an_event_may_stand_between_any_two_characters_of_an_echo() {
    for at in 0..=SOCKET.len() {
        for (before, behind) in [("", "\n\r"), ("\n\r", "\n\r"), ("\r\n", "\r\n\r")] {
            let (one, two) = SOCKET.split_at(at);
            let mut bench = opening();
            bench.says(&std::format!(
                "{one}{before}+event:x,1{behind}{two}\n\r+socket:0\n\rOK\n\r"
            ));
            assert_eq!(bench.world.report.0[..10], *b"+event:x,1", "{at}");
            went_on(&mut bench, &std::format!("{at} {before:?}"));
        }
    }
}

#[test]
fn an_event_that_begins_as_the_echo_goes_on_is_found() {
    let mut bench = open();
    // These bytes are "+eve" in base64, the beginning of a URC.
    bench.write(0, &[0xf9, 0xeb, 0xde]);
    assert_eq!(bench.sent(), "AT+Send=0,1,4,+eve\n");
    bench.says("AT+Send=0,1,4,+event:x,2\n\r+eve\n\rOK\n\r");
    assert_eq!(bench.world.report.0[..10], *b"+event:x,2");
    assert_eq!(
        (bench.world.slots[0].tx.len(), bench.sent()),
        (0, String::new())
    );
}

#[test]
fn a_restart_is_heard_amid_an_echo() {
    for at in 0..=SOCKET.len() {
        let mut bench = opening();
        bench.says(&SOCKET[..at]);
        bench.says("+event:booted\n\r");
        assert_eq!(bench.world.counters.restarts, 1, "{at}");
    }
}

#[test]
fn a_command_that_comes_back_altered_is_not_believed() {
    let mut texts = Vec::new();
    for at in 0..SOCKET.len() {
        let (one, two) = SOCKET.split_at(at);
        texts.push(std::format!("{one}{}", &two[1..]));
        texts.push(std::format!("{one}#{}", &two[1..]));
        texts.push(std::format!("{one}{}{two}", &two[..1]));
    }
    for text in texts {
        let mut bench = opening();
        bench.says(&std::format!("{text}\n\r+socket:0\n\rOK\n\r"));
        bench.wait(100);
        assert_eq!(bench.sent(), ",,,,,\nAT+S?\n", "{text}");
        assert_eq!(bench.engine.modem.answer, None, "{text}");
    }
}

#[test]
fn a_result_before_the_echo_is_not_the_answer() {
    let mut bench = opening();
    bench.says("OK\n\rERROR\n\r");
    assert_eq!(bench.engine.modem.answer, None);
    bench.says("AT+Socket=inet,stream,sec\n\r+socket:0\n\rOK\n\r");
    went_on(&mut bench, "late");
}

#[test]
fn a_command_accepted_with_an_ok_of_its_own_ends_with_the_second() {
    let mut bench = opening();
    bench.says("AT+Socket=inet,stream,sec\n\r+socket:0\n\rOK\n\r");
    bench.says("AT+Connect=0\n\rOK\n\r");
    assert_eq!(
        (bench.engine.modem.opened, bench.phase(0)),
        (0, Phase::Opening)
    );
    bench.says("+connect:8883,1.2.3.4\n\r");
    bench.says("OK\n\r");
    assert_eq!(
        (bench.engine.modem.opened, bench.phase(0)),
        (1, Phase::Open)
    );
}

#[test]
fn a_refusal_ends_it_at_any_time() {
    for answer in ["ERROR\n\r", "OK\n\rERROR\n\r"] {
        let mut bench = opening();
        bench.says("AT+Socket=inet,stream,sec\n\r+socket:0\n\rOK\n\r");
        bench.says("AT+Connect=0\n\r");
        bench.says(answer);
        assert_eq!(bench.engine.modem.opened, 1, "{answer}");
        assert!(bench.phase(0) != Phase::Opening, "{answer}");
    }
}

#[test]
fn payload_is_the_rest_of_the_line() {
    for len in 1..=64usize {
        let bytes: Vec<u8> = (0..len).map(|index| (index * 37) as u8).collect();
        let mut text = vec![0; len.div_ceil(3) * 4];
        let count = crate::inspect::encode(&bytes, &mut text);
        assert_eq!(count, text.len());
        let line = std::format!(
            "AT+Send=0,1,{count},{}",
            core::str::from_utf8(&text).unwrap()
        );
        let mut bench = open();
        bench.write(0, &bytes);
        assert_eq!(bench.sent(), std::format!("{line}\n"));
        // The ring keeps the payload until the modem has confirmed it.
        bench.says(&std::format!("{line}\n\r"));
        assert_eq!(bench.world.slots[0].tx.len(), len);
        bench.says("OK\n\r");
        assert_eq!(
            (bench.world.slots[0].tx.len(), bench.sent()),
            (0, String::new())
        );
    }
}

#[test]
fn what_was_not_taken_is_sent_again() {
    let mut bench = open();
    bench.write(0, b"hello");
    let line = bench.sent();
    bench.says(&line);
    bench.says("\rERROR\n\r");
    assert_eq!(bench.world.slots[0].tx.len(), 5);
    bench.wait(100);
    assert_eq!(bench.sent(), line);
}

#[test]
fn payload_that_comes_back_altered_ends_its_connection() {
    let mut bench = open();
    bench.write(0, b"hello");
    assert_eq!(bench.sent(), "AT+Send=0,1,8,aGVsbG8=\n");
    bench.says("AT+Send=0,1,8,aGVsbG9=\n\rOK\n\r");
    assert!(bench.is_reset(0));
    bench.wait(100);
    assert_eq!(bench.sent(), ",,,,,\nAT+S?\n");
}

#[test]
fn a_line_that_is_given_up_is_spoiled_and_ended() {
    let mut bench = open();
    let slot = &mut bench.world.slots[0];
    slot.tx.set_memory(Box::leak(vec![0; 600].into()));
    assert_eq!(slot.tx.push(&[b'x'; 600]), 600);
    slot.flush = true;
    let w: &mut World<'_> = &mut bench.world;
    w.wake_runner();
    bench.engine.tick(&mut bench.world);
    // The UART stops in the middle of the line.
    let mut buf = [0; 64];
    for _ in 0..3 {
        let count = bench.engine.next_out(&mut bench.world, &mut buf);
        bench.engine.out_done(&mut bench.world, count);
    }
    bench.world.now += 10_000;
    bench.sent();
    bench.run();
    assert_eq!(bench.sent(), ",,,,,\n");
    // The modem drops input while it refuses the spoilt line.
    bench.says("ERROR\n\r");
    bench.wait(100);
    assert_eq!(bench.sent(), "AT+S?\n");
    assert!(bench.is_reset(0));
}

#[test]
fn the_echo_of_a_long_line_comes_in_pieces() {
    let mut bench = open();
    let slot = &mut bench.world.slots[0];
    slot.tx.set_memory(Box::leak(vec![0; 600].into()));
    bench.write(0, &[b'x'; 600]);
    let line = bench.sent();
    assert!(line.len() > 3 * 256);
    for cut in [0, 15, 255, 256, 257, 600, line.len() - 2] {
        let mut bench = open();
        let slot = &mut bench.world.slots[0];
        slot.tx.set_memory(Box::leak(vec![0; 600].into()));
        bench.write(0, &[b'x'; 600]);
        let (one, two) = line.split_at(cut);
        bench.says(&std::format!("{one}+event:x,1\n\r{two}\rOK\n\r"));
        assert_eq!(bench.world.slots[0].tx.len(), 0, "{cut}");
        assert_eq!(bench.world.counters.resyncs, 0, "{cut}");
    }
}

#[test]
fn a_guests_payload_is_the_rest_of_the_line_too() {
    let mut bench = console();
    bench.world.mailbox.post = ExchangeState::Wanted;
    bench.run();
    bench.begin_guest(b"AT+W=1,8,", Plan::Quoted(9), 1000);
    for part in ["aGVs", "bG8="] {
        bench.engine.hand_over(part.as_bytes()).unwrap();
        bench.run();
    }
    assert!(bench.engine.close_quote(b"\n"));
    bench.engine.hand_over(b"\n").unwrap();
    bench.run();
    assert_eq!(bench.sent(), "AT+W=1,8,aGVsbG8=\n");
    bench.says("AT+W=1,8,aGV+event:x\n\rsbG8=\n\r+w:8\n");
    assert_eq!(bench.engine.line_for_guest(), b"+w:8");
    bench.world.mailbox.post = ExchangeState::Running;
    bench.says("\rOK\n\r");
    assert!(matches!(
        bench.world.mailbox.post,
        ExchangeState::Done(Ok(Final::Ok))
    ));
}
