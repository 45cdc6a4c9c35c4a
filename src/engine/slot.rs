//! One socket, as the runner and its user share it.

use super::ring::Ring;
use super::time::{Ms, after};
use super::wakers::Latest;
use crate::engine::backend::Polling;
use crate::error::SocketError;
use crate::loss::Loss;

/// The first look for data after traffic, on a modem that announces data; it doubles up to
/// [`Timing::poll`](crate::modem::Timing::poll).
const FIRST_LOOK: Ms = 2000;

/// Where a socket is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    /// The peer closed, and all it sent is in the ring or was read.
    Eof,
    /// Dead; the error stays.
    Failed(SocketError),
    Free,
    Open,
    /// The runner is at it.
    Opening,
    /// A user has asked for it; the name of its server waits in the transmit ring.
    Wanted,
}

/// Whether the modem takes what is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sending {
    On,
    /// Not any more; why, is being found out, and the writer waits for that.
    Failed,
    /// Not any more, and the writer is told that the peer has closed.
    Refused,
}

/// A socket's state and rings. Small hot fields stand first, where short instructions reach them.
#[repr(C)]
pub struct Slot<'a> {
    pub(crate) phase: Phase,
    /// A handle exists.
    pub(crate) user: bool,
    /// The modem may hold `id` occupied: it must confirm a close, or reset, before the slot or the id is
    /// used again.
    pub(crate) in_modem: bool,
    /// The runner is to close `id`.
    pub(crate) close: bool,
    /// The modem's number for it.
    pub(crate) id: u8,
    /// The modem may have data.
    pub(crate) readable: bool,
    /// The modem said that the peer closed.
    pub(crate) peer_closed: bool,
    /// Notices may have been missed: after the next empty fetch the modem is asked whether the connection
    /// still stands.
    pub(crate) check: bool,
    /// A byte of the peer's came.
    pub(crate) heard: bool,
    /// The user waits until everything is sent.
    pub(crate) flush: bool,
    /// The modem said that it has no room, since `busy_since`.
    pub(crate) busy: bool,
    /// The command that opens it was given to the modem; what was said of its id before is about an earlier
    /// connection.
    pub(crate) asked: bool,
    /// Its data comes without being fetched.
    pub(crate) push: bool,
    pub(crate) sending: Sending,
    /// Why it was lost, once it is.
    pub(crate) loss: Loss,
    /// When what is written goes out although more may come.
    pub(crate) send_at: Ms,
    /// No send, fetch or close before.
    pub(crate) retry_at: Ms,
    pub(crate) busy_since: Ms,
    /// The next look for data.
    pub(crate) look_at: Ms,
    look_every: Ms,
    /// Looks of a modem that announces nothing: the first after traffic, and the longest. Zero where it
    /// announces.
    looks: (u16, u16),
    pub(crate) rx: Ring<'a>,
    pub(crate) tx: Ring<'a>,
    pub(crate) rx_waker: Latest,
    pub(crate) tx_waker: Latest,
}

