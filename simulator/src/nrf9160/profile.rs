//! Dialects as data: each is one firmware of the Serial LTE Modem (SLM) or Serial Modem (SM) (sheet
//! 0.1).

/// The end of a command line, chosen when the firmware is built (sheet 1.4).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Terminator {
    /// CR LF, adjacent: the default of SLM. `AT\r` alone is never answered.
    CrLf,
    /// CR: the default of SM.
    Cr,
    /// LF.
    Lf,
}

/// The treatment of bytes in front of `AT`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Junk {
    /// The line is refused with `ERROR`, even if it is empty (2.0 to 2.4).
    Refused,
    /// The bytes are skipped; a line without `AT` answers `ERROR`, an empty one nothing (2.5 to 3.1).
    Skipped,
    /// The bytes are ignored: a line begins with its `AT` (SM).
    Ignored,
}

/// The treatment of a line that is too long for the buffer (sheet 1.4).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Overflow {
    /// `ERROR` at the limit. The rest of the chunk is dropped, and the rest of the line is another line
    /// (2.0 to 2.4).
    AtLimit,
    /// One `ERROR` at the terminator (2.5 to 3.1).
    AtTerminator,
    /// `ERROR` at the limit, then a new search for `AT` (SM).
    Restart,
}

/// The places where `+++` ends data mode (sheet 3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DataEnd {
    /// At the end of a flush, in one piece of the 4096-byte ring (2.0 to 2.4).
    FlushEnd,
    /// At any place (2.5 and later).
    Anywhere,
}

/// The effect of a failed send in data mode (sheet 3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DataFailure {
    /// The data is dropped and data mode ends, with `#XDATAMODE: 0` (2.0 to 2.4).
    Leaves,
    /// The data is dropped and data mode goes on; its end reports 0 (2.5 to 3.1).
    Hidden,
    /// All bytes are dropped until `+++`; the end reports `#XDATAMODE: -1` (SM).
    Swallows,
}

/// The place where a native TLS build stores credentials (sheet 7).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NativeStore {
    /// In the modem, as type 0 of `sec_tag * 10 + type` (2.0 to 2.5).
    Mapped,
    /// In the application's flash (2.6 to 3.1).
    Settings,
}

/// The properties of a build with Mbed TLS on the application core.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Native {
    /// The place where `#XCMNG` stores credentials.
    pub store: NativeStore,
    /// Whether `#XSSOCKET` opens a native socket. TRAP, sheet 7.2 and 7.4: up to 2.5 it loads the
    /// native credentials and then opens the modem's own TLS socket, and a tag without native
    /// credentials corrupts the heap.
    pub sockets: bool,
    /// The largest record in bytes, which is the size of the input buffer.
    pub record_limit: usize,
}

/// The behaviour of one firmware, where firmwares differ.
#[derive(Clone, Copy, Debug)]
pub struct Nrf9160Profile {
    /// The name in `sectag simulate --dialect`.
    pub name: &'static str,
    /// The version behind `#XSLMVER: ` or `#XSMVER: `.
    pub version: &'static str,
    /// Whether it is Serial Modem: handles in every command, `#XSMVER`, `#XCLOSE`, `#XRECVCFG`, `ATE`,
    /// `AT+IPR`, the URC buffer.
    pub serial_modem: bool,
    /// The default end of a line; see
    /// [`Nrf9160Options::terminator`](crate::Nrf9160Options::terminator).
    pub terminator: Terminator,
    /// Whether the UART receives nothing from the end of a command line until its answer (2.0 to 2.4).
    pub reception_pauses: bool,
    /// The treatment of bytes in front of `AT`.
    pub junk: Junk,
    /// Whether deleting a quote also takes back its effect.
    pub backspace_restores_quote: bool,
    /// The treatment of lines that are too long.
    pub overflow: Overflow,
    /// Whether `#XSLMUART` exists, whose rate outlives a reset.
    pub stored_rate: bool,
    /// Whether `#XSHUTDOWN` exists.
    pub shutdown: bool,
    /// Whether `#XMODEMRESET` exists.
    pub modem_reset: bool,
    /// Whether `#XAPOLL` exists. UNCONFIRMED from which release on (sheet 13); here from 3.1.
    pub async_poll: bool,
    /// Whether `#XSEND` takes flags. UNCONFIRMED from which release on; here from 3.1.
    pub send_flags: bool,
    /// The most characters of a string in `#XSEND`.
    pub string_limit: usize,
    /// The most bytes of one `#XRECV`, over IPv4 and over IPv6.
    pub receive_limit: (usize, usize),
    /// Whether `#XSOCKETOPT=0,4` reports SO_ERROR (2.0 to 2.5).
    pub socket_error: bool,
    /// Whether release assistance has the options 50 to 54 (up to 2.7, sheet 2b).
    pub release_names: bool,
    /// Whether release assistance has the values of option 61 (from 2.6 on, sheet 2b).
    pub release_values: bool,
    /// Whether reading an unknown option answers `OK` without a value (2.0 to 2.4).
    pub unknown_option_is_empty: bool,
    /// Whether the answer to `AT#XSOCKET=?` lacks its last CR LF (2.1, assumed for 2.0 to 2.2).
    pub unterminated_test: bool,
    /// The places where `+++` ends data mode.
    pub data_end: DataEnd,
    /// The effect of a failed send in data mode.
    pub data_failure: DataFailure,
    /// The native TLS, if the build has one.
    pub native: Option<Native>,
    /// Whether `#XCMNG=1` answers `ERROR` at random (2.6.0).
    pub random_list_error: bool,
    /// The answer to `AT+CGMM`.
    pub model: &'static str,
    /// The answer to `AT+CGMR`.
    pub modem_firmware: &'static str,
    /// Whether `AT+CMEE=2` is accepted (newer modem firmware, sheet 12.7).
    pub verbose_errors: bool,
    /// Whether credentials of types 0 and 1 must be PEM, or 527 (newer modem firmware).
    pub validates_content: bool,
}

