//! The parts that the harnesses of all simulated modems share: a driver beside its modem, the lines that it sent, a TLS
//! server, and a round trip.

use std::cell::RefCell;
use std::future::Future;
use std::io;
use std::rc::Rc;

use embassy_futures::join::join;
use embassy_futures::select::{Either3, select3};
use embassy_time::{Duration, with_timeout};
use embedded_io_async::{Read, Write};
use sectag::{RunError, Socket};
use sectag_simulator::{MemoryNetwork, Simulator};
use sectag_test_support::pki::Identity;
use sectag_test_support::tls_server::{TlsStream, serve_tls, server_config, tls13_config};
use tokio::io::{AsyncReadExt, DuplexStream};

use crate::simulated::PORT;

/// Runs `application` with the driver of `runner`, beside the modem at the other end of its UART.
pub(crate) async fn beside<T>(
    modem: &Simulator,
    device: DuplexStream,
    runner: impl Future<Output = RunError>,
    application: impl Future<Output = T>,
) -> T {
    let serve = async {
        let _ = modem.serve(device).await;
        std::future::pending::<()>().await;
    };
    match select3(serve, runner, application).await {
        Either3::First(()) => unreachable!("it is pending for ever"),
        Either3::Second(error) => panic!("the runner ended: {error}"),
        Either3::Third(result) => result,
    }
}

/// Returns every command line that the modem has received, as text.
pub(crate) fn commands(modem: &Simulator) -> Vec<String> {
    let lines = modem.commands();
    lines
        .iter()
        .map(|line| String::from_utf8_lossy(line).into_owned())
        .collect()
}

/// Serves every connection to `host` with TLS by `handler`; clients need a certificate of `client_ca`.
pub(crate) fn serve_at<H, F, T>(
    network: &MemoryNetwork,
    host: &'static str,
    identity: &Identity,
    client_ca: &str,
    handler: H,
) where
    H: Fn(TlsStream<DuplexStream>) -> F + Clone + 'static,
    F: Future<Output = io::Result<T>> + 'static,
{
    let config = server_config(identity, Some(client_ca));
    network.register(host, PORT, move |stream| {
        let (config, handler) = (config.clone(), handler.clone());
        tokio::task::spawn_local(async move {
            let _ = serve_tls(stream, config, handler).await;
        });
    });
}

/// Serves every connection to `host` with TLS 1.3 alone by `handler`, without a look at the client.
pub(crate) fn serve_tls13_at<H, F, T>(
    network: &MemoryNetwork,
    host: &'static str,
    identity: &Identity,
    handler: H,
) where
    H: Fn(TlsStream<DuplexStream>) -> F + Clone + 'static,
    F: Future<Output = io::Result<T>> + 'static,
{
    let config = tls13_config(identity);
    network.register(host, PORT, move |stream| {
        let (config, handler) = (config.clone(), handler.clone());
        tokio::task::spawn_local(async move {
            let _ = serve_tls(stream, config, handler).await;
        });
    });
}

/// Sends `bytes` to a server that echoes, and returns what came back.
pub async fn round_trip(socket: &mut Socket<'_>, bytes: &[u8]) -> Vec<u8> {
    let (mut reader, mut writer) = socket.split();
    let mut back = vec![0; bytes.len()];
    let write = async {
        writer.write_all(bytes).await.unwrap();
        writer.flush().await.unwrap();
    };
    let both = join(reader.read_exact(&mut back), write);
    // Bytes that never come are a failure, and no hang.
    let both = with_timeout(Duration::from_secs(600), both).await;
    let (read, ()) = both.expect("they come back within ten minutes");
    read.unwrap();
    back
}

/// A TLS server that reads to the end of a connection, and adds what it reads to `kept`.
pub async fn keep_into(
    kept: Rc<RefCell<Vec<u8>>>,
    mut stream: TlsStream<DuplexStream>,
) -> io::Result<()> {
    let mut buffer = [0; 2048];
    loop {
        let count = stream.read(&mut buffer).await?;
        if count == 0 {
            return Ok(());
        }
        kept.borrow_mut().extend(&buffer[..count]);
    }
}
