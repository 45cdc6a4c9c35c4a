//! What every MQTT client must be able to do over sectag: the scenarios, and what a client's adapter
//! must offer for them.

mod observer;
pub mod scenarios;
mod tiny_broker;

use std::future::Future;

use embassy_time::{Duration, Timer, with_timeout};
use sectag::modem::Full;

use crate::Bench;

/// Nothing in these tests takes longer.
const LIMIT: Duration = Duration::from_secs(60);

/// How a device logs in. The broker keeps its session for minutes after the connection is lost.
#[derive(Clone, Copy, Debug)]
pub struct Login {
    /// The client id.
    pub id: &'static str,
    /// In seconds.
    pub keep_alive: u16,
    /// Topic and message, with QoS 1.
    pub will: Option<(&'static str, &'static [u8])>,
}

impl Login {
    /// A minute of keep-alive and no will.
    pub fn new(id: &'static str) -> Self {
        Self {
            id,
            keep_alive: 60,
            will: None,
        }
    }
}

/// A message from the broker.
#[derive(Clone, PartialEq, Eq)]
pub struct Message {
    /// Its topic.
    pub topic: String,
    /// Its payload.
    pub payload: Vec<u8>,
    /// Whether it was kept for late subscribers; `None` when the client does not tell.
    pub retained: Option<bool>,
}

impl std::fmt::Debug for Message {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let start: Vec<u8> = self.payload.iter().copied().take(20).collect();
        write!(
            f,
            "{} ({} bytes, {:?}, retained {:?})",
            self.topic,
            self.payload.len(),
            String::from_utf8_lossy(&start),
            self.retained
        )
    }
}

/// An MQTT client as it is, over a sectag socket, with the least that makes it drivable by a test.
#[allow(async_fn_in_trait)]
pub trait Device: Sized {
    /// Whether the subscriptions of a first connection outlive its loss.
    const KEEPS_FIRST_SESSION: bool = true;

    /// Whether it can publish with QoS 2.
    const PUBLISHES_QOS_2: bool = true;

    /// Opens a socket and logs in.
    async fn connect<M: Full + 'static>(bench: Bench<M>, login: Login) -> Self;

    /// Returns when the broker has acknowledged it.
    async fn subscribe(&mut self, filter: &'static str, qos: u8);

    /// Returns when the handshake of its QoS is complete; for QoS 0, when it was flushed.
    async fn publish(&mut self, topic: &str, payload: &[u8], qos: u8, retain: bool);

    /// The next message.
    async fn receive(&mut self) -> Message;

    /// Does nothing for so long but keeping the connection.
    async fn idle(&mut self, duration: Duration) {
        Timer::after(duration).await;
    }

    /// Drops the connection without a DISCONNECT.
    async fn cut(self);

    /// Leaves with a DISCONNECT.
    async fn disconnect(self);

    /// Waits until the client has noticed that its connection is lost.
    async fn lost(&mut self);

    /// Connects again, to the same session.
    async fn reconnect<M: Full>(&mut self, bench: Bench<M>);
}

/// Within the time that anything takes here.
pub async fn within<T>(what: impl Future<Output = T>) -> T {
    with_timeout(LIMIT, what).await.expect("it takes no minute")
}
