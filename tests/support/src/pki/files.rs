use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::Path;

use super::Pki;

impl Pki {
    /// Writes ca.pem, server.pem, server.key, client.pem and client.key; the keys are for the owner's eyes only.
    ///
    /// # Errors
    /// What the file system answers, with the name of the file.
    pub fn write_to(&self, dir: impl AsRef<Path>) -> io::Result<()> {
        let dir = dir.as_ref();
        fs::create_dir_all(dir).map_err(|error| named(dir, &error))?;
        fs::write(dir.join("ca.pem"), self.ca_pem())
            .map_err(|error| named(&dir.join("ca.pem"), &error))?;
        for (name, identity) in [("server", self.server()), ("client", self.client())] {
            let cert = dir.join(name).with_extension("pem");
            fs::write(&cert, &identity.cert_pem).map_err(|error| named(&cert, &error))?;
            let key = dir.join(name).with_extension("key");
            write_secret(&key, &identity.key_pem).map_err(|error| named(&key, &error))?;
        }
        Ok(())
    }
}

fn named(path: &Path, error: &io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("{}: {error}", path.display()))
}

/// An old file goes first: it would keep its own mode.
fn write_secret(path: &Path, text: &str) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => create_secret(path)?.write_all(text.as_bytes()),
    }
}

fn create_secret(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}
