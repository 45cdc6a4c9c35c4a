//! Flows as tables of steps: one loop with one await runs all that follow one command with another.
//!
//! Written as futures, each command of such a flow took 50 to 60 bytes of flash for its await alone.

use embassy_time::{Duration, Instant, Timer};
use sectag::at::CommandLine;
use sectag::clock::DateTime;
use sectag::modem::Question;
use sectag::{At, AtError, BringUpError, Code};

use crate::{Bg96, clock};

/// A command, and what follows from its answer.
pub(crate) struct Step {
    /// For errors.
    pub(crate) name: &'static str,
    /// The line behind `AT`, up to what [`arguments`](Self::arguments) writes.
    pub(crate) text: &'static str,
    /// In tenths of a second.
    pub(crate) limit: u16,
    pub(crate) forgives: Forgives,
    pub(crate) arguments: for<'b> fn(&Flow<'_>, CommandLine<'b>) -> CommandLine<'b>,
    pub(crate) judge: fn(&mut Flow<'_>, Answer<'_>) -> Then,
    /// For judges that are not of one step alone.
    pub(crate) next: Option<&'static Step>,
}

impl Step {
    /// Most steps: without arguments and with the time that most commands get.
    pub(crate) const fn new(
        name: &'static str,
        text: &'static str,
        judge: fn(&mut Flow<'_>, Answer<'_>) -> Then,
    ) -> Self {
        Self {
            name,
            text,
            limit: 30,
            forgives: Forgives::Refusal,
            arguments: |_, line| line,
            judge,
            next: None,
        }
    }
}

/// The information lines, or with what the modem refused.
pub(crate) type Answer<'a> = Result<&'a [u8], Code>;

/// Which failures are the judge's, who sees a bare refusal then. Others end the flow.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Forgives {
    /// Refusals only.
    Refusal,
    /// Also an answer that breaks the command's grammar.
    Garbled,
    /// All.
    All,
}

pub(crate) enum Then {
    Ask(&'static Step),
    /// After so many milliseconds.
    Later(&'static Step, u32),
    /// Waits for the report of NTP, which may not come.
    Report(fn(&mut Flow<'_>, Option<DateTime>) -> Then),
    Done,
    Fail(AtError),
}

/// What the steps of a flow share.
pub(crate) struct Flow<'m> {
    pub(crate) modem: &'m Bg96,
    pub(crate) at: At<'m>,
    pub(crate) start: Instant,
    /// Why the flow ended, where that is no command's error.
    pub(crate) failure: Option<BringUpError>,
    /// The PIN.
    pub(crate) entered: bool,
    /// `<stat>` of `+CEREG`.
    pub(crate) lte: u8,
    /// What activating the data connection was refused with.
    pub(crate) refused: Code,
    /// The data connection was deactivated, to go on with this step.
    pub(crate) anew: Option<&'static Step>,
    /// The earliest date that will do, what the clock showed, and what to set it to.
    pub(crate) min: DateTime,
    pub(crate) now: DateTime,
    pub(crate) date: DateTime,
    /// Whether to look at the clock once more when it was set.
    pub(crate) again: bool,
    /// Setting it was tried.
    pub(crate) tried: bool,
    /// What is asked.
    pub(crate) step: &'static Step,
    then: Then,
}

impl<'m> Flow<'m> {
    /// For a clock not before `min`.
    pub(crate) fn new(modem: &'m Bg96, at: At<'m>, min: DateTime) -> Self {
        Self {
            modem,
            at,
            start: Instant::MIN,
            failure: None,
            entered: false,
            lte: 0,
            refused: Code::Plain,
            anew: None,
            min,
            now: clock::NEVER,
            date: clock::NEVER,
            again: false,
            tried: false,
            step: &clock::LOOK,
            then: Then::Done,
        }
    }

    /// Ends with an error that is no command's.
    pub(crate) fn fail(&mut self, error: BringUpError) -> Then {
        self.failure = Some(error);
        Then::Done
    }

    /// Runs what begins with `first`.
    pub(crate) async fn run(&mut self, first: Then) -> Result<(), AtError> {
        let at = self.at;
        self.start = Instant::now();
        self.then = first;
        loop {
            match self.then {
                Then::Ask(step) => self.step = step,
                Then::Later(step, pause) => {
                    self.step = step;
                    Timer::after_millis(pause.into()).await;
                }
                Then::Report(judge) => {
                    let said = match at.watched(NTP_LIMIT, clock::reported).await {
                        // It keeps its limit in the manual, not in the field.
                        Err(AtError::Timeout) => None,
                        said => said?,
                    };
                    self.then = judge(self, said);
                    continue;
                }
                Then::Done => return Ok(()),
                Then::Fail(error) => return Err(error),
            }
            if let Err(error) = at.ask(self).await {
                let forgives = self.step.forgives;
                if forgives == Forgives::Refusal
                    || forgives == Forgives::Garbled && error != AtError::Garbled
                {
                    return Err(error);
                }
                self.answered(Err(Code::Plain));
            }
        }
    }

    /// The same at bring-up, whose errors name the command.
    pub(crate) async fn bring_up(&mut self, first: Then) -> Result<(), BringUpError> {
        match (self.run(first).await, self.failure) {
            (Ok(()), None) => Ok(()),
            (Ok(()), Some(error)) => Err(error),
            (Err(error), _) => Err(BringUpError::At {
                command: self.step.name,
                error,
            }),
        }
    }
}

/// The manual's limit for QNTP.
const NTP_LIMIT: Duration = Duration::from_secs(125);

impl Question for Flow<'_> {
    fn write(&self, buf: &mut [u8]) -> usize {
        let line = CommandLine::new(buf, self.step.text);
        (self.step.arguments)(self, line).finish()
    }

    fn timeout_ms(&self) -> u32 {
        u32::from(self.step.limit) * 100
    }

    fn answered(&mut self, answer: Answer<'_>) {
        self.then = (self.step.judge)(self, answer);
    }
}

/// The judge of a step that must be accepted.
pub(crate) fn required(flow: &mut Flow<'_>, answer: Answer<'_>) -> Then {
    match answer {
        Ok(_) => flow.step.next.map_or(Then::Done, Then::Ask),
        Err(code) => refuse(code),
    }
}

/// The judge of a step that an older firmware may refuse, which then does not need it.
pub(crate) fn optional(flow: &mut Flow<'_>, _: Answer<'_>) -> Then {
    flow.step.next.map_or(Then::Done, Then::Ask)
}

pub(crate) fn refuse(code: Code) -> Then {
    Then::Fail(AtError::Refused(code))
}
