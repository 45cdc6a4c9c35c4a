//! The flows of the chip as tables of steps, with their judges (sheet 3.5).

use sectag::modem::{Backend, Verdict, World};
use sectag::wifi::Security;
use sectag::{BringUpError, Check, ConnectError, Kind, Refusal, Support};

use crate::causes;
use crate::date::fields;
use crate::files::{FileName, name_of};
use crate::{join, suites};

use super::command::{self, Writer};
use super::engine::Engine;
use super::flow::{Script, Then, decide, send};
use super::generation::Generation;
use super::opcode::*;
use super::{clock, place_error};

/// The time for which nHIB stays low, in milliseconds: twice the time that ports of TI's driver use (sheet 2).
const RESET_TIME: u32 = 20;
/// The time limit for a start, in milliseconds (sheet 2).
const START_LIMIT: u32 = 65_500;
/// The time limit for a lookup, in milliseconds. The sheet has none, and TI's own is not known.
const LOOKUP_LIMIT: u32 = 30_000;
/// The time limit for a connect with its handshake, in milliseconds.
const CONNECT_LIMIT: u32 = 75_000;
/// The time limit for the event that confirms a close, in milliseconds. It is UNCONFIRMED that it always comes (sheet 3.5).
const CLOSE_LIMIT: u32 = 200;
/// The index of the step "get version" in the bring-up.
const GET_VERSION: usize = 4;
/// The index of the step "close stray" in the bring-up.
const CLOSE_STRAY: usize = 6;
// The numbers of socket options (sheet 4.3).
const NON_BLOCKING: u8 = 24;
const METHOD: u8 = 25;
const MASK: u8 = 26;
const KEY_NAME: u8 = 30;
const CERTIFICATE_NAME: u8 = 31;
const CA_NAME: u8 = 32;
/// The value of the method option for TLS 1.2 alone.
const TLS_1_2: u8 = 3;
/// The error code of a socket option that the service pack does not know.
const NO_OPTION: i16 = -92;
// Bits of the status in headers: provisioning runs, and the host may speak all the same (sheet 3.2).
const PROVISIONING_BITS: u8 = 0x18;
const ALLOWED_BIT: u8 = 0x40;

/// Returns the status at the front of most answers.
fn status(answer: &[u8]) -> i16 {
    i16::from_le_bytes([answer[0], answer[1]])
}

/// Fails the flow if the command was refused.
pub(crate) fn accepted<G: Generation>(
    _: &mut Engine<G>,
    w: &mut World<'_>,
    answer: &[u8],
) -> Then<G> {
    match status(answer) {
        0.. => Then::Next,
        code => {
            w.failure = place_error(w.command, code);
            Then::Fail
        }
    }
}

/// Goes on whether or not the command was refused.
fn either_way<G: Generation>(_: &mut Engine<G>, _: &mut World<'_>, _: &[u8]) -> Then<G> {
    Then::Next
}

fn ask_date<G: Generation>(_: &Engine<G>, _: &World<'_>, out: &mut Writer<'_>) {
    command::device_get(out, 1, 11, 44);
}

fn ask_version<G: Generation>(_: &Engine<G>, _: &World<'_>, out: &mut Writer<'_>) {
    command::device_get(out, 1, 12, G::FACTS.version_len.into());
}

fn write_socket<G: Generation>(_: &Engine<G>, w: &World<'_>, out: &mut Writer<'_>) {
    command::close(out, w.id);
}

impl<G: Generation> Engine<G> {
    pub(super) const BRING_UP: Script<G> = &[
        decide(Self::hibernate),
        decide(Self::wake),
        decide(Self::await_start),
        decide(Self::has_started),
        send("get version", DEVICE_GET, ask_version).then(Self::is_known),
        decide(Self::look_for_strays),
        // A host without nHIB may have restarted alone. Its sockets are still open then, and their places are needed.
        send("close stray", CLOSE, |engine, _, out| {
            command::close(out, engine.stray);
        })
        .then(Self::has_closed_stray),
        decide(Self::look_for_provisioning),
        send("stop provisioning", PROVISIONING, |_, _, out| {
            command::stop_provisioning(out);
        }),
        send("policy", WLAN_POLICY, |_, _, out| {
            command::wlan_policy(out, 0x10, 0);
        }),
        decide(Self::look_for_network),
        // The chip may still be on a network that it joined before the host restarted.
        send("wlan disconnect", WLAN_DISCONNECT, |_, _, _| {}).then(either_way),
        decide(Self::look_for_date),
        send("set date", DEVICE_SET, Self::write_date),
        decide(Self::forget_network),
        send("wlan connect", WLAN_CONNECT, Self::write_network).then(Self::joins),
        decide(Self::has_joined),
    ];

