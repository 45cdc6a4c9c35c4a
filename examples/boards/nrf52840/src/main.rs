//! nRF52840 DK with an nRF9160 that runs Serial LTE Modem, on UARTE0 with RTS and CTS, and its wake pin wired directly
//! (active low). Two sockets, in two tasks.
#![no_std]
#![no_main]

use defmt_rtt as _;
use embassy_executor::Spawner;
use embassy_nrf::buffered_uarte::{self, BufferedUarte, BufferedUarteRx, BufferedUarteTx};
use embassy_nrf::gpio::{Level, Output, OutputDrive};
use embassy_nrf::uarte::{Baudrate, Config as Uart};
use embassy_nrf::{bind_interrupts, peripherals};
use panic_probe as _;
use sectag::{Control, Pins, Runner, State};
use sectag_nrf9160::{Config, Nrf9160};
use static_cell::ConstStaticCell;

bind_interrupts!(struct Irqs {
    UARTE0 => buffered_uarte::InterruptHandler<peripherals::UARTE0>;
});

type Modem = Nrf9160;
type BoardPins = Pins<Output<'static>>;

// Two sockets. This modem hands over up to 2 KiB at once.
static STATE: ConstStaticCell<State<'static, Modem, 2, 2048, 1024>> =
    ConstStaticCell::new(State::new());
static UART_RX: ConstStaticCell<[u8; 256]> = ConstStaticCell::new([0; 256]);
static UART_TX: ConstStaticCell<[u8; 64]> = ConstStaticCell::new([0; 64]);

#[embassy_executor::main]
async fn main(spawner: Spawner) {
    let p = embassy_nrf::init(Default::default());
    let mut uart = Uart::default();
    uart.baudrate = Baudrate::Baud115200;
    let (rx, tx) = BufferedUarte::new_with_rtscts(
        p.UARTE0,
        p.TIMER0,
        p.PPI_CH0,
        p.PPI_CH1,
        p.PPI_GROUP0,
        p.P1_11,
        p.P1_12,
        p.P1_13,
        p.P1_14,
        Irqs,
        uart,
        UART_RX.take(),
        UART_TX.take(),
    )
    .split();
    let wake = Output::new(p.P1_10, Level::High, OutputDrive::Standard);
    let pins = Pins::new().with_power_key(wake).active_low();
    let (modem, runner) = sectag::new(
        STATE.take(),
        Modem::new(Config::new().flow_control()),
        rx,
        tx,
        pins,
    );
    spawner.spawn(defmt::unwrap!(modem_task(runner)));
    spawner.spawn(defmt::unwrap!(second(modem)));
    sectag_boards_app::run(modem, 1).await
}

/// The other socket's task.
#[embassy_executor::task]
async fn second(modem: Control<'static, Modem>) {
    sectag_boards_app::run(modem, 2).await
}

/// Owns the UART. Ends only if the UART itself fails.
#[embassy_executor::task]
async fn modem_task(
    mut runner: Runner<
        'static,
        Modem,
        BufferedUarteRx<'static>,
        BufferedUarteTx<'static>,
        BoardPins,
    >,
) {
    let reason = runner.run().await;
    defmt::panic!("the modem's UART: {}", reason);
}
