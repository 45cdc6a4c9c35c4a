//! The subject of a probe: the server, and what is known about it and the modem.

use sectag::Support;
use sectag::clock::DateTime;

use super::files::Files;
use super::network::Names;
use crate::mqtt::Login;

/// Whether the side that failed uses a file of this computer, byte for byte. A finding with another file is about the server
/// and says nothing about the modem.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Holds {
    /// The modem was asked, and has this very file.
    It,
    /// The modem was asked, and has another one or none.
    Another,
    /// The modem does not tell.
    Untold,
}

/// The answer for each kind of file. A file that was not given is [`Untold`](Holds::Untold).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Held {
    pub(super) ca: Holds,
    pub(super) certificate: Holds,
    pub(super) key: Holds,
}

impl Held {
    /// For TLS on this computer, which uses the files themselves.
    pub(super) const ALL: Self = Self {
        ca: Holds::It,
        certificate: Holds::It,
        key: Holds::It,
    };

    /// Returns the answer for certificate and key together.
    pub(super) fn client(self) -> Holds {
        match (self.certificate, self.key) {
            (Holds::It, Holds::It) => Holds::It,
            (Holds::Another, _) | (_, Holds::Another) => Holds::Another,
            _ => Holds::Untold,
        }
    }
}

/// The abilities of the modem's TLS, as far as they are known.
pub(super) struct Ability {
    /// The cipher suites; empty when they are not known.
    pub(super) suites: Vec<u16>,
    /// Whether the server name is sent (SNI).
    pub(super) names_host: Support,
    /// The longest record that the modem takes, in bytes.
    pub(super) record_limit: Option<u16>,
}

impl Ability {
    /// The abilities of this computer.
    pub(super) const UNBOUNDED: Self = Self {
        suites: Vec::new(),
        names_host: Support::Yes,
        record_limit: None,
    };
}

/// The server to examine, and what is known about it and the modem.
pub(crate) struct Subject<'a> {
    pub(crate) host: &'a str,
    pub(crate) port: u16,
    pub(crate) names: &'a Names,
    pub(crate) files: &'a Files,
    /// The modem's time, by which dates are judged.
    pub(crate) now: DateTime,
    pub(super) ability: Ability,
    /// Whether the modem uses the files.
    pub(super) held: Held,
    /// The login that the modem made, when it came that far.
    pub(crate) login: Option<&'a Login>,
}
