//! The AT commands, one typed item each, with the deadline that the manual gives (sheet 1 to 4).

use sectag::at::{AtatResp, CommandLine, Fields, answer, at_command};
use sectag::clock::DateTime;
use sectag::{Psk, ServerName};

use crate::files::FileName;
use crate::keys::Key;

/// Most commands: 300 ms in the manual, with room for a slow UART and a busy modem.
pub(crate) const QUICK: u32 = 3000;

/// `AT`; answered within 300 ms by a modem that is on (sheet 1.1).
pub(crate) struct Attention;
at_command!(Attention, 500, "", |self, line| line);

/// A number out of an answer.
pub(crate) struct Number(pub(crate) u32);
impl AtatResp for Number {}

/// A time out of an answer; `None` when the modem prints something that is none.
pub(crate) struct Time(pub(crate) Option<DateTime>);
impl AtatResp for Time {}

/// What the SIM says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sim {
    /// Locked to another operator: `PH-NET PIN` and its like.
    Foreign,
    NotReady,
    Pin,
    Puk,
    Ready,
}
impl AtatResp for Sim {}

pub(crate) struct SimQuery;
at_command!(SimQuery, 5000, "+CPIN?", |self, line| line, Sim, Sim::read);

impl Sim {
    /// `+CPIN: READY`.
    pub(crate) fn read(text: &[u8]) -> Option<Self> {
        let text = answer(text, "+CPIN:")?;
        let known = SIMS.iter().find(|(known, _)| *known == text);
        Some(known.map_or(Self::Foreign, |(_, sim)| *sim))
    }
}

static SIMS: [(&[u8], Sim); 7] = [
    (b"READY", Sim::Ready),
    // The second PIN guards other things than the network.
    (b"SIM PIN2", Sim::Ready),
    (b"SIM PUK2", Sim::Ready),
    (b"SIM PIN", Sim::Pin),
    (b"SIM PUK", Sim::Puk),
    (b"NOT READY", Sim::NotReady),
    (b"NOT INSERTED", Sim::NotReady),
];

/// The PDP context that sectag uses.
pub(crate) const PDP_CONTEXT: u32 = 1;

/// Answers 1 when [`PDP_CONTEXT`] is active.
pub(crate) struct ContextQuery;
at_command!(
    ContextQuery,
    150_000,
    "+QIACT?",
    |self, line| line,
    Number,
    |text| Some(Number(is_active(text).into()))
);

/// `+QIACT: 1,1,1,"10.1.2.3"`, a line for each context.
pub(crate) fn is_active(text: &[u8]) -> bool {
    text.split(|&byte| byte == b'\n')
        .filter_map(|line| answer(line, "+QIACT:"))
        .any(|text| {
            let mut fields = Fields::new(text);
            fields.int() == Some(PDP_CONTEXT) && fields.int() == Some(1)
        })
}

/// Restarts the modem (sheet 1.1).
pub(crate) struct Reboot;
at_command!(Reboot, 15_000, "+CFUN=1,1", |self, line| line);

pub(crate) struct LastError;
at_command!(
    LastError,
    QUICK,
    "+QIGETERROR",
    |self, line| line,
    Number,
    |text| last_error(text).map(Number)
);

/// `+QIGETERROR: 569,<text>`.
pub(crate) fn last_error(text: &[u8]) -> Option<u32> {
    Fields::new(answer(text, "+QIGETERROR:")?).int()
}

pub(crate) struct ClockQuery;
at_command!(
    ClockQuery,
    QUICK,
    "+CCLK?",
    |self, line| line,
    Time,
    |text| Some(Time(time(answer(text, "+CCLK:")?)))
);

pub(crate) struct SetClock(pub(crate) DateTime);
at_command!(SetClock, QUICK, "+CCLK", |self, line| date(self.0, line));

