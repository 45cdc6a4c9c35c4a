//! Tests of lines, terminators, framing and versions (sheet 1).

use super::*;

#[test]
fn every_dialect_answers_its_terminator() {
    for profile in Nrf9160Profile::ALL {
        for terminator in [Terminator::CrLf, Terminator::Cr, Terminator::Lf] {
            let options = Nrf9160Options {
                terminator: Some(terminator),
                ..dialect(profile)
            };
            play_alone(options, |host| async move {
                host.ok(&["AT", "at", "AT+CMEE=1"]).await;
                host.ask("AT+CMEE?", "\r\n+CMEE: 1\r\n\r\nOK\r\n").await;
                host.ask("AT#XNONSENSE=1", ERROR).await;
                host.ask("AT+CFUN=\"1\"", ERROR).await;
            });
        }
    }
}

#[test]
fn cr_alone_never_ends_a_line_of_a_cr_lf_build() {
    play_alone(dialect(Nrf9160Profile::V2_1), |host| async move {
        host.send("AT\r").await;
        host.expect_silence(Duration::from_secs(600)).await;
        host.send("\n").await;
        host.expect(OK).await;
    });
}

#[test]
fn empty_lines_and_junk() {
    for (profile, empty, junk, before) in [
        (Nrf9160Profile::V2_4, ERROR, ERROR, ERROR),
        (Nrf9160Profile::V2_5, "", ERROR, OK),
        (Nrf9160Profile::SERIAL_MODEM, "", "", OK),
    ] {
        play_alone(dialect(profile), |host| async move {
            assert_eq!(host.answer("").await, empty, "{}", profile.name);
            assert_eq!(host.answer("+++").await, junk, "{}", profile.name);
            assert_eq!(host.answer("\x7f\0xAT").await, before, "{}", profile.name);
            host.ok(&["AT"]).await;
        });
    }
}

/// A host that ends its lines with CR LF leaves a stray LF.
#[test]
fn cr_lf_to_a_cr_build() {
    for (profile, answer) in [
        (Nrf9160Profile::V2_4, ERROR),
        (Nrf9160Profile::V2_5, OK),
        (Nrf9160Profile::SERIAL_MODEM, OK),
    ] {
        let options = Nrf9160Options {
            terminator: Some(Terminator::Cr),
            ..dialect(profile)
        };
        play_alone(options, |host| async move {
            for _ in 0..2 {
                host.send("AT\r\n").await;
                host.expect(answer).await;
            }
        });
    }
}

#[test]
fn what_is_sent_during_a_command_is_lost_without_flow_control() {
    for (profile, flow_control, survives) in [
        (Nrf9160Profile::V2_4, false, false),
        (Nrf9160Profile::V2_4, true, true),
        (Nrf9160Profile::V2_5, false, true),
    ] {
        let options = Nrf9160Options {
            flow_control,
            turnaround: Duration::from_millis(100),
            ..dialect(profile)
        };
        play_alone(options, |host| async move {
            host.send("AT+CFUN?\r\n").await;
            embassy_time::Timer::after(Duration::from_millis(50)).await;
            host.send("AT\r\n").await;
            host.expect("\r\n+CFUN: 0\r\n\r\nOK\r\n").await;
            let rest = host.read_all().await;
            assert_eq!(rest, if survives { OK } else { "" }, "{}", profile.name);
        });
    }
}

/// Up to 2.4 the second command of a chunk is written over the first.
#[test]
fn pipelining() {
    for (profile, answers) in [
        (Nrf9160Profile::V2_4, ERROR.to_owned()),
        (
            Nrf9160Profile::V2_5,
            format!("{OK}\r\n+CMEE: 1\r\n\r\nOK\r\n"),
        ),
    ] {
        play_alone(dialect(profile), |host| async move {
            host.send("AT+CMEE=1\r\nAT+CMEE?\r\n").await;
            assert_eq!(host.read_all().await, answers, "{}", profile.name);
        });
    }
}

