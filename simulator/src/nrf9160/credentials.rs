//! The two credential stores: the modem's own, and the application's flash in native builds from 2.6
//! on.

use std::collections::BTreeMap;

use sha2::{Digest, Sha256};

use super::options::Nrf9160Options;

pub(super) const CA: u8 = 0;
pub(super) const CERT: u8 = 1;
pub(super) const KEY: u8 = 2;
pub(super) const PSK: u8 = 3;

/// The highest tag of the user; the ones above are reserved.
pub(super) const TAG_LIMIT: i64 = 2_147_483_647;
/// `CONFIG_SLM_NATIVE_TLS_CREDENTIAL_BUFFER_SIZE`: the size of all items of a tag, each with its NUL
/// (sheet 7.2, 7.3).
pub(super) const NATIVE_BLOCK: usize = 4096;

/// The store of `%CMNG` (sheet 6). It survives everything.
#[derive(Default)]
pub(super) struct ModemStore {
    items: BTreeMap<(u32, u8), Vec<u8>>,
}

impl ModemStore {
    /// Returns the store of a new modem (sheet 6: reserved tags may show up in the list).
    pub(super) fn new(options: &Nrf9160Options) -> Self {
        let mut store = Self::default();
        if options.factory_credentials {
            for (tag, kind) in [(4_294_967_292, 11), (4_294_967_293, 10), (4_294_967_294, 6)] {
                store.put(tag, kind, format!("factory {kind}").as_bytes());
            }
        }
        store
    }

    pub(super) fn get(&self, tag: u32, kind: u8) -> Option<&Vec<u8>> {
        self.items.get(&(tag, kind))
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (u32, u8, &Vec<u8>)> {
        self.items
            .iter()
            .map(|((tag, kind), content)| (*tag, *kind, content))
    }

    /// Stores an item without any check.
    pub(super) fn put(&mut self, tag: u32, kind: u8, content: &[u8]) {
        self.items.insert((tag, kind), content.to_vec());
    }

    /// Stores an item, or returns the `+CME ERROR`.
    pub(super) fn write(
        &mut self,
        tag: u32,
        kind: u8,
        content: &[u8],
        options: &Nrf9160Options,
    ) -> Result<(), u16> {
        if options.profile.validates_content && kind <= CERT && !is_certificate(content) {
            return Err(527);
        }
        if self.get(tag, kind).is_some() && !options.overwrites {
            return Err(519);
        }
        let others: usize = self
            .iter()
            .filter(|(other, other_kind, _)| (*other, *other_kind) != (tag, kind))
            .map(|(_, _, content)| content.len())
            .sum();
        if content.len() > options.item_limit || others + content.len() > options.store_size {
            return Err(515);
        }
        self.put(tag, kind, content);
        Ok(())
    }

    pub(super) fn remove(&mut self, tag: u32, kind: u8) -> Result<(), u16> {
        self.items.remove(&(tag, kind)).map(drop).ok_or(513)
    }
}

/// Returns whether the content is PEM with real line breaks (sheet 6: 527 for the two characters `\n`,
/// and for mangled CR LF).
fn is_certificate(content: &[u8]) -> bool {
    use rustls::pki_types::CertificateDer;
    use rustls::pki_types::pem::PemObject;
    let mut certificates = CertificateDer::pem_slice_iter(content).peekable();
    certificates.peek().is_some() && certificates.all(|certificate| certificate.is_ok())
}

/// Returns the digest in upper case, as the list shows it.
pub(super) fn digest(content: &[u8], options: &Nrf9160Options) -> String {
    if options.zero_digests {
        return "0".repeat(64);
    }
    Sha256::digest(content)
        .iter()
        .map(|byte| format!("{byte:02X}"))
        .collect()
}

/// The store of `#XCMNG` from 2.6 on (sheet 7.3). It is not encrypted, and cannot be read over AT.
#[derive(Default)]
pub(super) struct Settings {
    /// The items, oldest first; the list shows the newest first (sheet 12.11).
    items: Vec<(u32, u8, Vec<u8>)>,
}

impl Settings {
    pub(super) fn get(&self, tag: u32, kind: u8) -> Option<&Vec<u8>> {
        self.iter()
            .find(|(other, other_kind, _)| (*other, *other_kind) == (tag, kind))
            .map(|(_, _, content)| content)
    }

