//! Differences between BG96 firmwares, as data.

/// The condition under which a socket announces data again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rearm {
    /// A read has answered 0 bytes: the strictest reading of "until the buffer was read empty" (sheet
    /// 4.5).
    ZeroRead,
    /// A read has taken the last byte.
    Emptied,
}

/// The form in which an open on an occupied id is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UsedId {
    /// `OK`, then `+QSSLOPEN: <id>,563`. mbed's close-and-retry hangs on the code in the result line (sheet 4.2).
    ResultLine,
    /// `ERROR` at once; `AT+QIGETERROR` returns 563.
    Error,
}

/// The behaviour of one firmware, where firmwares differ or the manuals are silent.
#[derive(Clone, Debug)]
pub struct Profile {
    /// The answer to `AT+CGMM`.
    pub model: &'static str,
    /// The answer to `AT+GMR`, and the revision line of `ATI`.
    pub revision: &'static str,
    /// The answer to `AT+QGMR`.
    pub full_revision: &'static str,
    /// `AT+QSSLCFG` keys with the value part of their test answer; a key not listed answers `ERROR`.
    pub ssl_keys: &'static [(&'static str, &'static str)],
    /// `AT+QSSLCFG=?` lists the keys; otherwise it answers `ERROR`.
    pub lists_ssl_keys: bool,
    /// Keys that are listed, and answered `ERROR` when they are set.
    pub refused_ssl_keys: &'static [&'static str],
    /// The highest value that `seclevel` takes.
    pub highest_seclevel: u8,
    /// Cipher suites that the `ciphersuite` key takes besides 0xFFFF.
    pub cipher_suites: &'static [u16],
    /// At seclevel 1 and up the certificate must carry the host's name. UNCONFIRMED on BG96 (sheet T10, from EG800K).
    pub checks_name: bool,
    /// Credential files may be DER. UNCONFIRMED on BG96 (sheet 3).
    pub accepts_der: bool,
    /// One read returns at most the rest of one TLS record. UNCONFIRMED (sheet 4.4).
    pub record_at_a_time: bool,
    /// Unread data survives the peer's close; otherwise reads answer `ERROR` from then on. UNCONFIRMED (sheet 4.5).
    pub reads_after_close: bool,
    /// `AT+QISDE=1` echoes payload even after `ATE0`. UNCONFIRMED: T2 sends both commands, T9 shows no echo.
    pub data_echo_ignores_ate: bool,
    /// Payload after the `AT+QSSLSEND` prompt is echoed while `AT+QISDE=1`. UNCONFIRMED (sheet 4.8).
    pub echoes_ssl_data: bool,
    /// `AT+QIACT` on an active context answers `OK` instead of `ERROR` (sheet 1.6: both are seen).
    pub activate_twice: bool,
    /// `AT+QIDEACT` on a context that is not up answers `OK` instead of `ERROR` (sheet 1.6: either).
    pub deactivate_twice: bool,
    /// Open results go where URCs go, so that they are lost while the URC port is the USB one. UNCONFIRMED.
    pub open_result_is_urc: bool,
    /// The time in `+QNTP:` is UTC although it carries a zone (sheet 2: EG800K measured; the BG96 manual shows local).
    pub ntp_time_is_utc: bool,
    /// `AT+QNTP` with autosettime 1 sets the clock; otherwise it only reports.
    pub ntp_sets_clock: bool,
    /// The year in `+QNTP:` has four digits (sheet 2: real hardware; the manual of older firmware shows two).
    pub ntp_long_year: bool,
    /// A CR LF precedes `+QFUPL:`. T7 shows none.
    pub crlf_before_upload_result: bool,
    /// `AT+QFOPEN`, `AT+QFREAD` and `AT+QFDWL` exist. No BG96 is known without them.
    pub reads_files: bool,
    /// An orderly `AT+QPOWD` ends with `POWERED DOWN`; some BG95 firmware says nothing (sheet 1.1).
    pub announces_power_down: bool,
    /// `APP RDY` follows `RDY`; not every firmware prints it (sheet 1.2, T4).
    pub announces_application: bool,
    /// `+CPIN: READY` and its like follow once the SIM was read; not every firmware prints them (sheet 1.2, T4).
    pub announces_sim: bool,
    /// After a requested restart the loss of the data connection is reported, 3 s after `POWERED DOWN`
    /// (T4).
    pub announces_lost_pdp_at_restart: bool,
    /// The line that announces PSM (sheet 1.7: both are known).
    pub power_saving_words: &'static str,
    /// `AT+QCFG` items of this list answer `ERROR`, as on the BG96-M (sheet 1.5).
    pub missing_items: &'static [&'static str],
    /// The condition under which a socket announces data again.
    pub rearm: Rearm,
    /// The form in which an open on an occupied id is refused.
    pub used_id: UsedId,
}

/// The nine keys of the V1.0 manual.
macro_rules! v1_keys {
    ($($more:expr),*) => {
        &[
            ("sslversion", "(0-4)"),
            (
                "ciphersuite",
                "(0X0035,0X002F,0X0005,0X0004,0X000A,0X003D,0XC011,0XC012,0XC013,0XC014,0XC027,0XC028,0XC02F,0XFFFF)",
            ),
            ("cacert", "<cacertpath>"),
            ("clientcert", "<client_cert_path>"),
            ("clientkey", "<client_key_path>"),
            ("seclevel", "(0-2)"),
            ("ignorelocaltime", "(0,1)"),
            ("negotiatetime", "(10-300)"),
            $($more),*
        ]
    };
}

