//! Waking: gets the first answer out of the modem, by commands, power key and reset (sheet 1.1).

use sectag::modem::{BRING_UP, Modem, Out, Then, World, ask, decide, either_way};
use sectag::{AtError, BringUpError};

use crate::{ATTENTION, Bg96, MULTIPLEXER, Options, REBOOT, SETTINGS, STARTING, Script, WAKE};

// Time limits, in milliseconds.

/// How long to ask a starting modem. Its UART is active 4.9 s after the power key (sheet 1.1); ST waits
/// 5.5 s, and a cold modem takes longer.
const BOOT_LIMIT: u32 = 12_000;
/// The length of a press of the power key: it switches on after 500 ms and off after 650 ms, so this is
/// enough for either.
const KEY_PRESS: u32 = 700;
/// The length of a reset pulse: RESET_N takes 150 to 460 ms.
const RESET_PULSE: u32 = 300;
/// The wait for a modem that is switched off by its key: at least 2 s, sometimes more than 4.
const SHUTDOWN: u32 = 5000;
/// How long a starting modem's status pin is waited for, which rises after 4.8 s (sheet 1.1). Then it is asked all the
/// same, in case the pin is wired wrongly.
const STATUS_LIMIT: u32 = 8000;
/// The wait for `APP RDY` after `RDY`. A BG95 answers `ERROR` in between; a BG96 may not print `APP
/// RDY` at all (sheet 1.2).
const APP_READY_LIMIT: u32 = 2000;

/// The pause in which the runner sets the speed of the UART.
const DRIVEN: u32 = 1;

/// ESC, which cancels a payload of no announced length.
const CANCEL: u8 = 0x1b;
/// The frame that closes the multiplexer down (27.010; sheet 1.8). UNCONFIRMED for a BG96.
pub(crate) const CLOSE_DOWN: [u8; 8] = [0xf9, 0x03, 0xef, 0x05, 0xc3, 0x01, 0xf2, 0xf9];
/// `AT+CFUN=1,1` on the multiplexer's channel 1 (sheet 1.8). Its answer stands in a frame, whose lines end as they do outside
/// of one. It is cut behind the `A` into two frames, so that it is no command to a modem that is not multiplexed, and busy.
pub(crate) const RESTART: [u8; 23] = *b"\xf9\x07\xef\x03A\xd4\xf9\x07\xef\x17T+CFUN=1,1\r\xcf\xf9";

/// The speeds of `AT+IPR`, which `AT&W` stores (sheet 1.3), the likeliest first; the factory's comes last, since the UART
/// was most likely opened at it.
const SPEEDS: [u32; 8] = [
    9_600, 921_600, 460_800, 230_400, 57_600, 38_400, 19_200, 115_200,
];

// The means to get an answer, in the order in which they are tried.
const WAIT: u8 = 0;
const ASK: u8 = 1;
const FILL: u8 = 2;
const CLOSE_CHANNELS: u8 = 3;
const SPEED: u8 = 4;
const KEY: u8 = 5;
const KEY_AGAIN: u8 = 6;
const RESET: u8 = 7;

/// Scratch of waking the modem.
pub(crate) struct Waking {
    /// The means that is tried now.
    means: u8,
    /// The means that is tried next.
    next: u8,
    /// The modem said that it is restarting.
    restarting: bool,
    /// The status pin says that the modem is off.
    off: bool,
    /// There is no status pin, so that a press of the key may have switched the modem on or off.
    unsure: bool,
    /// Changes of a pin that are still to come. The pin is active while the number is odd.
    changes: u8,
    /// The modem may be starting: it is asked until [`BOOT_LIMIT`] after `since`.
    starts: bool,
    /// The time at which the asking began.
    since: u32,
    /// The time at which the bring-up began.
    began: u32,
    /// How many more times the modem is asked, if it is not starting.
    tries: u8,
    /// How often the modem was asked with the current means.
    asked: u8,
    /// How many of [`SPEEDS`] were tried.
    speeds: u8,
}

impl Waking {
    pub(crate) const fn new() -> Self {
        Self {
            means: WAIT,
            next: WAIT,
            restarting: false,
            off: false,
            unsure: false,
            changes: 0,
            starts: false,
            since: 0,
            began: 0,
            tries: 0,
            asked: 0,
            speeds: 0,
        }
    }
}

impl<O: Options> Bg96<O> {
    /// Begins a bring-up by getting out of data mode.
    pub(crate) const BRING_UP: Script<O> = &[
        decide(Self::begins).even_unanswered(),
        decide(Self::in_line_mode),
    ];

