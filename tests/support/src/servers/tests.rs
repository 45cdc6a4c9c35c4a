use std::sync::Arc;

use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio_rustls::TlsConnector;

use super::*;
use crate::pki::Pki;
use crate::tls_client::{client_config, connect};

/// A CONNECT of MQTT 5 of client `a`, without user.
const CONNECT: &[u8] = b"\x10\x0e\x00\x04MQTT\x05\x02\x00\x3c\x00\x00\x01a";

async fn said(server: &Server, words: &[u8]) -> Vec<u8> {
    let (mut near, far) = tokio::io::duplex(64 * 1024);
    let client = async {
        near.write_all(words).await.unwrap();
        let mut answer = Vec::new();
        near.read_to_end(&mut answer).await.unwrap();
        answer
    };
    let (answer, _) = tokio::join!(client, server.serve(far));
    answer
}

fn door(login: fn(&Login) -> Answer) -> Server {
    Server::Broker(Door {
        login,
        after: After::Serve,
    })
}

#[tokio::test]
async fn each_says_what_it_is_to_say() {
    assert_eq!(said(&Server::Closes, b"").await, b"");
    assert_eq!(said(&Server::Greets(b"220 "), b"x").await, b"220 ");
    assert_eq!(said(&Server::Answers(b"HTTP"), b"x").await, b"HTTP");
    // A handshake is no CONNECT.
    assert_eq!(said(&door(|_| Answer::Accept), b"\x16\x03\x01").await, b"");
}

#[tokio::test]
async fn a_door_answers_in_the_version_of_the_client() {
    let mut old = CONNECT.to_vec();
    // Without the length of the properties.
    (old[1], old[8]) = (0x0d, 4);
    old.remove(12);
    let banned = door(|login| {
        assert_eq!(login.client_id, "a");
        Answer::Refuse(0x8a)
    });
    assert_eq!(said(&banned, CONNECT).await, [0x20, 3, 0, 0x8a, 0]);
    assert_eq!(said(&banned, &old).await, [0x20, 2, 0, 0x8a]);
    assert_eq!(said(&door(|_| Answer::Close), CONNECT).await, b"");
    let left = [CONNECT, &[0xe0, 0]].concat();
    assert_eq!(
        said(&door(|_| Answer::Accept), &left).await,
        [0x20, 3, 0, 0, 0]
    );
}

#[tokio::test]
async fn tls_is_as_wrong_as_it_was_asked_for() {
    let pki = Pki::shared();
    let shown = |tls: Tls| Server::Tls(tls.config(), Service::Closes);
    let tries = async |server: Server, config: Arc<ClientConfig>| {
        let server = server.listen().await.unwrap();
        connect(server.port(), "localhost", config).await
    };
    let good = || client_config(&pki.ca_pem(), None);
    let (server, behind) = (pki.server(), pki.issue_behind_intermediate(["localhost"]));
    tries(shown(Tls::new(server)), good()).await.unwrap();
    let mut old = (*good()).clone();
    old.enable_sni = false;
    let other = pki.issue_server(["another.sectag.test"]);
    for (tls, config, word) in [
        // ECDSA for a key of RSA.
        (
            Tls::new(server)
                .suites(&[0xc02b])
                .for_clients_of(&pki.ca_pem()),
            good(),
            "HandshakeFailure",
        ),
        (
            Tls::new(server).without_name(&other),
            Arc::new(old),
            "not valid for name",
        ),
        (Tls::new(&behind), good(), "UnknownIssuer"),
    ] {
        let error = tries(shown(tls), config).await.unwrap_err().to_string();
        assert!(error.contains(word), "{word}: {error}");
    }
    let intermediate = pki.intermediate_pem();
    let whole = Tls::new(&behind).chain(&[&intermediate]);
    tries(shown(whole.clone()), good()).await.unwrap();
    tries(shown(whole.reversed()), good()).await.unwrap_err();
    // In memory, as tests in virtual time have it.
    let (near, far) = tokio::io::duplex(16 * 1024);
    let secret = shown(Tls::new(server).only_1_3());
    let name = ServerName::try_from("localhost").unwrap();
    let client = TlsConnector::from(good());
    let (client, _) = tokio::join!(client.connect(name, near), secret.serve(far));
    let version = client.unwrap().get_ref().1.protocol_version();
    assert_eq!(version, Some(rustls::ProtocolVersion::TLSv1_3));
}

#[tokio::test]
async fn openssl_is_as_wrong_as_it_was_asked_for() {
    let pki = Pki::shared();
    let tries = async |tls: &Tls, options: &[&str]| {
        let server = OpenSsl::start(tls, options).unwrap();
        let config = client_config(&pki.ca_pem(), Some(pki.client()));
        connect(server.port(), "localhost", config).await
    };
    let good = Tls::new(pki.server());
    tries(&good, &[]).await.unwrap();
    let mutual = good.clone().for_clients_of(&pki.ca_pem());
    tries(&mutual, &[]).await.unwrap();
    let behind = Tls::new(&pki.issue_behind_intermediate(["localhost"]));
    let cut = tries(&behind, &[]).await.unwrap_err().to_string();
    assert!(cut.contains("UnknownIssuer"), "{cut}");
    let whole = behind.chain(&[&pki.intermediate_pem()]);
    tries(&whole, &[]).await.unwrap();
    let wrong = OpenSsl::start(&good, &["-no_such_option"]).unwrap_err();
    assert!(wrong.to_string().contains("no_such_option"), "{wrong}");
}
