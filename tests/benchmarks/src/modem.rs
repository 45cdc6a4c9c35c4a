//! The least of a modem: canned answers, and a UART that hands over one chunk at a time.
//!
//! The simulator would do real TLS and real parsing between the bytes that are counted. Without std and
//! without allocation, because the firmware's `bench` runs the same file on the Cortex-M.

use core::cell::{Cell, RefCell};
use core::convert::Infallible;
use core::future::poll_fn;
use core::task::{Poll, Waker};

use embedded_io_async::{ErrorType, Read, Write};
use heapless::Vec;

/// Longest answer.
const ANSWER_LIMIT: usize = 2048;
/// What a notice storm consists of, in turn: registration, signal, time zone, and data for a socket
/// that is not open.
const STORM: [&str; 4] = [
    "\r\n+CEREG: 1,\"2AF4\",\"1A2D001\",8\r\n",
    "\r\n+QIND: \"csq\",21,99\r\n",
    "\r\n+CTZV: \"+08\"\r\n",
    "\r\n+QSSLURC: \"recv\",11\r\n",
];

/// How chunks follow each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pace {
    /// The next comes in when the one before was taken, and wakes the host.
    Slow,
    /// All of an answer lies ready, as behind a DMA buffer; a read takes one chunk.
    Fast,
}

/// Both directions between driver and modem.
pub struct Line {
    to_modem: RefCell<Vec<u8, ANSWER_LIMIT>>,
    to_host: RefCell<Vec<u8, ANSWER_LIMIT>>,
    /// How much of `to_host` was taken.
    taken: Cell<usize>,
    /// How much of `to_host` has come in.
    arrived: Cell<usize>,
    chunk: usize,
    pace: Pace,
    host: RefCell<Option<Waker>>,
    modem: RefCell<Option<Waker>>,
}

impl Line {
    /// A line that hands over at most `chunk` bytes at a time.
    pub const fn new(chunk: usize, pace: Pace) -> Self {
        Self {
            to_modem: RefCell::new(Vec::new()),
            to_host: RefCell::new(Vec::new()),
            taken: Cell::new(0),
            arrived: Cell::new(0),
            chunk,
            pace,
            host: RefCell::new(None),
            modem: RefCell::new(None),
        }
    }

    /// Has the modem look.
    fn wake_modem(&self) {
        if let Some(waker) = self.modem.take() {
            waker.wake();
        }
    }

    async fn modem_until<T>(&self, mut ready: impl FnMut() -> Option<T>) -> T {
        poll_fn(|cx| match ready() {
            Some(value) => Poll::Ready(value),
            None => {
                self.modem.replace(Some(cx.waker().clone()));
                Poll::Pending
            }
        })
        .await
    }

    /// Waits until the host has said something, and takes it.
    pub async fn heard(&self) -> Vec<u8, ANSWER_LIMIT> {
        let some = || (!self.to_modem.borrow().is_empty()).then_some(());
        self.modem_until(some).await;
        self.to_modem.take()
    }

    /// Puts bytes on the UART; returns when the host has taken the last one.
    pub async fn say(&self, bytes: &[u8]) {
        let len = {
            let mut to_host = self.to_host.borrow_mut();
            to_host.clear();
            // An answer has no more than the buffer holds.
            let _ = to_host.extend_from_slice(bytes);
            to_host.len()
        };
        self.taken.set(0);
        self.arrived.set(0);
        while self.arrived.get() < len {
            self.arrived.set(match self.pace {
                Pace::Slow => (self.arrived.get() + self.chunk).min(len),
                Pace::Fast => len,
            });
            if let Some(waker) = self.host.take() {
                waker.wake();
            }
            let all = || (self.taken.get() == self.arrived.get()).then_some(());
            self.modem_until(all).await;
        }
    }
}