    /// Applies the means one after another.
    pub(crate) const WAKE: Script<O> = &[
        decide(Self::next_means).even_unanswered(),
        decide(Self::completes_payload).even_unanswered(),
        decide(Self::moves_pin),
    ];

    /// Asks for an answer, a number of times or as long as a start may take. A modem that is on answers within 300 ms
    /// (sheet 1.3); the first characters to one with a slow clock are lost (sheet 1.8).
    pub(crate) const ATTENTION: Script<O> = &[
        decide(Self::may_ask),
        ask("AT{b}").limit(3).even_unanswered().then(Self::answered),
        decide(Self::awake),
    ];

    /// Gets the modem out of the multiplexer's frames, by the frame that closes it, then by a restart in a frame.
    pub(crate) const MULTIPLEXER: Script<O> = &[
        ask("{e}").limit(2).even_unanswered().then(either_way),
        ask("AT").limit(3).even_unanswered().then(Self::closed_down),
        ask("{g}").limit(4).even_unanswered().then(Self::restarted),
    ];

    /// Waits for `APP RDY` of a modem that is just starting.
    pub(crate) const STARTING: Script<O> = &[
        decide(Self::starting),
        decide(|_, _, _| Then::To(ATTENTION)),
    ];

    /// Restarts the modem (sheet 1.1). It answers `OK`, or restarts before it does.
    pub(crate) const REBOOT: Script<O> = &[
        ask("AT+CFUN=1,1")
            .limit(150)
            .even_unanswered()
            .then(either_way),
        decide(|_, _, _| Then::To(BRING_UP)),
    ];

    fn begins(&mut self, world: &mut World<'_>, _: Option<&[u8]>) -> Then {
        // A modem that has just reported its start is starting: a key press now would switch it off.
        let restarting = core::mem::take(&mut world.restarted);
        let off = O::PINS && world.pins.status == Some(false);
        self.waking = Waking {
            restarting,
            off,
            began: world.now,
            ..Waking::new()
        };
        if restarting || off {
            world.ended = None;
            return Then::Next;
        }
        // Another host, or an earlier life of the MCU, may have left the modem in data mode, where `AT`
        // would go to a peer or into a file (sheet 3 and 4.7).
        Then::Escape
    }

    /// Goes on after the escape. If the escape ended with an error, the modem may have just started.
    fn in_line_mode(&mut self, world: &mut World<'_>, _: Option<&[u8]>) -> Then {
        self.waking.restarting |= world.ended.is_some();
        Then::To(WAKE)
    }

    fn next_means(&mut self, world: &mut World<'_>, _: Option<&[u8]>) -> Then {
        let pins = world.pins;
        let waking = &mut self.waking;
        let off = waking.off;
        loop {
            let means = waking.next;
            if means > RESET {
                world.searched = true;
                return world.fail(BringUpError::NoAnswer);
            }
            waking.means = means;
            waking.next += 1;
            waking.asked = 0;
            // Presses of the key or of reset, and how often to ask; 0 asks as long as a start may take.
            let (presses, tries) = match means {
                WAIT if waking.restarting => (0, 0),
                ASK if !off => (0, 4),
                FILL if !off => (0, 3),
                // Behind the filler: a modem that waited for payload is to get none of the frames.
                CLOSE_CHANNELS if O::MODES && !off => return Then::To(MULTIPLEXER),
                SPEED if O::PINS && O::MODES && !off => {
                    let Some(speed) = SPEEDS.get(usize::from(waking.speeds)) else {
                        world.pins.speed = 0;
                        continue;
                    };
                    waking.speeds += 1;
                    waking.next = SPEED;
                    world.pins.speed = *speed;
                    world.pause = DRIVEN;
                    (0, 2)
                }
                KEY if O::PINS && pins.has_power_key => {
                    waking.unsure = pins.status.is_none();
                    // A modem that is on is switched off first.
                    (if pins.status == Some(true) { 2 } else { 1 }, 0)
                }
                // Without a status pin, the first press may have switched it off.
                KEY_AGAIN if waking.unsure => (1, 0),
                // Reset is used only when the key has not helped (sheet 1.1).
                RESET if O::PINS && pins.has_reset => (u8::from(!off), 0),
                RESET if !O::PINS || !pins.has_power_key => (0, 0),
                _ => continue,
            };
            waking.changes = 2 * presses;
            waking.tries = tries;
            waking.starts = tries == 0;
            if means == FILL {
                world.fill = (CANCEL, 1);
                return Then::Fill;
            }
            return Then::Next;
        }
    }

