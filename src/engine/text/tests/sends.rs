//! Payload to the modem, in each of the ways that modems take it.

extern crate std;

use super::super::super::slot::Phase;
use super::super::super::slot::Sending;
use super::super::super::world::Link;
use super::harness::*;
use crate::error::SocketError;
use crate::loss::Loss;
use crate::modem::{Step, ask};

const PROMPTED: &[Step<Toy>] = &[ask("AT+SEND={i},{l}").sends().limit(100).then(Toy::sent)];
const COUNTED: &[Step<Toy>] = &[ask("AT+CSEND={i},{l}").counts().limit(200).then(Toy::sent)];
const PIPED: &[Step<Toy>] = &[ask("AT+PIPE={i}").pipes().limit(100).then(Toy::sent)];
const QUOTED: &[Step<Toy>] = &[ask("AT+QSEND={i},\"").quotes().limit(100).then(Toy::sent)];
const HEXED: &[Step<Toy>] = &[ask("AT+HSEND={i},\"").hexes().limit(100).then(Toy::sent)];

/// Payload that looks like everything that means something.
const NASTY: &[u8] = b"\r\nOK\r\n> +++\r\nAT+OFF\r\0\"\x1a";

fn left(t: &mut Trace, slot: usize) -> usize {
    t.with(|_, w| w.slots[slot].tx.len())
}

#[test]
fn what_is_written_goes_out_behind_the_prompt() {
    trace(|t: &mut Trace| {
        let slot = t.open();
        t.write(slot, "hello");
        t.flush(slot);
        t.plays("AT+SEND=0,5\r", "\r\n> ");
        t.plays("hello", "\r\nSEND OK\r\n");
        assert_eq!(left(t, slot), 0);
        t.idle();
    });
}

#[test]
fn what_is_written_waits_for_more() {
    trace(|t: &mut Trace| {
        let slot = t.open();
        t.write(slot, "a");
        t.after(9);
        t.silent();
        t.write(slot, "b");
        t.after(9);
        t.silent();
        t.after(1);
        t.sends("AT+SEND=0,2\r");
    });
}

#[test]
fn a_full_frame_does_not_wait() {
    trace(|t: &mut Trace| {
        let slot = t.open();
        t.write(slot, "0123456789");
        t.plays("AT+SEND=0,8\r", "\r\n> ");
        t.plays("01234567", "\r\nSEND OK\r\n");
        t.silent();
        t.after(10);
        t.plays("AT+SEND=0,2\r", "\r\n> ");
        t.plays("89", "\r\nSEND OK\r\n");
        t.idle();
    });
}

#[test]
fn a_pause_is_kept_behind_the_prompt() {
    trace(|t: &mut Trace<PAUSES>| {
        let slot = t.open();
        t.write(slot, "hello");
        t.flush(slot);
        t.plays("AT+SEND=0,5\r", "\r\n> ");
        t.after(49);
        t.silent();
        t.after(1);
        t.sends("hello");
    });
}

#[test]
fn a_second_prompt_changes_nothing() {
    trace(|t: &mut Trace| {
        let slot = t.open();
        t.write(slot, "hello");
        t.flush(slot);
        t.plays("AT+SEND=0,5\r", "\r\n> \r\n> ");
        t.plays("hello", "\r\nSEND OK\r\n");
        t.idle();
    });
}

#[test]
fn a_notice_before_the_prompt_changes_nothing() {
    trace(|t: &mut Trace| {
        let slot = t.open();
        t.write(slot, "hello");
        t.flush(slot);
        t.plays("AT+SEND=0,5\r", "\r\n+NOTE: 1\r\n\r\n> ");
        t.sends("hello");
    });
}

#[test]
fn a_modem_without_room_is_asked_again_and_nothing_is_lost() {
    trace(|t: &mut Trace| {
        let slot = t.open();
        t.write(slot, "hello");
        t.flush(slot);
        t.plays("AT+SEND=0,5\r", "\r\n> ");
        t.plays("hello", "\r\nSEND FAIL\r\n");
        t.after(99);
        t.silent();
        t.after(1);
        t.plays("AT+SEND=0,5\r", "\r\n> ");
        t.plays("hello", "\r\nSEND OK\r\n");
        t.idle();
    });
}

