//! Gets an answer out of the modem, by all means there are (sheet 1.1).

use sectag::modem::{BRING_UP, Modem, Then, World, ask, decide, either_way};
use sectag::{AtError, BringUpError};

use crate::{ATTENTION, Bg96, Options, REBOOT, SETTINGS, STARTING, Script, WAKE};

// In milliseconds.

/// The UART is active 4.9 s after the power key (sheet 1.1); ST waits 5.5 s, a cold one longer.
const BOOT_LIMIT: u32 = 12_000;
/// On after 500 ms, off after 650 ms: long enough for either.
const KEY_PRESS: u32 = 700;
/// RESET_N takes 150 to 460 ms.
const RESET_PULSE: u32 = 300;
/// Switching off by key takes at least 2 s, sometimes more than 4.
const SHUTDOWN: u32 = 5000;
/// A BG95 answers ERROR between RDY and APP RDY; a BG96 may not print APP RDY at all (sheet 1.2).
const APP_READY_LIMIT: u32 = 2000;

/// ESC.
const CANCEL: u8 = 0x1b;

// The means to get an answer, in this order.
const WAIT: u8 = 0;
const ASK: u8 = 1;
const FILL: u8 = 2;
const KEY: u8 = 3;
const KEY_AGAIN: u8 = 4;
const RESET: u8 = 5;

/// Scratch of getting an answer.
pub(crate) struct Waking {
    /// What is tried now, and what is tried next.
    means: u8,
    next: u8,
    /// It said so itself.
    restarting: bool,
    /// The status pin says so.
    off: bool,
    /// Nobody knows whether a press of the key switched it on or off.
    unsure: bool,
    /// Changes of a pin that are still to come; it is pressed while they are odd.
    changes: u8,
    /// It is asked as long as it may take to start, since then,
    starts: bool,
    since: u32,
    /// or so many times.
    tries: u8,
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
            tries: 0,
        }
    }
}

impl<O: Options> Bg96<O> {
    /// Begins a bring-up.
    pub(crate) const BRING_UP: Script<O> = &[
        decide(Self::begins).even_unanswered(),
        decide(Self::in_line_mode),
    ];

    /// Does what may help, one thing after another.
    pub(crate) const WAKE: Script<O> = &[
        decide(Self::next_means).even_unanswered(),
        decide(Self::completes_payload).even_unanswered(),
        decide(Self::moves_pin),
    ];

    /// Asks so many times, or as long as it may take to start.
    pub(crate) const ATTENTION: Script<O> = &[
        decide(Self::may_ask),
        ask("AT").limit(5).even_unanswered().then(Self::answered),
        decide(Self::awake),
    ];

    /// Waits for a modem that is just starting.
    pub(crate) const STARTING: Script<O> = &[
        decide(Self::starting),
        decide(|_, _, _| Then::To(ATTENTION)),
    ];

    /// Restarts the modem (sheet 1.1): it says OK, or restarts before it comes to that.
    pub(crate) const REBOOT: Script<O> = &[
        ask("AT+CFUN=1,1")
            .limit(150)
            .even_unanswered()
            .then(either_way),
        decide(|_, _, _| Then::To(BRING_UP)),
    ];

    fn begins(&mut self, world: &mut World<'_>, _: Option<&[u8]>) -> Then {
        // One that has just said so is starting: a key press now would switch it off.
        let restarting = core::mem::take(&mut world.restarted);
        let off = O::PINS && world.pins.status == Some(false);
        self.waking = Waking {
            restarting,
            off,
            ..Waking::new()
        };
        if restarting || off {
            world.ended = None;
            return Then::Next;
        }
        // Another host, or our last life, may have left it in data mode, where `AT` would go to a
        // peer or into a file (sheet 3 and 4.7).
        Then::Escape
    }

    /// Or it has just started.
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
                return world.fail(BringUpError::NoAnswer);
            }
            waking.means = means;
            waking.next += 1;
            // Presses of the key or of reset, and how often to ask; 0 is while it starts.
            let (presses, tries) = match means {
                WAIT if waking.restarting => (0, 0),
                ASK if !off => (0, 6),
                FILL if !off => (0, 4),
                KEY if O::PINS && pins.has_power_key => {
                    waking.unsure = pins.status.is_none();
                    // Off first.
                    (if pins.status == Some(true) { 2 } else { 1 }, 0)
                }
                // Without a status pin nobody knows whether the first press switched it on or off.
                KEY_AGAIN if waking.unsure => (1, 0),
                // Only when the key has not helped (sheet 1.1).
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

    /// A modem whose MCU was reset between prompt and payload waits for ever for up to 1460 bytes, or for
    /// the character that ends or cancels a payload of no announced length (sheet 4.3); to one in line
    /// mode they are nothing.
    fn completes_payload(&mut self, world: &mut World<'_>, _: Option<&[u8]>) -> Then {
        if self.waking.means != FILL {
            return Then::Next;
        }
        world.fill = (b'\r', Self::LIMITS.max_send);
        Then::Fill
    }

    fn moves_pin(&mut self, world: &mut World<'_>, _: Option<&[u8]>) -> Then {
        let waking = &mut self.waking;
        if !O::PINS || waking.changes == 0 {
            waking.since = world.now;
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
        // It was to be expected.
        world.restarted = false;
        world.again(match (pressed, resets) {
            (true, true) => RESET_PULSE,
            (true, false) => KEY_PRESS,
            (false, _) if waking.changes > 0 => SHUTDOWN,
            (false, _) => 0,
        })
    }

    fn may_ask(&mut self, world: &mut World<'_>, _: Option<&[u8]>) -> Then {
        let waking = &mut self.waking;
        let starting = waking.starts && world.now.wrapping_sub(waking.since) < BOOT_LIMIT;
        if waking.tries == 0 && !starting {
            return Then::To(WAKE);
        }
        waking.tries = waking.tries.saturating_sub(1);
        Then::Next
    }

    fn starting(&mut self, world: &mut World<'_>, _: Option<&[u8]>) -> Then {
        world.restarted = false;
        world.booted = false;
        world.pause = APP_READY_LIMIT;
        Then::Park
    }

    /// The first answer may be an ERROR to half a command of an earlier life.
    fn answered(&mut self, world: &mut World<'_>, answer: Option<&[u8]>) -> Then {
        if answer.is_some() {
            world.restarted = false;
            return Then::Synchronise;
        }
        if world.ended == Some(AtError::ModemReset) {
            return Then::To(STARTING);
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
