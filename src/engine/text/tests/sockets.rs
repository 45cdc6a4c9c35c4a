//! Opening and closing, and who is served next.

extern crate std;

use std::boxed::Box;
use std::string::ToString;

use super::super::super::slot::Phase;
use super::super::super::world::Link;
use super::harness::*;
use crate::Tag;
use crate::control::Control;
use crate::error::{AtError, Code, ConnectError};
use crate::modem::Polling;
use crate::tls::{ServerName, TlsConfig};

const NOTHING: &str = "\r\n+RECV: 0\r\n\r\nOK\r\n";

#[test]
fn a_connection_is_opened_when_the_modem_says_so() {
    trace(|t: &mut Trace| {
        let slot = t.want();
        t.plays("AT+OPEN=0\r", OK);
        t.after(5000);
        t.is(slot, Phase::Opening);
        t.hear("\r\n+OPENED: 0,0\r\n");
        t.is(slot, Phase::Open);
        t.idle();
    });
}

#[test]
fn a_result_may_come_before_ok() {
    trace(|t: &mut Trace| {
        let slot = t.want();
        t.plays("AT+OPEN=0\r", "\r\n+OPENED: 0,0\r\n\r\nOK\r\n");
        t.is(slot, Phase::Open);
    });
}

#[test]
fn a_connection_that_is_refused_is_closed() {
    trace(|t: &mut Trace| {
        let slot = t.want();
        t.plays("AT+OPEN=0\r", OK);
        t.hear("\r\n+OPENED: 0,552\r\n");
        t.is_reset(slot);
        let refused = ConnectError::At(AtError::Refused(Code::Cme(552)));
        assert_eq!(t.world.borrow().refusal, refused);
        t.plays("AT+CLOSE=0\r", OK);
        t.idle();
    });
}

/// The URC with the result was lost: what is closed was open, or will not be.
#[test]
fn a_connection_that_is_closed_before_its_result_is_given_up_soon() {
    trace(|t: &mut Trace| {
        let slot = t.want();
        t.plays("AT+OPEN=0\r", OK);
        t.hear("\r\n+CLOSED: 0\r\n");
        t.after(1999);
        t.is(slot, Phase::Opening);
        t.after(1);
        t.is_reset(slot);
        let lost = ConnectError::At(AtError::Garbled);
        assert_eq!(t.world.borrow().refusal, lost);
        t.plays("AT+CLOSE=0\r", OK);
        t.idle();
    });
}

/// The two URCs changed places.
#[test]
fn a_result_behind_the_close_of_its_connection_counts() {
    trace(|t: &mut Trace| {
        let slot = t.want();
        t.plays("AT+OPEN=0\r", OK);
        t.hear("\r\n+CLOSED: 0\r\n");
        t.hear("\r\n+OPENED: 0,552\r\n");
        t.is_reset(slot);
        let refused = ConnectError::At(AtError::Refused(Code::Cme(552)));
        assert_eq!(t.world.borrow().refusal, refused);
    });
}

#[test]
fn a_connection_that_does_not_come_is_given_up() {
    trace(|t: &mut Trace| {
        let slot = t.want();
        t.plays("AT+OPEN=0\r", OK);
        t.after(9999);
        t.is(slot, Phase::Opening);
        t.after(1);
        t.is_reset(slot);
        t.plays("AT+CLOSE=0\r", OK);
        // Its result comes all the same.
        t.hear("\r\n+OPENED: 0,0\r\n");
        t.plays("AT+CLOSE=0\r", OK);
        t.idle();
    });
}

#[test]
fn while_a_connection_is_opened_others_go_on() {
    trace(|t: &mut Trace| {
        let first = t.open();
        let second = t.want();
        t.plays("AT+OPEN=1\r", OK);
        t.write(first, "hello");
        t.flush(first);
        t.plays("AT+SEND=0,5\r", "\r\n> ");
        t.hear("\r\n+OPENED: 1,0\r\n");
        t.is(second, Phase::Opening);
        t.plays("hello", "\r\nSEND OK\r\n");
        t.is(second, Phase::Open);
    });
}

#[test]
fn a_guest_is_served_while_a_connection_is_opened() {
    trace(|t: &mut Trace| {
        let slot = t.want();
        t.plays("AT+OPEN=0\r", OK);
        let mut guest = t.lines("AT+X?");
        t.waits(&mut guest);
        t.sends("AT+X?\r");
        t.hear("\r\n+OPENED: 0,0\r\n");
        t.is(slot, Phase::Opening);
        t.hear(OK);
        assert_eq!(t.ends(&mut guest), Ok([].into()));
        t.is(slot, Phase::Open);
    });
}

