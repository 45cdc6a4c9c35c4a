//! The mailbox between guests and the runner: who wants the channel, who has it, and what became of the exchange.

use super::queue::Queue;
use super::wakers::Latest;
use crate::engine::backend::Final;
use crate::error::AtError;

/// Longest answer of a typed command, its information lines together; and the most that
/// [`At::fetch`](crate::At::fetch) brings.
pub const ANSWER_LIMIT: usize = 256;

/// Where a guest's exchange is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ExchangeState {
    /// Nobody wants the channel.
    Free,
    /// The guest whose turn it is wants the channel.
    Wanted,
    /// It has it, and is to leave its command.
    Granted,
    /// The runner conducts its exchange.
    Running,
    /// An information line waits for the guest; nothing more is taken in from the UART.
    Line,
    /// It has ended so.
    Done(Result<Final, AtError>),
    /// The guest went away in the middle; the runner brings it to an end.
    Left,
}

/// What a guest's exchange carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Plan {
    /// Information lines are collected for a typed response.
    Collect,
    /// At most so many bytes of payload are collected in the place of an answer.
    Fetch(usize),
    /// Information lines are handed to the guest one by one, each cut to 256 bytes.
    Lines,
    /// As `Lines`, but a line above 256 bytes is handed over in several pieces.
    Pieces,
    /// The line ends with an open quote; so many bytes follow, the last of which close the quote and end
    /// the line.
    Quoted(usize),
    /// As lines, for a command that somebody typed: the modem may do something else than answer.
    Raw,
    /// So many bytes follow behind `CONNECT`.
    Upload(usize),
}

/// Where guests wait, and what became of the exchange of the one whose turn it is.
pub(crate) struct Mailbox {
    pub(crate) post: ExchangeState,
    /// The number of the current exchange. A guest that was not polled for too long sees by it that its own is over.
    pub(crate) number: u8,
    /// Guests in the order in which they came.
    pub(crate) line: Queue,
    /// Guests whose exchanges belong together, in the order in which they came.
    pub(crate) turns: Queue,
    /// What became of what was left behind, see [`At::clean_up`](crate::At::clean_up).
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
            line: self.line.snapshot(),
            turns: self.turns.snapshot(),
            waker: Latest::new(),
            ..*self
        }
    }

    /// Tells the guest.
    pub(crate) fn set(&mut self, post: ExchangeState) {
        self.post = post;
        self.waker.wake();
    }

    /// The exchange is nobody's any more, and the next guest has its turn.
    pub(crate) fn take_away(&mut self) {
        self.post = ExchangeState::Free;
        self.number = self.number.wrapping_add(1);
        self.line.release();
    }
}
