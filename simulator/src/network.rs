//! The network behind the modem, which never leads beyond this computer.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::future::Future;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, DuplexStream};
use tokio::sync::mpsc;

/// A boxed future that need not be `Send`.
pub type LocalBoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + 'a>>;

/// A connection of the simulated network.
pub trait Stream: AsyncRead + AsyncWrite + Unpin {}

impl<T: AsyncRead + AsyncWrite + Unpin> Stream for T {}

/// The network behind a simulated modem: it opens TCP connections for it.
pub trait Network {
    /// Returns whether the name has an address. A network that cannot know without a connection returns
    /// true.
    fn resolves(&self, _host: &str) -> bool {
        true
    }
    /// Returns the local socket to which `host:port` leads, if there is one. A host behind PPP, which
    /// makes its own connections, is sent there.
    fn address(&self, _host: &str, _port: u16) -> Option<SocketAddr> {
        None
    }
    /// Connects to `host` (a name or an address literal). `ErrorKind::NotFound` means that the name has
    /// no address. Any other error means that the connection was not accepted.
    fn connect<'a>(
        &'a self,
        host: &'a str,
        port: u16,
    ) -> LocalBoxFuture<'a, io::Result<Box<dyn Stream>>>;
}

fn no_such_host(host: &str) -> io::Error {
    io::Error::new(
        io::ErrorKind::NotFound,
        format!("{host} has no address in the simulated network"),
    )
}

fn key(host: &str, port: u16) -> (String, u16) {
    (host.to_ascii_lowercase(), port)
}

/// A network of real TCP connections to this computer. Names are mapped one by one; a name that is not
/// mapped does not exist, except for `localhost` and loopback literals, which lead to themselves. Needs
/// tokio's reactor.
#[derive(Clone, Debug, Default)]
pub struct LoopbackNetwork {
    map: BTreeMap<(String, u16), SocketAddr>,
}

impl LoopbackNetwork {
    /// Returns a network in which only `localhost` exists.
    pub fn new() -> Self {
        Self::default()
    }

    /// Maps `host:port` to `target`, which must be a loopback address; any other is refused with
    /// `PermissionDenied`.
    pub fn map(&mut self, host: &str, port: u16, target: SocketAddr) -> io::Result<()> {
        if !target.ip().is_loopback() {
            return Err(io::Error::new(
                io::ErrorKind::PermissionDenied,
                format!(
                    "{target} is not a loopback address; simulated connections never leave this computer"
                ),
            ));
        }
        self.map.insert(key(host, port), target);
        Ok(())
    }

    /// Returns the address to which `host:port` leads. `ErrorKind::NotFound` means that the name has no
    /// address.
    pub fn resolve(&self, host: &str, port: u16) -> io::Result<SocketAddr> {
        if let Some(target) = self.map.get(&key(host, port)) {
            return Ok(*target);
        }
        if host.eq_ignore_ascii_case("localhost") {
            return Ok(SocketAddr::from(([127, 0, 0, 1], port)));
        }
        match host.parse::<IpAddr>() {
            Ok(address) if address.is_loopback() => Ok(SocketAddr::new(address, port)),
            Ok(_) => Err(io::ErrorKind::HostUnreachable.into()),
            Err(_)
                if self
                    .map
                    .keys()
                    .any(|(known, _)| known.eq_ignore_ascii_case(host)) =>
            {
                Err(io::ErrorKind::ConnectionRefused.into())
            }
            Err(_) => Err(no_such_host(host)),
        }
    }
}

impl Network for LoopbackNetwork {
    fn resolves(&self, host: &str) -> bool {
        let error = self.resolve(host, 0).err();
        error.is_none_or(|error| error.kind() != io::ErrorKind::NotFound)
    }

    fn address(&self, host: &str, port: u16) -> Option<SocketAddr> {
        self.resolve(host, port).ok()
    }

