use std::cell::RefCell;
use std::sync::Arc;

use embassy_time::{Duration, Timer};
use rustls::ServerConfig;
use sectag_test_support::pki::{Pki, Validity};
use sectag_test_support::tls_server::{echo, serve_tls, server_config};
use tokio_rustls::server::TlsStream;

use super::*;
use crate::{Chunk, OpenResultTiming, Profile, Rearm, UsedId};

const NAME: &str = "broker.sectag.test";

fn options() -> Options {
    Options {
        pdp_active: true,
        clock: Some(utc(2026, 6, 1, 12, 0, 0)),
        ..Options::default()
    }
}

/// Serves any number of connections, one after the other.
fn serve<F, H>(
    network: &MemoryNetwork,
    config: Arc<ServerConfig>,
    handler: H,
) -> impl Future<Output = ()> + use<F, H>
where
    H: Fn(TlsStream<DuplexStream>) -> F,
    F: Future<Output = std::io::Result<()>>,
{
    let mut listener = network.listen(NAME, 8883);
    async move {
        while let Some(stream) = listener.accept().await {
            // The test includes handshakes that the modem refuses.
            let _ = serve_tls(stream, config.clone(), &handler).await;
        }
    }
}

fn play_tls<F: Future<Output = ()>>(
    options: Options,
    config: Arc<ServerConfig>,
    test: impl FnOnce(Host) -> F,
) {
    play(
        options,
        |network| {
            serve(network, config, |stream| async {
                echo(stream).await.map(drop)
            })
        },
        test,
    );
}

fn plain_server() -> Arc<ServerConfig> {
    server_config(Pki::shared().server(), None)
}

fn strict_server() -> Arc<ServerConfig> {
    server_config(Pki::shared().server(), Some(&Pki::shared().ca_pem()))
}

const OPEN: &str = "AT+QSSLOPEN=1,1,4,\"broker.sectag.test\",8883,0";
const OPENED: &str = "\r\nOK\r\n\r\n+QSSLOPEN: 4,0\r\n";
const REFUSED: &str = "\r\nOK\r\n\r\n+QSSLOPEN: 4,566\r\n";

impl Host {
    /// Sets up everything that verification at this level needs.
    async fn secure(&self, level: u8) {
        self.prepare().await;
        let pki = Pki::shared();
        self.upload("ca.pem", pki.ca_pem().as_bytes()).await;
        if level == 2 {
            self.upload("cert.pem", pki.client().cert_pem.as_bytes())
                .await;
            self.upload("key.pem", pki.client().key_pem.as_bytes())
                .await;
        }
        self.configure(level).await;
    }

    async fn configure(&self, level: u8) {
        self.ok(&[
            "AT+QSSLCFG=\"sslversion\",1,3",
            "AT+QSSLCFG=\"ciphersuite\",1,0XFFFF",
            "AT+QSSLCFG=\"cacert\",1,\"ca.pem\"",
            "AT+QSSLCFG=\"clientcert\",1,\"cert.pem\"",
            "AT+QSSLCFG=\"clientkey\",1,\"key.pem\"",
            "AT+QSSLCFG=\"ignorelocaltime\",1,0",
            "AT+QSSLCFG=\"sni\",1,1",
            &format!("AT+QSSLCFG=\"seclevel\",1,{level}"),
        ])
        .await;
    }
}

/// The exchange of T10, between open and close.
#[test]
fn verified_echo() {
    play_tls(options(), plain_server(), |host| async move {
        host.secure(1).await;
        host.ask(OPEN, OPENED).await;
        host.ask(
            "AT+QSSLSTATE",
            "\r\n+QSSLSTATE: 4,\"SSLClient\",\"127.0.0.1\",8883,49164,2,1,4,0,\"uart1\",1\r\n\r\nOK\r\n",
        )
        .await;
        host.ask("AT+QSSLSEND=4,15", "\r\n> ").await;
        host.send("NuModem-P5-SSL\n").await;
        host.expect("\r\nSEND OK\r\n").await;
        host.expect("\r\n+QSSLURC: \"recv\",4\r\n").await;
        host.ask(
            "AT+QSSLRECV=4,1500",
            "\r\n+QSSLRECV: 15\r\nNuModem-P5-SSL\n\r\n\r\nOK\r\n",
        )
        .await;
        host.ask("AT+QSSLRECV=4,1500", "\r\n+QSSLRECV: 0\r\n\r\nOK\r\n")
            .await;
        host.ok(&["AT+QSSLCLOSE=4"]).await;
        host.ask("AT+QSSLCLOSE=4", ERROR).await;
        host.ask("AT+QSSLRECV=4,1500", ERROR).await;
    });
}

