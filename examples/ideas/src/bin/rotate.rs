//! A new set of credentials that proves itself before the old one goes. At any moment one of the two tags has a whole
//! set that works, also when the power fails in between.

use std::cell::Cell;
use std::error::Error;

use sectag::{ConnectError, Tag, TlsConfig};
use sectag_ideas_example::{Bench, PORT, SERVER, TLS, credentials, echo, run};

sectag_simulator::virtual_clock!();

/// The tag of today's set. A device keeps this in its flash, and reads it at each start.
struct Flash(Cell<Tag>);

fn main() {
    run(echo, rotate);
}

fn tls(tag: Tag) -> TlsConfig {
    TlsConfig::new(tag)
        .client_certificate()
        .ca_scope(sectag::CaScope::Private)
}

async fn rotate(bench: Bench) -> Result<(), Box<dyn Error>> {
    let flash = Flash(Cell::new(TLS.tag()));
    bench.control.ensure_set(TLS.tag(), credentials()).await?;

    let new = Tag(8);
    // Connects with the new set, and only then writes down that it is the one to use.
    let probe = async || {
        let socket = bench.control.connect(SERVER, PORT, &tls(new)).await?;
        flash.0.set(new);
        let _ = socket.close().await;
        Ok::<_, ConnectError>(())
    };
    // In a product the new set has just been downloaded; here it has the content of the old one.
    let rotated = bench.control.rotate(TLS.tag(), new, credentials(), probe);
    rotated.await.map_err(|error| format!("{error:?}"))?;
    println!("{} is in use", flash.0.get());

    let old = bench.control.connect(SERVER, PORT, &tls(TLS.tag())).await;
    match old {
        Err(error) => println!("with {}: {error}", TLS.tag()),
        Ok(_) => return Err("the old set is still there".into()),
    }
    Ok(())
}
