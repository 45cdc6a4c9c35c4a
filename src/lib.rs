//! `sectag` lets microcontroller firmware use the TLS that is inside its cellular or Wi-Fi modem.
//!
//! A *security tag* is the number under which a set of credentials (CA, client certificate, private
//! key) is stored. Each vendor stores them in its own way; firmware uses one API for all.
//!
//! This crate is the part that is common to all modems: the AT engine, sockets, credentials, TLS
//! policy and errors. A backend crate, such as `sectag-bg96`, adds the dialect and scripts of one modem
//! family. It is `no_std`, without allocation and unsafe code, and async on embassy's traits.
//!
//! 1. Declare a [`State`], the driver's memory, as a `static`.
//! 2. [`new`] takes it with a backend, the UART and the pins, and returns the handle of the modem ([`Control`]) and its
//!    [`Runner`].
//! 3. Spawn [`Runner::run`] in a task of its own.
//! 4. Store credentials with [`Control::ensure_set`], connect with [`Control::connect`], and hand the
//!    [`Socket`] to anything that wants embedded-io-async's `Read` and `Write`.
//!
//! A connection over any modem:
//!
//! ```no_run
//! use embedded_io_async::{Read, Write};
//! use sectag::{CaScope, SecureConnect, ServerName, Tag, TlsConfig};
//!
//! const SERVER: ServerName = ServerName::from_static("echo.example.com");
//! // The CA of this tag signs only servers of ours, so the chain alone proves who they are.
//! const TLS: TlsConfig = TlsConfig::new(Tag(7)).client_certificate().ca_scope(CaScope::Private);
//!
//! /// Sends a line and reads the answer, over a connection that is always verified.
//! async fn echo<C: SecureConnect>(modem: &C, answer: &mut [u8]) -> Result<usize, Error<C>> {
//!     let mut socket = modem.connect(SERVER, 4433, &TLS).await.map_err(Error::Connect)?;
//!     socket.write_all(b"hello\n").await.map_err(Error::Socket)?;
//!     socket.flush().await.map_err(Error::Socket)?;
//!     socket.read(answer).await.map_err(Error::Socket)
//! }
//!
//! /// The errors of `echo`, each with its details.
//! enum Error<C: SecureConnect> {
//!     Connect(C::Error),
//!     Socket(C::SocketError),
//! }
//! ```
//!
//! | feature | what it adds |
//! |---|---|
//! | `defmt`, `log` | traces; neither changes behaviour |
//! | `hints` | texts that say what to do about each cause: some kilobytes of flash |
//! | `edge-nal`, `embedded-nal-async` | the module `nal`: adapters for libraries that connect through these traits |
//! | `hmac`, `p256` | Azure's SAS tokens; a key in RAM that signs with ES256 |
//! | `sleep` | `Control::sleep`, `NoticePin`: light sleep by a pin, and waking by another |
//! | `tap` | `Runner::with_tap`: an observer of the UART, for recordings |
//!
//! The README has a picture of the layers and complete examples.
#![no_std]
#![forbid(unsafe_code)]
#![warn(missing_docs)]

// The framing of a backend is also tested inside the engine, where it names this crate.
#[cfg(test)]
extern crate self as sectag;

// This module stands first, so that its macros reach every other one.
#[macro_use]
mod fmt;

pub mod at;
mod backoff;
mod capabilities;
mod cause;
pub mod cellular;
mod control;
mod credentials;
pub mod csr;
mod engine;
mod error;
mod expiring;
pub mod failover;
pub mod jwt;
mod last_data;
mod loss;
pub mod modem;
pub mod mqtt;
#[cfg(any(feature = "edge-nal", feature = "embedded-nal-async"))]
pub mod nal;
#[cfg(feature = "sleep")]
mod notice_pin;
mod numbers;
mod other_store;
mod power;
mod power_saving;
mod secret;
pub mod signer;
mod socket;
mod standard;
mod status;
#[cfg(feature = "sleep")]
mod status_pin;
mod store;
mod suites;
mod tag;
#[cfg(feature = "tap")]
pub mod tap;
mod tls;
pub mod wifi;

#[doc(hidden)]
pub use atat as __atat;
pub use sectag_inspect as inspect;
pub use sectag_inspect::clock;

pub use backoff::Backoff;
pub use capabilities::{Capabilities, Check, Feature, Flush, Support, TimeSource, Verification};
pub use cause::{Cause, Causes};
pub use clock::MIN_DATE;
pub use control::{Control, Shutdown};
pub use credentials::{
    Accepts, Comparison, CredentialSet, Digest, Ensured, Expiry, Hasher, Kind, Md5, Proof,
    ProvisionRecord, RotateError, SetError, Source, Stored,
};
pub use engine::backend::Forbidden;
#[cfg(fuzzing)]
#[doc(hidden)]
pub use engine::machine::Machine;
pub use engine::raw::RawError;
pub use engine::{
    ANSWER_LIMIT, At, COMMAND_LIMIT, Counters, Exclusive, Notices, Runner, State, Upload,
};
pub use error::{
    AtError, BringUpError, Code, ConnectError, CredentialError, Excerpt, Meaning, Refusal,
    RunError, SocketError,
};
pub use failover::{Failover, FailoverError};
pub use last_data::RadioRelease;
pub use loss::Loss;
pub use modem::LastData;
#[cfg(feature = "sleep")]
pub use notice_pin::{NoSwitch, NoticePin, Switch};
pub use other_store::{OtherStore, ReadFrom};
pub use power::{AnySpeed, NoPin, NoPins, Pins, Power};
pub use power_saving::{Bits, Edrx, PowerSaving};
pub use secret::{Secret, SecretBuf};
pub use socket::{Reader, SecureConnect, SecureSocket, Socket, Writer};
#[cfg(feature = "sleep")]
pub use status::LightSleep;
pub use status::{Registration, Signal, SimCard, SimState, Status, Technology};
#[cfg(feature = "sleep")]
pub use status_pin::StatusPin;
pub use store::CredentialsTurn;
pub use suites::{ServerKey, SuiteSet, TlsVersion};
pub use tag::Tag;
pub use tls::{CaScope, Dangerous, Psk, ServerName, Suites, TlsConfig};

use modem::Backend;

#[cfg(test)]
sectag_host_clock::time_driver!();

/// Starts the driver of the modem on this UART: fills `state` from the `backend` with its configuration, and returns the
/// handle and the runner.
///
/// The UART should be buffered (interrupt or DMA). `power` drives the modem's pins: [`Pins`], or [`NoPins`] for a board
/// that wires none of them to the MCU.
pub fn new<'a, M: Backend, const SOCKETS: usize, const RX: usize, const TX: usize, R, W, P>(
    state: &'a mut State<'a, M, SOCKETS, RX, TX>,
    backend: M,
    uart_rx: R,
    uart_tx: W,
    power: P,
) -> (Control<'a, M>, Runner<'a, M, R, W, P>) {
    let (engine, world) = state.start(backend);
    (
        Control {
            world,
            engine,
            keeps: false,
            patience: None,
        },
        Runner {
            engine,
            world,
            uart_rx,
            uart_tx,
            power,
            notices: NoPin,
        },
    )
}