    /// The steps of the bring-up from the chip's report that it has started on.
    pub(super) const STARTED: Script<G> = Self::BRING_UP.split_at(GET_VERSION - 1).1;

    pub(super) const OPEN: Script<G> = &[
        send("get date", DEVICE_GET, ask_date).then(Self::date_is_set),
        send("CA info", FILE_INFO, |engine, w, out| {
            engine.write_file(w, Kind::Ca, out);
        })
        .then(Self::ca_is_there),
        send("DNS", DNS, Self::write_lookup).then(Self::looks_up),
        decide(Self::is_looked_up),
        send("socket", SOCKET, |_, _, out| command::socket(out)).then(Self::has_socket),
        send("TLS method", SET_OPTION, |_, w, out| {
            command::option(out, w.id, METHOD, 1);
            out.u8(TLS_1_2);
        }),
        send("cipher mask", SET_OPTION, Self::write_mask),
        send("CA name", SET_OPTION, |engine, w, out| {
            engine.write_name(w, CA_NAME, Kind::Ca, out);
        }),
        send("domain name", SET_OPTION, Self::write_domain).then(Self::domain_is_set),
        decide(Self::look_for_client),
        send("key name", SET_OPTION, |engine, w, out| {
            engine.write_name(w, KEY_NAME, Kind::PrivateKey, out);
        }),
        send("certificate name", SET_OPTION, |engine, w, out| {
            engine.write_name(w, CERTIFICATE_NAME, Kind::ClientCertificate, out);
        }),
        decide(Self::expect_result),
        send("connect", CONNECT, Self::write_connect).then(Self::connects),
        decide(Self::is_connected),
    ];

    const CONNECT_ALONE: Script<G> = &[
        decide(Self::expect_result),
        send("connect", CONNECT, Self::write_connect).then(Self::connects),
        decide(Self::is_connected),
    ];

    pub(super) const CLOSE: Script<G> = &[
        decide(|engine, w, _| {
            engine.events.closing = Some(w.id);
            engine.events.closed = false;
            Then::Next
        }),
        send("close", CLOSE, write_socket).then(Self::closes),
        decide(Self::is_closed),
    ];

    pub(super) const LOOK: Script<G> = &[send("look", GET_OPTION, |_, w, out| {
        command::option(out, w.id, NON_BLOCKING, 4);
    })
    .then(|_, w, answer| {
        w.verdict = if status(answer) < 0 {
            Verdict::Gone
        } else {
            Verdict::Standing
        };
        Then::End
    })];

    pub(super) const LIVENESS: Script<G> =
        &[send("get version", DEVICE_GET, ask_version).then(Self::is_alive)];

    /// Closes a file that was left open, and drops what was written to it.
    pub(super) const CLEANUP: Script<G> = &[
        decide(|engine, _, _| match engine.modem.file.handle() {
            Some(_) => Then::Next,
            None => Then::End,
        }),
        send("abort file", FILE_CLOSE, |engine, _, out| {
            command::file_close(out, engine.modem.file.handle().unwrap_or(0) as u32, true);
        })
        .then(|engine, w, _| {
            if engine.leaves_a_file_open(w) {
                Then::Restart
            } else {
                Then::End
            }
        }),
    ];

    pub(super) const POWER_OFF: Script<G> = &[
        send("stop", STOP, |_, _, out| {
            out.u16(200);
            out.u16(0);
        })
        .then(|engine, _, _| {
            engine.events.stopped = false;
            Then::Hold(|engine| engine.events.stopped, START_LIMIT)
        }),
        decide(|engine, world, _| {
            // The chip's own report. If that was lost, nHIB has switched it off all the same.
            world.restarted = engine.events.stopped;
            Then::End
        }),
    ];

    // Bring-up.

    fn hibernate(&mut self, w: &mut World<'_>, _: &[u8]) -> Then<G> {
        w.answers = false;
        if !w.pins.has_reset {
            self.forget();
            return Then::To(&Self::BRING_UP[GET_VERSION..]);
        }
        w.pins.reset = true;
        Then::Pause(RESET_TIME)
    }

