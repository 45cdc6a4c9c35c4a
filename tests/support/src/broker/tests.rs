use std::io;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;

use super::*;
use crate::ports::{accepts, loopback};
use crate::probe::{connect_packet, login, read_packet};
use crate::tls_client::{client_config, connect};

/// A client on the plain port.
struct Plain(TcpStream);

impl Plain {
    async fn login(broker: &Broker, version: u8, id: &str) -> Self {
        let mut stream = TcpStream::connect(loopback(broker.plain_port()))
            .await
            .unwrap();
        let connect = connect_packet(version, id, None);
        assert_eq!(login(&mut stream, &connect).await.unwrap(), 0);
        Self(stream)
    }

    async fn send(&mut self, packet: &[u8]) {
        self.0.write_all(packet).await.unwrap();
    }

    #[track_caller]
    fn expect(&mut self, packet: &[u8]) -> impl Future<Output = ()> {
        let at = std::panic::Location::caller();
        let expected = packet.to_vec();
        async move {
            let found = read_packet(&mut self.0).await.unwrap();
            assert!(found == expected, "{at}: {found:02x?}, not {expected:02x?}");
        }
    }

    /// Nothing comes before the answer to this.
    async fn expect_nothing(&mut self) {
        self.send(b"\xc0\x00").await;
        self.expect(b"\xd0\x00").await;
    }

    async fn expect_end(&mut self) {
        assert_eq!(self.0.read(&mut [0; 8]).await.unwrap_or(0), 0);
    }
}

fn broker() -> Broker {
    Broker::start(Pki::shared()).unwrap()
}

#[tokio::test]
async fn a_publish_over_tls_reaches_plain_observers_of_both_versions() {
    let pki = Pki::shared();
    let broker = broker();
    let mut observer = Plain::login(&broker, 4, "observer-4").await;
    observer.send(b"\x82\x06\x00\x01\x00\x01t\x00").await;
    observer.expect(b"\x90\x03\x00\x01\x00").await;
    let mut observer5 = Plain::login(&broker, 5, "observer-5").await;
    observer5.send(b"\x82\x07\x00\x01\x00\x00\x01t\x00").await;
    observer5.expect(b"\x90\x04\x00\x01\x00\x00").await;

    let config = client_config(&pki.ca_pem(), Some(pki.client()));
    let mut client = connect(broker.tls_port(), "localhost", config)
        .await
        .unwrap();
    let device = connect_packet(5, "device", None);
    assert_eq!(login(&mut client, &device).await.unwrap(), 0);
    client.write_all(b"\x30\x06\x00\x01t\x00hi").await.unwrap();
    client.flush().await.unwrap();
    observer.expect(b"\x30\x05\x00\x01thi").await;
    observer5.expect(b"\x30\x06\x00\x01t\x00hi").await;
}

#[tokio::test]
async fn a_publish_is_acknowledged_and_delivered_at_the_lower_qos() {
    let broker = broker();
    let mut all = Plain::login(&broker, 4, "all").await;
    all.send(b"\x82\x06\x00\x01\x00\x01#\x02").await;
    all.expect(b"\x90\x03\x00\x01\x02").await;
    let mut once = Plain::login(&broker, 4, "once").await;
    once.send(b"\x82\x06\x00\x01\x00\x01#\x01").await;
    once.expect(b"\x90\x03\x00\x01\x01").await;

    let mut sender = Plain::login(&broker, 4, "sender").await;
    sender.send(b"\x32\x06\x00\x01t\x00\x07a").await;
    sender.expect(b"\x40\x02\x00\x07").await;
    all.expect(b"\x32\x06\x00\x01t\x00\x01a").await;
    once.expect(b"\x32\x06\x00\x01t\x00\x01a").await;

    // QoS 2, with the same packet twice: delivered once.
    for packet in [b"\x34\x06\x00\x01t\x00\x08b", b"\x3c\x06\x00\x01t\x00\x08b"] {
        sender.send(packet).await;
        sender.expect(b"\x50\x02\x00\x08").await;
    }
    sender.send(b"\x62\x02\x00\x08").await;
    sender.expect(b"\x70\x02\x00\x08").await;
    once.expect(b"\x32\x06\x00\x01t\x00\x02b").await;
    once.expect_nothing().await;
    all.expect(b"\x34\x06\x00\x01t\x00\x02b").await;
    all.send(b"\x50\x02\x00\x02").await;
    all.expect(b"\x62\x02\x00\x02").await;
    all.send(b"\x70\x02\x00\x02").await;
    all.expect_nothing().await;
}

