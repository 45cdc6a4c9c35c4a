//! The engine without runner and handles, for fuzz targets.

use core::cell::RefCell;

use super::State;
use super::protocol::Protocol;
use super::slot::{Phase, Slot};
use super::text::Engine;
use super::time::{Ms, after};
use super::world::{Link, NOT_YET, Open, Shared, World};
use crate::capabilities::Verification;
use crate::engine::backend::Modem;
use crate::tls::TlsConfig;

/// An engine and its world, driven by synchronous calls: bytes and the time go in, bytes come out, and the requests of
/// handles take effect at once.
pub struct Machine<'a, M: Modem> {
    engine: &'a RefCell<Engine<M>>,
    world: &'a Shared<'a>,
    now: Ms,
    /// The write that the UART has not reported as done: its length, its generation, and the number of its content.
    in_flight: Option<(usize, u8, u8)>,
}

impl<'a, M: Modem> Machine<'a, M> {
    /// Makes a machine from an unused state and a backend, at the time `now`.
    pub fn new<const SOCKETS: usize, const RX: usize, const TX: usize>(
        state: &'a mut State<'a, M, SOCKETS, RX, TX>,
        backend: M,
        now: u32,
    ) -> Self {
        let (engine, world) = state.start(backend);
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

    /// Sets the time, in milliseconds, wrapping.
    pub fn at(&mut self, now: u32) {
        self.now = now;
    }

    /// Takes in bytes from the modem, and returns their number.
    pub fn feed(&mut self, input: &[u8]) -> usize {
        self.with(|engine, w| {
            if engine.wants_input(w) {
                engine.feed(w, input)
            } else {
                0
            }
        })
    }

    /// Does the work that is due, and returns the deadline for the next call.
    pub fn tick(&mut self) -> u32 {
        self.with(|engine, w| engine.tick(w))
    }

    /// Copies the next bytes for the modem, and returns their number; 0 until the last ones are [out](Self::is_out).
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

    /// Reports the last bytes as sent. The report of a write from before a restart is dropped, as by the runner.
    pub fn is_out(&mut self) {
        if let Some((count, generation, turn)) = self.in_flight.take() {
            self.with(|engine, w| {
                if w.generation == generation && engine.out_turn() == turn {
                    engine.out_done(w, count);
                }
            });
        }
    }

    /// Returns whether the modem is up.
    pub fn is_up(&self) -> bool {
        self.with(|_, w| w.link == Link::Up)
    }

    /// Asks for a connection as a user. Returns `false` where that is not possible at the moment.
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

    /// Returns whether the connection in this slot stands.
    pub fn stands(&self, slot: usize) -> bool {
        self.with(|_, w| w.slots[slot].phase == Phase::Open)
    }

    /// Returns whether neither a user nor the modem has this slot.
    pub fn is_free(&self, slot: usize) -> bool {
        self.with(|_, w| w.slots[slot].is_free())
    }

    /// Returns whether a user waits for this slot to be opened.
    pub fn opens(&self, slot: usize) -> bool {
        self.with(|_, w| {
            w.slots[slot].user && matches!(w.slots[slot].phase, Phase::Wanted | Phase::Opening)
        })
    }

    /// Returns whether the modem has taken everything that was written to this slot.
    pub fn is_sent(&self, slot: usize) -> bool {
        self.with(|_, w| w.slots[slot].tx.len() == 0 && w.slots[slot].write_error().is_none())
    }

    /// Writes as a user, and returns the number of bytes taken.
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

    /// Flushes as a user.
    pub fn flush(&mut self, slot: usize) {
        self.with(|_, w| {
            w.wake_runner();
            w.slots[slot].flush = w.slots[slot].phase == Phase::Open;
        });
    }

    /// Reads as a user, and returns the number of bytes.
    pub fn read(&mut self, slot: usize, into: &mut [u8]) -> usize {
        self.with(|_, w| {
            w.wake_runner();
            w.slots[slot].rx.pop(into)
        })
    }

    /// Drops the socket as a user.
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

    /// Checks the invariants of the slots.
    ///
    /// # Panics
    /// If one does not hold.
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
