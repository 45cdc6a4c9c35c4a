//! edge-nal. Its sockets can do more than read and write, so these are for [`Sockets`] only.

use core::net::{IpAddr, SocketAddr};

use edge_nal::{AddrType, Close, Dns, Readable, TcpConnect, TcpShutdown, TcpSplit};
use embedded_io::{ErrorType, ReadReady, WriteReady};
use embedded_io_async::{Read, Write};

use super::connector::{Connection, Connector, ConnectorError};
use super::names::{Lookup, NameError, Names, reverse};
use crate::error::{ConnectError, SocketError};
use crate::modem::Modem;
use crate::socket::{Reader, Sockets, Writer};

type Error = ConnectorError<ConnectError, SocketError>;

impl<const N: usize, const LEN: usize> Dns for Names<N, LEN> {
    type Error = NameError;

    async fn get_host_by_name(&self, host: &str, kind: AddrType) -> Result<IpAddr, NameError> {
        ipv4_allowed(kind)?;
        self.resolve(host).map(IpAddr::V4)
    }

    async fn get_host_by_address(
        &self,
        address: IpAddr,
        result: &mut [u8],
    ) -> Result<usize, NameError> {
        reverse(self, address, result)
    }
}

impl<C> Dns for Connector<'_, C> {
    type Error = NameError;

    async fn get_host_by_name(&self, host: &str, kind: AddrType) -> Result<IpAddr, NameError> {
        ipv4_allowed(kind)?;
        self.resolve(host).map(IpAddr::V4)
    }

    async fn get_host_by_address(
        &self,
        address: IpAddr,
        result: &mut [u8],
    ) -> Result<usize, NameError> {
        self.reverse(address, result)
    }
}

fn ipv4_allowed(kind: AddrType) -> Result<(), NameError> {
    match kind {
        AddrType::IPv6 => Err(NameError::NotIpv6),
        AddrType::IPv4 | AddrType::Either => Ok(()),
    }
}

impl<'a, M: Modem> TcpConnect for Connector<'_, Sockets<'a, M>> {
    type Error = Error;
    type Socket<'s>
        = Connection<'s, Sockets<'a, M>>
    where
        Self: 's;

    async fn connect(&self, remote: SocketAddr) -> Result<Self::Socket<'_>, Error> {
        self.open(remote).await
    }
}

impl<M: Modem> Readable for Connection<'_, Sockets<'_, M>> {
    /// Returns when a read would return at once: with a byte, with the end, or with the error that ended
    /// the connection. Cancel-safe.
    async fn readable(&mut self) -> Result<(), Error> {
        self.0.readable().await;
        Ok(())
    }
}

impl<M: Modem> TcpSplit for Connection<'_, Sockets<'_, M>> {
    type Read<'h>
        = ReadHalf<'h>
    where
        Self: 'h;
    type Write<'h>
        = WriteHalf<'h>
    where
        Self: 'h;

    fn split(&mut self) -> (ReadHalf<'_>, WriteHalf<'_>) {
        let (reader, writer) = self.0.split();
        (ReadHalf(reader), WriteHalf(writer))
    }
}

impl<M: Modem> TcpShutdown for Connection<'_, Sockets<'_, M>> {
    /// - `Both`: sends what was written, closes the connection, and waits until the modem has confirmed
    ///   it, as [`Socket::close`](crate::Socket::close) does. What the peer sent and was received can
    ///   still be read; then reads return 0, and writes `BrokenPipe`. An error means that not everything
    ///   was sent; the connection is closed all the same. A second time it returns at once.
    /// - `Read`: reads and discards until the peer closes, for as long as that takes, as the trait says.
    ///   The peer is told nothing.
    /// - `Write`: [`HalfClose`](ConnectorError::HalfClose), and nothing is done: no modem can tell the
    ///   peer that one direction has ended. (Success would make callers wait for an end that never comes.)
    ///
    /// Dropped, `Both` may leave the connection open, until it is called again or the socket is dropped;
    /// `Read` has discarded some bytes or none.
    async fn close(&mut self, what: Close) -> Result<(), Error> {
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

    /// Discards what was not sent yet, and leaves it to the runner to close the connection: returns at
    /// once. (No modem lets its host send an RST.)
    async fn abort(&mut self) -> Result<(), Error> {
        self.0.abort();
        Ok(())
    }
}

/// The reading half of a [`Connection`], see [`Reader`].
pub struct ReadHalf<'h>(Reader<'h>);

/// The writing half of a [`Connection`], see [`Writer`].
pub struct WriteHalf<'h>(Writer<'h>);

impl ErrorType for ReadHalf<'_> {
    type Error = Error;
}

impl ErrorType for WriteHalf<'_> {
    type Error = Error;
}

impl Read for ReadHalf<'_> {
    async fn read(&mut self, buf: &mut [u8]) -> Result<usize, Error> {
        self.0.read(buf).await.map_err(ConnectorError::Socket)
    }
}

impl ReadReady for ReadHalf<'_> {
    fn read_ready(&mut self) -> Result<bool, Error> {
        self.0.read_ready().map_err(ConnectorError::Socket)
    }
}

impl Readable for ReadHalf<'_> {
    /// See [`Readable`] of [`Connection`].
    async fn readable(&mut self) -> Result<(), Error> {
        self.0.readable().await;
        Ok(())
    }
}

impl Write for WriteHalf<'_> {
    async fn write(&mut self, buf: &[u8]) -> Result<usize, Error> {
        self.0.write(buf).await.map_err(ConnectorError::Socket)
    }

    async fn flush(&mut self) -> Result<(), Error> {
        self.0.flush().await.map_err(ConnectorError::Socket)
    }
}

impl WriteReady for WriteHalf<'_> {
    fn write_ready(&mut self) -> Result<bool, Error> {
        self.0.write_ready().map_err(ConnectorError::Socket)
    }
}
