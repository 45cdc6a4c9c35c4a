//! The PPP client and a peer on a line of 50 ms, in virtual time, through real frames.

mod frames;
#[path = "../ppp/wire.rs"]
mod wire;

use std::collections::VecDeque;
use std::net::Ipv4Addr;

use sectag_integration_tests as _;
use sectag_ppp::{Client, Deframed, Deframer, Ended, Login, Packet, Phase, Wire};
use sectag_simulator::{PppAsks as Asks, PppPeer, PppScript};

use crate::wire::{framed, taken_apart};

mod protocol {
    pub(crate) const IPV4: u16 = 0x0021;
    pub(crate) const IPCP: u16 = 0x8021;
    pub(crate) const LCP: u16 = 0xC021;
    pub(crate) const PAP: u16 = 0xC023;
}

const DELAY: u32 = 50;
const LOGIN: Login = match Login::new("user", "right") {
    Ok(login) => login,
    Err(_) => panic!("short"),
};

/// Which packet is lost, by its place among all of its direction.
type Lost<'l> = &'l dyn Fn(bool, usize) -> bool;

struct Line {
    client: Client,
    reader: Deframer<1508>,
    peer: PppPeer,
    there: Deframer<1508>,
    now: u32,
    up: VecDeque<(u32, Vec<u8>)>,
    down: VecDeque<(u32, Vec<u8>)>,
    sent: [usize; 2],
    ip: Vec<Vec<u8>>,
}

impl Line {
    fn new(asks: Asks) -> Self {
        let mut client = Client::new(LOGIN);
        client.open(0x5852_D9A0, 0);
        Self {
            client,
            reader: Deframer::new(),
            peer: PppPeer::new(PppScript {
                asks,
                host: [10, 0, 0, 2],
                ..PppScript::default()
            }),
            there: Deframer::new(),
            now: 0,
            up: VecDeque::new(),
            down: VecDeque::new(),
            sent: [0; 2],
            ip: Vec::new(),
        }
    }

    /// Plays until `end`, or for `limit`; returns the time.
    fn play(&mut self, limit: u32, lost: Lost<'_>, end: impl Fn(&Self) -> bool) -> u32 {
        let stop = self.now + limit;
        while self.now < stop && !end(self) {
            self.step(lost);
            self.now += 10;
        }
        self.now
    }

    fn up_in(&mut self, limit: u32, lost: Lost<'_>) -> u32 {
        let at = self.play(limit, lost, |line| {
            line.client.phase() == Phase::Open && line.peer.is_open()
        });
        assert!(
            self.client.phase() == Phase::Open && self.peer.is_open(),
            "not up after {at} ms: {:?} {:?}",
            self.client.phase(),
            self.client.ended()
        );
        at
    }

    fn step(&mut self, lost: Lost<'_>) {
        self.client.tick(self.now);
        self.peer.tick(self.now);
        self.drain_client(lost);
        while let Some((protocol, content)) = self.peer.next_out() {
            let dropped = lost(false, self.sent[1]);
            self.sent[1] += 1;
            if !dropped {
                self.down
                    .push_back((self.now + DELAY, framed(Wire::DEFAULT, protocol, &content)));
            }
        }
        while self.up.front().is_some_and(|(at, _)| *at <= self.now) {
            let (_, bytes) = self.up.pop_front().unwrap();
            for frame in frames(&mut self.there, &bytes) {
                let (protocol, content) = taken_apart(&frame);
                self.peer.hear(protocol, content, self.now);
            }
        }
        while self.down.front().is_some_and(|(at, _)| *at <= self.now) {
            let (_, bytes) = self.down.pop_front().unwrap();
            for frame in frames(&mut self.reader, &bytes) {
                if let Some(packet) = self.client.receive(&frame, self.now) {
                    self.ip.push(packet.to_vec());
                }
                self.drain_client(lost);
            }
        }
    }

    fn drain_client(&mut self, lost: Lost<'_>) {
        while let Some(packet) = self.client.next_out() {
            let dropped = lost(true, self.sent[0]);
            self.sent[0] += 1;
            if !dropped {
                let wire = self.client.wire(packet.protocol());
                let bytes = framed(wire, packet.protocol(), packet.content());
                self.up.push_back((self.now + DELAY, bytes));
            }
        }
    }
}

fn frames(reader: &mut Deframer<1508>, mut bytes: &[u8]) -> Vec<Vec<u8>> {
    let mut all = Vec::new();
    while !bytes.is_empty() {
        let (count, found) = reader.feed(bytes);
        if let Some(Deframed::Frame(frame)) = found {
            all.push(frame.to_vec());
        }
        bytes = &bytes[count..];
    }
    all
}

fn none(_: bool, _: usize) -> bool {
    false
}

const ALL: [Asks; 4] = [Asks::Nothing, Asks::Pap, Asks::Chap, Asks::Eap];

