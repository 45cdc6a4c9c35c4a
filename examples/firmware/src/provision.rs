//! Storing this device's credentials in the modem, from the image itself.

use sectag::{Control, CredentialStore, Kind, Tag};
use sectag_bg96::Bg96;
use sectag_firmware::println;

/// `CA`, `CERTIFICATE` and `PRIVATE_KEY`, or an error that says how to make them; by build.rs.
mod credentials {
    include!(concat!(env!("OUT_DIR"), "/credentials.rs"));
}

/// Stores all three under `tag`, whatever is there.
pub(crate) async fn run(control: Control<'static, Bg96>, tag: Tag) -> Result<(), &'static str> {
    control.wait_up().await.map_err(|reason| {
        println!("{reason}");
        "the modem does not come up"
    })?;
    for (kind, pem) in [
        (Kind::Ca, credentials::CA),
        (Kind::ClientCertificate, credentials::CERTIFICATE),
        (Kind::PrivateKey, credentials::PRIVATE_KEY),
    ] {
        control.store(tag, kind, pem).await.map_err(|reason| {
            println!("{kind}: {reason}");
            "a credential was not stored"
        })?;
    }
    Ok(())
}
