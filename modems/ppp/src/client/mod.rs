//! The client of a PPP link: LCP, a login if the peer asks for one, IPCP (RFC 1661, 1332, 1334, 1877,
//! 1994), and then echoes that show whether the peer is still there.
//!
//! The client is synchronous: it takes frames and the time, and returns packets to send. After each
//! frame that [`Client::receive`] takes, call [`Client::next_out`] until it returns `None`.

mod chap;
mod ended;
mod ipcp;
mod lcp;
mod negotiation;
mod packet;
mod pap;

use core::net::Ipv4Addr;

use crate::hdlc::Wire;
use crate::login::Login;

use self::chap::Response;
pub use self::ended::Ended;
use self::negotiation::{Answered, Negotiation};
pub use self::packet::Packet;
use self::packet::{Control, code, protocol};

/// The time after which a request is repeated, in milliseconds (RFC 1661, 4.6).
const REPEAT_MS: u32 = 3_000;
/// The number of times a request is sent (Max-Configure of RFC 1661, 4.6).
const TRIES: u8 = 10;
/// The number of times a Terminate-Request is sent (Max-Terminate of RFC 1661, 4.6).
const LAST_WORDS: u8 = 2;
/// The time limit of a negotiation, in milliseconds. It also ends one with a peer that answers and
/// never agrees.
const NEGOTIATION_MS: u32 = 60_000;
/// The silence of the peer after which an echo is sent, in milliseconds.
const ECHO_MS: u32 = 10_000;
/// The number of echoes in a row without any frame of the peer after which the peer is given up.
const ECHOES: u8 = 3;
/// The number of refused logins after which the link ends, since another try may lock the account.
const LOGINS: u8 = 3;
/// The longest part of a packet that is sent back when its protocol or code is refused, in bytes. RFC
/// 1661 (5.7) allows no more than the peer can take; only the number matters.
const REFUSED_SHOWN: usize = 64;

/// The phase of a link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Phase {
    /// The link has not begun, or has ended, see [`Client::ended`].
    Dead,
    /// LCP: both sides agree on the link itself.
    Establish,
    /// PAP or CHAP: the peer asks for a login.
    Authenticate,
    /// IPCP: both sides agree on addresses.
    Network,
    /// The link is up: IP packets go both ways.
    Open,
    /// The link is being terminated.
    Closing,
}

/// The addresses that the peer has assigned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Network {
    /// The address of this side.
    pub address: Ipv4Addr,
    /// The address of the peer, if the peer has named it.
    pub peer: Option<Ipv4Addr>,
    /// The name servers, as far as the peer has named any.
    pub dns: [Option<Ipv4Addr>; 2],
}

/// The login protocol that the peer asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Auth {
    None,
    Pap,
    Chap,
}

/// The client of a link. It never asks the peer to log in, and never assigns addresses.
///
/// Times are in milliseconds and wrap. Two calls must not be more than 24 days apart.
#[derive(Debug)]
pub struct Client {
    login: Login,
    phase: Phase,
    ended: Option<Ended>,
    lcp: Negotiation,
    ipcp: Negotiation,
    auth: Auth,
    /// The response to the last challenge.
    response: Option<Response>,
    refusals: u8,
    /// Our magic number, by which a line that echoes everything is noticed.
    magic: u32,
    /// How often our magic number has come back.
    returned: u8,
    /// The map of control characters that we ask for; the peer may have added some.
    map: u32,
    wire: Wire,
    /// The addresses that we ask IPCP for; 0 if the peer is to choose.
    asked: [Ipv4Addr; 3],
    peer: Option<Ipv4Addr>,
    network: Option<Network>,
    /// The peer has sent a frame since the link was begun.
    heard: bool,

    /// The request of this phase is to be sent.
    speak: bool,
    echo: bool,
    /// The answer to the last frame.
    reply: Option<Packet>,
    /// The request is sent before the answer, as RFC 1661 (4.1) requires when the peer restarts a link.
    request_first: bool,

