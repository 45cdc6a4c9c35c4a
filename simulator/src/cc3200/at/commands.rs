//! The commands of the AT application (sheet 1.4).

use std::rc::Rc;

use base64ct::{Base64, Encoding as _};
use embassy_time::Timer;
use time::OffsetDateTime;

use super::super::secure::DOMAIN;
use super::grammar::{Command, Wrong};
use super::sockets::Shared;
use super::{AtVersion, Cc32xx};
use crate::clock::EmulatedClock;

/// The number of TLS sockets (sheet 4.8).
const TLS_SOCKETS: usize = 6;
/// The first three bytes of the addresses that names get, from 198.51.100.1 on: a network for
/// documentation.
const ADDRESSES: [u8; 3] = [198, 51, 100];
/// The number of bytes waiting for the peer beyond which a send finds no buffer.
const SEND_ROOM: usize = 8 * 1024;
/// The most raw bytes in an answer, given by the application's buffer (sheet 1.6).
const MOST: u32 = 720;

/// The reason why a command was not executed.
pub(super) enum Error {
    Wrong(Wrong),
    Code(i32),
}

impl From<Wrong> for Error {
    fn from(wrong: Wrong) -> Self {
        Self::Wrong(wrong)
    }
}

type Done = Result<(), Error>;

fn word_unknown() -> Error {
    Error::Wrong(Wrong::Parameter(-4))
}

/// Returns whether a worker executes the command, so that others may be sent meanwhile (sheet 1.3).
pub(super) fn is_workers(name: &str) -> bool {
    name.starts_with("file")
        || matches!(
            name,
            "close" | "connect" | "recv" | "select" | "netappgethostbyname"
        )
}

impl Cc32xx {
    /// Executes a command in the thread that reads the UART.
    pub(super) async fn run(self: &Rc<Self>, command: &Command) -> Done {
        self.may(&command.name)?;
        match command.name.as_str() {
            "test" => Ok(()),
            "start" => {
                let was = std::mem::replace(&mut self.state.borrow_mut().started, true);
                if was { Err(Error::Code(-2012)) } else { Ok(()) }
            }
            "stop" => {
                self.stop();
                Ok(())
            }
            "get" => self.get(command),
            "set" => self.set(command),
            "netcfgget" => {
                let joined = self.state.borrow().joined;
                let address = if joined { "192.168.50.42" } else { "0.0.0.0" };
                self.say(&format!(
                    "+netcfgget:dhcp,{address},255.255.255.0,192.168.50.1,192.168.50.1"
                ));
                Ok(())
            }
            "wlanconnect" => self.wlan_connect(command),
            "wlandisconnect" => {
                let was = std::mem::replace(&mut self.state.borrow_mut().joined, false);
                if !was {
                    return Err(Error::Code(-2071));
                }
                self.left(200);
                Ok(())
            }
            "wlanpolicyset" => match command.word(0).as_str() {
                "connection" | "pm" => Ok(()),
                _ => Err(word_unknown()),
            },
            "socket" => self.socket(command),
            "setsockopt" => self.set_option(command),
            "getsockopt" => {
                let socket = self.known(command)?;
                if command.word(2) != "nonblocking" {
                    return Err(word_unknown());
                }
                self.say(&format!("+getsockopt:{}", u8::from(!is_blocking(&socket))));
                Ok(())
            }
            "send" => self.send(command).await,
            _ => Err(Error::Code(-1)),
        }
    }

    /// Executes a command in a worker.
    pub(super) async fn work(self: &Rc<Self>, command: &Command) -> Done {
        self.may(&command.name)?;
        match command.name.as_str() {
            "close" => self.close(command),
            "connect" => self.connect(command).await,
            "recv" => self.recv(command).await,
            "netappgethostbyname" => self.lookup(command),
            "fileopen" => self.file_open(command),
            "filewrite" => self.file_write(command),
            "fileread" => self.file_read(command),
            "fileclose" => {
                let signature = command.text(2);
                if signature.len() > 32 {
                    return Err(Wrong::Parameter(-5).into());
                }
                let handle = command.number(0)?;
                code(
                    self.state
                        .borrow_mut()
                        .files
                        .close(handle, signature.as_bytes()),
                )
            }
            "filedel" => {
                let token = if command.text(1).is_empty() {
                    0
                } else {
                    command.number(1)?
                };
                code(self.state.borrow_mut().files.delete(token, command.text(0)))
            }
            "filegetinfo" => {
                let token = if command.text(1).is_empty() {
                    0
                } else {
                    command.number(1)?
                };
                let info = self.state.borrow_mut().files.info(token, command.text(0));
                let (_, len, room) = info.map_err(Error::Code)?;
                // The flags have no word if none is set, and then no comma (sheet 1.5).
                self.say(&format!("+filegetinfo:{len},{room},,{room},0"));
                Ok(())
            }
            "filegetfilelist" => {
                let rooms = self.state.borrow().files.rooms();
                for (name, room) in rooms {
                    let blocks = room.div_ceil(4096);
                    self.say(&format!("+filegetfilelist:{name},{room},,{blocks}"));
                }
                Ok(())
            }
            _ => Err(Error::Code(-1)),
        }
    }

