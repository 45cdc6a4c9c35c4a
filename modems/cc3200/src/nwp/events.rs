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
    /// The end of a connect of this socket.
    pub(crate) connected: Option<(u8, i16)>,
    /// This socket is closed,
    pub(crate) closed: Option<u8>,
    /// and a recv of this one has ended.
    pub(crate) recv_ended: Option<u8>,
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
        connected: None,
        closed: None,
        recv_ended: None,
        stopped: false,
        unknown: 0,
    };
}
