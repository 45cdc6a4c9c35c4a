//! Writes the keys of a TLS context and reads them back (sheet 4.1).
//!
//! Nothing is assumed of what it held: its defaults verify nothing (sheet 2 and 4.1), and another
//! connection may have used it.

use sectag::at::{Fields, answer};
use sectag::modem::{Open, Out, Then, World};
use sectag::{ConnectError, Feature, Support, TlsVersion};

use crate::keys::{Key, PROVEN, hex};
use crate::{Bg96, Options, files};

/// Seconds for the handshake; the modem's default is 300.
pub(crate) const NEGOTIATION: u32 = 60;

/// What is being said, or is to be said next.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    /// A key.
    Write,
    /// The security level without a client certificate: whether it is this level that was refused, or the
    /// key.
    Level,
    /// All keys are asked for that the modem has taken: noise on the UART may have made another context or
    /// value of one, which it took as well.
    ///
    /// One query for all: an altered byte of it, or of its answer, only has keys asked for or written once
    /// more. A firmware that does not answer such queries at all, which are in the manual, is believed.
    Prove,
    /// What is not what it should be is written again, so many times at most after this one,
    Mend(u8),
    /// and asked for alone.
    Check(u8),
    End,
}

/// Scratch of writing a context.
pub(crate) struct Writing {
    place: Place,
    /// Of the key.
    index: u8,
    /// The key is written for the second time.
    again: bool,
    /// The modem took a command for a query, which it is without its value or a comma: a byte was lost on
    /// the way (sheet 4.1).
    queried: bool,
    /// Keys that are asked for; none when one is written.
    asked: u16,
    /// Sets of keys: what the modem has taken,
    accepted: u16,
    /// what was right when all were asked for,
    right: u16,
    /// what is not what it should be,
    wrong: u16,
    /// what was ever answered,
    heard: u16,
    /// and what this answer says.
    now_right: u16,
    now_wrong: u16,
    /// [`Bg96::extended`] before the key.
    before: u32,
    /// A key that the modem has not taken, see [`missing`].
    lost: Option<Key>,
}

impl Writing {
    pub(crate) const fn new() -> Self {
        Self {
            place: Place::Write,
            index: 0,
            again: false,
            queried: false,
            asked: 0,
            accepted: 0,
            right: 0,
            wrong: 0,
            heard: 0,
            now_right: 0,
            now_wrong: 0,
            before: 0,
            lost: None,
        }
    }

    fn key(&self) -> Option<Key> {
        match self.place {
            Place::Level => Some(Key::SecLevel),
            _ => Key::ALL.get(usize::from(self.index)).copied(),
        }
    }

    fn doubts(&self, key: Key) -> bool {
        self.accepted & !self.right & key.bit() != 0
    }

    /// The place after the keys were written.
    fn written(&mut self) -> Place {
        self.accepted &= PROVEN;
        if self.lost.is_some() {
            Place::End
        } else {
            Place::Prove
        }
    }
}

#[derive(Clone, Copy)]
enum Value {
    /// By its number, see [`files`].
    File(u8),
    NoPsk,
    Number(u32),
    Psk {
        identity: &'static str,
        key: &'static str,
    },
    /// Unquoted hex: the quoted form is refused (sheet T7).
    Suite(u16),
    Text(&'static str),
    /// Written in decimal digits and told in hexadecimal ones (sheet 4.11).
    Zero,
}

impl<O: Options> Bg96<O> {
    /// The value of `key`, `None` when it is not for this connection.
    fn value(&self, open: &Open, key: Key) -> Option<Value> {
        let config = &open.config;
        let mutual = config.has_client_certificate();
        Some(match key {
            // One version; 4 stands for all, down to SSL 3.
            Key::SslVersion => Value::Number(match config.oldest_version() {
                TlsVersion::Tls10 => 1,
                TlsVersion::Tls11 => 2,
                _ => 3,
            }),
            Key::CipherSuite => Value::Suite(self.opening.suite),
            Key::CaCert => Value::File(0),
            Key::ClientCert if mutual => Value::File(1),
            Key::ClientKey if mutual => Value::File(2),
            Key::ClientCert | Key::ClientKey => return None,
            Key::SecLevel if self.opening.writing.place == Place::Level => Value::Number(1),
            Key::SecLevel => Value::Number(if mutual { 2 } else { 1 }),
            Key::IgnoreCertItem | Key::IgnoreCertSign | Key::IgnoreCertChain => {
                if !self.keys.lists(key) {
                    return None;
                }
                Value::Zero
            }
            Key::CaCertEx => return None,
            Key::IgnoreLocalTime => Value::Number(0),
            Key::NegotiateTime if self.limited & 1 << open.context != 0 => return None,
            Key::NegotiateTime => Value::Number(NEGOTIATION),
            Key::Sni => Value::Number(1),
            Key::SessionCache if config.resumes_sessions() => Value::Number(1),
            Key::Alpn if config.alpn_protocol().is_some() => {
                Value::Text(config.alpn_protocol().unwrap_or_default())
            }
            Key::Psk if config.pre_shared_key().is_some() => {
                let psk = config.pre_shared_key()?;
                Value::Psk {
                    identity: psk.identity(),
                    key: psk.key(),
                }
            }
            // An earlier connection may have left something in this context.
            _ if self.extended & mark(open, key) == 0 => return None,
            Key::SessionCache => Value::Number(0),
            Key::Alpn => Value::Text(""),
            Key::Psk => Value::NoPsk,
        })
    }

