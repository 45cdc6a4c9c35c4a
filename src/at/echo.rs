//! The progress of the echo of a modem whose echo cannot be switched off.
//!
//! Such a modem repeats each command before it answers, and may print a URC in the middle of the echo. The engine
//! compares the echo with the command, character by character, and an answer counts only once the whole command has
//! come back as it was sent. So a command that was altered on the UART is noticed, even where its setting cannot be
//! read back.

/// The progress of the echo of the running command, in characters.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Echo {
    /// The number of characters of the command in the engine's buffer.
    pub(crate) text: u16,
    /// The number of characters of payload after the command in its line.
    pub(crate) rest: u16,
    /// The number of all these characters that have come back.
    pub(crate) back: u16,
}

impl Echo {
    /// The state in which no echo is expected.
    pub const NONE: Self = Self {
        text: 0,
        rest: 0,
        back: 0,
    };

    /// Returns the number of characters that are still to come.
    pub const fn left(&self) -> usize {
        (self.text + self.rest).saturating_sub(self.back) as usize
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rest_of_an_echo_is_never_below_zero() {
        let left = |text, rest, back| Echo { text, rest, back }.left();
        assert_eq!(left(7, 4, 9), 2);
        assert_eq!(left(7, 0, 9), 0);
        assert_eq!(Echo::NONE.left(), 0);
    }
}
