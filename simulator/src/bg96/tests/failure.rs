use embassy_time::{Duration, Instant};

use super::*;
use crate::{After, Failure};

#[test]
fn failure_comes_at_its_byte() {
    for (after, answer) in [
        (After::Received(2), &b"AT"[..]),
        (After::Sent(4), b"AT\r\r"),
    ] {
        play_alone(Options::default(), |host| async move {
            host.modem.fail_after(after, Failure::Reset);
            host.send("AT\r").await;
            let start = Instant::now();
            // The echo of the bytes so far was sent before the failure; unsent output is lost.
            if after == After::Sent(4) {
                host.expect(answer).await;
            }
            host.expect("\r\nRDY\r\n").await;
            assert_eq!(start.elapsed().as_millis(), 5900);
        });
    }
}

#[test]
fn brown_out_forgets_everything_and_says_nothing() {
    play_alone(Options::default(), |host| async move {
        host.prepare().await;
        host.modem.fail(Failure::BrownOut);
        host.send("AT\r").await;
        host.expect_silence(Duration::from_secs(10)).await;
        host.ask("AT", "AT\r\r\nOK\r\n").await;
    });
}

#[test]
fn hung_modem_is_deaf_until_it_is_switched_off_or_reset() {
    play_alone(Options::default(), |host| async move {
        let modem = &host.modem;
        for by_key in [true, false] {
            modem.fail(Failure::Hang);
            host.send("AT\r").await;
            host.expect_silence(Duration::from_secs(100)).await;
            assert!(modem.status_pin());
            if by_key {
                for _ in 0..2 {
                    modem.power_key(true);
                    embassy_time::Timer::after(Duration::from_millis(700)).await;
                    modem.power_key(false);
                }
            } else {
                modem.reset_pin(true);
                embassy_time::Timer::after(Duration::from_millis(300)).await;
                modem.reset_pin(false);
            }
            host.expect("\r\nRDY\r\n\r\nAPP RDY\r\n").await;
        }
    });
}

#[test]
fn data_connection_may_go_without_a_word() {
    play_alone(
        Options {
            pdp_active: true,
            ..Options::default()
        },
        |host| async move {
            host.prepare().await;
            host.modem.drop_pdp_silently(1);
            host.ok(&["AT+QIACT?"]).await;
        },
    );
}
