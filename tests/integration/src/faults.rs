//! The fault matrix: one byte of one exchange on the UART is lost, doubled or altered, something is said
//! in front of it, or the line goes dead there; and what must hold all the same.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::fmt;
use std::future::Future;
use std::io;
use std::rc::Rc;
use std::str::FromStr;

use embassy_futures::join::join;
use embassy_futures::select::{Either4, select4};
use embassy_time::{Duration, Instant, Timer, with_timeout};
use embedded_io_async::{Read, Write};
use sectag::modem::Modem;
use sectag::{Flush, Kind, Socket, SocketError, Tag};
use sectag_test_support::pki::Pki;
use sectag_test_support::tls_server::TlsStream;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, DuplexStream};
use tokio::sync::Notify;

use crate::bench::Bench;
use crate::recovery::{STORED, connect};
use crate::simulated::{World, virtually};
use crate::unit::Unit;

pub use self::bg96::bg96;
pub use self::cc32xx::cc32xx;
pub use self::matrix::matrix;
pub use self::nrf9160::nrf9160;
pub use self::short_range::short_range;
pub use self::ublox::ublox;

mod bg96;
mod cc32xx;
mod matrix;
mod nrf9160;
mod short_range;
mod ublox;

/// How long the line is dead.
const SILENCE: Duration = Duration::from_secs(30);
/// The longest any operation may take: an open's 210 s, and bringing the modem up before it.
const OPERATION: Duration = Duration::from_secs(400);
/// From the end of the operation until a new connection works.
pub const RECONNECT: Duration = Duration::from_secs(300);
/// What the peer sends by itself, in two records.
const SPEECH: [&[u8]; 2] = [b"\r\nOK\r\n+QSSLURC: \"closed\",0\r\n", b"> RDY\r\n\r\n12"];
/// What is written; behind the byte that says which connection it is.
const MESSAGE: &[u8] = b"\r\n> OK\r\nforty\x1a\x1b bytes +++ AT\r\n";
/// What is stored.
const STORED_AS: (Tag, Kind) = (Tag(9), Kind::Ca);

/// What the matrix must know of a kind of modem beside what a [`Unit`] is.
pub trait Subject: Unit {
    /// What nobody asked for, and what changes nothing.
    const NOTICE: &'static [u8];
    /// What it says when it starts.
    const BANNER: &'static [u8];
    /// A counted byte that is lost or doubled shows: what it is in ends where it should not.
    const SHIFTS_SHOW: bool = false;

    /// Marks what is counted of what a side said in a phase: payload, or content of a file. A fault there is
    /// one that nothing shows, see [`Effect::Payload`].
    fn counted(&self, side: Side, said: &[u8]) -> Vec<bool>;

    /// Marks the bytes in front of which a notice of the modem's changes nothing.
    fn between(&self, said: &[u8]) -> Vec<bool> {
        let behind_a_line = |at: usize| at == 0 || said[at - 1] == b'\n';
        (0..said.len()).map(behind_a_line).collect()
    }

    /// Whether the lines that the modem received last before it was connected ask for all the verification
    /// that [`TLS`](crate::simulated::TLS) does, and for no other.
    fn verification_written(&self, commands: &[String]) -> Result<(), String>;

    /// What must not be among the files after credentials were `before` and nothing else was to be stored
    /// but [`STORED`]; `stored` says that the driver reported that it is.
    fn strange_files(
        &self,
        before: &BTreeMap<String, Vec<u8>>,
        after: BTreeMap<String, Vec<u8>>,
        stored: bool,
    ) -> Option<String>;

    /// Why this fault cannot be seen by any driver, though it is not in payload; such cases are counted
    /// apart.
    fn unseen(&self, _golden: &Golden, _case: Case) -> Option<&'static str> {
        None
    }
}

/// Whose output meets the fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Side {
    /// The driver's.
    Host,
    /// The modem's.
    Modem,
}

/// What happens at a byte.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fault {
    /// It is lost.
    Drop,
    /// It comes twice.
    Double,
    /// One of its bits is another; which one, the position says.
    Flip,
    /// A line that nobody asked for comes in front of it.
    Notice,
    /// The banner of a modem that starts comes in front of it, though nothing started.
    Banner,
    /// It and all that follows is lost, for 30 s.
    Silence,
}

