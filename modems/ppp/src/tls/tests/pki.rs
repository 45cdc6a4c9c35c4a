//! Certificates, good and bad.

extern crate std;

use std::string::{String, ToString};
use std::vec;
use std::vec::Vec;

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa,
    KeyPair, KeyUsagePurpose, PKCS_ED25519,
};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

pub(super) const NAME: &str = "broker.sectag.test";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sort {
    Good,
    OtherName,
    /// Signed with the key of a device's certificate.
    SignedByDevice,
    /// A device's own certificate.
    Device,
    /// The name is in the subject, and nowhere else.
    SubjectOnly,
    FourthName,
    ByIntermediate,
    Ed25519,
    Rsa,
    /// With many names, some 5 KB in all.
    Padded,
}

/// A chain with its key.
pub(super) type Identity = (Vec<CertificateDer<'static>>, PrivateKeyDer<'static>);

pub(super) struct Authority(CertifiedIssuer<'static, KeyPair>);

impl Authority {
    pub(super) fn new() -> Self {
        Self::with(KeyPair::generate().unwrap())
    }

    /// As one of Google's roots.
    #[cfg(feature = "p384")]
    pub(super) fn on_p384() -> Self {
        Self::with(KeyPair::generate_for(&rcgen::PKCS_ECDSA_P384_SHA384).unwrap())
    }

    /// With an RSA key.
    pub(super) fn on_rsa() -> Self {
        Self::with(rsa_key())
    }

    fn with(key: KeyPair) -> Self {
        let mut params = certificate("throw-away root", Vec::new());
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
        Self(CertifiedIssuer::self_signed(params, key).unwrap())
    }

    pub(super) fn der(&self) -> &[u8] {
        self.0.der()
    }

    pub(super) fn pem(&self) -> String {
        self.0.pem()
    }

    /// A device's certificate, and its key in PKCS#8.
    pub(super) fn device(&self) -> (Vec<u8>, Vec<u8>) {
        let key = KeyPair::generate().unwrap();
        let certificate = device("device-1").signed_by(&key, &self.0).unwrap();
        (certificate.der().to_vec(), key.serialize_der())
    }

    pub(super) fn server(&self, sort: Sort) -> Identity {
        let key = match sort {
            Sort::Ed25519 => KeyPair::generate_for(&PKCS_ED25519).unwrap(),
            Sort::Rsa => rsa_key(),
            _ => KeyPair::generate().unwrap(),
        };
        let names = |names: &[&str]| names.iter().map(|name| name.to_string()).collect();
        let mut params = match sort {
            Sort::Device => {
                let mut params = device(NAME);
                params.subject_alt_names = certificate("", names(&[NAME])).subject_alt_names;
                params
            }
            Sort::OtherName => server("other", names(&["other.sectag.test"])),
            Sort::SubjectOnly => server(NAME, Vec::new()),
            Sort::FourthName => server("x", names(&["a.test", "b.test", "c.test", NAME])),
            Sort::Padded => {
                let many =
                    (0..90).map(|at| std::format!("a-long-name-of-some-40-characters-{at}.test"));
                server(NAME, many.collect())
            }
            _ => server(NAME, names(&[NAME])),
        };
        params.use_authority_key_identifier_extension = true;
        let mut chain = Vec::new();
        match sort {
            Sort::SignedByDevice | Sort::ByIntermediate => {
                let mut between = device("in between");
                if sort == Sort::ByIntermediate {
                    between.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
                    between.key_usages = vec![KeyUsagePurpose::KeyCertSign];
                    between.extended_key_usages = Vec::new();
                }
                let between =
                    CertifiedIssuer::signed_by(between, KeyPair::generate().unwrap(), &self.0)
                        .unwrap();
                chain.push(params.signed_by(&key, &between).unwrap().der().clone());
                chain.push(between.der().clone());
            }
            _ => chain.push(params.signed_by(&key, &self.0).unwrap().der().clone()),
        }
        (chain, PrivateKeyDer::Pkcs8(key.serialize_der().into()))
    }
}

fn device(name: &str) -> CertificateParams {
    let mut params = certificate(name, Vec::new());
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
    params.is_ca = IsCa::ExplicitNoCa;
    params
}

fn server(name: &str, names: Vec<String>) -> CertificateParams {
    let mut params = certificate(name, names);
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    params
}

fn certificate(name: &str, names: Vec<String>) -> CertificateParams {
    let mut params = CertificateParams::new(names).unwrap();
    params.distinguished_name = Default::default();
    params.distinguished_name.push(DnType::CommonName, name);
    params.not_before = rcgen::date_time_ymd(2026, 1, 1);
    params.not_after = rcgen::date_time_ymd(2036, 1, 1);
    params
}

/// One for all tests: making it takes its time.
fn rsa_key() -> KeyPair {
    use rsa::pkcs8::EncodePrivateKey;
    static DER: std::sync::LazyLock<Vec<u8>> = std::sync::LazyLock::new(|| {
        let key = rsa::RsaPrivateKey::new(&mut rand_core::OsRng, 2048).unwrap();
        key.to_pkcs8_der().unwrap().as_bytes().to_vec()
    });
    KeyPair::try_from(DER.as_slice()).unwrap()
}
