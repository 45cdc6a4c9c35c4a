//! A simulated modem for other processes: on a TCP port, or behind a pseudo terminal. Both need tokio's reactor.

use std::io;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::task::{Context, Poll};

use embassy_futures::select::{Either, select};
use embassy_time::{Duration, Timer};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpListener;
use tokio_serial::{SerialPort, SerialStream};

use crate::Simulator;

/// How often the terminal is made available to the next host.
const UNLOCK_EVERY: Duration = Duration::from_millis(100);

/// Serves one host after the other, for ever; for the modem, each is the same MCU after a reset.
pub async fn serve_tcp(simulator: Simulator, listener: TcpListener) -> io::Result<()> {
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        if let Err(error) = simulator.serve(stream).await {
            log::info!("host connection ended: {error}");
        }
    }
}

/// The modem's end of a pseudo terminal. The link to the host's end goes when this is dropped.
pub struct Pty {
    master: SerialStream,
    link: PathBuf,
    /// Held open so that the terminal survives a host that closes it: a serial line has no end of file.
    host_end: SerialStream,
}

/// Makes a pseudo terminal whose host end is found at `link`. A link left behind by a dead process is replaced.
pub fn open_pty(link: &Path) -> io::Result<Pty> {
    let (master, host_end) = SerialStream::pair().map_err(io::Error::from)?;
    let name = host_end
        .name()
        .ok_or_else(|| io::Error::other("the pseudo terminal has no name"))?;
    if link.is_symlink() {
        std::fs::remove_file(link)?;
    }
    symlink(name, link)?;
    Ok(Pty {
        master,
        link: link.to_owned(),
        host_end,
    })
}

/// Serves whoever opens the terminal, for ever.
pub async fn serve_pty(simulator: Simulator, mut pty: Pty) -> io::Result<()> {
    let Pty {
        master, host_end, ..
    } = &mut pty;
    let unlock = async {
        loop {
            // A host takes the terminal for itself (TIOCEXCL), and because this end stays open, that would outlive it.
            host_end.set_exclusive(false).map_err(io::Error::from)?;
            Timer::after(UNLOCK_EVERY).await;
        }
    };
    match select(simulator.serve(master), unlock).await {
        Either::First(end) => end,
        Either::Second(end) => end,
    }
}

impl Drop for Pty {
    fn drop(&mut self) {
        // Somebody else may have removed it.
        let _ = std::fs::remove_file(&self.link);
    }
}

impl AsyncRead for Pty {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.master).poll_read(cx, buf)
    }
}

impl AsyncWrite for Pty {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.master).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.master).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.master).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use std::future::Future;
    use std::rc::Rc;

    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpStream;
    use tokio_serial::SerialPortBuilderExt;

    use super::*;
    use crate::{LoopbackNetwork, Options};

    fn modem() -> Simulator {
        Simulator::bg96(Options::default(), Rc::new(LoopbackNetwork::new()))
    }

    /// In real time, on tokio's reactor.
    fn run(server: impl Future<Output = io::Result<()>>, test: impl Future<Output = ()>) {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        runtime.block_on(async {
            if let Either::First(end) = select(server, test).await {
                panic!("the server ended: {end:?}");
            }
        });
    }

    async fn ask(host: &mut (impl AsyncRead + AsyncWrite + Unpin), command: &str, answer: &str) {
        host.write_all(command.as_bytes()).await.unwrap();
        let mut got = vec![0; answer.len()];
        host.read_exact(&mut got).await.unwrap();
        assert_eq!(String::from_utf8_lossy(&got), answer);
    }

    #[test]
    fn tcp_hosts_one_after_the_other() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let address = listener.local_addr().unwrap();
        let server = async { serve_tcp(modem(), TcpListener::from_std(listener)?).await };
        run(server, async {
            let mut host = TcpStream::connect(address).await.unwrap();
            ask(&mut host, "ATE0\r", "ATE0\r\r\nOK\r\n").await;
            drop(host);
            let mut host = TcpStream::connect(address).await.unwrap();
            ask(&mut host, "AT\r", "\r\nOK\r\n").await;
        });
    }

    #[test]
    fn a_terminal_can_be_opened_again_and_its_link_goes() {
        let link = std::env::temp_dir().join(format!("sectag-simulator-{}", std::process::id()));
        let server = async { serve_pty(modem(), open_pty(&link)?).await };
        run(server, async {
            while !link.exists() {
                Timer::after(Duration::from_millis(1)).await;
            }
            let open = || {
                tokio_serial::new(link.to_str().unwrap(), 115_200)
                    .open_native_async()
                    .unwrap()
            };
            let mut host = open();
            ask(&mut host, "ATE0\r", "ATE0\r\r\nOK\r\n").await;
            drop(host);
            Timer::after(UNLOCK_EVERY * 2).await;
            ask(&mut open(), "AT\r", "\r\nOK\r\n").await;
        });
        assert!(!link.is_symlink());
    }
}
