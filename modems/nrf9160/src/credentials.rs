//! Credentials: `%CMNG` for the modem's own TLS, `#XCMNG` for native builds (sheet 6 and 7).
//!
//! The modem knows a credential by the user's tag. Native builds of 2.0 to 2.5 are an exception: they
//! keep each item as a CA under `tag * 10 + type`. That arithmetic is only here and in `open.rs`.
//!
//! An upload is one command line with the content in quotes. Nothing is stored before its last quote
//! and terminator, and the engine gets out of an unfinished line without completing it. So there is
//! never half a credential. All that a cleanup has to do is return to the network, which has to be left
//! for a change.

use core::convert::Infallible;

use embassy_time::{Duration, with_timeout};
use sectag::at::InvalidInput;
use sectag::clock::DateTime;
use sectag::inspect::Container;
use sectag::modem::Credentials;
use sectag::{
    Accepts, At, AtError, Code, Comparison, CredentialError, Digest, Feature, Hasher, Kind,
    OtherStore, Proof, ReadFrom, Source, Stored, Tag,
};
use zeroize::Zeroizing;

use crate::commands::{Arg, Command, GUEST_QUICK, GUEST_SLOW, STORE, fields};
use crate::dialect::Store;
use crate::{Family, Nrf9160};

/// The highest tag; the ones above are reserved (sheet 6).
const TAG_LIMIT: u32 = 2_147_483_647;
/// The longest content, in bytes: a line has 4095 characters (sheet 1.4), and 40 are for the command
/// around it.
const LINE_LIMIT: usize = 4095 - 40;
/// The longest content for `#XCMNG` up to 2.5, in bytes, given by its buffer (sheet 7.1).
const MAPPED_LIMIT: usize = 2099;
const CHUNK: usize = 128;
const SOURCE_LIMIT: Duration = Duration::from_secs(10);
/// How often a list is asked for that may be refused at random (sheet 7.3).
pub(crate) const SETTINGS_TRIES: u8 = 8;

/// Returns the `<type>` of a kind.
pub(crate) fn number(kind: Kind) -> u32 {
    Kind::ALL
        .iter()
        .position(|known| *known == kind)
        .unwrap_or(0) as u32
}

pub(crate) fn kind(number: u32) -> Option<Kind> {
    Kind::ALL.get(number as usize).copied()
}

pub(crate) fn check_tag(store: Store, tag: Tag) -> Result<(), InvalidInput> {
    let limit = match store {
        Store::Mapped => TAG_LIMIT / 10,
        _ => TAG_LIMIT,
    };
    if tag.0 <= limit {
        Ok(())
    } else {
        Err(InvalidInput::OutOfRange { limit })
    }
}

/// Reads tag and type of `%CMNG: <tag>,<type>,..`.
pub(crate) fn place(line: &[u8]) -> Option<(u32, u32)> {
    let mut fields = fields(line, "%CMNG:");
    Some((fields.int()?, fields.int()?))
}

/// Reads `%CMNG: <tag>,<type>,"<64 hex>"`. Old modem firmware prints zeros where it has no digest
/// (sheet 6).
fn item(line: &[u8]) -> Option<(u32, u32, Option<Digest>)> {
    let (number, of) = place(line)?;
    let digest = fields(line, "%CMNG:").nth(2);
    Some((number, of, digest.and_then(digest_of)))
}

/// Reads `#XCMNG: <tag>,<type>`.
pub(crate) fn settings_item(line: &[u8]) -> Option<(Tag, Kind)> {
    let mut fields = fields(line, "#XCMNG:");
    Some((Tag(fields.int()?), kind(fields.int()?)?))
}

/// Reads the end of `%CERTEXPIRY: <serial>,<from>,<to>`; times are `yyyymmddhhmmssZ`, in quotes or
/// without (sheet 6.2).
fn expiry(line: &[u8]) -> Option<DateTime> {
    let end = fields(line, "%CERTEXPIRY:").nth(2)?;
    let end = end.strip_prefix(b"\"").unwrap_or(end);
    let digits = end.get(..14)?;
    let number = |range: core::ops::Range<usize>| {
        digits[range].iter().try_fold(0_u16, |number, digit| {
            let digit = char::from(*digit).to_digit(10)?;
            Some(number * 10 + digit as u16)
        })
    };
    let small = |at: usize| Some(number(at..at + 2)? as u8);
    DateTime::new(
        number(0..4)?,
        small(4)?,
        small(6)?,
        small(8)?,
        small(10)?,
        small(12)?,
    )
}

