//! From errors to next steps for the user of this tool. Causes and general next steps are the core's; here is what to
//! type. A hint claims only what was observed: what the modem's answer leaves possible, less what the driver has ruled
//! out before it asked.

use sectag::clock::MIN_DATE;
use sectag::jwt::TokenError;
use sectag::mqtt::LoginFailure;
use sectag::{
    AtError, BringUpError, Cause, Causes, Check, Code, ConnectError, CredentialError, Feature,
    Kind, RunError, SocketError, Tag,
};

use crate::args::ModemArgs;
pub(crate) use crate::failure::Failure;
use crate::mqtt_error::Error;

/// What a connection was meant to be.
pub(crate) struct Target<'a> {
    pub(crate) host: &'a str,
    pub(crate) port: u16,
    pub(crate) tag: Tag,
    /// Absent in the demo, which has no port to name.
    pub(crate) modem: Option<&'a ModemArgs>,
}

impl Target<'_> {
    fn store_command(&self) -> String {
        let place = match self.modem {
            Some(args) => place(args),
            None => String::new(),
        };
        format!("sectag credentials store{place} --tag {}", self.tag)
    }

    fn store_one(&self, kind: Kind) -> String {
        let option = match kind {
            Kind::ClientCertificate => "--cert client.pem",
            Kind::PrivateKey => "--key client.key",
            _ => "--ca ca.pem",
        };
        format!("store it: {} {option}", self.store_command())
    }

    /// What to type against a cause.
    fn own_way(&self, cause: Cause) -> Option<String> {
        Some(match cause {
            Cause::NameMismatch | Cause::NameUnknown => format!("the name was {}", self.host),
            Cause::Unreachable | Cause::NotTls => {
                format!("it was {}:{}", self.host, self.port)
            }
            cause => return option(cause),
        })
    }
}

/// The options that name the modem, as the user gave them.
pub(crate) fn place(args: &ModemArgs) -> String {
    match args.modem.0 {
        Some(name) => format!(" --modem {} --port {}", name.as_str(), args.port),
        None => format!(" --port {}", args.port),
    }
}

/// The option of this tool that has to do with a cause.
fn option(cause: Cause) -> Option<String> {
    Some(
        match cause {
            Cause::ApnLoginWrong | Cause::ApnMissing | Cause::ApnWrong | Cause::NameUnknownHere => {
                "--apn"
            }
            Cause::ClientIdRefused => "--client-id",
            Cause::ClockNotSet => "--set-clock host sets it from this computer",
            Cause::LineFault => "--baud, --flow-control",
            Cause::LoginRefused => "--username and --password",
            Cause::ProtocolVersion => "this tool speaks MQTT 5 only",
            Cause::SimPinMissing => "--sim-pin @FILE or SECTAG_SIM_PIN; it is tried once only",
            Cause::SimPinWrong => "--sim-pin",
            Cause::Unknown | Cause::BadParameter => "-v shows the exchange",
            _ => return None,
        }
        .into(),
    )
}

pub(crate) fn run(error: &RunError) -> Failure {
    let observed = match error {
        RunError::Eof => "the port to the modem was closed".into(),
        RunError::Read(kind) => format!("the modem's port cannot be read: {}", kind_of(*kind)),
        RunError::Write(kind) => format!("the modem's port cannot be written: {}", kind_of(*kind)),
        other => other.to_string(),
    };
    Failure::new(observed).hint(
        "check the cable, and that the device or the simulator is still there, then start again",
    )
}

/// An error of the port in the system's words.
fn kind_of(kind: embedded_io_async::ErrorKind) -> String {
    std::io::ErrorKind::from(kind).to_string()
}

/// An exchange outside any connection.
pub(crate) fn at(doing: &str, error: &AtError) -> Failure {
    // The core's words are for who writes firmware.
    let failure = match error {
        AtError::LinkDown => Failure::new(format!("{doing}: the modem is not up")).hint(
            "start again: the modem is brought up first, and where that fails it is told why",
        ),
        AtError::TooLong => Failure::new(format!(
            "{doing}: the command or its answer is longer than this tool has room for"
        ))
        .hint("ask for less at once"),
        // The colon is the modem's own.
        AtError::Refused(_) => Failure::new(format!("{doing}: {error}")),
        error => unsuitable(doing, error),
    };
    let failure = failure.because(error.causes(), option);
    match error {
        AtError::Timeout | AtError::Garbled | AtError::TooLong => {
            failure.passing().hint("-v shows the exchange")
        }
        AtError::ModemReset => failure.passing(),
        AtError::LinkDown => failure.passing().down(),
        AtError::Refused(code @ Code::Cme(number)) => failure.code(code).cme(*number),
        AtError::Refused(code) => failure.code(code),
        _ => failure,
    }
}

