//! The error of a connect over two links.

use core::fmt;

use embedded_io::ErrorKind;

use super::carrier::Carrier;
use crate::error::ConnectError;

/// The error of a connect over either link. A link that was not tried has no error.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct FailoverError {
    /// The error of the first link.
    pub first: Option<ConnectError>,
    /// The error of the second link.
    pub second: Option<ConnectError>,
    /// The link that failed last.
    last: Option<Carrier>,
}

impl FailoverError {
    pub(super) fn note(&mut self, carrier: Carrier, error: ConnectError) {
        self.last = Some(carrier);
        match carrier {
            Carrier::First => self.first = Some(error),
            Carrier::Second => self.second = Some(error),
        }
    }

    /// Returns the error that ended the connect: that of the link that was tried last. If the server is to blame, it is
    /// the server's refusal.
    pub fn decisive(&self) -> Option<&ConnectError> {
        match self.last? {
            Carrier::First => self.first.as_ref(),
            Carrier::Second => self.second.as_ref(),
        }
    }
}

impl fmt::Display for FailoverError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.first, &self.second) {
            (Some(first), Some(second)) => {
                write!(f, "first link: {first}; second link: {second}")
            }
            (Some(first), None) => write!(f, "first link: {first}"),
            (None, Some(second)) => write!(f, "second link: {second}"),
            (None, None) => f.write_str("no link was tried"),
        }
    }
}

impl core::error::Error for FailoverError {}

impl embedded_io::Error for FailoverError {
    fn kind(&self) -> ErrorKind {
        self.decisive()
            .map_or(ErrorKind::Other, embedded_io::Error::kind)
    }
}
