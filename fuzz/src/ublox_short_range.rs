//! A u-blox Wi-Fi module as seen on its UART, without TLS behind it: command mode, and frames of extended data mode.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet, VecDeque};

use sectag::inspect::Decoder;
use sectag::{CaScope, Md5, Suites, Tag, TlsConfig, TlsVersion};

use crate::model::{Input, Model};
use crate::stream;
use crate::uart::Pipe;

/// Tag 1 is complete from the start.
const COMPLETE: u32 = 1;
const COMPLETE_CONTENT: &[u8] = b"complete";
/// How the names of credentials end, by their type, and what the targets call them.
const ENDS: [(&str, &str); 3] = [("ca", "ca"), ("cc", "crt"), ("pk", "key")];
const LINKS: usize = 4;

const CONNECT: u16 = 0x0011;
const DISCONNECT: u16 = 0x0021;
const DATA_EVENT: u16 = 0x0031;
const DATA_COMMAND: u16 = 0x0036;
const AT_EVENT: u16 = 0x0041;
const AT_REQUEST: u16 = 0x0044;
const AT_CONFIRMATION: u16 = 0x0045;
const STARTED: u16 = 0x0071;

/// The module and its peers. A peer is known by its port; the driver uses each port for one connection.
pub struct UbloxShortRange<'a> {
    from_host: &'a Pipe,
    to_host: &'a Pipe,
    /// Channels are told before handles.
    channels_first: bool,
    framed: Cell<bool>,
    echo: Cell<bool>,
    line: RefCell<Vec<u8>>,
    upload: RefCell<Option<Upload>>,
    /// One that is complete.
    uploaded: RefCell<Option<Upload>>,
    /// Bytes from the host in which no frame was found yet.
    reader: RefCell<Reader>,
    /// What was found in a frame and not taken yet.
    inputs: RefCell<VecDeque<Input>>,
    /// The station's configuration is active.
    active: Cell<bool>,
    /// TLS below 1.2 is switched off.
    tls12: Cell<bool>,
    next_handle: Cell<u32>,
    peers: RefCell<BTreeMap<u32, Peer>>,
    /// Which peer data for a channel is for, also when it has closed.
    channels: RefCell<BTreeMap<u8, u32>>,
    /// By type and name.
    store: RefCell<BTreeMap<(u32, String), Vec<u8>>>,
    newest_port: Cell<u32>,
    rx_void_below: Cell<u32>,
    tx_void_below: Cell<u32>,
    lied: Cell<bool>,
    /// Frames that the module meant to send, and the host's end as it should be.
    meant: RefCell<VecDeque<Vec<u8>>>,
    heard: RefCell<Reader>,
    /// Ports whose peer received something else than was written.
    junk: RefCell<BTreeSet<u32>>,
    received: RefCell<BTreeMap<u32, usize>>,
    refused: RefCell<BTreeSet<&'static str>>,
    /// How many of the next opens fail, and whether they are refused at once.
    failures: RefCell<VecDeque<bool>>,
    /// The URL of the connection of each port, and whether TLS below 1.2 was off.
    opened_with: RefCell<BTreeMap<u32, (String, bool)>>,
}

struct Upload {
    of: u32,
    name: String,
    left: usize,
    content: Vec<u8>,
}

#[derive(Clone)]
struct Peer {
    channel: u8,
    port: u32,
    sent: usize,
}

/// Finds frames; where the end is not what it should be, the beginning was none.
#[derive(Clone, Default)]
struct Reader(VecDeque<u8>);

impl Reader {
    fn push(&mut self, byte: u8) -> Option<Vec<u8>> {
        self.0.push_back(byte);
        loop {
            while self.0.front().is_some_and(|&byte| byte != 0xaa) {
                self.0.pop_front();
            }
            let (&high, &low) = (self.0.get(1)?, self.0.get(2)?);
            let length = usize::from(high & 0x0f) << 8 | usize::from(low);
            if high & 0xf0 == 0 && length >= 2 {
                let &end = self.0.get(length + 3)?;
                if end == 0x55 {
                    return Some(self.0.drain(..length + 4).collect());
                }
            }
            self.0.pop_front();
        }
    }
}

