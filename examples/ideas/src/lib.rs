//! Where the examples of this folder run: a simulated BG96 with a server in its network, in virtual time. An application
//! needs nothing of this; what it needs is in `src/bin`, one idea a file:
//!
//! | `cargo run -p sectag-ideas-example --bin ...` | the idea |
//! |---|---|
//! | `publish` | an MQTT client over a socket |
//! | `token` | a token in place of a password, and another before it expires |
//! | `https_get` | an HTTP client that wants to connect to an address |
//! | `provision` | credentials into the modem, and proof in place of a second upload |
//! | `rotate` | a new set of credentials that proves itself before the old one goes |
//! | `two_sockets` | two connections in two tasks |
//! | `reconnect` | what to do with an error: show all of it, wait, connect again |
//! | `own_command` | an AT command of your own |

#![forbid(unsafe_code)]
#![warn(missing_docs)]

pub mod broker;

use std::future::Future;
use std::io;
use std::rc::Rc;

use embassy_futures::select::{Either4, select4};
use sectag::{CaScope, Control, CredentialSet, NoPins, ServerName, State, Tag, TlsConfig};
use sectag_bg96::{Bg96, Config};
use sectag_simulator::time::block_on_virtual;
use sectag_simulator::{MemoryNetwork, Options, Simulator, peer};
use tokio::io::DuplexStream;

/// The server.
pub const SERVER: ServerName<'static> = ServerName::from_static(peer::NAME);
/// Its port.
pub const PORT: u16 = 443;
/// Mutual TLS with what [`credentials`] are stored under tag 7.
pub const TLS: TlsConfig = TlsConfig::new(Tag(7))
    .client_certificate()
    .ca_scope(CaScope::Private);

/// A connection as the server sees it.
pub type Connection = peer::TlsStream<DuplexStream>;

/// What an application has.
pub struct Bench {
    /// The handle of the modem.
    pub control: Control<'static, Bg96>,
    /// The simulated modem, for what goes wrong.
    pub modem: Simulator,
}

/// The CA of the server, and certificate and key of this device.
pub fn credentials() -> CredentialSet<&'static [u8]> {
    CredentialSet::new()
        .ca(peer::CA_PEM.as_bytes())
        .client_certificate(peer::CLIENT_CERTIFICATE_PEM.as_bytes())
        .private_key(peer::CLIENT_KEY_PEM.as_bytes())
}

/// Runs an application, and a server that serves each connection by `handler`.
///
/// # Panics
/// When the application fails: an example that fails is a failed test.
pub fn run<H, F, A, E>(handler: H, application: impl FnOnce(Bench) -> A)
where
    H: Fn(Connection) -> F,
    F: Future<Output = io::Result<()>>,
    A: Future<Output = Result<(), E>>,
    E: std::fmt::Debug,
{
    let network = MemoryNetwork::new();
    let server = peer::serve(network.listen(peer::NAME, PORT), handler);
    let modem = Simulator::bg96(Options::default(), Rc::new(network));
    let (rx, tx, uart) = modem.uart();
    // Never given back, as a firmware's static.
    let state = Box::leak(Box::new(State::<Bg96, 2, 1024, 1024>::new()));
    let (control, mut runner) = sectag::new(state, Bg96::new(Config::new()), rx, tx, NoPins);
    let application = application(Bench { control, modem });
    match block_on_virtual(select4(application, runner.run(), uart, server)) {
        Either4::First(result) => result.expect("the example works"),
        Either4::Second(error) => panic!("the UART: {error}"),
        Either4::Third(_) | Either4::Fourth(()) => unreachable!("the UART stays open"),
    }
}

/// Sends back what comes.
///
/// # Errors
/// Of the connection.
pub async fn echo(mut connection: Connection) -> io::Result<()> {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let mut buffer = [0; 256];
    loop {
        match connection.read(&mut buffer).await? {
            0 => return connection.shutdown().await,
            count => connection.write_all(&buffer[..count]).await?,
        }
        connection.flush().await?;
    }
}

/// The Rust of the README is compiled with the tests.
#[cfg(doctest)]
#[doc = include_str!("../../../README.md")]
pub struct Readme;

/// A driver's memory is checked when the firmware is built. This one compiles:
///
/// ```
/// use sectag::State;
/// use sectag_bg96::Bg96;
/// let state = State::<Bg96, 6, 16, 16>::new();
/// ```
///
/// A BG96 has six TLS contexts:
///
/// ```compile_fail,E0080
/// use sectag::State;
/// use sectag_bg96::Bg96;
/// let state = State::<Bg96, 7, 1024, 1024>::new();
/// ```
///
/// No socket is no use:
///
/// ```compile_fail,E0080
/// use sectag::State;
/// use sectag_bg96::Bg96;
/// let state = State::<Bg96, 0, 1024, 1024>::new();
/// ```
///
/// Rings that are too small or too large:
///
/// ```compile_fail,E0080
/// use sectag::State;
/// use sectag_bg96::Bg96;
/// let state = State::<Bg96, 1, 15, 1024>::new();
/// ```
///
/// ```compile_fail,E0080
/// use sectag::State;
/// use sectag_bg96::Bg96;
/// let state = State::<Bg96, 1, 1024, 32_768>::new();
/// ```
#[cfg(doctest)]
pub struct Memory;
