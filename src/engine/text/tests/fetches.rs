//! Payload from the modem that was asked for.

extern crate std;

use super::super::super::slot::Phase;
use super::harness::*;
use crate::error::SocketError;

const NOTHING: &str = "\r\n+RECV: 0\r\n\r\nOK\r\n";

/// A socket with a fetch under way.
fn fetching<const V: u8>(t: &mut Trace<V>) -> usize {
    let slot = t.open();
    let id = t.id(slot);
    t.hear(std::format!("\r\n+READY: {id}\r\n"));
    t.sends(std::format!("AT+RECV={id},16\r"));
    slot
}

#[test]
fn data_is_fetched_until_there_is_none() {
    trace(|t: &mut Trace| {
        let slot = fetching(t);
        t.hear("\r\n+RECV: 5\r\nhello\r\n\r\nOK\r\n");
        assert_eq!(t.read(slot), "hello");
        t.plays("AT+RECV=0,16\r", NOTHING);
        t.idle();
    });
}

#[test]
fn payload_is_never_searched() {
    trace(|t: &mut Trace| {
        let slot = fetching(t);
        t.hear("\r\n+RECV: 14\r\n\r\nBOOT\r\n> OK\r\n\r\n\r\nOK\r\n");
        assert_eq!(t.read(slot), "\\r\\nBOOT\\r\\n> OK\\r\\n");
        t.plays("AT+RECV=0,16\r", NOTHING);
        t.is(slot, Phase::Open);
    });
    // A whole result code.
    trace(|t: &mut Trace| {
        let slot = fetching(t);
        t.hear("\r\n+RECV: 10\r\nab\r\nOK\r\ncd\r\n\r\nOK\r\n");
        assert_eq!(t.read(slot), "ab\\r\\nOK\\r\\ncd");
    });
}

#[test]
fn payload_of_an_incomplete_frame_is_not_delivered() {
    trace(|t: &mut Trace| {
        let slot = fetching(t);
        t.hear("\r\n+RECV: 5\r\nhello\r\n");
        assert_eq!(t.read(slot), "");
        t.hear(OK);
        assert_eq!(t.read(slot), "hello");
    });
}

#[test]
fn bytes_behind_payload_cost_the_socket() {
    trace(|t: &mut Trace| {
        let slot = fetching(t);
        t.hear("\r\n+RECV: 4\r\nhello\r\n\r\nOK\r\n");
        t.plays("AT+SYNC?\r", SYNCED);
        assert_eq!(t.read(slot), "");
        t.is_reset(slot);
        t.plays("AT+CLOSE=0\r", OK);
        t.idle();
    });
}

#[test]
fn more_than_was_asked_for_is_not_taken() {
    trace(|t: &mut Trace| {
        let slot = fetching(t);
        t.hear("\r\n+RECV: 17\r\n");
        t.sends("AT+SYNC?\r");
        t.hear("0123456789abcdefg\r\n\r\nOK\r\n");
        t.hear(SYNCED);
        assert_eq!(t.read(slot), "");
        t.is_reset(slot);
    });
}

#[test]
fn a_refusal_behind_payload_costs_the_socket() {
    for behind in [
        "\r\nERROR\r\n",
        "\r\n+X: 1\r\n\r\nOK\r\n",
        "\r\nSEND OK\r\n",
    ] {
        trace(|t: &mut Trace| {
            let slot = fetching(t);
            t.hear(std::format!("\r\n+RECV: 5\r\nhello\r\n{behind}"));
            t.plays("AT+SYNC?\r", SYNCED);
            assert_eq!(t.read(slot), "");
            t.is_reset(slot);
        });
    }
}

#[test]
fn payload_that_stops_coming_is_counted_when_it_goes_on() {
    trace(|t: &mut Trace| {
        let slot = fetching(t);
        t.hear("\r\n+RECV: 10\r\nhe");
        t.after(999);
        t.silent();
        t.after(1);
        t.sends("AT+SYNC?\r");
        // Its rest looks like the answer that is waited for.
        t.hear("+SYNC:OK\r\n\r\nOK\r\n");
        t.silent();
        t.hear(SYNCED);
        assert_eq!(t.read(slot), "");
        t.is_reset(slot);
        t.plays("AT+CLOSE=0\r", OK);
        t.idle();
    });
}

#[test]
fn late_payload_is_counted_and_not_searched() {
    trace(|t: &mut Trace| {
        let slot = fetching(t);
        t.after(3000);
        t.sends("AT+SYNC?\r");
        t.hear("\r\n+RECV: 13\r\n+SYNC: \r\nOK\r\n\r\n\r\nOK\r\n");
        t.silent();
        t.hear(SYNCED);
        assert_eq!(t.read(slot), "");
        t.plays("AT+CLOSE=0\r", OK);
    });
}