    /// Checks that the command is allowed: a locked device executes only file commands, and a stopped
    /// one only `Test`, `Start` and `Stop`.
    fn may(&self, name: &str) -> Done {
        let state = self.state.borrow();
        let locked = state.files.alerts >= self.options.alerts_until_locked;
        let free = matches!(name, "test" | "start" | "stop");
        if !state.started && !free {
            return Err(Error::Code(-2018));
        }
        if locked && !free && !name.starts_with("file") {
            return Err(Error::Code(-2011));
        }
        Ok(())
    }

    fn stop(&self) {
        let mut state = self.state.borrow_mut();
        for socket in state.sockets.values() {
            socket.borrow_mut().cancelled = true;
        }
        state.sockets.clear();
        state.joined = false;
        state.started = false;
        state.files.restart();
        drop(state);
        // A join that has begun ends with the network processor.
        self.starts.set(self.starts.get() + 1);
        self.workers.set(0);
        self.core.touch();
    }

    fn get(&self, command: &Command) -> Done {
        match (command.word(0).as_str(), command.word(1).as_str()) {
            ("general", "version") => {
                self.say("+get:0x30000019,3.7.0.1,3.1.0.26,4.13.0.2,8192");
            }
            ("general", "time") => {
                let state = self.state.borrow();
                let clock = state.clock.as_ref();
                let now = clock.map_or(OffsetDateTime::UNIX_EPOCH, EmulatedClock::now);
                drop(state);
                self.say(&format!(
                    "+get:{},{},{},{},{},{}",
                    now.hour(),
                    now.minute(),
                    now.second(),
                    now.day(),
                    u8::from(now.month()),
                    now.year()
                ));
            }
            ("general", "persistent") => self.say("+get:1"),
            _ => return Err(word_unknown()),
        }
        Ok(())
    }

    fn set(&self, command: &Command) -> Done {
        match (command.word(0).as_str(), command.word(1).as_str()) {
            ("general", "time") if command.args.len() == 8 => {
                let mut fields = [0; 6];
                for (index, field) in fields.iter_mut().enumerate() {
                    *field = command.number(2 + index)?;
                }
                let [hour, minute, second, day, month, year] = fields;
                let month = time::Month::try_from(month as u8).map_err(|_| Error::Code(-22))?;
                let date = time::Date::from_calendar_date(year as i32, month, day as u8);
                let time = time::Time::from_hms(hour as u8, minute as u8, second as u8);
                let (Ok(date), Ok(time)) = (date, time) else {
                    return Err(Error::Code(-22));
                };
                let now = OffsetDateTime::new_utc(date, time);
                self.state.borrow_mut().clock = Some(EmulatedClock::starting_at(now));
                Ok(())
            }
            ("general", "time") => Err(Wrong::Parameter(-1).into()),
            ("general", "persistent") => Ok(()),
            _ => Err(word_unknown()),
        }
    }

    fn wlan_connect(self: &Rc<Self>, command: &Command) -> Done {
        let (ssid, key) = (command.text(0).to_owned(), command.text(3).to_owned());
        let security = command.word(2);
        if !matches!(
            security.as_str(),
            "open" | "wpa_wpa2" | "wpa2_plus" | "wpa3" | "wep"
        ) {
            return Err(word_unknown());
        }
        let open = self.options.key.is_empty();
        let there = ssid == self.options.ssid && self.coverage.get();
        let fits = key == self.options.key && (security == "open") == open;
        let (modem, start) = (self.clone(), self.starts.get());
        self.core.spawn(async move {
            Timer::after(modem.options.join_time).await;
            if modem.starts.get() != start || !there {
                return;
            }
            if !fits {
                // The four-way handshake times out (sheet 5.3).
                return modem.left(15);
            }
            modem.state.borrow_mut().joined = true;
            modem.say(&format!(
                "+eventwlan:connect,{ssid},0xaa:0xbb:0xcc:0x1:0x2:0x3"
            ));
            Timer::after(modem.options.address_time).await;
            if modem.starts.get() == start && modem.state.borrow().joined {
                modem.say("+eventnetapp:ipv4_acquired,192.168.50.42,192.168.50.1,192.168.50.1");
            }
        });
        Ok(())
    }

