//! From any state of the modem to one that answers, whose firmware is known, and without sockets (sheet 1
//! and 11).

use core::mem::take;

use sectag::modem::{Polling, Terminator, Then, World, ask, decide, either_way};
use sectag::{AtError, BringUpError};

use crate::commands::{QUICK, SLOW, error, fields};
use crate::dialect::Firmware;
use crate::sockets::Closing;
use crate::{FIRST_POLL, Family, Nrf9160, SILENCE, Script, script};

/// 0.5 to 1 s from a reset to `Ready` (sheet 1.5, estimated).
const BOOT_LIMIT: u32 = 5000;
const PRESS: u32 = 200;
/// The runner sees to pins and speed in a pause.
const DRIVEN: u32 = 1;
/// CR first: to a build that ends lines with it, the LF of CR LF would be the first byte of data mode.
const TERMINATORS: [Terminator; 3] = [Terminator::Cr, Terminator::CrLf, Terminator::Lf];
/// The likeliest first.
const QUOTED_TERMINATORS: [Terminator; 3] = [Terminator::CrLf, Terminator::Cr, Terminator::Lf];
/// 2.0 may be late in data mode (sheet 3); nobody says how late.
const LATE: u16 = 200;

/// `#XSLMUART`, which outlives a reset, and `+IPR` (sheet 1.1), the likeliest first.
const SPEEDS: [u32; 13] = [
    115_200, 921_600, 460_800, 9_600, 57_600, 230_400, 1_000_000, 38_400, 19_200, 14_400, 4_800,
    2_400, 1_200,
];

/// It is not what the backend's type is for.
const OTHER_FAMILY: BringUpError = BringUpError::Firmware {
    reason: "this modem has another firmware than the family that the backend's type names: name the family that it has, or AnyFirmware",
};
const KEY_UNSEEN: BringUpError = BringUpError::Firmware {
    reason: "the device's key was made in the modem, and this firmware brings its own TLS, which does not see such keys: use a build without native TLS, or store a key from outside and leave Config::generated_key out",
};

/// The means to get an answer out of the modem, in the order in which they are tried.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Means {
    /// Asking, with each terminator.
    Asking,
    /// An MCU that was reset in the middle of a certificate leaves a modem that takes everything for its
    /// rest. The backspaces also complete a payload of announced length (SM).
    Quotes,
    /// The modem's other speeds.
    Speeds,
    /// The wake pin.
    Key,
    /// The reset pin; or, where none is wired, patience.
    Reset,
}

/// What one bring-up keeps.
pub(crate) struct Waking {
    means: Means,
    /// How far the means have gone.
    turn: u8,
    /// Answers in a row, silences, and questions with one terminator.
    in_a_row: u8,
    silences: u8,
    tries: u8,
    /// The terminator is being settled: this proof of it.
    line_end_proof: Option<u8>,
    since: u32,
    /// Looks at the firmware so far, and what the last one, and the one under way, found.
    looks: u8,
    last: (Firmware, u16),
    firmware: Firmware,
}

impl Waking {
    pub(crate) const NEW: Self = Self {
        means: Means::Asking,
        turn: 0,
        in_a_row: 0,
        silences: 0,
        tries: 0,
        line_end_proof: None,
        since: 0,
        looks: 0,
        last: (Firmware::UNKNOWN, SILENCE),
        firmware: Firmware::UNKNOWN,
    };

    fn try_next(&mut self, means: Means) {
        (self.means, self.turn) = (means, 0);
    }
}

impl<F: Family> Nrf9160<F> {
    /// The MCU may have been reset in the middle of data mode, and the modem not.
    pub(crate) const BRING_UP: Script<F> =
        &[decide(begin), decide(|_, _, _| Then::To(script::MEANS))];

    /// The next means, or the next turn of it.
    pub(crate) const MEANS: Script<F> = &[decide(next_means).even_unanswered(), decide(attend)];

    pub(crate) const ATTENTION: Script<F> = &[ask("AT").limit(5).even_unanswered().then(attention)];

    /// From here on it answers. Errors have numbers, and the query that synchronises says whether this was
    /// ever sent, see `dialect::line`.
    pub(crate) const SETTINGS: Script<F> = &[
        ask("AT+CMEE=1").limit(QUICK).then(set_cmee),
        decide(choose_line_end),
    ];

