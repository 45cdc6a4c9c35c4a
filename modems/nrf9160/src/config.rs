//! What the user decides.

use embassy_time::Duration;
use sectag::Secret;
use sectag::at::{InvalidInput, Text};

/// Half of what the driver's clock goes round in: 24 days, in milliseconds.
const LONGEST: u64 = u32::MAX as u64 / 2;

/// Configuration of an nRF9160. All has defaults; text is checked when it is set, in a `const` when the
/// firmware is built.
///
/// ```
/// use sectag_nrf9160::Config;
///
/// const CONFIG: Config = match Config::new().apn("iot.example") {
///     Ok(config) => config,
///     Err(_) => panic!("not an APN"),
/// };
/// ```
#[derive(Clone, Copy)]
pub struct Config {
    pub(crate) apn: Option<Text<'static, 100>>,
    pub(crate) pin: Option<Secret<Text<'static, 8>>>,
    pub(crate) set_clock: bool,
    /// In milliseconds, as the next.
    pub(crate) registration: u32,
    pub(crate) poll: u16,
    pub(crate) patched_native: bool,
    pub(crate) end_connections: bool,
    pub(crate) flow_control: bool,
    pub(crate) generated_key: bool,
}

impl Config {
    /// No PIN, the default APN, 5 minutes for registration ("minutes", sheet 11), clock from the network,
    /// a look for data at least every second.
    pub const fn new() -> Self {
        Self {
            apn: None,
            pin: None,
            set_clock: true,
            registration: 300_000,
            poll: 1000,
            patched_native: false,
            end_connections: false,
            flow_control: false,
            generated_key: false,
        }
    }

    /// The access point name, up to 100 bytes.
    pub const fn apn(mut self, apn: &'static str) -> Result<Self, InvalidInput> {
        match Text::new(apn) {
            Ok(apn) => self.apn = Some(apn),
            Err(error) => return Err(error),
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

    /// Leaves the modem's clock alone at bring-up: the application sets it.
    pub const fn keep_clock(mut self) -> Self {
        self.set_clock = false;
        self
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

    /// The longest pause between two looks for data on a quiet connection, where the firmware gives no
    /// notice of it (SLM). Looks begin 20 ms after traffic.
    pub const fn poll(mut self, longest: Duration) -> Self {
        let longest = longest.as_millis();
        self.poll = if longest < u16::MAX as u64 {
            longest as u16
        } else {
            u16::MAX
        };
        self
    }

    /// Declares that this native TLS build of SLM 2.0 to 2.5 has Nordic's fix of December 2023 for
    /// `#XSSOCKET` (commit c739f09a62). Without it that command corrupts the firmware's heap, and
    /// connections are refused.
    pub const fn patched_native(mut self) -> Self {
        self.patched_native = true;
        self
    }

    /// Declares that the device's key for TLS is one that was made in the modem, see
    /// [`DeviceKeys`](crate::DeviceKeys). A native TLS build does not see such keys: with one, bring-up fails
    /// with [`BringUpError::Firmware`](sectag::BringUpError::Firmware) instead of every connect later.
    pub const fn generated_key(mut self) -> Self {
        self.generated_key = true;
        self
    }

    /// Declares that RTS and CTS are wired and that the MCU's UART minds them. SLM 2.0 to 2.4 listens to
    /// nothing while a command runs, so that without it nothing is connected or stored with these:
    /// [`Feature::FlowControl`](sectag::Feature::FlowControl). Later firmware has buffers.
    pub const fn flow_control(mut self) -> Self {
        self.flow_control = true;
        self
    }

    /// Lets credentials be changed while there are connections, which ends them: the modem must leave the
    /// network for it.
    pub const fn end_connections_to_store(mut self) -> Self {
        self.end_connections = true;
        self
    }
}

impl Default for Config {
    fn default() -> Self {
        Self::new()
    }
}
