//! The engine without runner and handles, for fuzz targets: bytes and the time go in, bytes come out, and what
//! handles do to the world is done at once.

use core::borrow::BorrowMut;
use core::cell::RefCell;

use super::protocol::Protocol;
use super::slot::{Phase, Slot};
use super::text::Engine;
use super::time::{Ms, after};
use super::world::{Link, NOT_YET, Open, Shared, World};
use super::{Rings, State};
use crate::capabilities::Verification;
use crate::engine::backend::Modem;
use crate::tls::TlsConfig;

/// See the module's documentation.
pub struct Machine<'a, M: Modem> {
    engine: &'a RefCell<Engine<M>>,
    world: &'a Shared<'a>,
    now: Ms,
    /// What the UART was given and has not reported: how much, in which generation, of which content.
    in_flight: Option<(usize, u8, u8)>,
}

impl<'a, M: Modem> Machine<'a, M> {
    /// Of a state that nobody has used.
    pub fn new<const SOCKETS: usize, const RX: usize, const TX: usize, B>(
        state: &'a mut State<'a, M, SOCKETS, RX, TX, B>,
        now: u32,
    ) -> Self
    where
        B: BorrowMut<Rings<SOCKETS, RX, TX>>,
    {
        let (engine, world) = state.connect_rings();
        let machine = Self {
            engine,
            world,
            now,
            in_flight: None,
        };
        machine.with(|_, w| w.begin(now));
        machine
    }

    fn with<T>(&self, act: impl FnOnce(&mut Engine<M>, &mut World<'a>) -> T) -> T {
        let mut world = self.world.borrow_mut();
        world.now = self.now;
        act(&mut self.engine.borrow_mut(), &mut world)
    }

    /// Time has come so far, in milliseconds, wrapping.
    pub fn at(&mut self, now: u32) {
        self.now = now;
    }

    /// Takes in bytes from the modem; returns how many.
    pub fn feed(&mut self, input: &[u8]) -> usize {
        self.with(|engine, w| {
            if engine.wants_input(w) {
                engine.feed(w, input)
            } else {
                0
            }
        })
    }

    /// Does what is due; returns when to call again at the latest.
    pub fn tick(&mut self) -> u32 {
        self.with(|engine, w| engine.tick(w))
    }

    /// The next bytes for the modem, none before the last ones are [out](Self::is_out).
    pub fn next_out(&mut self, into: &mut [u8]) -> usize {
        if self.in_flight.is_some() {
            return 0;
        }
        let (count, generation, turn) =
            self.with(|engine, w| (engine.next_out(w, into), w.generation, engine.out_turn()));
        if count > 0 {
            self.in_flight = Some((count, generation, turn));
        }
        count
    }

    /// The UART reports what it was given as sent. A runner drops the write of a modem that is gone.
    pub fn is_out(&mut self) {
        if let Some((count, generation, turn)) = self.in_flight.take() {
            self.with(|engine, w| {
                if w.generation == generation && engine.out_turn() == turn {
                    engine.out_done(w, count);
                }
            });
        }
    }

    /// The modem is up.
    pub fn is_up(&self) -> bool {
        self.with(|_, w| w.link == Link::Up)
    }

    /// A user asks for a connection, if it can; returns whether that was so.
    pub fn open(&mut self, slot: usize, name: &str, port: u16, config: &TlsConfig) -> bool {
        self.with(|engine, w| {
            w.wake_runner();
            let asks = |slot: &Slot<'_>| matches!(slot.phase, Phase::Wanted | Phase::Opening);
            let busy = w.opening || w.slots.iter().any(asks) || !w.slots[slot].is_free();
            let needed = usize::from(w.push_unit.unwrap_or(w.fetch_unit));
            let small = w.slots[slot].rx.capacity() < needed;
            if busy || small || engine.modem.admit(config).is_err() {
                return false;
            }
            let now = w.now;
            w.slots[slot].arm(now);
            w.slots[slot].tx.push(name.as_bytes());
            w.open = Some(Open {
                config: *config,
                port,
                context: slot as u8,
                result: NOT_YET,
                verified: Verification::UNKNOWN,
            });
            true
        })
    }

    /// The connection stands.
    pub fn stands(&self, slot: usize) -> bool {
        self.with(|_, w| w.slots[slot].phase == Phase::Open)
    }

    /// Neither a user nor the modem has it.
    pub fn is_free(&self, slot: usize) -> bool {
        self.with(|_, w| w.slots[slot].is_free())
    }

    /// A user waits for it to be opened.
    pub fn opens(&self, slot: usize) -> bool {
        self.with(|_, w| {
            w.slots[slot].user && matches!(w.slots[slot].phase, Phase::Wanted | Phase::Opening)
        })
    }

    /// Everything that was written was taken by the modem.
    pub fn is_sent(&self, slot: usize) -> bool {
        self.with(|_, w| w.slots[slot].tx.len() == 0 && w.slots[slot].write_error().is_none())
    }

    /// A user writes; returns how many bytes.
    pub fn write(&mut self, slot: usize, bytes: &[u8]) -> usize {
        self.with(|_, w| {
            w.wake_runner();
            let send_at = after(w.now, w.linger);
            let slot = &mut w.slots[slot];
            if slot.phase != Phase::Open || slot.write_error().is_some() {
                return 0;
            }
            slot.send_at = send_at;
            slot.tx.push(bytes)
        })
    }

    /// A user waits until everything is sent.
    pub fn flush(&mut self, slot: usize) {
        self.with(|_, w| {
            w.wake_runner();
            w.slots[slot].flush = w.slots[slot].phase == Phase::Open;
        });
    }

    /// A user reads; returns how many bytes.
    pub fn read(&mut self, slot: usize, into: &mut [u8]) -> usize {
        self.with(|_, w| {
            w.wake_runner();
            w.slots[slot].rx.pop(into)
        })
    }

    /// A user drops the socket.
    pub fn leave(&mut self, slot: usize) {
        self.with(|_, w| {
            w.wake_runner();
            if !w.slots[slot].user {
                return;
            }
            let opens = matches!(w.slots[slot].phase, Phase::Wanted | Phase::Opening);
            w.slots[slot].abandon();
            if opens && w.open.is_some_and(|open| usize::from(open.context) == slot) {
                w.open = None;
            }
        });
    }

    /// What holds at any time.
    ///
    /// # Panics
    /// When it does not.
    pub fn check(&self) {
        self.with(|_, w| {
            let opening = |slot: &&Slot<'_>| slot.phase == Phase::Opening;
            assert!(
                w.slots.iter().filter(opening).count() <= usize::from(w.opening),
                "more opens than one, or one that nobody is at"
            );
            for (index, slot) in w.slots.iter().enumerate() {
                match slot.phase {
                    // A modem that chooses ids gives one also to an open whose user has gone away; the end of
                    // that open closes it.
                    Phase::Free => {
                        assert!(!slot.user, "held and free");
                        let closes = slot.close || w.opening;
                        assert!(!slot.in_modem || closes, "free, and nobody closes it");
                    }
                    Phase::Open => {
                        assert!(w.link == Link::Up, "open on a modem that is down");
                        assert!(slot.user && slot.in_modem, "open and held by one side only");
                    }
                    Phase::Wanted => assert!(slot.user, "nobody wants it"),
                    _ => {}
                }
                let twin = |other: &Slot<'_>| other.in_modem && other.id == slot.id;
                assert!(
                    !slot.in_modem || !w.slots[index + 1..].iter().any(twin),
                    "two sockets have one id"
                );
            }
        });
    }
}
