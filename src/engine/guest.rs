//! The handle [`At`], through which users and credential stores exchange commands with the modem.
//!
//! A *guest* is a future outside the runner that wants one exchange: an [`AtatCmd`], a line that a user typed, a
//! chunk of a credential. It waits in the mailbox's queue, asks for the channel, and is granted it when the engine has
//! nothing under way. Then it writes its command into the engine's buffer; from there on the runner conducts the
//! exchange. If the future is dropped, the runner brings the exchange to an end.

use core::cell::{RefCell, RefMut};
use core::future::poll_fn;
use core::task::{Context, Poll};

use atat::AtatCmd;
use embassy_time::Duration;
use zeroize::Zeroize;

use super::mailbox::{ANSWER_LIMIT, COMMAND_LIMIT, ExchangeState, Plan};
use super::protocol::{Backend, Protocol};
use super::text::Engine;
use super::time::{millis, now};
use super::world::{Shared, World};
use crate::engine::backend::{Final, InLine, Modem, Terminator};
use crate::error::AtError;

/// The progress of a guest's exchange, as the guest knows it.
#[derive(Clone, Copy)]
enum Progress {
    /// The guest waits for its turn, with a ticket once it has one.
    InLine(Option<u8>),
    /// The guest has its turn, with this number of the exchange.
    Served(u8),
    /// The exchange has ended.
    Gone,
}

/// A handle for exchanges of AT commands with the modem, for users and for a backend's credential store.
///
/// Every exchange waits for its turn. A handle is valid until the modem restarts: then every exchange fails with
/// [`AtError::ModemReset`], and the user gets a new handle from [`Control::at`](crate::Control::at).
///
/// A future of this handle may be dropped at any point. A command that was sent is completed by the runner, and its
/// answer is discarded.
pub struct At<'a, M: Backend> {
    pub(crate) world: &'a Shared<'a>,
    pub(crate) engine: &'a RefCell<M::Engine>,
    generation: u8,
    /// Returns whether a command may change settings of the modem, or refuses it. It is a pointer, so that a firmware
    /// whose handles send only commands of the driver's own does not link the check.
    judge: Judge,
}

type Judge = fn(&[u8]) -> Result<bool, AtError>;

impl<M: Backend> Clone for At<'_, M> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<M: Backend> Copy for At<'_, M> {}

/// The function that sees each information line of an answer.
type Sink<'s> = &'s mut dyn FnMut(&[u8]);

/// The part of [`AtatCmd`] that an exchange needs, as a trait object, so that the exchange is linked once and not once
/// for each command.
trait CommandText {
    fn write(&self, buf: &mut [u8]) -> usize;

    /// Returns the time limit of the exchange in milliseconds.
    fn timeout(&self) -> u32;
}

impl<C: AtatCmd> CommandText for C {
    fn write(&self, buf: &mut [u8]) -> usize {
        AtatCmd::write(self, buf)
    }

    fn timeout(&self) -> u32 {
        C::MAX_TIMEOUT_MS
    }
}

/// A command line that a user typed, and its time limit in milliseconds.
struct Typed<'l> {
    line: &'l str,
    timeout: u32,
}

impl CommandText for Typed<'_> {
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

impl<'a, M: Backend> At<'a, M> {
    pub(crate) fn new(world: &'a Shared<'a>, engine: &'a RefCell<M::Engine>) -> Self {
        let generation = world.borrow().generation;
        Self {
            world,
            engine,
            generation,
            judge: |_| Ok(false),
        }
    }

    /// Has the commands of this handle judged, unless their user promises that they leave connections and settings alone.
    pub(crate) fn judged_unless(mut self, keeps: bool) -> Self {
        if !keeps {
            self.judge = M::may_change_settings;
        }
        self
    }

    /// Calls `look` with the backend, which it may read and change.
    ///
    /// # Panics
    /// If `look` uses this handle again: the engine is borrowed meanwhile.
    pub fn modem<T>(&self, look: impl FnOnce(&mut M) -> T) -> T {
        look(self.engine.borrow_mut().backend_mut())
    }

