//! The nRF9160 backend against the simulated modem with real TLS, on every dialect, in virtual time.

use std::future::Future;
use std::io;
use std::rc::Rc;

use embassy_futures::join::join;
use embassy_futures::select::{Either3, select3};
use embassy_time::{Duration, Instant, Timer, with_timeout};
use embedded_io_adapters::tokio_1::FromTokio;
use embedded_io_async::{Read, Write};
use sectag::{
    ConnectError, Control, CredentialError, CredentialStore, Ensured, Kind, NoPins, Proof,
    ServerName, Socket, SocketError, Sockets, State, Support, Tag, TlsConfig,
};
use sectag_integration_tests::simulated::{HOST, PORT, virtually};
use sectag_nrf9160::{Config, Nrf9160};
use sectag_simulator::{
    HeapTrap, MemoryNetwork, Nrf9160Options, Nrf9160Profile, Reaction, Simulator, Terminator,
};
use sectag_test_support::pki::Pki;
use sectag_test_support::tls_server::{TlsStream, echo, serve_tls, server_config};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};

const TAG: Tag = Tag(321);
/// The name is checked by this modem, so that the CA need not be private.
const TLS: TlsConfig = TlsConfig::new(TAG).client_certificate();

#[derive(Clone, Copy)]
struct Bench {
    control: Control<'static, Nrf9160>,
    sockets: Sockets<'static, Nrf9160>,
}

type Rings = State<Nrf9160, 2, 2048, 1024>;

struct World {
    modem: Simulator,
    network: MemoryNetwork,
}

impl World {
    fn new(options: Nrf9160Options) -> Self {
        let network = MemoryNetwork::new();
        Self {
            modem: Simulator::nrf9160(options, Rc::new(network.clone())),
            network,
        }
    }

    fn serve<H, F, T>(&self, handler: H)
    where
        H: Fn(TlsStream<DuplexStream>) -> F + Clone + 'static,
        F: Future<Output = io::Result<T>> + 'static,
    {
        let pki = Pki::shared();
        let config = server_config(&pki.issue_server([HOST.as_str()]), Some(&pki.ca_pem()));
        for name in [HOST.as_str(), "other.sectag.test"] {
            let (config, handler) = (config.clone(), handler.clone());
            self.network.register(name, PORT, move |stream| {
                let (config, handler) = (config.clone(), handler.clone());
                tokio::task::spawn_local(async move {
                    let _ = serve_tls(stream, config, handler).await;
                });
            });
        }
    }

    async fn attach<T, A: Future<Output = T>>(&self, application: impl FnOnce(Bench) -> A) -> T {
        self.attach_with(Config::new(), application).await
    }

    /// May be called again, as after a reset of the MCU alone.
    async fn attach_with<T, A: Future<Output = T>>(
        &self,
        config: Config,
        application: impl FnOnce(Bench) -> A,
    ) -> T {
        let (host, device) = tokio::io::duplex(4096);
        let (rx, tx) = tokio::io::split(host);
        // Leaked, as a firmware's static is.
        let state: &'static mut Rings = Box::leak(Box::new(State::new(Nrf9160::new(config))));
        let (control, sockets, mut runner) =
            sectag::new(state, FromTokio::new(rx), FromTokio::new(tx), NoPins);
        let serve = async {
            let _ = self.modem.serve(device).await;
            std::future::pending::<()>().await;
        };
        match select3(serve, runner.run(), application(Bench { control, sockets })).await {
            Either3::First(()) => unreachable!("it is pending for ever"),
            Either3::Second(error) => panic!("the runner ended: {error}"),
            Either3::Third(result) => result,
        }
    }

    fn commands(&self) -> Vec<String> {
        let lines = self.modem.commands();
        lines
            .iter()
            .map(|line| String::from_utf8_lossy(line).into_owned())
            .collect()
    }
}

fn options(profile: Nrf9160Profile) -> Nrf9160Options {
    Nrf9160Options {
        profile,
        ..Nrf9160Options::default()
    }
}

/// Those in which TLS sockets are used: all without native TLS, and native ones from 2.6 on.
fn usable() -> Vec<Nrf9160Profile> {
    let native = ["2.6-native", "2.7-native", "3.1-native"];
    let native = native.map(|name| Nrf9160Profile::named(name).unwrap());
    Nrf9160Profile::ALL.into_iter().chain(native).collect()
}

