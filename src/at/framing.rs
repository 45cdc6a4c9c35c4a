//! What lies between the UART and the line framer: nothing for most modems, frames for some.
//!
//! A framing is sans-I/O as the line framer is: total on any input, and how the input is cut never changes
//! what comes out, except that one run of bytes may come in more or fewer parts.

pub use super::echo::Echo;

/// What came off the UART.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit<'a> {
    /// Text of the AT channel, cut anywhere. [`Framing::consume`] says how much of it was taken.
    Text(&'a [u8]),
    /// A frame brings data of a channel.
    Begin {
        /// Whose they are.
        channel: u8,
    },
    /// Some of them. [`Framing::consume`] says how much of it was taken.
    Data(&'a [u8]),
    /// The frame was whole: what it brought is what was sent.
    End,
    /// A frame that is neither text nor data; [`Framing::event`] has what it says.
    Event,
    /// Bytes are missing, or came that belong to no frame: of text and of any channel some may be lost.
    Broken,
    /// Between frames the modem said, as plain text, that it has started.
    Restarted,
}

/// A framing below the text of commands and answers. Its defaults are those of none, see [`Plain`].
///
/// Whether what goes out is framed is the backend's to say
/// ([`Modem::is_framed`](crate::modem::Modem::is_framed)), because a modem may have to be told in plain text to begin.
pub trait Framing: 'static {
    /// In step, with nothing under way.
    const NEW: Self;
    /// Whether there are frames at all. Nothing of this trait is called, or linked, where there are none.
    const FRAMES: bool = false;
    /// Whether the modem echoes each command, always, and may cut the echo in two: see [`Echoed`]. Nothing of that is
    /// linked where it does not.
    const ECHOES: bool = false;

    /// How far the echo of the command that runs has come.
    fn echo(&self) -> Echo {
        Echo::NONE
    }

    /// It has come so far.
    fn set_echo(&mut self, _echo: Echo) {}

    /// The next unit. Of text and data nothing is consumed before [`consume`](Self::consume); `None` when
    /// the input is consumed. While `framed`, what stands between frames is a fault; before, it is text.
    fn next<'a>(&mut self, _framed: bool, input: &mut &'a [u8]) -> Option<Unit<'a>> {
        (!input.is_empty()).then_some(Unit::Text(input))
    }

    /// `count` bytes of the text or data last seen were taken.
    fn consume(&mut self, input: &mut &[u8], count: usize) {
        *input = input.get(count..).unwrap_or(&[]);
    }

    /// What the last [`Unit::Event`] says.
    fn event(&self) -> &[u8] {
        &[]
    }

    /// How many bytes of data are still to come in this frame.
    fn data_left(&self) -> usize {
        0
    }

    /// The frame that has begun is one of data.
    fn is_in_data(&self) -> bool {
        false
    }

    /// Where the engine notes when a frame that has begun is given up.
    fn until(&mut self) -> Option<&mut u32> {
        None
    }

    /// A frame has begun and has not ended.
    fn is_inside(&self) -> bool {
        false
    }

    /// The rest of the frame does not come: it is broken.
    fn give_up(&mut self) {}

    /// Back to the beginning, in both directions.
    fn reset(&mut self) {}

    /// Writes the beginning of a frame into `into`, as far as it is not out yet; returns how many bytes that
    /// are and how many of what is sent may follow. `left` bytes are to be sent, on a data channel or as
    /// text.
    fn head(&mut self, _channel: Option<u8>, left: usize, _into: &mut [u8]) -> (usize, usize) {
        (0, left)
    }

    /// Writes what ends the frame into `into`, behind `count` bytes more of what is sent; returns how many bytes
    /// that are.
    fn tail(&self, _count: usize, _into: &mut [u8]) -> usize {
        0
    }

    /// `count` bytes are out, framing included; returns how many of what is sent were among them.
    fn sent(&mut self, count: usize) -> usize {
        count
    }

    /// A frame is out in part.
    fn is_open(&self) -> bool {
        false
    }

    /// What goes out next begins a frame.
    fn restart_out(&mut self) {}
}

/// No framing: every byte is text. Takes no room and no code.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Plain;

impl Framing for Plain {
    const NEW: Self = Self;
}

/// No frames; the modem echoes whatever it is told, always. See [`Echo`].
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