fn kind(frame: &[u8]) -> u16 {
    u16::from_be_bytes([frame[3], frame[4]])
}

fn body(frame: &[u8]) -> &[u8] {
    &frame[5..frame.len() - 1]
}

impl<'a> UbloxShortRange<'a> {
    /// `which`: 1 tells channels before handles, 2 was left in extended data mode by an earlier life of the MCU.
    pub fn new(from_host: &'a Pipe, to_host: &'a Pipe, which: usize) -> Self {
        let complete = ENDS.iter().enumerate().map(|(of, (end, _))| {
            let name = format!("st{COMPLETE}{end}");
            ((of as u32, name), COMPLETE_CONTENT.to_vec())
        });
        Self {
            from_host,
            to_host,
            channels_first: which & 1 != 0,
            framed: Cell::new(which & 2 != 0),
            echo: Cell::new(true),
            line: RefCell::default(),
            upload: RefCell::default(),
            uploaded: RefCell::default(),
            reader: RefCell::default(),
            inputs: RefCell::default(),
            active: Cell::new(which & 2 != 0),
            tls12: Cell::new(false),
            next_handle: Cell::new(0),
            peers: RefCell::default(),
            channels: RefCell::default(),
            store: RefCell::new(complete.collect()),
            newest_port: Cell::new(0),
            rx_void_below: Cell::new(0),
            tx_void_below: Cell::new(0),
            lied: Cell::new(false),
            meant: RefCell::default(),
            heard: RefCell::default(),
            junk: RefCell::default(),
            received: RefCell::default(),
            refused: RefCell::default(),
            failures: RefCell::default(),
            opened_with: RefCell::default(),
        }
    }

    /// Sends bytes. A frame in them that the module did not mean, made of lost or altered bytes, is
    /// accepted by the driver, since frames carry no checksum.
    fn say(&self, bytes: &[u8]) {
        self.to_host.push(bytes);
        for &byte in bytes {
            let Some(frame) = self.heard.borrow_mut().push(byte) else {
                continue;
            };
            let mut meant = self.meant.borrow_mut();
            if let Some(place) = meant.iter().position(|meant| *meant == frame) {
                meant.drain(..=place);
                continue;
            }
            // Text is about no data, unless it was one.
            let hides = frame[4..].contains(&0xaa);
            if hides || !matches!(kind(&frame), AT_EVENT | AT_CONFIRMATION) {
                self.void();
            }
        }
    }

    fn void(&self) {
        let next = self.newest_port.get() + 1;
        self.rx_void_below.set(next);
        self.tx_void_below.set(next);
    }

    /// A frame that is about to be sent.
    fn frame(&self, kind: u16, body: &[u8]) -> Vec<u8> {
        let length = (body.len() as u16 + 2).to_be_bytes();
        let frame = [&[0xaa], &length[..], &kind.to_be_bytes(), body, &[0x55]].concat();
        self.meant.borrow_mut().push_back(frame.clone());
        frame
    }

    /// Text as the mode carries it, on its way.
    fn text(&self, text: &[u8], kind: u16) -> Vec<u8> {
        if self.framed.get() {
            self.frame(kind, text)
        } else {
            text.to_vec()
        }
    }

    fn urc(&self, text: &str) -> Vec<u8> {
        self.text(format!("\r\n{text}\r\n").as_bytes(), AT_EVENT)
    }

    /// Both ways of telling of a peer, in the order of this module.
    fn both(&self, handle: &str, event: (u16, &[u8])) -> Vec<u8> {
        if !self.framed.get() {
            return self.urc(handle);
        }
        if self.channels_first {
            [self.frame(event.0, event.1), self.urc(handle)].concat()
        } else {
            let told = self.urc(handle);
            [told, self.frame(event.0, event.1)].concat()
        }
    }

