//! The smallest backend, which does nothing: a test of how few items a backend needs.

use crate::capabilities::Capabilities;
use crate::error::{Code, ConnectError};
use crate::modem::{Final, Limits, Line, Modem, Plain, Step};
use crate::tls::TlsConfig;

struct Nothing;

impl Modem for Nothing {
    const NAME: &'static str = "nothing";
    const LIMITS: Limits = Limits {
        ids: 1,
        max_receive: 1,
        max_send: 1,
        sockets: 1,
    };
    type Framing = Plain;

    fn line(&mut self, line: &[u8], _: &[u8]) -> Line {
        match line {
            b"OK" => Line::Final(Final::Ok),
            b"ERROR" => Line::Final(Final::Error(Code::Plain)),
            _ => Line::Info,
        }
    }

    fn script(_: u8) -> &'static [Step<Self>] {
        &[]
    }

    fn admit(&self, _: &TlsConfig) -> Result<(), ConnectError> {
        Ok(())
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities::UNKNOWN
    }
}

#[test]
fn a_backend_that_does_nothing_is_at_most_50_lines_and_is_brought_up() {
    let lines = include_str!("smallest.rs").lines();
    let lines = lines
        .take_while(|line| *line != "#[test]")
        .filter(|line| !line.is_empty());
    assert!(lines.count() <= 50);
    super::Bench::up(Nothing);
}

/// The items of this crate's traits for backends that have no default, as `trait::item`.
fn required(source: &str) -> super::Vec<super::String> {
    let mut required = super::Vec::new();
    let mut lines = source.lines();
    while let Some(line) = lines.next() {
        let Some(name) = line.strip_prefix("pub trait ") else {
            continue;
        };
        if line.ends_with('}') {
            continue;
        }
        let name = name.split([':', ' ']).next().unwrap_or(name);
        let mut item = super::String::new();
        for line in lines.by_ref().take_while(|line| *line != "}") {
            let begins = ["    fn ", "    async fn ", "    const ", "    type "];
            if begins.iter().any(|begin| line.starts_with(begin)) {
                item = line.into();
            } else if item.is_empty() {
                continue;
            } else {
                item.push_str(line);
            }
            let kind = item.trim_start();
            match line.bytes().last() {
                Some(b';') if !item.contains(['=', '{']) => {
                    let words = kind.trim_start_matches("async ");
                    let word = words
                        .split([' ', '(', ':', '<', ';'])
                        .nth(1)
                        .unwrap_or(words);
                    required.push(super::std::format!("{name}::{word}"));
                    item.clear();
                }
                Some(b';' | b'{' | b'}') => item.clear(),
                _ => {}
            }
        }
    }
    required
}

#[test]
fn backends_have_at_most_15_required_items_in_all() {
    let found = required(concat!(
        include_str!("../../backend.rs"),
        include_str!("../../protocol.rs"),
        include_str!("../../../modem/roles.rs"),
        include_str!("../../../credentials/role.rs"),
    ));
    // A backend is a `Modem`, or it has a protocol of its own and is a `Backend`.
    let own = |role: &str| {
        let others = ["Backend::", "Protocol::", "Modem::"];
        let of_others = |item: &&super::String| {
            others
                .iter()
                .any(|other| *other != role && item.starts_with(other))
        };
        found.iter().filter(|item| !of_others(item)).count()
    };
    assert!(own("Modem::") <= 15 && own("Backend::") <= 15, "{found:#?}");
    for known in [
        "Modem::Framing",
        "Modem::LIMITS",
        "Modem::line",
        "Credentials::store",
    ] {
        assert!(
            found.iter().any(|item| item == known),
            "{known} is not seen: {found:#?}"
        );
    }
}

#[test]
fn required_items_are_told_from_those_with_a_default() {
    let source = "
pub trait A: Sized {
    /// const B: u8;
    const C: u8;
    const D: u8 = 1;
    type E: Copy;
    fn f(
        &self,
        g: [u8; 3],
    ) -> u8;
    async fn h();
    fn i() {}
    fn j(
        &self,
    ) -> u8 {
        const K: u8;
        1
    }
}
pub trait L: A {}
";
    assert_eq!(required(source), ["A::C", "A::E", "A::f", "A::h"]);
}
