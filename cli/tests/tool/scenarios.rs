//! What the demo prints about worlds in which something is wrong.

use crate::process::Tool;

/// The modem, the scenario, exit status, and the beginning of its first hint.
const EXPECTED: [(&str, &str, i32, &str); 15] = [
    (
        "nrf9160",
        "wrong-ca",
        1,
        "hint: the CA under the tag is not the one",
    ),
    (
        "nrf9160",
        "refused-login",
        1,
        "hint: the broker does not know this login",
    ),
    ("nrf9160", "reset", 0, ""),
    (
        "bg96",
        "wrong-ca",
        1,
        "hint: the CA under the tag is not the one",
    ),
    (
        "bg96",
        "expired",
        1,
        "hint: the server's certificate has expired",
    ),
    (
        "bg96",
        "clock-unset",
        1,
        "hint: the modem's clock is not set",
    ),
    ("bg96", "wrong-host", 0, ""),
    (
        "bg96",
        "no-client-cert",
        1,
        "hint: the server asks for a client certificate",
    ),
    (
        "bg96",
        "ecdsa-server",
        1,
        "hint: the server's key is of a type",
    ),
    (
        "bg96",
        "refused-login",
        1,
        "hint: the broker does not know this login",
    ),
    ("bg96", "reset", 0, ""),
    ("bg96", "no-registration", 1, "hint: no cell is heard"),
    ("bg96", "sim-missing", 1, "hint: no SIM is inserted"),
    (
        "bg96",
        "pdp-refused",
        1,
        "hint: this has several possible causes",
    ),
    ("bg96", "dns", 1, "hint: the name has no address"),
];

pub(crate) fn each_names_its_cause_and_ends_as_it_should() {
    // Most of the time they wait.
    let running = EXPECTED.map(|(modem, name, ..)| {
        Tool::start(&["demo", "--modem", modem, "--scenario", name], &[], b"")
    });
    for (tool, (_, name, code, hint)) in running.into_iter().zip(EXPECTED) {
        let ended = tool.end().expect(code);
        let mut lines = ended.stderr.lines();
        let error = lines.find(|line| line.starts_with("error: "));
        let first = lines.next().unwrap_or_default();
        assert_eq!(error.is_some(), code == 1, "{name}:\n{}", ended.stderr);
        assert!(first.starts_with(hint), "{name}:\n{}", ended.stderr);
        assert!(
            !ended.stderr.contains("failed to"),
            "{name}:\n{}",
            ended.stderr
        );
        if name == "reset" {
            let lost = "warning: MQTT PUBLISH: the connection was lost: connecting again";
            assert!(ended.stderr.contains(lost), "{}", ended.stderr);
            let steps = [
                "recover",
                "connect with mutual TLS",
                "publish",
                "receive the own message",
            ];
            let (_, after) = ended.stdout.split_once("recover").unwrap_or_default();
            assert!(
                steps[1..].iter().all(|step| after.contains(step)),
                "{}",
                ended.stdout
            );
        }
        if name == "wrong-host" {
            let said = "the connection came about all the same: this modem does not check the name";
            assert!(ended.stderr.contains(said), "{}", ended.stderr);
        }
        if name == "pdp-refused" {
            assert!(
                ended.stderr.contains("2. the network does not know"),
                "{}",
                ended.stderr
            );
        }
    }
}
