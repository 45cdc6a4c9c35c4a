//! What an engine does to the world, whatever protocol it speaks: jobs and their ends, guests, pushed data.
//!
//! An engine takes the next [`Job`], makes the world ready for it ([`World::begin_job`]), conducts what the
//! job needs, and says how it ended ([`World::job_ended`]). In between it hands over what the modem brings.

use super::mailbox::ExchangeState;
use super::scheduler::{self, Job};
use super::slot::Phase;
use super::time::Ms;
use super::world::{Link, PowerState, World};
use crate::engine::backend::{Final, Limits};
use crate::error::{AtError, ConnectError, SocketError};
use crate::loss::Loss;

/// What the engine does when a job has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum After {
    /// It goes on.
    Nothing,
    /// It brings the modem up anew.
    Restart,
    /// It leaves the modem off.
    Off,
    /// It asks the modem whether the connection in this place still stands.
    Look(u8),
}

/// What a guest, an exchange of a user's or of a backend's credentials, wants of the engine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Guest {
    /// Nothing.
    None,
    /// The channel.
    Wants,
    /// It has the channel, and has not begun.
    Granted,
    /// Its exchange goes on.
    Runs,
    /// It went away in the middle of its exchange.
    Left,
    /// It has not yet fetched its result.
    Done,
}

