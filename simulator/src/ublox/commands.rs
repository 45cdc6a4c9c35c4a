//! The commands of the u-blox cellular modules.

use std::rc::Rc;

use embassy_time::{Instant, Timer};

use super::credentials::{TYPES, der, digest};
use super::profile::{UbloxData, UbloxSuites};
use super::sockets::{EWOULDBLOCK, Phase, SOCKETS};
use super::state::{Profile, SharedSocket};
use super::{DialTrouble, Power, Ublox};
use crate::certificate::dates;
use crate::clock;
use crate::options::Sim;
use crate::syntax::{Args, Command, Fail, Op};

/// The end of a command that succeeded.
#[derive(PartialEq, Eq)]
enum Done {
    Ok,
    /// The command has sent its own result.
    Answered,
}

type Outcome = Result<Done, Fail>;
const OK: Outcome = Ok(Done::Ok);
const UNKNOWN: Outcome = Err(Fail::Unknown);
/// The error "operation not allowed".
const NOT_ALLOWED: Fail = Fail::Cme(3);
/// The error "incorrect parameters".
const PARAMETERS: Fail = Fail::Cme(50);
/// The security manager's error for an absent item. The number is UNCONFIRMED (sheet B.2.5).
const NOT_THERE: Fail = Fail::Cme(1500);
/// The security manager's error for an invalid credential. The number is UNCONFIRMED (sheet B.2.5).
const BAD_CREDENTIAL: Fail = Fail::Cme(1501);

const IMPORT_LIMIT: i64 = 8192;
const STORE_LIMIT: usize = 16;
const CHUNK: i64 = 1024;
const LOCATION: &str = "\"9E9A\",\"0196BDB0\",7";

impl Ublox {
    pub(super) async fn execute(self: &Rc<Self>, command: Command) {
        let Command { name, op } = command;
        let outcome = match self.general(&name, &op).await {
            UNKNOWN => match self.network_commands(&name, &op).await {
                UNKNOWN => match self.security(&name, &op).await {
                    UNKNOWN => self.sockets(&name, &op).await,
                    outcome => outcome,
                },
                outcome => outcome,
            },
            outcome => outcome,
        };
        match outcome {
            Ok(Done::Ok) => self.ok(),
            Ok(Done::Answered) => {}
            Err(fail) => self.fail(fail),
        }
    }

