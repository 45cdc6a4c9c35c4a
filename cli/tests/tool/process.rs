//! Child processes that never outlive their test, and waiting that always ends.

use std::io::{BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::json;

/// How many seconds a second of the tool's clock lasts, and of the simulated modems': what a busy computer does to a
/// process takes far less than this makes of every time limit.
pub(crate) const CLOCK_FACTOR: u32 = 8;
/// Longer than anything here takes, also on a busy computer: it only says when a test that hangs is given up.
const LIMIT: Duration = Duration::from_secs(1200);

/// The tool that is tested: the one that was built beside the tests, unless the environment names another, as `tests/run`
/// does for an optimised one.
pub(crate) fn program() -> PathBuf {
    std::env::var_os("SECTAG_TOOL")
        .map_or_else(|| env!("CARGO_BIN_EXE_sectag").into(), PathBuf::from)
}

pub(crate) struct Ended {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Ended {
    #[track_caller]
    pub(crate) fn expect(self, code: i32) -> Self {
        assert_eq!(
            self.code,
            Some(code),
            "stdout:\n{}\nstderr:\n{}",
            self.stdout,
            self.stderr
        );
        self
    }

    /// Failed with an `error:` line and then `hint:` lines, and `hint` among these.
    #[track_caller]
    pub(crate) fn expect_hint(self, hint: &str) {
        let ended = self.expect(1);
        let lines = || ended.stderr.lines();
        assert!(
            lines().any(|line| line.starts_with("error: ")),
            "{}",
            ended.stderr
        );
        assert!(
            lines().any(|line| line.starts_with("hint: ") && line.contains(hint)),
            "no hint about {hint:?} in:\n{}",
            ended.stderr
        );
    }
}

/// A running `sectag`, killed when dropped.
pub(crate) struct Tool {
    child: Child,
    /// Where its standard input is not to end.
    input: Option<ChildStdin>,
    lines: Receiver<(Stream, String)>,
    readers: Vec<JoinHandle<()>>,
    stdout: String,
    stderr: String,
    /// With `--json`, what it is called with: its objects have the keys that are documented.
    documented: Option<Vec<String>>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Stream {
    Out,
    Err,
}

impl Tool {
    /// Starts the tool with these arguments, environment and standard input.
    pub(crate) fn start(args: &[&str], environment: &[(&str, &str)], input: &[u8]) -> Self {
        let mut tool = Self::start_listening(args, environment);
        // A tool that refuses its arguments reads nothing.
        let _ = tool.input.take().unwrap().write_all(input);
        tool
    }

    /// Starts the tool with a standard input that stays open and empty.
    fn start_listening(args: &[&str], environment: &[(&str, &str)]) -> Self {
        let mut child = Command::new(program())
            .args(args)
            .env_remove("SECTAG_PORT")
            .env_remove("SECTAG_MODEM")
            .env("SECTAG_CLOCK_FACTOR", CLOCK_FACTOR.to_string())
            .envs(environment.iter().copied())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let (sender, lines) = channel();
        let read = |stream, pipe: Box<dyn Read + Send>| {
            let sender = sender.clone();
            thread::spawn(move || {
                for line in BufReader::new(pipe).lines().map_while(Result::ok) {
                    // The test has ended.
                    let _ = sender.send((stream, line));
                }
            })
        };
        let readers = vec![
            read(Stream::Out, Box::new(child.stdout.take().unwrap())),
            read(Stream::Err, Box::new(child.stderr.take().unwrap())),
        ];
        Self {
            input: child.stdin.take(),
            child,
            lines,
            readers,
            stdout: String::new(),
            stderr: String::new(),
            documented: args
                .contains(&"--json")
                .then(|| args.iter().map(|arg| (*arg).to_owned()).collect()),
        }
    }

    /// Waits for a line that contains `text`, on either stream.
    #[track_caller]
    pub(crate) fn wait_for(&mut self, text: &str) -> String {
        let deadline = Instant::now() + LIMIT;
        loop {
            match self.next_line(deadline) {
                Ok(line) if line.contains(text) => return line,
                Ok(_) => {}
                Err(error) => panic!(
                    "no {text:?} ({error}); stdout:\n{}\nstderr:\n{}",
                    self.stdout, self.stderr
                ),
            }
        }
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    pub(crate) fn signal(&self, name: &str) {
        // The shell's own: a machine need not have one of procps.
        let kill = format!("kill -s {name} {}", self.child.id());
        let status = Command::new("sh").args(["-c", &kill]).status();
        assert!(status.unwrap().success());
    }

    /// Waits for its end.
    #[track_caller]
    pub(crate) fn end(mut self) -> Ended {
        let deadline = Instant::now() + LIMIT;
        loop {
            match self.next_line(deadline) {
                Ok(_) => {}
                Err(RecvTimeoutError::Disconnected) => break,
                Err(RecvTimeoutError::Timeout) => panic!(
                    "still running; stdout:\n{}\nstderr:\n{}",
                    self.stdout, self.stderr
                ),
            }
        }
        // Both pipes are closed, so it has ended or is about to.
        let code = loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                break status.code();
            }
            assert!(Instant::now() < deadline, "closed its output and runs on");
            thread::sleep(Duration::from_millis(5));
        };
        if let Some(args) = &self.documented {
            json::check(args, &self.stdout);
        }
        Ended {
            code,
            stdout: std::mem::take(&mut self.stdout),
            stderr: std::mem::take(&mut self.stderr),
        }
    }

    fn next_line(&mut self, deadline: Instant) -> Result<String, RecvTimeoutError> {
        let left = deadline.saturating_duration_since(Instant::now());
        let (stream, line) = self.lines.recv_timeout(left)?;
        let seen = match stream {
            Stream::Out => &mut self.stdout,
            Stream::Err => &mut self.stderr,
        };
        seen.push_str(&line);
        seen.push('\n');
        Ok(line)
    }
}

impl Drop for Tool {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        for reader in self.readers.drain(..) {
            let _ = reader.join();
        }
    }
}

#[track_caller]
pub(crate) fn run(args: &[&str]) -> Ended {
    Tool::start(args, &[], b"").end()
}

/// `sectag simulate` on a pseudo terminal.
pub(crate) struct Modem {
    pub(crate) tool: Tool,
    name: &'static str,
    link: PathBuf,
    _dir: TempDir,
}

impl Modem {
    pub(crate) fn start(options: &[&str]) -> Self {
        Self::start_named("bg96", options)
    }

    pub(crate) fn start_named(name: &'static str, options: &[&str]) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let link = dir.path().join("modem");
        let mut args = vec![
            "simulate",
            "--modem",
            name,
            "--link",
            link.to_str().unwrap(),
        ];
        args.extend(options);
        let mut tool = Tool::start(&args, &[], b"");
        let ready = tool.wait_for("ready:");
        assert_eq!(ready, format!("ready: {}", link.display()));
        Self {
            tool,
            name,
            link,
            _dir: dir,
        }
    }

    /// As slow and chopped as a line gets, with a broker mapped to `port`.
    pub(crate) fn with_broker(port: u16) -> Self {
        let map = format!("broker.sectag.test:8883=127.0.0.1:{port}");
        Self::start(&["--map", &map, "--turnaround-ms", "20", "--chunk", "1"])
    }

    pub(crate) fn link(&self) -> &Path {
        &self.link
    }

    /// Starts `sectag COMMAND... --modem NAME --port LINK OPTIONS...`.
    pub(crate) fn start_tool(
        &self,
        command: &[&str],
        options: &[&str],
        environment: &[(&str, &str)],
        input: &[u8],
    ) -> Tool {
        Tool::start(&self.arguments(command, options), environment, input)
    }

    /// Starts a command at this modem with a standard input that stays open and empty.
    pub(crate) fn start_listening(&self, command: &[&str], options: &[&str]) -> Tool {
        Tool::start_listening(&self.arguments(command, options), &[])
    }

    /// Serves on; only its link may go.
    pub(crate) fn into_tool(self) -> Tool {
        self.tool
    }

    fn arguments<'a>(&'a self, command: &[&'a str], options: &[&'a str]) -> Vec<&'a str> {
        let mut args = command.to_vec();
        args.extend(["--modem", self.name, "--port", self.link.to_str().unwrap()]);
        // Up to 2.4 it does not listen while a command runs, and nobody talks to it without.
        if self.name == "nrf9160" {
            args.push("--flow-control");
        }
        args.extend(options);
        args
    }

    #[track_caller]
    pub(crate) fn run(&self, command: &[&str], options: &[&str]) -> Ended {
        self.start_tool(command, options, &[], b"").end()
    }

    /// Stores the CA, and client certificate and key, under a tag.
    #[track_caller]
    pub(crate) fn provision(&self, tag: &str) {
        let pki = credentials();
        let (ca, cert, key) = (
            pki.file("ca.pem"),
            pki.file("client.pem"),
            pki.file("client.key"),
        );
        let options = ["--tag", tag, "--ca", &ca, "--cert", &cert, "--key", &key];
        self.run(&["credentials", "store"], &options).expect(0);
    }
}

/// The files of the process's PKI.
pub(crate) struct Files(TempDir);

impl Files {
    pub(crate) fn file(&self, name: &str) -> String {
        self.0.path().join(name).to_str().unwrap().to_owned()
    }
}

pub(crate) fn credentials() -> Files {
    let dir = tempfile::tempdir().unwrap();
    sectag_test_support::pki::Pki::shared()
        .write_to(dir.path())
        .unwrap();
    Files(dir)
}
