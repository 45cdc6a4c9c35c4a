//! Tests of the short-range modules, as bytes in and bytes out.

use std::rc::Rc;

use embassy_futures::select::{Either, select};
use embassy_time::{Duration, with_timeout};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};

use super::frames::{AT_REQUEST, frame};
use super::{Mode, ShortRangeOptions};
use crate::{MemoryNetwork, Simulator};

fn run(options: ShortRangeOptions, test: impl AsyncFnOnce(DuplexStream, Simulator)) {
    crate::time::block_on_virtual(async {
        let module = Simulator::short_range(options, Rc::new(MemoryNetwork::new()));
        let (host, device) = tokio::io::duplex(65_536);
        let serve = async {
            let _ = module.serve(device).await;
            std::future::pending::<()>().await;
        };
        match select(serve, test(host, module.clone())).await {
            Either::First(()) => unreachable!("it is pending for ever"),
            Either::Second(()) => {}
        }
    });
}

async fn ask(host: &mut DuplexStream, bytes: &[u8], answer: &[u8]) {
    host.write_all(bytes).await.unwrap();
    expect(host, answer).await;
}

async fn expect(host: &mut DuplexStream, answer: &[u8]) {
    let mut got = vec![0; answer.len()];
    let read = with_timeout(Duration::from_secs(30), host.read_exact(&mut got)).await;
    assert!(read.is_ok(), "{} does not come", answer.escape_ascii());
    assert_eq!(
        got.escape_ascii().to_string(),
        answer.escape_ascii().to_string()
    );
}

/// Sheet E.1 and A.1.3.
#[test]
fn from_start_to_frames() {
    let options = ShortRangeOptions {
        boot: crate::Boot::Booting,
        ..ShortRangeOptions::default()
    };
    run(options, async |mut host, _| {
        expect(&mut host, b"\r\n+STARTUP\r\n").await;
        ask(&mut host, b"ATE0\r", b"ATE0\r\r\nOK\r\n").await;
        ask(&mut host, b"AT+UWSC=0,2,\"workshop\"\r", b"\r\nOK\r\n").await;
        ask(&mut host, b"AT+UWSC=0,5,2\r", b"\r\nOK\r\n").await;
        ask(
            &mut host,
            b"AT+UWSC=0,8,\"correct horse battery\"\r",
            b"\r\nOK\r\n",
        )
        .await;
        ask(
            &mut host,
            b"AT+UWSCA=0,3\r",
            b"\r\nOK\r\n\r\n+UUWLE:0,FAAC838145DA,1\r\n",
        )
        .await;
        ask(&mut host, b"AT+UWSC=0,0,0\r", b"\r\nERROR\r\n").await;
        expect(&mut host, b"\r\n+UUNU:0\r\n").await;
        ask(&mut host, b"ATO2\r", b"\r\nOK\r\n\xaa\x00\x02\x00\x71\x55").await;
        ask(
            &mut host,
            &frame(AT_REQUEST, b"AT\r"),
            b"\xaa\x00\x08\x00\x45\r\nOK\r\n\x55",
        )
        .await;
        // Plain text is noise now.
        host.write_all(b"AT\r").await.unwrap();
        ask(
            &mut host,
            &frame(AT_REQUEST, b"ATX\r"),
            b"\xaa\x00\x0b\x00\x45\r\nERROR\r\n\x55",
        )
        .await;
    });
}

#[test]
fn data_mode_is_left_by_silence_around_three_pluses() {
    let options = ShortRangeOptions {
        mode: Mode::Data,
        ..ShortRangeOptions::default()
    };
    run(options, async |mut host, module| {
        host.write_all(b"AT\r").await.unwrap();
        embassy_time::Timer::after(Duration::from_millis(1100)).await;
        ask(&mut host, b"+++", b"\r\nOK\r\n").await;
        assert!(module.commands().is_empty());
    });
}

#[test]
fn a_wrong_passphrase_is_a_four_and_a_two() {
    run(ShortRangeOptions::default(), async |mut host, _| {
        ask(&mut host, b"ATE0\r", b"ATE0\r\r\nOK\r\n").await;
        ask(&mut host, b"AT+UWSC=0,2,\"workshop\"\r", b"\r\nOK\r\n").await;
        ask(&mut host, b"AT+UWSC=0,5,2\r", b"\r\nOK\r\n").await;
        ask(&mut host, b"AT+UWSC=0,8,\"12345678\"\r", b"\r\nOK\r\n").await;
        let told = b"\r\nOK\r\n\r\n+UUWLD:0,4\r\n\r\n+UUWLD:0,2\r\n";
        ask(&mut host, b"AT+UWSCA=0,3\r", told).await;
    });
}

#[test]
fn an_import_counts_raw_bytes() {
    run(ShortRangeOptions::default(), async |mut host, module| {
        ask(&mut host, b"ATE0\r", b"ATE0\r\r\nOK\r\n").await;
        ask(&mut host, b"AT+USECMNG=0,0,\"st1ca\",4\r", b"\r\n>").await;
        // MD5 of "AT\r\n".
        let told = b"\r\n+USECMNG:0,0,\"st1ca\",\"";
        ask(&mut host, b"AT\r\n", told).await;
        let mut digest = vec![0; 32];
        host.read_exact(&mut digest).await.unwrap();
        expect(&mut host, b"\"\r\n\r\nOK\r\n").await;
        assert_eq!(module.files()["0/st1ca"], b"AT\r\n");
        ask(&mut host, b"AT+USECMNG=4,1,\"st1ca\"\r", b"\r\nERROR\r\n").await;
        ask(&mut host, b"AT+USECMNG=2,0,\"st1ca\"\r", b"\r\nOK\r\n").await;
    });
}

/// Plays sheet E.1, with its host lines up to the link.
#[test]
fn the_log_of_a_real_module() {
    let options = ShortRangeOptions {
        boot: crate::Boot::Booting,
        access_point: Some(crate::AccessPoint {
            ssid: "----SSID----".into(),
            passphrase: "----password----".into(),
            dhcp: true,
        }),
        ..ShortRangeOptions::default()
    };
    run(options, async |mut host, _| {
        expect(&mut host, b"\r\n+STARTUP\r\n").await;
        ask(&mut host, b"ATE0\r", b"ATE0\r\r\nOK\r\n").await;
        let address = b"\r\n+UWAPMACADDR:6009C3E05737\r\n\r\nOK\r\n";
        ask(&mut host, b"AT+UWAPMACADDR\r", address).await;
        for line in [
            "AT+UWSC=0,0,1\r",
            "AT+UWSC=0,2,\"----SSID----\"\r",
            "AT+UWSC=0,5,2\r",
            "AT+UWSC=0,8,\"----password----\"\r",
            "AT+UWSC=0,100,2\r",
            "AT+UWSC=0,107,1\r",
            "AT+UWSC=0,301,1\r",
            "AT+UWSCA=0,3\r",
        ] {
            ask(&mut host, line.as_bytes(), b"\r\nOK\r\n").await;
        }
        expect(&mut host, b"\r\n+UUWLE:0,FAAC838145DA,1\r\n").await;
        expect(&mut host, b"\r\n+UUNU:0\r\n").await;
    });
}
