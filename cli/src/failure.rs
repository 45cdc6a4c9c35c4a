//! Why a command failed, as the user sees it: what was observed, the causes that are left, what to do.

use std::io::Write;

use sectag::cellular::{Number, find};
use sectag::{Cause, Causes, Loss};

use crate::json::Object;
use crate::style::{Stream, shown};

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Failure {
    observed: String,
    /// The possible causes, the likeliest first, each with the tool's own next step if it has one.
    causes: Vec<(Cause, Option<String>)>,
    hints: Vec<String>,
    store_by: Option<Box<str>>,
    /// The refusal of the modem or the broker, in its own words.
    code: Option<Box<str>>,
    /// The exit status.
    status: u8,
    /// The modem's number of `+CME ERROR`, which may be the vendor's own.
    cme: Option<u16>,
    /// Whether the connection was lost in the middle of the command, which may then succeed when it is repeated.
    lost: bool,
    /// Whether the broker closed without a reason, or the modem did not pass the reason on.
    silent: bool,
    /// Whether the command failed because the modem is not up; only the driver knows the reason.
    down: bool,
    /// Whether the obstacle is a temporary one, so that the next attempt may succeed.
    passing: bool,
    /// Whether the driver did not understand the modem, which may be of another family than the one named.
    strange: bool,
}

/// The result of a probe of the server from this computer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Findings {
    pub(crate) confirmed: Vec<Cause>,
    pub(crate) disproved: Vec<Cause>,
    /// Causes that hold if the modem stores the credentials that are on this computer, which it does not tell; the likelier
    /// first.
    pub(crate) likely: Vec<Cause>,
    /// Causes that are ruled out on that condition.
    pub(crate) unlikely: Vec<Cause>,
    /// Whether the modem's own handshake succeeded, so that no cause about the handshake explains the failure.
    pub(crate) is_past_tls: bool,
}

/// Whether a cause is about the network path to the server, which another network may have and this computer's may not.
fn is_of_the_path(cause: Cause) -> bool {
    matches!(
        cause,
        Cause::NameUnknown | Cause::NameUnknownHere | Cause::Unreachable
    )
}

/// Whether a look at the server from this computer can tell more of a cause: of the server, its certificate, the path to it, or a login. What a
/// broker itself has said in a number that can be read in one way only is not among them.
fn is_in_sight(cause: Cause) -> bool {
    matches!(
        cause,
        Cause::CaMismatch
            | Cause::CaUnreadable
            | Cause::CertificateExpired
            | Cause::CertificateNotYetValid
            | Cause::ChainIncomplete
            | Cause::ChainTooLong
            | Cause::ClientCertificateNeeded
            | Cause::ClientCertificateRefused
            | Cause::ClientIdRefused
            | Cause::ClientKeyMismatch
            | Cause::LoginRefused
            | Cause::NameMismatch
            | Cause::NameNotCommon
            | Cause::NameUnknown
            | Cause::NameUnknownHere
            | Cause::NetworkSlow
            | Cause::NoCommonSuite
            | Cause::NotMqtt
            | Cause::NotTls
            | Cause::PeerClosed
            | Cause::ProtocolVersion
            | Cause::ServerKeyUnsupported
            | Cause::SniNeeded
            | Cause::Unreachable
    )
}

/// Whether a cause can be so although the handshake succeeded.
fn is_of_the_login(cause: Cause) -> bool {
    matches!(
        cause,
        Cause::BrokerBusy
            | Cause::BrokerMoved
            | Cause::ClientIdRefused
            | Cause::LoginRefused
            | Cause::NotAllowed
            | Cause::NotMqtt
            | Cause::ProtocolVersion
    )
}

