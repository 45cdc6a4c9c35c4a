//! The table: how it is written, read and compared.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};

use super::rows::Row;
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

/// The table in the tree, `docs/servers.md`.
pub(super) struct Table<'a> {
    path: PathBuf,
    rows: &'a [Row],
    cells: Cells,
}

/// By row and modem: what became of the true cause by each route.
type Cells = BTreeMap<(String, &'static str), [Found; 3]>;

impl<'a> Table<'a> {
    /// Reads it. What it does not have yet is worse than anything.
    pub(super) fn of(rows: &'a [Row]) -> Self {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/servers.md");
        let cells = read(&fs::read_to_string(&path).unwrap_or_default());
        Self { path, rows, cells }
    }

    /// Takes what was found in place of what is written, where the environment asks for it; compares it otherwise.
    ///
    /// # Panics
    /// As [`compare`](Self::compare).
    pub(super) fn settle(mut self, found: &[Cell]) {
        if std::env::var_os("SECTAG_UPDATE").is_none() {
            return self.compare(found);
        }
        self.promises(found);
        let (worse, better) = self.changes(found);
        self.take(found, |_, now| now);
        self.write();
        println!("worse: {worse:#?}, better: {better:#?}");
    }

    /// Takes what was found where it is worse than what is written, and the environment asks for it; compares it otherwise.
    ///
    /// # Panics
    /// As [`compare`](Self::compare).
    pub(super) fn lower(mut self, found: &[Cell]) {
        if std::env::var_os("SECTAG_UPDATE").is_none() {
            return self.compare(found);
        }
        self.promises(found);
        let (worse, _) = self.changes(found);
        self.take(found, |was, now| was.map_or(now, |was| was.min(now)));
        self.write();
        println!("worse: {worse:#?}");
    }

    /// # Panics
    /// When a cell is worse than what is written, or a promise of the table's is broken.
    pub(super) fn compare(&self, found: &[Cell]) {
        self.promises(found);
        let (worse, better) = self.changes(found);
        assert!(
            worse.is_empty(),
            "worse than in {}, or not in it (`tests/servers --update` writes it): {worse:#?}",
            self.path.display()
        );
        if !better.is_empty() {
            println!("better than in {}: {better:#?}", self.path.display());
        }
    }

    /// What holds of each cell, whatever is written: a false cause never stands alone, and a look from this computer finds the true one, alone
    /// or before others.
    fn promises(&self, found: &[Cell]) {
        let broken: Vec<String> = found
            .iter()
            .filter(|(_, _, route, found)| !is_promised(*route, *found))
            .map(|(row, modem, route, found)| {
                format!(
                    "{}, {}, {route:?}: {found:?}",
                    self.rows[*row].name,
                    modem.name()
                )
            })
            .collect();
        assert!(broken.is_empty(), "promises that are broken: {broken:#?}");
    }

    /// The cells that are worse than what is written, and those that are better, in words.
    fn changes(&self, found: &[Cell]) -> (Vec<String>, Vec<String>) {
        let (mut worse, mut better) = (Vec::new(), Vec::new());
        for (row, modem, route, now) in found {
            let row = self.rows[*row].name;
            let was = self.cells.get(&(row.to_owned(), modem.name()));
            let was = was.map(|cells| cells[*route as usize]);
            let change = format!("{row}, {}, {route:?}: {was:?}, now {now:?}", modem.name());
            if was.is_none_or(|was| *now < was) {
                worse.push(change);
            } else if was != Some(*now) {
                better.push(change);
            }
        }
        worse.sort();
        better.sort();
        (worse, better)
    }

    fn take(&mut self, found: &[Cell], taken: impl Fn(Option<Found>, Found) -> Found) {
        for (row, modem, route, now) in found {
            let key = (self.rows[*row].name.to_owned(), modem.name());
            let was = self.cells.get(&key).map(|cells| cells[*route as usize]);
            let cells = self.cells.entry(key).or_insert([*now; 3]);
            cells[*route as usize] = taken(was, *now);
        }
    }

    fn write(&self) {
        let rows = self.rows.iter();
        let heads = rows.map(|row| [row.name.into(), row.peer.program(), row.truth_in_words()]);
        let text = write(&heads.collect::<Vec<_>>(), &self.cells);
        fs::write(&self.path, text).unwrap();
        println!("{} is written", self.path.display());
    }
}

/// Whether a cell may have this in it.
fn is_promised(route: Route, found: Found) -> bool {
    match found {
        Found::Fails | Found::False => false,
        // A doctor does not publish.
        Found::Unseen => route == Route::Doctor,
        Found::No | Found::Later => route == Route::Publish,
        Found::First | Found::Alone | Found::Well => true,
    }
}

/// The cells of a table that was written.
fn read(text: &str) -> Cells {
    let mut table = Cells::new();
    for line in text.lines() {
        let fields: Vec<&str> = line.split('|').map(str::trim).collect();
        // Outside the outer bars there is nothing.
        let [_, row, _, _, cells @ .., _] = &fields[..] else {
            continue;
        };
        for (modem, cell) in MODEMS.iter().zip(cells) {
            let found: Option<Vec<Found>> = cell.split(" / ").map(Found::of).collect();
            if let Some(Ok(found)) = found.map(TryInto::try_into) {
                table.insert((row.to_string(), modem.name()), found);
            }
        }
    }
    table
}

/// The table of rows by their name, their program and what is true of them.
fn write(rows: &[[String; 3]], table: &Cells) -> String {
    let mut text = HEAD.to_owned();
    let names: Vec<&str> = MODEMS.iter().map(|modem| modem.name()).collect();
    let _ = writeln!(
        text,
        "| What stands there | As a program | What is true | {} |",
        names.join(" | ")
    );
    let _ = writeln!(text, "|---|---|---|{}", "---|".repeat(MODEMS.len()));
    for [row, program, truth] in rows {
        let cells: Vec<String> = MODEMS
            .iter()
            .map(|modem| match table.get(&(row.clone(), modem.name())) {
                Some(cells) => cells.map(Found::word).join(" / "),
                None => String::new(),
            })
            .collect();
        let cells = cells.join(" | ");
        let _ = writeln!(text, "| {row} | {program} | {truth} | {cells} |");
    }
    text
}

#[test]
fn what_is_written_is_read_again() {
    let rows = [["a".to_owned(), "ours".to_owned(), "b".to_owned()]];
    let cells = [Found::Later, Found::Alone, Found::Well];
    let table = Cells::from([(("a".to_owned(), "BG96"), cells)]);
    let read = read(&write(&rows, &table));
    assert_eq!(read[&("a".to_owned(), "BG96")], cells);
    assert_eq!(read.len(), 1);
    assert!(Found::False < Found::No && Found::First < Found::Alone);
}

#[test]
fn a_false_cause_alone_is_in_no_cell() {
    for route in ROUTES {
        assert!(!is_promised(route, Found::False) && is_promised(route, Found::First));
    }
    assert!(is_promised(Route::Publish, Found::Later));
    assert!(!is_promised(Route::Probe, Found::Later) && !is_promised(Route::Doctor, Found::No));
    assert!(is_promised(Route::Doctor, Found::Unseen) && !is_promised(Route::Probe, Found::Unseen));
}
