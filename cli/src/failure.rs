//! Why a command failed, as the user sees it: what was observed, the causes that are left, what to do.

use sectag::cellular::{Number, find};
use sectag::{Cause, Causes};

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Failure {
    observed: String,
    /// In order of likelihood, each with this tool's own way to do something about it.
    causes: Vec<(Cause, Option<String>)>,
    hints: Vec<String>,
    store_by: Option<String>,
    /// The modem's number of `+CME ERROR`, which may be the vendor's own.
    cme: Option<u16>,
    /// The connection was lost on the way, so that the same may succeed when done again.
    lost: bool,
}

/// What a look from this computer told.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Findings {
    pub(crate) confirmed: Vec<Cause>,
    pub(crate) disproved: Vec<Cause>,
}

impl Failure {
    pub(crate) fn new(observed: impl Into<String>) -> Self {
        Self {
            observed: observed.into(),
            causes: Vec::new(),
            hints: Vec::new(),
            store_by: None,
            cme: None,
            lost: false,
        }
    }

    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hints.push(hint.into());
        self
    }

    pub(crate) fn because(
        mut self,
        causes: Causes,
        own_way: impl Fn(Cause) -> Option<String>,
    ) -> Self {
        self.causes
            .extend(causes.map(|cause| (cause, own_way(cause))));
        self
    }

    /// The command that stores credentials, for causes that it mends.
    pub(crate) fn store_by(mut self, command: String) -> Self {
        self.store_by = Some(command);
        self
    }

    pub(crate) fn cme(mut self, code: u16) -> Self {
        self.cme = Some(code);
        self
    }

    /// With what a vendor says of its own numbers.
    pub(crate) fn explained(mut self, codes: &'static [Number]) -> Self {
        if let Some(code) = self.cme.take()
            && let Some(number) = find(codes, code)
        {
            self.observed += &format!(" ({})", number.meaning);
            let causes = number.causes.iter().map(|cause| (*cause, None));
            self.causes = causes.collect();
        }
        self
    }

    pub(crate) fn lost(mut self) -> Self {
        self.lost = true;
        self
    }

    /// What was observed, without causes and hints.
    pub(crate) fn observed(&self) -> &str {
        &self.observed
    }

    pub(crate) fn is_lost(&self) -> bool {
        self.lost
    }

    pub(crate) fn causes(&self) -> impl Iterator<Item = Cause> {
        self.causes.iter().map(|(cause, _)| *cause)
    }

    /// Keeps the causes that were confirmed or, when none of them was, those that were not disproved.
    pub(crate) fn narrow(mut self, findings: &Findings) -> Self {
        let confirmed = |cause: Cause| findings.confirmed.contains(&cause);
        let open = |cause: Cause| !findings.disproved.contains(&cause);
        if self.causes().any(confirmed) {
            self.causes.retain(|(cause, _)| confirmed(*cause));
        } else if self.causes().any(open) {
            self.causes.retain(|(cause, _)| open(*cause));
        }
        self
    }

    pub(crate) fn print(&self) {
        for line in self.lines() {
            eprintln!("{line}");
        }
    }

    /// `error:` and then `hint:` lines.
    pub(crate) fn lines(&self) -> Vec<String> {
        let mut lines = vec![format!("error: {}", self.observed)];
        let several = self.causes.len() > 1;
        if several {
            lines.push("hint: this has several possible causes; the likelier ones first:".into());
        }
        for (number, (cause, own_way)) in (1..).zip(&self.causes) {
            let number = if several {
                format!("{number}. ")
            } else {
                String::new()
            };
            let own_way = match own_way {
                Some(own_way) => format!(" ({own_way})"),
                None => String::new(),
            };
            lines.push(format!("hint: {number}{cause}: {}{own_way}", cause.hint()));
        }
        let mut files: Vec<_> = self.causes().filter_map(files).collect();
        files.sort_unstable();
        files.dedup();
        if let (Some(command), false) = (&self.store_by, files.is_empty()) {
            lines.push(format!("hint: to store: {command} {}", files.join(" ")));
        }
        lines.extend(self.hints.iter().map(|hint| format!("hint: {hint}")));
        lines
    }
}

/// The files to store against a cause.
fn files(cause: Cause) -> Option<&'static str> {
    match cause {
        Cause::CaMismatch | Cause::CaUnreadable => Some("--ca ca.pem"),
        Cause::ClientCertificateNeeded
        | Cause::ClientCertificateRefused
        | Cause::ClientKeyMismatch => Some("--cert client.pem --key client.key"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failure() -> Failure {
        let causes = [Cause::CaMismatch, Cause::Unreachable, Cause::NameMismatch];
        Failure::new("it is so").because(Causes::new(causes.leak_static()), |cause| {
            (cause == Cause::CaMismatch).then(|| "this way".into())
        })
    }

    trait Leak {
        fn leak_static(self) -> &'static [Cause];
    }

    impl<const N: usize> Leak for [Cause; N] {
        fn leak_static(self) -> &'static [Cause] {
            Box::leak(Box::new(self))
        }
    }

    #[test]
    fn several_causes_are_numbered_and_one_is_not() {
        let lines = failure().lines();
        assert_eq!(lines.len(), 5);
        assert_eq!(lines[0], "error: it is so");
        assert!(lines[2].starts_with("hint: 1. the CA") && lines[2].ends_with("(this way)"));
        let confirmed = Findings {
            confirmed: vec![Cause::NameMismatch, Cause::NotTls],
            disproved: vec![],
        };
        let lines = failure().narrow(&confirmed).lines();
        assert_eq!(lines.len(), 2);
        assert!(lines[1].starts_with("hint: the server's certificate is not for this name: "));
    }

    #[test]
    fn files_are_stored_only_against_causes_that_they_mend() {
        let stored = |failure: Failure| failure.store_by("store".into()).lines();
        assert_eq!(
            stored(failure()).last().unwrap(),
            "hint: to store: store --ca ca.pem"
        );
        let name = Findings {
            confirmed: vec![Cause::NameMismatch],
            disproved: vec![],
        };
        assert_eq!(stored(failure().narrow(&name)).len(), 2);
    }

    #[test]
    fn what_is_not_a_candidate_is_not_put_in_and_not_all_are_taken_away() {
        let findings = |confirmed: &[Cause], disproved: &[Cause]| Findings {
            confirmed: confirmed.into(),
            disproved: disproved.into(),
        };
        let left = |findings| failure().narrow(&findings).causes().collect::<Vec<_>>();
        assert_eq!(
            left(findings(&[Cause::NotTls], &[Cause::CaMismatch])),
            [Cause::Unreachable, Cause::NameMismatch]
        );
        let all = [Cause::CaMismatch, Cause::Unreachable, Cause::NameMismatch];
        assert_eq!(left(findings(&[], &all)), all);
    }
}
