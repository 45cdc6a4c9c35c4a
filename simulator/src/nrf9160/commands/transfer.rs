//! The commands that send and receive (sheet 4.4 and 5).

use std::rc::Rc;

use embassy_futures::select::{Either, select};
use embassy_time::{Duration, Timer};

use super::super::Nrf9160;
use super::super::notices::shown;
use super::super::sockets::{IN, Phase};
use super::super::state::{Automatic, SharedSocket};
use super::{Done, OK, Outcome, UNKNOWN};
use crate::syntax::{Args, Fail, Op};

/// The most digits in hex mode.
const HEX_LIMIT: usize = 2800;
/// The flags of `#XSEND`: none, or wait for the acknowledgement.
const SEND_FLAGS: [i64; 2] = [0, 512];

const PEEK: i64 = 2;
const DONT_WAIT: i64 = 64;
const WAIT_ALL: i64 = 256;

/// The result of a read.
enum Read {
    Data(Vec<u8>),
    /// The peer has closed, and all is read.
    End,
    /// Nothing came in time, or the connection is broken: the host cannot tell which.
    Failed,
}

impl Nrf9160 {
    pub(super) async fn transfers(self: &Rc<Self>, name: &str, op: &Op) -> Outcome {
        let handles = self.options.profile.serial_modem;
        match (name, op) {
            ("XSEND", Op::Set(args)) if handles => self.send_by_handle(args).await,
            ("XSEND", Op::Execute) if !handles => self.enter_data_mode(self.current()?, None).await,
            ("XSEND", Op::Set(args)) => self.send_current(args).await,
            ("XRECV", Op::Set(args)) if handles => self.receive_by_handle(args).await,
            ("XRECV", Op::Set(args)) => self.receive_current(args).await,
            ("XRECVCFG", Op::Set(args)) if handles => self.automatic_reception(args),
            _ => UNKNOWN,
        }
    }

    async fn enter_data_mode(&self, socket: SharedSocket, length: Option<usize>) -> Outcome {
        if socket.borrow().phase != Phase::Connected {
            return Err(Fail::Error);
        }
        self.data_mode(&socket, length).await;
        Ok(Done::Answered)
    }

    async fn send_current(&self, args: &Args) -> Outcome {
        let flags = self.options.profile.send_flags;
        args.count(1, if flags { 2 } else { 1 })?;
        let socket = self.current()?;
        let data = args.bytes(0)?;
        if !SEND_FLAGS.contains(&args.number_or(1, 0..=512, 0)?) {
            return Err(Fail::Error);
        }
        if data.is_empty() {
            return self.enter_data_mode(socket, None).await;
        }
        // Binary data, or a comma, needs data mode (sheet 4.4).
        if data.len() > self.options.profile.string_limit
            || data.contains(&0)
            || data.contains(&b',') && !self.options.comma_in_string
        {
            return Err(Fail::Error);
        }
        self.send_string(&socket, data, |sent| format!("#XSEND: {sent}"))
            .await
    }

    async fn send_string(
        &self,
        socket: &SharedSocket,
        data: &[u8],
        shown: impl Fn(usize) -> String,
    ) -> Outcome {
        if socket.borrow().phase != Phase::Connected {
            return Err(Fail::Error);
        }
        let sent = self.send_all(socket, data).await;
        if sent > 0 {
            self.answer(&shown(sent));
        }
        // After a partial send the count is reported, and then the error.
        if sent == data.len() {
            OK
        } else {
            Err(Fail::Error)
        }
    }

    /// Handles `#XSEND=<h>,<mode>,<flags>,...`.
    async fn send_by_handle(&self, args: &Args) -> Outcome {
        args.count(3, 4)?;
        let (socket, _) = self.addressed(args)?;
        let mode = args.number(1, 0..=2)?;
        if !SEND_FLAGS.contains(&args.number(2, 0..=512)?) {
            return Err(Fail::Error);
        }
        if mode == 2 {
            let length = match args.len() {
                4 => Some(args.number(3, 1..=i64::from(u32::MAX))? as usize),
                _ => None,
            };
            return self.enter_data_mode(socket, length).await;
        }
        let text = args.bytes(3)?;
        let data = match mode {
            1 => unhex(text).ok_or(Fail::Error)?,
            _ => text.to_vec(),
        };
        if data.is_empty() || data.contains(&0) && mode == 0 {
            return Err(Fail::Error);
        }
        let handle = socket.borrow().handle;
        self.send_string(&socket, &data, |sent| format!("#XSEND: {handle},0,{sent}"))
            .await
    }

