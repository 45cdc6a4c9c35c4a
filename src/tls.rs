//! The TLS policy of a connection: server name, credentials, cipher suites, required checks.

use core::fmt;

use crate::at::{InvalidInput, Text};
use crate::capabilities::{Capabilities, Check, Feature, Support, Verification};
use crate::clock::{DateTime, MIN_DATE};
use crate::error::ConnectError;
use crate::suites::{ServerKey, SuiteSet, TlsVersion};
use crate::tag::Tag;

/// The name of a server, which the modem resolves, and sends as SNI and checks against the server's certificate where it
/// can: see [`Verification`].
#[derive(Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct ServerName<'a>(Text<'a, 253>);

impl ServerName<'static> {
    /// Makes a name from a literal, checked when the firmware is built.
    ///
    /// ```
    /// use sectag::ServerName;
    /// const BROKER: ServerName = ServerName::from_static("broker.example.com");
    /// ```
    ///
    /// ```compile_fail
    /// use sectag::ServerName;
    /// const BROKER: ServerName = ServerName::from_static("broker.example.com:8883/mqtt");
    /// ```
    ///
    /// # Panics
    /// If [`new`](Self::new) refuses the name. In a `const` that is a build error.
    pub const fn from_static(name: &'static str) -> Self {
        match Self::new(name) {
            Ok(name) => name,
            Err(_) => panic!("no name of a server: 1 to 253 letters, digits, `-`, `.`, `_` or `:`"),
        }
    }
}

impl<'a> ServerName<'a> {
    /// Makes a name that is known only when the firmware runs; for a literal see
    /// [`from_static`](ServerName::from_static). It is a host name or IP literal of 1 to 253 bytes, of letters, digits,
    /// `-`, `.`, `_` and `:`.
    ///
    /// A dot at its end, which says in DNS that nothing is to be appended, is left out: SNI and certificates have none
    /// (RFC 6066, section 3).
    ///
    /// # Errors
    /// The reason why it is no such name.
    pub const fn new(name: &'a str) -> Result<Self, InvalidInput> {
        let name = match name.as_bytes() {
            [.., b'.'] => name.split_at(name.len() - 1).0,
            _ => name,
        };
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

    /// Returns the name.
    pub const fn as_str(&self) -> &'a str {
        self.0.as_str()
    }
}

impl fmt::Debug for ServerName<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The scope of a CA: the servers for which it signs certificates.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum CaScope {
    /// The CA signs only servers that this device may talk to. A certificate for another name does no harm then, so a
    /// modem that cannot check the name may be used.
    Private,
    /// The CA signs any server, as those of the web do. This is the default.
    Public,
}

/// The choice of cipher suites that a connection may use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum Suites {
    /// Only suites with forward secrecy and authenticated encryption. This is the default.
    ///
    /// It holds where the modem can be told which suites to offer, or reports which one it uses. A modem that does
    /// neither may use any of its suites: [`verified()`](crate::Socket::verified) then has another answer than `Yes` for
    /// [`Check::Suites`], and a policy that [requires](TlsConfig::require) that check is refused.
    Modern,
    /// All suites of the modem, down to CBC, 3DES and RC4: for servers that have nothing better.
    All,
    /// One suite alone, by its IANA number. A modem that can neither be told which suites to offer nor reports which one
    /// it uses is refused with [`Feature::SuiteChoice`](crate::Feature::SuiteChoice).
    Only(u16),
}

/// A pre-shared key and its identity. `Debug` shows neither.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Psk {
    identity: Text<'static, 128>,
    key: Text<'static, 128>,
}

impl Psk {
    /// Makes a pre-shared key. Identity and key have 1 to 128 bytes each. The key is handed to the modem as it is written
    /// here, which means hexadecimal digits on all known modems.
    ///
    /// # Errors
    /// The reason why one of them cannot be sent.
    pub const fn new(identity: &'static str, key: &'static str) -> Result<Self, InvalidInput> {
        if identity.is_empty() || key.is_empty() {
            return Err(InvalidInput::Empty);
        }
        match (Text::new(identity), Text::new(key)) {
            (Ok(identity), Ok(key)) => Ok(Self { identity, key }),
            (Err(error), _) | (_, Err(error)) => Err(error),
        }
    }

    /// Makes a pre-shared key from literals, checked when the firmware is built.
    ///
    /// # Panics
    /// If [`new`](Self::new) refuses them. In a `const` that is a build error.
    pub const fn from_static(identity: &'static str, key: &'static str) -> Self {
        match Self::new(identity, key) {
            Ok(psk) => psk,
            Err(_) => panic!(
                "no pre-shared key: 1 to 128 bytes each, without quotes and control characters"
            ),
        }
    }

