//! Exchanges of the users' own, and what becomes of them when their futures are dropped.

extern crate std;

use std::boxed::Box;
use std::string::String;
use std::vec::Vec;

use super::super::super::guest::Upload;
use super::super::super::mailbox::ExchangeState;
use super::super::super::time::test_clock;
use super::super::super::world::Link;
use super::harness::*;
use crate::at::{AtatCmd, CommandLine};
use crate::error::{AtError, Code};

fn post<const V: u8>(t: &Trace<V>) -> ExchangeState {
    t.world.borrow().mailbox.post
}

#[test]
fn a_guest_is_served() {
    trace(|t: &mut Trace| {
        let mut guest = t.typed("AT+X?");
        t.waits(&mut guest);
        t.plays("AT+X?\r", "\r\n+X: 1\r\n+X: 2\r\n\r\nOK\r\n");
        assert_eq!(t.ends(&mut guest), Ok(Said("+X: 1\r\n+X: 2".into())));
        t.idle();
        assert_eq!(post(t), ExchangeState::Free);
    });
}

#[test]
fn a_guest_sees_lines_one_by_one() {
    trace(|t: &mut Trace| {
        let mut guest = t.lines("AT+X?");
        t.waits(&mut guest);
        t.plays(
            "AT+X?\r",
            "\r\n+X: 1\r\n\r\n+NOTE: 1\r\n+X: 2\r\n\r\nOK\r\n",
        );
        assert_eq!(
            t.ends(&mut guest),
            Ok(["+X: 1".into(), "+X: 2".into()].into())
        );
    });
}

#[test]
fn a_guest_sees_a_long_line_in_pieces() {
    trace(|t: &mut Trace| {
        let at = t.at();
        let mut guest: Guest<Result<usize, AtError>> = Box::pin(async move {
            let mut seen = Vec::new();
            at.pieces(&Typed("AT+X?"), &mut |piece| seen.push(piece.len()))
                .await?;
            assert_eq!(seen, [256, 256, 88]);
            Ok(seen.len())
        });
        t.waits(&mut guest);
        t.sends("AT+X?\r");
        t.hear(["\r\n", &"x".repeat(600), "\r\n\r\nOK\r\n"].concat());
        assert_eq!(t.ends(&mut guest), Ok(3));
    });
}

#[test]
fn a_refusal_reaches_the_guest() {
    trace(|t: &mut Trace| {
        let mut guest = t.lines("AT+X?");
        t.waits(&mut guest);
        t.plays("AT+X?\r", "\r\n+CME ERROR: 7\r\n");
        assert_eq!(t.ends(&mut guest), Err(AtError::Refused(Code::Cme(7))));
        t.idle();
    });
}

#[test]
fn an_answer_that_does_not_fit_is_refused_and_not_cut() {
    trace(|t: &mut Trace| {
        let mut guest = t.typed("AT+X?");
        t.waits(&mut guest);
        for _ in 0..3 {
            t.hear(["+X: ", &"x".repeat(100), "\r\n"].concat());
        }
        t.hear(OK);
        assert_eq!(t.ends(&mut guest), Err(AtError::TooLong));
    });
}

#[test]
fn a_guest_without_an_answer_need_not_wait_for_the_rescue() {
    trace(|t: &mut Trace| {
        let mut guest = t.lines("AT+X?");
        t.waits(&mut guest);
        t.sends("AT+X?\r");
        t.after(3000);
        assert_eq!(t.ends(&mut guest), Err(AtError::Timeout));
        t.plays("AT+SYNC?\r", "\r\n+X: 1\r\n\r\nOK\r\n");
        // Nobody else gets the channel before.
        let mut next = t.lines("AT+Y?");
        t.waits(&mut next);
        t.silent();
        t.hear(SYNCED);
        t.waits(&mut next);
        t.plays("AT+Y?\r", OK);
        assert_eq!(t.ends(&mut next), Ok([].into()));
    });
}

#[test]
fn guests_are_served_in_the_order_in_which_they_came() {
    trace(|t: &mut Trace| {
        let (mut first, mut second) = (t.lines("AT+X?"), t.lines("AT+Y?"));
        t.waits(&mut first);
        t.waits(&mut second);
        t.plays("AT+X?\r", OK);
        t.waits(&mut second);
        assert_eq!(t.ends(&mut first), Ok([].into()));
        drop(first);
        t.waits(&mut second);
        t.plays("AT+Y?\r", OK);
        assert_eq!(t.ends(&mut second), Ok([].into()));
    });
}

