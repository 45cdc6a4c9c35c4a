//! The network behind a simulated PPP link: names, the time, the modem's own AT port, and the targets
//! of connections.
//!
//! Packets for these services are answered on their way to slirp, so that no port below 1024 of this
//! computer is needed, and nothing else is reachable.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, SocketAddrV4};
use std::rc::Rc;

use time::OffsetDateTime;

use super::ip::{self, Ends};
use crate::clock::EmulatedClock;
use crate::network::Network;

/// The address by which slirp reaches 127.0.0.1 of this computer.
const COMPUTER: Ipv4Addr = Ipv4Addr::new(10, 0, 2, 2);
/// The first three bytes of the addresses that names get.
const NAMES: [u8; 3] = [10, 0, 3];
/// A port where nothing listens, so that slirp refuses the connection.
const REFUSED: u16 = 1;
const DNS: u16 = 53;
const SNTP: u16 = 123;
const AT: u16 = 23;
/// Seconds from 1900 to 1970.
const NTP_EPOCH: i64 = 2_208_988_800;

/// A modem that takes AT commands beside the link (ppp sheet A.3.3).
pub(crate) trait Beside {
    /// Takes the content of a datagram for the modem.
    fn hear(&self, content: &[u8]);
    /// Returns the content of the modem's next datagram.
    fn say(&self) -> Option<Vec<u8>>;
    /// Returns whether the modem has a network, so that packets for other hosts go somewhere.
    fn is_online(&self) -> bool;
}

/// The fate of a packet of the host.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Fate {
    /// It goes on in its present form.
    Forwarded,
    /// It is for a service here; this is the answer.
    Answered(Vec<u8>),
    /// It is dropped.
    Dropped,
}

pub(crate) struct Services {
    network: Rc<dyn Network>,
    clock: Option<EmulatedClock>,
    beside: Option<Rc<dyn Beside>>,
    /// The names that were queried; the index makes the address.
    names: Vec<String>,
    /// The destinations of the host's connections, by the host's port and the port of this computer.
    connections: BTreeMap<(u16, u16), SocketAddrV4>,
    /// The address of the host, and that of the modem as the host uses it.
    ends: Option<(Ipv4Addr, Ipv4Addr)>,
}

impl Services {
    /// Returns the services; `clock` is the time for SNTP, `beside` a modem that takes AT commands by
    /// UDP.
    pub(crate) fn new(
        network: Rc<dyn Network>,
        clock: Option<EmulatedClock>,
        beside: Option<Rc<dyn Beside>>,
    ) -> Self {
        Self {
            network,
            clock,
            beside,
            names: Vec::new(),
            connections: BTreeMap::new(),
            ends: None,
        }
    }

    fn is_online(&self) -> bool {
        self.beside.as_ref().is_none_or(|modem| modem.is_online())
    }

    /// Handles a packet from the host.
    pub(super) fn up(&mut self, packet: &mut [u8]) -> Fate {
        let Some((ends, content)) = ip::parse(packet) else {
            return Fate::Dropped;
        };
        if !self.is_online() && ends.to.port() != AT {
            return Fate::Dropped;
        }
        if ends.protocol == ip::TCP {
            return self.connect(packet, ends);
        }
        let answer = match ends.to.port() {
            DNS => self.answer_name(content),
            SNTP => self.answer_time(content),
            AT => {
                self.ends = Some((*ends.from.ip(), *ends.to.ip()));
                if let Some(modem) = &self.beside {
                    modem.hear(content);
                }
                None
            }
            _ => None,
        };
        match answer {
            Some(answer) => Fate::Answered(ip::udp(ends.to, ends.from, &answer)),
            None => Fate::Dropped,
        }
    }

    /// Handles a packet for the host; returns whether it reaches the host.
    pub(super) fn down(&self, packet: &mut [u8]) -> bool {
        if !self.is_online() {
            return false;
        }
        let Some((ends, _)) = ip::parse(packet) else {
            return true;
        };
        let key = (ends.to.port(), ends.from.port());
        if let Some(asked) = self.connections.get(&key) {
            ip::readdress(packet, *asked, ends.to);
        }
        true
    }

    /// Returns the modem's own next packet, once the host has sent one to it.
    pub(super) fn said(&self) -> Option<Vec<u8>> {
        let content = self.beside.as_ref()?.say()?;
        let (host, modem) = self.ends?;
        Some(ip::udp(
            SocketAddrV4::new(modem, AT),
            SocketAddrV4::new(host, AT),
            &content,
        ))
    }

    /// Sends a segment to the address to which the name is mapped.
    fn connect(&mut self, packet: &mut [u8], ends: Ends) -> Fate {
        let [a, b, c, number] = ends.to.ip().octets();
        if [a, b, c] != NAMES {
            // This computer is reachable by its address; no other host exists.
            return if *ends.to.ip() == COMPUTER {
                Fate::Forwarded
            } else {
                Fate::Dropped
            };
        }
        let Some(name) = self.names.get(usize::from(number)) else {
            return Fate::Dropped;
        };
        let port = match self.network.address(name, ends.to.port()) {
            Some(SocketAddr::V4(target)) if *target.ip() == Ipv4Addr::LOCALHOST => target.port(),
            _ => REFUSED,
        };
        self.connections.insert((ends.from.port(), port), ends.to);
        ip::readdress(packet, ends.from, SocketAddrV4::new(COMPUTER, port));
        Fate::Forwarded
    }

