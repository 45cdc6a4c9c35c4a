//! TLS sockets: one current one (SLM) or a handle in every command (SM), sheet 3 to 5.

use embassy_time::{Duration, Instant};
use sectag::at::{AtatCmd, Fields, InvalidInput, answer};
use sectag::modem::{Open, Received, Sent, Slot, Transfer};
use sectag::{
    At, AtError, Cause, Causes, Code, ConnectError, Feature, Kind, Refusal, Suites, Support, Tag,
    TlsConfig, Verification,
};

use crate::commands::{Arg, CONNECT, Command, QUICK, SEND, SLOW, ask};
use crate::dialect::Store;
use crate::forms::{self, Form};
use crate::{Nrf9160, bring_up, clock, credentials};

/// What poll reports (sheet 4.4).
pub(crate) const IN: u8 = 1;
const ERR: u8 = 8;
const HUP: u8 = 16;
const NVAL: u8 = 32;
/// Do not wait (sheet 4.4). TRAP: without it and with a time of 0 the channel is dead for ever.
const DONT_WAIT: u32 = 64;
const SO_ERROR: u32 = 4;
/// The cipher suite used, as a TLS option (sheet 4.2).
const SUITE: u32 = 4;
/// Sheet 9.
const EMSGSIZE: u32 = 122;
/// Longest host name of `#XCONNECT`.
const HOST_LIMIT: usize = 127;
/// What waits to be sent is looked at in chunks of this.
const CHUNK: usize = 64;
/// A flush that the network does not take is given up after 30 s (sheet 4.4), and not told.
const GIVEN_UP: Duration = Duration::from_secs(29);
/// From the last announced byte to the modem's word that it has them (sheet 3.1).
const COUNTED_PATIENCE: Duration = Duration::from_secs(2);
/// 2.0 may be late in data mode (sheet 3); nobody says how late.
const LATE: Duration = Duration::from_millis(200);

/// Refuses what cannot be, before anything is sent.
pub(crate) fn admit(modem: &Nrf9160, config: &TlsConfig) -> Result<(), ConnectError> {
    credentials::check_tag(modem, config.tag())?;
    if modem.firmware.get().store() == Store::Mapped && !modem.config.patched_native {
        return Err(ConnectError::Firmware {
            reason: "this native TLS build of SLM 2.0 to 2.5 corrupts its heap when a TLS socket is opened: update to 2.6 or later, or use a build without native TLS and store the credentials there; a build with Nordic's fix is declared by Config::patched_native",
        });
    }
    if !modem.hears_all() {
        return Err(ConnectError::Lacks(Feature::FlowControl));
    }
    // No suite can be asked for; where one can be read, it is judged once there is a connection.
    if config.offered_suites() != Suites::All && !modem.firmware.get().release().tells_suite {
        return Err(ConnectError::Lacks(Feature::SuiteChoice));
    }
    let has = modem.capabilities_now();
    let mut hoped = has.verification;
    hoped.chain = Support::Yes;
    hoped.name = Support::Yes;
    config.check(&hoped)?;
    config.suites_for(&has).map(|_| ())
}

