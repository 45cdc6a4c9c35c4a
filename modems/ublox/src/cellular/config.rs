//! The configuration of a u-blox cellular module.

use embassy_time::Duration;
use sectag::Secret;
use sectag::at::{InvalidInput, Text};

/// The longest time limit, in milliseconds: 24 days, half the period of the driver's clock.
const LONGEST: u64 = u32::MAX as u64 / 2;

/// How user name and password are sent to the network.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Auth {
    /// No login.
    None,
    /// PAP.
    Pap,
    /// CHAP.
    Chap,
    /// Either protocol, as the network asks.
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

/// Configuration of a u-blox cellular module. Every setting has a default. Text is checked when it is
/// set; in a `const`, that is when the firmware is built.
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
    /// The limit of the wait for registration, in milliseconds.
    pub(crate) registration: u32,
    pub(crate) flow_control: bool,
    pub(crate) set_clock: bool,
}

impl Config {
    /// Returns the defaults: no PIN, the APN that is stored in the module or offered by the network,
    /// 180 s for registration (sheet B.1.3), the clock set from the network.
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

    /// Sets the access point name, up to 100 bytes. If the module has another one, it leaves the
    /// network for a moment.
    pub const fn apn(mut self, apn: &'static str) -> Result<Self, InvalidInput> {
        match Text::new(apn) {
            Ok(apn) => self.apn = Some(apn),
            Err(error) => return Err(error),
        }
        Ok(self)
    }

    /// Sets user name and password for the access point, up to 64 bytes each. Used only with
    /// [`apn`](Self::apn).
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

    /// Sets the SIM's PIN. It is entered once, so that a wrong one cannot use up the tries.
    pub const fn pin(mut self, pin: &'static str) -> Result<Self, InvalidInput> {
        match Secret::pin(pin) {
            Ok(pin) => self.pin = Some(pin),
            Err(error) => return Err(error),
        }
        Ok(self)
    }

    /// Sets how long bring-up waits for registration before it fails and starts over; the default is
    /// 180 s, the longest 24 days.
    pub const fn registration(mut self, limit: Duration) -> Self {
        let limit = limit.as_millis();
        self.registration = if limit < LONGEST {
            limit as u32
        } else {
            LONGEST as u32
        };
        self
    }

    /// Declares that RTS and CTS are wired; bring-up turns hardware flow control on.
    pub const fn flow_control(mut self) -> Self {
        self.flow_control = true;
        self
    }

    /// Leaves the module's clock alone at bring-up; the application sets it.
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
