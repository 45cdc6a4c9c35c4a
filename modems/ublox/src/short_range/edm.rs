//! Extended data mode (sheet A.5): AT text, data of up to 255 channels, and events, in frames.
//!
//! ```text
//! AA | 0000 LLLL LLLLLLLL | id and type (2) | body | 55        L = 2 + length of the body
//! ```
//!
//! Nothing is escaped: AA and 55 may stand anywhere in a body, so a frame ends by its length alone. If
//! the 55 is missing, the AA did not begin a frame, and the bytes behind it are parsed again, as far as
//! they were kept.

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use sectag::modem::{Framing, Unit};

pub(super) const START: u8 = 0xaa;
pub(super) const END: u8 = 0x55;
/// Frames from the module: connect event, disconnect event, data, part of an answer, URC, and start of
/// the mode.
pub(super) const CONNECT: u16 = 0x0011;
pub(super) const DISCONNECT: u16 = 0x0021;
pub(super) const DATA_EVENT: u16 = 0x0031;
pub(super) const AT_EVENT: u16 = 0x0041;
pub(super) const AT_CONFIRMATION: u16 = 0x0045;
pub(super) const STARTED: u16 = 0x0071;
/// Frames to the module.
const DATA_COMMAND: u16 = 0x0036;
pub(super) const AT_REQUEST: u16 = 0x0044;

/// The length of AA, length field, id and type. A data frame has its channel behind them.
const HEAD: usize = 5;
/// The longest body of a text frame: the vendor's library cuts text into pieces of this length (sheet
/// A.4.1).
const TEXT_LIMIT: usize = 200;
/// The longest body of a data command, of what the twelve bits of the length can express (sheet A.5).
const DATA_LIMIT: usize = 0xffc - 3;
/// The plain text that a module sends when it has started, in whatever mode it is (sheet A.1.2).
pub(super) const BANNER: &[u8] = b"\r\n+STARTUP\r\n";
/// The length of id, type and body of the longest known event: a connection over IPv6.
const EVENT_LIMIT: usize = 0x29;
/// Every byte value, so that a single kept byte can be handed out as a slice.
static BYTES: [u8; 256] = {
    let mut bytes = [0; 256];
    let mut at = 0;
    while at < bytes.len() {
        bytes[at] = at as u8;
        at += 1;
    }
    bytes
};

/// The framing of extended data mode, both ways.
///
/// The first `KEPT` bytes of a frame are kept until it has ended, in case it was none; further bytes
/// are then lost. A broken frame resets every connection anyway, so no loss of data goes unnoticed.
///
/// The backend has to report by [`is_framed`](sectag::modem::Modem::is_framed) that the module is in
/// this mode. Before that, frames are understood as well, and everything else is text, since the `OK`
/// to `ATO2` comes before or behind the start event (sheet A.1.3).
#[derive(Debug)]
pub struct Edm<const KEPT: usize = 512> {
    state: State,
    /// The incoming frame, from its AA at `start` on. While kept bytes are parsed again, those behind
    /// `at`, the next byte to parse, are in here as well.
    kept: [u8; KEPT],
    start: usize,
    at: usize,
    end: usize,
    /// Not all bytes of this frame were kept.
    overflow: bool,
    /// Bytes between the kept ones and the next input are lost.
    gap: bool,
    /// The AA at `at` is known not to begin a frame.
    literal: bool,
    /// The number of bytes of the head that were parsed.
    head_len: u8,
    /// The number of bytes of the body still to come.
    left: usize,
    kind: u16,
    /// The number of bytes of the banner that were seen.
    banner: u8,
    /// The whole banner was seen inside this frame.
    said_started: bool,
    broken_due: bool,
    restarted_due: bool,
    /// A unit `Broken` was reported since the last complete head of a frame.
    reported: bool,
    abandoned: bool,
    event: [u8; EVENT_LIMIT],
    event_len: usize,
    until: u32,
    /// The head of the outgoing frame.
    out_head: [u8; HEAD + 1],
    /// The length of that head.
    out_head_len: usize,
    /// The number of bytes of the outgoing frame that are out.
    out: usize,
    /// The length of its body.
    out_body: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Between,
    Head,
    Text,
    Data,
    /// An event, or a frame that is skipped.
    Other,
}

impl<const KEPT: usize> Edm<KEPT> {
    /// Takes one byte, a kept one or one of the input.
    fn take(&mut self, input: &mut &[u8]) -> Option<u8> {
        let byte = self.look(input)?;
        if self.is_replaying() {
            self.at += 1;
        } else {
            *input = &input[1..];
            self.keep(&[byte]);
        }
        Some(byte)
    }

