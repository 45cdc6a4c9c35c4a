//! An application task with one socket: does as it is told, and checks every promise that it can see.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;

use embassy_futures::select::select;
use embassy_time::{Duration, Instant, Timer};
use embedded_io_async::{Read, Write};
use sectag::clock::DateTime;
use sectag::{Comparison, Control, Digest, Kind, RawError, ServerName, Socket, Tag};

use crate::event::Event;
use crate::model::Model;

const HOST: ServerName<'static> = match ServerName::new("broker.example") {
    Ok(name) => name,
    Err(_) => panic!("not a name"),
};
const FIRST_PORT: u32 = 1000;
/// Two certificates of equal length, so that equal length is seen to be no proof.
pub const CERTIFICATES: [&[u8]; 2] = [
    include_bytes!("../certificates/one.pem"),
    include_bytes!("../certificates/two.pem"),
];
const TYPED_LIMIT: Duration = Duration::from_secs(5);

#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Action {
    Clock,
    Close,
    Compare,
    Connect,
    /// Only the server proves who it is.
    ConnectOneSided,
    /// With what must be refused.
    ConnectUnaccepted,
    Digest,
    Drop,
    /// One of [`CERTIFICATES`].
    Ensure(usize),
    Flush,
    List,
    PowerOff,
    PowerOn,
    Raw(usize),
    Read(usize),
    Remove,
    SetClock,
    Status,
    Store(usize),
    WaitUp,
    Write(usize),
}

impl Action {
    pub fn from_byte(byte: u8) -> Self {
        let size = usize::from(byte >> 3);
        match byte & 7 {
            0 => Self::Connect,
            1 => Self::Write(1 + size * 67),
            2 => Self::Flush,
            3 => Self::Read(1 + size * 50),
            4 => Self::Drop,
            5 => Self::Close,
            6 => Self::Store(1 + size * 50),
            _ => match size % 20 {
                0 => Self::List,
                1 => Self::Remove,
                2 => Self::Clock,
                3 => Self::SetClock,
                5 | 6 => Self::Ensure(size - 5),
                7 => Self::Digest,
                8 => Self::Compare,
                9 => Self::Status,
                10 => Self::PowerOff,
                11 => Self::PowerOn,
                12 => Self::ConnectOneSided,
                13 => Self::ConnectUnaccepted,
                14.. => Self::Raw(size % 20 - 14),
                _ => Self::WaitUp,
            },
        }
    }
}

struct Connection<'a> {
    socket: Socket<'a>,
    port: u32,
    read: usize,
    written: usize,
}

pub struct App<'a, M: Model> {
    control: Control<'a, M::Driver>,
    modem: &'a M,
    /// The tag whose credentials it stores.
    tag: u32,
    actions: RefCell<VecDeque<Action>>,
    ordered: Event,
    cancelled: Event,
    idle: Event,
    doing: Cell<Option<(Action, Instant)>>,
    /// Whether the last action was done in full.
    succeeded: Cell<bool>,
}

impl<'a, M: Model> App<'a, M> {
    pub fn new(control: Control<'a, M::Driver>, modem: &'a M, tag: u32) -> Self {
        Self {
            control,
            modem,
            tag,
            actions: RefCell::default(),
            ordered: Event::default(),
            cancelled: Event::default(),
            idle: Event::default(),
            doing: Cell::new(None),
            succeeded: Cell::new(false),
        }
    }

    pub fn order(&self, action: Action) {
        let mut actions = self.actions.borrow_mut();
        if actions.len() < 8 {
            actions.push_back(action);
            self.ordered.set();
        }
    }

    /// Drops what it is doing.
    pub fn cancel(&self) {
        self.cancelled.set();
    }

    /// Forgets what it has not begun, and drops a read, which may wait for ever.
    pub fn calm(&self) {
        self.control.power_on();
        self.actions.borrow_mut().clear();
        if let Some((Action::Read(_), _)) = self.doing.get() {
            self.cancel();
        }
    }

    pub fn doing(&self) -> Option<(Action, Instant)> {
        self.doing.get()
    }

    /// Does one thing; returns whether it was done in full.
    pub async fn perform(&self, action: Action) -> bool {
        self.order(action);
        loop {
            self.idle.wait().await;
            if self.doing.get().is_none() && self.actions.borrow().is_empty() {
                return self.succeeded.get();
            }
        }
    }

    pub async fn run(&self) {
        let mut connection = None;
        loop {
            let next = self.actions.borrow_mut().pop_front();
            let Some(action) = next else {
                self.idle.set();
                self.ordered.wait().await;
                continue;
            };
            self.doing.set(Some((action, Instant::now())));
            self.succeeded.set(false);
            self.cancelled.clear();
            let act = async {
                let done = self.act(action, &mut connection).await;
                self.succeeded.set(done.is_some());
            };
            select(act, self.cancelled.wait()).await;
            self.doing.set(None);
        }
    }

