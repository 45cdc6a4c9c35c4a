//! One command after another, each with its answer.

use embassy_time::{Duration, Instant, Timer, with_deadline};
use embedded_io_async::{Read, Write};
use sectag::{AtError, Code};

/// The time that modules want between an answer and the next command (u-connectXpress and cellular: 20 ms; 100 ms is what the
/// log of sheet E.1 keeps).
const GAP: Duration = Duration::from_millis(50);
/// The longest line that is understood; a longer one is cut.
const LINE: usize = 160;

/// A UART whose other end speaks AT.
///
/// Dropping a future of it in the middle leaves the module with half a command or an answer under way: begin anew then.
pub struct Dialogue<R, W> {
    rx: R,
    tx: W,
    piece: [u8; 64],
    /// What of the piece was not looked at.
    at: usize,
    end: usize,
    line: [u8; LINE],
}

/// What a line says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Said {
    Ok,
    Failed(Code),
    Connect,
    NoCarrier,
    /// Information, or something unasked.
    Text,
}

impl<R: Read, W: Write> Dialogue<R, W> {
    /// Nothing is sent yet.
    pub const fn new(rx: R, tx: W) -> Self {
        Self {
            rx,
            tx,
            piece: [0; 64],
            at: 0,
            end: 0,
            line: [0; LINE],
        }
    }

    /// What came behind the last line that was looked at: after a dial, the beginning of PPP.
    pub fn behind(&self) -> &[u8] {
        &self.piece[self.at..self.end]
    }

    /// Sends a command, and hands each line of its answer to `each` until the final one.
    pub(super) async fn command(
        &mut self,
        parts: &[&str],
        limit: Duration,
        mut each: impl FnMut(&str),
    ) -> Result<Said, AtError> {
        Timer::after(GAP).await;
        let deadline = Instant::now() + limit;
        for part in parts.iter().chain(&["\r"]) {
            let written = self.tx.write_all(part.as_bytes());
            with_deadline(deadline, written)
                .await
                .map_err(|_| AtError::Timeout)?
                .map_err(|_| AtError::LinkDown)?;
        }
        with_deadline(deadline, self.tx.flush())
            .await
            .map_err(|_| AtError::Timeout)?
            .map_err(|_| AtError::LinkDown)?;
        loop {
            match self.next(deadline).await? {
                (Said::Text, text) => each(text),
                (Said::Failed(code), _) => return Err(AtError::Refused(code)),
                (said, _) => return Ok(said),
            }
        }
    }

    /// A command whose answer is `OK`.
    pub(super) async fn ask(&mut self, parts: &[&str], limit: Duration) -> Result<(), AtError> {
        match self.command(parts, limit, |_| {}).await? {
            Said::Ok => Ok(()),
            _ => Err(AtError::Garbled),
        }
    }

    /// The next line that is not empty, and what it says.
    pub(super) async fn next(&mut self, deadline: Instant) -> Result<(Said, &str), AtError> {
        let mut len = 0;
        loop {
            if self.at == self.end {
                let read = self.rx.read(&mut self.piece);
                let count = with_deadline(deadline, read)
                    .await
                    .map_err(|_| AtError::Timeout)?
                    .map_err(|_| AtError::LinkDown)?;
                if count == 0 {
                    return Err(AtError::LinkDown);
                }
                (self.at, self.end) = (0, count);
            }
            let byte = self.piece[self.at];
            self.at += 1;
            match byte {
                b'\n' | b'\r' if len == 0 => {}
                b'\n' => break,
                b'\r' => {}
                _ if len < LINE => {
                    self.line[len] = byte;
                    len += 1;
                }
                _ => {}
            }
        }
        let text = core::str::from_utf8(&self.line[..len]).unwrap_or_default();
        Ok((said(text), text))
    }

    /// Drops what comes until the line is quiet for `quiet`, or a frame begins; `limit` is the most it may take.
    pub(super) async fn settle(&mut self, quiet: Duration, limit: Duration) -> Result<(), AtError> {
        let deadline = Instant::now() + limit;
        loop {
            while self.at < self.end {
                if self.piece[self.at] == 0x7E {
                    return Ok(());
                }
                self.at += 1;
            }
            let until = (Instant::now() + quiet).min(deadline);
            match with_deadline(until, self.rx.read(&mut self.piece)).await {
                Err(_) => return Ok(()),
                Ok(Err(_) | Ok(0)) => return Err(AtError::LinkDown),
                Ok(Ok(count)) => (self.at, self.end) = (0, count),
            }
        }
    }

    /// Finds out whether anything answers, and makes it stop repeating what it is sent.
    pub(super) async fn wake(&mut self) -> Result<(), AtError> {
        let mut last = Err(AtError::Timeout);
        for _ in 0..5 {
            last = self.ask(&["AT"], Duration::from_secs(1)).await;
            if last.is_ok() {
                break;
            }
        }
        last?;
        self.ask(&["ATE0"], Duration::from_secs(1)).await
    }
}

fn said(text: &str) -> Said {
    match text {
        "OK" => Said::Ok,
        "ERROR" => Said::Failed(Code::Plain),
        "NO CARRIER" | "BUSY" | "NO ANSWER" | "NO DIALTONE" => Said::NoCarrier,
        "CONNECT" => Said::Connect,
        // SARA-R4 tells a speed that means nothing (sheet B.3).
        _ if text.starts_with("CONNECT ") => Said::Connect,
        _ => match text.strip_prefix("+CME ERROR:") {
            Some(number) => Said::Failed(number.trim().parse().map_or(Code::Plain, Code::Cme)),
            None => Said::Text,
        },
    }
}