#[test]
fn every_kind_of_login_leads_to_an_address_and_name_servers() {
    for asks in ALL {
        let mut line = Line::new(asks);
        line.up_in(1_000, &none);
        let network = line.client.network().unwrap();
        assert_eq!(network.address, Ipv4Addr::new(10, 0, 0, 2));
        assert_eq!(network.peer, Some(Ipv4Addr::new(10, 0, 0, 1)));
        let dns = [Ipv4Addr::new(8, 8, 8, 8), Ipv4Addr::new(8, 8, 4, 4)];
        assert_eq!(network.dns, dns.map(Some));
        assert_eq!(line.peer.logins, u32::from(asks != Asks::Nothing));
        let wire = line.client.wire(protocol::IPV4);
        assert_eq!(
            (wire.map, wire.short_header, wire.short_protocol),
            (0, true, true)
        );
    }
}

#[test]
fn each_packet_of_the_negotiation_may_be_lost_once_and_twice() {
    for asks in ALL {
        let mut line = Line::new(asks);
        let at_best = line.up_in(1_000, &none);
        let packets = line.sent;
        for (of_client, count) in [(true, packets[0]), (false, packets[1])] {
            for which in 0..count {
                for times in [1, 2] {
                    // What is lost, and the next of its direction too: it may be its repetition.
                    let lost = |direction: bool, at: usize| {
                        direction == of_client && (which..which + times).contains(&at)
                    };
                    let mut line = Line::new(asks);
                    let more = line.up_in(20_000, &lost) - at_best;
                    let limit = [4_000, 7_000][times - 1];
                    assert!(
                        more <= limit,
                        "{asks:?} {of_client} {which} {times}: {more} ms"
                    );
                }
            }
        }
    }
}

#[test]
fn a_packet_and_its_repetition_may_be_lost() {
    for asks in ALL {
        let mut line = Line::new(asks);
        let at_best = line.up_in(1_000, &none);
        let packets = line.sent;
        for (of_client, count) in [(true, packets[0]), (false, packets[1])] {
            for which in 0..count {
                // Nothing of this direction gets through from there on for two repetitions.
                let mut line = Line::new(asks);
                let from = core::cell::Cell::new(None);
                let clock = core::cell::Cell::new(0);
                let lost = |direction: bool, at: usize| {
                    if direction == of_client && at == which && from.get().is_none() {
                        from.set(Some(clock.get()));
                    }
                    direction == of_client
                        && from.get().is_some_and(|from| clock.get() < from + 3_500)
                };
                while !(line.client.phase() == Phase::Open && line.peer.is_open()) {
                    assert!(line.now < at_best + 7_500, "{asks:?} {of_client} {which}");
                    line.step(&lost);
                    line.now += 10;
                    clock.set(line.now);
                }
            }
        }
    }
}

#[test]
fn a_line_on_which_nobody_answers_is_an_error_after_30_s() {
    let mut line = Line::new(Asks::Nothing);
    let at = line.play(100_000, &|_, _| true, |line| line.client.ended().is_some());
    assert_eq!(line.client.ended(), Some(Ended::NoAnswer));
    assert!((29_000..=31_000).contains(&at), "{at}");
    // It tells a peer that may be there twice, and is done.
    line.play(10_000, &|_, _| true, |_| false);
    assert_eq!(line.client.phase(), Phase::Dead);
    assert_eq!(line.sent[0], 10 + 2);
    assert_eq!(line.client.tick(line.now), None);
}

#[test]
fn a_peer_that_falls_silent_is_an_error_within_40_s() {
    // Whenever it falls silent between two echoes.
    for since_up in (90_000..100_000).step_by(490) {
        let mut line = Line::new(Asks::Chap);
        line.up_in(1_000, &none);
        line.play(since_up, &none, |_| false);
        assert_eq!(line.client.phase(), Phase::Open);
        assert!((8..=10).contains(&line.peer.echoes), "{}", line.peer.echoes);
        line.peer.answers_echo = false;
        let before = line.now;
        let at = line.play(100_000, &none, |line| line.client.ended().is_some());
        assert_eq!(line.client.ended(), Some(Ended::PeerSilent));
        // A frame that was on its way when the peer fell silent is the last that is heard.
        assert!(at - before <= 40_000 + DELAY, "{}", at - before);
        assert_eq!(line.client.network(), None);
        let told = line.client.ended().unwrap().to_string();
        assert!(told.contains("dial again"), "{told}");
    }
}

#[test]
fn a_refused_login_is_tried_three_times_at_most() {
    for asks in [Asks::Pap, Asks::Chap] {
        let mut line = Line::new(asks);
        line.peer.password = "another".into();
        line.play(40_000, &none, |line| line.client.ended().is_some());
        assert_eq!(line.client.ended(), Some(Ended::LoginRefused), "{asks:?}");
        assert!(line.now <= 10_000, "{asks:?} {}", line.now);
        line.play(20_000, &none, |_| false);
        assert_eq!(line.peer.logins, 3, "{asks:?}");
        assert!(line.peer.ended_by_host());
    }
}

