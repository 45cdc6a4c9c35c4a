//! Opens a verified connection (sheet B.2.3 and B.2.6): clock, credentials, profile, socket, connect.

use sectag::at::{Fields, InvalidInput, answer, decimal};
use sectag::modem::{Modem, NOT_YET, Out, Then, World, ask, decide};
use sectag::{AtError, Cause, Check, Code, ConnectError, Kind, Support, Tag, TlsConfig};

use super::profile::Writing;
use super::sockets::SOCKETS;
use super::{Script, UbloxCellular, causes, script};

/// The longest name for the handshake (op 10), in bytes. The name for the comparison may be longer.
const HOST_LIMIT: usize = 128;
/// The pause before a connect, in milliseconds. A socket that is connected at once after it was told to
/// use TLS is not secure (sheet B.2.3).
const SECURE_PAUSE: u32 = 250;
/// The limit of a connect, in milliseconds. The manual says 120 s; the vendor's library allows more
/// (sheet B.2.3).
const CONNECT_LIMIT: u32 = 150_000;
/// The limit of a connect during which the channel waits, in tenths of a second.
pub(crate) const CONNECT_BLOCKS: u16 = 1500;
/// The pause before a connect is tried again that was refused because the module was busy, in
/// milliseconds.
const BUSY_PAUSE: u32 = 1000;
const BUSY_TRIES: u8 = 3;
/// How often a query is sent whose answer is not as expected.
const TRIES: u8 = 2;

/// Scratch of an open.
pub(crate) struct Opening {
    pub(crate) writing: Writing,
    /// The index of the kind of credential that is being looked for.
    kind: u8,
    tries: u8,
    /// The number of connects that the module refused as busy.
    busy: u8,
    /// The error with which the module refused to connect.
    refused: Code,
}

impl Opening {
    pub(crate) const NEW: Self = Self {
        writing: Writing::NEW,
        kind: 0,
        tries: 0,
        busy: 0,
        refused: Code::Plain,
    };

    pub(crate) fn kind(&self) -> Kind {
        Kind::ALL[usize::from(self.kind) % Kind::ALL.len()]
    }
}

impl UbloxCellular {
    /// Begins an open. A policy that cannot be met, and a name that is too long, are refused before
    /// anything is sent.
    pub(crate) const OPEN: Script = &[decide(Self::begin_open)];

    /// Checks that each credential is there. Any refusal means that it is not (sheet B.2.1).
    pub(crate) const CREDENTIALS: Script = &[ask("AT+USECMNG=4,{k},{n}")
        .limit(50)
        .then(Self::credential_told)];

    /// Creates a socket that uses the profile.
    pub(crate) const SOCKET: Script = &[
        decide(Self::expect_socket),
        ask("AT+USOCR=6").then(Self::created),
        ask("AT+USOSEC={i},1,{c}").then(Self::secured),
        ask("AT+USOSEC={i}").then(Self::security_told),
        decide(Self::begin_connect),
    ];

    /// Connects on models that report the result later.
    pub(crate) const CONNECT_LATER: Script = &[
        ask("AT+USOCO={i},\"{h}\",{q},1")
            .limit(1200)
            .then(Self::connecting),
        decide(Self::connect_told),
    ];

    /// Connects on models whose answer is the result; the channel waits with it.
    pub(crate) const CONNECT_NOW: Script = &[ask("AT+USOCO={i},\"{h}\",{q}")
        .limit(CONNECT_BLOCKS)
        .then(Self::connected)];

    /// Asks why it did not connect.
    pub(crate) const WHY_NOT: Script =
        &[ask("AT+USOER").even_unanswered().then(Self::refusal_told)];

    fn begin_open(&mut self, world: &mut World<'_>, _: Option<&[u8]>) -> Then {
        self.opening = Opening::NEW;
        if world.name(HOST_LIMIT, &mut [0]) > 0 {
            return world.fail(InvalidInput::TooLong { limit: HOST_LIMIT });
        }
        let Some(open) = &world.open else {
            return world.fail(AtError::ModemReset);
        };
        let dates = !open.config.accepts_missing(Check::Dates);
        if dates && !self.is_known_set(open.config.earliest_date()) {
            return Then::To(script::CLOCK);
        }
        Then::To(script::CREDENTIALS)
    }

    /// Judges `+USECMNG: 4,<type>,"<name>","<MD5>"`.
    fn credential_told(&mut self, world: &mut World<'_>, text: Option<&[u8]>) -> Then {
        let Some(open) = &world.open else {
            return world.fail(AtError::ModemReset);
        };
        let (config, kind) = (open.config, self.opening.kind());
        let opening = &mut self.opening;
        opening.tries += 1;
        let found = text.is_some_and(|text| {
            stored(text).is_some_and(|stored| stored.0 == config.tag() && stored.1 == kind)
        });
        if found {
            opening.kind += 1;
            opening.tries = 0;
            let last = !config.has_client_certificate();
            if last || usize::from(opening.kind) == Kind::ALL.len() {
                return self.begin_profile(world);
            }
            return Then::Same;
        }
        // A garbled answer says nothing about what is there, so the query is sent again.
        if opening.tries < TRIES {
            return Then::Same;
        }
        match text {
            None => world.fail(ConnectError::CredentialMissing(kind)),
            Some(_) => world.fail(AtError::Garbled),
        }
    }