    fn look(&self, input: &[u8]) -> Option<u8> {
        if self.is_replaying() {
            return self.kept.get(self.at).copied();
        }
        input.first().copied()
    }

    fn is_replaying(&self) -> bool {
        self.at < self.end
    }

    /// Keeps new bytes in case this is no frame; a banner in them counts then.
    fn keep(&mut self, bytes: &[u8]) {
        let fits = bytes.len().min(KEPT - self.end);
        self.kept[self.end..self.end + fits].copy_from_slice(&bytes[..fits]);
        self.end += fits;
        self.at = self.end;
        self.overflow |= fits < bytes.len();
        self.said_started |= self.is_banner(bytes);
    }

    /// Returns whether the banner ends in these bytes.
    fn is_banner(&mut self, bytes: &[u8]) -> bool {
        let mut ends = false;
        for &byte in bytes {
            if byte == BANNER[usize::from(self.banner)] {
                self.banner += 1;
            } else {
                self.banner = (byte == BANNER[0]).into();
            }
            if usize::from(self.banner) == BANNER.len() {
                self.banner = 0;
                ends = true;
            }
        }
        ends
    }

    /// Ends a frame that was none: the bytes behind its AA are parsed again.
    fn broken(&mut self, framed: bool) {
        let only_head = self.state == State::Head;
        self.state = State::Between;
        self.gap |= core::mem::take(&mut self.overflow);
        let started = core::mem::take(&mut self.said_started);
        if only_head && !framed {
            // The AA was part of text.
            self.at = self.start;
            self.literal = true;
            return;
        }
        self.at = self.start + 1;
        self.broken_due = !core::mem::replace(&mut self.reported, true);
        self.restarted_due = started && framed;
    }

    /// Forgets the kept bytes.
    fn forget(&mut self) {
        (self.start, self.at, self.end) = (0, 0, 0);
    }

    /// Parses a byte of the head; returns whether a data frame has begun.
    fn byte_of_head(&mut self, byte: u8, framed: bool) -> bool {
        self.head_len += 1;
        let length = match self.kept.get(self.start + 1..self.start + 3) {
            Some([high, low]) => usize::from(*high & 0x0f) << 8 | usize::from(*low),
            _ => 0,
        };
        match self.head_len {
            2 if byte & 0xf0 != 0 => self.broken(framed),
            3 if length < 2 => self.broken(framed),
            4 => self.kind = u16::from(byte) << 8,
            5 => {
                self.kind |= u16::from(byte);
                self.left = length - 2;
                let known = match self.kind {
                    AT_EVENT | AT_CONFIRMATION => {
                        self.state = State::Text;
                        true
                    }
                    DATA_EVENT if self.left > 0 => return false,
                    CONNECT | DISCONNECT | STARTED => {
                        self.state = State::Other;
                        true
                    }
                    _ => false,
                };
                self.event[..2].copy_from_slice(&self.kind.to_be_bytes());
                self.event_len = 2;
                if !known && !framed {
                    self.broken(framed);
                } else if !known {
                    self.state = State::Other;
                }
                self.reported = false;
            }
            6 => {
                self.left -= 1;
                self.state = State::Data;
                self.reported = false;
                return true;
            }
            _ => {}
        }
        false
    }

    /// Parses the byte behind the body: the frame ends here, or was none.
    fn end_of_body(&mut self, framed: bool, input: &mut &[u8]) -> Option<Option<Unit<'static>>> {
        if self.look(input)? != END {
            self.broken(framed);
            return Some(None);
        }
        if self.is_replaying() {
            self.at += 1;
        } else {
            *input = &input[1..];
            self.forget();
        }
        let state = core::mem::replace(&mut self.state, State::Between);
        self.banner = 0;
        self.said_started = false;
        self.overflow = false;
        self.reported = false;
        Some(match (state, self.kind) {
            (State::Data, _) => Some(Unit::End),
            (State::Other, _) if Event::parse(self.event()).is_some() => Some(Unit::Event),
            // An unknown frame is skipped by its length, as in the vendor's library. But one altered
            // bit can make it of a data frame, so it is reported as broken.
            (State::Other, _) => Some(Unit::Broken),
            _ => None,
        })
    }

    /// Returns a run of up to `most` bytes, whose values do not matter to the framing.
    fn run<'a>(&self, input: &'a [u8], most: usize) -> Option<&'a [u8]> {
        if self.is_replaying() {
            let byte = usize::from(self.look(input)?);
            return BYTES.get(byte..=byte);
        }
        let part = input.get(..most.min(input.len()))?;
        (!part.is_empty()).then_some(part)
    }

    fn between<'a>(&mut self, framed: bool, input: &mut &'a [u8]) -> Option<Option<Unit<'a>>> {
        let byte = self.look(input)?;
        if byte == START && !self.literal {
            if self.is_replaying() {
                self.start = self.at;
            } else {
                self.forget();
            }
            self.said_started = false;
            self.overflow = false;
            self.head_len = 1;
            self.state = State::Head;
            self.take(input);
            return Some(None);
        }
        if !framed {
            let most = input.iter().position(|&byte| byte == START);
            let text = self.run(input, most.unwrap_or(input.len()))?;
            return Some(Some(Unit::Text(text)));
        }
        self.literal = false;
        if self.is_replaying() {
            self.at += 1;
        } else {
            *input = &input[1..];
            self.restarted_due = self.is_banner(&[byte]);
        }
        self.broken_due = !core::mem::replace(&mut self.reported, true);
        Some(None)
    }
}