pub(crate) async fn open(
    modem: &Nrf9160,
    at: At<'_>,
    open: Open<'_>,
) -> Result<Verification, ConnectError> {
    let host = open.name.as_str();
    if host.len() > HOST_LIMIT {
        return Err(InvalidInput::TooLong { limit: HOST_LIMIT }.into());
    }
    let config = open.config;
    let _together = at.together().await;
    if modem.offline.get() {
        bring_up::online(modem, at)
            .await
            .map_err(ConnectError::BringUp)?;
    }
    let min = config.earliest_date();
    let now = clock::require(modem, at, min).await?;
    if !now.is_plausible(min) {
        return Err(ConnectError::ClockNotSet { now });
    }
    let shows = require_credentials(modem, at, config).await?;
    let choosy = config.offered_suites() != Suites::All;
    if choosy && !tells_suite(modem, at).await? {
        return Err(ConnectError::Lacks(Feature::SuiteChoice));
    }

    let handles = modem.firmware.get().has_handles();
    let handle = create(modem, at, &open).await?;
    set_option(
        at,
        handles,
        handle,
        &[Arg::Int(1), Arg::Int(2), Arg::Quoted(host)],
    )
    .await
    .map_err(|error| unsupported(error, "TLS_HOSTNAME"))?;
    // `#XSSOCKET` has said so already; but one bit less of it on the line, and nobody would be verified.
    let verify = [Arg::Int(1), Arg::Int(5), Arg::Int(2)];
    match set_option(at, handles, handle, &verify).await {
        // Asked for once, then.
        Ok(()) | Err(AtError::Refused(_)) => {}
        Err(error) => return Err(error.into()),
    }
    if modem.firmware.get().store() == Store::Modem {
        // A session that is resumed is not verified anew. Some firmware has no such option; another refuses
        // a line that was garbled on its way, and takes it the second time.
        let cache = u32::from(config.resumes_sessions());
        let option = [Arg::Int(1), Arg::Int(12), Arg::Int(cache)];
        let mut set = set_option(at, handles, handle, &option).await;
        if let Err(AtError::Refused(_)) = set {
            set = set_option(at, handles, handle, &option).await;
        }
        match set {
            Err(AtError::Refused(_)) if !config.resumes_sessions() => {}
            set => set.map_err(|error| unsupported(error, "TLS_SESSION_CACHE"))?,
        }
    }
    let args = [
        Arg::Int(handle.into()),
        Arg::Quoted(host),
        Arg::Int(open.port.into()),
    ];
    let args = &args[usize::from(!handles)..];
    match at.send(&Command::<CONNECT>::new("#XCONNECT", args)).await {
        Ok(_) => {}
        Err(AtError::Refused(code)) => {
            bring_up::judge_loss(modem, at).await;
            return Err(ConnectError::Refused(refusal(code, config)));
        }
        Err(error) => return Err(error.into()),
    }
    if choosy {
        judge_suite(modem, at, handle, config).await?;
    }
    let mut verified = modem.capabilities_now().verification;
    verified.client_certificate = if shows { Support::Yes } else { Support::No };
    Ok(verified)
}

/// Whether the suite of a connection can be read: of native TLS, and of the modem's on an nRF91x1 (sheet 4.2).
async fn tells_suite(modem: &Nrf9160, at: At<'_>) -> Result<bool, AtError> {
    let firmware = modem.firmware.get();
    if firmware.is_native() || firmware.has_handles() {
        return Ok(true);
    }
    let mut newer = false;
    at.lines(&Command::<QUICK>::new("+CGMR", &[]), &mut |line| {
        newer |= line.windows(7).any(|part| part == b"nrf91x1");
    })
    .await?;
    Ok(newer)
}

/// Nothing of the application's was sent yet. Whoever refuses closes.
async fn judge_suite(
    modem: &Nrf9160,
    at: At<'_>,
    handle: u8,
    config: &TlsConfig,
) -> Result<(), ConnectError> {
    let handles = modem.firmware.get().has_handles();
    let args = [Arg::Int(handle.into()), Arg::Int(0), Arg::Int(SUITE)];
    let args = &args[usize::from(!handles)..];
    let command = Command::<QUICK>::new("#XSSOCKETOPT", args);
    let number = ask(at, &command, "#XSSOCKETOPT:", |fields| {
        // `<value>` or `<handle>,<value>`.
        let value = Fields::new(fields.last()?).int()?;
        u16::try_from(value).ok()
    });
    match number.await {
        Ok(Some(number)) if config.allows_suite(number) => Ok(()),
        Ok(Some(number)) => Err(ConnectError::SuiteNotAllowed { number }),
        Ok(None) | Err(AtError::Refused(_)) => Err(ConnectError::Lacks(Feature::SuiteChoice)),
        Err(error) => Err(error.into()),
    }
}

