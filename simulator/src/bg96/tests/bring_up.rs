use embassy_time::{Duration, Instant, Timer};

use super::*;
use crate::{PdpLeft, Profile, Reaction, Sim};

/// Plays T2, byte for byte; fields that the poster masked have the simulator's values.
#[test]
fn bring_up_of_transcript_t2() {
    play_alone(Options::default(), |host| async move {
        host.send("AT\r").await;
        host.expect("AT\r\r\nOK\r\n").await;
        host.send("ATE0\r").await;
        host.expect("ATE0\r\r\nOK\r\n").await;
        host.ok(&[
            "AT",
            "AT+CMEE=1",
            "AT+QISDE=0",
            "AT+QMTCFG=\"ssl\",0,1,2",
            "AT+QMTCFG=\"version\",0,4",
            "AT+QSSLSTATE",
        ])
        .await;
        host.ask("AT+CPIN?", "\r\n+CPIN: READY\r\n\r\nOK\r\n").await;
        host.send("AT+CFUN=").await;
        host.send("1").await;
        host.ask("", OK).await;
        host.ask("AT+CFUN?", "\r\n+CFUN: 1\r\n\r\nOK\r\n").await;
        host.ask(
            "AT+QICSGP=1",
            "\r\n+QICSGP: 1,\"\",\"\",\"\",0\r\n\r\nOK\r\n",
        )
        .await;
        host.ask("AT+QIACT?", OK).await;
        host.ask("AT+QIACT=1", OK).await;
        host.ask("AT+QIACT?", "\r\n+QIACT: 1,1,1,\"10.64.0.1\"\r\n\r\nOK\r\n")
            .await;
        host.ask(
            "AT+QIDNSCFG=1",
            "\r\n+QIDNSCFG: 1,\"100.64.0.10\",\"100.64.0.11\"\r\n\r\nOK\r\n",
        )
        .await;
        host.ask("AT+QICLOSE=0", OK).await;
        assert_eq!(host.modem.commands()[0], b"AT");
        assert_eq!(host.modem.commands().len(), 17);
        assert_eq!(host.modem.exchanges(), 17);
    });
}

#[test]
fn identity_is_bare_lines() {
    play_alone(Options::default(), |host| async move {
        host.prepare().await;
        host.ask(
            "ATI",
            "\r\nQuectel\r\nBG96\r\nRevision: BG96MAR02A07M1G\r\n\r\nOK\r\n",
        )
        .await;
        host.ask("AT+QGMR", "\r\nBG96MAR02A07M1G_01.019.01.019\r\n\r\nOK\r\n")
            .await;
        host.ask("at+cgmm", "\r\nBG96\r\n\r\nOK\r\n").await;
    });
}

#[test]
fn unknown_and_ill_formed_commands_fail() {
    play_alone(Options::default(), |host| async move {
        host.prepare().await;
        for command in [
            "AT+NOPE",
            "AT+QILOCIP",
            "AT+CMEE=3",
            "AT+CMEE=\"1\"",
            "AT+QSSLCFG=seclevel,1,2",
            "AT+QSSLCFG=\"checkhost\",1,1",
            "AT+QSSLCFG=\"seclevel\",6,1",
            "AT+QSSLCFG=\"negotiatetime\",1,9",
            "AT+QSSLRECV=1,0",
            "AT+QSSLSEND=1,1461",
            "AT+QSSLOPEN=1,1,12,\"h\",1,0",
            "ATB",
        ] {
            host.ask(command, ERROR).await;
        }
        // Noise is not a command.
        host.send("hello\r\n\n").await;
        host.expect_silence(Duration::from_secs(1)).await;
        host.ask("noiseAT", OK).await;
    });
}

#[test]
fn traps_of_transcript_t7() {
    play_alone(Options::default(), |host| async move {
        host.prepare().await;
        host.ask("AT+QSSLCFG=\"ciphersuite\",2,\"0XFFFF\"", ERROR)
            .await;
        host.ask("AT+QSSLCFG=\"ciphersuite\",2,0XFFFF", OK).await;
        host.ask(
            "AT+QSSLCFG=\"ignorelocaltime\",1",
            "\r\n+QSSLCFG: \"ignorelocaltime\",1,1\r\n\r\nOK\r\n",
        )
        .await;
        host.ask("AT+CGREG?", "\r\n+CGREG: 0,4\r\n\r\nOK\r\n").await;
    });
}

#[test]
fn old_firmware_has_no_sni() {
    let options = Options {
        profile: crate::Profile::BG96_V1,
        ..Options::default()
    };
    play_alone(options, |host| async move {
        host.prepare().await;
        host.ask("AT+QSSLCFG=\"sni\",1,1", ERROR).await;
    });
}

#[test]
fn commands_are_joined() {
    play_alone(Options::default(), |host| async move {
        host.send("AT&FZE0\r").await;
        host.expect("AT&FZE0\r\r\nOK\r\n").await;
        host.ok(&["AT+IPR=115200;&W"]).await;
        host.ask("AT+CFUN?;+CMEE?", "\r\n+CFUN: 1\r\n+CMEE: 1\r\n\r\nOK\r\n")
            .await;
    });
}

