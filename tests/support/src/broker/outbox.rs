//! What one client is still to get: messages, each with an identifier as long as it is not acknowledged.

use std::collections::{BTreeSet, VecDeque};
use std::io;

use mqtt_proto::v5::{Packet, Publish, Pubrel};
use mqtt_proto::{Pid, QoS, QosPid};
use tokio::sync::mpsc;

use super::wire::Version;

/// Packets that wait for a client's socket; one that is farther behind is disconnected.
const BACKLOG: usize = 1024;

/// The way to one client's socket.
#[derive(Debug)]
pub(super) struct Outbox {
    version: Version,
    socket: mpsc::Sender<Vec<u8>>,
    /// In bytes, what the client takes (Maximum Packet Size, MQTT 5 section 3.1.2.11.4).
    longest: usize,
    /// How many messages may be under way (Receive Maximum, section 3.1.2.11.3).
    most: usize,
    under_way: BTreeSet<Pid>,
    next: Pid,
    waiting: VecDeque<Publish>,
}

/// Bytes for a client's socket.
pub(super) type Inbox = mpsc::Receiver<Vec<u8>>;

/// The client is gone, or does not read.
#[derive(Debug)]
pub(super) struct Gone;

impl Outbox {
    pub(super) fn new(version: Version, longest: Option<u32>, most: Option<u16>) -> (Self, Inbox) {
        let (socket, inbox) = mpsc::channel(BACKLOG);
        let outbox = Self {
            version,
            socket,
            longest: longest.map_or(usize::MAX, |longest| longest as usize),
            most: most.map_or(usize::from(u16::MAX), usize::from),
            under_way: BTreeSet::new(),
            next: Pid::default(),
            waiting: VecDeque::new(),
        };
        (outbox, inbox)
    }

    /// Sends an answer.
    pub(super) fn answer(&self, packet: Packet) -> Result<(), Gone> {
        let bytes = self.version.encode(packet).map_err(|_| Gone)?;
        self.socket.try_send(bytes).map_err(|_| Gone)
    }

    /// Sends a message at this QoS, now or as soon as the client takes one more.
    pub(super) fn message(&mut self, mut message: Publish, qos: QoS) -> Result<(), Gone> {
        message.dup = false;
        message.qos_pid = match qos {
            QoS::Level0 => QosPid::Level0,
            QoS::Level1 => QosPid::Level1(self.next),
            QoS::Level2 => QosPid::Level2(self.next),
        };
        if qos != QoS::Level0 && (self.under_way.len() >= self.most || !self.waiting.is_empty()) {
            if self.waiting.len() >= BACKLOG {
                return Err(Gone);
            }
            self.waiting.push_back(message);
            return Ok(());
        }
        self.send(message)
    }

    /// The client has a message at QoS 1, or has finished with one at QoS 2.
    pub(super) fn acknowledged(&mut self, pid: Pid) -> Result<(), Gone> {
        self.under_way.remove(&pid);
        while self.under_way.len() < self.most {
            let Some(message) = self.waiting.pop_front() else {
                break;
            };
            self.send(message)?;
        }
        Ok(())
    }

    /// The client has a message at QoS 2.
    pub(super) fn received(&mut self, pid: Pid) -> Result<(), Gone> {
        self.answer(Packet::Pubrel(Pubrel::new_success(pid)))
    }

    fn send(&mut self, mut message: Publish) -> Result<(), Gone> {
        let qos = message.qos_pid.qos();
        if qos != QoS::Level0 {
            while self.under_way.contains(&self.next) {
                self.next += 1;
            }
            message.qos_pid = match qos {
                QoS::Level2 => QosPid::Level2(self.next),
                _ => QosPid::Level1(self.next),
            };
        }
        let bytes = self
            .version
            .encode(Packet::Publish(message))
            .map_err(|_: io::Error| Gone)?;
        // Such a message is as if it had been delivered (section 3.1.2.11.4).
        if bytes.len() > self.longest {
            return Ok(());
        }
        if qos != QoS::Level0 {
            self.under_way.insert(self.next);
            self.next += 1;
        }
        self.socket.try_send(bytes).map_err(|_| Gone)
    }
}
