//! The commands of TLS sockets (sheet section 4).

use std::rc::Rc;

use embassy_time::Duration;

use super::super::Bg96;
use super::super::parser::{Args, Fail, Op};
use super::super::sockets::{Kind, Mode, Phase, Socket};
use super::super::state::SslContext;
use super::{Done, OK, Outcome, Reply, UNKNOWN, tcp_error_text};
use crate::options::OpenResultTiming;
use crate::profile::UsedId;

/// The most bytes of one send. The manual says 1460 in one place and 1500 in another (sheet 4.3); the
/// smaller number is the stricter.
pub(super) const SEND_LIMIT: u64 = 1460;
const RECEIVE_LIMIT: u64 = 1500;
/// The character that ends the text form of a send.
const CTRL_Z: u8 = 0x1a;
/// The character that cancels the text form of a send.
const ESCAPE: u8 = 0x1b;

impl Bg96 {
    pub(super) async fn ssl(self: &Rc<Self>, name: &str, op: &Op, reply: &mut Reply) -> Outcome {
        match (name, op) {
            ("QSSLCFG", Op::Test) if !self.options.profile.lists_ssl_keys => {
                return Err(Fail::Error);
            }
            ("QSSLCFG", Op::Test) => {
                for (key, values) in self.options.profile.ssl_keys {
                    reply.line(format!("+QSSLCFG: \"{key}\",(0-5),{values}"));
                }
            }
            ("QSSLCFG", Op::Set(args)) => return self.ssl_setting(args, reply),
            ("QSSLOPEN", Op::Test) => {
                reply.line("+QSSLOPEN: (1-16),(0-5),(0-11),<serveraddr>,<server_port>,(0-2)");
            }
            ("QSSLOPEN", Op::Set(args)) => return self.ssl_open(args).await,
            ("QSSLSEND", Op::Test) => reply.line("+QSSLSEND: (0-11),(1-1460)"),
            ("QSSLSEND", Op::Set(args)) => return self.send_payload(args, true).await,
            ("QSSLRECV", Op::Test) => reply.line("+QSSLRECV: (0-11),(1-1500)"),
            ("QSSLRECV", Op::Set(args)) => {
                args.count(2, 2)?;
                // 0 is no query on BG96 (sheet 4.4).
                return self.receive_payload(
                    args.byte(0, 0, 11)?,
                    args.number(1, 1, RECEIVE_LIMIT)?,
                    true,
                );
            }
            ("QSSLCLOSE", Op::Test) => reply.line("+QSSLCLOSE: (0-11),(0-65535)"),
            ("QSSLCLOSE", Op::Set(args)) => {
                args.count(1, 2)?;
                let id = args.byte(0, 0, 11)?;
                let timeout = Duration::from_secs(args.number_or(1, 0, 65535, 10)?);
                // `ERROR` on an id that is not open (sheet 4.6).
                let socket = self.socket(id, true).ok_or(Fail::Tcp(559))?;
                self.close(&socket, timeout).await;
            }
            ("QSSLSTATE", Op::Test) => {}
            ("QSSLSTATE", Op::Execute) => self.ssl_states(None, reply),
            ("QSSLSTATE", Op::Set(args)) => {
                // One driver uses the form `=1,<id>`, which is not in the manual (sheet 4.6).
                args.count(1, 1)?;
                self.ssl_states(Some(args.byte(0, 0, 11)?), reply);
            }
            ("QIGETERROR", Op::Execute) => {
                let code = self.state.borrow().last_error;
                reply.line(format!("+QIGETERROR: {code},{}", tcp_error_text(code)));
            }
            _ => return UNKNOWN,
        }
        OK
    }

