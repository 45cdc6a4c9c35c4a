//! The commands of the file system (sheet section 3).

use std::rc::Rc;

use embassy_time::{Duration, Instant, Timer, with_deadline};

use super::super::Bg96;
use super::super::files::{DEFAULT_UPLOAD, checksum};
use super::super::parser::{Args, Fail, Op};
use super::{Done, OK, Outcome, Reply, UNKNOWN};

/// The silence before and after `+++` that makes it an escape (sheet section 3 [FILE 1.2]).
const GUARD: Duration = Duration::from_secs(1);
/// Bytes between two acknowledgements of an upload in ACK mode.
const ACK_EVERY: usize = 1024;

/// The reason why data mode ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    Complete,
    Timeout,
    Escape,
}

impl Bg96 {
    pub(super) async fn file_command(
        self: &Rc<Self>,
        name: &str,
        op: &Op,
        reply: &mut Reply,
    ) -> Outcome {
        match (name, op) {
            ("QFUPL", Op::Set(args)) => return self.upload(args).await,
            ("QFWRITE", Op::Set(args)) => return self.write_file(args).await,
            _ => {}
        }
        let mut state = self.state.borrow_mut();
        let files = &mut state.files;
        let handle = |args: &Args| {
            args.number(0, 0, u32::MAX.into())
                .map(|handle| handle as u32)
        };
        match (name, op) {
            ("QFLDS", Op::Execute) => {
                reply.line(format!("+QFLDS: {},{}", files.used(), files.all().len()))
            }
            ("QFLDS", Op::Set(args)) => {
                args.count(1, 1)?;
                if args.string(0)? != "UFS" {
                    return Err(Fail::Cme(425));
                }
                reply.line(format!("+QFLDS: {},{}", files.free(), files.capacity()));
            }
            ("QFLST", Op::Execute) => list(files, "*", reply)?,
            ("QFLST", Op::Set(args)) => {
                args.count(1, 1)?;
                list(files, args.string(0)?, reply)?;
            }
            ("QFDEL", Op::Set(args)) => {
                args.count(1, 1)?;
                files.delete(args.string(0)?)?;
            }
            ("QFOPEN" | "QFREAD" | "QFDWL", Op::Set(_)) if !self.options.profile.reads_files => {
                return UNKNOWN;
            }
            ("QFDWL", Op::Set(args)) => {
                args.count(1, 1)?;
                let contents = files.get(args.string(0)?)?;
                self.core.send(b"\r\nCONNECT\r\n");
                self.core.send(contents);
                self.core.send(
                    format!(
                        "\r\n+QFDWL: {},{:x}\r\n",
                        contents.len(),
                        checksum(contents)
                    )
                    .as_bytes(),
                );
                drop(state);
                self.finish("OK", 0);
                return Ok(Done::Answered);
            }
            // [FILE 2.6]
            ("QFOPEN", Op::Read) => {
                for (name, handle, mode) in files.opened() {
                    reply.line(format!("+QFOPEN: \"{name}\",{handle},{mode}"));
                }
            }
            ("QFOPEN", Op::Set(args)) => {
                args.count(1, 2)?;
                let handle = files.open(args.string(0)?, args.number_or(1, 0, 2, 0)?)?;
                reply.line(format!("+QFOPEN: {handle}"));
            }
            ("QFREAD", Op::Set(args)) => {
                args.count(1, 2)?;
                let bytes = files.read(
                    handle(args)?,
                    args.number_or(1, 1, u32::MAX.into(), u32::MAX.into())? as usize,
                )?;
                self.core
                    .send(format!("\r\nCONNECT {}\r\n", bytes.len()).as_bytes());
                self.core.send(&bytes);
                drop(state);
                self.finish("OK", 0);
                return Ok(Done::Answered);
            }
            ("QFSEEK", Op::Set(args)) => {
                args.count(2, 3)?;
                let offset = args.number(1, 0, u32::MAX.into())? as usize;
                files.seek(handle(args)?, offset, args.number_or(2, 0, 2, 0)?)?;
            }
            ("QFPOSITION", Op::Set(args)) => {
                args.count(1, 1)?;
                reply.line(format!("+QFPOSITION: {}", files.position(handle(args)?)?));
            }
            ("QFTUCAT", Op::Set(args)) => {
                args.count(1, 1)?;
                files.cut_at_position(handle(args)?)?;
            }
            ("QFCLOSE", Op::Set(args)) => {
                args.count(1, 1)?;
                files.close(handle(args)?)?;
            }
            _ => return UNKNOWN,
        }
        OK
    }

