use core::mem::size_of;
use std::format;
use std::string::{String, ToString};
use std::vec::Vec;

use proptest::prelude::*;
use sectag_test_support::pki::Pki;

use super::fixtures::*;
use super::*;
use crate::Kind;
use crate::clock::DateTime;

extern crate std;

fn inspect(bytes: impl AsRef<[u8]>) -> Result<Material, Unsuitable> {
    in_chunks([bytes.as_ref()])
}

fn in_chunks<'a>(chunks: impl IntoIterator<Item = &'a [u8]>) -> Result<Material, Unsuitable> {
    let mut inspector = Inspector::new();
    chunks.into_iter().for_each(|chunk| inspector.feed(chunk));
    inspector.finish()
}

fn certificate(bytes: impl AsRef<[u8]>) -> Certificate {
    match inspect(bytes).unwrap().content {
        Content::Certificate(certificate) => certificate,
        Content::PrivateKey(_) => panic!("a key"),
    }
}

fn private_key(bytes: impl AsRef<[u8]>) -> PrivateKey {
    match inspect(bytes).unwrap().content {
        Content::PrivateKey(key) => key,
        Content::Certificate(_) => panic!("a certificate"),
    }
}

/// Decodes the last PEM block to DER.
fn der(pem: &str) -> Vec<u8> {
    let body = pem.rsplit("-----BEGIN ").next().unwrap();
    let mut decoder = base64::Base64::new();
    body.lines()
        .skip(1)
        .take_while(|line| !line.starts_with('-'))
        .flat_map(str::bytes)
        .filter_map(|character| decoder.push(character).unwrap())
        .collect()
}

fn encode(bytes: &[u8], width: usize) -> String {
    const ALPHABET: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::new();
    for group in bytes.chunks(3) {
        let mut bits = 0;
        (0..3).for_each(|i| bits = bits << 8 | u32::from(*group.get(i).unwrap_or(&0)));
        for i in 0..4 {
            let character = ALPHABET[(bits >> (18 - 6 * i)) as usize & 63] as char;
            text.push(if i > group.len() { '=' } else { character });
        }
    }
    let lines = text.as_bytes().chunks(width);
    lines
        .map(|line| format!("{}\n", str::from_utf8(line).unwrap()))
        .collect()
}

fn wrap(label: &str, bytes: &[u8], width: usize) -> String {
    let body = encode(bytes, width);
    format!("-----BEGIN {label}-----\n{body}-----END {label}-----\n")
}

const KEYS: [(&str, KeyFormat, KeyType, bool); 12] = {
    use KeyFormat::*;
    use KeyType::*;
    [
        (RSA_PKCS1, Pkcs1, Rsa { bits: 1024 }, true),
        (RSA_PKCS8, Pkcs8, Rsa { bits: 1024 }, true),
        (P256_SEC1, Sec1, EcP256, true),
        (P256_SEC1_PARAMETERS, Sec1, EcP256, true),
        (P256_SEC1_NO_PUBLIC, Sec1, EcP256, false),
        (P256_PKCS8, Pkcs8, EcP256, true),
        (P256_PKCS8_NO_PUBLIC, Pkcs8, EcP256, false),
        (P256_COMPRESSED, Sec1, EcP256, false),
        (P256_EXPLICIT, Sec1, EcOther, true),
        (P384_PKCS8, Pkcs8, EcP384, true),
        (P521_PKCS8, Pkcs8, EcOther, true),
        (ED25519_PKCS8, Pkcs8, Ed25519, false),
    ]
};

const CERTIFICATES: [(&str, KeyType, Option<bool>, bool); 8] = {
    use KeyType::*;
    [
        (RSA_LEAF, Rsa { bits: 1024 }, Some(false), false),
        (P256_CA, EcP256, Some(true), true),
        (P256_V1, EcP256, None, true),
        (P384_LEAF, EcP384, Some(false), false),
        (P384_LEAF_TEXT, EcP384, Some(false), false),
        (P384_SELF_SIGNED_LEAF, EcP384, Some(false), true),
        (P521_LEAF, EcOther, Some(false), false),
        (ED25519_LEAF, Ed25519, Some(false), false),
    ]
};

