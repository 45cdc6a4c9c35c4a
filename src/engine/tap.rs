//! What each run of bytes is, for a [`Tap`](crate::tap::Tap).

use super::core::{Core, Plan, Resync, Stage};
use crate::at::framer::Event;
use crate::modem::{Line, Modem, Urc};
use crate::tap::{Received, Sent};

impl Core {
    /// What [`next_out`](Self::next_out) would yield now.
    pub(crate) fn tap_next(&self) -> Sent {
        match self.plan.get() {
            Plan::Send { slot, .. } if self.out_sent.get() >= self.out_len.get() => {
                Sent::Payload(slot.0)
            }
            _ => self.out_class.get(),
        }
    }

    pub(crate) fn tap_sent(&self, what: Sent, bytes: &[u8]) {
        if let Some(tap) = self.fixed.tap {
            tap.sent(what, bytes);
        }
    }

    /// `run` was consumed for `event`, and nothing has been done about it yet.
    pub(crate) fn tap_received<M: Modem>(&self, modem: &M, event: Option<Event<'_>>, run: &[u8]) {
        let Some(tap) = self.fixed.tap else { return };
        let what = match event {
            None if run.is_empty() => return,
            None => Received::Pending,
            Some(Event::Payload(_)) if self.push.get().is_some() => match self.push_slot() {
                Some(slot) => Received::Payload(slot.0),
                None => Received::Noise,
            },
            Some(Event::Payload(_)) => match self.plan.get() {
                Plan::Receive { slot, .. } => Received::Payload(slot.0),
                _ => Received::Credential,
            },
            Some(Event::Prompt) => Received::Line,
            Some(Event::PayloadEnd | Event::PayloadOverrun) => return,
            Some(Event::Line | Event::CutLine | Event::Piece) => {
                let framer = self.framer.borrow();
                let name = self.name.borrow();
                let running = !matches!(self.stage.get(), Stage::Idle | Stage::Done(_));
                let asked = if running { name.as_bytes() } else { b"" };
                let kind = if framer.is_continued() {
                    Line::Info
                } else {
                    modem.line(framer.line(), asked)
                };
                if let Line::Urc(Urc::Restarted | Urc::Saving) = kind {
                    tap.restarted();
                }
                self.tap_line(framer.line(), kind, asked)
            }
        };
        tap.received(what, run);
    }

    fn tap_line(&self, line: &[u8], kind: Line, asked: &[u8]) -> Received {
        let deaf = self.resync.get() != Resync::Off;
        match kind {
            Line::Final(_) | Line::Payload(_) | Line::Push { .. } => Received::Line,
            // A notice carries no secret.
            Line::Urc(_) if !deaf => Received::Line,
            _ if deaf && !line.starts_with(self.fixed.sync.answer.as_bytes()) => Received::Noise,
            _ if self.secret.get() => Received::SecretLine,
            // An echo of what was sent would be here too.
            _ if (self.private.get()
                || matches!(self.plan.get(), Plan::Send { .. } | Plan::Pipe { .. }))
                && (asked.is_empty() || !line.starts_with(asked)) =>
            {
                Received::Noise
            }
            _ => Received::Line,
        }
    }
}
