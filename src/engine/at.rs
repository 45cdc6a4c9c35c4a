//! The handle over which a backend's flows talk to the modem.

use atat::AtatCmd;
use embassy_time::{Duration, Instant};
use zeroize::Zeroize;

use super::Engine;
#[cfg(feature = "sleep")]
use super::core::Rest;
use super::core::{ANSWER_LIMIT, COMMAND_LIMIT, Core, Outcome, Plan, Resync, Stage, is_secret};
use super::custodian;
use super::slots::SocketPhase;
use super::turn::Held;
use crate::error::{AtError, ConnectError};
use crate::fmt::Ascii;
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
        self.ask(command, deadline_of::<C>())
    }

    /// One copy for each type of response, not for each command.
    async fn ask<R>(&self, command: &dyn Query<R>, timeout: Duration) -> Result<R, AtError> {
        let mut sink = |_: &[u8]| {};
        let end = self
            .exchange(command, Plan::Collect, timeout, &mut sink)
            .await?;
        accept(end, Final::Ok)?;
        let answer = self.engine.core.answer.borrow();
        if answer.overflowed() {
            return Err(AtError::TooLong);
        }
        command.read(answer.as_bytes()).ok_or(AtError::Garbled)
    }

    /// Sends a command and hands its information lines to `sink`, each at most 256 bytes, as they
    /// come: for listings of any length.
    pub async fn lines<C: AtatCmd>(
        &self,
        command: &C,
        sink: &mut dyn FnMut(&[u8]),
    ) -> Result<(), AtError> {
        accept(
            self.exchange(command, Plan::Lines, deadline_of::<C>(), sink)
                .await?,
            Final::Ok,
        )
    }

    /// The same for lines of any length: a long one comes in pieces of up to 256 bytes, one call each. Where
    /// one line ends and the next begins is for `sink` to see by what is in them.
    pub async fn pieces<C: AtatCmd>(
        &self,
        command: &C,
        sink: &mut dyn FnMut(&[u8]),
    ) -> Result<(), AtError> {
        accept(
            self.exchange(command, Plan::Pieces, deadline_of::<C>(), sink)
                .await?,
            Final::Ok,
        )
    }

    /// Sends a line that was checked, see `raw`.
    pub(crate) async fn raw(
        &self,
        line: &str,
        timeout: Duration,
        sink: &mut dyn FnMut(&[u8]),
    ) -> Result<(), AtError> {
        accept(
            self.exchange(&Raw(line), Plan::Raw, timeout, sink).await?,
            Final::Ok,
        )
    }

    /// Sends a command that prompts for `transfer.len` bytes and then takes them out of the socket's
    /// ring, where they stay until the caller has judged the final result.
    pub async fn send_payload<C: AtatCmd>(
        &self,
        command: &C,
        transfer: Transfer,
    ) -> Result<Final, AtError> {
        let plan = Plan::Send {
            slot: transfer.slot,
            len: transfer.len,
        };
        self.exchange(command, plan, deadline_of::<C>(), &mut |_| {})
            .await
    }

    /// Sends a command whose answer carries payload for a socket's ring; returns how many bytes came,
    /// `None` when the modem announced no payload at all.
    pub async fn receive_payload<C: AtatCmd>(
        &self,
        command: &C,
        transfer: Transfer,
    ) -> Result<Option<usize>, AtError> {
        let plan = Plan::Receive {
            slot: transfer.slot,
            max: transfer.len,
        };
        accept(
            self.exchange(command, plan, deadline_of::<C>(), &mut |_| {})
                .await?,
            Final::Ok,
        )?;
        Ok(self.engine.core.received.get())
    }

    /// Sends a command whose answer carries counted bytes, such as a piece of a file; `buf` takes at
    /// most [`ANSWER_LIMIT`](crate::ANSWER_LIMIT) of them. Returns how many came, `None` when the
    /// modem announced none at all. They appear in no trace.
    pub async fn fetch<C: AtatCmd>(
        &self,
        command: &C,
        buf: &mut [u8],
    ) -> Result<Option<usize>, AtError> {
        self.collect(command, deadline_of::<C>(), buf).await
    }

    /// One copy, not one for each command.
    async fn collect(
        &self,
        command: &dyn CommandText,
        timeout: Duration,
        buf: &mut [u8],
    ) -> Result<Option<usize>, AtError> {
        let core = self.engine.core;
        let plan = Plan::Fetch {
            max: buf.len().min(ANSWER_LIMIT),
        };
        let exchange = self.begin(command, plan, timeout).await?;
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
        let exchange = self
            .begin(command, Plan::Upload { len }, deadline_of::<C>())
            .await?;
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
        let exchange = self.begin(command, plan, deadline_of::<C>()).await?;
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
        let exchange = self.begin(command, plan, deadline_of::<C>()).await?;
        let mut ready = |stage| matches!(stage, Stage::Data { .. } | Stage::Done(_));
        match exchange.step(&mut ready).await? {
            Stage::Data { .. } => Ok(Pipe { exchange, slot }),
            Stage::Done(Outcome::Final(Final::Error(code))) => Err(AtError::Refused(code)),
            Stage::Done(Outcome::Reset) => Err(AtError::ModemReset),
            _ => Err(AtError::Garbled),
        }
    }

    /// Copies what waits to be sent on a socket, from `offset` on, and returns how much that was.
    pub fn peek(&self, slot: Slot, offset: usize, into: &mut [u8]) -> usize {
        self.engine.table.tx(slot).peek(offset, into)
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

    /// For bring-up: skips whatever the modem may still have to say, until it answers a query that is
    /// used for nothing else. Returns whether it did.
    pub async fn synchronise(&self) -> bool {
        let core = self.engine.core;
        core.turn.acquire().await.keep();
        let ending = EndOnDrop(core);
        let synchronised = custodian::synchronise(self.engine).await;
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

    async fn exchange(
        &self,
        command: &dyn CommandText,
        plan: Plan,
        timeout: Duration,
        sink: &mut dyn FnMut(&[u8]),
    ) -> Result<Final, AtError> {
        self.begin(command, plan, timeout).await?.finish(sink).await
    }

    /// The turn with a modem that is awake.
    #[cfg(feature = "sleep")]
    async fn awake_turn(&self) -> Held<'a> {
        let core = self.engine.core;
        loop {
            self.wake().await;
            let turn = core.turn.acquire().await;
            // It may have been put to sleep while others had their turns.
            if !matches!(core.rest.get(), Rest::Dozing | Rest::Waking) {
                return turn;
            }
        }
    }

    /// Waits for the modem to wake from light sleep.
    #[cfg(feature = "sleep")]
    pub(crate) async fn wake(&self) {
        let core = self.engine.core;
        if core.rest.get() == Rest::Dozing {
            core.set_rest(Rest::Waking);
        }
        core.work
            .until(|| (core.rest.get() != Rest::Waking).then_some(()))
            .await;
    }

    async fn begin(
        &self,
        command: &dyn CommandText,
        plan: Plan,
        timeout: Duration,
    ) -> Result<Exchange<'a>, AtError> {
        #[cfg(feature = "sleep")]
        let turn = self.awake_turn().await;
        #[cfg(not(feature = "sleep"))]
        let turn = self.engine.core.turn.acquire().await;
        if self.is_stale() {
            return Err(AtError::ModemReset);
        }
        let core = self.engine.core;
        let len = command.write(&mut core.out.borrow_mut()[..]);
        // The terminator may be longer by one than the CR that stands for it.
        if len + core.terminator.get().bytes().len() - 1 > COMMAND_LIMIT {
            return Err(AtError::TooLong);
        }
        trace_command(&core.out.borrow()[..len], core.fixed.secret);
        // From here on the turn belongs to the exchange, which may outlive this future.
        turn.keep();
        core.begin(len, plan, timeout);
        Ok(Exchange {
            engine: self.engine,
            number: core.exchange.get(),
        })
    }
}

