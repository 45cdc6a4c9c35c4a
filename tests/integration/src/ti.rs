//! What holds for TI's network processors by whichever interface they are driven: bodies of tests, which the tests of each interface run.

use std::future::Future;
use std::marker::PhantomData;
use std::rc::Rc;

use embassy_time::{Duration, Instant, Timer, with_timeout};
use embedded_io_async::{Read as _, Write as _};
use sectag::clock::DateTime;
use sectag::modem::{Credentials, Full, HasClock};
use sectag::wifi::{JoinFailure, WifiConfig};
use sectag::{
    BringUpError, CaScope, Cause, Check, Code, ConnectError, Counters, CredentialError, Ensured,
    Feature, Kind, Loss, ServerName, Shutdown, Socket, SocketError, State, Support, Tag, TlsConfig,
    TlsVersion,
};
use sectag_cc3200::at::{self, Cc32xx};
#[cfg(feature = "openssl")]
use sectag_cc3200::nwp::G1;
use sectag_cc3200::nwp::{self, G2, Nwp, Wiring};
#[cfg(feature = "openssl")]
use sectag_simulator::NwpGeneration;
use sectag_simulator::{Cc32xxOptions, Failure, MemoryNetwork, Network, NwpOptions, Simulator};
use sectag_test_support::mosquitto::MosquittoOptions;
use sectag_test_support::pki::{Identity, Pki, Validity};
use sectag_test_support::tls_server::echo;

use crate::bench::Bench;
pub use crate::cc31xx::store_all;
use crate::cc31xx::{WIFI, attach_as, provision};
use crate::cc32xx;
use crate::driven::{self, Driven};
use crate::harness::serve_tls13_at;
use crate::recovery::round_trip;
use crate::simulated::{HOST, PORT, TLS, World, virtually};
use crate::sources::Shrinking;

/// An interface of the chip: the AT application, or the native protocol on a UART or an SPI.
pub trait Interface {
    /// The backend.
    type Modem: Full + Credentials + HasClock;

    /// Mutual TLS with what [`provision`] stores, with suites that the chip has.
    const CONFIG: TlsConfig = TLS;

    /// Whether those suites are modern.
    const MODERN: Support = Support::Yes;

    /// The number of TLS sockets that it has.
    const SOCKETS: usize;

    /// A simulated one.
    fn simulator(setting: Setting, network: Rc<dyn Network>) -> Simulator;

    /// A simulated one in a network without servers.
    fn world(setting: Setting) -> World {
        let network = MemoryNetwork::new();
        World {
            modem: Self::simulator(setting, Rc::new(network.clone())),
            network,
        }
    }

    /// An echo at [`HOST`], with suites that the chip has.
    fn serve(world: &World, identity: &Identity, client_ca: &str) {
        world.serve_as(identity, client_ca, echo);
    }

    /// An echo that has no version or suite in common with the chip.
    fn serve_others(world: &World) {
        let pki = Pki::shared();
        let identity = pki.issue_server([HOST.as_str()]);
        serve_tls13_at(&world.network, HOST.as_str(), &identity, echo);
    }

    /// A broker that the chip can connect to.
    fn broker(options: MosquittoOptions) -> MosquittoOptions {
        options
    }

    /// Runs an application on a driver of it that joins a network, with credentials as secure files if there is a token for
    /// them. Over the AT application the key is one in any case.
    #[expect(async_fn_in_trait, reason = "tests have one thread")]
    async fn attach_with<T, A: Future<Output = T>>(
        world: &World,
        wifi: WifiConfig,
        token: Option<u32>,
        application: impl FnOnce(Bench<Self::Modem>) -> A,
    ) -> T;

    /// A driver of it with as many sockets as it has, in tasks of its own.
    fn spawn(world: &World) -> Driven<Self::Modem>;