impl Fault {
    /// Those that an output can meet: a host makes no notices.
    pub const fn of(side: Side) -> &'static [Self] {
        match side {
            Side::Host => &[Self::Drop, Self::Double, Self::Flip, Self::Silence],
            Side::Modem => &[
                Self::Drop,
                Self::Double,
                Self::Flip,
                Self::Notice,
                Self::Banner,
                Self::Silence,
            ],
        }
    }
}

/// What the driver is at when it happens.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Phase {
    /// Bringing the modem up.
    BringUp,
    /// Storing a credential.
    Store,
    /// Opening a connection.
    Connect,
    /// Sending over it.
    Send,
    /// Receiving from it.
    Receive,
    /// Closing it.
    Close,
    /// Two connections at work at the same time.
    Two,
}

impl Phase {
    /// All of them.
    pub const ALL: [Self; 7] = [
        Self::BringUp,
        Self::Store,
        Self::Connect,
        Self::Send,
        Self::Receive,
        Self::Close,
        Self::Two,
    ];
}

/// One cell of the matrix. As text, such as `Connect/Host/Flip@17`, it is the id that replays it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Case {
    /// During what.
    pub phase: Phase,
    /// Whose output.
    pub side: Side,
    /// What happens.
    pub fault: Fault,
    /// At which byte of that output, counted from the beginning of the phase.
    pub at: usize,
}

impl fmt::Display for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            phase,
            side,
            fault,
            at,
        } = self;
        write!(f, "{phase:?}/{side:?}/{fault:?}@{at}")
    }
}

impl FromStr for Case {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("{text:?} is no case; Connect/Host/Flip@17 is one");
        let (place, at) = text.split_once('@').ok_or_else(wrong)?;
        let at = at.parse().map_err(|_| wrong())?;
        for phase in Phase::ALL {
            for side in [Side::Host, Side::Modem] {
                for &fault in Fault::of(side) {
                    if format!("{phase:?}/{side:?}/{fault:?}") == place {
                        return Ok(Self {
                            phase,
                            side,
                            fault,
                            at,
                        });
                    }
                }
            }
        }
        Err(wrong())
    }
}

/// What each side said during a phase without a fault.
pub struct Golden {
    phase: Phase,
    said: [Vec<u8>; 2],
    /// Which of these bytes are counted ones: payload, or content of a file.
    counted: [Vec<bool>; 2],
    /// See [`Subject::between`] and [`Subject::SHIFTS_SHOW`].
    between: Vec<bool>,
    shifts_show: bool,
}

/// What a fault leaves possible.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// The exchange stays well-formed: it must succeed.
    Harmless,
    /// Inside of counted bytes, which carry no checksum: what arrives may differ.
    Payload,
    /// The driver may fail, but must not do wrong.
    Any,
}

impl Golden {
    /// Runs the phase undisturbed.
    ///
    /// # Panics
    /// When it does not succeed.
    pub fn of<S: Subject>(subject: &S, phase: Phase) -> Self {
        let attempt = attempt(subject, phase, None);
        assert!(attempt.succeeded, "{phase:?} without a fault");
        assert_eq!(attempt.violations, [""; 0], "{phase:?} without a fault");
        let counted = [
            subject.counted(Side::Host, &attempt.said[0]),
            subject.counted(Side::Modem, &attempt.said[1]),
        ];
        Self {
            phase,
            between: subject.between(&attempt.said[1]),
            said: attempt.said,
            counted,
            shifts_show: S::SHIFTS_SHOW,
        }
    }

    /// Every `step`th cell.
    pub fn cases(&self, step: usize) -> Vec<Case> {
        let mut cases = Vec::new();
        for side in [Side::Host, Side::Modem] {
            for &fault in Fault::of(side) {
                cases.extend((0..self.said[side as usize].len()).map(|at| Case {
                    phase: self.phase,
                    side,
                    fault,
                    at,
                }));
            }
        }
        cases.into_iter().step_by(step.max(1)).collect()
    }

    /// What a side said.
    pub fn said(&self, side: Side) -> &[u8] {
        &self.said[side as usize]
    }

