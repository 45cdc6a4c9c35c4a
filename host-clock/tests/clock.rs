//! The clock in real time, and its queue under wakers that do not equal their clones.

mod split_waker;

use std::future::pending;
use std::thread;

use embassy_time::{Duration, Instant, Timer, with_timeout};
use sectag_host_clock::Queue;

use split_waker::Split;

sectag_host_clock::time_driver!();

fn block_on<F: Future>(future: F) -> F::Output {
    tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap()
        .block_on(future)
}

#[test]
fn wakes_after_the_asked_duration() {
    let begin = std::time::Instant::now();
    block_on(Timer::after(Duration::from_millis(30)));
    assert!(begin.elapsed() >= std::time::Duration::from_millis(30));
}

#[test]
fn an_earlier_timer_shortens_the_wait_for_a_later_one() {
    let late = thread::spawn(|| block_on(Timer::after(Duration::from_secs(600))));
    let timed_out = block_on(with_timeout(Duration::from_millis(10), pending::<()>()));
    assert!(timed_out.is_err());
    // Ended with the process.
    assert!(!late.is_finished());
}

#[test]
fn never_goes_backwards() {
    let mut last = Instant::now();
    for _ in 0..1000 {
        let now = Instant::now();
        assert!(now >= last);
        last = now;
    }
}

#[test]
fn a_task_has_one_entry_whatever_its_waker_equals() {
    let (one, two) = (Split::new(None), Split::new(None));
    // What the name says; without it this test would hold nothing.
    assert!(!one.waker().will_wake(&one.waker().clone()));
    assert!(one.waker().clone().will_wake(&one.waker().clone()));

    let mut queue = Queue::new();
    for poll in 0..100 {
        queue.schedule(60 + poll, one.waker());
        queue.schedule(10_000, two.waker());
        queue.schedule(20_000 - poll, one.waker());
    }
    let mut due = Vec::new();
    queue.take_due(5_000, &mut due);
    assert_eq!(due.len(), 1);
    due.drain(..).for_each(std::task::Waker::wake);
    assert_eq!((one.take_wakes(), two.take_wakes()), (1, 0));
    queue.take_due(u64::MAX, &mut due);
    assert_eq!(due.len(), 1);
    due.drain(..).for_each(std::task::Waker::wake);
    assert_eq!((one.take_wakes(), two.take_wakes()), (0, 1));
    assert_eq!(queue.earliest(), None);
}

#[test]
fn a_timer_wakes_such_a_task_once() {
    let split = Split::new(None);
    let mut timer = Box::pin(Timer::after(Duration::from_millis(20)));
    let mut context = std::task::Context::from_waker(split.waker());
    while timer.as_mut().poll(&mut context).is_pending() {
        thread::yield_now();
    }
    // The thread that wakes may be later than the one that looked.
    let begin = std::time::Instant::now();
    while begin.elapsed() < std::time::Duration::from_secs(60) {
        match split.take_wakes() {
            0 => thread::yield_now(),
            wakes => return assert_eq!(wakes, 1),
        }
    }
    panic!("not woken");
}
