//! The exact byte streams of sheet 12, host lines in and modem bytes out.

use std::cell::RefCell;

use embassy_time::Timer;
use sectag_test_support::pki::Pki;
use sectag_test_support::tls_server::{serve_tls, server_config};

use super::*;

/// Plays `>` lines (ended by the build's terminator) and `<` bytes (with \r, \n and \" escaped).
async fn follow(host: &Host, transcript: &str) {
    for line in transcript
        .lines()
        .map(str::trim)
        .filter(|line| !line.is_empty())
    {
        match line.split_at(2) {
            ("> ", command) => host.send(format!("{command}{}", host.end)).await,
            ("< ", bytes) => {
                let bytes = bytes
                    .replace("\\r", "\r")
                    .replace("\\n", "\n")
                    .replace("\\x20\\x02\\x00\\x00", "\x20\x02\0\0");
                host.expect(&bytes).await;
            }
            _ => panic!("{line:?}"),
        }
    }
}

/// Plays 12.1, with a broker that answers with its CONNACK, takes the bytes that follow, and closes.
#[test]
fn success_on_2_1() {
    let options = Nrf9160Options {
        boot: crate::Boot::Booting,
        ..dialect(Nrf9160Profile::V2_1)
    };
    let received = Rc::new(RefCell::new(Vec::new()));
    let kept = received.clone();
    play(
        options,
        |network| {
            let mut listener = network.listen("example.com", 8883);
            let identity = Pki::shared().issue_server(["example.com"]);
            async move {
                let stream = listener.accept().await.unwrap();
                let config = server_config(&identity, None);
                let received = &received;
                let handler = |mut stream: tokio_rustls::server::TlsStream<DuplexStream>| async move {
                    let mut hello = [0; 5];
                    stream.read_exact(&mut hello).await?;
                    assert_eq!(&hello, b"hello");
                    stream.write_all(b"\x20\x02\0\0").await?;
                    let mut raw = vec![0; 9];
                    stream.read_exact(&mut raw).await?;
                    *received.borrow_mut() = raw;
                    stream.shutdown().await
                };
                serve_tls(stream, config, handler).await.unwrap();
            }
        },
        |host| async move {
            let ca = Pki::shared().ca_pem();
            host.modem.put_file("modem/16842753/0", ca.as_bytes());
            follow(
                &host,
                r#"
                < Ready\r\n
                > AT
                < \r\nOK\r\n
                > AT+CFUN?
                < \r\n+CFUN: 0\r\n\r\nOK\r\n
                "#,
            )
            .await;
            host.ok(&["AT+CFUN=1"]).await;
            follow(
                &host,
                r#"
                > AT#XSSOCKET=1,1,0,16842753,2
                < \r\n#XSSOCKET: 0,1,258\r\n\r\nOK\r\n
                > AT#XSSOCKETOPT=1,2,"example.com"
                < \r\nOK\r\n
                > AT#XCONNECT="example.com",8883
                < \r\n#XCONNECT: 1\r\n\r\nOK\r\n
                > AT#XSEND="hello"
                < \r\n#XSEND: 5\r\n\r\nOK\r\n
                > AT#XPOLL=100,0
                < \r\n#XPOLL: 0,"0x0001"\r\n\r\nOK\r\n
                > AT#XRECV=1
                < \r\n#XRECV: 4\r\n\x20\x02\x00\x00\r\nOK\r\n
                > AT#XSEND
                < \r\nOK\r\n
                "#,
            )
            .await;
            host.send(b"raw \0\x1a\"\r\n").await;
            Timer::after(Duration::from_millis(100)).await;
            host.send("+++").await;
            follow(
                &host,
                r#"
                < \r\n#XDATAMODE: 0\r\n
                > AT#XRECV=5
                < \r\nOK\r\n
                > AT#XSSOCKET=0
                < \r\n#XSOCKET: 0,"closed"\r\n\r\nOK\r\n
                "#,
            )
            .await;
            assert_eq!(*kept.borrow(), b"raw \0\x1a\"\r\n");
        },
    );
}

