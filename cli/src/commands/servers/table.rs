//! The table: how it is written, read and compared.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::fs;
use std::path::Path;

use super::{MODEMS, ROUTES, Route, Unit};

/// What became of the true cause, the worst first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Found {
    /// Nothing is wrong, and it fails all the same.
    Fails,
    /// Another is named, alone.
    False,
    /// It succeeds, so nothing is said.
    Unseen,
    /// It is not among those that are named.
    No,
    /// It is among those that are named.
    Later,
    /// It is the first of several.
    First,
    /// It is the only one.
    Alone,
    /// Nothing is wrong, and it succeeds.
    Well,
}

impl Found {
    pub(super) const fn word(self) -> &'static str {
        match self {
            Self::Fails => "fails",
            Self::False => "false",
            Self::Unseen => "unseen",
            Self::No => "no",
            Self::Later => "later",
            Self::First => "first",
            Self::Alone => "alone",
            Self::Well => "–",
        }
    }

    fn of(word: &str) -> Option<Self> {
        let all = [
            Self::Fails,
            Self::False,
            Self::Unseen,
            Self::No,
            Self::Later,
            Self::First,
            Self::Alone,
            Self::Well,
        ];
        all.into_iter().find(|found| found.word() == word)
    }
}

/// The number of the row, the modem, the route, and what was found.
pub(super) type Cell = (usize, Unit, Route, Found);

const HEAD: &str = include_str!("head.md");

/// Compares what was found with the table in the tree, or writes that where the environment asks for it. With `part`, the rows that were not
/// played stay as they are.
///
/// # Panics
/// When a cell is worse than in the tree, a row is not there, or a false cause stands alone.
pub(super) fn settle(path: &Path, rows: &[(&str, String)], found: &[Cell], part: bool) {
    let before = read(&fs::read_to_string(path).unwrap_or_default());
    let mut table: BTreeMap<(&str, &str), Vec<Found>> = BTreeMap::new();
    for (number, (row, _)) in rows.iter().enumerate() {
        for modem in MODEMS {
            let cells = ROUTES.map(|route| {
                let is_it = |cell: &&Cell| (cell.0, cell.1, cell.2) == (number, modem, route);
                found.iter().find(is_it).map(|cell| cell.3)
            });
            let cells = match cells {
                [Some(one), Some(two), Some(three)] => vec![one, two, three],
                _ => match before.get(&(row.to_string(), modem.name().to_owned())) {
                    Some(before) if part => before.clone(),
                    _ => continue,
                },
            };
            table.insert((row, modem.name()), cells);
        }
    }
    let (mut worse, mut better) = (Vec::new(), Vec::new());
    for ((row, modem), now) in &table {
        let earlier = before.get(&(row.to_string(), modem.to_string()));
        for (number, route) in ROUTES.into_iter().enumerate() {
            let was = earlier.and_then(|cells| cells.get(number)).copied();
            let is = now[number];
            let change = format!("{row}, {modem}, {route:?}: {was:?}, now {is:?}");
            if was.is_none_or(|was| is < was) {
                worse.push(change);
            } else if was != Some(is) {
                better.push(change);
            }
        }
    }
    if std::env::var_os("SECTAG_UPDATE").is_some() {
        fs::write(path, write(rows, &table)).unwrap();
        println!(
            "{} is written: worse {worse:#?}, better {better:#?}",
            path.display()
        );
        return;
    }
    assert!(
        worse.is_empty(),
        "worse than in {}, or not in it (SECTAG_UPDATE=1 writes it): {worse:#?}",
        path.display()
    );
    if !better.is_empty() {
        println!("better than in {}: {better:#?}", path.display());
    }
}

/// The cells of a table that was written.
fn read(text: &str) -> BTreeMap<(String, String), Vec<Found>> {
    let mut table = BTreeMap::new();
    for line in text.lines() {
        let fields: Vec<&str> = line.split('|').map(str::trim).collect();
        // Outside the outer bars there is nothing.
        let [_, row, _, cells @ .., _] = &fields[..] else {
            continue;
        };
        for (modem, cell) in MODEMS.iter().zip(cells) {
            let found: Option<Vec<Found>> = cell.split(" / ").map(Found::of).collect();
            if let Some(found) = found.filter(|found| found.len() == ROUTES.len()) {
                table.insert((row.to_string(), modem.name().to_owned()), found);
            }
        }
    }
    table
}

fn write(rows: &[(&str, String)], table: &BTreeMap<(&str, &str), Vec<Found>>) -> String {
    let mut text = HEAD.to_owned();
    let names: Vec<&str> = MODEMS.iter().map(|modem| modem.name()).collect();
    let _ = writeln!(
        text,
        "| What stands there | What is true | {} |",
        names.join(" | ")
    );
    let _ = writeln!(text, "|---|---|{}", "---|".repeat(MODEMS.len()));
    for (row, truth) in rows {
        let cells: Vec<String> = MODEMS
            .iter()
            .map(|modem| match table.get(&(row, modem.name())) {
                Some(cells) => cells
                    .iter()
                    .map(|found| found.word())
                    .collect::<Vec<_>>()
                    .join(" / "),
                None => String::new(),
            })
            .collect();
        let _ = writeln!(text, "| {row} | {truth} | {} |", cells.join(" | "));
    }
    text
}

#[test]
fn what_is_written_is_read_again() {
    let rows = [("a", "b".to_owned())];
    let cells = vec![Found::Later, Found::Alone, Found::Well];
    let table = BTreeMap::from([(("a", "BG96"), cells.clone())]);
    let read = read(&write(&rows, &table));
    assert_eq!(read[&("a".to_owned(), "BG96".to_owned())], cells);
    assert_eq!(read.len(), 1);
    assert!(Found::False < Found::No && Found::First < Found::Alone);
}
