//! The link itself (RFC 1661, 6; RFC 1662, 7): what is escaped, what headers look like, whether the peer wants a
//! login.

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

/// As it stands in the option: CHAP with MD5.
const CHAP_MD5: [u8; 3] = [0xC2, 0x23, 5];
const PAP: [u8; 2] = [0xC0, 0x23];

/// How many packets of our own are taken for chance.
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
            // One without which there is no link (RFC 1661, 4.3, RXJ-).
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
            // An echo's answer has shown by coming that the peer is there. The rest is for information.
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

    /// Our number, unless the peer does not want one.
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
            // The peer begins anew, or did not get our agreement; either way nothing stands any more (RFC 1661, 4.1).
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
            // Another number, so that two peers that chose the same find out (RFC 1661, 6.4).
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
            // Ours came back: behind the modem is nobody, and the line has an echo.
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

/// What we think of an option; what we agree to is noted.
fn opinion(item: Item<'_>, own: u32, wire: &mut Wire, auth: &mut Auth) -> Opinion {
    match (item.kind, item.value) {
        // Everybody must take 1500 bytes, whatever he asks for (RFC 1661, 6.1).
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
                // CHAP first; it is what the module asks for that asks at all (sheet B.3). A peer that answers with PAP gets that.
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