fn digest_of(field: &[u8]) -> Option<Digest> {
    let [b'"', hex @ .., b'"'] = field else {
        return None;
    };
    let mut bytes = [0; 32];
    if hex.len() != 64 {
        return None;
    }
    for (byte, digits) in bytes.iter_mut().zip(hex.chunks(2)) {
        for digit in digits {
            *byte = *byte << 4 | char::from(*digit).to_digit(16)? as u8;
        }
    }
    (bytes != [0; 32]).then(|| Digest::from_bytes(bytes))
}

/// Returns which store the TLS in use reads in place of the modem's own, where this item is; `None` if
/// it reads this one.
fn elsewhere_in_modem(store: Store, tag: Tag) -> Option<OtherStore> {
    let reads = match store {
        Store::Modem => return None,
        Store::Mapped => ReadFrom::Numbers(tag.0.saturating_mul(10)),
        Store::Settings => ReadFrom::Store("#XCMNG"),
    };
    Some(OtherStore::new(tag, "%CMNG", reads))
}

/// A search for the credentials of a tag in the places of other TLS builds (sheet 7.4). It names one
/// number of the modem's own store after the other, and the caller lists the items of each.
pub(crate) struct Search {
    store: Store,
    tag: Tag,
    step: u8,
    /// The types under the tag's own number, a bit each.
    types: u8,
    /// Another number of the three that native builds up to 2.5 would use together holds a type 0.
    siblings: bool,
    /// A number that native builds up to 2.5 would use for this tag holds a type 0.
    mapped: bool,
}

impl Search {
    pub(crate) const NEW: Self = Self::new(Store::Modem, Tag(0));

    pub(crate) const fn new(store: Store, tag: Tag) -> Self {
        Self {
            store,
            tag,
            step: 0,
            types: 0,
            siblings: false,
            mapped: false,
        }
    }

    /// Returns the number to list next.
    pub(crate) fn next(&mut self) -> Option<u32> {
        loop {
            let step = self.step;
            self.step += 1;
            let number = match step {
                0 if self.store != Store::Modem => Some(self.tag.0),
                1..4 if self.is_alone() => {
                    let first = self.tag.0 - self.tag.0 % 10;
                    let other = first.checked_add(u32::from(step) - 1);
                    other.filter(|other| *other != self.tag.0)
                }
                4..7 if self.store != Store::Mapped && !self.is_under_tag() => {
                    let first = self.tag.0.checked_mul(10);
                    let first = first.filter(|first| *first <= TAG_LIMIT - 2);
                    first.map(|first| first + u32::from(step) - 4)
                }
                7.. => return None,
                _ => None,
            };
            if number.is_some() {
                return number;
            }
        }
    }

    /// Notes an item of this type under the current number.
    pub(crate) fn seen(&mut self, of: u32) {
        match self.step {
            1 => self.types |= 1 << of.min(7),
            2..=4 => self.siblings |= of == 0,
            _ => self.mapped |= of == 0,
        }
    }

    /// Returns whether there is only a type 0 under the tag. With siblings it may be one of another
    /// tag's three.
    fn is_alone(&self) -> bool {
        self.types == 1 && kind(self.tag.0 % 10).is_some() && self.store == Store::Mapped
    }

    fn is_under_tag(&self) -> bool {
        self.types & 0b111 != 0 && !(self.is_alone() && self.siblings)
    }

    /// Returns the place where the credentials were found.
    pub(crate) fn found(&self) -> Option<OtherStore> {
        if self.is_under_tag() {
            return elsewhere_in_modem(self.store, self.tag);
        }
        let reads = if self.store == Store::Modem {
            ReadFrom::Tag
        } else {
            ReadFrom::Store("#XCMNG of this version")
        };
        let found = OtherStore::new(self.tag, "#XCMNG of SLM 2.0 to 2.5", reads);
        self.mapped.then_some(found)
    }
}

/// The handle of a guest's commands to this modem.
type Guest<'a, F> = At<'a, Nrf9160<F>>;

fn store_of<F: Family>(at: &Guest<'_, F>) -> Store {
    at.modem(|modem| modem.firmware().store())
}

