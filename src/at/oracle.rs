//! Property tests of the line writer and the field reader against an independent oracle, atat's `serde_at`: it must
//! write and read the lines that this crate writes and reads.

extern crate std;

use std::string::String;
use std::vec::Vec;

use proptest::prelude::*;
use serde::{Deserialize, Serialize};
use serde_at::{SerializeOptions, from_slice, to_slice};

use super::{CommandLine, Fields, Out, Text, decimal};

/// Arguments of every kind that backends use.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
struct Arguments<'a> {
    first: u32,
    #[serde(borrow)]
    name: &'a str,
    second: u8,
    #[serde(borrow)]
    path: &'a str,
    last: u16,
}

/// Makes text that a checked type accepts. The backslash is left out, because `serde_at` escapes it, which no supported
/// modem does.
fn text() -> impl Strategy<Value = String> {
    "[ -~\u{e0}-\u{ff}\u{4e00}]{0,20}".prop_filter("not ours to send", |text| {
        Text::<80>::new(text).is_ok() && !text.contains('\\')
    })
}

fn number() -> impl Strategy<Value = u32> {
    prop_oneof![
        Just(0),
        Just(u32::MAX),
        (0u32..10).prop_map(|power| 10u32.pow(power)),
        (1u32..10).prop_map(|power| 10u32.pow(power) - 1),
        any::<u32>(),
    ]
}

/// Returns the line that `serde_at` writes, if it fits.
fn theirs(arguments: &Arguments<'_>, room: usize) -> Option<Vec<u8>> {
    let mut buf = std::vec![0; room];
    let len = to_slice(arguments, "+NAME", &mut buf, SerializeOptions::default()).ok()?;
    buf.truncate(len);
    Some(buf)
}

fn write(arguments: &Arguments<'_>, out: &mut Out<'_>) {
    out.bytes(b"AT+NAME=");
    out.int(arguments.first);
    out.byte(b',');
    out.quoted(arguments.name.as_bytes());
    out.byte(b',');
    out.int(arguments.second.into());
    out.byte(b',');
    out.quoted(arguments.path.as_bytes());
    out.byte(b',');
    out.int(arguments.last.into());
    out.byte(b'\r');
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4000))]

    #[test]
    fn lines_are_written_as_serde_at_writes_them(
        first in number(), name in text(), second in any::<u8>(), path in text(), last in any::<u16>(),
        room in 0usize..160,
    ) {
        let arguments = Arguments { first, name: &name, second, path: &path, last };
        let mut buf = std::vec![0; room];
        let mut out = Out { buf: &mut buf, len: 0 };
        write(&arguments, &mut out);
        let ours = Some(out.len).filter(|&len| len <= room).map(|len| buf[..len].to_vec());
        prop_assert_eq!(&ours, &theirs(&arguments, room));
        let mut typed = std::vec![0; room];
        let len = CommandLine::new(&mut typed, "+NAME")
            .int(first).quoted(&name).int(second.into()).quoted(&path).int(last.into())
            .finish();
        prop_assert_eq!(ours, Some(len).filter(|&len| len <= room).map(|len| typed[..len].to_vec()));
    }

    #[test]
    fn written_arguments_are_read_back_by_serde_at_and_by_fields(
        first in number(), name in text(), second in any::<u8>(), path in text(), last in any::<u16>(),
    ) {
        let arguments = Arguments { first, name: &name, second, path: &path, last };
        let line = theirs(&arguments, 200).unwrap();
        let text = &line[b"AT+NAME=".len()..line.len() - 1];
        prop_assert_eq!(from_slice::<Arguments<'_>>(text), Ok(arguments.clone()));
        prop_assert_eq!(read(text), Some(arguments));
    }

    /// Fields, well-formed or not, that `serde_at` can read are read alike.
    #[test]
    fn fields_that_serde_at_reads_are_read_alike(
        numbers in prop::array::uniform3(prop::sample::select(&NUMBERS[..])),
        texts in prop::array::uniform2(prop::sample::select(&TEXTS[..])),
        blanks in prop::array::uniform10(prop::sample::select(&["", "", "", " "][..])),
        behind in prop::sample::select(&["", "", "", ",", ",1", "\"", "x"][..]),
    ) {
        let fields = [numbers[0], texts[0], numbers[1], texts[1], numbers[2]];
        let mut line = String::new();
        for (at, field) in fields.iter().enumerate() {
            line += if at > 0 { "," } else { "" };
            line += blanks[2 * at];
            line += field;
            line += blanks[2 * at + 1];
        }
        line += behind;
        if let Ok(theirs) = from_slice::<Arguments<'_>>(line.as_bytes()) {
            prop_assert_eq!(read(line.as_bytes()), Some(theirs), "{}", line);
        }
    }

    #[test]
    fn numbers_are_read_as_serde_at_reads_them(digits in "[0-9]{1,12}") {
        let theirs = from_slice::<One>(digits.as_bytes()).ok();
        prop_assert_eq!(decimal(digits.as_bytes()), theirs.map(|one| one.number));
    }
}

const NUMBERS: [&str; 14] = [
    "0",
    "1",
    "42",
    "007",
    "255",
    "256",
    "65535",
    "65536",
    "4294967295",
    "4294967296",
    "-1",
    "1x",
    "",
    "\"1\"",
];
const TEXTS: [&str; 9] = [
    "\"\"", "\"a\"", "\"a,b\"", "\",\"", "\" a \"", "a", "\"a", "a\"", "\"a\"b",
];

#[derive(Deserialize)]
struct One {
    number: u32,
}

/// Reads a line with this crate's reader.
fn read(text: &[u8]) -> Option<Arguments<'_>> {
    let mut fields = Fields::new(text);
    let arguments = Arguments {
        first: fields.int()?,
        name: fields.text()?,
        second: fields.byte()?,
        path: fields.text()?,
        last: fields.int()?.try_into().ok()?,
    };
    fields.next().is_none().then_some(arguments)
}

/// Every answer here is readable, apart from those with a number out of range. Random text seldom is.
#[test]
fn well_formed_answers_with_blanks_are_read_alike() {
    let mut seen = 0;
    for blank in ["", " ", "  "] {
        for name in ["\"\"", "\"a\"", "\"a,b\"", "\",\"", "\" a \""] {
            for number in ["0", "7", "255", "256"] {
                let text =
                    std::format!("{blank}{number},{blank}{name},{blank}{number},{name},{number}");
                let theirs = from_slice::<Arguments<'_>>(text.as_bytes()).ok();
                assert_eq!(read(text.as_bytes()), theirs, "{text}");
                seen += usize::from(theirs.is_some());
            }
        }
    }
    assert_eq!(seen, 3 * 5 * 3);
}