    /// What this fault leaves possible.
    pub fn effect(&self, case: Case) -> Effect {
        let counted = &self.counted[case.side as usize];
        let inside = |at: usize| counted.get(at).copied().unwrap_or(false);
        // In front of a counted byte, or directly behind the last: it is counted in their place.
        let within = inside(case.at) || (case.at > 0 && inside(case.at - 1));
        match case.fault {
            Fault::Flip if inside(case.at) => Effect::Payload,
            Fault::Drop | Fault::Double if inside(case.at) && !self.shifts_show => Effect::Payload,
            Fault::Notice | Fault::Banner if within && !self.shifts_show => Effect::Payload,
            Fault::Notice if self.between[case.at] => Effect::Harmless,
            _ => Effect::Any,
        }
    }
}

/// Marks the bytes that a line announces.
pub fn counted(said: &[u8], count: fn(&str) -> Option<usize>) -> Vec<bool> {
    let mut marks = vec![false; said.len()];
    let (mut start, mut at) = (0, 0);
    while at < said.len() {
        if matches!(said[at], b'\r' | b'\n') {
            let line = String::from_utf8_lossy(&said[start..at]).into_owned();
            let mut next = at + 1;
            if let Some(count) = count(line.trim_start_matches('\n')) {
                // A modem's line ends with both.
                if said.get(next) == Some(&b'\n') {
                    next += 1;
                }
                let end = (next + count).min(said.len());
                marks[next..end].fill(true);
                next = end;
            }
            (start, at) = (next, next);
        } else {
            at += 1;
        }
    }
    marks
}

/// What became of a case.
pub struct Attempt {
    /// The operation did all it should, in spite of the fault.
    pub succeeded: bool,
    /// What should not have happened.
    pub violations: Vec<String>,
    /// From the end of the operation until a new connection worked.
    pub reconnected: Duration,
    said: [Vec<u8>; 2],
}

/// Runs a case; `golden` is its phase without one.
pub fn run(subject: &impl Subject, golden: &Golden, case: Case) -> Attempt {
    let mut attempt = attempt(subject, case.phase, Some(case));
    if golden.effect(case) == Effect::Harmless && !attempt.succeeded {
        attempt
            .violations
            .push("it failed though the exchange was well-formed".into());
    }
    attempt
}

/// Says which case it was, should the driver panic.
struct Named(Option<Case>);

impl Drop for Named {
    fn drop(&mut self) {
        if let (true, Some(case)) = (std::thread::panicking(), self.0) {
            eprintln!("panic in case {case}");
        }
    }
}

fn attempt<S: Subject>(subject: &S, phase: Phase, case: Option<Case>) -> Attempt {
    let _named = Named(case);
    virtually(async || {
        let world = World::of(subject);
        subject.install(&world.modem, Pki::shared());
        let peer = Rc::new(Peer::default());
        let serving = peer.clone();
        world.serve(move |stream| serving.clone().serve(stream));
        let line = Rc::new(Line::new(case, [S::NOTICE, S::BANNER]));
        attach(subject, &world, line.clone(), async |bench| {
            let stage = Stage {
                subject,
                bench,
                world: &world,
                peer,
                line,
                violations: RefCell::default(),
                last_error: RefCell::default(),
            };
            stage.perform(phase).await
        })
        .await
    })
}

/// A driver whose UART meets the fault.
async fn attach<S: Subject, T>(
    subject: &S,
    world: &World,
    line: Rc<Line>,
    application: impl AsyncFnOnce(Bench<S::Backend>) -> T,
) -> T {
    let (host, near) = tokio::io::duplex(4096);
    let (far, device) = tokio::io::duplex(4096);
    let (bench, mut runner) = subject.start(host);
    let wire = async {
        let (near, far) = (tokio::io::split(near), tokio::io::split(far));
        join(
            line.carry(Side::Host, near.0, far.1),
            line.carry(Side::Modem, far.0, near.1),
        )
        .await
    };
    match select4(
        world.modem.serve(device),
        wire,
        runner.run(),
        application(bench),
    )
    .await
    {
        Either4::First(end) => panic!("the port ended: {end:?}"),
        Either4::Second(_) => panic!("the wire ended"),
        Either4::Third(error) => panic!("the runner ended: {error}"),
        Either4::Fourth(result) => result,
    }
}

struct Stage<'a, S: Subject> {
    subject: &'a S,
    bench: Bench<S::Backend>,
    world: &'a World,
    peer: Rc<Peer>,
    line: Rc<Line>,
    violations: RefCell<Vec<String>>,
    last_error: RefCell<String>,
}

