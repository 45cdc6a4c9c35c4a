use embassy_time::{Duration, Instant, Timer};

use super::*;

#[test]
fn upload_list_download_delete() {
    play_alone(Options::default(), |host| async move {
        host.prepare().await;
        host.upload("ca.pem", include_bytes!("../t8.pem")).await;
        host.ask(
            "AT+QFLST",
            "\r\n+QFLST: \"ca.pem\",1544\r\n+QFLST: \"security/\",2\r\n\r\nOK\r\n",
        )
        .await;
        host.send("AT+QFDWL=\"ca.pem\"\r").await;
        host.expect("\r\nCONNECT\r\n").await;
        host.expect(include_bytes!("../t8.pem")).await;
        host.expect("\r\n+QFDWL: 1544,5505\r\n\r\nOK\r\n").await;
        host.ok(&["AT+QFDEL=\"ca.pem\""]).await;
        host.ask("AT+QFDEL=\"ca.pem\"", "\r\n+CME ERROR: 405\r\n")
            .await;
        host.ask("AT+QFLST=\"ca.pem\"", "\r\n+CME ERROR: 405\r\n")
            .await;
    });
}

#[test]
fn overwriting_is_refused_before_connect() {
    play_alone(Options::default(), |host| async move {
        host.prepare().await;
        host.upload("a", b"12345").await;
        host.ask("AT+QFUPL=\"a\",5", "\r\n+CME ERROR: 407\r\n")
            .await;
        host.ask("AT+QFUPL=\"UFS:a\",5", "\r\n+CME ERROR: 407\r\n")
            .await;
        assert_eq!(host.modem.files()["a"], b"12345");
    });
}

#[test]
fn a_timeout_leaves_the_partial_file() {
    play_alone(Options::default(), |host| async move {
        host.prepare().await;
        host.ask("AT+QFUPL=\"a\",10,7", "\r\nCONNECT\r\n").await;
        host.send("123").await;
        let start = Instant::now();
        host.expect("+QFUPL: 3,232\r\n\r\n+CME ERROR: 421\r\n")
            .await;
        assert_eq!(start.elapsed().as_secs(), 7);
        assert_eq!(host.modem.files()["a"], b"123");
        host.ok(&["AT"]).await;
    });
}

#[test]
fn ack_mode_acknowledges_full_blocks_but_the_last() {
    play_alone(Options::default(), |host| async move {
        host.prepare().await;
        host.ask("AT+QFUPL=\"a\",2049,5,1", "\r\nCONNECT\r\n").await;
        host.send([b'x'; 1024]).await;
        host.expect("A").await;
        host.send([b'x'; 1024]).await;
        host.expect("A").await;
        host.send("y").await;
        host.expect("+QFUPL: 2049,7900\r\n\r\nOK\r\n").await;
    });
}

#[test]
fn three_plus_between_silences_end_an_upload() {
    play_alone(Options::default(), |host| async move {
        host.prepare().await;
        host.ask("AT+QFUPL=\"a\",100,50", "\r\nCONNECT\r\n").await;
        host.send("12+++3").await;
        Timer::after(Duration::from_millis(1500)).await;
        host.send("+++").await;
        host.expect("+QFUPL: 6,").await;
        assert_eq!(host.modem.files()["a"], b"12+++3");
    });
}

#[test]
fn flash_is_finite() {
    play_alone(
        Options {
            flash: 100,
            ..Options::default()
        },
        |host| async move {
            host.prepare().await;
            host.ask("AT+QFUPL=\"a\",101", "\r\n+CME ERROR: 420\r\n")
                .await;
            host.upload("a", &[0; 100]).await;
            host.ask("AT+QFUPL=\"b\",1", "\r\n+CME ERROR: 403\r\n")
                .await;
            host.ask("AT+QFLDS=\"UFS\"", "\r\n+QFLDS: 0,100\r\n\r\nOK\r\n")
                .await;
        },
    );
}

#[test]
fn files_are_read_in_pieces() {
    play_alone(Options::default(), |host| async move {
        host.prepare().await;
        host.modem.put_file("a", b"hello\r\nOK\r\n");
        host.ask("AT+QFOPEN=\"a\",2", "\r\n+QFOPEN: 1\r\n\r\nOK\r\n")
            .await;
        host.ask("AT+QFOPEN?", "\r\n+QFOPEN: \"a\",1,2\r\n\r\nOK\r\n")
            .await;
        host.ask("AT+QFREAD=1,5", "\r\nCONNECT 5\r\nhello\r\nOK\r\n")
            .await;
        host.ask("AT+QFREAD=1", "\r\nCONNECT 6\r\n\r\nOK\r\n\r\nOK\r\n")
            .await;
        host.ask("AT+QFREAD=1", "\r\n+CME ERROR: 402\r\n").await;
        host.ok(&["AT+QFSEEK=1,1"]).await;
        host.ask("AT+QFREAD=1,1", "\r\nCONNECT 1\r\ne\r\nOK\r\n")
            .await;
        host.ask("AT+QFWRITE=1,1", "\r\n+CME ERROR: 414\r\n").await;
        host.ask("AT+QFDEL=\"a\"", "\r\n+CME ERROR: 426\r\n").await;
        host.ok(&["AT+QFCLOSE=1"]).await;
        host.ask("AT+QFOPEN=\"b\",1", "\r\n+QFOPEN: 2\r\n\r\nOK\r\n")
            .await;
        host.ask("AT+QFWRITE=2,3", "\r\nCONNECT\r\n").await;
        host.send("xyz").await;
        host.expect("\r\n+QFWRITE: 3,3\r\n\r\nOK\r\n").await;
        assert_eq!(host.modem.files()["b"], b"xyz");
    });
}

#[test]
fn the_report_of_an_upload_may_come_late() {
    let options = Options {
        upload_result_delay: Duration::from_secs(12),
        ..Options::default()
    };
    play_alone(options, |host| async move {
        host.prepare().await;
        host.ask("AT+QFUPL=\"a\",3", "\r\nCONNECT\r\n").await;
        host.send("123").await;
        host.expect_silence(Duration::from_secs(11)).await;
        host.expect("+QFUPL: 3,232\r\n\r\nOK\r\n").await;
    });
}

#[test]
fn a_firmware_may_let_nothing_be_read() {
    let options = Options {
        profile: crate::Profile {
            reads_files: false,
            ..crate::Profile::BG96_LATER
        },
        ..Options::default()
    };
    play_alone(options, |host| async move {
        host.prepare().await;
        host.upload("a", b"12345").await;
        for command in ["AT+QFOPEN=\"a\",2", "AT+QFREAD=1", "AT+QFDWL=\"a\""] {
            host.ask(command, ERROR).await;
        }
    });
}