/// The suffix of dialects with native TLS.
const NATIVE_SUFFIX: &str = "-native";

impl Nrf9160Profile {
    /// SLM 2.0.
    pub const V2_0: Self = Self {
        name: "2.0",
        version: "\"2.0.0\"",
        serial_modem: false,
        terminator: Terminator::CrLf,
        reception_pauses: true,
        junk: Junk::Refused,
        backspace_restores_quote: false,
        overflow: Overflow::AtLimit,
        stored_rate: true,
        shutdown: false,
        modem_reset: false,
        async_poll: false,
        send_flags: false,
        string_limit: 1252,
        receive_limit: (1240, 1220),
        socket_error: true,
        release_names: true,
        release_values: false,
        unknown_option_is_empty: true,
        unterminated_test: true,
        data_end: DataEnd::FlushEnd,
        data_failure: DataFailure::Leaves,
        native: None,
        random_list_error: false,
        // Sheet 12.14.
        model: "nRF9160-SICA",
        modem_firmware: "mfw_nrf9160_1.3.2",
        verbose_errors: false,
        validates_content: false,
    };

    /// SLM 2.1.
    pub const V2_1: Self = Self {
        name: "2.1",
        version: "\"2.1.0\"",
        ..Self::V2_0
    };

    /// SLM 2.2.
    pub const V2_2: Self = Self {
        name: "2.2",
        version: "\"2.2.0\"",
        ..Self::V2_1
    };

    /// SLM 2.3.
    pub const V2_3: Self = Self {
        name: "2.3",
        version: "\"2.3.0\",\"2.3.0\"",
        shutdown: true,
        string_limit: 1024,
        receive_limit: (2048, 2048),
        unterminated_test: false,
        ..Self::V2_2
    };

    /// SLM 2.4.
    pub const V2_4: Self = Self {
        name: "2.4",
        version: "\"2.4.0\",\"2.4.0\"",
        ..Self::V2_3
    };

    /// SLM 2.5.
    pub const V2_5: Self = Self {
        name: "2.5",
        version: "\"2.5.0\",\"2.5.0\"",
        reception_pauses: false,
        junk: Junk::Skipped,
        overflow: Overflow::AtTerminator,
        stored_rate: false,
        modem_reset: true,
        unknown_option_is_empty: false,
        data_end: DataEnd::Anywhere,
        data_failure: DataFailure::Hidden,
        ..Self::V2_4
    };

    /// SLM 2.6, without the defect of 2.6.0 in `#XCMNG=1`.
    pub const V2_6: Self = Self {
        name: "2.6",
        version: "\"2.6.1\",\"2.6.1\"",
        socket_error: false,
        release_values: true,
        ..Self::V2_5
    };

    /// SLM 2.7.
    pub const V2_7: Self = Self {
        name: "2.7",
        version: "\"2.7.0\",\"2.7.0\"",
        ..Self::V2_6
    };

    /// SLM 3.1.
    pub const V3_1: Self = Self {
        name: "3.1",
        version: "\"3.1.0\",\"3.1.0\"",
        release_names: false,
        backspace_restores_quote: true,
        async_poll: true,
        send_flags: true,
        ..Self::V2_7
    };

