//! Keys that are made in the modem, and tokens that it signs with them (sheet 6.1).

use base64ct::{Base64UrlUnpadded, Encoding};
use p256::SecretKey;
use p256::ecdsa::signature::Signer;
use p256::ecdsa::{Signature, SigningKey};
use p256::pkcs8::{DecodePrivateKey, EncodePrivateKey, EncodePublicKey, LineEnding};
use sha2::{Digest, Sha256};

pub(super) fn base64url(bytes: &[u8]) -> String {
    Base64UrlUnpadded::encode_string(bytes)
}

/// Formats a UUID as 8-4-4-4-12.
pub(super) fn show_uuid(uuid: &[u8; 16]) -> String {
    let mut text = String::new();
    for (index, byte) in uuid.iter().enumerate() {
        if matches!(index, 4 | 6 | 8 | 10) {
            text.push('-');
        }
        text.push_str(&format!("{byte:02x}"));
    }
    text
}

/// Returns bytes that look random and are equal on every run.
pub(super) fn random(seed: u64, count: u64, what: &str) -> [u8; 32] {
    let mut hash = Sha256::new();
    hash.update(seed.to_be_bytes());
    hash.update(count.to_be_bytes());
    hash.update(what);
    hash.finalize().into()
}

/// A P-256 key.
pub(super) struct Key(SecretKey);

impl Key {
    /// Makes a key of `bytes`, or of the next ones in the rare case that they are no key.
    pub(super) fn new(mut bytes: [u8; 32]) -> Self {
        loop {
            if let Ok(key) = SecretKey::from_slice(&bytes) {
                return Self(key);
            }
            bytes = Sha256::digest(bytes).into();
        }
    }

    /// Returns the key as PKCS#8 in PEM, the form of the store.
    pub(super) fn pem(&self) -> Vec<u8> {
        match self.0.to_pkcs8_pem(LineEnding::LF) {
            Ok(pem) => pem.as_bytes().to_vec(),
            Err(error) => unreachable!("a P-256 key has a PKCS#8 form: {error}"),
        }
    }

    /// Reads a stored key, if it is P-256.
    pub(super) fn from_pem(pem: &[u8]) -> Option<Self> {
        let text = std::str::from_utf8(pem).ok()?;
        SecretKey::from_pkcs8_pem(text)
            .ok()
            .or_else(|| SecretKey::from_sec1_pem(text).ok())
            .map(Self)
    }

    /// Returns the public key as SubjectPublicKeyInfo in DER.
    pub(super) fn public_key(&self) -> Vec<u8> {
        match self.0.public_key().to_public_key_der() {
            Ok(der) => der.as_bytes().to_vec(),
            Err(error) => unreachable!("a P-256 key has a SubjectPublicKeyInfo: {error}"),
        }
    }

    fn sign(&self, message: &[u8]) -> Signature {
        SigningKey::from(&self.0).sign(message)
    }

    /// Returns a PKCS#10 request in DER, with the extensions of sheet 12.13.
    pub(super) fn csr(
        &self,
        subject: &[(String, String)],
        null_parameters: bool,
    ) -> Option<Vec<u8>> {
        let mut name = Vec::new();
        for (attribute, value) in subject {
            let oid = attribute_oid(attribute)?;
            let pair = tlv(0x30, &[&tlv(0x06, &[oid]), &tlv(0x0c, &[value.as_bytes()])]);
            name.extend(tlv(0x31, &[&pair]));
        }
        // digitalSignature, nonRepudiation, keyEncipherment, keyAgreement.
        let usage = tlv(
            0x30,
            &[
                &tlv(0x06, &[&[0x55, 0x1d, 0x0f]]),
                &tlv(0x04, &[&[0x03, 0x02, 0x03, 0xe8]]),
            ],
        );
        let request = tlv(
            0x30,
            &[
                &tlv(
                    0x06,
                    &[&[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x09, 0x0e]],
                ),
                &tlv(0x31, &[&tlv(0x30, &[&usage])]),
            ],
        );
        let info = tlv(
            0x30,
            &[
                &tlv(0x02, &[&[0]]),
                &tlv(0x30, &[&name]),
                &self.public_key(),
                &tlv(0xa0, &[&request]),
            ],
        );
        let ecdsa_with_sha256 = tlv(0x06, &[&[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x02]]);
        // TRAP, sheet 6.1: NULL parameters where there must be none.
        let parameters: &[u8] = if null_parameters { &[0x05, 0x00] } else { &[] };
        let algorithm = tlv(0x30, &[&ecdsa_with_sha256, parameters]);
        let signature = self.sign(&info).to_der();
        let bits = tlv(0x03, &[&[0], signature.as_bytes()]);
        Some(tlv(0x30, &[&info, &algorithm, &bits]))
    }