#[test]
fn a_modem_without_room_is_not_asked_for_ever() {
    trace(|t: &mut Trace| {
        let slot = t.open();
        t.write(slot, "hello");
        t.flush(slot);
        for _ in 0..700 {
            t.after(100);
            if t.sent.is_empty() {
                continue;
            }
            if t.sent.starts_with(b"AT+SEND") {
                t.sent.clear();
                t.hear("\r\n> ");
                t.plays("hello", "\r\nSEND FAIL\r\n");
            } else if t.sent.starts_with(b"AT+CLOSE") {
                break;
            } else {
                // It looks for data meanwhile.
                t.plays("AT+RECV=0,16\r", "\r\n+RECV: 0\r\n\r\nOK\r\n");
            }
        }
        t.is_reset(slot);
        t.plays("AT+CLOSE=0\r", OK);
    });
}

/// Where the connection does not stand any more, it was the peer.
#[test]
fn a_refused_send_is_followed_by_what_the_peer_sent_before() {
    trace(|t: &mut Trace| {
        let slot = t.open();
        t.write(slot, "hello");
        t.flush(slot);
        t.plays("AT+SEND=0,5\r", "\r\nERROR\r\n");
        t.with(|_, w| assert_eq!(w.slots[0].write_error(), None));
        t.plays("AT+LOOK=0\r", OK);
        t.with(|_, w| {
            assert_eq!(w.slots[0].sending, Sending::Refused);
            assert_eq!(
                w.slots[0].write_error(),
                Some(SocketError::ClosedUnanswered)
            );
        });
        t.plays("AT+RECV=0,16\r", "\r\n+RECV: 3\r\nbye\r\n\r\nOK\r\n");
        assert_eq!(t.read(slot), "bye");
        t.hear("\r\n+CLOSED: 0\r\n");
        t.plays("AT+RECV=0,16\r", "\r\n+RECV: 0\r\n\r\nOK\r\n");
        // The notice came during the fetch, which is made again.
        t.plays("AT+RECV=0,16\r", "\r\n+RECV: 0\r\n\r\nOK\r\n");
        t.is(slot, Phase::Eof);
        t.plays("AT+CLOSE=0\r", OK);
        t.idle();
    });
}

#[test]
fn a_refused_send_on_a_connection_that_stands_is_the_modems() {
    trace(|t: &mut Trace| {
        let slot = t.open();
        t.write(slot, "hello");
        t.flush(slot);
        t.plays("AT+SEND=0,5\r", "\r\nERROR\r\n");
        t.plays("AT+LOOK=0\r", "\r\nUP\r\n\r\nOK\r\n");
        t.with(|_, w| {
            assert_eq!(w.slots[0].write_error(), Some(SocketError::ConnectionReset));
            assert_eq!(w.loss, Some(Loss::SendRefused));
        });
        // What came before may be read.
        t.plays("AT+RECV=0,16\r", "\r\n+RECV: 3\r\nbye\r\n\r\nOK\r\n");
        assert_eq!(t.read(slot), "bye");
        t.plays("AT+RECV=0,16\r", "\r\n+RECV: 0\r\n\r\nOK\r\n");
        t.is_reset(slot);
        t.with(|_, w| assert_eq!(w.slots[0].loss, Loss::SendRefused));
        t.plays("AT+CLOSE=0\r", OK);
        t.idle();
    });
}

/// Its notice comes before the answer to the send: there is nothing to ask.
#[test]
fn a_send_that_is_refused_behind_the_peers_end_is_the_peers() {
    trace(|t: &mut Trace| {
        let slot = t.open();
        t.write(slot, "hello");
        t.flush(slot);
        t.plays("AT+SEND=0,5\r", "\r\n+CLOSED: 0\r\n\r\nERROR\r\n");
        t.with(|_, w| {
            assert_eq!(
                w.slots[0].write_error(),
                Some(SocketError::ClosedUnanswered)
            );
        });
        t.plays("AT+RECV=0,16\r", "\r\n+RECV: 0\r\n\r\nOK\r\n");
        t.is(slot, Phase::Eof);
        t.plays("AT+CLOSE=0\r", OK);
        t.idle();
    });
}

#[test]
fn without_a_prompt_the_modem_is_brought_up_anew() {
    trace(|t: &mut Trace| {
        let slot = t.open();
        t.write(slot, "hello");
        t.flush(slot);
        t.sends("AT+SEND=0,5\r");
        t.after(9999);
        t.silent();
        // From here on a prompt could be for any command.
        t.after(1);
        assert_eq!(t.link(), Link::Down);
        t.is_reset(slot);
        t.comes_up();
        t.idle();
    });
}

