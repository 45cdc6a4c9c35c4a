use rustls::pki_types::{PrivateKeyDer, ServerName, UnixTime};

use super::*;
use crate::tls_client::client_config;
use crate::tls_server::{client_verifier, server_config};

/// Handshake in memory: the error of whichever side complains first.
fn handshake(pki: &Pki, server: &Identity, name: &'static str) -> Result<(), rustls::Error> {
    let config = server_config(server, Some(&pki.ca_pem()));
    let mut server = rustls::ServerConnection::new(config).unwrap();
    let config = client_config(&pki.ca_pem(), Some(pki.client()));
    let mut client =
        rustls::ClientConnection::new(config, ServerName::try_from(name).unwrap()).unwrap();
    let mut wire = Vec::new();
    while client.is_handshaking() || server.is_handshaking() {
        while client.wants_write() {
            client.write_tls(&mut wire).unwrap();
        }
        server.read_tls(&mut wire.as_slice()).unwrap();
        wire.clear();
        server.process_new_packets()?;
        while server.wants_write() {
            server.write_tls(&mut wire).unwrap();
        }
        client.read_tls(&mut wire.as_slice()).unwrap();
        wire.clear();
        client.process_new_packets()?;
    }
    Ok(())
}

#[test]
fn names_and_addresses_are_accepted() {
    let pki = Pki::shared();
    assert_eq!(handshake(pki, pki.server(), "broker.sectag.test"), Ok(()));
    assert_eq!(
        handshake(
            pki,
            &pki.issue_server(["other.test", "127.0.0.1"]),
            "127.0.0.1"
        ),
        Ok(())
    );
    assert_eq!(
        handshake(pki, &pki.issue_server_ecdsa(["localhost"]), "localhost"),
        Ok(())
    );
}

#[test]
fn wrong_name_and_dates_are_refused() {
    use rustls::CertificateError::{ExpiredContext, NotValidForNameContext, NotValidYetContext};
    use rustls::Error::InvalidCertificate;
    let pki = Pki::shared();
    let wrong = handshake(pki, pki.server(), "elsewhere.test");
    assert!(
        matches!(
            wrong,
            Err(InvalidCertificate(NotValidForNameContext { .. }))
        ),
        "{wrong:?}"
    );
    let expired = handshake(
        pki,
        &pki.issue_server_valid(["localhost"], Validity::expired()),
        "localhost",
    );
    assert!(
        matches!(expired, Err(InvalidCertificate(ExpiredContext { .. }))),
        "{expired:?}"
    );
    let early = handshake(
        pki,
        &pki.issue_server_valid(["localhost"], Validity::not_yet()),
        "localhost",
    );
    assert!(
        matches!(early, Err(InvalidCertificate(NotValidYetContext { .. }))),
        "{early:?}"
    );
}

#[test]
fn a_client_is_no_server_and_vice_versa() {
    let pki = Pki::shared();
    assert!(handshake(pki, pki.client(), "localhost").is_err());
    let verifier = client_verifier(&pki.ca_pem());
    let verify =
        |who: &Identity| verifier.verify_client_cert(&who.cert_der(), &[], UnixTime::now());
    assert!(verify(pki.client()).is_ok());
    assert!(verify(pki.server()).is_err());
    assert!(verify(&pki.issue_client_valid("late", Validity::expired())).is_err());
}

#[test]
fn another_ca_is_refused() {
    let stranger = Pki::builder().ca_name("stranger").build();
    assert!(handshake(Pki::shared(), stranger.server(), "localhost").is_err());
}

#[test]
fn keys_come_in_both_wrappings() {
    let pki = Pki::shared();
    assert!(matches!(pki.client().key_der(), PrivateKeyDer::Pkcs8(_)));
    let pkcs1 = pki.client().key_pem_pkcs1().unwrap();
    assert!(pkcs1.starts_with("-----BEGIN RSA PRIVATE KEY-----\n"));
    assert_eq!(pki.issue_server_ecdsa(["localhost"]).key_pem_pkcs1(), None);
}

#[test]
fn keys_are_shared_unless_asked_for() {
    let pki = Pki::shared();
    let (one, two) = (pki.issue_client("one"), pki.issue_client("two"));
    assert_eq!(one.key_pem, two.key_pem);
    assert_ne!(one.cert_pem, two.cert_pem);
    assert_ne!(pki.issue_client_with_new_key("one").key_pem, one.key_pem);
    assert_ne!(pki.server().key_pem, one.key_pem);
}

#[test]
fn debug_shows_no_key() {
    assert!(!format!("{:?}", Pki::shared().client()).contains("PRIVATE"));
}

#[test]
fn files_are_written_and_keys_are_private() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path().join("new");
    let pki = Pki::shared();
    pki.write_to(&dir).unwrap();
    pki.write_to(&dir).unwrap();
    let read = |name| std::fs::read_to_string(dir.join(name)).unwrap();
    assert_eq!(read("ca.pem"), pki.ca_pem());
    assert_eq!(read("server.pem"), pki.server().cert_pem);
    assert_eq!(read("server.key"), pki.server().key_pem);
    assert_eq!(read("client.pem"), pki.client().cert_pem);
    assert_eq!(read("client.key"), pki.client().key_pem);
    #[cfg(unix)]
    for name in ["server.key", "client.key"] {
        use std::os::unix::fs::PermissionsExt;
        let mode = std::fs::metadata(dir.join(name))
            .unwrap()
            .permissions()
            .mode();
        assert_eq!(mode & 0o777, 0o600);
    }
}
