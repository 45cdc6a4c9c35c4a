//! A u-blox cellular module as seen on its UART, without TLS behind it: SARA-R5, SARA-R410M-02B, SARA-U201 or LENA-R8.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet, VecDeque};

use sectag::inspect::Decoder;
use sectag::{Md5, Suites, Tag, TlsConfig};

use crate::model::{Input, Model};
use crate::stream;
use crate::uart::Pipe;

/// Tag 1 is complete from the start.
const COMPLETE: u32 = 1;
const COMPLETE_CONTENT: &[u8] = b"complete";
const SOCKETS: u32 = 7;
/// How the names of credentials end, by their type, and what the targets call them.
const ENDS: [(&str, &str); 3] = [("_ca", "ca"), ("_cert", "crt"), ("_key", "key")];
/// Operation not allowed, and incorrect parameters.
const NOT_ALLOWED: u32 = 3;
const PARAMETERS: u32 = 50;
/// Numbers of sockets that an open may fail with; the last two make the driver try again.
const FAILURES: [u32; 8] = [111, 11, 104, 110, 113, 0, 114, 115];

/// What the models differ in (sheet B.1.1).
struct Row {
    model: &'static str,
    /// `+USOCO` answers at once, and `+USOCL` can.
    connects_later: bool,
    closes_later: bool,
    sni: bool,
    /// Profile 0 must be active.
    profile: bool,
    /// What stands between `>` and the upload.
    prompt: &'static str,
    /// Nothing is `+USORD: <s>,""`, without a length.
    bare_empty: bool,
    /// Two NULs are said after a restart, and nothing by others.
    nuls: bool,
    /// A write is refused while received data waits (sheet D 4).
    reads_first: bool,
}

const ROWS: [Row; 4] = [
    Row {
        model: "SARA-R510S",
        connects_later: true,
        closes_later: false,
        sni: true,
        profile: true,
        prompt: "\r\n>",
        bare_empty: false,
        nuls: false,
        reads_first: false,
    },
    Row {
        model: "SARA-R410M-02B",
        connects_later: true,
        closes_later: true,
        sni: false,
        profile: false,
        prompt: "\r\n>",
        bare_empty: true,
        nuls: true,
        reads_first: true,
    },
    Row {
        model: "SARA-U201",
        connects_later: false,
        closes_later: false,
        sni: false,
        profile: true,
        prompt: "\r\n>",
        bare_empty: false,
        nuls: false,
        reads_first: false,
    },
    Row {
        model: "LENA-R8001M10",
        connects_later: true,
        closes_later: true,
        sni: true,
        profile: false,
        prompt: "\r\n> ",
        bare_empty: false,
        nuls: false,
        reads_first: false,
    },
];

/// The module and its peers. A peer is known by its port; the driver uses each port for one connection.
pub struct UbloxCellular<'a> {
    from_host: &'a Pipe,
    to_host: &'a Pipe,
    row: &'static Row,
    line: RefCell<Vec<u8>>,
    mode: RefCell<Mode>,
    echo: Cell<bool>,
    /// Errors have numbers.
    numbers: Cell<bool>,
    radio: Cell<bool>,
    /// The data connection of the sockets: context 1, and profile 0.
    context: Cell<bool>,
    profile: Cell<bool>,
    sockets: RefCell<BTreeMap<u32, Connection>>,
    /// By type and name.
    store: RefCell<BTreeMap<(u32, String), Vec<u8>>>,
    /// Security profiles: what was written of each, by op.
    profiles: RefCell<BTreeMap<u32, BTreeMap<u32, String>>>,
    error: Cell<u32>,
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
    /// The profile that the connection of each port was made with, if it was secure.
    opened_with: RefCell<BTreeMap<u32, Option<BTreeMap<u32, String>>>>,
    failures: RefCell<VecDeque<u32>>,
}

#[derive(Clone, Copy, PartialEq)]
enum Broken {
    Receive,
    Send,
    Other,
}

enum Mode {
    Lines,
    Import {
        of: u32,
        name: String,
        left: usize,
        content: Vec<u8>,
    },
    Send {
        socket: u32,
        left: usize,
        content: Vec<u8>,
    },
}

