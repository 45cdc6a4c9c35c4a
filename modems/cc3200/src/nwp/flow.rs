//! Flows: tables of steps in the order in which their commands go over the wire.

use sectag::modem::{Job, World};

use super::command::Writer;
use super::engine::{Engine, past};
use super::generation::Generation;

/// The function that decides what follows from a step. It gets the answer, which is empty where nothing was sent.
pub(crate) type Judge<G> = fn(&mut Engine<G>, &mut World<'_>, &[u8]) -> Then<G>;
/// The condition that a flow waits for.
pub(crate) type Until<G> = fn(&Engine<G>) -> bool;
/// A table of steps, in the order in which their commands are sent.
pub(crate) type Script<G> = &'static [Step<G>];

/// A step of a flow: one command, its time limit, and the judge of its answer.
pub(crate) struct Step<G: Generation> {
    pub(crate) name: &'static str,
    /// The opcode of the command; 0 where nothing is sent.
    pub(crate) opcode: u16,
    pub(crate) write: fn(&Engine<G>, &World<'_>, &mut Writer<'_>),
    pub(crate) judge: Judge<G>,
    /// The time limit for the answer, in milliseconds; 0 for the generation's.
    pub(crate) limit: u32,
}

/// The verdict of a judge: what the flow does next.
pub(crate) enum Then<G: Generation> {
    Next,
    Skip,
    To(Script<G>),
    /// Goes on with the next step after this many milliseconds.
    Pause(u32),
    /// Holds the channel until the condition is true or this many milliseconds are over; then goes on with the next step.
    Hold(Until<G>, u32),
    /// Parks the flow, so that other jobs run, until the condition is true or this many milliseconds are over; then goes on with
    /// the next step.
    Park(Until<G>, u32),
    End,
    Fail,
    /// Restarts the chip, whose answer shows that something went wrong on the way.
    Restart,
}

/// A flow under way: its job, its script, and the step at which it is.
pub(crate) struct Flow<G: Generation> {
    pub(crate) job: Job,
    pub(crate) steps: Script<G>,
    pub(crate) resume_at: u32,
    pub(crate) until: Option<Until<G>>,
}

impl<G: Generation> Flow<G> {
    pub(crate) fn new(job: Job, steps: Script<G>, now: u32) -> Self {
        Self {
            job,
            steps,
            resume_at: now,
            until: None,
        }
    }

    pub(crate) fn hold(&mut self, until: Until<G>, at: u32) {
        self.until = Some(until);
        self.resume_at = at;
    }

    /// Returns `Ok` if the next step is due, otherwise the time to look again.
    pub(crate) fn ready(&self, engine: &Engine<G>, now: u32) -> Result<(), u32> {
        let come = self.until.is_some_and(|until| until(engine));
        if come || past(now, self.resume_at) {
            Ok(())
        } else {
            Err(self.resume_at)
        }
    }
}

/// Makes a step that sends a command and fails the flow if it is refused.
pub(crate) const fn send<G: Generation>(
    name: &'static str,
    opcode: u16,
    write: fn(&Engine<G>, &World<'_>, &mut Writer<'_>),
) -> Step<G> {
    Step {
        name,
        opcode,
        write,
        judge: super::scripts::accepted,
        limit: 0,
    }
}

/// Makes a step that sends nothing and only decides.
pub(crate) const fn decide<G: Generation>(judge: Judge<G>) -> Step<G> {
    Step {
        name: "",
        opcode: 0,
        write: |_, _, _| {},
        judge,
        limit: 0,
    }
}

impl<G: Generation> Step<G> {
    pub(crate) const fn then(mut self, judge: Judge<G>) -> Self {
        self.judge = judge;
        self
    }
}