    fn connect<'a>(
        &'a self,
        host: &'a str,
        port: u16,
    ) -> LocalBoxFuture<'a, io::Result<Box<dyn Stream>>> {
        Box::pin(async move {
            let stream = tokio::net::TcpStream::connect(self.resolve(host, port)?).await?;
            stream.set_nodelay(true)?;
            Ok(Box::new(stream) as Box<dyn Stream>)
        })
    }
}

type Handler = Box<dyn FnMut(DuplexStream)>;

/// A network of pipes in memory, which works in virtual time and without a runtime.
#[derive(Clone, Default)]
pub struct MemoryNetwork {
    servers: Rc<RefCell<BTreeMap<(String, u16), Handler>>>,
}

/// The number of bytes that one direction of a connection in memory holds.
const PIPE: usize = 64 * 1024;

impl MemoryNetwork {
    /// Returns a network without servers.
    pub fn new() -> Self {
        Self::default()
    }

    /// Passes every connection to `host:port` to `handler`, which has to get the stream served.
    pub fn register(&self, host: &str, port: u16, handler: impl FnMut(DuplexStream) + 'static) {
        self.servers
            .borrow_mut()
            .insert(key(host, port), Box::new(handler));
    }

    /// Listens on `host:port`.
    pub fn listen(&self, host: &str, port: u16) -> MemoryListener {
        let (sender, receiver) = mpsc::unbounded_channel();
        self.register(host, port, move |stream| {
            // If the listener was dropped, so is the stream, and the modem sees the connection close.
            let _ = sender.send(stream);
        });
        MemoryListener { receiver }
    }

    /// Removes a server. Its host then refuses connections or, with its last port, has no address.
    pub fn remove(&self, host: &str, port: u16) {
        self.servers.borrow_mut().remove(&key(host, port));
    }
}

impl Network for MemoryNetwork {
    fn resolves(&self, host: &str) -> bool {
        let servers = self.servers.borrow();
        servers
            .keys()
            .any(|(known, _)| known.eq_ignore_ascii_case(host))
    }

    fn connect<'a>(
        &'a self,
        host: &'a str,
        port: u16,
    ) -> LocalBoxFuture<'a, io::Result<Box<dyn Stream>>> {
        Box::pin(async move {
            let mut servers = self.servers.borrow_mut();
            if let Some(handler) = servers.get_mut(&key(host, port)) {
                let (modem, server) = tokio::io::duplex(PIPE);
                handler(server);
                return Ok(Box::new(modem) as Box<dyn Stream>);
            }
            let known = servers
                .keys()
                .any(|(known, _)| known.eq_ignore_ascii_case(host));
            Err(if known {
                io::ErrorKind::ConnectionRefused.into()
            } else {
                no_such_host(host)
            })
        })
    }
}

/// A listener of a [`MemoryNetwork`].
pub struct MemoryListener {
    receiver: mpsc::UnboundedReceiver<DuplexStream>,
}

impl MemoryListener {
    /// Like [`accept`](Self::accept), for callers that poll.
    pub(crate) fn poll_accept(&mut self, cx: &mut Context<'_>) -> Poll<Option<DuplexStream>> {
        self.receiver.poll_recv(cx)
    }

    /// Returns the next connection; `None` once the network was dropped.
    pub async fn accept(&mut self) -> Option<DuplexStream> {
        self.receiver.recv().await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_mapped_to_addresses_of_this_computer_only() {
        let mut network = LoopbackNetwork::new();
        assert!(
            network
                .map("broker.example", 8883, "192.0.2.1:8883".parse().unwrap())
                .is_err()
        );
        network
            .map("Broker.example", 8883, "127.0.0.1:18883".parse().unwrap())
            .unwrap();
        assert_eq!(
            network.resolve("broker.EXAMPLE", 8883).unwrap().port(),
            18883
        );
        assert_eq!(network.resolve("localhost", 1).unwrap().port(), 1);
        let error = |host| network.resolve(host, 1).unwrap_err().kind();
        assert_eq!(error("broker.example"), io::ErrorKind::ConnectionRefused);
        assert_eq!(error("other.example"), io::ErrorKind::NotFound);
        assert_eq!(error("192.0.2.1"), io::ErrorKind::HostUnreachable);
    }
}
