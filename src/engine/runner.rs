//! The runner, the only asynchronous part of the driver: it connects UART, pins and clock to an engine.

use core::cell::{Cell, RefCell};
use core::future::{Future, poll_fn};
use core::task::Poll;

use embassy_futures::select::{Either, Either4, select, select4};
use embassy_time::{Duration, Instant, Timer};
use embedded_io::Error as _;
use embedded_io_async::{Read, Write};

use super::backend::Timing;
use super::notices::{Notices, Reception, wait_resumed, wait_stop_asked};
use super::protocol::{Backend, Protocol};
use super::time::now;
use super::wakers::wake_at;
use super::world::{Shared, World};
use crate::error::RunError;
use crate::power::{NoPin, Power};

/// The number of read errors in a row that count as noise on the line; each is followed by a pause of 10 ms. One more ends the
/// runner: a UART that reports nothing but errors for a second is taken for broken.
const READ_ERRORS: u8 = 100;

/// The runner of one modem: it owns the UART and the pins, and conducts every exchange. Spawn [`run`](Self::run) in a
/// task of its own.
///
/// `N` is the pin by which the modem wakes the MCU, where one is wired: see `Runner::with_notice_pin`.
pub struct Runner<'a, M: Backend, R, W, P, N = NoPin> {
    pub(crate) engine: &'a RefCell<M::Engine>,
    pub(crate) world: &'a Shared<'a>,
    pub(crate) uart_rx: R,
    pub(crate) uart_tx: W,
    pub(crate) power: P,
    pub(crate) notices: N,
}

impl<M: Backend, R, W, P, N> Runner<'_, M, R, W, P, N> {
    /// Sets other times than [`Timing::DEFAULT`].
    pub fn with_timing(self, timing: Timing) -> Self {
        self.world.borrow_mut().set_timing(timing);
        self
    }

    /// Adds a tap, which sees all bytes on the UART.
    #[cfg(feature = "tap")]
    pub fn with_tap(self, tap: &'static dyn crate::tap::Tap) -> Self {
        self.world.borrow_mut().tap = Some(tap);
        self
    }
}

impl<M: Backend, R: Read, W: Write, P: Power, N: Notices> Runner<'_, M, R, W, P, N> {
    /// Runs until the UART fails, and returns the reason. Most firmware then resets the MCU.
    ///
    /// Every socket is reset when `run` returns or its future is dropped. `run` may then be called again, and brings the
    /// modem up anew.
    pub async fn run(&mut self) -> RunError {
        let Self {
            engine,
            world,
            uart_rx,
            uart_tx,
            power,
            notices,
        } = self;
        begin(world, power, notices);
        let wired = power.has_sleep() || M::WAKE_BY_KEY && power.has_power_key();
        let mut board = Board {
            engine: *engine,
            world,
            driven: world.borrow().pins,
            power,
        };
        let reception = Cell::new(Reception::Runs);
        // The receiver is polled first, so that a reset of the modem is seen before more is sent.
        let receive = receive::<_, _, N>(*engine, world, uart_rx, &reception);
        let conduct = conduct::<_, _, N>(&mut board);
        let transmit = transmit(*engine, world, uart_tx);
        // The notice pin is polled last, so that it sees what the others have done.
        let rest = notices.rest(wired, world, &reception);
        match select4(receive, conduct, transmit, rest).await {
            Either4::First(error) | Either4::Second(error) | Either4::Third(error) => error,
            Either4::Fourth(never) => match never {},
        }
    }
}

/// The engine and the pins while the runner runs. Dropped, it stops the engine and releases the pins.
struct Board<'p, 'a, E: Protocol, P: Power> {
    engine: &'a RefCell<E>,
    world: &'a Shared<'a>,
    /// The states to which the pins were driven last.
    driven: super::PinState,
    power: &'p mut P,
}

impl<E: Protocol, P: Power> Drop for Board<'_, '_, E, P> {
    fn drop(&mut self) {
        let mut world = self.world.borrow_mut();
        self.engine.borrow_mut().stopped(&mut world);
        drive(&mut world, &mut self.driven, self.power);
    }
}

fn begin<N: Notices>(world: &Shared<'_>, power: &mut impl Power, notices: &mut N) {
    let mut world = world.borrow_mut();
    if N::AWAITS_STATUS {
        world.pins.status = notices.status();
        world.awaits_status();
    }
    world.begin(now());
    world.pins.has_power_key = power.has_power_key();
    world.pins.has_reset = power.has_reset();
    world.pins.can_sleep = power.has_sleep();
}

