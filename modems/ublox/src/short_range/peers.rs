//! Peers: the module's name for connections, each of which has two numbers.
//!
//! AT commands and URCs use a *handle*, frames a *channel*. The two are matched by both ends of the
//! connection (sheet A.5). URCs and frames both report the beginning and the end of a connection, in
//! either order.

use core::net::{IpAddr, SocketAddr};

use sectag::at::Fields;

/// The number of peers that are tracked: as many links as there can be, and some that are about to go.
const LIMIT: usize = 12;

/// One of the two numbers of a peer, and what was reported of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Half<T> {
    /// Not reported yet.
    Awaited,
    /// Reported as connected.
    Up(T),
    /// Reported as disconnected.
    Gone(T),
}

impl<T: Copy + PartialEq> Half<T> {
    fn is(self, number: T) -> bool {
        matches!(self, Self::Up(mine) | Self::Gone(mine) if mine == number)
    }
}

/// The two ends of a connection.
#[derive(Clone, Copy, Debug)]
struct Ends {
    remote: SocketAddr,
    local: SocketAddr,
}

impl Ends {
    /// Returns whether both can be of one connection. A local port of 0 is not known.
    fn fit(&self, other: &Self) -> bool {
        let known = self.local.port() != 0 && other.local.port() != 0;
        self.remote == other.remote && (!known || self.local == other.local)
    }
}

#[derive(Clone, Copy, Debug)]
struct Peer {
    ends: Ends,
    handle: Half<u32>,
    channel: Half<u8>,
    /// How often a close was requested before it was possible.
    asked: u8,
}

/// The state of a peer of which one number is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Standing {
    /// No such peer (any more): the number is free.
    Unknown,
    /// The other number has not been reported yet.
    Half,
    /// Both numbers are known.
    Whole,
    /// One of its ends was reported.
    Ending,
}

/// The peers that the module has reported.
#[derive(Debug)]
pub(super) struct Peers(heapless::Vec<Peer, LIMIT>);

impl Peers {
    pub(super) const NEW: Self = Self(heapless::Vec::new());

    pub(super) fn clear(&mut self) {
        self.0.clear();
    }

    /// Notes `+UUDPC:<handle>,<type>,<protocol>,<local ip>,<local port>,<remote ip>,<remote port>`.
    pub(super) fn connected(&mut self, text: &[u8]) {
        let mut fields = Fields::new(text);
        let Some(handle) = fields.int() else { return };
        // Types 2 and 3 are IPv4 and IPv6. Bluetooth (1) has no ends of this kind.
        let Some(2 | 3) = fields.byte() else { return };
        let local = address(fields.nth(1)).zip(port(fields.int()));
        let remote = address(fields.next()).zip(port(fields.int()));
        let (Some(local), Some(remote)) = (local, remote) else {
            return;
        };
        let end = |(ip, port)| SocketAddr::new(ip, port);
        let ends = Ends {
            remote: end(remote),
            local: end(local),
        };
        // A handle is used again only after its end, whose report may have been lost.
        self.0.retain(|peer| !peer.handle.is(handle));
        let known = |peer: &&mut Peer| peer.ends.fit(&ends) && peer.handle == Half::Awaited;
        match self.0.iter_mut().find(known) {
            Some(peer) => peer.handle = Half::Up(handle),
            None => self.add(ends, Half::Up(handle), Half::Awaited),
        }
    }

    /// Notes a connect event of a channel.
    pub(super) fn channel_up(&mut self, channel: u8, remote: SocketAddr, local: SocketAddr) {
        let ends = Ends { remote, local };
        // A channel is used again only after its end, whose report may have been lost.
        self.forget(channel);
        let known = |peer: &&mut Peer| peer.ends.fit(&ends) && peer.channel == Half::Awaited;
        match self.0.iter_mut().find(known) {
            Some(peer) => peer.channel = Half::Up(channel),
            None => self.add(ends, Half::Awaited, Half::Up(channel)),
        }
    }

