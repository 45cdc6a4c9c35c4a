//! Two links as one: when it changes over, when it comes back, and when it does neither.

use std::cell::Cell;

use embassy_time::{Duration, Instant, Timer, with_timeout};
use embedded_io_async::{ErrorType, Read, ReadReady, Write, WriteReady};
use sectag::failover::{Carrier, Failover, Patience};
use sectag::{
    AtError, BringUpError, Cause, Causes, Code, ConnectError, Refusal, SecureConnect, SecureSocket,
    ServerName, SocketError, Tag, TlsConfig,
};
use sectag_integration_tests as _;
use sectag_simulator::time::block_on_virtual;

const NAME: ServerName<'static> = match ServerName::new("broker.sectag.test") {
    Ok(name) => name,
    Err(_) => panic!("not a name"),
};
const TLS: TlsConfig = TlsConfig::new(Tag(7));
const PATIENCE: Patience = Patience {
    attempt: Duration::from_secs(20),
    hold: Duration::from_secs(300),
};

/// A link that does as it is told.
struct Link {
    takes: Cell<Duration>,
    fails: Cell<Option<ConnectError>>,
    asked: Cell<u32>,
}

impl Link {
    fn new() -> Self {
        Self {
            takes: Cell::new(Duration::from_secs(2)),
            fails: Cell::new(None),
            asked: Cell::new(0),
        }
    }
}

impl SecureConnect for Link {
    type Error = ConnectError;
    type SocketError = SocketError;
    type Socket<'s>
        = Connection
    where
        Self: 's;

    async fn connect(
        &self,
        _: ServerName<'_>,
        _: u16,
        _: &TlsConfig,
    ) -> Result<Connection, ConnectError> {
        self.asked.set(self.asked.get() + 1);
        Timer::after(self.takes.get()).await;
        self.fails.get().map_or(Ok(Connection), Err)
    }
}

/// A connection on which nothing comes.
struct Connection;

impl ErrorType for Connection {
    type Error = SocketError;
}

impl Read for Connection {
    async fn read(&mut self, _: &mut [u8]) -> Result<usize, SocketError> {
        Ok(0)
    }
}

impl Write for Connection {
    async fn write(&mut self, buf: &[u8]) -> Result<usize, SocketError> {
        Ok(buf.len())
    }

    async fn flush(&mut self) -> Result<(), SocketError> {
        Ok(())
    }
}

impl ReadReady for Connection {
    fn read_ready(&mut self) -> Result<bool, SocketError> {
        Ok(true)
    }
}

impl WriteReady for Connection {
    fn write_ready(&mut self) -> Result<bool, SocketError> {
        Ok(true)
    }
}

impl SecureSocket for Connection {
    type Reader<'h> = Connection;
    type Writer<'h> = Connection;

    fn split(&mut self) -> (Connection, Connection) {
        (Connection, Connection)
    }

    async fn finish(&mut self) -> Result<(), SocketError> {
        Ok(())
    }

    fn abort(&mut self) {}

    async fn readable(&mut self) {}

    async fn half_readable<'h>(_: &mut Connection)
    where
        Self: 'h,
    {
    }
}

const fn refused(causes: &'static [Cause]) -> ConnectError {
    ConnectError::Refused(Refusal::new(Code::Plain, Causes::new(causes)))
}

const DOWN: ConnectError = ConnectError::BringUp(BringUpError::NoAnswer);

/// Connects; the link it is made over and the seconds it took.
async fn connect(pair: &Failover<&Link, &Link>) -> (Carrier, u64) {
    let began = Instant::now();
    let socket = pair.connect(NAME, 8883, &TLS).await.unwrap();
    assert_eq!(socket.carrier(), pair.carrier());
    (socket.carrier(), began.elapsed().as_secs())
}

#[test]
fn a_link_that_is_gone_costs_its_limit_once_and_comes_back_after_the_hold_time() {
    block_on_virtual(async {
        let (wifi, cellular) = (Link::new(), Link::new());
        let pair = Failover::new(&wifi, &cellular, PATIENCE);
        assert_eq!(connect(&pair).await, (Carrier::First, 2));
        assert_eq!(cellular.asked.get(), 0, "the second link costs energy");
        // Gone: nothing answers at all.
        wifi.takes.set(Duration::from_secs(100_000));
        assert_eq!(connect(&pair).await, (Carrier::Second, 22));
        // The next ones do not ask it again.
        for _ in 0..5 {
            assert_eq!(connect(&pair).await, (Carrier::Second, 2));
        }
        assert_eq!(wifi.asked.get(), 2);
        // It is tried again after the hold time, and costs its limit again.
        Timer::after(PATIENCE.hold).await;
        assert_eq!(connect(&pair).await, (Carrier::Second, 22));
        assert_eq!(connect(&pair).await, (Carrier::Second, 2));
        wifi.takes.set(Duration::from_secs(2));
        Timer::after(PATIENCE.hold).await;
        assert_eq!(connect(&pair).await, (Carrier::First, 2));
    });
}

