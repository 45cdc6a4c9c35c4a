//! One client: its login, then its packets until it leaves.

use std::collections::BTreeSet;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use embassy_futures::select::{Either, select};
use mqtt_proto::v5::{
    Connack, Connect, ConnectReasonCode, DisconnectReasonCode, LastWill, Packet, Puback, Pubcomp,
    Publish, Pubrec, Suback, Subscribe, SubscribeReasonCode, Unsuback, Unsubscribe,
    UnsubscribeReasonCode,
};
use mqtt_proto::{Pid, QoS, QosPid};
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt, BufReader, ReadHalf, WriteHalf};
use tokio::time::timeout;

use super::hub::{Hub, Number};
use super::options::BrokerOptions;
use super::outbox::{Gone, Inbox, Outbox};
use super::wire::{PACKET_LIMIT, Version, read_connect};

/// For the CONNECT; a modem may take a while to say that it is connected.
const PATIENCE: Duration = Duration::from_secs(60);

/// What the clients of a broker share.
#[derive(Debug)]
pub(super) struct Shared {
    options: BrokerOptions,
    hub: Mutex<Hub>,
}

impl Shared {
    pub(super) fn new(options: BrokerOptions) -> Self {
        Self {
            options,
            hub: Mutex::default(),
        }
    }

    fn hub(&self) -> MutexGuard<'_, Hub> {
        // Nobody leaves it half changed: what panics here is a test that fails anyway.
        self.hub.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Serves a client until one of the two goes away.
pub(super) async fn serve<S: AsyncRead + AsyncWrite>(
    stream: S,
    shared: Arc<Shared>,
) -> io::Result<()> {
    let (reader, mut writer) = tokio::io::split(stream);
    let mut reader = BufReader::new(reader);
    let (version, connect) = timeout(PATIENCE, read_connect(&mut reader)).await??;
    let user = connect.username.as_deref();
    if !shared.options.admits(user, connect.password.as_deref()) {
        let refused = Connack::new(false, ConnectReasonCode::BadUserNameOrPassword);
        let refused = version.encode(Packet::Connack(refused))?;
        writer.write_all(&refused).await?;
        return writer.shutdown().await;
    }
    let (client, inbox) = Client::enter(version, connect, shared);
    let end = match select(client.packets(&mut reader), deliver(inbox, &mut writer)).await {
        Either::First(end) | Either::Second(end) => end,
    };
    // Which of the two it was makes no difference to a client that is still there.
    let _ = writer.shutdown().await;
    end
}

/// Writes what the hub has for a client, until the hub has dropped it.
async fn deliver<S: AsyncWrite>(mut inbox: Inbox, writer: &mut WriteHalf<S>) -> io::Result<()> {
    while let Some(bytes) = inbox.recv().await {
        writer.write_all(&bytes).await?;
        writer.flush().await?;
    }
    Ok(())
}

/// A client that is logged in, and leaves when this is dropped.
struct Client {
    shared: Arc<Shared>,
    number: Number,
    version: Version,
    /// Half as long again as its keep alive (MQTT 5, section 3.1.2.10); `None` for ever.
    patience: Option<Duration>,
    will: Option<LastWill>,
    /// Of messages at QoS 2 that it has not released.
    unreleased: BTreeSet<Pid>,
}

impl Client {
    fn enter(version: Version, connect: Connect, shared: Arc<Shared>) -> (Self, Inbox) {
        let properties = &connect.properties;
        let (outbox, inbox) =
            Outbox::new(version, properties.max_packet_size, properties.receive_max);
        let mut hub = shared.hub();
        let mut connack = Connack::new(false, ConnectReasonCode::Success);
        // What this broker does not have is said here, so that nobody asks for it.
        connack.properties.session_expiry_interval = Some(0);
        connack.properties.max_packet_size = Some(PACKET_LIMIT);
        connack.properties.shared_subscription_available = Some(false);
        connack.properties.subscription_id_available = Some(false);
        let mut id = connect.client_id;
        if id.is_empty() {
            id = hub.fresh_id();
            connack.properties.assigned_client_id = Some(id.clone());
        }
        // The first thing in an empty inbox.
        let _ = outbox.answer(Packet::Connack(connack));
        let number = hub.enter(id, outbox);
        drop(hub);
        let keep_alive = u64::from(connect.keep_alive);
        let client = Self {
            shared,
            number,
            version,
            patience: (keep_alive > 0).then(|| Duration::from_millis(keep_alive * 1500)),
            will: connect.last_will,
            unreleased: BTreeSet::new(),
        };
        (client, inbox)
    }

