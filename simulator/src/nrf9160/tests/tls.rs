//! Tests of TLS, the modem's and the native one (sheet 7).

use std::cell::Cell;
use std::sync::Arc;

use embassy_time::Timer;
use rustls::ServerConfig;
use sectag_test_support::pki::{Identity, Pki, Validity};
use sectag_test_support::tls_server::{serve_tls, server_config};

use super::*;
use crate::{HeapTrap, OversizedRecord};

const NAME: &str = "broker.sectag.test";
const OPENED: &str = "\r\n#XSSOCKET: 0,1,258\r\n\r\nOK\r\n";
const CONNECTED: &str = "\r\n#XCONNECT: 1\r\n\r\nOK\r\n";
const CONNECT: &str = "AT#XCONNECT=\"broker.sectag.test\",8883";
const SET_NAME: &str = "AT#XSSOCKETOPT=1,2,\"broker.sectag.test\"";

fn plain_server() -> Arc<ServerConfig> {
    server_config(Pki::shared().server(), None)
}

fn strict_server() -> Arc<ServerConfig> {
    server_config(Pki::shared().server(), Some(&Pki::shared().ca_pem()))
}

/// A server that sends one record of `record` bytes and then echoes. It keeps the names of SNI.
fn play_tls<F: Future<Output = ()>>(
    options: Nrf9160Options,
    config: Arc<ServerConfig>,
    record: usize,
    test: impl FnOnce(Host, Rc<Cell<Option<bool>>>) -> F,
) {
    let sni = Rc::new(Cell::new(None));
    let seen = sni.clone();
    play(
        options,
        |network| {
            let mut listener = network.listen(NAME, 8883);
            async move {
                while let Some(stream) = listener.accept().await {
                    let handler = |mut stream: tokio_rustls::server::TlsStream<DuplexStream>| {
                        let sni = sni.clone();
                        async move {
                            sni.set(Some(stream.get_ref().1.server_name().is_some()));
                            if record > 0 {
                                stream.write_all(&vec![b'r'; record]).await?;
                                stream.flush().await?;
                            }
                            sectag_test_support::tls_server::echo(stream)
                                .await
                                .map(drop)
                        }
                    };
                    // The test includes handshakes that the modem refuses.
                    let _ = serve_tls(stream, config.clone(), handler).await;
                }
            }
        },
        |host| test(host, seen),
    );
}

impl Host {
    /// Stores credentials as `%CMNG` would have done.
    fn provision(&self, tag: u32, ca: &str, client: Option<&Identity>) {
        self.modem
            .put_file(&format!("modem/{tag}/0"), ca.as_bytes());
        if let Some(client) = client {
            self.modem
                .put_file(&format!("modem/{tag}/1"), client.cert_pem.as_bytes());
            self.modem
                .put_file(&format!("modem/{tag}/2"), client.key_pem.as_bytes());
        }
    }

    /// Stores credentials over AT with `#XCMNG`, which up to 2.5 needs LTE off.
    async fn provision_native(&self, tag: u32, client: Option<&Identity>) {
        let write = |kind: u8, content: &str| format!("AT#XCMNG=0,{tag},{kind},\"{content}\"");
        self.ok(&[&write(0, &Pki::shared().ca_pem())]).await;
        if let Some(client) = client {
            self.ok(&[&write(1, &client.cert_pem), &write(2, &client.key_pem)])
                .await;
        }
    }

    async fn open(&self, tag: u32, name: bool, result: &str) {
        self.ask(&format!("AT#XSSOCKET=1,1,0,{tag},2"), OPENED)
            .await;
        if name {
            self.ok(&[SET_NAME]).await;
        }
        self.ask(CONNECT, result).await;
    }

    async fn close(&self) {
        self.ask("AT#XSSOCKET=0", "\r\n#XSOCKET: 0,\"closed\"\r\n\r\nOK\r\n")
            .await;
    }
}

