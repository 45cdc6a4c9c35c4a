//! Every command with every modem, called wrongly and with files of every wrong kind: it says what is wrong and ends.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::process::{Command, Output};

use tempfile::TempDir;

use crate::process::{credentials, program};

const MODEMS: [&str; 8] = [
    "auto",
    "bg96",
    "nrf9160",
    "ublox-cellular",
    "ublox-shortrange",
    "cc32xx",
    "cc31xx",
    "ublox-ppp",
];

/// Nobody listens there.
const PORT: [&str; 2] = ["--port", "tcp:127.0.0.1:1"];

/// A command, and options with which it has all that it needs but a modem that answers. `FILE` stands for a file.
struct Call {
    command: &'static [&'static str],
    options: &'static [&'static str],
    /// It is about a modem on a port.
    has_port: bool,
}

const fn call(
    command: &'static [&'static str],
    options: &'static [&'static str],
    has_port: bool,
) -> Call {
    Call {
        command,
        options,
        has_port,
    }
}

const CALLS: [Call; 20] = [
    call(
        &["publish"],
        &["--tag", "1", "--host", "h", "-t", "t", "-m", "m"],
        true,
    ),
    call(
        &["subscribe"],
        &["--tag", "1", "--host", "h", "-t", "t"],
        true,
    ),
    call(&["connect"], &["--tag", "1", "h:1"], true),
    call(
        &["credentials", "store"],
        &["--tag", "1", "--ca", "FILE"],
        true,
    ),
    call(&["credentials", "list"], &[], true),
    call(
        &["credentials", "verify"],
        &["--tag", "1", "--cert", "FILE"],
        true,
    ),
    call(&["credentials", "remove"], &["--all"], true),
    call(
        &["credentials", "rotate"],
        &[
            "--tag",
            "1",
            "--new-tag",
            "2",
            "--host",
            "h",
            "--key",
            "FILE",
        ],
        true,
    ),
    call(
        &["credentials", "csr"],
        &["--tag", "1", "--subject", "CN=x"],
        true,
    ),
    call(&["status"], &[], true),
    call(&["doctor"], &["--ca", "FILE"], true),
    call(&["restart"], &[], true),
    call(&["at"], &["AT"], true),
    call(&["provision"], &["FILE"], false),
    call(&["jwt", "make"], &["--aud", "a", "--key", "FILE"], false),
    call(&["jwt", "explain"], &["FILE"], false),
    call(&["ports"], &["--ask", "tcp:127.0.0.1:1"], false),
    call(&["demo"], &["--scenario", "reset"], false),
    call(&["completions"], &["bash"], false),
    call(&["man"], &[], false),
];

/// Without the environment of who runs the tests, and with a home of its own.
fn tool(home: &Path, args: &[impl AsRef<OsStr>]) -> Output {
    Command::new(program())
        .args(args)
        .env_remove("SECTAG_PORT")
        .env_remove("SECTAG_MODEM")
        .env_remove("SECTAG_PSK")
        .env("HOME", home)
        .env("XDG_DATA_HOME", home)
        .output()
        .unwrap()
}

/// It ended with `code`, and told why in words: neither a panic nor a value as Rust debugs it.
#[track_caller]
fn told(ended: &Output, code: i32, args: &[impl AsRef<OsStr>]) -> String {
    let args: Vec<_> = args
        .iter()
        .map(|arg| arg.as_ref().to_string_lossy())
        .collect();
    let text = String::from_utf8_lossy(&ended.stderr).into_owned();
    assert_eq!(ended.status.code(), Some(code), "{args:?}: {text}");
    for never in [
        "panicked",
        "Err(",
        "Some(",
        "Error {",
        "InvalidData",
        "Utf8Error",
    ] {
        assert!(!text.contains(never), "{args:?}: {text}");
    }
    text
}

fn with_modem<'a>(call: &Call, modem: &'a str) -> Vec<&'a str> {
    match call.command {
        ["provision"] => vec!["--modem", modem],
        ["demo"] if modem != "auto" => vec!["--modem", modem],
        _ if call.has_port => [&["--modem", modem], &PORT[..]].concat(),
        _ => Vec::new(),
    }
}

pub(crate) fn wrong_use_is_a_usage_error_that_names_the_option() {
    let home = tempfile::tempdir().unwrap();
    for call in CALLS {
        let help = [call.command, &["--help"]].concat();
        let shown = tool(home.path(), &help);
        told(&shown, 0, &help);
        assert!(!shown.stdout.is_empty(), "{help:?}");
        for modem in MODEMS {
            let args = with_modem(&call, modem);
            let args = [call.command, &args, call.options, &["--frobnicate"]].concat();
            // What this command has no port for, it has for all modems alike.
            let text = told(&tool(home.path(), &args), 2, &args);
            assert!(text.contains("'--frobnicate'"), "{args:?}: {text}");
            if with_modem(&call, modem).is_empty() {
                break;
            }
        }
        if call.has_port {
            let args = [call.command, call.options, &["--modem", "bg97"], &PORT].concat();
            let text = told(&tool(home.path(), &args), 2, &args);
            assert!(
                text.contains("'--modem <NAME>'") && text.contains("bg96"),
                "{args:?}: {text}"
            );
            let args = [call.command, call.options, &["--modem", "bg96"]].concat();
            let text = told(&tool(home.path(), &args), 2, &args);
            assert!(text.contains("--port <PORT>"), "{args:?}: {text}");
        }
        // No text at all; where it may be a file's name, there is none.
        let mut args: Vec<&OsStr> = call.command.iter().map(OsStr::new).collect();
        args.extend([OsStr::new("--json"), OsStr::from_bytes(b"\xff")]);
        let ended = tool(home.path(), &args);
        let code = ended.status.code();
        assert!(matches!(code, Some(1 | 2)), "{args:?}: {ended:?}");
        told(&ended, code.unwrap_or_default(), &args);
    }
}

