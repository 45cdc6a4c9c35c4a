//! Blue Pill (STM32F103C8) with a BG96 on USART2: PA2 to its RXD, PA3 to its TXD, PB0 to PWRKEY and PB1 to RESET_N through
//! transistors.
#![no_std]
#![no_main]

use defmt_rtt as _;
use embassy_executor::Spawner;
use embassy_stm32::gpio::{Level, Output, Speed};
use embassy_stm32::usart::{
    BufferedInterruptHandler, BufferedUart, BufferedUartRx, BufferedUartTx, Config as Uart,
};
use embassy_stm32::{bind_interrupts, peripherals};
use panic_probe as _;
use sectag::{Pins, Runner, State};
use sectag_bg96::{Bg96, Config};
use static_cell::ConstStaticCell;

bind_interrupts!(struct Irqs {
    USART2 => BufferedInterruptHandler<peripherals::USART2>;
});

type BoardPins = Pins<Output<'static>, Output<'static>>;

// One socket. Of 20 KiB of RAM, rings of 512 bytes leave room for an application. Without flow control the UART's
// buffer must hold one fetch and 128 bytes.
static STATE: ConstStaticCell<State<'static, Bg96, 1, 512, 512>> =
    ConstStaticCell::new(State::new());
static UART_RX: ConstStaticCell<[u8; 640]> = ConstStaticCell::new([0; 640]);
static UART_TX: ConstStaticCell<[u8; 64]> = ConstStaticCell::new([0; 64]);

#[embassy_executor::main]
async fn main(spawner: Spawner) {
    let p = embassy_stm32::init(Default::default());
    let mut uart = Uart::default();
    uart.baudrate = 115_200;
    let (tx, rx) = defmt::unwrap!(BufferedUart::new(
        p.USART2,
        p.PA3,
        p.PA2,
        UART_TX.take(),
        UART_RX.take(),
        Irqs,
        uart
    ))
    .split();
    let pins = Pins::new()
        .with_power_key(Output::new(p.PB0, Level::Low, Speed::Low))
        .with_reset(Output::new(p.PB1, Level::Low, Speed::Low));
    let (modem, runner) = sectag::new(STATE.take(), Bg96::new(Config::new()), rx, tx, pins);
    spawner.spawn(defmt::unwrap!(modem_task(runner)));
    sectag_boards_app::run(modem, 1).await
}

/// Owns the UART. Ends only if the UART itself fails.
#[embassy_executor::task]
async fn modem_task(
    mut runner: Runner<'static, Bg96, BufferedUartRx<'static>, BufferedUartTx<'static>, BoardPins>,
) {
    let reason = runner.run().await;
    defmt::panic!("the modem's UART: {}", reason);
}