    /// Serial Modem.
    pub const SERIAL_MODEM: Self = Self {
        name: "sm",
        version: "\"v1.99.0\",\"3.3.99\"",
        serial_modem: true,
        terminator: Terminator::Cr,
        junk: Junk::Ignored,
        overflow: Overflow::Restart,
        data_failure: DataFailure::Swallows,
        // SM runs on the nRF9151 family only (sheet 5).
        model: "nRF9151-LACA",
        modem_firmware: "mfw_nrf91x1_2.0.4",
        verbose_errors: true,
        validates_content: true,
        ..Self::V3_1
    };

    /// Every dialect without native TLS.
    pub const ALL: [Self; 10] = [
        Self::V2_0,
        Self::V2_1,
        Self::V2_2,
        Self::V2_3,
        Self::V2_4,
        Self::V2_5,
        Self::V2_6,
        Self::V2_7,
        Self::V3_1,
        Self::SERIAL_MODEM,
    ];

    /// Returns this release, built with native TLS. SM has no such build and stays as it is.
    pub const fn native(mut self) -> Self {
        let newest = self.async_poll;
        self.native = match (self.serial_modem, self.socket_error) {
            (true, _) => None,
            // Sheet 7.5.
            (false, true) => Some(Native {
                store: NativeStore::Mapped,
                sockets: false,
                record_limit: 5120,
            }),
            (false, false) => Some(Native {
                store: NativeStore::Settings,
                sockets: true,
                record_limit: if newest { 8192 } else { 4096 },
            }),
        };
        self
    }

    /// Returns the dialect of this name: a release such as `2.1`, with the suffix `-native` for a
    /// native TLS build, or `sm`.
    ///
    /// # Errors
    /// A text for the user, if there is no such dialect.
    pub fn named(text: &str) -> Result<Self, String> {
        let (name, native) = match text.strip_suffix(NATIVE_SUFFIX) {
            Some(name) => (name, true),
            None => (text, false),
        };
        let found = Self::ALL.into_iter().find(|profile| profile.name == name);
        match found {
            Some(profile) if !native => Ok(profile),
            Some(profile) if !profile.serial_modem => Ok(profile.native()),
            Some(_) => Err("Serial Modem has no native TLS".into()),
            None => {
                let known = Self::ALL.map(|profile| profile.name).join(", ");
                Err(format!(
                    "there is no dialect {text:?}; there are {known}, and all but sm also with {NATIVE_SUFFIX}"
                ))
            }
        }
    }

    /// Returns the commands in the answer to `AT#XCLAC`, without `AT`. A native TLS build has `#XCMNG`
    /// (sheet 0.1).
    pub(super) fn commands(&self) -> Vec<&'static str> {
        let mut commands = vec![
            if self.serial_modem {
                "#XSMVER"
            } else {
                "#XSLMVER"
            },
            "#XCLAC",
            "#XUUID",
            "#XSLEEP",
            "#XRESET",
            "#XDATACTRL",
            "#XSOCKET",
            "#XSSOCKET",
            "#XSOCKETOPT",
            "#XSSOCKETOPT",
            "#XCONNECT",
            "#XSEND",
            "#XRECV",
            "#XGETADDRINFO",
        ];
        for (here, command) in [
            (self.stored_rate, "#XSLMUART"),
            (self.shutdown, "#XSHUTDOWN"),
            (self.modem_reset, "#XMODEMRESET"),
            (!self.serial_modem, "#XSOCKETSELECT"),
            (!self.serial_modem, "#XPOLL"),
            (self.async_poll, "#XAPOLL"),
            (self.serial_modem, "#XCLOSE"),
            (self.serial_modem, "#XRECVCFG"),
            (self.native.is_some(), "#XCMNG"),
        ] {
            if here {
                commands.push(command);
            }
        }
        commands
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_lead_to_dialects() {
        for profile in Nrf9160Profile::ALL {
            assert_eq!(
                Nrf9160Profile::named(profile.name).unwrap().version,
                profile.version
            );
        }
        let native = |name: &str| Nrf9160Profile::named(name).unwrap().native.unwrap();
        assert_eq!(native("2.5-native").store, NativeStore::Mapped);
        assert_eq!(native("2.6-native").record_limit, 4096);
        assert_eq!(native("3.1-native").record_limit, 8192);
        assert!(
            Nrf9160Profile::named("sm-native")
                .unwrap_err()
                .contains("no native TLS")
        );
        assert!(Nrf9160Profile::named("1.9").unwrap_err().contains("2.0, "));
    }
}
