//! Payload that an exchange brings: its header, its parts, its end, and what must stand behind it.

use super::super::time::{Ms, after};
use super::super::world::World;
use super::{Engine, Stage};
use crate::engine::backend::{FETCHES, Modem};
use crate::loss::Loss;

/// The longest gap inside fetched payload. After a restart in the middle of payload, the boot banner is counted as
/// payload, and so are the URCs of the SIM half a second later; the stall is the only sign of the restart, and sockets
/// must be reset within 2 s of the banner.
pub(super) const PAYLOAD_PAUSE: Ms = 1000;
/// The number of fetches in a row, with one line end after their payload in the place of two, after which that counts
/// as the firmware's form and not as noise.
const LONE_ENDS: u8 = 2;

impl<M: Modem> Engine<M> {
    /// Has the framer take the next `count` bytes as payload.
    pub(super) fn expect_payload(&mut self, count: usize, in_line: bool) {
        match M::PAYLOAD_CUE {
            // Only payload in quotes has a closing character.
            Some(cue) if in_line => {
                self.framer
                    .expect_payload_in_line(count, Some(cue).filter(|&cue| cue == b'"'));
            }
            _ => self.framer.expect_payload(count),
        }
        if let Some(decoder) = M::DECODER {
            decoder(&mut self.modem).restart();
        }
    }

    /// Returns the length of `most` bytes of payload in the form in which the modem writes them.
    pub(super) fn encoded(&mut self, most: usize) -> usize {
        M::DECODER.map_or(most, |decoder| decoder(&mut self.modem).encoded(most))
    }

    /// Handles the header of an answer with payload.
    pub(super) fn header(&mut self, w: &mut World<'_>, count: u16, in_line: bool) {
        let most = if self.flags & FETCHES != 0 {
            self.encoded(w.len.into())
        } else if self.flags & Self::GUEST_FETCHES != 0 {
            self.fetch_limit
        } else {
            return;
        };
        if self.stage != Stage::Line || w.received.is_some() {
            return;
        }
        let count: usize = count.into();
        if count > most {
            return self.violation(w);
        }
        if M::FETCH_PATIENCE > 0 && self.flags & FETCHES != 0 {
            let again = core::mem::take(&mut self.repeated) > 0;
            let full = count == usize::from(w.len);
            let slot = w.slot();
            // Known data is gone: the fetch before had it, and its answer was lost.
            let lost = again && slot.announced && count == 0;
            slot.announced = full;
            if lost {
                w.lose(w.slot, Loss::Grammar);
            }
        }
        self.expect_payload(count, in_line);
        self.tail_ends = 0;
        if self.flags & FETCHES != 0 {
            let ends = if self.lone_ends < LONE_ENDS {
                M::PAYLOAD_ENDS
            } else {
                M::PAYLOAD_ENDS.min(1)
            };
            // An empty payload has no line end of its own.
            let none = count == 0 && !in_line;
            self.tail_ends = 2 * ends.saturating_sub(none.into());
        }
        w.received = Some(0);
        self.stage = Stage::Receiving;
        self.deadline = after(w.now, PAYLOAD_PAUSE);
    }

    pub(super) fn payload(&mut self, w: &mut World<'_>, part: &[u8]) {
        if self.is_pushing() {
            return self.push_part(w, part);
        }
        if self.stage != Stage::Receiving {
            return;
        }
        // The payload fits, since the header was compared with the requested length.
        let kept = if self.flags & FETCHES != 0 {
            match self.stage_payload(w, w.slot, part) {
                Some(kept) => kept,
                None => return self.violation(w),
            }
        } else if !M::GUESTS {
            0
        } else {
            let room = self.answer.get_mut(self.answer_len..).unwrap_or(&mut []);
            let kept = part.len().min(room.len());
            room[..kept].copy_from_slice(&part[..kept]);
            self.answer_len += kept;
            kept
        };
        w.received = Some(w.received.unwrap_or(0).saturating_add(kept as u16));
        self.deadline = after(w.now, PAYLOAD_PAUSE);
    }

    pub(super) fn payload_end(&mut self, w: &mut World<'_>) {
        if self.is_pushing() {
            self.push_end(w);
        } else if self.stage == Stage::Receiving {
            if self.flags & FETCHES != 0 && !self.is_payload_whole() {
                return self.violation(w);
            }
            self.stage = Stage::Tail;
        }
    }

    /// Stages payload for a socket, decoded where the modem encodes it, and returns the number of bytes staged. `None`
    /// where it cannot be decoded, or decoded bytes do not fit.
    pub(super) fn stage_payload(
        &mut self,
        w: &mut World<'_>,
        slot: u8,
        part: &[u8],
    ) -> Option<usize> {
        let ring = &mut w.slots[usize::from(slot)].rx;
        let Some(decoder) = M::DECODER else {
            return Some(ring.stage(part));
        };
        let decoder = decoder(&mut self.modem);
        let mut count = 0;
        for &character in part {
            if let Some(byte) = decoder.push(character).ok()? {
                count += 1;
                if ring.stage(&[byte]) == 0 {
                    return None;
                }
            }
        }
        Some(count)
    }

    /// Returns whether the staged payload ends where its encoding may end.
    pub(super) fn is_payload_whole(&mut self) -> bool {
        M::DECODER.is_none_or(|decoder| decoder(&mut self.modem).is_whole())
    }

    pub(super) fn payload_overrun(&mut self, w: &mut World<'_>) {
        if self.is_pushing() {
            self.push_violation(w);
        } else {
            self.violation(w);
        }
    }

    /// Returns whether the right number of line ends stands between payload and its result.
    ///
    /// A firmware may end payload otherwise than its manual says: one that puts one line end there in the place of two
    /// is accepted from the third fetch on. Noise does not do that twice in a row.
    pub(super) fn is_framed(&mut self) -> bool {
        let (wanted, ends) = (self.tail_ends, self.framer.ends_before_line());
        let framed = wanted == 0 || ends == wanted;
        if !framed {
            let more = ends == 2 && self.lone_ends < LONE_ENDS;
            self.lone_ends = if more { self.lone_ends + 1 } else { 0 };
        } else if self.lone_ends < LONE_ENDS {
            self.lone_ends = 0;
        }
        framed
    }
}