    fn wake(&mut self, w: &mut World<'_>, _: &[u8]) -> Then<G> {
        self.forget();
        self.modem.file.chip_starts();
        self.events.starting = true;
        w.pins.reset = false;
        Then::Next
    }

    fn await_start(&mut self, _: &mut World<'_>, _: &[u8]) -> Then<G> {
        Then::Hold(|engine| engine.events.started.is_some(), START_LIMIT)
    }

    fn has_started(&mut self, w: &mut World<'_>, _: &[u8]) -> Then<G> {
        self.events.starting = false;
        // Sheet 3.5.
        let reason = match self.events.started.map(|status| status & 0x0f) {
            None => {
                w.fail(BringUpError::NoAnswer);
                return Then::Fail;
            }
            Some(1) => return Then::Next,
            Some(3..=6) => {
                "the chip started as an access point or for Wi-Fi Direct: set its mode to station"
            }
            Some(7) => "the chip could not calibrate its radio: check supply and antenna",
            Some(8) => "the chip's file system is damaged: program its flash anew",
            Some(9) => "the chip is locked by security alerts: restore its factory image",
            Some(11) => "the chip was programmed in part: program its flash anew",
            _ => "the chip did not start as a station: program its flash anew",
        };
        w.fail(BringUpError::Firmware { reason });
        Then::Fail
    }

    fn is_known(&mut self, w: &mut World<'_>, answer: &[u8]) -> Then<G> {
        w.answers = true;
        // Any ring will do, since no more is asked for than it has room for; the chip refuses a socket that it has no room for.
        w.push_unit = Some(1);
        self.modem.version = clock::version(answer);
        Then::Next
    }

    fn look_for_strays(&mut self, w: &mut World<'_>, _: &[u8]) -> Then<G> {
        self.stray = G::FACTS.first_socket;
        if w.pins.has_reset {
            Then::Skip
        } else {
            Then::Next
        }
    }

    fn has_closed_stray(&mut self, _: &mut World<'_>, _: &[u8]) -> Then<G> {
        self.stray += 1;
        if self.stray < G::FACTS.first_socket + G::FACTS.descriptors {
            Then::To(&Self::BRING_UP[CLOSE_STRAY..])
        } else {
            Then::Next
        }
    }

    fn look_for_provisioning(&mut self, _: &mut World<'_>, _: &[u8]) -> Then<G> {
        let status = self.events.status;
        let runs = status & PROVISIONING_BITS != 0 && status & ALLOWED_BIT == 0;
        if G::FACTS.provisions && runs {
            Then::Next
        } else {
            Then::Skip
        }
    }

    fn look_for_network(&mut self, _: &mut World<'_>, _: &[u8]) -> Then<G> {
        if self.is_joined() {
            Then::Next
        } else {
            Then::Skip
        }
    }

    fn is_alive(&mut self, w: &mut World<'_>, _: &[u8]) -> Then<G> {
        self.modem.date.keep_up(w.now);
        Then::Next
    }

    fn look_for_date(&mut self, w: &mut World<'_>, _: &[u8]) -> Then<G> {
        self.modem.date.keep_up(w.now);
        if self.modem.date.at(w.now).is_some() {
            Then::Next
        } else {
            Then::Skip
        }
    }

    fn write_date(&self, w: &World<'_>, out: &mut Writer<'_>) {
        if let Some(now) = self.modem.date.at(w.now) {
            command::set_date(out, fields(now));
        }
    }

    fn forget_network(&mut self, _: &mut World<'_>, _: &[u8]) -> Then<G> {
        self.events.joined = false;
        self.events.left = None;
        self.events.address = 0;
        Then::Next
    }

    fn write_network(&self, _: &World<'_>, out: &mut Writer<'_>) {
        let wifi = &self.modem.config.wifi;
        let security = match wifi.security() {
            Security::Open => 0,
            _ => 2,
        };
        let key = wifi.key().expose().as_str();
        command::wlan_connect(out, security, wifi.ssid().as_bytes(), key.as_bytes());
    }

