//! The task that owns the SPI. It reads whole messages when the interrupt line asks for it, and writes whole commands in between.

use core::convert::Infallible;

use embassy_futures::poll_once;
use embassy_futures::select::{Either3, select3};
use embassy_time::{Duration, Instant, Timer};
use embedded_hal_async::digital::Wait;
use embedded_hal_async::spi::SpiDevice;

use super::super::command::SYNC;
use super::super::messages::is_sync;
use super::link::{Life, Link, PIECE};

/// The word "CNYS", which the host writes before it reads (sheet 3.1).
const READ_SYNC: [u8; 4] = [0x65, 0x87, 0x78, 0x56];
/// The byte that is clocked out while the chip is read (sheet 2).
const READING: u8 = 0xff;
/// The time limit of the search for a message (sheet 2).
const SYNC_LIMIT: Duration = Duration::from_millis(50);
/// The number of words that the search reads without a pause; the rest are read a millisecond apart.
const QUICK_WORDS: u32 = 16;
/// The interval at which the level of the interrupt line is looked at without an interrupt, so that a lost one costs no more.
const LOOK: Duration = Duration::from_millis(500);
/// The pause before the first message is read, which the first generation needs (sheet 2).
const FIRST_PAUSE: Duration = Duration::from_micros(50);

/// The owner of the SPI and the interrupt line; made by [`Link::split`].
#[must_use = "nothing passes unless `run` is awaited beside the runner"]
#[derive(Debug)]
pub struct Bus<'a, D, I> {
    link: &'a Link,
    device: D,
    host_intr: I,
    life: Life,
    /// The number of messages since the chip started, of which the low two bits matter.
    number: u8,
    /// Whether no message has come since the chip started.
    is_first: bool,
    /// Whether the chip was told that it is read, and its message was not found yet.
    has_asked: bool,
    /// Whether the chip asked to be read the last time, and had no message.
    was_idle: bool,
}

/// The result of a search for a message.
enum Search {
    /// Sync word, opcode and length of a message.
    Message([u8; 8]),
    /// No message: the chip repeated one word.
    Idle,
    /// Bytes that are not a message.
    Noise,
}

impl<'a, D: SpiDevice, I: Wait> Bus<'a, D, I> {
    pub(super) fn new(link: &'a Link, device: D, host_intr: I) -> Self {
        Self {
            link,
            device,
            host_intr,
            life: 0,
            number: 0,
            is_first: true,
            has_asked: false,
            was_idle: false,
        }
    }

    /// Carries messages and commands for ever. Await it beside the runner, and drop it only with the runner: a transfer that is
    /// dropped in its middle leaves the chip selected.
    pub async fn run(&mut self) -> Infallible {
        self.link.resume();
        loop {
            let life = self.link.runs().await;
            if life != self.life {
                self.life = life;
                self.number = 0;
                self.is_first = true;
                self.has_asked = false;
                self.was_idle = false;
            }
            // The level counts: the line may have risen before this wait, and stays high while a message waits (sheet 2).
            let interrupt = async {
                if self.has_asked {
                    // A transfer failed after the chip was told that it is read, and the line is low now.
                    return Ok(());
                }
                self.host_intr.wait_for_high().await
            };
            let output = self.link.has_output(life);
            match select3(interrupt, output, Timer::after(LOOK)).await {
                _ if !self.link.is_still(life) => {}
                Either3::First(Ok(())) => {
                    self.link.set_busy(true);
                    self.message().await;
                    self.link.set_busy(false);
                }
                Either3::First(Err(_)) => self.link.fail(life).await,
                Either3::Second(()) => {
                    self.link.set_busy(true);
                    self.command().await;
                    self.link.set_busy(false);
                }
                // The interrupt may have been lost, so the level is looked at again.
                Either3::Third(()) => {}
            }
        }
    }

    // Messages.

