//! Ends exchanges that lost their caller: dropped, out of time, or answered against the grammar.
//!
//! It holds the turn until the modem is known to be in line mode with no answer outstanding, so that
//! a late answer never reaches another command.

use core::pin::pin;

use embassy_time::{Duration, Instant, Timer};

use super::core::{COMMAND_LIMIT, Core, Link, Outcome, Plan, Resync, Stage, ask_all};
use super::{Engine, apart};
use crate::modem::{Abort, Modem, Phase};

/// The modem answers a query within 300 ms; three tries in case the first ones met a late answer.
const SYNC_PATIENCE: Duration = Duration::from_secs(1);
const SYNC_TRIES: usize = 3;
/// Silence before and behind `+++`: at least 1 s (bg96 sheet, 4.7), and a UART may be slow.
const ESCAPE_GUARD: Duration = Duration::from_millis(1100);
/// The longest line that a modem keeps, and more (nrf9160 sheet, 1.4: 4095).
const LINE_BUFFER: usize = 4096;
const BACKSPACE: u8 = 8;
const QUOTE_PAUSE: Duration = Duration::from_millis(100);
/// A caller that has not looked at its exchange for this long after its limit has lost it.
const CALLER_PATIENCE: Duration = Duration::from_secs(5);

pub(crate) async fn run<M: Modem>(engine: Engine<'_>, modem: &M) -> ! {
    let core = engine.core;
    loop {
        core.changed
            .until(|| (core.orphan.get() || core.stage.get() != Stage::Idle).then_some(()))
            .await;
        // An exchange is running: its caller ends it, or leaves it, or is not polled any more.
        let overdue = core.deadline.get().saturating_add(CALLER_PATIENCE);
        let mut left = || core.orphan.get() || core.stage.get() == Stage::Idle;
        core.changed.until_or(overdue, &mut left).await;
        let overdue = core.deadline.get().saturating_add(CALLER_PATIENCE) <= Instant::now();
        if !core.orphan.get() && (core.stage.get() == Stage::Idle || !overdue) {
            continue;
        }
        // From now on it is not its caller's.
        core.exchange.set(core.exchange.get().wrapping_add(1));
        core.orphan.set(true);
        let upload = matches!(core.plan.get(), Plan::Upload { .. } | Plan::Quoted { .. });
        apart(pin!(settle(engine, modem))).await;
        if upload {
            core.tidy.set(true);
        }
        core.orphan.set(false);
        core.resync.set(Resync::Off);
        core.stage.set(Stage::Idle);
        core.turn.release();
        core.changed.wake();
        core.work.wake();
    }
}

async fn settle<M: Modem>(engine: Engine<'_>, modem: &M) {
    let core = engine.core;
    loop {
        match core.stage.get() {
            Stage::Done(Outcome::Final(_) | Outcome::Reset) | Stage::Idle => return,
            Stage::Done(Outcome::Garbled) => break,
            Stage::Info => core.set_stage(Stage::Line),
            // A dropped upload: complete what was announced.
            Stage::Data { left } if matches!(core.plan.get(), Plan::Upload { .. }) => {
                feed_filler(engine, left);
            }
            // Nobody brings the rest.
            Stage::Data { .. }
                if matches!(core.plan.get(), Plan::Quoted { .. } | Plan::Pipe { .. })
                    && core.out_sent.get() >= core.out_len.get() =>
            {
                break;
            }
            _ => {}
        }
        let before = core.stage.get();
        let mut moved = || {
            let idle = core.out_sent.get() >= core.out_len.get();
            let stage = core.stage.get();
            let fed = !matches!(core.plan.get(), Plan::Quoted { .. } | Plan::Pipe { .. });
            (stage != before && (idle || !matches!(stage, Stage::Data { .. })))
                || (idle && !fed && matches!(stage, Stage::Data { .. }))
        };
        let deadline = core.deadline.get();
        let moved = core.changed.until_or(deadline, &mut moved).await;
        if !moved && core.deadline.get() <= Instant::now() {
            break;
        }
    }
    if core.link.get() != Link::Up {
        // Bring-up asks in vain as long as it takes, and synchronises by itself once it is answered.
        core.framer.borrow_mut().reset();
        core.out_sent.set(core.out_len.get());
        core.line_mode.set(false);
        return;
    }
    let phase = core.phase();
    if let Plan::Receive { max, .. } | Plan::Fetch { max } = core.plan.get() {
        core.late_payload.set(max);
    }
    warn!("giving up an exchange");
    core.count(|counters| counters.resyncs = counters.resyncs.wrapping_add(1));
    core.resync.set(Resync::Deaf);
    let synchronised = match modem.abort(phase) {
        Abort::Restart => false,
        Abort::Filler => {
            if let Phase::Counted { left } = phase {
                complete(engine, left).await;
            }
            synchronise(engine).await
        }
        Abort::Escape => {
            escape(engine).await;
            synchronise(engine).await
        }
        Abort::Quote => unquote(engine).await,
        Abort::Synchronise => synchronise(engine).await,
    };
    if synchronised {
        ask_all(engine.table);
        core.changed.wake();
        core.work.wake();
    } else if !matches!(core.stage.get(), Stage::Done(Outcome::Reset)) {
        warn!("the modem does not answer");
        core.line_mode.set(false);
        engine.core.link_down(engine.table);
    }
}

