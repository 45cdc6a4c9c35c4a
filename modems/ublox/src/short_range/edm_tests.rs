extern crate std;

use std::format;
use std::string::String;
use std::vec::Vec;

use proptest::prelude::*;

use sectag::modem::{Framing, Unit};

use super::edm::*;

#[derive(Clone, Debug, PartialEq)]
enum Seen {
    Text(String),
    Data(u8, Vec<u8>),
    /// Data whose frame has not ended.
    Half(u8, Vec<u8>),
    Event(Event),
    Broken,
    Restarted,
}

/// Returns everything that comes out of `edm` for these chunks; `most` bytes of text and data are taken
/// at once.
fn feed<'a, const KEPT: usize>(
    edm: &mut Edm<KEPT>,
    framed: bool,
    chunks: impl IntoIterator<Item = &'a [u8]>,
    most: usize,
) -> Vec<Seen> {
    let mut seen = Vec::new();
    for mut chunk in chunks {
        while let Some(unit) = edm.next(framed, &mut chunk) {
            match unit {
                Unit::Text(part) => {
                    let part = &part[..part.len().min(most)];
                    let text: String = part.iter().map(|&byte| char::from(byte)).collect();
                    match seen.last_mut() {
                        Some(Seen::Text(all)) => all.push_str(&text),
                        _ => seen.push(Seen::Text(text)),
                    }
                    edm.consume(&mut chunk, part.len());
                }
                Unit::Begin { channel } => seen.push(Seen::Half(channel, Vec::new())),
                Unit::Data(part) => {
                    let part = &part[..part.len().min(most)];
                    let Some(Seen::Half(_, all)) = seen.last_mut() else {
                        panic!("data of no channel");
                    };
                    all.extend_from_slice(part);
                    edm.consume(&mut chunk, part.len());
                }
                Unit::End => {
                    let Some(Seen::Half(channel, all)) = seen.pop() else {
                        panic!("the end of nothing");
                    };
                    seen.push(Seen::Data(channel, all));
                }
                Unit::Event => {
                    if let Some(event) = Event::parse(edm.event()) {
                        seen.push(Seen::Event(event));
                    }
                }
                Unit::Broken => seen.push(Seen::Broken),
                Unit::Restarted => seen.push(Seen::Restarted),
            }
        }
        assert!(chunk.is_empty());
    }
    seen
}

fn new<const KEPT: usize>() -> Edm<KEPT> {
    Framing::NEW
}

fn decode(framed: bool, bytes: &[u8]) -> Vec<Seen> {
    let whole = feed(&mut new::<512>(), framed, [bytes], usize::MAX);
    assert_eq!(whole, feed(&mut new::<512>(), framed, bytes.chunks(1), 1));
    whole
}

fn hex(text: &str) -> Vec<u8> {
    text.split_whitespace()
        .map(|byte| u8::from_str_radix(byte, 16).unwrap())
        .collect()
}

fn frame(kind: u16, body: &[u8]) -> Vec<u8> {
    let length = (body.len() as u16 + 2).to_be_bytes();
    [&[START], &length[..], &kind.to_be_bytes(), body, &[END]].concat()
}

fn text(text: &str) -> Seen {
    Seen::Text(text.into())
}

fn tcp(remote: &str, local: &str) -> Seen {
    Seen::Event(Event::Connected {
        channel: 5,
        endpoint: Some(Endpoint {
            protocol: Protocol::Tcp,
            remote: remote.parse().unwrap(),
            local: local.parse().unwrap(),
        }),
    })
}

