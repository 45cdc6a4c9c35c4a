//! Faults of TI's network processors that take long to show, each ten times in a row in one session: what fails does so within its time
//! limit, the rest goes on, the chip is of use again afterwards, and the driver does not keep itself busy meanwhile.

use std::cell::Cell;
use std::io;
use std::rc::Rc;

use embassy_futures::join::{join, join3};
use embassy_futures::select::select;
use embassy_time::{Duration, Instant, Timer, with_timeout};
use embedded_io_async::{Read, Write};
use sectag::{BringUpError, ConnectError, Loss, ServerName, Socket, SocketError};
use sectag_cc3200::nwp::{G2, Nwp};
use sectag_integration_tests::Bench;
use sectag_integration_tests::cc31xx::{connect, provision, world};
use sectag_integration_tests::driven::Driven;
use sectag_integration_tests::recovery::round_trip;
use sectag_integration_tests::simulated::{PORT, TLS, World, virtually};
use sectag_integration_tests::ti::{Interface, Native};
use sectag_simulator::{Failure, NwpOptions};
use sectag_test_support::tls_server::TlsStream;
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};

/// Each of these is a test of both interfaces.
macro_rules! on_uart_and_spi {
    ($($name:ident)*) => {
        mod uart {
            $(#[test] fn $name() { super::$name::<super::Native<super::G2, false>>(); })*
        }

        mod spi {
            $(#[test] fn $name() { super::$name::<super::Native<super::G2, true>>(); })*
        }
    };
}

on_uart_and_spi! {
    a_chip_that_never_says_that_it_has_started_is_started_again
    a_pool_at_its_minimum_for_half_a_minute_holds_up_no_other_socket
    a_send_leaves_a_buffer_to_each_socket_that_will_ask_for_data
    a_connect_that_is_never_answered_ends_and_holds_up_no_other_socket
    a_close_with_a_recv_outstanding_ends_and_leaves_nothing_to_the_next_socket
    a_network_that_is_lost_under_three_sockets_is_joined_again
}

/// The number of times that each fault happens.
const TIMES: u32 = 10;
/// The opcodes of a recv, and of a command that shows whether a socket stands.
const RECV: u16 = 0x940a;
const LOOK: u16 = 0x9409;
/// The number of times a second that a driver looks whether the chip has buffers for a send.
const LOOKS_FOR_BUFFERS: u64 = 10;
/// The number of bytes to a peer that takes none: more than it, its network and the chip keep.
const MUCH: usize = 150_000;
/// The time for which that peer takes none.
const DEAF: Duration = Duration::from_secs(30);
/// A server that takes a connection and says nothing.
const SILENT: ServerName<'static> = match ServerName::new("silent.sectag.test") {
    Ok(name) => name,
    Err(_) => panic!("not a name"),
};

/// The number of bytes that fill a ring, and more.
const FILL: usize = 5000;

/// A chip beside a server that does what the first byte of a connection says: `e` echoes, `t` ticks once a second, `d` is deaf for a while
/// and then takes [`MUCH`] and answers with a byte, `f` sends [`FILL`] bytes, `g` does so and then ticks.
fn serving(options: NwpOptions) -> World {
    let world = world(options);
    world.serve(serve);
    world.network.register(SILENT.as_str(), PORT, |stream| {
        tokio::task::spawn_local(async move {
            std::future::pending::<()>().await;
            drop(stream);
        });
    });
    world
}

async fn serve(mut stream: TlsStream<DuplexStream>) -> io::Result<()> {
    let mut part = [0; 1000];
    let what = stream.read_u8().await?;
    if let b'f' | b'g' = what {
        stream.write_all(&[b'f'; FILL]).await?;
        stream.flush().await?;
    }
    match what {
        b't' | b'g' => loop {
            Timer::after_secs(1).await;
            stream.write_all(b".").await?;
            stream.flush().await?;
        },
        b'd' => {
            Timer::after(DEAF).await;
            let mut taken = 0;
            while taken < MUCH {
                taken += stream.read(&mut part).await?;
            }
            stream.write_all(b"!").await?;
            stream.flush().await?;
        }
        _ => {}
    }
    loop {
        let count = stream.read(&mut part).await?;
        if count == 0 {
            return Ok(());
        }
        stream.write_all(&part[..count]).await?;
        stream.flush().await?;
    }
}

type Chip = Nwp<G2>;

/// Connects, and says what the server is to do.
async fn connect_to(bench: Bench<Chip>, what: u8) -> Result<Socket<'static>, ConnectError> {
    let mut socket = connect(bench).await?;
    socket.write_all(&[what]).await.unwrap();
    socket.flush().await.unwrap();
    Ok(socket)
}

