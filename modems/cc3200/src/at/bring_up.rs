//! Bring-up from any state of the module to a restarted network processor that has joined the network
//! (sheet 1.7).

use core::mem::take;

use sectag::at::{Fields, answer};
use sectag::modem::{Then, World, ask, decide, either_way};
use sectag::{AtError, BringUpError};

use crate::join;

use super::dialect::{error, number};
use super::{Cc32xx, Script, script};

/// The number of attempts. The application answers at once unless it is busy.
const TRIES: u8 = 5;
const PAUSE: u32 = 500;
/// How long reset is low, in milliseconds. No document says how long it must be.
const PRESS: u32 = 50;
/// The longest time from a reset to the banner, in milliseconds. No document says how long it is.
const BOOT_LIMIT: u32 = 5_000;
/// The time limit of a start or stop of the network processor, in tenths of a second (sheet 2).
const START: u16 = 660;
/// How often the flow looks for events that did not wake it, in milliseconds.
const SLICE: u32 = 250;
/// The number for "started already", which is not a failure (sheet 1.1).
const STARTED: i16 = -2012;

impl Cc32xx {
    pub(super) const BRING_UP: Script = &[decide(begin)];

    /// Asks for an answer by a line that the application refuses. It also ends what an earlier life of
    /// the MCU may have begun. The refusal is the sign of life.
    pub(super) const ATTENTION: Script = &[ask(super::SPOILS)
        .limit(10)
        .even_unanswered()
        .then(attention)];

    /// Restarts the network processor, which ends everything that an earlier life of the MCU has left:
    /// sockets, open files, a network. The connection policy is emptied before, so that neither
    /// provisioning nor a stored profile starts by itself.
    pub(super) const START: Script = &[
        ask("AT+WlanPolicySet=CONNECTION,,").then(either_way),
        ask("AT+Stop=200").limit(START).then(either_way),
        ask("AT+Start").limit(START).then(|_, world, answer| {
            if answer.is_some() || number(world.code) == Some(STARTED) {
                return Then::Next;
            }
            refused(world, "AT+Start")
        }),
        ask("AT+Get=general,version").then(|modem, _, answer| {
            modem.version = answer.map_or([0; 4], version);
            Then::Next
        }),
        ask("AT+WlanPolicySet=CONNECTION,,").then(|_, world, answer| match answer {
            Some(_) => Then::Next,
            None => refused(world, "AT+WlanPolicySet"),
        }),
        decide(|modem, world, _| {
            if modem.date.at(world.now).is_some() {
                Then::To(script::DATE)
            } else {
                Then::To(script::JOIN)
            }
        }),
    ];

    /// Sets the date again, since a module loses it with its power.
    pub(super) const DATE: Script = &[
        ask("AT+Set=general,time,{t}"),
        decide(|_, _, _| Then::To(script::JOIN)),
    ];

    pub(super) const JOIN: Script = &[
        decide(|modem, world, _| {
            modem.associated = false;
            modem.address = false;
            modem.left = None;
            modem.since = world.now;
            Then::Next
        }),
        ask("AT+WlanConnect={s},,{a},{k},,,")
            .limit(100)
            .then(|_, world, answer| match answer {
                Some(_) => Then::Next,
                None => refused(world, "AT+WlanConnect"),
            }),
        decide(|_, _, _| Then::To(script::WAIT_JOINED)),
    ];

    pub(super) const WAIT_JOINED: Script = &[
        decide(joined),
        decide(|_, _, _| Then::To(script::WAIT_JOINED)),
    ];
}

fn begin(modem: &mut Cc32xx, world: &mut World<'_>, _: Option<&[u8]>) -> Then {
    world.terminator = sectag::modem::Terminator::Lf;
    take(&mut world.restarted);
    modem.date.keep_up(world.now);
    modem.up = false;
    modem.tries = 0;
    modem.plain = 0;
    modem.file = super::open_file::OpenFile::None;
    world.polling = Some(super::sockets::POLLING);
    Then::To(script::ATTENTION)
}

fn attention(modem: &mut Cc32xx, world: &mut World<'_>, _: Option<&[u8]>) -> Then {
    // A banner that ended the pause is not a restart to report.
    take(&mut world.restarted);
    if world.ended.is_none() {
        // From here on the module takes commands; credentials need no network.
        world.answers = true;
        return Then::To(script::START);
    }
    if world.pins.reset {
        world.pins.reset = false;
        return world.again(BOOT_LIMIT);
    }
    modem.tries += 1;
    if modem.tries == TRIES && world.pins.has_reset {
        world.pins.reset = true;
        return world.again(PRESS);
    }
    // Behind a reset, all of them once more.
    if modem.tries == TRIES || modem.tries >= 2 * TRIES {
        return world.fail(BringUpError::NoAnswer);
    }
    world.again(PAUSE)
}

/// Fails the bring-up because of a command.
fn refused(world: &mut World<'_>, command: &'static str) -> Then {
    let error = error(world);
    world.fail(BringUpError::At { command, error })
}

/// Returns the version of the network processor's firmware in `+get:<chip>,<fw>,<phy>,<nwp>,<rom>`
/// (sheet 1.4).
fn version(text: &[u8]) -> [u8; 4] {
    let field = answer(text, "+get:").and_then(|line| Fields::new(line).nth(3));
    let text = field.and_then(|field| core::str::from_utf8(field).ok());
    let mut parts = text.unwrap_or_default().split('.');
    core::array::from_fn(|_| parts.next().and_then(|part| part.parse().ok()).unwrap_or(0))
}

fn joined(modem: &mut Cc32xx, world: &mut World<'_>, _: Option<&[u8]>) -> Then {
    if world.restarted {
        return world.fail(AtError::ModemReset);
    }
    // A report from here on ends the pause.
    world.report.1 = 0;
    if modem.address {
        modem.up = true;
        world.network_lost = false;
        return Then::End;
    }
    let waited = world.now.wrapping_sub(modem.since);
    if modem.left.is_some() || waited >= modem.config.join {
        let failure = join::failure(modem.left, modem.associated);
        return world.fail(BringUpError::NotJoined {
            failure,
            reason: modem.left,
        });
    }
    world.pause = SLICE;
    Then::Park
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_version_is_that_of_the_network_processor() {
        let text = b"+get:0x30000019,3.7.0.1,3.1.0.26,4.13.0.2,8192";
        assert_eq!(version(text), [4, 13, 0, 2]);
        assert_eq!(version(b"+get:"), [0; 4]);
    }
}
