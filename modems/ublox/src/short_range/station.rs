//! Joining a Wi-Fi network (sheet A.2): settings, join, address.

use sectag::modem::{Line, Then, Urc, World, ask, decide, either_way};
use sectag::wifi::{JoinFailure, Security};
use sectag::{AtError, BringUpError};

use super::dialect::error;
use super::{Script, ShortRange, script};

/// The time limit of an activation, in tenths of a second. `OK` only means that it was accepted (sheet
/// A.2.2).
const ACCEPT: u16 = 50;
/// How long a module may take to leave a network, in milliseconds (sheet A.2.4).
const LEAVE: u32 = 10_000;
/// How often the flow looks for notices that did not wake it, in milliseconds.
const SLICE: u32 = 250;
/// The time without a notice after which the address is asked for, in milliseconds, since a notice may
/// be lost.
const ASK_ANYWAY: u32 = 5_000;
/// The reason code for a wrong passphrase (sheet A.2.3).
const SECURITY_PROBLEM: u16 = 4;
/// The reason code for a change to another access point of this network, which the module makes by
/// itself.
const ROAMING: u32 = 3;

/// What the notices have reported of the network.
#[derive(Debug)]
pub(super) struct Station {
    /// The attempt to join has begun. Earlier notices are about an earlier attempt.
    joining: bool,
    link: bool,
    network: bool,
    /// The reason code to report: the first 4 of an attempt, although others follow it (sheet A.2.3),
    /// otherwise the last.
    reason: Option<u16>,
    since: u32,
    asked: u32,
}

impl Station {
    pub(super) const NEW: Self = Self {
        joining: false,
        link: false,
        network: false,
        reason: None,
        since: 0,
        asked: 0,
    };
}

impl ShortRange {
    /// Writes the settings. An active configuration refuses to be written (sheet A.2.1): one of an
    /// earlier life, or one that is stored to be active at the start.
    pub(super) const STATION: Script = &[
        ask("AT+UWSC=0,0,0").then(|modem, world, answer| match answer {
            Some(_) => Then::Next,
            None if world.ended.is_some() => world.fail(error(world)),
            None => {
                modem.station.since = world.now;
                Then::To(script::DEACTIVATE)
            }
        }),
        ask("AT+UWSC=0,2,{s}"),
        ask("AT+UWSC=0,5,{a}"),
        decide(|modem, _, _| match modem.config.wifi.security() {
            Security::Open => Then::To(script::JOIN),
            _ => Then::To(script::KEY),
        }),
    ];

    pub(super) const KEY: Script = &[
        ask("AT+UWSC=0,8,{k}"),
        decide(|_, _, _| Then::To(script::JOIN)),
    ];

    pub(super) const DEACTIVATE: Script = &[
        ask("AT+UWSCA=0,4").limit(ACCEPT).then(either_way),
        decide(|_, world, _| {
            world.pause = SLICE;
            Then::Next
        }),
        ask("AT+UWSC=0,0,0").then(|modem, world, answer| {
            if answer.is_some() {
                return Then::To(script::STATION);
            }
            if world.now.wrapping_sub(modem.station.since) < LEAVE {
                return world.again(SLICE);
            }
            world.fail(error(world))
        }),
    ];

    pub(super) const JOIN: Script = &[
        ask("AT+UWSC=0,100,2"),
        decide(|modem, world, _| {
            modem.station = Station {
                joining: true,
                since: world.now,
                asked: world.now,
                ..Station::NEW
            };
            Then::Next
        }),
        ask("AT+UWSCA=0,3").limit(ACCEPT),
        decide(|_, _, _| Then::To(script::WAIT_JOINED)),
    ];

    pub(super) const WAIT_JOINED: Script = &[
        decide(joined),
        decide(|_, _, _| Then::To(script::WAIT_JOINED)),
    ];

    /// Asks for the address: `+UUNU` also comes for IPv6, and before there is an address (sheet A.2.3).
    pub(super) const ADDRESS: Script = &[ask("AT+UNSTAT=0,101").then(address)];

    pub(super) const NOT_JOINED: Script = &[
        ask("AT+UWSCA=0,4").limit(ACCEPT).then(either_way),
        decide(|modem, world, _| {
            let station = &modem.station;
            let failure = match (station.link, station.reason) {
                (_, Some(SECURITY_PROBLEM)) => JoinFailure::Refused,
                (true, _) => JoinFailure::NoAddress,
                (false, _) => JoinFailure::NotFound,
            };
            let reason = station.reason;
            modem.station = Station::NEW;
            world.fail(BringUpError::NotJoined { failure, reason })
        }),
    ];

    pub(super) fn link_up(&mut self) -> Line {
        self.station.link = true;
        Line::Urc(Urc::Report)
    }

    pub(super) fn link_down(&mut self, reason: Option<u32>) -> Line {
        self.station.link = false;
        let told = reason.and_then(|reason| u16::try_from(reason).ok());
        if self.station.joining && self.station.reason != Some(SECURITY_PROBLEM) {
            self.station.reason = told;
        }
        if self.up && reason != Some(ROAMING) {
            return Line::Urc(Urc::NetworkLost);
        }
        Line::Urc(Urc::Report)
    }

    pub(super) fn network_up(&mut self) -> Line {
        self.station.network = true;
        Line::Urc(Urc::Report)
    }

    pub(super) fn network_down(&mut self) -> Line {
        self.station.network = false;
        Line::Urc(if self.up {
            Urc::NetworkLost
        } else {
            Urc::Report
        })
    }
}

fn joined(modem: &mut ShortRange, world: &mut World<'_>, _: Option<&[u8]>) -> Then {
    if world.restarted {
        return world.fail(AtError::ModemReset);
    }
    // A report from here on ends the pause.
    world.report.1 = 0;
    let station = &mut modem.station;
    let waited = world.now.wrapping_sub(station.since);
    if station.reason == Some(SECURITY_PROBLEM) || waited >= modem.config.join {
        return Then::To(script::NOT_JOINED);
    }
    let silence = world.now.wrapping_sub(station.asked);
    if core::mem::take(&mut station.network) || silence >= ASK_ANYWAY {
        station.asked = world.now;
        return Then::To(script::ADDRESS);
    }
    world.pause = SLICE;
    Then::Park
}

/// Judges `+UNSTAT:0,101,<address>`; the address is absent or zeros until there is one.
fn address(_: &mut ShortRange, world: &mut World<'_>, answer: Option<&[u8]>) -> Then {
    let Some(text) = answer else {
        return Then::To(script::WAIT_JOINED);
    };
    let line = sectag::at::answer(text, "+UNSTAT:");
    let address = line.and_then(|line| sectag::at::Fields::new(line).nth(2));
    if address.is_some_and(|address| !address.is_empty() && address != b"0.0.0.0") {
        return Then::To(script::FRAMES);
    }
    world.pause = SLICE;
    Then::To(script::WAIT_JOINED)
}