/// Lists what is stored under `tag`, with digests where the modem reports them.
async fn of_tag<F: Family>(
    at: &Guest<'_, F>,
    tag: Tag,
    found: &mut dyn FnMut(Kind, Option<Digest>),
) -> Result<(), AtError> {
    match store_of(at) {
        Store::Modem => {
            in_modem(at, tag.0, &mut |of, digest| {
                if let Some(of) = kind(of) {
                    found(of, digest);
                }
            })
            .await
        }
        Store::Mapped => {
            for of in Kind::ALL {
                let place = tag.0.saturating_mul(10) + number(of);
                in_modem(at, place, &mut |type_0, digest| {
                    if type_0 == 0 {
                        found(of, digest);
                    }
                })
                .await?;
            }
            Ok(())
        }
        Store::Settings => {
            settings(at, &mut |listed, of| {
                if listed == tag {
                    found(of, None);
                }
            })
            .await
        }
    }
}

/// Turns the refusal 513, by which some firmware answers for an empty store, into success.
fn allow_empty(result: Result<(), AtError>) -> Result<(), AtError> {
    match result {
        Err(AtError::Refused(Code::Cme(513))) => Ok(()),
        result => result,
    }
}

/// Lists the store of native builds from 2.6 on. 2.6.0 may answer `ERROR` at random (sheet 7.3), so it
/// tries again.
async fn settings<F: Family>(
    at: &Guest<'_, F>,
    found: &mut dyn FnMut(Tag, Kind),
) -> Result<(), AtError> {
    let args = [Arg::Int(1)];
    let list = Command::<GUEST_QUICK>::new("#XCMNG", &args);
    let mut tries = SETTINGS_TRIES;
    // The number of items that earlier tries have shown; all tries list in the same order.
    let mut told = 0;
    loop {
        let mut shown = 0;
        let listed = at
            .lines(&list, &mut |line| {
                if let Some((tag, of)) = settings_item(line) {
                    shown += 1;
                    if shown > told {
                        found(tag, of);
                    }
                }
            })
            .await;
        told = told.max(shown);
        tries -= 1;
        match listed {
            Err(AtError::Refused(_)) if tries > 0 => {}
            listed => return listed,
        }
    }
}

/// Lists what the modem's own store holds under this number.
async fn in_modem<F: Family>(
    at: &Guest<'_, F>,
    number: u32,
    found: &mut dyn FnMut(u32, Option<Digest>),
) -> Result<(), AtError> {
    let args = [Arg::Int(1), Arg::Int(number)];
    let list = Command::<GUEST_QUICK>::new("%CMNG", &args);
    let listed = at
        .lines(&list, &mut |line| {
            if let Some((listed, of, digest)) = item(line)
                && listed == number
            {
                found(of, digest);
            }
        })
        .await;
    allow_empty(listed)
}

/// Leaves the network, unless the credentials are in the firmware's store: the modem's own store
/// refuses a change with 518 otherwise.
async fn offline<F: Family, E>(at: &Guest<'_, F>) -> Result<(), CredentialError<E>> {
    if store_of(at) == Store::Settings {
        return Ok(());
    }
    leave_network(at).await
}

pub(crate) async fn leave_network<F: Family, E>(
    at: &Guest<'_, F>,
) -> Result<(), CredentialError<E>> {
    let has_sockets = at.has_sockets();
    let before = at.modem(|modem| {
        if modem.offline && modem.joining.confirmed_off {
            return Ok(None);
        }
        if has_sockets && !modem.config.end_connections {
            return Err(CredentialError::SocketsOpen);
        }
        // Set before the first await, so that the cleanup returns to the network if this future is
        // dropped. Whether the modem has left is known only once it has answered.
        let before = (modem.offline, modem.joining.left);
        modem.offline = true;
        modem.joining.left = true;
        Ok(Some(before))
    })?;
    let Some((was_offline, had_left)) = before else {
        return Ok(());
    };
    #[cfg(feature = "log")]
    log::info!("leaving the network, to change credentials");
    #[cfg(feature = "defmt")]
    defmt::info!("leaving the network, to change credentials");
    let args = [Arg::Int(4)];
    let answer = at.send(&Command::<GUEST_SLOW>::new("+CFUN", &args)).await;
    at.modem(|modem| match answer {
        Ok(_) => modem.joining.confirmed_off = true,
        // It is where it was. Of another end nobody knows, and the cleanup sees to it.
        Err(AtError::Refused(_)) => {
            modem.offline &= was_offline;
            modem.joining.left &= had_left;
        }
        Err(_) => {}
    });
    answer?;
    Ok(())
}

