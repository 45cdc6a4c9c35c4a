//! The commands of plain TCP sockets, and the settings of the TCP/IP chapter (sheet 4.8). UDP,
//! listeners, ping and the modem's own MQTT client are not modelled; the client's settings are
//! accepted, so that T2 can be played.

use std::rc::Rc;

use embassy_time::{Duration, Timer};

use super::super::Bg96;
use super::super::parser::{Args, Fail, Op};
use super::super::sockets::{Kind, Mode, Phase, Socket};
use super::ssl::shown_address;
use super::{Done, OK, Outcome, Reply, UNKNOWN};

const MQTT_SETTINGS: [&str; 7] = [
    "version",
    "pdpcid",
    "ssl",
    "keepalive",
    "session",
    "timeout",
    "will",
];

impl Bg96 {
    pub(super) async fn tcp(self: &Rc<Self>, name: &str, op: &Op, reply: &mut Reply) -> Outcome {
        match (name, op) {
            ("QIOPEN", Op::Set(args)) => return self.tcp_open(args).await,
            ("QISEND", Op::Set(args)) if args.len() == 2 && args.number(1, 0, 0).is_ok() => {
                let socket = self.connected(args.byte(0, 0, 11)?, false)?;
                let socket = socket.borrow();
                let unsent = socket.unsent() as u64;
                let sent = socket.total_sent;
                reply.line(format!("+QISEND: {sent},{},{unsent}", sent - unsent));
            }
            ("QISEND", Op::Set(args)) => return self.send_payload(args, false).await,
            ("QIRD", Op::Set(args)) => {
                args.count(1, 2)?;
                let id = args.byte(0, 0, 11)?;
                // TRAP: no length means 1500 (mbed issue 9345, sheet 4.8).
                let limit = args.number_or(1, 0, 1500, 1500)?;
                if limit > 0 {
                    return self.receive_payload(id, limit, false);
                }
                let socket = self.socket(id, false).ok_or(Fail::Tcp(559))?;
                let socket = socket.borrow();
                let (total, unread) = (socket.total_received, socket.unread() as u64);
                reply.line(format!("+QIRD: {total},{},{unread}", total - unread));
            }
            ("QICLOSE", Op::Set(args)) => {
                args.count(1, 2)?;
                let id = args.byte(0, 0, 11)?;
                let timeout = Duration::from_secs(args.number_or(1, 0, 65535, 10)?);
                // Unlike its TLS sibling, the command answers `OK` on an id that is not open (T2).
                if let Some(socket) = self.socket(id, false) {
                    self.close(&socket, timeout).await;
                }
            }
            ("QISWTMD", Op::Set(args)) => return self.switch_mode(args).await,
            ("QISTATE", Op::Read | Op::Execute) => self.tcp_states(|_, _| true, reply),
            ("QISTATE", Op::Set(args)) => {
                args.count(2, 2)?;
                let by_id = args.byte(0, 0, 1)? == 1;
                let wanted = args.byte(1, 0, 16)?;
                self.tcp_states(
                    |id, pdp| if by_id { id == wanted } else { pdp == wanted },
                    reply,
                );
            }
            ("QIDNSGIP", Op::Set(args)) => return self.look_up(args),
            ("QISDE", Op::Read) => reply.line(format!(
                "+QISDE: {}",
                u8::from(self.state.borrow().echo_data)
            )),
            ("QISDE", Op::Set(args)) => {
                args.count(1, 1)?;
                self.state.borrow_mut().echo_data = args.byte(0, 0, 1)? == 1;
            }
            ("QICFG", Op::Set(args)) => return self.tcp_setting(args, reply),
            ("QMTCFG", Op::Set(args)) => {
                args.count(2, 8)?;
                let key = args.string(0)?.to_ascii_lowercase();
                args.byte(1, 0, 5)?;
                if !MQTT_SETTINGS.contains(&key.as_str()) {
                    return Err(Fail::Error);
                }
            }
            _ => return UNKNOWN,
        }
        OK
    }

