use std::io;
use std::sync::Arc;

use rustls::ServerConfig;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{AbortHandle, JoinSet};
use tokio_rustls::server::TlsStream;

use super::{echo, serve_tls};

/// A TLS service on a free port of 127.0.0.1. Dropping it stops the service and cuts its connections.
#[must_use = "the service stops when this is dropped"]
pub struct TlsListener {
    port: u16,
    accept_loop: AbortHandle,
}

impl TlsListener {
    /// Serves every connection with `handler`, on the current tokio runtime.
    ///
    /// A connection that fails is dropped without a word; its client sees why.
    ///
    /// # Errors
    /// When no port can be bound.
    pub async fn start<H, Fut, T>(config: Arc<ServerConfig>, handler: H) -> io::Result<Self>
    where
        H: Fn(TlsStream<TcpStream>) -> Fut + Clone + Send + 'static,
        Fut: Future<Output = io::Result<T>> + Send + 'static,
        T: Send + 'static,
    {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let port = listener.local_addr()?.port();
        let accept_loop = tokio::spawn(accept(listener, config, handler)).abort_handle();
        Ok(Self { port, accept_loop })
    }

    /// Serves [`echo`].
    ///
    /// # Errors
    /// When no port can be bound.
    pub async fn echo(config: Arc<ServerConfig>) -> io::Result<Self> {
        Self::start(config, echo).await
    }

    /// The port on 127.0.0.1.
    pub fn port(&self) -> u16 {
        self.port
    }
}

impl Drop for TlsListener {
    fn drop(&mut self) {
        self.accept_loop.abort();
    }
}

async fn accept<H, Fut, T>(listener: TcpListener, config: Arc<ServerConfig>, handler: H)
where
    H: Fn(TlsStream<TcpStream>) -> Fut + Clone + Send + 'static,
    Fut: Future<Output = io::Result<T>> + Send + 'static,
    T: Send + 'static,
{
    // Owned by this task, so that its abort ends the connections too.
    let mut connections = JoinSet::new();
    loop {
        let Ok((stream, _)) = listener.accept().await else {
            // Out of file descriptors, for instance: give the others time to end.
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
            continue;
        };
        while connections.try_join_next().is_some() {}
        let (config, handler) = (Arc::clone(&config), handler.clone());
        connections.spawn(async move {
            stream.set_nodelay(true)?;
            serve_tls(stream, config, handler).await
        });
    }
}
