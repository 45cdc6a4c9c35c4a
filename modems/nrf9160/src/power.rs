//! Off, and asleep (sheet 1.5).

use sectag::AtError;
use sectag::modem::{Sleeps, Then, World, ask, decide};

use crate::commands::{QUICK, SLOW};
use crate::{AnyFirmware, Family, Nrf9160, Script, SlmModemTls, SlmNativeTls, script};

impl<F: Family> Nrf9160<F> {
    /// System OFF, out of which only a pin leads back.
    pub(crate) const POWER_OFF: Script<F> = &[
        decide(leads_back),
        ask("AT+CFUN=0").limit(SLOW),
        decide(|modem, _, _| {
            Then::To(if modem.has_handles() {
                script::SHUT_DOWN
            } else {
                script::SYSTEM_OFF
            })
        }),
    ];

    pub(crate) const SHUT_DOWN: Script<F> = &[ask("AT#XSHUTDOWN").limit(QUICK)];

    pub(crate) const SYSTEM_OFF: Script<F> = &[ask("AT#XSLEEP=1").limit(QUICK)];

    /// UART off, LTE on (SLM).
    pub(crate) const SLEEP: Script<F> = &[
        decide(has_sleep),
        ask("AT#XSLEEP=2").limit(QUICK).then(asleep),
    ];
}

// SM has pins of its own for it; one that is found at run time says so then.
impl Sleeps for Nrf9160<AnyFirmware> {}
impl Sleeps for Nrf9160<SlmModemTls> {}
impl Sleeps for Nrf9160<SlmNativeTls> {}

fn leads_back<F: Family>(modem: &mut Nrf9160<F>, world: &mut World<'_>, _: Option<&[u8]>) -> Then {
    if modem.wired {
        Then::Next
    } else {
        world.fail(AtError::Unsupported)
    }
}

fn has_sleep<F: Family>(modem: &mut Nrf9160<F>, world: &mut World<'_>, _: Option<&[u8]>) -> Then {
    if modem.has_handles() {
        world.fail(AtError::Unsupported)
    } else {
        Then::Next
    }
}

fn asleep<F: Family>(modem: &mut Nrf9160<F>, world: &mut World<'_>, answer: Option<&[u8]>) -> Then {
    if answer.is_none() {
        return world.fail(crate::commands::error(world));
    }
    modem.idle = true;
    Then::Next
}
