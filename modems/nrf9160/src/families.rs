//! Families of firmware, chosen by type so that the code for the others is not linked.

use crate::marks::{Marked, Marks, Unmarked};

/// A family of firmwares for a [`Nrf9160`](crate::Nrf9160). If it names fewer than all, the code for
/// the others is not linked; a modem with another firmware is refused with
/// [`BringUpError::Firmware`](sectag::BringUpError::Firmware).
///
/// The trait is sealed: only types of this crate implement it.
pub trait Family: sealed::Sealed + 'static {
    /// Whether every command carries a handle; `None` if that is found out at run time.
    #[doc(hidden)]
    const HANDLES: Option<bool>;
    /// Whether TLS is the firmware's own and not the modem's; `None` if that is found out at run time.
    #[doc(hidden)]
    const NATIVE: Option<bool>;
    /// Whether guests are linked: the application's own commands, credentials, status and clock.
    #[doc(hidden)]
    const COMMANDS: bool = true;
    /// The record of which connections have announced their last data.
    #[doc(hidden)]
    type Marks: Marks;
}

mod sealed {
    pub trait Sealed {}
}

/// Any firmware. Which one it is, is found out at run time.
#[derive(Clone, Copy, Debug)]
pub enum AnyFirmware {}

/// Serial LTE Modem with the modem's own TLS.
#[derive(Clone, Copy, Debug)]
pub enum SlmModemTls {}

/// Serial LTE Modem built with its own, native TLS.
#[derive(Clone, Copy, Debug)]
pub enum SlmNativeTls {}

/// Serial Modem.
#[derive(Clone, Copy, Debug)]
pub enum SerialModem {}

/// The firmwares of `F`, for an image that uses sockets only. Calls that send commands of the
/// application, or that read or change credentials, status and clock, are not linked and do not
/// compile.
#[derive(Clone, Copy, Debug)]
pub struct SocketsOnly<F: Family>(core::marker::PhantomData<F>);

impl<F: Family> sealed::Sealed for SocketsOnly<F> {}

impl<F: Family> Family for SocketsOnly<F> {
    const HANDLES: Option<bool> = F::HANDLES;
    const NATIVE: Option<bool> = F::NATIVE;
    const COMMANDS: bool = false;
    type Marks = F::Marks;
}

/// The firmwares of `F`, for an image that announces which data is the last
/// ([`RadioRelease`](sectag::RadioRelease)). The network then releases the radio at once, which by
/// Nordic's figures costs 28 mC instead of 395 mC for an hourly message. Bring-up switches release
/// assistance on with two commands; the modem keeps the setting over a reset.
///
/// ```
/// use sectag::{LastData, Socket, Control};
/// use sectag_nrf9160::{AnyFirmware, Nrf9160, ReleaseAssistance};
///
/// fn publish_is_last<'a>(modem: Control<'a, Nrf9160<ReleaseAssistance<AnyFirmware>>>, socket: &Socket<'a>) {
///     modem.radio_release(socket).last_data(LastData::OneAnswer);
/// }
/// ```
///
/// With a family without `ReleaseAssistance` this does not compile:
///
/// ```compile_fail,E0277
/// use sectag::{LastData, Socket, Control};
/// use sectag_nrf9160::Nrf9160;
///
/// fn publish_is_last<'a>(modem: Control<'a, Nrf9160>, socket: &Socket<'a>) {
///     modem.radio_release(socket).last_data(LastData::OneAnswer);
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

/// Returns whether a script for every firmware is linked: always.
#[expect(clippy::extra_unused_type_parameters, reason = "as its sisters")]
pub(crate) const fn any<F: Family>() -> bool {
    true
}

/// Returns whether code for SLM is linked.
pub(crate) const fn slm<F: Family>() -> bool {
    !matches!(F::HANDLES, Some(true))
}

/// Returns whether code for SM is linked.
pub(crate) const fn sm<F: Family>() -> bool {
    !matches!(F::HANDLES, Some(false))
}

/// Returns whether code for light sleep is linked.
#[expect(clippy::extra_unused_type_parameters, reason = "as its sisters")]
pub(crate) const fn sleeps<F: Family>() -> bool {
    sectag::modem::SLEEPS
}

/// Returns whether code for light sleep of SLM is linked.
pub(crate) const fn slm_sleeps<F: Family>() -> bool {
    sectag::modem::SLEEPS && slm::<F>()
}

/// Returns whether code that announces the last data is linked.
pub(crate) const fn release<F: Family>() -> bool {
    F::Marks::KEPT
}

/// Returns whether code for builds with native TLS is linked.
pub(crate) const fn native<F: Family>() -> bool {
    !matches!(F::NATIVE, Some(false))
}