#[derive(Clone, Default)]
struct Connection {
    port: u32,
    connected: bool,
    /// With which profile it is secure.
    secure: Option<u32>,
    /// Sent by the peer and not fetched.
    available: usize,
    fetched: usize,
    sent: usize,
    closed: bool,
}

impl<'a> UbloxCellular<'a> {
    /// `which` of the four.
    pub fn new(from_host: &'a Pipe, to_host: &'a Pipe, which: usize) -> Self {
        let complete = ENDS.iter().enumerate().map(|(of, (end, _))| {
            let name = format!("st{COMPLETE}{end}");
            ((of as u32, name), COMPLETE_CONTENT.to_vec())
        });
        Self {
            from_host,
            to_host,
            row: &ROWS[which % ROWS.len()],
            line: RefCell::default(),
            mode: RefCell::new(Mode::Lines),
            echo: Cell::new(true),
            numbers: Cell::new(false),
            radio: Cell::new(true),
            context: Cell::new(false),
            profile: Cell::new(false),
            sockets: RefCell::default(),
            store: RefCell::new(complete.collect()),
            profiles: RefCell::default(),
            error: Cell::new(0),
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
            failures: RefCell::default(),
        }
    }

    fn say(&self, bytes: &[u8]) {
        if let Some(&last) = bytes.last() {
            self.partial.set(last != b'\n');
            self.to_host.push(bytes);
        }
    }

    /// A URC at a moment when the module may send one.
    fn urc(&self, text: &str) {
        let text = format!("\r\n{text}\r\n");
        match self.broken.get() {
            None => self.say(text.as_bytes()),
            // In the middle of an answer it is none.
            Some(_) => self.lie(text.as_bytes()),
        }
    }

    fn fail(&self, number: u32) -> Vec<u8> {
        if self.numbers.get() {
            format!("\r\n+CME ERROR: {number}\r\n").into_bytes()
        } else {
            b"\r\nERROR\r\n".to_vec()
        }
    }

    fn refuses(&self, key: &str) -> bool {
        self.refused.borrow().contains(key)
    }

    fn has_data(&self) -> bool {
        let context = self.context.get() || self.row.model == "SARA-U201";
        self.radio.get() && context && (self.profile.get() || !self.row.profile)
    }

    /// Every connection is void, and said to be.
    fn break_sockets(&self) {
        let sockets = std::mem::take(&mut *self.sockets.borrow_mut());
        for id in sockets.into_keys() {
            self.urc(&format!("+UUSOCL: {id}"));
        }
    }

    fn deliver(&self, socket: u32, content: &[u8]) -> usize {
        // It may take less than it was given.
        let taken = if self.refuses("part") {
            content.len().div_ceil(2)
        } else {
            content.len()
        };
        let mut sockets = self.sockets.borrow_mut();
        let Some(connection) = sockets.get_mut(&socket) else {
            return 0;
        };
        let content = &content[..taken];
        connection.sent += taken;
        let port = connection.port;
        let mut received = self.received.borrow_mut();
        let received = received.entry(port).or_default();
        if Self::stream(!port, *received, taken) == content {
            *received += taken;
        } else if self.tx_counts(port) {
            self.junk.borrow_mut().insert(port);
        }
        taken
    }

    fn act(&self, input: &Input) -> Vec<u8> {
        match input {
            Input::Command(line) => {
                let mut answer = Vec::new();
                if self.echo.get() {
                    answer.extend(line.as_bytes());
                    answer.push(b'\r');
                }
                answer.extend(self.command(line));
                answer
            }
            Input::Payload => match std::mem::replace(&mut *self.mode.borrow_mut(), Mode::Lines) {
                Mode::Lines => Vec::new(),
                Mode::Import {
                    of, name, content, ..
                } => {
                    let told = digest(&content);
                    let answer =
                        format!("\r\n+USECMNG: 0,{of},\"{name}\",\"{told}\"\r\n\r\nOK\r\n");
                    self.store.borrow_mut().insert((of, name), content);
                    answer.into_bytes()
                }
                Mode::Send {
                    socket, content, ..
                } => {
                    let stands = self
                        .sockets
                        .borrow()
                        .get(&socket)
                        .is_some_and(|socket| socket.connected && !socket.closed);
                    if !stands {
                        return self.fail(NOT_ALLOWED);
                    }
                    let taken = self.deliver(socket, &content);
                    format!("\r\n+USOWR: {socket},{taken}\r\n\r\nOK\r\n").into_bytes()
                }
            },
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
            Input::Command(line) if line.contains("+USORD") => Broken::Receive,
            // What was taken in all is believed too.
            Input::Command(line) if line.contains("+USOWR") || line.contains("+USOCTL") => {
                Broken::Send
            }
            Input::Command(_) => Broken::Other,
            Input::Payload => Broken::Send,
        }
    }

