//! A token in place of a password: signed by the device's key, with the time of the modem's clock. The broker ends a session
//! when its token expires, so the device logs in with another one before that.

use std::error::Error;

use embassy_time::{Duration, Instant, Timer, with_timeout};
use minimq::{Buffers, ConfigBuilder, Publication, QoS, Session};
use sectag::jwt::{self, Claims};
use sectag::signer::P256Key;
use sectag_ideas_example::{Bench, PORT, SERVER, TLS, broker, credentials, run};

sectag_simulator::virtual_clock!();

/// How long before its end a token is replaced.
const MARGIN: Duration = Duration::from_secs(60);
const PERIOD: Duration = Duration::from_secs(400);

fn main() {
    run(broker::serve_for_tokens, measure);
}

async fn measure(bench: Bench) -> Result<(), Box<dyn Error>> {
    bench.control.ensure_set(TLS.tag(), credentials()).await?;
    // A product reads its own from protected memory, or signs by a secure element.
    let mut key = P256Key::from_scalar(&[7; 32]).map_err(|error| format!("{error}"))?;
    let claims = Claims::new(broker::AUDIENCE).lifetime(1800);
    // Without an end, in a product.
    for _ in 0..3 {
        session(&bench, &mut key, &claims).await?;
    }
    Ok(())
}

/// One session, from the making of its token to the time for the next.
async fn session(
    bench: &Bench,
    key: &mut P256Key,
    claims: &Claims<'_>,
) -> Result<(), Box<dyn Error>> {
    let mut room = [0; 512];
    let token = jwt::issue(&bench.control, key, claims, &mut room).await;
    let token = token.map_err(|error| format!("{error}"))?;
    let renew_at = Instant::now() + token.renew_after(MARGIN);

    let (mut received, mut sent) = ([0; 256], [0; 512]);
    let config = ConfigBuilder::new(Buffers::new(&mut received, &mut sent)).client_id("example");
    let config = config.map_err(|error| format!("{error:?}"))?;
    // Brokers that take tokens ignore the name, or say which one they want.
    let config = config.auth("unused", token.expose().as_bytes());
    let mut session = Session::new(config.map_err(|error| format!("{error:?}"))?);
    let socket = bench.control.connect(SERVER, PORT, &TLS).await?;
    let login = with_timeout(Duration::from_secs(30), session.connect(socket)).await;
    let mut mqtt = login
        .map_err(|_| "the broker does not answer")?
        .map_err(|error| format!("{error:?}"))?;

    while Instant::now() < renew_at {
        let message = Publication::bytes("sensors/1", b"21.5").qos(QoS::AtLeastOnce);
        let published = mqtt.publish(message).await;
        let published = published.map_err(|error| format!("{error:?}"))?;
        while published.as_ref().is_some_and(|one| mqtt.is_pending(one)) {
            mqtt.poll().await.map_err(|error| format!("{error:?}"))?;
        }
        Timer::at(renew_at.min(Instant::now() + PERIOD)).await;
    }
    mqtt.disconnect()
        .await
        .map_err(|error| format!("{error:?}"))?;
    println!("time for another token");
    Ok(())
}
