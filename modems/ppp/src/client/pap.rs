//! The login in clear (RFC 1334).

use super::packet::{Control, Packet, protocol};
use super::{Auth, Client, Phase};

const REQUEST: u8 = 1;
const ACK: u8 = 2;
const NAK: u8 = 3;

impl Client {
    pub(super) fn pap_request(&mut self) -> Packet {
        let mut packet = Packet::new(protocol::PAP, REQUEST, self.lcp.id);
        for part in [self.login.user(), self.login.password()] {
            packet.put(&[part.len() as u8]);
            packet.put(part);
        }
        packet.sealed()
    }

    pub(super) fn pap(&mut self, content: &[u8], now: u32) {
        let Some(control) = Control::parse(content) else {
            return;
        };
        if self.auth != Auth::Pap || self.phase != Phase::Authenticate {
            return;
        }
        match control.code {
            ACK if control.id == self.lcp.id => self.negotiate_network(now),
            // The next try is made when this one would have been repeated.
            NAK if control.id == self.lcp.id => {
                // With another number, so that a second copy of this refusal is not a second one.
                self.lcp.id = self.lcp.id.wrapping_add(1);
                self.refused_login(now);
            }
            _ => {}
        }
    }
}