/// Returns all fixtures that are suitable on their own.
fn good() -> impl Iterator<Item = &'static str> {
    let certificates = CERTIFICATES.map(|(pem, ..)| pem);
    KEYS.map(|(pem, ..)| pem).into_iter().chain(certificates)
}

#[test]
fn private_keys_as_openssl_writes_them() {
    for (pem, format, key, has_public) in KEYS {
        let found = private_key(pem);
        assert_eq!((found.format, found.key), (format, key), "{pem}");
        assert_eq!(found.fingerprint.is_some(), has_public, "{pem}");
        assert_eq!(inspect(pem).unwrap().container, Container::Pem);
    }
}

#[test]
fn certificates_as_openssl_writes_them() {
    for (pem, key, is_ca, self_issued) in CERTIFICATES {
        let found = certificate(pem);
        assert_eq!(
            (found.key, found.is_ca, found.self_issued),
            (key, is_ca, self_issued),
            "{pem}"
        );
        assert!(found.fingerprint.is_some(), "{pem}");
        assert_eq!(inspect(pem).unwrap().blocks, 1);
    }
}

#[test]
fn der_says_the_same_as_pem() {
    for pem in good() {
        let from_pem = inspect(pem).unwrap();
        let from_der = inspect(der(pem)).unwrap();
        assert_eq!(from_der.container, Container::Der);
        assert_eq!(from_der.content, from_pem.content, "{pem}");
    }
}

#[test]
fn json_is_named_and_its_line_ends_are_read() {
    let pem = P256_CA.replace('\n', "\\n");
    assert_eq!(inspect(&pem).unwrap(), inspect(P256_CA).unwrap());
    for json in [
        format!("{{\"certificatePem\": \"{pem}\"}}"),
        format!("\n [\"{pem}\"]"),
        format!("\"{pem}\""),
    ] {
        assert_eq!(inspect(&json), Err(Unsuitable::Json), "{json}");
    }
    assert!(Unsuitable::Json.to_string().contains("jq"));
    // A backslash here is no line end.
    let bad = P256_CA.replacen("\nM", "\n\\tM", 1);
    assert_eq!(inspect(&bad), Err(Unsuitable::BadBase64 { line: 2 }));
}

#[test]
fn dates_of_both_forms() {
    // UTCTime, and a GeneralizedTime that is beyond the range of a DateTime.
    let found = certificate(P384_SELF_SIGNED_LEAF);
    assert_eq!(found.not_before, DateTime::new(2026, 11, 20, 15, 15, 17));
    assert_eq!(found.not_after, None);
    let found = certificate(P256_CA);
    assert_eq!(found.not_before, DateTime::new(2026, 11, 20, 15, 15, 16));
    assert_eq!(found.not_after, DateTime::new(2036, 11, 17, 15, 15, 16));
}

#[test]
fn material_of_another_maker() {
    let pki = Pki::shared();
    let rsa = KeyType::Rsa { bits: 2048 };
    let ca = certificate(pki.ca_pem());
    assert_eq!((ca.key, ca.is_ca, ca.self_issued), (rsa, Some(true), true));
    assert_eq!(certificate(pki.ca_der()), ca);
    let client = pki.client();
    let leaf = inspect(&client.cert_pem).unwrap();
    let found = certificate(&client.cert_pem);
    assert_eq!(
        (found.key, found.is_ca, found.self_issued),
        (rsa, Some(false), false)
    );
    let pkcs1 = client.key_pem_pkcs1().unwrap();
    assert_eq!(private_key(&pkcs1).format, KeyFormat::Pkcs1);
    for key in [
        client.key_pem.as_bytes(),
        pkcs1.as_bytes(),
        client.key_der().secret_der(),
    ] {
        assert_eq!(leaf.matches(&inspect(key).unwrap()), Some(true));
    }
    let other = pki.issue_client_with_new_key("other");
    let other = inspect(other.key_pem).unwrap();
    assert_eq!(leaf.matches(&other), Some(false));
    let ecdsa = pki.issue_server_ecdsa(["localhost"]);
    let (leaf, key) = (
        inspect(ecdsa.cert_pem).unwrap(),
        inspect(ecdsa.key_pem).unwrap(),
    );
    assert_eq!(leaf.matches(&key), Some(true));
}

