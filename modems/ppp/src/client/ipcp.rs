//! IPCP: the address (RFC 1332), and those of name servers (RFC 1877).

use core::net::Ipv4Addr;

use super::negotiation::Opinion;
use super::packet::{Control, Items, Packet, code, protocol};
use super::{Client, Ended, Network, Phase, follow};

const ADDRESS: u8 = 3;
/// The options that are asked for, in the order of `Client::asked`: address, first and second name
/// server.
const KINDS: [u8; 3] = [ADDRESS, 129, 131];

impl Client {
    pub(super) fn ipcp(&mut self, content: &[u8], now: u32) {
        let Some(control) = Control::parse(content) else {
            return;
        };
        // A peer that sends an IPCP request has accepted the login; its answer was lost.
        if self.has_logged_in() && control.code == code::CONFIGURE_REQUEST {
            self.negotiate_network(now);
        }
        // Before the login, IPCP packets have to be ignored (RFC 1661, 3.5).
        if !matches!(self.phase, Phase::Network | Phase::Open) {
            return;
        }
        match control.code {
            code::CONFIGURE_REQUEST => self.ipcp_asked(&control, now),
            code::CONFIGURE_ACK | code::CONFIGURE_NAK | code::CONFIGURE_REJECT => {
                self.ipcp_answered(&control, now);
            }
            code::TERMINATE_REQUEST => {
                // An acknowledgement alone would not help: the whole link is terminated.
                let during = self.phase;
                self.end(Ended::Terminated { during }, now);
                self.acknowledge_end(protocol::IPCP, &control);
            }
            code::TERMINATE_ACK => {}
            code::CODE_REJECT => self.end(Ended::NotAgreed, now),
            _ => self.refuse_code(protocol::IPCP, content),
        }
    }

    pub(super) fn ipcp_request(&mut self) -> Packet {
        let mut packet = Packet::new(protocol::IPCP, code::CONFIGURE_REQUEST, self.ipcp.id);
        for (at, kind) in KINDS.into_iter().enumerate() {
            if self.ipcp.refused >> at & 1 == 0 {
                packet.option(kind, &self.asked[at].octets());
            }
        }
        packet.sealed()
    }

    fn ipcp_asked(&mut self, control: &Control<'_>, now: u32) {
        if Items::parse(control.data).is_none() {
            return;
        }
        // SARA-R4 sends an empty request once the link is up; answering it by a new negotiation would
        // cost seconds (sheet B.3).
        if self.phase == Phase::Open && !control.data.is_empty() {
            self.negotiate_network(now);
            self.request_first = true;
        }
        let mut peer = self.peer;
        let judged = self.ipcp.judge(protocol::IPCP, control, |item| {
            match (item.kind, item.value) {
                // This client has no address to assign; a peer without one works as well.
                (ADDRESS, [0, 0, 0, 0]) => Opinion::No,
                (ADDRESS, &[a, b, c, d]) => {
                    peer = Some(Ipv4Addr::new(a, b, c, d));
                    Opinion::Fine
                }
                // Every other option is refused, for instance compressed headers.
                _ => Opinion::No,
            }
        });
        let Some((reply, agreed)) = judged else {
            return;
        };
        self.reply = Some(reply);
        if agreed {
            self.peer = peer;
            self.look_open(now);
        }
    }

    fn ipcp_answered(&mut self, control: &Control<'_>, now: u32) {
        if self.phase != Phase::Network {
            return;
        }
        let sent = self.ipcp_request();
        let mut asked = self.asked;
        let answered = self.ipcp.answered(control, &sent, |ipcp, item, refused| {
            let Some(at) = KINDS.iter().position(|kind| *kind == item.kind) else {
                return;
            };
            match item.value {
                _ if refused => ipcp.refused |= 1 << at,
                &[a, b, c, d] => asked[at] = Ipv4Addr::new(a, b, c, d),
                _ => {}
            }
        });
        self.asked = asked;
        if self.ipcp.refused & 1 != 0 {
            return self.end(Ended::NoAddress, now);
        }
        if follow(answered, self, now) {
            self.look_open(now);
        }
    }

    /// Opens the link when both sides have agreed.
    fn look_open(&mut self, now: u32) {
        if !self.ipcp.is_complete() || self.phase == Phase::Open {
            return;
        }
        let [address, first, second] = self.asked;
        if address.is_unspecified() {
            return self.end(Ended::NoAddress, now);
        }
        let known = |at: usize, server: Ipv4Addr| {
            (!server.is_unspecified() && self.ipcp.refused >> at & 1 == 0).then_some(server)
        };
        self.network = Some(Network {
            address,
            peer: self.peer,
            dns: [known(1, first), known(2, second)],
        });
        self.phase = Phase::Open;
        self.speak = false;
        self.unanswered = 0;
        self.timer = now.wrapping_add(super::ECHO_MS);
    }
}
