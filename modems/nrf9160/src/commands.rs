//! The text of commands and the reading of answers, for scripts and for guests.

use sectag::AtError;
use sectag::at::{AtatCmd, CommandLine, Done, Fields, answer, decimal};
use sectag::modem::{Out, World};

use crate::marks::Marks as _;
use crate::{Family, Nrf9160};

// Time limits of answers, in tenths of a second.
/// Most commands are answered at once; the modem core may be busy.
pub(crate) const QUICK: u16 = 50;
/// The time limit of a close, and of `+CFUN`, which may detach from the network.
pub(crate) const SLOW: u16 = 600;
/// The flag of `#XRECV` that returns at once (sheet 4.4). TRAP: without it and with a time of 0 the
/// channel is dead for ever.
const DONT_WAIT: u32 = 64;
/// The time limit of a connect: DNS, TCP and TLS come before the answer (sheet 4.3).
pub(crate) const CONNECT: u16 = 1200;
/// The time limit of a send: the firmware waits up to 30 s for the peer (sheet 4.4).
pub(crate) const SEND: u16 = 400;

// Time limits of guests' commands, in milliseconds.
pub(crate) const GUEST_QUICK: u32 = QUICK as u32 * 100;
pub(crate) const GUEST_SLOW: u32 = SLOW as u32 * 100;
/// The time limit of writing to the modem's flash; logs show up to 1.6 s (sheet 11).
pub(crate) const STORE: u32 = 15_000;

/// Writes an argument of a step's text.
pub(crate) fn argument<F: Family>(
    modem: &Nrf9160<F>,
    name: u8,
    world: &World<'_>,
    out: &mut Out<'_>,
) {
    let handle = u32::from(modem.transfer.handle);
    match name {
        b'h' => out.int(handle),
        // The handle, for firmware where every command carries one.
        b'o' if modem.has_handles() => numbers(out, &[handle], b","),
        // Handle, string format and no flags.
        b'x' if modem.has_handles() => numbers(out, &[handle, 0, 0], b","),
        // Handle, raw format, no waiting, and no more bytes than there is room for.
        b'r' if modem.has_handles() => {
            numbers(out, &[handle, 0, DONT_WAIT, 1, world.len.into()], b"");
        }
        b'r' => numbers(out, &[1, DONT_WAIT], b""),
        b'l' => out.int(world.len.into()),
        b'e' if F::Marks::KEPT => out.int(modem.marks.value()),
        // The older options have a number for each value, in the order of the values.
        b'E' if F::Marks::KEPT => out.int(49 + modem.marks.value()),
        b'n' => out.int(modem.opening.number),
        b'd' => out.quoted(&modem.setting.text()),
        b'a' => {
            if let Some(apn) = &modem.config.apn {
                out.quoted(apn.as_str().as_bytes());
            }
        }
        b'q' => {
            if let Some(pin) = &modem.config.pin {
                out.quoted(pin.expose().as_str().as_bytes());
            }
        }
        b's' => server(world, out),
        _ => {
            let Some(open) = &world.open else { return };
            match name {
                b't' => out.int(open.config.tag().0),
                b'p' => out.int(open.port.into()),
                b'c' => out.int(open.config.resumes_sessions().into()),
                _ => {}
            }
        }
    }
}

fn numbers(out: &mut Out<'_>, numbers: &[u32], end: &[u8]) {
    for (index, number) in numbers.iter().enumerate() {
        if index > 0 {
            out.byte(b',');
        }
        out.int(*number);
    }
    out.bytes(end);
}

/// Writes the server's name in quotes.
fn server(world: &World<'_>, out: &mut Out<'_>) {
    out.byte(b'"');
    world.write_name(out);
    out.byte(b'"');
}

/// Returns the fields behind `prefix` of the first line that begins with it; one empty field if there
/// is none.
#[inline(never)]
pub(crate) fn fields<'a>(text: &'a [u8], prefix: &str) -> Fields<'a> {
    Fields::new(answer(text, prefix).unwrap_or_default())
}

/// Returns the last field as a number.
pub(crate) fn last(text: &[u8], prefix: &str) -> Option<u32> {
    decimal(fields(text, prefix).last()?)
}

/// Returns why a step failed, for a judge that was given no answer.
#[inline(never)]
pub(crate) fn error(world: &World<'_>) -> AtError {
    world.ended.unwrap_or(AtError::Refused(world.code))
}

#[derive(Clone, Copy)]
pub(crate) enum Arg<'a> {
    /// An argument that is left out; its comma is written.
    Blank,
    Int(u32),
    Quoted(&'a str),
}

/// A guest's command: `AT`, the name, and the arguments if there are any. `MS` is its time limit in
/// milliseconds.
pub(crate) struct Command<'a, const MS: u32 = GUEST_QUICK> {
    pub(crate) name: &'static str,
    pub(crate) args: &'a [Arg<'a>],
    /// The line ends in an open quote, and the last argument is streamed.
    pub(crate) open: bool,
}

impl<'a, const MS: u32> Command<'a, MS> {
    pub(crate) const fn new(name: &'static str, args: &'a [Arg<'a>]) -> Self {
        Self {
            name,
            args,
            open: false,
        }
    }

    /// Returns a command whose last argument, in quotes, is streamed.
    pub(crate) const fn opening(name: &'static str, args: &'a [Arg<'a>]) -> Self {
        Self {
            name,
            args,
            open: true,
        }
    }
}

impl<const MS: u32> AtatCmd for Command<'_, MS> {
    type Response = Done;
    const MAX_TIMEOUT_MS: u32 = MS;

    fn write(&self, buf: &mut [u8]) -> usize {
        let mut line = CommandLine::new(buf, self.name);
        for arg in self.args {
            line = match arg {
                Arg::Blank => line.raw(""),
                Arg::Int(number) => line.int(*number),
                Arg::Quoted(text) => line.quoted(text),
            };
        }
        if self.open {
            line.open_quote()
        } else {
            line.finish()
        }
    }

    fn parse(
        &self,
        answer: Result<&[u8], sectag::__atat::InternalError<'_>>,
    ) -> Result<Done, sectag::__atat::Error> {
        answer.map(|_| Done).map_err(Into::into)
    }
}
