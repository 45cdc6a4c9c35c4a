//! Opens a verified connection: one URL names the server and the credentials (sheet A.4.2).

use sectag::at::InvalidInput;
use sectag::modem::{Out, Then, Urc, World, ask, decide};
use sectag::{AtError, ConnectError, Feature, Kind, Suites, Support, Tag, TlsConfig, TlsVersion};

use super::dialect::error;
use super::{Script, ShortRange, causes, credentials, script};

/// The longest URL that other drivers send, in bytes (sheet A.4.2).
const URL_LIMIT: usize = 128;
/// The time limit of a connect, in milliseconds: DNS, TCP and TLS. The module's own limit is not
/// documented; it is 5 s or more (sheet A.4.2).
const CONNECT_LIMIT: u32 = 60_000;
/// How often the flow looks for notices that did not wake it, in milliseconds.
const SLICE: u32 = 250;

/// Scratch of an open.
#[derive(Debug)]
pub(super) struct Opening {
    /// The command was sent.
    asked: bool,
    handle: Option<u32>,
    /// The handle of a peer that was reported gone before our handle was answered.
    gone: Option<u32>,
    /// The channel that was taken for this connection.
    channel: Option<u8>,
    /// The handle that both sides have reported up with that channel. The connection may have ended
    /// since.
    stood: Option<u32>,
    /// The number of resyncs of the frame stream when the command was sent.
    resyncs: u32,
    /// The index of the kind of credential that is being looked for.
    looked: u8,
}

impl Opening {
    pub(super) const NEW: Self = Self {
        asked: false,
        handle: None,
        gone: None,
        channel: None,
        stood: None,
        resyncs: 0,
        looked: 0,
    };

    /// Notes a `+UUDPD` of this handle.
    pub(super) fn ended(&mut self, handle: u32) {
        if self.asked {
            self.gone = Some(handle);
        }
    }

    fn is_gone(&self) -> bool {
        self.handle.is_some() && self.gone == self.handle
    }

    /// Returns whether the module may have a peer for this open.
    pub(super) fn may_stand(&self) -> bool {
        self.asked && !self.is_gone()
    }

    /// Returns whether this is the handle of this open's peer.
    pub(super) fn owns(&self, handle: u32) -> bool {
        self.handle == Some(handle)
    }
}

impl ShortRange {
    pub(super) const OPEN: Script = &[
        decide(begin),
        ask("AT+UDCP=\"{u}\"").limit(100).then(asked),
        decide(|_, _, _| Then::To(script::WAIT_OPEN)),
    ];

    /// Waits until both sides have reported the connection, or one its end (sheet A.5).
    pub(super) const WAIT_OPEN: Script = &[
        decide(stands),
        decide(|_, _, _| Then::To(script::WAIT_OPEN)),
    ];

    /// Looks for the credentials, since the module gives no reason for a failure.
    pub(super) const WHY: Script = &[ask("AT+USECMNG=4,{c}").then(why)];

    pub(super) const ABORT_OPEN: Script = &[ask("AT+UDCPC={h}").then(|_, world, _| {
        // A refusal means that the peer does not exist any more.
        world.fail(ConnectError::TimedOut)
    })];
}

/// Refuses a policy that the module cannot meet, before anything is sent.
pub(super) fn admit(modem: &ShortRange, config: &TlsConfig) -> Result<(), ConnectError> {
    if !modem.config.flow_control {
        return Err(ConnectError::Lacks(Feature::FlowControl));
    }
    if matches!(config.offered_suites(), Suites::Only(_)) {
        return Err(ConnectError::Lacks(Feature::SuiteChoice));
    }
    let has = sectag::modem::Modem::capabilities(modem);
    config.check(&has.verification)?;
    config.suites_for(&has)?;
    floor(modem, config)
}

/// Refuses a policy that excludes old versions of TLS if the module cannot be told to.
fn floor(modem: &ShortRange, config: &TlsConfig) -> Result<(), ConnectError> {
    if modem.tls12 == Some(false) && config.oldest_version() > TlsVersion::Tls10 {
        return Err(ConnectError::Lacks(Feature::VersionFloor));
    }
    Ok(())
}

fn begin(modem: &mut ShortRange, world: &mut World<'_>, _: Option<&[u8]>) -> Then {
    modem.opening = Opening::NEW;
    let Some(config) = world.open.map(|open| open.config) else {
        return world.fail(AtError::ModemReset);
    };
    if let Err(refusal) = floor(modem, &config) {
        return world.fail(refusal);
    }
    let mut room = [0; URL_LIMIT + 1];
    let mut out = Out::new(&mut room);
    url(world, &mut out);
    let len = out.len();
    if len > URL_LIMIT {
        return world.fail(InvalidInput::TooLongTogether {
            len,
            limit: URL_LIMIT,
        });
    }
    modem.opening.asked = true;
    modem.opening.resyncs = world.resyncs();
    world.expect_open();
    Then::Next
}

