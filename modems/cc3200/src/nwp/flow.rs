//! Flows: tables of steps in the order in which their commands go over the wire.

use sectag::modem::{Job, World};

use super::command::Writer;
use super::engine::{Engine, past};
use super::generation::Generation;

/// Looks at the answer of a command, or only decides, and says what follows.
pub(crate) type Judge<G> = fn(&mut Engine<G>, &mut World<'_>, &[u8]) -> Then<G>;
/// Whether what a flow waits for has come.
pub(crate) type Until<G> = fn(&Engine<G>) -> bool;
/// A table of steps.
pub(crate) type Script<G> = &'static [Step<G>];

/// One command, and what follows from its answer.
pub(crate) struct Step<G: Generation> {
    pub(crate) name: &'static str,
    /// 0 where nothing is sent.
    pub(crate) opcode: u16,
    pub(crate) write: fn(&Engine<G>, &World<'_>, &mut Writer<'_>),
    pub(crate) judge: Judge<G>,
    /// In milliseconds, 0 for the generation's.
    pub(crate) limit: u32,
}

/// What follows.
pub(crate) enum Then<G: Generation> {
    Next,
    Skip,
    To(Script<G>),
    /// The next step after so many milliseconds.
    Pause(u32),
    /// The next step once this has come, or the time is over; nothing else is done meanwhile.
    Hold(Until<G>, u32),
    /// The same, and other work goes on.
    Park(Until<G>, u32),
    End,
    Fail,
}

/// A flow, and where it is.
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

    /// Whether its next step is due, otherwise when to look again.
    pub(crate) fn ready(&self, engine: &Engine<G>, now: u32) -> Result<(), u32> {
        let come = self.until.is_some_and(|until| until(engine));
        if come || past(now, self.resume_at) {
            Ok(())
        } else {
            Err(self.resume_at)
        }
    }
}

/// Sends a command, whose answer must be good.
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

/// Sends nothing.
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