/// `tried` says at which speeds.
pub(crate) fn bring_up(error: &BringUpError, tried: &str) -> Failure {
    let own_way = |cause| match cause {
        Cause::WrongSpeed => Some(tried.into()),
        cause => option(cause),
    };
    let observed = match error {
        BringUpError::At { command, error } => return at(command, error).strange(),
        BringUpError::NotRegistered { status, unread, .. } => format!(
            "the modem did not register to a network (+CEREG status {status}: {}{})",
            match status {
                0 => "not searching",
                2 => "still searching",
                3 => "registration denied",
                _ => "unknown",
            },
            match unread {
                Some(answer) => format!("; the answer {answer} cannot be read"),
                None => String::new(),
            }
        ),
        BringUpError::NoAnswer => "nothing answers on this port".into(),
        BringUpError::Unintelligible => "the bytes from this port are not an answer to AT".into(),
        BringUpError::RefusesAll => return unsuitable("bring-up", error).strange(),
        BringUpError::PdpRefused(refusal) => {
            format!("no data connection: the modem answered {}", refusal.code)
        }
        BringUpError::SettingRefused { setting, code } => {
            format!("the modem refused the setting {setting}: {code}")
        }
        BringUpError::SimMissing(code) => format!("no SIM: the modem answered {code}"),
        BringUpError::SimNotReady(Code::Plain) => "the modem says that the SIM is not ready".into(),
        BringUpError::SimNotReady(code) => {
            format!("the SIM is not ready: the modem answered {code}")
        }
        BringUpError::SimLocked => "the SIM is locked".into(),
        BringUpError::SimPinRefused | BringUpError::SimPukNeeded | BringUpError::SimForeign => {
            "the SIM cannot be used".into()
        }
        other => other.to_string(),
    };
    let failure = Failure::new(observed).because(error.causes(), own_way);
    match error {
        BringUpError::PdpRefused(refusal) => failure.code(refusal.code),
        BringUpError::SettingRefused { code, .. } => failure.code(code).strange(),
        BringUpError::SimMissing(code) | BringUpError::SimNotReady(code) => failure.code(code),
        BringUpError::Unintelligible | BringUpError::RefusesAll => failure.strange(),
        BringUpError::NoAnswer => failure
            .strange()
            .hint("if RTS and CTS are wired, try --flow-control; if not, try without"),
        _ => failure,
    }
}

pub(crate) fn credential<S: std::fmt::Display>(doing: &str, error: &CredentialError<S>) -> Failure {
    match error {
        CredentialError::At(error) => at(doing, error),
        CredentialError::BringUp(error) => bring_up(error, "--baud"),
        CredentialError::Corrupted => Failure::new(format!(
            "{doing}: the modem stored something else than was sent, so it was removed again"
        ))
        .hint("bytes were lost on the line: lower --baud, or wire RTS and CTS and use --flow-control, then store again"),
        CredentialError::NoSpace { needed, free } => Failure::new(format!(
            "{doing}: {needed} bytes are needed and the modem has {free} free"
        ))
        .hint("remove what is not needed: sectag credentials list, then sectag credentials remove"),
        CredentialError::Lacks(feature) => lacks(doing, *feature),
        CredentialError::Unreadable => Failure::new(format!("{doing}: {error}"))
            .hint("nothing proves what it has: store it again with --force"),
        CredentialError::SocketsOpen => Failure::new(format!(
            "{doing}: this modem changes credentials only while it is off the network, which would end the connections that are open"
        ))
        .hint("end the other programs that use the modem, then start again"),
        // An `Unsuitable`, a `Misplaced` and the rest say it themselves.
        error => unsuitable(doing, error),
    }
}