/// Plays 12.2, without the TCP proxy, which is not modelled.
#[test]
fn failures_on_2_1() {
    play_echo(online(Nrf9160Profile::V2_1), |host| async move {
        host.ok(&["AT+CMEE=1"]).await;
        follow(
            &host,
            r#"
            > AT#XSOCKET=1,1,0
            < \r\n#XSOCKET: 0,1,6\r\n\r\nOK\r\n
            > AT#XCONNECT="example.com",8883
            < \r\nERROR\r\n
            > AT#XSOCKET=0
            < \r\n#XSOCKET: 0,"closed"\r\n\r\nOK\r\n
            > AT#XSOCKET=1,1,0
            < \r\n#XSOCKET: 0,1,6\r\n\r\nOK\r\n
            > AT#XCONNECT="echo.test",7
            < \r\n#XCONNECT: 1\r\n\r\nOK\r\n
            > AT#XRECV=5
            < \r\nERROR\r\n
            > AT#XGETADDRINFO="nosuch.invalid"
            < \r\n#XGETADDRINFO: "Name or service not known"\r\n\r\nERROR\r\n
            > AT#XCMNG=1
            < \r\nERROR\r\n
            > AT%CMNG=0,16842753,0,"x"
            < \r\n+CME ERROR: 518\r\n
            "#,
        )
        .await;
        host.modem.crash();
        follow(
            &host,
            r#"
            < \r\n#XMODEM: FAULT,0x10,0x119f0a\r\n
            < \r\n#XMODEM: SHUTDOWN,0\r\n
            < \r\n#XMODEM: INIT,0\r\n
            "#,
        )
        .await;
        // An application reset in the middle of an answer.
        let modem = host.modem.clone();
        host.modem.set_script(Box::new(move |_| {
            modem.reset();
            crate::Reaction::Reply(b"\r\n#XRECV: 512\r\nfewer".to_vec())
        }));
        host.ask("AT#XRECV=1", "\r\n#XRECV: 512\r\nfewerReady\r\n")
            .await;
    });
}

/// Plays 12.11.
#[test]
fn native_credentials_of_2_6() {
    play_alone(dialect(Nrf9160Profile::V2_6.native()), |host| async move {
        host.ok(&["AT#XCMNG=0,10,0,\"CA\""]).await;
        follow(
            &host,
            r#"
            > AT#XCMNG=0,11,3,"PSK"
            < \r\nOK\r\n
            > AT#XCMNG=0,11,4,"Identity"
            < \r\nOK\r\n
            > AT#XCMNG=1
            < #XCMNG: 11,4\r\n#XCMNG: 11,3\r\n#XCMNG: 10,0\r\n\r\nOK\r\n
            > AT#XCMNG=3,10,0
            < \r\nOK\r\n
            "#,
        )
        .await;
    });
}

/// Plays 12.12, first part: a server that answers and closes.
#[test]
fn asynchronous_polling_of_sm() {
    play(
        online(Nrf9160Profile::SERIAL_MODEM),
        |network| {
            let mut listener = network.listen("test.server.com", 1234);
            async move {
                let mut stream = listener.accept().await.unwrap();
                let mut request = [0; 4];
                stream.read_exact(&mut request).await.unwrap();
                Timer::after(Duration::from_millis(100)).await;
                stream.write_all(&request).await.unwrap();
            }
        },
        |host| async move {
            follow(
                &host,
                r#"
                > AT#XAPOLL=,1,5
                < \r\nOK\r\n
                > AT#XSOCKET=1,1,0
                < \r\n#XSOCKET: 0,1,6\r\n\r\nOK\r\n
                > AT#XCONNECT=0,"test.server.com",1234
                < \r\n#XCONNECT: 0,1\r\n\r\nOK\r\n
                < \r\n#XAPOLL: 0,4\r\n
                > AT#XSEND=0,0,0,"echo"
                < \r\n#XSEND: 0,0,4\r\n\r\nOK\r\n
                < \r\n#XAPOLL: 0,4\r\n
                "#,
            )
            .await;
            // Data and end come together here; reported separately, they are 1 and 17.
            let told = host.read_all().await;
            assert!(told.ends_with("\r\n#XAPOLL: 0,17\r\n"), "{told:?}");
            follow(
                &host,
                r#"
                > AT#XRECV=0,0,0,1
                < \r\n#XRECV: 0,0,4\r\necho\r\nOK\r\n
                "#,
            )
            .await;
            host.read_all().await;
            follow(
                &host,
                r#"
                > AT#XCLOSE=0
                < \r\n#XCLOSE: 0,0\r\n\r\nOK\r\n
                "#,
            )
            .await;
        },
    );
}

