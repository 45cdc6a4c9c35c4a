//! The story of TI's users, the same over each interface of each generation: credentials as secure files, the date, mutual TLS to a
//! broker; and each of the mistakes that are made on the way. The first generation is here with the feature `openssl`.

use std::net::{Ipv4Addr, SocketAddr};
use std::rc::Rc;
use std::sync::OnceLock;
use std::time::Duration;

use embassy_time::Timer;
use embedded_io_async::{Read, Write};
use sectag::modem::Credentials;
use sectag::{CaScope, Control, CredentialError, Kind, Socket};
#[cfg(feature = "openssl")]
use sectag_cc3200::nwp::G1;
use sectag_cc3200::nwp::G2;
use sectag_integration_tests::cc31xx::{WIFI, now, provision};
use sectag_integration_tests::simulated::{HOST, PORT, TLS, World, virtually};
use sectag_integration_tests::ti::{self, Interface, Native, OverAt, Setting};
use sectag_simulator::{LoopbackNetwork, MemoryNetwork};
use sectag_test_support::mosquitto::{Mosquitto, MosquittoOptions};
use sectag_test_support::pki::Pki;
use tokio::task::LocalSet;

/// Each of these is a test of every interface.
macro_rules! everywhere {
    ($($name:ident)*) => {
        mod at {
            $(#[test] fn $name() { super::$name::<super::OverAt>(); })*
        }

        mod uart_of_the_second {
            $(#[test] fn $name() { super::$name::<super::Native<super::G2, false>>(); })*
        }

        mod spi_of_the_second {
            $(#[test] fn $name() { super::$name::<super::Native<super::G2, true>>(); })*
        }

        #[cfg(feature = "openssl")]
        mod uart_of_the_first {
            $(#[test] fn $name() { super::$name::<super::Native<super::G1, false>>(); })*
        }

        #[cfg(feature = "openssl")]
        mod spi_of_the_first {
            $(#[test] fn $name() { super::$name::<super::Native<super::G1, true>>(); })*
        }
    };
}

/// What the tests of the other interfaces run as well, of the first generation.
#[cfg(feature = "openssl")]
macro_rules! of_the_first {
    ($($name:ident)*) => {
        mod of_the_first {
            use super::*;

            $(#[test] fn $name() {
                ti::$name::<Native<G1, false>>();
                ti::$name::<Native<G1, true>>();
            })*
        }
    };
}

#[cfg(feature = "openssl")]
of_the_first! {
    what_is_there_already_is_not_uploaded_again
    a_policy_that_the_chip_lacks_is_refused_by_name
    the_end_of_a_certificate_is_read_back
    a_pem_where_the_chip_wants_der_is_told
    an_old_service_pack_that_checks_no_names_is_refused_unless_that_is_accepted
    a_server_of_another_root_or_name_is_refused
    a_chip_that_is_switched_off_confirms_it
    a_network_that_is_lost_without_a_word_is_joined_again
    a_socket_that_the_chip_does_not_have_is_refused_by_number_and_in_words
}

everywhere! {
    what_is_published_comes_back
    each_mistake_has_words_of_its_own
    data_goes_both_ways
    as_many_sockets_as_it_has_are_open_at_once_and_one_more_is_refused
}

mod of_the_second {
    use super::*;

    #[test]
    fn a_socket_that_the_chip_does_not_have_is_refused_by_number_and_in_words() {
        ti::a_socket_that_the_chip_does_not_have_is_refused_by_number_and_in_words::<
            Native<G2, false>,
        >();
        ti::a_socket_that_the_chip_does_not_have_is_refused_by_number_and_in_words::<
            Native<G2, true>,
        >();
    }
}

/// Not the shared one, whose server certificate is for other names.
static PKI: OnceLock<Pki> = OnceLock::new();

/// The files as a cloud hands them out, to a broker and back. In real time, since the broker is real.
fn what_is_published_comes_back<I: Interface>() {
    let pki = PKI.get_or_init(|| {
        let names = [HOST.as_str(), "localhost"];
        Pki::builder().server_names(names).build()
    });
    let options = I::broker(MosquittoOptions::new());
    let broker = Mosquitto::start(pki, &options).expect("mosquitto is installed and starts");
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    runtime.block_on(LocalSet::new().run_until(async {
        let mut network = LoopbackNetwork::new();
        let target = SocketAddr::from((Ipv4Addr::LOCALHOST, broker.port()));
        let mapped = network.map(HOST.as_str(), PORT, target);
        mapped.expect("it is a loopback address");
        let world = World {
            modem: I::simulator(Setting::default(), Rc::new(network)),
            network: MemoryNetwork::new(),
        };
        let story = I::attach_with(&world, WIFI, Some(0x1234_5678), async |bench| {
            let control = bench.control;
            let client = pki.client();
            let key = client.key_pem_pkcs1().expect("an RSA key");
            for (kind, pem) in [
                (Kind::Ca, &pki.ca_pem()),
                (Kind::ClientCertificate, &client.cert_pem),
                (Kind::PrivateKey, &key),
            ] {
                let stored = control.ensure(TLS.tag(), kind, pem.as_bytes()).await;
                stored.unwrap();
            }
            control.set_clock(now()).await.unwrap();
            let mut socket = control.connect(HOST, PORT, &I::CONFIG).await.unwrap();
            publish_and_receive(&mut socket).await;
            socket.close().await.unwrap();
        });
        let story = tokio::time::timeout(Duration::from_secs(60), story).await;
        story.expect("a minute is enough");
        assert_eq!(world.modem.files().len(), 3);
        assert_eq!(world.modem.security_alerts(), 0);
    }));
}

/// MQTT 3.1.1 by hand: a login, a subscription, and what is published there with QoS 1.
async fn publish_and_receive(socket: &mut Socket<'_>) {
    exchange(
        socket,
        b"\x10\x11\x00\x04MQTT\x04\x02\x00\x3c\x00\x05story",
        b"\x20\x02\x00\x00",
    )
    .await;
    exchange(
        socket,
        b"\x82\x0a\x00\x01\x00\x05flash\x00",
        b"\x90\x03\x00\x01\x00",
    )
    .await;
    let payload: Vec<u8> = (0..100).collect();
    let mut publish = b"\x32\x6d\x00\x05flash\x00\x02".to_vec();
    publish.extend(&payload);
    socket.write_all(&publish).await.unwrap();
    socket.flush().await.unwrap();
    // The acknowledgement and the message, in either order.
    let mut back = [0; 4 + 2 + 7 + 100];
    socket.read_exact(&mut back).await.unwrap();
    let mut message = b"\x30\x6b\x00\x05flash".to_vec();
    message.extend(&payload);
    let acknowledgement = b"\x40\x02\x00\x02";
    let orders = [
        [&message, &acknowledgement[..]].concat(),
        [acknowledgement, &message[..]].concat(),
    ];
    assert!(orders.contains(&back.to_vec()), "{back:x?}");
}

async fn exchange(socket: &mut Socket<'_>, packet: &[u8], answer: &[u8]) {
    socket.write_all(packet).await.unwrap();
    socket.flush().await.unwrap();
    let mut answered = vec![0; answer.len()];
    socket.read_exact(&mut answered).await.unwrap();
    assert_eq!(answered, answer);
}

/// 4 KiB each way, and what was verified.
fn data_goes_both_ways<I: Interface>() {
    virtually(async || {
        let world = I::world(Setting::default());
        ti::serve::<I>(&world);
        let counters = ti::flash_and_talk::<I>(&world).await;
        assert_eq!((counters.restarts, counters.resyncs), (0, 0));
    });
}

fn as_many_sockets_as_it_has_are_open_at_once_and_one_more_is_refused<I: Interface>() {
    ti::as_many_sockets_as_it_has_are_open_at_once_and_one_more_is_refused::<I>();
}

/// What a user reads of each mistake: the error, and what to do about its likeliest cause.
fn each_mistake_has_words_of_its_own<I: Interface>() {
    virtually(async || {
        let mut said = Vec::new();
        refused_before_a_byte::<I>(&mut said).await;
        told_by_a_connect::<I>(&mut said).await;
        for (mistake, words) in &said {
            println!("{mistake}: {words}");
        }
        assert_eq!(said.len(), 11);
        for (at, (mistake, words)) in said.iter().enumerate() {
            for (other, others) in &said[..at] {
                assert_ne!(words, others, "{mistake}, {other}");
            }
        }
    });
}

type Said = Vec<(&'static str, String)>;

/// Files that are none of what they are stored as. The chip is not asked.
async fn refused_before_a_byte<I: Interface>(said: &mut Said) {
    let world = I::world(Setting::default());
    I::attach(&world, WIFI, async |bench| {
        let pki = Pki::shared();
        let leaf = &pki.issue_server([HOST.as_str()]).cert_pem;
        let control = bench.control;
        for (mistake, kind, pem) in [
            ("a key for the CA", Kind::Ca, &pki.client().key_pem),
            ("a CA for the key", Kind::PrivateKey, &pki.ca_pem()),
            ("a leaf for the CA", Kind::Ca, leaf),
            (
                "an intermediate for the CA",
                Kind::Ca,
                &pki.intermediate_pem(),
            ),
        ] {
            let error = refused(control, kind, pem).await;
            said.push((mistake, error.to_string()));
        }
    })
    .await;
    assert!(world.modem.files().is_empty());
}

async fn refused<M: Credentials>(
    control: Control<'static, M>,
    kind: Kind,
    pem: &str,
) -> CredentialError<core::convert::Infallible> {
    let stored = control.store(TLS.tag(), kind, pem.as_bytes()).await;
    stored.expect_err("it is none")
}

/// What is noticed no sooner than by a connect; where the chip was asked, with its own number.
async fn told_by_a_connect<I: Interface>(said: &mut Said) {
    let pki = Pki::shared();
    let other = Pki::builder().server_names([HOST.as_str()]).build();
    let elsewhere = pki.issue_server(["another.sectag.test"]);
    let good = pki.issue_server([HOST.as_str()]);
    let ca = pki.ca_pem();
    let world = I::world(Setting::default());
    I::serve(&world, &good, &ca);
    let ask = async |what: &dyn Fn(&World), date: bool| {
        I::attach(&world, WIFI, async |bench| {
            if date {
                provision(bench).await;
            } else {
                ti::store_all(bench).await;
            }
            what(&world);
            let config = I::CONFIG.ca_scope(CaScope::Public);
            let connect = bench.control.connect(HOST, PORT, &config);
            let error = connect.await.err().expect("it is a mistake");
            Timer::after_secs(1).await;
            assert!(world.modem.open_sockets().is_empty());
            let hint = error.causes().next().map_or("", sectag::Cause::hint);
            format!("{error}: {hint}")
        })
        .await
    };
    let date_unset = ask(&|_| {}, false).await;
    said.push(("the date unset", date_unset));
    let pem = ask(
        &|world| world.modem.put_file("/cert/7_ca.der", ca.as_bytes()),
        true,
    )
    .await;
    assert!(pem.contains("-456"), "{pem}");
    said.push(("PEM under .der", pem));
    let root = ask(
        &|world| I::serve(world, &other.issue_server([HOST.as_str()]), &ca),
        true,
    )
    .await;
    // The root has the name of the right one.
    assert!(root.contains("-655") || root.contains("-155"), "{root}");
    said.push(("another root", root));
    let name = ask(&|world| I::serve(world, &elsewhere, &ca), true).await;
    assert!(name.contains("-722") || name.contains("-222"), "{name}");
    said.push(("another name", name));
    let suites = ask(&|world| I::serve_others(world), true).await;
    assert!(
        suites.contains("-340") || suites.contains("-370"),
        "{suites}"
    );
    said.push(("no common suite", suites));
    I::serve(&world, &good, &ca);
    for (mistake, kind) in [
        ("a file missing", Kind::ClientCertificate),
        ("no CA", Kind::Ca),
    ] {
        let words = I::attach(&world, WIFI, async |bench| {
            provision(bench).await;
            bench.control.remove(TLS.tag(), kind).await.unwrap();
            let connect = bench.control.connect(HOST, PORT, &I::CONFIG);
            let error = connect.await.err().expect("it is a mistake");
            let hint = error.causes().next().map_or("", sectag::Cause::hint);
            format!("{error}: {hint}")
        })
        .await;
        said.push((mistake, words));
    }
}