    fn joins(&mut self, w: &mut World<'_>, answer: &[u8]) -> Then<G> {
        match status(answer) {
            0.. => Then::Park(
                |engine| engine.events.address != 0 || engine.events.left.is_some(),
                self.modem.config.join_limit,
            ),
            code => {
                w.fail(BringUpError::SettingRefused {
                    setting: "wlan connect",
                    code: sectag::Code::Signed(code, sectag::Meaning::new("")),
                });
                Then::Fail
            }
        }
    }

    fn has_joined(&mut self, w: &mut World<'_>, _: &[u8]) -> Then<G> {
        if self.events.address != 0 {
            w.network_lost = false;
            return Then::End;
        }
        let reason = self.events.left.map(u16::from);
        let failure = join::failure(reason, self.events.joined);
        w.fail(BringUpError::NotJoined { failure, reason });
        Then::Fail
    }

    // Opening.

    fn date_is_set(&mut self, w: &mut World<'_>, answer: &[u8]) -> Then<G> {
        let Some(open) = w.open else {
            return Then::Fail;
        };
        let now = clock::read(answer);
        let is_set = now.is_plausible(open.config.earliest_date());
        if !is_set && !open.config.accepts_missing(Check::Dates) {
            w.failure = ConnectError::ClockNotSet { now };
            return Then::Fail;
        }
        if self.modem.token_refused {
            // A second wrong token would be a second security alert.
            return refused_token(w);
        }
        Then::Next
    }

    fn write_file(&self, w: &World<'_>, kind: Kind, out: &mut Writer<'_>) {
        let name = self.file(w, kind);
        command::file_name(out, self.modem.token(&name), &name);
    }

    fn write_name(&self, w: &World<'_>, option: u8, kind: Kind, out: &mut Writer<'_>) {
        let name = self.file(w, kind);
        command::option(out, w.id, option, name.len() as u8);
        out.bytes(name.as_bytes());
    }

    /// Returns the file name of a credential of the connection's tag.
    fn file(&self, w: &World<'_>, kind: Kind) -> FileName {
        let tag = w.open.map(|open| open.config.tag());
        tag.map_or(FileName::new(), |tag| name_of(tag, kind))
    }

    fn ca_is_there(&mut self, w: &mut World<'_>, answer: &[u8]) -> Then<G> {
        let code = i32::from(status(answer));
        if code >= 0 {
            return Then::Next;
        }
        if causes::is_token(code) {
            self.modem.token_refused = true;
        }
        w.failure = if code == G::FACTS.no_such_file {
            ConnectError::CredentialMissing(Kind::Ca)
        } else {
            sectag::AtError::Refused(causes::of_file(code)).into()
        };
        Then::Fail
    }

    fn write_lookup(&self, w: &World<'_>, out: &mut Writer<'_>) {
        let mut name = [0; 255];
        let len = w.name(0, &mut name);
        command::dns(out, len as u16);
        out.bytes(&name[..len]);
    }

    fn looks_up(&mut self, w: &mut World<'_>, answer: &[u8]) -> Then<G> {
        match status(answer) {
            0.. => {
                self.events.looked_up = None;
                Then::Park(|engine| engine.events.looked_up.is_some(), LOOKUP_LIMIT)
            }
            code => lookup_refused(w, code),
        }
    }

    fn is_looked_up(&mut self, w: &mut World<'_>, _: &[u8]) -> Then<G> {
        match self.events.looked_up {
            Some((0, address)) => {
                self.modem.server = address;
                Then::Next
            }
            Some((code, _)) => lookup_refused(w, code),
            None => {
                w.failure = ConnectError::TimedOut;
                Then::Fail
            }
        }
    }

    fn has_socket(&mut self, w: &mut World<'_>, answer: &[u8]) -> Then<G> {
        match status(answer) {
            0.. => {
                w.take_id(answer[2]);
                Then::Next
            }
            code => refused(w, causes::of_socket(code)),
        }
    }

    fn write_mask(&self, w: &World<'_>, out: &mut Writer<'_>) {
        let wanted = w.open.and_then(|open| {
            let has = self.modem.capabilities();
            open.config.suites_for(&has).ok()
        });
        command::option(out, w.id, MASK, 4);
        out.u32(suites::mask(
            G::FACTS.suites,
            wanted.unwrap_or(sectag::SuiteSet::EMPTY),
        ));
    }