#[test]
fn urcs_need_the_right_port() {
    play_alone(Options::default(), |host| async move {
        host.ask("ATE0", "ATE0\r\r\nOK\r\n").await;
        host.modem.inject_urc("+QIND: PB DONE");
        host.expect_silence(Duration::from_secs(1)).await;
        host.ok(&["AT+QURCCFG=\"urcport\",\"uart1\""]).await;
        host.modem.inject_urc("+QIND: PB DONE");
        host.expect("\r\n+QIND: PB DONE\r\n").await;
    });
}

#[test]
fn urcs_inside_responses_on_request() {
    let options = Options {
        urc_inside_responses: true,
        turnaround: Duration::from_millis(20),
        ..Options::default()
    };
    play_alone(options, |host| async move {
        host.prepare().await;
        host.send("AT+CPIN?\r").await;
        Timer::after(Duration::from_millis(5)).await;
        host.modem.inject_urc("+QIND: PB DONE");
        host.expect("\r\n+QIND: PB DONE\r\n\r\n+CPIN: READY\r\n\r\nOK\r\n")
            .await;
    });
}

#[test]
fn error_format_follows_cmee() {
    let options = Options {
        sim: Sim::Missing,
        ..Options::default()
    };
    play_alone(options, |host| async move {
        host.prepare().await;
        host.ask("AT+CPIN?", "\r\n+CME ERROR: 10\r\n").await;
        host.ok(&["AT+CMEE=2"]).await;
        host.ask("AT+CPIN?", "\r\n+CME ERROR: SIM not inserted\r\n")
            .await;
        host.ok(&["AT+CMEE=0"]).await;
        host.ask("AT+CPIN?", ERROR).await;
    });
}

#[test]
fn pin_then_registration() {
    let options = Options {
        sim: Sim::PinRequired("1234".into()),
        registration_delay: Duration::from_secs(3),
        ..Options::default()
    };
    play_alone(options, |host| async move {
        host.prepare().await;
        host.ok(&["AT+CEREG=2"]).await;
        host.ask("AT+CPIN?", "\r\n+CPIN: SIM PIN\r\n\r\nOK\r\n")
            .await;
        host.ask("AT+CPIN=1111", "\r\n+CME ERROR: 16\r\n").await;
        host.ask("AT+QIACT=1", ERROR).await;
        host.ask("AT+CPIN=1234", OK).await;
        host.expect("\r\n+CPIN: READY\r\n\r\n+QUSIM: 1\r\n\r\n+QIND: SMS DONE\r\n")
            .await;
        host.ask("AT+CEREG?", "\r\n+CEREG: 2,2\r\n\r\nOK\r\n").await;
        host.expect("\r\n+CEREG: 1,\"5A29\",\"C4C7F0B\",8\r\n")
            .await;
        host.ask(
            "AT+CEREG?",
            "\r\n+CEREG: 2,1,\"5A29\",\"C4C7F0B\",8\r\n\r\nOK\r\n",
        )
        .await;
    });
}

#[test]
fn pdp_is_taken_away_and_must_be_deactivated_first() {
    play_alone(
        Options {
            pdp_active: true,
            ..Options::default()
        },
        |host| async move {
            host.prepare().await;
            host.ask("AT+QIACT=1", ERROR).await;
            host.ask(
                "AT+QIGETERROR",
                "\r\n+QIGETERROR: 572,operation not allowed\r\n\r\nOK\r\n",
            )
            .await;
            host.modem.drop_pdp(1);
            host.expect("\r\n+QIURC: \"pdpdeact\",1\r\n").await;
            host.ask("AT+QIACT?", OK).await;
            host.ask("AT+QIACT=1", ERROR).await;
            host.ask("AT+QIGETERROR", BROKEN).await;
            host.ask("AT+QICSGP=1,1,\"iot\",\"\",\"\",0", ERROR).await;
            host.ok(&["AT+QIDEACT=1", "AT+QIACT=1"]).await;
        },
    );
}

const BROKEN: &str = "\r\n+QIGETERROR: 570,pdp context break down\r\n\r\nOK\r\n";

#[test]
fn a_leftover_data_connection_refuses_a_new_one_until_it_is_undone() {
    for (left, undone, restart) in [
        (PdpLeft::Lost, OK, false),
        (PdpLeft::Hidden, OK, false),
        (PdpLeft::Stuck, ERROR, true),
        (PdpLeft::Others, ERROR, true),
    ] {
        let options = Options {
            pdp_left: Some(left),
            profile: Profile {
                announces_sim: false,
                ..Profile::BG96_LATER
            },
            ..Options::default()
        };
        play_alone(options, |host| async move {
            host.prepare().await;
            let others = (2..5).map(|id| format!("+QIACT: {id},1,1,\"10.64.0.{id}\"\r\n"));
            let listed = match left {
                PdpLeft::Others => format!("\r\n{}{OK}", others.collect::<String>()),
                _ => OK.to_owned(),
            };
            host.ask("AT+QIACT?", &listed).await;
            host.ask("AT+QIACT=1", ERROR).await;
            host.ask("AT+QIDEACT=1", undone).await;
            if restart {
                host.ask("AT+QIACT=1", ERROR).await;
                host.modem.reset();
                host.expect("\r\nRDY\r\n\r\nAPP RDY\r\n").await;
                host.send("ATE0\r").await;
                host.expect("ATE0\r\r\nOK\r\n").await;
                Timer::after_secs(1).await;
            }
            host.ok(&["AT+QIACT=1"]).await;
        });
    }
}