    async fn general(self: &Rc<Self>, name: &str, op: &Op) -> Outcome {
        let profile = self.options.profile;
        match (name, op) {
            ("", Op::Execute) => {}
            ("E" | "E0", Op::Execute) => self.state.borrow_mut().now.echo = false,
            ("E1", Op::Execute) => self.state.borrow_mut().now.echo = true,
            ("I9", Op::Execute) => self.answer(profile.version),
            ("I" | "I0" | "+CGMM" | "+GMM", Op::Execute) => self.answer(profile.model),
            ("+CGMI" | "+GMI", Op::Execute) => self.answer("u-blox"),
            ("+CGMR" | "+GMR", Op::Execute) => self.answer(profile.version),
            ("+CGSN" | "+GSN", Op::Execute) => self.answer("356078090000000"),
            ("+CIMI", Op::Execute) if self.sim_is_ready() => self.answer("310410000000000"),
            ("+CCID", Op::Execute) if self.sim_is_ready() => {
                self.answer("+CCID: 8945030000000000000F");
            }
            ("+CIMI" | "+CCID", Op::Execute) => return Err(Fail::Cme(10)),
            ("&C0" | "&C1" | "&D0" | "&D1" | "&D2" | "&K0" | "&K3", Op::Execute) => {}
            ("+CMEE", Op::Read) => {
                let level = self.state.borrow().now.cmee;
                self.answer(&format!("+CMEE: {level}"));
            }
            ("+CMEE", Op::Set(args)) => {
                args.count(1, 1)?;
                self.state.borrow_mut().now.cmee = args.byte(0, 0..=2)?;
            }
            ("+UPSV" | "+UPSMR" | "+UMWI" | "+UCGED" | "+CSCON" | "+UAUTHREQ", Op::Set(_)) => {}
            ("+UDCONF", Op::Set(args)) => {
                args.count(1, 2)?;
                if args.number(0, 1..=1)? == 1 && args.len() == 2 {
                    self.state.borrow_mut().nv.hex = args.byte(1, 0..=1)? == 1;
                } else {
                    let hex = self.state.borrow().nv.hex;
                    self.answer(&format!("+UDCONF: 1,{}", u8::from(hex)));
                }
            }
            ("+UMNOPROF", Op::Read) => self.answer("+UMNOPROF: 90"),
            ("+CPSMS", Op::Read) => {
                self.core
                    .send(b"\r\n+CPSMS:0,\"01100000\",\"00000000\",,\"00000000\"\r\n");
            }
            ("+CEDRXS", Op::Read) => self.core.send(b"\r\n+CEDRXS:\r\n"),
            ("+UGPRF", Op::Read) => self.answer("+UGPRF: 2,0,\"\""),
            ("+CCLK", Op::Read) => {
                let shown = clock::show(self.now(), 0, false);
                self.answer(&format!("+CCLK: \"{shown}\""));
            }
            ("+CCLK", Op::Set(args)) => {
                args.count(1, 1)?;
                let (utc, _) = clock::read(args.string(0)?).ok_or(PARAMETERS)?;
                self.state.borrow_mut().now.clock = Some(clock::EmulatedClock::starting_at(utc));
            }
            ("+CTZU", Op::Set(args)) => {
                args.count(1, 1)?;
                let on = args.byte(0, 0..=1)? == 1;
                let mut state = self.state.borrow_mut();
                state.now.ctzu = on;
                if on && state.now.registered {
                    state.now.clock = self.network_clock.or(state.now.clock);
                }
            }
            ("+CPWROFF", Op::Execute) => {
                self.ok();
                self.restart_with_words(Power::Off).await;
                return Ok(Done::Answered);
            }
            _ => return UNKNOWN,
        }
        OK
    }

    /// Restarts after the waiting output was sent.
    async fn restart_with_words(&self, power: Power) {
        let left = self.core.until(|| self.core.waiting_output() == 0);
        embassy_futures::select::select(left, Timer::after_millis(100)).await;
        self.restart(power);
    }

