//! Certificate signing requests (PKCS#10, RFC 2986), from which a CA makes a device's certificate.
//!
//! The key may be in the MCU, in a secure element, or in a modem that generates keys: each of them is a [`Requester`].
//!
//! ```
//! # async fn request<K: sectag::signer::PublicKey>(key: K) -> Result<(), sectag::csr::CsrError<K::Error>> {
//! use sectag::csr::{OwnKey, Requester, Subject};
//!
//! let mut room = [0; sectag::csr::ROOM];
//! let subject = Subject::new("pump-17").organization("Example");
//! let request = OwnKey(key).request(&subject, &mut room).await?;
//! // `request.pem()` is what a CA is sent, by `Display`.
//! # let _ = request.pem();
//! # Ok(())
//! # }
//! ```

mod der;
mod subject;

use core::fmt;

pub use self::subject::{InvalidSubject, Subject};

use self::der::Writer;
use crate::inspect::Pem;
use crate::signer::{Algorithm, PublicKey, ecdsa_to_der};

/// The size of a buffer, in bytes, for the request of a P-256 key with a subject of two short fields. Add the length of
/// each further field and 16 bytes. The request of an RSA key of 2048 bits takes 512 bytes more.
pub const ROOM: usize = 384;

/// The longest header of the request: the tag SEQUENCE and a length of two bytes.
const HEADER: usize = 4;

/// A certificate signing request in the caller's buffer. It has no secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Request<'b> {
    der: &'b [u8],
}

impl<'b> Request<'b> {
    /// Makes a request from DER that was made elsewhere, such as in a modem.
    pub const fn from_der(der: &'b [u8]) -> Self {
        Self { der }
    }

    /// Returns the request in DER.
    pub const fn der(&self) -> &'b [u8] {
        self.der
    }

    /// Returns the public key, a SubjectPublicKeyInfo in DER; `None` where this is no request.
    pub fn public_key(&self) -> Option<&'b [u8]> {
        let (request, _) = der::value(self.der)?;
        let (info, _) = der::value(request)?;
        let (_version, rest) = der::value(info)?;
        let (_subject, rest) = der::value(rest)?;
        let (_, behind) = der::value(rest)?;
        rest.get(..rest.len() - behind.len())
    }

    /// Returns whether a certificate, in DER, is for the key of this request: a check against mistakes before it is
    /// stored.
    pub fn fits(&self, certificate: &[u8]) -> bool {
        self.public_key()
            .is_some_and(|key| certificate.windows(key.len()).any(|part| part == key))
    }

    /// Returns the request as PEM, by `Display`.
    pub const fn pem(&self) -> Pem<'b> {
        Pem::new("CERTIFICATE REQUEST", self.der)
    }
}

/// The holder of a key, which makes requests for it.
#[allow(async_fn_in_trait)]
pub trait Requester {
    /// The error of making a request.
    type Error;

    /// Makes a request in `out`, which should have [`ROOM`] bytes or the size that the implementation documents. A modem
    /// generates the key at the same time.
    async fn request<'b>(
        &mut self,
        subject: &Subject<'_>,
        out: &'b mut [u8],
    ) -> Result<Request<'b>, Self::Error>;
}

/// A [`Requester`] with a key that can sign a request.
#[derive(Clone)]
pub struct OwnKey<S>(pub S);

impl<S: PublicKey> Requester for OwnKey<S> {
    type Error = CsrError<S::Error>;

    async fn request<'b>(
        &mut self,
        subject: &Subject<'_>,
        out: &'b mut [u8],
    ) -> Result<Request<'b>, Self::Error> {
        sign(&mut self.0, subject, out).await
    }
}

/// The error of making a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum CsrError<E> {
    /// The buffer is too small.
    BufferTooSmall,
    /// The key gave no signature or public key.
    Signer(E),
    /// The subject is invalid.
    Subject(InvalidSubject),
    /// The signature has another length than that of its algorithm.
    WrongSignature,
}

impl<E: fmt::Display> fmt::Display for CsrError<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::BufferTooSmall => {
                "the request does not fit: give a buffer of csr::ROOM bytes, more with a long subject or RSA"
            }
            Self::Signer(error) => return write!(f, "the key did not sign: {error}"),
            Self::Subject(invalid) => return invalid.fmt(f),
            Self::WrongSignature => {
                "the key's signature has another length than ES256 has: have it answer r and s, 64 bytes"
            }
        })
    }
}

impl<E: fmt::Debug + fmt::Display> core::error::Error for CsrError<E> {}

/// Makes a request for this key in `out`, signed by the key.
///
/// The future may be dropped whenever that of the signer may.
///
/// # Errors
/// The reason why no request can be made, see [`CsrError`].
pub async fn sign<'b, S: PublicKey>(
    signer: &mut S,
    subject: &Subject<'_>,
    out: &'b mut [u8],
) -> Result<Request<'b>, CsrError<S::Error>> {
    // ecdsa-with-SHA256 without parameters (RFC 5758), sha256WithRSAEncryption with NULL (RFC 4055).
    const ECDSA: &[u8] = b"\x30\x0a\x06\x08\x2a\x86\x48\xce\x3d\x04\x03\x02";
    const RSA: &[u8] = b"\x30\x0d\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0b\x05\x00";

    subject.check().map_err(CsrError::Subject)?;
    let key = signer.public_key().await.map_err(CsrError::Signer)?;
    let room = out.get_mut(HEADER..).ok_or(CsrError::BufferTooSmall)?;
    let mut writer = Writer::new(room);
    let name = subject.der_len();
    let version = b"\x02\x01\x00";
    // The empty list of attributes, [0].
    let attributes = b"\xa0\x00";
    let info = version.len() + der::framed(name) + key.as_ref().len() + attributes.len();
    writer.header(0x30, info);
    writer.put(version);
    writer.header(0x30, name);
    subject.write(&mut writer);
    writer.put(key.as_ref());
    writer.put(attributes);
    let signed = writer.written().ok_or(CsrError::BufferTooSmall)?;

    let signature = signer.sign_message(signed).await;
    let signature = signature.map_err(CsrError::Signer)?;
    let mut converted = [0; 72];
    let (algorithm, signature) = match S::ALGORITHM {
        Algorithm::Es256 => {
            let raw = signature.as_ref().try_into();
            let len = ecdsa_to_der(raw.map_err(|_| CsrError::WrongSignature)?, &mut converted);
            (ECDSA, &converted[..len])
        }
        Algorithm::Rs256 => (RSA, signature.as_ref()),
    };
    writer.put(algorithm);
    // A BIT STRING begins with the number of bits of its last byte that do not count.
    writer.header(0x03, signature.len() + 1);
    writer.put(&[0]);
    writer.put(signature);
    let content = writer.written().ok_or(CsrError::BufferTooSmall)?.len();

    let mut header = Writer::new(&mut out[..HEADER]);
    header.header(0x30, content);
    // The header is usually shorter than the room for it; the content then moves forward.
    let len = header.written().map_or(HEADER, <[u8]>::len);
    out.copy_within(HEADER..HEADER + content, len);
    Ok(Request {
        der: &out[..len + content],
    })
}

#[cfg(test)]
mod tests;
