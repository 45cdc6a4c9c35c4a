//! The dialogue before PPP, under a module that says what the sheet says.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::convert::Infallible;
use std::future::poll_fn;
use std::task::{Poll, Waker};

use embedded_io_async::{ErrorType, Read, Write};
use sectag::wifi::{JoinFailure, WifiConfig};
use sectag::{BringUpError, Cause};
use sectag_integration_tests as _;
use sectag_ppp::dial::{Cellular, Dialogue, OdinW2, Own, cellular, odin_w2};
use sectag_simulator::time::block_on_virtual;

/// What is answered to which command, in order; a command that is not the next is a failed test.
struct Module {
    script: RefCell<VecDeque<(&'static str, Vec<u8>)>>,
    said: RefCell<(VecDeque<Vec<u8>>, Option<Waker>)>,
    heard: RefCell<Vec<u8>>,
}

struct End<'m>(&'m Module);

impl ErrorType for End<'_> {
    type Error = Infallible;
}

impl Read for End<'_> {
    async fn read(&mut self, buf: &mut [u8]) -> Result<usize, Infallible> {
        poll_fn(|cx| {
            let (said, waker) = &mut *self.0.said.borrow_mut();
            let Some(mut bytes) = said.pop_front() else {
                *waker = Some(cx.waker().clone());
                return Poll::Pending;
            };
            let count = bytes.len().min(buf.len());
            buf[..count].copy_from_slice(&bytes[..count]);
            let rest = bytes.split_off(count);
            if !rest.is_empty() {
                said.push_front(rest);
            }
            Poll::Ready(Ok(count))
        })
        .await
    }
}

impl Write for End<'_> {
    async fn write(&mut self, buf: &[u8]) -> Result<usize, Infallible> {
        self.0.heard.borrow_mut().extend_from_slice(buf);
        Ok(buf.len())
    }

    async fn flush(&mut self) -> Result<(), Infallible> {
        let heard = self.0.heard.replace(Vec::new());
        let command = String::from_utf8(heard).unwrap();
        let (expected, answer) = self.0.script.borrow_mut().pop_front().expect(&command);
        assert_eq!(command.trim_end_matches('\r'), expected);
        if !answer.is_empty() {
            self.0.say(answer);
        }
        Ok(())
    }
}