/// The part of [`AtatCmd`] that the engine needs, as an object: so that one copy of an exchange is
/// linked and not one for each command.
trait CommandText {
    fn write(&self, buf: &mut [u8]) -> usize;
}

impl<C: AtatCmd> CommandText for C {
    fn write(&self, buf: &mut [u8]) -> usize {
        AtatCmd::write(self, buf)
    }
}

/// A command line without its CR.
struct Raw<'a>(&'a str);

impl CommandText for Raw<'_> {
    fn write(&self, buf: &mut [u8]) -> usize {
        let len = self.0.len();
        if let Some(room) = buf.get_mut(..=len) {
            room[..len].copy_from_slice(self.0.as_bytes());
            // The name is compared with names in answers, which are in capitals.
            let name = self.0.find('=').unwrap_or(len);
            room[..name].make_ascii_uppercase();
            room[len] = b'\r';
        }
        len + 1
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

/// The whole line at once, so that no part of a secret one is taken for another command.
fn trace_command(line: &[u8], secret: &[&str]) {
    match line
        .iter()
        .position(|&byte| byte == b'=')
        .filter(|_| is_secret(line, secret))
    {
        Some(end) => trace!("> {}=(masked)", Ascii(&line[..end])),
        None => trace!("> {}", Ascii(line)),
    }
}

fn deadline_of<C: AtatCmd>() -> Duration {
    Duration::from_millis(C::MAX_TIMEOUT_MS.into())
}

fn accept(end: Final, expected: Final) -> Result<(), AtError> {
    match end {
        Final::Error(code) => Err(AtError::Refused(code)),
        end if end == expected => Ok(()),
        _ => Err(AtError::Garbled),
    }
}

/// An exchange under way. Dropping it unfinished leaves it to the custodian.
struct Exchange<'a> {
    engine: Engine<'a>,
    number: u32,
}

