//! From the modem's number to the causes that it leaves, at the driver alone: no tool, no look from elsewhere.
//!
//! Each world is built first; what connects knows a modem and its configuration.

use embassy_time::{Duration, with_timeout};
use embedded_io_async::{Read, Write};
use sectag::mqtt::LoginFailure;
use sectag::{
    BringUpError, CaScope, Cause, Code, ConnectError, Kind, NoPins, SocketError, TlsConfig,
};
use sectag_bg96::Config;
use sectag_integration_tests::Bench;
use sectag_integration_tests::simulated::{HOST, PORT, TLS, World, provision, virtually};
use sectag_simulator::{Options, Profile, Sim};
use sectag_test_support::pki::{Identity, Pki, Validity};
use sectag_test_support::tls_server::echo;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

const MUTUAL: TlsConfig = TLS;
const SERVER_ONLY: TlsConfig = TlsConfig::new(TLS.tag()).ca_scope(CaScope::Private);

/// The error of a connect in a world, and its causes.
fn refused(world: impl FnOnce() -> World, config: &TlsConfig) -> (ConnectError, Vec<Cause>) {
    virtually(async || {
        world()
            .attach(async |bench| {
                provision(bench).await;
                let error = bench.control.connect(HOST, PORT, config).await.err();
                let error = error.expect("something is wrong with this world");
                (error, error.causes().collect())
            })
            .await
    })
}

fn serving(options: Options, server: &Identity, client_ca: &str) -> World {
    let world = World::new(options);
    world.serve_as(server, client_ca, echo);
    world
}

fn code(error: &ConnectError) -> Option<u16> {
    match error {
        ConnectError::Refused(refusal) => match refusal.code {
            Code::Vendor(code, _) => Some(code),
            _ => None,
        },
        _ => None,
    }
}

#[test]
fn one_number_for_many_causes_leaves_those_that_were_not_ruled_out() {
    let pki = Pki::shared();
    let ca = pki.ca_pem();
    let good = pki.issue_server([HOST.as_str()]);
    let stranger = Pki::new();
    let worlds: [(Identity, &str, Cause); 5] = [
        (
            stranger.issue_server([HOST.as_str()]),
            &ca,
            Cause::CaMismatch,
        ),
        (
            pki.issue_server_valid([HOST.as_str()], Validity::expired()),
            &ca,
            Cause::CertificateExpired,
        ),
        (
            pki.issue_server(["another.sectag.test"]),
            &ca,
            Cause::NameMismatch,
        ),
        (
            pki.issue_server_ecdsa([HOST.as_str()]),
            &ca,
            Cause::ServerKeyUnsupported,
        ),
        (good, &stranger.ca_pem(), Cause::ClientCertificateRefused),
    ];
    let mut answers = Vec::new();
    for (server, client_ca, truth) in &worlds {
        // A firmware that checks the name, so that each of them is refused.
        let options = Options {
            profile: Profile::BG96_LATER,
            ..Options::default()
        };
        let (error, causes) = refused(|| serving(options, server, client_ca), &MUTUAL);
        assert_eq!(code(&error), Some(566), "{truth:?}");
        assert!(causes.contains(truth), "{truth:?} is not among {causes:?}");
        answers.push(causes);
    }
    // The driver saw the same each time, and cannot say more than that.
    assert!(answers.windows(2).all(|pair| pair[0] == pair[1]));
    // A client certificate was sent, with SNI; the clock was set, and the files were there.
    for ruled_out in [
        Cause::ClientCertificateNeeded,
        Cause::SniNeeded,
        Cause::ClockNotSet,
        Cause::CredentialMissing,
    ] {
        assert!(!answers[0].contains(&ruled_out), "{ruled_out:?}");
    }
    assert_eq!(answers[0][0], Cause::CaMismatch);
}

