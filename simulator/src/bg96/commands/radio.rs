//! The commands for registration, operator and signal (sheet 1.5).

use super::super::Bg96;
use super::super::parser::{Fail, Op};
use super::super::state::State;
use super::{OK, Outcome, Reply, UNKNOWN};

/// The three registration commands.
pub(in super::super) const DOMAINS: [&str; 3] = ["CREG", "CGREG", "CEREG"];

const OPERATOR: &str = "00101";
const CELL: &str = "\"5A29\",\"C4C7F0B\",8";

fn mode(state: &State, domain: &str) -> u8 {
    match domain {
        "CREG" => state.user.creg,
        "CGREG" => state.user.cgreg,
        _ => state.user.cereg,
    }
}

fn status(state: &State, domain: &str) -> u8 {
    match (state.registered, domain) {
        // TRAP, T7: on LTE-M the GPRS domain says "unknown" although attached.
        (_, "CGREG") => 4,
        (true, _) => 1,
        (false, _) if state.functionality != 1 || state.operator_off => 0,
        (false, _) => 2,
    }
}

fn location(state: &State, mode: u8, status: u8) -> String {
    match (mode, status) {
        (2, 1) => format!(",{CELL}"),
        (4, 1) if state.nv.psm.starts_with('1') => format!(",{CELL},,,,\"00001111\",\"00000100\""),
        (4, 1) => format!(",{CELL},,,,\"11100000\",\"11100000\""),
        _ => String::new(),
    }
}

/// Returns the URC of this domain for a change of registration, if the host has switched it on.
pub(in super::super) fn registration_urc(state: &State, domain: &str) -> Option<String> {
    let (mode, status) = (mode(state, domain), status(state, domain));
    // The GPRS domain does not change on LTE-M.
    (mode > 0 && domain != "CGREG")
        .then(|| format!("+{domain}: {status}{}", location(state, mode, status)))
}

impl Bg96 {
    pub(super) fn radio(&self, name: &str, op: &Op, reply: &mut Reply) -> Outcome {
        match (name, op) {
            ("CREG" | "CGREG" | "CEREG", Op::Read) => {
                let state = self.state.borrow();
                let (mode, status) = (mode(&state, name), status(&state, name));
                reply.line(format!(
                    "+{name}: {mode},{status}{}",
                    location(&state, mode, status)
                ));
            }
            ("CREG" | "CGREG" | "CEREG", Op::Set(args)) => {
                args.count(1, 1)?;
                let value = args.byte(0, 0, if name == "CREG" { 2 } else { 4 })?;
                if value == 3 {
                    return Err(Fail::Error);
                }
                let mut state = self.state.borrow_mut();
                match name {
                    "CREG" => state.user.creg = value,
                    "CGREG" => state.user.cgreg = value,
                    _ => state.user.cereg = value,
                }
            }
            ("CREG", Op::Test) => reply.line("+CREG: (0-2)"),
            ("CGREG" | "CEREG", Op::Test) => reply.line(format!("+{name}: (0-2,4)")),
            ("COPS", Op::Read) => {
                let state = self.state.borrow();
                let mode = match state.operator_off {
                    true => 2,
                    false => u8::from(state.nv.operator_fixed),
                };
                if state.registered {
                    let (format, name) = match state.operator_format {
                        2 => (2, OPERATOR),
                        format => (format, "Test Network"),
                    };
                    reply.line(format!("+COPS: {mode},{format},\"{name}\",8"));
                } else {
                    reply.line(format!("+COPS: {mode}"));
                }
            }
            ("COPS", Op::Set(args)) => {
                args.count(1, 4)?;
                match args.byte(0, 0, 4)? {
                    2 => {
                        self.state.borrow_mut().operator_off = true;
                        self.unregister();
                    }
                    3 => self.state.borrow_mut().operator_format = args.byte(1, 0, 2)?,
                    0 => {
                        let mut state = self.state.borrow_mut();
                        (state.operator_off, state.nv.operator_fixed) = (false, false);
                    }
                    _ => {
                        args.byte(1, 0, 2)?;
                        // Only one network is in reach.
                        if args.string(2)? != OPERATOR {
                            return Err(Fail::Cme(30));
                        }
                        let mut state = self.state.borrow_mut();
                        (state.operator_off, state.nv.operator_fixed) = (false, true);
                    }
                }
                self.core.touch();
            }
            ("CSQ", Op::Execute) => {
                let rssi = if self.state.borrow().registered {
                    20
                } else {
                    99
                };
                reply.line(format!("+CSQ: {rssi},99"));
            }
            ("QCSQ", Op::Execute) => {
                let registered = self.state.borrow().registered;
                reply.line(if registered {
                    "+QCSQ: \"CAT-M1\",-71,-98,120,-11"
                } else {
                    "+QCSQ: \"NOSERVICE\""
                });
            }
            ("QNWINFO", Op::Execute) => {
                let registered = self.state.borrow().registered;
                reply.line(if registered {
                    // Upper case, unlike the manual (T7).
                    "+QNWINFO: \"CAT-M1\",\"00101\",\"LTE BAND 4\",2250"
                } else {
                    "+QNWINFO: No Service"
                });
            }
            ("CGATT", Op::Read) => reply.line(format!(
                "+CGATT: {}",
                u8::from(self.state.borrow().registered)
            )),
            ("CGATT", Op::Set(args)) => {
                args.count(1, 1)?;
                if args.byte(0, 0, 1)? == 0 {
                    self.state.borrow_mut().operator_off = true;
                    self.unregister();
                } else {
                    self.state.borrow_mut().operator_off = false;
                    self.core.touch();
                }
            }
            _ => return UNKNOWN,
        }
        OK
    }
}
