//! Failover between two links: the second one is used when the first fails.

mod blame;
mod carrier;
mod error;
mod socket;

pub use carrier::Carrier;
pub use error::FailoverError;
pub use socket::{Carried, CarriedReader, CarriedWriter};

use core::cell::Cell;

use embassy_time::{Duration, Instant, Timer, with_timeout};

use crate::error::{ConnectError, SocketError};
use crate::socket::SecureConnect;
use crate::tls::{ServerName, TlsConfig};

/// The time limits of a [`Failover`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Patience {
    /// The time limit of one attempt over one link, with its bring-up.
    pub attempt: Duration,
    /// The time that the first link must have been up before it is used again.
    pub hold: Duration,
}

impl Patience {
    /// One minute for an attempt, and five minutes until the first link is used again.
    pub const DEFAULT: Self = Self {
        attempt: Duration::from_secs(60),
        hold: Duration::from_secs(300),
    };
}

/// A connector over two links: it connects over the first one, and over the second when the first fails.
///
/// - Each attempt over a link has a time limit. A failure for which the *server* or the policy is to blame, such as a
///   certificate, a name or a missing credential, is an error at once, since another link would not change it.
/// - After a failover, new connections use the second link until the first has been up for the time of
///   [`Patience::hold`]. Its owner reports its state with [`report`](Self::report); without reports, the first link is
///   tried again when that time has passed since it failed.
/// - If all sockets of the first link are in use, the connection is made over the second, and the next one is tried
///   over the first again.
/// - A connection is never moved between links: it ends, and the application connects again.
///   [`returned`](Self::returned) waits until that would use the first link again.
/// - A refused login is no reason for a failover, since its connection stands.
///
/// The second link is brought up by the first connection over it, which saves energy, or by its owner before, which saves
/// time.
pub struct Failover<A, B> {
    first: A,
    second: B,
    patience: Patience,
    carrier: Cell<Carrier>,
    /// The time at which the first link may be used again, once it has failed.
    again: Cell<Again>,
}

#[derive(Clone, Copy)]
enum Again {
    /// The link was not reported, and is tried at this time.
    Try(Instant),
    /// The link was reported down.
    Down,
    /// The link was reported up, and is used from this time on.
    Up(Instant),
}

impl<A, B> Failover<A, B>
where
    A: SecureConnect<Error = ConnectError, SocketError = SocketError>,
    B: SecureConnect<Error = ConnectError, SocketError = SocketError>,
{
    /// Makes a failover that begins with the first link.
    pub const fn new(first: A, second: B, patience: Patience) -> Self {
        Self {
            first,
            second,
            patience,
            carrier: Cell::new(Carrier::First),
            again: Cell::new(Again::Try(Instant::MIN)),
        }
    }

    /// Returns the link that is in use: that of the last connection, or the first link before any.
    pub fn carrier(&self) -> Carrier {
        self.carrier.get()
    }

    /// Returns the first link.
    pub fn first(&self) -> &A {
        &self.first
    }

    /// Returns the second link.
    pub fn second(&self) -> &B {
        &self.second
    }

    /// Reports that the first link, for instance a Wi-Fi station, came up or went down. A repeated report changes nothing.
    pub fn report(&self, up: bool) {
        let again = match (self.again.get(), up) {
            (Again::Up(at), true) => Again::Up(at),
            (_, true) => Again::Up(Instant::now() + self.patience.hold),
            (_, false) => Again::Down,
        };
        self.again.set(again);
    }

    /// Waits until the next connection would be tried over the first link: the time to end connections over the second, if
    /// the first is cheaper. Returns at once where that is so already. Cancel-safe.
    pub async fn returned(&self) {
        loop {
            if self.begins_with() == Carrier::First {
                return;
            }
            // A report is noticed within a second.
            Timer::after_secs(1).await;
        }
    }

    /// Returns the link over which the next connection is tried first.
    fn begins_with(&self) -> Carrier {
        let now = Instant::now();
        match (self.carrier.get(), self.again.get()) {
            (Carrier::First, Again::Down) | (Carrier::Second, Again::Down) => Carrier::Second,
            (Carrier::First, _) => Carrier::First,
            (Carrier::Second, Again::Try(at) | Again::Up(at)) if at <= now => Carrier::First,
            (Carrier::Second, _) => Carrier::Second,
        }
    }

    /// Connects to `name` at TCP `port`, see [`SecureConnect::connect`]. It takes at most two attempts. The future may be
    /// dropped at any time.
    ///
    /// # Errors
    /// The errors of the links that were tried.
    pub async fn connect(
        &self,
        name: ServerName<'_>,
        port: u16,
        config: &TlsConfig,
    ) -> Result<Carried<A::Socket<'_>, B::Socket<'_>>, FailoverError> {
        let mut error = FailoverError::default();
        let begin = self.begins_with();
        let other = match begin {
            Carrier::First => Carrier::Second,
            Carrier::Second => Carrier::First,
        };
        for carrier in [begin, other] {
            let attempt = async {
                match carrier {
                    Carrier::First => {
                        let socket = self.first.connect(name, port, config).await;
                        socket.map(Carried::First)
                    }
                    Carrier::Second => {
                        let socket = self.second.connect(name, port, config).await;
                        socket.map(Carried::Second)
                    }
                }
            };
            let made = with_timeout(self.patience.attempt, attempt).await;
            let failure = match made.unwrap_or(Err(ConnectError::TimedOut)) {
                Ok(socket) => {
                    self.carrier.set(carrier);
                    return Ok(socket);
                }
                Err(failure) => failure,
            };
            let links = blame::is_links(&failure);
            // A link without a free socket is still up: the next connection is tried over it again.
            let full = matches!(failure, ConnectError::TooManySockets);
            if carrier == Carrier::First && links && !full {
                // The first link must be up for its hold time anew.
                let at = Instant::now() + self.patience.hold;
                self.again.set(match self.again.get() {
                    Again::Try(_) => Again::Try(at),
                    Again::Up(_) => Again::Up(at),
                    Again::Down => Again::Down,
                });
            }
            error.note(carrier, failure);
            if !links {
                return Err(error);
            }
        }
        Err(error)
    }
}

impl<A, B> SecureConnect for Failover<A, B>
where
    A: SecureConnect<Error = ConnectError, SocketError = SocketError>,
    B: SecureConnect<Error = ConnectError, SocketError = SocketError>,
{
    type Error = FailoverError;
    type SocketError = SocketError;
    type Socket<'s>
        = Carried<A::Socket<'s>, B::Socket<'s>>
    where
        Self: 's;

    async fn connect(
        &self,
        name: ServerName<'_>,
        port: u16,
        config: &TlsConfig,
    ) -> Result<Self::Socket<'_>, FailoverError> {
        Failover::connect(self, name, port, config).await
    }
}
