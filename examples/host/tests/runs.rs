//! The smallest program does what it says.

use std::process::Command;

#[test]
fn it_connects_and_is_answered() {
    let program = env!("CARGO_BIN_EXE_sectag-host-example");
    let output = Command::new(program).output().expect("it was built");
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{text}");
    let (first, last) = text.trim_end().split_once('\n').expect("two lines");
    assert!(
        first.starts_with("connected; checked: chain yes, "),
        "{text}"
    );
    assert_eq!(last, "the server says hello");
}
