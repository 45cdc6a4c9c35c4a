//! The first user's set-up, whole (ppp sheet, E.1): an ODIN-W2 as a station, its side of the link by `UPPPC`, `ATO3`, an address, names, the
//! time, TLS with SNI to a server under a root on P-256 and one on P-384, and MQTT with a token as the password.

use std::rc::Rc;

use embassy_futures::select::{Either, select};
use embassy_net::dns::DnsQueryType;
use minimq::{Error, PeerError};
use rand_core::OsRng;
use rcgen::{KeyPair, PKCS_ECDSA_P384_SHA384};
use sectag::mqtt::LoginFailure;
use sectag::wifi::WifiConfig;
use sectag::{Cause, ConnectError, SecureConnect, Support, Tag, TimeSource};
use sectag_host_clock::with_own_waker;
use sectag_ppp::dial::{Dialogue, OdinW2, Own, odin_w2};
use sectag_ppp::net::RunError;
use sectag_ppp::tls::{self, Buffers, Clock, Credentials, NoKey, RunningClock, State, Time};
use sectag_ppp::{Ended, Login, sntp};
use sectag_simulator::{LoopbackNetwork, ShortRangeOptions, Simulator};

use crate::module::{Rx, Tx, above};
use crate::mqtt::{publish, serve, token};
use crate::server::{NAME, Server};
use crate::tls::TLS;

const WIFI: WifiConfig = match WifiConfig::wpa2("workshop", "correct horse battery") {
    Ok(wifi) => wifi,
    Err(_) => panic!("no network"),
};
const TIME: &str = "time.sectag.test";
const PORTS: [u16; 2] = [8883, 8884];

#[test]
fn from_the_station_to_a_token_that_is_refused_in_words() {
    let now = Time {
        now: crate::link::host_time(),
        source: TimeSource::Host,
    };
    let token = token(now.now);
    let p256 = KeyPair::generate().unwrap();
    let p384 = KeyPair::generate_for(&PKCS_ECDSA_P384_SHA384).unwrap();
    let servers = [p256, p384].map(|key| {
        let password = token.clone();
        Server::start(key, move |tls| serve(tls, &password))
    });
    let mut network = LoopbackNetwork::new();
    for (port, server) in PORTS.into_iter().zip(&servers) {
        network.map(NAME.as_str(), port, server.address).unwrap();
    }
    network
        .map(TIME, 123, ([127, 0, 0, 1], 123).into())
        .unwrap();
    let own = Own {
        address: Some("172.20.10.4".parse().unwrap()),
        mask: Some("255.255.255.0".parse().unwrap()),
        dns: Some("172.20.10.1".parse().unwrap()),
        dns2: Some("172.20.10.1".parse().unwrap()),
        conflict_detection: true,
    };
    let dial = async |line: &mut Dialogue<Rx<'_>, Tx<'_>>| {
        odin_w2(line, &OdinW2 { wifi: WIFI, own }).await
    };
    let roots: &'static [&'static [u8]] = Box::leak(Box::new([servers[0].root, servers[1].root]));
    let credentials = [Credentials {
        tag: Tag(7),
        roots,
        certificate: None,
    }];
    crate::link::block_on(async {
        let modem = Simulator::short_range(ShortRangeOptions::default(), Rc::new(network));
        let ended = above(&modem, Login::NONE, dial, async |stack| {
            stack.wait_config_up().await;
            let config = stack.config_v4().unwrap();
            assert_eq!(config.address.address().to_string(), "10.0.2.15");
            let found = stack.dns_query(NAME.as_str(), DnsQueryType::A).await;
            assert_eq!(found.unwrap().len(), 1);

            let clock = RunningClock::new();
            let mut state = State::<1024, 1024>::new();
            let mut buffers = Box::new(Buffers::<16_640, 2048>::new());
            let (sockets, mut runner) = tls::new(
                &mut state,
                &mut buffers,
                stack,
                &credentials,
                &clock,
                NoKey,
                OsRng,
            );
            let application = async {
                let unset = sockets.connect(NAME, PORTS[0], &TLS).await.map(drop);
                assert!(matches!(unset, Err(ConnectError::ClockNotSet { .. })));
                let told = sntp::ask(stack, TIME, 0x1234_5678).await.unwrap();
                clock.set(Time {
                    now: told,
                    source: TimeSource::Sntp,
                });
                assert!((&clock).time().unwrap().now >= now.now);

                for port in PORTS {
                    let socket = SecureConnect::connect(&sockets, NAME, port, &TLS).await;
                    let verified = socket.unwrap().verified();
                    let all = [verified.chain, verified.name, verified.dates, verified.sni];
                    assert_eq!(all, [Support::Yes; 4]);
                    assert_eq!(verified.suites, Support::Yes);
                    assert_eq!(verified.time, Some(TimeSource::Sntp));
                    assert!(
                        verified
                            .to_string()
                            .contains("SNTP, which is not authenticated")
                    );

                    publish(sockets, port, &token).await.unwrap();
                    // As a library makes it that pads base64.
                    let refused = publish(sockets, port, &format!("{token}==")).await;
                    let Err(Error::Peer(PeerError::Rejected(code))) = &refused else {
                        panic!("{refused:?}");
                    };
                    let failure = LoginFailure::Connack5(code.into());
                    assert_eq!(failure.causes().next(), Some(Cause::LoginRefused));
                    assert!(
                        failure.to_string().contains("refused the login"),
                        "{failure}"
                    );
                }
            };
            match select(with_own_waker(runner.run()), application).await {
                Either::First(never) => never,
                Either::Second(()) => {}
            }
        });
        assert_eq!(ended.await, Ok(RunError::Ended(Ended::Closed)));
        let said: Vec<String> = modem
            .commands()
            .iter()
            .map(|line| String::from_utf8_lossy(line).into_owned())
            .filter(|line| line.starts_with("AT+UPPPC") || line == "ATO3")
            .collect();
        assert_eq!(
            said,
            [
                "AT+UPPPC=101,172.20.10.4",
                "AT+UPPPC=102,255.255.255.0",
                "AT+UPPPC=104,172.20.10.1",
                "AT+UPPPC=105,172.20.10.1",
                "AT+UPPPC=107,1",
                "ATO3",
            ]
        );
    });
}
