//! A simulated modem, a server that gives out certificates, and a device between: see the library.

use std::error::Error;
use std::rc::Rc;

use embassy_futures::select::{Either3, select3};
use embedded_io_adapters::tokio_1::FromTokio;
use sectag::csr::Subject;
use sectag::modem::Credentials;
use sectag::{CaScope, Control, CredentialSet, NoPins, ServerName, State, Tag, TlsConfig};
use sectag_bg96::Bg96;
use sectag_fleet_example::device::{DeviceKey, Door, provision};
use sectag_fleet_example::keys::{InModem, Rsa};
use sectag_fleet_example::server::{Mishap, serve};
use sectag_nrf9160::{ModemKey, Nrf9160};
use sectag_simulator::{LoopbackNetwork, Nrf9160Options, Options, Simulator};
use sectag_test_support::pki::Pki;
use sectag_test_support::tls_server::{TlsListener, server_config};

// The clock; in firmware, the chip's HAL brings one.
sectag_host_clock::time_driver!();

const HOST: &str = "fleet.sectag.test";
const PORT: u16 = 443;
const CLAIM: Tag = Tag(1);
const OWN: Tag = Tag(2);

/// In this example the CA is the fleet's own.
fn tls(tag: Tag) -> TlsConfig {
    TlsConfig::new(tag)
        .client_certificate()
        .ca_scope(CaScope::Private)
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let name = std::env::args().nth(1).unwrap_or_else(|| "bg96".into());
    let pki = Pki::shared();
    let config = server_config(&pki.issue_server([HOST]), Some(&pki.ca_pem()));
    let server =
        TlsListener::start(config, |stream| serve(stream, Pki::shared(), Mishap::None)).await?;
    let mut network = LoopbackNetwork::new();
    network.map(HOST, PORT, ([127, 0, 0, 1], server.port()).into())?;
    let network = Rc::new(network);
    let (host, device) = tokio::io::duplex(4096);
    let (rx, tx) = tokio::io::split(host);
    let (rx, tx) = (FromTokio::new(rx), FromTokio::new(tx));
    let (modem, end) = match name.as_str() {
        "bg96" => {
            let modem = Simulator::bg96(Options::default(), network);
            let mut state = State::<_, 1, 2048, 1024>::new();
            let (control, mut runner) = sectag::new(
                &mut state,
                <Bg96>::new(sectag_bg96::Config::new()),
                rx,
                tx,
                NoPins,
            );
            let work = life(control, Rsa::generate());
            let end = select3(work, runner.run(), modem.serve(device)).await;
            (modem, end)
        }
        "nrf9160" => {
            let modem = Simulator::nrf9160(Nrf9160Options::default(), network);
            let config = sectag_nrf9160::Config::new().flow_control();
            let mut state = State::<_, 1, 2048, 1024>::new();
            let (control, mut runner) =
                sectag::new(&mut state, <Nrf9160>::new(config), rx, tx, NoPins);
            let work = life(control, InModem(ModemKey(control, OWN)));
            let end = select3(work, runner.run(), modem.serve(device)).await;
            (modem, end)
        }
        other => return Err(format!("{other}: give bg96 or nrf9160").into()),
    };
    match end {
        Either3::First(result) => result?,
        Either3::Second(error) => return Err(error.into()),
        Either3::Third(result) => result?,
    }
    println!("{name}: {} exchanges with the modem", modem.exchanges());
    Ok(())
}

async fn life<M: Credentials, K: DeviceKey>(
    control: Control<'_, M>,
    mut key: K,
) -> Result<(), Box<dyn Error>> {
    // In the factory.
    let (pki, claim) = (Pki::shared(), Pki::shared().issue_client("claim"));
    let ca = pki.ca_pem();
    let set = CredentialSet::new()
        .ca(ca.as_bytes())
        .client_certificate(claim.cert_pem.as_bytes())
        .private_key(claim.key_pem.as_bytes());
    control.ensure_set(CLAIM, set).await?;
    println!("the claim is stored under tag {CLAIM}");

    // In the field. The tag to use is in flash.
    let mut flash = CLAIM;
    let door = Door {
        name: ServerName::new(HOST)?,
        port: PORT,
        ca: &ca,
        tls,
    };
    let subject = Subject::new("pump-17").organization("Example");
    let tags = (CLAIM, OWN);
    provision(control, &door, tags, &subject, &mut key, |tag| flash = tag).await?;
    println!(
        "a certificate for a key of the device's own is stored under tag {flash}, and connects"
    );
    let mut left = 0;
    control.list_tag(CLAIM, &mut |_| left += 1).await?;
    println!("of the claim, {left} credentials are left");
    Ok(())
}