/// The name of a dialect, as the tests say which one failed.
fn label(profile: &Nrf9160Profile) -> String {
    let native = if profile.native.is_some() {
        "-native"
    } else {
        ""
    };
    format!("{}{native}", profile.name)
}

async fn provision(bench: Bench) {
    let pki = Pki::shared();
    let client = pki.client();
    for (kind, pem) in [
        (Kind::Ca, &pki.ca_pem()),
        (Kind::ClientCertificate, &client.cert_pem),
        (Kind::PrivateKey, &client.key_pem),
    ] {
        let stored = bench.control.store(TAG, kind, pem.as_bytes()).await;
        stored.expect("it is stored");
    }
}

async fn connect(bench: Bench) -> Result<Socket<'static>, ConnectError> {
    bench.sockets.connect(HOST, PORT, &TLS).await
}

async fn round_trip(socket: &mut Socket<'_>, bytes: &[u8]) -> Vec<u8> {
    let (mut reader, mut writer) = socket.split();
    let mut back = vec![0; bytes.len()];
    let write = async {
        writer.write_all(bytes).await.unwrap();
        writer.flush().await.unwrap();
    };
    let (read, ()) = join(reader.read_exact(&mut back), write).await;
    read.unwrap();
    back
}

/// Every byte value, runs of `+` of many lengths and at many places, and what looks like answers.
fn awkward() -> Vec<u8> {
    let mut bytes: Vec<u8> = (0..=255).collect();
    for run in 1..12 {
        bytes.extend(vec![b'+'; run]);
        bytes.extend([run as u8, b'"', b'\r', b'\n']);
    }
    for trap in [
        &b"\r\nOK\r\n"[..],
        b"\r\nERROR\r\n",
        b"Ready\r\n",
        b"\r\n#XDATAMODE: 0\r\n",
        b"AT+CFUN=0\r\n",
        b"#XMODEM: FAULT,0x1,0x2\r\n\x08\x7f\x1a\x00+++",
    ] {
        bytes.extend(trap);
    }
    bytes
}

#[test]
fn every_dialect_provisions_connects_and_carries_any_bytes() {
    for profile in usable() {
        let name = label(&profile);
        virtually(async || {
            let world = World::new(options(profile));
            world.serve(echo);
            world
                .attach(async |bench| {
                    provision(bench).await;
                    let mut socket = connect(bench)
                        .await
                        .unwrap_or_else(|error| panic!("{name}: {error}"));
                    let verified = socket.verified();
                    assert_eq!(
                        (verified.chain, verified.name),
                        (Support::Yes, Support::Yes),
                        "{name}"
                    );
                    assert_eq!(verified.dates, Support::Unknown, "{name}");
                    for payload in [
                        &b"hello"[..],
                        &awkward(),
                        b"+++",
                        b"a+++",
                        b"\x00+++",
                        &[b'+'; 100],
                    ] {
                        let back = round_trip(&mut socket, payload).await;
                        assert!(back == payload, "{name}: {payload:?} came back as {back:?}");
                    }
                    socket.close().await.unwrap();
                })
                .await;
            assert!(world.modem.open_sockets().is_empty(), "{name}");
            let reads = world.commands();
            assert!(
                !reads
                    .iter()
                    .any(|line| line.starts_with("AT#XRECV=0,64") && !profile.serial_modem)
            );
        });
    }
}

#[test]
fn more_than_a_ring_goes_both_ways() {
    for profile in [
        Nrf9160Profile::V2_1,
        Nrf9160Profile::V3_1,
        Nrf9160Profile::SERIAL_MODEM,
    ] {
        let name = label(&profile);
        virtually(async || {
            let world = World::new(options(profile));
            world.serve(echo);
            world
                .attach(async |bench| {
                    provision(bench).await;
                    let mut socket = connect(bench).await.unwrap();
                    let payload: Vec<u8> =
                        (0..20_000_u32).map(|step| (step * 7 % 251) as u8).collect();
                    assert!(round_trip(&mut socket, &payload).await == payload, "{name}");
                })
                .await;
        });
    }
}

#[test]
fn two_sockets_do_not_mix() {
    for profile in usable() {
        let name = label(&profile);
        virtually(async || {
            let world = World::new(options(profile));
            world.serve(echo);
            world
                .attach(async |bench| {
                    provision(bench).await;
                    let mut one = connect(bench).await.unwrap();
                    let mut two = connect(bench)
                        .await
                        .unwrap_or_else(|error| panic!("{name}: {error}"));
                    let (first, second): (Vec<u8>, Vec<u8>) = (0..1500_u32)
                        .map(|step| (step as u8, !(step as u8)))
                        .unzip();
                    let both =
                        join(round_trip(&mut one, &first), round_trip(&mut two, &second)).await;
                    assert!(both == (first, second), "{name}");
                    one.close().await.unwrap();
                    assert_eq!(
                        round_trip(&mut two, b"still here").await,
                        b"still here",
                        "{name}"
                    );
                })
                .await;
        });
    }
}

