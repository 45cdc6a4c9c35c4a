//! The classification of bytes on the UART for a [`Tap`](crate::tap::Tap).

use super::super::world::World;
use super::guests::{GUEST_QUOTES, GUEST_UPLOADS};
use super::rescue::SyncProgress;
use super::{Engine, Stage};
use crate::at::framer::Event;
use crate::engine::backend::{COUNTS, FETCHES, Line, Modem, PIPES, QUOTES, SENDS, Urc};
use crate::tap::{Received, Sent};

impl<M: Modem> Engine<M> {
    /// Returns the class of the bytes that [`next_out`](super::super::Protocol::next_out) returned last.
    pub(super) fn next_class(&self, w: &World<'_>) -> Sent {
        if self.out_sent >= self.out_len && self.sends_from_ring() {
            Sent::Payload(w.slot)
        } else {
            self.out_class
        }
    }

    /// Returns the class of bytes in `out` that are no command.
    pub(super) fn filler_class(&self) -> Sent {
        if self.flags & (GUEST_UPLOADS | GUEST_QUOTES) != 0 && self.syncing == SyncProgress::InStep
        {
            Sent::Upload
        } else if self.flags & QUOTES != 0 && self.closed {
            Sent::Command
        } else {
            Sent::Filler
        }
    }

    pub(super) fn command_class(&self) -> Sent {
        if self.secret {
            Sent::SecretCommand
        } else {
            Sent::Command
        }
    }

    /// Gives bytes from the modem to the tap: `run`, which the framer consumed for `event`. Called before the engine
    /// handles the event.
    pub(super) fn tap_received(&mut self, w: &World<'_>, event: Option<Event<'_>>, run: &[u8]) {
        let Some(tap) = w.tap else { return };
        let what = match event {
            None if run.is_empty() => return,
            None => Received::Pending,
            Some(Event::Payload(_)) => match self.push {
                Some(push) => push.slot.map_or(Received::Noise, Received::Payload),
                None if self.flags & FETCHES != 0 => Received::Payload(w.slot),
                None => Received::Credential,
            },
            Some(Event::Prompt | Event::Cue) => Received::Line,
            Some(Event::PayloadEnd | Event::PayloadOverrun) => return,
            Some(Event::Line | Event::CutLine | Event::Piece) => {
                let running = self.stage != Stage::Idle;
                let asked: &[u8] = if running {
                    &self.name[..self.name_len.into()]
                } else {
                    &[]
                };
                let kind = if self.framer.is_continued() {
                    Line::Info
                } else {
                    self.modem.line(self.framer.line(), asked)
                };
                if let Line::Urc(Urc::Restarted | Urc::Saving) = kind {
                    tap.restarted();
                }
                self.tap_line(kind)
            }
        };
        tap.received(what, run);
    }

    fn tap_line(&self, kind: Line) -> Received {
        let running = self.stage != Stage::Idle;
        let asked: &[u8] = if running {
            &self.name[..self.name_len.into()]
        } else {
            &[]
        };
        let line = self.framer.line();
        let deaf = self.syncing != SyncProgress::InStep;
        if self.awaits_echo() && matches!(kind, Line::Info) && !self.secret && !deaf {
            // The echo of payload is payload.
            let payload = self.flags & (QUOTES | GUEST_QUOTES) != 0;
            return if payload {
                Received::Noise
            } else {
                Received::Line
            };
        }
        match kind {
            Line::Final(_) | Line::Payload(_) | Line::Push { .. } => Received::Line,
            // A URC carries no secret.
            Line::Urc(_) if !deaf => Received::Line,
            _ if deaf && !line.starts_with(M::SYNC.answer.as_bytes()) => Received::Noise,
            _ if self.secret => Received::SecretLine,
            // The line may be an echo of payload.
            _ if (self.private || self.flags & (SENDS | COUNTS | PIPES) != 0)
                && (asked.is_empty() || !line.starts_with(asked)) =>
            {
                Received::Noise
            }
            _ => Received::Line,
        }
    }
}