/// Reads ticks of the server for so many seconds, each in its second.
async fn read_ticks(socket: &mut Socket<'_>, seconds: usize) {
    let mut tick = [0; 1];
    for _ in 0..seconds {
        let read = with_timeout(Duration::from_millis(1100), socket.read(&mut tick)).await;
        assert_eq!(read.expect("the tick comes in time"), Ok(1));
    }
}

/// What the driver has done from a point in time on.
struct Since<'a> {
    driven: &'a Driven<Chip>,
    world: &'a World,
    began: Instant,
    polls: u64,
    bytes: u64,
}

impl<'a> Since<'a> {
    fn now(driven: &'a Driven<Chip>, world: &'a World) -> Self {
        Self {
            driven,
            world,
            began: Instant::now(),
            polls: driven.polls(),
            bytes: bytes(world),
        }
    }

    /// Checks that the driver was polled no more than it has work: for each message, on an SPI twice a second for an interrupt that may have
    /// been lost, and `each_second` besides.
    fn rested(&self, each_second: u64) {
        let seconds = self.began.elapsed().as_secs() + 1;
        let polls = self.driven.polls() - self.polls;
        // A message has 12 bytes or more, and its transfers on an SPI are a poll each.
        let of_messages = (bytes(self.world) - self.bytes) / 6;
        let most = of_messages + seconds * (3 + each_second);
        assert!(
            polls <= most,
            "{polls} polls in {seconds} s, {most} at most"
        );
    }
}

/// Returns how many bytes went over the wire.
fn bytes(world: &World) -> u64 {
    world.modem.bytes_in() + world.modem.bytes_out()
}

/// Each start is followed by silence, until the fault is over.
fn a_chip_that_never_says_that_it_has_started_is_started_again<I: Interface<Modem = Chip>>() {
    virtually(async || {
        let world = serving(NwpOptions::default());
        let driven = I::spawn(&world);
        let bench = driven.bench();
        provision(bench).await;
        for _ in 0..TIMES {
            let mut socket = connect_to(bench, b'e').await.unwrap();
            round_trip(&mut socket, b"before").await.unwrap();
            let since = Since::now(&driven, &world);
            // A start takes 300 ms.
            let dies = async {
                loop {
                    world.modem.fail(Failure::Hang);
                    Timer::after_millis(100).await;
                }
            };
            let fails = async {
                let mut byte = [0; 1];
                let read = with_timeout(Duration::from_secs(90), socket.read(&mut byte)).await;
                assert_eq!(read.unwrap(), Err(SocketError::ConnectionReset));
                assert_eq!(socket.loss(), Some(Loss::NoAnswer));
                drop(socket);
                let connect = with_timeout(Duration::from_secs(70), connect(bench)).await;
                let error = connect.expect("it fails in time").err().unwrap();
                assert_eq!(error, ConnectError::BringUp(BringUpError::NoAnswer));
            };
            select(dies, fails).await;
            since.rested(0);
            let again = async {
                loop {
                    // A start that was under way when the fault ended fails as well.
                    if let Ok(socket) = connect_to(bench, b'e').await {
                        return socket;
                    }
                }
            };
            let again = with_timeout(Duration::from_secs(150), again).await;
            let mut socket = again.expect("it is brought back in time");
            round_trip(&mut socket, b"after").await.unwrap();
            socket.close().await.unwrap();
            since.rested(0);
        }
        assert_eq!(world.modem.security_alerts(), 0);
    });
}