    fn command(&self, line: &str) -> Vec<u8> {
        // What an interrupted line left in front.
        let at = line.rfind("AT").unwrap_or(0);
        let (name, text) = match line[at..].split_once('=') {
            Some((name, text)) => (name, text),
            None => (&line[at..], ""),
        };
        let arguments: Vec<&str> = text.split(',').collect();
        let number = |index: usize| arguments.get(index)?.parse::<u32>().ok();
        let text_of = |index: usize| {
            let quoted = arguments.get(index)?.strip_prefix('"')?;
            quoted.strip_suffix('"')
        };
        let ok = || b"\r\nOK\r\n".to_vec();
        let with = |text: &str| format!("\r\n{text}\r\n\r\nOK\r\n").into_bytes();
        let error = |number: u32| self.fail(number);
        if at > 0 {
            return error(PARAMETERS);
        }
        match name {
            "ATE0" => {
                self.echo.set(false);
                ok()
            }
            "AT+CMEE" => {
                self.numbers.set(text == "1");
                ok()
            }
            "AT+CMEE?" => with(&format!("+CMEE: {}", u8::from(self.numbers.get()))),
            "AT+CGMM" => with(self.row.model),
            "AT+CPIN?" => with("+CPIN: READY"),
            "AT+CCLK?" => with("+CCLK: \"26/11/20,12:00:00+00\""),
            "AT+CFUN?" => with(&format!("+CFUN: {}", u8::from(self.radio.get()))),
            "AT+CFUN" => {
                let on = text == "1";
                self.radio.set(on);
                if !on {
                    self.context.set(false);
                    self.profile.set(false);
                    self.break_sockets();
                }
                ok()
            }
            "AT+CEREG?" if self.row.model == "SARA-U201" => error(NOT_ALLOWED),
            "AT+CEREG?" | "AT+CGREG?" => {
                let name = &name[2..name.len() - 1];
                with(&format!("{name}: 0,{}", u8::from(self.radio.get())))
            }
            "AT+CGACT?" => with(&format!("+CGACT: 1,{}", u8::from(self.context.get()))),
            "AT+CGACT" => {
                if !self.radio.get() || self.refuses("data") {
                    return error(NOT_ALLOWED);
                }
                self.context.set(text.starts_with('1'));
                ok()
            }
            "AT+UPSND" | "AT+UPSD" | "AT+UPSDA" if !self.row.profile => error(NOT_ALLOWED),
            "AT+UPSND" => with(&format!("+UPSND: 0,8,{}", u8::from(self.profile.get()))),
            "AT+UPSD" if self.profile.get() => error(NOT_ALLOWED),
            "AT+UPSD" => ok(),
            "AT+UPSDA" => {
                if !self.radio.get() || self.profile.get() || self.refuses("data") {
                    return error(NOT_ALLOWED);
                }
                self.profile.set(true);
                let mut answer = ok();
                answer.extend(b"\r\n+UUPSDA: 0,\"10.0.0.1\"\r\n");
                answer
            }
            "AT+USOER" => with(&format!("+USOER: {}", self.error.get())),
            "AT+USECMNG" => self.credentials(text),
            "AT+USECPRF" => self.setting(text),
            "AT+USOCR" => {
                let free = (0..SOCKETS).find(|id| !self.sockets.borrow().contains_key(id));
                match free.filter(|_| text == "6") {
                    Some(free) => {
                        let fresh = Connection::default();
                        self.sockets.borrow_mut().insert(free, fresh);
                        with(&format!("+USOCR: {free}"))
                    }
                    None => error(NOT_ALLOWED),
                }
            }
            "AT+USOSEC" | "AT+USOCO" | "AT+USOWR" | "AT+USORD" | "AT+USOCTL" | "AT+USOCL" => {
                let known = number(0).filter(|id| self.sockets.borrow().contains_key(id));
                match known {
                    Some(id) => self.socket(name, id, &arguments, text_of(1)),
                    None => error(NOT_ALLOWED),
                }
            }
            // Of 27.007 and the vendor's settings there is more than a driver minds.
            name if name.starts_with("AT+USO") => error(NOT_ALLOWED),
            name if name.starts_with("AT") => ok(),
            _ => error(PARAMETERS),
        }
    }

