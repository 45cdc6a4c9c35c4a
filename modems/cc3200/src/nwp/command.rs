//! The encoder of commands (sheet 3.2 and 3.5). Fields are little endian but for ports and addresses of sockets.

#[cfg(test)]
use super::opcode::*;

/// The sync word in front of each command (sheet 3.1).
pub(crate) const SYNC: [u8; 4] = [0x21, 0x43, 0x34, 0x12];
/// The bytes that stand in front of [`SYNC`] on a UART.
const UART_SYNC: [u8; 4] = [0xff, 0xee, 0xdd, 0xbb];
/// The longest command, in bytes: sync words, header, arguments, a chunk of a file or a name, padding.
pub(crate) const COMMAND_LIMIT: usize = 8 + 4 + 12 + 260;
/// The number of bytes of a file in one message; a multiple of 16, since secure files are encrypted in blocks of that size.
pub(crate) const FILE_CHUNK: usize = 256;

/// The wiring of the chip.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Wiring {
    /// SPI with the interrupt line and nHIB: see [`spi`](super::spi).
    Spi,
    /// A UART with RTS and CTS.
    Uart,
}

/// Returns the number of bytes in front of a command's header.
pub(crate) const fn sync_len(wiring: Wiring) -> usize {
    match wiring {
        Wiring::Spi => SYNC.len(),
        Wiring::Uart => UART_SYNC.len() + SYNC.len(),
    }
}

/// The writer of one command. Bytes that do not fit are counted and not written.
pub(crate) struct Writer<'b> {
    buf: &'b mut [u8],
    len: usize,
    header: usize,
}

impl<'b> Writer<'b> {
    /// Begins a command with its sync word and opcode; [`finish`](Self::finish) fills in the length.
    pub(crate) fn new(buf: &'b mut [u8], wiring: Wiring, opcode: u16) -> Self {
        let mut writer = Self {
            buf,
            len: 0,
            header: 0,
        };
        if wiring == Wiring::Uart {
            writer.bytes(&UART_SYNC);
        }
        writer.bytes(&SYNC);
        writer.header = writer.len;
        writer.u16(opcode);
        writer.u16(0);
        writer
    }

    pub(crate) fn bytes(&mut self, bytes: &[u8]) {
        let end = self.len + bytes.len();
        if let Some(room) = self.buf.get_mut(self.len..end) {
            room.copy_from_slice(bytes);
        }
        self.len = end;
    }

    pub(crate) fn u8(&mut self, value: u8) {
        self.bytes(&[value]);
    }

    pub(crate) fn u16(&mut self, value: u16) {
        self.bytes(&value.to_le_bytes());
    }

    pub(crate) fn u32(&mut self, value: u32) {
        self.bytes(&value.to_le_bytes());
    }

    pub(crate) fn zeros(&mut self, count: usize) {
        for _ in 0..count {
            self.u8(0);
        }
    }

    /// Appends zeros up to a multiple of four.
    pub(crate) fn pad(&mut self) {
        self.zeros((self.len - self.header).wrapping_neg() & 3);
    }

    /// Fills in the length field, for what was written and `follows` bytes of payload that are sent after it, with their
    /// padding. Returns the number of bytes that were written, `None` if they did not fit.
    pub(crate) fn finish(mut self, follows: u16) -> Option<usize> {
        self.pad();
        let args = self.len - self.header - 4;
        let len = u16::try_from(args).ok()?.checked_add(follows)?;
        let len = len.checked_add(follows.wrapping_neg() & 3)?;
        let field = self.buf.get_mut(self.header + 2..self.header + 4)?;
        field.copy_from_slice(&len.to_le_bytes());
        (self.len <= self.buf.len()).then_some(self.len)
    }
}

/// Writes the arguments of a device get, for `len` bytes of an option.
pub(crate) fn device_get(w: &mut Writer<'_>, id: u16, option: u16, len: u16) {
    for field in [0, id, option, len] {
        w.u16(field);
    }
}

/// Writes the date, which is device option 11 of id 1: second, minute, hour, day, month, year.
pub(crate) fn set_date(w: &mut Writer<'_>, date: [u32; 6]) {
    device_get(w, 1, 11, 44);
    date.into_iter().for_each(|field| w.u32(field));
    w.zeros(20);
}

