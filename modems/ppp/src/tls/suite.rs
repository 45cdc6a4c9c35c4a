//! The cipher suite, with a check of each record after its decryption.
//!
//! embedded-tls 0.19 panics on encrypted messages that must not come at their place (sheet C.3), so a
//! server that has proven its identity could stop the device. The only seam behind the decryption is
//! the cipher itself, so such messages are refused here. The [gate](super::gate) tells the cipher the
//! stage of the connection in the one place that both see: the header, which is authenticated together
//! with the record.

use aes_gcm::aead::consts::{U0, U12, U16};
use aes_gcm::aead::generic_array::GenericArray;
use aes_gcm::aead::{AeadCore, AeadInPlace, Error, KeyInit, KeySizeUser};
use aes_gcm::{Aes128Gcm, Nonce, Tag};
use embedded_tls::TlsCipherSuite;
use sha2::Sha256;

/// The bit that the gate sets in a header's version once the handshake is complete; no version has it.
pub(crate) const OPEN: u8 = 0x80;
/// The index of the version in the header.
pub(crate) const VERSION: usize = 1;

const HANDSHAKE: u8 = 22;
const NEW_SESSION_TICKET: u8 = 4;

/// The suite TLS_AES_128_GCM_SHA256.
pub(crate) struct CheckedAes128Gcm;

impl TlsCipherSuite for CheckedAes128Gcm {
    const CODE_POINT: u16 = 0x1301;
    type Cipher = Checked;
    type KeyLen = U16;
    type IvLen = U12;
    type Hash = Sha256;
    type LabelBufferSize = aes_gcm::aead::consts::U64;
}

/// AES-128-GCM that releases only records which embedded-tls can handle.
pub(crate) struct Checked(Aes128Gcm);

impl KeySizeUser for Checked {
    type KeySize = U16;
}

impl KeyInit for Checked {
    fn new(key: &GenericArray<u8, U16>) -> Self {
        Self(Aes128Gcm::new(key))
    }
}

impl AeadCore for Checked {
    type NonceSize = U12;
    type TagSize = U16;
    type CiphertextOverhead = U0;
}

impl AeadInPlace for Checked {
    fn encrypt_in_place_detached(
        &self,
        nonce: &Nonce<U12>,
        header: &[u8],
        content: &mut [u8],
    ) -> Result<Tag, Error> {
        self.0.encrypt_in_place_detached(nonce, header, content)
    }

    fn decrypt_in_place_detached(
        &self,
        nonce: &Nonce<U12>,
        header: &[u8],
        content: &mut [u8],
        tag: &Tag,
    ) -> Result<(), Error> {
        let mut header: [u8; 5] = header.try_into().map_err(|_| Error)?;
        let open = header[VERSION] & OPEN != 0;
        header[VERSION] &= !OPEN;
        self.0
            .decrypt_in_place_detached(nonce, &header, content, tag)?;
        may_come(content, open).then_some(()).ok_or(Error)
    }
}

/// Returns whether the content of a record, with its type and padding, may come at this stage.
fn may_come(content: &[u8], open: bool) -> bool {
    // A record of padding alone has no type (RFC 8446, 5.4).
    let Some(at) = content.iter().rposition(|byte| *byte != 0) else {
        return false;
    };
    content[at] != HANDSHAKE || !open || are_tickets(&content[..at])
}

/// Returns whether all messages are session tickets, which this client ignores. After the handshake a
/// server may send no other message that this client can handle.
fn are_tickets(mut messages: &[u8]) -> bool {
    while let [kind, high, middle, low, ref rest @ ..] = *messages {
        let len = u32::from_be_bytes([0, high, middle, low]) as usize;
        match rest.get(len..) {
            Some(behind) if kind == NEW_SESSION_TICKET => messages = behind,
            _ => return false,
        }
    }
    messages.is_empty()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_has_a_place_comes_out() {
        let ticket = b"\x04\x00\x00\x02ab";
        for (content, handshake, open) in [
            (&b"data\x17"[..], true, true),
            (b"data\x17\x00\x00", true, true),
            (b"\x01\x00\x15", true, true),
            // Tickets, one or two.
            (&[&ticket[..], b"\x16"].concat(), true, true),
            (&[&ticket[..], ticket, b"\x16\x00"].concat(), true, true),
            // Encrypted extensions, a certificate request, a key update; another message behind a
            // ticket.
            (b"\x08\x00\x00\x02\x00\x00\x16", true, false),
            (b"\x0D\x00\x00\x03\x00\x00\x00\x16", true, false),
            (b"\x18\x00\x00\x01\x00\x16", true, false),
            (
                &[&ticket[..], b"\x08\x00\x00\x00\x16"].concat(),
                true,
                false,
            ),
            (b"\x04\x00\x00\x03ab\x16", true, false),
            // Only padding.
            (b"\x00\x00", false, false),
            (b"", false, false),
        ] {
            assert_eq!(may_come(content, false), handshake, "{content:x?}");
            assert_eq!(may_come(content, true), open, "{content:x?}");
        }
    }

    #[test]
    fn the_mark_in_the_header_changes_nothing_but_the_judgement() {
        let cipher = Checked::new(&GenericArray::from([7; 16]));
        let nonce = GenericArray::from([9; 12]);
        let header = [23, 3, 3, 0, 23];
        let mut marked = header;
        marked[VERSION] |= OPEN;
        let mut content = *b"\x08\x00\x00\x02\x00\x00\x16";
        let plain = content;
        let tag = cipher
            .encrypt_in_place_detached(&nonce, &header, &mut content)
            .unwrap();
        let decrypt = |header: &[u8], content: &[u8; 7]| {
            let mut content = *content;
            let opened = cipher.decrypt_in_place_detached(&nonce, header, &mut content, &tag);
            opened.map(|()| content)
        };
        assert_eq!(decrypt(&header, &content), Ok(plain));
        assert!(decrypt(&marked, &content).is_err());
        let mut other = header;
        other[2] = 4;
        assert!(decrypt(&other, &content).is_err());
    }
}
