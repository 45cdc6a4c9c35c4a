//! An nRF9160 as seen on its UART, without TLS behind it: SLM 2.5 or Serial Modem.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet};

use embassy_time::{Duration, Instant};
use sectag::{Check, Digest, Suites, Tag, TlsConfig};

use crate::model::{Input, Model};
use crate::stream;
use crate::uart::Pipe;

/// Tag 1 is complete from the start.
const COMPLETE: u32 = 1;
/// Behind this much silence what has come is sent, and a `+` with it, but only if there is something else to send
/// (sheet 3).
const SILENCE: Duration = Duration::from_millis(32);
/// The longest line (sheet 1.4).
const LINE_LIMIT: usize = 4096;
const SOCKETS: u32 = 3;

/// The modem and its peers. A peer is known by its port; the driver uses each port for one connection.
pub struct Nrf9160<'a> {
    from_host: &'a Pipe,
    to_host: &'a Pipe,
    serial_modem: bool,
    line: RefCell<Line>,
    data: RefCell<Option<Data>>,
    sockets: RefCell<BTreeMap<u32, Connection>>,
    /// The current one (SLM).
    current: Cell<Option<u32>>,
    /// By tag and type.
    store: RefCell<BTreeMap<(u32, u32), Vec<u8>>>,
    online: Cell<bool>,
    reports_errors: Cell<bool>,
    newest_port: Cell<u32>,
    rx_void_below: Cell<u32>,
    tx_void_below: Cell<u32>,
    lied: Cell<bool>,
    /// An answer was given in part or wrongly, and no further command has come: what was it about?
    broken: Cell<Option<Broken>>,
    /// The last byte said did not end a line.
    partial: Cell<bool>,
    /// Ports whose peer received something else than was written.
    junk: RefCell<BTreeSet<u32>>,
    received: RefCell<BTreeMap<u32, usize>>,
    refused: RefCell<BTreeSet<&'static str>>,
    /// What the connection of each port was set to.
    opened_with: RefCell<BTreeMap<u32, BTreeSet<&'static str>>>,
    failures: Cell<usize>,
}

#[derive(Clone, Copy, PartialEq)]
enum Broken {
    Receive,
    Send,
    Other,
}

#[derive(Default)]
struct Line {
    bytes: Vec<u8>,
    quoted: bool,
    overflowed: bool,
}

struct Data {
    handle: u32,
    /// Serial Modem was told how many.
    left: Option<usize>,
    content: Vec<u8>,
    /// Something is not sent yet, besides the beginning of `+++`.
    unsent: bool,
    /// Of `+++`.
    pluses: usize,
    last: Instant,
    /// The connection has ended: Serial Modem drops everything up to `+++` (sheet 3.1).
    broken: bool,
}

struct Connection {
    port: u32,
    connected: bool,
    available: usize,
    fetched: usize,
    closed: bool,
    /// IN was told and not fetched since (SM).
    told: bool,
    set: BTreeSet<&'static str>,
}

impl<'a> Nrf9160<'a> {
    pub fn new(from_host: &'a Pipe, to_host: &'a Pipe, serial_modem: bool) -> Self {
        Self {
            from_host,
            to_host,
            serial_modem,
            line: RefCell::default(),
            data: RefCell::default(),
            sockets: RefCell::default(),
            current: Cell::new(None),
            store: RefCell::default(),
            online: Cell::new(true),
            reports_errors: Cell::new(false),
            newest_port: Cell::new(0),
            rx_void_below: Cell::new(0),
            tx_void_below: Cell::new(0),
            lied: Cell::new(false),
            broken: Cell::new(None),
            partial: Cell::new(false),
            junk: RefCell::default(),
            received: RefCell::default(),
            refused: RefCell::default(),
            opened_with: RefCell::default(),
            failures: Cell::new(0),
        }
    }

    fn say(&self, bytes: &[u8]) {
        if let Some(&last) = bytes.last() {
            self.partial.set(last != b'\n');
            self.to_host.push(bytes);
        }
    }

