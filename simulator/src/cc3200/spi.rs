//! The SPI of a simulated network processor, with its interrupt line (sheet 2, 3.1). It is strict: whatever TI's driver would not do is noted
//! as a fault of the host, and the chip is silent from then on until nHIB was low.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::convert::Infallible;
use std::future::poll_fn;
use std::ops::Range;
use std::rc::Rc;
use std::task::{Poll, Waker};

use embassy_time::{Duration, Timer};
use embedded_hal::digital::InputPin;
use embedded_hal::spi::{ErrorKind, ErrorType, Operation};
use embedded_hal_async::digital::Wait;
use embedded_hal_async::spi::SpiDevice;

use super::wire::{COMMAND_SYNC, MESSAGE_SYNC};
use crate::core::Core;

/// The word that a host writes before it reads.
const READ_SYNC: [u8; 4] = [0x65, 0x87, 0x78, 0x56];
/// The byte that the chip sends while it has no message.
const IDLE: u8 = 0xff;
/// The time for which the line is high after nHIB has risen, although there is no message (sheet 2).
const START_PULSE: Duration = Duration::from_millis(50);

/// The options of the SPI of a simulated network processor.
#[derive(Clone, Copy, Debug)]
pub struct NwpSpiOptions {
    /// The number of idle bytes between the host's word that it reads and a message.
    pub lead: usize,
    /// Whether the sync word of each message comes twice.
    pub doubles_sync: bool,
    /// Whether sync words have the number of the message, as with newer firmware.
    pub numbers: bool,
    /// The clock of the SPI in hertz; `None` for no pacing.
    pub hertz: Option<u32>,
}

impl Default for NwpSpiOptions {
    fn default() -> Self {
        Self {
            lead: 0,
            doubles_sync: false,
            numbers: true,
            hertz: None,
        }
    }
}

/// The transfer under way on the bus.
#[derive(Default)]
enum Transfer {
    #[default]
    None,
    /// The host writes a command: its header so far, and the number of bytes that are to come after it.
    Command { header: Vec<u8>, left: usize },
    /// The host reads a message.
    Message {
        lead: VecDeque<u8>,
        /// The offset from which on every transfer is aligned to words: two words after the lead.
        aligned_at: usize,
        /// The number of bytes that the host has read.
        read: usize,
        /// The bytes of sync word, opcode and length.
        head: Vec<u8>,
        /// The number of bytes that are to come after the head.
        left: usize,
    },
    /// The host asked to read, and there is no message.
    Nothing,
    /// The chip has restarted in the middle of a transfer, which the host may not know.
    Cut,
}

/// The chip's side of the SPI.
pub(crate) struct Spi {
    core: Rc<Core>,
    options: NwpSpiOptions,
    transfer: RefCell<Transfer>,
    /// The number of messages that the host has taken since the start.
    number: Cell<u8>,
    starts: Cell<u32>,
    line: Line,
    selected: Cell<bool>,
    /// Whether the host made a fault, after which the chip is silent until the next start.
    confused: Cell<bool>,
    /// Whether the chip has restarted by itself: the host cannot know where a message begins, and its faults do not count.
    is_forgiven: Cell<bool>,
    faults: RefCell<Vec<String>>,
    /// The numbers of the transfers that fail at the host's SPI.
    failing: RefCell<Range<u64>>,
    transfers: Cell<u64>,
}

/// The state of the interrupt line HOST_INTR.
#[derive(Default)]
struct Line {
    is_high: Cell<bool>,
    /// Whether the line was high since the host asked last.
    has_risen: Cell<bool>,
    /// The number of pulses that hold the line high without a message.
    held: Cell<u32>,
    /// The number of edges that the host's pin has seen.
    edges: Cell<u64>,
    /// The number of rises that the host's pin will still miss.
    lost: Cell<u32>,
    waiting: RefCell<Vec<Waker>>,
}

impl Spi {
    pub(super) fn new(core: Rc<Core>, options: NwpSpiOptions) -> Rc<Self> {
        Rc::new(Self {
            core,
            options,
            transfer: RefCell::default(),
            number: Cell::new(0),
            starts: Cell::new(0),
            line: Line::default(),
            selected: Cell::new(false),
            confused: Cell::new(false),
            is_forgiven: Cell::new(false),
            faults: RefCell::default(),
            failing: RefCell::new(0..0),
            transfers: Cell::new(0),
        })
    }

