//! The connector that connects to the name behind an address.

use core::cell::Ref;
use core::fmt;
use core::net::{IpAddr, Ipv4Addr, SocketAddr};

use embedded_io::{ErrorKind, ErrorType, ReadReady, WriteReady};
use embedded_io_async::{Read, Write};

use super::names::{Lookup, NameError, Names, THE_ONE, is_placeholder};
use crate::socket::SecureConnect;
use crate::tls::{ServerName, TlsConfig};

/// A connector that makes verified TLS connections for a library that uses IP addresses only. It implements `TcpConnect`
/// and `Dns` of the crates whose feature is on.
///
/// The library sees plain TCP, as the names of the traits say: it writes plain bytes, and the modem sends them over TLS.
/// So leave the library's own TLS out, and give it the TLS port (8883, 443).
///
/// `connect` takes as long as [`SecureConnect::connect`], which can be minutes: wrap it in a timeout where the library
/// does not. Its future may be dropped: the runner then closes a connection that was begun.
pub struct Connector<'n, C> {
    pub(super) connect: C,
    config: TlsConfig,
    target: Target<'n>,
}

enum Target<'n> {
    Names(&'n dyn Lookup),
    Server(ServerName<'n>),
}

impl<'n, C> Connector<'n, C> {
    /// Makes a connector that connects to the placeholder addresses of `names`. Any other address is refused with
    /// `InvalidInput`, and so is that of a name which the table has dropped.
    ///
    /// Connectors of several tags may share one table.
    pub const fn by_name<const N: usize, const LEN: usize>(
        connect: C,
        config: TlsConfig,
        names: &'n Names<N, LEN>,
    ) -> Self {
        Self {
            connect,
            config,
            target: Target::Names(names),
        }
    }

    /// Makes a connector that connects to `server` at the port of the address, whatever the IP address is.
    pub const fn to(connect: C, config: TlsConfig, server: ServerName<'n>) -> Self {
        Self {
            connect,
            config,
            target: Target::Server(server),
        }
    }

    /// Implements `Dns::get_host_by_name` of both crates.
    pub(super) fn resolve(&self, host: &str) -> Result<Ipv4Addr, NameError> {
        match &self.target {
            Target::Names(names) => names.resolve(host),
            Target::Server(server) => match ServerName::new(host) {
                Ok(host) if server.as_str().eq_ignore_ascii_case(host.as_str()) => Ok(THE_ONE),
                _ => Err(NameError::OtherServer),
            },
        }
    }

    /// Implements `Dns::get_host_by_address` of both crates.
    pub(super) fn reverse(&self, address: IpAddr, result: &mut [u8]) -> Result<usize, NameError> {
        match &self.target {
            Target::Names(names) => super::names::reverse(*names, address, result),
            Target::Server(server) => {
                let name = server.as_str().as_bytes();
                result
                    .get_mut(..name.len())
                    .ok_or(NameError::BufferTooSmall { needed: name.len() })?
                    .copy_from_slice(name);
                Ok(name.len())
            }
        }
    }
}

impl<C: SecureConnect> Connector<'_, C> {
    /// Implements `TcpConnect::connect` of both crates.
    #[expect(
        clippy::await_holding_refcell_ref,
        reason = "the borrow keeps the name in its place; who wants a place tries the others"
    )]
    pub(super) async fn open(&self, remote: SocketAddr) -> Result<Connection<'_, C>, ErrorOf<C>> {
        let held: Ref<'_, str>;
        let name = match &self.target {
            Target::Server(server) => *server,
            Target::Names(names) => {
                let IpAddr::V4(address) = remote.ip() else {
                    return Err(ConnectorError::NotAPlaceholder);
                };
                held = names.name(address).ok_or(if is_placeholder(address) {
                    ConnectorError::Forgotten
                } else {
                    ConnectorError::NotAPlaceholder
                })?;
                // The name was checked when it was looked up.
                ServerName::new(&held).map_err(|_| ConnectorError::Forgotten)?
            }
        };
        let socket = self
            .connect
            .connect(name, remote.port(), &self.config)
            .await
            .map_err(ConnectorError::Connect)?;
        Ok(Connection(socket))
    }
}