impl Failure {
    pub(crate) fn new(observed: impl Into<String>) -> Self {
        Self {
            observed: observed.into(),
            causes: Vec::new(),
            hints: Vec::new(),
            store_by: None,
            code: None,
            status: 1,
            cme: None,
            lost: false,
            silent: false,
            strange: false,
            down: false,
            passing: false,
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
        self.store_by = Some(command.into());
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

    /// In the words of the one that refused.
    pub(crate) fn code(mut self, code: impl ToString) -> Self {
        self.code = Some(code.to_string().into());
        self
    }

    /// The user has asked for the end, by Ctrl-C.
    pub(crate) fn interrupted(observed: impl Into<String>) -> Self {
        let mut failure = Self::new(observed);
        failure.status = 130;
        failure
    }

    /// What the reader of the command line says: what is wrong, and in further paragraphs how it is used.
    pub(crate) fn usage(text: &str) -> Self {
        let mut paragraphs = text.trim().split("\n\n");
        let first = paragraphs.next().unwrap_or_default();
        let words = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
        let mut failure = Self::new(words(first.strip_prefix("error: ").unwrap_or(first)));
        failure.hints.extend(paragraphs.map(words));
        failure.status = 2;
        failure
    }

    /// Nobody reads any more: the end of a pipeline, and nothing to tell.
    pub(crate) fn broken_pipe() -> Self {
        let mut failure = Self::new("nobody reads standard output");
        failure.status = 141;
        failure
    }

    /// As a shell has it: 1, 2 for a wrong command line, 130 after Ctrl-C, 141 at the end of a pipeline.
    pub(crate) fn exit_status(&self) -> u8 {
        self.status
    }

    pub(crate) fn lost(mut self) -> Self {
        self.lost = true;
        self
    }

    /// A connection that was lost, with why, as far as the driver has seen it.
    pub(crate) fn lost_by(mut self, loss: Option<Loss>) -> Self {
        if let (true, Some(loss)) = (self.lost, loss) {
            let text = loss.to_string();
            let (cause, step) = text.split_once(": ").unwrap_or((&text, "start again"));
            self.observed += &format!(": {cause}");
            self.hints.insert(0, step.into());
        }
        self
    }

    pub(crate) fn silent(mut self) -> Self {
        self.silent = true;
        self
    }

    pub(crate) fn is_silent(&self) -> bool {
        self.silent
    }

    /// Nothing came of a broker because nothing comes of the modem.
    pub(crate) fn by_the_modem(mut self) -> Self {
        self.observed += ", and neither does the modem, which is in the middle of an exchange";
        self.causes.clear();
        self.hints.clear();
        // It is told once.
        self.silent = false;
        self.hint("this says nothing about the broker: restart the modem, check its supply, and whether RTS and CTS are wired")
    }

    pub(crate) fn down(mut self) -> Self {
        self.down = true;
        self
    }

    pub(crate) fn is_down(&self) -> bool {
        self.down
    }

    /// With the place in a file that it is about.
    pub(crate) fn at(mut self, place: &str) -> Self {
        self.observed = format!("{place}: {}", self.observed);
        self
    }

    pub(crate) fn passing(mut self) -> Self {
        self.passing = true;
        self
    }

    pub(crate) fn is_passing(&self) -> bool {
        self.passing
    }

    pub(crate) fn strange(mut self) -> Self {
        self.strange = true;
        self
    }

    pub(crate) fn is_strange(&self) -> bool {
        self.strange
    }

    /// What was observed, without causes and hints.
    pub(crate) fn observed(&self) -> &str {
        &self.observed
    }

    /// Returns whether the connection was lost in the middle of the command.
    pub(crate) fn is_lost(&self) -> bool {
        self.lost
    }

    pub(crate) fn causes(&self) -> impl Iterator<Item = Cause> {
        self.causes.iter().map(|(cause, _)| *cause)
    }

    /// Whether a look at the server from this computer can tell more than the failure does.
    pub(crate) fn is_worth_a_look(&self) -> bool {
        self.causes().any(is_in_sight)
    }

    /// Keeps the causes that were confirmed or, when none of them was, those that were not disproved, the likely ones first and the unlikely
    /// last. What was confirmed is kept, whether or not it was listed, unless the modem has come further than that.
    pub(crate) fn narrow(mut self, findings: &Findings) -> Self {
        for cause in &findings.confirmed {
            if self.causes().any(|listed| listed == *cause) {
                continue;
            }
            if is_of_the_path(*cause) {
                self = self.hint("this computer does not reach the server and the modem does: they may see different networks or names");
            } else if *cause == Cause::ClientCertificateNeeded {
                // That the server wants one says nothing of a modem that sends one, and whether it does, the driver knows.
            } else if !findings.is_past_tls || is_of_the_login(*cause) {
                self.causes.insert(0, (*cause, None));
            }
        }
        let confirmed = |cause: Cause| findings.confirmed.contains(&cause);
        let open = |cause: Cause| !findings.disproved.contains(&cause);
        let rank = |cause: Cause| {
            let place = findings.likely.iter().position(|likely| *likely == cause);
            let last = findings.unlikely.contains(&cause);
            place.unwrap_or(findings.likely.len() + usize::from(last))
        };
        self.causes.sort_by_key(|(cause, _)| rank(*cause));
        if self.causes().any(confirmed) {
            self.causes.retain(|(cause, _)| confirmed(*cause));
        } else if self.causes().any(open) {
            self.causes.retain(|(cause, _)| open(*cause));
        } else {
            return self.hint("seen from this computer, none of these is so: it and the modem may see different networks, names or clocks");
        }
        self
    }

    /// On standard error, for people.
    pub(crate) fn print(&self) {
        for line in self.lines() {
            // Nobody can be told that standard error is closed.
            let _ = writeln!(std::io::stderr(), "{}", shown(&line, None, Stream::Err));
        }
    }

    /// For programs: `error`, `code`, `causes` with their `hint`, `hints`.
    pub(crate) fn json(&self) -> String {
        let causes: Vec<String> = self
            .causes
            .iter()
            .map(|(cause, own_way)| {
                let object = Object::new()
                    .text("cause", &format!("{cause:?}"))
                    .text("text", &cause.to_string())
                    .text("hint", cause.hint());
                match own_way {
                    Some(own_way) => object.text("here", own_way),
                    None => object,
                }
                .finish()
            })
            .collect();
        let object = Object::new().text("error", &self.observed);
        let object = match &self.code {
            Some(code) => object.text("code", code),
            None => object,
        };
        let mut hints = self.hints.clone();
        hints.splice(0..0, self.store_hint());
        object
            .objects("causes", &causes)
            .texts("hints", &hints)
            .number("exit_status", self.status.into())
            .finish()
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
        let store = self.store_hint();
        let hints = store.iter().chain(&self.hints);
        lines.extend(hints.map(|hint| format!("hint: {hint}")));
        lines
    }

    /// The command that mends what can be mended by storing.
    fn store_hint(&self) -> Option<String> {
        let mut files: Vec<_> = self.causes().filter_map(files).collect();
        files.sort_unstable();
        files.dedup();
        let command = self.store_by.as_ref()?;
        (!files.is_empty()).then(|| format!("to store: {command} {}", files.join(" ")))
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
            confirmed: vec![Cause::NameMismatch],
            ..Findings::default()
        };
        let lines = failure().narrow(&confirmed).lines();
        assert_eq!(lines.len(), 2);
        assert!(lines[1].starts_with("hint: the server's certificate is not for this name: "));
    }

    #[test]
    fn a_wrong_command_line_is_one_object() {
        let failure = Failure::usage(
            "error: unexpected argument '--x' found\n\n  tip: a similar\n  one\n\nUsage: sectag\n\nFor more information, try '--help'.\n",
        );
        assert_eq!(
            failure.json(),
            r#"{"error":"unexpected argument '--x' found","causes":[],"hints":["tip: a similar one","Usage: sectag","For more information, try '--help'."],"exit_status":2}"#
        );
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
            ..Findings::default()
        };
        assert_eq!(stored(failure().narrow(&name)).len(), 2);
    }

