//! The ends that nobody asked for: status 1, and with `log` the reason.

use core::panic::PanicInfo;

use cortex_m_rt::{ExceptionFrame, exception};
use cortex_m_semihosting::hprintln;

use super::exit;

#[panic_handler]
fn panic(info: &PanicInfo<'_>) -> ! {
    cortex_m::interrupt::disable();
    if cfg!(feature = "log") {
        crate::println!("{info}");
    } else {
        // Using `info` would link all of core::fmt.
        hprintln!("panicked (build with feature log for the reason)");
    }
    exit::failure()
}

// SAFETY: it only reads, prints and ends.
#[exception]
unsafe fn HardFault(frame: &ExceptionFrame) -> ! {
    if cfg!(feature = "log") {
        crate::println!("HardFault: {frame:?}");
    } else {
        hprintln!("HardFault (build with feature log for the registers)");
    }
    exit::failure()
}

// SAFETY: it only prints and ends.
#[exception]
unsafe fn DefaultHandler(exception: i16) -> ! {
    if cfg!(feature = "log") {
        crate::println!("no handler for exception {exception}");
    } else {
        hprintln!("no handler for an exception");
    }
    exit::failure()
}
