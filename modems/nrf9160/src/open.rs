//! Opens a verified connection (sheet 4 and 5): clock, credentials, socket, options, connect, suite.

use sectag::at::InvalidInput;
use sectag::modem::{Then, World, ask, decide};
use sectag::{
    AtError, Cause, Causes, Code, ConnectError, Feature, Kind, Meaning, Refusal, Suites, Support,
    TlsConfig,
};

use crate::commands::{CONNECT, QUICK, error, fields, last};
use crate::credentials::{self, Search, place, settings_item};
use crate::dialect::Store;
use crate::{Family, Nrf9160, Restart, Script, script};

/// Longest host name of `#XCONNECT`.
const HOST_LIMIT: usize = 127;

/// What an open keeps.
pub(crate) struct Opening {
    /// The number under which the modem's store is being listed.
    pub(crate) number: u32,
    /// Which credentials the tag has, a bit for each kind.
    present: u8,
    /// The place among the kinds of what is being listed, where each has a number of its own.
    place: u8,
    tries: u8,
    /// The connection's suite is read and judged.
    judges_suite: bool,
    /// What is missing, while it is looked for elsewhere.
    missing: Kind,
    search: Search,
    /// `#XCONNECT` was given, and has not succeeded.
    connecting: bool,
    /// What the modem has said of a restart since.
    restart: Option<Restart>,
}

impl Opening {
    pub(crate) const NEW: Self = Self {
        number: 0,
        present: 0,
        place: 0,
        tries: 0,
        judges_suite: false,
        missing: Kind::Ca,
        search: Search::NEW,
        connecting: false,
        restart: None,
    };

    /// Whether a server that asks is shown a client certificate: what is under the tag, be it asked for or not.
    fn shows(&self) -> bool {
        self.present & 0b110 == 0b110
    }

    /// The modem says that it has restarted.
    pub(crate) fn restarted(&mut self, restart: Option<Restart>) {
        self.restart = restart.or(self.restart);
    }

    /// Why an open has failed that ended with `failure`, or with the life of the modem.
    pub(crate) fn judge_failure(&self, failure: ConnectError) -> ConnectError {
        if !self.connecting {
            return failure;
        }
        match (self.restart, failure) {
            // A chain that is too long does it at each try, a bad supply at random moments (sheet 1.5).
            (Some(Restart::ModemCore { reason }), _) => {
                let reason = u16::try_from(reason).unwrap_or(u16::MAX);
                let code = Code::Vendor(reason, Meaning::new("the modem core crashed"));
                let causes = Causes::new(&[Cause::ChainTooLong, Cause::ModemReset]);
                ConnectError::Refused(Refusal::new(code, causes))
            }
            // It was there up to the command, which cannot be cancelled: the network or the server is slow, and
            // not the wiring at fault (sheet 4.3).
            (None, ConnectError::At(AtError::Timeout | AtError::ModemReset)) => {
                ConnectError::TimedOut
            }
            (_, failure) => failure,
        }
    }
}

impl<F: Family> Nrf9160<F> {
    /// Whether the suite of a connection can be read (sheet 4.2); `Unknown` until the modem has said on which chip
    /// it runs.
    pub(crate) fn tells_suite(&self) -> Support {
        let firmware = self.firmware();
        if !firmware.release().tells_suite {
            return Support::No;
        }
        match self.is_91x1 {
            _ if firmware.is_native() || firmware.has_handles() => Support::Yes,
            None => Support::Unknown,
            Some(true) => Support::Yes,
            Some(false) => Support::No,
        }
    }

    pub(crate) const OPEN: Script<F> = &[decide(begin)];

    /// What the modem's own store holds under a number: of the tag, for its TLS; or one for each credential,
    /// as type 0, for native builds of 2.0 to 2.5. An empty store may be a refusal.
    pub(crate) const CREDENTIALS: Script<F> = &[ask("AT%CMNG=1,{n}")
        .limit(QUICK)
        .each(listed)
        .then(all_listed)];

