//! The I/O loops: the only owners of the UART's halves.

use core::pin::pin;

use embassy_futures::select::{Either, select};
use embassy_time::{Duration, Instant, Timer};
use embedded_io::Error as _;
use embedded_io_async::{Read, Write};

use super::Engine;
use super::core::Stage;
use crate::error::RunError;
use crate::modem::Modem;

/// Read errors in a row that are taken for noise on the line.
const READ_ERRORS: u8 = 100;
/// How long a caller may leave an information line lying before it is dropped; it is the caller's
/// executor that would have to be stuck.
const LINE_PATIENCE: Duration = Duration::from_secs(1);

/// Takes in bytes for ever; returns when the UART fails.
pub(crate) async fn receive<M: Modem, R: Read>(
    engine: Engine<'_>,
    modem: &M,
    uart: &mut R,
) -> RunError {
    let core = engine.core;
    let mut buf = [0; 128];
    let mut errors = 0;
    loop {
        let read = {
            let mut read = pin!(uart.read(&mut buf));
            loop {
                let Some(deadline) = core.push_deadline() else {
                    break read.await;
                };
                match select(&mut read, Timer::at(deadline)).await {
                    Either::First(read) => break read,
                    Either::Second(()) => core.push_pause(engine.table),
                }
            }
        };
        let count = match read {
            Ok(0) => return RunError::Eof,
            Ok(count) => count,
            // Break and framing errors come with every power cycle of a modem; only a UART that
            // does nothing else is broken. What was lost is found out above.
            Err(_) if errors < READ_ERRORS => {
                errors += 1;
                Timer::after_millis(10).await;
                continue;
            }
            Err(error) => return RunError::Read(error.kind()),
        };
        errors = 0;
        core.count(|counters| counters.received = counters.received.wrapping_add(count as u32));
        let mut input = &buf[..count];
        while !input.is_empty() {
            core.feed(engine.table, modem, &mut input);
            let full = || core.push_room(engine.table) == 0;
            if full() {
                let limit = core.push_stall_limit();
                if !core.work.until_or(limit, &mut || !full()).await {
                    core.push_overrun(engine.table);
                }
            }
            if core.stage.get() == Stage::Info {
                let limit = Instant::now() + LINE_PATIENCE;
                let mut taken = || core.stage.get() != Stage::Info;
                if !core.changed.until_or(limit, &mut taken).await {
                    // A listing without this line must not pass for complete.
                    core.violation();
                }
            }
        }
    }
}

/// Puts bytes out for ever; returns when the UART fails.
pub(crate) async fn transmit<W: Write>(engine: Engine<'_>, uart: &mut W) -> RunError {
    let core = engine.core;
    let mut buf = [0; 64];
    loop {
        let (count, counted) = core
            .outgoing
            .until(|| core.next_out(engine.table, &mut buf))
            .await;
        #[cfg(feature = "tap")]
        let what = core.tap_next();
        let generation = core.generation.get();
        let turn = core.out_turn.get();
        // A UART held back by flow control must not outlast the modem it belonged to.
        let void = core
            .outgoing
            .until(|| (core.generation.get() != generation).then_some(()));
        let write = async {
            uart.write_all(&buf[..count]).await?;
            #[cfg(feature = "tap")]
            core.tap_sent(what, &buf[..count]);
            if core.generation.get() == generation && core.out_turn.get() == turn {
                core.out_done((count, counted));
            }
            if core.out_is_empty() {
                uart.flush().await
            } else {
                Ok(())
            }
        };
        if let Either::First(Err(error)) = select(write, void).await {
            return RunError::Write(error.kind());
        }
    }
}
