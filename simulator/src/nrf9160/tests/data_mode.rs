//! Tests of data mode (sheet 3).

use std::cell::RefCell;

use embassy_time::Timer;

use super::*;
use crate::{CountedFailure, FailingSend, SendFailure};

const LEFT: &str = "\r\n#XDATAMODE: 0\r\n";

/// Runs `test` with a connected modem and a server that keeps what it receives.
fn play_sink<F: Future<Output = ()>>(
    options: Nrf9160Options,
    test: impl FnOnce(Host, Rc<RefCell<Vec<u8>>>) -> F,
) {
    let sink = Rc::new(RefCell::new(Vec::new()));
    let kept = sink.clone();
    let handles = options.profile.serial_modem;
    play(
        options,
        |network| {
            let mut listener = network.listen("sink.test", 9);
            async move {
                let mut stream = listener.accept().await.unwrap();
                let mut buffer = [0; 4096];
                loop {
                    let n = stream.read(&mut buffer).await.unwrap();
                    if n == 0 || sink.borrow().ends_with(b"bye") {
                        break;
                    }
                    sink.borrow_mut().extend(&buffer[..n]);
                    if sink.borrow().ends_with(b"bye") {
                        break;
                    }
                }
            }
        },
        |host| async move {
            host.answer("AT#XSOCKET=1,1,0").await;
            let connect = if handles {
                "AT#XCONNECT=0,\"sink.test\",9"
            } else {
                "AT#XCONNECT=\"sink.test\",9"
            };
            assert!(host.answer(connect).await.ends_with(OK));
            test(host, kept).await;
        },
    );
}

async fn pause() {
    Timer::after(Duration::from_secs(1)).await;
}

#[test]
fn payload_then_the_terminator_alone() {
    for profile in Nrf9160Profile::ALL {
        play_sink(online(profile), |host, sink| async move {
            let enter = if profile.serial_modem {
                "AT#XSEND=0,2,0"
            } else {
                "AT#XSEND"
            };
            let payload: Vec<u8> = (0..=255).collect();
            host.ok(&[enter]).await;
            host.send(&payload).await;
            pause().await;
            host.send("+++").await;
            host.expect(LEFT).await;
            assert_eq!(*sink.borrow(), payload, "{}", profile.name);
            host.ok(&["AT"]).await;
        });
    }
}

/// Up to 2.4 only the end of a flush counts; from 2.5 on `+++` is found anywhere, and the rest is a command.
#[test]
fn the_terminator_inside_of_payload() {
    play_sink(online(Nrf9160Profile::V2_4), |host, sink| async move {
        host.ok(&["AT#XSEND"]).await;
        host.send("a+++b").await;
        pause().await;
        host.send("c+++").await;
        host.expect(LEFT).await;
        assert_eq!(*sink.borrow(), b"a+++bc");
    });
    play_sink(online(Nrf9160Profile::V2_5), |host, sink| async move {
        host.ok(&["AT#XSEND"]).await;
        host.send("a+++AT\r\n").await;
        host.expect(LEFT).await;
        host.expect(OK).await;
        assert_eq!(*sink.borrow(), b"a");
        // A pause turns the beginning of a terminator into data, but only if something lies in front of
        // it.
        host.ok(&["AT#XSEND"]).await;
        for part in ["x++", "++y", "+", "b"] {
            host.send(part).await;
            pause().await;
        }
        host.send("+++").await;
        host.expect(LEFT).await;
        assert_eq!(*sink.borrow(), b"ax++++y+b");
    });
}

/// TRAP, sheet 3: in an empty buffer a `+` stays the beginning of a terminator without limit. So a run
/// of five cannot be sent, however it is cut, nor can one of three at the beginning. What follows it is
/// a command.
#[test]
fn a_run_of_plus_is_never_data_however_it_is_paused() {
    for profile in [
        Nrf9160Profile::V2_5,
        Nrf9160Profile::V2_6,
        Nrf9160Profile::V3_1,
    ] {
        for (parts, arrives) in [
            (&["xx++", "++", "+"][..], &b"xx++"[..]),
            (&["xx+", "++", "++"], b"xx+"),
            (&["++", "+"], b""),
            (&["+", "+", "+"], b""),
        ] {
            play_sink(online(profile), |host, sink| async move {
                host.ok(&["AT#XSEND"]).await;
                for part in parts {
                    pause().await;
                    host.send(part).await;
                }
                host.expect(LEFT).await;
                host.send("\r\nAT+CFUN=0\r\n").await;
                // The excess of the run is a line of its own.
                assert!(host.read_all().await.ends_with(OK));
                assert_eq!(*sink.borrow(), arrives, "{} {parts:?}", profile.name);
                let commands = host.modem.commands();
                assert!(
                    commands.last().unwrap().ends_with(b"AT+CFUN=0"),
                    "{commands:?}"
                );
            });
        }
    }
}

