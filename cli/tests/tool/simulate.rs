use crate::process::{Modem, Tool};

#[test]
fn signals_end_it_and_remove_the_link() {
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

#[test]
fn a_file_that_is_no_link_is_not_replaced() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let path = file.path().to_str().unwrap();
    crate::process::run(&["simulate", "--modem", "bg96", "--link", path])
        .expect_hint("remove the file");
    assert!(file.path().is_file());
}

#[test]
fn tcp_names_the_port_to_use() {
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
