//! LCP (RFC 1661, 6; RFC 1662, 7): escapes, the form of headers, and whether the peer wants a login.

use super::negotiation::Opinion;
use super::packet::{Control, Item, Items, Packet, code, protocol};
use super::{Auth, Client, Ended, Phase, follow};
use crate::hdlc::Wire;

const MRU: u8 = 1;
const MAP: u8 = 2;
const AUTH: u8 = 3;
const MAGIC: u8 = 5;
const SHORT_PROTOCOL: u8 = 7;
const SHORT_HEADER: u8 = 8;

/// The value of the authentication option for CHAP with MD5.
const CHAP_MD5: [u8; 3] = [0xC2, 0x23, 5];
const PAP: [u8; 2] = [0xC0, 0x23];

/// The number of packets with our own magic number after which the line counts as a loopback.
const RETURNED: u8 = 3;

impl Client {
    pub(super) fn lcp(&mut self, content: &[u8], now: u32) {
        let Some(control) = Control::parse(content) else {
            return;
        };
        match control.code {
            code::TERMINATE_REQUEST => {
                self.terminated();
                self.acknowledge_end(protocol::LCP, &control);
            }
            code::TERMINATE_ACK if self.phase == Phase::Closing => self.dead(),
            _ if self.phase == Phase::Closing => {}
            code::CONFIGURE_REQUEST => self.lcp_asked(&control, now),
            code::CONFIGURE_ACK | code::CONFIGURE_NAK | code::CONFIGURE_REJECT => {
                self.lcp_answered(&control, now);
            }
            // A code without which there is no link (RFC 1661, 4.3, RXJ-).
            code::CODE_REJECT
                if control
                    .data
                    .first()
                    .is_some_and(|code| *code < code::CODE_REJECT) =>
            {
                self.end(Ended::NotAgreed, now);
            }
            code::PROTOCOL_REJECT => {
                if let [high, low, ..] = *control.data
                    && matches!(
                        u16::from_be_bytes([high, low]),
                        protocol::IPCP | protocol::IPV4
                    )
                {
                    self.end(Ended::NoAddress, now);
                }
            }
            code::ECHO_REQUEST => self.echo_asked(&control, now),
            0 | code::LAST.. => self.refuse_code(protocol::LCP, content),
            // An echo reply has reset the timer already; the other codes are informational.
            _ => {}
        }
    }

    pub(super) fn lcp_request(&mut self) -> Packet {
        let mut packet = Packet::new(protocol::LCP, code::CONFIGURE_REQUEST, self.lcp.id);
        let asked = |kind: u8| self.lcp.refused >> (kind - 1) & 1 == 0;
        if asked(MAP) {
            packet.option(MAP, &self.map.to_be_bytes());
        }
        if asked(MAGIC) {
            packet.option(MAGIC, &self.magic.to_be_bytes());
        }
        for kind in [SHORT_PROTOCOL, SHORT_HEADER] {
            if asked(kind) {
                packet.option(kind, &[]);
            }
        }
        packet.sealed()
    }

    pub(super) fn echo_request(&mut self) -> Packet {
        let number = self.number();
        let mut packet = Packet::new(protocol::LCP, code::ECHO_REQUEST, number);
        packet.put(&self.magic().to_be_bytes());
        packet.sealed()
    }

    /// Returns our magic number, or 0 if the peer has refused the option.
    fn magic(&self) -> u32 {
        if self.lcp.refused >> (MAGIC - 1) & 1 == 0 {
            self.magic
        } else {
            0
        }
    }

