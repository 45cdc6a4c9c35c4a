//! A waker that never equals its clones, while these equal each other: what a compiler may make of any waker whose
//! table of functions it copies. Here it is made by hand, so that a test sees it in every build.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{RawWaker, RawWakerVTable, Waker};

static GIVEN: RawWakerVTable = RawWakerVTable::new(clone, wake, wake_by_ref, forget);
static CLONED: RawWakerVTable = RawWakerVTable::new(clone, wake, wake_by_ref, forget);

#[derive(Default)]
struct Task {
    wakes: AtomicUsize,
    /// Who is woken in turn.
    outer: Mutex<Option<Waker>>,
}

impl Task {
    fn wake(&self) {
        self.wakes.fetch_add(1, Ordering::Relaxed);
        if let Some(outer) = &*self.outer.lock().unwrap() {
            outer.wake_by_ref();
        }
    }
}

/// Counts how often its waker was woken.
pub(crate) struct Split {
    waker: Waker,
    task: Arc<Task>,
}

impl Split {
    /// For a task of its own, or one that is woken through the waker of another.
    pub(crate) fn new(outer: Option<&Waker>) -> Self {
        let task = Arc::new(Task {
            outer: Mutex::new(outer.cloned()),
            ..Task::default()
        });
        let data = Arc::into_raw(Arc::clone(&task)).cast();
        // SAFETY: the functions of the tables take `data` for what it is, a task in an Arc of which each waker has one
        // share; a task may be woken from any thread.
        let waker = unsafe { Waker::new(data, &GIVEN) };
        Self { waker, task }
    }

    pub(crate) fn waker(&self) -> &Waker {
        &self.waker
    }

    /// How often it was woken since this was asked last.
    pub(crate) fn take_wakes(&self) -> usize {
        self.task.wakes.swap(0, Ordering::Relaxed)
    }
}

unsafe fn clone(data: *const ()) -> RawWaker {
    // SAFETY: `data` is of an Arc that lives as long as the waker that is cloned.
    unsafe { Arc::increment_strong_count(data.cast::<Task>()) };
    RawWaker::new(data, &CLONED)
}

unsafe fn wake(data: *const ()) {
    // SAFETY: the waker is consumed, and with it its share.
    unsafe { Arc::from_raw(data.cast::<Task>()) }.wake();
}

unsafe fn wake_by_ref(data: *const ()) {
    // SAFETY: the waker's share keeps the task alive.
    unsafe { &*data.cast::<Task>() }.wake();
}

unsafe fn forget(data: *const ()) {
    // SAFETY: the waker goes, and with it its share.
    drop(unsafe { Arc::from_raw(data.cast::<Task>()) });
}
