//! What keeps an nRF9160 from coming up, and in which words.

use embassy_time::{Duration, Timer, with_timeout};
use sectag::{AtError, BringUpError, Code, SimState, Technology};
use sectag_integration_tests::nrf9160::{
    CONFIG, World, awkward, connect, label, options, provision, round_trip, usable,
};
use sectag_integration_tests::simulated::virtually;
use sectag_nrf9160::Config;
use sectag_simulator::{Nrf9160Options, Nrf9160Profile, Reaction, Sim};
use sectag_test_support::tls_server::echo;

const DIALECTS: [Nrf9160Profile; 3] = [
    Nrf9160Profile::V2_1,
    Nrf9160Profile::V3_1,
    Nrf9160Profile::SERIAL_MODEM,
];

fn with_sim(profile: Nrf9160Profile, sim: Sim) -> World {
    World::new(Nrf9160Options {
        sim,
        ..options(profile)
    })
}

/// How it comes up the first time.
async fn up(world: &World, config: Config) -> Result<(), BringUpError> {
    let attached = world.attach_with(config, async |bench| {
        bench.control.patience(Duration::MIN).wait_up().await
    });
    attached.await
}

/// Answers command lines that begin so with these lines in turn, the last of them for ever.
fn answering(world: &World, beginning: &'static str, answers: &'static [&'static str]) {
    let mut count = 0;
    world.modem.set_script(Box::new(move |line| {
        if !line.starts_with(beginning.as_bytes()) {
            return Reaction::Normal;
        }
        let answer = answers[count.min(answers.len() - 1)];
        count += 1;
        Reaction::Reply(format!("\r\n{answer}\r\n").into_bytes())
    }));
}

fn asked(world: &World, beginning: &str) -> usize {
    let commands = world.commands();
    let lines = commands.iter().filter(|line| line.starts_with(beginning));
    lines.count()
}

#[test]
fn what_the_card_lacks_is_named() {
    let locked = Sim::PinRequired("1234".into());
    let right = CONFIG.pin("1234").unwrap();
    let cases = [
        (
            Sim::Missing,
            CONFIG,
            Err(BringUpError::SimMissing(Code::Cme(10))),
        ),
        (Sim::PukRequired, CONFIG, Err(BringUpError::SimPukNeeded)),
        (Sim::Foreign, CONFIG, Err(BringUpError::SimForeign)),
        (locked.clone(), CONFIG, Err(BringUpError::SimLocked)),
        (locked, right, Ok(())),
        (Sim::Ready, right, Ok(())),
    ];
    for profile in DIALECTS {
        for (sim, config, expected) in cases.clone() {
            virtually(async || {
                let world = with_sim(profile, sim.clone());
                assert_eq!(
                    up(&world, config).await,
                    expected,
                    "{} {sim:?}",
                    label(&profile)
                );
            });
        }
    }
}

/// Three wrong ones, and the card is locked.
#[test]
fn a_wrong_pin_is_tried_once() {
    for profile in DIALECTS {
        let name = label(&profile);
        virtually(async || {
            let world = with_sim(profile, Sim::PinRequired("1234".into()));
            let config = CONFIG.pin("9999").unwrap();
            world
                .attach_with(config, async |bench| {
                    let refused = Err(BringUpError::SimPinRefused);
                    assert_eq!(bench.control.wait_up().await, refused, "{name}");
                    Timer::after_secs(600).await;
                    assert_eq!(bench.control.wait_up().await, refused, "{name}");
                })
                .await;
            assert_eq!(asked(&world, "AT+CPIN="), 1, "{name}");
            assert!(asked(&world, "AT+CPIN?") > 1, "{name}: it tried again");
        });
    }
}

/// Accepted, and asked for again all the same.
#[test]
fn a_pin_that_changes_nothing_is_refused() {
    virtually(async || {
        let world = with_sim(Nrf9160Profile::V2_5, Sim::Ready);
        world.modem.set_script(Box::new(|line| match line {
            b"AT+CPIN?" => Reaction::Reply(b"\r\n+CPIN: SIM PIN\r\n\r\nOK\r\n".to_vec()),
            line if line.starts_with(b"AT+CPIN=") => Reaction::Reply(b"\r\nOK\r\n".to_vec()),
            _ => Reaction::Normal,
        }));
        let refused = up(&world, CONFIG.pin("1234").unwrap()).await;
        assert_eq!(refused, Err(BringUpError::SimPinRefused));
        assert_eq!(asked(&world, "AT+CPIN="), 1);
    });
}

/// A card is read within seconds; until then its state is refused (sheet 12.4).
#[test]
fn a_card_that_is_read_late_is_waited_for() {
    virtually(async || {
        let world = World::new(options(Nrf9160Profile::V2_1));
        answering(
            &world,
            "AT+CPIN?",
            &["ERROR", "ERROR", "+CPIN: READY\r\n\r\nOK"],
        );
        assert_eq!(up(&world, CONFIG).await, Ok(()));
        assert_eq!(asked(&world, "AT+CPIN?"), 3);
        let world = World::new(options(Nrf9160Profile::V2_1));
        answering(&world, "AT+CPIN?", &["ERROR"]);
        let unready = BringUpError::SimNotReady(Code::Plain);
        assert_eq!(up(&world, CONFIG).await, Err(unready));
        // Sheet 2: UICC failure.
        let world = World::new(options(Nrf9160Profile::V2_1));
        answering(
            &world,
            "AT+CEREG?",
            &["+CEREG: 1,2\r\n\r\nOK", "+CEREG: 1,90\r\n\r\nOK"],
        );
        assert_eq!(up(&world, CONFIG).await, Err(unready));
        assert_eq!(asked(&world, "AT+CEREG?"), 2);
    });
}

#[test]
fn without_coverage_the_status_is_told() {
    for profile in DIALECTS {
        virtually(async || {
            let world = World::new(options(profile));
            world.modem.set_registered(false);
            let config = CONFIG.registration(Duration::from_secs(30));
            let unregistered = up(&world, config).await;
            assert!(
                matches!(
                    unregistered,
                    Err(BringUpError::NotRegistered { status: 0 | 2, .. })
                ),
                "{}: {unregistered:?}",
                label(&profile)
            );
        });
    }
}

/// It may well be registered.
#[test]
fn what_cannot_be_read_of_the_registration_is_told() {
    virtually(async || {
        let world = World::new(options(Nrf9160Profile::V3_1));
        answering(&world, "AT+CEREG?", &["+CEREG: 1,400\r\n\r\nOK"]);
        let config = CONFIG.registration(Duration::from_secs(30));
        let error = up(&world, config).await.unwrap_err().to_string();
        assert!(error.contains("\"+CEREG: 1,400\""), "{error}");
    });
}

/// Off the network (sheet 2), and where it is not there already.
#[test]
fn an_apn_is_set_once() {
    for profile in DIALECTS {
        let name = label(&profile);
        virtually(async || {
            let world = World::new(Nrf9160Options {
                functionality: 1,
                ..options(profile)
            });
            let config = CONFIG.apn("iot.example").unwrap();
            for _ in 0..2 {
                assert_eq!(up(&world, config).await, Ok(()), "{name}");
            }
            let commands = world.commands();
            let position = |wanted: &str| commands.iter().position(|line| line == wanted);
            let set = position("AT+CGDCONT=0,\"IP\",\"iot.example\"");
            assert!(set.is_some(), "{name}: {commands:?}");
            assert!(position("AT+CFUN=4") < set, "{name}: {commands:?}");
            assert!(set < position("AT+CFUN=1"), "{name}: {commands:?}");
            assert_eq!(asked(&world, "AT+CGDCONT="), 1, "{name}");
        });
    }
}

/// One answer after the other.
const CHANGING: [&str; 2] = [
    "#XSLMVER: \"2.1.0\"\r\n\r\nOK",
    "#XSLMVER: \"2.5.0\"\r\n\r\nOK",
];

/// A modem that is none of these, and one whose word about it cannot be relied on.
#[test]
fn another_firmware_is_refused() {
    let error = |error| BringUpError::At {
        command: "AT#XSLMVER",
        error,
    };
    virtually(async || {
        let world = World::new(options(Nrf9160Profile::V2_1));
        answering(&world, "AT#X", &["ERROR"]);
        let refused = up(&world, CONFIG).await;
        assert_eq!(refused, Err(error(AtError::Refused(Code::Plain))));
        for told in [&["OK"][..], &CHANGING] {
            let world = World::new(options(Nrf9160Profile::V2_1));
            let mut lines = told.iter().cycle();
            world.modem.set_script(Box::new(move |line| {
                if line != b"AT#XSLMVER" {
                    return Reaction::Normal;
                }
                let line = lines.next().expect("there is always another");
                Reaction::Reply(format!("\r\n{line}\r\n").into_bytes())
            }));
            let came_up = up(&world, CONFIG).await;
            assert_eq!(came_up, Err(error(AtError::Garbled)), "{told:?}");
            assert_eq!(asked(&world, "AT#XSSOCKET="), 0);
        }
    });
}

/// Where `#XDATACTRL?` says nothing usable, it comes up, and no payload ends data mode.
#[test]
fn a_limit_that_is_not_told_is_a_long_one() {
    for answer in [
        "ERROR",
        "#XDATACTRL: 10,32\r\n\r\nOK",
        "#XDATACTRL: x\r\n\r\nOK",
    ] {
        virtually(async || {
            let world = World::new(options(Nrf9160Profile::V2_1));
            world.serve(echo);
            world.modem.set_script(Box::new(move |line| {
                if line != b"AT#XDATACTRL?" {
                    return Reaction::Normal;
                }
                Reaction::Reply(format!("\r\n{answer}\r\n").into_bytes())
            }));
            world
                .attach(async |bench| {
                    provision(bench).await;
                    let mut socket = connect(bench).await.unwrap();
                    let payload = awkward();
                    let back = round_trip(&mut socket, &payload);
                    let back = with_timeout(Duration::from_secs(60), back).await;
                    assert!(back == Ok(payload.clone()), "{answer}: {back:?}");
                })
                .await;
        });
    }
}

#[test]
fn the_status_tells_maker_model_firmware_imei_and_sim() {
    for profile in usable() {
        let name = label(&profile);
        virtually(async || {
            let world = World::new(options(profile));
            world
                .attach_with(CONFIG.apn("iot.example").unwrap(), async |bench| {
                    bench.control.wait_up().await.unwrap();
                    let status = bench.control.status().await;
                    assert!(status.manufacturer.is_some(), "{name}");
                    assert!(
                        status.model.is_some() && status.firmware.is_some(),
                        "{name}"
                    );
                    assert!(status.imei.is_some(), "{name}");
                    assert_eq!(status.sim, Some(SimState::Ready), "{name}");
                    assert_eq!(status.technology, Some(Technology::CatM1), "{name}");
                    assert_eq!(status.signal.rsrp, Some(53 - 140), "{name}");
                    assert_eq!(status.signal.rsrq, Some(22 / 2 - 19), "{name}");
                    assert!(status.address.is_some(), "{name}: {status:?}");
                    assert!(status.clock.is_some(), "{name}");
                })
                .await;
        });
    }
}
