//! The implementation of embedded-nal-async's traits.

use core::net::SocketAddr;

use embedded_nal_async::TcpConnect;

use super::connector::{Connection, Connector, ErrorOf};
use crate::socket::SecureConnect;

implement_dns!(embedded_nal_async);

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
