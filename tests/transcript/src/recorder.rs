//! A transcript while it happens.

use std::cell::RefCell;
use std::io::{self, Write};

use embassy_time::{Duration, Instant};
use sectag::tap::{Received, Sent, Tap};

use crate::event::Event;
use crate::{mask, transcript};

/// A pause that is worth a line of its own. Shorter ones are the UART's.
const PAUSE: Duration = Duration::from_millis(20);

/// What becomes of a socket's payload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Payload {
    /// It is kept, except what is sent before the peer's first byte: a login goes there.
    Kept,
    /// It is masked: what an application sends may be anything.
    Masked,
}

/// Writes a transcript. Secrets are masked, by as many bytes `x`: the arguments of secret commands, the
/// answers that repeat them, credentials, and [payload](Payload).
///
/// The modem's checksum of a masked credential is that of the true one.
pub struct Recorder<W>(RefCell<State<W>>);

struct State<W> {
    out: W,
    error: Option<io::Error>,
    payload: Payload,
    /// The sockets whose peer has said something since they were opened, as a bit set.
    answered: u32,
    /// The event that grows: bytes of one direction without a pause between them.
    grows: Option<(Direction, Vec<u8>)>,
    /// From the modem, and not known yet what they are.
    pending: Vec<u8>,
    last: Instant,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Direction {
    Host,
    Modem,
}

impl<W: Write> Recorder<W> {
    /// Starts with the line that says where the recording is from.
    pub fn new(out: W, source: &str, payload: Payload) -> Self {
        let mut state = State {
            out,
            error: None,
            payload,
            answered: 0,
            grows: None,
            pending: Vec::new(),
            last: Instant::now(),
        };
        state.write(&transcript::header(source));
        Self(RefCell::new(state))
    }

    /// Writes what is left, and reports the first failure there was.
    pub fn finish(&self) -> io::Result<()> {
        let mut state = self.0.borrow_mut();
        state.settle(mask::text);
        state.end();
        let flushed = state.out.flush();
        match state.error.take() {
            Some(error) => Err(error),
            None => flushed,
        }
    }
}

impl<W: Write> Tap for Recorder<W> {
    fn sent(&self, what: Sent, bytes: &[u8]) {
        let mut state = self.0.borrow_mut();
        if matches!(what, Sent::Command | Sent::SecretCommand) {
            state.end_line();
        }
        let start = state.grow(Direction::Host, bytes);
        let (kept, answered) = (state.payload == Payload::Kept, state.answered);
        let Some((_, event)) = &mut state.grows else {
            return;
        };
        match what {
            Sent::Command | Sent::Filler => {}
            Sent::Payload(socket) if kept && answered & bit(socket) != 0 => {}
            // The line so far: its arguments may begin in an earlier part.
            Sent::SecretCommand => mask::arguments(event),
            // Whatever else the engine may learn to tell apart is not for others either.
            _ => mask::all(&mut event[start..]),
        }
    }

    fn received(&self, what: Received, bytes: &[u8]) {
        let mut state = self.0.borrow_mut();
        if what == Received::Pending {
            state.pending.extend_from_slice(bytes);
            // The blank of a prompt, and line ends, are nobody's secret.
            if state.pending.iter().all(u8::is_ascii_whitespace) {
                state.settle(|_| {});
            }
            return;
        }
        match what {
            // A line's beginning is of the line.
            Received::Line => {
                state.pending.extend_from_slice(bytes);
                state.settle(|_| {});
            }
            Received::SecretLine => {
                state.pending.extend_from_slice(bytes);
                state.settle(mask::arguments);
            }
            Received::Payload(socket) => {
                state.settle(mask::text);
                state.answered |= bit(socket);
                let start = state.grow(Direction::Modem, bytes);
                if let (Payload::Masked, Some((_, event))) = (state.payload, &mut state.grows) {
                    mask::all(&mut event[start..]);
                }
            }
            Received::Credential => {
                state.settle(mask::text);
                let start = state.grow(Direction::Modem, bytes);
                if let Some((_, event)) = &mut state.grows {
                    mask::all(&mut event[start..]);
                }
            }
            _ => {
                state.pending.extend_from_slice(bytes);
                state.settle(mask::text);
            }
        }
    }

    fn opening(&self, socket: u8) {
        self.0.borrow_mut().answered &= !bit(socket);
    }

    fn restarted(&self) {
        let mut state = self.0.borrow_mut();
        state.end();
        state.write(&format!("{}\n", Event::Reset));
    }
}

fn bit(socket: u8) -> u32 {
    1_u32.checked_shl(socket.into()).unwrap_or(0)
}

impl<W: Write> State<W> {
    /// Appends to the event of this direction, or starts one; returns where the new bytes begin in it.
    fn grow(&mut self, direction: Direction, bytes: &[u8]) -> usize {
        let now = Instant::now();
        let pause = now.saturating_duration_since(self.last);
        self.last = now;
        let same = self.grows.as_ref().is_some_and(|(of, _)| *of == direction);
        if !same || pause >= PAUSE {
            self.end();
            if pause >= PAUSE {
                let time = std::time::Duration::from_millis(pause.as_millis());
                self.write(&format!("{}\n", Event::Wait(time)));
            }
        }
        let (_, event) = self.grows.get_or_insert((direction, Vec::new()));
        let start = event.len();
        event.extend_from_slice(bytes);
        start
    }

    /// What was pending is known now.
    fn settle(&mut self, mask: impl Fn(&mut [u8])) {
        let mut bytes = std::mem::take(&mut self.pending);
        if !bytes.is_empty() {
            mask(&mut bytes);
            self.grow(Direction::Modem, &bytes);
        }
    }

    /// A command line that was answered by nothing is an event of its own.
    fn end_line(&mut self) {
        let complete =
            |(of, bytes): &(Direction, Vec<u8>)| *of == Direction::Host && bytes.ends_with(b"\r");
        if self.grows.as_ref().is_some_and(complete) {
            self.end();
        }
    }

    fn end(&mut self) {
        if let Some((direction, bytes)) = self.grows.take() {
            let event = match direction {
                Direction::Host => Event::Host(bytes),
                Direction::Modem => Event::Modem(bytes),
            };
            self.write(&format!("{event}\n"));
        }
    }

    fn write(&mut self, text: &str) {
        if self.error.is_none()
            && let Err(error) = self.out.write_all(text.as_bytes())
        {
            self.error = Some(error);
        }
    }
}