/// The guest is dropped at the end of `begin`; the modem then answers, and the next guest gets its own.
fn dropped(begin: impl Fn(&mut Trace, &mut Guest<Result<Vec<String>, AtError>>)) {
    trace(|t: &mut Trace| {
        let mut guest = t.lines("AT+X?");
        begin(t, &mut guest);
        drop(guest);
        t.pump();
        let asked = t.sent.ends_with(b"AT+X?\r");
        t.sent.clear();
        if asked {
            t.hear("\r\n+X: 2\r\n\r\nOK\r\n");
        }
        let mut next = t.lines("AT+Y?");
        t.waits(&mut next);
        t.plays("AT+Y?\r", "\r\n+Y: 1\r\n\r\nOK\r\n");
        assert_eq!(t.ends(&mut next), Ok(["+Y: 1".into()].into()));
        t.after(10_000);
        t.idle();
        assert_eq!((post(t), t.link()), (ExchangeState::Free, Link::Up));
    });
}

#[test]
fn dropped_before_it_was_polled() {
    dropped(|_, _| {});
}

#[test]
fn dropped_while_another_is_served() {
    trace(|t: &mut Trace| {
        let (mut first, mut second, mut third) =
            (t.lines("AT+X?"), t.lines("AT+Y?"), t.lines("AT+Z?"));
        t.waits(&mut first);
        t.waits(&mut second);
        t.waits(&mut third);
        drop(second);
        t.plays("AT+X?\r", OK);
        assert_eq!(t.ends(&mut first), Ok([].into()));
        drop(first);
        t.waits(&mut third);
        t.sends("AT+Z?\r");
    });
}

#[test]
fn dropped_while_it_wants_the_channel() {
    trace(|t: &mut Trace| {
        t.flow(const { &[noted::<0>("AT+W?")] });
        t.sends("AT+W?\r");
        let mut guest = t.lines("AT+X?");
        t.waits(&mut guest);
        assert_eq!(post(t), ExchangeState::Wanted);
        drop(guest);
        t.hear(OK);
        t.idle();
        assert_eq!(post(t), ExchangeState::Free);
    });
}

#[test]
fn dropped_when_it_is_granted() {
    trace(|t: &mut Trace| {
        let mut guest = t.lines("AT+X?");
        assert!(!poll_without_engine(t, &mut guest));
        t.pump();
        assert_eq!(post(t), ExchangeState::Granted);
        drop(guest);
        t.idle();
        assert_eq!(post(t), ExchangeState::Free);
    });
}

/// Polls it, and the engine has not looked yet.
fn poll_without_engine<T>(t: &mut Trace, guest: &mut Guest<T>) -> bool {
    let mut cx = core::task::Context::from_waker(core::task::Waker::noop());
    test_clock::set(t.now);
    guest.as_mut().poll(&mut cx).is_ready()
}

#[test]
fn dropped_while_it_runs() {
    dropped(|t, guest| {
        t.waits(guest);
        assert_eq!(post(t), ExchangeState::Running);
    });
}

#[test]
fn dropped_while_a_line_waits_for_it() {
    dropped(|t, guest| {
        t.waits(guest);
        t.hear("\r\n+X: 1\r\n");
        assert_eq!(post(t), ExchangeState::Line);
    });
}

#[test]
fn dropped_with_its_result_waiting() {
    trace(|t: &mut Trace| {
        let mut guest = t.lines("AT+X?");
        t.waits(&mut guest);
        t.plays("AT+X?\r", OK);
        assert!(matches!(post(t), ExchangeState::Done(_)));
        drop(guest);
        t.idle();
        assert_eq!(post(t), ExchangeState::Free);
    });
}

#[test]
fn a_guest_that_does_not_leave_its_command_loses_the_channel() {
    trace(|t: &mut Trace| {
        let slot = t.open();
        let mut guest = t.lines("AT+X?");
        assert!(!poll_without_engine(t, &mut guest));
        t.pump();
        t.write(slot, "hello");
        t.after(999);
        t.silent();
        t.after(1);
        t.plays("AT+SEND=0,5\r", "\r\n> ");
        t.plays("hello", "\r\nSEND OK\r\n");
        // It gets it again when it asks again.
        t.waits(&mut guest);
        t.plays("AT+X?\r", OK);
        assert_eq!(t.ends(&mut guest), Ok([].into()));
    });
}

#[test]
fn a_guest_that_does_not_fetch_a_line_does_not_get_half_a_listing() {
    trace(|t: &mut Trace| {
        let mut guest = t.lines("AT+X?");
        t.waits(&mut guest);
        t.plays("AT+X?\r", "\r\n+X: 1\r\n+X: 2\r\n\r\nOK\r\n");
        t.after(999);
        t.silent();
        t.after(1);
        t.plays("AT+SYNC?\r", SYNCED);
        assert_eq!(t.ends(&mut guest), Err(AtError::Garbled));
    });
}

