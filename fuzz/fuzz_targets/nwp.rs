//! Messages of TI's network processors: however the input is cut, the messages are the same; what one announces is what it has; nothing
//! is found in front of a sync word with the expected number.
//!
//! Input: the generation in the lowest bit and how many cuts above it; the cuts; then the chip's bytes.
#![no_main]

use libfuzzer_sys::fuzz_target;
use sectag_cc3200::nwp::{G1, G2, Generation, Header, Messages, Part};

#[derive(Debug, PartialEq)]
struct Message {
    header: Header,
    payload: Vec<u8>,
    /// It has come to its end.
    whole: bool,
}

fn run<'a, G: Generation>(chunks: impl Iterator<Item = &'a [u8]>) -> (Vec<Message>, bool, bool) {
    let mut messages = Messages::<G>::new();
    let mut found: Vec<Message> = Vec::new();
    let mut taken = 0;
    for mut chunk in chunks {
        taken += chunk.len();
        loop {
            let before = chunk;
            let Some(part) = messages.next(&mut chunk) else {
                assert!(chunk.is_empty(), "input was left lying");
                break;
            };
            assert!(before.ends_with(chunk), "only the front is taken");
            match part {
                Part::Header(header) => {
                    assert!(found.last().is_none_or(|last| last.whole));
                    assert!(messages.is_inside());
                    assert!(!messages.is_lost(), "a message ends a search");
                    found.push(Message {
                        header,
                        payload: Vec::new(),
                        whole: false,
                    });
                }
                Part::Payload(bytes) => {
                    let last = found.last_mut().expect("a header came first");
                    assert!(!last.whole && !bytes.is_empty() && before.starts_with(bytes));
                    last.payload.extend(bytes);
                    assert!(last.payload.len() <= usize::from(last.header.payload));
                }
                Part::End => {
                    let last = found.last_mut().expect("a header came first");
                    assert!(!last.whole);
                    assert_eq!(last.payload.len(), usize::from(last.header.payload));
                    last.whole = true;
                }
            }
        }
    }
    // Sync word and header are at least 12 bytes.
    assert!(found.len() * 12 <= taken);
    (found, messages.is_inside(), messages.is_lost())
}

fn cut<'a>(mut bytes: &'a [u8], cuts: &'a [u8]) -> impl Iterator<Item = &'a [u8]> {
    let mut cuts = cuts.iter().cycle();
    std::iter::from_fn(move || {
        let size = cuts.next().map_or(bytes.len(), |&cut| usize::from(cut));
        let (chunk, rest) = bytes.split_at(size.min(bytes.len()));
        let more = !bytes.is_empty();
        bytes = rest;
        more.then_some(chunk)
    })
}

fn check<G: Generation>(bytes: &[u8], cuts: &[u8]) {
    let whole = run::<G>(std::iter::once(bytes));
    assert_eq!(whole, run::<G>(cut(bytes, cuts)));
    assert_eq!(whole, run::<G>(bytes.chunks(1)));
}

fuzz_target!(|input: &[u8]| {
    let Some((&head, rest)) = input.split_first() else {
        return;
    };
    let (cuts, bytes) = rest.split_at(usize::from(head >> 1 & 0xf).min(rest.len()));
    if cuts.iter().all(|&cut| cut == 0) {
        return;
    }
    if head & 1 == 0 {
        check::<G2>(bytes, cuts);
    } else {
        check::<G1>(bytes, cuts);
    }
});