#[test]
fn factory_settings_accept_anybody() {
    play_tls(
        Options {
            clock: None,
            ..options()
        },
        plain_server(),
        |host| async move {
            host.prepare().await;
            host.ask(OPEN, OPENED).await;
        },
    );
}

#[test]
fn wrong_ca() {
    let stranger = Pki::new();
    play_tls(options(), plain_server(), |host| async move {
        host.modem.put_file("ca.pem", stranger.ca_pem().as_bytes());
        host.prepare().await;
        host.configure(1).await;
        host.ask(OPEN, REFUSED).await;
        // The code of the failure is not in it (sheet 4.6).
        host.ask(
            "AT+QIGETERROR",
            "\r\n+QIGETERROR: 0,operate successfully\r\n\r\nOK\r\n",
        )
        .await;
        // The id stays occupied until it is closed.
        host.ask(OPEN, "\r\nOK\r\n\r\n+QSSLOPEN: 4,563\r\n").await;
        host.ok(&["AT+QSSLCLOSE=4"]).await;
        host.modem
            .put_file("ca.pem", Pki::shared().ca_pem().as_bytes());
        host.ask(OPEN, OPENED).await;
    });
}

#[test]
fn missing_and_damaged_ca() {
    play_tls(options(), plain_server(), |host| async move {
        host.prepare().await;
        host.configure(1).await;
        host.ask(OPEN, REFUSED).await;
        host.ok(&["AT+QSSLCLOSE=4"]).await;
        host.modem.put_file("ca.pem", b"no certificate");
        host.ask(OPEN, REFUSED).await;
    });
}

#[test]
fn der_by_profile() {
    for (accepts_der, result) in [(true, OPENED), (false, REFUSED)] {
        let profile = Profile {
            accepts_der,
            ..Profile::BG96_LATER
        };
        play_tls(
            Options {
                profile,
                ..options()
            },
            plain_server(),
            |host| async move {
                host.modem.put_file("ca.pem", &Pki::shared().ca_der());
                host.prepare().await;
                host.configure(1).await;
                host.ask(OPEN, result).await;
            },
        );
    }
}

#[test]
fn dates_are_judged_by_the_modems_clock() {
    let expired = Pki::shared().issue_server_valid([NAME], Validity::expired());
    for (identity, clock, ignore, result) in [
        (Pki::shared().server(), None, 0, REFUSED),
        (Pki::shared().server(), None, 1, OPENED),
        (&expired, Some(utc(2026, 6, 1, 12, 0, 0)), 0, REFUSED),
        (&expired, Some(utc(2026, 6, 1, 12, 0, 0)), 1, OPENED),
        (&expired, Some(utc(2020, 6, 1, 12, 0, 0)), 0, OPENED),
    ] {
        play_tls(
            Options { clock, ..options() },
            server_config(identity, None),
            |host| async move {
                host.secure(1).await;
                host.ok(&[&format!("AT+QSSLCFG=\"ignorelocaltime\",1,{ignore}")])
                    .await;
                host.ask(OPEN, result).await;
            },
        );
    }
}

#[test]
fn ignoring_dates_does_not_ignore_the_chain() {
    let stranger = Pki::new();
    let expired = stranger.issue_server_valid([NAME], Validity::expired());
    play_tls(
        options(),
        server_config(&expired, None),
        |host| async move {
            host.secure(1).await;
            host.ok(&["AT+QSSLCFG=\"ignorelocaltime\",1,1"]).await;
            host.ask(OPEN, REFUSED).await;
        },
    );
}

