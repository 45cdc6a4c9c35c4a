use embassy_time::{Duration, Instant, Timer};

use super::*;
use crate::Boot;

async fn pulse(mut pin: impl FnMut(bool), milliseconds: u64) {
    pin(true);
    Timer::after(Duration::from_millis(milliseconds)).await;
    pin(false);
}

#[test]
fn the_power_key_toggles() {
    play_alone(
        Options {
            boot: Boot::Off,
            ..Options::default()
        },
        |host| async move {
            let modem = &host.modem;
            host.send("AT\r").await;
            pulse(|level| modem.power_key(level), 400).await;
            host.expect_silence(Duration::from_secs(10)).await;
            assert!(!modem.status_pin());
            pulse(|level| modem.power_key(level), 500).await;
            let start = Instant::now();
            host.expect("\r\nRDY\r\n\r\nAPP RDY\r\n").await;
            assert_eq!(start.elapsed().as_millis(), 4900);
            assert!(modem.status_pin());
            host.prepare().await;
            host.expect("\r\n+CPIN: READY\r\n\r\n+QUSIM: 1\r\n\r\n+QIND: SMS DONE\r\n")
                .await;
            pulse(|level| modem.power_key(level), 650).await;
            host.expect("\r\nPOWERED DOWN\r\n").await;
            assert!(!modem.status_pin());
        },
    );
}

#[test]
fn a_reset_forgets_settings_and_keeps_files() {
    play_alone(Options::default(), |host| async move {
        host.prepare().await;
        host.upload("a", b"1").await;
        host.ok(&["AT+QSSLCFG=\"seclevel\",1,2", "AT+QIACT=1"])
            .await;
        host.send("AT+CFUN=1,1\r").await;
        host.expect("\r\nOK\r\n\r\nPOWERED DOWN\r\n").await;
        let start = Instant::now();
        // The URC port is non-volatile, so the SIM reports as well.
        host.expect("\r\nRDY\r\n\r\nAPP RDY\r\n").await;
        assert_eq!(start.elapsed().as_millis(), 5900);
        host.ask("AT+CPIN?", "AT+CPIN?\r\r\n+CME ERROR: 14\r\n")
            .await;
        host.expect("\r\n+CPIN: READY\r\n\r\n+QUSIM: 1\r\n\r\n+QIND: SMS DONE\r\n")
            .await;
        host.ask("ATE0", "ATE0\r\r\nOK\r\n").await;
        host.ask(
            "AT+QSSLCFG=\"seclevel\",1",
            "\r\n+QSSLCFG: \"seclevel\",1,0\r\n\r\nOK\r\n",
        )
        .await;
        host.ask("AT+QIACT?", OK).await;
        assert_eq!(host.modem.files()["a"], b"1");
    });
}

#[test]
fn the_reset_pin_wants_a_pulse_of_its_length() {
    play_alone(Options::default(), |host| async move {
        let modem = &host.modem;
        host.prepare().await;
        for milliseconds in [100, 700] {
            pulse(|level| modem.reset_pin(level), milliseconds).await;
            host.ok(&["AT"]).await;
        }
        pulse(|level| modem.reset_pin(level), 200).await;
        host.expect("\r\nRDY\r\n").await;
    });
}

#[test]
fn power_down_by_command() {
    play_alone(Options::default(), |host| async move {
        host.prepare().await;
        host.ask("AT+QPOWD", "\r\nOK\r\n\r\nPOWERED DOWN\r\n").await;
        assert!(!host.modem.status_pin());
    });
}

/// After a reset of the MCU alone the modem is still in the middle of a command line.
#[test]
fn state_survives_the_host() {
    block_on_virtual(async {
        let modem = Simulator::bg96(Options::default(), Rc::new(MemoryNetwork::new()));
        let (mut host, port) = tokio::io::duplex(1024);
        let first = async {
            host.write_all(b"ATE0\r").await.unwrap();
            let mut answer = [0; 11];
            host.read_exact(&mut answer).await.unwrap();
            host.write_all(b"AT+CM").await.unwrap();
            drop(host);
        };
        let (end, ()) = embassy_futures::join::join(modem.serve(port), first).await;
        end.unwrap();
        let (mut host, port) = tokio::io::duplex(1024);
        let second = async {
            host.write_all(b"EE?\r").await.unwrap();
            let mut answer = [0; 18];
            host.read_exact(&mut answer).await.unwrap();
            assert_eq!(&answer, b"\r\n+CMEE: 1\r\n\r\nOK\r\n");
            drop(host);
        };
        embassy_futures::join::join(modem.serve(port), second)
            .await
            .0
            .unwrap();
    });
}

/// A test creates thousands of modems, so tasks and connections must not keep a dropped one alive.
#[test]
fn a_dropped_modem_closes_its_connections() {
    let options = Options {
        pdp_active: true,
        ..Options::default()
    };
    let (sender, closed) = std::sync::mpsc::channel();
    play(
        options,
        |network| {
            let mut listener = network.listen("echo.test", 7);
            async move {
                let mut stream = listener.accept().await.unwrap();
                sender
                    .send(stream.read(&mut [0; 1]).await.unwrap())
                    .unwrap();
            }
        },
        |host| async move {
            host.prepare().await;
            host.ask(
                "AT+QIOPEN=1,0,\"TCP\",\"echo.test\",7,0,0",
                "\r\nOK\r\n\r\n+QIOPEN: 0,0\r\n",
            )
            .await;
            host.modem.power_key(true);
            Timer::after(Duration::from_secs(1)).await;
            host.modem.power_key(false);
            Timer::after(Duration::from_secs(1)).await;
        },
    );
    assert_eq!(closed.recv(), Ok(0));
    block_on_virtual(async {
        let network = MemoryNetwork::new();
        let mut listener = network.listen("echo.test", 7);
        let options = Options {
            pdp_active: true,
            ..Options::default()
        };
        let modem = Simulator::bg96(options, Rc::new(network));
        let (mut host, port) = tokio::io::duplex(1024);
        let open = async {
            host.write_all(b"AT+QIOPEN=1,0,\"TCP\",\"echo.test\",7,0,0\r")
                .await
                .unwrap();
            let stream = listener.accept().await.unwrap();
            Timer::after(Duration::from_secs(1)).await;
            stream
        };
        let embassy_futures::select::Either::First(mut stream) =
            embassy_futures::select::select(open, modem.serve(port)).await
        else {
            panic!("the port ended");
        };
        drop(modem);
        assert_eq!(stream.read(&mut [0; 1]).await.unwrap(), 0);
    });
}
