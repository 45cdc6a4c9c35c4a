//! The commands for registration, bearer, signal and identity (sheet 2). All of them belong to the
//! modem core.

use super::super::Nrf9160;
use super::super::options::Nrf9160Options;
use super::super::state::ModemCore;
use super::{Lines, ModemOutcome};
use crate::options::Sim;
use crate::syntax::{Args, Fail, Op};

const AREA: &str = "\"002F\",\"0012BEEF\",7";
/// No eDRX active time, no PSM.
const TIMERS: &str = ",,,\"11100000\",\"11100000\"";

fn status(modem: &ModemCore, sim: &Sim) -> u8 {
    match modem.functionality {
        1 | 21 if modem.registered => 1,
        // The UICC has failed.
        1 | 21 if *sim == Sim::Missing => 90,
        1 | 21 => 2,
        _ => 0,
    }
}

fn location(level: u8, status: u8) -> String {
    match (level, status) {
        (2 | 3, 1) => format!(",{AREA}"),
        (4.., 1) => format!(",{AREA}{TIMERS}"),
        // A searching notice may already carry cell data.
        (5, 2) => ",\"026F\",\"00332521\",7".to_owned(),
        _ => String::new(),
    }
}

/// Returns the URC for a change of registration, if the host has switched it on.
pub(in super::super) fn registration_urc(
    modem: &ModemCore,
    options: &Nrf9160Options,
) -> Option<String> {
    let status = status(modem, &options.sim);
    (modem.cereg > 0).then(|| format!("+CEREG: {status}{}", location(modem.cereg, status)))
}