impl World<'_> {
    /// The next thing to do, or the time to look again. No other connection is opened while one is being
    /// `opening`.
    pub fn next_job(&mut self, limits: &Limits, opening: bool) -> (Ms, Option<Job>) {
        scheduler::next_job(self, limits, opening)
    }

    /// Makes the world ready for a job; returns whether it can be done. Otherwise it has ended badly.
    pub fn begin_job(&mut self, job: Job, limits: &Limits) -> bool {
        job.begin(self, limits)
    }

    /// A job has ended, well or with [`failure`](Self::failure); what it was about is told. Of a fetch, the
    /// engine says whether the peer had closed before it began.
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
                    self.restarted = false;
                    self.loss = Some(Loss::PowerOff);
                    // Undone meanwhile, it is to come up again.
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
            // What cannot be removed now is tried again at the next store, and at bring-up.
            Job::CleanUp => self.cleaned_up(done),
            // Whether the modem answers is found out by the exchange itself.
            Job::Liveness | Job::NetworkLost => {}
        }
        After::Nothing
    }

    /// The job under way ends with the modem's life: to be told before [`goes_down`](Self::goes_down).
    pub fn job_dropped(&mut self, job: Job) {
        job.dropped(self);
    }

    /// Whatever was known of the modem is void: it is brought up anew, or stays `off`. Connections are reset.
    pub fn goes_down(&mut self, off: bool) {
        self.loss = Some(if off {
            Loss::PowerOff
        } else {
            Loss::BroughtUpAnew
        });
        self.next_generation();
        self.counters.restarts = self.counters.restarts.wrapping_add(1);
        self.link_is_down(if off {
            PowerState::Off
        } else {
            PowerState::Awake
        });
    }

    /// The modem has said something.
    pub fn is_heard(&mut self) {
        self.heard_at = self.now;
    }

    /// A command was sent.
    pub fn count_command(&mut self) {
        self.counters.exchanges = self.counters.exchanges.wrapping_add(1);
    }

    /// So many bytes are out.
    pub fn count_sent(&mut self, count: usize) {
        self.counters.sent = self.counters.sent.wrapping_add(count as u32);
    }

    /// Whether guests may have the channel.
    pub fn serves_guests(&self) -> bool {
        self.power == PowerState::Awake && (self.link == Link::Up || self.answers)
    }

    /// Whether a guest has the channel for exchanges that belong together, so that jobs for users wait.
    pub fn is_exclusive(&self) -> bool {
        self.exclusive
    }

    /// Whether sockets can be opened.
    pub fn is_up(&self) -> bool {
        self.link == Link::Up
    }

    /// Whether the modem was switched off, and is to stay so.
    pub fn is_off(&self) -> bool {
        self.power == PowerState::Off
    }

    /// See [`Guest`].
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

    /// The guest that wants the channel has it.
    pub fn grant(&mut self) {
        self.mailbox.set(ExchangeState::Granted);
    }

    /// The guest has put its exchange in line.
    pub fn guest_begins(&mut self) {
        self.mailbox.post = ExchangeState::Running;
        self.wake_runner();
    }

    /// Its exchange has ended so. Returns whether it had gone away, so that nobody learns of that.
    pub fn guest_ended(&mut self, end: Result<(), AtError>) -> bool {
        let end = match end {
            Ok(()) => Ok(Final::Ok),
            Err(AtError::Refused(code)) => Ok(Final::Error(code)),
            Err(error) => Err(error),
        };
        match self.mailbox.post {
            ExchangeState::Left => {
                self.mailbox.take_away();
                true
            }
            ExchangeState::Running | ExchangeState::Line => {
                self.mailbox.set(ExchangeState::Done(end));
                false
            }
            _ => false,
        }
    }

    /// The guest has let its grant, or its result, lie for too long: the channel is the next one's.
    pub fn guest_is_late(&mut self) {
        match self.mailbox.post {
            ExchangeState::Granted => self.mailbox.post = ExchangeState::Free,
            ExchangeState::Done(_) => self.mailbox.take_away(),
            _ => {}
        }
    }

    /// A flow about the connection in this place goes on.
    pub fn be_at(&mut self, place: u8) {
        self.slot = place;
        self.id = self.slot().id;
    }

    /// How many places for connections there are.
    pub fn places(&self) -> u8 {
        self.slots.len() as u8
    }

    /// The modem's id of the connection in this place, whether or not it still stands.
    pub fn id_in(&self, place: u8) -> Option<u8> {
        let slot = self.slots.get(usize::from(place))?;
        slot.in_modem.then_some(slot.id)
    }

    /// The place of the connection with this id.
    pub fn place_of(&self, id: u8) -> Option<u8> {
        self.with_id(id).map(|place| place as u8)
    }

    /// How many bytes the user's ring has room for, beside what is staged; `None` where no connection stands.
    pub fn room_in(&self, place: u8) -> Option<usize> {
        let slot = self.slots.get(usize::from(place))?;
        (slot.phase == Phase::Open).then(|| slot.rx.room())
    }

    /// How many bytes that ring takes in all.
    pub fn capacity_in(&self, place: u8) -> usize {
        self.slots
            .get(usize::from(place))
            .map_or(0, |slot| slot.rx.capacity())
    }

    /// Bytes from the peer of the connection in this place, not to be read before they are
    /// [committed](Self::commit). Returns how many there was room for.
    pub fn stage(&mut self, place: u8, bytes: &[u8]) -> usize {
        match self.slots.get_mut(usize::from(place)) {
            Some(slot) if slot.phase == Phase::Open => slot.rx.stage(bytes),
            _ => 0,
        }
    }

    /// What was staged is the peer's, all of it.
    pub fn commit(&mut self, place: u8) {
        let now = self.now;
        if let Some(slot) = self.slots.get_mut(usize::from(place)) {
            slot.rx.commit();
            slot.heard = true;
            slot.traffic(now);
            slot.rx_waker.wake();
        }
    }

    /// What was staged never was.
    pub fn discard(&mut self, place: u8) {
        if let Some(slot) = self.slots.get_mut(usize::from(place)) {
            slot.rx.discard();
        }
    }

    /// The peer has closed, and all that it sent before is committed.
    pub fn peer_closed(&mut self, place: u8) {
        if let Some(slot) = self.slots.get_mut(usize::from(place)) {
            slot.end();
        }
    }

    /// The connection in this place is dead.
    pub fn reset(&mut self, place: u8, error: SocketError) {
        if error == SocketError::ConnectionReset {
            self.loss = Some(Loss::Connection);
        }
        if let Some(slot) = self.slots.get_mut(usize::from(place)) {
            slot.fail(error);
        }
    }

    /// Whether the user of the connection that is being opened is still there.
    pub fn open_is_wanted(&self) -> bool {
        self.slots
            .get(usize::from(self.slot))
            .is_some_and(|slot| slot.phase == Phase::Opening && slot.user)
    }
}
