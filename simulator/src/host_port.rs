//! The host's end of the line in tests of the simulators.

use std::future::Future;
use std::panic::Location;

use embassy_time::{Duration, with_timeout};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};
use tokio::sync::Mutex;

pub(crate) async fn send(port: &Mutex<DuplexStream>, bytes: &[u8]) {
    port.lock().await.write_all(bytes).await.unwrap();
}

/// Expects exactly these bytes. A failure names the line of the caller.
#[track_caller]
pub(crate) fn expect<'a>(
    port: &'a Mutex<DuplexStream>,
    bytes: &'a [u8],
) -> impl Future<Output = ()> + 'a {
    let caller = Location::caller();
    async move {
        let mut got = Vec::new();
        while got.len() < bytes.len() {
            let mut buffer = vec![0; bytes.len() - got.len()];
            let read = async { port.lock().await.read(&mut buffer).await };
            match with_timeout(Duration::from_secs(600), read).await {
                Ok(Ok(n)) if n > 0 => got.extend(&buffer[..n]),
                _ => break,
            }
        }
        assert!(
            got == bytes,
            "{caller}\nexpected {:?}\n     got {:?}",
            String::from_utf8_lossy(bytes),
            String::from_utf8_lossy(&got)
        );
    }
}
