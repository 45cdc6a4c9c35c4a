//! Light sleep with a notice pin: decides when the modem may sleep, when it is woken, and when the UART may be off.

use core::cell::Cell;
use core::convert::Infallible;
use core::future::{Future, poll_fn};
use core::ops::ControlFlow;
use core::pin::pin;
use core::task::{Context, Poll};

use embassy_time::{Duration, Instant, Timer};

use super::mailbox::ExchangeState;
use super::notices::Reception;
use super::slot::Phase;
use super::time::{LONGEST, Ms, after, now, past};
use super::world::{Errand, Link, NEVER, PowerState, Shared, World};

/// The idle time after which a modem that was woken for nothing sleeps again, in milliseconds.
const QUIET_AFTER_VAIN_WAKE: Ms = 200;
/// The time that the UART stays on after the begin of sleep, in milliseconds: until the modem has seen that it may
/// sleep, it announces a URC by no pin (nrf9160 sheet, 1.6: 10 ms).
const SETTLE: Ms = 50;
/// The time limit for a requested sleep to begin, in milliseconds.
const SLEEP_BEGIN_LIMIT: Ms = 20_000;

/// The settings of light sleep with a notice pin.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SleepSettings {
    /// The idle time after which the modem is let sleep, in milliseconds.
    pub(crate) quiet: Ms,
    /// The longest sleep before the modem is woken for a sign of life, in milliseconds, or [`NEVER`].
    pub(crate) liveness: Ms,
}

impl SleepSettings {
    /// Lets the modem sleep when there is nothing to do, and wakes it when the future of `wait_active` ends or a sign of
    /// life is due. That future must end as soon as the pin is active, at once where it already is.
    pub(crate) async fn rest<P>(
        self,
        world: &Shared<'_>,
        pin: &mut P,
        mut wait_active: impl AsyncFnMut(&mut P),
        switch: Option<&mut dyn FnMut(bool)>,
        reception: &Cell<Reception>,
    ) -> Infallible {
        world.borrow_mut().liveness = self.liveness;
        let mut uart = switch.map(|switch| Uart { switch, off: false });
        let mut idle = Idle::new();
        loop {
            watch(world, |w, _| idle.look(w, self.quiet)).await;
            // The pin is watched before the modem can have begun to sleep, from when on it announces by the pin.
            let mut active = pin!(wait_active(pin));
            let mut was_active = false;
            let began = now();
            let sleeps = watch(world, |w, cx| {
                was_active = was_active || active.as_mut().poll(cx).is_ready();
                idle.asked(w, began)
            });
            if !sleeps.await {
                idle.begin();
                continue;
            }
            if let Some(uart) = &mut uart {
                let began = now();
                let settled = watch(world, |w, cx| {
                    was_active = was_active || active.as_mut().poll(cx).is_ready();
                    let due = after(began, SETTLE);
                    if was_active || w.power != PowerState::Dozing || past(w.now, due) {
                        return ControlFlow::Break(());
                    }
                    ControlFlow::Continue(due)
                });
                settled.await;
                reception.set(Reception::Stops);
                poll_fn(|cx| match reception.get() {
                    Reception::Stopped => Poll::Ready(()),
                    _ => {
                        cx.waker().wake_by_ref();
                        Poll::Pending
                    }
                })
                .await;
                uart.set(false);
            }
            let since = now();
            let mut called = false;
            watch(world, |w, cx| {
                was_active = was_active || active.as_mut().poll(cx).is_ready();
                if w.power != PowerState::Dozing {
                    return ControlFlow::Break(());
                }
                let due = after(since, self.liveness);
                let late = self.liveness != NEVER && past(w.now, due);
                if (was_active || late) && !called {
                    called = true;
                    w.is_called();
                }
                ControlFlow::Continue(if called || self.liveness == NEVER {
                    after(w.now, LONGEST)
                } else {
                    due
                })
            })
            .await;
            idle.begin();
            if let Some(uart) = &mut uart {
                uart.set(true);
                reception.set(Reception::Runs);
                poll_fn(|cx| {
                    cx.waker().wake_by_ref();
                    Poll::Ready(())
                })
                .await;
                // Every socket is asked, whatever woke the modem: a URC from before the UART was on is lost.
                let mut world = world.borrow_mut();
                world.ask_all();
                world.wake_runner();
            }
        }
    }
}

/// The switch of the UART. Dropped while the UART is off, it switches the UART on, since the next run reads at once.
struct Uart<'s> {
    switch: &'s mut dyn FnMut(bool),
    off: bool,
}

impl Uart<'_> {
    fn set(&mut self, on: bool) {
        self.off = !on;
        (self.switch)(on);
    }
}

impl Drop for Uart<'_> {
    fn drop(&mut self) {
        if self.off {
            self.set(true);
        }
    }
}