impl Module {
    /// `|` in an answer is where a read ends.
    fn new(script: &[(&'static str, &str)]) -> Self {
        Self {
            script: RefCell::new(
                script
                    .iter()
                    .map(|(command, answer)| (*command, answer.as_bytes().to_vec()))
                    .collect(),
            ),
            said: RefCell::default(),
            heard: RefCell::default(),
        }
    }

    fn say(&self, answer: Vec<u8>) {
        let (said, waker) = &mut *self.said.borrow_mut();
        for part in answer.split(|byte| *byte == b'|') {
            if !part.is_empty() {
                said.push_back(part.to_vec());
            }
        }
        if let Some(waker) = waker.take() {
            waker.wake();
        }
    }

    /// The outcome, and what came behind the dial.
    fn odin(&self, config: &OdinW2) -> (Result<(), BringUpError>, Vec<u8>) {
        block_on_virtual(async {
            let mut line = Dialogue::new(End(self), End(self));
            let outcome = odin_w2(&mut line, config).await;
            (outcome, line.behind().to_vec())
        })
    }

    fn cellular(&self, config: &mut Cellular) -> (Result<(), BringUpError>, Vec<u8>) {
        block_on_virtual(async {
            let mut line = Dialogue::new(End(self), End(self));
            let outcome = cellular(&mut line, config).await;
            (outcome, line.behind().to_vec())
        })
    }

    fn is_done(&self) -> bool {
        self.script.borrow().is_empty()
    }
}

const OK: &str = "\r\nOK\r\n";
const WIFI: WifiConfig = match WifiConfig::wpa2("workshop", "correct horse") {
    Ok(wifi) => wifi,
    Err(_) => panic!("no network"),
};

const JOIN: [(&str, &str); 7] = [
    ("AT+UWSCA=0,4", "\r\nERROR\r\n"),
    ("AT+UWSC=0,0,0", OK),
    ("AT+UWSC=0,2,\"workshop\"", OK),
    ("AT+UWSC=0,5,2", OK),
    ("AT+UWSC=0,8,\"correct horse\"", OK),
    ("AT+UWSC=0,100,2", OK),
    ("AT+UWSCA=0,3", OK),
];

/// Sheet E.1: the user's story up to PPP, with the settings of his link.
#[test]
fn the_s5d9_story_up_to_ppp() {
    let mut script = vec![
        ("AT", "AT\r\n\r\nOK\r\n"),
        ("ATE0", "ATE0\r\r\nOK\r\n"),
        ("AT+GMM", "\r\n\"ODIN-W2\"\r\n\r\nOK\r\n"),
    ];
    script.extend(JOIN);
    script.extend([
        (
            "AT+UPPPC=101,172.20.10.4",
            "\r\n+UUWLE:0,FAAC838145DA,1\r\n\r\nOK\r\n",
        ),
        ("AT+UPPPC=102,255.255.255.0", OK),
        ("AT+UPPPC=104,172.20.10.1", OK),
        ("AT+UPPPC=105,172.20.10.1", OK),
        ("AT+UPPPC=107,1", "\r\nOK\r\n|\r\n+UUNU:0\r\n"),
        ("ATO3", "\r\nOK\r\n|\r\n|~\u{7f}rest"),
    ]);
    let module = Module::new(&script);
    let own = Own {
        address: Some("172.20.10.4".parse().unwrap()),
        mask: Some("255.255.255.0".parse().unwrap()),
        dns: Some("172.20.10.1".parse().unwrap()),
        dns2: Some("172.20.10.1".parse().unwrap()),
        conflict_detection: true,
    };
    let (outcome, behind) = module.odin(&OdinW2 { wifi: WIFI, own });
    assert_eq!(outcome, Ok(()));
    // The line end is dropped, the frame that has begun is handed on.
    assert_eq!(behind, b"~\x7Frest");
    assert!(module.is_done());
}

#[test]
fn what_is_not_configured_of_the_link_is_not_sent() {
    let mut script = vec![
        ("AT", OK),
        ("ATE0", OK),
        ("AT+GMM", "\r\n\"ODIN-W262\"\r\n\r\nOK\r\n"),
    ];
    script.extend(JOIN);
    script.last_mut().unwrap().1 = "\r\nOK\r\n|\r\n+UUWLE:0,FAAC838145DA,1\r\n\r\n+UUNU:0\r\n";
    script.push(("ATO3", OK));
    let module = Module::new(&script);
    let own = Own::default();
    let (outcome, behind) = module.odin(&OdinW2 { wifi: WIFI, own });
    assert_eq!((outcome, behind), (Ok(()), Vec::new()));
    assert!(module.is_done());
}

#[test]
fn nina_is_refused_by_name_before_anything_is_set() {
    let script = [
        ("AT", OK),
        ("ATE0", OK),
        ("AT+GMM", "\r\n\"NINA-W132\"\r\n\r\nOK\r\n"),
    ];
    let module = Module::new(&script);
    let own = Own::default();
    let (outcome, _) = module.odin(&OdinW2 { wifi: WIFI, own });
    let text = outcome.unwrap_err().to_string();
    assert!(text.contains("only ODIN-W2 has PPP"), "{text}");
}

#[test]
fn a_wrong_passphrase_is_told_from_a_network_that_is_not_there() {
    for (news, failure, reason) in [
        (
            "\r\nOK\r\n|\r\n+UUWLD:0,4\r\n\r\n+UUWLD:0,2\r\n",
            JoinFailure::Refused,
            Some(4),
        ),
        ("\r\nOK\r\n", JoinFailure::NotFound, None),
    ] {
        let mut script = vec![
            ("AT", OK),
            ("ATE0", OK),
            ("AT+GMM", "\r\n\"ODIN-W2\"\r\n\r\nOK\r\n"),
        ];
        script.extend(JOIN);
        script.last_mut().unwrap().1 = news;
        let own = Own::default();
        let (outcome, _) = Module::new(&script).odin(&OdinW2 { wifi: WIFI, own });
        assert_eq!(outcome, Err(BringUpError::NotJoined { failure, reason }));
    }
}

fn before_the_dial(model: &'static str) -> Vec<(&'static str, &'static str)> {
    vec![
        ("AT", OK),
        ("ATE0", OK),
        ("AT+CGMM", model),
        ("AT+CPIN?", "\r\n+CPIN: READY\r\n\r\nOK\r\n"),
        ("AT+CEREG?", "\r\n+CEREG: 0,5\r\n\r\nOK\r\n"),
    ]
}

#[test]
fn connect_with_a_number_and_with_ppp_in_the_same_read() {
    for (answer, behind) in [
        ("\r\nCONNECT\r\n", &b""[..]),
        ("\r\nCONNECT 150000000\r\n~}#", b"~}#"),
        // Sheet E.8, as the reads were there.
        ("\r\nCONNE|CT\r\n~\u{7f}}#", b"~\x7F}#"),
    ] {
        let mut script = before_the_dial("\r\nSARA-R410M-02B\r\n\r\nOK\r\n");
        script.push(("ATD*99***1#", answer));
        let module = Module::new(&script);
        let (outcome, found) = module.cellular(&mut Cellular::new());
        assert_eq!((outcome, &found[..]), (Ok(()), behind), "{answer}");
    }
}

#[test]
fn the_access_point_is_set_and_lena_gets_a_context_of_its_own() {
    let mut script = before_the_dial("\r\nLENA-R8001\r\n\r\nOK\r\n");
    script.insert(4, ("AT+CGDCONT=2,\"IP\",\"iot.example\"", OK));
    script.push(("ATD*99***2#", "\r\nCONNECT\r\n"));
    let module = Module::new(&script);
    let mut config = Cellular::new().apn("iot.example").unwrap();
    assert_eq!(module.cellular(&mut config).0, Ok(()));
}

#[test]
fn lexi_is_refused_by_name() {
    let script = [
        ("AT", OK),
        ("ATE0", OK),
        ("AT+CGMM", "\r\nLEXI-R10801D\r\n\r\nOK\r\n"),
    ];
    let (outcome, _) = Module::new(&script).cellular(&mut Cellular::new());
    let text = outcome.unwrap_err().to_string();
    assert!(text.contains("LEXI-R10 has no PPP"), "{text}");
}

/// A module that swallowed the PIN may have tried it, and the next dial asks.
#[test]
fn a_pin_without_an_answer_is_entered_again_only_where_no_try_is_gone() {
    const ASKS: [(&str, &str); 4] = [
        ("AT", OK),
        ("ATE0", OK),
        ("AT+CGMM", "\r\nSARA-R510S\r\n\r\nOK\r\n"),
        ("AT+CPIN?", "\r\n+CPIN: SIM PIN\r\n\r\nOK\r\n"),
    ];
    const ENTERED: (&str, &str) = ("AT+CPIN=\"1234\"", OK);
    let ready = ("AT+CPIN?", "\r\n+CPIN: READY\r\n\r\nOK\r\n");
    let swallowed = ("AT+CPIN=\"1234\"", "");
    let left = |answer| ("AT+CPINR=\"SIM PIN\"", answer);
    let up = [
        ENTERED,
        ready,
        ("AT+CEREG?", "\r\n+CEREG: 0,5\r\n\r\nOK\r\n"),
        ("ATD*99***1#", "\r\nCONNECT\r\n"),
    ];
    for (answer, may_again) in [
        ("\r\n+CPINR: SIM PIN,3,3\r\n\r\nOK\r\n", true),
        ("\r\n+CME ERROR: 100\r\n", true),
        ("\r\n+CPINR: SIM PIN,2,3\r\n\r\nOK\r\n", false),
    ] {
        let mut config = Cellular::new().pin("1234").unwrap();
        let all = left("\r\n+CPINR: SIM PIN,3,3\r\n\r\nOK\r\n");
        let first = Module::new(&[&ASKS[..], &[all, swallowed]].concat());
        let error = first.cellular(&mut config).0.unwrap_err();
        assert!(matches!(error, BringUpError::At { .. }), "{error}");
        let mut script = [&ASKS[..], &[left(answer)]].concat();
        if may_again {
            script.extend(up);
        }
        let second = Module::new(&script);
        let expected = match may_again {
            true => Ok(()),
            false => Err(BringUpError::SimPinRefused),
        };
        assert_eq!(second.cellular(&mut config).0, expected, "{answer}");
        assert!(second.is_done(), "{answer}");
        if !may_again {
            // And from then on not even asked about.
            let third = Module::new(&ASKS);
            assert_eq!(third.cellular(&mut config).0, expected);
            assert!(third.is_done());
        }
    }
}

#[test]
fn no_carrier_is_dialled_again_after_attaching_and_then_after_a_restart() {
    let model = "\r\nSARA-R410M-02B\r\n\r\nOK\r\n";
    let refused = ("ATD*99***1#", "\r\nNO CARRIER\r\n");
    let mut script = before_the_dial(model);
    script.push(refused);
    script.extend(before_the_dial(model));
    script.extend([("AT+CGATT=0", OK), ("AT+CGATT=1", OK)]);
    let up_to_here = script.len();
    script.push(("ATD*99***1#", "\r\nCONNECT\r\n"));
    let module = Module::new(&script);
    assert_eq!(module.cellular(&mut Cellular::new()).0, Ok(()));

    script.truncate(up_to_here);
    script.push(refused);
    script.push(("AT+CFUN=15", OK));
    script.extend(before_the_dial(model));
    script.push(refused);
    let module = Module::new(&script);
    let error = module.cellular(&mut Cellular::new()).0.unwrap_err();
    assert_eq!(error.causes().next(), Some(Cause::ApnWrong));
    assert!(error.to_string().contains("NO CARRIER"), "{error}");
    assert!(module.is_done());
}
