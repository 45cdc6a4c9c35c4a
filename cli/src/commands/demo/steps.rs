//! What the demo prints: one line per step, and the sum.

use std::cell::RefCell;
use std::time::{Duration, Instant};

use sectag::Counters;

use super::total::Total;
use crate::failure::Failure;
use crate::json::Object;
use crate::report::{Report, Step};

/// One line per step, with what it cost on the wire.
pub(super) struct Steps<'r> {
    pub(super) report: &'r Report,
    before: Counters,
    /// What was begun last, and when.
    begun: RefCell<Option<(String, Instant)>>,
}

/// Where the details begin.
const COLUMN: usize = 52;

impl<'r> Steps<'r> {
    pub(super) fn new(report: &'r Report) -> Result<Self, Failure> {
        if !report.json() {
            let head = line("step", "time", ["exch", "out", "in"], "");
            report.output(head.trim_end().as_bytes())?;
        }
        Ok(Self {
            report,
            before: Counters::default(),
            begun: RefCell::default(),
        })
    }

    pub(super) fn begin(&self, doing: &str) -> Step {
        self.begun.replace(Some((doing.into(), Instant::now())));
        self.report.spin(doing)
    }

    /// The row of the step that was under way when the demo ended.
    pub(super) fn failed(&self, failure: &Failure) -> Result<(), Failure> {
        let Some((doing, begin)) = self.begun.take() else {
            return Ok(());
        };
        let took = begin.elapsed();
        let name = format!("FAIL  {doing}");
        let text = line(&name, &seconds(took), ["", "", ""], failure.observed());
        self.report.row(&text, Some(COLUMN), |object| {
            object
                .text("step", &doing)
                .truth("failed", true)
                .number("ms", took.as_millis() as u64)
                .text("detail", failure.observed())
        })
    }

    /// `now` is absent for a step that the modem has no part in.
    pub(super) fn done(
        &mut self,
        step: Step,
        name: &str,
        now: Option<Counters>,
        detail: &str,
    ) -> Result<(), Failure> {
        let took = step.elapsed();
        self.begun.take();
        // Takes the bar away before the line is printed.
        drop(step);
        let cost = now.map(|now| {
            let before = std::mem::replace(&mut self.before, now);
            [
                now.exchanges.wrapping_sub(before.exchanges),
                now.sent.wrapping_sub(before.sent),
                now.received.wrapping_sub(before.received),
            ]
        });
        let shown = match cost {
            Some(cost) => cost.map(|count| count.to_string()),
            None => ["-"; 3].map(String::from),
        };
        let [exchanges, sent, received] = &shown;
        let text = line(name, &seconds(took), [exchanges, sent, received], detail);
        self.report.row(&text, Some(COLUMN), |object| {
            let object = object
                .text("step", name)
                .number("ms", took.as_millis() as u64);
            match cost {
                Some([exchanges, sent, received]) => wire(object, exchanges, sent, received),
                None => object,
            }
            .text("detail", detail)
        })
    }
}

fn line(name: &str, time: &str, [exchanges, sent, received]: [&str; 3], detail: &str) -> String {
    format!("{name:<28}{time:>7}{exchanges:>5}{sent:>5}{received:>5}  {detail}")
}

fn seconds(time: Duration) -> String {
    format!("{:.2} s", time.as_secs_f64())
}

fn wire(object: Object, exchanges: u32, sent: u32, received: u32) -> Object {
    object
        .number("exchanges", exchanges.into())
        .number("bytes_out", sent.into())
        .number("bytes_in", received.into())
}

pub(super) fn summary(took: Duration, total: &Total, report: &Report) -> Result<(), Failure> {
    let Counters {
        exchanges,
        sent,
        received,
        ..
    } = total.counters;
    let head = line(
        "total",
        &seconds(took),
        [
            &exchanges.to_string(),
            &sent.to_string(),
            &received.to_string(),
        ],
        if total.speaks_at {
            "AT exchanges, bytes out and in"
        } else {
            "exchanges, bytes out and in"
        },
    );
    let Some(memory) = &total.memory else {
        let text = format!(
            "{head}\nThe server's certificate was judged on the host: chain, purpose, name and dates, by the code that firmware has."
        );
        return report.result(&text, |object| {
            let object = object
                .text("step", "total")
                .number("ms", took.as_millis() as u64);
            wire(object, exchanges, sent, received)
        });
    };
    let (state, rings) = (memory.state, memory.rings);
    let text = format!(
        "{}\n\
         sectag's memory: {state} bytes for one socket, of which {rings} are its rings (on this computer; pointers are half as long on a Cortex-M).\n\
         {}{}",
        head,
        if total.checks_name {
            "The modem has checked that the server's certificate is for this name, so the CA could be a public one."
        } else {
            "The modem is not known to check the server's name. The demo's CA is its own and signs this one server, so it is declared \
             private (--private-ca); with a public CA the connection would have been refused."
        },
        if total.hides_suites {
            "\nIt can neither be told which cipher suites to offer nor tell which one it uses: any that it has was accepted."
        } else {
            ""
        }
    );
    report.result(&text, |object| {
        let object = object
            .text("step", "total")
            .number("ms", took.as_millis() as u64);
        wire(object, exchanges, sent, received)
            .number("state_bytes", state as u64)
            .number("ring_bytes", rings as u64)
    })
}
