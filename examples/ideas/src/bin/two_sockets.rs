//! Two connections in two tasks: `Control` is a handle that can be copied, and each task has a socket of its own. How
//! many there can be at a time is the second parameter of `State`; more than the modem has do not compile.

use std::error::Error;

use embassy_futures::join::join;
use embassy_time::{Duration, Timer};
use embedded_io_async::{Read, Write};
use sectag::Control;
use sectag_bg96::Bg96;
use sectag_ideas_example::{Bench, PORT, SERVER, TLS, credentials, echo, run};

sectag_simulator::virtual_clock!();

fn main() {
    run(echo, both);
}

async fn both(bench: Bench) -> Result<(), Box<dyn Error>> {
    bench.control.ensure_set(TLS.tag(), credentials()).await?;
    // In firmware, two tasks of the executor.
    let (fast, slow) = join(
        talk(bench.control, "fast", Duration::from_millis(100)),
        talk(bench.control, "slow", Duration::from_secs(1)),
    )
    .await;
    fast.and(slow)
}

async fn talk(
    control: Control<'_, Bg96>,
    name: &str,
    pause: Duration,
) -> Result<(), Box<dyn Error>> {
    let mut socket = control.connect(SERVER, PORT, &TLS).await?;
    for number in 1..=3 {
        Timer::after(pause).await;
        let sent = format!("{name} {number}");
        socket.write_all(sent.as_bytes()).await?;
        socket.flush().await?;
        let mut answer = vec![0; sent.len()];
        let read = socket.read_exact(&mut answer).await;
        read.map_err(|error| format!("{error:?}"))?;
        println!("{}", answer.escape_ascii());
    }
    Ok(socket.close().await?)
}