#[tokio::test]
async fn what_is_retained_is_sent_to_later_subscribers_until_it_is_emptied() {
    let broker = broker();
    let mut sender = Plain::login(&broker, 4, "sender").await;
    sender.send(b"\x31\x05\x00\x01thi").await;
    sender.expect_nothing().await;
    let mut reader = Plain::login(&broker, 4, "reader").await;
    reader.send(b"\x82\x06\x00\x01\x00\x01+\x00").await;
    reader.expect(b"\x90\x03\x00\x01\x00").await;
    reader.expect(b"\x31\x05\x00\x01thi").await;
    // To one that is there already, it is a message as any other.
    sender.send(b"\x31\x03\x00\x01t").await;
    reader.expect(b"\x30\x03\x00\x01t").await;
    let mut late = Plain::login(&broker, 4, "late").await;
    late.send(b"\x82\x06\x00\x01\x00\x01+\x00").await;
    late.expect(b"\x90\x03\x00\x01\x00").await;
    late.expect_nothing().await;
    reader.send(b"\xa2\x05\x00\x02\x00\x01+").await;
    reader.expect(b"\xb0\x02\x00\x02").await;
    sender.send(b"\x30\x03\x00\x01t").await;
    sender.expect_nothing().await;
    reader.expect_nothing().await;
}

#[tokio::test]
async fn a_client_takes_no_more_than_it_says() {
    let broker = broker();
    let mut slow = Plain(
        TcpStream::connect(loopback(broker.plain_port()))
            .await
            .unwrap(),
    );
    // Receive Maximum 1, Maximum Packet Size 10.
    slow.send(b"\x10\x16\x00\x04MQTT\x05\x02\x00\x00\x08\x21\x00\x01\x27\x00\x00\x00\x0a\x00\x01s")
        .await;
    let connack = read_packet(&mut slow.0).await.unwrap();
    assert_eq!((connack[0], connack[3]), (0x20, 0));
    slow.send(b"\x82\x07\x00\x01\x00\x00\x01t\x01").await;
    slow.expect(b"\x90\x04\x00\x01\x00\x01").await;
    let mut sender = Plain::login(&broker, 4, "sender").await;
    for (packet, acknowledgement) in [
        (&b"\x32\x06\x00\x01t\x00\x01a"[..], b"\x40\x02\x00\x01"),
        (b"\x32\x0d\x00\x01t\x00\x02too long", b"\x40\x02\x00\x02"),
        (b"\x32\x06\x00\x01t\x00\x03b", b"\x40\x02\x00\x03"),
    ] {
        sender.send(packet).await;
        sender.expect(acknowledgement).await;
    }
    slow.expect(b"\x32\x07\x00\x01t\x00\x01\x00a").await;
    slow.expect_nothing().await;
    slow.send(b"\x40\x02\x00\x01").await;
    slow.expect(b"\x32\x07\x00\x01t\x00\x02\x00b").await;
}

#[tokio::test]
async fn a_will_is_the_last_word_of_a_client_that_does_not_say_good_bye() {
    let broker = broker();
    let mut reader = Plain::login(&broker, 4, "reader").await;
    reader.send(b"\x82\x06\x00\x01\x00\x01#\x00").await;
    reader.expect(b"\x90\x03\x00\x01\x00").await;
    let with_will = b"\x10\x13\x00\x04MQTT\x04\x06\x00\x00\x00\x01w\x00\x01t\x00\x01x";
    for (farewell, will) in [(&b"\xe0\x00"[..], false), (b"", true), (b"nonsense", true)] {
        let mut client = TcpStream::connect(loopback(broker.plain_port()))
            .await
            .unwrap();
        assert_eq!(login(&mut client, with_will).await.unwrap(), 0);
        client.write_all(farewell).await.unwrap();
        client.shutdown().await.unwrap();
        assert_eq!(client.read(&mut [0; 8]).await.unwrap_or(0), 0);
        if will {
            reader.expect(b"\x30\x04\x00\x01tx").await;
        }
        reader.expect_nothing().await;
    }
}

