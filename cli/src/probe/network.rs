//! How the look from this computer gets to a server.

use std::fmt;
use std::io;
use std::net::SocketAddr;

#[cfg(feature = "demo")]
use sectag_simulator::LoopbackNetwork;
#[cfg(test)]
use sectag_simulator::{MemoryNetwork, Network};
use tokio::net::TcpStream;

use crate::args::PortName;
use crate::port::Stream;
#[cfg(feature = "demo")]
use crate::simulated_port;

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
    static OF_THREAD: std::cell::RefCell<Option<Names>> = const { std::cell::RefCell::new(None) };
}

impl Names {
    /// As the modem behind a port finds them, as far as this computer can: a simulated modem's are those of its `--map`.
    pub(crate) fn behind(port: &PortName) -> Self {
        #[cfg(test)]
        if let Some(names) = OF_THREAD.with_borrow(Clone::clone) {
            return names;
        }
        #[cfg(feature = "demo")]
        if let Some(network) = simulated_port::network(port) {
            return Self::Simulated(network);
        }
        let _ = port;
        Self::System
    }

    /// Where these are names of, when it is not this computer's network.
    pub(crate) fn whose(&self) -> &'static str {
        #[cfg(feature = "demo")]
        if matches!(self, Self::Simulated(_)) {
            return " in the simulated modem's network";
        }
        ""
    }

    /// For commands on this thread, names are found so, whatever the port.
    #[cfg(test)]
    pub(crate) fn set_for_this_thread(self) {
        OF_THREAD.set(Some(self));
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