    /// A URC at a moment when the modem may send one.
    fn urc(&self, text: &[u8]) {
        if self.data.borrow().is_some() && !self.serial_modem {
            // Dropped (sheet 3).
            return;
        }
        match self.broken.get() {
            None => self.say(text),
            // In the middle of an answer it is none.
            Some(_) => self.lie(text),
        }
    }

    fn tell(&self, handle: u32) {
        let told = self
            .sockets
            .borrow()
            .get(&handle)
            .is_some_and(|socket| socket.told);
        // Held back in data mode, and until the line that is coming has been answered.
        let busy = self.data.borrow().is_some() || !self.line.borrow().bytes.is_empty();
        if self.serial_modem && !told && !busy {
            let news = self.news(handle);
            self.urc(&news);
        }
    }

    fn end(&self) -> &'static [u8] {
        if self.serial_modem { b"\r" } else { b"\r\n" }
    }

    /// A byte of a line; returns the line that it ends.
    fn line_byte(&self, byte: u8) -> Option<String> {
        let line = &mut *self.line.borrow_mut();
        if matches!(byte, 8 | 0x7f) {
            if line.bytes.pop() == Some(b'"') && self.serial_modem {
                line.quoted = !line.quoted;
            }
            return None;
        }
        line.overflowed |= line.bytes.len() >= LINE_LIMIT;
        if !line.overflowed {
            line.bytes.push(byte);
        }
        if byte == b'"' {
            line.quoted = !line.quoted;
        }
        let ended =
            byte == *self.end().last()? && (line.bytes.ends_with(self.end()) || line.overflowed);
        if line.quoted || !ended {
            return None;
        }
        let Line {
            bytes, overflowed, ..
        } = std::mem::take(line);
        if overflowed {
            return Some("overflow".into());
        }
        let text = &bytes[..bytes.len() - self.end().len()];
        let at = text
            .windows(2)
            .position(|two| two.eq_ignore_ascii_case(b"AT"));
        match at {
            Some(at) => Some(String::from_utf8_lossy(&text[at..]).into_owned()),
            None if text.is_empty() || self.serial_modem => None,
            None => Some("junk".into()),
        }
    }

    /// A byte of data mode; returns whether it is left.
    fn data_byte(&self, byte: u8) -> bool {
        let mut data = self.data.borrow_mut();
        let Some(data) = &mut *data else {
            return false;
        };
        if let Some(left) = &mut data.left {
            data.content.push(byte);
            *left -= 1;
            return *left == 0;
        }
        let now = self.from_host.taken_at();
        if now > data.last + SILENCE && std::mem::take(&mut data.unsent) {
            let pluses = std::mem::take(&mut data.pluses);
            data.content.extend(vec![b'+'; pluses]);
        }
        data.last = now;
        if byte == b'+' {
            data.pluses += 1;
            return data.pluses == 3;
        }
        let pluses = std::mem::take(&mut data.pluses);
        if !data.broken {
            data.content.extend(vec![b'+'; pluses]);
            data.content.push(byte);
            data.unsent = true;
        }
        false
    }

    /// The connection of `handle` ends. Serial Modem sees that at any byte of data mode, forgets how many were to
    /// come, and says so (sheet 3.1).
    fn break_data_mode(&self, handle: u32) {
        if !self.serial_modem {
            return;
        }
        let mut data = self.data.borrow_mut();
        if let Some(data) = data
            .as_mut()
            .filter(|data| data.handle == handle && !data.broken)
        {
            data.broken = true;
            data.left = None;
            data.content.clear();
            // Whatever comes next begins with a line end of its own.
            self.to_host.push(b"+++");
        }
    }

    fn deliver(&self, handle: u32, content: &[u8]) {
        let Some(port) = self.sockets.borrow().get(&handle).map(|socket| socket.port) else {
            return;
        };
        if self.serial_modem && content.starts_with(b"\n") && self.has_lied() {
            // It ends lines with CR alone. What the driver asks to find that out can be answered so that nobody
            // would see it; once it is misled, the LF of its CR LF is payload.
            self.tx_void_below.set(self.newest_port.get() + 1);
        }
        let mut received = self.received.borrow_mut();
        let received = received.entry(port).or_default();
        if Self::stream(!port, *received, content.len()) == content {
            *received += content.len();
        } else if self.tx_counts(port) {
            self.junk.borrow_mut().insert(port);
        }
    }

    fn act(&self, input: &Input) -> Vec<u8> {
        match input {
            Input::Command(line) => self.command(line),
            Input::Payload => {
                match self.data.borrow_mut().take() {
                    Some(data) if data.broken => return b"\r\n#XDATAMODE: -1\r\n".to_vec(),
                    Some(data) => self.deliver(data.handle, &data.content),
                    None => {}
                }
                b"\r\n#XDATAMODE: 0\r\n".to_vec()
            }
        }
    }

    fn void(&self, broken: Broken) {
        let next = self.newest_port.get() + 1;
        match broken {
            Broken::Receive => self.rx_void_below.set(next),
            Broken::Send => self.tx_void_below.set(next),
            Broken::Other => {}
        }
    }

    fn about(&self, input: &Input) -> Broken {
        match input {
            Input::Command(line) if line.contains("#XRECV") || line.contains("#XPOLL") => {
                Broken::Receive
            }
            Input::Command(line) if line.contains("#XSEND") => Broken::Send,
            Input::Command(_) => Broken::Other,
            Input::Payload => Broken::Send,
        }
    }

    fn command(&self, line: &str) -> Vec<u8> {
        let (name, text) = match line.split_once('=') {
            Some((name, text)) => (name, text),
            None => (line, ""),
        };
        let arguments: Vec<_> = text.splitn(4, ',').collect();
        let number = |index: usize| arguments.get(index)?.parse::<u32>().ok();
        let ok = || b"\r\nOK\r\n".to_vec();
        let error = || b"\r\nERROR\r\n".to_vec();
        let with = |text: &str| format!("\r\n{text}\r\n\r\nOK\r\n").into_bytes();
        // The handle, and which argument is the first behind it.
        let (handle, first) = if self.serial_modem {
            (number(0), 1)
        } else {
            (self.current.get(), 0)
        };
        let open = handle.filter(|handle| self.sockets.borrow().contains_key(handle));
        match (name, text) {
            ("AT", _) => ok(),
            ("AT+CMEE", _) => {
                self.reports_errors.set(text == "1");
                ok()
            }
            ("AT+CMEE?", _) => with(&format!("+CMEE: {}", u8::from(self.reports_errors.get()))),
            ("AT#XSLMVER", _) if !self.serial_modem => with("#XSLMVER: \"2.5.0\",\"2.5.0\""),
            ("AT#XSMVER", _) if self.serial_modem => with("#XSMVER: \"v1.99.0\",\"3.3.99\""),
            ("AT#XSLMVER" | "AT#XSMVER", _) => error(),
            ("AT#XCLAC", _) => "AT#XCLAC\r\nAT#XSSOCKET\r\n\r\nOK\r\n".into(),
            ("AT#XDATACTRL?", _) => with("#XDATACTRL: 32,32"),
            ("AT+CFUN?", _) => with(&format!("+CFUN: {}", if self.online.get() { 1 } else { 4 })),
            ("AT+CFUN", _) => {
                self.online.set(text == "1");
                if text != "1" {
                    for connection in self.sockets.borrow_mut().values_mut() {
                        connection.closed = true;
                    }
                }
                ok()
            }
            ("AT+CEREG?", _) => with(&format!("+CEREG: 1,{}", u8::from(self.online.get()))),
            ("AT+CPIN?", _) => with("+CPIN: READY"),
            ("AT%CCLK?", _) => with("%CCLK: \"26/11/20,12:00:00+00\",0"),
            ("AT%CMNG", _) => self.credentials(text).into_bytes(),
            ("AT#XSSOCKET", _) => {
                let free = (0..SOCKETS).find(|handle| !self.sockets.borrow().contains_key(handle));
                let Some(free) = free.filter(|_| text == "1,1,0,1,2") else {
                    self.current.set(None);
                    return error();
                };
                let connection = Connection {
                    port: 0,
                    connected: false,
                    available: 0,
                    fetched: 0,
                    closed: false,
                    told: false,
                    set: BTreeSet::new(),
                };
                self.sockets.borrow_mut().insert(free, connection);
                self.current.set(Some(free));
                with(&format!("#XSSOCKET: {free},1,258"))
            }
            ("AT#XSSOCKETOPT", _) => {
                let Some(open) = open else { return error() };
                let option = text
                    .splitn(first + 2, ',')
                    .nth(first + 1)
                    .unwrap_or_default();
                let key = match option.split(',').next() {
                    Some("2") if option == "2,\"broker.example\"" => "name",
                    Some("12") => "cache",
                    _ => return error(),
                };
                if self.refused.borrow().contains(key) {
                    return error();
                }
                if let Some(connection) = self.sockets.borrow_mut().get_mut(&open) {
                    connection.set.insert(key);
                }
                ok()
            }
            ("AT#XCONNECT", _) => {
                let Some(open) = open else { return error() };
                let host = arguments.get(first).copied();
                let port = number(first + 1);
                let (Some("\"broker.example\""), Some(port)) = (host, port) else {
                    return error();
                };
                if let Some(left) = self.failures.get().checked_sub(1) {
                    self.failures.set(left);
                    return error();
                }
                self.newest_port.set(self.newest_port.get().max(port));
                if let Some(connection) = self.sockets.borrow_mut().get_mut(&open) {
                    connection.port = port;
                    connection.connected = true;
                    let set = connection.set.clone();
                    self.opened_with.borrow_mut().insert(port, set);
                }
                if self.serial_modem {
                    with(&format!("#XCONNECT: {open},1"))
                } else {
                    with("#XCONNECT: 1")
                }
            }
            ("AT#XSSOCKET?", _) if self.serial_modem => {
                let sockets = self.sockets.borrow();
                let lines: Vec<_> = sockets
                    .keys()
                    .map(|handle| format!("#XSSOCKET: {handle},1,0,1,{COMPLETE},0"))
                    .collect();
                if lines.is_empty() {
                    ok()
                } else {
                    with(&lines.join("\r\n"))
                }
            }
            ("AT#XSOCKETSELECT?", _) if !self.serial_modem => {
                let mut lines = String::new();
                for handle in self.sockets.borrow().keys() {
                    lines += &format!("#XSOCKETSELECT: {handle},1,0,1,1,0,0\r\n");
                }
                if let Some(current) = self.current.get() {
                    lines += &format!("#XSOCKETSELECT: {current}\r\n");
                }
                if lines.is_empty() {
                    ok()
                } else {
                    with(lines.trim_end())
                }
            }
            ("AT#XSOCKETSELECT", _) => match number(0) {
                Some(handle) if self.sockets.borrow().contains_key(&handle) => {
                    self.current.set(Some(handle));
                    with(&format!("#XSOCKETSELECT: {handle}"))
                }
                _ => error(),
            },
            ("AT#XPOLL", _) if !self.serial_modem => {
                let Some(handle) = number(1) else {
                    return error();
                };
                match self.sockets.borrow().get(&handle) {
                    None => with(&format!("#XPOLL: {handle},\"0x0020\"")),
                    Some(connection) => {
                        let bits = u32::from(connection.available > 0 || connection.closed)
                            + 16 * u32::from(connection.closed);
                        if bits == 0 {
                            ok()
                        } else {
                            with(&format!("#XPOLL: {handle},\"{bits:#06x}\""))
                        }
                    }
                }
            }
            ("AT#XSOCKETOPT", "0,4") if !self.serial_modem => with("#XSOCKETOPT: 0"),
            ("AT#XAPOLL", _) if self.serial_modem => {
                if handle.is_some() && open.is_none() {
                    return error();
                }
                let mut answer = ok();
                if let Some(open) = open {
                    // What was told is told again.
                    answer.extend(self.news(open));
                }
                answer
            }
            ("AT#XRECV", _) => {
                let Some(open) = open else { return error() };
                let mut sockets = self.sockets.borrow_mut();
                let Some(connection) = sockets.get_mut(&open) else {
                    return error();
                };
                let most = if self.serial_modem {
                    text.rsplit(',').next().and_then(|most| most.parse().ok())
                } else {
                    Some(2048)
                };
                let count = connection.available.min(most.unwrap_or(0));
                if count == 0 {
                    return if connection.closed { ok() } else { error() };
                }
                let data = Self::stream(connection.port, connection.fetched, count);
                connection.available -= count;
                connection.fetched += count;
                connection.told = false;
                drop(sockets);
                let head = if self.serial_modem {
                    format!("\r\n#XRECV: {open},0,{count}\r\n")
                } else {
                    format!("\r\n#XRECV: {count}\r\n")
                };
                let mut answer = head.into_bytes();
                answer.extend(data);
                answer.extend(b"\r\nOK\r\n");
                if self.serial_modem {
                    answer.extend(self.news(open));
                }
                answer
            }
            ("AT#XSEND", _) => {
                let Some(open) = open else { return error() };
                let dead =
                    !self.sockets.borrow()[&open].connected || self.sockets.borrow()[&open].closed;
                if dead {
                    return error();
                }
                let quoted = text
                    .split_once('"')
                    .and_then(|(_, rest)| rest.strip_suffix('"'));
                if let Some(quoted) = quoted {
                    let content = if self.serial_modem && number(1) == Some(1) {
                        let Some(content) = unhex(quoted) else {
                            return error();
                        };
                        content
                    } else {
                        quoted.as_bytes().to_vec()
                    };
                    self.deliver(open, &content);
                    let count = content.len();
                    return if self.serial_modem {
                        with(&format!("#XSEND: {open},0,{count}"))
                    } else {
                        with(&format!("#XSEND: {count}"))
                    };
                }
                let left = if self.serial_modem { number(3) } else { None };
                if self.serial_modem && left.is_none_or(|left| left == 0) {
                    return error();
                }
                *self.data.borrow_mut() = Some(Data {
                    handle: open,
                    left: left.map(|left| left as usize),
                    content: Vec::new(),
                    unsent: false,
                    pluses: 0,
                    last: self.from_host.taken_at(),
                    broken: false,
                });
                ok()
            }
            ("AT#XSOCKET", "0") if !self.serial_modem => {
                let Some(open) = open else { return ok() };
                self.sockets.borrow_mut().remove(&open);
                self.current
                    .set(self.sockets.borrow().keys().next_back().copied());
                with("#XSOCKET: 0,\"closed\"")
            }
            ("AT#XCLOSE", _) if self.serial_modem => {
                let closed: Vec<u32> = match open {
                    Some(open) => vec![open],
                    None if text.is_empty() => self.sockets.borrow().keys().copied().collect(),
                    None => return error(),
                };
                let mut lines = Vec::new();
                for handle in closed {
                    self.sockets.borrow_mut().remove(&handle);
                    lines.push(format!("#XCLOSE: {handle},0"));
                }
                if lines.is_empty() {
                    ok()
                } else {
                    with(&lines.join("\r\n"))
                }
            }
            (name, _) if name.starts_with("AT#") => error(),
            (name, _) if name.starts_with("AT") => ok(),
            _ => error(),
        }
    }

    /// What there is to tell of a connection (SM).
    fn news(&self, handle: u32) -> Vec<u8> {
        let mut sockets = self.sockets.borrow_mut();
        let Some(connection) = sockets.get_mut(&handle).filter(|socket| socket.connected) else {
            return Vec::new();
        };
        let bits = u32::from(connection.available > 0) + 16 * u32::from(connection.closed);
        connection.told = bits > 0;
        if bits == 0 {
            return Vec::new();
        }
        format!("\r\n#XAPOLL: {handle},{bits}\r\n").into_bytes()
    }

    fn credentials(&self, text: &str) -> String {
        let mut fields = text.splitn(4, ',');
        let mut number = || fields.next().and_then(|field| field.parse::<u32>().ok());
        let (opcode, tag, kind) = (number(), number(), number());
        let content = fields.next().map(|content| content.trim_matches('"'));
        let refused = |number: u32| format!("\r\n+CME ERROR: {number}\r\n");
        match (opcode, tag, kind) {
            (Some(1), wanted, _) => {
                let mut lines = String::new();
                let digest = |content: &[u8]| -> String {
                    let digest = Digest::of(content);
                    digest
                        .as_bytes()
                        .iter()
                        .map(|byte| format!("{byte:02X}"))
                        .collect()
                };
                for kind in 0..3 {
                    if wanted.is_none_or(|wanted| wanted == COMPLETE) {
                        let digest = digest(b"complete");
                        lines += &format!("%CMNG: {COMPLETE},{kind},\"{digest}\"\r\n");
                    }
                }
                for (&(tag, kind), content) in self.store.borrow().iter() {
                    if wanted.is_none_or(|wanted| wanted == tag) {
                        lines += &format!("%CMNG: {tag},{kind},\"{}\"\r\n", digest(content));
                    }
                }
                if lines.is_empty() {
                    refused(513)
                } else {
                    format!("\r\n{lines}\r\nOK\r\n")
                }
            }
            (Some(0 | 3), ..) if self.online.get() => refused(518),
            (Some(0), Some(tag), Some(kind)) if tag != COMPLETE => match content {
                Some(content) => {
                    let content = content.as_bytes().to_vec();
                    self.store.borrow_mut().insert((tag, kind), content);
                    "\r\nOK\r\n".into()
                }
                None => refused(50),
            },
            (Some(3), Some(tag), Some(kind)) => {
                match self.store.borrow_mut().remove(&(tag, kind)) {
                    Some(_) => "\r\nOK\r\n".into(),
                    None => refused(513),
                }
            }
            _ => refused(50),
        }
    }
}

