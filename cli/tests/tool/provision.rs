//! Eight modems at once, three of which are not as they should be.

use std::fmt::Write;

use sectag_simulator::{Options, Sim};
use sectag_test_support::pki::Pki;

use crate::process::{self, Ended, credentials, run};
use crate::surroundings::Modem;

pub(crate) fn of_eight_modems_the_one_that_is_full_is_named_and_the_others_are_done_once() {
    let full = || Options {
        flash: 3000,
        ..Options::default()
    };
    let without_sim = || Options {
        sim: Sim::Missing,
        ..Options::default()
    };
    let modems: Vec<Modem> = (0..8)
        .map(|number| match number {
            2 => Modem::start(without_sim()),
            // At the second credential: each is announced by a marker.
            4 => Modem::start_with(Options::default(), Some("reset@4:AT+QFUPL")),
            6 => Modem::start(full()),
            _ => Modem::start(Options::default()),
        })
        .collect();
    let pki = credentials();
    // Paths are relative to the manifest.
    let mut manifest = String::from("port,tag,ca,cert,key\n");
    for modem in &modems {
        let port = modem.port();
        writeln!(manifest, "{port},7,ca.pem,client.pem,client.key").unwrap();
    }
    let path = pki.file("manifest.csv");
    std::fs::write(&path, manifest).unwrap();
    let (table, json) = (pki.file("report.csv"), pki.file("report.json"));
    let provision =
        || -> Ended { run(&["provision", &path, "--report", &table, "--report", &json]).expect(1) };

    let first = provision();
    let line = |modem: &Modem| {
        let mut lines = first.stdout.lines();
        let found = lines.find(|line| line.contains(modem.port()));
        found.unwrap_or_default().to_owned()
    };
    let full = line(&modems[6]);
    assert!(
        full.starts_with("FAIL")
            && full.contains(&format!("{}: storing the", pki.file("client.key")))
            && full.contains("bytes are needed"),
        "{full}"
    );
    // It stores without a SIM: a factory has none.
    let bare = line(&modems[2]);
    assert!(bare.starts_with("done"), "{bare}");
    let done = 7;
    let sum = format!("error: {} of 8 lines failed, {done} are done", 8 - done);
    assert!(
        first.stderr.contains(&sum),
        "{}\n{}",
        first.stdout,
        first.stderr
    );
    let report = std::fs::read_to_string(&table).unwrap();
    let lines: Vec<_> = report.lines().collect();
    assert_eq!(lines.len(), 9, "{report}");
    assert_eq!(
        lines[0],
        "line,port,imei,modem,tag,ca,cert,key,result,error,hint,attempts,ms"
    );
    let fresh = report.matches(",stored,stored,stored,done,").count();
    assert_eq!(fresh, done - 1, "{report}");
    // What was whole before the reset was proved by the second attempt.
    let reset = lines[5];
    assert!(reset.contains(",proved,stored,stored,done,,,2,"), "{reset}");
    let json = std::fs::read_to_string(&json).unwrap();
    assert_eq!(json.matches("\"result\":\"done\"").count(), done, "{json}");
    assert!(json.contains("\"causes\":["), "{json}");

    // Nothing is sent to those.
    let sent = || -> Vec<usize> {
        let others = modems.iter().enumerate().filter(|(number, _)| *number != 6);
        others.map(|(_, modem)| modem.uploads()).collect()
    };
    let before = sent();
    assert!(before.iter().all(|&files| files >= 3), "{before:?}");
    let again = provision();
    assert_eq!(sent(), before);
    let report = std::fs::read_to_string(&table).unwrap();
    assert_eq!(
        report.matches(",proved,proved,proved,done,").count(),
        done,
        "{report}\n{}",
        again.stderr
    );
}