#[test]
fn the_sheets_frames_are_read() {
    for (bytes, seen) in [
        ("AA 00 02 00 71 55", Seen::Event(Event::Started)),
        (
            "AA 00 11 00 45 2B 55 4D 53 54 41 54 3A 31 2C 31 30 30 0D 0A 55",
            text("+UMSTAT:1,100\r\n"),
        ),
        (
            "AA 00 0E 00 41 2B 55 55 44 50 44 3A 33 2C 31 0D 0A 55",
            text("+UUDPD:3,1\r\n"),
        ),
        (
            "AA 00 11 00 11 05 02 00 C0 A8 00 02 13 88 C0 A8 00 01 0F A0 55",
            tcp("192.168.0.2:5000", "192.168.0.1:4000"),
        ),
        (
            "AA 00 29 00 11 05 03 00 FE 80 00 00 00 00 00 00 00 00 00 00 00 00 00 02 13 88 \
             FE 80 00 00 00 00 00 00 00 00 00 00 00 00 00 01 0F A0 55",
            tcp("[fe80::2]:5000", "[fe80::1]:4000"),
        ),
        (
            "AA 00 0D 00 11 03 01 0E 11 BB 33 44 55 66 01 66 55",
            Seen::Event(Event::Connected {
                channel: 3,
                endpoint: None,
            }),
        ),
        (
            "AA 00 03 00 21 03 55",
            Seen::Event(Event::Disconnected { channel: 3 }),
        ),
        (
            "AA 00 05 00 31 03 12 34 55",
            Seen::Data(3, [0x12, 0x34].into()),
        ),
        (
            "AA 00 2E 00 41 0D 0A 2B 55 55 44 50 43 3A 32 2C 32 2C 31 2C 30 2E 30 2E 30 2E 30 \
             2C 30 2C 31 36 32 2E 31 35 39 2E 32 30 30 2E 31 2C 31 32 33 0D 0A 55",
            text("\r\n+UUDPC:2,2,1,0.0.0.0,0,162.159.200.1,123\r\n"),
        ),
    ] {
        for framed in [true, false] {
            assert_eq!(
                decode(framed, &hex(bytes)),
                core::slice::from_ref(&seen),
                "{bytes}"
            );
        }
    }
}

/// Returns all that goes out for `content`, `room` bytes at a time.
fn encode(channel: Option<u8>, content: &[u8], rooms: impl IntoIterator<Item = usize>) -> Vec<u8> {
    let mut edm = Edm::<16>::NEW;
    let mut all = Vec::new();
    let mut done = 0;
    for room in rooms {
        if done == content.len() && !edm.is_open() {
            break;
        }
        let mut into = std::vec![0; room];
        let (head, room) = edm.head(channel, content.len() - done, &mut into);
        let count = room.min(into.len() - head).min(content.len() - done);
        into[head..head + count].copy_from_slice(&content[done..done + count]);
        let total = head + count + edm.tail(count, &mut into[head + count..]);
        assert_eq!(edm.sent(total), count);
        all.extend_from_slice(&into[..total]);
        done += count;
    }
    assert!(done == content.len() && !edm.is_open());
    all
}

#[test]
fn the_sheets_frames_are_written() {
    let rooms = || core::iter::repeat(64);
    for (content, bytes) in [
        (&b"AT\r\n"[..], "AA 00 06 00 44 41 54 0D 0A 55"),
        (b"AT\r", "AA 00 05 00 44 41 54 0D 55"),
        (
            b"AT+UMSTAT=1\r\n",
            "AA 00 0F 00 44 41 54 2B 55 4D 53 54 41 54 3D 31 0D 0A 55",
        ),
    ] {
        assert_eq!(encode(None, content, rooms()), hex(bytes));
    }
    assert_eq!(
        encode(Some(3), &[0x12, 0x34], rooms()),
        hex("AA 00 05 00 36 03 12 34 55")
    );
    let long = encode(Some(3), &[7; 300], rooms());
    assert_eq!(
        (long.len(), &long[..6]),
        (307, &hex("AA 01 2F 00 36 03")[..])
    );
    // Text of more than 200 bytes is cut.
    let cut = encode(None, &[b'x'; 300], rooms());
    let frames = [
        frame(AT_REQUEST, &[b'x'; 200]),
        frame(AT_REQUEST, &[b'x'; 100]),
    ];
    assert_eq!(cut, frames.concat());
}

#[test]
fn what_is_abandoned_begins_anew() {
    let mut edm = Edm::<16>::NEW;
    let mut into = [0; 8];
    assert_eq!(edm.head(None, 5, &mut into), (5, 5));
    assert_eq!((edm.sent(7), edm.is_open()), (2, true));
    edm.restart_out();
    assert!(!edm.is_open());
    assert_eq!(edm.head(Some(9), 2, &mut into), (6, 2));
    assert_eq!(into[..6], hex("AA 00 05 00 36 09"));
}