#[test]
fn verified_and_mutual_echo_with_the_modem() {
    for profile in [Nrf9160Profile::V2_1, Nrf9160Profile::V3_1] {
        play_tls(
            online(profile),
            strict_server(),
            0,
            |host, sni| async move {
                host.provision(7, &Pki::shared().ca_pem(), Some(Pki::shared().client()));
                host.open(7, true, CONNECTED).await;
                assert_eq!(sni.get(), Some(true));
                host.ask("AT#XSEND=\"hello\"", "\r\n#XSEND: 5\r\n\r\nOK\r\n")
                    .await;
                host.ask("AT#XRECV=5", "\r\n#XRECV: 5\r\nhello\r\nOK\r\n")
                    .await;
                host.ask("AT#XSSOCKET?", "\r\n#XSSOCKET: 0,1,0,1,7,0\r\n\r\nOK\r\n")
                    .await;
                host.close().await;
            },
        );
    }
}

/// Only credentials at this very tag count: not those of the native mapping, not those of another tag.
#[test]
fn only_the_tag_s_own_credentials() {
    play_tls(
        online(Nrf9160Profile::V2_1),
        plain_server(),
        0,
        |host, _| async move {
            host.open(7, true, ERROR).await;
            host.close().await;
            host.provision(70, &Pki::shared().ca_pem(), None);
            host.open(7, true, ERROR).await;
            host.close().await;
            host.provision(7, &Pki::new().ca_pem(), None);
            host.open(7, true, ERROR).await;
            host.close().await;
            host.provision(7, &Pki::shared().ca_pem(), None);
            host.open(7, true, CONNECTED).await;
        },
    );
    // The server demands a client certificate, and there is none.
    play_tls(
        online(Nrf9160Profile::V2_1),
        strict_server(),
        0,
        |host, _| async move {
            host.provision(7, &Pki::shared().ca_pem(), None);
            host.open(7, true, ERROR).await;
        },
    );
}

#[test]
fn the_name_is_checked_only_when_set() {
    let other = Pki::shared().issue_server(["other.sectag.test"]);
    for (name, result, option) in [
        (false, CONNECTED, None),
        (true, ERROR, Some(SET_NAME)),
        (false, CONNECTED, Some("AT#XSSOCKETOPT=1,2,\"NULL\"")),
    ] {
        play_tls(
            online(Nrf9160Profile::V2_1),
            server_config(&other, None),
            0,
            |host, sni| async move {
                host.provision(7, &Pki::shared().ca_pem(), None);
                host.ask("AT#XSSOCKET=1,1,0,7", OPENED).await;
                if let Some(option) = option {
                    host.ok(&[option]).await;
                }
                host.ask(CONNECT, result).await;
                if !name {
                    assert_eq!(sni.get(), Some(false));
                }
            },
        );
    }
}

#[test]
fn peer_verify() {
    for (parameter, option, result) in [
        (",0", None, CONNECTED),
        (",1", None, CONNECTED),
        (",2", None, ERROR),
        ("", None, ERROR),
        (",2", Some("AT#XSSOCKETOPT=1,5,0"), CONNECTED),
    ] {
        play_tls(
            online(Nrf9160Profile::V2_1),
            plain_server(),
            0,
            |host, _| async move {
                host.provision(7, &Pki::new().ca_pem(), None);
                host.ask(&format!("AT#XSSOCKET=1,1,0,7{parameter}"), OPENED)
                    .await;
                if let Some(option) = option {
                    host.ok(&[option]).await;
                }
                host.ask(CONNECT, result).await;
            },
        );
    }
    // The store must hold at least one root CA, whatever verification is set.
    play_tls(
        online(Nrf9160Profile::V2_1),
        plain_server(),
        0,
        |host, _| async move {
            host.ask("AT#XSSOCKET=1,1,0,7,0", OPENED).await;
            host.ask(CONNECT, ERROR).await;
        },
    );
}

#[test]
fn dates_are_an_option() {
    let server = Pki::shared().issue_server_valid([NAME], Validity::expired());
    for (checks_dates, result) in [(false, CONNECTED), (true, ERROR)] {
        play_tls(
            Nrf9160Options {
                checks_dates,
                ..online(Nrf9160Profile::V2_1)
            },
            server_config(&server, None),
            0,
            |host, _| async move {
                host.provision(7, &Pki::shared().ca_pem(), None);
                host.open(7, true, result).await;
            },
        );
    }
}

