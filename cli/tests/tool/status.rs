use crate::process::Modem;
use crate::surroundings;
use sectag_simulator::{Options, Sim};

pub(crate) fn everything_known_is_printed_for_people_and_programs() {
    let modem = Modem::start(&["--turnaround-ms", "5", "--chunk", "3", "--seed", "2"]);
    let ended = modem.run(&["status"], &[]).expect(0);
    for line in [
        "model               BG96",
        "firmware            BG96MAR02A07M1G_01.019.01.019",
        "IMEI                866425030000017",
        "SIM                 ready",
        "registration        home network",
        "operator            Test Network",
        "technology          LTE Cat M1",
        "band                LTE BAND 4",
        "signal (RSRP)       -98 dBm",
        "signal (SINR)       4 dB",
        "address             10.64.0.1",
        "TLS                 1.0 to 1.2",
        "keys of servers     RSA only",
        "ALPN                no",
        "TLS sockets         6 at a time",
    ] {
        assert!(
            ended.stdout.lines().any(|printed| printed == line),
            "no {line:?} in\n{}",
            ended.stdout
        );
    }
    assert!(
        ended.stderr.contains("bg96 has answered"),
        "{}",
        ended.stderr
    );
    // They name the subscriber.
    for number in ["001010000000017", "8900100000000000017"] {
        assert!(!ended.stdout.contains(number), "{}", ended.stdout);
    }
    let json = modem
        .run(&["status"], &["--json", "--sim"])
        .expect(0)
        .stdout;
    assert_eq!(json.lines().count(), 1, "{json}");
    for part in [
        "\"model\":\"BG96\"",
        "\"registration\":\"home network\"",
        "\"rssi_dbm\":-71",
        "\"rsrq_db\":-11",
        "\"clock_set\":true",
        "\"checks_name\":\"unknown\"",
        "\"up\":true",
        "\"iccid\":\"8900100000000000017\"",
        "\"imsi\":\"001010000000017\"",
    ] {
        assert!(json.contains(part), "no {part} in {json}");
    }
}

pub(crate) fn what_is_known_without_a_network_is_printed_and_the_reason_named() {
    let modem = surroundings::Modem::start(Options {
        sim: Sim::PukRequired,
        ..Options::default()
    });
    let ended = modem.run(&["status"], &[], &[]);
    assert!(
        ended.stdout.contains("SIM                 PUK needed")
            && ended.stdout.contains("model               BG96"),
        "{}",
        ended.stdout
    );
    ended.expect_hint("unblock it with the PUK");
    let json = modem.run(&["status"], &["--json"], &[]).expect(1).stdout;
    assert!(
        json.contains("\"up\":false,\"problem\":\"the SIM is blocked"),
        "{json}"
    );
}

pub(crate) fn a_modem_of_another_operator_is_named() {
    let modem = surroundings::Modem::start(Options {
        sim: Sim::Foreign,
        ..Options::default()
    });
    modem
        .run(&["status"], &[], &[])
        .expect_hint("of that operator");
}