#[test]
fn answers_are_strung_together_and_data_bypasses_them() {
    let bytes = [
        frame(AT_CONFIRMATION, b"\r\n+UMS"),
        frame(AT_EVENT, b"TAT:1"),
        frame(DATA_EVENT, b"\x03\xaa\x00\x02\x00\x71\x55\r\nOK\r\n"),
        frame(AT_CONFIRMATION, b",100\r\n\r\nOK\r\n"),
    ]
    .concat();
    let data = Seen::Data(3, b"\xaa\x00\x02\x00\x71\x55\r\nOK\r\n".to_vec());
    let seen = [text("\r\n+UMSTAT:1"), data, text(",100\r\n\r\nOK\r\n")];
    assert_eq!(decode(true, &bytes), seen);
}

#[test]
fn unknown_frames_are_skipped_by_their_length_and_may_have_been_anybodys() {
    let bytes = [
        frame(0x0061, b"\xaa\x00\x02\x00\x71"),
        frame(DATA_EVENT, b""),
        frame(DATA_EVENT, b"\x07"),
        frame(AT_EVENT, b""),
        frame(DISCONNECT, b""),
        frame(STARTED, &[0; 100]),
        frame(AT_EVENT, b"OK"),
    ]
    .concat();
    let broken = || Seen::Broken;
    let data = Seen::Data(7, Vec::new());
    let seen = [broken(), broken(), data, broken(), broken(), text("OK")];
    assert_eq!(decode(true, &bytes), seen);
}

#[test]
fn a_frame_behind_noise_is_found() {
    let good = frame(AT_EVENT, b"OK\r\n");
    for noise in [
        &b"x"[..],
        b"\xaa",
        b"\xaa\xaa",
        // Reserved bits, and a length below 2.
        b"\xaa\x10",
        b"\xaa\x00\x01",
        b"\xaa\x00\x00\xaa",
        b"\x55\x55\xaa\xff",
        // Four bytes of noise, without a 55 behind them.
        b"\xaa\x00\x04\x00\x45x",
        b"\xaa\x00\x03\x00\x71",
    ] {
        let seen = decode(true, &[noise, &good].concat());
        assert!(seen.contains(&Seen::Broken), "{noise:?}: {seen:?}");
        assert_eq!(seen.last(), Some(&text("OK\r\n")), "{noise:?}: {seen:?}");
    }
}

#[test]
fn data_of_a_frame_that_ends_wrongly_never_counts() {
    let mut short = frame(DATA_EVENT, b"\x03hello");
    short.remove(7);
    let next = frame(DATA_EVENT, b"\x03world");
    let seen = decode(true, &[short, next].concat());
    let half = Seen::Half(3, b"hllo\x55".to_vec());
    assert_eq!(seen, [half, Seen::Broken, Seen::Data(3, b"world".to_vec())]);
}

#[test]
fn a_false_begin_is_given_up_and_what_it_swallowed_is_read() {
    let swallowed = [
        frame(AT_EVENT, b"+UUDPD:3\r\n"),
        frame(DATA_EVENT, b"\x04abc"),
    ]
    .concat();
    let bytes = [&b"\xaa\x0f\x00\x00\x61"[..], &swallowed, b"\xaa\x00"].concat();
    let mut edm = Edm::<512>::NEW;
    assert_eq!(feed(&mut edm, true, [&bytes[..]], usize::MAX), []);
    assert!(edm.is_inside());
    edm.give_up();
    let seen = feed(&mut edm, true, [&b""[..]], usize::MAX);
    let data = Seen::Data(4, b"abc".to_vec());
    assert_eq!(seen, [Seen::Broken, text("+UUDPD:3\r\n"), data]);
    // The last bytes are the beginning of a frame whose rest comes now.
    let seen = feed(&mut edm, true, [&b"\x02\x00\x71\x55"[..]], usize::MAX);
    assert_eq!(seen, [Seen::Event(Event::Started)]);
    assert!(!edm.is_inside());
}

#[test]
fn bytes_of_a_false_frame_beyond_the_buffer_are_lost_and_the_next_frame_is_read() {
    let mut edm = Edm::<16>::NEW;
    let mut bytes = b"\xaa\x00\x1e\x00\x61".to_vec();
    bytes.extend(frame(AT_EVENT, b"abc"));
    // This frame begins among the kept bytes and does not end there.
    bytes.extend(frame(AT_EVENT, &[b'y'; 13]));
    bytes.extend(frame(AT_EVENT, b"OK"));
    let seen = feed(&mut edm, true, [&bytes[..]], usize::MAX);
    assert_eq!(seen, [Seen::Broken, text("abc"), Seen::Broken, text("OK")]);
}

