//! Resets of the MCU or the modem at any moment: nothing is stored that should not be, no peer gets
//! what was not announced to it, and reconnecting is all that the application has to do.

use std::collections::BTreeMap;

use embassy_futures::join::join;
use embassy_futures::select::{Either, select};
use embassy_time::{Duration, Instant, Timer, with_timeout};
use embedded_io_async::Read;
use sectag::at::at_command;
use sectag::modem::Timing;
use sectag::{
    AtError, Backoff, BringUpError, CredentialStore, Kind, NoPins, Power, SocketError, Tag,
};
use sectag_bg96::Config;
use sectag_integration_tests::Bench;
use sectag_integration_tests::recovery::{
    Line, Received, STORED, connect, every, round_trip, world,
};
use sectag_integration_tests::simulated::{HOST, PORT, World, virtually};
use sectag_simulator::{After, Failure, Options, Reaction, Simulator};
use sectag_test_support::pki::Pki;
use tokio::io::AsyncWriteExt;

/// What the driver sends while it does not know what the modem waits for.
const FILLER: &[u8] = b"+AT\x1b\r\n";
const MESSAGE: &[u8] = b"\r\nOK\r\n> forty bytes and traps RDY\r\n\r\n+++ end";

fn quick() -> Options {
    Options {
        turnaround: Duration::from_millis(20),
        ..Options::default()
    }
}

/// A whole life of an application.
async fn session(bench: Bench) {
    bench.control.wait_up().await.unwrap();
    bench
        .control
        .store_unchecked(Tag(9), Kind::Ca, STORED)
        .await
        .unwrap();
    let mut socket = connect(bench).await.unwrap();
    round_trip(&mut socket, MESSAGE).await.unwrap();
    socket.close().await.unwrap();
}

/// What was written, and then filler up to what was announced.
fn check_peers(received: &Received, context: &str) {
    for bytes in received.borrow().iter() {
        let same = bytes
            .iter()
            .zip(MESSAGE)
            .take_while(|(a, b)| a == b)
            .count();
        assert!(
            bytes.len() <= MESSAGE.len(),
            "{context}: the peer got {bytes:?}"
        );
        assert!(
            bytes[same..].iter().all(|byte| FILLER.contains(byte)),
            "{context}: the peer got {:?}",
            String::from_utf8_lossy(bytes)
        );
    }
}

/// All files but the one that the session stores.
fn others(world: &World) -> BTreeMap<String, Vec<u8>> {
    let mut files = world.modem.files();
    // It, and the marker beside it while it is not whole.
    files.retain(|name, _| !name.starts_with("st9."));
    files
}

#[test]
fn mcu_may_reset_at_any_byte_of_a_session() {
    mcu_resets_everywhere(Config::new(), every(2));
}

#[test]
fn mcu_may_reset_at_any_byte_while_data_is_pushed() {
    mcu_resets_everywhere(Config::new().direct_push(), every(3));
}

fn mcu_resets_everywhere(config: Config, step: usize) {
    let total = virtually(async || {
        let (world, _) = world(quick());
        world
            .attach_for_with(u64::MAX, config, NoPins, session)
            .await;
        world.modem.bytes_in()
    });
    let mut worst = (Duration::MIN, 0);
    for bytes in (1..=total).step_by(step) {
        let took = virtually(async || {
            let (world, received) = world(quick());
            let before = others(&world);
            world.attach_for_with(bytes, config, NoPins, session).await;
            check_peers(&received, &format!("died after {bytes}"));
            let start = Instant::now();
            world
                .attach_for_with(u64::MAX, config, NoPins, async |bench| {
                    let mut socket = connect(bench).await.unwrap();
                    round_trip(&mut socket, MESSAGE).await.unwrap();
                    socket.close().await.unwrap();
                    let took = start.elapsed();
                    check_peers(&received, &format!("recovered after {bytes}"));
                    assert_eq!(others(&world), before, "files after {bytes}");
                    assert!(world.modem.open_sockets().is_empty());
                    bench
                        .control
                        .store_unchecked(Tag(9), Kind::Ca, STORED)
                        .await
                        .unwrap();
                    assert_eq!(world.modem.files()["st9.ca"], STORED);
                    took
                })
                .await
                .expect("it lives")
        });
        worst = worst.max((took, bytes));
    }
    println!(
        "MCU reset at every {step}th of {total} bytes, worst recovery {:?} after byte {}",
        worst.0, worst.1
    );
    assert!(worst.0 < Duration::from_secs(20), "{worst:?}");
}

