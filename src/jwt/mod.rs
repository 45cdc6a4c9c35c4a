//! Tokens that a server takes instead of a password: JWT (RFC 7519) signed by the device's key, and Azure's SAS
//! tokens (feature `hmac`).
//!
//! A broker that asks for a JWT takes it as the password of the MQTT CONNECT, with a user name that it ignores
//! or that it documents. It drops the session when the token ends, so connect anew with another one in time:
//!
//! ```no_run
//! # use sectag::{Control, jwt::{self, Claims, TokenError}, modem::HasClock, signer::Signer};
//! # async fn session<M: HasClock, S: Signer>(control: Control<'_, M>, key: &mut S) -> Result<(), TokenError<S::Error>> {
//! use embassy_time::{Duration, Timer};
//!
//! let claims = Claims::new("my-project").lifetime(3600);
//! loop {
//!     let mut room = [0; 512];
//!     let token = jwt::issue(&control, key, &claims, &mut room).await?;
//!     let renew = Timer::after(token.renew_after(Duration::from_secs(300)));
//!     // Log in with `token.expose()` as the password, and work until `renew` ends.
//!     renew.await;
//! }
//! # }
//! ```
//!
//! The times in a token come from the modem's clock, and only from one that can be right: the error names
//! what it shows otherwise. Brokers refuse a token from the future, so a clock that is a minute fast
//! may be refused; one that is slow shortens the token's life.

mod base64url;
#[cfg(feature = "hmac")]
pub mod sas;

use core::fmt;

use embassy_time::Duration;

use self::base64url::Writer;
use crate::clock::{DateTime, MIN_DATE};
use crate::modem::HasClock;
use crate::signer::Signer;
use crate::{AtError, Control};

/// The longest life of a token in seconds, a day: one that is stolen is good for as long, and the brokers that
/// take JWTs refuse longer ones.
pub const MAX_LIFETIME: u32 = 24 * 60 * 60;

/// What a token claims. `aud`, `iat` and `exp` are in every one.
#[derive(Clone, Copy, Debug)]
pub struct Claims<'c> {
    audience: &'c str,
    lifetime: u32,
    key_id: Option<&'c str>,
    more: &'c [(&'c str, Value<'c>)],
}

/// The value of a claim.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Value<'c> {
    /// A text; what JSON does not take as it is is escaped.
    Text(&'c str),
    /// A number, such as a time in seconds since 1970.
    Number(u32),
    /// True or false.
    Truth(bool),
}

impl<'c> Claims<'c> {
    /// For this audience (`aud`), which the server compares byte for byte with its own name, such as a project's
    /// id. The life is an hour.
    pub const fn new(audience: &'c str) -> Self {
        Self {
            audience,
            lifetime: 3600,
            key_id: None,
            more: &[],
        }
    }

    /// How many seconds it is valid from now on: 1 to [`MAX_LIFETIME`].
    pub const fn lifetime(mut self, seconds: u32) -> Self {
        self.lifetime = seconds;
        self
    }

    /// Which of several keys signs (`kid` in the header), for servers that ask for it.
    pub const fn key_id(mut self, id: &'c str) -> Self {
        self.key_id = Some(id);
        self
    }

    /// Other claims, such as `sub`, in this order. Names that are set here already are refused.
    pub const fn with(mut self, more: &'c [(&'c str, Value<'c>)]) -> Self {
        self.more = more;
        self
    }

    /// The audience.
    pub const fn audience(&self) -> &'c str {
        self.audience
    }

    /// The life in seconds.
    pub const fn seconds(&self) -> u32 {
        self.lifetime
    }

    /// The other claims.
    pub const fn more(&self) -> &'c [(&'c str, Value<'c>)] {
        self.more
    }

    /// Whether a token of these would be one, at `now`: what [`sign`] asks first, for issuers that sign elsewhere.
    pub fn check(&self, now: DateTime) -> Result<(), Invalid> {
        if !now.is_plausible(MIN_DATE) {
            return Err(Invalid::ClockNotSet { now: Some(now) });
        }
        check_lifetime(self.lifetime)?;
        if self.audience.is_empty() {
            return Err(Invalid::NoAudience);
        }
        let taken = |name: &str| matches!(name, "" | "aud" | "iat" | "exp");
        let twice = |(index, (name, _)): (usize, &(&str, Value<'_>))| {
            self.more[..index].iter().any(|(other, _)| other == name)
        };
        if self.more.iter().any(|(name, _)| taken(name)) || self.more.iter().enumerate().any(twice)
        {
            return Err(Invalid::ClaimTwice);
        }
        Ok(())
    }
}

