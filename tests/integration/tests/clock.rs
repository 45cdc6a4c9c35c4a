//! The modem's clock: where it is set from, in every form that firmware prints, and what a connect
//! wants of it.

use embassy_time::{Instant, Timer};
use sectag::clock::DateTime;
use sectag::{ConnectError, MIN_DATE, NoPins, ServerName, TlsConfig};
use sectag_bg96::Config;
use sectag_integration_tests::Bench;
use sectag_integration_tests::simulated::{HOST, PORT, TLS, World, provision, virtually};
use sectag_simulator::{Options, Profile, Reaction};
use sectag_test_support::tls_server::echo;
use time::OffsetDateTime;

const NTP: Config = Config::new().ntp(match ServerName::new("ntp.test") {
    Ok(name) => name,
    Err(_) => panic!("not a name"),
});

fn date(year: u16, month: u8, day: u8) -> DateTime {
    DateTime::new(year, month, day, 0, 0, 0).unwrap()
}

fn unix(time: OffsetDateTime) -> u64 {
    time.unix_timestamp().try_into().unwrap()
}

/// How far the modem's clock is from the truth, in seconds. Virtual time has moved on.
async fn error(bench: Bench, truth: OffsetDateTime, since: Instant) -> u64 {
    let shown = bench.control.clock().await.unwrap().unwrap().to_unix();
    shown.abs_diff(unix(truth) + since.elapsed().as_secs())
}

/// The network tells its time only when asked over NTP.
fn without_nitz(world: &World) {
    world.modem.set_script(Box::new(|line| match line {
        b"AT+QLTS=2" => Reaction::Reply(b"\r\n+QLTS: \"\"\r\n\r\nOK\r\n".to_vec()),
        _ => Reaction::Normal,
    }));
}

async fn connect(
    bench: Bench,
    config: &TlsConfig,
) -> Result<sectag::Socket<'static>, ConnectError> {
    bench.control.connect(HOST, PORT, config).await
}

#[test]
fn network_time_counts_in_every_zone_of_the_earth() {
    let now = OffsetDateTime::now_utc();
    // From 12 h west to 14 h east; India, Nepal, Newfoundland, the Chatham Islands.
    for zone in [-48, -14, -20, 0, 1, 22, 23, 32, 51, 56] {
        virtually(async || {
            let world = World::new(Options {
                network_time: Some(now),
                network_zone: zone,
                ..Options::default()
            });
            let since = Instant::now();
            world
                .attach(async |bench| {
                    bench.control.wait_up().await.unwrap();
                    assert!(error(bench, now, since).await <= 2, "zone {zone}");
                })
                .await;
            // The next bring-up, as after a reset of the MCU alone, leaves it.
            world
                .attach(async |bench| {
                    bench.control.wait_up().await.unwrap();
                    assert!(error(bench, now, since).await <= 2, "zone {zone}");
                    assert_eq!(world.count("AT+CCLK="), 1);
                })
                .await;
        });
    }
}

#[test]
fn ntp_counts_whether_its_report_is_utc_or_local_with_two_or_four_digits() {
    let now = OffsetDateTime::now_utc();
    for utc in [true, false] {
        for long_year in [true, false] {
            for sets_clock in [true, false] {
                for zone in ["+00", "+32", "-20"] {
                    virtually(async || {
                        let world = World::new(Options {
                            network_time: Some(now),
                            profile: Profile {
                                ntp_time_is_utc: utc,
                                ntp_long_year: long_year,
                                ntp_sets_clock: sets_clock,
                                ..Profile::BG96_LATER
                            },
                            ..Options::default()
                        });
                        without_nitz(&world);
                        let since = Instant::now();
                        // Not set, with a zone from the network.
                        spoil(&world, &format!("08/01/04,00:19:43{zone}")).await;
                        let set = world.attach_with(NTP, NoPins, async |bench| {
                            bench.control.wait_up().await.unwrap();
                            let off = error(bench, now, since).await;
                            assert!(
                                off <= 2,
                                "{off} s, utc {utc}, sets {sets_clock}, zone {zone}"
                            );
                            assert_eq!(world.count("AT+QNTP="), 1);
                        });
                        set.await;
                    });
                }
            }
        }
    }
}

#[test]
fn time_server_that_does_not_answer_leaves_a_clock_that_is_not_set() {
    virtually(async || {
        let world = World::new(Options {
            network_time: None,
            ..Options::default()
        });
        let up = world.attach_with(NTP, NoPins, async |bench| {
            bench.control.wait_up().await.unwrap();
            let shown = bench.control.clock().await.unwrap().unwrap();
            assert!(shown < MIN_DATE, "{shown}");
        });
        up.await;
    });
}

/// Sets the clock to this, zone included, as the modem's former host might have.
async fn spoil(world: &World, text: &str) {
    let line = format!("AT+CCLK=\"{text}\"");
    let spoilt = world.attach_with(Config::new().keep_clock(), NoPins, async |bench| {
        let at = bench.control.keeps_connections().at().await.unwrap();
        at.send(&Raw(line)).await.unwrap();
    });
    spoilt.await;
}

/// A line as it is.
struct Raw(String);
sectag::at::at_command!(Raw, 3000, &self.0[2..], |self, line| line);

