//! The line editor, which turns bytes into command lines: quotes, backspace, terminators, and a limited
//! buffer (sheet 1.4).

use super::profile::{Junk, Nrf9160Profile, Overflow, Terminator};

/// The number of characters that the buffer holds.
pub(super) const LINE_LIMIT: usize = 4095;

#[derive(Debug, PartialEq, Eq)]
pub(super) enum Input {
    /// More bytes are needed.
    Nothing,
    /// A line, without its terminator. It may be empty.
    Line(Vec<u8>),
    /// The buffer is full, so the line answers `ERROR`. The rest of the chunk may be lost (see
    /// [`Overflow`]).
    Overflow,
}

#[derive(Default)]
pub(super) struct Line {
    buffer: Vec<u8>,
    inside_quotes: bool,
    previous: u8,
    /// The number of characters beyond the limit.
    excess: usize,
}

impl Line {
    pub(super) fn is_empty(&self) -> bool {
        self.buffer.is_empty()
    }

    pub(super) fn push(
        &mut self,
        byte: u8,
        profile: &Nrf9160Profile,
        terminator: Terminator,
    ) -> Input {
        if matches!(byte, 0x08 | 0x7f) {
            self.delete(profile);
            return Input::Nothing;
        }
        if !self.inside_quotes && self.ends(byte, terminator) {
            return self.finish(profile);
        }
        self.previous = byte;
        if self.buffer.len() == LINE_LIMIT {
            match profile.overflow {
                Overflow::AtTerminator => self.excess += 1,
                Overflow::AtLimit => {
                    // The editor remembers whether the next quote opens or closes. The tail of a
                    // certificate that was too long ends with the quote that closes it (sheet: a second
                    // ERROR, and its recovery recipe).
                    self.toggle(byte);
                    self.buffer.clear();
                    return Input::Overflow;
                }
                Overflow::Restart => {
                    *self = Self::default();
                    return Input::Overflow;
                }
            }
        } else {
            self.buffer.push(byte);
        }
        if profile.junk == Junk::Ignored && !self.keeps_at() {
            return Input::Nothing;
        }
        self.toggle(byte);
        Input::Nothing
    }

    fn toggle(&mut self, byte: u8) {
        if byte == b'"' {
            self.inside_quotes = !self.inside_quotes;
        }
    }

    /// Deletes a character, also inside quotes.
    fn delete(&mut self, profile: &Nrf9160Profile) {
        if self.excess > 0 {
            self.excess -= 1;
        } else if self.buffer.pop() == Some(b'"') && profile.backspace_restores_quote {
            self.inside_quotes = !self.inside_quotes;
        }
    }

    fn ends(&mut self, byte: u8, terminator: Terminator) -> bool {
        match terminator {
            Terminator::Cr => byte == b'\r',
            Terminator::Lf => byte == b'\n',
            Terminator::CrLf if byte == b'\n' && self.previous == b'\r' => {
                if self.excess > 0 {
                    self.excess -= 1;
                } else {
                    self.buffer.pop();
                }
                true
            }
            Terminator::CrLf => false,
        }
    }

    fn finish(&mut self, profile: &Nrf9160Profile) -> Input {
        let Self { buffer, excess, .. } = std::mem::take(self);
        if excess > 0 {
            return Input::Overflow;
        }
        if profile.junk == Junk::Ignored && buffer.len() < 2 {
            return Input::Nothing;
        }
        Input::Line(buffer)
    }

    /// Drops characters that cannot become `AT`; returns true if none was dropped.
    fn keeps_at(&mut self) -> bool {
        match self.buffer.as_slice() {
            [] | [b'A' | b'a'] | [b'A' | b'a', b'T' | b't', ..] => true,
            [.., b'A' | b'a'] => {
                self.buffer.drain(..self.buffer.len() - 1);
                true
            }
            _ => {
                self.buffer.clear();
                false
            }
        }
    }

