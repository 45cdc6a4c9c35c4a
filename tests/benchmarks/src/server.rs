//! Servers of the simulated network.

use std::future::Future;
use std::io;

use sectag::ServerName;
use sectag_simulator::MemoryNetwork;
use sectag_test_support::pki::Pki;
use sectag_test_support::tls_server::{TlsStream, serve_tls, server_config};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};

/// The name of all of them.
pub const HOST: ServerName<'static> = match ServerName::new("broker.sectag.test") {
    Ok(name) => name,
    Err(_) => panic!("not a name"),
};
/// The broker's port.
pub const MQTT_PORT: u16 = 8883;
/// What is published.
pub const MESSAGE: [u8; 64] = [b'm'; 64];

/// Has a server that demands client certificates listen on a port of [`HOST`].
pub fn register<H, F>(network: &MemoryNetwork, port: u16, handler: H)
where
    H: Fn(TlsStream<DuplexStream>) -> F + Clone + 'static,
    F: Future<Output = io::Result<()>> + 'static,
{
    let pki = Pki::shared();
    let config = server_config(&pki.issue_server([HOST.as_str()]), Some(&pki.ca_pem()));
    network.register(HOST.as_str(), port, move |stream| {
        let (config, handler) = (config.clone(), handler.clone());
        tokio::task::spawn_local(async move {
            let _ = serve_tls(stream, config, handler).await;
        });
    });
}

/// Takes every login and acknowledges what wants that; packets of fewer than 128 bytes, MQTT 5.
pub async fn be_broker(mut stream: TlsStream<DuplexStream>) -> io::Result<()> {
    loop {
        let first = stream.read_u8().await?;
        let mut body = vec![0; usize::from(stream.read_u8().await?)];
        stream.read_exact(&mut body).await?;
        match first >> 4 {
            1 => stream.write_all(&[0x20, 3, 0, 0, 0]).await?,
            3 if first & 0b110 != 0 => {
                let topic = usize::from(body[1]);
                stream
                    .write_all(&[0x40, 2, body[2 + topic], body[3 + topic]])
                    .await?;
            }
            _ => {}
        }
        stream.flush().await?;
    }
}
