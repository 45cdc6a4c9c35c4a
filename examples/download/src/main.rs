//! A simulated modem, a server that closes again and again, and a file that comes whole: see the library.

use std::convert::Infallible;
use std::error::Error;
use std::rc::Rc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use embassy_futures::select::{Either3, select3};
use embedded_io_adapters::tokio_1::FromTokio;
use sectag::{CaScope, Control, Kind, NoPins, ServerName, State, Tag, TlsConfig};
use sectag_bg96::{Bg96, Config};
use sectag_download_example::download::{Place, Progress, Sink, download};
use sectag_download_example::server::{file, serve};
use sectag_simulator::{LoopbackNetwork, Options, Simulator};
use sectag_test_support::pki::Pki;
use sectag_test_support::tls_server::{TlsListener, server_config};

// The clock; in firmware, the chip's HAL brings one.
sectag_host_clock::time_driver!();

const HOST: &str = "files.sectag.test";
const TLS: TlsConfig = TlsConfig::new(Tag(1)).ca_scope(CaScope::Private);
const LEN: usize = 200_000;
/// The server closes behind so many bytes of each of its first connections.
const CLOSES: [usize; 4] = [1_000, 30_000, 7, 90_001];

/// What stands for a partition of flash.
struct Memory(Vec<u8>);

impl Sink for Memory {
    type Error = Infallible;

    async fn write(&mut self, offset: u32, bytes: &[u8]) -> Result<(), Infallible> {
        self.0.truncate(offset as usize);
        self.0.extend_from_slice(bytes);
        Ok(())
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    static CONNECTIONS: AtomicUsize = AtomicUsize::new(0);
    let pki = Pki::builder().server_names([HOST]).build();
    let server = TlsListener::start(server_config(pki.server(), None), |stream| async move {
        let number = CONNECTIONS.fetch_add(1, Ordering::Relaxed);
        serve(stream, &file(LEN), "\"1\"", CLOSES.get(number).copied()).await
    })
    .await?;
    let mut network = LoopbackNetwork::new();
    network.map(HOST, 443, ([127, 0, 0, 1], server.port()).into())?;
    let modem = Simulator::bg96(Options::default(), Rc::new(network));
    let (host, device) = tokio::io::duplex(4096);
    let (rx, tx) = tokio::io::split(host);
    let mut state = State::<_, 1, 4096, 1024>::new();
    let (control, mut runner) = sectag::new(
        &mut state,
        <Bg96>::new(Config::new()),
        FromTokio::new(rx),
        FromTokio::new(tx),
        NoPins,
    );
    let application = fetch(control, pki.ca_pem());
    match select3(application, runner.run(), modem.serve(device)).await {
        Either3::First(result) => result,
        Either3::Second(error) => Err(error.into()),
        Either3::Third(result) => Ok(result?),
    }
}

async fn fetch(control: Control<'_, Bg96>, ca: String) -> Result<(), Box<dyn Error>> {
    control.store(TLS.tag(), Kind::Ca, ca.as_bytes()).await?;
    let place = Place {
        name: ServerName::new(HOST)?,
        port: 443,
        tls: &TLS,
        path: "/firmware.bin",
    };
    let (mut progress, mut flash) = (Progress::default(), Memory(Vec::new()));
    let start = Instant::now();
    let done = download(&control, &place, &mut progress, &mut flash).await;
    done.map_err(|error| format!("{error:?}"))?;
    let seconds = start.elapsed().as_secs_f64();
    if flash.0 != file(LEN) {
        return Err("the file is not what the server has".into());
    }
    println!(
        "{} bytes over {} connections, byte for byte the server's: {:.0} bytes/s",
        progress.written,
        progress.connections,
        f64::from(progress.written) / seconds
    );
    Ok(())
}