#[test]
fn a_connection_whose_result_may_have_been_missed_is_given_up() {
    trace(|t: &mut Trace| {
        let slot = t.want();
        t.plays("AT+OPEN=0\r", OK);
        let mut guest = t.lines("AT+X?");
        t.waits(&mut guest);
        t.sends("AT+X?\r");
        t.after(3000);
        // Nothing is listened to until the answer.
        t.plays("AT+SYNC?\r", "\r\n+OPENED: 0,0\r\n");
        t.hear(SYNCED);
        assert_eq!(t.ends(&mut guest), Err(AtError::Timeout));
        t.is_reset(slot);
        t.plays("AT+CLOSE=0\r", OK);
        t.idle();
    });
}

#[test]
fn a_user_who_goes_away_meanwhile_leaves_nothing_open() {
    trace(|t: &mut Trace| {
        let slot = t.want();
        t.plays("AT+OPEN=0\r", OK);
        t.leave(slot);
        t.plays("AT+CLOSE=0\r", OK);
        t.idle();
        t.is(slot, Phase::Free);
    });
}

#[test]
fn a_late_result_of_an_earlier_connection_opens_none() {
    trace(|t: &mut Trace| {
        let slot = t.want();
        t.sends("AT+OPEN=0\r");
        t.with(|_, w| w.slots[slot].asked = false);
        t.hear("\r\n+OPENED: 0,0\r\n\r\nOK\r\n");
        t.is(slot, Phase::Opening);
    });
}

#[test]
fn a_connection_that_nobody_wants_is_closed() {
    trace(|t: &mut Trace| {
        t.hear("\r\n+OPENED: 3,0\r\n");
        t.plays("AT+CLOSE=3\r", OK);
        t.idle();
    });
}

#[test]
fn the_modem_may_choose_the_id() {
    trace(|t: &mut Trace<CHOOSES>| {
        let slot = t.want();
        t.plays("AT+OPEN\r", "\r\n+OPEN: 7\r\n\r\nOK\r\n");
        t.is(slot, Phase::Open);
        assert_eq!(t.id(slot), 7);
        t.leave(slot);
        t.plays("AT+CLOSE=7\r", OK);
        t.idle();
    });
}

#[test]
fn an_id_that_is_chosen_again_was_lost_by_who_had_it() {
    trace(|t: &mut Trace<CHOOSES>| {
        let first = t.want();
        t.plays("AT+OPEN\r", "\r\n+OPEN: 7\r\n\r\nOK\r\n");
        let second = t.want();
        t.plays("AT+OPEN\r", "\r\n+OPEN: 7\r\n\r\nOK\r\n");
        t.is_reset(first);
        t.is(second, Phase::Open);
        t.hear("\r\n+READY: 7\r\n");
        t.plays("AT+RECV=7,16\r", "\r\n+RECV: 1\r\nx\r\n\r\nOK\r\n");
        assert_eq!((t.read(first), t.read(second)), ("".into(), "x".into()));
    });
}

#[test]
fn ids_are_given_out_in_turn() {
    trace(|t: &mut Trace| {
        for id in [0, 1, 2, 3, 0] {
            let slot = t.open();
            assert_eq!(t.id(slot), id);
            t.leave(slot);
            t.plays(&std::format!("AT+CLOSE={id}\r"), OK);
        }
    });
}

#[test]
fn a_place_is_free_again_only_once_the_close_is_confirmed() {
    trace(|t: &mut Trace| {
        let slot = t.open();
        t.leave(slot);
        t.with(|_, w| assert!(!w.slots[slot].is_free()));
        t.plays("AT+CLOSE=0\r", OK);
        t.with(|_, w| assert!(w.slots[slot].is_free()));
    });
}

#[test]
fn a_close_that_is_not_confirmed_is_tried_three_times() {
    trace(|t: &mut Trace| {
        let slot = t.open();
        t.leave(slot);
        for _ in 0..2 {
            t.plays("AT+CLOSE=0\r", "\r\nERROR\r\n");
            t.after(999);
            t.silent();
            t.after(1);
        }
        t.plays("AT+CLOSE=0\r", "\r\nERROR\r\n");
        assert_eq!(t.link(), Link::Down);
        t.is(slot, Phase::Free);
        t.comes_up();
    });
}

