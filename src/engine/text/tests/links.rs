//! The modem as a whole: bring-up, liveness, loss of the network, rest.

use super::super::super::slot::Phase;
use super::super::super::world::{Errand, Link, PowerState};
use super::harness::*;
use crate::error::{AtError, BringUpError};

#[test]
fn a_modem_is_brought_up_at_the_start() {
    cold(|t: &mut Trace| {
        assert_eq!(t.link(), Link::Down);
        t.comes_up();
        t.idle();
    });
}

#[test]
fn an_attempt_without_an_answer_fails_and_is_made_again() {
    cold(|t: &mut Trace| {
        for _ in 0..3 {
            t.sends("AT+SYNC?\r");
            t.after(1000);
        }
        assert_eq!(t.link(), Link::Failed);
        assert_eq!(t.world.borrow().problem, BringUpError::NoAnswer);
        t.after(499);
        t.silent();
        t.after(501);
        t.comes_up();
    });
}

#[test]
fn pauses_between_attempts_become_longer_up_to_half_a_minute() {
    cold(|t: &mut Trace| {
        let mut longest = 0;
        for _ in 0..12 {
            for _ in 0..3 {
                t.sends("AT+SYNC?\r");
                t.after(1000);
            }
            let begun = t.now;
            while t.sent.is_empty() {
                t.after(50);
            }
            longest = t.now.wrapping_sub(begun);
            assert!(longest <= 30_050, "{longest}");
        }
        assert!(longest >= 15_000, "{longest}");
    });
}

#[test]
fn the_command_of_a_bring_up_that_failed_is_named() {
    cold(|t: &mut Trace| {
        t.plays("AT+SYNC?\r", SYNCED);
        t.plays("AT+UP\r", "\r\n+CME ERROR: 10\r\n");
        let problem = t.world.borrow().problem;
        let error = AtError::Refused(crate::error::Code::Cme(10));
        assert_eq!(
            problem,
            BringUpError::At {
                command: "AT+UP",
                error
            }
        );
    });
}

#[test]
fn a_silent_modem_is_asked_for_a_sign_of_life() {
    trace(|t: &mut Trace| {
        t.after(59_999);
        t.silent();
        t.after(1);
        t.plays("AT\r", OK);
        t.after(59_999);
        t.silent();
        t.after(1);
        t.sends("AT\r");
        t.after(1000);
        for _ in 0..3 {
            t.sends("AT+SYNC?\r");
            t.after(1000);
        }
        assert_eq!(t.link(), Link::Down);
    });
}

#[test]
fn whatever_the_modem_says_is_a_sign_of_life() {
    trace(|t: &mut Trace| {
        t.after(50_000);
        t.hear("\r\n+NOTE: 1\r\n");
        t.after(59_999);
        t.silent();
        t.after(1);
        t.sends("AT\r");
    });
}

#[test]
fn a_late_word_of_a_start_is_looked_into() {
    trace(|t: &mut Trace| {
        t.hear("\r\nREADY\r\n");
        t.plays("AT\r", OK);
        assert_eq!(t.link(), Link::Up);
        t.idle();
        t.hear("\r\nREADY\r\n");
        t.plays("AT\r", "AT\r\r\nOK\r\n");
        assert_eq!(t.link(), Link::Down);
    });
}

#[test]
fn a_command_cut_off_by_a_start_times_out_after_a_second() {
    trace(|t: &mut Trace| {
        t.flow(const { &[noted::<0>("AT+X?").limit(1000).even_unanswered()] });
        t.plays("AT+X?\r", "\r\nREADY\r\n");
        t.after(999);
        t.silent();
        t.after(1);
        t.plays("AT+SYNC?\r", SYNCED);
        t.saw(&["Timeout"]);
    });
}

#[test]
fn without_the_network_everything_is_brought_up_anew() {
    trace(|t: &mut Trace| {
        let slot = t.open();
        t.hear("\r\nNO NET\r\n");
        t.is_reset(slot);
        t.comes_up();
        t.idle();
    });
}

