use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::*;
use crate::probe::{connect_packet, login, read_packet};
use crate::tls_client::{client_config, connect};

#[tokio::test]
async fn a_publish_over_tls_reaches_plain_observers_of_both_versions() {
    let pki = Pki::shared();
    let broker = Broker::start(pki).unwrap();

    let mut observer = TcpStream::connect(loopback(broker.plain_v4_port()))
        .await
        .unwrap();
    assert_eq!(
        login(&mut observer, &connect_packet(4, "observer-4", None))
            .await
            .unwrap(),
        0
    );
    observer
        .write_all(b"\x82\x06\x00\x01\x00\x01t\x00")
        .await
        .unwrap();
    assert_eq!(
        read_packet(&mut observer).await.unwrap(),
        b"\x90\x03\x00\x01\x00"
    );
    let mut observer5 = TcpStream::connect(loopback(broker.plain_v5_port()))
        .await
        .unwrap();
    assert_eq!(
        login(&mut observer5, &connect_packet(5, "observer-5", None))
            .await
            .unwrap(),
        0
    );
    observer5
        .write_all(b"\x82\x07\x00\x01\x00\x00\x01t\x00")
        .await
        .unwrap();
    assert_eq!(
        read_packet(&mut observer5).await.unwrap(),
        b"\x90\x04\x00\x01\x00\x00"
    );

    let config = client_config(&pki.ca_pem(), Some(pki.client()));
    let mut client = connect(broker.tls_port(), "localhost", config)
        .await
        .unwrap();
    assert_eq!(
        login(&mut client, &connect_packet(5, "device", None))
            .await
            .unwrap(),
        0
    );
    client.write_all(b"\x30\x06\x00\x01t\x00hi").await.unwrap();
    client.flush().await.unwrap();
    assert_eq!(
        read_packet(&mut observer).await.unwrap(),
        b"\x30\x05\x00\x01thi"
    );
    assert_eq!(
        read_packet(&mut observer5).await.unwrap(),
        b"\x30\x06\x00\x01t\x00hi"
    );
}

#[tokio::test]
async fn without_certificate_no_connack() {
    let pki = Pki::shared();
    let broker = Broker::start(pki).unwrap();
    let refused = async {
        let mut client = connect(
            broker.tls_port(),
            "localhost",
            client_config(&pki.ca_pem(), None),
        )
        .await?;
        login(&mut client, &connect_packet(5, "device", None)).await
    };
    assert!(
        refused
            .await
            .unwrap_err()
            .to_string()
            .contains("CertificateRequired")
    );
}

#[tokio::test]
async fn a_wrong_login_is_closed() {
    let pki = Pki::shared();
    let options = BrokerOptions::new()
        .version(MqttVersion::V4)
        .user("u", "right");
    let broker = Broker::start_with(pki.server(), &pki.ca_pem(), options).unwrap();
    let config = client_config(&pki.ca_pem(), Some(pki.client()));
    let mut client = connect(broker.tls_port(), "localhost", config.clone())
        .await
        .unwrap();
    let right = connect_packet(4, "device", Some(("u", "right")));
    assert_eq!(login(&mut client, &right).await.unwrap(), 0);
    let mut client = connect(broker.tls_port(), "localhost", config)
        .await
        .unwrap();
    client
        .write_all(&connect_packet(4, "device", Some(("u", "wrong"))))
        .await
        .unwrap();
    assert_eq!(client.read(&mut [0; 8]).await.unwrap(), 0);
}

#[test]
fn starts_outside_a_runtime_and_stops_on_drop() {
    let broker = Broker::start(Pki::shared()).unwrap();
    let Ports { tls, plain } = broker.ports;
    drop(broker);
    for port in [tls, plain.v4, plain.v5] {
        assert!(!crate::ports::accepts(port));
    }
}
