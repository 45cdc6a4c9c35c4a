//! A scripted peer of the PPP client that follows RFC 1661, with its own timers. It does no I/O, so
//! that unit tests of the client can use it as well.

use std::collections::VecDeque;

use embassy_time::Duration;
use md5::{Digest, Md5};

const LCP: u16 = 0xC021;
const PAP: u16 = 0xC023;
const CHAP: u16 = 0xC223;
const IPCP: u16 = 0x8021;
const IPV4: u16 = 0x0021;

/// The script of a peer.
#[derive(Clone, Debug)]
pub struct PppScript {
    /// The login that the peer asks for.
    pub asks: PppAsks,
    /// The accepted password; any user name is accepted with it.
    pub password: String,
    /// The address of the modem; `None` is the modem's own setting.
    pub own: Option<[u8; 4]>,
    /// The address that is assigned to the host.
    pub host: [u8; 4],
    /// Whether the peer sends an empty IPCP request once the link is up, as SARA-R410 does (ppp sheet
    /// B.3).
    pub late_request: bool,
    /// The time after the dial at which the peer restarts LCP, and assigns another address.
    pub restarts_at: Option<Duration>,
    /// The time after the dial at which the peer falls silent.
    pub silent_at: Option<Duration>,
    /// The packets that are lost.
    pub loses: Vec<Lost>,
}

/// A packet that is lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lost {
    /// The host's packet of this index, counted from 0.
    FromHost(usize),
    /// The peer's packet of this index, counted from 0.
    ToHost(usize),
}

impl Default for PppScript {
    fn default() -> Self {
        Self {
            asks: PppAsks::Nothing,
            password: "right".into(),
            own: None,
            host: [10, 0, 2, 15],
            late_request: false,
            restarts_at: None,
            silent_at: None,
            loses: Vec::new(),
        }
    }
}

/// The login that a peer asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PppAsks {
    /// No login.
    Nothing,
    /// PAP: user name and password in clear.
    Pap,
    /// CHAP: the answer to a challenge, by MD5.
    Chap,
    /// EAP first, and then the protocol that the client proposes.
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

/// A scripted peer. Times are in milliseconds since its link began.
pub struct PppPeer {
    /// The login that it asks for.
    pub asks: PppAsks,
    /// The accepted password.
    pub password: String,
    /// The address that it assigns.
    pub host: [u8; 4],
    /// Its own address.
    pub own: [u8; 4],
    /// Whether it answers echoes.
    pub answers_echo: bool,
    /// The number of logins, by PAP or CHAP.
    pub logins: u32,
    /// The number of received echo requests.
    pub echoes: u32,
    /// The received Protocol-Rejects.
    pub refused: Vec<Vec<u8>>,
    /// The received IP packets, whether the link was open or not.
    pub ip: Vec<Vec<u8>>,
    late_request: bool,
    loses: Vec<Lost>,
    /// The numbers of packets of the host, and of the peer.
    counts: [usize; 2],
    ended: bool,
    lcp: Half,
    ipcp: Half,
    let_in: bool,
    challenge_at: Option<u32>,
    out: VecDeque<(u16, Vec<u8>)>,
}

const VALUE: &[u8] = b"0123456789abcdef";

impl PppPeer {
    /// Returns a peer whose link has begun now.
    pub fn new(script: PppScript) -> Self {
        Self {
            asks: script.asks,
            password: script.password,
            host: script.host,
            own: script.own.unwrap_or([10, 0, 0, 1]),
            answers_echo: true,
            logins: 0,
            echoes: 0,
            refused: Vec::new(),
            ip: Vec::new(),
            late_request: script.late_request,
            loses: script.loses,
            counts: [0; 2],
            ended: false,
            lcp: Half::default(),
            ipcp: Half::default(),
            let_in: false,
            challenge_at: None,
            out: VecDeque::new(),
        }
    }

    /// Returns whether the link is open, so that IP packets go both ways.
    pub fn is_open(&self) -> bool {
        self.ipcp.open()
    }

    /// Returns whether the host has ended the link.
    pub fn ended_by_host(&self) -> bool {
        self.ended
    }

    /// Returns the next packet to send: protocol and content.
    pub fn next_out(&mut self) -> Option<(u16, Vec<u8>)> {
        loop {
            let packet = self.out.pop_front()?;
            let at = self.counts[1];
            self.counts[1] += 1;
            if !self.loses.contains(&Lost::ToHost(at)) {
                return Some(packet);
            }
        }
    }

    /// Sends a packet of any kind, for a test.
    pub fn send(&mut self, protocol: u16, content: &[u8]) {
        self.out.push_back((protocol, content.to_vec()));
    }

    fn say(&mut self, protocol: u16, code: u8, id: u8, data: &[u8]) {
        let [high, low] = (data.len() as u16 + 4).to_be_bytes();
        let mut content = vec![code, id, high, low];
        content.extend_from_slice(data);
        self.out.push_back((protocol, content));
    }

