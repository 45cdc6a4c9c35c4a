//! One direction of a UART, in memory and on one thread.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::convert::Infallible;
use std::future::poll_fn;
use std::sync::LazyLock;
use std::task::{Poll, Waker};

use embassy_time::Instant;
use embedded_io_async::{ErrorType, Read, Write};

/// With `FUZZ_TRACE` in the environment, replaying an input shows what was on the UART, and when.
static TRACE: LazyLock<bool> = LazyLock::new(|| std::env::var_os("FUZZ_TRACE").is_some());

/// A queue of bytes with flow control.
pub struct Pipe {
    name: char,
    bytes: RefCell<VecDeque<u8>>,
    capacity: usize,
    /// The most that one read returns.
    chunk: usize,
    waiting_since: Cell<Instant>,
    reader: Cell<Option<Waker>>,
    writer: Cell<Option<Waker>>,
}

impl Pipe {
    /// A pipe with a letter to trace it by.
    pub fn new(name: char, capacity: usize, chunk: usize) -> Self {
        Self {
            name,
            bytes: RefCell::default(),
            capacity,
            chunk,
            waiting_since: Cell::new(Instant::MIN),
            reader: Cell::default(),
            writer: Cell::default(),
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
        if let Some(waker) = self.reader.take() {
            waker.wake();
        }
    }

    /// Puts bytes back that were read.
    pub fn push_front(&self, bytes: &[u8]) {
        let mut queue = self.bytes.borrow_mut();
        for &byte in bytes.iter().rev() {
            queue.push_front(byte);
        }
    }

    pub async fn next(&self) -> u8 {
        let mut byte = [0];
        self.pull(&mut byte).await;
        byte[0]
    }

    /// Whether this text waits to be read.
    pub fn contains(&self, text: &[u8]) -> bool {
        self.bytes
            .borrow_mut()
            .make_contiguous()
            .windows(text.len())
            .any(|window| window == text)
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
pub struct End<'a>(pub &'a Pipe);

impl ErrorType for End<'_> {
    type Error = Infallible;
}

impl Read for End<'_> {
    async fn read(&mut self, buf: &mut [u8]) -> Result<usize, Infallible> {
        Ok(self.0.pull(buf).await)
    }
}

impl Write for End<'_> {
    async fn write(&mut self, buf: &[u8]) -> Result<usize, Infallible> {
        poll_fn(|cx| {
            let room = self.0.capacity.saturating_sub(self.0.bytes.borrow().len());
            if room == 0 && !buf.is_empty() {
                self.0.writer.set(Some(cx.waker().clone()));
                return Poll::Pending;
            }
            let count = buf.len().min(room);
            self.0.push(&buf[..count]);
            Poll::Ready(Ok(count))
        })
        .await
    }

    async fn flush(&mut self) -> Result<(), Infallible> {
        Ok(())
    }
}
