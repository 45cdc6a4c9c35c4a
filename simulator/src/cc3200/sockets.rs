//! Sockets: each is a task that owns its connection, and a record that commands look at.

use std::cell::RefCell;
use std::collections::{BTreeMap, VecDeque};
use std::future::poll_fn;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use embassy_futures::select::select;
use tokio::io::AsyncBufRead;

use super::Nwp;
use crate::channel::{Channel, Inbox, poll_outgoing};
use crate::tls::{self, ServerCheck, TlsSettings};

// Socket options (sheet 4.3).
const METHOD: u8 = 25;
const MASK: u8 = 26;
const KEY_NAME: u8 = 30;
const CERTIFICATE_NAME: u8 = 31;
const CA_NAME: u8 = 32;
pub(super) const DOMAIN: u8 = 42;
/// Bytes that a socket keeps until they are asked for.
const RECEIVE_BUFFER: usize = 8 * 1024;
/// The number with which a recv ends when its socket is closed is UNCONFIRMED (sheet 3.5).
pub(super) const RECV_CLOSED: i16 = -1;

/// The suites of the mask, from bit 0 on (sheet 4.4).
const SUITES: [u16; 23] = [
    0x0005, 0x0004, 0x0035, 0x0039, 0xc014, 0xc011, 0x003c, 0x003d, 0xc027, 0xc023, 0xc009, 0xc00a,
    0x009c, 0x009d, 0x009e, 0x009f, 0xc02f, 0xc030, 0xc02b, 0xc02c, 0xcca9, 0xcca8, 0xccaa,
];
const TLS12_ONLY: &[&rustls::SupportedProtocolVersion] = &[&rustls::version::TLS12];

#[derive(Default)]
pub(super) struct Socket {
    pub(super) options: BTreeMap<u8, Vec<u8>>,
    pub(super) connected: bool,
    /// The most bytes of the recv that is outstanding.
    pub(super) wanted: Option<u16>,
    inbox: Inbox,
    ended: bool,
    /// How the connection ended, where not in order.
    broken: bool,
    outgoing: VecDeque<u8>,
    /// Buffers that sends hold.
    pub(super) held: u8,
    pub(super) cancelled: bool,
}

impl Socket {
    pub(super) fn queue(&mut self, bytes: &[u8], buffers: u8) {
        self.outgoing.extend(bytes);
        self.held += buffers;
    }
}

pub(super) type Shared = Rc<RefCell<Socket>>;

impl Nwp {
    /// Connects in a task of its own, and moves data until it ends.
    pub(super) fn start(self: &Rc<Self>, id: u8, socket: Shared, host: String, port: u16) {
        let modem = self.clone();
        self.core.spawn(async move {
            let cancelled = || socket.borrow().cancelled;
            select(
                modem.core.until(cancelled),
                modem.live(id, &socket, &host, port),
            )
            .await;
        });
    }

    async fn live(&self, id: u8, socket: &Shared, host: &str, port: u16) {
        let (channel, code) = match self.establish(socket, host, port).await {
            Ok((channel, code)) => (Some(channel), code),
            Err(code) => (None, code),
        };
        socket.borrow_mut().connected = channel.is_some();
        let [low, high] = code.to_le_bytes();
        self.tell(0x1006, &[low, high, id, 0]);
        if let Some(mut channel) = channel {
            poll_fn(|cx| self.poll_socket(id, socket, &mut channel, cx)).await;
            // What is unread stays until it is asked for.
            poll_fn(|_| {
                self.serve(id, socket);
                Poll::<()>::Pending
            })
            .await;
        }
    }

