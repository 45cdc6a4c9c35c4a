//! Writes the keys of a TLS context and reads them back (sheet 4.1).
//!
//! A state machine under one await: what it was as futures in each other took a third more flash.

use sectag::at::{Fields, answer};
use sectag::{At, AtError, ConnectError, Feature, Support};

use crate::Bg96;
use crate::commands::{KeyCommand, Value};
use crate::keys::{Key, PROVEN};
use crate::sockets::Context;

/// Writes the whole TLS context. Nothing is assumed of what it held: its defaults verify nothing
/// (sheet 2 and 4.1), and another connection may have used it. Returns a key that the modem has not taken,
/// for [`missing`].
pub(crate) async fn write(
    modem: &Bg96,
    at: At<'_>,
    context: &Context<'_>,
) -> Result<Option<(Key, bool)>, AtError> {
    let mut writing = Writing {
        modem,
        context,
        place: Place::Write,
        index: 0,
        again: false,
        before: 0,
        accepted: 0,
        right: 0,
        wrong: 0,
        heard: 0,
        now_right: 0,
        now_wrong: 0,
        queried: false,
        lost: None,
    };
    while let Some(command) = writing.next() {
        let accepted = match at.lines(&command, &mut |line| writing.line(line)).await {
            Ok(()) => true,
            // A key that this firmware does not know.
            Err(AtError::Refused(_)) => false,
            Err(error) => return Err(error),
        };
        writing.answered(accepted);
    }
    Ok(writing.lost)
}

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

struct Writing<'a> {
    modem: &'a Bg96,
    context: &'a Context<'a>,
    place: Place,
    /// Of the key.
    index: u8,
    /// The key is written for the second time.
    again: bool,
    /// [`Bg96::extended`] before the key.
    before: u32,
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
    /// The modem took a command for a query, which it is without its value or a comma: a byte was lost on
    /// the way (sheet 4.1).
    queried: bool,
    lost: Option<(Key, bool)>,
}

impl<'a> Writing<'a> {
    fn key(&self) -> Option<Key> {
        match self.place {
            Place::Level => Some(Key::SecLevel),
            _ => Key::ALL.get(usize::from(self.index)).copied(),
        }
    }

