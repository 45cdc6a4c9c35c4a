//! The subject of a certificate.

use core::fmt;

use super::der::{Writer, framed};

/// The longest value of a field in bytes (X.520's upper bounds, of which some are longer).
const LONGEST: usize = 64;

/// The subject of a request, made of typed fields. In the name they stand in the usual order: country, state, locality,
/// organization, unit, common name, serial number.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Subject<'a> {
    fields: [Option<&'a str>; FIELDS.len()],
}

/// A field: its short name, the last arc of its object identifier (2.5.4.x), and whether it is a PrintableString.
struct Field(&'static str, u8, bool);

/// The fields in the order in which they stand in the name.
const FIELDS: [Field; 7] = [
    Field("C", 6, true),
    Field("ST", 8, false),
    Field("L", 7, false),
    Field("O", 10, false),
    Field("OU", 11, false),
    Field("CN", 3, false),
    Field("serialNumber", 5, true),
];

impl<'a> Subject<'a> {
    /// Makes a subject with a common name, which is its id for a device: up to 64 bytes, as every field.
    pub const fn new(common_name: &'a str) -> Self {
        let mut fields = [None; FIELDS.len()];
        fields[5] = Some(common_name);
        Self { fields }
    }

    /// Adds an organization (`O`).
    pub const fn organization(self, name: &'a str) -> Self {
        self.with(3, name)
    }

    /// Adds a unit of an organization (`OU`).
    pub const fn unit(self, name: &'a str) -> Self {
        self.with(4, name)
    }

    /// Adds a country (`C`): two letters.
    pub const fn country(self, code: &'a str) -> Self {
        self.with(0, code)
    }

    /// Adds a state or province (`ST`).
    pub const fn state(self, name: &'a str) -> Self {
        self.with(1, name)
    }

    /// Adds a city (`L`).
    pub const fn locality(self, name: &'a str) -> Self {
        self.with(2, name)
    }

    /// Adds the serial number of the device: letters, digits and the other characters of a PrintableString.
    pub const fn serial_number(self, number: &'a str) -> Self {
        self.with(6, number)
    }

    const fn with(mut self, index: usize, value: &'a str) -> Self {
        self.fields[index] = Some(value);
        self
    }

    /// Parses a text such as `CN=pump-17,O=Example`, with the names C, ST, L, O, OU, CN and serialNumber. Values cannot
    /// have a comma here.
    ///
    /// # Errors
    /// The reason why it is no subject.
    pub fn parse(text: &'a str) -> Result<Self, InvalidSubject> {
        let mut subject = Self::default();
        for part in text.split(',') {
            let (name, value) = part.split_once('=').ok_or(InvalidSubject::NotAField)?;
            let named = |field: &Field| field.0.eq_ignore_ascii_case(name.trim());
            let index = FIELDS.iter().position(named);
            let place = &mut subject.fields[index.ok_or(InvalidSubject::NotAField)?];
            if place.replace(value.trim()).is_some() {
                return Err(InvalidSubject::Twice);
            }
        }
        subject.check()?;
        Ok(subject)
    }

    /// Checks the fields.
    ///
    /// # Errors
    /// The first field that a CA would not accept, and why.
    pub fn check(&self) -> Result<(), InvalidSubject> {
        let mut there = self.given().peekable();
        if there.peek().is_none() {
            return Err(InvalidSubject::Empty);
        }
        for (Field(name, _, printable), value) in there {
            if value.is_empty() {
                return Err(InvalidSubject::Empty);
            }
            if value.len() > LONGEST {
                return Err(InvalidSubject::TooLong);
            }
            if *name == "C" && value.len() != 2 {
                return Err(InvalidSubject::Country);
            }
            let fits = |byte: u8| byte.is_ascii_alphanumeric() || b" '()+,-./:=?".contains(&byte);
            if *printable && !value.bytes().all(fits) || value.contains(char::is_control) {
                return Err(InvalidSubject::Character);
            }
        }
        Ok(())
    }

    fn given(&self) -> impl Iterator<Item = (&'static Field, &'a str)> {
        let pairs = FIELDS.iter().zip(self.fields);
        pairs.filter_map(|(field, value)| Some((field, value?)))
    }

    /// Returns the length of the fields in DER, without the header around all of them.
    pub(super) fn der_len(&self) -> usize {
        let each = |(_, value): (&Field, &str)| framed(framed(5 + framed(value.len())));
        self.given().map(each).sum()
    }

    pub(super) fn write(&self, writer: &mut Writer<'_>) {
        for (Field(_, arc, printable), value) in self.given() {
            // SET { SEQUENCE { 2.5.4.arc, text } } (RFC 5280 section 4.1.2.4).
            let pair = 5 + framed(value.len());
            writer.header(0x31, framed(pair));
            writer.header(0x30, pair);
            writer.put(&[0x06, 3, 0x55, 0x04, *arc]);
            writer.header(if *printable { 0x13 } else { 0x0c }, value.len());
            writer.put(value.as_bytes());
        }
    }
}

/// Prints the subject in the form of [`parse`](Subject::parse), with the common name first, which modems expect.
impl fmt::Display for Subject<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let last = |name: &&str| *name != "CN";
        let mut separator = "";
        for first in [true, false] {
            for (Field(name, ..), value) in
                self.given().filter(|(field, _)| last(&field.0) != first)
            {
                write!(f, "{separator}{name}={value}")?;
                separator = ",";
            }
        }
        Ok(())
    }
}

/// The error for an invalid subject.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum InvalidSubject {
    /// A field has a control character, or one that a serial number or country cannot have.
    Character,
    /// The country does not have two letters.
    Country,
    /// There is no field, or a field without a value.
    Empty,
    /// A part of the text is not `NAME=VALUE`, or its name is none of C, ST, L, O, OU, CN and serialNumber.
    NotAField,
    /// A value is longer than 64 bytes.
    TooLong,
    /// A field is given twice.
    Twice,
}

impl fmt::Display for InvalidSubject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Character => {
                "the subject has a character that cannot be there: use letters, digits, blanks and hyphens"
            }
            Self::Country => "the subject's country is a code of two letters: for instance C=DE",
            Self::Empty => "the subject has a field without a value, or none: give at least CN=NAME",
            Self::NotAField => {
                "the subject is fields with commas between: CN=pump-17,O=Example, of C, ST, L, O, OU, CN and serialNumber"
            }
            Self::TooLong => "a field of the subject is longer than 64 bytes: shorten it",
            Self::Twice => "a field of the subject appears twice: leave one out",
        })
    }
}

impl core::error::Error for InvalidSubject {}
