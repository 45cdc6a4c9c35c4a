//! The file system: plain and secure files, tokens, alerts (sheet 3.5, 4.9, 5.4).

use std::collections::BTreeMap;

pub(super) const NOT_EXISTS: i32 = -10_341;
const INVALID_TOKEN_ALERT: i32 = -10_365;
const INVALID_HANDLE: i32 = -10_335;
const INVALID_OFFSET: i32 = -10_337;
const SIZE_EXCEEDED: i32 = -10_310;
const NOT_ALIGNED: i32 = -10_296;
const ALREADY_OPEN: i32 = -10_369;
const BAD_MODE: i32 = -10_330;
const NO_VALID_COPY: i32 = -10_334;

// Attributes of a file, and bits of its info.
const FAIL_SAFE: u32 = 0x01;
const SECURE: u32 = 0x02;
const NO_SIGNATURE: u32 = 0x04;
const VENDOR_TOKEN: u32 = 0x10;
const PUBLIC_WRITE: u32 = 0x20;
const PUBLIC_READ: u32 = 0x40;
const INFO_NOT_FAIL_SAFE: u16 = 1 << 2;
const INFO_NOT_VALID: u16 = 1 << 3;
const INFO_SECURE: u16 = 1 << 10;
const INFO_NO_SIGNATURE: u16 = 1 << 11;

#[derive(Clone)]
struct File {
    content: Vec<u8>,
    room: usize,
    flags: u32,
    token: u32,
    valid: bool,
}

struct Handle {
    name: String,
    /// The content that is being written; `None` if the file is open for reading.
    written: Option<Vec<u8>>,
    room: usize,
    flags: u32,
    token: u32,
}

#[derive(Default)]
pub(super) struct Files {
    stored: BTreeMap<String, File>,
    handles: BTreeMap<u32, Handle>,
    next: u32,
    /// The number of wrong tokens, which survives a restart.
    pub(super) alerts: u32,
}

impl Files {
    pub(super) fn all(&self) -> BTreeMap<String, Vec<u8>> {
        let valid = self.stored.iter().filter(|(_, file)| file.valid);
        valid
            .map(|(name, file)| (name.clone(), file.content.clone()))
            .collect()
    }

    pub(super) fn put(&mut self, name: &str, content: &[u8]) {
        let file = File {
            content: content.to_vec(),
            room: content.len(),
            flags: FAIL_SAFE,
            token: 0,
            valid: true,
        };
        self.stored.insert(name.to_owned(), file);
    }

    /// Returns the content for TLS, which needs no token.
    pub(super) fn content(&self, name: &str) -> Option<Vec<u8>> {
        let file = self.stored.get(name)?;
        file.valid.then(|| file.content.clone())
    }

    /// Restarts the file system: files that were open for writing have no valid copy, unless they are
    /// fail-safe.
    pub(super) fn restart(&mut self) {
        self.handles.clear();
    }

    fn may(&mut self, name: &str, token: u32, free: u32) -> Result<(), i32> {
        let Some(file) = self.stored.get(name) else {
            return Err(NOT_EXISTS);
        };
        if file.flags & SECURE == 0 || file.flags & free != 0 || file.token == token {
            return Ok(());
        }
        self.alerts += 1;
        Err(INVALID_TOKEN_ALERT)
    }

