//! Ports of services that cannot tell which free port they took.

use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};

/// A port of 127.0.0.1 that is free now. Another process may take it before the caller does: retry.
pub(crate) fn free_port() -> io::Result<u16> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?
        .local_addr()?
        .port())
}

pub(crate) fn loopback(port: u16) -> SocketAddr {
    (Ipv4Addr::LOCALHOST, port).into()
}

pub(crate) fn accepts(port: u16) -> bool {
    TcpStream::connect(loopback(port)).is_ok()
}