#[test]
fn names_are_checked_by_profile() {
    let other = Pki::shared().issue_server(["other.test"]);
    for (checks_name, result) in [(true, REFUSED), (false, OPENED)] {
        let profile = Profile {
            checks_name,
            ..Profile::BG96_LATER
        };
        play_tls(
            Options {
                profile,
                ..options()
            },
            server_config(&other, None),
            |host| async move {
                host.secure(1).await;
                host.ask(OPEN, result).await;
            },
        );
    }
}

#[test]
fn sni_is_sent_when_told() {
    for (sni, expected) in [(0, None), (1, Some(NAME.to_owned()))] {
        let seen = Rc::new(RefCell::new(Vec::new()));
        let record = seen.clone();
        play(
            options(),
            |network| {
                serve(network, plain_server(), move |stream| {
                    record
                        .borrow_mut()
                        .push(stream.get_ref().1.server_name().map(str::to_owned));
                    async { echo(stream).await.map(drop) }
                })
            },
            |host| async move {
                host.secure(1).await;
                host.ok(&[&format!("AT+QSSLCFG=\"sni\",1,{sni}")]).await;
                host.ask(OPEN, OPENED).await;
                host.ok(&["AT+QSSLCLOSE=4"]).await;
            },
        );
        assert_eq!(*seen.borrow(), [expected]);
    }
}

#[test]
fn client_certificates() {
    play_tls(options(), strict_server(), |host| async move {
        host.secure(2).await;
        host.ask(OPEN, OPENED).await;
        host.ok(&["AT+QSSLCLOSE=4", "AT+QSSLCFG=\"seclevel\",1,1"])
            .await;
        // The server asks for a client certificate, and level 1 sends none.
        host.ask(OPEN, REFUSED).await;
        host.ok(&[
            "AT+QSSLCLOSE=4",
            "AT+QSSLCFG=\"seclevel\",1,2",
            "AT+QFDEL=\"cert.pem\"",
        ])
        .await;
        host.ask(OPEN, REFUSED).await;
        host.ok(&["AT+QSSLCLOSE=4", "AT+QFDEL=\"key.pem\""]).await;
        // A key in PKCS#1, and a key that does not belong to the certificate.
        let client = Pki::shared().client();
        host.upload("cert.pem", client.cert_pem.as_bytes()).await;
        host.upload("key.pem", client.key_pem_pkcs1().unwrap().as_bytes())
            .await;
        host.ask(OPEN, OPENED).await;
        host.ok(&["AT+QSSLCLOSE=4"]).await;
        host.modem
            .put_file("key.pem", Pki::shared().server().key_pem.as_bytes());
        host.ask(OPEN, REFUSED).await;
    });
}

#[test]
fn servers_need_rsa() {
    let ecdsa = Pki::shared().issue_server_ecdsa([NAME]);
    play_tls(options(), server_config(&ecdsa, None), |host| async move {
        host.secure(1).await;
        host.ask(OPEN, REFUSED).await;
    });
}

#[test]
fn only_what_rustls_has_connects() {
    play_tls(options(), plain_server(), |host| async move {
        host.secure(1).await;
        host.ok(&["AT+QSSLCFG=\"ciphersuite\",1,0X0035"]).await;
        host.ask(OPEN, REFUSED).await;
        host.ok(&["AT+QSSLCLOSE=4", "AT+QSSLCFG=\"ciphersuite\",1,0XC02F"])
            .await;
        host.ask(OPEN, OPENED).await;
        host.ok(&["AT+QSSLCLOSE=4", "AT+QSSLCFG=\"sslversion\",1,2"])
            .await;
        host.ask(OPEN, REFUSED).await;
    });
}

