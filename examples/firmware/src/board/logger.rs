//! The `log` crate's output, that of the libraries included, on the console.

use log::{LevelFilter, Log, Metadata, Record};

/// `SECTAG_LOG` at build time: `trace`, `debug`, or `info` if it says anything else.
const LEVEL: LevelFilter = match option_env!("SECTAG_LOG") {
    Some(level) if level.eq_ignore_ascii_case("trace") => LevelFilter::Trace,
    Some(level) if level.eq_ignore_ascii_case("debug") => LevelFilter::Debug,
    _ => LevelFilter::Info,
};

struct Console;

impl Log for Console {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn log(&self, record: &Record<'_>) {
        let now = embassy_time::Instant::now().as_millis();
        crate::println!("{now:>7} {:<5} {}", record.level(), record.args());
    }

    fn flush(&self) {}
}

pub(super) fn install() {
    // An error would mean that there is one already, which then serves as well.
    let _ = log::set_logger(&Console);
    log::set_max_level(LEVEL);
}
