//! The dialect of the modules: what each line and each event is, and the arguments of the scripts'
//! commands.

use sectag::at::Fields;
use sectag::modem::{Final, Line, Out, Urc, World};
use sectag::wifi::Security;
use sectag::{AtError, Code};

use super::edm::{Event, Protocol};
use super::{ShortRange, open};

const OTHER: Line = Line::Urc(Urc::Other);

pub(super) fn line(modem: &mut ShortRange, line: &[u8], _: &[u8]) -> Line {
    match line {
        b"OK" => return Line::Final(Final::Ok),
        // The only form of a failure (sheet A.1.1).
        b"ERROR" => return Line::Final(Final::Error(Code::Plain)),
        _ => {}
    }
    if line.ends_with(b"+STARTUP") {
        modem.restarted();
        return Line::Urc(Urc::Restarted);
    }
    let Some(text) = line.strip_prefix(b"+UU") else {
        return Line::Info;
    };
    let end = text.iter().position(|byte| *byte == b':');
    let (name, text) = text.split_at(end.unwrap_or(text.len()));
    let text = text.get(1..).unwrap_or_default();
    let number = Fields::new(text).int();
    match name {
        b"DPC" => {
            modem.peers.connected(text);
            open::stood(modem);
            Line::Urc(Urc::Report)
        }
        b"DPD" => {
            let Some(handle) = number else { return OTHER };
            let channel = modem.peers.handle_gone(handle);
            modem.opening.ended(handle);
            // A close or an open may wait for this.
            channel.map_or(Line::Urc(Urc::Report), |id| Line::Urc(Urc::Closed { id }))
        }
        b"WLE" => modem.link_up(),
        b"WLD" => modem.link_down(Fields::new(text).nth(1).and_then(sectag::at::decimal)),
        b"NU" if number == Some(0) => modem.network_up(),
        b"ND" if number == Some(0) => modem.network_down(),
        _ => OTHER,
    }
}

/// Handles an event frame.
pub(super) fn event(modem: &mut ShortRange, world: &mut World<'_>, event: &[u8]) -> Urc {
    match Event::parse(event) {
        Some(Event::Connected {
            channel,
            endpoint: Some(endpoint),
        }) if endpoint.protocol == Protocol::Tcp => {
            modem
                .peers
                .channel_up(channel, endpoint.remote, endpoint.local);
            open::connected(modem, world, channel, endpoint.remote.port())
        }
        Some(Event::Disconnected { channel }) => {
            modem.peers.channel_gone(channel);
            Urc::Closed { id: channel }
        }
        Some(Event::Started) => {
            modem.started = true;
            // The event follows `ATO2`, or comes from a module that starts in this mode (sheet A.1.2).
            if modem.mode == Some(true) && modem.up {
                modem.restarted();
                modem.mode = Some(true);
                return Urc::Restarted;
            }
            Urc::Other
        }
        _ => Urc::Other,
    }
}

/// Writes the argument `name` of a step's text.
pub(super) fn argument(modem: &ShortRange, name: u8, world: &World<'_>, out: &mut Out<'_>) {
    let wifi = &modem.config.wifi;
    match name {
        b's' => out.quoted(wifi.ssid().as_bytes()),
        // 1 open, 2 WPA or WPA2 with a passphrase (sheet A.2.1).
        b'a' => out.int(match wifi.security() {
            Security::Open => 1,
            _ => 2,
        }),
        b'k' => out.quoted(wifi.key().expose().as_str().as_bytes()),
        b'n' => out.int(world.socket_count().clamp(1, 8) as u32),
        b'u' => open::url(world, out),
        b'h' => out.int(modem.peer_scratch.handle),
        b'c' => open::credential(modem, world, out),
        b'r' => {
            if let Some((tag, kind)) = modem.half {
                super::credentials::place(tag, kind, out);
            }
        }
        b't' => out.bytes(LCP_TERMINATE),
        _ => {}
    }
}

/// An LCP Terminate-Request, which ends PPP (sheet A.3.4, B.3).
const LCP_TERMINATE: &[u8] =
    b"\x7e\xff\x7d\x23\xc0\x21\x7d\x25\x7d\x22\x7d\x20\x7d\x24\x59\x28\x7e";

/// Returns why a step failed, for a judge that was given no answer.
pub(super) fn error(world: &World<'_>) -> AtError {
    world.ended.unwrap_or(AtError::Refused(world.code))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::short_range::Config;
    use sectag::wifi::WifiConfig;

    #[test]
    fn lines() {
        let mut modem = ShortRange::new(Config::new(WifiConfig::open("net").unwrap()));
        let mut is = |text: &str| line(&mut modem, text.as_bytes(), b"");
        assert_eq!(is("OK"), Line::Final(Final::Ok));
        assert_eq!(is("ERROR"), Line::Final(Final::Error(Code::Plain)));
        assert_eq!(is("\u{1}+STARTUP"), Line::Urc(Urc::Restarted));
        assert_eq!(is("\"NINA-W132\""), Line::Info);
        assert_eq!(is("+UDCP:3"), Line::Info);
        assert_eq!(is("+UUPING:1,32,a,10.0.0.1,32,5"), OTHER);
        assert_eq!(
            is("+UUDPC:3,2,0,10.0.0.2,4000,10.0.0.1,8883"),
            Line::Urc(Urc::Report)
        );
        assert_eq!(is("+UUDPD:3"), Line::Urc(Urc::Report));
    }

    /// RFC 1662: the frame check sequence over what is between the flags, unescaped.
    #[test]
    fn the_terminate_request_is_a_whole_frame() {
        let inner = &LCP_TERMINATE[1..LCP_TERMINATE.len() - 1];
        let mut fcs: u16 = 0xffff;
        let mut escaped = false;
        for &byte in inner {
            if byte == 0x7d {
                escaped = true;
                continue;
            }
            let byte = if core::mem::take(&mut escaped) {
                byte ^ 0x20
            } else {
                byte
            };
            fcs ^= u16::from(byte);
            for _ in 0..8 {
                fcs = if fcs & 1 == 1 {
                    fcs >> 1 ^ 0x8408
                } else {
                    fcs >> 1
                };
            }
        }
        assert_eq!(fcs, 0xf0b8);
    }
}