#[test]
fn a_line_that_is_too_long() {
    for (profile, answers) in [
        (Nrf9160Profile::V2_4, 1),
        (Nrf9160Profile::V2_5, 1),
        (Nrf9160Profile::SERIAL_MODEM, 1),
    ] {
        play_alone(dialect(profile), |host| async move {
            let line = format!("AT%CMNG=0,1,0,\"{}\"", "x".repeat(5000));
            let answer = host.answer(&line).await;
            assert_eq!(answer, ERROR.repeat(answers), "{}", profile.name);
            assert!(host.modem.files().is_empty());
        });
    }
}

/// The safe recovery of sheet 1.4 stores nothing; a quote and a terminator would.
#[test]
fn an_open_quote() {
    for profile in Nrf9160Profile::ALL {
        play_alone(dialect(profile), |host| async move {
            host.send("AT%CMNG=0,1,2,\"abc").await;
            assert_eq!(host.answer("AT").await, "", "swallowed");
            host.send([8; 4096]).await;
            let end = host.end;
            host.send(format!("\"\x08{end}")).await;
            let first = host.read_all().await;
            assert!(first.is_empty() || first == ERROR);
            host.ok(&["AT"]).await;
            assert!(host.modem.files().is_empty(), "{}", profile.name);

            host.send("AT%CMNG=0,1,2,\"abc").await;
            host.ask("\"", OK).await;
            assert_eq!(host.modem.files().len(), 1, "{}", profile.name);
        });
    }
}

#[test]
fn versions_and_lists() {
    let version = |profile, answer: &'static str| {
        play_alone(dialect(profile), |host| async move {
            host.ask(
                if profile.serial_modem {
                    "AT#XSMVER"
                } else {
                    "AT#XSLMVER"
                },
                answer,
            )
            .await;
            host.ask(
                if profile.serial_modem {
                    "AT#XSLMVER"
                } else {
                    "AT#XSMVER"
                },
                ERROR,
            )
            .await;
            let list = host.answer("AT#XCLAC").await;
            assert!(list.starts_with("AT#X"), "no CR LF in front");
            assert!(list.ends_with("\r\n\r\nOK\r\n"));
            assert_eq!(list.contains("AT#XCMNG\r\n"), profile.native.is_some());
        });
    };
    version(
        Nrf9160Profile::V2_1,
        "\r\n#XSLMVER: \"2.1.0\"\r\n\r\nOK\r\n",
    );
    version(
        Nrf9160Profile::V2_3.native(),
        "\r\n#XSLMVER: \"2.3.0\",\"2.3.0\"\r\n\r\nOK\r\n",
    );
    version(
        Nrf9160Profile::SERIAL_MODEM,
        "\r\n#XSMVER: \"v1.99.0\",\"3.3.99\"\r\n\r\nOK\r\n",
    );
}

#[test]
fn the_rate_outlives_a_reset() {
    let options = Nrf9160Options {
        baud: Some(115_200),
        ..dialect(Nrf9160Profile::V2_1)
    };
    play_alone(options, |host| async move {
        host.ask("AT#XSLMUART=115201", ERROR).await;
        host.ok(&["AT#XSLMUART=9600,1"]).await;
        host.ask("AT#XSLMUART?", "\r\n#XSLMUART: 9600,1\r\n\r\nOK\r\n")
            .await;
        host.modem.reset();
        host.expect("Ready\r\n").await;
        // 276 ms is the least at 9600 (sheet 3).
        host.ask("AT#XDATACTRL?", "\r\n#XDATACTRL: 276,276\r\n\r\nOK\r\n")
            .await;
    });
    let options = Nrf9160Options {
        baud: Some(115_200),
        ..dialect(Nrf9160Profile::SERIAL_MODEM)
    };
    play_alone(options, |host| async move {
        host.ask("AT#XSLMUART=9600", ERROR).await;
        host.ask("AT+IPR=9600", ERROR).await;
        host.ok(&["AT+IPR=1000000"]).await;
        embassy_time::Timer::after(Duration::from_millis(60)).await;
        host.ask("AT+IPR?", "\r\n+IPR: 1000000\r\n\r\nOK\r\n").await;
        host.modem.reset();
        host.expect("Ready\r\n").await;
        host.ask("AT+IPR?", "\r\n+IPR: 115200\r\n\r\nOK\r\n").await;
    });
}

