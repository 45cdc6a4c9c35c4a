//! The open file. `FileClose` needs its number, even if the future that opened it was dropped (sheet
//! 1.9).

/// The file that is open. There is at most one at a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum OpenFile {
    None,
    /// The file is open under this number.
    Known(u32),
    /// A file may be open under a number that is not known.
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
