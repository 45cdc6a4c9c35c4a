//! What to do with an error: keep all of it in one enum, show it with its causes, wait, and connect again. The driver
//! brings the modem back by itself; here the modem is reset in the middle.

use std::error::Error;
use std::fmt;

use embassy_futures::select::select;
use embassy_time::{Duration, Instant, Timer};
use embedded_io_async::{Read, ReadExactError, Write};
use sectag::{Backoff, ConnectError, Control, SocketError};
use sectag_bg96::Bg96;
use sectag_ideas_example::{Bench, PORT, SERVER, TLS, credentials, echo, run};

sectag_simulator::virtual_clock!();

/// Why a session ended. `?` makes one of each.
#[derive(Debug)]
enum SessionError {
    /// There was no connection.
    Connect(ConnectError),
    /// It ended.
    Socket(SocketError),
    /// The server closed it in the middle of an answer.
    Closed,
}

impl From<ConnectError> for SessionError {
    fn from(error: ConnectError) -> Self {
        Self::Connect(error)
    }
}

impl From<SocketError> for SessionError {
    fn from(error: SocketError) -> Self {
        Self::Socket(error)
    }
}

impl From<ReadExactError<SocketError>> for SessionError {
    fn from(error: ReadExactError<SocketError>) -> Self {
        match error {
            ReadExactError::UnexpectedEof => Self::Closed,
            ReadExactError::Other(error) => Self::Socket(error),
        }
    }
}

/// What was observed; the likeliest cause, and what to do about it, where that leaves several.
impl fmt::Display for SessionError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Connect(error) => {
                error.fmt(f)?;
                error
                    .causes()
                    .next()
                    .map_or(Ok(()), |cause| write!(f, "; {}", cause.hint()))
            }
            Self::Socket(error) => error.fmt(f),
            Self::Closed => f.write_str("the server closed the connection"),
        }
    }
}

fn main() {
    run(echo, application);
}

async fn application(bench: Bench) -> Result<(), Box<dyn Error>> {
    bench.control.ensure_set(TLS.tag(), credentials()).await?;
    let trouble = async {
        Timer::after_secs(10).await;
        println!("{:>3} s: the modem is reset", Instant::now().as_secs());
        bench.modem.reset();
        Timer::after_secs(60).await;
    };
    let mut answers = 0;
    select(for_ever(bench.control, &mut answers), trouble).await;
    println!("{answers} answers");
    // One each 2 s, but for the time that a reset takes.
    if answers > 25 {
        Ok(())
    } else {
        Err("it did not come back".into())
    }
}

async fn for_ever(control: Control<'_, Bg96>, answers: &mut u32) {
    let serial_number = 4711;
    let mut backoff = Backoff::new(
        Duration::from_secs(1),
        Duration::from_secs(300),
        serial_number,
    );
    loop {
        let before = *answers;
        if let Err(reason) = session(control, answers).await {
            println!("{:>3} s: {reason}", Instant::now().as_secs());
        }
        // What counts is that the server answered, not that there was a connection.
        if *answers > before {
            backoff.reset();
        }
        Timer::after(backoff.next()).await;
    }
}

async fn session(control: Control<'_, Bg96>, answers: &mut u32) -> Result<(), SessionError> {
    let mut socket = control.connect(SERVER, PORT, &TLS).await?;
    println!("{:>3} s: connected", Instant::now().as_secs());
    loop {
        socket.write_all(b"ping").await?;
        socket.flush().await?;
        socket.read_exact(&mut [0; 4]).await?;
        *answers += 1;
        Timer::after_secs(2).await;
    }
}