    async fn network_commands(self: &Rc<Self>, name: &str, op: &Op) -> Outcome {
        let profile = self.options.profile;
        let levels = ["+CREG", "+CGREG", "+CEREG"];
        if let Some(index) = levels.iter().position(|known| *known == name) {
            if index == 2 && !profile.lte {
                return UNKNOWN;
            }
            match op {
                Op::Set(args) => {
                    args.count(1, 1)?;
                    self.state.borrow_mut().now.creg[index] = args.byte(0, 0..=4)?;
                }
                Op::Read => {
                    let level = self.state.borrow().now.creg[index];
                    let stat = self.stat();
                    let area = if level > 1 && stat == 5 {
                        format!(",{LOCATION}")
                    } else {
                        String::new()
                    };
                    self.answer(&if profile.odd_registration && index < 2 {
                        format!("{name}: {stat},{LOCATION}")
                    } else {
                        format!("{name}: {level},{stat}{area}")
                    });
                }
                _ => return UNKNOWN,
            }
            return OK;
        }
        match (name, op) {
            ("+CPIN", Op::Read) => {
                let entered = self.state.borrow().now.pin_entered;
                let state = match self.options.sim {
                    Sim::Missing => return Err(Fail::Cme(10)),
                    Sim::PinRequired(_) if !entered => "SIM PIN",
                    Sim::PukRequired => "SIM PUK",
                    Sim::Foreign => "PH-NET PIN",
                    Sim::Ready | Sim::PinRequired(_) => "READY",
                };
                self.answer(&format!("+CPIN: {state}"));
            }
            ("+CPIN", Op::Set(args)) => match &self.options.sim {
                Sim::PinRequired(pin) if pin == args.string(0)? => {
                    self.state.borrow_mut().now.pin_entered = true;
                    self.core.touch();
                }
                Sim::PinRequired(_) => return Err(Fail::Cme(16)),
                _ => return Err(NOT_ALLOWED),
            },
            ("+CFUN", Op::Read) => {
                let functionality = self.state.borrow().now.functionality;
                self.answer(&format!("+CFUN: {functionality}"));
            }
            ("+CFUN", Op::Set(args)) => match args.number(0, 0..=19)? {
                15 | 16 => {
                    self.ok();
                    let at = Instant::now() + self.options.boot_time;
                    self.restart_with_words(Power::Booting(at)).await;
                    return Ok(Done::Answered);
                }
                functionality => {
                    self.state.borrow_mut().now.functionality = functionality as u8;
                    if functionality != 1 {
                        self.unregister();
                    }
                    self.core.touch();
                }
            },
            ("+CGEREP", Op::Set(args)) => {
                self.state.borrow_mut().now.cgerep = args.byte(0, 0..=2)? > 0;
            }
            ("+CSQ", Op::Execute) => {
                let heard = if self.state.borrow().now.registered {
                    17
                } else {
                    99
                };
                self.answer(&format!("+CSQ: {heard},99"));
            }
            ("+COPS", Op::Read) => self.answer(&if self.state.borrow().now.registered {
                "+COPS: 0,0,\"3 DK\",7".to_owned()
            } else {
                "+COPS: 0".to_owned()
            }),
            ("+COPS", Op::Set(_)) => {}
            ("+CGATT", Op::Read) => {
                let attached = self.state.borrow().now.registered;
                self.answer(&format!("+CGATT: {}", u8::from(attached)));
            }
            ("+CGATT", Op::Set(args)) => {
                args.count(1, 1)?;
                let attach = args.byte(0, 0..=1)? == 1;
                let was_detached =
                    std::mem::replace(&mut self.state.borrow_mut().now.detached, !attach);
                if !attach {
                    self.unregister();
                    return OK;
                }
                // The answer comes once the change has happened.
                self.core.touch();
                self.core
                    .until(|| self.state.borrow().now.registered || !self.may_register())
                    .await;
                if was_detached {
                    let mended = self.mended.get().max(DialTrouble::UntilAttached);
                    self.mended.set(mended);
                }
            }
            ("+CGDCONT", Op::Read) => {
                let apn = self.state.borrow().nv.apn.clone();
                self.answer(&format!("+CGDCONT: 1,\"IP\",\"{apn}\",\"0.0.0.0\",0,0,0,0"));
            }
            ("+CGDCONT", Op::Set(args)) => {
                args.count(3, 9)?;
                let on = self.state.borrow().now.functionality == 1;
                if profile.data == UbloxData::Attach && on {
                    return Err(NOT_ALLOWED);
                }
                match args.byte(0, 1..=8)? {
                    1 => self.state.borrow_mut().nv.apn = args.string(2)?.to_owned(),
                    context => drop(self.state.borrow_mut().now.contexts.insert(context)),
                }
            }
            ("+CGACT", Op::Read) => {
                let active = self.state.borrow().now.context;
                if active || !profile.odd_registration {
                    self.answer(&format!("+CGACT: 1,{}", u8::from(active)));
                }
            }
            ("+CGACT", Op::Set(args)) if profile.data != UbloxData::Profile => {
                let on = args.number(0, 0..=1)? == 1;
                let cid = if args.len() > 1 {
                    args.number(1, 1..=8)?
                } else {
                    1
                };
                let refused = on && self.options.refuses_data;
                if !self.state.borrow().now.registered || cid != 1 || refused {
                    return Err(NOT_ALLOWED);
                }
                self.state.borrow_mut().now.context = on;
            }
            ("+CGPADDR", Op::Set(_)) => self.answer("+CGPADDR: 1,\"10.85.125.87\""),
            ("+UPSD" | "+UPSND" | "+UPSDA", _)
                if !matches!(profile.data, UbloxData::Profile | UbloxData::Bound) =>
            {
                return UNKNOWN;
            }
            ("+UPSD", Op::Set(args)) => {
                if self.state.borrow().now.profile {
                    return Err(NOT_ALLOWED);
                }
                if args.number(1, 0..=100)? == 100 {
                    self.state.borrow_mut().now.bound = args.number(2, 0..=8)? == 1;
                }
            }
            ("+UPSND", Op::Set(args)) => {
                let active = self.state.borrow().now.profile;
                match args.number(1, 0..=8)? {
                    8 => self.answer(&format!("+UPSND: 0,8,{}", u8::from(active))),
                    _ => self.answer("+UPSND: 0,0,\"100.92.188.77\""),
                }
            }
            ("+UPSDA", Op::Set(args)) => {
                let action = args.number(1, 0..=4)?;
                if action == 4 {
                    self.state.borrow_mut().now.profile = false;
                    self.break_sockets();
                    return OK;
                }
                let now = self.state.borrow().now.clone();
                let bound = profile.data == UbloxData::Profile || now.bound && now.context;
                if !now.registered || !bound || now.profile || self.options.refuses_data {
                    return Err(NOT_ALLOWED);
                }
                let modem = self.clone();
                self.core.spawn(async move {
                    Timer::after(modem.options.activation_delay).await;
                    if modem.state.borrow().now.registered {
                        modem.state.borrow_mut().now.profile = true;
                        modem.urc("+UUPSDA: 0,\"100.92.188.77\"");
                    }
                });
            }
            _ => return UNKNOWN,
        }
        OK
    }

