//! Tasks that are polled only when they were woken, as an executor does it: none is forgotten.

extern crate std;

use core::pin::Pin;
use core::sync::atomic::{AtomicBool, Ordering};
use core::task::{Context, Poll, Waker};
use std::boxed::Box;
use std::format;
use std::sync::Arc;
use std::task::Wake;

use super::super::super::slot::Phase;
use super::super::super::time::{after, test_clock};
#[cfg(feature = "sleep")]
use super::super::super::world::Errand;
use super::super::super::world::Link;
use super::harness::*;
use crate::control::{Control, Shutdown};
use crate::error::{AtError, BringUpError, ConnectError};
use crate::socket::Socket;
use crate::tls::{ServerName, TlsConfig};
use crate::{SecureSocket, Tag};

/// Whether a task was woken since it was polled last.
struct Woken(AtomicBool);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// A future with a waker of its own.
struct Task<T> {
    future: Pin<Box<dyn Future<Output = T>>>,
    woken: Arc<Woken>,
}

impl<T> Task<T> {
    fn new(future: impl Future<Output = T> + 'static) -> Self {
        Self {
            future: Box::pin(future),
            woken: Arc::new(Woken(AtomicBool::new(true))),
        }
    }

    /// What an executor does with it: nothing, unless it was woken.
    fn run(&mut self, t: &mut Trace) -> Option<T> {
        t.pump();
        while self.woken.0.swap(false, Ordering::Relaxed) {
            test_clock::set(t.now);
            let waker = Waker::from(self.woken.clone());
            if let Poll::Ready(end) = self.future.as_mut().poll(&mut Context::from_waker(&waker)) {
                t.pump();
                return Some(end);
            }
            t.pump();
        }
        None
    }

    #[track_caller]
    fn waits(&mut self, t: &mut Trace) {
        assert!(self.run(t).is_none(), "it has ended");
    }

    #[track_caller]
    fn ends(&mut self, t: &mut Trace) -> T {
        self.run(t).expect("it has not ended, or was not woken")
    }
}

#[test]
fn a_guest_is_woken_though_another_task_waits_for_tidying() {
    trace(|t: &mut Trace| {
        let (one, other) = (t.at(), t.at());
        let mut guest = Task::new(async move { one.lines(&Typed("AT+X?"), &mut |_| {}).await });
        let mut tidies = Task::new(async move { other.clean_up().await });
        guest.waits(t);
        t.sends("AT+X?\r");
        tidies.waits(t);
        t.hear(OK);
        assert_eq!(guest.ends(t), Ok(()));
        drop(guest);
        t.plays("AT+CLEAN\r", OK);
        assert_eq!(tidies.ends(t), Ok(()));
        t.idle();
    });
}

#[test]
fn a_caller_of_clean_up_is_woken_while_a_guest_waits_for_the_channel() {
    trace(|t: &mut Trace| {
        let (one, other) = (t.at(), t.at());
        let mut tidies = Task::new(async move { one.clean_up().await });
        let mut guest = Task::new(async move { other.lines(&Typed("AT+X?"), &mut |_| {}).await });
        tidies.waits(t);
        t.sends("AT+CLEAN\r");
        guest.waits(t);
        t.hear(OK);
        assert_eq!(tidies.ends(t), Ok(()));
        guest.waits(t);
        t.plays("AT+X?\r", OK);
        assert_eq!(guest.ends(t), Ok(()));
        t.idle();
    });
}

#[test]
fn guests_are_told_of_a_restart_before_the_modem_answers_again() {
    trace(|t: &mut Trace| {
        let at = t.at();
        let mut guests = [(); 3]
            .map(|()| Task::new(async move { at.lines(&Typed("AT+X?"), &mut |_| {}).await }));
        // A flow has the channel.
        t.want();
        t.sends("AT+OPEN=0\r");
        for guest in &mut guests {
            guest.waits(t);
        }
        t.hear("\r\nBOOT\r\n");
        assert_eq!(t.link(), Link::Down);
        for mut guest in guests {
            assert_eq!(guest.ends(t), Err(AtError::ModemReset));
        }
    });
}