    #[test]
    fn confirmed_causes_are_kept_and_those_of_the_modems_own_path_are_not_ruled_out() {
        let findings = |confirmed: &[Cause], disproved: &[Cause]| Findings {
            confirmed: confirmed.into(),
            disproved: disproved.into(),
            ..Findings::default()
        };
        let left = |findings| failure().narrow(&findings).causes().collect::<Vec<_>>();
        for unlisted in [Cause::NotTls, Cause::ClientKeyMismatch] {
            let found = findings(&[unlisted], &[Cause::CaMismatch]);
            assert_eq!(left(found), [unlisted]);
        }
        let found = findings(&[Cause::NameUnknown], &[Cause::CaMismatch]);
        let narrowed = failure().narrow(&found);
        assert_eq!(
            narrowed.causes().collect::<Vec<_>>(),
            [Cause::Unreachable, Cause::NameMismatch]
        );
        let last = narrowed.lines().pop().unwrap();
        assert!(last.contains("different networks"), "{last}");
        let all = [Cause::CaMismatch, Cause::Unreachable, Cause::NameMismatch];
        assert_eq!(left(findings(&[], &all)), all);
        // The driver has not listed it, so the modem sends one.
        assert_eq!(left(findings(&[Cause::ClientCertificateNeeded], &[])), all);
    }

    #[test]
    fn a_handshake_that_succeeded_is_not_blamed_for_a_login_that_did_not() {
        const LOGIN: [Cause; 2] = [Cause::LoginRefused, Cause::ClientIdRefused];
        let refused = Failure::new("refused").because(Causes::new(&LOGIN), |_| None);
        let findings = |confirmed| Findings {
            confirmed: vec![confirmed],
            is_past_tls: true,
            ..Findings::default()
        };
        let left = |confirmed| {
            let narrowed = refused.clone().narrow(&findings(confirmed));
            narrowed.causes().collect::<Vec<_>>()
        };
        assert_eq!(left(Cause::CertificateExpired), LOGIN);
        assert_eq!(left(Cause::ClientIdRefused), [Cause::ClientIdRefused]);
        assert_eq!(left(Cause::NotMqtt), [Cause::NotMqtt]);
    }
}