fn lacks(doing: &str, feature: Feature) -> Failure {
    let failure = unsuitable(doing, &format_args!("this modem has {feature}"));
    // The core's words are for who writes firmware.
    let step = match feature {
        Feature::FlowControl => {
            "wire RTS and CTS and say so: --flow-control (a simulated modem is always wired so)"
        }
        Feature::ServerKey(_) | Feature::Suites | Feature::SuiteChoice => {
            "give the server a certificate of another type of key, or accept older cipher suites: --accept-missing suites"
        }
        Feature::VersionFloor => {
            "update its firmware, or accept what it has: --accept-missing version"
        }
        _ => return failure,
    };
    Failure::new(failure.observed()).hint(step)
}

/// Why there is no token.
pub(crate) fn token<E: std::fmt::Display>(error: &TokenError<E>) -> Failure {
    match error {
        TokenError::Clock(error) => at("the modem's clock", error),
        TokenError::Invalid(invalid) => unsuitable("no token was made", invalid),
        error => Failure::new(format!("no token was made: {error}")),
    }
}

/// The driver says the cause, a colon, and the next step.
pub(crate) fn unsuitable(what: &str, reason: &dyn std::fmt::Display) -> Failure {
    let reason = reason.to_string();
    match colon(&reason) {
        Some(end) => Failure::new(format!("{what}: {}", &reason[..end])).hint(&reason[end + 2..]),
        None => Failure::new(format!("{what}: {reason}")),
    }
}

/// The first colon that stands in no parentheses, as that of a number does: `(+CME ERROR: 519)`.
fn colon(reason: &str) -> Option<usize> {
    reason.match_indices(": ").map(|(at, _)| at).find(|at| {
        let before = &reason[..*at];
        before.matches('(').count() == before.matches(')').count()
    })
}

const PATCHED: &str = "in this tool, --patched-native declares a build with the fix";

/// To no server whatever.
pub(crate) fn connect_at_all(error: &ConnectError) -> Failure {
    let doing = "cannot connect to any server";
    match error {
        ConnectError::Firmware { reason } => unsuitable(doing, reason).hint(PATCHED),
        ConnectError::Lacks(feature) => lacks(doing, *feature),
        other => Failure::new(format!("{doing}: {other}")),
    }
}

pub(crate) fn connect(error: &ConnectError, target: &Target<'_>) -> Failure {
    let Target {
        host, port, tag, ..
    } = target;
    let doing = format!("cannot connect to {host}:{port}");
    let because = |why: &str| {
        Failure::new(format!("{doing}: {why}"))
            .because(error.causes(), |cause| target.own_way(cause))
            .store_by(target.store_command())
    };
    match error {
        ConnectError::At(error) => at(&doing, error),
        ConnectError::BringUp(error) => {
            // It was up before.
            bring_up(
                error,
                &target.modem.map_or_else(
                    || "--baud".into(),
                    |args| format!("--baud {} was used", args.baud),
                ),
            )
        }
        ConnectError::ClockNotSet { now } => because(&format!(
            "the modem's clock says {now}, {}, so it cannot tell whether a certificate is valid",
            if *now < MIN_DATE {
                format!("which is before {MIN_DATE}")
            } else {
                "which cannot be".into()
            }
        )),
        ConnectError::CredentialInOtherStore { kind, found } => {
            unsuitable(&format!("{doing}: tag {tag} holds no {kind}"), found)
                .hint(target.store_one(*kind))
        }
        ConnectError::CredentialMissing(kind) => {
            Failure::new(format!("{doing}: tag {tag} holds no {kind}"))
                .hint(target.store_one(*kind))
        }
        // The demo has no such build to declare.
        ConnectError::Firmware { reason } if target.modem.is_none() => unsuitable(&doing, reason),
        ConnectError::Firmware { reason } => unsuitable(&doing, reason).hint(PATCHED),
        ConnectError::InvalidInput(input) => unsuitable(&doing, input),
        ConnectError::Lacks(feature) => lacks(&doing, *feature),
        ConnectError::Refused(refusal) => {
            because(&format!("the modem answered {}", refusal.code)).code(refusal.code)
        }
        ConnectError::TimedOut => because("the modem reported no result within its own limit"),
        ConnectError::TooManySockets => Failure::new(format!("{doing}: all sockets are in use"))
            .hint("start again: bring-up closes what an earlier program left open"),
        ConnectError::Unverifiable(check) => unverifiable(*check, &doing),
        // The core's words are for who writes firmware.
        ConnectError::SuiteNotAllowed { number } => {
            let name = rustls::CipherSuite::from(*number);
            Failure::new(format!(
                "{doing}: the server chose the cipher suite {} ({number:#06x}), which is not a modern one",
                name.as_str().unwrap_or("without a name")
            ))
            .hint("enable a modern cipher suite on the server, one with ECDHE and GCM")
            .hint("to accept the older one: --accept-missing suites")
        }
        ConnectError::Unsupported { .. } => Failure::new(unsuitable(&doing, error).observed())
            .hint("use a newer firmware of the modem"),
        other => unsuitable(&doing, other),
    }
}

