//! Somebody else at the broker, who owes nothing to sectag: a few packets of MQTT 3.1.1 by hand.

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// Publishes with QoS 1 or 2 at the broker's plain port, and returns when the broker has taken it.
pub(super) async fn publish(port: u16, topic: &str, payload: &[u8], qos: u8) {
    let mut broker = TcpStream::connect(("127.0.0.1", port))
        .await
        .expect("the broker listens");
    let connect = b"\x10\x14\x00\x04MQTT\x04\x02\x00\x3c\x00\x08observer";
    exchange(&mut broker, connect, b"\x20\x02\x00\x00").await;
    let length = 2 + topic.len() + 2 + payload.len();
    assert!(length < 128, "a short message");
    let mut packet = vec![0x30 | qos << 1, length as u8, 0, topic.len() as u8];
    packet.extend_from_slice(topic.as_bytes());
    packet.extend_from_slice(b"\x00\x01");
    packet.extend_from_slice(payload);
    if qos == 2 {
        exchange(&mut broker, &packet, b"\x50\x02\x00\x01").await;
        exchange(&mut broker, b"\x62\x02\x00\x01", b"\x70\x02\x00\x01").await;
    } else {
        exchange(&mut broker, &packet, b"\x40\x02\x00\x01").await;
    }
}

async fn exchange(broker: &mut TcpStream, packet: &[u8], answer: &[u8; 4]) {
    broker.write_all(packet).await.expect("it is connected");
    let mut answered = [0; 4];
    broker.read_exact(&mut answered).await.expect("an answer");
    assert_eq!(&answered, answer);
}
