//! Adapters for libraries that connect to an IP address: the traits of embedded-nal-async (feature
//! `embedded-nal-async`) and of edge-nal (feature `edge-nal`).
//!
//! Those traits connect to an address, but TLS needs a name. So a lookup returns a *placeholder*: an address of
//! 240.0.0.0/4, which no network routes, that stands for the name. [`Names`] gives placeholders out, and a
//! [`Connector`] made [`by_name`](Connector::by_name) connects to the name behind one, and to nothing else. A
//! connector made for one server, [`to`](Connector::to), needs no table: it connects to that server whatever the
//! address is.
//!
//! A library that does not look up names uses any address with [`Connector::to`]:
//!
//! ```
//! # #[cfg(feature = "embedded-nal-async")] {
//! use embedded_nal_async::TcpConnect;
//! use sectag::nal::Connector;
//! use sectag::{CaScope, SecureConnect, ServerName, Tag, TlsConfig};
//!
//! const BROKER: ServerName = match ServerName::new("broker.example.com") {
//!     Ok(name) => name,
//!     Err(_) => panic!("not a name"),
//! };
//! const TLS: TlsConfig = TlsConfig::new(Tag(7)).ca_scope(CaScope::Private);
//!
//! async fn run<C: SecureConnect>(modem: C) {
//!     let network = Connector::to(modem, TLS, BROKER);
//!     // For instance mqttrust's NalTransport::new(&network, IpBroker::new(Ipv4Addr::UNSPECIFIED, 8883)).
//!     let any = "0.0.0.0:8883".parse().unwrap();
//!     let _connection = network.connect(any).await;
//! }
//! # }
//! ```
//!
//! A library that looks up names uses both [`Names`] and [`Connector`]:
//!
//! ```
//! # #[cfg(feature = "edge-nal")] {
//! use core::net::SocketAddr;
//!
//! use edge_nal::{AddrType, Dns, TcpConnect};
//! use sectag::modem::Modem;
//! use sectag::nal::{Connector, Names};
//! use sectag::{Check, Control, Tag, TlsConfig};
//!
//! const WEB: TlsConfig = TlsConfig::new(Tag(8)).dangerous().accept_missing(Check::Name);
//!
//! async fn run<M: Modem>(modem: Control<'_, M>) {
//!     let names: Names = Names::new();
//!     let network = Connector::by_name(modem, WEB, &names);
//!     let Ok(address) = names.get_host_by_name("www.example.com", AddrType::IPv4).await else {
//!         return; // not a name, or all places of the table are connecting
//!     };
//!     let _socket = network.connect(SocketAddr::new(address, 443)).await;
//! }
//! # }
//! ```

// This module stands first, so that its macro reaches the adapters.
#[macro_use]
mod dns;

mod connector;
#[cfg(feature = "edge-nal")]
mod edge;
#[cfg(feature = "embedded-nal-async")]
mod embedded;
mod names;

pub use connector::{Connection, Connector, ConnectorError};
#[cfg(feature = "edge-nal")]
pub use edge::{ReadHalf, WriteHalf};
pub use names::{NameError, Names};

#[cfg(all(test, feature = "edge-nal", feature = "embedded-nal-async"))]
mod tests;