#[test]
fn a_fetch_that_was_lost_is_asked_again() {
    trace(|t: &mut Trace<LOSES>| {
        let slot = fetching(t);
        // Notices are no answer.
        t.hear("\r\n+READY: 0\r\n");
        t.after(1499);
        t.silent();
        t.after(1);
        t.plays("AT+SYNC?\r", SYNCED);
        t.plays("AT+RECV=0,16\r", "\r\n+RECV: 5\r\nhello\r\n\r\nOK\r\n");
        assert_eq!(t.read(slot), "hello");
        t.is(slot, Phase::Open);
    });
}

/// The modem had announced data, so the first answer had it, and was lost whole.
#[test]
fn a_fetch_that_is_asked_again_and_finds_no_announced_data_ends_the_connection() {
    trace(|t: &mut Trace<LOSES>| {
        let slot = fetching(t);
        t.after(1500);
        t.plays("AT+SYNC?\r", SYNCED);
        t.plays("AT+RECV=0,16\r", NOTHING);
        t.is_reset(slot);
    });
}

/// A fetch that got all it asked for leaves more behind, or nothing: it is taken for more.
#[test]
fn a_fetch_behind_a_full_one_that_finds_nothing_the_second_time_ends_the_connection() {
    for (first, ends) in [("0123456789abcdef", true), ("hello", false)] {
        trace(|t: &mut Trace<LOSES>| {
            let slot = fetching(t);
            t.hear(std::format!(
                "\r\n+RECV: {}\r\n{first}\r\n\r\nOK\r\n",
                first.len()
            ));
            assert_eq!(t.read(slot), first);
            t.sends("AT+RECV=0,16\r");
            t.after(1500);
            t.plays("AT+SYNC?\r", SYNCED);
            t.plays("AT+RECV=0,16\r", NOTHING);
            if ends {
                t.is_reset(slot);
            } else {
                t.plays("AT+LOOK=0\r", "\r\n+LOOK: UP\r\n\r\nOK\r\n");
                t.is(slot, Phase::Open);
            }
        });
    }
}

#[test]
fn a_fetch_is_asked_again_twice_at_most() {
    trace(|t: &mut Trace<LOSES>| {
        let slot = fetching(t);
        for _ in 0..2 {
            t.after(1500);
            t.plays("AT+SYNC?\r", SYNCED);
            t.sends("AT+RECV=0,16\r");
        }
        t.after(1500);
        t.plays("AT+SYNC?\r", SYNCED);
        t.is_reset(slot);
    });
}

/// What it fetched cannot be told from what a second one would fetch.
#[test]
fn a_fetch_whose_answer_is_late_or_cut_is_not_asked_again() {
    for (early, late) in [
        ("", "\r\n+RECV: 5\r\nhello\r\n\r\nOK\r\n"),
        ("", "\r\nERROR\r\n"),
        ("\r\n+RE", ""),
        ("\r\nhello\r\n", ""),
    ] {
        trace(|t: &mut Trace<LOSES>| {
            let slot = fetching(t);
            t.hear(early);
            t.after(1500);
            t.sends("AT+SYNC?\r");
            t.hear(late);
            t.hear(SYNCED);
            assert_eq!(t.read(slot), "");
            t.is_reset(slot);
        });
    }
}

#[test]
fn line_ends_behind_payload_are_compared_with_the_manual() {
    trace(|t: &mut Trace<FRAMED>| {
        let slot = fetching(t);
        t.hear("\r\n+RECV: 5\r\nhello\r\n\r\nOK\r\n");
        assert_eq!(t.read(slot), "hello");
        t.plays("AT+RECV=0,16\r", "\r\n+RECV: 5\r\nhello\r\n\r\n\r\nOK\r\n");
        t.plays("AT+SYNC?\r", SYNCED);
        assert_eq!(t.read(slot), "");
        t.is_reset(slot);
    });
}

#[test]
fn a_notice_behind_payload_has_line_ends_of_its_own() {
    trace(|t: &mut Trace<FRAMED>| {
        let slot = fetching(t);
        t.hear("\r\n+RECV: 5\r\nhello\r\n\r\n+NOTE: 1\r\n\r\nOK\r\n");
        assert_eq!(t.read(slot), "hello");
        t.plays("AT+RECV=0,16\r", NOTHING);
        t.is(slot, Phase::Open);
    });
}