impl Nrf9160 {
    pub(super) fn radio(&self, name: &str, op: &Op, lines: &mut Lines) -> ModemOutcome {
        if let (true, Op::Set(args)) = (self.subscription(name, op)?, op) {
            args.count(1, 1)?;
            return Ok(());
        }
        let profile = &self.options.profile;
        match (name, op) {
            ("+CMEE", Op::Read) => {
                lines.push(format!("+CMEE: {}", self.state.borrow().modem.cmee));
            }
            ("+CMEE", Op::Set(args)) => {
                args.count(1, 1)?;
                let most = if profile.verbose_errors { 2 } else { 1 };
                self.state.borrow_mut().modem.cmee = args.byte(0, 0..=most)?;
            }
            ("+CFUN", Op::Read) => {
                let functionality = self.state.borrow().modem.functionality;
                lines.push(format!("+CFUN: {functionality}"));
            }
            ("+CFUN", Op::Set(args)) => {
                args.count(1, 1)?;
                self.set_functionality(args)?;
            }
            ("+CEREG", Op::Read) => {
                let state = self.state.borrow();
                let status = status(&state.modem, &self.options.sim);
                let level = state.modem.cereg;
                lines.push(format!(
                    "+CEREG: {level},{status}{}",
                    location(level, status)
                ));
            }
            ("+CSCON", Op::Read) => {
                let state = self.state.borrow();
                lines.push(format!(
                    "+CSCON: {},{}",
                    state.modem.cscon,
                    u8::from(state.modem.registered)
                ));
            }
            ("%XSYSTEMMODE", Op::Read) => {
                let [m, nb, gnss, preference] = self.state.borrow().nv.system_mode;
                lines.push(format!("%XSYSTEMMODE: {m},{nb},{gnss},{preference}"));
            }
            ("%XSYSTEMMODE", Op::Set(args)) => {
                args.count(4, 4)?;
                let mut mode = [0; 4];
                for (index, value) in mode.iter_mut().enumerate() {
                    *value = args.byte(index, 0..=if index == 3 { 4 } else { 1 })?;
                }
                let mut state = self.state.borrow_mut();
                if !matches!(state.modem.functionality, 0 | 4) {
                    return Err(Fail::Error);
                }
                state.nv.system_mode = mode;
            }
            ("+CGDCONT", Op::Read) => {
                let state = self.state.borrow();
                if let Some((family, apn)) = &state.modem.pdn {
                    let address = if state.modem.registered {
                        "100.72.62.220"
                    } else {
                        ""
                    };
                    lines.push(format!(
                        "+CGDCONT: 0,\"{family}\",\"{apn}\",\"{address}\",0,0"
                    ));
                }
            }
            ("+CGDCONT", Op::Set(args)) => {
                args.count(1, 3)?;
                args.number(0, 0..=10)?;
                let mut state = self.state.borrow_mut();
                if !matches!(state.modem.functionality, 0 | 4) {
                    return Err(Fail::Error);
                }
                state.modem.pdn = if args.len() == 1 {
                    None
                } else {
                    let family = args.string(1)?;
                    if !matches!(family, "IP" | "IPV6" | "IPV4V6" | "Non-IP") {
                        return Err(Fail::Error);
                    }
                    let apn = if args.absent(2) { "" } else { args.string(2)? };
                    Some((family.to_owned(), apn.to_owned()))
                };
            }
            ("+CGPADDR", Op::Set(args)) => {
                args.count(1, 1)?;
                args.number(0, 0..=10)?;
                if self.state.borrow().modem.registered {
                    lines.push("+CGPADDR: 0,\"100.72.62.220\"".into());
                }
            }
            ("+CGATT", Op::Read) => lines.push(format!(
                "+CGATT: {}",
                u8::from(self.state.borrow().modem.registered)
            )),
            ("+COPS", Op::Read) => lines.push(
                if self.state.borrow().modem.registered {
                    "+COPS: 0,2,\"00101\",7"
                } else {
                    "+COPS: 0"
                }
                .into(),
            ),
            ("+CPIN", Op::Read) => lines.push(self.sim_state()?),
            ("+CPIN", Op::Set(args)) => {
                args.count(1, 1)?;
                let pin = args.string(0)?;
                match &self.options.sim {
                    Sim::PinRequired(right) if right == pin => {
                        self.state.borrow_mut().modem.pin_entered = true;
                        self.core.touch();
                    }
                    Sim::PinRequired(_) => return Err(Fail::Cme(16)),
                    Sim::Ready => return Err(Fail::Cme(3)),
                    Sim::Missing => return Err(Fail::Cme(10)),
                    Sim::PukRequired => return Err(Fail::Cme(12)),
                    Sim::Foreign => return Err(Fail::Cme(5)),
                }
            }
            ("+CESQ", Op::Execute) => lines.push(
                if self.state.borrow().modem.registered {
                    "+CESQ: 99,99,255,255,22,53"
                } else {
                    "+CESQ: 99,99,255,255,255,255"
                }
                .into(),
            ),
            ("%XMONITOR", Op::Execute) => {
                let state = self.state.borrow();
                let status = status(&state.modem, &self.options.sim);
                // The network grants what is requested.
                let psm = match state.modem.psm.strip_prefix("1,,,") {
                    Some(timers) => {
                        let (period, active) = timers.split_once(',').unwrap_or_default();
                        format!("{active},{period}")
                    }
                    None => "\"11100000\",\"11100000\"".into(),
                };
                lines.push(if status == 1 {
                    format!("%XMONITOR: 1,\"Test Network\",\"TN\",\"00101\",\"002F\",7,20,\"0012BEEF\",7,6400,53,42,\"\",{psm},\"00000000\"")
                } else {
                    format!("%XMONITOR: {status}")
                });
            }
            ("%XCBAND", Op::Test) => lines.push("%XCBAND: (2,3,4,8,12,13,20,28)".into()),
            ("%XCBAND", Op::Execute) => {
                let registered = self.state.borrow().modem.registered;
                lines.push(format!("%XCBAND: {}", if registered { 20 } else { 0 }));
            }
            ("+CPSMS", Op::Read) => lines.push(format!("+CPSMS: {}", {
                let state = self.state.borrow();
                if state.modem.psm.is_empty() {
                    "0".to_owned()
                } else {
                    state.modem.psm.clone()
                }
            })),
            ("%RAI", Op::Set(args)) => {
                args.count(1, 1)?;
                args.number(0, 0..=1)?;
            }
            // Allowed only while LTE is off (sheet 2b).
            ("%REL14FEAT", Op::Set(args)) => {
                args.count(5, 5)?;
                if !matches!(self.state.borrow().modem.functionality, 0 | 4) {
                    return Err(Fail::Cme(518));
                }
            }
            ("+CPSMS", Op::Set(args)) => {
                args.count(1, 5)?;
                let psm = match args.number_or(0, 0..=1, 0)? {
                    0 => String::new(),
                    _ => format!("1,,,\"{}\",\"{}\"", args.string(3)?, args.string(4)?),
                };
                self.state.borrow_mut().modem.psm = psm;
            }
            ("+CEDRXS", Op::Set(args)) => {
                args.count(1, 3)?;
                let on = matches!(args.number(0, 0..=3)?, 1 | 2);
                let asked = match args.len() {
                    3 if on => Some((args.number(1, 4..=5)?, args.string(2)?.to_owned())),
                    _ => None,
                };
                self.state.borrow_mut().modem.edrx = asked;
            }
            ("+CEDRXRDP", Op::Execute) => lines.push(match &self.state.borrow().modem.edrx {
                // Granted as requested, with a paging window.
                Some((technology, cycle)) => {
                    format!("+CEDRXRDP: {technology},\"{cycle}\",\"{cycle}\",\"0011\"")
                }
                None => "+CEDRXRDP: 0".into(),
            }),
            ("+CGMI", Op::Execute) => lines.push("Nordic Semiconductor ASA".into()),
            ("+CGMM", Op::Execute) => lines.push(profile.model.into()),
            ("+CGMR", Op::Execute) => lines.push(profile.modem_firmware.into()),
            ("+CGSN", Op::Execute) => lines.push("352656100885188".into()),
            ("+CGSN", Op::Set(args)) => {
                args.count(1, 1)?;
                lines.push(match args.number(0, 0..=1)? {
                    1 => "+CGSN: \"352656100885188\"".into(),
                    _ => "352656100885188".into(),
                });
            }
            ("%XVBAT", Op::Execute) => lines.push("%XVBAT: 4464".into()),
            _ => return Err(Fail::Unknown),
        }
        Ok(())
    }

