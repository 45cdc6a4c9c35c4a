//! Data, and the end of connections (sheet 1.11).

use sectag::AtError;
use sectag::modem::{Polling, Then, Verdict, World, ask, decide};

use super::dialect::{error, number};
use super::{Cc32xx, Script, script};

/// The intervals at which data is polled, in milliseconds, since the application does not announce it.
pub(super) const POLLING: Polling = Polling {
    first: 50,
    longest: 1_000,
};
/// The number for "try again": nothing was taken, or there is no data (sheet 1.11).
const LATER: i16 = -11;
/// The number for a socket that does not exist (sheet 5.1).
const BAD_SOCKET: i16 = -9;

impl Cc32xx {
    pub(super) const SEND: Script = &[
        decide(|modem, world, _| {
            if modem.is_plain(world) {
                world.verdict = Verdict::Failed;
                return Then::End;
            }
            Then::Next
        }),
        ask("AT+Send={i},1,{n},")
            .limit(100)
            .base64()
            .then(|_, world, answer| {
                world.verdict = match (answer, number(world.code)) {
                    (Some(_), _) => Verdict::Done,
                    (None, Some(LATER)) => Verdict::Busy,
                    (None, _) => Verdict::Failed,
                };
                Then::End
            }),
    ];

    pub(super) const FETCH: Script = &[
        decide(|modem, world, _| {
            // Bytes after the end of TLS belong to nobody. A length of 0 asks why a send failed; there
            // is nothing more to find out.
            if modem.is_plain(world) || world.len == 0 {
                world.verdict = Verdict::NotConnected;
                return Then::End;
            }
            Then::Next
        }),
        ask("AT+Recv={i},1,{l}")
            .limit(100)
            .fetches()
            .then(|_, world, answer| {
                world.verdict = match (answer, world.received, number(world.code)) {
                    (Some(_), Some(0), _) => Verdict::End,
                    (Some(_), Some(_), _) => Verdict::Done,
                    (None, _, Some(LATER)) => Verdict::Empty,
                    _ => Verdict::NotConnected,
                };
                Then::End
            }),
    ];

    pub(super) const LOOK: Script =
        &[
            ask("AT+GetSockOpt={i},SOCKET,NONBLOCKING").then(|_, world, answer| {
                world.verdict = if answer.is_some() {
                    Verdict::Standing
                } else {
                    Verdict::Gone
                };
                Then::End
            }),
        ];

    pub(super) const CLOSE: Script = &[ask("AT+Close={i}").limit(100).then(|_, world, answer| {
        if answer.is_some() || number(world.code) == Some(BAD_SOCKET) {
            return Then::End;
        }
        let error = error(world);
        world.fail(error)
    })];

    pub(super) const LIVENESS: Script = &[ask("AT+Test").limit(10).then(|modem, world, _| {
        modem.date.keep_up(world.now);
        Then::Next
    })];

    /// Closes a file that was left open, without keeping its content. If its number is not known, only
    /// a restart closes it.
    pub(super) const CLEANUP: Script = &[decide(|modem, world, _| {
        use super::open_file::OpenFile;
        match modem.file {
            OpenFile::None => Then::End,
            OpenFile::Known(_) => Then::To(script::ABORT_FILE),
            OpenFile::Unknown => {
                modem.file = OpenFile::None;
                world.network_lost = true;
                Then::End
            }
        }
    })];

    pub(super) const ABORT_FILE: Script =
        &[ask("AT+FileClose={f},,A").limit(660).then(|modem, _, _| {
            // A refusal means that the file is not open any more.
            modem.file = super::open_file::OpenFile::None;
            Then::End
        })];

    /// Answered once the network processor has stopped, and nothing is said behind it.
    pub(super) const POWER_OFF: Script = &[
        ask("AT+Stop=200").limit(660),
        decide(|_, world, _| {
            world.restarted = true;
            Then::End
        }),
    ];

    pub(super) const SLEEP: Script = &[decide(|_, world, _| world.fail(AtError::Unsupported))];

    fn is_plain(&self, world: &World<'_>) -> bool {
        self.plain & 1 << (world.id & 31) != 0
    }
}
