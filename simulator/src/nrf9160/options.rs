//! The settings of a simulated nRF9160, and of facts that the sheet leaves open.

use embassy_time::Duration;
use time::OffsetDateTime;

use super::profile::{Nrf9160Profile, Terminator};
use crate::options::{Boot, Chunk, Sim};

/// The effect of a TLS record that is too large for the receiver (sheet 7.5 names the limits, not the
/// effect).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OversizedRecord {
    /// The connection breaks.
    #[default]
    Breaks,
    /// The record is lost silently, and the connection goes on.
    Lost,
    /// The record comes in parts, as if there were no limit.
    Split,
}

/// The condition under which `#XSSOCKET` in native builds up to 2.5 corrupts the heap.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum HeapTrap {
    /// Nothing is stored for the tag, or there are two sockets (sheet 7.2).
    #[default]
    AsRead,
    /// Every `#XSSOCKET`, so that a driver is caught that sends it at all.
    Always,
}

/// The treatment of the rest of a counted payload whose send has failed (SM, sheet 3.1).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum CountedFailure {
    /// The count is forgotten: bytes are dropped up to a `+++`, and those behind it are commands
    /// (v1.0.0 to main of June 2026).
    #[default]
    Forgets,
    /// As many bytes as were announced are dropped, whatever they are (pull request 431).
    CountsOn,
    /// As many bytes as were announced are dropped, and the firmware sends no `+++` (pull request 454).
    CountsSilently,
}

/// The failure of a send whose bytes the modem had taken from the host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SendFailure {
    /// There is no room for 30 s, and then there is (EAGAIN).
    TimesOut,
    /// The send fails at once, and the connection goes on (ENOBUFS, or 140 from an operator who limits
    /// the rate).
    Refused,
    /// The connection breaks.
    Breaks,
}

/// A send that fails: a string, or a flush of data mode.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FailingSend {
    /// The index of the send, counted from 0 over all sockets.
    pub nth: usize,
    /// The number of its bytes that are sent; never all.
    pub after: usize,
    /// The kind of failure.
    pub how: SendFailure,
}

