//! Handshakes with real servers over TCP: the eight of the sheet (C.2), one that lies about its
//! signature, and others that speak another protocol.

extern crate std;

mod pki;
mod server;

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::string::{String, ToString};
use std::vec;
use std::vec::Vec;

use embassy_futures::block_on;
use embedded_io_async::{ErrorKind, ErrorType, Read, Write};
use rand_core::OsRng;
use sectag::inspect::{KeyType, Kind, Misplaced};
use sectag::signer::P256Key;
use sectag::{Cause, ConnectError, Tag};

use super::session::{self, Order, Transport};
use super::{Credentials, CredentialsError, NoKey};
use pki::{Authority, NAME, Sort};
use server::{Server, Serving};

/// The date of the tests: 2026-12-01.
const NOW: u64 = 1_796_083_200;

/// A blocking stream, for a test that does nothing else.
struct Blocking(TcpStream);

impl ErrorType for Blocking {
    type Error = ErrorKind;
}

impl Read for Blocking {
    async fn read(&mut self, buf: &mut [u8]) -> Result<usize, ErrorKind> {
        self.0.read(buf).map_err(|_| ErrorKind::ConnectionReset)
    }
}

impl Write for Blocking {
    async fn write(&mut self, buf: &[u8]) -> Result<usize, ErrorKind> {
        self.0.write(buf).map_err(|_| ErrorKind::ConnectionReset)
    }

    async fn flush(&mut self) -> Result<(), ErrorKind> {
        Ok(())
    }
}

struct Asked<'a> {
    roots: &'a [&'a [u8]],
    now: u64,
    record: usize,
    client: Option<(&'a [u8], &'a mut P256Key)>,
}

/// Connects, and echoes a line once connected.
fn connect(server: &Server, asked: Asked<'_>) -> Result<String, ConnectError> {
    let stream = TcpStream::connect(server.address()).unwrap();
    let transport = Transport::new(
        Blocking(stream.try_clone().unwrap()),
        Blocking(stream),
        asked.record,
    );
    let (mut record, mut send) = (vec![0; asked.record], vec![0; 2048]);
    let order = Order {
        name: NAME,
        now: asked.now,
        roots: asked.roots,
        client: asked.client,
        alpn: None,
    };
    block_on(async {
        let opened = session::open(&transport, &mut record, &mut send, order, &mut OsRng).await;
        let mut tls = opened?;
        let mut line = [0; 64];
        let echoed = async {
            tls.write_all(b"hello\n").await?;
            tls.flush().await?;
            tls.read(&mut line).await
        };
        let count = echoed.await.map_err(super::refusal::of_tls)?;
        let text = String::from_utf8_lossy(&line[..count]).to_string();
        let _ = tls.close().await;
        Ok(text)
    })
}

fn plainly(server: &Server, roots: &[&[u8]], now: u64) -> Result<String, ConnectError> {
    let asked = Asked {
        roots,
        now,
        record: 16_640,
        client: None,
    };
    connect(server, asked)
}

/// Returns the text about a server, and the first cause.
fn said(outcome: Result<String, ConnectError>) -> (String, Option<Cause>) {
    match outcome {
        Ok(line) => (line, None),
        Err(error) => (error.to_string(), error.causes().next()),
    }
}

#[test]
fn the_eight_servers_come_out_as_they_should_each_in_its_own_words() {
    let authority = Authority::new();
    let roots = [authority.der()];
    let year = 31_557_600;
    let mut words = Vec::new();
    for (sort, now, cause) in [
        (Sort::Good, NOW, None),
        (Sort::FourthName, NOW, None),
        (Sort::OtherName, NOW, Some(Cause::NameMismatch)),
        (Sort::SignedByDevice, NOW, Some(Cause::ChainUnsound)),
        (Sort::Device, NOW, Some(Cause::CertificateNotForServers)),
        (Sort::SubjectOnly, NOW, Some(Cause::NameMismatch)),
        (Sort::Good, NOW + 20 * year, Some(Cause::CertificateExpired)),
        (
            Sort::Good,
            NOW - 45 * year,
            Some(Cause::CertificateNotYetValid),
        ),
    ] {
        let server = Server::start(authority.server(sort), Serving::Echo);
        let (text, found) = said(plainly(&server, &roots, now));
        assert_eq!(found, cause, "{sort:?}: {text}");
        if cause.is_some() {
            assert!(!words.contains(&text), "{text}");
            words.push(text);
        } else {
            assert_eq!(text, "hello\n", "{sort:?}");
        }
    }
    assert_eq!(words.len(), 6);
}

