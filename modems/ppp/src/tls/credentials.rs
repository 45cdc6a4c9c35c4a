//! What is known beforehand: roots, the client's certificate, the time.

use sectag::clock::DateTime;
use sectag::signer::{Algorithm, Signer};
use sectag::{Digest, Tag, TimeSource};

/// A set of credentials in flash, all in DER.
#[derive(Clone, Copy, Debug)]
pub struct Credentials {
    /// The number under which a [`TlsConfig`](sectag::TlsConfig) asks for it.
    pub tag: Tag,
    /// Certificates of the authorities whose servers are trusted; at least one.
    pub roots: &'static [&'static [u8]],
    /// This device's certificate, with a key on P-256.
    pub certificate: Option<&'static [u8]>,
}

/// A time and where it comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Time {
    /// Now, in UTC.
    pub now: DateTime,
    /// Who says so.
    pub source: TimeSource,
}

/// Tells the time. Certificates have dates, so nothing is connected to without one.
pub trait Clock {
    /// Now; `None` until the clock has been set.
    fn time(&self) -> Option<Time>;
}

impl<F: Fn() -> Option<Time>> Clock for F {
    fn time(&self) -> Option<Time> {
        self()
    }
}

/// No private key: no client certificate is sent.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoKey;

impl Signer for NoKey {
    type Error = NoKey;
    type Signature = [u8; 64];
    const ALGORITHM: Algorithm = Algorithm::Es256;

    async fn sign(&mut self, _: &Digest) -> Result<[u8; 64], NoKey> {
        Err(NoKey)
    }
}