#[test]
fn end_of_the_peers_is_an_end() {
    for profile in usable() {
        let name = label(&profile);
        virtually(async || {
            let world = World::new(options(profile));
            world.serve(async |mut stream: TlsStream<DuplexStream>| {
                stream.write_all(b"goodbye").await?;
                stream.shutdown().await
            });
            world
                .attach(async |bench| {
                    provision(bench).await;
                    let mut socket = connect(bench).await.unwrap();
                    let mut all: Vec<u8> = Vec::new();
                    let mut buffer = [0; 64];
                    loop {
                        let count = socket.read(&mut buffer).await.unwrap();
                        if count == 0 {
                            break;
                        }
                        all.extend(&buffer[..count]);
                    }
                    assert_eq!(all, b"goodbye", "{name}");
                })
                .await;
        });
    }
}

#[test]
fn other_names_and_other_authorities_are_refused() {
    for profile in usable() {
        let name = label(&profile);
        virtually(async || {
            let world = World::new(options(profile));
            world.serve(echo);
            world
                .attach(async |bench| {
                    provision(bench).await;
                    let other = ServerName::new("other.sectag.test").unwrap();
                    let refused = bench.sockets.connect(other, PORT, &TLS).await.err();
                    assert!(
                        matches!(refused, Some(ConnectError::Refused(_))),
                        "{name}: {refused:?}"
                    );
                    let stranger = Pki::builder().build();
                    let ca = stranger.ca_pem();
                    bench
                        .control
                        .store(TAG, Kind::Ca, ca.as_bytes())
                        .await
                        .unwrap();
                    let refused = connect(bench).await.err();
                    assert!(
                        matches!(refused, Some(ConnectError::Refused(_))),
                        "{name}: {refused:?}"
                    );
                    let none = TlsConfig::new(Tag(5));
                    let missing = bench.sockets.connect(HOST, PORT, &none).await.err();
                    assert_eq!(
                        missing,
                        Some(ConnectError::CredentialMissing(Kind::Ca)),
                        "{name}"
                    );
                    // What was refused is being closed.
                    Timer::after_secs(1).await;
                })
                .await;
            assert!(world.modem.open_sockets().is_empty(), "{name}");
        });
    }
}

#[test]
fn verification_is_written_on_every_open() {
    virtually(async || {
        let world = World::new(options(Nrf9160Profile::V2_1));
        world.serve(echo);
        world
            .attach(async |bench| {
                provision(bench).await;
                for _ in 0..2 {
                    world.modem.take_commands();
                    connect(bench).await.unwrap().close().await.unwrap();
                    let commands = world.commands();
                    let position =
                        |wanted: &str| commands.iter().position(|line| line.starts_with(wanted));
                    let socket = position("AT#XSSOCKET=1,1,0,321,2").unwrap();
                    let option = position("AT#XSSOCKETOPT=1,2,\"broker.sectag.test\"").unwrap();
                    let connect = position("AT#XCONNECT=\"broker.sectag.test\",8883").unwrap();
                    assert!(socket < option && option < connect, "{commands:?}");
                }
            })
            .await;
    });
}

