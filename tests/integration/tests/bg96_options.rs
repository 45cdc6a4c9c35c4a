//! The BG96 backend with parts left out by type: what is left does the same, command by command.

use embassy_futures::select::{Either3, select3};
use embedded_io_adapters::tokio_1::FromTokio;
use embedded_io_async::{Read, Write};
use sectag::{BringUpError, Control, NoPins, State};
use sectag_bg96::{All, Bg96, Config, Options};
use sectag_integration_tests::simulated::{HOST, PORT, TLS, World, store_shared, virtually};
use sectag_simulator::{Options as Behaviour, Sim};
use sectag_test_support::tls_server::echo;

/// Types that leave out one part each.
macro_rules! without {
    ($($name:ident: $part:ident;)*) => {
        $(
            struct $name;
            impl Options for $name {
                const $part: bool = false;
            }
        )*
    };
}

without! {
    NoDiscovery: DISCOVERY;
    NoEscalation: ESCALATION;
    NoNtp: NTP;
    NoPin: PIN;
    NoPinsUsed: PINS;
    NoPush: PUSH;
}

/// What is left once credentials are stored by commands.
struct NothingElse;

impl Options for NothingElse {
    const DISCOVERY: bool = false;
    const ESCALATION: bool = false;
    const NTP: bool = false;
    const PIN: bool = false;
    const PINS: bool = false;
    const PUSH: bool = false;
}

/// What a driver with these parts says to a modem that behaves so, from its start to a message that came back.
async fn said<O: Options>(behaviour: Behaviour) -> (Vec<String>, Result<(), BringUpError>) {
    let world = World::new(behaviour);
    world.serve(echo);
    let (host, device) = tokio::io::duplex(4096);
    let (rx, tx) = tokio::io::split(host);
    let backend = Bg96::<O>::new(Config::choosing());
    let state: &'static mut State<'static, Bg96<O>, 1, 1024, 1024> =
        Box::leak(Box::new(State::new()));
    let (control, mut runner) = sectag::new(
        state,
        backend,
        FromTokio::new(rx),
        FromTokio::new(tx),
        NoPins,
    );
    let serve = world.modem.serve(device);
    let result = match select3(serve, runner.run(), application(control)).await {
        Either3::First(end) => panic!("the modem ended: {end:?}"),
        Either3::Second(error) => panic!("the runner ended: {error}"),
        Either3::Third(result) => result,
    };
    (world.commands(), result)
}

async fn application<O: Options>(control: Control<'static, Bg96<O>>) -> Result<(), BringUpError> {
    control.wait_up().await?;
    store_shared(control, TLS.tag()).await;
    let mut socket = control.connect(HOST, PORT, &TLS).await.unwrap();
    socket.write_all(b"message").await.unwrap();
    socket.flush().await.unwrap();
    let mut back = [0; 7];
    socket.read_exact(&mut back).await.unwrap();
    assert_eq!(&back, b"message");
    socket.close().await.unwrap();
    Ok(())
}

#[test]
fn leaving_a_part_out_changes_no_other_command() {
    virtually(async || {
        let (whole, result) = said::<All>(Behaviour::default()).await;
        assert_eq!(result, Ok(()));
        let list = |line: &String| line == "AT+QSSLCFG=?";
        assert_eq!(whole.iter().filter(|line| list(line)).count(), 1);
        // Date and time of day are not the same twice.
        let without = |lines: &[String], left_out: bool| -> Vec<String> {
            let keep = |line: &&String| !(left_out && list(line) || line.starts_with("AT+CCLK=\""));
            lines.iter().filter(keep).cloned().collect()
        };
        for (name, said, left_out) in [
            (
                "discovery",
                said::<NoDiscovery>(Behaviour::default()).await,
                true,
            ),
            (
                "escalation",
                said::<NoEscalation>(Behaviour::default()).await,
                false,
            ),
            ("NTP", said::<NoNtp>(Behaviour::default()).await, false),
            ("PIN", said::<NoPin>(Behaviour::default()).await, false),
            (
                "pins",
                said::<NoPinsUsed>(Behaviour::default()).await,
                false,
            ),
            ("push", said::<NoPush>(Behaviour::default()).await, false),
            ("all", said::<NothingElse>(Behaviour::default()).await, true),
        ] {
            assert_eq!(said.1, Ok(()), "{name}");
            assert_eq!(
                without(&said.0, false),
                without(&whole, left_out),
                "without {name}"
            );
        }
    });
}

#[test]
fn locked_sim_is_named_without_the_part_that_unlocks_it() {
    virtually(async || {
        let locked = Behaviour {
            sim: Sim::PinRequired("1234".into()),
            ..Behaviour::default()
        };
        let (lines, result) = said::<NothingElse>(locked).await;
        assert_eq!(result, Err(BringUpError::SimLocked));
        assert!(!lines.iter().any(|line| line.starts_with("AT+CPIN=")));
    });
}
