//! Tests of `%CMNG` and `#XCMNG` (sheet 6 and 7).

use super::*;

const PEM: &str = "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n";

/// The SHA-256 of `abc`, the example of FIPS 180.
const ABC: &str = "BA7816BF8F01CFEA414140DE5DAE2223B00361A396177A9CB410FF61F20015AD";

#[test]
fn write_list_read_delete() {
    play_alone(dialect(Nrf9160Profile::V2_1), |host| async move {
        host.ok(&[
            "AT+CMEE=1",
            "AT%CMNG=0,16842753,0,\"abc\"",
            "AT%CMNG=0,16842753,2,\"key\"",
            "AT%CMNG=0,1,3,\"c0ffee\"",
            &format!("AT%CMNG=0,1,1,\"{PEM}\""),
        ])
        .await;
        host.ask(
            "AT%CMNG=1,16842753,0",
            &format!("\r\n%CMNG: 16842753,0,\"{ABC}\"\r\n\r\nOK\r\n"),
        )
        .await;
        let list = host.answer("AT%CMNG=1").await;
        assert_eq!(list.matches("%CMNG: ").count(), 4);
        assert_eq!(host.answer("AT%CMNG=1,5").await, OK);
        host.ask(
            "AT%CMNG=2,16842753,0",
            &format!("\r\n%CMNG: 16842753,0,\"{ABC}\",\"abc\"\r\n\r\nOK\r\n"),
        )
        .await;
        assert!(host.answer("AT%CMNG=2,1,1").await.contains(PEM));
        for (command, code) in [
            ("AT%CMNG=2,16842753,2", 514),
            ("AT%CMNG=2,1,3", 514),
            ("AT%CMNG=2,2,0", 513),
            ("AT%CMNG=3,2,0", 513),
            ("AT%CMNG=0,1,3,\"xy\"", 50),
            ("AT%CMNG=0,1,0,\"\"", 50),
            ("AT%CMNG=0,1,1,\"a\",\"password\"", 50),
        ] {
            let answer = format!("\r\n+CME ERROR: {code}\r\n");
            host.ask(command, &answer).await;
        }
        host.ask("AT%CMNG=0,2147483648,0,\"abc\"", ERROR).await;
        host.ok(&["AT%CMNG=3,16842753,2"]).await;
        assert_eq!(host.answer("AT%CMNG=1,16842753,2").await, OK);
        // Survives a reset.
        host.modem.reset();
        host.expect("Ready\r\n").await;
        assert_eq!(host.modem.files()["modem/16842753/0"], b"abc");
    });
}

#[test]
fn only_offline() {
    for (functionality, allowed) in [(0, true), (4, true), (1, false), (2, false), (21, false)] {
        play_alone(dialect(Nrf9160Profile::V2_1), |host| async move {
            host.ok(&[
                "AT%CMNG=0,1,0,\"abc\"",
                "AT+CMEE=1",
                &format!("AT+CFUN={functionality}"),
            ])
            .await;
            let answer = if allowed {
                OK
            } else {
                "\r\n+CME ERROR: 518\r\n"
            };
            host.ask("AT%CMNG=0,1,0,\"abc\"", answer).await;
            host.ask("AT%CMNG=3,1,0", answer).await;
            host.ask(
                "AT%KEYGEN=7,8,0",
                if allowed { "\r\n%KEYGEN: \"" } else { answer },
            )
            .await;
        });
    }
}

#[test]
fn behaviours_that_the_sheet_leaves_open_are_options() {
    let options = Nrf9160Options {
        overwrites: false,
        item_limit: 10,
        store_size: 15,
        zero_digests: true,
        ..dialect(Nrf9160Profile::V2_1)
    };
    play_alone(options, |host| async move {
        host.ok(&["AT+CMEE=1", "AT%CMNG=0,1,0,\"0123456789\""])
            .await;
        host.ask("AT%CMNG=0,1,0,\"abc\"", "\r\n+CME ERROR: 519\r\n")
            .await;
        host.ask("AT%CMNG=0,2,0,\"01234567890\"", "\r\n+CME ERROR: 515\r\n")
            .await;
        host.ask("AT%CMNG=0,2,0,\"012345\"", "\r\n+CME ERROR: 515\r\n")
            .await;
        let list = host.answer("AT%CMNG=1").await;
        assert!(list.contains(&"0".repeat(64)));
    });
    let options = Nrf9160Options {
        factory_credentials: true,
        ..dialect(Nrf9160Profile::V2_1)
    };
    play_alone(options, |host| async move {
        assert!(
            host.answer("AT%CMNG=1")
                .await
                .contains("%CMNG: 4294967292,11,")
        );
        host.ask("AT%CMNG=3,4294967292,11", ERROR).await;
    });
}

