//! Keys that are made in the modem and never leave it, and tokens that it signs with them (sheet 6.1).

use core::convert::Infallible;
use core::fmt;

use sectag::at::{AtatCmd, InvalidInput, Text};
use sectag::clock::{DateTime, MIN_DATE};
use sectag::csr::InvalidSubject;
use sectag::inspect::Pem;
use sectag::jwt::Invalid;
use sectag::{At, AtError, BringUpError, Code, Control, CredentialError, Digest, Tag};

use crate::base64url::Base64Url;
use crate::commands::{Arg, Command, STORE};
use crate::credentials::{check_tag, delete_in_modem, leave_network};
use crate::{Family, Nrf9160, clock};

/// The size of a buffer for [`DeviceKeys::generate_key`], in bytes. It holds any request or public key
/// of this modem with its attestation; add the length of a long subject name.
pub const KEY_BUFFER: usize = 768;
/// The size of a buffer for [`DeviceKeys::sign_token`], in bytes, without subject and audience; add
/// four thirds of their length.
pub const TOKEN_BUFFER: usize = 512;

/// The purpose of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyUse {
    /// The device's key in TLS: the private key of a set of credentials (type 2).
    Client,
    /// The key that vouches for the device towards nRF Cloud (type 8). It is no part of a set of
    /// credentials.
    Endorsement,
}

impl KeyUse {
    const fn number(self) -> u32 {
        match self {
            Self::Client => 2,
            Self::Endorsement => 8,
        }
    }
}

/// A request for [`DeviceKeys::generate_key`].
#[derive(Clone, Copy, Debug)]
pub struct KeyRequest<'a> {
    usage: KeyUse,
    public_key: bool,
    subject: Option<Text<'a, 200>>,
    unaltered: bool,
    not_for_tls: bool,
}

impl<'a> KeyRequest<'a> {
    /// Asks for a key for TLS, and for a certificate signing request (PKCS#10) whose common name is the
    /// device's UUID.
    pub const fn csr() -> Self {
        Self {
            usage: KeyUse::Client,
            public_key: false,
            subject: None,
            unaltered: false,
            not_for_tls: false,
        }
    }

    /// Asks for a key for TLS, and for its public key (SubjectPublicKeyInfo).
    pub const fn public_key() -> Self {
        Self {
            public_key: true,
            ..Self::csr()
        }
    }

    /// Sets the subject's name in the request, such as `CN=pump-17,O=Example`, up to 200 bytes. The
    /// default is the device's UUID.
    pub const fn subject(mut self, name: &'a str) -> Result<Self, InvalidInput> {
        if name.is_empty() {
            return Err(InvalidInput::Empty);
        }
        match Text::new(name) {
            Ok(name) => self.subject = Some(name),
            Err(error) => return Err(error),
        }
        Ok(self)
    }

    /// Sets the purpose of the key; the default is [`KeyUse::Client`].
    pub const fn usage(mut self, usage: KeyUse) -> Self {
        self.usage = usage;
        self
    }

    /// Leaves the request as the modem made it. Many firmwares put NULL parameters behind the signature
    /// algorithm of the request, which strict X.509 libraries refuse. By default they are removed; the
    /// digest in the attestation is then that of the original.
    pub const fn unaltered(mut self) -> Self {
        self.unaltered = true;
        self
    }

    /// Declares that the key is for tokens or nRF Cloud and not for this firmware's TLS. Without it a
    /// native TLS build, which does not see such keys, refuses with [`KeyError::Invisible`].
    pub const fn not_for_tls(mut self) -> Self {
        self.not_for_tls = true;
        self
    }
}

/// A request for [`DeviceKeys::sign_token`].
#[derive(Clone, Copy, Debug)]
pub struct TokenRequest<'a> {
    lifetime: u32,
    subject: Option<Text<'a, 100>>,
    audience: Option<Text<'a, 100>>,
    key: Option<(Tag, KeyUse)>,
}

impl<'a> TokenRequest<'a> {
    /// Asks for a token (JWT, ES256) that is signed by the device's identity key and does not expire.
    pub const fn new() -> Self {
        Self {
            lifetime: 0,
            subject: None,
            audience: None,
            key: None,
        }
    }

