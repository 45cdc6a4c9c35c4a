//! A dialogue with a module: one command after the other, each with its answer.

use embassy_time::{Duration, Instant, Timer, with_deadline, with_timeout};
use embedded_io_async::{Read, Write};
use heapless::String;
use sectag::{AtError, BringUpError, Code, Status};

use super::failure::at;
use super::status::{self, Ask};

/// The pause between an answer and the next command: most modules need 20 ms, SARA-R4 100 ms (sheet
/// B.3). The log of sheet E.1 keeps that, too.
const GAP: Duration = Duration::from_millis(110);
/// A Terminate-Request for a link of an earlier life of this MCU, in the form of the vendor's library
/// (sheet B.3).
const TERMINATE: &[u8] =
    b"\x7E\xFF\x7D\x23\xC0\x21\x7D\x25\x7D\x22\x7D\x20\x7D\x30User requestS3\x7E";
/// The length at which a line is cut, in bytes.
const LINE: usize = 160;

/// A UART to a module that speaks AT.
///
/// If one of its futures is dropped, half a command may have been sent, or an answer may be under way:
/// start over then.
pub struct Dialogue<R, W> {
    rx: R,
    tx: W,
    piece: [u8; 64],
    /// The range of `piece` that was not parsed yet.
    at: usize,
    end: usize,
    line: [u8; LINE],
}

/// The meaning of a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Said {
    Ok,
    Failed(Code),
    Connect,
    NoCarrier,
    /// Information, or a notice.
    Text,
}

impl<R: Read, W: Write> Dialogue<R, W> {
    /// Returns a dialogue; nothing is sent yet.
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

    /// Returns the bytes that came behind the last line. After a dial, PPP begins with them.
    pub fn behind(&self) -> &[u8] {
        &self.piece[self.at..self.end]
    }

    /// Sends a command, and passes each line of its answer to `each` until the final result.
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

    /// Sends a command whose answer is `OK`.
    pub(super) async fn ask(&mut self, parts: &[&str], limit: Duration) -> Result<(), AtError> {
        match self.command(parts, limit, |_| {}).await? {
            Said::Ok => Ok(()),
            _ => Err(AtError::Garbled),
        }
    }

    /// Returns the next line that is not empty, and its meaning.
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

    /// Drops the bytes that the end of a link brings, until 500 ms pass without any.
    async fn quiet(&mut self) -> Result<(), AtError> {
        self.at = self.end;
        for _ in 0..64 {
            let read = self.rx.read(&mut self.piece);
            match with_deadline(Instant::now() + Duration::from_millis(500), read).await {
                Err(_) => break,
                Ok(Err(_) | Ok(0)) => return Err(AtError::LinkDown),
                Ok(Ok(_)) => {}
            }
        }
        Ok(())
    }

    /// Drops bytes until the line is silent for `quiet`, or a frame begins, but for no longer than
    /// `limit`.
    pub(super) async fn skip_until_quiet(
        &mut self,
        quiet: Duration,
        limit: Duration,
    ) -> Result<(), AtError> {
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

    /// Asks for the model, such as `ODIN-W2` or `SARA-R510S`, which decides between the two kinds of
    /// dialogue.
    ///
    /// # Errors
    /// [`BringUpError::NoAnswer`] if nothing answers AT.
    pub async fn model(&mut self) -> Result<String<32>, BringUpError> {
        self.wake().await.map_err(|error| match error {
            AtError::Timeout => BringUpError::NoAnswer,
            error => at("AT")(error),
        })?;
        let mut model = None;
        let asked = self.command(&["AT+CGMM"], Duration::from_secs(5), |text| {
            if !text.starts_with('+') && model.is_none() {
                model = String::try_from(text.trim_matches('"')).ok();
            }
        });
        asked.await.map_err(at("+CGMM"))?;
        model.ok_or(at("+CGMM")(AtError::Garbled))
    }

    /// Asks for the module's status, before the dial. `short_range` is true for an ODIN-W2, false for a
    /// cellular module.
    ///
    /// # Errors
    /// [`BringUpError::At`] if the module does not answer.
    pub async fn status(&mut self, short_range: bool) -> Result<Status, BringUpError> {
        if short_range {
            status::short_range(self).await
        } else {
            status::cellular(self).await
        }
    }

    /// Finds out whether a module answers, and switches its echo off. Ends a PPP link that an earlier
    /// life of this MCU has left.
    pub(super) async fn wake(&mut self) -> Result<(), AtError> {
        let mut last = Err(AtError::Timeout);
        for attempt in 0..5 {
            if attempt == 2 {
                let said = with_timeout(Duration::from_secs(1), self.tx.write_all(TERMINATE));
                said.await
                    .map_err(|_| AtError::Timeout)?
                    .map_err(|_| AtError::LinkDown)?;
                self.quiet().await?;
            }
            last = self.ask(&["AT"], Duration::from_secs(1)).await;
            if last.is_ok() {
                break;
            }
        }
        last?;
        self.ask(&["ATE0"], Duration::from_secs(1)).await
    }
}

impl<R: Read, W: Write> Ask for Dialogue<R, W> {
    async fn ask(
        &mut self,
        command: &'static str,
        each: &mut dyn FnMut(&str),
    ) -> Result<(), AtError> {
        self.command(&[command], Duration::from_secs(5), each)
            .await
            .map(drop)
    }
}

pub(super) fn said(text: &str) -> Said {
    match text {
        "OK" => Said::Ok,
        "ERROR" => Said::Failed(Code::Plain),
        "NO CARRIER" | "BUSY" | "NO ANSWER" | "NO DIALTONE" => Said::NoCarrier,
        "CONNECT" => Said::Connect,
        // SARA-R4 adds a speed, which has no meaning (sheet B.3).
        _ if text.starts_with("CONNECT ") => Said::Connect,
        _ => match text.strip_prefix("+CME ERROR:") {
            Some(number) => Said::Failed(number.trim().parse().map_or(Code::Plain, Code::Cme)),
            None => Said::Text,
        },
    }
}
