//! One exchange after the other: results, information text, limits.

extern crate std;

use super::super::super::scheduler::Job;
use super::super::super::world::{Errand, Link};
use super::super::COMMAND_LIMIT;
use super::harness::*;
use crate::error::AtError;
use crate::modem::{Step, Terminator, Then, ask, decide};
use std::string::{String, ToString};

/// Two commands, so that a late answer to the first one has a second one to be mistaken for.
const TWO: &[Step<Toy>] = &[
    noted("AT+X?").limit(10).even_unanswered(),
    noted("AT+Y?").even_unanswered(),
];

#[test]
fn a_command_is_answered() {
    trace(|t: &mut Trace| {
        t.flow(TWO);
        t.plays("AT+X?\r", "\r\n+X: 1\r\n\r\nOK\r\n");
        t.plays("AT+Y?\r", OK);
        t.saw(&["ok +X: 1", "ok "]);
        t.idle();
    });
}

#[test]
fn information_lines_are_collected() {
    trace(|t: &mut Trace| {
        t.flow(TWO);
        t.plays("AT+X?\r", "\r\n+X: 1\r\n+X: 2\r\n\r\nOK\r\n");
        t.saw(&["ok +X: 1\\r\\n+X: 2"]);
    });
}

#[test]
fn a_refusal_keeps_its_number() {
    trace(|t: &mut Trace| {
        t.flow(TWO);
        t.plays("AT+X?\r", "\r\n+CME ERROR: 3\r\n");
        t.plays("AT+Y?\r", "\r\nERROR\r\n");
        t.saw(&["refused Cme(3)", "refused Plain"]);
    });
}

#[test]
fn each_line_is_seen_by_who_asked_for_it() {
    const EACH: &[Step<Toy>] = &[noted("AT+X?").each(|toy, _, line| {
        toy.seen.push(line.escape_ascii().to_string());
    })];
    trace(|t: &mut Trace| {
        t.flow(EACH);
        t.plays("AT+X?\r", "\r\n+X: 1\r\n+X: 2\r\n\r\nOK\r\n");
        t.saw(&["+X: 1", "+X: 2", "ok "]);
    });
}

#[test]
fn a_late_answer_reaches_no_other_command() {
    trace(|t: &mut Trace| {
        t.flow(TWO);
        t.sends("AT+X?\r");
        t.after(1000);
        t.plays("AT+SYNC?\r", "\r\n+X: 1\r\n\r\nOK\r\n");
        t.silent();
        t.hear(SYNCED);
        t.saw(&["Timeout"]);
        t.plays("AT+Y?\r", "\r\n+Y: 2\r\n\r\nOK\r\n");
        t.saw(&["ok +Y: 2"]);
    });
}

#[test]
fn an_answer_a_moment_before_the_limit_counts() {
    trace(|t: &mut Trace| {
        t.flow(TWO);
        t.sends("AT+X?\r");
        t.after(999);
        t.hear(OK);
        t.saw(&["ok "]);
        t.sends("AT+Y?\r");
    });
}

#[test]
fn a_notice_in_an_answer_is_no_part_of_it() {
    trace(|t: &mut Trace| {
        t.flow(TWO);
        t.plays(
            "AT+X?\r",
            "\r\n+X: 1\r\n\r\n+NOTE: 9\r\n+X: 2\r\n\r\nOK\r\n",
        );
        t.saw(&["ok +X: 1\\r\\n+X: 2"]);
    });
}

#[test]
fn an_echo_is_a_restart() {
    trace(|t: &mut Trace| {
        t.flow(TWO);
        t.plays("AT+X?\r", "AT+X?\r\r\n");
        assert_eq!(t.link(), Link::Down);
        t.comes_up();
    });
}

#[test]
fn a_result_that_nobody_asked_for_changes_nothing() {
    trace(|t: &mut Trace| {
        t.hear(OK);
        t.idle();
        t.flow(TWO);
        t.plays("AT+X?\r", "\r\n+X: 1\r\n\r\nOK\r\n");
        t.saw(&["ok +X: 1"]);
    });
}

#[test]
fn a_result_before_the_command_is_out_is_not_its_own() {
    const LONG: &[Step<Toy>] = &[noted("AT+X={z}")];
    trace(|t: &mut Trace| {
        t.with(|engine, _| engine.modem.length = 100);
        t.hold();
        t.flow(LONG);
        t.hear(OK);
        t.saw(&[]);
        t.release();
        assert_eq!(t.sent.len(), 106);
        t.hear("\r\nERROR\r\n");
        t.saw(&["refused Plain"]);
    });
}

#[test]
fn an_answer_that_does_not_fit_is_none() {
    trace(|t: &mut Trace| {
        t.flow(TWO);
        for _ in 0..3 {
            t.hear(["+X: ", &"x".repeat(100), "\r\n"].concat());
        }
        t.hear(OK);
        t.saw(&["ok "]);
    });
}

#[test]
fn a_command_of_the_longest_length_is_sent() {
    const LONG: &[Step<Toy>] = &[noted("AT+X={z}")];
    trace(|t: &mut Trace| {
        t.with(|engine, _| engine.modem.length = COMMAND_LIMIT - 6);
        t.flow(LONG);
        assert_eq!((t.sent.len(), t.sent.last()), (COMMAND_LIMIT, Some(&b'\r')));
        t.hear(OK);
        t.saw(&["ok "]);
    });
}

