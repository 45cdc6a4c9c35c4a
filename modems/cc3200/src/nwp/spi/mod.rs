//! The SPI transport of the network processors, with the interrupt line HOST_INTR and nHIB (sheet 2, 3.1).
//!
//! The chip is read only when it asks for it, in whole messages, and a command goes out in one go; the runner knows streams of
//! bytes, whose reads and writes may be dropped at any time. So a task of its own, [`Bus`], has the SPI, and no transfer is ever dropped in
//! its middle; between it and the runner lies a [`Link`], whose halves touch memory only.
//!
//! What is needed: an [`SpiDevice`] in mode 0 with at most 20 MHz (a bus and a pin for the chip select are one by
//! `ExclusiveDevice` of embedded-hal-bus), HOST_INTR as a pin that can be waited for, nHIB as an output. nHIB is no option, as it is with
//! a UART: messages are numbered, and only a start of the chip tells the next number.
//!
//! ```
//! use embassy_futures::select::select;
//! use embedded_hal::digital::OutputPin;
//! use embedded_hal_async::digital::Wait;
//! use embedded_hal_async::spi::SpiDevice;
//! use sectag::State;
//! use sectag_cc3200::nwp::spi::Link;
//! use sectag_cc3200::nwp::{Config, G2, Nwp, Wiring};
//!
//! async fn modem(device: impl SpiDevice, host_intr: impl Wait, n_hib: impl OutputPin, config: Config) {
//!     let mut link = Link::new();
//!     let (mut bus, rx, tx, hib) = link.split(device, host_intr, n_hib);
//!     let nwp = Nwp::<G2>::new(config.wiring(Wiring::Spi));
//!     let mut state: State<Nwp<G2>, 1, 1024, 1024> = State::new();
//!     let (modem, mut runner) = sectag::new(&mut state, nwp, rx, tx, hib);
//!     // `modem` is for the tasks of the application.
//!     # let _ = modem;
//!     select(runner.run(), bus.run()).await;
//! }
//! ```

mod bus;
mod error;
mod halves;
mod link;

pub use self::bus::Bus;
pub use self::error::BusError;
pub use self::halves::{Hib, Reader, Writer};
pub use self::link::Link;

use embedded_hal::digital::OutputPin;
use embedded_hal_async::digital::Wait;
use embedded_hal_async::spi::SpiDevice;

impl Link {
    /// Splits the link into the task that owns the bus, the runner's reader and writer, and nHIB as the runner's pins.
    ///
    /// Await [`Bus::run`] beside the runner, in its task or in another one. If one of the two ends or is dropped, drop the other as
    /// well; then both may be run again, and the chip is started anew.
    pub fn split<D: SpiDevice, I: Wait, P: OutputPin>(
        &mut self,
        device: D,
        host_intr: I,
        n_hib: P,
    ) -> (Bus<'_, D, I>, Reader<'_>, Writer<'_>, Hib<'_, P>) {
        let link = &*self;
        (
            Bus::new(link, device, host_intr),
            Reader(link),
            Writer(link),
            Hib { link, pin: n_hib },
        )
    }
}
