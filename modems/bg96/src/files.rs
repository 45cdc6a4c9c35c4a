//! Credentials as files in the modem's flash (sheet 3).
//!
//! A modem that loses its host in the middle of an upload keeps the bytes that it has. After a reset of
//! the MCU alone it even fills the file up with the commands of the new firmware. So that half a file
//! never passes for a credential, each upload has a *marker*: a file of one byte whose name says which
//! file is being written. The marker is written before the first byte of the upload and deleted when
//! the modem has confirmed the last. A file with a marker counts as absent, and bring-up deletes both.

use sectag::at::{Fields, InvalidInput, answer, decimal};
use sectag::modem::{Out, Then, World, ask, decide};
use sectag::{AtError, Code, Tag};

use crate::{Bg96, CLOSE_FILE, DELETE, LOOK_FOR_MARKERS, Options, Script};

/// The largest tag whose file name is 8.3.
pub(crate) const MAX_TAG: u32 = 999_999;

/// The extensions of our files by their number: 0 to 2 are credentials in the order of
/// [`Kind::ALL`](sectag::Kind::ALL), [`MARKERS`] and up are their markers.
static EXTENSIONS: [&str; 6] = ["ca", "crt", "key", "xca", "xcr", "xke"];
/// The number of the first marker.
pub(crate) const MARKERS: u8 = 3;

/// The error of the file system for a file that does not exist.
const ABSENT: Code = Code::Cme(405);

/// What a flow left in the modem when it was dropped, failed, or ended with a reset of the MCU.
pub(crate) struct Leftovers {
    /// Markers of an earlier life of the MCU may be in the file system.
    pub(crate) unknown: bool,
    /// A file may be open whose handle is not known.
    pub(crate) open: bool,
    /// The file whose upload has begun and not ended.
    pub(crate) unfinished: Option<(Tag, u8)>,
    /// The handle of a file that was opened and not closed.
    pub(crate) handle: Option<u32>,
}

impl Leftovers {
    pub(crate) const fn new() -> Self {
        Self {
            unknown: true,
            open: true,
            unfinished: None,
            handle: None,
        }
    }
}

/// Scratch of the cleanup.
pub(crate) struct Cleanup {
    /// The cleanup is part of a bring-up.
    at_start: bool,
    /// The file system was searched for markers.
    looked: bool,
    /// A refused deletion may be tried once more.
    again: bool,
    /// The number of files and markers that were deleted, two for each credential in `marked`.
    done: u8,
    /// The credentials that have a marker. Normally there is one at most; after several resets, the
    /// first few.
    marked: heapless::Vec<(Tag, u8), 4>,
}

impl Cleanup {
    pub(crate) const fn new() -> Self {
        Self {
            at_start: false,
            looked: false,
            again: false,
            done: 0,
            marked: heapless::Vec::new(),
        }
    }
}

impl<O: Options> Bg96<O> {
    /// Closes a file that was left open and deletes an upload that did not end, with its marker. After
    /// a start of MCU or modem the script also searches for markers.
    pub(crate) const CLEANUP: Script<O> = &[decide(|modem, _, _| Self::clean_up(modem, false))];

    /// Closes the file by its handle, even if it is not open any more.
    pub(crate) const CLOSE_FILE: Script<O> = &[ask("AT+QFCLOSE={o}").then(Self::file_closed)];

    /// Deletes a file and then its marker, so that a reset in between leaves the file marked.
    pub(crate) const DELETE: Script<O> = &[
        decide(Self::is_any_unwanted),
        ask("AT+QFDEL=\"{f}\"").then(Self::file_deleted),
    ];

    pub(crate) const LOOK_FOR_MARKERS: Script<O> = &[ask("AT+QFLST=\"*\"")
        .each(Self::marker_listed)
        .then(Self::markers_listed)];

    pub(crate) fn clean_up(&mut self, at_start: bool) -> Then {
        self.cleanup = Cleanup {
            at_start,
            again: true,
            ..Cleanup::new()
        };
        // The upload that is known comes first, then the markers that a search finds.
        self.cleanup.marked.extend(self.leftovers.unfinished);
        Then::To(if self.leftovers.handle.is_some() {
            CLOSE_FILE
        } else {
            DELETE
        })
    }

    fn file_closed(&mut self, _: &mut World<'_>, _: Option<&[u8]>) -> Then {
        self.leftovers.handle = None;
        Then::To(DELETE)
    }

    fn is_any_unwanted(&mut self, world: &mut World<'_>, _: Option<&[u8]>) -> Then {
        if usize::from(self.cleanup.done) < 2 * self.cleanup.marked.len() {
            return Then::Next;
        }
        self.leftovers.unfinished = None;
        if self.leftovers.unknown && !self.cleanup.looked {
            return Then::To(LOOK_FOR_MARKERS);
        }
        self.leftovers.unknown = false;
        self.cleaned_up(world, true)
    }

    /// Writes the name of the next file to delete.
    pub(crate) fn write_unwanted_file(&self, out: &mut Out<'_>) {
        let Cleanup { done, marked, .. } = &self.cleanup;
        if let Some(&(tag, file)) = marked.get(usize::from(done / 2)) {
            write_name(tag, file + done % 2 * MARKERS, out);
        }
    }

