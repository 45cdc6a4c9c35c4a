//! PAP: the login in clear text (RFC 1334).

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
            // The next request is sent when the timer of this one runs out.
            NAK if control.id == self.lcp.id => {
                // The next request has another identifier, so that a duplicate of this refusal does not count.
                self.lcp.id = self.lcp.id.wrapping_add(1);
                self.refused_login(now);
            }
            _ => {}
        }
    }
}