#[test]
fn what_is_reported_of_the_first_link_counts() {
    block_on_virtual(async {
        let (wifi, cellular) = (Link::new(), Link::new());
        let pair = Failover::new(&wifi, &cellular, PATIENCE);
        pair.report(false);
        // Known to be down: no time is lost on it.
        assert_eq!(connect(&pair).await, (Carrier::Second, 2));
        Timer::after(PATIENCE.hold * 2).await;
        assert_eq!(connect(&pair).await, (Carrier::Second, 2));
        assert_eq!(wifi.asked.get(), 0);
        let began = Instant::now();
        pair.report(true);
        Timer::after_secs(100).await;
        // Known already: the time goes on.
        pair.report(true);
        assert_eq!(connect(&pair).await, (Carrier::Second, 2));
        let back = with_timeout(Duration::from_secs(1_000), pair.returned()).await;
        assert!(back.is_ok());
        assert!((300..=301).contains(&began.elapsed().as_secs()));
        assert_eq!(connect(&pair).await, (Carrier::First, 2));
        // One that goes up and down has to be good for its time anew.
        pair.report(false);
        assert_eq!(connect(&pair).await, (Carrier::Second, 2));
        pair.report(true);
        Timer::after_secs(200).await;
        pair.report(false);
        pair.report(true);
        Timer::after_secs(200).await;
        assert_eq!(connect(&pair).await, (Carrier::Second, 2));
    });
}

#[test]
fn an_error_of_the_server_does_not_change_over() {
    block_on_virtual(async {
        for error in [
            refused(&[Cause::CaMismatch]),
            refused(&[Cause::NameMismatch]),
            refused(&[Cause::ClientCertificateRefused, Cause::PeerClosed]),
            ConnectError::CredentialMissing(sectag::inspect::Kind::Ca),
            ConnectError::Lacks(sectag::Feature::Psk),
            ConnectError::Unverifiable(sectag::Check::Chain),
        ] {
            let (wifi, cellular) = (Link::new(), Link::new());
            let pair = Failover::new(&wifi, &cellular, PATIENCE);
            wifi.fails.set(Some(error));
            let refused = pair.connect(NAME, 8883, &TLS).await.map(drop).unwrap_err();
            assert_eq!((refused.first, refused.second), (Some(error), None));
            assert_eq!(refused.decisive(), Some(&error));
            assert_eq!((cellular.asked.get(), pair.carrier()), (0, Carrier::First));
        }
    });
}

#[test]
fn an_error_that_may_be_the_links_changes_over() {
    block_on_virtual(async {
        for error in [
            DOWN,
            ConnectError::TimedOut,
            ConnectError::At(AtError::ModemReset),
            refused(&[]),
            refused(&[Cause::Unknown]),
            refused(&[Cause::DataConnectionDown]),
            refused(&[Cause::CaMismatch, Cause::Unreachable]),
        ] {
            let (wifi, cellular) = (Link::new(), Link::new());
            let pair = Failover::new(&wifi, &cellular, PATIENCE);
            wifi.fails.set(Some(error));
            assert_eq!(connect(&pair).await, (Carrier::Second, 4), "{error}");
        }
    });
}

#[test]
fn a_link_without_a_free_socket_is_passed_over_and_tried_again_at_once() {
    block_on_virtual(async {
        let (wifi, cellular) = (Link::new(), Link::new());
        let pair = Failover::new(&wifi, &cellular, PATIENCE);
        wifi.fails.set(Some(ConnectError::TooManySockets));
        assert_eq!(connect(&pair).await, (Carrier::Second, 4));
        assert_eq!(connect(&pair).await, (Carrier::Second, 4));
        wifi.fails.set(None);
        assert_eq!(connect(&pair).await, (Carrier::First, 2));
        // Used all the while, it counts as good: a report changes nothing.
        pair.report(false);
        wifi.fails.set(Some(ConnectError::TooManySockets));
        assert_eq!(connect(&pair).await, (Carrier::Second, 2));
    });
}

#[test]
fn when_both_are_gone_one_error_names_both() {
    block_on_virtual(async {
        let (wifi, cellular) = (Link::new(), Link::new());
        let pair = Failover::new(&wifi, &cellular, PATIENCE);
        wifi.fails.set(Some(DOWN));
        cellular.takes.set(Duration::from_secs(100_000));
        let began = Instant::now();
        let error = pair.connect(NAME, 8883, &TLS).await.map(drop).unwrap_err();
        assert_eq!(began.elapsed().as_secs(), 22);
        assert_eq!(error.first, Some(DOWN));
        assert_eq!(error.second, Some(ConnectError::TimedOut));
        let text = error.to_string();
        assert!(text.contains("first link: nothing answers"), "{text}");
        assert!(
            text.contains("second link: the modem reported no result"),
            "{text}"
        );
        // On the second link, and that goes as well: the first is tried before it is an error.
        let (wifi, cellular) = (Link::new(), Link::new());
        let pair = Failover::new(&wifi, &cellular, PATIENCE);
        pair.report(false);
        connect(&pair).await;
        cellular.fails.set(Some(DOWN));
        assert_eq!(connect(&pair).await, (Carrier::First, 4));
    });
}

/// The adapters of `nal` and the halves need no more than the trait.
#[test]
fn adapters_and_halves_work_over_it() {
    use embedded_nal_async::TcpConnect;
    block_on_virtual(async {
        let (wifi, cellular) = (Link::new(), Link::new());
        let pair = Failover::new(&wifi, &cellular, PATIENCE);
        let mut socket = pair.connect(NAME, 8883, &TLS).await.unwrap();
        let (mut reader, mut writer) = socket.split();
        assert_eq!(reader.read(&mut [0; 4]).await, Ok(0));
        writer.write_all(b"x").await.unwrap();
        socket.finish().await.unwrap();
        let connector = sectag::nal::Connector::to(&pair, TLS, NAME);
        let remote = "192.0.2.1:8883".parse().unwrap();
        let mut connection = connector.connect(remote).await.unwrap();
        connection.write_all(b"x").await.unwrap();
    });
}