impl<const KEPT: usize> Framing for Edm<KEPT> {
    const NEW: Self = {
        assert!(KEPT >= 16, "a head must fit into what is kept");
        Self {
            state: State::Between,
            kept: [0; KEPT],
            start: 0,
            at: 0,
            end: 0,
            overflow: false,
            gap: false,
            literal: false,
            head_len: 0,
            left: 0,
            kind: 0,
            banner: 0,
            said_started: false,
            broken_due: false,
            restarted_due: false,
            reported: false,
            abandoned: false,
            event: [0; EVENT_LIMIT],
            event_len: 0,
            until: 0,
            out_head: [0; HEAD + 1],
            out_head_len: 0,
            out: 0,
            out_body: 0,
        }
    };
    const FRAMES: bool = true;

    fn next<'a>(&mut self, framed: bool, input: &mut &'a [u8]) -> Option<Unit<'a>> {
        loop {
            if core::mem::take(&mut self.abandoned) && self.state != State::Between {
                self.broken(framed);
            }
            if core::mem::take(&mut self.broken_due) {
                return Some(Unit::Broken);
            }
            if core::mem::take(&mut self.restarted_due) {
                return Some(Unit::Restarted);
            }
            if !self.is_replaying() {
                if self.state == State::Between {
                    self.gap = false;
                    self.forget();
                } else if self.gap {
                    self.broken(framed);
                    continue;
                } else if self.start > 0 {
                    self.kept.copy_within(self.start..self.end, 0);
                    self.end -= self.start;
                    (self.start, self.at) = (0, self.end);
                }
            }
            match self.state {
                State::Between => {
                    if let Some(unit) = self.between(framed, input)? {
                        return Some(unit);
                    }
                }
                State::Head => {
                    let byte = self.take(input)?;
                    if self.byte_of_head(byte, framed) {
                        return Some(Unit::Begin { channel: byte });
                    }
                }
                _ if self.left == 0 => {
                    if let Some(unit) = self.end_of_body(framed, input)? {
                        return Some(unit);
                    }
                }
                State::Text => return self.run(input, self.left).map(Unit::Text),
                State::Data => return self.run(input, self.left).map(Unit::Data),
                State::Other => {
                    let byte = self.take(input)?;
                    self.left -= 1;
                    match self.event.get_mut(self.event_len) {
                        Some(room) => {
                            *room = byte;
                            self.event_len += 1;
                        }
                        // The frame is longer than any event.
                        None => self.event[..2].fill(0),
                    }
                }
            }
        }
    }

    fn consume(&mut self, input: &mut &[u8], count: usize) {
        let inside = self.state != State::Between;
        if inside {
            self.left = self.left.saturating_sub(count);
        }
        if self.is_replaying() {
            self.literal &= count == 0;
            self.at = self.end.min(self.at + count);
            return;
        }
        let (taken, rest) = input.split_at(count.min(input.len()));
        *input = rest;
        if inside {
            self.keep(taken);
        }
    }

    fn event(&self) -> &[u8] {
        &self.event[..self.event_len]
    }

    fn data_left(&self) -> usize {
        if self.state == State::Data {
            self.left
        } else {
            0
        }
    }

    fn is_in_data(&self) -> bool {
        self.state == State::Data
    }

    fn until(&mut self) -> Option<&mut u32> {
        Some(&mut self.until)
    }

    fn is_inside(&self) -> bool {
        self.state != State::Between
    }

    fn give_up(&mut self) {
        self.abandoned = true;
    }

    fn reset(&mut self) {
        *self = Self::NEW;
    }

    fn head(&mut self, channel: Option<u8>, left: usize, into: &mut [u8]) -> (usize, usize) {
        if self.out == 0 {
            let (kind, limit) = match channel {
                Some(_) => (DATA_COMMAND, DATA_LIMIT),
                None => (AT_REQUEST, TEXT_LIMIT),
            };
            self.out_head_len = HEAD + usize::from(channel.is_some());
            self.out_body = left.min(limit);
            let length = (self.out_body + self.out_head_len - 3) as u16;
            let ([l1, l0], [k1, k0]) = (length.to_be_bytes(), kind.to_be_bytes());
            self.out_head = [START, l1, l0, k1, k0, channel.unwrap_or(0)];
        }
        let behind = self
            .out_head
            .get(self.out..self.out_head_len)
            .unwrap_or(&[]);
        let count = behind.len().min(into.len());
        into[..count].copy_from_slice(&behind[..count]);
        let sent = self.out.saturating_sub(self.out_head_len);
        let room = if count < behind.len() {
            0
        } else {
            self.out_body.saturating_sub(sent)
        };
        (count, room)
    }

    fn tail(&self, count: usize, into: &mut [u8]) -> usize {
        let body = self.out.saturating_sub(self.out_head_len) + count;
        match into.first_mut() {
            Some(end) if body == self.out_body => {
                *end = END;
                1
            }
            _ => 0,
        }
    }

    fn sent(&mut self, count: usize) -> usize {
        let body = |out: usize| out.saturating_sub(self.out_head_len).min(self.out_body);
        let content = body(self.out + count) - body(self.out);
        self.out += count;
        if self.out > self.out_head_len + self.out_body {
            self.out = 0;
        }
        content
    }

    fn is_open(&self) -> bool {
        self.out > 0
    }

    fn restart_out(&mut self) {
        self.out = 0;
    }
}