pub(crate) fn date(date: DateTime, line: CommandLine<'_>) -> CommandLine<'_> {
    let text = date.to_cclk();
    line.quoted(core::str::from_utf8(&text).unwrap_or_default())
}

/// Local time with its zone.
pub(crate) fn time(text: &[u8]) -> Option<DateTime> {
    DateTime::parse_local(core::str::from_utf8(text).ok()?)
}

pub(crate) struct FileList;
at_command!(FileList, QUICK, "+QFLST=\"*\"", |self, line| line);

/// The end of a file, or of reading one.
pub(crate) enum FileEnd {
    Close(u32),
    Delete(FileName),
}
at_command!(
    FileEnd,
    QUICK,
    match self {
        Self::Close(_) => "+QFCLOSE",
        Self::Delete(_) => "+QFDEL",
    },
    |self, line| match self {
        Self::Close(handle) => line.int(*handle),
        Self::Delete(name) => line.quoted(name),
    }
);

/// The modem leaves data mode when it has `len` bytes or none came for 5 s.
pub(crate) struct FileUpload<'a> {
    pub(crate) name: &'a FileName,
    pub(crate) len: u32,
}
at_command!(FileUpload<'_>, 10_000, "+QFUPL", |self, line| line
    .quoted(self.name)
    .int(self.len)
    .int(5));

/// Opens for reading only; answers the handle.
pub(crate) struct FileOpen<'a>(pub(crate) &'a FileName);
at_command!(
    FileOpen<'_>,
    QUICK,
    "+QFOPEN",
    |self, line| line.quoted(self.0).int(2),
    Number,
    |text| Fields::new(answer(text, "+QFOPEN:")?).int().map(Number)
);

/// Lists open files: `+QFOPEN: <name>,<handle>,<mode>` ([FILE] 2.6).
pub(crate) struct OpenFiles;
at_command!(OpenFiles, QUICK, "+QFOPEN?", |self, line| line);

/// Reads from where the last read ended.
pub(crate) struct FileRead {
    pub(crate) handle: u32,
    pub(crate) len: u32,
}
at_command!(FileRead, 5000, "+QFREAD", |self, line| line
    .int(self.handle)
    .int(self.len));

/// Free bytes of the flash file system.
pub(crate) struct FreeSpace;
at_command!(
    FreeSpace,
    QUICK,
    "+QFLDS",
    |self, line| line.quoted("UFS"),
    Number,
    |text| { Fields::new(answer(text, "+QFLDS:")?).int().map(Number) }
);

/// The list of the keys that this firmware knows; long, see [`discover`](crate::keys::discover).
pub(crate) struct ConfigureTest;
at_command!(ConfigureTest, QUICK, "+QSSLCFG=?", |self, line| line);

#[derive(Clone, Copy)]
pub(crate) enum Value<'a> {
    File(&'a FileName),
    NoPsk,
    Number(u32),
    Psk(&'a Psk),
    /// Unquoted hex: the quoted form is refused (sheet T7).
    Suite(u16),
    Text(&'static str),
}

impl Value<'_> {
    /// Whether the modem says the same; `None` when it says it in a way that no manual shows.
    pub(crate) fn is(&self, said: &str) -> Option<bool> {
        match self {
            Value::Number(number) => Some(Fields::new(said.as_bytes()).int()? == *number),
            Value::Suite(number) => {
                let digits = said.strip_prefix("0X").or(said.strip_prefix("0x"));
                Some(u16::from_str_radix(digits.unwrap_or(said), 16).ok()? == *number)
            }
            // A sibling names the drive as well (sheet 3).
            Value::File(name) => Some(said.strip_prefix("UFS:").unwrap_or(said) == name.as_str()),
            Value::NoPsk | Value::Psk(_) | Value::Text(_) => None,
        }
    }
}

/// What is said of the keys of a TLS context.
pub(crate) enum KeyCommand<'a> {
    Write(Key, u8, Value<'a>),
    /// What the keys of this set ([`Key::bit`]) are, all in one line: should the modem not carry out all of
    /// it, an answer is missing, and those are asked for one by one.
    Ask(u16, u8),
}
at_command!(KeyCommand<'_>, QUICK, "+QSSLCFG", |self, line| match self {
    Self::Write(key, context, value) => {
        let line = line.quoted(key.name()).int((*context).into());
        match value {
            Value::File(name) => line.quoted(name),
            Value::NoPsk => line.quoted("").quoted(""),
            Value::Number(number) => line.int(*number),
            Value::Psk(psk) => line.quoted(psk.identity()).quoted(psk.key()),
            Value::Suite(number) => {
                let text = hex(*number);
                line.raw(core::str::from_utf8(&text).unwrap_or_default())
            }
            Value::Text(text) => line.quoted(text),
        }
    }
    Self::Ask(keys, context) => {
        let mut line = line;
        let mut first = true;
        for key in Key::ALL {
            if keys & key.bit() != 0 {
                if !first {
                    line = line.and("+QSSLCFG");
                }
                first = false;
                line = line.quoted(key.name()).int((*context).into());
            }
        }
        line
    }
});

