use crate::process::{Modem, credentials};

#[test]
fn stored_listed_and_removed_over_a_terminal() {
    let modem = Modem::start(&["--turnaround-ms", "5", "--chunk", "7", "--seed", "3"]);
    let pki = credentials();
    let (ca, cert, key) = (
        pki.file("ca.pem"),
        pki.file("client.pem"),
        pki.file("client.key"),
    );
    let size = |path: &str| std::fs::metadata(path).unwrap().len();

    let files = ["--tag", "42", "--ca", &ca, "--cert", &cert, "--key", &key];
    let stored = modem.run(&["credentials", "store"], &files).expect(0);
    assert_eq!(stored.stdout.lines().count(), 3, "{}", stored.stdout);
    // Again: it replaces what is there.
    modem
        .run(&["credentials", "store"], &["--tag", "42", "--ca", &ca])
        .expect(0);
    modem
        .run(&["credentials", "store"], &["--tag", "7", "--ca", &ca])
        .expect(0);

    let mut listed: Vec<String> = modem
        .run(&["credentials", "list"], &[])
        .expect(0)
        .stdout
        .lines()
        .map(str::to_owned)
        .collect();
    listed.sort();
    let mut expected = vec![
        format!("42\tCA certificate\t{} bytes", size(&ca)),
        format!("42\tclient certificate\t{} bytes", size(&cert)),
        format!("42\tprivate key\t{} bytes", size(&key)),
        format!("7\tCA certificate\t{} bytes", size(&ca)),
    ];
    expected.sort();
    assert_eq!(listed, expected);

    let removed = modem
        .run(&["credentials", "remove"], &["--tag", "42"])
        .expect(0);
    assert_eq!(removed.stdout.lines().count(), 3, "{}", removed.stdout);
    let json = modem
        .run(&["credentials", "list"], &["--json"])
        .expect(0)
        .stdout;
    assert_eq!(
        json,
        format!("{{\"tag\":7,\"kind\":\"ca\",\"bytes\":{}}}\n", size(&ca))
    );
    modem
        .run(&["credentials", "remove"], &["--tag", "42"])
        .expect(0);
}

#[test]
fn the_trace_shows_commands_and_no_contents() {
    let modem = Modem::start(&[]);
    let pki = credentials();
    let key = pki.file("client.key");
    let options = ["--tag", "1", "--key", &key, "--sim-pin", "4321", "-v"];
    let ended = modem.run(&["credentials", "store"], &options).expect(0);
    assert!(ended.stderr.contains("AT+QFUPL"), "{}", ended.stderr);
    assert!(
        ended.stderr.contains("warning: --sim-pin"),
        "{}",
        ended.stderr
    );
    assert!(!ended.stderr.contains("4321"), "{}", ended.stderr);
    let key = std::fs::read_to_string(&key).unwrap();
    let line = key.lines().nth(1).unwrap();
    assert!(!ended.stderr.contains(&line[..16]), "{}", ended.stderr);
}

#[test]
fn a_tag_that_the_modem_cannot_name_is_refused() {
    let modem = Modem::start(&[]);
    let pki = credentials();
    let options = ["--tag", "1000000", "--ca", &pki.file("ca.pem")];
    let ended = modem.run(&["credentials", "store"], &options).expect(1);
    assert!(ended.stderr.contains("999999"), "{}", ended.stderr);
}
