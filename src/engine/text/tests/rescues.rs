//! Ways back to a channel where the next line is a command, and restarts at each stage.

extern crate std;

use super::super::super::scheduler::Job;
use super::super::super::slot::Phase;
use super::super::super::world::Link;
use super::harness::*;
use crate::modem::{Step, Then, Verdict, ask, decide};

const ASKED: &[Step<Toy>] = &[noted("AT+X?").limit(10).even_unanswered()];
const QUOTED: &[Step<Toy>] = &[ask("AT+QSEND={i},\"").quotes().limit(100).then(Toy::sent)];
const PIPED: &[Step<Toy>] = &[ask("AT+PIPE={i}").pipes().limit(100).then(Toy::sent)];
const COUNTED: &[Step<Toy>] = &[ask("AT+CSEND={i},{l}").counts().limit(100).then(Toy::sent)];
const PROMPTED: &[Step<Toy>] = &[ask("AT+SEND={i},{l}").sends().limit(100).then(Toy::sent)];

fn erased() -> std::string::String {
    ["\x08".repeat(4096).as_str(), "\"\x08\r"].concat()
}

#[test]
fn a_modem_that_does_not_answer_is_asked_three_times() {
    trace(|t: &mut Trace| {
        t.flow(ASKED);
        t.sends("AT+X?\r");
        for _ in 0..3 {
            t.after(1000);
            t.sends("AT+SYNC?\r");
        }
        assert_eq!(t.link(), Link::Up);
        t.after(1000);
        assert_eq!(t.link(), Link::Down);
        t.comes_up();
    });
}

#[test]
fn each_query_is_waited_for_that_may_be_answered() {
    trace(|t: &mut Trace| {
        t.flow(ASKED);
        t.sends("AT+X?\r");
        t.after(1000);
        t.sends("AT+SYNC?\r");
        t.after(1000);
        t.plays("AT+SYNC?\r", SYNCED);
        t.after(900);
        t.silent();
        t.saw(&[]);
        // The first one was not lost but slow.
        t.hear(SYNCED);
        t.saw(&["Timeout"]);
        t.idle();
    });
}

#[test]
fn a_query_that_is_lost_is_not_waited_for_any_longer() {
    trace(|t: &mut Trace| {
        t.flow(ASKED);
        t.sends("AT+X?\r");
        t.after(1000);
        t.sends("AT+SYNC?\r");
        t.after(1000);
        t.plays("AT+SYNC?\r", SYNCED);
        t.after(999);
        t.saw(&[]);
        t.after(1);
        t.saw(&["Timeout"]);
        t.idle();
    });
}

#[test]
fn an_answer_without_its_result_is_not_believed() {
    trace(|t: &mut Trace| {
        t.flow(ASKED);
        t.sends("AT+X?\r");
        t.after(1000);
        t.plays("AT+SYNC?\r", "\r\n+SYNC: 1\r\n");
        t.after(999);
        t.saw(&[]);
        t.hear(OK);
        t.saw(&["Timeout"]);
    });
}

#[test]
fn an_open_quote_is_left_without_completing_the_line() {
    trace(|t: &mut Trace| {
        let slot = t.open();
        t.hold();
        t.sends_by(QUOTED, &[b'x'; 100]);
        // 64 of its bytes are out, and the modem says that it is done.
        t.sent.clear();
        t.hear(OK);
        t.release();
        t.sends(erased());
        t.after(100);
        t.plays("AT+SYNC?\r", SYNCED);
        t.is_reset(slot);
        t.plays("AT+CLOSE=0\r", OK);
        t.idle();
    });
}

#[test]
fn a_parser_that_counts_deleted_quotes_is_helped_once_more() {
    trace(|t: &mut Trace| {
        t.open();
        t.hold();
        t.sends_by(QUOTED, &[b'x'; 100]);
        t.sent.clear();
        t.hear(OK);
        t.release();
        for _ in 0..2 {
            t.sends(erased());
            t.after(100);
            for _ in 0..3 {
                t.sends("AT+SYNC?\r");
                t.after(1000);
            }
        }
        // It is brought up anew.
        assert_eq!(t.link(), Link::Down);
        t.comes_up();
    });
}

