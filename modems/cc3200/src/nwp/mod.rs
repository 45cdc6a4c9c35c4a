//! The native protocol of TI's network processors: CC3100, CC3120, CC3130, CC3135.
//!
//! A CC3200, CC3220 or CC323x runs it inside the chip, between its own processor and the network processor: there
//! it can be spoken by firmware of that processor only.

mod clock;
mod command;
mod config;
mod credentials;
mod engine;
mod events;
mod flow;
mod generation;
mod messages;
#[cfg(test)]
mod messages_tests;
mod opcode;
mod open_file;
mod scripts;
pub mod spi;
mod status;
mod trace;
#[cfg(test)]
mod vectors;

pub use self::command::Wiring;
pub use self::config::Config;
pub use self::engine::Engine;
pub use self::generation::{Facts, G1, G2, Generation};
pub use self::messages::{Header, Messages, Part};

use self::open_file::OpenFile;
use crate::capabilities::capabilities;
use crate::date::Date;
use crate::suites;
use embassy_time::Duration;
use sectag::modem::{Backend, Limits};
use sectag::{
    AtError, BringUpError, Capabilities, Code, ConnectError, Meaning, Support, TlsConfig,
};

/// The largest send, in bytes. A host of the first generation would have to split a longer one, and the flow control of the
/// second counts it more than once (sheet 3.5).
const MAX_SEND: u16 = 1386;

/// A network processor of one generation, with its configuration.
pub struct Nwp<G: Generation> {
    config: Config,
    version: [u8; 4],
    /// What is known of the chip's date.
    date: Date,
    /// Whether the service pack checks the server's name and sends it (SNI); old ones do neither.
    names: Support,
    /// The IPv4 address of the server of the connect under way.
    server: u32,
    file: OpenFile,
    /// Whether a token was refused. Then none is presented any more, since wrong ones lock the chip for good.
    token_refused: bool,
    generation: core::marker::PhantomData<G>,
}

impl<G: Generation> Nwp<G> {
    /// Makes a network processor with this configuration. Give it to [`sectag::new`].
    pub const fn new(config: Config) -> Self {
        Self {
            config,
            version: [0; 4],
            date: Date::UNKNOWN,
            names: if G::FACTS.first_is_void {
                // This depends on the service pack (sheet 4.3), which is found out at the first connect.
                Support::Unknown
            } else {
                Support::Yes
            },
            server: 0,
            file: OpenFile::NONE,
            token_refused: false,
            generation: core::marker::PhantomData,
        }
    }

    /// Returns the version of the network processor's firmware; zeros until it is known.
    pub const fn version(&self) -> [u8; 4] {
        self.version
    }
}

impl<G: Generation> Backend for Nwp<G> {
    const NAME: &'static str = "cc31xx";
    const LIMITS: Limits = Limits {
        // The chip chooses them.
        ids: 0,
        max_receive: 16_000,
        max_send: MAX_SEND,
        sockets: G::FACTS.sockets as usize,
    };
    // The chip confirms that it has stopped.
    const POWER_OFF_LIMIT: Duration = Duration::from_secs(1);
    type Engine = Engine<G>;

    fn engine(self) -> Engine<G> {
        Engine::new(self)
    }

    fn admit(&self, config: &TlsConfig) -> Result<(), ConnectError> {
        let has = self.capabilities();
        let mut known = has.verification;
        if self.names == Support::Unknown {
            // The flow asks the chip itself before it connects.
            (known.name, known.sni) = (Support::Yes, Support::Yes);
        }
        config.check(&known)?;
        config.suites_for(&has).map(|_| ())
    }

    fn capabilities(&self) -> Capabilities {
        let suites = suites::of(G::FACTS.suites);
        let mut has = capabilities(self.names, suites, G::FACTS.sockets);
        has.close_blocks_ms = 200;
        has
    }
}

/// Returns the error for a refused command of a bring-up or an open.
fn place_error(command: &'static str, code: i16) -> ConnectError {
    ConnectError::BringUp(BringUpError::At {
        command,
        error: AtError::Refused(Code::Signed(code, Meaning::new(""))),
    })
}
