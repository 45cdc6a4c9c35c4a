//! What the nRF9160 said and nobody heard: the banner of a restart, and the answer to a close.

use std::cell::Cell;
use std::rc::Rc;

use embassy_futures::join::join;
use embassy_time::{Duration, Timer, with_timeout};
use embedded_io_async::Read;
use sectag::SocketError;
use sectag_integration_tests::nrf9160::{
    World, connect, label, options, provision, round_trip, usable,
};
use sectag_integration_tests::simulated::virtually;
use sectag_simulator::Reaction;
use sectag_test_support::tls_server::echo;

/// What names a socket that there is.
fn uses_a_handle(line: &str) -> bool {
    const NAMES: [&str; 7] = [
        "AT#XSEND",
        "AT#XRECV",
        "AT#XPOLL=",
        "AT#XCLOSE=",
        "AT#XSOCKETSELECT=",
        "AT#XSSOCKETOPT=",
        "AT#XCONNECT=",
    ];
    NAMES.iter().any(|name| line.starts_with(name))
}

/// The modem says that it sends no numbers with its errors, which bring-up had asked for: so it has started
/// anew, and that is not asked a second time.
#[test]
fn a_restart_without_a_banner_is_known_by_the_first_answer() {
    for profile in usable() {
        let name = label(&profile);
        virtually(async || {
            let world = World::new(options(profile));
            world.serve(echo);
            let deaf = Rc::new(Cell::new(false));
            world
                .attach_deaf(deaf.clone(), async |bench| {
                    provision(bench).await;
                    let mut socket = connect(bench).await.unwrap();
                    assert_eq!(
                        round_trip(&mut socket, b"before").await,
                        b"before",
                        "{name}"
                    );
                    world.modem.take_commands();
                    deaf.set(true);
                    world.modem.reset();
                    let hears_again = async {
                        Timer::after_secs(1).await;
                        deaf.set(false);
                    };
                    // It is starting when it is asked.
                    let mut lines = |_: &[u8]| {};
                    let limit = Duration::from_secs(2);
                    let asked = bench.control.raw_at("AT+CGMM", limit, &mut lines);
                    let (asked, ()) = join(asked, hears_again).await;
                    assert!(asked.is_err(), "{name}");
                    let lost =
                        with_timeout(Duration::from_secs(10), socket.read(&mut [0; 8])).await;
                    assert_eq!(lost, Ok(Err(SocketError::ConnectionReset)), "{name}");
                    drop(socket);
                    let mut socket = connect(bench)
                        .await
                        .unwrap_or_else(|error| panic!("{name}: {error}"));
                    let commands = world.commands();
                    let until = commands.iter().position(|line| line == "AT");
                    let before = &commands[..until.expect("it is brought up")];
                    assert_eq!(before, ["AT+CMEE?"], "{name}");
                    let opened = commands
                        .iter()
                        .position(|line| line.starts_with("AT#XSSOCKET="));
                    let stale = commands[..opened.expect("it is opened")]
                        .iter()
                        .find(|line| uses_a_handle(line));
                    assert_eq!(stale, None, "{name}: a handle of the earlier life");
                    assert_eq!(round_trip(&mut socket, b"again").await, b"again", "{name}");
                    assert_eq!(bench.control.counters().restarts, 1, "{name}");
                })
                .await;
        });
    }
}

/// Nobody asks anything but whether the connection is still there: it is not, and that is no end by the peer.
#[test]
fn a_restart_without_a_banner_is_no_end_of_a_quiet_connection() {
    for profile in usable() {
        let name = label(&profile);
        virtually(async || {
            let world = World::new(options(profile));
            world.serve(echo);
            let deaf = Rc::new(Cell::new(false));
            world
                .attach_deaf(deaf.clone(), async |bench| {
                    provision(bench).await;
                    let mut socket = connect(bench).await.unwrap();
                    assert_eq!(
                        round_trip(&mut socket, b"before").await,
                        b"before",
                        "{name}"
                    );
                    Timer::after_secs(5).await;
                    deaf.set(true);
                    world.modem.reset();
                    Timer::after_secs(1).await;
                    deaf.set(false);
                    let lost =
                        with_timeout(Duration::from_secs(150), socket.read(&mut [0; 8])).await;
                    assert_eq!(lost, Ok(Err(SocketError::ConnectionReset)), "{name}");
                    drop(socket);
                    let again = with_timeout(Duration::from_secs(60), connect(bench)).await;
                    let mut socket = again
                        .unwrap_or_else(|_| panic!("{name}"))
                        .unwrap_or_else(|error| panic!("{name}: {error}"));
                    assert_eq!(round_trip(&mut socket, b"again").await, b"again", "{name}");
                })
                .await;
        });
    }
}