    async fn establish(
        &self,
        socket: &Shared,
        host: &str,
        port: u16,
    ) -> Result<(Box<dyn Channel>, i16), i16> {
        let stream = self
            .network
            .connect(host, port)
            .await
            .map_err(|_| -111_i16)?;
        let options = socket.borrow().options.clone();
        let (server, client, warning, now) = {
            let state = self.state.borrow();
            let file = |option| {
                options
                    .get(&option)
                    .map(|name: &Vec<u8>| state.files.content(&String::from_utf8_lossy(name)))
            };
            let dated = state.clock.is_some();
            let mut warning = 0;
            let server = match file(CA_NAME) {
                // Without a CA it connects, and says so.
                None => {
                    warning = -453;
                    ServerCheck::None
                }
                Some(None) => return Err(-454),
                Some(Some(ca)) => ServerCheck::Chain {
                    ca,
                    dates: dated,
                    name: options.contains_key(&DOMAIN),
                },
            };
            if warning == 0 && !dated {
                warning = -461;
            }
            if warning == 0 && self.options.unknown_to_catalog {
                warning = -468;
            }
            let client = match (file(CERTIFICATE_NAME), file(KEY_NAME)) {
                (Some(None), _) => return Err(-457),
                (_, Some(None)) => return Err(-458),
                (Some(Some(certificate)), Some(Some(key))) => Some((certificate, key)),
                _ => None,
            };
            (server, client, warning, state.now())
        };
        if let ServerCheck::Chain { ca, .. } = &server {
            let certificate = rustls::pki_types::CertificateDer::from(ca.clone());
            let added = rustls::RootCertStore::empty().add(certificate);
            added.map_err(|_| -456_i16)?;
        }
        let mask = options.get(&MASK).map_or(0x007f_ffff, |mask| {
            mask.iter()
                .rev()
                .fold(0, |all, byte| all << 8 | u32::from(*byte))
        });
        let suites: Vec<u16> = (0..SUITES.len())
            .filter(|bit| mask >> bit & 1 != 0)
            .map(|bit| SUITES[bit])
            .collect();
        let modern = options
            .get(&METHOD)
            .is_none_or(|method| method.first() >= Some(&3));
        let name = options
            .get(&DOMAIN)
            .map(|name| String::from_utf8_lossy(name).into_owned());
        let settings = TlsSettings {
            host: name.as_deref().unwrap_or(host),
            sni: name.is_some(),
            alpn: "",
            versions: if modern { TLS12_ONLY } else { &[] },
            suites: &suites,
            server,
            client,
            accepts_der: true,
            chain_limit: usize::MAX,
            now,
        };
        match tls::connect(settings, stream).await {
            Ok(channel) => Ok((Box::new(channel), warning)),
            Err(reason) => {
                log::info!("cc3200: TLS to {host}:{port} failed: {reason}");
                Err(code_of(&reason))
            }
        }
    }

    fn poll_socket(
        &self,
        id: u8,
        socket: &Shared,
        channel: &mut Box<dyn Channel>,
        cx: &mut Context<'_>,
    ) -> Poll<()> {
        let mut channel = Pin::new(channel);
        let sent = {
            let outgoing = &mut socket.borrow_mut().outgoing;
            poll_outgoing(&self.core, outgoing, channel.as_mut(), cx)
        };
        {
            let mut socket = socket.borrow_mut();
            if sent.is_err() || socket.outgoing.is_empty() {
                self.give_back(std::mem::take(&mut socket.held));
            }
            if sent.is_err() {
                socket.ended = true;
                socket.broken = true;
                return Poll::Ready(());
            }
        }
        loop {
            self.serve(id, socket);
            if socket.borrow().inbox.unread() >= RECEIVE_BUFFER {
                return Poll::Pending;
            }
            let record = match ready!(channel.as_mut().poll_fill_buf(cx)) {
                Ok(bytes) if !bytes.is_empty() => bytes.to_vec(),
                end => {
                    let mut socket = socket.borrow_mut();
                    socket.ended = true;
                    socket.broken = end.is_err();
                    return Poll::Ready(());
                }
            };
            channel.as_mut().consume(record.len());
            socket.borrow_mut().inbox.push(record);
        }
    }

    /// Answers the recv that is outstanding, if there is something to say.
    fn serve(&self, id: u8, socket: &Shared) {
        let mut socket = socket.borrow_mut();
        let Some(wanted) = socket.wanted else { return };
        let bytes = socket.inbox.take(wanted.into(), false);
        if bytes.is_empty() && !socket.ended {
            return;
        }
        let value = match bytes.len() {
            0 if socket.broken => -107,
            count => count as i16,
        };
        socket.wanted = None;
        let [low, high] = value.to_le_bytes();
        let mut payload = vec![low, high, id, 0];
        payload.extend(bytes);
        self.give_back(1);
        self.tell(0x100a, &payload);
    }
}

/// The chip's number for what rustls says.
fn code_of(reason: &str) -> i16 {
    const KNOWN: [(&str, i16); 15] = [
        ("UnknownIssuer", -688),
        ("BadSignature", -655),
        ("NotValidForName", -722),
        ("not valid for name", -722),
        ("Expired", -651),
        ("expired", -651),
        ("NotValidYet", -650),
        ("not valid yet", -650),
        ("alert: HandshakeFailure", -340),
        ("alert: BadCertificate", -342),
        ("alert: UnknownCA", -348),
        ("alert: CertificateRequired", -341),
        ("alert: DecryptError", -351),
        ("private key", -458),
        ("no certificate", -457),
    ];
    let known = KNOWN.iter().find(|(text, _)| reason.contains(text));
    known.map_or(-450, |known| known.1)
}
