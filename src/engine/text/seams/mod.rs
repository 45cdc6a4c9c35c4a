//! Tests of the engine's seams, each with an invented dialect: what modems need beyond the plain AT of the first
//! backends. They are traces without an executor, in virtual time.

extern crate std;

mod cues;
mod echo;
mod framing;
mod gaps;
mod ids;
mod nora;
mod payload;
mod smallest;
mod uploads;

use std::boxed::Box;
use std::string::String;
use std::vec;
use std::vec::Vec;

use crate::capabilities::Verification;
use crate::engine::mailbox::Plan;
use crate::engine::protocol::Protocol;
use crate::engine::text::Engine;
use crate::engine::{Link, NOT_YET, Open, Phase, Slot, World};
use crate::error::SocketError;
use crate::modem::{Modem, Then, Verdict};
use crate::{Tag, TlsConfig};

/// Defines an invented modem: its own fields in braces, its own items after them, and the items that all invented modems
/// share.
macro_rules! modem {
    ($name:ident { $($field:ident: $type:ty = $value:expr),* } $($own:tt)*) => {
        struct $name { $($field: $type),* }

        impl $name {
            const NEW: Self = Self { $($field: $value),* };
        }

        impl crate::modem::Modem for $name {
            const NAME: &'static str = stringify!($name);
            const SYNC: crate::modem::Sync = crate::modem::Sync {
                command: "AT+S?",
                answer: "+S:",
            };

            fn admit(&self, _: &crate::TlsConfig) -> Result<(), crate::ConnectError> {
                Ok(())
            }

            fn capabilities(&self) -> crate::Capabilities {
                crate::Capabilities::UNKNOWN
            }

            $($own)*
        }
    };
}
use modem;

/// The limits of the invented modems.
const LIMITS: crate::modem::Limits = crate::modem::Limits {
    ids: 4,
    max_receive: 64,
    max_send: 64,
    sockets: 2,
};

/// Judges the answer to a fetch.
fn fetched<M>(_: &mut M, w: &mut World<'_>, answer: Option<&[u8]>) -> Then {
    w.verdict = match (answer, w.received) {
        (Some(_), Some(0)) => Verdict::Empty,
        (Some(_), Some(_)) => Verdict::Done,
        _ => Verdict::NotConnected,
    };
    Then::End
}

/// A test bench: an engine with two sockets, and the bytes that it has sent.
struct Bench<M: Modem> {
    engine: Engine<M>,
    world: World<'static, [Slot<'static>; 2]>,
    out: Vec<u8>,
}

impl<M: Modem> Bench<M> {
    /// Makes a bench with rings of 64 bytes.
    fn new(modem: M) -> Self {
        let mut world = World::new([const { Slot::new() }; 2]);
        for slot in &mut world.slots {
            slot.rx.set_memory(Box::leak(vec![0; 64].into()));
            slot.tx.set_memory(Box::leak(vec![0; 64].into()));
        }
        Self {
            engine: Engine::new(modem),
            world,
            out: Vec::new(),
        }
    }

    /// Makes a bench whose modem is up, and drops the bytes that the bring-up sent.
    fn up(modem: M) -> Self {
        let mut bench = Self::new(modem);
        bench.run();
        assert_eq!(bench.world.link, Link::Up);
        bench.out.clear();
        bench
    }

    /// Lets the engine do the work that is due, and returns the deadline for the next call.
    fn run(&mut self) -> u32 {
        // A test may have changed the world, as handles do.
        let w: &mut World<'_> = &mut self.world;
        w.wake_runner();
        for _ in 0..1000 {
            let deadline = self.engine.tick(&mut self.world);
            let mut buf = [0; 64];
            let count = self.engine.next_out(&mut self.world, &mut buf);
            if count == 0 {
                return deadline;
            }
            self.out.extend_from_slice(&buf[..count]);
            self.engine.out_done(&mut self.world, count);
        }
        panic!("it never comes to rest");
    }

    /// Feeds bytes from the modem, and returns the number that was taken in.
    fn hear(&mut self, bytes: &[u8]) -> usize {
        let mut taken = 0;
        while taken < bytes.len() && self.engine.wants_input(&self.world) {
            taken += self.engine.feed(&mut self.world, &bytes[taken..]);
        }
        self.run();
        taken
    }

    fn says(&mut self, text: &str) {
        assert_eq!(self.hear(text.as_bytes()), text.len());
    }

    /// Lets virtual time pass.
    fn wait(&mut self, ms: u32) {
        let end = self.world.now.wrapping_add(ms);
        loop {
            let deadline = self.run();
            let left = end.wrapping_sub(self.world.now);
            let next = deadline.wrapping_sub(self.world.now);
            self.world.now = self
                .world
                .now
                .wrapping_add(next.clamp(1, left.max(1)).min(left));
            if left == 0 {
                return;
            }
        }
    }

    /// Returns the text that was sent since the last call.
    fn sent(&mut self) -> String {
        let bytes = core::mem::take(&mut self.out);
        bytes.iter().map(|&byte| char::from(byte)).collect()
    }

    /// Asks for a connection as a user.
    fn want(&mut self, index: u8) {
        let now = self.world.now;
        let slot = &mut self.world.slots[usize::from(index)];
        slot.arm(now);
        assert_eq!(slot.tx.push(b"example.com"), 11);
        self.world.open = Some(Open {
            config: TlsConfig::new(Tag(1)),
            port: 8883,
            context: index,
            result: NOT_YET,
            verified: Verification::UNKNOWN,
        });
        self.run();
    }

    /// Writes and flushes as a user.
    fn write(&mut self, index: usize, bytes: &[u8]) {
        let slot = &mut self.world.slots[index];
        assert_eq!(slot.tx.push(bytes), bytes.len());
        slot.flush = true;
        self.run();
    }

    /// Reads all received data as a user.
    fn read(&mut self, index: usize) -> Vec<u8> {
        let mut bytes = vec![0; 64];
        let count = self.world.slots[index].rx.pop(&mut bytes);
        bytes.truncate(count);
        bytes
    }

    /// Begins an exchange as a guest to whom the channel was granted.
    fn begin_guest(&mut self, command: &[u8], plan: Plan, timeout: u32) {
        self.engine.out()[..command.len()].copy_from_slice(command);
        self.engine
            .begin_guest(&mut self.world, command.len(), plan, timeout)
            .unwrap();
        self.run();
    }

    fn phase(&self, index: usize) -> Phase {
        self.world.slots[index].phase
    }

    fn is_reset(&self, index: usize) -> bool {
        self.phase(index) == Phase::Failed(SocketError::ConnectionReset)
    }
}
