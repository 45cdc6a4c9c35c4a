//! Tests of boot, sleep, registration, clock and crash (sheet 1.5, 2, 2a).

use embassy_time::Timer;

use super::*;
use crate::{Boot, Sim};

#[test]
fn boot_with_junk_and_sleep() {
    let options = Nrf9160Options {
        boot: Boot::Booting,
        ready_junk: vec![0xc0],
        ..dialect(Nrf9160Profile::V2_3)
    };
    play_alone(options, |host| async move {
        // Nobody listens yet.
        host.send("AT\r\n").await;
        host.expect(b"\xc0Ready\r\n").await;
        host.ask("AT#XSLEEP=?", "\r\n#XSLEEP: (1,2)\r\n\r\nOK\r\n")
            .await;
        host.ask("AT#XSLEEP=0", ERROR).await;
        host.ok(&["AT#XRESET"]).await;
        host.expect(b"\xc0Ready\r\n").await;
        for command in ["AT#XSLEEP=1", "AT#XSHUTDOWN"] {
            host.ok(&[command]).await;
            Timer::after(Duration::from_secs(1)).await;
            assert!(!host.modem.status_pin());
            host.send("AT\r\n").await;
            host.expect_silence(Duration::from_secs(10)).await;
            host.modem.power_key(true);
            host.modem.power_key(false);
            host.expect(b"\xc0Ready\r\n").await;
        }
    });
    play_alone(dialect(Nrf9160Profile::V2_2), |host| async move {
        host.ask("AT#XSHUTDOWN", ERROR).await;
        host.ask("AT#XMODEMRESET", ERROR).await;
    });
}

/// `Ready` does not always mean a reset, and the notices of an idle time are cut at 1024 bytes.
#[test]
fn idle() {
    play_alone(online(Nrf9160Profile::V2_1), |host| async move {
        host.ok(&["AT+CMEE=1", "AT#XSLEEP=2"]).await;
        host.send("AT\r\n").await;
        host.expect_silence(Duration::from_secs(1)).await;
        assert!(!host.modem.indicate_pin());
        let notice = "%T: ".to_owned() + &"x".repeat(600);
        host.modem.inject_urc(&notice);
        assert!(host.modem.indicate_pin());
        host.modem.inject_urc(&notice);
        host.expect_silence(Duration::from_secs(1)).await;
        assert!(!host.modem.indicate_pin());
        host.modem.power_key(true);
        host.expect("Ready\r\n").await;
        let held = host.read_all().await;
        assert_eq!(held.len(), 1024);
        assert!(held.starts_with("\r\n%T: xx"));
        host.ask("AT+CMEE?", "\r\n+CMEE: 1\r\n\r\nOK\r\n").await;
    });
}

/// Sheet 1.6: SM's UART is off while DTR is high, and RI tells that something waits.
#[test]
fn dtr_and_ri_of_serial_modem() {
    for pulses in [false, true] {
        let options = Nrf9160Options {
            ri_pulses: pulses,
            ..online(Nrf9160Profile::SERIAL_MODEM)
        };
        play_alone(options, |host| async move {
            let wait = |millis| embassy_time::Timer::after_millis(millis);
            host.ok(&["AT+CMEE=1"]).await;
            // It has not seen yet that nobody listens.
            host.modem.sleep_pin(true);
            host.modem.inject_urc("%T: 1");
            host.expect("\r\n%T: 1\r\n").await;
            wait(20).await;
            assert!(!host.modem.indicate_pin());
            host.modem.inject_urc("%T: 2");
            assert!(host.modem.indicate_pin());
            host.send("AT+CMEE?\r").await;
            host.expect_silence(Duration::from_secs(1)).await;
            assert_eq!(host.modem.indicate_pin(), !pulses);
            host.modem.sleep_pin(false);
            host.expect("\r\n%T: 2\r\n\r\n+CMEE: 1\r\n\r\nOK\r\n").await;
            assert!(!host.modem.indicate_pin());
            host.modem.inject_urc("%T: 3");
            host.expect("\r\n%T: 3\r\n").await;
            assert!(!host.modem.indicate_pin());
            // Too short a pulse of DTR is none.
            host.modem.sleep_pin(true);
            wait(5).await;
            host.modem.sleep_pin(false);
            wait(20).await;
            host.modem.inject_urc("%T: 4");
            host.expect("\r\n%T: 4\r\n").await;
        });
    }
}

#[test]
fn serial_modem_starts_with_its_uart_off_or_on() {
    for off in [false, true] {
        let options = Nrf9160Options {
            dtr_at_boot: off,
            ..online(Nrf9160Profile::SERIAL_MODEM)
        };
        play_alone(options, |host| async move {
            host.modem.sleep_pin(true);
            embassy_time::Timer::after_millis(20).await;
            host.modem.reset();
            if off {
                host.expect_silence(Duration::from_secs(2)).await;
                assert!(host.modem.indicate_pin());
                host.modem.sleep_pin(false);
            }
            host.expect("Ready\r\n").await;
            assert!(!host.modem.indicate_pin());
        });
    }
}