/// What a dead MCU, or another host, had done to the modem.
async fn dead_host(world: &World, steps: &[(&[u8], u64)]) {
    let (mut host, device) = tokio::io::duplex(64 * 1024);
    let act = async {
        for (bytes, millis) in steps {
            host.write_all(bytes).await.unwrap();
            Timer::after_millis(*millis).await;
        }
        drop(host);
    };
    let (served, ()) = join(world.modem.serve(device), act).await;
    served.unwrap();
}

/// A new driver finds the modem so, and must connect; returns how long that took.
async fn recovers(world: &World, received: &Received, context: &str) -> Duration {
    let before = others(world);
    let peers = received.borrow().len();
    let start = Instant::now();
    world
        .attach(async |bench| {
            let mut socket = loop {
                match connect(bench).await {
                    Ok(socket) => break socket,
                    Err(error) => println!("{context}: {error}"),
                }
                assert!(start.elapsed() < Duration::from_secs(400), "{context}");
            };
            round_trip(&mut socket, MESSAGE).await.unwrap();
            assert_eq!(received.borrow()[peers], MESSAGE, "{context}");
            socket.close().await.unwrap();
            assert_eq!(others(world), before, "{context}: files");
            assert!(world.modem.open_sockets().is_empty(), "{context}");
            start.elapsed()
        })
        .await
}

/// Leaves a driver with an open socket, whose id it returns.
async fn left_open(world: &World) -> u8 {
    world
        .attach(async |bench| core::mem::forget(connect(bench).await.unwrap()))
        .await;
    world.modem.open_sockets()[0]
}

#[test]
fn mcu_may_reset_while_announced_payload_is_missing() {
    for missing in [1, 2, 3, 4, 5, 100, 1459, 1460] {
        virtually(async || {
            let (world, received) = world(quick());
            let id = left_open(&world).await;
            let sent = vec![b'x'; 1460 - missing];
            let command = format!("AT+QSSLSEND={id},1460\r");
            dead_host(&world, &[(command.as_bytes(), 100), (&sent, 100)]).await;
            let took = recovers(&world, &received, "payload").await;
            assert!(took < Duration::from_secs(15), "{missing}: {took:?}");
            // Nothing offers a way out of this phase but to complete it.
            let received = received.borrow();
            assert!(received[0].len() <= 1460);
            assert_eq!(received[0][..sent.len()], sent);
            let rest = &received[0][sent.len()..];
            assert!(rest.iter().all(|byte| FILLER.contains(byte)), "{rest:?}");
        });
    }
}

#[test]
fn payload_without_an_announced_length_is_cancelled() {
    virtually(async || {
        let (world, received) = world(quick());
        let id = left_open(&world).await;
        let command = format!("AT+QSSLSEND={id}\r");
        dead_host(
            &world,
            &[(command.as_bytes(), 100), (b"of another host", 100)],
        )
        .await;
        recovers(&world, &received, "text").await;
        assert_eq!(received.borrow()[0], b"");
    });
}

#[test]
fn mcu_may_reset_with_half_a_command_on_the_line() {
    let commands: [&[u8]; 9] = [
        b"A",
        b"AT",
        b"AT+QFDEL=\"st7.ca",
        // Complete but for its end, which must not be supplied.
        b"AT+QFDEL=\"st7.ca\"",
        b"AT+QFDEL=\"*\"",
        b"AT+CFUN=1,1",
        b"AT+QFUPL=\"st7.x\",10",
        b"AT+QSSLSEND=0,1460",
        b"+++",
    ];
    for command in commands {
        virtually(async || {
            let (world, received) = world(quick());
            dead_host(&world, &[(command, 10)]).await;
            let context = String::from_utf8_lossy(command);
            let took = recovers(&world, &received, &context).await;
            assert!(took < Duration::from_secs(10), "{context}: {took:?}");
        });
    }
}