    /// Returns the answer to a query for an address (RFC 1035, 4).
    fn answer_name(&mut self, query: &[u8]) -> Option<Vec<u8>> {
        let question = query.get(12..)?;
        let mut name = String::new();
        let mut at = 0;
        loop {
            let len = usize::from(*question.get(at)?);
            at += 1;
            if len == 0 {
                break;
            }
            if !name.is_empty() {
                name.push('.');
            }
            name.push_str(std::str::from_utf8(question.get(at..at + len)?).ok()?);
            at += len;
        }
        let question = question.get(..at + 4)?;
        let known = self.network.resolves(&name) && name.parse::<IpAddr>().is_err();
        // The query is for type A of the class IN.
        let asked = question.ends_with(&[0, 1, 0, 1]);
        let mut answer = query[..2].to_vec();
        // A response with recursion available, and whether the name is known.
        answer.extend([0x81, if known { 0x80 } else { 0x83 }]);
        answer.extend([0, 1, 0, u8::from(known && asked), 0, 0, 0, 0]);
        answer.extend(question);
        if known && asked {
            answer.extend(b"\xC0\x0C\x00\x01\x00\x01\x00\x00\x00\x3C\x00\x04");
            answer.extend(self.address_of(&name)?.octets());
        }
        Some(answer)
    }

    fn address_of(&mut self, name: &str) -> Option<Ipv4Addr> {
        let known = self
            .names
            .iter()
            .position(|known| known.eq_ignore_ascii_case(name));
        let number = known.unwrap_or_else(|| {
            self.names.push(name.to_owned());
            self.names.len() - 1
        });
        let [a, b, c] = NAMES;
        Some(Ipv4Addr::new(a, b, c, u8::try_from(number).ok()?))
    }

    /// Returns the answer to an SNTP query (RFC 4330, 5).
    fn answer_time(&self, query: &[u8]) -> Option<Vec<u8>> {
        let now = self.clock?.now();
        if query.len() < 48 || query[0] & 7 != 3 {
            return None;
        }
        let mut answer = vec![0; 48];
        // No leap second, the version of the query, mode server, stratum 2.
        answer[0] = query[0] & 0x38 | 4;
        answer[1] = 2;
        answer[24..32].copy_from_slice(&query[40..48]);
        for at in [16, 32, 40] {
            answer[at..at + 8].copy_from_slice(&timestamp(now));
        }
        Some(answer)
    }
}

/// Returns an NTP timestamp: seconds since 1900, and a fraction.
fn timestamp(now: OffsetDateTime) -> [u8; 8] {
    let seconds = (now.unix_timestamp() + NTP_EPOCH) as u32;
    let fraction = (u64::from(now.nanosecond()) << 32) / 1_000_000_000;
    (u64::from(seconds) << 32 | fraction).to_be_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::network::LoopbackNetwork;

    fn services() -> Services {
        let mut network = LoopbackNetwork::new();
        let target = "127.0.0.1:18883".parse().unwrap();
        network.map("broker.test", 8883, target).unwrap();
        Services::new(Rc::new(network), None, None)
    }

    fn query(name: &[u8]) -> Vec<u8> {
        let mut query = b"\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00".to_vec();
        query.extend(name);
        query.extend([0, 0, 1, 0, 1]);
        query
    }

    fn to(port: u16) -> (SocketAddrV4, SocketAddrV4) {
        let host = "10.0.2.15:2000".parse().unwrap();
        (host, SocketAddrV4::new(COMPUTER, port))
    }

    #[test]
    fn a_name_leads_where_it_is_mapped_and_back() {
        let mut services = services();
        let (host, dns) = to(DNS);
        let mut packet = ip::udp(host, dns, &query(b"\x06broker\x04test"));
        let Fate::Answered(answer) = services.up(&mut packet) else {
            panic!("no answer");
        };
        let (ends, content) = ip::parse(&answer).unwrap();
        assert_eq!((ends.from, ends.to), (dns, host));
        assert!(content.ends_with(&[10, 0, 3, 0]));
        let mut packet = ip::udp(host, dns, &query(b"\x05other\x04test"));
        let Fate::Answered(answer) = services.up(&mut packet) else {
            panic!("no answer");
        };
        assert_eq!(ip::parse(&answer).unwrap().1[3], 0x83);

        // A UDP packet with another protocol number stands for a segment.
        let segment = |from, to| {
            let mut packet = ip::udp(from, to, &[0; 12]);
            packet[9] = ip::TCP;
            packet
        };
        let broker = "10.0.3.0:8883".parse().unwrap();
        let mut packet = segment(host, broker);
        assert_eq!(services.up(&mut packet), Fate::Forwarded);
        let there = ip::parse(&packet).unwrap().0.to;
        assert_eq!(there, "10.0.2.2:18883".parse().unwrap());
        let mut packet = segment(there, host);
        assert!(services.down(&mut packet));
        assert_eq!(ip::parse(&packet).unwrap().0.from, broker);

        for (to, fate) in [
            ("10.0.3.0:443", Fate::Forwarded),
            ("10.0.3.7:8883", Fate::Dropped),
            ("192.0.2.1:443", Fate::Dropped),
        ] {
            let mut packet = segment(host, to.parse().unwrap());
            assert_eq!(services.up(&mut packet), fate, "{to}");
        }
    }
}
