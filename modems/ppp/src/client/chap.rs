//! The response to a CHAP challenge (RFC 1994).

use md5::{Digest, Md5};

use super::packet::{Control, Packet, protocol};
use crate::login::Login;

pub(crate) const CHALLENGE: u8 = 1;
const RESPONSE: u8 = 2;
pub(crate) const SUCCESS: u8 = 3;
pub(crate) const FAILURE: u8 = 4;

/// A response. It is kept so that it can be repeated: if the peer's result is lost, the response has to
/// be sent again.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Response {
    id: u8,
    digest: [u8; 16],
}

impl Response {
    /// Returns the response to a challenge; `None` if the challenge has no value.
    pub(crate) fn to(challenge: &Control<'_>, login: &Login) -> Option<Self> {
        let (&len, rest) = challenge.data.split_first()?;
        let value = rest.get(..usize::from(len))?;
        if value.is_empty() {
            return None;
        }
        let mut md5 = Md5::new();
        md5.update([challenge.id]);
        md5.update(login.password());
        md5.update(value);
        Some(Self {
            id: challenge.id,
            digest: md5.finalize().into(),
        })
    }

    /// Returns whether a result belongs to this response.
    pub(crate) fn is_of(&self, result: &Control<'_>) -> bool {
        self.id == result.id
    }

    pub(crate) fn packet(&self, login: &Login) -> Packet {
        let mut packet = Packet::new(protocol::CHAP, RESPONSE, self.id);
        packet.put(&[16]);
        packet.put(&self.digest);
        packet.put(login.user());
        packet.sealed()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_answer_is_md5_of_number_secret_and_challenge() {
        let challenge = Control {
            code: CHALLENGE,
            id: 1,
            data: b"\x04abcdname",
        };
        let login = Login::new("me", "secret").unwrap();
        let response = Response::to(&challenge, &login).unwrap();
        // printf '\001secretabcd' | md5sum
        assert_eq!(
            response.digest,
            [
                0x40, 0xc7, 0x76, 0x52, 0x30, 0x9e, 0x96, 0x49, 0x7f, 0x83, 0x57, 0x4b, 0xc8, 0xc9,
                0x29, 0x52
            ]
        );
        let packet = response.packet(&login);
        assert_eq!(&packet.content()[..5], [2, 1, 0, 23, 16]);
        assert!(packet.content().ends_with(b"me"));
    }

    #[test]
    fn a_challenge_without_a_value_is_none() {
        for data in [&b""[..], b"\x00name", b"\x05abcd"] {
            let challenge = Control {
                code: CHALLENGE,
                id: 1,
                data,
            };
            assert!(Response::to(&challenge, &Login::NONE).is_none(), "{data:?}");
        }
    }
}