    /// Decides what is said next; `false` when there is nothing more.
    pub(crate) fn next_key(&mut self, world: &World<'_>) -> bool {
        let Some(open) = &world.open else {
            return false;
        };
        let writing = &mut self.opening.writing;
        writing.queried = false;
        writing.asked = 0;
        (writing.now_right, writing.now_wrong) = (0, 0);
        loop {
            let key = self.opening.writing.key();
            let value = key.and_then(|key| self.value(open, key));
            let writing = &mut self.opening.writing;
            match (writing.place, key) {
                (Place::Write, Some(key)) if value.is_some() => {
                    if !writing.again {
                        writing.before = self.extended;
                        if asks_for(open, key) {
                            self.extended |= mark(open, key);
                        }
                    }
                    return true;
                }
                (Place::Write, None) => {
                    self.limited |= 1 << open.context;
                    let refused = self.keys.of(Key::SecLevel) == Support::No;
                    writing.place = if refused && open.config.has_client_certificate() {
                        Place::Level
                    } else {
                        writing.written()
                    };
                }
                (Place::Level, _) => return true,
                (Place::Prove, _) => {
                    writing.asked = writing.accepted;
                    return true;
                }
                (Place::Mend(left), Some(key)) if writing.doubts(key) => {
                    if writing.wrong & key.bit() != 0 && value.is_some() {
                        return true;
                    }
                    writing.place = Place::Check(left);
                }
                (Place::Check(_), Some(key)) => {
                    writing.asked = key.bit();
                    return true;
                }
                // Not for this connection, or proven.
                (Place::Write | Place::Mend(_), Some(_)) => writing.index += 1,
                (Place::Mend(_) | Place::Check(_) | Place::End, _) => return false,
            }
        }
    }

    /// Writes what is said next behind `AT+QSSLCFG=`.
    pub(crate) fn write_key(&self, world: &World<'_>, out: &mut Out<'_>) {
        let Some(open) = &world.open else { return };
        let writing = &self.opening.writing;
        // All in one line: should the modem not carry out all of it, an answer is missing, and those are
        // asked for one by one.
        let mut first = true;
        for key in Key::ALL {
            if writing.asked & key.bit() != 0 {
                if !core::mem::take(&mut first) {
                    out.bytes(b";+QSSLCFG=");
                }
                write_head(open, key, out);
            }
        }
        let (true, Some(key)) = (first, writing.key()) else {
            return;
        };
        write_head(open, key, out);
        out.byte(b',');
        match self.value(open, key) {
            Some(Value::File(file)) => {
                out.byte(b'"');
                files::write_name(open.config.tag(), file, out);
                out.byte(b'"');
            }
            Some(Value::NoPsk) => out.bytes(b"\"\",\"\""),
            Some(Value::Number(number)) => out.int(number),
            Some(Value::Psk { identity, key }) => {
                out.quoted(identity.as_bytes());
                out.byte(b',');
                out.quoted(key.as_bytes());
            }
            // `0XC02F`, as the manual writes it.
            Some(Value::Suite(number)) => {
                out.bytes(b"0X");
                for shift in [12, 8, 4, 0] {
                    out.byte(b"0123456789ABCDEF"[usize::from(number >> shift & 15)]);
                }
            }
            Some(Value::Text(text)) => out.quoted(text.as_bytes()),
            Some(Value::Zero) => out.byte(b'0'),
            None => {}
        }
    }

    /// `+QSSLCFG: "<key>",<context>,<value>`.
    pub(crate) fn key_told(&mut self, world: &mut World<'_>, line: &[u8]) {
        let (Some(text), Some(open)) = (answer(line, "+QSSLCFG:"), &world.open) else {
            return;
        };
        self.opening.writing.queried = true;
        let mut fields = Fields::new(text);
        let key = fields.unquoted().and_then(Key::named);
        let (Some(key), true) = (key, fields.byte() == Some(open.context)) else {
            return;
        };
        let (Some(value), Some(said)) = (self.value(open, key), fields.unquoted()) else {
            return;
        };
        let writing = &mut self.opening.writing;
        match is(value, said, open) {
            Some(true) => writing.now_right |= key.bit(),
            Some(false) => writing.now_wrong |= key.bit(),
            None => {}
        }
    }

