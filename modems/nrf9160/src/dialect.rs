//! The differences between firmwares as data (sheet 0.1), and what each line is.

use sectag::at::{Fields, decimal};
use sectag::clock::DateTime;
use sectag::modem::{Final, Line, Urc};
use sectag::{Code, Meaning};

use crate::forms::DataEnd;
use crate::{Family, Restart};

/// Where a native TLS build keeps its credentials (sheet 7).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Store {
    /// Under `%CMNG`, types 0 to 2 of the tag: the modem's own TLS.
    Modem,
    /// In the modem as type 0 of `tag * 10 + type`: native TLS of 2.0 to 2.5.
    Mapped,
    /// In the application's flash: native TLS of 2.6 to 3.1.
    Settings,
}

/// The properties of a release. They hold up to the release of the next row.
pub(crate) struct Release {
    from: (u8, u8),
    /// The most bytes that one `#XRECV` brings over IPv4.
    pub(crate) unit: u16,
    /// The option SO_ERROR can be read.
    pub(crate) errno: bool,
    /// The firmware may enter data mode some time after its `OK` (PR 7951).
    pub(crate) late_data_mode: bool,
    /// The UART receives nothing while a command runs: without RTS, the host's bytes are lost
    /// meanwhile.
    pub(crate) drops_input_while_busy: bool,
    /// How long the end of data mode may take before `+++` is sent again, in milliseconds. Up to 2.4 a
    /// second one costs the connection (sheet 3.2), so the driver waits for the 30 s that a send may
    /// block.
    pub(crate) escape_pause: u16,
    /// A connection's cipher suite can be read with native TLS, and with the modem's TLS on an nRF91x1.
    pub(crate) tells_suite: bool,
    /// The firmware may announce data (`#XAPOLL`). UNCONFIRMED which release is the first that does; one that does not
    /// refuses it (sheet 0.1).
    pub(crate) notices: bool,
    /// The place where a native build keeps credentials.
    native: Store,
    /// The record limit of a native build, in bytes (sheet 7.5).
    native_record: u16,
}

/// `+++` is answered after 1 to 2 s (sheet 3.2).
const ESCAPE_PAUSE: u16 = 2000;

static RELEASES: [Release; 8] = {
    const FIRST: Release = Release {
        from: (0, 0),
        unit: 1240,
        errno: true,
        late_data_mode: true,
        drops_input_while_busy: true,
        escape_pause: 31_000,
        tells_suite: false,
        notices: false,
        native: Store::Mapped,
        native_record: 5120,
    };
    const LATER: Release = Release {
        late_data_mode: false,
        drops_input_while_busy: false,
        escape_pause: ESCAPE_PAUSE,
        tells_suite: true,
        unit: 2048,
        ..FIRST
    };
    [
        FIRST,
        Release {
            from: (2, 1),
            late_data_mode: false,
            ..FIRST
        },
        Release {
            from: (2, 3),
            late_data_mode: false,
            unit: 2048,
            ..FIRST
        },
        Release {
            from: (2, 5),
            ..LATER
        },
        Release {
            from: (2, 6),
            errno: false,
            native: Store::Settings,
            native_record: 4096,
            ..LATER
        },
        Release {
            from: (2, 9),
            errno: false,
            notices: true,
            native: Store::Settings,
            native_record: 4096,
            ..LATER
        },
        Release {
            from: (3, 1),
            errno: false,
            notices: true,
            native: Store::Settings,
            native_record: 8192,
            ..LATER
        },
        SERIAL_MODEM,
    ]
};

const SERIAL_MODEM: Release = Release {
    // Higher than any version of SLM.
    from: (u8::MAX, u8::MAX),
    unit: 1,
    errno: false,
    late_data_mode: false,
    drops_input_while_busy: false,
    escape_pause: ESCAPE_PAUSE,
    tells_suite: true,
    notices: true,
    native: Store::Modem,
    native_record: 2048,
};

/// The firmware of the modem: its row in the table, and what differs within a release.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Firmware {
    row: u8,
    handles: bool,
    native: bool,
}

