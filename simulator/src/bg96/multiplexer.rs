//! The multiplexer of 27.010 in its basic form, as far as a host needs it that finds it left on (sheet 1.8).

use std::rc::Rc;

use super::Bg96;
use crate::options::LeftOn;

/// The byte in front of and behind each frame.
const FLAG: u8 = 0xf9;
/// The type of a frame with unnumbered information (UIH).
const INFORMATION: u8 = 0xef;
/// The command of channel 0 that closes the multiplexer down, with an empty value.
const CLOSE_DOWN: [u8; 2] = [0xc3, 0x01];
/// The command of channel 1 that is carried out.
const RESTART: &[u8] = b"AT+CFUN=1,1\r";

impl Bg96 {
    /// Takes frames until one ends the multiplexer. Whatever is not in a frame is dropped.
    pub(super) async fn serve_frames(self: &Rc<Self>) {
        let LeftOn::Multiplexer { closes, restarts } = self.options.left_on else {
            return;
        };
        let mut bytes = Vec::new();
        let mut line = Vec::new();
        loop {
            let byte = self.core.read().await;
            if byte != FLAG {
                bytes.push(byte);
                continue;
            }
            match information(&std::mem::take(&mut bytes)) {
                Some((0, value)) if closes && value == CLOSE_DOWN => {
                    self.state.borrow_mut().multiplexes = false;
                    return;
                }
                Some((1, value)) if restarts => {
                    line.extend(value);
                    if !line.ends_with(b"\r") {
                        continue;
                    }
                    if std::mem::take(&mut line) != RESTART {
                        continue;
                    }
                    self.core.record(b"AT+CFUN=1,1");
                    self.core.send(&frame(1, b"\r\nOK\r\n"));
                    return self.reboot();
                }
                _ => {}
            }
        }
    }
}

/// Returns the frame of the modem that carries these bytes, up to 127, on a channel.
pub(super) fn frame(channel: u8, bytes: &[u8]) -> Vec<u8> {
    // The modem is the responder: its information has the C/R bit 0 (27.010, 5.2.1.2).
    let header = [channel << 2 | 1, INFORMATION, (bytes.len() as u8) << 1 | 1];
    [&[FLAG][..], &header, bytes, &[checksum(&header), FLAG]].concat()
}

/// Returns the channel and the content of a frame with information between two flags; `None` if it is none, or damaged.
fn information(bytes: &[u8]) -> Option<(u8, &[u8])> {
    let (header, rest) = bytes.split_first_chunk::<3>()?;
    let [address, kind, length] = *header;
    let (content, sum) = rest.split_at_checked((length >> 1).into())?;
    let whole = kind == INFORMATION && length & 1 == 1 && sum == [checksum(header)];
    whole.then_some((address >> 2, content))
}

/// Returns the frame check sequence over the header of a frame with information (27.010, 5.2.1.6 and annex B).
fn checksum(header: &[u8; 3]) -> u8 {
    let mut sum = 0xff_u8;
    for byte in header {
        sum ^= byte;
        for _ in 0..8 {
            sum = if sum & 1 == 1 {
                sum >> 1 ^ 0xe0
            } else {
                sum >> 1
            };
        }
    }
    !sum
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_close_down_frame_is_that_of_the_sheet() {
        // Sheet 1.8: F9 03 EF 05 C3 01 F2 F9.
        assert_eq!(checksum(&[0x03, 0xef, 0x05]), 0xf2);
        assert_eq!(
            information(&[0x03, 0xef, 0x05, 0xc3, 0x01, 0xf2]),
            Some((0, &CLOSE_DOWN[..]))
        );
        assert_eq!(information(&[0x03, 0xef, 0x05, 0xc3, 0x01, 0xf3]), None);
        assert_eq!(information(b"AT\r"), None);
    }

    #[test]
    fn output_of_the_modem_is_a_frame_of_its_channel() {
        let framed = frame(1, b"\r\nRING\r\n");
        assert_eq!(framed[..4], [FLAG, 0x05, INFORMATION, 0x11]);
        assert_eq!(
            information(&framed[1..framed.len() - 1]),
            Some((1, &b"\r\nRING\r\n"[..]))
        );
    }
}