#[test]
fn mcu_may_reset_in_the_middle_of_a_file() {
    let ca = Pki::shared().ca_pem();
    let ca = ca.as_bytes();
    let missing = [1, 2, 3, 4, 5, 20, 100, ca.len() - 1, ca.len()];
    // Ours, and one that another host chose.
    for (missing, patience) in missing.into_iter().flat_map(|n| [(n, 5), (n, 100)]) {
        virtually(async || {
            let (world, received) = world(quick());

            let sent = &ca[..ca.len() - missing];
            let command = format!("AT+QFUPL=\"st9.ca\",{},{patience}\r", ca.len());
            dead_host(&world, &[(command.as_bytes(), 100), (sent, 10)]).await;
            world
                .attach(async |bench| {
                    // Whatever is left of it is no CA that a connection could rely on.
                    let tls = sectag::TlsConfig::new(Tag(9)).ca_scope(sectag::CaScope::Private);
                    let refused = bench.sockets.connect(HOST, PORT, &tls).await.err();
                    let file = world.modem.files().remove("st9.ca").unwrap_or_default();
                    assert!(
                        refused.is_some() && !file.windows(3).any(|part| part == b"AT\r"),
                        "{missing} missing: {:?}",
                        String::from_utf8_lossy(&file)
                    );
                })
                .await;
            recovers(&world, &received, "file").await;
        });
    }
}

#[test]
fn mcu_may_reset_while_an_answer_is_printed() {
    let mut tail = Pki::shared().client().key_pem.clone().into_bytes();
    tail.extend(b"\r\n+QFDWL: 1704,5505\r\nOK\r\n");
    let tails: [&[u8]; 5] = [
        &tail,
        b"1,2.3.4.5\r\n\r\nOK\r\n",
        b"R: 115200\r\n\r\nOK\r\n",
        // A payload that says it all.
        b"+QSSLRECV: 1500\r\n\r\nOK\r\n+IPR: 1\r\nOK\r\nRDY\r\n> POWERED DOWN\r\n",
        b"\r\n+QSSLURC: \"recv\",0,1500\r\nxyz",
    ];
    for tail in tails {
        for delay in [0, 1000, 2300, 2400] {
            virtually(async || {
                let (world, received) = world(quick());
                left_open(&world).await;
                let inject = async {
                    Timer::after_millis(delay).await;
                    world.modem.inject_bytes(tail);
                };
                let context = String::from_utf8_lossy(tail);
                let (took, ()) = join(recovers(&world, &received, &context), inject).await;
                assert!(took < Duration::from_secs(20), "{context}: {took:?}");
            });
        }
    }
}

#[test]
fn mcu_may_reset_while_a_command_blocks_or_an_open_is_under_way() {
    // What was sent, and how long the modem may be deaf.
    let cases: [(&str, u64, Options); 4] = [
        (
            "AT+QIACT=1\r",
            170,
            Options {
                activation_delay: Duration::from_secs(149),
                ..quick()
            },
        ),
        (
            "AT+QSSLCLOSE=0,10\r",
            25,
            Options {
                pdp_active: true,
                silent_close: true,
                ..quick()
            },
        ),
        (
            "AT+QSSLOPEN=1,0,3,\"silent.test\",1,0\r",
            10,
            Options {
                pdp_active: true,
                ..quick()
            },
        ),
        ("AT+QFDWL=\"st7.key\"\r", 10, quick()),
    ];
    for (command, limit, options) in cases {
        virtually(async || {
            let (world, received) = world(options);
            // Accepts, and says nothing.
            let streams = std::rc::Rc::new(std::cell::RefCell::new(Vec::new()));
            world.network.register("silent.test", 1, move |stream| {
                streams.borrow_mut().push(stream)
            });
            if command.contains("CLOSE") {
                assert_eq!(left_open(&world).await, 0);
            }
            dead_host(&world, &[(command.as_bytes(), 30)]).await;
            let took = recovers(&world, &received, command).await;
            println!("{command:?}: {took:?}");
            assert!(took < Duration::from_secs(limit), "{command}: {took:?}");
        });
    }
}

