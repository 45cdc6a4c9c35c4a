//! Payload that comes unasked.

extern crate std;

use super::super::super::slot::Phase;
use super::harness::*;
use crate::error::SocketError;
use crate::modem::Step;

const ASKED: &[Step<Toy>] = &[noted("AT+X?").even_unanswered()];

/// A connection whose data is pushed.
fn pushed(t: &mut Trace) -> usize {
    t.with(|_, w| w.push_unit = Some(16));
    t.open()
}

#[test]
fn pushed_data_counts_with_the_line_end_behind_it() {
    trace(|t: &mut Trace| {
        let slot = pushed(t);
        t.hear("\r\n+PUSH: 0,5\r\nhello");
        assert_eq!(t.read(slot), "");
        t.hear("\r\n");
        assert_eq!(t.read(slot), "hello");
        t.idle();
    });
}

#[test]
fn pushed_data_counts_after_a_silence_too() {
    trace(|t: &mut Trace| {
        let slot = pushed(t);
        t.hear("\r\n+PUSH: 0,5\r\nhello");
        t.after(19);
        assert_eq!(t.read(slot), "");
        t.after(1);
        assert_eq!(t.read(slot), "hello");
    });
}

#[test]
fn pushed_data_may_come_between_command_and_answer() {
    trace(|t: &mut Trace| {
        let slot = pushed(t);
        t.flow(ASKED);
        t.plays(
            "AT+X?\r",
            "\r\n+X: 1\r\n\r\n+PUSH: 0,6\r\n\r\nOK\r\n\r\n+X: 2\r\n\r\nOK\r\n",
        );
        assert_eq!(t.read(slot), "\\r\\nOK\\r\\n");
        t.saw(&["ok +X: 1\\r\\n+X: 2"]);
    });
}

#[test]
fn pushed_data_of_the_wrong_length_costs_the_socket() {
    trace(|t: &mut Trace| {
        let slot = pushed(t);
        t.hear("\r\n+PUSH: 0,4\r\nhello\r\n");
        assert_eq!(t.read(slot), "");
        t.is_reset(slot);
        t.plays("AT+SYNC?\r", SYNCED);
        t.plays("AT+CLOSE=0\r", OK);
        t.idle();
    });
}

#[test]
fn pushed_data_that_stops_coming_costs_the_socket() {
    trace(|t: &mut Trace| {
        let slot = pushed(t);
        t.hear("\r\n+PUSH: 0,9\r\nhello");
        t.after(999);
        t.silent();
        t.after(1);
        t.is_reset(slot);
        t.plays("AT+SYNC?\r", SYNCED);
        t.plays("AT+CLOSE=0\r", OK);
        t.idle();
    });
}

#[test]
fn pushed_data_that_nobody_wants_is_counted() {
    trace(|t: &mut Trace| {
        let slot = pushed(t);
        t.hear("\r\n+PUSH: 3,6\r\n\r\nOK\r\n\r\n");
        assert_eq!(t.read(slot), "");
        t.is(slot, Phase::Open);
        t.after(20);
        t.idle();
    });
}

#[test]
fn a_socket_that_is_not_read_is_reset_and_the_others_go_on() {
    trace(|t: &mut Trace| {
        let (slot, other) = (pushed(t), t.open());
        t.hear(std::format!(
            "\r\n+PUSH: 0,40\r\n{}\r\n+PUSH: 1,1\r\nx\r\n",
            "a".repeat(40)
        ));
        t.after(199);
        t.is(slot, Phase::Open);
        assert_eq!(t.read(other), "");
        t.after(1);
        t.is(slot, Phase::Failed(SocketError::RxOverrun));
        assert_eq!(t.read(other), "x");
        t.is(other, Phase::Open);
        t.plays("AT+CLOSE=0\r", OK);
        t.idle();
    });
}

#[test]
fn a_full_ring_that_is_read_in_time_loses_nothing() {
    trace(|t: &mut Trace| {
        let slot = pushed(t);
        t.hear(std::format!("\r\n+PUSH: 0,30\r\n{}\r\n", "a".repeat(30)));
        t.hear(std::format!("\r\n+PUSH: 0,30\r\n{}\r\n", "b".repeat(30)));
        t.after(150);
        assert_eq!(t.read(slot), "a".repeat(30));
        assert_eq!(t.read(slot), "b".repeat(30));
        t.is(slot, Phase::Open);
        t.idle();
    });
}

/// A reader that takes something at least every 200 ms is slow, and loses nothing.
#[test]
fn a_full_ring_that_is_read_slowly_loses_nothing() {
    trace(|t: &mut Trace| {
        let slot = pushed(t);
        t.hear(std::format!("\r\n+PUSH: 0,30\r\n{}\r\n", "a".repeat(30)));
        t.hear(std::format!("\r\n+PUSH: 0,30\r\n{}\r\n", "b".repeat(30)));
        for _ in 0..3 {
            t.after(150);
            let mut some = [0; 10];
            assert_eq!(t.with(|_, w| w.slots[slot].rx.pop(&mut some)), 10);
            t.pump();
        }
        assert_eq!(t.read(slot), "b".repeat(30));
        t.is(slot, Phase::Open);
        t.idle();
    });
}

#[test]
fn a_header_while_the_channel_is_out_of_step_is_not_trusted() {
    trace(|t: &mut Trace| {
        let slot = pushed(t);
        t.flow(ASKED);
        t.sends("AT+X?\r");
        t.after(3000);
        t.plays("AT+SYNC?\r", "\r\n+PUSH: 0,5\r\nhello\r\n");
        t.is_reset(slot);
        t.hear(SYNCED);
        t.saw(&["Timeout"]);
    });
}

#[test]
fn a_peer_that_closes_ends_a_pushed_socket_behind_its_data() {
    trace(|t: &mut Trace| {
        let slot = pushed(t);
        t.hear("\r\n+PUSH: 0,3\r\nbye\r\n\r\n+CLOSED: 0\r\n");
        t.is(slot, Phase::Eof);
        assert_eq!(t.read(slot), "bye");
        t.plays("AT+CLOSE=0\r", OK);
        t.idle();
    });
}

#[test]
fn a_silent_pushed_socket_is_looked_at() {
    trace(|t: &mut Trace| {
        let slot = pushed(t);
        t.after(60_000);
        t.plays("AT+LOOK=0\r", "\r\n+LOOK: UP\r\n\r\nOK\r\n");
        t.after(60_000);
        t.plays("AT+LOOK=0\r", "\r\n+LOOK: DOWN\r\n\r\nOK\r\n");
        // Its notice may be on its way.
        t.is(slot, Phase::Open);
        t.after(1000);
        t.plays("AT+LOOK=0\r", "\r\n+LOOK: DOWN\r\n\r\nOK\r\n");
        t.is_reset(slot);
    });
}

#[test]
fn a_peer_that_pushed_a_byte_counts_as_one_that_answered() {
    trace(|t: &mut Trace| {
        let (slot, mute) = (pushed(t), t.open());
        t.hear("\r\n+PUSH: 0,1\r\nx\r\n\r\n+CLOSED: 0\r\n\r\n+CLOSED: 1\r\n");
        t.plays("AT+CLOSE=0\r", OK);
        let errors = t.with(|_, w| [slot, mute].map(|slot| w.slots[slot].write_error()));
        let wanted = [SocketError::BrokenPipe, SocketError::ClosedUnanswered];
        assert_eq!(errors, wanted.map(Some));
    });
}