#[test]
fn a_root_of_somebody_else_is_another_error_and_several_roots_are_tried() {
    let (one, other) = (Authority::new(), Authority::new());
    let server = Server::start(one.server(Sort::Good), Serving::Echo);
    let (text, cause) = said(plainly(&server, &[other.der()], NOW));
    assert_eq!(cause, Some(Cause::CaMismatch), "{text}");
    let (text, cause) = said(plainly(&server, &[other.der(), one.der()], NOW));
    assert_eq!((text.as_str(), cause), ("hello\n", None));
    let (_, cause) = said(plainly(&server, &[b"no certificate"], NOW));
    assert_eq!(cause, Some(Cause::CaUnreadable));
}

#[cfg(feature = "p384")]
#[test]
fn a_root_on_p384_is_followed_beside_one_on_p256() {
    let (one, other) = (Authority::new(), Authority::on_p384());
    for authority in [&one, &other] {
        let server = Server::start(authority.server(Sort::Good), Serving::Echo);
        let roots = [one.der(), other.der()];
        assert_eq!(said(plainly(&server, &roots, NOW)).0, "hello\n");
    }
}

#[test]
fn a_server_with_an_rsa_key_is_refused_by_name_unless_that_is_built_in() {
    let (one, rsa) = (Authority::new(), Authority::on_rsa());
    for (authority, sort) in [(&one, Sort::Rsa), (&rsa, Sort::Good), (&rsa, Sort::Rsa)] {
        let server = Server::start(authority.server(sort), Serving::Echo);
        let (text, cause) = said(plainly(&server, &[authority.der()], NOW));
        if cfg!(feature = "rsa") {
            assert_eq!((text.as_str(), cause), ("hello\n", None), "{sort:?}");
        } else {
            // One without any other key finds nothing that it could sign with.
            let named = [Cause::ServerKeyUnsupported, Cause::NoCommonSuite];
            assert!(named.contains(&cause.unwrap()), "{sort:?}: {text}");
            assert!(text.contains("RSA") || text.contains("ECDSA"), "{text}");
        }
    }
}

/// What embedded-tls 0.19 panics on: a message of the handshake that has no place behind it, from a server that has proven who it is.
#[test]
fn a_message_without_a_place_ends_the_connection_and_nothing_else() {
    let authority = Authority::new();
    let ticket = b"\x04\x00\x00\x0F\x00\x00\x00\x01\x00\x00\x00\x02\x01n\x00\x01t\x00\x00";
    for (message, taken) in [
        (&ticket[..], true),
        (b"\x08\x00\x00\x02\x00\x00", false),
        (b"\x0B\x00\x00\x04\x00\x00\x00\x00", false),
        (b"\x0D\x00\x00\x03\x00\x00\x00", false),
        (b"\x18\x00\x00\x01\x00", false),
    ] {
        let server = Server::start(authority.server(Sort::Good), Serving::Speaks(message));
        let stream = TcpStream::connect(server.address()).unwrap();
        let other = stream.try_clone().unwrap();
        other
            .set_read_timeout(Some(std::time::Duration::from_millis(500)))
            .unwrap();
        let transport = Transport::new(Blocking(other), Blocking(stream), 16_640);
        let (mut record, mut send) = (vec![0; 16_640], vec![0; 2048]);
        let roots = [authority.der()];
        let order = Order::<NoKey> {
            name: NAME,
            now: NOW,
            roots: &roots,
            client: None,
            alpn: None,
        };
        block_on(async {
            let mut rng = OsRng;
            let opened = session::open(&transport, &mut record, &mut send, order, &mut rng);
            let mut tls = opened.await.unwrap();
            tls.write_all(b"hello\n").await.unwrap();
            tls.flush().await.unwrap();
            let mut line = [0; 64];
            assert_eq!(tls.read(&mut line).await.unwrap(), 6);
            let then = tls.read(&mut line).await.unwrap_err();
            // A ticket is passed over: what ends the reading then is that nothing comes.
            let silent = matches!(then, embedded_tls::TlsError::Io(_));
            assert_eq!(silent, taken, "{message:x?}: {then:?}");
        });
    }
}

#[test]
fn an_intermediate_is_followed() {
    let authority = Authority::new();
    let server = Server::start(authority.server(Sort::ByIntermediate), Serving::Echo);
    assert_eq!(said(plainly(&server, &[authority.der()], NOW)).0, "hello\n");
}

#[test]
fn a_server_that_lies_about_its_signature_is_refused() {
    let authority = Authority::new();
    for serving in [
        Serving::ClaimsRsa,
        Serving::ClaimsEd25519,
        Serving::SignsBadly,
    ] {
        let server = Server::start(authority.server(Sort::Good), serving);
        let (text, cause) = said(plainly(&server, &[authority.der()], NOW));
        assert_eq!(cause, Some(Cause::ServerKeyUnproven), "{serving:?}: {text}");
    }
}