    /// Resets the SPI, because the chip starts anew or goes off, by nHIB or by itself.
    pub(super) fn restart(&self, by_host: bool) {
        self.is_forgiven.set(!by_host);
        let is_cut = !matches!(self.transfer.take(), Transfer::None);
        if is_cut {
            self.transfer.replace(Transfer::Cut);
        }
        self.number.set(0);
        self.starts.set(self.starts.get() + 1);
        self.confused.set(false);
        self.update();
    }

    /// Notes that nHIB has risen.
    pub(super) fn wakes(self: &Rc<Self>) {
        self.pulse(START_PULSE);
    }

    /// Drives the interrupt line for ever.
    pub(super) async fn drive_line(&self) {
        loop {
            let changes = || self.is_asking() != self.line.is_high.get();
            self.core.until(changes).await;
            self.update();
        }
    }

    fn is_asking(&self) -> bool {
        let has_message = !matches!(
            *self.transfer.borrow(),
            Transfer::Command { .. } | Transfer::Message { .. }
        ) && self.core.waiting_output() > 0
            && !self.confused.get();
        self.line.held.get() > 0 || has_message
    }

    fn update(&self) {
        let is_high = self.is_asking();
        if self.line.is_high.replace(is_high) == is_high {
            return;
        }
        if is_high {
            self.line.has_risen.set(true);
            if let Some(left) = self.line.lost.get().checked_sub(1) {
                self.line.lost.set(left);
                return;
            }
        }
        self.line.edges.set(self.line.edges.get() + 1);
        for waiting in self.line.waiting.take() {
            waiting.wake();
        }
    }

    /// Holds the line high for `length`, with or without a message.
    fn pulse(self: &Rc<Self>, length: Duration) {
        self.line.held.set(self.line.held.get() + 1);
        self.update();
        let spi = self.clone();
        self.core.spawn(async move {
            Timer::after(length).await;
            spi.line.held.set(spi.line.held.get() - 1);
            spi.update();
        });
    }

    fn fault(&self, what: impl Into<String>) {
        if self.is_forgiven.get() {
            self.transfer.replace(Transfer::Cut);
            return;
        }
        let what = what.into();
        log::warn!("SPI: {what}");
        self.faults.borrow_mut().push(what);
        self.confused.set(true);
        self.transfer.take();
        self.update();
    }

    /// Takes bytes that the host writes.
    fn write(&self, bytes: &[u8]) {
        if self.confused.get() {
            return;
        }
        if bytes.is_empty() || !bytes.len().is_multiple_of(4) {
            return self.fault(format!("a write of {} bytes", bytes.len()));
        }
        for word in bytes.chunks(4) {
            let transfer = self.transfer.take();
            let next = match transfer {
                Transfer::None | Transfer::Nothing | Transfer::Cut if *word == READ_SYNC => {
                    if bytes.len() > 4 {
                        return self.fault("more than the sync word of a read is written");
                    }
                    self.message_begins()
                }
                Transfer::None | Transfer::Nothing | Transfer::Cut if *word == COMMAND_SYNC => {
                    self.core.received(word);
                    Transfer::Command {
                        header: Vec::new(),
                        left: 4,
                    }
                }
                Transfer::Cut => Transfer::Cut,
                Transfer::None | Transfer::Nothing => {
                    return self.fault(format!("{word:02x?} is no sync word"));
                }
                Transfer::Message { .. } => return self.fault("a write inside a message"),
                Transfer::Command { mut header, left } => {
                    let mut left = left - 4;
                    if header.is_empty() {
                        header.extend(word);
                        left = usize::from(u16::from_le_bytes([word[2], word[3]]));
                        if !left.is_multiple_of(4) {
                            return self.fault(format!("a command of {left} bytes"));
                        }
                    }
                    let starts = self.starts.get();
                    self.core.received(word);
                    if self.starts.get() != starts {
                        // The host's SPI failed in the middle of the command, by `fail_transfers`.
                        return;
                    }
                    if left == 0 {
                        Transfer::None
                    } else {
                        Transfer::Command { header, left }
                    }
                }
            };
            *self.transfer.borrow_mut() = next;
        }
        self.update();
    }

