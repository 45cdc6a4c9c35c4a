//! Off, and asleep (sheet 1.5).

use sectag::AtError;
use sectag::modem::{SLEEPS, Sleeps, Then, World, ask, decide};

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

    /// UART off, LTE on (SLM). From 3.1 on it tells of data meanwhile: its indicate pin pulses for that, as for any
    /// notice.
    pub(crate) const SLEEP: Script<F> = &[
        decide(has_sleep),
        ask("AT#XAPOLL=1,1").limit(QUICK).then(watching),
        ask("AT#XSLEEP=2").limit(QUICK).then(asleep),
    ];

    /// `#XPOLL` is to be used again; then the flow begins anew.
    pub(crate) const UNWATCH: Script<F> = &[ask("AT#XAPOLL=0").limit(QUICK).then(unwatched)];

    /// Begins this script anew once `#XPOLL` can be used.
    pub(crate) fn unwatch(&mut self, then: u8) -> Then {
        self.moving.then = then;
        Then::To(script::UNWATCH)
    }

    /// `#XAPOLL` runs, and with it no `#XPOLL` does.
    pub(crate) fn watches(&self) -> bool {
        SLEEPS && self.watches
    }
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

/// Refused, the firmware is one that tells nothing (up to 2.8, sheet 0.1): connections would have to be asked, and one
/// that nobody asked to sleep does better to stay awake.
fn watching<F: Family>(
    modem: &mut Nrf9160<F>,
    world: &mut World<'_>,
    answer: Option<&[u8]>,
) -> Then {
    modem.watches = answer.is_some();
    if !modem.watches && world.sleeps_unasked() && world.has_sockets() {
        return world.fail(AtError::Unsupported);
    }
    Then::Next
}

/// Where it is refused, the next `#XPOLL` may be too, and the connection is lost.
fn unwatched<F: Family>(modem: &mut Nrf9160<F>, _: &mut World<'_>, _: Option<&[u8]>) -> Then {
    modem.watches = false;
    Then::To(modem.moving.then)
}

fn asleep<F: Family>(modem: &mut Nrf9160<F>, world: &mut World<'_>, answer: Option<&[u8]>) -> Then {
    if answer.is_none() {
        return world.fail(crate::commands::error(world));
    }
    modem.idle = true;
    Then::Next
}
