//! As much of an MQTT 5 broker as a publish takes: it acknowledges, and prints what is published.

use std::io;

use base64ct::{Base64UrlUnpadded, Encoding};
use embassy_time::{Duration, with_timeout};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::Connection;

/// The name by which the broker knows that a token is for it.
pub const AUDIENCE: &str = "my-project";

/// Serves one client until it leaves.
///
/// # Errors
/// Of the connection, or when a packet is none that [`publish`](../publish/index.html) sends.
pub async fn serve(mut client: Connection) -> io::Result<()> {
    let (kind, _) = packet(&mut client).await?;
    if kind != 1 {
        return Err(io::ErrorKind::InvalidData.into());
    }
    serve_in(&mut client).await
}

/// As [`serve`], for a client whose password is a token for [`AUDIENCE`], and for no longer than that lives. Brokers look at
/// the signature first, which this one leaves to `tests/jwt`.
///
/// # Errors
/// Of the connection, or when there is no such token.
pub async fn serve_for_tokens(mut client: Connection) -> io::Result<()> {
    let (_, connect) = packet(&mut client).await?;
    let Some(lifetime) = lifetime(&connect) else {
        // Bad user name or password.
        return client.write_all(&[0x20, 3, 0, 0x86, 0]).await;
    };
    println!("a token for {} s", lifetime.as_secs());
    match with_timeout(lifetime, serve_in(&mut client)).await {
        Ok(served) => served,
        Err(_) => {
            println!("the token has expired");
            client.shutdown().await
        }
    }
}

/// The lifetime of the token at the end of a CONNECT.
fn lifetime(connect: &[u8]) -> Option<Duration> {
    // How the text of a JSON object with a text in it begins.
    let start = connect.windows(3).position(|three| three == b"eyJ")?;
    let token = std::str::from_utf8(&connect[start..]).ok()?;
    let mut parts = token.split('.').skip(1);
    let claims = Base64UrlUnpadded::decode_vec(parts.next()?).ok()?;
    let claims = String::from_utf8(claims).ok()?;
    let number = |name: &str| {
        let (_, rest) = claims.split_once(&format!("\"{name}\":"))?;
        let end = rest.find([',', '}'])?;
        rest[..end].parse::<u64>().ok()
    };
    let is_ours = claims.contains(&format!("\"aud\":\"{AUDIENCE}\""));
    let seconds = number("exp")?.checked_sub(number("iat")?)?;
    is_ours.then(|| Duration::from_secs(seconds))
}

/// Serves a client that is let in.
async fn serve_in(client: &mut Connection) -> io::Result<()> {
    // CONNACK: no session was there, reason 0, no properties.
    client.write_all(&[0x20, 3, 0, 0, 0]).await?;
    loop {
        client.flush().await?;
        let (kind, packet) = packet(client).await?;
        match kind {
            // PUBLISH with QoS 1: topic, packet id, no properties, payload.
            3 => {
                let name = usize::from(u16::from_be_bytes([packet[0], packet[1]])) + 2;
                let (topic, rest) = (&packet[2..name], &packet[name..]);
                println!(
                    "the broker has {} {}",
                    topic.escape_ascii(),
                    rest[3..].escape_ascii()
                );
                client.write_all(&[0x40, 2, rest[0], rest[1]]).await?;
            }
            // PINGREQ.
            12 => client.write_all(&[0xd0, 0]).await?,
            // DISCONNECT.
            14 => return client.shutdown().await,
            _ => return Err(io::ErrorKind::InvalidData.into()),
        }
    }
}

/// Type and content of the next packet.
async fn packet(client: &mut Connection) -> io::Result<(u8, Vec<u8>)> {
    let kind = client.read_u8().await? >> 4;
    let mut length = 0;
    // Two bytes of length do for these packets.
    for shift in [0, 7] {
        let byte = client.read_u8().await?;
        length |= usize::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            break;
        }
    }
    let mut content = vec![0; length];
    client.read_exact(&mut content).await?;
    Ok((kind, content))
}