    /// The store of native builds from 2.6 on, which may refuse at random in 2.6.0 (sheet 7.3).
    pub(crate) const SETTINGS_STORE: Script<F> = &[ask("AT#XCMNG=1")
        .limit(QUICK)
        .each(setting_listed)
        .then(settings_listed)];

    /// What is missing may be where the TLS in use does not look (sheet 7.4).
    pub(crate) const ELSEWHERE: Script<F> = &[ask("AT%CMNG=1,{n}")
        .limit(QUICK)
        .each(seen_elsewhere)
        .then(searched)];

    /// The credentials are there.
    pub(crate) const PRESENT: Script<F> = &[decide(choose_suites)];

    /// Whether the suite of a connection can be read: of native TLS, and of the modem's on an nRF91x1 (sheet
    /// 4.2). Asked until the answer was understood.
    pub(crate) const MODEL: Script<F> =
        &[ask("AT+CGMR").limit(QUICK).each(model).then(model_asked)];

    /// IPv4, stream, client, tag, peer must be verified. The socket becomes the current one (SLM).
    pub(crate) const CREATE: Script<F> = &[
        decide(expect_handle),
        ask("AT#XSSOCKET=1,1,0,{t},2").limit(QUICK).then(created),
        // Not set by `#XCONNECT`, and without it nobody compares the name.
        ask("AT#XSSOCKETOPT={o}1,2,{s}").limit(QUICK).then(name_set),
        // `#XSSOCKET` has said so already; but one bit less of it on the line, and nobody would be verified.
        // Refused: asked for once, then.
        ask("AT#XSSOCKETOPT={o}1,5,2").limit(QUICK).then(verify_set),
        // A session that is resumed is not verified anew.
        ask("AT#XSSOCKETOPT={o}1,12,{c}")
            .limit(QUICK)
            .then(cache_set),
        decide(|_, _, _| Then::To(script::CONNECT)),
    ];

    /// DNS, TCP and TLS; one refusal for whatever it was (sheet 4.3).
    pub(crate) const CONNECT: Script<F> = &[
        decide(begin_connect),
        ask("AT#XCONNECT={o}{s},{p}").limit(CONNECT).then(connected),
    ];

    /// Nothing of the application's was sent yet. A judge that refuses closes the socket.
    pub(crate) const SUITE: Script<F> =
        &[ask("AT#XSSOCKETOPT={o}0,4").limit(QUICK).then(judge_suite)];

    /// Which credentials the tag has.
    pub(crate) fn list_credentials(&mut self, world: &mut World<'_>) -> Then {
        let Some(open) = &world.open else {
            return world.fail(AtError::ModemReset);
        };
        let tag = open.config.tag();
        self.opening.number = match self.firmware().store() {
            Store::Settings => return Then::To(script::SETTINGS_STORE),
            Store::Modem => tag.0,
            Store::Mapped => tag.0.saturating_mul(10),
        };
        Then::To(script::CREDENTIALS)
    }
}

/// Refuses what cannot be, before anything is sent.
pub(crate) fn admit<F: Family>(modem: &Nrf9160<F>, config: &TlsConfig) -> Result<(), ConnectError> {
    let firmware = modem.firmware();
    credentials::check_tag(firmware.store(), config.tag())?;
    if firmware.store() == Store::Mapped && !modem.config.patched_native {
        return Err(ConnectError::Firmware {
            reason: "this native TLS build of SLM 2.0 to 2.5 corrupts its heap when a TLS socket is opened: update to 2.6 or later, or use a build without native TLS and store the credentials there; a build with Nordic's fix is declared by Config::patched_native",
        });
    }
    if !modem.hears_all() {
        return Err(ConnectError::Lacks(Feature::FlowControl));
    }
    let has = sectag::modem::Modem::capabilities(modem);
    let mut hoped = has.verification;
    // No suite can be asked for; where one can be read, it is judged once there is a connection.
    if hoped.suites == Support::Unknown {
        hoped.suites = Support::Yes;
    }
    let only = matches!(config.offered_suites(), Suites::Only(_));
    if only && hoped.suites != Support::Yes {
        return Err(ConnectError::Lacks(Feature::SuiteChoice));
    }
    hoped.chain = Support::Yes;
    hoped.name = Support::Yes;
    config.check(&hoped)?;
    config.suites_for(&has).map(|_| ())
}

