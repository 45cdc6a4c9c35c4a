//! `openssl s_server` in a child process: OpenSSL's own TLS in place of rustls, and silence behind it.

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::thread;

use anyhow::{Context, bail};
use tempfile::TempDir;

use super::Tls;

/// An `openssl s_server` on a free port of 127.0.0.1, which serves one connection after the other; killed when dropped.
#[must_use = "it is killed when this is dropped"]
#[derive(Debug)]
pub struct OpenSsl {
    child: Child,
    // At the end of its standard input it ends.
    _input: Option<ChildStdin>,
    _dir: TempDir,
    port: u16,
}

impl OpenSsl {
    /// Starts it with the certificates and the policy of `tls`, and with further `options` of its own; waits until it accepts.
    ///
    /// # Errors
    /// When openssl is not installed, or ends at once; the text then holds what it said.
    pub fn start(tls: &Tls, options: &[&str]) -> anyhow::Result<Self> {
        let dir = tempfile::Builder::new()
            .prefix("sectag-openssl-")
            .tempdir()?;
        let mut child = Command::new("openssl")
            .args(["s_server", "-accept", "127.0.0.1:0"])
            .args(arguments(tls, dir.path())?)
            .args(options)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .context("cannot start openssl: install the Debian package openssl")?;
        let input = child.stdin.take();
        let (Some(output), Some(errors)) = (child.stdout.take(), child.stderr.take()) else {
            bail!("openssl has no standard output");
        };
        let mut lines = BufReader::new(output).lines();
        // "ACCEPT 127.0.0.1:40123", behind lines about parameters.
        let port = lines.by_ref().map_while(Result::ok).find_map(|line| {
            let address = line.strip_prefix("ACCEPT ")?;
            address.rsplit_once(':')?.1.trim().parse().ok()
        });
        let Some(port) = port else {
            let _ = child.kill();
            let _ = child.wait();
            let said: Vec<String> = BufReader::new(errors)
                .lines()
                .map_while(Result::ok)
                .collect();
            bail!("openssl s_server did not listen: {}", said.join("\n"));
        };
        // A pipe that is full would hold it up.
        thread::spawn(move || lines.for_each(drop));
        thread::spawn(move || BufReader::new(errors).lines().for_each(drop));
        Ok(Self {
            child,
            _input: input,
            _dir: dir,
            port,
        })
    }

    /// The port.
    pub fn port(&self) -> u16 {
        self.port
    }
}

impl Drop for OpenSsl {
    fn drop(&mut self) {
        let _ = self.child.kill();
        // Without this the child stays as a zombie.
        let _ = self.child.wait();
    }
}

/// The options of s_server (openssl-s_server(1)), with the files that they name.
fn arguments(tls: &Tls, dir: &Path) -> anyhow::Result<Vec<String>> {
    let put = |name: &str, content: &str| -> anyhow::Result<String> {
        let path = dir.join(name);
        fs::write(&path, content)?;
        Ok(path.display().to_string())
    };
    let mut all = Vec::new();
    let mut option = |name: &str, value: String| all.extend([name.to_owned(), value]);
    option("-cert", put("server.pem", &tls.identity.cert_pem)?);
    option("-key", put("server.key", &tls.identity.key_pem)?);
    if !tls.chain.is_empty() {
        option("-cert_chain", put("chain.pem", &tls.chain.concat())?);
    }
    if let Some(ca) = &tls.client_ca {
        option("-CAfile", put("client-ca.pem", ca)?);
        // The depth of the chain.
        option("-Verify", "3".into());
        all.push("-verify_return_error".into());
    }
    Ok(all)
}
