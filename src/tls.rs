//! Whom to connect to, and what must be checked about it.

use core::fmt;

use crate::at::{InvalidInput, Text};
use crate::capabilities::{Check, Support, Verification};
use crate::credentials::Tag;
use crate::error::ConnectError;

/// The name of a server: what is resolved, sent as SNI and looked for in its certificate.
#[derive(Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct ServerName<'a>(Text<'a, 253>);

impl<'a> ServerName<'a> {
    /// A host name or IP literal of 1 to 253 bytes, of letters, digits, `-`, `.`, `_` and `:`.
    ///
    /// `const`: a literal is checked when the firmware is built.
    pub const fn new(name: &'a str) -> Result<Self, InvalidInput> {
        if name.is_empty() {
            return Err(InvalidInput::Empty);
        }
        let bytes = name.as_bytes();
        let mut at = 0;
        while at < bytes.len() {
            if !(bytes[at].is_ascii_alphanumeric()
                || matches!(bytes[at], b'-' | b'.' | b'_' | b':'))
            {
                return Err(InvalidInput::ForbiddenCharacter { at });
            }
            at += 1;
        }
        match Text::new(name) {
            Ok(text) => Ok(Self(text)),
            Err(error) => Err(error),
        }
    }

    /// The name itself.
    pub const fn as_str(&self) -> &'a str {
        self.0.as_str()
    }
}

impl fmt::Debug for ServerName<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Whom a CA signs for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum CaScope {
    /// Only servers that this device may talk to; then a certificate for another name does no harm,
    /// and a modem that cannot check the name may be used.
    Private,
    /// Anyone, as the CAs of the web do. The default.
    Public,
}

/// Which cipher suites are offered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum Suites {
    /// Only those with forward secrecy and authenticated encryption. The default.
    Modern,
    /// All that the modem has, down to CBC, 3DES and RC4: for servers that have nothing better.
    All,
}

/// Credentials and policy of a connection. Verification is on; what the modem cannot verify is
/// refused.
///
/// ```
/// use sectag::{CaScope, Tag, TlsConfig};
///
/// const TLS: TlsConfig = TlsConfig::new(Tag(42)).client_certificate().ca_scope(CaScope::Private);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct TlsConfig {
    tag: Tag,
    client_certificate: bool,
    ca_scope: CaScope,
    suites: Suites,
    required: Checks,
    accepted_missing: Checks,
}

impl TlsConfig {
    /// Verifies the server against the CA stored under `tag`, and sends no client certificate.
    pub const fn new(tag: Tag) -> Self {
        Self {
            tag,
            client_certificate: false,
            ca_scope: CaScope::Public,
            suites: Suites::Modern,
            required: Checks::CHAIN.with(Check::Name),
            accepted_missing: Checks::NONE,
        }
    }

    /// Also authenticates this device with the certificate and key under the tag (mutual TLS).
    pub const fn client_certificate(mut self) -> Self {
        self.client_certificate = true;
        self
    }

    /// Declares whom the tag's CA signs for.
    pub const fn ca_scope(mut self, scope: CaScope) -> Self {
        self.ca_scope = scope;
        self
    }

    /// Chooses the cipher suites.
    pub const fn suites(mut self, suites: Suites) -> Self {
        self.suites = suites;
        self
    }

    /// Refuses to connect when the modem is not known to do `check`. Chain and name are required
    /// anyway.
    pub const fn require(mut self, check: Check) -> Self {
        self.required = self.required.with(check);
        self
    }

    /// The way to weaken verification; the word to search for in a review.
    pub const fn dangerous(self) -> Dangerous {
        Dangerous(self)
    }

    /// The tag.
    pub const fn tag(&self) -> Tag {
        self.tag
    }

    /// Whether a client certificate is sent.
    pub const fn has_client_certificate(&self) -> bool {
        self.client_certificate
    }

    /// The cipher suites to offer.
    pub const fn offered_suites(&self) -> Suites {
        self.suites
    }