#[test]
fn a_peer_that_hangs_up_after_a_refusal_has_refused() {
    let mut line = Line::new(Asks::Chap);
    line.peer.password = "another".into();
    line.play(10_000, &none, |line| line.peer.logins == 1);
    line.play(200, &none, |_| false);
    line.peer.send(protocol::LCP, b"\x05\x09\x00\x04");
    line.play(200, &none, |_| false);
    assert_eq!(line.client.ended(), Some(Ended::LoginRefused));
    assert_eq!(line.client.phase(), Phase::Dead);
}

#[test]
fn a_peer_that_begins_anew_gives_a_new_address() {
    for asks in ALL {
        let mut line = Line::new(asks);
        line.up_in(1_000, &none);
        line.play(5_000, &none, |_| false);
        line.peer.restart(77, line.now);
        line.play(1_000, &none, |line| line.client.network().is_none());
        assert_eq!(line.client.network(), None, "{asks:?}");
        line.up_in(4_000, &none);
        let address = line.client.network().unwrap().address;
        assert_eq!(address, Ipv4Addr::new(10, 0, 0, 77), "{asks:?}");
    }
}

#[test]
fn a_peer_that_begins_anew_and_then_says_nothing_is_an_error() {
    let mut line = Line::new(Asks::Nothing);
    line.up_in(1_000, &none);
    line.peer.restart(77, line.now);
    line.step(&none);
    let lost = |of_client: bool, _| of_client;
    line.play(70_000, &lost, |line| line.client.ended().is_some());
    assert_eq!(line.client.ended(), Some(Ended::NotAgreed));
    assert_eq!(line.client.network(), None);
}

#[test]
fn a_late_empty_request_for_addresses_costs_nothing() {
    let mut line = Line::new(Asks::Chap);
    line.up_in(1_000, &none);
    let sent = line.sent[0];
    line.peer.send(protocol::IPCP, b"\x01\x63\x00\x04");
    for _ in 0..20 {
        line.step(&none);
        line.now += 10;
        assert_eq!(line.client.phase(), Phase::Open);
    }
    assert_eq!(line.sent[0], sent + 1);
}

#[test]
fn closing_tells_the_peer() {
    let mut line = Line::new(Asks::Nothing);
    line.up_in(1_000, &none);
    line.client.close(line.now);
    line.play(1_000, &none, |line| line.client.phase() == Phase::Dead);
    assert!(line.peer.ended_by_host() && line.client.phase() == Phase::Dead);
    assert_eq!(line.client.ended(), Some(Ended::Closed));
}

#[test]
fn a_peer_that_hangs_up_says_how_far_it_was() {
    let mut line = Line::new(Asks::Nothing);
    line.play(5_000, &none, |line| line.client.phase() == Phase::Network);
    line.peer.send(protocol::IPCP, b"\x05\x01\x00\x04");
    line.play(1_000, &none, |line| line.client.ended().is_some());
    let during = Phase::Network;
    assert_eq!(line.client.ended(), Some(Ended::Terminated { during }));
    assert!(line.client.ended().unwrap().to_string().contains("APN"));
    line.play(1_000, &none, |_| false);
    assert!(line.peer.ended_by_host());
}

#[test]
fn a_line_with_an_echo_is_noticed() {
    let mut client = Client::new(Login::NONE);
    client.open(7, 0);
    let mut packets = 0;
    let mut queue: VecDeque<Packet> = VecDeque::new();
    while client.ended().is_none() {
        while let Some(packet) = client.next_out() {
            packets += 1;
            queue.push_back(packet);
        }
        let packet = queue.pop_front().expect("it goes on until it is noticed");
        let frame = [&packet.protocol().to_be_bytes()[..], packet.content()].concat();
        client.receive(&frame, 0);
        assert!(packets < 40);
    }
    assert_eq!(client.ended(), Some(Ended::Loopback));
}

#[test]
fn a_peer_that_never_agrees_is_given_up() {
    // It turns down whatever is asked, at once and for ever.
    let mut client = Client::new(Login::NONE);
    client.open(7, 0);
    let mut answers = 0;
    while let Some(packet) = client.next_out() {
        let [1, id, ..] = *packet.content() else {
            break;
        };
        answers += 1;
        assert!(answers < 40);
        client.receive(&[0xC0, 0x21, 3, id, 0, 8, 0x11, 4, 1, 2], 0);
    }
    assert_eq!(client.ended(), Some(Ended::NotAgreed));
}

#[test]
fn the_modems_word_that_the_call_ended_counts_at_once() {
    let mut line = Line::new(Asks::Nothing);
    line.up_in(1_000, &none);
    line.client.lost();
    assert_eq!(line.client.ended(), Some(Ended::NoCarrier));
    assert!(line.client.network().is_none() && line.client.next_out().is_none());
}

#[test]
fn packets_go_both_ways_and_only_while_the_link_is_open() {
    let mut line = Line::new(Asks::Pap);
    line.play(120, &none, |_| false);
    assert_ne!(line.client.phase(), Phase::Open);
    line.peer.send(protocol::IPV4, b"early");
    line.up_in(1_000, &none);
    line.peer.send(protocol::IPV4, b"\x45packet");
    line.play(200, &none, |_| false);
    assert_eq!(line.ip, [b"\x45packet"]);
}