#[test]
fn a_firmware_that_always_leaves_a_line_end_out_is_understood() {
    trace(|t: &mut Trace<FRAMED>| {
        for _ in 0..2 {
            let slot = fetching(t);
            t.hear("\r\n+RECV: 5\r\nhello\r\nOK\r\n");
            t.plays("AT+SYNC?\r", SYNCED);
            t.is_reset(slot);
            let close = std::format!("AT+CLOSE={}\r", t.id(slot));
            t.plays(&close, OK);
            t.leave(slot);
        }
        let slot = fetching(t);
        t.hear("\r\n+RECV: 5\r\nhello\r\nOK\r\n");
        assert_eq!(t.read(slot), "hello");
    });
}

#[test]
fn noise_does_not_pass_for_a_firmware_that_leaves_a_line_end_out() {
    trace(|t: &mut Trace<FRAMED>| {
        for _ in 0..3 {
            let slot = fetching(t);
            t.hear("\r\n+RECV: 5\r\nhello\r\n\r\nOK\r\n");
            assert_eq!(t.read(slot), "hello");
            let fetch = std::format!("AT+RECV={},16\r", t.id(slot));
            t.plays(&fetch, "\r\n+RECV: 5\r\nhello\r\nOK\r\n");
            t.plays("AT+SYNC?\r", SYNCED);
            assert_eq!(t.read(slot), "");
            let close = std::format!("AT+CLOSE={}\r", t.id(slot));
            t.plays(&close, OK);
            t.leave(slot);
        }
    });
}

#[test]
fn a_notice_behind_payload_takes_effect_with_the_result() {
    trace(|t: &mut Trace| {
        let slot = fetching(t);
        t.hear("\r\n+RECV: 5\r\nhello\r\n\r\n+CLOSED: 0\r\n");
        t.with(|_, w| assert!(!w.slots[slot].peer_closed));
        t.hear(OK);
        t.with(|_, w| assert!(w.slots[slot].peer_closed));
        assert_eq!(t.read(slot), "hello");
        t.plays("AT+RECV=0,16\r", NOTHING);
        t.is(slot, Phase::Eof);
    });
}

#[test]
fn notices_that_are_dropped_have_every_socket_asked() {
    trace(|t: &mut Trace| {
        let slot = fetching(t);
        t.hear("\r\n+RECV: 5\r\nhello\r\n");
        for _ in 0..5 {
            t.hear("\r\n+READY: 0\r\n");
        }
        t.hear(OK);
        t.with(|_, w| assert_eq!((w.counters.dropped, w.slots[slot].check), (1, true)));
        t.plays("AT+RECV=0,16\r", NOTHING);
        t.plays("AT+LOOK=0\r", "\r\n+LOOK: UP\r\n\r\nOK\r\n");
        t.is(slot, Phase::Open);
        t.idle();
    });
}

#[test]
fn what_the_peer_sent_before_it_closed_is_read_first() {
    trace(|t: &mut Trace| {
        let slot = t.open();
        t.hear("\r\n+CLOSED: 0\r\n");
        t.plays("AT+RECV=0,16\r", "\r\n+RECV: 3\r\nbye\r\n\r\nOK\r\n");
        t.plays("AT+RECV=0,16\r", NOTHING);
        t.is(slot, Phase::Eof);
        assert_eq!(t.read(slot), "bye");
        t.plays("AT+CLOSE=0\r", OK);
        t.idle();
    });
}

#[test]
fn a_notice_during_the_fetch_has_it_made_again() {
    trace(|t: &mut Trace| {
        fetching(t);
        t.hear("\r\n+READY: 0\r\n");
        t.hear(NOTHING);
        t.plays("AT+RECV=0,16\r", NOTHING);
        t.idle();
    });
}

#[test]
fn an_answer_without_a_header_is_no_end_of_the_data() {
    trace(|t: &mut Trace| {
        let slot = fetching(t);
        t.hear(OK);
        t.is(slot, Phase::Failed(SocketError::ConnectionReset));
    });
}

#[test]
fn a_full_ring_stops_fetching() {
    trace(|t: &mut Trace| {
        let slot = fetching(t);
        let full = "\r\n+RECV: 16\r\n0123456789abcdef\r\n\r\nOK\r\n";
        t.hear(full);
        t.plays("AT+RECV=0,16\r", full);
        t.after(30_000);
        t.silent();
        assert_eq!(t.read(slot).len(), 32);
        t.sends("AT+RECV=0,16\r");
    });
}

#[test]
fn data_for_one_socket_is_not_read_by_another() {
    trace(|t: &mut Trace| {
        let (first, second) = (t.open(), t.open());
        t.hear("\r\n+READY: 1\r\n");
        t.plays("AT+RECV=1,16\r", "\r\n+RECV: 5\r\nhello\r\n\r\nOK\r\n");
        assert_eq!(t.read(first), "");
        assert_eq!(t.read(second), "hello");
    });
}
