//! A PPP link as a network device of embassy-net: IP packets over a UART.
//!
//! [`new`] returns the device and the [`Runner`]. [`Runner::run`] takes the UART when the modem has
//! answered the dial, together with the bytes that followed the answer, and returns it when the link
//! has ended. It also sets the address of the stack.

mod runner;

pub use runner::{MTU, RunError, Runner};

use embassy_net_driver_channel as channel;
use embassy_net_driver_channel::driver::HardwareAddress;

/// The device to give to embassy-net.
pub type Device<'d> = channel::Device<'d, MTU>;

/// The memory of the device: room for `RX` received and `TX` outgoing packets of 1500 bytes each.
pub struct State<const RX: usize, const TX: usize>(channel::State<MTU, RX, TX>);

impl<const RX: usize, const TX: usize> State<RX, TX> {
    /// Returns empty memory.
    pub const fn new() -> Self {
        Self(channel::State::new())
    }
}

impl<const RX: usize, const TX: usize> Default for State<RX, TX> {
    fn default() -> Self {
        Self::new()
    }
}

/// Splits `state` into the device and the runner of the link.
pub fn new<const RX: usize, const TX: usize>(
    state: &mut State<RX, TX>,
) -> (Device<'_>, Runner<'_>) {
    let (runner, device) = channel::new(&mut state.0, HardwareAddress::Ip);
    (device, Runner::new(runner))
}
