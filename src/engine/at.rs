//! The handle over which a backend's flows talk to the modem.

use core::future::Future;
#[cfg(feature = "sleep")]
use core::future::poll_fn;
use core::pin::Pin;
use core::task::{Context, Poll, ready};

use atat::AtatCmd;
use embassy_time::{Duration, Instant};

use super::Engine;
use super::core::{ANSWER_LIMIT, COMMAND_LIMIT, Core, Outcome, Plan, Resync, Stage};
use super::custodian;
#[cfg(feature = "sleep")]
use super::exchange::poll_wake;
use super::exchange::{CommandText, Exchange, Place, Sink};
use super::slots::SocketPhase;
use super::turn::Held;
use crate::error::{AtError, Code, ConnectError};
use crate::modem::{Final, Slot, Terminator, Transfer};

/// A UART that takes nothing for this long is stuck.
const DRAIN_LIMIT: Duration = Duration::from_secs(2);

/// One exchange at a time with the modem. Cheap to copy.
///
/// Every method that talks to the modem waits for its turn first, then until the modem's final
/// result or the command's deadline, and may be dropped at any await point: the runner then ends the
/// exchange in the modem's sense before the next one starts, so that no late answer reaches another
/// command. After a reset of the modem the handle answers [`AtError::ModemReset`].
#[derive(Clone, Copy)]
pub struct At<'a> {
    engine: Engine<'a>,
    generation: u32,
}

/// Ends the exchange that synchronising pretends to be, or leaves it to the custodian.
struct EndOnDrop<'a>(&'a Core);

impl Drop for EndOnDrop<'_> {
    fn drop(&mut self) {
        let core = self.0;
        if let Stage::Done(_) = core.stage.get() {
            core.stage.set(Stage::Idle);
            core.turn.release();
        } else {
            core.orphan.set(true);
        }
        core.changed.wake();
    }
}