fn begin<F: Family>(modem: &mut Nrf9160<F>, world: &mut World<'_>, _: Option<&[u8]>) -> Then {
    modem.opening = Opening::NEW;
    if world.name(HOST_LIMIT, &mut [0]) > 0 {
        return world.fail(InvalidInput::TooLong { limit: HOST_LIMIT });
    }
    if modem.offline {
        return modem.join(script::OPEN);
    }
    let min = world.open.map(|open| open.config.earliest_date());
    modem.look_at_clock(min)
}

fn mark(opening: &mut Opening, kind: Kind) {
    opening.present |= 1 << credentials::number(kind);
}

fn listed<F: Family>(modem: &mut Nrf9160<F>, _: &mut World<'_>, line: &[u8]) {
    let mapped = modem.firmware().store() == Store::Mapped;
    let opening = &mut modem.opening;
    let Some((_, of)) = place(line).filter(|place| place.0 == opening.number) else {
        return;
    };
    let kind = match (mapped, of) {
        (false, of) => credentials::kind(of),
        (true, 0) => credentials::kind(opening.place.into()),
        (true, _) => None,
    };
    if let Some(kind) = kind {
        mark(opening, kind);
    }
}

/// An empty store may be a refusal (513).
fn is_listed(world: &World<'_>, answer: Option<&[u8]>) -> bool {
    answer.is_some() || error(world) == AtError::Refused(Code::Cme(513))
}

fn all_listed<F: Family>(
    modem: &mut Nrf9160<F>,
    world: &mut World<'_>,
    answer: Option<&[u8]>,
) -> Then {
    if !is_listed(world, answer) {
        return world.fail(error(world));
    }
    let mapped = modem.firmware().store() == Store::Mapped;
    let opening = &mut modem.opening;
    opening.place += 1;
    if mapped && usize::from(opening.place) < Kind::ALL.len() {
        opening.number += 1;
        return Then::Same;
    }
    judge_credentials(modem, world)
}

fn setting_listed<F: Family>(modem: &mut Nrf9160<F>, world: &mut World<'_>, line: &[u8]) {
    if let Some((tag, kind)) = settings_item(line)
        && world.open.is_some_and(|open| open.config.tag() == tag)
    {
        mark(&mut modem.opening, kind);
    }
}

fn settings_listed<F: Family>(
    modem: &mut Nrf9160<F>,
    world: &mut World<'_>,
    answer: Option<&[u8]>,
) -> Then {
    modem.opening.tries += 1;
    match answer {
        Some(_) => judge_credentials(modem, world),
        None if modem.opening.tries < credentials::SETTINGS_TRIES => Then::Same,
        None => world.fail(error(world)),
    }
}

fn judge_credentials<F: Family>(modem: &mut Nrf9160<F>, world: &mut World<'_>) -> Then {
    let Some(open) = &world.open else {
        return world.fail(AtError::ModemReset);
    };
    let wanted = if open.config.has_client_certificate() {
        0b111
    } else {
        0b001
    };
    let missing = wanted & !modem.opening.present;
    let Some(missing) = credentials::kind(missing.trailing_zeros()) else {
        return Then::To(script::PRESENT);
    };
    modem.opening.missing = missing;
    modem.opening.search = Search::new(modem.firmware().store(), open.config.tag());
    search(modem, world)
}

fn search<F: Family>(modem: &mut Nrf9160<F>, world: &mut World<'_>) -> Then {
    let opening = &mut modem.opening;
    if let Some(number) = opening.search.next() {
        opening.number = number;
        return Then::To(script::ELSEWHERE);
    }
    let kind = opening.missing;
    world.fail(match opening.search.found() {
        Some(found) => ConnectError::CredentialInOtherStore { kind, found },
        None => ConnectError::CredentialMissing(kind),
    })
}

