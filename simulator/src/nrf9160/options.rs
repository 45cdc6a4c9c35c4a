//! What a test or the host tool can choose about the simulated unit, and what the sheet leaves open.

use embassy_time::Duration;
use time::OffsetDateTime;

use super::profile::{Nrf9160Profile, Terminator};
use crate::options::{Boot, Chunk, Sim};

/// What a TLS record does that is too large for the receiver (sheet 7.5 names the limits, not the effect).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OversizedRecord {
    /// The connection breaks.
    #[default]
    Breaks,
    /// The record is lost without a word, and the connection goes on.
    Lost,
    /// The record comes in parts, as if there were no limit.
    Split,
}

/// When the trap of `#XSSOCKET` in native builds up to 2.5 corrupts the heap.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum HeapTrap {
    /// When nothing is stored for the tag, and with two sockets at a time (sheet 7.2).
    #[default]
    AsRead,
    /// At every `#XSSOCKET`, so that a driver is caught that issues it at all.
    Always,
}

/// What becomes of the rest of a counted data mode that has failed (SM, sheet 3.1).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum CountedFailure {
    /// The count is forgotten: all is dropped up to a `+++`, and what follows that is a command (v1.0.0 to main of
    /// June 2026).
    #[default]
    Forgets,
    /// As many as were announced are dropped, whatever they are (pull request 431).
    CountsOn,
    /// Likewise, and no `+++` says so (pull request 454).
    CountsSilently,
}

/// How a send fails that the modem had taken from the host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SendFailure {
    /// There is no room for 30 s; then there is (EAGAIN).
    TimesOut,
    /// At once, and the connection goes on (ENOBUFS, or 140 of an operator who limits the rate).
    Refused,
    /// The connection breaks.
    Breaks,
}

/// A send that fails, be it a string or a flush of data mode.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FailingSend {
    /// Which one, counted from 0 over all sockets.
    pub nth: usize,
    /// So many of its bytes are sent, but never all.
    pub after: usize,
    /// How.
    pub how: SendFailure,
}

/// Everything adjustable. `Default` is SLM 2.1 on an unpaced line with flow control, long since on, in CFUN 0, with
/// coverage, and without any idea of the date.
#[derive(Clone, Debug)]
pub struct Nrf9160Options {
    /// Dialect.
    pub profile: Nrf9160Profile,
    /// What ends a command line; `None`: what the profile says.
    pub terminator: Option<Terminator>,
    /// RTS is wired and honoured: what the host sends while reception is off waits, instead of being lost.
    pub flow_control: bool,
    /// With flow control, what the host sends to a unit that boots waits as well, and is the first that it hears.
    pub held_while_booting: bool,
    /// Line rate of the port in both directions (10 bits a byte); `None`: as fast as the host reads and writes.
    pub baud: Option<u32>,
    /// What an earlier host left behind with `#XSLMUART` (sheet 1.1: it is applied after every reboot).
    pub stored_rate: Option<u32>,
    /// Delay before each command is answered.
    pub turnaround: Duration,
    /// How output is cut.
    pub chunk: Chunk,
    /// Seed of every random choice, generated keys included.
    pub seed: u64,
    /// UTC that the modem's clock shows at creation; `None`: never set.
    pub clock: Option<OffsetDateTime>,
    /// UTC that the network tells at registration; `None`: it tells no time.
    pub network_time: Option<OffsetDateTime>,
    /// The network's zone in quarter hours.
    pub network_zone: i8,
    /// `AT+CCLK?` shows nonsense for ever, whatever `%CCLK` and `%XTIME` know (sheet 2a).
    pub broken_cclk: bool,
    /// From CFUN 1 to registration.
    pub registration_delay: Duration,
    /// The SIM.
    pub sim: Sim,
    /// `AT+CFUN` at creation, when already on: 1 is what an MCU-only reset leaves, 0 a power-on.
    pub functionality: u8,
    /// On, off or booting. The wake pin ([`Simulator::power_key`](crate::Simulator::power_key)) turns it on.
    pub boot: Boot,
    /// From a reset to `Ready`. Estimated (sheet 13).
    pub boot_time: Duration,
    /// Bytes that a floating TX line puts in front of `Ready` (sheet 10).
    pub ready_junk: Vec<u8>,
    /// First bytes after `Ready` that are lost when they come (sheet 10.11: may happen).
    pub lost_after_ready: usize,
    /// The wake pin also ends `#XSHUTDOWN` (on some boards it does not, sheet 1.5).
    pub wakes_from_shutdown: bool,
    /// `CONFIG_SLM_UART_RX_BUF_SIZE`, which decides the time limit of data mode: 256, or 2048 on Thingy:91.
    pub reception_buffer: u32,
    /// From the `OK` of data mode to data mode; what comes in between is taken for a command. UNCONFIRMED for 2.0
    /// (sheet 3: PR #7951).
    pub late_data_mode: Duration,
    /// `CONFIG_SLM_DATAMODE_URC`: each flush of data mode is followed by `#XDATAMODE: <bytes>`.
    pub data_notices: bool,
    /// A string for `#XSEND` may contain a comma. Nordic says no (sheet 4.4, DOC), the parser may differ.
    pub comma_in_string: bool,
    /// TLS checks a certificate's dates. UNCONFIRMED (sheet 2a) for the modem; Mbed TLS depends on the build.
    pub checks_dates: bool,
    /// The modem's TLS names the host (SNI) although no host name was set. UNCONFIRMED (sheet 13).
    pub sni_without_name: bool,
    /// Setting the host name does not bring SNI. UNCONFIRMED for each version (sheet 7.5).
    pub no_sni: bool,
    /// What option 4 tells as the cipher suite in place of the one in use, for suites that rustls lacks.
    pub reported_suite: Option<u16>,
    /// One read returns at most the rest of one TLS record. UNCONFIRMED.
    pub record_at_a_time: bool,
    /// Records above the limit.
    pub oversized: OversizedRecord,
    /// A record that is too large makes poll report HUP too, as a peer that is gone does. UNCONFIRMED.
    pub tls_failure_hangs_up: bool,
    /// Largest record of the modem's TLS (sheet 7.5).
    pub modem_record_limit: usize,
    /// Largest certificate chain of a server for the modem's TLS; a longer one crashes the modem core (sheet 7.5).
    pub modem_chain_limit: usize,
    /// A connection that ends without TLS's close_notify is broken, not closed. UNCONFIRMED.
    pub abrupt_end_breaks: bool,
    /// `#XPOLL` reports IN on a TLS socket once before there is data. UNCONFIRMED (sheet 13).
    pub early_in: bool,
    /// Most sockets with the modem's TLS at a time. UNCONFIRMED (sheet 7.5: 3 is usually quoted).
    pub tls_limit: usize,
    /// How TLS sockets of native builds up to 2.5 corrupt the heap.
    pub heap_trap: HeapTrap,
    /// From a corrupted heap to the crash.
    pub crash_delay: Duration,
    /// A native build up to 2.5 with the fix of c739f09a62: its `#XSSOCKET` is native after all.
    pub patched_native: bool,
    /// Bytes that the modem stores in credentials; above, 515. UNCONFIRMED (sheet 13).
    pub store_size: usize,
    /// Largest single credential in the modem; above, 515. UNCONFIRMED (sheet 13).
    pub item_limit: usize,
    /// Writing over a credential replaces it; otherwise 519. UNCONFIRMED for `%CMNG` (sheet 6 names 519 without a case).
    pub overwrites: bool,
    /// The list also shows the reserved tags above 2147483647 that come with the modem (sheet 6).
    pub factory_credentials: bool,
    /// It knows `%CERTEXPIRY`. Which firmware does is UNCONFIRMED (sheet 6.2).
    pub tells_expiry: bool,
    /// `%CMNG=1` shows digests of zeros, as old modem firmware (sheet 12.6).
    pub zero_digests: bool,
    /// Bytes of the settings partition that credentials can take. UNCONFIRMED: the sheet knows 0x4000 with overhead.
    pub settings_size: usize,
    /// CSRs carry the NULL parameters that strict libraries refuse (sheet 6.1).
    pub csr_with_null: bool,
    /// `AT#XUUID`.
    pub uuid: [u8; 16],
    /// Bytes of unread payload at which a socket stops reading from its peer.
    pub receive_buffer: usize,
    /// Bytes of unsent payload above which a send waits, for 30 s at most.
    pub send_buffer: usize,
    /// A send that fails.
    pub failing_send: Option<FailingSend>,
    /// What SM does with the rest of a counted payload whose beginning could not be sent.
    pub counted_failure: CountedFailure,
}