    fn write_domain(&self, w: &World<'_>, out: &mut Writer<'_>) {
        let mut name = [0; 255];
        let len = w.name(0, &mut name);
        command::option(out, w.id, G::FACTS.domain_option, len as u8);
        out.bytes(&name[..len]);
    }

    fn domain_is_set(&mut self, w: &mut World<'_>, answer: &[u8]) -> Then<G> {
        match status(answer) {
            0.. => {
                self.modem.names = Support::Yes;
                Then::Next
            }
            // An old service pack neither checks the name nor sends it (sheet 4.3).
            NO_OPTION => {
                self.modem.names = Support::No;
                let known = self.modem.verification();
                match w.open.map(|open| open.config.check(&known)) {
                    Some(Ok(())) => Then::Next,
                    Some(Err(error)) => {
                        w.failure = error;
                        Then::Fail
                    }
                    None => Then::Fail,
                }
            }
            code => refused(w, causes::of_socket(code)),
        }
    }

    fn look_for_client(&mut self, w: &mut World<'_>, _: &[u8]) -> Then<G> {
        match w.open {
            Some(open) if open.config.has_client_certificate() => Then::Next,
            _ => Then::To(Self::CONNECT_ALONE),
        }
    }

    fn expect_result(&mut self, w: &mut World<'_>, _: &[u8]) -> Then<G> {
        self.events.opening = Some(w.id);
        self.events.connected = None;
        w.expect_open();
        Then::Next
    }

    fn write_connect(&self, w: &World<'_>, out: &mut Writer<'_>) {
        let port = w.open.map_or(0, |open| open.port);
        command::connect(out, w.id, port, self.modem.server);
    }

    fn connects(&mut self, w: &mut World<'_>, answer: &[u8]) -> Then<G> {
        match status(answer) {
            0.. => Then::Park(|engine| engine.events.connected.is_some(), CONNECT_LIMIT),
            code => refused(w, causes::of_socket(code)),
        }
    }

    fn is_connected(&mut self, w: &mut World<'_>, _: &[u8]) -> Then<G> {
        self.events.opening = None;
        let Some(result) = self.events.connected else {
            w.failure = ConnectError::TimedOut;
            return Then::Fail;
        };
        // Codes that mean "connected, but not verified" are refusals too: the socket is closed.
        if result != 0 {
            return refused(w, causes::of_socket(result));
        }
        let mut known = self.modem.verification();
        if let Some(open) = &mut w.open {
            if !open.config.has_client_certificate() {
                known.client_certificate = Support::No;
            }
            open.verified = known;
        }
        Then::End
    }

    // Closing.

    fn closes(&mut self, _: &mut World<'_>, answer: &[u8]) -> Then<G> {
        // A socket that the chip does not know is closed.
        if status(answer) < 0 || !G::FACTS.close_is_confirmed {
            return Then::End;
        }
        // An outstanding recv ends by itself; its late end must not reach a new socket with this number. The two events may
        // come in either order (sheet 3.5).
        Then::Hold(|engine| engine.events.closed, CLOSE_LIMIT)
    }

    fn is_closed(&mut self, w: &mut World<'_>, _: &[u8]) -> Then<G> {
        self.events.closing = None;
        if let Some(place) = w.place_of(w.id) {
            self.receiving &= !(1 << place);
        }
        Then::End
    }
}

fn refused_token<G: Generation>(w: &mut World<'_>) -> Then<G> {
    w.fail(sectag::AtError::Refused(causes::of_file(
        causes::INVALID_TOKEN,
    )));
    Then::Fail
}

fn lookup_refused<G: Generation>(w: &mut World<'_>, code: i16) -> Then<G> {
    let refusal = causes::lookup_refused(w, code);
    refused(w, refusal)
}

fn refused<G: Generation>(w: &mut World<'_>, refusal: Refusal) -> Then<G> {
    w.failure = ConnectError::Refused(refusal);
    Then::Fail
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nwp::generation::G2;

    #[test]
    fn steps_are_where_they_are_looked_for() {
        assert_eq!(Engine::<G2>::BRING_UP[GET_VERSION].name, "get version");
        assert_eq!(Engine::<G2>::BRING_UP[CLOSE_STRAY].name, "close stray");
    }

    #[test]
    fn a_warm_connect_takes_twelve_commands_at_most() {
        let commands = Engine::<G2>::OPEN.iter().filter(|step| step.opcode != 0);
        assert!(commands.count() <= 12);
    }
}