#[test]
fn what_a_user_leaves_behind_is_not_sent() {
    trace(|t: &mut Trace| {
        let slot = t.open();
        t.write(slot, "hello");
        t.leave(slot);
        t.plays("AT+CLOSE=0\r", OK);
        t.after(1000);
        t.idle();
    });
}

#[test]
fn sockets_take_turns() {
    trace(|t: &mut Trace| {
        let (first, second) = (t.open(), t.open());
        t.hold();
        for slot in [first, second] {
            t.write(slot, "0123456701234567");
        }
        t.release();
        for id in [0, 1, 0, 1] {
            t.plays(&std::format!("AT+SEND={id},8\r"), "\r\n> ");
            t.plays("01234567", "\r\nSEND OK\r\n");
        }
        t.idle();
    });
}

#[test]
fn a_missed_notice_costs_time_and_no_data() {
    trace(|t: &mut Trace| {
        let slot = t.open();
        t.after(1999);
        t.silent();
        t.after(1);
        t.plays("AT+RECV=0,16\r", "\r\n+RECV: 5\r\nhello\r\n\r\nOK\r\n");
        assert_eq!(t.read(slot), "hello");
        t.plays("AT+RECV=0,16\r", NOTHING);
        t.idle();
    });
}

#[test]
fn looks_for_data_become_rarer() {
    trace(|t: &mut Trace| {
        t.open();
        t.after(2000);
        // The pause after a vain look is as long as the last, and then twice that.
        for pause in [2000, 4000, 8000, 16_000, 32_000] {
            t.plays("AT+RECV=0,16\r", NOTHING);
            t.after(pause - 1);
            t.silent();
            t.after(1);
        }
    });
}

#[test]
fn a_modem_that_announces_nothing_is_asked_as_often_as_its_backend_says() {
    trace(|t: &mut Trace| {
        t.with(|_, w| {
            w.polling = Some(Polling {
                first: 100,
                longest: 400,
            });
        });
        t.open();
        t.after(100);
        for pause in [100, 200, 400, 400] {
            t.plays("AT+RECV=0,16\r", NOTHING);
            t.after(pause - 1);
            t.silent();
            t.after(1);
        }
        t.plays("AT+RECV=0,16\r", "\r\n+RECV: 1\r\nx\r\n\r\nOK\r\n");
        t.plays("AT+RECV=0,16\r", NOTHING);
        t.after(100);
        t.sends("AT+RECV=0,16\r");
    });
}

#[test]
fn a_close_whose_notice_was_missed_is_found_out() {
    trace(|t: &mut Trace| {
        let slot = t.open();
        t.with(|_, w| w.ask_all());
        t.plays("AT+RECV=0,16\r", NOTHING);
        t.plays("AT+LOOK=0\r", "\r\n+LOOK: DOWN\r\n\r\nOK\r\n");
        t.plays("AT+RECV=0,16\r", NOTHING);
        t.is(slot, Phase::Eof);
        t.plays("AT+CLOSE=0\r", OK);
        t.idle();
    });
}

#[test]
fn notices_of_unknown_sockets_change_nothing() {
    trace(|t: &mut Trace| {
        t.open();
        for id in [1, 2, 31, 32, 255] {
            t.hear(std::format!("\r\n+READY: {id}\r\n\r\n+CLOSED: {id}\r\n"));
        }
        t.hear("\r\n+OPENED: 32,0\r\n");
        t.idle();
    });
}

#[test]
fn a_name_that_the_send_ring_has_no_room_for_is_told_with_the_ring_to_raise() {
    trace(|t: &mut Trace| {
        let control = Control::<'static, Toy> {
            world: t.world,
            engine: t.engine,
            patience: Some(0),
            keeps: false,
        };
        const NAME: &str = concat!(
            "a123456789b123456789c123456789d123456789e123456789.",
            "a123456789b123456789c123456789d123456789e123456789.",
            "a123456789b123456789c123456789d123456789.test"
        );
        let mut guest: Guest<_> = Box::pin(async move {
            let config = TlsConfig::new(Tag(1));
            let connected = control.connect(ServerName::new(NAME)?, 8883, &config).await;
            connected.map(drop)
        });
        let needed = NAME.len();
        let error = ConnectError::SendRingTooSmall { needed };
        assert_eq!(t.ends(&mut guest), Err(error));
        assert!(error.to_string().contains("raise TX"), "{error}");
        // The place is free again.
        t.open();
    });
}
