//! The differences between the generations of network processors, as data and as numbers.

/// A generation of network processors, which decides the form of messages and the numbers of errors.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum NwpGeneration {
    /// CC3100. Its TLS has only CBC and RC4 suites, which rustls does not have: the simulator has the CBC ones
    /// by its feature `openssl`. Without it every connect fails as with a server that offers only GCM, with -340.
    First,
    /// CC3120, CC3130, CC3135.
    #[default]
    Second,
}

/// The properties of a generation.
pub(super) struct Facts {
    /// The message of a start, behind the header.
    pub(super) started: &'static [u8],
    /// The version, in the form of device option 12.
    pub(super) version: &'static [u8],
    /// The number of buffers that the chip keeps for itself (sheet 3.4).
    pub(super) pool_minimum: u8,
    /// The number of bytes in a buffer; 0 if a send takes one buffer in all.
    pub(super) buffer: u16,
    /// The lowest descriptor of a TLS socket (sheet 3.5).
    pub(super) first_socket: u8,
    /// The number of TLS sockets (sheet 4.8).
    pub(super) sockets: usize,
    /// The option that sets the name to verify (sheet 4.3).
    pub(super) domain: u8,
    /// Whether a close has an event of its own (sheet 3.5).
    pub(super) confirms_closes: bool,
    /// Whether the status in headers reports a lock and provisioning (sheet 3.2).
    pub(super) tells_locks: bool,
}

impl NwpGeneration {
    pub(super) const fn facts(self) -> &'static Facts {
        match self {
            Self::First => &FIRST,
            Self::Second => &SECOND,
        }
    }

    /// Returns the number of this generation for one of the second (sheet 5).
    pub(super) fn code(self, code: i32) -> i32 {
        if self == Self::Second {
            return code;
        }
        match code {
            // No signer: the CA did not sign this chain.
            -688 => -155,
            -791..=-632 => code + 500,
            // Names.
            -6152 => -161,
            -6154 => -163,
            // Wi-Fi.
            -2071 => -129,
            // Files (sheet 5.4).
            -10_341 => -11,
            -10_326 => -26,
            -10_335 => -17,
            -10_330 => -22,
            -10_365 => -50,
            -10_310 => -42,
            -10_301 => -51,
            -10_296 => -56,
            -10_337 => -15,
            -10_334 => -64,
            // "Locked" is the answer to every request.
            -2011 => -53,
            // The first generation has no number for the rest.
            ..=-2000 => -1,
            code => code,
        }
    }
}

/// The first generation (sheet 3.7).
const FIRST: Facts = Facts {
    started: &[0x11; 4],
    version: &[
        0, 0, 0, 4, 1, 0, 0, 0, 2, 0, 0, 0, 3, 0, 0, 0, 4, 0, 0, 0, 1, 0, 3, 0x22, 2, 0, 0, 0,
        0x0b, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0x33, 0x33, 0, 0,
    ],
    pool_minimum: 1,
    buffer: 0,
    first_socket: 0x50,
    sockets: 2,
    domain: 35,
    confirms_closes: false,
    tells_locks: false,
};

const SECOND: Facts = Facts {
    started: &[0x11, 0x11, 0x11, 0x11, 0x19, 0, 0, 0x30, 0, 0, 0, 0],
    version: &[
        0x19, 0, 0, 0x30, 3, 7, 0, 1, 3, 1, 0, 0x1a, 4, 13, 0, 2, 0, 0x20, 0, 0,
    ],
    pool_minimum: 2,
    buffer: 1464,
    first_socket: 0,
    sockets: 6,
    domain: 42,
    confirms_closes: true,
    tells_locks: true,
};