fn unsupported(error: AtError, setting: &'static str) -> ConnectError {
    match error {
        AtError::Refused(_) => ConnectError::Unsupported { setting },
        error => error.into(),
    }
}

/// A bare ERROR for whatever it was (sheet 4.3).
fn refusal(code: Code, config: &TlsConfig) -> Refusal {
    let causes = Causes::new(&[
        Cause::CaMismatch,
        Cause::NameMismatch,
        Cause::NameUnknown,
        Cause::Unreachable,
        Cause::ClientCertificateNeeded,
        Cause::ClientCertificateRefused,
        Cause::CertificateExpired,
        Cause::NotTls,
        Cause::NoCommonSuite,
        Cause::ChainTooLong,
        Cause::NetworkSlow,
    ]);
    let refusal = Refusal::new(code, causes);
    if config.has_client_certificate() {
        refusal.without(Cause::ClientCertificateNeeded)
    } else {
        refusal.without(Cause::ClientCertificateRefused)
    }
}

/// Whether a client certificate is shown when the server asks: what is under the tag is used.
async fn require_credentials(
    modem: &Nrf9160,
    at: At<'_>,
    config: &TlsConfig,
) -> Result<bool, ConnectError> {
    let mut present = [false; 3];
    let tag: Tag = config.tag();
    credentials::of_tag(modem, at, tag, &mut |kind, _| {
        if let Some(index) = Kind::ALL.iter().position(|known| *known == kind) {
            present[index] = true;
        }
    })
    .await?;
    let mutual = config.has_client_certificate();
    for (kind, here) in Kind::ALL.into_iter().zip(present) {
        if !here && (kind == Kind::Ca || mutual) {
            return Err(match credentials::elsewhere(modem, at, tag).await? {
                Some(found) => ConnectError::CredentialElsewhere { kind, found },
                None => ConnectError::CredentialMissing(kind),
            });
        }
    }
    Ok(present[1] && present[2])
}

/// Opens a socket, which becomes the current one.
async fn create(modem: &Nrf9160, at: At<'_>, open: &Open<'_>) -> Result<u8, ConnectError> {
    // Until its handle is known, whoever closes this id closes all that nobody knows; and those of earlier
    // opens, until that was done.
    let lost = modem.lost.replace(true);
    modem.current.set(None);
    // IPv4, stream, client, tag, peer must be verified.
    let args = [
        Arg::Int(1),
        Arg::Int(1),
        Arg::Int(0),
        Arg::Int(open.config.tag().0),
        Arg::Int(2),
    ];
    let command = Command::<QUICK>::new("#XSSOCKET", &args);
    let handle = match ask(at, &command, "#XSSOCKET:", |fields| fields.byte()).await {
        Ok(Some(handle)) => handle,
        Ok(None) => return Err(AtError::Garbled.into()),
        // One that nobody knows may be in the way.
        Err(AtError::Refused(_)) => return Err(ConnectError::TooManySockets),
        Err(error) => return Err(error.into()),
    };
    modem.take_handle(open.id, handle);
    modem.current.set(Some(handle));
    modem.lost.set(lost);
    Ok(handle)
}

