//! The connection over either of two links.

use embedded_io::{ErrorType, ReadReady, WriteReady};
use embedded_io_async::{Read, Write};

use super::carrier::Carrier;
use crate::error::SocketError;
use crate::socket::SecureSocket;

/// A connection of a [`Failover`](super::Failover). It behaves as the socket in it.
pub enum Carried<A, B> {
    /// Over the first link.
    First(A),
    /// Over the second link.
    Second(B),
}

/// The reading half of a [`Carried`].
pub enum CarriedReader<A, B> {
    /// Over the first link.
    First(A),
    /// Over the second link.
    Second(B),
}

/// The writing half of a [`Carried`].
pub enum CarriedWriter<A, B> {
    /// Over the first link.
    First(A),
    /// Over the second link.
    Second(B),
}

impl<A, B> Carried<A, B> {
    /// Returns the link that carries the connection.
    pub fn carrier(&self) -> Carrier {
        match self {
            Self::First(_) => Carrier::First,
            Self::Second(_) => Carrier::Second,
        }
    }
}

/// Makes a call on the value of either variant.
macro_rules! either {
    ($this:expr, $inner:ident => $call:expr) => {
        match $this {
            Self::First($inner) => $call,
            Self::Second($inner) => $call,
        }
    };
}

macro_rules! error_type {
    ($($name:ident),*) => {$(
        impl<A: ErrorType<Error = SocketError>, B: ErrorType<Error = SocketError>> ErrorType for $name<A, B> {
            type Error = SocketError;
        }
    )*};
}

macro_rules! reads {
    ($($name:ident),*) => {$(
        impl<A: Read<Error = SocketError>, B: Read<Error = SocketError>> Read for $name<A, B> {
            async fn read(&mut self, buf: &mut [u8]) -> Result<usize, SocketError> {
                either!(self, it => it.read(buf).await)
            }
        }

        impl<A, B> ReadReady for $name<A, B>
        where
            A: ReadReady<Error = SocketError>,
            B: ReadReady<Error = SocketError>,
        {
            fn read_ready(&mut self) -> Result<bool, SocketError> {
                either!(self, it => it.read_ready())
            }
        }
    )*};
}

macro_rules! writes {
    ($($name:ident),*) => {$(
        impl<A: Write<Error = SocketError>, B: Write<Error = SocketError>> Write for $name<A, B> {
            async fn write(&mut self, buf: &[u8]) -> Result<usize, SocketError> {
                either!(self, it => it.write(buf).await)
            }

            async fn flush(&mut self) -> Result<(), SocketError> {
                either!(self, it => it.flush().await)
            }
        }

        impl<A, B> WriteReady for $name<A, B>
        where
            A: WriteReady<Error = SocketError>,
            B: WriteReady<Error = SocketError>,
        {
            fn write_ready(&mut self) -> Result<bool, SocketError> {
                either!(self, it => it.write_ready())
            }
        }
    )*};
}

error_type!(Carried, CarriedReader, CarriedWriter);
reads!(Carried, CarriedReader);
writes!(Carried, CarriedWriter);

impl<A, B> SecureSocket for Carried<A, B>
where
    A: SecureSocket<Error = SocketError>,
    B: SecureSocket<Error = SocketError>,
{
    type Reader<'h>
        = CarriedReader<A::Reader<'h>, B::Reader<'h>>
    where
        Self: 'h;
    type Writer<'h>
        = CarriedWriter<A::Writer<'h>, B::Writer<'h>>
    where
        Self: 'h;

    fn split(&mut self) -> (Self::Reader<'_>, Self::Writer<'_>) {
        match self {
            Self::First(it) => {
                let (reader, writer) = it.split();
                (CarriedReader::First(reader), CarriedWriter::First(writer))
            }
            Self::Second(it) => {
                let (reader, writer) = it.split();
                (CarriedReader::Second(reader), CarriedWriter::Second(writer))
            }
        }
    }

    async fn finish(&mut self) -> Result<(), SocketError> {
        either!(self, it => it.finish().await)
    }

    fn abort(&mut self) {
        either!(self, it => it.abort());
    }

    async fn readable(&mut self) {
        either!(self, it => it.readable().await);
    }

    async fn half_readable<'h>(half: &mut Self::Reader<'h>)
    where
        Self: 'h,
    {
        match half {
            CarriedReader::First(it) => A::half_readable(it).await,
            CarriedReader::Second(it) => B::half_readable(it).await,
        }
    }
}
