//! The README's commands, as they stand there, against a simulated modem and a broker.

use std::path::Path;
use std::process::Command;

use sectag_test_support::broker::{Broker, BrokerOptions};
use sectag_test_support::pki::Pki;

use crate::ppp::Client;
use crate::process::{CLOCK_FACTOR, Modem};

/// The shell blocks of a document.
fn blocks(document: &str) -> Vec<String> {
    let path = format!("{}/../{document}", env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(path).unwrap();
    let mut blocks = Vec::new();
    let mut rest = text.as_str();
    while let Some((_, after)) = rest.split_once("```sh\n") {
        let (block, after) = after.split_once("```").unwrap();
        blocks.push(block.to_owned());
        rest = after;
    }
    blocks
}

pub(crate) fn every_command_of_the_readme_works_as_it_stands() {
    let pki = Pki::shared();
    let server = pki.issue_server(["broker.example.com"]);
    let broker = Broker::start_with(&server, &pki.ca_pem(), BrokerOptions::new()).unwrap();
    let map = format!("broker.example.com:8883=127.0.0.1:{}", broker.tls_port());
    let modem = Modem::start(&["--map", &map]);
    let folder = tempfile::tempdir().unwrap();
    pki.write_to(folder.path()).unwrap();
    let port = modem.link().to_str().unwrap();
    let manifest = format!("port,tag,ca,cert,key\n{port},7,ca.pem,client.pem,client.key\n");
    std::fs::write(folder.path().join("manifest.csv"), manifest).unwrap();
    let link = Modem::start_named("ublox-ppp", &["--map", &map]);
    let files = Client::new();
    let over_link = files.file("ca.pem");

    let mut run = 0;
    for block in blocks("README.md") {
        // Those build this very tool, or run this very test.
        if block.starts_with("cargo install") || block.starts_with("tests/run") {
            continue;
        }
        // With a link instead of a modem: another module, and other files.
        let (port, folder) = if block.contains("--modem ublox-ppp") {
            (
                link.link().to_str().unwrap(),
                Path::new(&over_link).parent().unwrap(),
            )
        } else {
            (port, folder.path())
        };
        // What stands in the README stands for what is here.
        let script = block
            .replace("cargo run --release --bin sectag -- ", "sectag ")
            .replace("/dev/ttyUSB0", port)
            // It serves until it is stopped, and the name of the link is this computer's.
            .replace("sectag simulate", "timeout 15 sectag simulate")
            .replace("/tmp/modem", "modem");
        let (ended, out, err) = paste(&script, folder, port);
        let served = script.contains("timeout") && out.contains("ready: modem");
        assert!(ended || served, "{script}\n{out}\n{err}");
        run += 1;
    }
    assert_eq!(run, 5, "blocks of the README that were run");
}

/// Has a shell do what is pasted, in a folder; whether it succeeded, and its output.
fn paste(script: &str, folder: &Path, port: &str) -> (bool, String, String) {
    let tool = Path::new(env!("CARGO_BIN_EXE_sectag")).parent().unwrap();
    let path = format!("{}:{}", tool.display(), std::env::var("PATH").unwrap());
    let ended = Command::new("sh")
        .args(["-e", "-c", script])
        .env("PATH", &path)
        .env_remove("SECTAG_MODEM")
        .env("SECTAG_PORT", port)
        .env("SECTAG_CLOCK_FACTOR", CLOCK_FACTOR.to_string())
        .current_dir(folder)
        .output()
        .unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (
        ended.status.success(),
        text(&ended.stdout),
        text(&ended.stderr),
    )
}

pub(crate) fn the_walk_without_a_modem_is_as_it_stands() {
    let folder = tempfile::tempdir().unwrap();
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = free.local_addr().unwrap().port();
    drop(free);
    let blocks = blocks("docs/walk.md");
    let [block] = &blocks[..] else {
        panic!("{} blocks", blocks.len());
    };
    // Here another broker may listen; and what is begun ends with the shell, whatever fails.
    let script = block
        .replace("listener 8883", &format!("listener {port}"))
        .replace("127.0.0.1:8883", &format!("127.0.0.1:{port}"));
    let script = format!("trap 'kill $MODEM $BROKER 2> /dev/null || true' EXIT\n{script}");
    let (ended, out, err) = paste(&script, folder.path(), "nowhere");
    assert!(ended, "{out}\n{err}");
    assert!(
        out.contains("\nhello world\n") && out.contains("ok    connection"),
        "{out}\n{err}"
    );
}
