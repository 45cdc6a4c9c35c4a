//! The latest events of the chip, kept until a flow looks at them.

/// The latest event of each kind. A flow clears a field before it asks for something.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Events {
    /// Whether the start of the chip is awaited.
    pub(crate) starting: bool,
    /// The low byte of the status with which the chip has started.
    pub(crate) started: Option<u8>,
    /// The state of the device in the last header, as a bit set (sheet 3.2).
    pub(crate) status: u8,
    pub(crate) joined: bool,
    /// The chip's own IPv4 address, 0 for none.
    pub(crate) address: u32,
    /// The reason of the last disconnect from the access point.
    pub(crate) left: Option<u8>,
    /// The status of the last lookup, and the address.
    pub(crate) looked_up: Option<(i16, u32)>,
    /// The socket whose connect is awaited. Results of others are about earlier connections.
    pub(crate) opening: Option<u8>,
    /// The result of its connect.
    pub(crate) connected: Option<i16>,
    /// The socket whose close is awaited.
    pub(crate) closing: Option<u8>,
    /// Whether that socket is closed, or a recv of it has ended.
    pub(crate) closed: bool,
    /// Whether the chip has stopped.
    pub(crate) stopped: bool,
    /// The number of messages whose opcode is not known.
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