/// The settings of a simulated nRF9160. The default is SLM 2.1 on an unpaced line with flow control, on
/// for long, in CFUN 0, with coverage, and with a clock that was never set.
#[derive(Clone, Debug)]
pub struct Nrf9160Options {
    /// The dialect.
    pub profile: Nrf9160Profile,
    /// The end of a command line; `None` is that of the profile.
    pub terminator: Option<Terminator>,
    /// Whether RTS is wired and honoured: bytes that the host sends while reception is off wait, and
    /// are not lost.
    pub flow_control: bool,
    /// Whether, with flow control, the host's bytes also wait while the unit boots, and are the first
    /// that it receives.
    pub held_while_booting: bool,
    /// Line rate of the port in both directions (10 bits a byte). `None` is as fast as the host reads
    /// and writes.
    pub baud: Option<u32>,
    /// The rate that an earlier host has stored with `#XSLMUART` (sheet 1.1: it is applied after every
    /// reboot).
    pub stored_rate: Option<u32>,
    /// Delay before each command is answered.
    pub turnaround: Duration,
    /// How output is cut.
    pub chunk: Chunk,
    /// Seed of every random choice, generated keys included.
    pub seed: u64,
    /// The UTC that the modem's clock shows at creation. `None` is a clock that was never set.
    pub clock: Option<OffsetDateTime>,
    /// The UTC that the network sends at registration. `None` is a network that sends no time.
    pub network_time: Option<OffsetDateTime>,
    /// The network's zone in quarter hours.
    pub network_zone: i8,
    /// Whether `AT+CCLK?` always shows nonsense, whatever `%CCLK` and `%XTIME` know (sheet 2a).
    pub broken_cclk: bool,
    /// The time from CFUN 1 to registration.
    pub registration_delay: Duration,
    /// The SIM.
    pub sim: Sim,
    /// The value of `AT+CFUN` at creation, if the unit is on: 1 is what a reset of the MCU alone
    /// leaves, 0 is a power-on.
    pub functionality: u8,
    /// The power state at creation. The wake pin
    /// ([`Simulator::power_key`](crate::Simulator::power_key)) switches the unit on.
    pub boot: Boot,
    /// The time from a reset to `Ready`. Estimated (sheet 13).
    pub boot_time: Duration,
    /// Bytes that a floating TX line puts in front of `Ready` (sheet 10).
    pub ready_junk: Vec<u8>,
    /// The number of bytes after `Ready` that are lost (sheet 10.11: may happen).
    pub lost_after_ready: usize,
    /// Whether the wake pin also ends `#XSHUTDOWN` (on some boards it does not, sheet 1.5).
    pub wakes_from_shutdown: bool,
    /// `CONFIG_SLM_UART_RX_BUF_SIZE`, which decides the time limit of data mode: 256, or 2048 on Thingy:91.
    pub reception_buffer: u32,
    /// The time from the `OK` of data mode to data mode. Bytes in between are taken for commands.
    /// UNCONFIRMED for 2.0 (sheet 3: PR #7951).
    pub late_data_mode: Duration,
    /// `CONFIG_SLM_DATAMODE_URC`: whether each flush of data mode is followed by `#XDATAMODE: <bytes>`.
    pub data_notices: bool,
    /// Whether SM's RI pulses for 100 ms, as in v1.0.0. Otherwise RI is active until the UART is on
    /// again (sheet 1.6).
    pub ri_pulses: bool,
    /// Whether SM keeps its UART off at a start with DTR high, as from main of 2026-04 on (sheet 1.6).
    pub dtr_at_boot: bool,
    /// Whether a string of `#XSEND` may contain a comma. Nordic excludes it (sheet 4.4, DOC); the
    /// parser may differ.
    pub comma_in_string: bool,
    /// Whether TLS checks the dates of certificates. UNCONFIRMED (sheet 2a) for the modem; Mbed TLS
    /// depends on the build.
    pub checks_dates: bool,
    /// Whether the modem's TLS sends SNI although no host name was set. UNCONFIRMED (sheet 13).
    pub sni_without_name: bool,
    /// Whether SNI is missing although a host name was set. UNCONFIRMED for each version (sheet 7.5).
    pub no_sni: bool,
    /// The suite that option 4 reports in place of the one in use, for suites that rustls lacks.
    pub reported_suite: Option<u16>,
    /// Whether one read returns at most the rest of one TLS record. UNCONFIRMED.
    pub record_at_a_time: bool,
    /// The effect of records above the limit.
    pub oversized: OversizedRecord,
    /// Whether a record that is too large makes poll report HUP as well, as for a peer that is gone.
    /// UNCONFIRMED.
    pub tls_failure_hangs_up: bool,
    /// The largest record of the modem's TLS, in bytes (sheet 7.5).
    pub modem_record_limit: usize,
    /// The largest certificate chain of a server for the modem's TLS, in bytes; a longer one crashes
    /// the modem core (sheet 7.5).
    pub modem_chain_limit: usize,
    /// Whether a connection that ends without a close_notify is broken, and not closed. UNCONFIRMED.
    pub abrupt_end_breaks: bool,
    /// Whether `#XPOLL` reports IN once on a TLS socket before there is data. UNCONFIRMED (sheet 13).
    pub early_in: bool,
    /// The most sockets with the modem's TLS at a time. UNCONFIRMED (sheet 7.5: 3 is usually quoted).
    pub tls_limit: usize,
    /// The condition under which TLS sockets of native builds up to 2.5 corrupt the heap.
    pub heap_trap: HeapTrap,
    /// The time from a corrupted heap to the crash.
    pub crash_delay: Duration,
    /// Whether a native build up to 2.5 has the fix of c739f09a62, so that its `#XSSOCKET` is native.
    pub patched_native: bool,
    /// The number of bytes that the modem stores in credentials; above it, 515. UNCONFIRMED (sheet 13).
    pub store_size: usize,
    /// The largest credential in the modem, in bytes; above it, 515. UNCONFIRMED (sheet 13).
    pub item_limit: usize,
    /// Whether a credential can be overwritten; otherwise 519. UNCONFIRMED for `%CMNG` (sheet 6 names
    /// 519 without a case).
    pub overwrites: bool,
    /// Whether the list also shows the reserved tags above 2147483647 that come with the modem (sheet
    /// 6).
    pub factory_credentials: bool,
    /// Whether `%CERTEXPIRY` exists. UNCONFIRMED in which firmware it does (sheet 6.2).
    pub tells_expiry: bool,
    /// Whether `%CMNG=1` shows digests of zeros, as old modem firmware does (sheet 12.6).
    pub zero_digests: bool,
    /// The bytes of the settings partition that credentials can take. UNCONFIRMED: the sheet has 0x4000
    /// with overhead.
    pub settings_size: usize,
    /// Whether requests carry the NULL parameters that strict libraries refuse (sheet 6.1).
    pub csr_with_null: bool,
    /// The answer to `AT#XUUID`.
    pub uuid: [u8; 16],
    /// The number of unread bytes at which a socket stops reading from its peer.
    pub receive_buffer: usize,
    /// The number of unsent bytes above which a send waits, for 30 s at most.
    pub send_buffer: usize,
    /// A send that fails.
    pub failing_send: Option<FailingSend>,
    /// The treatment of the rest of a counted payload whose beginning could not be sent (SM).
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
            ri_pulses: false,
            dtr_at_boot: false,
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