impl<'a> At<'a> {
    pub(super) fn engine(&self) -> Engine<'a> {
        self.engine
    }

    pub(super) fn core(&self) -> &'a Core {
        self.engine.core
    }

    pub(crate) fn new(engine: Engine<'a>) -> Self {
        Self {
            engine,
            generation: engine.core.generation.get(),
        }
    }

    pub(crate) fn is_stale(&self) -> bool {
        self.generation != self.engine.core.generation.get()
    }

    /// Sends a typed command and returns its response. The deadline is the command's
    /// `MAX_TIMEOUT_MS`; its information lines together may have 256 bytes.
    pub fn send<'c, C: AtatCmd>(
        &'c self,
        command: &'c C,
    ) -> impl Future<Output = Result<C::Response, AtError>> + use<'c, 'a, C> {
        Ask {
            at: self,
            place: Place::Before(None),
            command: command as &dyn Query<C::Response>,
        }
    }

    /// Sends what `question` writes and hands it the answer: for flows that are tables of steps, of which one
    /// await then runs all. An answer that is no answer, such as none within the time, comes back as the
    /// error instead.
    pub fn ask<'c>(
        &'c self,
        question: &'c mut dyn Question,
    ) -> impl Future<Output = Result<(), AtError>> + use<'c, 'a> {
        Asking {
            at: self,
            place: Place::Before(None),
            question,
        }
    }

    /// Sends a command and hands its information lines to `sink`, each at most 256 bytes, as they
    /// come: for listings of any length.
    pub fn lines<'c, C: AtatCmd>(
        &'c self,
        command: &'c C,
        sink: &'c mut dyn FnMut(&[u8]),
    ) -> impl Future<Output = Result<(), AtError>> + use<'c, 'a, C> {
        Listing(self.whole(command, Plan::Lines, Some(sink)))
    }

    /// The same for lines of any length: a long one comes in pieces of up to 256 bytes, one call each. Where
    /// one line ends and the next begins is for `sink` to see by what is in them.
    pub fn pieces<'c, C: AtatCmd>(
        &'c self,
        command: &'c C,
        sink: &'c mut dyn FnMut(&[u8]),
    ) -> impl Future<Output = Result<(), AtError>> + use<'c, 'a, C> {
        Listing(self.whole(command, Plan::Pieces, Some(sink)))
    }

    /// Sends a line that was checked, see `raw`.
    pub(crate) async fn raw(
        &self,
        line: &str,
        timeout: Duration,
        sink: &mut dyn FnMut(&[u8]),
    ) -> Result<(), AtError> {
        let timeout = u32::try_from(timeout.as_millis()).unwrap_or(u32::MAX);
        let command = Raw { line, timeout };
        Listing(self.whole(&command, Plan::Raw, Some(sink))).await
    }

    /// Sends a command that prompts for `transfer.len` bytes and then takes them out of the socket's
    /// ring, where they stay until the caller has judged the final result.
    pub fn send_payload<'c, C: AtatCmd>(
        &'c self,
        command: &'c C,
        transfer: Transfer,
    ) -> impl Future<Output = Result<Final, AtError>> + use<'c, 'a, C> {
        let plan = Plan::Send {
            slot: transfer.slot,
            len: transfer.len,
        };
        self.whole(command, plan, None)
    }

    /// Sends a command whose answer carries payload for a socket's ring; returns how many bytes came,
    /// `None` when the modem announced no payload at all.
    pub fn receive_payload<'c, C: AtatCmd>(
        &'c self,
        command: &'c C,
        transfer: Transfer,
    ) -> impl Future<Output = Result<Option<usize>, AtError>> + use<'c, 'a, C> {
        let plan = Plan::Receive {
            slot: transfer.slot,
            max: transfer.len,
        };
        Fetching(self.whole(command, plan, None))
    }

    fn whole<'c>(
        &'c self,
        command: &'c dyn CommandText,
        plan: Plan,
        sink: Option<Sink<'c>>,
    ) -> Whole<'c, 'a> {
        Whole {
            at: self,
            place: Place::Before(None),
            command,
            plan,
            sink,
        }
    }

    /// Sends a command whose answer carries counted bytes, such as a piece of a file; `buf` takes at
    /// most [`ANSWER_LIMIT`](crate::ANSWER_LIMIT) of them. Returns how many came, `None` when the
    /// modem announced none at all. They appear in no trace.
    pub async fn fetch<C: AtatCmd>(
        &self,
        command: &C,
        buf: &mut [u8],
    ) -> Result<Option<usize>, AtError> {
        self.collect(command, buf).await
    }

    /// One copy, not one for each command.
    async fn collect(
        &self,
        command: &dyn CommandText,
        buf: &mut [u8],
    ) -> Result<Option<usize>, AtError> {
        let core = self.engine.core;
        let plan = Plan::Fetch {
            max: buf.len().min(ANSWER_LIMIT),
        };
        let mut exchange = Exchange::new(self);
        exchange.begin(command, plan).await?;
        let end = exchange.finish(&mut |_| {}).await?;
        // The turn is still this exchange's, so it is its answer.
        let mut answer = core.answer.borrow_mut();
        let count = core.received.get();
        if let (Some(count), Final::Ok) = (count, end) {
            let (Some(buf), Some(bytes)) = (buf.get_mut(..count), answer.as_bytes().get(..count))
            else {
                return Err(AtError::Garbled);
            };
            buf.copy_from_slice(bytes);
        }
        answer.wipe();
        accept(end, Final::Ok)?;
        Ok(count)
    }

    /// Sends a command that answers `CONNECT` and then takes exactly `len` raw bytes. The command's
    /// deadline also bounds each pause of the upload.
    pub async fn upload<C: AtatCmd>(&self, command: &C, len: usize) -> Result<Upload<'a>, AtError> {
        let mut exchange = Exchange::new(self);
        exchange.begin(command, Plan::Upload { len }).await?;
        // An upload of nothing is past its data at once.
        let mut ready = |stage| {
            matches!(stage, Stage::Data { .. } | Stage::Done(_))
                || (len == 0 && stage == Stage::Line)
        };
        match exchange.step(&mut ready).await? {
            Stage::Data { .. } | Stage::Line => Ok(Upload { exchange }),
            Stage::Done(Outcome::Final(Final::Error(code))) => Err(AtError::Refused(code)),
            Stage::Done(Outcome::Reset) => Err(AtError::ModemReset),
            _ => Err(AtError::Garbled),
        }
    }

    /// Sends a command whose last argument is in quotes and as long as `len`; the command ends with the
    /// opening quote, see [`CommandLine::open_quote`](crate::at::CommandLine::open_quote). The content is
    /// handed over piece by piece, may turn out shorter, and must contain no quote; [`Upload::finish`] closes it.
    pub async fn quote<C: AtatCmd>(&self, command: &C, len: usize) -> Result<Upload<'a>, AtError> {
        let behind = len + 1 + self.engine.core.terminator.get().bytes().len();
        let plan = Plan::Quoted { len: behind };
        let mut exchange = Exchange::new(self);
        exchange.begin(command, plan).await?;
        exchange.drained().await?;
        Ok(Upload { exchange })
    }

    /// Sends a command after whose `OK` everything is payload of `slot`'s socket, see [`Pipe`]: `len`
    /// bytes exactly, if the modem was told how many.
    pub async fn pipe<C: AtatCmd>(
        &self,
        command: &C,
        slot: Slot,
        len: Option<usize>,
    ) -> Result<Pipe<'a>, AtError> {
        let plan = Plan::Pipe { slot, len };
        let mut exchange = Exchange::new(self);
        exchange.begin(command, plan).await?;
        let mut ready = |stage| matches!(stage, Stage::Data { .. } | Stage::Done(_));
        match exchange.step(&mut ready).await? {
            Stage::Data { .. } => Ok(Pipe { exchange, slot }),
            Stage::Done(Outcome::Final(Final::Error(code))) => Err(AtError::Refused(code)),
            Stage::Done(Outcome::Reset) => Err(AtError::ModemReset),
            _ => Err(AtError::Garbled),
        }
    }

    /// Waits for the modem to wake from light sleep.
    #[cfg(feature = "sleep")]
    pub(crate) async fn wake(&self) {
        poll_fn(|cx| poll_wake(self.engine.core, cx)).await;
    }

    /// Copies what waits to be sent on a socket, from `offset` on, and returns how much that was.
    pub fn peek(&self, slot: Slot, offset: usize, into: &mut [u8]) -> usize {
        self.engine.table.tx(slot).peek(offset, into)
    }

    /// What ends command lines now.
    pub fn terminator(&self) -> Terminator {
        self.engine.core.terminator.get()
    }

    /// From now on, command lines end so.
    pub fn set_terminator(&self, terminator: Terminator) {
        self.engine.core.terminator.set(terminator);
    }

    /// Waits for the turn of flows whose exchanges belong together, such as choosing a socket and then
    /// using it. Only flows that ask for it wait for each other.
    pub async fn together(&self) -> Together<'a> {
        Together(self.engine.core.flow_turn.acquire().await)
    }

    /// For bring-up from an unknown phase: leaves a quoted argument without completing its line. Returns
    /// whether the modem is in line mode.
    pub async fn unquote(&self) -> bool {
        let core = self.engine.core;
        core.turn.acquire().await.keep();
        let ending = EndOnDrop(core);
        let synchronised = custodian::unquote(self.engine).await;
        core.resync.set(Resync::Off);
        core.set_stage(Stage::Done(Outcome::Reset));
        drop(ending);
        synchronised
    }

    /// Whether somebody has a connection, or is making one.
    pub fn has_sockets(&self) -> bool {
        let slots = self.engine.table.slots();
        slots.iter().any(|slot| {
            slot.user.get() && matches!(slot.phase.get(), SocketPhase::Open | SocketPhase::Opening)
        })
    }

    /// To be called right before the command that opens `slot`: what the modem said of its id before was
    /// about an earlier connection.
    pub fn expect_open(&self, slot: Slot) {
        self.engine.core.forget_sent(slot);
        self.engine.slot(slot).asked.set(true);
    }

    /// Waits for the result of opening `slot`, after [`expect_open`](Self::expect_open): the vendor's
    /// number, 0 for success.
    pub async fn opened(&self, slot: Slot, timeout: Duration) -> Result<u16, ConnectError> {
        let mut result = None;
        let limit = Instant::now() + timeout;
        let mut ready = || {
            result = self.engine.open_result(slot);
            result.is_some()
        };
        self.engine.core.changed.until_or(limit, &mut ready).await;
        Ok(result.ok_or(ConnectError::TimedOut)??)
    }

    /// From now on keeps the last URC that starts with `prefix`, for [`watched`](Self::watched). To
    /// be called before the command that causes it. One watch at a time, of up to 64 bytes.
    pub fn watch(&self, prefix: &'static str) {
        self.engine.core.watch.borrow_mut().arm(prefix);
    }

    /// Waits for the watched URC and reads it.
    pub async fn watched<T>(
        &self,
        timeout: Duration,
        read: impl Fn(&[u8]) -> T,
    ) -> Result<T, AtError> {
        let core = self.engine.core;
        let limit = Instant::now() + timeout;
        let mut ready = || self.is_stale() || core.watch.borrow().seen().is_some();
        let seen = core.changed.until_or(limit, &mut ready).await;
        if self.is_stale() {
            return Err(AtError::ModemReset);
        }
        if !seen {
            return Err(AtError::Timeout);
        }
        // A copy, so that `read` may arm the next watch.
        let text = core.watch.borrow().copy();
        Ok(read(text.as_bytes()))
    }

    /// For bring-up, which expects restarts: takes the handle over the last one. Returns whether the
    /// modem restarted since the last call.
    pub fn follow_restart(&mut self) -> bool {
        self.generation = self.engine.core.generation.get();
        self.engine.core.restarted.take()
    }

    /// For bring-up, or after an answer that may have been to something else: skips whatever the modem may
    /// still have to say, until it answers a query that is used for nothing else. Returns whether it did.
    ///
    /// If it had an answer left, then one was not asked for; the socket that sent last is given up, see
    /// `Core::doubt_sent`.
    pub async fn synchronise(&self) -> bool {
        let core = self.engine.core;
        core.turn.acquire().await.keep();
        let ending = EndOnDrop(core);
        core.answered_late.set(false);
        let synchronised = custodian::synchronise(self.engine).await;
        if core.answered_late.take() {
            core.doubt_sent(self.engine.table);
        }
        core.resync.set(Resync::Off);
        core.set_stage(Stage::Done(Outcome::Reset));
        drop(ending);
        synchronised
    }

    /// Whether a connection stands besides `slot`'s.
    pub fn has_other_sockets(&self, slot: Slot) -> bool {
        let mut slots = self.engine.table.slots().iter().enumerate();
        slots.any(|(index, state)| {
            index != usize::from(slot.0) && state.phase.get() == SocketPhase::Open
        })
    }

    /// For a flow that found out that the data connection is gone: the supervisor brings the modem up
    /// anew.
    pub fn report_network_lost(&self) {
        self.engine.core.network_lost.set(true);
        self.engine.core.work.wake();
    }

    /// For bring-up, right before it makes the data connection: what was said of an earlier one is
    /// void.
    pub fn forget_network_lost(&self) {
        self.engine.core.network_lost.set(false);
    }

    /// For bring-up: waits until the modem says that its start is complete, or for `timeout`. Returns
    /// whether it said so.
    pub async fn booted(&self, timeout: Duration) -> bool {
        let core = self.engine.core;
        let limit = Instant::now() + timeout;
        let seen = core
            .changed
            .until_or(limit, &mut || core.booted.get())
            .await;
        core.booted.set(false);
        seen
    }

    /// For bring-up from an unknown phase: leaves data mode, which takes 2.2 s. Does nothing when the
    /// modem is known to be in line mode.
    pub async fn escape(&self) {
        let core = self.engine.core;
        let _turn = core.turn.acquire().await;
        if !core.line_mode.get() {
            custodian::escape(self.engine).await;
        }
    }

    /// For bring-up from an unknown phase: writes `count` times `byte`, such as CR, which completes a
    /// half-sent payload and is nothing to a modem in line mode. Gives up when the UART does not take
    /// it.
    pub async fn filler(&self, byte: u8, count: usize) -> Result<(), AtError> {
        let core = self.engine.core;
        let _turn = core.turn.acquire().await;
        let mut left = count;
        while left > 0 {
            let chunk = left.min(COMMAND_LIMIT);
            core.out.borrow_mut()[..chunk].fill(byte);
            core.submit(chunk);
            let limit = Instant::now() + DRAIN_LIMIT;
            let mut drained = || core.out_sent.get() >= chunk;
            if !core.changed.until_or(limit, &mut drained).await {
                core.out_sent.set(chunk);
                return Err(AtError::Timeout);
            }
            left -= chunk;
        }
        Ok(())
    }
}

