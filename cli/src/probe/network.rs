//! How the look from this computer gets to a server.

use std::fmt;
use std::io;
use std::net::SocketAddr;

#[cfg(feature = "demo")]
use sectag_simulator::LoopbackNetwork;
#[cfg(test)]
use sectag_simulator::{MemoryNetwork, Network};
use tokio::net::TcpStream;

use crate::port::Stream;

/// How names are found.
#[derive(Clone)]
pub(crate) enum Names {
    /// As this computer finds them.
    System,
    /// As a simulated network does, which never leaves this computer.
    #[cfg(feature = "demo")]
    Simulated(LoopbackNetwork),
    /// In the memory of this process.
    #[cfg(test)]
    InMemory(MemoryNetwork),
}

/// Where a server may be.
pub(crate) enum Place {
    Tcp(SocketAddr),
    #[cfg(test)]
    InMemory(MemoryNetwork, String, u16),
}

#[cfg(test)]
thread_local! {
    static OF_THREAD: std::cell::RefCell<Option<MemoryNetwork>> = const { std::cell::RefCell::new(None) };
}

impl Names {
    /// This computer's.
    pub(crate) fn here() -> Self {
        #[cfg(test)]
        if let Some(network) = OF_THREAD.with_borrow(Clone::clone) {
            return Self::InMemory(network);
        }
        Self::System
    }

    /// For commands on this thread, this computer's network is that one.
    #[cfg(test)]
    pub(crate) fn set_for_this_thread(network: MemoryNetwork) {
        OF_THREAD.set(Some(network));
    }

    pub(crate) async fn resolve(&self, host: &str, port: u16) -> io::Result<Vec<Place>> {
        match self {
            Self::System => {
                let found = tokio::net::lookup_host((host, port)).await?;
                Ok(found.map(Place::Tcp).collect())
            }
            #[cfg(feature = "demo")]
            Self::Simulated(network) => match network.resolve(host, port) {
                Ok(address) => Ok(vec![Place::Tcp(address)]),
                // The name is there, the port is not.
                Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => Ok(vec![]),
                Err(error) => Err(error),
            },
            #[cfg(test)]
            Self::InMemory(network) if network.resolves(host) => {
                Ok(vec![Place::InMemory(network.clone(), host.into(), port)])
            }
            #[cfg(test)]
            Self::InMemory(_) => Err(io::Error::other("Name or service not known")),
        }
    }
}

impl Place {
    pub(crate) async fn connect(&self) -> io::Result<Box<dyn Stream>> {
        match self {
            Self::Tcp(address) => {
                let stream = TcpStream::connect(address).await?;
                stream.set_nodelay(true)?;
                Ok(Box::new(stream))
            }
            #[cfg(test)]
            Self::InMemory(network, host, port) => {
                Ok(Box::new(network.connect(host, *port).await?))
            }
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(address) => address.fmt(f),
            #[cfg(test)]
            Self::InMemory(_, host, port) => write!(f, "{host}:{port} in memory"),
        }
    }
}
