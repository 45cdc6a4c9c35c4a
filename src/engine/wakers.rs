//! Waking whoever waits for a change of the world.

use core::future::Future;
use core::pin::Pin;
use core::task::{Context, Waker};

use embassy_time::Timer;

/// How often those look who found no place in a list.
const LOOK_AGAIN_MS: u64 = 20;
const PLACES: usize = 4;

/// Wakers of the tasks that wait for one kind of change. When more tasks wait than it has places, the
/// others look again every 20 ms; none is lost and none keeps the CPU busy.
pub(crate) struct Wakers([Option<Waker>; PLACES]);

impl Wakers {
    pub(crate) const fn new() -> Self {
        Self([const { None }; PLACES])
    }

    /// Something changed.
    pub(crate) fn wake(&mut self) {
        for place in &mut self.0 {
            if let Some(waker) = place.take() {
                waker.wake();
            }
        }
    }

    /// Has the task woken by the next [`wake`](Self::wake).
    pub(crate) fn register(&mut self, cx: &mut Context<'_>) {
        for place in &mut self.0 {
            match place {
                Some(known) if !known.will_wake(cx.waker()) => {}
                _ => {
                    *place = Some(cx.waker().clone());
                    return;
                }
            }
        }
        look_again(cx);
    }
}

/// Has the task woken after a while. A timer that was polled wakes its task also after it was dropped.
pub(crate) fn look_again(cx: &mut Context<'_>) {
    let _ = Pin::new(&mut Timer::after_millis(LOOK_AGAIN_MS)).poll(cx);
}
