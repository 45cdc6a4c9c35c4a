//! A simulated modem for other processes: on a TCP port, or behind a pseudo terminal. Both need tokio's reactor.

use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::task::{Context, Poll};

use embassy_futures::select::{Either, select};
use embassy_time::{Duration, Timer};
use sectag_host_clock::tty::{Pair, Tty};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpListener;

use crate::Simulator;

/// The interval at which the terminal is made available to the next host.
const UNLOCK_EVERY: Duration = Duration::from_millis(100);

/// Serves one host after the other, without end. To the modem, each is its MCU after a reset.
pub async fn serve_tcp(simulator: Simulator, listener: TcpListener) -> io::Result<()> {
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        if let Err(error) = simulator.serve(stream).await {
            log::info!("host connection ended: {error}");
        }
    }
}

/// The modem's end of a pseudo terminal. The link to the host's end is removed when this is dropped.
pub struct Pty {
    master: Tty,
    link: PathBuf,
    /// The host's end of the terminal, to which the link points.
    name: PathBuf,
    /// The host's end, held open so that the terminal survives a host that closes it: a serial line has
    /// no end of file.
    host_end: OwnedFd,
}

/// Makes a pseudo terminal whose host end is found at `link`. A link left behind by a dead process is replaced.
pub fn open_pty(link: &Path) -> io::Result<Pty> {
    let Pair { tty, name, other } = Tty::pair()?;
    if link.is_symlink() {
        std::fs::remove_file(link)?;
    }
    symlink(&name, link)?;
    Ok(Pty {
        master: tty,
        link: link.to_owned(),
        name,
        host_end: other,
    })
}

/// Serves each program that opens the terminal, without end.
pub async fn serve_pty(simulator: Simulator, mut pty: Pty) -> io::Result<()> {
    let Pty {
        master, host_end, ..
    } = &mut pty;
    let unlock = async {
        loop {
            // Hosts claim exclusive use of the terminal. Because it stays open, the claim of a killed
            // host would stay, too.
            rustix::termios::ioctl_tiocnxcl(&*host_end)?;
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
        // Another modem may have its own link there by now.
        if std::fs::read_link(&self.link).is_ok_and(|target| target == self.name) {
            // Another process may remove it at this moment.
            let _ = std::fs::remove_file(&self.link);
        }
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

    use sectag_host_clock::tty::Settings;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpStream;

    use super::*;
    use crate::{LoopbackNetwork, Options};

    fn modem() -> Simulator {
        Simulator::bg96(Options::default(), Rc::new(LoopbackNetwork::new()))
    }

    /// Runs a test in real time, on tokio's reactor.
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
                let settings = Settings {
                    baud: 115_200,
                    rts_cts: false,
                };
                Tty::open(&link, settings).unwrap()
            };
            let mut host = open();
            ask(&mut host, "ATE0\r", "ATE0\r\r\nOK\r\n").await;
            // A host that is killed leaves its claim behind.
            drop(host);
            let held = std::fs::File::open(&link).unwrap();
            rustix::termios::ioctl_tiocexcl(&held).unwrap();
            Timer::after(UNLOCK_EVERY * 2).await;
            ask(&mut open(), "AT\r", "\r\nOK\r\n").await;
        });
        assert!(!link.is_symlink());
    }

    #[test]
    fn a_link_that_another_modem_has_taken_over_stays() {
        let link = std::env::temp_dir().join(format!("sectag-link-{}", std::process::id()));
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        runtime.block_on(async {
            let first = open_pty(&link).unwrap();
            let second = open_pty(&link).unwrap();
            drop(first);
            assert!(link.is_symlink());
            drop(second);
            assert!(!link.is_symlink());
        });
    }

    /// Real sockets all the way: host, modem, server.
    #[test]
    fn tls_over_loopback() {
        use sectag_test_support::pki::Pki;
        use sectag_test_support::tls_server::{TlsListener, server_config};

        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let address = listener.local_addr().unwrap();
        let options = Options {
            pdp_active: true,
            clock: Some(time::OffsetDateTime::now_utc()),
            ..Options::default()
        };
        let server = async {
            let tls = TlsListener::echo(server_config(Pki::shared().server(), None)).await?;
            let mut network = LoopbackNetwork::new();
            network.map(
                "broker.sectag.test",
                8883,
                ([127, 0, 0, 1], tls.port()).into(),
            )?;
            let modem = Simulator::bg96(options, Rc::new(network));
            modem.put_file("ca.pem", Pki::shared().ca_pem().as_bytes());
            serve_tcp(modem, TcpListener::from_std(listener)?).await
        };
        run(server, async {
            let mut host = TcpStream::connect(address).await.unwrap();
            ask(&mut host, "ATE0\r", "ATE0\r\r\nOK\r\n").await;
            for command in [
                "AT+QURCCFG=\"urcport\",\"uart1\"\r",
                "AT+QSSLCFG=\"cacert\",0,\"ca.pem\"\r",
                "AT+QSSLCFG=\"seclevel\",0,1\r",
                "AT+QSSLCFG=\"ignorelocaltime\",0,0\r",
                "AT+QSSLCFG=\"sni\",0,1\r",
            ] {
                ask(&mut host, command, "\r\nOK\r\n").await;
            }
            let open = "AT+QSSLOPEN=1,0,0,\"broker.sectag.test\",8883\r";
            ask(&mut host, open, "\r\nOK\r\n\r\n+QSSLOPEN: 0,0\r\n").await;
            ask(&mut host, "AT+QSSLSEND=0,5\r", "\r\n> ").await;
            let echoed = "\r\nSEND OK\r\n\r\n+QSSLURC: \"recv\",0\r\n";
            ask(&mut host, "hello", echoed).await;
            ask(
                &mut host,
                "AT+QSSLRECV=0,9\r",
                "\r\n+QSSLRECV: 5\r\nhello\r\n\r\nOK\r\n",
            )
            .await;
        });
    }
}
