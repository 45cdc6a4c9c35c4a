//! The runner's side of the link: a reader, a writer, and nHIB. Reader and writer touch memory only.

use embedded_hal::digital::OutputPin;
use embedded_io_async::{ErrorType, Read, Write};
use sectag::Power;

use super::error::BusError;
use super::link::Link;

/// The reader of the chip's messages, without the bytes in front of them. A read that is dropped takes nothing.
#[derive(Debug)]
pub struct Reader<'a>(pub(super) &'a Link);

impl ErrorType for Reader<'_> {
    type Error = BusError;
}

impl Read for Reader<'_> {
    async fn read(&mut self, buf: &mut [u8]) -> Result<usize, BusError> {
        self.0.read(buf).await
    }
}

/// The writer of commands. A write that is dropped has taken nothing.
#[derive(Debug)]
pub struct Writer<'a>(pub(super) &'a Link);

impl ErrorType for Writer<'_> {
    type Error = BusError;
}

impl Write for Writer<'_> {
    async fn write(&mut self, buf: &[u8]) -> Result<usize, BusError> {
        Ok(self.0.write(buf).await)
    }

    async fn flush(&mut self) -> Result<(), BusError> {
        self.0.flushed().await;
        Ok(())
    }
}

/// The pin nHIB, which is the runner's only one. An error of the pin is ignored: the chip's answer decides whether it worked.
#[derive(Debug)]
pub struct Hib<'a, P> {
    pub(super) link: &'a Link,
    pub(super) pin: P,
}

impl<P: OutputPin> Power for Hib<'_, P> {
    fn has_power_key(&self) -> bool {
        false
    }

    fn has_reset(&self) -> bool {
        true
    }

    fn power_key(&mut self, _pressed: bool) {}

    /// Sets nHIB low while `asserted`, which hibernates the chip.
    fn reset(&mut self, asserted: bool) {
        let _ = self.pin.set_state((!asserted).into());
        self.link.restart(asserted);
    }

    fn status(&mut self) -> Option<bool> {
        None
    }
}