/// A command line without its CR.
struct Raw<'a> {
    line: &'a str,
    timeout: u32,
}

impl CommandText for Raw<'_> {
    fn write(&self, buf: &mut [u8]) -> usize {
        let len = self.line.len();
        if let Some(room) = buf.get_mut(..=len) {
            room[..len].copy_from_slice(self.line.as_bytes());
            // The name is compared with names in answers, which are in capitals.
            let name = self.line.find('=').unwrap_or(len);
            room[..name].make_ascii_uppercase();
            room[len] = b'\r';
        }
        len + 1
    }

    fn timeout(&self) -> u32 {
        self.timeout
    }
}

/// A command whose text, time and reading are found out when it is sent, see [`At::ask`].
pub trait Question {
    /// Writes the line, CR included, and returns its length, as [`AtatCmd::write`] does.
    fn write(&self, buf: &mut [u8]) -> usize;

    /// The deadline in milliseconds.
    fn timeout_ms(&self) -> u32;

    /// Takes the answer: the information lines, at most 256 bytes, or with what the modem refused.
    fn answered(&mut self, answer: Result<&[u8], Code>);
}

impl CommandText for &dyn Question {
    fn write(&self, buf: &mut [u8]) -> usize {
        (**self).write(buf)
    }

    fn timeout(&self) -> u32 {
        self.timeout_ms()
    }
}

