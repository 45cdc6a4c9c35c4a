//! Links that idle for longer than half the clock: times that have come do not become future again.

use super::super::super::time::Ms;
use super::super::super::world::{Errand, Link, PowerState};
use super::harness::*;

const HOUR: Ms = 3_600_000;
/// More than the clock has: it wraps after 49.
const DAYS: u32 = 60;

/// Time goes by with a modem that answers what it is asked.
fn idles<const V: u8>(t: &mut Trace<V>, hours: u32) {
    for _ in 0..hours {
        t.after_answering(HOUR, |asked| match asked {
            b"AT\r" => OK,
            b"AT+RECV=0,16\r" => "\r\n+RECV: 0\r\n\r\nOK\r\n",
            b"AT+LOOK=0\r" => "\r\n+LOOK: UP\r\n\r\nOK\r\n",
            other => panic!("sent {}", other.escape_ascii()),
        });
    }
}

/// A modem that is asked for a sign of life each hour.
fn rarely_asked<const V: u8>(t: &mut Trace<V>) {
    t.with(|_, w| w.poll = HOUR);
}

#[test]
fn an_idle_socket_sends_at_once_after_any_number_of_days() {
    for days in [1, 24, 25, 26, 40, 49, 50, DAYS] {
        trace(|t: &mut Trace| {
            rarely_asked(t);
            let slot = t.open();
            idles(t, 24 * days);
            t.write(slot, "hello");
            t.flush(slot);
            t.plays("AT+SEND=0,5\r", "\r\n> ");
            t.plays("hello", "\r\nSEND OK\r\n");
            t.write(slot, "again");
            t.after(10);
            t.plays("AT+SEND=0,5\r", "\r\n> ");
            t.plays("again", "\r\nSEND OK\r\n");
        });
    }
}

#[test]
fn an_idle_link_opens_at_once() {
    trace(|t: &mut Trace| {
        rarely_asked(t);
        idles(t, 24 * DAYS);
        t.open();
    });
}

#[test]
fn an_idle_link_recovers_at_once() {
    trace(|t: &mut Trace| {
        rarely_asked(t);
        let slot = t.open();
        idles(t, 24 * DAYS);
        t.hear("\r\nBOOT\r\n");
        t.is_reset(slot);
        t.comes_up();
        t.leave(slot);
        t.open();
    });
}

#[test]
fn an_idle_link_that_dies_is_noticed_and_recovers() {
    trace(|t: &mut Trace| {
        rarely_asked(t);
        idles(t, 24 * DAYS);
        t.after(HOUR);
        t.sends("AT\r");
        t.after(1000);
        for _ in 0..3 {
            t.sends("AT+SYNC?\r");
            t.after(1000);
        }
        assert_eq!(t.link(), Link::Down);
        t.comes_up();
    });
}

#[test]
fn an_idle_link_closes_at_once() {
    trace(|t: &mut Trace| {
        rarely_asked(t);
        let slot = t.open();
        idles(t, 24 * DAYS);
        t.leave(slot);
        t.plays("AT+CLOSE=0\r", OK);
    });
}

#[test]
fn an_idle_link_serves_guests_at_once() {
    trace(|t: &mut Trace| {
        rarely_asked(t);
        idles(t, 24 * DAYS);
        let mut guest = t.lines("AT+X?");
        t.waits(&mut guest);
        t.plays("AT+X?\r", OK);
        assert_eq!(t.ends(&mut guest), Ok([].into()));
    });
}

/// For so long nothing is asked at all.
fn off(t: &mut Trace<GAPPY>, days: u32) {
    t.after(50);
    t.with(|_, w| (w.power, w.errand) = (PowerState::Off, Errand::PowerOff));
    t.plays("AT+OFF\r", OK);
    for _ in 0..24 * days {
        t.after(HOUR);
    }
    t.idle();
    t.with(|_, w| w.power = PowerState::Awake);
}

#[test]
fn a_modem_that_was_off_for_weeks_is_brought_up_at_once() {
    for days in [1, 24, 25, 26, 40, 49, 50, DAYS] {
        cold(|t: &mut Trace<GAPPY>| {
            t.plays("AT+SYNC?\r", SYNCED);
            t.after(50);
            t.plays("AT+UP\r", OK);
            off(t, days);
            t.plays("AT+SYNC?\r", SYNCED);
            t.after(50);
            t.plays("AT+UP\r", OK);
            assert_eq!(t.link(), Link::Up);
        });
    }
}

#[test]
fn a_modem_that_saved_power_for_weeks_is_brought_up_at_once() {
    for days in [1, 24, 25, 26, 40, 49, 50, DAYS] {
        trace(|t: &mut Trace| {
            t.hear("\r\nSLEEPING\r\n");
            for _ in 0..24 * days {
                t.after(HOUR);
            }
            t.idle();
            t.want();
            t.comes_up();
            t.sends("AT+OPEN=0\r");
        });
    }
}

#[cfg(feature = "sleep")]
#[test]
fn a_modem_that_slept_for_weeks_is_woken_at_once() {
    for days in [1, 24, 25, 26, 40, 49, 50, DAYS] {
        trace(|t: &mut Trace| {
            let slot = t.open();
            t.with(|_, w| w.errand = Errand::Sleep);
            t.plays("AT+NAP\r", OK);
            for _ in 0..24 * days {
                t.after(HOUR);
            }
            t.idle();
            t.write(slot, "hello");
            t.flush(slot);
            t.after(100);
            t.plays("AT+SYNC?\r", SYNCED);
            t.plays("AT+SEND=0,5\r", "\r\n> ");
            t.plays("hello", "\r\nSEND OK\r\n");
            // What has not been looked for meanwhile is looked for in time.
            t.after(2000);
            t.sends("AT+RECV=0,16\r");
        });
    }
}

#[test]
fn a_ring_that_nobody_reads_for_weeks_is_filled_again_at_once() {
    trace(|t: &mut Trace| {
        rarely_asked(t);
        let slot = t.open();
        t.hear("\r\n+READY: 0\r\n");
        let full = "\r\n+RECV: 16\r\n0123456789abcdef\r\n\r\nOK\r\n";
        t.plays("AT+RECV=0,16\r", full);
        t.plays("AT+RECV=0,16\r", full);
        idles(t, 24 * DAYS);
        assert_eq!(t.read(slot).len(), 32);
        t.sends("AT+RECV=0,16\r");
    });
}
