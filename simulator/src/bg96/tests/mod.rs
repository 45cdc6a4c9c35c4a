//! The BG96 simulator against its sheet, in virtual time.

mod bring_up;
mod failure;
mod files;
mod power;
mod tcp;
mod tls;
mod transparent;

use std::future::Future;
use std::rc::Rc;

use crate::time::block_on_virtual;
use embassy_futures::select::{Either3, select3};
use embassy_time::{Duration, with_timeout};
use time::{Date, Month, OffsetDateTime, Time};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};
use tokio::sync::Mutex;

use crate::host_port;
use crate::{MemoryNetwork, Options, Simulator};

/// The host's end of the line, and the modem's controls.
struct Host {
    port: Mutex<DuplexStream>,
    modem: Simulator,
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
    async fn expect_silence(&self, duration: Duration) {
        let mut buffer = [0; 256];
        let read = async { self.port.lock().await.read(&mut buffer).await };
        if let Ok(n) = with_timeout(duration, read).await {
            panic!(
                "unexpected {:?}",
                String::from_utf8_lossy(&buffer[..n.unwrap()])
            );
        }
    }

    /// Sends a command (without CR), and expects exactly this answer.
    #[track_caller]
    fn ask<'a>(
        &'a self,
        command: &'a str,
        answer: &'a (impl AsRef<[u8]> + ?Sized),
    ) -> impl Future<Output = ()> + 'a {
        let check = self.expect(answer);
        async move {
            self.send(format!("{command}\r")).await;
            check.await;
        }
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

    /// Switches echo off and routes URCs to this port.
    async fn prepare(&self) {
        self.ask("ATE0", "ATE0\r\r\nOK\r\n").await;
        self.ok(&["AT+QURCCFG=\"urcport\",\"uart1\""]).await;
    }

    async fn upload(&self, name: &str, contents: &[u8]) {
        self.ask(
            &format!("AT+QFUPL=\"{name}\",{}", contents.len()),
            "\r\nCONNECT\r\n",
        )
        .await;
        self.send(contents).await;
        let sum = crate::bg96::files::checksum(contents);
        self.expect(&format!("+QFUPL: {},{sum:x}\r\n\r\nOK\r\n", contents.len()))
            .await;
    }
}

const OK: &str = "\r\nOK\r\n";
const ERROR: &str = "\r\nERROR\r\n";

/// Runs `test` against a modem, beside `servers`, which may end early or never.
fn play<S, F>(
    options: Options,
    servers: impl FnOnce(&MemoryNetwork) -> S,
    test: impl FnOnce(Host) -> F,
) where
    S: Future<Output = ()>,
    F: Future<Output = ()>,
{
    block_on_virtual(async {
        let network = MemoryNetwork::new();
        let servers = servers(&network);
        let modem = Simulator::bg96(options, Rc::new(network));
        let (host, port) = tokio::io::duplex(64 * 1024);
        let test = test(Host {
            port: Mutex::new(host),
            modem: modem.clone(),
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
fn play_alone<F: Future<Output = ()>>(options: Options, test: impl FnOnce(Host) -> F) {
    play(options, |_| async {}, test);
}

fn utc(year: i32, month: u8, day: u8, hour: u8, minute: u8, second: u8) -> OffsetDateTime {
    let date = Date::from_calendar_date(year, Month::try_from(month).unwrap(), day).unwrap();
    OffsetDateTime::new_utc(date, Time::from_hms(hour, minute, second).unwrap())
}
