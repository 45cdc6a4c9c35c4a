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
    /// A connection with this id was opened in this place: nothing was said of it yet.
    fn begin(&mut self, place: u8, id: u8);
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

    fn begin(&mut self, _: u8, _: u8) {}

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
    /// How many connections were opened in each of the driver's places, wrapping.
    opens: [u16; SOCKETS],
    /// What the modem is being told.
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
    /// How many connections were opened in this place, wrapping.
    pub(crate) fn opens(&self, place: u8) -> u16 {
        self.opens.get(usize::from(place)).copied().unwrap_or(0)
    }

    pub(crate) fn put(&mut self, id: u8, last: LastData) {
        self.take(id);
        // One of a connection that has ended gives way.
        let free = self.places.iter().position(Option::is_none).unwrap_or(0);
        self.places[free] = Some((id, last));
    }
}