    /// A build that ends lines with CR alone answers those with CR LF too, and would then take the LF for the
    /// first byte of a payload. It may be found so when it was not listening as it was asked with CR, or when
    /// answers came late: so it is asked once more where none is to come. One that has just answered is as
    /// quick again.
    pub(crate) const ENDS_IN_CR: Script<F> =
        &[ask("AT").limit(2).even_unanswered().then(ends_in_cr)];

    /// It waits for the end of that line, and refuses what it becomes with the next.
    pub(crate) const ENDS_IN_CR_LF: Script<F> =
        &[decide(|_, _, _| Then::Synchronise), decide(settled_once)];

    /// Which firmware this is (sheet 0.1), the inactivity limit of its data mode, and how it was built. A
    /// garbled answer would be believed until the next restart, and with the wrong silence what is sent would
    /// end data mode: what was not known before is asked until two answers agree.
    pub(crate) const IDENTIFY: Script<F> = &[ask("AT#XSLMVER").limit(QUICK).then(version)];

    pub(crate) const IDENTIFY_SERIAL_MODEM: Script<F> =
        &[ask("AT#XSMVER").limit(QUICK).then(serial_modem)];

    pub(crate) const BUILD: Script<F> = &[
        ask("AT#XCLAC").limit(QUICK).each(command_listed),
        ask("AT#XDATACTRL?")
            .limit(QUICK)
            .even_unanswered()
            .then(identified),
    ];

    /// What an earlier life of the MCU left open (SM); from here on it announces data.
    pub(crate) const BEGIN_NOTICES: Script<F> = &[
        ask("AT#XCLOSE").limit(SLOW).then(either_way),
        ask("AT#XAPOLL=,1,1").limit(QUICK),
        decide(usable),
    ];

    /// SLM: where `#XAPOLL` exists and runs, `#XPOLL` is refused (sheet 4.4). What was left open is closed.
    pub(crate) const END_NOTICES: Script<F> = &[
        ask("AT#XAPOLL=0").limit(QUICK).then(either_way),
        decide(usable),
    ];
}

fn begin<F: Family>(modem: &mut Nrf9160<F>, world: &mut World<'_>, _: Option<&[u8]>) -> Then {
    modem.idle = false;
    modem.watches = false;
    modem.wired = world.pins.has_power_key || world.pins.has_reset;
    modem.waking = Waking::NEW;
    if take(&mut world.restarted) {
        Then::Next
    } else {
        Then::Escape
    }
}

/// The terminators, the last that was answered first.
fn terminator(known: Option<Terminator>, turn: u8) -> Terminator {
    let others = TERMINATORS
        .into_iter()
        .filter(|other| Some(*other) != known);
    let nth = known.into_iter().chain(others).nth(turn.into());
    nth.unwrap_or(Terminator::Cr)
}

fn next_means<F: Family>(modem: &mut Nrf9160<F>, world: &mut World<'_>, _: Option<&[u8]>) -> Then {
    let known = modem.terminator;
    let waking = &mut modem.waking;
    loop {
        let turn = waking.turn;
        waking.turn += 1;
        match waking.means {
            Means::Asking if turn < 3 => {
                world.terminator = terminator(known, turn);
                return Then::Next;
            }
            Means::Asking => waking.try_next(Means::Quotes),
            Means::Quotes if turn < 3 => {
                world.terminator = QUOTED_TERMINATORS[usize::from(turn)];
                return Then::Unquote;
            }
            Means::Quotes => waking.try_next(Means::Speeds),
            // In vain it moves on by one each time, so that a modem which hears but is inside quotes is got
            // out of them at its own speed in the end.
            Means::Speeds if turn.is_multiple_of(4) => {
                modem.speed = (modem.speed + 1) % SPEEDS.len() as u8;
                world.pins.speed = SPEEDS[usize::from(modem.speed)];
                return world.again(DRIVEN);
            }
            Means::Speeds if world.pins.speed_refused => {
                modem.speed = 0;
                waking.try_next(Means::Key);
            }
            Means::Speeds if usize::from(turn / 4) == SPEEDS.len() => waking.try_next(Means::Key),
            Means::Speeds => {
                world.terminator = terminator(known, turn % 4 - 1);
                return Then::Next;
            }
            Means::Key if !world.pins.has_power_key => waking.try_next(Means::Reset),
            Means::Key if turn < 2 => {
                world.pins.power_key = turn == 0;
                waking.since = world.now;
                return world.again(if turn == 0 { PRESS } else { 0 });
            }
            Means::Reset if turn < 2 => {
                world.pins.reset = turn == 0 && world.pins.has_reset;
                waking.since = world.now;
                return world.again(if world.pins.reset { PRESS } else { 0 });
            }
            Means::Key | Means::Reset => {
                let which = turn - 2;
                if which > 0 || world.now.wrapping_sub(waking.since) < BOOT_LIMIT {
                    world.terminator = terminator(known, which);
                    if which == 2 {
                        waking.turn = 2;
                    }
                    return Then::Next;
                }
                if waking.means == Means::Reset {
                    return world.fail(BringUpError::NoAnswer);
                }
                waking.try_next(Means::Reset);
            }
        }
    }
}

