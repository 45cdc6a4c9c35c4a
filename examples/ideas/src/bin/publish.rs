//! An MQTT client over a socket: minimq publishes with QoS 1 and waits for the acknowledgement. The client knows nothing
//! of modems; it is given a socket that reads and writes.

use std::error::Error;

use embassy_time::{Duration, with_timeout};
use minimq::{Buffers, ConfigBuilder, Publication, QoS, Session};
use sectag_ideas_example::{Bench, PORT, SERVER, TLS, broker, credentials, run};

sectag_simulator::virtual_clock!();

fn main() {
    run(broker::serve, publish);
}

async fn publish(bench: Bench) -> Result<(), Box<dyn Error>> {
    bench.control.ensure_set(TLS.tag(), credentials()).await?;

    let (mut received, mut sent) = ([0; 256], [0; 512]);
    let config = ConfigBuilder::new(Buffers::new(&mut received, &mut sent)).client_id("example");
    let mut session = Session::new(config.map_err(|error| format!("{error:?}"))?);

    let socket = bench.control.connect(SERVER, PORT, &TLS).await?;
    // minimq waits for the CONNACK without a limit of its own.
    let login = with_timeout(Duration::from_secs(30), session.connect(socket)).await;
    let mut mqtt = login
        .map_err(|_| "the broker does not answer")?
        .map_err(|error| format!("{error:?}"))?;

    let message = Publication::bytes("sensors/1", b"21.5").qos(QoS::AtLeastOnce);
    let published = mqtt.publish(message).await;
    let published = published.map_err(|error| format!("{error:?}"))?;
    while published.as_ref().is_some_and(|one| mqtt.is_pending(one)) {
        mqtt.poll().await.map_err(|error| format!("{error:?}"))?;
    }
    println!("acknowledged");
    mqtt.disconnect()
        .await
        .map_err(|error| format!("{error:?}"))?;
    Ok(())
}
