//! What is logged, on standard error.

use std::io::Write;
use std::sync::OnceLock;
use std::time::Instant;

use log::{LevelFilter, Log, Metadata, Record};

/// What a simulated modem makes of the world, such as why it refused a server: it has no other way to say it.
#[cfg(feature = "demo")]
pub(crate) fn tell_of_simulated_modem() {
    // With the AT trace it is told already.
    install(Logger {
        crates: "sectag_simulator",
        level: LevelFilter::Info,
        begin: None,
    });
}

/// The AT trace. Secrets and payload are masked where it is made, in the core.
pub(crate) fn trace_to_stderr(verbose: bool) {
    if !verbose {
        return;
    }
    // The command that `record` runs may ask for what is there already.
    install(Logger {
        crates: "sectag",
        level: LevelFilter::Trace,
        begin: Some(Instant::now()),
    });
}

/// Writes the records of some crates as lines.
struct Logger {
    /// How the names of the crates begin.
    crates: &'static str,
    level: LevelFilter,
    /// Lines begin with the seconds since then.
    begin: Option<Instant>,
}

/// The first one of a process stays.
fn install(logger: Logger) {
    static LOGGER: OnceLock<Logger> = OnceLock::new();
    let level = logger.level;
    if LOGGER.set(logger).is_ok()
        && let Some(logger) = LOGGER.get()
        && log::set_logger(logger).is_ok()
    {
        log::set_max_level(level);
    }
}

impl Logger {
    fn line(&self, record: &Record<'_>) -> String {
        match self.begin {
            Some(begin) => format!(
                "[{:9.3}] {}\n",
                begin.elapsed().as_secs_f64(),
                record.args()
            ),
            None => format!("{}\n", record.args()),
        }
    }
}

impl Log for Logger {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.level() <= self.level && metadata.target().starts_with(self.crates)
    }

    fn log(&self, record: &Record<'_>) {
        if self.enabled(record.metadata()) {
            // In one piece, so that lines of several threads do not mix. Nobody can be told that standard error is closed.
            let _ = std::io::stderr().write_all(self.line(record).as_bytes());
        }
    }

    fn flush(&self) {}
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_crates_that_were_asked_for_are_told_of() {
        let logger = |crates, level, begin| Logger {
            crates,
            level,
            begin,
        };
        let trace = logger("sectag", LevelFilter::Trace, Some(Instant::now()));
        let simulator = logger("sectag_simulator", LevelFilter::Info, None);
        let told = |logger: &Logger, target, level| {
            let metadata = Metadata::builder().target(target).level(level).build();
            logger.enabled(&metadata)
        };
        assert!(told(&trace, "sectag_bg96::files", log::Level::Trace));
        assert!(!told(&trace, "mio::poll", log::Level::Error));
        assert!(told(&simulator, "sectag_simulator::tls", log::Level::Info));
        assert!(!told(
            &simulator,
            "sectag_simulator::tls",
            log::Level::Debug
        ));
        assert!(!told(&simulator, "sectag::trace", log::Level::Error));
        let line =
            |logger: &Logger| logger.line(&Record::builder().args(format_args!("x")).build());
        assert!(line(&trace).starts_with("[    0.0") && line(&trace).ends_with("] x\n"));
        assert_eq!(line(&simulator), "x\n");
    }
}