impl<S: Subject> Stage<'_, S> {
    async fn perform(&self, phase: Phase) -> Attempt {
        let before = self.world.modem.files();
        let (succeeded, talks) = self.phase(phase).await;
        let said = self.line.disarm();
        let start = Instant::now();
        let mut talks = talks;
        if phase != Phase::Close {
            for talk in &mut talks {
                self.go_on(talk).await;
            }
        }
        for talk in &mut talks {
            talk.socket = None;
        }
        self.reconnect(&mut talks).await;
        let reconnected = start.elapsed();
        self.check_data(&talks);
        let files = self.world.modem.files();
        let stored = phase == Phase::Store && succeeded;
        if let Some(strange) = self.subject.strange_files(&before, files, stored) {
            self.violation(&strange);
        }
        if phase == Phase::Store {
            let again = self.store().await;
            if again != Some(true) || !self.is_stored() {
                self.violation("nothing can be stored any more");
            }
        }
        if std::env::var_os("SECTAG_FAULT").is_some() {
            for line in self.world.modem.commands() {
                println!("    {}", line.escape_ascii());
            }
        }
        Attempt {
            succeeded,
            violations: self.violations.take(),
            reconnected,
            said,
        }
    }

    /// The operation itself, from the moment on when the fault is armed.
    async fn phase(&self, phase: Phase) -> (bool, Vec<Talk>) {
        if phase == Phase::BringUp {
            self.line.arm();
            let up = self.within(self.bench.control.wait_up()).await;
            return (up.is_some_and(|up| up.is_ok()), Vec::new());
        }
        self.bench.control.wait_up().await.expect("it comes up");
        if phase == Phase::Store {
            self.line.arm();
            return (self.store().await == Some(true), Vec::new());
        }
        if phase == Phase::Connect {
            self.line.arm();
            let talk = self.within(self.open(b'a')).await.flatten();
            return (talk.is_some(), talk.into_iter().collect());
        }
        let mut talk = self.begin(b'a').await;
        let mut other = if phase == Phase::Two {
            Some(self.begin(b'b').await)
        } else {
            None
        };
        self.peer.echo.set(phase == Phase::Two);
        self.line.arm();
        let done = match phase {
            Phase::Send => self.within(talk.write(MESSAGE)).await,
            Phase::Receive => {
                self.peer.speak.notify_one();
                let len = SPEECH.iter().map(|part| part.len()).sum();
                self.within(talk.read(len)).await
            }
            Phase::Close => {
                let socket = talk.socket.take().expect("it is open");
                self.within(socket.close()).await
            }
            _ => {
                let other = other.as_mut().expect("there are two");
                let both = join(talk.round_trip(), other.round_trip());
                self.within(both).await.map(|(one, two)| one.and(two))
            }
        };
        if self.bench.control.capabilities().flush == Flush::LeftTheMcu {
            // What counts as sent is still on its way.
            Timer::after_millis(100).await;
        }
        let succeeded = done.is_some_and(|done| done.is_ok());
        (succeeded, std::iter::once(talk).chain(other).collect())
    }

    async fn store(&self) -> Option<bool> {
        let (tag, kind) = STORED_AS;
        let store = self.bench.control.store_unchecked(tag, kind, STORED);
        let result = self.within(store).await?;
        if result.is_ok() && !self.is_stored() {
            self.violation("stored, it says, and it is not");
        }
        Some(result.is_ok())
    }

    fn is_stored(&self) -> bool {
        let (tag, kind) = STORED_AS;
        let name = self.subject.file(tag, kind);
        self.world.modem.files().get(&name).map(Vec::as_slice) == Some(STORED)
    }

    /// A connection, checked for what was written to the modem in front of it.
    async fn open(&self, key: u8) -> Option<Talk> {
        let socket = match connect(self.bench).await {
            Ok(socket) => socket,
            Err(error) => {
                *self.last_error.borrow_mut() = format!("{error:?}");
                return None;
            }
        };
        if let Err(error) = self.subject.verification_written(&self.world.commands()) {
            self.violation(&error);
        }
        Some(Talk {
            key,
            socket: Some(socket),
            written: Vec::new(),
            delivered: Vec::new(),
        })
    }

    /// An open connection whose peer knows which one it is.
    async fn begin(&self, key: u8) -> Talk {
        self.peer.echo.set(false);
        let mut talk = self.open(key).await.expect("it connects");
        talk.write(&[key]).await.expect("it is sent");
        // Whatever the modem has to say to that is said.
        Timer::after_millis(500).await;
        talk
    }

    /// A connection that seems to have survived still does no wrong.
    async fn go_on(&self, talk: &mut Talk) {
        self.peer.echo.set(true);
        if talk.written.is_empty() {
            let _ = self.within(talk.write(&[talk.key])).await;
        }
        let _ = self.within(talk.round_trip()).await;
    }

    async fn reconnect(&self, talks: &mut Vec<Talk>) {
        self.peer.echo.set(true);
        let tries = async {
            let mut key = b'r';
            loop {
                let Some(mut talk) = self.open(key).await else {
                    Timer::after_secs(1).await;
                    continue;
                };
                key += 1;
                // The peer echoes the key, too.
                let greeted = talk.write(&[talk.key]).await.is_ok() && talk.read(1).await.is_ok();
                let done = greeted && talk.round_trip().await.is_ok();
                talk.socket = None;
                talks.push(talk);
                if done {
                    return;
                }
            }
        };
        if with_timeout(RECONNECT, tries).await.is_err() {
            let error = self.last_error.borrow().clone();
            self.violation(&format!("no connection within 300 s: {error}"));
        }
    }

    fn check_data(&self, talks: &[Talk]) {
        let (received, sent) = (self.peer.received.borrow(), self.peer.sent.borrow());
        for stream in received.iter().filter(|stream| !stream.is_empty()) {
            let Some(talk) = talks.iter().find(|talk| talk.key == stream[0]) else {
                self.violation(&format!("a peer got {}", stream.escape_ascii()));
                continue;
            };
            let same = common(stream, &talk.written);
            // What is sent while it is not known what the modem waits for, with the query that finds out.
            let query = <S::Backend as Modem>::SYNC.command.as_bytes();
            let filler = [self.subject.filler(), query];
            let is_filler = |byte| filler.iter().any(|filler| filler.contains(byte));
            if !stream[same..].iter().all(is_filler) {
                self.violation(&format!(
                    "written {}, received {}",
                    talk.written.escape_ascii(),
                    stream.escape_ascii()
                ));
            }
        }
        for talk in talks {
            let at = received
                .iter()
                .position(|stream| stream.first() == Some(&talk.key));
            let said = at.map_or(&[][..], |at| &sent[at]);
            if !said.starts_with(&talk.delivered) {
                self.violation(&format!(
                    "{}: sent {}, delivered {}",
                    char::from(talk.key),
                    said.escape_ascii(),
                    talk.delivered.escape_ascii()
                ));
            }
        }
    }

    async fn within<T>(&self, operation: impl Future<Output = T>) -> Option<T> {
        let result = with_timeout(OPERATION, operation).await.ok();
        if result.is_none() {
            self.violation("it hangs");
        }
        result
    }

    fn violation(&self, text: &str) {
        self.violations.borrow_mut().push(text.into());
    }
}

