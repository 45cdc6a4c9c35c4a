//! What an application does beside a transcript.
//!
//! | step | result |
//! |---|---|
//! | `up` | `ok` |
//! | `connect`, `connect HOST PORT` | `ok`; the socket is the one that `write`, `read`, `close` are about |
//! | `write TEXT` (and flush) | `ok` |
//! | `read N` | N bytes, escaped; `end` behind the last |
//! | `close` | `ok` |
//! | `wait MS` | `ok` |
//! | `clock` | the time |
//! | `list` | `TAG KIND LEN;` for each; where the modem tells, `at PLACE` and the digest's start |
//! | `store ca|cert|key BYTES`, `compare`, `digest` | `ok`; `Same`, `Differs`, `Absent`; the digest's start |
//! | `remove ca|cert|key` | `ok` |
//! | `status` | what it tells, each field as `Debug` shows it |
//! | `sim` | the numbers of the SIM |
//! | `capabilities` | what varies between firmwares |
//! | `at LINE` | the lines of the answer, joined with `|` |
//!
//! Whatever fails yields its error, as `Debug` shows it. BYTES are written as in events.

use core::fmt::Debug;

use embassy_time::{Duration, Timer};
use embedded_io_async::{Read, Write};
use sectag::modem::Full;
use sectag::{Control, Kind, ServerKey, ServerName, Socket, TlsConfig};

use super::script::{Setup, bytes};
use crate::simulated::{HOST, PORT};

/// Everything ends sooner.
pub(super) const LIMIT: Duration = Duration::from_secs(3600);
const AT_LIMIT: Duration = Duration::from_secs(300);

/// An application, with the sockets that it has opened.
pub(super) struct Application<M: Full + 'static> {
    control: Control<'static, M>,
    tls: TlsConfig,
    /// The last is the one in use.
    open: Vec<Socket<'static>>,
}