    pub(crate) fn key_answered(&mut self, world: &mut World<'_>, answer: Option<&[u8]>) -> Then {
        let writing = &mut self.opening.writing;
        match (writing.place, writing.key()) {
            (Place::Prove, _) => {
                (writing.right, writing.wrong) = (writing.now_right, writing.now_wrong);
                writing.heard = writing.right | writing.wrong;
                writing.index = 0;
                writing.place = Place::Mend(1);
            }
            (Place::Check(left), Some(key)) => self.key_checked(key, left),
            (_, Some(key)) => {
                let accepted = answer.is_some() && !writing.queried;
                self.key_written(world, key, accepted);
            }
            (_, None) => writing.place = Place::End,
        }
        if self.next_key(world) {
            return Then::Same;
        }
        self.keys_written(world)
    }

    /// A key that the firmware may have is tried twice: what was refused may have been noise on the UART
    /// instead, and what is then not checked would be checked no less by mistake.
    fn key_written(&mut self, world: &World<'_>, key: Key, accepted: bool) {
        let Some(open) = &world.open else { return };
        let writing = &mut self.opening.writing;
        writing.again = !accepted && !writing.again && self.keys.of(key) != Support::No;
        if writing.again {
            return;
        }
        self.keys.learn(key, accepted);
        match writing.place {
            Place::Mend(left) => writing.place = Place::Check(left),
            Place::Level => {
                if accepted {
                    writing.lost = Some(Key::ClientCert);
                }
                writing.place = writing.written();
            }
            _ => {
                if !accepted {
                    self.extended = writing.before;
                    if JUDGED & key.bit() == 0 {
                        writing.lost = writing.lost.or(Some(key));
                    }
                } else {
                    writing.accepted |= key.bit();
                    if !asks_for(open, key) {
                        self.extended = writing.before & !mark(open, key);
                    }
                }
                writing.index += 1;
            }
        }
    }

    fn key_checked(&mut self, key: Key, left: u8) {
        let writing = &mut self.opening.writing;
        writing.heard |= writing.now_right | writing.now_wrong;
        writing.wrong = writing.wrong & !key.bit() | writing.now_wrong;
        if writing.now_right == 0 && left > 0 {
            writing.place = Place::Mend(left - 1);
            return;
        }
        writing.place = Place::Mend(1);
        if writing.heard == 0 {
            writing.place = Place::End;
        } else if writing.wrong & key.bit() != 0 {
            self.keys.learn(key, false);
            writing.lost = writing.lost.or(Some(key));
        }
        writing.index += 1;
    }
}

/// Whether the modem says the same; `None` when it says it in a way that no manual shows.
fn is(value: Value, said: &[u8], open: &Open) -> Option<bool> {
    match value {
        Value::Number(number) => Some(Fields::new(said).int()? == number),
        Value::Suite(number) => {
            let digits = match said {
                [b'0', b'X' | b'x', digits @ ..] => digits,
                digits => digits,
            };
            Some(hex(digits)? == number)
        }
        Value::Zero => Some(!said.is_empty() && said.iter().all(|digit| *digit == b'0')),
        // A sibling names the drive as well (sheet 3).
        Value::File(file) => Some(files::parse(said) == Some((open.config.tag(), file))),
        Value::NoPsk | Value::Psk { .. } | Value::Text(_) => None,
    }
}

/// `"<key>",<context>`.
fn write_head(open: &Open, key: Key, out: &mut Out<'_>) {
    out.quoted(key.name().as_bytes());
    out.byte(b',');
    out.int(open.context.into());
}

/// Whether the policy asks for what only later firmware has.
fn asks_for(open: &Open, key: Key) -> bool {
    let config = &open.config;
    match key {
        Key::SessionCache => config.resumes_sessions(),
        Key::Alpn => config.alpn_protocol().is_some(),
        Key::Psk => config.pre_shared_key().is_some(),
        _ => false,
    }
}

/// The bit of `key` in [`Bg96::extended`], 0 for keys that every connection writes.
fn mark(open: &Open, key: Key) -> u32 {
    let shift = match key {
        Key::SessionCache => 0,
        Key::Alpn => 8,
        Key::Psk => 16,
        _ => return 0,
    };
    1 << (shift + open.context)
}

/// What verification depends on, which is for [`TlsConfig::check`](sectag::TlsConfig::check) to judge, and
/// the limit of the handshake.
const JUDGED: u16 = Key::CaCert.bit()
    | Key::SecLevel.bit()
    | Key::IgnoreLocalTime.bit()
    | Key::NegotiateTime.bit()
    | Key::Sni.bit();

/// The error of a connection for which a key was refused.
pub(crate) fn missing(writing: &Writing, open: &Open) -> Result<(), ConnectError> {
    let Some(key) = writing.lost else {
        return Ok(());
    };
    Err(match key {
        _ if JUDGED & key.bit() != 0 => return Ok(()),
        Key::ClientCert | Key::ClientKey => ConnectError::Lacks(Feature::ClientCertificate),
        Key::SessionCache if asks_for(open, key) => ConnectError::Lacks(Feature::Resumption),
        Key::Alpn if asks_for(open, key) => ConnectError::Lacks(Feature::Alpn),
        Key::Psk if asks_for(open, key) => ConnectError::Lacks(Feature::Psk),
        // Also what an earlier connection left and cannot be cleared.
        _ => ConnectError::Unsupported {
            setting: key.name(),
        },
    })
}