    async fn security(self: &Rc<Self>, name: &str, op: &Op) -> Outcome {
        match (name, op) {
            ("+USECMNG", Op::Set(args)) => match args.number(0, 0..=4)? {
                0 => self.import(args).await,
                2 => {
                    let key = credential(args)?;
                    let removed = self.state.borrow_mut().nv.store.remove(&key);
                    removed.map(|_| Done::Ok).ok_or(NOT_THERE)
                }
                3 => {
                    let state = self.state.borrow();
                    for ((of, name), content) in &state.nv.store {
                        let of = TYPES[usize::from(*of)];
                        let end = self.options.lists_ends.then(|| listed_end(content));
                        let end = end.flatten().unwrap_or_default();
                        self.answer(&format!("\"{of}\",\"{name}\"{end}"));
                    }
                    OK
                }
                4 => {
                    let key = credential(args)?;
                    let content = self.state.borrow().nv.store.get(&key).cloned();
                    let content = content.ok_or(NOT_THERE)?;
                    self.tell_digest(4, &key, &content);
                    OK
                }
                _ => Err(PARAMETERS),
            },
            ("+USECPRF", Op::Set(args)) => self.profile(args),
            _ => UNKNOWN,
        }
    }

    fn tell_digest(&self, op: u8, (of, name): &(u8, String), content: &[u8]) {
        let der = der(*of, content, false).unwrap_or_else(|| content.to_vec());
        let md5 = digest(&der, self.options.other_md5);
        self.answer(&format!("+USECMNG: {op},{of},\"{name}\",\"{md5}\""));
    }

    async fn import(self: &Rc<Self>, args: &Args) -> Outcome {
        args.count(4, 5)?;
        let key = credential(args)?;
        let size = args.number(3, 1..=IMPORT_LIMIT)? as usize;
        {
            let state = self.state.borrow();
            if state.nv.store.len() >= STORE_LIMIT && !state.nv.store.contains_key(&key) {
                return Err(BAD_CREDENTIAL);
            }
        }
        let prompt: &[u8] = if self.options.profile.prompt_space {
            b"> "
        } else {
            b">"
        };
        let content = self
            .take_payload(prompt, size, self.options.echoes_imports)
            .await;
        let takes_any = self.options.takes_anything;
        if !takes_any && der(key.0, &content, self.options.profile.wants_lines).is_none() {
            return Err(BAD_CREDENTIAL);
        }
        self.tell_digest(0, &key, &content);
        self.state.borrow_mut().nv.store.insert(key, content);
        OK
    }

