//! The commands of the short-range modules.

use std::rc::Rc;

use embassy_time::Duration;

use super::station::ADDRESS;
use super::store::{LIMIT, NAME_LIMIT, Upload};
use super::{Mode, ShortRange};

/// The result of a command: `OK` or `ERROR`, or nothing if the command has answered by itself.
type Outcome = Result<Done, ()>;

pub(super) enum Done {
    Ok,
    Answered,
}

const OK: Outcome = Ok(Done::Ok);

/// Splits arguments at commas outside quotes; `None` if a quote is not closed.
fn arguments(text: &str) -> Option<Vec<String>> {
    let mut found = vec![String::new()];
    let mut quoted = false;
    for character in text.chars() {
        match character {
            '"' => quoted = !quoted,
            ',' if !quoted => found.push(String::new()),
            other => found.last_mut()?.push(other),
        }
    }
    (!quoted).then_some(found)
}

fn number(text: &str) -> Result<u32, ()> {
    text.parse().map_err(drop)
}

impl ShortRange {
    pub(super) fn execute(self: &Rc<Self>, line: &[u8]) {
        let outcome = std::str::from_utf8(line)
            .map_err(drop)
            .and_then(|line| self.command(line.trim_end_matches('\n')));
        match outcome {
            Ok(Done::Ok) => self.ok(),
            Ok(Done::Answered) => {}
            Err(()) => self.error(),
        }
    }

    fn command(self: &Rc<Self>, line: &str) -> Outcome {
        let text = line.strip_prefix("AT").or_else(|| line.strip_prefix("at"));
        let text = text.ok_or(())?;
        let (name, args) = match text.split_once('=') {
            Some((name, args)) => (name, Some(arguments(args).ok_or(())?)),
            None => (text, None),
        };
        let args = args.as_deref();
        match (name, args) {
            ("", None) => OK,
            ("E0" | "E", None) => {
                self.echo.set(false);
                OK
            }
            ("E1", None) => {
                self.echo.set(true);
                OK
            }
            ("O0", None) if self.mode.get() == Mode::Command => OK,
            ("O1" | "O", None) => self.enter(Mode::Data),
            ("O2", None) => self.enter(Mode::Frames),
            ("O3", None) if self.options.profile.ppp => self.enter(Mode::Ppp),
            ("+GMI" | "+CGMI", None) => self.tells("\"u-blox\""),
            ("+GMM" | "+CGMM", None) => self.tells(&format!("\"{}\"", self.options.profile.model)),
            ("+GMR" | "+CGMR", None) => {
                let versions = self.options.profile.versions;
                self.tells(versions.split(',').next().unwrap_or_default())
            }
            ("I9", None) => self.tells(self.options.profile.versions),
            ("+GSN" | "+CGSN", None) => self.tells("\"0233965910595296\""),
            ("+UWAPMACADDR", None) => self.tells("+UWAPMACADDR:6009C3E05737"),
            ("+UMSM?", None) => self.tells(&format!("+UMSM:{}", self.start_mode.get() as u8)),
            ("+UMSM", Some([mode])) => {
                self.start_mode.set(match number(mode)? {
                    0 => Mode::Command,
                    1 => Mode::Data,
                    2 => Mode::Frames,
                    3 if self.options.profile.ppp => Mode::Ppp,
                    _ => return Err(()),
                });
                OK
            }
            ("+UMRS?", None) => self.tells("+UMRS:115200,1,8,1,1"),
            ("+UMSTAT", Some([id])) => match number(id)? {
                0 => self.tells("+UMSTAT:0,149"),
                1 => self.tells("+UMSTAT:1,1"),
                _ => Err(()),
            },
            ("+UMLA", Some([interface])) => match number(interface)? {
                2 => self.tells("+UMLA:D4CA6EFD96E0"),
                3 => self.tells("+UMLA:D4CA6EFD96E1"),
                4 => self.tells("+UMLA:D4CA6EFD96E3"),
                _ => Err(()),
            },
            ("+CSGT?", None) => self.tells("+CSGT:1,\"+STARTUP\""),
            ("+CPWROFF", None) => {
                self.ok();
                self.reboot();
                Ok(Done::Answered)
            }
            ("+UWSC", Some([id, tag, value])) => self.set_station(id, tag, value),
            ("+UWSCA", Some([id, action])) => self.act_on_station(id, action),
            ("+UWSSTAT", None) => self.station_status(),
            ("+UNSTAT", Some([interface, tag])) => match (number(interface)?, number(tag)?) {
                (0, 1) => {
                    let up = u8::from(self.station.borrow().address);
                    self.tells(&format!("+UNSTAT:0,1,{up}"))
                }
                (0, 101) => {
                    let has = self.station.borrow().address;
                    let address = if has { ADDRESS } else { "0.0.0.0" };
                    self.tells(&format!("+UNSTAT:0,101,{address}"))
                }
                _ => Err(()),
            },
            ("+UPPPC", Some([tag, value])) if self.options.profile.ppp => {
                self.set_link(number(tag)?, value).map(|()| Done::Ok)
            }
            ("+UWCFG", Some([tag, value])) => self.set_wifi(tag, value),
            ("+UDCFG", Some([tag, value])) => match (number(tag)?, self.options.profile.links) {
                (2, Some(most)) if (1..=most).contains(&(number(value)? as usize)) => {
                    self.links.set(number(value)? as usize);
                    OK
                }
                (0, _) if number(value)? < 2 => OK,
                _ => Err(()),
            },
            ("+UDCP", Some([url])) => self.connect_peer(url),
            ("+UDCPC", Some([handle])) => {
                if self.close_peer(number(handle)?) {
                    OK
                } else {
                    Err(())
                }
            }
            ("+UDLP?", None) => {
                let lines = self.list_peers();
                lines.iter().for_each(|line| self.answer(line));
                OK
            }
            ("+USECMNG", Some(args)) => self.security_manager(args),
            _ => Err(()),
        }
    }