/// Hex digits, two a byte; at most 1400 bytes (sheet 5).
fn unhex(digits: &str) -> Option<Vec<u8>> {
    let whole = digits.is_ascii() && digits.len().is_multiple_of(2) && digits.len() <= 2800;
    let bytes = digits.as_bytes().chunks(2).map(|pair| {
        let pair = core::str::from_utf8(pair).ok()?;
        u8::from_str_radix(pair, 16).ok()
    });
    whole.then(|| bytes.collect())?
}

impl Model for Nrf9160<'_> {
    type Driver = sectag_nrf9160::Nrf9160;

    const FRAGMENTS: &'static [&'static [u8]] = &[
        b"\r\nOK\r\n",
        b"\r\nERROR\r\n",
        b"\r\n+CME ERROR: 513\r\n",
        b"\r\n+CME ERROR: 518\r\n",
        b"\r\n#XDATAMODE: 0\r\n",
        b"\r\n#XDATAMODE: -1\r\n",
        b"\r\n#XDATAMODE: 17\r\n",
        b"\r\n#XRECV: 0\r\n",
        b"\r\n#XRECV: 2048\r\n",
        b"\r\n#XRECV: 0,0,99999999999\r\n",
        b"\r\n#XRECV: 5\r\nhello\r\nOK\r\n",
        b"\r\n#XRECV: 0,0,5\r\nhello\r\nOK\r\n",
        b"\r\n#XPOLL: 0,\"0x0001\"\r\n\r\nOK\r\n",
        b"\r\n#XPOLL: 0,\"0x0019\"\r\n\r\nOK\r\n",
        b"\r\n#XAPOLL: 0,1\r\n",
        b"\r\n#XAPOLL: 1,17\r\n",
        b"\r\n#XAPOLL: 0,8\r\n",
        b"\r\n#XSSOCKET: 0,1,258\r\n\r\nOK\r\n",
        b"\r\n#XSSOCKET: 255,1,258\r\n\r\nOK\r\n",
        b"\r\n#XCONNECT: 1\r\n\r\nOK\r\n",
        b"\r\n#XSEND: 40\r\n\r\nOK\r\n",
        b"Ready\r\n",
        b"\xffReady\r\n",
        b"\r\n#XMODEM: FAULT,0x10,0x119f0a\r\n",
        b"\r\n+CMEE: 1\r\n\r\nOK\r\n",
        b"\r\n+CMEE: 0\r\n\r\nOK\r\n",
        b"\r\n+CEREG: 2\r\n",
        b"+++",
    ];
    const UNTIL: [&'static str; 10] = [
        "AT#XCONNECT",
        "AT#XSEND",
        "AT#XRECV",
        "AT%CMNG",
        "AT#XSOCKET",
        "AT#XCLOSE",
        "AT#XPOLL",
        "AT#XSSOCKET",
        "AT+CMEE?",
        "AT+CFUN",
    ];
    const KEYS: [&'static str; 6] = ["name", "cache", "name", "cache", "name", "cache"];
    const RAW: [&'static str; 6] = [
        "AT+CESQ",
        "ATI",
        "AT#XCLAC",
        "AT+CFUN=0",
        "AT#XSHUTDOWN",
        "AT+IPR=9600",
    ];
    const TRAPS: &'static [&'static [u8; 16]] = stream::NRF9160;

    fn tls(mutual: bool) -> TlsConfig {
        let tls = TlsConfig::new(Tag(COMPLETE)).suites(Suites::All);
        if mutual {
            tls.client_certificate()
        } else {
            tls
        }
    }

    /// Nobody knows whether it looks at dates.
    fn refused() -> TlsConfig {
        Self::tls(false).require(Check::Dates)
    }

    /// No quote, no CR, nothing that a line cannot hold.
    fn content(tag: u32, len: usize) -> Vec<u8> {
        let letters = Self::stream(tag, 0, len).into_iter();
        letters.map(|byte| b'a' + byte % 26).collect()
    }

    fn next_port(&self, first: u32) -> u32 {
        let port = first.max(self.newest_port.get() + 1);
        self.newest_port.set(port);
        port
    }

    fn rx_counts(&self, port: u32) -> bool {
        port >= self.rx_void_below.get()
    }

    fn tx_counts(&self, port: u32) -> bool {
        port >= self.tx_void_below.get()
    }

    fn has_lied(&self) -> bool {
        self.lied.get()
    }

    fn received(&self, port: u32) -> Option<usize> {
        let junk = self.junk.borrow().contains(&port);
        (!junk).then(|| self.received.borrow().get(&port).copied().unwrap_or(0))
    }

    fn files(&self) -> BTreeMap<String, Vec<u8>> {
        let store = self.store.borrow();
        let named = store.iter().map(|(&(tag, kind), content)| {
            let kind = ["ca", "crt", "key"]
                .get(kind as usize)
                .unwrap_or(&"strange");
            (format!("st{tag}.{kind}"), content.clone())
        });
        named.collect()
    }

    fn check_verified(&self, port: u32, _mutual: bool) {
        let lines = self.from_host.tls_lines();
        let to = format!("\"broker.example\",{port}");
        let at = lines.iter().rposition(|line| line.ends_with(&to));
        let at = at.expect("a connect was sent");
        let is_socket = |line: &String| line.starts_with("AT#XSSOCKET=");
        let from = lines[..at].iter().rposition(is_socket);
        let from = from.expect("a socket was opened");
        let sent = &lines[from..at];
        assert_eq!(sent[0], "AT#XSSOCKET=1,1,0,1,2", "port {port}");
        for wanted in [",2,\"broker.example\"", ",12,0"] {
            let set = sent[1..].iter().any(|line| line.ends_with(wanted));
            assert!(set, "port {port}: {wanted} in {sent:?}");
        }
        if !self.has_lied() {
            let set = self.opened_with.borrow()[&port].clone();
            assert!(set.contains("name"), "port {port}: the name was refused");
        }
    }

    fn behave(&self) {
        self.failures.set(0);
        self.refused.borrow_mut().clear();
    }

    fn fail_opens(&self, count: usize, _result: u16) {
        self.failures.set(count);
    }

    fn toggle_key(&self, key: &'static str) {
        let mut refused = self.refused.borrow_mut();
        if !refused.remove(key) {
            refused.insert(key);
        }
    }

    fn lie(&self, bytes: &[u8]) {
        if bytes.is_empty() {
            return;
        }
        self.lied.set(true);
        let waits = |name: &[u8]| {
            let line = self.line.borrow();
            let begun = line.bytes.windows(name.len()).any(|part| part == name);
            begun || self.from_host.is_writing() || self.from_host.contains(name)
        };
        let data = self.data.borrow().is_some();
        if waits(b"#XRECV") || waits(b"#XPOLL") || self.broken.get() == Some(Broken::Receive) {
            self.void(Broken::Receive);
        }
        if waits(b"#XSEND") || data || self.broken.get() == Some(Broken::Send) {
            self.void(Broken::Send);
        }
        self.say(bytes);
    }

    fn peer_sends(&self, index: usize, count: usize, notice: bool) {
        let handle = {
            let mut sockets = self.sockets.borrow_mut();
            let connected = sockets.iter_mut().filter(|(_, socket)| socket.connected);
            let Some((&handle, connection)) = connected.into_iter().nth(index) else {
                return;
            };
            if connection.closed {
                return;
            }
            connection.available += count;
            handle
        };
        if notice {
            self.tell(handle);
        }
    }

    fn all_peers_send(&self, count: usize) {
        for index in 0..SOCKETS as usize {
            self.peer_sends(index, count, true);
        }
    }

    fn peer_closes(&self, index: usize) {
        let handle = {
            let mut sockets = self.sockets.borrow_mut();
            let Some((&handle, connection)) = sockets.iter_mut().nth(index) else {
                return;
            };
            connection.closed = true;
            // It is another notice.
            connection.told = false;
            handle
        };
        self.break_data_mode(handle);
        self.tell(handle);
    }

    fn restart(&self) {
        *self.line.borrow_mut() = Line::default();
        *self.data.borrow_mut() = None;
        self.sockets.borrow_mut().clear();
        self.current.set(None);
        self.online.set(false);
        self.reports_errors.set(false);
        self.urc(b"Ready\r\n");
        self.broken.set(None);
    }

    async fn host_speaks(&self) {
        self.from_host.written().await;
    }

    async fn input(&self) -> Input {
        loop {
            let byte = self.from_host.next().await;
            if self.data.borrow().is_some() {
                if self.data_byte(byte) {
                    return Input::Payload;
                }
            } else if let Some(line) = self.line_byte(byte) {
                self.broken.set(None);
                return Input::Command(line);
            }
        }
    }

    fn unread(&self, line: &str) {
        self.from_host.push_front(self.end());
        self.from_host.push_front(line.as_bytes());
    }

    fn answer(&self, input: &Input) {
        let answer = self.act(input);
        // What was said before may change the meaning of this answer's first line.
        if self.partial.get() {
            self.void(self.about(input));
        }
        self.say(&answer);
        for handle in 0..SOCKETS {
            self.tell(handle);
        }
    }

    fn answer_wrongly(&self, input: &Input, cut: bool, spoil: impl FnOnce(&mut Vec<u8>)) {
        let mut answer = self.act(input);
        let right = answer.clone();
        spoil(&mut answer);
        if self.partial.get() {
            self.void(self.about(input));
        }
        if right == answer {
            return self.say(&answer);
        }
        self.broken.set(Some(self.about(input)));
        self.lied.set(true);
        if cut {
            self.say(&answer);
        } else {
            self.void(self.about(input));
            self.lie(&answer);
        }
    }

    fn swallow(&self, input: &Input) {
        self.answer_wrongly(input, true, Vec::clear);
    }
}