fn seen_elsewhere<F: Family>(modem: &mut Nrf9160<F>, _: &mut World<'_>, line: &[u8]) {
    let opening = &mut modem.opening;
    if let Some((_, of)) = place(line).filter(|place| place.0 == opening.number) {
        opening.search.seen(of);
    }
}

fn searched<F: Family>(
    modem: &mut Nrf9160<F>,
    world: &mut World<'_>,
    answer: Option<&[u8]>,
) -> Then {
    if is_listed(world, answer) {
        search(modem, world)
    } else {
        world.fail(error(world))
    }
}

fn choose_suites<F: Family>(
    modem: &mut Nrf9160<F>,
    world: &mut World<'_>,
    _: Option<&[u8]>,
) -> Then {
    let any = world
        .open
        .is_none_or(|open| open.config.offered_suites() == Suites::All);
    let told = modem.tells_suite();
    if !any && told == Support::Unknown {
        return Then::To(script::MODEL);
    }
    modem.opening.judges_suite = !any && told == Support::Yes;
    Then::To(script::CREATE)
}

fn model<F: Family>(modem: &mut Nrf9160<F>, _: &mut World<'_>, line: &[u8]) {
    // `mfw_nrf9160_1.3.6`, `mfw_nrf91x1_2.0.1`.
    let names = |chip: &[u8; 7]| line.windows(7).any(|part| part == chip);
    if names(b"nrf91x1") {
        modem.is_91x1 = Some(true);
    } else if names(b"nrf9160") {
        modem.is_91x1 = Some(false);
    }
}

fn model_asked<F: Family>(
    modem: &mut Nrf9160<F>,
    world: &mut World<'_>,
    answer: Option<&[u8]>,
) -> Then {
    let Some(config) = world.open.map(|open| open.config) else {
        return world.fail(AtError::ModemReset);
    };
    if answer.is_none() {
        return world.fail(error(world));
    }
    modem.opening.judges_suite = modem.is_91x1 == Some(true);
    if modem.opening.judges_suite {
        return Then::To(script::CREATE);
    }
    if matches!(config.offered_suites(), Suites::Only(_)) {
        return world.fail(ConnectError::Lacks(Feature::SuiteChoice));
    }
    let mut known = sectag::modem::Modem::capabilities(modem).verification;
    known.suites = Support::No;
    match config.check(&known) {
        Ok(()) => Then::To(script::CREATE),
        Err(refusal) => world.fail(refusal),
    }
}

/// Until its handle is known, there may be one that nobody knows; and those of earlier opens, until they are
/// closed.
fn expect_handle<F: Family>(
    modem: &mut Nrf9160<F>,
    world: &mut World<'_>,
    _: Option<&[u8]>,
) -> Then {
    modem.opening.place = modem.lost.into();
    modem.lost = true;
    modem.current = None;
    world.expect_open();
    Then::Next
}

fn created<F: Family>(
    modem: &mut Nrf9160<F>,
    world: &mut World<'_>,
    answer: Option<&[u8]>,
) -> Then {
    let Some(text) = answer else {
        // One that nobody knows may be in the way.
        return world.fail(ConnectError::TooManySockets);
    };
    let Some(handle) = fields(text, "#XSSOCKET:").byte() else {
        return world.fail(AtError::Garbled);
    };
    world.take_id(handle);
    modem.reports.begin(handle);
    modem.moving.handle = handle;
    modem.current = Some(handle);
    modem.lost = modem.opening.place > 0;
    Then::Next
}

fn name_set<F: Family>(_: &mut Nrf9160<F>, world: &mut World<'_>, answer: Option<&[u8]>) -> Then {
    match answer {
        Some(_) => Then::Next,
        None => world.fail(ConnectError::Unsupported {
            setting: "TLS_HOSTNAME",
        }),
    }
}

