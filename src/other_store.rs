//! Credentials in a store of the modem that the TLS in use does not read.

use core::fmt;

use crate::tag::Tag;

/// A credential that is stored under the tag, but in a store that the TLS in use does not read.
///
/// A modem may have two TLS stacks, its own and one that its firmware was built with, each with its own store or its own
/// numbers. `Display` says what was found, what is read instead, and what to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub struct OtherStore {
    /// The tag of the user.
    pub tag: Tag,
    /// The vendor's command that writes to that store.
    pub written_with: &'static str,
    /// The place that the TLS in use reads instead.
    pub reads: ReadFrom,
}

/// The place where the TLS in use reads the credentials of a tag.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum ReadFrom {
    /// The credentials with three numbers from this one on: CA, client certificate and private key.
    Numbers(u32),
    /// The credentials that this command stores.
    Store(&'static str),
    /// The credentials with the number of the tag.
    Tag,
}

impl OtherStore {
    /// Makes the finding of a backend.
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
