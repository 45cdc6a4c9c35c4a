//! The nRF9160 backend for one family of firmwares, chosen by type.

use embassy_futures::join::join;
use embassy_futures::select::{Either3, select3};
use embedded_io_adapters::tokio_1::FromTokio;
use embedded_io_async::{Read, Write};
use sectag::{BringUpError, Control, LastData, NoPins, State};
use sectag_integration_tests::nrf9160::{CONFIG, TAG, TLS, World, awkward, label, options, usable};
use sectag_integration_tests::simulated::{HOST, PORT, credentials, virtually};
use sectag_nrf9160::{
    AnyFirmware, Family, Nrf9160, ReleaseAssistance, SerialModem, SlmModemTls, SlmNativeTls,
};
use sectag_simulator::Nrf9160Profile;
use sectag_test_support::pki::Pki;
use sectag_test_support::tls_server::echo;

/// What a modem of this dialect does with a driver for `F`: whether it comes up; then it carries payload.
async fn used<F: Family>(profile: Nrf9160Profile) -> Result<(), BringUpError> {
    let name = label(&profile);
    let world = World::new(options(profile));
    world.serve(echo);
    let (host, device) = tokio::io::duplex(4096);
    let (rx, tx) = tokio::io::split(host);
    let backend = Nrf9160::<F>::of_family(CONFIG);
    let state: &'static mut State<'static, Nrf9160<F>, 1, 2048, 1024> =
        Box::leak(Box::new(State::new()));
    let (control, mut runner) = sectag::new(
        state,
        backend,
        FromTokio::new(rx),
        FromTokio::new(tx),
        NoPins,
    );
    let serve = world.modem.serve(device);
    match select3(serve, runner.run(), application(control, &name)).await {
        Either3::First(end) => panic!("{name}: the modem ended: {end:?}"),
        Either3::Second(error) => panic!("{name}: the runner ended: {error}"),
        Either3::Third(result) => result,
    }
}

async fn application<F: Family>(
    control: Control<'static, Nrf9160<F>>,
    name: &str,
) -> Result<(), BringUpError> {
    control.wait_up().await?;
    store(&control, name).await;
    let mut socket = control
        .connect(HOST, PORT, &TLS)
        .await
        .unwrap_or_else(|error| panic!("{name}: {error}"));
    for payload in [&b"text"[..], &awkward()] {
        let (mut reader, mut writer) = socket.split();
        let mut back = vec![0; payload.len()];
        let write = async {
            writer.write_all(payload).await.unwrap();
            writer.flush().await.unwrap();
        };
        let (read, ()) = join(reader.read_exact(&mut back), write).await;
        read.unwrap_or_else(|error| panic!("{name}: {error:?}"));
        assert!(back == payload, "{name}");
    }
    Ok(())
}

async fn store<F: Family>(control: &Control<'static, Nrf9160<F>>, name: &str) {
    for (kind, pem) in credentials(Pki::shared()) {
        let stored = control.store(TAG, kind, pem.as_bytes()).await;
        stored.unwrap_or_else(|error| panic!("{name}: {error:?}"));
    }
}

/// Works with the dialects that are its own, and with no other: that is told, with the way out.
fn only<F: Family>(fits: fn(&Nrf9160Profile) -> bool) {
    for profile in usable() {
        virtually(async || {
            let name = label(&profile);
            let up = used::<F>(profile).await;
            if fits(&profile) {
                assert_eq!(up, Ok(()), "{name}");
                return;
            }
            let Err(BringUpError::Firmware { reason }) = up else {
                panic!("{name}: {up:?}");
            };
            assert!(reason.contains("AnyFirmware"), "{name}: {reason}");
        });
    }
}

#[test]
fn any_firmware_is_used() {
    only::<AnyFirmware>(|_| true);
}

#[test]
fn slm_with_the_modem_s_tls_is_used_alone() {
    only::<SlmModemTls>(|profile| !profile.serial_modem && profile.native.is_none());
}

#[test]
fn slm_with_native_tls_is_used_alone() {
    only::<SlmNativeTls>(|profile| profile.native.is_some());
}

#[test]
fn serial_modem_is_used_alone() {
    only::<SerialModem>(|profile| profile.serial_modem);
}

