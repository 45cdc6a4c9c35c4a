//! Writes a whole security profile, and reads back the settings on which verification rests (sheet
//! B.2.2).
//!
//! Every setting is written, whatever the profile held before: its factory settings verify nothing,
//! another connection may have used it, and no source says whether it survives a restart.

use sectag::at::{Fields, answer};
use sectag::modem::{Open, Out, Then, World, ask, decide};
use sectag::{
    AtError, Capabilities, Check, ConnectError, Feature, Kind, ServerKey, SuiteSet,
    Suites as Policy, Support, TlsConfig, TlsVersion,
};

use super::models::{self, Suites};
use super::{Script, UbloxCellular, open, script};

/// How often a write or a query is sent before it counts as refused, since noise may be the reason of a
/// refusal.
const TRIES: u8 = 2;
/// How often the whole profile is written again when a value that is read back differs.
const ROUNDS: u8 = 2;

/// A setting that is written to the profile, or read from it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Item {
    /// Restores factory settings, so that nothing of an earlier connection is left: pinning, pre-shared
    /// keys, resumption, a password.
    Reset,
    Version,
    /// The first suite.
    Suite,
    /// A second suite, which only a list takes.
    SecondSuite,
    Ca,
    Name,
    Certificate,
    Key,
    Sni,
    Level,
    /// Reads the level. From here on the items are queries.
    ReadLevel,
    ReadVersion,
    ReadSuites,
    ReadCa,
    ReadName,
    ReadCertificate,
    ReadSni,
}

use Item::*;

const PLAN: [Item; 17] = [
    Reset,
    Version,
    Suite,
    SecondSuite,
    Ca,
    Name,
    Certificate,
    Key,
    Sni,
    Level,
    ReadLevel,
    ReadVersion,
    ReadSuites,
    ReadCa,
    ReadName,
    ReadCertificate,
    ReadSni,
];

impl Item {
    /// Returns the number of the setting.
    const fn op(self) -> u32 {
        match self {
            Level | ReadLevel | Reset => 0,
            Version | ReadVersion => 1,
            Suite | SecondSuite | ReadSuites => 2,
            Ca | ReadCa => 3,
            Name | ReadName => 4,
            Certificate | ReadCertificate => 5,
            Key => 6,
            Sni | ReadSni => 10,
        }
    }

    const fn reads(self) -> bool {
        matches!(
            self,
            ReadLevel | ReadVersion | ReadSuites | ReadCa | ReadName | ReadCertificate | ReadSni
        )
    }

    /// Returns the name of the setting in errors.
    const fn setting(self) -> &'static str {
        match self.op() {
            1 => "USECPRF=<profile>,1",
            2 => "USECPRF=<profile>,2",
            3 => "USECPRF=<profile>,3",
            4 => "USECPRF=<profile>,4",
            5 => "USECPRF=<profile>,5",
            6 => "USECPRF=<profile>,6",
            10 => "USECPRF=<profile>,10",
            _ => "USECPRF=<profile>,0",
        }
    }
}

/// Scratch of writing a profile.
pub(crate) struct Writing {
    /// The index of the item in the plan.
    place: usize,
    tries: u8,
    round: u8,
    /// The module answered a write like a query, because a byte was lost on the way.
    read_instead: bool,
    /// Whether the value that was read is the value that was written; `None` while nothing was read.
    same: Option<bool>,
    /// The suites to offer; 0 for none. Two zeros offer all suites of the module.
    suites: [u16; 2],
    /// The model does not take the name for the handshake.
    no_sni: bool,
}

impl Writing {
    pub(crate) const NEW: Self = Self {
        place: 0,
        tries: 0,
        round: 0,
        read_instead: false,
        same: None,
        suites: [0; 2],
        no_sni: false,
    };

    fn item(&self) -> Option<Item> {
        PLAN.get(self.place).copied()
    }

    /// Returns whether the name is sent in the handshake.
    pub(crate) fn sends_name(&self) -> bool {
        !self.no_sni
    }

    fn next(&mut self) {
        self.place += 1;
        self.tries = 0;
    }
}

impl UbloxCellular {
    /// Writes or reads one setting after the other.
    pub(crate) const SETTING: Script = &[
        decide(Self::next_item),
        ask("AT+USECPRF={p}")
            .each(Self::setting_told)
            .then(Self::setting_answered),
    ];

