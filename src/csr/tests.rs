extern crate std;
use std::string::ToString;
use std::vec::Vec;

use embassy_futures::block_on;

use super::*;
use crate::Digest;
use crate::signer::{Signer, p256_public_key};

/// A signer whose signature is the digest, twice.
struct Mirror;

impl Signer for Mirror {
    type Error = &'static str;
    type Signature = Vec<u8>;
    const ALGORITHM: Algorithm = Algorithm::Es256;

    async fn sign(&mut self, digest: &Digest) -> Result<Vec<u8>, &'static str> {
        Ok([*digest.as_bytes(); 2].concat())
    }
}

impl PublicKey for Mirror {
    type Info = [u8; 91];

    async fn public_key(&mut self) -> Result<[u8; 91], &'static str> {
        Ok(p256_public_key(&[7; 64]))
    }
}

fn make(subject: &Subject<'_>, room: usize) -> Result<Vec<u8>, CsrError<&'static str>> {
    let mut out = std::vec![0; room];
    Ok(block_on(sign(&mut Mirror, subject, &mut out))?
        .der()
        .to_vec())
}

/// Splits the first value off: returns its tag, its content, and the bytes after it.
fn value(der: &[u8]) -> (u8, &[u8], &[u8]) {
    let (head, len) = match der[1] {
        len @ 0..=0x7f => (2, usize::from(len)),
        0x81 => (3, usize::from(der[2])),
        _ => (4, usize::from(u16::from_be_bytes([der[2], der[3]]))),
    };
    (der[0], &der[head..head + len], &der[head + len..])
}

/// Every length header is right for short and long names, and the signature is over the first part.
#[test]
fn a_request_has_its_three_parts() {
    let long = "x".repeat(64);
    for subject in [
        Subject::new("a"),
        Subject::new("pump-17")
            .organization("Example")
            .country("DE")
            .serial_number("4711"),
        Subject::new(&long)
            .organization(&long)
            .unit(&long)
            .state(&long)
            .locality(&long),
    ] {
        let request = make(&subject, 1024).unwrap();
        let (tag, content, behind) = value(&request);
        assert_eq!((tag, behind.len()), (0x30, 0));
        let (tag, info, tail) = value(content);
        assert_eq!(tag, 0x30);
        let signed = &content[..content.len() - tail.len()];
        let (_, algorithm, tail) = value(tail);
        assert_eq!(algorithm, b"\x06\x08\x2a\x86\x48\xce\x3d\x04\x03\x02");
        let (tag, bits, behind) = value(tail);
        assert_eq!((tag, bits[0], behind.len()), (3, 0, 0));
        let raw = crate::signer::ecdsa_from_der(&bits[1..]).unwrap();
        assert_eq!(raw[..32], *Digest::of(signed).as_bytes());
        let (tag, version, rest) = value(info);
        assert_eq!((tag, version), (2, &[0][..]));
        let (tag, name, rest) = value(rest);
        assert_eq!((tag, name.len()), (0x30, subject.der_len()));
        let key = p256_public_key(&[7; 64]);
        let whole = Request::from_der(&request);
        assert_eq!(whole.public_key(), Some(&key[..]));
        assert!(whole.fits(&[&[1, 2][..], &key, &[3]].concat()) && !whole.fits(&key[..90]));
        for cut in 0..request.len() {
            assert_eq!(Request::from_der(&request[..cut]).public_key(), None);
        }
        let (_, _, attributes) = value(rest);
        assert_eq!(attributes, [0xa0, 0]);
    }
}

#[test]
fn every_room_below_the_needed_one_is_refused() {
    let subject = Subject::new("pump-17").organization("Example");
    let request = make(&subject, ROOM).unwrap();
    // The content moves by one byte, by which the outer header is shorter than the room for it.
    assert!(make(&subject, request.len() + 1).is_ok());
    for room in 0..request.len() {
        assert_eq!(
            make(&subject, room),
            Err(CsrError::BufferTooSmall),
            "{room}"
        );
    }
}

#[test]
fn subjects_are_read_and_written_and_refused_by_name() {
    let subject = Subject::parse("o=Example, CN=pump-17,serialNumber=4711").unwrap();
    let same = Subject::new("pump-17")
        .organization("Example")
        .serial_number("4711");
    assert_eq!(subject, same);
    assert_eq!(
        subject.to_string(),
        "CN=pump-17,O=Example,serialNumber=4711"
    );
    for (text, error) in [
        ("", InvalidSubject::NotAField),
        ("pump", InvalidSubject::NotAField),
        ("X=1", InvalidSubject::NotAField),
        ("CN=", InvalidSubject::Empty),
        ("CN=a,CN=b", InvalidSubject::Twice),
        ("C=DEU", InvalidSubject::Country),
        ("serialNumber=a_b", InvalidSubject::Character),
        ("CN=a\u{7}", InvalidSubject::Character),
    ] {
        assert_eq!(Subject::parse(text), Err(error), "{text}");
    }
    assert_eq!(
        Subject::new(&"x".repeat(65)).check(),
        Err(InvalidSubject::TooLong)
    );
    assert_eq!(Subject::default().check(), Err(InvalidSubject::Empty));
}
