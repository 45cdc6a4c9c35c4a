//! The code of a refusal, and a refusal with its possible causes.

use core::fmt;

use crate::cause::{Cause, Causes};

/// The number or word with which a modem refused a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum Code {
    /// A bare `ERROR` without a number.
    Plain,
    /// `+CME ERROR: <n>`.
    Cme(u16),
    /// `+CMS ERROR: <n>`.
    Cms(u16),
    /// A negative error number of the vendor, with its meaning, which may be empty.
    Signed(i16, Meaning),
    /// An error number of the vendor, with its meaning in the vendor's manual.
    Vendor(u16, Meaning),
    /// A URC of the vendor that reports a failure without a reason.
    Word(Meaning),
    /// A finding of TLS or PPP on this MCU, in words; no modem refused.
    Here(Meaning),
}

/// The text of a vendor's manual about an error number. It is empty without the feature `hints`, because the texts take
/// flash even where they are never printed.
#[derive(Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Meaning(#[cfg(feature = "hints")] &'static str);

impl Meaning {
    /// Makes a meaning, for a backend.
    pub const fn new(_text: &'static str) -> Self {
        Self(
            #[cfg(feature = "hints")]
            _text,
        )
    }

    /// Returns the text; `None` without the feature `hints`.
    pub const fn text(self) -> Option<&'static str> {
        #[cfg(feature = "hints")]
        return Some(self.0);
        #[cfg(not(feature = "hints"))]
        None
    }
}

impl fmt::Debug for Meaning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.text().fmt(f)
    }
}

/// Prints the number or word; with the feature `hints`, also its meaning.
impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Plain => f.write_str("ERROR"),
            Self::Cme(code) => write!(f, "+CME ERROR: {code}"),
            Self::Cms(code) => write!(f, "+CMS ERROR: {code}"),
            Self::Signed(code, _) => write!(f, "{code}"),
            Self::Vendor(code, _) => write!(f, "{code}"),
            Self::Word(word) => {
                let word = word.text().unwrap_or("a notice");
                write!(f, "{word}, which gives no reason")
            }
            Self::Here(found) => f.write_str(found.text().unwrap_or("a check on this MCU failed")),
        }?;
        if let Self::Vendor(_, meaning) | Self::Signed(_, meaning) = self
            && let Some(text) = meaning.text().filter(|text| !text.is_empty())
        {
            write!(f, " ({text})")?;
        }
        #[cfg(feature = "hints")]
        if let Some(number) = self.number() {
            write!(f, " ({})", number.meaning)?;
        }
        Ok(())
    }
}

#[cfg(feature = "hints")]
impl Code {
    /// Returns the entry for a number of 3GPP; `None` for others. The vendor's own numbers are in the backend, see
    /// [`Modem::CODES`](crate::modem::Modem::CODES).
    pub fn number(&self) -> Option<&'static crate::numbers::Number> {
        match self {
            Self::Cme(code) => crate::numbers::cme(*code),
            Self::Cms(code) => crate::numbers::cms(*code),
            Self::Plain | Self::Signed(..) | Self::Vendor(..) | Self::Word(_) | Self::Here(_) => {
                None
            }
        }
    }
}

/// A refusal: the modem's error code, and its possible causes.
///
/// The causes are those that the code may have, in order of likelihood, less those that the driver had ruled out before
/// the command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub struct Refusal {
    /// The error code of the modem.
    pub code: Code,
    /// The causes that were not ruled out.
    pub causes: Causes,
}

impl Refusal {
    /// Makes a refusal, for a backend.
    pub const fn new(code: Code, causes: Causes) -> Self {
        Self { code, causes }
    }

    /// Rules `cause` out, where it is one of the causes.
    pub const fn without(self, cause: Cause) -> Self {
        Self {
            code: self.code,
            causes: self.causes.without(cause),
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !matches!(self.code, Code::Here(_)) {
            f.write_str("the modem answered ")?;
        }
        self.code.fmt(f)?;
        because(f, self.causes)
    }
}

/// Prints the causes behind an observation.
pub(super) fn because(f: &mut fmt::Formatter<'_>, causes: Causes) -> fmt::Result {
    let mut left = causes;
    if left.next().is_some() {
        write!(f, ": {causes}")?;
    }
    Ok(())
}