/// TRAP (b): across the end of the ring, the terminator is data.
#[test]
fn the_ring_has_an_end() {
    for (length, leaves) in [(4093, true), (4094, false), (4096, true)] {
        play_sink(online(Nrf9160Profile::V2_1), |host, sink| async move {
            host.ok(&["AT#XSEND"]).await;
            host.send(vec![b'x'; length]).await;
            pause().await;
            host.send("+++").await;
            if leaves {
                host.expect(LEFT).await;
                assert_eq!(sink.borrow().len(), length);
            } else {
                host.expect_silence(Duration::from_secs(5)).await;
                assert!(sink.borrow().ends_with(b"+++"));
                // The remedy is to send it again.
                host.send("+++").await;
                host.expect(LEFT).await;
            }
        });
    }
}

#[test]
fn a_length_needs_no_terminator() {
    play_sink(
        online(Nrf9160Profile::SERIAL_MODEM),
        |host, sink| async move {
            let payload = b"+++\r+++\"AT\r\n\0\x08+++++";
            host.ask(&format!("AT#XSEND=0,2,0,{}", payload.len()), OK)
                .await;
            host.send(payload).await;
            host.expect(LEFT).await;
            assert_eq!(*sink.borrow(), payload);
            host.send("AT\r").await;
            host.expect(OK).await;
        },
    );
}

#[test]
fn notices_are_lost_or_kept() {
    for profile in [
        Nrf9160Profile::V2_1,
        Nrf9160Profile::V3_1,
        Nrf9160Profile::SERIAL_MODEM,
    ] {
        play_sink(online(profile), |host, _| async move {
            host.ok(&[if profile.serial_modem {
                "AT#XSEND=0,2,0"
            } else {
                "AT#XSEND"
            }])
            .await;
            host.send("x").await;
            pause().await;
            host.modem.inject_urc("+CEREG: 5");
            host.expect_silence(Duration::from_secs(1)).await;
            host.send("+++").await;
            host.expect(LEFT).await;
            let after = host.read_all().await;
            let kept = if profile.serial_modem {
                "\r\n+CEREG: 5\r\n"
            } else {
                ""
            };
            assert_eq!(after, kept, "{}", profile.name);
        });
    }
}

/// The peer closes while the host sends: three generations of firmware do not report it.
#[test]
fn failures() {
    let lose = |profile: Nrf9160Profile| {
        move |host: Host| async move {
            host.ok(&[if profile.serial_modem {
                "AT#XSEND=0,2,0"
            } else {
                "AT#XSEND"
            }])
            .await;
            host.send("bye").await;
            pause().await;
            host.send("lost").await;
            pause().await;
            host
        }
    };
    play_sink(online(Nrf9160Profile::V2_1), |host, _| async move {
        // The firmware has left data mode by itself, with a good result.
        let host = lose(Nrf9160Profile::V2_1)(host).await;
        host.expect(LEFT).await;
        host.ok(&["AT"]).await;
    });
    play_sink(online(Nrf9160Profile::V2_5), |host, _| async move {
        let host = lose(Nrf9160Profile::V2_5)(host).await;
        host.expect_silence(Duration::from_secs(5)).await;
        host.send("+++").await;
        host.expect(LEFT).await;
    });
    play_sink(online(Nrf9160Profile::SERIAL_MODEM), |host, _| async move {
        let host = lose(Nrf9160Profile::SERIAL_MODEM)(host).await;
        // The firmware sends it first.
        host.expect("+++").await;
        host.send("+++").await;
        host.expect("\r\n#XDATAMODE: -1\r\n").await;
    });
}

/// Plays sheet 12.16: SM announces that it hangs up, forgets the count, and takes for commands the
/// bytes behind a `+++` in the rest of the payload.
#[test]
fn a_counted_payload_that_fails() {
    let fails = |after: usize, counted_failure: CountedFailure| Nrf9160Options {
        failing_send: Some(FailingSend {
            nth: 0,
            after,
            how: SendFailure::Refused,
        }),
        counted_failure,
        ..online(Nrf9160Profile::SERIAL_MODEM)
    };
    let gone = "\r\n#XDATAMODE: -1\r\n";
    play_sink(fails(3, CountedFailure::Forgets), |host, sink| async move {
        host.ok(&["AT#XSEND=0,2,0,30"]).await;
        host.send("0123456789").await;
        pause().await;
        host.expect("+++").await;
        host.send("abc+++AT+CFUN=0\r").await;
        host.expect(gone).await;
        host.expect(OK).await;
        assert_eq!(*sink.borrow(), b"012");
        assert_eq!(host.modem.commands().last().unwrap(), b"AT+CFUN=0");
    });
    play_sink(
        fails(0, CountedFailure::CountsOn),
        |host, sink| async move {
            host.ok(&["AT#XSEND=0,2,0,30"]).await;
            host.send("0123456789").await;
            pause().await;
            host.expect("+++").await;
            host.send("abc+++AT+CFUN=0\r....").await;
            host.expect(gone).await;
            host.ok(&["AT"]).await;
            assert!(sink.borrow().is_empty());
        },
    );
    // The failure of the last byte ends it at once.
    play_sink(fails(0, CountedFailure::Forgets), |host, _| async move {
        host.ok(&["AT#XSEND=0,2,0,10"]).await;
        host.send("0123456789").await;
        host.expect("+++").await;
        host.expect(gone).await;
        host.ok(&["AT"]).await;
    });
}

