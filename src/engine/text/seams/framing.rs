//! The seam for a modem whose AT text, data and URCs come in frames. The framing is that of `sectag-ublox`, and the
//! dialect is invented.

use super::*;
use crate::engine::mailbox::ExchangeState;
use crate::error::ConnectError;
use crate::modem::{
    Abort, BRING_UP, CLOSE, Final, LOOK, Limits, Line, OPEN, Out, SEND, Step, Then, Urc, Verdict,
    Waits, ask, decide,
};

// The source file of that package is included, because the package depends on this one.
#[path = "../../../../modems/ublox/src/short_range/edm.rs"]
#[expect(unreachable_pub, reason = "it is a part of another package")]
mod edm;

use edm::{Edm, Event};

modem! { Framed { framed: bool = false }
    type Framing = Edm<64>;
    const LIMITS: Limits = Limits { ids: 0, ..super::LIMITS };

    fn line(&mut self, line: &[u8], _: &[u8]) -> Line {
        match line {
            b"OK" => Line::Final(Final::Ok),
            b"ERROR" => Line::Final(Final::Error(crate::Code::Plain)),
            b"+STARTUP" => Line::Urc(Urc::Restarted),
            [b'+', b'U', b'U', ..] => Line::Urc(Urc::Other),
            _ => Line::Info,
        }
    }

    fn script(number: u8) -> &'static [Step<Self>] {
        match number {
            BRING_UP => const { &[
                decide(|modem, w, _| {
                    modem.framed = false;
                    w.restarted = false;
                    w.push_unit = Some(16);
                    Then::Next
                }),
                ask("ATO2").then(|modem, _, _| {
                    modem.framed = true;
                    Then::Next
                }),
                ask("ATE0"),
            ] },
            OPEN => const { &[
                decide(|_, w, _| {
                    w.expect_open();
                    Then::Next
                }),
                ask("AT+UDCP={h}").then(|_, w, answer| match answer {
                    Some(_) => {
                        w.pause = 10_000;
                        Then::Park
                    }
                    None => w.fail(crate::AtError::Refused(w.code)),
                }),
                decide(|_, w, _| match w.open {
                    Some(open) if open.result == 0 => Then::End,
                    _ => w.fail(ConnectError::TimedOut),
                }),
            ] },
            SEND => const { &[decide(|_, w, _| {
                w.verdict = Verdict::Done;
                Then::End
            }).in_frames()] },
            LOOK => const { &[ask("AT+UDCP?").then(|_, w, _| {
                w.verdict = Verdict::Standing;
                Then::End
            })] },
            CLOSE => const { &[ask("AT+UDCPC={i}")] },
            _ => &[],
        }
    }

    fn argument(&self, name: u8, w: &World<'_>, out: &mut Out<'_>) {
        match name {
            b'i' => out.int(w.id.into()),
            _ => out.bytes(b"example.com"),
        }
    }

    fn is_framed(&self) -> bool {
        self.framed
    }

    fn frame(&mut self, w: &mut World<'_>, event: &[u8]) -> Urc {
        match Event::parse(event) {
            Some(Event::Connected { channel, .. }) => {
                w.adopt(channel);
                Urc::Opened { id: channel, result: 0 }
            }
            Some(Event::Disconnected { channel }) => Urc::Closed { id: channel },
            _ => Urc::Other,
        }
    }

    fn abort(waits: Waits) -> Abort {
        match waits {
            Waits::Line | Waits::Prompt => Abort::Synchronise,
            _ => Abort::Restart,
        }
    }
}

/// The silence that shows that a frame has ended.
const QUIET: u32 = 20;

fn frame(kind: u16, body: &[u8]) -> Vec<u8> {
    let length = (body.len() as u16 + 2).to_be_bytes();
    [&[0xaa], &length[..], &kind.to_be_bytes(), body, &[0x55]].concat()
}

fn answer(text: &str) -> Vec<u8> {
    frame(0x45, text.as_bytes())
}