#[test]
fn a_uart_that_is_stuck_does_not_stop_the_rescue() {
    trace(|t: &mut Trace| {
        t.open();
        t.hold();
        t.sends_by(QUOTED, &[b'x'; 100]);
        t.hear(OK);
        t.after(60_000);
        assert_ne!(t.link(), Link::Up);
        t.release();
        t.after(60_000);
        t.sent.clear();
        t.after(31_000);
        assert!(
            t.sent.starts_with(b"AT+SYNC?\r"),
            "{}",
            t.sent.escape_ascii()
        );
    });
}

#[test]
fn a_flow_may_ask_for_the_way_out_of_a_quote() {
    const UNQUOTES: &[Step<Toy>] = &[decide(|_, _, _| Then::Unquote), noted("AT+X?")];
    trace(|t: &mut Trace| {
        t.flow(UNQUOTES);
        t.sends(erased());
        t.after(100);
        t.plays("AT+SYNC?\r", SYNCED);
        t.plays("AT+X?\r", OK);
        t.idle();
    });
}

#[test]
fn a_flow_may_ask_for_filler() {
    const FILLS: &[Step<Toy>] = &[
        decide(|_, w, _| {
            w.fill = (b'.', 1000);
            Then::Fill
        }),
        noted("AT+X?"),
    ];
    trace(|t: &mut Trace| {
        t.flow(FILLS);
        t.sends([".".repeat(1000).as_str(), "AT+X?\r"].concat());
    });
}

#[test]
fn a_modem_that_is_known_to_take_lines_is_not_escaped_from() {
    const ESCAPES: &[Step<Toy>] = &[decide(|_, _, _| Then::Escape), noted("AT+X?")];
    trace(|t: &mut Trace| {
        t.flow(ESCAPES);
        t.plays("AT+X?\r", OK);
        t.with(|engine, _| engine.line_mode = false);
        t.flow(ESCAPES);
        t.after(1100);
        t.sends("+++");
        t.after(1100);
        t.plays("AT+X?\r", OK);
        t.idle();
    });
}

#[test]
fn a_late_answer_in_a_rescue_resets_the_socket_that_sent_last() {
    const SYNCS: &[Step<Toy>] = &[decide(|_, _, _| Then::Synchronise)];
    trace(|t: &mut Trace| {
        let slot = t.open();
        t.write(slot, "hello");
        t.flush(slot);
        t.plays("AT+SEND=0,5\r", "\r\n> ");
        t.plays("hello", "\r\nSEND OK\r\n");
        t.flow(SYNCS);
        t.plays("AT+SYNC?\r", OK);
        t.hear(SYNCED);
        t.is_reset(slot);
    });
}

#[test]
fn notices_are_asked_for_after_a_rescue() {
    trace(|t: &mut Trace| {
        t.open();
        t.flow(ASKED);
        t.sends("AT+X?\r");
        t.after(1000);
        t.plays("AT+SYNC?\r", SYNCED);
        t.saw(&["Timeout"]);
        t.plays("AT+RECV=0,16\r", "\r\n+RECV: 0\r\n\r\nOK\r\n");
        t.plays("AT+LOOK=0\r", "\r\n+LOOK: UP\r\n\r\nOK\r\n");
        t.idle();
    });
}

/// The modem restarts at the end of `begin`.
fn restarts(begin: impl Fn(&mut Trace)) {
    trace(|t: &mut Trace| {
        let slot = t.open();
        begin(t);
        t.sent.clear();
        let life = t.world.borrow().generation;
        t.hear("\r\nBOOT\r\n");
        assert_eq!(t.link(), Link::Down);
        assert_ne!(t.world.borrow().generation, life);
        t.is_reset(slot);
        t.release();
        t.comes_up();
        t.leave(slot);
        t.open();
        t.saw(&[]);
    });
}

#[test]
fn restart_of_an_idle_modem() {
    restarts(|_| {});
}

#[test]
fn restart_instead_of_an_answer() {
    restarts(|t| t.flow(PLAIN));
}

const PLAIN: &[Step<Toy>] = &[ask("AT+X?")];

#[test]
fn restart_with_the_command_on_its_way() {
    restarts(|t| {
        t.hold();
        t.flow(PLAIN);
    });
}

#[test]
fn restart_instead_of_a_prompt() {
    restarts(|t| t.sends_by(PROMPTED, b"hello"));
}

#[test]
fn restart_while_bytes_are_counted() {
    restarts(|t| {
        t.sends_by(PROMPTED, &[b'x'; 100]);
        t.hold();
        t.hear("\r\n> ");
    });
}