#[tokio::test]
async fn the_second_client_of_an_id_throws_the_first_out() {
    let broker = broker();
    let mut first = Plain::login(&broker, 5, "same").await;
    let _second = Plain::login(&broker, 4, "same").await;
    // DISCONNECT, session taken over.
    first.expect(b"\xe0\x01\x8e").await;
    first.expect_end().await;
}

/// In real time, but however slow the machine is, this can only take longer.
#[tokio::test]
async fn a_client_that_is_silent_longer_than_it_said_is_gone() {
    let (client, server) = tokio::io::duplex(1024);
    let served = serve(server, Arc::new(Shared::new(BrokerOptions::new())));
    let silent = async {
        let mut client = client;
        // A keep alive of 1 s.
        client
            .write_all(b"\x10\x0d\x00\x04MQTT\x04\x02\x00\x01\x00\x01k")
            .await
            .unwrap();
        assert_eq!(read_packet(&mut client).await.unwrap(), b"\x20\x02\x00\x00");
        let begin = std::time::Instant::now();
        assert_eq!(client.read(&mut [0; 8]).await.unwrap(), 0);
        assert!(begin.elapsed() >= std::time::Duration::from_millis(1500));
    };
    let (end, ()) = tokio::join!(served, silent);
    assert_eq!(end.unwrap_err().kind(), io::ErrorKind::TimedOut);
}

#[tokio::test]
async fn without_certificate_no_connack() {
    let pki = Pki::shared();
    let broker = broker();
    let refused = async {
        let config = client_config(&pki.ca_pem(), None);
        let mut client = connect(broker.tls_port(), "localhost", config).await?;
        login(&mut client, &connect_packet(5, "device", None)).await
    };
    let error = refused.await.unwrap_err().to_string();
    assert!(error.contains("CertificateRequired"), "{error}");
}

#[tokio::test]
async fn a_wrong_login_is_refused_and_closed() {
    let options = BrokerOptions::new().user("u", "right");
    let pki = Pki::shared();
    let broker = Broker::start_with(pki.server(), &pki.ca_pem(), options).unwrap();
    for (version, user, expected) in [
        (4, Some(("u", "right")), 0),
        (5, Some(("u", "right")), 0),
        (4, Some(("u", "wrong")), 4),
        (5, Some(("u", "wrong")), 0x86),
        (5, Some(("v", "right")), 0x86),
        (5, None, 0x86),
    ] {
        let config = client_config(&pki.ca_pem(), Some(pki.client()));
        let mut client = connect(broker.tls_port(), "localhost", config)
            .await
            .unwrap();
        let code = answer(&mut client, version, user).await;
        assert_eq!(code, expected, "{version} {user:?}");
        if code != 0 {
            assert_eq!(client.read(&mut [0; 8]).await.unwrap(), 0);
        }
    }
}

async fn answer(
    stream: &mut (impl AsyncRead + AsyncWrite + Unpin),
    version: u8,
    user: Option<(&str, &str)>,
) -> u8 {
    login(stream, &connect_packet(version, "device", user))
        .await
        .unwrap()
}

#[tokio::test]
async fn what_is_no_mqtt_ends_the_connection_and_nothing_else() {
    let broker = broker();
    let mut other = Plain::login(&broker, 4, "other").await;
    for nonsense in [
        &b"GET / HTTP/1.1\r\n\r\n"[..],
        b"\x10\xff\xff\xff\xff\xff",
        b"\x10\x00",
        b"\x30\x03\x00\x01t",
        b"\x10\x0d\x00\x04MQTT\x09\x02\x00\x00\x00\x01n",
    ] {
        let mut client = Plain(
            TcpStream::connect(loopback(broker.plain_port()))
                .await
                .unwrap(),
        );
        client.send(nonsense).await;
        client.0.shutdown().await.unwrap();
        client.expect_end().await;
    }
    other.expect_nothing().await;
}

#[test]
fn starts_outside_a_runtime_and_stops_on_drop() {
    let broker = broker();
    let Ports { tls, plain } = broker.ports;
    drop(broker);
    for port in [tls, plain] {
        assert!(!accepts(port));
    }
}