    /// A peer is gone.
    fn ended(&self, handle: u32) -> Vec<u8> {
        match self.peers.borrow_mut().remove(&handle) {
            Some(peer) => self.both(&format!("+UUDPD:{handle}"), (DISCONNECT, &[peer.channel])),
            None => Vec::new(),
        }
    }

    fn all_ended(&self) -> Vec<u8> {
        let handles: Vec<u32> = self.peers.borrow().keys().copied().collect();
        handles
            .into_iter()
            .flat_map(|handle| self.ended(handle))
            .collect()
    }

    /// Takes a byte of the host's; what it completes is an input.
    fn byte(&self, byte: u8) {
        if !self.framed.get() {
            return self.at_byte(byte);
        }
        let frame = self.reader.borrow_mut().push(byte);
        let Some(frame) = frame else { return };
        match (kind(&frame), body(&frame)) {
            (AT_REQUEST, text) => text.iter().for_each(|&byte| self.at_byte(byte)),
            (DATA_COMMAND, [channel, data @ ..]) => {
                let port = self.channels.borrow().get(channel).copied();
                if let Some(port) = port {
                    self.deliver(port, data);
                }
            }
            _ => {}
        }
    }

    fn at_byte(&self, byte: u8) {
        let mut upload = self.upload.borrow_mut();
        if let Some(running) = upload.as_mut() {
            running.content.push(byte);
            running.left -= 1;
            if running.left == 0 {
                *self.uploaded.borrow_mut() = upload.take();
                self.inputs.borrow_mut().push_back(Input::Payload);
            }
            return;
        }
        let mut line = self.line.borrow_mut();
        match byte {
            b'\r' => {
                let line = std::mem::take(&mut *line);
                if !line.is_empty() {
                    let line = String::from_utf8_lossy(&line).into_owned();
                    self.inputs.borrow_mut().push_back(Input::Command(line));
                }
            }
            b'\n' if line.is_empty() => {}
            byte if line.len() < 1024 => line.push(byte),
            _ => {}
        }
    }

