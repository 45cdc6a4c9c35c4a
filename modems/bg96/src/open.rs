//! Opens a verified TLS connection (sheet 4).
//!
//! A warm connect is the list of files, the keys, the query that reads them back, the open, and the
//! state of the opened socket. Joining the key commands in one line with `;` would save some 20 ms
//! each, out of seconds. It is not done: that the modem then carries out every part is UNCONFIRMED, and
//! an `OK` to a line of which only the first part took effect would be a connection without
//! verification. The list of files is asked for each time, because nobody knows what this modem does at
//! seclevel 1 without the CA's file (sheet T10 is a relative), and another host on the modem's USB port
//! may delete it.

use sectag::at::{Fields, answer};
use sectag::modem::{NOT_YET, Out, Then, World, ask, decide};
use sectag::{
    AtError, Cause, Code, ConnectError, Feature, Kind, Suites, Support, TlsConfig, TlsVersion,
    Verification,
};

use crate::context::{NEGOTIATION, Writing, missing};
use crate::data_connection::{PDP_CONTEXT, explained};
use crate::keys::Key;
use crate::{Bg96, CONTEXT, OPEN_REFUSED, Options, Script, causes, files};

/// The manual's limit for an open, with [`NEGOTIATION`] in place of its default handshake time, in
/// milliseconds.
const OPEN_LIMIT: u32 = (150 + NEGOTIATION) * 1000;
/// The value of `ciphersuite` that stands for all suites of the modem.
const ALL_SUITES: u16 = 0xFFFF;

/// The number of files that `cacertex` can hold.
const OTHER_CAS: u8 = 6;
const OTHER_CA: &str = "the modem has a CA under the key cacertex, which it trusts in the place of this connection's: clear it (AT+QSSLCFG=\"cacertex\") or restore the modem's factory settings";

/// Scratch of an open.
pub(crate) struct Opening {
    /// The value of `ciphersuite`, one suite or all (sheet 4.1).
    pub(crate) suite: u16,
    /// The files of the tag that exist, as a bit set. Their markers are from bit 3 on.
    files: u8,
    /// The open command was sent.
    pub(crate) begun: bool,
    /// The error with which the modem refused the open at once.
    refused: Code,
    /// Whether the state of the opened socket is as asked; `None` while no answer has shown it.
    same: Option<bool>,
    /// An earlier answer showed another state.
    odd: bool,
    /// The state was asked for a second time.
    again: bool,
    /// How many of the six files of `cacertex` are known to be empty; [`u8::MAX`] once one is not.
    other_cas: u8,
    pub(crate) writing: Writing,
}

impl Opening {
    pub(crate) const fn new() -> Self {
        Self {
            suite: 0,
            files: 0,
            begun: false,
            refused: Code::Plain,
            same: None,
            odd: false,
            again: false,
            other_cas: 0,
            writing: Writing::new(),
        }
    }
}

impl<O: Options> Bg96<O> {
    /// Begins an open with the clock, by which certificates are judged.
    pub(crate) const OPEN: Script<O> = &[decide(Self::open_begins)];

    /// Checks the credentials, writes the TLS context, opens the socket, and checks its state.
    pub(crate) const CONTEXT: Script<O> = &[
        ask("AT+QFLST=\"*\"")
            .each(Self::file_listed)
            .then(Self::files_there),
        ask("AT+QSSLCFG={k}")
            .each(Self::key_told)
            .then(Self::key_answered),
        decide(Self::looks_for_other_cas),
        ask("AT+QSSLCFG={t}")
            .each(Self::other_ca_told)
            .then(Self::other_cas_told),
        // The result comes as a URC.
        ask("AT+QSSLOPEN=1,{c},{i},\"{h}\",{p},{m}").then(Self::open_accepted),
        decide(Self::open_reported),
        ask("AT+QSSLSTATE={i}")
            .each(Self::state_told)
            .then(Self::is_as_asked),
    ];

    /// Skips the query of `cacertex` if the firmware does not list that key: up to six files that every
    /// context trusts in the place of its `cacert` (sheet 4.11).
    fn looks_for_other_cas(&mut self, _: &mut World<'_>, _: Option<&[u8]>) -> Then {
        self.opening.other_cas = 0;
        if self.keys.lists(Key::CaCertEx) {
            Then::Next
        } else {
            Then::Skip
        }
    }

    /// Writes the six queries behind `AT+QSSLCFG=`.
    pub(crate) fn write_other_cas(out: &mut Out<'_>) {
        for index in 0..OTHER_CAS {
            if index > 0 {
                out.bytes(b";+QSSLCFG=");
            }
            out.bytes(b"\"cacertex\",");
            out.int(index.into());
        }
    }

