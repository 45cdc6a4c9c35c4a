//! What can stand behind a name and a port, rightly or wrongly: silence, other protocols, TLS with something wrong about it, brokers that
//! refuse.
//!
//! A [`Server`] serves any stream: a pipe in memory for tests in virtual time, or TCP on 127.0.0.1 ([`Server::listen`]) for people and real
//! clients. [`OpenSsl`] is a process with the TLS of others.

mod broker;
mod openssl;
mod tls;

use std::io;
use std::net::Ipv4Addr;
use std::sync::Arc;

use rustls::ServerConfig;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::task::AbortHandle;
use tokio_rustls::TlsAcceptor;

pub use broker::{After, Answer, Door, Login};
pub use openssl::OpenSsl;
pub use tls::Tls;

/// What a server does with a connection.
#[derive(Clone, Debug)]
pub enum Server {
    /// Accepts it, and never says a word.
    Silent,
    /// Closes it at once.
    Closes,
    /// Says this at once, as servers of SSH and mail do, and closes when the client has said something.
    Greets(&'static [u8]),
    /// Says this when the client has said something, and closes.
    Answers(&'static [u8]),
    /// MQTT without TLS.
    Broker(Door),
    /// TLS, and what is behind it.
    Tls(Arc<ServerConfig>, Service),
}

/// What is behind TLS.
#[derive(Clone, Copy, Debug)]
pub enum Service {
    /// Never says a word.
    Silent,
    /// Closes at once, in order.
    Closes,
    /// Says this when the client has said something, and closes.
    Answers(&'static [u8]),
    /// MQTT.
    Broker(Door),
}

impl Server {
    /// Serves one connection to its end.
    ///
    /// # Errors
    /// Of the stream or of the handshake: a client that goes away is one.
    pub async fn serve(&self, mut stream: impl AsyncRead + AsyncWrite + Unpin) -> io::Result<()> {
        match self {
            Self::Silent => silent(stream).await,
            Self::Closes => stream.shutdown().await,
            Self::Greets(words) => {
                stream.write_all(words).await?;
                stream.flush().await?;
                answer(stream, b"").await
            }
            Self::Answers(words) => answer(stream, words).await,
            Self::Broker(door) => door.serve(stream).await,
            Self::Tls(config, service) => {
                let mut stream = TlsAcceptor::from(Arc::clone(config)).accept(stream).await?;
                match service {
                    Service::Silent => silent(stream).await,
                    Service::Closes => stream.shutdown().await,
                    Service::Answers(words) => answer(stream, words).await,
                    Service::Broker(door) => door.serve(stream).await,
                }
            }
        }
    }

    /// Serves every connection to a free port of 127.0.0.1, on the current tokio runtime.
    ///
    /// # Errors
    /// When no port can be bound.
    pub async fn listen(self) -> io::Result<Listening> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let port = listener.local_addr()?.port();
        let accepting = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let server = self.clone();
                tokio::spawn(async move { server.serve(stream).await });
            }
        });
        Ok(Listening {
            port,
            accepting: accepting.abort_handle(),
        })
    }
}

/// A server on a port of 127.0.0.1, which accepts nothing more when this is dropped.
#[must_use = "it stops when this is dropped"]
#[derive(Debug)]
pub struct Listening {
    port: u16,
    accepting: AbortHandle,
}

impl Listening {
    /// The port.
    pub fn port(&self) -> u16 {
        self.port
    }
}

impl Drop for Listening {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

/// Reads until the client goes.
async fn silent(mut stream: impl AsyncRead + Unpin) -> io::Result<()> {
    let mut bytes = [0; 1024];
    while stream.read(&mut bytes).await? > 0 {}
    Ok(())
}

async fn answer(mut stream: impl AsyncRead + AsyncWrite + Unpin, words: &[u8]) -> io::Result<()> {
    let mut bytes = [0; 1024];
    if stream.read(&mut bytes).await? > 0 {
        stream.write_all(words).await?;
        stream.flush().await?;
    }
    stream.shutdown().await
}

#[cfg(test)]
mod tests;