#[test]
fn transparent_mode_is_left_without_a_byte_to_its_peer() {
    for host_sent in [&b""[..], b"some", b"+", b"++"] {
        virtually(async || {
            let (world, received) = world(Options {
                pdp_active: true,
                ..quick()
            });
            let steps: [(&[u8], u64); 4] = [
                (b"AT+QSSLCFG=\"sslversion\",0,3\rAT+QSSLCFG=\"seclevel\",0,2\r", 100),
                (b"AT+QSSLCFG=\"clientcert\",0,\"st7.crt\"\rAT+QSSLCFG=\"clientkey\",0,\"st7.key\"\rAT+QSSLCFG=\"cacert\",0,\"st7.ca\"\r", 200),
                (b"AT+QSSLCFG=\"sni\",0,1\rAT+QSSLOPEN=1,0,0,\"broker.sectag.test\",8883,2\r", 2000),
                (host_sent, 10),
            ];
            dead_host(&world, &steps).await;
            assert_eq!(received.borrow().len(), 1, "it is connected");
            let took = recovers(&world, &received, "transparent").await;
            // A `+` on its own is data once it is known to be no escape.
            assert_eq!(received.borrow()[0], host_sent);
            assert!(took < Duration::from_secs(10), "{took:?}");
        });
    }
}

/// Something that a user had better not send.
struct SwitchMode(u8);
at_command!(SwitchMode, 3000, "+QISWTMD", |self, line| line
    .int(self.0.into())
    .int(2));

#[test]
fn connect_that_nobody_expected_feeds_no_command_to_the_peer() {
    virtually(async || {
        let (world, received) = world(paced());
        world
            .attach(async |bench| {
                let mut socket = connect(bench).await.unwrap();
                round_trip(&mut socket, MESSAGE).await.unwrap();
                let id = world.modem.open_sockets()[0];
                let at = bench.control.at().await.unwrap();
                assert_eq!(at.send(&SwitchMode(id)).await, Err(AtError::Garbled));
                // The channel is a command line again.
                bench.control.clock().await.unwrap();
                drop(socket);
                reconnect(bench, &received).await;
                assert_eq!(received.borrow()[0], MESSAGE);
                assert_eq!(bench.control.counters().restarts, 0);
            })
            .await;
    });
}

/// What an application saw of a modem that fails.
#[derive(Debug, Default)]
struct Seen {
    /// From the failure to `ConnectionReset` on a socket that was idle.
    noticed: Option<Duration>,
    /// From the failure to the end of the work, after nothing but reconnecting.
    recovered: Option<Duration>,
}

/// Stores, keeps an idle socket, works on another; connects anew when anything fails, and does
/// nothing else about it.
async fn persevere(world: &World, bench: Bench) -> Seen {
    let mut seen = Seen::default();
    let start = Instant::now();
    let since = |seen: &mut Option<Duration>| {
        *seen = seen.or(world.modem.failed_at().map(|at| at.elapsed()));
    };
    loop {
        assert!(start.elapsed() < Duration::from_secs(1200), "{seen:?}");
        let work = async {
            bench
                .control
                .store_unchecked(Tag(9), Kind::Ca, STORED)
                .await
                .ok()?;
            let mut idle = connect(bench).await.ok()?;
            let mut busy = connect(bench).await.ok()?;
            let mut buf = [0];
            let failed_before = world.modem.failed_at().is_some();
            let work = async {
                let done = round_trip(&mut busy, MESSAGE).await.ok();
                done.and(busy.close().await.ok())
            };
            let done = match select(idle.read(&mut buf), work).await {
                Either::First(end) => {
                    assert_eq!(end, Err(SocketError::ConnectionReset));
                    since(&mut seen.noticed);
                    return None;
                }
                Either::Second(done) => done,
            };
            if world.modem.failed_at().is_some() && !failed_before {
                // Whatever the other one saw, this one is told as well.
                let limit = Timing::DEFAULT.poll + Timing::SILENCE_LIMIT;
                let end = with_timeout(limit + Duration::from_secs(120), idle.read(&mut buf)).await;
                assert_eq!(end, Ok(Err(SocketError::ConnectionReset)), "{seen:?}");
                since(&mut seen.noticed);
                return None;
            }
            done
        };
        if work.await.is_some() {
            break;
        }
    }
    since(&mut seen.recovered);
    seen
}

