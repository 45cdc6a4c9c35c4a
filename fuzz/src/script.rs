//! What a fuzz input means.
//!
//! The first byte chooses the UART (see [`Options`]). After it, bytes below 0x80 are what the modem says,
//! as they are, a run of them at a time; so a log of a real modem is a seed as it stands. Bytes from 0x80
//! are orders ([`Order`]), some with an argument.

use embassy_futures::select::{Either, select};
use embassy_time::{Duration, Instant, Timer, with_timeout};

use crate::app::{Action, App};
use crate::event::Event;
use crate::model::{Input, Model};

/// So much virtual time may pass in a script.
const WAITING_LIMIT: Duration = Duration::from_secs(600);
/// Longer than any deadline of the driver.
const SPEECHLESS: Duration = Duration::from_secs(250);
const STEP_LIMIT: usize = 200;
/// The first byte of an input.
#[derive(Clone, Copy)]
pub struct Options(u8);

impl Options {
    /// The most that the driver's UART returns at a time.
    pub fn chunk(self) -> usize {
        [128, 1, 7, 64][usize::from(self.0 & 3)]
    }

    /// How much the driver may send before the modem reads it.
    pub fn capacity(self) -> usize {
        if self.0 & 4 == 0 { 8192 } else { 48 }
    }

    /// Whether what the driver sends takes time.
    pub fn paced(self) -> bool {
        self.0 & 16 != 0
    }

    /// Whether the modem pushes what it receives.
    pub fn push(self) -> bool {
        self.0 & 32 != 0
    }

    /// Which of four modems.
    pub fn variant(self) -> usize {
        usize::from(self.0 >> 6)
    }

    /// Whether the script begins before bring-up, and not behind a first connection.
    pub fn cold(self) -> bool {
        self.0 & 8 != 0
    }
}

/// Splits an input into options and script.
pub fn parse(input: &[u8]) -> Option<(Options, &[u8])> {
    let (&options, script) = input.split_first()?;
    Some((Options(options), script))
}

/// Does everything that is asked of it, correctly, for ever.
pub async fn serve(modem: &impl Model) {
    loop {
        let input = modem.input().await;
        modem.answer(&input);
    }
}

/// Who takes orders.
pub struct Cast<'a, 'm, M: Model> {
    pub modem: &'a M,
    pub apps: [&'a App<'m, M>; 2],
    /// The runner is dropped and started anew.
    pub restart: &'a Event,
}

impl<M: Model> Cast<'_, '_, M> {
    /// Plays a script to its end.
    pub async fn play(&self, mut script: &[u8]) {
        let begun = Instant::now();
        let mut settles = true;
        for _ in 0..STEP_LIMIT {
            let Some((&code, rest)) = script.split_first() else {
                return;
            };
            if code < 0x80 {
                let end = script
                    .iter()
                    .position(|&byte| byte >= 0x80)
                    .unwrap_or(script.len());
                let (text, rest) = script.split_at(end);
                script = rest;
                self.modem.lie(text);
            } else {
                script = rest;
                let mut argument = || {
                    let (&argument, rest) = script.split_first().unwrap_or((&0, &[]));
                    script = rest;
                    argument
                };
                let order = Order::from_byte::<M>(code, &mut argument);
                if let Order::Race = order {
                    settles = !settles;
                }
                self.carry_out(order).await;
                if begun.elapsed() > WAITING_LIMIT {
                    return;
                }
            }
            if settles {
                Timer::after_micros(100).await;
            }
        }
    }