fn check_lifetime(seconds: u32) -> Result<(), Invalid> {
    match seconds {
        1..=MAX_LIFETIME => Ok(()),
        _ => Err(Invalid::Lifetime { seconds }),
    }
}

/// A token, in the caller's buffer. Its holder can log in as the device until it expires: it is shown in no log.
#[derive(Clone, Copy)]
pub struct Token<'b> {
    text: &'b str,
    lifetime: u32,
    expires: Option<DateTime>,
}

impl<'b> Token<'b> {
    /// For issuers of one's own: its text, and how many seconds it is valid from `now` on.
    pub fn new(text: &'b str, now: DateTime, lifetime: u32) -> Self {
        Self {
            text,
            lifetime,
            expires: DateTime::from_unix(now.to_unix() + u64::from(lifetime)),
        }
    }

    /// Its text, a secret: keep it out of logs and traces.
    pub const fn expose(&self) -> &'b str {
        self.text
    }

    /// When it ends; `None` only for an end after the year 2099.
    pub const fn expires(&self) -> Option<DateTime> {
        self.expires
    }

    /// How long after it was made another one is due, `margin` before its end; for a margin longer than half its
    /// life, half its life.
    pub fn renew_after(&self, margin: Duration) -> Duration {
        let life = Duration::from_secs(self.lifetime.into());
        life.checked_sub(margin).unwrap_or(life / 2).max(life / 2)
    }
}

impl fmt::Debug for Token<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("(secret)")
    }
}

#[cfg(feature = "defmt")]
impl defmt::Format for Token<'_> {
    fn format(&self, f: defmt::Formatter<'_>) {
        defmt::write!(f, "(secret)");
    }
}

/// Why what was asked for would be no token. Nothing was signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum Invalid {
    /// The buffer is too small.
    BufferTooSmall {
        /// The least that would do, in bytes; without the signature where that was not reached.
        needed: usize,
    },
    /// A claim is there twice, is one that is always set, or has no name.
    ClaimTwice,
    /// The clock is before [`MIN_DATE`] or absurdly far behind it; `None` for one that shows nothing.
    ClockNotSet {
        /// What it shows.
        now: Option<DateTime>,
    },
    /// Azure's key is not base64 of 1 to 64 bytes.
    Key,
    /// A life of 0 seconds, or more than [`MAX_LIFETIME`].
    Lifetime {
        /// What was asked for.
        seconds: u32,
    },
    /// The audience, or Azure's resource, is empty.
    NoAudience,
}

impl fmt::Display for Invalid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::BufferTooSmall { needed } => write!(
                f,
                "the token does not fit: give a buffer of at least {needed} bytes"
            ),
            Self::ClaimTwice => f.write_str(
                "a claim has no name, is there twice, or is aud, iat or exp: leave it out, those are set from audience, clock and lifetime",
            ),
            Self::ClockNotSet { now: Some(now) } => write!(
                f,
                "the clock says {now}, which cannot be, so no token would be valid: set the clock first (not before {MIN_DATE})"
            ),
            Self::ClockNotSet { now: None } => {
                f.write_str("the clock is not set, so no token would be valid: set the clock first")
            }
            Self::Key => f.write_str(
                "the shared access key is not base64 of 1 to 64 bytes: copy it unchanged, with its padding",
            ),
            Self::Lifetime { seconds } => write!(
                f,
                "a life of {seconds} seconds is not possible: give 1 to {MAX_LIFETIME} (24 hours), and renew in time"
            ),
            Self::NoAudience => f.write_str(
                "the audience is empty: give the name that the server expects, such as its project id",
            ),
        }
    }
}

impl core::error::Error for Invalid {}

/// Why there is no token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum TokenError<E> {
    /// The modem's clock could not be read.
    Clock(AtError),
    /// What was asked for is none.
    Invalid(Invalid),
    /// The key did not sign.
    Signer(E),
}

impl<E> From<Invalid> for TokenError<E> {
    fn from(invalid: Invalid) -> Self {
        Self::Invalid(invalid)
    }
}