    fn socket(&self, name: &str, id: u32, arguments: &[&str], host: Option<&str>) -> Vec<u8> {
        let number = |index: usize| arguments.get(index)?.parse::<u32>().ok();
        let ok = || b"\r\nOK\r\n".to_vec();
        let with = |text: &str| format!("\r\n{text}\r\n\r\nOK\r\n").into_bytes();
        let Some(connection) = self.sockets.borrow().get(&id).cloned() else {
            return self.fail(NOT_ALLOWED);
        };
        let change = |change: &dyn Fn(&mut Connection)| {
            if let Some(connection) = self.sockets.borrow_mut().get_mut(&id) {
                change(connection);
            }
        };
        match name {
            "AT+USOSEC" if arguments.len() == 1 => with(&match connection.secure {
                Some(profile) => format!("+USOSEC: {id},1,{profile}"),
                None => format!("+USOSEC: {id},0"),
            }),
            "AT+USOSEC" => {
                if connection.connected || number(1) != Some(1) {
                    return self.fail(NOT_ALLOWED);
                }
                change(&|connection| connection.secure = number(2));
                ok()
            }
            "AT+USOCO" => {
                let later = number(3) == Some(1);
                let (Some("broker.example"), Some(port)) = (host, number(2)) else {
                    return self.fail(PARAMETERS);
                };
                if connection.connected || later && !self.row.connects_later {
                    self.error.set(106);
                    return self.fail(NOT_ALLOWED);
                }
                let mut failure = self.failures.borrow_mut().pop_front();
                if !self.has_data() {
                    failure = Some(101);
                }
                if failure.is_none() {
                    self.newest_port.set(self.newest_port.get().max(port));
                    let profiles = self.profiles.borrow();
                    let secure = connection.secure;
                    let with =
                        secure.map(|profile| profiles.get(&profile).cloned().unwrap_or_default());
                    self.opened_with.borrow_mut().insert(port, with);
                    change(&|connection| (connection.port, connection.connected) = (port, true));
                }
                self.error.set(failure.unwrap_or(0));
                match (failure, later) {
                    (failure, true) => {
                        let failure = failure.unwrap_or(0);
                        format!("\r\nOK\r\n\r\n+UUSOCO: {id},{failure}\r\n").into_bytes()
                    }
                    (None, false) => ok(),
                    (Some(_), false) => b"\r\nERROR\r\n".to_vec(),
                }
            }
            "AT+USOWR" => {
                let Some(left @ 1..=1024) = number(1) else {
                    return self.fail(PARAMETERS);
                };
                if !connection.connected || connection.closed {
                    return self.fail(NOT_ALLOWED);
                }
                if self.row.reads_first && connection.available > 0 {
                    let count = connection.available;
                    return format!("\r\nERROR\r\n\r\n+UUSORD: {id},{count}\r\n").into_bytes();
                }
                *self.mode.borrow_mut() = Mode::Send {
                    socket: id,
                    left: left as usize,
                    content: Vec::new(),
                };
                b"\r\n@".to_vec()
            }
            "AT+USORD" => self.read(id, &connection, number(1)),
            "AT+USOCTL" => match number(1) {
                Some(1) => with(&format!("+USOCTL: {id},1,0")),
                Some(2) => with(&format!("+USOCTL: {id},2,{}", connection.sent)),
                Some(10) => {
                    let state = match (connection.connected, connection.closed) {
                        (true, false) => 4,
                        (true, true) => 7,
                        (false, _) => 0,
                    };
                    with(&format!("+USOCTL: {id},10,{state}"))
                }
                _ => self.fail(PARAMETERS),
            },
            _ => {
                let later = number(1) == Some(1);
                if later && !self.row.closes_later {
                    return self.fail(PARAMETERS);
                }
                self.sockets.borrow_mut().remove(&id);
                let mut answer = ok();
                if later {
                    answer.extend(format!("\r\n+UUSOCL: {id}\r\n").as_bytes());
                }
                answer
            }
        }
    }

