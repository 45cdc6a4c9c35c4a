//! Two links, of which the second is used when the first does not do.

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

/// How patient a [`Failover`] is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Patience {
    /// How long one attempt over one link may take, its bring-up included.
    pub attempt: Duration,
    /// How long the first link must have been good before it is used again.
    pub hold: Duration,
}

impl Patience {
    /// A minute for an attempt, and five minutes until the first link is used again.
    pub const DEFAULT: Self = Self {
        attempt: Duration::from_secs(60),
        hold: Duration::from_secs(300),
    };
}

/// Two links as one: connects over the first, and over the second when the first does not get there.
///
/// - An attempt over a link has a limit. What the *server* or the policy is to blame for, such as a certificate, a name or a
///   missing credential, is an error at once: another link would not change it.
/// - Once it has changed over, new connections use the second link until the first has been good for the time in
///   [`Patience::hold`]. Whether it is good, only its owner knows: tell it by [`report`](Self::report). Without reports the first link is tried again when
///   that time has passed since it failed.
/// - Where all sockets of the first link are in use, the connection is made over the second, and the next is tried over the first.
/// - A connection is never moved from one link to the other: it ends, and is made anew. [`returned`](Self::returned) says when it would be made over the
///   first again.
/// - A login is refused on a connection that stands, and so never a reason to change over.
///
/// The second link is brought up by the first connection over it, unless its owner does so before: the former saves energy, the latter time.
pub struct Failover<A, B> {
    first: A,
    second: B,
    patience: Patience,
    carrier: Cell<Carrier>,
    /// When the first link may be used again, once it has failed.
    again: Cell<Again>,
}

#[derive(Clone, Copy)]
enum Again {
    /// Nothing was reported of it: it is tried then.
    Try(Instant),
    /// It was reported down.
    Down,
    /// It was reported up, and is trusted then.
    Up(Instant),
}

impl<A, B> Failover<A, B>
where
    A: SecureConnect<Error = ConnectError, SocketError = SocketError>,
    B: SecureConnect<Error = ConnectError, SocketError = SocketError>,
{
    /// Begins with the first link.
    pub const fn new(first: A, second: B, patience: Patience) -> Self {
        Self {
            first,
            second,
            patience,
            carrier: Cell::new(Carrier::First),
            again: Cell::new(Again::Try(Instant::MIN)),
        }
    }

    /// The link that is in use: over which the last connection was made, or the next is tried first.
    pub fn carrier(&self) -> Carrier {
        self.carrier.get()
    }

    /// The first link.
    pub fn first(&self) -> &A {
        &self.first
    }

    /// The second link.
    pub fn second(&self) -> &B {
        &self.second
    }

    /// Tells that the first link came up or went down, for instance a Wi-Fi station. Reports of what is known already change nothing.
    pub fn report(&self, up: bool) {
        let again = match (self.again.get(), up) {
            (Again::Up(at), true) => Again::Up(at),
            (_, true) => Again::Up(Instant::now() + self.patience.hold),
            (_, false) => Again::Down,
        };
        self.again.set(again);
    }

    /// Returns when the next connection would be made over the first link while the second is in use: the time to end what is
    /// carried by the second, if the first is cheaper. Cancel-safe.
    pub async fn returned(&self) {
        loop {
            if self.begins_with() == Carrier::First {
                return;
            }
            // What is reported meanwhile is seen within a second.
            Timer::after_secs(1).await;
        }
    }

    /// The link that the next connection is tried over.
    fn begins_with(&self) -> Carrier {
        let now = Instant::now();
        match (self.carrier.get(), self.again.get()) {
            (Carrier::First, Again::Down) | (Carrier::Second, Again::Down) => Carrier::Second,
            (Carrier::First, _) => Carrier::First,
            (Carrier::Second, Again::Try(at) | Again::Up(at)) if at <= now => Carrier::First,
            (Carrier::Second, _) => Carrier::Second,
        }
    }

    /// See [`SecureConnect::connect`]. Takes no longer than two attempts. Dropping the future is allowed, as with each of the two.
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
            // One without a free socket is good all the same: the next connection is tried over it again.
            let full = matches!(failure, ConnectError::TooManySockets);
            if carrier == Carrier::First && links && !full {
                // It has to be good for its time anew.
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