#[test]
fn no_pdp_no_connection() {
    play_tls(
        Options {
            pdp_active: false,
            ..options()
        },
        plain_server(),
        |host| async move {
            host.prepare().await;
            host.ask(OPEN, ERROR).await;
            host.ask(
                "AT+QIGETERROR",
                "\r\n+QIGETERROR: 561,open pdp context failed\r\n\r\nOK\r\n",
            )
            .await;
        },
    );
}

#[test]
fn results_are_lost_on_the_wrong_urc_port() {
    play_tls(options(), plain_server(), |host| async move {
        host.ask("ATE0", "ATE0\r\r\nOK\r\n").await;
        host.ask(OPEN, OK).await;
        host.expect_silence(Duration::from_secs(10)).await;
        assert_eq!(host.modem.open_sockets(), [4]);
    });
}

#[test]
fn result_timing() {
    for timing in [
        OpenResultTiming::WithOk,
        OpenResultTiming::Delayed(Duration::from_secs(5)),
    ] {
        play_tls(
            Options {
                open_result_timing: timing,
                ..options()
            },
            plain_server(),
            |host| async move {
                host.secure(1).await;
                if timing == OpenResultTiming::WithOk {
                    host.ask(OPEN, OPENED).await;
                } else {
                    host.ask(OPEN, OK).await;
                    host.expect_silence(Duration::from_millis(4900)).await;
                    host.expect("\r\n+QSSLOPEN: 4,0\r\n").await;
                }
            },
        );
    }
}

#[test]
fn a_server_that_never_answers_costs_the_negotiation_time() {
    play(
        options(),
        |network| {
            let mut listener = network.listen(NAME, 8883);
            async move {
                let _silent = listener.accept().await;
                std::future::pending().await
            }
        },
        |host| async move {
            host.secure(1).await;
            host.ok(&["AT+QSSLCFG=\"negotiatetime\",1,60"]).await;
            host.ask(OPEN, OK).await;
            host.expect_silence(Duration::from_secs(59)).await;
            host.expect("\r\n+QSSLOPEN: 4,569\r\n").await;
            host.ok(&["AT+QSSLCLOSE=4"]).await;
            // A close while the open is under way.
            host.ask(OPEN, OK).await;
            host.ok(&["AT+QSSLCLOSE=4"]).await;
            host.expect_silence(Duration::from_secs(600)).await;
        },
    );
}

/// A server that sends `parts` as records, a second apart, then closes.
fn play_sender<F: Future<Output = ()>>(
    options: Options,
    parts: &'static [&'static [u8]],
    test: impl FnOnce(Host) -> F,
) {
    play(
        options,
        |network| {
            serve(network, plain_server(), move |mut stream| async move {
                for part in parts {
                    Timer::after(Duration::from_secs(1)).await;
                    stream.write_all(part).await?;
                    stream.flush().await?;
                }
                Timer::after(Duration::from_secs(1)).await;
                stream.shutdown().await
            })
        },
        test,
    );
}

#[test]
fn recv_is_edge_triggered_and_closed_leaves_data() {
    play_sender(options(), &[b"one", b"two", b"three"], |host| async move {
        host.secure(1).await;
        host.ask(OPEN, OPENED).await;
        host.expect("\r\n+QSSLURC: \"recv\",4\r\n").await;
        // Two more records and the close: only the close is announced.
        host.expect("\r\n+QSSLURC: \"closed\",4\r\n").await;
        host.ask("AT+QSSLSEND=4,1", ERROR).await;
        // One record at a time, even though more is there.
        host.ask("AT+QSSLRECV=4,2", "\r\n+QSSLRECV: 2\r\non\r\n\r\nOK\r\n")
            .await;
        host.ask("AT+QSSLRECV=4,1500", "\r\n+QSSLRECV: 1\r\ne\r\n\r\nOK\r\n")
            .await;
        host.ask(
            "AT+QSSLRECV=4,1500",
            "\r\n+QSSLRECV: 3\r\ntwo\r\n\r\nOK\r\n",
        )
        .await;
        host.ask(
            "AT+QSSLRECV=4,1500",
            "\r\n+QSSLRECV: 5\r\nthree\r\n\r\nOK\r\n",
        )
        .await;
        host.ask("AT+QSSLRECV=4,1500", "\r\n+QSSLRECV: 0\r\n\r\nOK\r\n")
            .await;
        host.ok(&["AT+QSSLCLOSE=4"]).await;
    });
}