    /// Runs an application on a driver of it that joins a network.
    #[expect(async_fn_in_trait, reason = "tests have one thread")]
    async fn attach<T, A: Future<Output = T>>(
        world: &World,
        wifi: WifiConfig,
        application: impl FnOnce(Bench<Self::Modem>) -> A,
    ) -> T {
        Self::attach_with(world, wifi, None, application).await
    }
}

/// TI's AT application.
pub struct OverAt;

impl Interface for OverAt {
    type Modem = Cc32xx;

    const SOCKETS: usize = 6;

    fn simulator(setting: Setting, network: Rc<dyn Network>) -> Simulator {
        let options = Cc32xxOptions {
            unknown_to_catalog: setting.unknown_to_catalog,
            old_service_pack: setting.old_service_pack,
            ..Cc32xxOptions::default()
        };
        Simulator::cc32xx(options, network)
    }

    async fn attach_with<T, A: Future<Output = T>>(
        world: &World,
        wifi: WifiConfig,
        _: Option<u32>,
        application: impl FnOnce(Bench<Cc32xx>) -> A,
    ) -> T {
        cc32xx::attach(world, at::Config::new(wifi), application).await
    }

    fn spawn(world: &World) -> Driven<Cc32xx> {
        let state: &mut State<'static, Cc32xx, 6, 2048, 1024> = Box::leak(Box::new(State::new()));
        driven::on_uart(world, state, Cc32xx::new(at::Config::new(WIFI)))
    }
}

/// The native protocol of a generation, on an SPI or a UART.
pub struct Native<G, const SPI: bool>(PhantomData<G>);

impl<G, const SPI: bool> Native<G, SPI> {
    /// Which of the two.
    pub const WIRING: Wiring = if SPI { Wiring::Spi } else { Wiring::Uart };

    fn options(setting: Setting) -> NwpOptions {
        NwpOptions {
            unknown_to_catalog: setting.unknown_to_catalog,
            old_service_pack: setting.old_service_pack,
            sockets: setting.sockets,
            ..NwpOptions::default()
        }
    }
}

fn configured(wifi: WifiConfig, token: Option<u32>) -> nwp::Config {
    let config = nwp::Config::new(wifi);
    match token {
        Some(token) => config.secure_files(token),
        None => config,
    }
}

impl<const SPI: bool> Interface for Native<G2, SPI> {
    type Modem = Nwp<G2>;

    const SOCKETS: usize = 6;

    fn simulator(setting: Setting, network: Rc<dyn Network>) -> Simulator {
        Simulator::nwp(Self::options(setting), network)
    }

    async fn attach_with<T, A: Future<Output = T>>(
        world: &World,
        wifi: WifiConfig,
        token: Option<u32>,
        application: impl FnOnce(Bench<Nwp<G2>>) -> A,
    ) -> T {
        attach_as(Self::WIRING, world, configured(wifi, token), application).await
    }

    fn spawn(world: &World) -> Driven<Nwp<G2>> {
        let state: &mut State<'static, Nwp<G2>, 6, 2048, 1024> = Box::leak(Box::new(State::new()));
        driven::on(Self::WIRING, world, state)
    }
}

/// Its suites are CBC ones, which only OpenSSL has.
#[cfg(feature = "openssl")]
impl<const SPI: bool> Interface for Native<G1, SPI> {
    type Modem = Nwp<G1>;

    const SOCKETS: usize = 2;
    const CONFIG: TlsConfig = TLS.suites(sectag::Suites::All);
    const MODERN: Support = Support::No;

    fn simulator(setting: Setting, network: Rc<dyn Network>) -> Simulator {
        let options = NwpOptions {
            generation: NwpGeneration::First,
            ..Self::options(setting)
        };
        Simulator::nwp(options, network)
    }

    async fn attach_with<T, A: Future<Output = T>>(
        world: &World,
        wifi: WifiConfig,
        token: Option<u32>,
        application: impl FnOnce(Bench<Nwp<G1>>) -> A,
    ) -> T {
        attach_as(Self::WIRING, world, configured(wifi, token), application).await
    }

