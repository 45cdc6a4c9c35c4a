//! Which of two links is meant.

/// Which of two links.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Carrier {
    /// The preferred one.
    First,
    /// The one behind it.
    Second,
}
