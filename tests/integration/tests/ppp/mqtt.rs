//! MQTT over TLS over PPP: a server that acknowledges, and a client that publishes.

use std::io::{Read, Write};

use minimq::{Buffers, ConfigBuilder, Error, Publication, QoS, Session};
use rcgen::KeyPair;
use sectag::clock::DateTime;
use sectag::jwt::{self, Claims};
use sectag::signer::P256Key;
use sectag::{SecureSocket, SocketError};
use sectag_ppp::tls::Sockets;

use crate::server::{NAME, Server};
use crate::tls::{TLS, now, with_noisy_sockets};

const MESSAGES: usize = 20;

/// A token of a throw-away device.
pub(crate) fn token(now: DateTime) -> String {
    let mut key = P256Key::from_scalar(&[7; 32]).unwrap();
    let mut out = [0; 512];
    let claims = Claims::new("example-project");
    let token = jwt::sign(&mut key, &claims, now, &mut out);
    let token = embassy_futures::block_on(token).unwrap();
    token.expose().to_owned()
}

/// Lets a client in whose CONNECT ends with this password, acknowledges what it publishes with QoS 1, and checks that it comes
/// in order and once.
pub(crate) fn serve(tls: &mut (impl Read + Write), password: &str) {
    let mut expected = password.as_bytes().to_vec();
    expected.splice(..0, (password.len() as u16).to_be_bytes());
    let mut count = 0;
    while let Some((kind, body)) = packet(tls) {
        let answer = match kind >> 4 {
            1 if body.ends_with(&expected) => vec![0x20, 3, 0, 0, 0],
            // 0x86: bad user name or password.
            1 => vec![0x20, 3, 0, 0x86, 0],
            3 => {
                let topic = usize::from(u16::from_be_bytes([body[0], body[1]]));
                let id = &body[topic + 2..topic + 4];
                assert!(body.ends_with(format!("message {count:03}").as_bytes()));
                count += 1;
                vec![0x40, 2, id[0], id[1]]
            }
            12 => vec![0xD0, 0],
            _ => return,
        };
        if tls.write_all(&answer).is_err() {
            return;
        }
    }
}

/// The next packet: its first byte, and what is behind its length.
fn packet(tls: &mut impl Read) -> Option<(u8, Vec<u8>)> {
    let mut byte = || {
        let mut one = [0];
        tls.read_exact(&mut one).ok().map(|()| one[0])
    };
    let kind = byte()?;
    let (mut len, mut shift) = (0, 0);
    loop {
        let next = byte()?;
        len |= usize::from(next & 0x7F) << shift;
        shift += 7;
        if next < 0x80 {
            break;
        }
    }
    let mut body = vec![0; len];
    tls.read_exact(&mut body).ok()?;
    Some((kind, body))
}

pub(crate) async fn publish(
    sockets: Sockets<'_>,
    port: u16,
    password: &str,
) -> Result<(), Error<SocketError>> {
    let socket = sockets.connect(NAME, port, &TLS).await.unwrap();
    publish_over(socket, password).await
}

/// Some messages with QoS 1 by minimq.
pub(crate) async fn publish_over<S: SecureSocket<Error = SocketError>>(
    socket: S,
    password: &str,
) -> Result<(), Error<SocketError>> {
    let (mut rx, mut tx) = ([0; 1024], [0; 2048]);
    let config = ConfigBuilder::new(Buffers::new(&mut rx, &mut tx))
        .client_id("device-1")
        .unwrap()
        .auth("unused", password.as_bytes())
        .unwrap();
    let mut session = Session::new(config);
    let mut mqtt = session.connect(socket).await?;
    for number in 0..MESSAGES {
        let text = format!("message {number:03}");
        let publication = Publication::bytes("state", text.as_bytes()).qos(QoS::AtLeastOnce);
        let sent = mqtt
            .publish(publication)
            .await
            .map_err(|_| Error::Disconnected)?;
        while sent.as_ref().is_some_and(|op| mqtt.is_pending(op)) {
            mqtt.poll().await?;
        }
    }
    let _ = mqtt.disconnect().await;
    Ok(())
}

/// A tenth of the longest frames, which have 552 bytes with slirp, and a message in fifteen, are damaged; TCP sends them again.
#[test]
fn on_a_line_that_damages_one_byte_in_5000_every_message_arrives() {
    let password = "password".to_owned();
    let server = Server::start(KeyPair::generate().unwrap(), move |tls| {
        serve(tls, &password)
    });
    with_noisy_sockets(5_000, &[server.root], now, async |sockets| {
        publish(sockets, server.address.port(), "password")
            .await
            .unwrap();
    });
}