/// Lets the modem fail after each byte in either direction, and prints the figures.
fn fail_everywhere(
    config: Config,
    failure: Failure,
    step: usize,
    status: bool,
    noticed_limit: Duration,
    recovered_limit: Duration,
    options: impl Fn() -> Options,
) {
    let (bytes_in, bytes_out) = virtually(async || {
        let (world, _) = world(options());
        world
            .attach_for_with(u64::MAX, config, NoPins, async |bench| {
                persevere(&world, bench).await;
            })
            .await;
        (world.modem.bytes_in(), world.modem.bytes_out())
    });
    let cases = (1..=bytes_in)
        .map(After::Received)
        .chain((1..=bytes_out).map(After::Sent))
        .step_by(step);
    let (mut count, mut noticed, mut recovered) = (0, Duration::MIN, Duration::MIN);
    for after in cases {
        let seen = virtually(async || {
            let (world, received) = world(options());
            let before = others(&world);
            world.modem.fail_after(after, failure);
            let pins = pins(&world, status);
            let seen = world
                .attach_for_with(u64::MAX, config, pins, async |bench| {
                    persevere(&world, bench).await
                })
                .await
                .expect("the MCU lives");
            assert!(world.modem.failed_at().is_some(), "{after:?}");
            for bytes in received.borrow().iter() {
                assert!(MESSAGE.starts_with(bytes), "{after:?}: {bytes:?}");
            }
            assert_eq!(others(&world), before, "{after:?}: files");
            assert_eq!(world.modem.files()["st9.ca"], STORED, "{after:?}");
            seen
        });
        count += 1;
        noticed = noticed.max(seen.noticed.unwrap_or(Duration::MIN));
        recovered = recovered.max(seen.recovered.unwrap_or(Duration::MIN));
        assert!(noticed <= noticed_limit, "{after:?}: {seen:?}");
        assert!(recovered <= recovered_limit, "{after:?}: {seen:?}");
    }
    println!(
        "{failure:?}: {count} cases, noticed within {} ms, recovered within {} ms",
        noticed.as_millis(),
        recovered.as_millis()
    );
}

/// The power key, and the status pin if it is wired, through the usual transistors.
fn pins(world: &World, status: bool) -> impl Power + use<> {
    Keys {
        modem: world.modem.clone(),
        status,
    }
}

struct Keys {
    modem: Simulator,
    status: bool,
}

impl Power for Keys {
    fn has_power_key(&self) -> bool {
        true
    }
    fn has_reset(&self) -> bool {
        false
    }
    fn power_key(&mut self, pressed: bool) {
        self.modem.power_key(pressed);
    }
    fn reset(&mut self, _: bool) {}
    fn status(&mut self) -> Option<bool> {
        self.status.then(|| self.modem.status_pin())
    }
}

fn paced() -> Options {
    Options {
        pdp_active: true,
        baud: Some(115_200),
        ..quick()
    }
}

const SECOND: Duration = Duration::from_secs(1);

#[test]
fn modem_may_reset_at_any_byte_with_its_banner() {
    let limit = paced().reset_time + SECOND * 2;
    fail_everywhere(
        Config::new(),
        Failure::Reset,
        every(5),
        true,
        limit,
        SECOND * 30,
        paced,
    );
}

#[test]
fn modem_may_reset_at_any_byte_with_a_banner_in_the_middle_of_payload() {
    let options = || Options {
        reset_time: Duration::from_millis(100),
        ..paced()
    };
    fail_everywhere(
        Config::new(),
        Failure::Reset,
        every(11),
        true,
        SECOND * 2,
        SECOND * 30,
        options,
    );
}