/// The driver's receiving half.
pub struct Rx(pub &'static Line);
/// The driver's sending half.
pub struct Tx(pub &'static Line);

impl ErrorType for Rx {
    type Error = Infallible;
}

impl ErrorType for Tx {
    type Error = Infallible;
}

impl Read for Rx {
    async fn read(&mut self, into: &mut [u8]) -> Result<usize, Infallible> {
        poll_fn(|cx| {
            let line = self.0;
            let taken = line.taken.get();
            let count = (line.arrived.get() - taken).min(line.chunk).min(into.len());
            if count == 0 {
                line.host.replace(Some(cx.waker().clone()));
                return Poll::Pending;
            }
            into[..count].copy_from_slice(&line.to_host.borrow()[taken..taken + count]);
            line.taken.set(taken + count);
            if taken + count == line.arrived.get() {
                line.wake_modem();
            }
            Poll::Ready(Ok(count))
        })
        .await
    }
}

impl Write for Tx {
    async fn write(&mut self, bytes: &[u8]) -> Result<usize, Infallible> {
        let mut line = self.0.to_modem.borrow_mut();
        // Twice what a driver can have under way.
        let _ = line.extend_from_slice(bytes);
        self.0.wake_modem();
        Ok(bytes.len())
    }

    async fn flush(&mut self) -> Result<(), Infallible> {
        Ok(())
    }
}

type Witness<'a> = &'a dyn Fn(&[u8]);

/// A BG96 that is registered, has a data connection and a set clock, and every credential.
pub struct Modem<'a> {
    line: &'a Line,
    /// Hears every answer before it is sent.
    pub witness: Option<Witness<'a>>,
    /// The size of a message from the peer, and how many of them are still to be announced.
    offered: Cell<(usize, usize)>,
    /// Of the present message, what was not fetched.
    waiting: Cell<usize>,
    /// Payload bytes that were fetched and that the application has read, since the start.
    fetched: Cell<usize>,
    read: Cell<usize>,
    notices: Cell<usize>,
}

impl<'a> Modem<'a> {
    /// The modem at the other end of a line.
    pub const fn new(line: &'a Line) -> Self {
        Self {
            line,
            witness: None,
            offered: Cell::new((0, 0)),
            waiting: Cell::new(0),
            fetched: Cell::new(0),
            read: Cell::new(0),
            notices: Cell::new(0),
        }
    }

    /// The peer sends `count` messages of `size` bytes, each when the application has read the one before.
    pub fn offer(&self, size: usize, count: usize) {
        self.offered.set((size, count));
        self.line.wake_modem();
    }

    /// The application has read this much.
    pub fn was_read(&self, count: usize) {
        self.read.set(self.read.get() + count);
        self.line.wake_modem();
    }

    /// Prints this many notices in one go.
    pub fn storm(&self, notices: usize) {
        self.notices.set(notices);
        self.line.wake_modem();
    }

    /// Whether everything that was ordered was said, and read.
    pub fn is_done(&self) -> bool {
        self.offered.get().1 == 0
            && self.waiting.get() == 0
            && self.notices.get() == 0
            && self.fetched.get() == self.read.get()
    }

    /// Serves for ever.
    pub async fn run(&self) -> ! {
        loop {
            self.line
                .modem_until(|| {
                    (self.has_command() || self.has_message() || self.notices.get() > 0)
                        .then_some(())
                })
                .await;
            if self.has_command() {
                let command = self.command();
                self.answer(&command).await;
            } else if self.has_message() {
                let (size, count) = self.offered.get();
                self.offered.set((size, count - 1));
                self.waiting.set(size);
                self.say(b"\r\n+QSSLURC: \"recv\",0\r\n").await;
            } else {
                // Back to back, not a chunk for each.
                let mut burst = Vec::<u8, ANSWER_LIMIT>::new();
                while self.notices.get() > 0 {
                    let text = STORM[self.notices.get() % STORM.len()].as_bytes();
                    if burst.extend_from_slice(text).is_err() {
                        break;
                    }
                    self.notices.set(self.notices.get() - 1);
                }
                self.say(&burst).await;
            }
        }
    }

    fn has_command(&self) -> bool {
        self.line.to_modem.borrow().contains(&b'\r')
    }

    fn has_message(&self) -> bool {
        self.offered.get().1 > 0 && self.waiting.get() == 0 && self.fetched.get() == self.read.get()
    }

    fn command(&self) -> Vec<u8, 256> {
        let mut line = self.line.to_modem.borrow_mut();
        let end = line.iter().position(|&byte| byte == b'\r').unwrap_or(0);
        let command = Vec::from_slice(&line[..end]).unwrap_or_default();
        drop_front(&mut line, end + 1);
        command
    }

    async fn say(&self, bytes: &[u8]) {
        if let Some(witness) = self.witness {
            witness(bytes);
        }
        self.line.say(bytes).await;
    }

    async fn answer(&self, command: &[u8]) {
        if let Some(arguments) = command.strip_prefix(b"AT+QSSLRECV=") {
            let count = self.waiting.get().min(second_number(arguments));
            self.waiting.set(self.waiting.get() - count);
            self.fetched.set(self.fetched.get() + count);
            let mut answer = Vec::<u8, ANSWER_LIMIT>::new();
            let _ = core::fmt::Write::write_fmt(
                &mut answer,
                format_args!("\r\n+QSSLRECV: {count}\r\n"),
            );
            // Letters: what atat can digest.
            answer.extend((0..count).map(|at| b'a' + (at % 26) as u8));
            let end: &[u8] = if count > 0 {
                b"\r\n\r\nOK\r\n"
            } else {
                b"\r\nOK\r\n"
            };
            let _ = answer.extend_from_slice(end);
            return self.say(&answer).await;
        }
        if let Some(arguments) = command.strip_prefix(b"AT+QSSLSEND=") {
            let count = second_number(arguments);
            self.say(b"\r\n> ").await;
            let all = || (self.line.to_modem.borrow().len() >= count).then_some(());
            self.line.modem_until(all).await;
            drop_front(&mut self.line.to_modem.borrow_mut(), count);
            return self.say(b"\r\nSEND OK\r\n").await;
        }
        let answer: &[u8] = match command {
            b"AT+IPR?" => b"\r\n+IPR: 115200\r\n\r\nOK\r\n",
            b"AT+CPIN?" => b"\r\n+CPIN: READY\r\n\r\nOK\r\n",
            b"AT+CEREG?" => b"\r\n+CEREG: 0,1\r\n\r\nOK\r\n",
            b"AT+QIACT?" => b"\r\n+QIACT: 1,1,1,\"10.0.0.1\"\r\n\r\nOK\r\n",
            b"AT+CCLK?" => b"\r\n+CCLK: \"26/11/20,12:00:00+00\"\r\n\r\nOK\r\n",
            b"AT+QFLST=\"*\"" => {
                b"\r\n+QFLST: \"st7.ca\",1200\r\n+QFLST: \"st7.crt\",1200\r\n+QFLST: \"st7.key\",1700\r\n\r\nOK\r\n"
            }
            _ if command.starts_with(b"AT+QSSLCLOSE") => b"\r\nERROR\r\n",
            _ if command.starts_with(b"AT+QSSLOPEN") => b"\r\nOK\r\n\r\n+QSSLOPEN: 0,0\r\n",
            _ => b"\r\nOK\r\n",
        };
        self.say(answer).await;
    }
}

fn drop_front(bytes: &mut Vec<u8, ANSWER_LIMIT>, count: usize) {
    let left = bytes.len().saturating_sub(count);
    bytes.copy_within(count.., 0);
    bytes.truncate(left);
}

/// Of `0,1500`, the 1500.
fn second_number(arguments: &[u8]) -> usize {
    let digits = arguments.iter().skip_while(|&&byte| byte != b',').skip(1);
    digits.fold(0, |number, digit| number * 10 + usize::from(digit - b'0'))
}
