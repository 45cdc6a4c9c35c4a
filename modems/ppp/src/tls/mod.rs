//! TLS 1.3 on the MCU, with the names, the policy and the causes of the core.
//!
//! [`new`] splits a [`State`] into [`Sockets`], which implement [`sectag::SecureConnect`] as the
//! sockets of a modem do, and the [`Runner`], a task that makes the connections. There is one
//! connection at a time.
//!
//! embedded-tls does the protocol. webpki decides whether a server is trusted: chain, purpose, name and
//! dates are always checked, and SNI is always sent. The only suite is TLS 1.3 with AES-128-GCM and
//! P-256. A server of TLS 1.2 is refused by name of the cause, and so is one with an RSA key or P-384
//! in its chain without the feature `rsa` or `p384`.
//!
//! A record of the server must fit the buffer of [`Buffers`]; 16 640 bytes are enough for any server.
//! With a smaller one the server is asked to limit records to 2 or 4 KiB (RFC 6066). A server that
//! sends a longer one is refused.

mod algorithms;
mod clock;
mod credentials;
mod gate;
mod refusal;
mod ring;
mod runner;
mod session;
mod socket;
mod suite;
#[cfg(test)]
mod tests;
mod verifier;
mod world;

pub use clock::RunningClock;
pub use credentials::{Clock, Credentials, CredentialsError, NoKey, Time};
pub use rand_core::{CryptoRng, CryptoRngCore, RngCore};
pub use runner::{Buffers, Runner};
pub use sectag::TimeSource;
pub(crate) use socket::CAPABILITIES;
pub use socket::{Reader, Socket, Sockets, Writer};
pub use verifier::LEAF_LIMIT;
pub use world::State;

use embassy_net::Stack;
use sectag::signer::Signer;

/// Splits `state` into the sockets and the runner that makes their connections over `stack`.
///
/// `credentials` are the sets in flash. `key` is the private key of the client certificates among them,
/// or [`NoKey`]. `rng` must be a cryptographic generator, seeded from a source of noise.
pub fn new<'a, const RX: usize, const TX: usize, const RECORD: usize, const SEND: usize, C, S, G>(
    state: &'a mut State<'a, RX, TX>,
    buffers: &'a mut Buffers<RECORD, SEND>,
    stack: Stack<'a>,
    credentials: &'a [Credentials],
    clock: C,
    key: S,
    rng: G,
) -> (Sockets<'a>, Runner<'a, RECORD, SEND, C, S, G>)
where
    C: Clock,
    S: Signer<Signature = [u8; 64]>,
    G: CryptoRngCore,
{
    const {
        assert!(RECORD >= 2_432, "a record of 2 KiB must fit the buffer");
        assert!(
            SEND >= 1_024,
            "the first message and a certificate of the client must fit what is sent"
        );
        assert!(
            RX >= 16 && TX >= 256,
            "a name must fit the ring for what is sent"
        );
    }
    let world = state.connect();
    let runner = Runner {
        world,
        buffers,
        stack,
        credentials,
        clock,
        key,
        rng,
    };
    (Sockets { world }, runner)
}