pub(crate) fn a_port_where_nobody_is_ends_every_command_with_every_modem() {
    let home = tempfile::tempdir().unwrap();
    let pki = credentials();
    for call in CALLS.iter().filter(|call| call.has_port) {
        for modem in MODEMS {
            // Kept on this computer, which has no port.
            if modem == "ublox-ppp" && matches!(call.command, ["credentials", ..]) {
                continue;
            }
            let files = [
                pki.file("ca.pem"),
                pki.file("client.pem"),
                pki.file("client.key"),
            ];
            let mut args = [call.command, &with_modem(call, modem)].concat();
            let wifi = matches!(modem, "ublox-shortrange" | "cc32xx" | "cc31xx");
            if wifi && call.command != ["credentials", "csr"] {
                args.extend(["--ssid", "net"]);
            }
            let mut before = "";
            for option in call.options {
                let file = match before {
                    "--ca" => &files[0],
                    "--cert" => &files[1],
                    _ => &files[2],
                };
                args.push(if *option == "FILE" { file } else { option });
                before = option;
            }
            let text = told(&tool(home.path(), &args), 1, &args);
            assert!(text.contains("error: "), "{args:?}: {text}");
        }
    }
}

/// Files of every wrong kind.
fn wrong_files(folder: &TempDir) -> Vec<String> {
    let file = |name: &str, content: &[u8]| {
        let path = folder.path().join(name);
        std::fs::write(&path, content).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let noise: Vec<u8> = (0..4000u32)
        .map(|n| (n.wrapping_mul(2_654_435_761) >> 24) as u8)
        .collect();
    let pem = |inside: &str| {
        format!("-----BEGIN CERTIFICATE-----\n{inside}\n-----END CERTIFICATE-----\n")
    };
    let files = vec![
        file("noise", &noise),
        file("empty", b""),
        file("utf16", b"\xff\xfep\0o\0r\0t\0"),
        file("latin1", b"port,tag\nM\xfcller,7\n"),
        file("no-base64", pem("%%%%").as_bytes()),
        file("noise.pem", pem("AAAAAAAAAAAAAAAA").as_bytes()),
        file("cut.pem", b"-----BEGIN CERTIFICATE-----\nMIIB"),
        file("json", b"{\"modem\":7,\"files\":[]}"),
        file("deep", "[".repeat(100_000).as_bytes()),
        file("long", b""),
        folder.path().to_str().unwrap().to_owned(),
        folder.path().join("nowhere").to_str().unwrap().to_owned(),
        "/dev/zero".into(),
    ];
    // 100 MB that take no room.
    let long = std::fs::File::options()
        .write(true)
        .open(folder.path().join("long"));
    long.unwrap().set_len(100_000_000).unwrap();
    files
}

pub(crate) fn a_file_of_any_wrong_kind_is_refused_in_words() {
    let (home, folder) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let broker = [
        "publish", "--modem", "bg96", "--tag", "1", "--host", "h", "-t", "t", "-m", "m",
    ];
    let token = ["--jwt-aud", "a", "--jwt-key", "FILE"];
    let password = ["-u", "u", "-P", "@FILE"];
    let record = ["record", "--modem", "bg96", "--out", "FILE", "--", "status"];
    let mut calls: Vec<Vec<&str>> = vec![
        [&broker[..], &PORT, &token].concat(),
        [&broker[..], &PORT, &password].concat(),
        [&record[..5], &PORT, &record[5..]].concat(),
        vec![
            "simulate", "--modem", "bg96", "--tcp", "0", "--state", "FILE",
        ],
    ];
    for call in CALLS.iter().filter(|call| call.options.contains(&"FILE")) {
        calls.push([call.command, call.options, &with_modem(call, "bg96")].concat());
    }
    for file in wrong_files(&folder) {
        for call in &calls {
            // What is not there yet is begun anew.
            if call[0] == "simulate" && file.ends_with("nowhere") {
                continue;
            }
            let args: Vec<String> = call.iter().map(|arg| arg.replace("FILE", &file)).collect();
            let text = told(&tool(home.path(), &args), 1, &args);
            assert!(text.contains("error: "), "{args:?}: {text}");
        }
    }
}