#[test]
fn key_belongs_to_certificate() {
    let owners = [
        (RSA_LEAF, "RSA"),
        (P256_CA, "P256"),
        (P384_LEAF, "P384"),
        (P521_LEAF, "P521"),
        (ED25519_LEAF, "ED25519"),
    ];
    let keys = [
        (RSA_PKCS1, "RSA", true),
        (RSA_PKCS8, "RSA", true),
        (P256_SEC1, "P256", true),
        (P256_SEC1_NO_PUBLIC, "P256", false),
        (P256_PKCS8, "P256", true),
        (P256_PKCS8_NO_PUBLIC, "P256", false),
        (P256_COMPRESSED, "P256", false),
        (P384_PKCS8, "P384", true),
        (P521_PKCS8, "P521", true),
        (ED25519_PKCS8, "ED25519", false),
    ];
    for (cert, owner) in owners {
        for (key, name, has_public) in keys {
            let (cert, key) = (inspect(cert).unwrap(), inspect(key).unwrap());
            let found = cert.matches(&key);
            if owner == name {
                assert_eq!(found, has_public.then_some(true), "{owner} {name}");
                assert_eq!(check_pair(&cert, &key), Ok(()));
            } else if name == "P256" && owner == "P521" && !has_public {
                // The certificate's curve is one that the inspector does not know by name.
                assert_eq!(found, None);
            } else {
                assert_eq!(found, Some(false), "{owner} {name}");
                assert_eq!(check_pair(&cert, &key), Err(Misplaced::OtherKey));
            }
            assert_eq!(key.matches(&cert), None);
        }
    }
    // Another key on the same curve.
    let (cert, key) = (P256_CA, P256_EXPLICIT);
    assert_eq!(
        inspect(cert).unwrap().matches(&inspect(key).unwrap()),
        Some(false)
    );
}

#[test]
fn leading_zeros_of_a_modulus_do_not_count() {
    let key = |modulus: &[u8]| {
        let mut key = b"\x02\x01\x00\x02".to_vec();
        key.push(modulus.len() as u8);
        key.extend_from_slice(modulus);
        key.extend_from_slice(&b"\x02\x01\x01".repeat(7));
        key.splice(0..0, [0x30, key.len() as u8]);
        private_key(key)
    };
    let plain = key(b"\x5a\x12\x34");
    assert_eq!(plain.key, KeyType::Rsa { bits: 23 });
    assert_eq!(key(b"\0\x5a\x12\x34"), plain);
    assert_eq!(key(b"\0\0\x5a\x12\x34"), plain);
    assert_ne!(key(b"\x5a\0\x12\x34"), plain);
}

#[test]
fn public_key_in_pkcs8_of_version_2() {
    // RFC 5958: [1] IMPLICIT BIT STRING after the private key.
    let mut key = der(ED25519_PKCS8);
    let cert = der(ED25519_LEAF);
    let spki = b"\x30\x2a\x30\x05\x06\x03\x2b\x65\x70\x03\x21\x00";
    let at = cert.windows(spki.len()).position(|w| w == spki).unwrap() + spki.len();
    key[1] += 35;
    key[4] = 1;
    key.extend_from_slice(b"\x81\x21\x00");
    key.extend_from_slice(&cert[at..at + 32]);
    let key = inspect(key).unwrap();
    assert_eq!(inspect(cert).unwrap().matches(&key), Some(true));
}

