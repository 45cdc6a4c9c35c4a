//! Cellular modules: `ATD*99***1#` (ppp sheet, B.3).

use embassy_net::udp::{PacketMetadata, UdpSocket};
use embassy_time::{Duration, Instant, Timer};
use sectag::{BringUpError, Cause};
use sectag_ppp::dial::{Cellular, Dialogue, cellular, redial};
use sectag_ppp::net::RunError;
use sectag_ppp::{Ended, Login};
use sectag_simulator::time::block_on_virtual;
use sectag_simulator::{
    DialTrouble, Lost, PppAsks, PppFarEnd, PppScript, Reaction, Sim, Simulator, UbloxOptions,
    UbloxProfile,
};

use crate::module::{Rx, Tx, above};
use crate::{looks_up, network};

const LOGIN: Login = match Login::new("user", "right") {
    Ok(login) => login,
    Err(_) => panic!("short"),
};
const CLOSED: Result<RunError, BringUpError> = Ok(RunError::Ended(Ended::Closed));

fn module(profile: UbloxProfile, script: PppScript) -> Simulator {
    with(UbloxOptions {
        profile,
        ppp: PppFarEnd::Scripted(script),
        ..UbloxOptions::default()
    })
}

fn with(options: UbloxOptions) -> Simulator {
    Simulator::ublox(options, network())
}

async fn plainly(line: &mut Dialogue<Rx<'_>, Tx<'_>>) -> Result<(), BringUpError> {
    cellular(line, &mut Cellular::new()).await
}

fn dials(modem: &Simulator) -> Vec<String> {
    let commands = modem.commands().into_iter();
    let text = commands.map(|line| String::from_utf8_lossy(&line).into_owned());
    text.filter(|line| line.starts_with("ATD")).collect()
}

#[test]
fn every_model_is_dialled_and_lexi_is_refused_by_name() {
    for profile in UbloxProfile::ALL {
        block_on_virtual(async {
            let modem = module(profile, PppScript::default());
            let ended = above(&modem, Login::NONE, plainly, looks_up).await;
            let dialled = dials(&modem);
            match profile.name {
                "lexi-r10" => {
                    let error = ended.unwrap_err().to_string();
                    assert!(error.contains("LEXI-R10 has no PPP"), "{error}");
                    assert!(dialled.is_empty());
                }
                name => {
                    assert_eq!(ended, CLOSED, "{name}");
                    // Its own clients fail while the first context is a data call's.
                    let context = if name == "lena-r8" { 2 } else { 1 };
                    assert_eq!(dialled, [format!("ATD*99***{context}#")], "{name}");
                }
            }
        });
    }
}

#[test]
fn what_cannot_be_read_of_the_registration_is_told() {
    block_on_virtual(async {
        let modem = module(UbloxProfile::SARA_R5, PppScript::default());
        modem.set_script(Box::new(|line| match line {
            b"AT+CEREG?" => Reaction::Reply(b"\r\n+CEREG: 0,400\r\n\r\nOK\r\n".to_vec()),
            b"AT+CGREG?" => Reaction::Reply(b"\r\n+CGREG: 0,0\r\n\r\nOK\r\n".to_vec()),
            _ => Reaction::Normal,
        }));
        let ended = above(&modem, Login::NONE, plainly, looks_up).await;
        let error = ended.unwrap_err().to_string();
        assert!(error.contains("\"+CEREG: 0,400\""), "{error}");
    });
}

#[test]
fn logins_as_the_peer_wants_them_and_the_late_request_of_sara_r410() {
    for asks in [PppAsks::Nothing, PppAsks::Pap, PppAsks::Chap, PppAsks::Eap] {
        block_on_virtual(async {
            let script = PppScript {
                asks,
                late_request: true,
                ..PppScript::default()
            };
            let modem = module(UbloxProfile::SARA_R4_02B, script);
            let ended = above(&modem, LOGIN, plainly, async |stack| {
                looks_up(stack).await;
                let before = stack.config_v4();
                Timer::after_secs(60).await;
                // Acknowledged, and nothing began anew.
                assert_eq!(stack.config_v4(), before);
                looks_up(stack).await;
            });
            assert_eq!(ended.await, CLOSED, "{asks:?}");
        });
    }
}

#[test]
fn a_refused_login_is_an_error_after_three_tries() {
    for asks in [PppAsks::Pap, PppAsks::Chap] {
        block_on_virtual(async {
            let script = PppScript {
                asks,
                password: "another".into(),
                ..PppScript::default()
            };
            let modem = module(UbloxProfile::SARA_R5, script);
            let ended = above(&modem, LOGIN, plainly, looks_up).await;
            assert_eq!(ended, Ok(RunError::Ended(Ended::LoginRefused)));
        });
    }
}

