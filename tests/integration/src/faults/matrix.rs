//! Runs the matrix, and holds what was reached.

use std::collections::BTreeMap;

use embassy_time::Duration;

use super::{Case, Effect, Golden, Phase, Subject, run};

/// A prime, so that no column is left out.
const STEP: usize = 13;
const REACHED: &str = include_str!("../../fault-matrix.tsv");

/// Runs every so many cells of a phase, all of them when `SECTAG_EXHAUSTIVE` is set, or the one that
/// `SECTAG_FAULT` names.
///
/// # Panics
/// When something happened that must not, or less succeeded than before (`fault-matrix.tsv`).
pub fn matrix(subject: &impl Subject, phase: Phase) {
    let name = subject.name();
    let golden = Golden::of(subject, phase);
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
    let (mut excepted, mut unseen) = (0, BTreeMap::<_, usize>::new());
    for &case in &cases {
        let attempt = run(subject, &golden, case);
        let row = table.entry((case.side, case.fault)).or_default();
        row[0] += 1;
        row[1] += usize::from(attempt.succeeded && attempt.violations.is_empty());
        worst = worst.max((attempt.reconnected, Some(case)));
        if attempt.violations.is_empty() {
            continue;
        }
        if golden.effect(case) == Effect::Payload {
            excepted += 1;
        } else if let Some(reason) = subject.unseen(&golden, case) {
            *unseen.entry(reason).or_default() += 1;
        } else {
            violations.push(format!("{case}: {}", attempt.violations.join("; ")));
        }
    }
    let succeeded: usize = table.values().map(|row| row[1]).sum();
    println!(
        "{name} {phase:?}: {} cases, {succeeded} succeeded, {} violations, {excepted} in payload",
        cases.len(),
        violations.len(),
    );
    for (reason, count) in &unseen {
        println!("  {count} that nobody can see: {reason}");
    }
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
        hold(
            &format!("{name}\t{phase:?}\t{step}"),
            cases.len(),
            succeeded,
            unseen.values().sum(),
        );
    }
}

/// The share of cases that succeed may not fall below what was reached, nor what nobody can see rise.
fn hold(row: &str, cases: usize, succeeded: usize, unseen: usize) {
    println!("{row}\t{cases}\t{succeeded}\t{unseen}");
    let reached = REACHED
        .lines()
        .find_map(|line| line.strip_prefix(row)?.strip_prefix('\t'));
    let Some(reached) = reached else {
        let sampled = row.ends_with(&format!("\t{STEP}"));
        assert!(!sampled, "no row in fault-matrix.tsv for {row}");
        println!("nothing is held yet of all cells: no row in fault-matrix.tsv");
        return;
    };
    let numbers: Vec<usize> = reached
        .split('\t')
        .map(|number| number.parse().expect("a number"))
        .collect();
    let [old_cases, old_succeeded, old_unseen] = numbers[..] else {
        panic!("three numbers: {row}");
    };
    // Half a percent is what a change of the bytes, by which other ones are drawn, may make.
    let (now, then) = (succeeded * old_cases * 1000, old_succeeded * cases * 1000);
    assert!(
        now + 5 * cases * old_cases >= then,
        "{succeeded} of {cases} succeeded, it was {old_succeeded} of {old_cases} (fault-matrix.tsv)"
    );
    assert!(
        unseen <= old_unseen,
        "{unseen} that nobody can see, it was {old_unseen} (fault-matrix.tsv)"
    );
}
