//! An MQTT broker inside this process, which needs nothing installed: rumqttd behind our own TLS listener.
//!
//! rumqttd closes without a CONNACK when a login is wrong or the keep-alive is 0.

mod options;
mod plain;

use std::io;
use std::sync::{Arc, mpsc};
use std::thread::{self, JoinHandle};

use anyhow::Context;
use rustls::ServerConfig;
use tokio::io::copy_bidirectional;
use tokio::net::TcpStream;
use tokio::sync::oneshot;
use tokio_rustls::server::TlsStream;

use crate::pki::{Identity, Pki};
use crate::ports::loopback;
use crate::tls_server::{TlsListener, server_config};

pub use options::{BrokerOptions, MqttVersion};

use plain::PlainPorts;

/// A broker on free ports of 127.0.0.1, on a thread and a runtime of its own; stopped when dropped.
///
/// The TLS port requires a client certificate and speaks one version of MQTT (5 unless told otherwise). The plain
/// ports are for observers on this machine and share the topics. rumqttd's router thread cannot be stopped: it stays
/// asleep until the process ends.
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
    plain: PlainPorts,
}

impl Broker {
    /// Shows the PKI's server certificate and accepts clients of its CA.
    ///
    /// # Errors
    /// When no port can be bound or no thread started.
    pub fn start(pki: &Pki) -> anyhow::Result<Self> {
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
    ) -> anyhow::Result<Self> {
        if !options.log {
            silence_tracing();
        }
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
                        Ok((ports, _listener)) => {
                            let _ = report.send(Ok(ports));
                            let _ = stopped.await;
                        }
                        Err(error) => {
                            let _ = report.send(Err(error));
                        }
                    }
                });
            })?;
        let ports = reported.recv().context("the broker's thread ended")??;
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

    /// The port for plain MQTT 5.
    pub fn plain_v5_port(&self) -> u16 {
        self.ports.plain.v5
    }

    /// The port for plain MQTT 3.1.1.
    pub fn plain_v4_port(&self) -> u16 {
        self.ports.plain.v4
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

async fn open(
    config: Arc<ServerConfig>,
    options: BrokerOptions,
) -> anyhow::Result<(Ports, TlsListener)> {
    let plain = plain::serve(&options).await?;
    let behind = match options.version {
        MqttVersion::V4 => plain.v4,
        MqttVersion::V5 => plain.v5,
    };
    let listener = TlsListener::start(config, move |tls| proxy(tls, behind))
        .await
        .context("cannot open the broker's TLS listener")?;
    Ok((
        Ports {
            tls: listener.port(),
            plain,
        },
        listener,
    ))
}

async fn proxy(mut tls: TlsStream<TcpStream>, port: u16) -> io::Result<()> {
    let mut broker = TcpStream::connect(loopback(port)).await?;
    broker.set_nodelay(true)?;
    copy_bidirectional(&mut tls, &mut broker).await?;
    Ok(())
}

/// Without a subscriber, tracing hands rumqttd's events to `log`, and so to the host tool's error output.
fn silence_tracing() {
    let _ = tracing::subscriber::set_global_default(tracing::subscriber::NoSubscriber::new());
}

#[cfg(test)]
mod tests;
