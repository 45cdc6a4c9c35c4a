//! Payload on the BG96 is never a command, in buffer mode and in push mode, however it is cut and delayed on its way;
//! and it arrives whole.

use std::cell::RefCell;
use std::rc::Rc;

use embassy_futures::select::{Either4, select4};
use embassy_time::{Duration, Timer, with_timeout};
use embedded_io_adapters::tokio_1::FromTokio;
use embedded_io_async::Write;
use sectag::{NoPins, State};
use sectag_bg96::{Bg96, Config};
use sectag_integration_tests::simulated::{HOST, PORT, TLS, World, provision, virtually};
use sectag_integration_tests::wire::{Dice, Wire, treacherous};
use sectag_integration_tests::{Bench, keep_into};
use sectag_simulator::Options;

async fn attach<T>(
    world: &World,
    config: Config,
    wire: Wire,
    seed: u64,
    application: impl AsyncFnOnce(Bench) -> T,
) -> T {
    let (host, device, carry) = wire.lay(seed);
    let (rx, tx) = tokio::io::split(host);
    let state = State::<_, 2, 1500, 1024>::new();
    // Leaked, as a firmware's static is.
    let state: &'static mut State<'static, Bg96, 2, 1500, 1024> = Box::leak(Box::new(state));
    let (control, mut runner) = sectag::new(
        state,
        Bg96::new(config),
        FromTokio::new(rx),
        FromTokio::new(tx),
        NoPins,
    );
    let serve = async {
        let _ = world.modem.serve(device).await;
        std::future::pending::<()>().await;
    };
    let application = application(Bench { control });
    match select4(serve, runner.run(), carry, application).await {
        Either4::Second(error) => panic!("the runner ended: {error}"),
        Either4::Fourth(result) => result,
        Either4::First(()) | Either4::Third(()) => unreachable!("they are pending for ever"),
    }
}

/// All that a driver says between a connect and a close when nothing goes wrong.
fn is_of_the_driver(line: &str) -> bool {
    let numbers = |text: &str| {
        text.bytes()
            .all(|byte| byte.is_ascii_digit() || byte == b',')
    };
    ["AT+QSSLSEND=", "AT+QSSLRECV=", "AT+QSSLSTATE="]
        .iter()
        .any(|name| line.strip_prefix(name).is_some_and(numbers))
}

#[test]
fn random_payload_arrives_whole_and_is_never_a_command() {
    for (mode, config) in [
        ("buffer", Config::new()),
        ("push", Config::new().direct_push()),
    ] {
        for (index, wire) in [
            Wire::Straight,
            Wire::Torn {
                longest: 40,
                pause: 90,
            },
            Wire::Torn {
                longest: 1,
                pause: 1,
            },
            Wire::Gathered { within: 150 },
        ]
        .into_iter()
        .enumerate()
        {
            let seed = index as u64 + 31;
            virtually(async || {
                let world = World::new(Options::default());
                let received = Rc::new(RefCell::new(Vec::<u8>::new()));
                let kept = received.clone();
                world.serve(move |stream| keep_into(kept.clone(), stream));
                attach(&world, config, wire, seed, async |bench| {
                    provision(bench).await;
                    let mut socket = bench.control.connect(HOST, PORT, &TLS).await.unwrap();
                    world.modem.take_commands();
                    let mut dice = Dice::new(seed);
                    let mut sent: Vec<u8> = Vec::new();
                    for round in 0..60 {
                        let what = format!("{mode} {wire:?} {seed} {round}");
                        let about = [5, 40, 200, 1600][dice.below(4)];
                        let payload = treacherous(&mut dice, about);
                        sent.extend(&payload);
                        let write = with_timeout(Duration::from_secs(600), async {
                            socket.write_all(&payload).await?;
                            socket.flush().await
                        });
                        assert_eq!(write.await, Ok(Ok(())), "{what}: {payload:?}");
                        Timer::after_secs(2).await;
                        assert!(*received.borrow() == sent, "{what}: {payload:?}");
                        for line in world.modem.take_commands() {
                            let line = String::from_utf8_lossy(&line).into_owned();
                            assert!(is_of_the_driver(&line), "{what}: executed {line:?}");
                        }
                    }
                })
                .await;
            });
        }
    }
}