    fn read(&self, id: u32, connection: &Connection, most: Option<u32>) -> Vec<u8> {
        let Some(most) = most.filter(|most| *most <= 1024 && connection.connected) else {
            return self.fail(NOT_ALLOWED);
        };
        if most == 0 {
            let count = connection.available;
            return format!("\r\n+USORD: {id},{count}\r\n\r\nOK\r\n").into_bytes();
        }
        let count = connection.available.min(most as usize);
        if count == 0 {
            return if self.row.bare_empty {
                format!("\r\n+USORD: {id},\"\"\r\n\r\nOK\r\n").into_bytes()
            } else {
                format!("\r\n+USORD: {id},0,\"\"\r\n\r\nOK\r\n").into_bytes()
            };
        }
        let mut answer = format!("\r\n+USORD: {id},{count},\"").into_bytes();
        answer.extend(Self::stream(connection.port, connection.fetched, count));
        answer.extend(b"\"\r\n\r\nOK\r\n");
        let left = connection.available - count;
        if let Some(connection) = self.sockets.borrow_mut().get_mut(&id) {
            connection.available = left;
            connection.fetched += count;
        }
        if left > 0 {
            // Behind a read in part it is told again (sheet B.2.4).
            answer.extend(format!("\r\n+UUSORD: {id},{left}\r\n").as_bytes());
        } else if connection.closed {
            self.sockets.borrow_mut().remove(&id);
            answer.extend(format!("\r\n+UUSOCL: {id}\r\n").as_bytes());
        }
        answer
    }

    fn setting(&self, text: &str) -> Vec<u8> {
        let mut fields = text.splitn(3, ',');
        let mut number = || fields.next().and_then(|field| field.parse::<u32>().ok());
        let (Some(profile @ 0..=4), op) = (number(), number()) else {
            return self.fail(PARAMETERS);
        };
        let mut profiles = self.profiles.borrow_mut();
        let settings = profiles.entry(profile).or_default();
        let Some(op) = op else {
            if text.contains(',') {
                return self.fail(PARAMETERS);
            }
            settings.clear();
            return b"\r\nOK\r\n".to_vec();
        };
        let sni = op == 10;
        if self.refuses(&op.to_string()) || sni && !self.row.sni {
            return self.fail(PARAMETERS);
        }
        let Some(value) = fields.next() else {
            let factory = if op < 3 { "0" } else { "\"\"" };
            let value = settings.get(&op).map_or(factory, String::as_str);
            return format!("\r\n+USECPRF: {profile},{op},{value}\r\n\r\nOK\r\n").into_bytes();
        };
        // A suite, in the form of the model: what is read has another form.
        let parts: Vec<&str> = value.split(',').collect();
        let value = match (op, parts.as_slice()) {
            (2, ["99", high, low]) => {
                let suite = format!("{high}{low}").replace('"', "").to_uppercase();
                format!("99,\"{suite}\"")
            }
            (2, ["100", high, low, "0"]) => {
                let suite = format!("{high}{low}").replace('"', "").to_uppercase();
                match settings.get(&2) {
                    Some(before) if !before.contains(&suite) => {
                        format!("{};{suite}\"", before.trim_end_matches('"'))
                    }
                    Some(before) => before.clone(),
                    None => format!("100,\"{suite}\""),
                }
            }
            _ => value.to_owned(),
        };
        settings.insert(op, value);
        b"\r\nOK\r\n".to_vec()
    }