    /// Begins the read that the host has asked for.
    fn message_begins(&self) -> Transfer {
        if !self.line.has_risen.replace(false) && !self.line.is_high.get() {
            self.fault("a read without an interrupt");
            return Transfer::None;
        }
        let Some(noise) = self.core.find_output(&MESSAGE_SYNC) else {
            return Transfer::Nothing;
        };
        let mut lead = VecDeque::from(vec![IDLE; self.options.lead]);
        lead.extend(self.core.take_now(noise));
        let aligned_at = lead.len() + 8;
        if self.options.doubles_sync {
            lead.extend(self.sync());
        }
        Transfer::Message {
            lead,
            aligned_at,
            read: 0,
            head: Vec::new(),
            left: 0,
        }
    }

    fn sync(&self) -> [u8; 4] {
        let mut sync = MESSAGE_SYNC;
        if self.options.numbers {
            sync[0] = 0xbc + (self.number.get() & 3);
        }
        sync
    }

    /// Replaces the bytes that the host clocks out by those of the chip.
    fn read(&self, bytes: &mut [u8]) {
        let is_quiet = bytes.iter().all(|byte| *byte == IDLE);
        let count = bytes.len();
        bytes.fill(IDLE);
        if self.confused.get() {
            return;
        }
        if !is_quiet {
            return self.fault("a read clocks out something");
        }
        let starts = self.starts.get();
        let transfer = self.transfer.take();
        let next = match transfer {
            Transfer::None => return self.fault("a read without its sync word"),
            Transfer::Command { .. } => return self.fault("a read inside a command"),
            Transfer::Cut => Transfer::Cut,
            Transfer::Nothing if count.is_multiple_of(4) => Transfer::Nothing,
            Transfer::Nothing => return self.fault(format!("a read of {count} bytes")),
            Transfer::Message {
                mut lead,
                aligned_at,
                read,
                mut head,
                mut left,
            } => {
                // Only the transfer that completes the header after an odd lead may have a length that is not a multiple of four.
                let completes = count < 4 && read + count == aligned_at;
                if !completes && !count.is_multiple_of(4) {
                    return self.fault(format!("a read of {count} bytes"));
                }
                let mut at = 0;
                while at < count {
                    if let Some(byte) = lead.pop_front() {
                        bytes[at] = byte;
                        at += 1;
                        continue;
                    }
                    let wanted = if head.len() < 8 { 8 - head.len() } else { left };
                    if wanted == 0 {
                        return self.fault("a read beyond the end of a message");
                    }
                    let mut got = self.core.take_now(wanted.min(count - at));
                    if got.is_empty() {
                        break;
                    }
                    if head.is_empty() {
                        got[0] = self.sync()[0];
                    }
                    bytes[at..at + got.len()].copy_from_slice(&got);
                    at += got.len();
                    if head.len() < 8 {
                        head.extend(got);
                        if head.len() == 8 {
                            let len = u16::from_le_bytes([head[6], head[7]]);
                            left = usize::from(len).next_multiple_of(4);
                        }
                    } else {
                        left -= got.len();
                    }
                }
                if head.is_empty() && lead.is_empty() && self.core.waiting_output() == 0 {
                    // No message was there, only noise.
                    Transfer::Nothing
                } else if head.len() == 8 && left == 0 {
                    self.number.set(self.number.get().wrapping_add(1));
                    Transfer::None
                } else {
                    Transfer::Message {
                        lead,
                        aligned_at,
                        read: read + count,
                        head,
                        left,
                    }
                }
            }
        };
        // The chip may have failed in the middle of the message, as an option says.
        if self.starts.get() == starts {
            *self.transfer.borrow_mut() = next;
        }
        self.update();
    }
}

/// The host's end of the SPI of a simulated network processor. Clones share one bus.
#[derive(Clone)]
pub struct NwpSpi(pub(crate) Rc<Spi>);

impl NwpSpi {
    /// Returns the host's pin at HOST_INTR.
    pub fn host_intr(&self) -> HostIntr {
        HostIntr(self.0.clone())
    }

    /// Returns the faults of the host so far: a read without a sync word or an interrupt, a transfer that is not aligned, a message or a
    /// command that was not transferred whole.
    pub fn faults(&self) -> Vec<String> {
        self.0.faults.borrow().clone()
    }

    /// Returns the number of transfers so far.
    pub fn transfers(&self) -> u64 {
        self.0.transfers.get()
    }

