//! The implementation of edge-nal's traits.

use core::net::SocketAddr;

use edge_nal::{Close, Readable, TcpConnect, TcpShutdown, TcpSplit};
use embedded_io::{ErrorType, ReadReady, WriteReady};
use embedded_io_async::{Read, Write};

use super::connector::{Connection, Connector, ConnectorError, ErrorOf};
use crate::socket::{SecureConnect, SecureSocket};

implement_dns!(edge_nal);

impl<C: SecureConnect> TcpConnect for Connector<'_, C> {
    type Error = ErrorOf<C>;
    type Socket<'s>
        = Connection<'s, C>
    where
        Self: 's;

    async fn connect(&self, remote: SocketAddr) -> Result<Self::Socket<'_>, ErrorOf<C>> {
        self.open(remote).await
    }
}

impl<'s, C: SecureConnect> Readable for Connection<'s, C> {
    /// Waits until a read would return at once: with data, with the end, or with the error that ended the connection.
    /// Cancel-safe.
    async fn readable(&mut self) -> Result<(), ErrorOf<C>> {
        self.0.readable().await;
        Ok(())
    }
}

impl<'s, C: SecureConnect> TcpSplit for Connection<'s, C> {
    type Read<'h>
        = ReadHalf<'h, 's, C>
    where
        Self: 'h;
    type Write<'h>
        = WriteHalf<'h, 's, C>
    where
        Self: 'h;

    fn split(&mut self) -> (ReadHalf<'_, 's, C>, WriteHalf<'_, 's, C>) {
        let (reader, writer) = self.0.split();
        (ReadHalf(reader), WriteHalf(writer))
    }
}

impl<'s, C: SecureConnect> TcpShutdown for Connection<'s, C> {
    /// Closes the connection.
    ///
    /// - `Both`: flushes, closes the connection, and waits until the modem has confirmed the close, as
    ///   [`Socket::close`](crate::Socket::close) does. Data that was received before can still be read; then reads return
    ///   0, and writes `BrokenPipe`. An error means that not everything was sent; the connection is closed all the same.
    ///   A second call returns at once.
    /// - `Read`: reads and discards data until the peer closes, however long that takes, as the trait demands. The peer is
    ///   not told.
    /// - `Write`: fails with [`HalfClose`](ConnectorError::HalfClose) and does nothing, since no modem can tell the peer
    ///   that one direction has ended. (Success would make callers wait for an end that never comes.)
    ///
    /// If the future is dropped, `Both` may leave the connection open until it is called again or the socket is
    /// dropped, and `Read` may have discarded some bytes.
    async fn close(&mut self, what: Close) -> Result<(), ErrorOf<C>> {
        match what {
            Close::Both => self.0.finish().await.map_err(ConnectorError::Socket),
            Close::Read => {
                let mut sink = [0; 32];
                while self.read(&mut sink).await? > 0 {}
                Ok(())
            }
            Close::Write => Err(ConnectorError::HalfClose),
        }
    }

    /// Discards data that was not sent yet, and has the runner close the connection. Returns at once. (No modem lets its
    /// host send an RST.)
    async fn abort(&mut self) -> Result<(), ErrorOf<C>> {
        self.0.abort();
        Ok(())
    }
}

/// The reading half of a [`Connection`].
pub struct ReadHalf<'h, 's: 'h, C: SecureConnect + 's>(<C::Socket<'s> as SecureSocket>::Reader<'h>);

/// The writing half of a [`Connection`].
pub struct WriteHalf<'h, 's: 'h, C: SecureConnect + 's>(
    <C::Socket<'s> as SecureSocket>::Writer<'h>,
);

impl<'s, C: SecureConnect + 's> ErrorType for ReadHalf<'_, 's, C> {
    type Error = ErrorOf<C>;
}

impl<'s, C: SecureConnect + 's> ErrorType for WriteHalf<'_, 's, C> {
    type Error = ErrorOf<C>;
}

impl<'s, C: SecureConnect + 's> Read for ReadHalf<'_, 's, C> {
    async fn read(&mut self, buf: &mut [u8]) -> Result<usize, ErrorOf<C>> {
        self.0.read(buf).await.map_err(ConnectorError::Socket)
    }
}

impl<'s, C: SecureConnect + 's> ReadReady for ReadHalf<'_, 's, C> {
    fn read_ready(&mut self) -> Result<bool, ErrorOf<C>> {
        self.0.read_ready().map_err(ConnectorError::Socket)
    }
}

impl<'s, C: SecureConnect + 's> Readable for ReadHalf<'_, 's, C> {
    /// See [`Readable`] of [`Connection`].
    async fn readable(&mut self) -> Result<(), ErrorOf<C>> {
        <C::Socket<'s> as SecureSocket>::half_readable(&mut self.0).await;
        Ok(())
    }
}

impl<'s, C: SecureConnect + 's> Write for WriteHalf<'_, 's, C> {
    async fn write(&mut self, buf: &[u8]) -> Result<usize, ErrorOf<C>> {
        self.0.write(buf).await.map_err(ConnectorError::Socket)
    }

    async fn flush(&mut self) -> Result<(), ErrorOf<C>> {
        self.0.flush().await.map_err(ConnectorError::Socket)
    }
}

impl<'s, C: SecureConnect + 's> WriteReady for WriteHalf<'_, 's, C> {
    fn write_ready(&mut self) -> Result<bool, ErrorOf<C>> {
        self.0.write_ready().map_err(ConnectorError::Socket)
    }
}