/// Uploads the content with LF line ends (sheet 6), and returns the digest of what was sent.
async fn upload<F: Family, S: Source>(
    at: &Guest<'_, F>,
    name: &'static str,
    args: &[Arg<'_>],
    content: &mut S,
) -> Result<Digest, CredentialError<S::Error>> {
    let len = content.len();
    let command = Command::<STORE>::opening(name, args);
    let mut upload = at.quote(&command, len).await?;
    let mut hasher = Hasher::new();
    let mut chunk = Zeroizing::new([0; CHUNK]);
    let mut read = 0;
    while read < len {
        let wanted = (len - read).min(CHUNK);
        let count = with_timeout(SOURCE_LIMIT, content.read_at(read, &mut chunk[..wanted]))
            .await
            .map_err(|_| CredentialError::SourceTooSlow)?
            .map_err(CredentialError::Source)?;
        if count == 0 {
            return Err(CredentialError::SourceTooShort);
        }
        // If the upload is dropped here, the modem gets out of the quotes and stores nothing.
        let quote = chunk[..count]
            .iter()
            .position(|byte| matches!(byte, b'"' | 0 | 8 | 0x7f));
        if let Some(index) = quote {
            let at = read + index;
            return Err(CredentialError::InvalidInput(
                InvalidInput::ForbiddenCharacter { at },
            ));
        }
        let kept = without_cr(&mut chunk[..count]);
        hasher.update(&chunk[..kept]);
        upload.write(&chunk[..kept]).await?;
        read += count;
    }
    upload.finish(&mut |_| {}).await?;
    Ok(hasher.finish())
}

/// Removes every CR, and returns the new length.
fn without_cr(bytes: &mut [u8]) -> usize {
    let mut kept = 0;
    for index in 0..bytes.len() {
        if bytes[index] != b'\r' {
            bytes[kept] = bytes[index];
            kept += 1;
        }
    }
    kept
}

/// Deletes an item of the modem's own store; it is no error if the item does not exist.
pub(crate) async fn delete_in_modem<F: Family>(
    at: &Guest<'_, F>,
    tag: Tag,
    kind: u32,
) -> Result<(), AtError> {
    let args = [Arg::Int(3), Arg::Int(tag.0), Arg::Int(kind)];
    match at.send(&Command::<STORE>::new("%CMNG", &args)).await {
        Ok(_) | Err(AtError::Refused(Code::Cme(513))) => Ok(()),
        Err(error) => Err(error),
    }
}

async fn delete<F: Family>(at: &Guest<'_, F>, tag: Tag, kind: Kind) -> Result<(), AtError> {
    if store_of(at) == Store::Modem {
        return delete_in_modem(at, tag, number(kind)).await;
    }
    let args = [Arg::Int(3), Arg::Int(tag.0), Arg::Int(number(kind))];
    match at.send(&Command::<STORE>::new("#XCMNG", &args)).await {
        // A plain refusal means that there was none; `#XCMNG` has no numbers for its errors.
        Ok(_) | Err(AtError::Refused(Code::Plain)) => Ok(()),
        Err(error) => Err(error),
    }
}

impl<F: Family> Credentials for Nrf9160<F> {
    const ACCEPTS: Accepts = Accepts {
        container: Some(Container::Pem),
        // The number of roots is UNCONFIRMED, so it is not limited.
        roots: u16::MAX,
        chain: u16::MAX,
        len: LINE_LIMIT,
        self_signed_root: false,
    };
    const PROOF: Proof = Proof::Digest;

    async fn store<S: Source>(
        at: &Guest<'_, F>,
        tag: Tag,
        kind: Kind,
        content: &mut S,
    ) -> Result<(), CredentialError<S::Error>> {
        // This firmware would lose bytes of the upload.
        if !at.modem(|modem| modem.loses_no_bytes()) {
            return Err(CredentialError::Lacks(Feature::FlowControl));
        }
        let store = store_of(at);
        check_tag(store, tag).map_err(CredentialError::InvalidInput)?;
        let limit = if store == Store::Mapped {
            MAPPED_LIMIT
        } else {
            LINE_LIMIT
        };
        if content.len() > limit {
            return Err(CredentialError::InvalidInput(InvalidInput::TooLong {
                limit,
            }));
        }
        let _exclusive = at.exclusive().await;
        offline(at).await?;
        if store == Store::Settings {
            // While it is overwritten, the old item counts against the space as well (sheet 7.3), so it
            // is deleted before.
            delete(at, tag, kind).await?;
        }
        let args = [Arg::Int(0), Arg::Int(tag.0), Arg::Int(number(kind))];
        let name = if store == Store::Modem {
            "%CMNG"
        } else {
            "#XCMNG"
        };
        let mut result = upload(at, name, &args, content).await;
        if let Err(CredentialError::At(AtError::Refused(Code::Cme(519)))) = result {
            // The item exists, and this firmware does not replace it.
            delete(at, tag, kind).await?;
            result = upload(at, name, &args, content).await;
        }
        let sent = match result {
            Err(CredentialError::At(AtError::Refused(Code::Cme(515)))) => {
                return Err(CredentialError::NoSpace {
                    needed: content.len(),
                    free: 0,
                });
            }
            sent => sent?,
        };
        let mut same = false;
        of_tag(at, tag, &mut |of, digest| {
            same |= of == kind && digest.is_none_or(|digest| digest == sent);
        })
        .await?;
        if !same {
            delete(at, tag, kind).await?;
            return Err(CredentialError::Corrupted);
        }
        Ok(())
    }

    async fn compare<S: Source>(
        at: &Guest<'_, F>,
        tag: Tag,
        kind: Kind,
        content: &mut S,
    ) -> Result<Comparison, CredentialError<S::Error>> {
        check_tag(store_of(at), tag).map_err(CredentialError::InvalidInput)?;
        let mut found = Comparison::Absent;
        let mut theirs = None;
        of_tag(at, tag, &mut |of, digest| {
            if of == kind {
                found = Comparison::Unreadable;
                theirs = digest;
            }
        })
        .await?;
        let Some(theirs) = theirs else {
            return Ok(found);
        };
        let mut hasher = Hasher::new();
        let mut chunk = Zeroizing::new([0; CHUNK]);
        let mut read = 0;
        while read < content.len() {
            let count = content
                .read_at(read, &mut chunk[..])
                .await
                .map_err(CredentialError::Source)?;
            if count == 0 {
                return Err(CredentialError::SourceTooShort);
            }
            let kept = without_cr(&mut chunk[..count]);
            hasher.update(&chunk[..kept]);
            read += count;
        }
        Ok(if hasher.finish() == theirs {
            Comparison::Same
        } else {
            Comparison::Differs
        })
    }

    /// Always fails with `Unreadable`: a digest proves an item, see [`compare`](Self::compare).
    async fn read_back(
        _at: &Guest<'_, F>,
        _tag: Tag,
        _kind: Kind,
        _sink: &mut dyn FnMut(&[u8]),
    ) -> Result<bool, CredentialError<Infallible>> {
        Err(CredentialError::Unreadable)
    }

    async fn list(
        at: &Guest<'_, F>,
        found: &mut dyn FnMut(Stored),
    ) -> Result<(), CredentialError<Infallible>> {
        let store = store_of(at);
        if store == Store::Settings {
            settings(at, &mut |tag, kind| found(Stored::new(tag, kind, None))).await?;
        }
        let args = [Arg::Int(1)];
        let all = Command::<GUEST_QUICK>::new("%CMNG", &args);
        let listed = at
            .lines(&all, &mut |line| {
                let Some((number, of, digest)) = item(line).filter(|item| item.0 <= TAG_LIMIT)
                else {
                    return;
                };
                let mapped = store == Store::Mapped && of == 0 && kind(number % 10).is_some();
                let (tag, of) = if mapped {
                    (number / 10, number % 10)
                } else {
                    (number, of)
                };
                if let Some(of) = kind(of) {
                    let mut stored = Stored::new(Tag(tag), of, None);
                    stored.digest = digest;
                    stored.place = mapped.then_some(number);
                    stored.other_store = elsewhere_in_modem(store, Tag(tag)).filter(|_| !mapped);
                    found(stored);
                }
            })
            .await;
        match allow_empty(listed) {
            // The modem itself would answer with a number. A plain refusal is the firmware's: the list
            // is longer than its buffer (sheet 1.4).
            Err(AtError::Refused(Code::Plain)) => Err(CredentialError::ListTooLong),
            listed => Ok(listed?),
        }
    }

    async fn list_tag(
        at: &Guest<'_, F>,
        tag: Tag,
        found: &mut dyn FnMut(Stored),
    ) -> Result<(), CredentialError<Infallible>> {
        let store = store_of(at);
        check_tag(store, tag).map_err(CredentialError::InvalidInput)?;
        of_tag(at, tag, &mut |of, digest| {
            let mut stored = Stored::new(tag, of, None);
            stored.digest = digest;
            stored.place = (store == Store::Mapped).then(|| tag.0 * 10 + number(of));
            found(stored);
        })
        .await?;
        if store != Store::Modem
            && let Some(elsewhere) = Self::other_store(at, tag).await?
        {
            in_modem(at, tag.0, &mut |of, digest| {
                if let Some(of) = kind(of) {
                    let mut stored = Stored::new(tag, of, None);
                    stored.digest = digest;
                    stored.other_store = Some(elsewhere);
                    found(stored);
                }
            })
            .await?;
        }
        Ok(())
    }

    async fn expires(
        at: &Guest<'_, F>,
        tag: Tag,
        kind: Kind,
    ) -> Result<Option<DateTime>, CredentialError<Infallible>> {
        let store = store_of(at);
        check_tag(store, tag).map_err(CredentialError::InvalidInput)?;
        let (place, of) = match store {
            Store::Modem => (tag.0, number(kind)),
            Store::Mapped => (tag.0 * 10 + number(kind), 0),
            // These items are not in the modem, and they cannot be read.
            Store::Settings => return Err(CredentialError::Unreadable),
        };
        let args = [Arg::Int(place), Arg::Int(of)];
        let command = Command::<GUEST_QUICK>::new("%CERTEXPIRY", &args);
        let mut end = None;
        let mut see = |line: &[u8]| end = end.or(expiry(line));
        match at.lines(&command, &mut see).await {
            Ok(()) => Ok(end),
            Err(AtError::Refused(Code::Cme(513))) => Ok(None),
            // Older firmware does not know it (sheet 6.2).
            Err(AtError::Refused(_)) => Err(CredentialError::Unreadable),
            Err(error) => Err(error.into()),
        }
    }

    async fn other_store(at: &Guest<'_, F>, tag: Tag) -> Result<Option<OtherStore>, AtError> {
        let mut search = Search::new(store_of(at), tag);
        while let Some(number) = search.next() {
            in_modem(at, number, &mut |of, _| search.seen(of)).await?;
        }
        Ok(search.found())
    }

    async fn remove(
        at: &Guest<'_, F>,
        tag: Tag,
        kind: Kind,
    ) -> Result<(), CredentialError<Infallible>> {
        check_tag(store_of(at), tag).map_err(CredentialError::InvalidInput)?;
        let _exclusive = at.exclusive().await;
        let mut present = false;
        of_tag(at, tag, &mut |of, _| present |= of == kind).await?;
        // An absent item is no reason to leave the network.
        if !present {
            return Ok(());
        }
        offline(at).await?;
        delete(at, tag, kind).await?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Sheet 6.2.
    #[test]
    fn ends_of_certificates_are_read() {
        let end = DateTime::new(2018, 8, 23, 8, 47, 37);
        let plain = b"%CERTEXPIRY: 00AEF87681FA968B61,20170823084737Z,20180823084737Z";
        let quoted = b"%CERTEXPIRY: \"00AE\",\"20170823084737Z\",\"20180823084737Z\"";
        assert_eq!(expiry(plain), end);
        assert_eq!(expiry(quoted), end);
        for bad in [
            &b"%CERTEXPIRY: 00AE,20170823084737Z"[..],
            b"%CERTEXPIRY: 1,2,2018082308473",
            b"%CERTEXPIRY: 1,2,20181323084737Z",
            b"%CERTEXPIRY: 1,2,2018x823084737Z",
        ] {
            assert_eq!(expiry(bad), None);
        }
    }

    /// Sheet 12.3.
    #[test]
    fn items_are_read() {
        let line =
            b"%CMNG: 3210,0,\"AD6FB002E6B34C0559FA8F93A3794FF12C4E3F119BD77290C52525123FB9EA74\"";
        let (tag, kind, digest) = item(line).unwrap();
        assert_eq!((tag, kind), (3210, 0));
        assert_eq!(digest.unwrap().as_bytes()[..2], [0xad, 0x6f]);
        let zeros =
            b"%CMNG: 42,0,\"0000000000000000000000000000000000000000000000000000000000000000\"";
        assert_eq!(item(zeros), Some((42, 0, None)));
        assert_eq!(item(b"%CMNG: 42"), None);
    }

    #[test]
    fn carriage_returns_are_left_out() {
        let mut text = *b"a\r\nb\r\n";
        let kept = without_cr(&mut text);
        assert_eq!(&text[..kept], b"a\nb\n");
    }
}