#[test]
fn packets_that_are_lost_cost_seconds_and_not_the_link() {
    for lost in (0..4).flat_map(|at| [Lost::FromHost(at), Lost::ToHost(at)]) {
        block_on_virtual(async {
            let script = PppScript {
                loses: vec![lost],
                ..PppScript::default()
            };
            let modem = module(UbloxProfile::SARA_R5, script);
            let ended = above(&modem, Login::NONE, plainly, async |stack| {
                let began = Instant::now();
                stack.wait_config_up().await;
                let took = began.elapsed();
                assert!(took <= Duration::from_secs(5), "{lost:?}: {took:?}");
                looks_up(stack).await;
            });
            assert_eq!(ended.await, CLOSED, "{lost:?}");
        });
    }
}

#[test]
fn a_link_that_is_begun_anew_has_another_address_and_a_silent_one_is_an_error() {
    block_on_virtual(async {
        let script = PppScript {
            restarts_at: Some(Duration::from_secs(30)),
            ..PppScript::default()
        };
        let modem = module(UbloxProfile::SARA_R5, script);
        let ended = above(&modem, Login::NONE, plainly, async |stack| {
            stack.wait_config_up().await;
            let before = stack.config_v4().unwrap().address;
            Timer::after_secs(40).await;
            let after = stack.config_v4().unwrap().address;
            assert_ne!(after, before);
            looks_up(stack).await;
        });
        assert_eq!(ended.await, CLOSED);

        let script = PppScript {
            silent_at: Some(Duration::from_secs(30)),
            ..PppScript::default()
        };
        let modem = module(UbloxProfile::SARA_R5, script);
        let began = Instant::now();
        let never = async |_: embassy_net::Stack<'_>| core::future::pending().await;
        let ended = above(&modem, Login::NONE, plainly, never).await;
        assert_eq!(ended, Ok(RunError::Ended(Ended::PeerSilent)));
        // 30 s, three echoes, and the last words.
        assert!(began.elapsed() < Duration::from_secs(30 + 40 + 10));
    });
}

#[test]
fn a_network_that_goes_ends_the_link_with_no_carrier() {
    block_on_virtual(async {
        let modem = module(UbloxProfile::SARA_R5, PppScript::default());
        let handle = modem.clone();
        let ended = above(&modem, Login::NONE, plainly, async |stack| {
            stack.wait_config_up().await;
            handle.set_registered(false);
            core::future::pending().await
        });
        assert_eq!(ended.await, Ok(RunError::Ended(Ended::NoCarrier)));
        // The line is the module's again, and it is dialled anew.
        modem.set_registered(true);
        let again =
            async |line: &mut Dialogue<Rx<'_>, Tx<'_>>| redial(line, &mut Cellular::new()).await;
        assert_eq!(above(&modem, Login::NONE, again, looks_up).await, CLOSED);
    });
}

#[test]
fn no_carrier_is_mended_by_attaching_and_then_by_a_restart() {
    for (dial_trouble, dialled, restarts) in [
        (DialTrouble::None, 1, 0),
        (DialTrouble::UntilAttached, 2, 0),
        (DialTrouble::UntilRestarted, 3, 1),
        (DialTrouble::Always, 3, 1),
    ] {
        block_on_virtual(async {
            let modem = with(UbloxOptions {
                ppp: PppFarEnd::Scripted(PppScript::default()),
                dial_trouble,
                ..UbloxOptions::default()
            });
            let ended = above(&modem, Login::NONE, plainly, looks_up).await;
            if dial_trouble == DialTrouble::Always {
                let error = ended.unwrap_err();
                assert_eq!(error.causes().next(), Some(Cause::ApnWrong));
            } else {
                assert_eq!(ended, CLOSED, "{dial_trouble:?}");
            }
            assert_eq!(dials(&modem).len(), dialled, "{dial_trouble:?}");
            let all = modem.commands();
            let restarted = all.iter().filter(|line| line.starts_with(b"AT+CFUN=1"));
            assert_eq!(restarted.count(), restarts);
        });
    }
}

#[test]
fn an_access_point_is_set_and_a_pin_entered_once() {
    block_on_virtual(async {
        // SARA-R4 takes an access point only without radio.
        let modem = module(UbloxProfile::SARA_R4_02B, PppScript::default());
        let mut config = Cellular::new().apn("iot.example").unwrap();
        let dial = async |line: &mut Dialogue<Rx<'_>, Tx<'_>>| cellular(line, &mut config).await;
        assert_eq!(above(&modem, Login::NONE, dial, looks_up).await, CLOSED);

        for (pin, ended) in [
            (None, Err(BringUpError::SimLocked)),
            (Some("9999"), Err(BringUpError::SimPinRefused)),
            (Some("1234"), CLOSED),
        ] {
            let modem = with(UbloxOptions {
                sim: Sim::PinRequired("1234".into()),
                ppp: PppFarEnd::Scripted(PppScript::default()),
                ..UbloxOptions::default()
            });
            let mut config = Cellular::new();
            if let Some(pin) = pin {
                config = config.pin(pin).unwrap();
            }
            // Twice: a refused one is not entered by the next dial either.
            for _ in 0..2 {
                let dial =
                    async |line: &mut Dialogue<Rx<'_>, Tx<'_>>| cellular(line, &mut config).await;
                assert_eq!(above(&modem, Login::NONE, dial, looks_up).await, ended);
            }
            let all = modem.commands();
            let entered = all.iter().filter(|line| line.starts_with(b"AT+CPIN="));
            assert_eq!(entered.count(), usize::from(pin.is_some()));
        }
    });
}

