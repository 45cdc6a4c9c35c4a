//! The files that mosquitto reads.

use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, ensure};

use super::MosquittoOptions;
use crate::pki::Pki;

pub(super) fn write_credentials(
    dir: &Path,
    pki: &Pki,
    options: &MosquittoOptions,
) -> anyhow::Result<()> {
    let server = options.server.as_ref().unwrap_or_else(|| pki.server());
    fs::write(dir.join("ca.pem"), pki.ca_pem())?;
    fs::write(dir.join("server.pem"), &server.cert_pem)?;
    fs::write(dir.join("server.key"), &server.key_pem)?;
    if !options.users.is_empty() {
        write_passwords(&dir.join("passwords"), &options.users)?;
    }
    if let Some(acl) = &options.acl {
        fs::write(dir.join("acl"), acl)?;
    }
    Ok(())
}

fn write_passwords(path: &Path, users: &[(String, String)]) -> anyhow::Result<()> {
    let mut text = String::new();
    for (name, password) in users {
        ensure!(
            !name.is_empty() && !name.contains([':', '\n']) && !password.contains('\n'),
            "unusable login {name:?}"
        );
        writeln!(text, "{name}:{password}")?;
    }
    fs::write(path, text)?;
    let hashed = Command::new("mosquitto_passwd")
        .arg("-U")
        .arg(path)
        .output()
        .context("cannot start mosquitto_passwd: install the Debian package mosquitto")?;
    ensure!(
        hashed.status.success(),
        "mosquitto_passwd: {}",
        String::from_utf8_lossy(&hashed.stderr)
    );
    Ok(())
}

pub(super) fn write(
    dir: &Path,
    options: &MosquittoOptions,
    port: u16,
    plain_port: u16,
) -> anyhow::Result<PathBuf> {
    let MosquittoOptions {
        username_from_certificate,
        users,
        ..
    } = options;
    let anonymous = users.is_empty();
    let asks = !options.without_client_certificates;
    let dir_text = dir.display();
    // As root, mosquitto would become a user who cannot read the directory.
    let mut text = format!(
        "per_listener_settings true
user root
persistence false
log_dest stderr
log_type all

listener {plain_port} 127.0.0.1
allow_anonymous true

listener {port} 127.0.0.1
cafile {dir_text}/ca.pem
certfile {dir_text}/server.pem
keyfile {dir_text}/server.key
require_certificate {asks}
use_identity_as_username {username_from_certificate}
allow_anonymous {anonymous}
"
    );
    if !anonymous {
        writeln!(text, "password_file {dir_text}/passwords")?;
    }
    if options.acl.is_some() {
        writeln!(text, "acl_file {dir_text}/acl")?;
    }
    if let Some(suites) = &options.tls12_suites {
        writeln!(text, "tls_version tlsv1.2\nciphers {suites}")?;
    }
    let path = dir.join("mosquitto.conf");
    fs::write(&path, text)?;
    Ok(path)
}
