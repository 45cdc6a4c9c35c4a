//! Notices of data on Serial LTE Modem (`#XAPOLL`, sheet 4.4). They replace the polls of connections
//! that are quiet.

use core::mem::take;

use sectag::modem::{Then, World, ask};

use crate::commands::QUICK;
use crate::{Family, Nrf9160, Script, script};

/// The number of polls in vain, without traffic between them, after which notices replace the polls. A
/// poll finds an answer that comes at once sooner, since notices have to be ended before a fetch.
const VAIN_POLLS: u8 = 2;

/// Whether `#XAPOLL` is active.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Activity {
    Off,
    On,
    /// A command that changes it was sent, and its answer has not come, or was lost.
    Unsure,
}

/// The state of the notices.
pub(crate) struct Watch {
    activity: Activity,
    /// The firmware has refused `#XAPOLL` since the last bring-up.
    refused: bool,
    /// The number of polls in vain since the last traffic, of all connections.
    vain: u8,
    /// The notices were ended for one poll, which checks a connection that has been quiet for long.
    checks: bool,
    /// The command that ends the notices is being sent for the second time.
    repeats: bool,
}

impl Watch {
    pub(crate) const NEW: Self = Self {
        activity: Activity::Off,
        refused: false,
        vain: 0,
        checks: false,
        repeats: false,
    };

    /// Notes that `#XAPOLL` is being sent.
    pub(crate) fn changes(&mut self) {
        self.activity = Activity::Unsure;
    }

    /// Returns whether every event is announced.
    pub(crate) fn is_on(&self) -> bool {
        self.activity == Activity::On
    }

    /// Notes traffic, after which more may follow soon.
    pub(crate) fn traffic(&mut self) {
        self.vain = 0;
    }
}

impl<F: Family> Nrf9160<F> {
    /// Begins the notices for all sockets. An event from before is reported, too.
    pub(crate) const WATCH: Script<F> = &[ask("AT#XAPOLL=1,1").limit(QUICK).then(watched)];

    /// Ends the notices, so that `#XPOLL` can be used, and goes to the script that was to follow.
    pub(crate) const UNWATCH: Script<F> = &[ask("AT#XAPOLL=0").limit(QUICK).then(unwatched)];

    /// Returns whether `#XAPOLL` is active, or may be, which excludes `#XPOLL`.
    pub(crate) fn watches(&self) -> bool {
        self.watch.activity != Activity::Off
    }

    /// Ends the notices; `then` is the script that follows. They are ended before each fetch, since a
    /// notice could be printed inside the payload, and before a socket is created, since one that is not
    /// connected may count as hung up, and what hung up is announced no more (sheet 4.4).
    pub(crate) fn unwatch(&mut self, then: u8) -> Then {
        self.watch.changes();
        self.watch.checks = false;
        self.watch.repeats = false;
        self.transfer.then = then;
        Then::To(script::UNWATCH)
    }

    /// Ends the notices for one poll. They begin again if it finds nothing, see
    /// [`checked`](Self::checked).
    pub(crate) fn unwatch_to_check(&mut self, then: u8) -> Then {
        let unwatch = self.unwatch(then);
        self.watch.checks = true;
        unwatch
    }

    /// Ends a look by a poll. If the notices were ended for it and there is no event (`quiet`), they
    /// begin again; after an event, the connections are polled.
    pub(crate) fn checked(&mut self, world: &mut World<'_>, quiet: bool) -> Then {
        match (take(&mut self.watch.checks), quiet) {
            (true, true) => self.begin_watch(),
            (true, false) => {
                world.poll_sockets();
                Then::End
            }
            (false, _) => Then::End,
        }
    }

    /// Notes that `#XPOLL` was refused: noise may have made the command that ends the notices one that
    /// begins them, so they are ended again before the next poll.
    pub(crate) fn poll_refused(&mut self) {
        if self.firmware().release().notices {
            self.watch.changes();
        }
    }

    /// Ends a fetch whose poll found nothing. After a few of them the notices begin, if the firmware has
    /// any.
    pub(crate) fn polled_in_vain(&mut self) -> Then {
        self.watch.vain = self.watch.vain.saturating_add(1);
        let notices = self.firmware().release().notices && !self.watch.refused;
        if notices && self.watch.vain >= VAIN_POLLS {
            self.begin_watch()
        } else {
            Then::End
        }
    }

    /// Notes whether the firmware has accepted `#XAPOLL`. One that has no notices refuses it, and is
    /// polled on.
    pub(crate) fn watch_begun(&mut self, world: &mut World<'_>, accepted: bool) {
        self.watch.refused = !accepted;
        if accepted {
            self.watch.activity = Activity::On;
            world.await_notices();
        } else {
            self.watch.activity = Activity::Off;
            world.poll_sockets();
        }
    }

    fn begin_watch(&mut self) -> Then {
        self.watch.changes();
        Then::To(script::WATCH)
    }
}

fn watched<F: Family>(
    modem: &mut Nrf9160<F>,
    world: &mut World<'_>,
    answer: Option<&[u8]>,
) -> Then {
    modem.watch_begun(world, answer.is_some());
    Then::End
}

/// Goes on. A refusal is noise: the command is sent once more, since under notices that go on every later
/// `#XPOLL` would be refused, of every connection.
fn unwatched<F: Family>(
    modem: &mut Nrf9160<F>,
    world: &mut World<'_>,
    answer: Option<&[u8]>,
) -> Then {
    if answer.is_none() && !modem.watch.repeats {
        modem.watch.repeats = true;
        return Then::Same;
    }
    modem.watch.activity = Activity::Off;
    modem.reports.clear();
    if !modem.watch.checks {
        world.poll_sockets();
    }
    Then::To(modem.transfer.then)
}
