//! The interface between an engine of any protocol and the world: jobs and their ends, guests, pushed data.
//!
//! An engine takes the next [`Job`], prepares the world for it ([`World::begin_job`]), conducts the exchanges of
//! the job, and reports how it ended ([`World::job_ended`]). In between it hands over the data that the modem brings.

use super::mailbox::ExchangeState;
use super::scheduler::{self, Job};
use super::slot::Phase;
use super::time::Ms;
use super::world::{Link, PowerState, World};
use crate::engine::backend::{Final, Limits};
use crate::error::{AtError, ConnectError, SocketError};
use crate::loss::Loss;

/// The action of the engine after a job.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum After {
    /// Goes on with the next job.
    Nothing,
    /// Brings the modem up anew.
    Restart,
    /// Leaves the modem off.
    Off,
    /// Asks the modem whether the connection in this slot still stands.
    Look(u8),
}

/// The state of the guest, as the engine sees it. A guest is an exchange outside of jobs: a user's command, or one of a
/// backend's credentials.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Guest {
    /// No guest wants anything.
    None,
    /// A guest wants the channel.
    Wants,
    /// The guest has the channel, and has not begun its exchange.
    Granted,
    /// The guest's exchange is under way.
    Runs,
    /// The guest was dropped in the middle of its exchange. The engine brings the exchange to an end.
    Left,
    /// The exchange has ended, and the guest has not fetched its result yet.
    Done,
}

