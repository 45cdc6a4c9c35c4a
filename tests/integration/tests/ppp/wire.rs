//! PPP frames as bytes of the line.

use sectag_ppp::{Framer, Wire};

/// Returns the frame of a packet.
pub(crate) fn framed(wire: Wire, protocol: u16, content: &[u8]) -> Vec<u8> {
    let mut framer = Framer::new(wire, protocol, content);
    let mut out = vec![0; 2 * content.len() + 20];
    let len = framer.fill(&mut out);
    out.truncate(len);
    out
}

/// Returns protocol and content of a frame, whose header and protocol may be compressed.
pub(crate) fn taken_apart(frame: &[u8]) -> (u16, &[u8]) {
    let frame = frame.strip_prefix(&[0xFF, 3]).unwrap_or(frame);
    match *frame {
        [low, ref content @ ..] if low & 1 == 1 => (u16::from(low), content),
        [high, low, ref content @ ..] => (u16::from_be_bytes([high, low]), content),
        _ => panic!("half a header"),
    }
}