impl Default for Nrf9160Options {
    fn default() -> Self {
        Self {
            profile: Nrf9160Profile::V2_1,
            terminator: None,
            flow_control: true,
            held_while_booting: false,
            baud: None,
            stored_rate: None,
            turnaround: Duration::from_ticks(0),
            chunk: Chunk::Whole,
            seed: 1,
            clock: None,
            network_time: Some(OffsetDateTime::now_utc()),
            network_zone: 0,
            broken_cclk: false,
            registration_delay: Duration::from_ticks(0),
            sim: Sim::Ready,
            functionality: 0,
            boot: Boot::AlreadyOn,
            boot_time: Duration::from_millis(700),
            ready_junk: Vec::new(),
            lost_after_ready: 0,
            wakes_from_shutdown: true,
            reception_buffer: 256,
            late_data_mode: Duration::from_ticks(0),
            data_notices: false,
            comma_in_string: false,
            checks_dates: false,
            sni_without_name: false,
            no_sni: false,
            reported_suite: None,
            record_at_a_time: true,
            oversized: OversizedRecord::Breaks,
            tls_failure_hangs_up: false,
            modem_record_limit: 2048,
            modem_chain_limit: 4096,
            abrupt_end_breaks: false,
            early_in: false,
            tls_limit: 3,
            heap_trap: HeapTrap::AsRead,
            crash_delay: Duration::from_secs(5),
            patched_native: false,
            store_size: 64 * 1024,
            item_limit: 4096,
            overwrites: true,
            factory_credentials: true,
            tells_expiry: false,
            zero_digests: false,
            settings_size: 12 * 1024,
            csr_with_null: true,
            // Sheet 12.13.
            uuid: [
                0x50, 0x36, 0x31, 0x54, 0x39, 0x31, 0x44, 0xf0, 0x80, 0x22, 0x12, 0x1b, 0x64, 0x01,
                0x62, 0x7d,
            ],
            receive_buffer: 8192,
            send_buffer: 8192,
            failing_send: None,
            counted_failure: CountedFailure::Forgets,
        }
    }
}
