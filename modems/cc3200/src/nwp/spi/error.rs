//! The error by which the runner learns that the bus failed.

use core::fmt;

use embedded_io_async::ErrorKind;

/// The SPI, or the interrupt line, reported an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct BusError;

impl fmt::Display for BusError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the SPI or its interrupt line failed")
    }
}

impl core::error::Error for BusError {}

impl embedded_io_async::Error for BusError {
    fn kind(&self) -> ErrorKind {
        ErrorKind::Other
    }
}