pub(super) type ErrorOf<C> =
    ConnectorError<<C as SecureConnect>::Error, <C as SecureConnect>::SocketError>;

/// A connection of a [`Connector`]: the socket of `C`, with the single error type that the traits need. It waits, is
/// cancelled and dropped as the socket, see [`Socket`](crate::Socket).
pub struct Connection<'s, C: SecureConnect + 's>(pub(super) C::Socket<'s>);

impl<'s, C: SecureConnect> Connection<'s, C> {
    /// Returns a reference to the socket, for instance for `verified`.
    pub fn get_ref(&self) -> &C::Socket<'s> {
        &self.0
    }

    /// Returns the socket, for instance to close it and wait for the result.
    pub fn into_inner(self) -> C::Socket<'s> {
        self.0
    }
}

impl<C: SecureConnect> ErrorType for Connection<'_, C> {
    type Error = ErrorOf<C>;
}

impl<C: SecureConnect> Read for Connection<'_, C> {
    async fn read(&mut self, buf: &mut [u8]) -> Result<usize, Self::Error> {
        self.0.read(buf).await.map_err(ConnectorError::Socket)
    }
}

impl<C: SecureConnect> Write for Connection<'_, C> {
    async fn write(&mut self, buf: &[u8]) -> Result<usize, Self::Error> {
        self.0.write(buf).await.map_err(ConnectorError::Socket)
    }

    async fn flush(&mut self) -> Result<(), Self::Error> {
        self.0.flush().await.map_err(ConnectorError::Socket)
    }
}

impl<C: SecureConnect> ReadReady for Connection<'_, C> {
    fn read_ready(&mut self) -> Result<bool, Self::Error> {
        self.0.read_ready().map_err(ConnectorError::Socket)
    }
}

impl<C: SecureConnect> WriteReady for Connection<'_, C> {
    fn write_ready(&mut self) -> Result<bool, Self::Error> {
        self.0.write_ready().map_err(ConnectorError::Socket)
    }
}

/// The error of a connect or of a [`Connection`]. `C` and `S` are the errors of the [`SecureConnect`] and of its socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum ConnectorError<C, S> {
    /// The connection was not made.
    Connect(C),
    /// The address is a placeholder whose name the table has dropped in favour of another, or that another table gave out.
    Forgotten,
    /// A close of one direction was asked for, and the TLS of a modem closes both at once. Nothing was done.
    HalfClose,
    /// The address is no placeholder of a [`Names`].
    NotAPlaceholder,
    /// The connection failed.
    Socket(S),
}

impl<C: fmt::Display, S: fmt::Display> fmt::Display for ConnectorError<C, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Connect(error) => error.fmt(f),
            Self::Forgotten => f.write_str(
                "no name is behind this placeholder address, or no longer: look the name up again, by the table of this connector",
            ),
            Self::HalfClose => {
                f.write_str("a modem's TLS closes both directions at once: close both")
            }
            Self::NotAPlaceholder => f.write_str(
                "TLS needs a name, and this address has none: look the name up with Names, or use Connector::to",
            ),
            Self::Socket(error) => error.fmt(f),
        }
    }
}

impl<C, S> core::error::Error for ConnectorError<C, S>
where
    C: fmt::Debug + fmt::Display,
    S: fmt::Debug + fmt::Display,
{
}

impl<C: embedded_io::Error, S: embedded_io::Error> embedded_io::Error for ConnectorError<C, S> {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::Connect(error) => error.kind(),
            Self::Forgotten | Self::NotAPlaceholder => ErrorKind::InvalidInput,
            Self::HalfClose => ErrorKind::Unsupported,
            Self::Socket(error) => error.kind(),
        }
    }
}
