//! Who is on the port: asked, or contradicted.

use crate::process::{Modem, Tool, credentials, run};

pub(crate) fn a_modem_that_is_not_named_is_asked_who_it_is() {
    for (name, options, what) in [
        ("bg96", &[][..], "Quectel BG96"),
        ("nrf9160", &["--dialect", "2.6"], "Nordic nRF9160"),
    ] {
        let modem = Modem::start_named(name, options);
        let port = modem.link().to_str().unwrap();
        // By the environment, as somebody does who has one modem.
        let environment = [("SECTAG_PORT", port)];
        let ended = Tool::start(&["status"], &environment, b"").end().expect(0);
        let on = format!("{what} on {port}");
        assert!(ended.stderr.contains(&on), "{}", ended.stderr);
        let ended = run(&["ports", "--ask", "--json", port]).expect(0);
        let modem = format!("\"modem\":\"{name}\"");
        assert!(ended.stdout.contains(&modem), "{}", ended.stdout);
    }
}

pub(crate) fn a_modem_that_is_named_wrongly_is_named_rightly() {
    let pki = credentials();
    // All at once, since each waits for its driver to give up.
    let started: Vec<(Modem, Tool)> = [
        &["status"][..],
        &["credentials", "list"],
        &["doctor"],
        &["at", "AT+CSQ"],
        &["provision"],
    ]
    .into_iter()
    .enumerate()
    .map(|(number, command)| {
        let modem = Modem::start(&[]);
        let port = modem.link().to_str().unwrap();
        let wrongly = ["--modem", "nrf9160", "--flow-control"];
        let tool = if command == ["provision"] {
            let manifest = pki.file(&format!("manifest{number}.csv"));
            std::fs::write(&manifest, format!("port,tag,ca\n{port},7,ca.pem\n")).unwrap();
            Tool::start(&[command, &[&manifest], &wrongly].concat(), &[], b"")
        } else {
            Tool::start(&[command, &["--port", port], &wrongly].concat(), &[], b"")
        };
        (modem, tool)
    })
    .collect();
    for (_modem, tool) in started {
        let ended = tool.end().expect(1);
        let told = "this is a Quectel BG96: --modem bg96";
        // A line of a manifest fails where its result stands.
        let named = ended.stderr.contains(&format!("error: {told}"))
            || ended.stdout.starts_with("FAIL") && ended.stdout.contains(told);
        assert!(named, "{}\n{}", ended.stdout, ended.stderr);
        assert!(!ended.stdout.contains("checks"), "{}", ended.stdout);
    }
}

pub(crate) fn a_dead_port_is_an_error_and_no_table() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = format!("tcp:{}", listener.local_addr().unwrap());
    let ended = run(&["status", "--port", &port, "--json"]).expect(1);
    let lines: Vec<_> = ended.stdout.lines().collect();
    assert_eq!(lines.len(), 1, "{}", ended.stdout);
    assert!(
        lines[0].starts_with("{\"error\":\"nobody answers on tcp:"),
        "{}",
        lines[0]
    );
    assert!(!ended.stderr.contains("has answered"), "{}", ended.stderr);
}

pub(crate) fn a_modem_is_restarted() {
    for (name, options) in [("bg96", &[][..]), ("nrf9160", &["--dialect", "2.6"])] {
        let modem = Modem::start_named(name, options);
        let port = modem.link().to_str().unwrap();
        let ended = run(&["restart", "--port", port, "--json"]).expect(0);
        let restarted = format!("{{\"restarted\":\"{name}\",");
        assert!(ended.stdout.starts_with(&restarted), "{}", ended.stdout);
    }
}

pub(crate) fn commands_are_typed_and_the_dangerous_refused() {
    let modem = Modem::start(&[]);
    let ended = modem.run(&["at"], &["AT+CGMM", "AT+CSQ"]).expect(0);
    assert!(
        ended.stdout.starts_with("BG96\nOK\n+CSQ: "),
        "{}",
        ended.stdout
    );
    let ended = modem
        .start_tool(&["at"], &["--json"], &[], b"AT+CGMI\n\n")
        .end()
        .expect(0);
    assert!(
        ended
            .stdout
            .starts_with("{\"command\":\"AT+CGMI\",\"lines\":[\"Quectel\"],\"result\":\"OK\","),
        "{}",
        ended.stdout
    );
    let refused = modem.run(&["at"], &["AT+QPOWD"]).expect(1);
    assert!(refused.stderr.contains("not sent"), "{}", refused.stderr);
    refused.expect_hint("power_off");
}

pub(crate) fn completions_and_manual_are_printed() {
    let completions = run(&["completions", "bash"]).expect(0);
    assert!(completions.stdout.contains("_sectag()"));
    let manual = run(&["man"]).expect(0);
    assert!(manual.stdout.contains(".TH sectag 1"), "{}", manual.stdout);
    let of_one = run(&["man", "credentials", "store"]).expect(0).stdout;
    assert!(
        of_one.contains(".TH sectag-credentials-store 1") && of_one.contains("\\-\\-tag"),
        "{of_one}"
    );
    run(&["man", "credentials", "frobnicate"]).expect_hint("it has store, ");
}
