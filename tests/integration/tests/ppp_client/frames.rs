//! Single frames: the ten of the sheet (C.1) on which another client panics, and any others.

use proptest::prelude::*;

use super::*;

/// A frame as the deframer hands it over, from protocol and content.
fn frame(protocol: u16, content: &[u8]) -> Vec<u8> {
    [&[0xFF, 0x03][..], &protocol.to_be_bytes(), content].concat()
}

/// The ten frames of the sheet, in its order; a row there may stand for several.
fn ten() -> Vec<(&'static str, Vec<u8>)> {
    let lcp = |content: &[u8]| frame(protocol::LCP, content);
    let echo = [&[9, 1, 0, 204][..], &[1, 2, 3, 4], &[7; 196]].concat();
    let seven: Vec<u8> = (0..7).flat_map(|kind| [0x40 + kind, 2]).collect();
    let many = [&[1, 1, 0, 18][..], &seven].concat();
    let ipv6 = [&[0x60][..], &[0; 160]].concat();
    vec![
        ("a header alone", vec![0xFF, 0x03]),
        ("a header and a byte", vec![0xFF, 0x03, 0xC0]),
        ("request, length 0", lcp(&[1, 1, 0, 0])),
        ("request, length 3", lcp(&[1, 1, 0, 3])),
        (
            "IPCP request, length 0",
            frame(protocol::IPCP, &[1, 1, 0, 0]),
        ),
        ("reject, length 2", lcp(&[4, 1, 0, 2])),
        ("nak, length 2", lcp(&[3, 1, 0, 2])),
        (
            "an option of 19 bytes",
            lcp(b"\x01\x01\x00\x17\x13\x13\x03abcdefghijklmnop"),
        ),
        ("seven unknown options", lcp(&many)),
        ("option of length 0", lcp(&[1, 1, 0, 6, 5, 0])),
        ("option of length 1", lcp(&[1, 1, 0, 6, 5, 1])),
        ("option longer than the packet", lcp(&[1, 1, 0, 6, 5, 9])),
        (
            "PAP, length with the protocol",
            frame(protocol::PAP, &[2, 1, 0, 6]),
        ),
        ("PAP, one less", frame(protocol::PAP, &[2, 1, 0, 5])),
        ("an echo of 200 bytes", lcp(&echo)),
        ("an IPv6 packet", frame(0x0057, &ipv6)),
    ]
}

#[test]
fn the_ten_frames_are_survived_in_every_phase() {
    for asks in ALL {
        let mut whole = Line::new(asks);
        let up = whole.up_in(1_000, &none);
        for at in (0..=up + 100).step_by(50) {
            for (name, bytes) in ten() {
                let mut line = Line::new(asks);
                line.play(at, &none, |_| false);
                if let Some(packet) = line.client.receive(&bytes, line.now) {
                    panic!("{name} was taken for {packet:?}");
                }
                line.drain_client(&none);
                // An unknown option is refused, and that is a beginning anew; the rest costs nothing.
                line.peer.refused.clear();
                line.play(8_000, &none, |_| false);
                assert_eq!(line.client.ended(), None, "{asks:?} {at} ms: {name}");
                assert_eq!(line.client.phase(), Phase::Open, "{asks:?} {at} ms: {name}");
            }
        }
    }
}

#[test]
fn long_user_name_and_password_fit() {
    const LONG: &str = match core::str::from_utf8(&[b'a'; 64]) {
        Ok(text) => text,
        Err(_) => "",
    };
    let mut line = Line::new(Asks::Pap);
    line.peer.password = LONG.into();
    line.client = Client::new(Login::new(LONG, LONG).unwrap());
    line.client.open(3, 0);
    line.up_in(1_000, &none);
}

#[test]
fn unknown_protocols_are_refused_with_their_number_and_little_more() {
    let mut line = Line::new(Asks::Nothing);
    line.up_in(1_000, &none);
    for protocol in [0x0057, 0x8057, 0x80FD] {
        line.peer.send(protocol, &[0x60; 1000]);
    }
    line.play(500, &none, |_| false);
    let shown: Vec<_> = line
        .peer
        .refused
        .iter()
        .map(|it| (it[0], it[1], it.len()))
        .collect();
    assert_eq!(
        shown,
        [(0x00, 0x57, 66), (0x80, 0x57, 66), (0x80, 0xFD, 66)]
    );
    assert_eq!(line.client.phase(), Phase::Open);
}

