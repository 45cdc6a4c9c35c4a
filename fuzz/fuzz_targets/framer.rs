//! The line framer: however its input is cut into chunks, the events are the same, and payload is
//! exactly the bytes behind its header.
//!
//! Input: how many cuts, and with the highest bit that payload may begin inside a line; the cuts; then the modem's
//! bytes.
#![no_main]

use libfuzzer_sys::fuzz_target;
use sectag::at::framer::{Event, Framer, LINE_LIMIT};

#[derive(Debug, PartialEq)]
enum Seen {
    Line(Vec<u8>),
    Cue(Vec<u8>),
    Cut(Vec<u8>),
    Prompt,
    Payload(Vec<u8>),
    End,
    Overrun,
}

const CUE: u8 = b'"';

/// A toy dialect: `#n` announces n bytes, `?` arms the prompt, `!` disarms it. With `cues`, `#n"` announces n bytes
/// in the line, and a quote behind them.
fn run<'a>(cues: bool, chunks: impl Iterator<Item = &'a [u8]>) -> Vec<Seen> {
    let mut framer = Framer::new();
    let mut seen = Vec::new();
    let mut announced = None;
    for mut chunk in chunks {
        loop {
            let before = chunk;
            let event = if cues {
                framer.next_with_cue(&mut chunk, CUE)
            } else {
                framer.next(&mut chunk)
            };
            let Some(event) = event else {
                assert!(chunk.is_empty(), "input was left lying");
                break;
            };
            match event {
                Event::Line => {
                    let line = framer.line().to_vec();
                    assert!(!line.is_empty() && line.len() <= LINE_LIMIT);
                    if let Some(count) = announces(&line) {
                        framer.expect_payload(count);
                        announced = Some(count);
                    }
                    match &line[..] {
                        b"?" => framer.arm_prompt(Some(b'>')),
                        b"!" => framer.arm_prompt(None),
                        b"%" => framer.want_pieces(true),
                        _ => {}
                    }
                    seen.push(Seen::Line(line));
                }
                Event::Cue => {
                    assert!(cues, "there are no cues");
                    let line = framer.line();
                    assert!(line.len() <= LINE_LIMIT);
                    let (last, header) = line.split_last().expect("the cue is in it");
                    assert_eq!(*last, CUE);
                    seen.push(Seen::Cue(line.to_vec()));
                    if let Some(count) = announces(header) {
                        framer.expect_payload_in_line(count, Some(CUE));
                        announced = Some(count);
                    }
                }
                Event::CutLine => {
                    assert_eq!(framer.line().len(), LINE_LIMIT);
                    seen.push(Seen::Cut(framer.line().to_vec()));
                }
                Event::Piece => {
                    assert!(!framer.line().is_empty() && framer.line().len() <= LINE_LIMIT);
                    seen.push(Seen::Line(framer.line().to_vec()));
                }
                Event::Prompt => seen.push(Seen::Prompt),
                Event::Payload(part) => {
                    assert!(!part.is_empty() && before.starts_with(part));
                    assert_eq!(before.len() - chunk.len(), part.len());
                    let left = announced.as_mut().expect("payload was announced");
                    *left -= part.len();
                    assert_eq!(framer.payload_left(), *left);
                    match seen.last_mut() {
                        Some(Seen::Payload(all)) => all.extend_from_slice(part),
                        _ => seen.push(Seen::Payload(part.to_vec())),
                    }
                }
                Event::PayloadEnd => {
                    assert_eq!(announced.take(), Some(0), "the payload is not complete");
                    seen.push(Seen::End);
                }
                Event::PayloadOverrun => {
                    let closed = cues && before.strip_prefix(&[CUE]) == Some(chunk);
                    assert!(
                        before == chunk || closed,
                        "the byte behind belongs to a line"
                    );
                    seen.push(Seen::Overrun);
                }
            }
        }
    }
    seen
}

fn announces(line: &[u8]) -> Option<usize> {
    let digits = core::str::from_utf8(line.strip_prefix(b"#")?).ok()?;
    digits.parse::<u16>().ok().map(usize::from)
}

fn cut<'a>(mut bytes: &'a [u8], cuts: &'a [u8]) -> impl Iterator<Item = &'a [u8]> {
    let mut cuts = cuts.iter().cycle();
    std::iter::from_fn(move || {
        let size = cuts.next().map_or(bytes.len(), |&cut| usize::from(cut));
        // An empty chunk now and then is legal as well.
        let (chunk, rest) = bytes.split_at(size.min(bytes.len()));
        let more = !bytes.is_empty();
        bytes = rest;
        more.then_some(chunk)
    })
}

fuzz_target!(|input: &[u8]| {
    let Some((&count, rest)) = input.split_first() else {
        return;
    };
    let (cuts, bytes) = rest.split_at(usize::from(count % 16).min(rest.len()));
    if cuts.iter().all(|&cut| cut == 0) {
        return;
    }
    let with_cues = count & 0x80 != 0;
    let whole = run(with_cues, std::iter::once(bytes));
    assert_eq!(whole, run(with_cues, cut(bytes, cuts)));
    assert_eq!(whole, run(with_cues, bytes.chunks(1)));
});
