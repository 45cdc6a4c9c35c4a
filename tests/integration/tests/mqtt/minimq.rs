//! minimq: MQTT 5. Its connection borrows its session, so a task owns both and is told what to do.

use embassy_futures::select::{Either, select};
use minimq::{
    Buffers, ConfigBuilder, ConnectEvent, Connection, InboundPublish, Op, Publication, QoS,
    Session, SubscriptionOptions, TopicFilter, Will,
};
use sectag::Socket;
use sectag::modem::Full;
use sectag_integration_tests::Bench;
use sectag_integration_tests::mqtt::{Device, Login, Message};
use sectag_integration_tests::recovery::connect;
use tokio::sync::{mpsc, oneshot};

struct Minimq {
    commands: mpsc::UnboundedSender<(Command, oneshot::Sender<()>)>,
    messages: mpsc::UnboundedReceiver<Message>,
}

enum Command {
    /// Answered when the connection is lost.
    AwaitLoss,
    Cut,
    Disconnect,
    Publish(String, Vec<u8>, u8, bool),
    Reconnect,
    Subscribe(&'static str, u8),
}

impl Minimq {
    async fn tell(&self, command: Command) {
        let (done, is_done) = oneshot::channel();
        assert!(self.commands.send((command, done)).is_ok());
        is_done.await.expect("the task does what it is told");
    }
}

impl Device for Minimq {
    async fn connect<M: Full + 'static>(bench: Bench<M>, login: Login) -> Self {
        let (rx, tx) = (vec![0; 24 * 1024].leak(), vec![0; 24 * 1024].leak());
        let mut config = ConfigBuilder::new(Buffers::new(rx, tx))
            .client_id(login.id)
            .unwrap()
            .keepalive_interval(login.keep_alive)
            .session_expiry_interval(300);
        if let Some((topic, message)) = login.will {
            let will = Will::new(topic, message, &[]).unwrap();
            config = config.will(will.qos(QoS::AtLeastOnce)).unwrap();
        }
        let (commands, orders) = mpsc::unbounded_channel();
        let (delivery, messages) = mpsc::unbounded_channel();
        let mut task = Task { orders, delivery };
        let (connected, is_connected) = oneshot::channel();
        tokio::task::spawn_local(async move {
            let mut session = Session::new(config);
            let mut event = ConnectEvent::Connected;
            let mut reply = connected;
            loop {
                let socket = connect(bench).await.unwrap();
                let mut mqtt = session.connect(socket).await.unwrap();
                assert_eq!(mqtt.connect_event(), event);
                reply.send(()).unwrap();
                let Some(reconnect) = task.drive(&mut mqtt).await else {
                    return;
                };
                (event, reply) = (ConnectEvent::Reconnected, reconnect);
            }
        });
        is_connected.await.expect("it connects");
        Self { commands, messages }
    }

    async fn subscribe(&mut self, filter: &'static str, qos: u8) {
        self.tell(Command::Subscribe(filter, qos)).await;
    }

    async fn publish(&mut self, topic: &str, payload: &[u8], qos: u8, retain: bool) {
        let publish = Command::Publish(topic.into(), payload.into(), qos, retain);
        self.tell(publish).await;
    }

    async fn receive(&mut self) -> Message {
        self.messages.recv().await.expect("the task runs")
    }

    async fn cut(self) {
        self.tell(Command::Cut).await;
    }

    async fn disconnect(self) {
        self.tell(Command::Disconnect).await;
    }

    async fn lost(&mut self) {
        self.tell(Command::AwaitLoss).await;
    }

    async fn reconnect<M: Full>(&mut self, _: Bench<M>) {
        self.tell(Command::Reconnect).await;
    }
}

type Mqtt<'s> = Connection<'s, 'static, Socket<'static>>;

struct Task {
    orders: mpsc::UnboundedReceiver<(Command, oneshot::Sender<()>)>,
    delivery: mpsc::UnboundedSender<Message>,
}

impl Task {
    /// Until the connection is to be left (`None`), or is to be made again by this order.
    async fn drive(&mut self, mqtt: &mut Mqtt<'_>) -> Option<oneshot::Sender<()>> {
        loop {
            // Both may be dropped at any time: the socket's read is cancel-safe.
            let order = match select(self.orders.recv(), mqtt.poll()).await {
                Either::First(order) => order,
                Either::Second(Ok(message)) => {
                    deliver(&self.delivery, message);
                    continue;
                }
                Either::Second(Err(error)) => panic!("{error:?}"),
            };
            let (command, done) = order?;
            match command {
                Command::AwaitLoss => {
                    while let Ok(message) = mqtt.poll().await {
                        deliver(&self.delivery, message);
                    }
                    done.send(()).unwrap();
                    return match self.orders.recv().await? {
                        (Command::Reconnect, done) => Some(done),
                        _ => panic!("it is not connected"),
                    };
                }
                Command::Cut => {
                    done.send(()).unwrap();
                    return None;
                }
                Command::Disconnect => {
                    mqtt.disconnect().await.unwrap();
                    done.send(()).unwrap();
                    return None;
                }
                Command::Publish(topic, payload, qos, retain) => {
                    let mut publication = Publication::bytes(&topic, &payload).qos(level(qos));
                    if retain {
                        publication = publication.retain();
                    }
                    if let Some(op) = mqtt.publish(publication).await.unwrap() {
                        self.settle(mqtt, &op).await;
                    }
                    done.send(()).unwrap();
                }
                Command::Reconnect => panic!("it is connected"),
                Command::Subscribe(filter, qos) => {
                    let options = SubscriptionOptions::default().maximum_qos(level(qos));
                    let filter = [TopicFilter::new(filter).options(options)];
                    let op = mqtt.subscribe(&filter, &[]).await.unwrap();
                    self.settle(mqtt, &op).await;
                    done.send(()).unwrap();
                }
            }
        }
    }

    async fn settle(&self, mqtt: &mut Mqtt<'_>, op: &Op) {
        while mqtt.is_pending(op) {
            deliver(&self.delivery, mqtt.poll().await.unwrap());
        }
        assert!(mqtt.is_complete(op));
    }
}

fn deliver(delivery: &mpsc::UnboundedSender<Message>, message: Option<InboundPublish<'_>>) {
    if let Some(message) = message {
        // The device may have gone.
        let _ = delivery.send(Message {
            topic: message.topic().into(),
            payload: message.payload().into(),
            retained: Some(message.retained()),
        });
    }
}

fn level(qos: u8) -> QoS {
    match qos {
        0 => QoS::AtMostOnce,
        1 => QoS::AtLeastOnce,
        _ => QoS::ExactlyOnce,
    }
}

sectag_integration_tests::for_client!(Minimq);
