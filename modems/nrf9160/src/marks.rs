//! The record of which connections have announced their last data.

use sectag::LastData;

/// The number of connections that may be marked at a time; the driver has no more (`Limits::sockets`).
const SOCKETS: usize = 3;

/// A record of which connections have announced their last data, and of what follows that data.
#[doc(hidden)]
pub trait Marks: 'static {
    /// Whether marks are recorded at all.
    const KEPT: bool;
    /// The empty record.
    const NONE: Self;
    /// Notes that a connection with this id was opened in this slot, without a mark.
    fn begin(&mut self, place: u8, id: u8);
    /// Removes and returns the mark of this connection.
    fn take(&mut self, id: u8) -> Option<LastData>;
    /// Returns the value of the socket option for the mark that was taken last.
    fn value(&self) -> u32;
}

/// The record of an image that never announces its last data.
#[derive(Clone, Copy, Debug)]
pub struct Unmarked;

impl Marks for Unmarked {
    const KEPT: bool = false;
    const NONE: Self = Self;

    fn begin(&mut self, _: u8, _: u8) {}

    fn take(&mut self, _: u8) -> Option<LastData> {
        None
    }

    fn value(&self) -> u32 {
        0
    }
}

/// The marks of connections, by the modem's handle.
#[derive(Clone, Copy, Debug)]
pub struct Marked {
    places: [Option<(u8, LastData)>; SOCKETS],
    /// The number of connections that were opened in each slot, wrapping.
    opens: [u16; SOCKETS],
    /// The mark that is being sent to the modem.
    telling: LastData,
}

impl Marks for Marked {
    const KEPT: bool = true;
    const NONE: Self = Self {
        places: [None; SOCKETS],
        opens: [0; SOCKETS],
        telling: LastData::NoAnswer,
    };

    fn begin(&mut self, place: u8, id: u8) {
        for place in &mut self.places {
            place.take_if(|(marked, _)| *marked == id);
        }
        if let Some(opens) = self.opens.get_mut(usize::from(place)) {
            *opens = opens.wrapping_add(1);
        }
    }

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
    /// Returns the number of connections that were opened in this slot, wrapping.
    pub(crate) fn opens(&self, place: u8) -> u16 {
        self.opens.get(usize::from(place)).copied().unwrap_or(0)
    }

    pub(crate) fn put(&mut self, id: u8, last: LastData) {
        self.take(id);
        // If none is free, the first is replaced; it is of a connection that has ended.
        let free = self.places.iter().position(Option::is_none).unwrap_or(0);
        self.places[free] = Some((id, last));
    }
}