#[test]
fn a_guest_that_does_not_fetch_its_result_finds_no_other_guests() {
    trace(|t: &mut Trace| {
        let mut guest = t.lines("AT+X?");
        t.waits(&mut guest);
        t.plays("AT+X?\r", OK);
        t.after(4999);
        let mut next = t.lines("AT+Y?");
        t.waits(&mut next);
        t.silent();
        t.after(1);
        t.waits(&mut next);
        t.plays("AT+Y?\r", OK);
        assert_eq!(t.ends(&mut guest), Err(AtError::Timeout));
        assert_eq!(t.ends(&mut next), Ok([].into()));
    });
}

#[test]
fn a_guest_of_an_earlier_life_is_told_so() {
    trace(|t: &mut Trace| {
        let at = t.at();
        t.hear("\r\nBOOT\r\n");
        t.comes_up();
        let mut guest: Guest<_> = Box::pin(async move { at.send(&Typed("AT+X?")).await });
        assert_eq!(t.ends(&mut guest), Err(AtError::ModemReset));
        t.idle();
        drop(guest);
        assert_eq!(post(t), ExchangeState::Free);
    });
}

#[test]
fn a_restart_is_the_end_of_a_guest() {
    trace(|t: &mut Trace| {
        let mut guest = t.lines("AT+X?");
        t.waits(&mut guest);
        t.plays("AT+X?\r", "\r\nBOOT\r\n");
        assert_eq!(t.ends(&mut guest), Err(AtError::ModemReset));
        drop(guest);
        t.comes_up();
        t.idle();
    });
}

#[test]
fn a_typed_line_is_in_capitals_up_to_its_arguments() {
    trace(|t: &mut Trace| {
        let mut guest = t.raw("at+x=\"abC\"");
        t.waits(&mut guest);
        t.plays("AT+X=\"abC\"\r", "\r\n+X: a\r\n\r\nOK\r\n");
        assert_eq!(t.ends(&mut guest), Ok(["+X: a".into()].into()));
    });
}

#[test]
fn a_typed_line_that_prompts_is_given_up() {
    trace(|t: &mut Trace| {
        let mut guest = t.raw("AT+X");
        t.waits(&mut guest);
        t.plays("AT+X\r", "\r\n> ");
        // It would take the next command for data, so that this modem is brought up anew.
        assert_eq!(t.ends(&mut guest), Err(AtError::Garbled));
        assert_eq!(t.link(), Link::Down);
        t.comes_up();
    });
}

#[test]
fn a_typed_line_that_begins_data_mode_is_left() {
    trace(|t: &mut Trace| {
        let mut guest = t.raw("AT+X");
        t.waits(&mut guest);
        t.plays("AT+X\r", "\r\nCONNECT\r\n");
        assert_eq!(t.ends(&mut guest), Err(AtError::Garbled));
        t.after(1100);
        t.sends("+++");
        t.after(1100);
        t.plays("AT+SYNC?\r", SYNCED);
        t.idle();
    });
}

fn fetch(t: &Trace, most: usize) -> Guest<Result<Option<Vec<u8>>, AtError>> {
    let at = t.at();
    Box::pin(async move {
        let mut buf = [0; 300];
        let count = at.fetch(&Typed("AT+RECV=F"), &mut buf[..most]).await?;
        Ok(count.map(|count| buf[..count].into()))
    })
}

#[test]
fn a_guest_fetches_payload() {
    trace(|t: &mut Trace| {
        let mut guest = fetch(t, 20);
        t.waits(&mut guest);
        t.plays("AT+RECV=F\r", "\r\n+RECV: 6\r\n\r\nOK\r\n\r\n\r\nOK\r\n");
        assert_eq!(t.ends(&mut guest), Ok(Some(b"\r\nOK\r\n".to_vec())));
        let engine = t.engine.borrow();
        assert!(
            engine.answer.iter().all(|&byte| byte == 0),
            "it may be a key"
        );
    });
}

#[test]
fn a_guest_gets_no_more_than_it_has_room_for() {
    trace(|t: &mut Trace| {
        let mut guest = fetch(t, 5);
        t.waits(&mut guest);
        t.plays("AT+RECV=F\r", "\r\n+RECV: 6\r\n");
        t.plays("AT+SYNC?\r", "secret\r\n\r\nOK\r\n");
        t.hear(SYNCED);
        assert_eq!(t.ends(&mut guest), Err(AtError::Garbled));
        t.idle();
    });
}

