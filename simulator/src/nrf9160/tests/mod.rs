//! The nRF9160 simulator against its sheet, in virtual time.

mod bring_up;
mod credentials;
mod data_mode;
mod keys;
mod link;
mod noise;
mod sockets;
mod tls;
mod transcripts;

use std::future::Future;
use std::rc::Rc;

use crate::time::block_on_virtual;
use embassy_futures::select::{Either3, select3};
use embassy_time::{Duration, with_timeout};
use time::{Date, Month, OffsetDateTime, Time};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};
use tokio::sync::Mutex;

use crate::host_port;
use crate::{MemoryNetwork, Nrf9160Options, Nrf9160Profile, Simulator, Terminator};

const OK: &str = "\r\nOK\r\n";
const ERROR: &str = "\r\nERROR\r\n";
/// Returns the settings of a connected modem whose MCU was reset.
fn online(profile: Nrf9160Profile) -> Nrf9160Options {
    Nrf9160Options {
        functionality: 1,
        clock: Some(utc(2026, 6, 1, 12, 0, 0)),
        ..dialect(profile)
    }
}

fn dialect(profile: Nrf9160Profile) -> Nrf9160Options {
    Nrf9160Options {
        profile,
        factory_credentials: false,
        network_time: None,
        ..Nrf9160Options::default()
    }
}

/// The host's end of the line, and the modem's controls.
struct Host {
    port: Mutex<DuplexStream>,
    modem: Simulator,
    end: &'static str,
}

impl Host {
    async fn send(&self, bytes: impl AsRef<[u8]>) {
        host_port::send(&self.port, bytes.as_ref()).await;
    }

    /// Expects exactly these bytes.
    #[track_caller]
    fn expect<'a>(
        &'a self,
        bytes: &'a (impl AsRef<[u8]> + ?Sized),
    ) -> impl Future<Output = ()> + 'a {
        host_port::expect(&self.port, bytes.as_ref())
    }

    /// Expects silence for this time.
    #[track_caller]
    fn expect_silence(&self, duration: Duration) -> impl Future<Output = ()> + '_ {
        let caller = std::panic::Location::caller();
        async move {
            let mut buffer = [0; 256];
            let read = async { self.port.lock().await.read(&mut buffer).await };
            if let Ok(n) = with_timeout(duration, read).await {
                panic!(
                    "{caller}: unexpected {:?}",
                    String::from_utf8_lossy(&buffer[..n.unwrap()])
                );
            }
        }
    }

    /// Returns the bytes that come until a second passes without any.
    async fn read_all(&self) -> String {
        let mut got = Vec::new();
        loop {
            let mut buffer = [0; 4096];
            let read = async { self.port.lock().await.read(&mut buffer).await };
            match with_timeout(Duration::from_secs(1), read).await {
                Ok(Ok(n)) if n > 0 => got.extend(&buffer[..n]),
                _ => return String::from_utf8_lossy(&got).into_owned(),
            }
        }
    }

    /// Sends a command (without terminator), and expects exactly this answer.
    #[track_caller]
    fn ask<'a>(
        &'a self,
        command: &'a str,
        answer: &'a (impl AsRef<[u8]> + ?Sized),
    ) -> impl Future<Output = ()> + 'a {
        let check = self.expect(answer);
        async move {
            self.send(format!("{command}{}", self.end)).await;
            check.await;
        }
    }

    /// Sends a command, and returns the whole answer.
    async fn answer(&self, command: &str) -> String {
        self.send(format!("{command}{}", self.end)).await;
        self.read_all().await
    }

    /// Sends commands that answer only `OK`.
    #[track_caller]
    fn ok<'a>(&'a self, commands: &'a [&'a str]) -> impl Future<Output = ()> + 'a {
        let checks: Vec<_> = commands
            .iter()
            .map(|command| self.ask(command, OK))
            .collect();
        async move {
            for check in checks {
                check.await;
            }
        }
    }
}

/// Runs `test` against a modem, beside `servers`, which may end early or never.
fn play<S, F>(
    options: Nrf9160Options,
    servers: impl FnOnce(&MemoryNetwork) -> S,
    test: impl FnOnce(Host) -> F,
) where
    S: Future<Output = ()>,
    F: Future<Output = ()>,
{
    let terminator = options.terminator.unwrap_or(options.profile.terminator);
    block_on_virtual(async {
        let network = MemoryNetwork::new();
        let servers = servers(&network);
        let modem = Simulator::nrf9160(options, Rc::new(network));
        let (host, port) = tokio::io::duplex(64 * 1024);
        let test = test(Host {
            port: Mutex::new(host),
            modem: modem.clone(),
            end: match terminator {
                Terminator::CrLf => "\r\n",
                Terminator::Cr => "\r",
                Terminator::Lf => "\n",
            },
        });
        let servers = async {
            servers.await;
            std::future::pending::<()>().await
        };
        match select3(test, modem.serve(port), servers).await {
            Either3::First(()) => {}
            Either3::Second(end) => panic!("the port ended: {end:?}"),
            Either3::Third(()) => unreachable!(),
        }
    });
}

/// Runs `test` against a modem without any server.
fn play_alone<F: Future<Output = ()>>(options: Nrf9160Options, test: impl FnOnce(Host) -> F) {
    play(options, |_| async {}, test);
}

/// An echo server at `echo.test:7`, which serves one connection after the other.
async fn echo(mut listener: crate::MemoryListener) {
    while let Some(stream) = listener.accept().await {
        let _ = sectag_test_support::tls_server::echo(stream).await;
    }
}

fn play_echo<F: Future<Output = ()>>(options: Nrf9160Options, test: impl FnOnce(Host) -> F) {
    play(
        options,
        |network| echo(network.listen("echo.test", 7)),
        test,
    );
}

fn utc(year: i32, month: u8, day: u8, hour: u8, minute: u8, second: u8) -> OffsetDateTime {
    let date = Date::from_calendar_date(year, Month::try_from(month).unwrap(), day).unwrap();
    OffsetDateTime::new_utc(date, Time::from_hms(hour, minute, second).unwrap())
}