    /// Makes the host's pin miss the next `count` rises of the interrupt line.
    pub fn lose_interrupts(&self, count: u32) {
        self.0.line.lost.set(count);
    }

    /// Holds the interrupt line high for `length` without a message.
    pub fn interrupt_for_nothing(&self, length: Duration) {
        self.0.pulse(length);
    }

    /// Makes the transfers with these numbers, as [`transfers`](Self::transfers) counts them, fail at the host's SPI: nothing gets to the chip.
    pub fn fail_transfers(&self, numbers: Range<u64>) {
        self.0.failing.replace(numbers);
    }
}

impl ErrorType for NwpSpi {
    type Error = ErrorKind;
}

impl SpiDevice for NwpSpi {
    async fn transaction(&mut self, operations: &mut [Operation<'_, u8>]) -> Result<(), ErrorKind> {
        let spi = &self.0;
        let number = spi.transfers.get();
        spi.transfers.set(number + 1);
        log::trace!("SPI: transfer {number}: {operations:02x?}");
        if spi.failing.borrow().contains(&number) {
            log::trace!("SPI: it fails");
            return Err(ErrorKind::Overrun);
        }
        // A transfer that was dropped in its middle leaves the chip selected.
        if spi.selected.replace(true) {
            spi.fault("the chip was selected already");
        }
        // Whether one long selection is accepted is UNCONFIRMED.
        if operations.len() != 1 {
            spi.fault("several transfers in one selection");
        }
        let mut count = 0;
        for operation in operations {
            match operation {
                Operation::Write(bytes) => {
                    count += bytes.len();
                    spi.write(bytes);
                }
                Operation::TransferInPlace(bytes) => {
                    count += bytes.len();
                    spi.read(bytes);
                }
                Operation::Read(bytes) => {
                    count += bytes.len();
                    bytes.fill(0);
                    spi.read(bytes);
                }
                Operation::Transfer(into, from) => {
                    count += into.len().max(from.len());
                    spi.fault("a transfer both ways");
                }
                Operation::DelayNs(_) => {}
            }
        }
        if let Some(hertz) = spi.options.hertz {
            let micros = (count as u64 * 8_000_000).div_ceil(hertz.into());
            Timer::after_micros(micros).await;
        }
        spi.selected.set(false);
        Ok(())
    }
}

/// The host's pin at HOST_INTR. It looks at the level once, and then sees edges only.
pub struct HostIntr(Rc<Spi>);

impl HostIntr {
    async fn level(&self, wanted: bool) {
        let line = &self.0.line;
        if line.is_high.get() == wanted {
            return;
        }
        self.edge(Some(wanted)).await;
    }

    /// Waits for an edge to the level `to`; `None` for any edge.
    async fn edge(&self, to: Option<bool>) {
        let line = &self.0.line;
        let mut seen = line.edges.get();
        poll_fn(|cx| {
            if line.edges.get() != seen {
                seen = line.edges.get();
                if to.is_none_or(|to| line.is_high.get() == to) {
                    return Poll::Ready(());
                }
            }
            line.waiting.borrow_mut().push(cx.waker().clone());
            Poll::Pending
        })
        .await;
    }
}

impl embedded_hal::digital::ErrorType for HostIntr {
    type Error = Infallible;
}

impl InputPin for HostIntr {
    fn is_high(&mut self) -> Result<bool, Infallible> {
        Ok(self.0.line.is_high.get())
    }

    fn is_low(&mut self) -> Result<bool, Infallible> {
        Ok(!self.0.line.is_high.get())
    }
}

impl Wait for HostIntr {
    async fn wait_for_high(&mut self) -> Result<(), Infallible> {
        self.level(true).await;
        Ok(())
    }

    async fn wait_for_low(&mut self) -> Result<(), Infallible> {
        self.level(false).await;
        Ok(())
    }

    async fn wait_for_rising_edge(&mut self) -> Result<(), Infallible> {
        self.edge(Some(true)).await;
        Ok(())
    }

    async fn wait_for_falling_edge(&mut self) -> Result<(), Infallible> {
        self.edge(Some(false)).await;
        Ok(())
    }

    async fn wait_for_any_edge(&mut self) -> Result<(), Infallible> {
        self.edge(None).await;
        Ok(())
    }
}