async fn set_option(
    at: At<'_>,
    handles: bool,
    handle: u8,
    option: &[Arg<'_>; 3],
) -> Result<(), AtError> {
    let args = [Arg::Int(handle.into()), option[0], option[1], option[2]];
    let args = &args[usize::from(!handles)..];
    at.send(&Command::<QUICK>::new("#XSSOCKETOPT", args))
        .await
        .map(|_| ())
}

/// Makes a socket the current one (SLM).
async fn select(modem: &Nrf9160, at: At<'_>, handle: u8) -> Result<(), AtError> {
    if modem.firmware.get().has_handles() || modem.current.get() == Some(handle) {
        return Ok(());
    }
    modem.current.set(None);
    let args = [Arg::Int(handle.into())];
    at.send(&Command::<QUICK>::new("#XSOCKETSELECT", &args))
        .await?;
    modem.current.set(Some(handle));
    Ok(())
}

/// What poll says of a socket now. Never waits, since everything else would.
async fn poll(at: At<'_>, handle: u8) -> Result<u8, AtError> {
    let args = [Arg::Int(0), Arg::Int(handle.into())];
    let command = Command::<QUICK>::new("#XPOLL", &args);
    let bits = ask(at, &command, "#XPOLL:", |fields| {
        let found = fields.byte()?;
        // `"0x0011"`.
        let bits = fields.text()?.strip_prefix("0x")?;
        let bits = u16::from_str_radix(bits, 16).ok()?;
        (found == handle).then_some(bits as u8)
    });
    Ok(bits.await?.unwrap_or(0))
}

pub(crate) async fn send(modem: &Nrf9160, at: At<'_>, transfer: Transfer) -> Result<Sent, AtError> {
    let _together = at.together().await;
    let Some(handle) = modem.handle(transfer.id) else {
        return Ok(Sent::Failed);
    };
    let sent = match select(modem, at, handle).await {
        Err(error) => Err(error),
        Ok(()) => send_pieces(modem, at, transfer, handle).await,
    };
    match sent {
        // No cause is told with it (sheet 1.3).
        Err(AtError::Refused(_)) => Ok(Sent::Failed),
        // Up to 2.4 the modem leaves data mode by itself when it cannot send.
        Err(AtError::Garbled) => {
            bring_up::judge_loss(modem, at).await;
            Ok(Sent::Failed)
        }
        sent => sent,
    }
}

/// What waits to be sent on a socket.
struct Waiting<'a> {
    at: At<'a>,
    slot: Slot,
    /// What comes after `chunk`, up to `end`.
    offset: usize,
    end: usize,
    chunk: [u8; CHUNK],
    filled: usize,
    read: usize,
}

impl<'a> Waiting<'a> {
    fn new(at: At<'a>, slot: Slot, offset: usize, end: usize) -> Self {
        Self {
            at,
            slot,
            offset,
            end,
            chunk: [0; CHUNK],
            filled: 0,
            read: 0,
        }
    }
}

impl Iterator for Waiting<'_> {
    type Item = u8;

    fn next(&mut self) -> Option<u8> {
        if self.read == self.filled {
            let wanted = self.end.saturating_sub(self.offset).min(CHUNK);
            self.filled = self
                .at
                .peek(self.slot, self.offset, &mut self.chunk[..wanted]);
            self.offset += self.filled;
            self.read = 0;
        }
        let byte = *self.chunk.get(..self.filled)?.get(self.read)?;
        self.read += 1;
        Some(byte)
    }
}

/// Sends piece by piece, each in the form that its bytes need. What is left after one that failed is not sent.
async fn send_pieces(
    modem: &Nrf9160,
    at: At<'_>,
    transfer: Transfer,
    handle: u8,
) -> Result<Sent, AtError> {
    let ways = modem.firmware.get().ways();
    let mut offset = 0;
    while offset < transfer.len {
        let waiting = Waiting::new(at, transfer.slot, offset, transfer.len);
        let piece = forms::first_piece(ways, waiting);
        if piece.len == 0 {
            return Err(AtError::Garbled);
        }
        let part = Part {
            slot: transfer.slot,
            handle,
            offset,
            len: piece.len,
        };
        let sent = match piece.form {
            Form::Text | Form::Hex => send_quoted(modem, at, part, piece.form).await?,
            Form::Counted => send_counted(at, part).await?,
            Form::Data => send_until_left(modem, at, part).await?,
        };
        if sent != Sent::Accepted {
            return Ok(sent);
        }
        offset += piece.len;
    }
    Ok(Sent::Accepted)
}

/// A piece of what waits to be sent on a socket.
#[derive(Clone, Copy)]
struct Part {
    slot: Slot,
    handle: u8,
    offset: usize,
    len: usize,
}