#[test]
fn ecdsa_servers_and_keys_made_in_the_modem() {
    let server = Pki::shared().issue_server_ecdsa([NAME]);
    for native in [false, true] {
        let profile = if native {
            Nrf9160Profile::V3_1.native()
        } else {
            Nrf9160Profile::V2_1
        };
        play_tls(
            online(profile),
            server_config(&server, None),
            0,
            |host, _| async move {
                if native {
                    host.provision_native(7, None).await;
                } else {
                    host.provision(7, &Pki::shared().ca_pem(), None);
                }
                host.open(7, true, CONNECTED).await;
            },
        );
    }
}

#[test]
fn records_above_2048_with_the_modem() {
    for (record, oversized, result) in [
        (2048, OversizedRecord::Breaks, Some(2048)),
        (2049, OversizedRecord::Breaks, None),
        (2049, OversizedRecord::Lost, None),
        (2049, OversizedRecord::Split, Some(2048)),
    ] {
        play_tls(
            Nrf9160Options {
                oversized,
                ..online(Nrf9160Profile::V2_7)
            },
            plain_server(),
            record,
            |host, _| async move {
                host.provision(7, &Pki::shared().ca_pem(), None);
                host.open(7, true, CONNECTED).await;
                Timer::after(Duration::from_secs(1)).await;
                let answer = host.answer("AT#XRECV=1,64").await;
                match result {
                    Some(n) => assert!(answer.starts_with(&format!("\r\n#XRECV: {n}\r\nrrr"))),
                    None => assert_eq!(answer, ERROR),
                }
                let poll = host.answer("AT#XPOLL=0,0").await;
                match (oversized, record) {
                    // ERR, and no HUP: TCP stands.
                    (OversizedRecord::Breaks, 2049) => assert!(poll.contains("0x0008"), "{poll}"),
                    (OversizedRecord::Split, _) => assert!(poll.contains("0x0001"), "{poll}"),
                    _ => assert_eq!(poll, OK),
                }
            },
        );
    }
}

/// Plays story (b) of the issue: 5 KiB in one record.
#[test]
fn records_of_native_builds() {
    for (profile, record, good) in [
        (Nrf9160Profile::V2_6, 4096, true),
        (Nrf9160Profile::V2_7, 5120, false),
        (Nrf9160Profile::V3_1, 5120, true),
        (Nrf9160Profile::V3_1, 8193, false),
    ] {
        play_tls(
            online(profile.native()),
            plain_server(),
            record,
            |host, _| async move {
                host.provision_native(321, None).await;
                host.open(321, true, CONNECTED).await;
                let mut total = 0;
                while total < record && good {
                    let answer = host.answer("AT#XRECV=5").await;
                    let count = answer.split(['\r', ' ']).nth(2).unwrap();
                    total += count
                        .parse::<usize>()
                        .unwrap_or_else(|_| panic!("{answer:?}"));
                }
                if !good {
                    host.ask("AT#XRECV=5", ERROR).await;
                    host.ask("AT#XPOLL=0,0", "\r\n#XPOLL: 0,\"0x0008\"\r\n\r\nOK\r\n")
                        .await;
                }
            },
        );
    }
}

#[test]
fn native_tls_needs_a_name_and_its_own_credentials() {
    play_tls(
        online(Nrf9160Profile::V3_1.native()),
        strict_server(),
        0,
        |host, _| async move {
            // The modem's own credentials are not visible to it.
            host.provision(321, &Pki::shared().ca_pem(), Some(Pki::shared().client()));
            host.open(321, true, ERROR).await;
            host.close().await;
            host.provision_native(321, Some(Pki::shared().client()))
                .await;
            // TRAP: an empty name is expected.
            host.open(321, false, ERROR).await;
            host.close().await;
            host.open(321, true, CONNECTED).await;
            host.ask("AT#XSEND=\"hello\"", "\r\n#XSEND: 5\r\n\r\nOK\r\n")
                .await;
            host.ask("AT#XRECV=5", "\r\n#XRECV: 5\r\nhello\r\nOK\r\n")
                .await;
        },
    );
}