/// A peer takes nothing, so that what is sent to it keeps the chip's buffers.
fn a_pool_at_its_minimum_for_half_a_minute_holds_up_no_other_socket<I: Interface<Modem = Chip>>() {
    virtually(async || {
        let world = serving(NwpOptions {
            buffers: 6,
            ..NwpOptions::default()
        });
        let driven = I::spawn(&world);
        let bench = driven.bench();
        provision(bench).await;
        let mut ticks = connect_to(bench, b't').await.unwrap();
        for _ in 0..TIMES {
            let mut deaf = connect_to(bench, b'd').await.unwrap();
            let began = Instant::now();
            let is_sent = Cell::new(false);
            let sends = async {
                deaf.write_all(&[3; MUCH]).await.unwrap();
                deaf.flush().await.unwrap();
                is_sent.set(true);
                let mut end = [0; 1];
                deaf.read_exact(&mut end).await.unwrap();
                assert!(began.elapsed() >= DEAF);
            };
            let reads = async {
                read_ticks(&mut ticks, 3).await;
                // Sends leave one buffer above the minimum. The request of a new socket takes it.
                let silent = connect(bench).await.unwrap();
                read_ticks(&mut ticks, 1).await;
                world.modem.take_commands();
                let since = Since::now(&driven, &world);
                read_ticks(&mut ticks, 25).await;
                since.rested(LOOKS_FOR_BUFFERS);
                // The requests for the ticks, no send, and looks at the sockets that are silent.
                let commands = world.modem.take_commands();
                let opcode = |command: &Vec<u8>| u16::from_le_bytes([command[0], command[1]]);
                let others = commands.iter().filter(|command| opcode(command) != RECV);
                let others: Vec<_> = others.map(opcode).collect();
                assert!(
                    matches!(others[..], [] | [LOOK] | [LOOK, LOOK]),
                    "{others:x?}"
                );
                assert!(!is_sent.get());
                silent.close().await.unwrap();
                read_ticks(&mut ticks, 3).await;
            };
            join(sends, reads).await;
            deaf.close().await.unwrap();
        }
        assert_eq!(driven.control.counters().restarts, 0);
        assert_eq!(world.modem.security_alerts(), 0);
    });
}

/// Two sockets whose rings are full have no request at the chip while another one sends all that it can. Then the application reads them: the
/// silent one does not keep the only buffer from the one that ticks.
fn a_send_leaves_a_buffer_to_each_socket_that_will_ask_for_data<I: Interface<Modem = Chip>>() {
    for order in [b"fg", b"gf"] {
        virtually(async || {
            let world = serving(NwpOptions {
                buffers: 8,
                ..NwpOptions::default()
            });
            let driven = I::spawn(&world);
            let bench = driven.bench();
            provision(bench).await;
            let mut one = connect_to(bench, order[0]).await.unwrap();
            let mut two = connect_to(bench, order[1]).await.unwrap();
            let mut deaf = connect_to(bench, b'd').await.unwrap();
            let sends = async {
                deaf.write_all(&[3; MUCH]).await.unwrap();
                deaf.flush().await.unwrap();
            };
            let reads = async {
                Timer::after_secs(1).await;
                let mut fill = [0; FILL];
                let mut other = [0; FILL];
                let (one_is, two_is) =
                    join(one.read_exact(&mut fill), two.read_exact(&mut other)).await;
                assert_eq!((one_is, two_is), (Ok(()), Ok(())));
                let ticking = if order[0] == b'g' { &mut one } else { &mut two };
                read_ticks(ticking, 20).await;
            };
            join(sends, reads).await;
            assert_eq!(driven.control.counters().restarts, 0);
        });
    }
}

/// The server takes the connection, and then says nothing.
fn a_connect_that_is_never_answered_ends_and_holds_up_no_other_socket<
    I: Interface<Modem = Chip>,
>() {
    virtually(async || {
        let world = serving(NwpOptions::default());
        let driven = I::spawn(&world);
        let bench = driven.bench();
        provision(bench).await;
        let mut ticks = connect_to(bench, b't').await.unwrap();
        for _ in 0..TIMES {
            let since = Since::now(&driven, &world);
            let fails = async {
                let began = Instant::now();
                let refused = driven.control.connect(SILENT, PORT, &TLS).await;
                assert_eq!(refused.err(), Some(ConnectError::TimedOut));
                let took = began.elapsed().as_secs();
                assert!((70..80).contains(&took), "{took} s");
            };
            join(fails, read_ticks(&mut ticks, 78)).await;
            since.rested(0);
            assert_eq!(world.modem.open_sockets().len(), 1);
            let mut socket = connect_to(bench, b'e').await.unwrap();
            round_trip(&mut socket, b"answered").await.unwrap();
            socket.close().await.unwrap();
        }
        assert_eq!(driven.control.counters().restarts, 0);
        assert_eq!(world.modem.security_alerts(), 0);
    });
}

