//! Peers: connections by URL, with a handle for AT and a channel for frames (sheet A.4.2, A.5).

use std::cell::RefCell;
use std::collections::VecDeque;
use std::future::poll_fn;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use embassy_futures::select::{Either, select};
use embassy_time::{Duration, Timer, with_timeout};
use time::OffsetDateTime;
use tokio::io::{AsyncBufRead, AsyncWrite, BufReader};

use super::frames::{CONNECT, DATA_EVENT, DISCONNECT};
use super::{Mode, ShortRange};
use crate::channel::{Channel, poll_outgoing};
use crate::tls::{self, ServerCheck, TlsSettings};

/// The longest URL, in bytes (sheet A.4.2).
const URL_LIMIT: usize = 128;
/// The time limit of a connect.
const CONNECT_LIMIT: Duration = Duration::from_secs(20);
/// How long a close waits for unsent bytes.
const CLOSE_LIMIT: Duration = Duration::from_secs(5);
/// The bytes that are held for the network; beyond them, the host has to wait.
const SEND_BUFFER: usize = 8192;
/// The bytes of unread frames towards the host, beyond which nothing is read from peers.
const BACKLOG: usize = 4096;
/// The suites. UNCONFIRMED which the module has (sheet A.4.2); these are those of rustls that any TLS
/// 1.2 of its age has.
const SUITES: &[u16] = &[0xc02b, 0xc02f];
const VERSIONS: &[&rustls::SupportedProtocolVersion] = &[&rustls::version::TLS12];
/// The server's address, which is one for all names.
const REMOTE: [u8; 4] = [10, 0, 0, 1];
const LOCAL: [u8; 4] = [172, 20, 10, 4];

pub(super) struct Peer {
    pub(super) handle: u32,
    pub(super) channel: Option<u8>,
    port: u16,
    local_port: u16,
    outgoing: VecDeque<u8>,
    closing: bool,
    pub(super) cancelled: bool,
    finished: bool,
}

/// The target of a URL.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Target {
    host: String,
    port: u16,
    ca: Option<String>,
    client: Option<(String, String)>,
    /// Whether TLS is used without any check.
    unverified: bool,
}

/// Reads `tcp://<host>:<port>/?..`.
fn target(url: &str) -> Option<Target> {
    let rest = url.strip_prefix("tcp://")?;
    let (place, options) = rest.split_once('/').unwrap_or((rest, ""));
    let (host, port) = place.rsplit_once(':')?;
    let mut target = Target {
        host: host.trim_matches(['[', ']']).to_owned(),
        port: port.parse().ok()?,
        ..Target::default()
    };
    let (mut cert, mut key) = (None, None);
    for option in options.strip_prefix('?').unwrap_or(options).split('&') {
        let Some((name, value)) = option.split_once('=') else {
            if option.is_empty() {
                continue;
            }
            return None;
        };
        match name {
            "ca" => target.ca = Some(value.to_owned()),
            "cert" => cert = Some(value.to_owned()),
            "privKey" => key = Some(value.to_owned()),
            "encr" => target.unverified = true,
            "local_port" | "flush_tx" | "keepAlive" | "ac-to" => {}
            _ => return None,
        }
    }
    target.client = match (cert, key) {
        (Some(cert), Some(key)) => Some((cert, key)),
        (None, None) => None,
        // Either both or none.
        _ => return None,
    };
    Some(target)
}

impl ShortRange {
    pub(super) fn connect_peer(self: &Rc<Self>, url: &str) -> Result<super::commands::Done, ()> {
        let target = target(url).filter(|_| url.len() <= URL_LIMIT).ok_or(())?;
        if !self.station.borrow().address || self.peers.borrow().len() >= self.links.get() {
            return Err(());
        }
        let handle = self.next_handle.get() + 1;
        self.next_handle.set(handle);
        let peer = Rc::new(RefCell::new(Peer {
            handle,
            channel: None,
            port: target.port,
            local_port: 4000 + handle as u16,
            outgoing: VecDeque::new(),
            closing: false,
            cancelled: false,
            finished: false,
        }));
        self.peers.borrow_mut().insert(handle, peer.clone());
        if !self.options.late_answer {
            self.answer(&format!("+UDCP:{handle}"));
            self.ok();
        }
        let module = self.clone();
        self.core.spawn(async move {
            let cancelled = || peer.borrow().cancelled || peer.borrow().closing;
            let work = with_timeout(CONNECT_LIMIT, module.establish(&target));
            let channel = match select(module.core.until(cancelled), work).await {
                Either::Second(Ok(Ok(channel))) => Some(channel),
                Either::Second(Ok(Err(reason))) => {
                    log::info!("short range: peer {handle}: {reason}");
                    None
                }
                _ => None,
            };
            if peer.borrow().cancelled {
                return;
            }
            let stands = channel.is_some();
            if let Some(channel) = channel {
                module.stands(&peer);
                module.answer_late(handle);
                module.pump(&peer, channel).await;
            } else {
                module.answer_late(handle);
            }
            module.ended(&peer, stands);
        });
        Ok(super::commands::Done::Answered)
    }