#[test]
fn rearming_by_profile() {
    for rearm in [Rearm::ZeroRead, Rearm::Emptied] {
        let profile = Profile {
            rearm,
            record_at_a_time: false,
            ..Profile::BG96_LATER
        };
        play_sender(
            Options {
                profile,
                ..options()
            },
            &[b"one", b"two"],
            |host| async move {
                host.secure(1).await;
                host.ask(OPEN, OPENED).await;
                host.expect("\r\n+QSSLURC: \"recv\",4\r\n").await;
                host.ask(
                    "AT+QSSLRECV=4,1500",
                    "\r\n+QSSLRECV: 3\r\none\r\n\r\nOK\r\n",
                )
                .await;
                if rearm == Rearm::Emptied {
                    host.expect("\r\n+QSSLURC: \"recv\",4\r\n").await;
                }
                host.expect("\r\n+QSSLURC: \"closed\",4\r\n").await;
            },
        );
    }
}

#[test]
fn direct_push() {
    play_sender(options(), &[b"\r\nOK\r\n"], |host| async move {
        host.secure(1).await;
        host.ask("AT+QSSLOPEN=1,1,4,\"broker.sectag.test\",8883,1", OPENED)
            .await;
        host.expect("\r\n+QSSLURC: \"recv\",4,6\r\n\r\nOK\r\n\r\n")
            .await;
        host.ask("AT+QSSLRECV=4,10", ERROR).await;
    });
}

#[test]
fn the_prompt_waits_for_ever_even_for_the_next_host() {
    block_on_virtual(async {
        let network = MemoryNetwork::new();
        let servers = serve(&network, plain_server(), |stream| async {
            echo(stream).await.map(drop)
        });
        let modem = Simulator::bg96(options(), Rc::new(network));
        let test = async {
            let (host, port) = tokio::io::duplex(4096);
            let host = Host {
                port: Mutex::new(host),
                modem: modem.clone(),
            };
            let first = async {
                host.prepare().await;
                host.ask(OPEN, OPENED).await;
                host.ask("AT+QSSLSEND=4,10", "\r\n> ").await;
                host.send("abc").await;
                Timer::after(Duration::from_millis(1)).await;
            };
            embassy_futures::select::select(modem.serve(port), first).await;
            assert_eq!(modem.open_sockets(), [4]);
            let (host, port) = tokio::io::duplex(4096);
            let host = Host {
                port: Mutex::new(host),
                modem: modem.clone(),
            };
            let second = async {
                host.send("AT\r").await;
                host.expect_silence(Duration::from_secs(3600)).await;
                host.send("zzzz").await;
                host.expect("\r\nSEND OK\r\n").await;
                host.expect("\r\n+QSSLURC: \"recv\",4\r\n").await;
                host.ask(
                    "AT+QSSLRECV=4,100",
                    "\r\n+QSSLRECV: 10\r\nabcAT\rzzzz\r\n\r\nOK\r\n",
                )
                .await;
            };
            embassy_futures::select::select(modem.serve(port), second).await;
        };
        embassy_futures::select::select(test, servers).await;
    });
}

#[test]
fn a_connection_that_ends_during_the_prompt_is_an_error() {
    play_sender(options(), &[], |host| async move {
        host.secure(1).await;
        host.ask(OPEN, OPENED).await;
        host.ask("AT+QSSLSEND=4,2", "\r\n> ").await;
        Timer::after(Duration::from_secs(2)).await;
        host.send("hi").await;
        // URCs wait for the end of the exchange.
        host.expect("\r\nERROR\r\n\r\n+QSSLURC: \"closed\",4\r\n")
            .await;
    });
}

