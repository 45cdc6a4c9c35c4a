//! rust-mqtt: MQTT 5. It has no timers: pings are the application's.

use std::collections::VecDeque;
use std::num::NonZero;

use embassy_futures::select::{Either, select};
use embassy_time::{Duration, Instant, Timer};
use rust_mqtt::Bytes;
use rust_mqtt::buffer::AllocBuffer;
use rust_mqtt::client::Client;
use rust_mqtt::client::event::Event;
use rust_mqtt::client::options::{
    ConnectOptions, DisconnectOptions, PublicationOptions, SubscriptionOptions, TopicReference,
    WillOptions,
};
use rust_mqtt::config::{KeepAlive, SessionExpiryInterval};
use rust_mqtt::types::{MqttBinary, MqttString, QoS, TopicFilter, TopicName};
use sectag::Socket;
use sectag::modem::Full;
use sectag_integration_tests::Bench;
use sectag_integration_tests::mqtt::{Device, Login, Message};
use sectag_integration_tests::recovery::connect;

struct RustMqtt {
    client: Client<'static, 'static, Socket<'static>, AllocBuffer, 4, 4, 4, 1, 4, 0, 0>,
    login: Login,
    messages: VecDeque<Message>,
}

impl RustMqtt {
    async fn log_in<M: Full>(&mut self, bench: Bench<M>, clean: bool) -> bool {
        let socket = connect(bench).await.unwrap();
        let keep_alive = NonZero::new(self.login.keep_alive).unwrap();
        let mut options = ConnectOptions::new()
            .keep_alive(KeepAlive::Seconds(keep_alive))
            .session_expiry_interval(SessionExpiryInterval::Seconds(NonZero::new(300).unwrap()));
        if clean {
            options = options.clean_start();
        }
        if let Some((topic, message)) = self.login.will {
            let will = WillOptions::new(
                TopicName::new(text(topic)).unwrap(),
                MqttBinary::try_from(message).unwrap(),
            );
            options = options.will(will.at_least_once());
        }
        let connected = self
            .client
            .connect(socket, &options, Some(text(self.login.id)))
            .await
            .unwrap();
        connected.session_present
    }

    /// Polls until `end` says that this was it; keeps messages.
    async fn poll_until(&mut self, end: impl Fn(&Event<'static, 1, 4>) -> bool) {
        loop {
            let event = self.client.poll().await.unwrap();
            let is_end = end(&event);
            self.keep(event);
            if is_end {
                return;
            }
        }
    }

    fn keep(&mut self, event: Event<'static, 1, 4>) {
        match event {
            Event::Publish(publish) => self.messages.push_back(Message {
                topic: publish.topic.name().unwrap().as_ref().as_str().into(),
                payload: publish.message.as_bytes().into(),
                retained: Some(publish.retain),
            }),
            Event::PublishRejected(_) | Event::PublishAborted(_) => panic!("{event:?}"),
            _ => {}
        }
    }
}

impl Device for RustMqtt {
    async fn connect<M: Full + 'static>(bench: Bench<M>, login: Login) -> Self {
        let mut device = Self {
            client: Client::new(Box::leak(Box::new(AllocBuffer))),
            login,
            messages: VecDeque::new(),
        };
        assert!(!device.log_in(bench, true).await);
        device
    }

    async fn subscribe(&mut self, filter: &'static str, qos: u8) {
        let filter = TopicFilter::new(text(filter)).unwrap();
        let options = SubscriptionOptions::new().qos(level(qos));
        let id = self.client.subscribe(filter, &options).await.unwrap();
        self.poll_until(|event| {
            matches!(event, Event::Suback(suback)
                if suback.packet_identifier == id && suback.reason_code.is_success())
        })
        .await;
    }

    async fn publish(&mut self, topic: &str, payload: &[u8], qos: u8, retain: bool) {
        let topic = TopicName::new(text(topic)).unwrap();
        let mut options = PublicationOptions::new(TopicReference::Name(topic)).qos(level(qos));
        if retain {
            options = options.retain();
        }
        let sent = self.client.publish(&options, Bytes::from(payload)).await;
        if let Some(id) = sent.unwrap() {
            self.poll_until(|event| match event {
                Event::PublishAcknowledged(ack) => qos == 1 && ack.packet_identifier == id,
                Event::PublishComplete(ack) => ack.packet_identifier == id,
                _ => false,
            })
            .await;
        }
    }

    async fn receive(&mut self) -> Message {
        loop {
            if let Some(message) = self.messages.pop_front() {
                return message;
            }
            let event = self.client.poll().await.unwrap();
            self.keep(event);
        }
    }

    async fn idle(&mut self, duration: Duration) {
        let end = Instant::now() + duration;
        let every = Duration::from_secs(self.login.keep_alive.into()) / 2;
        let mut ping_at = Instant::now() + every;
        loop {
            let wait = Timer::at(ping_at.min(end));
            // Only the wait for a header may be dropped; a body that has begun is read to its end.
            match select(self.client.poll_header(), wait).await {
                Either::First(header) => {
                    let event = self.client.poll_body(header.unwrap()).await.unwrap();
                    self.keep(event);
                }
                Either::Second(()) if Instant::now() >= end => return,
                Either::Second(()) => {
                    self.client.ping().await.unwrap();
                    ping_at += every;
                }
            }
        }
    }

    async fn cut(self) {}

    async fn disconnect(mut self) {
        self.client
            .disconnect(&DisconnectOptions::new())
            .await
            .unwrap();
    }

    async fn lost(&mut self) {
        while let Ok(event) = self.client.poll().await {
            self.keep(event);
        }
        // Without this the next connect panics, or returns an error. The socket is dropped.
        let _ = self.client.abort().await;
    }

    async fn reconnect<M: Full>(&mut self, bench: Bench<M>) {
        assert!(self.log_in(bench, false).await, "the session is kept");
    }
}

fn text(text: &str) -> MqttString<'_> {
    MqttString::try_from(text).unwrap()
}

fn level(qos: u8) -> QoS {
    match qos {
        0 => QoS::AtMostOnce,
        1 => QoS::AtLeastOnce,
        _ => QoS::ExactlyOnce,
    }
}

sectag_integration_tests::for_client!(RustMqtt);