fn unverifiable(check: Check, doing: &str) -> Failure {
    let failure = Failure::new(format!(
        "{doing}: refused, because this modem is not known to check the server's {check}"
    ));
    match check {
        Check::Name => failure
            .hint("if the tag's CA is your own and signs only servers that this device may talk to, say so: --private-ca")
            .hint("with a public CA, anyone who has a certificate of it can pose as the server; to take that risk: --accept-missing name"),
        Check::Chain => failure.hint(
            "without it anyone can pose as the server; to take that risk: --accept-missing chain",
        ),
        Check::Dates => failure.hint("to accept expired certificates: --accept-missing dates"),
        Check::Sni => failure.hint("if the server needs no SNI: --accept-missing sni"),
        _ => failure,
    }
}

pub(crate) fn socket(doing: &str, error: &SocketError) -> Failure {
    match error {
        SocketError::ConnectionReset => {
            Failure::new(format!("{doing}: the connection was lost")).lost()
        }
        SocketError::Alert => Failure::new(format!("{doing}: the server ended TLS with an alert"))
            .because(
                Causes::new(&[
                    Cause::ClientCertificateNeeded,
                    Cause::ClientCertificateRefused,
                ]),
                option,
            ),
        SocketError::RxOverrun => Failure::new(format!(
            "{doing}: more came than was taken in time, so the connection was given up"
        ))
        .hint("let what reads this tool's output read faster, or send its output to a file"),
        error => unsuitable(doing, error),
    }
}

/// What a login is called.
pub(crate) const CONNECT: &str = "MQTT CONNECT";

/// A broker that does not let in.
pub(crate) fn login(failure: LoginFailure) -> Failure {
    let told = match failure {
        LoginFailure::Connack3(code) => Some(format!("CONNACK {code}")),
        LoginFailure::Connack5(code) => Some(format!("CONNACK 0x{code:02x}")),
        _ => None,
    };
    let standard = match told {
        Some(_) if failure.meaning().is_none() => ", which is not in the standard",
        _ => "",
    };
    let failed = Failure::new(format!("{CONNECT}: {failure}{standard}"))
        .because(failure.causes(), option)
        .hint("the broker's log tells which");
    match told {
        Some(code) => failed.code(code),
        None => failed,
    }
}

/// What went wrong with a login, in the protocol's own terms; `None` for what is no login's fault.
pub(crate) fn login_failure(error: &Error) -> Option<LoginFailure> {
    match error {
        Error::Closed => Some(LoginFailure::Closed),
        Error::Transport(error) if error.is_closed_by_peer() => Some(LoginFailure::Closed),
        Error::Rejected(reason) => Some(LoginFailure::Connack5(*reason)),
        Error::NotMqtt => Some(LoginFailure::NotMqtt),
        _ => None,
    }
}

pub(crate) fn mqtt(doing: &str, error: &Error) -> Failure {
    let because = |why: &str| Failure::new(format!("{doing}: {why}"));
    match error {
        Error::Transport(error) => socket(doing, error),
        Error::Closed => because("the broker closed the connection without giving a reason")
            .hint("brokers do so when another client uses the same id (--client-id), or when the topic is not allowed")
            .hint("the broker's log tells which"),
        Error::Rejected(code) => because(&format!("the broker refused: {}", in_words(*code)))
            .because(after_login(*code), option),
        Error::NotMqtt => because("the server sent something that is not MQTT").hint("check the port in --host"),
        Error::TooLong => because("the message is longer than the broker accepts"),
        Error::Unsupported => because("the broker said at login that it does not have this")
            .hint("brokers may leave out QoS 2 (--qos), retained messages (--retain), and wildcards in --topic"),
        Error::Silent => because("the broker does not answer pings any more")
            .hint("the network may be gone, or the broker: sectag doctor looks at both"),
        Error::Other(error) => because(error),
    }
}