    /// The first check that is required and that `known` does not promise.
    pub(crate) fn unmet(&self, known: &Verification) -> Result<(), ConnectError> {
        for check in [Check::Chain, Check::Name, Check::Dates, Check::Sni] {
            let private = check == Check::Name && self.ca_scope == CaScope::Private;
            if self.required.has(check)
                && !self.accepted_missing.has(check)
                && !private
                && known.of(check) != Support::Yes
            {
                return Err(ConnectError::Unverifiable(check));
            }
        }
        Ok(())
    }
}

/// Weakened verification, one named step at a time. See [`TlsConfig::dangerous`].
#[derive(Clone, Copy, Debug)]
pub struct Dangerous(TlsConfig);

impl Dangerous {
    /// Connects although the modem does not, or is not known to, do `check`. What the modem can
    /// check is checked all the same.
    pub const fn accept_missing(self, check: Check) -> TlsConfig {
        let mut config = self.0;
        config.accepted_missing = config.accepted_missing.with(check);
        config
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
struct Checks(u8);

impl Checks {
    const NONE: Self = Self(0);
    const CHAIN: Self = Self::NONE.with(Check::Chain);

    const fn with(self, check: Check) -> Self {
        Self(self.0 | 1 << check as u8)
    }

    const fn has(self, check: Check) -> bool {
        self.0 & (1 << check as u8) != 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CONFIG: TlsConfig = TlsConfig::new(Tag(1));

    fn known(chain: Support, name: Support, dates: Support) -> Verification {
        Verification {
            chain,
            name,
            dates,
            sni: Support::No,
        }
    }

    #[test]
    fn chain_and_name_are_required_unless_that_very_one_is_accepted() {
        use Support::{No, Unknown, Yes};
        let refused = |check| Err(ConnectError::Unverifiable(check));
        assert_eq!(CONFIG.unmet(&known(Yes, Yes, No)), Ok(()));
        assert_eq!(
            CONFIG.unmet(&known(Unknown, Yes, Yes)),
            refused(Check::Chain)
        );
        assert_eq!(
            CONFIG.unmet(&known(Yes, Unknown, Yes)),
            refused(Check::Name)
        );
        let accepted = CONFIG.dangerous().accept_missing(Check::Chain);
        assert_eq!(accepted.unmet(&known(No, Yes, Yes)), Ok(()));
        assert_eq!(accepted.unmet(&known(No, No, Yes)), refused(Check::Name));
    }

    #[test]
    fn private_ca_excuses_the_name_only() {
        use Support::{No, Yes};
        let private = CONFIG.ca_scope(CaScope::Private);
        assert_eq!(private.unmet(&known(Yes, No, No)), Ok(()));
        assert_eq!(
            private.unmet(&known(No, No, No)),
            Err(ConnectError::Unverifiable(Check::Chain))
        );
    }

    #[test]
    fn dates_and_sni_are_required_on_request() {
        use Support::{Unknown, Yes};
        let strict = CONFIG.require(Check::Dates);
        assert_eq!(
            strict.unmet(&known(Yes, Yes, Unknown)),
            Err(ConnectError::Unverifiable(Check::Dates))
        );
        let strict = CONFIG.require(Check::Sni);
        assert_eq!(
            strict.unmet(&known(Yes, Yes, Yes)),
            Err(ConnectError::Unverifiable(Check::Sni))
        );
    }

    #[test]
    fn server_name_is_checked() {
        assert!(ServerName::new("broker.example-1.com").is_ok());
        assert!(ServerName::new("2001:db8::1").is_ok());
        assert_eq!(ServerName::new(""), Err(InvalidInput::Empty));
        assert_eq!(
            ServerName::new("a b"),
            Err(InvalidInput::ForbiddenCharacter { at: 1 })
        );
        assert_eq!(
            ServerName::new("a\"b"),
            Err(InvalidInput::ForbiddenCharacter { at: 1 })
        );
        assert_eq!(
            ServerName::new(core::str::from_utf8(&[b'a'; 254]).unwrap()),
            Err(InvalidInput::TooLong { limit: 253 })
        );
    }
}
