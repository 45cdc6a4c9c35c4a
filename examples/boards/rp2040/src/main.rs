//! Raspberry Pi Pico (RP2040) with a BG96 on UART0: GPIO0 to its RXD, GPIO1 to its TXD, GPIO2 to PWRKEY through a
//! transistor.
#![no_std]
#![no_main]

use defmt_rtt as _;
use embassy_executor::Spawner;
use embassy_rp::gpio::{Level, Output};
use embassy_rp::uart::{
    BufferedInterruptHandler, BufferedUart, BufferedUartRx, BufferedUartTx, Config as Uart,
};
use embassy_rp::{bind_interrupts, peripherals};
use panic_probe as _;
use sectag::{Pins, Runner, State};
use sectag_bg96::{Bg96, Config};
use static_cell::ConstStaticCell;

bind_interrupts!(struct Irqs {
    UART0_IRQ => BufferedInterruptHandler<peripherals::UART0>;
});

// One socket, 1 KiB each way. Without flow control the UART's buffer must hold one fetch and 128 bytes.
static STATE: ConstStaticCell<State<'static, Bg96, 1, 1024, 1024>> =
    ConstStaticCell::new(State::new());
static UART_RX: ConstStaticCell<[u8; 1152]> = ConstStaticCell::new([0; 1152]);
static UART_TX: ConstStaticCell<[u8; 64]> = ConstStaticCell::new([0; 64]);

#[embassy_executor::main]
async fn main(spawner: Spawner) {
    let p = embassy_rp::init(Default::default());
    let uart = BufferedUart::new(
        p.UART0,
        p.PIN_0,
        p.PIN_1,
        Irqs,
        UART_TX.take(),
        UART_RX.take(),
        // 115200 baud.
        Uart::default(),
    );
    let (tx, rx) = uart.split();
    let pins = Pins::new().with_power_key(Output::new(p.PIN_2, Level::Low));
    let (modem, runner) = sectag::new(STATE.take(), Bg96::new(Config::new()), rx, tx, pins);
    spawner.spawn(defmt::unwrap!(modem_task(runner)));
    sectag_boards_app::run(modem, 1).await
}

/// Owns the UART. Ends only if the UART itself fails.
#[embassy_executor::task]
async fn modem_task(
    mut runner: Runner<'static, Bg96, BufferedUartRx, BufferedUartTx, Pins<Output<'static>>>,
) {
    let reason = runner.run().await;
    defmt::panic!("the modem's UART: {}", reason);
}