    /// Sets how long the token is valid, in seconds from now; 0 is without end. A lifetime needs the
    /// modem's clock.
    pub const fn lifetime(mut self, seconds: u32) -> Self {
        self.lifetime = seconds;
        self
    }

    /// Sets the subject (`sub`), up to 100 bytes without quotes and backslash, since the modem makes
    /// JSON of it.
    pub const fn subject(mut self, subject: &'a str) -> Result<Self, InvalidInput> {
        match claim(subject) {
            Ok(subject) => self.subject = Some(subject),
            Err(error) => return Err(error),
        }
        Ok(self)
    }

    /// Sets the audience (`aud`), up to 100 bytes without quotes and backslash, since the modem makes
    /// JSON of it.
    pub const fn audience(mut self, audience: &'a str) -> Result<Self, InvalidInput> {
        match claim(audience) {
            Ok(audience) => self.audience = Some(audience),
            Err(error) => return Err(error),
        }
        Ok(self)
    }

    /// Signs with the key under a tag, which must be an EC key on P-256, in place of the identity key.
    pub const fn signed_by(mut self, tag: Tag, usage: KeyUse) -> Self {
        self.key = Some((tag, usage));
        self
    }
}

impl Default for TokenRequest<'_> {
    fn default() -> Self {
        Self::new()
    }
}

const fn claim(text: &str) -> Result<Text<'_, 100>, InvalidInput> {
    if text.is_empty() {
        return Err(InvalidInput::Empty);
    }
    let bytes = text.as_bytes();
    let mut at = 0;
    while at < bytes.len() {
        if bytes[at] == b'\\' {
            return Err(InvalidInput::ForbiddenCharacter { at });
        }
        at += 1;
    }
    Text::new(text)
}

/// The public part of a key that the modem has just made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GeneratedKey<'b> {
    label: &'static str,
    der: &'b [u8],
    attestation: &'b [u8],
}

impl<'b> GeneratedKey<'b> {
    /// Returns the request or public key, in DER.
    pub const fn der(&self) -> &'b [u8] {
        self.der
    }

    /// Returns the request or public key for printing as PEM (`Display`), for a CA or a file.
    pub const fn pem(&self) -> Pem<'b> {
        Pem::new(self.label, self.der)
    }

    /// Returns the attestation: a COSE_Sign1 in which the modem's identity key signs device UUID, tag
    /// and digest. It is empty if the firmware sends none.
    pub const fn attestation(&self) -> &'b [u8] {
        self.attestation
    }
}

/// The reasons why a key was not made or a token not signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum KeyError {
    /// A command failed.
    At(AtError),
    /// The modem could not be brought up.
    BringUp(BringUpError),
    /// The buffer is too small for the answer. A key that was made was removed again.
    BufferTooSmall,
    /// A token with an end needs the time, and the modem's clock is not set.
    ClockNotSet {
        /// What the modem's clock says.
        now: DateTime,
    },
    /// The answer does not match the modem's attestation, or is empty. The key was removed again.
    Corrupted,
    /// A key exists under this tag (519). The modem never replaces it.
    Exists,
    /// The modem does not put this claim into tokens: of the free ones it knows only `sub`, as a text.
    ForeignClaim,
    /// The tag cannot be used.
    InvalidInput(InvalidInput),
    /// This firmware's TLS is a native one, which does not see keys of the modem. Nothing was sent.
    Invisible,
    /// The key does not exist (513).
    Missing,
    /// The modem's store is full (515).
    NoSpace,
    /// The text is not a valid subject. Nothing was sent.
    Subject(InvalidSubject),
    /// The claims would make no valid token. Nothing was sent.
    Token(Invalid),
    /// The modem makes keys only while it is off the network, and connections are open that this would
    /// end. Nothing was sent.
    SocketsOpen,
    /// The modem could not make the token (525): the key is not an EC key on P-256, or the time is missing.
    Unsignable,
}

