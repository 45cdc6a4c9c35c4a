//! The link as a network device of embassy-net: IP packets in and out over a UART.
//!
//! [`new`] makes the device and the [`Runner`]. [`Runner::run`] is given the UART when the modem has answered the dial, with the
//! bytes that came behind the answer, and gives it back when the link has ended. It sets the stack's address itself.

mod runner;

pub use runner::{MTU, RunError, Runner};

use embassy_net_driver_channel as channel;
use embassy_net_driver_channel::driver::HardwareAddress;

/// The device that embassy-net is given.
pub type Device<'d> = channel::Device<'d, MTU>;

/// Room for `RX` packets that came and `TX` that are to go, 1500 bytes each.
pub struct State<const RX: usize, const TX: usize>(channel::State<MTU, RX, TX>);

impl<const RX: usize, const TX: usize> State<RX, TX> {
    /// Empty.
    pub const fn new() -> Self {
        Self(channel::State::new())
    }
}

impl<const RX: usize, const TX: usize> Default for State<RX, TX> {
    fn default() -> Self {
        Self::new()
    }
}

/// Splits `state` into the device and what runs the link.
pub fn new<const RX: usize, const TX: usize>(
    state: &mut State<RX, TX>,
) -> (Device<'_>, Runner<'_>) {
    let (runner, device) = channel::new(&mut state.0, HardwareAddress::Ip);
    (device, Runner::new(runner))
}
