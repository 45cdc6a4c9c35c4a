//! The configuration of a BG96.

use core::marker::PhantomData;

use embassy_time::Duration;
use sectag::at::{InvalidInput, Text};
use sectag::{Secret, ServerName};

#[cfg(feature = "radio")]
use crate::radio::Radio;
use crate::{All, Options};

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

/// Configuration of a BG96. Every setting has a default. Text is checked when it is set; in a `const`,
/// that is when the firmware is built.
///
/// ```
/// use sectag_bg96::Config;
///
/// const CONFIG: Config = match Config::new().apn("iot.example") {
///     Ok(config) => config,
///     Err(_) => panic!("not an APN"),
/// };
/// ```
pub struct Config<O = All> {
    pub(crate) apn: Option<Text<'static, 100>>,
    pub(crate) user: Text<'static, 64>,
    pub(crate) password: Secret<Text<'static, 64>>,
    pub(crate) auth: Auth,
    pub(crate) pin: Option<Secret<Text<'static, 8>>>,
    pub(crate) ntp: Option<ServerName<'static>>,
    pub(crate) set_clock: bool,
    /// The limit of the wait for registration, in milliseconds.
    pub(crate) registration: u32,
    #[cfg(feature = "radio")]
    pub(crate) radio: &'static [Radio],
    pub(crate) flow_control: bool,
    pub(crate) direct_push: bool,
    options: PhantomData<fn() -> O>,
}

impl<O> Clone for Config<O> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<O> Copy for Config<O> {}

impl Config {
    /// Returns the defaults: no PIN, the APN that is stored in the modem or offered by the network, 90
    /// s for registration (sheet 1.5), the clock set from the network.
    pub const fn new() -> Self {
        Self::choosing()
    }
}

impl<O: Options> Config<O> {
    /// Returns the defaults of [`Config::new`] for a firmware that [chooses](Options) the parts of the
    /// backend by type.
    pub const fn choosing() -> Self {
        Self {
            apn: None,
            user: Text::EMPTY,
            password: Secret::new(Text::EMPTY),
            auth: Auth::None,
            pin: None,
            ntp: None,
            set_clock: true,
            registration: 90_000,
            #[cfg(feature = "radio")]
            radio: &[],
            flow_control: false,
            direct_push: false,
            options: PhantomData,
        }
    }

    /// Sets the access point name, up to 100 bytes. Bring-up uses it when it makes the data connection:
    /// one that is still up from an earlier life of the MCU is kept, with the name it has. To change
    /// the name in the field, restart the modem too, for instance with
    /// [`power_off`](sectag::Control::power_off).
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
        const { assert!(O::PIN, "Options::PIN is not chosen") }
        match Secret::pin(pin) {
            Ok(pin) => self.pin = Some(pin),
            Err(error) => return Err(error),
        }
        Ok(self)
    }

    /// Leaves the modem's clock alone at bring-up; the application sets it.
    pub const fn keep_clock(mut self) -> Self {
        self.set_clock = false;
        self
    }

    /// Sets the NTP server that is asked when the network sends no time.
    pub const fn ntp(mut self, server: ServerName<'static>) -> Self {
        const { assert!(O::NTP, "Options::NTP is not chosen") }
        self.ntp = Some(server);
        self
    }

    /// Sets technologies, bands, roaming and operator. A setting that is not named stays as it is in
    /// the modem. If the modem refuses one, bring-up fails with
    /// [`SettingRefused`](sectag::BringUpError::SettingRefused).
    #[cfg(feature = "radio")]
    pub const fn radio(mut self, choices: &'static [Radio]) -> Self {
        self.radio = choices;
        self
    }

    /// Sets how long bring-up waits for registration before it fails and starts over; the default is 90
    /// s.
    pub const fn registration(mut self, limit: Duration) -> Self {
        let limit = limit.as_millis();
        self.registration = if limit < u32::MAX as u64 {
            limit as u32
        } else {
            u32::MAX
        };
        self
    }

    /// Declares that RTS and CTS are wired; bring-up turns hardware flow control on.
    pub const fn flow_control(mut self) -> Self {
        self.flow_control = true;
        self
    }

    /// Has the modem push received data instead of having it fetched (direct push mode). This saves one
    /// exchange, and its turnaround, for each unit of data.
    ///
    /// RTS and CTS must be wired: this switches [`flow_control`](Self::flow_control) on. Each receive
    /// ring must have 1500 bytes or more. The application must read it: a ring that stays full for 200
    /// ms costs its socket [`RxOverrun`](sectag::SocketError::RxOverrun). The manual says that flow
    /// control applies in data mode only (sheet 1.3). If pushed data gets lost on its way, the socket
    /// is reset; fetching, the default, is then the better choice.
    pub const fn direct_push(mut self) -> Self {
        const { assert!(O::PUSH, "Options::PUSH is not chosen") }
        self.direct_push = true;
        self.flow_control = true;
        self
    }
}

impl Default for Config {
    fn default() -> Self {
        Self::new()
    }
}