/// Newer modem firmware parses certificates (sheet 12.7).
#[test]
fn malformed_content() {
    play_alone(dialect(Nrf9160Profile::SERIAL_MODEM), |host| async move {
        host.ok(&["AT+CMEE=2"]).await;
        let literal = "-----BEGIN CERTIFICATE-----\\nMIIB\\n-----END CERTIFICATE-----\\n";
        host.ask(
            &format!("AT%CMNG=0,16842753,0,\"{literal}\""),
            "\r\n+CME ERROR: 527\r\n",
        )
        .await;
        host.ok(&[
            &format!("AT%CMNG=0,16842753,2,\"{literal}\""),
            &format!("AT%CMNG=0,16842753,0,\"{PEM}\""),
        ])
        .await;
    });
}

/// About 45 lines are more than the buffer holds (sheet 1.4).
#[test]
fn a_long_list_is_an_error() {
    play_alone(dialect(Nrf9160Profile::V2_1), |host| async move {
        for tag in 0..44 {
            host.modem
                .put_file(&format!("modem/2147483{tag:03}/0"), b"x");
        }
        assert!(host.answer("AT%CMNG=1").await.ends_with(OK));
        for tag in 44..50 {
            host.modem
                .put_file(&format!("modem/2147483{tag:03}/0"), b"x");
        }
        host.ask("AT%CMNG=1", ERROR).await;
        assert!(host.answer("AT%CMNG=1,2147483007").await.ends_with(OK));
    });
}

#[test]
fn native_credentials_up_to_2_5() {
    for profile in [
        Nrf9160Profile::V2_0,
        Nrf9160Profile::V2_1,
        Nrf9160Profile::V2_5,
    ] {
        play_alone(dialect(profile.native()), |host| async move {
            host.ok(&[
                "AT#XCMNG=0,321,0,\"abc\"",
                "AT#XCMNG=0,321,1,\"cert\"",
                "AT#XCMNG=0,321,2,\"key\"",
            ])
            .await;
            let stored: Vec<String> = host.modem.files().into_keys().collect();
            assert_eq!(stored, ["modem/3210/0", "modem/3211/0", "modem/3212/0"]);
            host.ask(
                "AT%CMNG=1,3210",
                &format!("\r\n%CMNG: 3210,0,\"{ABC}\"\r\n\r\nOK\r\n"),
            )
            .await;
            host.ask(
                "AT#XCMNG=2,321,0",
                "%CMNG: 321,0,\"\",\"abc\"\r\n\r\nOK\r\n",
            )
            .await;
            // Keys are refused here, but readable below.
            host.ask("AT#XCMNG=2,321,2", ERROR).await;
            assert!(
                host.answer("AT%CMNG=2,3212,0")
                    .await
                    .ends_with(",\"key\"\r\n\r\nOK\r\n")
            );
            host.ask("AT#XCMNG=1", ERROR).await;
            host.ask("AT#XCMNG=0,214748365,0,\"abc\"", ERROR).await;
            let long = |length| format!("AT#XCMNG=0,5,0,\"{}\"", "x".repeat(length));
            host.ask(&long(2100), ERROR).await;
            host.ok(&[&long(2099)]).await;
            // TRAP: the type is not checked.
            host.ok(&["AT#XCMNG=0,321,10,\"abc\""]).await;
            assert!(host.modem.files().contains_key("modem/3220/0"));
            host.ok(&["AT#XCMNG=3,321,0"]).await;
            host.ask("AT#XCMNG=3,321,0", ERROR).await;
            host.ok(&["AT+CFUN=1"]).await;
            host.ask("AT#XCMNG=0,321,0,\"abc\"", ERROR).await;
        });
    }
}

#[test]
fn native_credentials_from_2_6_on() {
    for profile in [Nrf9160Profile::V2_6, Nrf9160Profile::V3_1] {
        play_alone(online(profile.native()), |host| async move {
            // LTE may be on or off.
            host.ok(&["AT#XCMNG=0,10,0,\"abc\""]).await;
            assert_eq!(host.modem.files()["settings/10/0"], b"abc");
            assert_eq!(host.answer("AT%CMNG=1").await, OK);
            host.ask("AT#XCMNG=2,10,0", ERROR).await;
            host.ask("AT#XCMNG=0,10,5,\"abc\"", ERROR).await;
            host.ask("AT#XCMNG=0,2147483648,0,\"abc\"", ERROR).await;
            // The limit counts all of a tag, with NULs; an overwrite also counts the item that it
            // overwrites.
            let write =
                |kind: u8, length| format!("AT#XCMNG=0,11,{kind},\"{}\"", "x".repeat(length));
            host.ok(&[&write(0, 2000), &write(1, 2000)]).await;
            host.ask(&write(2, 94), ERROR).await;
            host.ok(&[&write(2, 93)]).await;
            host.ask(&write(2, 93), ERROR).await;
            host.ok(&["AT#XCMNG=3,11,2", &write(2, 93), "AT#XCMNG=3,99,0"])
                .await;
        });
    }
}

#[test]
fn the_list_of_2_6_0() {
    let profile = Nrf9160Profile {
        random_list_error: true,
        ..Nrf9160Profile::V2_6.native()
    };
    play_alone(dialect(profile), |host| async move {
        let mut seen = std::collections::BTreeSet::new();
        for _ in 0..20 {
            seen.insert(host.answer("AT#XCMNG=1").await);
        }
        assert_eq!(seen.len(), 2, "{seen:?}");
    });
}
