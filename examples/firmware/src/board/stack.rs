//! How deep the stack has been.
//!
//! cortex-m-rt (feature `paint-stack`) fills the stack with a pattern before `main`; whatever
//! no longer holds the pattern has been used. Interrupt handlers run on the same stack.

use core::ptr::addr_of;

use cortex_m_rt::STACK_PAINT_VALUE;

unsafe extern "C" {
    // The linker script's: the stack's highest address, and the lowest it may grow down to.
    static _stack_start: u32;
    static _stack_end: u32;
}

/// The room for the stack: all RAM that statics leave free.
pub fn size_bytes() -> usize {
    addr_of!(_stack_start) as usize - addr_of!(_stack_end) as usize
}

/// The deepest that the stack has been since the start.
pub fn peak_bytes() -> usize {
    let mut lowest = addr_of!(_stack_end);
    let start = addr_of!(_stack_start);
    // SAFETY: between the two addresses there is RAM, aligned to words (link.x asserts it) and
    // painted, hence initialised. Volatile, because the part in use changes under our feet.
    while lowest < start && unsafe { lowest.read_volatile() } == STACK_PAINT_VALUE {
        lowest = lowest.wrapping_add(1);
    }
    start as usize - lowest as usize
}
