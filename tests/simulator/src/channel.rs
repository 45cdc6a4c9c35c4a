//! The network's end of a socket, plain or TLS.

use std::collections::VecDeque;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncBufRead, AsyncWrite};

use crate::core::Core;

/// A connection that gives its input record by record.
pub(crate) trait Channel: AsyncBufRead + AsyncWrite + Unpin {}
impl<T: AsyncBufRead + AsyncWrite + Unpin> Channel for T {}

/// Sends what the channel takes of `outgoing`. What it does not take now stays.
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