    fn profile(&self, args: &Args) -> Outcome {
        let number = args.byte(0, 0..=4)?;
        let form = self.options.profile.suites;
        let mut state = self.state.borrow_mut();
        let profile = &mut state.now.profiles[usize::from(number)];
        if args.len() == 1 {
            *profile = Profile::default();
            return OK;
        }
        let op = args.number(1, 0..=14)?;
        if op == 10 && !self.options.profile.sni {
            return Err(PARAMETERS);
        }
        if args.len() == 2 {
            let value = match op {
                0 => profile.level.to_string(),
                1 => profile.version.to_string(),
                2 if !profile.suites.is_empty() => {
                    let suites: Vec<String> = profile
                        .suites
                        .iter()
                        .map(|suite| format!("{suite:04X}"))
                        .collect();
                    let form = if form == UbloxSuites::List { 100 } else { 99 };
                    format!("{form},\"{}\"", suites.join(";"))
                }
                2 => profile.number.to_string(),
                3 => format!("\"{}\"", profile.ca),
                4 => format!("\"{}\"", profile.host),
                5 => format!("\"{}\"", profile.cert),
                6 => format!("\"{}\"", profile.key),
                10 => format!("\"{}\"", profile.sni),
                _ => return Err(PARAMETERS),
            };
            drop(state);
            self.answer(&format!("+USECPRF: {number},{op},{value}"));
            return OK;
        }
        let text = |limit: usize| {
            let text = args.string(2)?;
            if text.len() > limit {
                return Err(PARAMETERS);
            }
            Ok(text.to_owned())
        };
        match op {
            0 => profile.level = args.byte(2, 0..=3)?,
            1 => profile.version = args.byte(2, 0..=4)?,
            2 => match (args.number(2, 0..=100)?, form) {
                (0, _) => (profile.number, profile.suites) = (0, Vec::new()),
                (number @ 1..=33, _) => profile.number = number as u8,
                (99, UbloxSuites::One) => profile.suites = vec![suite(args)?],
                (100, UbloxSuites::List) => {
                    let suite = suite(args)?;
                    profile.suites.retain(|known| *known != suite);
                    if args.number(5, 0..=1)? == 0 {
                        profile.suites.push(suite);
                    }
                }
                _ => return Err(PARAMETERS),
            },
            3 => profile.ca = text(200)?,
            4 => profile.host = text(256)?,
            5 => profile.cert = text(200)?,
            6 => profile.key = text(200)?,
            10 => profile.sni = text(128)?,
            7..=9 | 11..=14 => {}
            _ => return Err(PARAMETERS),
        }
        OK
    }

    fn socket(&self, args: &Args) -> Result<(u8, SharedSocket), Fail> {
        let id = args.byte(0, 0..=SOCKETS - 1)?;
        let socket = self.state.borrow().sockets.get(&id).cloned();
        Ok((id, socket.ok_or(NOT_ALLOWED)?))
    }