    fn spawn(world: &World) -> Driven<Nwp<G1>> {
        let state: &mut State<'static, Nwp<G1>, 2, 2048, 1024> = Box::leak(Box::new(State::new()));
        driven::on(Self::WIRING, world, state)
    }

    fn serve(world: &World, identity: &Identity, client_ca: &str) {
        crate::cbc::serve(&world.network, HOST.as_str(), identity, client_ca, echo);
    }

    /// GCM and ChaCha alone, as rustls has it.
    fn serve_others(world: &World) {
        world.serve(echo);
    }

    fn broker(options: MosquittoOptions) -> MosquittoOptions {
        options.tls12_with(crate::cbc::SUITES)
    }
}

/// The deviations of the simulated chip.
#[derive(Clone, Copy, Debug, Default)]
pub struct Setting {
    /// The root of the servers is in no catalog.
    pub unknown_to_catalog: bool,
    /// It has no option for the name of a server.
    pub old_service_pack: bool,
    /// The number of its TLS sockets, where something else has the rest. Of native interfaces alone.
    pub sockets: Option<u8>,
}

/// A chip in a network with an echo.
fn serving<I: Interface>(setting: Setting) -> World {
    let world = I::world(setting);
    serve::<I>(&world);
    world
}

/// An echo of the shared PKI.
pub fn serve<I: Interface>(world: &World) {
    let pki = Pki::shared();
    I::serve(world, &pki.issue_server([HOST.as_str()]), &pki.ca_pem());
}

/// Connects to the peer.
async fn connect<I: Interface>(bench: Bench<I::Modem>) -> Result<Socket<'static>, ConnectError> {
    bench.control.connect(HOST, PORT, &I::CONFIG).await
}

/// From PEM to payload both ways; what the driver counted.
pub async fn flash_and_talk<I: Interface>(world: &World) -> Counters {
    let counters = I::attach(world, WIFI, async |bench| {
        provision(bench).await;
        let mut socket = connect::<I>(bench).await.unwrap();
        let verified = socket.verified();
        for check in [Check::Chain, Check::Name, Check::Dates, Check::Sni] {
            assert_eq!(verified.of(check), Support::Yes, "{check}");
        }
        assert_eq!(verified.of(Check::Suites), I::MODERN);
        assert_eq!(verified.client_certificate, Support::Yes);
        let bytes: Vec<u8> = (0..4096u32).map(|at| ((at * 7) >> 3) as u8).collect();
        for part in bytes.chunks(1000) {
            round_trip(&mut socket, part).await.unwrap();
        }
        socket.close().await.unwrap();
        bench.control.counters()
    })
    .await;
    let files = world.modem.files();
    let names: Vec<_> = files.keys().map(String::as_str).collect();
    assert_eq!(
        names,
        ["/cert/7_ca.der", "/cert/7_cert.der", "/cert/7_key.der"]
    );
    // DER, and the key as PKCS#1 or SEC1 has it.
    assert!(files.values().all(|content| content[0] == 0x30));
    assert_eq!(world.modem.security_alerts(), 0);
    assert!(world.modem.open_sockets().is_empty());
    counters
}

/// What is in the chip is proved by reading it back, and replaced by what differs.
pub fn what_is_there_already_is_not_uploaded_again<I: Interface>() {
    virtually(async || {
        let world = serving::<I>(Setting::default());
        I::attach(&world, WIFI, async |bench| {
            let pki = Pki::shared();
            let ca = pki.ca_pem();
            let ensure = async |pem: &str| {
                bench
                    .control
                    .ensure(TLS.tag(), Kind::Ca, pem.as_bytes())
                    .await
                    .unwrap()
            };
            assert!(matches!(ensure(&ca).await, Ensured::Stored));
            assert!(matches!(ensure(&ca).await, Ensured::AlreadyThere(_)));
            let other = Pki::builder().server_names(["other"]).build();
            assert!(matches!(ensure(&other.ca_pem()).await, Ensured::Stored));
            let mut listed = Vec::new();
            bench
                .control
                .list_tag(TLS.tag(), &mut |stored| listed.push(stored.kind))
                .await
                .unwrap();
            assert_eq!(listed, [Kind::Ca]);
            bench.control.remove(TLS.tag(), Kind::Ca).await.unwrap();
            bench.control.remove(TLS.tag(), Kind::Ca).await.unwrap();
        })
        .await;
        assert!(world.modem.files().is_empty());
        assert_eq!(world.modem.security_alerts(), 0);
    });
}

