//! The smallest program that talks TLS through a modem. The modem is simulated and the server is in
//! this process, so it runs anywhere: `cargo run -p sectag-host-example`. With a modem on a serial
//! port, open the port instead of the pipe; nothing else changes.

use std::error::Error;
use std::rc::Rc;

use embassy_futures::select::{Either3, select3};
use embedded_io_adapters::tokio_1::FromTokio;
use embedded_io_async::{Read, Write};
use sectag::{CaScope, Control, Kind, NoPins, ServerName, Sockets, State, Tag, TlsConfig};
use sectag_bg96::{Bg96, Config};
use sectag_simulator::{LoopbackNetwork, Options, Simulator};
use sectag_test_support::pki::Pki;
use sectag_test_support::tls_server::{TlsListener, server_config};

// The clock; in firmware, the chip's HAL brings one.
sectag_host_clock::time_driver!();

const SERVER: ServerName<'static> = ServerName::from_static("echo.sectag.test");
const TLS: TlsConfig = TlsConfig::new(Tag(1)).ca_scope(CaScope::Private);

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    // A server that echoes, and a modem whose network leads to it.
    let pki = Pki::builder().server_names(["echo.sectag.test"]).build();
    let server = TlsListener::echo(server_config(pki.server(), None)).await?;
    let mut network = LoopbackNetwork::new();
    network.map(
        "echo.sectag.test",
        443,
        ([127, 0, 0, 1], server.port()).into(),
    )?;
    let modem = Simulator::bg96(Options::default(), Rc::new(network));
    let (host, device) = tokio::io::duplex(1024);

    let (rx, tx) = tokio::io::split(host);
    let mut state = State::<_, 1, 1024, 1024>::new(Bg96::new(Config::new()));
    let (control, sockets, mut runner) =
        sectag::new(&mut state, FromTokio::new(rx), FromTokio::new(tx), NoPins);
    // The runner does the work, for as long as the application needs it.
    let application = say_hello(control, sockets, pki.ca_pem());
    match select3(application, runner.run(), modem.serve(device)).await {
        Either3::First(result) => result,
        Either3::Second(error) => Err(error.into()),
        Either3::Third(result) => Ok(result?),
    }
}

async fn say_hello(
    control: Control<'_, Bg96>,
    sockets: Sockets<'_, Bg96>,
    ca: String,
) -> Result<(), Box<dyn Error>> {
    control.store(TLS.tag(), Kind::Ca, ca.as_bytes()).await?;
    let mut socket = sockets.connect(SERVER, 443, &TLS).await?;
    println!("connected; checked: {:?}", socket.verified());
    socket.write_all(b"hello").await?;
    socket.flush().await?;
    let mut answer = [0; 5];
    socket
        .read_exact(&mut answer)
        .await
        .map_err(|error| format!("{error:?}"))?;
    println!("the server says {:?}", String::from_utf8_lossy(&answer));
    socket.close().await?;
    Ok(())
}