    async fn sockets(self: &Rc<Self>, name: &str, op: &Op) -> Outcome {
        match (name, op) {
            ("+USOER", Op::Execute) => {
                let error = self.state.borrow().now.error;
                self.answer(&format!("+USOER: {error}"));
                return OK;
            }
            ("+UDNSRN", Op::Set(_)) => {
                self.answer("+UDNSRN: \"127.0.0.1\"");
                return OK;
            }
            _ => {}
        }
        let Op::Set(args) = op else { return UNKNOWN };
        match name {
            "+USOCR" => {
                if !matches!(args.number(0, 0..=17)?, 6 | 17) {
                    return Err(PARAMETERS);
                }
                let id = self.create().ok_or(NOT_ALLOWED)?;
                self.answer(&format!("+USOCR: {id}"));
            }
            "+USOSEC" => {
                let (id, socket) = self.socket(args)?;
                if args.len() == 1 {
                    let profile = socket.borrow().secure.map(|secure| secure.0);
                    self.answer(&match profile {
                        Some(profile) => format!("+USOSEC: {id},1,{profile}"),
                        None => format!("+USOSEC: {id},0"),
                    });
                    return OK;
                }
                if socket.borrow().phase != Phase::Created {
                    return Err(NOT_ALLOWED);
                }
                let on = args.number(1, 0..=1)? == 1;
                let profile = args.number_or(2, 0..=4, 0)? as u8;
                let secure = self
                    .state
                    .borrow()
                    .sockets
                    .values()
                    .filter(|other| other.borrow().secure.is_some())
                    .count();
                if on && secure >= self.options.tls_limit && socket.borrow().secure.is_none() {
                    return Err(NOT_ALLOWED);
                }
                socket.borrow_mut().secure = on.then(|| (profile, Instant::now()));
            }
            "+USOSO" => {
                self.socket(args)?;
            }
            "+USOCO" => return self.connect_command(args).await,
            "+USOWR" => return self.write(args).await,
            "+USORD" => return self.read(args),
            "+USOCTL" => {
                let (id, socket) = self.socket(args)?;
                let socket = socket.borrow();
                let what = args.number(1, 0..=11)?;
                let value = match what {
                    0 => 6,
                    1 => socket.error.into(),
                    2 => socket.sent,
                    3 => socket.received,
                    10 => socket.state().into(),
                    11 => socket.unsent() as u64,
                    _ => return Err(PARAMETERS),
                };
                self.answer(&format!("+USOCTL: {id},{what},{value}"));
            }
            "+USOCL" => {
                let most = if self.options.profile.closes_later {
                    2
                } else {
                    1
                };
                args.count(1, most)?;
                let (id, socket) = self.socket(args)?;
                if args.number_or(1, 0..=1, 0)? == 1 {
                    let modem = self.clone();
                    self.core.spawn(async move {
                        modem.close(socket, id).await;
                        modem.urc(&format!("+UUSOCL: {id}"));
                    });
                } else {
                    self.close(socket, id).await;
                }
            }
            _ => return UNKNOWN,
        }
        OK
    }

    async fn connect_command(self: &Rc<Self>, args: &Args) -> Outcome {
        let later = self.options.profile.connects_later;
        args.count(3, if later { 4 } else { 3 })?;
        let (id, socket) = self.socket(args)?;
        let host = args.string(1)?.to_owned();
        let port = args.number(2, 1..=65535)? as u16;
        if socket.borrow().phase != Phase::Created {
            self.state.borrow_mut().now.error = 106;
            return Err(NOT_ALLOWED);
        }
        // TRAP, sheet B.2.3: the command closes a socket that is being connected.
        let others: Vec<(u8, SharedSocket)> = {
            let state = self.state.borrow();
            let connecting = state
                .sockets
                .iter()
                .filter(|(_, other)| other.borrow().phase == Phase::Connecting);
            connecting.map(|(id, other)| (*id, other.clone())).collect()
        };
        for (other, socket) in others {
            socket.borrow_mut().cancelled = true;
            self.state.borrow_mut().sockets.remove(&other);
            self.urc(&format!("+UUSOCL: {other}"));
        }
        if args.number_or(3, 0..=1, 0)? == 0 {
            return match self.connect(&socket, &host, port).await {
                Ok(()) => OK,
                Err(_) => Err(Fail::Error),
            };
        }
        let modem = self.clone();
        self.core.spawn(async move {
            // The answer to the command is sent first.
            Timer::after_millis(1).await;
            let cancelled = socket.clone();
            let connect = modem.connect(&socket, &host, port);
            let gone = modem.core.until(|| cancelled.borrow().cancelled);
            match embassy_futures::select::select(gone, connect).await {
                embassy_futures::select::Either::First(()) => {}
                embassy_futures::select::Either::Second(result) => {
                    let error = result.err().unwrap_or(0);
                    if !cancelled.borrow().cancelled {
                        modem.urc(&format!("+UUSOCO: {id},{error}"));
                    }
                }
            }
        });
        OK
    }