    fn tells(&self, text: &str) -> Outcome {
        self.answer(text);
        OK
    }

    /// Enters a mode; the answer is sent in the old one (sheet A.1.3).
    fn enter(&self, mode: Mode) -> Outcome {
        let starts = mode == Mode::Frames;
        let event = || {
            if starts {
                let frame = super::frames::frame(super::frames::STARTED, b"");
                self.core.send(&frame);
            }
        };
        if self.options.starts_before_ok {
            event();
        }
        if !(self.options.no_ok && starts) {
            self.ok();
        }
        self.mode.set(mode);
        if !self.options.starts_before_ok {
            event();
        }
        Ok(Done::Answered)
    }

    fn set_station(&self, id: &str, tag: &str, value: &str) -> Outcome {
        let mut station = self.station.borrow_mut();
        // Other configurations exist, but are not used.
        if number(id)? > 9 || station.active {
            return Err(());
        }
        match number(tag)? {
            0 if matches!(value, "0" | "1") => {}
            2 if value.len() <= 32 => station.ssid = value.to_owned(),
            5 if (1..=5).contains(&number(value)?) => {
                station.authentication = number(value)? as u8;
            }
            8 if (8..=64).contains(&value.len()) => station.key = value.to_owned(),
            100 if matches!(value, "1" | "2") => {}
            // Static addresses are accepted, but not used.
            101..=105 if value.parse::<std::net::Ipv4Addr>().is_ok() => {}
            106 | 107 | 300 | 301 => {}
            _ => return Err(()),
        }
        OK
    }

    fn act_on_station(self: &Rc<Self>, id: &str, action: &str) -> Outcome {
        if number(id)? != 0 {
            return Err(());
        }
        match number(action)? {
            3 if !self.station.borrow().ssid.is_empty() => {
                self.activate();
                OK
            }
            4 => {
                // The configuration can be written some time later.
                self.ok();
                self.later(Duration::from_millis(100), |module| module.deactivate());
                Ok(Done::Answered)
            }
            1 | 2 => OK,
            _ => Err(()),
        }
    }

    fn station_status(&self) -> Outcome {
        let (link, ssid) = {
            let station = self.station.borrow();
            (station.link, station.ssid.clone())
        };
        let lines = if link {
            vec![
                format!("+UWSSTAT:0,\"{ssid}\""),
                "+UWSSTAT:1,FAAC838145DA".into(),
                "+UWSSTAT:2,1".into(),
                "+UWSSTAT:3,2".into(),
                "+UWSSTAT:6,-55".into(),
            ]
        } else {
            let state = u8::from(self.station.borrow().active);
            vec![format!("+UWSSTAT:3,{state}"), "+UWSSTAT:6,-32768".into()]
        };
        lines.iter().for_each(|line| self.answer(line));
        OK
    }

    fn set_wifi(&self, tag: &str, value: &str) -> Outcome {
        let value = number(value)?;
        match number(tag)? {
            1 if value < 3 => {}
            10 if value < 2 => self.station.borrow_mut().drops = value == 1,
            24 | 25 if self.options.profile.tls_versions && (1..=3).contains(&value) => {}
            _ => return Err(()),
        }
        OK
    }

    fn security_manager(&self, args: &[String]) -> Outcome {
        let mut numbers = args.iter().map(String::as_str);
        let op = number(numbers.next().ok_or(())?)?;
        if op == 3 {
            let names = ["CA", "CC", "PK"];
            let lines: Vec<String> = self
                .store
                .borrow()
                .keys()
                .map(|(kind, name)| format!("\"{}\",\"{name}\"", names[usize::from(*kind)]))
                .collect();
            lines.iter().for_each(|line| self.answer(line));
            return OK;
        }
        let kind = number(numbers.next().ok_or(())?)?;
        let name = numbers.next().ok_or(())?;
        if kind > 2 || name.is_empty() || name.len() > NAME_LIMIT {
            return Err(());
        }
        let key = (kind as u8, name.to_owned());
        match op {
            0 => {
                let len = number(numbers.next().ok_or(())?)? as usize;
                if len == 0 || len > LIMIT {
                    return Err(());
                }
                self.text(b"\r\n>", false);
                *self.upload.borrow_mut() = Some(Upload {
                    kind: kind as u8,
                    name: name.to_owned(),
                    len,
                    content: Vec::new(),
                });
                Ok(Done::Answered)
            }
            2 => {
                self.store.borrow_mut().remove(&key).ok_or(())?;
                OK
            }
            4 => {
                let content = self.store.borrow().get(&key).cloned().ok_or(())?;
                self.tells(&format!(
                    "+USECMNG:4,{}",
                    self.digest(kind as u8, name, &content)
                ))
            }
            _ => Err(()),
        }
    }
}
