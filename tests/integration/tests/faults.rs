//! The fault matrix, see `src/faults.rs`. By default every so many cells, all of them when
//! `SECTAG_EXHAUSTIVE` is set; `SECTAG_FAULT=Connect/Host/Flip@17` replays one.

use sectag_integration_tests::faults::{Phase, bg96, matrix};

#[test]
fn bring_up() {
    matrix(&bg96(), Phase::BringUp);
}

#[test]
fn store() {
    matrix(&bg96(), Phase::Store);
}

#[test]
fn connect() {
    matrix(&bg96(), Phase::Connect);
}

#[test]
fn send() {
    matrix(&bg96(), Phase::Send);
}

#[test]
fn receive() {
    matrix(&bg96(), Phase::Receive);
}

#[test]
fn close() {
    matrix(&bg96(), Phase::Close);
}

#[test]
fn two() {
    matrix(&bg96(), Phase::Two);
}
