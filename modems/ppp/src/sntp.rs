//! An SNTP client, which asks for the time over the link (RFC 4330).
//!
//! The answer is not authenticated, so a host on the way can forge the time, for instance to let an
//! expired certificate pass. It is better than no time. [`verified()`](crate::tls::Socket::verified)
//! reports that the time came from here.

use core::fmt;

use embassy_net::dns::DnsQueryType;
use embassy_net::udp::{PacketMetadata, UdpSocket};
use embassy_net::{IpEndpoint, Stack};
use embassy_time::{Duration, with_timeout};
use sectag::clock::DateTime;

const PORT: u16 = 123;
const PACKET: usize = 48;
/// The time limit of one answer. RFC 4330 (10) forbids more than one query in 15 s, but for clients
/// that ask without end.
const PATIENCE: Duration = Duration::from_secs(5);
const TRIES: usize = 3;
/// Seconds from 1900, where NTP time begins, to 1970.
const EPOCH: u64 = 2_208_988_800;
/// The beginning of the second NTP era, in 2036 (RFC 4330, 3).
const ERA: u64 = 1 << 32;

/// The reason why there is no time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum SntpError {
    /// No name server knows an address of the time server.
    NameUnknown,
    /// The time server did not answer any of three queries.
    NoAnswer,
    /// The server does not know the time, or refuses because it is asked too often.
    NotServing,
    /// The stack has no room for a socket, or there is no link.
    NoSocket,
}

impl fmt::Display for SntpError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NameUnknown => "no name server knows the time server: name another one",
            Self::NoAnswer => {
                "the time server does not answer: name another one, or set the clock from elsewhere"
            }
            Self::NotServing => "the time server tells no time: name another one",
            Self::NoSocket => {
                "no UDP socket for the time server: give the stack one more in its resources"
            }
        })
    }
}

impl core::error::Error for SntpError {}

/// Asks `server`, a name or an address, for the time. `nonce` must be hard to guess: only an answer
/// that contains it counts, so that a host which has not seen the query cannot forge one. Takes up to
/// 15 s, besides the DNS query. Dropping the future has no effect.
///
/// # Errors
/// [`SntpError`] if there is no time.
pub async fn ask(stack: Stack<'_>, server: &str, nonce: u64) -> Result<DateTime, SntpError> {
    let found = stack.dns_query(server, DnsQueryType::A).await;
    let address = found.ok().and_then(|found| found.first().copied());
    let server = IpEndpoint::new(address.ok_or(SntpError::NameUnknown)?, PORT);
    let (mut rx_meta, mut tx_meta) = ([PacketMetadata::EMPTY; 2], [PacketMetadata::EMPTY; 2]);
    let (mut rx, mut tx) = ([0; 2 * PACKET], [0; 2 * PACKET]);
    let mut socket = UdpSocket::new(stack, &mut rx_meta, &mut rx, &mut tx_meta, &mut tx);
    socket.bind(0).map_err(|_| SntpError::NoSocket)?;
    for _ in 0..TRIES {
        let sent = socket.send_to(&question(nonce), server).await;
        sent.map_err(|_| SntpError::NoSocket)?;
        let answered = with_timeout(PATIENCE, async {
            let mut packet = [0; PACKET];
            loop {
                let Ok((count, from)) = socket.recv_from(&mut packet).await else {
                    continue;
                };
                if from.endpoint == server
                    && let Some(answer) = answer(&packet[..count], nonce)
                {
                    return answer;
                }
            }
        });
        if let Ok(answer) = answered.await {
            return answer;
        }
    }
    Err(SntpError::NoAnswer)
}

/// Returns a query: version 4, mode client. The nonce is in the place of the client's time, which RFC
/// 4330 (5) allows.
fn question(nonce: u64) -> [u8; PACKET] {
    let mut packet = [0; PACKET];
    packet[0] = 0x23;
    packet[40..].copy_from_slice(&nonce.to_be_bytes());
    packet
}

/// Returns the time in an answer to this query; `None` for anything else.
fn answer(packet: &[u8], nonce: u64) -> Option<Result<DateTime, SntpError>> {
    let packet: &[u8; PACKET] = packet.try_into().ok()?;
    let (leap, mode, stratum) = (packet[0] >> 6, packet[0] & 7, packet[1]);
    if mode != 4 || packet[24..32] != nonce.to_be_bytes() {
        return None;
    }
    let seconds = u32::from_be_bytes([packet[40], packet[41], packet[42], packet[43]]);
    // Not synchronised, or a "kiss of death" (RFC 4330, 5 and 8).
    if leap == 3 || !(1..=15).contains(&stratum) || seconds == 0 {
        return Some(Err(SntpError::NotServing));
    }
    // The highest bit is set from 1968 to 2036, and not in the era after that (RFC 4330, 3).
    let mut since = u64::from(seconds);
    if seconds >> 31 == 0 {
        since += ERA;
    }
    let time = since.checked_sub(EPOCH).and_then(DateTime::from_unix);
    Some(time.ok_or(SntpError::NotServing))
}

#[cfg(test)]
mod tests {
    use super::*;

    const NONCE: u64 = 0x0123_4567_89AB_CDEF;

    fn good(seconds: u32) -> [u8; PACKET] {
        let mut packet = [0; PACKET];
        packet[0] = 0x24;
        packet[1] = 2;
        packet[24..32].copy_from_slice(&NONCE.to_be_bytes());
        packet[40..44].copy_from_slice(&seconds.to_be_bytes());
        packet
    }

    #[test]
    fn both_eras_are_read() {
        for (seconds, time) in [
            (0xEE96_9B00, DateTime::new(2026, 11, 5, 6, 4, 48)),
            (0xFFFF_FFFF, DateTime::new(2036, 2, 7, 6, 28, 15)),
            (0x0000_0001, DateTime::new(2036, 2, 7, 6, 28, 17)),
        ] {
            let read = answer(&good(seconds), NONCE).unwrap();
            assert_eq!(read.ok(), time, "{seconds:x}");
        }
    }

    #[test]
    fn what_is_no_answer_to_the_question_is_passed_over_and_what_is_no_time_is_said() {
        let packet = good(0xEE96_9B00);
        assert_eq!(answer(&packet, NONCE + 1), None);
        assert_eq!(answer(&packet[..47], NONCE), None);
        let mut other = packet;
        other[0] = 0x23;
        assert_eq!(answer(&other, NONCE), None);
        for (at, value) in [(0, 0xE4), (1, 0), (1, 16)] {
            let mut other = packet;
            other[at] = value;
            assert_eq!(answer(&other, NONCE), Some(Err(SntpError::NotServing)));
        }
        assert_eq!(answer(&good(0), NONCE), Some(Err(SntpError::NotServing)));
        assert_eq!(question(NONCE)[40..], NONCE.to_be_bytes());
    }
}
