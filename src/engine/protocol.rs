//! What the runner drives: a protocol, as a machine that does no I/O.

use super::time::Ms;
use super::world::World;

/// A protocol between MCU and modem, such as AT: synchronous, and without I/O of its own.
pub(crate) trait Protocol {
    /// Takes in bytes from the modem, and returns how many; what is left is offered again when
    /// [`wants_input`](Self::wants_input) says so.
    fn feed(&mut self, world: &mut World<'_>, input: &[u8]) -> usize;
    /// Does what is due; returns when to call again at the latest.
    fn tick(&mut self, world: &mut World<'_>) -> Ms;
    /// Copies the next bytes for the modem, and returns how many.
    fn next_out(&mut self, world: &mut World<'_>, into: &mut [u8]) -> usize;
    /// That many of them are out.
    fn out_done(&mut self, world: &mut World<'_>, count: usize);
    /// Counts what was put in line to go out: a write of an earlier content is none of a later one's.
    fn out_turn(&self) -> u8;
    /// Whether everything is out.
    fn is_drained(&self) -> bool;
    /// What has just been yielded to go out.
    #[cfg(feature = "tap")]
    fn tap_next(&self, world: &World<'_>) -> crate::tap::Sent;
    /// Whether more can be taken in.
    fn wants_input(&self, world: &World<'_>) -> bool;
    /// The runner stops, in the middle of whatever it is.
    fn stopped(&mut self, world: &mut World<'_>);
}
