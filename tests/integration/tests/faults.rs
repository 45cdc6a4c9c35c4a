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
    let (mut excepted, mut open) = (0, Vec::new());
    for &case in &cases {
        let attempt = run(&golden, case);
        let row = table.entry((case.side, case.fault)).or_default();
        row[0] += 1;
        row[1] += usize::from(attempt.succeeded);
        worst = worst.max((attempt.reconnected, Some(case)));
        if attempt.violations.is_empty() {
            continue;
        }
        let text = format!("{case}: {}", attempt.violations.join("; "));
        match golden.effect(case) {
            Effect::Payload => excepted += 1,
            Effect::Blind => open.push(text),
            Effect::Harmless | Effect::Any => violations.push(text),
        }
    }
    let succeeded: usize = table.values().map(|row| row[1]).sum();
    println!(
        "{phase:?}: {} cases, {succeeded} succeeded, {} violations, {} open, {excepted} in payload",
        cases.len(),
        violations.len(),
        open.len()
    );
    open.iter().for_each(|text| println!("  open: {text}"));
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
    if wanted.is_none() {
        hold(phase, step, cases.len(), succeeded, open.len());
    }
}

/// The share of cases that succeed may not fall below what was reached, nor what is open rise.
fn hold(phase: Phase, step: usize, cases: usize, succeeded: usize, open: usize) {
    const REACHED: &str = include_str!("../fault-matrix.tsv");
    println!("{phase:?}\t{step}\t{cases}\t{succeeded}\t{open}");
    let row = REACHED
        .lines()
        .map(|line| line.split('\t').collect::<Vec<_>>());
    let row = row
        .into_iter()
        .find(|row| row[0] == format!("{phase:?}") && row[1] == step.to_string())
        .expect("a row for each phase and step");
    let number = |index: usize| -> usize { row[index].parse().expect("a number") };
    let (old_cases, old_succeeded, old_open) = (number(2), number(3), number(4));
    // Half a percent is what a change of the bytes, by which other ones are drawn, may make.
    let (now, then) = (succeeded * old_cases * 1000, old_succeeded * cases * 1000);
    assert!(
        now + 5 * cases * old_cases >= then,
        "{succeeded} of {cases} succeeded, it was {old_succeeded} of {old_cases} (fault-matrix.tsv)"
    );
    assert!(
        open <= old_open,
        "{open} are open, it was {old_open} (fault-matrix.tsv)"
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