    fn lookup(&self, command: &Command) -> Done {
        let name = command.text(0).to_owned();
        if !self.state.borrow().joined {
            return Err(Error::Code(-6152));
        }
        if !self.network.resolves(&name) {
            return Err(Error::Code(-6154));
        }
        let mut state = self.state.borrow_mut();
        let place = state.names.iter().position(|known| *known == name);
        let place = place.unwrap_or_else(|| {
            state.names.push(name.clone());
            state.names.len() - 1
        });
        drop(state);
        let [a, b, c] = ADDRESSES;
        self.say(&format!(
            "+netappgethostbyname:{name},{a}.{b}.{c}.{}",
            place + 1
        ));
        Ok(())
    }

    fn socket(&self, command: &Command) -> Done {
        let words = (command.word(0), command.word(1), command.word(2));
        if words != ("inet".into(), "stream".into(), "sec".into()) {
            return Err(Error::Code(-93));
        }
        let mut state = self.state.borrow_mut();
        if state.sockets.len() >= TLS_SOCKETS {
            return Err(Error::Code(-460));
        }
        let id = (0..=u8::MAX).find(|id| !state.sockets.contains_key(id));
        let id = id.unwrap_or(0);
        state.sockets.insert(id, Shared::default());
        drop(state);
        self.say(&format!("+socket:{id}"));
        Ok(())
    }

    fn known(&self, command: &Command) -> Result<Shared, Error> {
        let id = command.number(0)?;
        let state = self.state.borrow();
        let socket = u8::try_from(id).ok().and_then(|id| state.sockets.get(&id));
        socket.cloned().ok_or(Error::Code(-9))
    }

    fn set_option(&self, command: &Command) -> Done {
        let socket = self.known(command)?;
        if command.word(1) != "socket" {
            return Err(word_unknown());
        }
        let text = command.text(3);
        let name = || text.as_bytes().to_vec();
        let (option, value) = match command.word(2).as_str() {
            "nonblocking" => (24, command.number(3)?.to_le_bytes().to_vec()),
            "secmethod" => {
                let words = ["sslv3", "tlsv1", "tlsv1_1", "tlsv1_2", "sslv3_tlsv1_2"];
                let word = command.word(3);
                let place = words.iter().position(|known| *known == word);
                (25, vec![place.ok_or_else(word_unknown)? as u8])
            }
            "secure_mask" => (26, mask(&command.word(3))?.to_le_bytes().to_vec()),
            "secure_files_private_key_file_name" => (30, name()),
            "secure_files_certificate_file_name" => (31, name()),
            "secure_files_ca_file_name" => (32, name()),
            "secure_domain_name_verification" if self.options.old_service_pack => {
                return Err(Error::Code(-92));
            }
            "secure_domain_name_verification" => (DOMAIN, name()),
            _ => return Err(word_unknown()),
        };
        socket.borrow_mut().options.insert(option, value);
        Ok(())
    }

    async fn connect(self: &Rc<Self>, command: &Command) -> Done {
        let socket = self.known(command)?;
        let (port, address) = (command.number(2)? as u16, command.text(3).to_owned());
        let place = address.strip_prefix("198.51.100.");
        let place = place.and_then(|place| place.parse::<usize>().ok());
        let host = place.and_then(|place| {
            let state = self.state.borrow();
            state.names.get(place.checked_sub(1)?).cloned()
        });
        // The command is accepted; its result is reported later.
        self.ok();
        let Some(host) = host else {
            return Err(Error::Code(-101));
        };
        self.start(socket.clone(), host, port);
        let ended = || {
            let socket = socket.borrow();
            socket.result.is_some() || socket.cancelled
        };
        self.core.until(ended).await;
        match socket.borrow().result.unwrap_or(-1) {
            0 => {
                self.say(&format!("+connect:{port},{address}"));
                Ok(())
            }
            code => Err(Error::Code(code.into())),
        }
    }

