//! The commands of the host: of the device, the Wi-Fi network, names, sockets and files.

use std::rc::Rc;

use embassy_time::{Duration, Timer};
use time::OffsetDateTime;

use super::files::NOT_EXISTS;
use super::sockets::{RECV_CLOSED, Shared};
use super::wire::Fields;
use super::{ADDRESSES, Nwp, NwpGeneration};
use crate::clock::EmulatedClock;

impl Nwp {
    pub(super) fn device_get(&self, mut args: Fields<'_>) {
        args.u16();
        let (id, option, len) = (args.u16(), args.u16(), args.u16());
        let mut value = match (id, option) {
            (1, 12) => self.facts().version.to_vec(),
            (1, 11) => {
                let now = self.state.borrow().now();
                let fields = [
                    u32::from(now.second()),
                    u32::from(now.minute()),
                    u32::from(now.hour()),
                    u32::from(now.day()),
                    u32::from(u8::from(now.month())),
                    now.year().unsigned_abs(),
                ];
                let mut value: Vec<u8> = fields
                    .iter()
                    .flat_map(|field| field.to_le_bytes())
                    .collect();
                value.resize(44, 0);
                value
            }
            _ => return self.answer(0x8466, &[0xea, 0xff, 0, 0, 0, 0, 0, 0]),
        };
        value.truncate(len.into());
        let mut answer = vec![0, 0];
        answer.extend(id.to_le_bytes());
        answer.extend(option.to_le_bytes());
        answer.extend((value.len() as u16).to_le_bytes());
        answer.extend(value);
        self.answer(0x8466, &answer);
    }

    pub(super) fn device_set(&self, mut args: Fields<'_>) {
        args.u16();
        let (id, option, len) = (args.u16(), args.u16(), args.u16());
        if (id, option, len) != (1, 11, 44) {
            return self.status(0x84b7, -22);
        }
        let [second, minute, hour, day, month, year] = std::array::from_fn(|_| args.u32());
        let month = u8::try_from(month)
            .ok()
            .and_then(|month| time::Month::try_from(month).ok());
        let date = month
            .and_then(|month| time::Date::from_calendar_date(year as i32, month, day as u8).ok());
        let time = time::Time::from_hms(hour as u8, minute as u8, second as u8).ok();
        match date.zip(time) {
            Some((date, time)) => {
                let now = OffsetDateTime::new_utc(date, time);
                self.state.borrow_mut().clock = Some(EmulatedClock::starting_at(now));
                self.status(0x84b7, 0);
            }
            None => self.status(0x84b7, -22),
        }
    }

