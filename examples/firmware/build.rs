//! Linker scripts, linker arguments, and the credentials that go into the image.

use std::path::{Path, PathBuf};
use std::{env, fs};

fn main() {
    let out = PathBuf::from(env::var_os("OUT_DIR").expect("cargo sets OUT_DIR"));
    linker(&out);
    credentials(&out);
}

fn linker(out: &Path) {
    println!("cargo::rerun-if-changed=memory.x");
    fs::copy("memory.x", out.join("memory.x")).expect("memory.x is copied");
    // cortex-m-rt's `device` feature asks for it. It would give interrupt handlers their
    // default names; ours are referred to by the vector table itself (board/vectors.rs).
    fs::write(out.join("device.x"), "").expect("device.x is written");
    println!("cargo::rustc-link-search={}", out.display());
    println!("cargo::rustc-link-arg-bins=-Tlink.x");
    println!("cargo::rerun-if-env-changed=RUSTC_LINKER");
    if env::var("RUSTC_LINKER").is_ok_and(|linker| linker.ends_with("gcc")) {
        println!("cargo::rustc-link-arg-bins=-nostartfiles");
    }
}

/// Writes `credentials.rs`: three statics, or one `compile_error!` that says what is missing.
///
/// It is an error of the binary that includes the file, not of this script, so that every
/// other binary builds without credentials.
fn credentials(out: &Path) {
    println!("cargo::rerun-if-env-changed=SECTAG_CREDENTIALS");
    let home = PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").expect("cargo sets it"));
    let given = env::var_os("SECTAG_CREDENTIALS").filter(|dir| !dir.is_empty());
    let directory = match &given {
        Some(dir) => home.join(dir),
        None => home.join("credentials"),
    };
    println!("cargo::rerun-if-changed={}", directory.display());

    const FILES: [(&str, &str, &str); 3] = [
        (
            "CA",
            "ca.pem",
            "The CA that signed the broker's certificate, PEM.",
        ),
        (
            "CERTIFICATE",
            "client.pem",
            "This device's certificate, PEM.",
        ),
        (
            "PRIVATE_KEY",
            "client.key",
            "The key of this device's certificate, PEM.",
        ),
    ];
    let mut source = String::new();
    let mut missing = Vec::new();
    for (name, file, doc) in FILES {
        let path = directory.join(file);
        let value = if path.is_file() {
            println!("cargo::rerun-if-changed={}", path.display());
            format!("include_bytes!({:?})", path.display().to_string())
        } else {
            missing.push(file);
            "&[]".into()
        };
        source += &format!("#[doc = {doc:?}]\npub static {name}: &[u8] = {value};\n");
    }
    if !missing.is_empty() {
        let message = format!(
            "no credentials: {} not found in {}\n\
             make a set for tests: cargo run -p sectag-test-support --bin throwaway-pki -- DIR\n\
             then build with SECTAG_CREDENTIALS=DIR (absolute, or relative to examples/firmware)",
            missing.join(", "),
            directory.display(),
        );
        source += &format!("compile_error!({message:?});\n");
    }
    fs::write(out.join("credentials.rs"), source).expect("credentials.rs is written");
}
