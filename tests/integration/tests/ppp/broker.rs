//! A broker of MQTT 5 for one client at a time, without I/O: the client's bytes go in, the broker's come out.

/// A broker. It acknowledges what is published with QoS 1, and sends its own messages to a subscriber, each once the one
/// before it was acknowledged.
pub(crate) struct Broker {
    /// The end of a CONNECT that is let in: the password, with its length in front.
    password: Vec<u8>,
    /// Bytes of a packet that is not whole yet.
    partial: Vec<u8>,
    /// The payloads of the client, in the order in which they came.
    pub(crate) published: Vec<Vec<u8>>,
    /// Payloads for the subscriber.
    messages: Vec<Vec<u8>>,
    /// How many of them the client has acknowledged.
    pub(crate) acknowledged: usize,
    /// Whether the client has said goodbye, or something that this broker does not know.
    pub(crate) is_over: bool,
}

impl Broker {
    pub(crate) fn new(password: &str, messages: Vec<Vec<u8>>) -> Self {
        let len = (password.len() as u16).to_be_bytes();
        Self {
            password: [&len[..], password.as_bytes()].concat(),
            partial: Vec::new(),
            published: Vec::new(),
            messages,
            acknowledged: 0,
            is_over: false,
        }
    }

    /// Takes bytes of the client, and returns what is said to them.
    pub(crate) fn hear(&mut self, bytes: &[u8]) -> Vec<u8> {
        self.partial.extend_from_slice(bytes);
        let mut answers = Vec::new();
        while let Some((kind, body)) = self.packet() {
            answers.extend(self.answer(kind, &body));
        }
        answers
    }

    /// Returns the next whole packet: its first byte, and what follows its length.
    fn packet(&mut self) -> Option<(u8, Vec<u8>)> {
        let (mut len, mut at) = (0, 1);
        loop {
            let next = *self.partial.get(at)?;
            len |= usize::from(next & 0x7F) << (7 * (at - 1));
            at += 1;
            if next < 0x80 {
                break;
            }
        }
        if self.partial.len() < at + len {
            return None;
        }
        let packet: Vec<u8> = self.partial.drain(..at + len).collect();
        Some((packet[0], packet[at..].to_vec()))
    }

    fn answer(&mut self, kind: u8, body: &[u8]) -> Vec<u8> {
        match kind >> 4 {
            1 if body.ends_with(&self.password) => vec![0x20, 3, 0, 0, 0],
            // 0x86: bad user name or password.
            1 => vec![0x20, 3, 0, 0x86, 0],
            3 => {
                let topic = usize::from(u16::from_be_bytes([body[0], body[1]]));
                let (id, rest) = body[topic + 2..].split_at(2);
                // The length of the properties, of which there are few.
                let properties = usize::from(rest[0]);
                self.published.push(rest[1 + properties..].to_vec());
                vec![0x40, 2, id[0], id[1]]
            }
            4 => {
                self.acknowledged += 1;
                self.next_message()
            }
            8 => {
                let granted = [0x90, 4, body[0], body[1], 0, 1];
                [granted.to_vec(), self.next_message()].concat()
            }
            12 => vec![0xD0, 0],
            _ => {
                self.is_over = true;
                Vec::new()
            }
        }
    }

    /// Returns a PUBLISH with QoS 1 of the next message, or nothing.
    fn next_message(&self) -> Vec<u8> {
        let Some(payload) = self.messages.get(self.acknowledged) else {
            return Vec::new();
        };
        let id = (self.acknowledged as u16 + 1).to_be_bytes();
        let body = [&b"\x00\x04down"[..], &id, &[0], payload].concat();
        assert!(body.len() < 1 << 14, "two bytes of length");
        let len = [body.len() as u8 | 0x80, (body.len() >> 7) as u8];
        [&[0x32][..], &len, &body].concat()
    }
}