    /// Returns the identity, for a backend.
    pub const fn identity(&self) -> &'static str {
        self.identity.as_str()
    }

    /// Returns the key, for a backend. It is a secret.
    pub const fn key(&self) -> &'static str {
        self.key.as_str()
    }
}

impl fmt::Debug for Psk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Psk(masked)")
    }
}

#[cfg(feature = "defmt")]
impl defmt::Format for Psk {
    fn format(&self, f: defmt::Formatter<'_>) {
        defmt::write!(f, "Psk(masked)");
    }
}

/// The credentials and the TLS policy of a connection. Verification is on by default, and a modem that cannot do a
/// required check is refused.
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
    min_version: TlsVersion,
    server_key: Option<ServerKey>,
    min_date: DateTime,
    alpn: Option<Text<'static, 64>>,
    psk: Option<Psk>,
    resumption: bool,
    required: Checks,
    accepted_missing: Checks,
}

impl TlsConfig {
    /// Makes a policy that verifies the server against the CA under `tag`, with TLS 1.2 or newer and modern cipher suites,
    /// and sends no client certificate.
    pub const fn new(tag: Tag) -> Self {
        Self {
            tag,
            client_certificate: false,
            ca_scope: CaScope::Public,
            suites: Suites::Modern,
            min_version: TlsVersion::Tls12,
            server_key: None,
            min_date: MIN_DATE,
            alpn: None,
            psk: None,
            resumption: false,
            required: Checks::CHAIN.with(Check::Name),
            accepted_missing: Checks::NONE,
        }
    }

    /// Authenticates this device too, with the certificate and key under the tag (mutual TLS).
    pub const fn client_certificate(mut self) -> Self {
        self.client_certificate = true;
        self
    }

    /// Declares the scope of the CA under the tag.
    pub const fn ca_scope(mut self, scope: CaScope) -> Self {
        self.ca_scope = scope;
        self
    }

    /// Chooses the cipher suites.
    pub const fn suites(mut self, suites: Suites) -> Self {
        self.suites = suites;
        self
    }

    /// Allows TLS down to `version`; the default is 1.2. A modem that can only be set to one version or to all, such as
    /// the BG96, is set to this one alone, since "all" would include SSL 3.
    pub const fn min_version(mut self, version: TlsVersion) -> Self {
        self.min_version = version;
        self
    }

    /// Declares the type of key in the server's certificate. A modem without a suite for it is then refused before
    /// anything is sent, and a modem that offers a single suite offers a fitting one.
    pub const fn server_key(mut self, key: ServerKey) -> Self {
        self.server_key = Some(key);
        self
    }

    /// Negotiates this application protocol (ALPN), for instance `mqtt` or `x-amzn-mqtt-ca`, of 1 to 64 bytes.
    ///
    /// # Errors
    /// The reason why it cannot be sent.
    pub const fn alpn(mut self, protocol: &'static str) -> Result<Self, InvalidInput> {
        if protocol.is_empty() {
            return Err(InvalidInput::Empty);
        }
        match Text::new(protocol) {
            Ok(protocol) => self.alpn = Some(protocol),
            Err(error) => return Err(error),
        }
        Ok(self)
    }

    /// Offers this pre-shared key too. A server that chooses a certificate instead is verified as usual. It needs a
    /// suite for pre-shared keys: [`Suites::All`] where the modem lists none.
    pub const fn psk(mut self, psk: Psk) -> Self {
        self.psk = Some(psk);
        self
    }

    /// Lets the modem resume an earlier session, which saves most of a handshake, but does not verify the server's
    /// certificate again. It is off by default.
    pub const fn session_resumption(mut self) -> Self {
        self.resumption = true;
        self
    }

    /// Raises the date before which the modem's clock counts as not set. A date before [`MIN_DATE`] changes nothing.
    pub const fn min_date(mut self, date: DateTime) -> Self {
        if self.min_date.is_before(date) {
            self.min_date = date;
        }
        self
    }

    /// Requires a check: a connect is refused where the modem is not known to do it. Chain and name are always required.
    /// [`Check::Suites`] together with [`Suites::All`] is refused on every modem.
    pub const fn require(mut self, check: Check) -> Self {
        self.required = self.required.with(check);
        self
    }

    /// Begins to weaken verification. `dangerous` is the word to search for in a review.
    pub const fn dangerous(self) -> Dangerous {
        Dangerous(self)
    }

    /// Returns the tag.
    pub const fn tag(&self) -> Tag {
        self.tag
    }