/// The protocol of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    /// TCP.
    Tcp,
    /// UDP.
    Udp,
    /// MQTT, spoken by the module. `+UUDPC` has another number for it.
    Mqtt,
    /// An unknown protocol.
    Other(u8),
}

/// Both ends of a connection. They match it with a `+UUDPC`, which has the module's handle and not the
/// channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Endpoint {
    /// The protocol of the connection.
    pub protocol: Protocol,
    /// The peer's address and port.
    pub remote: SocketAddr,
    /// The module's address and port.
    pub local: SocketAddr,
}

/// An event frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// A connection was opened; its data goes over `channel`.
    Connected {
        /// The channel of the connection.
        channel: u8,
        /// Both ends of the connection; `None` for Bluetooth.
        endpoint: Option<Endpoint>,
    },
    /// A connection was closed.
    Disconnected {
        /// The channel that the connection had.
        channel: u8,
    },
    /// The module is in extended data mode from here on.
    Started,
}

impl Event {
    /// Reads the bytes of [`Framing::event`]; returns `None` if the length does not fit the type.
    pub fn parse(event: &[u8]) -> Option<Self> {
        let (kind, body) = event.split_first_chunk()?;
        match (u16::from_be_bytes(*kind), body) {
            (STARTED, []) => Some(Self::Started),
            (DISCONNECT, [channel]) => Some(Self::Disconnected { channel: *channel }),
            // Profile, address and frame size.
            (CONNECT, [channel, 1, rest @ ..]) if rest.len() == 9 => Some(Self::Connected {
                channel: *channel,
                endpoint: None,
            }),
            (CONNECT, [channel, kind @ (2 | 3), protocol, ends @ ..]) => {
                let (remote, ends) = address(*kind, ends)?;
                let (local, []) = address(*kind, ends)? else {
                    return None;
                };
                let protocol = match protocol {
                    0 => Protocol::Tcp,
                    1 => Protocol::Udp,
                    2 => Protocol::Mqtt,
                    other => Protocol::Other(*other),
                };
                Some(Self::Connected {
                    channel: *channel,
                    endpoint: Some(Endpoint {
                        protocol,
                        remote,
                        local,
                    }),
                })
            }
            _ => None,
        }
    }
}

/// Reads an address with its port, and returns the rest of the bytes.
fn address(kind: u8, text: &[u8]) -> Option<(SocketAddr, &[u8])> {
    let (ip, rest): (IpAddr, &[u8]) = if kind == 2 {
        let (ip, rest) = text.split_first_chunk::<4>()?;
        (Ipv4Addr::from(*ip).into(), rest)
    } else {
        let (ip, rest) = text.split_first_chunk::<16>()?;
        (Ipv6Addr::from(*ip).into(), rest)
    };
    let (port, rest) = rest.split_first_chunk()?;
    Some((SocketAddr::new(ip, u16::from_be_bytes(*port)), rest))
}