#[test]
fn a_flow_command_that_is_too_long_is_refused_before_a_byte_is_sent() {
    const LONG: &[Step<Toy>] = &[noted("AT+X={z}")];
    for length in [COMMAND_LIMIT - 5, COMMAND_LIMIT, 3 * COMMAND_LIMIT] {
        trace(|t: &mut Trace| {
            t.with(|engine, _| engine.modem.length = length);
            t.flow_of(Job::PowerOff, LONG);
            t.idle();
            assert_eq!(t.world.borrow().errand, Errand::Done(Err(AtError::TooLong)));
        });
    }
}

#[test]
fn a_judge_that_goes_round_in_a_circle_ends_in_an_error() {
    const CIRCLE: &[Step<Toy>] = &[decide(|_, _, _| Then::Same)];
    trace(|t: &mut Trace| {
        t.flow_of(Job::PowerOff, CIRCLE);
        t.idle();
        assert_eq!(t.world.borrow().errand, Errand::Done(Err(AtError::Garbled)));
    });
}

#[test]
fn a_step_that_is_repeated_waits_as_long_as_its_judge_says() {
    const AGAIN: &[Step<Toy>] = &[ask("AT+X?").then(|_, w, answer| match answer {
        Some(_) => Then::Next,
        None => w.again(500),
    })];
    trace(|t: &mut Trace| {
        t.flow(AGAIN);
        t.plays("AT+X?\r", "\r\nERROR\r\n");
        t.after(499);
        t.silent();
        t.after(1);
        t.plays("AT+X?\r", OK);
        t.idle();
    });
}

#[test]
fn a_step_that_is_left_out_is_not_sent() {
    const SKIPS: &[Step<Toy>] = &[
        ask("AT+X?").then(|_, _, _| Then::Skip),
        ask("AT+Y?"),
        ask("AT+Z?"),
    ];
    trace(|t: &mut Trace| {
        t.flow(SKIPS);
        t.plays("AT+X?\r", OK);
        t.plays("AT+Z?\r", OK);
        t.idle();
    });
}

#[test]
fn a_flow_goes_on_with_another_script() {
    const GOES: &[Step<Toy>] = &[
        ask("AT+X?").then(|_, _, _| Then::To(crate::modem::CLEANUP)),
        ask("AT+Y?"),
    ];
    trace(|t: &mut Trace| {
        t.flow(GOES);
        t.plays("AT+X?\r", OK);
        t.plays("AT+CLEAN\r", OK);
        t.idle();
    });
}

#[test]
fn a_refusal_ends_a_flow_that_wants_acceptance() {
    const PLAIN: &[Step<Toy>] = &[ask("AT+X"), ask("AT+Y")];
    trace(|t: &mut Trace| {
        t.flow_of(Job::PowerOff, PLAIN);
        t.plays("AT+X\r", "\r\n+CME ERROR: 9\r\n");
        t.idle();
        let refused = AtError::Refused(crate::error::Code::Cme(9));
        assert_eq!(t.world.borrow().errand, Errand::Done(Err(refused)));
    });
}

#[test]
fn a_gap_is_kept_behind_results_and_notices() {
    const TWO: &[Step<Toy<GAPPY>>] = &[noted("AT+X?"), noted("AT+Y?")];
    cold(|t: &mut Trace<GAPPY>| {
        t.plays("AT+SYNC?\r", SYNCED);
        t.silent();
        t.after(50);
        t.plays("AT+UP\r", OK);
        t.flow(TWO);
        t.after(49);
        t.silent();
        t.after(1);
        t.plays("AT+X?\r", OK);
        t.after(30);
        t.hear("\r\n+NOTE: 1\r\n");
        t.after(49);
        t.silent();
        t.after(1);
        t.sends("AT+Y?\r");
    });
}

#[test]
fn a_line_ends_as_this_modem_wants_it() {
    for (terminator, line) in [
        (Terminator::Cr, "AT+X?\r"),
        (Terminator::CrLf, "AT+X?\r\n"),
        (Terminator::Lf, "AT+X?\n"),
    ] {
        trace(|t: &mut Trace| {
            t.with(|_, w| w.terminator = terminator);
            t.flow(TWO);
            t.sends(line);
        });
    }
}

#[test]
fn a_prompt_that_no_send_waits_for_is_text() {
    trace(|t: &mut Trace| {
        t.flow(TWO);
        t.plays("AT+X?\r", "\r\n> 1\r\n\r\nOK\r\n");
        t.saw(&["ok > 1"]);
    });
}

#[test]
fn what_a_flow_parks_for_is_kept() {
    const PARKS: &[Step<Toy>] = &[
        ask("AT+X").then(|_, w, _| {
            w.pause = 5000;
            Then::Park
        }),
        decide(|toy, w, _| {
            let (report, len) = w.report;
            toy.seen
                .push(String::from_utf8_lossy(&report[..len.into()]).into());
            Then::Next
        }),
    ];
    trace(|t: &mut Trace| {
        t.flow_of(Job::CleanUp, PARKS);
        t.plays("AT+X\r", OK);
        t.hear("\r\n+NOTE: 1\r\n");
        t.saw(&[]);
        t.hear("\r\n+REPORT: 7\r\n");
        t.saw(&["+REPORT: 7"]);
        t.idle();
    });
}