#[test]
fn the_network_is_lost_only_when_the_exchange_has_ended() {
    trace(|t: &mut Trace| {
        t.flow(const { &[noted::<0>("AT+X?")] });
        t.plays("AT+X?\r", "\r\nNO NET\r\n");
        t.silent();
        t.hear(OK);
        t.saw(&["ok "]);
        t.comes_up();
    });
}

#[test]
fn a_modem_that_was_switched_off_is_left_alone() {
    trace(|t: &mut Trace| {
        let slot = t.open();
        t.with(|_, w| (w.power, w.errand) = (PowerState::Off, Errand::PowerOff));
        t.plays("AT+OFF\r", OK);
        t.is_reset(slot);
        assert_eq!(t.world.borrow().errand, Errand::Done(Ok(())));
        t.after(3_600_000);
        t.idle();
        t.hear("\r\nBOOT\r\n");
        t.after(3_600_000);
        t.idle();
        // Switched on again.
        t.with(|_, w| w.power = PowerState::Awake);
        t.comes_up();
    });
}

#[test]
fn a_modem_that_saves_power_is_left_alone_until_it_is_used() {
    trace(|t: &mut Trace| {
        let slot = t.open();
        t.hear("\r\nSLEEPING\r\n");
        t.is_reset(slot);
        t.leave(slot);
        t.after(3_600_000);
        t.idle();
        let slot = t.want();
        t.comes_up();
        t.plays("AT+OPEN=1\r", OK);
        t.hear("\r\n+OPENED: 1,0\r\n");
        t.is(slot, Phase::Open);
    });
}

#[test]
fn a_runner_that_stops_leaves_nothing_behind() {
    trace(|t: &mut Trace| {
        let slot = t.open();
        t.write(slot, "hello");
        t.flush(slot);
        t.sends("AT+SEND=0,5\r");
        t.with(|engine, w| super::super::super::protocol::Protocol::stopped(engine, w));
        t.is_reset(slot);
        t.comes_up();
        t.idle();
    });
}

#[test]
fn what_a_change_of_credentials_left_behind_is_removed() {
    trace(|t: &mut Trace| {
        t.with(|_, w| w.cleanup = true);
        t.plays("AT+CLEAN\r", OK);
        t.idle();
    });
}

#[cfg(feature = "sleep")]
mod sleep {
    use super::*;

    /// It was let sleep, with its connection.
    fn asleep(t: &mut Trace) -> usize {
        let slot = t.open();
        t.with(|_, w| w.errand = Errand::Sleep);
        t.plays("AT+NAP\r", OK);
        t.with(|_, w| assert!(w.pins.asleep));
        t.after(3_600_000);
        t.idle();
        slot
    }

    #[test]
    fn a_modem_that_sleeps_is_woken_for_a_write() {
        trace(|t: &mut Trace| {
            let slot = asleep(t);
            t.write(slot, "hello");
            t.with(|_, w| assert!(!w.pins.asleep));
            t.after(99);
            t.silent();
            t.after(1);
            t.plays("AT+SYNC?\r", SYNCED);
            t.plays("AT+SEND=0,5\r", "\r\n> ");
            t.sends("hello");
        });
    }

    #[test]
    fn a_modem_that_does_not_wake_is_brought_up_anew() {
        trace(|t: &mut Trace| {
            let slot = asleep(t);
            t.hear("\r\n+READY: 0\r\n");
            t.after(100);
            for _ in 0..3 {
                t.sends("AT+SYNC?\r");
                t.after(1000);
            }
            assert_eq!(t.link(), Link::Down);
            t.is_reset(slot);
            t.comes_up();
        });
    }

    #[test]
    fn a_modem_that_refuses_to_sleep_stays_awake() {
        trace(|t: &mut Trace| {
            t.with(|_, w| w.errand = Errand::Sleep);
            t.plays("AT+NAP\r", "\r\nERROR\r\n");
            let refused = Err(AtError::Refused(crate::error::Code::Plain));
            assert_eq!(t.world.borrow().errand, Errand::Done(refused));
            assert_eq!(t.world.borrow().power, PowerState::Awake);
        });
    }
}