#[test]
fn an_answer_may_be_quicker_than_the_uart() {
    trace(|t: &mut Trace| {
        let slot = t.open();
        t.write(slot, "hello");
        t.hold();
        t.flush(slot);
        t.sends("AT+SEND=0,5\r");
        t.release();
        t.hold();
        t.hear("\r\n> ");
        t.plays("hello", "\r\nSEND OK\r\n");
        assert_eq!(left(t, slot), 0);
        t.release();
        t.idle();
    });
}

#[test]
fn a_result_while_bytes_are_counted_costs_the_socket_and_is_filled_up() {
    trace(|t: &mut Trace| {
        let slot = t.open();
        t.sends_by(PROMPTED, &[b'x'; 100]);
        t.sends("AT+SEND=0,100\r");
        t.hold();
        t.hear("\r\n> ");
        t.plays(&"x".repeat(64), "\r\nSEND OK\r\n");
        t.release();
        // The modem may still count all of them.
        t.sends(["\n".repeat(100).as_str(), "AT+SYNC?\r"].concat());
        t.hear(SYNCED);
        t.is_reset(slot);
        t.plays("AT+CLOSE=0\r", OK);
        t.idle();
    });
}

#[test]
fn payload_is_sent_as_it_is() {
    trace(|t: &mut Trace| {
        t.open();
        t.sends_by(PROMPTED, NASTY);
        t.plays("AT+SEND=0,23\r", "\r\n> ");
        t.sends(NASTY);
        t.hear("\r\nSEND OK\r\n");
        t.idle();
    });
}

#[test]
fn announced_bytes_follow_ok() {
    trace(|t: &mut Trace| {
        t.open();
        t.sends_by(COUNTED, NASTY);
        t.plays("AT+CSEND=0,23\r", OK);
        t.sends(NASTY);
        t.hear("\r\nSEND OK\r\n");
        t.idle();
    });
}

#[test]
fn a_modem_that_forgot_the_announced_number_is_told_that_it_was_all() {
    trace(|t: &mut Trace| {
        let slot = t.open();
        t.sends_by(COUNTED, b"hello");
        t.plays("AT+CSEND=0,5\r", OK);
        t.sends("hello");
        t.after(9999);
        t.silent();
        t.after(1);
        t.plays("+++", "\r\nSEND OK\r\n");
        t.is(slot, Phase::Open);
        t.after(1000);
        t.idle();
    });
}

/// The modem ends data mode by itself: `+++` is answered at once.
#[test]
fn a_hang_up_is_answered_at_once() {
    trace(|t: &mut Trace| {
        t.sends_by(COUNTED, b"hello");
        t.plays("AT+CSEND=0,5\r", OK);
        t.sends("hello");
        t.hear("+++");
        t.sends("+++");
        t.hear("\r\nERROR\r\n");
        t.idle();
    });
}

/// In the middle of what was announced: a modem that counts on gets the rest as spaces, less the `+++`.
#[test]
fn a_hang_up_in_a_payload_is_answered_until_it_is_told() {
    trace(|t: &mut Trace| {
        t.sends_by(COUNTED, &[b'x'; 100]);
        t.sends("AT+CSEND=0,100\r");
        t.hold();
        t.hear(OK);
        t.sends([b'x'; 64]);
        t.hear("+++");
        t.release();
        t.sends("+++");
        t.after(999);
        t.silent();
        t.after(1);
        // Whether the 64 that were on their way are out, nobody knows.
        t.sends([b' '; 97]);
        t.after(1000);
        t.plays("+++", "\r\nERROR\r\n");
        t.idle();
    });
}

#[test]
fn silence_is_kept_around_data_mode() {
    trace(|t: &mut Trace| {
        let slot = t.open();
        t.with(|_, w| w.silence = (100, 200));
        t.sends_by(PIPED, b"+++ ATH");
        t.plays("AT+PIPE=0\r", OK);
        t.after(99);
        t.silent();
        t.after(1);
        t.sends("+++ ATH");
        t.after(199);
        t.silent();
        t.after(1);
        t.plays("+++", "\r\nSEND OK\r\n");
        assert_eq!(left(t, slot), 0);
        t.idle();
    });
}

