//! The modem that was chosen, and all that depends on it: the driver's type, its configuration, how much it
//! hands over at once, and which cipher suites can be asked of it.

#[cfg(all(feature = "bg96", feature = "nrf9160"))]
compile_error!("one modem: --no-default-features --features nrf9160, or without both options for bg96");
#[cfg(not(any(feature = "bg96", feature = "nrf9160")))]
compile_error!("no modem: --features bg96, or --features nrf9160");

#[cfg(feature = "bg96")]
mod chosen {
    use sectag::Suites;
    use sectag_bg96::{Bg96, Config};

    pub(crate) type Driver = Bg96;

    /// What a socket's receive ring holds; it is fetched in pieces as large as there is room.
    pub(crate) const RECEIVE: usize = 1024;

    pub(crate) const SUITES: Suites = Suites::Modern;

    /// The defaults leave the APN to modem and network.
    pub(crate) const fn driver() -> Driver {
        Bg96::new(Config::new())
    }
}

#[cfg(all(feature = "nrf9160", not(feature = "bg96")))]
mod chosen {
    use sectag::Suites;
    use sectag_nrf9160::{Config, Nrf9160};

    pub(crate) type Driver = Nrf9160;

    /// What a socket's receive ring holds: no less than what this modem hands over at once.
    pub(crate) const RECEIVE: usize = 2048;

    /// The TLS of an nRF9160 can neither be told which suites to offer nor tell which one it uses.
    pub(crate) const SUITES: Suites = Suites::All;

    /// RTS and CTS are wired, which the firmwares up to 2.4 cannot do without. Here the emulated UART's
    /// connection holds its sender back.
    pub(crate) const fn driver() -> Driver {
        Nrf9160::new(Config::new().flow_control())
    }
}

pub(crate) use chosen::{Driver, RECEIVE, SUITES, driver};
