//! The sockets: each has a task that owns its connection, and a record that commands read.

use std::cell::RefCell;
use std::collections::{BTreeMap, VecDeque};
use std::future::poll_fn;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use embassy_futures::select::select;
use tokio::io::AsyncBufRead;

use super::secure::{DOMAIN, Plan};
use super::{Nwp, NwpGeneration};
use crate::channel::{Channel, Inbox, poll_outgoing};

/// The number of received bytes that a socket keeps.
const RECEIVE_BUFFER: usize = 8 * 1024;
/// The number with which a recv ends when its socket is closed is UNCONFIRMED (sheet 3.5).
pub(super) const RECV_CLOSED: i16 = -1;

#[derive(Default)]
pub(super) struct Socket {
    pub(super) options: BTreeMap<u8, Vec<u8>>,
    pub(super) connected: bool,
    /// The most bytes of the outstanding recv.
    pub(super) wanted: Option<u16>,
    inbox: Inbox,
    ended: bool,
    /// Whether the connection ended out of order.
    broken: bool,
    outgoing: VecDeque<u8>,
    /// The number of buffers that sends hold.
    pub(super) held: u8,
    pub(super) cancelled: bool,
}

impl Socket {
    pub(super) fn queue(&mut self, bytes: &[u8], buffers: u8) {
        self.outgoing.extend(bytes);
        self.held += buffers;
    }
}

pub(super) type Shared = Rc<RefCell<Socket>>;

impl Nwp {
    /// Connects in a task, which then moves data until the connection ends.
    pub(super) fn start(self: &Rc<Self>, id: u8, socket: Shared, host: String, port: u16) {
        let modem = self.clone();
        self.core.spawn(async move {
            let cancelled = || socket.borrow().cancelled;
            select(
                modem.core.until(cancelled),
                modem.live(id, &socket, &host, port),
            )
            .await;
        });
    }

    async fn live(&self, id: u8, socket: &Shared, host: &str, port: u16) {
        let (channel, code) = match self.establish(socket, host, port).await {
            Ok((channel, code)) => (Some(channel), code),
            Err(code) => (None, code),
        };
        socket.borrow_mut().connected = channel.is_some();
        let [low, high] = (self.code(code.into()) as i16).to_le_bytes();
        self.tell(0x1006, &[low, high, id, 0]);
        if let Some(mut channel) = channel {
            poll_fn(|cx| self.poll_socket(id, socket, &mut channel, cx)).await;
            // Unread bytes stay until they are read.
            poll_fn(|_| {
                self.serve(id, socket);
                Poll::<()>::Pending
            })
            .await;
        }
    }

    async fn establish(
        &self,
        socket: &Shared,
        host: &str,
        port: u16,
    ) -> Result<(Box<dyn Channel>, i16), i16> {
        let stream = self
            .network
            .connect(host, port)
            .await
            .map_err(|_| -111_i16)?;
        let mut options = socket.borrow().options.clone();
        let first = self.options.generation == NwpGeneration::First;
        if let Some(name) = options.remove(&self.facts().domain) {
            options.insert(DOMAIN, name);
        }
        let plan = {
            let state = self.state.borrow();
            // The first generation has no catalog.
            let unknown = self.options.unknown_to_catalog && !first;
            Plan::new(&options, &state.files, state.clock.as_ref(), unknown)?
        };
        if first {
            plan.handshake_with_cbc(host, stream).await
        } else {
            plan.handshake(host, stream).await
        }
    }

    fn poll_socket(
        &self,
        id: u8,
        socket: &Shared,
        channel: &mut Box<dyn Channel>,
        cx: &mut Context<'_>,
    ) -> Poll<()> {
        let mut channel = Pin::new(channel);
        let sent = {
            let outgoing = &mut socket.borrow_mut().outgoing;
            poll_outgoing(&self.core, outgoing, channel.as_mut(), cx)
        };
        {
            let mut socket = socket.borrow_mut();
            if sent.is_err() || socket.outgoing.is_empty() {
                self.give_back(std::mem::take(&mut socket.held));
            }
            if sent.is_err() {
                socket.ended = true;
                socket.broken = true;
                return Poll::Ready(());
            }
        }
        loop {
            self.serve(id, socket);
            if socket.borrow().inbox.unread() >= RECEIVE_BUFFER {
                return Poll::Pending;
            }
            let record = match ready!(channel.as_mut().poll_fill_buf(cx)) {
                Ok(bytes) if !bytes.is_empty() => bytes.to_vec(),
                end => {
                    let mut socket = socket.borrow_mut();
                    socket.ended = true;
                    socket.broken = end.is_err();
                    return Poll::Ready(());
                }
            };
            channel.as_mut().consume(record.len());
            socket.borrow_mut().inbox.push(record);
        }
    }

    /// Answers the outstanding recv, if there is data or an end to report.
    fn serve(&self, id: u8, socket: &Shared) {
        let mut socket = socket.borrow_mut();
        let Some(wanted) = socket.wanted else { return };
        let bytes = socket.inbox.take(wanted.into(), false);
        if bytes.is_empty() && !socket.ended {
            return;
        }
        let value = match bytes.len() {
            0 if socket.broken => -107,
            count => count as i16,
        };
        socket.wanted = None;
        let [low, high] = value.to_le_bytes();
        let mut payload = vec![low, high, id, 0];
        payload.extend(bytes);
        self.give_back(1);
        self.tell(0x100a, &payload);
    }
}