    /// Refuses a policy that the module cannot meet; returns the suites to offer, see
    /// [`Writing::suites`].
    pub(crate) fn suites_for(&self, config: &TlsConfig) -> Result<[u16; 2], ConnectError> {
        let has = sectag::modem::Modem::capabilities(self);
        config.check(&has.verification)?;
        let offered = config.suites_for(&has)?;
        if config.offered_suites() == Policy::All {
            return Ok([0; 2]);
        }
        let first = |key| offered.for_key(key).iter().next().unwrap_or(0);
        let (rsa, ecdsa) = (first(ServerKey::Rsa), first(ServerKey::Ecdsa));
        match (rsa, ecdsa, self.row().suites) {
            (0, 0, _) => Err(ConnectError::Lacks(Feature::Suites)),
            (0, one, _) | (one, 0, _) => Ok([one, 0]),
            (rsa, ecdsa, Suites::List) => Ok([rsa, ecdsa]),
            // The model takes one suite. Most servers have an RSA key; a policy for others offers only
            // ECDSA suites.
            (rsa, _, _) => Ok([rsa, 0]),
        }
    }

    pub(crate) fn begin_profile(&mut self, world: &mut World<'_>) -> Then {
        let Some(open) = &world.open else {
            return world.fail(AtError::ModemReset);
        };
        match self.suites_for(&open.config) {
            Ok(suites) => {
                self.opening.writing = Writing {
                    suites,
                    // For an unknown model it is tried.
                    no_sni: self.model.is_some_and(|model| !model.sni),
                    ..Writing::NEW
                };
                Then::To(script::SETTING)
            }
            Err(error) => world.fail(error),
        }
    }

    fn is_wanted(&self, open: &Open, item: Item) -> bool {
        let writing = &self.opening.writing;
        match item {
            Suite | ReadSuites => writing.suites[0] != 0,
            SecondSuite => writing.suites[1] != 0,
            Certificate | Key | ReadCertificate => open.config.has_client_certificate(),
            Sni | ReadSni => !writing.no_sni,
            _ => true,
        }
    }

    fn next_item(&mut self, world: &mut World<'_>, _: Option<&[u8]>) -> Then {
        let Some(open) = &world.open else {
            return world.fail(AtError::ModemReset);
        };
        while let Some(item) = self.opening.writing.item() {
            if self.is_wanted(open, item) {
                self.opening.writing.read_instead = false;
                self.opening.writing.same = None;
                return Then::Next;
            }
            self.opening.writing.next();
        }
        Then::To(script::SOCKET)
    }

    /// Writes the arguments behind `AT+USECPRF=`.
    pub(crate) fn write_item(&self, world: &World<'_>, out: &mut Out<'_>) {
        let (Some(open), Some(item)) = (&world.open, self.opening.writing.item()) else {
            return;
        };
        out.int(open.context.into());
        if item == Reset {
            return;
        }
        out.byte(b',');
        out.int(item.op());
        if item.reads() {
            return;
        }
        out.byte(b',');
        match item {
            Level => out.int(level(&open.config)),
            Version => out.int(version(&open.config)),
            Suite => self.write_suite(self.opening.writing.suites[0], out),
            SecondSuite => self.write_suite(self.opening.writing.suites[1], out),
            Ca => open::write_name(open.config.tag(), Kind::Ca, out),
            Certificate => open::write_name(open.config.tag(), Kind::ClientCertificate, out),
            Key => open::write_name(open.config.tag(), Kind::PrivateKey, out),
            _ => {
                out.byte(b'"');
                world.write_name(out);
                out.byte(b'"');
            }
        }
    }

    /// Writes a suite in the form of the model: the vendor's number, `99,"c0","2b"` for one suite,
    /// `100,"c0","2b",0` to add one to a list.
    fn write_suite(&self, suite: u16, out: &mut Out<'_>) {
        let form = self.row().suites;
        if form == Suites::Numbers {
            return out.int(models::number(suite).unwrap_or(0));
        }
        out.bytes(if form == Suites::List { b"100" } else { b"99" });
        for byte in suite.to_be_bytes() {
            let digit = |value: u8| b"0123456789abcdef"[usize::from(value & 15)];
            out.bytes(b",\"");
            out.byte(digit(byte >> 4));
            out.byte(digit(byte));
            out.byte(b'"');
        }
        if form == Suites::List {
            out.bytes(b",0");
        }
    }

