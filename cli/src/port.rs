//! The port to the modem: a serial device, a pseudo terminal, or a TCP connection.

use std::cell::RefCell;
use std::io;
use std::path::Path;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use sectag::Power;
use sectag_host_clock::tty::{Settings, Tty};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

use crate::args::PortName;
use crate::failure::Failure;
use crate::port_failure::port_failed;

pub(crate) trait Stream: AsyncRead + AsyncWrite + Unpin {}

impl<T: AsyncRead + AsyncWrite + Unpin> Stream for T {}

/// A port that is open.
pub(crate) struct Opened {
    stream: Box<dyn Stream>,
    speed: Speed,
}

impl Opened {
    pub(crate) fn stream(&mut self) -> &mut dyn Stream {
        &mut *self.stream
    }

    /// Whether the port has that speed now; a TCP connection has none.
    pub(crate) fn set_speed(&mut self, baud: u32) -> bool {
        self.speed.set_speed(baud)
    }

    /// As if it had been opened with the speed that it has now.
    pub(crate) fn into_parts(self) -> (Box<dyn Stream>, Speed) {
        let mut speed = self.speed;
        let now = speed.speeds.borrow().last().copied();
        speed.opened_at = now.unwrap_or(speed.opened_at);
        *speed.speeds.borrow_mut() = now.into_iter().collect();
        (self.stream, speed)
    }
}

/// Opens the port raw, 8N1. DTR is left as the system makes it when a port is opened: Linux asserts it.
pub(crate) async fn open(
    name: &PortName,
    baud: u32,
    flow_control: bool,
) -> Result<Opened, Failure> {
    let opened = match name {
        PortName::Serial(device) => serial(device, baud, flow_control),
        PortName::Tcp(address) => tcp(address).await,
    };
    let (stream, port) = opened.map_err(|error| port_failed(name, &error))?;
    let speeds = Rc::new(RefCell::new(vec![baud]));
    let speed = Speed {
        port,
        speeds,
        opened_at: baud,
    };
    Ok(Opened { stream, speed })
}

type Ends = (Box<dyn Stream>, Option<Shared>);

fn serial(device: &str, baud: u32, flow_control: bool) -> io::Result<Ends> {
    let settings = Settings {
        baud,
        rts_cts: flow_control,
    };
    let stream = Tty::open(Path::new(device), settings)?;
    let shared = Shared(Rc::new(RefCell::new(stream)));
    Ok((Box::new(shared.clone()), Some(shared)))
}

async fn tcp(address: &str) -> io::Result<Ends> {
    #[cfg(test)]
    if address == in_memory::ADDRESS {
        let line = in_memory::take().ok_or(io::ErrorKind::ConnectionRefused)?;
        return Ok((Box::new(line), None));
    }
    let stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    Ok((Box::new(stream), None))
}

/// One device for who reads and writes and for who sets its speed; none of them holds it longer than a poll.
#[derive(Clone)]
struct Shared(Rc<RefCell<Tty>>);

impl AsyncRead for Shared {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut *self.0.borrow_mut()).poll_read(cx, buffer)
    }
}

impl AsyncWrite for Shared {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut *self.0.borrow_mut()).poll_write(cx, bytes)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut *self.0.borrow_mut()).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut *self.0.borrow_mut()).poll_shutdown(cx)
    }
}

/// The pins of the modem's that this computer has, none, and the speed of the port, which the driver may change to
/// look for the modem; a TCP connection has none.
pub(crate) struct Speed {
    port: Option<Shared>,
    speeds: Speeds,
    opened_at: u32,
}

/// What the port was set to so far, the present one last.
pub(crate) type Speeds = Rc<RefCell<Vec<u32>>>;

impl Speed {
    pub(crate) fn speeds(&self) -> Speeds {
        self.speeds.clone()
    }
}

impl Power for Speed {
    fn has_power_key(&self) -> bool {
        false
    }
    fn has_reset(&self) -> bool {
        false
    }
    fn power_key(&mut self, _pressed: bool) {}
    fn reset(&mut self, _asserted: bool) {}
    fn status(&mut self) -> Option<bool> {
        None
    }
    fn set_speed(&mut self, baud: u32) -> bool {
        // The system takes 0 for hanging up: it would release DTR.
        let baud = if baud == 0 { self.opened_at } else { baud };
        let set = match &self.port {
            Some(Shared(port)) => port.borrow().set_speed(baud).is_ok(),
            None => false,
        };
        if set {
            log::info!("the port is at {baud} baud");
            let mut speeds = self.speeds.borrow_mut();
            // Round and round, as long as nothing answers.
            speeds.retain(|earlier| *earlier != baud);
            speeds.push(baud);
        }
        set
    }
}

/// The line to a modem in this process, in place of the next TCP connection of the thread.
#[cfg(test)]
pub(crate) mod in_memory {
    use std::cell::RefCell;

    use tokio::io::DuplexStream;

    /// As it stands behind `tcp:` on a command line.
    pub(crate) const ADDRESS: &str = "memory:1";

    thread_local! {
        static LINE: RefCell<Option<DuplexStream>> = const { RefCell::new(None) };
    }

    pub(crate) fn put(line: DuplexStream) {
        LINE.set(Some(line));
    }

    pub(super) fn take() -> Option<DuplexStream> {
        LINE.take()
    }
}

#[cfg(test)]
mod tests {
    use sectag_simulator::transport::open_pty;

    use super::*;

    #[tokio::test]
    async fn the_speed_of_a_serial_port_is_changed_while_it_is_open() {
        let dir = tempfile::tempdir().unwrap();
        let link = dir.path().join("modem");
        let _pty = open_pty(&link).unwrap();
        let name = PortName::Serial(link.to_str().unwrap().into());
        let (_stream, mut speed) = open(&name, 115_200, false).await.unwrap().into_parts();
        let port = |speed: &Speed| speed.port.as_ref().unwrap().0.borrow().speed().unwrap();
        assert_eq!(
            (port(&speed), &*speed.speeds().borrow()),
            (115_200, &vec![115_200])
        );
        for (baud, so_far) in [
            (9600, vec![115_200, 9600]),
            (19_200, vec![115_200, 9600, 19_200]),
            (9600, vec![115_200, 19_200, 9600]),
            // That at which it was opened.
            (0, vec![19_200, 9600, 115_200]),
        ] {
            assert!(speed.set_speed(baud));
            let baud = if baud == 0 { 115_200 } else { baud };
            assert_eq!((port(&speed), &*speed.speeds().borrow()), (baud, &so_far));
        }
    }

    #[tokio::test]
    async fn a_tcp_connection_has_none() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let name = PortName::Tcp(listener.local_addr().unwrap().to_string());
        let (_stream, mut speed) = open(&name, 115_200, false).await.unwrap().into_parts();
        assert!(!speed.set_speed(9600));
        assert_eq!(*speed.speeds().borrow(), [115_200]);
    }
}
