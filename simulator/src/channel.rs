//! The network side of a socket, plain or TLS.

use std::collections::VecDeque;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncBufRead, AsyncWrite};

use crate::core::Core;

/// A connection whose input comes record by record.
pub(crate) trait Channel: AsyncBufRead + AsyncWrite + Unpin {}
impl<T: AsyncBufRead + AsyncWrite + Unpin> Channel for T {}

/// Unread payload, with one entry for each TLS record.
#[derive(Default)]
pub(crate) struct Inbox {
    records: VecDeque<Vec<u8>>,
    unread: usize,
}

impl Inbox {
    /// Returns the number of bytes in all records.
    pub(crate) fn unread(&self) -> usize {
        self.unread
    }

    pub(crate) fn push(&mut self, record: Vec<u8>) {
        self.unread += record.len();
        self.records.push_back(record);
    }

    pub(crate) fn clear(&mut self) {
        self.records.clear();
        self.unread = 0;
    }

    /// Takes all records.
    pub(crate) fn take_all(&mut self) -> VecDeque<Vec<u8>> {
        self.unread = 0;
        std::mem::take(&mut self.records)
    }

    /// Takes up to `limit` bytes, as one read returns them: with `record_at_a_time` at most the rest of
    /// one record.
    pub(crate) fn take(&mut self, limit: usize, record_at_a_time: bool) -> Vec<u8> {
        let mut bytes = Vec::new();
        while bytes.len() < limit {
            let Some(record) = self.records.front_mut() else {
                break;
            };
            let n = record.len().min(limit - bytes.len());
            bytes.extend(record.drain(..n));
            if record.is_empty() {
                self.records.pop_front();
            }
            if record_at_a_time {
                break;
            }
        }
        self.unread -= bytes.len();
        bytes
    }

    /// Returns the bytes that [`take`](Self::take) would take, without taking them.
    pub(crate) fn peek(&self, limit: usize, record_at_a_time: bool) -> Vec<u8> {
        let records = if record_at_a_time { 1 } else { usize::MAX };
        let bytes = self.records.iter().take(records).flatten();
        bytes.copied().take(limit).collect()
    }
}

/// Sends as much of `outgoing` as the channel takes now; the rest stays.
pub(crate) fn poll_outgoing(
    core: &Core,
    outgoing: &mut VecDeque<u8>,
    mut channel: Pin<&mut Box<dyn Channel>>,
    cx: &mut Context<'_>,
) -> io::Result<()> {
    loop {
        let (waiting, _) = outgoing.as_slices();
        if waiting.is_empty() {
            break;
        }
        match channel.as_mut().poll_write(cx, waiting) {
            Poll::Pending => return Ok(()),
            Poll::Ready(Ok(0)) => return Err(io::ErrorKind::WriteZero.into()),
            Poll::Ready(Ok(n)) => {
                outgoing.drain(..n);
                core.touch();
            }
            Poll::Ready(Err(error)) => return Err(error),
        }
    }
    match channel.poll_flush(cx) {
        Poll::Ready(Err(error)) => Err(error),
        _ => Ok(()),
    }
}