    /// Conducts one exchange on a backend that does not speak AT: waits for the channel, calls `begin` to start the
    /// exchange, waits for its end, and calls `read` to look at the answer.
    ///
    /// If the future is dropped, the engine brings the exchange to an end.
    ///
    /// # Errors
    /// The error of `begin`, or the one that ended the exchange.
    pub async fn conduct<T>(
        &self,
        begin: &mut impl FnMut(&mut M::Engine, &mut World<'_>) -> Result<(), AtError>,
        read: impl FnOnce(&mut M::Engine) -> T,
    ) -> Result<T, AtError> {
        let mut exchange = Exchange::new(self);
        poll_fn(|cx| exchange.poll_turn(begin, cx)).await?;
        poll_fn(|cx| exchange.poll_end(cx)).await?;
        Ok(read(&mut self.engine.borrow_mut()))
    }

    /// Reserves the channel for a series of exchanges: until the result is dropped, the runner begins no work for users
    /// (sockets, light sleep, power off).
    ///
    /// Work that is under way goes on, and each exchange waits for it as usual. A bring-up, a clean-up of credentials,
    /// and the end of light sleep may come in between. Other callers of `exclusive` wait. Dropping the future has no
    /// effect.
    pub async fn exclusive(&self) -> Exclusive<'a> {
        let mut wait = ExclusiveTicket {
            world: self.world,
            ticket: None,
        };
        poll_fn(|cx| {
            let mut world = self.world.borrow_mut();
            if world.mailbox.turns.is_turn(&mut wait.ticket) {
                return Poll::Ready(());
            }
            world.waiting.register(cx);
            Poll::Pending
        })
        .await;
        self.world.borrow_mut().exclusive = true;
        Exclusive(self.world)
    }

    /// Has the runner remove leftovers of an earlier change of credentials, and waits for the end of that. Only for the
    /// caller whose turn it is to change credentials.
    ///
    /// # Errors
    /// [`AtError::ModemReset`] where the modem restarted, otherwise the error that ended the clean-up.
    pub async fn clean_up(&self) -> Result<(), AtError> {
        {
            let mut world = self.world.borrow_mut();
            world.cleanup_asked = true;
            world.mailbox.cleaned_up = None;
            world.wake_runner();
        }
        poll_fn(|cx| {
            let mut world = self.world.borrow_mut();
            if world.generation != self.generation {
                return Poll::Ready(Err(AtError::ModemReset));
            }
            match world.mailbox.cleaned_up.take() {
                Some(end) => Poll::Ready(end),
                None => {
                    // This waits outside of the mailbox, whose waker is that of the guest with the turn.
                    world.waiting.register(cx);
                    Poll::Pending
                }
            }
        })
        .await
    }

    /// Returns whether a user has a connection, or one that is being opened.
    pub fn has_sockets(&self) -> bool {
        self.world.borrow().has_sockets()
    }

    /// Returns whether the modem has restarted since this handle was made.
    pub fn is_stale(&self) -> bool {
        self.world.borrow().generation != self.generation
    }
}

impl<'a, M: Modem> At<'a, M> {
    /// Sends a command and reads its response.
    ///
    /// # Errors
    /// The error that ended the exchange, see [`AtError`]; [`AtError::Garbled`] also where the response cannot be parsed,
    /// and [`AtError::TooLong`] where its lines have more than [`ANSWER_LIMIT`] bytes together.
    pub async fn send<C: AtatCmd>(&self, command: &C) -> Result<C::Response, AtError> {
        let mut exchange = Exchange::new(self);
        exchange.whole(command, Plan::Collect, &mut |_| {}).await?;
        let engine = self.engine.borrow();
        let answer = engine.answer().ok_or(AtError::TooLong)?;
        command.parse(Ok(answer)).map_err(|_| AtError::Garbled)
    }

