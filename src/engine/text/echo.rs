//! The echo of a modem that repeats each command, whatever it is told: what of a line is echo, and what is not.
//! Nothing here is linked for a modem that has none, or can be talked out of it.

use super::super::world::World;
use super::{Engine, Stage};
use crate::at::echo::Echo;
use crate::at::framing::Framing;
use crate::engine::backend::{InLine, Line, Modem};
use crate::inspect::encode;

/// At the end of a piece of a line, so many characters may be the beginning of something that the modem says by itself.
const EVENT_START: usize = 32;

impl<M: Modem> Engine<M> {
    /// A command of `text` characters goes out, with `rest` more behind it in its line.
    pub(super) fn echo_begins(&mut self, text: usize, rest: usize) {
        if !M::Framing::ECHOES {
            return;
        }
        self.framing.set_echo(Echo {
            text: text as u16,
            rest: rest as u16,
            back: 0,
        });
        // The longest is longer than the framer's line.
        self.framer.want_pieces(true);
    }

    /// Some of the echo is still to come.
    pub(super) fn awaits_echo(&self) -> bool {
        M::Framing::ECHOES && self.stage != Stage::Idle && self.framing.echo().left() > 0
    }

    /// Some of it has come, and some has not.
    pub(super) fn is_amid_echo(&self) -> bool {
        self.awaits_echo() && self.framing.echo().back > 0
    }

    /// How much of the line is echo; and what the rest is, `None` where there is none, or more of it is to come.
    ///
    /// What the modem says by itself may stand between two characters of the echo, with or without a line end in
    /// front of it. It is looked for from the place on up to which the line is what was sent, backwards, since it may
    /// begin as the echo would go on.
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
            // The answer's lines are as the step, or the guest, wants them.
            self.framer.want_pieces(self.wants_pieces());
        }
        (len, kind)
    }

    /// Whether `character` is what was sent at this place of the line. Of a guest's payload, which is not kept, any
    /// will do that can be a part of it.
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

    /// Payload of a socket's is the rest of the line, as base64.
    pub(super) fn is_in_line_step(&self) -> bool {
        Self::BASE64 && self.way & Self::QUOTES != 0
    }

    pub(super) const BASE64: bool = matches!(M::IN_LINE, InLine::Base64 { .. });
}
