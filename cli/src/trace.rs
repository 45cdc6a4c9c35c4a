//! What is logged, on standard error.

use std::io::Write;
use std::time::Instant;

/// What a simulated modem makes of the world, such as why it refused a server: it has no other way to say it.
#[cfg(feature = "demo")]
pub(crate) fn tell_of_simulated_modem() {
    // With the AT trace it is told already.
    let _ = env_logger::Builder::new()
        .filter(Some("sectag_simulator"), log::LevelFilter::Info)
        .format(|out, record| writeln!(out, "{}", record.args()))
        .try_init();
}

/// The AT trace. Secrets and payload are masked where it is made, in the core.
pub(crate) fn trace_to_stderr(verbose: bool) {
    if !verbose {
        return;
    }
    let begin = Instant::now();
    // The command that `record` runs may ask for what is there already.
    let _ = env_logger::Builder::new()
        .filter(Some("sectag"), log::LevelFilter::Trace)
        .format(move |out, record| {
            writeln!(
                out,
                "[{:9.3}] {}",
                begin.elapsed().as_secs_f64(),
                record.args()
            )
        })
        .try_init();
}
