//! ODIN-W2: `UPPPC`, `ATO3`, and AT by UDP beside the link (ppp sheet, A.3).

use embassy_net::Stack;
use embassy_time::{Duration, Timer};
use sectag::clock::DateTime;
use sectag::wifi::{JoinFailure, WifiConfig};
use sectag::{AtError, BringUpError};
use sectag_ppp::dial::beside::{self, FACTORY};
use sectag_ppp::dial::{Dialogue, OdinW2, Own, odin_w2};
use sectag_ppp::net::RunError;
use sectag_ppp::sntp::{self, SntpError};
use sectag_ppp::{Ended, Login};
use sectag_simulator::time::block_on_virtual;
use sectag_simulator::{PppFarEnd, PppScript, ShortRangeOptions, ShortRangeProfile, Simulator};

use crate::module::{Rx, Tx, above};
use crate::{looks_up, network};

const WIFI: WifiConfig = match WifiConfig::wpa2("workshop", "correct horse battery") {
    Ok(wifi) => wifi,
    Err(_) => panic!("no network"),
};
const CLOSED: Result<RunError, BringUpError> = Ok(RunError::Ended(Ended::Closed));

fn module(options: ShortRangeOptions) -> Simulator {
    let options = ShortRangeOptions {
        ppp: PppFarEnd::Scripted(PppScript {
            host: [172, 20, 10, 10],
            ..PppScript::default()
        }),
        ..options
    };
    Simulator::short_range(options, network())
}

async fn dial(line: &mut Dialogue<Rx<'_>, Tx<'_>>, own: Own) -> Result<(), BringUpError> {
    odin_w2(line, &OdinW2 { wifi: WIFI, own }).await
}

async fn plainly(line: &mut Dialogue<Rx<'_>, Tx<'_>>) -> Result<(), BringUpError> {
    dial(line, Own::default()).await
}

#[test]
fn the_module_has_the_address_it_is_given_and_tells_of_itself_there() {
    for (address, module_at) in [
        (None, FACTORY),
        (
            Some("172.20.10.4".parse().unwrap()),
            "172.20.10.4".parse().unwrap(),
        ),
    ] {
        block_on_virtual(async {
            let modem = module(ShortRangeOptions::default());
            let own = Own {
                address,
                ..Own::default()
            };
            let dial = async |line: &mut Dialogue<Rx<'_>, Tx<'_>>| dial(line, own).await;
            let ended = above(&modem, Login::NONE, dial, async |stack: Stack<'_>| {
                looks_up(stack).await;
                let status = beside::status(stack, module_at).await.unwrap();
                assert_eq!(status.model.as_deref(), Some("ODIN-W2"));
                assert_eq!(status.firmware.as_deref(), Some("7.1.0-063"));
                let wifi = status.wifi.unwrap();
                assert_eq!(wifi.ssid.as_deref(), Some("workshop"));
                assert_eq!(status.signal.rssi, Some(-55));
                assert_eq!(status.address.as_deref(), Some("172.20.10.4"));
                // The link went on meanwhile.
                looks_up(stack).await;
            });
            assert_eq!(ended.await, CLOSED);
        });
    }
}

#[test]
fn a_module_without_an_at_port_is_an_error_and_the_link_goes_on() {
    block_on_virtual(async {
        let modem = module(ShortRangeOptions::default());
        modem.set_script(Box::new(|line| match line {
            b"AT+UWSSTAT" => sectag_simulator::Reaction::Silent,
            _ => sectag_simulator::Reaction::Normal,
        }));
        let ended = above(&modem, Login::NONE, plainly, async |stack: Stack<'_>| {
            stack.wait_config_up().await;
            let silent = beside::status(stack, FACTORY).await;
            let timed_out = BringUpError::At {
                command: "status",
                error: AtError::Timeout,
            };
            assert_eq!(silent, Err(timed_out));
            looks_up(stack).await;
        });
        assert_eq!(ended.await, CLOSED);
    });
}

#[test]
fn the_time_comes_by_sntp_or_is_said_to_be_missing() {
    let time = time::OffsetDateTime::from_unix_timestamp(1_796_000_000).unwrap();
    for told in [Some(time), None] {
        block_on_virtual(async {
            let modem = module(ShortRangeOptions {
                network_time: told,
                ..ShortRangeOptions::default()
            });
            let ended = above(&modem, Login::NONE, plainly, async |stack: Stack<'_>| {
                stack.wait_config_up().await;
                let asked = sntp::ask(stack, "broker.sectag.test", 0x1234).await;
                match told {
                    None => assert_eq!(asked, Err(SntpError::NoAnswer)),
                    Some(_) => {
                        let least = DateTime::from_unix(1_796_000_000).unwrap();
                        let most = DateTime::from_unix(1_796_000_060).unwrap();
                        let asked = asked.unwrap();
                        assert!(least <= asked && asked <= most, "{asked}");
                    }
                }
                let unknown = sntp::ask(stack, "other.sectag.test", 1).await;
                assert_eq!(unknown, Err(SntpError::NameUnknown));
            });
            assert_eq!(ended.await, CLOSED);
        });
    }
}

#[test]
fn nina_is_refused_before_anything_is_set_and_a_wrong_key_is_told() {
    block_on_virtual(async {
        let modem = module(ShortRangeOptions {
            profile: ShortRangeProfile::NINA,
            ..ShortRangeOptions::default()
        });
        let error = above(&modem, Login::NONE, plainly, looks_up)
            .await
            .unwrap_err();
        assert!(
            error.to_string().contains("only ODIN-W2 has PPP"),
            "{error}"
        );
        let set = modem.commands().iter().any(|line| line.contains(&b'='));
        assert!(!set);

        let mut options = ShortRangeOptions::default();
        options.access_point.as_mut().unwrap().passphrase = "another passphrase".into();
        let error = above(&module(options), Login::NONE, plainly, looks_up).await;
        let refused = BringUpError::NotJoined {
            failure: JoinFailure::Refused,
            reason: Some(4),
        };
        assert_eq!(error, Err(refused));
    });
}

#[test]
fn a_wifi_that_goes_is_silence_above_and_the_module_still_tells_of_it() {
    block_on_virtual(async {
        let modem = module(ShortRangeOptions::default());
        let handle = modem.clone();
        let ended = above(&modem, Login::NONE, plainly, async |stack: Stack<'_>| {
            looks_up(stack).await;
            handle.set_registered(false);
            Timer::after_secs(1).await;
            let lost = embassy_time::with_timeout(Duration::from_secs(5), looks_up(stack)).await;
            assert!(lost.is_err());
            let status = beside::status(stack, FACTORY).await.unwrap();
            assert_eq!(status.wifi.and_then(|wifi| wifi.ssid), None);
            handle.set_registered(true);
            Timer::after_secs(10).await;
            looks_up(stack).await;
        });
        assert_eq!(ended.await, CLOSED);
    });
}

#[test]
fn a_link_that_an_earlier_life_of_the_mcu_left_is_ended() {
    block_on_virtual(async {
        let modem = module(ShortRangeOptions::default());
        let never = async |_: Stack<'_>| core::future::pending().await;
        let cut = embassy_time::with_timeout(
            Duration::from_secs(30),
            above(&modem, Login::NONE, plainly, never),
        );
        assert!(cut.await.is_err());
        assert_eq!(above(&modem, Login::NONE, plainly, looks_up).await, CLOSED);
    });
}