#[test]
fn restart_when_all_is_out() {
    restarts(|t| {
        t.sends_by(COUNTED, b"hello");
        t.hear(OK);
    });
}

#[test]
fn restart_in_data_mode() {
    restarts(|t| {
        t.with(|_, w| w.silence = (100, 100));
        t.sends_by(PIPED, b"hello");
        t.hear(OK);
    });
}

#[test]
fn restart_in_the_silence_before_the_end_of_data_mode() {
    restarts(|t| {
        t.with(|_, w| w.silence = (0, 100));
        t.sends_by(PIPED, b"hello");
        t.hear(OK);
        t.after(50);
    });
}

#[test]
fn restart_in_front_of_payload() {
    restarts(|t| {
        t.hear("\r\n+READY: 0\r\n");
        t.hear("\r\n+RECV: 0\r\n");
    });
}

#[test]
fn restart_in_payload_is_found_by_the_silence() {
    trace(|t: &mut Trace| {
        let slot = t.open();
        t.hear("\r\n+READY: 0\r\n");
        t.plays("AT+RECV=0,16\r", "\r\n+RECV: 16\r\nab\r\nBOOT\r\n");
        t.after(1000);
        // What it says next is an echo, or counted as payload.
        t.sends("AT+SYNC?\r");
        t.hear("AT+SYNC?\r\r\n");
        t.after(4000);
        assert_eq!(t.read(slot), "");
        t.is_reset(slot);
    });
}

#[test]
fn restart_between_payload_and_result() {
    restarts(|t| {
        t.hear("\r\n+READY: 0\r\n");
        t.hear("\r\n+RECV: 2\r\nab");
    });
}

#[test]
fn restart_while_the_channel_is_synchronised() {
    restarts(|t| {
        t.flow(const { &[ask::<Toy>("AT+X?").limit(10)] });
        t.after(1000);
    });
}

#[test]
fn restart_while_a_quote_is_left() {
    restarts(|t| {
        t.hold();
        t.sends_by(QUOTED, &[b'x'; 100]);
        t.hear(OK);
    });
}

#[test]
fn restart_in_the_silences_of_an_escape() {
    for span in [10_500, 11_500] {
        restarts(|t| {
            t.with(|_, w| w.silence = (0, 0));
            t.sends_by(PIPED, b"hello");
            t.hear(OK);
            t.after(span);
        });
    }
}

#[test]
fn restart_while_an_open_is_parked() {
    trace(|t: &mut Trace| {
        let slot = t.want();
        t.plays("AT+OPEN=0\r", OK);
        t.hear("\r\nBOOT\r\n");
        assert_eq!(t.link(), Link::Down);
        t.is_reset(slot);
        assert!(!t.world.borrow().opening);
        t.comes_up();
        t.leave(slot);
        t.open();
    });
}

#[test]
fn restart_before_a_connection_is_opened_costs_nothing() {
    trace(|t: &mut Trace| {
        t.flow(PLAIN);
        t.sends("AT+X?\r");
        let slot = t.want();
        t.hear("\r\nBOOT\r\n");
        t.comes_up();
        t.plays("AT+OPEN=0\r", OK);
        t.hear("\r\n+OPENED: 0,0\r\n");
        t.is(slot, Phase::Open);
    });
}

#[test]
fn restart_during_a_bring_up_begins_it_again() {
    cold(|t: &mut Trace| {
        t.plays("AT+SYNC?\r", SYNCED);
        t.plays("AT+UP\r", "\r\nBOOT\r\n");
        t.after(1000);
        t.comes_up();
    });
}

#[test]
fn a_send_whose_modem_restarts_is_not_resent() {
    trace(|t: &mut Trace| {
        let slot = t.open();
        t.write(slot, "hello");
        t.flush(slot);
        t.plays("AT+SEND=0,5\r", "\r\n> ");
        t.plays("hello", "\r\nBOOT\r\n");
        t.comes_up();
        t.after(10_000);
        t.idle();
        t.is_reset(slot);
    });
}

#[test]
fn a_look_that_finds_nothing_out_costs_the_socket() {
    trace(|t: &mut Trace| {
        let slot = t.open();
        t.with(|_, w| w.verdict = Verdict::Standing);
        t.flow_of(Job::Look(0), const { &[ask::<Toy>("AT+LOOK={i}")] });
        t.plays("AT+LOOK=0\r", "\r\nERROR\r\n");
        t.is_reset(slot);
    });
}