#[test]
fn credentials_are_changed_off_the_network_only() {
    virtually(async || {
        let world = World::new(options(Nrf9160Profile::V3_1));
        world.serve(echo);
        world
            .attach(async |bench| {
                provision(bench).await;
                let pki = Pki::shared();
                let mut socket = connect(bench).await.unwrap();
                let ca = pki.ca_pem();
                let refused = bench.control.store(Tag(9), Kind::Ca, ca.as_bytes()).await;
                assert_eq!(refused, Err(CredentialError::SocketsOpen));
                assert_eq!(round_trip(&mut socket, b"alive").await, b"alive");
                socket.close().await.unwrap();
                // Proved by digest, without leaving the network.
                world.modem.take_commands();
                let there = bench
                    .control
                    .ensure(TAG, Kind::Ca, ca.as_bytes())
                    .await
                    .unwrap();
                assert_eq!(there, Ensured::AlreadyThere(Proof::Digest));
                assert!(
                    !world
                        .commands()
                        .iter()
                        .any(|line| line.starts_with("AT+CFUN="))
                );
                // CR LF is stored as LF, and so it is the same.
                let dos = ca.replace('\n', "\r\n");
                let there = bench
                    .control
                    .ensure(TAG, Kind::Ca, dos.as_bytes())
                    .await
                    .unwrap();
                assert_eq!(there, Ensured::AlreadyThere(Proof::Digest));
                bench
                    .control
                    .store(Tag(8), Kind::Ca, dos.as_bytes())
                    .await
                    .unwrap();
                assert_eq!(world.modem.files()["modem/8/0"], ca.as_bytes());
                bench.control.remove(Tag(8), Kind::Ca).await.unwrap();
                assert!(!world.modem.files().contains_key("modem/8/0"));
                // It is back on the network.
                connect(bench).await.unwrap();
            })
            .await;
    });
}

/// The user's story, first part.
#[test]
fn mapped_numbers_are_shown_and_the_defective_socket_is_never_opened() {
    for name in ["2.0-native", "2.1-native", "2.5-native"] {
        virtually(async || {
            let world = World::new(Nrf9160Options {
                heap_trap: HeapTrap::Always,
                ..options(Nrf9160Profile::named(name).unwrap())
            });
            world.serve(echo);
            world
                .attach(async |bench| {
                    provision(bench).await;
                    let mut found = Vec::new();
                    bench
                        .control
                        .list(&mut |stored| {
                            assert!(stored.digest.is_some());
                            found.push((stored.tag, stored.kind, stored.place));
                        })
                        .await
                        .unwrap();
                    assert_eq!(
                        found,
                        [
                            (TAG, Kind::Ca, Some(3210)),
                            (TAG, Kind::ClientCertificate, Some(3211)),
                            (TAG, Kind::PrivateKey, Some(3212)),
                        ]
                    );
                    let files = world.modem.files();
                    assert_eq!(files["modem/3210/0"], Pki::shared().ca_pem().as_bytes());
                    assert!(
                        files.contains_key("modem/3211/0") && files.contains_key("modem/3212/0")
                    );
                    let refused = connect(bench).await.err();
                    assert!(
                        matches!(refused, Some(ConnectError::Firmware { .. })),
                        "{name}: {refused:?}"
                    );
                    let ca = Pki::shared().ca_pem();
                    let large = bench
                        .control
                        .store(Tag(214_748_365), Kind::Ca, ca.as_bytes());
                    assert!(matches!(large.await, Err(CredentialError::InvalidInput(_))));
                })
                .await;
            assert!(
                !world
                    .commands()
                    .iter()
                    .any(|line| line.starts_with("AT#XSSOCKET="))
            );
        });
    }
}

#[test]
fn declared_patched_build_connects() {
    virtually(async || {
        let world = World::new(Nrf9160Options {
            patched_native: true,
            ..options(Nrf9160Profile::named("2.1-native").unwrap())
        });
        world.serve(echo);
        world
            .attach_with(Config::new().patched_native(), async |bench| {
                provision(bench).await;
                let mut socket = connect(bench).await.unwrap();
                assert_eq!(round_trip(&mut socket, &awkward()).await, awkward());
            })
            .await;
    });
}

/// The user's story, second part: 5 KiB in one record.
#[test]
fn records_above_the_limit_end_the_connection_and_never_the_order() {
    let cases = [
        ("3.1-native", Ok(())),
        ("2.1", Err(Some(SocketError::RecordTooLarge))),
        ("2.5", Err(Some(SocketError::RecordTooLarge))),
        // These tell no reason.
        ("2.6-native", Err(None)),
        ("3.1", Err(None)),
        ("sm", Err(None)),
    ];
    for (name, expected) in cases {
        virtually(async || {
            let world = World::new(options(Nrf9160Profile::named(name).unwrap()));
            world.serve(async |mut stream: TlsStream<DuplexStream>| {
                stream.write_all(&[7; 5120]).await?;
                stream.flush().await?;
                let mut rest = Vec::new();
                stream.read_to_end(&mut rest).await
            });
            world
                .attach(async |bench| {
                    provision(bench).await;
                    let mut socket = connect(bench).await.unwrap();
                    let mut record = vec![0; 5120];
                    let read = socket.read_exact(&mut record).await;
                    match (expected, read) {
                        (Ok(()), Ok(())) => assert_eq!(record, [7; 5120]),
                        (Err(error), Err(embedded_io_async::ReadExactError::Other(seen))) => {
                            assert_eq!(
                                seen,
                                error.unwrap_or(SocketError::ConnectionReset),
                                "{name}"
                            );
                        }
                        (_, seen) => panic!("{name}: {seen:?}"),
                    }
                })
                .await;
        });
    }
}