    /// Reads a whole message.
    async fn message(&mut self) {
        let search = match self.search().await {
            Ok(search) => search,
            // No part of a message was taken, so it is tried again.
            Err(_) => return self.link.fail(self.life).await,
        };
        self.has_asked = false;
        let head = match search {
            Search::Message(head) => head,
            // A chip that starts may raise the line without a message.
            _ if self.is_first => return Timer::after(LOOK).await,
            // No message was missed, unless the chip goes on asking.
            Search::Idle if !self.was_idle || !self.is_asked() => {
                self.was_idle = self.is_asked();
                return;
            }
            Search::Idle | Search::Noise => return self.lost().await,
        };
        self.number = self.number.wrapping_add(1);
        self.is_first = false;
        self.was_idle = false;
        let mut left = usize::from(u16::from_le_bytes([head[6], head[7]])).next_multiple_of(4);
        if self.link.give(self.life, &head).await.is_err() {
            return;
        }
        while left > 0 {
            let mut piece = [READING; PIECE];
            let piece = &mut piece[..left.min(PIECE)];
            if self.device.transfer_in_place(piece).await.is_err() {
                // The next message would be taken for the rest of this one.
                return self.link.tear(self.life);
            }
            if self.link.give(self.life, piece).await.is_err() {
                return;
            }
            left -= piece.len();
        }
    }

    /// Asks for a message and looks for its sync word, at any offset (sheet 3.1).
    async fn search(&mut self) -> Result<Search, D::Error> {
        if !self.has_asked {
            self.device.write(&READ_SYNC).await?;
            self.has_asked = true;
            if self.is_first {
                Timer::after(FIRST_PAUSE).await;
            }
        }
        let until = Instant::now() + SYNC_LIMIT;
        let mut window = self.read::<8>().await?;
        let first = word(&window, 0);
        let (mut words, mut is_idle) = (0, word(&window, 4) == first);
        let offset = loop {
            let mut offsets = 0..=4;
            if let Some(offset) = offsets.find(|at| is_sync(word(&window, *at), self.number)) {
                break offset;
            }
            if Instant::now() >= until {
                return Ok(if is_idle { Search::Idle } else { Search::Noise });
            }
            if words >= QUICK_WORDS {
                Timer::after_millis(1).await;
            }
            words += 1;
            window.copy_within(4.., 0);
            window[4..].copy_from_slice(&self.read::<4>().await?);
            is_idle &= word(&window, 4) == first;
        };
        let mut head = [READING; 8];
        let have = 8 - offset;
        head[..have].copy_from_slice(&window[offset..]);
        // This is the only transfer whose length is not a multiple of four; it aligns those after it to words.
        if have < 8 {
            self.device.transfer_in_place(&mut head[have..]).await?;
        }
        // The chip may send the sync word twice.
        for _ in 0..QUICK_WORDS {
            if !is_sync(word(&head, 4), self.number) {
                return Ok(Search::Message(head));
            }
            head[4..].copy_from_slice(&self.read::<4>().await?);
        }
        Ok(Search::Noise)
    }

    async fn read<const N: usize>(&mut self) -> Result<[u8; N], D::Error> {
        let mut bytes = [READING; N];
        self.device.transfer_in_place(&mut bytes).await?;
        Ok(bytes)
    }

    /// Returns whether the interrupt line is high.
    fn is_asked(&mut self) -> bool {
        poll_once(self.host_intr.wait_for_high()).is_ready()
    }

    /// Gives the engine bytes that are not a message, so that it finds out that the chip is out of step.
    async fn lost(&mut self) {
        if self.link.give(self.life, &[READING; 8]).await.is_ok() {
            self.link.tear(self.life);
        }
    }

    // Commands.

    /// Writes a whole command. Sync word, header and rest are separate transfers, as in TI's driver (sheet 2).
    async fn command(&mut self) {
        let mut left = usize::MAX;
        let mut written = 0;
        let mut piece = [0; PIECE];
        while left > 0 {
            // Sync word, then opcode and length, are four bytes each.
            let limit = if written < 8 { 4 } else { left.min(PIECE) };
            let Ok(count) = self.link.take(self.life, &mut piece[..limit]).await else {
                break;
            };
            let bytes = &piece[..count];
            if written == 0 && *bytes != SYNC {
                // Bytes in front of the sync word are meant for a UART.
                return;
            }
            if self.device.write(bytes).await.is_err() {
                self.lost().await;
                break;
            }
            if written == 4 {
                left = usize::from(u16::from_le_bytes([bytes[2], bytes[3]])).next_multiple_of(4);
            } else if written > 4 {
                left -= count;
            }
            written += count;
        }
        // The piece may be of a key.
        zeroize::Zeroize::zeroize(&mut piece);
    }
}

fn word(bytes: &[u8; 8], at: usize) -> u32 {
    u32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]])
}