#[test]
fn a_module_that_starts_is_heard_wherever_it_is() {
    let start = &b"\r\n+STARTUP\r\n"[..];
    assert_eq!(decode(true, start), [Seen::Broken, Seen::Restarted]);
    assert_eq!(
        decode(true, b"\r\n+START\r\n+STARTUP\r\n"),
        [Seen::Broken, Seen::Restarted]
    );
    // The rest of this frame never comes.
    let cut = [&frame(DATA_EVENT, &[3; 40])[..20], start].concat();
    let mut edm = Edm::<16>::NEW;
    let seen = feed(&mut edm, true, [&cut[..]], usize::MAX);
    assert!(matches!(seen[..], [Seen::Half(3, _)]), "{seen:?}");
    edm.give_up();
    let seen = feed(&mut edm, true, [&b""[..]], usize::MAX);
    assert_eq!(seen, [Seen::Broken, Seen::Restarted]);
    // A banner that a peer writes does not count.
    let payload = frame(DATA_EVENT, b"\x03\r\n+STARTUP\r\n");
    assert_eq!(decode(true, &payload), [Seen::Data(3, start.to_vec())]);
}

#[test]
fn before_the_mode_everything_else_is_text() {
    let started = frame(STARTED, b"");
    let ok = b"\r\nOK\r\n";
    let event = Seen::Event(Event::Started);
    let both = [&ok[..], &started].concat();
    assert_eq!(decode(false, &both), [text("\r\nOK\r\n"), event.clone()]);
    let both = [&started[..], ok].concat();
    assert_eq!(decode(false, &both), [event, text("\r\nOK\r\n")]);
    let odd = b"a\xaab\xaa\xaa\x00\x02\x00\x99c";
    let seen: String = odd.iter().map(|&byte| char::from(byte)).collect();
    assert_eq!(decode(false, odd), [Seen::Text(seen)]);
}

#[test]
fn events_of_another_length_than_what_they_say_are_none() {
    let whole = hex("00 11 05 02 00 C0 A8 00 02 13 88 C0 A8 00 01 0F A0");
    assert!(Event::parse(&whole).is_some());
    for len in 0..whole.len() {
        assert_eq!(Event::parse(&whole[..len]), None, "{len}");
    }
    assert_eq!(Event::parse(&[&whole[..], &[0]].concat()), None);
    for text in ["00 21", "00 21 05 00", "00 71 00"] {
        assert_eq!(Event::parse(&hex(text)), None, "{text}");
    }
    assert_eq!(Event::parse(&hex("00 31 05 02 00")), None);
}

#[test]
fn after_a_reset_nothing_is_under_way() {
    let mut edm = Edm::<512>::NEW;
    let half = &frame(AT_EVENT, b"OK")[..6];
    feed(&mut edm, true, [half], usize::MAX);
    edm.reset();
    assert!(!edm.is_inside());
    let seen = feed(&mut edm, true, [&frame(STARTED, b"")[..]], usize::MAX);
    assert_eq!(seen, [Seen::Event(Event::Started)]);
}

fn piece() -> impl Strategy<Value = Vec<u8>> {
    let kinds = prop::sample::select(std::vec![
        CONNECT,
        DISCONNECT,
        DATA_EVENT,
        AT_EVENT,
        AT_CONFIRMATION,
        STARTED,
        0x0061
    ]);
    let body = prop_oneof![
        prop::collection::vec(any::<u8>(), 0..60),
        prop::collection::vec(
            prop::sample::select(&[START, 0, 2, END, b'\r', b'\n'][..]),
            0..30
        ),
    ];
    let whole = (kinds, body).prop_map(|(kind, body)| frame(kind, &body));
    let damaged =
        (whole.clone(), any::<prop::sample::Index>(), 0..3u8).prop_map(|(mut bytes, at, how)| {
            let at = at.index(bytes.len());
            match how {
                0 => drop(bytes.remove(at)),
                1 => bytes[at] ^= 1,
                _ => bytes.truncate(at),
            }
            bytes
        });
    prop_oneof![
        4 => whole,
        2 => damaged,
        1 => Just(BANNER.to_vec()),
        1 => prop::collection::vec(any::<u8>(), 0..9),
        1 => Just(std::vec![START, 0]),
    ]
}

