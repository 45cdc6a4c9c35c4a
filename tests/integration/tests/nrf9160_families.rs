//! The nRF9160 backend for one family of firmwares, chosen by type.

use embassy_futures::join::join;
use embassy_futures::select::{Either3, select3};
use embedded_io_adapters::tokio_1::FromTokio;
use embedded_io_async::{Read, Write};
use sectag::{BringUpError, Control, Kind, NoPins, Sockets, State};
use sectag_integration_tests::nrf9160::{CONFIG, TAG, TLS, World, awkward, label, options, usable};
use sectag_integration_tests::simulated::{HOST, PORT, virtually};
use sectag_nrf9160::{AnyFirmware, Family, Nrf9160, SerialModem, SlmModemTls, SlmNativeTls};
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
        Box::leak(Box::new(State::new(backend)));
    let (control, sockets, mut runner) =
        sectag::new(state, FromTokio::new(rx), FromTokio::new(tx), NoPins);
    let serve = world.modem.serve(device);
    match select3(serve, runner.run(), application(control, sockets, &name)).await {
        Either3::First(end) => panic!("{name}: the modem ended: {end:?}"),
        Either3::Second(error) => panic!("{name}: the runner ended: {error}"),
        Either3::Third(result) => result,
    }
}

async fn application<F: Family>(
    control: Control<'static, Nrf9160<F>>,
    sockets: Sockets<'static, Nrf9160<F>>,
    name: &str,
) -> Result<(), BringUpError> {
    control.wait_up().await?;
    let pki = Pki::shared();
    let client = pki.client();
    for (kind, pem) in [
        (Kind::Ca, &pki.ca_pem()),
        (Kind::ClientCertificate, &client.cert_pem),
        (Kind::PrivateKey, &client.key_pem),
    ] {
        let stored = control.store(TAG, kind, pem.as_bytes()).await;
        stored.unwrap_or_else(|error| panic!("{name}: {error:?}"));
    }
    let mut socket = sockets
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