/// A question from its turn to its answer.
struct Asking<'c, 'a> {
    at: &'c At<'a>,
    place: Place,
    question: &'c mut dyn Question,
}

impl Future for Asking<'_, '_> {
    type Output = Result<(), AtError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), AtError>> {
        let Self {
            at,
            place,
            question,
        } = &mut *self;
        let result = ready!(place.poll_answer(at, &(&**question as &dyn Question), cx));
        let answer = at.core().answer.borrow();
        question.answered(match result {
            Ok(()) => Ok(answer.as_bytes()),
            Err(AtError::Refused(code)) => Err(code),
            Err(error) => return Poll::Ready(Err(error)),
        });
        Poll::Ready(Ok(()))
    }
}

impl Drop for Asking<'_, '_> {
    fn drop(&mut self) {
        self.place.end(self.at.core());
    }
}

/// A command by what it answers.
trait Query<R>: CommandText {
    fn read(&self, answer: &[u8]) -> Option<R>;
}

impl<C: AtatCmd> Query<C::Response> for C {
    fn read(&self, answer: &[u8]) -> Option<C::Response> {
        self.parse(Ok(answer)).ok()
    }
}

/// A typed command from its turn to its response.
struct Ask<'c, 'a, R> {
    at: &'c At<'a>,
    place: Place,
    command: &'c dyn Query<R>,
}

