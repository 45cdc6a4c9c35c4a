//! How far an echo has come that a modem cannot be talked out of.
//!
//! Such a modem repeats each command before it answers, and may say something else in the middle of that: an
//! event cuts the echo in two. The engine compares what comes back with what it sent, character by character,
//! so that an answer counts only once the whole command has come back as it was sent. A command that was altered
//! on its way is found out by that, also where nothing that it set can be read back.

/// How far the echo of the command that runs has come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Echo {
    /// Characters of the command in the engine's buffer,
    pub(crate) text: u16,
    /// and of the payload that is the rest of its line.
    pub(crate) rest: u16,
    /// How many of all these have come back.
    pub(crate) back: u16,
}

impl Echo {
    /// Nothing is expected.
    pub const NONE: Self = Self {
        text: 0,
        rest: 0,
        back: 0,
    };

    /// How many characters are still to come.
    pub const fn left(&self) -> usize {
        (self.text + self.rest).saturating_sub(self.back) as usize
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_is_never_less_than_nothing() {
        let left = |text, rest, back| Echo { text, rest, back }.left();
        assert_eq!(left(7, 4, 9), 2);
        assert_eq!(left(7, 0, 9), 0);
        assert_eq!(Echo::NONE.left(), 0);
    }
}
