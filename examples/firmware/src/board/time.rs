//! The clock behind embassy-time.
//!
//! SysTick runs freely and tells the time; the CMSDK timer 0 is the alarm. Neither is ever
//! stopped or reprogrammed for the sake of the other, so time does not drift and nothing
//! interrupts an idle processor but the alarm and one SysTick interrupt every 671 ms.
//!
//! Under QEMU's `-icount` both count executed instructions while the processor is busy, and the
//! host's time while it sleeps. Without it they follow the host's clock alone; a host that stalls
//! the emulator for more than 671 ms loses the clock that time.

use core::cell::RefCell;
use core::sync::atomic::{AtomicU32, Ordering};
use core::task::Waker;

use cortex_m::peripheral::{SCB, SYST, syst::SystClkSource};
use cortex_m_rt::exception;
use critical_section::Mutex;
use embassy_time_driver::{Driver, TICK_HZ};
use embassy_time_queue_utils::Queue;

use super::CLOCK_HZ;
use super::mmio::Register;
use super::vectors::Irq;

/// Cycles in one tick of embassy-time.
pub const CYCLES_PER_TICK: u32 = CLOCK_HZ / TICK_HZ as u32;
/// The most whole ticks that fit SysTick's 24 bits, so that `now` needs only 32-bit division.
const TICKS_PER_WRAP: u32 = 0x0100_0000 / CYCLES_PER_TICK;
const CYCLES_PER_WRAP: u32 = TICKS_PER_WRAP * CYCLES_PER_TICK;
/// The most whole ticks that the alarm's 32 bits hold; a later alarm is set in several steps.
const MAX_ALARM_TICKS: u32 = u32::MAX / CYCLES_PER_TICK - 1;

const _: () = assert!(
    CYCLES_PER_TICK * TICK_HZ as u32 == CLOCK_HZ,
    "a tick is whole cycles"
);

/// Times that SysTick went around: enough for 91 years.
static WRAPS: AtomicU32 = AtomicU32::new(0);

/// Starts the clock.
pub(super) fn start(systick: &mut SYST) {
    systick.set_clock_source(SystClkSource::Core);
    systick.set_reload(CYCLES_PER_WRAP - 1);
    systick.clear_current();
    systick.enable_interrupt();
    systick.enable_counter();
    // It holds 0 until its first cycle, which `read` would take for the end of a round.
    while SYST::get_current() == 0 {}
    Irq::Timer0.enable();
}

/// Cycles of [`CLOCK_HZ`] since the start, for measurements.
///
/// QEMU has no DWT cycle counter. With `-icount shift=0` an instruction takes 1 ns, so that
/// a difference of these, times 40, counts instructions.
pub fn cycles() -> u64 {
    let (wraps, cycles) = read();
    u64::from(wraps) * u64::from(CYCLES_PER_WRAP) + u64::from(cycles)
}

/// Rounds of SysTick, and cycles within the present one.
fn read() -> (u32, u32) {
    critical_section::with(|_| {
        let wraps = WRAPS.load(Ordering::Relaxed);
        let left = SYST::get_current();
        if SCB::is_pendst_pending() {
            // A new round began and its interrupt has not run. `left` may be from either side
            // of that; what is read now is from the new round.
            (
                wraps + 1,
                (CYCLES_PER_WRAP - SYST::get_current()) % CYCLES_PER_WRAP,
            )
        } else {
            // 0 without the interrupt pending: QEMU's counter has run out and its timer has
            // not yet begun the new round.
            (wraps, CYCLES_PER_WRAP - left.max(1))
        }
    })
}

fn ticks((wraps, cycles): (u32, u32)) -> u64 {
    u64::from(wraps) * u64::from(TICKS_PER_WRAP) + u64::from(cycles / CYCLES_PER_TICK)
}

#[exception]
fn SysTick() {
    // Nobody else writes it, and no handler interrupts this one.
    WRAPS.store(WRAPS.load(Ordering::Relaxed) + 1, Ordering::Relaxed);
}

struct SysTickDriver {
    queue: Mutex<RefCell<Queue>>,
}

embassy_time_driver::time_driver_impl!(static DRIVER: SysTickDriver = SysTickDriver {
    queue: Mutex::new(RefCell::new(Queue::new())),
});

impl Driver for SysTickDriver {
    fn now(&self) -> u64 {
        ticks(read())
    }

    fn schedule_wake(&self, at: u64, waker: &Waker) {
        critical_section::with(|cs| {
            let mut queue = self.queue.borrow_ref_mut(cs);
            if queue.schedule_wake(at, waker) {
                self.set_next_alarm(&mut queue);
            }
        });
    }
}

impl SysTickDriver {
    /// Wakes what is due and sets the alarm for what is next.
    fn set_next_alarm(&self, queue: &mut Queue) {
        let reading = read();
        let now = ticks(reading);
        match queue.next_expiration(now) {
            u64::MAX => alarm::stop(),
            // It is after `now`: what was due has left the queue.
            at => {
                let ticks = (at - now).min(u64::from(MAX_ALARM_TICKS)) as u32;
                // The tick we are in has partly passed.
                alarm::set(ticks * CYCLES_PER_TICK - reading.1 % CYCLES_PER_TICK);
            }
        }
    }
}

pub(super) extern "C" fn on_alarm() {
    alarm::stop();
    critical_section::with(|cs| DRIVER.set_next_alarm(&mut DRIVER.queue.borrow_ref_mut(cs)));
}

/// CMSDK APB timer 0: counts down, interrupts at the end.
mod alarm {
    use super::Register;

    const BASE: usize = 0x4000_0000;
    // SAFETY: the timer's registers (Arm DDI 0479); none touches memory.
    const CTRL: Register = unsafe { Register::at(BASE) };
    // SAFETY: as above.
    const RELOAD: Register = unsafe { Register::at(BASE + 0x8) };
    // SAFETY: as above.
    const INTCLEAR: Register = unsafe { Register::at(BASE + 0xC) };

    const ENABLE: u32 = 1 << 0;
    const INTERRUPT: u32 = 1 << 3;

    pub(super) fn stop() {
        CTRL.write(0);
        INTCLEAR.write(1);
    }

    /// Interrupts after `cycles`, replacing an earlier alarm.
    pub(super) fn set(cycles: u32) {
        stop();
        // Writing the reload value also sets the counter.
        RELOAD.write(cycles);
        CTRL.write(ENABLE | INTERRUPT);
    }
}
