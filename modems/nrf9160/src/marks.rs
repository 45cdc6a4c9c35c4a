//! Which connections were said to send their last data.

use sectag::LastData;

/// Connections that may be marked at a time: the driver has no more (`Limits::sockets`).
const SOCKETS: usize = 3;

/// Which connections were said to send their last data, and what follows it.
#[doc(hidden)]
pub trait Marks: 'static {
    /// Whether there are any.
    const KEPT: bool;
    /// Nothing was said.
    const NONE: Self;
    /// What was said of this connection, which is then forgotten.
    fn take(&mut self, id: u8) -> Option<LastData>;
    /// The value of the option that says what was taken last.
    fn value(&self) -> u32;
}

/// Of an image that says nothing.
#[derive(Clone, Copy, Debug)]
pub struct Unmarked;

impl Marks for Unmarked {
    const KEPT: bool = false;
    const NONE: Self = Self;

    fn take(&mut self, _: u8) -> Option<LastData> {
        None
    }

    fn value(&self) -> u32 {
        0
    }
}

/// What was said of each connection, by the modem's handle of it.
#[derive(Clone, Copy, Debug)]
pub struct Marked {
    places: [Option<(u8, LastData)>; SOCKETS],
    /// What the modem is being told.
    telling: LastData,
}

impl Marks for Marked {
    const KEPT: bool = true;
    const NONE: Self = Self {
        places: [None; SOCKETS],
        telling: LastData::NoAnswer,
    };

    fn take(&mut self, id: u8) -> Option<LastData> {
        let mut places = self.places.iter_mut();
        let place = places.find(|place| matches!(place, Some((marked, _)) if *marked == id))?;
        let (_, last) = place.take()?;
        self.telling = last;
        Some(last)
    }

    fn value(&self) -> u32 {
        match self.telling {
            LastData::NoAnswer => 2,
            LastData::OneAnswer => 3,
        }
    }
}

impl Marked {
    pub(crate) fn put(&mut self, id: u8, last: LastData) {
        self.take(id);
        // One of a connection that has ended gives way.
        let free = self.places.iter().position(Option::is_none).unwrap_or(0);
        self.places[free] = Some((id, last));
    }
}
