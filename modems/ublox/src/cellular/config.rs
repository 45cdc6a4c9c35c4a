//! What the user decides.

use embassy_time::Duration;
use sectag::Secret;
use sectag::at::{InvalidInput, Text};

/// Half of what the driver's clock goes round in: 24 days, in milliseconds.
const LONGEST: u64 = u32::MAX as u64 / 2;

/// How the network is told user name and password.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Auth {
    /// Not at all.
    None,
    /// PAP.
    Pap,
    /// CHAP.
    Chap,
    /// Whichever the network wants.
    Either,
}

impl Auth {
    pub(crate) const fn code(self) -> u32 {
        match self {
            Self::None => 0,
            Self::Pap => 1,
            Self::Chap => 2,
            Self::Either => 3,
        }
    }
}

/// Configuration of a u-blox cellular module. All has defaults; text is checked when it is set, in a `const`
/// when the firmware is built.
///
/// ```
/// use sectag_ublox::cellular::Config;
///
/// const CONFIG: Config = match Config::new().apn("iot.example") {
///     Ok(config) => config,
///     Err(_) => panic!("not an APN"),
/// };
/// ```
#[derive(Clone, Copy)]
pub struct Config {
    pub(crate) apn: Option<Text<'static, 100>>,
    pub(crate) user: Text<'static, 64>,
    pub(crate) password: Secret<Text<'static, 64>>,
    pub(crate) auth: Auth,
    pub(crate) pin: Option<Secret<Text<'static, 8>>>,
    /// In milliseconds.
    pub(crate) registration: u32,
    pub(crate) flow_control: bool,
    pub(crate) set_clock: bool,
}

impl Config {
    /// No PIN, the APN that is stored in the module or offered by the network, 180 s for registration (sheet
    /// B.1.3), clock from the network.
    pub const fn new() -> Self {
        Self {
            apn: None,
            user: Text::EMPTY,
            password: Secret::new(Text::EMPTY),
            auth: Auth::None,
            pin: None,
            registration: 180_000,
            flow_control: false,
            set_clock: true,
        }
    }

    /// The access point name, up to 100 bytes. The module leaves the network for a moment where it has another.
    pub const fn apn(mut self, apn: &'static str) -> Result<Self, InvalidInput> {
        match Text::new(apn) {
            Ok(apn) => self.apn = Some(apn),
            Err(error) => return Err(error),
        }
        Ok(self)
    }

    /// User name and password for the access point, up to 64 bytes each. Used only with [`apn`](Self::apn).
    pub const fn login(
        mut self,
        auth: Auth,
        user: &'static str,
        password: &'static str,
    ) -> Result<Self, InvalidInput> {
        self.auth = auth;
        match (Text::new(user), Secret::text(password)) {
            (Ok(user), Ok(password)) => {
                self.user = user;
                self.password = password;
            }
            (Err(error), _) | (_, Err(error)) => return Err(error),
        }
        Ok(self)
    }

    /// The SIM's PIN. It is tried once, so that a wrong one cannot use up the tries.
    pub const fn pin(mut self, pin: &'static str) -> Result<Self, InvalidInput> {
        match Secret::pin(pin) {
            Ok(pin) => self.pin = Some(pin),
            Err(error) => return Err(error),
        }
        Ok(self)
    }

    /// How long to wait for registration before bring-up reports failure and begins anew.
    pub const fn registration(mut self, limit: Duration) -> Self {
        let limit = limit.as_millis();
        self.registration = if limit < LONGEST {
            limit as u32
        } else {
            LONGEST as u32
        };
        self
    }

    /// RTS and CTS are wired and used on both sides.
    pub const fn flow_control(mut self) -> Self {
        self.flow_control = true;
        self
    }

    /// Leaves the module's clock alone at bring-up: the application sets it.
    pub const fn keep_clock(mut self) -> Self {
        self.set_clock = false;
        self
    }
}

impl Default for Config {
    fn default() -> Self {
        Self::new()
    }
}