/// Feeds bytes from the UART to the engine. Ends only when the UART fails.
#[expect(
    clippy::manual_async_fn,
    reason = "the future of an `async fn` holds each argument twice"
)]
fn receive<E: Protocol, R: Read, N: Notices>(
    engine: &RefCell<E>,
    world: &Shared<'_>,
    uart: &mut R,
    reception: &Cell<Reception>,
) -> impl Future<Output = RunError> {
    async move {
        let mut buf = [0; 128];
        let mut errors = 0;
        loop {
            let read = uart.read(&mut buf);
            let read = if N::SWITCHES {
                match select(read, wait_stop_asked(reception)).await {
                    Either::First(read) => read,
                    Either::Second(()) => {
                        wait_resumed(reception).await;
                        continue;
                    }
                }
            } else {
                read.await
            };
            let count = match read {
                Ok(0) => return RunError::Eof,
                Ok(count) => count,
                // Break and framing errors come with every power cycle of a modem. Only a UART that gives nothing
                // but errors is broken. The protocol notices lost bytes.
                Err(_) if errors < READ_ERRORS => {
                    errors += 1;
                    Timer::after_millis(10).await;
                    continue;
                }
                Err(error) => return RunError::Read(error.kind()),
            };
            errors = 0;
            let mut taken = 0;
            {
                let counters = &mut world.borrow_mut().counters;
                counters.received = counters.received.wrapping_add(count as u32);
            }
            while taken < count {
                poll_fn(|_| {
                    let (mut engine, mut world) = (engine.borrow_mut(), world.borrow_mut());
                    // The engine's next tick, or a user that reads, makes room and wakes this task.
                    if !engine.wants_input(&world) {
                        return Poll::Pending;
                    }
                    world.now = now();
                    taken += engine.feed(&mut world, &buf[taken..count]);
                    Poll::Ready(())
                })
                .await;
            }
        }
    }
}

/// Calls the engine at its deadlines and after each change of the world, and drives the pins. It never ends.
fn conduct<E: Protocol, P: Power, N: Notices>(
    board: &mut Board<'_, '_, E, P>,
) -> impl Future<Output = RunError> {
    poll_fn(|cx| {
        let time = now();
        let (mut engine, mut world) = (board.engine.borrow_mut(), board.world.borrow_mut());
        world.now = time;
        if !N::AWAITS_STATUS {
            world.pins.status = board.power.status();
        } else if world.pins.status != board.driven.status {
            board.driven.status = world.pins.status;
            engine.status_changed(&mut world);
        }
        let wanted = engine.wants_input(&world);
        let next = engine.tick(&mut world);
        if !wanted && engine.wants_input(&world) {
            // The receiver was polled before this, and must be polled again.
            cx.waker().wake_by_ref();
        }
        drive(&mut world, &mut board.driven, board.power);
        world.runner.register(cx.waker());
        drop((engine, world));
        let left = next.wrapping_sub(time) as i32;
        let left = u64::try_from(left).unwrap_or(0);
        wake_at(Instant::now() + Duration::from_millis(left), cx);
        Poll::Pending
    })
}

/// Drives the pins whose wanted state has changed.
fn drive(world: &mut World<'_>, driven: &mut super::PinState, power: &mut impl Power) {
    let pins = &mut world.pins;
    if pins.power_key != driven.power_key {
        power.power_key(pins.power_key);
    }
    if pins.reset != driven.reset {
        power.reset(pins.reset);
    }
    if pins.asleep != driven.asleep {
        power.sleep(pins.asleep);
    }
    if pins.speed != driven.speed {
        pins.speed_refused = !power.set_speed(pins.speed);
    }
    *driven = *pins;
}

/// Writes the engine's output to the UART. Ends only when the UART fails.
#[expect(
    clippy::manual_async_fn,
    reason = "the future of an `async fn` holds each argument twice"
)]
fn transmit<E: Protocol, W: Write>(
    engine: &RefCell<E>,
    world: &Shared<'_>,
    uart: &mut W,
) -> impl Future<Output = RunError> {
    async move {
        let mut buf = [0; 64];
        loop {
            // No waker is registered here: all futures of the runner are polled with the waker of one task, which `conduct`
            // registers with the world. None of them may get a waker of its own.
            let (count, generation, turn) = poll_fn(|_| {
                let (mut engine, mut world) = (engine.borrow_mut(), world.borrow_mut());
                match engine.next_out(&mut world, &mut buf) {
                    0 => Poll::Pending,
                    count => Poll::Ready((count, world.generation, engine.out_turn())),
                }
            })
            .await;
            #[cfg(feature = "tap")]
            let what = engine.borrow().tap_next(&world.borrow());
            // A write that flow control holds back is given up when the modem restarts.
            let void = poll_fn(|_| {
                if world.borrow().generation == generation {
                    Poll::Pending
                } else {
                    Poll::Ready(())
                }
            });
            let write = async {
                uart.write_all(&buf[..count]).await?;
                let drained = {
                    let (mut engine, mut world) = (engine.borrow_mut(), world.borrow_mut());
                    #[cfg(feature = "tap")]
                    if let Some(tap) = world.tap {
                        tap.sent(what, &buf[..count]);
                    }
                    if world.generation == generation && engine.out_turn() == turn {
                        world.now = now();
                        engine.out_done(&mut world, count);
                    }
                    // The engine's next work may be due at once.
                    world.wake_runner();
                    engine.is_drained()
                };
                if drained { uart.flush().await } else { Ok(()) }
            };
            if let Either::First(Err(error)) = select(write, void).await {
                return RunError::Write(error.kind());
            }
        }
    }
}
