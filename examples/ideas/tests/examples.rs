//! Every example is run, and says what it is to say.

use std::process::Command;

/// What the program prints.
fn printed(program: &str) -> String {
    let output = Command::new(program).output().expect("it was built");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{text}{error}");
    text
}

#[test]
fn publish() {
    let text = printed(env!("CARGO_BIN_EXE_publish"));
    assert_eq!(text, "the broker has sensors/1 21.5\nacknowledged\n");
}

#[test]
fn token() {
    let text = printed(env!("CARGO_BIN_EXE_token"));
    // The broker never ends a session: each has another token in time.
    let session = [
        &["a token for 1800 s"][..],
        &["the broker has sensors/1 21.5"; 5],
        &["time for another token"],
    ]
    .concat();
    let lines: Vec<_> = text.lines().collect();
    assert_eq!(lines, session.repeat(3));
}

#[test]
fn https_get() {
    assert_eq!(printed(env!("CARGO_BIN_EXE_https_get")), "200: 12:00\n");
}

#[test]
fn provision() {
    let text = printed(env!("CARGO_BIN_EXE_provision"));
    assert!(text.starts_with("refused: CA certificate: "), "{text}");
    let once = text.contains(
        "\n3 uploaded\n0 uploaded\n7: CA certificate\n7: client certificate\n7: private key\n",
    );
    assert!(
        once && text.contains("\nconnected; checked: chain yes, "),
        "{text}"
    );
}

#[test]
fn rotate() {
    let text = printed(env!("CARGO_BIN_EXE_rotate"));
    assert!(
        text.starts_with("8 is in use\nwith 7: the tag holds no CA certificate"),
        "{text}"
    );
}

#[test]
fn two_sockets() {
    let text = printed(env!("CARGO_BIN_EXE_two_sockets"));
    let lines: Vec<_> = text.lines().collect();
    assert_eq!(
        lines,
        ["fast 1", "fast 2", "fast 3", "slow 1", "slow 2", "slow 3"]
    );
}

#[test]
fn reconnect() {
    let text = printed(env!("CARGO_BIN_EXE_reconnect"));
    let lines: Vec<_> = text
        .lines()
        .filter_map(|line| line.split_once(" s: "))
        .collect();
    let said: Vec<_> = lines.iter().map(|(_, said)| *said).collect();
    assert_eq!(
        said,
        [
            "connected",
            "the modem is reset",
            "the connection was lost: connect again",
            "connected"
        ]
    );
}

#[test]
fn own_command() {
    assert_eq!(
        printed(env!("CARGO_BIN_EXE_own_command")),
        "-73 dBm, bit error rate class 99\n"
    );
}