    pub(super) fn wlan_connect(self: &Rc<Self>, mut args: Fields<'_>) {
        let security = args.u8();
        let ssid_len = args.u8();
        args.take(6);
        let key_len = args.u8();
        let ssid = String::from_utf8_lossy(args.take(ssid_len.into())).into_owned();
        let key = String::from_utf8_lossy(args.take(key_len.into())).into_owned();
        self.status(0x8c80, 0);
        let open = self.options.key.is_empty();
        let there = ssid == self.options.ssid && self.coverage.get();
        let fits = key == self.options.key && (security == 0) == open;
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
            modem.tell(0x0880, &modem.network_event(&ssid, 6));
            Timer::after(modem.options.address_time).await;
            if modem.starts.get() == start && modem.state.borrow().joined {
                modem.tell(
                    0x1825,
                    &[42, 50, 168, 192, 1, 50, 168, 192, 1, 50, 168, 192],
                );
            }
        });
    }

    pub(super) fn left(&self, reason: u8) {
        self.tell(0x0881, &self.network_event(&self.options.ssid, reason));
    }

    /// Returns the event of a network that was joined, with its channel, or left, with the reason (sheet 3.6).
    pub(super) fn network_event(&self, ssid: &str, last: u8) -> Vec<u8> {
        let mut event = match self.options.generation {
            NwpGeneration::First => vec![0, ssid.len() as u8],
            NwpGeneration::Second => vec![ssid.len() as u8],
        };
        let end = event.len() + 32;
        event.extend(ssid.bytes());
        event.resize(end, 0);
        if self.options.generation == NwpGeneration::First {
            // The name of a Wi-Fi Direct peer is empty.
            event.resize(end + 33, 0);
        }
        event.extend([0xaa, 0xbb, 0xcc, 1, 2, 3, last]);
        event.resize(event.len().next_multiple_of(4), 0);
        event
    }

    pub(super) fn lookup(&self, mut args: Fields<'_>) {
        let len = args.u16();
        args.u16();
        let name = String::from_utf8_lossy(args.take(len.into())).into_owned();
        self.status(0x9c20, 0);
        let (status, address) = if !self.state.borrow().joined {
            (-6152i16, 0)
        } else if !self.network.resolves(&name) {
            (-6154, 0)
        } else {
            let names = &mut self.state.borrow_mut().names;
            let place = names.iter().position(|known| *known == name);
            let place = place.unwrap_or_else(|| {
                names.push(name);
                names.len() - 1
            });
            (0, ADDRESSES + 1 + place as u32)
        };
        let mut event = (self.code(status.into()) as i16).to_le_bytes().to_vec();
        event.extend([0, 0]);
        event.extend(address.to_le_bytes());
        self.tell(0x1820, &event);
    }

    pub(super) fn socket(&self, mut args: Fields<'_>) {
        let kind = (args.u8(), args.u8(), args.u8());
        if kind != (2, 1, 100) {
            return self.socket_status(0x9401, -93, 0);
        }
        let mut state = self.state.borrow_mut();
        let most = self
            .options
            .sockets
            .map_or(self.facts().sockets, usize::from);
        if state.sockets.len() >= most {
            drop(state);
            return self.socket_status(0x9401, -460, 0);
        }
        let id = (self.facts().first_socket..=u8::MAX)
            .find(|id| !state.sockets.contains_key(id))
            .unwrap_or(0);
        state.sockets.insert(id, Shared::default());
        drop(state);
        self.socket_status(0x9401, 0, id);
    }

    /// Returns a socket that was not closed.
    pub(super) fn known(&self, id: u8) -> Option<Shared> {
        let state = self.state.borrow();
        let socket = state.sockets.get(&id);
        socket.filter(|socket| !socket.borrow().cancelled).cloned()
    }

    pub(super) fn set_option(&self, mut args: Fields<'_>) {
        let (id, level, option, len) = (args.u8(), args.u8(), args.u8(), args.u8());
        let value = args.take(len.into()).to_vec();
        let Some(socket) = self.known(id) else {
            return self.socket_status(0x9408, -9, id);
        };
        let known = match option {
            option if option == self.facts().domain => !self.options.old_service_pack,
            8 | 9 | 20 | 24..=27 | 30..=33 => true,
            13 | 21 | 40 | 44 => self.options.generation == NwpGeneration::Second,
            // 35 is STARTTLS in the second generation.
            _ => false,
        };
        if level != 1 || !known {
            return self.socket_status(0x9408, -92, id);
        }
        socket.borrow_mut().options.insert(option, value);
        self.socket_status(0x9408, 0, id);
    }

    pub(super) fn connect(self: &Rc<Self>, mut args: Fields<'_>) {
        args.u16();
        let (id, family) = (args.u8(), args.u8());
        let port = u16::from_be_bytes([args.u8(), args.u8()]);
        args.u16();
        let address = u32::from_be_bytes([args.u8(), args.u8(), args.u8(), args.u8()]);
        let Some(socket) = self.known(id).filter(|_| family == 0x20) else {
            return self.socket_status(0x9406, -9, id);
        };
        let place = address.wrapping_sub(ADDRESSES + 1) as usize;
        let host = self.state.borrow().names.get(place).cloned();
        self.socket_status(0x9406, 0, id);
        match host {
            Some(host) => self.start(id, socket, host, port),
            None => {
                let [low, high] = (-101i16).to_le_bytes();
                self.tell(0x1006, &[low, high, id, 0]);
            }
        }
    }

    pub(super) fn close(self: &Rc<Self>, mut args: Fields<'_>) {
        let id = args.u8();
        let Some(socket) = self.known(id) else {
            return self.socket_status(0x9402, -9, id);
        };
        socket.borrow_mut().cancelled = true;
        self.socket_status(0x9402, 0, id);
        self.core.touch();
        if self.options.close_time == Duration::from_millis(0) {
            return self.closed(id);
        }
        let (modem, start) = (self.clone(), self.starts.get());
        self.core.spawn(async move {
            Timer::after(modem.options.close_time).await;
            if modem.starts.get() == start {
                modem.closed(id);
            }
        });
    }

    /// Ends a socket that was closed, with the events that tell of it.
    fn closed(&self, id: u8) {
        let Some(socket) = self.state.borrow_mut().sockets.remove(&id) else {
            return;
        };
        let (held, wanted) = {
            let mut socket = socket.borrow_mut();
            (std::mem::take(&mut socket.held), socket.wanted.take())
        };
        self.give_back(held + u8::from(wanted.is_some()));
        if wanted.is_some() {
            let [low, high] = RECV_CLOSED.to_le_bytes();
            self.tell(0x100a, &[low, high, id, 0]);
        }
        if self.facts().confirms_closes {
            self.tell(0x1010, &[0, 0, id, 0]);
        }
        self.core.touch();
    }

    pub(super) fn send(&self, mut args: Fields<'_>) {
        let (len, id) = (args.u16(), args.u8());
        args.u8();
        let buffers = 1
            + (len.max(1) - 1)
                .checked_div(self.facts().buffer)
                .unwrap_or(0);
        if !self.take_buffers(buffers as u8) {
            return;
        }
        let bytes = args.take(len.into());
        match self.known(id).filter(|socket| socket.borrow().connected) {
            Some(socket) => socket.borrow_mut().queue(bytes, buffers as u8),
            None => {
                self.give_back(buffers as u8);
                let [low, high] = (-107i16).to_le_bytes();
                self.tell(0x100e, &[low, high, id, 0]);
            }
        }
        self.core.touch();
    }

    pub(super) fn recv(&self, mut args: Fields<'_>) {
        let (len, id) = (args.u16(), args.u8());
        if !self.take_buffers(1) {
            return;
        }
        let refused = |code: i16| {
            self.give_back(1);
            let [low, high] = code.to_le_bytes();
            self.tell(0x100a, &[low, high, id, 0]);
        };
        let Some(socket) = self.known(id) else {
            return refused(-9);
        };
        let mut socket = socket.borrow_mut();
        if !socket.connected {
            return refused(-107);
        }
        if socket.wanted.is_some() || !(1..=16_000).contains(&len) {
            return refused(-22);
        }
        socket.wanted = Some(len);
        self.core.touch();
    }

    pub(super) fn file(&self, opcode: u16, mut args: Fields<'_>) {
        let mut state = self.state.borrow_mut();
        let files = &mut state.files;
        let mut answer = Vec::new();
        match opcode {
            0xa43c => {
                let (mode, token) = (args.u32(), args.u32());
                match files.open(mode, token, &args.text()) {
                    Ok((handle, token)) => {
                        answer.extend(handle.to_le_bytes());
                        answer.extend(token.to_le_bytes());
                    }
                    Err(code) => {
                        answer.extend(self.code(code).to_le_bytes());
                        answer.extend([0; 4]);
                    }
                }
            }
            0xa441 | 0xa440 => {
                let (handle, offset, len) = (args.u32(), args.u32() as usize, args.u16());
                args.u16();
                if opcode == 0xa441 {
                    let written = files.write(handle, offset, args.take(len.into()));
                    answer.extend((self.code(written) as i16).to_le_bytes());
                    answer.extend([0; 2]);
                } else {
                    let read = files.read(handle, offset, len.into());
                    let code = read
                        .as_ref()
                        .map_or_else(|code| self.code(*code) as i16, |bytes| bytes.len() as i16);
                    answer.extend(code.to_le_bytes());
                    answer.extend([0; 2]);
                    answer.extend(read.unwrap_or_default());
                }
            }
            0xa43d => {
                let handle = args.u32();
                let (name, signature) = (args.u32(), args.u32());
                args.take(name as usize);
                let code = files.close(handle, args.take(signature as usize));
                answer.extend((self.code(code) as i16).to_le_bytes());
                answer.extend([0; 2]);
            }
            0xa442 => {
                let token = args.u32();
                let (code, (flags, len, room)) = match files.info(token, &args.text()) {
                    Ok(info) => (0, info),
                    Err(code) => (code, (0, 0, 0)),
                };
                answer.extend((self.code(code) as i16).to_le_bytes());
                answer.extend(flags.to_le_bytes());
                answer.extend(len.to_le_bytes());
                answer.extend(room.to_le_bytes());
                // The tokens follow; in the second generation also storage and count of writes.
                answer.extend(match self.options.generation {
                    NwpGeneration::First => &[0; 16][..],
                    NwpGeneration::Second => &[0; 24],
                });
            }
            0xa443 => {
                let token = args.u32();
                let code = files.delete(token, &args.text());
                answer.extend((self.code(code) as i16).to_le_bytes());
                answer.extend([0; 2]);
            }
            0xa448 if self.options.generation == NwpGeneration::Second => {
                let (place, count, entry) = (args.u32() as i32, args.u8(), args.u8());
                let attributes = args.u8() & 1 != 0;
                let first = (place + 1).max(0) as usize;
                let mut entries = Vec::new();
                let mut found = 0i32;
                for (name, room) in files.rooms().into_iter().skip(first).take(count.into()) {
                    let mut bytes = Vec::new();
                    if attributes {
                        bytes.extend(room.to_le_bytes());
                        bytes.extend([0; 4]);
                        bytes.extend(room.div_ceil(4096).to_le_bytes());
                    }
                    bytes.extend(name.bytes());
                    bytes.resize(entry.into(), 0);
                    entries.extend(bytes);
                    found += 1;
                }
                answer.extend(found.to_le_bytes());
                answer.extend((place + found).to_le_bytes());
                answer.extend((entries.len() as u32).to_le_bytes());
                answer.extend(entries);
            }
            _ => answer.extend((self.code(NOT_EXISTS) as i16).to_le_bytes()),
        }
        drop(state);
        self.answer(opcode, &answer);
    }
}