    /// Returns whether a client certificate is sent.
    pub const fn has_client_certificate(&self) -> bool {
        self.client_certificate
    }

    /// Returns the choice of cipher suites.
    pub const fn offered_suites(&self) -> Suites {
        self.suites
    }

    /// Returns the oldest TLS version that is allowed.
    pub const fn oldest_version(&self) -> TlsVersion {
        self.min_version
    }

    /// Returns the declared type of the server's key.
    pub const fn declared_server_key(&self) -> Option<ServerKey> {
        self.server_key
    }

    /// Returns the application protocol to negotiate.
    pub const fn alpn_protocol(&self) -> Option<&'static str> {
        match &self.alpn {
            Some(protocol) => Some(protocol.as_str()),
            None => None,
        }
    }

    /// Returns the pre-shared key to offer.
    pub const fn pre_shared_key(&self) -> Option<&Psk> {
        self.psk.as_ref()
    }

    /// Returns whether sessions may be resumed.
    pub const fn resumes_sessions(&self) -> bool {
        self.resumption
    }

    /// Returns, for a backend, whether a connection without `check` is acceptable. Only then may a modem leave the check
    /// out that could do it.
    pub const fn accepts_missing(&self, check: Check) -> bool {
        self.accepted_missing.has(check)
    }

    /// Returns the date before which the modem's clock counts as not set.
    pub const fn earliest_date(&self) -> DateTime {
        self.min_date
    }

    /// Returns, for a backend, the suites to offer: those that the policy allows and the modem has.
    ///
    /// # Errors
    /// [`ConnectError::Lacks`] for a feature of the policy that the modem is known not to have. One that is unknown is
    /// left for the modem to refuse.
    pub fn suites_for(&self, has: &Capabilities) -> Result<SuiteSet, ConnectError> {
        let lacks = |asked, support| asked && support == Support::No;
        let lacking = if lacks(self.alpn.is_some(), has.alpn) {
            Feature::Alpn
        } else if lacks(self.psk.is_some(), has.psk) {
            Feature::Psk
        } else if lacks(self.resumption, has.resumption) {
            Feature::Resumption
        } else if lacks(self.client_certificate, has.verification.client_certificate) {
            Feature::ClientCertificate
        } else if self.min_version > has.versions.1 {
            Feature::Version(self.min_version)
        } else {
            return self.suites_of(has.suites);
        };
        Err(ConnectError::Lacks(lacking))
    }

    fn suites_of(&self, has: SuiteSet) -> Result<SuiteSet, ConnectError> {
        let allowed = match self.suites {
            Suites::Modern => has.modern(),
            Suites::All => has,
            Suites::Only(number) => has.intersection(SuiteSet::EMPTY.with(number)),
        };
        let mut offered = allowed;
        if let Some(key) = self.server_key {
            offered = allowed.for_key(key);
            if offered.is_empty() && !allowed.is_empty() {
                return Err(ConnectError::Lacks(Feature::ServerKey(key)));
            }
        }
        if self.psk.is_some() {
            offered = offered.union(allowed.for_psk());
        }
        // Without a suite for it the pre-shared key would silently not be used. Firmware that takes such a key
        // does not list its suites (bg96 sheet, T16), so `All` may include some.
        let useless =
            self.psk.is_some() && self.suites != Suites::All && allowed.for_psk().is_empty();
        if offered.is_empty() || useless {
            return Err(ConnectError::Lacks(Feature::Suites));
        }
        Ok(offered)
    }

    /// Returns, for a backend, whether the policy allows a connection with the suite of this IANA number. A suite that
    /// sectag does not know is allowed only with [`Suites::All`], or as [`Suites::Only`].
    pub const fn allows_suite(&self, number: u16) -> bool {
        match self.suites {
            Suites::Modern => SuiteSet::of(&[number]).modern().contains(number),
            Suites::All => true,
            Suites::Only(only) => only == number,
        }
    }

    /// Returns what a modem that does `checks` verifies under this policy: suites are not verified where all are allowed.
    pub(crate) fn verified_as(&self, mut checks: Verification) -> Verification {
        if self.suites == Suites::All {
            checks.suites = Support::No;
        }
        checks
    }

    /// Refuses, for a backend, a policy that requires a check which `known` does not have as done.
    ///
    /// # Errors
    /// [`ConnectError::Unverifiable`] with the first such check.
    pub fn check(&self, known: &Verification) -> Result<(), ConnectError> {
        let known = self.verified_as(*known);
        for check in [
            Check::Chain,
            Check::Name,
            Check::Dates,
            Check::Sni,
            Check::Suites,
        ] {
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

/// A policy whose verification is being weakened, one named check at a time. See [`TlsConfig::dangerous`].
#[derive(Clone, Copy, Debug)]
pub struct Dangerous(TlsConfig);

impl Dangerous {
    /// Accepts a connection without `check`: a modem that does not do it, or is not known to do it, is not refused. A
    /// modem that can leave this check out may do so, such as the dates on u-blox and TI modems; all other checks are
    /// done.
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
            suites: Support::No,
            client_certificate: Support::Unknown,
            time: None,
        }
    }

    #[test]
    fn chain_and_name_are_required_unless_that_very_one_is_accepted() {
        use Support::{No, Unknown, Yes};
        let refused = |check| Err(ConnectError::Unverifiable(check));
        assert_eq!(CONFIG.check(&known(Yes, Yes, No)), Ok(()));
        assert_eq!(
            CONFIG.check(&known(Unknown, Yes, Yes)),
            refused(Check::Chain)
        );
        assert_eq!(
            CONFIG.check(&known(Yes, Unknown, Yes)),
            refused(Check::Name)
        );
        let accepted = CONFIG.dangerous().accept_missing(Check::Chain);
        assert_eq!(accepted.check(&known(No, Yes, Yes)), Ok(()));
        assert_eq!(accepted.check(&known(No, No, Yes)), refused(Check::Name));
    }

    #[test]
    fn private_ca_excuses_the_name_only() {
        use Support::{No, Yes};
        let private = CONFIG.ca_scope(CaScope::Private);
        assert_eq!(private.check(&known(Yes, No, No)), Ok(()));
        assert_eq!(
            private.check(&known(No, No, No)),
            Err(ConnectError::Unverifiable(Check::Chain))
        );
    }

    #[test]
    fn dates_and_sni_are_required_on_request() {
        use Support::{Unknown, Yes};
        let strict = CONFIG.require(Check::Dates);
        assert_eq!(
            strict.check(&known(Yes, Yes, Unknown)),
            Err(ConnectError::Unverifiable(Check::Dates))
        );
        let strict = CONFIG.require(Check::Sni);
        assert_eq!(
            strict.check(&known(Yes, Yes, Yes)),
            Err(ConnectError::Unverifiable(Check::Sni))
        );
    }

    #[test]
    fn suites_are_checked_on_request_and_never_where_all_are_allowed() {
        use Support::{No, Unknown, Yes};
        let refused = Err(ConnectError::Unverifiable(Check::Suites));
        let strict = CONFIG.require(Check::Suites);
        let all = CONFIG.suites(Suites::All);
        for (suites, kept) in [(Yes, Ok(())), (Unknown, refused), (No, refused)] {
            let known = Verification {
                suites,
                ..known(Yes, Yes, Yes)
            };
            assert_eq!(CONFIG.check(&known), Ok(()));
            assert_eq!(strict.check(&known), kept);
            assert_eq!(CONFIG.verified_as(known).suites, suites);
            assert_eq!(all.check(&known), Ok(()));
            assert_eq!(all.require(Check::Suites).check(&known), refused);
            assert_eq!(all.verified_as(known).suites, No);
        }
    }

    const MODEM: Capabilities = Capabilities {
        suites: SuiteSet::of(&[0xC02F, 0xC030, 0xC013, 0xC009, 0x0005]),
        ..Capabilities::UNKNOWN
    };

    #[test]
    fn what_a_modem_lacks_is_an_error_and_what_is_unknown_is_left_to_it() {
        let psk = Psk::new("device-1", "00112233").unwrap();
        for (config, field, feature) in [
            (
                CONFIG.alpn("mqtt").unwrap(),
                (|has| &mut has.alpn) as fn(&mut Capabilities) -> &mut Support,
                Feature::Alpn,
            ),
            (
                CONFIG.psk(psk).suites(Suites::All),
                |has| &mut has.psk,
                Feature::Psk,
            ),
            (
                CONFIG.session_resumption(),
                |has| &mut has.resumption,
                Feature::Resumption,
            ),
            (
                CONFIG.client_certificate(),
                |has| &mut has.verification.client_certificate,
                Feature::ClientCertificate,
            ),
        ] {
            for support in [Support::Unknown, Support::Yes] {
                let mut has = MODEM;
                *field(&mut has) = support;
                assert!(config.suites_for(&has).is_ok(), "{feature:?}");
            }
            let mut has = MODEM;
            *field(&mut has) = Support::No;
            assert_eq!(config.suites_for(&has), Err(ConnectError::Lacks(feature)));
            // A policy that does not need the feature is accepted.
            assert!(CONFIG.suites_for(&has).is_ok());
        }
        let newer = CONFIG.min_version(TlsVersion::Tls13);
        assert_eq!(
            newer.suites_for(&MODEM),
            Err(ConnectError::Lacks(Feature::Version(TlsVersion::Tls13)))
        );
        assert!(
            CONFIG
                .min_version(TlsVersion::Tls10)
                .suites_for(&MODEM)
                .is_ok()
        );
    }

    #[test]
    fn suites_are_those_of_policy_modem_and_server_key() {
        let offered = |config: TlsConfig| config.suites_for(&MODEM).map(|set| set.iter().next());
        let lacks = |feature| Err(ConnectError::Lacks(feature));
        let (rsa, ecdsa) = (ServerKey::Rsa, ServerKey::Ecdsa);
        assert_eq!(
            CONFIG.suites_for(&MODEM),
            Ok(SuiteSet::of(&[0xC02F, 0xC030]))
        );
        let all = CONFIG.suites(Suites::All);
        assert_eq!(all.suites_for(&MODEM), Ok(MODEM.suites));
        assert_eq!(offered(all.server_key(ecdsa)), Ok(Some(0xC009)));
        assert_eq!(offered(CONFIG.server_key(rsa)), Ok(Some(0xC02F)));
        assert_eq!(
            offered(CONFIG.server_key(ecdsa)),
            lacks(Feature::ServerKey(ecdsa))
        );
        let only = |number| CONFIG.suites(Suites::Only(number));
        assert_eq!(offered(only(0xC013)), Ok(Some(0xC013)));
        assert_eq!(offered(only(0xC02B)), lacks(Feature::Suites));
        assert_eq!(offered(only(0xFFFF)), lacks(Feature::Suites));
        assert_eq!(
            offered(only(0xC013).server_key(ecdsa)),
            lacks(Feature::ServerKey(ecdsa))
        );
    }

    #[test]
    fn psk_needs_a_suite_that_uses_it() {
        let psk = Psk::new("device-1", "00112233").unwrap();
        let mut has = MODEM;
        has.psk = Support::Yes;
        let modern = CONFIG.psk(psk);
        assert_eq!(
            modern.suites_for(&has),
            Err(ConnectError::Lacks(Feature::Suites))
        );
        assert!(modern.suites(Suites::All).suites_for(&has).is_ok());
        has.suites = has.suites.with(0x00A8);
        assert!(modern.suites(Suites::Only(0x00A8)).suites_for(&has).is_ok());
    }

    #[test]
    fn minimum_date_can_only_be_raised() {
        let day = |year| DateTime::new(year, 12, 24, 0, 0, 0).unwrap();
        assert_eq!(CONFIG.earliest_date(), MIN_DATE);
        assert_eq!(CONFIG.min_date(day(2020)).earliest_date(), MIN_DATE);
        let raised = CONFIG.min_date(day(2030));
        assert_eq!(raised.earliest_date(), day(2030));
        assert_eq!(raised.min_date(day(2029)).earliest_date(), day(2030));
    }

    #[test]
    fn policy_shows_no_secret() {
        extern crate std;
        let psk = Psk::new("device-1", "00112233445566778899").unwrap();
        let shown = std::format!("{:?}", CONFIG.psk(psk));
        assert!(
            shown.contains("masked") && !shown.contains("0011") && !shown.contains("device"),
            "{shown}"
        );
        assert_eq!(Psk::new("", "00"), Err(InvalidInput::Empty));
        assert_eq!(Psk::new("a", ""), Err(InvalidInput::Empty));
        assert_eq!(
            Psk::new("a\"b", "00"),
            Err(InvalidInput::ForbiddenCharacter { at: 1 })
        );
        assert_eq!(CONFIG.alpn("").err(), Some(InvalidInput::Empty));
        assert_eq!(
            CONFIG.alpn("a\r").err(),
            Some(InvalidInput::ForbiddenCharacter { at: 1 })
        );
    }

    #[test]
    fn server_name_is_checked() {
        assert!(ServerName::new("broker.example-1.com").is_ok());
        assert!(ServerName::new("2001:db8::1").is_ok());
        assert_eq!(ServerName::new(""), Err(InvalidInput::Empty));
        // What is sent as SNI and looked for in a certificate has no dot at its end (RFC 6066, 3).
        let absolute = ServerName::new("broker.example.").unwrap();
        assert_eq!(absolute.as_str(), "broker.example");
        assert_eq!(ServerName::new("."), Err(InvalidInput::Empty));
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
