//! The dialect of the application: what each line is, and the arguments of the scripts' commands.

use sectag::at::{Fields, decimal};
use sectag::clock::DateTime;
use sectag::modem::{Final, Line, Out, Urc, World};
use sectag::wifi::Security;
use sectag::{AtError, Code, Kind, Meaning, SuiteSet, Tag};

use crate::date::fields;
use crate::files::name_of;
use crate::suites;

use super::Cc32xx;
use super::open_file::OpenFile;

const OTHER: Line = Line::Urc(Urc::Other);

/// Classifies a line. The engine also asks about the beginning of a line up to a comma, so an event has
/// an effect only once its last field is there.
pub(super) fn line(modem: &mut Cc32xx, line: &[u8], asked: &[u8]) -> Line {
    match line {
        b"OK" => return Line::Final(Final::Ok),
        b"Enter AT Command:" => return OTHER,
        _ => {}
    }
    if let Some(error) = line.strip_prefix(b"ERROR: ") {
        return Line::Final(Final::Error(refusal(error)));
    }
    if let Some(text) = line.strip_prefix(b"\t") {
        // The boot banner.
        let text = text.trim_ascii();
        return if text.starts_with(b"AT Commands") {
            modem.up = false;
            Line::Urc(Urc::Restarted)
        } else {
            OTHER
        };
    }
    if let Some(count) = payload(line) {
        return Line::Payload(count);
    }
    if let Some(text) = line.strip_prefix(b"+fileopen:")
        && asked == b"+FileOpen"
        && let Some(id) = Fields::new(text).int()
    {
        // The number is noted even if the future that opened the file was dropped.
        modem.file = OpenFile::Known(id);
    }
    let Some(text) = line.strip_prefix(b"+event") else {
        return Line::Info;
    };
    let end = text.iter().position(|byte| *byte == b':');
    let (kind, text) = text.split_at(end.unwrap_or(text.len()));
    let mut fields = Fields::new(text.get(1..).unwrap_or_default());
    let word = fields.next().unwrap_or_default();
    let last = text.rsplit(|byte| *byte == b',').next().unwrap_or_default();
    match (kind, word) {
        (b"wlan", b"connect") if !last.is_empty() => {
            modem.associated = true;
            Line::Urc(Urc::Report)
        }
        (b"wlan", b"disconnect") => match decimal(last) {
            Some(reason) => modem.lost(reason as u16),
            None => OTHER,
        },
        (b"netapp", b"ipv4_acquired") if !last.is_empty() => {
            modem.address = true;
            Line::Urc(Urc::Report)
        }
        (b"netapp", b"ipv4_lost" | b"ip_collision") if !last.is_empty() => {
            modem.address = false;
            if modem.up {
                Line::Urc(Urc::NetworkLost)
            } else {
                Line::Urc(Urc::Report)
            }
        }
        (b"netapp", b"dhcp_ipv4_acquire_timeout") => Line::Urc(Urc::Report),
        // The socket is dead. Bytes that came before can still be fetched.
        (b"sock", b"tx_failed") => match fields.byte() {
            Some(id) => Line::Urc(Urc::Closed { id }),
            None => OTHER,
        },
        (b"sock", b"async_event") => match (fields.byte(), fields.next()) {
            (Some(id), Some(b"other_side_close_ssl")) => {
                // Bytes from here on are not protected by TLS.
                modem.plain |= 1 << (id & 31);
                Line::Urc(Urc::Closed { id })
            }
            _ => OTHER,
        },
        // The network processor has crashed, or asks for a restart (sheet 1.10).
        (b"fatalerror", _) | (b"general", b"reset_request") => {
            modem.up = false;
            Line::Urc(Urc::Restarted)
        }
        _ => OTHER,
    }
}

impl Cc32xx {
    fn lost(&mut self, reason: u16) -> Line {
        self.associated = false;
        self.address = false;
        self.left = Some(reason);
        Line::Urc(if self.up {
            Urc::NetworkLost
        } else {
            Urc::Report
        })
    }
}