impl Slot<'_> {
    pub(crate) const fn new() -> Self {
        Self {
            phase: Phase::Free,
            user: false,
            in_modem: false,
            close: false,
            id: 0,
            readable: false,
            peer_closed: false,
            check: false,
            heard: false,
            flush: false,
            busy: false,
            asked: false,
            push: false,
            sending: Sending::On,
            loss: Loss::Connection,
            send_at: 0,
            retry_at: 0,
            busy_since: 0,
            look_at: 0,
            look_every: FIRST_LOOK,
            looks: (0, 0),
            rx: Ring::new(),
            tx: Ring::new(),
            rx_waker: Latest::new(),
            tx_waker: Latest::new(),
        }
    }

    /// A copy for tests, without wakers.
    #[cfg(test)]
    pub(crate) fn snapshot(&self) -> Self {
        Self {
            rx: self.rx.snapshot(),
            tx: self.tx.snapshot(),
            rx_waker: Latest::new(),
            tx_waker: Latest::new(),
            ..*self
        }
    }

    pub(crate) fn is_free(&self) -> bool {
        self.phase == Phase::Free && !self.user && !self.in_modem
    }

    /// A user takes a free one.
    pub(crate) fn arm(&mut self, now: Ms) {
        self.phase = Phase::Wanted;
        self.user = true;
        self.close = false;
        self.readable = false;
        self.peer_closed = false;
        self.check = false;
        self.heard = false;
        self.flush = false;
        self.busy = false;
        self.asked = false;
        self.sending = Sending::On;
        self.retry_at = now;
        self.rx.clear();
        self.tx.clear();
    }

    /// The connection stands.
    pub(crate) fn opened(&mut self, now: Ms, poll: Ms, polling: Option<Polling>) {
        self.phase = Phase::Open;
        self.tx.clear();
        self.looks = polling.map_or((0, 0), |polling| (polling.first, polling.longest));
        self.look_at = after(now, poll);
        self.traffic(now);
    }

    /// Data went one way or the other: more may come soon.
    pub(crate) fn traffic(&mut self, now: Ms) {
        // What is pushed need not be looked for.
        if !self.push {
            self.look_every = if self.looks.0 > 0 {
                self.looks.0.into()
            } else {
                FIRST_LOOK
            };
            self.look_at = after(now, self.look_every);
        }
    }

    /// A look found nothing. Looks become rarer, up to `limit`.
    pub(crate) fn looked_in_vain(&mut self, now: Ms, limit: Ms) {
        let every = self.look_every;
        self.look_at = after(now, every);
        if self.looks.0 > 0 {
            // Such a look has told all: nothing was missed.
            self.look_every = (every * 2).min(self.looks.1.into());
            return;
        }
        self.look_every = (every * 2).min(limit);
        // A long silence may as well be a missed close.
        self.check = every >= limit;
    }

    /// Ends the socket for its user; the runner closes the modem's side.
    pub(crate) fn fail(&mut self, error: SocketError) {
        if matches!(self.phase, Phase::Wanted | Phase::Opening | Phase::Open) {
            self.phase = Phase::Failed(error);
        }
        self.close = true;
        self.free_if_unused();
        self.wake();
    }

    /// Ends the socket for its user, because it was lost so.
    pub(crate) fn lose(&mut self, loss: Loss) {
        if matches!(self.phase, Phase::Wanted | Phase::Opening | Phase::Open) {
            self.loss = loss;
        }
        self.fail(SocketError::ConnectionReset);
    }

    /// What became of the modem, after an exchange of this socket's was given up: more is known now of why.
    pub(crate) fn is_lost_with_the_modem(&mut self, loss: Loss) {
        if matches!(self.loss, Loss::NoAnswer | Loss::Grammar) {
            self.loss = loss;
        }
        self.lose(loss);
    }

    /// Everything from the peer is in the ring.
    pub(crate) fn end(&mut self) {
        if self.phase == Phase::Open {
            self.phase = Phase::Eof;
        }
        self.close = true;
        self.free_if_unused();
        self.wake();
    }

    /// The user's handle is gone.
    pub(crate) fn abandon(&mut self) {
        self.user = false;
        self.fail(SocketError::ConnectionReset);
    }

    /// The modem does not hold the id any more.
    pub(crate) fn released(&mut self) {
        self.in_modem = false;
        self.close = false;
        self.free_if_unused();
        self.wake();
    }

    /// Free once neither side has it.
    pub(crate) fn free_if_unused(&mut self) {
        if !self.user && !self.in_modem && self.phase != Phase::Opening {
            self.phase = Phase::Free;
            self.close = false;
        }
    }

    pub(crate) fn wake(&mut self) {
        self.rx_waker.wake();
        self.tx_waker.wake();
    }

    /// Why nothing can be written, if so.
    pub(crate) fn write_error(&self) -> Option<SocketError> {
        match self.phase {
            Phase::Failed(error) => Some(error),
            Phase::Open if self.sending != Sending::Refused => None,
            _ if self.heard => Some(SocketError::BrokenPipe),
            _ => Some(SocketError::ClosedUnanswered),
        }
    }
}