impl Profile {
    /// Later BG96 firmware as far as it is known: it takes `sni`, has no `checkhost`, and does not check the server's name. That a BG96 checks
    /// it is UNCONFIRMED (sheet T10, from EG800K), and who tests with a simulated modem must not rely on more than the real one does.
    pub const BG96: Self = Self {
        checks_name: false,
        ..Self::BG96_LATER
    };

    /// What each profile is called, and what it is.
    pub const NAMED: [(&str, Self, &str); 4] = [
        (
            "later",
            Self::BG96,
            "names the server (SNI), and does not check its name",
        ),
        (
            "checks-name",
            Self::BG96_LATER,
            "likewise, and checks the name",
        ),
        (
            "v1",
            Self::BG96_V1,
            "the first manual's: no SNI, and the name is not checked",
        ),
        (
            "eg25",
            Self::EG25,
            "a relative with a long list of keys, which checks the name",
        ),
    ];

    /// Returns the profile of this name.
    ///
    /// # Errors
    /// There is none: the text says which there are.
    pub fn named(name: &str) -> Result<Self, String> {
        let found = Self::NAMED.into_iter().find(|(known, ..)| *known == name);
        found.map(|(_, profile, _)| profile).ok_or_else(|| {
            let known = Self::NAMED.map(|(known, _, what)| format!("{known} ({what})"));
            format!("there are {}", known.join(", "))
        })
    }

    /// Later BG96 firmware that checks names, as an EG800K does: takes `sni`, has no `checkhost`.
    pub const BG96_LATER: Self = Self {
        model: "BG96",
        revision: "BG96MAR02A07M1G",
        full_revision: "BG96MAR02A07M1G_01.019.01.019",
        ssl_keys: v1_keys![("sni", "(0,1)")],
        // Sheet 4.1 [SSL table 2]: RSA certificates only, no ECDSA suite.
        cipher_suites: &[
            0x0035, 0x002f, 0x0005, 0x0004, 0x000a, 0x003d, 0xc011, 0xc012, 0xc013, 0xc014, 0xc027,
            0xc028, 0xc02f,
        ],
        lists_ssl_keys: true,
        refused_ssl_keys: &[],
        highest_seclevel: 2,
        checks_name: true,
        accepts_der: true,
        record_at_a_time: true,
        reads_after_close: true,
        data_echo_ignores_ate: true,
        echoes_ssl_data: false,
        activate_twice: false,
        deactivate_twice: false,
        open_result_is_urc: true,
        ntp_time_is_utc: true,
        ntp_sets_clock: true,
        ntp_long_year: true,
        crlf_before_upload_result: false,
        reads_files: true,
        announces_power_down: true,
        announces_application: true,
        announces_sim: true,
        announces_lost_pdp_at_restart: false,
        power_saving_words: "PSM POWER DOWN",
        missing_items: &[],
        rearm: Rearm::ZeroRead,
        used_id: UsedId::ResultLine,
    };

    /// Firmware of the SSL manual V1.0: no `sni`, names are not checked.
    pub const BG96_V1: Self = Self {
        revision: "BG96MAR01A01M1G",
        full_revision: "BG96MAR01A01M1G_01.002.01.002",
        ssl_keys: v1_keys![],
        checks_name: false,
        ..Self::BG96_LATER
    };

    /// The firmware of T4's restart: it prints fewer boot lines, and reports the loss of its data
    /// connection.
    pub const BG96_T4: Self = Self {
        announces_application: false,
        announces_sim: false,
        announces_lost_pdp_at_restart: true,
        ..Self::BG96_LATER
    };

    /// A relative with the long list of keys and suites of EG25GGBR07A08M2G (sheet T16). Pre-shared keys and sessions
    /// are stored and not used: rustls has no pre-shared keys in TLS 1.2, and a server need not resume a session.
    pub const EG25: Self = Self {
        model: "EG25",
        revision: "EG25GGBR07A08M2G",
        full_revision: "EG25GGBR07A08M2G_30.203.30.203",
        ssl_keys: &[
            ("sslversion", "(0-4)"),
            ("dtls", "(0,1)"),
            ("dtlsversion", "(0,1)"),
            (
                "ciphersuite",
                "(0X0035,0X002F,0X0005,0X000A,0X003D,0XC003,0XC004,0XC005,0XC008,0XC009,0XC00A,0XC012,0XC013,0XC014,0XC00D,0XC00E,0XC00F,0XC023,0XC024,0XC025,0XC026,0XC027,0XC028,0XC029,0XC02A,0XC02F,0XC030,0XFFFF)",
            ),
            ("cacert", "<cacertpath>"),
            ("cacertex", "<cacertexpath>"),
            ("clientcert", "<client_cert_path>"),
            ("clientkey", "<client_key_path>,<key_pwd>"),
            ("seclevel", "(0-2)"),
            ("ignorelocaltime", "(0,1)"),
            ("negotiatetime", "(10-300)"),
            ("sni", "(0,1)"),
            ("psk", "<identity>,<key>"),
            ("closetimemode", "(0,1)"),
            ("session_cache", "(0,1)"),
            ("alpn", "<protocolname>"),
            ("renegotiation", "(0,1)"),
            ("ignoremulticertchainverify", "(0,1)"),
            ("ignoreinvalidcertsign", "(0,1)"),
            ("ignorecertitem", "(0-1048575)"),
        ],
        cipher_suites: &[
            0x0035, 0x002f, 0x0005, 0x000a, 0x003d, 0xc003, 0xc004, 0xc005, 0xc008, 0xc009, 0xc00a,
            0xc012, 0xc013, 0xc014, 0xc00d, 0xc00e, 0xc00f, 0xc023, 0xc024, 0xc025, 0xc026, 0xc027,
            0xc028, 0xc029, 0xc02a, 0xc02f, 0xc030,
        ],
        ..Self::BG96_LATER
    };
}
