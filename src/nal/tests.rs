//! Tests of the adapters over a [`SecureConnect`] without a modem, whose connections are inside this process.

extern crate std;

use core::cell::RefCell;
use core::convert::Infallible;
use core::net::{IpAddr, SocketAddr};
use std::collections::VecDeque;
use std::rc::Rc;
use std::string::{String, ToString};
use std::vec::Vec;

use embassy_futures::block_on;
use embedded_io::{ErrorKind, ErrorType, ReadReady, WriteReady};
use embedded_io_async::{Read, Write};

use super::{Connection, Connector, ConnectorError, Names};
use crate::{SecureConnect, SecureSocket, ServerName, Tag, TlsConfig};

/// A connector whose connections echo what is written, in capitals.
#[derive(Default)]
struct Echo {
    /// The name, port and tag of each connect.
    asked: RefCell<Vec<(String, u16, u32)>>,
}

#[derive(Debug, Default)]
struct Line {
    bytes: VecDeque<u8>,
    closed: bool,
    aborted: bool,
}

struct EchoSocket(Rc<RefCell<Line>>);

/// The error for a name that is unknown.
#[derive(Debug, PartialEq)]
struct Unknown;

impl core::fmt::Display for Unknown {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("no such name")
    }
}

impl core::error::Error for Unknown {}

impl embedded_io::Error for Unknown {
    fn kind(&self) -> ErrorKind {
        ErrorKind::AddrNotAvailable
    }
}

impl SecureConnect for Echo {
    type Error = Unknown;
    type SocketError = Infallible;
    type Socket<'s> = EchoSocket;

    async fn connect(
        &self,
        name: ServerName<'_>,
        port: u16,
        config: &TlsConfig,
    ) -> Result<EchoSocket, Unknown> {
        let name = name.as_str().to_string();
        if name == "nowhere.example.com" {
            return Err(Unknown);
        }
        self.asked.borrow_mut().push((name, port, config.tag().0));
        Ok(EchoSocket(Rc::default()))
    }
}

impl ErrorType for EchoSocket {
    type Error = Infallible;
}

impl Read for EchoSocket {
    async fn read(&mut self, buf: &mut [u8]) -> Result<usize, Infallible> {
        let mut line = self.0.borrow_mut();
        let count = buf.len().min(line.bytes.len());
        for (room, byte) in buf.iter_mut().zip(line.bytes.drain(..count)) {
            *room = byte;
        }
        Ok(count)
    }
}

impl Write for EchoSocket {
    async fn write(&mut self, buf: &[u8]) -> Result<usize, Infallible> {
        let capitals = buf.iter().map(u8::to_ascii_uppercase);
        self.0.borrow_mut().bytes.extend(capitals);
        Ok(buf.len())
    }

    async fn flush(&mut self) -> Result<(), Infallible> {
        Ok(())
    }
}

impl ReadReady for EchoSocket {
    fn read_ready(&mut self) -> Result<bool, Infallible> {
        Ok(!self.0.borrow().bytes.is_empty())
    }
}

impl WriteReady for EchoSocket {
    fn write_ready(&mut self) -> Result<bool, Infallible> {
        Ok(!self.0.borrow().closed)
    }
}

impl SecureSocket for EchoSocket {
    type Reader<'h> = EchoSocket;
    type Writer<'h> = EchoSocket;

    fn split(&mut self) -> (EchoSocket, EchoSocket) {
        (EchoSocket(self.0.clone()), EchoSocket(self.0.clone()))
    }

    async fn finish(&mut self) -> Result<(), Infallible> {
        self.0.borrow_mut().closed = true;
        Ok(())
    }

    fn abort(&mut self) {
        self.0.borrow_mut().aborted = true;
    }

    async fn readable(&mut self) {}

    async fn half_readable<'h>(_: &mut EchoSocket)
    where
        Self: 'h,
    {
    }
}

const TLS: TlsConfig = TlsConfig::new(Tag(7));

fn connector(echo: Echo) -> Connector<'static, Echo> {
    let name = ServerName::new("broker.example.com").unwrap();
    Connector::to(echo, TLS, name)
}

fn any(port: u16) -> SocketAddr {
    SocketAddr::new(IpAddr::V4(core::net::Ipv4Addr::UNSPECIFIED), port)
}

/// Writes and reads as a client, and returns the answer.
async fn talk(connection: &mut (impl Read + Write + ReadReady)) -> Vec<u8> {
    connection.write_all(b"hello").await.unwrap();
    connection.flush().await.unwrap();
    assert!(connection.read_ready().unwrap());
    let mut answer = [0; 5];
    connection.read_exact(&mut answer).await.unwrap();
    assert!(!connection.read_ready().unwrap());
    answer.into()
}

#[test]
fn embedded_nal_async_takes_any_connector() {
    use embedded_nal_async::TcpConnect;

    block_on(async {
        let network = connector(Echo::default());
        let mut connection = network.connect(any(8883)).await.unwrap();
        assert_eq!(talk(&mut connection).await, b"HELLO");
        let asked = network.connect.asked.borrow();
        assert_eq!(asked[..], [("broker.example.com".into(), 8883, 7)]);
    });
}

#[test]
fn edge_nal_takes_any_connector() {
    use edge_nal::{Close, Readable, TcpConnect, TcpShutdown, TcpSplit};

    block_on(async {
        let network = connector(Echo::default());
        let mut connection: Connection<'_, Echo> = network.connect(any(443)).await.unwrap();
        assert_eq!(talk(&mut connection).await, b"HELLO");
        let (mut reader, mut writer) = connection.split();
        writer.write_all(b"halves").await.unwrap();
        reader.readable().await.unwrap();
        let mut answer = [0; 6];
        reader.read_exact(&mut answer).await.unwrap();
        assert_eq!(&answer, b"HALVES");
        let half = connection.close(Close::Write).await;
        assert_eq!(half, Err(ConnectorError::HalfClose));
        connection.close(Close::Both).await.unwrap();
        connection.abort().await.unwrap();
        let line = connection.into_inner().0;
        assert!(line.borrow().closed && line.borrow().aborted);
    });
}

#[test]
fn names_are_looked_up_for_any_connector_and_its_errors_come_through() {
    use edge_nal::{AddrType, Dns, TcpConnect};

    block_on(async {
        let names: Names = Names::new();
        let network = Connector::by_name(Echo::default(), TLS, &names);
        for (host, expected) in [
            ("www.example.com", Ok(())),
            ("nowhere.example.com", Err(())),
        ] {
            let address = names.get_host_by_name(host, AddrType::IPv4).await.unwrap();
            let end = network.connect(SocketAddr::new(address, 443)).await;
            match (end, expected) {
                (Ok(_), Ok(())) => {}
                (Err(error), Err(())) => {
                    assert_eq!(error, ConnectorError::Connect(Unknown));
                    let kind = embedded_io::Error::kind(&error);
                    assert_eq!(kind, ErrorKind::AddrNotAvailable);
                }
                (end, _) => panic!("{host}: {}", end.is_ok()),
            }
        }
        let asked = network.connect.asked.borrow();
        assert_eq!(asked[..], [("www.example.com".into(), 443, 7)]);
    });
}
