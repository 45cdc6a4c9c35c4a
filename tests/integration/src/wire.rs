//! A wire that does not keep time: what the host sends arrives in other pieces, with pauses that it did not make and
//! without those that it made.

use std::future::Future;

use embassy_futures::join::join;
use embassy_time::{Duration, Instant, Timer, with_deadline};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, ReadHalf, WriteHalf};

/// What becomes of the bytes of the host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wire {
    /// They arrive as they were sent.
    Straight,
    /// In pieces of up to so many bytes, each after a pause of up to so many milliseconds. Three `+` in a row stay
    /// together, as what a UART sends in one go does: up to SLM 2.4 a driver has no other way to leave data mode.
    Torn { longest: usize, pause: u64 },
    /// With a pause of so many milliseconds in front of these bytes, where they come at once.
    Halting { before: &'static [u8], pause: u64 },
    /// All that was sent within so many milliseconds at once: shorter pauses are lost.
    Gathered { within: u64 },
    /// Of the `+++` that are sent for themselves, the one of this number, from 0, loses the byte at this place.
    Losing { nth: usize, at: usize },
}

/// Numbers that look random, always the same for one seed.
#[derive(Clone, Debug)]
pub struct Dice(u64);

impl Dice {
    /// The numbers of this seed.
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// One below `limit`.
    pub fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        ((mixed ^ (mixed >> 31)) % limit.max(1) as u64) as usize
    }
}

const COMMANDS: [&str; 11] = [
    "AT+CFUN=0",
    "at+cfun=0",
    "AT%CMNG=3,7,0",
    "AT#XRESET",
    "AT#XSLEEP=1",
    "AT+COPS=2;+CFUN=0",
    "AT",
    "AT#XSOCKET=0",
    "AT+QPOWD=0",
    "AT+QFDEL=\"*\"",
    "ATH",
];

/// About so many bytes of payload, rich in what a modem might take for something else.
pub fn treacherous(dice: &mut Dice, about: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    while bytes.len() < about {
        match dice.below(11) {
            0 | 1 => bytes.extend(vec![b'+'; 1 + dice.below(9)]),
            2 => bytes.extend(b"\r\n"),
            3 => bytes.push(b"\r\n"[dice.below(2)]),
            4 => bytes.push(b"\",\0\x1a\x1b"[dice.below(5)]),
            5 | 6 => {
                bytes.extend(COMMANDS[dice.below(COMMANDS.len())].bytes());
                bytes.extend([&b"\r\n"[..], b"\r", b"\n", b"", b";"][dice.below(5)]);
            }
            7 => {
                let answers = [&b"OK\r\n"[..], b"> ", b"#XDATAMODE: 0\r\n", b"SEND OK\r\n"];
                bytes.extend(answers[dice.below(4)]);
            }
            // Commands that are spelt with corrections.
            8 => {
                let corrected = [
                    &b"AX\x08T+CFUN=0\r\n"[..],
                    b"Axx\x7f\x7fT",
                    b"\x08",
                    b"A\x08\x7f",
                ];
                bytes.extend(corrected[dice.below(4)]);
            }
            9 => bytes.push(dice.below(256) as u8),
            _ => bytes.extend(vec![b'x'; dice.below(30)]),
        }
    }
    // What stands in front of the driver's own `+++`.
    bytes.extend(vec![b'+'; dice.below(10).saturating_sub(7)]);
    bytes
}

impl Wire {
    /// The host's end, the modem's end, and what moves bytes between them as long as it is polled.
    pub fn lay(self, seed: u64) -> (DuplexStream, DuplexStream, impl Future<Output = ()>) {
        let (host, near) = tokio::io::duplex(4096);
        let (far, device) = tokio::io::duplex(4096);
        let carry = async move {
            let (from_host, mut to_host) = tokio::io::split(near);
            let (mut from_modem, to_modem) = tokio::io::split(far);
            let back = tokio::io::copy(&mut from_modem, &mut to_host);
            let _ = join(self.carry(from_host, to_modem, Dice::new(seed)), back).await;
            std::future::pending::<()>().await;
        };
        (host, device, carry)
    }

    async fn carry(
        self,
        mut from: ReadHalf<DuplexStream>,
        mut to: WriteHalf<DuplexStream>,
        mut dice: Dice,
    ) {
        let mut buffer = [0; 4096];
        let mut escapes = 0;
        loop {
            let mut count = match from.read(&mut buffer).await {
                Ok(0) | Err(_) => return,
                Ok(count) => count,
            };
            if let Self::Gathered { within } = self {
                let deadline = Instant::now() + Duration::from_millis(within);
                while let Ok(Ok(more)) =
                    with_deadline(deadline, from.read(&mut buffer[count..])).await
                    && more > 0
                {
                    count += more;
                }
            }
            if let (Self::Losing { nth, at }, b"+++") = (self, &buffer[..count]) {
                if escapes == nth {
                    buffer.copy_within(at + 1..count, at);
                    count -= 1;
                }
                escapes += 1;
            }
            let mut rest = &buffer[..count];
            while !rest.is_empty() {
                let piece = match self {
                    Self::Torn { longest, pause } => {
                        Timer::after_millis(dice.below(pause as usize + 1) as u64).await;
                        cut(rest, 1 + dice.below(longest))
                    }
                    Self::Halting { before, pause } => {
                        let mut windows = rest.windows(before.len());
                        match windows.position(|window| window == before) {
                            Some(0) => {
                                Timer::after_millis(pause).await;
                                before.len()
                            }
                            Some(at) => at,
                            None => rest.len(),
                        }
                    }
                    Self::Straight | Self::Gathered { .. } | Self::Losing { .. } => rest.len(),
                };
                if to.write_all(&rest[..piece]).await.is_err() {
                    return;
                }
                rest = &rest[piece..];
            }
        }
    }
}

/// Where to cut near `at`, but not between three `+`.
fn cut(bytes: &[u8], at: usize) -> usize {
    let plus = |byte: &&u8| **byte == b'+';
    let at = at.min(bytes.len());
    let before = bytes[..at].iter().rev().take_while(plus).count();
    let behind = bytes[at..].iter().take_while(plus).count();
    if before > 0 && before + behind >= 3 {
        at + behind
    } else {
        at
    }
}