#[test]
fn a_link_that_an_earlier_life_of_the_mcu_left_is_ended() {
    block_on_virtual(async {
        let modem = module(UbloxProfile::SARA_R5, PppScript::default());
        let up = async |_: embassy_net::Stack<'_>| core::future::pending().await;
        // The MCU restarts: nobody says that the link ends.
        let cut = embassy_time::with_timeout(
            Duration::from_secs(20),
            above(&modem, Login::NONE, plainly, up),
        );
        assert!(cut.await.is_err());
        assert_eq!(above(&modem, Login::NONE, plainly, looks_up).await, CLOSED);
        assert_eq!(dials(&modem).len(), 2);
    });
}

#[test]
fn it_tells_of_itself_before_the_dial() {
    block_on_virtual(async {
        let modem = module(UbloxProfile::SARA_R5, PppScript::default());
        let dial = async |line: &mut Dialogue<Rx<'_>, Tx<'_>>| {
            assert_eq!(line.model().await?.as_str(), "SARA-R510S");
            let status = line.status(false).await?;
            assert_eq!(status.manufacturer.as_deref(), Some("u-blox"));
            assert_eq!(status.operator.as_deref(), Some("3 DK"));
            assert_eq!(status.signal.rssi, Some(-79));
            assert!(status.registration.unwrap().is_registered());
            // The network's time, which dates can be checked by.
            assert!(status.clock.unwrap() >= sectag::MIN_DATE);
            plainly(line).await
        };
        assert_eq!(above(&modem, Login::NONE, dial, looks_up).await, CLOSED);
    });
}

/// Full packets follow each other without a gap: the time that they take is that of their bytes on the wire.
#[test]
fn full_packets_leave_at_the_rate_of_the_line() {
    const BAUD: u32 = 460_800;
    const PACKETS: usize = 200;
    const PAYLOAD: usize = 1472;
    // IP and UDP, and the frame around the packet: protocol, checksum and flags.
    const PACKET: usize = PAYLOAD + 28;
    const FRAME: usize = PACKET + 6;
    block_on_virtual(async {
        let modem = with(UbloxOptions {
            baud: Some(BAUD),
            ppp: PppFarEnd::Scripted(PppScript::default()),
            ..UbloxOptions::default()
        });
        let sends = async |stack: embassy_net::Stack<'_>| {
            stack.wait_config_up().await;
            let (mut rx_meta, mut tx_meta) =
                ([PacketMetadata::EMPTY; 1], [PacketMetadata::EMPTY; 4]);
            let (mut rx, mut tx) = (vec![0; 64], vec![0; 4 * PAYLOAD]);
            let mut socket = UdpSocket::new(stack, &mut rx_meta, &mut rx, &mut tx_meta, &mut tx);
            socket.bind(5000).unwrap();
            let to = (embassy_net::Ipv4Address::new(10, 9, 9, 9), 9);
            let (begun, before) = (Instant::now(), modem.bytes_in());
            let mut seed = 1_u32;
            for _ in 0..PACKETS {
                let random = core::iter::repeat_with(|| {
                    seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                    (seed >> 24) as u8
                });
                let packet: Vec<u8> = random.take(PAYLOAD).collect();
                socket.send_to(&packet, to).await.unwrap();
            }
            // The last byte has come when none follows it.
            let (mut seen, mut last) = (modem.bytes_in(), Instant::now());
            while last.elapsed() < Duration::from_millis(50) {
                Timer::after_micros(100).await;
                if modem.bytes_in() != seen {
                    (seen, last) = (modem.bytes_in(), Instant::now());
                }
            }
            assert!(seen - before >= (PACKETS * (PACKET + 3)) as u64);
            let seconds = (last - begun).as_micros() as f64 / 1e6;
            let measured = (PACKETS * PAYLOAD) as f64 / seconds;
            let formula = f64::from(BAUD) / 10.0 * PAYLOAD as f64 / FRAME as f64;
            let share = measured / formula;
            println!(
                "{measured:.0} bytes/s, formula {formula:.0}, share {:.1} %",
                share * 100.0
            );
            assert!((0.95..1.01).contains(&share), "{share}");
        };
        assert_eq!(above(&modem, Login::NONE, plainly, sends).await, CLOSED);
    });
}