impl Exchange<'_> {
    async fn finish(&self, sink: &mut dyn FnMut(&[u8])) -> Result<Final, AtError> {
        let core = self.engine.core;
        loop {
            match self
                .step(&mut |stage| matches!(stage, Stage::Info | Stage::Done(_)))
                .await?
            {
                Stage::Done(Outcome::Final(end)) => return Ok(end),
                Stage::Done(Outcome::Reset) => return Err(AtError::ModemReset),
                Stage::Info => {
                    sink(core.framer.borrow().line());
                    core.set_stage(Stage::Line);
                }
                _ => return Err(AtError::Garbled),
            }
        }
    }

    /// Waits until everything that was handed over is on the UART.
    async fn drained(&self) -> Result<(), AtError> {
        let core = self.engine.core;
        let mut drained =
            |stage| core.out_sent.get() >= core.out_len.get() || matches!(stage, Stage::Done(_));
        self.step(&mut drained).await.map(|_| ())
    }

    /// Waits until `ready` holds for the stage, as long as the exchange moves within its time limit.
    async fn step(&self, ready: &mut dyn FnMut(Stage) -> bool) -> Result<Stage, AtError> {
        let core = self.engine.core;
        loop {
            let deadline = core.deadline.get();
            // Payload brings the deadline nearer.
            let mut look = || ready(core.stage.get()) || core.deadline.get() < deadline;
            core.changed.until_or(deadline, &mut look).await;
            if core.exchange.get() != self.number {
                // Its caller was away for so long that the custodian has ended it.
                return Err(AtError::Timeout);
            }
            let stage = core.stage.get();
            if ready(stage) {
                return Ok(stage);
            }
            if core.deadline.get() <= Instant::now() {
                return Err(AtError::Timeout);
            }
        }
    }
}

impl Drop for Exchange<'_> {
    fn drop(&mut self) {
        let core = self.engine.core;
        if core.exchange.get() != self.number {
            return;
        }
        if let Stage::Done(Outcome::Final(_) | Outcome::Reset) = core.stage.get() {
            if core.lost_track.take() {
                core.forsake();
                return;
            }
            if let Plan::Upload { .. } | Plan::Quoted { .. } = core.plan.get() {
                // It may hold the end of a private key.
                core.out.borrow_mut().zeroize();
            }
            core.stage.set(Stage::Idle);
            core.turn.release();
        } else {
            if core.stage.get() == Stage::Info {
                core.stage.set(Stage::Line);
            }
            core.orphan.set(true);
        }
        core.changed.wake();
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
        let core = self.exchange.engine.core;
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
        let core = self.exchange.engine.core;
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
        let core = self.exchange.engine.core;
        let mut at = offset;
        while at < end {
            if !matches!(core.stage.get(), Stage::Data { .. }) {
                return Err(self.ended());
            }
            let chunk = (end - at).min(COMMAND_LIMIT);
            let ring = self.exchange.engine.table.tx(self.slot);
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
        let core = self.exchange.engine.core;
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

    /// Sends `+++` where data mode has no announced length, and waits for the modem's word that it has left
    /// it. The silence before is the caller's.
    pub async fn leave(self) -> Result<Final, AtError> {
        let core = self.exchange.engine.core;
        if let Plan::Pipe { len: None, .. } = core.plan.get() {
            // The next line is the end.
            core.stage.set(Stage::Line);
            core.out.borrow_mut()[..3].copy_from_slice(b"+++");
            core.submit(3);
            #[cfg(feature = "tap")]
            core.out_class.set(crate::tap::Sent::Filler);
        }
        self.exchange.finish(&mut |_| {}).await
    }

    fn ended(&self) -> AtError {
        match self.exchange.engine.core.stage.get() {
            Stage::Done(Outcome::Final(Final::Error(code))) => AtError::Refused(code),
            Stage::Done(Outcome::Reset) => AtError::ModemReset,
            _ => AtError::Garbled,
        }
    }
}

/// The turn of [`At::together`], until it is dropped.
pub struct Together<'a>(#[expect(dead_code, reason = "held")] Held<'a>);