    fn ssl_setting(&self, args: &Args, reply: &mut Reply) -> Outcome {
        let key = args.string(0)?.to_ascii_lowercase();
        // `psk` is the only key with two values.
        args.count(2, if key == "psk" { 4 } else { 3 })?;
        // This firmware does not have the key.
        if !self
            .options
            .profile
            .ssl_keys
            .iter()
            .any(|(known, _)| *known == key)
        {
            return Err(Fail::Error);
        }
        let context = args.byte(1, 0, 5)?;
        let mut state = self.state.borrow_mut();
        let state = &mut *state;
        if key == "cacertex" {
            let file = &mut state.other_cas[usize::from(context)];
            if args.len() == 2 {
                reply.line(format!("+QSSLCFG: \"cacertex\",{context},\"{file}\""));
            } else {
                // The form of this command is UNCONFIRMED.
                *file = path(args)?;
            }
            return OK;
        }
        let settings = &mut state.ssl[usize::from(context)];
        if args.len() == 2 {
            // TRAP: `AT+QSSLCFG="ignorelocaltime",1` asks about context 1, it sets nothing (sheet 4.1).
            reply.line(format!(
                "+QSSLCFG: \"{key}\",{context},{}",
                setting(settings, &key)
            ));
            return OK;
        }
        if self
            .options
            .profile
            .refused_ssl_keys
            .contains(&key.as_str())
        {
            return Err(Fail::Error);
        }
        match key.as_str() {
            "sslversion" => settings.version = args.byte(2, 0, 4)?,
            "ciphersuite" => settings.suite = self.suite(args.bare(2)?)?,
            "cacert" => settings.ca = path(args)?,
            "clientcert" => settings.cert = path(args)?,
            "clientkey" => settings.key = path(args)?,
            "seclevel" => {
                settings.level = args.byte(2, 0, self.options.profile.highest_seclevel)?
            }
            "ignorelocaltime" => settings.ignore_time = args.byte(2, 0, 1)? == 1,
            "negotiatetime" => settings.negotiate_time = args.number(2, 10, 300)?,
            "sni" => settings.sni = args.byte(2, 0, 1)? == 1,
            "session_cache" => settings.session_cache = args.byte(2, 0, 1)? == 1,
            "ignorecertitem" => settings.ignored[0] = args.number(2, 0, 1_048_575)?,
            "ignoreinvalidcertsign" => settings.ignored[1] = args.number(2, 0, 1)?,
            "ignoremulticertchainverify" => settings.ignored[2] = args.number(2, 0, 1)?,
            "alpn" => settings.alpn = args.string(2)?.to_owned(),
            "psk" => {
                args.count(4, 4)?;
                settings.psk = (args.string(2)?.to_owned(), args.string(3)?.to_owned());
            }
            // Relatives list these keys; they are not modelled, since sectag does not use them.
            _ => return Err(Fail::Error),
        }
        OK
    }

    /// Reads a suite in unquoted hex with its prefix; the quoted form is an error on BG96 (T7).
    fn suite(&self, text: &str) -> Result<u16, Fail> {
        let digits = text
            .strip_prefix("0X")
            .or_else(|| text.strip_prefix("0x"))
            .ok_or(Fail::Error)?;
        if digits.len() != 4 {
            return Err(Fail::Error);
        }
        let suite = u16::from_str_radix(digits, 16).map_err(|_| Fail::Error)?;
        let known = suite == 0xffff || self.options.profile.cipher_suites.contains(&suite);
        known.then_some(suite).ok_or(Fail::Error)
    }

    async fn ssl_open(self: &Rc<Self>, args: &Args) -> Outcome {
        args.count(5, 6)?;
        let pdp = args.byte(0, 1, 16)?;
        let context = args.byte(1, 0, 5)?;
        let id = args.byte(2, 0, 11)?;
        let host = args.string(3)?;
        let port = args.number(4, 1, 65535)? as u16;
        let mode = match args.number_or(5, 0, 2, 0)? {
            0 => Mode::Buffer,
            1 => Mode::Push,
            _ => Mode::Transparent,
        };
        self.open(Socket::new(
            id,
            Kind::Tls { context },
            pdp,
            host,
            port,
            mode,
        ))
        .await
    }

