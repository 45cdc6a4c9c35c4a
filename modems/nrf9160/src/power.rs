//! Power off and light sleep (sheet 1.5).

use sectag::AtError;
use sectag::modem::{Sleeps, Then, World, ask, decide};

use crate::commands::{QUICK, SLOW};
use crate::{Family, Nrf9160, Script, script};

impl<F: Family> Nrf9160<F> {
    /// Switches the unit off (System OFF). Only a pin wakes it, so this is refused without one.
    pub(crate) const POWER_OFF: Script<F> = &[
        decide(can_wake),
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

    /// Switches the UART off while LTE stays on. SM needs no command: DTR switches its UART, and RI
    /// announces data meanwhile (sheet 1.6).
    pub(crate) const SLEEP: Script<F> = &[decide(begin_sleep)];

    /// Switches the UART off (SLM). From 3.1 on the firmware announces data meanwhile by a pulse of its
    /// indicate pin, as for any notice.
    pub(crate) const IDLE: Script<F> = &[
        decide(|modem, _, _| {
            modem.watch.changes();
            Then::Next
        }),
        ask("AT#XAPOLL=1,1").limit(QUICK).then(watching),
        ask("AT#XSLEEP=2").limit(QUICK).then(asleep),
    ];
}

impl<F: Family> Sleeps for Nrf9160<F> {}

fn can_wake<F: Family>(modem: &mut Nrf9160<F>, world: &mut World<'_>, _: Option<&[u8]>) -> Then {
    if modem.wired {
        Then::Next
    } else {
        world.fail(AtError::Unsupported)
    }
}

/// Starts the sleep that the firmware has, if the pin is wired that ends it.
fn begin_sleep<F: Family>(modem: &mut Nrf9160<F>, world: &mut World<'_>, _: Option<&[u8]>) -> Then {
    match (modem.has_handles(), world.pins) {
        (true, pins) if pins.can_sleep => Then::End,
        (false, pins) if pins.has_power_key => Then::To(script::IDLE),
        _ => world.fail(AtError::Unsupported),
    }
}

/// Judges `#XAPOLL`. Firmware up to 2.8 refuses it (sheet 0.1) and announces nothing during sleep.
/// Connections would have to be polled, so a sleep that the application did not ask for is refused
/// while there are any.
fn watching<F: Family>(
    modem: &mut Nrf9160<F>,
    world: &mut World<'_>,
    answer: Option<&[u8]>,
) -> Then {
    modem.watch_begun(world, answer.is_some());
    if answer.is_none() && world.sleeps_automatically() && world.has_sockets() {
        return world.fail(AtError::Unsupported);
    }
    Then::Next
}

fn asleep<F: Family>(modem: &mut Nrf9160<F>, world: &mut World<'_>, answer: Option<&[u8]>) -> Then {
    if answer.is_none() {
        return world.fail(crate::commands::error(world));
    }
    modem.idle = true;
    Then::Next
}
