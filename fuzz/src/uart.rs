//! One direction of a UART, in memory and on one thread.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::convert::Infallible;
use std::future::poll_fn;
use std::pin::pin;
use std::sync::LazyLock;
use std::task::{Poll, Waker};

use embassy_time::{Duration, Instant, Timer};
use embedded_io_async::{ErrorType, Read, Write};

use crate::event::Event;

/// With `FUZZ_TRACE` in the environment, replaying an input shows what was on the UART, and when.
static TRACE: LazyLock<bool> = LazyLock::new(|| std::env::var_os("FUZZ_TRACE").is_some());

/// A queue of bytes with flow control.
pub struct Pipe {
    name: char,
    bytes: RefCell<VecDeque<u8>>,
    /// When each of them came.
    times: RefCell<VecDeque<Instant>>,
    /// When that came which was read last.
    taken: Cell<Instant>,
    capacity: usize,
    /// The most that one read returns.
    chunk: usize,
    waiting_since: Cell<Instant>,
    written: Event,
    /// A write is under way: more may stand behind it that is not to be seen here yet.
    writing: Cell<bool>,
    reader: Cell<Option<Waker>>,
    writer: Cell<Option<Waker>>,
    /// All lines so far that set up a TLS context or open a socket, and the one that is not complete.
    tls_lines: RefCell<(Vec<String>, Vec<u8>)>,
}

impl Pipe {
    /// A pipe with a letter to trace it by.
    pub fn new(name: char, capacity: usize, chunk: usize) -> Self {
        Self {
            name,
            bytes: RefCell::default(),
            times: RefCell::default(),
            taken: Cell::new(Instant::MIN),
            capacity,
            chunk,
            waiting_since: Cell::new(Instant::MIN),
            written: Event::default(),
            writing: Cell::new(false),
            reader: Cell::default(),
            writer: Cell::default(),
            tls_lines: RefCell::default(),
        }
    }

    /// What was said of TLS contexts and opens, in order. Payload is looked at as well: none looks so.
    pub fn tls_lines(&self) -> Vec<String> {
        self.tls_lines.borrow().0.clone()
    }

    fn note(&self, bytes: &[u8]) {
        let (lines, begun) = &mut *self.tls_lines.borrow_mut();
        for &byte in bytes {
            if byte != b'\r' {
                begun.push(byte);
                continue;
            }
            let line = String::from_utf8_lossy(begun).into_owned();
            begun.clear();
            // A runner that was dropped may have left half a line in front.
            let starts = [
                "AT+QSSL",
                "AT#XSS",
                "AT#XCONNECT",
                "AT+USECPRF",
                "AT+USOSEC",
                "AT+USOCO",
                "AT+UDCP=",
            ];
            if let Some(start) = starts.iter().filter_map(|start| line.rfind(start)).max() {
                lines.push(line[start..].to_owned());
            }
        }
    }

    /// Appends without regard to the capacity.
    pub fn push(&self, bytes: &[u8]) {
        if *TRACE {
            let now = Instant::now().as_micros() as f64 / 1e6;
            eprintln!("{now:12.6} {} {}", self.name, bytes.escape_ascii());
        }
        let mut queue = self.bytes.borrow_mut();
        if queue.is_empty() {
            self.waiting_since.set(Instant::now());
        }
        queue.extend(bytes);
        let now = std::iter::repeat_n(Instant::now(), bytes.len());
        self.times.borrow_mut().extend(now);
        self.written.set();
        if let Some(waker) = self.reader.take() {
            waker.wake();
        }
    }

    /// A driver without a UART of its own sends.
    pub fn send(&self, bytes: &[u8]) {
        self.note(bytes);
        self.push(bytes);
    }

    /// What waits to be read, at most so much and at most what one read returns.
    pub fn take(&self, most: usize) -> Vec<u8> {
        let mut into = vec![0; most];
        let pulled = embassy_futures::poll_once(pin!(self.pull(&mut into)));
        let count = match pulled {
            Poll::Ready(count) => count,
            Poll::Pending => 0,
        };
        into.truncate(count);
        into
    }