    fn lcp_asked(&mut self, control: &Control<'_>, now: u32) {
        if Items::parse(control.data).is_none() {
            return;
        }
        if self.phase != Phase::Establish {
            // The peer restarts, or has missed our acknowledgement. In both cases the negotiation
            // starts over (RFC 1661, 4.1).
            self.establish(now);
            self.request_first = true;
        }
        let own = self.magic();
        let (mut wire, mut auth, mut returned) = (Wire::DEFAULT, Auth::None, false);
        let judged = self.lcp.judge(protocol::LCP, control, |item| {
            returned |= item.kind == MAGIC && own != 0 && item.value == own.to_be_bytes();
            opinion(item, own, &mut wire, &mut auth)
        });
        if returned {
            self.returned += 1;
            if self.returned == RETURNED {
                return self.end(Ended::Loopback, now);
            }
            // Choose another number, so that two peers which chose the same one find out (RFC 1661,
            // 6.4).
            self.magic = self
                .magic
                .wrapping_mul(1_664_525)
                .wrapping_add(1_013_904_223)
                | 1;
        }
        let Some((reply, agreed)) = judged else {
            return;
        };
        self.reply = Some(reply);
        if agreed {
            self.wire = wire;
            self.auth = auth;
            if self.lcp.is_complete() {
                self.established(now);
            }
        }
    }

    fn lcp_answered(&mut self, control: &Control<'_>, now: u32) {
        if self.phase != Phase::Establish {
            return;
        }
        let sent = self.lcp_request();
        let (mut map, mut new_magic) = (self.map, false);
        let answered = self.lcp.answered(control, &sent, |lcp, item, refused| {
            match (item.kind, item.value) {
                (1..=8, _) if refused => lcp.refused |= 1 << (item.kind - 1),
                (MAP, &[a, b, c, d]) => map |= u32::from_be_bytes([a, b, c, d]),
                (MAGIC, _) => new_magic = true,
                _ => {}
            }
        });
        self.map = map;
        if new_magic {
            self.magic = self
                .magic
                .wrapping_mul(1_664_525)
                .wrapping_add(1_013_904_223)
                | 1;
        }
        if follow(answered, self, now) && self.lcp.is_complete() {
            self.established(now);
        }
    }

    fn echo_asked(&mut self, control: &Control<'_>, now: u32) {
        let Some((number, rest)) = control.data.split_at_checked(4) else {
            return;
        };
        let own = self.magic();
        if own != 0 && number == own.to_be_bytes() {
            // Our own number came back: there is no peer behind the modem, and the line echoes.
            return self.end(Ended::Loopback, now);
        }
        if self.phase == Phase::Establish {
            return;
        }
        let mut packet = Packet::new(protocol::LCP, code::ECHO_REPLY, control.id);
        packet.put(&own.to_be_bytes());
        packet.put_start(rest, usize::MAX);
        self.reply = Some(packet.sealed());
    }
}

/// Judges an option that the peer asks for, and notes the ones that are accepted.
fn opinion(item: Item<'_>, own: u32, wire: &mut Wire, auth: &mut Auth) -> Opinion {
    match (item.kind, item.value) {
        // Every peer must accept 1500 bytes, whatever it asks for (RFC 1661, 6.1).
        (MRU, [_, _]) => Opinion::Fine,
        (MAP, &[a, b, c, d]) => {
            wire.map = u32::from_be_bytes([a, b, c, d]);
            Opinion::Fine
        }
        (AUTH, value) => {
            if value == CHAP_MD5 {
                *auth = Auth::Chap;
            } else if value == PAP {
                *auth = Auth::Pap;
            } else {
                // CHAP is proposed first, since the one module that asks for a login asks for it (sheet
                // B.3). A peer that then asks for PAP gets it.
                return Opinion::Rather([CHAP_MD5[0], CHAP_MD5[1], CHAP_MD5[2], 0], 3);
            }
            Opinion::Fine
        }
        (MAGIC, &[a, b, c, d]) => {
            let number = u32::from_be_bytes([a, b, c, d]);
            if number == own && own != 0 {
                let other = number.wrapping_mul(22_695_477).wrapping_add(1);
                return Opinion::Rather(other.to_be_bytes(), 4);
            }
            Opinion::Fine
        }
        (SHORT_PROTOCOL, []) => {
            wire.short_protocol = true;
            Opinion::Fine
        }
        (SHORT_HEADER, []) => {
            wire.short_header = true;
            Opinion::Fine
        }
        _ => Opinion::No,
    }
}