impl Firmware {
    /// The newest SLM, which is assumed until the firmware is known.
    pub(crate) const UNKNOWN: Self = Self {
        row: 6,
        handles: false,
        native: false,
    };
    /// Serial Modem, which has a handle in every command.
    pub(crate) const SERIAL_MODEM: Self = Self {
        row: 7,
        handles: true,
        native: false,
    };

    /// Returns the SLM release that the answer to `#XSLMVER` names.
    pub(crate) fn slm(version: &[u8]) -> Self {
        let version = version.strip_prefix(b"v").unwrap_or(version);
        let mut numbers = version.split(|byte| *byte == b'.');
        let mut number = || numbers.next().and_then(decimal).unwrap_or(0);
        let version = (number(), number());
        let later = |release: &Release| version >= (release.from.0.into(), release.from.1.into());
        let mut row = 0;
        while RELEASES[..7].get(usize::from(row) + 1).is_some_and(later) {
            row += 1;
        }
        Self {
            row,
            handles: false,
            native: false,
        }
    }

    /// Returns this release as a build with or without native TLS.
    pub(crate) fn with_native(self, native: bool) -> Self {
        Self {
            native: native && !self.handles,
            ..self
        }
    }

    /// Returns this release, with the properties that the family `F` fixes in the place of those that
    /// were found.
    pub(crate) const fn of<F: Family>(self) -> Self {
        Self {
            row: match F::HANDLES {
                Some(true) => Self::SERIAL_MODEM.row,
                _ => self.row,
            },
            handles: match F::HANDLES {
                Some(handles) => handles,
                None => self.handles,
            },
            native: match F::NATIVE {
                Some(native) => native,
                None => self.native,
            },
        }
    }

    pub(crate) fn release(self) -> &'static Release {
        RELEASES.get(usize::from(self.row)).unwrap_or(&RELEASES[0])
    }

    pub(crate) const fn has_handles(self) -> bool {
        self.handles
    }

    /// Returns the mark by which data mode finds the end of its payload.
    pub(crate) fn data_end(self) -> DataEnd {
        if self.handles {
            DataEnd::Length
        } else {
            DataEnd::Terminator
        }
    }

    /// Returns whether TLS is the firmware's own and not the modem's.
    pub(crate) const fn is_native(self) -> bool {
        self.native
    }

    pub(crate) fn store(self) -> Store {
        if self.native {
            self.release().native
        } else {
            Store::Modem
        }
    }

    /// Returns the size of the largest TLS record, in bytes (sheet 7.5).
    pub(crate) fn record_limit(self) -> u16 {
        if self.native {
            self.release().native_record
        } else {
            2048
        }
    }
}

const OTHER: Line = Line::Urc(Urc::Other);

/// The meaning of a line's name, which is the part before its colon, or the whole line.
#[derive(Clone, Copy)]
enum Name {
    Ok,
    Error,
    /// `+CME ERROR`: a number of 27.007 or Nordic's own.
    Cme,
    /// `+CMS ERROR`: a number of 27.005.
    Cms,
    /// The header of payload.
    Received,
    DataMode,
    /// A report of the firmware about the modem core.
    Core,
    ErrorLevel,
    Registration,
    /// A notice, unless the running command asked for it.
    Radio,
    Notice,
}

static NAMES: [(&[u8], Name); 19] = [
    (b"OK", Name::Ok),
    (b"ERROR", Name::Error),
    (b"+CME ERROR", Name::Cme),
    (b"+CMS ERROR", Name::Cms),
    (b"#XRECV", Name::Received),
    (b"#XDATAMODE", Name::DataMode),
    (b"#XMODEM", Name::Core),
    (b"+CMEE", Name::ErrorLevel),
    (b"+CEREG", Name::Registration),
    (b"+CSCON", Name::Radio),
    // The firmware leaves data mode by itself (sheet 3).
    (b"+++", Name::Notice),
    (b"FATAL ERROR", Name::Notice),
    (b"%XTIME", Name::Notice),
    (b"%CESQ", Name::Notice),
    (b"%MDMEV", Name::Notice),
    (b"+CGEV", Name::Notice),
    (b"+CEDRXP", Name::Notice),
    (b"%XMODEMSLEEP", Name::Notice),
    (b"%XT3412", Name::Notice),
];

