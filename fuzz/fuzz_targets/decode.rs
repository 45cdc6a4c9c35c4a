//! Reading what modems and files say: the classification of a line by each dialect, fields, times, numbers
//! of errors and their causes, and transcripts. Total on any input; what is printed is read back as it was.
//!
//! Input: which command is asked, then the text.
#![no_main]

use libfuzzer_sys::fuzz_target;
use sectag::at::Fields;
use sectag::clock::DateTime;
use sectag::modem::{Final, Line, Modem, Urc};
use sectag::mqtt::LoginFailure;
use sectag::{AtError, Causes, Code, ConnectError, Edrx, Refusal};
use sectag_bg96::{Bg96, Config};
use sectag_nrf9160::Nrf9160;
use sectag_transcript::Transcript;

const ASKED: [&str; 12] = [
    "",
    "+QSSLRECV",
    "+CEREG",
    "+CPIN",
    "+QFUPL",
    "+QFREAD",
    "+QNTP",
    "+CFUN",
    "+CMEE",
    "#XRECV",
    "#XSEND",
    "%XTIME",
];

fuzz_target!(|input: &[u8]| {
    let Some((&choice, text)) = input.split_first() else {
        return;
    };
    let asked = ASKED[usize::from(choice) % ASKED.len()].as_bytes();
    for line in text.split(|byte| matches!(byte, b'\r' | b'\n')) {
        classify(line, asked);
        classify_nrf9160(line, asked);
        fields(line);
        if let Ok(line) = core::str::from_utf8(line) {
            time(line);
            if let Some(cycle) = Edrx::from_bits(line) {
                assert_eq!(Edrx::from_bits(cycle.bits().last_four()), Some(cycle));
            }
        }
    }
    if let Ok(text) = core::str::from_utf8(text)
        && let Ok(transcript) = text.parse::<Transcript>()
    {
        let again: Transcript = transcript.to_string().parse().expect("it was written");
        assert_eq!(again.events, transcript.events);
    }
    for failure in [
        LoginFailure::Connack3(choice),
        LoginFailure::Connack5(choice),
    ] {
        assert!(failure.causes().next().is_some());
    }
});

fn classify(line: &[u8], asked: &[u8]) {
    let pull = Bg96::new(Config::new()).line(line, asked);
    let push = Bg96::new(Config::new().direct_push()).line(line, asked);
    match push {
        // Only where it was asked for is anything pushed.
        Line::Push { id, .. } => assert_eq!(pull, Line::Urc(Urc::Readable { id })),
        _ => assert_eq!(pull, push),
    }
    match pull {
        Line::Push { .. } => panic!("nothing is pushed"),
        Line::Final(Final::Error(code)) => explained(code, AtError::Refused(code).causes()),
        Line::Urc(Urc::Opened { result, .. }) if result != 0 => {
            let refusal = sectag_bg96::refusal(result);
            let code = Code::Vendor(result, sectag::Meaning::new(sectag_bg96::meaning(result)));
            assert_eq!(refusal.code, code);
            explained(code, refusal.causes);
            assert!(refusal.causes.count() > 0);
        }
        _ => {}
    }
    // A result of an open that is no plain 0 is no success.
    if let Line::Urc(Urc::Opened { result: 0, .. }) = pull {
        let text = line.splitn(2, |&byte| byte == b':').nth(1);
        let text = text.unwrap_or_default();
        let mut fields = Fields::new(text);
        fields.next();
        assert_eq!(fields.int(), Some(0), "{}", line.escape_ascii());
    }
}

/// That modem has no notices of a socket's, and pushes nothing.
fn classify_nrf9160(line: &[u8], asked: &[u8]) {
    match Nrf9160::new(sectag_nrf9160::Config::new()).line(line, asked) {
        Line::Push { .. } => panic!("nothing is pushed"),
        Line::Final(Final::Connect | Final::SendFail) => panic!("it says no such thing"),
        Line::Final(Final::Error(code)) => explained(code, AtError::Refused(code).causes()),
        _ => {}
    }
}

/// An error says its number, and a cause comes but once.
fn explained(code: Code, causes: Causes) {
    let error = AtError::Refused(code);
    let text = error.to_string();
    if let Code::Cme(number) | Code::Cms(number) | Code::Vendor(number, _) = code {
        assert!(text.contains(&number.to_string()), "{text}");
    }
    let refusal = Refusal::new(code, causes);
    let causes: Vec<_> = ConnectError::Refused(refusal).causes().collect();
    for (index, cause) in causes.iter().enumerate() {
        assert!(!causes[..index].contains(cause));
        assert!(!cause.text().is_empty());
        assert!(refusal.without(*cause).causes.all(|left| left != *cause));
    }
}

/// Together the fields are the line, but for blanks.
fn fields(line: &[u8]) {
    let fields: Vec<&[u8]> = Fields::new(line).collect();
    let solid = |bytes: &[u8]| -> Vec<u8> {
        bytes
            .iter()
            .copied()
            .filter(|byte| !byte.is_ascii_whitespace())
            .collect()
    };
    assert_eq!(solid(&fields.join(&b","[..])), solid(line));
    let mut numbers = Fields::new(line);
    for field in fields {
        if let Some(number) = numbers.int() {
            assert_eq!(
                core::str::from_utf8(field)
                    .ok()
                    .and_then(|text| text.parse().ok()),
                Some(number)
            );
        }
    }
}

fn time(text: &str) {
    if let Some(time) = DateTime::parse_local(text) {
        assert_eq!(DateTime::from_unix(time.to_unix()), Some(time));
        let printed = time.to_cclk();
        let printed = core::str::from_utf8(&printed).expect("ASCII");
        // Years from 2080 on with two digits are GPS time that was never set.
        if !printed.starts_with(['8', '9']) {
            assert_eq!(DateTime::parse_local(printed), Some(time));
        }
    }
}
