//! A session of the engine alone: no runner, no handles, and a script that says what each byte of an input means.
//!
//! The first byte chooses the UART as [`Options`] say, the second the modem (1: nRF9160) and the clock (2: a second
//! before it wraps). After them, bytes below 0x80 are what the modem says; others are orders ([`Session::order`]).

use std::pin::pin;
use std::task::Poll;

use embassy_time::{Duration, Instant, Timer};
use sectag::{Machine, State};

use crate::bg96::Bg96;
use crate::model::{Input, Model};
use crate::nrf9160::Nrf9160;
use crate::play::pipes;
use crate::script::{self, Options};
use crate::uart::Pipe;

const HOST: &str = "broker.example";
const FIRST_PORT: u32 = 1000;
const STEP_LIMIT: usize = 200;
/// As the bound of a whole driver's.
const RECONNECT_LIMIT: Duration = Duration::from_secs(600);
/// Nothing at one time takes more turns than this, but for those in which the modem is listened to: what it has
/// said can be long, and come byte by byte.
const REST: usize = 300;

/// Plays an input.
pub async fn run(input: &[u8]) {
    let Some((options, script)) = script::parse(input) else {
        return;
    };
    let Some((&choice, script)) = script.split_first() else {
        return;
    };
    let (to_modem, to_driver) = pipes(options);
    let ends = (&to_modem, &to_driver);
    let start = if choice & 2 == 0 {
        0
    } else {
        0_u32.wrapping_sub(1000)
    };
    if choice & 1 == 0 {
        let modem = Bg96::new(&to_modem, &to_driver);
        let config = sectag_bg96::Config::new();
        let config = if options.push() {
            config.direct_push()
        } else {
            config
        };
        let driver = sectag_bg96::Bg96::new(config);
        play(options, start, script, ends, &modem, driver).await;
    } else {
        let modem = Nrf9160::new(&to_modem, &to_driver, options.push());
        let config = sectag_nrf9160::Config::new().flow_control();
        let driver = sectag_nrf9160::Nrf9160::new(config);
        play(options, start, script, ends, &modem, driver).await;
    }
}

async fn play<M: Model>(
    options: Options,
    start: u32,
    script: &[u8],
    (to_modem, to_driver): (&Pipe, &Pipe),
    modem: &M,
    driver: M::Driver,
) {
    let mut state = Box::new(State::<_, 2, 2048, 256>::new());
    let mut session = Session {
        machine: Machine::new(&mut state, driver, start),
        modem,
        to_modem,
        to_driver,
        start,
        chunk: options.chunk(),
        unread: Vec::new(),
        due: start,
        held: false,
        users: [User::default(); 2],
    };
    if !options.cold() {
        session.open(0, true);
        session.serve(Duration::from_secs(60)).await;
        assert!(
            session.machine.stands(0),
            "a modem that behaves is connected to"
        );
    }
    session.script(script).await;
    session.conclude().await;
}

/// What the user of a socket knows.
#[derive(Clone, Copy, Default)]
struct User {
    port: u32,
    mutual: bool,
    stood: bool,
    read: usize,
    written: usize,
}

struct Session<'s, 'a, M: Model> {
    machine: Machine<'a, M::Driver>,
    modem: &'s M,
    to_modem: &'s Pipe,
    to_driver: &'s Pipe,
    /// What the engine's clock shows at the beginning.
    start: u32,
    /// The most that is taken in at a time.
    chunk: usize,
    unread: Vec<u8>,
    due: u32,
    /// The UART says nothing of what it was given.
    held: bool,
    users: [User; 2],
}

impl<M: Model> Session<'_, '_, M> {
    fn now(&self) -> u32 {
        self.start.wrapping_add(Instant::now().as_millis() as u32)
    }

    /// Does what the runner would do at this time.
    fn pump(&mut self) {
        let now = self.now();
        self.machine.at(now);
        let mut turns = 0;
        while turns < REST {
            let mut moved = false;
            if self.unread.is_empty() {
                self.unread = self.to_driver.take(self.chunk);
            }
            if !self.unread.is_empty() {
                let taken = self.machine.feed(&self.unread);
                self.unread.drain(..taken);
                moved = taken > 0;
            }
            turns += usize::from(!moved);
            self.due = self.machine.tick();
            let mut buf = [0; 64];
            let count = self.machine.next_out(&mut buf);
            if count > 0 {
                self.to_modem.send(&buf[..count]);
                moved = true;
            }
            if !self.held {
                self.machine.is_out();
            }
            self.machine.check();
            self.look();
            let rests = (self.due.wrapping_sub(now) as i32) > 0;
            if !moved && rests {
                return;
            }
        }
        panic!("the engine never rests at {now}, due {}", self.due);
    }