/// A broker that says why it ends the connection.
pub(crate) fn farewell(doing: &str, reason: u8) -> Failure {
    Failure::new(format!(
        "{doing}: the broker ended the connection: {}",
        in_words(reason)
    ))
    .because(after_login(reason), option)
    .hint("the broker's log tells which")
    .code(format!("DISCONNECT 0x{reason:02x}"))
}

fn in_words(code: u8) -> String {
    match sectag::mqtt::reason(code) {
        Some(meaning) => format!("{meaning} (0x{code:02x})"),
        None => format!("reason code 0x{code:02x}, which is not in the standard"),
    }
}

/// The causes of a reason code that came behind the login: the same numbers as in a CONNACK, and the login was good.
fn after_login(code: u8) -> Causes {
    let causes = LoginFailure::Connack5(code)
        .causes()
        .without(Cause::LoginRefused)
        .without(Cause::NotMqtt)
        .without(Cause::ProtocolVersion);
    match code {
        // Another client came with it.
        0x8e => causes,
        _ => causes.without(Cause::ClientIdRefused),
    }
}

pub(crate) fn mqtt_silence(doing: &str, seconds: u64) -> Failure {
    let causes = LoginFailure::Silent.causes();
    Failure::new(format!(
        "{doing}: the broker did not answer within {seconds} s"
    ))
    .because(
        match doing {
            CONNECT => causes,
            // It has let us in.
            _ => causes.without(Cause::NotMqtt),
        },
        |_| None,
    )
    .silent()
}

#[cfg(test)]
mod tests {
    use sectag::Refusal;

    use super::*;

