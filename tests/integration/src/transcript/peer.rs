//! Servers in the simulator's network, for `# peer: HOST PORT tls|plain: DOES; DOES`.
//!
//! | DOES | |
//! |---|---|
//! | `echo` | sends back what comes, until the modem closes |
//! | `take N` | takes N bytes |
//! | `say BYTES` | sends them, written as in events |
//! | `fill N` | sends N times `x` |
//! | `wait MS` | |
//! | `close` | closes; what follows does not happen |
//!
//! Behind the last it takes what comes and says nothing. TLS servers show the tests' own certificate.

use std::io;

use embassy_time::{Duration, Timer};
use sectag_simulator::MemoryNetwork;
use sectag_test_support::pki::Pki;
use sectag_test_support::tls_server::{echo, serve_tls, server_config};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

use super::script::bytes;

/// Puts the server of one `# peer:` into the network. Needs a `LocalSet` around it.
///
/// # Panics
/// When the line is wrong.
pub(super) fn serve(network: &MemoryNetwork, peer: &str) {
    let (place, does) = peer.split_once(": ").unwrap_or((peer, ""));
    let words: Vec<&str> = place.split_whitespace().collect();
    let [host, port, protocol] = words[..] else {
        panic!("# peer: HOST PORT tls|plain: ..., not {peer:?}");
    };
    let port = port.parse().expect("a port");
    let does: Vec<String> = does
        .split(';')
        .map(|step| step.trim().to_owned())
        .filter(|step| !step.is_empty())
        .collect();
    let config = match protocol {
        "tls" => Some(server_config(&Pki::shared().issue_server([host]), None)),
        "plain" => None,
        other => panic!("tls or plain, not {other:?}"),
    };
    network.register(host, port, move |stream| {
        let (config, does) = (config.clone(), does.clone());
        tokio::task::spawn_local(async move {
            // A modem that hangs up ends it as well.
            let _ = match config {
                Some(config) => serve_tls(stream, config, |stream| perform(stream, &does)).await,
                None => perform(stream, &does).await,
            };
        });
    });
}

async fn perform(
    mut stream: impl AsyncRead + AsyncWrite + Unpin,
    does: &[String],
) -> io::Result<()> {
    for step in does {
        let (what, rest) = step.split_once(' ').unwrap_or((step, ""));
        match what {
            "echo" => {
                echo(&mut stream).await?;
            }
            "take" => {
                let mut taken = vec![0; rest.parse().expect("a number")];
                stream.read_exact(&mut taken).await?;
            }
            "say" => stream.write_all(&bytes(rest)).await?,
            "fill" => {
                let count = rest.parse().expect("a number");
                stream.write_all(&vec![b'x'; count]).await?;
            }
            "wait" => {
                stream.flush().await?;
                Timer::after(Duration::from_millis(rest.parse().expect("milliseconds"))).await;
            }
            "close" => return stream.shutdown().await,
            other => panic!("a peer cannot {other:?}"),
        }
    }
    stream.flush().await?;
    let mut rest = Vec::new();
    stream.read_to_end(&mut rest).await.map(|_| ())
}