    /// Notes a line `+USECPRF: <profile>,<op>,<value>`.
    fn setting_told(&mut self, world: &mut World<'_>, line: &[u8]) {
        let (Some(text), Some(open)) = (answer(line, "+USECPRF:"), &world.open) else {
            return;
        };
        self.opening.writing.read_instead = true;
        let Some(item) = self.opening.writing.item() else {
            return;
        };
        let mut fields = Fields::new(text);
        if fields.byte() != Some(open.context) || fields.int() != Some(item.op()) {
            return;
        }
        let same = match item {
            ReadLevel => fields.int() == Some(level(&open.config)),
            ReadVersion => fields.int() == Some(version(&open.config)),
            ReadSuites => self.is_offered(fields),
            ReadCa => is_name(fields.unquoted(), open, Kind::Ca),
            ReadCertificate => is_name(fields.unquoted(), open, Kind::ClientCertificate),
            _ => fields
                .unquoted()
                .is_some_and(|host| open::is_host(world, host)),
        };
        self.opening.writing.same = Some(same);
    }

    /// Returns whether the suites read back are those that were written: a number, or `99,"C02A"`, or
    /// `100,"C02A;C02C"`.
    fn is_offered(&self, mut fields: Fields<'_>) -> bool {
        let suites = self.opening.writing.suites;
        let first = fields.int();
        let wanted = match self.row().suites {
            Suites::Numbers => return first == models::number(suites[0]),
            Suites::One => 99,
            Suites::List => 100,
        };
        let Some(text) = fields.text().filter(|_| first == Some(wanted)) else {
            return false;
        };
        let mut seen = 0;
        let known = text.split(';').all(|suite| {
            let suite = u16::from_str_radix(suite.trim(), 16).unwrap_or(0);
            seen += 1;
            suite != 0 && suites.contains(&suite)
        });
        known && seen == suites.iter().filter(|suite| **suite != 0).count()
    }

    fn setting_answered(&mut self, world: &mut World<'_>, answer: Option<&[u8]>) -> Then {
        let writing = &mut self.opening.writing;
        let Some(item) = writing.item() else {
            return world.fail(AtError::ModemReset);
        };
        writing.tries += 1;
        let done = if item.reads() {
            writing.same == Some(true)
        } else {
            answer.is_some() && !writing.read_instead
        };
        if done {
            writing.next();
        } else if writing.tries >= TRIES {
            match item {
                // Not every firmware has this setting. The name is compared all the same.
                Sni => {
                    writing.no_sni = true;
                    writing.next();
                }
                item if item.reads() && writing.same.is_some() => {
                    if writing.round >= ROUNDS {
                        return world.fail(AtError::Garbled);
                    }
                    writing.round += 1;
                    (writing.place, writing.tries) = (0, 0);
                }
                item if answer.is_some() && (item.reads() || writing.read_instead) => {
                    return world.fail(AtError::Garbled);
                }
                item => {
                    return world.fail(ConnectError::Unsupported {
                        setting: item.setting(),
                    });
                }
            }
        }
        Then::To(script::SETTING)
    }

    pub(crate) fn profile_capabilities(&self) -> Capabilities {
        let mut capabilities = Capabilities::UNKNOWN;
        let verification = &mut capabilities.verification;
        if let Some(model) = self.model {
            // By the SARA-R4 manual's description of levels 2 and 3 (sheet B.2.2).
            verification.chain = Support::Yes;
            verification.name = Support::Yes;
            verification.dates = Support::Yes;
            verification.sni = if model.sni { Support::Yes } else { Support::No };
            verification.client_certificate = Support::Yes;
        }
        // Suites are written and read back at every open.
        verification.suites = Support::Yes;
        // The suites with a legacy number; UNCONFIRMED which of them each model has.
        capabilities.suites = SUITES;
        capabilities
    }
}

const SUITES: SuiteSet = models::suites();

/// Returns the validation level: chain, name and dates, or chain and name if the policy accepts missing
/// dates.
fn level(config: &TlsConfig) -> u32 {
    if config.accepts_missing(Check::Dates) {
        2
    } else {
        3
    }
}

/// Returns the value for the TLS version. One manual calls it the lowest version and another the only
/// one (sheet B.2.2); the policy's oldest version is right for both.
fn version(config: &TlsConfig) -> u32 {
    match config.oldest_version() {
        TlsVersion::Tls10 => 1,
        TlsVersion::Tls11 => 2,
        _ => 3,
    }
}

fn is_name(said: Option<&[u8]>, open: &Open, kind: Kind) -> bool {
    said.and_then(open::parse_name) == Some((open.config.tag(), kind))
}