#[test]
fn what_is_no_credential_has_its_own_words() {
    use Unsuitable::*;
    let cut = &P256_CA[..P256_CA.len() / 2];
    let no_begin = P256_CA.split_once('\n').unwrap().1;
    let indented = P256_CA.replace("-----", "  -----");
    let one_line = P256_CA.replace('\n', "");
    let line_3 = P256_CA.replacen('\n', "\r\n", 1).replacen("\nI", "\n*", 1);
    let no_padding = P256_SEC1.replace("=\n", "\n");
    let mut utf16: Vec<u8> = P256_CA.encode_utf16().flat_map(u16::to_le_bytes).collect();
    let without_bom = utf16.clone();
    utf16.splice(0..0, [0xff, 0xfe]);
    let two = |one: &str, other: &str| format!("{one}{other}").into_bytes();
    let mut appended = der(P256_CA);
    appended.push(b'\n');
    let mut short = der(P256_CA);
    short.pop();
    let pkcs12 = b"\x30\x82\x04\x00\x02\x01\x03\x30\x82\x03\xc0\x06\x09";
    let pkcs7 = b"\x30\x82\x04\x00\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x07\x02";
    let openssh = wrap("OPENSSH PRIVATE KEY", b"openssh-key-v1\0", 64);
    let cases: [(&dyn AsRef<[u8]>, Unsuitable); _] = [
        (&b"", Empty),
        (&b" \r\n\t\n", Empty),
        (&b"hello", NotPem),
        (&b"0", NotPem),
        (&b"0123456789", NotPem),
        (&[0xff; 100], NotPem),
        (&[0; 4], NotPem),
        (&without_bom, NotPem),
        (&utf16, ByteOrderMark),
        (&two("\u{feff}", P256_CA), ByteOrderMark),
        (&b"\xef\xbb\xbf", ByteOrderMark),
        (&cut, Truncated),
        (&no_begin, Truncated),
        (
            &two(P256_CA, "-----BEGIN EC PARAMETERS-----\nBgg="),
            Truncated,
        ),
        (&short, Truncated),
        (&wrap("CERTIFICATE", &short, 64), Truncated),
        (&wrap("CERTIFICATE", b"", 64), Truncated),
        (&two(cut, &format!("\n{P256_CA}")), Truncated),
        (&indented, BadBoundary { line: 1 }),
        (&one_line, BadBoundary { line: 1 }),
        (&format!("{{\"pem\":\"{P256_CA}\"}}"), Json),
        (
            &two(cut, "\n-----END CERTIFICATE----\n"),
            BadBoundary { line: 7 },
        ),
        (
            &two(cut, "\n-----END PRIVATE KEY-----\n"),
            BadBoundary { line: 7 },
        ),
        (&line_3, BadBase64 { line: 3 }),
        (&no_padding, BadBase64 { line: 5 }),
        (&P256_CA.replacen("\nI", "\n-", 1), BadBase64 { line: 3 }),
        (&P256_CA.replacen("\nI", "\n I", 1), BadBase64 { line: 3 }),
        (&P256_CA.replacen("\nIz", "\nI z", 1), BadBase64 { line: 3 }),
        (&appended, TrailingData),
        (&wrap("CERTIFICATE", &appended, 64), TrailingData),
        (&RSA_PKCS8_ENCRYPTED, EncryptedKey),
        (&RSA_PKCS1_ENCRYPTED, EncryptedKey),
        (&der(RSA_PKCS8_ENCRYPTED), EncryptedKey),
        (&RSA_REQUEST, CertificateRequest),
        (&der(RSA_REQUEST), CertificateRequest),
        (&RSA_PUBLIC, PublicKeyOnly),
        (&der(RSA_PUBLIC), PublicKeyOnly),
        (&RSA_PUBLIC_PKCS1, PublicKeyOnly),
        (&der(RSA_PUBLIC_PKCS1), PublicKeyOnly),
        (&pkcs12, Archive),
        (&pkcs7, Archive),
        (&wrap("PKCS7", pkcs7, 64), Archive),
        (&two(RSA_LEAF, RSA_PKCS8), Mixed),
        (&two(RSA_PKCS8, RSA_LEAF), Mixed),
        (&two(RSA_PKCS8, P256_SEC1), SeveralKeys),
        (&wrap("CERTIFICATE", &der(P256_SEC1), 64), BadStructure),
        (&wrap("PRIVATE KEY", &der(P256_SEC1), 64), BadStructure),
        (&wrap("CERTIFICATE", b"no DER", 64), BadStructure),
        (&b"\x30\x80\x30\x80", BadStructure),
        // The version reaches beyond the sequence around it.
        (&b"\x30\x03\x02\x02\x01\x01", BadStructure),
        (&b"\x30\x06\x1f\x81\x01\x02\x01\x00", BadStructure),
        (&b"-----BEGIN ANYTHING-----\n", WrongBlock(Block::Other)),
        (&openssh, WrongBlock(Block::OpensshPrivateKey)),
        (&P256_CA_TRUSTED, WrongBlock(Block::TrustedCertificate)),
        (
            &P256_SEC1_PARAMETERS
                .split_inclusive("-----END EC PARAMETERS-----")
                .next()
                .unwrap(),
            WrongBlock(Block::EcParameters),
        ),
    ];
    for (bytes, expected) in cases {
        let found = inspect(bytes);
        let shown = bytes.as_ref().escape_ascii();
        assert_eq!(found, Err(expected), "{shown}");
        let text = expected.to_string();
        assert!(text.contains(':') && !text.contains("failed to"), "{text}");
    }
}