#[test]
fn an_echo_comes_back_whole() {
    let mut line = Line::new(Asks::Nothing);
    line.up_in(1_000, &none);
    let echo = [&[9, 1, 0, 204][..], &[1, 2, 3, 4], &[7; 196]].concat();
    line.client.receive(&frame(protocol::LCP, &echo), line.now);
    let reply = line.client.next_out().unwrap();
    assert_eq!(reply.content()[..4], [10, 1, 0, 204]);
    assert_eq!(reply.content()[8..], echo[8..]);
}

#[test]
fn one_bad_frame_among_packets_costs_that_packet() {
    let mut line = Line::new(Asks::Nothing);
    line.up_in(1_000, &none);
    let wire = line.client.wire(protocol::IPV4);
    for bad in 0..50 {
        let mut bytes = Vec::new();
        for number in 0..50_u8 {
            let mut one = framed(wire, protocol::IPV4, &[number; 60]);
            if number == bad {
                let middle = one.len() / 2;
                one[middle] ^= 0x55;
            }
            bytes.extend(one);
        }
        let before = line.ip.len();
        for frame in frames(&mut line.reader, &bytes) {
            if let Some(packet) = line.client.receive(&frame, line.now) {
                line.ip.push(packet.to_vec());
            }
        }
        assert_eq!(line.ip.len() - before, 49);
    }
}

/// A module asks for no escapes, and so they are a hundredth; of a full segment at least 94 % is what was sent.
#[test]
fn little_of_a_full_segment_is_frame() {
    const HEADERS: usize = 40;
    let mut line = Line::new(Asks::Nothing);
    line.up_in(10_000, &|_, _| false);
    let wire = line.client.wire(protocol::IPV4);
    let mut seed = 1_u32;
    let (mut carried, mut plain) = (0, 0);
    for _ in 0..100 {
        let packet: Vec<u8> = core::iter::repeat_with(|| {
            seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (seed >> 24) as u8
        })
        .take(1_500)
        .collect();
        carried += framed(wire, protocol::IPV4, &packet).len();
        plain += packet.len();
    }
    let escapes = carried - plain - 100 * 6;
    assert!(escapes * 100 < plain, "{escapes} escapes in {plain} bytes");
    let sent = plain - 100 * HEADERS;
    assert!(sent * 100 >= carried * 94, "{sent} of {carried}");
}

#[test]
fn the_answer_to_a_dial_and_the_first_frame_may_come_in_one_read() {
    // Sheet E.8, as the reads were there: the rest of CONNECT, line ends, an escaped request.
    let mut reader = Deframer::<1508>::new();
    let mut client = Client::new(Login::NONE);
    client.open(1, 0);
    let request = framed(
        Wire::DEFAULT,
        protocol::LCP,
        b"\x01\x01\x00\x0A\x02\x06\x00\x00\x00\x00",
    );
    let bytes = [b"CT\r\n", &request[..]].concat();
    for cut in 0..=bytes.len() {
        let mut found = frames(&mut reader, &bytes[..cut]);
        found.extend(frames(&mut reader, &bytes[cut..]));
        assert_eq!(found.len(), 1);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn any_frames_are_survived_and_what_is_said_stays_bounded(
        protocols in proptest::collection::vec(0..7_usize, 1..40),
        contents in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..60), 40),
        codes in proptest::collection::vec(0..16_u8, 40),
        sane: bool,
    ) {
        let known = [0xC021, 0x8021, 0xC023, 0xC223, 0x0021, 0x0057, 0x80FD];
        let mut client = Client::new(LOGIN);
        client.open(9, 0);
        // The number of its last request of LCP, which an answer has to have.
        let mut asked = client.next_out().map_or(0, |packet| packet.content()[1]);
        for (at, which) in protocols.into_iter().enumerate() {
            let mut content = contents[at].clone();
            if sane && content.len() >= 4 {
                content[0] = codes[at];
                content[1] = asked;
                content[2] = 0;
                content[3] = content.len() as u8;
            }
            client.receive(&frame(known[which], &content), at as u32 * 700);
            client.tick(at as u32 * 700);
            let mut count = 0;
            while let Some(packet) = client.next_out() {
                count += 1;
                if let (0xC021, [1, id, ..]) = (packet.protocol(), packet.content()) {
                    asked = *id;
                }
                prop_assert!(count <= 3 && packet.content().len() <= 264);
            }
            prop_assert_eq!(client.network().is_some(), client.phase() == Phase::Open);
        }
        // Whatever was said, it comes to an end or asks for echoes.
        let mut now = 100_000;
        for _ in 0..60 {
            client.tick(now);
            while client.next_out().is_some() {}
            now += 2_000;
        }
        prop_assert_eq!(client.phase(), Phase::Dead);
    }
}