    /// Handles commands that switch notices; returns false for any other command.
    fn subscription(&self, name: &str, op: &Op) -> Result<bool, Fail> {
        let Op::Set(args) = op else { return Ok(false) };
        let mut state = self.state.borrow_mut();
        let modem = &mut state.modem;
        match name {
            "+CEREG" => modem.cereg = args.byte(0, 0..=5)?,
            "+CSCON" => modem.cscon = args.byte(0, 0..=3)?,
            "+CGEREP" => modem.cgerep = args.byte(0, 0..=1)?,
            "%CESQ" => modem.signal_notices = args.byte(0, 0..=1)? == 1,
            "%XTIME" => modem.time_notices = args.byte(0, 0..=1)? == 1,
            "%MDMEV" => modem.event_notices = args.byte(0, 0..=1)? == 1,
            _ => return Ok(false),
        }
        Ok(true)
    }

    fn set_functionality(&self, args: &Args) -> ModemOutcome {
        let wanted = args.byte(0, 0..=44)?;
        let before = self.state.borrow().modem.functionality;
        match wanted {
            0 | 1 | 2 | 4 | 20 | 21 | 40 | 41 | 44 => {
                self.state.borrow_mut().modem.functionality = wanted;
            }
            // GNSS only.
            30 | 31 => return Ok(()),
            _ => return Err(Fail::Error),
        }
        let was_on = matches!(before, 1 | 21);
        let is_on = matches!(wanted, 1 | 21);
        match (was_on, is_on) {
            (true, false) => self.unregister(),
            (false, true) => {
                let urc = registration_urc(&self.state.borrow().modem, &self.options);
                if let Some(urc) = urc {
                    self.urc(&urc);
                }
                self.core.touch();
            }
            _ => {}
        }
        if wanted == 0 {
            self.state.borrow_mut().modem.pin_entered = false;
        }
        Ok(())
    }

    /// Returns the state of the SIM, which answers only while it has power.
    fn sim_state(&self) -> Result<String, Fail> {
        let state = self.state.borrow();
        if !matches!(state.modem.functionality, 1 | 21 | 41) {
            return Err(Fail::Error);
        }
        match self.options.sim {
            Sim::PinRequired(_) if !state.modem.pin_entered => Ok("+CPIN: SIM PIN".into()),
            Sim::Missing => Err(Fail::Cme(10)),
            Sim::PukRequired => Ok("+CPIN: SIM PUK".into()),
            Sim::Foreign => Ok("+CPIN: PH-SIM PIN".into()),
            _ => Ok("+CPIN: READY".into()),
        }
    }
}