#[test]
fn servers_that_speak_something_else_are_refused_in_words() {
    let authority = Authority::new();
    for (serving, cause, word) in [
        (Serving::Tls12, Cause::NoCommonSuite, "TLS 1.2"),
        (Serving::OtherSuite, Cause::NoCommonSuite, "AES-128-GCM"),
        (Serving::Plain, Cause::NotTls, "no TLS"),
        (Serving::Nothing, Cause::PeerClosed, "closed"),
    ] {
        let server = Server::start(authority.server(Sort::Good), serving);
        let (text, found) = said(plainly(&server, &[authority.der()], NOW));
        assert_eq!(found, Some(cause), "{serving:?}: {text}");
        assert!(text.contains(word), "{text}");
    }
}

#[test]
fn a_server_with_a_key_of_another_kind_is_refused() {
    let authority = Authority::new();
    let server = Server::start(authority.server(Sort::Ed25519), Serving::Echo);
    let (text, cause) = said(plainly(&server, &[authority.der()], NOW));
    assert_eq!(cause, Some(Cause::ServerKeyUnsupported), "{text}");
}

#[test]
fn a_client_certificate_is_shown_and_proven() {
    let authority = Authority::new();
    let (der, key) = authority.device();
    let server = Server::start_for_clients(authority.server(Sort::Good), authority.der());
    let mut key = P256Key::parse(&key).unwrap();
    let roots = [authority.der()];
    let asked = Asked {
        roots: &roots,
        now: NOW,
        record: 16_640,
        client: Some((&der, &mut key)),
    };
    assert_eq!(said(connect(&server, asked)).0, "hello\n");
    // Without one the server ends it, which in TLS 1.3 comes behind the handshake.
    assert!(plainly(&server, &roots, NOW).is_err());
}

#[test]
fn a_record_that_is_larger_than_the_buffer_is_named() {
    let authority = Authority::new();
    let server = Server::start(authority.server(Sort::Padded), Serving::Echo);
    let roots = [authority.der()];
    let asked = Asked {
        roots: &roots,
        now: NOW,
        record: 2_432,
        client: None,
    };
    let (text, cause) = said(connect(&server, asked));
    assert_eq!(cause, Some(Cause::ChainTooLong), "{text}");
    assert!(text.contains("larger than the buffer"), "{text}");
}

#[test]
fn no_key_signs_nothing() {
    use sectag::signer::Signer;
    assert!(block_on(NoKey.sign(&sectag::Digest::of(b"x"))).is_err());
}

/// Returns what a set with this root and this certificate of a device is told.
fn checked(root: &[u8], certificate: &[u8], key: Option<&[u8]>) -> Result<(), CredentialsError> {
    let leaked = |bytes: &[u8]| -> &'static [u8] { Vec::leak(bytes.to_vec()) };
    let set = Credentials {
        tag: Tag(7),
        roots: Vec::leak(vec![leaked(root)]),
        certificate: Some(leaked(certificate)),
    };
    set.check(key)
}

#[test]
fn a_set_is_checked_as_for_an_upload() {
    let authority = Authority::new();
    let (root, (device, key)) = (authority.der(), authority.device());
    let (_, other_key) = authority.device();
    assert_eq!(checked(root, &device, Some(&key)), Ok(()));
    assert_eq!(checked(root, &device, None), Ok(()));
    let none = Credentials {
        tag: Tag(7),
        roots: &[],
        certificate: None,
    };
    assert_eq!(none.check(None), Err(CredentialsError::NoRoot));

    // Files that were mistaken for each other.
    let misplaced = CredentialsError::Misplaced;
    let not_ca = Misplaced::NotCa { number: 1 };
    assert_eq!(
        checked(&device, &device, None),
        Err(misplaced(Kind::Ca, not_ca))
    );
    assert_eq!(
        checked(root, root, None),
        Err(misplaced(Kind::ClientCertificate, Misplaced::CaForClient))
    );
    assert_eq!(
        checked(root, &device, Some(&other_key)),
        Err(misplaced(Kind::PrivateKey, Misplaced::OtherKey))
    );
    // Files that are damaged, or in another form.
    let cut = &root[..root.len() - 1];
    assert!(matches!(
        checked(cut, &device, None),
        Err(CredentialsError::Unsuitable(Kind::Ca, _))
    ));
    let pem = authority.pem();
    let told = checked(pem.as_bytes(), &device, None).unwrap_err();
    assert_eq!(told, CredentialsError::Pem(Kind::Ca));
    assert!(told.to_string().contains("-outform DER"), "{told}");
    // Keys that TLS may not be built for.
    let rsa = Authority::on_rsa();
    let told = checked(rsa.der(), &device, Some(&key));
    if cfg!(feature = "rsa") {
        assert_eq!(told, Ok(()));
    } else {
        let bits = KeyType::Rsa { bits: 2048 };
        assert_eq!(told, Err(CredentialsError::KeyType(Kind::Ca, bits)));
    }
}
