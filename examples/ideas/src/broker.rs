//! As much of an MQTT 5 broker as one publish takes: it acknowledges, and prints what is published.

use std::io;

use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::Connection;

/// Serves one client until it leaves.
///
/// # Errors
/// Of the connection, or when a packet is none that [`publish`](../publish/index.html) sends.
pub async fn serve(mut client: Connection) -> io::Result<()> {
    loop {
        // One byte of length does for these packets.
        let (kind, length) = (client.read_u8().await?, client.read_u8().await?);
        let mut packet = vec![0; length.into()];
        client.read_exact(&mut packet).await?;
        match kind >> 4 {
            // CONNECT: no session was there, reason 0, no properties.
            1 => client.write_all(&[0x20, 3, 0, 0, 0]).await?,
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
            // DISCONNECT.
            14 => return client.shutdown().await,
            _ => return Err(io::ErrorKind::InvalidData.into()),
        }
        client.flush().await?;
    }
}
