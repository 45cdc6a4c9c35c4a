//! What differs between the generations of TI's network processors, as data.

use crate::suites;

/// A generation of silicon, which decides the form of messages: there is no version field in them.
pub trait Generation: Copy + 'static {
    /// What sets it apart.
    const FACTS: Facts;
}

/// CC3100.
#[derive(Clone, Copy, Debug)]
pub struct G1;

/// CC3120, CC3130 and CC3135.
#[derive(Clone, Copy, Debug)]
pub struct G2;

/// See [`Generation`].
#[derive(Clone, Copy, Debug)]
pub struct Facts {
    /// The parts that are of it, for people.
    pub parts: &'static str,
    /// Bytes of a message's header behind its length field.
    pub header: u8,
    /// Bytes of the version's value (sheet 3.5).
    pub version_len: u8,
    /// The socket option that sets the name to be verified (sheet 4.3).
    pub domain_option: u8,
    /// The part of a socket's descriptor that is its index.
    pub index_mask: u8,
    /// The least descriptor of a TLS socket,
    pub first_socket: u8,
    /// and how many there may be from there on (sheet 3.5).
    pub descriptors: u8,
    /// Where in the event of a disconnect its reason is (sheet 3.6).
    pub reason_at: u8,
    /// Free buffers that the chip keeps (sheet 3.4).
    pub pool_minimum: u8,
    /// The free buffers below which no recv request may be sent, beside the one that it takes.
    pub recv_minimum: u8,
    /// A send takes a buffer for each so many bytes, 0 where it takes one in all.
    pub buffer: u16,
    /// The first message has no valid count of buffers, nor valid bits of sockets (sheet 3.4).
    pub first_is_void: bool,
    /// How long the answer to a command may take, in milliseconds (sheet 2).
    pub answer_limit: u32,
    /// How long opening a file may take, in milliseconds (sheet 2).
    pub open_file_limit: u32,
    /// A close is followed by an event of its own (sheet 3.5).
    pub close_is_confirmed: bool,
    /// There is provisioning that can be in the way (sheet 3.4).
    pub provisions: bool,
    /// The most TLS sockets (sheet 4.8).
    pub sockets: u8,
    /// The largest mask of cipher suites (sheet 4.4).
    pub suites: u32,
    /// It can list its files (sheet 3.5).
    pub lists_files: bool,
    /// "File does not exist" (sheet 5.4).
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