    /// Sends a command and hands each information line to `sink`, cut to 256 bytes. If an error follows, `sink` may
    /// have seen some lines.
    ///
    /// # Errors
    /// The error that ended the exchange, see [`AtError`]; [`AtError::Garbled`] also where this future is not polled for a
    /// second while a line waits for it.
    pub async fn lines<C: AtatCmd>(&self, command: &C, sink: Sink<'_>) -> Result<(), AtError> {
        let mut exchange = Exchange::new(self);
        exchange.whole(command, Plan::Lines, sink).await
    }

    /// Sends a command and hands each information line to `sink`, as [`lines`](Self::lines) does, but in several pieces
    /// where a line is above 256 bytes.
    ///
    /// # Errors
    /// Those of [`lines`](Self::lines).
    pub async fn pieces<C: AtatCmd>(&self, command: &C, sink: Sink<'_>) -> Result<(), AtError> {
        let mut exchange = Exchange::new(self);
        exchange.whole(command, Plan::Pieces, sink).await
    }

    /// Sends a line that a user typed, and hands each information line of the answer to `sink`.
    pub(crate) async fn raw(
        &self,
        line: &str,
        timeout: Duration,
        sink: Sink<'_>,
    ) -> Result<(), AtError> {
        let timeout = millis(timeout);
        let mut exchange = Exchange::new(self);
        exchange
            .whole(&Typed { line, timeout }, Plan::Raw, sink)
            .await
    }

    /// Sends a command whose answer brings payload, and copies the payload into `buf`: at most as many bytes as `buf` or
    /// [`ANSWER_LIMIT`] has room for. Returns their number; `None` where no header announced payload.
    ///
    /// # Errors
    /// The error that ended the exchange, see [`AtError`]; [`AtError::Garbled`] also where the payload is not as long as
    /// its header said, or longer than `buf` or [`ANSWER_LIMIT`].
    pub async fn fetch<C: AtatCmd>(
        &self,
        command: &C,
        buf: &mut [u8],
    ) -> Result<Option<usize>, AtError> {
        let plan = Plan::Fetch(buf.len().min(ANSWER_LIMIT));
        let mut exchange = Exchange::new(self);
        exchange.begin(command, plan).await?;
        let end = exchange.finish(&mut |_| {}).await?;
        accept(end)?;
        // The turn is still this guest's, so the answer is that of its exchange.
        let count = self.world.borrow().received.map(usize::from);
        let mut engine = self.engine.borrow_mut();
        if let Some(count) = count {
            let fetched = engine.answer().and_then(|answer| answer.get(..count));
            let (Some(fetched), Some(room)) = (fetched, buf.get_mut(..count)) else {
                return Err(AtError::Garbled);
            };
            room.copy_from_slice(fetched);
        }
        engine.wipe_answer();
        Ok(count)
    }

    /// Begins an upload: sends a command that the modem answers with `CONNECT`, after which it takes exactly `len` bytes.
    ///
    /// # Errors
    /// [`AtError::Refused`] where the modem refuses the command, otherwise the error that ended the exchange.
    pub async fn upload<C: AtatCmd>(
        &self,
        command: &C,
        len: usize,
    ) -> Result<Upload<'a, M>, AtError> {
        let mut exchange = Exchange::new(self);
        exchange.begin(command, Plan::Upload(len)).await?;
        exchange.until_taking(len).await?;
        Ok(Upload { exchange })
    }

    /// Begins an upload inside a command line. The command [ends](crate::at::CommandLine::open_quote) with an open quote,
    /// in which at most `len` bytes follow.
    ///
    /// If the modem takes [base64](crate::modem::InLine::Base64) there, the command has no quote, exactly `len`
    /// characters follow, and each [`write`](Upload::write) takes at most 256 of them. If the modem
    /// [counts](crate::modem::InLine::Counted) the bytes, the command ends with their number, and exactly `len` of them follow.
    ///
    /// # Errors
    /// The reason why the command could not begin, or the error that ended the exchange, see [`AtError`].
    pub async fn quote<C: AtatCmd>(
        &self,
        command: &C,
        len: usize,
    ) -> Result<Upload<'a, M>, AtError> {
        let end = self.terminator().bytes().len();
        let end = match M::IN_LINE {
            InLine::Quoted => 1 + end,
            InLine::Base64 { .. } => end,
            InLine::Counted => 0,
        };
        // The command in front of it is counted with it.
        let countable = |behind: &usize| *behind <= isize::MAX as usize;
        let behind = len.checked_add(end).filter(countable);
        let behind = behind.ok_or(AtError::TooLong)?;
        let mut exchange = Exchange::new(self);
        exchange.begin(command, Plan::Quoted(behind)).await?;
        exchange.drained().await?;
        Ok(Upload { exchange })
    }

    /// Returns the characters that end a command line on this modem.
    pub fn terminator(&self) -> Terminator {
        self.world.borrow().terminator
    }
}