    /// The time at which the request of this phase is repeated, or in phase `Open` the next echo is
    /// sent.
    timer: u32,
    /// How many more times the request may be sent.
    tries: u8,
    /// The time at which the negotiation is given up.
    limit: u32,
    /// The number of echoes since the last frame of the peer.
    unanswered: u8,
    /// The identifier of the last packet that was not an answer.
    number: u8,
}

impl Client {
    /// Returns a link that has not begun.
    pub const fn new(login: Login) -> Self {
        Self {
            login,
            phase: Phase::Dead,
            ended: None,
            lcp: Negotiation::new(),
            ipcp: Negotiation::new(),
            auth: Auth::None,
            response: None,
            refusals: 0,
            magic: 0,
            returned: 0,
            map: 0,
            wire: Wire::DEFAULT,
            asked: [Ipv4Addr::UNSPECIFIED; 3],
            peer: None,
            network: None,
            heard: false,
            speak: false,
            echo: false,
            reply: None,
            request_first: false,
            timer: 0,
            tries: 0,
            limit: 0,
            unanswered: 0,
            number: 0,
        }
    }

    /// Begins the link. `seed` should differ from what the peer chooses, such as a time or a random
    /// number: a line that echoes everything is noticed by it.
    pub fn open(&mut self, seed: u32, now: u32) {
        *self = Self::new(self.login);
        self.magic = seed | 1;
        self.number = seed as u8;
        self.establish(now);
    }

    /// Begins to terminate the link. It has ended when [`phase`](Self::phase) is `Dead`, after 6 s at
    /// the latest.
    pub fn close(&mut self, now: u32) {
        if !matches!(self.phase, Phase::Dead | Phase::Closing) {
            self.end(Ended::Closed, now);
        }
    }

    /// Ends the link at once, because the modem has reported the end of the call. Nothing more is sent.
    pub fn lost(&mut self) {
        self.ended.get_or_insert(Ended::NoCarrier);
        self.dead();
    }

    /// Returns the phase of the link.
    pub fn phase(&self) -> Phase {
        self.phase
    }

    /// Returns the addresses that the peer has assigned; `None` unless the link is open.
    pub fn network(&self) -> Option<Network> {
        self.network
    }

    /// Returns the reason why the link has ended, or is being ended.
    pub fn ended(&self) -> Option<Ended> {
        self.ended
    }

    /// Returns the form in which a frame of this protocol has to be written.
    pub fn wire(&self, protocol: u16) -> Wire {
        if protocol == protocol::LCP {
            Wire::DEFAULT
        } else {
            self.wire
        }
    }

