//! The flash file system and its checksum.

use std::collections::BTreeMap;

use super::parser::Fail;

/// The default size of an upload (sheet section 3).
pub(super) const DEFAULT_UPLOAD: u64 = 10_240;
/// The longest file name (sheet section 3 [FILE]).
const NAME_LIMIT: usize = 80;
const OPEN_LIMIT: usize = 10;

pub(super) struct Files {
    stored: BTreeMap<String, Vec<u8>>,
    capacity: usize,
    handles: BTreeMap<u32, Handle>,
    next_handle: u32,
}

struct Handle {
    name: String,
    position: usize,
    read_only: bool,
}

/// Returns the name without the prefix of the only storage.
fn bare_name(name: &str) -> Result<&str, Fail> {
    let bare = name.strip_prefix("UFS:").unwrap_or(name);
    // `RAM:` is another storage of relatives; UNCONFIRMED on BG96 (sheet 3), so there is none here.
    if bare.is_empty() || bare.len() > NAME_LIMIT || bare.contains([':', '*', '/', '\\']) {
        return Err(Fail::Cme(406));
    }
    Ok(bare)
}

impl Files {
    pub(super) fn new(capacity: usize) -> Self {
        Self {
            stored: BTreeMap::new(),
            capacity,
            handles: BTreeMap::new(),
            next_handle: 1,
        }
    }

    pub(super) fn all(&self) -> &BTreeMap<String, Vec<u8>> {
        &self.stored
    }

    pub(super) fn put(&mut self, name: &str, contents: &[u8]) {
        self.stored.insert(name.to_owned(), contents.to_vec());
    }

    pub(super) fn used(&self) -> usize {
        self.stored.values().map(Vec::len).sum()
    }

    pub(super) fn capacity(&self) -> usize {
        self.capacity
    }

    pub(super) fn free(&self) -> usize {
        self.capacity.saturating_sub(self.used())
    }

    pub(super) fn get(&self, name: &str) -> Result<&Vec<u8>, Fail> {
        self.stored.get(bare_name(name)?).ok_or(Fail::Cme(405))
    }

    pub(super) fn delete(&mut self, name: &str) -> Result<(), Fail> {
        if name == "*" {
            // TRAP, sheet section 3: this deletes the files of all hosts.
            self.stored.clear();
            self.handles.clear();
            return Ok(());
        }
        let name = bare_name(name)?;
        if self.handles.values().any(|handle| handle.name == name) {
            return Err(Fail::Cme(426));
        }
        self.stored.remove(name).map(drop).ok_or(Fail::Cme(405))
    }

    /// Makes an empty file for an upload of `size` bytes.
    pub(super) fn begin_upload(&mut self, name: &str, size: usize) -> Result<String, Fail> {
        let name = bare_name(name)?;
        if self.stored.contains_key(name) {
            return Err(Fail::Cme(407));
        }
        if self.free() == 0 {
            return Err(Fail::Cme(403));
        }
        if size > self.free() {
            return Err(Fail::Cme(420));
        }
        self.stored.insert(name.to_owned(), Vec::new());
        Ok(name.to_owned())
    }

    pub(super) fn append(&mut self, name: &str, byte: u8) {
        if let Some(file) = self.stored.get_mut(name) {
            file.push(byte);
        }
    }

    pub(super) fn truncate_end(&mut self, name: &str, bytes: usize) {
        if let Some(file) = self.stored.get_mut(name) {
            file.truncate(file.len().saturating_sub(bytes));
        }
    }

    pub(super) fn open(&mut self, name: &str, mode: u64) -> Result<u32, Fail> {
        let name = bare_name(name)?.to_owned();
        if self.handles.len() >= OPEN_LIMIT {
            return Err(Fail::Cme(413));
        }
        if self.handles.values().any(|handle| handle.name == name) {
            return Err(Fail::Cme(426));
        }
        match mode {
            2 if !self.stored.contains_key(&name) => return Err(Fail::Cme(405)),
            1 => drop(self.stored.insert(name.clone(), Vec::new())),
            _ => drop(self.stored.entry(name.clone()).or_default()),
        }
        let handle = self.next_handle;
        self.next_handle += 1;
        self.handles.insert(
            handle,
            Handle {
                name,
                position: 0,
                read_only: mode == 2,
            },
        );
        Ok(handle)
    }

