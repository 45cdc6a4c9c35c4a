//! QEMU's `mps2-an386`: a Cortex-M4 at 25 MHz with CMSDK timers and UARTs.

mod console;
mod executor;
pub mod exit;
mod fault;
#[cfg(feature = "log")]
mod logger;
mod mmio;
mod ring;
pub mod rtc;
pub mod stack;
pub mod time;
pub mod uart;
mod vectors;

#[doc(hidden)]
pub use console::print_line;
pub use executor::Executor;
pub use ring::{Ring, RingOf};

/// The clock of the processor, of SysTick and of every peripheral used here.
pub const CLOCK_HZ: u32 = 25_000_000;

/// What the application drives. There is one.
pub struct Board {
    /// The UART with the modem on it: the second `-serial` of QEMU's command line.
    pub uart: uart::Uart,
}

impl Board {
    /// Starts the clock, gives interrupt handlers their stack, and hands the board out; `None` when that was done before.
    pub fn take() -> Option<Self> {
        let mut core = cortex_m::Peripherals::take()?;
        stack::split();
        #[cfg(feature = "log")]
        logger::install();
        time::start(&mut core.SYST);
        Some(Self {
            uart: uart::Uart::new(),
        })
    }
}
