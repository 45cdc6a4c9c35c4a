//! Data mode (sheet section 3): everything that the host sends is payload, until the mode ends.

use std::future::pending;

use embassy_futures::select::{Either3, select3};
use embassy_time::{Duration, Instant, Timer};

use super::options::CountedFailure;
use super::profile::{DataEnd, DataFailure};
use super::sockets::Phase;
use super::state::SharedSocket;
use super::{Mode, Nrf9160};

const TERMINATOR: &[u8] = b"+++";
/// The size of the ring of 2.0 to 2.4, and of the buffer of the others.
const RING: usize = 4096;
/// The room in the ring below which the firmware flushes and stops reception.
const RING_RESERVE: usize = 256;

/// The end of data mode.
enum End {
    /// The host has ended it, or the firmware, which does not report dropped bytes.
    Left,
    /// A send has failed, or the peer is gone; `left` is the number of announced bytes that are still
    /// to come.
    Broken { left: Option<usize> },
}

/// The bytes that were received and not sent yet.
struct Pending {
    bytes: Vec<u8>,
    /// The place in the ring where `bytes` begins.
    start: usize,
    /// The number of characters that may be the beginning of a terminator (2.5 and later).
    matched: usize,
}

impl Pending {
    /// Returns whether the bytes end with a terminator. It is recognised in one contiguous piece only.
    /// TRAP, sheet 3 (b): a terminator across the end of the ring is sent as data.
    fn ends_with_terminator(&self) -> bool {
        let end = self.start + self.bytes.len();
        let piece = (end.saturating_sub(1) / RING * RING).max(self.start);
        self.bytes
            .get(piece - self.start..)
            .is_some_and(|piece| piece.ends_with(TERMINATOR))
    }

    fn take(&mut self) -> Vec<u8> {
        self.start = (self.start + self.bytes.len()) % RING;
        std::mem::take(&mut self.bytes)
    }

    /// Turns the possible beginning of a terminator into data.
    fn release(&mut self) {
        self.bytes.extend(&TERMINATOR[..self.matched]);
        self.matched = 0;
    }
}

impl Nrf9160 {
    /// Returns the smallest inactivity limit, which is also the default, in milliseconds.
    pub(super) fn least_data_limit(&self) -> u64 {
        let baud = self.rate();
        u64::from(self.options.reception_buffer) * 10 * 1000 / u64::from(baud) + 10
    }

    /// Runs data mode from the `OK` that begins it to the notice that ends it; with `length` for
    /// exactly so many bytes (SM).
    pub(super) async fn data_mode(&self, socket: &SharedSocket, length: Option<usize>) {
        self.ok();
        if self.options.late_data_mode.as_ticks() > 0 {
            self.resume_reception();
            Timer::after(self.options.late_data_mode).await;
            for byte in self.core.take_input() {
                // Bytes that are taken for commands are no payload.
                let profile = &self.options.profile;
                let _ = self
                    .line
                    .borrow_mut()
                    .push(byte, profile, self.terminator());
            }
        }
        self.mode.set(Mode::Data);
        self.resume_reception();
        self.deliver(socket);
        let end = self.carry_data(socket, length).await;
        let result = match end {
            End::Left => 0,
            End::Broken { left } => {
                // The firmware sends `+++` and waits for the host's (sheet 3.1).
                let silent = self.options.counted_failure == CountedFailure::CountsSilently;
                if !silent || length.is_none() {
                    self.core.send(TERMINATOR);
                }
                self.swallow(left).await;
                -1
            }
        };
        self.mode.set(Mode::Executing);
        self.answer(&format!("#XDATAMODE: {result}"));
        // Notices were suppressed in data mode and are sent now (sheet 4.4).
        let sockets: Vec<SharedSocket> = self.state.borrow().sockets.values().cloned().collect();
        for socket in sockets {
            socket.borrow_mut().reported = 0;
        }
    }

