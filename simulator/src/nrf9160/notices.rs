//! Unsolicited lines, and what sockets have to tell: sent, held back, or lost, by what the UART is used for.

use super::sockets::{ERR, HUP, IN, NVAL};
use super::state::SharedSocket;
use super::{INDICATE_PULSE, Mode, Nrf9160, Power};

/// The number of bytes that wait for the end of idle (sheet 1.5); further ones are cut off.
const IDLE_RING: usize = 1024;
/// The number of bytes that SM holds back; more than this empties the buffer (sheet 5).
const URC_BUFFER: usize = 4096;

impl Nrf9160 {
    pub(super) fn urc(&self, text: &str) {
        self.urc_bytes(format!("\r\n{text}\r\n").as_bytes());
    }

    pub(super) fn urc_bytes(&self, framed: &[u8]) {
        if self.answering.get() {
            return self.after.borrow_mut().push(framed.to_vec());
        }
        let holds = self.options.profile.serial_modem;
        match self.mode.get() {
            _ if self.power.get() != Power::On => {}
            Mode::Idle => {
                let held = &mut self.state.borrow_mut().held;
                let room = IDLE_RING - held.len().min(IDLE_RING);
                held.extend(&framed[..framed.len().min(room)]);
                self.core.notice.pulse(INDICATE_PULSE);
            }
            // TRAP, sheet 3: the notice is dropped.
            Mode::Data if !holds => {}
            _ if holds && (self.in_data_mode() || !self.may_speak()) => self.hold_back(framed),
            _ => self.core.send(framed),
        }
    }

    /// SM says it later, and RI tells that it is there where the UART is off.
    pub(super) fn hold_back(&self, framed: &[u8]) {
        let held = &mut self.state.borrow_mut().held;
        if held.len() + framed.len() > URC_BUFFER {
            held.clear();
        }
        held.extend(framed);
        if !self.uart_off.get() {
            return;
        }
        if self.options.ri_pulses {
            self.core.notice.pulse(INDICATE_PULSE);
        } else {
            self.core.notice.hold();
        }
    }

    /// DTR of SM has had its level for long enough.
    pub(super) fn switch_uart(&self, on: bool) {
        if self.uart_off.replace(!on) != on {
            return;
        }
        if on {
            if !self.options.flow_control {
                self.core.discard_input();
            }
            self.speak();
            self.core.notice.release();
        }
        self.core.touch();
    }

    pub(super) fn in_data_mode(&self) -> bool {
        self.mode.get() == Mode::Data
    }

    /// Returns whether a notice may be sent now. SM sends none while a command is received or executed.
    pub(super) fn may_speak(&self) -> bool {
        let polite = self.options.profile.serial_modem;
        match self.mode.get() {
            _ if self.power.get() != Power::On || self.uart_off.get() => false,
            Mode::Idle => false,
            Mode::Data => true,
            Mode::Executing => !polite,
            Mode::Command => !polite || self.stale.get() || self.line.borrow().is_empty(),
        }
    }

    /// Sends the notices that were held back.
    pub(super) fn speak(&self) {
        if !self.may_speak() || self.in_data_mode() {
            return;
        }
        let held: Vec<u8> = self.state.borrow_mut().held.drain(..).collect();
        if !held.is_empty() {
            self.core.send(&held);
        }
        self.tell_all();
    }

    /// Handles a change of a socket's state.
    pub(super) fn notice(&self, socket: &SharedSocket) {
        if self.may_speak() {
            self.deliver(socket);
            self.tell_events(socket);
        } else if self.mode.get() == Mode::Idle || self.uart_off.get() {
            self.tell_events(socket);
        }
        self.core.touch();
    }

    /// Sends received data to the host by automatic reception (SM), in the current mode of the channel.
    pub(super) fn deliver(&self, socket: &SharedSocket) {
        let data_mode = self.in_data_mode();
        let wanted = if data_mode { 2 } else { 1 };
        loop {
            let (handle, bytes, hex) = {
                let mut socket = socket.borrow_mut();
                if socket.automatic.flags & wanted == 0 || socket.inbox.unread() == 0 {
                    return;
                }
                let bytes = socket.inbox.take(2048, self.options.record_at_a_time);
                (socket.handle, bytes, socket.automatic.hex)
            };
            if data_mode {
                self.core.send(&bytes);
                continue;
            }
            let mut urc =
                format!("\r\n#XRECV: {handle},{},{}\r\n", u8::from(hex), bytes.len()).into_bytes();
            urc.extend(shown(&bytes, hex));
            urc.extend(b"\r\n");
            self.core.send(&urc);
        }
    }

    /// Sends the new events of `#XAPOLL`.
    pub(super) fn tell_events(&self, socket: &SharedSocket) {
        if self.in_data_mode() {
            return;
        }
        let (handle, bits) = {
            let mut socket = socket.borrow_mut();
            let Some(events) = socket.events else { return };
            let asked = events | ERR | HUP | NVAL;
            let now = socket.readiness(self.options.send_buffer) & asked;
            let news = now & !socket.reported;
            if news == 0 {
                return;
            }
            // Sheet 5: HUP comes together with IN, if IN is polled.
            let bits = news | if news & HUP != 0 { now & IN } else { 0 };
            socket.reported |= bits;
            (socket.handle, bits)
        };
        let urc = format!("\r\n#XAPOLL: {handle},{bits}\r\n");
        if self.mode.get() == Mode::Idle || self.uart_off.get() {
            return self.urc_bytes(urc.as_bytes());
        }
        self.core.send(urc.as_bytes());
    }

    /// Sends all notices that could not be sent before.
    pub(super) fn tell_all(&self) {
        let sockets: Vec<SharedSocket> = self.state.borrow().sockets.values().cloned().collect();
        for socket in &sockets {
            self.deliver(socket);
            self.tell_events(socket);
        }
    }
}

/// Returns payload as it is, or as hex digits.
pub(super) fn shown(bytes: &[u8], hex: bool) -> Vec<u8> {
    if !hex {
        return bytes.to_vec();
    }
    let digits: Vec<String> = bytes.iter().map(|byte| format!("{byte:02X}")).collect();
    digits.concat().into_bytes()
}
