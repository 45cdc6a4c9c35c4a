//! The source of a credential's bytes.

use core::convert::Infallible;

use crate::secret::{Secret, SecretBuf};

/// A source of a credential's bytes: flash, a file, a socket. It is read in small chunks, so that no copy of the whole
/// is held.
///
/// A source is read from its beginning to its end more than once: to inspect it, to compare it with the credential in
/// the modem, to upload it. So a file seeks, flash is read at an address, and a download starts anew when it is asked for
/// the first byte again. A source that can be read only once goes through
/// [`Control::store_unchecked`](crate::Control::store_unchecked), or through memory.
#[allow(async_fn_in_trait)]
pub trait Source {
    /// The error of a read.
    type Error;

    /// Returns the whole length in bytes, which the modem must be told before the first byte. It must not change between
    /// passes.
    fn len(&self) -> usize;

    /// Returns whether the source is empty.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Reads bytes from `offset` on into `buf`, and returns their number; `Ok(0)` only at the end. Each pass starts at 0
    /// and goes on where the last read ended, without gaps.
    ///
    /// A read must not take seconds, or the modem gives the upload up. It need not be cancel-safe: a dropped upload is
    /// not resumed.
    async fn read_at(&mut self, offset: usize, buf: &mut [u8]) -> Result<usize, Self::Error>;
}

impl Source for &[u8] {
    type Error = Infallible;

    fn len(&self) -> usize {
        <[u8]>::len(self)
    }

    async fn read_at(&mut self, offset: usize, buf: &mut [u8]) -> Result<usize, Infallible> {
        Ok(copy(self, offset, buf))
    }
}

impl<T: AsRef<[u8]>> Source for Secret<T> {
    type Error = Infallible;

    fn len(&self) -> usize {
        self.expose().as_ref().len()
    }

    async fn read_at(&mut self, offset: usize, buf: &mut [u8]) -> Result<usize, Infallible> {
        Ok(copy(self.expose().as_ref(), offset, buf))
    }
}

impl<const N: usize> Source for &SecretBuf<N> {
    type Error = Infallible;

    fn len(&self) -> usize {
        self.expose().len()
    }

    async fn read_at(&mut self, offset: usize, buf: &mut [u8]) -> Result<usize, Infallible> {
        Ok(copy(self.expose(), offset, buf))
    }
}

/// Copies the bytes from `offset` on, as many as fit, and returns their number.
pub(crate) fn copy(bytes: &[u8], offset: usize, buf: &mut [u8]) -> usize {
    let rest = bytes.get(offset..).unwrap_or_default();
    let count = rest.len().min(buf.len());
    buf[..count].copy_from_slice(&rest[..count]);
    count
}
