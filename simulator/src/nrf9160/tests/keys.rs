//! Tests of keys that are made in the modem (sheet 6.1, 12.13).

use base64ct::{Base64UrlUnpadded, Encoding};
use p256::ecdsa::signature::Verifier;
use p256::ecdsa::{Signature, VerifyingKey};
use p256::pkcs8::DecodePublicKey;
use rustls::pki_types::PrivateKeyDer;
use rustls::pki_types::pem::PemObject;
use sha2::{Digest, Sha256};

use super::*;

/// Sheet 12.13: `AT%KEYGEN=17,2,0`.
const CSR_VECTOR: &str = "MIIBCjCBrwIBADAvMS0wKwYDVQQDDCQ1MDM2MzE1NC0zOTMxLTQ0ZjAtODAyMi0xMjFiNjQwMTYyN2QwWTATBgcqhkjOPQIBBggqhkjOPQMBBwNCAAQqD6pNfa29o_EXnw62bnQWr8-JqsNh_HZxS3k3bMD4KZ8-qxnvgeoiqQ5zAycEP_Wcmzqypvwyf3qWMrZ2VB5aoB4wHAYJKoZIhvcNAQkOMQ8wDTALBgNVHQ8EBAMCA-gwDAYIKoZIzj0EAwIFAANIADBFAiEAv7OLZ_dXbszfhhjcLMUT72wTmw-z6GlgWxVhyWgR27ACIAvY_lPu3yfYZY5AL6uYTkUFp4GQkbSOUC_lsHyCxOuG";
const COSE_VECTOR: &str = "0oRDoQEmoQRBIVhL2dn3hQlQUDYxVDkxRPCAIhIbZAFifUERWCBwKj1W8FsvclMdZQgl4gBB4unZMYw0toU6uQZuXHLoDFAbhyLuHetYFWbiyxNZsnzSWEDUiTl7wwFt0hEsCiEQsxj-hCtpBk8Za8UXfdAycpx2faCOPJIrkfmiSS8-Y6_2tTAoAMN1BiWiTOimY1wZE3Ud";
/// Sheet 12.13: `AT%ATTESTTOKEN`.
const TOKEN_VECTOR: &str = "2dn3hQFQUDYxVDkxRPCAIhIbZAFifQNQGv86y_GmR2SiY0wmRsHGVFDT791_BPH8YOWFiyCHND1q.0oRDoQEmoQRBIfZYQGuXwJliinHc6xDPruiyjsaXyXZbZVpUuOhHG9YS8L05VuglCcJhMN4EUhWVGpaHgNnHHno6ahi-d5tOeZmAcNY";

fn decode(text: &str) -> Vec<u8> {
    Base64UrlUnpadded::decode_vec(text).unwrap()
}

/// Returns the text in the quotes of an answer, split at its dots.
fn parts(answer: &str) -> Vec<String> {
    let quoted = answer
        .split('"')
        .nth(1)
        .unwrap_or_else(|| panic!("{answer:?}"));
    quoted.split('.').map(str::to_owned).collect()
}

/// Expects all bytes but those at `secret` to be equal.
#[track_caller]
fn assert_same_but(
    ours: &[u8],
    theirs: &[u8],
    secret: impl IntoIterator<Item = std::ops::Range<usize>>,
) {
    let secret: Vec<_> = secret.into_iter().collect();
    assert_eq!(ours.len(), theirs.len());
    for (index, (a, b)) in ours.iter().zip(theirs).enumerate() {
        if !secret.iter().any(|range| range.contains(&index)) {
            assert_eq!(a, b, "byte {index}");
        }
    }
}

fn position(haystack: &[u8], needle: &[u8]) -> usize {
    haystack
        .windows(needle.len())
        .position(|window| window == needle)
        .unwrap()
}

/// Compares with the sheet's example, except for key, signature, digest and nonce.
#[test]
fn a_csr_as_in_the_sheet() {
    play_alone(dialect(Nrf9160Profile::V2_1), |host| async move {
        let answer = host.answer("AT%KEYGEN=17,2,0").await;
        let parts = parts(&answer);
        let (csr, vector) = (decode(&parts[0]), decode(CSR_VECTOR));
        let key_at = position(&vector, &[0x03, 0x42, 0x00, 0x04]) + 4;
        let null = [0x04, 0x03, 0x02, 0x05, 0x00];
        let signature_at = position(&vector, &null) + null.len();
        // The length of an ECDSA signature varies by some bytes, and with it the outermost length.
        assert_same_but(
            &csr[..signature_at],
            &vector[..signature_at],
            [2..4, key_at..key_at + 64],
        );

        let key = VerifyingKey::from_sec1_bytes(&csr[key_at - 1..key_at + 64]).unwrap();
        let signed = &csr[4..signature_at - 14];
        let signature = Signature::from_der(&csr[signature_at + 3..]).unwrap();
        key.verify(signed, &signature).unwrap();

        let (cose, vector) = (decode(&parts[1]), decode(COSE_VECTOR));
        let digest_at = position(&vector, &[0x58, 0x20]) + 2;
        let tail = cose.len() - 64;
        assert_same_but(
            &cose,
            &vector,
            [
                digest_at..digest_at + 32,
                digest_at + 33..digest_at + 49,
                tail..cose.len(),
            ],
        );
        assert_eq!(cose[digest_at..digest_at + 32], Sha256::digest(&csr)[..]);

        // TLS can use the key.
        let stored = &host.modem.files()["modem/17/2"];
        let der = PrivateKeyDer::from_pem_slice(stored).unwrap();
        rustls::crypto::ring::sign::any_supported_type(&der).unwrap();

        // The key stays, and can neither be read nor made twice.
        host.ok(&["AT+CMEE=1"]).await;
        assert!(host.answer("AT%CMNG=1,17").await.contains("%CMNG: 17,2,\""));
        host.ask("AT%CMNG=2,17,2", "\r\n+CME ERROR: 514\r\n").await;
        host.ask("AT%KEYGEN=17,2,0", "\r\n+CME ERROR: 519\r\n")
            .await;
        host.ask("AT%KEYGEN=18,0,0", "\r\n+CME ERROR: 50\r\n").await;
        host.ask("AT%KEYGEN=18,2,0,\"bad\"", "\r\n+CME ERROR: 50\r\n")
            .await;
    });
}

