//! The begin and the end of jobs: their effect on engine, backend and world.

use super::super::conduct::After;
use super::super::scheduler::Job;
use super::super::slot::Phase;
use super::super::world::{PowerState, World};
use super::Engine;
use crate::engine::backend::{LOOK, Modem};
use crate::error::AtError;
use crate::loss::Loss;

impl<M: Modem> Engine<M> {
    /// Ends a job that is `done`, or has failed with [`World::failure`].
    pub(super) fn job_ended(&mut self, w: &mut World<'_>, job: Job, done: bool) {
        match job {
            Job::Open(_) => self.modem.opened(w, done),
            #[cfg(feature = "sleep")]
            Job::Sleep if done => w.dozes(self.modem.wakes_by_key()),
            Job::Awake => self.modem.woken(),
            _ => {}
        }
        match w.job_ended(job, done, self.closed_before) {
            After::Nothing => {
                if let (Job::Close(slot), true) = (job, done) {
                    self.end_closed_open(w, slot);
                }
            }
            After::Restart => self.down(w, PowerState::Awake),
            After::Off => self.down(w, PowerState::Off),
            After::Look(slot) => self.start(w, Job::Look(slot), M::script(LOOK)),
        }
    }

    /// Ends the socket for which a step moved data when the exchange of the step is given up, unless the step's judge
    /// handles this error.
    pub(super) fn socket_failed(&mut self, w: &mut World<'_>, error: AtError) {
        let Some(flow) = self.flow.as_ref().filter(|_| self.step_waits) else {
            return;
        };
        let (Job::Send(..) | Job::Receive(..) | Job::Look(_)) = flow.job else {
            return;
        };
        if !flow.steps.first().is_some_and(|step| step.looks_at(error)) {
            let loss = if error == AtError::Garbled {
                Loss::Grammar
            } else {
                Loss::NoAnswer
            };
            w.lose(w.slot, loss);
        }
    }

    /// Does a job for which backends have no script.
    pub(super) fn without_script(&mut self, w: &mut World<'_>, job: Job) {
        match job {
            Job::NetworkLost => {
                w.loss = Some(if w.settings_changed {
                    Loss::Command
                } else {
                    Loss::Network
                });
                if w.settings_changed {
                    info!("brought up anew after a user's command");
                } else {
                    warn!("the data connection is gone");
                }
                self.down(w, PowerState::Awake);
            }
            _ => self.start_awake(w),
        }
    }

    /// Notes before a fetch whether the peer has closed, and that it was not asked again yet. Before an open, forgets that
    /// an earlier connection of the slot has sent.
    pub(super) fn before(&mut self, w: &mut World<'_>, job: Job) {
        match job {
            Job::Receive(..) => {
                self.repeated = 0;
                self.closed_before = w.slot().peer_closed;
            }
            Job::Open(_) if self.last_sent == Some(w.slot) => self.last_sent = None,
            _ => {}
        }
    }

    /// Ends a socket with pushed data without a look where the peer has closed: all data was pushed before the URC of the
    /// close. Returns whether it did.
    pub(super) fn ends_without_look(&self, w: &mut World<'_>, job: Job) -> bool {
        let Job::Look(_) = job else { return false };
        let slot = w.slot();
        let ends = slot.push && slot.peer_closed && slot.phase == Phase::Open;
        if ends {
            slot.end();
        }
        ends
    }
}
