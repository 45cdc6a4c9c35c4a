use std::io::{Read, Write};
use std::net::TcpStream;

use crate::process::{Modem, Tool};

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
