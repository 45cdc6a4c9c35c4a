//! CMSDK APB UART 1, interrupt-driven in both directions.
//!
//! The hardware holds one byte each way, so handlers move bytes between it and two rings.
//! When the receive ring is full, the last byte stays in the hardware: the peer is held up, as
//! by an RTS line. QEMU honours that. Hardware without such a line overruns, which is counted.

use core::convert::Infallible;
use core::future::poll_fn;
use core::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use core::task::Poll;

use embassy_sync::once_lock::OnceLock;
use embassy_sync::waitqueue::AtomicWaker;
use embedded_io_async::{ErrorType, Read, Write};

use super::CLOCK_HZ;
use super::mmio::Register;
use super::ring::{Ring, RingOf};
use super::vectors::Irq;

const BASE: usize = 0x4000_5000;
// SAFETY: the UART's registers (Arm DDI 0479); none touches memory.
const DATA: Register = unsafe { Register::at(BASE) };
// SAFETY: as above.
const STATE: Register = unsafe { Register::at(BASE + 0x04) };
// SAFETY: as above.
const CTRL: Register = unsafe { Register::at(BASE + 0x08) };
// SAFETY: as above.
const INTCLEAR: Register = unsafe { Register::at(BASE + 0x0C) };
// SAFETY: as above.
const BAUDDIV: Register = unsafe { Register::at(BASE + 0x10) };

const STATE_TX_FULL: u32 = 1 << 0;
const STATE_RX_FULL: u32 = 1 << 1;
const STATE_RX_OVERRUN: u32 = 1 << 3;
/// Both directions and their interrupts; not the overrun interrupts, since `on_receive` looks.
const CTRL_ALL: u32 = 0b1111;
const INT_TX: u32 = 1 << 0;
const INT_RX: u32 = 1 << 1;

struct Rings {
    rx: &'static Ring,
    tx: &'static Ring,
}

static RINGS: OnceLock<Rings> = OnceLock::new();
static RX_WAKER: AtomicWaker = AtomicWaker::new();
static TX_WAKER: AtomicWaker = AtomicWaker::new();
/// A byte waits in the hardware for room in the ring.
static RX_HELD: AtomicBool = AtomicBool::new(false);
static OVERRUNS: AtomicU32 = AtomicU32::new(0);

/// The UART before it runs.
pub struct Uart(());

impl Uart {
    pub(super) fn new() -> Self {
        Self(())
    }

    /// Starts at `baud`, 8N1, with a ring of 256 bytes for what comes.
    ///
    /// That is enough only because QEMU's UART holds its sender back. A board without RTS and CTS needs room for one fetch
    /// and 128 bytes: 1152, see the README.
    pub fn start(self, baud: u32) -> (UartRx, UartTx) {
        static RX: RingOf<256> = RingOf::new();
        static TX: RingOf<64> = RingOf::new();
        self.start_with(baud, &RX, &TX)
    }

    /// Starts at `baud`, 8N1, with these rings.
    ///
    /// ```ignore
    /// static RX: RingOf<2048> = RingOf::new();
    /// static TX: RingOf<256> = RingOf::new();
    /// let (rx, tx) = board.uart.start_with(115_200, &RX, &TX);
    /// ```
    pub fn start_with(self, baud: u32, rx: &'static Ring, tx: &'static Ring) -> (UartRx, UartTx) {
        // Only `Board::take` makes a `Uart`, once, and this consumes it.
        let rings = RINGS.get_or_init(|| Rings { rx, tx });
        // The hardware wants at least 16.
        BAUDDIV.write((CLOCK_HZ / baud).max(16));
        INTCLEAR.write(INT_TX | INT_RX);
        CTRL.write(CTRL_ALL);
        Irq::Uart1Rx.enable();
        Irq::Uart1Tx.enable();
        (UartRx(rings.rx), UartTx(rings.tx))
    }
}

/// How often the hardware lost received bytes because nobody fetched them in time.
pub fn overruns() -> u32 {
    OVERRUNS.load(Ordering::Relaxed)
}

/// The receiving half.
pub struct UartRx(&'static Ring);

/// The sending half.
pub struct UartTx(&'static Ring);

impl ErrorType for UartRx {
    type Error = Infallible;
}

impl ErrorType for UartTx {
    type Error = Infallible;
}

impl Read for UartRx {
    /// Waits for the first byte, then takes what is there. Never `Ok(0)` for a non-empty buffer.
    /// Cancel-safe: nothing is taken before it is returned.
    async fn read(&mut self, buffer: &mut [u8]) -> Result<usize, Infallible> {
        if buffer.is_empty() {
            return Ok(0);
        }
        poll_fn(|context| {
            RX_WAKER.register(context.waker());
            let mut count = 0;
            while count < buffer.len()
                && let Some(byte) = self.0.pop()
            {
                buffer[count] = byte;
                count += 1;
            }
            if count == 0 {
                return Poll::Pending;
            }
            if RX_HELD.load(Ordering::Acquire) {
                Irq::Uart1Rx.pend();
            }
            Poll::Ready(Ok(count))
        })
        .await
    }
}

impl Write for UartTx {
    /// Queues what there is room for; sending begins at once. Cancel-safe: what was queued is
    /// what was returned.
    async fn write(&mut self, bytes: &[u8]) -> Result<usize, Infallible> {
        if bytes.is_empty() {
            return Ok(0);
        }
        poll_fn(|context| {
            TX_WAKER.register(context.waker());
            let count = bytes.iter().take_while(|byte| self.0.push(**byte)).count();
            if count == 0 {
                return Poll::Pending;
            }
            Irq::Uart1Tx.pend();
            Poll::Ready(Ok(count))
        })
        .await
    }

    /// Waits until the hardware has taken the last byte over from its buffer. That one byte may
    /// still be on the wire; the UART has no flag for its shift register. Cancel-safe.
    async fn flush(&mut self) -> Result<(), Infallible> {
        poll_fn(|context| {
            TX_WAKER.register(context.waker());
            if self.0.is_empty() && STATE.read() & STATE_TX_FULL == 0 {
                Poll::Ready(Ok(()))
            } else {
                Poll::Pending
            }
        })
        .await
    }
}

pub(super) extern "C" fn on_receive() {
    let Some(rings) = RINGS.try_get() else { return };
    // First, so that a byte that comes while we read interrupts again.
    INTCLEAR.write(INT_RX);
    loop {
        let state = STATE.read();
        if state & STATE_RX_OVERRUN != 0 {
            // Writing the bit clears it.
            STATE.write(STATE_RX_OVERRUN);
            // Nobody else writes it, and no handler interrupts this one.
            OVERRUNS.store(
                OVERRUNS.load(Ordering::Relaxed).wrapping_add(1),
                Ordering::Relaxed,
            );
        }
        if state & STATE_RX_FULL == 0 {
            RX_HELD.store(false, Ordering::Release);
            break;
        }
        if rings.rx.is_full() {
            // `read` makes this handler run again when it has made room.
            RX_HELD.store(true, Ordering::Release);
            break;
        }
        rings.rx.push(DATA.read() as u8);
    }
    RX_WAKER.wake();
}

pub(super) extern "C" fn on_transmit() {
    let Some(rings) = RINGS.try_get() else { return };
    // First, so that a byte that leaves while we write interrupts again.
    INTCLEAR.write(INT_TX);
    while STATE.read() & STATE_TX_FULL == 0
        && let Some(byte) = rings.tx.pop()
    {
        DATA.write(u32::from(byte));
    }
    TX_WAKER.wake();
}