    async fn write(self: &Rc<Self>, args: &Args) -> Outcome {
        args.count(2, 3)?;
        let (id, socket) = self.socket(args)?;
        let hex = self.state.borrow().nv.hex;
        let count = args.number(1, 1..=if hex { CHUNK / 2 } else { CHUNK })? as usize;
        if socket.borrow().phase != Phase::Connected {
            return Err(NOT_ALLOWED);
        }
        let full = socket.borrow().unsent() >= self.options.send_buffer;
        let reads_first = self.options.profile.reads_first && socket.borrow().unread() > 0;
        if full || reads_first {
            socket.borrow_mut().error = if full { EWOULDBLOCK } else { 0 };
            self.fail(Fail::Error);
            if reads_first {
                let unread = socket.borrow().unread();
                self.urc(&format!("+UUSORD: {id},{unread}"));
            }
            return Ok(Done::Answered);
        }
        let bytes = if args.len() == 3 {
            let text = args.bytes(2)?.to_vec();
            if text.len() != count {
                return Err(PARAMETERS);
            }
            text
        } else {
            self.take_payload(b"@", count, false).await
        };
        if socket.borrow().phase != Phase::Connected || socket.borrow().cancelled {
            return Err(NOT_ALLOWED);
        }
        let taken = self.queue(&socket, &bytes);
        self.answer(&format!("+USOWR: {id},{taken}"));
        OK
    }

    fn read(&self, args: &Args) -> Outcome {
        args.count(2, 2)?;
        let (id, socket) = self.socket(args)?;
        let count = args.number(1, 0..=CHUNK)? as usize;
        if matches!(
            socket.borrow().phase,
            Phase::Created | Phase::Connecting | Phase::Failed
        ) {
            return Err(NOT_ALLOWED);
        }
        if count == 0 {
            let unread = socket.borrow().unread();
            self.answer(&format!("+USORD: {id},{unread}"));
            return OK;
        }
        let bytes = socket.borrow_mut().take(count);
        if bytes.is_empty() {
            self.answer(&if self.options.profile.bare_empty {
                format!("+USORD: {id},\"\"")
            } else {
                format!("+USORD: {id},0,\"\"")
            });
            return OK;
        }
        let hex = self.state.borrow().nv.hex;
        let shown = if hex {
            bytes
                .iter()
                .map(|byte| format!("{byte:02X}"))
                .collect::<String>()
                .into_bytes()
        } else {
            bytes.clone()
        };
        self.core
            .send(format!("\r\n+USORD: {id},{},\"", bytes.len()).as_bytes());
        self.core.send(&shown);
        self.core.send(b"\"\r\n");
        self.ok();
        // After a partial read the rest is announced again (sheet B.2.4).
        let unread = socket.borrow().unread();
        if unread > 0 {
            self.urc(&format!("+UUSORD: {id},{unread}"));
        }
        self.tell_closed(&socket);
        // The peer can send again.
        self.core.touch();
        Ok(Done::Answered)
    }
}

/// Returns type and name of a credential.
/// Returns the last two fields of a certificate's line in a list: a common name, which here is one for all, and the end
/// (sheet B.2.1).
fn listed_end(content: &[u8]) -> Option<String> {
    let (_, _, end) = dates(content)?;
    let part = |at: std::ops::Range<usize>| end.get(at);
    Some(format!(
        ",\"a, name\",\"{}/{}/{} {}:{}:{}\"",
        part(0..4)?,
        part(4..6)?,
        part(6..8)?,
        part(8..10)?,
        part(10..12)?,
        part(12..14)?
    ))
}

fn credential(args: &Args) -> Result<(u8, String), Fail> {
    let name = args.string(2)?;
    if name.is_empty() || name.len() > 200 {
        return Err(PARAMETERS);
    }
    Ok((args.byte(1, 0..=5)?, name.to_owned()))
}

/// Reads the two bytes of a suite, `"c0","2b"`.
fn suite(args: &Args) -> Result<u16, Fail> {
    let byte = |index| u8::from_str_radix(args.string(index)?, 16).map_err(|_| PARAMETERS);
    Ok(u16::from_be_bytes([byte(3)?, byte(4)?]))
}