    /// Restarts the link, as a modem does that has forgotten everything. The address that it assigns
    /// then ends in `host`.
    pub fn restart(&mut self, host: u8, now: u32) {
        self.host[3] = host;
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
            PppAsks::Nothing => b"",
            PppAsks::Pap => b"\x03\x04\xC0\x23",
            PppAsks::Chap => b"\x03\x05\xC2\x23\x05",
            PppAsks::Eap => b"\x03\x04\xC2\x27",
        });
        self.say(LCP, 1, self.lcp.id, &data);
        self.lcp.at = Some(now + 3000);
    }

    fn ask_ipcp(&mut self, now: u32) {
        let [a, b, c, d] = self.own;
        self.say(IPCP, 1, self.ipcp.id, &[3, 6, a, b, c, d]);
        self.ipcp.at = Some(now + 3000);
    }

    /// Handles timers.
    pub fn tick(&mut self, now: u32) {
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
        let mut data = vec![VALUE.len() as u8];
        data.extend_from_slice(VALUE);
        data.extend_from_slice(b"modem");
        self.say(CHAP, 1, 7, &data);
        self.challenge_at = Some(now + 3000);
    }

    /// Takes a packet of the host.
    ///
    /// # Panics
    /// If the client sends something that no client may send.
    pub fn hear(&mut self, protocol: u16, content: &[u8], now: u32) {
        let at = self.counts[0];
        self.counts[0] += 1;
        if self.loses.contains(&Lost::FromHost(at)) {
            return;
        }
        if protocol == IPV4 {
            self.ip.push(content.to_vec());
            return;
        }
        let control = Control::parse(content).expect("the client sends whole packets");
        match protocol {
            LCP => self.lcp(&control, now),
            PAP if self.lcp.open() => self.pap(&control, now),
            CHAP if self.lcp.open() => self.chap(&control, now),
            IPCP if self.lcp.open() && self.let_in => self.ipcp(&control, now),
            _ => {}
        }
    }

    fn lcp(&mut self, control: &Control<'_>, now: u32) {
        match control.code {
            1 => {
                if self.lcp.open() {
                    self.restart(self.host[3], now);
                } else if self.lcp.at.is_none() {
                    self.ask_lcp(now);
                }
                assert!(are_options(control.data));
                self.say(LCP, 2, control.id, control.data);
                self.lcp.theirs = true;
            }
            2 if control.id == self.lcp.id => self.lcp.ours = true,
            3 if control.id == self.lcp.id => {
                // The client proposes CHAP.
                assert_eq!(control.data, b"\x03\x05\xC2\x23\x05");
                self.asks = PppAsks::Chap;
                self.lcp.id += 1;
                self.ask_lcp(now);
            }
            // A packet that a test has sent may be refused, one of the peer's own may not.
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
                self.say(LCP, 6, control.id, &[]);
            }
            8 => self.refused.push(control.data.to_vec()),
            9 if self.answers_echo => {
                self.echoes += 1;
                self.say(LCP, 10, control.id, b"\x9D\x68\xCC\x8B");
            }
            _ => {}
        }
        if self.lcp.open() && self.lcp.at.take().is_some() {
            match self.asks {
                PppAsks::Chap => self.challenge(now),
                PppAsks::Nothing => self.enter_network(now),
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
        self.say(PAP, if right { 2 } else { 3 }, control.id, b"\0");
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
        self.say(CHAP, if right { 3 } else { 4 }, control.id, b"");
        if right && !self.let_in {
            self.enter_network(now);
        } else if !right {
            self.challenge_at = Some(now + 500);
        }
    }

    fn ipcp(&mut self, control: &Control<'_>, now: u32) {
        let want = [
            &[3, 6][..],
            &self.host,
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
                self.say(IPCP, code, control.id, &want);
            }
            2 if control.id == self.ipcp.id => self.ipcp.ours = true,
            _ => {}
        }
        if self.ipcp.open() {
            self.ipcp.at = None;
            if std::mem::take(&mut self.late_request) {
                self.say(IPCP, 1, 0x63, &[]);
            }
        }
    }
}

/// Code, identifier and data of a control packet.
struct Control<'p> {
    code: u8,
    id: u8,
    data: &'p [u8],
}

impl<'p> Control<'p> {
    /// Parses a packet; `None` if its length field is wrong.
    fn parse(content: &'p [u8]) -> Option<Self> {
        let [code, id, high, low, ref data @ ..] = *content else {
            return None;
        };
        let whole = usize::from(u16::from_be_bytes([high, low])) == content.len();
        whole.then_some(Self { code, id, data })
    }
}

/// Returns whether the data is a sequence of options, each with its kind and total length in front.
fn are_options(mut data: &[u8]) -> bool {
    while let [_, len, ..] = *data {
        if len < 2 || usize::from(len) > data.len() {
            return false;
        }
        data = &data[usize::from(len)..];
    }
    data.is_empty()
}