    /// Returns `body` and its attestation in the form of `%KEYGEN`.
    pub(super) fn attest_key(
        identity: &Self,
        body: &[u8],
        is_csr: bool,
        uuid: &[u8; 16],
        tag: u32,
        nonce: &[u8; 16],
    ) -> String {
        let mut payload = vec![0xd9, 0xd9, 0xf7, 0x85, if is_csr { 9 } else { 8 }];
        payload.extend(cbor_bytes(uuid));
        payload.extend(cbor_bytes(&cbor_head(0, tag.into())));
        payload.extend(cbor_bytes(&Sha256::digest(body)));
        payload.extend(cbor_bytes(nonce));
        let cose = identity.cose(&payload, true);
        format!("{}.{}", base64url(body), base64url(&cose))
    }

    /// Returns the answer to `%ATTESTTOKEN`.
    pub(super) fn attest_device(
        &self,
        uuid: &[u8; 16],
        firmware: &[u8; 16],
        nonce: &[u8; 16],
    ) -> String {
        let mut message = vec![0xd9, 0xd9, 0xf7, 0x85, 1];
        message.extend(cbor_bytes(uuid));
        // nRF9160 SIAA.
        message.push(3);
        message.extend(cbor_bytes(firmware));
        message.extend(cbor_bytes(nonce));
        let cose = self.cose(&message, false);
        format!("{}.{}", base64url(&message), base64url(&cose))
    }

    /// Returns a COSE_Sign1 with ES256 and the identity key's id, with the payload inside or detached.
    fn cose(&self, payload: &[u8], inside: bool) -> Vec<u8> {
        const PROTECTED: [u8; 3] = [0xa1, 0x01, 0x26];
        let mut signed = vec![0x84, 0x6a];
        signed.extend(b"Signature1");
        signed.extend(cbor_bytes(&PROTECTED));
        signed.extend(cbor_bytes(&[]));
        signed.extend(cbor_bytes(payload));
        let mut message = vec![0xd2, 0x84];
        message.extend(cbor_bytes(&PROTECTED));
        message.extend([0xa1, 0x04, 0x41, 0x21]);
        if inside {
            message.extend(cbor_bytes(payload));
        } else {
            message.push(0xf6);
        }
        message.extend(cbor_bytes(&self.sign(&signed).to_bytes()));
        message
    }

    /// Returns a JSON Web Token over these claims, which are JSON already.
    pub(super) fn jwt(&self, claims: &str) -> String {
        let signed = format!(
            "{}.{}",
            base64url(br#"{"alg":"ES256","typ":"JWT"}"#),
            base64url(claims.as_bytes())
        );
        let signature = base64url(&self.sign(signed.as_bytes()).to_bytes());
        format!("{signed}.{signature}")
    }
}

/// Reads a subject such as `CN=a,O=b`.
pub(super) fn parse_subject(text: &str) -> Option<Vec<(String, String)>> {
    text.split(',')
        .map(|pair| {
            let (attribute, value) = pair.split_once('=')?;
            let attribute = attribute.trim();
            attribute_oid(attribute)?;
            (!value.is_empty()).then(|| (attribute.to_owned(), value.to_owned()))
        })
        .collect()
}

fn attribute_oid(name: &str) -> Option<&'static [u8]> {
    Some(match name {
        "CN" => &[0x55, 0x04, 0x03],
        "C" => &[0x55, 0x04, 0x06],
        "L" => &[0x55, 0x04, 0x07],
        "ST" => &[0x55, 0x04, 0x08],
        "O" => &[0x55, 0x04, 0x0a],
        "OU" => &[0x55, 0x04, 0x0b],
        _ => return None,
    })
}

/// Returns a DER value of tag, length and content.
fn tlv(tag: u8, parts: &[&[u8]]) -> Vec<u8> {
    let value = parts.concat();
    let mut bytes = vec![tag];
    match value.len() {
        short @ 0..=127 => bytes.push(short as u8),
        long => {
            let length: Vec<u8> = long
                .to_be_bytes()
                .into_iter()
                .skip_while(|byte| *byte == 0)
                .collect();
            bytes.push(0x80 | length.len() as u8);
            bytes.extend(length);
        }
    }
    bytes.extend(value);
    bytes
}

fn cbor_head(major: u8, value: u64) -> Vec<u8> {
    let major = major << 5;
    match value {
        0..=23 => vec![major | value as u8],
        24..=0xff => vec![major | 24, value as u8],
        0x100..=0xffff => [&[major | 25][..], &(value as u16).to_be_bytes()].concat(),
        _ => [&[major | 26][..], &(value as u32).to_be_bytes()].concat(),
    }
}

fn cbor_bytes(bytes: &[u8]) -> Vec<u8> {
    [&cbor_head(2, bytes.len() as u64)[..], bytes].concat()
}