    const TARGET: Target<'static> = Target {
        host: "broker.example",
        port: 8883,
        tag: Tag(7),
        modem: None,
    };

    fn hints(error: ConnectError) -> String {
        connect(&error, &TARGET).lines()[1..].join("\n")
    }

    #[test]
    fn next_steps_are_named() {
        let name = hints(ConnectError::Unverifiable(Check::Name));
        assert!(name.contains("--private-ca") && name.contains("--accept-missing name"));
        let missing = hints(ConnectError::CredentialMissing(Kind::Ca));
        assert!(missing.contains("sectag credentials store --tag 7 --ca"));
        let now = sectag::clock::DateTime::new(2000, 1, 1, 0, 0, 0).unwrap();
        assert!(hints(ConnectError::ClockNotSet { now }).contains("--set-clock host"));
    }

    #[test]
    fn a_refusal_says_only_what_is_possible() {
        let causes = Causes::new(&[Cause::ClientCertificateRefused, Cause::Unreachable]);
        let refusal = Refusal::new(
            Code::Vendor(566, sectag::Meaning::new("socket connect failed")),
            causes,
        );
        let all = hints(ConnectError::Refused(refusal));
        assert!(all.contains("2. nothing answers") && all.contains("broker.example:8883"));
        let one = hints(ConnectError::Refused(
            refusal.without(Cause::ClientCertificateRefused),
        ));
        assert!(!one.contains("refused the client certificate"));
        let failure = connect(&ConnectError::Refused(refusal), &TARGET);
        assert!(failure.lines()[0].contains("566 (socket connect failed)"));
    }

    #[test]
    fn numbers_of_3gpp_and_of_the_vendor_are_explained() {
        use sectag::modem::Modem;
        let refused = |code| at("storing", &AtError::Refused(Code::Cme(code)));
        let lines = |failure: Failure| failure.explained(<sectag_bg96::Bg96>::CODES).lines();
        let sim = lines(refused(10));
        assert!(
            sim[0].ends_with("+CME ERROR: 10 (no SIM inserted)"),
            "{sim:?}"
        );
        assert!(sim[1].contains("makes contact"), "{sim:?}");
        let full = lines(refused(403));
        assert!(
            full[0].ends_with("+CME ERROR: 403 (drive full)"),
            "{full:?}"
        );
        assert!(full[1].contains("not needed"), "{full:?}");
        // In no table: the number is all there is.
        let other = lines(refused(999));
        assert!(other[0].ends_with("+CME ERROR: 999"), "{other:?}");
        assert!(other[1].contains("-v shows the exchange"), "{other:?}");
        let native = refused(527).explained(<sectag_nrf9160::Nrf9160>::CODES);
        assert!(native.lines()[0].ends_with("527 (invalid content)"));
    }

    /// Words of the core that are Rust are for who writes firmware: who types a command can do nothing with them.
    #[test]
    fn hints_of_the_tool_name_no_item_of_the_api() {
        use sectag::at::InvalidInput;
        use sectag::{ServerKey, TlsVersion};
        let at_errors = [
            AtError::Garbled,
            AtError::LinkDown,
            AtError::ModemReset,
            AtError::Refused(Code::Plain),
            AtError::Timeout,
            AtError::Unsupported,
            AtError::TooLong,
        ];
        let features = [
            Feature::Alpn,
            Feature::ClientCertificate,
            Feature::FlowControl,
            Feature::Psk,
            Feature::Resumption,
            Feature::ServerKey(ServerKey::Ecdsa),
            Feature::ServerKey(ServerKey::Rsa),
            Feature::SuiteChoice,
            Feature::Suites,
            Feature::Version(TlsVersion::Tls13),
            Feature::VersionFloor,
        ];
        let checks = [
            Check::Chain,
            Check::Dates,
            Check::Name,
            Check::Sni,
            Check::Suites,
        ];
        let mut connects: Vec<ConnectError> = at_errors.map(ConnectError::At).into();
        connects.extend(features.map(ConnectError::Lacks));
        connects.extend(checks.map(ConnectError::Unverifiable));
        connects.extend([
            ConnectError::CredentialMissing(Kind::Ca),
            ConnectError::InvalidInput(InvalidInput::TooLong { limit: 9 }),
            ConnectError::SuiteNotAllowed { number: 0x0035 },
            ConnectError::TimedOut,
            ConnectError::TooManySockets,
        ]);
        let credentials = [
            CredentialError::<&str>::Corrupted,
            CredentialError::ListTooLong,
            CredentialError::NoSpace { needed: 2, free: 1 },
            CredentialError::RecordNotWritten,
            CredentialError::SocketsOpen,
            CredentialError::SourceTooSlow,
            CredentialError::SourceTooShort,
            CredentialError::Unreadable,
        ];
        let sockets = [
            SocketError::Alert,
            SocketError::BrokenPipe,
            SocketError::ClosedUnanswered,
            SocketError::ConnectionReset,
            SocketError::RecordTooLarge,
            SocketError::RxOverrun,
        ];
        let suite = connect(&ConnectError::SuiteNotAllowed { number: 0x0035 }, &TARGET);
        assert!(
            suite
                .observed()
                .contains("TLS_RSA_WITH_AES_256_CBC_SHA (0x0035)")
        );
        let all = (connects.iter().map(|error| connect(error, &TARGET)))
            .chain(at_errors.iter().map(|error| at("asking", error)))
            .chain(credentials.iter().map(|error| credential("storing", error)))
            .chain(sockets.iter().map(|error| socket("sending", error)));
        for failure in all {
            let lines = failure.lines();
            let text = lines.join("\n");
            for word in [
                "::", "(..)", "()", "Control", "State", "wait_up", "Suites", " ring",
            ] {
                assert!(!text.contains(word), "{word}: {text}");
            }
            // What was observed stands alone: the step is a hint.
            assert!(!lines[0].contains(": check "), "{text}");
        }
    }

    #[test]
    fn a_number_is_not_cut_from_its_name() {
        let reason = "there is a key (+CME ERROR: 519): remove it first";
        let lines = unsuitable("making a key", &reason).lines();
        assert_eq!(
            lines,
            [
                "error: making a key: there is a key (+CME ERROR: 519)",
                "hint: remove it first"
            ]
        );
        assert_eq!(unsuitable("it", &"is so").lines(), ["error: it: is so"]);
    }

    #[test]
    fn a_login_says_what_the_broker_said() {
        let unknown = login(LoginFailure::Connack5(0xf0)).lines();
        assert!(unknown[0].ends_with("0xf0, which is not in the standard"));
        let known = login(LoginFailure::Connack5(0x87)).lines();
        assert!(known[0].ends_with("0x87 (not authorized)"));
        let closed = login(LoginFailure::Closed);
        assert_eq!(closed.causes().next(), Some(Cause::LoginRefused));
        assert!(
            closed
                .lines()
                .join("\n")
                .contains("--username and --password")
        );
    }
}
