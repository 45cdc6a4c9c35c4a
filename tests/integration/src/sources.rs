//! Sources of credentials that do not keep their contract.

use std::cell::Cell;
use std::convert::Infallible;

use sectag::Source;

/// Content whose announced length becomes a quarter of what it was, while it is being read as before.
pub struct Shrinking<'a> {
    content: &'a [u8],
    /// How often the whole length is still told.
    whole: Cell<u32>,
}

impl<'a> Shrinking<'a> {
    /// This content, whose whole length is told so many times.
    pub fn new(content: &'a [u8], times: u32) -> Self {
        Self {
            content,
            whole: Cell::new(times),
        }
    }
}

impl Source for Shrinking<'_> {
    type Error = Infallible;

    fn len(&self) -> usize {
        match self.whole.get() {
            0 => self.content.len() / 4,
            left => {
                self.whole.set(left - 1);
                self.content.len()
            }
        }
    }

    async fn read_at(&mut self, offset: usize, buf: &mut [u8]) -> Result<usize, Infallible> {
        let rest = self.content.get(offset..).unwrap_or_default();
        let count = rest.len().min(buf.len());
        buf[..count].copy_from_slice(&rest[..count]);
        Ok(count)
    }
}