    async fn upload(&self, args: &Args) -> Outcome {
        args.count(1, 4)?;
        let size = args.number_or(1, 1, u32::MAX.into(), DEFAULT_UPLOAD)? as usize;
        let timeout = Duration::from_secs(args.number_or(2, 1, 65535, 5)?);
        let acknowledged = args.number_or(3, 0, 1, 0)? == 1;
        let name = self
            .state
            .borrow_mut()
            .files
            .begin_upload(args.string(0)?, size)?;
        self.core.send(b"\r\nCONNECT\r\n");
        let mut stored = 0;
        let end = self
            .data_mode(size, timeout, |byte| {
                self.state.borrow_mut().files.append(&name, byte);
                stored += 1;
                // A single character without a line end; the last, short block gets none.
                if acknowledged && stored % ACK_EVERY == 0 && stored < size {
                    self.core.send(b"A");
                }
            })
            .await;
        let result = {
            let mut state = self.state.borrow_mut();
            if end == End::Escape {
                state.files.truncate_end(&name, 3);
            }
            let contents = state.files.get(&name)?;
            format!("+QFUPL: {},{:x}\r\n", contents.len(), checksum(contents))
        };
        if end == End::Complete && self.options.upload_result_delay.as_ticks() > 0 {
            Timer::after(self.options.upload_result_delay).await;
        }
        if self.options.profile.crlf_before_upload_result {
            self.core.send(b"\r\n");
        }
        self.core.send(result.as_bytes());
        // The partial file stays (sheet section 3).
        self.end_data(end)
    }

    async fn write_file(&self, args: &Args) -> Outcome {
        args.count(1, 3)?;
        let handle = args.number(0, 0, u32::MAX.into())? as u32;
        let size = args.number_or(1, 1, u32::MAX.into(), DEFAULT_UPLOAD)? as usize;
        let timeout = Duration::from_secs(args.number_or(2, 1, 65535, 5)?);
        self.state.borrow().files.writable(handle)?;
        self.core.send(b"\r\nCONNECT\r\n");
        let mut bytes = Vec::new();
        let end = self.data_mode(size, timeout, |byte| bytes.push(byte)).await;
        if end == End::Escape {
            bytes.truncate(bytes.len() - 3);
        }
        let total = self.state.borrow_mut().files.write(handle, &bytes)?;
        self.core
            .send(format!("\r\n+QFWRITE: {},{total}\r\n", bytes.len()).as_bytes());
        self.end_data(end)
    }

    fn end_data(&self, end: End) -> Outcome {
        match end {
            End::Timeout => Err(Fail::Cme(421)),
            End::Complete | End::Escape => {
                self.finish("OK", 0);
                Ok(Done::Answered)
            }
        }
    }

    /// Takes raw bytes until there are `size`, or none came for `timeout`, or `+++` stood between two
    /// silences.
    async fn data_mode(&self, size: usize, timeout: Duration, mut take: impl FnMut(u8)) -> End {
        let mut last = Instant::now();
        // The number of `+` seen; the first one came after a silence.
        let mut escape = 0;
        for _ in 0..size {
            let deadline = last
                + if escape == 3 {
                    GUARD.min(timeout)
                } else {
                    timeout
                };
            let Ok(byte) = with_deadline(deadline, self.core.read()).await else {
                return if escape == 3 {
                    End::Escape
                } else {
                    End::Timeout
                };
            };
            let now = Instant::now();
            escape = match (byte, escape) {
                (b'+', 0) if now - last >= GUARD => 1,
                (b'+', 1 | 2) => escape + 1,
                _ => 0,
            };
            last = now;
            take(byte);
        }
        End::Complete
    }
}

fn list(files: &super::super::files::Files, pattern: &str, reply: &mut Reply) -> Result<(), Fail> {
    if pattern == "*" {
        for (name, contents) in files.all() {
            reply.line(format!("+QFLST: \"{name}\",{}", contents.len()));
        }
        // Directories are listed as well (T7).
        reply.line("+QFLST: \"security/\",2");
    } else {
        let contents = files.get(pattern)?;
        reply.line(format!("+QFLST: \"{pattern}\",{}", contents.len()));
    }
    Ok(())
}
