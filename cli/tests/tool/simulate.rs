use std::io::{Read, Write};
use std::net::TcpStream;

use sectag_test_support::pki::Pki;

use crate::connect::Server;
use crate::process::{Modem, Tool, credentials};

pub(crate) fn signals_end_it_and_remove_the_link() {
    for signal in ["INT", "TERM"] {
        let modem = Modem::start(&[]);
        let link = modem.link().to_owned();
        assert!(link.is_symlink());
        modem.tool.signal(signal);
        // Taken apart by hand, so that the directory outlives the check.
        let Modem { tool, .. } = modem;
        tool.end().expect(0);
        assert!(!link.is_symlink());
    }
}

pub(crate) fn a_link_that_is_in_use_is_told_with_the_program_that_has_it() {
    let modem = Modem::start(&[]);
    let link = modem.link().to_str().unwrap();
    let of = std::fs::read_link(link).unwrap();
    let second = ["simulate", "--modem", "nrf9160", "--link", link];
    let ended = crate::process::run(&second).expect(1);
    let program = format!("that of sectag (process {})", modem.tool.id());
    assert!(ended.stderr.contains(&program), "{}", ended.stderr);
    assert_eq!(std::fs::read_link(link).unwrap(), of);
    // One that was killed has left its link, which is in nobody's use.
    let left = modem.link().with_file_name("left");
    std::os::unix::fs::symlink("/dev/pts/99999999", &left).unwrap();
    let third = [
        "simulate",
        "--modem",
        "bg96",
        "--link",
        left.to_str().unwrap(),
    ];
    let mut third = Tool::start(&third, &[], b"");
    third.wait_for("ready:");
    third.signal("TERM");
    third.end().expect(0);
}

pub(crate) fn a_file_that_is_no_link_is_not_replaced() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let path = file.path().to_str().unwrap();
    crate::process::run(&["simulate", "--modem", "bg96", "--link", path])
        .expect_hint("remove the file");
    assert!(file.path().is_file());
}

pub(crate) fn tcp_names_the_port_to_use() {
    let mut modem = Tool::start(&["simulate", "--modem", "bg96", "--tcp", "0"], &[], b"");
    let ready = modem.wait_for("ready:");
    let port = ready.strip_prefix("ready: ").unwrap();
    assert!(port.starts_with("tcp:127.0.0.1:"));
    let list = ["credentials", "list", "--modem", "bg96", "--port", port];
    let ended = crate::process::run(&list).expect(0);
    assert!(
        ended.stderr.contains("nothing is stored"),
        "{}",
        ended.stderr
    );
    modem.signal("TERM");
    modem.end().expect(0);
}

pub(crate) fn dialects_of_the_nrf9160() {
    for (dialect, terminator, question, answer) in [
        (
            None,
            "\r\n",
            "AT#XSLMVER",
            "\r\n#XSLMVER: \"2.1.0\"\r\n\r\nOK\r\n",
        ),
        (Some("2.6-native"), "\r\n", "AT#XCMNG=1", "\r\nOK\r\n"),
        (
            Some("sm"),
            "\r",
            "AT#XSMVER",
            "\r\n#XSMVER: \"v1.99.0\",\"3.3.99\"\r\n\r\nOK\r\n",
        ),
    ] {
        let mut args = vec!["simulate", "--modem", "nrf9160", "--tcp", "0"];
        if let Some(dialect) = dialect {
            args.extend(["--dialect", dialect]);
        }
        let mut modem = Tool::start(&args, &[], b"");
        let ready = modem.wait_for("ready: tcp:");
        let mut port = TcpStream::connect(ready.strip_prefix("ready: tcp:").unwrap()).unwrap();
        write!(port, "{question}{terminator}").unwrap();
        let mut got = vec![0; answer.len()];
        port.read_exact(&mut got).unwrap();
        assert_eq!(String::from_utf8_lossy(&got), answer, "{dialect:?}");
        modem.signal("TERM");
        modem.end().expect(0);
    }
    crate::process::run(&[
        "simulate",
        "--modem",
        "bg96",
        "--tcp",
        "0",
        "--dialect",
        "2.1",
    ])
    .expect(1);
}

