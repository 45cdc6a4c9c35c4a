//! Escalation: remedies for opens and data connections that fail several times in a row.
//!
//! Every remedy closes all sockets, so none is used while another connection stands. After a remedy
//! that did not help, the next one waits for twice as many failures: a server that is down for a week
//! must not have the modem rebooted every minute.

use sectag::modem::World;
use sectag::{Code, ConnectError, Refusal};

use crate::{Bg96, Options};

/// A remedy, and the failures that call for it: how many in a row, with a number in this range.
struct Rule {
    failures: u8,
    codes: (u16, u16),
    remedy: Remedy,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Remedy {
    /// Deactivate and activate the PDP context.
    Context,
    /// Restart the modem.
    Reboot,
}

/// The rules, in order of precedence: the first one that is due counts.
static RULES: [Rule; 5] = [
    // "Open PDP context failed", "PDP context break down": the context is down, whatever `AT+QIACT?`
    // says (sheet 4.6).
    Rule {
        failures: AT_ONCE,
        codes: (561, 561),
        remedy: Remedy::Context,
    },
    Rule {
        failures: AT_ONCE,
        codes: (570, 570),
        remedy: Remedy::Context,
    },
    // After some twenty connections a sibling's data stack answers nothing but 552, and a new context
    // does not help (sheet 5, quirk 12).
    Rule {
        failures: 4,
        codes: (550, 559),
        remedy: Remedy::Reboot,
    },
    // "If deactivation fails 3 times, reboot" (sheet 1.6). Other hosts may also hold as many contexts
    // as there can be.
    Rule {
        failures: 3,
        codes: (NO_CONTEXT, NO_CONTEXT),
        remedy: Remedy::Reboot,
    },
    // "After 5 failed opens in a row" (sheet 4.2), with any number or none.
    Rule {
        failures: 5,
        codes: (0, u16::MAX),
        remedy: Remedy::Context,
    },
];
/// Our own number for a data connection that was refused even after a deactivation.
const NO_CONTEXT: u16 = 1;
/// The failure count of a number that leaves no doubt: it calls for its remedy at once, however often a
/// remedy failed before.
const AT_ONCE: u8 = 1;
/// The limit of [`Escalation::patience`].
const PATIENCE_LIMIT: u8 = 16;

/// The state of the escalation: failures in a row since the last open that succeeded.
pub(crate) struct Escalation {
    counts: [u8; RULES.len()],
    /// The factor of the rules' failure counts. It doubles with every remedy.
    patience: u8,
}

impl Escalation {
    pub(crate) const fn new() -> Self {
        Self {
            counts: [0; RULES.len()],
            patience: 1,
        }
    }

    fn succeeded(&mut self) {
        *self = Self::new();
    }

    /// Counts a failure, with 0 for one without a number, and returns the remedy that is due now.
    fn failed(&mut self, code: u16) -> Option<Remedy> {
        let mut due = None;
        for (rule, count) in RULES.iter().zip(&mut self.counts) {
            let (first, last) = rule.codes;
            *count = if (first..=last).contains(&code) {
                count.saturating_add(1)
            } else {
                0
            };
            let wanted = match rule.failures {
                AT_ONCE => AT_ONCE,
                failures => failures * self.patience,
            };
            if due.is_none() && *count >= wanted {
                due = Some(rule.remedy);
            }
        }
        due
    }

    /// Notes that a remedy was begun.
    fn used(&mut self) {
        self.counts = [0; RULES.len()];
        self.patience = (self.patience * 2).min(PATIENCE_LIMIT);
    }
}

impl<O: Options> Bg96<O> {
    /// Counts the result of an open and starts a remedy that is due. Bring-up carries it out.
    pub(crate) fn judge_open(&mut self, world: &mut World<'_>, done: bool) {
        if done {
            return self.escalation.succeeded();
        }
        let code = match &world.failure {
            ConnectError::Refused(Refusal {
                code: Code::Vendor(code, _),
                ..
            }) => *code,
            ConnectError::Refused(_) | ConnectError::TimedOut => 0,
            // The failure has another reason than the network.
            _ => return,
        };
        let Some(remedy) = self.escalation.failed(code) else {
            return;
        };
        // These two numbers mean that the other connections are dead as well.
        if world.has_other_sockets() && !matches!(code, 561 | 570) {
            return;
        }
        self.begin_remedy(remedy);
        world.network_lost = true;
    }

    /// Counts a refused data connection in a bring-up, when no connection stands.
    pub(crate) fn context_refused(&mut self) {
        if let Some(remedy) = self.escalation.failed(NO_CONTEXT) {
            self.begin_remedy(remedy);
        }
    }

    fn begin_remedy(&mut self, remedy: Remedy) {
        self.escalation.used();
        self.context_lost = true;
        self.reboot = remedy == Remedy::Reboot;
    }
}

#[cfg(test)]
mod tests {
    extern crate std;
    use std::vec::Vec;

    use super::*;

    /// Returns after which of `count` failures a remedy is due, and which.
    fn remedies(escalation: &mut Escalation, code: u16, count: usize) -> Vec<(usize, Remedy)> {
        (1..=count)
            .filter_map(|number| {
                let remedy = escalation.failed(code)?;
                escalation.used();
                Some((number, remedy))
            })
            .collect()
    }

    #[test]
    fn each_remedy_waits_for_twice_the_failures_of_the_one_before_up_to_a_limit() {
        use Remedy::{Context, Reboot};
        let mut escalation = Escalation::new();
        let seen = remedies(&mut escalation, 566, 5 + 10 + 20 + 40 + 80 + 80);
        let at = [5, 15, 35, 75, 155, 235];
        assert_eq!(seen, at.map(|number| (number, Context)));
        escalation.succeeded();
        let seen = remedies(&mut escalation, 552, 4 + 8);
        assert_eq!(seen, [(4, Reboot), (12, Reboot)]);
        assert_eq!(
            remedies(&mut escalation, 561, 1),
            [(1, Context)],
            "at once all the same"
        );
        escalation.succeeded();
        assert_eq!(remedies(&mut escalation, 0, 5), [(5, Context)]);
        escalation.succeeded();
        let seen = remedies(&mut escalation, NO_CONTEXT, 3 + 6 + 12 + 24 + 48 + 48);
        assert_eq!(seen, [3, 9, 21, 45, 93, 141].map(|number| (number, Reboot)));
    }

    #[test]
    fn another_number_or_a_success_begins_anew() {
        let mut escalation = Escalation::new();
        assert_eq!(remedies(&mut escalation, 552, 3), []);
        assert_eq!(remedies(&mut escalation, 566, 1), []);
        assert_eq!(
            remedies(&mut escalation, 552, 1),
            [(1, Remedy::Context)],
            "the fifth of any number"
        );
        escalation.succeeded();
        assert_eq!(remedies(&mut escalation, 552, 3), []);
        escalation.succeeded();
        assert_eq!(remedies(&mut escalation, 552, 3), []);
    }
}
