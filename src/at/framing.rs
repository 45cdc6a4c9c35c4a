//! The framing between the UART and the line framer: none for most modems, frames for some.
//!
//! A framing does no I/O and never panics, as the line framer. The chunks in which input comes never change its output,
//! except that one run of bytes may come in more or fewer parts.

pub use super::echo::Echo;

/// A unit of input that a framing has found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit<'a> {
    /// Text of the AT channel, cut anywhere. The engine reports with [`Framing::consume`] how much of it was taken.
    Text(&'a [u8]),
    /// The beginning of a frame with data of a channel.
    Begin {
        /// The channel, which is the modem's id of the connection.
        channel: u8,
    },
    /// A part of the data of that frame. The engine reports with [`Framing::consume`] how much of it was taken.
    Data(&'a [u8]),
    /// The end of a frame with data. The frame was whole, so its data is what the modem sent.
    End,
    /// A frame that is neither text nor data. [`Framing::event`] returns its content.
    Event,
    /// A broken frame: bytes are missing, or belong to no frame. Text, and data of any channel, may be lost.
    Broken,
    /// The boot banner of the modem, as plain text between frames.
    Restarted,
}

/// A framing below the text of commands and answers. The defaults are those of no framing, see [`Plain`].
///
/// The backend decides whether output is framed ([`Modem::is_framed`](crate::modem::Modem::is_framed)), because a modem
/// may need a command in plain text before it uses frames.
pub trait Framing: 'static {
    /// A new framing, in step and with no frame under way.
    const NEW: Self;
    /// Whether there are frames. If `false`, the methods for frames are neither called nor linked.
    const FRAMES: bool = false;
    /// Whether the modem's echo cannot be switched off, see [`Echoed`]. If `false`, the code for that is not linked.
    const ECHOES: bool = false;

    /// Returns the progress of the echo of the running command.
    fn echo(&self) -> Echo {
        Echo::NONE
    }

    /// Sets the progress of the echo.
    fn set_echo(&mut self, _echo: Echo) {}

    /// Returns the next unit of the input; `None` when all input is consumed. Text and data are consumed by
    /// [`consume`](Self::consume) only. While `framed`, bytes between frames are a fault; otherwise they are text.
    fn next<'a>(&mut self, _framed: bool, input: &mut &'a [u8]) -> Option<Unit<'a>> {
        (!input.is_empty()).then_some(Unit::Text(input))
    }

    /// Consumes `count` bytes of the last text or data.
    fn consume(&mut self, input: &mut &[u8], count: usize) {
        *input = input.get(count..).unwrap_or(&[]);
    }

    /// Returns the content of the last [`Unit::Event`].
    fn event(&self) -> &[u8] {
        &[]
    }

    /// Returns the number of bytes of data that are still to come in this frame.
    fn data_left(&self) -> usize {
        0
    }

    /// Returns whether the frame under way carries data.
    fn is_in_data(&self) -> bool {
        false
    }

    /// Returns the place where the engine keeps the deadline of the frame under way.
    fn until(&mut self) -> Option<&mut u32> {
        None
    }

    /// Returns whether a frame has begun and has not ended.
    fn is_inside(&self) -> bool {
        false
    }

    /// Gives up the frame under way: its rest does not come, and it is broken.
    fn give_up(&mut self) {}

    /// Resets the framing in both directions.
    fn reset(&mut self) {}

    /// Writes the header of a frame into `into`, as far as it was not sent yet, for `left` bytes on a data channel or as
    /// text. Returns the number of header bytes written, and the number of content bytes that may follow.
    fn head(&mut self, _channel: Option<u8>, left: usize, _into: &mut [u8]) -> (usize, usize) {
        (0, left)
    }

    /// Writes the end of the frame into `into`, after `count` more bytes of content, and returns the number of bytes
    /// written.
    fn tail(&self, _count: usize, _into: &mut [u8]) -> usize {
        0
    }

    /// Takes note that `count` bytes were sent, with their framing. Returns the number of content bytes among them.
    fn sent(&mut self, count: usize) -> usize {
        count
    }

    /// Returns whether a frame was sent in part.
    fn is_open(&self) -> bool {
        false
    }

    /// Has the next output begin a new frame.
    fn restart_out(&mut self) {}
}

/// The framing of a modem without frames: every byte is text. It takes no memory and no code.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Plain;

impl Framing for Plain {
    const NEW: Self = Self;
}

/// The framing of a modem without frames whose echo cannot be switched off, see [`Echo`].
#[derive(Clone, Copy, Debug)]
pub struct Echoed(Echo);

impl Framing for Echoed {
    const NEW: Self = Self(Echo::NONE);
    const ECHOES: bool = true;

    fn echo(&self) -> Echo {
        self.0
    }

    fn set_echo(&mut self, echo: Echo) {
        self.0 = echo;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_is_nothing() {
        let mut plain = Plain::NEW;
        assert_eq!((size_of::<Plain>(), Plain::FRAMES), (0, false));
        let mut input = &b"\xaaOK"[..];
        assert_eq!(plain.next(true, &mut input), Some(Unit::Text(b"\xaaOK")));
        plain.consume(&mut input, 1);
        assert_eq!(plain.next(false, &mut input), Some(Unit::Text(b"OK")));
        plain.consume(&mut input, 9);
        assert_eq!(plain.next(true, &mut input), None);
        plain.give_up();
        plain.reset();
        plain.restart_out();
        assert_eq!((plain.event(), plain.is_inside()), (&b""[..], false));
        assert_eq!(plain.until(), None);
        assert_eq!((plain.data_left(), plain.is_in_data()), (0, false));
        let mut into = [7; 4];
        assert_eq!(plain.head(None, 9, &mut into), (0, 9));
        assert_eq!((plain.tail(9, &mut into), plain.sent(5)), (0, 5));
        assert_eq!((into, plain.is_open()), ([7; 4], false));
    }
}
