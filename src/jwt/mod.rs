//! Tokens that a server accepts in place of a password: JWT (RFC 7519) signed by the device's key, and Azure's SAS
//! tokens (feature `hmac`).
//!
//! A broker that needs a JWT takes it as the password of the MQTT CONNECT, with a user name that it ignores or
//! documents. It ends the session when the token expires, so connect again with a new token in time, as the example
//! `examples/ideas/src/bin/token.rs` does with MQTT:
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
//! The times in a token come from the modem's clock. A clock that cannot be right is an error, which has the time that
//! it shows. Brokers refuse a token from the future, so a token from a clock that is a minute fast may be refused; a
//! slow clock shortens the lifetime.

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

/// The longest lifetime of a token: one day, in seconds. A stolen token is valid for its lifetime, and the brokers that
/// take JWTs refuse longer ones.
pub const MAX_LIFETIME: u32 = 24 * 60 * 60;

/// The claims of a token. `aud`, `iat` and `exp` are always among them.
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
    /// A text. Characters that JSON does not allow are escaped.
    Text(&'c str),
    /// A number, such as a time in seconds since 1970.
    Number(u32),
    /// A boolean.
    Truth(bool),
}

impl<'c> Claims<'c> {
    /// Makes claims for this audience (`aud`), which the server compares byte for byte with its own name, such as the id of
    /// a project. The lifetime is one hour.
    pub const fn new(audience: &'c str) -> Self {
        Self {
            audience,
            lifetime: 3600,
            key_id: None,
            more: &[],
        }
    }

    /// Sets the lifetime in seconds: 1 to [`MAX_LIFETIME`].
    pub const fn lifetime(mut self, seconds: u32) -> Self {
        self.lifetime = seconds;
        self
    }

    /// Names the key that signs (`kid` in the header), for servers that need it.
    pub const fn key_id(mut self, id: &'c str) -> Self {
        self.key_id = Some(id);
        self
    }

    /// Sets further claims, such as `sub`, in this order. The names `aud`, `iat` and `exp` are refused.
    pub const fn with(mut self, more: &'c [(&'c str, Value<'c>)]) -> Self {
        self.more = more;
        self
    }

    /// Returns the audience.
    pub const fn audience(&self) -> &'c str {
        self.audience
    }

    /// Returns the lifetime in seconds.
    pub const fn seconds(&self) -> u32 {
        self.lifetime
    }

    /// Returns the further claims.
    pub const fn more(&self) -> &'c [(&'c str, Value<'c>)] {
        self.more
    }

    /// Checks the claims for a token that is made at `now`. [`sign`] calls it first; it is public for issuers that sign
    /// elsewhere.
    ///
    /// # Errors
    /// The reason why no token can be made.
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

/// A token in the caller's buffer. Anyone who has it can log in as the device until it expires, so no log shows it.
#[derive(Clone, Copy)]
pub struct Token<'b> {
    text: &'b str,
    lifetime: u32,
    expires: Option<DateTime>,
}

impl<'b> Token<'b> {
    /// Makes a token from its text, which is valid for `lifetime` seconds from `now` on: for issuers outside this crate.
    pub fn new(text: &'b str, now: DateTime, lifetime: u32) -> Self {
        Self {
            text,
            lifetime,
            expires: DateTime::from_unix(now.to_unix() + u64::from(lifetime)),
        }
    }

    /// Returns the text of the token, which is a secret: keep it out of logs and traces.
    pub const fn expose(&self) -> &'b str {
        self.text
    }

    /// Returns the time at which the token expires; `None` only for one after the year 2099.
    pub const fn expires(&self) -> Option<DateTime> {
        self.expires
    }

    /// Returns the time from the making of this token to that of the next: `margin` before it expires, but at least half
    /// of its lifetime.
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

/// The error for claims of which no token can be made. Nothing was signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum Invalid {
    /// The buffer is too small.
    BufferTooSmall {
        /// The needed size in bytes; without that of the signature where the rest did not fit.
        needed: usize,
    },
    /// A claim is given twice, is one that is always set, or has no name.
    ClaimTwice,
    /// The clock shows a time before [`MIN_DATE`] or absurdly far after it, or none.
    ClockNotSet {
        /// The time that the clock shows; `None` where it shows none.
        now: Option<DateTime>,
    },
    /// Azure's key is not base64 of 1 to 64 bytes.
    Key,
    /// The lifetime is 0 seconds, or above [`MAX_LIFETIME`].
    Lifetime {
        /// The lifetime that was asked for, in seconds.
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
                "a claim has no name, appears twice, or is aud, iat or exp, which are set from audience, clock and lifetime: leave it out",
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

/// The error of making a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum TokenError<E> {
    /// The modem's clock could not be read.
    Clock(AtError),
    /// No token can be made of the claims.
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

/// An issuer of tokens, such as a modem that signs by itself, or a service on the board.
#[allow(async_fn_in_trait)]
pub trait Issuer {
    /// The error of making a token.
    type Error;

    /// Makes a token in `out`.
    async fn token<'b>(
        &mut self,
        claims: &Claims<'_>,
        out: &'b mut [u8],
    ) -> Result<Token<'b>, Self::Error>;
}

/// An [`Issuer`] with a key of its own and the clock of a modem.
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

/// Reads the modem's clock and makes a token in `out`, see [`sign`]. May be dropped at any time.
///
/// # Errors
/// [`TokenError::Clock`] where the clock could not be read, otherwise those of [`sign`].
pub async fn issue<'b, M: HasClock, S: Signer>(
    control: &Control<'_, M>,
    signer: &mut S,
    claims: &Claims<'_>,
    out: &'b mut [u8],
) -> Result<Token<'b>, TokenError<S::Error>> {
    let now = verified_time(control).await?;
    sign(signer, claims, now, out).await
}

/// Reads the modem's clock.
///
/// # Errors
/// [`Invalid::ClockNotSet`] where it shows a time that cannot be right.
pub async fn verified_time<M: HasClock, E>(
    control: &Control<'_, M>,
) -> Result<DateTime, TokenError<E>> {
    let now = control.clock().await.map_err(TokenError::Clock)?;
    match now.filter(|now| now.is_plausible(MIN_DATE)) {
        Some(now) => Ok(now),
        None => Err(Invalid::ClockNotSet { now }.into()),
    }
}

/// Makes a token in `out` that is valid from `now` on: `header.claims.signature`, each in base64url without padding. With
/// an audience of 40 bytes it takes 250 bytes with ES256, and 500 bytes with RS256 and a key of 2048 bits.
///
/// The future may be dropped whenever that of the signer may.
///
/// # Errors
/// [`TokenError::Invalid`] where no token can be made of the claims or the buffer is too small, [`TokenError::Signer`]
/// where the key did not sign.
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
    // The last day of 2099 and one more fit in 32 bits.
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