    async fn act(&self, action: Action, connection: &mut Option<Connection<'a>>) -> Option<()> {
        let tag = Tag(self.tag);
        match action {
            Action::Connect | Action::ConnectOneSided => {
                *connection = None;
                let port = self.modem.next_port(FIRST_PORT);
                let mutual = action == Action::Connect;
                let tls = M::tls(mutual);
                let socket = self.control.connect(HOST, port as u16, &tls).await.ok()?;
                self.modem.check_verified(port, mutual);
                *connection = Some(Connection {
                    socket,
                    port,
                    read: 0,
                    written: 0,
                });
            }
            Action::ConnectUnaccepted => {
                let port = self.modem.next_port(FIRST_PORT);
                let refused = self.control.connect(HOST, port as u16, &M::refused()).await;
                assert!(refused.is_err(), "it asks for what is not checked");
            }
            Action::Drop => *connection = None,
            Action::Close => {
                let Connection {
                    socket,
                    port,
                    written,
                    ..
                } = connection.take()?;
                socket.close().await.ok()?;
                self.check_sent(port, written);
            }
            Action::Write(count) => {
                let connection = connection.as_mut()?;
                let bytes = M::stream(!connection.port, connection.written, count);
                let count = connection.socket.write(&bytes).await.ok()?;
                assert!(count > 0, "write returned 0");
                connection.written += count;
            }
            Action::Flush => {
                let connection = connection.as_mut()?;
                connection.socket.flush().await.ok()?;
                self.check_sent(connection.port, connection.written);
            }
            Action::Read(count) => {
                let connection = connection.as_mut()?;
                let mut buf = vec![0; count];
                let count = connection.socket.read(&mut buf).await.ok()?;
                if count == 0 {
                    // The peer closed; a program would stop here and not ask again at once.
                    Timer::after_millis(1).await;
                    return None;
                }
                let expected = M::stream(connection.port, connection.read, count);
                if self.modem.rx_counts(connection.port) {
                    assert!(
                        buf[..count] == expected,
                        "port {}: read at {} {:?}, the peer sent {:?}",
                        connection.port,
                        connection.read,
                        String::from_utf8_lossy(&buf[..count]),
                        String::from_utf8_lossy(&expected),
                    );
                }
                connection.read += count;
            }
            Action::Store(len) => {
                let content = M::content(self.tag, len);
                self.control
                    .store_unchecked(tag, Kind::ClientCertificate, &content[..])
                    .await
                    .ok()?;
                if !self.modem.has_lied() {
                    let name = format!("st{}.crt", self.tag);
                    assert_eq!(self.modem.files().get(&name), Some(&content), "stored");
                }
            }
            Action::Ensure(which) => {
                let content = CERTIFICATES[which % CERTIFICATES.len()];
                let ensured = self.control.ensure(tag, Kind::Ca, content).await;
                ensured.ok()?;
                if !self.modem.has_lied() {
                    assert_eq!(self.ca(), Some(M::kept(content)), "ensured: {ensured:?}");
                }
            }
            Action::Compare => {
                let content = CERTIFICATES[0];
                let found = self.control.compare(tag, Kind::Ca, content).await.ok()?;
                if !self.modem.has_lied() {
                    let expected = match self.ca() {
                        None => Comparison::Absent,
                        Some(stored) if stored == M::kept(content) => Comparison::Same,
                        Some(_) if M::TELLS_CONTENT => Comparison::Differs,
                        Some(_) => Comparison::Unreadable,
                    };
                    assert_eq!(found, expected);
                }
            }
            Action::Digest => {
                let found = self.control.digest(tag, Kind::Ca).await.ok()?;
                if !self.modem.has_lied() {
                    assert_eq!(found, self.ca().as_deref().map(Digest::of));
                }
            }
            Action::Status => {
                let status = self.control.status().await;
                assert!(status.sockets_open <= status.sockets_limit);
            }
            Action::PowerOff => drop(self.control.power_off().await.ok()?),
            Action::PowerOn => self.control.power_on(),
            Action::Raw(which) => {
                let command = M::RAW[which % M::RAW.len()];
                let mut lines = |_: &[u8]| {};
                let result = self.control.raw_at(command, TYPED_LIMIT, &mut lines).await;
                let forbidden = matches!(result, Err(RawError::Forbidden { .. }));
                assert_eq!(
                    forbidden,
                    which % M::RAW.len() >= 3,
                    "{command}: {result:?}"
                );
                result.ok()?;
            }
            Action::List => self.control.list(&mut |_| {}).await.ok()?,
            Action::Remove => self
                .control
                .remove(tag, Kind::ClientCertificate)
                .await
                .ok()?,
            Action::Clock => drop(self.control.clock_if_any().await.ok()?),
            Action::SetClock => {
                let now = DateTime::new(2026, 11, 20, 12, 0, 0).expect("a date");
                self.control.set_clock_if_any(now).await.ok()?;
            }
            Action::WaitUp => self.control.wait_up().await.ok()?,
        }
        Some(())
    }

    /// The CA that counts under its tag: without a marker.
    fn ca(&self) -> Option<Vec<u8>> {
        let files = self.modem.files();
        if files.contains_key(&format!("st{}.xca", self.tag)) {
            return None;
        }
        files.get(&format!("st{}.ca", self.tag)).cloned()
    }

    /// Everything written was reported as taken by the modem.
    fn check_sent(&self, port: u32, written: usize) {
        if self.modem.tx_counts(port) {
            assert_eq!(
                self.modem.received(port),
                Some(written),
                "port {port}: flushed"
            );
        }
    }
}
