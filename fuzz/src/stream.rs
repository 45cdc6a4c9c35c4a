//! What an application and its peer send each other: endless, different for each connection, and full
//! of what a parser could trip over.

/// A BG96's.
pub const BG96: &[&[u8; 16]] = &[
    b"\r\nOK\r\n\r\nERROR\r\n\n",
    b"\r\n> \r\nSEND OK\r\n\0",
    b"+QSSLRECV: 40\r\n!",
    b"\r\nRDY\r\nAPP RDY\r\n",
    b"\r\n+QSSLOPEN: 0,0",
    b"AT+IPR?\r+IPR: 9\r",
];

/// An nRF9160's.
pub const NRF9160: &[&[u8; 16]] = &[
    b"\r\nOK\r\n\r\nERROR\r\n\n",
    b"+++\r\n#XDATAMODE:",
    b" 0\r\n#XRECV: 40\r\n",
    b"Ready\r\nReady\r\n+ ",
    b"+++++++++\0\x08\"\x1a\x7f,,",
    b"AT+CMEE?\r\n+CMEE:",
];

/// The byte at `position` of stream `number`.
fn byte(traps: &[&[u8; 16]], number: u32, position: usize) -> u8 {
    let (block, at) = (position / 16, position % 16);
    let mixed = mix(number, block as u32);
    if mixed % 3 == 0 {
        traps[(mixed / 3) as usize % traps.len()][at]
    } else {
        mix(mixed, at as u32) as u8
    }
}

/// The bytes from `position` on.
pub fn bytes(traps: &[&[u8; 16]], number: u32, position: usize, count: usize) -> Vec<u8> {
    (position..position + count)
        .map(|position| byte(traps, number, position))
        .collect()
}

fn mix(a: u32, b: u32) -> u32 {
    let mut x = a.wrapping_mul(0x9E37_79B1) ^ b.wrapping_mul(0x85EB_CA77);
    x ^= x >> 15;
    x = x.wrapping_mul(0x2C1B_3C6D);
    x ^ x >> 13
}
