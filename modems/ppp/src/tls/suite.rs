//! The cipher suite, with a look at each record once it is decrypted.
//!
//! embedded-tls 0.19 panics on messages that have no place where they come (sheet C.3), also when they are encrypted: a server that has proven
//! who it is could stop the device. The only seam behind the decryption is the cipher itself, so that is where they are refused. How far
//! the connection is, the cipher is told by the [gate](super::gate), in the one place that both see: the header, which is signed with the record.

use aes_gcm::aead::consts::{U0, U12, U16};
use aes_gcm::aead::generic_array::GenericArray;
use aes_gcm::aead::{AeadCore, AeadInPlace, Error, KeyInit, KeySizeUser};
use aes_gcm::{Aes128Gcm, Nonce, Tag};
use embedded_tls::TlsCipherSuite;
use sha2::Sha256;

/// What the gate puts into the version of a header once the handshake is complete; no version has it.
pub(crate) const OPEN: u8 = 0x80;
/// Where in the header.
pub(crate) const VERSION: usize = 1;

const HANDSHAKE: u8 = 22;
const NEW_SESSION_TICKET: u8 = 4;

/// TLS_AES_128_GCM_SHA256.
pub(crate) struct CheckedAes128Gcm;

impl TlsCipherSuite for CheckedAes128Gcm {
    const CODE_POINT: u16 = 0x1301;
    type Cipher = Checked;
    type KeyLen = U16;
    type IvLen = U12;
    type Hash = Sha256;
    type LabelBufferSize = aes_gcm::aead::consts::U64;
}

/// AES-128-GCM that gives out only what embedded-tls can take.
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

/// Whether the content of a record, with its kind and the padding behind it, has a place.
fn may_come(content: &[u8], open: bool) -> bool {
    // Nothing but padding has no kind (RFC 8446, 5.4).
    let Some(at) = content.iter().rposition(|byte| *byte != 0) else {
        return false;
    };
    content[at] != HANDSHAKE || !open || are_tickets(&content[..at])
}

/// After the handshake a server may send tickets for later, which nobody here uses, and requests that nobody here answers.
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
            // Encrypted extensions, a certificate request, a key update; something behind a ticket.
            (b"\x08\x00\x00\x02\x00\x00\x16", true, false),
            (b"\x0D\x00\x00\x03\x00\x00\x00\x16", true, false),
            (b"\x18\x00\x00\x01\x00\x16", true, false),
            (
                &[&ticket[..], b"\x08\x00\x00\x00\x16"].concat(),
                true,
                false,
            ),
            (b"\x04\x00\x00\x03ab\x16", true, false),
            // Nothing but padding.
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
