//! What certificates say, and whether they belong together.

use std::time::Duration;

use rustls::RootCertStore;
use rustls::client::verify_server_cert_signed_by_trust_anchor;
use rustls::client::verify_server_name;
use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{CertificateError, Error};
use sectag::inspect::{self, Content};

use super::files::Files;
use super::names::{Names, is_ca};
use crate::credential_file::material;

pub(super) fn inspect(certificate: &CertificateDer<'_>) -> Option<inspect::Certificate> {
    match material(certificate)?.content {
        Content::Certificate(certificate) => Some(certificate),
        Content::PrivateKey(_) => None,
    }
}

/// Whether the client's key is its certificate's; `None` when there are none, or they do not tell.
pub(super) fn pair(files: &Files) -> Option<bool> {
    let (certificate, key) = files.client.as_ref()?;
    let (certificate, key) = (material(certificate)?, material(key)?);
    Some(inspect::check_pair(&certificate, &key).is_ok())
}

/// The certificates of a PEM or DER file.
pub(super) fn read(file: &[u8]) -> Result<Vec<CertificateDer<'static>>, String> {
    if !file.windows(11).any(|window| window == b"-----BEGIN ") {
        return Ok(vec![CertificateDer::from(file.to_vec())]);
    }
    let found = CertificateDer::pem_slice_iter(file)
        .collect::<Result<Vec<_>, _>>()
        .map_err(|error| error.to_string())?;
    if found.is_empty() {
        return Err("there is no certificate in it".into());
    }
    Ok(found)
}

/// `None` when it cannot be told.
pub(super) fn is_for(leaf: &CertificateDer<'_>, host: &str) -> Option<bool> {
    let parsed = ParsedCertificate::try_from(leaf).ok()?;
    let name = ServerName::try_from(host).ok()?;
    Some(verify_server_name(&parsed, &name).is_ok())
}

/// The chain with the certificate for `host` in front, where a CA's stands there.
pub(super) fn put_right(
    chain: &[CertificateDer<'static>],
    host: &str,
) -> Option<Vec<CertificateDer<'static>>> {
    if !chain.first().is_some_and(|first| is_ca(first)) {
        return None;
    }
    let own = chain
        .iter()
        .position(|certificate| !is_ca(certificate) && is_for(certificate, host) == Some(true))?;
    let mut chain = chain.to_vec();
    let own = chain.remove(own);
    chain.insert(0, own);
    Some(chain)
}

/// Where the signatures of a chain lead to, that do not lead to the CA.
pub(super) struct Astray {
    /// Who is said to have signed the last certificate.
    pub(super) issuer: String,
    /// It says to be the CA itself.
    pub(super) is_named_like_the_ca: bool,
    /// It is likely that certificates are missing: it belongs to the CA by its organisation, and the server sends none but its own.
    pub(super) is_likely_cut: bool,
}

/// `None` when it cannot be told.
pub(super) fn astray(chain: &[CertificateDer<'_>], ca: &[u8]) -> Option<Astray> {
    let roots = read(ca).ok()?;
    let roots: Vec<Names<'_>> = roots.iter().filter_map(|root| Names::of(root)).collect();
    let names: Vec<Names<'_>> = chain
        .iter()
        .map(|sent| Names::of(sent))
        .collect::<Option<_>>()?;
    let mut last = *names.first()?;
    // Each step takes another of them, in whatever order they were sent.
    for _ in 0..names.len() {
        let above = names
            .iter()
            .find(|above| above.subject == last.issuer && above.subject != last.subject);
        match above {
            Some(above) => last = *above,
            None => break,
        }
    }
    let issuer = last.issuer;
    Some(Astray {
        issuer: issuer.shown(),
        is_named_like_the_ca: roots.iter().any(|root| root.subject == issuer),
        is_likely_cut: chain.len() == 1
            && roots
                .iter()
                .any(|root| root.subject.is_of_the_house_of(issuer)),
    })
}

/// Whether `ca` signed the chain, whatever the dates; `None` without a CA or a chain.
pub(super) fn is_signed(
    chain: &[CertificateDer<'_>],
    ca: Option<&[u8]>,
) -> Option<Result<bool, String>> {
    let (leaf, intermediates) = chain.split_first()?;
    let ca = ca?;
    let mut roots = RootCertStore::empty();
    let added = read(ca).and_then(|found| {
        found
            .into_iter()
            .try_for_each(|root| roots.add(root).map_err(|error| error.to_string()))
    });
    if let Err(reason) = added {
        return Some(Err(reason));
    }
    let parsed = ParsedCertificate::try_from(leaf).ok()?;
    let algorithms = ring::default_provider().signature_verification_algorithms;
    let mut moment = UnixTime::now();
    // Dates are judged elsewhere: each certificate of the chain can move the moment into its own.
    for _ in 0..8 {
        match verify_server_cert_signed_by_trust_anchor(
            &parsed,
            &roots,
            intermediates,
            moment,
            algorithms.all,
        ) {
            Ok(()) => return Some(Ok(true)),
            Err(Error::InvalidCertificate(CertificateError::ExpiredContext {
                not_after, ..
            })) => moment = not_after,
            Err(Error::InvalidCertificate(CertificateError::NotValidYetContext {
                not_before,
                ..
            })) => moment = UnixTime::since_unix_epoch(Duration::from_secs(not_before.as_secs())),
            Err(_) => return Some(Ok(false)),
        }
    }
    None
}
