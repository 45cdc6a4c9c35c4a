//! A BG96 as seen on its UART, without TLS behind it: it answers as the modem does, or wrongly, or not at
//! all, and keeps account of what the driver may be held to after that.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet, VecDeque};

use embassy_time::{Duration, Instant, with_timeout};
use sectag::{CaScope, Check, Tag, TlsConfig};

use crate::model::{Input, Model};
use crate::stream;
use crate::uart::Pipe;

/// Tag 1 is complete from the start.
const FILES: &str =
    "+QFLST: \"st1.ca\",1200\r\n+QFLST: \"st1.crt\",1200\r\n+QFLST: \"st1.key\",1700\r\n";
const BANNER: &str = "\r\nRDY\r\n\r\nAPP RDY\r\n";
/// A prompt later than this finds a driver that has given up and takes its next command for data.
const LATE_PROMPT: Duration = Duration::from_secs(5);
/// The modem leaves an upload after this, as the driver asks it to.
const UPLOAD_PATIENCE: Duration = Duration::from_secs(5);

/// The modem and its peers. A peer is known by its port; the driver uses each port for one connection.
pub struct Bg96<'a> {
    from_host: &'a Pipe,
    to_host: &'a Pipe,
    line: RefCell<Vec<u8>>,
    mode: RefCell<Mode>,
    sockets: RefCell<BTreeMap<u32, Connection>>,
    files: RefCell<BTreeMap<String, Vec<u8>>>,
    /// The newest port that an application has asked for.
    newest_port: Cell<u32>,
    /// Below this port, what was read proves nothing: the modem has lied during a fetch.
    rx_void_below: Cell<u32>,
    /// Below this port, what was sent proves nothing: the modem has lied during a send.
    tx_void_below: Cell<u32>,
    /// Something was said that no modem would.
    lied: Cell<bool>,
    /// The last byte said did not end a line.
    partial: Cell<bool>,
    /// An answer was given in part or wrongly, and no further command has come.
    broken: Cell<Option<Broken>>,
    /// Ports whose peer received something else than was written: the driver must not go on using them.
    junk: RefCell<BTreeSet<u32>>,
    received: RefCell<BTreeMap<u32, usize>>,
    /// Open files, with how much was read of each.
    handles: RefCell<BTreeMap<u32, (String, usize)>>,
    /// Keys of TLS contexts that it refuses.
    refused_keys: RefCell<BTreeSet<&'static str>>,
    /// Which keys it has accepted, by context, since that context's last open.
    accepted_keys: RefCell<BTreeMap<u32, BTreeSet<String>>>,
    /// What the keys of each context hold.
    settings: RefCell<BTreeMap<(u32, String), String>>,
    /// Which keys it had accepted for the open of each port.
    opened_with: RefCell<BTreeMap<u32, BTreeSet<String>>>,
    /// The results of the next opens, if they fail.
    open_results: RefCell<VecDeque<u16>>,
}

#[derive(Clone, Copy, PartialEq)]
enum Broken {
    File,
    Receive,
    Send,
}

enum Mode {
    Lines,
    File {
        name: String,
        left: usize,
        content: Vec<u8>,
    },
    Send {
        port: u32,
        left: usize,
        content: Vec<u8>,
    },
}

struct Connection {
    port: u32,
    /// Sent by the peer and not fetched.
    available: usize,
    fetched: usize,
    closed: bool,
    /// What its peer sends is pushed.
    push: bool,
    context: u32,
}

impl<'a> Bg96<'a> {
    pub fn new(from_host: &'a Pipe, to_host: &'a Pipe) -> Self {
        Self {
            from_host,
            to_host,
            line: RefCell::default(),
            mode: RefCell::new(Mode::Lines),
            sockets: RefCell::default(),
            files: RefCell::default(),
            newest_port: Cell::new(0),
            rx_void_below: Cell::new(0),
            tx_void_below: Cell::new(0),
            lied: Cell::new(false),
            partial: Cell::new(false),
            broken: Cell::new(None),
            junk: RefCell::default(),
            received: RefCell::default(),
            handles: RefCell::default(),
            refused_keys: RefCell::default(),
            accepted_keys: RefCell::default(),
            settings: RefCell::default(),
            opened_with: RefCell::default(),
            open_results: RefCell::default(),
        }
    }

