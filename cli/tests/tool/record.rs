use sectag_test_support::mosquitto::{Mosquitto, MosquittoOptions};
use sectag_test_support::pki::Pki;
use sectag_transcript::{Event, Transcript};

use crate::process::{Ended, Modem, credentials};

const PASSWORD: &str = "correct-horse-battery-staple";

struct Recording {
    dir: tempfile::TempDir,
}

impl Recording {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        Self { dir }
    }

    fn path(&self, name: &str) -> String {
        self.dir.path().join(name).to_str().unwrap().to_owned()
    }

    fn run(&self, modem: &Modem, name: &str, flags: &[&str], command: &[&str]) -> Ended {
        let out = self.path(name);
        let options = [&["--out", &out], flags, &["--"], command].concat();
        let environment = [("SECTAG_PASSWORD", PASSWORD)];
        modem
            .start_tool(&["record"], &options, &environment, b"")
            .end()
    }

    fn read(&self, name: &str) -> (String, Transcript) {
        let text = std::fs::read_to_string(self.path(name)).unwrap();
        let transcript = text.parse().unwrap();
        (text, transcript)
    }
}

pub(crate) fn a_status_is_recorded_word_by_word() {
    let modem = Modem::start(&["--chunk", "1"]);
    let recording = Recording::new();
    let ended = recording
        .run(&modem, "status.at", &[], &["status", "--json"])
        .expect(0);
    assert!(
        ended.stdout.contains("\"model\":\"BG96\""),
        "{}",
        ended.stdout
    );
    assert!(ended.stderr.contains("recorded in"), "{}", ended.stderr);
    let (text, transcript) = recording.read("status.at");
    assert!(text.starts_with("# source: recorded by sectag "), "{text}");
    let question = transcript
        .events
        .iter()
        .position(|event| *event == Event::Host(b"AT+CGMM\r".to_vec()))
        .unwrap();
    let answer = transcript.events[question + 1..]
        .iter()
        .find(|event| matches!(event, Event::Modem(_)));
    assert_eq!(
        answer,
        Some(&Event::Modem(b"\r\nBG96\r\n\r\nOK\r\n".to_vec()))
    );
}

pub(crate) fn provisioning_and_login_leave_no_secret() {
    let broker = Mosquitto::start(
        Pki::shared(),
        &MosquittoOptions::new().user("device", PASSWORD),
    )
    .unwrap();
    let modem = Modem::with_broker(broker.port());
    let recording = Recording::new();
    let pki = credentials();
    let (ca, cert, key) = (
        pki.file("ca.pem"),
        pki.file("client.pem"),
        pki.file("client.key"),
    );
    let store = [
        "credentials",
        "store",
        "--tag",
        "5",
        "--ca",
        &ca,
        "--cert",
        &cert,
        "--key",
        &key,
        "--sim-pin",
        "83514062",
    ];
    recording.run(&modem, "store.at", &[], &store).expect(0);
    let publish = [
        "publish",
        "--host",
        "broker.sectag.test",
        "--tag",
        "5",
        "--private-ca",
        "--topic",
        "sectag/record",
        "--message",
        "21 degrees",
        "--username",
        "device",
    ];
    recording.run(&modem, "masked.at", &[], &publish).expect(0);
    recording
        .run(&modem, "kept.at", &["--payload"], &publish)
        .expect(0);

    let key = std::fs::read_to_string(&key).unwrap();
    for name in ["store.at", "masked.at", "kept.at"] {
        let (text, transcript) = recording.read(name);
        for line in key.lines() {
            assert!(
                !text.contains(&line[..line.len().min(16)]),
                "{name}\n{text}"
            );
        }
        assert!(!text.contains(&PASSWORD[..16]), "{name}\n{text}");
        assert!(!text.contains("83514062"), "{name}\n{text}");
        let payload = transcript.events.iter().any(|event| {
            let Event::Host(bytes) = event else {
                return false;
            };
            bytes.windows(10).any(|window| window == b"21 degrees")
        });
        assert_eq!(payload, name == "kept.at", "{name}\n{text}");
    }
    let (text, _) = recording.read("store.at");
    assert!(text.contains("> AT+QFUPL=\"st5.key\","), "{text}");
}

pub(crate) fn a_failure_is_recorded_and_nothing_overwritten() {
    let modem = Modem::start(&[]);
    let recording = Recording::new();
    let connect = ["connect", "--tag", "9", "--private-ca", "localhost:1"];
    recording
        .run(&modem, "failed.at", &[], &connect)
        .expect_hint("store it");
    let (text, _) = recording.read("failed.at");
    assert!(text.contains("AT+QFLST"), "{text}");
    recording
        .run(&modem, "failed.at", &[], &["status"])
        .expect_hint("not overwritten");
    assert_eq!(recording.read("failed.at").0, text);
}

/// What stands behind a second `--` is the command's own.
pub(crate) fn a_command_may_have_words_of_its_own() {
    let modem = Modem::start(&[]);
    let recording = Recording::new();
    let ended = recording.run(&modem, "at.at", &[], &["at", "--", "AT+CSQ"]);
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    assert!(recording.read("at.at").0.contains("> AT+CSQ"));
}

pub(crate) fn only_what_talks_to_a_modem_can_be_recorded() {
    let modem = Modem::start(&[]);
    let recording = Recording::new();
    for command in [
        &["demo"][..],
        &["record", "--out", "x", "--", "status"],
        &["nonsense"],
        &["publish"],
    ] {
        let ended = recording.run(&modem, "x.at", &[], command);
        assert_ne!(ended.code, Some(0), "{command:?}: {}", ended.stderr);
        assert!(ended.stderr.contains("error: "), "{}", ended.stderr);
        assert!(!std::path::Path::new(&recording.path("x.at")).exists());
    }
}
