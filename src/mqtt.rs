//! The causes of a failed MQTT login, by the protocol's numbers. It is independent of the MQTT client.
//!
//! ```
//! use sectag::Cause;
//! use sectag::mqtt::LoginFailure;
//!
//! let refused = LoginFailure::Connack5(0x86);
//! assert_eq!(refused.causes().next(), Some(Cause::LoginRefused));
//! ```

use core::fmt;

use crate::cause::{Cause, Causes};

/// The failure of an MQTT CONNECT.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum LoginFailure {
    /// The server closed the connection before it sent a CONNACK: after a read of 0 bytes,
    /// [`SocketError::ClosedUnanswered`](crate::SocketError::ClosedUnanswered) or `BrokenPipe` while
    /// the CONNACK was awaited.
    Closed,
    /// The return code of an MQTT 3.1.1 CONNACK; not 0.
    Connack3(u8),
    /// The reason code of an MQTT 5 CONNACK; 0x80 or more.
    Connack5(u8),
    /// The server answered with something that is no CONNACK.
    NotMqtt,
    /// The server did not answer within the client's time limit.
    Silent,
}

impl LoginFailure {
    /// Returns the possible causes, the likeliest first.
    pub fn causes(&self) -> Causes {
        use Cause::*;
        Causes::new(match self {
            // Some brokers close without a CONNACK: rumqttd and AWS after a wrong login or an unknown client
            // id, a broker of one MQTT version after the CONNECT of another.
            Self::Closed => &[LoginRefused, ClientIdRefused, ProtocolVersion],
            // MQTT 3.1.1, table 3.1.
            Self::Connack3(code) => match code {
                1 => &[ProtocolVersion],
                2 => &[ClientIdRefused],
                3 => &[BrokerBusy],
                // The code means a malformed login, but several brokers send it for a wrong one.
                4 => &[LoginRefused],
                // Brokers that check the login send this for a wrong one as well.
                5 => &[LoginRefused, NotAllowed, ClientIdRefused],
                _ => &[NotMqtt],
            },
            // MQTT 5, table 3.1.
            Self::Connack5(code) => match code {
                0x84 => &[ProtocolVersion],
                0x85 => &[ClientIdRefused],
                0x86 | 0x8c => &[LoginRefused],
                0x87 => &[LoginRefused, NotAllowed, ClientIdRefused],
                0x88 | 0x89 | 0x97 | 0x9f => &[BrokerBusy],
                0x8a => &[NotAllowed],
                0x9c | 0x9d => &[BrokerMoved],
                // These are about the topic of the will.
                0x90 | 0x99 => &[NotAllowed],
                // 0x80 is an unspecified error; all other codes are about the packet.
                0x80 | 0x83 => &[LoginRefused, ClientIdRefused, NotAllowed],
                _ => &[ProtocolVersion],
            },
            Self::NotMqtt => &[NotMqtt],
            Self::Silent => &[NotMqtt, BrokerBusy, NetworkSlow],
        })
    }
}

impl fmt::Display for LoginFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Closed => f.write_str("the broker closed the connection instead of answering"),
            Self::Connack3(code) => {
                write!(f, "the broker refused the login with return code {code}")
            }
            Self::Connack5(code) => {
                write!(
                    f,
                    "the broker refused the login with reason code 0x{code:02x}"
                )
            }
            Self::NotMqtt => f.write_str("what the server sent is no MQTT"),
            Self::Silent => f.write_str("the broker did not answer the login"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_has_a_cause() {
        for code in 0..=u8::MAX {
            assert!(LoginFailure::Connack3(code).causes().next().is_some());
            assert!(LoginFailure::Connack5(code).causes().next().is_some());
        }
        let first = |failure: LoginFailure| failure.causes().next();
        assert_eq!(first(LoginFailure::Connack3(5)), Some(Cause::LoginRefused));
        assert_eq!(
            first(LoginFailure::Connack3(2)),
            Some(Cause::ClientIdRefused)
        );
        assert_eq!(
            first(LoginFailure::Connack5(0x84)),
            Some(Cause::ProtocolVersion)
        );
        assert_eq!(first(LoginFailure::Closed), Some(Cause::LoginRefused));
    }
}