/// `0XC02F`.
fn hex(number: u16) -> [u8; 6] {
    let mut text = *b"0X0000";
    let mut rest = number;
    for digit in text[2..].iter_mut().rev() {
        let value = (rest & 15) as u8;
        *digit = if value < 10 {
            b'0' + value
        } else {
            b'A' + value - 10
        };
        rest >>= 4;
    }
    text
}

/// The result comes as a URC.
pub(crate) struct SslOpen<'a> {
    /// Direct push mode, or buffer mode.
    pub(crate) push: bool,
    pub(crate) context: u8,
    pub(crate) id: u8,
    pub(crate) name: ServerName<'a>,
    pub(crate) port: u16,
}
at_command!(SslOpen<'_>, QUICK, "+QSSLOPEN", |self, line| line
    .int(PDP_CONTEXT)
    .int(self.context.into())
    .int(self.id.into())
    .quoted(self.name.as_str())
    .int(self.port.into())
    .int(self.push.into()));

/// Other drivers wait up to 50 s for the result, the sibling's manual says 120 (sheet 4.3).
pub(crate) struct SslSend {
    pub(crate) id: u8,
    pub(crate) len: u32,
}
at_command!(SslSend, 120_000, "+QSSLSEND", |self, line| line
    .int(self.id.into())
    .int(self.len));

pub(crate) struct SslReceive {
    pub(crate) id: u8,
    pub(crate) len: u32,
}
at_command!(SslReceive, 50_000, "+QSSLRECV", |self, line| line
    .int(self.id.into())
    .int(self.len));

/// The state of a socket; a sibling's form of the answer and none at all are understood (sheet 4.6).
pub(crate) struct SslState(pub(crate) u8);
at_command!(
    SslState,
    QUICK,
    "+QSSLSTATE",
    |self, line| line.int(self.0.into()),
    Number,
    |text| {
        let state = answer(text, "+QSSLSTATE:").or(answer(text, "+QISTATE:"));
        // `<id>,"SSLClient","<ip>",<rport>,<lport>,<state>,...`; nothing is listed when it is not open.
        Some(Number(
            state
                .and_then(|text| Fields::new(text).nth(5))
                .map_or(0, |state| match state {
                    b"0" | b"4" => 0,
                    _ => 1,
                }),
        ))
    }
);

/// Waits at most 3 s for the peer, because the whole channel waits with it; the default is 10
/// (sheet 4.6).
pub(crate) struct SslClose(pub(crate) u8);
at_command!(SslClose, 15_000, "+QSSLCLOSE", |self, line| line
    .int(self.0.into())
    .int(CLOSE_LIMIT));

/// In seconds.
pub(crate) const CLOSE_LIMIT: u32 = 3;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn suite_is_written_as_the_manual_does() {
        for (number, text) in [
            (0xC02F, b"0XC02F"),
            (0x0004, b"0X0004"),
            (0xFFFF, b"0XFFFF"),
        ] {
            assert_eq!(&hex(number), text);
        }
    }
}
