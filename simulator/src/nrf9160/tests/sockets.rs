//! Tests of sockets without TLS (sheet 4 and 5).

use embassy_time::Timer;

use super::*;

const OPENED: &str = "\r\n#XSOCKET: 0,1,6\r\n\r\nOK\r\n";
const CONNECTED: &str = "\r\n#XCONNECT: 1\r\n\r\nOK\r\n";

async fn connect(host: &Host) {
    host.ask("AT#XSOCKET=1,1,0", OPENED).await;
    host.ask("AT#XCONNECT=\"echo.test\",7", CONNECTED).await;
}

#[test]
fn one_socket_is_selected_at_a_time() {
    play_echo(online(Nrf9160Profile::V2_1), |host| async move {
        host.ask("AT#XSOCKET=0", OK).await;
        host.ask("AT#XSOCKET?", OK).await;
        host.ask("AT#XRECV=1", ERROR).await;
        connect(&host).await;
        host.ask("AT#XSOCKET=1,1,0,0", "\r\n#XSOCKET: 1,1,6\r\n\r\nOK\r\n")
            .await;
        host.ask("AT#XSEND=\"a\"", ERROR).await;
        host.ask("AT#XSOCKET?", "\r\n#XSOCKET: 1,1,0,1,0\r\n\r\nOK\r\n")
            .await;
        host.ask("AT#XSOCKETSELECT=0", "\r\n#XSOCKETSELECT: 0\r\n\r\nOK\r\n")
            .await;
        host.ask("AT#XSOCKETSELECT=2", ERROR).await;
        host.ask("AT#XSEND=\"a\"", "\r\n#XSEND: 1\r\n\r\nOK\r\n")
            .await;
        // After a failed open there is no current socket, although the earlier one still exists.
        host.ask("AT#XSOCKET=1,2,0", ERROR).await;
        host.ask("AT#XSEND=\"a\"", ERROR).await;
        host.ask(
            "AT#XSOCKETSELECT?",
            "\r\n#XSOCKETSELECT: 0,1,0,1,-1,1,0\r\n\r\n#XSOCKETSELECT: 1,1,0,1,-1,2,0\r\n\r\nOK\r\n",
        )
        .await;
        host.ask("AT#XSOCKETSELECT=1", "\r\n#XSOCKETSELECT: 1\r\n\r\nOK\r\n")
            .await;
        host.ask("AT#XSSOCKET=0", "\r\n#XSOCKET: 0,\"closed\"\r\n\r\nOK\r\n")
            .await;
        assert_eq!(host.modem.open_sockets(), [0]);
        host.ask("AT#XSEND=\"a\"", "\r\n#XSEND: 1\r\n\r\nOK\r\n")
            .await;
        host.ask(
            "AT#XSOCKET=?",
            "\r\n#XSOCKET: (0,1,2),(1,2,3),(0,1)\r\nOK\r\n",
        )
        .await;
    });
}

/// The table of sheet 4.4.
#[test]
fn reads() {
    for profile in [Nrf9160Profile::V2_1, Nrf9160Profile::V2_7] {
        play(
            online(profile),
            |network| {
                let mut listener = network.listen("echo.test", 7);
                async move {
                    let mut stream = listener.accept().await.unwrap();
                    Timer::after(Duration::from_secs(10)).await;
                    stream.write_all(b"\r\nOK\r\n").await.unwrap();
                    Timer::after(Duration::from_secs(10)).await;
                    stream.write_all(b"last").await.unwrap();
                }
            },
            |host| async move {
                connect(&host).await;
                host.ask("AT#XRECV=1", ERROR).await;
                host.ask("AT#XRECV=1,64", ERROR).await;
                host.ask("AT#XPOLL=100,0", OK).await;
                host.ask("AT#XPOLL=-1,0", "\r\n#XPOLL: 0,\"0x0001\"\r\n\r\nOK\r\n")
                    .await;
                host.ask("AT#XRECV=1,2", "\r\n#XRECV: 6\r\n\r\nOK\r\n\r\nOK\r\n")
                    .await;
                host.ask("AT#XRECV=1", "\r\n#XRECV: 6\r\n\r\nOK\r\n\r\nOK\r\n")
                    .await;
                // Without a time the read waits without limit, and blocks everything else.
                host.send("AT#XRECV=0\r\n").await;
                host.expect_silence(Duration::from_secs(5)).await;
                host.expect("\r\n#XRECV: 4\r\nlast\r\nOK\r\n").await;
                Timer::after(Duration::from_secs(1)).await;
                host.ask(
                    "AT#XPOLL=0,0,5",
                    "\r\n#XPOLL: 0,\"0x0011\"\r\n\r\n#XPOLL: 5,\"0x0020\"\r\n\r\nOK\r\n",
                )
                .await;
                host.ask("AT#XRECV=5", OK).await;
                host.ask("AT#XSEND=\"a\"", ERROR).await;
            },
        );
    }
}

