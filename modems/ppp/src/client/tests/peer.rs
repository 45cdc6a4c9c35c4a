//! The other end of a link, as RFC 1661 wants it, with its own timers: what a modem is to the client.

extern crate std;

use std::collections::VecDeque;
use std::vec::Vec;

use md5::{Digest, Md5};

use super::super::packet::{Control, Items, protocol};

/// What the peer wants to know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Asks {
    Nothing,
    Pap,
    Chap,
    /// First for another kind, then for what it is offered instead.
    Eap,
}

#[derive(Clone, Copy, Debug, Default)]
struct Half {
    id: u8,
    ours: bool,
    theirs: bool,
    at: Option<u32>,
}

impl Half {
    fn open(&self) -> bool {
        self.ours && self.theirs
    }
}

/// A peer that gives 10.0.0.`host`.
pub(super) struct Peer {
    pub(super) asks: Asks,
    pub(super) password: &'static str,
    pub(super) host: u8,
    pub(super) answers_echo: bool,
    /// What it was told by PAP or CHAP: how often.
    pub(super) logins: u32,
    pub(super) echoes: u32,
    /// Protocol-Rejects that came.
    pub(super) refused: Vec<Vec<u8>>,
    pub(super) ended: bool,
    pub(super) ip: Vec<Vec<u8>>,
    lcp: Half,
    ipcp: Half,
    let_in: bool,
    challenge_at: Option<u32>,
    out: VecDeque<(u16, Vec<u8>)>,
}

const VALUE: &[u8] = b"0123456789abcdef";

impl Peer {
    pub(super) fn new(asks: Asks) -> Self {
        Self {
            asks,
            password: "right",
            host: 2,
            answers_echo: true,
            logins: 0,
            echoes: 0,
            refused: Vec::new(),
            ended: false,
            ip: Vec::new(),
            lcp: Half::default(),
            ipcp: Half::default(),
            let_in: false,
            challenge_at: None,
            out: VecDeque::new(),
        }
    }

    pub(super) fn is_open(&self) -> bool {
        self.ipcp.open()
    }

    /// What it sends next.
    pub(super) fn next_out(&mut self) -> Option<(u16, Vec<u8>)> {
        self.out.pop_front()
    }

    pub(super) fn send(&mut self, protocol: u16, content: &[u8]) {
        self.out.push_back((protocol, content.to_vec()));
    }

    fn say(&mut self, protocol: u16, code: u8, id: u8, data: &[u8]) {
        let [high, low] = (data.len() as u16 + 4).to_be_bytes();
        let mut content = std::vec![code, id, high, low];
        content.extend_from_slice(data);
        self.out.push_back((protocol, content));
    }

    /// Forgets everything, as a modem does whose link is begun anew, and begins.
    pub(super) fn restart(&mut self, host: u8, now: u32) {
        self.host = host;
        self.let_in = false;
        self.challenge_at = None;
        self.ipcp = Half::default();
        self.lcp = Half {
            id: self.lcp.id.wrapping_add(1),
            ..Half::default()
        };
        self.ask_lcp(now);
    }

    fn ask_lcp(&mut self, now: u32) {
        let mut data = b"\x02\x06\0\0\0\0\x05\x06\x9D\x68\xCC\x8B\x07\x02\x08\x02".to_vec();
        data.extend_from_slice(match self.asks {
            Asks::Nothing => b"",
            Asks::Pap => b"\x03\x04\xC0\x23",
            Asks::Chap => b"\x03\x05\xC2\x23\x05",
            Asks::Eap => b"\x03\x04\xC2\x27",
        });
        self.say(protocol::LCP, 1, self.lcp.id, &data);
        self.lcp.at = Some(now + 3000);
    }

    fn ask_ipcp(&mut self, now: u32) {
        self.say(protocol::IPCP, 1, self.ipcp.id, &[3, 6, 10, 0, 0, 1]);
        self.ipcp.at = Some(now + 3000);
    }

    pub(super) fn tick(&mut self, now: u32) {
        let due = |at: Option<u32>| at.is_some_and(|at| at <= now);
        if due(self.lcp.at) {
            self.lcp.ours = false;
            self.ask_lcp(now);
        }
        if due(self.ipcp.at) {
            self.ipcp.ours = false;
            self.ask_ipcp(now);
        }
        if due(self.challenge_at) {
            self.challenge(now);
        }
    }

    fn challenge(&mut self, now: u32) {
        let mut data = std::vec![VALUE.len() as u8];
        data.extend_from_slice(VALUE);
        data.extend_from_slice(b"modem");
        self.say(protocol::CHAP, 1, 7, &data);
        self.challenge_at = Some(now + 3000);
    }

