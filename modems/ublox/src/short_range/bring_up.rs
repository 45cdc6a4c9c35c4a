//! Bring-up from any state of the module to extended data mode on the network, without peers (sheet
//! A.1, A.2).

use core::mem::take;

use sectag::BringUpError;
use sectag::at::{Fields, answer};
use sectag::modem::{Then, World, ask, decide, either_way};

use super::station::Station;
use super::{RECEIVE_UNIT, Script, ShortRange, script};

/// The longest time from a reset to `+STARTUP`, in milliseconds (sheet A.1.2).
const BOOT_LIMIT: u32 = 5000;
/// How long RESET_N is low, in milliseconds (sheet A.1.2).
const PRESS: u32 = 100;
/// The longest credential, in bytes (sheet A.4.1). An MCU that was reset during an upload leaves a
/// module that takes all input for the rest of it.
const LONGEST_UPLOAD: u16 = 8192;
/// The pause between the `OK` to `ATO2` and the first frame, in milliseconds (sheet A.1.3).
const MODE_PAUSE: u32 = 50;

/// The means to get an answer out of the module, in the order in which they are tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Means {
    /// Commands in frames. They do no harm in the other modes, once data mode was left.
    Frames,
    /// Commands in plain text. The module refuses the rest of a frame together with the first command.
    Plain,
    /// Filler in frames, to complete an upload that an earlier life of the MCU has begun.
    FillFrames,
    /// Filler in plain text, to complete such an upload.
    FillPlain,
    /// The end of PPP.
    Ppp,
    /// The reset pin, if it is wired.
    Reset,
    /// No means is left.
    None,
}

impl Means {
    /// Returns the means that follows.
    const fn next(self) -> Self {
        match self {
            Self::Frames => Self::Plain,
            Self::Plain => Self::FillFrames,
            Self::FillFrames => Self::FillPlain,
            Self::FillPlain => Self::Ppp,
            Self::Ppp => Self::Reset,
            Self::Reset | Self::None => Self::None,
        }
    }

    /// Returns how often the module is asked with this means.
    const fn tries(self) -> u8 {
        match self {
            Self::Frames | Self::FillFrames => 2,
            Self::Reset => 5,
            _ => 3,
        }
    }
}

/// Scratch of a bring-up.
#[derive(Debug)]
pub(super) struct Waking {
    means: Means,
    tries: u8,
    /// The mode was known before and is tried first.
    known: bool,
    /// The module has just started, so it has no peers.
    fresh: bool,
    /// A query has shown that answers belong to the commands that were sent.
    confirmed: bool,
    /// A query has shown once that they do not.
    doubted: bool,
    since: u32,
    pub(super) stale: heapless::Vec<u32, 9>,
}

impl Waking {
    pub(super) const NEW: Self = Self {
        means: Means::Frames,
        tries: 0,
        known: false,
        fresh: false,
        confirmed: false,
        doubted: false,
        since: 0,
        stale: heapless::Vec::new(),
    };
}

impl ShortRange {
    /// Leaves data mode before anything is asked, since all input goes to the peers there (sheet
    /// A.1.3). In the other modes `+++` is noise.
    pub(super) const BRING_UP: Script = &[
        decide(begin).even_unanswered(),
        decide(|_, _, _| Then::To(script::MEANS)),
    ];

    pub(super) const MEANS: Script = &[
        decide(next_means).even_unanswered(),
        decide(|_, _, _| Then::To(script::ATTENTION)),
    ];

    /// Asks for an answer by switching echo off, which is on at every start (sheet A.1.1).
    pub(super) const ATTENTION: Script = &[ask("ATE0").limit(10).even_unanswered().then(attention)];

    /// Checks by a query whether the first `OK` was the answer to our command. It may belong to
    /// something that an earlier life of the MCU has begun; then echo is still on, or the module is in
    /// another mode.
    pub(super) const CONFIRM: Script = &[
        decide(|_, _, _| Then::Synchronise).even_unanswered(),
        decide(confirmed),
    ];

    pub(super) const LEAVE_PPP: Script = &[
        ask("{t}").limit(10).even_unanswered().then(either_way),
        decide(|_, _, _| Then::To(script::ATTENTION)),
    ];

    /// Enters extended data mode (sheet A.1.3). `OK` comes in the old mode, before or behind the start
    /// event, or not at all.
    pub(super) const FRAMES: Script = &[
        decide(|modem, _, _| {
            modem.started = false;
            if modem.framed { Then::Skip } else { Then::Next }
        }),
        ask("ATO2").limit(20).even_unanswered().then(entered),
        decide(|_, _, _| Then::To(script::FRAMED)),
    ];

    /// Sets up the module: as many links as sockets; no deep sleep, which loses UART input; connections
    /// end with the network; TLS 1.2 (sheet A.2.3, A.4.2). Not every software has all of these
    /// settings.
    pub(super) const FRAMED: Script = &[
        ask("AT+UDCFG=2,{n}").then(either_way),
        ask("AT+UWCFG=10,1").then(either_way),
        ask("AT+UWCFG=1,0").then(either_way),
        decide(|modem, _, _| {
            modem.tls12 = None;
            Then::To(script::OLD_TLS)
        }),
    ];

