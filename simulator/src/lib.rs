//! Simulated modems that make real TLS connections.
//!
//! A simulator is written from a modem's fact sheet, not from the driver. It is strict: what the modem
//! refuses, it refuses. It is stateful: files outlive a reset, TLS settings do not, sockets outlive a
//! reset of the host alone. It keeps the traps and the insecure factory settings, because drivers are
//! judged by how they cope with them. TLS is real: the simulated modem is a rustls client with the
//! modem's own versions and suites, the credentials are the files that were uploaded over AT, and the
//! dates are judged by the emulated clock.
//!
//! ```no_run
//! use std::rc::Rc;
//! use sectag_simulator::{MemoryNetwork, Options, Simulator, peer};
//!
//! let network = MemoryNetwork::new();
//! let server = peer::echo(network.listen(peer::NAME, 443));
//! let (rx, tx, modem) = Simulator::bg96(Options::default(), Rc::new(network)).uart();
//! // `rx` and `tx` are the driver's UART; `modem` and `server` are polled beside the driver.
//! # drop((server, rx, tx, modem));
//! ```
//!
//! `examples/host` is a whole program of this kind, `examples/test_your_firmware` has the tests of an
//! application.
//!
//! # Time and executors
//! All time is `embassy_time`'s, so a simulator runs in virtual time as well as in real time. It does
//! everything inside [`Simulator::serve`], on the executor that polls that. Create the simulator where
//! it will be served: its clock starts at creation. [`LoopbackNetwork`] and [`transport`] need tokio's
//! reactor, the rest does not.
//!
//! # What the BG96 simulator does not do
//! - Packing of transparent mode (`transpktsize`, `transwaittm`): every byte is forwarded at once.
//! - UDP, listening sockets, `QISENDEX`, `QPING`; the modem's own MQTT, HTTP and FTP clients (`QMTCFG` is taken and
//!   forgotten); SMS, calls. CMUX can be left on, and left again; it carries nothing but a restart.
//! - Cipher suites other than 0xC02F and protocols other than TLS 1.2: rustls has no others of the modem's list. They
//!   can be configured, as on the modem; an open that is left with nothing fails with 566.
//! - PUK entry; PSM is entered only when a test says so or it was [left on](LeftOn), eDRX is never granted; hardware
//!   flow control is assumed.
//! - `QICFG="dataformat"` is stored, hex payload is not made.

//!
//! # What the nRF9160 simulator does not do
//! - TCP and UDP proxies (`#XTCPCLI`, `#XTCPSVR`, `#XUDPCLI`, ...), datagrams, raw and listening sockets, `#XBIND`,
//!   `#XPING`; the firmware's own MQTT, HTTP and FTP clients; nRF Cloud, FOTA, GNSS, GPIO, carrier library, PPP, CMUX.
//!   Their commands answer `ERROR` and are not in `#XCLAC`.
//! - Cipher suites other than ECDHE with AES-GCM, and protocols other than TLS 1.2: ECDSA and RSA certificates work
//!   with the modem's TLS and with native TLS.
//! - PSK, encrypted private keys in use (they are stored), session resumption (the option is stored).
//! - PSM and eDRX are stored and never entered. A name has one address, 127.0.0.1, whatever it leads to.
//!
//! # What the u-blox simulator (SARA, LARA, LENA, LEXI) does not do
//! - UDP, listening sockets, direct link, the base form of hex mode; files, HTTP, FTP and MQTT clients; CMUX, GNSS.
//! - Cipher suites other than ECDHE with AES-GCM, and protocols other than TLS 1.2; pre-shared keys, pinning and
//!   resumption are taken and forgotten.
//! - Power saving is accepted and never entered; TLS failures have the number 11 (no source says which, sheet B.2.5).
//!
//! # What the u-blox short-range simulator does not do
//! - Bluetooth, access point, Ethernet, bridges; UDP, MQTT and HTTP peers, servers, default peers; `+UPING`.
//!   Their commands answer `ERROR`.
//! - TLS other than 1.2 with ECDHE and AES-GCM. `+UWCFG=24` and 25 are taken, and change nothing.
//! - Settings are not stored over a restart; certificates and keys are. A name has one address, whatever it leads to.

//! # PPP
//! ODIN-W2 (`ATO3`) and the cellular u-blox (`ATD*99***1#`) are PPP links as well. The far end is
//! [`PppFarEnd::Slirp`], a program of Debian's, or [`PppFarEnd::Scripted`]. Names, the time and
//! connections come from the simulated network; nothing beyond it is reachable.

#![forbid(unsafe_code)]
#![warn(missing_docs)]

mod bg96;
mod cc3200;
mod certificate;
mod channel;
mod clock;
mod core;
mod failure;
mod fault;
#[cfg(test)]
mod host_port;
mod network;
mod notice_pin;
mod nrf9160;
mod options;
pub mod peer;
mod port;
mod ppp;
mod profile;
mod reset_line;
mod simulator;
mod status_pin;
mod syntax;
#[cfg(feature = "virtual-clock")]
pub mod time;
mod tls;
pub mod transport;
mod ublox;
mod ublox_short_range;

#[cfg(test)]
virtual_clock!();

pub use self::core::Script;
pub use bg96::SLEEPS_AFTER;
pub use cc3200::{
    AtVersion, Cc32xxOptions, HostIntr, NwpGeneration, NwpOptions, NwpSpi, NwpSpiOptions,
};
pub use failure::{After, Failure};
pub use fault::{FAULTS, fault};
pub use network::{
    LocalBoxFuture, LoopbackNetwork, MemoryListener, MemoryNetwork, Network, Stream,
};
pub use notice_pin::NoticePin;
pub use nrf9160::{
    CountedFailure, DataEnd, DataFailure, FailingSend, HeapTrap, Junk, Native, NativeStore,
    Nrf9160Options, Nrf9160Profile, Overflow, OversizedRecord, SendFailure, Terminator,
};
pub use options::{Boot, Chunk, LeftOn, OpenResultTiming, Options, PdpLeft, Sim};
pub use ppp::{Lost, PppAsks, PppFarEnd, PppPeer, PppScript, Slirp};
pub use profile::{Profile, Rearm, UsedId};
pub use reset_line::ResetLine;
pub use simulator::{Reaction, Simulator};
pub use status_pin::StatusPin;
pub use ublox::{DialTrouble, UbloxData, UbloxOptions, UbloxProfile, UbloxSuites};
pub use ublox_short_range::{
    AccessPoint, Mode as ShortRangeMode, ShortRangeOptions, ShortRangeProfile,
};