    /// Opens a socket of either family: the checks before the connect, and the report of its result.
    pub(super) async fn open(self: &Rc<Self>, mut socket: Socket) -> Outcome {
        if socket.host.is_empty() || socket.host.len() > 200 {
            return Err(Fail::Tcp(552));
        }
        {
            let state = self.state.borrow();
            if !state.active(socket.pdp) {
                return Err(Fail::Tcp(561));
            }
            if state.sockets.contains_key(&socket.id) {
                if self.options.profile.used_id == UsedId::Error {
                    return Err(Fail::Tcp(563));
                }
                drop(state);
                self.open_result(&format!("+{}OPEN: {},563", socket.family(), socket.id));
                return OK;
            }
            let tls = |kind: Kind| matches!(kind, Kind::Tls { .. });
            let open = state
                .sockets
                .values()
                .filter(|socket| tls(socket.borrow().kind))
                .count();
            if tls(socket.kind) && open >= self.options.tls_limit {
                return Err(Fail::Tcp(553));
            }
        }
        // An ephemeral port, with equal numbers on every run.
        socket.local_port = 49152 + (self.core.exchanges.get() % 16000) as u16;
        if socket.mode == Mode::Transparent {
            return self.open_transparent(socket).await;
        }
        if let OpenResultTiming::Delayed(_) = self.options.open_result_timing {
            self.start(socket, false);
            return OK;
        }
        let prefix = format!("+{}OPEN: {}", socket.family(), socket.id);
        let socket = self.start(socket, true);
        self.core
            .until(|| socket.borrow().phase != Phase::Opening || socket.borrow().finished)
            .await;
        self.finish("OK", 0);
        // The result follows `OK` in one burst.
        let code = socket.borrow().open_code;
        self.open_result(&format!("{prefix},{code}"));
        self.flush_urcs();
        Ok(Done::Answered)
    }

    fn ssl_states(&self, wanted: Option<u8>, reply: &mut Reply) {
        for (id, socket) in &self.state.borrow().sockets {
            let socket = socket.borrow();
            let Kind::Tls { context } = socket.kind else {
                continue;
            };
            if wanted.is_none_or(|wanted| wanted == *id) {
                reply.line(format!(
                    "+QSSLSTATE: {id},\"SSLClient\",\"{}\",{},{},{},{},{id},{},\"uart1\",{context}",
                    shown_address(&socket.host),
                    socket.port,
                    socket.local_port,
                    socket.phase as u8,
                    socket.pdp,
                    socket.mode as u8,
                ));
            }
        }
    }

    /// `AT+QSSLSEND` and `AT+QISEND`: prompt, payload, `SEND OK`.
    pub(super) async fn send_payload(&self, args: &Args, tls: bool) -> Outcome {
        args.count(1, 2)?;
        let id = args.byte(0, 0, 11)?;
        let length = if args.len() == 2 {
            Some(args.number(1, 1, SEND_LIMIT)? as usize)
        } else {
            None
        };
        let socket = self.connected(id, tls)?;
        let echo = {
            let profile = &self.options.profile;
            let state = self.state.borrow();
            state.echo_data
                && (state.user.echo || profile.data_echo_ignores_ate)
                && (!tls || profile.echoes_ssl_data)
        };
        // Bytes from before the prompt are lost (sheet 5, quirk 5).
        self.core.discard_input();
        // No line end behind the prompt (sheet 4.3).
        self.core.send(b"\r\n> ");
        let limit = length.unwrap_or(SEND_LIMIT as usize);
        let mut payload = Vec::new();
        while payload.len() < limit {
            // TRAP, sheet 4.3: the modem waits without limit. Even a reset of the MCU does not end it.
            let byte = self.core.read().await;
            if length.is_none() && byte == CTRL_Z {
                break;
            }
            if length.is_none() && byte == ESCAPE {
                self.finish("OK", 0);
                return Ok(Done::Answered);
            }
            if echo {
                self.core.send(&[byte]);
            }
            payload.push(byte);
        }
        let accepted = {
            let mut socket = socket.borrow_mut();
            if socket.phase != Phase::Connected {
                return Err(Fail::Tcp(558));
            }
            let fits = socket.unsent() + payload.len() <= self.options.send_buffer;
            if fits {
                socket.queue(&payload);
            }
            fits
        };
        self.core.touch();
        // `SEND OK` and `SEND FAIL` stand in the place of OK (sheet section 0).
        self.core.send(if accepted {
            b"\r\nSEND OK\r\n"
        } else {
            b"\r\nSEND FAIL\r\n"
        });
        Ok(Done::Answered)
    }

