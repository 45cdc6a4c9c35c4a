//! Waking: gets the first answer out of the module, by commands, power key and reset (sheet B.1.1).

use sectag::modem::{Then, World, ask, decide};
use sectag::{AtError, BringUpError};

use super::models::UNKNOWN;
use super::{Script, UbloxCellular, script};

// Time limits, in milliseconds.

/// The pause between switching the module off and on; it may have to leave the network first.
const SHUTDOWN: u32 = 5000;
/// The longest start of any model, used until the model is known.
const LONGEST_BOOT: u32 = 15_000;

/// The longest payload for which an interrupted write may still wait, in bytes (sheet B.2.1, B.2.3).
const WRITE: u16 = 1024;
/// The further bytes for which an interrupted import may still wait.
const IMPORT: u16 = 8192 - WRITE;

// The means to get an answer, in the order in which they are tried.
const WAIT: u8 = 0;
const ASK: u8 = 1;
const FILL: u8 = 2;
const FILL_MORE: u8 = 3;
const KEY: u8 = 4;
const KEY_AGAIN: u8 = 5;
const KEY_OFF_AND_ON: u8 = 6;
const RESET: u8 = 7;

/// Scratch of waking the module.
pub(crate) struct Waking {
    /// The means that is tried now.
    means: u8,
    /// The means that is tried next.
    next: u8,
    /// The module was found to be restarting.
    restarting: bool,
    /// The status pin says that the module is off.
    off: bool,
    /// There is no status pin, so that a press of the key may have switched the module on or off.
    unsure: bool,
    /// Changes of a pin that are still to come. The pin is active while the number is odd.
    changes: u8,
    /// The module may be starting: it is asked from `since` on, as long as a start takes.
    starts: bool,
    /// The time at which the asking began.
    since: u32,
    /// How many more times the module is asked, if it is not starting.
    tries: u8,
}

impl Waking {
    pub(crate) const NEW: Self = Self {
        means: WAIT,
        next: WAIT,
        restarting: false,
        off: false,
        unsure: false,
        changes: 0,
        starts: false,
        since: 0,
        tries: 0,
    };
}

impl UbloxCellular {
    /// Begins a bring-up by getting out of data mode.
    pub(crate) const BRING_UP: Script = &[
        decide(Self::begins).even_unanswered(),
        decide(Self::in_line_mode),
    ];

    /// Applies the means one after another.
    pub(crate) const WAKE: Script = &[
        decide(Self::next_means).even_unanswered(),
        decide(Self::moves_pin),
    ];

    /// Asks for an answer, a number of times or as long as a start may take. The first bytes that reach
    /// a sleeping module are lost (sheet B.1.2).
    pub(crate) const ATTENTION: Script = &[
        decide(Self::may_ask),
        ask("AT").limit(5).even_unanswered().then(Self::answered),
    ];

    /// Sets the error level. There is no boot banner: numbers of errors, which are off after a start,
    /// let the synchronising query detect a restart, see `dialect::line`.
    pub(crate) const NUMBERS: Script = &[
        ask("AT+CMEE=1")
            .limit(20)
            .even_unanswered()
            .then(Self::numbered),
        decide(Self::awake),
    ];

    fn begins(&mut self, world: &mut World<'_>, _: Option<&[u8]>) -> Then {
        let restarting = core::mem::take(&mut world.restarted);
        let off = world.pins.status == Some(false);
        self.waking = Waking {
            restarting,
            off,
            ..Waking::NEW
        };
        if restarting || off {
            world.ended = None;
            return Then::Next;
        }
        // Another host, or an earlier life of the MCU, may have left it in data mode, where `AT` would
        // go to a peer.
        Then::Escape
    }

    /// Goes on after the escape. If the escape ended with an error, the module may have just started.
    fn in_line_mode(&mut self, world: &mut World<'_>, _: Option<&[u8]>) -> Then {
        self.waking.restarting |= world.ended.is_some();
        Then::To(script::WAKE)
    }

