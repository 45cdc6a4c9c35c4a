//! The errors of the driver, one enum for each operation.
//!
//! An error holds the observation, with the vendor's number. If it may have several causes, `causes()` returns them
//! in order of likelihood; with the feature `hints`, [`Cause::hint`](crate::Cause::hint) says what to do about each.

mod at;
mod bring_up;
mod code;
mod connect;
mod credential;
mod excerpt;
mod socket;

use core::fmt;

use embedded_io::ErrorKind;

pub use self::at::AtError;
pub use self::bring_up::BringUpError;
pub use self::code::{Code, Meaning, Refusal};
pub use self::connect::ConnectError;
pub use self::credential::CredentialError;
pub use self::excerpt::Excerpt;
pub use self::socket::SocketError;

/// The reason why the runner stopped: the UART failed. Every socket has been reset.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum RunError {
    /// The UART reported the end of its input, as a closed pty or TCP port does.
    Eof,
    /// The UART could not be read.
    Read(ErrorKind),
    /// The UART could not be written.
    Write(ErrorKind),
}

impl fmt::Display for RunError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Eof => f.write_str("the port to the modem was closed: open it again"),
            Self::Read(kind) => write!(f, "reading from the modem's port: {kind:?}"),
            Self::Write(kind) => write!(f, "writing to the modem's port: {kind:?}"),
        }
    }
}

impl core::error::Error for RunError {}

#[cfg(test)]
mod tests {
    extern crate std;
    use std::format;
    use std::string::ToString;

    use super::*;
    use crate::cause::{Cause, Causes};

    /// The types that are passed through every exchange fit into a register.
    #[test]
    #[cfg(not(feature = "hints"))]
    fn an_error_of_an_exchange_is_one_word() {
        assert_eq!(size_of::<Result<(), AtError>>(), 4);
        assert_eq!(size_of::<Option<AtError>>(), 4);
    }

    #[test]
    fn a_refusal_keeps_the_number_and_names_what_is_left() {
        let code = Code::Vendor(566, Meaning::new("socket connect failed"));
        let refusal = Refusal::new(code, Causes::new(&[Cause::CaMismatch, Cause::Unreachable]));
        let error = ConnectError::Refused(refusal.without(Cause::CaMismatch));
        assert!(error.causes().eq([Cause::Unreachable]));
        let meaning = if cfg!(feature = "hints") {
            " (socket connect failed)"
        } else {
            ""
        };
        assert_eq!(
            error.to_string(),
            format!("the modem answered 566{meaning}: nothing answers at this host and port")
        );
    }

    #[test]
    #[cfg(feature = "hints")]
    fn a_fault_found_by_the_host_is_not_shown_as_a_modems_answer() {
        let code = Code::Here(Meaning::new("the certificate is for another name"));
        let refusal = Refusal::new(code, Causes::NONE);
        assert_eq!(refusal.to_string(), "the certificate is for another name");
    }

    #[test]
    fn the_signal_that_the_modem_heard_narrows_the_causes() {
        let causes = |status, heard| {
            let unread = None;
            BringUpError::NotRegistered {
                status,
                heard,
                unread,
            }
            .causes()
        };
        assert!(causes(2, Some(false)).eq([Cause::NoCoverage]));
        assert!(!causes(2, Some(true)).any(|cause| cause == Cause::NoCoverage));
        assert_eq!(causes(3, None).next(), Some(Cause::RegistrationDenied));
        assert!(
            BringUpError::SimMissing(Code::Cme(10))
                .causes()
                .eq([Cause::SimMissing])
        );
    }
}
