//! The file that the chip has open, and what its answers say about one that it has open under another handle than was heard.
//!
//! A handle that the UART or SPI has altered closes nothing: the file stays open in the chip, which opens it no second time before it
//! restarts (sheet 3.8).

/// The file that is open. There is at most one at a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct OpenFile {
    /// The handle that was told when the file was opened.
    handle: Option<i32>,
    /// Whether something was written to the file.
    is_written: bool,
    /// Whether a file may be open under another handle: since the chip has started, an answer about a file was not as it should be.
    is_in_doubt: bool,
    /// The number with which the chip refused to open a file where none was open, so that a restart is in vain.
    never_opens: Option<i32>,
    /// The number with which the chip last refused to close a file. The same again is not cured by a second restart.
    never_closes: Option<i32>,
}

impl OpenFile {
    pub(super) const NONE: Self = Self {
        handle: None,
        is_written: false,
        is_in_doubt: false,
        never_opens: None,
        never_closes: None,
    };

    /// Returns the handle of the file that is open.
    pub(super) fn handle(&self) -> Option<i32> {
        self.handle
    }

    /// Called when the chip starts anew: no file is open.
    pub(super) fn chip_starts(&mut self) {
        self.handle = None;
        self.is_written = false;
        self.is_in_doubt = false;
    }

    /// Takes in the answer to an open, which is a handle or a negative number. Returns whether the chip is to be restarted.
    /// `is_explained`: the number means something else than that the file is open already.
    pub(super) fn opened(&mut self, code: i32, is_explained: bool) -> bool {
        if code >= 0 {
            self.handle = Some(code);
            self.is_written = false;
            return false;
        }
        if is_explained {
            return false;
        }
        // It may be the answer to an open that succeeded, altered on its way.
        if !core::mem::replace(&mut self.is_in_doubt, true) {
            self.never_opens = Some(code);
            return false;
        }
        self.never_opens != Some(code)
    }

    /// Takes in the answer to a read, or to a write where it `writes`: a number of bytes, or a negative number.
    pub(super) fn moved(&mut self, code: i16, writes: bool) {
        self.is_in_doubt |= code < 0;
        self.is_written |= writes && code > 0;
    }

    /// Takes in the answer to a close, which is 0 where the file was open. Returns whether the chip is to be restarted.
    pub(super) fn closed(&mut self, code: i16) -> bool {
        self.handle = None;
        let is_written = core::mem::take(&mut self.is_written);
        if code != 0 {
            self.is_in_doubt = true;
            let code = Some(code.into());
            return core::mem::replace(&mut self.never_closes, code) != code;
        }
        if is_written {
            // A file that was only read says nothing of those that are refused.
            self.never_opens = None;
            self.never_closes = None;
        }
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALREADY_OPEN: i32 = -1;
    const INVALID_HANDLE: i16 = -17;

    fn stores(file: &mut OpenFile) {
        assert!(!file.opened(1, false));
        file.moved(16, true);
        assert!(!file.closed(0));
    }

    #[test]
    fn a_close_that_is_refused_takes_a_restart() {
        let mut file = OpenFile::NONE;
        assert!(!file.opened(0x4001, false));
        file.moved(INVALID_HANDLE, true);
        assert!(file.closed(INVALID_HANDLE));
        file.chip_starts();
        stores(&mut file);
        // Nothing is left of the first time.
        assert!(!file.opened(0x4001, false));
        assert!(file.closed(INVALID_HANDLE));
    }

    #[test]
    fn a_chip_that_never_closes_is_restarted_once() {
        let mut file = OpenFile::NONE;
        for restarts in [true, false, false] {
            assert!(!file.opened(1, false));
            file.moved(16, true);
            assert_eq!(file.closed(-2), restarts);
            file.chip_starts();
        }
    }

    #[test]
    fn what_a_lost_close_leaves_open_takes_a_restart() {
        let mut file = OpenFile::NONE;
        assert!(!file.opened(0x4001, false));
        assert!(file.closed(INVALID_HANDLE));
        file.chip_starts();
        // Noise once more: now no close, but the next open tells.
        assert!(!file.opened(0x4001, false));
        assert!(!file.closed(INVALID_HANDLE));
        assert!(file.opened(ALREADY_OPEN, false));
        file.chip_starts();
        stores(&mut file);
    }

    #[test]
    fn a_chip_that_never_opens_is_restarted_once_at_most() {
        let mut file = OpenFile::NONE;
        stores(&mut file);
        assert!(!file.opened(0x4001, false));
        file.moved(INVALID_HANDLE, false);
        assert!(!file.closed(0));
        let mut restarts = 0;
        for _ in 0..9 {
            if file.opened(ALREADY_OPEN, false) {
                restarts += 1;
                file.chip_starts();
            }
            // Another file may well be read.
            assert!(!file.opened(1, false));
            file.moved(16, false);
            assert!(!file.closed(0));
        }
        assert_eq!(restarts, 1);
    }

    #[test]
    fn an_answer_that_was_altered_into_a_refusal_takes_a_restart_at_the_next_one() {
        let mut file = OpenFile::NONE;
        assert!(!file.opened(i32::MIN + 1, false));
        assert!(file.opened(ALREADY_OPEN, false));
    }

    #[test]
    fn a_refusal_with_a_meaning_of_its_own_takes_none() {
        let mut file = OpenFile::NONE;
        file.moved(INVALID_HANDLE, true);
        assert!(!file.opened(-30, true));
        assert!(file.opened(ALREADY_OPEN, false));
    }
}
