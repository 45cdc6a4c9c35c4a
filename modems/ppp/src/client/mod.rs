//! A PPP link from the dialled line to an address: LCP, a login if the peer asks for one, IPCP (RFC 1661, 1332, 1334, 1877,
//! 1994), then echoes that show whether the peer is there.
//!
//! Synchronous: frames, the time, and what is to be sent. [`Client::receive`] takes one frame; then
//! [`Client::next_out`] is asked until it has nothing, before the next frame.

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

/// The time after which something is said again (RFC 1661, 4.6).
const REPEAT_MS: u32 = 3_000;
/// How often it is said in all (Max-Configure of RFC 1661, 4.6).
const TRIES: u8 = 10;
/// How often the end is said (Max-Terminate of RFC 1661, 4.6).
const LAST_WORDS: u8 = 2;
/// How long all of it may take: a peer that answers and never agrees is given up too.
const NEGOTIATION_MS: u32 = 60_000;
/// The time after which a peer that says nothing is asked whether it is there.
const ECHO_MS: u32 = 10_000;
/// How many echoes in a row may stay without any word of the peer.
const ECHOES: u8 = 3;
/// A peer that refuses a login is asked no more often: another try may lock the account.
const LOGINS: u8 = 3;
/// How much of a packet is sent back whose protocol is refused. RFC 1661 (5.7) wants no more than the peer can take; its number
/// alone is what counts.
const REFUSED_SHOWN: usize = 64;

/// How far a link is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Phase {
    /// Not begun, or ended: see [`Client::ended`].
    Dead,
    /// The link itself is being agreed on (LCP).
    Establish,
    /// The peer wants to know who this is (PAP or CHAP).
    Authenticate,
    /// Addresses are being agreed on (IPCP).
    Network,
    /// IP packets go both ways.
    Open,
    /// The peer is told that the link ends.
    Closing,
}

/// What the peer gave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Network {
    /// Our address.
    pub address: Ipv4Addr,
    /// The peer's, if it told it.
    pub peer: Option<Ipv4Addr>,
    /// Name servers, of which it may have told none.
    pub dns: [Option<Ipv4Addr>; 2],
}

/// How the peer lets us log in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Auth {
    None,
    Pap,
    Chap,
}

/// The client's end of one link. It never asks the peer to log in and never gives addresses.
///
/// Times are milliseconds that wrap; the ones of two calls must not be more than 24 days apart.
#[derive(Debug)]
pub struct Client {
    login: Login,
    phase: Phase,
    ended: Option<Ended>,
    lcp: Negotiation,
    ipcp: Negotiation,
    auth: Auth,
    /// The one to the last challenge.
    response: Option<Response>,
    refusals: u8,
    /// A number of ours, so that a line that sends everything back is noticed.
    magic: u32,
    /// How often a packet of ours seems to have come back.
    returned: u8,
    /// The map of control characters that the peer wants us to ask for.
    map: u32,
    wire: Wire,
    /// What we ask IPCP for; 0 where the peer is to choose.
    asked: [Ipv4Addr; 3],
    peer: Option<Ipv4Addr>,
    network: Option<Network>,
    /// The peer said anything since the link was begun.
    heard: bool,

    /// The request of this phase is to be sent.
    speak: bool,
    echo: bool,
    /// The answer to the frame that came last.
    reply: Option<Packet>,
    /// The request goes before the answer, as RFC 1661 (4.1) wants it when a link begins anew.
    request_first: bool,

    /// When the request of this phase is sent again, or in phase `Open` the next echo.
    timer: u32,
    /// How often it may still be sent.
    tries: u8,
    /// When the negotiation is given up.
    limit: u32,
    /// Echoes since the peer said anything.
    unanswered: u8,
    /// The number of the next packet that is no answer.
    number: u8,
}

impl Client {
    /// A link that is not begun.
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

    /// Begins. `seed` should differ from what the peer would take, as a time or a random number does: a line that sends
    /// everything back is told by it.
    pub fn open(&mut self, seed: u32, now: u32) {
        *self = Self::new(self.login);
        self.magic = seed | 1;
        self.number = seed as u8;
        self.establish(now);
    }