#[test]
fn guests_are_told_of_a_restart_during_a_bring_up_too() {
    trace(|t: &mut Trace| {
        t.hear("\r\nBOOT\r\n");
        t.sends("AT+SYNC?\r");
        let at = t.at();
        let mut guest = Task::new(async move { at.lines(&Typed("AT+X?"), &mut |_| {}).await });
        guest.waits(t);
        t.hear("\r\nBOOT\r\n");
        assert_eq!(guest.ends(t), Err(AtError::ModemReset));
    });
}

type Connects = Task<Result<Socket<'static>, ConnectError>>;

fn connects(t: &Trace) -> Connects {
    let control = control(t);
    Task::new(async move {
        let name = ServerName::new("host")?;
        control.connect(name, 8883, &TlsConfig::new(Tag(1))).await
    })
}

fn connected(t: &mut Trace, id: u8) -> Socket<'static> {
    let mut connects = connects(t);
    connects.waits(t);
    t.plays(&format!("AT+OPEN={id}\r"), OK);
    t.hear(format!("\r\n+OPENED: {id},0\r\n"));
    connects.ends(t).unwrap_or_else(|error| panic!("{error}"))
}

#[test]
fn a_connect_that_waits_for_room_is_woken_when_a_socket_is_dropped() {
    trace(|t: &mut Trace| {
        let (mut ended, leaves) = (connected(t, 0), connected(t, 1));
        // The modem has none of the first any more; it is its user's still.
        ended.abort();
        t.plays("AT+CLOSE=0\r", OK);
        // The second is being closed.
        drop(leaves);
        t.sends("AT+CLOSE=1\r");
        let mut third = connects(t);
        third.waits(t);
        drop(ended);
        third.waits(t);
        t.is(0, Phase::Wanted);
        t.hear(OK);
        t.plays("AT+OPEN=2\r", OK);
        t.hear("\r\n+OPENED: 2,0\r\n");
        assert!(third.ends(t).is_ok());
    });
}

fn control(t: &Trace) -> Control<'static, Toy> {
    Control {
        world: t.world,
        engine: t.engine,
        keeps: false,
        patience: None,
    }
}

fn switches_off(t: &Trace) -> Task<Result<Shutdown, BringUpError>> {
    let control = control(t);
    Task::new(async move { control.power_off().await })
}

fn restarted(command: &'static str) -> BringUpError {
    let error = AtError::ModemReset;
    BringUpError::At { command, error }
}

#[test]
fn a_modem_is_switched_off_and_says_so() {
    trace(|t: &mut Trace| {
        let mut off = switches_off(t);
        off.waits(t);
        t.plays("AT+OFF\r", OK);
        off.waits(t);
        t.hear("\r\nBOOT\r\n");
        assert_eq!(off.ends(t), Ok(Shutdown::Confirmed));
        let mut again = switches_off(t);
        assert_eq!(again.ends(t), Err(BringUpError::PoweredOff));
        t.after(3_600_000);
        t.idle();
        control(t).power_on();
        t.comes_up();
    });
}

/// It was without a network, and restarts in the pause before the next attempt: nobody knows whether it answers.
#[test]
fn a_power_off_behind_a_failed_bring_up_and_a_restart_waits_for_the_next() {
    trace(|t: &mut Trace| {
        t.with(|_, w| {
            w.link = Link::Failed;
            w.problem = BringUpError::SimLocked;
            w.retry_at = after(w.now, 30_000);
        });
        t.hear("\r\nBOOT\r\n");
        assert_eq!((t.link(), t.world.borrow().answers), (Link::Failed, false));
        let mut off = switches_off(t);
        off.waits(t);
        t.after(30_000);
        off.waits(t);
        t.comes_up();
        off.waits(t);
        t.plays("AT+OFF\r", OK);
        t.hear("\r\nBOOT\r\n");
        assert_eq!(off.ends(t), Ok(Shutdown::Confirmed));
    });
}

#[test]
fn a_power_off_that_a_restart_overtakes_is_told_and_undone() {
    trace(|t: &mut Trace| {
        // An exchange is under way.
        t.want();
        t.sends("AT+OPEN=0\r");
        let mut off = switches_off(t);
        off.waits(t);
        t.hear("\r\nBOOT\r\n");
        assert_eq!(off.ends(t), Err(restarted("power off")));
        t.comes_up();
    });
}