/// "Nothing yet" and "broken" look the same to `#XRECV`.
#[test]
fn broken_connections() {
    for (profile, errno) in [
        (Nrf9160Profile::V2_1, "\r\n#XSOCKETOPT: 115\r\n\r\nOK\r\n"),
        (Nrf9160Profile::V2_7, ERROR),
    ] {
        play_echo(online(profile), |host| async move {
            connect(&host).await;
            host.modem.drop_pdp(0);
            host.ask("AT#XRECV=1", ERROR).await;
            host.ask("AT#XPOLL=0,0", "\r\n#XPOLL: 0,\"0x0018\"\r\n\r\nOK\r\n")
                .await;
            host.ask("AT#XSOCKETOPT=0,4", errno).await;
        });
    }
    let options = Nrf9160Options {
        abrupt_end_breaks: true,
        ..online(Nrf9160Profile::V2_1)
    };
    play(
        options,
        |network| {
            network.register("echo.test", 7, drop);
            async {}
        },
        |host| async move {
            connect(&host).await;
            // Plain TCP has an orderly end.
            host.ask("AT#XRECV=1", OK).await;
        },
    );
}

#[test]
fn limits_of_one_transfer() {
    for (profile, string, read) in [
        (Nrf9160Profile::V2_2, 1252, 1240),
        (Nrf9160Profile::V2_3, 1024, 2048),
    ] {
        play_echo(online(profile), |host| async move {
            connect(&host).await;
            let send = |length: usize| format!("AT#XSEND=\"{}\"", "x".repeat(length));
            host.ask(&send(string + 1), ERROR).await;
            for _ in 0..3 {
                let answer = format!("\r\n#XSEND: {string}\r\n\r\nOK\r\n");
                host.ask(&send(string), &answer).await;
            }
            Timer::after(Duration::from_secs(1)).await;
            let answer = host.answer("AT#XRECV=1,256").await;
            assert!(answer.starts_with(&format!("\r\n#XRECV: {read}\r\nxxx")));
            host.ask("AT#XSEND=\"a,b\"", ERROR).await;
            host.ask("AT#XSEND=a", ERROR).await;
        });
    }
}

#[test]
fn options_of_sockets() {
    play_echo(online(Nrf9160Profile::V2_1), |host| async move {
        connect(&host).await;
        host.ok(&["AT#XSOCKETOPT=1,20,30", "AT#XSOCKETOPT=0,99"])
            .await;
        host.ask(
            "AT#XSOCKETOPT=0,20",
            "\r\n#XSOCKETOPT: \"30 sec\"\r\n\r\nOK\r\n",
        )
        .await;
        host.ask("AT#XSOCKETOPT=1,99,1", ERROR).await;
        // Allowed only on a TLS socket.
        host.ask("AT#XSSOCKETOPT=1,2,\"x\"", ERROR).await;
        // With the option set, a time of 0 means that of the option.
        host.ask("AT#XRECV=0", ERROR).await;
    });
}