fn feed_filler(engine: Engine<'_>, left: usize) {
    let core = engine.core;
    if core.out_sent.get() < core.out_len.get() {
        return;
    }
    let chunk = left.min(COMMAND_LIMIT);
    core.out.borrow_mut()[..chunk].fill(b'\n');
    core.submit(chunk);
}

/// Feeds the missing bytes of a counted phase, as far as the UART takes them.
async fn complete(engine: Engine<'_>, left: usize) {
    let core = engine.core;
    core.stage.set(Stage::Line);
    let mut left = left;
    while left > 0 {
        let chunk = left.min(COMMAND_LIMIT);
        feed_filler(engine, chunk);
        let limit = Instant::now() + SYNC_PATIENCE;
        let mut drained = || core.out_sent.get() >= core.out_len.get();
        if !core.changed.until_or(limit, &mut drained).await {
            return;
        }
        left -= chunk;
    }
}

/// Gets out of a quoted argument without completing the line that it is in, which would store what came
/// of it so far: deletes the line, backspace by backspace, and closes the quote with one that is deleted
/// too. A parser that counts deleted quotes is then where the other one was, so that it is done twice
/// (nrf9160 sheet, 1.4).
///
/// The caller holds the turn.
pub(crate) async fn unquote(engine: Engine<'_>) -> bool {
    let core = engine.core;
    core.stage.set(Stage::Line);
    for _ in 0..2 {
        let mut left = LINE_BUFFER;
        while left > 0 {
            let chunk = left.min(COMMAND_LIMIT);
            core.out.borrow_mut()[..chunk].fill(BACKSPACE);
            if !put(engine, chunk).await {
                return false;
            }
            left -= chunk;
        }
        let end = core.terminator.get().bytes();
        {
            let mut out = core.out.borrow_mut();
            out[..2].copy_from_slice(&[b'"', BACKSPACE]);
            out[2..2 + end.len()].copy_from_slice(end);
        }
        if !put(engine, 2 + end.len()).await {
            return false;
        }
        // An ERROR, or nothing.
        Timer::after(QUOTE_PAUSE).await;
        if synchronise(engine).await {
            return true;
        }
        // It has answered, so that it is out of the quotes: the other time would lead into them again.
        if core.stage.get() == Stage::Done(Outcome::Reset) {
            return false;
        }
    }
    false
}

/// Has the first `len` bytes of `out` put on the UART; returns whether it took them.
async fn put(engine: Engine<'_>, len: usize) -> bool {
    let core = engine.core;
    core.submit(len);
    let limit = Instant::now() + SYNC_PATIENCE;
    let mut drained = || core.out_sent.get() >= core.out_len.get();
    core.changed.until_or(limit, &mut drained).await
}

/// Leaves data mode: `+++` between two silences. In line mode it is noise in front of the next command,
/// and of an announced payload the first three bytes.
///
/// The caller holds the turn.
pub(crate) async fn escape(engine: Engine<'_>) {
    let core = engine.core;
    Timer::after(ESCAPE_GUARD).await;
    core.out.borrow_mut()[..3].copy_from_slice(b"+++");
    core.submit(3);
    let limit = Instant::now() + SYNC_PATIENCE;
    let mut drained = || core.out_sent.get() >= core.out_len.get();
    core.changed.until_or(limit, &mut drained).await;
    core.out_sent.set(core.out_len.get());
    Timer::after(ESCAPE_GUARD).await;
}

/// Sends the marker and skips everything up to its answer.
///
/// The caller holds the turn.
pub(crate) async fn synchronise(engine: Engine<'_>) -> bool {
    let core = engine.core;
    let mut asked = 0;
    while asked < SYNC_TRIES {
        if core.stage.get() == Stage::Done(Outcome::Reset) {
            return false;
        }
        let left = core.framer.borrow().payload_left();
        if left == 0 || asked > 0 {
            core.framer.borrow_mut().reset();
        }
        let command = core.fixed.sync.command.as_bytes();
        core.out.borrow_mut()[..command.len()].copy_from_slice(command);
        core.resync.set(Resync::Deaf);
        core.begin(command.len(), Plan::Collect, SYNC_PATIENCE);
        asked += 1;
        if answered(core).await {
            break;
        }
        if asked == SYNC_TRIES {
            return false;
        }
    }
    // It may answer the earlier ones as well, and those answers are nobody's.
    for _ in 1..asked {
        core.resync.set(Resync::Deaf);
        if !answered(core).await {
            break;
        }
    }
    let synchronised = core.stage.get() != Stage::Done(Outcome::Reset);
    core.line_mode.set(synchronised || core.line_mode.get());
    synchronised
}

/// Waits for one answer to the marker.
async fn answered(core: &Core) -> bool {
    let reset = || core.stage.get() == Stage::Done(Outcome::Reset);
    let mut done = || reset() || core.resync.get() == Resync::Synchronised;
    let limit = Instant::now() + SYNC_PATIENCE;
    core.changed.until_or(limit, &mut done).await && !reset()
}