    async fn carry_out(&self, order: Order) {
        let modem = self.modem;
        match order {
            Order::Act(app, action) => self.apps[app].order(action),
            Order::Answer => {
                if let Some(input) = self.input().await {
                    modem.answer(&input);
                }
            }
            Order::AnswerAll => {
                // As long as commands come without a pause.
                for _ in 0..60 {
                    match with_timeout(Duration::from_millis(30), modem.input()).await {
                        Ok(input) => modem.answer(&input),
                        Err(_) => return,
                    }
                }
            }
            Order::AnswerUntil(name) => {
                for _ in 0..60 {
                    match self.input().await {
                        Some(Input::Command(line)) if line.starts_with(name) => {
                            return modem.unread(&line);
                        }
                        Some(input) => modem.answer(&input),
                        None => return,
                    }
                }
            }
            Order::Cancel(app) => self.apps[app].cancel(),
            Order::Cut(at) => {
                if let Some(input) = self.input().await {
                    modem.answer_wrongly(&input, true, |answer| answer.truncate(at));
                }
            }
            Order::Flip(at, byte) => {
                if let Some(input) = self.input().await {
                    modem.answer_wrongly(&input, false, |answer| {
                        if let Some(place) = answer.get_mut(at) {
                            *place ^= byte;
                        }
                    });
                }
            }
            Order::Insert(at, fragment) => {
                if let Some(input) = self.input().await {
                    modem.answer_wrongly(&input, false, |answer| {
                        let at = at.min(answer.len());
                        answer.splice(at..at, fragment.iter().copied());
                    });
                }
            }
            Order::FailOpens(count, result) => modem.fail_opens(count, result),
            Order::Fragment(fragment) => modem.lie(fragment),
            Order::Key(key) => modem.toggle_key(key),
            Order::PeerCloses(index) => modem.peer_closes(index),
            Order::PeerSends {
                index,
                count,
                notice,
            } => modem.peer_sends(index, count, notice),
            Order::Race => {}
            Order::Raw(byte) => modem.lie(&[byte]),
            Order::RestartModem => modem.restart(),
            Order::RestartRunner => self.restart.set(),
            Order::Swallow => {
                if let Some(input) = self.input().await {
                    modem.swallow(&input);
                }
            }
            Order::Wait(duration) => Timer::after(duration).await,
            Order::WaitForHost => {
                let _ = with_timeout(SPEECHLESS, modem.host_speaks()).await;
            }
        }
    }

    async fn input(&self) -> Option<Input> {
        let limit = Timer::after_millis(2500);
        match select(self.modem.input(), limit).await {
            Either::First(input) => Some(input),
            Either::Second(()) => None,
        }
    }
}

enum Order {
    Act(usize, Action),
    Answer,
    /// As long as there are commands.
    AnswerAll,
    /// Until this command is the next one.
    AnswerUntil(&'static str),
    Cancel(usize),
    /// The answer ends early.
    Cut(usize),
    /// The next opens fail with this number.
    FailOpens(usize, u16),
    Flip(usize, u8),
    Fragment(&'static [u8]),
    Insert(usize, &'static [u8]),
    /// The firmware does not know this key, or knows it again.
    Key(&'static str),
    PeerCloses(usize),
    PeerSends {
        index: usize,
        count: usize,
        notice: bool,
    },
    /// From now on, or no longer, the driver gets no time between steps.
    Race,
    /// Any byte, also one that would be an order.
    Raw(u8),
    RestartModem,
    RestartRunner,
    /// Carried out and not answered.
    Swallow,
    Wait(Duration),
    /// Until the driver has something new to say, as when it has given up waiting.
    WaitForHost,
}

impl Order {
    fn from_byte<M: Model>(code: u8, argument: &mut dyn FnMut() -> u8) -> Self {
        let fragment = |index: u8| M::FRAGMENTS[usize::from(index) % M::FRAGMENTS.len()];
        match (code & 0x7f) % 24 {
            0 => Self::Raw(argument()),
            1 => Self::Answer,
            2 => Self::AnswerAll,
            3 => Self::Cut(argument().into()),
            4 => Self::Flip(argument().into(), argument()),
            5 => Self::Insert(argument().into(), fragment(argument())),
            6 => Self::Swallow,
            7 => match argument() % 6 {
                0 => Self::Wait(Duration::from_millis(1)),
                1 => Self::Wait(Duration::from_millis(60)),
                2 => Self::Wait(Duration::from_secs(1)),
                3 => Self::Wait(Duration::from_secs(5)),
                4 => Self::Wait(Duration::from_secs(15)),
                _ => Self::WaitForHost,
            },
            8 | 9 => {
                let argument = argument();
                Self::PeerSends {
                    index: usize::from(argument & 1),
                    count: 1 + usize::from(argument >> 1) * 9,
                    notice: code & 1 == 0,
                }
            }
            10 => Self::PeerCloses(usize::from(argument() & 1)),
            11 => Self::RestartModem,
            12 => Self::Act(0, Action::from_byte(argument())),
            13 => Self::Act(1, Action::from_byte(argument())),
            14 => Self::Cancel(0),
            15 => Self::Cancel(1),
            16 => Self::RestartRunner,
            17 => Self::Fragment(fragment(argument())),
            18 => Self::Race,
            22 => {
                let argument = argument();
                Self::FailOpens(
                    1 + usize::from(argument >> 5),
                    549 + u16::from(argument & 31),
                )
            }
            23 => Self::Key(M::KEYS[usize::from(argument()) % M::KEYS.len()]),
            _ => Self::AnswerUntil(M::UNTIL[usize::from(argument()) % M::UNTIL.len()]),
        }
    }
}