/// A policy that no setting of the chip can meet is refused before anything is sent.
pub fn a_policy_that_the_chip_lacks_is_refused_by_name<I: Interface>() {
    virtually(async || {
        let world = serving::<I>(Setting::default());
        I::attach(&world, WIFI, async |bench| {
            provision(bench).await;
            let alpn = I::CONFIG.alpn("mqtt").expect("it is a protocol");
            for (config, feature) in [
                (alpn, Feature::Alpn),
                (
                    I::CONFIG.min_version(TlsVersion::Tls13),
                    Feature::Version(TlsVersion::Tls13),
                ),
            ] {
                let before = bench.control.counters().exchanges;
                let refused = bench.control.connect(HOST, PORT, &config).await.err();
                assert_eq!(refused, Some(ConnectError::Lacks(feature)));
                assert_eq!(bench.control.counters().exchanges, before, "{feature}");
            }
        })
        .await;
    });
}

/// The end of a certificate is read from its file.
pub fn the_end_of_a_certificate_is_read_back<I: Interface>() {
    let validity = Validity::from_ymd((2026, 1, 1), (2027, 3, 14));
    let client = Pki::shared().issue_client_valid("pump-17", validity);
    virtually(async || {
        let world = serving::<I>(Setting::default());
        I::attach(&world, WIFI, async |bench| {
            let (control, tag) = (bench.control, TLS.tag());
            let ca = Pki::shared().ca_pem();
            control.store(tag, Kind::Ca, ca.as_bytes()).await.unwrap();
            let pem = client.cert_pem.as_bytes();
            control
                .store(tag, Kind::ClientCertificate, pem)
                .await
                .unwrap();
            let found = control.expires(tag).await.unwrap();
            assert_eq!(found.client, DateTime::new(2027, 3, 14, 0, 0, 0));
            assert!(found.ca > found.client, "{found:?}");
            assert_eq!(control.expires(Tag(6)).await.unwrap().soonest(), None);
        })
        .await;
    });
}

/// A file that somebody else wrote, as PEM.
pub fn a_pem_where_the_chip_wants_der_is_told<I: Interface>() {
    virtually(async || {
        let world = serving::<I>(Setting::default());
        I::attach(&world, WIFI, async |bench| {
            provision(bench).await;
            world
                .modem
                .put_file("/cert/7_ca.der", Pki::shared().ca_pem().as_bytes());
            let error = connect::<I>(bench).await.err().unwrap();
            let ConnectError::Refused(refusal) = error else {
                panic!("{error}");
            };
            assert!(matches!(refusal.code, Code::Signed(-456, _)), "{error}");
            assert_eq!(error.causes().next(), Some(Cause::CaUnreadable));
            Timer::after_secs(1).await;
        })
        .await;
        assert!(world.modem.open_sockets().is_empty());
    });
}

/// The root of the chain is not in the catalog of the service pack.
pub fn connected_and_not_verified_is_refused_and_closed<I: Interface>() {
    virtually(async || {
        let world = serving::<I>(Setting {
            unknown_to_catalog: true,
            ..Setting::default()
        });
        I::attach(&world, WIFI, async |bench| {
            provision(bench).await;
            let error = connect::<I>(bench).await.err().unwrap();
            assert!(error.to_string().contains("-468"), "{error}");
            assert_eq!(error.causes().next(), Some(Cause::RootNotInCatalog));
            Timer::after_secs(1).await;
        })
        .await;
        assert!(world.modem.open_sockets().is_empty());
    });
}