    fn credentials(&self, text: &str) -> Vec<u8> {
        let arguments: Vec<&str> = text.split(',').collect();
        let number = |index: usize| arguments.get(index)?.parse::<u32>().ok();
        let name = arguments.get(2).map(|name| name.trim_matches('"'));
        let ok = b"\r\nOK\r\n".to_vec();
        let mut store = self.store.borrow_mut();
        match (number(0), number(1), name) {
            (Some(0), Some(of @ 0..=2), Some(name)) => match number(3) {
                Some(left @ 1..=8192) => {
                    *self.mode.borrow_mut() = Mode::Import {
                        of,
                        name: name.to_owned(),
                        left: left as usize,
                        content: Vec::new(),
                    };
                    self.row.prompt.as_bytes().to_vec()
                }
                _ => self.fail(PARAMETERS),
            },
            (Some(2), Some(of), Some(name)) => match store.remove(&(of, name.to_owned())) {
                Some(_) => ok,
                None => self.fail(1500),
            },
            (Some(3), ..) => {
                let mut lines = String::new();
                for (of, name) in store.keys() {
                    let of = ["CA", "CC", "PK"].get(*of as usize).unwrap_or(&"SC");
                    lines += &format!("\r\n\"{of}\",\"{name}\"");
                }
                format!("{lines}\r\n\r\nOK\r\n").into_bytes()
            }
            (Some(4), Some(of), Some(name)) => match store.get(&(of, name.to_owned())) {
                Some(content) => {
                    let told = digest(content);
                    format!("\r\n+USECMNG: 4,{of},\"{name}\",\"{told}\"\r\n\r\nOK\r\n").into_bytes()
                }
                None => self.fail(1500),
            },
            _ => self.fail(PARAMETERS),
        }
    }
}

/// The MD5 of the DER form of PEM, and of anything else as it is: then the driver must see twice that it is so.
fn digest(content: &[u8]) -> String {
    let mut md5 = Md5::new();
    if content.starts_with(b"-----BEGIN") {
        let mut decoder = Decoder::new();
        for &character in content {
            if let Some(byte) = decoder.push(character) {
                md5.update(&[byte]);
            }
        }
    } else {
        md5.update(content);
    }
    let bytes = md5.finish();
    bytes.iter().map(|byte| format!("{byte:02X}")).collect()
}

