//! The differences between models, as one table keyed by the answer to `+CGMM` (sheet B.1.1).

/// The data connection that TLS sockets use (sheet B.1.4).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum DataConnection {
    /// Internal profile 0, with an APN of its own (`+UPSD`, `+UPSDA`).
    Profile,
    /// Internal profile 0, bound to PDP context 1.
    Bound,
    /// PDP context 1, once it is active.
    Context,
    /// The context of the attach. It is activated only if it is not active.
    Attach,
}

/// The form in which cipher suites are chosen (sheet B.2.2, op 2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Suites {
    /// One of 33 suites, by the vendor's number.
    Numbers,
    /// One suite, by its IANA number.
    One,
    /// A list of suites, by their IANA numbers.
    List,
}

/// The properties of a model.
#[derive(Debug)]
pub(crate) struct Model {
    /// The beginning of the model's name.
    pub(crate) name: &'static str,
    /// The silence that the model needs after a result or notice, in milliseconds.
    pub(crate) gap: u16,
    pub(crate) data: DataConnection,
    /// The server's name is sent in the handshake (op 10).
    pub(crate) sni: bool,
    pub(crate) suites: Suites,
    /// `+USOCO` answers at once and reports the result later. R404M and R410M-01B cannot do that; no
    /// source says that SARA-U201 can.
    pub(crate) connects_later: bool,
    /// `+USOCL` can answer at once and report the end later.
    pub(crate) closes_later: bool,
    /// `+UAUTHREQ` takes the password before the user.
    pub(crate) password_first: bool,
    /// The mode of `+CFUN` that switches the radio off.
    pub(crate) radio_off: u8,
    /// How long PWR_ON is low to switch the module on, in milliseconds.
    pub(crate) press_on: u16,
    /// How long PWR_ON is low to switch the module off, in milliseconds.
    pub(crate) press_off: u16,
    /// How long RESET_N is low, in milliseconds.
    pub(crate) reset: u16,
    /// The longest time from switching on, or from a restart, to the first answer, in seconds.
    pub(crate) boot: u8,
}

/// The row for unknown models: the longest times, and no optional feature.
pub(crate) static UNKNOWN: Model = Model {
    name: "",
    gap: 100,
    data: DataConnection::Context,
    sni: false,
    suites: Suites::Numbers,
    connects_later: false,
    closes_later: false,
    password_first: false,
    radio_off: 4,
    // LENA-R8 needs 2 s to switch on; 3.2 s is the longest press that SARA-R4 takes (MKRNB).
    press_on: 2100,
    press_off: 3200,
    reset: 16_500,
    boot: 10,
};

const R4: Model = Model {
    name: "SARA-R4",
    gap: 100,
    data: DataConnection::Attach,
    sni: false,
    suites: Suites::Numbers,
    connects_later: false,
    closes_later: false,
    password_first: true,
    radio_off: 4,
    press_on: 300,
    press_off: 2000,
    reset: 16_500,
    boot: 6,
};

const R422: Model = Model {
    name: "SARA-R422",
    gap: 20,
    data: DataConnection::Bound,
    sni: true,
    suites: Suites::One,
    connects_later: true,
    closes_later: true,
    boot: 10,
    ..R4
};

const R52: Model = Model {
    name: "SARA-R52",
    gap: 20,
    data: DataConnection::Context,
    sni: true,
    suites: Suites::List,
    connects_later: true,
    closes_later: true,
    password_first: false,
    radio_off: 4,
    press_on: 150,
    press_off: 2000,
    reset: 150,
    boot: 15,
};

/// The models, in order of precedence: the first one whose name fits counts.
#[rustfmt::skip]
static MODELS: [Model; 15] = [
    Model {
        name: "SARA-U201",
        gap: 50,
        data: DataConnection::Profile,
        password_first: false,
        radio_off: 0,
        press_on: 10,
        press_off: 1500,
        reset: 75,
        boot: 5,
        ..R4
    },
    Model { name: "SARA-R410M-02B", connects_later: true, closes_later: true, ..R4 },
    Model { name: "SARA-R410M-03B", connects_later: true, sni: true, ..R4 },
    Model { name: "SARA-R412M-02B", connects_later: true, closes_later: true, sni: true, boot: 10, ..R4 },
    Model { name: "SARA-R412M-03B", connects_later: true, sni: true, boot: 10, ..R4 },
    R422,
    Model { name: "LEXI-R422", ..R422 },
    R52,
    Model { name: "LEXI-R52", ..R52 },
    Model { name: "SARA-R5", data: DataConnection::Bound, closes_later: false, press_on: 1500, ..R52 },
    Model {
        name: "LARA-R6",
        suites: Suites::One,
        closes_later: false,
        password_first: true,
        press_on: 300,
        boot: 10,
        ..R52
    },
    Model { name: "LENA-R8", suites: Suites::One, press_on: 2000, press_off: 3100, reset: 50, boot: 5, ..R52 },
    Model { name: "LEXI-R10", suites: Suites::One, closes_later: false, press_on: 300, ..R52 },
    // Other models of the first LTE-M generation, of which the least is known.
    Model { name: "SARA-R410M", ..R4 },
    Model { name: "SARA-R412M", boot: 10, ..R4 },
];