fn verify_set<F: Family>(modem: &mut Nrf9160<F>, _: &mut World<'_>, _: Option<&[u8]>) -> Then {
    if modem.firmware().store() == Store::Modem {
        Then::Next
    } else {
        Then::To(script::CONNECT)
    }
}

/// Some firmware has no such option; another refuses a line that was garbled on its way, and takes it the
/// second time.
fn cache_set<F: Family>(
    modem: &mut Nrf9160<F>,
    world: &mut World<'_>,
    answer: Option<&[u8]>,
) -> Then {
    if answer.is_some() {
        return Then::Next;
    }
    modem.opening.tries += 1;
    if modem.opening.tries == 1 {
        return Then::Same;
    }
    if world
        .open
        .is_some_and(|open| open.config.resumes_sessions())
    {
        return world.fail(ConnectError::Unsupported {
            setting: "TLS_SESSION_CACHE",
        });
    }
    Then::Next
}

fn begin_connect<F: Family>(modem: &mut Nrf9160<F>, _: &mut World<'_>, _: Option<&[u8]>) -> Then {
    modem.opening.connecting = true;
    Then::Next
}

fn connected<F: Family>(
    modem: &mut Nrf9160<F>,
    world: &mut World<'_>,
    answer: Option<&[u8]>,
) -> Then {
    if answer.is_none() {
        let refusal = refusal(world.code, modem.opening.shows());
        let end = world.fail(ConnectError::Refused(refusal));
        return modem.judge_loss(end);
    }
    modem.opening.connecting = false;
    if modem.opening.judges_suite {
        return Then::To(script::SUITE);
    }
    verified(modem, world)
}

/// A bare ERROR for whatever it was (sheet 4.3). Where the tag holds a client certificate and its key, they are shown
/// to a server that asks (`shows`).
fn refusal(code: Code, shows: bool) -> Refusal {
    let causes = Causes::new(&[
        Cause::CaMismatch,
        Cause::NameMismatch,
        Cause::NameUnknown,
        Cause::Unreachable,
        Cause::ClientCertificateNeeded,
        Cause::ClientCertificateRefused,
        Cause::ClientKeyMismatch,
        Cause::CertificateExpired,
        Cause::CertificateNotYetValid,
        Cause::NotTls,
        Cause::NoCommonSuite,
        Cause::ChainTooLong,
        Cause::CaUnreadable,
        Cause::SniNeeded,
        Cause::NetworkSlow,
    ]);
    let refusal = Refusal::new(code, causes);
    if shows {
        refusal.without(Cause::ClientCertificateNeeded)
    } else {
        refusal
            .without(Cause::ClientCertificateRefused)
            .without(Cause::ClientKeyMismatch)
    }
}

fn judge_suite<F: Family>(
    modem: &mut Nrf9160<F>,
    world: &mut World<'_>,
    answer: Option<&[u8]>,
) -> Then {
    let Some(open) = &world.open else {
        return world.fail(AtError::ModemReset);
    };
    // `<value>` or `<handle>,<value>`.
    let number = answer.and_then(|text| last(text, "#XSSOCKETOPT:"));
    match number.and_then(|number| u16::try_from(number).ok()) {
        Some(number) if open.config.allows_suite(number) => verified(modem, world),
        Some(number) => world.fail(ConnectError::SuiteNotAllowed { number }),
        None => world.fail(ConnectError::Lacks(Feature::SuiteChoice)),
    }
}

fn verified<F: Family>(modem: &mut Nrf9160<F>, world: &mut World<'_>) -> Then {
    let mut verified = sectag::modem::Modem::capabilities(modem).verification;
    verified.suites = if modem.opening.judges_suite {
        Support::Yes
    } else {
        Support::No
    };
    let shows = modem.opening.shows();
    verified.client_certificate = if shows { Support::Yes } else { Support::No };
    if let Some(open) = &mut world.open {
        open.verified = verified;
    }
    Then::End
}
