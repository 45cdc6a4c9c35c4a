//! The part of the engine that must be polled for anything to happen.

use embassy_futures::select::{Either4, select4};
use embedded_io_async::{Read, Write};

use super::{Engine, custodian, io, supervisor};
use crate::error::RunError;
use crate::modem::Modem;
use crate::power::Power;

/// Owns the UART and the power pins. Spawn [`run`](Self::run) in a task of its own.
pub struct Runner<'a, M, R, W, P> {
    pub(crate) engine: Engine<'a>,
    pub(crate) modem: &'a M,
    pub(crate) uart_rx: R,
    pub(crate) uart_tx: W,
    pub(crate) power: P,
}

impl<M: Modem, R: Read, W: Write, P: Power> Runner<'_, M, R, W, P> {
    /// Runs until the UART fails, which most firmware takes as a reason to reset.
    ///
    /// Dropping the future, like its return, resets every socket; it may then be called again, and
    /// brings the modem up anew.
    pub async fn run(&mut self) -> RunError {
        let engine = self.engine;
        let _down = DownOnDrop(engine);
        // Receiving first, so that news of a reset is seen before more is sent; the supervisor last,
        // since it acts on what the others found.
        match select4(
            io::receive(engine, self.modem, &mut self.uart_rx),
            io::transmit(engine, &mut self.uart_tx),
            custodian::run(engine, self.modem),
            supervisor::run(engine, self.modem, &mut self.power),
        )
        .await
        {
            Either4::First(error) | Either4::Second(error) => error,
            Either4::Third(never) | Either4::Fourth(never) => never,
        }
    }
}

struct DownOnDrop<'a>(Engine<'a>);

impl Drop for DownOnDrop<'_> {
    fn drop(&mut self) {
        self.0.core.link_down(self.0.table);
        self.0.core.framer.borrow_mut().reset();
        // Whatever was under way ends in the middle.
        self.0.core.line_mode.set(false);
    }
}
