//! The smallest program that talks TLS through a modem: `cargo run -p sectag-host-example`. Modem and server are simulated
//! and time is virtual, so it runs anywhere, at once. With a modem on a serial port, give `sectag::new` the port.

use std::error::Error;
use std::rc::Rc;

use embassy_futures::select::{Either4, select4};
use embedded_io_async::{Read, Write};
use sectag::{CaScope, Control, Kind, NoPins, ServerName, State, Tag, TlsConfig};
use sectag_bg96::{Bg96, Config};
use sectag_simulator::time::block_on_virtual;
use sectag_simulator::{MemoryNetwork, Options, Simulator, peer};

// The clock; in firmware, the chip's HAL brings one.
sectag_simulator::virtual_clock!();

const SERVER: ServerName<'_> = ServerName::from_static(peer::NAME);
const TLS: TlsConfig = TlsConfig::new(Tag(1)).ca_scope(CaScope::Private);

fn main() -> Result<(), Box<dyn Error>> {
    let network = MemoryNetwork::new();
    let server = peer::echo(network.listen(peer::NAME, 443));
    let (rx, tx, simulated) = Simulator::bg96(Options::default(), Rc::new(network)).uart();

    let mut state = State::<Bg96, 1, 1024, 1024>::new();
    let (modem, mut runner) = sectag::new(&mut state, Bg96::new(Config::new()), rx, tx, NoPins);
    // The runner does the work, for as long as the application needs it.
    match block_on_virtual(select4(say_hello(modem), runner.run(), simulated, server)) {
        Either4::First(result) => result,
        Either4::Second(error) => Err(error.into()),
        Either4::Third(_) | Either4::Fourth(()) => {
            Err("the simulated modem or server ended".into())
        }
    }
}

async fn say_hello(modem: Control<'_, Bg96>) -> Result<(), Box<dyn Error>> {
    modem
        .ensure(TLS.tag(), Kind::Ca, peer::CA_PEM.as_bytes())
        .await?;
    let mut socket = modem.connect(SERVER, 443, &TLS).await?;
    println!("connected; checked: {}", socket.verified());
    socket.write_all(b"hello").await?;
    socket.flush().await?;
    let mut answer = [0; 5];
    let count = socket.read(&mut answer).await?;
    println!("the server says {}", answer[..count].escape_ascii());
    Ok(socket.close().await?)
}