fn attend<F: Family>(modem: &mut Nrf9160<F>, world: &mut World<'_>, _: Option<&[u8]>) -> Then {
    // What came until now, as at the wrong speed, may have looked like anything.
    world.restarted = false;
    let waking = &mut modem.waking;
    (waking.in_a_row, waking.silences, waking.tries) = (0, 0, 0);
    Then::To(script::ATTENTION)
}

/// One answer may be to a line that ended elsewhere than this one; the first may be an ERROR to what was
/// left of an earlier life. So two in a row count.
fn attention<F: Family>(
    modem: &mut Nrf9160<F>,
    world: &mut World<'_>,
    answer: Option<&[u8]>,
) -> Then {
    let waking = &mut modem.waking;
    waking.tries += 1;
    waking.in_a_row += 1;
    if answer.is_none() {
        waking.in_a_row = 0;
        match world.ended {
            Some(AtError::ModemReset) => world.restarted = false,
            Some(_) => waking.silences += 1,
            None => {}
        }
    }
    if waking.in_a_row == 2 {
        let settling = waking.line_end_proof.is_some();
        return Then::To(if settling {
            script::ENDS_IN_CR_LF
        } else {
            script::SETTINGS
        });
    }
    if waking.silences < 2 && waking.tries < 6 {
        return Then::Same;
    }
    if waking.line_end_proof.is_some() {
        return world.fail(BringUpError::NoAnswer);
    }
    Then::To(script::MEANS)
}

fn set_cmee<F: Family>(_: &mut Nrf9160<F>, world: &mut World<'_>, answer: Option<&[u8]>) -> Then {
    match answer {
        Some(_) => Then::Synchronise,
        None => world.fail(error(world)),
    }
}

fn choose_line_end<F: Family>(
    modem: &mut Nrf9160<F>,
    world: &mut World<'_>,
    _: Option<&[u8]>,
) -> Then {
    let found = world.terminator;
    if found == Terminator::CrLf && modem.terminator != Some(found) {
        return prove(modem, world, 0);
    }
    line_end_chosen(modem, world)
}

/// Asks whether CR alone ends a line.
fn prove<F: Family>(modem: &mut Nrf9160<F>, world: &mut World<'_>, proof: u8) -> Then {
    modem.waking.line_end_proof = Some(proof);
    modem.waking.tries = 0;
    world.terminator = Terminator::Cr;
    Then::To(script::ENDS_IN_CR)
}

/// Silence speaks against it, a restart or noise for nothing.
fn ends_in_cr<F: Family>(
    modem: &mut Nrf9160<F>,
    world: &mut World<'_>,
    answer: Option<&[u8]>,
) -> Then {
    if answer.is_some() {
        return line_end_chosen(modem, world);
    }
    match world.ended {
        Some(AtError::Timeout) => {
            world.terminator = Terminator::CrLf;
            return attend(modem, world, None);
        }
        Some(AtError::ModemReset) => world.restarted = false,
        _ => {}
    }
    modem.waking.tries += 1;
    if modem.waking.tries < 4 {
        return Then::Same;
    }
    world.fail(BringUpError::NoAnswer)
}

/// It is proved twice, since an answer may be lost.
fn settled_once<F: Family>(
    modem: &mut Nrf9160<F>,
    world: &mut World<'_>,
    _: Option<&[u8]>,
) -> Then {
    match modem.waking.line_end_proof {
        Some(0) => prove(modem, world, 1),
        _ => line_end_chosen(modem, world),
    }
}