/// Neither is the name checked nor sent then.
pub fn an_old_service_pack_that_checks_no_names_is_refused_unless_that_is_accepted<I: Interface>() {
    virtually(async || {
        let world = serving::<I>(Setting {
            old_service_pack: true,
            ..Setting::default()
        });
        I::attach(&world, WIFI, async |bench| {
            provision(bench).await;
            let public = I::CONFIG.ca_scope(CaScope::Public);
            let connect = bench.control.connect(HOST, PORT, &public);
            let error = connect.await.err().unwrap();
            assert_eq!(error, ConnectError::Unverifiable(Check::Name));
            let lax = public.dangerous().accept_missing(Check::Name);
            let socket = bench.control.connect(HOST, PORT, &lax).await.unwrap();
            assert_eq!(socket.verified().name, Support::No);
        })
        .await;
    });
}

/// And a name that has no address.
pub fn a_server_of_another_root_or_name_is_refused<I: Interface>() {
    virtually(async || {
        let world = I::world(Setting::default());
        let other = Pki::builder().server_names([HOST.as_str()]).build();
        let shared = Pki::shared();
        I::serve(
            &world,
            &other.issue_server([HOST.as_str()]),
            &shared.ca_pem(),
        );
        I::attach(&world, WIFI, async |bench| {
            provision(bench).await;
            let error = connect::<I>(bench).await.err().unwrap();
            assert_eq!(error.causes().next(), Some(Cause::CaMismatch), "{error}");
            I::serve(
                &world,
                &shared.issue_server(["another.sectag.test"]),
                &shared.ca_pem(),
            );
            let public = I::CONFIG.ca_scope(CaScope::Public);
            let connect = bench.control.connect(HOST, PORT, &public);
            let error = connect.await.err().unwrap();
            assert_eq!(error.causes().next(), Some(Cause::NameMismatch), "{error}");
            let name = ServerName::new("nowhere.sectag.test").unwrap();
            let error = bench
                .control
                .connect(name, PORT, &I::CONFIG)
                .await
                .err()
                .unwrap();
            assert_eq!(error.causes().next(), Some(Cause::NameUnknown), "{error}");
        })
        .await;
        assert!(world.modem.open_sockets().is_empty());
    });
}

/// The chip's word about the lost network was lost itself: the next lookup tells, and the network is joined again.
pub fn a_network_that_is_lost_without_a_word_is_joined_again<I: Interface>() {
    virtually(async || {
        let world = serving::<I>(Setting::default());
        I::attach(&world, WIFI, async |bench| {
            provision(bench).await;
            let mut socket = connect::<I>(bench).await.unwrap();
            round_trip(&mut socket, b"before").await.unwrap();
            drop(socket);
            Timer::after_secs(1).await;
            world.modem.drop_pdp_silently(0);
            let error = connect::<I>(bench).await.err().unwrap();
            assert_eq!(error.causes().next(), Some(Cause::DataConnectionDown));
            let mut socket = connect::<I>(bench).await.unwrap();
            round_trip(&mut socket, b"after").await.unwrap();
            // While a connection stands, nothing is given up for another.
            world.modem.drop_pdp_silently(0);
            for _ in 0..2 {
                assert!(connect::<I>(bench).await.is_err());
            }
            assert!(socket.loss().is_none());
            drop(socket);
            Timer::after_secs(1).await;
            assert!(connect::<I>(bench).await.is_err());
            connect::<I>(bench).await.unwrap();
        })
        .await;
    });
}

