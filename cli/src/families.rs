//! The families of modems that this tool knows: one row each in the table below. A new modem is a row, a function in
//! `modems.rs` that makes its driver, and an arm in `start.rs` that runs it.

use clap::ValueEnum;
use clap::builder::PossibleValue;
use sectag::Accepts;
use sectag::modem::{Credentials, Full, LinesPart};
use sectag_bg96::Bg96;
use sectag_cc3200::at::Cc32xx;
use sectag_cc3200::nwp::{G2, Nwp};
use sectag_nrf9160::Nrf9160;
use sectag_ublox::cellular::UbloxCellular;
use sectag_ublox::short_range::ShortRange;

use crate::identity::Identity;

/// What TLS on this computer takes; that a client's key must be on P-256 is said where it is read.
const LINK: Accepts = Accepts {
    container: None,
    roots: u16::MAX,
    chain: 1,
    len: usize::MAX,
    self_signed_root: false,
};

/// Makes the enumeration and what is looked up by it. `is` tells by the answers to the queries of identity whether a
/// modem is of this family; where that cannot be asked, it is `never`, and the user names the modem.
macro_rules! modems {
    ($($variant:ident, $name:literal, $what:literal, $driver:ty, $is:path, $restart:expr;)+) => {
        /// A modem's family, by its name on the command line.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
        pub(crate) enum ModemName {
            $(#[value(name = $name)] #[doc = $what] $variant,)+
            /// A module of u-blox as a link: PPP, with TLS on this computer
            #[value(name = "ublox-ppp")]
            Ppp,
        }

        impl ModemName {
            const ALL: &[Self] = &[$(Self::$variant),+, Self::Ppp];
            const CHOICES: &[Choice] = &[Choice(None), $(Choice(Some(Self::$variant))),+, Choice(Some(Self::Ppp))];

            pub(crate) const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $name,)+ Self::Ppp => "ublox-ppp" }
            }

            /// As its maker calls it.
            pub(crate) const fn what(self) -> &'static str {
                match self { $(Self::$variant => $what,)+ Self::Ppp => "u-blox module as a link" }
            }

            /// What credentials it takes.
            pub(crate) fn accepts(self) -> Accepts {
                match self { $(Self::$variant => <$driver>::ACCEPTS,)+ Self::Ppp => LINK }
            }

            /// The command that restarts it, and the line with which it says that it is there again.
            pub(crate) fn restart(self) -> Option<(&'static str, &'static str)> {
                match self { $(Self::$variant => $restart,)+ Self::Ppp => None }
            }

            /// Whether it speaks AT, before it is a link at least.
            pub(crate) const fn speaks_at(self) -> bool {
                match self {
                    $(Self::$variant => <<$driver as Full>::Lines as LinesPart<$driver>>::THERE,)+
                    Self::Ppp => true,
                }
            }

            fn is(self, identity: &Identity) -> bool {
                match self {
                    $(Self::$variant => $is(identity),)+
                    // These modules are recognised under their own names; only the user can say that one is to be a link.
                    Self::Ppp => false,
                }
            }
        }
    };
}

modems! {
    Bg96, "bg96", "Quectel BG96", Bg96, is_quectel, Some(("AT+CFUN=1,1", "RDY"));
    Nrf9160, "nrf9160", "Nordic nRF9160", Nrf9160, is_nordic, Some(("AT#XRESET", "Ready"));
    // Models differ in the command, and say nothing when they are there again.
    UbloxCellular, "ublox-cellular", "u-blox SARA, LARA, LENA or LEXI", UbloxCellular, is_ublox_cellular, None;
    ShortRange, "ublox-shortrange", "u-blox ODIN-W2, NINA-W13, NINA-W15", ShortRange, is_short_range, None;
    // It knows none of the commands by which a modem is asked who it is.
    Cc32xx, "cc32xx", "TI CC3220, CC3235 with the AT application", Cc32xx, never, None;
    // It speaks no AT, so nobody can ask who is there.
    Cc31xx, "cc31xx", "TI CC3120, CC3130, CC3135", Nwp<G2>, never, None;
}

impl ModemName {
    /// The family that answers so.
    pub(crate) fn of(identity: &Identity) -> Option<Self> {
        Self::ALL.iter().copied().find(|name| name.is(identity))
    }

    /// `--modem` with each name, for messages.
    pub(crate) fn options() -> String {
        let names: Vec<&str> = Self::ALL.iter().map(|name| name.as_str()).collect();
        format!("--modem {}", names.join(", --modem "))
    }
}

/// What `--modem` says: a family, or that the port is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Choice(pub(crate) Option<ModemName>);

impl ValueEnum for Choice {
    fn value_variants<'a>() -> &'a [Self] {
        ModemName::CHOICES
    }

    fn to_possible_value(&self) -> Option<PossibleValue> {
        match self.0 {
            Some(name) => name.to_possible_value(),
            None => Some(PossibleValue::new("auto").help("Asks the port who is there")),
        }
    }
}

fn never(_: &Identity) -> bool {
    false
}

fn is_quectel(identity: &Identity) -> bool {
    identity.manufacturer_has("quectel")
}

fn is_short_range(identity: &Identity) -> bool {
    identity.model_has("odin-w2")
        || identity.model_has("nina-w13")
        || identity.model_has("nina-w15")
}

fn is_nordic(identity: &Identity) -> bool {
    identity.manufacturer_has("nordic") || identity.model_has("nrf91")
}

/// Short-range modules have the same manufacturer.
fn is_ublox_cellular(identity: &Identity) -> bool {
    let families = ["sara-", "lara-", "lena-", "lexi-", "toby-"];
    let is_family = families.iter().any(|family| identity.model_has(family));
    identity.manufacturer_has("u-blox") && is_family
}
