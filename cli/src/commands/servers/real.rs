//! The servers of the table as programs on 127.0.0.1: mosquitto, `openssl s_server`, and for what neither of them does, those of this project.

use sectag_simulator::LoopbackNetwork;
use sectag_test_support::mosquitto::{Mosquitto, MosquittoOptions};
use sectag_test_support::pki::Pki;
use sectag_test_support::servers::{Listening, OpenSsl, Tls};

use super::rows::Row;

/// The program that plays a row.
pub(super) enum Peer {
    /// The row's own server, over TCP.
    Ours,
    /// OpenSSL's TLS, with silence behind it.
    OpenSsl(Tls, &'static [&'static str]),
    /// A broker, by its TLS listener.
    Mosquitto(MosquittoOptions),
    /// A broker, by its listener without TLS.
    PlainMosquitto,
}

/// A program that plays a row, until this is dropped, and its port.
pub(super) struct Playing {
    _program: Program,
    port: u16,
}

/// What ends when it is dropped.
enum Program {
    Ours { _it: Listening },
    OpenSsl { _it: OpenSsl },
    Mosquitto { _it: Mosquitto },
}

impl Peer {
    /// As the table calls it.
    pub(super) fn program(&self) -> String {
        match self {
            Self::Ours => "ours".into(),
            Self::OpenSsl(_, options) => {
                let words = ["openssl s_server"].iter().chain(*options);
                format!("`{}`", words.copied().collect::<Vec<_>>().join(" "))
            }
            Self::Mosquitto(_) | Self::PlainMosquitto => "mosquitto".into(),
        }
    }

    /// Whether it is a program of others.
    pub(super) fn is_of_others(&self) -> bool {
        !matches!(self, Self::Ours)
    }
}

impl Playing {
    /// Starts the program of a row, on the current tokio runtime.
    pub(super) async fn start(row: &Row) -> Self {
        let mosquitto = |options: &MosquittoOptions| {
            Mosquitto::start(Pki::shared(), options)
                .unwrap_or_else(|error| panic!("{}: {error}", row.name))
        };
        match &row.peer {
            Peer::Ours => {
                let it = row.server.clone().listen().await.unwrap();
                Self::of(it.port(), Program::Ours { _it: it })
            }
            Peer::OpenSsl(tls, options) => {
                let it = OpenSsl::start(tls, options)
                    .unwrap_or_else(|error| panic!("{}: {error}", row.name));
                Self::of(it.port(), Program::OpenSsl { _it: it })
            }
            Peer::Mosquitto(options) => {
                let it = mosquitto(options);
                Self::of(it.port(), Program::Mosquitto { _it: it })
            }
            Peer::PlainMosquitto => {
                let it = mosquitto(&MosquittoOptions::new());
                Self::of(it.plain_port(), Program::Mosquitto { _it: it })
            }
        }
    }

    fn of(port: u16, program: Program) -> Self {
        Self {
            _program: program,
            port,
        }
    }

    /// A network in which it is where the row has it.
    pub(super) fn network(&self, row: &Row) -> LoopbackNetwork {
        let mut network = LoopbackNetwork::new();
        let (host, at) = row.place.address();
        network
            .map(host, at, ([127, 0, 0, 1], self.port).into())
            .unwrap();
        network
    }
}