/// By the reason of the disconnect event, and by its absence.
pub fn a_wrong_passphrase_and_a_network_that_is_not_there_are_told_apart<I: Interface>() {
    for (wifi, failure, reason) in [
        (
            WifiConfig::wpa2("lab", "another key"),
            JoinFailure::Refused,
            Some(15),
        ),
        (
            WifiConfig::wpa2("elsewhere", "S3cretKey"),
            JoinFailure::NotFound,
            None,
        ),
    ] {
        virtually(async || {
            let world = serving::<I>(Setting::default());
            I::attach(&world, wifi.unwrap(), async |bench| {
                let error = bench.control.wait_up().await.unwrap_err();
                assert_eq!(error, BringUpError::NotJoined { failure, reason });
            })
            .await;
        });
    }
}

/// And is connected with again so soon. The date is the driver's to set: the chip has lost it.
pub fn a_chip_that_restarts_or_hangs_is_brought_back<I: Interface>(
    failures: &[(Failure, Loss)],
    within: Duration,
) {
    for (failure, loss) in failures {
        virtually(async || {
            let world = serving::<I>(Setting::default());
            I::attach(&world, WIFI, async |bench| {
                provision(bench).await;
                let mut socket = connect::<I>(bench).await.unwrap();
                round_trip(&mut socket, b"before").await.unwrap();
                world.modem.fail(*failure);
                let mut buf = [0; 1];
                let read = with_timeout(Duration::from_secs(90), socket.read(&mut buf)).await;
                assert_eq!(
                    read.unwrap(),
                    Err(SocketError::ConnectionReset),
                    "{failure:?}"
                );
                assert_eq!(socket.loss(), Some(*loss), "{failure:?}");
                drop(socket);
                let began = Instant::now();
                let mut socket = connect::<I>(bench).await.unwrap();
                assert!(began.elapsed() < within);
                round_trip(&mut socket, b"after").await.unwrap();
            })
            .await;
        });
    }
}

/// A length that changes while a credential is read breaks the contract of a source; what was announced counts.
pub fn a_source_whose_length_changes_is_stored_as_it_was_announced<I: Interface>() {
    let content = [7; 2000];
    for times in 1..8 {
        virtually(async || {
            let world = I::world(Setting::default());
            let source = Shrinking::new(&content, times);
            I::attach(&world, WIFI, async |bench| {
                let control = bench.control;
                let stored = control.store_unchecked(Tag(9), Kind::Ca, source).await;
                stored.unwrap();
            })
            .await;
            assert!(world.modem.files()["/cert/9_ca.der"] == content, "{times}");
        });
    }
}

/// A file that is longer than a credential can be is not read to its end, and is replaced.
pub fn a_file_that_can_be_no_credential_is_not_read_and_is_replaced<I: Interface>() {
    virtually(async || {
        let world = I::world(Setting::default());
        I::attach(&world, WIFI, async |bench| {
            let control = bench.control;
            control.wait_up().await.unwrap();
            world.modem.put_file("/cert/9_ca.der", &[0x30; 17_000]);
            let digest = control.digest(Tag(9), Kind::Ca).await;
            assert_eq!(digest, Err(CredentialError::Unreadable));
            let ca = Pki::shared().ca_pem();
            let ensured = control.ensure(Tag(9), Kind::Ca, ca.as_bytes()).await;
            assert_eq!(ensured.unwrap(), Ensured::Stored);
        })
        .await;
        assert!(world.modem.files()["/cert/9_ca.der"].len() < 2000);
    });
}

/// The chip's word that it has stopped is waited for, and nothing else; it stays off until it is wanted.
pub fn a_chip_that_is_switched_off_confirms_it<I: Interface>() {
    virtually(async || {
        let world = serving::<I>(Setting::default());
        I::attach(&world, WIFI, async |bench| {
            provision(bench).await;
            let mut socket = connect::<I>(bench).await.unwrap();
            let began = Instant::now();
            assert_eq!(bench.control.power_off().await, Ok(Shutdown::Confirmed));
            assert!(began.elapsed() < Duration::from_millis(900));
            let lost = socket.read(&mut [0; 1]).await;
            assert_eq!(lost, Err(SocketError::ConnectionReset));
            drop(socket);
            Timer::after_secs(100).await;
            assert!(bench.control.is_asleep());
            let off = Err(BringUpError::PoweredOff);
            assert_eq!(bench.control.power_off().await, off);
            bench.control.power_on();
            let mut socket = connect::<I>(bench).await.unwrap();
            round_trip(&mut socket, b"on").await.unwrap();
            // And a second time: nothing of the first is taken for it.
            drop(socket);
            assert_eq!(bench.control.power_off().await, Ok(Shutdown::Confirmed));
        })
        .await;
    });
}