    fn next_means(&mut self, world: &mut World<'_>, _: Option<&[u8]>) -> Then {
        let pins = world.pins;
        let known = self.model.is_some();
        let model = self.model.unwrap_or(&UNKNOWN);
        // On such models one press switches on a module that is off, and off one that is on.
        let toggles = model.press_on >= model.press_off;
        let waking = &mut self.waking;
        let off = waking.off;
        loop {
            let means = waking.next;
            if means > RESET {
                return world.fail(BringUpError::NoAnswer);
            }
            waking.means = means;
            waking.next += 1;
            // Presses of the key or of reset, and how often to ask; 0 asks as long as a start may take.
            let (presses, tries) = match means {
                WAIT if waking.restarting => (0, 0),
                ASK if !off => (0, 6),
                FILL | FILL_MORE if !off => (0, 4),
                KEY if pins.has_power_key => {
                    waking.unsure = pins.status.is_none();
                    // A module that is on is switched off first.
                    (if pins.status == Some(true) { 2 } else { 1 }, 0)
                }
                // Without a status pin, the first press may have switched it off.
                KEY_AGAIN if waking.unsure && (toggles || !known) => (1, 0),
                // The first press may also have had no effect: a press that switches on is too short
                // for a module that hangs.
                KEY_OFF_AND_ON if waking.unsure && !toggles => (2, 0),
                // Reset is used only when the key has not helped.
                RESET if pins.has_reset => (u8::from(!off), 0),
                RESET if !pins.has_power_key => (0, 0),
                _ => continue,
            };
            waking.changes = 2 * presses;
            waking.tries = tries;
            waking.starts = tries == 0;
            // A module whose MCU was reset behind `@` or `>` waits for the rest, and cannot be
            // interrupted.
            match means {
                FILL => world.fill = (b'\r', WRITE),
                FILL_MORE => world.fill = (b'\r', IMPORT),
                _ => return Then::Next,
            }
            return Then::Fill;
        }
    }

    fn moves_pin(&mut self, world: &mut World<'_>, _: Option<&[u8]>) -> Then {
        let model = self.model.unwrap_or(&UNKNOWN);
        let waking = &mut self.waking;
        if waking.changes == 0 {
            waking.since = world.now;
            return Then::To(script::ATTENTION);
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
            (true, true) => model.reset.into(),
            // The last of two presses switches the module on.
            (true, false) if waking.changes > 1 => model.press_off.into(),
            (true, false) => model.press_on.into(),
            // An awaited status pin ends this wait.
            (false, _) if waking.changes > 0 => SHUTDOWN,
            (false, _) => 0,
        })
    }

    fn may_ask(&mut self, world: &mut World<'_>, _: Option<&[u8]>) -> Then {
        let boot = self
            .model
            .map_or(LONGEST_BOOT, |model| u32::from(model.boot) * 1000);
        let waking = &mut self.waking;
        let since = world.now.wrapping_sub(waking.since);
        let starting = waking.starts && since < boot;
        if waking.tries == 0 && !starting {
            return Then::To(script::WAKE);
        }
        // After this time it is asked all the same, in case the pin is wired wrongly.
        let pin_limit = boot - boot / 3;
        if starting && since < pin_limit && world.is_off_by_its_pin() {
            // It is not asked in vain: the pin's edge ends this wait.
            return world.again(pin_limit - since);
        }
        waking.tries = waking.tries.saturating_sub(1);
        Then::Next
    }

    /// Goes on at an `OK`. A refusal may belong to half a command of an earlier life, so the module is
    /// asked again.
    fn answered(&mut self, world: &mut World<'_>, answer: Option<&[u8]>) -> Then {
        world.restarted = false;
        Then::To(match answer {
            Some(_) => script::NUMBERS,
            None => script::ATTENTION,
        })
    }

    fn numbered(&mut self, world: &mut World<'_>, answer: Option<&[u8]>) -> Then {
        world.restarted = false;
        match answer {
            Some(_) => Then::Synchronise,
            None => Then::To(script::ATTENTION),
        }
    }

    fn awake(&mut self, world: &mut World<'_>, _: Option<&[u8]>) -> Then {
        match world.ended {
            None => {}
            // The error level is off, so the `OK` was the answer to something else.
            Some(AtError::ModemReset) => {
                world.restarted = false;
                return Then::To(script::ATTENTION);
            }
            Some(_) => return world.fail(BringUpError::NoAnswer),
        }
        self.begin_settings();
        Then::To(script::SETTINGS)
    }
}