    async fn receive_current(&self, args: &Args) -> Outcome {
        args.count(1, 2)?;
        let socket = self.current()?;
        let timeout = args.number(0, 0..=i64::from(u16::MAX))? as u64;
        let flags = flags(args, 1)?;
        let (ipv4, ipv6) = self.options.profile.receive_limit;
        let limit = if socket.borrow().family == 2 {
            ipv6
        } else {
            ipv4
        };
        match self.receive(&socket, timeout, flags, limit).await {
            Read::Data(bytes) => {
                self.answer_with(format!("\r\n#XRECV: {}\r\n", bytes.len()), &bytes)
            }
            // Without an information line.
            Read::End => OK,
            Read::Failed => Err(Fail::Error),
        }
    }

    /// Handles `#XRECV=<h>,<mode>,<flags>,<timeout_s>[,<data_len>]`.
    async fn receive_by_handle(&self, args: &Args) -> Outcome {
        args.count(4, 5)?;
        let (socket, _) = self.addressed(args)?;
        let mode = args.number(1, 0..=1)?;
        let flags = flags(args, 2)?;
        let timeout = args.number(3, 0..=i64::from(u16::MAX))? as u64;
        let limit = args.number_or(4, 1..=2048, 2048)? as usize;
        let handle = socket.borrow().handle;
        match self.receive(&socket, timeout, flags, limit).await {
            Read::Data(bytes) => self.answer_with(
                format!("\r\n#XRECV: {handle},{mode},{}\r\n", bytes.len()),
                &shown(&bytes, mode == 1),
            ),
            Read::End => OK,
            Read::Failed => Err(Fail::Error),
        }
    }

    /// Sends payload directly behind its line, without a CR LF of its own (sheet 1.2).
    fn answer_with(&self, line: String, payload: &[u8]) -> Outcome {
        self.core.send(line.as_bytes());
        self.core.send(payload);
        OK
    }

    async fn receive(&self, socket: &SharedSocket, timeout: u64, flags: i64, limit: usize) -> Read {
        let wanted = if flags & WAIT_ALL != 0 { limit } else { 1 };
        let ready = || {
            let socket = socket.borrow();
            socket.inbox.unread() >= wanted || socket.phase != Phase::Connected
        };
        if flags & DONT_WAIT == 0 && !ready() {
            // TRAP, sheet 10.3: without a time the whole channel is dead until something comes.
            let seconds = match timeout {
                0 => socket.borrow().receive_timeout,
                seconds => seconds,
            };
            if seconds == 0 {
                self.core.until(ready).await;
            } else {
                let limit = Timer::after(Duration::from_secs(seconds));
                let waited = select(self.core.until(ready), limit).await;
                if matches!(waited, Either::Second(())) && socket.borrow().inbox.unread() == 0 {
                    return Read::Failed;
                }
            }
        }
        let one = self.options.record_at_a_time && flags & WAIT_ALL == 0;
        let bytes = if flags & PEEK != 0 {
            socket.borrow().inbox.peek(limit, one)
        } else {
            socket.borrow_mut().inbox.take(limit, one)
        };
        if bytes.is_empty() {
            return match socket.borrow().phase {
                Phase::Closed => Read::End,
                _ => Read::Failed,
            };
        }
        // A read arms the notice again (sheet 4.4), and the peer can send again.
        socket.borrow_mut().reported &= !IN;
        self.core.touch();
        Read::Data(bytes)
    }

    /// Handles `#XRECVCFG=[<h>],<flags>[,<hex>]`.
    fn automatic_reception(&self, args: &Args) -> Outcome {
        args.count(2, 3)?;
        let automatic = Automatic {
            flags: args.byte(1, 0..=3)?,
            hex: args.number_or(2, 0..=1, 0)? == 1,
        };
        let mut state = self.state.borrow_mut();
        if args.absent(0) {
            state.automatic = automatic;
            for socket in state.sockets.values() {
                socket.borrow_mut().automatic = automatic;
            }
        } else {
            let handle = args.byte(0, 0..=u8::MAX)?;
            let socket = state.sockets.get(&handle).ok_or(Fail::Error)?;
            socket.borrow_mut().automatic = automatic;
        }
        OK
    }
}

fn flags(args: &Args, index: usize) -> Result<i64, Fail> {
    let flags = args.number_or(index, 0..=i64::from(u16::MAX), 0)?;
    if flags & !(PEEK | DONT_WAIT | WAIT_ALL) != 0 {
        return Err(Fail::Error);
    }
    Ok(flags)
}

fn unhex(digits: &[u8]) -> Option<Vec<u8>> {
    if digits.len() > HEX_LIMIT || !digits.len().is_multiple_of(2) {
        return None;
    }
    digits
        .chunks_exact(2)
        .map(|pair| {
            let pair = std::str::from_utf8(pair).ok()?;
            let plain = pair.bytes().all(|digit| digit.is_ascii_hexdigit());
            plain.then(|| u8::from_str_radix(pair, 16).ok())?
        })
        .collect()
}
