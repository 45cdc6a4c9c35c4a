//! The mailbox between guests and the runner: the queue of guests, and the state of the exchange of the one whose turn
//! it is.

use super::queue::Queue;
use super::wakers::Latest;
use crate::engine::backend::Final;
use crate::error::AtError;

/// The longest command line, and the largest chunk of an upload, in bytes.
pub const COMMAND_LIMIT: usize = 384;
/// The longest answer of a command in bytes, all information lines together; also the most that
/// [`At::fetch`](crate::At::fetch) brings.
pub const ANSWER_LIMIT: usize = 256;

/// The state of the exchange of the guest whose turn it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ExchangeState {
    /// No guest wants the channel.
    Free,
    /// The guest whose turn it is wants the channel.
    Wanted,
    /// The guest has the channel, and is to leave its command.
    Granted,
    /// The runner conducts the exchange.
    Running,
    /// An information line waits for the guest. Until it is taken, no more bytes are taken in from the UART.
    Line,
    /// The exchange has ended with this result.
    Done(Result<Final, AtError>),
    /// The guest was dropped in the middle of the exchange. The runner brings it to an end.
    Left,
}

/// The kind of a guest's exchange: what it sends after the command, and what becomes of the answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Plan {
    /// Information lines are collected for a typed response.
    Collect,
    /// Payload of the answer is collected, at most this many bytes.
    Fetch(usize),
    /// Information lines are handed to the guest one by one, each cut to 256 bytes.
    Lines,
    /// Information lines are handed to the guest one by one; a line above 256 bytes comes in several pieces.
    Pieces,
    /// The command line is left open, inside a quote or in front of base64. This many bytes follow, the last of which
    /// close the quote and end the line.
    Quoted(usize),
    /// As `Lines`, for a line that a user typed: the modem may do something else than answer.
    Raw,
    /// This many bytes follow after `CONNECT`.
    Upload(usize),
}

/// The mailbox between guests and the runner.
pub(crate) struct Mailbox {
    pub(crate) post: ExchangeState,
    /// The number of the current exchange, wrapping. A guest that was not polled for too long sees by it that its own
    /// exchange is over.
    pub(crate) number: u8,
    /// The queue of guests for one exchange each.
    pub(crate) line: Queue,
    /// The queue of guests for a series of exchanges, see [`At::exclusive`](crate::At::exclusive).
    pub(crate) turns: Queue,
    /// The result of the last [`At::clean_up`](crate::At::clean_up), until its caller takes it.
    pub(crate) cleaned_up: Option<Result<(), AtError>>,
    pub(crate) waker: Latest,
}

impl Mailbox {
    pub(crate) const fn new() -> Self {
        Self {
            post: ExchangeState::Free,
            number: 0,
            line: Queue::new(),
            turns: Queue::new(),
            cleaned_up: None,
            waker: Latest::new(),
        }
    }

    /// A copy for tests, without wakers.
    #[cfg(test)]
    pub(crate) fn snapshot(&self) -> Self {
        Self {
            waker: Latest::new(),
            ..*self
        }
    }

    /// Sets the state of the exchange, and wakes the guest.
    pub(crate) fn set(&mut self, post: ExchangeState) {
        self.post = post;
        self.waker.wake();
    }

    /// Ends the guest's turn, see [`World::free_channel`](super::world::World::free_channel).
    pub(crate) fn take_away(&mut self) {
        self.post = ExchangeState::Free;
        self.number = self.number.wrapping_add(1);
        self.line.release();
    }
}
