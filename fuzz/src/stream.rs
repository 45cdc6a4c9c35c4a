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

/// A u-blox cellular module's.
pub const UBLOX_CELLULAR: &[&[u8; 16]] = &[
    b"\r\nOK\r\n\r\nERROR\r\n\n",
    b"\"\r\n\r\nOK\r\n@\r\n>\0\0\0",
    b"+USORD: 0,40,\"\r\n",
    b"+UUSOCL: 0\r\n\r\n+U",
    b"\r\n+USOWR: 0,40\r\n",
    b"AT+CMEE?\r+CMEE: ",
];

/// A u-blox Wi-Fi module's: frames, and parts of them.
pub const UBLOX_SHORT_RANGE: &[&[u8; 16]] = &[
    b"\xaa\0\x08\0E\r\nOK\r\nU\xaa\0\x03\0",
    b"!\0U\xaa\0\x04\01\x01xU\xaa\0\x02\0q",
    b"U\r\n+STARTUP\r\n\xaa\x0f\xff",
    b"\xaa\0\x0c\0A+UUDPD:1\r\nU",
    b"UUUU\xaa\xaa\xaa\xaa\0\0\0\0UU\xaa\0",
    b"\xaa\0\x06\0DAT\r\nU\xaa\0\x05\x006\x01",
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
