//! A broker's front door: how it answers a login, and what it does once a client is in.
//!
//! MQTT 3.1.1 and 5, as far as that takes. Nothing is delivered to anybody.

use std::io;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

/// The rules of a broker.
#[derive(Clone, Copy, Debug)]
pub struct Door {
    /// Who is let in.
    pub login: fn(&Login) -> Answer,
    /// What becomes of those who are.
    pub after: After,
}

/// What a CONNECT says.
#[derive(Clone, Debug)]
pub struct Login {
    /// 4 is MQTT 3.1.1, 5 is MQTT 5.
    pub version: u8,
    /// The client's id.
    pub client_id: String,
    /// The user name.
    pub user: Option<String>,
}

/// How a CONNECT is answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// The client is in.
    Accept,
    /// A CONNACK with this code, in the client's version of the protocol.
    Refuse(u8),
    /// A CONNACK of MQTT 3.1.1 with this code, whatever the client speaks.
    RefuseInV3(u8),
    /// The connection is closed without an answer.
    Close,
    /// Nothing comes.
    Silence,
}

/// What a broker does with a client that it has let in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum After {
    /// Acknowledges what it publishes.
    Serve,
    /// Closes the connection when it publishes.
    Close,
    /// Sends a DISCONNECT with this reason when it publishes, and closes.
    Disconnect(u8),
    /// Refuses what it publishes, with this reason.
    Refuse(u8),
    /// Never answers again.
    Silence,
    /// Sends a CONNACK of so many bytes at once, and serves.
    LongConnack(u16),
}

const CONNECT: u8 = 0x10;
const PUBLISH: u8 = 0x30;
const PINGREQ: u8 = 0xc0;
const DISCONNECT: u8 = 0xe0;
/// Longer packets are not of those that come here.
const PACKET_LIMIT: usize = 64 * 1024;

impl Door {
    /// A broker that lets everybody in.
    pub const OPEN: Self = Self {
        login: |_| Answer::Accept,
        after: After::Serve,
    };

    pub(super) async fn serve(
        self,
        mut stream: impl AsyncRead + AsyncWrite + Unpin,
    ) -> io::Result<()> {
        let Some(login) = Login::read(&mut stream).await? else {
            // Brokers close on what is no MQTT.
            return stream.shutdown().await;
        };
        let connack: &[u8] = match ((self.login)(&login), login.version) {
            (Answer::Accept, 5) if matches!(self.after, After::LongConnack(_)) => b"",
            (Answer::Accept, 5) => &[0x20, 3, 0, 0, 0],
            (Answer::Accept, _) => &[0x20, 2, 0, 0],
            (Answer::Refuse(code), 5) => return refuse(stream, &[0x20, 3, 0, code, 0]).await,
            (Answer::Refuse(code) | Answer::RefuseInV3(code), _) => {
                return refuse(stream, &[0x20, 2, 0, code]).await;
            }
            (Answer::Close, _) => return stream.shutdown().await,
            (Answer::Silence, _) => return super::silent(stream).await,
        };
        stream.write_all(connack).await?;
        if let After::LongConnack(length) = self.after {
            stream.write_all(&long_connack(length)).await?;
        }
        stream.flush().await?;
        while let Some((kind, body)) = packet(&mut stream).await? {
            match (kind & 0xf0, self.after) {
                (_, After::Silence) => {}
                (PUBLISH, After::Close) => return stream.shutdown().await,
                (PUBLISH, After::Disconnect(reason)) => {
                    return refuse(stream, &[DISCONNECT, 1, reason]).await;
                }
                (PUBLISH, after) if kind & 0x06 != 0 => {
                    let [high, low] = identifier(&body)?;
                    let reason = match after {
                        After::Refuse(reason) => reason,
                        _ => 0,
                    };
                    let puback: &[u8] = match login.version {
                        5 => &[0x40, 3, high, low, reason],
                        _ => &[0x40, 2, high, low],
                    };
                    stream.write_all(puback).await?;
                }
                (PINGREQ, _) => stream.write_all(&[0xd0, 0]).await?,
                (DISCONNECT, _) => break,
                _ => {}
            }
            stream.flush().await?;
        }
        stream.shutdown().await
    }
}

impl Login {
    /// `None` when what comes is no CONNECT.
    async fn read(stream: &mut (impl AsyncRead + Unpin)) -> io::Result<Option<Self>> {
        let Some((CONNECT, body)) = packet(stream).await? else {
            return Ok(None);
        };
        Ok(Self::parse(&body))
    }

    fn parse(body: &[u8]) -> Option<Self> {
        let (name, rest) = text(body)?;
        let (&[version, flags, _, _], mut rest) = rest.split_first_chunk()?;
        if name != b"MQTT" {
            return None;
        }
        if version == 5 {
            // Clients of MQTT 5 here send few properties: their length is one byte.
            let (&length, behind) = rest.split_first()?;
            rest = behind.get(length.into()..)?;
        }
        let (client_id, rest) = text(rest)?;
        let string = |text: &[u8]| String::from_utf8_lossy(text).into_owned();
        // No client here has a will, which would stand in between.
        let user = match flags & 0x80 {
            0 => None,
            _ => Some(string(text(rest)?.0)),
        };
        Some(Self {
            version,
            client_id: string(client_id),
            user,
        })
    }
}

async fn refuse(mut stream: impl AsyncWrite + Unpin, packet: &[u8]) -> io::Result<()> {
    stream.write_all(packet).await?;
    stream.flush().await?;
    stream.shutdown().await
}

/// Kind and body of the next packet; `None` at the end, and for what cannot be MQTT.
async fn packet(stream: &mut (impl AsyncRead + Unpin)) -> io::Result<Option<(u8, Vec<u8>)>> {
    let mut kind = [0];
    if stream.read(&mut kind).await? == 0 || !matches!(kind[0] >> 4, 1..=14) || kind[0] == 0x16 {
        return Ok(None);
    }
    let mut length = 0;
    for shift in [0, 7, 14, 21] {
        let byte = stream.read_u8().await?;
        length |= usize::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            break;
        }
    }
    if length > PACKET_LIMIT {
        return Ok(None);
    }
    let mut body = vec![0; length];
    stream.read_exact(&mut body).await?;
    Ok(Some((kind[0], body)))
}

/// A text and what stands behind it.
fn text(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (length, rest) = bytes.split_first_chunk()?;
    rest.split_at_checked(u16::from_be_bytes(*length).into())
}

/// The number of a PUBLISH, behind its topic.
fn identifier(body: &[u8]) -> io::Result<[u8; 2]> {
    text(body)
        .and_then(|(_, rest)| rest.first_chunk().copied())
        .ok_or_else(|| io::ErrorKind::InvalidData.into())
}

/// An acceptance with a property of the user's that makes it this long.
fn long_connack(length: u16) -> Vec<u8> {
    let value = length.saturating_sub(16);
    // A name of one letter.
    let mut properties = vec![0x26, 0, 1, b'x'];
    properties.extend(value.to_be_bytes());
    properties.resize(properties.len() + usize::from(value), b'x');
    let mut body = vec![0, 0];
    varint(&mut body, properties.len());
    body.extend(properties);
    let mut packet = vec![0x20];
    varint(&mut packet, body.len());
    packet.extend(body);
    packet
}

fn varint(bytes: &mut Vec<u8>, mut number: usize) {
    while number >= 128 {
        bytes.push(number as u8 | 0x80);
        number >>= 7;
    }
    bytes.push(number as u8);
}
