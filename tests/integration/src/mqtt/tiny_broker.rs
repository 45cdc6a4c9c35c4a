//! Just enough of a broker, in memory, to see in virtual time that a client keeps its connection alive.

use std::cell::RefCell;
use std::io;
use std::rc::Rc;

use embassy_time::{Duration, with_timeout};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

/// What the broker saw.
#[derive(Clone, Debug, Default)]
pub(super) struct Seen {
    pub(super) logins: usize,
    pub(super) pings: usize,
    /// Bodies of PUBLISH packets.
    pub(super) publishes: Vec<Vec<u8>>,
    /// Connections closed because nothing came for one and a half times the keep-alive.
    pub(super) timeouts: usize,
}

/// Serves one connection.
pub(super) async fn serve(
    mut client: impl AsyncRead + AsyncWrite + Unpin,
    seen: Rc<RefCell<Seen>>,
) -> io::Result<()> {
    let (kind, body) = packet(&mut client).await?;
    assert_eq!(kind, 0x10, "the first packet is a CONNECT");
    // Name (6), version, flags, keep-alive.
    let (version, keep_alive) = (body[6], u16::from_be_bytes([body[8], body[9]]));
    seen.borrow_mut().logins += 1;
    let connack: &[u8] = if version == 5 {
        b"\x20\x03\x00\x00\x00"
    } else {
        b"\x20\x02\x00\x00"
    };
    client.write_all(connack).await?;
    let patience = Duration::from_millis(1500 * u64::from(keep_alive));
    loop {
        let Ok(next) = with_timeout(patience, packet(&mut client)).await else {
            seen.borrow_mut().timeouts += 1;
            return Ok(());
        };
        let (kind, body) = next?;
        match kind >> 4 {
            3 => seen.borrow_mut().publishes.push(body),
            12 => {
                seen.borrow_mut().pings += 1;
                client.write_all(b"\xD0\x00").await?;
            }
            14 => return Ok(()),
            other => panic!("packet type {other} is not for this broker"),
        }
    }
}

async fn packet(client: &mut (impl AsyncRead + Unpin)) -> io::Result<(u8, Vec<u8>)> {
    let kind = client.read_u8().await?;
    let mut length = 0;
    for shift in [0, 7, 14, 21] {
        let byte = client.read_u8().await?;
        length |= usize::from(byte & 0x7F) << shift;
        if byte & 0x80 == 0 {
            break;
        }
    }
    let mut body = vec![0; length];
    client.read_exact(&mut body).await?;
    Ok((kind, body))
}
