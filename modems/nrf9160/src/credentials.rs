//! Credentials: `%CMNG` for the modem's own TLS, `#XCMNG` for native builds (sheet 6 and 7).
//!
//! The user's tag is the only number there is. Native builds of 2.0 to 2.5 keep each item in the modem, as
//! a CA under `tag * 10 + type`; that arithmetic is here and nowhere else.
//!
//! An upload is one command line with the content in quotes: until its last quote and terminator nothing
//! is stored, and the engine gets out of an unfinished one without completing it. So there is never half a
//! credential, and nothing to tidy but the network, which has to be left for a change.

use core::convert::Infallible;

use embassy_time::{Duration, with_timeout};
use sectag::at::{Fields, InvalidInput, answer};
use sectag::{
    At, AtError, Code, Comparison, CredentialError, Digest, Elsewhere, Feature, Hasher, Kind,
    Reads, Source, Stored, Tag,
};
use zeroize::Zeroizing;

use crate::commands::{Arg, Command, QUICK, STORE};
use crate::dialect::Store;
use crate::{Nrf9160, bring_up};

/// Above are reserved tags (sheet 6).
const TAG_LIMIT: u32 = 2_147_483_647;
/// A line has 4095 characters (sheet 1.4); 40 are for the command around it.
const LINE_LIMIT: usize = 4095 - 40;
/// Buffer of `#XCMNG` up to 2.5 (sheet 7.1).
const MAPPED_LIMIT: usize = 2099;
const CHUNK: usize = 128;
const SOURCE_LIMIT: Duration = Duration::from_secs(10);

/// `<type>`.
fn number(kind: Kind) -> u32 {
    Kind::ALL
        .iter()
        .position(|known| *known == kind)
        .unwrap_or(0) as u32
}

fn kind(number: u32) -> Option<Kind> {
    Kind::ALL.get(number as usize).copied()
}

pub(crate) fn check_tag(modem: &Nrf9160, tag: Tag) -> Result<(), InvalidInput> {
    let limit = match modem.firmware.get().store() {
        Store::Mapped => TAG_LIMIT / 10,
        _ => TAG_LIMIT,
    };
    if tag.0 <= limit {
        Ok(())
    } else {
        Err(InvalidInput::OutOfRange { limit })
    }
}

