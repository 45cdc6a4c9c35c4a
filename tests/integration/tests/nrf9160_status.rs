//! What an nRF9160 says of itself where the simulator's says something else or nothing (sheet 2).

use embassy_time::Duration;
use sectag::clock::DateTime;
use sectag::{ConnectError, Edrx, PowerSaving, Registration, SimState, Technology};
use sectag_integration_tests::nrf9160::{
    Bench, CONFIG, World, connect, label, options, provision, round_trip,
};
use sectag_integration_tests::simulated::virtually;
use sectag_simulator::{Nrf9160Options, Nrf9160Profile, Reaction, Sim};
use sectag_test_support::tls_server::echo;

/// Modems that come up as usual, and from then on answer this command with this line.
fn once_up(asked: &'static str, line: &'static str, check: impl AsyncFn(Bench, &str)) {
    for profile in [Nrf9160Profile::V2_1, Nrf9160Profile::SERIAL_MODEM] {
        virtually(async || {
            let world = World::new(options(profile));
            world
                .attach(async |bench| {
                    bench.control.wait_up().await.unwrap();
                    world.modem.set_script(Box::new(move |command| {
                        if command == asked.as_bytes() {
                            return Reaction::Reply(format!("\r\n{line}\r\n").into_bytes());
                        }
                        Reaction::Normal
                    }));
                    check(bench, &label(&profile)).await;
                })
                .await;
        });
    }
}

#[test]
fn registration_and_technology() {
    let nb = "+CEREG: 1,5,\"002F\",\"0012BEEF\",9\r\n\r\nOK";
    once_up("AT+CEREG?", nb, async |bench, name| {
        let status = bench.control.status().await;
        assert_eq!(status.registration, Some(Registration::Roaming), "{name}");
    });
    let nb = "%XMONITOR: 5,\"Operator\",\"OP\",\"20065\",\"002F\",9,20,\"0012BEEF\",7,6300,53,30\r\n\r\nOK";
    once_up("AT%XMONITOR", nb, async |bench, name| {
        let status = bench.control.status().await;
        assert_eq!(status.technology, Some(Technology::CatNb1), "{name}");
        assert_eq!(status.operator.as_deref(), Some("Operator"), "{name}");
        assert_eq!(status.band.as_deref(), Some("20"), "{name}");
    });
    // Without the optional part.
    once_up(
        "AT%XMONITOR",
        "%XMONITOR: 2\r\n\r\nOK",
        async |bench, name| {
            let status = bench.control.status().await;
            assert_eq!((status.operator, status.band), (None, None), "{name}");
        },
    );
}

#[test]
fn what_is_not_known_is_not_told() {
    let unknown = "+CESQ: 99,99,255,255,255,255\r\n\r\nOK";
    once_up("AT+CESQ", unknown, async |bench, name| {
        let signal = bench.control.status().await.signal;
        assert_eq!((signal.rsrp, signal.rsrq), (None, None), "{name}");
    });
    // A text that does not fit would be another one, and a number is made of digits.
    let long = "nRF9160-SICA-nRF9160-SICA-nRF9160-SICA-nRF9160-SICA-nRF9160-SICA-nRF9160\r\n\r\nOK";
    once_up("AT+CGMM", long, async |bench, name| {
        assert_eq!(bench.control.status().await.model, None, "{name}");
    });
    once_up(
        "AT+CGSN",
        "35265610088518x\r\n\r\nOK",
        async |bench, name| {
            assert_eq!(bench.control.status().await.imei, None, "{name}");
        },
    );
    once_up("AT+CGMI", "ERROR", async |bench, name| {
        let status = bench.control.status().await;
        assert_eq!(status.manufacturer, None, "{name}");
        assert!(status.model.is_some() && status.clock.is_some(), "{name}");
    });
    once_up("AT%CCLK?", "ERROR", async |bench, name| {
        assert_eq!(bench.control.status().await.clock, None, "{name}");
        assert_eq!(bench.control.clock().await, Ok(None), "{name}");
    });
}

