//! An application task with one socket: does as it is told, and checks every promise that it can see.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;

use embassy_futures::select::select;
use embassy_time::{Instant, Timer};
use embedded_io_async::{Read, Write};
use sectag::clock::DateTime;
use sectag::{
    CaScope, Control, CredentialStore, Kind, ServerName, Socket, Sockets, Tag, TlsConfig,
};

use crate::bg96::Bg96;
use crate::event::Event;
use crate::stream;

const HOST: ServerName<'static> = match ServerName::new("broker.example") {
    Ok(name) => name,
    Err(_) => panic!("not a name"),
};
const TLS: TlsConfig = TlsConfig::new(Tag(1))
    .client_certificate()
    .ca_scope(CaScope::Private);
const FIRST_PORT: u32 = 1000;

#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Action {
    Clock,
    Close,
    Connect,
    Drop,
    Flush,
    List,
    Read(usize),
    Remove,
    SetClock,
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
            _ => match size % 5 {
                0 => Self::List,
                1 => Self::Remove,
                2 => Self::Clock,
                3 => Self::SetClock,
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

pub struct App<'a> {
    control: Control<'a, sectag_bg96::Bg96>,
    sockets: Sockets<'a, sectag_bg96::Bg96>,
    modem: &'a Bg96<'a>,
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

impl<'a> App<'a> {
    pub fn new(
        control: Control<'a, sectag_bg96::Bg96>,
        sockets: Sockets<'a, sectag_bg96::Bg96>,
        modem: &'a Bg96<'a>,
        tag: u32,
    ) -> Self {
        Self {
            control,
            sockets,
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
            Action::Connect => {
                *connection = None;
                let port = self.modem.next_port(FIRST_PORT);
                let socket = self.sockets.connect(HOST, port as u16, &TLS).await.ok()?;
                *connection = Some(Connection {
                    socket,
                    port,
                    read: 0,
                    written: 0,
                });
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
                let bytes = stream::bytes(!connection.port, connection.written, count);
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
                let expected = stream::bytes(connection.port, connection.read, count);
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
                let content = stream::bytes(self.tag, 0, len);
                self.control
                    .store_unchecked(tag, Kind::ClientCertificate, &content[..])
                    .await
                    .ok()?;
                if !self.modem.has_lied() {
                    let name = format!("st{}.crt", self.tag);
                    assert_eq!(self.modem.files().get(&name), Some(&content), "stored");
                }
            }
            Action::List => self.control.list(&mut |_| {}).await.ok()?,
            Action::Remove => self
                .control
                .remove(tag, Kind::ClientCertificate)
                .await
                .ok()?,
            Action::Clock => drop(self.control.clock().await.ok()?),
            Action::SetClock => {
                let now = DateTime::new(2026, 11, 20, 12, 0, 0).expect("a date");
                self.control.set_clock(now).await.ok()?;
            }
            Action::WaitUp => self.control.wait_up().await.ok()?,
        }
        Some(())
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