impl<M: Full + 'static> Application<M> {
    pub(super) fn new(control: Control<'static, M>, tls: TlsConfig) -> Self {
        Self {
            control,
            tls,
            open: Vec::new(),
        }
    }

    pub(super) async fn set_up(&mut self, setup: Setup) {
        self.control.wait_up().await.expect("it comes up");
        let Setup::Open(others) = setup else {
            return;
        };
        for number in 0..=others {
            assert_eq!(self.perform("connect").await, "ok");
            if number > 0 && number < others {
                assert_eq!(self.perform("close").await, "ok");
            }
        }
    }

    /// Does one step and says what came of it.
    ///
    /// # Panics
    /// When there is no such step.
    pub(super) async fn perform(&mut self, step: &str) -> String {
        let (what, rest) = step.split_once(' ').unwrap_or((step, ""));
        match what {
            // A transcript holds one attempt.
            "up" => said(self.control.patience(Duration::MIN).wait_up().await),
            "connect" => self.connect(rest).await,
            "write" => self.write(&bytes(rest)).await,
            "read" => self.read(rest.parse().expect("a number")).await,
            "close" => said(self.open.pop().expect("it is open").close().await),
            "wait" => {
                Timer::after_millis(rest.parse().expect("milliseconds")).await;
                "ok".into()
            }
            "clock" => match self.control.clock_if_any().await {
                Ok(Some(now)) => now.to_string(),
                other => format!("{other:?}"),
            },
            "list" => self.list().await,
            "at" => {
                let mut lines = Vec::new();
                let mut keep = |line: &[u8]| lines.push(line.escape_ascii().to_string());
                match self
                    .control
                    .keeps_connections()
                    .raw_at(rest, AT_LIMIT, &mut keep)
                    .await
                {
                    Ok(()) => lines.join("|"),
                    Err(error) => format!("{error:?}"),
                }
            }
            "status" => self.status().await,
            "sim" => match self.control.sim_if_any().await {
                Ok(card) => format!("{:?} {:?}", card.iccid, card.imsi),
                Err(error) => format!("{error:?}"),
            },
            "capabilities" => {
                let has = self.control.capabilities();
                format!(
                    "sni {:?}, alpn {:?}, psk {:?}, resumption {:?}, {} suites, ECDSA {}",
                    has.verification.sni,
                    has.alpn,
                    has.psk,
                    has.resumption,
                    has.suites.iter().count(),
                    has.speaks_to(ServerKey::Ecdsa),
                )
            }
            "store" | "compare" | "digest" | "remove" => self.credential(what, rest).await,
            other => panic!("nothing is known of {other:?}"),
        }
    }

    async fn connect(&mut self, to: &str) -> String {
        let (name, port) = match to.split_once(' ') {
            None => (HOST, PORT),
            Some((name, port)) => {
                let name: &'static str = name.to_owned().leak();
                let name = ServerName::new(name).expect("a name");
                (name, port.parse().expect("a port"))
            }
        };
        match self.control.connect(name, port, &self.tls).await {
            Ok(socket) => {
                self.open.push(socket);
                "ok".into()
            }
            Err(error) => format!("{error:?}"),
        }
    }

    fn socket(&mut self) -> &mut Socket<'static> {
        self.open.last_mut().expect("it is open")
    }

    async fn write(&mut self, bytes: &[u8]) -> String {
        let socket = self.socket();
        match socket.write_all(bytes).await {
            Ok(()) => said(socket.flush().await),
            Err(error) => format!("{error:?}"),
        }
    }

    async fn read(&mut self, count: usize) -> String {
        let socket = self.socket();
        let mut buf = vec![0; count];
        let mut filled = 0;
        while filled < buf.len() {
            match socket.read(&mut buf[filled..]).await {
                Ok(0) => return "end".into(),
                Ok(count) => filled += count,
                Err(error) => return format!("{error:?}"),
            }
        }
        buf.escape_ascii().to_string()
    }

    async fn list(&self) -> String {
        let mut listed = String::new();
        let done = self
            .control
            .list(&mut |found| {
                listed += &format!("{} {:?} {:?}", found.tag, found.kind, found.len);
                if let Some(place) = found.place {
                    listed += &format!(" at {place}");
                }
                if let Some(digest) = found.digest {
                    listed += &format!(" {:02x?}", &digest.as_bytes()[..2]);
                }
                listed.push(';');
            })
            .await;
        done.map_or_else(|error| format!("{error:?}"), |()| listed)
    }

    async fn status(&self) -> String {
        let status = self.control.status().await;
        let mut told = String::new();
        let mut tell = |name, value: String| {
            if value != "None" {
                told += &format!("{name} {value}; ");
            }
        };
        tell("model", format!("{:?}", status.model));
        tell("firmware", format!("{:?}", status.firmware));
        tell("imei", format!("{:?}", status.imei));
        tell("registration", format!("{:?}", status.registration));
        tell("technology", format!("{:?}", status.technology));
        tell("band", format!("{:?}", status.band));
        tell("operator", format!("{:?}", status.operator));
        tell("signal", format!("{:?}", status.signal));
        tell("address", format!("{:?}", status.address));
        tell("sim", format!("{:?}", status.sim));
        told.trim_end_matches("; ")
            .replace("Some(", "")
            .replace(')', "")
    }

    async fn credential(&self, what: &str, rest: &str) -> String {
        let (kind, content) = rest.split_once(' ').unwrap_or((rest, ""));
        let kind = match kind {
            "ca" => Kind::Ca,
            "cert" => Kind::ClientCertificate,
            "key" => Kind::PrivateKey,
            other => panic!("there is no kind {other:?}"),
        };
        let (tag, content) = (self.tls.tag(), bytes(content));
        match what {
            "store" => said(self.control.store_unchecked(tag, kind, &content[..]).await),
            "compare" => format!("{:?}", self.control.compare(tag, kind, &content[..]).await),
            "digest" => format!("{:?}", self.control.digest(tag, kind).await),
            _ => said(self.control.remove(tag, kind).await),
        }
    }
}

fn said<E: Debug>(result: Result<(), E>) -> String {
    match result {
        Ok(()) => "ok".into(),
        Err(error) => format!("{error:?}"),
    }
}