    /// Serves its packets; an error is a connection that was cut.
    async fn packets<S: AsyncRead>(
        mut self,
        reader: &mut BufReader<ReadHalf<S>>,
    ) -> io::Result<()> {
        loop {
            let read = self.version.read(reader);
            let packet = match self.patience {
                Some(patience) => timeout(patience, read).await??,
                None => read.await?,
            };
            if let Packet::Disconnect(disconnect) = &packet {
                if disconnect.reason_code != DisconnectReasonCode::DisconnectWithWillMessage {
                    self.will = None;
                }
                return Ok(());
            }
            self.packet(packet)
                .map_err(|Gone| io::Error::from(io::ErrorKind::ConnectionAborted))?;
        }
    }

    fn packet(&mut self, packet: Packet) -> Result<(), Gone> {
        match packet {
            Packet::Publish(publish) => self.publish(publish),
            Packet::Subscribe(subscribe) => self.subscribe(subscribe),
            Packet::Unsubscribe(unsubscribe) => self.unsubscribe(&unsubscribe),
            Packet::Pingreq => self.answer(Packet::Pingresp),
            Packet::Puback(Puback { pid, .. }) | Packet::Pubcomp(Pubcomp { pid, .. }) => {
                self.shared.hub().acknowledged(self.number, pid)
            }
            Packet::Pubrec(Pubrec { pid, .. }) => self.shared.hub().received(self.number, pid),
            Packet::Pubrel(pubrel) => {
                self.unreleased.remove(&pubrel.pid);
                self.answer(Packet::Pubcomp(Pubcomp::new_success(pubrel.pid)))
            }
            // A second CONNECT, and what a server sends.
            _ => Err(Gone),
        }
    }

    fn publish(&mut self, message: Publish) -> Result<(), Gone> {
        match message.qos_pid {
            QosPid::Level0 => self.shared.hub().publish(Some(self.number), &message),
            QosPid::Level1(pid) => {
                self.shared.hub().publish(Some(self.number), &message);
                self.answer(Packet::Puback(Puback::new_success(pid)))?;
            }
            QosPid::Level2(pid) => {
                if self.unreleased.insert(pid) {
                    self.shared.hub().publish(Some(self.number), &message);
                }
                self.answer(Packet::Pubrec(Pubrec::new_success(pid)))?;
            }
        }
        Ok(())
    }

    fn subscribe(&self, subscribe: Subscribe) -> Result<(), Gone> {
        let mut hub = self.shared.hub();
        let mut codes = Vec::new();
        let mut granted = Vec::new();
        for (filter, options) in subscribe.topics {
            if filter.is_shared() {
                codes.push(SubscribeReasonCode::SharedSubscriptionNotSupported);
                continue;
            }
            codes.push(match options.max_qos {
                QoS::Level0 => SubscribeReasonCode::GrantedQoS0,
                QoS::Level1 => SubscribeReasonCode::GrantedQoS1,
                QoS::Level2 => SubscribeReasonCode::GrantedQoS2,
            });
            let new = hub.subscribe(self.number, filter.clone(), options)?;
            granted.push((filter, options, new));
        }
        hub.answer(
            self.number,
            Packet::Suback(Suback::new(subscribe.pid, codes)),
        )?;
        for (filter, options, new) in granted {
            hub.send_retained(self.number, &filter, options, new)?;
        }
        Ok(())
    }

    fn unsubscribe(&self, unsubscribe: &Unsubscribe) -> Result<(), Gone> {
        let mut hub = self.shared.hub();
        let mut codes = Vec::new();
        for filter in &unsubscribe.topics {
            codes.push(if hub.unsubscribe(self.number, filter)? {
                UnsubscribeReasonCode::Success
            } else {
                UnsubscribeReasonCode::NoSubscriptionExisted
            });
        }
        hub.answer(
            self.number,
            Packet::Unsuback(Unsuback::new(unsubscribe.pid, codes)),
        )
    }

    fn answer(&self, packet: Packet) -> Result<(), Gone> {
        self.shared.hub().answer(self.number, packet)
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        let mut hub = self.shared.hub();
        hub.leave(self.number);
        let Some(will) = self.will.take() else {
            return;
        };
        let qos_pid = match will.qos {
            QoS::Level0 => QosPid::Level0,
            // A message that comes from no client has no identifier; each receiver gets one of its own.
            QoS::Level1 => QosPid::Level1(Pid::default()),
            QoS::Level2 => QosPid::Level2(Pid::default()),
        };
        let mut message = Publish::new(qos_pid, will.topic_name, will.payload);
        message.retain = will.retain;
        hub.publish(None, &message);
    }
}