    /// Users see that their connections stand.
    fn look(&mut self) {
        for slot in 0..self.users.len() {
            let user = &mut self.users[slot];
            if !user.stood && self.machine.stands(slot) {
                user.stood = true;
                self.modem.check_verified(user.port, user.mutual);
            }
            let user = self.users[slot];
            if user.stood
                && self.machine.stands(slot)
                && self.machine.is_sent(slot)
                && self.modem.tx_counts(user.port)
            {
                let received = self.modem.received(user.port);
                assert_eq!(received, Some(user.written), "port {}: sent", user.port);
            }
        }
    }

    /// The next command, or complete payload, if there is one.
    fn input(&self) -> Option<Input> {
        match embassy_futures::poll_once(pin!(self.modem.input())) {
            Poll::Ready(input) => Some(input),
            Poll::Pending => None,
        }
    }

    /// Time passes; what is due meanwhile is done in time.
    async fn wait(&mut self, span: Duration) {
        let end = Instant::now() + span;
        loop {
            self.pump();
            let now = Instant::now();
            if now >= end {
                return;
            }
            let due = u64::from(self.due.wrapping_sub(self.now())).max(1);
            Timer::at(end.min(now + Duration::from_millis(due))).await;
        }
    }

    /// The modem answers everything for so long, or until there is nothing to do in one step.
    async fn serve(&mut self, span: Duration) {
        let end = Instant::now() + span;
        while Instant::now() < end {
            self.pump();
            if let Some(input) = self.input() {
                self.modem.answer(&input);
            } else if self.users.iter().enumerate().all(|(slot, _)| {
                // Nobody waits for anything.
                !self.machine.opens(slot)
                    && (!self.machine.stands(slot) || self.machine.is_sent(slot))
            }) && self.machine.is_up()
            {
                return;
            } else {
                self.wait(Duration::from_millis(20)).await;
            }
        }
    }

    fn open(&mut self, slot: usize, mutual: bool) -> bool {
        let port = self.modem.next_port(FIRST_PORT);
        let opens = self.machine.open(slot, HOST, port as u16, &M::tls(mutual));
        if opens {
            self.users[slot] = User {
                port,
                mutual,
                ..User::default()
            };
        }
        opens
    }

    fn write(&mut self, slot: usize, count: usize) {
        let User { port, written, .. } = self.users[slot];
        let bytes = M::stream(!port, written, count);
        self.users[slot].written += self.machine.write(slot, &bytes);
    }

    fn read(&mut self, slot: usize, count: usize) -> usize {
        let mut buf = vec![0; count];
        let count = self.machine.read(slot, &mut buf);
        let user = &mut self.users[slot];
        if self.modem.rx_counts(user.port) {
            assert!(
                buf[..count] == M::stream(user.port, user.read, count),
                "port {}: read at {}",
                user.port,
                user.read
            );
        }
        user.read += count;
        count
    }

    fn act(&mut self, slot: usize, what: u8) {
        let size = usize::from(what >> 3);
        match what & 7 {
            0 | 1 => drop(self.open(slot, what & 7 == 0)),
            2 => self.write(slot, 1 + size * 9),
            3 => self.machine.flush(slot),
            4 => {
                self.write(slot, 1 + size * 9);
                self.machine.flush(slot);
            }
            5 => self.machine.leave(slot),
            6 => drop(self.read(slot, 1 + size * 50)),
            _ => drop(self.read(slot, 2048)),
        }
    }

    async fn script(&mut self, mut script: &[u8]) {
        for _ in 0..STEP_LIMIT {
            let Some((&code, rest)) = script.split_first() else {
                return;
            };
            if code < 0x80 {
                let end = script.iter().position(|&byte| byte >= 0x80);
                let (text, rest) = script.split_at(end.unwrap_or(script.len()));
                script = rest;
                self.modem.lie(text);
            } else {
                script = rest;
                let mut argument = || {
                    let (&argument, rest) = script.split_first().unwrap_or((&0, &[]));
                    script = rest;
                    argument
                };
                self.order(code & 0x7f, &mut argument).await;
            }
            self.pump();
        }
    }

