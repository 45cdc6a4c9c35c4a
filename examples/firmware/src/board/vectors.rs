//! Interrupt numbers and the table of handlers.

use cortex_m::interrupt::InterruptNumber;
use cortex_m::peripheral::NVIC;

/// The interrupts in use (hw/arm/mps2.c of QEMU; Arm's application note AN386).
#[derive(Clone, Copy)]
#[repr(u16)]
pub(super) enum Irq {
    Uart1Rx = 2,
    Uart1Tx = 3,
    Timer0 = 8,
}

// SAFETY: the numbers are those of the lines above, and each is within the NVIC's 32.
unsafe impl InterruptNumber for Irq {
    fn number(self) -> u16 {
        self as u16
    }
}

impl Irq {
    /// Lets the handler run. All handlers have the same priority, so none interrupts another.
    pub(super) fn enable(self) {
        // SAFETY: the handlers share only atomics and critical sections with the code they
        // interrupt, so enabling one breaks no critical section.
        unsafe { NVIC::unmask(self) }
    }

    /// Makes the handler run as if the hardware had asked for it.
    pub(super) fn pend(self) {
        NVIC::pend(self);
    }
}

unsafe extern "C" {
    // cortex-m-rt's, for whatever has no handler.
    fn DefaultHandler();
}

type Handler = unsafe extern "C" fn();

/// Behind the table of exceptions, by the linker script. As long as the last line in use:
/// the lines beyond are never enabled.
#[unsafe(link_section = ".vector_table.interrupts")]
#[unsafe(no_mangle)]
static __INTERRUPTS: [Handler; Irq::Timer0 as usize + 1] = {
    let mut table = [DefaultHandler as Handler; Irq::Timer0 as usize + 1];
    table[Irq::Uart1Rx as usize] = super::uart::on_receive;
    table[Irq::Uart1Tx as usize] = super::uart::on_transmit;
    table[Irq::Timer0 as usize] = super::time::on_alarm;
    table
};