impl Model for UbloxCellular<'_> {
    type Driver = sectag_ublox::cellular::UbloxCellular;

    const FRAGMENTS: &'static [&'static [u8]] = &[
        b"\r\nOK\r\n",
        b"\r\nERROR\r\n",
        b"\r\n+CME ERROR: 3\r\n",
        b"\r\n+CME ERROR: operation not allowed\r\n",
        b"\r\n@",
        b"\r\n>",
        b"\r\n+USOWR: 0,40\r\n\r\nOK\r\n",
        b"\r\n+USOWR: 0,0\r\n\r\nOK\r\n",
        b"\r\n+USOWR: 1,7\r\n\r\nOK\r\n",
        b"\r\n+USORD: 0,5,\"hello\"\r\n\r\nOK\r\n",
        b"\r\n+USORD: 0,\"\"\r\n\r\nOK\r\n",
        b"\r\n+USORD: 0,0,\"\"\r\n\r\nOK\r\n",
        b"\r\n+USORD: 1,1024,\"",
        b"\r\n+USORD: 0,99999999999,\"",
        b"\r\n+USORD: 0,300\r\n\r\nOK\r\n",
        b"\r\n+UUSORD: 0,40\r\n",
        b"\r\n+UUSORD: 1,1\r\n",
        b"\r\n+UUSOCL: 0\r\n",
        b"\r\n+UUSOCL: 1\r\n",
        b"\r\n+UUSOCO: 0,0\r\n",
        b"\r\n+UUSOCO: 1,111\r\n",
        b"\r\n+USOCR: 0\r\n\r\nOK\r\n",
        b"\r\n+USOCR: 6\r\n\r\nOK\r\n",
        b"\r\n+USOSEC: 0,1,0\r\n\r\nOK\r\n",
        b"\r\n+USOCTL: 0,10,4\r\n\r\nOK\r\n",
        b"\r\n+USOCTL: 0,1,11\r\n\r\nOK\r\n",
        b"\r\n+USOER: 114\r\n\r\nOK\r\n",
        b"\r\n+USECPRF: 0,0,3\r\n\r\nOK\r\n",
        b"\r\n+USECMNG: 4,0,\"st1_ca\",\"779F57D926322E562A0DBDDFD9D3652D\"\r\n\r\nOK\r\n",
        b"\r\n+CMEE: 1\r\n\r\nOK\r\n",
        b"\r\n+CMEE: 0\r\n\r\nOK\r\n",
        b"\r\n+UUPSDD: 0\r\n",
        b"\r\n+UUPSDA: 0,\"10.0.0.1\"\r\n",
        b"\r\n+CGEV: ME DETACH\r\n",
        b"\r\n+CEREG: 2\r\n",
        b"\r\nSARA-R410M-02B\r\n\r\nOK\r\n",
        b"\0\0\r\n",
    ];
    const UNTIL: [&'static str; 10] = [
        "AT+USOCO",
        "AT+USOWR",
        "AT+USORD",
        "AT+USECMNG",
        "AT+USOCL",
        "AT+USOCR",
        "AT+USECPRF",
        "AT+USOCTL",
        "AT+CMEE?",
        "AT+USOSEC",
    ];
    const KEYS: [&'static str; 6] = ["0", "3", "4", "10", "part", "data"];
    const RAW: [&'static str; 6] = [
        "AT+CESQ",
        "ATI",
        "AT+CGATT?",
        "AT+CFUN=0",
        "AT+USOCL=0",
        "AT+UDCONF=1,1",
    ];
    const TRAPS: &'static [&'static [u8; 16]] = stream::UBLOX_CELLULAR;
    const TELLS_CONTENT: bool = false;

    fn tls(mutual: bool) -> TlsConfig {
        let tls = TlsConfig::new(Tag(COMPLETE));
        if mutual {
            tls.suites(Suites::All).client_certificate()
        } else {
            tls
        }
    }

    /// No setting has it.
    fn refused() -> TlsConfig {
        Self::tls(false).alpn("mqtt").expect("a protocol")
    }

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
        let named = store.iter().map(|((of, name), content)| {
            let (end, kind) = ENDS.get(*of as usize).unwrap_or(&("", "strange"));
            let tag = name.strip_suffix(end).unwrap_or(name);
            (format!("{tag}.{kind}"), content.clone())
        });
        named
            .filter(|(name, content)| !name.starts_with("st1.") || content != COMPLETE_CONTENT)
            .collect()
    }

    fn check_verified(&self, port: u32, mutual: bool) {
        let lines = self.from_host.tls_lines();
        let to = format!(",\"broker.example\",{port}");
        let at = lines
            .iter()
            .rposition(|line| line.starts_with("AT+USOCO=") && line.contains(&to));
        let at = at.expect("a connect was sent");
        let id = lines[at]["AT+USOCO=".len()..].split(',').next();
        let id = id.expect("a socket");
        let secured = format!("AT+USOSEC={id},1,");
        let from = lines[..at]
            .iter()
            .rposition(|line| line.starts_with(&secured));
        let from = from.expect("it was told to be secure");
        let profile = &lines[from][secured.len()..];
        let reset = format!("AT+USECPRF={profile}");
        let reset = lines[..from].iter().rposition(|line| *line == reset);
        let sent = &lines[reset.expect("the profile was reset")..from];
        let mut wanted = vec![
            ("0", "3"),
            ("1", "3"),
            ("3", "\"st1_ca\""),
            ("4", "\"broker.example\""),
        ];
        if mutual {
            wanted.extend([("5", "\"st1_cert\""), ("6", "\"st1_key\"")]);
        }
        for (op, value) in &wanted {
            let start = format!("AT+USECPRF={profile},{op},");
            let last = sent.iter().rev().find_map(|line| line.strip_prefix(&start));
            assert_eq!(last, Some(*value), "port {port}: {op} in {sent:?}");
        }
        if !self.has_lied() {
            let opened = self.opened_with.borrow();
            let settings = opened.get(&port).expect("the module saw it");
            let settings = settings.as_ref().expect("it is secure");
            for (op, value) in wanted {
                let op: u32 = op.parse().expect("a number");
                let found = settings.get(&op).map(String::as_str);
                assert_eq!(found, Some(value), "port {port}: {op} was taken");
            }
        }
    }

    fn behave(&self) {
        self.failures.borrow_mut().clear();
        self.refused.borrow_mut().clear();
    }

    fn fail_opens(&self, count: usize, result: u16) {
        let number = FAILURES[usize::from(result) % FAILURES.len()];
        // With none it would be one that is open.
        let number = if number == 0 { 12 } else { number };
        self.failures
            .borrow_mut()
            .extend(std::iter::repeat_n(number, count));
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
        let (sending, taken) = match &*self.mode.borrow() {
            Mode::Lines => (false, Vec::new()),
            // A command that was taken for data.
            Mode::Import { content, .. } => (false, content.clone()),
            Mode::Send { content, .. } => (true, content.clone()),
        };
        let waits = |name: &[u8]| {
            let has = |text: &[u8]| text.windows(name.len()).any(|part| part == name);
            let begun = has(&self.line.borrow()) || has(&taken);
            begun || self.from_host.is_writing() || self.from_host.contains(name)
        };
        if waits(b"+USORD") || self.broken.get() == Some(Broken::Receive) {
            self.void(Broken::Receive);
        }
        let sends = waits(b"+USOWR") || waits(b"+USOCTL");
        if sends || sending || self.broken.get() == Some(Broken::Send) {
            self.void(Broken::Send);
        }
        self.say(bytes);
    }

    fn peer_sends(&self, index: usize, count: usize, notice: bool) {
        let (id, first) = {
            let mut sockets = self.sockets.borrow_mut();
            let connected = sockets.iter_mut().filter(|(_, socket)| socket.connected);
            let Some((&id, connection)) = connected.into_iter().nth(index) else {
                return;
            };
            if connection.closed {
                return;
            }
            let first = connection.available == 0;
            connection.available += count;
            (id, first)
        };
        // Told when there was nothing before, and not again (sheet B.2.4).
        if first || notice {
            self.urc(&format!("+UUSORD: {id},{count}"));
        }
    }

    fn all_peers_send(&self, count: usize) {
        for index in 0..SOCKETS as usize {
            self.peer_sends(index, count, false);
        }
    }

    fn peer_closes(&self, index: usize) {
        let id = {
            let mut sockets = self.sockets.borrow_mut();
            let connected = sockets.iter_mut().filter(|(_, socket)| socket.connected);
            let Some((&id, connection)) = connected.into_iter().nth(index) else {
                return;
            };
            connection.closed = true;
            // Held back until all is read.
            if connection.available > 0 {
                return;
            }
            sockets.remove(&id);
            id
        };
        self.urc(&format!("+UUSOCL: {id}"));
    }

    /// Nothing says so, but for two NULs.
    fn restart(&self) {
        self.line.borrow_mut().clear();
        *self.mode.borrow_mut() = Mode::Lines;
        self.sockets.borrow_mut().clear();
        self.profiles.borrow_mut().clear();
        self.echo.set(true);
        self.numbers.set(false);
        self.radio.set(true);
        self.context.set(self.row.model == "SARA-R410M-02B");
        self.profile.set(false);
        if self.row.nuls {
            self.to_host.push(b"\0\0");
            self.partial.set(true);
        }
        self.broken.set(None);
    }

    async fn host_speaks(&self) {
        self.from_host.written().await;
    }

    async fn input(&self) -> Input {
        loop {
            let byte = self.from_host.next().await;
            match &mut *self.mode.borrow_mut() {
                Mode::Import { left, content, .. } | Mode::Send { left, content, .. } => {
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
                Mode::Lines if byte == b'\n' => {}
                Mode::Lines => self.line.borrow_mut().push(byte),
            }
        }
    }

    fn unread(&self, line: &str) {
        self.from_host.push_front(format!("{line}\r").as_bytes());
    }

    fn answer(&self, input: &Input) {
        let answer = self.act(input);
        // What was said before may change the meaning of this answer's first line.
        if self.partial.get() {
            self.void(self.about(input));
        }
        self.say(&answer);
        // The prompt has no line end, and needs none.
        self.partial.set(false);
    }

    fn answer_wrongly(&self, input: &Input, cut: bool, spoil: impl FnOnce(&mut Vec<u8>)) {
        let mut answer = self.act(input);
        let right = answer.clone();
        spoil(&mut answer);
        if self.partial.get() {
            self.void(self.about(input));
        }
        if right == answer {
            self.say(&answer);
            return self.partial.set(false);
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