/// In quotes, as it is or in hex digits. What the modem says that it has sent must be all.
async fn send_quoted(modem: &Nrf9160, at: At<'_>, part: Part, form: Form) -> Result<Sent, AtError> {
    let hex = form == Form::Hex;
    let args = [
        Arg::Int(part.handle.into()),
        Arg::Int(hex.into()),
        Arg::Int(0),
    ];
    let args = if modem.firmware.get().has_handles() {
        &args[..]
    } else {
        &[]
    };
    let command = Command::<SEND>::opening("#XSEND", args);
    let length = if hex { 2 * part.len } else { part.len };
    let mut upload = at.quote(&command, length).await?;
    let end = part.offset + part.len;
    let mut waiting = Waiting::new(at, part.slot, part.offset, end);
    let mut left = part.len;
    while left > 0 {
        let mut chunk = heapless::Vec::<u8, CHUNK>::new();
        for byte in (&mut waiting).take(if hex { CHUNK / 2 } else { CHUNK }) {
            let digits = [
                b"0123456789ABCDEF"[usize::from(byte >> 4)],
                b"0123456789ABCDEF"[usize::from(byte & 15)],
            ];
            let shown: &[u8] = if hex { &digits } else { &[byte] };
            let _ = chunk.extend_from_slice(shown);
            left = left.saturating_sub(1);
        }
        if chunk.is_empty() {
            return Err(AtError::Garbled);
        }
        upload.write(&chunk).await?;
    }
    // `<bytes>` or `<handle>,<type>,<bytes>`.
    let mut sent = None;
    let end = upload
        .finish(&mut |line| {
            let text = answer(line, "#XSEND:");
            let count = text.and_then(|text| Fields::new(text).last());
            sent = sent.or(count.and_then(|count| Fields::new(count).int()));
        })
        .await;
    match end {
        Ok(()) if sent == Some(part.len as u32) => Ok(Sent::Accepted),
        Ok(()) => Err(AtError::Garbled),
        Err(error) => Err(error),
    }
}

/// Data mode of an announced length (SM). Firmware that cannot send all of it forgets the length, and stays in
/// data mode until it hears a `+++` (sheet 3.1); behind the length that is junk, which it ignores.
async fn send_counted(at: At<'_>, part: Part) -> Result<Sent, AtError> {
    let args = [
        Arg::Int(part.handle.into()),
        Arg::Int(2),
        Arg::Int(0),
        Arg::Int(part.len as u32),
    ];
    let command = Command::<SEND>::new("#XSEND", &args);
    let pipe = at.pipe(&command, part.slot, Some(part.len)).await?;
    pipe.copy(part.offset, part.offset + part.len).await?;
    pipe.leave_within(COUNTED_PATIENCE).await?;
    Ok(Sent::Accepted)
}

/// Data mode that `+++` ends. At most 1024 bytes go at a time, in order to stay away from the end of the
/// 4096-byte ring, where 2.0 to 2.4 do not recognise it, and to be one send of the modem's.
async fn send_until_left(modem: &Nrf9160, at: At<'_>, part: Part) -> Result<Sent, AtError> {
    let command = Command::<SEND>::new("#XSEND", &[]);
    let pipe = at.pipe(&command, part.slot, None).await?;
    if modem.firmware.get().release().late_data_mode {
        pipe.pause(LATE).await?;
    }
    let began = Instant::now();
    pipe.copy(part.offset, part.offset + part.len).await?;
    // In this silence the modem sends what it has: firmware that leaves data mode when it cannot is heard to do so,
    // and one to which the terminator comes in parts does not take the first of them for payload (sheet 3.2). The
    // last bytes may still be on the wire.
    let silence = modem.silence.get();
    pipe.pause(silence + silence / 4 + Duration::from_millis(20))
        .await?;
    pipe.leave().await?;
    // What could not be sent was dropped without a word (sheet 3). After a send that the modem gave up there may
    // be room again, and the next bytes would follow a hole.
    if began.elapsed() >= GIVEN_UP {
        return Ok(Sent::Failed);
    }
    if poll(at, part.handle).await? & (ERR | NVAL) != 0 {
        // The next look for data finds out why, and whether it is the network: notices are not told in data
        // mode.
        return Ok(Sent::Failed);
    }
    // A close that comes meanwhile, as after a farewell, is the peer's: the bytes were taken, as TCP takes
    // them.
    Ok(Sent::Accepted)
}

