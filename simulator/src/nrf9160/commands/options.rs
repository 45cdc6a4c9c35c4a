//! Socket options (sheet 4.2).

use super::super::Nrf9160;
use super::super::sockets::{Kind, Phase};
use super::super::state::SharedSocket;
use super::{OK, Outcome, UNKNOWN};
use crate::syntax::{Args, Fail, Op};

const GET: i64 = 0;
const NAME_LIMIT: usize = 253;

impl Nrf9160 {
    pub(super) fn option_commands(&self, name: &str, op: &Op) -> Outcome {
        match (name, op) {
            ("XSOCKETOPT", Op::Set(args)) => self.socket_option(args),
            ("XSSOCKETOPT", Op::Set(args)) => self.secure_option(args),
            _ => UNKNOWN,
        }
    }

    fn show(&self, command: &str, socket: &SharedSocket, value: i64) {
        let handle = socket.borrow().handle;
        self.answer(&if self.options.profile.serial_modem {
            format!("#{command}: {handle},{value}")
        } else {
            format!("#{command}: {value}")
        });
    }

    fn socket_option(&self, args: &Args) -> Outcome {
        let (socket, first) = self.addressed(args)?;
        args.count(first + 2, first + 3)?;
        let get = args.number(first, 0..=1)? == GET;
        let option = args.number(first + 1, 0..=i64::from(u16::MAX))?;
        let value = first + 2;
        match (option, get) {
            (2, false) => drop(args.number(value, 0..=1)?),
            (4, true) if self.options.profile.socket_error => {
                let errno = match socket.borrow().phase {
                    Phase::Broken(errno) => errno,
                    _ => 0,
                };
                self.show("XSOCKETOPT", &socket, errno.into());
            }
            (20 | 21, true) => {
                let seconds = {
                    let socket = socket.borrow();
                    if option == 20 {
                        socket.receive_timeout
                    } else {
                        socket.send_timeout
                    }
                };
                if self.options.profile.unknown_option_is_empty {
                    // As in the code of 2.1; the manual shows the bare number.
                    self.answer(&format!("#XSOCKETOPT: \"{seconds} sec\""));
                } else {
                    self.show("XSOCKETOPT", &socket, seconds as i64);
                }
            }
            (20 | 21, false) => {
                let seconds = args.number(value, 0..=i64::from(u32::MAX))? as u64;
                let mut socket = socket.borrow_mut();
                if option == 20 {
                    socket.receive_timeout = seconds;
                } else {
                    socket.send_timeout = seconds;
                }
            }
            (50..=54, false) if self.options.profile.release_names => {}
            (61, false) if self.options.profile.release_values => drop(args.number(value, 1..=5)?),
            (30..=32 | 55 | 62, false) => {}
            (_, true) if self.options.profile.unknown_option_is_empty => {}
            _ => return Err(Fail::Error),
        }
        OK
    }

    /// Handles an option of a socket that was opened with `#XSSOCKET`.
    fn secure_option(&self, args: &Args) -> Outcome {
        let (shared, first) = self.addressed(args)?;
        args.count(first + 2, first + 3)?;
        let get = args.number(first, 0..=1)? == GET;
        let option = args.number(first + 1, 0..=i64::from(u16::MAX))?;
        let value = first + 2;
        let mut socket = shared.borrow_mut();
        let Kind::Tls { verify, .. } = &mut socket.kind else {
            return Err(Fail::Error);
        };
        match (option, get) {
            (2, false) => {
                let name = args.string(value)?;
                if name.is_empty() || name.len() > NAME_LIMIT {
                    return Err(Fail::Error);
                }
                socket.name = (name != "NULL").then(|| name.to_owned());
            }
            (4, true) => {
                let native = socket.is_native();
                let profile = &self.options.profile;
                // Sheet 4.2: up to 2.4 the firmware reads the wrong level; the modem's TLS reports the
                // suite from mfw_nrf91x1 on.
                let tells = !profile.unknown_option_is_empty
                    && (native || profile.modem_firmware.contains("nrf91x1"));
                let suite = match self.options.reported_suite {
                    Some(suite) if socket.suite.is_some() => Some(suite),
                    _ => socket.suite,
                };
                let suite = suite.filter(|_| tells).ok_or(Fail::Error)?;
                drop(socket);
                self.show("XSSOCKETOPT", &shared, suite.into());
            }
            (5, false) => *verify = args.byte(value, 0..=2)?,
            (5, true) => {
                let verify = (*verify).into();
                drop(socket);
                self.show("XSSOCKETOPT", &shared, verify);
            }
            (12, false) => socket.session_cache = args.number(value, 0..=1)? == 1,
            (12, true) => {
                let cache = socket.session_cache.into();
                drop(socket);
                self.show("XSSOCKETOPT", &shared, cache);
            }
            (13, false) => {}
            (3 | 7..=11, _) => {
                self.answer("#XSSOCKETOPT: \"not supported\"");
                return Err(Fail::Error);
            }
            _ => return Err(Fail::Error),
        }
        OK
    }
}