#[test]
fn harmless_differences_of_text() {
    for pem in good() {
        let expected = inspect(pem);
        let block = &pem[pem.rfind("-----BEGIN").unwrap()..];
        let label = block[11..].split("-----").next().unwrap();
        let bytes = der(pem);
        for text in [
            pem.replace('\n', "\r\n"),
            pem.replace('\n', "\r"),
            pem.trim_end().to_string(),
            pem.replace('\n', "  \n"),
            pem.replace('\n', "\n\n"),
            format!(
                "Bag Attributes\n    friendlyName: Ünit - 1\n-----\n-- \n\n{pem}\nand behind\0"
            ),
            wrap(label, &bytes, 76),
            wrap(label, &bytes, 7),
            wrap(label, &bytes, 1),
            wrap(label, &bytes, usize::MAX),
        ] {
            assert_eq!(inspect(&text), expected, "{text}");
        }
    }
    let old = P256_CA.replace("CERTIFICATE", "X509 CERTIFICATE");
    assert_eq!(inspect(old), inspect(P256_CA));
}

#[test]
fn each_slot_takes_what_belongs_there() {
    use Kind::*;
    use Misplaced::*;
    let chain = format!("{P384_LEAF}{P256_CA}");
    let reversed = format!("{P256_CA}{P384_LEAF}");
    let roots = format!("{P256_CA}{P256_V1}");
    let pinned = format!("{P384_SELF_SIGNED_LEAF}{P256_CA}");
    let cases = [
        (Ca, P256_CA, Ok(())),
        (Ca, P256_V1, Ok(())),
        (Ca, P384_SELF_SIGNED_LEAF, Ok(())),
        (Ca, P384_LEAF, Err(NotCa { number: 1 })),
        (Ca, &pinned, Err(NotCa { number: 1 })),
        (Ca, P256_SEC1, Err(KeyForCertificate { wanted: Ca })),
        (Ca, &reversed, Err(NotCa { number: 2 })),
        (
            Ca,
            &roots,
            Err(TooMany {
                found: 2,
                allowed: 1,
            }),
        ),
        (ClientCertificate, P384_LEAF, Ok(())),
        (ClientCertificate, P256_V1, Ok(())),
        (ClientCertificate, P384_SELF_SIGNED_LEAF, Ok(())),
        (ClientCertificate, P256_CA, Err(CaForClient)),
        (
            ClientCertificate,
            &chain,
            Err(TooMany {
                found: 2,
                allowed: 1,
            }),
        ),
        (ClientCertificate, &reversed, Err(Order { number: 2 })),
        (
            ClientCertificate,
            P256_SEC1,
            Err(KeyForCertificate {
                wanted: ClientCertificate,
            }),
        ),
        (PrivateKey, P256_SEC1, Ok(())),
        (PrivateKey, P384_LEAF, Err(CertificateForKey)),
        (PrivateKey, P256_CA, Err(CertificateForKey)),
    ];
    for (kind, pem, expected) in cases {
        let found = check(kind, &inspect(pem).unwrap(), 1);
        assert_eq!(found, expected, "{kind} {pem}");
        if let Err(misplaced) = found {
            assert!(misplaced.to_string().contains(':'), "{misplaced}");
        }
    }
    assert_eq!(
        check(ClientCertificate, &inspect(&chain).unwrap(), 2),
        Ok(())
    );
    assert_eq!(check(Ca, &inspect(&roots).unwrap(), 2), Ok(()));
}

