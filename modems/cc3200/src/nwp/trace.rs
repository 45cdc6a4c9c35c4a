//! The trace of commands and messages, by opcode, name and length, never by content.

#![cfg_attr(not(any(feature = "defmt", feature = "log")), expect(unused_variables))]

/// Traces a command with `len` bytes after its header.
pub(super) fn sent(opcode: u16, len: usize) {
    #[cfg(feature = "defmt")]
    defmt::trace!("> {:x} {}, {} bytes", opcode, name(opcode), len);
    #[cfg(feature = "log")]
    log::trace!("> {opcode:04x} {}, {len} bytes", name(opcode));
}

/// Traces a message with `len` bytes after its header, and the number of free buffers that it tells.
pub(super) fn received(opcode: u16, len: u16, pool: Option<u8>) {
    #[cfg(feature = "defmt")]
    defmt::trace!(
        "< {:x} {}, {} bytes, {} buffers",
        opcode,
        name(opcode),
        len,
        pool
    );
    #[cfg(feature = "log")]
    match pool {
        Some(pool) => log::trace!(
            "< {opcode:04x} {}, {len} bytes, {pool} buffers free",
            name(opcode)
        ),
        None => log::trace!("< {opcode:04x} {}, {len} bytes", name(opcode)),
    }
}

/// Returns the name of a command, of its answer, or of an event.
#[cfg(any(feature = "defmt", feature = "log"))]
fn name(opcode: u16) -> &'static str {
    use super::opcode::*;
    match opcode {
        INIT_COMPLETE => return "started",
        ABORT => return "dead",
        STOPPED => return "stopped",
        GENERAL_ERROR => return "general error",
        PAYLOAD_SIZE => return "size of a buffer",
        RESET_REQUEST => return "wants a reset",
        COUNT_ONLY => return "count of buffers",
        CONNECTED => return "joined",
        DISCONNECTED => return "network left",
        JOIN_FAILED => return "join failed",
        CONNECT_RESULT => return "connected, or why not",
        RECEIVED => return "data",
        TX_FAILED => return "send failed",
        SOCKET_EVENT => return "event of a socket",
        CLOSED => return "closed",
        DNS_RESULT => return "address of a name",
        IPV4_ACQUIRED => return "own address",
        IPV4_LOST => return "own address lost",
        DHCP_TIMEOUT => return "no address",
        _ => {}
    }
    match opcode | FROM_HOST {
        DEVICE_GET => "device get",
        DEVICE_SET => "device set",
        STOP => "stop",
        WLAN_CONNECT => "wlan connect",
        WLAN_DISCONNECT => "wlan disconnect",
        WLAN_POLICY => "wlan policy",
        PROVISIONING => "provisioning",
        DNS => "lookup",
        SOCKET => "socket",
        CLOSE => "close",
        CONNECT => "connect",
        SET_OPTION => "set option",
        GET_OPTION => "get option",
        RECV => "recv",
        SEND => "send",
        FILE_OPEN => "open file",
        FILE_CLOSE => "close file",
        FILE_READ => "read file",
        FILE_WRITE => "write file",
        FILE_INFO => "file info",
        FILE_DELETE => "delete file",
        FILE_LIST => "list files",
        _ => "unknown",
    }
}