    fn answer_late(&self, handle: u32) {
        if self.options.late_answer {
            self.answer(&format!("+UDCP:{handle}"));
            self.ok();
        }
    }

    async fn establish(&self, target: &Target) -> Result<Box<dyn Channel>, String> {
        let stream = self
            .network
            .connect(&target.host, target.port)
            .await
            .map_err(|error| error.to_string())?;
        let item = |kind, name: &str| {
            let store = self.store.borrow();
            let found = store.get(&(kind, name.to_owned())).cloned();
            found.ok_or_else(|| format!("there is no {kind} of the name {name}"))
        };
        let server = match &target.ca {
            Some(ca) => ServerCheck::Chain {
                ca: item(0, ca)?,
                // The module has no clock.
                dates: false,
                name: self.options.checks_name,
            },
            None if target.unverified => ServerCheck::None,
            None => return Ok(Box::new(BufReader::new(stream))),
        };
        let client = match &target.client {
            Some((cert, key)) => Some((item(1, cert)?, item(2, key)?)),
            None => None,
        };
        let settings = TlsSettings {
            host: &target.host,
            sni: self.options.sends_sni,
            versions: VERSIONS,
            alpn: "",
            suites: SUITES,
            server,
            client,
            accepts_der: true,
            chain_limit: usize::MAX,
            now: OffsetDateTime::UNIX_EPOCH,
        };
        Ok(Box::new(tls::connect(settings, stream).await?))
    }

    fn stands(&self, peer: &Rc<RefCell<Peer>>) {
        let channel = {
            let peers = self.peers.borrow();
            let taken: Vec<u8> = peers
                .values()
                .filter_map(|peer| peer.borrow().channel)
                .collect();
            (0..=u8::MAX).find(|channel| !taken.contains(channel))
        };
        peer.borrow_mut().channel = channel;
        if self.options.frames_first {
            self.tell_channel(&peer.borrow());
        }
        let (handle, port, local_port) = {
            let peer = peer.borrow();
            (peer.handle, peer.port, peer.local_port)
        };
        let (local, remote) = (dotted(LOCAL), dotted(REMOTE));
        self.urc(&format!(
            "+UUDPC:{handle},2,0,{local},{local_port},{remote},{port}"
        ));
        if !self.options.frames_first {
            self.tell_channel(&peer.borrow());
        }
    }

    fn tell_channel(&self, peer: &Peer) {
        let Some(channel) = peer.channel else { return };
        let ports = (peer.port.to_be_bytes(), peer.local_port.to_be_bytes());
        let body = [&[channel, 2, 0], &REMOTE[..], &ports.0, &LOCAL, &ports.1].concat();
        self.event(CONNECT, &body);
    }

    /// Sends connect events for all open connections (sheet A.5: resend connect events).
    pub(super) fn tell_channels(&self) {
        for peer in self.peers.borrow().values() {
            self.tell_channel(&peer.borrow());
        }
    }

    /// Moves bytes until the connection ends.
    async fn pump(&self, peer: &Rc<RefCell<Peer>>, mut channel: Box<dyn Channel>) {
        let cancelled = || peer.borrow().cancelled;
        let work = poll_fn(|cx| self.poll_peer(peer, &mut channel, cx));
        select(self.core.until(cancelled), work).await;
    }

    fn poll_peer(
        &self,
        peer: &Rc<RefCell<Peer>>,
        channel: &mut Box<dyn Channel>,
        cx: &mut Context<'_>,
    ) -> Poll<()> {
        let mut channel = Pin::new(channel);
        let sent = {
            let outgoing = &mut peer.borrow_mut().outgoing;
            poll_outgoing(&self.core, outgoing, channel.as_mut(), cx)
        };
        if sent.is_err() {
            return Poll::Ready(());
        }
        {
            let peer = peer.borrow();
            if peer.closing && peer.outgoing.is_empty() {
                // An error of the shutdown has no effect any more.
                return channel.poll_shutdown(cx).map(drop);
            }
        }
        loop {
            // The peer waits while the host is under flow control, or in a mode without data.
            let deaf = matches!(self.mode.get(), Mode::Command | Mode::Ppp);
            if deaf || self.core.waiting_output() >= BACKLOG {
                return Poll::Pending;
            }
            let bytes = match ready!(channel.as_mut().poll_fill_buf(cx)) {
                Ok([]) | Err(_) => return Poll::Ready(()),
                Ok(bytes) => bytes[..bytes.len().min(self.options.data_unit)].to_vec(),
            };
            channel.as_mut().consume(bytes.len());
            match (self.mode.get(), peer.borrow().channel) {
                (Mode::Frames, Some(channel)) => {
                    self.event(DATA_EVENT, &[&[channel], &bytes[..]].concat());
                }
                _ => self.core.send(&bytes),
            }
        }
    }

