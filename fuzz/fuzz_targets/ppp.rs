//! A PPP link: no panic on any bytes; what is said stays bounded; the address is there exactly while the link is open;
//! a peer that stops talking is an end.
//!
//! Input: orders. 0: bytes of the line as they are; 1: a frame, with a good checksum; 2: the same, as an answer to the
//! last request; 3: the last packet comes back; 4: time passes; 5: a whole agreement, up to an address; 6: the link is closed; 7: it is begun
//! anew. An order is a byte, its length or number another, and what it takes.
#![no_main]

use libfuzzer_sys::fuzz_target;
use sectag_ppp::{Client, Deframed, Deframer, Framer, Login, Packet, Phase, Wire};

const PROTOCOLS: [u16; 8] = [
    0xC021, 0x8021, 0xC023, 0xC223, 0x0021, 0x0057, 0x80FD, 0x002D,
];

struct Link {
    client: Client,
    reader: Deframer<1508>,
    now: u32,
    last: Option<Packet>,
}

impl Link {
    fn bytes(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            let (count, found) = self.reader.feed(bytes);
            assert!(count > 0 && count <= bytes.len());
            match found {
                Some(Deframed::Frame(frame)) => {
                    if let Some(packet) = self.client.receive(frame, self.now) {
                        assert!(packet.len() <= 1506 && self.client.phase() == Phase::Open);
                    }
                }
                Some(Deframed::NoCarrier) => self.client.lost(),
                None => assert_eq!(count, bytes.len()),
            }
            bytes = &bytes[count..];
            self.drain();
        }
    }

    fn frame(&mut self, protocol: u16, content: &[u8]) {
        let mut framer = Framer::new(Wire::DEFAULT, protocol, content);
        let mut part = [0; 7];
        loop {
            match framer.fill(&mut part) {
                0 => break,
                count => self.bytes(&part[..count]),
            }
        }
    }

    fn drain(&mut self) {
        let mut count = 0;
        while let Some(packet) = self.client.next_out() {
            count += 1;
            assert!(count <= 3, "more than an answer, a request and an echo");
            let content = packet.content();
            let length = usize::from(u16::from_be_bytes([content[2], content[3]]));
            assert!(length == content.len() && length <= 264);
            self.last = Some(packet);
        }
        assert_eq!(
            self.client.network().is_some(),
            self.client.phase() == Phase::Open
        );
        assert!(self.client.phase() != Phase::Dead || self.client.ended().is_some());
    }

    fn pass(&mut self, time: u32) {
        self.now = self.now.wrapping_add(time);
        self.client.tick(self.now);
        self.drain();
    }

    /// Answers the last packet with itself and another code.
    fn back(&mut self, code: Option<u8>) {
        if let Some(packet) = self.last.clone() {
            let mut content = packet.content().to_vec();
            content[0] = code.unwrap_or(content[0]);
            self.frame(packet.protocol(), &content);
        }
    }

    fn agree(&mut self) {
        self.back(Some(2));
        self.frame(0xC021, b"\x01\x01\x00\x0A\x02\x06\0\0\0\0");
        self.back(Some(2));
        self.pass(3_000);
        self.back(Some(3));
        if let Some(packet) = &self.last {
            let id = packet.content()[1];
            let answer = [3, id, 0, 10, 3, 6, 10, 0, 0, 2];
            self.frame(0x8021, &answer);
        }
        self.back(Some(2));
        self.frame(0x8021, b"\x01\x02\x00\x04");
        self.back(Some(2));
    }
}

fuzz_target!(|input: &[u8]| {
    const LOGIN: Login = match Login::new("user", "password") {
        Ok(login) => login,
        Err(_) => panic!("short"),
    };
    let mut link = Link {
        client: Client::new(LOGIN),
        reader: Deframer::new(),
        // Near the wrap, where times are easily compared wrongly.
        now: u32::MAX - 20_000,
        last: None,
    };
    link.client.open(1, link.now);
    link.drain();
    let mut rest = input;
    while let [order, number, more @ ..] = rest {
        rest = more;
        let mut take = |count: usize| {
            let (taken, left) = rest.split_at(count.min(rest.len()));
            rest = left;
            taken
        };
        match order % 8 {
            0 => link.bytes(take(usize::from(*number))),
            1 => {
                let protocol = PROTOCOLS[usize::from(order >> 3) % 8];
                link.frame(protocol, take(usize::from(*number)));
            }
            2 => {
                if let Some(packet) = link.last.clone() {
                    let data = take(usize::from(*number % 64));
                    let header = [order >> 3, packet.content()[1], 0, data.len() as u8 + 4];
                    link.frame(packet.protocol(), &[&header, data].concat());
                }
            }
            3 => link.back((*number < 16).then_some(*number)),
            4 => link.pass(u32::from(*number) * 100),
            5 => link.agree(),
            6 => link.client.close(link.now),
            _ => {
                link.client.open(u32::from(*number), link.now);
                link.drain();
            }
        }
    }
    for _ in 0..100 {
        link.pass(2_000);
    }
    assert_eq!(link.client.phase(), Phase::Dead);
});