/// Plays 12.12, second part: automatic reception, as text and as hex, and data mode.
#[test]
fn automatic_reception_of_sm() {
    play(
        online(Nrf9160Profile::SERIAL_MODEM),
        |network| echo(network.listen("test.server.com", 1234)),
        |host| async move {
            follow(
                &host,
                r#"
                > AT#XRECVCFG=,1,0
                < \r\nOK\r\n
                > AT#XSOCKET=1,1,0
                < \r\n#XSOCKET: 0,1,6\r\n\r\nOK\r\n
                > AT#XCONNECT=0,"test.server.com",1234
                < \r\n#XCONNECT: 0,1\r\n\r\nOK\r\n
                > AT#XSEND=0,0,0,"Test"
                < \r\n#XSEND: 0,0,4\r\n\r\nOK\r\n
                < \r\n#XRECV: 0,0,4\r\nTest\r\n
                > AT#XRECVCFG=0,1,1
                < \r\nOK\r\n
                > AT#XSEND=0,0,0,"Test hex"
                < \r\n#XSEND: 0,0,8\r\n\r\nOK\r\n
                < \r\n#XRECV: 0,1,8\r\n5465737420686578\r\n
                > AT#XRECVCFG=0,2,0
                < \r\nOK\r\n
                > AT#XSEND=0,2,0
                < \r\nOK\r\n
                "#,
            )
            .await;
            host.send("DATA TEST").await;
            host.expect("DATA TEST").await;
            host.send("+++").await;
            host.expect("\r\n#XDATAMODE: 0\r\n").await;
        },
    );
}

/// Plays 12.12, third part, with SM's own TLS.
#[test]
fn tls_of_sm() {
    play(
        online(Nrf9160Profile::SERIAL_MODEM),
        |network| {
            let mut listener = network.listen("example.com", 1234);
            let identity = Pki::shared().issue_server(["example.com"]);
            async move {
                let stream = listener.accept().await.unwrap();
                let config = server_config(&identity, None);
                let _ = serve_tls(stream, config, |stream| async {
                    sectag_test_support::tls_server::echo(stream)
                        .await
                        .map(drop)
                })
                .await;
            }
        },
        |host| async move {
            let ca = Pki::shared().ca_pem();
            host.modem.put_file("modem/1000/0", ca.as_bytes());
            follow(
                &host,
                r#"
                > AT#XSSOCKET=1,1,0,1000
                < \r\n#XSSOCKET: 0,1,258\r\n\r\nOK\r\n
                > AT#XCONNECT=0,"example.com",1234
                < \r\n#XCONNECT: 0,1\r\n\r\nOK\r\n
                > AT#XSEND=0,0,0,"Test TLS"
                < \r\n#XSEND: 0,0,8\r\n\r\nOK\r\n
                > AT#XRECV=0,0,0,0
                < \r\n#XRECV: 0,0,8\r\nTest TLS\r\nOK\r\n
                > AT#XCLOSE=0
                < \r\n#XCLOSE: 0,0\r\n\r\nOK\r\n
                "#,
            )
            .await;
        },
    );
}