    /// Switches TLS below 1.2 off, on which verification rests. The command is repeated until two
    /// answers in a row agree, since one may belong to another command, and the value written last is
    /// the one that counts.
    pub(super) const OLD_TLS: Script = &[
        ask("AT+UWCFG=24,3").then(|modem, world, answer| {
            if world.ended.is_some() {
                return world.fail(super::dialect::error(world));
            }
            let taken = Some(answer.is_some());
            if core::mem::replace(&mut modem.tls12, taken) == taken {
                Then::Next
            } else {
                Then::Same
            }
        }),
        decide(|modem, _, _| {
            if modem.waking.fresh {
                return Then::To(script::STALE_PEER);
            }
            Then::Next
        }),
        // Peers of an earlier life of the MCU.
        ask("AT+UDLP?").each(Self::peer_listed).then(either_way),
        decide(|_, _, _| Then::To(script::STALE_PEER)),
    ];

    /// Closes the next stale peer. A refusal means that it does not exist any more.
    pub(super) const STALE_PEER: Script = &[
        decide(|modem, _, _| match modem.waking.stale.pop() {
            Some(handle) => {
                modem.peer_scratch.handle = handle;
                Then::Next
            }
            None => {
                modem.up = true;
                Then::End
            }
        }),
        ask("AT+UDCPC={h}").then(either_way),
        decide(|_, _, _| Then::To(script::STALE_PEER)),
    ];

    /// Notes a line of the list of peers; a peer that no slot knows has to be closed.
    pub(super) fn peer_listed(&mut self, _: &mut World<'_>, line: &[u8]) {
        let handle = answer(line, "+UDLP:").and_then(|line| Fields::new(line).int());
        if let Some(handle) = handle
            && self.peers.channel_of(handle).is_none()
            && !self.opening.owns(handle)
        {
            let _ = self.waking.stale.push(handle);
        }
    }

    /// Notes that the module has started. It starts in command mode unless it is configured otherwise.
    pub(super) fn restarted(&mut self) {
        self.mode = Some(false);
        self.framed = false;
        self.up = false;
        self.peers.clear();
    }
}

fn begin(modem: &mut ShortRange, world: &mut World<'_>, _: Option<&[u8]>) -> Then {
    let restarted = take(&mut world.restarted);
    if restarted && modem.up {
        // The banner came between frames.
        modem.restarted();
    }
    modem.up = false;
    modem.peers.clear();
    modem.station = Station::NEW;
    modem.waking = Waking {
        fresh: restarted,
        known: modem.mode.is_some(),
        ..Waking::NEW
    };
    world.push_unit = Some(RECEIVE_UNIT);
    if modem.mode == Some(false) {
        modem.waking.means = Means::Plain;
    }
    modem.framed = modem.mode.unwrap_or(false);
    if modem.waking.known {
        Then::Next
    } else {
        Then::Escape
    }
}

fn next_means(modem: &mut ShortRange, world: &mut World<'_>, _: Option<&[u8]>) -> Then {
    let waking = &mut modem.waking;
    loop {
        if waking.tries < waking.means.tries() {
            break;
        }
        waking.tries = 0;
        if take(&mut waking.known) {
            // The module is not in the mode that was known; it may be in data mode.
            modem.mode = None;
            modem.framed = false;
            waking.means = Means::Frames;
            return Then::Escape;
        }
        waking.means = waking.means.next();
    }
    let first = waking.tries == 0;
    waking.tries += 1;
    modem.framed = matches!(waking.means, Means::Frames | Means::FillFrames);
    match waking.means {
        Means::FillFrames | Means::FillPlain if first => {
            world.fill = (b'\n', LONGEST_UPLOAD);
            Then::Fill
        }
        Means::Ppp if first => Then::To(script::LEAVE_PPP),
        Means::Reset if first && !world.pins.has_reset => {
            waking.means = Means::None;
            world.fail(BringUpError::NoAnswer)
        }
        Means::Reset if first => {
            world.pins.reset = true;
            waking.since = world.now;
            world.again(PRESS)
        }
        Means::Reset if world.pins.reset => {
            world.pins.reset = false;
            waking.fresh = true;
            world.pause = BOOT_LIMIT;
            // The boot banner ends the pause.
            Then::Park
        }
        Means::None => world.fail(BringUpError::NoAnswer),
        _ => Then::Next,
    }
}

fn attention(modem: &mut ShortRange, world: &mut World<'_>, answer: Option<&[u8]>) -> Then {
    if answer.is_none() {
        return Then::To(script::MEANS);
    }
    // A banner that ended the pause is not a restart to report.
    modem.waking.fresh |= take(&mut world.restarted);
    if !modem.waking.fresh && !core::mem::replace(&mut modem.waking.confirmed, true) {
        return Then::To(script::CONFIRM);
    }
    modem.mode = Some(modem.framed);
    // From here on the module takes commands; credentials need no network.
    world.answers = true;
    Then::To(script::STATION)
}

fn confirmed(modem: &mut ShortRange, world: &mut World<'_>, _: Option<&[u8]>) -> Then {
    if world.ended.take().is_none() {
        return Then::To(script::ATTENTION);
    }
    let waking = &mut modem.waking;
    waking.confirmed = false;
    if !core::mem::replace(&mut waking.doubted, true) {
        // A command in frames may be answered late: only when bytes came behind a frame that was never
        // ended.
        waking.tries = 0;
        waking.means = if modem.framed {
            Means::Plain
        } else {
            Means::Frames
        };
    }
    Then::To(script::MEANS)
}

fn entered(modem: &mut ShortRange, world: &mut World<'_>, answer: Option<&[u8]>) -> Then {
    if answer.is_none() && !modem.started {
        let error = super::dialect::error(world);
        return world.fail(error);
    }
    modem.mode = Some(true);
    modem.framed = true;
    world.pause = MODE_PAUSE;
    Then::Next
}