    fn add(&mut self, ends: Ends, handle: Half<u32>, channel: Half<u8>) {
        let peer = Peer {
            ends,
            handle,
            channel,
            asked: 0,
        };
        if let Err(peer) = self.0.push(peer) {
            // More than there can be: the module has forgotten the oldest.
            self.0.remove(0);
            let _ = self.0.push(peer);
        }
    }

    /// Notes `+UUDPD:<handle>`; returns the channel if the peer is gone with it.
    pub(super) fn handle_gone(&mut self, handle: u32) -> Option<u8> {
        let index = self.place(|peer| peer.handle == Half::Up(handle))?;
        let peer = &mut self.0[index];
        peer.handle = Half::Gone(handle);
        let channel = match peer.channel {
            Half::Up(_) => return None,
            Half::Gone(channel) => Some(channel),
            // No frame has ever reported a channel.
            Half::Awaited => None,
        };
        self.0.swap_remove(index);
        channel
    }

    /// Notes a disconnect event of a channel.
    pub(super) fn channel_gone(&mut self, channel: u8) {
        let Some(index) = self.place(|peer| peer.channel == Half::Up(channel)) else {
            return;
        };
        let peer = &mut self.0[index];
        peer.channel = Half::Gone(channel);
        if let Half::Gone(_) = peer.handle {
            self.0.swap_remove(index);
        }
    }

    /// Removes a peer that the module has forgotten.
    pub(super) fn forget(&mut self, channel: u8) {
        self.0.retain(|peer| !peer.channel.is(channel));
    }

    fn place(&self, is: impl Fn(&Peer) -> bool) -> Option<usize> {
        self.0.iter().position(is)
    }

    /// Returns the channel of the peer with this handle.
    pub(super) fn channel_of(&self, handle: u32) -> Option<u8> {
        let peer = self.0.iter().find(|peer| peer.handle == Half::Up(handle))?;
        match peer.channel {
            Half::Up(channel) => Some(channel),
            _ => None,
        }
    }

    /// Returns the handle of the peer that has this channel, or had it.
    pub(super) fn handle_of(&self, channel: u8) -> Option<u32> {
        let peer = self.0.iter().find(|peer| peer.channel.is(channel))?;
        match peer.handle {
            Half::Up(handle) => Some(handle),
            _ => None,
        }
    }

    /// Returns the state of the peer with this channel.
    pub(super) fn of_channel(&self, channel: u8) -> Standing {
        let peer = self.0.iter().find(|peer| peer.channel.is(channel));
        match peer.map(|peer| (peer.handle, peer.channel)) {
            None => Standing::Unknown,
            Some((Half::Awaited, _)) => Standing::Half,
            Some((Half::Up(_), Half::Up(_))) => Standing::Whole,
            Some(_) => Standing::Ending,
        }
    }

    /// Counts a close that had to be put off, and returns the count.
    pub(super) fn put_off(&mut self, channel: u8) -> u8 {
        let peer = self.0.iter_mut().find(|peer| peer.channel.is(channel));
        peer.map_or(0, |peer| {
            peer.asked += 1;
            peer.asked
        })
    }
}

/// Reads an address; IPv6 is in brackets.
fn address(field: Option<&[u8]>) -> Option<IpAddr> {
    let text = core::str::from_utf8(field?).ok()?;
    text.trim_start_matches('[')
        .trim_end_matches(']')
        .parse()
        .ok()
}