#[test]
fn a_client_certificate_that_is_not_sent_may_be_missing_and_cannot_be_refused() {
    let pki = Pki::shared();
    let good = pki.issue_server([HOST.as_str()]);
    let (error, causes) = refused(
        || serving(Options::default(), &good, &pki.ca_pem()),
        &SERVER_ONLY,
    );
    assert_eq!(code(&error), Some(566));
    assert_eq!(causes[1], Cause::ClientCertificateNeeded);
    assert!(!causes.contains(&Cause::ClientCertificateRefused));
    assert!(!causes.contains(&Cause::ClientKeyMismatch));
}

#[test]
fn firmware_without_sni_may_lack_it() {
    let options = Options {
        profile: Profile::BG96_V1,
        ..Options::default()
    };
    let stranger = Pki::new().issue_server([HOST.as_str()]);
    let (_, causes) = refused(
        || serving(options, &stranger, &Pki::shared().ca_pem()),
        &MUTUAL,
    );
    assert!(causes.contains(&Cause::SniNeeded));
}

#[test]
fn names_ports_and_clocks_have_numbers_of_their_own() {
    let (error, causes) = refused(|| World::new(Options::default()), &MUTUAL);
    assert_eq!(code(&error), Some(565));
    assert_eq!(causes, [Cause::NameUnknown, Cause::NameUnknownHere]);

    let (error, causes) = refused(
        || {
            let world = World::new(Options::default());
            world.network.register(HOST.as_str(), PORT + 1, drop);
            world
        },
        &MUTUAL,
    );
    assert_eq!(code(&error), Some(566));
    assert!(
        causes
            .iter()
            .take(2)
            .any(|cause| *cause == Cause::Unreachable)
    );

    let timeless = Options {
        network_time: None,
        ..Options::default()
    };
    let (_, causes) = refused(|| World::new(timeless), &MUTUAL);
    assert_eq!(causes, [Cause::ClockNotSet]);
}

#[test]
fn the_number_of_the_open_counts_and_not_the_last_error() {
    // After a failed handshake QIGETERROR says 0 (sheet 4.6): it is not asked.
    virtually(async || {
        let world = World::new(Options::default());
        world.network.register(HOST.as_str(), PORT + 1, drop);
        world
            .attach(async |bench| {
                provision(bench).await;
                let error = bench.control.connect(HOST, PORT, &MUTUAL).await.err();
                assert_eq!(code(&error.unwrap()), Some(566));
            })
            .await;
        assert_eq!(world.count("AT+QIGETERROR"), 0);
    });
}

fn not_up(options: Options, config: Config) -> (BringUpError, Vec<Cause>) {
    virtually(async || {
        let error = World::new(options)
            .attach_with(config, NoPins, async |bench| bench.control.wait_up().await)
            .await
            .expect_err("something is wrong with this world");
        (error, error.causes().collect())
    })
}

#[test]
fn causes_that_keep_a_modem_off_the_network_are_told_apart() {
    const APN: Config = match Config::new().apn("iot.example") {
        Ok(config) => config,
        Err(_) => panic!("not an APN"),
    };
    let refusing = |code| Options {
        pdp_refusal: Some(code),
        ..Options::default()
    };
    let (error, causes) = not_up(refusing(561), Config::new());
    assert!(
        matches!(error, BringUpError::PdpRefused(refusal) if matches!(refusal.code, Code::Vendor(561, _))),
        "{error:?}"
    );
    assert_eq!(causes[..2], [Cause::ApnMissing, Cause::ApnWrong]);
    // One that was configured is not missing.
    let (_, causes) = not_up(refusing(561), APN);
    assert_eq!(causes[0], Cause::ApnWrong);
    assert!(!causes.contains(&Cause::ApnMissing));
    let (_, causes) = not_up(refusing(572), APN);
    assert_eq!(causes, [Cause::ContextInUse]);
    let (_, causes) = not_up(refusing(573), Config::new());
    assert_eq!(causes, [Cause::ApnMissing]);

    let nowhere = Options {
        registration_delay: Duration::from_secs(100_000),
        ..Options::default()
    };
    assert_eq!(not_up(nowhere, Config::new()).1, [Cause::NoCoverage]);
    let with_sim = |sim| Options {
        sim,
        ..Options::default()
    };
    let locked = || with_sim(Sim::PinRequired("1234".into()));
    assert_eq!(
        not_up(with_sim(Sim::Missing), Config::new()).1,
        [Cause::SimMissing]
    );
    assert_eq!(not_up(locked(), Config::new()).1, [Cause::SimPinMissing]);
    let wrong = Config::new().pin("9999").unwrap();
    assert_eq!(not_up(locked(), wrong).1, [Cause::SimPinWrong]);
}

