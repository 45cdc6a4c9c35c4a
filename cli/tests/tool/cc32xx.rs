//! `--modem cc32xx`: a simulated CC3235 with TI's AT application over a pseudo terminal, byte by byte, with mosquitto behind it.

use crate::process::credentials;
use crate::station::Station;

pub(crate) fn what_one_publishes_over_the_at_application_comes_back() {
    let station = Station::start("cc32xx");
    let tool = |command: &[&str], options: &[&str]| station.tool(command, options);
    let pki = credentials();
    let (ca, cert, key) = (
        pki.file("ca.pem"),
        pki.file("client.pem"),
        pki.file("client.key"),
    );
    let files = ["--tag", "7", "--ca", &ca, "--cert", &cert, "--key", &key];

    // The trace has neither passphrase nor key in it.
    let stored = tool(&["-v", "credentials", "store"], &files)
        .end()
        .expect(0);
    assert!(stored.stderr.contains("AT+FileOpen"), "{}", stored.stderr);
    assert!(!stored.stderr.contains("battery"), "{}", stored.stderr);
    let again = tool(&["credentials", "store"], &files).end().expect(0);
    // The key is a secure file, and stored once more.
    assert_eq!(
        again.stdout.matches("already").count(),
        2,
        "{}",
        again.stdout
    );
    let listed = tool(&["credentials", "list"], &[]).end().expect(0).stdout;
    assert_eq!(listed.lines().count(), 3, "{listed}");
    tool(&["credentials", "verify"], &files[..6])
        .end()
        .expect(0);
    let status = tool(&["status"], &[]).end().expect(0).stdout;
    for said in ["Texas Instruments", "4.13.0.2"] {
        assert!(status.contains(said), "{said} in\n{status}");
    }

    station.what_is_published_comes_back();

    // Of the key, which nobody reads back, the file stays with zeros in it: deleting it needs a token that AT forgets.
    tool(&["credentials", "remove"], &["--all"]).end().expect(0);
    let listed = tool(&["credentials", "list"], &[]).end().expect(0).stdout;
    assert!(
        listed.lines().count() == 1 && listed.contains("private key"),
        "{listed}"
    );
    tool(&["status"], &["--file-token", "7"])
        .end()
        .expect_hint("leave it out");
}
