//! `sectag connect`: standard input and output through a TLS socket of the modem.

use std::cell::Cell;
use std::io;

use embassy_futures::select::{Either3, select3};
use embassy_time::{Duration, Instant, Timer, with_timeout};
use embedded_io_async::{Read, Write};
use sectag::{SecureSocket, SocketError};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::args::Connect;
use crate::hints::{self, Failure};
use crate::probe::Prober;
use crate::report::{Report, output_failed};
use crate::route::{Route, ServerTask};
use crate::server_task;
use crate::stop::Stop;

/// TLS on these modems cannot be closed in one direction, so at the end of standard input the answer is awaited: as
/// long as something comes, and then this long.
const QUIET: Duration = Duration::from_secs(5);
const CLOSE_LIMIT: Duration = Duration::from_secs(30);

pub(crate) async fn run(args: &Connect, report: &Report) -> Result<(), Failure> {
    let prober = Prober::from_args(&args.probe, &args.modem, args.tls.tag).await?;
    let pipe = Pipe { args, prober };
    server_task::run(&args.modem, &args.tls, &args.probe.files, report, pipe).await
}

struct Pipe<'a> {
    args: &'a Connect,
    prober: Option<Prober>,
}

impl ServerTask for Pipe<'_> {
    async fn run(self, route: &impl Route) -> Result<(), Failure> {
        let (args, report) = (self.args, route.report());
        let server = args.server();
        let mut socket = route
            .secure(&args.tls, server, self.prober.as_ref())
            .await?;
        let mut stop = Stop::listen().map_err(|error| Failure::new(error.to_string()))?;

        let heard = Cell::new(Instant::now());
        let refused = Cell::new(None);
        let (mut reader, mut writer) = socket.split();
        let sending = async {
            if let Err(failure) = up(&mut writer, &heard).await {
                // The other direction may still bring what came before, and knows why.
                refused.set(Some(failure));
                Timer::after(QUIET).await;
            }
        };
        let mut stopped = false;
        match select3(down(&mut reader, &heard), sending, stop.requested()).await {
            Either3::First(result) => {
                result?;
                report.note("the server closed the connection");
            }
            Either3::Second(()) => {}
            Either3::Third(()) => stopped = true,
        }
        drop((reader, writer));
        if stopped {
            report.note("closing the connection");
            return close(socket).await.and(Err(Failure::interrupted(
                "interrupted: the connection was closed before the server or the input ended it",
            )));
        }
        if let Some(failure) = refused.take() {
            return Err(failure);
        }
        close(socket).await
    }
}

/// From the server to standard output, until the server closes.
async fn down(
    reader: &mut impl Read<Error = SocketError>,
    heard: &Cell<Instant>,
) -> Result<(), Failure> {
    let mut out = tokio::io::stdout();
    let mut buffer = [0; 2048];
    loop {
        let count = match reader.read(&mut buffer).await {
            Ok(0) => return Ok(()),
            Ok(count) => count,
            Err(error) => return Err(hints::socket("receiving", &error)),
        };
        heard.set(Instant::now());
        let written: io::Result<()> = async {
            out.write_all(&buffer[..count]).await?;
            out.flush().await
        }
        .await;
        written.map_err(|error| output_failed(&error))?;
    }
}

/// From standard input to the server; returns when the input has ended and the server has fallen silent.
async fn up(
    writer: &mut impl Write<Error = SocketError>,
    heard: &Cell<Instant>,
) -> Result<(), Failure> {
    let failed = |error| hints::socket("sending", &error);
    let mut input = tokio::io::stdin();
    let mut buffer = [0; 2048];
    loop {
        let count = AsyncReadExt::read(&mut input, &mut buffer)
            .await
            .map_err(|error| Failure::new(format!("reading standard input: {error}")))?;
        if count == 0 {
            break;
        }
        writer.write_all(&buffer[..count]).await.map_err(failed)?;
    }
    Write::flush(writer).await.map_err(failed)?;
    heard.set(Instant::now());
    while Instant::now() < heard.get() + QUIET {
        Timer::at(heard.get() + QUIET).await;
    }
    Ok(())
}

async fn close(mut socket: impl SecureSocket<Error = SocketError>) -> Result<(), Failure> {
    match with_timeout(CLOSE_LIMIT, socket.finish()).await {
        // There is nobody left to send to.
        Ok(Ok(())) => Ok(()),
        Ok(Err(error)) if error.is_closed_by_peer() => Ok(()),
        Ok(Err(error)) => Err(hints::socket("closing the connection", &error)),
        Err(_) => Err(Failure::new(
            "closing the connection: the modem did not confirm it in time",
        )),
    }
}
