//! An MQTT broker inside this process, which needs nothing installed: for tests and the demo, and no other use.
//!
//! MQTT 3.1, 3.1.1 and 5, told apart by the CONNECT; QoS 0 to 2, retained messages, wills, logins, keep alive. A
//! session ends with its connection; there are no shared subscriptions, subscription identifiers or topic aliases,
//! which a client of MQTT 5 is told. A login that is not known is answered 4 or 0x86.

mod client;
mod hub;
mod options;
mod outbox;
mod topic;
mod wire;

use std::io;
use std::net::Ipv4Addr;
use std::sync::{Arc, mpsc};
use std::thread::{self, JoinHandle};

use rustls::ServerConfig;
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::task::JoinSet;

use crate::pki::{Identity, Pki};
use crate::tls_server::{TlsListener, server_config};

pub use options::BrokerOptions;

use client::{Shared, serve};

/// A broker on free ports of 127.0.0.1, on a thread and a runtime of its own; stopped when dropped.
///
/// The TLS port requires a client certificate. The plain port is for observers on this machine and shares the topics.
#[must_use = "the broker stops when this is dropped"]
#[derive(Debug)]
pub struct Broker {
    ports: Ports,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Clone, Copy, Debug)]
struct Ports {
    tls: u16,
    plain: u16,
}

impl Broker {
    /// Shows the PKI's server certificate and accepts clients of its CA.
    ///
    /// # Errors
    /// When no port can be bound or no thread started.
    pub fn start(pki: &Pki) -> io::Result<Self> {
        Self::start_with(pki.server(), &pki.ca_pem(), BrokerOptions::new())
    }

    /// Shows `server` and accepts clients of `ca_for_clients`.
    ///
    /// # Errors
    /// When no port can be bound or no thread started.
    pub fn start_with(
        server: &Identity,
        ca_for_clients: &str,
        options: BrokerOptions,
    ) -> io::Result<Self> {
        let config = server_config(server, Some(ca_for_clients));
        let (stop, stopped) = oneshot::channel();
        let (report, reported) = mpsc::channel();
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        let thread = thread::Builder::new()
            .name("broker".into())
            .spawn(move || {
                runtime.block_on(async {
                    match open(config, options).await {
                        Ok((ports, _listeners)) => {
                            let _ = report.send(Ok(ports));
                            let _ = stopped.await;
                        }
                        Err(error) => {
                            let _ = report.send(Err(error));
                        }
                    }
                });
            })?;
        let ports = reported
            .recv()
            .map_err(|_| io::Error::other("the broker's thread ended"))??;
        Ok(Self {
            ports,
            stop: Some(stop),
            thread: Some(thread),
        })
    }

    /// The port of the TLS listener.
    pub fn tls_port(&self) -> u16 {
        self.ports.tls
    }

    /// The port for plain MQTT.
    pub fn plain_port(&self) -> u16 {
        self.ports.plain
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        if let Some(stop) = self.stop.take() {
            let _ = stop.send(());
        }
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// Both stop with this.
struct Listeners {
    _tls: TlsListener,
    _plain: JoinSet<()>,
}

async fn open(config: Arc<ServerConfig>, options: BrokerOptions) -> io::Result<(Ports, Listeners)> {
    let shared = Arc::new(Shared::new(options));
    let plain = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
        .await
        .map_err(|error| named("the broker's plain listener", &error))?;
    let plain_port = plain.local_addr()?.port();
    let mut listener = JoinSet::new();
    listener.spawn(accept(plain, Arc::clone(&shared)));
    let tls = TlsListener::start(config, move |tls| serve(tls, Arc::clone(&shared)))
        .await
        .map_err(|error| named("the broker's TLS listener", &error))?;
    let ports = Ports {
        tls: tls.port(),
        plain: plain_port,
    };
    let listeners = Listeners {
        _tls: tls,
        _plain: listener,
    };
    Ok((ports, listeners))
}

fn named(what: &str, error: &io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("{what}: {error}"))
}

/// Serves observers. A connection that fails is dropped without a word.
async fn accept(listener: TcpListener, shared: Arc<Shared>) {
    let mut clients = JoinSet::new();
    while let Ok((stream, _)) = listener.accept().await {
        while clients.try_join_next().is_some() {}
        let _ = stream.set_nodelay(true);
        clients.spawn(serve(stream, Arc::clone(&shared)));
    }
}

#[cfg(test)]
mod tests;