#[test]
fn a_reset_ends_the_sockets_and_the_next_connect_works() {
    for profile in usable() {
        let name = label(&profile);
        virtually(async || {
            let world = World::new(Nrf9160Options {
                ready_junk: vec![0xc0],
                ..options(profile)
            });
            world.serve(echo);
            world
                .attach(async |bench| {
                    provision(bench).await;
                    for crash in [false, true] {
                        let mut socket = connect(bench)
                            .await
                            .unwrap_or_else(|error| panic!("{name}: {error}"));
                        let began = Instant::now();
                        if crash {
                            world.modem.crash();
                        } else {
                            world.modem.reset();
                        }
                        let lost =
                            with_timeout(Duration::from_secs(10), socket.read(&mut [0; 8])).await;
                        assert_eq!(lost, Ok(Err(SocketError::ConnectionReset)), "{name}");
                        assert!(began.elapsed() < Duration::from_secs(3), "{name}");
                    }
                    let mut socket = connect(bench).await.unwrap();
                    assert_eq!(round_trip(&mut socket, b"again").await, b"again", "{name}");
                })
                .await;
        });
    }
}

/// Wherever the MCU's last life ended: in line mode with sockets, in data mode, in the middle of a
/// certificate.
#[test]
fn an_mcu_reset_alone_is_survived() {
    for profile in usable() {
        let name = label(&profile);
        virtually(async || {
            let world = World::new(options(profile));
            world.serve(echo);
            world
                .attach(async |bench| {
                    provision(bench).await;
                    let socket = connect(bench).await.unwrap();
                    // A firmware's reset drops nothing.
                    std::mem::forget(socket);
                })
                .await;
            let stored = world.modem.files();
            let end: &[u8] = if profile.serial_modem { b"\r" } else { b"\r\n" };
            let certificate = [
                &b"AT+CFUN=4"[..],
                end,
                b"AT%CMNG=0,77,0,\"-----BEGIN CERT\nabc",
            ]
            .concat();
            let native = [&b"AT#XCMNG=0,77,0,\"-----BEGIN CERT\nabc"[..]].concat();
            let data: &[u8] = if profile.serial_modem {
                b"AT#XSEND=0,2,0,500"
            } else {
                b"AT#XSEND"
            };
            let data = [data, end].concat();
            for left in [&b""[..], b"AT#XSSO", &data, &certificate, &native] {
                let (mut host, device) = tokio::io::duplex(4096);
                let leave = async {
                    host.write_all(left).await.unwrap();
                    Timer::after_millis(200).await;
                    drop(host);
                };
                let _ = join(world.modem.serve(device), leave).await;
                world
                    .attach(async |bench| {
                        let mut socket = connect(bench)
                            .await
                            .unwrap_or_else(|error| panic!("{name}: {left:?}: {error}"));
                        assert_eq!(round_trip(&mut socket, b"again").await, b"again", "{name}");
                        assert_eq!(world.modem.open_sockets().len(), 1, "{name}");
                        std::mem::forget(socket);
                    })
                    .await;
                assert!(
                    world.modem.files() == stored,
                    "{name}: {left:?} changed the credentials"
                );
            }
        });
    }
}

#[test]
fn a_dropped_upload_stores_nothing() {
    for profile in usable() {
        let name = label(&profile);
        virtually(async || {
            let world = World::new(Nrf9160Options {
                baud: Some(115_200),
                ..options(profile)
            });
            world.serve(echo);
            world
                .attach(async |bench| {
                    provision(bench).await;
                    let before = world.modem.files();
                    let pem = Pki::shared().ca_pem();
                    for ms in [5, 20, 50, 80] {
                        let store = bench.control.store(Tag(66), Kind::Ca, pem.as_bytes());
                        let began = Instant::now();
                        assert!(
                            with_timeout(Duration::from_millis(ms), store)
                                .await
                                .is_err(),
                            "{name}"
                        );
                        bench
                            .control
                            .raw_at("AT", Duration::from_secs(60), &mut |_| {})
                            .await
                            .ok();
                        assert!(began.elapsed() < Duration::from_secs(60), "{name}");
                        let now = world.modem.files();
                        let whole = now.iter().all(|(file, content)| {
                            before.get(file) == Some(content) || content == pem.as_bytes()
                        });
                        assert!(whole, "{name}: {:?}", now.keys());
                    }
                    let mut socket = connect(bench)
                        .await
                        .unwrap_or_else(|error| panic!("{name}: {error}"));
                    assert_eq!(round_trip(&mut socket, b"fine").await, b"fine", "{name}");
                })
                .await;
        });
    }
}

