//! An MQTT client as it is, over sectag and the simulated BG96, against mosquitto with mutual TLS.
//! In real time, because the broker is real.

use std::net::{Ipv4Addr, SocketAddr};
use std::rc::Rc;
use std::time::Duration as Wall;

use embassy_futures::select::{Either3, select3};
use embassy_time::{Duration, with_timeout};
use embedded_io_adapters::tokio_1::FromTokio;
use minimq::{
    Buffers, ConfigBuilder, Connection, Io, Op, Publication, QoS, Session, SubscriptionOptions,
    TopicFilter,
};
use sectag::{Control, NoPins, Sockets, State};
use sectag_bg96::{Bg96, Config};
use sectag_integration_tests::Bench;
use sectag_integration_tests::simulated::{HOST, TLS, provision};
use sectag_simulator::{Chunk, LoopbackNetwork, Options, Simulator};
use sectag_test_support::mosquitto::{Mosquitto, MosquittoOptions};
use sectag_test_support::pki::Pki;

const LIMIT: Duration = Duration::from_secs(60);

/// A driver on a simulated modem whose network leads to `broker`; everything on this thread.
fn with_broker<T>(options: Options, application: impl AsyncFnOnce(Bench, u16) -> T) -> T {
    let pki = Pki::builder()
        .server_names([HOST.as_str(), "localhost"])
        .build();
    let broker = Mosquitto::start(&pki, &MosquittoOptions::new())
        .expect("mosquitto is installed and starts");
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        let mut network = LoopbackNetwork::new();
        let target = SocketAddr::from((Ipv4Addr::LOCALHOST, broker.port()));
        network.map(HOST.as_str(), 8883, target).unwrap();
        let modem = Simulator::bg96(options, Rc::new(network));
        for (name, pem) in [
            ("st7.ca", pki.ca_pem()),
            ("st7.crt", pki.client().cert_pem.clone()),
            ("st7.key", pki.client().key_pem.clone()),
        ] {
            modem.put_file(name, pem.as_bytes());
        }
        let (host, device) = tokio::io::duplex(4096);
        let (rx, tx) = tokio::io::split(host);
        let state: &'static mut State<Bg96, 2, 2048, 2048> =
            Box::leak(Box::new(State::new(Bg96::new(Config::new()))));
        let (control, sockets, mut runner): (Control<'static, Bg96>, Sockets<'static, Bg96>, _) =
            sectag::new(state, FromTokio::new(rx), FromTokio::new(tx), NoPins);
        let work = tokio::time::timeout(
            Wall::from_secs(120),
            application(Bench { control, sockets }, broker.plain_port()),
        );
        match select3(modem.serve(device), runner.run(), work).await {
            Either3::First(_) | Either3::Second(_) => panic!("modem or driver ended"),
            Either3::Third(result) => result.expect("two minutes are enough"),
        }
    })
}

fn session<'b>(rx: &'b mut [u8], tx: &'b mut [u8], client: &str) -> Session<'b> {
    let config = ConfigBuilder::new(Buffers::new(rx, tx))
        .client_id(client)
        .unwrap();
    Session::new(config.keepalive_interval(60))
}

async fn connect<'s, 'b>(
    bench: Bench,
    session: &'s mut Session<'b>,
) -> Connection<'s, 'b, sectag::Socket<'static>> {
    let socket = bench.sockets.connect(HOST, 8883, &TLS).await.unwrap();
    with_timeout(LIMIT, session.connect(socket))
        .await
        .unwrap()
        .unwrap()
}

/// Drives until `op` is acknowledged; hands messages to `receive`.
async fn settle<C: Io>(
    mqtt: &mut Connection<'_, '_, C>,
    op: &Op,
    messages: &mut Vec<(String, Vec<u8>)>,
) where
    C::Error: core::fmt::Debug,
{
    while mqtt.is_pending(op) {
        take(mqtt, messages).await;
    }
}

async fn take<C: Io>(mqtt: &mut Connection<'_, '_, C>, messages: &mut Vec<(String, Vec<u8>)>)
where
    C::Error: core::fmt::Debug,
{
    let message = with_timeout(LIMIT, mqtt.poll())
        .await
        .expect("the broker answers")
        .unwrap();
    if let Some(message) = message {
        messages.push((message.topic().to_string(), message.payload().to_vec()));
    }
}

async fn subscribe<C: Io>(mqtt: &mut Connection<'_, '_, C>, topic: &str)
where
    C::Error: core::fmt::Debug,
{
    let options = SubscriptionOptions::default().maximum_qos(QoS::AtLeastOnce);
    let filter = [TopicFilter::new(topic).options(options)];
    let op = mqtt.subscribe(&filter, &[]).await.unwrap();
    settle(mqtt, &op, &mut Vec::new()).await;
}

