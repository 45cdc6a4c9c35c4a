//! The commands `#XPOLL` and `#XAPOLL` (sheet 4.4 and 5).

use embassy_futures::select::select;
use embassy_time::{Duration, Timer};

use super::super::Nrf9160;
use super::super::sockets::{ERR, HUP, IN, NVAL, OUT, SOCKET_LIMIT};
use super::{OK, Outcome, UNKNOWN};
use crate::syntax::{Args, Fail, Op};

impl Nrf9160 {
    pub(super) async fn polls(&self, name: &str, op: &Op) -> Outcome {
        let profile = &self.options.profile;
        match (name, op) {
            ("XPOLL", Op::Set(args)) if !profile.serial_modem => self.poll(args).await,
            ("XAPOLL", Op::Set(args)) if profile.serial_modem => self.async_poll_by_handle(args),
            ("XAPOLL", Op::Set(args)) if profile.async_poll => self.async_poll(args),
            ("XAPOLL", Op::Read) if profile.async_poll => {
                let state = self.state.borrow();
                let polled = state
                    .sockets
                    .iter()
                    .filter_map(|(handle, socket)| Some((*handle, socket.borrow().events?)));
                let polled: Vec<(u8, u8)> = polled.collect();
                let events = state
                    .poll_all
                    .or_else(|| polled.first().map(|(_, events)| *events));
                let running = u8::from(events.is_some());
                let handles: String = polled
                    .iter()
                    .map(|(handle, _)| format!(",{handle}"))
                    .collect();
                self.answer(&format!(
                    "#XAPOLL: {running},{}{handles}",
                    events.unwrap_or(0)
                ));
                OK
            }
            _ => UNKNOWN,
        }
    }

    /// Polls with a timeout in milliseconds, unlike `#XRECV`; -1 waits without limit.
    async fn poll(&self, args: &Args) -> Outcome {
        args.count(1, 1 + SOCKET_LIMIT)?;
        let timeout = args.number(0, -1..=i64::from(i32::MAX))?;
        let mut handles = Vec::new();
        for index in 1..args.len() {
            handles.push(args.byte(index, 0..=u8::MAX)?);
        }
        let (all, polling) = {
            let state = self.state.borrow();
            let all: Vec<u8> = state.sockets.keys().copied().collect();
            let polling = state
                .sockets
                .values()
                .any(|socket| socket.borrow().events.is_some());
            (all, polling || state.poll_all.is_some())
        };
        if handles.is_empty() {
            handles = all;
        }
        if polling || handles.is_empty() {
            self.answer("#XPOLL: -1");
            return Err(Fail::Error);
        }
        let look = || -> Vec<(u8, u8)> {
            let mut found = Vec::new();
            for handle in &handles {
                let bits = match self.state.borrow().sockets.get(handle) {
                    None => NVAL,
                    Some(socket) => {
                        let mut socket = socket.borrow_mut();
                        let bits = socket.readiness(0) & (IN | ERR | HUP);
                        if bits == 0 && socket.take_early_in() {
                            IN
                        } else {
                            bits
                        }
                    }
                };
                if bits != 0 {
                    found.push((*handle, bits));
                }
            }
            found
        };
        let mut found = look();
        if found.is_empty() && timeout != 0 {
            let something = self.core.until(|| {
                found = look();
                !found.is_empty()
            });
            if timeout < 0 {
                something.await;
            } else {
                let limit = Timer::after(Duration::from_millis(timeout as u64));
                select(something, limit).await;
            }
        }
        for (handle, bits) in found {
            self.answer(&format!("#XPOLL: {handle},\"0x{bits:04x}\""));
        }
        OK
    }

    /// Handles `#XAPOLL=<op>[,<events>[,<h1>...]]`.
    fn async_poll(&self, args: &Args) -> Outcome {
        args.count(1, 2 + SOCKET_LIMIT)?;
        let start = args.number(0, 0..=1)? == 1;
        let events = events(args, 1, start)?;
        let mut state = self.state.borrow_mut();
        if args.len() <= 2 {
            state.poll_all = events;
            state
                .sockets
                .values()
                .for_each(|socket| socket.borrow_mut().poll(events, false));
            return OK;
        }
        for index in 2..args.len() {
            let handle = args.byte(index, 0..=u8::MAX)?;
            let socket = state.sockets.get(&handle).ok_or(Fail::Error)?;
            socket.borrow_mut().poll(events, false);
        }
        OK
    }

    /// Handles `#XAPOLL=[<h>],<op>[,<events>]`; without a handle it is for all present and future
    /// sockets.
    fn async_poll_by_handle(&self, args: &Args) -> Outcome {
        args.count(2, 3)?;
        let start = args.number(1, 0..=1)? == 1;
        let events = events(args, 2, start)?;
        let mut state = self.state.borrow_mut();
        if args.absent(0) {
            state.poll_all = events;
            state
                .sockets
                .values()
                .for_each(|socket| socket.borrow_mut().poll(events, true));
        } else {
            let handle = args.byte(0, 0..=u8::MAX)?;
            let socket = state.sockets.get(&handle).ok_or(Fail::Error)?;
            socket.borrow_mut().poll(events, true);
        }
        OK
    }
}

fn events(args: &Args, index: usize, start: bool) -> Result<Option<u8>, Fail> {
    let events = args.number_or(index, 0..=5, 0)? as u8;
    if events & !(IN | OUT) != 0 {
        return Err(Fail::Error);
    }
    Ok(start.then_some(events))
}
