//! A server of one file that does ranges, and closes when it is told to.

use std::format;
use std::io;
use std::string::{String, ToString};
use std::vec::Vec;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

/// A file that looks like nothing else, so that a byte in a wrong place is seen.
pub fn file(len: usize) -> Vec<u8> {
    let mut state = 1_u32;
    let mut next = || {
        // Numbers as in ANSI C's example of rand.
        state = state.wrapping_mul(1_103_515_245).wrapping_add(12_345);
        (state >> 16) as u8
    };
    (0..len).map(|_| next()).collect()
}

/// Serves requests for `file`, and closes after `closes_after` bytes of it where that is given.
///
/// # Errors
/// Of the stream.
pub async fn serve<S: AsyncRead + AsyncWrite + Unpin>(
    mut stream: S,
    file: &[u8],
    version: &str,
    closes_after: Option<usize>,
) -> io::Result<()> {
    let mut left = closes_after.unwrap_or(usize::MAX);
    let mut text = Vec::new();
    loop {
        let Some(end) = text.windows(4).position(|bytes| bytes == b"\r\n\r\n") else {
            let mut piece = [0; 512];
            match stream.read(&mut piece).await? {
                0 => return Ok(()),
                count => text.extend_from_slice(&piece[..count]),
            }
            continue;
        };
        let request = String::from_utf8_lossy(&text[..end]).to_string();
        text.drain(..end + 4);
        let Some((first, last)) = range(&request).filter(|(first, _)| *first < file.len()) else {
            stream
                .write_all(b"HTTP/1.1 416 x\r\nContent-Length: 0\r\n\r\n")
                .await?;
            continue;
        };
        let last = last.min(file.len() - 1);
        let body = &file[first..=last];
        let head = format!(
            "HTTP/1.1 206 x\r\nContent-Length: {}\r\nContent-Range: bytes {first}-{last}/{}\r\nETag: {version}\r\n\r\n",
            body.len(),
            file.len()
        );
        stream.write_all(head.as_bytes()).await?;
        let count = body.len().min(left);
        // Records that every modem takes.
        for part in body[..count].chunks(1024) {
            stream.write_all(part).await?;
            stream.flush().await?;
        }
        left -= count;
        if left == 0 {
            return stream.shutdown().await;
        }
    }
}

fn range(request: &str) -> Option<(usize, usize)> {
    let line = request
        .lines()
        .find_map(|line| line.strip_prefix("Range: bytes="))?;
    let (first, last) = line.split_once('-')?;
    Some((first.parse().ok()?, last.parse().ok()?))
}
