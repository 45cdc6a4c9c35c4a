//! A driver and a simulated u-blox Wi-Fi module in virtual time, with TLS servers in memory.

use std::future::Future;
use std::io;
use std::rc::Rc;

use embedded_io_adapters::tokio_1::FromTokio;
use sectag::wifi::WifiConfig;
use sectag::{CaScope, ConnectError, NoPins, Power, Socket, State, Tag, TlsConfig};
use sectag_simulator::{MemoryNetwork, ShortRangeOptions, Simulator};
use sectag_test_support::pki::{Identity, Pki};
use sectag_test_support::tls_server::TlsStream;
use sectag_ublox::short_range::{Config, ShortRange};
use tokio::io::DuplexStream;

use crate::harness::{beside, commands, serve_at};
use crate::simulated::{HOST, PORT, store_shared};

/// Where [`provision`] stores, and [`connect`] looks.
pub const TAG: Tag = Tag(42);
/// What this module needs to be told: nobody knows whether it checks names.
pub const TLS: TlsConfig = TlsConfig::new(TAG)
    .client_certificate()
    .ca_scope(CaScope::Private);
/// The access point that a simulated module has near it.
pub const WIFI: WifiConfig = match WifiConfig::wpa2("workshop", "correct horse battery") {
    Ok(wifi) => wifi,
    Err(_) => panic!("no name or passphrase of a network"),
};
/// On that network, with RTS and CTS.
pub const CONFIG: Config = Config::new(WIFI).flow_control();

/// What an application has.
pub type Bench = crate::Bench<ShortRange>;

/// A simulated module and the network it sees.
pub struct World {
    /// The module.
    pub modem: Simulator,
    /// Where servers are.
    pub network: MemoryNetwork,
}

impl World {
    /// A module with these options, in a network without servers.
    pub fn new(options: ShortRangeOptions) -> Self {
        let network = MemoryNetwork::new();
        Self {
            modem: Simulator::short_range(options, Rc::new(network.clone())),
            network,
        }
    }

    /// Serves every connection to [`HOST`] with TLS, client certificate required.
    pub fn serve<H, F, T>(&self, handler: H)
    where
        H: Fn(TlsStream<DuplexStream>) -> F + Clone + 'static,
        F: Future<Output = io::Result<T>> + 'static,
    {
        let identity = Pki::shared().issue_server([HOST.as_str()]);
        self.serve_as(&identity, handler);
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
        self.attach_by(CONFIG, NoPins, application).await
    }

    /// A driver with this configuration beside the module while `application` runs.
    pub async fn attach_with<T, A: Future<Output = T>>(
        &self,
        config: Config,
        application: impl FnOnce(Bench) -> A,
    ) -> T {
        self.attach_by(config, NoPins, application).await
    }

    /// A driver with this configuration and these pins beside the module while `application` runs.
    pub async fn attach_by<T, A: Future<Output = T>>(
        &self,
        config: Config,
        power: impl Power,
        application: impl FnOnce(Bench) -> A,
    ) -> T {
        let (host, device) = tokio::io::duplex(4096);
        let (rx, tx) = tokio::io::split(host);
        // Leaked, as a firmware's static is.
        let state: &'static mut State<'static, ShortRange, 3, 4096, 2048> =
            Box::leak(Box::new(State::new()));
        let (control, mut runner) = sectag::new(
            state,
            ShortRange::new(config),
            FromTokio::new(rx),
            FromTokio::new(tx),
            power,
        );
        beside(
            &self.modem,
            device,
            runner.run(),
            application(Bench { control }),
        )
        .await
    }

    /// Every command line so far.
    pub fn commands(&self) -> Vec<String> {
        commands(&self.modem)
    }
}

/// Stores a set of credentials under [`TAG`].
pub async fn provision(bench: Bench) {
    store_shared(bench.control, TAG).await;
}

/// Puts that set into the module behind the driver's back.
pub fn install(modem: &Simulator) {
    let pki = Pki::shared();
    let client = pki.client();
    modem.put_file("0/st42ca", pki.ca_pem().as_bytes());
    modem.put_file("1/st42cc", client.cert_pem.as_bytes());
    modem.put_file("2/st42pk", client.key_pem.as_bytes());
}

/// Connects to [`HOST`] with [`TLS`].
pub async fn connect(bench: Bench) -> Result<Socket<'static>, ConnectError> {
    bench.control.connect(HOST, PORT, &TLS).await
}
