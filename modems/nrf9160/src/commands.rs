//! The AT commands: one type, since most differ in name and arguments only; what its answer means is
//! where it is asked.

use sectag::at::{AtatCmd, CommandLine, Done, Fields, answer};
use sectag::{At, AtError};

/// Most commands are answered at once; the modem core may be busy.
pub(crate) const QUICK: u32 = 5_000;
/// Writing to the modem's flash takes up to 1.6 s in logs (sheet 11).
pub(crate) const STORE: u32 = 15_000;
/// `+CFUN`, which may detach from the network, and a close.
pub(crate) const SLOW: u32 = 60_000;
/// DNS, TCP and TLS before the answer (sheet 4.3).
pub(crate) const CONNECT: u32 = 120_000;
/// A send waits up to 30 s for the peer (sheet 4.4).
pub(crate) const SEND: u32 = 40_000;

#[derive(Clone, Copy)]
pub(crate) enum Arg<'a> {
    /// Left out, with its comma.
    Blank,
    Int(u32),
    Quoted(&'a str),
}

/// `AT`, the name, and the arguments if there are any. `MS` is its deadline.
pub(crate) struct Command<'a, const MS: u32 = QUICK> {
    pub(crate) name: &'static str,
    pub(crate) args: &'a [Arg<'a>],
    /// The last argument is streamed.
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

    /// With an argument in quotes that follows.
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

/// Whether it was answered with `OK`; a refusal is an answer as well.
pub(crate) async fn accepted(at: At<'_>, name: &'static str) -> Result<bool, AtError> {
    match at.send(&Command::<QUICK>::new(name, &[])).await {
        Ok(Done) => Ok(true),
        Err(AtError::Refused(_)) => Ok(false),
        Err(error) => Err(error),
    }
}

/// The fields of the first line behind `prefix` that `read` can read.
pub(crate) async fn ask<T, const MS: u32>(
    at: At<'_>,
    command: &Command<'_, MS>,
    prefix: &str,
    read: impl Fn(&mut Fields<'_>) -> Option<T>,
) -> Result<Option<T>, AtError> {
    let mut found = None;
    at.lines(command, &mut |line| {
        if found.is_none()
            && let Some(text) = answer(line, prefix)
        {
            found = read(&mut Fields::new(text));
        }
    })
    .await?;
    Ok(found)
}