    async fn carry_data(&self, socket: &SharedSocket, length: Option<usize>) -> End {
        let profile = &self.options.profile;
        let set = self.state.borrow().data_limit;
        let limit = Duration::from_millis(set.unwrap_or_else(|| self.least_data_limit()));
        let mut waiting = Pending {
            bytes: Vec::new(),
            start: 0,
            matched: 0,
        };
        let mut left = length;
        let mut last = Instant::now();
        loop {
            // TRAP, sheet 3: with an empty buffer the time limit has no effect, and the beginning of a
            // terminator remains one, however long the pause is.
            let idle = async {
                if waiting.bytes.is_empty() {
                    pending::<()>().await;
                }
                Timer::at(last + limit).await;
            };
            let watches = profile.data_failure == DataFailure::Swallows;
            let gone = self
                .core
                .until(|| watches && socket.borrow().phase != Phase::Connected);
            let ends = match select3(self.core.read(), idle, gone).await {
                Either3::First(byte) => {
                    last = Instant::now();
                    let mut ends = false;
                    if let Some(left) = &mut left {
                        *left -= 1;
                        waiting.bytes.push(byte);
                        ends = *left == 0;
                    } else if profile.data_end == DataEnd::Anywhere && byte == TERMINATOR[0] {
                        waiting.matched += 1;
                        ends = waiting.matched == TERMINATOR.len();
                    } else {
                        waiting.release();
                        waiting.bytes.push(byte);
                    }
                    let full = match profile.data_end {
                        DataEnd::FlushEnd => RING - RING_RESERVE,
                        DataEnd::Anywhere => RING,
                    };
                    if !ends && waiting.bytes.len() < full {
                        continue;
                    }
                    ends
                }
                Either3::Second(()) => {
                    waiting.release();
                    false
                }
                Either3::Third(()) => return End::Broken { left },
            };
            let in_flush = profile.data_end == DataEnd::FlushEnd && waiting.ends_with_terminator();
            if in_flush {
                waiting
                    .bytes
                    .truncate(waiting.bytes.len() - TERMINATOR.len());
            }
            let sent = self.flush(socket, &mut waiting).await;
            match profile.data_failure {
                DataFailure::Swallows if !sent => return End::Broken { left },
                // TRAP, sheet 3: what the host sends from here on is a command.
                DataFailure::Leaves if !sent => return End::Left,
                // TRAP, sheet 3: the stream has a gap, and nothing reports it.
                _ if ends || in_flush => return End::Left,
                _ => {}
            }
        }
    }

    /// Sends the waiting bytes; returns false if that failed.
    async fn flush(&self, socket: &SharedSocket, waiting: &mut Pending) -> bool {
        let bytes = waiting.take();
        if bytes.is_empty() {
            return true;
        }
        let sent = self.send_all(socket, &bytes).await;
        if self.options.profile.reception_pauses && !self.options.flow_control {
            // Sheet 3 (c): nothing is received while there is little room in the ring.
            self.core
                .keep_input(RING - bytes.len().min(RING - RING_RESERVE));
        }
        if self.options.data_notices {
            // Dropped bytes are counted, too (sheet 3, SRC).
            self.answer(&format!("#XDATAMODE: {}", bytes.len()));
        }
        sent == bytes.len()
    }

    /// Runs the "null" state: drops bytes up to the host's own `+++`, at any place, or up to the last
    /// announced byte (sheet 3.1).
    async fn swallow(&self, left: Option<usize>) {
        let left = match (left, self.options.counted_failure) {
            // The failed byte was the last one.
            (Some(0), _) => return,
            (Some(left), CountedFailure::CountsOn | CountedFailure::CountsSilently) => left,
            _ => usize::MAX,
        };
        let counts = left < usize::MAX;
        let mut matched = 0;
        for _ in 0..left {
            let byte = self.core.read().await;
            matched = if byte == TERMINATOR[0] {
                matched + 1
            } else {
                0
            };
            if !counts && matched == TERMINATOR.len() {
                return;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_terminator_across_the_end_of_the_ring_is_none() {
        let waiting = |start: usize, length: usize| Pending {
            bytes: [&vec![b'x'; length][..], TERMINATOR].concat(),
            start,
            matched: 0,
        };
        assert!(waiting(0, 5).ends_with_terminator());
        assert!(waiting(4000, 93).ends_with_terminator());
        assert!(!waiting(4000, 94).ends_with_terminator());
        assert!(!waiting(4000, 95).ends_with_terminator());
        assert!(waiting(4000, 96).ends_with_terminator());
        assert!(waiting(4000, 200).ends_with_terminator());
    }
}