/// Where `POWERED DOWN` is counted as payload, the sockets beside that one learn of it when the modem
/// does not answer, which takes longer.
const COUNTED: Duration = Duration::from_millis(4500);

#[test]
fn modem_may_power_down_at_any_byte() {
    fail_everywhere(
        Config::new(),
        Failure::PoweredDown,
        every(11),
        true,
        COUNTED,
        SECOND * 30,
        paced,
    );
}

/// Nothing tells of it: a query that goes unanswered or is echoed does, or the running command's own
/// limit.
#[test]
fn supply_may_dip_at_any_byte_without_a_word() {
    let longest_command = SECOND * 120;
    let limit = Timing::DEFAULT.poll + Timing::SILENCE_LIMIT + longest_command;
    fail_everywhere(
        Config::new(),
        Failure::BrownOut,
        every(11),
        true,
        limit,
        limit + SECOND * 30,
        paced,
    );
}

#[test]
fn modem_may_hang_at_any_byte_and_is_switched_off_and_on() {
    let limit = Timing::DEFAULT.poll + Timing::SILENCE_LIMIT + SECOND * 120;
    for status in [true, false] {
        fail_everywhere(
            Config::new(),
            Failure::Hang,
            every(23),
            status,
            limit,
            limit + SECOND * 90,
            paced,
        );
    }
}

#[test]
fn modem_may_save_power_at_any_byte_unasked() {
    for status in [true, false] {
        fail_everywhere(
            Config::new(),
            Failure::PowerSaving,
            every(29),
            status,
            COUNTED,
            SECOND * 60,
            paced,
        );
    }
}

/// What an application does about any error: it waits and connects anew.
async fn reconnect(bench: Bench, received: &Received) -> (usize, Duration) {
    let start = Instant::now();
    let mut backoff = Backoff::new(SECOND, SECOND * 60, 1);
    for failures in 0.. {
        if let Ok(mut socket) = connect(bench).await {
            round_trip(&mut socket, MESSAGE).await.unwrap();
            assert_eq!(received.borrow().last().unwrap(), MESSAGE);
            return (failures, start.elapsed());
        }
        assert!(start.elapsed() < SECOND * 3600);
        Timer::after(backoff.next()).await;
    }
    unreachable!("it goes on for ever")
}

#[test]
fn network_that_goes_and_comes_back_costs_a_reconnect() {
    for away in [1, 10, 100, 1000] {
        virtually(async || {
            let (world, received) = world(paced());
            world
                .attach(async |bench| {
                    let mut socket = connect(bench).await.unwrap();
                    world.modem.set_registered(false);
                    let end = with_timeout(SECOND * 2, socket.read(&mut [0])).await;
                    assert_eq!(end, Ok(Err(SocketError::ConnectionReset)));
                    drop(socket);
                    let back = async {
                        Timer::after_secs(away).await;
                        world.modem.set_registered(true);
                    };
                    let ((_, took), ()) = join(reconnect(bench, &received), back).await;
                    assert!(took < SECOND * (away as u32 + 95), "{away}: {took:?}");
                    // The context is made once more, when there is a network to make it with.
                    assert_eq!(world.count("AT+QIACT=1"), 1, "{:?}", world.commands());
                })
                .await;
        });
    }
}

#[test]
fn data_connection_lost_without_a_word_is_no_end_of_file() {
    virtually(async || {
        let (world, received) = world(paced());
        world
            .attach(async |bench| {
                let mut socket = connect(bench).await.unwrap();
                world.modem.drop_pdp_silently(1);
                let start = Instant::now();
                assert_eq!(
                    socket.read(&mut [0]).await,
                    Err(SocketError::ConnectionReset)
                );
                assert!(
                    start.elapsed() < Timing::DEFAULT.poll * 4,
                    "{:?}",
                    start.elapsed()
                );
                drop(socket);
                // And when no socket was there to notice it.
                reconnect(bench, &received).await;
                Timer::after_secs(5).await;
                world.modem.drop_pdp_silently(1);
                let (failures, took) = reconnect(bench, &received).await;
                assert_eq!(failures, 1);
                assert!(took < SECOND * 10, "{took:?}");
            })
            .await;
    });
}

