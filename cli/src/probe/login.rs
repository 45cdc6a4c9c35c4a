//! Why a broker does not let in: the same login again from here, then with one thing changed.

use std::io;

use sectag::Cause;
use sectag::mqtt::LoginFailure;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

use super::network::Place;
use super::tls::PATIENCE;
use crate::clock::timeout;
use crate::mqtt::{Login, random_client_id};

pub(super) enum Verdict {
    Confirmed(Cause),
    Disproved(&'static [Cause]),
    Nothing,
}

/// What came back for a CONNECT.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Answer {
    Accepted,
    Refused(LoginFailure),
}

const V3: u8 = 4;
const V5: u8 = 5;

/// Whether what listens there is a broker without TLS. It is sent a login without name and password.
pub(super) async fn is_plain_broker(place: &Place) -> bool {
    let login = Login {
        client_id: random_client_id(),
        user: None,
        token: None,
    };
    for version in [V3, V5] {
        let packet = packet(version, &login.client_id, &login);
        let Ok(Ok(stream)) = timeout(PATIENCE, place.connect()).await else {
            return false;
        };
        match answer(stream, version, &packet).await {
            Answer::Accepted
            | Answer::Refused(LoginFailure::Connack3(_) | LoginFailure::Connack5(_)) => {
                return true;
            }
            Answer::Refused(LoginFailure::Silent) => return false,
            Answer::Refused(_) => {}
        }
    }
    false
}

/// `connect` opens a new connection to the broker each time.
pub(super) async fn look<S: AsyncRead + AsyncWrite + Unpin>(
    connect: impl AsyncFn() -> Option<S>,
    login: &Login,
) -> Vec<(Verdict, String)> {
    let ask = async |version, client_id: &str| match connect().await {
        None => None,
        Some(stream) => Some(answer(stream, version, &packet(version, client_id, login)).await),
    };
    let mut found = Vec::new();
    let refused = match ask(V5, &login.client_id).await {
        None => return found,
        Some(Answer::Accepted) => {
            let all = &[Cause::LoginRefused, Cause::ProtocolVersion];
            found.push((
                Verdict::Disproved(all),
                "the broker accepts this login from here".into(),
            ));
            return found;
        }
        Some(Answer::Refused(failure)) => failure,
    };
    found.push((Verdict::Nothing, refused.to_string()));
    if refused == LoginFailure::NotMqtt {
        found.push((
            Verdict::Confirmed(Cause::NotMqtt),
            "so it is not a broker".into(),
        ));
        return found;
    }
    if refused == LoginFailure::Silent {
        found.push((
            Verdict::Disproved(&[Cause::NetworkSlow]),
            "so the modem's network is not to blame".into(),
        ));
        return found;
    }
    if let Some(Answer::Accepted) = ask(V3, &login.client_id).await {
        found.push((
            Verdict::Confirmed(Cause::ProtocolVersion),
            "the broker accepts the same login in MQTT 3.1.1".into(),
        ));
        return found;
    }
    found.push((
        Verdict::Disproved(&[Cause::ProtocolVersion]),
        "nor does it accept it in MQTT 3.1.1".into(),
    ));
    match ask(V5, &random_client_id()).await {
        Some(Answer::Accepted) => found.push((
            Verdict::Confirmed(Cause::ClientIdRefused),
            "the broker accepts the same login with another client id".into(),
        )),
        Some(Answer::Refused(_)) => found.push((
            Verdict::Disproved(&[Cause::ClientIdRefused]),
            "nor with another client id".into(),
        )),
        None => {}
    }
    found
}

async fn answer(
    mut stream: impl AsyncRead + AsyncWrite + Unpin,
    version: u8,
    packet: &[u8],
) -> Answer {
    let exchange = async {
        stream.write_all(packet).await?;
        stream.flush().await?;
        let mut head = [0; 4];
        stream.read_exact(&mut head).await?;
        io::Result::Ok(head)
    };
    Answer::Refused(match timeout(PATIENCE, exchange).await {
        // CONNACK: type, length, flags, code.
        Ok(Ok([0x20, length, _, 0])) if length >= 2 => return Answer::Accepted,
        // A broker that speaks MQTT 3.1.1 only answers with a shorter one, even to MQTT 5.
        Ok(Ok([0x20, length, _, code])) if version == V5 && length > 2 => {
            LoginFailure::Connack5(code)
        }
        Ok(Ok([0x20, _, _, code])) => LoginFailure::Connack3(code),
        Ok(Ok(_)) => LoginFailure::NotMqtt,
        Ok(Err(_)) => LoginFailure::Closed,
        Err(_) => LoginFailure::Silent,
    })
}

/// A CONNECT with a clean start, as the host tool's own.
fn packet(version: u8, client_id: &str, login: &Login) -> Vec<u8> {
    let mut flags = 0x02;
    if login.user.is_some() {
        flags |= 0xc0;
    }
    let mut body = Vec::new();
    text(&mut body, b"MQTT");
    body.extend([version, flags, 0, 60]);
    if version == V5 {
        // No properties.
        body.push(0);
    }
    text(&mut body, client_id.as_bytes());
    if let Some((name, password)) = &login.user {
        text(&mut body, name.as_bytes());
        text(&mut body, password.as_bytes());
    }
    let mut packet = vec![0x10];
    let mut length = body.len();
    loop {
        let byte = (length % 128) as u8;
        length /= 128;
        packet.push(if length > 0 { byte | 0x80 } else { byte });
        if length == 0 {
            break;
        }
    }
    packet.extend(body);
    packet
}

fn text(packet: &mut Vec<u8>, text: &[u8]) {
    // Longer ones do not exist in MQTT; the broker refuses what is cut.
    let text = &text[..text.len().min(usize::from(u16::MAX))];
    packet.extend((text.len() as u16).to_be_bytes());
    packet.extend(text);
}
