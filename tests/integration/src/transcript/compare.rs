//! A transcript against the simulator: it is told what the host said, and must answer as the modem did.

use embassy_futures::select::{Either, select};
use embassy_time::{Duration, with_timeout};
use sectag_simulator::{MemoryNetwork, Simulator};
use sectag_transcript::Event;
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};

use super::script::bytes;
use super::{Backend, Script, peer};
use crate::simulated::virtually;

/// The longest that a modem may take, by any sheet.
const LIMIT: Duration = Duration::from_secs(600);
/// Behind an answer of `# before:`, whose end is not known.
const SETTLED: Duration = Duration::from_secs(2);
/// Behind the last line nothing comes for so long.
const QUIET: Duration = Duration::from_millis(200);

/// # Panics
/// When the simulator says anything else.
pub(super) fn compare<B: Backend>(backend: &B, script: &Script, setup: Vec<String>) {
    virtually(async || {
        let network = MemoryNetwork::new();
        for line in script.notes("peer") {
            peer::serve(&network, line);
        }
        let modem = backend.simulator(&setup, network);
        let (host, device) = tokio::io::duplex(64 * 1024);
        let host = Host {
            uart: host,
            modem: modem.clone(),
            variables: script
                .notes("variable")
                .into_iter()
                .map(Variable::new)
                .collect(),
        };
        match select(modem.serve(device), host.follow(script)).await {
            Either::First(end) => panic!("the port ended: {end:?}"),
            Either::Second(()) => {}
        }
    });
}

struct Host {
    uart: DuplexStream,
    modem: Simulator,
    variables: Vec<Variable>,
}

impl Host {
    async fn follow(mut self, script: &Script) {
        for line in script.notes("before") {
            self.say(&bytes(line)).await;
            while with_timeout(SETTLED, self.byte()).await.is_ok() {}
        }
        for step in &script.steps {
            for what in &step.happens {
                self.happens(what);
            }
            match &step.event {
                Event::Host(bytes) => self.say(bytes).await,
                Event::Modem(bytes) => self.expect(bytes).await,
                Event::Reset => self.modem.reset(),
                Event::Wait(time) => {
                    self.wait(Duration::from_micros(time.as_micros() as u64))
                        .await
                }
            }
        }
        if let Ok(byte) = with_timeout(QUIET, self.byte()).await {
            panic!("behind the last line comes {:?}", char::from(byte));
        }
        for variable in &self.variables {
            assert!(variable.used, "nothing is said like {:?}", variable.text);
        }
    }

    /// The modem is quiet for most of this time: its own is not the real one's to the millisecond.
    async fn wait(&mut self, time: Duration) {
        let quiet = time * 9 / 10;
        if let Ok(byte) = with_timeout(quiet, self.byte()).await {
            panic!(
                "{:?} comes before {} ms are over",
                char::from(byte),
                quiet.as_millis()
            );
        }
    }

    fn happens(&self, what: &str) {
        match what.split_once(' ').unwrap_or((what, "")) {
            ("pdp", context) => self.modem.drop_pdp(context.parse().expect("a context")),
            ("unregistered", "") => self.modem.set_registered(false),
            _ => panic!("{what:?} cannot happen"),
        }
    }

    async fn say(&mut self, bytes: &[u8]) {
        let said = self.uart.write_all(bytes).await;
        said.expect("the simulator keeps its port open");
    }

    async fn byte(&mut self) -> u8 {
        let byte = self.uart.read_u8().await;
        byte.expect("the simulator keeps its port open")
    }

    async fn expect(&mut self, bytes: &[u8]) {
        let mut heard: Vec<u8> = Vec::new();
        let mut pending = None;
        for part in parts(bytes, &mut self.variables) {
            match part {
                Part::Byte(expected) => {
                    let byte = match pending.take() {
                        Some(byte) => byte,
                        None => self.heard(&heard, bytes).await,
                    };
                    heard.push(byte);
                    assert!(
                        byte == expected,
                        "expected \"{}\"\n     got \"{}\"...",
                        bytes.escape_ascii(),
                        heard.escape_ascii()
                    );
                }
                Part::Own => {
                    let start = heard.len();
                    loop {
                        let byte = self.heard(&heard, bytes).await;
                        if matches!(byte, b'"' | b',' | b'\r' | b'\n') {
                            pending = Some(byte);
                            break;
                        }
                        heard.push(byte);
                    }
                    assert!(
                        heard.len() > start,
                        "nothing behind \"{}\"",
                        heard.escape_ascii()
                    );
                }
            }
        }
        assert_eq!(pending, None, "what is variable is followed by something");
    }

    async fn heard(&mut self, so_far: &[u8], expected: &[u8]) -> u8 {
        match with_timeout(LIMIT, self.byte()).await {
            Ok(byte) => byte,
            Err(_) => panic!(
                "expected \"{}\"\n     got only \"{}\"",
                expected.escape_ascii(),
                so_far.escape_ascii()
            ),
        }
    }
}

/// Of what the modem says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Part {
    Byte(u8),
    /// The board's own.
    Own,
}

/// A `# variable:` line.
struct Variable {
    /// As the modem said it.
    text: Vec<u8>,
    parts: Vec<Part>,
    used: bool,
}

impl Variable {
    fn new(note: &str) -> Self {
        let (mut text, mut parts, mut own) = (Vec::new(), Vec::new(), false);
        for byte in bytes(note) {
            match byte {
                b'{' if !own => {
                    own = true;
                    parts.push(Part::Own);
                    continue;
                }
                b'}' if own => {
                    own = false;
                    continue;
                }
                _ => text.push(byte),
            }
            if !own {
                parts.push(Part::Byte(byte));
            }
        }
        assert!(
            !own && parts.contains(&Part::Own),
            "{note:?}: braces around what is variable"
        );
        Self {
            text,
            parts,
            used: false,
        }
    }
}

/// What is said, with everything variable taken out.
fn parts(mut bytes: &[u8], variables: &mut [Variable]) -> Vec<Part> {
    let mut parts = Vec::new();
    while let Some((&byte, rest)) = bytes.split_first() {
        let found = variables
            .iter_mut()
            .find(|variable| bytes.starts_with(&variable.text));
        match found {
            Some(variable) => {
                variable.used = true;
                parts.extend(&variable.parts);
                bytes = &bytes[variable.text.len()..];
            }
            None => {
                parts.push(Part::Byte(byte));
                bytes = rest;
            }
        }
    }
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_stands_in_braces_may_be_anything() {
        let mut variables = [Variable::new("+CSQ: {20},{99}"), Variable::new("{7}")];
        let seen = parts(b"+CSQ: 20,99 8", &mut variables);
        let mut expected: Vec<Part> = b"+CSQ: ".iter().map(|&byte| Part::Byte(byte)).collect();
        expected.extend([Part::Own, Part::Byte(b','), Part::Own]);
        expected.extend([Part::Byte(b' '), Part::Byte(b'8')]);
        assert_eq!(seen, expected);
        assert!(variables[0].used && !variables[1].used);
    }
}