    /// Which keys it accepted for the open of `port`, if it has seen that.
    pub fn opened_with(&self, port: u32) -> Option<BTreeSet<String>> {
        self.opened_with.borrow().get(&port).cloned()
    }

    /// What the driver has sent of TLS contexts and opens.
    pub fn tls_lines(&self) -> Vec<String> {
        self.from_host.tls_lines()
    }

    fn pushes(&self) -> bool {
        self.sockets.borrow().values().any(|socket| socket.push)
    }

    /// An open for direct push mode was sent, and no TLS command since: data for it that comes before the modem
    /// has read the open is told from the peer's by nothing.
    fn will_push(&self) -> bool {
        let lines = self.tls_lines();
        let last = lines.last();
        last.is_some_and(|line| line.starts_with("AT+QSSLOPEN") && line.ends_with(",1"))
    }

    fn say(&self, bytes: &[u8]) {
        if let Some(&last) = bytes.last() {
            self.partial.set(last != b'\n');
            self.to_host.push(bytes);
        }
    }

    /// A URC at a moment when the modem may send one.
    pub fn urc(&self, text: &str) {
        self.unasked(text.as_bytes());
    }

    fn unasked(&self, bytes: &[u8]) {
        match self.broken.get() {
            // What was cut off before it makes one line of both.
            None if !(self.pushes() && self.partial.get()) => self.say(bytes),
            // In the middle of an answer it is none.
            _ => self.lie(bytes),
        }
    }

    /// What a restart makes it forget.
    fn forget(&self) {
        self.sockets.borrow_mut().clear();
        self.handles.borrow_mut().clear();
        self.accepted_keys.borrow_mut().clear();
        self.settings.borrow_mut().clear();
    }

    /// What was said before may change the meaning of this answer's first line.
    fn check_glue(&self, input: &Input) {
        if self.partial.get() {
            let next = self.newest_port.get() + 1;
            match input {
                Input::Command(line) if line.contains("QSSLRECV") => self.rx_void_below.set(next),
                Input::Command(line) if line.contains("QSSLSEND") => self.tx_void_below.set(next),
                Input::Payload => self.tx_void_below.set(next),
                Input::Command(_) => {}
            }
        }
    }

    fn act(&self, input: &Input) -> Vec<u8> {
        match input {
            Input::Command(line) => self.command(line),
            Input::Payload => self.payload(),
        }
    }

    fn payload(&self) -> Vec<u8> {
        match std::mem::replace(&mut *self.mode.borrow_mut(), Mode::Lines) {
            Mode::File { name, content, .. } => {
                let sum = content.chunks(2).fold(0u16, |sum, pair| {
                    sum ^ u16::from_be_bytes([pair[0], *pair.get(1).unwrap_or(&0)])
                });
                let len = content.len();
                self.files.borrow_mut().insert(name, content);
                format!("\r\n+QFUPL: {len},{sum:x}\r\n\r\nOK\r\n").into_bytes()
            }
            Mode::Send { port, content, .. } => {
                let mut received = self.received.borrow_mut();
                let received = received.entry(port).or_default();
                let expected = Self::stream(!port, *received, content.len());
                if expected == content {
                    *received += content.len();
                } else if self.tx_counts(port) {
                    self.junk.borrow_mut().insert(port);
                }
                b"\r\nSEND OK\r\n".to_vec()
            }
            Mode::Lines => unreachable!("no payload was announced"),
        }
    }