/// Returns the code of a refusal such as `process command,-340` (sheet 1.3).
fn refusal(text: &[u8]) -> Code {
    let mut fields = text.splitn(2, |byte| *byte == b',');
    let kind = fields.next().unwrap_or_default();
    let number = signed(fields.next().unwrap_or_default());
    match (kind, number) {
        (b"process command", Some(number)) => Code::Signed(number, Meaning::new("")),
        (b"number of parameters", _) => Code::Word(Meaning::new("number of parameters")),
        (b"parse parameters", _) => Code::Word(Meaning::new("parse parameters")),
        (b"command not exist", _) => Code::Word(Meaning::new("command not exist")),
        (b"allocate", _) => Code::Word(Meaning::new("allocate")),
        _ => Code::Plain,
    }
}

fn signed(text: &[u8]) -> Option<i16> {
    core::str::from_utf8(text).ok()?.parse().ok()
}

/// Returns the negative number of a refusal.
pub(super) fn number(code: Code) -> Option<i16> {
    match code {
        Code::Signed(number, _) => Some(number),
        _ => None,
    }
}

/// Returns the length of the base64 that begins behind this comma: `+recv:<socket>,1,<length>,` or
/// `+fileread:1,<length>,` (sheet 1.4).
fn payload(line: &[u8]) -> Option<u16> {
    let line = line.strip_suffix(b",")?;
    let (text, place) = match line.strip_prefix(b"+recv:") {
        Some(text) => (text, 1),
        None => (line.strip_prefix(b"+fileread:")?, 0),
    };
    let mut fields = Fields::new(text);
    let form = fields.nth(place)?;
    let count = decimal(fields.next()?)?;
    let whole = form == b"1" && fields.next().is_none();
    whole.then_some(count.try_into().unwrap_or(u16::MAX))
}

/// Writes the argument `name` of a step's text.
pub(super) fn argument(modem: &Cc32xx, name: u8, world: &World<'_>, out: &mut Out<'_>) {
    let wifi = &modem.config.wifi;
    match name {
        b's' => out.quoted(wifi.ssid().as_bytes()),
        b'a' => out.bytes(match wifi.security() {
            Security::Open => b"OPEN",
            _ => b"WPA_WPA2",
        }),
        // Written for an open network, too, since the application parses it (sheet 1.7).
        b'k' => out.quoted(wifi.key().expose().as_str().as_bytes()),
        b'i' => out.int(world.id.into()),
        b'h' => world.write_name(out),
        b'p' => out.int(world.open.map_or(0, |open| open.port.into())),
        b'r' => {
            for (index, part) in modem.server.into_iter().enumerate() {
                if index > 0 {
                    out.byte(b'.');
                }
                out.int(part.into());
            }
        }
        b'l' => out.int(world.len.into()),
        b'n' => out.int(u32::from(world.len).div_ceil(3) * 4),
        b'm' => mask(modem, world, out),
        b'c' => file(world, Kind::Ca, out),
        b'x' => file(world, Kind::ClientCertificate, out),
        b'y' => file(world, Kind::PrivateKey, out),
        b'f' => out.int(modem.file.id()),
        b't' => {
            if let Some(date) = modem.date.at(world.now) {
                write_date(date, out);
            }
        }
        _ => {}
    }
}

fn file(world: &World<'_>, kind: Kind, out: &mut Out<'_>) {
    let tag = world.open.map_or(Tag(0), |open| open.config.tag());
    out.bytes(name_of(tag, kind).as_bytes());
}

/// Writes the names of the suites, or nothing for all of them (sheet 1.8).
fn mask(modem: &Cc32xx, world: &World<'_>, out: &mut Out<'_>) {
    let has = sectag::modem::Modem::capabilities(modem);
    let wanted = world
        .open
        .and_then(|open| open.config.suites_for(&has).ok());
    let mask = suites::mask(super::SUITES, wanted.unwrap_or(SuiteSet::EMPTY));
    if mask == super::SUITES {
        return;
    }
    let mut first = true;
    for (bit, name) in suites::NAMES.iter().enumerate() {
        if mask >> bit & 1 != 0 {
            if !core::mem::take(&mut first) {
                out.byte(b'|');
            }
            out.bytes(name.as_bytes());
        }
    }
}