/// Every open is answered with this number, until `cure` is sent.
fn opens_fail_with(world: &World, number: u16, cure: &'static str) {
    let mut cured = false;
    world.modem.set_script(Box::new(move |line| {
        let line = String::from_utf8_lossy(line).into_owned();
        cured |= line == cure;
        match line.strip_prefix("AT+QSSLOPEN=1,") {
            Some(arguments) if !cured => {
                let id = arguments.split(',').nth(1).unwrap();
                Reaction::Reply(format!("\r\nOK\r\n\r\n+QSSLOPEN: {id},{number}\r\n").into())
            }
            _ => Reaction::Normal,
        }
    }));
}

#[test]
fn opens_that_keep_failing_get_a_new_context_or_a_restart() {
    for (number, cure, expected) in [
        (566, "AT+QIDEACT=1", 5),
        (570, "AT+QIDEACT=1", 1),
        (552, "AT+CFUN=1,1", 4),
    ] {
        virtually(async || {
            let (world, received) = world(paced());
            opens_fail_with(&world, number, cure);
            world
                .attach(async |bench| {
                    let (failures, _) = reconnect(bench, &received).await;
                    assert_eq!(failures, expected, "{number}");
                    assert_eq!(world.count(cure), 1);
                })
                .await;
        });
    }
}

#[test]
fn remedies_do_not_cost_a_connection_that_stands() {
    virtually(async || {
        let (world, _) = world(paced());
        world
            .attach(async |bench| {
                let mut socket = connect(bench).await.unwrap();
                opens_fail_with(&world, 552, "never");
                for _ in 0..20 {
                    assert!(connect(bench).await.is_err());
                }
                round_trip(&mut socket, MESSAGE).await.unwrap();
            })
            .await;
    });
}

#[test]
fn hung_modem_without_pins_is_reported_and_asked_for_ever() {
    virtually(async || {
        let (world, received) = world(paced());
        world
            .attach(async |bench| {
                let mut socket = connect(bench).await.unwrap();
                world.modem.fail(Failure::Hang);
                let limit = Timing::DEFAULT.poll + Timing::SILENCE_LIMIT;
                let end = with_timeout(limit, socket.read(&mut [0])).await;
                assert_eq!(end, Ok(Err(SocketError::ConnectionReset)));
                drop(socket);
                let start = Instant::now();
                let mut attempts = 0;
                while start.elapsed() < SECOND * 3600 {
                    assert_eq!(bench.control.wait_up().await, Err(BringUpError::NoAnswer));
                    attempts += 1;
                }
                // Each takes half a minute, and a pause of at most as much.
                assert!((60..180).contains(&attempts), "{attempts}");
                world.modem.reset();
                let (_, took) = reconnect(bench, &received).await;
                assert!(took < SECOND * 60, "{took:?}");
            })
            .await;
    });
}

/// Pins of which only the reset does anything.
struct ResetOnly {
    modem: Simulator,
    key: bool,
}

impl Power for ResetOnly {
    fn has_power_key(&self) -> bool {
        self.key
    }
    fn has_reset(&self) -> bool {
        true
    }
    fn power_key(&mut self, _: bool) {}
    fn reset(&mut self, asserted: bool) {
        self.modem.reset_pin(asserted);
    }
    fn status(&mut self) -> Option<bool> {
        None
    }
}

#[test]
fn hung_modem_is_reset_when_there_is_no_key_or_it_does_not_help() {
    for key in [false, true] {
        virtually(async || {
            let (world, received) = world(paced());
            let pins = ResetOnly {
                modem: world.modem.clone(),
                key,
            };
            world.modem.fail(Failure::Hang);
            world
                .attach_with(Config::new(), pins, async |bench| {
                    let (_, took) = reconnect(bench, &received).await;
                    assert!(took < SECOND * 60, "{took:?}");
                })
                .await;
        });
    }
}