#[test]
fn unknown_names_and_closed_ports() {
    play_echo(online(Nrf9160Profile::V2_1), |host| async move {
        host.ask("AT#XSOCKET=1,1,0", OPENED).await;
        host.ask("AT#XCONNECT=\"nobody.test\",7", ERROR).await;
        host.ask(
            "AT#XGETADDRINFO=\"echo.test\"",
            "\r\n#XGETADDRINFO: \"127.0.0.1\"\r\n\r\nOK\r\n",
        )
        .await;
    });
    play_echo(dialect(Nrf9160Profile::V2_1), |host| async move {
        host.ask("AT#XSOCKET=1,1,0", OPENED).await;
        // Without registration.
        host.ask("AT#XCONNECT=\"echo.test\",7", ERROR).await;
    });
}

/// `#XAPOLL` of 3.1 reports an event once; a read arms it again.
#[test]
fn asynchronous_polling() {
    play_echo(online(Nrf9160Profile::V3_1), |host| async move {
        connect(&host).await;
        host.ok(&["AT#XAPOLL=1,1"]).await;
        host.ask("AT#XAPOLL?", "\r\n#XAPOLL: 1,1,0\r\n\r\nOK\r\n")
            .await;
        host.ask("AT#XPOLL=0,0", "\r\n#XPOLL: -1\r\n\r\nERROR\r\n")
            .await;
        host.ask("AT#XSEND=\"one\"", "\r\n#XSEND: 3\r\n\r\nOK\r\n")
            .await;
        host.expect("\r\n#XAPOLL: 0,1\r\n").await;
        host.ask("AT#XSEND=\"two\"", "\r\n#XSEND: 3\r\n\r\nOK\r\n")
            .await;
        host.expect_silence(Duration::from_secs(5)).await;
        host.ask("AT#XRECV=1", "\r\n#XRECV: 3\r\none\r\nOK\r\n")
            .await;
        host.expect("\r\n#XAPOLL: 0,1\r\n").await;
        host.ask("AT#XRECV=1", "\r\n#XRECV: 3\r\ntwo\r\nOK\r\n")
            .await;
        host.ok(&["AT#XAPOLL=0"]).await;
        host.ask("AT#XPOLL=0,0", OK).await;
    });
    play_alone(online(Nrf9160Profile::V2_7), |host| async move {
        host.ask("AT#XAPOLL=1,1", ERROR).await;
    });
}

#[test]
fn handles_of_serial_modem() {
    play_echo(online(Nrf9160Profile::SERIAL_MODEM), |host| async move {
        host.ask("AT#XSOCKET=1,1,0", OPENED).await;
        host.ask(
            "AT#XCONNECT=0,\"echo.test\",7",
            "\r\n#XCONNECT: 0,1\r\n\r\nOK\r\n",
        )
        .await;
        host.ask("AT#XSOCKETSELECT=0", ERROR).await;
        host.ask("AT#XPOLL=0", ERROR).await;
        host.ask("AT#XCMNG=1", ERROR).await;
        host.ask(
            "AT#XSEND=0,1,0,\"00ff2B\"",
            "\r\n#XSEND: 0,0,3\r\n\r\nOK\r\n",
        )
        .await;
        host.ask("AT#XSEND=0,1,0,\"0\"", ERROR).await;
        host.ask("AT#XRECV=0,1,0,1", "\r\n#XRECV: 0,1,3\r\n00FF2B\r\nOK\r\n")
            .await;
        host.ask("AT#XSEND=1,0,0,\"a\"", ERROR).await;
        host.ask("AT#XSEND=0,0,0,\"abcd\"", "\r\n#XSEND: 0,0,4\r\n\r\nOK\r\n")
            .await;
        host.ask("AT#XRECV=0,0,0,1,3", "\r\n#XRECV: 0,0,3\r\nabc\r\nOK\r\n")
            .await;
        host.ask("AT#XSOCKET?", "\r\n#XSOCKET: 0,1,0,1,0\r\n\r\nOK\r\n")
            .await;
        host.ask("AT#XCLOSE", "\r\n#XCLOSE: 0,0\r\n\r\nOK\r\n")
            .await;
        host.ask("AT#XCLOSE=0", ERROR).await;
    });
}