#[test]
fn back_pressure_and_full_send_buffers() {
    play(
        Options {
            send_buffer: 2000,
            ..options()
        },
        |network| {
            serve(network, plain_server(), |mut stream| async move {
                // This server reads nothing, and sends more than all buffers hold.
                let mut total = 0;
                loop {
                    let send = async {
                        stream.write_all(&[b'x'; 4096]).await?;
                        stream.flush().await
                    };
                    match embassy_time::with_timeout(Duration::from_secs(5), send).await {
                        Ok(result) => result?,
                        Err(_) => break,
                    }
                    total += 4096;
                }
                assert!((64 * 1024..128 * 1024).contains(&total), "{total}");
                std::future::pending().await
            })
        },
        |host| async move {
            host.secure(1).await;
            host.ask(OPEN, OPENED).await;
            host.expect("\r\n+QSSLURC: \"recv\",4\r\n").await;
            Timer::after(Duration::from_secs(10)).await;
            let payload = [b'y'; 1460];
            for sends in 0.. {
                assert!(sends < 100);
                host.ask("AT+QSSLSEND=4,1460", "\r\n> ").await;
                host.send(payload).await;
                host.expect("\r\nSEND ").await;
                let mut result = [0; 2];
                host.port
                    .lock()
                    .await
                    .read_exact(&mut result)
                    .await
                    .unwrap();
                if &result == b"FA" {
                    host.expect("IL\r\n").await;
                    break;
                }
                host.expect("\r\n").await;
            }
        },
    );
}

#[test]
fn a_modem_reset_drops_connections() {
    let ended = Rc::new(std::cell::Cell::new(false));
    let flag = ended.clone();
    play(
        options(),
        |network| {
            serve(network, plain_server(), move |stream| {
                let flag = flag.clone();
                async move {
                    let end = echo(stream).await;
                    flag.set(true);
                    end.map(drop)
                }
            })
        },
        |host| async move {
            host.secure(1).await;
            host.ask(OPEN, OPENED).await;
            host.modem.reset();
            assert!(host.modem.open_sockets().is_empty());
            host.expect("\r\nRDY\r\n\r\nAPP RDY\r\n").await;
            assert!(ended.get());
        },
    );
}

#[test]
fn used_id_by_profile_and_tls_limit() {
    let profile = Profile {
        used_id: UsedId::Error,
        ..Profile::BG96_LATER
    };
    play_tls(
        Options {
            profile,
            tls_limit: 1,
            ..options()
        },
        plain_server(),
        |host| async move {
            host.secure(1).await;
            host.ask(OPEN, OPENED).await;
            host.ask(OPEN, ERROR).await;
            host.ask(
                "AT+QIGETERROR",
                "\r\n+QIGETERROR: 563,socket identity has been used\r\n\r\nOK\r\n",
            )
            .await;
            host.ask("AT+QSSLOPEN=1,1,5,\"broker.sectag.test\",8883,0", ERROR)
                .await;
            host.ask(
                "AT+QIGETERROR",
                "\r\n+QIGETERROR: 553,memory not enough\r\n\r\nOK\r\n",
            )
            .await;
        },
    );
}

#[test]
fn a_close_that_nobody_answers_blocks() {
    play_tls(
        Options {
            silent_close: true,
            ..options()
        },
        plain_server(),
        |host| async move {
            host.secure(1).await;
            host.ask(OPEN, OPENED).await;
            let start = embassy_time::Instant::now();
            host.ok(&["AT+QSSLCLOSE=4"]).await;
            assert_eq!(start.elapsed().as_secs(), 10);
            host.ask(OPEN, OPENED).await;
            host.ok(&["AT+QSSLCLOSE=4,0"]).await;
            assert_eq!(start.elapsed().as_secs(), 10);
        },
    );
}

