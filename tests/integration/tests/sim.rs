//! SIMs that are slow, and their PINs, which are entered no more often than is safe; and a network that denies.

use std::cell::Cell;

use embassy_time::{Duration, Instant, Timer};
use sectag::{BringUpError, Code, NoPins};
use sectag_integration_tests::nrf9160;
use sectag_integration_tests::simulated::{World, virtually};
use sectag_simulator::{Nrf9160Options, Nrf9160Profile, Options, Reaction, Sim, Simulator};

/// The right one is 1234.
const SIM: fn() -> Sim = || Sim::PinRequired("1234".into());

/// What a modem says to the first entry of the PIN.
#[derive(Clone, Copy, Debug)]
enum First {
    /// Nothing, and the SIM does not see it.
    Swallowed,
    /// The SIM sees it, and its answer is lost.
    Unanswered,
    /// It cannot take it yet.
    Refused(&'static str),
}

/// Plays that, and counts the entries that the SIM sees. After the first one, `tries` is the answer to who asks how many are
/// left.
fn play(modem: &Simulator, first: First, tries: Option<&'static str>, seen: std::rc::Rc<Cell<u8>>) {
    let began = Cell::new(false);
    modem.set_script(Box::new(move |line| {
        if line.starts_with(b"AT+CPINR=") {
            return match tries {
                Some(_) if !began.get() => {
                    Reaction::Reply(b"\r\n+CPINR: \"SIM PIN\",3,3\r\n\r\nOK\r\n".to_vec())
                }
                Some(tries) => Reaction::Reply(format!("\r\n{tries}\r\n\r\nOK\r\n").into_bytes()),
                None => Reaction::Reply(b"\r\nERROR\r\n".to_vec()),
            };
        }
        if !line.starts_with(b"AT+CPIN=") {
            return Reaction::Normal;
        }
        if !began.replace(true) {
            match first {
                First::Swallowed => return Reaction::Silent,
                First::Unanswered => {
                    seen.set(seen.get() + 1);
                    return Reaction::Silent;
                }
                First::Refused(answer) => {
                    return Reaction::Reply(format!("\r\n{answer}\r\n").into_bytes());
                }
            }
        }
        seen.set(seen.get() + 1);
        Reaction::Normal
    }));
}

/// What becomes of a bring-up with this PIN within ten minutes, on each modem; and how many entries the SIM has seen.
fn with_pin(
    pin: &'static str,
    first: First,
    tries: Option<&'static str>,
) -> [(Result<(), BringUpError>, u8); 2] {
    let seen: std::rc::Rc<Cell<u8>> = std::rc::Rc::default();
    let long = Duration::from_secs(600);
    let bg96 = virtually(async || {
        let world = World::new(Options {
            sim: SIM(),
            ..Options::default()
        });
        play(&world.modem, first, tries, seen.clone());
        let config = sectag_bg96::Config::new().pin(pin).unwrap();
        let up = world
            .attach_with(config, NoPins, async |bench| {
                let up = bench.control.patience(long).wait_up().await;
                Timer::after(long).await;
                up
            })
            .await;
        (up, seen.replace(0))
    });
    let nrf9160 = virtually(async || {
        let world = nrf9160::World::new(Nrf9160Options {
            sim: SIM(),
            ..nrf9160::options(Nrf9160Profile::V3_1)
        });
        play(&world.modem, first, tries, seen.clone());
        let config = nrf9160::CONFIG.pin(pin).unwrap();
        let up = world
            .attach_with(config, async |bench| {
                let up = bench.control.patience(long).wait_up().await;
                Timer::after(long).await;
                up
            })
            .await;
        (up, seen.replace(0))
    });
    [bg96, nrf9160]
}

#[test]
fn a_pin_that_was_swallowed_while_booting_is_entered_again() {
    for first in [
        First::Swallowed,
        First::Refused("+CME ERROR: 14"),
        First::Refused("+CME ERROR: 3"),
    ] {
        for tries in [None, Some("+CPINR: \"SIM PIN\",3")] {
            for (up, seen) in with_pin("1234", first, tries) {
                assert_eq!((up, seen), (Ok(()), 1), "{first:?} {tries:?}");
            }
        }
    }
    // The SIM has taken it, and says so when it is asked.
    for (up, seen) in with_pin("1234", First::Unanswered, None) {
        assert_eq!(up, Ok(()));
        assert_eq!(seen, 2);
    }
}

/// A wrong one is refused once, whatever became of an entry before; where the modem tells that a try is gone, the entry
/// without an answer is not repeated.
#[test]
fn a_wrong_pin_is_seen_once_by_the_sim() {
    for first in [First::Swallowed, First::Refused("+CME ERROR: 14")] {
        for (up, seen) in with_pin("9999", first, None) {
            let refused = Err(BringUpError::SimPinRefused);
            assert_eq!((up, seen), (refused, 1), "{first:?}");
        }
    }
    for tries in ["+CPINR: \"SIM PIN\",2", "+CPINR: SIM PIN,1,3"] {
        for (up, seen) in with_pin("9999", First::Unanswered, Some(tries)) {
            let refused = Err(BringUpError::SimPinRefused);
            assert_eq!((up, seen), (refused, 1), "{tries}");
        }
    }
    for said in ["+CME ERROR: 16", "+CME ERROR: 12", "ERROR"] {
        for (up, seen) in with_pin("9999", First::Refused(said), None) {
            assert!(up.is_err_and(|error| error.is_lasting()), "{said}");
            assert_eq!(seen, 0, "{said}");
        }
    }
}

/// A card that is read late is refused with 10 at first (bg96 sheet, 1.4).
#[test]
fn a_sim_that_is_read_late_is_not_missing() {
    virtually(async || {
        let world = World::new(Options::default());
        let since = Instant::now();
        world.modem.set_script(Box::new(move |line| {
            if line == b"AT+CPIN?" && since.elapsed() < Duration::from_secs(15) {
                return Reaction::Reply(b"\r\n+CME ERROR: 10\r\n".to_vec());
            }
            Reaction::Normal
        }));
        let first =
            world.attach(async |bench| bench.control.patience(Duration::MIN).wait_up().await);
        assert_eq!(first.await, Ok(()));
        let world = World::new(Options {
            sim: Sim::Missing,
            ..Options::default()
        });
        let missing = world.attach(async |bench| bench.control.wait_up().await);
        let error = BringUpError::SimMissing(Code::Cme(10));
        assert_eq!(missing.await, Err(error));
    });
}

#[test]
fn a_denial_is_told_at_once_and_waiting_goes_on() {
    let denied = Cell::new(true);
    let denied: &'static Cell<bool> = Box::leak(Box::new(denied));
    virtually(async || {
        let world = World::new(Options::default());
        world.modem.set_script(Box::new(|line| {
            if denied.get() && (line == b"AT+CEREG?" || line == b"AT+CGREG?") {
                let name = String::from_utf8_lossy(&line[2..8]).into_owned();
                return Reaction::Reply(format!("\r\n{name}: 0,3\r\n\r\nOK\r\n").into_bytes());
            }
            Reaction::Normal
        }));
        world
            .attach(async |bench| {
                Timer::after_secs(10).await;
                assert!(bench.control.is_denied());
                denied.set(false);
                assert_eq!(bench.control.wait_up().await, Ok(()));
                assert!(!bench.control.is_denied());
            })
            .await;
    });
}