#[test]
fn modem_may_reset_at_any_byte_while_it_pushes_data() {
    let limit = paced().reset_time + SECOND * 2;
    fail_everywhere(
        Config::new().direct_push(),
        Failure::Reset,
        every(11),
        true,
        limit,
        SECOND * 30,
        paced,
    );
}

#[test]
fn restart_whose_banner_was_lost_is_found_out_by_what_follows_it() {
    virtually(async || {
        let (world, received) = world(paced());
        world
            .attach(async |bench| {
                let mut socket = connect(bench).await.unwrap();
                // Late, and no sign of anything else.
                world.modem.inject_bytes(b"\r\nAPP RDY\r\n");
                round_trip(&mut socket, MESSAGE).await.unwrap();
                Timer::after_secs(1).await;
                round_trip(&mut socket, MESSAGE).await.unwrap();
                world.modem.fail(Failure::BrownOut);
                Timer::after(paced().reset_time + SECOND / 10).await;
                world.modem.inject_bytes(b"\xff\x81Y\r\n\r\nAPP RDY\r\n");
                let end = with_timeout(SECOND * 2, socket.read(&mut [0])).await;
                assert_eq!(end, Ok(Err(SocketError::ConnectionReset)));
                drop(socket);
                reconnect(bench, &received).await;
            })
            .await;
    });
}

/// A session over a UART that pauses once, in whichever direction and place: it may cost a reconnect,
/// never a wrong byte, file or answer.
fn stall_everywhere(pause: Duration, step: usize) {
    let (bytes_in, bytes_out) = virtually(async || {
        let (world, _) = world(paced());
        world
            .attach(async |bench| {
                persevere(&world, bench).await;
            })
            .await;
        (world.modem.bytes_in(), world.modem.bytes_out())
    });
    let sent = (0..bytes_in).map(|at| Line {
        send_stalls: Some((at, pause)),
        ..Line::default()
    });
    let received = (0..bytes_out).map(|at| Line {
        receive_stalls: Some((at, pause)),
        ..Line::default()
    });
    let (mut cases, mut restarts, mut worst) = (0, 0, Duration::MIN);
    for line in sent.chain(received).step_by(step) {
        virtually(async || {
            let (world, received) = world(paced());
            let before = others(&world);
            let start = Instant::now();
            let application = async |bench: Bench| {
                persevere(&world, bench).await;
                // Who asks for the time gets the time.
                loop {
                    match bench.control.clock().await {
                        Ok(now) => {
                            assert!(now.unwrap() >= sectag::clock::MIN_DATE, "{line:?}");
                            break;
                        }
                        Err(_) => assert!(start.elapsed() < SECOND * 1200, "{line:?}"),
                    }
                }
                bench.control.counters().restarts
            };
            let restarted = world
                .attach_over(line, Config::new(), pins(&world, true), application)
                .await
                .expect("the MCU lives");
            for bytes in received.borrow().iter() {
                let same = bytes
                    .iter()
                    .zip(MESSAGE)
                    .take_while(|(a, b)| a == b)
                    .count();
                let filler = bytes[same..].iter().all(|byte| FILLER.contains(byte));
                assert!(
                    bytes.len() <= MESSAGE.len() && filler,
                    "{line:?}: {bytes:?}"
                );
            }
            assert_eq!(others(&world), before, "{line:?}: files");
            assert_eq!(world.modem.files()["st9.ca"], STORED, "{line:?}");
            cases += 1;
            restarts += usize::from(restarted > 0);
            worst = worst.max(start.elapsed());
        });
    }
    println!(
        "pause of {} s: {cases} cases, {restarts} cost a restart, worst session {} ms",
        pause.as_secs(),
        worst.as_millis()
    );
}

#[test]
fn uart_may_pause_at_any_byte() {
    // Nothing; longer than a quick command, a pause of payload and the modem's patience with a file;
    // longer than everything.
    for (pause, step) in [(1, 53), (4, 29), (7, 29), (30, 29), (300, 53)] {
        stall_everywhere(SECOND * pause, every(step));
    }
}
