//! The README's commands, as they stand there, against a simulated modem and a broker.

use std::path::Path;
use std::process::Command;

use sectag_test_support::broker::{Broker, BrokerOptions};
use sectag_test_support::pki::Pki;

use crate::ppp::Client;
use crate::process::{CLOCK_FACTOR, Modem};

/// The shell blocks of the README.
fn blocks() -> Vec<String> {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../README.md");
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
    let tool = Path::new(env!("CARGO_BIN_EXE_sectag")).parent().unwrap();
    let path = format!("{}:{}", tool.display(), std::env::var("PATH").unwrap());

    let mut run = 0;
    for block in blocks() {
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
            .replace("cargo run --bin sectag -- ", "sectag ")
            .replace("/dev/ttyUSB0", port)
            // It serves until it is stopped, and the name of the link is this computer's.
            .replace("sectag simulate", "timeout 15 sectag simulate")
            .replace("/tmp/modem", "modem");
        let ended = Command::new("sh")
            .args(["-e", "-c", &script])
            .env("PATH", &path)
            .env_remove("SECTAG_MODEM")
            .env("SECTAG_PORT", port)
            .env("SECTAG_CLOCK_FACTOR", CLOCK_FACTOR.to_string())
            .current_dir(folder)
            .output()
            .unwrap();
        let (out, err) = (
            String::from_utf8_lossy(&ended.stdout),
            String::from_utf8_lossy(&ended.stderr),
        );
        let served = script.contains("timeout") && out.contains("ready: modem");
        assert!(ended.status.success() || served, "{script}\n{out}\n{err}");
        run += 1;
    }
    assert_eq!(run, 5, "blocks of the README that were run");
}
