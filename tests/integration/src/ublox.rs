//! A driver and a simulated u-blox cellular module in virtual time, in every dialect, with TLS servers in memory.

use std::future::Future;
use std::io;
use std::rc::Rc;

use embassy_futures::join::join;
use embassy_futures::select::{Either3, select3};
use embedded_io_async::{Read, Write};
use sectag::{ConnectError, Socket, Suites, Tag, TlsConfig};
use sectag_simulator::{MemoryNetwork, Simulator, UbloxOptions};
use sectag_test_support::pki::{Identity, Pki};
use sectag_test_support::tls_server::{TlsStream, serve_tls, server_config};
use sectag_ublox::cellular::UbloxCellular;
use tokio::io::DuplexStream;

use crate::Bench as Any;
use crate::simulated::{HOST, PORT, credentials, store_shared};
use crate::unit::{UbloxUnit, Unit};

/// What an application has.
pub type Bench = Any<UbloxCellular>;

/// Where [`provision`] stores, and [`connect`] looks.
pub const TAG: Tag = Tag(7);
/// Mutual TLS with what [`provision`] stores; the name is checked, so that the CA need not be private.
pub const TLS: TlsConfig = TlsConfig::new(TAG).client_certificate();
/// The same with all suites.
pub const ALL: TlsConfig = TLS.suites(Suites::All);

/// A simulated module and the network it sees.
pub struct World {
    /// What it is, and how its driver is configured.
    pub unit: UbloxUnit,
    /// The module.
    pub modem: Simulator,
    /// Where servers are.
    pub network: MemoryNetwork,
}

impl World {
    /// Of this kind, in a network without servers.
    pub fn new(unit: UbloxUnit) -> Self {
        let network = MemoryNetwork::new();
        Self {
            modem: unit.simulator(Rc::new(network.clone())),
            network,
            unit,
        }
    }

    /// A model by its name, with other options.
    pub fn of(name: &str, change: impl FnOnce(&mut UbloxOptions)) -> Self {
        Self::new(UbloxUnit::new(name).with(change))
    }

    /// Serves every connection to [`HOST`] with TLS, client certificate required, by `handler`.
    pub fn serve<H, F, T>(&self, handler: H)
    where
        H: Fn(TlsStream<DuplexStream>) -> F + Clone + 'static,
        F: Future<Output = io::Result<T>> + 'static,
    {
        let pki = Pki::shared();
        self.serve_as(&pki.issue_server([HOST.as_str()]), handler);
    }

    /// The same with another identity.
    pub fn serve_as<H, F, T>(&self, identity: &Identity, handler: H)
    where
        H: Fn(TlsStream<DuplexStream>) -> F + Clone + 'static,
        F: Future<Output = io::Result<T>> + 'static,
    {
        let config = server_config(identity, Some(&Pki::shared().ca_pem()));
        self.network.register(HOST.as_str(), PORT, move |stream| {
            let (config, handler) = (config.clone(), handler.clone());
            tokio::task::spawn_local(async move {
                let _ = serve_tls(stream, config, handler).await;
            });
        });
    }

    /// A driver beside the module while `application` runs. May be called again, as after a reset of the MCU alone.
    pub async fn attach<T, A: Future<Output = T>>(
        &self,
        application: impl FnOnce(Bench) -> A,
    ) -> T {
        let (host, device) = tokio::io::duplex(4096);
        let (bench, mut runner) = self.unit.start(host);
        let serve = async {
            let _ = self.modem.serve(device).await;
            std::future::pending::<()>().await;
        };
        match select3(serve, runner.run(), application(bench)).await {
            Either3::First(()) => unreachable!("it is pending for ever"),
            Either3::Second(error) => panic!("the runner ended: {error}"),
            Either3::Third(result) => result,
        }
    }

    /// Puts what [`TLS`] needs into the module behind the driver's back.
    pub fn install(&self) {
        for (kind, pem) in credentials(Pki::shared()) {
            self.modem
                .put_file(&self.unit.file(TAG, kind), pem.as_bytes());
        }
    }

    /// The commands so far, as text.
    pub fn commands(&self) -> Vec<String> {
        let lines = self.modem.commands();
        lines
            .iter()
            .map(|line| String::from_utf8_lossy(line).into_owned())
            .collect()
    }

    /// How many commands so far begin so.
    pub fn count(&self, prefix: &str) -> usize {
        let commands = self.commands();
        commands
            .iter()
            .filter(|line| line.starts_with(prefix))
            .count()
    }
}

/// Stores what [`TLS`] needs.
pub async fn provision(bench: Bench) {
    store_shared(bench.control, TAG).await;
}

/// Connects to [`HOST`] with [`TLS`].
pub async fn connect(bench: Bench) -> Result<Socket<'static>, ConnectError> {
    bench.control.connect(HOST, PORT, &TLS).await
}

/// Sends `bytes` to a server that echoes, and returns what came back.
pub async fn round_trip(socket: &mut Socket<'_>, bytes: &[u8]) -> Vec<u8> {
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

/// Every byte value, and what looks like answers, notices and the ends of quoted payload.
pub fn awkward() -> Vec<u8> {
    let mut bytes: Vec<u8> = (0..=255).collect();
    for trap in [
        &b"\r\nOK\r\n"[..],
        b"\r\nERROR\r\n",
        b"\"\r\n\r\nOK\r\n",
        b"\r\n@",
        b"\r\n>",
        b"\r\n+UUSOCL: 0\r\n",
        b"\r\n+USORD: 0,3,\"abc\"\r\n",
        b"AT+CFUN=15\r\n+++",
    ] {
        bytes.extend(trap);
    }
    bytes
}
