//! Bytes through a connected socket, in both directions, and how the connection ends.

use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use embassy_futures::select::{Either, select};
use embassy_time::{Duration, Timer};
use tokio::io::{AsyncBufRead, AsyncWrite};

use super::Nrf9160;
use super::options::{OversizedRecord, SendFailure};
use super::sockets::{ECONNRESET, EMSGSIZE, Engine, Kind, OUT, Phase, Socket};
use super::state::SharedSocket;
use crate::channel::{Channel, poll_outgoing};

/// The longest time that a send waits for the peer (sheet 4.4).
const SEND_LIMIT: Duration = Duration::from_secs(30);

impl Nrf9160 {
    /// Moves bytes in the background until the connection ends.
    pub(super) fn pump(self: &Rc<Self>, socket: SharedSocket, mut channel: Box<dyn Channel>) {
        let modem = self.clone();
        self.core.spawn(async move {
            let cancelled = || socket.borrow().cancelled;
            let work = poll_fn(|cx| modem.poll_socket(&socket, &mut channel, cx));
            select(modem.core.until(cancelled), work).await;
            socket.borrow_mut().finished = true;
            modem.core.touch();
        });
    }

    fn poll_socket(
        &self,
        socket: &SharedSocket,
        channel: &mut Box<dyn Channel>,
        cx: &mut Context<'_>,
    ) -> Poll<()> {
        let mut channel = Pin::new(channel);
        let sent = {
            let outgoing = &mut socket.borrow_mut().outgoing;
            poll_outgoing(&self.core, outgoing, channel.as_mut(), cx)
        };
        if let Err(error) = sent {
            return self.ended(socket, Err(error));
        }
        {
            let socket = socket.borrow();
            if socket.closing && socket.outgoing.is_empty() {
                // An error of the shutdown has no effect any more.
                return channel.poll_shutdown(cx).map(drop);
            }
        }
        loop {
            if socket.borrow().inbox.unread() >= self.options.receive_buffer {
                // The peer waits until the host has read some of it.
                return Poll::Pending;
            }
            let record = match ready!(channel.as_mut().poll_fill_buf(cx)) {
                Ok([]) => return self.ended(socket, Ok(())),
                Ok(bytes) => bytes.to_vec(),
                Err(error) => return self.ended(socket, Err(error)),
            };
            channel.as_mut().consume(record.len());
            let fate = self.record_fate(&socket.borrow(), record.len());
            match fate {
                None => self.arrived(socket, record),
                Some(OversizedRecord::Lost) => {}
                Some(_) => {
                    self.broken(socket, EMSGSIZE);
                    return Poll::Ready(());
                }
            }
        }
    }

    /// Returns the effect of a record that is too large (sheet 7.5).
    fn record_fate(&self, socket: &Socket, length: usize) -> Option<OversizedRecord> {
        let (limit, effect) = match &socket.kind {
            Kind::Tcp => return None,
            Kind::Tls {
                engine: Engine::Native { .. },
                ..
            } => (
                self.options.profile.native?.record_limit,
                OversizedRecord::Breaks,
            ),
            Kind::Tls { .. } => (self.options.modem_record_limit, self.options.oversized),
        };
        (length > limit && effect != OversizedRecord::Split).then_some(effect)
    }

    fn arrived(&self, socket: &SharedSocket, record: Vec<u8>) {
        {
            let mut socket = socket.borrow_mut();
            socket.early_in = false;
            socket.inbox.push(record);
        }
        self.notice(socket);
    }

    fn ended(&self, socket: &SharedSocket, end: io::Result<()>) -> Poll<()> {
        if socket.borrow().closing {
            return Poll::Ready(());
        }
        match end {
            Err(error)
                if error.kind() != io::ErrorKind::UnexpectedEof
                    || self.options.abrupt_end_breaks =>
            {
                self.broken(socket, ECONNRESET);
            }
            _ => {
                socket.borrow_mut().phase = Phase::Closed;
                self.notice(socket);
            }
        }
        Poll::Ready(())
    }

    /// Breaks a connection; unread data is lost as well.
    pub(super) fn broken(&self, socket: &SharedSocket, errno: u16) {
        {
            let mut socket = socket.borrow_mut();
            log::info!("nrf9160: socket {} broke: errno {errno}", socket.handle);
            socket.phase = Phase::Broken(errno);
            socket.inbox.clear();
            socket.outgoing.clear();
            socket.cancelled = true;
        }
        self.notice(socket);
    }

    /// Queues bytes on a socket, and waits for room. Returns how many were queued: fewer than all if
    /// the peer takes none for 30 s, or is gone.
    pub(super) async fn send_all(&self, socket: &SharedSocket, bytes: &[u8]) -> usize {
        let nth = self.sends.replace(self.sends.get() + 1);
        match self.options.failing_send {
            Some(fault) if fault.nth == nth => {
                let some = fault.after.min(bytes.len().saturating_sub(1));
                let sent = self.send_some(socket, &bytes[..some]).await;
                match fault.how {
                    SendFailure::TimesOut => Timer::after(SEND_LIMIT).await,
                    SendFailure::Refused => {}
                    SendFailure::Breaks => self.broken(socket, ECONNRESET),
                }
                sent
            }
            _ => self.send_some(socket, bytes).await,
        }
    }

    async fn send_some(&self, socket: &SharedSocket, bytes: &[u8]) -> usize {
        let mut sent = 0;
        let limit = match socket.borrow().send_timeout {
            0 => SEND_LIMIT,
            seconds => Duration::from_secs(seconds),
        };
        while sent < bytes.len() {
            let room = || {
                let socket = socket.borrow();
                socket.phase != Phase::Connected || socket.outgoing.len() < self.options.send_buffer
            };
            let waited = select(self.core.until(room), Timer::after(limit)).await;
            let mut socket = socket.borrow_mut();
            if matches!(waited, Either::Second(())) || socket.phase != Phase::Connected {
                break;
            }
            let n = (self.options.send_buffer - socket.outgoing.len()).min(bytes.len() - sent);
            socket.outgoing.extend(&bytes[sent..sent + n]);
            sent += n;
            // A send arms OUT again (sheet 4.4).
            socket.reported &= !OUT;
            self.core.touch();
        }
        sent
    }
}
