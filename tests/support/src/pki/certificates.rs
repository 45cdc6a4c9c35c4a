//! What stands in each kind of certificate.

use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa,
    KeyUsagePurpose, SerialNumber,
};
use rsa::rand_core::{OsRng, RngCore};

use super::Validity;

pub(super) fn ca(name: &str, organisation: Option<&str>, validity: Validity) -> CertificateParams {
    let mut ca = certificate(name, validity, Vec::new());
    if let Some(organisation) = organisation {
        ca.distinguished_name
            .push(DnType::OrganizationName, organisation);
    }
    ca.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    ca.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    ca
}

pub(super) fn server<N: AsRef<str>>(
    names: impl IntoIterator<Item = N>,
    validity: Validity,
) -> CertificateParams {
    let names: Vec<String> = names
        .into_iter()
        .map(|name| name.as_ref().to_owned())
        .collect();
    let first = names
        .first()
        .expect("a server certificate needs a name")
        .clone();
    let mut server = certificate(&first, validity, names);
    // Key encipherment is for the RSA key exchange of older modems.
    server.key_usages = vec![
        KeyUsagePurpose::DigitalSignature,
        KeyUsagePurpose::KeyEncipherment,
    ];
    server.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    server.use_authority_key_identifier_extension = true;
    server
}

pub(super) fn client(client_id: &str, validity: Validity) -> CertificateParams {
    let mut client = certificate(client_id, validity, Vec::new());
    client.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    client.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
    client.use_authority_key_identifier_extension = true;
    client
}

fn certificate(common_name: &str, validity: Validity, names: Vec<String>) -> CertificateParams {
    let mut certificate = CertificateParams::new(names).expect("a server name is not ASCII");
    certificate.distinguished_name = DistinguishedName::new();
    certificate
        .distinguished_name
        .push(DnType::CommonName, common_name);
    certificate.not_before = validity.not_before;
    certificate.not_after = validity.not_after;
    certificate.serial_number = Some(serial_number());
    certificate
}

/// rcgen derives the number from the key, and several of our certificates share one.
fn serial_number() -> SerialNumber {
    let mut bytes = [0; 16];
    OsRng.fill_bytes(&mut bytes);
    // Positive and without leading zeros, whatever the parser on the other side does with them.
    bytes[0] = bytes[0] & 0x7f | 0x40;
    SerialNumber::from_slice(&bytes)
}