fn common(one: &[u8], two: &[u8]) -> usize {
    one.iter().zip(two).take_while(|(a, b)| a == b).count()
}

/// A connection and the account of it.
struct Talk {
    key: u8,
    socket: Option<Socket<'static>>,
    written: Vec<u8>,
    delivered: Vec<u8>,
}

impl Talk {
    async fn write(&mut self, bytes: &[u8]) -> Result<(), SocketError> {
        let socket = self.socket.as_mut().expect("it is open");
        // As much may be on its way, also when it fails.
        self.written.extend(bytes);
        socket.write_all(bytes).await?;
        socket.flush().await
    }

    async fn read(&mut self, len: usize) -> Result<(), SocketError> {
        let socket = self.socket.as_mut().expect("it is open");
        let mut buf = vec![0; len];
        let mut filled = 0;
        while filled < len {
            match socket.read(&mut buf[filled..]).await? {
                0 => return Err(SocketError::BrokenPipe),
                count => {
                    self.delivered.extend(&buf[filled..filled + count]);
                    filled += count;
                }
            }
        }
        Ok(())
    }

    /// Writes the message and reads as much back.
    async fn round_trip(&mut self) -> Result<(), SocketError> {
        if self.socket.is_none() {
            return Err(SocketError::BrokenPipe);
        }
        self.write(MESSAGE).await?;
        self.read(MESSAGE.len()).await
    }
}