    /// Puts bytes back that were read.
    pub fn push_front(&self, bytes: &[u8]) {
        let mut queue = self.bytes.borrow_mut();
        for &byte in bytes.iter().rev() {
            queue.push_front(byte);
            self.times.borrow_mut().push_front(self.taken.get());
        }
    }

    pub async fn next(&self) -> u8 {
        let mut byte = [0];
        self.pull(&mut byte).await;
        byte[0]
    }

    /// All that waits to be read.
    pub fn waiting(&self) -> Vec<u8> {
        self.bytes.borrow().iter().copied().collect()
    }

    /// Whether this text waits to be read.
    pub fn contains(&self, text: &[u8]) -> bool {
        self.bytes
            .borrow_mut()
            .make_contiguous()
            .windows(text.len())
            .any(|window| window == text)
    }

    /// When that came which was read last, however late that was.
    pub fn taken_at(&self) -> Instant {
        self.taken.get()
    }

    /// Waits until something more is written.
    pub async fn written(&self) {
        self.written.clear();
        self.written.wait().await;
    }

    /// Whether a write waits for its turn on the line.
    pub fn is_writing(&self) -> bool {
        self.writing.get()
    }

    /// Since when something waits to be read.
    pub fn waiting_since(&self) -> Instant {
        self.waiting_since.get()
    }

    async fn pull(&self, into: &mut [u8]) -> usize {
        poll_fn(|cx| {
            let mut bytes = self.bytes.borrow_mut();
            if bytes.is_empty() && !into.is_empty() {
                self.reader.set(Some(cx.waker().clone()));
                return Poll::Pending;
            }
            let count = into.len().min(bytes.len()).min(self.chunk);
            if let Some(time) = self.times.borrow_mut().drain(..count).next_back() {
                self.taken.set(time);
            }
            for (to, from) in into.iter_mut().zip(bytes.drain(..count)) {
                *to = from;
            }
            if let Some(waker) = self.writer.take() {
                waker.wake();
            }
            Poll::Ready(count)
        })
        .await
    }
}

/// A driver's end.
pub struct End<'a> {
    pub pipe: &'a Pipe,
    /// At 115200 baud, and not at once.
    pub paced: bool,
}

/// Bytes of one paced write, and how long they take.
const PACED: (usize, Duration) = (16, Duration::from_micros(1389));

impl ErrorType for End<'_> {
    type Error = Infallible;
}

impl Read for End<'_> {
    async fn read(&mut self, buf: &mut [u8]) -> Result<usize, Infallible> {
        Ok(self.pipe.pull(buf).await)
    }
}

impl Write for End<'_> {
    async fn write(&mut self, buf: &[u8]) -> Result<usize, Infallible> {
        let _writing = Writing::new(self.pipe);
        let buf = match buf.get(..PACED.0).filter(|_| self.paced) {
            Some(part) => part,
            None => buf,
        };
        let count = poll_fn(|cx| {
            let pipe = self.pipe;
            let room = pipe.capacity.saturating_sub(pipe.bytes.borrow().len());
            if room == 0 && !buf.is_empty() {
                pipe.writer.set(Some(cx.waker().clone()));
                return Poll::Pending;
            }
            let count = buf.len().min(room);
            pipe.note(&buf[..count]);
            pipe.push(&buf[..count]);
            Poll::Ready(count)
        })
        .await;
        if self.paced {
            Timer::after(PACED.1).await;
        }
        Ok(count)
    }

    async fn flush(&mut self) -> Result<(), Infallible> {
        Ok(())
    }
}

/// Marks a write until it ends or is dropped.
struct Writing<'a>(&'a Pipe);

impl<'a> Writing<'a> {
    fn new(pipe: &'a Pipe) -> Self {
        pipe.writing.set(true);
        Self(pipe)
    }
}

impl Drop for Writing<'_> {
    fn drop(&mut self) {
        self.0.writing.set(false);
    }
}
