//! The fault matrix, see `src/faults.rs`. By default every so many cells, all of them when
//! `SECTAG_EXHAUSTIVE` is set; `SECTAG_FAULT=Connect/Host/Flip@17` replays one.

use std::collections::BTreeMap;

use embassy_time::Duration;
use sectag_integration_tests::faults::{Case, Effect, Golden, Phase, run};

/// A prime, so that no column is left out.
const STEP: usize = 13;

fn matrix(phase: Phase) {
    let golden = Golden::of(phase);
    let wanted = std::env::var("SECTAG_FAULT").ok();
    let wanted: Option<Case> = wanted.map(|text| text.parse().expect("a case"));
    let step = if std::env::var_os("SECTAG_EXHAUSTIVE").is_some() {
        1
    } else {
        STEP
    };
    let cases = match wanted {
        Some(case) if case.phase == phase => vec![case],
        Some(_) => return,
        None => golden.cases(step),
    };
    let mut table: BTreeMap<_, [usize; 2]> = BTreeMap::new();
    let mut worst = (Duration::MIN, None);
    let mut violations = Vec::new();
    let mut excepted = 0;
    for &case in &cases {
        let attempt = run(&golden, case);
        let row = table.entry((case.side, case.fault)).or_default();
        row[0] += 1;
        row[1] += usize::from(attempt.succeeded);
        worst = worst.max((attempt.reconnected, Some(case)));
        if attempt.violations.is_empty() {
            continue;
        }
        if golden.effect(case) == Effect::Payload {
            excepted += 1;
        } else {
            violations.push(format!("{case}: {}", attempt.violations.join("; ")));
        }
    }
    let succeeded: usize = table.values().map(|row| row[1]).sum();
    println!(
        "{phase:?}: {} cases, {succeeded} succeeded, {} violations, {excepted} excepted",
        cases.len(),
        violations.len()
    );
    for ((side, fault), [cases, succeeded]) in &table {
        println!("  {side:?} {fault:?}: {succeeded} of {cases}");
    }
    if let (took, Some(case)) = worst {
        println!("  slowest reconnect: {} ms ({case})", took.as_millis());
    }
    assert!(
        violations.is_empty(),
        "{} violations:\n{}",
        violations.len(),
        violations.join("\n")
    );
}

#[test]
fn bring_up() {
    matrix(Phase::BringUp);
}

#[test]
fn store() {
    matrix(Phase::Store);
}

#[test]
fn connect() {
    matrix(Phase::Connect);
}

#[test]
fn send() {
    matrix(Phase::Send);
}

#[test]
fn receive() {
    matrix(Phase::Receive);
}

#[test]
fn close() {
    matrix(Phase::Close);
}

#[test]
fn two() {
    matrix(Phase::Two);
}
