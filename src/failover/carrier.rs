//! The name of one of the two links.

/// One of the two links of a [`Failover`](super::Failover).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Carrier {
    /// The first link, which is preferred.
    First,
    /// The second link.
    Second,
}