    /// Notes a line `+QSSLCFG: "cacertex",<index>,"<file>"`.
    fn other_ca_told(&mut self, world: &mut World<'_>, line: &[u8]) {
        let mut fields = Fields::new(answer(line, "+QSSLCFG:").unwrap_or_default());
        if fields.unquoted() == Some(b"cacertex") {
            let is_empty = fields
                .nth(1)
                .is_none_or(|file| matches!(file, b"" | b"\"\""));
            self.opening.other_cas = self.opening.other_cas.saturating_add(1);
            if !is_empty {
                world.fail(ConnectError::Firmware { reason: OTHER_CA });
                self.opening.other_cas = u8::MAX;
            }
        }
    }

    fn other_cas_told(&mut self, world: &mut World<'_>, answer: Option<&[u8]>) -> Then {
        match self.opening.other_cas {
            OTHER_CAS if answer.is_some() => Then::Next,
            u8::MAX => Then::Fail,
            // Not all six were answered, so that the trusted CAs are not known.
            _ => world.fail(ConnectError::Unsupported {
                setting: Key::CaCertEx.name(),
            }),
        }
    }

    /// Asks for the number behind an open that was refused at once.
    pub(crate) const OPEN_REFUSED: Script<O> = &[ask("AT+QIGETERROR")
        .even_unanswered()
        .then(Self::open_refused)];

    fn open_begins(&mut self, world: &mut World<'_>, _: Option<&[u8]>) -> Then {
        let Some(open) = &world.open else {
            return world.fail(AtError::ModemReset);
        };
        let min = open.config.earliest_date();
        self.opening = Opening::new();
        match self.suite_for(&open.config) {
            Ok(suite) => self.opening.suite = suite,
            Err(error) => return world.fail(error),
        }
        // The clock need not be set if the modem compares no dates with it.
        let dated = self.keys.of(Key::IgnoreLocalTime) != Support::No;
        if dated && !self.is_known_set(min) {
            return self.begin_clock(min, true);
        }
        Then::To(CONTEXT)
    }

    fn file_listed(&mut self, world: &mut World<'_>, line: &[u8]) {
        let (Some((tag, file, len)), Some(open)) = (files::listed(line), &world.open) else {
            return;
        };
        if tag == open.config.tag() && (file >= files::MARKERS || len != Some(0)) {
            self.opening.files |= 1 << file;
        }
    }

    fn files_there(&mut self, world: &mut World<'_>, answer: Option<&[u8]>) -> Then {
        if answer.is_none() && !files::is_empty(world.code) {
            return world.fail(AtError::Refused(world.code));
        }
        let Some(open) = &world.open else {
            return world.fail(AtError::ModemReset);
        };
        let mutual = open.config.has_client_certificate();
        // A file with a marker is half written and does not count.
        let whole = self.opening.files & !(self.opening.files >> files::MARKERS);
        let missing = if mutual { 0b111 } else { 1 } & !whole;
        if missing != 0 {
            let kind = Kind::ALL[missing.trailing_zeros() as usize % 3];
            return world.fail(ConnectError::CredentialMissing(kind));
        }
        self.next_key(world);
        Then::Next
    }

    pub(crate) fn keys_written(&mut self, world: &mut World<'_>) -> Then {
        match self.verify(world) {
            Ok(verified) => {
                if let Some(open) = &mut world.open {
                    open.verified = verified;
                }
            }
            Err(error) => return world.fail(error),
        }
        self.opening.begun = true;
        world.expect_open();
        Then::Next
    }

    /// Returns what the modem verifies with these keys, or the error if the policy asks for more.
    fn verify(&self, world: &World<'_>) -> Result<Verification, ConnectError> {
        let Some(open) = &world.open else {
            return Err(AtError::ModemReset.into());
        };
        missing(&self.opening.writing, open)?;
        let mut verified = self.keys.verification();
        if !open.config.has_client_certificate() {
            verified.client_certificate = Support::No;
        }
        open.config.check(&verified)?;
        Ok(verified)
    }

    fn open_accepted(&mut self, world: &mut World<'_>, answer: Option<&[u8]>) -> Then {
        if answer.is_none() {
            self.opening.refused = world.code;
            return Then::To(OPEN_REFUSED);
        }
        world.pause = OPEN_LIMIT;
        Then::Park
    }

    fn open_reported(&mut self, world: &mut World<'_>, _: Option<&[u8]>) -> Then {
        match world.open.as_ref().map_or(NOT_YET, |open| open.result) {
            // Pushed data would interfere with the query: a peer that speaks first fills the ring
            // before the answer, and nobody reads from the ring yet.
            0 if self.pushes() => Then::End,
            0 => Then::Next,
            NOT_YET => world.fail(ConnectError::TimedOut),
            // The number of the URC, since `AT+QIGETERROR` says 0 after a failed handshake (sheet 4.6).
            code => self.fail_open(world, causes::vendor(code)),
        }
    }

    fn open_refused(&mut self, world: &mut World<'_>, text: Option<&[u8]>) -> Then {
        self.fail_open(world, explained(self.opening.refused, text))
    }

