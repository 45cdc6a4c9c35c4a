//! Terminals as streams of tokio: serial ports, and pseudo terminals. All need tokio's reactor.

use std::ffi::OsString;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStringExt;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use rustix::fs::{FlockOperation, Mode, OFlags, fcntl_setfl, flock, open};
use rustix::io::{FdFlags, fcntl_setfd};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{
    ControlModes, OptionalActions, Termios, isatty, tcdrain, tcgetattr, tcsetattr,
};
use tokio::io::unix::AsyncFd;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// An end of a serial line or of a pseudo terminal.
#[derive(Debug)]
pub struct Tty(AsyncFd<OwnedFd>);

/// The settings of a serial port that differ from one port to another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Bits in a second.
    pub baud: u32,
    /// Flow control by RTS and CTS.
    pub rts_cts: bool,
}

impl Tty {
    /// Opens a serial port, raw and 8N1, for this process alone. DTR is left as the system makes it when a port is
    /// opened: Linux asserts it.
    ///
    /// # Errors
    /// What the system answers, such as that another process has it; `Unsupported` for what is no terminal.
    pub fn open(path: &Path, settings: Settings) -> io::Result<Self> {
        let flags = OFlags::RDWR | OFlags::NOCTTY | OFlags::CLOEXEC | OFlags::NONBLOCK;
        let fd = open(path, flags, Mode::empty())?;
        if !isatty(&fd) {
            return Err(io::Error::new(io::ErrorKind::Unsupported, "no terminal"));
        }
        // The first does not stop root, the second only those that ask.
        rustix::termios::ioctl_tiocexcl(&fd)?;
        flock(&fd, FlockOperation::NonBlockingLockExclusive)?;
        let mut wanted = tcgetattr(&fd)?;
        wanted.make_raw();
        let modes = &mut wanted.control_modes;
        // Without CLOCAL, a carrier that is not there ends the line.
        modes.insert(ControlModes::CREAD | ControlModes::CLOCAL);
        modes.remove(ControlModes::CSTOPB);
        modes.set(ControlModes::CRTSCTS, settings.rts_cts);
        wanted.set_speed(settings.baud)?;
        tcsetattr(&fd, OptionalActions::Now, &wanted)?;
        // It succeeds when any of the changes could be made. Speeds are rounded to what a port has.
        let set = tcgetattr(&fd)?;
        let frame = ControlModes::CSIZE | ControlModes::PARENB | ControlModes::CSTOPB;
        let checked = |termios: &Termios| {
            let modes = (termios.input_modes, termios.output_modes);
            (modes, termios.local_modes, termios.control_modes & frame)
        };
        if checked(&set) != checked(&wanted) {
            return Err(io::Error::other("the device does not take raw 8N1"));
        }
        Ok(Self(registered(fd)?))
    }

    /// The speed that is set.
    ///
    /// # Errors
    /// What the system answers.
    pub fn speed(&self) -> io::Result<u32> {
        Ok(tcgetattr(&self.0)?.output_speed())
    }

    /// Sets another speed.
    ///
    /// # Errors
    /// What the system answers, such as that the port does not have it.
    pub fn set_speed(&self, baud: u32) -> io::Result<()> {
        let mut settings = tcgetattr(&self.0)?;
        settings.set_speed(baud)?;
        tcsetattr(&self.0, OptionalActions::Now, &settings)?;
        Ok(())
    }

    /// Makes a pseudo terminal.
    ///
    /// # Errors
    /// What the system answers, such as that there are too many.
    pub fn pair() -> io::Result<Pair> {
        let fd = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY)?;
        fcntl_setfd(&fd, FdFlags::CLOEXEC)?;
        grantpt(&fd)?;
        unlockpt(&fd)?;
        let name = PathBuf::from(OsString::from_vec(ptsname(&fd, Vec::new())?.into_bytes()));
        fcntl_setfl(&fd, OFlags::RDWR | OFlags::NONBLOCK)?;
        let flags = OFlags::RDWR | OFlags::NOCTTY | OFlags::CLOEXEC;
        let other = open(&name, flags, Mode::empty())?;
        let mut settings = tcgetattr(&other)?;
        settings.make_raw();
        tcsetattr(&other, OptionalActions::Now, &settings)?;
        Ok(Pair {
            tty: Self(registered(fd)?),
            name,
            other,
        })
    }
}

