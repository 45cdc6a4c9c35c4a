//! Credentials and time for connections: roots, the client's certificate, the clock.

use sectag::clock::DateTime;
use sectag::signer::{Algorithm, Signer};
use sectag::{Digest, Tag, TimeSource};

/// A set of credentials in flash, all in DER.
#[derive(Clone, Copy, Debug)]
pub struct Credentials {
    /// The number under which a [`TlsConfig`](sectag::TlsConfig) asks for it.
    pub tag: Tag,
    /// Certificates of the CAs whose servers are trusted; at least one is needed.
    pub roots: &'static [&'static [u8]],
    /// This device's certificate, with a key on P-256.
    pub certificate: Option<&'static [u8]>,
}

/// A time and where it comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Time {
    /// The current time, in UTC.
    pub now: DateTime,
    /// The source of the time.
    pub source: TimeSource,
}

/// A clock. Certificates have dates, so no connection is made without the time.
pub trait Clock {
    /// Returns the current time; `None` until the clock has been set.
    fn time(&self) -> Option<Time>;
}

impl<F: Fn() -> Option<Time>> Clock for F {
    fn time(&self) -> Option<Time> {
        self()
    }
}

/// The absence of a private key: no client certificate is sent.
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