/// A place in the queue of [`At::exclusive`], which is given up where its future is dropped.
struct ExclusiveTicket<'a> {
    world: &'a Shared<'a>,
    ticket: Option<u8>,
}

impl Drop for ExclusiveTicket<'_> {
    fn drop(&mut self) {
        if let Some(ticket) = self.ticket {
            let mut world = self.world.borrow_mut();
            world.mailbox.turns.give_up(ticket);
            world.waiting.wake();
        }
    }
}

/// The reservation of the channel by [`At::exclusive`]. While it exists, the runner begins no work for users.
pub struct Exclusive<'a>(&'a Shared<'a>);

impl Drop for Exclusive<'_> {
    fn drop(&mut self) {
        let mut world = self.0.borrow_mut();
        world.exclusive = false;
        world.mailbox.turns.release();
        world.waiting.wake();
        world.wake_runner();
    }
}

/// An upload that is under way: a command that takes bytes of the caller, after `CONNECT` or inside the command line.
///
/// If it is dropped before [`finish`](Self::finish), the runner completes it with filler, or empties the command
/// line, so that the channel can be used again. The backend then removes from the modem what was stored of it.
pub struct Upload<'a, M: Modem> {
    exchange: Exchange<'a, M>,
}

impl<M: Modem> Upload<'_, M> {
    /// Writes the next bytes, and returns when they are on the UART.
    ///
    /// # Errors
    /// [`AtError::Garbled`] where they are more than was announced, [`AtError::Refused`] where the modem has already
    /// refused the upload, otherwise the error that ended the exchange. After an error nothing more can be written.
    pub async fn write(&mut self, mut bytes: &[u8]) -> Result<(), AtError> {
        while !bytes.is_empty() {
            let (now, later) = bytes.split_at(bytes.len().min(COMMAND_LIMIT));
            self.exchange.hand_over(now)?;
            self.exchange.drained().await?;
            bytes = later;
        }
        Ok(())
    }

    /// Ends the upload, and waits for the modem's final result. Information lines of the answer go to `sink`.
    ///
    /// # Errors
    /// The error that ended the exchange, see [`AtError`]. It is [`AtError::Timeout`] also where fewer bytes were written
    /// than were announced after `CONNECT`, since the modem waits for the rest.
    pub async fn finish(mut self, sink: Sink<'_>) -> Result<(), AtError> {
        let terminator = self.exchange.at.terminator().bytes();
        let quoted = self.exchange.at.engine.borrow_mut().close_quote(terminator);
        if quoted {
            if M::IN_LINE == InLine::Quoted {
                self.write(b"\"").await?;
            }
            self.write(terminator).await?;
        }
        accept(self.exchange.finish(sink).await?)
    }
}

/// One exchange of a guest. Dropped, it gives up its place in the queue, or leaves the exchange to the runner.
struct Exchange<'a, M: Backend> {
    at: At<'a, M>,
    progress: Progress,
}