    async fn order(&mut self, code: u8, argument: &mut dyn FnMut() -> u8) {
        let modem = self.modem;
        let fragment = |index: u8| M::FRAGMENTS[usize::from(index) % M::FRAGMENTS.len()];
        match code % 20 {
            0 => modem.lie(&[argument()]),
            1 => self.answers(1),
            2 => self.answers(60),
            3 => {
                let at = usize::from(argument());
                if let Some(input) = self.input() {
                    modem.answer_wrongly(&input, true, |answer| answer.truncate(at));
                }
            }
            4 => {
                let (at, byte) = (usize::from(argument()), argument());
                if let Some(input) = self.input() {
                    modem.answer_wrongly(&input, false, |answer| {
                        if let Some(place) = answer.get_mut(at) {
                            *place ^= byte;
                        }
                    });
                }
            }
            5 => {
                let (at, fragment) = (usize::from(argument()), fragment(argument()));
                if let Some(input) = self.input() {
                    modem.answer_wrongly(&input, false, |answer| {
                        let at = at.min(answer.len());
                        answer.splice(at..at, fragment.iter().copied());
                    });
                }
            }
            6 => {
                if let Some(input) = self.input() {
                    modem.swallow(&input);
                }
            }
            7 => {
                let span = match argument() % 6 {
                    0 => 1,
                    1 => 60,
                    2 => 1000,
                    3 => 5000,
                    4 => 30_000,
                    _ => u64::from(self.due.wrapping_sub(self.now())).min(300_000),
                };
                self.wait(Duration::from_millis(span)).await;
            }
            // Late: nothing is done in between.
            8 => Timer::after_millis(u64::from(argument()) * 40).await,
            9 | 10 => {
                let argument = argument();
                let count = 1 + usize::from(argument >> 1) * 9;
                modem.peer_sends(usize::from(argument & 1), count, code % 2 == 0);
            }
            11 => modem.peer_closes(usize::from(argument() & 1)),
            12 => modem.restart(),
            13 => self.act(0, argument()),
            14 => self.act(1, argument()),
            15 => modem.lie(fragment(argument())),
            16 => self.held = !self.held,
            17 => {
                let argument = argument();
                modem.fail_opens(
                    1 + usize::from(argument >> 5),
                    549 + u16::from(argument & 31),
                );
            }
            18 => modem.toggle_key(M::KEYS[usize::from(argument()) % M::KEYS.len()]),
            // Until a command begins so, which is the next one.
            _ => {
                let name = M::UNTIL[usize::from(argument()) % M::UNTIL.len()];
                for _ in 0..60 {
                    self.pump();
                    match self.input() {
                        Some(Input::Command(line)) if line.starts_with(name) => {
                            return modem.unread(&line);
                        }
                        Some(input) => modem.answer(&input),
                        None => self.wait(Duration::from_millis(60)).await,
                    }
                }
            }
        }
    }

    fn answers(&mut self, most: usize) {
        for _ in 0..most {
            self.pump();
            let Some(input) = self.input() else { return };
            self.modem.answer(&input);
        }
    }

    /// From here on the modem behaves: a fresh connection sends and receives.
    async fn conclude(&mut self) {
        self.held = false;
        self.modem.behave();
        let since = Instant::now();
        for slot in 0..2 {
            while self.read(slot, 512) > 0 {}
            self.machine.leave(slot);
        }
        loop {
            assert!(since.elapsed() < RECONNECT_LIMIT, "no connection");
            if self.round_trip().await {
                return;
            }
            self.machine.leave(0);
            self.wait(Duration::from_secs(1)).await;
        }
    }

    async fn round_trip(&mut self) -> bool {
        self.serve(Duration::from_secs(250)).await;
        if !self.open(0, true) {
            return false;
        }
        self.serve(Duration::from_secs(250)).await;
        if !self.machine.stands(0) {
            return false;
        }
        self.write(0, 40);
        self.machine.flush(0);
        self.serve(Duration::from_secs(60)).await;
        if !self.machine.stands(0) || !self.machine.is_sent(0) {
            return false;
        }
        self.modem.all_peers_send(100);
        let end = Instant::now() + Duration::from_secs(60);
        let mut read = false;
        while Instant::now() < end {
            self.answers(10);
            read |= self.read(0, 256) > 0;
            // What was left is closed, and can be used again.
            if read && self.machine.is_free(1) {
                return true;
            }
            self.wait(Duration::from_millis(20)).await;
        }
        false
    }
}
