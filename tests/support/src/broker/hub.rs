//! What all clients share: who is there, who wants what, and what is retained.

use std::collections::BTreeMap;
use std::sync::Arc;

use mqtt_proto::v5::{
    Disconnect, DisconnectReasonCode, Packet, Publish, RetainHandling, SubscriptionOptions,
};
use mqtt_proto::{ClientId, Pid, QoS, TopicFilter};

use super::outbox::{Gone, Outbox};
use super::topic;

/// A connection; the id of a client may belong to another one soon.
pub(super) type Number = u64;

/// The state of the broker.
#[derive(Debug, Default)]
pub(super) struct Hub {
    clients: BTreeMap<Number, Client>,
    last: Number,
    retained: BTreeMap<Arc<str>, Publish>,
}

#[derive(Debug)]
struct Client {
    id: ClientId,
    outbox: Outbox,
    subscriptions: BTreeMap<TopicFilter, SubscriptionOptions>,
}

impl Hub {
    /// Lets a client in. An earlier one with its id is told, and gone (MQTT 5, section 3.1.4).
    pub(super) fn enter(&mut self, id: ClientId, outbox: Outbox) -> Number {
        self.clients.retain(|_, earlier| {
            if earlier.id != id {
                return true;
            }
            let taken_over = Disconnect::new(DisconnectReasonCode::SessionTakenOver);
            // Nothing is lost if it cannot be told: it is dropped, and with it its connection.
            let _ = earlier.outbox.answer(Packet::Disconnect(taken_over));
            false
        });
        self.last += 1;
        let client = Client {
            id,
            outbox,
            subscriptions: BTreeMap::new(),
        };
        self.clients.insert(self.last, client);
        self.last
    }

    /// A name for a client that has none.
    pub(super) fn fresh_id(&self) -> ClientId {
        format!("client-{}", self.last + 1).into()
    }

    pub(super) fn leave(&mut self, client: Number) {
        self.clients.remove(&client);
    }

    /// Sends an answer to a client.
    pub(super) fn answer(&mut self, client: Number, packet: Packet) -> Result<(), Gone> {
        self.outbox(client)?.answer(packet)
    }

    pub(super) fn acknowledged(&mut self, client: Number, pid: Pid) -> Result<(), Gone> {
        self.outbox(client)?.acknowledged(pid)
    }

    pub(super) fn received(&mut self, client: Number, pid: Pid) -> Result<(), Gone> {
        self.outbox(client)?.received(pid)
    }

    /// Subscribes; what is retained follows with [`send_retained`](Self::send_retained), behind the answer.
    ///
    /// Returns whether the subscription is new.
    pub(super) fn subscribe(
        &mut self,
        client: Number,
        filter: TopicFilter,
        options: SubscriptionOptions,
    ) -> Result<bool, Gone> {
        let client = self.clients.get_mut(&client).ok_or(Gone)?;
        Ok(client.subscriptions.insert(filter, options).is_none())
    }

    /// Returns whether there was such a subscription.
    pub(super) fn unsubscribe(
        &mut self,
        client: Number,
        filter: &TopicFilter,
    ) -> Result<bool, Gone> {
        let client = self.clients.get_mut(&client).ok_or(Gone)?;
        Ok(client.subscriptions.remove(filter).is_some())
    }

    pub(super) fn send_retained(
        &mut self,
        client: Number,
        filter: &TopicFilter,
        options: SubscriptionOptions,
        new: bool,
    ) -> Result<(), Gone> {
        let wanted = match options.retain_handling {
            RetainHandling::SendAtSubscribe => true,
            RetainHandling::SendAtSubscribeIfNotExist => new,
            RetainHandling::DoNotSend => false,
        };
        let client = self.clients.get_mut(&client).ok_or(Gone)?;
        for (topic, message) in &self.retained {
            if wanted && topic::matches(filter, topic) {
                let qos = message.qos_pid.qos().min(options.max_qos);
                client.outbox.message(message.clone(), qos)?;
            }
        }
        Ok(())
    }

    /// Delivers a message of `from`, or a will, to all that want it, each once.
    pub(super) fn publish(&mut self, from: Option<Number>, message: &Publish) {
        if message.retain {
            let topic: Arc<str> = Arc::from(&*message.topic_name);
            if message.payload.is_empty() {
                self.retained.remove(&topic);
            } else {
                self.retained.insert(topic, message.clone());
            }
        }
        self.clients.retain(|number, client| {
            let Some((qos, retain)) = client.wants(message, from == Some(*number)) else {
                return true;
            };
            let mut message = message.clone();
            message.retain &= retain;
            // One that does not read loses its connection.
            client.outbox.message(message, qos).is_ok()
        });
    }

    fn outbox(&mut self, client: Number) -> Result<&mut Outbox, Gone> {
        let client = self.clients.get_mut(&client).ok_or(Gone)?;
        Ok(&mut client.outbox)
    }
}

impl Client {
    /// At which QoS, and whether the retain flag stays: the highest of what its subscriptions say.
    fn wants(&self, message: &Publish, own: bool) -> Option<(QoS, bool)> {
        self.subscriptions
            .iter()
            .filter(|(filter, options)| {
                topic::matches(filter, &message.topic_name) && !(own && options.no_local)
            })
            .map(|(_, options)| {
                let qos = message.qos_pid.qos().min(options.max_qos);
                (qos, options.retain_as_published)
            })
            .reduce(|one, other| (one.0.max(other.0), one.1 | other.1))
    }
}
