//! Data mode, in which the UART belongs to a connection (sheet 4.7).

use std::rc::Rc;

use embassy_futures::select::{Either, select};
use embassy_time::{Duration, Instant, with_deadline};

use super::super::Bg96;
use super::super::parser::{Args, Fail};
use super::super::sockets::{Mode, Phase, Shared, Socket};
use super::{Done, OK, Outcome};

/// The silence before and behind `+++`, and the time within which its three characters must come.
const GUARD: Duration = Duration::from_secs(1);

/// The reason why data mode ended.
enum End {
    Dtr,
    Escape,
    NoCarrier,
}

impl Bg96 {
    /// Opens a socket in mode 2, whose result is in the place of `OK`.
    pub(super) async fn open_transparent(self: &Rc<Self>, socket: Socket) -> Outcome {
        let socket = self.start(socket, true);
        self.core
            .until(|| socket.borrow().phase != Phase::Opening || socket.borrow().finished)
            .await;
        let code = socket.borrow().open_code;
        if code != 0 {
            return Err(Fail::Tcp(code));
        }
        self.go_online(&socket).await
    }

    /// `AT+QISWTMD`.
    pub(super) async fn switch_mode(&self, args: &Args) -> Outcome {
        args.count(2, 2)?;
        let id = args.byte(0, 0, 11)?;
        let mode = args.byte(1, 0, 2)?;
        let socket = match self.connected(id, true) {
            Err(Fail::Tcp(559)) => self.connected(id, false)?,
            other => other?,
        };
        let waiting = {
            let mut socket = socket.borrow_mut();
            socket.mode = [Mode::Buffer, Mode::Push, Mode::Transparent][usize::from(mode)];
            (mode == 1).then(|| socket.take_all())
        };
        match (mode, waiting) {
            (2, _) => return self.go_online(&socket).await,
            (_, Some(records)) => records
                .into_iter()
                .for_each(|record| self.arrived(&mut socket.borrow_mut(), record)),
            _ => {}
        }
        OK
    }

    /// `ATO`.
    pub(super) async fn resume(&self) -> Outcome {
        let id = self.state.borrow().suspended;
        let socket = id.and_then(|id| {
            let either = self.connected(id, true).or(self.connected(id, false));
            either.ok()
        });
        match socket {
            Some(socket) => self.go_online(&socket).await,
            None => {
                self.finish("NO CARRIER", 3);
                Ok(Done::Answered)
            }
        }
    }

    async fn go_online(&self, socket: &Shared) -> Outcome {
        let id = socket.borrow().id;
        {
            let mut state = self.state.borrow_mut();
            state.online = Some(id);
            state.suspended = None;
        }
        self.dtr_rose.set(false);
        self.finish("CONNECT", 1);
        let end = self.data(socket).await;
        {
            let mut state = self.state.borrow_mut();
            state.online = None;
            state.suspended = Some(id);
        }
        match end {
            End::Dtr | End::Escape => self.finish("OK", 0),
            End::NoCarrier => self.finish("NO CARRIER", 3),
        }
        Ok(Done::Answered)
    }

    async fn data(&self, socket: &Shared) -> End {
        let mut last = Instant::now();
        // The number of `+` that are held back, since they may be an escape.
        let mut held = 0;
        let mut first_plus = last;
        loop {
            let waiting = socket.borrow_mut().take_all();
            waiting.iter().for_each(|record| self.core.send(record));
            if socket.borrow().phase != Phase::Connected {
                return End::NoCarrier;
            }
            if self.dtr_rose.take() {
                match self.state.borrow().user.dtr {
                    0 => {}
                    2 => {
                        socket.borrow_mut().closing = true;
                        return End::NoCarrier;
                    }
                    _ => return End::Dtr,
                }
            }
            let changed = self.core.until(|| {
                let socket = socket.borrow();
                socket.unread() > 0 || socket.phase != Phase::Connected || self.dtr_rose.get()
            });
            let limit = if held == 0 {
                Instant::MAX
            } else {
                last + GUARD
            };
            let byte = with_deadline(limit, self.core.read());
            match select(changed, byte).await {
                Either::First(()) => {}
                Either::Second(Ok(byte)) => {
                    let now = Instant::now();
                    let begins = held == 0 && byte == b'+' && now - last >= GUARD;
                    let goes_on =
                        (1..3).contains(&held) && byte == b'+' && now - first_plus <= GUARD;
                    last = now;
                    if begins {
                        first_plus = now;
                    }
                    if begins || goes_on {
                        held += 1;
                        continue;
                    }
                    self.forward(socket, std::mem::take(&mut held), Some(byte));
                }
                Either::Second(Err(_)) if held == 3 => return End::Escape,
                Either::Second(Err(_)) => self.forward(socket, std::mem::take(&mut held), None),
            }
        }
    }

    fn forward(&self, socket: &Shared, pluses: usize, byte: Option<u8>) {
        let mut bytes = vec![b'+'; pluses];
        bytes.extend(byte);
        socket.borrow_mut().queue(&bytes);
        self.core.touch();
    }
}
