//! Where certificates are given out, for the program and for tests: an HTTP server of one question, which can go wrong
//! in the ways that servers do.

use std::format;
use std::io;
use std::string::{String, ToString};
use std::vec::Vec;

use sectag::inspect::Decoder;
use sectag_test_support::pki::Pki;
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

/// Longest PEM in either direction.
const PEM: usize = 4096;

/// What goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mishap {
    /// Nothing does.
    None,
    /// The JSON ends in the middle, and the length says so.
    JsonCut,
    /// The certificate is another device's.
    OtherKey,
    /// The connection is closed in the middle of the answer.
    ClosesHalfWay,
    /// The request is refused.
    Refuses,
}

#[derive(Deserialize)]
struct Question {
    csr: heapless::String<PEM>,
}

#[derive(Serialize)]
struct Answer<'a> {
    certificate: &'a str,
}

/// Serves one connection, which is a question or, with a certificate of the device's own, nothing at all.
///
/// # Errors
/// Of the stream.
pub async fn serve<S: AsyncRead + AsyncWrite + Unpin>(
    mut stream: S,
    pki: &Pki,
    mishap: Mishap,
) -> io::Result<()> {
    let Some(body) = question(&mut stream).await? else {
        return Ok(());
    };
    let body = match certificate(pki, &body, mishap) {
        Ok(certificate) => json(&certificate),
        Err(error) => return send(&mut stream, 400, error.as_bytes()).await,
    };
    match mishap {
        Mishap::Refuses => send(&mut stream, 403, b"{}").await,
        Mishap::JsonCut => send(&mut stream, 200, &body[..body.len() / 2]).await,
        Mishap::ClosesHalfWay => {
            let head = head(200, body.len());
            stream.write_all(head.as_bytes()).await?;
            stream.write_all(&body[..body.len() / 2]).await?;
            stream.shutdown().await
        }
        Mishap::None | Mishap::OtherKey => send(&mut stream, 200, &body).await,
    }
}

/// The body of a request; `None` when the client closes without one.
async fn question<S: AsyncRead + Unpin>(stream: &mut S) -> io::Result<Option<Vec<u8>>> {
    let mut text = Vec::new();
    loop {
        let end = text.windows(4).position(|bytes| bytes == b"\r\n\r\n");
        if let Some(end) = end {
            let head = String::from_utf8_lossy(&text[..end]).to_ascii_lowercase();
            let length = head
                .split("\r\n")
                .find_map(|line| line.strip_prefix("content-length:")?.trim().parse().ok());
            let length: usize = length.unwrap_or(0);
            if text.len() >= end + 4 + length {
                return Ok(Some(text[end + 4..end + 4 + length].to_vec()));
            }
        }
        let mut piece = [0; 1024];
        match stream.read(&mut piece).await? {
            0 => return Ok(None),
            count => text.extend_from_slice(&piece[..count]),
        }
    }
}

fn certificate(pki: &Pki, body: &[u8], mishap: Mishap) -> Result<String, String> {
    if mishap == Mishap::OtherKey {
        return Ok(pki.issue_client_with_new_key("another").cert_pem);
    }
    let mut unescaped = [0; PEM];
    let question = serde_json_core::from_slice_escaped::<Question>(body, &mut unescaped);
    let (question, _) = question.map_err(|error| error.to_string())?;
    pki.issue_for_request(&der(&question.csr))
}

/// The bytes between the lines of a PEM.
fn der(pem: &str) -> Vec<u8> {
    // The decoder of credentials passes requests over, so it is told that this is a certificate.
    let pem = pem.replace("CERTIFICATE REQUEST", "CERTIFICATE");
    let mut decoder = Decoder::new();
    pem.bytes().filter_map(|byte| decoder.push(byte)).collect()
}

fn json(certificate: &str) -> Vec<u8> {
    let mut room = [0; 2 * PEM];
    let answer = Answer { certificate };
    let len = serde_json_core::to_slice(&answer, &mut room).expect("a certificate fits");
    room[..len].to_vec()
}

fn head(status: u16, length: usize) -> String {
    format!(
        "HTTP/1.1 {status} x\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\r\n"
    )
}

async fn send<S: AsyncWrite + Unpin>(stream: &mut S, status: u16, body: &[u8]) -> io::Result<()> {
    stream
        .write_all(head(status, body.len()).as_bytes())
        .await?;
    stream.write_all(body).await?;
    stream.flush().await
}
