//! What runs on the MCU.
//!
//! | order | step | what a power cut leaves |
//! |---|---|---|
//! | 1 | remove what an earlier try left under the new tag | the claim |
//! | 2 | a key and a signing request | the claim, and a key that nobody knows: see 1 |
//! | 3 | the certificate, as JSON over the claim's TLS connection | the same |
//! | 4 | is it whole, and for this key? | the same |
//! | 5 | store it beside the claim, connect with it | the same |
//! | 6 | write to flash that the new tag is the one to use | both sets; flash says which |
//! | 7 | remove the claim | the new set |

use core::fmt::Write as _;

use embedded_io_async::{Read, Write};
use heapless::String;
use sectag::csr::{Request, Requester, Subject};
use sectag::inspect::{Content, Decoder, Inspector};
use sectag::modem::Credentials;
use sectag::{Control, CredentialSet, Kind, RotateError, ServerName, Socket, Tag, TlsConfig};
use serde::{Deserialize, Serialize};

/// A certificate or request in PEM: RSA with a long subject is below it.
const PEM: usize = 2560;
/// A message of either side. Line ends take a byte more in JSON.
const MESSAGE: usize = 3072;
/// A request or certificate in DER.
const DER: usize = 1536;

/// The device's key, which can ask for a certificate.
pub trait DeviceKey: Requester {
    /// What is to be stored with the certificate; `None` when the modem made the key and has it.
    fn private_key(&self) -> Option<&[u8]>;
}

/// Where certificates are given out.
#[derive(Clone, Copy)]
pub struct Door<'a> {
    /// Its name.
    pub name: ServerName<'a>,
    /// Its TCP port.
    pub port: u16,
    /// Its CA, in PEM, which stays the same.
    pub ca: &'a str,
    /// The policy for a tag.
    pub tls: fn(Tag) -> TlsConfig,
}

/// Why the device still has only its claim. Doing it all again is allowed at any time.
#[derive(Debug)]
pub enum FleetError {
    /// No connection with the claim.
    Connect(sectag::ConnectError),
    /// The connection ended before the answer was complete.
    Cut,
    /// The answer is longer than the room for it.
    TooLong,
    /// The server answered with this status.
    Refused(u16),
    /// The answer is no JSON with a certificate in it.
    NotJson,
    /// What is in it is no whole certificate.
    NotACertificate,
    /// It is a certificate for another key.
    OtherKey,
    /// The key made no request.
    Key,
    /// What an earlier try left could not be removed.
    Leftovers,
    /// The new set could not be stored, or did not connect; it was removed.
    Rotate,
    /// The new set is the one to use, and the claim is still there: remove it.
    ClaimStays,
}

impl core::fmt::Display for FleetError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(match self {
            Self::Connect(error) => return write!(f, "no connection with the claim: {error}"),
            Self::Cut => "the server closed before its answer was complete: ask again",
            Self::TooLong => "the answer is too long: it should be one certificate",
            Self::Refused(status) => {
                return write!(f, "the server answered {status}: its log tells why");
            }
            Self::NotJson => "the answer is no JSON with a certificate: ask again",
            Self::NotACertificate => "the answer holds no whole certificate: ask again",
            Self::OtherKey => "the certificate is for another key: the server mixed up two devices",
            Self::Key => "the key made no signing request: see the modem's answer",
            Self::Leftovers => "the new tag could not be cleared: try again",
            Self::Rotate => {
                "the new set did not prove itself, so the claim stays in use: try again"
            }
            Self::ClaimStays => {
                "the new set is in use, and the claim could not be removed: remove it"
            }
        })
    }
}

impl core::error::Error for FleetError {}

#[derive(Serialize)]
struct Question<'a> {
    csr: &'a str,
}

#[derive(Deserialize)]
struct Answer {
    certificate: String<PEM>,
}

/// From the claim under `claim` to a set of the device's own under `new`. `remember` writes the tag to use to flash, and
/// is called once, before the claim is removed.
pub async fn provision<M: Credentials, K: DeviceKey>(
    control: Control<'_, M>,
    door: &Door<'_>,
    (claim, new): (Tag, Tag),
    subject: &Subject<'_>,
    key: &mut K,
    remember: impl FnOnce(Tag),
) -> Result<(), FleetError> {
    for kind in Kind::ALL {
        let removed = control.remove(new, kind).await;
        removed.map_err(|_| FleetError::Leftovers)?;
    }
    // Some modems leave the network to make a key, so before there is a connection.
    let mut room = [0; DER];
    let request = key.request(subject, &mut room).await;
    let request = request.map_err(|_| FleetError::Key)?;

    let tls = (door.tls)(claim);
    let socket = control.connect(door.name, door.port, &tls).await;
    let mut socket = socket.map_err(FleetError::Connect)?;
    let answered = ask(&mut socket, door, &request).await;
    // Closed also before the credentials change: some modems leave the network for that too.
    let _ = socket.close().await;
    let certificate = answered?;
    check(&certificate, &request)?;

    let mut set = CredentialSet::new()
        .ca(door.ca.as_bytes())
        .client_certificate(certificate.as_bytes());
    set = match key.private_key() {
        Some(key) => set.private_key(key),
        None => set.key_in_modem(),
    };
    let probe = async || {
        let tls = (door.tls)(new);
        let socket = control.connect(door.name, door.port, &tls).await;
        let socket = socket.map_err(|_| ())?;
        remember(new);
        let _ = socket.close().await;
        Ok::<_, ()>(())
    };
    match control.rotate(claim, new, set, probe).await {
        Ok(()) => Ok(()),
        Err(RotateError::Remove(_)) => Err(FleetError::ClaimStays),
        Err(_) => Err(FleetError::Rotate),
    }
}

