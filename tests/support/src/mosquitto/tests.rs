use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

use super::*;
use crate::pki::Validity;
use crate::ports::loopback;
use crate::probe::{connect_packet, login, read_packet};
use crate::tls_client::{client_config, connect};

#[tokio::test]
async fn a_publish_over_tls_reaches_a_plain_observer() {
    let pki = Pki::shared();
    let mosquitto = Mosquitto::start(pki, &MosquittoOptions::new()).unwrap();

    let mut observer = TcpStream::connect(loopback(mosquitto.plain_port()))
        .await
        .unwrap();
    assert_eq!(
        login(&mut observer, &connect_packet(4, "observer", None))
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

    let config = client_config(&pki.ca_pem(), Some(pki.client()));
    let mut client = connect(mosquitto.port(), "localhost", config)
        .await
        .unwrap();
    assert_eq!(
        login(&mut client, &connect_packet(5, "device", None))
            .await
            .unwrap(),
        0
    );
    client.write_all(b"\x30\x06\x00\x01t\x00hi").await.unwrap();
    assert_eq!(
        read_packet(&mut observer).await.unwrap(),
        b"\x30\x05\x00\x01thi"
    );
    assert!(mosquitto.log().contains("device"));
}

#[tokio::test]
async fn without_certificate_no_connack() {
    let pki = Pki::shared();
    let mosquitto = Mosquitto::start(pki, &MosquittoOptions::new()).unwrap();
    let refused = async {
        let mut client = connect(
            mosquitto.port(),
            "localhost",
            client_config(&pki.ca_pem(), None),
        )
        .await?;
        login(&mut client, &connect_packet(5, "device", None)).await
    };
    assert!(refused.await.is_err());
}

#[tokio::test]
async fn logins_are_checked() {
    let pki = Pki::shared();
    let mosquitto = Mosquitto::start(pki, &MosquittoOptions::new().user("u", "right")).unwrap();
    let config = client_config(&pki.ca_pem(), Some(pki.client()));
    for (given, code) in [
        (Some(("u", "right")), 0),
        (Some(("u", "wrong")), 0x87),
        (None, 0x87),
    ] {
        let mut client = connect(mosquitto.port(), "localhost", config.clone())
            .await
            .unwrap();
        assert_eq!(
            login(&mut client, &connect_packet(5, "device", given))
                .await
                .unwrap(),
            code
        );
    }
}

#[tokio::test]
async fn the_certificate_names_the_user() {
    let pki = Pki::shared();
    let mosquitto =
        Mosquitto::start(pki, &MosquittoOptions::new().username_from_certificate()).unwrap();
    let config = client_config(&pki.ca_pem(), Some(&pki.issue_client("the-device")));
    let mut client = connect(mosquitto.port(), "localhost", config)
        .await
        .unwrap();
    assert_eq!(
        login(&mut client, &connect_packet(5, "any", None))
            .await
            .unwrap(),
        0
    );
    assert!(
        mosquitto.log().contains("u'the-device'"),
        "{}",
        mosquitto.log()
    );
}

#[tokio::test]
async fn another_server_certificate_is_shown() {
    let pki = Pki::shared();
    let expired = pki.issue_server_valid(["localhost"], Validity::expired());
    let mosquitto = Mosquitto::start(pki, &MosquittoOptions::new().server(expired)).unwrap();
    let config = client_config(&pki.ca_pem(), Some(pki.client()));
    let error = connect(mosquitto.port(), "localhost", config)
        .await
        .unwrap_err();
    assert!(error.to_string().contains("expired"), "{error}");
}

#[cfg(target_os = "linux")]
#[test]
fn nothing_remains_after_drop() {
    let mosquitto = Mosquitto::start(Pki::shared(), &MosquittoOptions::new()).unwrap();
    let process = PathBuf::from(format!("/proc/{}", mosquitto.process_id()));
    let dir = mosquitto.dir.path().to_owned();
    assert!(process.exists() && dir.exists());
    drop(mosquitto);
    assert!(!process.exists() && !dir.exists());
}

#[test]
fn a_broken_configuration_shows_the_log() {
    let mut server = Pki::shared().server().clone();
    server.cert_pem = "no certificate".into();
    let error =
        Mosquitto::start(Pki::shared(), &MosquittoOptions::new().server(server)).unwrap_err();
    assert!(error.to_string().contains("server.pem"), "{error}");
}
