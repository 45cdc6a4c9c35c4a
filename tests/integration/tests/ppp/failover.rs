//! The first user's two links as one: an ODIN-W2 by PPP with TLS here, a SARA beside it with TLS inside, and MQTT clients as they are
//! over whichever is in use. In real time, since slirp is.

use std::num::NonZero;
use std::rc::Rc;

use embassy_futures::select::{Either3, select, select3};
use embassy_time::{Duration, Instant, Timer, with_timeout};
use embedded_io_adapters::tokio_1::FromTokio;
use mqttrust::transport::embedded_nal::NalTransport;
use rand_core::OsRng;
use rust_mqtt::Bytes;
use rust_mqtt::buffer::AllocBuffer;
use rust_mqtt::client::Client;
use rust_mqtt::client::event::Event;
use rust_mqtt::client::options::{ConnectOptions, PublicationOptions, TopicReference};
use rust_mqtt::config::KeepAlive;
use rust_mqtt::types::{MqttString, QoS, TopicName};
use sectag::failover::{Carrier, Failover, Patience};
use sectag::inspect::Kind;
use sectag::nal::{Connector, Names};
use sectag::signer::P256Key;
use sectag::wifi::WifiConfig;
use sectag::{
    Cause, Control, NoPins, SecureSocket, ServerName, SocketError, State, Tag, TimeSource,
    TlsConfig,
};
use sectag_host_clock::with_own_waker;
use sectag_ppp::Login;
use sectag_ppp::dial::{Dialogue, OdinW2, Own, odin_w2};
use sectag_ppp::tls::{self, Buffers, Credentials, Time};
use sectag_simulator::{LoopbackNetwork, ShortRangeOptions, Simulator, UbloxOptions};
use sectag_test_support::broker::Broker;
use sectag_test_support::pki::Pki;
use sectag_ublox::cellular::{Config, UbloxCellular};

use crate::module::{Rx, Tx, above};
use crate::mqtt::publish_over;

const NAME: ServerName<'static> = match ServerName::new("broker.sectag.test") {
    Ok(name) => name,
    Err(_) => panic!("not a name"),
};
const PORT: u16 = 8883;
const TLS: TlsConfig = TlsConfig::new(Tag(7)).client_certificate();
/// Under this tag the first link has another root.
const OTHER: TlsConfig = TlsConfig::new(Tag(8)).client_certificate();
const PATIENCE: Patience = Patience {
    attempt: Duration::from_secs(4),
    hold: Duration::from_secs(2),
};
/// For a connect over the second link, whose module has come up before.
const CONNECT: Duration = Duration::from_secs(3);
const WIFI: WifiConfig = match WifiConfig::wpa2("workshop", "correct horse battery") {
    Ok(wifi) => wifi,
    Err(_) => panic!("no network"),
};

type Pair<'p> = Failover<tls::Sockets<'p>, Control<'p, UbloxCellular>>;

fn leaked(bytes: Vec<u8>) -> &'static [u8] {
    Box::leak(bytes.into_boxed_slice())
}

fn der(pem: &str) -> &'static [u8] {
    use rustls::pki_types::CertificateDer;
    use rustls::pki_types::pem::PemObject;
    leaked(
        CertificateDer::from_pem_slice(pem.as_bytes())
            .unwrap()
            .to_vec(),
    )
}

/// Two drivers, a stack and three clients in one future: more than a test's thread has room for without an optimising compiler.
const STACK: usize = 32 << 20;

#[test]
fn an_odin_and_a_sara_are_one_link_for_every_client() {
    let thread = std::thread::Builder::new().stack_size(STACK).spawn(whole);
    thread.unwrap().join().unwrap();
}

fn whole() {
    let pki = Pki::shared();
    let server = pki.issue_server([NAME.as_str()]);
    let broker = Broker::start_with(&server, &pki.ca_pem(), Default::default()).unwrap();
    let mut network = LoopbackNetwork::new();
    let target = ([127, 0, 0, 1], broker.tls_port()).into();
    network.map(NAME.as_str(), PORT, target).unwrap();
    let network = Rc::new(network);
    let client = pki.issue_client_ecdsa("odin");
    let key = P256Key::parse(client.key_pem.as_bytes()).unwrap();
    let certificate = Some(der(&client.cert_pem));
    let set = |tag, root| Credentials {
        tag,
        roots: Box::leak(Box::new([root])),
        certificate,
    };
    let credentials = [
        set(Tag(7), leaked(pki.ca_der())),
        set(Tag(8), leaked(Pki::new().ca_der())),
    ];
    let time = Time {
        now: crate::link::host_time(),
        source: TimeSource::Host,
    };
    let dial = async |line: &mut Dialogue<Rx<'_>, Tx<'_>>| {
        let own = Own::default();
        odin_w2(line, &OdinW2 { wifi: WIFI, own }).await
    };
    crate::link::block_on(async {
        let odin = Simulator::short_range(ShortRangeOptions::default(), network.clone());
        let sara = Simulator::ublox(UbloxOptions::default(), network);
        let ended = above(&odin, Login::NONE, dial, async |stack| {
            let mut state = tls::State::<1024, 1024>::new();
            let mut buffers = Box::new(Buffers::<16_640, 2048>::new());
            let (first, mut first_runner) = tls::new(
                &mut state,
                &mut buffers,
                stack,
                &credentials,
                || Some(time),
                key,
                OsRng,
            );
            let (host, port) = tokio::io::duplex(1024);
            let (rx, tx) = tokio::io::split(host);
            let mut state = State::<UbloxCellular, 1, 2048, 2048>::new();
            let (second, mut second_runner) = sectag::new(
                &mut state,
                UbloxCellular::new(Config::new()),
                FromTokio::new(rx),
                FromTokio::new(tx),
                NoPins,
            );
            let application = async {
                let identity = pki.client();
                for (kind, content) in [
                    (Kind::Ca, pki.ca_pem()),
                    (Kind::ClientCertificate, identity.cert_pem.clone()),
                    (Kind::PrivateKey, identity.key_pem.clone()),
                ] {
                    second
                        .store(Tag(7), kind, content.as_bytes())
                        .await
                        .unwrap();
                }
                story(&Failover::new(first, second, PATIENCE), &odin, &sara).await;
            };
            let modems = select3(
                with_own_waker(first_runner.run()),
                second_runner.run(),
                sara.serve(port),
            );
            match select(modems, application).await {
                embassy_futures::select::Either::First(ended) => match ended {
                    Either3::First(never) => never,
                    Either3::Second(error) => panic!("{error:?}"),
                    Either3::Third(end) => panic!("{end:?}"),
                },
                embassy_futures::select::Either::Second(()) => {}
            }
        });
        assert!(ended.await.is_ok());
    });
}