/// A unit whose rate was changed is silent at 115200, until its rate is found.
#[test]
fn another_rate_is_noise() {
    let options = Nrf9160Options {
        stored_rate: Some(9600),
        boot: crate::Boot::Booting,
        ..dialect(Nrf9160Profile::V2_1)
    };
    play_alone(options, |host| async move {
        host.modem.set_host_rate(115_200);
        host.expect(b"\xf8\xf8\xf8\xf8\xf8\xf8\xf8").await;
        assert_eq!(host.answer("AT").await, "");
        host.modem.set_host_rate(9600);
        // The earlier attempts are still in its buffer as noise.
        host.ask("AT", ERROR).await;
        host.ok(&["AT", "AT#XSLMUART=115200"]).await;
        embassy_time::Timer::after(Duration::from_millis(60)).await;
        host.modem.set_host_rate(115_200);
        host.ok(&["AT"]).await;
    });
}

#[test]
fn the_first_bytes_after_ready_may_be_lost() {
    let options = Nrf9160Options {
        lost_after_ready: 1,
        boot: crate::Boot::Booting,
        ..dialect(Nrf9160Profile::V2_1)
    };
    play_alone(options, |host| async move {
        host.expect("Ready\r\n").await;
        host.ask("AT", ERROR).await;
        host.ok(&["AT"]).await;
    });
}

#[test]
fn echo_is_sm_s() {
    play_alone(dialect(Nrf9160Profile::SERIAL_MODEM), |host| async move {
        host.ask("ATE1", OK).await;
        host.ask("AT", "AT\r\r\nOK\r\n").await;
        host.ask("ATE0", "ATE0\r\r\nOK\r\n").await;
        host.ask("AT", OK).await;
    });
    play_alone(dialect(Nrf9160Profile::V3_1), |host| async move {
        host.ask("ATE1", ERROR).await;
        host.ask("ATI", ERROR).await;
    });
}

/// SM holds notices back while a line is being typed, for a second.
#[test]
fn notices_and_incomplete_lines() {
    play_alone(dialect(Nrf9160Profile::SERIAL_MODEM), |host| async move {
        host.send("AT").await;
        embassy_time::Timer::after(Duration::from_millis(10)).await;
        host.modem.inject_urc("%MDMEV: ME OVERHEATED");
        host.expect_silence(Duration::from_millis(900)).await;
        host.expect("\r\n%MDMEV: ME OVERHEATED\r\n").await;
        host.send("\r").await;
        host.expect(OK).await;
    });
    play_alone(dialect(Nrf9160Profile::V3_1), |host| async move {
        host.ok(&["AT"]).await;
        host.send("AT").await;
        host.modem.inject_urc("%MDMEV: ME OVERHEATED");
        host.expect("\r\n%MDMEV: ME OVERHEATED\r\n").await;
    });
}

/// If there are more notices than SM can hold back, all of them are lost.
#[test]
fn too_many_notices() {
    play_alone(dialect(Nrf9160Profile::SERIAL_MODEM), |host| async move {
        host.ok(&["AT"]).await;
        host.send("AT").await;
        embassy_time::Timer::after(Duration::from_millis(10)).await;
        let notice = format!("%T: {}", "x".repeat(1992));
        for _ in 0..2 {
            host.modem.inject_urc(&notice);
        }
        host.modem.inject_urc("%LATER: 1234567890123456789012345678901234567890123456789012345678901234567890123456789012345678901");
        host.modem.inject_urc("%LAST");
        host.send("\r").await;
        let told = host.read_all().await;
        assert!(
            told.starts_with("\r\nOK\r\n\r\n%LATER: ") && told.ends_with("\r\n%LAST\r\n"),
            "{told:?}"
        );
    });
}

#[test]
fn faults_by_name_work_as_on_any_modem() {
    for (name, answer) in [
        ("silent@2", ""),
        ("error@2", ERROR),
        ("garbage@2", "\u{fffd}\0\r\n+QS\u{fffd}\r\n"),
        ("reset@2", "Ready\r\n"),
    ] {
        play_alone(dialect(Nrf9160Profile::V2_7), |host| async move {
            host.modem.set_script(crate::fault(name).unwrap());
            host.ok(&["AT"]).await;
            assert_eq!(host.answer("AT").await, answer, "{name}");
            host.ok(&["AT"]).await;
        });
    }
}