    /// Notes a line `+QSSLSTATE:
    /// <id>,"SSLClient","<ip>",<rport>,<lport>,<state>,<pdp>,<serverid>,<mode>,"<port>",<sslctx>`.
    fn state_told(&mut self, world: &mut World<'_>, line: &[u8]) {
        let (Some(text), Some(open)) = (answer(line, "+QSSLSTATE:"), &world.open) else {
            return;
        };
        let is = |index, wanted: u32, unless: bool| {
            let number = Fields::new(text).nth(index);
            let number = number.and_then(|text| Fields::new(text).int());
            number.map_or(unless, |number| number == wanted)
        };
        if is(0, world.id.into(), false) {
            self.opening.same = Some(
                is(3, open.port.into(), true)
                    && is(6, PDP_CONTEXT, true)
                    // Buffer mode.
                    && is(8, 0, true)
                    && is(10, open.context.into(), true),
            );
        }
    }

    /// Judges whether the modem opened what was asked for. Noise on the UART may have altered the
    /// number of the TLS context (another one verifies nothing by default), the port or the mode; the
    /// state shows it (sheet 4.6). A firmware that shows no state is asked twice and then believed.
    fn is_as_asked(&mut self, world: &mut World<'_>, _: Option<&[u8]>) -> Then {
        let opening = &mut self.opening;
        match opening.same.take() {
            Some(true) => return Then::End,
            // The noise may be in this answer, so the state is asked for again.
            Some(false) => opening.odd = true,
            None => {}
        }
        if !core::mem::replace(&mut opening.again, true) {
            return Then::Same;
        }
        if opening.odd {
            return world.fail(AtError::Garbled);
        }
        Then::End
    }

    /// Refuses a policy that the modem cannot meet; returns the value of `ciphersuite`, one suite or
    /// all (sheet 4.1).
    pub(crate) fn suite_for(&self, config: &TlsConfig) -> Result<u16, ConnectError> {
        files::check_tag(config.tag())?;
        let has = self.keys.listed().capabilities();
        // A check that no firmware is known to make is refused here; the others are left to the modem's
        // answers.
        let mut hoped = has.verification;
        hoped.chain = Support::Yes;
        hoped.dates = Support::Yes;
        hoped.sni = Support::Yes;
        hoped.suites = Support::Yes;
        config.check(&hoped)?;
        let offered = config.suites_for(&has)?;
        if config.offered_suites() == Suites::All {
            return Ok(ALL_SUITES);
        }
        // Suites with authenticated encryption came with TLS 1.2, and the modem speaks one version only.
        let usable = config.oldest_version() >= TlsVersion::Tls12 || offered.modern().is_empty();
        offered
            .iter()
            .next()
            .filter(|_| usable)
            .ok_or(ConnectError::Lacks(Feature::Suites))
    }

    /// Fails the open with the causes of `code`, less those that are ruled out by what was sent.
    fn fail_open(&self, world: &mut World<'_>, code: Code) -> Then {
        let mutual = (world.open.as_ref()).is_some_and(|open| open.config.has_client_certificate());
        let has = |key, support| self.keys.of(key) == support;
        let mut facts = if mutual {
            SENT_CERTIFICATE
        } else {
            SENT_NO_CERTIFICATE
        };
        if has(Key::IgnoreLocalTime, Support::No) {
            facts |= DATES_UNCHECKED;
        }
        if has(Key::CaCert, Support::No) || has(Key::SecLevel, Support::No) {
            facts |= CHAIN_UNCHECKED;
        }
        if has(Key::Sni, Support::Yes) {
            facts |= SENT_NAME;
        }
        let mut refusal = causes::open_refused(code);
        for (cause, fact) in &RULED_OUT {
            if facts & fact != 0 {
                refusal = refusal.without(*cause);
            }
        }
        world.fail(ConnectError::Refused(refusal))
    }
}

/// The TLS context of the connection that is being opened.
pub(crate) fn context(world: &World<'_>) -> u8 {
    world.open.as_ref().map_or(0, |open| open.context)
}

/// The server's port.
pub(crate) fn port(world: &World<'_>) -> u16 {
    world.open.as_ref().map_or(0, |open| open.port)
}

// Facts of an open that rule out a cause, as bits.
const SENT_CERTIFICATE: u8 = 1;
const SENT_NO_CERTIFICATE: u8 = 2;
const DATES_UNCHECKED: u8 = 4;
const CHAIN_UNCHECKED: u8 = 8;
const SENT_NAME: u8 = 16;

/// The causes that each fact rules out: a modem cannot refuse for what it does not check. Whether it
/// checks the name is not known of any firmware.
static RULED_OUT: [(Cause, u8); 8] = [
    (Cause::ClientCertificateNeeded, SENT_CERTIFICATE),
    (Cause::ClientCertificateRefused, SENT_NO_CERTIFICATE),
    (Cause::ClientKeyMismatch, SENT_NO_CERTIFICATE),
    (Cause::CertificateExpired, DATES_UNCHECKED),
    (Cause::CertificateNotYetValid, DATES_UNCHECKED),
    (Cause::CaMismatch, CHAIN_UNCHECKED),
    (Cause::CaUnreadable, CHAIN_UNCHECKED),
    (Cause::SniNeeded, SENT_NAME),
];
