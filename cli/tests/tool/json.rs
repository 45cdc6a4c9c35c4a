//! What `--json` prints, beside docs/json.md: each test of this tool that gives the option has its objects looked at here.

use std::collections::BTreeSet;
use std::process::Command;
use std::thread;

use sectag_test_support::broker::Broker;
use sectag_test_support::pki::Pki;
use serde_json::{Map, Value, json};

use crate::process::{Modem, Tool, credentials, program, run};

/// One row of the table: an object that a command prints.
struct Row {
    command: String,
    always: BTreeSet<String>,
    sometimes: BTreeSet<String>,
}

/// Of a failure, which any command may end with.
const FAILURE: &str = "any, when it fails";
/// Of each entry of its `causes`.
const CAUSE: &str = "an entry of `causes`";

fn rows() -> Vec<Row> {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/json.md");
    let text = std::fs::read_to_string(path).unwrap();
    let keys = |cell: &str| {
        let words = cell.split('`').skip(1).step_by(2);
        words.map(str::to_owned).collect()
    };
    let rows = text.lines().filter(|line| line.starts_with("| "));
    let rows = rows.skip(1).map(|line| {
        let mut cells = line.trim_matches('|').split('|').map(str::trim);
        let mut cell = || cells.next().unwrap_or_default();
        let command = match cell() {
            name @ (FAILURE | CAUSE) => name,
            name => name.trim_matches('`'),
        };
        Row {
            command: command.into(),
            always: keys(cell()),
            sometimes: keys(cell()),
        }
    });
    let rows: Vec<Row> = rows.collect();
    assert!(rows.len() > 20, "the table is not found any more");
    rows
}

/// The command's name among its arguments: of a recording, that of the command that is recorded.
fn command(args: &[String]) -> String {
    let inner = args.iter().position(|arg| arg == "--");
    let words = &args[inner.map_or(0, |at| at + 1)..];
    match words {
        [first, second, ..] if first == "credentials" || first == "jwt" => {
            format!("{first} {second}")
        }
        [first, ..] => first.clone(),
        [] => String::new(),
    }
}

/// Looks at each line that a command has printed.
#[track_caller]
pub(crate) fn check(args: &[String], stdout: &str) {
    let (rows, command) = (rows(), command(args));
    for line in stdout.lines() {
        let Ok(Value::Object(object)) = serde_json::from_str(line) else {
            panic!("no object of JSON: {line}");
        };
        let fits = |name: &str| {
            rows.iter()
                .any(|row| row.command == name && row.fits(&object))
        };
        assert!(
            fits(&command) || fits(FAILURE),
            "{command} printed what docs/json.md has not: {line}"
        );
        for cause in object
            .get("causes")
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
        {
            let cause = cause.as_object().unwrap();
            assert!(
                rows.iter()
                    .any(|row| row.command == CAUSE && row.fits(cause)),
                "{line}"
            );
        }
    }
}

impl Row {
    fn fits(&self, object: &Map<String, Value>) -> bool {
        let known = |key: &String| self.always.contains(key) || self.sometimes.contains(key);
        object.keys().all(known) && self.always.iter().all(|key| object.contains_key(key))
    }
}

/// The names under the heading "Commands:" of a help text.
fn subcommands(of: &[&str]) -> Vec<String> {
    let help = Command::new(program())
        .args(of)
        .arg("--help")
        .output()
        .unwrap();
    let help = String::from_utf8(help.stdout).unwrap();
    let (_, list) = help.split_once("Commands:\n").unwrap();
    let names = list.lines().take_while(|line| !line.is_empty());
    let names = names.filter_map(|line| line.split_whitespace().next());
    let names: Vec<String> = names
        .filter(|name| *name != "help")
        .map(str::to_owned)
        .collect();
    assert!(names.len() > 1, "{help}");
    names
}

pub(crate) fn every_command_is_documented() {
    let rows = rows();
    let mut names = subcommands(&[]);
    for group in ["credentials", "jwt"] {
        names.retain(|name| name != group);
        names.extend(
            subcommands(&[group])
                .iter()
                .map(|name| format!("{group} {name}")),
        );
    }
    for name in &names {
        assert!(
            rows.iter().any(|row| row.command == *name),
            "{name} is not in docs/json.md"
        );
    }
    for row in &rows {
        let is_command = names.contains(&row.command);
        assert!(
            is_command || [FAILURE, CAUSE].contains(&row.command.as_str()),
            "{}",
            row.command
        );
    }
}