/// Tests `#XSSOCKET` of a native build up to 2.5 (sheet 7.2 and 7.4).
#[test]
fn the_trap_of_native_builds_up_to_2_5() {
    for profile in [
        Nrf9160Profile::V2_0,
        Nrf9160Profile::V2_1,
        Nrf9160Profile::V2_5,
    ] {
        // An empty tag: an error now, a crash later.
        play_alone(online(profile.native()), |host| async move {
            host.ask("AT#XSSOCKET=1,1,0,321,2", ERROR).await;
            host.ok(&["AT"]).await;
            Timer::after(Duration::from_secs(4)).await;
            host.expect("Ready\r\n").await;
            host.ask("AT+CFUN?", "\r\n+CFUN: 0\r\n\r\nOK\r\n").await;
        });
        // Native credentials alone: the modem's TLS does not see them. No crash.
        play_tls(
            dialect(profile.native()),
            plain_server(),
            0,
            |host, _| async move {
                host.provision_native(321, None).await;
                host.ok(&["AT+CFUN=1"]).await;
                host.open(321, true, ERROR).await;
                host.close().await;
                host.expect_silence(Duration::from_secs(60)).await;
                // At both places: it connects, but it is not native.
                host.provision(321, &Pki::shared().ca_pem(), None);
                host.open(321, true, CONNECTED).await;
                host.ask("AT#XSSOCKET=1,1,0,321,2", ERROR).await;
                host.expect("Ready\r\n").await;
            },
        );
    }
    // A driver that sends it at all can be caught.
    play_alone(
        Nrf9160Options {
            heap_trap: HeapTrap::Always,
            ..dialect(Nrf9160Profile::V2_1.native())
        },
        |host| async move {
            host.modem.put_file("modem/3210/0", b"x");
            host.ask("AT#XSSOCKET=1,1,0,321,2", OPENED).await;
            host.expect("Ready\r\n").await;
        },
    );
}

#[test]
fn a_patched_build_is_native() {
    play_tls(
        Nrf9160Options {
            patched_native: true,
            ..dialect(Nrf9160Profile::V2_1.native())
        },
        plain_server(),
        5120,
        |host, _| async move {
            host.provision_native(321, None).await;
            host.ok(&["AT+CFUN=1"]).await;
            host.open(321, true, CONNECTED).await;
            assert!(
                host.answer("AT#XRECV=5")
                    .await
                    .starts_with("\r\n#XRECV: 1240\r\n")
            );
            host.expect_silence(Duration::from_secs(60)).await;
        },
    );
}

/// Sheet 7.5 [DZ 114031]: more than 4 kB of certificates crash the modem core.
#[test]
fn long_chains() {
    let names: Vec<String> = (0..250).map(|n| format!("host-{n}.sectag.test")).collect();
    let names = names.iter().map(String::as_str).chain([NAME]);
    let server = Pki::shared().issue_server(names);
    for native in [false, true] {
        let profile = if native {
            Nrf9160Profile::V3_1.native()
        } else {
            Nrf9160Profile::V3_1
        };
        play_tls(
            online(profile),
            server_config(&server, None),
            0,
            |host, _| async move {
                if native {
                    host.provision_native(7, None).await;
                    return host.open(7, true, CONNECTED).await;
                }
                host.provision(7, &Pki::shared().ca_pem(), None);
                host.open(7, true, "\r\n#XMODEM: FAULT,0x4,0x119f0a\r\n")
                    .await;
                assert!(host.read_all().await.ends_with(ERROR));
                host.ask("AT+CFUN?", "\r\n+CFUN: 0\r\n\r\nOK\r\n").await;
            },
        );
    }
}

#[test]
fn early_in_and_limits() {
    play_tls(
        Nrf9160Options {
            early_in: true,
            tls_limit: 1,
            ..online(Nrf9160Profile::V2_1)
        },
        plain_server(),
        0,
        |host, _| async move {
            host.provision(7, &Pki::shared().ca_pem(), None);
            host.open(7, true, CONNECTED).await;
            host.ask("AT#XPOLL=0,0", "\r\n#XPOLL: 0,\"0x0001\"\r\n\r\nOK\r\n")
                .await;
            host.ask("AT#XRECV=1,64", ERROR).await;
            host.ask("AT#XPOLL=0,0", OK).await;
            host.ask("AT#XSSOCKET=1,1,0,7", ERROR).await;
        },
    );
}