#[test]
fn a_power_off_that_is_dropped_before_it_was_sent_is_not_sent() {
    trace(|t: &mut Trace| {
        t.want();
        t.sends("AT+OPEN=0\r");
        let mut off = switches_off(t);
        off.waits(t);
        drop(off);
        t.hear("\r\nERROR\r\n");
        t.plays("AT+CLOSE=0\r", OK);
        t.idle();
        assert_eq!(t.link(), Link::Up);
    });
}

#[test]
fn a_modem_that_agrees_to_a_dropped_power_off_is_brought_up_again() {
    trace(|t: &mut Trace| {
        let mut off = switches_off(t);
        off.waits(t);
        t.sends("AT+OFF\r");
        drop(off);
        t.hear(OK);
        t.comes_up();
        // The next one is not mistaken for it.
        let mut off = switches_off(t);
        off.waits(t);
        t.plays("AT+OFF\r", "\r\nERROR\r\n");
        let end = off.ends(t);
        assert!(matches!(
            end,
            Err(BringUpError::At {
                error: AtError::Refused(_),
                ..
            })
        ));
        t.idle();
        assert_eq!(t.link(), Link::Up);
    });
}

#[cfg(feature = "sleep")]
mod sleep {
    use super::*;

    impl crate::modem::Sleeps for Toy {}

    fn sleeps(t: &mut Trace) -> Task<Result<(), AtError>> {
        t.with(|_, w| w.pins.can_sleep = true);
        let control = control(t);
        Task::new(async move { control.sleep().await })
    }

    #[test]
    fn two_that_ask_for_sleep_are_both_told() {
        trace(|t: &mut Trace| {
            let (mut one, mut other) = (sleeps(t), sleeps(t));
            one.waits(t);
            other.waits(t);
            t.plays("AT+NAP\r", OK);
            other.waits(t);
            assert_eq!(one.ends(t), Ok(()));
            // It is woken for the other's, which nobody can know to be the same.
            other.waits(t);
            t.after(100);
            t.plays("AT+SYNC?\r", SYNCED);
            t.plays("AT+NAP\r", OK);
            assert_eq!(other.ends(t), Ok(()));
        });
    }

    #[test]
    fn sleep_and_power_off_are_both_told() {
        trace(|t: &mut Trace| {
            let (mut sleeps, mut off) = (sleeps(t), switches_off(t));
            sleeps.waits(t);
            off.waits(t);
            t.plays("AT+NAP\r", "\r\nERROR\r\n");
            off.waits(t);
            assert!(sleeps.ends(t).is_err());
            off.waits(t);
            t.plays("AT+OFF\r", OK);
            t.hear("\r\nBOOT\r\n");
            assert_eq!(off.ends(t), Ok(Shutdown::Confirmed));
        });
    }

    #[test]
    fn a_sleep_that_a_restart_overtakes_is_told() {
        trace(|t: &mut Trace| {
            let mut sleeps = sleeps(t);
            sleeps.waits(t);
            t.sends("AT+NAP\r");
            t.hear("\r\nBOOT\r\n");
            assert_eq!(sleeps.ends(t), Err(AtError::ModemReset));
            t.comes_up();
            t.idle();
        });
    }

    #[test]
    fn a_modem_in_light_sleep_is_woken_for_tidying() {
        trace(|t: &mut Trace| {
            t.with(|_, w| w.errand = Errand::Sleep);
            t.plays("AT+NAP\r", OK);
            let at = t.at();
            let mut tidies = Task::new(async move { at.clean_up().await });
            tidies.waits(t);
            t.after(100);
            t.plays("AT+SYNC?\r", SYNCED);
            t.plays("AT+CLEAN\r", OK);
            assert_eq!(tidies.ends(t), Ok(()));
        });
    }

    #[test]
    fn a_key_that_wakes_a_modem_is_not_left_pressed_when_it_restarts() {
        trace(|t: &mut Trace| {
            let slot = t.open();
            t.with(|_, w| w.dozes(true));
            t.write(slot, "x");
            t.with(|_, w| assert!(w.pins.power_key));
            t.hear("\r\nBOOT\r\n");
            t.with(|_, w| assert!(!w.pins.power_key));
            t.comes_up();
        });
    }
}
