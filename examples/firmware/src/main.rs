//! A counter out, a command in: MQTT with mutual TLS, made by a modem on a UART.
//!
//! Publishes to `sectag/counter` once a second. A message on `sectag/command` is answered on
//! `sectag/report` with the figures of this run; the command `stop` ends it.
//!
//! What is particular to this board is in `board/`; what is particular to the modem is in `modem.rs`: the
//! driver's type, its configuration and a ring's size. The rest is one for all.
#![no_std]
#![no_main]

use embassy_executor::Spawner;
use embassy_futures::select::{Either, select};
use embassy_time::{Duration, Ticker, Timer, with_timeout};
use heapless::String;
use minimq::{
    Buffers, ConfigBuilder, Op, Publication, QoS, Session, SubscriptionOptions, TopicFilter,
};
use sectag::{CaScope, Control, NoPins, Runner, ServerName, Socket, State, Tag, TlsConfig};
use sectag_firmware::board::uart::{UartRx, UartTx};
use sectag_firmware::board::{Board, exit, stack};
use sectag_firmware::println;
use static_cell::ConstStaticCell;

use crate::modem::{Driver, RECEIVE};
use crate::text::append;

mod modem;
#[cfg(feature = "provision")]
mod provision;
mod text;
#[cfg(feature = "jwt")]
mod token;

/// The broker. The name is what the modem resolves and sends as SNI.
const BROKER: ServerName<'_> = ServerName::from_static("broker.sectag.test");
const PORT: u16 = 8883;
const CLIENT_ID: &str = "sectag-firmware";

/// The set of credentials to use. Their CA signs nothing but our own brokers, so that a modem which is not
/// known to check a server's name will do, such as the BG96.
const TAG: Tag = Tag(7);
const TLS: TlsConfig = TlsConfig::new(TAG)
    .client_certificate()
    .ca_scope(CaScope::Private);

/// The driver's memory: one TLS socket, with 1 KiB for what is sent. All else is in the task's future.
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

    // A handle of the modem, and the runner, which does the work in a task of its own.
    let (modem, runner) = sectag::new(STATE.take(), modem::driver(), rx, tx, NoPins);
    match modem_task(runner) {
        Ok(token) => spawner.spawn(token),
        Err(_) => exit::failure(),
    }

    // The modem keeps credentials: they are stored once, at the factory, and not by the firmware that
    // ships. See the feature `provision`.
    #[cfg(feature = "provision")]
    if let Err(reason) = provision::run(modem, TAG).await {
        println!("provisioning: {reason}");
        exit::failure();
    }

    // No network tells these chips the time: it comes from the board's clock.
    #[cfg(any(feature = "cc31xx", feature = "cc32xx"))]
    modem::set_clock(modem).await;

    // The session outlives its connections: minimq repeats what was not acknowledged.
    let (mut received, mut sent) = ([0; 256], [0; 512]);
    let buffers = Buffers::new(&mut received, &mut sent);
    let config = ConfigBuilder::new(buffers)
        .keepalive_interval(60)
        .session_expiry_interval(300);
    let Ok(config) = config.client_id(CLIENT_ID) else {
        exit::failure()
    };
    #[cfg(feature = "jwt")]
    let config = {
        let token = token::make(modem).await.unwrap_or_else(|reason| {
            println!("token: {reason}");
            exit::failure()
        });
        // Brokers that take tokens ignore the name, or say which one they want.
        config
            .auth("unused", token.as_bytes())
            .unwrap_or_else(|_| exit::failure())
    };
    let mut session = Session::new(config);
    let mut counter = 0;
    loop {
        match connect_and_serve(modem, &mut session, &mut counter).await {
            Ok(()) => exit::success(),
            Err(reason) => println!("{reason}; trying again"),
        }
        Timer::after_secs(2).await;
    }
}

/// Owns the UART. Ends only if the UART itself fails.
#[embassy_executor::task]
async fn modem_task(mut runner: Runner<'static, Driver, UartRx, UartTx, NoPins>) {
    let reason = runner.run().await;
    println!("the modem's UART: {reason}");
    exit::failure();
}

/// One connection, from TLS to the command that ends it.
async fn connect_and_serve(
    modem: Control<'static, Driver>,
    session: &mut Session<'_>,
    counter: &mut u32,
) -> Result<(), &'static str> {
    let socket: Socket<'static> = modem.connect(BROKER, PORT, &TLS).await.map_err(|reason| {
        println!("{reason}");
        "no TLS connection"
    })?;
    // minimq waits for the broker without a limit of its own.
    let connected = with_timeout(Duration::from_secs(30), session.connect(socket)).await;
    let mut mqtt = connected
        .map_err(|_| "the broker does not answer")?
        .map_err(|_| "no MQTT connection")?;

    let options = SubscriptionOptions::default().maximum_qos(QoS::AtLeastOnce);
    let filter = [TopicFilter::new("sectag/command").options(options)];
    mqtt.subscribe(&filter, &[])
        .await
        .map_err(|_| "the subscription was not sent")?;

    let mut second = Ticker::every(Duration::from_secs(1));
    let mut unacknowledged: Option<Op> = None;
    loop {
        // What came, if anything: whether the command is to stop.
        let command = match select(mqtt.poll(), second.next()).await {
            Either::First(Ok(Some(message))) => Some(message.payload() == b"stop"),
            Either::First(Ok(None)) => continue,
            Either::First(Err(_)) => return Err("the MQTT connection ended"),
            Either::Second(()) => None,
        };
        let busy = unacknowledged
            .as_ref()
            .is_some_and(|op| mqtt.is_pending(op));
        let mut text = String::<96>::new();
        let topic = if command.is_some() {
            let (peak, size) = (stack::peak_bytes(), stack::size_bytes());
            let exchanges = modem.counters().exchanges;
            append(&mut text, "stack ", peak as u32);
            append(&mut text, " of ", size as u32);
            append(&mut text, ", exchanges ", exchanges);
            "sectag/report"
        } else if busy {
            // The last one is still on its way: this second is left out.
            continue;
        } else {
            *counter += 1;
            append(&mut text, "", *counter);
            "sectag/counter"
        };
        let publication = Publication::bytes(topic, text.as_bytes()).qos(QoS::AtLeastOnce);
        unacknowledged = mqtt
            .publish(publication)
            .await
            .map_err(|_| "a message was not sent")?;
        if command == Some(true) {
            while unacknowledged
                .as_ref()
                .is_some_and(|op| mqtt.is_pending(op))
            {
                mqtt.poll()
                    .await
                    .map_err(|_| "the report was not acknowledged")?;
            }
            let _ = mqtt.disconnect().await;
            return Ok(());
        }
    }
}