    async fn tcp_open(self: &Rc<Self>, args: &Args) -> Outcome {
        args.count(5, 7)?;
        let pdp = args.byte(0, 1, 16)?;
        let id = args.byte(1, 0, 11)?;
        if args.string(2)? != "TCP" {
            return Err(Fail::Tcp(555));
        }
        let port = args.number(4, 1, 65535)? as u16;
        args.number_or(5, 0, 65535, 0)?;
        let mode = match args.number_or(6, 0, 2, 0)? {
            0 => Mode::Buffer,
            1 => Mode::Push,
            _ => Mode::Transparent,
        };
        self.open(Socket::new(id, Kind::Tcp, pdp, args.string(3)?, port, mode))
            .await
    }

    fn tcp_states(&self, wanted: impl Fn(u8, u8) -> bool, reply: &mut Reply) {
        for (id, socket) in &self.state.borrow().sockets {
            let socket = socket.borrow();
            if socket.kind != Kind::Tcp || !wanted(*id, socket.pdp) {
                continue;
            }
            // TRAP, T4b: a real BG96 calls a live client connection state 3.
            let phase = if socket.phase == Phase::Connected {
                3
            } else {
                socket.phase as u8
            };
            reply.line(format!(
                "+QISTATE: {id},\"TCP\",\"{}\",{},{},{phase},{},{id},{},\"uart1\"",
                shown_address(&socket.host),
                socket.port,
                socket.local_port,
                socket.pdp,
                socket.mode as u8,
            ));
        }
    }

    fn look_up(&self, args: &Args) -> Outcome {
        args.count(2, 2)?;
        let context = args.byte(0, 1, 16)?;
        let host = args.string(1)?.to_owned();
        if !self.state.borrow().active(context) {
            return Err(Fail::Tcp(561));
        }
        let Some(modem) = self.me.upgrade() else {
            return OK;
        };
        let epoch = self.boots.get();
        self.core.spawn(async move {
            Timer::after(Duration::from_millis(300)).await;
            if modem.boots.get() == epoch {
                // Every name leads to this computer.
                modem.urc("+QIURC: \"dnsgip\",0,1,600");
                modem.urc(&format!("+QIURC: \"dnsgip\",\"{}\"", shown_address(&host)));
            }
        });
        OK
    }

    fn tcp_setting(&self, args: &Args, reply: &mut Reply) -> Outcome {
        args.count(1, 3)?;
        // The name of a setting, the ranges of its values, and its defaults.
        type Setting = (&'static str, &'static [(u64, u64)], &'static str);
        const SETTINGS: [Setting; 5] = [
            ("transpktsize", &[(1, 1460)], "1024"),
            ("transwaittm", &[(0, 20)], "2"),
            // The setting is stored, but hex mode is not modelled.
            ("dataformat", &[(0, 1), (0, 1)], "0,0"),
            ("viewmode", &[(0, 1)], "0"),
            ("tcp/retranscfg", &[(3, 20), (5, 1000)], "8,600"),
        ];
        let name = args.string(0)?.to_ascii_lowercase();
        let (name, ranges, default) = SETTINGS
            .into_iter()
            .find(|(known, ..)| *known == name)
            .ok_or(Fail::Error)?;
        let mut state = self.state.borrow_mut();
        if args.len() == 1 {
            let value = state.tcp_settings.get(name).map_or(default, String::as_str);
            reply.line(format!("+QICFG: \"{name}\",{value}"));
            return OK;
        }
        args.count(1 + ranges.len(), 1 + ranges.len())?;
        let mut values = Vec::new();
        for (index, (least, most)) in ranges.iter().enumerate() {
            values.push(args.number(index + 1, *least, *most)?.to_string());
        }
        state.tcp_settings.insert(name, values.join(","));
        Ok(Done::Ok)
    }
}
