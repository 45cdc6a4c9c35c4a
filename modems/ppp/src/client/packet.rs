//! Control packets of PPP: code, identifier, length, and options in some (RFC 1661, 5 and 6).

/// The protocols that this client speaks.
pub(crate) mod protocol {
    pub(crate) const IPV4: u16 = 0x0021;
    pub(crate) const IPCP: u16 = 0x8021;
    pub(crate) const LCP: u16 = 0xC021;
    pub(crate) const PAP: u16 = 0xC023;
    pub(crate) const CHAP: u16 = 0xC223;
}

/// The codes of LCP. IPCP has the first seven.
pub(crate) mod code {
    pub(crate) const CONFIGURE_REQUEST: u8 = 1;
    pub(crate) const CONFIGURE_ACK: u8 = 2;
    pub(crate) const CONFIGURE_NAK: u8 = 3;
    pub(crate) const CONFIGURE_REJECT: u8 = 4;
    pub(crate) const TERMINATE_REQUEST: u8 = 5;
    pub(crate) const TERMINATE_ACK: u8 = 6;
    pub(crate) const CODE_REJECT: u8 = 7;
    pub(crate) const PROTOCOL_REJECT: u8 = 8;
    pub(crate) const ECHO_REQUEST: u8 = 9;
    pub(crate) const ECHO_REPLY: u8 = 10;
    /// The last code that LCP extensions define (RFC 1570): identification, time remaining.
    pub(crate) const LAST: u8 = 13;
}

/// A received control packet.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Control<'p> {
    pub(crate) code: u8,
    pub(crate) id: u8,
    pub(crate) data: &'p [u8],
}

impl<'p> Control<'p> {
    /// Parses a packet; returns `None` if it is shorter than its length field says, or than its header.
    /// Bytes behind that length are padding.
    pub(crate) fn parse(bytes: &'p [u8]) -> Option<Self> {
        let &[code, id, high, low, ..] = bytes else {
            return None;
        };
        let data = bytes.get(4..usize::from(u16::from_be_bytes([high, low])))?;
        Some(Self { code, id, data })
    }
}

/// An option of a configuration request.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Item<'p> {
    pub(crate) kind: u8,
    pub(crate) value: &'p [u8],
    /// The whole option, with kind and length.
    pub(crate) raw: &'p [u8],
}

/// The options of a configuration request whose lengths add up.
#[derive(Clone, Copy)]
pub(crate) struct Items<'p>(&'p [u8]);

impl<'p> Items<'p> {
    /// Parses options; returns `None` if the lengths do not add up. The whole packet is dropped then.
    pub(crate) fn parse(data: &'p [u8]) -> Option<Self> {
        let mut rest = data;
        while !rest.is_empty() {
            rest = split(rest)?.1;
        }
        Some(Self(data))
    }
}

impl<'p> Iterator for Items<'p> {
    type Item = Item<'p>;

    fn next(&mut self) -> Option<Item<'p>> {
        let (item, rest) = split(self.0)?;
        self.0 = rest;
        Some(item)
    }
}

fn split(bytes: &[u8]) -> Option<(Item<'_>, &[u8])> {
    let &[kind, len, ..] = bytes else { return None };
    let (raw, rest) = bytes.split_at_checked(usize::from(len))?;
    let value = raw.get(2..)?;
    Some((Item { kind, value, raw }, rest))
}

/// An outgoing control packet.
#[derive(Clone, Debug)]
pub struct Packet {
    protocol: u16,
    bytes: [u8; Packet::ROOM],
    len: usize,
}

impl Packet {
    /// Enough room to refuse one option of any length.
    const ROOM: usize = 264;

    pub(crate) fn new(protocol: u16, code: u8, id: u8) -> Self {
        let mut bytes = [0; Self::ROOM];
        bytes[0] = code;
        bytes[1] = id;
        Self {
            protocol,
            bytes,
            len: 4,
        }
    }

    /// Returns the protocol, for the frame's header.
    pub fn protocol(&self) -> u16 {
        self.protocol
    }

    /// Returns the bytes that follow the protocol in the frame.
    pub fn content(&self) -> &[u8] {
        &self.bytes[..self.len]
    }

    /// Returns the bytes behind the packet's header.
    pub(crate) fn data(&self) -> &[u8] {
        &self.bytes[4..self.len]
    }

    /// Returns whether nothing has been appended yet.
    pub(crate) fn is_bare(&self) -> bool {
        self.len == 4
    }

    /// Appends all bytes, or none if there is no room; returns whether they were appended.
    pub(crate) fn put(&mut self, bytes: &[u8]) -> bool {
        let Some(room) = self.bytes.get_mut(self.len..self.len + bytes.len()) else {
            return false;
        };
        room.copy_from_slice(bytes);
        self.len += bytes.len();
        true
    }

    /// Appends as much of it as there is room for, and `limit` allows.
    pub(crate) fn put_start(&mut self, bytes: &[u8], limit: usize) {
        let count = bytes.len().min(limit).min(Self::ROOM - self.len);
        self.put(&bytes[..count]);
    }

    /// Appends an option.
    pub(crate) fn option(&mut self, kind: u8, value: &[u8]) -> bool {
        let start = self.len;
        let whole = self.put(&[kind, value.len() as u8 + 2]) && self.put(value);
        if !whole {
            self.len = start;
        }
        whole
    }

    /// Writes its length into it.
    pub(crate) fn sealed(mut self) -> Self {
        let [high, low] = (self.len as u16).to_be_bytes();
        self.bytes[2] = high;
        self.bytes[3] = low;
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_that_cannot_be_are_refused() {
        for bytes in [
            &b""[..],
            b"\x01\x01\x00",
            b"\x01\x01\x00\x00",
            b"\x01\x01\x00\x03",
            b"\x01\x01\x00\x05",
            b"\x01\x01\xFF\xFF\x01\x02",
        ] {
            assert!(Control::parse(bytes).is_none(), "{bytes:?}");
        }
        let control = Control::parse(b"\x01\x07\x00\x05\x09padding").unwrap();
        assert_eq!((control.id, control.data), (7, &b"\x09"[..]));
        for bytes in [
            &b"\x01"[..],
            b"\x01\x00",
            b"\x01\x01",
            b"\x01\x03\x00\x05",
            b"\x01\x02\x01",
        ] {
            assert!(Items::parse(bytes).is_none(), "{bytes:?}");
        }
        assert_eq!(Items::parse(b"\x07\x02\x05\x03\x01").unwrap().count(), 2);
    }

    #[test]
    fn what_does_not_fit_is_left_out_whole() {
        let mut packet = Packet::new(1, 2, 3);
        assert!(packet.option(1, &[0; 253]));
        assert!(!packet.option(2, &[0; 4]) && packet.option(3, &[1]));
        packet.put_start(&[9; 100], 50);
        let packet = packet.sealed();
        assert_eq!(packet.content().len(), 264);
        assert_eq!(&packet.content()[..4], [2, 3, 1, 8]);
    }
}
