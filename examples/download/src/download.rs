//! What runs on the MCU.

use core::fmt::Write as _;

use embassy_time::{Duration, Timer};
use embedded_io_async::Read;
use heapless::String;
use sectag::{SecureConnect, SecureSocket, ServerName, TlsConfig};

/// Bytes of the file that one request asks for. A longer piece is fewer round trips, and no more to lose: what came of a
/// piece that was cut is written already.
const PIECE: u32 = 16 * 1024;
/// Longest head of an answer.
const HEAD: usize = 1024;
/// Longest entity tag.
const TAG: usize = 80;
/// Connections in a row that bring nothing, until it is given up.
const FRUITLESS: u8 = 8;
/// From one of these to the next.
const PAUSE: Duration = Duration::from_secs(5);

/// Takes the file, such as a partition of flash. It is written in order and without gaps.
#[allow(async_fn_in_trait)]
pub trait Sink {
    /// Why it did not take something.
    type Error;

    /// Takes the bytes from `offset` on.
    async fn write(&mut self, offset: u32, bytes: &[u8]) -> Result<(), Self::Error>;
}

/// What to fetch.
#[derive(Clone, Copy)]
pub struct Place<'a> {
    /// The server.
    pub name: ServerName<'a>,
    /// Its TCP port.
    pub port: u16,
    /// The policy.
    pub tls: &'a TlsConfig,
    /// The path, such as `/firmware.bin`.
    pub path: &'a str,
}

/// How far it got. Kept in flash with what was written, it also survives a reset of the MCU.
#[derive(Clone, Debug, Default)]
pub struct Progress {
    /// Bytes that were written.
    pub written: u32,
    /// The length of the file, once it is known.
    pub total: Option<u32>,
    /// Which version of the file they are of (ETag).
    pub version: String<TAG>,
    /// Connections so far.
    pub connections: u32,
}

/// Why there is no file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DownloadError<E> {
    /// Several connections in a row brought nothing.
    Fruitless,
    /// The file is another one now: begin at its beginning.
    Changed,
    /// The server does not do ranges.
    NoRanges,
    /// The server answered with this status.
    Refused(u16),
    /// The answer is no HTTP, or its ranges do not fit.
    NotHttp,
    /// The sink did not take it.
    Sink(E),
}

/// Why a connection is over.
enum Over<E> {
    /// It was cut, and another one may do.
    Cut,
    Failed(DownloadError<E>),
}

impl<E> From<DownloadError<E>> for Over<E> {
    fn from(error: DownloadError<E>) -> Self {
        Self::Failed(error)
    }
}

/// Fetches what is missing. Dropped, or after an error, it goes on with the same progress.
pub async fn download<C: SecureConnect, S: Sink>(
    modem: &C,
    place: &Place<'_>,
    progress: &mut Progress,
    sink: &mut S,
) -> Result<(), DownloadError<S::Error>> {
    let mut fruitless = 0;
    while progress.total != Some(progress.written) {
        let before = progress.written;
        if let Ok(mut socket) = modem.connect(place.name, place.port, place.tls).await {
            progress.connections += 1;
            match pieces(&mut socket, place, progress, sink).await {
                Ok(()) => {
                    // Everything was read; a close that fails is the driver's to repeat.
                    let _ = socket.finish().await;
                }
                Err(Over::Cut) => {}
                Err(Over::Failed(error)) => return Err(error),
            }
        }
        if progress.written > before {
            fruitless = 0;
        } else if progress.total != Some(progress.written) {
            fruitless += 1;
            if fruitless == FRUITLESS {
                return Err(DownloadError::Fruitless);
            }
            Timer::after(PAUSE).await;
        }
    }
    Ok(())
}

