//! The serial port: line rate and chunking.

use std::io;

use embassy_time::{Duration, Instant, Timer};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

use crate::core::Core;
use crate::options::Chunk;

/// The size of a piece when the line is paced, in bytes: 2.8 ms at 115200 baud, which is about a UART's
/// FIFO.
const PACED_PIECE: usize = 32;

/// The form in which bytes towards the host are cut.
#[derive(Clone, Copy)]
pub(crate) struct Cut {
    pub(crate) chunk: Chunk,
    /// Seed of random pieces.
    pub(crate) seed: u64,
}

/// A limiter that keeps a byte stream to its line rate.
struct Pace {
    free_at: Instant,
}

impl Pace {
    fn new() -> Self {
        Self {
            free_at: Instant::now(),
        }
    }

    async fn carry(&mut self, baud: Option<u32>, bytes: usize) {
        let Some(baud) = baud else { return };
        // 10 bits each: a start bit, eight data bits, a stop bit.
        let airtime = Duration::from_micros(bytes as u64 * 10_000_000 / u64::from(baud.max(1)));
        self.free_at = self.free_at.max(Instant::now()) + airtime;
        Timer::at(self.free_at).await;
    }
}

/// Moves bytes from the host to the modem, until the host is gone.
pub(crate) async fn receive(core: &Core, mut port: impl AsyncRead + Unpin) -> io::Result<()> {
    let mut pace = Pace::new();
    let mut buffer = [0; 2048];
    loop {
        let limit = if core.baud.get().is_some() {
            PACED_PIECE
        } else {
            buffer.len()
        };
        let n = port.read(&mut buffer[..limit]).await?;
        if n == 0 {
            return Ok(());
        }
        pace.carry(core.baud.get(), n).await;
        core.received(&buffer[..n]);
    }
}

/// Moves bytes from the modem to the host. A UART does not know whether its peer listens, so an error
/// of a write ends nothing: bytes that the host sent before still have to be read.
pub(crate) async fn transmit(core: &Core, cut: Cut, port: impl AsyncWrite + Unpin) {
    if let Err(error) = try_transmit(core, cut, port).await {
        log::debug!("the host takes no more output: {error}");
    }
    loop {
        core.take_output(usize::MAX).await;
    }
}

async fn try_transmit(core: &Core, cut: Cut, mut port: impl AsyncWrite + Unpin) -> io::Result<()> {
    let mut pace = Pace::new();
    let mut random = Random(cut.seed);
    loop {
        let mut limit = match cut.chunk {
            Chunk::Whole => usize::MAX,
            Chunk::Bytes(n) => n.max(1),
            Chunk::Random { max } => 1 + (random.next() as usize) % max.max(1),
        };
        if core.baud.get().is_some() {
            limit = limit.min(PACED_PIECE);
        }
        let piece = core.take_output(limit).await;
        pace.carry(core.baud.get(), piece.len()).await;
        port.write_all(&piece).await?;
        port.flush().await?;
        if cut.chunk != Chunk::Whole {
            // The host gets a turn here, so that it sees each piece alone.
            embassy_futures::yield_now().await;
        }
    }
}

/// A xorshift64* generator, which gives equal numbers on every platform.
pub(crate) struct Random(pub(crate) u64);

impl Random {
    pub(crate) fn next(&mut self) -> u32 {
        let mut x = self.0.max(1);
        x ^= x >> 12;
        x ^= x << 25;
        x ^= x >> 27;
        self.0 = x;
        (x.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 32) as u32
    }
}
