//! What the user sees: results on standard output, progress and warnings on standard error.

use std::cell::RefCell;
use std::io::{self, IsTerminal, Write};
use std::rc::Rc;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};
use sectag::tap::Tap;

use crate::hints::Failure;
use crate::json::Object;
use crate::style::{Stream, escaped, shown};

#[derive(Clone)]
pub(crate) struct Report {
    json: bool,
    /// Bars are drawn: on a terminal that nothing else scrolls.
    bars: bool,
    /// Nothing but results is told.
    quiet: bool,
    tap: Option<&'static dyn Tap>,
    /// What was begun last.
    under_way: Rc<RefCell<String>>,
    /// Its bar, above which lines are written.
    bar: Rc<RefCell<ProgressBar>>,
    /// What was told, in place of the telling.
    #[cfg(test)]
    told: Option<Rc<RefCell<String>>>,
}

impl Report {
    pub(crate) fn new(json: bool, verbose: bool) -> Self {
        Self {
            json,
            bars: !verbose && std::io::stderr().is_terminal(),
            quiet: false,
            tap: None,
            under_way: Rc::default(),
            bar: Rc::new(RefCell::new(ProgressBar::hidden())),
            #[cfg(test)]
            told: None,
        }
    }

    /// For people, of whom none is there: what is told is kept.
    #[cfg(test)]
    pub(crate) fn kept() -> Self {
        Self {
            told: Some(Rc::default()),
            ..Self::new(false, false)
        }
    }

    /// What was told so far, results and all.
    #[cfg(test)]
    pub(crate) fn told(&self) -> String {
        self.told
            .as_ref()
            .map_or_else(String::new, |told| told.borrow().clone())
    }

    /// Keeps a line in place of telling it, where that is wanted.
    #[cfg(test)]
    fn keeps(&self, line: &str) -> bool {
        if let Some(told) = &self.told {
            *told.borrow_mut() += &format!("{line}\n");
        }
        self.told.is_some()
    }

    /// Returns this report for work at a modem whose UART is traced by `tap`.
    pub(crate) fn tapped(&self, json: bool, tap: &'static dyn Tap) -> Self {
        Self {
            json: self.json || json,
            bars: self.bars,
            quiet: self.quiet,
            tap: Some(tap),
            under_way: Rc::clone(&self.under_way),
            bar: Rc::clone(&self.bar),
            #[cfg(test)]
            told: self.told.clone(),
        }
    }

    /// What was begun last, in words such as "publishing"; empty when nothing was.
    pub(crate) fn under_way(&self) -> String {
        self.under_way.borrow().clone()
    }

    /// Returns this report for one modem of many, whose progress is shown for all of them together.
    pub(crate) fn quiet(&self) -> Self {
        Self {
            bars: false,
            quiet: true,
            under_way: Rc::default(),
            ..self.clone()
        }
    }

    /// Who watches the modem's port.
    pub(crate) fn tap(&self) -> Option<&'static dyn Tap> {
        self.tap
    }

    pub(crate) fn json(&self) -> bool {
        self.json
    }

    /// A result: `text` for people, or what `object` makes for programs.
    pub(crate) fn result(
        &self,
        text: &str,
        object: impl FnOnce(Object) -> Object,
    ) -> Result<(), Failure> {
        self.row(text, None, object)
    }

    /// As [`result`](Self::result), of a table: on a terminal, what does not fit goes on in this column.
    pub(crate) fn row(
        &self,
        text: &str,
        column: Option<usize>,
        object: impl FnOnce(Object) -> Object,
    ) -> Result<(), Failure> {
        if self.json {
            self.output(object(Object::new()).finish().as_bytes())
        } else {
            self.print(shown(text, column, Stream::Out).as_bytes())
        }
    }

    /// One line of standard output, byte for byte where that is no terminal. A reader that went away is a failure, not
    /// a panic.
    pub(crate) fn output(&self, line: &[u8]) -> Result<(), Failure> {
        if io::stdout().is_terminal() {
            return self.print(escaped(&String::from_utf8_lossy(line)).as_bytes());
        }
        self.print(line)
    }

    fn print(&self, line: &[u8]) -> Result<(), Failure> {
        #[cfg(test)]
        if self.keeps(&String::from_utf8_lossy(line)) {
            return Ok(());
        }
        let write = || {
            let mut out = std::io::stdout().lock();
            out.write_all(line)?;
            out.write_all(b"\n")?;
            out.flush()
        };
        self.bar
            .borrow()
            .suspend(write)
            .map_err(|error| output_failed(&error))
    }

    /// A line of progress.
    pub(crate) fn note(&self, text: &str) {
        if self.quiet {
            return;
        }
        #[cfg(test)]
        if self.keeps(text) {
            return;
        }
        let text = shown(text, None, Stream::Err);
        // Nobody can be told that standard error is closed.
        let _ = self
            .bar
            .borrow()
            .suspend(|| writeln!(std::io::stderr(), "{text}"));
    }

    pub(crate) fn warn(&self, text: &str) {
        self.note(&format!("warning: {text}"));
    }

    /// Work whose length is not known.
    pub(crate) fn spin(&self, doing: impl Into<String>) -> Step {
        let doing = doing.into();
        self.under_way.replace(doing.clone());
        log::debug!("{doing}");
        let bar = if self.bars {
            let style = ProgressStyle::with_template("{spinner} {msg} ({elapsed})");
            ProgressBar::new_spinner()
                .with_style(style.unwrap_or_else(|_| ProgressStyle::default_spinner()))
        } else {
            ProgressBar::hidden()
        };
        bar.set_message(doing);
        bar.enable_steady_tick(Duration::from_millis(100));
        self.bar.replace(bar.clone());
        Step::new(bar)
    }

    /// Work of `total` bytes.
    pub(crate) fn bytes(&self, doing: impl Into<String>, total: usize) -> Step {
        let doing = doing.into();
        self.under_way.replace(doing.clone());
        log::debug!("{doing}");
        let bar = if self.bars {
            let style =
                ProgressStyle::with_template("{msg} {bar:30} {bytes}/{total_bytes} ({elapsed})");
            ProgressBar::new(total as u64)
                .with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
        } else {
            ProgressBar::hidden()
        };
        bar.set_message(doing);
        self.bar.replace(bar.clone());
        Step::new(bar)
    }
}

/// What a reader that went away, or a full disk, is to a command.
pub(crate) fn output_failed(error: &io::Error) -> Failure {
    if error.kind() == io::ErrorKind::BrokenPipe {
        return Failure::broken_pipe();
    }
    Failure::new(format!("writing to standard output: {error}"))
}

/// Work under way. Its bar disappears with it; nothing claims success but [`done`](Self::done).
pub(crate) struct Step {
    bar: ProgressBar,
    begin: Instant,
}

impl Step {
    fn new(bar: ProgressBar) -> Self {
        Self {
            bar,
            begin: Instant::now(),
        }
    }

    /// So many bytes are done.
    pub(crate) fn reached(&self, bytes: usize) {
        self.bar.set_position(bytes as u64);
    }

    pub(crate) fn elapsed(&self) -> Duration {
        self.begin.elapsed()
    }

    /// Clears the bar and notes what was done, with the time it took.
    pub(crate) fn done(self, report: &Report, what: &str) {
        let seconds = self.elapsed().as_secs_f64();
        drop(self);
        report.note(&format!("{what} ({seconds:.1} s)"));
    }
}

impl Drop for Step {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}