/// Writes the arguments of a join without enterprise security.
pub(crate) fn wlan_connect(w: &mut Writer<'_>, security: u8, ssid: &[u8], key: &[u8]) {
    w.u8(security);
    w.u8(ssid.len() as u8);
    w.zeros(6);
    w.u8(key.len() as u8);
    w.bytes(ssid);
    w.bytes(key);
}

/// Writes a policy; kind 0x10 is the connection policy.
pub(crate) fn wlan_policy(w: &mut Writer<'_>, kind: u8, option: u8) {
    w.bytes(&[kind, 0, option, 0]);
}

/// Writes the command that stops provisioning.
pub(crate) fn stop_provisioning(w: &mut Writer<'_>) {
    // Command 4 stops provisioning; 0xff names no role to change to.
    w.bytes(&[4, 0xff]);
    w.zeros(2 + 4 + 24);
}

/// Writes the head of a lookup; the name follows as payload.
pub(crate) fn dns(w: &mut Writer<'_>, len: u16) {
    w.u16(len);
    // IPv4.
    w.bytes(&[2, 0]);
}

/// Writes the arguments for a TLS socket over IPv4.
pub(crate) fn socket(w: &mut Writer<'_>) {
    w.bytes(&[2, 1, 100, 0]);
}

/// Writes the arguments of a connect; `address` is a number as a lookup returns it.
pub(crate) fn connect(w: &mut Writer<'_>, socket: u8, port: u16, address: u32) {
    w.u16(0);
    // The high nibble is the address family.
    w.bytes(&[socket, 2 << 4]);
    w.bytes(&port.to_be_bytes());
    w.u16(0);
    w.bytes(&address.to_be_bytes());
}

/// Writes the head of a socket option; its value of `len` bytes follows.
pub(crate) fn option(w: &mut Writer<'_>, socket: u8, option: u8, len: u8) {
    w.bytes(&[socket, 1, option, len]);
}

/// Writes the arguments of a close, or of another command that has only a socket.
pub(crate) fn close(w: &mut Writer<'_>, socket: u8) {
    w.bytes(&[socket, 0, 0, 0]);
}

/// Writes the arguments of a send or a recv.
pub(crate) fn data(w: &mut Writer<'_>, socket: u8, len: u16) {
    w.u16(len);
    w.bytes(&[socket, 0]);
}

/// Writes the arguments that open a file.
pub(crate) fn file_open(w: &mut Writer<'_>, mode: u32, token: u32, name: &str) {
    w.u32(mode);
    file_name(w, token, name);
}

/// Writes the arguments of file info and file delete: a token, and the name with a NUL.
pub(crate) fn file_name(w: &mut Writer<'_>, token: u32, name: &str) {
    w.u32(token);
    w.bytes(name.as_bytes());
    w.u8(0);
    w.pad();
}

/// Writes the arguments that write a chunk, which follows, or read one.
pub(crate) fn file_chunk(w: &mut Writer<'_>, handle: u32, offset: u32, len: u16) {
    w.u32(handle);
    w.u32(offset);
    w.u16(len);
    w.u16(0);
}

/// Writes the arguments that close a file; with `abort` the chip drops what was written.
pub(crate) fn file_close(w: &mut Writer<'_>, handle: u32, abort: bool) {
    w.u32(handle);
    w.u32(0);
    w.u32(abort.into());
    if abort {
        // The signature `A` aborts (sheet 3.5).
        w.u8(b'A');
    }
}

/// The length of an entry of the list of files, in bytes: three words of attributes, then the name, which ends with a NUL.
pub(crate) const LIST_ENTRY: u8 = 12 + 180;
/// The offset of the first entry's name in the answer, after the count, the place and the length.
pub(crate) const LIST_NAME: usize = 12 + 12;

/// Writes the arguments that ask for the entry of the list of files after `place`; -1 for the first.
pub(crate) fn file_list(w: &mut Writer<'_>, place: i32) {
    w.u32(place as u32);
    // One entry is asked for, with its attributes.
    w.bytes(&[1, LIST_ENTRY, 1, 0]);
}

