//! The echo of a modem that repeats each command and cannot be told not to: tells which part of a line is echo.
//! Nothing here is linked for a modem whose echo can be switched off.

use super::super::world::World;
use super::{Engine, Stage};
use crate::at::echo::Echo;
use crate::at::framing::Framing;
use crate::engine::backend::{InLine, Line, Modem};
use crate::inspect::encode;

/// The number of characters at the end of a piece of a line that may be the beginning of a URC.
const EVENT_START: usize = 32;

impl<M: Modem> Engine<M> {
    /// Begins to await the echo of a command of `text` characters, with `rest` more after it in its line.
    pub(super) fn echo_begins(&mut self, text: usize, rest: usize) {
        if !M::Framing::ECHOES {
            return;
        }
        self.framing.set_echo(Echo {
            text: text as u16,
            rest: rest as u16,
            back: 0,
        });
        // The longest echo is longer than the framer's line.
        self.framer.want_pieces(true);
    }

    /// Returns whether a part of the echo is still to come.
    pub(super) fn awaits_echo(&self) -> bool {
        M::Framing::ECHOES && self.stage != Stage::Idle && self.framing.echo().left() > 0
    }

    /// Returns whether a part of the echo has come, and another is still to come.
    pub(super) fn is_amid_echo(&self) -> bool {
        self.awaits_echo() && self.framing.echo().back > 0
    }

    /// Takes the echo from the line. Returns the number of its characters that are echo, and the classification of the
    /// rest; `None` where there is no rest, or more of it is to come.
    ///
    /// A URC may stand between two characters of the echo, with or without a line end in front of it. It is looked for
    /// from the first character that differs from the command, backwards, since a URC may begin with the characters
    /// with which the echo would go on.
    pub(super) fn take_echo(&mut self, w: &World<'_>) -> (usize, Option<Line>) {
        let echo = self.framing.echo();
        let line = self.framer.line();
        let asked = &self.name[..self.name_len.into()];
        let mut same = 0;
        for (index, &character) in line.iter().enumerate().take(echo.left()) {
            if !self.sent_at(w, echo, usize::from(echo.back) + index, character) {
                break;
            }
            same += 1;
        }
        let held_back = same.min(line.len().saturating_sub(EVENT_START));
        let (len, kind) = if self.framer.goes_on() && held_back > 0 {
            self.framer.carry(held_back);
            (held_back, None)
        } else if same == line.len() {
            (same, None)
        } else {
            let mut at = same;
            loop {
                match self.modem.line(&line[at..], asked) {
                    Line::Info if at > 0 => at -= 1,
                    kind => break (at, Some(kind)),
                }
            }
        };
        let back = echo.back + len as u16;
        self.framing.set_echo(Echo { back, ..echo });
        if !self.awaits_echo() {
            // After the echo, lines are cut or come in pieces as the step or the guest wants.
            self.framer.want_pieces(self.wants_pieces());
        }
        (len, kind)
    }

    /// Returns whether `character` was sent at this place of the line. The payload of a guest is not kept, so any
    /// character of base64 counts there.
    fn sent_at(&self, w: &World<'_>, echo: Echo, place: usize, character: u8) -> bool {
        let Some(place) = place.checked_sub(echo.text.into()) else {
            return self.out.get(place) == Some(&character);
        };
        if !self.is_in_line_step() {
            return character.is_ascii_alphanumeric() || matches!(character, b'+' | b'/' | b'=');
        }
        let mut bytes = [0; 3];
        let offset = place / 4 * 3;
        let count = usize::from(w.len).saturating_sub(offset).min(3);
        let from = usize::from(w.offset) + offset;
        let count = w.slots[usize::from(w.slot)]
            .tx
            .peek(from, &mut bytes[..count]);
        let mut group = [0; 4];
        encode(&bytes[..count], &mut group);
        group[place % 4] == character
    }

    /// Returns whether the step sends payload of a socket as base64 in the line.
    pub(super) fn is_in_line_step(&self) -> bool {
        Self::BASE64 && self.flags & Self::QUOTES != 0
    }

    pub(super) const BASE64: bool = matches!(M::IN_LINE, InLine::Base64 { .. });
    /// Nothing ends what is the rest of a line.
    pub(super) const COUNTED: bool = matches!(M::IN_LINE, InLine::Counted);
}