#[test]
fn one_that_is_cut_off_is_never_accepted() {
    for pem in good() {
        let whole = pem.trim_end().len();
        for end in 0..whole {
            assert!(inspect(&pem[..end]).is_err(), "{}", &pem[..end]);
        }
        let der = der(pem);
        for end in 0..der.len() {
            assert!(inspect(&der[..end]).is_err(), "{pem} {end}");
        }
    }
    // A bundle that is cut after a whole certificate is another bundle, so the cuts begin after that.
    let chain = format!("{P384_LEAF}{P256_CA}");
    let first = P384_LEAF.len();
    for end in first + "-----B".len()..chain.len() - 1 {
        assert_eq!(inspect(&chain[..end]), Err(Unsuitable::Truncated), "{end}");
    }
}

#[test]
fn a_flipped_byte_never_panics_nor_matches_unnoticed() {
    let leaf = inspect(RSA_LEAF).unwrap();
    let modulus = {
        let der = der(RSA_PKCS1);
        // SEQUENCE, version, and the header of the modulus with its zero.
        assert_eq!(der[4..11], *b"\x02\x01\x00\x02\x81\x81\x00");
        11..11 + 128
    };
    for flip in [0x01, 0x80, 0xff] {
        for pem in good() {
            for mut bytes in [pem.as_bytes().to_vec(), der(pem)] {
                for at in 0..bytes.len() {
                    bytes[at] ^= flip;
                    let _ = inspect(&bytes);
                    bytes[at] ^= flip;
                }
            }
        }
        let mut key = der(RSA_PKCS1);
        for at in modulus.clone() {
            key[at] ^= flip;
            assert_eq!(leaf.matches(&inspect(&key).unwrap()), Some(false));
            key[at] ^= flip;
        }
    }
}

#[test]
fn state_is_small() {
    assert!(size_of::<Inspector>() <= 400, "{}", size_of::<Inspector>());
    assert!(size_of::<Material>() <= 96, "{}", size_of::<Material>());
    assert!(size_of::<Unsuitable>() <= 8, "{}", size_of::<Unsuitable>());
}

