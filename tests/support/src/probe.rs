//! The least of an MQTT client, to see whether a broker lets us in.

use std::io;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

/// MQTT 5 is `5`, MQTT 3.1.1 is `4`.
pub(crate) fn connect_packet(version: u8, client_id: &str, login: Option<(&str, &str)>) -> Vec<u8> {
    let mut body = Vec::new();
    text(&mut body, "MQTT");
    let clean = 0x02;
    let flags = if login.is_some() { 0xc0 | clean } else { clean };
    body.extend([version, flags, 0, 60]);
    if version == 5 {
        body.push(0);
    }
    text(&mut body, client_id);
    if let Some((user, password)) = login {
        text(&mut body, user);
        text(&mut body, password);
    }
    let length = u8::try_from(body.len())
        .ok()
        .filter(|length| *length < 128)
        .expect("a short packet");
    body.splice(0..0, [0x10, length]);
    body
}

fn text(packet: &mut Vec<u8>, text: &str) {
    packet.extend(
        u16::try_from(text.len())
            .expect("a short text")
            .to_be_bytes(),
    );
    packet.extend(text.as_bytes());
}

/// Sends CONNECT and returns the reason code of the CONNACK.
pub(crate) async fn login<S>(stream: &mut S, connect: &[u8]) -> io::Result<u8>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    stream.write_all(connect).await?;
    stream.flush().await?;
    let packet = read_packet(stream).await?;
    assert_eq!(packet[0], 0x20, "not a CONNACK: {packet:02x?}");
    Ok(packet[3])
}

/// Reads one packet of fewer than 128 bytes.
pub(crate) async fn read_packet<S: AsyncRead + Unpin>(stream: &mut S) -> io::Result<Vec<u8>> {
    let mut packet = vec![0; 2];
    stream.read_exact(&mut packet).await?;
    assert!(packet[1] < 128);
    packet.resize(2 + usize::from(packet[1]), 0);
    stream.read_exact(&mut packet[2..]).await?;
    Ok(packet)
}