/// One request after the other, until the file is whole or the connection over.
async fn pieces<K: SecureSocket, S: Sink>(
    socket: &mut K,
    place: &Place<'_>,
    progress: &mut Progress,
    sink: &mut S,
) -> Result<(), Over<S::Error>> {
    while progress.total != Some(progress.written) {
        let from = progress.written;
        let mut request = String::<512>::new();
        write!(
            request,
            "GET {} HTTP/1.1\r\nHost: {}\r\nRange: bytes={from}-{}\r\n\r\n",
            place.path,
            place.name.as_str(),
            from.saturating_add(PIECE - 1)
        )
        .map_err(|_| DownloadError::NotHttp)?;
        let sent = socket.write_all(request.as_bytes()).await;
        sent.map_err(|_| Over::Cut)?;
        socket.flush().await.map_err(|_| Over::Cut)?;

        let mut room = [0; HEAD];
        let (head, mut filled) = head(socket, &mut room).await?;
        let answer = parse(&room[..head]).ok_or(DownloadError::NotHttp)?;
        match answer.status {
            206 => {}
            200 => return Err(DownloadError::NoRanges.into()),
            status => return Err(DownloadError::Refused(status).into()),
        }
        let (Some((first, last, total)), Some(version)) = (answer.range, answer.version) else {
            return Err(DownloadError::NotHttp.into());
        };
        if first != from || last < first || last >= total {
            return Err(DownloadError::NotHttp.into());
        }
        if progress.written == 0 {
            progress.version.clear();
            let kept = progress.version.push_str(version);
            kept.map_err(|_| DownloadError::NotHttp)?;
        } else if progress.version != version || progress.total.is_some_and(|had| had != total) {
            return Err(DownloadError::Changed.into());
        }
        progress.total = Some(total);

        // What came with the head is the beginning of the piece.
        let mut begin = head;
        let mut left = last - first + 1;
        loop {
            let count = (filled - begin).min(left as usize);
            let bytes = &room[begin..begin + count];
            let taken = sink.write(progress.written, bytes).await;
            taken.map_err(DownloadError::Sink)?;
            progress.written += count as u32;
            left -= count as u32;
            if left == 0 {
                break;
            }
            begin = 0;
            filled = match socket.read(&mut room).await {
                Ok(0) | Err(_) => return Err(Over::Cut),
                Ok(count) => count,
            };
        }
    }
    Ok(())
}

/// Reads up to the end of a head, and returns where that is and how much was read.
async fn head<K: Read, E>(
    socket: &mut K,
    room: &mut [u8; HEAD],
) -> Result<(usize, usize), Over<E>> {
    let mut filled = 0;
    loop {
        let end = room[..filled]
            .windows(4)
            .position(|text| text == b"\r\n\r\n");
        if let Some(end) = end {
            return Ok((end + 4, filled));
        }
        let rest = &mut room[filled..];
        if rest.is_empty() {
            return Err(DownloadError::NotHttp.into());
        }
        match socket.read(rest).await {
            Ok(0) | Err(_) => return Err(Over::Cut),
            Ok(count) => filled += count,
        }
    }
}

struct Answer<'a> {
    status: u16,
    /// First and last byte, and the length of the whole.
    range: Option<(u32, u32, u32)>,
    version: Option<&'a str>,
}

fn parse(head: &[u8]) -> Option<Answer<'_>> {
    let head = core::str::from_utf8(head).ok()?;
    let mut lines = head.split("\r\n");
    let mut answer = Answer {
        status: lines.next()?.split(' ').nth(1)?.parse().ok()?,
        range: None,
        version: None,
    };
    for (name, value) in lines.filter_map(|line| line.split_once(':')) {
        if name.eq_ignore_ascii_case("content-range") {
            let (range, total) = value.trim().strip_prefix("bytes ")?.split_once('/')?;
            let (first, last) = range.split_once('-')?;
            answer.range = Some((first.parse().ok()?, last.parse().ok()?, total.parse().ok()?));
        } else if name.eq_ignore_ascii_case("etag") {
            answer.version = Some(value.trim());
        }
    }
    Some(answer)
}