fn data(channel: u8, bytes: &[u8]) -> Vec<u8> {
    frame(0x31, &[&[channel], bytes].concat())
}

fn connected(channel: u8) -> Vec<u8> {
    let ends = [10, 0, 0, 1, 0x22, 0xb3, 10, 0, 0, 2, 0x0f, 0xa0];
    frame(0x11, &[&[channel, 2, 0], &ends[..]].concat())
}

/// Returns the text of the requests that were sent.
fn requests(bench: &mut Bench<Framed>) -> String {
    let mut out = core::mem::take(&mut bench.out);
    let mut text = String::new();
    while !out.is_empty() {
        let length = usize::from(out[1]) << 8 | usize::from(out[2]);
        assert_eq!(
            (out[0], &out[3..5], out[length + 3]),
            (0xaa, &[0, 0x44][..], 0x55)
        );
        text.push_str(core::str::from_utf8(&out[5..length + 3]).unwrap());
        out.drain(..length + 4);
    }
    text
}

/// Returns a bench whose modem is up: first in plain text, then in frames.
fn up() -> Bench<Framed> {
    let mut bench = Bench::new(Framed::NEW);
    bench.run();
    assert_eq!(bench.sent(), "ATO2\r");
    bench.hear(&[&b"\r\nOK\r\n"[..], &frame(0x71, b"")].concat());
    assert_eq!(requests(&mut bench), "ATE0\r");
    bench.hear(&answer("\r\nOK\r\n"));
    assert_eq!(bench.world.link, Link::Up);
    bench
}

fn opened(bench: &mut Bench<Framed>, index: u8, channel: u8) {
    bench.want(index);
    assert_eq!(requests(bench), "AT+UDCP=example.com\r");
    bench.hear(&answer("\r\nOK\r\n"));
    bench.hear(&connected(channel));
    assert_eq!(bench.phase(index.into()), Phase::Open);
}

#[test]
fn data_is_the_sockets_whose_channel_it_came_over() {
    let mut bench = up();
    opened(&mut bench, 0, 9);
    opened(&mut bench, 1, 4);
    bench.hear(
        &[
            data(9, b"nine"),
            data(4, b"\r\nOK\r\n"),
            data(7, b"nobody's"),
            data(9, b"!"),
        ]
        .concat(),
    );
    bench.wait(QUIET);
    assert_eq!(bench.read(0), b"nine!");
    assert_eq!(bench.read(1), b"\r\nOK\r\n");
    assert_eq!(bench.sent(), "");
}

#[test]
fn data_directly_behind_the_event_that_connects_is_kept() {
    let mut bench = up();
    bench.want(0);
    // The answer to the command may come after the frames of connection and data.
    bench.hear(&[connected(5), data(5, b"early")].concat());
    bench.hear(&answer("OK\r\n"));
    assert_eq!(
        (bench.phase(0), bench.read(0)),
        (Phase::Open, b"early".to_vec())
    );
}

/// A silence or another frame shows that what seemed to be the end of a frame was one.
#[test]
fn data_counts_once_its_frame_has_ended() {
    let whole = data(9, b"hello");
    for cut in 0..whole.len() {
        let mut bench = up();
        opened(&mut bench, 0, 9);
        bench.hear(&whole[..cut]);
        assert_eq!(bench.read(0), b"", "{cut}");
        bench.hear(&whole[cut..]);
        assert_eq!(bench.read(0), b"", "{cut}");
        if cut % 2 == 0 {
            bench.wait(QUIET);
        } else {
            bench.hear(&answer("+X: 1\r\n"));
        }
        assert_eq!(bench.read(0), b"hello", "{cut}");
    }
}

#[test]
fn data_behind_whose_end_something_else_than_a_frame_stands_is_none() {
    let mut bench = up();
    opened(&mut bench, 0, 9);
    // Three bytes have got into the frame, and a byte of the data is that of an end.
    let mut altered = data(9, b"hello wUst");
    altered.splice(6..6, *b"xxx");
    bench.hear(&altered);
    bench.wait(QUIET);
    assert!(bench.is_reset(0));
    assert_eq!(bench.read(0), b"");
}