/// A server that reads the login and does what `end` says.
fn broker(answer: &'static [u8]) -> World {
    let world = World::new(Options::default());
    world.serve(move |mut stream| async move {
        let mut connect = [0; 14];
        stream.read_exact(&mut connect).await?;
        stream.write_all(answer).await?;
        stream.shutdown().await?;
        Ok(())
    });
    world
}

const CONNECT: [u8; 14] = *b"\x10\x0c\x00\x04MQTT\x04\x02\x00\x3c\x00\x00";

/// What an application sees of a login, with no MQTT client in between.
async fn log_in(bench: Bench) -> (Result<usize, SocketError>, Result<(), SocketError>) {
    provision(bench).await;
    let mut socket = bench.control.connect(HOST, PORT, &MUTUAL).await.unwrap();
    socket.write_all(&CONNECT).await.unwrap();
    socket.flush().await.unwrap();
    let mut answer = [0; 4];
    let read = with_timeout(Duration::from_secs(100), socket.read(&mut answer))
        .await
        .unwrap();
    // To the end, behind which a write is refused.
    while let Ok(1..) = socket.read(&mut answer).await {}
    let more = socket.write_all(b"more").await;
    (read, more)
}

#[test]
fn a_login_that_is_closed_on_is_told_from_a_connection_that_ends() {
    virtually(async || {
        let (read, more) = broker(b"").attach(log_in).await;
        assert_eq!(read, Ok(0));
        assert_eq!(more, Err(SocketError::ClosedUnanswered));
        let causes = LoginFailure::Closed.causes();
        assert_eq!(causes.into_iter().next(), Some(Cause::LoginRefused));

        // Answered, and then closed.
        let (read, more) = broker(b"\x20\x02\x00\x05").attach(log_in).await;
        assert_eq!(read, Ok(4));
        assert_eq!(more, Err(SocketError::BrokenPipe));
    });
}

#[test]
fn a_send_that_is_not_allowed_is_a_peer_that_closed() {
    // The number 572 "operation not allowed" is all that the modem says (promise 1, item 8).
    virtually(async || {
        let world = World::new(Options::default());
        world.serve(|mut stream| async move {
            let mut first = [0; 1];
            stream.read_exact(&mut first).await?;
            stream.shutdown().await?;
            Ok(())
        });
        world
            .attach(async |bench| {
                provision(bench).await;
                let mut socket = bench.control.connect(HOST, PORT, &MUTUAL).await.unwrap();
                let error = loop {
                    if let Err(error) = socket.write_all(b"x").await {
                        break error;
                    }
                    if let Err(error) = socket.flush().await {
                        break error;
                    }
                };
                assert_eq!(error, SocketError::ClosedUnanswered);
                assert!(error.is_closed_by_peer());
            })
            .await;
    });
}

#[test]
fn the_key_under_another_tag_does_not_count() {
    let (error, causes) = virtually(async || {
        World::new(Options::default())
            .attach(async |bench| {
                provision(bench).await;
                bench
                    .control
                    .remove(MUTUAL.tag(), Kind::PrivateKey)
                    .await
                    .unwrap();
                let error = bench.control.connect(HOST, PORT, &MUTUAL).await.err();
                let error = error.unwrap();
                (error, error.causes().collect::<Vec<_>>())
            })
            .await
    });
    assert_eq!(error, ConnectError::CredentialMissing(Kind::PrivateKey));
    assert_eq!(causes, [Cause::CredentialMissing]);
}
