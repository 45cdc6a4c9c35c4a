//! Opens a verified connection (sheet 4 and 5): clock, credentials, socket, options, connect, suite.

use sectag::at::InvalidInput;
use sectag::modem::{Then, World, ask, decide};
use sectag::{AtError, Code, ConnectError, Feature, Kind, Suites, Support, TlsConfig};

use crate::causes;
use crate::commands::{CONNECT, QUICK, error, fields, last};
use crate::credentials::{self, Search, place, settings_item};
use crate::dialect::Store;
use crate::{Family, Nrf9160, Restart, Script, script};

/// The longest host name of `#XCONNECT`, in bytes.
const HOST_LIMIT: usize = 127;

/// Scratch of an open.
pub(crate) struct Opening {
    /// The number in the modem's store that is being listed.
    pub(crate) number: u32,
    /// The kinds of credentials that the tag has, a bit each.
    present: u8,
    /// The index of the kind that is being listed, where each kind has a number of its own. While the
    /// socket is created, whether an earlier one was lost.
    place: u8,
    tries: u8,
    /// The suite of the connection has to be read and judged.
    judges_suite: bool,
    /// The kind that is missing, while other places are searched for it.
    missing: Kind,
    search: Search,
    /// `#XCONNECT` was sent and has not succeeded.
    connecting: bool,
    /// The restart that the modem has reported since the open began.
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

    /// Returns whether the modem shows a client certificate to a server that asks: it shows the one
    /// under the tag, whether or not the policy wants that.
    fn shows(&self) -> bool {
        self.present & 0b110 == 0b110
    }

    /// Notes that the modem has reported a restart.
    pub(crate) fn restarted(&mut self, restart: Option<Restart>) {
        self.restart = restart.or(self.restart);
    }

    /// Returns the error of an open that ended with `failure` or with a restart.
    pub(crate) fn judge_failure(&self, failure: ConnectError) -> ConnectError {
        if !self.connecting {
            return failure;
        }
        match (self.restart, failure) {
            (Some(Restart::ModemCore { reason }), _) => {
                ConnectError::Refused(causes::core_crashed(reason))
            }
            // The modem answered up to the connect, which cannot be cancelled. So the network or the
            // server is slow, and the wiring is not at fault (sheet 4.3).
            (None, ConnectError::At(AtError::Timeout | AtError::ModemReset)) => {
                ConnectError::TimedOut
            }
            (_, failure) => failure,
        }
    }
}

impl<F: Family> Nrf9160<F> {
    /// Returns whether the suite of a connection can be read (sheet 4.2); `Unknown` until the modem has
    /// reported its chip.
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

    /// Lists what the modem's own store holds under a number: that of the tag for the modem's TLS, or
    /// one for each credential, as type 0, for native builds of 2.0 to 2.5. An empty store may be
    /// answered by a refusal.
    pub(crate) const CREDENTIALS: Script<F> = &[ask("AT%CMNG=1,{n}")
        .limit(QUICK)
        .each(listed)
        .then(all_listed)];

    /// Lists the store of native builds from 2.6 on. 2.6.0 may refuse at random (sheet 7.3).
    pub(crate) const SETTINGS_STORE: Script<F> = &[ask("AT#XCMNG=1")
        .limit(QUICK)
        .each(setting_listed)
        .then(settings_listed)];

    /// Searches for a missing credential in places that the TLS in use does not read (sheet 7.4).
    pub(crate) const ELSEWHERE: Script<F> = &[ask("AT%CMNG=1,{n}")
        .limit(QUICK)
        .each(seen_elsewhere)
        .then(searched)];

    /// Goes on once the credentials are there.
    pub(crate) const PRESENT: Script<F> = &[decide(choose_suites)];

    /// Asks for the chip, which decides whether the suite of a connection can be read: of native TLS
    /// always, of the modem's TLS on an nRF91x1 (sheet 4.2). Later opens ask again only if the answer
    /// was not understood.
    pub(crate) const MODEL: Script<F> =
        &[ask("AT+CGMR").limit(QUICK).each(model).then(model_asked)];

    /// Creates the socket: IPv4, stream, client, tag, the peer must be verified. It becomes the current
    /// socket (SLM).
    pub(crate) const CREATE: Script<F> = &[
        decide(expect_handle),
        ask("AT#XSSOCKET=1,1,0,{t},2").limit(QUICK).then(created),
        // `#XCONNECT` does not set the name, and without it nothing compares the name.
        ask("AT#XSSOCKETOPT={o}1,2,{s}").limit(QUICK).then(name_set),
        // `#XSSOCKET` has asked for this already; but a single bit lost on the line would switch
        // verification off, so it is asked for twice. A refusal leaves the first request in force.
        ask("AT#XSSOCKETOPT={o}1,5,2").limit(QUICK).then(verify_set),
        // A resumed session is not verified again.
        ask("AT#XSSOCKETOPT={o}1,12,{c}")
            .limit(QUICK)
            .then(cache_set),
        decide(|_, _, _| Then::To(script::CONNECT)),
    ];

    /// Connects: DNS, TCP and TLS, with one refusal for all failures (sheet 4.3).
    pub(crate) const CONNECT: Script<F> = &[
        decide(begin_connect),
        ask("AT#XCONNECT={o}{s},{p}").limit(CONNECT).then(connected),
    ];

    /// Reads the suite of the connection before anything of the application is sent. If the judge
    /// refuses it, the socket is closed.
    pub(crate) const SUITE: Script<F> =
        &[ask("AT#XSSOCKETOPT={o}0,4").limit(QUICK).then(judge_suite)];

    /// Lists the credentials of the tag.
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

/// Refuses a policy that the modem cannot meet, before anything is sent.
pub(crate) fn admit<F: Family>(modem: &Nrf9160<F>, config: &TlsConfig) -> Result<(), ConnectError> {
    let firmware = modem.firmware();
    credentials::check_tag(firmware.store(), config.tag())?;
    if firmware.store() == Store::Mapped && !modem.config.patched_native {
        return Err(ConnectError::Firmware {
            reason: "this native TLS build of SLM 2.0 to 2.5 corrupts its heap when a TLS socket is opened: update to 2.6 or later, or use a build without native TLS and store the credentials there; a build with Nordic's fix is declared by Config::patched_native",
        });
    }
    if !modem.loses_no_bytes() {
        return Err(ConnectError::Lacks(Feature::FlowControl));
    }
    let has = sectag::modem::Modem::capabilities(modem);
    let mut hoped = has.verification;
    // No suite can be asked for. Where one can be read, it is judged after the connect.
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
    if modem.watches() {
        return modem.unwatch(script::OPEN);
    }
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

/// Returns whether a list was answered; an empty store may be refused with 513.
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

/// Marks the socket as lost until its handle is known. If an earlier one is lost already, that stays so
/// until it is closed.
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
        // A lost socket may take the place.
        return world.fail(ConnectError::TooManySockets);
    };
    let Some(handle) = fields(text, "#XSSOCKET:").byte() else {
        return world.fail(AtError::Garbled);
    };
    world.take_id(handle);
    modem.reports.begin(handle);
    modem.transfer.handle = handle;
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

/// Judges the session cache option. Some firmware does not have it; another may have refused a garbled
/// line, and accepts it the second time.
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
        let refusal = causes::open_refused(world.code, modem.opening.shows());
        let end = world.fail(ConnectError::Refused(refusal));
        return modem.judge_loss(end);
    }
    modem.opening.connecting = false;
    if modem.opening.judges_suite {
        return Then::To(script::SUITE);
    }
    verified(modem, world)
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