impl fmt::Display for KeyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::At(error) => return error.fmt(f),
            Self::BringUp(error) => return error.fmt(f),
            Self::BufferTooSmall => {
                "the buffer is too small for the modem's answer, and a key that was made was removed: give at least KEY_BUFFER or TOKEN_BUFFER bytes"
            }
            Self::ClockNotSet { now } => {
                return write!(
                    f,
                    "the modem's clock says {now}, so the token's end cannot be computed: set the clock, or sign without lifetime"
                );
            }
            Self::Corrupted => {
                "the answer was garbled on the UART, so the key was removed again: check wiring and speed, then make another one"
            }
            Self::Exists => {
                "there is a key under this tag already (+CME ERROR: 519): remove it first if it is not used any more, or take another tag"
            }
            Self::ForeignClaim => {
                "the modem puts only aud, exp and a text sub into its tokens: leave the other claims out, or sign with a key of the MCU's"
            }
            Self::InvalidInput(input) => return input.fmt(f),
            Self::Subject(invalid) => return invalid.fmt(f),
            Self::Token(invalid) => return invalid.fmt(f),
            Self::Invisible => {
                "this firmware brings its own TLS, which does not see keys made in the modem: use a build without native TLS, or store a key from outside; for tokens, declare not_for_tls"
            }
            Self::Missing => "there is no such key (+CME ERROR: 513): make it first",
            Self::NoSpace => {
                "the modem's store is full (+CME ERROR: 515): remove credentials that are not used"
            }
            Self::SocketsOpen => {
                "this modem makes keys only while it is off the network, which would end the open connections: close them first, or allow it in the configuration"
            }
            Self::Unsignable => {
                "the modem could not sign (+CME ERROR: 525): the key must be an EC key on P-256, and a lifetime needs the time"
            }
        })
    }
}

impl core::error::Error for KeyError {}

impl From<AtError> for KeyError {
    fn from(error: AtError) -> Self {
        match error {
            AtError::Refused(Code::Cme(513)) => Self::Missing,
            AtError::Refused(Code::Cme(515)) => Self::NoSpace,
            AtError::Refused(Code::Cme(519)) => Self::Exists,
            AtError::Refused(Code::Cme(525)) => Self::Unsignable,
            error => Self::At(error),
        }
    }
}

/// Converts the errors of leaving the network.
impl From<CredentialError<Infallible>> for KeyError {
    fn from(error: CredentialError<Infallible>) -> Self {
        match error {
            CredentialError::BringUp(error) => Self::BringUp(error),
            CredentialError::SocketsOpen => Self::SocketsOpen,
            CredentialError::At(error) => Self::At(error),
            _ => Self::At(AtError::Garbled),
        }
    }
}

/// Keys that are made in the modem, and tokens that it signs: methods of [`Control`] with this backend.
#[allow(async_fn_in_trait)]
pub trait DeviceKeys {
    /// Makes a key on P-256 under `tag` that never leaves the modem, and returns its public part. `out`
    /// should have [`KEY_BUFFER`] bytes. Store the certificate that a CA issues for the request under
    /// this tag.
    ///
    /// The modem leaves the network for this and returns, as for any change of credentials. If the
    /// future is dropped, or the link fails before the answer, the modem may hold a key whose public
    /// part is lost. The next call then returns [`KeyError::Exists`], and
    /// [`Control::remove`](sectag::Control::remove) makes room for another key.
    async fn generate_key<'b>(
        &self,
        tag: Tag,
        request: &KeyRequest<'_>,
        out: &'b mut [u8],
    ) -> Result<GeneratedKey<'b>, KeyError>;

    /// Has the modem sign a token, and returns `header.payload.signature`, in base64url without
    /// padding. `out` should have [`TOKEN_BUFFER`] bytes. The token is a secret: its holder can log in
    /// as the device.
    ///
    /// The modem's state does not change. The future may be dropped at any time.
    async fn sign_token<'b>(
        &self,
        request: &TokenRequest<'_>,
        out: &'b mut [u8],
    ) -> Result<&'b str, KeyError>;
}

impl<F: Family> DeviceKeys for Control<'_, Nrf9160<F>> {
    async fn generate_key<'b>(
        &self,
        tag: Tag,
        request: &KeyRequest<'_>,
        out: &'b mut [u8],
    ) -> Result<GeneratedKey<'b>, KeyError> {
        let (at, _turn) = self.credentials_turn().await.map_err(KeyError::BringUp)?;
        generate(&at, tag, request, out).await
    }

    async fn sign_token<'b>(
        &self,
        request: &TokenRequest<'_>,
        out: &'b mut [u8],
    ) -> Result<&'b str, KeyError> {
        let at = self
            .keeps_connections()
            .answering_at()
            .await
            .map_err(KeyError::BringUp)?;
        sign(&at, request, out).await
    }
}