/// The command lines of one connection that sends a message of text and one of 2000 binary bytes, both marked as the
/// last, and then a text that is not.
async fn marked(profile: Nrf9160Profile) -> Vec<String> {
    let name = label(&profile);
    let world = World::new(options(profile));
    world.serve(echo);
    let (host, device) = tokio::io::duplex(4096);
    let (rx, tx) = tokio::io::split(host);
    let backend = Nrf9160::<ReleaseAssistance<AnyFirmware>>::of_family(CONFIG);
    let state: &'static mut State<'static, Nrf9160<ReleaseAssistance<AnyFirmware>>, 1, 2048, 4096> =
        Box::leak(Box::new(State::new()));
    let (control, mut runner) = sectag::new(
        state,
        backend,
        FromTokio::new(rx),
        FromTokio::new(tx),
        NoPins,
    );
    let application = async {
        store(&control, &name).await;
        let mut socket = control.connect(HOST, PORT, &TLS).await.unwrap();
        let release = control.radio_release(&socket);
        release.last_data(LastData::NoAnswer);
        socket.write_all(b"text").await.unwrap();
        socket.flush().await.unwrap();
        release.last_data(LastData::OneAnswer);
        socket.write_all(&[0; 2000]).await.unwrap();
        socket.flush().await.unwrap();
        socket.write_all(b"more").await.unwrap();
        socket.flush().await.unwrap();
        let mut back = vec![0; 2008];
        socket.read_exact(&mut back).await.unwrap();
        assert!(back[..4] == *b"text" && back[2004..] == *b"more", "{name}");
        socket.close().await.unwrap();
        // Of a connection that has ended it says nothing, also to the next one of the same place and id.
        release.last_data(LastData::NoAnswer);
        let mut socket = control.connect(HOST, PORT, &TLS).await.unwrap();
        release.last_data(LastData::NoAnswer);
        socket.write_all(b"next").await.unwrap();
        socket.flush().await.unwrap();
        // Nor does what was said of one whose data never came.
        let unused = control.radio_release(&socket);
        unused.last_data(LastData::NoAnswer);
        socket.close().await.unwrap();
        let mut socket = control.connect(HOST, PORT, &TLS).await.unwrap();
        socket.write_all(b"last").await.unwrap();
        socket.flush().await.unwrap();
        socket.close().await.unwrap();
    };
    match select3(world.modem.serve(device), runner.run(), application).await {
        Either3::First(end) => panic!("{name}: the modem ended: {end:?}"),
        Either3::Second(error) => panic!("{name}: the runner ended: {error}"),
        Either3::Third(()) => world.commands(),
    }
}

#[test]
fn the_modem_is_told_of_the_last_data_just_before_it_is_sent() {
    for profile in usable() {
        virtually(async || {
            let name = label(&profile);
            let lines = marked(profile).await;
            assert!(lines.iter().any(|line| line == "AT%RAI=1"), "{name}");
            let told: Vec<usize> = (0..lines.len())
                .filter(|&at| {
                    lines[at].starts_with("AT#XSOCKETOPT=") && !lines[at].contains("=0,4")
                })
                .filter(|&at| {
                    let (values, names) = (profile.release_values, profile.release_names);
                    (values && lines[at].contains("1,61,"))
                        || (!values && names && lines[at].contains("=1,5"))
                })
                .collect();
            let [first, second] = told[..] else {
                panic!("{name}: {told:?} of {lines:?}");
            };
            // With its meaning: nothing follows, then one answer.
            let ends = if profile.release_values {
                ["2", "3"]
            } else {
                ["1", "2"]
            };
            for (at, end) in [first, second].into_iter().zip(ends) {
                assert!(lines[at].ends_with(end), "{name}: {}", lines[at]);
                assert!(
                    lines[at + 1].starts_with("AT#XSEND"),
                    "{name}: {}",
                    lines[at + 1]
                );
            }
            // Of 2000 bytes the first 1024 are not the last.
            let sends = |range: std::ops::Range<usize>| {
                let mut lines = lines[range].iter();
                lines
                    .by_ref()
                    .filter(|line| line.starts_with("AT#XSEND"))
                    .count()
            };
            assert!(sends(first..second) >= 2, "{name}: {lines:?}");
            assert!(sends(second..lines.len()) >= 2, "{name}: {lines:?}");
        });
    }
}