    /// `AT+QSSLRECV` and `AT+QIRD`.
    pub(super) fn receive_payload(&self, id: u8, limit: u64, tls: bool) -> Outcome {
        let profile = &self.options.profile;
        let socket = self.socket(id, tls).ok_or(Fail::Tcp(559))?;
        let mut socket = socket.borrow_mut();
        let readable = match socket.phase {
            Phase::Connected => true,
            Phase::Closing => profile.reads_after_close,
            Phase::Opening | Phase::Failed => false,
        };
        if !readable || socket.mode != Mode::Buffer {
            return Err(Fail::Tcp(559));
        }
        let bytes = socket.take(
            limit as usize,
            profile.record_at_a_time && tls,
            profile.rearm,
        );
        self.core.touch();
        let comma = self
            .state
            .borrow()
            .tcp_settings
            .get("viewmode")
            .is_some_and(|mode| mode == "1");
        let name = if tls { "QSSLRECV" } else { "QIRD" };
        // Sent in one piece, since no URC may come between header, payload and its CR LF.
        let mut answer = format!("\r\n+{name}: {}", bytes.len()).into_bytes();
        if !bytes.is_empty() {
            answer.extend(if comma { &b","[..] } else { b"\r\n" });
            answer.extend(&bytes);
        }
        answer.extend(b"\r\n");
        self.core.send(&answer);
        self.finish("OK", 0);
        Ok(Done::Answered)
    }
}

fn setting(settings: &SslContext, key: &str) -> String {
    match key {
        "sslversion" => settings.version.to_string(),
        "ciphersuite" => format!("0X{:04X}", settings.suite),
        "cacert" => format!("\"{}\"", settings.ca),
        "clientcert" => format!("\"{}\"", settings.cert),
        "clientkey" => format!("\"{}\"", settings.key),
        "seclevel" => settings.level.to_string(),
        "ignorelocaltime" => u8::from(settings.ignore_time).to_string(),
        "negotiatetime" => settings.negotiate_time.to_string(),
        "session_cache" => u8::from(settings.session_cache).to_string(),
        // Shown in hexadecimal digits, although it is set in decimal ones (sheet 4.11).
        "ignorecertitem" => format!("{:x}", settings.ignored[0]),
        "ignoreinvalidcertsign" => settings.ignored[1].to_string(),
        "ignoremulticertchainverify" => settings.ignored[2].to_string(),
        "alpn" => format!("\"{}\"", settings.alpn),
        "psk" => format!("\"{}\",\"{}\"", settings.psk.0, settings.psk.1),
        _ => u8::from(settings.sni).to_string(),
    }
}

/// Returns a file name. Whether the file exists matters only at the open (T10).
fn path(args: &Args) -> Result<String, Fail> {
    let path = args.string(2)?;
    if path.len() > 80 {
        Err(Fail::Error)
    } else {
        Ok(path.to_owned())
    }
}

/// Returns the address of a name, which the state lines show.
pub(super) fn shown_address(host: &str) -> &str {
    if host.parse::<std::net::IpAddr>().is_ok() {
        host
    } else {
        "127.0.0.1"
    }
}
