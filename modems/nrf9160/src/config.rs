//! The configuration of an nRF9160.

use embassy_time::Duration;
use sectag::Secret;
use sectag::at::{InvalidInput, Text};

/// The longest time limit, in milliseconds: 24 days, half the period of the driver's clock.
const LONGEST: u64 = u32::MAX as u64 / 2;

/// Configuration of an nRF9160. Every setting has a default. Text is checked when it is set; in a
/// `const`, that is when the firmware is built.
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
    /// The limit of the wait for registration, in milliseconds.
    pub(crate) registration: u32,
    /// The longest pause between polls for data, in milliseconds.
    pub(crate) poll: u16,
    pub(crate) patched_native: bool,
    pub(crate) end_connections: bool,
    pub(crate) flow_control: bool,
    pub(crate) generated_key: bool,
}

impl Config {
    /// Returns the defaults: no PIN, the default APN, 5 minutes for registration ("minutes", sheet 11),
    /// the clock set from the network, and a poll for data at least every second where the firmware does
    /// not announce it.
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

    /// Sets the access point name, up to 100 bytes.
    pub const fn apn(mut self, apn: &'static str) -> Result<Self, InvalidInput> {
        match Text::new(apn) {
            Ok(apn) => self.apn = Some(apn),
            Err(error) => return Err(error),
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

    /// Leaves the modem's clock alone at bring-up; the application sets it.
    pub const fn keep_clock(mut self) -> Self {
        self.set_clock = false;
        self
    }

    /// Sets how long bring-up waits for registration before it fails and starts over; the default is 5
    /// minutes, the longest 24 days.
    pub const fn registration(mut self, limit: Duration) -> Self {
        let limit = limit.as_millis();
        self.registration = if limit < LONGEST {
            limit as u32
        } else {
            LONGEST as u32
        };
        self
    }

    /// Sets the longest pause between two polls for data on a quiet connection, for firmware that does
    /// not announce data (SLM up to 2.8, and later ones that refuse `#XAPOLL`). The default is 1 s, the
    /// longest 65 s; polls begin 20 ms after traffic. Firmware that announces data is polled only
    /// until the connection is quiet, and then looked at each minute.
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

    /// Declares that the device's key for TLS was made in the modem, see
    /// [`DeviceKeys`](crate::DeviceKeys). A native TLS build does not see such keys: bring-up then
    /// fails with [`BringUpError::Firmware`](sectag::BringUpError::Firmware), where otherwise each
    /// connect would fail later.
    pub const fn generated_key(mut self) -> Self {
        self.generated_key = true;
        self
    }

    /// Declares that RTS and CTS are wired and that the MCU's UART uses them. SLM 2.0 to 2.4 does not
    /// listen while a command runs. With these, every connect and every upload is refused with
    /// [`Feature::FlowControl`](sectag::Feature::FlowControl) unless this is declared. Later firmware
    /// has buffers.
    pub const fn flow_control(mut self) -> Self {
        self.flow_control = true;
        self
    }

    /// Allows a change of credentials while connections are open, which ends them: the modem must leave
    /// the network for a change. By default such a change is refused with
    /// [`CredentialError::SocketsOpen`](sectag::CredentialError::SocketsOpen).
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
