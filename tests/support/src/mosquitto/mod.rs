//! An Eclipse Mosquitto in a child process.

mod config;
mod options;

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use tempfile::TempDir;

use crate::pki::Pki;
use crate::ports::{accepts, free_port};

pub use options::MosquittoOptions;

const START_UP: Duration = Duration::from_secs(20);

/// A mosquitto with two listeners on 127.0.0.1; killed when dropped.
///
/// The TLS listener requires a client certificate of the PKI's CA. The plain one is for observers and asks for nothing.
#[must_use = "mosquitto is killed when this is dropped"]
#[derive(Debug)]
pub struct Mosquitto {
    // Before the directory: the child ends before its files go.
    child: KillOnDrop,
    dir: TempDir,
    port: u16,
    plain_port: u16,
}

#[derive(Debug)]
struct KillOnDrop(Child);

impl Drop for KillOnDrop {
    fn drop(&mut self) {
        let _ = self.0.kill();
        // Without this the child stays as a zombie.
        let _ = self.0.wait();
    }
}

enum Start {
    Running,
    PortTaken,
}

impl Mosquitto {
    /// Starts mosquitto and waits until both listeners accept.
    ///
    /// # Errors
    /// When mosquitto is not installed, or ends at once; the text then holds its log.
    pub fn start(pki: &Pki, options: &MosquittoOptions) -> anyhow::Result<Self> {
        let dir = tempfile::Builder::new()
            .prefix("sectag-mosquitto-")
            .tempdir()?;
        config::write_credentials(dir.path(), pki, options)?;
        for _ in 0..10 {
            let (port, plain_port) = (free_port()?, free_port()?);
            let config = config::write(dir.path(), options, port, plain_port)?;
            let mut child = KillOnDrop(launch(&config, &log_file(dir.path()))?);
            match wait_until_running(&mut child, dir.path(), [port, plain_port])? {
                Start::Running => {
                    return Ok(Self {
                        child,
                        dir,
                        port,
                        plain_port,
                    });
                }
                Start::PortTaken => {}
            }
        }
        bail!("mosquitto found no free port in ten attempts");
    }

    /// The port of the TLS listener.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The port of the plain listener.
    pub fn plain_port(&self) -> u16 {
        self.plain_port
    }

    /// The process id.
    pub fn process_id(&self) -> u32 {
        self.child.0.id()
    }

    /// What mosquitto logged so far, all types of messages included.
    pub fn log(&self) -> String {
        read_log(self.dir.path())
    }
}

fn launch(config: &Path, log: &Path) -> anyhow::Result<Child> {
    let log = File::create(log).context("cannot create mosquitto's log")?;
    // Distributions put it outside an ordinary user's PATH.
    for program in [
        "mosquitto",
        "/usr/sbin/mosquitto",
        "/usr/local/sbin/mosquitto",
        "/opt/homebrew/sbin/mosquitto",
    ] {
        let spawned = Command::new(program)
            .arg("-c")
            .arg(config)
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log.try_clone()?)
            .spawn();
        match spawned {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            spawned => return spawned.with_context(|| format!("cannot start {program}")),
        }
    }
    bail!("mosquitto was not found: install the Debian package mosquitto");
}

fn wait_until_running(
    child: &mut KillOnDrop,
    dir: &Path,
    ports: [u16; 2],
) -> anyhow::Result<Start> {
    let begin = Instant::now();
    loop {
        if let Some(status) = child.0.try_wait()? {
            let log = read_log(dir);
            if log.contains("Address already in use") {
                return Ok(Start::PortTaken);
            }
            bail!("mosquitto ended at once ({status}); its log:\n{log}");
        }
        // The log too: the port alone might be somebody else's.
        if read_log(dir).contains(" running") && ports.into_iter().all(accepts) {
            return Ok(Start::Running);
        }
        if begin.elapsed() > START_UP {
            bail!(
                "mosquitto did not start within {START_UP:?}; its log:\n{}",
                read_log(dir)
            );
        }
        thread::sleep(Duration::from_millis(5));
    }
}

fn log_file(dir: &Path) -> PathBuf {
    dir.join("mosquitto.log")
}

fn read_log(dir: &Path) -> String {
    String::from_utf8_lossy(&fs::read(log_file(dir)).unwrap_or_default()).into_owned()
}

#[cfg(test)]
mod tests;
