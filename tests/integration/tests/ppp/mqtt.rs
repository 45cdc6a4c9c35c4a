//! MQTT over TLS over PPP: a server that acknowledges, and a client that publishes.

use std::io::{Read, Write};

use minimq::{Buffers, ConfigBuilder, Error, Publication, QoS, Session};
use rcgen::KeyPair;
use sectag::clock::DateTime;
use sectag::jwt::{self, Claims};
use sectag::signer::P256Key;
use sectag::{SecureSocket, SocketError};
use sectag_ppp::tls::Sockets;

use crate::broker::Broker;
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
    let mut broker = Broker::new(password, Vec::new());
    let mut bytes = [0; 1024];
    while let Ok(count @ 1..) = tls.read(&mut bytes) {
        let answer = broker.hear(&bytes[..count]);
        for (number, payload) in broker.published.iter().enumerate() {
            assert_eq!(*payload, format!("message {number:03}").as_bytes());
        }
        if tls.write_all(&answer).is_err() || broker.is_over {
            return;
        }
    }
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