async fn generate<'b, F: Family>(
    at: &At<'_, Nrf9160<F>>,
    tag: Tag,
    request: &KeyRequest<'_>,
    out: &'b mut [u8],
) -> Result<GeneratedKey<'b>, KeyError> {
    let for_tls = request.usage == KeyUse::Client && !request.not_for_tls;
    let firmware = at.modem(|modem| modem.firmware());
    if for_tls && firmware.is_native() {
        return Err(KeyError::Invisible);
    }
    check_tag(firmware.store(), tag).map_err(KeyError::InvalidInput)?;
    let _exclusive = at.exclusive().await;
    leave_network(at).await?;
    let subject = request.subject.map(|name| Arg::Quoted(name.as_str()));
    let args = [
        Arg::Int(tag.0),
        Arg::Int(request.usage.number()),
        Arg::Int(request.public_key.into()),
        subject.unwrap_or(Arg::Blank),
    ];
    let args = &args[..3 + usize::from(subject.is_some())];
    let mut answer = Answer::new(out);
    quoted(at, &Command::<STORE>::new("%KEYGEN", args), &mut |byte| {
        answer.push(byte)
    })
    .await?;
    let (body, end, flaw) = (answer.body_len(), answer.len, answer.flaw);
    let attested = end > body;
    let flaw = flaw.or_else(|| {
        let digest = Digest::of(&out[..body]);
        // The payload of the attestation contains the digest of the body.
        let mut parts = out[body..end].windows(32);
        let same = !attested || parts.any(|part| part == digest.as_bytes());
        (body == 0 || !same).then_some(KeyError::Corrupted)
    });
    if let Some(flaw) = flaw {
        delete_in_modem(at, tag, request.usage.number()).await?;
        return Err(flaw);
    }
    let (body, attestation) = out[..end].split_at_mut(body);
    let kept = if request.unaltered || request.public_key {
        body.len()
    } else {
        without_null(body)
    };
    Ok(GeneratedKey {
        label: if request.public_key {
            "PUBLIC KEY"
        } else {
            "CERTIFICATE REQUEST"
        },
        der: &body[..kept],
        attestation,
    })
}

async fn sign<'b, F: Family>(
    at: &At<'_, Nrf9160<F>>,
    request: &TokenRequest<'_>,
    out: &'b mut [u8],
) -> Result<&'b str, KeyError> {
    if request.lifetime > 0 {
        let now = clock::require(at, MIN_DATE).await?;
        if !now.is_plausible(MIN_DATE) {
            return Err(KeyError::ClockNotSet { now });
        }
    }
    let mut args = [Arg::Blank; 6];
    args[0] = Arg::Int(0);
    args[1] = Arg::Int(request.lifetime);
    let mut count = 2;
    if let Some(subject) = &request.subject {
        args[2] = Arg::Quoted(subject.as_str());
        count = 3;
    }
    if let Some(audience) = &request.audience {
        args[3] = Arg::Quoted(audience.as_str());
        count = 4;
    }
    if let Some((tag, usage)) = request.key {
        let store = at.modem(|modem| modem.firmware().store());
        check_tag(store, tag).map_err(KeyError::InvalidInput)?;
        args[4] = Arg::Int(tag.0);
        args[5] = Arg::Int(usage.number());
        count = 6;
    }
    let mut len = 0;
    let mut flaw = None;
    let command = Command::<STORE>::new("%JWT", &args[..count]);
    quoted(at, &command, &mut |byte| {
        if !matches!(byte, b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.') {
            flaw = Some(KeyError::At(AtError::Garbled));
        } else if let Some(place) = out.get_mut(len) {
            *place = byte;
            len += 1;
        } else {
            flaw = flaw.or(Some(KeyError::BufferTooSmall));
        }
    })
    .await?;
    match flaw {
        Some(flaw) => Err(flaw),
        None if len == 0 => Err(KeyError::At(AtError::Garbled)),
        None => core::str::from_utf8(&out[..len]).map_err(|_| KeyError::At(AtError::Garbled)),
    }
}