/// Returns why a step failed, for a judge that was given no answer.
pub(super) fn error(world: &World<'_>) -> AtError {
    world.ended.unwrap_or(AtError::Refused(world.code))
}

/// Writes hour, minute, second, day, month and year, without leading zeros, which would make them octal
/// (sheet 1.2).
pub(super) fn write_date(date: DateTime, out: &mut Out<'_>) {
    let [second, minute, hour, day, month, year] = fields(date);
    let fields = [hour, minute, second, day, month, year];
    for (index, field) in fields.into_iter().enumerate() {
        if index > 0 {
            out.byte(b',');
        }
        out.int(field);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::at::Config;
    use sectag::wifi::WifiConfig;

    fn modem() -> Cc32xx {
        Cc32xx::new(Config::new(WifiConfig::open("net").unwrap()))
    }

    #[test]
    fn lines() {
        let mut modem = modem();
        let mut is = |text: &str| line(&mut modem, text.as_bytes(), b"");
        assert_eq!(is("OK"), Line::Final(Final::Ok));
        let refused = |code| Line::Final(Final::Error(code));
        let process = |number| refused(Code::Signed(number, Meaning::new("")));
        assert_eq!(is("ERROR: process command,-340"), process(-340));
        assert_eq!(is("ERROR: process command,-28674"), process(-28_674));
        let word = |text| refused(Code::Word(Meaning::new(text)));
        assert_eq!(is("ERROR: parse parameters,-1"), word("parse parameters"));
        assert_eq!(
            is("ERROR: length smaller than payload"),
            refused(Code::Plain)
        );
        assert_eq!(is("Enter AT Command:"), OTHER);
        assert_eq!(
            is("\t    AT Commands Example Ver: 1.1.1"),
            Line::Urc(Urc::Restarted)
        );
        assert_eq!(is("\t ======"), OTHER);
        assert_eq!(is("+recv:0,1,8,"), Line::Payload(8));
        for other in [
            "+recv:0,",
            "+recv:0,1,",
            "+recv:0,0,8,",
            "+recv:0,1,8,x,",
            "+recv:0,1,8",
        ] {
            assert_eq!(is(other), Line::Info, "{other}");
        }
        assert_eq!(is("+fileread:1,256,"), Line::Payload(256));
        assert_eq!(is("+fileread:1,"), Line::Info);
        assert_eq!(
            is("+eventsock:tx_failed,3,-1"),
            Line::Urc(Urc::Closed { id: 3 })
        );
        assert_eq!(
            is("+eventfatalerror:driver_abort,"),
            Line::Urc(Urc::Restarted)
        );
        assert_eq!(is("+eventmqtt:operation"), OTHER);
    }

    #[test]
    fn a_network_that_is_lost_is_told_once_it_was_relied_on() {
        let mut modem = modem();
        let text = b"+eventwlan:disconnect,my,net,0x1:0x2:0x3:0x4:0x5:0x6,15";
        assert_eq!(line(&mut modem, text, b""), Line::Urc(Urc::Report));
        assert_eq!(modem.left, Some(15));
        modem.up = true;
        // A part of the line has no effect yet.
        assert_eq!(line(&mut modem, b"+eventwlan:disconnect,my,", b""), OTHER);
        assert_eq!(line(&mut modem, text, b""), Line::Urc(Urc::NetworkLost));
        assert_eq!(
            line(
                &mut modem,
                b"+eventnetapp:ipv4_acquired,10.0.0.2,10.0.0.1,10.0.0.1",
                b""
            ),
            Line::Urc(Urc::Report)
        );
        assert!(modem.address);
    }

    #[test]
    fn a_peer_that_goes_over_to_plain_text_is_remembered() {
        let mut modem = modem();
        let event = b"+eventsock:async_event,2,other_side_close_ssl,0";
        assert_eq!(
            line(&mut modem, event, b""),
            Line::Urc(Urc::Closed { id: 2 })
        );
        assert_eq!(modem.plain, 1 << 2);
    }
}
