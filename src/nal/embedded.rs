//! The implementation of embedded-nal-async's traits.

use core::net::{IpAddr, SocketAddr};

use embedded_nal_async::{AddrType, Dns, TcpConnect};

use super::connector::{Connection, Connector, ErrorOf};
use super::names::{Lookup, NameError, Names, reverse};
use crate::socket::SecureConnect;

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

impl<C: SecureConnect> TcpConnect for Connector<'_, C> {
    type Error = ErrorOf<C>;
    type Connection<'a>
        = Connection<'a, C>
    where
        Self: 'a;

    async fn connect(&self, remote: SocketAddr) -> Result<Connection<'_, C>, ErrorOf<C>> {
        self.open(remote).await
    }
}