    /// `AT+QSSLCFG="<key>",<context>` and more of them in one line: the answers up to the first that is
    /// refused.
    fn settings_of(&self, line: &str) -> Vec<u8> {
        let mut answer = String::new();
        for query in line.trim_start_matches("AT").split(';') {
            let arguments = query
                .strip_prefix("+QSSLCFG=")
                .and_then(|text| text.split_once(','));
            let Some((key, context)) = arguments else {
                return (answer + "\r\nERROR\r\n").into();
            };
            let name = key.trim_matches('"');
            let number = context.parse::<u32>().unwrap_or(u32::MAX);
            if self.refused_keys.borrow().contains(name) {
                return (answer + "\r\nERROR\r\n").into();
            }
            let settings = self.settings.borrow();
            let value = settings.get(&(number, name.to_owned()));
            let value = value.map_or("0", String::as_str);
            answer += &format!("\r\n+QSSLCFG: {key},{context},{value}\r\n");
        }
        (answer + "\r\nOK\r\n").into()
    }

    fn command(&self, line: &str) -> Vec<u8> {
        let (name, arguments) = line.split_once('=').unwrap_or((line, ""));
        let arguments: Vec<_> = arguments
            .split(',')
            .map(|argument| argument.trim_matches('"'))
            .collect();
        let number = |index: usize| arguments.get(index)?.parse::<u32>().ok();
        let ok = "\r\nOK\r\n".into();
        let error = || "\r\nERROR\r\n".into();
        match name {
            "AT+IPR?" => "\r\n+IPR: 115200\r\n\r\nOK\r\n".into(),
            "AT+CPIN?" => "\r\n+CPIN: READY\r\n\r\nOK\r\n".into(),
            "AT+CEREG?" => "\r\n+CEREG: 0,1\r\n\r\nOK\r\n".into(),
            "AT+QIACT?" => "\r\n+QIACT: 1,1,1,\"10.0.0.1\"\r\n\r\nOK\r\n".into(),
            "AT+CCLK?" => "\r\n+CCLK: \"26/11/20,12:00:00+00\"\r\n\r\nOK\r\n".into(),
            "AT+QFLST" => {
                let mut list = format!("\r\n{FILES}");
                for (name, content) in self.files.borrow().iter() {
                    list += &format!("+QFLST: \"{name}\",{}\r\n", content.len());
                }
                (list + "\r\nOK\r\n").into_bytes()
            }
            "AT+QFDEL"
                if self
                    .handles
                    .borrow()
                    .values()
                    .any(|(name, _)| name == arguments[0]) =>
            {
                "\r\n+CME ERROR: 426\r\n".into()
            }
            "AT+QFDEL" => match self.files.borrow_mut().remove(arguments[0]) {
                Some(_) => ok,
                None => "\r\n+CME ERROR: 405\r\n".into(),
            },
            "AT+QFUPL" => match number(1) {
                _ if self.files.borrow().contains_key(arguments[0]) => {
                    "\r\n+CME ERROR: 407\r\n".into()
                }
                Some(left @ 1..) => {
                    *self.mode.borrow_mut() = Mode::File {
                        name: arguments[0].into(),
                        left: left as usize,
                        content: Vec::new(),
                    };
                    "\r\nCONNECT\r\n".into()
                }
                _ => error(),
            },
            "AT+QFOPEN" => {
                let mut handles = self.handles.borrow_mut();
                let name = arguments[0];
                if !self.files.borrow().contains_key(name) {
                    return "\r\n+CME ERROR: 405\r\n".into();
                }
                if handles.values().any(|(open, _)| open == name) {
                    return "\r\n+CME ERROR: 426\r\n".into();
                }
                let handle = 3000 + handles.len() as u32;
                handles.insert(handle, (name.into(), 0));
                format!("\r\n+QFOPEN: {handle}\r\n\r\nOK\r\n").into_bytes()
            }
            "AT+QFOPEN?" => {
                let mut list = String::from("\r\n");
                for (handle, (name, _)) in self.handles.borrow().iter() {
                    list += &format!("+QFOPEN: \"{name}\",{handle},2\r\n");
                }
                (list + "\r\nOK\r\n").into_bytes()
            }
            "AT+QFREAD" => {
                let mut handles = self.handles.borrow_mut();
                let Some((name, at)) = number(0).and_then(|handle| handles.get_mut(&handle)) else {
                    return "\r\n+CME ERROR: 416\r\n".into();
                };
                let files = self.files.borrow();
                let rest = files.get(name).and_then(|content| content.get(*at..));
                let rest = rest.unwrap_or_default();
                let count = rest.len().min(number(1).unwrap_or(u32::MAX) as usize);
                *at += count;
                let mut answer = format!("\r\nCONNECT {count}\r\n").into_bytes();
                answer.extend(&rest[..count]);
                answer.extend(b"\r\nOK\r\n");
                answer
            }
            "AT+QFCLOSE" => {
                match number(0).and_then(|handle| self.handles.borrow_mut().remove(&handle)) {
                    Some(_) => ok,
                    None => "\r\n+CME ERROR: 416\r\n".into(),
                }
            }
            "AT+QFLDS" => "\r\n+QFLDS: 90000,100000\r\n\r\nOK\r\n".into(),
            "AT+CFUN" if arguments == ["1", "1"] => {
                self.forget();
                format!("\r\nOK\r\n{BANNER}").into_bytes()
            }
            // Somebody switches it on again at once.
            "AT+QPOWD" => {
                self.forget();
                "\r\nOK\r\n\r\nPOWERED DOWN\r\n".into()
            }
            "AT+QIDEACT" => {
                self.sockets.borrow_mut().clear();
                ok
            }
            "AT+QSSLCFG" if line.contains(';') || arguments.len() == 2 => self.settings_of(line),
            "AT+QSSLCFG" if arguments.len() > 1 => {
                if self.refused_keys.borrow().contains(arguments[0]) {
                    return error();
                }
                let key = (number(1).unwrap_or(u32::MAX), arguments[0].to_owned());
                let value = line.splitn(3, ',').nth(2).unwrap_or_default();
                self.settings.borrow_mut().insert(key, value.to_owned());
                self.accepted_keys
                    .borrow_mut()
                    .entry(number(1).unwrap_or(u32::MAX))
                    .or_default()
                    .insert(arguments[0].into());
                ok
            }
            "AT+QSSLSTATE" => {
                let sockets = self.sockets.borrow();
                match number(0).and_then(|id| Some((id, sockets.get(&id)?))) {
                    Some((
                        id,
                        &Connection {
                            port,
                            push,
                            context,
                            ..
                        },
                    )) => {
                        let mode = u8::from(push);
                        format!(
                            "\r\n+QSSLSTATE: {id},\"SSLClient\",\"10.0.0.2\",{port},0,2,1,{id},{mode},\"uart1\",{context}\r\n\r\nOK\r\n"
                        )
                        .into_bytes()
                    }
                    None => ok,
                }
            }
            "AT+QSSLOPEN" => {
                let (Some(context), Some(id), Some(port)) = (number(1), number(2), number(4))
                else {
                    return error();
                };
                let keys = self.accepted_keys.borrow_mut().remove(&context);
                self.opened_with
                    .borrow_mut()
                    .insert(port, keys.unwrap_or_default());
                let mut sockets = self.sockets.borrow_mut();
                if sockets.contains_key(&id) {
                    return error();
                }
                if let Some(result) = self.open_results.borrow_mut().pop_front() {
                    return format!("\r\nOK\r\n\r\n+QSSLOPEN: {id},{result}\r\n").into_bytes();
                }
                sockets.insert(
                    id,
                    Connection {
                        port,
                        available: 0,
                        fetched: 0,
                        closed: false,
                        push: number(5) == Some(1),
                        context,
                    },
                );
                format!("\r\nOK\r\n\r\n+QSSLOPEN: {id},0\r\n").into_bytes()
            }
            "AT+QSSLCLOSE" => {
                match number(0).and_then(|id| self.sockets.borrow_mut().remove(&id)) {
                    Some(_) => ok,
                    None => error(),
                }
            }
            "AT+QSSLSEND" => match (number(0), number(1)) {
                (Some(id), Some(left @ 1..=1460)) => {
                    let sockets = self.sockets.borrow();
                    let Some(connection) = sockets.get(&id).filter(|connection| !connection.closed)
                    else {
                        return error();
                    };
                    if Instant::now() > self.from_host.waiting_since() + LATE_PROMPT {
                        self.tx_void_below.set(self.newest_port.get() + 1);
                    }
                    *self.mode.borrow_mut() = Mode::Send {
                        port: connection.port,
                        left: left as usize,
                        content: Vec::new(),
                    };
                    "\r\n> ".into()
                }
                _ => error(),
            },
            "AT+QSSLRECV" => {
                let mut sockets = self.sockets.borrow_mut();
                let (Some(connection), Some(max @ 1..=1500)) =
                    (number(0).and_then(|id| sockets.get_mut(&id)), number(1))
                else {
                    return error();
                };
                let count = connection.available.min(max as usize);
                let data = Self::stream(connection.port, connection.fetched, count);
                connection.available -= count;
                connection.fetched += count;
                let mut answer = format!("\r\n+QSSLRECV: {count}\r\n").into_bytes();
                answer.extend(data);
                if count > 0 {
                    answer.extend(b"\r\n");
                }
                answer.extend(b"\r\nOK\r\n");
                answer
            }
            _ if line.starts_with("AT") => ok,
            _ => error(),
        }
    }
}