impl<R> Future for Ask<'_, '_, R> {
    type Output = Result<R, AtError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<R, AtError>> {
        let (at, command) = (self.at, self.command);
        // All that is there once for each type of response.
        Poll::Ready(match ready!(self.place.poll_answer(at, command, cx)) {
            Ok(()) => {
                let answer = at.core().answer.borrow();
                command.read(answer.as_bytes()).ok_or(AtError::Garbled)
            }
            Err(error) => Err(error),
        })
    }
}

impl<R> Drop for Ask<'_, '_, R> {
    fn drop(&mut self) {
        self.place.end(self.at.core());
    }
}

/// A command from its turn to its final result.
struct Whole<'c, 'a> {
    at: &'c At<'a>,
    place: Place,
    command: &'c dyn CommandText,
    plan: Plan,
    sink: Option<Sink<'c>>,
}

impl Future for Whole<'_, '_> {
    type Output = Result<Final, AtError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<Final, AtError>> {
        let (at, command, plan) = (self.at, self.command, self.plan);
        let Self { place, sink, .. } = &mut *self;
        match sink {
            Some(sink) => place.poll_whole(at, command, plan, *sink, cx),
            None => place.poll_whole(at, command, plan, &mut |_| {}, cx),
        }
    }
}

impl Drop for Whole<'_, '_> {
    fn drop(&mut self) {
        self.place.end(self.at.core());
    }
}