    pub(super) fn close(&mut self, handle: u32) -> Result<(), Fail> {
        self.handles.remove(&handle).map(drop).ok_or(Fail::Cme(416))
    }

    /// Returns name, handle and mode of each open file.
    pub(super) fn opened(&self) -> impl Iterator<Item = (&str, u32, u8)> {
        self.handles
            .iter()
            .map(|(handle, open)| (&*open.name, *handle, if open.read_only { 2 } else { 0 }))
    }

    /// Closes all files, as a reset does.
    pub(super) fn close_all(&mut self) {
        self.handles.clear();
    }

    pub(super) fn read(&mut self, handle: u32, limit: usize) -> Result<Vec<u8>, Fail> {
        let handle = self.handles.get_mut(&handle).ok_or(Fail::Cme(416))?;
        let file = self.stored.get(&handle.name).ok_or(Fail::Cme(405))?;
        let from = handle.position.min(file.len());
        let bytes = file[from..file.len().min(from.saturating_add(limit))].to_vec();
        handle.position = from + bytes.len();
        if bytes.is_empty() {
            Err(Fail::Cme(402))
        } else {
            Ok(bytes)
        }
    }

    pub(super) fn writable(&self, handle: u32) -> Result<(), Fail> {
        let handle = self.handles.get(&handle).ok_or(Fail::Cme(416))?;
        if handle.read_only {
            Err(Fail::Cme(414))
        } else {
            Ok(())
        }
    }

    /// Writes at the file's position; returns the size of the file.
    pub(super) fn write(&mut self, handle: u32, bytes: &[u8]) -> Result<usize, Fail> {
        let free = self.free();
        let handle = self.handles.get_mut(&handle).ok_or(Fail::Cme(416))?;
        let file = self.stored.get_mut(&handle.name).ok_or(Fail::Cme(405))?;
        let end = handle.position + bytes.len();
        if end.saturating_sub(file.len()) > free {
            return Err(Fail::Cme(420));
        }
        file.resize(file.len().max(end), 0);
        file[handle.position..end].copy_from_slice(bytes);
        handle.position = end;
        Ok(file.len())
    }

    pub(super) fn position(&self, handle: u32) -> Result<usize, Fail> {
        self.handles
            .get(&handle)
            .map(|handle| handle.position)
            .ok_or(Fail::Cme(416))
    }

    pub(super) fn seek(&mut self, handle: u32, offset: usize, whence: u64) -> Result<(), Fail> {
        let handle = self.handles.get_mut(&handle).ok_or(Fail::Cme(416))?;
        let size = self.stored.get(&handle.name).map_or(0, Vec::len);
        let position = match whence {
            0 => offset,
            1 => handle.position + offset,
            _ => size.saturating_sub(offset),
        };
        if position > size {
            return Err(Fail::Cme(425));
        }
        handle.position = position;
        Ok(())
    }

    pub(super) fn cut_at_position(&mut self, handle: u32) -> Result<(), Fail> {
        self.writable(handle)?;
        let handle = &self.handles[&handle];
        if let Some(file) = self.stored.get_mut(&handle.name) {
            file.truncate(handle.position);
        }
        Ok(())
    }
}

/// 16-bit XOR over big-endian pairs, an odd last byte counting as the high one (sheet section 3, verified on T8).
pub(super) fn checksum(bytes: &[u8]) -> u16 {
    bytes.chunks(2).fold(0, |sum, pair| {
        sum ^ u16::from_be_bytes([pair[0], pair.get(1).copied().unwrap_or(0)])
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn checksum_of_the_sheet_is_what_the_bg96_printed() {
        let pem = include_bytes!("t8.pem");
        assert_eq!(pem.len(), 1544);
        assert_eq!(checksum(pem), 0x5505);
    }

    #[test]
    fn an_odd_last_byte_is_the_high_one() {
        assert_eq!(checksum(&[0x12, 0x34, 0x56]), 0x1234 ^ 0x5600);
    }
}