// Attributes of a file that is created (sheet 3.5).
pub(crate) const FAIL_SAFE: u32 = 0x01;
pub(crate) const SECURE: u32 = 0x02;
pub(crate) const NO_SIGNATURE: u32 = 0x04;
pub(crate) const VENDOR_TOKEN: u32 = 0x10;
#[cfg(test)]
pub(crate) const PUBLIC_READ: u32 = 0x40;
// The modes in which a file is opened (sheet 3.5).
pub(crate) const READ: u32 = 0;
const CREATE_OR_WRITE: u32 = 3 << 12;

/// Returns the mode word that creates a file, or overwrites it, with room for `size` bytes.
pub(crate) fn create_mode(size: u32, flags: u32) -> u32 {
    const UNITS: [u32; 5] = [256, 1024, 4096, 16_384, 65_536];
    let granularity = UNITS.iter().position(|unit| unit * 255 >= size);
    let index = granularity.unwrap_or(UNITS.len() - 1);
    flags << 16 | CREATE_OR_WRITE | (index as u32) << 8 | size.div_ceil(UNITS[index])
}

#[cfg(test)]
mod tests {
    extern crate std;

    use std::vec::Vec;

    use super::*;

    fn hex(text: &str) -> Vec<u8> {
        let bytes = text.split_whitespace();
        bytes
            .map(|byte| u8::from_str_radix(byte, 16).unwrap())
            .collect()
    }