/// Passes the text between the quotes of the answer to `each`, byte by byte; the line may be longer
/// than any buffer.
async fn quoted<F: Family>(
    at: &At<'_, Nrf9160<F>>,
    command: &impl AtatCmd,
    each: &mut dyn FnMut(u8),
) -> Result<(), AtError> {
    let mut quotes = 0;
    at.pieces(command, &mut |piece| {
        for &byte in piece {
            match byte {
                b'"' => quotes += 1,
                byte if quotes == 1 => each(byte),
                _ => {}
            }
        }
    })
    .await?;
    if quotes == 2 {
        Ok(())
    } else {
        Err(AtError::Garbled)
    }
}

/// A decoder of `<base64url body>.<base64url COSE>`; it writes both parts one behind the other.
struct Answer<'o> {
    out: &'o mut [u8],
    len: usize,
    /// The length of the first part, once it is complete.
    body: Option<usize>,
    decoder: Base64Url,
    flaw: Option<KeyError>,
}

impl<'o> Answer<'o> {
    fn new(out: &'o mut [u8]) -> Self {
        Self {
            out,
            len: 0,
            body: None,
            decoder: Base64Url::new(),
            flaw: None,
        }
    }

    fn body_len(&self) -> usize {
        self.body.unwrap_or(self.len)
    }

    fn push(&mut self, character: u8) {
        if character == b'.' && self.body.is_none() {
            self.body = Some(self.len);
            self.decoder = Base64Url::new();
            return;
        }
        match self.decoder.push(character) {
            Err(_) => self.flaw = Some(KeyError::Corrupted),
            Ok(None) => {}
            Ok(Some(byte)) => match self.out.get_mut(self.len) {
                Some(place) => {
                    *place = byte;
                    self.len += 1;
                }
                None => self.flaw = self.flaw.or(Some(KeyError::BufferTooSmall)),
            },
        }
    }
}

/// Removes the NULL parameters of the signature algorithm of a PKCS#10 request, which are outside of
/// the signed part, and returns the new length. Anything else stays unchanged.
fn without_null(csr: &mut [u8]) -> usize {
    /// SEQUENCE { ecdsa-with-SHA256, NULL }.
    const ALGORITHM: &[u8] = b"\x30\x0c\x06\x08\x2a\x86\x48\xce\x3d\x04\x03\x02\x05\x00";
    let len = csr.len();
    let Some((outer, outer_len)) = header(csr, 0) else {
        return len;
    };
    let Some((info, info_len)) = header(csr, outer) else {
        return len;
    };
    let algorithm = info + info_len;
    let there = csr
        .get(algorithm..)
        .is_some_and(|rest| rest.starts_with(ALGORITHM));
    if !there || outer + outer_len != len {
        return len;
    }
    csr[algorithm + 1] -= 2;
    let null = algorithm + ALGORITHM.len() - 2;
    csr.copy_within(null + 2.., null);
    // The length of the outer SEQUENCE may now take fewer bytes.
    let shorter = outer_len - 2;
    let [high, low] = (shorter as u16).to_be_bytes();
    let start: &[u8] = match shorter {
        0..=0x7f => &[0x30, low],
        0x80..=0xff => &[0x30, 0x81, low],
        _ => &[0x30, 0x82, high, low],
    };
    csr.copy_within(outer..len - 2, start.len());
    csr[..start.len()].copy_from_slice(start);
    start.len() + shorter
}