    /// Marks a socket as lost until its number is known.
    fn expect_socket(&mut self, _: &mut World<'_>, _: Option<&[u8]>) -> Then {
        self.opening.tries = 0;
        self.sockets.lost = true;
        Then::Next
    }

    fn created(&mut self, world: &mut World<'_>, text: Option<&[u8]>) -> Then {
        let Some(text) = text else {
            return world.fail(ConnectError::TooManySockets);
        };
        let id = answer(text, "+USOCR:").and_then(|text| Fields::new(text).byte());
        match id {
            // The number of an open socket was altered on its way.
            Some(id) if id < SOCKETS && !world.knows(id) => {
                world.take_id(id);
                self.sockets.lost = false;
                self.sockets.begin(id);
                Then::Next
            }
            _ => world.fail(AtError::Garbled),
        }
    }

    fn secured(&mut self, world: &mut World<'_>, answer: Option<&[u8]>) -> Then {
        if answer.is_some() {
            world.pause = SECURE_PAUSE;
            return Then::Next;
        }
        self.opening.tries += 1;
        if self.opening.tries < TRIES {
            return Then::Same;
        }
        world.fail(ConnectError::Unsupported { setting: "USOSEC" })
    }

    /// Judges `+USOSEC: <s>,1,<profile>`: otherwise the connection would be plain TCP, or use another
    /// profile.
    fn security_told(&mut self, world: &mut World<'_>, text: Option<&[u8]>) -> Then {
        let context = world.open.as_ref().map(|open| open.context);
        let said = text.and_then(|text| {
            let mut fields = Fields::new(answer(text, "+USOSEC:")?);
            Some((fields.byte()?, fields.byte()?, fields.byte()))
        });
        let id = world.id;
        let right = said.is_some_and(|said| said == (id, 1, context));
        if right {
            return Then::Next;
        }
        self.opening.tries += 1;
        if self.opening.tries < 2 * TRIES {
            return Then::Same;
        }
        match text {
            Some(_) => world.fail(AtError::Garbled),
            None => world.fail(ConnectError::Unsupported { setting: "USOSEC" }),
        }
    }

    fn begin_connect(&mut self, world: &mut World<'_>, _: Option<&[u8]>) -> Then {
        let Some(open) = &mut world.open else {
            return world.fail(AtError::ModemReset);
        };
        let mut verified = self.profile_capabilities().verification;
        if !self.opening.writing.sends_name() {
            verified.sni = Support::No;
        }
        if open.config.accepts_missing(Check::Dates) {
            verified.dates = Support::No;
        }
        if !open.config.has_client_certificate() {
            verified.client_certificate = Support::No;
        }
        open.verified = verified;
        if let Err(error) = open.config.check(&verified) {
            return world.fail(error);
        }
        world.expect_open();
        Then::To(if self.row().connects_later {
            script::CONNECT_LATER
        } else {
            script::CONNECT_NOW
        })
    }

    fn connecting(&mut self, world: &mut World<'_>, answer: Option<&[u8]>) -> Then {
        if answer.is_none() {
            self.opening.refused = world.code;
            return Then::To(script::WHY_NOT);
        }
        world.pause = CONNECT_LIMIT;
        Then::Park
    }

    fn connect_told(&mut self, world: &mut World<'_>, _: Option<&[u8]>) -> Then {
        match world.open.as_ref().map_or(NOT_YET, |open| open.result) {
            0 => Then::End,
            NOT_YET => world.fail(ConnectError::TimedOut),
            code => self.fail_open(world, causes::vendor(code)),
        }
    }

    fn connected(&mut self, world: &mut World<'_>, answer: Option<&[u8]>) -> Then {
        if answer.is_some() {
            return Then::End;
        }
        self.opening.refused = world.code;
        Then::To(script::WHY_NOT)
    }

    /// Judges `+USOER: <n>`.
    fn refusal_told(&mut self, world: &mut World<'_>, text: Option<&[u8]>) -> Then {
        let number = text.and_then(|text| decimal(answer(text, "+USOER:")?));
        let number = number.and_then(|number| u16::try_from(number).ok());
        // 114 and 115 mean that the module is not ready.
        if matches!(number, Some(114 | 115)) {
            self.opening.busy += 1;
            if self.opening.busy < BUSY_TRIES {
                world.pause = BUSY_PAUSE;
                return Then::To(if self.row().connects_later {
                    script::CONNECT_LATER
                } else {
                    script::CONNECT_NOW
                });
            }
        }
        let code = match number {
            // The number says that nothing is wrong; the first error says more.
            Some(0) | None => self.opening.refused,
            Some(number) => causes::vendor(number),
        };
        self.fail_open(world, code)
    }

