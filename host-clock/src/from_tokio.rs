//! Streams of tokio as those of embedded-io.

use std::future::poll_fn;
use std::io;
use std::pin::Pin;

use embedded_io_async::{ErrorType, Read, Write};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// A stream of tokio, as a driver takes it for its UART.
#[derive(Debug)]
pub struct FromTokio<T>(T);

impl<T> FromTokio<T> {
    /// Wraps a stream.
    pub fn new(stream: T) -> Self {
        Self(stream)
    }
}

impl<T> ErrorType for FromTokio<T> {
    type Error = io::Error;
}

impl<T: AsyncRead + Unpin> Read for FromTokio<T> {
    async fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let mut buffer = ReadBuf::new(buffer);
        // Nothing may ever come for no room.
        if buffer.capacity() > 0 {
            poll_fn(|cx| Pin::new(&mut self.0).poll_read(cx, &mut buffer)).await?;
        }
        Ok(buffer.filled().len())
    }
}

impl<T: AsyncWrite + Unpin> Write for FromTokio<T> {
    async fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match poll_fn(|cx| Pin::new(&mut self.0).poll_write(cx, bytes)).await? {
            0 if !bytes.is_empty() => Err(io::ErrorKind::WriteZero.into()),
            count => Ok(count),
        }
    }

    async fn flush(&mut self) -> io::Result<()> {
        poll_fn(|cx| Pin::new(&mut self.0).poll_flush(cx)).await
    }
}