    fn close(&self, command: &Command) -> Done {
        let socket = self.known(command)?;
        let id = command.number(0)?;
        self.state.borrow_mut().sockets.remove(&(id as u8));
        socket.borrow_mut().cancelled = true;
        self.core.touch();
        self.say(&format!("+close:{id}"));
        Ok(())
    }

    async fn send(&self, command: &Command) -> Done {
        let socket = self.known(command)?;
        let bytes = self.data(command, command.number(1)?, command.number(2)?)?;
        let blocking = is_blocking(&socket);
        let room = || {
            let socket = socket.borrow();
            socket.outgoing.len() + bytes.len() <= SEND_ROOM || socket.ended || socket.cancelled
        };
        if !socket.borrow().connected {
            return Err(Error::Code(-107));
        }
        if !room() && !blocking {
            return Err(Error::Code(-11));
        }
        // Meanwhile the whole module is unresponsive (sheet 1.1).
        self.core.until(room).await;
        let mut socket = socket.borrow_mut();
        if socket.ended || socket.cancelled {
            return Err(Error::Code(-1));
        }
        socket.outgoing.extend(&bytes);
        drop(socket);
        self.core.touch();
        Ok(())
    }

    async fn recv(&self, command: &Command) -> Done {
        let socket = self.known(command)?;
        let (format, most) = (command.number(1)?, command.number(2)?);
        // The command is accepted; its result is reported later.
        self.ok();
        if most > MOST {
            self.crash_of_memory();
            return Ok(());
        }
        let due = || {
            let socket = socket.borrow();
            socket.inbox.unread() > 0 || socket.ended || socket.cancelled
        };
        if !socket.borrow().connected {
            return Err(Error::Code(-107));
        }
        if !due() && !is_blocking(&socket) {
            return Err(Error::Code(-11));
        }
        self.core.until(due).await;
        let mut socket = socket.borrow_mut();
        let bytes = socket.inbox.take(most as usize, false);
        if bytes.is_empty() && (socket.broken || socket.cancelled) {
            return Err(Error::Code(-107));
        }
        drop(socket);
        // The peer can send again.
        self.core.touch();
        let id = command.number(0)?;
        self.say_data(&format!("+recv:{id},"), format, &bytes);
        Ok(())
    }

    /// Sends payload of an answer. Raw payload ends at its first NUL, as a C string does (sheet 1.6).
    fn say_data(&self, head: &str, format: u32, bytes: &[u8]) {
        let data = if format == 1 {
            Base64::encode_string(bytes)
        } else {
            let end = bytes.iter().position(|byte| *byte == 0);
            String::from_utf8_lossy(&bytes[..end.unwrap_or(bytes.len())]).into_owned()
        };
        self.say(&format!("{head}{format},{},{data}", data.len()));
    }

    /// Returns the payload of a command.
    fn data(&self, command: &Command, format: u32, len: u32) -> Result<Vec<u8>, Error> {
        let data = command.data.get(..len as usize);
        let data = data.ok_or(if self.options.version == AtVersion::First {
            Wrong::Parameter(-1)
        } else {
            Wrong::Parameter(-5)
        })?;
        match format {
            0 => Ok(data.to_vec()),
            1 => str::from_utf8(data)
                .ok()
                .and_then(|text| Base64::decode_vec(text).ok())
                .ok_or(Wrong::Parameter(-1).into()),
            _ => Err(Wrong::Parameter(-1).into()),
        }
    }

    fn file_open(&self, command: &Command) -> Done {
        let name = command.text(0);
        if name.len() > 179 {
            return Err(Wrong::Parameter(-5).into());
        }
        let (mut create, mut write, mut overwrite, mut read, mut flags) =
            (false, false, false, false, 0);
        for word in command.word(1).split('|') {
            match word {
                "read" => read = true,
                "write" => write = true,
                "create" => create = true,
                "overwrite" => overwrite = true,
                "create_failsafe" => flags |= 0x01,
                "create_secure" => flags |= 0x02,
                "create_nosignature" => flags |= 0x04,
                "create_static_token" => flags |= 0x08,
                "create_vendor_token" => flags |= 0x10,
                "create_public_write" => flags |= 0x20,
                "create_public_read" => flags |= 0x40,
                _ => return Err(word_unknown()),
            }
        }
        let access = match (create, write, overwrite, read) {
            (false, false, false, true) => 0,
            (false, true, false, false) | (false, false, true, false) => 1,
            (true, false, false, false) | (true, true, false, false) => 2,
            (true, false, true, false) => 3,
            _ => return Err(Error::Code(-10_330)),
        };
        if flags != 0 && !create {
            return Err(Error::Code(-10_330));
        }
        let size = if create { command.number(2)? } else { 0 };
        let units = [(0, 256), (1, 1024), (2, 4096), (3, 16_384), (4, 65_536)];
        let fits = units.into_iter().find(|(_, unit)| size <= unit * 255);
        let (index, unit) = fits.ok_or(Error::Code(-10_301))?;
        let mode = flags << 16 | access << 12 | index << 8 | size.div_ceil(unit);
        // The command has no parameter for a token; the application presents 0 (sheet 1.9).
        let opened = self.state.borrow_mut().files.open(mode, 0, name);
        let (handle, token) = opened.map_err(Error::Code)?;
        self.say(&format!("+fileopen:{},{}", handle, token as i32));
        Ok(())
    }