/// What is stored under `tag`, with its digest where it is told.
pub(crate) async fn of_tag(
    modem: &Nrf9160,
    at: At<'_>,
    tag: Tag,
    found: &mut dyn FnMut(Kind, Option<Digest>),
) -> Result<(), AtError> {
    match modem.firmware.get().store() {
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

/// An empty store may be a refusal (513).
fn tolerate(result: Result<(), AtError>) -> Result<(), AtError> {
    match result {
        Err(AtError::Refused(Code::Cme(513))) => Ok(()),
        result => result,
    }
}

/// `%CMNG: <tag>,<type>,"<64 hex>"`; a digest of zeros is one that is not told (sheet 6).
fn item(line: &[u8]) -> Option<(u32, u32, Option<Digest>)> {
    let mut fields = Fields::new(answer(line, "%CMNG:")?);
    Some((fields.int()?, fields.int()?, fields.text().and_then(digest)))
}

fn digest(hex: &str) -> Option<Digest> {
    let mut bytes = [0; 32];
    if hex.len() != 64 {
        return None;
    }
    for (index, byte) in bytes.iter_mut().enumerate() {
        *byte = u8::from_str_radix(hex.get(2 * index..2 * index + 2)?, 16).ok()?;
    }
    (bytes != [0; 32]).then(|| Digest::from_bytes(bytes))
}

/// The list of native builds from 2.6 on. 2.6.0 may answer ERROR at random (sheet 7.3).
async fn settings(at: At<'_>, found: &mut dyn FnMut(Tag, Kind)) -> Result<(), AtError> {
    let args = [Arg::Int(1)];
    let list = Command::<QUICK>::new("#XCMNG", &args);
    let mut tries = 8;
    // Of earlier tries, which show the same.
    let mut told = 0;
    loop {
        let mut shown = 0;
        let listed = at
            .lines(&list, &mut |line| {
                let Some(text) = answer(line, "#XCMNG:") else {
                    return;
                };
                let mut fields = Fields::new(text);
                if let (Some(tag), Some(of)) = (fields.int(), fields.int().and_then(kind)) {
                    shown += 1;
                    if shown > told {
                        found(Tag(tag), of);
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

/// Refuses what this firmware would lose bytes of.
fn check_link<E>(modem: &Nrf9160) -> Result<(), CredentialError<E>> {
    if modem.hears_all() {
        Ok(())
    } else {
        Err(CredentialError::Lacks(Feature::FlowControl))
    }
}

/// Leaves the network, which a change in the modem's store needs (518 otherwise).
async fn offline<E>(modem: &Nrf9160, at: At<'_>) -> Result<(), CredentialError<E>> {
    if modem.firmware.get().store() == Store::Settings {
        return Ok(());
    }
    leave_network(modem, at).await
}

pub(crate) async fn leave_network<E>(
    modem: &Nrf9160,
    at: At<'_>,
) -> Result<(), CredentialError<E>> {
    if modem.offline.get() {
        return Ok(());
    }
    if at.has_sockets() && !modem.config.end_connections {
        return Err(CredentialError::SocketsOpen);
    }
    // Before: whoever drops this leaves it to `tidy`.
    modem.offline.set(true);
    #[cfg(feature = "log")]
    log::info!("leaving the network, to change credentials");
    #[cfg(feature = "defmt")]
    defmt::info!("leaving the network, to change credentials");
    bring_up::functionality(at, 4).await?;
    Ok(())
}

/// Back on the network.
pub(crate) async fn tidy(modem: &Nrf9160, at: At<'_>) -> Result<(), AtError> {
    if modem.offline.get() && bring_up::online(modem, at).await.is_err() {
        at.report_network_lost();
    }
    Ok(())
}

pub(crate) async fn store<S: Source>(
    modem: &Nrf9160,
    at: At<'_>,
    tag: Tag,
    kind: Kind,
    content: &mut S,
) -> Result<(), CredentialError<S::Error>> {
    check_link(modem)?;
    check_tag(modem, tag).map_err(CredentialError::InvalidInput)?;
    let kept = modem.firmware.get().store();
    let limit = if kept == Store::Mapped {
        MAPPED_LIMIT
    } else {
        LINE_LIMIT
    };
    match content.len() {
        0 => return Err(CredentialError::InvalidInput(InvalidInput::Empty)),
        len if len > limit => {
            return Err(CredentialError::InvalidInput(InvalidInput::TooLong {
                limit,
            }));
        }
        _ => {}
    }
    let _together = at.together().await;
    offline(modem, at).await?;
    if kept == Store::Settings {
        // What is overwritten counts with what replaces it (sheet 7.3).
        delete(modem, at, tag, kind).await?;
    }
    let args = [Arg::Int(0), Arg::Int(tag.0), Arg::Int(number(kind))];
    let name = if kept == Store::Modem {
        "%CMNG"
    } else {
        "#XCMNG"
    };
    let mut result = upload(at, name, &args, content).await;
    if let Err(CredentialError::At(AtError::Refused(Code::Cme(519)))) = result {
        // There is one, and this firmware does not replace it.
        delete(modem, at, tag, kind).await?;
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
    of_tag(modem, at, tag, &mut |of, digest| {
        same |= of == kind && digest.is_none_or(|digest| digest == sent);
    })
    .await?;
    if !same {
        delete(modem, at, tag, kind).await?;
        return Err(CredentialError::Corrupted);
    }
    Ok(())
}

/// Sends it with LF line ends (sheet 6), and returns the digest of what was sent.
async fn upload<S: Source>(
    at: At<'_>,
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
        // Dropping the upload gets the modem out of the quotes with nothing stored.
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

/// Moves what is not CR to the front, and returns how much that is.
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

pub(crate) async fn compare<S: Source>(
    modem: &Nrf9160,
    at: At<'_>,
    tag: Tag,
    kind: Kind,
    content: &mut S,
) -> Result<Comparison, CredentialError<S::Error>> {
    check_tag(modem, tag).map_err(CredentialError::InvalidInput)?;
    let mut found = Comparison::Absent;
    let mut theirs = None;
    of_tag(modem, at, tag, &mut |of, digest| {
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

pub(crate) async fn list(
    modem: &Nrf9160,
    at: At<'_>,
    found: &mut dyn FnMut(Stored),
) -> Result<(), CredentialError<Infallible>> {
    let store = modem.firmware.get().store();
    if store == Store::Settings {
        settings(at, &mut |tag, kind| found(Stored::new(tag, kind, None))).await?;
    }
    let args = [Arg::Int(1)];
    let all = Command::<QUICK>::new("%CMNG", &args);
    let listed = at
        .lines(&all, &mut |line| {
            let Some((number, of, digest)) = item(line).filter(|item| item.0 <= TAG_LIMIT) else {
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
                stored.elsewhere = elsewhere_in_modem(store, Tag(tag)).filter(|_| !mapped);
                found(stored);
            }
        })
        .await;
    match tolerate(listed) {
        // The modem itself would tell a number: its answer is longer than the firmware's buffer (sheet 1.4).
        Err(AtError::Refused(Code::Plain)) => Err(CredentialError::ListTooLong),
        listed => Ok(listed?),
    }
}

pub(crate) async fn list_tag(
    modem: &Nrf9160,
    at: At<'_>,
    tag: Tag,
    found: &mut dyn FnMut(Stored),
) -> Result<(), CredentialError<Infallible>> {
    check_tag(modem, tag).map_err(CredentialError::InvalidInput)?;
    let store = modem.firmware.get().store();
    of_tag(modem, at, tag, &mut |of, digest| {
        let mut stored = Stored::new(tag, of, None);
        stored.digest = digest;
        stored.place = (store == Store::Mapped).then(|| tag.0 * 10 + number(of));
        found(stored);
    })
    .await?;
    if store != Store::Modem
        && let Some(elsewhere) = elsewhere(modem, at, tag).await?
    {
        in_modem(at, tag.0, &mut |of, digest| {
            if let Some(of) = kind(of) {
                let mut stored = Stored::new(tag, of, None);
                stored.digest = digest;
                stored.elsewhere = Some(elsewhere);
                found(stored);
            }
        })
        .await?;
    }
    Ok(())
}

/// What the modem's own store holds under this very number.
async fn in_modem(
    at: At<'_>,
    number: u32,
    found: &mut dyn FnMut(u32, Option<Digest>),
) -> Result<(), AtError> {
    let args = [Arg::Int(1), Arg::Int(number)];
    let list = Command::<QUICK>::new("%CMNG", &args);
    let listed = at
        .lines(&list, &mut |line| {
            if let Some((listed, of, digest)) = item(line)
                && listed == number
            {
                found(of, digest);
            }
        })
        .await;
    tolerate(listed)
}

/// What the TLS in use has to do with an item of the modem's own store that it does not read.
fn elsewhere_in_modem(store: Store, tag: Tag) -> Option<Elsewhere> {
    let reads = match store {
        Store::Modem => return None,
        Store::Mapped => Reads::Numbers(tag.0.saturating_mul(10)),
        Store::Settings => Reads::Store("#XCMNG"),
    };
    Some(Elsewhere::new(tag, "%CMNG", reads))
}

/// Credentials of the tag under the other scheme (sheet 7.4).
pub(crate) async fn elsewhere(
    modem: &Nrf9160,
    at: At<'_>,
    tag: Tag,
) -> Result<Option<Elsewhere>, AtError> {
    let store = modem.firmware.get().store();
    if store != Store::Modem {
        let mut types = 0_u8;
        in_modem(at, tag.0, &mut |of, _| types |= 1 << of.min(7)).await?;
        // A lone type 0 may be one of another tag's three, if there are others of them.
        let alone = types == 1 && kind(tag.0 % 10).is_some() && store == Store::Mapped;
        if types & 0b111 != 0 && !(alone && has_siblings(at, tag.0).await?) {
            return Ok(elsewhere_in_modem(store, tag));
        }
    }
    let mapped = tag
        .0
        .checked_mul(10)
        .filter(|first| *first <= TAG_LIMIT - 2);
    if let (Store::Modem | Store::Settings, Some(first)) = (store, mapped) {
        let mut any = false;
        for number in first..first + 3 {
            in_modem(at, number, &mut |of, _| any |= of == 0).await?;
        }
        let reads = if store == Store::Modem {
            Reads::Tag
        } else {
            Reads::Store("#XCMNG of this version")
        };
        return Ok(any.then_some(Elsewhere::new(tag, "#XCMNG of SLM 2.0 to 2.5", reads)));
    }
    Ok(None)
}

/// Whether other numbers of the same three hold a type 0.
async fn has_siblings(at: At<'_>, number: u32) -> Result<bool, AtError> {
    let first = number - number % 10;
    let mut any = false;
    for other in (first..first.saturating_add(3)).filter(|other| *other != number) {
        in_modem(at, other, &mut |of, _| any |= of == 0).await?;
    }
    Ok(any)
}

pub(crate) async fn remove(
    modem: &Nrf9160,
    at: At<'_>,
    tag: Tag,
    kind: Kind,
) -> Result<(), CredentialError<Infallible>> {
    check_tag(modem, tag).map_err(CredentialError::InvalidInput)?;
    let _together = at.together().await;
    let mut present = false;
    of_tag(modem, at, tag, &mut |of, _| present |= of == kind).await?;
    // Nothing to leave the network for.
    if !present {
        return Ok(());
    }
    offline(modem, at).await?;
    delete(modem, at, tag, kind).await?;
    Ok(())
}

/// Deletes an item of the modem's own store, if it is there.
pub(crate) async fn delete_in_modem(at: At<'_>, tag: Tag, kind: u32) -> Result<(), AtError> {
    let args = [Arg::Int(3), Arg::Int(tag.0), Arg::Int(kind)];
    match at.send(&Command::<STORE>::new("%CMNG", &args)).await {
        Ok(_) | Err(AtError::Refused(Code::Cme(513))) => Ok(()),
        Err(error) => Err(error),
    }
}

async fn delete(modem: &Nrf9160, at: At<'_>, tag: Tag, kind: Kind) -> Result<(), AtError> {
    if modem.firmware.get().store() == Store::Modem {
        return delete_in_modem(at, tag, number(kind)).await;
    }
    let args = [Arg::Int(3), Arg::Int(tag.0), Arg::Int(number(kind))];
    match at.send(&Command::<STORE>::new("#XCMNG", &args)).await {
        // There was none: it has no numbers of its own to say so.
        Ok(_) | Err(AtError::Refused(Code::Plain)) => Ok(()),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