#[test]
fn clock_that_the_network_sets_only_later_is_found_by_the_connect() {
    virtually(async || {
        let now = OffsetDateTime::now_utc();
        let world = World::new(Options {
            network_time: Some(now),
            ..Options::default()
        });
        world.serve(echo);
        without_nitz(&world);
        world
            .attach(async |bench| {
                provision(bench).await;
                let unset = connect(bench, &TLS).await.err();
                assert!(
                    matches!(unset, Some(ConnectError::ClockNotSet { .. })),
                    "{unset:?}"
                );
                assert_eq!(world.count("AT+QSSLOPEN"), 0);
                // Registered for a while, the network has told.
                world.modem.set_script(Box::new(|_| Reaction::Normal));
                connect(bench, &TLS).await.unwrap();
            })
            .await;
    });
}

#[test]
fn clock_that_the_application_keeps_is_not_touched_by_a_connect() {
    virtually(async || {
        let world = World::new(Options::default());
        world.serve(echo);
        let connected = world.attach_with(Config::new().keep_clock(), NoPins, async |bench| {
            provision(bench).await;
            let unset = connect(bench, &TLS).await.err();
            assert!(
                matches!(unset, Some(ConnectError::ClockNotSet { .. })),
                "{unset:?}"
            );
            let asked = world.count("AT+QLTS") + world.count("AT+CTZU") + world.count("AT+CCLK=");
            assert_eq!(asked, 0);
            let host = DateTime::from_unix(unix(OffsetDateTime::now_utc())).unwrap();
            bench.control.set_clock(host).await.unwrap();
            connect(bench, &TLS).await.unwrap();
            // What was seen of it does not count in the modem's next life.
            let reads = world.count("AT+CCLK?");
            world.modem.reset();
            Timer::after_secs(20).await;
            connect(bench, &TLS).await.unwrap();
            assert_eq!(world.count("AT+CCLK?"), reads + 1);
        });
        connected.await;
    });
}

#[test]
fn minimum_can_be_raised_and_not_lowered() {
    virtually(async || {
        let world = World::new(Options::default());
        world.serve(echo);
        let done = world.attach_with(Config::new().keep_clock(), NoPins, async |bench| {
            provision(bench).await;
            let set = async |now| bench.control.set_clock(now).await.unwrap();
            let refused = async |config: TlsConfig| match connect(bench, &config).await {
                Err(ConnectError::ClockNotSet { now }) => Some(now),
                Err(other) => panic!("{other}"),
                Ok(_) => None,
            };
            // The day before the release.
            let before = DateTime::from_unix(MIN_DATE.to_unix() - 86_400).unwrap();
            set(before).await;
            assert!(refused(TLS).await.unwrap() >= before);
            assert!(refused(TLS.min_date(date(2020, 1, 1))).await.is_some());
            let now = DateTime::from_unix(unix(OffsetDateTime::now_utc())).unwrap();
            set(now).await;
            assert_eq!(refused(TLS).await, None);
            let raised = TLS.min_date(DateTime::from_unix(now.to_unix() + 86_400).unwrap());
            assert!(refused(raised).await.unwrap() >= now);
            assert_eq!(refused(TLS).await, None);
            // Far in the future is as wrong as in the past.
            for absurd in [date(2060, 1, 1), date(2079, 12, 31)] {
                set(absurd).await;
                assert!(refused(TLS).await.unwrap() >= absurd);
            }
            assert_eq!(world.count("AT+QSSLOPEN"), 2);
        });
        done.await;
    });
}

#[test]
fn absurd_clock_is_set_at_bring_up() {
    for absurd in ["60/01/01", "99/12/31", "80/01/06", "08/01/04"] {
        virtually(async || {
            let now = OffsetDateTime::now_utc();
            let world = World::new(Options {
                network_time: Some(now),
                ..Options::default()
            });
            let since = Instant::now();
            spoil(&world, &format!("{absurd},00:00:00+00")).await;
            world
                .attach(async |bench| {
                    bench.control.wait_up().await.unwrap();
                    assert!(error(bench, now, since).await <= 2, "{absurd}");
                })
                .await;
        });
    }
}

#[test]
fn clock_is_read_once_in_a_life_of_the_modem_and_again_after_a_failure() {
    virtually(async || {
        let world = World::new(Options::default());
        world.serve(echo);
        world
            .attach(async |bench| {
                provision(bench).await;
                let reads = || world.count("AT+CCLK?");
                let after_bring_up = reads();
                for _ in 0..3 {
                    connect(bench, &TLS).await.unwrap().close().await.unwrap();
                }
                assert_eq!(reads(), after_bring_up);
                // Another host sets it back: the modem itself refuses what is not yet valid.
                let back = OffsetDateTime::from_unix_timestamp(1_000_000_000).unwrap();
                world.modem.set_clock(back);
                let failed = connect(bench, &TLS).await.err();
                assert!(
                    matches!(failed, Some(ConnectError::Refused(_))),
                    "{failed:?}"
                );
                assert_eq!(reads(), after_bring_up);
                // The next one looks, and mends it.
                connect(bench, &TLS).await.unwrap().close().await.unwrap();
                let mended = reads();
                assert!(mended > after_bring_up);
                // In its next life the modem is asked anew.
                world.modem.reset();
                Timer::after_secs(20).await;
                connect(bench, &TLS).await.unwrap();
                assert!(reads() > mended);
            })
            .await;
    });
}
