//! Why neither link got there.

use core::fmt;

use embedded_io::ErrorKind;

use super::carrier::Carrier;
use crate::error::ConnectError;

/// Why no connection was made over either link; a link that was not tried has no error.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct FailoverError {
    /// What went wrong on the first link.
    pub first: Option<ConnectError>,
    /// What went wrong on the second.
    pub second: Option<ConnectError>,
    /// Which failed last.
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

    /// The error that ended it: where the server is to blame, what it did.
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