#[test]
fn any_terminator_is_found() {
    for terminator in [Terminator::Cr, Terminator::CrLf, Terminator::Lf] {
        for profile in [
            Nrf9160Profile::V2_1,
            Nrf9160Profile::V2_5,
            Nrf9160Profile::SERIAL_MODEM,
        ] {
            let name = label(&profile);
            virtually(async || {
                let world = World::new(Nrf9160Options {
                    terminator: Some(terminator),
                    ..options(profile)
                });
                world.serve(echo);
                world
                    .attach(async |bench| {
                        provision(bench).await;
                        let mut socket = connect(bench)
                            .await
                            .unwrap_or_else(|error| panic!("{name} {terminator:?}: {error}"));
                        let payload = awkward();
                        assert!(
                            round_trip(&mut socket, &payload).await == payload,
                            "{name} {terminator:?}"
                        );
                    })
                    .await;
            });
        }
    }
}

/// A modem that is deaf for a while is not taken for one that ends lines with CR LF, which it answers as well:
/// the LF would be payload.
#[test]
fn a_late_answer_does_not_mislead_about_the_terminator() {
    for deaf in [600, 1100, 1600, 2500, 8000] {
        virtually(async || {
            let world = World::new(options(Nrf9160Profile::SERIAL_MODEM));
            world.serve(echo);
            let start = Instant::now();
            world.modem.set_script(Box::new(move |_| {
                if start.elapsed() < Duration::from_millis(2200 + deaf) {
                    Reaction::Silent
                } else {
                    Reaction::Normal
                }
            }));
            world
                .attach(async |bench| {
                    provision(bench).await;
                    let mut socket = connect(bench).await.unwrap();
                    let payload = awkward();
                    assert!(round_trip(&mut socket, &payload).await == payload, "{deaf}");
                })
                .await;
        });
    }
}

/// Either way of what the sheet leaves open.
#[test]
fn unconfirmed_traits_do_not_matter() {
    let variants: [fn(&mut Nrf9160Options); 9] = [
        |options| options.early_in = true,
        |options| options.record_at_a_time = false,
        |options| options.overwrites = false,
        |options| options.zero_digests = true,
        |options| options.no_sni = true,
        |options| options.data_notices = true,
        |options| options.late_data_mode = Duration::from_millis(50),
        |options| options.comma_in_string = true,
        |options| options.checks_dates = true,
    ];
    for (index, change) in variants.into_iter().enumerate() {
        for profile in [
            Nrf9160Profile::V2_0,
            Nrf9160Profile::V3_1,
            Nrf9160Profile::SERIAL_MODEM,
        ] {
            let name = format!("{} variant {index}", label(&profile));
            let mut options = options(profile);
            change(&mut options);
            // Only 2.0 is said to be late.
            if options.late_data_mode.as_ticks() > 0 && profile.name != "2.0" {
                continue;
            }
            virtually(async || {
                let world = World::new(options);
                world.serve(echo);
                world
                    .attach(async |bench| {
                        provision(bench).await;
                        provision(bench).await;
                        let mut socket = connect(bench)
                            .await
                            .unwrap_or_else(|error| panic!("{name}: {error}"));
                        let payload = awkward();
                        assert!(round_trip(&mut socket, &payload).await == payload, "{name}");
                    })
                    .await;
            });
        }
    }
}

#[test]
fn nothing_is_opened_without_a_clock() {
    virtually(async || {
        let world = World::new(Nrf9160Options {
            network_time: None,
            ..options(Nrf9160Profile::V2_5)
        });
        world.serve(echo);
        world
            .attach(async |bench| {
                provision(bench).await;
                let refused = connect(bench).await.err();
                assert!(
                    matches!(refused, Some(ConnectError::ClockNotSet { .. })),
                    "{refused:?}"
                );
            })
            .await;
        assert!(
            !world
                .commands()
                .iter()
                .any(|line| line.starts_with("AT#XSSOCKET="))
        );
    });
}
