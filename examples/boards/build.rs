//! Tells the linker which scripts a board needs. All boards have this one.

use std::env;
use std::path::PathBuf;

fn main() {
    let board = PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").expect("cargo sets it"));
    let memory = board.join("memory.x");
    // Of the STM32s the HAL knows how much there is (its feature `memory-x`).
    if memory.exists() {
        println!("cargo::rustc-link-search={}", board.display());
        println!("cargo::rerun-if-changed={}", memory.display());
    }
    println!("cargo::rerun-if-changed=../build.rs");
    println!("cargo::rustc-link-arg-bins=-Tlink.x");
    println!("cargo::rustc-link-arg-bins=-Tdefmt.x");
    if board.ends_with("rp2040") {
        println!("cargo::rustc-link-arg-bins=-Tlink-rp.x");
    }
    // rustup's toolchain links with its own rust-lld, Debian's with arm-none-eabi-gcc: see tests/boards.
    println!("cargo::rerun-if-env-changed=RUSTC_LINKER");
    if env::var("RUSTC_LINKER").is_ok_and(|linker| linker.ends_with("gcc")) {
        println!("cargo::rustc-link-arg-bins=-nostartfiles");
    } else {
        println!("cargo::rustc-link-arg-bins=--nmagic");
    }
}
