//! The native protocol of TI's network processors: CC3100, CC3120, CC3130, CC3135.
//!
//! A CC3200, CC3220 or CC323x runs it inside the chip, between its own processor and the network processor: there
//! it can be spoken by firmware of that processor only.

mod clock;
mod command;
mod config;
mod engine;
mod events;
mod files;
mod flow;
mod generation;
mod messages;
#[cfg(test)]
mod messages_tests;
mod opcode;
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

use crate::capabilities::capabilities;
use crate::date::Date;
use crate::suites;
use embassy_time::Duration;
use sectag::modem::{Backend, Limits};
use sectag::{
    AtError, BringUpError, Capabilities, Code, ConnectError, Meaning, Support, TlsConfig,
};

/// The most bytes of one send. Longer ones the first generation's host would have to split, and the second's
/// flow control counts them (sheet 3.5).
const MAX_SEND: u16 = 1386;

/// A network processor of one generation, with its configuration.
pub struct Nwp<G: Generation> {
    config: Config,
    version: [u8; 4],
    /// The date as it was set.
    date: Date,
    /// Whether names are checked and sent, which an old service pack does not.
    names: Support,
    /// The address of the server that is connected to.
    server: u32,
    /// A file that is open.
    open_file: Option<i32>,
    /// A token was wrong: none is presented any more.
    token_refused: bool,
    generation: core::marker::PhantomData<G>,
}

impl<G: Generation> Nwp<G> {
    /// One with this configuration. A `static` is made of it by `State::with_engine(Engine::new(nwp))`.
    pub const fn new(config: Config) -> Self {
        Self {
            config,
            version: [0; 4],
            date: Date::UNKNOWN,
            names: if G::FACTS.first_is_void {
                // It depends on the service pack (sheet 4.3), and is found out at the first connect.
                Support::Unknown
            } else {
                Support::Yes
            },
            server: 0,
            open_file: None,
            token_refused: false,
            generation: core::marker::PhantomData,
        }
    }

    /// The version of the network processor's firmware, zeros until it is known.
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
    // It says itself that it has stopped.
    const POWER_OFF_LIMIT: Duration = Duration::from_secs(1);
    type Engine = Engine<G>;

    fn engine(self) -> Engine<G> {
        Engine::new(self)
    }

    fn admit(&self, config: &TlsConfig) -> Result<(), ConnectError> {
        let has = self.capabilities();
        let mut known = has.verification;
        if self.names == Support::Unknown {
            // The chip itself is asked, before it connects.
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

/// A command of a flow was refused.
fn place_error(command: &'static str, code: i16) -> ConnectError {
    ConnectError::BringUp(BringUpError::At {
        command,
        error: AtError::Refused(Code::Signed(code, Meaning::new(""))),
    })
}
