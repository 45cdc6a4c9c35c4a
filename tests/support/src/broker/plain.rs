//! rumqttd and its listeners without TLS.

use anyhow::{Context, bail};
use rumqttd::protocol::Protocol;
use rumqttd::protocol::v4::V4;
use rumqttd::protocol::v5::V5;
use rumqttd::{ConnectionSettings, LinkType, Router, RouterConfig, Server, ServerSettings};
use tokio::net::TcpStream;
use tokio::task::yield_now;

use super::BrokerOptions;
use crate::ports::{free_port, loopback};

#[derive(Clone, Copy, Debug)]
pub(super) struct PlainPorts {
    pub(super) v4: u16,
    pub(super) v5: u16,
}

/// Serves on the current runtime, until it ends. (`rumqttd::Broker` would start runtimes that never end.)
pub(super) async fn serve(options: &BrokerOptions) -> anyhow::Result<PlainPorts> {
    let router = RouterConfig {
        max_connections: 100,
        max_outgoing_packet_count: 200,
        max_segment_size: 1024 * 1024,
        max_segment_count: 10,
        ..RouterConfig::default()
    };
    let router = Router::new(0, router).spawn();
    Ok(PlainPorts {
        v4: listen(options, |settings| {
            Server::new(settings, router.clone(), V4)
        })
        .await?,
        v5: listen(options, |settings| {
            Server::new(settings, router.clone(), V5)
        })
        .await?,
    })
}

/// rumqttd binds by itself and cannot tell the port, so it is given one that was free a moment ago.
async fn listen<P>(
    options: &BrokerOptions,
    server: impl Fn(ServerSettings) -> Server<P>,
) -> anyhow::Result<u16>
where
    P: Protocol + Clone + Send + Sync + 'static,
{
    for _ in 0..10 {
        let port = free_port()?;
        let mut server = server(settings(port, options));
        let task = tokio::spawn(async move { server.start(LinkType::Remote).await });
        yield_now().await;
        while !task.is_finished() {
            let connected = TcpStream::connect(loopback(port)).await.is_ok();
            yield_now().await;
            // A task that ended found the port taken, and the connection was to somebody else.
            if connected && !task.is_finished() {
                return Ok(port);
            }
        }
        match task.await.context("rumqttd")? {
            Err(rumqttd_error) if rumqttd_error.to_string().contains("in use") => {}
            Err(rumqttd_error) => bail!("rumqttd: {rumqttd_error}"),
            Ok(()) => bail!("rumqttd ended"),
        }
    }
    bail!("rumqttd found no free port in ten attempts");
}

fn settings(port: u16, options: &BrokerOptions) -> ServerSettings {
    ServerSettings {
        name: format!("plain-{port}"),
        listen: loopback(port),
        tls: None,
        next_connection_delay_ms: 0,
        connections: ConnectionSettings {
            connection_timeout_ms: 60_000,
            max_payload_size: 1024 * 1024,
            max_inflight_count: 100,
            auth: options.users.clone(),
            external_auth: None,
            dynamic_filters: true,
        },
    }
}
