//! A driver of TI's network processors in tasks of its own, with any number of sockets, whose polls are counted: so that a driver which keeps
//! itself busy is seen.

use std::cell::Cell;
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::rc::Rc;

use sectag::modem::Full;
use sectag::{Control, State};
use sectag_cc3200::nwp::spi::Link;
use sectag_cc3200::nwp::{Generation, Nwp, Wiring};
use tokio::task::spawn_local;

use crate::bench::Bench;
use crate::cc31xx::{CONFIG, pins};
use crate::simulated::World;

/// The driver in its tasks, which end with the run in virtual time.
pub struct Driven<M: Full + 'static> {
    /// Control of the chip.
    pub control: Control<'static, M>,
    polls: Rc<Cell<u64>>,
}

impl<M: Full> Driven<M> {
    /// What the helpers of tests take.
    pub fn bench(&self) -> Bench<M> {
        Bench {
            control: self.control,
        }
    }

    /// How often the driver was polled so far. Wakes that come before one poll count as one.
    pub fn polls(&self) -> u64 {
        self.polls.get()
    }
}

/// Spawns a task of the driver, which never ends, and counts its polls.
fn spawn_counted<T>(polls: &Rc<Cell<u64>>, task: impl Future<Output = T> + 'static) {
    let polls = polls.clone();
    spawn_local(async move {
        let mut task = pin!(task);
        poll_fn(|cx| {
            polls.set(polls.get() + 1);
            task.as_mut().poll(cx)
        })
        .await;
        panic!("a task of the driver has ended");
    });
}

/// Spawns a driver on a UART with nHIB wired.
pub fn on_uart<M: Full + 'static, const SOCKETS: usize, const RX: usize, const TX: usize>(
    world: &World,
    state: &'static mut State<'static, M, SOCKETS, RX, TX>,
    backend: M,
) -> Driven<M> {
    let (rx, tx, serve) = world.modem.uart();
    spawn_local(serve);
    let (control, mut runner) = sectag::new(state, backend, rx, tx, pins(&world.modem));
    let polls = Rc::default();
    spawn_counted(&polls, async move { runner.run().await });
    Driven { control, polls }
}

/// Spawns a driver of the native protocol on an SPI, whose task counts too.
pub fn on_spi<G: Generation, const SOCKETS: usize, const RX: usize, const TX: usize>(
    world: &World,
    state: &'static mut State<'static, Nwp<G>, SOCKETS, RX, TX>,
) -> Driven<Nwp<G>> {
    let modem = world.modem.clone();
    spawn_local(async move { modem.serve_spi().await });
    let spi = world.modem.spi();
    // Leaked, as a firmware's statics are.
    let link = Box::leak(Box::new(Link::new()));
    let hib = world.modem.reset_line();
    let (mut bus, rx, tx, hib) = link.split(spi.clone(), spi.host_intr(), hib);
    let backend = Nwp::<G>::new(CONFIG.wiring(Wiring::Spi));
    let (control, mut runner) = sectag::new(state, backend, rx, tx, hib);
    let polls = Rc::default();
    spawn_counted(&polls, async move { runner.run().await });
    spawn_counted(&polls, async move { bus.run().await });
    Driven { control, polls }
}

/// Spawns a driver of the native protocol on either.
pub fn on<G: Generation, const SOCKETS: usize, const RX: usize, const TX: usize>(
    wiring: Wiring,
    world: &World,
    state: &'static mut State<'static, Nwp<G>, SOCKETS, RX, TX>,
) -> Driven<Nwp<G>> {
    match wiring {
        Wiring::Uart => on_uart(world, state, Nwp::new(CONFIG)),
        Wiring::Spi => on_spi(world, state),
    }
}
