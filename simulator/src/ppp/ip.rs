//! IPv4 packets, as far as they have to be changed between a modem and slirp.

use std::net::{Ipv4Addr, SocketAddrV4};

pub(super) const TCP: u8 = 6;
pub(super) const UDP: u8 = 17;
/// The length of an IPv4 header without options.
const HEADER: usize = 20;
const UDP_HEADER: usize = 8;

/// Source and destination of a whole, unfragmented packet of TCP or UDP.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Ends {
    pub(super) protocol: u8,
    pub(super) from: SocketAddrV4,
    pub(super) to: SocketAddrV4,
}

/// Returns the ends and the payload of a packet; `None` if it is not a whole packet of TCP or UDP.
pub(super) fn parse(packet: &[u8]) -> Option<(Ends, &[u8])> {
    let (header, len) = lengths(packet)?;
    let fragment = u16::from_be_bytes([packet[6], packet[7]]) & 0x3FFF;
    let protocol = packet[9];
    if fragment != 0 || !matches!(protocol, TCP | UDP) {
        return None;
    }
    let inner = packet.get(header..len)?;
    if inner.len() < if protocol == TCP { 20 } else { UDP_HEADER } {
        return None;
    }
    let address =
        |at: usize| Ipv4Addr::new(packet[at], packet[at + 1], packet[at + 2], packet[at + 3]);
    let port = |at: usize| u16::from_be_bytes([inner[at], inner[at + 1]]);
    let ends = Ends {
        protocol,
        from: SocketAddrV4::new(address(12), port(0)),
        to: SocketAddrV4::new(address(16), port(2)),
    };
    let content = if protocol == UDP {
        &inner[UDP_HEADER..]
    } else {
        &[]
    };
    Some((ends, content))
}

/// Returns header length and total length of a packet whose fields are possible.
fn lengths(packet: &[u8]) -> Option<(usize, usize)> {
    let header = usize::from(packet.first()? & 0xF) * 4;
    let len = usize::from(u16::from_be_bytes([*packet.get(2)?, *packet.get(3)?]));
    let whole = packet[0] >> 4 == 4 && header >= HEADER && header <= len && len <= packet.len();
    whole.then_some((header, len))
}

/// Writes other ends into a packet that [`parse`] has accepted, and new checksums.
pub(super) fn readdress(packet: &mut [u8], from: SocketAddrV4, to: SocketAddrV4) {
    let Some((header, len)) = lengths(packet) else {
        return;
    };
    packet[12..16].copy_from_slice(&from.ip().octets());
    packet[16..20].copy_from_slice(&to.ip().octets());
    packet[header..header + 2].copy_from_slice(&from.port().to_be_bytes());
    packet[header + 2..header + 4].copy_from_slice(&to.port().to_be_bytes());
    seal(&mut packet[..len], header);
}

/// Returns a UDP packet.
pub(super) fn udp(from: SocketAddrV4, to: SocketAddrV4, content: &[u8]) -> Vec<u8> {
    let inner = UDP_HEADER + content.len();
    let mut packet = vec![0; HEADER];
    packet[0] = 0x45;
    packet[2..4].copy_from_slice(&((HEADER + inner) as u16).to_be_bytes());
    packet[8] = 64;
    packet[9] = UDP;
    packet.extend([0, 0, 0, 0]);
    packet.extend((inner as u16).to_be_bytes());
    packet.extend([0, 0]);
    packet.extend(content);
    readdress(&mut packet, from, to);
    packet
}

fn seal(packet: &mut [u8], header: usize) {
    packet[10..12].fill(0);
    let sum = !folded(sum(&packet[..header]));
    packet[10..12].copy_from_slice(&sum.to_be_bytes());
    let at = header + if packet[9] == TCP { 16 } else { 6 };
    packet[at..at + 2].fill(0);
    let pseudo = sum_of_ends(packet) + u32::from(packet[9]) + (packet.len() - header) as u32;
    let mut sum = !folded(pseudo + self::sum(&packet[header..]));
    // In UDP a checksum of 0 means "none" (RFC 768).
    if sum == 0 && packet[9] == UDP {
        sum = 0xFFFF;
    }
    packet[at..at + 2].copy_from_slice(&sum.to_be_bytes());
}

fn sum_of_ends(packet: &[u8]) -> u32 {
    sum(&packet[12..20])
}

fn sum(bytes: &[u8]) -> u32 {
    bytes
        .chunks(2)
        .map(|pair| {
            u32::from(u16::from_be_bytes([
                pair[0],
                pair.get(1).copied().unwrap_or(0),
            ]))
        })
        .sum()
}

fn folded(mut sum: u32) -> u16 {
    while sum > 0xFFFF {
        sum = (sum & 0xFFFF) + (sum >> 16);
    }
    sum as u16
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_packet_is_addressed_anew_with_good_checksums() {
        let (host, there) = ("10.0.2.15:1024", "10.0.2.3:53");
        let packet = udp(host.parse().unwrap(), there.parse().unwrap(), b"odd");
        // RFC 1071: the sum over everything, with the checksum, is all ones.
        assert_eq!(folded(sum(&packet[..20])), 0xFFFF);
        let pseudo = sum_of_ends(&packet) + u32::from(UDP) + 11;
        assert_eq!(folded(pseudo + sum(&packet[20..])), 0xFFFF);
        let (ends, content) = parse(&packet).unwrap();
        assert_eq!((ends.to, content), (there.parse().unwrap(), &b"odd"[..]));

        let mut moved = packet.clone();
        readdress(&mut moved, ends.to, ends.from);
        assert_eq!(parse(&moved).unwrap().0.to, host.parse().unwrap());
        readdress(&mut moved, ends.from, ends.to);
        assert_eq!(moved, packet);
    }

    #[test]
    fn a_packet_that_is_cut_or_malformed_is_not_parsed() {
        let there = "10.0.2.3:53".parse().unwrap();
        let packet = udp(there, there, b"x");
        for len in 0..packet.len() {
            assert_eq!(parse(&packet[..len]), None, "{len}");
        }
        for (at, value) in [(0, 0x65), (0, 0x44), (0, 0x4F), (6, 0x20), (9, 1), (3, 5)] {
            let mut other = packet.clone();
            other[at] = value;
            assert_eq!(parse(&other), None, "{at} {value:x}");
        }
    }
}
