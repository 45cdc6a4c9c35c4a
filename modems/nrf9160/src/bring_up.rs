//! Bring-up from any state of the modem to a known firmware without open sockets (sheet 1 and 11).

use core::mem::take;

use sectag::modem::{Polling, Terminator, Then, World, ask, decide, either_way};
use sectag::{AtError, BringUpError};

use crate::closing::Closing;
use crate::commands::{QUICK, SLOW, error, fields};
use crate::dialect::Firmware;
use crate::watch::Watch;
use crate::{FIRST_POLL, Family, Nrf9160, SILENCE, Script, script};

/// The time limit of a start, in milliseconds; a reset to `Ready` takes 0.5 to 1 s (sheet 1.5,
/// estimated).
const BOOT_LIMIT: u32 = 5000;
const PRESS: u32 = 200;
/// A pause in which the runner applies pins and speed, in milliseconds.
const DRIVEN: u32 = 1;
/// The terminators in the order in which they are tried. CR comes first: to a build that ends lines
/// with CR, the LF of CR LF would be the first byte of data mode.
const TERMINATORS: [Terminator; 3] = [Terminator::Cr, Terminator::CrLf, Terminator::Lf];
/// The terminators in the order in which they are tried against an open quote, the likeliest first.
const QUOTED_TERMINATORS: [Terminator; 3] = [Terminator::CrLf, Terminator::Cr, Terminator::Lf];
/// The pause before data mode, in milliseconds: 2.0 may enter it late (sheet 3); the delay is not
/// documented.
const LATE: u16 = 200;

/// The speeds of `#XSLMUART`, which outlives a reset, and of `+IPR` (sheet 1.1), the likeliest first.
const SPEEDS: [u32; 13] = [
    115_200, 921_600, 460_800, 9_600, 57_600, 230_400, 1_000_000, 38_400, 19_200, 14_400, 4_800,
    2_400, 1_200,
];

/// The error for a firmware outside the family that the backend's type names.
const OTHER_FAMILY: BringUpError = BringUpError::Firmware {
    reason: "this modem has another firmware than the family that the backend's type names: name the family that it has, or AnyFirmware",
};
const KEY_UNSEEN: BringUpError = BringUpError::Firmware {
    reason: "the device's key was made in the modem, and this firmware brings its own TLS, which does not see such keys: use a build without native TLS, or store a key from outside and leave Config::generated_key out",
};

/// The means to get an answer out of the modem, in the order in which they are tried.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Means {
    /// Commands to the modem, with each terminator.
    Asking,
    /// The end of a quoted string. An MCU that was reset in the middle of a certificate leaves a modem
    /// that takes all input for the rest of it. The backspaces also complete a payload of announced
    /// length (SM).
    Quotes,
    /// The modem's other UART speeds.
    Speeds,
    /// The wake pin.
    Key,
    /// The reset pin; where none is wired, only waiting.
    Reset,
}

/// Scratch of a bring-up.
pub(crate) struct Waking {
    means: Means,
    /// The next turn of the current means.
    turn: u8,
    /// Answers without a silence or refusal in between.
    in_a_row: u8,
    /// Queries with one terminator that were not answered.
    silences: u8,
    /// Queries with one terminator.
    tries: u8,
    /// The proof of the terminator that is under way, while the terminator is being found out.
    line_end_proof: Option<u8>,
    since: u32,
    /// How often the firmware was identified.
    looks: u8,
    /// The firmware and silence that the last identification found.
    last: (Firmware, u16),
    /// The firmware that the current identification found.
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
    /// Begins a bring-up. The MCU may have been reset in the middle of data mode, and the modem not.
    pub(crate) const BRING_UP: Script<F> =
        &[decide(begin), decide(|_, _, _| Then::To(script::MEANS))];

    /// Applies the next means, or the next turn of the current one.
    pub(crate) const MEANS: Script<F> = &[decide(next_means).even_unanswered(), decide(attend)];

    pub(crate) const ATTENTION: Script<F> = &[ask("AT").limit(5).even_unanswered().then(attention)];

    /// Sets the error level. From here on the modem answers. `+CMEE=1` makes errors carry numbers, and
    /// lets the synchronising query detect a restart, see `dialect::line`.
    pub(crate) const SETTINGS: Script<F> = &[
        ask("AT+CMEE=1").limit(QUICK).then(set_cmee),
        decide(choose_line_end),
    ];

