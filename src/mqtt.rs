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
                // These are about the topic of the will, or about what a broker does not take.
                0x90 | 0x95 | 0x99 | 0x9a | 0x9b => &[NotAllowed],
                // These come in a DISCONNECT too, in place of a CONNACK or behind one.
                0x8b | 0x93 | 0x96 => &[BrokerBusy],
                0x8d | 0xa0 => &[NetworkSlow],
                0x8e => &[ClientIdRefused],
                0x98 => &[NotAllowed],
                // 0x80 is an unspecified error, 0x83 one of the implementation's own.
                0x80 | 0x83 => &[LoginRefused, ClientIdRefused, NotAllowed],
                0x81 | 0x82 => &[ProtocolVersion, NotMqtt],
                // No standard has the others, or they are about something else than a login.
                _ => &[NotMqtt, ProtocolVersion],
            },
            Self::NotMqtt => &[NotMqtt],
            Self::Silent => &[NotMqtt, BrokerBusy, NetworkSlow],
        })
    }
}

impl LoginFailure {
    /// What the broker's number means, in the standard's words; `None` where there is no number, or none of the standard's.
    pub const fn meaning(&self) -> Option<&'static str> {
        match self {
            Self::Connack3(code) => return_code(*code),
            Self::Connack5(code) => reason(*code),
            _ => None,
        }
    }

    /// Behind the feature `hints`, because the texts take flash.
    fn write_meaning(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.meaning() {
            Some(meaning) if cfg!(feature = "hints") => write!(f, " ({meaning})"),
            _ => Ok(()),
        }
    }
}

/// What a return code of MQTT 3.1.1 means (table 3.1); `None` for one that it does not have, and for 0.
pub const fn return_code(code: u8) -> Option<&'static str> {
    Some(match code {
        1 => "unacceptable protocol version",
        2 => "identifier rejected",
        3 => "server unavailable",
        4 => "bad user name or password",
        5 => "not authorized",
        _ => return None,
    })
}

/// What a reason code of MQTT 5 from 0x80 on means (table 2.6), wherever it comes; `None` for one that it does not have.
pub const fn reason(code: u8) -> Option<&'static str> {
    Some(match code {
        0x80 => "unspecified error",
        0x81 => "malformed packet",
        0x82 => "protocol error",
        0x83 => "implementation specific error",
        0x84 => "unsupported protocol version",
        0x85 => "client identifier not valid",
        0x86 => "bad user name or password",
        0x87 => "not authorized",
        0x88 => "server unavailable",
        0x89 => "server busy",
        0x8a => "banned",
        0x8b => "server shutting down",
        0x8c => "bad authentication method",
        0x8d => "keep alive timeout",
        0x8e => "session taken over",
        0x8f => "topic filter invalid",
        0x90 => "topic name invalid",
        0x91 => "packet identifier in use",
        0x92 => "packet identifier not found",
        0x93 => "receive maximum exceeded",
        0x94 => "topic alias invalid",
        0x95 => "packet too large",
        0x96 => "message rate too high",
        0x97 => "quota exceeded",
        0x98 => "administrative action",
        0x99 => "payload format invalid",
        0x9a => "retain not supported",
        0x9b => "QoS not supported",
        0x9c => "use another server",
        0x9d => "server moved",
        0x9e => "shared subscriptions not supported",
        0x9f => "connection rate exceeded",
        0xa0 => "maximum connect time",
        0xa1 => "subscription identifiers not supported",
        0xa2 => "wildcard subscriptions not supported",
        _ => return None,
    })
}

impl fmt::Display for LoginFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Closed => f.write_str("the broker closed the connection instead of answering"),
            Self::Connack3(code) => {
                write!(f, "the broker refused the login with return code {code}")?;
                self.write_meaning(f)
            }
            Self::Connack5(code) => {
                write!(
                    f,
                    "the broker refused the login with reason code 0x{code:02x}"
                )?;
                self.write_meaning(f)
            }
            Self::NotMqtt => f.write_str("the server sent something that is not MQTT"),
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

    #[test]
    fn every_code_of_the_standard_has_a_meaning_and_no_other() {
        let count = |has: fn(u8) -> bool| (0..=u8::MAX).filter(|code| has(*code)).count();
        assert_eq!(count(|code| return_code(code).is_some()), 5);
        assert_eq!(count(|code| reason(code).is_some()), 0xa2 - 0x7f);
        assert_eq!(LoginFailure::Connack5(0x8a).meaning(), Some("banned"));
        assert_eq!(LoginFailure::Closed.meaning(), None);
        // What no standard has says nothing for sure.
        assert_eq!(LoginFailure::Connack5(0xff).causes().count(), 2);
    }
}