pub(crate) fn a_manifest_is_read_to_its_end_before_a_modem_is_touched() {
    let pki = credentials();
    let path = pki.file("manifest.csv");
    let other = Pki::new().ca_pem();
    std::fs::write(pki.file("other.pem"), other).unwrap();
    let stranger = Pki::new().client().key_pem.clone();
    std::fs::write(pki.file("stranger.key"), stranger).unwrap();
    for (manifest, error) in [
        ("", "nothing is in it"),
        (
            "port,tag,certificate\n",
            "no column is called \"certificate\"",
        ),
        ("port,tag,ca\n", "no line stands below"),
        (
            "port,tag,ca\nx,7,ca.pem\n,7,ca.pem\n",
            "line 3: neither port nor imei",
        ),
        ("port,tag,ca\nx,seven,ca.pem\n", "line 2: tag"),
        ("port,tag,ca\nx,7,client.key\n", "line 2: "),
        ("port,tag,ca\nx,7,\n", "line 2: none of ca, cert and key"),
        (
            "port,tag,ca\nx,7,ca.pem\ny,7,ca.pem\nx,7,other.pem\n",
            "line 4: for tag 7 of x, line 2 names another CA certificate",
        ),
        (
            "port,tag,cert,key\nx,7,client.pem,\nx,7,,stranger.key\n",
            "lines 2 and 3, tag 7 of x",
        ),
        ("port,ca\nx,ca.pem\n", "no column is called \"tag\""),
        (
            "imei,tag,ca\nabc,7,ca.pem\n",
            "line 2: imei: \"abc\" is none",
        ),
        ("port,tag,ca,tag\nx,7,ca.pem,8\n", "\"tag\" stands twice"),
        ("port,tag,ca\nx,7,ca.pem,\n", "line 2: it has 4 fields"),
        ("port;tag;ca\nx;7;ca.pem\n", "semicolons"),
    ] {
        std::fs::write(&path, manifest).unwrap();
        let ended = run(&["provision", &path]).expect(1);
        assert!(
            ended.stderr.contains(error) && ended.stdout.is_empty(),
            "{manifest}: {}",
            ended.stderr
        );
    }
    // Nor is what it reads, or somebody else's file, written over.
    let manifest = "port,tag,ca\nx,7,ca.pem\n";
    std::fs::write(&path, manifest).unwrap();
    let notes = pki.file("notes.csv");
    std::fs::write(&notes, "mine").unwrap();
    for report in [&path, &pki.file("ca.pem"), &notes] {
        let content = std::fs::read(report).unwrap();
        let ended = run(&["provision", &path, "--report", report]);
        ended.expect_hint("give another name");
        assert_eq!(std::fs::read(report).unwrap(), content);
    }
    let ended = run(&["provision", &path, "--report", "-"]).expect(1);
    let mut lines = ended.stdout.lines();
    assert!(
        lines
            .next()
            .is_some_and(|line| line.starts_with("line,port,imei"))
    );
    assert!(lines.next().is_some_and(|line| line.starts_with("2,x,")));
}

/// Where it is said which modems they are; elsewhere it is told once that is known.
pub(crate) fn a_file_that_is_too_long_for_the_modem_is_named_before_a_port_is_opened() {
    let pki = credentials();
    let names = (0..400).map(|number| format!("device-{number}.example.sectag.test"));
    let long = pki.file("long.pem");
    std::fs::write(&long, Pki::shared().issue_server(names).cert_pem).unwrap();
    let path = pki.file("manifest.csv");
    std::fs::write(&path, "port,tag,cert\n/nowhere,7,long.pem\n").unwrap();
    for (modem, limit) in [
        ("ublox-cellular", "8192 bytes"),
        ("ublox-shortrange", "8192 bytes"),
        ("nrf9160", "4055 bytes"),
    ] {
        let ended = run(&["provision", "--modem", modem, &path]).expect(1);
        for said in ["line 2", &long, limit] {
            assert!(ended.stderr.contains(said), "{said}: {}", ended.stderr);
        }
        assert_eq!(ended.stdout, "", "{modem}");
    }
    let unknown = run(&["provision", &path]).expect(1);
    assert!(!unknown.stderr.contains(&long), "{}", unknown.stderr);
}

/// One after the other, or they would talk at once.
pub(crate) fn a_port_with_two_names_has_one_user_at_a_time() {
    let modem = process::Modem::start(&["--turnaround-ms", "5"]);
    let pki = credentials();
    let mut manifest = String::from("port,tag,ca\n");
    for (tag, name) in ["one", "other"].into_iter().enumerate() {
        let link = pki.file(name);
        std::os::unix::fs::symlink(modem.link(), &link).unwrap();
        writeln!(manifest, "{link},{},ca.pem", tag + 7).unwrap();
    }
    let path = pki.file("manifest.csv");
    std::fs::write(&path, manifest).unwrap();
    let done = run(&["provision", "--modem", "bg96", &path]).expect(0);
    assert_eq!(
        done.stdout.matches("ca stored").count(),
        2,
        "{}",
        done.stdout
    );
}
