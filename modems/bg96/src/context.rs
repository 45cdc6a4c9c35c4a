//! Writes the keys of a TLS context and reads them back (sheet 4.1).
//!
//! Every key is written, whatever the context held before: its defaults verify nothing (sheet 2 and
//! 4.1), and another connection may have used it.

use sectag::at::{Fields, answer};
use sectag::modem::{Open, Out, Then, World};
use sectag::{ConnectError, Feature, Support, TlsConfig, TlsVersion};

use crate::keys::{Key, PROVEN, hex};
use crate::{Bg96, Options, files};

/// Seconds for the handshake; the modem's default is 300.
pub(crate) const NEGOTIATION: u32 = 60;

/// The part of the flow whose command is sent next.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    /// Writes a key.
    Write,
    /// Writes security level 1 (no client certificate) after level 2 was refused, to find out whether
    /// the modem refuses the level or the key `seclevel`.
    Level,
    /// Asks for all keys that the modem has accepted. Noise on the UART may have altered the context or
    /// the value of a command, and the modem accepts an altered one too.
    ///
    /// One line asks for all keys. If noise alters the query or its answer, keys are asked for or
    /// written once more. A firmware that answers no such query, although they are in the manual, is
    /// believed.
    Prove,
    /// Writes a key again whose value was wrong. The number says how many more times it may be written.
    Mend(u8),
    /// Asks for one key alone after it was written again.
    Check(u8),
    End,
}

/// Scratch of writing a context.
pub(crate) struct Writing {
    place: Place,
    /// The index of the key in `Key::ALL`.
    index: u8,
    /// The key is being written for the second time.
    again: bool,
    /// The modem answered a command as a query, as it does when the value and its comma are missing: a
    /// byte was lost on the way (sheet 4.1).
    queried: bool,
    /// The keys that the current command asks for, as a bit set; 0 when the command writes a key.
    asked: u16,
    /// The keys that the modem accepted, as a bit set.
    accepted: u16,
    /// The keys whose value was right when all were asked for.
    right: u16,
    /// The keys whose value is known to be wrong.
    wrong: u16,
    /// The keys for which the modem has answered any query.
    answered: u16,
    /// The keys that the current answer shows with the right value.
    now_right: u16,
    /// The keys that the current answer shows with a wrong value.
    now_wrong: u16,
    /// The value of [`Bg96::extended`] before the current key was written.
    before: u32,
    /// The key that the modem did not accept, see [`missing`].
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
            answered: 0,
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

    /// Returns the place that follows when all keys were written.
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
    /// A file by its number, see [`files`].
    File(u8),
    Number(u32),
    /// A suite as unquoted hex: the modem refuses the quoted form (sheet T7).
    Suite(u16),
    /// The text that the policy has for the key, see [`write_text`], or an empty one.
    Text,
    /// A zero that is written in decimal digits and answered in hexadecimal ones (sheet 4.11).
    Zero,
}

impl<O: Options> Bg96<O> {
    /// Returns the value of `key`, or `None` if this connection does not set it.
    fn value(&self, open: &Open, key: Key) -> Option<Value> {
        let config = &open.config;
        let mutual = config.has_client_certificate();
        Some(match key {
            // Exactly one version, since 4 would allow all, down to SSL 3.
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
            // Cleared only if an earlier connection may have left a value in this context.
            _ if !asks_for(open, key) && self.extended & mark(open, key) == 0 => return None,
            Key::SessionCache => Value::Number(config.resumes_sessions().into()),
            Key::Alpn | Key::Psk => Value::Text,
        })
    }

