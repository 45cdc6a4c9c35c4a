//! A driver and a simulated u-blox cellular module in virtual time, in every dialect, with TLS servers in memory.

use std::future::Future;
use std::io;
use std::rc::Rc;

use sectag::{ConnectError, Socket, Suites, Tag, TlsConfig};
use sectag_simulator::{MemoryNetwork, Simulator, UbloxOptions};
use sectag_test_support::pki::{Identity, Pki};
use sectag_test_support::tls_server::TlsStream;
use sectag_ublox::cellular::UbloxCellular;
use tokio::io::DuplexStream;

use crate::Bench as Any;
pub use crate::harness::round_trip;
use crate::harness::{beside, commands, serve_at};
use crate::simulated::{HOST, PORT, credentials, store_shared};
use crate::unit::{UbloxUnit, Unit};

/// What an application has.
pub type Bench = Any<UbloxCellular>;

/// Where [`provision`] stores, and [`connect`] looks.
pub const TAG: Tag = Tag(7);
/// Mutual TLS with what [`provision`] stores; the name is checked, so that the CA need not be private.
pub const TLS: TlsConfig = TlsConfig::new(TAG).client_certificate();
/// Mutual TLS with all suites.
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

    /// Serves every connection to [`HOST`] with this certificate.
    pub fn serve_as<H, F, T>(&self, identity: &Identity, handler: H)
    where
        H: Fn(TlsStream<DuplexStream>) -> F + Clone + 'static,
        F: Future<Output = io::Result<T>> + 'static,
    {
        serve_at(
            &self.network,
            HOST.as_str(),
            identity,
            &Pki::shared().ca_pem(),
            handler,
        );
    }

    /// A driver beside the module while `application` runs. May be called again, as after a reset of the MCU alone.
    pub async fn attach<T, A: Future<Output = T>>(
        &self,
        application: impl FnOnce(Bench) -> A,
    ) -> T {
        let (host, device) = tokio::io::duplex(4096);
        let (bench, mut runner) = self.unit.start(host);
        beside(&self.modem, device, runner.run(), application(bench)).await
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
        commands(&self.modem)
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
