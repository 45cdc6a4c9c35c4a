//! Which firmwares the code is for.

use crate::marks::{Marked, Marks, Unmarked};

/// The firmwares that a [`Nrf9160`](crate::Nrf9160) is for. With one of them chosen by type, the code for the
/// others is not linked; a modem that turns out to have another is refused with
/// [`BringUpError::Firmware`](sectag::BringUpError::Firmware).
///
/// It is implemented by the types of this crate, and not by others.
pub trait Family: sealed::Sealed + 'static {
    /// Whether every command carries a handle; `None` where it is found out.
    #[doc(hidden)]
    const HANDLES: Option<bool>;
    /// Whether TLS is the firmware's own and not the modem's; `None` where it is found out.
    #[doc(hidden)]
    const NATIVE: Option<bool>;
    /// Commands of the firmware's own, credentials, status and clock.
    #[doc(hidden)]
    const COMMANDS: bool = true;
    /// What is known of the last data of each socket.
    #[doc(hidden)]
    type Marks: Marks;
}

mod sealed {
    pub trait Sealed {}
}

/// Any firmware: which one, is found out at run time.
#[derive(Clone, Copy, Debug)]
pub enum AnyFirmware {}

/// Serial LTE Modem with the modem's own TLS.
#[derive(Clone, Copy, Debug)]
pub enum SlmModemTls {}

/// Serial LTE Modem built with a TLS of its own.
#[derive(Clone, Copy, Debug)]
pub enum SlmNativeTls {}

/// Serial Modem.
#[derive(Clone, Copy, Debug)]
pub enum SerialModem {}

/// The same firmwares, for an image that uses sockets only: what sends commands of its own, or changes or reads
/// credentials, status and clock, is not linked, and does not compile.
#[derive(Clone, Copy, Debug)]
pub struct SocketsOnly<F: Family>(core::marker::PhantomData<F>);

impl<F: Family> sealed::Sealed for SocketsOnly<F> {}

impl<F: Family> Family for SocketsOnly<F> {
    const HANDLES: Option<bool> = F::HANDLES;
    const NATIVE: Option<bool> = F::NATIVE;
    const COMMANDS: bool = false;
    type Marks = F::Marks;
}

/// All of these firmwares, for an image that says which data is the last
/// ([`RadioRelease`](sectag::RadioRelease)): the network then releases the radio at once, which Nordic's figures
/// put at 28 mC instead of 395 mC for an hourly message. Bring-up switches release assistance on, which
/// takes two commands; the modem keeps that over a reset.
///
/// ```
/// use sectag::{LastData, Socket, Sockets};
/// use sectag_nrf9160::{AnyFirmware, Nrf9160, ReleaseAssistance};
///
/// fn publish_is_last<'a>(sockets: Sockets<'a, Nrf9160<ReleaseAssistance<AnyFirmware>>>, socket: &Socket<'a>) {
///     sockets.radio_release(socket).last_data(LastData::OneAnswer);
/// }
/// ```
///
/// Without it that does not compile:
///
/// ```compile_fail,E0277
/// use sectag::{LastData, Socket, Sockets};
/// use sectag_nrf9160::Nrf9160;
///
/// fn publish_is_last<'a>(sockets: Sockets<'a, Nrf9160>, socket: &Socket<'a>) {
///     sockets.radio_release(socket).last_data(LastData::OneAnswer);
/// }
/// ```
#[derive(Clone, Copy, Debug)]
pub struct ReleaseAssistance<F: Family>(core::marker::PhantomData<F>);

impl<F: Family> sealed::Sealed for ReleaseAssistance<F> {}

impl<F: Family> Family for ReleaseAssistance<F> {
    const HANDLES: Option<bool> = F::HANDLES;
    const NATIVE: Option<bool> = F::NATIVE;
    const COMMANDS: bool = F::COMMANDS;
    type Marks = Marked;
}

macro_rules! family {
    ($name:ident, $handles:expr, $native:expr) => {
        impl sealed::Sealed for $name {}

        impl Family for $name {
            const HANDLES: Option<bool> = $handles;
            const NATIVE: Option<bool> = $native;
            type Marks = Unmarked;
        }
    };
}

family!(AnyFirmware, None, None);
family!(SlmModemTls, Some(false), Some(false));
family!(SlmNativeTls, Some(false), Some(true));
family!(SerialModem, Some(true), Some(false));

/// Code for every firmware.
#[expect(clippy::extra_unused_type_parameters, reason = "as its sisters")]
pub(crate) const fn any<F: Family>() -> bool {
    true
}

/// Code for SLM.
pub(crate) const fn slm<F: Family>() -> bool {
    !matches!(F::HANDLES, Some(true))
}

/// Code for SM.
pub(crate) const fn sm<F: Family>() -> bool {
    !matches!(F::HANDLES, Some(false))
}

/// Code for light sleep.
#[expect(clippy::extra_unused_type_parameters, reason = "as its sisters")]
pub(crate) const fn sleeps<F: Family>() -> bool {
    sectag::modem::SLEEPS
}

/// Code for light sleep of SLM.
pub(crate) const fn slm_sleeps<F: Family>() -> bool {
    sectag::modem::SLEEPS && slm::<F>()
}

/// Code for images that say which data is the last.
pub(crate) const fn release<F: Family>() -> bool {
    F::Marks::KEPT
}

/// Code for builds with native TLS.
pub(crate) const fn native<F: Family>() -> bool {
    !matches!(F::NATIVE, Some(false))
}