/// The events that end the recv and the close come at once, late, or after the driver has given them up. A socket that has the number of
/// the closed one gets nothing of them.
fn a_close_with_a_recv_outstanding_ends_and_leaves_nothing_to_the_next_socket<
    I: Interface<Modem = Chip>,
>() {
    for close_time in [0, 150, 500] {
        virtually(async || {
            let world = serving(NwpOptions {
                close_time: Duration::from_millis(close_time),
                ..NwpOptions::default()
            });
            let driven = I::spawn(&world);
            let bench = driven.bench();
            provision(bench).await;
            let mut ticks = connect_to(bench, b't').await.unwrap();
            let since = Since::now(&driven, &world);
            let done = Rc::new(Cell::new(false));
            let closes = async {
                for _ in 0..TIMES {
                    let mut socket = connect_to(bench, b'e').await.unwrap();
                    round_trip(&mut socket, b"open").await.unwrap();
                    // The chip has been asked for more, and waits for it.
                    Timer::after_millis(100).await;
                    let began = Instant::now();
                    socket.close().await.unwrap();
                    assert!(began.elapsed() < Duration::from_millis(300));
                    let mut next = connect_to(bench, b'e').await.unwrap();
                    round_trip(&mut next, b"next").await.unwrap();
                    let mut byte = [0; 1];
                    let read = with_timeout(Duration::from_secs(1), next.read(&mut byte)).await;
                    assert!(read.is_err(), "{read:?}");
                    // The other end of a socket: it is dropped, and closed behind the user's back.
                    drop(next);
                }
                done.set(true);
            };
            let reads = async {
                while !done.get() {
                    read_ticks(&mut ticks, 1).await;
                }
            };
            join(closes, reads).await;
            since.rested(0);
            Timer::after_secs(1).await;
            assert_eq!(world.modem.open_sockets().len(), 1);
            assert_eq!(driven.control.counters().restarts, 0);
            assert_eq!(world.modem.security_alerts(), 0);
        });
    }
}

/// Every other time it stays away for two minutes.
fn a_network_that_is_lost_under_three_sockets_is_joined_again<I: Interface<Modem = Chip>>() {
    virtually(async || {
        let world = serving(NwpOptions::default());
        let driven = I::spawn(&world);
        let bench = driven.bench();
        provision(bench).await;
        for time in 0..TIMES {
            let mut sockets = Vec::new();
            for _ in 0..3 {
                let mut socket = connect_to(bench, b'e').await.unwrap();
                round_trip(&mut socket, b"on the network").await.unwrap();
                sockets.push(socket);
            }
            let since = Since::now(&driven, &world);
            let stays_away = time % 2 == 1;
            if stays_away {
                world.modem.set_registered(false);
            } else {
                world.modem.drop_pdp(0);
            }
            let is_reset = async |socket: &mut Socket<'static>| {
                let mut byte = [0; 1];
                let read = with_timeout(Duration::from_secs(1), socket.read(&mut byte)).await;
                assert_eq!(read.unwrap(), Err(SocketError::ConnectionReset));
                assert_eq!(socket.loss(), Some(Loss::Network));
            };
            let [one, two, three] = &mut sockets[..] else {
                unreachable!("there are three");
            };
            join3(is_reset(one), is_reset(two), is_reset(three)).await;
            drop(sockets);
            if stays_away {
                let error = with_timeout(Duration::from_secs(45), connect(bench)).await;
                let error = error.expect("it fails in time").err().unwrap();
                assert!(
                    matches!(error, ConnectError::BringUp(BringUpError::NotJoined { .. })),
                    "{error}"
                );
                Timer::after_secs(100).await;
                since.rested(0);
                world.modem.set_registered(true);
            }
            let joined = async {
                while driven.control.wait_up().await.is_err() {
                    Timer::after_secs(1).await;
                }
            };
            let limit = if stays_away { 100 } else { 5 };
            let joined = with_timeout(Duration::from_secs(limit), joined).await;
            joined.expect("it is joined again in time");
            since.rested(0);
        }
        assert_eq!(world.modem.security_alerts(), 0);
    });
}
