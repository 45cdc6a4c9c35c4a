//! A connection to a broker that is listened to in passing: a client of MQTT passes on less of a refusal than the broker says.

use std::cell::RefCell;
use std::rc::Rc;

use embedded_io_async::{ErrorType, Read, Write};
use sectag::mqtt::LoginFailure;
use sectag::{SecureSocket, SocketError};

const CONNACK: u8 = 0x20;
const DISCONNECT: u8 = 0xe0;

/// A socket, and what the broker has said on it.
pub(crate) struct Heard<S> {
    socket: S,
    words: Words,
}

/// What a broker has said so far, as far as it is about the end of a session or its beginning. All copies hear it.
#[derive(Clone, Default)]
pub(crate) struct Words(Rc<RefCell<Listener>>);

impl<S> Heard<S> {
    pub(crate) fn new(socket: S) -> Self {
        Self {
            socket,
            words: Words::default(),
        }
    }

    pub(crate) fn words(&self) -> Words {
        self.words.clone()
    }
}

impl<S: SecureSocket<Error = SocketError>> Heard<S> {
    /// As the socket's own.
    pub(crate) async fn finish(&mut self) -> Result<(), SocketError> {
        self.socket.finish().await
    }
}

impl<S: ErrorType<Error = SocketError>> ErrorType for Heard<S> {
    type Error = SocketError;
}

impl<S: Read + ErrorType<Error = SocketError>> Read for Heard<S> {
    async fn read(&mut self, buf: &mut [u8]) -> Result<usize, SocketError> {
        let count = self.words.noted(self.socket.read(buf).await)?;
        self.words.0.borrow_mut().hear(&buf[..count]);
        Ok(count)
    }
}

impl<S: Write + ErrorType<Error = SocketError>> Write for Heard<S> {
    async fn write(&mut self, buf: &[u8]) -> Result<usize, SocketError> {
        self.words.noted(self.socket.write(buf).await)
    }

    async fn flush(&mut self) -> Result<(), SocketError> {
        self.words.noted(self.socket.flush().await)
    }
}

impl Words {
    /// Why the login failed, where the broker has said it.
    pub(crate) fn refusal(&self) -> Option<LoginFailure> {
        self.0.borrow().refusal()
    }

    /// What became of the connection; the protocol's own errors have no room for it.
    pub(crate) fn trouble(&self) -> Option<SocketError> {
        self.0.borrow().trouble
    }

    fn noted<T>(&self, result: Result<T, SocketError>) -> Result<T, SocketError> {
        if let Err(error) = &result {
            self.0.borrow_mut().trouble = Some(*error);
        }
        result
    }

    /// The reason of its DISCONNECT.
    pub(crate) fn farewell(&self) -> Option<u8> {
        self.0.borrow().farewell
    }
}

/// Follows the packets of one direction.
#[derive(Default)]
struct Listener {
    place: Place,
    /// The kind of the first packet.
    first: Option<u8>,
    /// Length and code of the CONNACK.
    connack: Option<(usize, u8)>,
    farewell: Option<u8>,
    trouble: Option<SocketError>,
}

#[derive(Clone, Copy, Default)]
enum Place {
    /// A packet's kind comes next.
    #[default]
    Kind,
    /// A byte of its length.
    Length { kind: u8, length: usize, shift: u32 },
    /// Its body.
    Body { kind: u8, length: usize, at: usize },
}

impl Listener {
    fn hear(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.place = self.step(*byte);
        }
    }

    fn step(&mut self, byte: u8) -> Place {
        match self.place {
            Place::Kind => {
                self.first.get_or_insert(byte);
                let (kind, length, shift) = (byte, 0, 0);
                Place::Length {
                    kind,
                    length,
                    shift,
                }
            }
            Place::Length {
                kind,
                length,
                shift,
            } => {
                let length = length | usize::from(byte & 0x7f) << shift;
                if byte >= 0x80 && shift < 21 {
                    let shift = shift + 7;
                    return Place::Length {
                        kind,
                        length,
                        shift,
                    };
                }
                if length == 0 {
                    if kind == DISCONNECT {
                        self.farewell = Some(0);
                    }
                    return Place::Kind;
                }
                Place::Body {
                    kind,
                    length,
                    at: 0,
                }
            }
            Place::Body { kind, length, at } => {
                match (kind, at) {
                    (CONNACK, 1) => self.connack = Some((length, byte)),
                    (DISCONNECT, 0) => self.farewell = Some(byte),
                    _ => {}
                }
                if at + 1 == length {
                    return Place::Kind;
                }
                Place::Body {
                    kind,
                    length,
                    at: at + 1,
                }
            }
        }
    }

    fn refusal(&self) -> Option<LoginFailure> {
        match (self.first?, self.connack) {
            (CONNACK, Some((_, 0)) | None) => None,
            // That of MQTT 5 has properties, if only their length.
            (CONNACK, Some((2, code))) => Some(LoginFailure::Connack3(code)),
            (CONNACK, Some((_, code))) => Some(LoginFailure::Connack5(code)),
            (DISCONNECT, _) => self.farewell.map(LoginFailure::Connack5),
            _ => Some(LoginFailure::NotMqtt),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_broker_says_is_heard_however_it_is_cut() {
        let long = [&[0x20, 0x83, 0x01, 0, 0][..], &[0; 129], &[0xe0, 1, 0x8e]].concat();
        let cases: [(&[u8], Option<LoginFailure>, Option<u8>); 8] = [
            (b"", None, None),
            (b"\x20\x03\x00\x00\x00", None, None),
            (
                b"\x20\x03\x00\x8a\x00",
                Some(LoginFailure::Connack5(0x8a)),
                None,
            ),
            (b"\x20\x02\x00\x01", Some(LoginFailure::Connack3(1)), None),
            (b"HTTP/1.1 400", Some(LoginFailure::NotMqtt), None),
            (&long, None, Some(0x8e)),
            (b"\x20\x03\x00\x00\x00\xe0\x00", None, Some(0)),
            (b"\x20", None, None),
        ];
        for (bytes, refusal, farewell) in cases {
            for size in [1, 2, 3, 1000] {
                let mut listener = Listener::default();
                bytes.chunks(size).for_each(|part| listener.hear(part));
                assert_eq!((listener.refusal(), listener.farewell), (refusal, farewell));
            }
        }
    }
}
