//! Tests of the parser: the messages of sheet 3.7, cut everywhere, with bytes in front, and arbitrary input.

extern crate std;

use std::vec;
use std::vec::Vec;

use proptest::prelude::*;

use super::generation::{G1, G2, Generation};
use super::messages::{Header, Messages, Part};
use super::vectors::{FIRST, SECOND, Vector, hex};

/// Parses `bytes` in pieces, and returns the messages as headers with their payload.
fn parse<G: Generation>(
    messages: &mut Messages<G>,
    input: &[u8],
    cut: impl Fn(usize) -> bool,
) -> Vec<(Header, Vec<u8>)> {
    let mut found = Vec::new();
    let mut open: Option<(Header, Vec<u8>)> = None;
    let mut from = 0;
    for to in 1..=input.len() {
        if to < input.len() && !cut(to) {
            continue;
        }
        let mut piece = &input[from..to];
        from = to;
        while let Some(part) = messages.next(&mut piece) {
            match part {
                Part::Header(header) => open = Some((header, Vec::new())),
                Part::Payload(bytes) => open.as_mut().unwrap().1.extend(bytes),
                Part::End => found.push(open.take().unwrap()),
            }
        }
        assert!(piece.is_empty());
    }
    found
}

/// Puts the sync word of a message in front: with its number on SPI, without one on a UART.
fn with_sync(bytes: &[u8], number: Option<u8>) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    bytes[0] = number.map_or(0xba, |number| 0xbc + (number & 3));
    bytes
}

fn check<G: Generation>(vectors: &[Vector]) {
    for numbered in [false, true] {
        let all: Vec<u8> = vectors
            .iter()
            .enumerate()
            .flat_map(|(at, vector)| with_sync(&hex(vector.bytes), numbered.then_some(at as u8)))
            .collect();
        for cut in 0..=all.len() {
            // One cut at each place, and at last every byte by itself.
            let every = cut == all.len();
            let found = parse(&mut Messages::<G>::new(), &all, |at| every || at == cut);
            assert_eq!(found.len(), vectors.len());
            for ((header, payload), vector) in found.iter().zip(vectors) {
                assert_eq!(header.opcode, vector.opcode);
                assert_eq!(header.pool, vector.pool);
                assert_eq!(*payload, hex(vector.payload));
            }
        }
    }
}

#[test]
fn messages_of_the_first_generation_are_those_of_the_sheet_however_cut() {
    check::<G1>(FIRST);
}

#[test]
fn messages_of_the_second_generation_are_those_of_the_sheet_however_cut() {
    check::<G2>(SECOND);
}

#[test]
fn a_message_is_found_behind_bytes_that_belong_to_none() {
    for lead in 0..=9 {
        let mut bytes = vec![0xff; lead];
        bytes.extend(hex(SECOND[0].bytes));
        let found = parse(&mut Messages::<G2>::new(), &bytes, |_| true);
        assert_eq!(found.len(), 1, "{lead}");
    }
}

#[test]
fn a_double_sync_word_is_one() {
    let mut bytes = hex("BC DC CD AB");
    bytes.extend(hex(SECOND[0].bytes));
    // The next number: it was counted once.
    bytes.extend(hex(SECOND[1].bytes));
    let found = parse(&mut Messages::<G2>::new(), &bytes, |_| false);
    assert_eq!(found.len(), 2);
}

#[test]
fn a_sync_word_of_another_number_is_none() {
    for first in [0xbd, 0xbe, 0xbf] {
        let mut bytes = hex(SECOND[0].bytes);
        bytes[0] = first;
        let mut messages = Messages::<G2>::new();
        assert!(
            parse(&mut messages, &bytes, |_| false).is_empty(),
            "{first:x}"
        );
        assert!(messages.is_lost());
    }
}

#[test]
fn bits_that_the_spi_defect_flips_are_not_compared() {
    for bit in [7, 15, 31] {
        let mut bytes = hex(SECOND[0].bytes);
        bytes[bit / 8] ^= 1 << (bit % 8);
        assert_eq!(
            parse(&mut Messages::<G2>::new(), &bytes, |_| false).len(),
            1
        );
    }
    let mut bytes = hex(SECOND[0].bytes);
    bytes[1] ^= 1;
    assert!(parse(&mut Messages::<G2>::new(), &bytes, |_| false).is_empty());
}

#[test]
fn the_message_that_the_chip_is_dead_has_a_short_header() {
    let bytes = hex("BA DC CD AB 0C 00 08 00 03 00 00 00 07 00 00 00");
    let found = parse(&mut Messages::<G2>::new(), &bytes, |_| false);
    assert_eq!(found[0].0.opcode, 0x000c);
    assert_eq!(found[0].1[..4], [7, 0, 0, 0]);
}

#[test]
fn a_length_below_that_of_a_header_is_no_message() {
    let mut messages = Messages::<G2>::new();
    let bytes = hex("BA DC CD AB 63 00 07 00 0F 01 B8 05 00 00 00 00");
    assert!(parse(&mut messages, &bytes, |_| false).is_empty());
    assert!(messages.is_lost());
}

proptest! {
    #[test]
    fn any_input_is_taken_and_cutting_it_changes_nothing(
        bytes in prop::collection::vec(
            prop_oneof![
                any::<u8>(),
                prop::sample::select(vec![0xbau8, 0xdc, 0xcd, 0xab, 0, 8, 12, 0xbc]),
            ],
            0..300,
        ),
        cuts in any::<u64>(),
    ) {
        let whole = parse(&mut Messages::<G2>::new(), &bytes, |_| false);
        let cut = parse(&mut Messages::<G2>::new(), &bytes, |at| cuts >> (at % 64) & 1 != 0);
        prop_assert_eq!(whole, cut);
    }
}