/// Calls `look` whenever the runner is polled, and at the deadline that `look` returned, until it breaks with a value.
async fn watch<T>(
    world: &Shared<'_>,
    mut look: impl FnMut(&mut World<'_>, &mut Context<'_>) -> ControlFlow<T, Ms>,
) -> T {
    let mut timer = Timer::at(Instant::MIN);
    poll_fn(|cx| {
        loop {
            let time = now();
            let due = {
                let mut world = world.borrow_mut();
                world.now = time;
                match look(&mut world, cx) {
                    ControlFlow::Break(value) => return Poll::Ready(value),
                    ControlFlow::Continue(due) => due,
                }
            };
            let left = u64::try_from(due.wrapping_sub(time) as i32).unwrap_or(0);
            timer = Timer::at(Instant::now() + Duration::from_millis(left));
            if pin!(&mut timer).poll(cx).is_pending() {
                return Poll::Pending;
            }
        }
    })
    .await
}

/// The idle timer: measures for how long there has been nothing to do.
struct Idle {
    since: Ms,
    /// The last result of [`World::traffic_totals`]; a change of it restarts the timer.
    seen: (usize, usize, usize),
    /// There was work since the modem was woken.
    used: bool,
    /// The generation in which the modem refused to sleep; it is not asked again before it restarts.
    refused: Option<u8>,
}

impl Idle {
    fn new() -> Self {
        Self {
            since: 0,
            seen: (0, 0, 0),
            used: true,
            refused: None,
        }
    }

    /// Restarts the timer after the modem was woken, or has refused to sleep.
    fn begin(&mut self) {
        self.since = now();
        self.used = false;
    }

    /// Breaks when the modem sleeps or is about to. Requests the sleep once there was nothing to do for `quiet`.
    fn look(&mut self, w: &mut World<'_>, quiet: Ms) -> ControlFlow<(), Ms> {
        if w.errand == Errand::Sleep || w.power == PowerState::Dozing {
            return ControlFlow::Break(());
        }
        let seen = w.traffic_totals();
        let busy = w.is_busy();
        self.used |= seen != self.seen || w.mailbox.post != ExchangeState::Free;
        if busy || seen != self.seen {
            self.seen = seen;
            self.since = w.now;
        }
        // The end of that work, or of the bring-up, has the runner poll this again.
        if busy || self.refused == Some(w.generation) {
            return ControlFlow::Continue(after(w.now, LONGEST));
        }
        let least = if self.used {
            quiet
        } else {
            quiet.min(QUIET_AFTER_VAIN_WAKE)
        };
        let due = after(self.since, least);
        if !past(w.now, due) {
            return ControlFlow::Continue(due);
        }
        w.errand = Errand::Sleep;
        w.automatic_sleep = true;
        w.wake_runner();
        ControlFlow::Break(())
    }

    /// Breaks with `true` when the modem sleeps, and with `false` when it does not within [`SLEEP_BEGIN_LIMIT`].
    fn asked(&mut self, w: &World<'_>, began: Ms) -> ControlFlow<bool, Ms> {
        if w.power == PowerState::Dozing {
            return ControlFlow::Break(true);
        }
        let due = after(began, SLEEP_BEGIN_LIMIT);
        match w.errand {
            // The result stays in the errand, for a user that may wait for it too.
            Errand::Done(end) => {
                if let (Err(error), true) = (end, w.automatic_sleep) {
                    warn!("the modem is not let sleep: {}", error);
                    self.refused = Some(w.generation);
                }
                ControlFlow::Break(false)
            }
            _ if w.link != Link::Up || past(w.now, due) => ControlFlow::Break(false),
            _ => ControlFlow::Continue(due),
        }
    }
}

impl World<'_> {
    /// Returns the bytes in all receive rings, the bytes in all transmit rings, and the number of connections.
    fn traffic_totals(&self) -> (usize, usize, usize) {
        self.slots.iter().fold((0, 0, 0), |(rx, tx, open), slot| {
            let stands = usize::from(slot.phase == Phase::Open);
            (rx + slot.rx.len(), tx + slot.tx.len(), open + stands)
        })
    }

    /// Returns whether there is work now, apart from what waits for a URC or a time.
    fn is_busy(&self) -> bool {
        self.link != Link::Up
            || self.power != PowerState::Awake
            || self.errand_held
            || matches!(self.errand, Errand::PowerOff | Errand::Runs)
            || self.opening
            || self.network_lost
            || self.suspect
            || self.settings_changed
            || self.cleanup
            || self.cleanup_asked
            || self.stray != 0
            || self.changes_credentials()
            || self.mailbox.post != ExchangeState::Free
            || self.slots.iter().any(|slot| slot.works())
    }

    /// Wakes the modem, because it may have something to say, or a sign of life is due. It is asked about every
    /// connection, since URCs may have been lost.
    fn is_called(&mut self) {
        self.ask_all();
        self.suspect |= !self.has_sockets();
        self.wake_runner();
    }
}
