//! Differences between u-blox cellular models, as data (ublox sheet, B.1.1).

use embassy_time::Duration;

/// The data connection that sockets use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UbloxData {
    /// Internal profile 0, with an APN of its own; no `+CGACT`.
    Profile,
    /// Internal profile 0, which must be bound to context 1 and activated.
    Bound,
    /// Context 1, which has to be activated.
    Context,
    /// Context 1, which is activated with the registration; `+UPSD`, `+UPSDA` and `+UPSND` do not
    /// exist.
    Attach,
}

/// The form in which cipher suites are chosen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UbloxSuites {
    /// A legacy number of the vendor.
    Numbers,
    /// `99` and the two bytes of one suite.
    One,
    /// `100`, the two bytes of a suite, and whether to add or to remove it.
    List,
}

/// The behaviour of one model, where models differ.
#[derive(Clone, Copy, Debug)]
pub struct UbloxProfile {
    /// The name in `sectag simulate --dialect`.
    pub name: &'static str,
    /// The answer to `AT+CGMM`.
    pub model: &'static str,
    /// The answer to `ATI9`.
    pub version: &'static str,
    /// The time behind a result in which a command is lost.
    pub gap: Duration,
    /// The data connection that sockets use.
    pub data: UbloxData,
    /// `+USECPRF` has op 10.
    pub sni: bool,
    /// The form in which cipher suites are chosen (op 2 of `+USECPRF`).
    pub suites: UbloxSuites,
    /// `+USOCO` takes a fourth argument.
    pub connects_later: bool,
    /// `+USOCL` takes a second argument.
    pub closes_later: bool,
    /// Whether an empty read answers `+USORD: <s>,""`, without a length.
    pub bare_empty: bool,
    /// Whether the space after the colon is missing in some answers.
    pub no_space: bool,
    /// Whether the model has LTE, and therefore `+CEREG`.
    pub lte: bool,
    /// `+CREG` and `+CGREG` answer in the form of their notice (sheet E.17).
    pub odd_registration: bool,
    /// The answer to a dial; `None` if the model has no PPP.
    pub connect: Option<&'static str>,
    /// Two NULs follow a restart.
    pub nuls: bool,
    /// Whether an import needs the line ends of its PEM.
    pub wants_lines: bool,
    /// Whether a write is refused while received data waits (sheet D 4).
    pub reads_first: bool,
    /// A space follows `>`.
    pub prompt_space: bool,
    /// How long PWR_ON has to be low to switch the module on.
    pub press_on: Duration,
    /// How long PWR_ON has to be low to switch the module off.
    pub press_off: Duration,
    /// How long RESET_N has to be low to reset the module.
    pub reset: Duration,
}

const fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

impl UbloxProfile {
    /// SARA-R410M-02B.
    pub const SARA_R4_02B: Self = Self {
        name: "sara-r4-02b",
        model: "SARA-R410M-02B",
        version: "L0.0.00.00.05.08,A.02.04",
        gap: ms(100),
        data: UbloxData::Attach,
        sni: false,
        suites: UbloxSuites::Numbers,
        connects_later: true,
        closes_later: true,
        bare_empty: true,
        no_space: false,
        lte: true,
        odd_registration: false,
        connect: Some("CONNECT 150000000"),
        nuls: true,
        wants_lines: false,
        reads_first: true,
        prompt_space: false,
        press_on: ms(150),
        press_off: ms(2000),
        reset: ms(10_000),
    };

    /// SARA-R410M-01B, of which the least is known.
    pub const SARA_R4_01B: Self = Self {
        name: "sara-r4-01b",
        model: "SARA-R410M-01B",
        connects_later: false,
        closes_later: false,
        ..Self::SARA_R4_02B
    };

    /// SARA-R510S.
    pub const SARA_R5: Self = Self {
        name: "sara-r5",
        model: "SARA-R510S",
        version: "02.06,A00.01",
        gap: ms(20),
        data: UbloxData::Bound,
        sni: true,
        suites: UbloxSuites::List,
        closes_later: false,
        bare_empty: false,
        connect: Some("CONNECT"),
        nuls: false,
        reads_first: false,
        press_on: ms(1000),
        reset: ms(100),
        ..Self::SARA_R4_02B
    };

    /// SARA-R422.
    pub const SARA_R422: Self = Self {
        name: "sara-r422",
        model: "SARA-R422S",
        suites: UbloxSuites::One,
        connect: Some("CONNECT 150000000"),
        closes_later: true,
        press_on: ms(300),
        reset: ms(10_000),
        ..Self::SARA_R5
    };

    /// SARA-U201.
    pub const SARA_U201: Self = Self {
        name: "sara-u201",
        model: "SARA-U201",
        version: "23.60,A01.01",
        gap: ms(50),
        data: UbloxData::Profile,
        sni: false,
        suites: UbloxSuites::Numbers,
        connects_later: false,
        lte: false,
        press_on: ms(1),
        press_off: ms(1500),
        reset: ms(50),
        ..Self::SARA_R5
    };

    /// LARA-R6.
    pub const LARA_R6: Self = Self {
        name: "lara-r6",
        model: "LARA-R6001",
        version: "00.13,A00.01",
        data: UbloxData::Context,
        suites: UbloxSuites::One,
        press_on: ms(150),
        ..Self::SARA_R5
    };

    /// LENA-R8.
    pub const LENA_R8: Self = Self {
        name: "lena-r8",
        model: "LENA-R8001M10",
        version: "02.00,A02.19",
        data: UbloxData::Context,
        suites: UbloxSuites::One,
        closes_later: true,
        no_space: true,
        odd_registration: true,
        wants_lines: true,
        prompt_space: true,
        press_on: ms(2000),
        press_off: ms(3100),
        reset: ms(50),
        ..Self::SARA_R5
    };

    /// LEXI-R10.
    pub const LEXI_R10: Self = Self {
        name: "lexi-r10",
        model: "LEXI-R10801D",
        version: "03.14,A00.00",
        data: UbloxData::Context,
        suites: UbloxSuites::One,
        connect: None,
        press_on: ms(150),
        ..Self::SARA_R5
    };

    /// A model that is in no table of the driver.
    pub const UNKNOWN: Self = Self {
        name: "unknown",
        model: "SARA-X900",
        ..Self::SARA_R4_01B
    };

    /// All of them.
    pub const ALL: [Self; 9] = [
        Self::SARA_R5,
        Self::SARA_R4_02B,
        Self::SARA_R4_01B,
        Self::SARA_R422,
        Self::SARA_U201,
        Self::LARA_R6,
        Self::LENA_R8,
        Self::LEXI_R10,
        Self::UNKNOWN,
    ];

    /// Returns the profile of this name.
    ///
    /// # Errors
    /// A text for the user that lists the names, if there is no such profile.
    pub fn named(name: &str) -> Result<Self, String> {
        let found = Self::ALL.into_iter().find(|profile| profile.name == name);
        found.ok_or_else(|| {
            let names: Vec<&str> = Self::ALL.iter().map(|profile| profile.name).collect();
            format!("no such dialect; there are {}", names.join(", "))
        })
    }
}