/// Makes content of pieces of real credentials, damage, and noise.
fn content() -> impl Strategy<Value = Vec<u8>> {
    let sources: Vec<&'static str> = good()
        .chain([
            RSA_PKCS1_ENCRYPTED,
            RSA_PKCS8_ENCRYPTED,
            RSA_PUBLIC,
            RSA_REQUEST,
            P256_CA_TRUSTED,
        ])
        .collect();
    let pem = prop::sample::select(sources).prop_map(|pem| pem.as_bytes().to_vec());
    let der = prop::sample::select(good().collect::<Vec<_>>()).prop_map(der);
    const TOKENS: [&[u8]; 9] = [
        b"\r",
        b"\n",
        b"\r\n",
        b" ",
        b"-----BEGIN CERTIFICATE-----",
        b"-----END CERTIFICATE-----\n",
        b"-----BEGIN PRIVATE KEY-----\n",
        b"Proc-Type: 4,ENCRYPTED",
        b"\xef\xbb\xbf",
    ];
    let token = prop::sample::select(&TOKENS[..]).prop_map(<[u8]>::to_vec);
    let noise = prop::collection::vec(any::<u8>(), 0..12);
    let tlv = prop::collection::vec(
        prop::sample::select(&b"\x30\xa0\xa1\xa3\x02\x03\x04\x06\x01\x17\x81\x82\x00\x01\x05"[..]),
        0..40,
    );
    let piece = prop_oneof![4 => pem, 3 => der, 3 => token, 1 => noise, 2 => tlv];
    let damage = prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..3);
    (prop::collection::vec(piece, 0..4), damage).prop_map(|(pieces, damage)| {
        let mut bytes = pieces.concat();
        for (at, byte) in damage {
            if !bytes.is_empty() {
                let at = at.index(bytes.len());
                bytes[at] = byte;
            }
        }
        bytes
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]
    #[test]
    fn chunk_boundaries_never_change_the_result(
        bytes in content(),
        cuts in prop::collection::vec(0usize..80, 1..20),
    ) {
        let whole = inspect(&bytes);
        prop_assert_eq!(whole, in_chunks(bytes.chunks(1)));
        let mut rest = &bytes[..];
        let mut chunks = Vec::new();
        for cut in cuts {
            let (chunk, behind) = rest.split_at(cut.min(rest.len()));
            chunks.push(chunk);
            rest = behind;
        }
        chunks.push(rest);
        prop_assert_eq!(whole, in_chunks(chunks));
    }
}

/// Makes an element of DER.
fn element(tag: u8, content: &[u8]) -> Vec<u8> {
    let mut all = std::vec![tag, 0x82];
    all.extend((content.len() as u16).to_be_bytes());
    all.extend(content);
    all
}

/// Returns the content of the outermost element.
fn inside(der: &[u8]) -> &[u8] {
    match der[1] {
        0x82 => &der[4..],
        0x81 => &der[3..],
        _ => &der[2..],
    }
}

/// Splits the first element off: returns it, and the bytes after it.
fn split(bytes: &[u8]) -> (&[u8], &[u8]) {
    let len = match bytes[1] {
        0x82 => usize::from(u16::from_be_bytes([bytes[2], bytes[3]])),
        0x81 => usize::from(bytes[2]),
        len => usize::from(len),
    };
    bytes.split_at(len + bytes.len() - inside(bytes).len())
}

/// A PKCS#8 key may have attributes and the public key after the private one (RFC 5958).
#[test]
fn a_key_with_optional_fields_behind_it_is_read() {
    let attributes = element(0xa0, b"");
    let public = element(0x81, &[0; 20]);
    for (pem, key) in [
        (RSA_PKCS8, KeyType::Rsa { bits: 1024 }),
        (P256_PKCS8, KeyType::EcP256),
    ] {
        let plain = der(pem);
        for behind in [
            &attributes[..],
            &public,
            &[&attributes[..], &public].concat(),
        ] {
            let whole = element(0x30, &[inside(&plain), behind].concat());
            let found = private_key(&whole);
            assert_eq!((found.format, found.key), (KeyFormat::Pkcs8, key));
        }
        let odd = element(0x30, &[inside(&plain), &element(0x04, b"")].concat());
        assert_eq!(inspect(odd), Err(Unsuitable::BadStructure));
    }
}

