//! How deep the stacks have been: the tasks', and the interrupt handlers'.
//!
//! The handlers have a stack of their own, so that the deepest use is one number in every run: on one stack it depends on whether
//! an interrupt came while a task was at its deepest. cortex-m-rt (feature `paint-stack`) fills both with a pattern before
//! `main`; whatever no longer holds the pattern has been used.

use core::arch::asm;
use core::ptr::addr_of;

use cortex_m_rt::STACK_PAINT_VALUE;

/// The handlers' room in words: the lowest part of what statics leave free.
const HANDLERS_WORDS: usize = 256;

unsafe extern "C" {
    // The linker script's: the stack's highest address, and the lowest it may grow down to.
    static _stack_start: u32;
    static _stack_end: u32;
}

/// The room for both stacks: all RAM that statics leave free.
pub fn size_bytes() -> usize {
    addr_of!(_stack_start) as usize - addr_of!(_stack_end) as usize
}

/// The deepest that the tasks' stack has been since the start and the deepest of the handlers', in all; [`size_bytes`] where one
/// of them has used its room up.
pub fn peak_bytes() -> usize {
    let (bottom, top) = (addr_of!(_stack_end), addr_of!(_stack_start));
    match (
        used_bytes(bottom, handlers_top()),
        used_bytes(handlers_top(), top),
    ) {
        (Some(handlers), Some(tasks)) => handlers + tasks,
        _ => size_bytes(),
    }
}

/// Gives interrupt handlers a stack of their own; from then on an interrupted task's stack takes only the processor's frame.
/// Called once, by [`Board::take`](super::Board::take).
pub(super) fn split() {
    // SAFETY: the process stack pointer takes over where the main one stands, so that the running code's stack does not change;
    // the main one, which exceptions use, gets RAM that nothing else uses: the tasks' stack grows down from the other end.
    unsafe {
        asm!(
            "mrs {running}, MSP",
            "msr PSP, {running}",
            // CONTROL.SPSEL: thread mode runs on PSP (ARMv7-M Architecture Reference Manual, B1.4.4).
            "movs {running}, #2",
            "msr CONTROL, {running}",
            "isb",
            "msr MSP, {handlers}",
            running = out(reg) _,
            handlers = in(reg) handlers_top(),
        );
    }
}

fn handlers_top() -> *const u32 {
    addr_of!(_stack_end).wrapping_add(HANDLERS_WORDS)
}

/// The used part of the room between two addresses, whose stack grows down from `top`; `None` where that is all of it.
fn used_bytes(bottom: *const u32, top: *const u32) -> Option<usize> {
    let mut lowest = bottom;
    // SAFETY: between the two addresses there is RAM, aligned to words (link.x asserts it) and
    // painted, hence initialised. Volatile, because the part in use changes under our feet.
    while lowest < top && unsafe { lowest.read_volatile() } == STACK_PAINT_VALUE {
        lowest = lowest.wrapping_add(1);
    }
    (lowest > bottom).then(|| top as usize - lowest as usize)
}