/// One HTTP request and its answer: the certificate, in PEM.
async fn ask(
    socket: &mut Socket<'_>,
    door: &Door<'_>,
    request: &Request<'_>,
) -> Result<String<PEM>, FleetError> {
    let mut pem = String::<PEM>::new();
    write!(pem, "{}", request.pem()).map_err(|_| FleetError::TooLong)?;
    let mut message = [0; MESSAGE];
    let question = serde_json_core::to_slice(&Question { csr: &pem }, &mut message);
    let len = question.map_err(|_| FleetError::TooLong)?;
    let mut head = String::<256>::new();
    write!(
        head,
        "POST /certificates HTTP/1.1\r\nHost: {}\r\nContent-Type: application/json\r\nContent-Length: {len}\r\n\r\n",
        door.name.as_str()
    )
    .map_err(|_| FleetError::TooLong)?;
    for part in [head.as_bytes(), &message[..len]] {
        socket.write_all(part).await.map_err(|_| FleetError::Cut)?;
    }
    socket.flush().await.map_err(|_| FleetError::Cut)?;

    let body = answer(socket, &mut message).await?;
    // Its newlines are escaped in JSON.
    let mut unescaped = [0; PEM];
    let parsed = serde_json_core::from_slice_escaped::<Answer>(body, &mut unescaped);
    let (answer, _) = parsed.map_err(|_| FleetError::NotJson)?;
    Ok(answer.certificate)
}

/// The body of an HTTP answer that says its length.
async fn answer<'b>(socket: &mut Socket<'_>, room: &'b mut [u8]) -> Result<&'b [u8], FleetError> {
    let mut filled = 0;
    loop {
        if let Some((head, body)) = split_head(&room[..filled]) {
            let (status, length) = parse_head(head).ok_or(FleetError::NotJson)?;
            if !(200..300).contains(&status) {
                return Err(FleetError::Refused(status));
            }
            if filled - body >= length {
                return Ok(&room[body..body + length]);
            }
        }
        let rest = &mut room[filled..];
        if rest.is_empty() {
            return Err(FleetError::TooLong);
        }
        match socket.read(rest).await {
            Ok(0) | Err(_) => return Err(FleetError::Cut),
            Ok(count) => filled += count,
        }
    }
}

/// The head, and where the body begins.
fn split_head(text: &[u8]) -> Option<(&[u8], usize)> {
    let end = text.windows(4).position(|bytes| bytes == b"\r\n\r\n")?;
    Some((&text[..end], end + 4))
}

/// Status and Content-Length.
fn parse_head(head: &[u8]) -> Option<(u16, usize)> {
    let head = core::str::from_utf8(head).ok()?;
    let mut lines = head.split("\r\n");
    let status = lines.next()?.split(' ').nth(1)?.parse().ok()?;
    let length = lines.find_map(|line| {
        let (name, value) = line.split_once(':')?;
        let named = name.eq_ignore_ascii_case("content-length");
        named.then(|| value.trim().parse().ok()).flatten()
    });
    Some((status, length?))
}

/// Whether this is one whole certificate, for the key of the request.
fn check(certificate: &str, request: &Request<'_>) -> Result<(), FleetError> {
    let mut inspector = Inspector::new();
    inspector.feed(certificate.as_bytes());
    match inspector.finish() {
        Ok(found) if matches!(found.content, Content::Certificate(_)) => {}
        _ => return Err(FleetError::NotACertificate),
    }
    let mut decoder = Decoder::new();
    let mut der = heapless::Vec::<u8, DER>::new();
    let mut bytes = certificate.bytes().filter_map(|byte| decoder.push(byte));
    if bytes.any(|byte| der.push(byte).is_err()) {
        return Err(FleetError::TooLong);
    }
    if request.fits(&der) {
        Ok(())
    } else {
        Err(FleetError::OtherKey)
    }
}
