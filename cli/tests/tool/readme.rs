//! The README's commands, as they stand there, against a simulated modem and a broker.

use std::path::Path;
use std::process::Command;
use std::thread;

use sectag_test_support::broker::{Broker, BrokerOptions};
use sectag_test_support::pki::Pki;

use crate::ppp::Client;
use crate::process::{CLOCK_FACTOR, Modem, program};

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

/// Each block has a modem of its own, so that they need not wait for each other.
pub(crate) fn every_command_of_the_readme_works_as_it_stands() {
    let pki = Pki::shared();
    let server = pki.issue_server(["broker.example.com"]);
    let broker = Broker::start_with(&server, &pki.ca_pem(), BrokerOptions::new()).unwrap();
    let map = format!("broker.example.com:8883=127.0.0.1:{}", broker.tls_port());
    let blocks = blocks("README.md").into_iter();
    // Those build this very tool, or run this very test.
    let elsewhere = ["cargo install", "tests/run"];
    let blocks: Vec<String> = blocks
        .filter(|block| !elsewhere.iter().any(|begin| block.starts_with(begin)))
        .collect();
    assert_eq!(blocks.len(), 5, "blocks of the README that are run");
    thread::scope(|scope| {
        for block in &blocks {
            scope.spawn(|| works(block, &map));
        }
    });
}

fn works(block: &str, map: &str) {
    // With a link instead of a modem: another module, and other files.
    let over_link = block.contains("--modem ublox-ppp");
    let name = if over_link { "ublox-ppp" } else { "bg96" };
    let modem = Modem::start_named(name, &["--map", map]);
    let port = modem.link().to_str().unwrap();
    let folder = tempfile::tempdir().unwrap();
    Pki::shared().write_to(folder.path()).unwrap();
    let client = Client::new();
    if over_link {
        for name in ["ca.pem", "client.pem", "client.key", "psk"] {
            let content = std::fs::read(client.file(name)).unwrap();
            std::fs::write(folder.path().join(name), content).unwrap();
        }
    }
    let manifest = format!("port,tag,ca,cert,key\n{port},7,ca.pem,client.pem,client.key\n");
    std::fs::write(folder.path().join("manifest.csv"), manifest).unwrap();
    // What stands in the README stands for what is here.
    let mut script = block
        .replace("cargo run --release --bin sectag -- ", "sectag ")
        .replace("/dev/ttyUSB0", port)
        // The name of the link is this computer's.
        .replace("/tmp/modem", "modem");
    if script.starts_with("sectag simulate") {
        // It serves until it is stopped.
        script = format!(
            "{} > said & until grep -q '^ready: modem$' said; do sleep 0.1; done; kill $!; wait $!",
            script.trim_end()
        );
    }
    let (ended, out, err) = paste(&script, folder.path(), port);
    assert!(ended, "{script}\n{out}\n{err}");
}

/// Has a shell do what is pasted, in a folder; whether it succeeded, and its output.
fn paste(script: &str, folder: &Path, port: &str) -> (bool, String, String) {
    let program = program();
    let tool = program.parent().unwrap();
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