/// Classifies a line without regard to sockets. `asked` is the name of the running command.
pub(crate) fn line(line: &[u8], asked: &[u8]) -> Line {
    // Noise of a floating line may stand in front (sheet 10.1).
    if line.ends_with(READY) {
        return Line::Urc(Urc::Restarted);
    }
    let colon = line.iter().position(|&byte| byte == b':');
    let (name, text) = match colon {
        Some(colon) => (&line[..colon], line[colon + 1..].trim_ascii()),
        None => (line, &[][..]),
    };
    let Some((_, known)) = NAMES.iter().find(|known| known.0 == name) else {
        return Line::Info;
    };
    let mut fields = Fields::new(text);
    match known {
        Name::Ok | Name::Error if colon.is_some() => Line::Info,
        Name::Ok => Line::Final(Final::Ok),
        Name::Error => Line::Final(Final::Error(Code::Plain)),
        Name::Cme | Name::Cms => {
            let code = fields.int().and_then(|code| u16::try_from(code).ok());
            Line::Final(Final::Error(match (code, known) {
                (None, _) => Code::Plain,
                (Some(code), Name::Cme) => Code::Cme(code),
                (Some(code), _) => Code::Cms(code),
            }))
        }
        // `<n>` or `<handle>,<mode>,<n>`. A count above `u16::MAX` is more than any command asks for,
        // so it may be cut.
        Name::Received => match fields.last().and_then(decimal) {
            Some(count) => Line::Payload(count.min(u16::MAX.into()) as u16),
            None => Line::Info,
        },
        Name::DataMode => match text {
            b"0" => Line::Final(Final::SendOk),
            [b'-', digits @ ..] => {
                let code = decimal(digits).and_then(|code| u16::try_from(code).ok());
                Line::Final(Final::Error(Code::Vendor(
                    code.unwrap_or(1),
                    Meaning::new("data mode ended with an error"),
                )))
            }
            // The number of bytes that were flushed (`CONFIG_SLM_DATAMODE_URC`).
            _ => OTHER,
        },
        Name::Core if text.starts_with(b"FAULT") => Line::Urc(Urc::Restarted),
        // Bring-up sets 1, so a modem that says 0 has restarted without its banner being seen.
        Name::ErrorLevel if asked == name && text == b"0" => Line::Urc(Urc::Restarted),
        Name::ErrorLevel => Line::Info,
        // An answer is `<n>,<stat>[,"<tac>",..]`, a URC `<stat>[,"<tac>",..]` (sheet 12.4).
        Name::Registration if asked == name && matches!(fields.nth(1), Some([b'0'..=b'9', ..])) => {
            Line::Info
        }
        Name::Radio if asked == name => Line::Info,
        Name::Core | Name::Registration | Name::Radio | Name::Notice => OTHER,
    }
}

const READY: &[u8] = b"Ready";

/// Returns the restart that a line reports, if it reports one.
pub(crate) fn restart(line: &[u8]) -> Option<Restart> {
    let Some(fault) = line.strip_prefix(b"#XMODEM: FAULT,0x") else {
        return line.ends_with(READY).then_some(Restart::Application);
    };
    let digits = fault.split(|byte| *byte == b',').next()?;
    hex(digits).map(|reason| Restart::ModemCore { reason })
}

/// Reads a number of up to eight hexadecimal digits.
pub(crate) fn hex(digits: &[u8]) -> Option<u32> {
    if !(1..=8).contains(&digits.len()) {
        return None;
    }
    digits.iter().try_fold(0, |number, digit| {
        Some(number << 4 | char::from(*digit).to_digit(16)?)
    })
}

/// Reads `#XAPOLL: <handle>,<bits>`.
pub(crate) fn events(line: &[u8]) -> Option<(u8, u8)> {
    let mut fields = Fields::new(line.strip_prefix(b"#XAPOLL:")?);
    Some((fields.byte()?, fields.byte()?))
}

