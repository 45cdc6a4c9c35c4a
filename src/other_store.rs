//! Credentials that the modem holds where the TLS in use does not look.

use core::fmt;

use crate::tag::Tag;

/// A credential that is stored under the tag, but in a store that the TLS in use does not read.
///
/// A modem may have two TLS stacks, its own and one that its firmware was built with, each with a store or
/// with numbers of its own. `Display` says what was found, what is read instead, and what to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub struct OtherStore {
    /// The tag, as the user knows it.
    pub tag: Tag,
    /// The vendor's command that writes there.
    pub written_with: &'static str,
    /// What is read instead.
    pub reads: ReadFrom,
}

/// Where the TLS in use looks for the credentials of a tag.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum ReadFrom {
    /// Three numbers from this one on, for CA, client certificate and private key.
    Numbers(u32),
    /// Only what this command stores.
    Store(&'static str),
    /// The tag's own number.
    Tag,
}

impl OtherStore {
    /// What a backend found.
    pub const fn new(tag: Tag, written_with: &'static str, reads: ReadFrom) -> Self {
        Self {
            tag,
            written_with,
            reads,
        }
    }
}

impl fmt::Display for OtherStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} was written with {}; ", self.tag, self.written_with)?;
        match self.reads {
            ReadFrom::Numbers(first) => write!(
                f,
                "this build's native TLS reads {first}, {}, {}",
                first.saturating_add(1),
                first.saturating_add(2)
            )?,
            ReadFrom::Store(command) => {
                write!(f, "this build's native TLS reads what {command} stores")?
            }
            ReadFrom::Tag => write!(
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
        let text = |written, reads| OtherStore::new(Tag(321), written, reads).to_string();
        assert_eq!(
            text("%CMNG", ReadFrom::Numbers(3210)),
            "321 was written with %CMNG; this build's native TLS reads 3210, 3211, 3212: store it again with this firmware"
        );
        assert!(text("%CMNG", ReadFrom::Store("#XCMNG")).contains("reads what #XCMNG stores"));
        assert!(text("#XCMNG", ReadFrom::Tag).contains("the modem's TLS, which reads 321"));
    }
}