    pub(super) fn open(&mut self, mode: u32, token: u32, name: &str) -> Result<(u32, u32), i32> {
        if self.handles.values().any(|handle| handle.name == name) {
            return Err(ALREADY_OPEN);
        }
        let unit = *[256, 1024, 4096, 16_384, 65_536]
            .get((mode >> 8 & 0xf) as usize)
            .ok_or(BAD_MODE)?;
        let room = (mode & 0xff) as usize * unit;
        let flags = mode >> 16;
        let exists = self.stored.contains_key(name);
        let mut handle = Handle {
            name: name.to_owned(),
            written: None,
            room,
            flags,
            token,
        };
        match mode >> 12 & 0xf {
            0 => {
                self.may(name, token, PUBLIC_READ)?;
                if self.stored.get(name).is_some_and(|file| !file.valid) {
                    return Err(NO_VALID_COPY);
                }
            }
            3 | 1 if exists => {
                self.may(name, token, PUBLIC_WRITE)?;
                if let Some(file) = self.stored.get_mut(name) {
                    handle.flags = file.flags;
                    handle.token = file.token;
                    handle.room = file.room.max(room);
                    // Without fail-safe the old content is lost at once (sheet 1.9).
                    file.valid &= file.flags & FAIL_SAFE != 0;
                }
                handle.written = Some(Vec::new());
            }
            2 | 3 if !exists => {
                if room == 0 {
                    return Err(-10_301);
                }
                if flags & SECURE == 0 {
                    handle.token = 0;
                } else if flags & VENDOR_TOKEN == 0 {
                    // The chip creates a token.
                    handle.token = 0x1000_0000 + self.next;
                }
                handle.written = Some(Vec::new());
            }
            2 => return Err(-10_326),
            _ => return Err(BAD_MODE),
        }
        self.next += 1;
        let token = handle.token;
        self.handles.insert(self.next, handle);
        Ok((self.next, token))
    }

    pub(super) fn write(&mut self, handle: u32, offset: usize, bytes: &[u8]) -> i32 {
        let Some(handle) = self.handles.get_mut(&handle) else {
            return INVALID_HANDLE;
        };
        let Some(written) = &mut handle.written else {
            return INVALID_HANDLE;
        };
        if handle.flags & SECURE != 0 && !offset.is_multiple_of(16) {
            return NOT_ALIGNED;
        }
        if offset > written.len() {
            return INVALID_OFFSET;
        }
        if offset + bytes.len() > handle.room {
            return SIZE_EXCEEDED;
        }
        written.truncate(offset);
        written.extend(bytes);
        bytes.len() as i32
    }

    pub(super) fn read(&self, handle: u32, offset: usize, len: usize) -> Result<Vec<u8>, i32> {
        let handle = self.handles.get(&handle).ok_or(INVALID_HANDLE)?;
        let file = self.stored.get(&handle.name).ok_or(INVALID_HANDLE)?;
        if handle.written.is_some() {
            return Err(INVALID_HANDLE);
        }
        let rest = file.content.get(offset..).ok_or(INVALID_OFFSET)?;
        Ok(rest[..rest.len().min(len)].to_vec())
    }

    pub(super) fn close(&mut self, handle: u32, signature: &[u8]) -> i32 {
        let Some(handle) = self.handles.remove(&handle) else {
            return INVALID_HANDLE;
        };
        if signature == b"A" {
            return 0;
        }
        if let Some(content) = handle.written {
            let file = File {
                content,
                room: handle.room,
                flags: handle.flags,
                token: handle.token,
                valid: true,
            };
            self.stored.insert(handle.name, file);
        }
        0
    }

    pub(super) fn delete(&mut self, token: u32, name: &str) -> i32 {
        match self.may(name, token, PUBLIC_WRITE) {
            Ok(()) => {
                self.stored.remove(name);
                0
            }
            Err(code) => code,
        }
    }

    /// Returns name and size of each file, for a list.
    pub(super) fn rooms(&self) -> Vec<(String, u32)> {
        let all = self.stored.iter();
        all.map(|(name, file)| (name.clone(), file.room as u32))
            .collect()
    }

    /// Returns flags, length and size.
    pub(super) fn info(&mut self, token: u32, name: &str) -> Result<(u16, u32, u32), i32> {
        self.may(name, token, PUBLIC_READ)?;
        let Some(file) = self.stored.get(name) else {
            return Err(NOT_EXISTS);
        };
        let bit = |on: bool, bit: u16| if on { bit } else { 0 };
        let flags = bit(file.flags & FAIL_SAFE == 0, INFO_NOT_FAIL_SAFE)
            | bit(!file.valid, INFO_NOT_VALID)
            | bit(file.flags & SECURE != 0, INFO_SECURE)
            | bit(file.flags & NO_SIGNATURE != 0, INFO_NO_SIGNATURE);
        Ok((flags, file.content.len() as u32, file.room as u32))
    }
}
