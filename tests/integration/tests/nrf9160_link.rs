//! Between MCU and modem: speeds, sleep, and who restarted.

use embassy_time::{Duration, Instant, with_timeout};
use sectag::{AnySpeed, BringUpError, NoPins};
use sectag_integration_tests::nrf9160::{
    CONFIG, World, connect, label, options, provision, round_trip,
};
use sectag_integration_tests::simulated::virtually;
use sectag_simulator::{Nrf9160Options, Nrf9160Profile};
use sectag_test_support::tls_server::echo;

/// Up to 2.4 a speed that somebody set outlives every reset (sheet 1.1).
#[test]
fn a_modem_is_found_at_whatever_speed_it_was_left() {
    for rate in [1_200, 9_600, 57_600, 921_600, 1_000_000] {
        for profile in [Nrf9160Profile::V2_0, Nrf9160Profile::V2_4] {
            let name = format!("{} at {rate}", label(&profile));
            virtually(async || {
                let world = World::new(Nrf9160Options {
                    stored_rate: Some(rate),
                    ..options(profile)
                });
                world.serve(echo);
                world.modem.set_host_rate(115_200);
                let uart = world.modem.clone();
                let power = AnySpeed::new(NoPins, move |baud| uart.set_host_rate(baud));
                world
                    .attach_by(CONFIG, power, async |bench| {
                        let began = Instant::now();
                        bench
                            .control
                            .wait_up()
                            .await
                            .unwrap_or_else(|error| panic!("{name}: {error}"));
                        assert!(began.elapsed() < Duration::from_secs(90), "{name}");
                        provision(bench).await;
                        let mut socket = connect(bench).await.unwrap();
                        assert_eq!(round_trip(&mut socket, b"found").await, b"found", "{name}");
                        // And once more at once: it stays there.
                        world.modem.reset();
                        let began = Instant::now();
                        let connected = with_timeout(Duration::from_secs(60), async {
                            loop {
                                if let Ok(socket) = connect(bench).await {
                                    break socket;
                                }
                            }
                        });
                        connected.await.unwrap_or_else(|_| panic!("{name}"));
                        assert!(began.elapsed() < Duration::from_secs(15), "{name}");
                    })
                    .await;
            });
        }
    }
}

#[test]
fn without_a_way_to_change_it_the_speed_is_named_as_a_cause() {
    virtually(async || {
        let world = World::new(Nrf9160Options {
            stored_rate: Some(9_600),
            ..options(Nrf9160Profile::V2_1)
        });
        world.modem.set_host_rate(115_200);
        world
            .attach(async |bench| {
                let error = bench.control.wait_up().await.err().unwrap();
                assert_eq!(error, BringUpError::NoAnswer);
                assert!(
                    error
                        .causes()
                        .any(|cause| cause == sectag::Cause::WrongSpeed)
                );
            })
            .await;
    });
}