#[test]
fn structure_that_ends_early_is_named() {
    let request = der(RSA_REQUEST);
    let (info, behind) = split(inside(&request));
    // A request without attributes, which some tools leave out.
    let first = inside(info);
    let attributes = first.iter().rposition(|&byte| byte == 0xa0).unwrap();
    let whole = [element(0x30, &first[..attributes]), behind.to_vec()].concat();
    assert_eq!(
        inspect(element(0x30, &whole)),
        Err(Unsuitable::CertificateRequest)
    );

    let certificate = der(P256_CA);
    let (signed, _) = split(inside(&certificate));
    let unsigned = element(0x30, signed);
    assert_eq!(inspect(unsigned), Err(Unsuitable::BadStructure));
    let (version, algorithm) = (element(0x02, &[0]), element(0x30, &[0x06, 1, 1]));
    for outer in [&b""[..], &version, &algorithm] {
        assert_eq!(inspect(element(0x30, outer)), Err(Unsuitable::BadStructure));
    }
    assert_eq!(
        inspect(wrap("CERTIFICATE", b"", 64)),
        Err(Unsuitable::Truncated)
    );
}

#[test]
fn every_kind_is_shown_by_its_name() {
    for (shown, name) in [
        (KeyFormat::Pkcs1.to_string(), "PKCS#1"),
        (KeyFormat::Pkcs8.to_string(), "PKCS#8"),
        (KeyFormat::Sec1.to_string(), "SEC1"),
        (KeyType::Rsa { bits: 2048 }.to_string(), "RSA 2048"),
        (KeyType::EcP256.to_string(), "ECDSA P-256"),
        (KeyType::EcP384.to_string(), "ECDSA P-384"),
        (KeyType::EcOther.to_string(), "ECDSA on another curve"),
        (KeyType::Ed25519.to_string(), "Ed25519"),
        (KeyType::Other.to_string(), "another algorithm"),
    ] {
        assert_eq!(shown, name);
    }
    for (label, words) in [
        (
            "DSA PRIVATE KEY",
            "DSA PRIVATE KEY: give a file with CERTIFICATE or PRIVATE KEY",
        ),
        ("X509 CRL", "X509 CRL: give a file with"),
        ("DH PARAMETERS", "neither certificate nor private key: give"),
        ("EC PARAMETERS", "the key itself is missing"),
        ("OPENSSH PRIVATE KEY", "ssh-keygen"),
        ("TRUSTED CERTIFICATE", "openssl x509"),
    ] {
        let unsuitable = inspect(wrap(label, b"any", 64)).unwrap_err();
        assert!(unsuitable.to_string().contains(words), "{unsuitable}");
    }
    let other = Misplaced::OtherKey.to_string();
    assert!(other.contains("store the two that were made together"));
    let mut inspector = Inspector::default();
    inspector.feed(P256_CA.as_bytes());
    assert!(inspector.finish().is_ok());
}

/// Keys of an unknown algorithm cannot be compared.
#[test]
fn keys_of_unknown_algorithms_match_nothing() {
    let unknown = |pem: &str| {
        let mut bytes = der(pem);
        let known = [0x2b, 0x65, 0x70];
        let at = bytes.windows(3).position(|three| three == known).unwrap();
        // The algorithm becomes X448 in place of Ed25519.
        bytes[at + 2] = 0x6f;
        inspect(bytes).unwrap()
    };
    let (certificate, key) = (unknown(ED25519_LEAF), unknown(ED25519_PKCS8));
    assert_eq!(certificate.matches(&key), None);
    assert_eq!(inspect(ED25519_LEAF).unwrap().matches(&key), None);
    assert_eq!(key.matches(&certificate), None, "the wrong way round");
}