/// Also while it does not come up for it.
#[test]
fn the_state_of_the_card() {
    for profile in [Nrf9160Profile::V2_1, Nrf9160Profile::SERIAL_MODEM] {
        let cases = [
            (Sim::PinRequired("1234".into()), Some(SimState::Pin)),
            (Sim::PukRequired, Some(SimState::Puk)),
            (Sim::Foreign, Some(SimState::Foreign)),
            (Sim::Missing, None),
        ];
        for (sim, expected) in cases {
            virtually(async || {
                let world = World::new(Nrf9160Options {
                    sim: sim.clone(),
                    ..options(profile)
                });
                world
                    .attach(async |bench| {
                        let status = bench.control.status().await;
                        assert!(status.problem.is_some(), "{sim:?}");
                        assert_eq!(status.sim, expected, "{sim:?}");
                        assert!(status.manufacturer.is_some(), "{sim:?}");
                    })
                    .await;
            });
        }
    }
}

#[test]
fn the_numbers_of_the_card() {
    let iccid = "%XICCID: 8988280666001104843F\r\n\r\nOK";
    once_up("AT%XICCID", iccid, async |bench, name| {
        // A digit of it is none.
        assert_eq!(bench.control.sim().await.unwrap().iccid, None, "{name}");
    });
    once_up(
        "AT+CIMI",
        "204080813516718\r\n\r\nOK",
        async |bench, name| {
            let imsi = bench.control.sim().await.unwrap().imsi;
            assert_eq!(imsi.as_deref(), Some("204080813516718"), "{name}");
        },
    );
}

/// Neither the network nor the modem knows the time: the application may.
#[test]
fn the_clock_is_set_by_hand() {
    for profile in [Nrf9160Profile::V2_1, Nrf9160Profile::SERIAL_MODEM] {
        let name = label(&profile);
        virtually(async || {
            let world = World::new(Nrf9160Options {
                network_time: None,
                ..options(profile)
            });
            world.serve(echo);
            world
                .attach_with(CONFIG.keep_clock(), async |bench| {
                    provision(bench).await;
                    let refused = connect(bench).await.err();
                    assert!(
                        matches!(refused, Some(ConnectError::ClockNotSet { .. })),
                        "{name}: {refused:?}"
                    );
                    let now = DateTime::new(2026, 11, 25, 12, 0, 0).unwrap();
                    bench.control.set_clock(now).await.unwrap();
                    let shown = bench.control.clock().await.unwrap().unwrap();
                    assert!(shown.is_plausible(now), "{name}: {shown}");
                    let connected = connect(bench).await;
                    assert!(connected.is_ok(), "{name}: {:?}", connected.err());
                })
                .await;
        });
    }
}

/// A typed line is answered. (Power saving of the modem core is not this backend's: it has no such methods.)
#[test]
fn typed_line_is_answered() {
    once_up("AT", "OK", async |bench, name| {
        let control = bench.control;
        let mut seen = 0;
        let answered = control
            .raw_at("AT+CGMM", Duration::from_secs(5), &mut |_| seen += 1)
            .await;
        assert_eq!((answered, seen), (Ok(()), 1), "{name}");
    });
}

/// What the network grants is read, and a connection that stands goes on standing.
#[test]
fn power_saving_and_edrx_are_asked_for_and_read() {
    let [day, half_minute] = [86_400, 30].map(Duration::from_secs);
    for profile in [Nrf9160Profile::V2_1, Nrf9160Profile::SERIAL_MODEM] {
        virtually(async || {
            let name = label(&profile);
            let world = World::new(options(profile));
            world.serve(echo);
            world
                .attach(async |bench| {
                    provision(bench).await;
                    let mut socket = connect(bench).await.unwrap();
                    let control = bench.control;
                    assert_eq!(control.power_saving().await, Ok(None), "{name}");
                    let wanted = PowerSaving::new(day, half_minute).unwrap();
                    control.set_power_saving(Some(wanted)).await.unwrap();
                    assert_eq!(control.power_saving().await, Ok(Some(wanted)), "{name}");
                    let cycle = Edrx::at_least(Duration::from_secs(20)).unwrap();
                    let technology = Technology::CatM1;
                    control.set_edrx(technology, Some(cycle)).await.unwrap();
                    assert_eq!(control.edrx().await, Ok(Some(cycle)), "{name}");
                    assert_eq!(round_trip(&mut socket, b"awake").await, b"awake", "{name}");
                    control.set_power_saving(None).await.unwrap();
                    control.set_edrx(technology, None).await.unwrap();
                    assert_eq!(control.power_saving().await, Ok(None), "{name}");
                    assert_eq!(control.edrx().await, Ok(None), "{name}");
                })
                .await;
        });
    }
}
