//! Echoes what a server sends, over the TLS inside the modem. It is built to be measured, beside `echo_atat` and `ppp`, which
//! do so by other means: see `tests/firmware/comparison`.
#![no_std]
#![no_main]

use embassy_executor::Spawner;
use embedded_io_async::{Read, Write};
use sectag::{CaScope, NoPins, Runner, ServerName, State, Tag, TlsConfig};
use sectag_firmware::board::uart::{UartRx, UartTx};
use sectag_firmware::board::{Board, exit};
use static_cell::ConstStaticCell;

use crate::modem::{Driver, RECEIVE};

#[path = "../modem.rs"]
mod modem;

const SERVER: ServerName<'_> = ServerName::from_static("broker.sectag.test");
const PORT: u16 = 8883;
const TLS: TlsConfig = TlsConfig::new(Tag(7))
    .client_certificate()
    .ca_scope(CaScope::Private);

static STATE: ConstStaticCell<State<'static, Driver, 1, RECEIVE, 1024>> =
    ConstStaticCell::new(State::new());

#[embassy_executor::main(
    entry = "cortex_m_rt::entry",
    executor = "sectag_firmware::board::Executor"
)]
async fn main(spawner: Spawner) {
    let Some(board) = Board::take() else {
        exit::failure()
    };
    let (rx, tx) = board.uart.start(115_200);
    let (modem, runner) = sectag::new(STATE.take(), modem::driver(), rx, tx, NoPins);
    match modem_task(runner) {
        Ok(token) => spawner.spawn(token),
        Err(_) => exit::failure(),
    }
    let Ok(mut socket) = modem.connect(SERVER, PORT, &TLS).await else {
        exit::failure()
    };
    let mut bytes = [0; 64];
    loop {
        let Ok(count @ 1..) = socket.read(&mut bytes).await else {
            break;
        };
        let sent = socket.write_all(&bytes[..count]).await;
        if sent.is_err() || socket.flush().await.is_err() {
            break;
        }
    }
    match socket.close().await {
        Ok(_) => exit::success(),
        Err(_) => exit::failure(),
    }
}

#[embassy_executor::task]
async fn modem_task(mut runner: Runner<'static, Driver, UartRx, UartTx, NoPins>) {
    let _ = runner.run().await;
    exit::failure();
}