#[test]
fn registration() {
    let options = Nrf9160Options {
        registration_delay: Duration::from_secs(20),
        network_time: Some(utc(2026, 1, 8, 1, 45, 3)),
        network_zone: 4,
        ..dialect(Nrf9160Profile::V2_7)
    };
    play_alone(options, |host| async move {
        host.ask("AT+CEREG?", "\r\n+CEREG: 0,0\r\n\r\nOK\r\n").await;
        host.ask("AT%CCLK?", ERROR).await;
        host.ask("AT+CCLK?", "\r\n+CCLK: \"15/02/01,00:00:00\"\r\n\r\nOK\r\n")
            .await;
        host.ok(&[
            "AT%XSYSTEMMODE=1,0,0,0",
            "AT+CGDCONT=0,\"IP\",\"iijmio.jp\"",
            "AT+CEREG=5",
            "AT%XTIME=1",
            "AT+CFUN=1",
        ])
        .await;
        host.expect("\r\n+CEREG: 2,\"026F\",\"00332521\",7\r\n")
            .await;
        host.ask("AT%XSYSTEMMODE=0,1,0,0", ERROR).await;
        host.ask(
            "AT+CGDCONT?",
            "\r\n+CGDCONT: 0,\"IP\",\"iijmio.jp\",\"\",0,0\r\n\r\nOK\r\n",
        )
        .await;
        host.ask("AT%XMONITOR", "\r\n%XMONITOR: 2\r\n\r\nOK\r\n")
            .await;
        host.expect(
            "\r\n+CEREG: 1,\"002F\",\"0012BEEF\",7,,,\"11100000\",\"11100000\"\r\n\
             \r\n%XTIME: \"40\",\"62108010543240\",\"01\"\r\n",
        )
        .await;
        host.ask(
            "AT+CEREG?",
            "\r\n+CEREG: 5,1,\"002F\",\"0012BEEF\",7,,,\"11100000\",\"11100000\"\r\n\r\nOK\r\n",
        )
        .await;
        host.ask(
            "AT%CCLK?",
            "\r\n%CCLK: \"26/01/08,02:45:23+04\",0\r\n\r\nOK\r\n",
        )
        .await;
        host.ask(
            "AT+CGPADDR=0",
            "\r\n+CGPADDR: 0,\"100.72.62.220\"\r\n\r\nOK\r\n",
        )
        .await;
        host.modem.set_registered(false);
        host.expect("\r\n+CEREG: 2,\"026F\",\"00332521\",7\r\n")
            .await;
        host.ok(&["AT+CFUN=4"]).await;
        host.expect("\r\n+CEREG: 0\r\n").await;
        host.expect_silence(Duration::from_secs(60)).await;
        host.ask("AT+CEREG?", "\r\n+CEREG: 5,0\r\n\r\nOK\r\n").await;
    });
}

#[test]
fn the_clock_can_be_set_and_broken() {
    let options = Nrf9160Options {
        broken_cclk: true,
        ..dialect(Nrf9160Profile::V2_7)
    };
    play_alone(options, |host| async move {
        host.ask("AT%CCLK=\"26/13/01,00:00:00+00\"", ERROR).await;
        host.ok(&["AT%CCLK=\"26/06/01,12:00:00+08\""]).await;
        assert_eq!(host.modem.clock(), utc(2026, 6, 1, 10, 0, 0));
        host.ask(
            "AT%CCLK?",
            "\r\n%CCLK: \"26/06/01,12:00:00+08\",0\r\n\r\nOK\r\n",
        )
        .await;
        host.ask(
            "AT+CCLK?",
            "\r\n+CCLK: \"80/01/06,00:20:00+36\"\r\n\r\nOK\r\n",
        )
        .await;
    });
}

#[test]
fn sims() {
    let options = Nrf9160Options {
        sim: Sim::PinRequired("1234".into()),
        ..dialect(Nrf9160Profile::V2_1)
    };
    play_alone(options, |host| async move {
        host.ok(&["AT+CMEE=1", "AT+CEREG=1"]).await;
        host.ask("AT+CMEE=2", "\r\nERROR\r\n").await;
        host.ask("AT+CPIN?", ERROR).await;
        host.ok(&["AT+CFUN=1"]).await;
        host.expect("\r\n+CEREG: 2\r\n").await;
        host.ask("AT+CPIN?", "\r\n+CPIN: SIM PIN\r\n\r\nOK\r\n")
            .await;
        host.ask("AT+CPIN=\"0000\"", "\r\n+CME ERROR: 16\r\n").await;
        host.ok(&["AT+CPIN=\"1234\""]).await;
        host.expect("\r\n+CEREG: 1\r\n").await;
    });
    let options = Nrf9160Options {
        sim: Sim::Missing,
        ..dialect(Nrf9160Profile::V2_1)
    };
    play_alone(options, |host| async move {
        host.ok(&["AT+CFUN=1"]).await;
        host.ask("AT+CEREG?", "\r\n+CEREG: 0,90\r\n\r\nOK\r\n")
            .await;
    });
}

#[test]
fn the_modem_core_crashes_alone() {
    play_echo(online(Nrf9160Profile::V2_1), |host| async move {
        host.ok(&["AT+CMEE=1", "AT+CEREG=1"]).await;
        host.ask("AT#XSOCKET=1,1,0", "\r\n#XSOCKET: 0,1,6\r\n\r\nOK\r\n")
            .await;
        host.ask(
            "AT#XCONNECT=\"echo.test\",7",
            "\r\n#XCONNECT: 1\r\n\r\nOK\r\n",
        )
        .await;
        host.modem.crash();
        host.expect(
            "\r\n#XMODEM: FAULT,0x10,0x119f0a\r\n\r\n#XMODEM: SHUTDOWN,0\r\n\r\n#XMODEM: INIT,0\r\n",
        )
        .await;
        assert!(host.modem.open_sockets().is_empty());
        host.ask("AT+CFUN?", "\r\n+CFUN: 0\r\n\r\nOK\r\n").await;
        host.ask("AT+CMEE?", "\r\n+CMEE: 0\r\n\r\nOK\r\n").await;
    });
}
