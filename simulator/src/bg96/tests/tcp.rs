use super::*;

/// The shape of T4b and T5: state 3, counters, `OK` for a second close.
#[test]
fn a_plain_socket() {
    play(
        Options {
            pdp_active: true,
            ..Options::default()
        },
        |network| {
            let mut listener = network.listen("echo.test", 7);
            async move {
                let stream = listener.accept().await.unwrap();
                sectag_test_support::tls_server::echo(stream).await.unwrap();
            }
        },
        |host| async move {
            host.prepare().await;
            host.ask(
                "AT+QIOPEN=1,0,\"TCP\",\"echo.test\",7,0,0",
                "\r\nOK\r\n\r\n+QIOPEN: 0,0\r\n",
            )
            .await;
            host.ask(
                "AT+QISTATE=1,0",
                "\r\n+QISTATE: 0,\"TCP\",\"127.0.0.1\",7,49155,3,1,0,0,\"uart1\"\r\n\r\nOK\r\n",
            )
            .await;
            host.ask("AT+QISEND=0,4", "\r\n> ").await;
            host.send("\r\nOK").await;
            // Data echo is on by default, whatever ATE says.
            host.expect("\r\nOK").await;
            host.expect("\r\nSEND OK\r\n").await;
            host.expect("\r\n+QIURC: \"recv\",0\r\n").await;
            host.ask("AT+QISEND=0,0", "\r\n+QISEND: 4,4,0\r\n\r\nOK\r\n")
                .await;
            host.ask("AT+QIRD=0,0", "\r\n+QIRD: 4,0,4\r\n\r\nOK\r\n")
                .await;
            host.ask("AT+QIRD=0,4", "\r\n+QIRD: 4\r\n\r\nOK\r\n\r\nOK\r\n")
                .await;
            host.ok(&["AT+QICLOSE=0"]).await;
            host.ask("AT+QIRD=0,0", ERROR).await;
            host.ok(&["AT+QISTATE=1,0", "AT+QICLOSE=0"]).await;
        },
    );
}

#[test]
fn unknown_names_and_closed_ports_differ() {
    play(
        Options {
            pdp_active: true,
            ..Options::default()
        },
        |network| {
            network.register("known.test", 1, |_| {});
            async {}
        },
        |host| async move {
            host.prepare().await;
            host.ask(
                "AT+QIOPEN=1,0,\"TCP\",\"unknown.test\",7,0,0",
                "\r\nOK\r\n\r\n+QIOPEN: 0,565\r\n",
            )
            .await;
            host.ask(
                "AT+QIOPEN=1,1,\"TCP\",\"known.test\",7,0,0",
                "\r\nOK\r\n\r\n+QIOPEN: 1,566\r\n",
            )
            .await;
            // A failed open keeps its id.
            host.ask(
                "AT+QIOPEN=1,1,\"TCP\",\"known.test\",1,0,0",
                "\r\nOK\r\n\r\n+QIOPEN: 1,563\r\n",
            )
            .await;
            assert_eq!(host.modem.open_sockets(), [0, 1]);
        },
    );
}