/// Makes tokio watch a terminal.
///
/// `AsyncFd::new` is deprecated for types that may give another descriptor later, or close theirs early. An `OwnedFd` does
/// neither, and the function in its place is unsafe.
#[allow(deprecated)]
fn registered(fd: OwnedFd) -> io::Result<AsyncFd<OwnedFd>> {
    AsyncFd::new(fd)
}

/// A pseudo terminal: its maker's end, and the end that others open by its name.
#[derive(Debug)]
pub struct Pair {
    /// The maker's end.
    pub tty: Tty,
    /// The name of the other end, which is raw.
    pub name: PathBuf,
    /// The other end, open but not locked: while it is, the maker's end survives those that close it.
    pub other: OwnedFd,
}

impl AsyncRead for Tty {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        loop {
            let mut guard = ready!(self.0.poll_read_ready(cx))?;
            let room = buffer.initialize_unfilled();
            match guard.try_io(|fd| Ok(rustix::io::read(fd, &mut *room)?)) {
                Ok(Ok(count)) => {
                    buffer.advance(count);
                    return Poll::Ready(Ok(()));
                }
                Ok(Err(error)) if error.kind() == io::ErrorKind::Interrupted => {}
                Ok(Err(error)) => return Poll::Ready(Err(error)),
                Err(_would_block) => {}
            }
        }
    }
}

impl AsyncWrite for Tty {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        loop {
            let mut guard = ready!(self.0.poll_write_ready(cx))?;
            match guard.try_io(|fd| Ok(rustix::io::write(fd, bytes)?)) {
                Ok(Err(error)) if error.kind() == io::ErrorKind::Interrupted => {}
                Ok(written) => return Poll::Ready(written),
                Err(_would_block) => {}
            }
        }
    }

    /// Waits until the last byte has gone out, which at a low speed blocks the thread for as long.
    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(rustix::io::retry_on_intr(|| tcdrain(&self.0)).map_err(io::Error::from))
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.poll_flush(cx)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;

    fn settings(baud: u32) -> Settings {
        Settings {
            baud,
            rts_cts: false,
        }
    }

    fn run(test: impl Future<Output = ()>) {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        runtime.block_on(test);
    }

    #[test]
    fn bytes_of_every_value_pass_both_ways() {
        run(async {
            let Pair {
                mut tty,
                name,
                other: _other,
            } = Tty::pair().unwrap();
            let mut port = Tty::open(&name, settings(115_200)).unwrap();
            let bytes: Vec<u8> = (0..=255).cycle().take(3000).collect();
            for _ in 0..3 {
                tty.write_all(&bytes).await.unwrap();
                let mut came = vec![0; bytes.len()];
                port.read_exact(&mut came).await.unwrap();
                assert!(came == bytes);
                port.write_all(&bytes).await.unwrap();
                port.flush().await.unwrap();
                tty.read_exact(&mut came).await.unwrap();
                assert!(came == bytes);
            }
        });
    }

    /// More than the terminal has room for: the writer waits for the reader.
    #[test]
    fn a_full_terminal_stops_its_writer() {
        run(async {
            let Pair {
                mut tty,
                name,
                other: _other,
            } = Tty::pair().unwrap();
            let mut port = Tty::open(&name, settings(9600)).unwrap();
            let bytes: Vec<u8> = (0..=255).cycle().take(200_000).collect();
            let write = async { tty.write_all(&bytes).await.unwrap() };
            let read = async {
                let mut came = vec![0; bytes.len()];
                port.read_exact(&mut came).await.unwrap();
                assert!(came == bytes);
            };
            tokio::join!(write, read);
        });
    }

    #[test]
    fn a_port_has_one_user_and_any_speed() {
        run(async {
            let pair = Tty::pair().unwrap();
            let port = Tty::open(&pair.name, settings(115_200)).unwrap();
            assert!(Tty::open(&pair.name, settings(115_200)).is_err());
            // Also one that is in no table.
            for baud in [9600, 250_000, 3_250_000] {
                port.set_speed(baud).unwrap();
                assert_eq!(port.speed().unwrap(), baud);
            }
            drop(port);
            Tty::open(&pair.name, settings(57_600)).unwrap();
        });
    }

    #[test]
    fn what_is_no_terminal_is_refused() {
        run(async {
            let null = Tty::open(Path::new("/dev/null"), settings(9600));
            assert_eq!(null.unwrap_err().kind(), io::ErrorKind::Unsupported);
            assert!(Tty::open(Path::new("/dev/there-is-none"), settings(9600)).is_err());
        });
    }
}
