//! The configuration of a network processor.

use sectag::Secret;
use sectag::wifi::WifiConfig;

use super::command::Wiring;

/// The default time limit for a join until there is an address, in milliseconds.
const JOIN_LIMIT: u32 = 30_000;

/// The configuration of a network processor.
#[derive(Clone, Copy, Debug)]
pub struct Config {
    pub(crate) wifi: WifiConfig,
    pub(crate) wiring: Wiring,
    pub(crate) join_limit: u32,
    pub(crate) token: Option<Secret<u32>>,
}

impl Config {
    /// Makes the configuration of a chip that joins this network and is wired by a UART.
    pub const fn new(wifi: WifiConfig) -> Self {
        Self {
            wifi,
            wiring: Wiring::Uart,
            join_limit: JOIN_LIMIT,
            token: None,
        }
    }

    /// Sets the wiring of the chip.
    pub const fn wiring(mut self, wiring: Wiring) -> Self {
        self.wiring = wiring;
        self
    }

    /// Sets the time limit for joining the network, in milliseconds; the default is 30 s.
    pub const fn join_limit(mut self, millis: u32) -> Self {
        self.join_limit = millis;
        self
    }

    /// Keeps credentials in secure files: encrypted in flash, each under a token that is made of this secret and the
    /// file's name. Without it they are plain files.
    ///
    /// Choose it once for the life of the product: a wrong token is a security alert, and enough of them lock
    /// the chip for good. So the secret must be that with which the files in the chip were made, and
    /// a file that refused its token is not asked again before a restart of the firmware.
    pub const fn secure_files(mut self, secret: u32) -> Self {
        self.token = Some(Secret::new(secret));
        self
    }
}
