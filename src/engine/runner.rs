//! The only asynchronous part of the driver: the UART, the pins and the clock around a protocol.

use core::cell::{Cell, RefCell};
use core::future::{Future, poll_fn};
use core::pin::pin;
use core::task::Poll;

use embassy_futures::select::{Either, Either4, select, select4};
use embassy_time::{Duration, Instant, Timer};
use embedded_io::Error as _;
use embedded_io_async::{Read, Write};

use super::notices::{Listens, Notices, left, listened};
use super::protocol::{Backend, Protocol};
use super::time::now;
use super::world::{Shared, World};
use crate::error::RunError;
use crate::power::{NoPin, Power};

/// Read errors in a row that are taken for noise on the line.
const READ_ERRORS: u8 = 100;

/// Owns the UART and the pins, and conducts every exchange. Spawn [`run`](Self::run) in a task of its own.
///
/// `N` is the pin by which the modem wakes the MCU, where one is wired: `Runner::with_notice_pin`.
pub struct Runner<'a, M: Backend, R, W, P, N = NoPin> {
    pub(crate) engine: &'a RefCell<M::Engine>,
    pub(crate) world: &'a Shared<'a>,
    pub(crate) uart_rx: R,
    pub(crate) uart_tx: W,
    pub(crate) power: P,
    pub(crate) notices: N,
}

impl<M: Backend, R: Read, W: Write, P: Power, N: Notices> Runner<'_, M, R, W, P, N> {
    /// Runs until the UART fails, which most firmware takes as a reason to reset.
    ///
    /// Dropping the future, like its return, resets every socket; it may then be called again, and
    /// brings the modem up anew.
    pub async fn run(&mut self) -> RunError {
        let Self {
            engine,
            world,
            uart_rx,
            uart_tx,
            power,
            notices,
        } = self;
        begin(world, power);
        let wired = if M::WAKE_BY_KEY {
            power.has_power_key()
        } else {
            power.has_sleep()
        };
        let mut board = Board {
            engine: *engine,
            world,
            driven: world.borrow().pins,
            power,
        };
        let listens = Cell::new(Listens::Yes);
        // Receiving first, so that news of a reset is seen before more is sent.
        let receive = receive::<_, _, N>(*engine, world, uart_rx, &listens);
        let conduct = conduct(&mut board);
        let transmit = transmit(*engine, world, uart_tx);
        // Last, so that it sees what the others have done.
        let rest = notices.rest(wired, world, &listens);
        match select4(receive, conduct, transmit, rest).await {
            Either4::First(error) | Either4::Second(error) | Either4::Third(error) => error,
            Either4::Fourth(never) => match never {},
        }
    }
}

/// The pins while the runner runs. When it stops, the protocol is told, and no pin stays pressed.
struct Board<'p, 'a, E: Protocol, P: Power> {
    engine: &'a RefCell<E>,
    world: &'a Shared<'a>,
    /// How the pins were driven last.
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

fn begin(world: &Shared<'_>, power: &mut impl Power) {
    let mut world = world.borrow_mut();
    world.begin(now());
    world.pins.has_power_key = power.has_power_key();
    world.pins.has_reset = power.has_reset();
    world.pins.can_sleep = power.has_sleep();
}

/// Takes in bytes for ever; returns when the UART fails.
async fn receive<E: Protocol, R: Read, N: Notices>(
    engine: &RefCell<E>,
    world: &Shared<'_>,
    uart: &mut R,
    listens: &Cell<Listens>,
) -> RunError {
    let mut buf = [0; 128];
    let mut errors = 0;
    loop {
        let read = uart.read(&mut buf);
        let read = if N::SWITCHES {
            match select(read, left(listens)).await {
                Either::First(read) => read,
                Either::Second(()) => {
                    listened(listens).await;
                    continue;
                }
            }
        } else {
            read.await
        };
        let count = match read {
            Ok(0) => return RunError::Eof,
            Ok(count) => count,
            // Break and framing errors come with every power cycle of a modem; only a UART that
            // does nothing else is broken. What was lost is found out by the protocol.
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
                // Whatever makes room wakes this task.
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

/// Lets the engine do what is due, and drives the pins as it says.
async fn conduct<E: Protocol, P: Power>(board: &mut Board<'_, '_, E, P>) -> RunError {
    let mut timer = Timer::at(Instant::MIN);
    let Board {
        engine,
        world,
        driven,
        power,
    } = board;
    poll_fn(|cx| {
        loop {
            let time = now();
            let (mut engine, mut world) = (engine.borrow_mut(), world.borrow_mut());
            world.now = time;
            world.pins.status = power.status();
            let wanted = engine.wants_input(&world);
            let next = engine.tick(&mut world);
            if !wanted && engine.wants_input(&world) {
                // The task that takes input in was polled before.
                cx.waker().wake_by_ref();
            }
            drive(&mut world, driven, *power);
            world.runner.register(cx.waker());
            drop((engine, world));
            let left = next.wrapping_sub(time) as i32;
            let left = u64::try_from(left).unwrap_or(0);
            timer = Timer::at(Instant::now() + Duration::from_millis(left));
            if pin!(&mut timer).poll(cx).is_pending() {
                return Poll::<RunError>::Pending;
            }
        }
    })
    .await
}

/// Drives the pins that are to be otherwise than they were.
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

/// Puts bytes out for ever; returns when the UART fails.
async fn transmit<E: Protocol, W: Write>(
    engine: &RefCell<E>,
    world: &Shared<'_>,
    uart: &mut W,
) -> RunError {
    let mut buf = [0; 64];
    loop {
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
        // A UART held back by flow control must not outlast the modem it belonged to.
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
                // What follows may be due at once.
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
