//! Opens a connection. The settings of verification are commands whose echo is compared (sheet 1.11).

use sectag::at::{Fields, answer, decimal};
use sectag::modem::{Modem, Then, World, ask, decide};
use sectag::{AtError, Check, ConnectError, Kind, Refusal, Support};

use crate::causes;
use crate::files::name_of;

use super::dialect::{error, number};
use super::{Cc32xx, Script, clock, script};

/// The number for "no such option", from an old service pack (sheet 4.3).
const NO_OPTION: i16 = -92;
/// The number for a connection whose dates were not verified, because the date is not set (sheet 5.1).
const UNDATED: i16 = -461;

impl Cc32xx {
    pub(super) const OPEN: Script = &[
        ask("AT+Get=general,time").then(date_is_set),
        ask("AT+FileGetFileList")
            .limit(100)
            .each(listed)
            .then(files_are_there),
        ask("AT+NetAppGetHostByName={h},INET")
            .limit(300)
            .then(looked_up),
        ask("AT+Socket=INET,STREAM,SEC").then(has_socket),
        ask("AT+SetSockOpt={i},SOCKET,SECMETHOD,TLSV1_2"),
        ask("AT+SetSockOpt={i},SOCKET,SECURE_MASK,{m}"),
        ask("AT+SetSockOpt={i},SOCKET,SECURE_FILES_CA_FILE_NAME,{c}"),
        ask("AT+SetSockOpt={i},SOCKET,SECURE_DOMAIN_NAME_VERIFICATION,{h}").then(domain_is_set),
        decide(|modem, world, _| {
            modem.undated = false;
            let client = world
                .open
                .is_some_and(|open| open.config.has_client_certificate());
            Then::To(if client {
                script::CLIENT
            } else {
                script::CONNECT
            })
        }),
    ];

    pub(super) const CLIENT: Script = &[
        ask("AT+SetSockOpt={i},SOCKET,SECURE_FILES_PRIVATE_KEY_FILE_NAME,{y}"),
        ask("AT+SetSockOpt={i},SOCKET,SECURE_FILES_CERTIFICATE_FILE_NAME,{x}"),
        decide(|_, _, _| Then::To(script::CONNECT)),
    ];

    /// Connects. The socket blocks until the result, and not from there on, so that no send or receive
    /// can make the module unresponsive.
    pub(super) const CONNECT: Script = &[
        ask("AT+Connect={i},INET,{p},{r}")
            .limit(750)
            .then(connected),
        ask("AT+SetSockOpt={i},SOCKET,NONBLOCKING,1").then(|modem, world, answer| {
            if answer.is_none() {
                let error = error(world);
                return world.fail(error);
            }
            verified(modem, world);
            Then::End
        }),
    ];
}

fn refused(world: &mut World<'_>, refusal: Refusal) -> Then {
    world.fail(ConnectError::Refused(refusal))
}

fn date_is_set(modem: &mut Cc32xx, world: &mut World<'_>, answer: Option<&[u8]>) -> Then {
    let (Some(text), Some(open)) = (answer, world.open) else {
        let error = error(world);
        return world.fail(error);
    };
    modem.listed = 0;
    let Some(now) = clock::read(text) else {
        return world.fail(AtError::Garbled);
    };
    let is_set = now.is_plausible(open.config.earliest_date());
    if !is_set && !open.config.accepts_missing(Check::Dates) {
        return world.fail(ConnectError::ClockNotSet { now });
    }
    Then::Next
}

/// Notes a file of the list: `+filegetfilelist:<name>,<size>,..`. Listing needs no token.
fn listed(modem: &mut Cc32xx, world: &mut World<'_>, line: &[u8]) {
    let (Some(text), Some(open)) = (answer(line, "+filegetfilelist:"), world.open) else {
        return;
    };
    let name = Fields::new(text).next().unwrap_or_default();
    for (bit, kind) in Kind::ALL.into_iter().enumerate() {
        if name.eq_ignore_ascii_case(name_of(open.config.tag(), kind).as_bytes()) {
            modem.listed |= 1 << bit;
        }
    }
}