#[test]
fn publishes_come_back_with_every_size_and_value() {
    for options in [
        Options::default(),
        Options {
            turnaround: Duration::from_millis(2),
            chunk: Chunk::Random { max: 50 },
            urc_inside_responses: true,
            ..Options::default()
        },
    ] {
        with_broker(options, async |bench, _| {
            let (mut rx, mut tx) = (vec![0; 24 * 1024], vec![0; 24 * 1024]);
            let mut session = session(&mut rx, &mut tx, "sizes");
            let mut mqtt = connect(bench, &mut session).await;
            subscribe(&mut mqtt, "sizes/#").await;
            let mut messages = Vec::new();
            let mut expected = Vec::new();
            for size in [0, 1, 64, 1024, 1500, 5000, 20_000] {
                let mut payload: Vec<u8> = (0..size).map(|at| (at * 31 % 256) as u8).collect();
                for (at, trap) in [&b"\r\nOK\r\n"[..], b"> ", b"+QSSLURC: \"closed\",0\r\n"]
                    .iter()
                    .enumerate()
                {
                    let from = at * 300 + 5;
                    if from + trap.len() < size {
                        payload[from..from + trap.len()].copy_from_slice(trap);
                    }
                }
                let topic = format!("sizes/{size}");
                let publication = Publication::bytes(&topic, &payload).qos(QoS::AtLeastOnce);
                let op = mqtt.publish(publication).await.unwrap().unwrap();
                settle(&mut mqtt, &op, &mut messages).await;
                expected.push((topic, payload));
                while messages.len() < expected.len() {
                    take(&mut mqtt, &mut messages).await;
                }
            }
            assert!(messages == expected);
            mqtt.disconnect().await.unwrap();
        });
    }
}

#[test]
fn two_connections_at_once_hear_each_other() {
    with_broker(Options::default(), async |bench, _| {
        let (mut rx, mut tx) = ([[0; 1024]; 2], [[0; 1024]; 2]);
        let ([rx_a, rx_b], [tx_a, tx_b]) = (&mut rx, &mut tx);
        let (mut a, mut b) = (session(rx_a, tx_a, "a"), session(rx_b, tx_b, "b"));
        let mut a = connect(bench, &mut a).await;
        let mut b = connect(bench, &mut b).await;
        subscribe(&mut a, "to/a").await;
        subscribe(&mut b, "to/b").await;
        for round in 0..5u8 {
            let (mut at_a, mut at_b) = (Vec::new(), Vec::new());
            let payload = [round; 40];
            let (to_a, to_b) = (
                Publication::bytes("to/a", &payload),
                Publication::bytes("to/b", &payload),
            );
            let op = b
                .publish(to_a.qos(QoS::AtLeastOnce))
                .await
                .unwrap()
                .unwrap();
            settle(&mut b, &op, &mut at_b).await;
            a.publish(to_b).await.unwrap();
            while at_a.is_empty() {
                take(&mut a, &mut at_a).await;
            }
            while at_b.is_empty() {
                take(&mut b, &mut at_b).await;
            }
            assert_eq!(at_a, [("to/a".to_string(), payload.to_vec())]);
            assert_eq!(at_b, [("to/b".to_string(), payload.to_vec())]);
        }
    });
}

#[test]
fn broker_refuses_a_device_without_certificate() {
    with_broker(Options::default(), async |bench, _| {
        let anonymous = sectag::TlsConfig::new(TLS.tag()).ca_scope(sectag::CaScope::Private);
        let refused = bench.sockets.connect(HOST, 8883, &anonymous).await.err();
        assert!(
            matches!(
                refused,
                Some(sectag::ConnectError::Refused(sectag::Refusal {
                    code: sectag::Code::Vendor(566, _),
                    ..
                }))
            ),
            "{refused:?}"
        );
        // What the shared provisioning stores is of another CA: the same.
        provision(bench).await;
        let refused = bench.sockets.connect(HOST, 8883, &TLS).await.err();
        assert!(
            matches!(refused, Some(sectag::ConnectError::Refused(_))),
            "{refused:?}"
        );
    });
}

#[test]
fn session_goes_on_after_a_reset_of_the_modem() {
    with_broker(
        Options {
            reset_time: Duration::from_millis(300),
            ..Options::default()
        },
        async |bench, _| {
            let (mut rx, mut tx) = ([0; 1024], [0; 1024]);
            let config = ConfigBuilder::new(Buffers::new(&mut rx, &mut tx))
                .client_id("again")
                .unwrap();
            let mut session =
                Session::new(config.keepalive_interval(60).session_expiry_interval(300));
            {
                let mut mqtt = connect(bench, &mut session).await;
                subscribe(&mut mqtt, "again").await;
            }
            // The modem restarts, and the application does nothing but connect again.
            let at = bench.control.at().await.unwrap();
            struct Restart;
            sectag::at::at_command!(Restart, 15_000, "+CFUN=1,1", |self, line| line);
            at.send(&Restart).await.unwrap();
            embassy_time::Timer::after_millis(100).await;
            let mut mqtt = connect(bench, &mut session).await;
            assert_eq!(mqtt.connect_event(), minimq::ConnectEvent::Reconnected);
            let mut messages = Vec::new();
            let op = mqtt
                .publish(Publication::bytes("again", b"here").qos(QoS::AtLeastOnce))
                .await
                .unwrap()
                .unwrap();
            settle(&mut mqtt, &op, &mut messages).await;
            while messages.is_empty() {
                take(&mut mqtt, &mut messages).await;
            }
            assert_eq!(messages, [("again".to_string(), b"here".to_vec())]);
            assert!(bench.control.counters().restarts >= 1);
        },
    );
}