/// The other end of every connection.
#[derive(Default)]
struct Peer {
    echo: Cell<bool>,
    speak: Notify,
    received: RefCell<Vec<Vec<u8>>>,
    sent: RefCell<Vec<Vec<u8>>>,
}

impl Peer {
    async fn serve(self: Rc<Self>, mut stream: TlsStream<DuplexStream>) -> io::Result<()> {
        let index = self.received.borrow().len();
        self.received.borrow_mut().push(Vec::new());
        self.sent.borrow_mut().push(Vec::new());
        let mut buffer = [0; 1024];
        loop {
            let count = tokio::select! {
                count = stream.read(&mut buffer) => count?,
                () = self.speak.notified() => {
                    for part in SPEECH {
                        self.sent.borrow_mut()[index].extend(part);
                        stream.write_all(part).await?;
                    }
                    continue;
                }
            };
            if count == 0 {
                return Ok(());
            }
            self.received.borrow_mut()[index].extend(&buffer[..count]);
            if self.echo.get() {
                self.sent.borrow_mut()[index].extend(&buffer[..count]);
                stream.write_all(&buffer[..count]).await?;
            }
        }
    }
}

/// Both directions of a UART, and what befalls them.
struct Line {
    case: Option<Case>,
    armed: Cell<bool>,
    said: [RefCell<Vec<u8>>; 2],
    silent_until: [Cell<Option<Instant>>; 2],
    /// What comes in front of a byte: a notice, a banner.
    words: [&'static [u8]; 2],
}

impl Line {
    fn new(case: Option<Case>, words: [&'static [u8]; 2]) -> Self {
        Self {
            case,
            words,
            armed: Cell::new(false),
            said: Default::default(),
            silent_until: Default::default(),
        }
    }

    fn arm(&self) {
        self.armed.set(true);
    }

    /// Returns what was said since it was armed.
    fn disarm(&self) -> [Vec<u8>; 2] {
        self.armed.set(false);
        [self.said[0].take(), self.said[1].take()]
    }

    /// Carries what a side says.
    async fn carry(
        &self,
        side: Side,
        mut from: impl AsyncRead + Unpin,
        mut to: impl AsyncWrite + Unpin,
    ) -> io::Result<()> {
        let mut buffer = [0; 256];
        loop {
            let count = from.read(&mut buffer).await?;
            if count == 0 {
                return Ok(());
            }
            to.write_all(&self.pass(side, &buffer[..count])).await?;
        }
    }

    /// What becomes of these bytes.
    fn pass(&self, side: Side, bytes: &[u8]) -> Vec<u8> {
        let mut out = Vec::with_capacity(bytes.len() + self.words[0].len());
        let silent = &self.silent_until[side as usize];
        for &byte in bytes {
            let mut fault = None;
            if self.armed.get() {
                let mut said = self.said[side as usize].borrow_mut();
                fault = self
                    .case
                    .filter(|case| case.side == side && case.at == said.len())
                    .map(|case| case.fault);
                said.push(byte);
            }
            if fault == Some(Fault::Silence) {
                silent.set(Some(Instant::now() + SILENCE));
            }
            if silent.get().is_some_and(|until| Instant::now() < until) {
                continue;
            }
            match fault {
                Some(Fault::Drop) => {}
                Some(Fault::Double) => out.extend([byte, byte]),
                Some(Fault::Flip) => {
                    let at = self.case.map_or(0, |case| case.at);
                    out.push(byte ^ (1 << (at % 8)));
                }
                Some(Fault::Notice) => {
                    out.extend(self.words[0]);
                    out.push(byte);
                }
                Some(Fault::Banner) => {
                    out.extend(self.words[1]);
                    out.push(byte);
                }
                Some(Fault::Silence) | None => out.push(byte),
            }
        }
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_read_back() {
        for text in ["Connect/Host/Flip@17", "Two/Modem/Banner@0"] {
            let case: Case = text.parse().expect("it is one");
            assert_eq!(case.to_string(), text);
        }
        for text in [
            "Connect/Host/Notice@1",
            "Connect/Host/Flip",
            "x@1",
            "Two/Modem/Drop@",
        ] {
            assert!(text.parse::<Case>().is_err(), "{text}");
        }
    }
}