/// The same for who wants nothing but `OK`.
struct Listing<'c, 'a>(Whole<'c, 'a>);

impl Future for Listing<'_, '_> {
    type Output = Result<(), AtError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), AtError>> {
        let end = ready!(Pin::new(&mut self.0).poll(cx));
        Poll::Ready(end.and_then(|end| accept(end, Final::Ok)))
    }
}

/// The same, and how much payload came.
struct Fetching<'c, 'a>(Whole<'c, 'a>);

impl Future for Fetching<'_, '_> {
    type Output = Result<Option<usize>, AtError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let end = ready!(Pin::new(&mut self.0).poll(cx));
        let received = || self.0.at.core().received.get();
        Poll::Ready(
            end.and_then(|end| accept(end, Final::Ok))
                .map(|()| received()),
        )
    }
}

pub(super) fn accept(end: Final, expected: Final) -> Result<(), AtError> {
    match end {
        Final::Error(code) => Err(AtError::Refused(code)),
        end if end == expected => Ok(()),
        _ => Err(AtError::Garbled),
    }
}

/// An upload under way: write exactly the announced bytes, then [`finish`](Self::finish).
///
/// Dropping it early makes the runner complete the announced length with filler; whoever started it
/// must see to it that the result is deleted.
pub struct Upload<'a> {
    exchange: Exchange<'a>,
}

impl Upload<'_> {
    /// Writes the next bytes; returns when they are on the UART.
    pub async fn write(&mut self, mut bytes: &[u8]) -> Result<(), AtError> {
        let core = self.exchange.core();
        while !bytes.is_empty() {
            let (now, later) = bytes.split_at(bytes.len().min(COMMAND_LIMIT));
            match core.stage.get() {
                Stage::Data { left } if left >= now.len() => {}
                Stage::Done(Outcome::Reset) => return Err(AtError::ModemReset),
                _ => return Err(AtError::Garbled),
            }
            core.out.borrow_mut()[..now.len()].copy_from_slice(now);
            core.submit(now.len());
            self.exchange.drained().await?;
            bytes = later;
        }
        Ok(())
    }

    /// Waits for the final result; `sink` sees the information lines, such as a checksum.
    pub async fn finish(mut self, sink: &mut dyn FnMut(&[u8])) -> Result<(), AtError> {
        let core = self.exchange.core();
        if let Plan::Quoted { .. } = core.plan.get() {
            // The content may have turned out shorter.
            if let Stage::Data { .. } = core.stage.get() {
                let left = 1 + core.terminator.get().bytes().len();
                core.stage.set(Stage::Data { left });
            }
            self.write(b"\"").await?;
            self.write(core.terminator.get().bytes()).await?;
        }
        accept(self.exchange.finish(sink).await?, Final::Ok)
    }
}

