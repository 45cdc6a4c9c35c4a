//! What a fuzz target must know of a modem: a model of it that answers as it does, or wrongly, and keeps
//! account of what the driver may be held to after that; and what an application does with its driver.

use std::collections::BTreeMap;

use sectag::TlsConfig;
use sectag::modem::{Full, Modem};

use crate::stream;

/// What the driver sent.
pub enum Input {
    Command(String),
    /// What the modem took as payload is complete.
    Payload,
}

#[allow(async_fn_in_trait)]
pub trait Model {
    type Driver: Modem + Full;

    /// What it says, for orders.
    const FRAGMENTS: &'static [&'static [u8]];
    /// Starts of commands, for orders.
    const UNTIL: [&'static str; 10];
    /// Settings that it can be told to refuse, for orders.
    const KEYS: [&'static str; 6];
    /// What somebody types; the last three would break the driver.
    const RAW: [&'static str; 6];
    /// What a stream is full of.
    const TRAPS: &'static [&'static [u8; 16]];
    /// What is stored can be told from anything else, and not only found to be equal.
    const TELLS_CONTENT: bool = true;

    /// What an application connects with; with a client certificate, or else not.
    fn tls(mutual: bool) -> TlsConfig;
    /// What must be refused.
    fn refused() -> TlsConfig;
    /// What is stored under a tag, as long as this.
    fn content(tag: u32, len: usize) -> Vec<u8>;

    /// What the modem has of a credential that was given as PEM.
    fn kept(content: &[u8]) -> Vec<u8> {
        content.to_vec()
    }

    /// Bytes of a stream.
    fn stream(number: u32, position: usize, count: usize) -> Vec<u8> {
        stream::bytes(Self::TRAPS, number, position, count)
    }

    /// A port for a new connection.
    fn next_port(&self, first: u32) -> u32;
    /// Whether what was read on this port proves anything.
    fn rx_counts(&self, port: u32) -> bool;
    /// Whether what was sent does.
    fn tx_counts(&self, port: u32) -> bool;
    /// Something was said that no modem would.
    fn has_lied(&self) -> bool;
    /// How much the peer of `port` has received; `None` when that is not what was written.
    fn received(&self, port: u32) -> Option<usize>;
    /// What is stored, as `stTAG.ca`, `.crt` and `.key`, and with `.xca` what says that a `.ca` does not count.
    fn files(&self) -> BTreeMap<String, Vec<u8>>;
    /// For the open of `port` every setting was sent that verification depends on, and accepted if the modem
    /// has not lied.
    fn check_verified(&self, port: u32, mutual: bool);

    /// From now on opens succeed and every key is known.
    fn behave(&self);
    /// The next opens fail with this number.
    fn fail_opens(&self, count: usize, result: u16);
    /// It refuses this key from now on, or no longer.
    fn toggle_key(&self, key: &'static str);
    /// Says what the modem would not say here.
    fn lie(&self, bytes: &[u8]);
    /// The peer of the `index`th connection sends; the modem tells of it if `notice`.
    fn peer_sends(&self, index: usize, count: usize, notice: bool);
    /// All peers send, and the modem tells of it.
    fn all_peers_send(&self, count: usize);
    fn peer_closes(&self, index: usize);
    /// The modem restarts, and says so.
    fn restart(&self);
    /// Waits until the driver sends something more.
    async fn host_speaks(&self);
    /// The next command, or the end of the payload that the modem waits for.
    async fn input(&self) -> Input;
    /// Takes a command back: it is the next one again.
    fn unread(&self, line: &str);
    /// Answers as the modem does.
    fn answer(&self, input: &Input);
    /// Does what was asked and answers with `spoil` applied to the answer; `cut`: it only ends early.
    fn answer_wrongly(&self, input: &Input, cut: bool, spoil: impl FnOnce(&mut Vec<u8>));
    /// Does what was asked and says nothing.
    fn swallow(&self, input: &Input);
}