    fn next(&mut self) -> Option<KeyCommand<'a>> {
        let (modem, context) = (self.modem, self.context);
        let number = context.open.context;
        self.queried = false;
        (self.now_right, self.now_wrong) = (0, 0);
        loop {
            let key = self.key();
            let value = key.and_then(|key| context.value(modem, key));
            match (self.place, key, value) {
                (Place::Write, Some(key), Some(value)) => {
                    if !self.again {
                        self.before = modem.extended.get();
                        if context.asks_for(key) {
                            modem.extended.set(self.before | context.mark(key));
                        }
                    }
                    return Some(KeyCommand::Write(key, number, value));
                }
                (Place::Write, None, _) => {
                    modem.limited.set(modem.limited.get() | 1 << number);
                    let refused = modem.keys.get().of(Key::SecLevel) == Support::No;
                    self.place = if refused && context.open.config.has_client_certificate() {
                        Place::Level
                    } else {
                        self.written()
                    };
                }
                (Place::Level, ..) => {
                    let value = Value::Number(1);
                    return Some(KeyCommand::Write(Key::SecLevel, number, value));
                }
                (Place::Prove, ..) => return Some(KeyCommand::Ask(self.accepted, number)),
                (Place::Mend(left), Some(key), value) if self.doubts(key) => {
                    if let (true, Some(value)) = (self.wrong & key.bit() != 0, value) {
                        return Some(KeyCommand::Write(key, number, value));
                    }
                    self.place = Place::Check(left);
                }
                (Place::Check(_), Some(key), _) => {
                    return Some(KeyCommand::Ask(key.bit(), number));
                }
                // Not for this connection, or proven.
                (Place::Write | Place::Mend(_), Some(_), _) => self.index += 1,
                (Place::Mend(_) | Place::Check(_) | Place::End, ..) => return None,
            }
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

    /// `+QSSLCFG: "<key>",<context>,<value>`.
    fn line(&mut self, line: &[u8]) {
        let Some(text) = answer(line, "+QSSLCFG:") else {
            return;
        };
        self.queried = true;
        let mut fields = Fields::new(text);
        let key = fields.text().and_then(Key::named);
        let (Some(key), true) = (key, fields.byte() == Some(self.context.open.context)) else {
            return;
        };
        let value = self.context.value(self.modem, key);
        match value.and_then(|value| value.is(fields.text()?)) {
            Some(true) => self.now_right |= key.bit(),
            Some(false) => self.now_wrong |= key.bit(),
            None => {}
        }
    }

    fn answered(&mut self, accepted: bool) {
        match (self.place, self.key()) {
            (Place::Prove, _) => {
                (self.right, self.wrong) = (self.now_right, self.now_wrong);
                self.heard = self.right | self.wrong;
                self.index = 0;
                self.place = Place::Mend(1);
            }
            (Place::Check(left), Some(key)) => self.checked(key, left),
            (_, Some(key)) => self.wrote(key, accepted && !self.queried),
            (_, None) => self.place = Place::End,
        }
    }

    /// A key that the firmware may have is tried twice: what was refused may have been noise on the UART
    /// instead, and what is then not checked would be checked no less by mistake.
    fn wrote(&mut self, key: Key, accepted: bool) {
        let (modem, context) = (self.modem, self.context);
        let mut keys = modem.keys.get();
        self.again = !accepted && !self.again && keys.of(key) != Support::No;
        if self.again {
            return;
        }
        keys.learn(key, accepted);
        modem.keys.set(keys);
        match self.place {
            Place::Mend(left) => self.place = Place::Check(left),
            Place::Level => {
                if accepted {
                    self.lost = Some((Key::ClientCert, false));
                }
                self.place = self.written();
            }
            _ => {
                let asked = context.asks_for(key);
                if accepted {
                    self.accepted |= key.bit();
                    if !asked {
                        modem.extended.set(self.before & !context.mark(key));
                    }
                } else {
                    modem.extended.set(self.before);
                    if self.lost.is_none() && missing(key, asked).is_some() {
                        self.lost = Some((key, asked));
                    }
                }
                self.index += 1;
            }
        }
    }

    fn checked(&mut self, key: Key, left: u8) {
        self.heard |= self.now_right | self.now_wrong;
        self.wrong = self.wrong & !key.bit() | self.now_wrong;
        if self.now_right == 0 && left > 0 {
            self.place = Place::Mend(left - 1);
            return;
        }
        self.place = Place::Mend(1);
        if self.heard == 0 {
            self.place = Place::End;
        } else if self.wrong & key.bit() != 0 {
            let mut keys = self.modem.keys.get();
            keys.learn(key, false);
            self.modem.keys.set(keys);
            self.lost = self.lost.or(Some((key, false)));
        }
        self.index += 1;
    }
}

/// The error of a connection for which `key` was refused. What verification depends on is for
/// [`TlsConfig::check`] to judge.
pub(crate) fn missing(key: Key, asked: bool) -> Option<ConnectError> {
    Some(match key {
        Key::ClientCert | Key::ClientKey => ConnectError::Lacks(Feature::ClientCertificate),
        Key::SessionCache if asked => ConnectError::Lacks(Feature::Resumption),
        Key::Alpn if asked => ConnectError::Lacks(Feature::Alpn),
        Key::Psk if asked => ConnectError::Lacks(Feature::Psk),
        // Also what an earlier connection left and cannot be cleared.
        Key::SslVersion | Key::CipherSuite | Key::SessionCache | Key::Alpn | Key::Psk => {
            ConnectError::Unsupported {
                setting: key.name(),
            }
        }
        Key::CaCert | Key::SecLevel | Key::IgnoreLocalTime | Key::NegotiateTime | Key::Sni => {
            return None;
        }
    })
}