    pub(super) fn receive(&mut self, frame: &[u8], now: u32) {
        let frame = frame.strip_prefix(&[0xFF, 3]).unwrap_or(frame);
        let (protocol, content) = match *frame {
            [low, ref rest @ ..] if low & 1 == 1 => (u16::from(low), rest),
            [high, low, ref rest @ ..] => (u16::from_be_bytes([high, low]), rest),
            _ => panic!("the client sent half a header"),
        };
        if protocol == protocol::IPV4 {
            self.ip.push(content.to_vec());
            return;
        }
        let control = Control::parse(content).expect("the client sends whole packets");
        assert_eq!(control.data.len() + 4, content.len());
        match protocol {
            protocol::LCP => self.lcp(&control, now),
            protocol::PAP if self.lcp.open() => self.pap(&control, now),
            protocol::CHAP if self.lcp.open() => self.chap(&control, now),
            protocol::IPCP if self.lcp.open() && self.let_in => self.ipcp(&control, now),
            _ => {}
        }
    }

    fn lcp(&mut self, control: &Control<'_>, now: u32) {
        match control.code {
            1 => {
                if self.lcp.open() {
                    self.restart(self.host, now);
                } else if self.lcp.at.is_none() {
                    self.ask_lcp(now);
                }
                assert!(Items::parse(control.data).is_some());
                self.say(protocol::LCP, 2, control.id, control.data);
                self.lcp.theirs = true;
            }
            2 if control.id == self.lcp.id => self.lcp.ours = true,
            3 if control.id == self.lcp.id => {
                // The client would rather have CHAP.
                assert_eq!(control.data, b"\x03\x05\xC2\x23\x05");
                self.asks = Asks::Chap;
                self.lcp.id += 1;
                self.ask_lcp(now);
            }
            // What a test put into the peer's mouth may be refused, what it asks for itself is not.
            4 => assert!(
                !matches!(control.data, [2 | 3 | 5 | 7 | 8, ..]),
                "the client refused {:?}",
                control.data
            ),
            5 => {
                self.ended = true;
                self.lcp = Half::default();
                self.ipcp = Half::default();
                self.challenge_at = None;
                self.say(protocol::LCP, 6, control.id, &[]);
            }
            8 => self.refused.push(control.data.to_vec()),
            9 if self.answers_echo => {
                self.echoes += 1;
                self.say(protocol::LCP, 10, control.id, b"\x9D\x68\xCC\x8B");
            }
            _ => {}
        }
        if self.lcp.open() && self.lcp.at.take().is_some() {
            match self.asks {
                Asks::Chap => self.challenge(now),
                Asks::Nothing => self.enter_network(now),
                _ => {}
            }
        }
    }

    fn enter_network(&mut self, now: u32) {
        self.let_in = true;
        self.ask_ipcp(now);
    }

    fn pap(&mut self, control: &Control<'_>, now: u32) {
        self.logins += 1;
        let right = control.data.ends_with(self.password.as_bytes());
        self.say(protocol::PAP, if right { 2 } else { 3 }, control.id, b"\0");
        if right && !self.let_in {
            self.enter_network(now);
        }
    }

    fn chap(&mut self, control: &Control<'_>, now: u32) {
        if control.code != 2 {
            return;
        }
        self.logins += 1;
        self.challenge_at = None;
        let mut md5 = Md5::new();
        md5.update([control.id]);
        md5.update(self.password.as_bytes());
        md5.update(VALUE);
        let right = control.data[1..17] == md5.finalize()[..];
        self.say(protocol::CHAP, if right { 3 } else { 4 }, control.id, b"");
        if right && !self.let_in {
            self.enter_network(now);
        } else if !right {
            self.challenge_at = Some(now + 500);
        }
    }

    fn ipcp(&mut self, control: &Control<'_>, now: u32) {
        let want = [
            &[3, 6, 10, 0, 0, self.host][..],
            b"\x81\x06\x08\x08\x08\x08\x83\x06\x08\x08\x04\x04",
        ]
        .concat();
        match control.code {
            1 => {
                if self.ipcp.open() {
                    self.ipcp = Half {
                        id: self.ipcp.id + 1,
                        ..Half::default()
                    };
                    self.ask_ipcp(now);
                }
                self.ipcp.theirs = control.data == want;
                let code = if self.ipcp.theirs { 2 } else { 3 };
                self.say(protocol::IPCP, code, control.id, &want);
            }
            2 if control.id == self.ipcp.id => self.ipcp.ours = true,
            _ => {}
        }
        if self.ipcp.open() {
            self.ipcp.at = None;
        }
    }
}