pub(crate) async fn receive(
    modem: &Nrf9160,
    at: At<'_>,
    transfer: Transfer,
) -> Result<Received, AtError> {
    let _together = at.together().await;
    let Some(handle) = modem.handle(transfer.id) else {
        return Ok(Received::NotConnected);
    };
    let handles = modem.firmware.get().has_handles();
    let bits = if handles {
        modem.told(transfer.id)
    } else {
        match poll(at, handle).await {
            Ok(0) => return Ok(Received::Empty),
            Ok(bits) if bits & NVAL == 0 => bits,
            Ok(_) | Err(AtError::Refused(_)) => return lost(modem, at).await,
            Err(error) => return Err(error),
        }
    };
    match select(modem, at, handle).await {
        Err(AtError::Refused(_)) => return lost(modem, at).await,
        selected => selected?,
    }
    if transfer.len == 0 {
        return match bits {
            0 => Ok(Received::Empty),
            bits if bits & (ERR | NVAL) == 0 => Ok(Received::Data(0)),
            bits => broken(modem, at, bits).await,
        };
    }
    let args = [
        Arg::Int(handle.into()),
        Arg::Int(0),
        Arg::Int(DONT_WAIT),
        Arg::Int(1),
        Arg::Int(transfer.len as u32),
    ];
    let slm = [Arg::Int(1), Arg::Int(DONT_WAIT)];
    let command = Command::<QUICK>::new("#XRECV", if handles { &args } else { &slm });
    match fetch(at, &command, transfer).await {
        Ok(Some(0)) => Ok(Received::Empty),
        Ok(Some(count)) => Ok(Received::Data(count)),
        Ok(None) => Ok(Received::End),
        Err(AtError::Refused(_)) => {
            // A notice may have come meanwhile.
            let bits = bits | modem.told(transfer.id);
            // Nothing yet, or broken: poll has told.
            if bits & (ERR | HUP | NVAL) == 0 {
                Ok(Received::Empty)
            } else {
                broken(modem, at, bits).await
            }
        }
        Err(error) => Err(error),
    }
}

/// The current socket is: why, where the firmware tells.
async fn broken(modem: &Nrf9160, at: At<'_>, bits: u8) -> Result<Received, AtError> {
    if modem.firmware.get().release().errno {
        let args = [Arg::Int(0), Arg::Int(SO_ERROR)];
        let command = Command::<QUICK>::new("#XSOCKETOPT", &args);
        match ask(at, &command, "#XSOCKETOPT:", |fields| fields.int()).await {
            Ok(Some(EMSGSIZE)) => return Ok(Received::TooLarge),
            Ok(_) | Err(AtError::Refused(_)) => {}
            Err(error) => return Err(error),
        }
    } else if bits & (ERR | HUP | NVAL) == ERR {
        // A peer that is gone, or LTE, hangs up (sheet 4.5): TLS alone has failed. After a handshake that
        // stood, that is a record larger than its buffer (sheet 7.5). UNCONFIRMED which bits it sets.
        bring_up::judge_loss(modem, at).await;
        return Ok(Received::TooLarge);
    }
    lost(modem, at).await
}

async fn fetch(
    at: At<'_>,
    command: &impl AtatCmd,
    transfer: Transfer,
) -> Result<Option<usize>, AtError> {
    at.receive_payload(command, transfer).await
}

async fn lost(modem: &Nrf9160, at: At<'_>) -> Result<Received, AtError> {
    bring_up::judge_loss(modem, at).await;
    Ok(Received::NotConnected)
}