    fn deliver(&self, port: u32, content: &[u8]) {
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
            Input::Command(line) => {
                let mut answer = Vec::new();
                if self.echo.get() {
                    answer = self.text(format!("{line}\r").as_bytes(), AT_CONFIRMATION);
                }
                answer.extend(self.command(line));
                answer
            }
            Input::Payload => {
                let Some(done) = self.uploaded.borrow_mut().take() else {
                    return Vec::new();
                };
                let Upload {
                    of, name, content, ..
                } = done;
                let told = digest(&content);
                self.store.borrow_mut().insert((of, name.clone()), content);
                self.with(&format!("+USECMNG:0,{of},\"{name}\",\"{told}\""))
            }
        }
    }

    fn with(&self, text: &str) -> Vec<u8> {
        let mut answer = self.text(format!("\r\n{text}\r\n").as_bytes(), AT_CONFIRMATION);
        answer.extend(self.ok());
        answer
    }

    fn ok(&self) -> Vec<u8> {
        self.text(b"\r\nOK\r\n", AT_CONFIRMATION)
    }

    fn error(&self) -> Vec<u8> {
        self.text(b"\r\nERROR\r\n", AT_CONFIRMATION)
    }

    fn refuses(&self, key: &str) -> bool {
        self.refused.borrow().contains(key)
    }

    fn command(&self, line: &str) -> Vec<u8> {
        let (name, text) = match line.split_once('=') {
            Some((name, text)) => (name, text),
            None => (line, ""),
        };
        let number = |text: &str| text.parse::<u32>().ok();
        match (name, text) {
            ("AT", "") => self.ok(),
            ("ATE0", "") => {
                self.echo.set(false);
                self.ok()
            }
            ("ATO2", "") => {
                let answer = self.ok();
                self.framed.set(true);
                [answer, self.frame(STARTED, b"")].concat()
            }
            ("AT+UMSM?", "") => self.with("+UMSM:0"),
            ("AT+UWSC", _) if self.active.get() => self.error(),
            ("AT+UWSC", _) => self.ok(),
            ("AT+UWSCA", "0,3") => {
                if self.active.replace(true) {
                    return self.error();
                }
                let mut answer = self.ok();
                answer.extend(self.urc("+UUWLE:0,FAAC838145DA,1"));
                answer.extend(self.urc("+UUNU:0"));
                answer
            }
            ("AT+UWSCA", _) => {
                let mut answer = self.ok();
                if self.active.replace(false) {
                    answer.extend(self.urc("+UUWLD:0,5"));
                    answer.extend(self.urc("+UUND:0"));
                    answer.extend(self.all_ended());
                }
                answer
            }
            ("AT+UNSTAT", _) => self.with(if self.active.get() {
                "+UNSTAT:0,101,10.0.0.2"
            } else {
                "+UNSTAT:0,101,0.0.0.0"
            }),
            ("AT+UWCFG", "24,3") => {
                self.tls12.set(!self.refuses("24"));
                if self.tls12.get() {
                    self.ok()
                } else {
                    self.error()
                }
            }
            ("AT+UWCFG", "10,1") if self.refuses("10") => self.error(),
            ("AT+UWCFG", "1,0") if self.refuses("1") => self.error(),
            ("AT+UDCFG", _) if self.refuses("2") => self.error(),
            ("AT+UWCFG" | "AT+UDCFG", _) => self.ok(),
            ("AT+UDCP", url) => self.open(url.trim_matches('"')),
            ("AT+UDCPC", handle) => match number(handle) {
                Some(handle) if self.peers.borrow().contains_key(&handle) => {
                    let mut answer = self.ok();
                    answer.extend(self.ended(handle));
                    answer
                }
                _ => self.error(),
            },
            ("AT+UDLP?", "") => {
                let mut answer = Vec::new();
                for (handle, peer) in self.peers.borrow().iter() {
                    let line = format!(
                        "\r\n+UDLP:{handle},tcp,10.0.0.2:{},10.0.0.1:{}\r\n",
                        4000 + handle,
                        peer.port
                    );
                    answer.extend(self.text(line.as_bytes(), AT_CONFIRMATION));
                }
                answer.extend(self.ok());
                answer
            }
            ("AT+USECMNG", _) => self.credentials(text),
            // There is more than a driver minds.
            (name, _) if name.starts_with("AT+G") || name.starts_with("ATI") => {
                self.with("\"NINA-W132\"")
            }
            (name, _) if name.starts_with("AT+U") => self.ok(),
            _ => self.error(),
        }
    }

    fn open(&self, url: &str) -> Vec<u8> {
        let port = url
            .strip_prefix("tcp://broker.example:")
            .and_then(|rest| rest.split_once('/'))
            .and_then(|(port, _)| port.parse::<u32>().ok());
        let room = self.peers.borrow().len() < LINKS;
        let Some(port) = port.filter(|_| room && self.active.get() && self.framed.get()) else {
            return self.error();
        };
        let failure = self.failures.borrow_mut().pop_front();
        if failure == Some(true) {
            return self.error();
        }
        let handle = self.next_handle.get() + 1;
        self.next_handle.set(handle);
        let mut answer = self.with(&format!("+UDCP:{handle}"));
        if failure.is_some() || self.refuses("ca") {
            answer.extend(self.urc(&format!("+UUDPD:{handle}")));
            return answer;
        }
        self.newest_port.set(self.newest_port.get().max(port));
        let taken: Vec<u8> = self
            .peers
            .borrow()
            .values()
            .map(|peer| peer.channel)
            .collect();
        let channel = (0..=u8::MAX).find(|channel| !taken.contains(channel));
        let channel = channel.unwrap_or_default();
        let peer = Peer {
            channel,
            port,
            sent: 0,
        };
        self.peers.borrow_mut().insert(handle, peer);
        self.channels.borrow_mut().insert(channel, port);
        let with = (url.to_owned(), self.tls12.get());
        self.opened_with.borrow_mut().insert(port, with);
        let local = 4000 + handle as u16;
        let ports = ((port as u16).to_be_bytes(), local.to_be_bytes());
        let ends = [
            &[channel, 2, 0, 10, 0, 0, 1][..],
            &ports.0,
            &[10, 0, 0, 2],
            &ports.1,
        ];
        answer.extend(self.both(
            &format!("+UUDPC:{handle},2,0,10.0.0.2,{local},10.0.0.1,{port}"),
            (CONNECT, &ends.concat()),
        ));
        answer
    }

    fn credentials(&self, text: &str) -> Vec<u8> {
        let arguments: Vec<&str> = text.split(',').collect();
        let number = |index: usize| arguments.get(index)?.parse::<u32>().ok();
        let name = arguments
            .get(2)
            .map(|name| name.trim_matches('"').to_owned());
        let mut store = self.store.borrow_mut();
        match (number(0), number(1), name) {
            (Some(0), Some(of @ 0..=2), Some(name)) => match number(3) {
                Some(left @ 1..=8192) => {
                    *self.upload.borrow_mut() = Some(Upload {
                        of,
                        name,
                        left: left as usize,
                        content: Vec::new(),
                    });
                    self.text(b"\r\n>", AT_CONFIRMATION)
                }
                _ => self.error(),
            },
            (Some(2), Some(of), Some(name)) => match store.remove(&(of, name)) {
                Some(_) => self.ok(),
                None => self.error(),
            },
            (Some(3), ..) => {
                let mut answer = Vec::new();
                for (of, name) in store.keys() {
                    let of = ["CA", "CC", "PK"].get(*of as usize).unwrap_or(&"SC");
                    let line = format!("\r\n\"{of}\",\"{name}\"\r\n");
                    answer.extend(self.text(line.as_bytes(), AT_CONFIRMATION));
                }
                answer.extend(self.ok());
                answer
            }
            (Some(4), Some(of), Some(name)) => match store.get(&(of, name.clone())) {
                Some(content) if !self.refuses("ca") => {
                    let told = digest(content);
                    self.with(&format!("+USECMNG:4,{of},\"{name}\",\"{told}\""))
                }
                _ => self.error(),
            },
            _ => self.error(),
        }
    }
}

