//! The differences between the generations of TI's network processors, as data.

use crate::suites;

/// A generation of the silicon, which decides the form of messages, since these have no version field.
pub trait Generation: Copy + 'static {
    /// The properties of this generation.
    const FACTS: Facts;
}

/// The first generation: CC3100.
#[derive(Clone, Copy, Debug)]
pub struct G1;

/// The second generation: CC3120, CC3130 and CC3135.
#[derive(Clone, Copy, Debug)]
pub struct G2;

/// The properties of a [`Generation`].
#[derive(Clone, Copy, Debug)]
pub struct Facts {
    /// The names of its parts, for texts.
    pub parts: &'static str,
    /// The number of bytes of a message's header after its length field.
    pub header: u8,
    /// The length of the value of the version, in bytes (sheet 3.5).
    pub version_len: u8,
    /// The socket option that sets the name to be verified (sheet 4.3).
    pub domain_option: u8,
    /// The bits of a socket's descriptor that are its index.
    pub index_mask: u8,
    /// The lowest descriptor of a TLS socket (sheet 3.5).
    pub first_socket: u8,
    /// The number of descriptors from [`first_socket`](Self::first_socket) on (sheet 3.5).
    pub descriptors: u8,
    /// The offset of the reason in the event of a disconnect (sheet 3.6).
    pub reason_at: u8,
    /// The number of free buffers that must be left to the chip (sheet 3.4).
    pub pool_minimum: u8,
    /// The number of free buffers, beside the one that it takes, below which no recv request may be sent.
    pub recv_minimum: u8,
    /// The number of bytes for which a send takes a buffer; 0 where each send takes one.
    pub buffer: u16,
    /// Whether the first message has neither a valid count of buffers nor valid bits of sockets (sheet 3.4).
    pub first_is_void: bool,
    /// The time limit for the answer to a command, in milliseconds (sheet 2).
    pub answer_limit: u32,
    /// The time limit for opening a file, in milliseconds (sheet 2).
    pub open_file_limit: u32,
    /// Whether a close is followed by an event of its own (sheet 3.5).
    pub close_is_confirmed: bool,
    /// Whether the chip may be in provisioning, which has to be stopped first (sheet 3.4).
    pub provisions: bool,
    /// The number of TLS sockets that can be open at a time (sheet 4.8).
    pub sockets: u8,
    /// The mask of all cipher suites that it has (sheet 4.4).
    pub suites: u32,
    /// Whether it can list its files (sheet 3.5).
    pub lists_files: bool,
    /// The error code for a file that does not exist (sheet 5.4).
    pub no_such_file: i32,
}

impl Generation for G1 {
    const FACTS: Facts = Facts {
        parts: "CC3100",
        header: 4,
        version_len: 44,
        domain_option: 35,
        index_mask: 0x0f,
        first_socket: 0x50,
        descriptors: 8,
        reason_at: 73,
        pool_minimum: 1,
        recv_minimum: 1,
        buffer: 0,
        first_is_void: true,
        answer_limit: 1000,
        open_file_limit: 65_500,
        close_is_confirmed: false,
        provisions: false,
        sockets: 2,
        suites: suites::FIRST,
        lists_files: false,
        no_such_file: -11,
    };
}

impl Generation for G2 {
    const FACTS: Facts = Facts {
        parts: "CC3120, CC3130 or CC3135",
        header: 8,
        version_len: 20,
        domain_option: 42,
        index_mask: 0x1f,
        first_socket: 0,
        descriptors: 16,
        reason_at: 39,
        pool_minimum: 2,
        recv_minimum: 2,
        buffer: 1536,
        first_is_void: false,
        answer_limit: 10_000,
        open_file_limit: 655_000,
        close_is_confirmed: true,
        provisions: true,
        sockets: 6,
        suites: suites::SECOND,
        lists_files: true,
        no_such_file: -10_341,
    };
}
