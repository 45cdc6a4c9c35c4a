//! mqttrust: MQTT 5 here, and MQTT 3.1.1 where `tests/mqtt311` takes this file in. Its stack runs in a
//! task and connects again by itself, through `TcpConnect` of embedded-nal-async.

use embassy_futures::select::{Either, select};
use embassy_time::Duration;
use mqttrust::transport::embedded_nal::NalTransport;
use mqttrust::{
    Config, LastWill, MqttClient, Publish, QoS, State, Subscribe, SubscribeTopic, Subscription,
};
use sectag::Control;
use sectag::modem::Full;
use sectag::nal::Connector;
use sectag_integration_tests::Bench;
use sectag_integration_tests::brokered::with_broker;
use sectag_integration_tests::mqtt::{Device, Login, Message, within};
use sectag_simulator::Options;
use tokio::sync::oneshot;

use super::network;

/// `embassy_sync`'s, which the integration tests need for nothing else.
type NoMutex = embassy_sync::blocking_mutex::raw::NoopRawMutex;

pub(crate) type Network<M> = Connector<'static, Control<'static, M>>;

pub(crate) struct Mqttrust {
    client: &'static MqttClient<'static, NoMutex>,
    subscription: Option<Subscription<'static, 'static, NoMutex, 1>>,
    stop: oneshot::Sender<Stop>,
    stopped: oneshot::Receiver<()>,
}

enum Stop {
    Cut,
    Disconnect,
}

impl Mqttrust {
    async fn end(self, stop: Stop) {
        // It unsubscribes when it is dropped, which is not what the tests are about.
        std::mem::forget(self.subscription);
        assert!(self.stop.send(stop).is_ok(), "the stack runs");
        self.stopped.await.expect("the stack stops");
    }
}

impl Device for Mqttrust {
    const KEEPS_FIRST_SESSION: bool = super::KEEPS_FIRST_SESSION;
    // See `publish_with_qos_2_is_a_protocol_error`.
    const PUBLISHES_QOS_2: bool = false;

    async fn connect<M: Full + 'static>(bench: Bench<M>, login: Login) -> Self {
        let state: &'static mut State<NoMutex, { 24 * 1024 }, { 48 * 1024 }> =
            Box::leak(Box::new(State::new()));
        let config = Config::builder()
            .client_id(login.id.try_into().unwrap())
            .keepalive_interval(Duration::from_secs(login.keep_alive.into()))
            .maybe_last_will(login.will.map(|(topic, data)| {
                LastWill::builder()
                    .topic(topic)
                    .data(data)
                    .qos(QoS::AtLeastOnce)
                    .build()
            }))
            .build();
        let (mut stack, client) = mqttrust::new(state, config);
        let client: &'static _ = Box::leak(Box::new(client));
        let (stop, stopping) = oneshot::channel();
        let (has_stopped, stopped) = oneshot::channel();
        let (network, broker) = network(bench);
        tokio::task::spawn_local(async move {
            let mut transport = NalTransport::new(network, broker);
            match select(stack.run(&mut transport), stopping).await {
                Either::First(()) => panic!("the stack has given up"),
                Either::Second(Ok(Stop::Disconnect)) => {
                    stack.disconnect(&mut transport).await.unwrap();
                }
                Either::Second(_) => {}
            }
            drop(transport);
            // Nobody waits when the test has failed.
            let _ = has_stopped.send(());
        });
        client.wait_connected().await;
        Self {
            client,
            subscription: None,
            stop,
            stopped,
        }
    }

    async fn subscribe(&mut self, filter: &'static str, qos: u8) {
        let topics = [SubscribeTopic::builder()
            .topic_path(filter)
            .maximum_qos(level(qos))
            .build()];
        let subscribe = Subscribe::builder().topics(&topics).build();
        self.subscription = Some(self.client.subscribe(subscribe).await.unwrap());
    }

    async fn publish(&mut self, topic: &str, payload: &[u8], qos: u8, retain: bool) {
        let publish = Publish::builder()
            .topic_name(topic)
            .payload(payload)
            .qos(level(qos))
            .retain(retain)
            .build();
        self.client.publish(publish).await.unwrap();
    }

    async fn receive(&mut self) -> Message {
        let subscription = self.subscription.as_mut().expect("it is subscribed");
        let message = subscription
            .next_message()
            .await
            .expect("the session is kept");
        Message {
            topic: message.topic_name().into(),
            payload: message.payload().into(),
            retained: Some(message.retain()),
        }
    }

    async fn cut(self) {
        self.end(Stop::Cut).await;
    }

    async fn disconnect(self) {
        self.end(Stop::Disconnect).await;
    }

    async fn lost(&mut self) {
        while self.client.wait_connection_change().await {}
    }

    async fn reconnect<M: Full>(&mut self, _: Bench<M>) {
        self.client.wait_connected().await;
    }
}

fn level(qos: u8) -> QoS {
    match qos {
        0 => QoS::AtMostOnce,
        1 => QoS::AtLeastOnce,
        _ => QoS::ExactlyOnce,
    }
}

sectag_integration_tests::for_client!(Mqttrust);

/// mqttrust 1.0.0 sends PUBREL without the flag that the standard asks for, so a broker closes; and what
/// was in flight then counts as published. When this fails, mqttrust has been mended.
#[test]
fn publish_with_qos_2_is_a_protocol_error() {
    with_broker(Options::default(), async |site| {
        let mut device = within(Mqttrust::connect(site.bench, Login::new("qos2"))).await;
        within(device.publish("topic", b"lost", 2, false)).await;
        assert!(
            site.broker
                .log()
                .contains("disconnected due to protocol error")
        );
        within(device.cut()).await;
    });
}