/// Of certificates as they are; of anything else in a form of its own: then the driver must see twice that it is so.
fn digest(content: &[u8]) -> String {
    let mut md5 = Md5::new();
    md5.update(content);
    if content.first() != Some(&0x30) {
        md5.update(b"\n");
    }
    let bytes = md5.finish();
    bytes.iter().map(|byte| format!("{byte:02X}")).collect()
}

impl Model for UbloxShortRange<'_> {
    type Driver = sectag_ublox::short_range::ShortRange;

    /// Most are frames: parts of answers, URCs, connections and their ends, data, and what no module sends.
    const FRAGMENTS: &'static [&'static [u8]] = &[
        b"\xaa\0\x08\0E\r\nOK\r\nU",
        b"\xaa\0\x0b\0E\r\nERROR\r\nU",
        b"\xaa\0\x05\0E\r\nOU",
        b"\xaa\0\x05\0EK\r\nU",
        b"\xaa\0\x02\0EU",
        b"\xaa\0\x13\0E\r\n+UDCP:1\r\n\r\nOK\r\nU",
        b"\xaa\0\r\0E\r\n+UDCP:2\r\nU",
        b"\xaa\0\x13\0E\r\n+UMSM:0\r\n\r\nOK\r\nU",
        b"\xaa\0\x05\0E\r\n>U",
        b"\xaa\0C\0E\r\n+USECMNG:0,0,\"st2ca\",\"779F57D926322E562A0DBDDFD9D3652D\"\r\n\r\nOK\r\nU",
        b"\xaa\0\x0c\0A+UUDPD:1\r\nU",
        b"\xaa\0\x0e\0A\r\n+UUDPD:2\r\nU",
        b"\xaa\0.\0A\r\n+UUDPC:1,2,0,10.0.0.2,4001,10.0.0.1,1000\r\nU",
        b"\xaa\0*\0A\r\n+UUDPC:3,2,0,0.0.0.0,0,10.0.0.1,1001\r\nU",
        b"\xaa\0\x10\0A\r\n+UUWLD:0,3\r\nU",
        b"\xaa\0\x10\0A\r\n+UUWLD:0,2\r\nU",
        b"\xaa\0\r\0A\r\n+UUND:0\r\nU",
        b"\xaa\0\r\0A\r\n+UUNU:0\r\nU",
        b"\xaa\0\x11\0\x11\0\x02\0\n\0\0\x01\x03\xe8\n\0\0\x02\x0f\xa1U",
        b"\xaa\0\x11\0\x11\x01\x02\0\n\0\0\x01\x03\xe9\n\0\0\x02\x0f\xa2U",
        b"\xaa\0\x03\0!\0U",
        b"\xaa\0\x03\0!\x01U",
        b"\xaa\0\x08\01\0helloU",
        b"\xaa\0\x04\01\x01xU",
        b"\xaa\0\x04\01\x07xU",
        b"\xaa\0\x02\0qU",
        b"\xaa\0\x05\0aabcU",
        b"\xaa\0\x05\0DAT\rU",
        b"\r\n+STARTUP\r\n",
        b"\r\nOK\r\n",
        b"\r\nERROR\r\n",
        b"\xaa",
        b"U",
        b"\xaa\x0f\xff\01\0",
        b"\xaa\0\x01",
    ];
    const UNTIL: [&'static str; 10] = [
        "AT+UDCP=",
        "AT+UDCPC",
        "AT+UDLP?",
        "AT+USECMNG",
        "AT+UMSM?",
        "ATO2",
        "AT+UWSCA",
        "AT+UNSTAT",
        "ATE0",
        "AT+UWCFG",
    ];
    const KEYS: [&'static str; 6] = ["24", "10", "1", "2", "ca", "24"];
    const RAW: [&'static str; 6] = [
        "AT+GMM",
        "ATI9",
        "AT+UMLA=2",
        "ATO0",
        "AT+UDCP=\"tcp://broker.example:1/\"",
        "AT+UWSC=0,0,0",
    ];
    const TRAPS: &'static [&'static [u8; 16]] = stream::UBLOX_SHORT_RANGE;
    const TELLS_CONTENT: bool = false;

    fn tls(mutual: bool) -> TlsConfig {
        let tls = TlsConfig::new(Tag(COMPLETE))
            .ca_scope(CaScope::Private)
            .suites(Suites::All);
        if mutual {
            // With a client certificate any version will do; else an older one than 1.2 must be off.
            tls.min_version(TlsVersion::Tls10).client_certificate()
        } else {
            tls
        }
    }

    /// Nobody knows whether it looks at the name.
    fn refused() -> TlsConfig {
        TlsConfig::new(Tag(COMPLETE)).suites(Suites::All)
    }

    fn content(tag: u32, len: usize) -> Vec<u8> {
        let letters = Self::stream(tag, 0, len).into_iter();
        letters.map(|byte| b'a' + byte % 26).collect()
    }

    /// DER.
    fn kept(content: &[u8]) -> Vec<u8> {
        let mut decoder = Decoder::new();
        let bytes = content.iter();
        bytes
            .filter_map(|&character| decoder.push(character))
            .collect()
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

    /// Also what is on its way to the module: nothing confirms it, and to the driver it is sent.
    fn received(&self, port: u32) -> Option<usize> {
        if self.junk.borrow().contains(&port) {
            return None;
        }
        let mut count = self.received.borrow().get(&port).copied().unwrap_or(0);
        let mut reader = self.reader.borrow().clone();
        for byte in self.from_host.waiting() {
            let Some(frame) = reader.push(byte) else {
                continue;
            };
            if let (DATA_COMMAND, [channel, data @ ..]) = (kind(&frame), body(&frame))
                && self.channels.borrow().get(channel) == Some(&port)
            {
                if Self::stream(!port, count, data.len()) != data {
                    return None;
                }
                count += data.len();
            }
        }
        Some(count)
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
        let to = format!("AT+UDCP=\"tcp://broker.example:{port}/?");
        let lines = self.from_host.tls_lines();
        let sent = lines.iter().rev().find_map(|line| line.strip_prefix(&to));
        let sent = sent.expect("an open was sent");
        let options: Vec<&str> = sent.trim_end_matches('"').split('&').collect();
        assert!(options.contains(&"ca=st1ca"), "port {port}: {sent}");
        if mutual {
            let client = ["cert=st1cc", "privKey=st1pk"];
            let has = client.iter().all(|option| options.contains(option));
            assert!(has, "port {port}: {sent}");
        }
        if !self.has_lied() {
            let (url, tls12) = self.opened_with.borrow()[&port].clone();
            assert!(url.ends_with(sent.trim_end_matches('"')), "{url}");
            assert!(mutual || tls12, "port {port}: TLS below 1.2 is not off");
        }
    }

    fn behave(&self) {
        self.failures.borrow_mut().clear();
        self.refused.borrow_mut().clear();
    }

    fn fail_opens(&self, count: usize, result: u16) {
        self.failures
            .borrow_mut()
            .extend(std::iter::repeat_n(result % 2 == 0, count));
    }

    fn toggle_key(&self, key: &'static str) {
        let mut refused = self.refused.borrow_mut();
        if !refused.remove(key) {
            refused.insert(key);
        }
    }

    fn lie(&self, bytes: &[u8]) {
        self.lied.set(true);
        self.say(bytes);
    }

    fn peer_sends(&self, index: usize, count: usize, _notice: bool) {
        let mut event = Vec::new();
        {
            let mut peers = self.peers.borrow_mut();
            let Some(peer) = peers.values_mut().nth(index) else {
                return;
            };
            event.push(peer.channel);
            event.extend(Self::stream(peer.port, peer.sent, count));
            peer.sent += count;
        }
        let frame = self.frame(DATA_EVENT, &event);
        self.say(&frame);
    }

    fn all_peers_send(&self, count: usize) {
        let peers = self.peers.borrow().len();
        for index in 0..peers {
            self.peer_sends(index, count, true);
        }
    }

    fn peer_closes(&self, index: usize) {
        let handle = self.peers.borrow().keys().nth(index).copied();
        if let Some(handle) = handle {
            let told = self.ended(handle);
            self.say(&told);
        }
    }

    /// In command mode, and what was on its way to a peer is lost with it.
    fn restart(&self) {
        self.line.borrow_mut().clear();
        *self.upload.borrow_mut() = None;
        *self.reader.borrow_mut() = Reader::default();
        self.inputs.borrow_mut().clear();
        self.peers.borrow_mut().clear();
        self.channels.borrow_mut().clear();
        self.framed.set(false);
        self.echo.set(true);
        self.active.set(false);
        self.tls12.set(false);
        self.tx_void_below.set(self.newest_port.get() + 1);
        self.say(b"\r\n+STARTUP\r\n");
    }

    async fn host_speaks(&self) {
        self.from_host.written().await;
    }

    async fn input(&self) -> Input {
        loop {
            if let Some(input) = self.inputs.borrow_mut().pop_front() {
                return input;
            }
            let byte = self.from_host.next().await;
            self.byte(byte);
        }
    }

    fn unread(&self, line: &str) {
        let again = Input::Command(line.to_owned());
        self.inputs.borrow_mut().push_front(again);
    }

    fn answer(&self, input: &Input) {
        let answer = self.act(input);
        self.say(&answer);
    }

    fn answer_wrongly(&self, input: &Input, _cut: bool, spoil: impl FnOnce(&mut Vec<u8>)) {
        let mut answer = self.act(input);
        let right = answer.clone();
        spoil(&mut answer);
        if right != answer {
            self.lied.set(true);
        }
        self.say(&answer);
    }

    fn swallow(&self, input: &Input) {
        self.answer_wrongly(input, true, Vec::clear);
    }
}
