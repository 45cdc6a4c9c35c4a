//! `publish` and `subscribe` through a pseudo terminal, 20 ms turnaround, one byte at a time, against mosquitto.

use sectag_test_support::mosquitto::{Mosquitto, MosquittoOptions};
use sectag_test_support::pki::Pki;

use crate::process::{Ended, Modem};

const SERVER: [&str; 5] = ["--host", "broker.sectag.test", "--tag", "5", "--private-ca"];

fn options<'a>(more: &[&'a str]) -> Vec<&'a str> {
    [&SERVER, more].concat()
}

fn broker(options: &MosquittoOptions) -> Mosquitto {
    Mosquitto::start(Pki::shared(), options).unwrap()
}

#[track_caller]
fn publish(modem: &Modem, more: &[&str]) -> Ended {
    modem.run(&["publish"], &options(more))
}

pub(crate) fn what_one_publishes_the_other_prints() {
    let broker = broker(&MosquittoOptions::new());
    let (here, there) = (
        Modem::with_broker(broker.port()),
        Modem::with_broker(broker.port()),
    );
    here.provision("5");
    there.provision("5");

    let subscription = options(&["--topic", "sectag/#", "--count", "2"]);
    let mut subscriber = here.start_tool(&["subscribe"], &subscription, &[], b"");
    subscriber.wait_for("subscribed to sectag/#");

    // Payload that looks like the modem's own answers.
    let sent = publish(
        &there,
        &[
            "--topic",
            "sectag/a",
            "--message",
            "OK +QSSLURC: \"closed\",0",
        ],
    )
    .expect(0);
    assert!(
        sent.stdout.contains("the broker has acknowledged"),
        "{}",
        sent.stdout
    );
    assert!(
        sent.stderr
            .contains("mutual TLS: checked: certificate chain"),
        "{}",
        sent.stderr
    );
    let sent = publish(
        &there,
        &[
            "--topic",
            "sectag/b",
            "--message",
            "two",
            "--qos",
            "0",
            "--json",
        ],
    )
    .expect(0);
    assert!(
        sent.stdout
            .starts_with("{\"topic\":\"sectag/b\",\"bytes\":3,\"qos\":0,\"acknowledged\":false,"),
        "{}",
        sent.stdout
    );

    let received = subscriber.end().expect(0);
    assert_eq!(
        received.stdout,
        "sectag/a OK +QSSLURC: \"closed\",0\nsectag/b two\n"
    );
}

pub(crate) fn an_interrupt_ends_a_subscription_in_order() {
    let broker = broker(&MosquittoOptions::new());
    let modem = Modem::with_broker(broker.port());
    modem.provision("5");
    let mut subscriber = modem.start_tool(&["subscribe"], &options(&["--topic", "t"]), &[], b"");
    subscriber.wait_for("subscribed to t");
    subscriber.signal("INT");
    subscriber.end().expect(0);
    assert!(broker.log().contains("disconnected"), "{}", broker.log());
}

pub(crate) fn passwords_come_from_environment_input_or_file() {
    let broker = broker(&MosquittoOptions::new().user("device", "correct horse"));
    let modem = Modem::with_broker(broker.port());
    modem.provision("5");
    let login = |more: &[&'static str]| {
        options(
            &[
                &["--topic", "t", "--message", "m", "--username", "device"],
                more,
            ]
            .concat(),
        )
    };
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), "correct horse\n").unwrap();
    let at_file: &'static str = Box::leak(format!("@{}", file.path().display()).into());

    let environment = [("SECTAG_PASSWORD", "correct horse")];
    modem
        .start_tool(&["publish"], &login(&[]), &environment, b"")
        .end()
        .expect(0);
    let from_input = modem.start_tool(
        &["publish"],
        &login(&["--password", "-"]),
        &[],
        b"correct horse\n",
    );
    assert!(!from_input.end().expect(0).stderr.contains("warning:"));
    modem
        .run(&["publish"], &login(&["--password", at_file]))
        .expect(0);
    let direct = modem.run(&["publish"], &login(&["--password", "wrong", "-v"]));
    assert!(
        direct.stderr.contains("warning: --password is visible"),
        "{}",
        direct.stderr
    );
    // The modem is not left with an open socket.
    let commands = || direct.stderr.lines().filter(|line| line.contains("> AT"));
    let last = commands().next_back().unwrap();
    assert!(last.contains("AT+QSSLCLOSE="), "{}", direct.stderr);
    direct.expect_hint("--username and --password");
}

pub(crate) fn failures_say_what_to_do() {
    let broker = broker(&MosquittoOptions::new());
    let modem = Modem::with_broker(broker.port());
    let message = ["--topic", "t", "--message", "m"];

    publish(&modem, &message).expect_hint("sectag credentials store --modem bg96 --port");
    modem.provision("5");

    // A public CA, and a modem that is not known to check names.
    let public = ["--host", "broker.sectag.test", "--tag", "5"];
    modem
        .run(&["publish"], &[&public, &message[..]].concat())
        .expect_hint("--private-ca");
    let accepted = [&public, &message[..], &["--accept-missing", "name"]].concat();
    let ended = modem.run(&["publish"], &accepted).expect(0);
    assert!(
        ended.stderr.contains("warning: --accept-missing"),
        "{}",
        ended.stderr
    );

    let nowhere = [
        "--host",
        "nowhere.sectag.test",
        "--tag",
        "5",
        "--private-ca",
    ];
    modem
        .run(&["publish"], &[&nowhere, &message[..]].concat())
        .expect_hint("nowhere.sectag.test");

    // Another CA: the modem has one number for all causes, so all are named.
    let other = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(other.path(), Pki::new().ca_pem()).unwrap();
    let ca = ["--tag", "5", "--ca", other.path().to_str().unwrap()];
    modem.run(&["credentials", "store"], &ca).expect(0);
    publish(&modem, &message).expect_hint("not the one that signed");
}