    /// Chooses the next command; returns `false` when there is none left.
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
                // The connection does not set this key, or its value is proven.
                (Place::Write | Place::Mend(_), Some(_)) => writing.index += 1,
                (Place::Mend(_) | Place::Check(_) | Place::End, _) => return false,
            }
        }
    }

    /// Writes the arguments of the next command behind `AT+QSSLCFG=`.
    pub(crate) fn write_key(&self, world: &World<'_>, out: &mut Out<'_>) {
        let Some(open) = &world.open else { return };
        let writing = &self.opening.writing;
        // All queries in one line. If the modem does not carry out all of them, an answer is missing,
        // and those keys are asked for one by one.
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
            Some(Value::Number(number)) => out.int(number),
            // `0XC02F`, as the manual writes it.
            Some(Value::Suite(number)) => {
                out.bytes(b"0X");
                for shift in [12, 8, 4, 0] {
                    out.byte(b"0123456789ABCDEF"[usize::from(number >> shift & 15)]);
                }
            }
            Some(Value::Text) => write_text(&open.config, key, out),
            Some(Value::Zero) => out.byte(b'0'),
            None => {}
        }
    }

    /// Notes an answer `+QSSLCFG: "<key>",<context>,<value>`.
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
                writing.answered = writing.right | writing.wrong;
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

    /// Notes the answer to a written key. A refused key that the firmware may have is tried once more,
    /// since noise on the UART may be the reason, and the connection would then be checked less by
    /// mistake.
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
        writing.answered |= writing.now_right | writing.now_wrong;
        writing.wrong = writing.wrong & !key.bit() | writing.now_wrong;
        if writing.now_right == 0 && left > 0 {
            writing.place = Place::Mend(left - 1);
            return;
        }
        writing.place = Place::Mend(1);
        if writing.answered == 0 {
            writing.place = Place::End;
        } else if writing.wrong & key.bit() != 0 {
            self.keys.learn(key, false);
            writing.lost = writing.lost.or(Some(key));
        }
        writing.index += 1;
    }
}

/// Returns whether the modem shows this value; `None` if it shows it in a form that no manual
/// describes.
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
        // A sibling also names the drive (sheet 3).
        Value::File(file) => Some(files::parse(said) == Some((open.config.tag(), file))),
        Value::Text => None,
    }
}

/// `"<key>",<context>`.
fn write_head(open: &Open, key: Key, out: &mut Out<'_>) {
    out.quoted(key.name().as_bytes());
    out.byte(b',');
    out.int(open.context.into());
}

/// Writes the protocol of ALPN, or identity and key of a pre-shared key; empty where the policy has none.
fn write_text(config: &TlsConfig, key: Key, out: &mut Out<'_>) {
    if key == Key::Alpn {
        return out.quoted(config.alpn_protocol().unwrap_or_default().as_bytes());
    }
    let psk = config.pre_shared_key();
    let (identity, secret) = psk.map_or(("", ""), |psk| (psk.identity(), psk.key()));
    out.quoted(identity.as_bytes());
    out.byte(b',');
    out.quoted(secret.as_bytes());
}

/// Returns whether the policy asks for a key that only later firmware has.
fn asks_for(open: &Open, key: Key) -> bool {
    let config = &open.config;
    match key {
        Key::SessionCache => config.resumes_sessions(),
        Key::Alpn => config.alpn_protocol().is_some(),
        Key::Psk => config.pre_shared_key().is_some(),
        _ => false,
    }
}

/// Returns the bit of `key` in [`Bg96::extended`], or 0 for keys that every connection writes.
fn mark(open: &Open, key: Key) -> u32 {
    let shift = match key {
        Key::SessionCache => 0,
        Key::Alpn => 8,
        Key::Psk => 16,
        _ => return 0,
    };
    1 << (shift + open.context)
}

/// The keys of verification, whose loss [`TlsConfig::check`](sectag::TlsConfig::check) judges, and the
/// limit of the handshake.
const JUDGED: u16 = Key::CaCert.bit()
    | Key::SecLevel.bit()
    | Key::IgnoreLocalTime.bit()
    | Key::NegotiateTime.bit()
    | Key::Sni.bit();

/// Returns the error of a connection for which a key was refused.
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
        // A value that an earlier connection left and the modem refuses to clear ends up here, too.
        _ => ConnectError::Unsupported {
            setting: key.name(),
        },
    })
}