/// Each with data of its own, in both directions at a time. The one more costs no command: the driver has no place for it.
pub fn as_many_sockets_as_it_has_are_open_at_once_and_one_more_is_refused<I: Interface>() {
    virtually(async || {
        let world = serving::<I>(Setting::default());
        let driven = I::spawn(&world);
        let control = driven.control;
        assert_eq!(usize::from(control.capabilities().sockets), I::SOCKETS);
        provision(driven.bench()).await;
        let mut sockets = Vec::new();
        for _ in 0..I::SOCKETS {
            sockets.push(connect::<I>(driven.bench()).await.unwrap());
        }
        assert_eq!(world.modem.open_sockets().len(), I::SOCKETS);
        for _ in 0..3 {
            all_talk(&mut sockets).await;
            world.modem.take_commands();
            let error = connect::<I>(driven.bench()).await.err().unwrap();
            assert_eq!(error, ConnectError::TooManySockets);
            assert!(error.to_string().contains("close one first"), "{error}");
            assert_eq!(error.causes().next(), Some(Cause::OutOfMemory));
            assert!(world.modem.take_commands().is_empty());
            // One that is closed makes room.
            sockets.remove(0).close().await.unwrap();
            sockets.push(connect::<I>(driven.bench()).await.unwrap());
        }
        all_talk(&mut sockets).await;
        assert_eq!(control.counters().restarts, 0);
        assert_eq!(world.modem.security_alerts(), 0);
    });
}

/// Something else in the chip has a socket: the chip itself refuses, the others go on, and a close makes room.
pub fn a_socket_that_the_chip_does_not_have_is_refused_by_number_and_in_words<I: Interface>() {
    let has = I::SOCKETS - 1;
    virtually(async || {
        let world = serving::<I>(Setting {
            sockets: Some(has as u8),
            ..Setting::default()
        });
        let driven = I::spawn(&world);
        provision(driven.bench()).await;
        let mut sockets = Vec::new();
        for _ in 0..has {
            sockets.push(connect::<I>(driven.bench()).await.unwrap());
        }
        for _ in 0..3 {
            let error = connect::<I>(driven.bench()).await.err().unwrap();
            let words = "-460 (too many TLS sockets)";
            assert!(error.to_string().contains(words), "{error}");
            assert_eq!(error.causes().next(), Some(Cause::OutOfMemory));
            assert_eq!(world.modem.open_sockets().len(), has);
            all_talk(&mut sockets).await;
        }
        sockets.remove(0).close().await.unwrap();
        sockets.push(connect::<I>(driven.bench()).await.unwrap());
        all_talk(&mut sockets).await;
        assert_eq!(driven.control.counters().restarts, 0);
        assert_eq!(world.modem.security_alerts(), 0);
    });
}

/// Has each socket send bytes of its own, and then each read its echo.
async fn all_talk(sockets: &mut [Socket<'_>]) {
    let said = |number: usize| [b'a' + number as u8; 300];
    for (number, socket) in sockets.iter_mut().enumerate() {
        socket.write_all(&said(number)).await.unwrap();
        socket.flush().await.unwrap();
    }
    for (number, socket) in sockets.iter_mut().enumerate() {
        let mut heard = [0; 300];
        socket.read_exact(&mut heard).await.unwrap();
        assert_eq!(heard, said(number));
    }
}