/// Returns the row of a model, or `None` if it has none.
pub(crate) fn named(name: &[u8]) -> Option<&'static Model> {
    MODELS
        .iter()
        .find(|model| name.starts_with(model.name.as_bytes()))
}

/// The IANA numbers of the suites, in the order of the legacy numbers of op 2, which count from 1
/// (sheet B.2.2).
#[rustfmt::skip]
static NUMBERS: [u16; 33] = [
    0x002F, 0x003C, 0x0035, 0x003D, 0x000A, 0x008C, 0x008D, 0x008B, 0x0094, 0x0095, 0x0093,
    0x00AE, 0x00AF, 0x00B6, 0x00B7, 0x00A8, 0x00A9, 0x00AC, 0x00AD, 0xC008, 0xC009, 0xC00A,
    0xC012, 0xC013, 0xC014, 0xC023, 0xC024, 0xC027, 0xC028, 0xC02B, 0xC02C, 0xC02F, 0xC030,
];

/// Returns the vendor's number of a suite.
pub(crate) fn number(suite: u16) -> Option<u32> {
    let place = NUMBERS.iter().position(|known| *known == suite)?;
    Some(place as u32 + 1)
}

/// Returns all suites that have a vendor's number.
pub(crate) const fn suites() -> sectag::SuiteSet {
    sectag::SuiteSet::of(&NUMBERS)
}

#[cfg(test)]
mod tests {
    extern crate std;

    use super::*;

    #[test]
    fn a_model_is_found_by_the_longest_name_that_fits() {
        let name = |name: &str| named(name.as_bytes()).map(|model| model.name);
        assert_eq!(name("SARA-R410M-02B"), Some("SARA-R410M-02B"));
        assert_eq!(name("SARA-R410M-52B"), Some("SARA-R410M"));
        assert_eq!(name("SARA-R510S"), Some("SARA-R5"));
        assert_eq!(name("SARA-R520"), Some("SARA-R52"));
        assert_eq!(name("LENA-R8001M10"), Some("LENA-R8"));
        assert_eq!(name("LEXI-R10801D"), Some("LEXI-R10"));
        assert_eq!(name("SARA-G450"), None);
        for (index, model) in MODELS.iter().enumerate() {
            let first = MODELS
                .iter()
                .position(|other| model.name.starts_with(other.name));
            assert_eq!(first, Some(index), "{}", model.name);
            assert!(model.gap <= UNKNOWN.gap && model.boot <= 15);
        }
    }

    /// A row of the README's table.
    fn shown(model: &Model) -> std::string::String {
        let known = !model.name.is_empty();
        let checked = if known {
            "chain, name (CN), dates"
        } else {
            "not known"
        };
        let sni = match (known, model.sni) {
            (false, _) => "not known",
            (true, true) => "sent",
            (true, false) => "not sent",
        };
        let suites = match model.suites {
            Suites::Numbers => "one of 33, by the vendor's number",
            Suites::One => "one, by its IANA number",
            Suites::List => "a list",
        };
        let blocks = |later: bool| {
            if later {
                "does not block"
            } else {
                "blocks the channel"
            }
        };
        std::format!(
            "| {} | {checked} | {sni} | {suites} | {} | {} | {} ms |\n",
            if known { model.name } else { "any other" },
            blocks(model.connects_later),
            blocks(model.closes_later),
            model.gap,
        )
    }

    #[test]
    fn the_readme_has_this_table() {
        let readme = include_str!("../../../../README.md");
        let rows = MODELS.iter().chain([&UNKNOWN]).map(shown);
        let table: std::string::String = rows.collect();
        assert!(readme.contains(&table), "it should have:\n{table}");
    }

    #[test]
    fn legacy_numbers_are_the_vendors() {
        assert_eq!((number(0x002F), number(0xC030)), (Some(1), Some(33)));
        assert_eq!((number(0xC02B), number(0xC02F)), (Some(30), Some(32)));
        assert_eq!(number(0x1301), None);
    }
}
