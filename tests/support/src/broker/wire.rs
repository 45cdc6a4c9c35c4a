//! Packets on the wire, in one of two versions of MQTT. The rest of the broker knows those of MQTT 5 only.

use std::fmt;
use std::io;

use mqtt_proto::v5::{
    self, Connack, ConnectReasonCode, ErrorV5, Packet, Puback, Pubcomp, Publish, Pubrec, Pubrel,
    SubscribeReasonCode, SubscriptionOptions,
};
use mqtt_proto::{Error, v3};
use tokio::io::{AsyncRead, AsyncReadExt};

/// The longest packet that is read, in bytes; CONNACK tells it to a client of MQTT 5.
pub(super) const PACKET_LIMIT: u32 = 1024 * 1024;

/// The version that a client's CONNECT names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Version {
    /// 3.1 and 3.1.1.
    V3,
    /// 5.0.
    V5,
}

impl Version {
    /// Reads a packet of this version. Not cancel-safe: what was read of a packet is lost.
    pub(super) async fn read(self, reader: &mut (impl AsyncRead + Unpin)) -> io::Result<Packet> {
        let frame = frame(reader).await?;
        let packet = match self {
            Self::V5 => Packet::decode(&frame).map_err(malformed)?,
            Self::V3 => v3::Packet::decode(&frame)
                .map_err(malformed)?
                .and_then(newer),
        };
        packet.ok_or_else(|| malformed("a packet that ends early, or is not for a server"))
    }

    /// The bytes of a packet; none for one that this version does not have.
    pub(super) fn encode(self, packet: Packet) -> io::Result<Vec<u8>> {
        let bytes = match self {
            Self::V5 => packet.encode(),
            Self::V3 => match older(packet) {
                Some(packet) => packet.encode(),
                None => return Ok(Vec::new()),
            },
        };
        Ok(bytes.map_err(malformed)?.as_ref().to_vec())
    }
}

/// Reads the first packet, which must be a CONNECT and names its version.
pub(super) async fn read_connect(
    reader: &mut (impl AsyncRead + Unpin),
) -> io::Result<(Version, v5::Connect)> {
    let frame = frame(reader).await?;
    match Packet::decode(&frame) {
        Ok(Some(Packet::Connect(connect))) => return Ok((Version::V5, connect)),
        Err(ErrorV5::Common(Error::UnexpectedProtocol(_))) => {}
        Err(error) => return Err(malformed(error)),
        Ok(_) => return Err(malformed("the first packet is no CONNECT")),
    }
    match v3::Packet::decode(&frame).map_err(malformed)? {
        Some(v3::Packet::Connect(connect)) => Ok((Version::V3, newer_connect(connect))),
        _ => Err(malformed("the first packet is no CONNECT")),
    }
}

/// The bytes of one packet.
async fn frame(reader: &mut (impl AsyncRead + Unpin)) -> io::Result<Vec<u8>> {
    let mut frame = vec![reader.read_u8().await?];
    let mut length: u32 = 0;
    for shift in [0, 7, 14, 21] {
        let byte = reader.read_u8().await?;
        frame.push(byte);
        length |= u32::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            break;
        }
        if shift == 21 {
            return Err(malformed("a length of more than four bytes"));
        }
    }
    if length > PACKET_LIMIT {
        return Err(malformed("a packet that is too long"));
    }
    let head = frame.len();
    frame.resize(head + length as usize, 0);
    reader.read_exact(&mut frame[head..]).await?;
    Ok(frame)
}

fn malformed(error: impl fmt::Display) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, error.to_string())
}

fn newer_connect(connect: v3::Connect) -> v5::Connect {
    let mut newer = v5::Connect::new(connect.client_id, connect.keep_alive);
    newer.clean_start = connect.clean_session;
    newer.username = connect.username;
    newer.password = connect.password;
    newer.last_will = connect.last_will.map(|will| {
        let mut newer = v5::LastWill::new(will.qos, will.topic_name, will.message);
        newer.retain = will.retain;
        newer
    });
    newer
}

