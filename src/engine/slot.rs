//! The slot of one socket: its state and rings, shared by the runner and the socket's user.

use super::ring::Ring;
use super::time::{Ms, after};
use super::wakers::Latest;
use crate::engine::backend::Polling;
use crate::error::SocketError;
use crate::loss::Loss;

/// The time from traffic to the first look for data, in milliseconds, on a modem that announces data. The interval
/// doubles up to [`Timing::poll`](crate::modem::Timing::poll).
const FIRST_LOOK: Ms = 2000;

/// The phase of a socket's life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    /// The peer closed, and all it sent is in the ring or was read.
    Eof,
    /// The socket is dead; every further operation returns this error.
    Failed(SocketError),
    Free,
    Open,
    /// The runner is opening the connection.
    Opening,
    /// A user has asked for it; the name of its server waits in the transmit ring.
    Wanted,
}

/// The state of the sending direction: whether the modem still takes payload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sending {
    On,
    /// A send has failed. The writer waits until a fetch has found out the reason.
    Failed,
    /// The modem has refused a send. The writer waits until the modem has said whether the connection stands.
    Asked,
    /// The modem refuses to send although it says that the connection stands.
    Unwilling,
    /// The modem takes no more; the writer gets the error that the peer has closed.
    Refused,
}

/// A socket's state and rings. Small hot fields stand first, where short instructions reach them.
#[repr(C)]
pub struct Slot<'a> {
    pub(crate) phase: Phase,
    /// A user holds the socket, or waits for it.
    pub(crate) user: bool,
    /// The modem may still use `id`. It must confirm a close, or reset, before the slot or the id is used again.
    pub(crate) in_modem: bool,
    /// The runner is to close `id`.
    pub(crate) close: bool,
    /// The modem's id of the connection.
    pub(crate) id: u8,
    /// The modem may have data.
    pub(crate) readable: bool,
    /// The modem is known to have data: it said so, or the last fetch got all that it asked for.
    pub(crate) announced: bool,
    /// The modem said that the peer closed.
    pub(crate) peer_closed: bool,
    /// URCs may have been missed: after the next empty fetch the modem is asked whether the connection still stands.
    pub(crate) check: bool,
    /// At least one byte from the peer has arrived.
    pub(crate) heard: bool,
    /// The user waits until everything is sent.
    pub(crate) flush: bool,
    /// The modem has had no room for payload since `busy_since`.
    pub(crate) busy: bool,
    /// The connection was opened, whatever became of it.
    pub(crate) stood: bool,
    /// The open command was sent. URCs of the id that came before it are about an earlier connection.
    pub(crate) asked: bool,
    /// The modem pushes the socket's data, instead of waiting for a fetch.
    pub(crate) push: bool,
    pub(crate) sending: Sending,
    /// The reason why the connection was lost; meaningful once it is.
    pub(crate) loss: Loss,
    /// The time at which written bytes are sent although they do not fill a frame.
    pub(crate) send_at: Ms,
    /// The earliest time of the next send, close, or fetch without room.
    pub(crate) retry_at: Ms,
    pub(crate) busy_since: Ms,
    /// The time of the next look for data.
    pub(crate) look_at: Ms,
    look_every: Ms,
    /// The polling intervals, in milliseconds, of a modem that does not announce data: the first after traffic, and
    /// the longest. Zero for a modem that does, and while it does.
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
            announced: false,
            peer_closed: false,
            check: false,
            heard: false,
            flush: false,
            busy: false,
            stood: false,
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

    /// Takes a free slot for a user that wants a connection.
    pub(crate) fn arm(&mut self, now: Ms) {
        self.phase = Phase::Wanted;
        self.user = true;
        self.close = false;
        self.readable = false;
        self.announced = false;
        self.peer_closed = false;
        self.check = false;
        self.heard = false;
        self.flush = false;
        self.busy = false;
        self.stood = false;
        self.asked = false;
        self.loss = Loss::Connection;
        self.sending = Sending::On;
        self.retry_at = now;
        self.rx.clear();
        self.tx.clear();
    }

    /// Makes the socket usable: the connection stands.
    pub(crate) fn opened(&mut self, now: Ms, poll: Ms, polling: Option<Polling>) {
        self.phase = Phase::Open;
        self.stood = true;
        self.tx.clear();
        self.looks = polling.map_or((0, 0), |polling| (polling.first, polling.longest));
        self.look_at = after(now, poll);
        self.traffic(now);
    }

    /// Shortens the interval of looks after data was sent or received, since more may come soon.
    pub(crate) fn traffic(&mut self, now: Ms) {
        // Pushed data is not polled for.
        if !self.push {
            self.look_every = if self.looks.0 > 0 {
                self.looks.0.into()
            } else {
                FIRST_LOOK
            };
            self.look_at = after(now, self.look_every);
        }
    }

    /// Ends the polls of this connection, since the modem announces its data, and has it checked after `poll`. `fetched`:
    /// it is the connection of the fetch that has just found nothing, so no check follows that fetch.
    pub(crate) fn awaits_notices(&mut self, now: Ms, poll: Ms, fetched: bool) {
        if self.looks.0 > 0 {
            self.looks = (0, 0);
            self.look_every = poll;
            self.look_at = after(now, poll);
            self.check = !fetched;
        }
    }

    /// Resumes the polls of this connection, as after traffic.
    pub(crate) fn is_polled(&mut self, now: Ms, polling: Option<Polling>) {
        if let (0, Some(polling)) = (self.looks.0, polling) {
            self.looks = (polling.first, polling.longest);
            self.traffic(now);
        }
    }

    /// Doubles the interval of looks, up to `limit`, after a look that found nothing.
    pub(crate) fn looked_in_vain(&mut self, now: Ms, limit: Ms) {
        let every = self.look_every;
        self.look_at = after(now, every);
        if self.looks.0 > 0 {
            // On a modem that is polled a look depends on no URC, so none can have been missed.
            self.look_every = (every * 2).min(self.looks.1.into());
            return;
        }
        self.look_every = (every * 2).min(limit);
        // A long silence may mean that the URC of a close was missed.
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

    /// Ends the socket for its user with a reset, and keeps the reason.
    pub(crate) fn lose(&mut self, loss: Loss) {
        if matches!(self.phase, Phase::Wanted | Phase::Opening | Phase::Open) {
            self.loss = loss;
        }
        self.fail(SocketError::ConnectionReset);
    }

    /// Ends the socket because the modem went down. This reason replaces a vaguer one that a failed exchange of this
    /// socket left before.
    pub(crate) fn is_lost_with_the_modem(&mut self, loss: Loss) {
        if matches!(self.loss, Loss::NoAnswer | Loss::Grammar) {
            self.loss = loss;
        }
        self.lose(loss);
    }

    /// Ends the receiving direction: the peer has closed, and all that it sent is in the ring.
    pub(crate) fn end(&mut self) {
        if self.phase == Phase::Open {
            self.phase = Phase::Eof;
        }
        self.close = true;
        self.free_if_unused();
        self.wake();
    }

    /// Releases the slot on the user's side: the handle was dropped.
    pub(crate) fn abandon(&mut self) {
        self.user = false;
        self.fail(SocketError::ConnectionReset);
    }

    /// Releases the slot on the modem's side: the modem does not use the id any more.
    pub(crate) fn released(&mut self) {
        self.in_modem = false;
        self.close = false;
        self.free_if_unused();
        self.wake();
    }

    /// Makes the slot free where neither a user nor the modem has it.
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

    /// Returns the error for a write, or `None` where the socket can be written to.
    pub(crate) fn write_error(&self) -> Option<SocketError> {
        match self.phase {
            Phase::Failed(error) => Some(error),
            Phase::Open if self.sending == Sending::Unwilling => Some(SocketError::ConnectionReset),
            Phase::Open if self.sending != Sending::Refused => None,
            _ if self.heard => Some(SocketError::BrokenPipe),
            _ => Some(SocketError::ClosedUnanswered),
        }
    }
}