    /// Fails the open with the causes of `code`, less those that are ruled out by what was sent.
    fn fail_open(&self, world: &mut World<'_>, code: Code) -> Then {
        let Some(config) = world.open.as_ref().map(|open| open.config) else {
            return world.fail(AtError::ModemReset);
        };
        let mut refusal = causes::connect_refused(code);
        let without: &[Cause] = if config.has_client_certificate() {
            &[Cause::ClientCertificateNeeded]
        } else {
            &[Cause::ClientCertificateRefused, Cause::ClientKeyMismatch]
        };
        for cause in without {
            refusal = refusal.without(*cause);
        }
        if self.opening.writing.sends_name() {
            refusal = refusal.without(Cause::SniNeeded);
        }
        if config.accepts_missing(Check::Dates) {
            refusal = refusal
                .without(Cause::CertificateExpired)
                .without(Cause::CertificateNotYetValid);
        }
        world.fail(ConnectError::Refused(refusal))
    }
}

/// Refuses a policy that the module cannot meet, before anything is sent.
pub(crate) fn admit(modem: &UbloxCellular, config: &TlsConfig) -> Result<(), ConnectError> {
    modem.suites_for(config).map(|_| ())
}

/// The endings of our names, by kind.
const ENDS: [(&str, Kind); 3] = [
    ("ca", Kind::Ca),
    ("cert", Kind::ClientCertificate),
    ("key", Kind::PrivateKey),
];

/// Returns the `<type>` of `+USECMNG`.
pub(crate) fn number(kind: Kind) -> u32 {
    match kind {
        Kind::Ca => 0,
        Kind::ClientCertificate => 1,
        _ => 2,
    }
}

pub(crate) fn end_of(kind: Kind) -> &'static str {
    ENDS.iter()
        .find(|end| end.1 == kind)
        .map_or("key", |end| end.0)
}

/// Writes the name under which a credential is stored, in quotes: `st42_ca`.
pub(crate) fn write_name(tag: Tag, kind: Kind, out: &mut Out<'_>) {
    out.bytes(b"\"st");
    out.int(tag.0);
    out.byte(b'_');
    out.bytes(end_of(kind).as_bytes());
    out.byte(b'"');
}

/// Returns tag and kind of a name, if it is one of ours.
pub(crate) fn parse_name(name: &[u8]) -> Option<(Tag, Kind)> {
    let rest = name.strip_prefix(b"st")?;
    let at = rest.iter().position(|&byte| byte == b'_')?;
    let (digits, end) = (&rest[..at], &rest[at + 1..]);
    // A number with leading zeros would be a second name of one tag.
    if digits.len() > 1 && digits[0] == b'0' {
        return None;
    }
    let (_, kind) = ENDS.iter().find(|known| known.0.as_bytes() == end)?;
    Some((Tag(decimal(digits)?), *kind))
}

/// Reads the credential of `+USECMNG: <op>,<type>,"<name>","<MD5>"`, and its MD5.
pub(crate) fn stored(text: &[u8]) -> Option<(Tag, Kind, Option<[u8; 16]>)> {
    let mut fields = Fields::new(answer(text, "+USECMNG:")?);
    fields.next();
    let of = fields.int()?;
    let (tag, kind) = parse_name(fields.unquoted()?)?;
    if of != number(kind) {
        return None;
    }
    Some((tag, kind, fields.unquoted().and_then(hex)))
}

fn hex(digits: &[u8]) -> Option<[u8; 16]> {
    let mut bytes = [0; 16];
    if digits.len() != 2 * bytes.len() {
        return None;
    }
    for (byte, digits) in bytes.iter_mut().zip(digits.chunks(2)) {
        for digit in digits {
            *byte = *byte << 4 | char::from(*digit).to_digit(16)? as u8;
        }
    }
    Some(bytes)
}

/// Returns whether this is the server's name.
pub(crate) fn is_host(world: &World<'_>, said: &[u8]) -> bool {
    let mut piece = [0; 32];
    let mut offset = 0;
    loop {
        let count = world.name(offset, &mut piece);
        let part = said.get(offset..).unwrap_or_default();
        if count == 0 {
            return part.is_empty();
        }
        if !part.starts_with(&piece[..count]) {
            return false;
        }
        offset += count;
    }
}

const _: () = assert!(UbloxCellular::LIMITS.sockets <= 5);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_back() {
        assert_eq!(parse_name(b"st42_ca"), Some((Tag(42), Kind::Ca)));
        assert_eq!(
            parse_name(b"st0_cert"),
            Some((Tag(0), Kind::ClientCertificate))
        );
        for other in [&b"st_ca"[..], b"st07_ca", b"st7_pem", b"ubxlib_ca", b"st7"] {
            assert_eq!(parse_name(other), None);
        }
    }

    /// Sheet E.5.
    #[test]
    fn digests_are_read() {
        let line = b"+USECMNG: 4,1,\"st7_cert\",\"779F57D926322E562A0DBDDFD9D3652D\"";
        let (tag, kind, md5) = stored(line).unwrap();
        assert_eq!((tag, kind), (Tag(7), Kind::ClientCertificate));
        assert_eq!(md5.unwrap()[..2], [0x77, 0x9f]);
        // The type does not fit the name.
        assert_eq!(stored(b"+USECMNG: 4,0,\"st7_cert\",\"\""), None);
    }
}