/// What a client sends.
fn newer(packet: v3::Packet) -> Option<Packet> {
    Some(match packet {
        v3::Packet::Connect(connect) => Packet::Connect(newer_connect(connect)),
        v3::Packet::Publish(publish) => {
            let mut newer = Publish::new(publish.qos_pid, publish.topic_name, publish.payload);
            newer.dup = publish.dup;
            newer.retain = publish.retain;
            Packet::Publish(newer)
        }
        v3::Packet::Puback(pid) => Packet::Puback(Puback::new_success(pid)),
        v3::Packet::Pubrec(pid) => Packet::Pubrec(Pubrec::new_success(pid)),
        v3::Packet::Pubrel(pid) => Packet::Pubrel(Pubrel::new_success(pid)),
        v3::Packet::Pubcomp(pid) => Packet::Pubcomp(Pubcomp::new_success(pid)),
        v3::Packet::Subscribe(subscribe) => {
            let filters = subscribe.topics.into_iter().map(|(filter, qos)| {
                let mut options = SubscriptionOptions::new(qos);
                // Only what was retained before the subscription is marked (MQTT 3.1.1, section 3.3.1.3).
                options.retain_as_published = false;
                (filter, options)
            });
            Packet::Subscribe(v5::Subscribe::new(subscribe.pid, filters.collect()))
        }
        v3::Packet::Unsubscribe(unsubscribe) => {
            Packet::Unsubscribe(v5::Unsubscribe::new(unsubscribe.pid, unsubscribe.topics))
        }
        v3::Packet::Pingreq => Packet::Pingreq,
        v3::Packet::Disconnect => Packet::Disconnect(v5::Disconnect::new_normal()),
        _ => return None,
    })
}

/// What a server sends. A DISCONNECT of a server is new in MQTT 5.
fn older(packet: Packet) -> Option<v3::Packet> {
    Some(match packet {
        Packet::Connack(connack) => v3::Packet::Connack(older_connack(&connack)),
        Packet::Publish(publish) => {
            let mut older = v3::Publish::new(publish.qos_pid, publish.topic_name, publish.payload);
            older.dup = publish.dup;
            older.retain = publish.retain;
            v3::Packet::Publish(older)
        }
        Packet::Puback(puback) => v3::Packet::Puback(puback.pid),
        Packet::Pubrec(pubrec) => v3::Packet::Pubrec(pubrec.pid),
        Packet::Pubrel(pubrel) => v3::Packet::Pubrel(pubrel.pid),
        Packet::Pubcomp(pubcomp) => v3::Packet::Pubcomp(pubcomp.pid),
        Packet::Suback(suback) => {
            let codes = suback.topics.into_iter().map(|code| match code {
                SubscribeReasonCode::GrantedQoS0 => v3::SubscribeReturnCode::MaxLevel0,
                SubscribeReasonCode::GrantedQoS1 => v3::SubscribeReturnCode::MaxLevel1,
                SubscribeReasonCode::GrantedQoS2 => v3::SubscribeReturnCode::MaxLevel2,
                _ => v3::SubscribeReturnCode::Failure,
            });
            v3::Packet::Suback(v3::Suback::new(suback.pid, codes.collect()))
        }
        Packet::Unsuback(unsuback) => v3::Packet::Unsuback(unsuback.pid),
        Packet::Pingresp => v3::Packet::Pingresp,
        _ => return None,
    })
}

fn older_connack(connack: &Connack) -> v3::Connack {
    let code = match connack.reason_code {
        ConnectReasonCode::Success => v3::ConnectReturnCode::Accepted,
        ConnectReasonCode::ClientIdentifierNotValid => v3::ConnectReturnCode::IdentifierRejected,
        ConnectReasonCode::BadUserNameOrPassword => v3::ConnectReturnCode::BadUserNameOrPassword,
        _ => v3::ConnectReturnCode::ServerUnavailable,
    };
    v3::Connack::new(connack.session_present, code)
}