fn line_end_chosen<F: Family>(modem: &mut Nrf9160<F>, world: &mut World<'_>) -> Then {
    modem.terminator = Some(world.terminator);
    modem.forget();
    modem.waking.last = (modem.firmware, modem.silence);
    look(modem)
}

/// Looks at the firmware.
fn look<F: Family>(modem: &mut Nrf9160<F>) -> Then {
    modem.waking.looks += 1;
    if matches!(F::HANDLES, Some(true)) {
        Then::To(script::IDENTIFY_SERIAL_MODEM)
    } else {
        Then::To(script::IDENTIFY)
    }
}

fn version<F: Family>(
    modem: &mut Nrf9160<F>,
    world: &mut World<'_>,
    answer: Option<&[u8]>,
) -> Then {
    let Some(text) = answer else {
        if matches!(F::HANDLES, Some(false)) {
            return world.fail(OTHER_FAMILY);
        }
        return Then::To(script::IDENTIFY_SERIAL_MODEM);
    };
    match fields(text, "#XSLMVER:").unquoted() {
        Some(version @ [_, ..]) => {
            modem.waking.firmware = Firmware::slm(version);
            Then::To(script::BUILD)
        }
        _ => world.fail(AtError::Garbled),
    }
}

/// Where that is refused as well, it is no firmware that this backend is for.
fn serial_modem<F: Family>(
    modem: &mut Nrf9160<F>,
    world: &mut World<'_>,
    answer: Option<&[u8]>,
) -> Then {
    if answer.is_none() {
        if matches!(F::HANDLES, Some(true)) {
            return world.fail(OTHER_FAMILY);
        }
        return world.fail(BringUpError::At {
            command: "AT#XSLMVER",
            error: AtError::Refused(world.code),
        });
    }
    modem.waking.firmware = Firmware::SERIAL_MODEM;
    Then::To(script::BUILD)
}

fn command_listed<F: Family>(modem: &mut Nrf9160<F>, _: &mut World<'_>, line: &[u8]) {
    if line == b"AT#XCMNG" {
        modem.waking.firmware = modem.waking.firmware.with_native(true);
    }
}

fn identified<F: Family>(
    modem: &mut Nrf9160<F>,
    world: &mut World<'_>,
    answer: Option<&[u8]>,
) -> Then {
    if world.ended == Some(AtError::ModemReset) {
        return world.fail(AtError::ModemReset);
    }
    let mut limits = fields(answer.unwrap_or_default(), "#XDATACTRL:");
    let silence = match (limits.int(), limits.int()) {
        // It cannot be set below its minimum.
        (Some(now), Some(least)) if now >= least => now.min(u16::MAX.into()) as u16,
        _ => SILENCE,
    };
    let waking = &mut modem.waking;
    let found = (waking.firmware, silence);
    if found != waking.last {
        waking.last = found;
        if waking.looks < 4 {
            return look(modem);
        }
        return world.fail(BringUpError::At {
            command: "AT#XSLMVER",
            error: AtError::Garbled,
        });
    }
    (modem.firmware, modem.silence) = found;
    if modem.firmware() != modem.firmware {
        return world.fail(OTHER_FAMILY);
    }
    if modem.config.generated_key && modem.firmware().is_native() {
        return world.fail(KEY_UNSEEN);
    }
    let release = modem.firmware().release();
    world.fetch_unit = release.unit;
    world.push_unit = None;
    world.polling = (!modem.has_handles()).then_some(Polling {
        first: FIRST_POLL,
        longest: modem.config.poll,
    });
    // The last bytes may still be on the wire.
    let behind = silence.saturating_add(silence / 4 + 20);
    world.silence = (if release.late_data_mode { LATE } else { 0 }, behind);
    world.escape_pause = release.escape_pause;
    if modem.has_handles() {
        return Then::To(script::BEGIN_NOTICES);
    }
    modem.closing = Closing::BRING_UP;
    Then::To(script::LIST_CURRENT)
}

/// It can be asked for what needs neither SIM nor network.
fn usable<F: Family>(_: &mut Nrf9160<F>, world: &mut World<'_>, _: Option<&[u8]>) -> Then {
    world.answers = true;
    Then::To(script::NETWORK)
}