impl<'a, M: Backend> Exchange<'a, M> {
    fn new(at: &At<'a, M>) -> Self {
        Self {
            at: *at,
            progress: Progress::InLine(None),
        }
    }

    /// Polls for the channel, and then calls `begin` to start the exchange.
    fn poll_turn(
        &mut self,
        begin: &mut impl FnMut(&mut M::Engine, &mut World<'_>) -> Result<(), AtError>,
        cx: &mut Context<'_>,
    ) -> Poll<Result<(), AtError>> {
        let mut world = self.at.world.borrow_mut();
        if let Progress::InLine(ticket) = &mut self.progress {
            if !world.mailbox.line.is_turn(ticket) {
                world.waiting.register(cx);
                return Poll::Pending;
            }
            self.progress = Progress::Served(world.mailbox.number);
        }
        if world.generation != self.at.generation {
            return Poll::Ready(Err(AtError::ModemReset));
        }
        if world.mailbox.post != ExchangeState::Granted {
            if world.mailbox.post != ExchangeState::Wanted {
                world.mailbox.post = ExchangeState::Wanted;
                world.wake_runner();
            }
            world.mailbox.waker.register(cx.waker());
            return Poll::Pending;
        }
        world.now = now();
        let mut engine = self.at.engine.borrow_mut();
        Poll::Ready(begin(&mut engine, &mut world))
    }

    /// Polls for the end of an exchange that hands over no lines.
    fn poll_end(&self, cx: &mut Context<'_>) -> Poll<Result<(), AtError>> {
        let mut world = self.at.world.borrow_mut();
        match self.post(world.mailbox.number, world.mailbox.post) {
            ExchangeState::Done(end) => Poll::Ready(end.and_then(accept)),
            _ => {
                world.mailbox.waker.register(cx.waker());
                Poll::Pending
            }
        }
    }

    /// Returns the state of the exchange, or a timeout where the mailbox is no longer this guest's.
    fn post(&self, number: u8, post: ExchangeState) -> ExchangeState {
        match self.progress {
            Progress::Served(mine) if mine == number => post,
            // The guest was not polled for so long that the runner has ended its exchange.
            _ => ExchangeState::Done(Err(AtError::Timeout)),
        }
    }
}

impl<M: Modem> Exchange<'_, M> {
    /// Conducts the whole exchange, from the wait for the channel to the final result, which must be `OK`. The turn stays
    /// with the guest, so that it can read the answer.
    async fn whole(
        &mut self,
        command: &dyn CommandText,
        plan: Plan,
        sink: Sink<'_>,
    ) -> Result<(), AtError> {
        self.begin(command, plan).await?;
        accept(self.finish(sink).await?)
    }

    async fn begin(&mut self, command: &dyn CommandText, plan: Plan) -> Result<(), AtError> {
        poll_fn(|cx| self.poll_begin(command, plan, cx)).await
    }

    async fn finish(&mut self, sink: Sink<'_>) -> Result<Final, AtError> {
        poll_fn(|cx| self.poll_finish(sink, cx)).await
    }

    fn poll_begin(
        &mut self,
        command: &dyn CommandText,
        plan: Plan,
        cx: &mut Context<'_>,
    ) -> Poll<Result<(), AtError>> {
        let judge = self.at.judge;
        self.poll_turn(
            &mut |engine, world| {
                let len = command.write(engine.out());
                let text = engine.out().get(..len).unwrap_or_default();
                world.settings_changed |= judge(text)?;
                engine.begin_guest(world, len, plan, command.timeout())
            },
            cx,
        )
    }