#[test]
fn a_fetch_without_a_header_brings_nothing() {
    trace(|t: &mut Trace| {
        let mut guest = fetch(t, 5);
        t.waits(&mut guest);
        t.plays("AT+RECV=F\r", OK);
        assert_eq!(t.ends(&mut guest), Ok(None));
    });
}

type Uploads = Guest<Result<Upload<'static, Toy>, AtError>>;

fn upload(t: &Trace, len: usize) -> Uploads {
    let at = t.at();
    Box::pin(async move { at.upload(&Typed("AT+UPL"), len).await })
}

fn write(mut upload: Upload<'static, Toy>, bytes: &'static [u8]) -> Uploads {
    Box::pin(async move {
        upload.write(bytes).await?;
        Ok(upload)
    })
}

fn finish(upload: Upload<'static, Toy>) -> Guest<Result<Vec<String>, AtError>> {
    Box::pin(async move {
        let mut lines = Vec::new();
        upload
            .finish(&mut |line| lines.push(String::from_utf8_lossy(line).into()))
            .await?;
        Ok(lines)
    })
}

#[test]
fn a_guest_uploads_behind_connect() {
    trace(|t: &mut Trace| {
        let mut guest = upload(t, 8);
        t.waits(&mut guest);
        t.plays("AT+UPL\r", "\r\nCONNECT\r\n");
        let open = t.ends(&mut guest).unwrap_or_else(|error| panic!("{error}"));
        let mut guest = write(open, b"\r\nOK\r\n");
        let open = t.ends(&mut guest).unwrap_or_else(|error| panic!("{error}"));
        t.sends("\r\nOK\r\n");
        let open = t
            .ends(&mut write(open, b"ab"))
            .unwrap_or_else(|error| panic!("{error}"));
        t.plays("ab", "\r\n+UPL: 8\r\n\r\nOK\r\n");
        assert_eq!(t.ends(&mut finish(open)), Ok(["+UPL: 8".into()].into()));
        t.idle();
    });
}

#[test]
fn more_than_was_announced_is_not_uploaded() {
    trace(|t: &mut Trace| {
        let mut guest = upload(t, 2);
        t.waits(&mut guest);
        t.plays("AT+UPL\r", "\r\nCONNECT\r\n");
        let open = t.ends(&mut guest).unwrap_or_else(|error| panic!("{error}"));
        let end = t.ends(&mut write(open, b"abc"));
        assert_eq!(end.err(), Some(AtError::Garbled));
        // What was announced is completed, and then removed.
        t.plays("\n\n", OK);
        t.plays("AT+CLEAN\r", OK);
        t.idle();
    });
}

#[test]
fn an_upload_that_is_dropped_is_completed_and_removed() {
    trace(|t: &mut Trace| {
        let mut guest = upload(t, 8);
        t.waits(&mut guest);
        t.plays("AT+UPL\r", "\r\nCONNECT\r\n");
        let open = t.ends(&mut guest).unwrap_or_else(|error| panic!("{error}"));
        let open = t
            .ends(&mut write(open, b"abc"))
            .unwrap_or_else(|error| panic!("{error}"));
        t.sends("abc");
        drop(open);
        t.plays("\n\n\n\n\n", OK);
        t.plays("AT+CLEAN\r", OK);
        // What removed it lies where a key was, and zeros behind it.
        assert!(
            t.engine.borrow().out["AT+CLEAN\r".len()..]
                .iter()
                .all(|&byte| byte == 0)
        );
        t.idle();
    });
}

#[test]
fn an_upload_that_is_dropped_before_connect_is_completed_all_the_same() {
    trace(|t: &mut Trace| {
        let mut guest = upload(t, 3);
        t.waits(&mut guest);
        t.sends("AT+UPL\r");
        drop(guest);
        t.silent();
        t.hear("\r\nCONNECT\r\n");
        t.plays("\n\n\n", OK);
        t.plays("AT+CLEAN\r", OK);
        t.idle();
    });
}

/// A command that ends with an open quote.
struct Quote;

impl AtatCmd for Quote {
    type Response = Said;
    const MAX_TIMEOUT_MS: u32 = 3000;

    fn write(&self, buf: &mut [u8]) -> usize {
        CommandLine::new(buf, "+KEY").int(0).open_quote()
    }

    fn parse(&self, _: Result<&[u8], atat::InternalError<'_>>) -> Result<Said, atat::Error> {
        Ok(Said(String::new()))
    }
}

fn quote(t: &Trace, len: usize) -> Uploads {
    let at = t.at();
    Box::pin(async move { at.quote(&Quote, len).await })
}