#[test]
fn the_trap_of_the_csr_is_an_option() {
    for csr_with_null in [false, true] {
        let options = Nrf9160Options {
            csr_with_null,
            ..dialect(Nrf9160Profile::V2_1)
        };
        play_alone(options, |host| async move {
            let answer = host
                .answer("AT%KEYGEN=1,2,0,\"O=Test,CN=nrf-355025930000000\"")
                .await;
            let csr = decode(&parts(&answer)[0]);
            assert!(position(&csr, b"nrf-355025930000000") > 0);
            let null = csr.windows(5).any(|five| five == [4, 3, 2, 5, 0]);
            assert_eq!(null, csr_with_null);
        });
    }
}

#[test]
fn a_public_key() {
    play_alone(dialect(Nrf9160Profile::V2_1), |host| async move {
        let answer = host.answer("AT%KEYGEN=16,2,1").await;
        let der = decode(&parts(&answer)[0]);
        VerifyingKey::from_public_key_der(&der).unwrap();
        let cose = decode(&parts(&answer)[1]);
        assert_eq!(cose[13..17], [0xd9, 0xf7, 0x85, 8][..], "{cose:02x?}");
    });
}

#[test]
fn tokens_of_the_device() {
    play_alone(dialect(Nrf9160Profile::V2_1), |host| async move {
        let answer = host
            .answer("AT%ATTESTTOKEN=\"d3efdd7f04f1fc60e5858b2087343d6a\"")
            .await;
        let parts = parts(&answer);
        let vector: Vec<&str> = TOKEN_VECTOR.split('.').collect();
        let (message, theirs) = (decode(&parts[0]), decode(vector[0]));
        // Except for the firmware's UUID.
        assert_same_but(&message, &theirs, Some(24..40));
        let (cose, theirs) = (decode(&parts[1]), decode(vector[1]));
        assert_same_but(&cose, &theirs, Some(13..cose.len()));
        assert!(host.answer("AT%ATTESTTOKEN").await.ends_with(OK));
        host.ask(
            "AT#XUUID",
            "\r\n#XUUID: 50363154-3931-44f0-8022-121b6401627d\r\n\r\nOK\r\n",
        )
        .await;
    });
}

#[test]
fn json_web_tokens() {
    let options = Nrf9160Options {
        clock: Some(utc(2026, 6, 1, 12, 0, 0)),
        ..dialect(Nrf9160Profile::V2_1)
    };
    play_alone(options, |host| async move {
        let answer = host.answer("AT%KEYGEN=5,2,1").await;
        let key = VerifyingKey::from_public_key_der(&decode(&parts(&answer)[0])).unwrap();
        let answer = host.answer("AT%JWT=0,600,\"device\",\"project\",5,2").await;
        let token = parts(&answer);
        let claims = String::from_utf8(decode(&token[1])).unwrap();
        for claim in [
            "\"iat\":1780315201,\"exp\":1780315801",
            "\"sub\":\"device\"",
            "\"aud\":\"project\"",
        ] {
            assert!(claims.contains(claim), "{claims}");
        }
        let signature = Signature::from_slice(&decode(&token[2])).unwrap();
        key.verify(format!("{}.{}", token[0], token[1]).as_bytes(), &signature)
            .unwrap();
        host.ok(&["AT+CMEE=1"]).await;
        host.ask("AT%JWT=0,600,\"a\",\"b\",6,2", "\r\n+CME ERROR: 513\r\n")
            .await;
        // The identity key signs when none is named.
        assert!(host.answer("AT%JWT=0").await.ends_with(OK));
    });
    play_alone(dialect(Nrf9160Profile::V2_1), |host| async move {
        host.ok(&["AT+CMEE=1"]).await;
        host.ask("AT%JWT=0,600", "\r\n+CME ERROR: 525\r\n").await;
    });
}