    /// Handles bytes that follow a terminator in its chunk, while the buffer is still in use (sheet
    /// 1.4, "do not pipeline"): they damage the line that is about to be executed, and begin the next
    /// one.
    pub(super) fn overwrite(
        &mut self,
        line: &mut [u8],
        tail: &[u8],
        profile: &Nrf9160Profile,
        terminator: Terminator,
    ) {
        for (old, new) in line.iter_mut().zip(tail) {
            *old = *new;
        }
        for byte in tail {
            // A complete second line is lost.
            let _ = self.push(*byte, profile, terminator);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn feed(
        line: &mut Line,
        bytes: &[u8],
        profile: &Nrf9160Profile,
        terminator: Terminator,
    ) -> Vec<Input> {
        bytes
            .iter()
            .map(|byte| line.push(*byte, profile, terminator))
            .filter(|input| *input != Input::Nothing)
            .collect()
    }

    fn lines(bytes: &[u8], profile: &Nrf9160Profile) -> Vec<Input> {
        feed(&mut Line::default(), bytes, profile, profile.terminator)
    }

    fn line(text: &[u8]) -> Input {
        Input::Line(text.to_vec())
    }

    #[test]
    fn terminators() {
        let profile = Nrf9160Profile::V2_1;
        assert_eq!(lines(b"AT\r", &profile), []);
        assert_eq!(lines(b"AT\r\n\r\n", &profile), [line(b"AT"), line(b"")]);
        assert_eq!(lines(b"AT=\"\r\n\"\r\n", &profile), [line(b"AT=\"\r\n\"")]);
        let mut cr = Line::default();
        assert_eq!(
            feed(&mut cr, b"AT\r\nAT\r", &profile, Terminator::Cr),
            [line(b"AT"), line(b"\nAT")]
        );
    }

    #[test]
    fn bytes_before_at_are_no_line() {
        let profile = Nrf9160Profile::SERIAL_MODEM;
        assert_eq!(lines(b"\r\n\"xAAT\r\"\r", &profile), [line(b"AT")]);
    }

    /// The recovery of sheet 1.4, from either side of a quote.
    #[test]
    fn an_unbalanced_quote_is_recovered_from() {
        for profile in Nrf9160Profile::ALL {
            for start in [&b"AT%CMNG=0,1,0,\"abc"[..], b"AT%CMNG=0,1,0,\"abc\"d"] {
                let mut parser = Line::default();
                let end: &[u8] = if profile.serial_modem { b"\r" } else { b"\r\n" };
                let mut feed =
                    |bytes: &[u8]| feed(&mut parser, bytes, &profile, profile.terminator);
                let mut seen = feed(&[start, &[8; 4096]].concat());
                // The second time only if `AT` stays unanswered.
                for _ in 0..2 {
                    seen.extend(feed(&[b"\"\x08", end, b"AT", end].concat()));
                    if seen.last() == Some(&line(b"AT")) {
                        break;
                    }
                }
                assert_eq!(seen.last(), Some(&line(b"AT")), "{}", profile.name);
                assert!(
                    seen.iter().all(|input| matches!(input, Input::Line(line) if
                        !line.starts_with(b"AT%"))),
                    "{seen:?}"
                );
            }
        }
    }

    #[test]
    fn the_buffer_has_an_end() {
        let long = |excess: usize| [&b"AT"[..], &vec![b'x'; LINE_LIMIT - 2 + excess]].concat();
        let at_limit = lines(&[&long(1)[..], b"tail\r\n"].concat(), &Nrf9160Profile::V2_1);
        assert_eq!(at_limit, [Input::Overflow, line(b"tail")]);
        let counted = lines(&[&long(9)[..], b"\r\n"].concat(), &Nrf9160Profile::V2_5);
        assert_eq!(counted, [Input::Overflow]);
        let full = lines(
            &[&long(0)[..], b"\r"].concat(),
            &Nrf9160Profile::SERIAL_MODEM,
        );
        assert_eq!(full, [line(&long(0))]);
        let restarted = lines(
            &[&long(1)[..], b"xxAT\r"].concat(),
            &Nrf9160Profile::SERIAL_MODEM,
        );
        assert_eq!(restarted, [Input::Overflow, line(b"AT")]);
    }
}