#[test]
fn data_mode_that_does_not_end_is_left_by_force() {
    trace(|t: &mut Trace| {
        let slot = t.open();
        t.sends_by(PIPED, b"hello");
        t.plays("AT+PIPE=0\r", OK);
        t.sends("hello+++");
        for _ in 0..4 {
            t.after(1999);
            t.silent();
            t.after(1);
            t.sends("+++");
        }
        t.after(2000);
        t.silent();
        t.after(1099);
        t.silent();
        t.after(1);
        t.sends("+++");
        t.after(1100);
        t.plays("AT+SYNC?\r", SYNCED);
        t.is_reset(slot);
        t.plays("AT+CLOSE=0\r", OK);
        t.idle();
    });
}

#[test]
fn payload_may_complete_the_line() {
    trace(|t: &mut Trace| {
        let slot = t.open();
        t.sends_by(QUOTED, b"hello");
        t.plays("AT+QSEND=0,\"hello\"\r", OK);
        assert_eq!(left(t, slot), 0);
        t.idle();
    });
}

#[test]
fn payload_may_go_out_as_hexadecimal_digits() {
    trace(|t: &mut Trace| {
        let slot = t.open();
        let bytes: std::vec::Vec<u8> = (0..=99).map(|at| at ^ 0xA5).collect();
        let digits: std::string::String = bytes
            .iter()
            .map(|byte| std::format!("{byte:02X}"))
            .collect();
        t.sends_by(HEXED, &bytes);
        t.plays(&std::format!("AT+HSEND=0,\"{digits}\"\r"), OK);
        assert_eq!(left(t, slot), 0);
        t.idle();
    });
}

#[test]
fn a_refusal_may_be_quicker_than_the_uart() {
    trace(|t: &mut Trace| {
        let slot = t.open();
        t.hold();
        t.sends_by(QUOTED, b"");
        t.release();
        t.hold();
        t.plays("AT+QSEND=0,\"\"\r", "\r\n+CME ERROR: 4\r\n");
        t.with(|_, w| assert_eq!(w.slots[slot].sending, Sending::Asked));
        t.release();
        t.plays("AT+LOOK=0\r", OK);
        t.plays("AT+RECV=0,16\r", "\r\n+RECV: 0\r\n\r\nOK\r\n");
    });
}

#[test]
fn a_stray_result_behind_a_send_costs_the_socket() {
    // Perhaps it was payload: the rest of a frame of whose length noise had made less.
    trace(|t: &mut Trace| {
        let slot = t.open();
        t.write(slot, "hello");
        t.flush(slot);
        t.plays("AT+SEND=0,5\r", "\r\n> ");
        t.plays("hello", "\r\nSEND OK\r\n");
        t.hear("\r\nERROR\r\n");
        t.is_reset(slot);
        t.plays("AT+CLOSE=0\r", OK);
    });
}

/// The connection that sent is gone, and the one that has its slot now has sent nothing.
#[test]
fn a_stray_result_behind_a_closed_connection_costs_no_other() {
    trace(|t: &mut Trace| {
        let slot = t.open();
        t.write(slot, "hello");
        t.flush(slot);
        t.plays("AT+SEND=0,5\r", "\r\n> ");
        t.plays("hello", "\r\nSEND OK\r\n");
        t.leave(slot);
        t.plays("AT+CLOSE=0\r", OK);
        let next = t.open();
        assert_eq!(next, slot);
        t.hear("\r\nERROR\r\n");
        t.is(next, Phase::Open);
    });
}

#[test]
fn ok_does_not_end_a_send() {
    trace(|t: &mut Trace| {
        let slot = t.open();
        t.write(slot, "hello");
        t.flush(slot);
        t.plays("AT+SEND=0,5\r", "\r\n> ");
        t.plays("hello", OK);
        t.plays("AT+SYNC?\r", SYNCED);
        t.is_reset(slot);
    });
}

#[test]
fn data_mode_that_nobody_asked_for_is_left() {
    trace(|t: &mut Trace| {
        t.flow(PLAIN);
        t.plays("AT+X\r", "\r\nCONNECT\r\n");
        t.after(1100);
        t.sends("+++");
        t.after(1100);
        t.plays("AT+SYNC?\r", SYNCED);
        t.saw(&["Garbled"]);
        t.idle();
    });
}

const PLAIN: &[Step<Toy>] = &[noted("AT+X").even_unanswered()];