/// Returns the port of this number; `None` for a number that is none.
fn port(number: Option<u32>) -> Option<u16> {
    number?.try_into().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const REMOTE: &str = "10.0.0.1:8883";

    fn channel_up(peers: &mut Peers, channel: u8, local: &str) {
        let (remote, local) = (REMOTE.parse().unwrap(), local.parse().unwrap());
        peers.channel_up(channel, remote, local);
    }

    fn up(peers: &mut Peers) {
        peers.connected(b"3,2,0,10.0.0.2,4000,10.0.0.1,8883");
    }

    #[test]
    fn a_peer_is_whole_once_both_have_told() {
        for frame_first in [true, false] {
            let mut peers = Peers::NEW;
            if !frame_first {
                up(&mut peers);
            }
            channel_up(&mut peers, 7, "10.0.0.2:4000");
            if frame_first {
                assert_eq!(peers.of_channel(7), Standing::Half);
                up(&mut peers);
            }
            assert_eq!(peers.of_channel(7), Standing::Whole);
            assert_eq!(
                (peers.channel_of(3), peers.handle_of(7)),
                (Some(7), Some(3))
            );
        }
    }

    #[test]
    fn a_number_that_is_no_port_is_not_cut_to_one() {
        let mut peers = Peers::NEW;
        // 8883 + 65 536.
        peers.connected(b"3,2,0,10.0.0.2,4000,10.0.0.1,74419");
        channel_up(&mut peers, 7, "10.0.0.2:4000");
        assert_eq!(peers.handle_of(7), None);
    }

    #[test]
    fn a_peer_is_free_once_both_have_told_its_end() {
        for frame_first in [true, false] {
            let mut peers = Peers::NEW;
            up(&mut peers);
            channel_up(&mut peers, 7, "10.0.0.2:4000");
            if frame_first {
                peers.channel_gone(7);
                assert_eq!(peers.of_channel(7), Standing::Ending);
                assert_eq!(peers.handle_gone(3), Some(7));
            } else {
                assert_eq!(peers.handle_gone(3), None);
                assert_eq!(peers.of_channel(7), Standing::Ending);
                peers.channel_gone(7);
            }
            assert_eq!((peers.of_channel(7), peers.0.len()), (Standing::Unknown, 0));
        }
    }

    #[test]
    fn two_connections_to_one_server_are_told_apart() {
        let mut peers = Peers::NEW;
        up(&mut peers);
        channel_up(&mut peers, 7, "10.0.0.2:4000");
        peers.connected(b"4,2,0,10.0.0.2,4001,10.0.0.1,8883");
        channel_up(&mut peers, 8, "10.0.0.2:4001");
        assert_eq!((peers.handle_of(7), peers.handle_of(8)), (Some(3), Some(4)));
    }

    /// A number that was not reported for an earlier connection does not become part of a later one.
    #[test]
    fn what_is_left_of_an_earlier_connection_to_the_same_server_is_another() {
        let mut peers = Peers::NEW;
        // The report of its handle, and that of its end, were lost.
        channel_up(&mut peers, 7, "10.0.0.2:4000");
        peers.channel_gone(7);
        peers.connected(b"4,2,0,10.0.0.2,4001,10.0.0.1,8883");
        assert_eq!((peers.channel_of(4), peers.handle_of(7)), (None, None));
        channel_up(&mut peers, 7, "10.0.0.2:4001");
        assert_eq!((peers.channel_of(4), peers.0.len()), (Some(7), 1));
        // The report of its channel was lost.
        peers.connected(b"5,2,0,10.0.0.2,4002,10.0.0.1,8883");
        channel_up(&mut peers, 8, "10.0.0.2:4003");
        assert_eq!(peers.channel_of(5), None);
    }

    #[test]
    fn a_local_end_that_is_not_told_fits_any() {
        let mut peers = Peers::NEW;
        peers.connected(b"3,2,0,0.0.0.0,0,10.0.0.1,8883");
        channel_up(&mut peers, 7, "10.0.0.2:4000");
        assert_eq!(peers.of_channel(7), Standing::Whole);
    }

    #[test]
    fn addresses_of_either_kind_are_read() {
        let mut peers = Peers::NEW;
        peers.connected(b"3,3,0,[fe80:0000:0000:0000:0000:0000:0000:0001],4000,[fe80:0000:0000:0000:0000:0000:0000:0002],5000");
        peers.channel_up(
            5,
            "[fe80::2]:5000".parse().unwrap(),
            "[fe80::1]:4000".parse().unwrap(),
        );
        assert_eq!(peers.of_channel(5), Standing::Whole);
        peers.connected(b"4,1,0,112233445566p,358");
        assert_eq!(peers.0.len(), 1);
    }
}