fn files_are_there(modem: &mut Cc32xx, world: &mut World<'_>, answer: Option<&[u8]>) -> Then {
    let (Some(_), Some(open)) = (answer, world.open) else {
        let error = error(world);
        return world.fail(error);
    };
    for (bit, kind) in Kind::ALL.into_iter().enumerate() {
        let needed = kind == Kind::Ca || open.config.has_client_certificate();
        if needed && modem.listed & 1 << bit == 0 {
            return world.fail(ConnectError::CredentialMissing(kind));
        }
    }
    Then::Next
}

/// Judges `+netappgethostbyname:<host>,<address>`.
fn looked_up(modem: &mut Cc32xx, world: &mut World<'_>, text: Option<&[u8]>) -> Then {
    let Some(text) = text else {
        return match number(world.code) {
            Some(code) => {
                let refusal = causes::lookup_refused(world, code);
                refused(world, refusal)
            }
            None => {
                let error = error(world);
                world.fail(error)
            }
        };
    };
    let line = answer(text, "+netappgethostbyname:").unwrap_or_default();
    let address = line.rsplit(|byte| *byte == b',').next().unwrap_or_default();
    let mut parts = address.split(|byte| *byte == b'.');
    let mut server = [0; 4];
    for part in &mut server {
        let field = parts.next().and_then(decimal);
        let Some(number) = field.and_then(|number| u8::try_from(number).ok()) else {
            return world.fail(AtError::Garbled);
        };
        *part = number;
    }
    modem.server = server;
    Then::Next
}

fn has_socket(modem: &mut Cc32xx, world: &mut World<'_>, text: Option<&[u8]>) -> Then {
    let Some(text) = text else {
        return socket_refused(world);
    };
    let id = answer(text, "+socket:").and_then(|line| Fields::new(line).byte());
    let Some(id) = id else {
        return world.fail(AtError::Garbled);
    };
    modem.plain &= !(1 << (id & 31));
    world.take_id(id);
    world.expect_open();
    Then::Next
}

fn socket_refused(world: &mut World<'_>) -> Then {
    match number(world.code) {
        Some(code) if world.ended.is_none() => refused(world, causes::of_socket(code)),
        _ => {
            let error = error(world);
            world.fail(error)
        }
    }
}

fn domain_is_set(modem: &mut Cc32xx, world: &mut World<'_>, answer: Option<&[u8]>) -> Then {
    if answer.is_some() {
        modem.names = Support::Yes;
        return Then::Next;
    }
    if number(world.code) != Some(NO_OPTION) {
        return socket_refused(world);
    }
    // The chip neither checks the name nor sends it.
    modem.names = Support::No;
    let known = modem.verification();
    match world.open.map(|open| open.config.check(&known)) {
        Some(Ok(())) => Then::Next,
        Some(Err(error)) => world.fail(error),
        None => world.fail(AtError::ModemReset),
    }
}

fn connected(modem: &mut Cc32xx, world: &mut World<'_>, answer: Option<&[u8]>) -> Then {
    if answer.is_some() {
        return Then::Next;
    }
    let undated = world
        .open
        .is_some_and(|open| open.config.accepts_missing(Check::Dates));
    if undated && number(world.code) == Some(UNDATED) {
        modem.undated = true;
        return Then::Next;
    }
    // Numbers that mean "connected, and not verified" are refusals, too: the socket is closed.
    socket_refused(world)
}

fn verified(modem: &Cc32xx, world: &mut World<'_>) {
    let mut known = modem.verification();
    if modem.undated {
        known.dates = Support::No;
    }
    if let Some(open) = &mut world.open {
        if !open.config.has_client_certificate() {
            known.client_certificate = Support::No;
        }
        open.verified = known;
    }
}
