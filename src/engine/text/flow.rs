//! Flows: the course of a script from one step to the next.

use super::super::scheduler::Job;
use super::super::time::{Ms, after, past};
use super::super::world::{NOT_YET, World};
use super::{COMMAND_LIMIT, Engine, Stage};
use crate::at::Out;
use crate::at::framing::Framing;
use crate::engine::backend::{DECIDES, EVEN_UNANSWERED, Modem, SENDS, Step, Then, decide};
use crate::error::{AtError, BringUpError, ConnectError};

/// The most steps in a row that send nothing; no flow takes more. A circle of judges ends in an error instead of a hang.
const DECISIONS_LIMIT: u16 = 1000;

/// A flow: the job that it does, and its place in the script.
#[cfg_attr(test, derive(Clone))]
pub(super) struct Flow<M: 'static> {
    pub(super) job: Job,
    /// The step that is under way, and those after it.
    pub(super) steps: &'static [Step<M>],
    /// The time of the next step; of a parked flow, its deadline.
    pub(super) resume_at: Ms,
    /// The time at which the flow began.
    start: Ms,
    /// The number of steps in a row that sent nothing.
    decisions: u16,
    /// The URC that the flow waits for may have been skipped while the channel was synchronised.
    missed: bool,
}

impl<M: Modem> Engine<M> {
    /// The engine's own script after light sleep.
    const AWAKE: &'static [Step<M>] = &[
        decide(|_, _, _| Then::Synchronise),
        decide(|_, _, _| Then::End),
    ];

    pub(super) fn start(&mut self, w: &mut World<'_>, job: Job, steps: &'static [Step<M>]) {
        w.start = w.now;
        w.pause = 0;
        self.flow = Some(Flow {
            job,
            steps,
            resume_at: w.now,
            start: w.now,
            decisions: 0,
            missed: false,
        });
    }

    pub(super) fn start_awake(&mut self, w: &mut World<'_>) {
        self.start(w, Job::Awake, Self::AWAKE);
    }

    /// Begins a step: sends its command, or lets its judge decide.
    pub(super) fn step(&mut self, w: &mut World<'_>, step: &'static Step<M>) {
        w.command = step.text;
        if M::Framing::FRAMES && step.flags & (DECIDES | SENDS) == DECIDES | SENDS {
            w.taken = w.len;
            return self.begin_frames(w, step);
        }
        if step.flags & DECIDES != 0 {
            if let Some(flow) = &mut self.flow {
                flow.decisions += 1;
                if flow.decisions > DECISIONS_LIMIT {
                    let then = w.fail(AtError::Garbled);
                    return self.advance(w, then);
                }
            }
            let then = (step.judge)(&mut self.modem, w, None);
            return self.advance(w, then);
        }
        if let Some(flow) = &mut self.flow {
            flow.decisions = 0;
            // The modem restarted in a pause of the bring-up, so its earlier settings are void.
            let void = flow.job == Job::BringUp && w.restarted;
            if void && step.flags & EVEN_UNANSWERED == 0 {
                let then = w.fail(AtError::ModemReset);
                return self.advance(w, then);
            }
        }
        let mut out = Out {
            buf: &mut self.out,
            len: 0,
        };
        let mut text = step.text.as_bytes();
        while let [byte, rest @ ..] = text {
            text = rest;
            match (byte, rest) {
                (b'{', [name, b'}', rest @ ..]) => {
                    text = rest;
                    self.modem.argument(*name, w, &mut out);
                }
                _ => out.byte(*byte),
            }
        }
        let len = out.len;
        w.taken = w.len;
        let begun = if len > COMMAND_LIMIT {
            Err(AtError::TooLong)
        } else {
            self.begin(w, len, step.flags, Ms::from(step.limit) * 100)
        };
        if let Err(error) = begun {
            let then = w.fail(error);
            self.advance(w, then);
        }
    }

    /// Ends an exchange: gives its result to the guest, or to the judge of its step.
    pub(super) fn ended(&mut self, w: &mut World<'_>, end: Result<(), AtError>) {
        self.stage = Stage::Idle;
        self.framer.arm_prompt(None);
        if self.flags & Self::GUEST != 0 {
            return self.guest_ended(w, end);
        }
        let Some(step) = self.flow.as_ref().and_then(|flow| flow.steps.first()) else {
            return;
        };
        let judged = match end {
            Ok(()) if self.overflowed => Some(&[][..]),
            Ok(()) => self.answer.get(..self.answer_len),
            Err(AtError::Refused(code)) => {
                w.code = code;
                None
            }
            Err(error) => {
                w.ended = Some(error);
                if !step.looks_at(error) {
                    let then = w.fail(error);
                    return self.advance(w, then);
                }
                w.code = crate::error::Code::Plain;
                None
            }
        };
        let then = (step.judge)(&mut self.modem, w, judged);
        self.advance(w, then);
    }

    pub(super) fn advance(&mut self, w: &mut World<'_>, then: Then) {
        let Some(flow) = &mut self.flow else { return };
        let behind = flow.steps.get(1..).unwrap_or(&[]);
        match then {
            Then::Same => {}
            Then::To(number) => flow.steps = M::script(number),
            Then::Fail => return self.flow_ended(w, false),
            Then::End => flow.steps = &[],
            Then::Next | Then::Park => flow.steps = behind,
            Then::Skip => flow.steps = behind.get(1..).unwrap_or(&[]),
            Then::Escape | Then::Fill | Then::Synchronise | Then::Unquote => {
                // The step stays current, since a rescue that fails looks at the step that asked for it.
                flow.resume_at = after(w.now, core::mem::take(&mut w.pause));
                return self.rescue_for_flow(w, then);
            }
        }
        flow.resume_at = after(w.now, core::mem::take(&mut w.pause));
        let over = flow.steps.is_empty();
        if then == Then::Park {
            self.parked = self.flow.take();
        } else if over {
            self.flow_ended(w, true);
        }
    }

    /// Goes on with the flow after a rescue that it asked for.
    pub(super) fn rescue_over(&mut self, w: &mut World<'_>, end: Result<(), AtError>) {
        let Some(flow) = &mut self.flow else { return };
        let even = flow
            .steps
            .first()
            .is_some_and(|step| step.flags & EVEN_UNANSWERED != 0);
        w.ended = end.err();
        // A modem that restarted in the rescue is alive. The next step decides whether earlier settings still count.
        if end == Err(AtError::Timeout) && !even {
            w.failure = ConnectError::BringUp(BringUpError::NoAnswer);
            return self.flow_ended(w, false);
        }
        flow.steps = flow.steps.get(1..).unwrap_or(&[]);
        if flow.steps.is_empty() {
            self.flow_ended(w, true);
        }
    }

    pub(super) fn flow_ended(&mut self, w: &mut World<'_>, done: bool) {
        if let Some(flow) = self.flow.take() {
            self.job_ended(w, flow.job, done);
        }
    }

    /// Goes on with the parked flow where its URC has come or its time is over. Returns whether it did.
    pub(super) fn resume_parked(&mut self, w: &mut World<'_>) -> bool {
        let Some(parked) = &self.parked else {
            return false;
        };
        let said = match parked.job {
            Job::BringUp => w.report.1 > 0 || w.booted || w.restarted,
            Job::Open(_) => w.report.1 > 0 || w.open.is_none_or(|open| open.result != NOT_YET),
            _ => w.report.1 > 0,
        };
        let at = parked.resume_at;
        // What is closed was open, or will not be: the URC that would have said so was lost.
        let closed =
            matches!(parked.job, Job::Open(slot) if w.slots[usize::from(slot)].peer_closed);
        let missed = !said && (parked.missed || closed && past(w.now, at));
        if !said && !missed && !past(w.now, at) {
            return false;
        }
        let Some(mut flow) = self.parked.take() else {
            return false;
        };
        flow.resume_at = w.now;
        w.start = flow.start;
        w.pause = 0;
        if let Job::Open(slot) = flow.job {
            w.slot = slot;
            w.id = w.slot().id;
        }
        self.flow = Some(flow);
        if missed {
            w.fail(AtError::Garbled);
            self.flow_ended(w, false);
        }
        true
    }

    /// Ends the parked flow that was to open the connection in this slot. Its user has dropped it and the modem has
    /// confirmed the close, so nothing more is to come, and the next connection may be opened.
    pub(super) fn end_closed_open(&mut self, w: &mut World<'_>, slot: u8) {
        if self
            .parked
            .as_ref()
            .is_some_and(|flow| flow.job == Job::Open(slot))
        {
            self.parked = None;
            w.slot = slot;
            w.fail(AtError::ModemReset);
            self.job_ended(w, Job::Open(slot), false);
        }
    }

    /// Marks that the parked flow may have missed its URC, because the channel was synchronised meanwhile.
    pub(super) fn parked_missed(&mut self) {
        if let Some(parked) = &mut self.parked {
            parked.missed = parked.job != Job::BringUp;
        }
    }

    /// Returns whether the bring-up is parked: only guests are served meanwhile.
    pub(super) fn bring_up_is_parked(&self) -> bool {
        self.parked
            .as_ref()
            .is_some_and(|flow| flow.job == Job::BringUp)
    }

    /// Drops the flows under way, because the modem is brought up anew.
    pub(super) fn drop_flows(&mut self, w: &mut World<'_>) {
        for flow in [self.flow.take(), self.parked.take()].into_iter().flatten() {
            if flow.job == Job::BringUp {
                // The bring-up may have been driving the pins.
                w.pins.power_key = false;
                w.pins.reset = false;
            }
            flow.job.dropped(w);
            if let Job::Open(_) = flow.job {
                w.fail(AtError::ModemReset);
                self.modem.opened(w, false);
                // The backend may have set a more exact failure.
                w.refusal = w.failure;
            }
        }
    }
}