/// Each with a modem of its own, at once; what other tests call with `--json` is not repeated.
pub(crate) fn what_a_modem_tells_has_the_keys_that_are_documented() {
    let broker = Broker::start(Pki::shared()).unwrap();
    let map = format!("broker.sectag.test:8883=127.0.0.1:{}", broker.tls_port());
    let files = credentials();
    let [ca, cert, key] = ["ca.pem", "client.pem", "client.key"].map(|name| files.file(name));
    let read = |path: &str| std::fs::read_to_string(path).unwrap();
    // What a modem has that was given all three under tag 7.
    let state = json!({ "modem": "bg96", "files": {
        "st7.ca": read(&ca), "st7.crt": read(&cert), "st7.key": read(&key),
    }});
    let set = ["--ca", &ca, "--cert", &cert, "--key", &key];
    let tag = ["--tag", "7"];
    let server = ["--host", "broker.sectag.test", "--private-ca"];
    let message = ["-t", "t", "-m", "m"];
    let new = ["--new-tag", "8"];
    let (map, state) = (&map, &state.to_string());
    thread::scope(|scope| {
        for (command, options) in [
            (&["doctor"][..], [&tag[..], &server, &set].concat()),
            (&["publish"], [&tag[..], &server, &message].concat()),
            (&["credentials", "verify"], [&tag[..], &set].concat()),
            (
                &["credentials", "rotate"],
                [&tag[..], &new, &server, &set].concat(),
            ),
            (&["credentials", "remove"], vec!["--all"]),
        ] {
            scope.spawn(move || {
                let file = tempfile::NamedTempFile::new().unwrap();
                std::fs::write(file.path(), state).unwrap();
                let path = file.path().to_str().unwrap();
                let modem = Modem::start(&["--map", map, "--state", path]);
                let options = [&options[..], &["--json"]].concat();
                let ended = modem.run(command, &options).expect(0);
                assert!(!ended.stdout.is_empty(), "{command:?}");
            });
        }
        scope.spawn(|| {
            let modem = Modem::start(&[]);
            let manifest = tempfile::NamedTempFile::new().unwrap();
            let port = modem.link().to_str().unwrap();
            let table = format!("port,tag,ca\n{port},7,{ca}\ntcp:127.0.0.1:1,7,{ca}\n");
            std::fs::write(manifest.path(), table).unwrap();
            let path = manifest.path().to_str().unwrap();
            let ended = run(&["provision", path, "--modem", "bg96", "--json"]).expect(1);
            assert_eq!(ended.stdout.lines().count(), 3, "{}", ended.stdout);
        });
    });
}

pub(crate) fn what_needs_no_modem_has_the_keys_that_are_documented() {
    let files = credentials();
    let key = files.file("client.key");
    let made = run(&["jwt", "make", "--key", &key, "--aud", "a", "--json"]).expect(0);
    let made: Value = serde_json::from_str(&made.stdout).unwrap();
    let token = made["token"].as_str().unwrap();
    let good = run(&["jwt", "explain", token, "--json"]).expect(0);
    assert!(!good.stdout.contains("\"problem\":true"), "{}", good.stdout);
    let cut = run(&["jwt", "explain", &token[..token.len() / 2], "--json"]).expect(1);
    assert!(cut.stdout.contains("\"problem\":true"), "{}", cut.stdout);
    run(&["ports", "--json"]).expect(0);
    run(&[
        "credentials",
        "list",
        "--port",
        "/dev/sectag-nowhere",
        "--json",
    ])
    .expect(1);
    let simulate = ["simulate", "--modem", "bg96", "--tcp", "0", "--json"];
    let mut modem = Tool::start(&simulate, &[], b"");
    modem.wait_for("ready");
    modem.signal("TERM");
    modem.end().expect(0);
    // What is no command line is told in the same form, wherever the option stands.
    for args in [
        &["--json"][..],
        &["--json", "frobnicate"],
        &["publish", "--json", "--port", "x"],
        &["status", "--port", "tcp:", "--json"],
    ] {
        let ended = run(args).expect(2);
        let told: Value = serde_json::from_str(&ended.stdout).unwrap();
        assert_eq!(told["exit_status"], 2, "{told}");
        assert!(ended.stderr.is_empty(), "{}", ended.stderr);
    }
    // Behind -- it is a word of the command that is recorded.
    let ended = run(&["record", "--port", "x", "--", "status", "--json"]);
    assert!(ended.stderr.contains("--out"), "{}", ended.stderr);
}
