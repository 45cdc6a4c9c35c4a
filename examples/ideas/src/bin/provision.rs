//! Credentials into the modem: `ensure_set` checks a set as a whole, uploads what is not there, and where the modem
//! already has it, proves that in place of an upload. So it may be called at every start.

use std::error::Error;

use sectag::{CredentialSet, Kind};
use sectag_ideas_example::{Bench, PORT, SERVER, TLS, credentials, echo, run};
use sectag_simulator::peer;

sectag_simulator::virtual_clock!();

fn main() {
    run(echo, provision);
}

async fn provision(bench: Bench) -> Result<(), Box<dyn Error>> {
    let (control, tag) = (bench.control, TLS.tag());

    // A mistake has its own words, before a byte is sent: here the certificate is in the place of the CA.
    let swapped = CredentialSet::new().ca(peer::CLIENT_CERTIFICATE_PEM.as_bytes());
    match control.ensure_set(tag, swapped).await {
        Err(error) => println!("refused: {error}"),
        Ok(_) => return Err("a device's certificate was taken for a CA".into()),
    }

    for _ in 0..2 {
        let uploaded = control.ensure_set(tag, credentials()).await?;
        println!("{uploaded} uploaded");
    }
    let mut kinds: Vec<Kind> = Vec::new();
    control
        .list_tag(tag, &mut |stored| kinds.push(stored.kind))
        .await?;
    for kind in kinds {
        println!("{tag}: {kind}");
    }

    let socket = bench.control.connect(SERVER, PORT, &TLS).await?;
    println!("connected; checked: {}", socket.verified());
    Ok(socket.close().await?)
}