impl Model for Bg96<'_> {
    type Driver = sectag_bg96::Bg96;

    const FRAGMENTS: &'static [&'static [u8]] = &[
        b"\r\nOK\r\n",
        b"\r\nERROR\r\n",
        b"\r\n+CME ERROR: 58\r\n",
        b"\r\n> ",
        b"\r\nCONNECT\r\n",
        b"\r\nSEND OK\r\n",
        b"\r\nSEND FAIL\r\n",
        b"\r\n+QSSLRECV: 0\r\n",
        b"\r\n+QSSLRECV: 1500\r\n",
        b"\r\n+QSSLRECV: 99999999999\r\n",
        b"\r\n+QSSLRECV: 5\r\nhello\r\n\r\nOK\r\n",
        b"\r\n+QSSLURC: \"recv\",0\r\n",
        b"\r\n+QSSLURC: \"recv\",11\r\n",
        b"\r\n+QSSLURC: \"closed\",0\r\n",
        b"\r\n+QSSLURC: \"closed\",255\r\n",
        b"\r\n+QSSLOPEN: 0,0\r\n",
        b"\r\n+QSSLOPEN: 1,566\r\n",
        b"\r\n+QSSLOPEN: 31,0\r\n",
        b"\r\n+QIURC: \"pdpdeact\",1\r\n",
        b"\r\nRDY\r\n",
        b"\r\nAPP RDY\r\n",
        b"\r\nPOWERED DOWN\r\n",
        b"\r\n+IPR: 115200\r\n\r\nOK\r\n",
        b"\r\n+QFUPL: 300,B34A\r\n\r\nOK\r\n",
        b"\r\n+QSSLURC: \"recv\",0,5\r\nhello\r\n",
        b"\r\n+QSSLURC: \"recv\",1,1500\r\n",
        b"\r\nCONNECT 40\r\n",
        b"\r\n+QFOPEN: 3000\r\n\r\nOK\r\n",
    ];
    const UNTIL: [&'static str; 10] = [
        "AT+QSSLOPEN",
        "AT+QSSLSEND",
        "AT+QSSLRECV",
        "AT+QFUPL",
        "AT+QSSLCLOSE",
        "AT+QIACT",
        "AT+QFOPEN",
        "AT+QFREAD",
        "AT+QPOWD",
        "AT+CFUN",
    ];
    const KEYS: [&'static str; 6] = [
        "sni",
        "cacert",
        "seclevel",
        "ignorelocaltime",
        "ciphersuite",
        "clientkey",
    ];
    const RAW: [&'static str; 6] = [
        "AT+CSQ",
        "ATI;+CCLK?",
        "AT+QFLST=\"*\"",
        "AT+QPOWD",
        "AT+CGACT?",
        "AT+IPR=9600",
    ];
    const TRAPS: &'static [&'static [u8; 16]] = stream::BG96;

    fn tls(mutual: bool) -> TlsConfig {
        if mutual {
            TlsConfig::new(Tag(1))
                .client_certificate()
                .ca_scope(CaScope::Private)
        } else {
            // Only the server proves who it is, and its name need not be checked.
            Self::refused().dangerous().accept_missing(Check::Name)
        }
    }

    /// The name is not checked, with a CA that anybody may have a certificate from.
    fn refused() -> TlsConfig {
        TlsConfig::new(Tag(1))
    }

    fn content(tag: u32, len: usize) -> Vec<u8> {
        Self::stream(tag, 0, len)
    }

    fn toggle_key(&self, key: &'static str) {
        let mut refused = self.refused_keys.borrow_mut();
        if !refused.remove(key) {
            refused.insert(key);
        }
    }

    fn fail_opens(&self, count: usize, result: u16) {
        self.open_results
            .borrow_mut()
            .extend(std::iter::repeat_n(result, count));
    }

    fn behave(&self) {
        self.open_results.borrow_mut().clear();
        self.refused_keys.borrow_mut().clear();
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
        self.files.borrow().clone()
    }

    fn lie(&self, bytes: &[u8]) {
        if bytes.is_empty() {
            return;
        }
        self.lied.set(true);
        let waits = |name: &[u8]| {
            let begun = self.line.borrow();
            let taken = match &*self.mode.borrow() {
                Mode::Lines => false,
                // A command that was taken for data.
                Mode::File { content, .. } | Mode::Send { content, .. } => has(content, name),
            };
            self.from_host.is_writing()
                || taken
                || has(&begun, name)
                || self.from_host.contains(name)
        };
        let next = self.newest_port.get() + 1;
        // What is pushed may come at any time.
        if self.pushes()
            || self.will_push()
            || waits(b"QSSLRECV")
            || self.broken.get() == Some(Broken::Receive)
        {
            self.rx_void_below.set(next);
        }
        let sending = matches!(*self.mode.borrow(), Mode::Send { .. });
        if waits(b"QSSLSEND") || sending || self.broken.get() == Some(Broken::Send) {
            self.tx_void_below.set(next);
        }
        self.say(bytes);
    }

    fn peer_sends(&self, index: usize, count: usize, notice: bool) {
        let mut pushed = None;
        if let Some((id, connection)) = self.sockets.borrow_mut().iter_mut().nth(index)
            && connection.push
        {
            let data = Self::stream(connection.port, connection.fetched, count);
            connection.fetched += count;
            let mut unit = format!("\r\n+QSSLURC: \"recv\",{id},{count}\r\n").into_bytes();
            unit.extend(data);
            unit.extend(b"\r\n");
            pushed = Some(unit);
        }
        if let Some(unit) = pushed {
            return self.unasked(&unit);
        }
        let id = self
            .sockets
            .borrow_mut()
            .iter_mut()
            .nth(index)
            .map(|(&id, connection)| {
                connection.available += count;
                id
            });
        if let Some(id) = id.filter(|_| notice) {
            self.urc(&format!("\r\n+QSSLURC: \"recv\",{id}\r\n"));
        }
    }

    fn all_peers_send(&self, count: usize) {
        let connections = self.sockets.borrow().len();
        for index in 0..connections {
            self.peer_sends(index, count, true);
        }
    }

    fn peer_closes(&self, index: usize) {
        let id = self
            .sockets
            .borrow_mut()
            .iter_mut()
            .nth(index)
            .map(|(&id, connection)| {
                connection.closed = true;
                id
            });
        if let Some(id) = id {
            self.urc(&format!("\r\n+QSSLURC: \"closed\",{id}\r\n"));
        }
    }

    fn restart(&self) {
        self.line.borrow_mut().clear();
        *self.mode.borrow_mut() = Mode::Lines;
        self.forget();
        self.urc(BANNER);
        self.broken.set(None);
    }

    async fn host_speaks(&self) {
        self.from_host.written().await;
    }

    async fn input(&self) -> Input {
        loop {
            let uploading = matches!(*self.mode.borrow(), Mode::File { .. });
            let byte = match with_timeout(UPLOAD_PATIENCE, self.from_host.next()).await {
                Ok(byte) => byte,
                Err(_) if uploading => {
                    *self.mode.borrow_mut() = Mode::Lines;
                    self.say(b"\r\n+CME ERROR: 421\r\n");
                    continue;
                }
                Err(_) => self.from_host.next().await,
            };
            match &mut *self.mode.borrow_mut() {
                Mode::File { left, content, .. } | Mode::Send { left, content, .. } => {
                    content.push(byte);
                    *left -= 1;
                    if *left == 0 {
                        return Input::Payload;
                    }
                }
                Mode::Lines if byte == b'\r' => {
                    let line = std::mem::take(&mut *self.line.borrow_mut());
                    let line = String::from_utf8_lossy(&line).into_owned();
                    if line.is_empty() {
                        continue;
                    }
                    self.broken.set(None);
                    return Input::Command(line);
                }
                Mode::Lines => self.line.borrow_mut().push(byte),
            }
        }
    }

    fn unread(&self, line: &str) {
        self.from_host.push_front(format!("{line}\r").as_bytes());
    }

    fn answer(&self, input: &Input) {
        let answer = self.act(input);
        self.check_glue(input);
        self.say(&answer);
        // The prompt has no line end, and needs none.
        self.partial.set(false);
    }

    fn answer_wrongly(&self, input: &Input, cut: bool, spoil: impl FnOnce(&mut Vec<u8>)) {
        let mut answer = self.act(input);
        let right = answer.clone();
        spoil(&mut answer);
        if right == answer {
            self.check_glue(input);
            return self.say(&answer);
        }
        // A fetch whose answer is lost whole cannot be told from one that the modem has not seen, and is asked again
        // (docs/inside.md): what was in the answer is missing, and the rest is no prefix.
        let nothing = answer.iter().all(u8::is_ascii_whitespace);
        if nothing && matches!(input, Input::Command(line) if line.contains("QSSLRECV")) {
            self.rx_void_below.set(self.newest_port.get() + 1);
        }
        self.broken.set(match input {
            Input::Command(line) if line.contains("QSSLRECV") => Some(Broken::Receive),
            Input::Command(line) if line.contains("QSSLSEND") => Some(Broken::Send),
            Input::Command(line) if line.contains("QFREAD") => Some(Broken::File),
            Input::Command(_) => None,
            Input::Payload => Some(Broken::Send),
        });
        if cut {
            self.check_glue(input);
            self.lied.set(true);
            self.say(&answer);
        } else {
            self.lie(&answer);
        }
    }

    fn swallow(&self, input: &Input) {
        self.answer_wrongly(input, true, Vec::clear);
    }

    fn check_verified(&self, port: u32, mutual: bool) {
        let lines = self.tls_lines();
        let open = format!(",\"broker.example\",{port},");
        let at = lines.iter().rposition(|line| line.contains(&open));
        let at = at.expect("an open was sent");
        let context = lines[at].split(',').nth(1).expect("a context");
        let again = format!("AT+QSSLOPEN=1,{context},");
        let before = lines[..at]
            .iter()
            .rposition(|line| line.starts_with(&again));
        let sent = &lines[before.map_or(0, |before| before + 1)..at];
        let level = if mutual { "2" } else { "1" };
        let mut wanted = vec![
            ("sslversion", "3"),
            ("ciphersuite", "0XC02F"),
            ("cacert", "\"st1.ca\""),
            ("seclevel", level),
            ("ignorelocaltime", "0"),
            ("sni", "1"),
        ];
        if mutual {
            wanted.extend([("clientcert", "\"st1.crt\""), ("clientkey", "\"st1.key\"")]);
        }
        for (key, value) in wanted {
            let start = format!("AT+QSSLCFG=\"{key}\",{context},");
            let last = sent.iter().rev().find_map(|line| line.strip_prefix(&start));
            assert_eq!(last, Some(value), "port {port}: {key} in {sent:?}");
        }
        if !self.has_lied() {
            let accepted = self.opened_with(port).expect("the modem saw it");
            for key in ["cacert", "seclevel"] {
                assert!(accepted.contains(key), "port {port}: {key} was refused");
            }
        }
    }
}

fn has(text: &[u8], part: &[u8]) -> bool {
    text.windows(part.len()).any(|window| window == part)
}