#[test]
fn a_connection_that_nobody_waits_for_is_closed() {
    let mut bench = up();
    bench.hear(&connected(6));
    assert_eq!(requests(&mut bench), "AT+UDCPC=6\r");
    bench.hear(&answer("OK\r\n"));
    assert_eq!((bench.world.stray, bench.sent()), (0, String::new()));
}

#[test]
fn what_is_written_goes_out_as_data_and_waits_for_no_answer() {
    let mut bench = up();
    opened(&mut bench, 1, 9);
    bench.sent();
    bench.write(1, b"AT\r\n+++");
    assert_eq!(bench.out, frame(0x36, b"\x09AT\r\n+++"));
    assert_eq!(bench.world.slots[1].tx.len(), 0);
    // A second send, with a line in between, which is sent after it.
    bench.out.clear();
    bench.write(1, &[b'x'; 64]);
    assert_eq!(bench.out, frame(0x36, &[&[9], &[b'x'; 64][..]].concat()));
    assert_eq!(bench.phase(1), Phase::Open);
}

#[test]
fn notices_and_broken_frames_do_not_cut_a_frame_that_goes_out() {
    for heard in [
        frame(0x41, b"+UUDPD:1\r\n"),
        answer("OK\r\n"),
        b"noise".to_vec(),
    ] {
        let mut bench = up();
        opened(&mut bench, 0, 9);
        bench.sent();
        let slot = &mut bench.world.slots[0];
        slot.tx.push(b"hello");
        slot.flush = true;
        bench.world.changed = true;
        // The first bytes of the frame are sent, and then the modem says something.
        bench.engine.tick(&mut bench.world);
        let mut buf = [0; 8];
        let count = bench.engine.next_out(&mut bench.world, &mut buf);
        bench.out.extend_from_slice(&buf[..count]);
        bench.engine.out_done(&mut bench.world, count);
        bench.hear(&heard);
        let whole = frame(0x36, b"\x09hello");
        assert_eq!(bench.out[..whole.len()], whole);
    }
}

#[test]
fn a_broken_frame_resets_every_connection_and_the_channel_is_synchronised() {
    let mut short = data(9, b"hello");
    short.remove(8);
    for broken in [&short[..], b"x", b"\xaa\x00\x01"] {
        let mut bench = up();
        opened(&mut bench, 0, 9);
        opened(&mut bench, 1, 4);
        bench.hear(&data(4, b"before"));
        bench.wait(QUIET);
        bench.hear(&[broken, &data(9, b"world"), &data(4, b"behind")].concat());
        assert!(bench.is_reset(0) && bench.is_reset(1));
        // Data from before the broken frame may still be read, and none after it.
        assert_eq!(
            (bench.read(0), bench.read(1)),
            (Vec::new(), b"before".to_vec())
        );
        assert_eq!(requests(&mut bench), "AT+S?\r");
        bench.hear(&answer("+S: 1\r\nOK\r\n"));
        bench.wait(1000);
        assert_eq!(requests(&mut bench), "AT+UDCPC=9\r");
        bench.hear(&answer("OK\r\n"));
        assert_eq!(requests(&mut bench), "AT+UDCPC=4\r");
    }
}

#[test]
fn a_frame_that_does_not_go_on_is_broken() {
    let mut bench = up();
    opened(&mut bench, 0, 9);
    bench.hear(&data(9, b"hello")[..8]);
    bench.wait(299);
    assert_eq!(bench.phase(0), Phase::Open);
    bench.wait(2);
    assert!(bench.is_reset(0));
    assert_eq!(requests(&mut bench), "AT+S?\r");
    bench.hear(&answer("+S: 1\r\nOK\r\n"));
    assert_eq!(bench.world.link, Link::Up);
}