pub(crate) fn what_the_modem_stores_is_there_again_and_a_refused_server_is_explained() {
    let echo = Server::echo();
    let pki = credentials();
    let state = pki.file("state.json");
    // The CA of somebody else.
    let ca = pki.file("other.pem");
    std::fs::write(&ca, Pki::new().ca_pem()).unwrap();
    let modem = Modem::start(&["--state", &state]);
    modem
        .run(&["credentials", "store"], &["--tag", "7", "--ca", &ca])
        .expect(0);
    modem.tool.signal("TERM");
    modem.into_tool().end().expect(0);
    let mode =
        std::os::unix::fs::PermissionsExt::mode(&std::fs::metadata(&state).unwrap().permissions());
    assert_eq!(mode & 0o777, 0o600);

    let modem = Modem::start(&["--state", &state]);
    modem
        .run(&["credentials", "verify"], &["--tag", "7", "--ca", &ca])
        .expect(0);
    let server = format!("localhost:{}", echo.port());
    modem
        .run(&["connect"], &["--tag", "7", "--private-ca", &server])
        .expect(1);
    modem.tool.signal("TERM");
    let said = modem.into_tool().end().expect(0).stderr;
    assert!(
        said.contains("is not the CA's") && said.contains("BadSignature"),
        "{said}"
    );

    let simulate = ["simulate", "--modem", "nrf9160", "--tcp", "0", "--state"];
    let other = crate::process::run(&[&simulate[..], &[&state]].concat());
    assert!(
        other.stderr.contains("the state of bg96"),
        "{}",
        other.stderr
    );
    other.expect_hint("remove it");
    std::fs::write(&state, r#"{"modem":"nrf9160","files":{"ca.pem":"x"}}"#).unwrap();
    let strange = crate::process::run(&[&simulate[..], &[&state]].concat()).expect(1);
    assert!(
        strange
            .stderr
            .contains("\"ca.pem\" is no name of a nrf9160's"),
        "{}",
        strange.stderr
    );
}

pub(crate) fn a_state_that_another_modem_keeps_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let state = folder.path().join("state.json");
    let state = state.to_str().unwrap();
    let simulate = ["simulate", "--modem", "bg96", "--tcp", "0", "--state"];
    let simulate = [&simulate[..], &[state]].concat();
    let refused = |by: &Tool| {
        let ended = crate::process::run(&simulate).expect(1);
        let program = format!("of sectag (process {})", by.id());
        assert!(ended.stderr.contains(&program), "{}", ended.stderr);
        assert!(ended.stdout.is_empty(), "{}", ended.stdout);
        ended.expect_hint("a file of its own");
    };
    // A file that is not there yet, so that both begin empty.
    let mut first = Tool::start(&simulate, &[], b"");
    let ready = first.wait_for("ready:");
    refused(&first);
    // And after it was written anew.
    let pki = credentials();
    let ca = pki.file("ca.pem");
    let store = |ready: &str, tag: &str| {
        let port = ready.strip_prefix("ready: ").unwrap();
        let store = ["credentials", "store", "--modem", "bg96", "--port", port];
        crate::process::run(&[&store[..], &["--tag", tag, "--ca", &ca]].concat()).expect(0);
    };
    store(&ready, "7");
    refused(&first);
    // Nobody keeps it any more once its modem has ended, in whatever way.
    first.signal("KILL");
    first.end();
    let mut second = Tool::start(&simulate, &[], b"");
    let ready = second.wait_for("ready:");
    // A file that takes its place is another program's.
    std::fs::remove_file(state).unwrap();
    std::fs::write(state, "mine").unwrap();
    store(&ready, "8");
    second.wait_for("has taken its place");
    second.signal("TERM");
    second.end().expect(1);
    assert_eq!(std::fs::read_to_string(state).unwrap(), "mine");
}
