//! What driver and simulator say, on the standard error, when `SECTAG_TRACE` is set: to see what a failing
//! case does.

use embassy_time::Instant;
use log::{LevelFilter, Log, Metadata, Record};

struct Console;

impl Log for Console {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn log(&self, record: &Record<'_>) {
        let now = Instant::now().as_micros();
        eprintln!("{:>12} {}: {}", now, record.target(), record.args());
    }

    fn flush(&self) {}
}

/// Switches it on when it was asked for, and unless a test has a logger of its own.
pub fn when_asked() {
    if std::env::var_os("SECTAG_TRACE").is_some() && log::set_logger(&Console).is_ok() {
        log::set_max_level(LevelFilter::Trace);
    }
}