/// Writes `tcp://<host>:<port>/?ca=..&cert=..&privKey=..`. A CA in the URL switches on TLS and the
/// check of the chain; `encr` would switch TLS on without the check, and `sni` and `verify` are in no
/// source (sheet A.4.2).
pub(super) fn url(world: &World<'_>, out: &mut Out<'_>) {
    let Some(open) = &world.open else { return };
    let mut piece = [0; 32];
    let mut offset = 0;
    let mut is_address = false;
    loop {
        let count = world.name(offset, &mut piece);
        is_address |= piece[..count].contains(&b':');
        if count == 0 {
            break;
        }
        offset += count;
    }
    out.bytes(if is_address { b"tcp://[" } else { b"tcp://" });
    world.write_name(out);
    out.bytes(if is_address { b"]:" } else { b":" });
    out.int(open.port.into());
    let tag = open.config.tag();
    out.bytes(b"/?ca=");
    credentials::name(tag, Kind::Ca, out);
    if open.config.has_client_certificate() {
        out.bytes(b"&cert=");
        credentials::name(tag, Kind::ClientCertificate, out);
        out.bytes(b"&privKey=");
        credentials::name(tag, Kind::PrivateKey, out);
    }
}

/// Writes the credential that is being looked for, as `<type>,"<name>"`.
pub(super) fn credential(modem: &ShortRange, world: &World<'_>, out: &mut Out<'_>) {
    let tag = world.open.map_or(Tag(0), |open| open.config.tag());
    let kind = Kind::ALL.get(usize::from(modem.opening.looked)).copied();
    credentials::place(tag, kind.unwrap_or(Kind::Ca), out);
}

/// Handles a connect event: a channel to a server's port.
pub(super) fn connected(
    modem: &mut ShortRange,
    world: &mut World<'_>,
    channel: u8,
    port: u16,
) -> Urc {
    let wanted = modem.opening.asked && modem.opening.channel.is_none();
    if wanted && world.open.is_some_and(|open| open.port == port) && world.adopt(channel) {
        modem.opening.channel = Some(channel);
        stood(modem);
        // This wakes the flow that waits for the channel.
        world.report.1 = 1;
        return Urc::Other;
    }
    // The channel is of an open that was given up, so it is closed.
    Urc::Opened {
        id: channel,
        result: 0,
    }
}

/// Notes whether both sides have reported the connection that is being opened.
pub(super) fn stood(modem: &mut ShortRange) {
    if let Some(channel) = modem.opening.channel
        && modem.opening.stood.is_none()
    {
        modem.opening.stood = modem.peers.handle_of(channel);
    }
}

fn asked(modem: &mut ShortRange, world: &mut World<'_>, answer: Option<&[u8]>) -> Then {
    let Some(text) = answer else {
        if world.ended.is_some() {
            return world.fail(error(world));
        }
        modem.opening.asked = false;
        return look_why(modem);
    };
    let line = sectag::at::answer(text, "+UDCP:");
    let Some(handle) = line.and_then(|line| sectag::at::Fields::new(line).int()) else {
        return world.fail(AtError::Garbled);
    };
    modem.opening.handle = Some(handle);
    Then::Next
}

fn stands(modem: &mut ShortRange, world: &mut World<'_>, _: Option<&[u8]>) -> Then {
    // A report from here on ends the pause.
    world.report.1 = 0;
    let opening = &modem.opening;
    let Some(handle) = opening.handle else {
        return world.fail(AtError::Garbled);
    };
    if opening.stood == Some(handle) {
        return verified(world);
    }
    if opening.is_gone() {
        return look_why(modem);
    }
    if world.resyncs() != opening.resyncs {
        // The report that is waited for may have been lost.
        return world.fail(AtError::Garbled);
    }
    if modem.peers.channel_of(handle).is_some() && opening.channel.is_some() {
        // The channel that was taken belongs to another peer.
        modem.peer_scratch.handle = handle;
        return Then::To(script::ABORT_OPEN);
    }
    if world.elapsed() >= CONNECT_LIMIT {
        modem.peer_scratch.handle = handle;
        return Then::To(script::ABORT_OPEN);
    }
    world.pause = SLICE;
    Then::Park
}

fn verified(world: &mut World<'_>) -> Then {
    if let Some(open) = &mut world.open {
        let mut verified = sectag::Verification::UNKNOWN;
        verified.chain = Support::Yes;
        verified.suites = Support::No;
        verified.client_certificate = if open.config.has_client_certificate() {
            Support::Yes
        } else {
            Support::No
        };
        open.verified = verified;
    }
    Then::End
}

fn look_why(modem: &mut ShortRange) -> Then {
    modem.opening.looked = 0;
    Then::To(script::WHY)
}

fn why(modem: &mut ShortRange, world: &mut World<'_>, answer: Option<&[u8]>) -> Then {
    let Some(config) = world.open.map(|open| open.config) else {
        return world.fail(AtError::ModemReset);
    };
    let looked = usize::from(modem.opening.looked);
    if answer.is_none() {
        if world.ended.is_some() {
            return world.fail(error(world));
        }
        let kind = Kind::ALL.get(looked).copied().unwrap_or(Kind::Ca);
        return world.fail(ConnectError::CredentialMissing(kind));
    }
    if config.has_client_certificate() && looked + 1 < Kind::ALL.len() {
        modem.opening.looked += 1;
        return Then::Same;
    }
    world.fail(ConnectError::Refused(causes::open_refused(&config)))
}