async fn story(pair: &Pair<'_>, odin: &Simulator, sara: &Simulator) {
    let connect = async || pair.connect(NAME, PORT, &TLS).await;
    let socket = connect().await.unwrap();
    assert_eq!(socket.carrier(), Carrier::First);
    publish_over(socket, "unused").await.unwrap();

    // What the server is to blame for is no reason: the second link, which has the right root, is not asked.
    let before = sara.commands().len();
    let refused = pair
        .connect(NAME, PORT, &OTHER)
        .await
        .map(drop)
        .unwrap_err();
    assert_eq!(
        refused.first.unwrap().causes().next(),
        Some(Cause::CaMismatch)
    );
    assert_eq!((refused.second, pair.carrier()), (None, Carrier::First));
    assert_eq!(sara.commands().len(), before);

    // Wi-Fi is gone.
    odin.set_registered(false);
    let began = Instant::now();
    let socket = connect().await.unwrap();
    assert_eq!(socket.carrier(), Carrier::Second);
    assert!(
        began.elapsed() < PATIENCE.attempt + CONNECT,
        "{:?}",
        began.elapsed()
    );
    by_rust_mqtt(socket).await;
    publish_over(connect().await.unwrap(), "unused")
        .await
        .unwrap();

    // It is back, and used again after the hold time.
    odin.set_registered(true);
    // Until the station is on the network again: 4 s.
    Timer::after_secs(5).await;
    pair.report(true);
    Timer::after(PATIENCE.hold).await;
    let socket = connect().await.unwrap();
    assert_eq!(socket.carrier(), Carrier::First);
    by_rust_mqtt(socket).await;
    by_mqttrust(pair).await;

    // Both are gone: one error that names both.
    odin.set_registered(false);
    sara.set_registered(false);
    let error = connect().await.map(drop).unwrap_err();
    assert!(error.first.is_some() && error.second.is_some(), "{error}");
    let text = error.to_string();
    assert!(
        text.contains("first link: ") && text.contains("second link: "),
        "{text}"
    );
}

/// One message with QoS 1 by rust-mqtt, as it is.
async fn by_rust_mqtt<S: SecureSocket<Error = SocketError>>(socket: S) {
    let mut memory = AllocBuffer;
    let mut client = Client::<'_, '_, S, AllocBuffer, 4, 4, 4, 1, 4, 0, 0>::new(&mut memory);
    let options = ConnectOptions::new()
        .clean_start()
        .keep_alive(KeepAlive::Seconds(NonZero::new(60).unwrap()));
    let id = MqttString::from_str("rust-mqtt").unwrap();
    client.connect(socket, &options, Some(id)).await.unwrap();
    let topic = TopicName::new(MqttString::from_str("state").unwrap()).unwrap();
    let options = PublicationOptions::new(TopicReference::Name(topic)).qos(QoS::AtLeastOnce);
    let sent = client.publish(&options, Bytes::from(&b"here"[..])).await;
    let sent = sent.unwrap().unwrap();
    while !matches!(client.poll().await.unwrap(), Event::PublishAcknowledged(ack) if ack.packet_identifier == sent)
    {
    }
}

/// Publishes by mqttrust, through the adapter of `nal` over the pair.
async fn by_mqttrust(pair: &Pair<'_>) {
    type NoMutex = embassy_sync::blocking_mutex::raw::NoopRawMutex;
    let names = Names::<1, 32>::new();
    let network = Connector::by_name(pair, TLS, &names);
    let mut state = mqttrust::State::<NoMutex, 4096, 4096>::new();
    let config = mqttrust::Config::builder()
        .client_id("mqttrust".try_into().unwrap())
        .build();
    let (mut stack, client) = mqttrust::new(&mut state, config);
    let broker = mqttrust::DomainBroker::<_, 64>::new_with_port(NAME.as_str(), PORT, &names);
    let mut transport = NalTransport::new(&network, broker.unwrap());
    let work = async {
        client.wait_connected().await;
        let publish = mqttrust::Publish::builder()
            .topic_name("state")
            .payload(&b"here"[..])
            .qos(mqttrust::QoS::AtLeastOnce)
            .build();
        client.publish(publish).await.unwrap();
    };
    let done = with_timeout(
        Duration::from_secs(20),
        select(stack.run(&mut transport), work),
    );
    assert!(matches!(
        done.await,
        Ok(embassy_futures::select::Either::Second(()))
    ));
}
