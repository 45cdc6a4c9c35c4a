//! The messages of sheet 3.7 (CC31xx), for the tests of the parser and of the SPI.
#![allow(dead_code, reason = "each has its own use for them")]

extern crate std;

use std::vec;
use std::vec::Vec;

/// Decodes hexadecimal digits; `<29 x 00>` stands for 29 zeros.
pub(crate) fn hex(text: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut words = text.split_whitespace();
    while let Some(word) = words.next() {
        if let Some(count) = word.strip_prefix('<') {
            let count: usize = count.parse().unwrap();
            words.next();
            words.next();
            bytes.extend(vec![0; count]);
        } else {
            bytes.push(u8::from_str_radix(word, 16).unwrap());
        }
    }
    bytes
}

/// A message of the sheet: its bytes and their meaning.
pub(crate) struct Vector {
    pub(crate) bytes: &'static str,
    pub(crate) opcode: u16,
    pub(crate) pool: Option<u8>,
    pub(crate) payload: &'static str,
}

const fn vector(
    bytes: &'static str,
    opcode: u16,
    pool: Option<u8>,
    payload: &'static str,
) -> Vector {
    Vector {
        bytes,
        opcode,
        pool,
        payload,
    }
}

/// The messages of the first generation.
pub(crate) const FIRST: &[Vector] = &[
    vector(
        "BC DC CD AB 08 00 08 00 FF FF 00 00 11 11 11 11",
        0x0008,
        None,
        "11 11 11 11",
    ),
    vector(
        "BD DC CD AB 66 04 38 00 0A 01 00 00 00 00 01 00 0C 00 2C 00 00 00 00 04 01 00 00 00 02 00 00 00
         03 00 00 00 04 00 00 00 01 00 03 22 02 00 00 00 0B 00 00 00 00 00 00 00 01 00 00 00 33 33 00 00",
        0x0466,
        Some(10),
        "00 00 01 00 0C 00 2C 00 00 00 00 04 01 00 00 00 02 00 00 00
         03 00 00 00 04 00 00 00 01 00 03 22 02 00 00 00 0B 00 00 00 00 00 00 00 01 00 00 00 33 33 00 00",
    ),
    vector(
        "BE DC CD AB 80 0C 08 00 0A 01 00 00 00 00 00 00",
        0x0c80,
        Some(10),
        "00 00 00 00",
    ),
    vector(
        "BC DC CD AB 25 18 10 00 0A 01 00 00 2A 32 A8 C0 01 32 A8 C0 01 32 A8 C0",
        0x1825,
        Some(10),
        "2A 32 A8 C0 01 32 A8 C0 01 32 A8 C0",
    ),
    vector(
        "BD DC CD AB 3C 24 0C 00 0A 01 00 00 21 00 00 00 34 12 5A 5A",
        0x243c,
        Some(10),
        "21 00 00 00 34 12 5A 5A",
    ),
    vector(
        "BC DC CD AB 3C 24 0C 00 0A 01 00 00 F5 FF FF FF 00 00 00 00",
        0x243c,
        Some(10),
        "F5 FF FF FF 00 00 00 00",
    ),
    vector(
        "BE DC CD AB 41 24 08 00 0A 01 00 00 05 00 00 00",
        0x2441,
        Some(10),
        "05 00 00 00",
    ),
    vector(
        "BC DC CD AB 01 14 08 00 0A 01 00 00 00 00 51 00",
        0x1401,
        Some(10),
        "00 00 51 00",
    ),
    vector(
        "BF DC CD AB 08 14 08 00 0A 01 00 00 A4 FF 51 00",
        0x1408,
        Some(10),
        "A4 FF 51 00",
    ),
    vector(
        "BC DC CD AB 06 14 08 00 0A 01 00 00 00 00 51 00",
        0x1406,
        Some(10),
        "00 00 51 00",
    ),
    vector(
        "BD DC CD AB 06 10 08 00 0A 01 00 00 3B FE 51 00",
        0x1006,
        Some(10),
        "3B FE 51 00",
    ),
    vector(
        "BE DC CD AB 0A 10 0C 00 0A 01 00 00 04 00 51 00 20 02 00 00",
        0x100a,
        Some(10),
        "04 00 51 00 20 02 00 00",
    ),
    vector(
        "BF DC CD AB 0A 10 08 00 0A 01 00 00 F5 FF 51 00",
        0x100a,
        Some(10),
        "F5 FF 51 00",
    ),
    vector(
        "BC DC CD AB 02 14 08 00 0A 01 00 00 00 00 51 00",
        0x1402,
        Some(10),
        "00 00 51 00",
    ),
];

