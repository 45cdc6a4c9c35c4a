use core::future::{pending, poll_fn};
use std::cell::RefCell;
use std::panic::{AssertUnwindSafe, catch_unwind};

use embassy_time::{Duration, Instant, Ticker, Timer, with_timeout};

use super::*;

fn panic_text(run: impl FnOnce()) -> String {
    let payload = catch_unwind(AssertUnwindSafe(run)).expect_err("did not panic");
    match payload.downcast::<String>() {
        Ok(text) => *text,
        Err(payload) => payload
            .downcast::<&str>()
            .expect("panic without text")
            .to_string(),
    }
}

#[test]
fn minutes_pass_at_once() {
    let begin = std::time::Instant::now();
    block_on_virtual(async {
        Timer::after(Duration::from_secs(150)).await;
        assert_eq!(Instant::now(), Instant::from_secs(150));
    });
    assert!(begin.elapsed() < std::time::Duration::from_secs(100));
    assert!(!is_virtual());
}

#[test]
fn timers_fire_in_order() {
    let log = RefCell::new(Vec::new());
    let after = async |millis| {
        Timer::after(Duration::from_millis(millis)).await;
        log.borrow_mut().push((millis, Instant::now().as_millis()));
    };
    block_on_virtual(async { tokio::join!(after(30), after(10), after(20)) });
    assert_eq!(log.into_inner(), [(10, 10), (20, 20), (30, 30)]);
}

#[test]
fn a_join_ends_with_its_later_timer() {
    let end = block_on_virtual(async {
        tokio::join!(
            Timer::after(Duration::from_secs(2)),
            Timer::after(Duration::from_secs(5))
        );
        Instant::now()
    });
    assert_eq!(end, Instant::from_secs(5));
}

#[test]
fn nested_intervals() {
    let count = block_on_virtual(async {
        let mut count = 0;
        let mut outer = Ticker::every(Duration::from_secs(1));
        for _ in 0..3 {
            outer.next().await;
            let mut inner = Ticker::every(Duration::from_millis(100));
            let inner = async {
                loop {
                    inner.next().await;
                    count += 1;
                }
            };
            assert!(
                with_timeout(Duration::from_millis(950), inner)
                    .await
                    .is_err()
            );
        }
        assert_eq!(Instant::now(), Instant::from_millis(3950));
        count
    });
    assert_eq!(count, 27);
}

#[test]
fn a_dropped_timer_does_no_harm() {
    block_on_virtual(async {
        for _ in 0..1000 {
            let done = with_timeout(
                Duration::from_secs(60),
                Timer::after(Duration::from_millis(1)),
            )
            .await;
            assert!(done.is_ok());
        }
        assert_eq!(Instant::now(), Instant::from_secs(1));
    });
}

#[test]
fn spawned_tasks_have_timers_of_their_own() {
    block_on_virtual(tokio::task::LocalSet::new().run_until(async {
        let task = tokio::task::spawn_local(async {
            Timer::after(Duration::from_secs(3)).await;
            Instant::now()
        });
        Timer::after(Duration::from_secs(1)).await;
        assert_eq!(Instant::now(), Instant::from_secs(1));
        assert_eq!(task.await.unwrap(), Instant::from_secs(3));
    }));
}

#[test]
fn each_thread_has_its_own_clock() {
    let barrier = std::sync::Barrier::new(2);
    std::thread::scope(|scope| {
        for seconds in [10, 1000] {
            let barrier = &barrier;
            scope.spawn(move || {
                block_on_virtual(async {
                    Timer::after(Duration::from_secs(seconds)).await;
                    barrier.wait();
                    assert_eq!(Instant::now(), Instant::from_secs(seconds));
                    barrier.wait();
                    Timer::after(Duration::from_secs(seconds)).await;
                    assert_eq!(Instant::now(), Instant::from_secs(2 * seconds));
                });
            });
        }
    });
}

#[test]
fn starts_where_told() {
    let start = Instant::from_secs(86_400);
    let end = VirtualClock::new().start_at(start).run(async {
        assert_eq!(Instant::now(), start);
        Timer::after(Duration::from_secs(1)).await;
        Instant::now()
    });
    assert_eq!(end, start + Duration::from_secs(1));
}

#[test]
fn a_deadlock_says_when() {
    let text = panic_text(|| {
        block_on_virtual(async {
            Timer::after(Duration::from_millis(1500)).await;
            pending::<()>().await;
        });
    });
    assert_eq!(
        text,
        "deadlock in virtual time at 1.500000 s: every task waits and no timer is set"
    );
    assert!(!is_virtual());
}

#[test]
fn a_livelock_is_noticed() {
    let text = panic_text(|| {
        VirtualClock::new().poll_limit(1000).run(poll_fn(|context| {
            context.waker().wake_by_ref();
            Poll::<()>::Pending
        }));
    });
    assert!(
        text.starts_with("livelock in virtual time at 0.000000 s: polled 1000 times"),
        "{text}"
    );
}

#[test]
fn an_endless_interval_is_noticed() {
    let text = panic_text(|| {
        VirtualClock::new()
            .time_limit(Duration::from_secs(60))
            .run(async {
                let mut ticker = Ticker::every(Duration::from_secs(1));
                loop {
                    ticker.next().await;
                }
            });
    });
    assert!(
        text.starts_with("time limit in virtual time at 60.000000 s"),
        "{text}"
    );
}

#[test]
fn a_wake_from_another_thread_is_refused() {
    let text = panic_text(|| {
        let (sender, receiver) = tokio::sync::oneshot::channel();
        block_on_virtual(async {
            let mut receiver = std::pin::pin!(receiver);
            let mut sender = Some(sender);
            poll_fn(|context| {
                let poll = receiver.as_mut().poll(context);
                if let Some(sender) = sender.take() {
                    std::thread::spawn(|| sender.send(()).unwrap())
                        .join()
                        .unwrap();
                }
                poll
            })
            .await
            .unwrap();
        });
    });
    assert!(text.starts_with("woken from another thread"), "{text}");
}

#[test]
fn the_clock_is_virtual_in_destructors() {
    struct Check;
    impl Drop for Check {
        fn drop(&mut self) {
            assert!(is_virtual());
        }
    }
    block_on_virtual(async {
        let _check = Check;
        let never = async {
            let _check = Check;
            pending::<()>().await;
        };
        assert!(with_timeout(Duration::from_secs(1), never).await.is_err());
    });
    assert!(
        panic_text(|| block_on_virtual(async {
            let _check = Check;
            pending().await
        }))
        .starts_with("deadlock")
    );
}