/// The bytes do not depend on how they are cut.
#[test]
fn chunks_change_nothing() {
    let mut outputs = Vec::new();
    for chunk in [
        Chunk::Whole,
        Chunk::Bytes(1),
        Chunk::Bytes(7),
        Chunk::Random { max: 9 },
    ] {
        let output = Rc::new(RefCell::new(Vec::<u8>::new()));
        let record = output.clone();
        play_sender(
            Options { chunk, ..options() },
            &[b"one", b"\r\nOK\r\n> "],
            |host| async move {
                let script = [
                    "ATE0",
                    "AT+QURCCFG=\"urcport\",\"uart1\"",
                    "ATI",
                    OPEN,
                    "AT+QSSLSTATE",
                    "AT+QSSLRECV=4,1500",
                    "AT+QSSLRECV=4,1500",
                    "AT+QSSLRECV=4,1500",
                ];
                for command in script {
                    host.send(format!("{command}\r")).await;
                    let mut buffer = [0; 512];
                    loop {
                        let read = async { host.port.lock().await.read(&mut buffer).await };
                        match embassy_time::with_timeout(Duration::from_millis(300), read).await {
                            Ok(n) => record.borrow_mut().extend(&buffer[..n.unwrap()]),
                            Err(_) => break,
                        }
                    }
                }
            },
        );
        outputs.push(output.take());
    }
    assert!(outputs[0].len() > 200);
    assert!(outputs.iter().all(|output| *output == outputs[0]));
}

#[test]
fn list_of_keys_is_the_firmware_s() {
    let lists = |profile: &Profile| {
        let mut answer = String::from("\r\n");
        for (key, values) in profile.ssl_keys {
            answer += &format!("+QSSLCFG: \"{key}\",(0-5),{values}\r\n");
        }
        answer + OK
    };
    for (profile, lacks) in [
        (Profile::BG96_V1, "sni"),
        (Profile::BG96_LATER, "session_cache"),
        (Profile::EG25, "checkhost"),
    ] {
        let answer = lists(&profile);
        let options = Options {
            profile,
            ..options()
        };
        play_alone(options, async |host| {
            host.prepare().await;
            host.ask("AT+QSSLCFG=?", &answer).await;
            host.ask(&format!("AT+QSSLCFG=\"{lacks}\",0,1"), ERROR)
                .await;
        });
    }
    let options = Options {
        profile: Profile {
            lists_ssl_keys: false,
            refused_ssl_keys: &["sni"],
            highest_seclevel: 1,
            ..Profile::BG96_LATER
        },
        ..options()
    };
    play_alone(options, async |host| {
        host.prepare().await;
        for refused in [
            "AT+QSSLCFG=?",
            "AT+QSSLCFG=\"sni\",0,1",
            "AT+QSSLCFG=\"seclevel\",0,2",
        ] {
            host.ask(refused, ERROR).await;
        }
        host.ok(&["AT+QSSLCFG=\"seclevel\",0,1"]).await;
    });
}

#[test]
fn keys_of_relatives_are_stored_for_their_context() {
    let options = Options {
        profile: Profile::EG25,
        ..options()
    };
    play_alone(options, async |host| {
        host.prepare().await;
        host.ok(&[
            "AT+QSSLCFG=\"alpn\",2,\"mqtt\"",
            "AT+QSSLCFG=\"psk\",2,\"device\",\"0011\"",
            "AT+QSSLCFG=\"session_cache\",2,1",
        ])
        .await;
        for (key, context, value) in [
            ("alpn", 2, "\"mqtt\""),
            ("alpn", 1, "\"\""),
            ("psk", 2, "\"device\",\"0011\""),
            ("session_cache", 2, "1"),
            ("session_cache", 0, "0"),
        ] {
            let answer = format!("\r\n+QSSLCFG: \"{key}\",{context},{value}\r\n{OK}");
            host.ask(&format!("AT+QSSLCFG=\"{key}\",{context}"), &answer)
                .await;
        }
        for malformed in [
            "AT+QSSLCFG=\"psk\",2,\"device\"",
            "AT+QSSLCFG=\"alpn\",2,mqtt",
            "AT+QSSLCFG=\"alpn\",2,\"a\",\"b\"",
            "AT+QSSLCFG=\"session_cache\",2,2",
        ] {
            host.ask(malformed, ERROR).await;
        }
    });
}