    /// Takes one frame without its checksum. Returns the IP packet in it, if there is one and the link
    /// is open.
    pub fn receive<'f>(&mut self, frame: &'f [u8], now: u32) -> Option<&'f [u8]> {
        let frame = frame.strip_prefix(&[0xFF, 0x03]).unwrap_or(frame);
        let (protocol, content) = match *frame {
            [low, ref content @ ..] if low & 1 == 1 => (u16::from(low), content),
            [high, low, ref content @ ..] => (u16::from_be_bytes([high, low]), content),
            _ => return None,
        };
        if self.phase == Phase::Dead {
            return None;
        }
        self.heard = true;
        self.unanswered = 0;
        if protocol == protocol::IPV4 {
            return (self.phase == Phase::Open).then_some(content);
        }
        if self.phase == Phase::Open {
            // A frame of the peer shows as well as an echo that it is there.
            self.timer = now.wrapping_add(ECHO_MS);
        }
        match protocol {
            protocol::LCP => self.lcp(content, now),
            protocol::PAP if self.phase == Phase::Authenticate => self.pap(content, now),
            protocol::CHAP => self.chap(content, now),
            protocol::IPCP => self.ipcp(content, now),
            protocol::PAP => {}
            _ => self.refuse_protocol(protocol, content),
        }
        None
    }

    /// Handles timers. Returns the time at which to call it again at the latest; `None` if no timer is
    /// running.
    pub fn tick(&mut self, now: u32) -> Option<u32> {
        let negotiates = matches!(
            self.phase,
            Phase::Establish | Phase::Authenticate | Phase::Network
        );
        if self.phase == Phase::Dead {
            return None;
        }
        if negotiates && past(now, self.limit) {
            self.end(Ended::NotAgreed, now);
        } else if past(now, self.timer) {
            self.repeat(now);
        }
        (self.phase != Phase::Dead).then_some(self.timer)
    }

    /// Returns the next packet to send, if there is one.
    pub fn next_out(&mut self) -> Option<Packet> {
        if self.speak && (self.request_first || self.reply.is_none()) {
            self.speak = false;
            self.request_first = false;
            if let Some(request) = self.request() {
                return Some(request);
            }
        }
        if let Some(reply) = self.reply.take() {
            return Some(reply);
        }
        if self.echo {
            self.echo = false;
            return Some(self.echo_request());
        }
        None
    }

    /// Returns the request of this phase, if it can be made yet.
    fn request(&mut self) -> Option<Packet> {
        match self.phase {
            Phase::Establish => Some(self.lcp_request()),
            Phase::Authenticate if self.auth == Auth::Pap => Some(self.pap_request()),
            Phase::Authenticate => self.response.map(|it| it.packet(&self.login)),
            Phase::Network => Some(self.ipcp_request()),
            Phase::Closing => {
                let number = self.number();
                Some(Packet::new(protocol::LCP, code::TERMINATE_REQUEST, number).sealed())
            }
            Phase::Dead | Phase::Open => None,
        }
    }

    /// Handles the timer: repeats the request, sends an echo, or gives up.
    fn repeat(&mut self, now: u32) {
        self.timer = now.wrapping_add(REPEAT_MS);
        if self.phase == Phase::Open {
            if self.unanswered == ECHOES {
                return self.end(Ended::PeerSilent, now);
            }
            self.timer = now.wrapping_add(ECHO_MS);
            self.unanswered += 1;
            self.echo = true;
            return;
        }
        if self.tries == 0 {
            return self.give_up(now);
        }
        self.tries -= 1;
        self.speak = true;
        // The peer's own request did not come. It will ask again, and agree again (RFC 1661, 4.1, state
        // Ack-Rcvd).
        match self.phase {
            Phase::Establish => self.lcp.ours = false,
            Phase::Network => self.ipcp.ours = false,
            _ => {}
        }
    }

    /// Ends the link because a request was repeated in vain.
    fn give_up(&mut self, now: u32) {
        let ended = match self.phase {
            Phase::Closing => return self.dead(),
            Phase::Establish if !self.heard => Ended::NoAnswer,
            Phase::Authenticate if self.refusals > 0 => Ended::LoginRefused,
            Phase::Authenticate => Ended::LoginUnanswered,
            _ => Ended::NotAgreed,
        };
        self.end(ended, now);
    }

    /// Begins LCP, for the first time or because the peer has restarted.
    fn establish(&mut self, now: u32) {
        self.lcp.restart();
        self.auth = Auth::None;
        self.response = None;
        self.wire = Wire::DEFAULT;
        self.network = None;
        self.limit = now.wrapping_add(NEGOTIATION_MS);
        self.enter(Phase::Establish, now);
    }

    /// Goes on after LCP has agreed.
    fn established(&mut self, now: u32) {
        match self.auth {
            Auth::None => self.negotiate_network(now),
            // With CHAP the peer sends first.
            Auth::Chap => {
                self.enter(Phase::Authenticate, now);
                self.speak = false;
            }
            Auth::Pap => self.enter(Phase::Authenticate, now),
        }
    }

    /// Begins IPCP.
    fn negotiate_network(&mut self, now: u32) {
        self.ipcp.restart();
        self.asked = [Ipv4Addr::UNSPECIFIED; 3];
        self.peer = None;
        self.network = None;
        if self.phase == Phase::Open {
            self.limit = now.wrapping_add(NEGOTIATION_MS);
        }
        self.enter(Phase::Network, now);
    }

    fn enter(&mut self, phase: Phase, now: u32) {
        self.phase = phase;
        self.speak = true;
        self.echo = false;
        self.tries = TRIES - 1;
        self.timer = now.wrapping_add(REPEAT_MS);
    }

    /// Ends the link for this reason, and begins to terminate it.
    fn end(&mut self, why: Ended, now: u32) {
        self.ended.get_or_insert(why);
        self.network = None;
        self.reply = None;
        self.enter(Phase::Closing, now);
        self.tries = LAST_WORDS - 1;
    }

    /// Ends the link because the peer has terminated it.
    fn terminated(&mut self) {
        let why = match self.phase {
            // A peer that refuses a login terminates the link afterwards.
            Phase::Authenticate if self.refusals > 0 => Ended::LoginRefused,
            during => Ended::Terminated { during },
        };
        self.ended.get_or_insert(why);
        self.dead();
    }

    fn dead(&mut self) {
        self.phase = Phase::Dead;
        self.network = None;
        self.speak = false;
        self.echo = false;
    }

    fn number(&mut self) -> u8 {
        self.number = self.number.wrapping_add(1);
        self.number
    }

    /// Refuses a protocol that this client does not speak, such as IPv6 or compression. Before LCP has
    /// agreed, such a packet has to be ignored (RFC 1661, 5.7).
    fn refuse_protocol(&mut self, protocol: u16, content: &[u8]) {
        if matches!(self.phase, Phase::Establish | Phase::Closing) {
            return;
        }
        let number = self.number();
        let mut packet = Packet::new(protocol::LCP, code::PROTOCOL_REJECT, number);
        packet.put(&protocol.to_be_bytes());
        packet.put_start(content, REFUSED_SHOWN);
        self.reply = Some(packet.sealed());
    }

    /// Refuses an unknown code.
    fn refuse_code(&mut self, protocol: u16, content: &[u8]) {
        let number = self.number();
        let mut packet = Packet::new(protocol, code::CODE_REJECT, number);
        packet.put_start(content, REFUSED_SHOWN);
        self.reply = Some(packet.sealed());
    }

    /// Acknowledges a Terminate-Request.
    fn acknowledge_end(&mut self, protocol: u16, control: &Control<'_>) {
        let packet = Packet::new(protocol, code::TERMINATE_ACK, control.id);
        self.reply = Some(packet.sealed());
    }

    fn chap(&mut self, content: &[u8], now: u32) {
        let Some(control) = Control::parse(content) else {
            return;
        };
        // A peer may send a challenge at any time (RFC 1994, 2).
        let late = matches!(self.phase, Phase::Network | Phase::Open);
        if self.auth != Auth::Chap || !(late || self.phase == Phase::Authenticate) {
            return;
        }
        let of_ours = self.response.is_some_and(|it| it.is_of(&control));
        match control.code {
            chap::CHALLENGE => {
                let Some(response) = Response::to(&control, &self.login) else {
                    return;
                };
                self.response = Some(response);
                self.reply = Some(response.packet(&self.login));
                if !late {
                    self.timer = now.wrapping_add(REPEAT_MS);
                }
            }
            chap::SUCCESS if of_ours && !late => self.negotiate_network(now),
            chap::FAILURE if of_ours => {
                self.response = None;
                self.refused_login(now);
            }
            _ => {}
        }
    }

    /// Returns whether a login was sent and has not been answered.
    fn has_logged_in(&self) -> bool {
        self.phase == Phase::Authenticate && (self.auth == Auth::Pap || self.response.is_some())
    }

    fn refused_login(&mut self, now: u32) {
        self.refusals += 1;
        if self.refusals == LOGINS {
            self.end(Ended::LoginRefused, now);
        }
    }
}

/// Returns whether the time `at` has come.
fn past(now: u32, at: u32) -> bool {
    now.wrapping_sub(at) as i32 >= 0
}

/// Handles the peer's answer in either negotiation; returns whether the peer has agreed.
fn follow(answered: Answered, client: &mut Client, now: u32) -> bool {
    match answered {
        Answered::Nothing => false,
        Answered::Agreed => true,
        Answered::Again => {
            client.speak = true;
            client.timer = now.wrapping_add(REPEAT_MS);
            false
        }
        Answered::Never => {
            client.end(Ended::NotAgreed, now);
            false
        }
    }
}
