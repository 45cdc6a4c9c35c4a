//! A driver and a simulated BG96 in virtual time, with TLS servers in memory.

use std::future::Future;
use std::io;
use std::rc::Rc;

use embedded_io_adapters::tokio_1::FromTokio;
use sectag::modem::Credentials;
use sectag::tap::Tap;
use sectag::{CaScope, Control, Kind, NoPins, Power, ServerName, Tag, TlsConfig};
use sectag_bg96::{Bg96, Config};
use sectag_simulator::time::block_on_virtual;
use sectag_simulator::{MemoryNetwork, Options, Simulator};
use sectag_test_support::pki::{Identity, Pki};
use sectag_test_support::tls_server::TlsStream;
use tokio::io::DuplexStream;
use tokio::task::LocalSet;

use crate::bench::{Bench, Rings};
use crate::harness::{beside, commands, serve_at};
use crate::unit::Unit;

/// The server that the tests connect to.
pub const HOST: ServerName<'static> = match ServerName::new("broker.sectag.test") {
    Ok(name) => name,
    Err(_) => panic!("not a name"),
};
/// Its port.
pub const PORT: u16 = 8883;
/// Mutual TLS with what [`provision`] stores.
pub const TLS: TlsConfig = TlsConfig::new(Tag(7))
    .client_certificate()
    .ca_scope(CaScope::Private);

/// A simulated modem and the network it sees.
pub struct World {
    /// The modem.
    pub modem: Simulator,
    /// Where servers are.
    pub network: MemoryNetwork,
}

impl World {
    /// A modem with these options, in a network without servers.
    pub fn new(options: Options) -> Self {
        let network = MemoryNetwork::new();
        Self {
            modem: Simulator::bg96(options, Rc::new(network.clone())),
            network,
        }
    }

    /// A modem of some kind, in a network without servers.
    pub fn of(unit: &impl Unit) -> Self {
        let network = MemoryNetwork::new();
        Self {
            modem: unit.simulator(Rc::new(network.clone())),
            network,
        }
    }

    /// Serves every connection to [`HOST`] with TLS, client certificate required, by `handler`.
    pub fn serve<H, F, T>(&self, handler: H)
    where
        H: Fn(TlsStream<DuplexStream>) -> F + Clone + 'static,
        F: Future<Output = io::Result<T>> + 'static,
    {
        let pki = Pki::shared();
        self.serve_as(&pki.issue_server([HOST.as_str()]), &pki.ca_pem(), handler);
    }

    /// Serves every connection to [`HOST`] with this certificate, for clients of this CA.
    pub fn serve_as<H, F, T>(&self, identity: &Identity, client_ca: &str, handler: H)
    where
        H: Fn(TlsStream<DuplexStream>) -> F + Clone + 'static,
        F: Future<Output = io::Result<T>> + 'static,
    {
        serve_at(&self.network, HOST.as_str(), identity, client_ca, handler);
    }

    /// Runs an application on a driver that is attached to the modem; may be called again, as after a
    /// reset of the MCU alone.
    pub async fn attach<T, A: Future<Output = T>>(
        &self,
        application: impl FnOnce(Bench) -> A,
    ) -> T {
        self.attach_with(Config::new(), NoPins, application).await
    }

    /// A driver with this configuration and these pins beside the modem while `application` runs.
    pub async fn attach_with<T, P: Power, A: Future<Output = T>>(
        &self,
        config: Config,
        power: P,
        application: impl FnOnce(Bench) -> A,
    ) -> T {
        self.attach_tapped(config, None, power, application).await
    }

    /// Runs an application on a driver with this configuration and power pins, before an observer of the UART.
    pub async fn attach_tapped<T, P: Power, A: Future<Output = T>>(
        &self,
        config: Config,
        tap: Option<&'static dyn Tap>,
        power: P,
        application: impl FnOnce(Bench) -> A,
    ) -> T {
        let (host, device) = tokio::io::duplex(4096);
        let (rx, tx) = tokio::io::split(host);
        // Leaked, as a firmware's static is.
        let state: &'static mut Rings = Box::leak(Box::default());
        let (control, mut runner) = sectag::new(
            state,
            Bg96::new(config),
            FromTokio::new(rx),
            FromTokio::new(tx),
            power,
        );
        if let Some(tap) = tap {
            runner = runner.with_tap(tap);
        }
        beside(
            &self.modem,
            device,
            runner.run(),
            application(Bench { control }),
        )
        .await
    }

    /// The commands so far, as text.
    pub fn commands(&self) -> Vec<String> {
        commands(&self.modem)
    }

    /// How many commands so far start so.
    pub fn count(&self, prefix: &str) -> usize {
        self.commands()
            .iter()
            .filter(|line| line.starts_with(prefix))
            .count()
    }
}

/// Runs a test in virtual time.
pub fn virtually<T>(test: impl AsyncFnOnce() -> T) -> T {
    crate::trace::when_asked();
    let local = LocalSet::new();
    block_on_virtual(local.run_until(async { test().await }))
}

/// Stores what [`TLS`] needs, from the shared PKI.
pub async fn provision(bench: Bench) {
    store_shared(bench.control, TLS.tag()).await;
}

/// The CA, client certificate and key of a PKI, as PEM.
pub fn credentials(pki: &Pki) -> [(Kind, String); 3] {
    let client = pki.client();
    [
        (Kind::Ca, pki.ca_pem()),
        (Kind::ClientCertificate, client.cert_pem.clone()),
        (Kind::PrivateKey, client.key_pem.clone()),
    ]
}

/// Stores the CA, client certificate and key of the shared PKI under a tag.
pub async fn store_shared<M: Credentials>(control: Control<'_, M>, tag: Tag) {
    for (kind, pem) in credentials(Pki::shared()) {
        let stored = control.store(tag, kind, pem.as_bytes()).await;
        stored.expect("it is stored");
    }
}
