//! The executor's idle loop, with `WFI`.
//!
//! embassy-executor's own (`platform-cortex-m`) sleeps with `WFE`, which QEMU executes as a
//! no-op: an idle firmware then takes all of a host processor, and under `-icount` its clock
//! falls far behind. `WFI` really stops the emulated processor, and costs the same on hardware.

use core::sync::atomic::{AtomicBool, Ordering};

use cortex_m::{asm, interrupt};
use embassy_executor::{Spawner, raw};

/// Set when a task was woken; read with interrupts off before sleeping.
static WOKEN: AtomicBool = AtomicBool::new(false);

/// Runs tasks in thread mode. For
/// `#[embassy_executor::main(entry = "cortex_m_rt::entry", executor = "...::Executor")]`.
pub struct Executor {
    inner: raw::Executor,
}

impl Executor {
    /// There is to be one: `WOKEN` does not tell whose task was woken.
    #[allow(clippy::new_without_default)] // As embassy's executors.
    pub fn new() -> Self {
        Self {
            inner: raw::Executor::new(core::ptr::null_mut()),
        }
    }

    /// Spawns the first tasks and runs for ever.
    pub fn run(&'static mut self, init: impl FnOnce(Spawner)) -> ! {
        init(self.inner.spawner());
        loop {
            WOKEN.store(false, Ordering::Relaxed);
            // SAFETY: called from here only, so never from within itself; `new` and `run`
            // leave nothing of the executor uninitialised.
            unsafe { self.inner.poll() };
            // With interrupts off nothing can wake a task between the look and the sleep; an
            // interrupt still ends the sleep, and its handler runs at `enable`.
            interrupt::disable();
            if !WOKEN.load(Ordering::Relaxed) {
                asm::wfi();
            }
            // SAFETY: no critical section is open in the idle loop.
            unsafe { interrupt::enable() };
        }
    }
}

/// embassy-executor calls it when a task is woken, from any context.
#[unsafe(export_name = "__pender")]
fn pender(_context: *mut ()) {
    WOKEN.store(true, Ordering::Relaxed);
}