    /// Reports the end of a connection by URC and by frame, in either order (sheet A.5).
    fn ended(&self, peer: &Rc<RefCell<Peer>>, stood: bool) {
        let (handle, channel) = {
            let mut peer = peer.borrow_mut();
            if std::mem::replace(&mut peer.finished, true) {
                return;
            }
            (peer.handle, peer.channel)
        };
        if self.peers.borrow_mut().remove(&handle).is_none() {
            return;
        }
        let frame = || {
            if let (true, Some(channel)) = (stood, channel) {
                self.event(DISCONNECT, &[channel]);
            }
        };
        if self.options.frames_first {
            frame();
        }
        self.urc(&format!("+UUDPD:{handle}"));
        if !self.options.frames_first {
            frame();
        }
        self.core.touch();
    }

    /// Closes a peer; returns whether there is one.
    pub(super) fn close_peer(self: &Rc<Self>, handle: u32) -> bool {
        let Some(peer) = self.peers.borrow().get(&handle).cloned() else {
            return false;
        };
        peer.borrow_mut().closing = true;
        self.core.touch();
        let module = self.clone();
        self.core.spawn(async move {
            Timer::after(CLOSE_LIMIT).await;
            let stood = peer.borrow().channel.is_some();
            module.ended(&peer, stood);
            peer.borrow_mut().cancelled = true;
        });
        true
    }

    /// Ends all connections, since the network is gone.
    pub(super) fn end_all_peers(&self) {
        let peers: Vec<Rc<RefCell<Peer>>> = self.peers.borrow().values().cloned().collect();
        for peer in peers {
            let stood = peer.borrow().channel.is_some();
            self.ended(&peer, stood);
            peer.borrow_mut().cancelled = true;
        }
        self.core.touch();
    }

    pub(super) fn list_peers(&self) -> Vec<String> {
        let (local, remote) = (dotted(LOCAL), dotted(REMOTE));
        let peers = self.peers.borrow();
        peers
            .values()
            .map(|peer| peer.borrow())
            .filter(|peer| peer.channel.is_some())
            .map(|peer| {
                format!(
                    "+UDLP:{},tcp,{local}:{},{remote}:{}",
                    peer.handle, peer.local_port, peer.port
                )
            })
            .collect()
    }

    /// Takes data from a frame. Nothing acknowledges it; the UART waits if there is no room.
    pub(super) async fn data_for(&self, channel: u8, data: &[u8]) {
        let found = {
            let peers = self.peers.borrow();
            let mut peers = peers.values();
            peers
                .find(|peer| peer.borrow().channel == Some(channel))
                .cloned()
        };
        if let Some(peer) = found {
            self.hand_over(&peer, data).await;
        }
    }

    /// Takes data of data mode, which goes to all peers (sheet A.1.3).
    pub(super) async fn data_for_all(&self, data: &[u8]) {
        let peers: Vec<Rc<RefCell<Peer>>> = self.peers.borrow().values().cloned().collect();
        for peer in peers {
            self.hand_over(&peer, data).await;
        }
    }

    async fn hand_over(&self, peer: &Rc<RefCell<Peer>>, data: &[u8]) {
        let room = || {
            let peer = peer.borrow();
            peer.finished || peer.cancelled || peer.outgoing.len() < SEND_BUFFER
        };
        self.core.until(room).await;
        let mut peer = peer.borrow_mut();
        if !peer.closing && !peer.finished {
            peer.outgoing.extend(data);
            self.core.touch();
        }
    }
}

fn dotted(address: [u8; 4]) -> String {
    let [a, b, c, d] = address;
    format!("{a}.{b}.{c}.{d}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls() {
        let found = target("tcp://h:8883/?ca=a&cert=b&privKey=c").unwrap();
        assert_eq!((found.host.as_str(), found.port), ("h", 8883));
        assert_eq!(found.ca.as_deref(), Some("a"));
        assert_eq!(found.client, Some(("b".into(), "c".into())));
        assert_eq!(target("tcp://[::1]:5/").unwrap().host, "::1");
        for bad in [
            "udp://h:1/",
            "tcp://h/",
            "tcp://h:1/?sni=x",
            "tcp://h:1/?cert=b",
        ] {
            assert_eq!(target(bad), None, "{bad}");
        }
    }
}