    fn file_write(&self, command: &Command) -> Done {
        let (handle, offset) = (command.number(0)?, command.number(1)?);
        let len = command.number(3)?;
        let bytes = self.data(command, command.number(2)?, len)?;
        let mut state = self.state.borrow_mut();
        code(state.files.write(handle, offset as usize, &bytes))?;
        drop(state);
        self.say(&format!("+filewrite:{len}"));
        Ok(())
    }

    fn file_read(&self, command: &Command) -> Done {
        let (handle, offset) = (command.number(0)?, command.number(1)?);
        let (format, len) = (command.number(2)?, command.number(3)?);
        if len > MOST {
            self.crash_of_memory();
            return Ok(());
        }
        let read = self
            .state
            .borrow()
            .files
            .read(handle, offset as usize, len as usize);
        let bytes = read.map_err(Error::Code)?;
        self.say_data("+fileread:", format, &bytes);
        Ok(())
    }
}

fn is_blocking(socket: &Shared) -> bool {
    let socket = socket.borrow();
    socket
        .options
        .get(&24)
        .is_none_or(|value| value.first() == Some(&0))
}

fn code(code: i32) -> Done {
    if code < 0 {
        Err(Error::Code(code))
    } else {
        Ok(())
    }
}

/// Reads suites by their names; no name stands for all (sheet 1.8).
fn mask(text: &str) -> Result<u32, Error> {
    if text.is_empty() {
        return Ok(0x007f_ffff);
    }
    let mut mask = 0;
    for word in text.split('|') {
        let place = SUITES.iter().position(|known| *known == word);
        mask |= 1 << place.ok_or_else(word_unknown)?;
    }
    Ok(mask)
}

/// The names of the suites, in the order of the mask's bits (sheet 4.4).
const SUITES: [&str; 23] = [
    "ssl_rsa_with_rc4_128_sha",
    "ssl_rsa_with_rc4_128_md5",
    "tls_rsa_with_aes_256_cbc_sha",
    "tls_dhe_rsa_with_aes_256_cbc_sha",
    "tls_ecdhe_rsa_with_aes_256_cbc_sha",
    "tls_ecdhe_rsa_with_rc4_128_sha",
    "tls_rsa_with_aes_128_cbc_sha256",
    "tls_rsa_with_aes_256_cbc_sha256",
    "tls_ecdhe_rsa_with_aes_128_cbc_sha256",
    "tls_ecdhe_ecdsa_with_aes_128_cbc_sha256",
    "tls_ecdhe_ecdsa_with_aes_128_cbc_sha",
    "tls_ecdhe_ecdsa_with_aes_256_cbc_sha",
    "tls_rsa_with_aes_128_gcm_sha256",
    "tls_rsa_with_aes_256_gcm_sha384",
    "tls_dhe_rsa_with_aes_128_gcm_sha256",
    "tls_dhe_rsa_with_aes_256_gcm_sha384",
    "tls_ecdhe_rsa_with_aes_128_gcm_sha256",
    "tls_ecdhe_rsa_with_aes_256_gcm_sha384",
    "tls_ecdhe_ecdsa_with_aes_128_gcm_sha256",
    "tls_ecdhe_ecdsa_with_aes_256_gcm_sha384",
    "tls_ecdhe_ecdsa_with_chacha20_poly1305_sha256",
    "tls_ecdhe_rsa_with_chacha20_poly1305_sha256",
    "tls_dhe_rsa_with_chacha20_poly1305_sha256",
];
