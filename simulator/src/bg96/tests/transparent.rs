use std::io;

use embassy_time::Timer;

use super::*;

const OPEN: &str = "AT+QIOPEN=1,0,\"TCP\",\"echo.test\",7,0,2";

/// The bytes that the peer had received when the connection ended.
type Received = std::rc::Rc<std::cell::RefCell<Vec<u8>>>;

fn in_data_mode<F: Future<Output = ()>>(test: impl FnOnce(Host, Received) -> F) {
    let received = Received::default();
    let peer = received.clone();
    play(
        Options {
            pdp_active: true,
            ..Options::default()
        },
        |network| {
            let mut listener = network.listen("echo.test", 7);
            async move {
                let mut stream = listener.accept().await.unwrap();
                let end: io::Result<()> = async {
                    loop {
                        let byte = stream.read_u8().await?;
                        peer.borrow_mut().push(byte);
                        // A `!` makes the peer close the connection, after a last byte.
                        if byte == b'!' {
                            stream.write_all(b"bye").await?;
                            return Ok(());
                        }
                        stream.write_all(&[byte]).await?;
                    }
                }
                .await;
                drop(end);
            }
        },
        |host| async move {
            host.prepare().await;
            host.ask(OPEN, "\r\nCONNECT\r\n").await;
            test(host, received).await;
        },
    );
}

async fn silence() {
    Timer::after(Duration::from_millis(1000)).await;
}

#[test]
fn everything_goes_to_the_peer_until_the_escape_which_does_not() {
    in_data_mode(|host, received| async move {
        host.ask("AT", "AT\r").await;
        // Without silence before or behind it, or with pauses inside, it is data.
        host.send("+++").await;
        host.expect("+++").await;
        silence().await;
        host.send("+++").await;
        Timer::after(Duration::from_millis(900)).await;
        host.send("x").await;
        host.expect("+++x").await;
        silence().await;
        host.send("++").await;
        silence().await;
        silence().await;
        host.expect("++").await;
        host.send("+++").await;
        host.expect(OK).await;
        host.ok(&["AT"]).await;
        assert_eq!(*received.borrow(), b"AT\r++++++x++");
        host.ask("ATO", "\r\nCONNECT\r\n").await;
        host.send("more").await;
        host.expect("more").await;
    });
}

#[test]
fn dtr_leaves_data_mode_unless_it_is_ignored() {
    in_data_mode(|host, _| async move {
        host.modem.dtr_rises();
        host.expect(OK).await;
        host.ok(&["AT&D0"]).await;
        host.ask("AT+QISWTMD=0,2", "\r\nCONNECT\r\n").await;
        host.modem.dtr_rises();
        host.send("x").await;
        host.expect("x").await;
        silence().await;
        host.send("+++").await;
        host.expect(OK).await;
        // In buffer mode the socket works like any other.
        host.ok(&["AT+QISWTMD=0,0", "AT+QISDE=0"]).await;
        host.ask("AT+QISEND=0,1", "\r\n> ").await;
        host.send("y").await;
        host.expect("\r\nSEND OK\r\n\r\n+QIURC: \"recv\",0\r\n")
            .await;
    });
}

#[test]
fn peer_that_hangs_up_ends_data_mode_and_the_id_stays_taken() {
    in_data_mode(|host, _| async move {
        host.send("!").await;
        host.expect("bye\r\nNO CARRIER\r\n").await;
        host.ask("ATO", "\r\nNO CARRIER\r\n").await;
        assert_eq!(host.modem.open_sockets(), [0]);
        host.ok(&["AT+QICLOSE=0"]).await;
    });
}
