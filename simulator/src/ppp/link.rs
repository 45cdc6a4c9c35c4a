//! A PPP link, from the answer to the dial to its end.

use std::cell::RefCell;
use std::io;

use embassy_futures::select::{Either, Either3, select, select3};
use embassy_time::{Duration, Instant, Timer};
use sectag_ppp::{Deframed, Deframer, Framer, Wire};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::peer::{PppPeer, PppScript};
use super::services::{Fate, Services};
use super::{PppFarEnd, Slirp};
use crate::core::Core;

const LCP: u16 = 0xC021;
const IPV4: u16 = 0x0021;
const TERMINATE_ACK: u8 = 6;
/// The interval at which the scripted peer handles its timers.
const TICK: Duration = Duration::from_millis(50);

/// What a modem gives to its link.
pub(crate) struct Carrier<'c> {
    pub(crate) core: &'c Core,
    /// The address of the modem's own end, if the far end does not choose it.
    pub(crate) own: [u8; 4],
}

/// Carries a link until one side has confirmed its end.
///
/// # Errors
/// What to do, if slirp cannot run.
pub(crate) async fn carry(
    carrier: Carrier<'_>,
    far: &PppFarEnd,
    services: Services,
) -> io::Result<()> {
    let services = RefCell::new(services);
    match far {
        PppFarEnd::Slirp => slirp(carrier.core, &services).await,
        PppFarEnd::Scripted(script) => {
            scripted(&carrier, script, &services).await;
            Ok(())
        }
    }
}

/// A parser that finds the packets of one side.
struct Packets(Box<Deframer<1600>>);

impl Packets {
    fn new() -> Self {
        Self(Box::new(Deframer::new()))
    }

    fn take(&mut self, mut bytes: &[u8]) -> Vec<(u16, Vec<u8>)> {
        let mut found = Vec::new();
        while !bytes.is_empty() {
            let (count, frame) = self.0.feed(bytes);
            bytes = &bytes[count..];
            let Some(Deframed::Frame(frame)) = frame else {
                continue;
            };
            let frame = frame.strip_prefix(&[0xFF, 3]).unwrap_or(frame);
            match *frame {
                [low, ref content @ ..] if low & 1 == 1 => {
                    found.push((u16::from(low), content.to_vec()));
                }
                [high, low, ref content @ ..] => {
                    found.push((u16::from_be_bytes([high, low]), content.to_vec()));
                }
                _ => {}
            }
        }
        found
    }
}

fn framed(wire: Wire, protocol: u16, content: &[u8]) -> Vec<u8> {
    let mut framer = Framer::new(wire, protocol, content);
    let mut bytes = vec![0; 2 * content.len() + 20];
    let len = framer.fill(&mut bytes);
    bytes.truncate(len);
    bytes
}

/// Sends a packet to the host, which asked for an empty map of control characters; modems agree to
/// that.
fn tell(core: &Core, protocol: u16, content: &[u8]) {
    let wire = match protocol {
        LCP => Wire::DEFAULT,
        _ => Wire::PLAIN,
    };
    core.send(&framed(wire, protocol, content));
}

fn ends(protocol: u16, content: &[u8]) -> bool {
    protocol == LCP && content.first() == Some(&TERMINATE_ACK)
}

/// Returns the host's bytes, as soon as there are any.
async fn heard(core: &Core) -> Vec<u8> {
    let mut bytes = Vec::new();
    core.until(|| {
        bytes = core.take_input();
        !bytes.is_empty()
    })
    .await;
    bytes
}

async fn slirp(core: &Core, services: &RefCell<Services>) -> io::Result<()> {
    if tokio::runtime::Handle::try_current().is_err() {
        return Err(io::Error::other(
            "slirp needs tokio's reactor: choose PppFarEnd::Scripted where there is none, as in virtual time",
        ));
    }
    let mut slirp = Slirp::start()?;
    let (mut rx, mut tx) = tokio::io::split(slirp.port());
    let up = async {
        let mut packets = Packets::new();
        loop {
            for (protocol, mut content) in packets.take(&heard(core).await) {
                let fate = match protocol {
                    IPV4 => services.borrow_mut().up(&mut content),
                    _ => Fate::Forwarded,
                };
                match fate {
                    Fate::Forwarded => {
                        let bytes = framed(Wire::DEFAULT, protocol, &content);
                        if tx.write_all(&bytes).await.is_err() || ends(protocol, &content) {
                            return;
                        }
                    }
                    Fate::Answered(answer) => tell(core, IPV4, &answer),
                    Fate::Dropped => {}
                }
            }
        }
    };
    let down = async {
        let mut packets = Packets::new();
        let mut bytes = [0; 2048];
        while let Ok(count @ 1..) = rx.read(&mut bytes).await {
            for (protocol, mut content) in packets.take(&bytes[..count]) {
                if protocol == IPV4 && !services.borrow().down(&mut content) {
                    continue;
                }
                core.drained().await;
                tell(core, protocol, &content);
                if ends(protocol, &content) {
                    return;
                }
            }
        }
    };
    match select3(up, down, beside(core, services)).await {
        Either3::First(()) | Either3::Second(()) => Ok(()),
        Either3::Third(never) => match never {},
    }
}

/// Sends the modem's own UDP datagrams.
async fn beside(core: &Core, services: &RefCell<Services>) -> std::convert::Infallible {
    loop {
        let mut packet = None;
        core.until(|| {
            packet = services.borrow().said();
            packet.is_some()
        })
        .await;
        if let Some(packet) = packet {
            tell(core, IPV4, &packet);
        }
    }
}

async fn scripted(carrier: &Carrier<'_>, script: &PppScript, services: &RefCell<Services>) {
    let core = carrier.core;
    let began = Instant::now();
    let now = || (Instant::now() - began).as_millis() as u32;
    let mut peer = PppPeer::new(script.clone());
    if script.own.is_none() {
        peer.own = carrier.own;
    }
    let mut packets = Packets::new();
    let mut restarts = script
        .restarts_at
        .map(|at| (at.as_millis() as u32, peer.host[3] + 60));
    loop {
        peer.tick(now());
        if let Some((at, host)) = restarts
            && now() >= at
        {
            restarts = None;
            peer.restart(host, now());
        }
        let silent = script
            .silent_at
            .is_some_and(|at| now() >= at.as_millis() as u32);
        while let Some((protocol, content)) = peer.next_out() {
            if !silent {
                tell(core, protocol, &content);
                if ends(protocol, &content) {
                    return;
                }
            }
        }
        let event = select(
            heard(core),
            select(beside(core, services), Timer::after(TICK)),
        );
        let Either::First(bytes) = event.await else {
            continue;
        };
        for frame in packets.take(&bytes) {
            let (protocol, mut content) = frame;
            if protocol != IPV4 {
                peer.hear(protocol, &content, now());
            } else if peer.is_open()
                && let Fate::Answered(answer) = services.borrow_mut().up(&mut content)
            {
                peer.send(IPV4, &answer);
            }
        }
        if peer.ended_by_host() {
            // The peer's acknowledgement still has to be sent.
            while let Some((protocol, content)) = peer.next_out() {
                tell(core, protocol, &content);
            }
            return;
        }
    }
}
