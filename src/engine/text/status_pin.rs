//! What follows from the level of an awaited status pin.

use super::super::scheduler::Job;
use super::super::time::{Ms, after};
use super::super::world::{Link, PowerState, World};
use super::{Engine, Stage};
use crate::engine::backend::Modem;
use crate::loss::Loss;

/// The time for a modem to start by itself after its status pin has shown that it is off, as after a reset: a BG96 shows
/// that it is on after 4.8 s (bg96 sheet, 1.1).
const OWN_START: Ms = 8000;
/// The rest between the fall of the status pin and the key that switches on again.
const OFF_REST: Ms = 500;

impl<M: Modem> Engine<M> {
    /// Follows an awaited status pin: a modem that went off by itself has lost its connections, and one that a user has
    /// switched off is off.
    pub(super) fn status_pin_changed(&mut self, w: &mut World<'_>) {
        let on = w.pins.status == Some(true);
        let idle = self.flow.is_none() && self.stage == Stage::Idle;
        w.changed = true;
        match w.power {
            PowerState::Saving => {}
            PowerState::Off => {
                // What `POWERED DOWN` says, where the firmware says it.
                w.restarted |= !on;
                w.waiting.wake();
            }
            _ if w.link == Link::Up => {
                let switched_off = self
                    .flow
                    .as_ref()
                    .is_some_and(|flow| flow.job == Job::PowerOff);
                if !on && !switched_off {
                    w.loss = Some(Loss::WentOff);
                    self.line_mode = true;
                    self.down(w, PowerState::Awake);
                    // A modem that has reset itself is starting, and a press of the key may switch it off.
                    w.retry_at = after(w.now, OWN_START);
                }
            }
            // What has just started needs no key; what a parked bring-up has set is void.
            _ if idle && (on || self.parked.is_some()) => {
                w.restarted = true;
                w.retry_at = w.now;
            }
            _ => {
                // What the bring-up waits for, unless a pin is just being pressed.
                let pressed = w.pins.power_key || w.pins.reset;
                if let Some(flow) = self.flow.as_mut().filter(|_| !pressed) {
                    flow.resume_at = after(w.now, if on { 0 } else { OFF_REST });
                }
            }
        }
    }
}