#[test]
fn the_clock_starts_unset_and_runs() {
    play_alone(Options::default(), |host| async move {
        host.prepare().await;
        host.ask(
            "AT+CCLK?",
            "\r\n+CCLK: \"08/01/04,00:19:43+00\"\r\n\r\nOK\r\n",
        )
        .await;
        host.ok(&["AT+CCLK=\"26/08/06,20:40:17+32\""]).await;
        Timer::after(Duration::from_secs(3)).await;
        host.ask(
            "AT+CCLK?",
            "\r\n+CCLK: \"26/08/06,20:40:20+32\"\r\n\r\nOK\r\n",
        )
        .await;
        host.ask("AT+CCLK=\"2026/08/06,20:40:17+32\"", ERROR).await;
    });
}

#[test]
fn network_time() {
    let options = Options {
        network_time: Some(utc(2026, 8, 6, 12, 40, 4)),
        network_zone: 32,
        pdp_active: true,
        ..Options::default()
    };
    play_alone(options, |host| async move {
        host.prepare().await;
        host.ask(
            "AT+QLTS=1",
            "\r\n+QLTS: \"2026/08/06,12:40:04+32,0\"\r\n\r\nOK\r\n",
        )
        .await;
        host.ask(
            "AT+QLTS=2",
            "\r\n+QLTS: \"2026/08/06,20:40:04+32,0\"\r\n\r\nOK\r\n",
        )
        .await;
        host.ask("AT+QNTP=1,\"pool.ntp.org\"", OK).await;
        host.expect("\r\n+QNTP: 0,\"2026/08/06,12:40:04+00\"\r\n")
            .await;
        host.ask(
            "AT+CCLK?",
            "\r\n+CCLK: \"26/08/06,12:40:04+00\"\r\n\r\nOK\r\n",
        )
        .await;
    });
    play_alone(
        Options {
            network_time: None,
            pdp_active: true,
            ..Options::default()
        },
        |host| async move {
            host.prepare().await;
            host.ask("AT+QLTS=2", "\r\n+QLTS: \"\"\r\n\r\nOK\r\n").await;
            host.ask("AT+QNTP=1,\"pool.ntp.org\"", OK).await;
            host.expect("\r\n+QNTP: 569,\"\"\r\n").await;
        },
    );
}

#[test]
fn cgact_hangs_the_modem() {
    play_alone(Options::default(), |host| async move {
        host.prepare().await;
        host.send("AT+CGACT?\rAT\r").await;
        host.expect_silence(Duration::from_secs(3600)).await;
    });
}

#[test]
fn scripts_override_answers() {
    play_alone(Options::default(), |host| async move {
        host.prepare().await;
        host.modem.set_script(Box::new(|line| match line {
            b"AT+CSQ" => Reaction::Reply(b"\r\nhello\r\n".to_vec()),
            b"ATI" => Reaction::Silent,
            _ => Reaction::Normal,
        }));
        host.ask("AT+CSQ", "\r\nhello\r\n").await;
        host.send("ATI\r").await;
        host.expect_silence(Duration::from_secs(1)).await;
        host.ok(&["AT"]).await;
    });
}

#[test]
fn the_line_rate_costs_time() {
    play_alone(
        Options {
            baud: Some(9600),
            ..Options::default()
        },
        |host| async move {
            let start = Instant::now();
            host.ask(
                "ATI",
                "ATI\r\r\nQuectel\r\nBG96\r\nRevision: BG96MAR02A07M1G\r\n\r\nOK\r\n",
            )
            .await;
            let bytes = host.modem.bytes_in() + host.modem.bytes_out();
            let expected = bytes * 10_000_000 / 9600;
            assert!(
                start.elapsed().as_micros().abs_diff(expected) < 10,
                "{} {expected}",
                start.elapsed().as_micros()
            );
        },
    );
}

#[test]
fn a_network_that_refuses_every_context_says_why() {
    let options = Options {
        pdp_refusal: Some(573),
        ..Options::default()
    };
    play_alone(options, |host| async move {
        host.prepare().await;
        host.ask("AT+QIACT=1", ERROR).await;
        host.ask(
            "AT+QIGETERROR",
            "\r\n+QIGETERROR: 573,apn not configured\r\n\r\nOK\r\n",
        )
        .await;
        host.ask("AT+QIACT?", OK).await;
    });
}