    /// Asks whether CR alone ends a line. A build that ends lines with CR also answers commands with CR
    /// LF, but would take the LF for the first byte of a payload. CR LF can look right by mistake, when
    /// the modem did not listen to the query with CR or answered late. So this query is sent once more
    /// with CR, and no answer is expected. A modem that has just answered is quick to answer again.
    pub(crate) const ENDS_IN_CR: Script<F> =
        &[ask("AT").limit(2).even_unanswered().then(ends_in_cr)];

    /// Ends the line that CR left open: a CR LF modem waits for its end, and refuses that line together
    /// with the next command.
    pub(crate) const ENDS_IN_CR_LF: Script<F> =
        &[decide(|_, _, _| Then::Synchronise), decide(settled_once)];

    /// Identifies the firmware (sheet 0.1), the inactivity limit of its data mode, and its build. The
    /// result holds until the next restart, and a wrong limit would end data mode in the middle of a
    /// send; so the queries are repeated until two results in a row agree, unless the first agrees with
    /// what was known before.
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

    /// Closes what an earlier life of the MCU left open, and has the modem announce data from here on
    /// (SM).
    pub(crate) const BEGIN_NOTICES: Script<F> = &[
        ask("AT#XCLOSE").limit(SLOW).then(either_way),
        ask("AT#XAPOLL=,1,1").limit(QUICK),
        decide(usable),
    ];

    /// Ends the notices: while `#XAPOLL` is active, `#XPOLL` is refused (SLM, sheet 4.4). Sockets that
    /// were left open are closed before.
    pub(crate) const END_NOTICES: Script<F> = &[
        ask("AT#XAPOLL=0").limit(QUICK).then(either_way),
        decide(usable),
    ];
}

fn begin<F: Family>(modem: &mut Nrf9160<F>, world: &mut World<'_>, _: Option<&[u8]>) -> Then {
    modem.idle = false;
    modem.watch = Watch::NEW;
    modem.wired = world.pins.has_power_key || world.pins.has_reset;
    modem.waking = Waking::NEW;
    // It ages, and a registration brings it anew.
    modem.network_time = None;
    if take(&mut world.restarted) {
        Then::Next
    } else {
        Then::Escape
    }
}

/// Returns the terminator for a turn: the last one that was answered first, then the others.
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
            // Each time the speeds are tried in vain, the next one begins one further. So a modem that
            // listens but is inside quotes is brought out of them at its own speed in the end.
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
    // Bytes that came at the wrong speed may have looked like any notice.
    world.restarted = false;
    let waking = &mut modem.waking;
    (waking.in_a_row, waking.silences, waking.tries) = (0, 0, 0);
    Then::To(script::ATTENTION)
}

/// Waits for two answers in a row. A single one may belong to a line that ended elsewhere, and the
/// first may be an `ERROR` to the rest of a command of an earlier life.
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

/// Starts a proof of whether CR alone ends a line.
fn prove<F: Family>(modem: &mut Nrf9160<F>, world: &mut World<'_>, proof: u8) -> Then {
    modem.waking.line_end_proof = Some(proof);
    modem.waking.tries = 0;
    world.terminator = Terminator::Cr;
    Then::To(script::ENDS_IN_CR)
}

/// Judges the query with CR: an answer shows that CR ends a line, a silence that it does not. A restart
/// or noise shows nothing.
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

/// Ends the proof after the second silence, since one answer may be lost.
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

/// Starts an identification of the firmware.
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

/// Reads the answer of Serial Modem. If this query is refused as well, the backend does not know the
/// firmware.
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
        // The limit cannot be set below its minimum.
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
    // The last bytes may still be on the wire, so a margin is added.
    let behind = silence.saturating_add(silence / 4 + 20);
    world.silence = (if release.late_data_mode { LATE } else { 0 }, behind);
    world.escape_pause = release.escape_pause;
    if modem.has_handles() {
        return Then::To(script::BEGIN_NOTICES);
    }
    modem.closing = Closing::BRING_UP;
    Then::To(script::LIST_CURRENT)
}

/// Goes on to the network. From here on the modem answers commands that need neither SIM nor network.
fn usable<F: Family>(_: &mut Nrf9160<F>, world: &mut World<'_>, _: Option<&[u8]>) -> Then {
    world.answers = true;
    Then::To(script::NETWORK)
}