    /// Returns the bytes of a command without its sync word.
    fn written(opcode: u16, write: impl FnOnce(&mut Writer<'_>)) -> Vec<u8> {
        let mut buf = [0x55; COMMAND_LIMIT];
        let mut writer = Writer::new(&mut buf, Wiring::Spi, opcode);
        write(&mut writer);
        let len = writer.finish(0).unwrap();
        assert_eq!(buf[..4], SYNC);
        buf[4..len].to_vec()
    }

    const CA: &str = "/cert/t1_ca.der";
    const TOKEN: u32 = 0x5a5a_1234;

    /// Compares every command of sheet 3.7.
    #[test]
    fn commands_are_those_of_the_sheet() {
        let cases: &[(&str, Vec<u8>)] = &[
            (
                "66 84 08 00 00 00 01 00 0C 00 2C 00",
                written(DEVICE_GET, |w| device_get(w, 1, 12, 44)),
            ),
            (
                "66 84 08 00 00 00 01 00 0C 00 14 00",
                written(DEVICE_GET, |w| device_get(w, 1, 12, 20)),
            ),
            (
                "86 8C 04 00 10 00 00 00",
                written(WLAN_POLICY, |w| wlan_policy(w, 0x10, 0)),
            ),
            (
                "80 8C 18 00 02 03 00 00 00 00 00 00 09 6C 61 62 53 33 63 72 65 74 4B 65 79 00 00 00",
                written(WLAN_CONNECT, |w| wlan_connect(w, 2, b"lab", b"S3cretKey")),
            ),
            (
                "B7 84 34 00 00 00 01 00 0B 00 2C 00 00 00 00 00 1E 00 00 00 07 00 00 00 02 00 00 00 0B 00 00 00
                 E9 07 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00",
                written(DEVICE_SET, |w| set_date(w, [0, 30, 7, 2, 11, 2025])),
            ),
            (
                "3C A4 18 00 04 30 57 00 34 12 5A 5A 2F 63 65 72 74 2F 74 31 5F 63 61 2E 64 65 72 00",
                written(FILE_OPEN, |w| {
                    let flags = FAIL_SAFE | SECURE | NO_SIGNATURE | VENDOR_TOKEN | PUBLIC_READ;
                    file_open(w, create_mode(1024, flags), TOKEN, CA);
                }),
            ),
            (
                "41 A4 14 00 21 00 00 00 10 00 00 00 05 00 00 00 30 82 03 80 30 00 00 00",
                written(FILE_WRITE, |w| {
                    file_chunk(w, 0x21, 16, 5);
                    w.bytes(&[0x30, 0x82, 0x03, 0x80, 0x30]);
                }),
            ),
            (
                "3D A4 0C 00 21 00 00 00 00 00 00 00 00 00 00 00",
                written(FILE_CLOSE, |w| file_close(w, 0x21, false)),
            ),
            (
                "42 A4 14 00 34 12 5A 5A 2F 63 65 72 74 2F 74 31 5F 63 61 2E 64 65 72 00",
                written(FILE_INFO, |w| file_name(w, TOKEN, CA)),
            ),
            (
                "43 A4 14 00 34 12 5A 5A 2F 63 65 72 74 2F 74 31 5F 63 61 2E 64 65 72 00",
                written(FILE_DELETE, |w| file_name(w, TOKEN, CA)),
            ),
            (
                "20 9C 14 00 10 00 02 00 6D 71 74 74 2E 65 78 61 6D 70 6C 65 2E 6F 72 67",
                written(DNS, |w| {
                    dns(w, 16);
                    w.bytes(b"mqtt.example.org");
                }),
            ),
            ("01 94 04 00 02 01 64 00", written(SOCKET, socket)),
            (
                "08 94 08 00 51 01 19 01 03 00 00 00",
                written(SET_OPTION, |w| {
                    option(w, 0x51, 25, 1);
                    w.u8(3);
                }),
            ),
            (
                "08 94 14 00 51 01 20 0F 2F 63 65 72 74 2F 74 31 5F 63 61 2E 64 65 72 00",
                written(SET_OPTION, |w| {
                    option(w, 0x51, 32, 15);
                    w.bytes(CA.as_bytes());
                }),
            ),
            (
                "08 94 14 00 51 01 1E 10 2F 63 65 72 74 2F 74 31 5F 6B 65 79 2E 64 65 72",
                written(SET_OPTION, |w| {
                    option(w, 0x51, 30, 16);
                    w.bytes(b"/cert/t1_key.der");
                }),
            ),
            (
                "08 94 08 00 51 01 1B 04 03 02 01 00",
                written(SET_OPTION, |w| {
                    option(w, 0x51, 27, 4);
                    w.bytes(&[3, 2, 1, 0]);
                }),
            ),
            (
                "08 94 14 00 51 01 23 10 6D 71 74 74 2E 65 78 61 6D 70 6C 65 2E 6F 72 67",
                written(SET_OPTION, |w| {
                    option(w, 0x51, 35, 16);
                    w.bytes(b"mqtt.example.org");
                }),
            ),
            (
                "08 94 14 00 01 01 2A 10 6D 71 74 74 2E 65 78 61 6D 70 6C 65 2E 6F 72 67",
                written(SET_OPTION, |w| {
                    option(w, 1, 42, 16);
                    w.bytes(b"mqtt.example.org");
                }),
            ),
            (
                "08 94 08 00 51 01 18 04 01 00 00 00",
                written(SET_OPTION, |w| {
                    option(w, 0x51, 24, 4);
                    w.u32(1);
                }),
            ),
            (
                "06 94 0C 00 00 00 51 20 22 B3 00 00 0A 14 1E 28",
                written(CONNECT, |w| connect(w, 0x51, 8883, 0x0a14_1e28)),
            ),
            (
                "0C 94 0C 00 06 00 51 00 30 04 00 02 68 69 00 00",
                written(SEND, |w| {
                    data(w, 0x51, 6);
                    w.bytes(&[0x30, 0x04, 0x00, 0x02, 0x68, 0x69]);
                }),
            ),
            (
                "0A 94 04 00 00 04 51 00",
                written(RECV, |w| data(w, 0x51, 1024)),
            ),
            (
                "02 94 04 00 51 00 00 00",
                written(CLOSE, |w| close(w, 0x51)),
            ),
            (
                "73 84 04 00 C8 00 00 00",
                written(STOP, |w| {
                    w.u16(200);
                    w.u16(0);
                }),
            ),
        ];
        for (expected, written) in cases {
            assert_eq!(*written, hex(expected), "{expected}");
        }
    }

    #[test]
    fn payload_that_follows_is_announced_with_its_padding() {
        let mut buf = [0; COMMAND_LIMIT];
        let mut writer = Writer::new(&mut buf, Wiring::Uart, SEND);
        data(&mut writer, 1, 6);
        assert_eq!(writer.finish(6), Some(16));
        assert_eq!(
            buf[..16],
            hex("FF EE DD BB 21 43 34 12 0C 94 0C 00 06 00 01 00")
        );
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        let mut buf = [0; 16];
        let mut writer = Writer::new(&mut buf, Wiring::Uart, DNS);
        dns(&mut writer, 20);
        writer.bytes(&[b'a'; 20]);
        assert_eq!(writer.finish(0), None);
    }
}