impl World<'_> {
    /// Returns the next job, or the time to ask again, in milliseconds. While `opening`, a connection is being opened,
    /// and no other is begun.
    pub fn next_job(&mut self, limits: &Limits, opening: bool) -> (Ms, Option<Job>) {
        scheduler::next_job(self, limits, opening)
    }

    /// Prepares the world for a job. Returns `false` where the job cannot be done: it has then failed.
    pub fn begin_job(&mut self, job: Job, limits: &Limits) -> bool {
        job.begin(self, limits)
    }

    /// Ends a job that is `done`, or has failed with [`failure`](Self::failure), and updates its socket or user.
    /// `closed_before` says of a fetch whether the peer had closed before the fetch began.
    pub fn job_ended(&mut self, job: Job, done: bool, closed_before: bool) -> After {
        match job {
            Job::BringUp => self.brought_up(done),
            Job::Open(_) => self.opened(done),
            Job::Close(_) | Job::CloseStray(_) => {
                if self.closed(job, done) {
                    self.loss = Some(Loss::NotClosed);
                    return After::Restart;
                }
            }
            Job::Send(..) if done => self.sent(),
            Job::Receive(slot, _) if done => {
                if self.fetched(closed_before) {
                    return After::Look(slot);
                }
            }
            Job::Look(_) if done => self.looked(),
            // The modem may or may not have the frame: nothing is resent on this socket.
            Job::Send(..) | Job::Receive(..) | Job::Look(_) => {
                let loss = match self.failure {
                    ConnectError::At(AtError::Garbled) => Loss::Grammar,
                    ConnectError::At(AtError::Timeout) => Loss::NoAnswer,
                    _ => Loss::Connection,
                };
                self.lose(self.slot, loss);
            }
            Job::PowerOff => {
                self.errand_ended(done);
                if done {
                    self.loss = Some(Loss::PowerOff);
                    // A user may have switched it on again meanwhile.
                    return if self.power == PowerState::Off {
                        After::Off
                    } else {
                        After::Restart
                    };
                }
            }
            Job::Sleep => self.errand_ended(done),
            Job::Awake => {
                #[cfg(feature = "sleep")]
                self.awake();
                if !done {
                    self.loss = Some(self.silence_loss());
                    return After::Restart;
                }
            }
            // A clean-up that has failed is repeated at the next store, and at bring-up.
            Job::CleanUp => self.cleaned_up(done),
            // The exchange of a liveness check has itself noticed a modem that does not answer.
            Job::Liveness | Job::NetworkLost => {}
        }
        After::Nothing
    }

    /// Ends the job under way without a result, because the modem restarts. Call it before
    /// [`goes_down`](Self::goes_down).
    pub fn job_dropped(&mut self, job: Job) {
        job.dropped(self);
    }

    /// Takes the modem down: resets every connection for this reason, and has the modem brought up anew, or leaves it `off`. Without
    /// a reason, the one counts that [`job_ended`](Self::job_ended) has recorded.
    pub fn goes_down(&mut self, off: bool, reason: Option<Loss>) {
        self.loss = reason.or(self.loss);
        self.next_generation();
        self.counters.restarts = self.counters.restarts.wrapping_add(1);
        self.link_is_down(if off {
            PowerState::Off
        } else {
            PowerState::Awake
        });
    }

    /// Records that the modem has room for payload again: a send that it had none for is repeated at once, and not after a pause.
    pub fn has_room(&mut self) {
        let now = self.now;
        for slot in self.slots.iter_mut().filter(|slot| slot.busy) {
            slot.retry_at = now;
        }
    }

    /// Records that the modem has said something: no sign of life is needed for [`Timing::poll`](crate::modem::Timing).
    pub fn is_heard(&mut self) {
        self.heard_at = self.now;
    }

    /// Counts a command that was sent, in [`Counters::exchanges`](crate::Counters::exchanges).
    pub fn count_command(&mut self) {
        self.counters.exchanges = self.counters.exchanges.wrapping_add(1);
    }

    /// Counts bytes that were sent, in [`Counters::sent`](crate::Counters::sent).
    pub fn count_sent(&mut self, count: usize) {
        self.counters.sent = self.counters.sent.wrapping_add(count as u32);
    }

    /// Returns whether guests may get the channel: the modem is awake and answers commands.
    pub fn serves_guests(&self) -> bool {
        self.power == PowerState::Awake && (self.link == Link::Up || self.answers)
    }

    /// Returns whether a guest holds the channel for a series of exchanges, so that jobs for users wait.
    pub fn is_exclusive(&self) -> bool {
        self.exclusive
    }

    /// Returns whether the modem is up, so that sockets can be opened.
    pub fn is_up(&self) -> bool {
        self.link == Link::Up
    }

    /// Returns whether the modem was switched off by a user, and is to stay off.
    pub fn is_off(&self) -> bool {
        self.power == PowerState::Off
    }

    /// Returns the state of the guest whose turn it is.
    pub fn guest(&self) -> Guest {
        match self.mailbox.post {
            ExchangeState::Free => Guest::None,
            ExchangeState::Wanted => Guest::Wants,
            ExchangeState::Granted => Guest::Granted,
            ExchangeState::Running | ExchangeState::Line => Guest::Runs,
            ExchangeState::Left => Guest::Left,
            ExchangeState::Done(_) => Guest::Done,
        }
    }

    /// Grants the channel to the guest that wants it.
    pub fn grant(&mut self) {
        self.mailbox.set(ExchangeState::Granted);
    }

    /// Begins the guest's exchange, and wakes the runner.
    pub fn guest_begins(&mut self) {
        self.mailbox.post = ExchangeState::Running;
        self.wake_runner();
    }

    /// Ends the guest's exchange. Returns `true` where the guest was dropped, so that nobody fetches the result.
    pub fn guest_ended(&mut self, end: Result<(), AtError>) -> bool {
        let end = match end {
            Ok(()) => Ok(Final::Ok),
            Err(AtError::Refused(code)) => Ok(Final::Error(code)),
            Err(error) => Err(error),
        };
        match self.mailbox.post {
            ExchangeState::Left => {
                self.free_channel();
                true
            }
            ExchangeState::Running | ExchangeState::Line => {
                self.mailbox.set(ExchangeState::Done(end));
                false
            }
            _ => false,
        }
    }

    /// Takes the channel from a guest that was not polled for too long while it had a grant or a result. The next guest
    /// gets its turn.
    pub fn guest_is_late(&mut self) {
        match self.mailbox.post {
            ExchangeState::Granted => self.mailbox.post = ExchangeState::Free,
            ExchangeState::Done(_) => self.free_channel(),
            _ => {}
        }
    }

    /// Selects the connection in this slot for the flow that goes on.
    pub fn be_at(&mut self, place: u8) {
        self.slot = place;
        self.id = self.slot().id;
    }

    /// Returns the number of slots for connections.
    pub fn places(&self) -> u8 {
        self.slots.len() as u8
    }

    /// Returns the modem's id of the connection in this slot, whether or not it still stands; `None` where the modem has
    /// none.
    pub fn id_in(&self, place: u8) -> Option<u8> {
        let slot = self.slots.get(usize::from(place))?;
        slot.in_modem.then_some(slot.id)
    }

    /// Returns the slot of the connection with this id.
    pub fn place_of(&self, id: u8) -> Option<u8> {
        self.with_id(id).map(|place| place as u8)
    }

    /// Returns the room in the receive ring of this slot in bytes, less what is staged; `None` where no connection
    /// stands.
    pub fn room_in(&self, place: u8) -> Option<usize> {
        let slot = self.slots.get(usize::from(place))?;
        (slot.phase == Phase::Open).then(|| slot.rx.room())
    }

    /// Returns the capacity of the receive ring of this slot in bytes; 0 where there is no such slot.
    pub fn capacity_in(&self, place: u8) -> usize {
        self.slots
            .get(usize::from(place))
            .map_or(0, |slot| slot.rx.capacity())
    }

    /// Stages bytes from the peer of the connection in this slot. The user cannot read them before they are
    /// [committed](Self::commit). Returns the number of bytes staged: fewer where the ring has no room, 0 where no
    /// connection stands.
    pub fn stage(&mut self, place: u8, bytes: &[u8]) -> usize {
        match self.slots.get_mut(usize::from(place)) {
            Some(slot) if slot.phase == Phase::Open => slot.rx.stage(bytes),
            _ => 0,
        }
    }

    /// Delivers the staged bytes of this slot to the user.
    pub fn commit(&mut self, place: u8) {
        let now = self.now;
        if let Some(slot) = self.slots.get_mut(usize::from(place)) {
            slot.rx.commit();
            slot.heard = true;
            slot.traffic(now);
            slot.rx_waker.wake();
        }
    }

    /// Drops the staged bytes of this slot.
    pub fn discard(&mut self, place: u8) {
        if let Some(slot) = self.slots.get_mut(usize::from(place)) {
            slot.rx.discard();
        }
    }

    /// Ends the receiving direction of the connection in this slot: the peer has closed, and all its data is committed.
    pub fn peer_closed(&mut self, place: u8) {
        if let Some(slot) = self.slots.get_mut(usize::from(place)) {
            slot.end();
        }
    }

    /// Ends the connection in this slot with an error.
    pub fn reset(&mut self, place: u8, error: SocketError) {
        let Some(slot) = self.slots.get_mut(usize::from(place)) else {
            return;
        };
        match error {
            SocketError::ConnectionReset => self.lose(place, Loss::Connection),
            error => slot.fail(error),
        }
    }

    /// Returns whether a user still waits for the connection that is being opened.
    pub fn open_is_wanted(&self) -> bool {
        self.slots
            .get(usize::from(self.slot))
            .is_some_and(|slot| slot.phase == Phase::Opening && slot.user)
    }
}
