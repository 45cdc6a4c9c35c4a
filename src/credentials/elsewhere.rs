//! Credentials that the modem holds where the TLS in use does not look.

use core::fmt;

use super::Tag;

/// Something is stored under a tag, and the TLS that this firmware uses does not read it: a modem may have
/// two, its own and one that a build of its firmware brings along, each with a store or numbers of its own.
///
/// `Display` says what was found, what is read instead, and what to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub struct Elsewhere {
    /// The tag, as the user knows it.
    pub tag: Tag,
    /// The vendor's command that writes there.
    pub written_with: &'static str,
    /// What is read instead.
    pub reads: Reads,
}

/// What the TLS in use reads for a tag.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum Reads {
    /// Three numbers from this one on, for CA, client certificate and private key.
    Numbers(u32),
    /// Only what this command stores.
    Store(&'static str),
    /// The tag's own number.
    Tag,
}

impl Elsewhere {
    /// For a backend.
    pub const fn new(tag: Tag, written_with: &'static str, reads: Reads) -> Self {
        Self {
            tag,
            written_with,
            reads,
        }
    }
}

impl fmt::Display for Elsewhere {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} was written with {}; ", self.tag, self.written_with)?;
        match self.reads {
            Reads::Numbers(first) => write!(
                f,
                "this build's native TLS reads {first}, {}, {}",
                first.saturating_add(1),
                first.saturating_add(2)
            )?,
            Reads::Store(command) => {
                write!(f, "this build's native TLS reads what {command} stores")?
            }
            Reads::Tag => write!(
                f,
                "this build uses the modem's TLS, which reads {}",
                self.tag
            )?,
        }
        f.write_str(": store it again with this firmware")
    }
}

#[cfg(test)]
mod tests {
    extern crate std;
    use std::string::ToString;

    use super::*;

    #[test]
    fn both_schemes_are_named() {
        let text = |written, reads| Elsewhere::new(Tag(321), written, reads).to_string();
        assert_eq!(
            text("%CMNG", Reads::Numbers(3210)),
            "321 was written with %CMNG; this build's native TLS reads 3210, 3211, 3212: store it again with this firmware"
        );
        assert!(text("%CMNG", Reads::Store("#XCMNG")).contains("reads what #XCMNG stores"));
        assert!(text("#XCMNG", Reads::Tag).contains("the modem's TLS, which reads 321"));
    }
}