impl<E: fmt::Display> fmt::Display for TokenError<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Clock(error) => write!(f, "the modem's clock: {error}"),
            Self::Invalid(invalid) => invalid.fmt(f),
            Self::Signer(error) => write!(f, "the key did not sign: {error}"),
        }
    }
}

impl<E: fmt::Debug + fmt::Display> core::error::Error for TokenError<E> {}

/// Whatever makes tokens: a modem that signs itself, a service on the board.
#[allow(async_fn_in_trait)]
pub trait Issuer {
    /// Why there is none.
    type Error;

    /// Makes a token into `out`.
    async fn token<'b>(
        &mut self,
        claims: &Claims<'_>,
        out: &'b mut [u8],
    ) -> Result<Token<'b>, Self::Error>;
}

/// An [`Issuer`] from a key and the clock of a modem.
pub struct ModemTime<'a, M: HasClock, S>(pub Control<'a, M>, pub S);

impl<M: HasClock, S: Signer> Issuer for ModemTime<'_, M, S> {
    type Error = TokenError<S::Error>;

    async fn token<'b>(
        &mut self,
        claims: &Claims<'_>,
        out: &'b mut [u8],
    ) -> Result<Token<'b>, Self::Error> {
        issue(&self.0, &mut self.1, claims, out).await
    }
}

/// Reads the modem's clock and makes a token, see [`sign`]. May be dropped at any time.
pub async fn issue<'b, M: HasClock, S: Signer>(
    control: &Control<'_, M>,
    signer: &mut S,
    claims: &Claims<'_>,
    out: &'b mut [u8],
) -> Result<Token<'b>, TokenError<S::Error>> {
    let now = verified_time(control).await?;
    sign(signer, claims, now, out).await
}

/// What the modem's clock shows, if that can be right.
pub async fn verified_time<M: HasClock, E>(
    control: &Control<'_, M>,
) -> Result<DateTime, TokenError<E>> {
    let now = control.clock().await.map_err(TokenError::Clock)?;
    match now.filter(|now| now.is_plausible(MIN_DATE)) {
        Some(now) => Ok(now),
        None => Err(Invalid::ClockNotSet { now }.into()),
    }
}

/// Makes a token that is valid from `now` on: `header.claims.signature`, each in base64url without padding. With
/// an audience of 40 bytes it takes 250 bytes with ES256, and 500 with RS256 and a key of 2048 bits.
///
/// May be dropped at any time, as far as the signer may.
pub async fn sign<'b, S: Signer>(
    signer: &mut S,
    claims: &Claims<'_>,
    now: DateTime,
    out: &'b mut [u8],
) -> Result<Token<'b>, TokenError<S::Error>> {
    claims.check(now)?;
    let mut writer = Writer::new(out);
    header(&mut writer, S::ALGORITHM.name(), claims.key_id);
    writer.dot();
    payload(&mut writer, claims, now);
    let message = writer.part()?;
    let signature = signer.sign_message(message).await;
    let signature = signature.map_err(TokenError::Signer)?;
    writer.dot();
    writer.write(signature.as_ref());
    writer.part()?;
    Ok(Token::new(writer.into_str(), now, claims.lifetime))
}

fn header(writer: &mut Writer<'_>, algorithm: &str, key_id: Option<&str>) {
    writer.write(b"{\"alg\":");
    writer.quoted(algorithm);
    writer.write(b",\"typ\":\"JWT\"");
    if let Some(id) = key_id {
        writer.write(b",\"kid\":");
        writer.quoted(id);
    }
    writer.write(b"}");
}

fn payload(writer: &mut Writer<'_>, claims: &Claims<'_>, now: DateTime) {
    // Up to the year 2099, with a day more, it fits.
    let issued = now.to_unix() as u32;
    writer.write(b"{\"aud\":");
    writer.quoted(claims.audience);
    writer.write(b",\"iat\":");
    writer.number(issued);
    writer.write(b",\"exp\":");
    writer.number(issued + claims.lifetime);
    for (name, value) in claims.more {
        writer.write(b",");
        writer.quoted(name);
        writer.write(b":");
        match value {
            Value::Text(text) => writer.quoted(text),
            Value::Number(number) => writer.number(*number),
            Value::Truth(true) => writer.write(b"true"),
            Value::Truth(false) => writer.write(b"false"),
        }
    }
    writer.write(b"}");
}

#[cfg(test)]
mod tests;
