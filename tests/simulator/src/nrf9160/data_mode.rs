//! Data mode, sheet section 3: everything the host sends is payload, until it is not.

use std::future::pending;

use embassy_futures::select::{Either3, select3};
use embassy_time::{Duration, Instant, Timer};

use super::profile::{DataEnd, DataFailure};
use super::sockets::Phase;
use super::state::SharedSocket;
use super::{Mode, Nrf9160};

const TERMINATOR: &[u8] = b"+++";
/// The ring of 2.0 to 2.4, and the buffer of the others.
const RING: usize = 4096;
/// Less room than this in the ring makes a flush, and turns reception off.
const RING_RESERVE: usize = 256;

/// What was received and not sent yet.
struct Pending {
    bytes: Vec<u8>,
    /// Where `bytes` begins in the ring.
    start: usize,
    /// Characters of a terminator that may become one (2.5 and later).
    matched: usize,
}

impl Pending {
    /// A terminator is recognised in one contiguous piece only. TRAP, sheet 3 (b): one that straddles the end of the
    /// ring is sent as data.
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

    /// What looked like the beginning of a terminator is data.
    fn release(&mut self) {
        self.bytes.extend(&TERMINATOR[..self.matched]);
        self.matched = 0;
    }
}

impl Nrf9160 {
    /// Smallest and default inactivity limit in ms.
    pub(super) fn least_data_limit(&self) -> u64 {
        let baud = self.rate();
        u64::from(self.options.reception_buffer) * 10 * 1000 / u64::from(baud) + 10
    }

    /// From the `OK` that begins it to the notice that ends it; with `length`, for exactly so many bytes (SM).
    pub(super) async fn data_mode(&self, socket: &SharedSocket, length: Option<usize>) {
        self.ok();
        if self.options.late_data_mode.as_ticks() > 0 {
            self.resume_reception();
            Timer::after(self.options.late_data_mode).await;
            for byte in self.core.take_input() {
                // Whatever it makes, it is no payload.
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
        let failed = self.carry_data(socket, length).await;
        let result = match self.options.profile.data_failure {
            DataFailure::Swallows if failed => -1,
            _ => 0,
        };
        self.mode.set(Mode::Executing);
        self.answer(&format!("#XDATAMODE: {result}"));
        // Suppressed meanwhile, told now (sheet 4.4).
        let sockets: Vec<SharedSocket> = self.state.borrow().sockets.values().cloned().collect();
        for socket in sockets {
            socket.borrow_mut().told = 0;
        }
    }

    /// True when something could not be sent.
    async fn carry_data(&self, socket: &SharedSocket, length: Option<usize>) -> bool {
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
        let mut failed = false;
        let mut told_end = false;
        loop {
            if left == Some(0) {
                return failed | !self.flush(socket, &mut waiting, failed).await;
            }
            let idle = async {
                if waiting.bytes.is_empty() && waiting.matched == 0 {
                    pending::<()>().await;
                }
                Timer::at(last + limit).await;
            };
            // With a length, `+++` means nothing; whether the end is told then is not documented.
            let tells_end = profile.serial_modem && length.is_none() && !told_end;
            let end = self
                .core
                .until(|| tells_end && socket.borrow().phase != Phase::Connected);
            match select3(self.core.read(), idle, end).await {
                Either3::First(byte) => {
                    last = Instant::now();
                    if let Some(left) = &mut left {
                        *left -= 1;
                        waiting.bytes.push(byte);
                    } else if profile.data_end == DataEnd::Anywhere && byte == TERMINATOR[0] {
                        waiting.matched += 1;
                        if waiting.matched == TERMINATOR.len() {
                            return failed | !self.flush(socket, &mut waiting, failed).await;
                        }
                    } else {
                        waiting.release();
                        waiting.bytes.push(byte);
                    }
                    let full = match profile.data_end {
                        DataEnd::FlushEnd => RING - RING_RESERVE,
                        DataEnd::Anywhere => RING,
                    };
                    if waiting.bytes.len() < full {
                        continue;
                    }
                }
                Either3::Second(()) => waiting.release(),
                Either3::Third(()) => {
                    // The firmware hangs up, and waits for the host to do the same.
                    told_end = true;
                    self.core.send(TERMINATOR);
                    continue;
                }
            }
            let ends = profile.data_end == DataEnd::FlushEnd && waiting.ends_with_terminator();
            if ends {
                waiting
                    .bytes
                    .truncate(waiting.bytes.len() - TERMINATOR.len());
            }
            let sent = self.flush(socket, &mut waiting, failed).await;
            failed |= !sent;
            if ends || failed && profile.data_failure == DataFailure::Leaves {
                return failed;
            }
        }
    }

    /// Sends what waits; false when it could not be sent. After a failure all is swallowed, where that is the way.
    async fn flush(&self, socket: &SharedSocket, waiting: &mut Pending, failed: bool) -> bool {
        let bytes = waiting.take();
        if bytes.is_empty() {
            return true;
        }
        if failed && self.options.profile.data_failure == DataFailure::Swallows {
            return false;
        }
        let sent = self.send_all(socket, &bytes).await;
        if self.options.profile.reception_pauses && !self.options.flow_control {
            // Sheet 3 (c): with little room in the ring nothing is received.
            self.core
                .keep_input(RING - bytes.len().min(RING - RING_RESERVE));
        }
        if self.options.data_notices {
            self.answer(&format!("#XDATAMODE: {sent}"));
        }
        sent == bytes.len()
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
