//! The sockets: each has a task that owns its connection, and a record that commands read.

use std::cell::RefCell;
use std::collections::{BTreeMap, VecDeque};
use std::future::poll_fn;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use embassy_futures::select::select;
use tokio::io::AsyncBufRead;

use super::super::secure::Plan;
use super::Cc32xx;
use crate::channel::{Channel, Inbox, poll_outgoing};

/// The number of received bytes that a socket keeps.
const RECEIVE_BUFFER: usize = 8 * 1024;

#[derive(Default)]
pub(super) struct Socket {
    pub(super) options: BTreeMap<u8, Vec<u8>>,
    pub(super) connected: bool,
    /// The result of the connect.
    pub(super) result: Option<i16>,
    pub(super) inbox: Inbox,
    pub(super) ended: bool,
    /// Whether the connection ended out of order.
    pub(super) broken: bool,
    pub(super) outgoing: VecDeque<u8>,
    pub(super) cancelled: bool,
}

pub(super) type Shared = Rc<RefCell<Socket>>;

impl Cc32xx {
    /// Connects in a task, which then moves data until the connection ends.
    pub(super) fn start(self: &Rc<Self>, socket: Shared, host: String, port: u16) {
        let modem = self.clone();
        self.core.spawn(async move {
            let cancelled = || socket.borrow().cancelled;
            select(
                modem.core.until(cancelled),
                modem.live(&socket, &host, port),
            )
            .await;
        });
    }

    async fn live(&self, socket: &Shared, host: &str, port: u16) {
        let established = self.establish(socket, host, port).await;
        let (channel, code) = match established {
            Ok((channel, code)) => (Some(channel), code),
            Err(code) => (None, code),
        };
        {
            let mut socket = socket.borrow_mut();
            socket.connected = channel.is_some();
            socket.result = Some(code);
        }
        self.core.touch();
        if let Some(mut channel) = channel {
            poll_fn(|cx| self.poll_socket(socket, &mut channel, cx)).await;
            self.core.touch();
        }
    }

    async fn establish(
        &self,
        socket: &Shared,
        host: &str,
        port: u16,
    ) -> Result<(Box<dyn Channel>, i16), i16> {
        let stream = self.network.connect(host, port).await;
        let stream = stream.map_err(|_| -111_i16)?;
        let options = socket.borrow().options.clone();
        let plan = {
            let state = self.state.borrow();
            let unknown = self.options.unknown_to_catalog;
            Plan::new(&options, &state.files, state.clock.as_ref(), unknown)?
        };
        plan.handshake(host, stream).await
    }

    fn poll_socket(
        &self,
        socket: &Shared,
        channel: &mut Box<dyn Channel>,
        cx: &mut Context<'_>,
    ) -> Poll<()> {
        let mut channel = Pin::new(channel);
        {
            let mut socket = socket.borrow_mut();
            let outgoing = &mut socket.outgoing;
            if poll_outgoing(&self.core, outgoing, channel.as_mut(), cx).is_err() {
                socket.ended = true;
                socket.broken = true;
                return Poll::Ready(());
            }
        }
        loop {
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
            self.core.touch();
        }
    }
}