/// Returns where the content of the SEQUENCE at `start` begins, and its length.
fn header(der: &[u8], start: usize) -> Option<(usize, usize)> {
    match der.get(start..)? {
        [0x30, len @ 0..=0x7f, ..] => Some((start + 2, usize::from(*len))),
        [0x30, 0x81, len, ..] => Some((start + 3, usize::from(*len))),
        [0x30, 0x82, high, low, ..] => {
            Some((start + 4, usize::from(u16::from_be_bytes([*high, *low]))))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    extern crate std;
    use std::string::ToString;
    use std::vec::Vec;

    use super::*;

    /// Sheet 12.13.
    const CSR: &str = "MIIBCjCBrwIBADAvMS0wKwYDVQQDDCQ1MDM2MzE1NC0zOTMxLTQ0ZjAtODAyMi0xMjFiNjQwMTYyN2QwWTATBgcqhkjOPQIBBggqhkjOPQMBBwNCAAQqD6pNfa29o_EXnw62bnQWr8-JqsNh_HZxS3k3bMD4KZ8-qxnvgeoiqQ5zAycEP_Wcmzqypvwyf3qWMrZ2VB5aoB4wHAYJKoZIhvcNAQkOMQ8wDTALBgNVHQ8EBAMCA-gwDAYIKoZIzj0EAwIFAANIADBFAiEAv7OLZ_dXbszfhhjcLMUT72wTmw-z6GlgWxVhyWgR27ACIAvY_lPu3yfYZY5AL6uYTkUFp4GQkbSOUC_lsHyCxOuG";
    const PUBLIC: &str = "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEZKgDx0O0FKa7i1yFoxYngNdV5Csyi4rEPHcFTfeBVtkkJX-G0QZs-yesfzIaPs91b4x5xYN_g28k63gkeVMJwA";

    fn answer(text: &str, room: usize) -> (Vec<u8>, usize, Option<KeyError>) {
        let mut out = std::vec![0; room];
        let mut answer = Answer::new(&mut out);
        text.bytes().for_each(|byte| answer.push(byte));
        let (body, len, flaw) = (answer.body_len(), answer.len, answer.flaw);
        out.truncate(len);
        (out, body, flaw)
    }

    #[test]
    fn the_answer_is_two_parts() {
        let (out, body, flaw) = answer(&std::format!("{CSR}.0oRD"), KEY_BUFFER);
        assert_eq!(flaw, None);
        assert_eq!(
            Digest::of(&out[..body]).to_string(),
            "702a3d56f05b2f72531d650825e20041e2e9d9318c34b6853ab9066e5c72e80c"
        );
        assert_eq!(out[body..], [0xd2, 0x84, 0x43]);
        assert_eq!(answer(CSR, 100).2, Some(KeyError::BufferTooSmall));
        assert_eq!(answer("AA=A", 100).2, Some(KeyError::Corrupted));
    }

    /// The rest of a request is what it was, and its lengths are right.
    #[test]
    fn null_parameters_are_taken_out() {
        let (original, ..) = answer(CSR, KEY_BUFFER);
        let mut csr = original.clone();
        let len = without_null(&mut csr);
        csr.truncate(len);
        assert_eq!(len, original.len() - 2);
        assert_eq!(header(&csr, 0), Some((4, len - 4)));
        let (info, info_len) = header(&csr, 4).unwrap();
        let signed = info + info_len;
        assert_eq!(csr[4..signed], original[4..signed]);
        assert_eq!(header(&csr, signed), Some((signed + 2, 10)));
        assert_eq!(csr[signed + 12..], original[signed + 14..]);
        // A second call, or other bytes, change nothing.
        assert_eq!(without_null(&mut csr), len);
        let (mut public, ..) = answer(PUBLIC, KEY_BUFFER);
        assert_eq!(without_null(&mut public), public.len());
        for cut in 0..original.len() {
            let mut part = original[..cut].to_vec();
            assert_eq!(without_null(&mut part), cut);
        }
    }

    #[test]
    fn a_length_that_gets_shorter_takes_fewer_bytes() {
        // 257 bytes of content become 255.
        let mut csr = std::vec![0x30, 0x82, 0x01, 0x01, 0x30, 0x00];
        csr.extend(b"\x30\x0c\x06\x08\x2a\x86\x48\xce\x3d\x04\x03\x02\x05\x00");
        csr.resize(4 + 257, 7);
        let len = without_null(&mut csr);
        assert_eq!((len, header(&csr, 0)), (3 + 255, Some((3, 255))));
        assert_eq!(csr[3..5], [0x30, 0x00]);
    }

    #[test]
    fn requests_are_checked_when_they_are_made() {
        assert!(KeyRequest::csr().subject("CN=\"").is_err());
        assert!(KeyRequest::csr().subject("").is_err());
        assert!(TokenRequest::new().subject("a\\b").is_err());
        assert!(TokenRequest::new().audience("a\"b").is_err());
        assert!(TokenRequest::new().audience("nrfcloud.com").is_ok());
    }
}
