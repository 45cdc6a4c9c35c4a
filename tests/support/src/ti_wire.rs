//! What payload costs on the wire of TI's chips: the formulas of throughput, for tests and benchmarks.

/// An exchange that moves as much payload as it can, over an interface of a TI chip.
#[derive(Clone, Copy, Debug)]
pub struct Exchange {
    /// The number of bytes of payload.
    pub payload: usize,
    /// The number of bytes on the wire in the busier direction, the payload's among them.
    pub on_the_wire: usize,
    /// The time, in seconds, in which the wire is silent.
    pub silence: f64,
}

/// The number of bytes of opcode, length and arguments of a native command about data (cc3200 sheet, 3.1, 3.5).
const COMMAND: usize = 4 + 4;
const BASE64: usize = 960;
const OK: usize = "\n\rOK\n\r".len();

impl Exchange {
    /// A send of the native protocol, behind a sync word of `sync` bytes; nothing answers it. Its end is aligned to four bytes.
    pub const fn native_send(sync: usize) -> Self {
        const PAYLOAD: usize = 1386;
        Self {
            payload: PAYLOAD,
            on_the_wire: sync + COMMAND + PAYLOAD.next_multiple_of(4),
            silence: 0.0,
        }
    }

    /// A ring of 4 KiB that the native protocol brings: a request with its sync word, then `before_read` bytes that make an SPI's host read,
    /// sync word, opcode and length, eight bytes of state, four of arguments, and the data.
    pub const fn native_receive(sync: usize, before_read: usize) -> Self {
        const PAYLOAD: usize = 4096;
        Self {
            payload: PAYLOAD,
            on_the_wire: sync + COMMAND + before_read + 4 + 4 + 8 + 4 + PAYLOAD,
            silence: 0.0,
        }
    }

    /// A send of the AT application: 720 bytes as 960 characters of base64 in a line, whose echo runs the other way meanwhile, and `OK`.
    /// The command takes 2 ms, and the driver waits for 4 ms behind the answer (cc3200 sheet, 1.1, 1.6).
    pub const fn at_send() -> Self {
        Self {
            payload: 720,
            on_the_wire: "AT+Send=0,1,720,\r\n".len() + BASE64 + OK,
            silence: 0.002 + 0.004,
        }
    }

    /// A fetch of the AT application: the request, and what is said to it up to the end of the data. The worker begins 0.3 ms behind the
    /// line, and the driver waits for 4 ms behind the answer (cc3200 sheet, 1.1, 1.6).
    pub const fn at_receive() -> Self {
        Self {
            payload: 720,
            on_the_wire: "AT+Recv=0,1,720\r\n+recv:0,1,960,\n\r".len() + BASE64 + OK,
            silence: 0.0003 + 0.004,
        }
    }

    /// Returns the bytes of payload a second, one exchange after the other, on a wire that moves so many bytes a second.
    pub fn rate(&self, bytes_per_second: f64) -> f64 {
        self.payload as f64 / (self.on_the_wire as f64 / bytes_per_second + self.silence)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_native_send_is_payload_by_97_percent() {
        for sync in [4, 8] {
            let send = Exchange::native_send(sync);
            assert!(send.payload as f64 / send.on_the_wire as f64 >= 0.97);
        }
    }
}