pub(crate) async fn is_open(modem: &Nrf9160, at: At<'_>, id: u8) -> Result<bool, AtError> {
    let _together = at.together().await;
    let Some(handle) = modem.handle(id) else {
        return Ok(false);
    };
    if modem.firmware.get().has_handles() {
        // What was told and missed is told again (sheet 4.4). Refused, there is no such socket any more: not
        // closed by the peer, for then it would be there still.
        let args = [Arg::Int(handle.into()), Arg::Int(1), Arg::Int(IN.into())];
        if let Err(error) = at.send(&Command::<QUICK>::new("#XAPOLL", &args)).await {
            bring_up::judge_loss(modem, at).await;
            return Err(error);
        }
        return Ok(modem.told(id) & (ERR | NVAL) == 0);
    }
    Ok(poll(at, handle).await? & (ERR | NVAL) == 0)
}

pub(crate) async fn close(modem: &Nrf9160, at: At<'_>, id: u8) -> Result<(), AtError> {
    let _together = at.together().await;
    if let Some(handle) = modem.handle(id) {
        close_handle(modem, at, handle).await?;
        modem.set_handle(id, None);
    }
    if modem.lost.get() {
        // The answer to an open was lost.
        let handles = match listed(modem, at).await {
            // Another close asks again.
            Err(AtError::Refused(_)) => return Ok(()),
            handles => handles?,
        };
        for handle in handles {
            if !modem.knows(handle) {
                close_handle(modem, at, handle).await?;
            }
        }
        modem.lost.set(false);
    }
    Ok(())
}

async fn close_handle(modem: &Nrf9160, at: At<'_>, handle: u8) -> Result<(), AtError> {
    let handles = modem.firmware.get().has_handles();
    let args = [Arg::Int(if handles { handle.into() } else { 0 })];
    let name = if handles { "#XCLOSE" } else { "#XSOCKET" };
    let closed = match select(modem, at, handle).await {
        Ok(()) => at
            .send(&Command::<SLOW>::new(name, &args))
            .await
            .map(|_| ()),
        Err(error) => Err(error),
    };
    // Another one is the current one now.
    modem.current.set(None);
    match closed {
        // There is no such socket any more.
        Err(AtError::Refused(_)) => Ok(()),
        closed => closed,
    }
}

/// The handles that are open. SM lists plain and TLS sockets apart.
async fn listed(modem: &Nrf9160, at: At<'_>) -> Result<heapless::Vec<u8, 8>, AtError> {
    let mut found = heapless::Vec::new();
    let (name, prefix) = if modem.firmware.get().has_handles() {
        ("#XSSOCKET?", "#XSSOCKET:")
    } else {
        ("#XSOCKETSELECT?", "#XSOCKETSELECT:")
    };
    at.lines(&Command::<QUICK>::new(name, &[]), &mut |line| {
        if let Some(text) = answer(line, prefix) {
            let mut fields = Fields::new(text);
            // The line of the current one has nothing else.
            if let (Some(handle), Some(_)) = (fields.byte(), fields.next()) {
                let _ = found.push(handle);
            }
        }
    })
    .await?;
    Ok(found)
}

/// What an earlier life of the MCU left open; and notices, where there are any.
pub(crate) async fn close_all(modem: &Nrf9160, at: At<'_>) -> Result<(), AtError> {
    if modem.firmware.get().has_handles() {
        match at.send(&Command::<SLOW>::new("#XCLOSE", &[])).await {
            Ok(_) | Err(AtError::Refused(_)) => {}
            Err(error) => return Err(error),
        }
        let args = [Arg::Blank, Arg::Int(1), Arg::Int(IN.into())];
        return at
            .send(&Command::<QUICK>::new("#XAPOLL", &args))
            .await
            .map(|_| ());
    }
    for handle in listed(modem, at).await? {
        close_handle(modem, at, handle).await?;
    }
    // Where it exists and runs, `#XPOLL` is refused (sheet 4.4).
    let args = [Arg::Int(0)];
    match at.send(&Command::<QUICK>::new("#XAPOLL", &args)).await {
        Ok(_) | Err(AtError::Refused(_)) => Ok(()),
        Err(error) => Err(error),
    }
}
