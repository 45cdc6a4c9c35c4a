//! Ctrl-C and SIGTERM, for commands that run until then and have something to put in order.

use std::io;

use embassy_futures::select::select;
use tokio::signal::unix::{Signal, SignalKind, signal};

/// Listens from its creation on; until then a signal ends the process as usual.
pub(crate) struct Stop {
    interrupt: Signal,
    terminate: Signal,
}

impl Stop {
    pub(crate) fn listen() -> io::Result<Self> {
        Ok(Self {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
        })
    }

    /// Waits for either signal. Cancel-safe.
    pub(crate) async fn requested(&mut self) {
        select(self.interrupt.recv(), self.terminate.recv()).await;
    }
}