    fn file_deleted(&mut self, world: &mut World<'_>, answer: Option<&[u8]>) -> Then {
        // Some firmware says only `ERROR` for a file that does not exist. So does one that still had
        // bytes of a broken upload in front of the command, and then the file is still there.
        if answer.is_none() && world.code == Code::Plain && self.cleanup.again {
            self.cleanup.again = false;
            return Then::Same;
        }
        self.cleanup.again = true;
        if answer.is_none() && !matches!(world.code, Code::Plain | ABSENT) {
            // The next cleanup searches again.
            self.leftovers.unknown = true;
            return self.cleaned_up(world, false);
        }
        self.cleanup.done += 1;
        Then::To(DELETE)
    }

    fn marker_listed(&mut self, _: &mut World<'_>, line: &[u8]) {
        if let Some((tag, marker @ MARKERS.., _)) = listed(line) {
            let _ = self.cleanup.marked.push((tag, marker - MARKERS));
        }
    }

    fn markers_listed(&mut self, world: &mut World<'_>, answer: Option<&[u8]>) -> Then {
        if answer.is_none() && !is_empty(world.code) {
            return self.cleaned_up(world, false);
        }
        self.cleanup.looked = true;
        Then::To(DELETE)
    }

    /// Ends the cleanup. A bring-up goes on even after a failure: a file that cannot be deleted is no
    /// reason to stay down.
    fn cleaned_up(&mut self, world: &mut World<'_>, done: bool) -> Then {
        if self.cleanup.at_start {
            return self.look_for_sim(world);
        }
        if done {
            return Then::End;
        }
        world.fail(AtError::Refused(world.code))
    }
}

/// Returns whether this refusal of a list means that the list is empty, which some firmware reports as
/// an error.
pub(crate) fn is_empty(code: Code) -> bool {
    matches!(code, Code::Plain | ABSENT)
}

/// Refuses a tag whose file name would not be 8.3.
pub(crate) fn check_tag(tag: Tag) -> Result<(), InvalidInput> {
    if tag.0 > MAX_TAG {
        return Err(InvalidInput::OutOfRange { limit: MAX_TAG });
    }
    Ok(())
}

/// Returns the extension of a file.
pub(crate) fn extension(file: u8) -> &'static str {
    EXTENSIONS[usize::from(file) % EXTENSIONS.len()]
}

/// Writes the name of a file. The manual strongly recommends 8.3 names. Names are global to the modem,
/// so ours begin with a prefix of their own.
pub(crate) fn write_name(tag: Tag, file: u8, out: &mut Out<'_>) {
    out.bytes(b"st");
    out.int(tag.0);
    out.byte(b'.');
    out.bytes(extension(file).as_bytes());
}

/// The inverse of [`write_name`]; returns `None` for files of others.
pub(crate) fn parse(name: &[u8]) -> Option<(Tag, u8)> {
    // A sibling lists files with their drive (sheet 3).
    let name = name.strip_prefix(b"UFS:").unwrap_or(name);
    let name = name.strip_prefix(b"st")?;
    let dot = name.iter().position(|&byte| byte == b'.')?;
    let (digits, extension) = name.split_at(dot);
    let tag = decimal(digits)?;
    // `write_name` writes no leading zeros.
    if tag > MAX_TAG || digits.len() > 6 || (digits.len() > 1 && digits[0] == b'0') {
        return None;
    }
    let file = EXTENSIONS
        .iter()
        .position(|known| known.as_bytes() == &extension[1..])?;
    Some((Tag(tag), file as u8))
}

/// Returns the file that the next field names, if it is one of ours.
pub(crate) fn entry(fields: &mut Fields<'_>) -> Option<(Tag, u8)> {
    let quoted = fields.next()?;
    parse(quoted.strip_prefix(b"\"")?.strip_suffix(b"\"")?)
}

/// Reads `+QFLST: "st7.ca",1234`: file and length, if the file is one of ours.
pub(crate) fn listed(line: &[u8]) -> Option<(Tag, u8, Option<u32>)> {
    let mut fields = Fields::new(answer(line, "+QFLST:")?);
    let (tag, file) = entry(&mut fields)?;
    Some((tag, file, fields.int()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_of_others_are_not_ours() {
        for other in [
            "rootCA.pem",
            "st.ca",
            "st1.pem",
            "st01.ca",
            "st+1.ca",
            "st1.ca.bak",
            "st 1.ca",
            "st1,2.ca",
            "st1000000.ca",
            "st0000001.ca",
            "security/",
        ] {
            assert_eq!(parse(other.as_bytes()), None, "{other}");
        }
        assert_eq!(parse(b"UFS:st1.ca"), Some((Tag(1), 0)));
    }

    #[test]
    fn entries_are_read_with_or_without_their_length() {
        let marker = Some((Tag(7), 5, Some(1)));
        assert_eq!(listed(b"+QFLST: \"st7.xke\",1"), marker);
        assert_eq!(listed(b"+QFLST: \"UFS:st7.crt\""), Some((Tag(7), 1, None)));
        for other in [
            &b"+QFLST: st7.ca,1"[..],
            b"+QFLST: \"security/\",2",
            b"+QFOPEN: \"st7.ca\",1",
        ] {
            assert_eq!(listed(other), None);
        }
    }
}
