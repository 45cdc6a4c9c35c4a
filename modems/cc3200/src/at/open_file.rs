//! The file that is open: `FileClose` wants its number, also where the call that opened it was dropped (sheet 1.9).

/// A file that is open, of which there is one at a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum OpenFile {
    None,
    /// Its number was told.
    Known(u32),
    /// It may be open, with a number that was not told.
    Unknown,
}

impl OpenFile {
    pub(super) fn id(self) -> u32 {
        match self {
            Self::Known(id) => id,
            _ => 0,
        }
    }
}
