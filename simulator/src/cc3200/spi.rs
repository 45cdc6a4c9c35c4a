//! The SPI of a simulated network processor, with its interrupt line (sheet 2, 3.1): strict, so that a host that does anything which TI's driver
//! does not is noted as a fault, and finds a chip that says nothing more before nHIB was low.

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

/// What a host says before it reads.
const READ_SYNC: [u8; 4] = [0x65, 0x87, 0x78, 0x56];
/// What is on the wire where the chip says nothing.
const IDLE: u8 = 0xff;
/// How long the line is high after nHIB has risen, though there is no message (sheet 2).
const START_PULSE: Duration = Duration::from_millis(50);

/// How the SPI of a simulated network processor behaves.
#[derive(Clone, Copy, Debug)]
pub struct NwpSpiOptions {
    /// Idle bytes between the host's word that it reads and a message.
    pub lead: usize,
    /// The sync word of each message comes twice.
    pub doubles_sync: bool,
    /// Sync words have the number of the message, as with newer firmware.
    pub numbers: bool,
    /// Bits a second, when paced.
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

/// What is under way on the bus.
#[derive(Default)]
enum Transfer {
    #[default]
    None,
    /// The host writes a command: its header, and how many bytes of the rest are to come.
    Command { header: Vec<u8>, left: usize },
    /// The host reads a message.
    Message {
        lead: VecDeque<u8>,
        /// Where its first word ends behind which all are aligned: two words behind the bytes that belong to none.
        aligned_at: usize,
        /// Bytes that the host has read.
        read: usize,
        /// Sync word, opcode and length.
        head: Vec<u8>,
        /// Of what follows.
        left: usize,
    },
    /// The host asked, and there is no message.
    Nothing,
    /// The chip has restarted in the middle of one, of which the host may know nothing.
    Cut,
}

/// The chip's side of the SPI.
pub(crate) struct Spi {
    core: Rc<Core>,
    options: NwpSpiOptions,
    transfer: RefCell<Transfer>,
    /// Messages that the host has taken since the start.
    number: Cell<u8>,
    starts: Cell<u32>,
    line: Line,
    selected: Cell<bool>,
    /// The host did what it must not, and nothing is said before the next start.
    confused: Cell<bool>,
    /// The chip has started by itself, so that the host cannot know where a message begins.
    is_forgiven: Cell<bool>,
    faults: RefCell<Vec<String>>,
    /// Numbers of the transfers that the host's SPI fails.
    failing: RefCell<Range<u64>>,
    transfers: Cell<u64>,
}

/// HOST_INTR.
#[derive(Default)]
struct Line {
    is_high: Cell<bool>,
    /// It was high since the host asked last.
    has_risen: Cell<bool>,
    /// Held high by so many, without a message.
    held: Cell<u32>,
    /// Edges that the host's pin has seen.
    edges: Cell<u64>,
    /// So many rises are still not seen.
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

    /// The chip starts anew, or goes off; by nHIB or by itself.
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

    /// nHIB has risen.
    pub(super) fn wakes(self: &Rc<Self>) {
        self.pulse(START_PULSE);
    }

    /// Sees to the line for ever.
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

    /// The line is high for so long, whatever the chip has to say.
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

    /// The host writes.
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
                        // It failed in the middle of the command, as it was told to.
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

    /// The host is about to read.
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

    /// The host reads, with what it has on its own wire meanwhile.
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
                // Only what completes the header behind an odd lead is no multiple of four.
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
                    // There was nothing but noise.
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
        // It may have failed in the middle of the message, as it was told to.
        if self.starts.get() == starts {
            *self.transfer.borrow_mut() = next;
        }
        self.update();
    }
}

/// The host's end of the SPI of a simulated network processor. Clones are of one bus.
#[derive(Clone)]
pub struct NwpSpi(pub(crate) Rc<Spi>);

impl NwpSpi {
    /// HOST_INTR, as the host has it.
    pub fn host_intr(&self) -> HostIntr {
        HostIntr(self.0.clone())
    }

    /// What the host did that it must not: a read without a sync word or an interrupt, a transfer that is not aligned, a message or a command
    /// that is not taken whole.
    pub fn faults(&self) -> Vec<String> {
        self.0.faults.borrow().clone()
    }

    /// Transfers so far.
    pub fn transfers(&self) -> u64 {
        self.0.transfers.get()
    }

    /// The host's pin does not see so many of the next rises of the interrupt line.
    pub fn lose_interrupts(&self, count: u32) {
        self.0.line.lost.set(count);
    }

    /// The interrupt line is high for so long, for nothing.
    pub fn interrupt_for_nothing(&self, length: Duration) {
        self.0.pulse(length);
    }

    /// Transfers with these numbers, as [`transfers`](Self::transfers) counts them, fail at the host's SPI: nothing gets to the chip.
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

/// HOST_INTR, as the host has it: a pin that looks at its level first, and then sees edges alone.
pub struct HostIntr(Rc<Spi>);

impl HostIntr {
    async fn level(&self, wanted: bool) {
        let line = &self.0.line;
        if line.is_high.get() == wanted {
            return;
        }
        self.edge(Some(wanted)).await;
    }

    /// Waits for an edge, to this level where it matters.
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