/// Sheet 3: from 2.5 on a failed flush is dropped silently, and leaves a gap; up to 2.4 it ends data
/// mode, and the rest of the payload is a command.
#[test]
fn a_flush_that_fails() {
    let fails = |profile: Nrf9160Profile, how: SendFailure| Nrf9160Options {
        failing_send: Some(FailingSend {
            nth: 1,
            after: 2,
            how,
        }),
        ..online(profile)
    };
    for how in [SendFailure::Refused, SendFailure::TimesOut] {
        for profile in [Nrf9160Profile::V2_5, Nrf9160Profile::V3_1] {
            play_sink(fails(profile, how), |host, sink| async move {
                host.ok(&["AT#XSEND"]).await;
                for part in ["one", "two", "three"] {
                    host.send(part).await;
                    pause().await;
                }
                host.send("+++").await;
                host.expect(LEFT).await;
                assert_eq!(*sink.borrow(), b"onetwthree", "{}", profile.name);
            });
        }
        play_sink(fails(Nrf9160Profile::V2_4, how), |host, sink| async move {
            host.ok(&["AT#XSEND"]).await;
            for part in ["one", "two"] {
                host.send(part).await;
                pause().await;
            }
            host.expect(LEFT).await;
            host.ok(&["AT+CFUN=0"]).await;
            assert_eq!(*sink.borrow(), b"onetw");
        });
    }
    // For a string, the count shows it.
    play_sink(
        fails(Nrf9160Profile::V3_1, SendFailure::Refused),
        |host, sink| async move {
            host.ask("AT#XSEND=\"one\"", "\r\n#XSEND: 3\r\n\r\nOK\r\n")
                .await;
            host.ask("AT#XSEND=\"two\"", "\r\n#XSEND: 2\r\n\r\nERROR\r\n")
                .await;
            pause().await;
            assert_eq!(*sink.borrow(), b"onetw");
        },
    );
}

#[test]
fn data_mode_may_come_late() {
    let options = Nrf9160Options {
        late_data_mode: Duration::from_millis(20),
        ..online(Nrf9160Profile::V2_0)
    };
    play_sink(options, |host, sink| async move {
        host.ok(&["AT#XSEND"]).await;
        host.send("early").await;
        pause().await;
        host.send("late").await;
        pause().await;
        host.send("+++").await;
        host.expect(LEFT).await;
        assert_eq!(*sink.borrow(), b"late");
    });
}

#[test]
fn counts_by_build_option() {
    let options = Nrf9160Options {
        data_notices: true,
        ..online(Nrf9160Profile::V2_7)
    };
    play_sink(options, |host, _| async move {
        host.ok(&["AT#XSEND"]).await;
        host.send("four").await;
        host.expect("\r\n#XDATAMODE: 4\r\n").await;
        host.send("+++").await;
        host.expect(LEFT).await;
    });
}

#[test]
fn the_time_limit() {
    play_sink(online(Nrf9160Profile::V2_1), |host, _| async move {
        host.ask("AT#XDATACTRL?", "\r\n#XDATACTRL: 32,32\r\n\r\nOK\r\n")
            .await;
        host.ask("AT#XDATACTRL=31", ERROR).await;
        host.ok(&["AT#XDATACTRL=500", "AT#XSEND"]).await;
        // Both are within one flush, so the first is the end of the payload and the second ends the
        // mode.
        host.send("a").await;
        Timer::after(Duration::from_millis(400)).await;
        host.send("+++").await;
        host.expect_silence(Duration::from_millis(450)).await;
        host.expect(LEFT).await;
        // Without a connection there is no data mode.
        host.ask("AT#XSOCKET=0", "\r\n#XSOCKET: 0,\"closed\"\r\n\r\nOK\r\n")
            .await;
        host.ask("AT#XSEND", ERROR).await;
    });
}