/// Data mode under way: what is handed over goes to the peer, until it is left.
///
/// Dropping it early makes the runner leave data mode; the socket must not be used any more.
pub struct Pipe<'a> {
    exchange: Exchange<'a>,
    slot: Slot,
}

impl Pipe<'_> {
    /// Sends the bytes from `offset` to `end` of what waits to be sent on the socket; returns when they
    /// are on the UART.
    pub async fn copy(&self, offset: usize, end: usize) -> Result<(), AtError> {
        let core = self.exchange.core();
        let mut at = offset;
        while at < end {
            if !matches!(core.stage.get(), Stage::Data { .. }) {
                return Err(self.ended());
            }
            let chunk = (end - at).min(COMMAND_LIMIT);
            let ring = self.exchange.engine().table.tx(self.slot);
            let count = ring.peek(at, &mut core.out.borrow_mut()[..chunk]);
            if count == 0 {
                return Err(AtError::Garbled);
            }
            core.submit(count);
            self.exchange.drained().await?;
            at += count;
        }
        Ok(())
    }

    /// Sends nothing for so long. An error when the modem leaves data mode meanwhile.
    pub async fn pause(&self, time: Duration) -> Result<(), AtError> {
        let core = self.exchange.core();
        let mut ended = || matches!(core.stage.get(), Stage::Done(_));
        if core
            .changed
            .until_or(Instant::now() + time, &mut ended)
            .await
        {
            return Err(self.ended());
        }
        Ok(())
    }

    /// Waits for the modem's word that it has left data mode, which had an announced length. When it has said nothing
    /// for `patience` after the last byte, it may have forgotten that length, and is asked with `+++`.
    pub async fn leave_within(self, patience: Duration) -> Result<(), AtError> {
        let core = self.exchange.core();
        let mut ended = || matches!(core.stage.get(), Stage::Done(_));
        if !core
            .changed
            .until_or(Instant::now() + patience, &mut ended)
            .await
        {
            self.ask_to_leave();
        }
        self.left().await
    }

    /// Sends `+++` where data mode has no announced length, and waits for the modem's word that it has left
    /// it. The silence before is the caller's.
    pub async fn leave(self) -> Result<(), AtError> {
        let core = self.exchange.core();
        if let Plan::Pipe { len: None, .. } = core.plan.get() {
            // The next line is the end.
            core.stage.set(Stage::Line);
            self.ask_to_leave();
        }
        self.left().await
    }

    fn ask_to_leave(&self) {
        let core = self.exchange.core();
        core.out.borrow_mut()[..3].copy_from_slice(b"+++");
        core.submit(3);
        #[cfg(feature = "tap")]
        core.out_class.set(crate::tap::Sent::Filler);
    }

    async fn left(mut self) -> Result<(), AtError> {
        accept(self.exchange.finish(&mut |_| {}).await?, Final::SendOk)
    }

    fn ended(&self) -> AtError {
        match self.exchange.core().stage.get() {
            Stage::Done(Outcome::Final(Final::Error(code))) => AtError::Refused(code),
            Stage::Done(Outcome::Reset) => AtError::ModemReset,
            _ => AtError::Garbled,
        }
    }
}

/// The turn of [`At::together`], until it is dropped.
pub struct Together<'a>(#[expect(dead_code, reason = "held")] Held<'a>);