fn cut<'a>(mut rest: &'a [u8], cuts: &[usize]) -> Vec<&'a [u8]> {
    let mut chunks = Vec::new();
    for &cut in cuts.iter().cycle() {
        if rest.is_empty() {
            break;
        }
        let (chunk, behind) = rest.split_at(cut.min(rest.len()));
        chunks.push(chunk);
        rest = behind;
    }
    chunks
}

fn chunking<const KEPT: usize>(
    framed: bool,
    bytes: &[u8],
    cuts: &[usize],
    most: usize,
) -> Result<(), TestCaseError> {
    let finish = |edm: &mut Edm<KEPT>, mut seen: Vec<Seen>| {
        for _ in 0..=bytes.len() {
            edm.give_up();
            seen.push(text("given up"));
            seen.extend(feed(edm, framed, [&b""[..]], most));
        }
        (seen, edm.is_inside())
    };
    let mut edm = Edm::<KEPT>::NEW;
    let whole = feed(&mut edm, framed, [bytes], usize::MAX);
    let whole = finish(&mut edm, whole);
    prop_assert!(
        !whole.1,
        "given up as often as there are bytes, it is still in a frame"
    );
    let mut edm = Edm::<KEPT>::NEW;
    let parts = feed(&mut edm, framed, cut(bytes, cuts), most);
    prop_assert_eq!(&whole, &finish(&mut edm, parts));
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn chunk_boundaries_never_change_the_events(
        pieces in prop::collection::vec(piece(), 0..12),
        cuts in prop::collection::vec(1usize..40, 1..20),
        framed in any::<bool>(),
        most in 1usize..50,
    ) {
        let bytes = pieces.concat();
        chunking::<512>(framed, &bytes, &cuts, most)?;
        chunking::<16>(framed, &bytes, &cuts, most)?;
    }

    #[test]
    fn what_was_encoded_is_decoded(
        contents in prop::collection::vec(
            (prop::option::of(any::<u8>()), prop::collection::vec(any::<u8>(), 1..700)), 1..6),
        rooms in prop::collection::vec(1usize..90, 1..20),
        cuts in prop::collection::vec(1usize..90, 1..20),
    ) {
        let mut wire = Vec::new();
        let mut expected = Vec::new();
        for (channel, content) in &contents {
            let mut bytes = encode(*channel, content, rooms.iter().copied().cycle());
            // The host's frames are turned into frames of the module.
            let mut at = 0;
            while at < bytes.len() {
                bytes[at + 4] = if channel.is_some() { 0x31 } else { 0x45 };
                let length = usize::from(bytes[at + 1]) << 8 | usize::from(bytes[at + 2]);
                prop_assert!(channel.is_some() || length <= 202);
                at += length + 4;
            }
            prop_assert_eq!(at, bytes.len());
            wire.extend(bytes);
            let text: String = content.iter().map(|&byte| char::from(byte)).collect();
            match (channel, expected.last_mut()) {
                (Some(channel), _) => expected.push(Seen::Data(*channel, content.clone())),
                (None, Some(Seen::Text(all))) => all.push_str(&text),
                (None, _) => expected.push(Seen::Text(text)),
            }
        }
        for framed in [true, false] {
            prop_assert_eq!(&feed(&mut new::<16>(), framed, cut(&wire, &cuts), usize::MAX), &expected);
        }
    }

    #[test]
    fn a_broken_byte_costs_no_frame_that_is_far_enough_behind(
        damaged in piece(),
        good in prop::collection::vec(prop::collection::vec(any::<u8>(), 1..30), 1..4),
    ) {
        let mut edm = Edm::<512>::NEW;
        feed(&mut edm, true, [&damaged[..]], usize::MAX);
        // A silence ends the frame.
        for _ in 0..damaged.len() {
            edm.give_up();
            feed(&mut edm, true, [&b""[..]], usize::MAX);
        }
        for body in good {
            let body = [&[9][..], &body].concat();
            let seen = feed(&mut edm, true, [&frame(DATA_EVENT, &body)[..]], usize::MAX);
            prop_assert_eq!(seen, [Seen::Data(9, body[1..].to_vec())], "{}", format!("{damaged:?}"));
        }
    }
}