    /// Fills up an interrupted payload. A modem whose MCU was reset between prompt and payload waits
    /// without limit for up to 1460 bytes, or for the character that ends or cancels a payload of no
    /// announced length (sheet 4.3). A modem in line mode ignores the filler.
    fn completes_payload(&mut self, world: &mut World<'_>, _: Option<&[u8]>) -> Then {
        let count = match self.waking.means {
            FILL => Self::LIMITS.max_send,
            // It ends the line into which the noise of other speeds has gone.
            SPEED => 1,
            _ => return Then::Next,
        };
        world.fill = (b'\r', count);
        Then::Fill
    }

    fn moves_pin(&mut self, world: &mut World<'_>, _: Option<&[u8]>) -> Then {
        let waking = &mut self.waking;
        if O::PINS && O::MODES && waking.means == SPEED && world.pins.speed_refused {
            // The board cannot change it.
            world.pins.speed = 0;
            waking.next = KEY;
            return Then::To(WAKE);
        }
        if !O::PINS || waking.changes == 0 {
            // Where no pin was moved, a start can only have begun before.
            waking.since = if waking.means == RESET && waking.changes == 0 && !world.pins.has_reset
            {
                waking.began
            } else {
                world.now
            };
            return Then::To(ATTENTION);
        }
        waking.changes -= 1;
        let pressed = waking.changes % 2 == 1;
        let resets = waking.means == RESET;
        if resets {
            world.pins.reset = pressed;
        } else {
            world.pins.power_key = pressed;
        }
        // The driver caused this restart itself.
        world.restarted = false;
        world.again(match (pressed, resets) {
            (true, true) => RESET_PULSE,
            (true, false) => KEY_PRESS,
            // An awaited status pin ends this wait.
            (false, _) if waking.changes > 0 => SHUTDOWN,
            (false, _) => 0,
        })
    }

    fn may_ask(&mut self, world: &mut World<'_>, _: Option<&[u8]>) -> Then {
        let waking = &mut self.waking;
        let since = world.now.wrapping_sub(waking.since);
        let starting = waking.starts && since < BOOT_LIMIT;
        if waking.tries == 0 && !starting {
            return Then::To(WAKE);
        }
        if O::PINS && starting && since < STATUS_LIMIT && world.is_off_by_its_pin() {
            // It is not asked in vain: the pin's edge ends this wait.
            return world.again(STATUS_LIMIT - since);
        }
        waking.tries = waking.tries.saturating_sub(1);
        waking.asked = waking.asked.wrapping_add(1);
        Then::Next
    }

    /// Writes what goes with the query for an answer: each third time a request for results in words. A saved profile may
    /// have numbers for results, or none (sheet 1.8).
    pub(crate) fn write_words(&self, out: &mut Out<'_>) {
        if O::MODES && self.waking.asked.is_multiple_of(3) {
            out.bytes(b"Q0V1");
        }
    }

    fn closed_down(&mut self, _: &mut World<'_>, answer: Option<&[u8]>) -> Then {
        if answer.is_none() {
            return Then::Next;
        }
        self.waking.tries = 3;
        Then::To(ATTENTION)
    }

    /// Waits for the start of a modem that has confirmed its restart in a frame.
    fn restarted(&mut self, world: &mut World<'_>, answer: Option<&[u8]>) -> Then {
        if answer.is_none() {
            return Then::To(WAKE);
        }
        self.waking.starts = true;
        self.waking.since = world.now;
        Then::To(ATTENTION)
    }

    fn starting(&mut self, world: &mut World<'_>, _: Option<&[u8]>) -> Then {
        // `APP RDY` may stand right behind `RDY`, and have been seen already.
        world.restarted = false;
        world.pause = APP_READY_LIMIT;
        Then::Park
    }

    /// Goes on at an `OK`. A refusal may belong to half a command of an earlier life, so the modem is asked
    /// again.
    fn answered(&mut self, world: &mut World<'_>, answer: Option<&[u8]>) -> Then {
        if answer.is_some() {
            world.restarted = false;
            return Then::Synchronise;
        }
        if world.ended == Some(AtError::ModemReset) {
            return Then::To(STARTING);
        }
        if self.waking.means == SPEED && world.ended.is_some() {
            // At its own speed a modem refuses the noise of the others, and is asked again.
            self.waking.tries = 0;
        }
        Then::To(ATTENTION)
    }

    fn awake(&mut self, world: &mut World<'_>, _: Option<&[u8]>) -> Then {
        match world.ended {
            None => {}
            Some(AtError::ModemReset) => return Then::To(STARTING),
            Some(_) => return world.fail(BringUpError::NoAnswer),
        }
        if O::ESCALATION && core::mem::take(&mut self.reboot) {
            return Then::To(REBOOT);
        }
        self.begin_settings(world);
        Then::To(SETTINGS)
    }
}
