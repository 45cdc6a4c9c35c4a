//! What the chip has said of its own accord, until a flow looks at it.

/// Each field is what came last; a flow clears it before it asks for something.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Events {
    /// The start of the chip is awaited.
    pub(crate) starting: bool,
    /// It has started; the low byte of what it said of that.
    pub(crate) started: Option<u8>,
    /// What the last header said of the device (sheet 3.2).
    pub(crate) status: u8,
    pub(crate) joined: bool,
    /// The chip's own IPv4 address, 0 for none.
    pub(crate) address: u32,
    /// Why the access point was left.
    pub(crate) left: Option<u8>,
    /// The end of a lookup, and the address.
    pub(crate) looked_up: Option<(i16, u32)>,
    /// The socket whose connect is awaited. Results of others are about earlier connections.
    pub(crate) opening: Option<u8>,
    /// The result of its connect.
    pub(crate) connected: Option<i16>,
    /// The socket whose close is awaited.
    pub(crate) closing: Option<u8>,
    /// It is closed, or a recv of it has ended.
    pub(crate) closed: bool,
    /// The chip has stopped.
    pub(crate) stopped: bool,
    /// Messages that mean nothing to us.
    pub(crate) unknown: u16,
}

impl Events {
    pub(crate) const NONE: Self = Self {
        starting: false,
        started: None,
        status: 0,
        joined: false,
        address: 0,
        left: None,
        looked_up: None,
        opening: None,
        connected: None,
        closing: None,
        closed: false,
        stopped: false,
        unknown: 0,
    };
}
