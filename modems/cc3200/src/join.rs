//! The reason why a network was not joined.

use sectag::wifi::JoinFailure;

/// Returns the failure of a join by the reason code of the disconnect event (sheet 5.3). `joined` is
/// whether the access point has accepted the station.
pub(crate) const fn failure(reason: Option<u16>, joined: bool) -> JoinFailure {
    match reason {
        // Reason codes of the authentication and of the four-way handshake.
        Some(2 | 14..=24) => JoinFailure::Refused,
        _ if joined => JoinFailure::NoAddress,
        _ => JoinFailure::NotFound,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_handshake_that_times_out_is_a_refusal() {
        assert_eq!(failure(Some(15), false), JoinFailure::Refused);
        assert_eq!(failure(Some(15), true), JoinFailure::Refused);
        assert_eq!(failure(Some(200), true), JoinFailure::NoAddress);
        assert_eq!(failure(None, false), JoinFailure::NotFound);
    }
}