/// A close was done and its answer lost; the modem gives the handle to the next connection, and the close,
/// which is to be done again, must not end that one.
#[test]
fn a_close_whose_answer_was_lost_ends_no_later_connection() {
    for profile in usable() {
        let name = label(&profile);
        virtually(async || {
            let world = World::new(options(profile));
            world.serve(echo);
            let deaf = Rc::new(Cell::new(false));
            let muffled = deaf.clone();
            let mut closed = false;
            world.modem.set_script(Box::new(move |line| {
                let closes = line.starts_with(b"AT#XCLOSE=") || line == b"AT#XSOCKET=0";
                if closes && !closed {
                    closed = true;
                    muffled.set(true);
                } else if line == b"AT+CMEE?" {
                    muffled.set(false);
                }
                Reaction::Normal
            }));
            world
                .attach_deaf(deaf.clone(), async |bench| {
                    provision(bench).await;
                    drop(connect(bench).await.unwrap());
                    Timer::after_millis(100).await;
                    assert!(deaf.get(), "{name}: the close is under way");
                    assert!(world.modem.open_sockets().is_empty(), "{name}: and done");
                    let next = with_timeout(Duration::from_secs(180), connect(bench)).await;
                    let mut socket = next
                        .unwrap_or_else(|_| panic!("{name}"))
                        .unwrap_or_else(|error| panic!("{name}: {error}"));
                    for _ in 0..5 {
                        assert_eq!(round_trip(&mut socket, b"mine").await, b"mine", "{name}");
                        Timer::after_secs(30).await;
                    }
                    assert_eq!(world.modem.open_sockets().len(), 1, "{name}");
                })
                .await;
        });
    }
}

/// The answer to an open was lost, and then that to the list of what is open: the next connection does not
/// make the driver forget that there is one too many.
#[test]
fn a_socket_whose_handle_was_lost_is_not_forgotten() {
    for profile in usable() {
        let name = label(&profile);
        virtually(async || {
            let world = World::new(options(profile));
            world.serve(echo);
            let deaf = Rc::new(Cell::new(false));
            let muffled = deaf.clone();
            let (mut opened, mut listed) = (false, false);
            world.modem.set_script(Box::new(move |line| {
                let opens = line.starts_with(b"AT#XSSOCKET=");
                let lists = opened && matches!(line, b"AT#XSSOCKET?" | b"AT#XSOCKETSELECT?");
                if opens && !opened || lists && !listed {
                    opened = true;
                    listed |= lists;
                    muffled.set(true);
                } else if line == b"AT+CMEE?" {
                    muffled.set(false);
                }
                Reaction::Normal
            }));
            world
                .attach_deaf(deaf.clone(), async |bench| {
                    provision(bench).await;
                    let first = connect(bench).await;
                    assert!(first.is_err(), "{name}: its handle is not known");
                    let next = with_timeout(Duration::from_secs(180), connect(bench)).await;
                    let mut socket = next
                        .unwrap_or_else(|_| panic!("{name}"))
                        .unwrap_or_else(|error| panic!("{name}: {error}"));
                    assert_eq!(round_trip(&mut socket, b"mine").await, b"mine", "{name}");
                    drop(socket);
                    Timer::after_secs(30).await;
                    assert!(world.modem.open_sockets().is_empty(), "{name}");
                })
                .await;
        });
    }
}
