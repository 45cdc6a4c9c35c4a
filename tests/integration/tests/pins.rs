//! The board's pins when the runner stops: none stays pressed.

use std::cell::RefCell;
use std::rc::Rc;

use embassy_futures::select::{Either, Either3, select, select3};
use embassy_time::{Duration, Timer, with_timeout};
use embedded_io_adapters::tokio_1::FromTokio;
use sectag::{BringUpError, NoticePin, Power, State};
use sectag_bg96::{Bg96, Config};
use sectag_cc3200::at::Cc32xx;
use sectag_integration_tests::cc32xx;
use sectag_integration_tests::scripted::Modem;
use sectag_simulator::time::VirtualClock;
use sectag_simulator::{MemoryNetwork, Options, Simulator};

/// What was done to the pins.
#[derive(Clone, Debug, PartialEq)]
enum Pin {
    Key(bool),
    Reset(bool),
    Sleep(bool),
}

/// A board with all pins, or with the sleep pin alone.
#[derive(Clone)]
struct Board {
    all: bool,
    done: Rc<RefCell<Vec<Pin>>>,
}

impl Board {
    fn new(all: bool) -> Self {
        Self {
            all,
            done: Rc::default(),
        }
    }

    async fn waits_for(&self, pin: Pin) {
        while self.done.borrow().last() != Some(&pin) {
            Timer::after_millis(10).await;
        }
    }
}

impl Power for Board {
    fn has_power_key(&self) -> bool {
        self.all
    }
    fn has_reset(&self) -> bool {
        self.all
    }
    fn power_key(&mut self, pressed: bool) {
        self.done.borrow_mut().push(Pin::Key(pressed));
    }
    fn reset(&mut self, asserted: bool) {
        self.done.borrow_mut().push(Pin::Reset(asserted));
    }
    fn status(&mut self) -> Option<bool> {
        None
    }
    fn has_sleep(&self) -> bool {
        true
    }
    fn sleep(&mut self, asleep: bool) {
        self.done.borrow_mut().push(Pin::Sleep(asleep));
    }
}

/// A modem that never answers is woken by this pin; the runner is dropped while it is pressed.
fn dropped_at(pressed: Pin, released: Pin) {
    let board = Board::new(true);
    let (host, _device) = tokio::io::duplex(64 * 1024);
    let (rx, tx) = tokio::io::split(host);
    let state = Box::leak(Box::new(State::<Bg96, 2, 1024, 1024>::new()));
    let (_, mut runner) = sectag::new(
        state,
        Bg96::new(Config::new()),
        FromTokio::new(rx),
        FromTokio::new(tx),
        board.clone(),
    );
    VirtualClock::new().run(async {
        // The second time shows that the next run presses it again.
        for _ in 0..2 {
            board.done.borrow_mut().clear();
            let seen = select3(
                runner.run(),
                board.waits_for(pressed.clone()),
                Timer::after_secs(3600),
            );
            assert!(matches!(seen.await, Either3::Second(())));
            assert_eq!(board.done.borrow().last(), Some(&released));
        }
    });
}

#[test]
fn a_power_key_that_is_pressed_is_released_when_the_runner_stops() {
    dropped_at(Pin::Key(true), Pin::Key(false));
}

#[test]
fn a_reset_that_is_asserted_is_released_when_the_runner_stops() {
    dropped_at(Pin::Reset(true), Pin::Reset(false));
}

/// What is dead is reset, and told all the same.
#[test]
fn a_bring_up_of_a_dead_cc32xx_ends_with_its_reason() {
    let board = Board::new(true);
    let (host, _device) = tokio::io::duplex(64 * 1024);
    let (rx, tx) = tokio::io::split(host);
    let state = Box::leak(Box::new(State::<Cc32xx, 1, 1024, 1024>::new()));
    let (control, mut runner) = sectag::new(
        state,
        Cc32xx::new(cc32xx::CONFIG),
        FromTokio::new(rx),
        FromTokio::new(tx),
        board.clone(),
    );
    VirtualClock::new().run(async {
        let hasty = control.patience(Duration::from_secs(1));
        let limited = with_timeout(Duration::from_secs(300), hasty.wait_up());
        match select(runner.run(), limited).await {
            Either::First(error) => panic!("{error}"),
            Either::Second(up) => assert_eq!(up, Ok(Err(BringUpError::NoAnswer))),
        }
    });
    assert!(board.done.borrow().contains(&Pin::Reset(true)));
}

#[test]
fn a_modem_in_light_sleep_is_woken_when_the_runner_stops() {
    let board = Board::new(false);
    let (host, device) = tokio::io::duplex(64 * 1024);
    let (rx, tx) = tokio::io::split(host);
    let state = Box::leak(Box::new(State::<Bg96, 2, 1024, 1024>::new()));
    let (control, mut runner) = sectag::new(
        state,
        Bg96::new(Config::new()),
        FromTokio::new(rx),
        FromTokio::new(tx),
        board.clone(),
    );
    VirtualClock::new().run(async {
        let modem = async {
            Modem::new(device, 64).obey_until(|_| false).await;
        };
        let application = async {
            let sleeps = select3(runner.run(), control.sleep(), Timer::after_secs(3600));
            assert!(matches!(sleeps.await, Either3::Second(Ok(()))));
            assert_eq!(
                board.done.take(),
                [Pin::Sleep(true), Pin::Sleep(false)],
                "asleep, and released"
            );
            assert!(!control.is_asleep());
            let up = with_timeout(Duration::from_secs(60), control.wait_up());
            let up = select3(runner.run(), up, Timer::after_secs(3600));
            assert!(matches!(up.await, Either3::Second(Ok(Ok(())))));
        };
        match select(modem, application).await {
            Either::First(()) => unreachable!("it obeys for ever"),
            Either::Second(()) => {}
        }
    });
}

#[test]
fn a_uart_that_is_off_in_light_sleep_is_switched_on_when_the_runner_stops() {
    let uart = Rc::new(RefCell::new(Vec::new()));
    let (host, device) = tokio::io::duplex(64 * 1024);
    let (rx, tx) = tokio::io::split(host);
    let state = Box::leak(Box::new(State::<Bg96, 2, 1024, 1024>::new()));
    let (_, runner) = sectag::new(
        state,
        Bg96::new(Config::new()),
        FromTokio::new(rx),
        FromTokio::new(tx),
        Board::new(false),
    );
    // A pin that never rings.
    let mute = Simulator::bg96(Options::default(), Rc::new(MemoryNetwork::new()));
    let switched = uart.clone();
    let pin = NoticePin::new(mute.notice_pin()).switch(move |on| switched.borrow_mut().push(on));
    let mut runner = runner.with_notice_pin(pin);
    VirtualClock::new().run(async {
        let modem = async {
            Modem::new(device, 64).obey_until(|_| false).await;
        };
        let application = async {
            let off = async {
                while uart.borrow().last() != Some(&false) {
                    Timer::after_millis(10).await;
                }
            };
            let seen = select3(runner.run(), off, Timer::after_secs(600));
            assert!(matches!(seen.await, Either3::Second(())));
            assert_eq!(uart.take(), [false, true]);
        };
        match select(modem, application).await {
            Either::First(()) => unreachable!("it obeys for ever"),
            Either::Second(()) => {}
        }
    });
}