    /// Returns the items, newest first.
    pub(super) fn iter(&self) -> impl Iterator<Item = (u32, u8, &Vec<u8>)> {
        self.items
            .iter()
            .rev()
            .map(|(tag, kind, content)| (*tag, *kind, content))
    }

    pub(super) fn put(&mut self, tag: u32, kind: u8, content: &[u8]) {
        self.remove(tag, kind);
        self.items.push((tag, kind, content.to_vec()));
    }

    /// Stores an item; returns false if it does not fit. TRAP, sheet 7.3: an overwritten item still
    /// counts.
    pub(super) fn write(&mut self, tag: u32, kind: u8, content: &[u8], size: usize) -> bool {
        let sum = |items: &mut dyn Iterator<Item = (u32, u8, &Vec<u8>)>| -> usize {
            items.map(|(_, _, content)| content.len() + 1).sum()
        };
        let of_tag = sum(&mut self.iter().filter(|(other, _, _)| *other == tag));
        let all = sum(&mut self.iter());
        let fits = of_tag + content.len() < NATIVE_BLOCK && all + content.len() < size;
        if fits {
            self.put(tag, kind, content);
        }
        fits
    }

    pub(super) fn remove(&mut self, tag: u32, kind: u8) {
        self.items
            .retain(|(other, other_kind, _)| (*other, *other_kind) != (tag, kind));
    }
}

/// The credentials of a TLS connection.
#[derive(Clone, Debug, Default)]
pub(super) struct Material {
    pub(super) ca: Option<Vec<u8>>,
    pub(super) cert: Option<Vec<u8>>,
    pub(super) key: Option<Vec<u8>>,
}

impl Material {
    /// Loads the credentials in the firmware's order.
    pub(super) fn load(mut get: impl FnMut(u8) -> Option<Vec<u8>>) -> Self {
        Self {
            ca: get(CA),
            cert: get(CERT),
            key: get(KEY),
        }
    }

    /// Loads native credentials of up to 2.5 (sheet 7.2): they share one block, and an item that does
    /// not fit or does not exist is skipped silently.
    pub(super) fn load_mapped(store: &ModemStore, tag: u32) -> Self {
        let mut used = 0;
        Self::load(|kind| {
            let content = store.get(tag * 10 + u32::from(kind), CA)?;
            let size = content.len() + 1;
            (used + size <= NATIVE_BLOCK).then(|| {
                used += size;
                content.clone()
            })
        })
    }

    pub(super) fn is_empty(&self) -> bool {
        self.ca.is_none() && self.cert.is_none() && self.key.is_none()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_native_block_drops_what_does_not_fit() {
        let mut store = ModemStore::default();
        // Sheet 7.2: a typical AWS set with LF just fits, with CR LF its key is dropped.
        for (kind, length) in [(CA, 1188), (CERT, 1224), (KEY, 1679)] {
            store.put(3210 + u32::from(kind), CA, &vec![b'x'; length]);
        }
        assert!(Material::load_mapped(&store, 321).key.is_some());
        store.put(3210, CA, &vec![b'x'; 1188 + 20]);
        let loaded = Material::load_mapped(&store, 321);
        assert!(loaded.key.is_none() && loaded.cert.is_some());
    }

    #[test]
    fn an_overwrite_counts_twice_in_the_settings() {
        let mut settings = Settings::default();
        assert!(settings.write(1, CA, &[b'x'; 2100], 12288));
        assert!(!settings.write(1, CA, &[b'x'; 2100], 12288));
        settings.remove(1, CA);
        assert!(settings.write(1, CA, &[b'x'; 4095], 12288));
        assert!(!settings.write(2, CA, &[b'x'; 4096], 12288));
    }
}