#[test]
fn a_guest_uploads_inside_quotes() {
    trace(|t: &mut Trace| {
        let mut guest = quote(t, 8);
        let open = t.ends(&mut guest).unwrap_or_else(|error| panic!("{error}"));
        t.sends("AT+KEY=0,\"");
        // Less than was announced.
        let open = t
            .ends(&mut write(open, b"secret"))
            .unwrap_or_else(|error| panic!("{error}"));
        t.sends("secret");
        let mut end = finish(open);
        t.waits(&mut end);
        t.plays("\"\r", OK);
        assert_eq!(t.ends(&mut end), Ok([].into()));
        t.idle();
    });
}

#[test]
fn an_open_quote_that_is_dropped_is_left_without_storing_anything() {
    trace(|t: &mut Trace| {
        let open = t
            .ends(&mut quote(t, 8))
            .unwrap_or_else(|error| panic!("{error}"));
        let open = t
            .ends(&mut write(open, b"sec"))
            .unwrap_or_else(|error| panic!("{error}"));
        t.sends("AT+KEY=0,\"sec");
        drop(open);
        t.sends(["\x08".repeat(4096).as_str(), "\"\x08\r"].concat());
        t.after(100);
        t.plays("AT+SYNC?\r", SYNCED);
        t.plays("AT+CLEAN\r", OK);
        t.idle();
    });
}

#[test]
fn exchanges_that_belong_together_are_not_interrupted() {
    trace(|t: &mut Trace| {
        let slot = t.open();
        let at = t.at();
        let mut wait: Guest<_> = Box::pin(async move { at.exclusive().await });
        let together = t.ends(&mut wait);
        t.write(slot, "hello");
        t.after(5000);
        t.silent();
        let mut guest = t.lines("AT+X?");
        t.waits(&mut guest);
        t.plays("AT+X?\r", OK);
        assert_eq!(t.ends(&mut guest), Ok([].into()));
        drop(guest);
        let mut other: Guest<_> = Box::pin(async move { at.exclusive().await });
        t.waits(&mut other);
        t.silent();
        t.silent();
        drop(together);
        // The others' work goes on only once nobody has the channel for itself.
        let together = t.ends(&mut other);
        drop(together);
        t.sends("AT+SEND=0,5\r");
    });
}

#[test]
fn flows_and_guests_take_turns() {
    trace(|t: &mut Trace| {
        let slot = t.open();
        let (mut first, mut second) = (t.lines("AT+X?"), t.lines("AT+Y?"));
        t.flow(const { &[noted::<0>("AT+W?")] });
        t.write(slot, "hello");
        t.flush(slot);
        t.waits(&mut first);
        t.waits(&mut second);
        t.plays("AT+W?\r", OK);
        t.waits(&mut first);
        t.plays("AT+X?\r", OK);
        // Both are there when the engine looks.
        assert!(poll_without_engine(t, &mut first));
        assert!(!poll_without_engine(t, &mut second));
        t.plays("AT+SEND=0,5\r", "\r\n> ");
        t.write(slot, "again");
        t.flush(slot);
        t.plays("hello", "\r\nSEND OK\r\n");
        t.waits(&mut second);
        t.plays("AT+Y?\r", OK);
        t.silent();
        assert_eq!(t.ends(&mut second), Ok([].into()));
        t.sends("AT+SEND=0,5\r");
    });
}

#[test]
fn a_guests_timeout_does_not_reach_the_judge_of_a_pausing_flow() {
    const AGAIN: &[crate::modem::Step<Toy>] = &[noted("AT+W?").then(|toy, w, answer| {
        toy.seen.push(std::format!("{:?}", answer.is_some()));
        w.again(10_000)
    })];
    trace(|t: &mut Trace| {
        t.flow(AGAIN);
        t.plays("AT+W?\r", OK);
        t.saw(&["true"]);
        let mut guest = t.lines("AT+X?");
        t.waits(&mut guest);
        t.sends("AT+X?\r");
        t.after(3000);
        t.plays("AT+SYNC?\r", SYNCED);
        assert_eq!(t.ends(&mut guest), Err(AtError::Timeout));
        t.saw(&[]);
        t.after(6999);
        t.silent();
        t.after(1);
        t.sends("AT+W?\r");
    });
}

#[test]
fn what_may_be_left_behind_is_removed_when_a_guest_asks() {
    trace(|t: &mut Trace| {
        let at = t.at();
        let mut guest: Guest<_> = Box::pin(async move { at.clean_up().await });
        t.waits(&mut guest);
        t.plays("AT+CLEAN\r", "\r\nERROR\r\n");
        assert_eq!(t.ends(&mut guest), Err(AtError::Refused(Code::Plain)));
    });
}
