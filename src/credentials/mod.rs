//! Credentials in the modem, each under a tag: storing, proving, replacing and listing them.

mod digest;
mod expiry;
mod md5;
mod prepare;
mod proof;
mod role;
mod set;
mod source;
mod stored;

pub use digest::{Digest, Hasher};
pub use expiry::Expiry;
pub use md5::Md5;
pub(crate) use prepare::{Prepared, admit, fits, inspect};
pub use proof::{Comparison, Ensured, Proof, ProvisionRecord};
pub use role::Credentials;
pub use set::{CredentialSet, RotateError, SetError};
pub use source::Source;
pub(crate) use source::copy;
pub use stored::{Accepts, Stored};

pub use sectag_inspect::Kind;