    fn poll_finish(&self, sink: Sink<'_>, cx: &mut Context<'_>) -> Poll<Result<Final, AtError>> {
        loop {
            let mut world = self.at.world.borrow_mut();
            match self.post(world.mailbox.number, world.mailbox.post) {
                ExchangeState::Done(end) => return Poll::Ready(end),
                ExchangeState::Line => {
                    drop(world);
                    // No borrow is held while the caller's code runs.
                    let mut copy = [0; crate::at::framer::LINE_LIMIT];
                    let len = {
                        let engine = self.at.engine.borrow();
                        let line = engine.line_for_guest();
                        copy[..line.len()].copy_from_slice(line);
                        line.len()
                    };
                    sink(&copy[..len]);
                    copy.zeroize();
                    let mut world = self.at.world.borrow_mut();
                    if self.post(world.mailbox.number, world.mailbox.post) == ExchangeState::Line {
                        world.mailbox.post = ExchangeState::Running;
                        world.wake_runner();
                    }
                }
                _ => {
                    world.mailbox.waker.register(cx.waker());
                    return Poll::Pending;
                }
            }
        }
    }

    /// Waits until the modem takes the bytes of an upload.
    async fn until_taking(&mut self, len: usize) -> Result<(), AtError> {
        poll_fn(|cx| {
            let mut world = self.at.world.borrow_mut();
            let post = self.post(world.mailbox.number, world.mailbox.post);
            Poll::Ready(match post {
                ExchangeState::Done(Ok(Final::Error(code))) => Err(AtError::Refused(code)),
                ExchangeState::Done(Ok(_)) => Err(AtError::Garbled),
                ExchangeState::Done(Err(error)) => Err(error),
                // An upload of 0 bytes is past its payload at once.
                _ if self.at.engine.borrow().takes_bytes(len == 0) => Ok(()),
                _ => {
                    world.mailbox.waker.register(cx.waker());
                    return Poll::Pending;
                }
            })
        })
        .await
    }

    /// Waits until the bytes that were handed over are on the UART.
    async fn drained(&self) -> Result<(), AtError> {
        poll_fn(|cx| {
            let mut world = self.at.world.borrow_mut();
            match self.post(world.mailbox.number, world.mailbox.post) {
                ExchangeState::Done(Err(AtError::Timeout)) => Poll::Ready(Err(AtError::Timeout)),
                ExchangeState::Done(_) => Poll::Ready(Ok(())),
                _ if self.at.engine.borrow().drained() => Poll::Ready(Ok(())),
                _ => {
                    world.mailbox.waker.register(cx.waker());
                    Poll::Pending
                }
            }
        })
        .await
    }

    fn hand_over(&self, bytes: &[u8]) -> Result<(), AtError> {
        let mut world = self.at.world.borrow_mut();
        match self.post(world.mailbox.number, world.mailbox.post) {
            ExchangeState::Done(Err(error)) => return Err(error),
            ExchangeState::Done(Ok(Final::Error(code))) => return Err(AtError::Refused(code)),
            ExchangeState::Done(_) => return Err(AtError::Garbled),
            _ => {}
        }
        let mut engine: RefMut<'_, Engine<M>> = self.at.engine.borrow_mut();
        let taken = engine.hand_over(bytes);
        world.wake_runner();
        taken
    }
}

impl<M: Backend> Drop for Exchange<'_, M> {
    fn drop(&mut self) {
        let mut world = self.at.world.borrow_mut();
        let number = match core::mem::replace(&mut self.progress, Progress::Gone) {
            Progress::InLine(Some(ticket)) => {
                world.mailbox.line.give_up(ticket);
                return world.waiting.wake();
            }
            Progress::InLine(None) | Progress::Gone => return,
            Progress::Served(number) => number,
        };
        if world.mailbox.number != number {
            return;
        }
        match world.mailbox.post {
            ExchangeState::Running | ExchangeState::Line => {
                world.mailbox.post = ExchangeState::Left
            }
            _ => {
                self.at.engine.borrow_mut().guest_is_gone();
                world.free_channel();
            }
        }
        world.wake_runner();
    }
}

fn accept(end: Final) -> Result<(), AtError> {
    match end {
        Final::Ok => Ok(()),
        Final::Error(code) => Err(AtError::Refused(code)),
        _ => Err(AtError::Garbled),
    }
}
