//! What differs between the generations of network processors, as data and as numbers.

/// A generation of network processors, which decides the form of messages and the numbers of errors.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum NwpGeneration {
    /// CC3100. Its TLS has CBC and RC4 suites alone, of which the simulator's has none: with every server it ends as it does with one
    /// that offers GCM alone, -340.
    First,
    /// CC3120, CC3130, CC3135.
    #[default]
    Second,
}

/// What a chip of a generation is like.
pub(super) struct Facts {
    /// Its message that it has started, behind the header.
    pub(super) started: &'static [u8],
    /// Its version, as device option 12 has it.
    pub(super) version: &'static [u8],
    /// Buffers that the chip keeps for itself (sheet 3.4).
    pub(super) pool_minimum: u8,
    /// What one buffer takes; 0 where a send takes one in all.
    pub(super) buffer: u16,
    /// The least descriptor of a TLS socket (sheet 3.5).
    pub(super) first_socket: u8,
    /// TLS sockets (sheet 4.8).
    pub(super) sockets: usize,
    /// The option that sets the name to be verified (sheet 4.3).
    pub(super) domain: u8,
    /// A close has an event of its own (sheet 3.5).
    pub(super) confirms_closes: bool,
    /// The status in headers tells of a lock and of provisioning (sheet 3.2).
    pub(super) tells_locks: bool,
}

impl NwpGeneration {
    pub(super) const fn facts(self) -> &'static Facts {
        match self {
            Self::First => &FIRST,
            Self::Second => &SECOND,
        }
    }

    /// A number of the second generation's, as this one has it (sheet 5).
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
            // "Locked", of whatever is asked.
            -2011 => -53,
            // It has no number for the rest.
            ..=-2000 => -1,
            code => code,
        }
    }
}

/// Sheet 3.7.
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