/// Reads `%XTIME: "<zone>","<time>",..`. The time is in semi-octets (nibbles swapped), from year to
/// second, in UTC, followed by the zone (sheet 2a).
pub(crate) fn network_time(line: &[u8]) -> Option<DateTime> {
    let mut fields = Fields::new(line.strip_prefix(b"%XTIME:")?);
    fields.next();
    let digits = fields.unquoted()?;
    let pair = |index: usize| -> Option<u8> {
        let [low, high] = digits.get(2 * index..2 * index + 2)? else {
            return None;
        };
        let digit = |byte: u8| byte.checked_sub(b'0').filter(|digit| *digit < 10);
        Some(digit(*high)? * 10 + digit(*low)?)
    };
    DateTime::new(
        2000 + u16::from(pair(0)?),
        pair(1)?,
        pair(2)?,
        pair(3)?,
        pair(4)?,
        pair(5)?,
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn releases_are_found_by_their_version() {
        let slm = |version: &str| Firmware::slm(version.as_bytes());
        let unit = |version| slm(version).release().unit;
        assert_eq!(
            (unit("2.0.0"), unit("2.2.0"), unit("2.3.0"), unit("3.2.0")),
            (1240, 1240, 2048, 2048)
        );
        assert!(slm("2.0.2").release().late_data_mode);
        assert_eq!(slm("2.4.2").data_end(), DataEnd::Terminator);
        assert_eq!(Firmware::SERIAL_MODEM.data_end(), DataEnd::Length);
        let native = |version| slm(version).with_native(true);
        assert_eq!(native("2.5.0").store(), Store::Mapped);
        assert_eq!(
            (native("2.6.1").store(), native("2.6.1").record_limit()),
            (Store::Settings, 4096)
        );
        assert_eq!(native("3.1.0").record_limit(), 8192);
        assert_eq!(slm("2.1.0").store(), Store::Modem);
        assert_eq!(
            Firmware::SERIAL_MODEM.with_native(true).store(),
            Store::Modem
        );
    }

    #[test]
    fn lines() {
        assert_eq!(line(b"\xc0Ready", b""), Line::Urc(Urc::Restarted));
        assert_eq!(
            line(b"#XMODEM: FAULT,0x10,0x1", b"#XRECV"),
            Line::Urc(Urc::Restarted)
        );
        let fault = restart(b"#XMODEM: FAULT,0x10,0x119f0a");
        assert_eq!(fault, Some(Restart::ModemCore { reason: 16 }));
        assert_eq!(restart(b"\xffReady"), Some(Restart::Application));
        assert_eq!(restart(b"+CMEE: 0"), None);
        assert_eq!(line(b"#XRECV: 12", b"#XRECV"), Line::Payload(12));
        assert_eq!(line(b"#XRECV: 1,0,12", b"#XRECV"), Line::Payload(12));
        assert_eq!(
            line(b"#XDATAMODE: 0", b"#XSEND"),
            Line::Final(Final::SendOk)
        );
        assert_eq!(line(b"#XDATAMODE: 17", b"#XSEND"), OTHER);
        assert!(matches!(
            line(b"#XDATAMODE: -1", b""),
            Line::Final(Final::Error(_))
        ));
        assert_eq!(line(b"+CEREG: 1,5", b"+CEREG"), Line::Info);
        assert_eq!(line(b"+CEREG: 2", b"+CEREG"), OTHER);
        assert_eq!(line(b"+CEREG: 1,\"002F\",\"0012BEEF\",7", b"+CEREG"), OTHER);
        assert_eq!(
            line(b"+CME ERROR: 518", b""),
            Line::Final(Final::Error(Code::Cme(518)))
        );
        assert_eq!(events(b"#XAPOLL: 0,17"), Some((0, 17)));
    }

    /// Sheet 2a.
    #[test]
    fn network_time_is_semi_octets() {
        let time = |text: &str| network_time(text.as_bytes());
        assert_eq!(
            time("%XTIME: \"08\",\"81109251714208\",\"01\""),
            DateTime::new(2018, 1, 29, 15, 17, 24)
        );
        assert_eq!(
            time("%XTIME: \"40\",\"62108010543040\""),
            DateTime::new(2026, 1, 8, 1, 45, 3)
        );
        assert_eq!(time("%XTIME: ,,\"01\""), None);
    }
}