/// The messages of the second generation.
pub(crate) const SECOND: &[Vector] = &[
    vector(
        "BC DC CD AB 08 00 14 00 0F 00 B8 05 00 00 00 00 11 11 11 11 19 00 00 30 00 00 00 00",
        0x0008,
        Some(15),
        "11 11 11 11 19 00 00 30 00 00 00 00",
    ),
    vector(
        "BD DC CD AB 66 04 24 00 0F 01 B8 05 00 00 00 00 00 00 01 00 0C 00 14 00 19 00 00 30
         03 07 00 01 03 01 00 1A 04 0D 00 02 00 20 00 00",
        0x0466,
        Some(15),
        "00 00 01 00 0C 00 14 00 19 00 00 30 03 07 00 01 03 01 00 1A 04 0D 00 02 00 20 00 00",
    ),
    vector(
        "BE DC CD AB 80 0C 0C 00 0F 01 B8 05 00 00 00 00 00 00 00 00",
        0x0c80,
        Some(15),
        "00 00 00 00",
    ),
    vector(
        "BF DC CD AB 80 08 30 00 0F 01 B8 05 00 00 00 00 03 6C 61 62 <29 x 00> AA BB CC 01 02 03 06",
        0x0880,
        Some(15),
        "03 6C 61 62 <29 x 00> AA BB CC 01 02 03 06",
    ),
    vector(
        "BC DC CD AB 25 18 14 00 0F 01 B8 05 00 00 00 00 2A 32 A8 C0 01 32 A8 C0 01 32 A8 C0",
        0x1825,
        Some(15),
        "2A 32 A8 C0 01 32 A8 C0 01 32 A8 C0",
    ),
    vector(
        "BD DC CD AB 3C 24 10 00 0F 01 B8 05 00 00 00 00 21 00 00 00 34 12 5A 5A",
        0x243c,
        Some(15),
        "21 00 00 00 34 12 5A 5A",
    ),
    vector(
        "BC DC CD AB 3C 24 10 00 0F 01 B8 05 00 00 00 00 9B D7 FF FF 00 00 00 00",
        0x243c,
        Some(15),
        "9B D7 FF FF 00 00 00 00",
    ),
    vector(
        "BE DC CD AB 41 24 0C 00 0F 01 B8 05 00 00 00 00 05 00 00 00",
        0x2441,
        Some(15),
        "05 00 00 00",
    ),
    vector(
        "BF DC CD AB 3D 24 0C 00 0F 01 B8 05 00 00 00 00 00 00 00 00",
        0x243d,
        Some(15),
        "00 00 00 00",
    ),
    vector(
        "BC DC CD AB 01 14 0C 00 0F 01 B8 05 00 00 00 00 00 00 01 00",
        0x1401,
        Some(15),
        "00 00 01 00",
    ),
    vector(
        "BC DC CD AB 06 14 0C 00 0F 01 B8 05 00 00 00 00 00 00 01 00",
        0x1406,
        Some(15),
        "00 00 01 00",
    ),
    vector(
        "BD DC CD AB 06 10 0C 00 0F 01 B8 05 00 00 00 00 2C FE 01 00",
        0x1006,
        Some(15),
        "2C FE 01 00",
    ),
    vector(
        "BE DC CD AB 0A 10 10 00 0F 01 B8 05 00 00 00 00 04 00 01 00 20 02 00 00",
        0x100a,
        Some(15),
        "04 00 01 00 20 02 00 00",
    ),
    vector(
        "BF DC CD AB 0A 10 0C 00 0F 01 B8 05 00 00 00 00 00 00 01 00",
        0x100a,
        Some(15),
        "00 00 01 00",
    ),
    vector(
        "BC DC CD AB 02 14 0C 00 0F 01 B8 05 00 00 00 00 00 00 01 00",
        0x1402,
        Some(15),
        "00 00 01 00",
    ),
    vector(
        "BD DC CD AB 10 10 0C 00 0F 01 B8 05 00 00 00 00 00 00 01 00",
        0x1010,
        Some(15),
        "00 00 01 00",
    ),
    vector(
        "BE DC CD AB 63 00 08 00 0F 01 B8 05 00 00 00 00",
        0x0063,
        Some(15),
        "",
    ),
    vector(
        "BE DC CD AB 79 00 10 00 0F 01 B8 05 00 00 00 00 78 05 00 00 00 00 00 00",
        0x0079,
        Some(15),
        "78 05 00 00 00 00 00 00",
    ),
];