#[test]
fn a_full_ring_holds_the_uart_and_then_loses_its_socket_only() {
    let mut bench = up();
    opened(&mut bench, 0, 9);
    opened(&mut bench, 1, 4);
    let bytes = data(9, &[b'x'; 70]);
    let taken = bench.hear(&bytes);
    assert_eq!(taken, 6 + 64);
    // The user reads in time, so all data comes.
    bench.wait(150);
    assert_eq!(bench.phase(0), Phase::Open);
    bench.world.slots[0].rx.discard();
    assert_eq!(bench.hear(&bytes[taken..]), bytes.len() - taken);
    bench.wait(QUIET);
    assert_eq!(bench.read(0).len(), 6);
    // The user does not read.
    let taken = bench.hear(&bytes);
    bench.wait(250);
    assert_eq!(bench.phase(0), Phase::Failed(SocketError::RxOverrun));
    bench.hear(&bytes[taken..]);
    bench.hear(&data(4, b"mine"));
    bench.wait(QUIET);
    assert_eq!(
        (bench.phase(1), bench.read(1)),
        (Phase::Open, b"mine".to_vec())
    );
}

#[test]
fn a_module_that_starts_anew_is_brought_up_in_plain_text() {
    let mut bench = up();
    opened(&mut bench, 0, 9);
    bench.sent();
    bench.says("\r\n+STARTUP\r\n");
    assert!(bench.is_reset(0));
    bench.wait(1);
    assert_eq!(
        bench.sent().replace("\u{aa}\0\u{8}\0DAT+S?\rU", ""),
        "ATO2\r"
    );
    bench.hear(&[&b"\r\nOK\r\n"[..], &frame(0x71, b"")].concat());
    assert_eq!(requests(&mut bench), "ATE0\r");
    bench.hear(&answer("OK\r\n"));
    // A peer that sends the text of the banner has no effect.
    opened(&mut bench, 1, 9);
    bench.hear(&data(9, b"\r\n+STARTUP\r\n"));
    bench.wait(QUIET);
    assert_eq!(
        (bench.phase(1), bench.read(1)),
        (Phase::Open, b"\r\n+STARTUP\r\n".to_vec())
    );
}

#[test]
fn the_peers_end_is_told_behind_its_data() {
    let mut bench = up();
    opened(&mut bench, 0, 9);
    bench.hear(&[data(9, b"bye"), frame(0x21, &[9])].concat());
    assert_eq!(
        (bench.phase(0), bench.read(0)),
        (Phase::Eof, b"bye".to_vec())
    );
    assert_eq!(requests(&mut bench), "AT+UDCPC=9\r");
}

#[test]
fn a_long_command_goes_in_requests_of_at_most_200_bytes() {
    let mut bench = up();
    bench.world.mailbox.post = ExchangeState::Granted;
    bench.begin_guest(&[b'A'; 299], Plan::Lines, 1000);
    assert_eq!(bench.out[..5], [0xaa, 0, 202, 0, 0x44]);
    assert_eq!(bench.out[205..211], [0x55, 0xaa, 0, 102, 0, 0x44]);
    assert_eq!(requests(&mut bench).len(), 300);
}

#[test]
fn a_guest_takes_its_lines_out_of_frames() {
    let mut bench = up();
    bench.world.mailbox.post = ExchangeState::Granted;
    bench.begin_guest(b"AT+X", Plan::Lines, 1000);
    let whole = answer("+X: 1\r\n+X: 2\r\nOK\r\n");
    let mut taken = bench.hear(&whole);
    for line in [&b"+X: 1"[..], b"+X: 2"] {
        assert_eq!(bench.world.mailbox.post, ExchangeState::Line);
        assert_eq!(bench.engine.line_for_guest(), line);
        bench.world.mailbox.post = ExchangeState::Running;
        taken += bench.hear(&whole[taken..]);
    }
    assert!(matches!(
        bench.world.mailbox.post,
        ExchangeState::Done(Ok(_))
    ));
}
