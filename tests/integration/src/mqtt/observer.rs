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

async fn exchange(broker: &mut TcpStream, packet: &[u8], answer: &[u8]) {
    broker.write_all(packet).await.expect("it is connected");
    let mut answered = vec![0; answer.len()];
    broker.read_exact(&mut answered).await.expect("an answer");
    assert_eq!(answered, answer);
}

/// Somebody who listens at the plain port.
pub(super) struct Listener {
    broker: TcpStream,
}

impl Listener {
    /// Subscribes with QoS 0; returns when the broker has confirmed it.
    pub(super) async fn subscribe(port: u16, filter: &str) -> Self {
        let mut broker = TcpStream::connect(("127.0.0.1", port))
            .await
            .expect("the broker listens");
        let connect = b"\x10\x14\x00\x04MQTT\x04\x02\x00\x3c\x00\x08listener";
        exchange(&mut broker, connect, b"\x20\x02\x00\x00").await;
        let length = 2 + 2 + filter.len() + 1;
        let mut packet = vec![0x82, length as u8, 0, 1, 0, filter.len() as u8];
        packet.extend_from_slice(filter.as_bytes());
        packet.push(0);
        exchange(&mut broker, &packet, b"\x90\x03\x00\x01\x00").await;
        Self { broker }
    }

    /// Topic and payload of the next message.
    pub(super) async fn next(&mut self) -> (String, Vec<u8>) {
        let kind = self.broker.read_u8().await.expect("the broker speaks");
        assert_eq!(kind & 0xf7, 0x30, "a message with QoS 0");
        let (mut length, mut shift) = (0_usize, 0);
        loop {
            let byte = self.broker.read_u8().await.expect("a length");
            length |= usize::from(byte & 0x7f) << shift;
            shift += 7;
            if byte & 0x80 == 0 {
                break;
            }
        }
        let mut packet = vec![0; length];
        self.broker.read_exact(&mut packet).await.expect("a packet");
        let topic = usize::from(packet[0]) << 8 | usize::from(packet[1]);
        let payload = packet.split_off(2 + topic);
        let topic = String::from_utf8(packet.split_off(2)).expect("a topic");
        (topic, payload)
    }
}