    /// Tells the peer that the link ends; it is over when [`phase`](Self::phase) is `Dead`, 6 s later at the latest.
    pub fn close(&mut self, now: u32) {
        if !matches!(self.phase, Phase::Dead | Phase::Closing) {
            self.end(Ended::Closed, now);
        }
    }

    /// The modem has said that the call has ended; nothing more is sent.
    pub fn lost(&mut self) {
        self.ended.get_or_insert(Ended::NoCarrier);
        self.dead();
    }

    /// How far the link is.
    pub fn phase(&self) -> Phase {
        self.phase
    }

    /// What the peer gave; `None` unless IP packets go both ways.
    pub fn network(&self) -> Option<Network> {
        self.network
    }

    /// Why the link ended, or ends.
    pub fn ended(&self) -> Option<Ended> {
        self.ended
    }

    /// How a frame of this protocol is to be written.
    pub fn wire(&self, protocol: u16) -> Wire {
        if protocol == protocol::LCP {
            Wire::DEFAULT
        } else {
            self.wire
        }
    }

    /// Takes one frame without its checksum. Returns the IP packet in it, if it holds one and the link is open.
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
            // What the peer says shows as well as an echo that it is there.
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

    /// Lets time pass. Returns when to call it again at the latest; `None` when nothing is waited for.
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

    /// The next packet to send.
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

    /// What this phase asks of the peer, if that is known by now.
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

    /// The timer has run out.
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
        // The peer's own request did not come: it will ask again, and agree again (RFC 1661, 4.1, state Ack-Rcvd).
        match self.phase {
            Phase::Establish => self.lcp.ours = false,
            Phase::Network => self.ipcp.ours = false,
            _ => {}
        }
    }

    /// It was said often enough.
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

    /// Begins with LCP, for the first time or because the peer did.
    fn establish(&mut self, now: u32) {
        self.lcp.restart();
        self.auth = Auth::None;
        self.response = None;
        self.wire = Wire::DEFAULT;
        self.network = None;
        self.limit = now.wrapping_add(NEGOTIATION_MS);
        self.enter(Phase::Establish, now);
    }

    /// LCP is agreed on.
    fn established(&mut self, now: u32) {
        match self.auth {
            Auth::None => self.negotiate_network(now),
            // The peer speaks first.
            Auth::Chap => {
                self.enter(Phase::Authenticate, now);
                self.speak = false;
            }
            Auth::Pap => self.enter(Phase::Authenticate, now),
        }
    }

    /// Asks for an address.
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

    /// Ends the link for this reason, and tells the peer.
    fn end(&mut self, why: Ended, now: u32) {
        self.ended.get_or_insert(why);
        self.network = None;
        self.reply = None;
        self.enter(Phase::Closing, now);
        self.tries = LAST_WORDS - 1;
    }

    /// The peer ended the link.
    fn terminated(&mut self) {
        let why = match self.phase {
            // A peer that refuses a login hangs up afterwards.
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

    /// Refuses a protocol that we do not speak, such as IPv6 or compression. Before LCP is agreed on nobody may (RFC 1661, 5.7).
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

    /// Refuses a code that we do not know.
    fn refuse_code(&mut self, protocol: u16, content: &[u8]) {
        let number = self.number();
        let mut packet = Packet::new(protocol, code::CODE_REJECT, number);
        packet.put_start(content, REFUSED_SHOWN);
        self.reply = Some(packet.sealed());
    }

    /// The answer to a request to end, or nothing for any other packet.
    fn acknowledge_end(&mut self, protocol: u16, control: &Control<'_>) {
        let packet = Packet::new(protocol, code::TERMINATE_ACK, control.id);
        self.reply = Some(packet.sealed());
    }

    fn chap(&mut self, content: &[u8], now: u32) {
        let Some(control) = Control::parse(content) else {
            return;
        };
        // A peer may ask again at any time (RFC 1994, 2).
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

    /// Whether the peer has been told who this is, and has not said what it thinks of it.
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

/// Whether `at` has come.
fn past(now: u32, at: u32) -> bool {
    now.wrapping_sub(at) as i32 >= 0
}

/// What follows an answer of the peer in either negotiation; returns whether it is time to look whether both agree.
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
