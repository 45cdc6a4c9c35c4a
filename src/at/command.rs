//! The writer of command lines for `atat` commands.

use atat::AtatResp;

use super::out::Out;

/// A writer of one command line into a buffer: `AT`, the name, `=`, the arguments, CR.
///
/// It never panics. Characters that do not fit are counted, so that [`finish`](Self::finish) returns the length that
/// would have been needed, and the engine refuses the command before a byte is sent.
#[derive(Debug)]
pub struct CommandLine<'b> {
    out: Out<'b>,
    arguments: bool,
}

impl<'b> CommandLine<'b> {
    /// Begins a line with `AT` and `name`, for instance `+QSSLRECV` or `E0`.
    pub fn new(buf: &'b mut [u8], name: &str) -> Self {
        let mut line = Self {
            out: Out::new(buf),
            arguments: false,
        };
        line.out.bytes(b"AT");
        line.out.bytes(name.as_bytes());
        line
    }

    /// Appends an unsigned decimal argument.
    pub fn int(mut self, value: u32) -> Self {
        self.separate();
        self.out.int(value);
        self
    }

    /// Appends an argument as it is, without quotes.
    pub fn raw(mut self, text: &str) -> Self {
        self.separate();
        self.out.bytes(text.as_bytes());
        self
    }

    /// Appends a quoted argument. `text` must be a literal or come out of a checked type
    /// ([`Text`](super::Text), [`ServerName`](crate::ServerName)).
    pub fn quoted(self, text: &str) -> Self {
        self.quoted_by(|out| out.bytes(text.as_bytes()))
    }

    /// Appends a quoted argument that `write` writes, for which holds what [`quoted`](Self::quoted) says of its text.
    pub fn quoted_by(mut self, write: impl FnOnce(&mut Out<'b>)) -> Self {
        self.separate();
        self.out.byte(b'"');
        write(&mut self.out);
        self.out.byte(b'"');
        self
    }

    /// Begins another command in this line, with `name` without its `AT`. The caller must know that the modem carries out
    /// all commands of a line.
    pub fn and(mut self, name: &str) -> Self {
        self.out.byte(b';');
        self.out.bytes(name.as_bytes());
        self.arguments = false;
        self
    }

    /// Ends the line with CR and returns its length, which is above that of the buffer where the line does not fit.
    pub fn finish(mut self) -> usize {
        self.out.byte(b'\r');
        self.out.len()
    }

    /// Ends the line with the opening quote of an argument that [`At::quote`](crate::At::quote) streams, and returns the
    /// length so far.
    pub fn open_quote(mut self) -> usize {
        self.separate();
        self.out.byte(b'"');
        self.out.len()
    }

    fn separate(&mut self) {
        self.out.byte(if self.arguments { b',' } else { b'=' });
        self.arguments = true;
    }
}

/// The response of a command that answers with a final result alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Done;

impl AtatResp for Done {}

/// Implements [`AtatCmd`](atat::AtatCmd) for a command: its time limit in milliseconds, its text and, where it has one,
/// the parser of its information text.
///
/// ```
/// use sectag::at::{CommandLine, at_command};
///
/// /// `AT+QSSLCLOSE=<clientid>`: closes one TLS socket.
/// pub struct SslClose {
///     pub id: u8,
/// }
/// at_command!(SslClose, 12_000, "+QSSLCLOSE", |self, line| line.int(self.id.into()));
/// ```
#[macro_export]
#[doc(hidden)]
macro_rules! __at_command {
    ($type:ty, $deadline_ms:expr, $name:expr, |$this:ident, $line:ident| $text:expr) => {
        $crate::at::at_command!($type, $deadline_ms, $name, |$this, $line| $text, $crate::at::Done, |_text| Some(
            $crate::at::Done
        ));
    };
    ($type:ty, $deadline_ms:expr, $name:expr, |$this:ident, $line:ident| $text:expr, $response:ty, $parse:expr) => {
        impl $crate::at::AtatCmd for $type {
            type Response = $response;
            const MAX_TIMEOUT_MS: u32 = $deadline_ms;

            fn write(&$this, buf: &mut [u8]) -> usize {
                let $line = $crate::at::CommandLine::new(buf, $name);
                $text.finish()
            }

            fn parse(
                &self,
                answer: Result<&[u8], $crate::__atat::InternalError<'_>>,
            ) -> Result<Self::Response, $crate::__atat::Error> {
                let parse: fn(&[u8]) -> Option<$response> = $parse;
                parse(answer?).ok_or($crate::__atat::Error::Parse)
            }
        }
    };
}
pub use crate::__at_command as at_command;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arguments_are_separated_and_quoted() {
        let mut buf = [0; 64];
        let len = CommandLine::new(&mut buf, "+X")
            .int(0)
            .quoted("a,b")
            .raw("0XFFFF")
            .int(u32::MAX)
            .finish();
        assert_eq!(&buf[..len], b"AT+X=0,\"a,b\",0XFFFF,4294967295\r");
        let len = CommandLine::new(&mut buf, "E0").finish();
        assert_eq!(&buf[..len], b"ATE0\r");
        let line = CommandLine::new(&mut buf, "+X").int(1).and("+Y").int(2);
        let len = line.int(3).finish();
        assert_eq!(&buf[..len], b"AT+X=1;+Y=2,3\r");
    }

    #[test]
    fn a_line_that_does_not_fit_reports_the_needed_length() {
        let mut buf = [0; 8];
        assert_eq!(CommandLine::new(&mut buf, "+QSSLOPEN").int(7).finish(), 14);
    }
}
