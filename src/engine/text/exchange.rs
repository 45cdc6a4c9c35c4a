//! The course of one exchange: the effect of each line, prompt and piece of payload on it.

use super::super::mailbox::ExchangeState;
use super::super::slot::Phase;
use super::super::time::{Ms, after, past, sooner};
use super::super::world::{Heard, Link, PowerState, REPORT_LIMIT, World};
use super::guests::GUEST_QUOTES;
use super::rescue::{Rescue, SyncProgress};
use super::sent::HANG_UP;
use super::trace::{is_secret, trace_command, trace_line};
use super::{COMMAND_LIMIT, Engine, GUEST_PATIENCE, NAME_LIMIT, Stage};
use crate::at::Out;
use crate::engine::backend::{
    COUNTS, FETCHES, Final, HEXES, Line, Modem, PIPES, QUOTES, SENDS, StepFlags, Urc, Waits,
};
use crate::error::AtError;
use crate::loss::Loss;

/// The time limit of a prompt. Other drivers give a prompt 5 s (bg96 sheet, 4.3). A late prompt within the limit still
/// gets its payload; after it, the modem would take the next command as payload.
const PROMPT_LIMIT: Ms = 20_000;
/// The time that the running command still gets for its answer after the URC of a modem that has started.
const BOOTED_PATIENCE: Ms = 1000;
/// The time that the result of an open still gets after the URC that its connection is closed.
const CLOSED_PATIENCE: Ms = 2000;

impl<M: Modem> Engine<M> {
    /// Begins an exchange whose command line is in `out`: `len` bytes without the terminator.
    pub(super) fn begin(
        &mut self,
        w: &mut World<'_>,
        len: usize,
        flags: StepFlags,
        timeout: Ms,
    ) -> Result<(), AtError> {
        if !M::SENDS_WITHOUT_PROMPT && flags & (QUOTES | COUNTS | PIPES | GUEST_QUOTES) != 0 {
            return Err(AtError::Unsupported);
        }
        let open_quote = flags & (Self::QUOTES | Self::GUEST_QUOTES) != 0;
        let end: &[u8] = if open_quote {
            b""
        } else {
            w.terminator.bytes()
        };
        let Some(room) = self.out.get_mut(len..len + end.len()) else {
            return Err(AtError::TooLong);
        };
        room.copy_from_slice(end);
        let (text, len) = (len, len + end.len());
        let line = self.out.get(2..len).unwrap_or(&[]);
        let stops = |byte: &u8| matches!(byte, b'=' | b'?' | b'\r' | b'\n' | b';');
        let name_len = line
            .iter()
            .position(stops)
            .unwrap_or(line.len())
            .min(NAME_LIMIT);
        self.name[..name_len].copy_from_slice(&line[..name_len]);
        self.name_len = name_len as u8;
        if cfg!(any(feature = "defmt", feature = "log", feature = "tap")) {
            self.secret = is_secret(line, M::SECRET);
            trace_command(&self.out[..len], self.secret);
        }
        // Late output of an exchange that was given up stays private too.
        self.private = self.private && self.syncing != SyncProgress::InStep
            || flags & (Self::GUEST_FETCHES | Self::GUEST_UPLOADS | Self::GUEST_QUOTES) != 0;
        self.answer_len = 0;
        self.overflowed = false;
        self.accepted = false;
        self.deferred.clear();
        self.ring_sent = 0;
        self.closed = false;
        self.in_flight = 0;
        self.flags = flags;
        self.data_at = w.now;
        if flags & Self::GUEST == 0 {
            w.report.1 = 0;
        }
        w.received = None;
        w.send_failed = false;
        w.prompted = false;
        w.escapes = 0;
        w.ended = None;
        self.stage = if flags & (SENDS | Self::COUNTS | Self::PIPES | Self::GUEST_UPLOADS) != 0 {
            Stage::Prompt
        } else if open_quote {
            // The bytes of the line itself count too.
            self.left = len
                + match flags & (QUOTES | HEXES) {
                    0 => self.fetch_limit,
                    QUOTES => w.len.into(),
                    _ if Self::BASE64 => usize::from(w.len).div_ceil(3) * 4,
                    _ => 2 * usize::from(w.len),
                };
            Stage::Data
        } else {
            Stage::Line
        };
        let prompt = if flags & (SENDS | Self::GUEST_RAW) != 0 {
            Some(M::PROMPT)
        } else if flags & Self::GUEST_UPLOADS != 0 {
            M::UPLOAD_PROMPT
        } else {
            None
        };
        self.framer.arm_prompt(prompt);
        let rest = match self.stage {
            // The terminator of the line is not echoed with it.
            Stage::Data if flags & Self::GUEST != 0 && !Self::COUNTED => {
                self.left - len - w.terminator.bytes().len()
            }
            Stage::Data => self.left - len,
            _ => 0,
        };
        self.echo_begins(text, rest);
        self.timeout = timeout;
        self.unanswered = M::FETCH_PATIENCE > 0 && flags & FETCHES != 0;
        let limit = if flags & SENDS != 0 {
            timeout.min(PROMPT_LIMIT)
        } else if self.unanswered {
            timeout.min(M::FETCH_PATIENCE.into())
        } else {
            timeout
        };
        self.deadline = after(w.now, limit);
        w.counters.exchanges = w.counters.exchanges.wrapping_add(1);
        if w.link == Link::Up {
            // Should this exchange be given up without a rescue, its own input shows why. A bring-up is judged by all of
            // its input.
            w.heard = Heard::Nothing;
        }
        self.submit(len);
        #[cfg(feature = "tap")]
        {
            self.out_class = self.command_class();
        }
        Ok(())
    }

    /// Returns whether this exchange sends payload from a socket's transmit ring.
    pub(super) fn sends_from_ring(&self) -> bool {
        self.flags & (SENDS | Self::COUNTS | Self::PIPES | Self::QUOTES) != 0 && !self.closed
    }

    pub(super) fn line(&mut self, w: &mut World<'_>) {
        w.heard_at = w.now;
        if M::GAP > 0 {
            self.gap_until = after(w.now, self.modem.gap().into());
        }
        let running = self.stage != Stage::Idle && !self.sends_frames();
        let (mut from, mut known) = (0, None);
        if self.syncing == SyncProgress::InStep && self.awaits_echo() {
            (from, known) = self.take_echo(w);
            let Some(kind) = known else {
                trace!("< (echo of {} bytes)", from);
                return;
            };
            if self.awaits_echo() {
                match kind {
                    Line::Urc(_) => {}
                    // Nothing of this command was echoed, so this is the answer to something else.
                    Line::Final(_) if !self.is_amid_echo() => return self.doubt_sent(w),
                    _ => return self.violation(w),
                }
            }
        }
        let asked: &[u8] = if running {
            &self.name[..self.name_len.into()]
        } else {
            &[]
        };
        let line = self.framer.line().get(from..).unwrap_or(&[]);
        let kind = if let Some(kind) = known {
            kind
        } else if !self.framer.is_continued() {
            let kind = self.modem.line(line, asked);
            self.pieces_are_text = matches!(kind, Line::Info);
            kind
        } else if self.pieces_are_text {
            Line::Info
        } else {
            Line::Urc(Urc::Other)
        };
        trace_line(
            line,
            matches!(kind, Line::Info) && (self.private || self.secret),
        );
        if line == HANG_UP && self.is_in_data_mode() {
            return self.hung_up(w);
        }
        if matches!(kind, Line::Final(Final::Error(_))) {
            w.heard = Heard::Errors;
        }
        self.unanswered &= matches!(kind, Line::Urc(_));
        match kind {
            Line::Urc(Urc::Restarted) => {
                warn!("the modem restarted");
                return self.restarted(w, PowerState::Awake);
            }
            Line::Urc(Urc::Saving) => {
                info!("the modem saves power");
                return self.restarted(w, PowerState::Saving);
            }
            _ => {}
        }
        let echo = M::ECHOES
            && running
            && line
                .strip_prefix(b"AT")
                .is_some_and(|rest| rest.starts_with(asked));
        if echo && w.link == Link::Up {
            // Echo is switched off at bring-up.
            warn!("the modem echoes: it has restarted");
            return self.restarted(w, PowerState::Awake);
        }
        if let Line::Push { id, len } = kind {
            if !M::PUSHES {
                return self.lose_track(w);
            }
            return self.push_begin(w, id, len.into());
        }
        if self.syncing != SyncProgress::InStep {
            return self.line_while_syncing(kind);
        }
        if self.sends_frames() && !matches!(kind, Line::Urc(_)) {
            // Frames are sent without a command, so this line answers nothing.
            return;
        }
        let asked_for = self.stage != Stage::Idle && self.out_given >= self.out_len;
        if matches!(kind, Line::Info) && !asked_for && !echo && !may_be_notice(line) {
            self.doubt_fetched(w);
            return;
        }
        let quick = match kind {
            Line::Info | Line::Final(Final::Ok | Final::SendOk | Final::SendFail) => true,
            Line::Final(Final::Error(_)) => self.flags & (Self::QUOTES | Self::GUEST_QUOTES) != 0,
            _ => false,
        };
        if self.stage == Stage::Data
            && quick
            && self.left <= self.in_flight
            && self.flags & Self::PIPES == 0
        {
            // The answer to payload may come before the UART reports its last bytes as sent.
            self.stage = Stage::Line;
        }
        match kind {
            Line::Urc(urc) => {
                if self.tail_ends > 0 {
                    // A URC adds two line ends of two bytes: one in front, and its own.
                    self.tail_ends = self.tail_ends.saturating_add(4);
                }
                if self.stage != Stage::Tail {
                    if matches!(urc, Urc::Report) {
                        let len = line.len().min(REPORT_LIMIT);
                        w.report.0[..len].copy_from_slice(&line[..len]);
                        w.report.1 = len as u8;
                    }
                    self.urc(w, urc);
                } else if !matches!(urc, Urc::Other) && self.deferred.push(urc).is_err() {
                    self.missed = true;
                    w.counters.dropped = w.counters.dropped.wrapping_add(1);
                }
            }
            Line::Final(end) => {
                if self.stage == Stage::Tail && (!matches!(end, Final::Ok) || !self.is_framed()) {
                    return self.violation(w);
                }
                self.finish(w, end);
            }
            _ if self.stage == Stage::Tail => self.violation(w),
            Line::Payload(count) => self.header(w, count, false),
            Line::Info if echo || self.stage != Stage::Line => {}
            Line::Info if self.flags & Self::GUEST_LINES != 0 => {
                if matches!(Self::post(w), ExchangeState::Running) {
                    self.line_waits = true;
                    self.guest_until = after(w.now, GUEST_PATIENCE);
                    w.mailbox.set(ExchangeState::Line);
                }
            }
            Line::Info => self.information(w),
            Line::Push { .. } => {}
        }
    }

    /// Gives an information line to the step, or appends it to the answer.
    fn information(&mut self, w: &mut World<'_>) {
        let line = self.framer.line();
        if self.flags & Self::GUEST == 0
            && let Some(each) = self.flow.as_ref().and_then(|flow| flow.steps.first()?.each)
        {
            return each(&mut self.modem, w, line);
        }
        let gap: &[u8] = if self.answer_len > 0 { b"\r\n" } else { b"" };
        let mut out = Out {
            buf: &mut self.answer,
            len: self.answer_len,
        };
        out.bytes(gap);
        out.bytes(line);
        let len = out.len;
        self.overflowed |= len > self.answer.len();
        self.answer_len = len.min(self.answer.len());
    }

    /// Returns whether payload may begin inside a line: a fetch is under way, or a late answer to one may come.
    pub(super) fn minds_cues(&self) -> bool {
        self.flags & (FETCHES | Self::GUEST_FETCHES) != 0 && self.stage != Stage::Idle
            || self.late_payload > 0
            || self.framer.payload_left() > 0
            || self.framer.is_behind_payload()
    }

    /// Handles a cue inside a line, after which payload may begin.
    pub(super) fn cue(&mut self, w: &mut World<'_>) {
        let wanted = if self.syncing == SyncProgress::InStep {
            self.stage == Stage::Line && w.received.is_none() && !self.awaits_echo()
        } else {
            self.late_payload > 0
        };
        if !wanted {
            return;
        }
        let asked = &self.name[..self.name_len.into()];
        let Line::Payload(count) = self.modem.line(self.framer.line(), asked) else {
            return;
        };
        w.heard_at = w.now;
        trace_line(self.framer.line(), false);
        if self.syncing != SyncProgress::InStep {
            self.late_header(count, true);
        } else {
            self.header(w, count, true);
        }
    }

    fn finish(&mut self, w: &mut World<'_>, end: Final) {
        if self.rescue != Rescue::Off {
            // The result belongs to filler for an upload from before the host's restart, and ends no step.
            return;
        }
        let payload = self.flags & (SENDS | Self::COUNTS | Self::PIPES) != 0;
        if matches!(end, Final::Ok) && self.stage == Stage::Line && self.is_accepted_alone() {
            return self.progress(w);
        }
        let legal = match (self.stage, end) {
            (Stage::Idle, _) => return self.doubt_sent(w),
            // A command that was not sent whole cannot have an answer. Were this result taken for it, the
            // rest of the command would never be sent: a setting that verification depends on, for instance.
            (Stage::Line | Stage::Prompt, _) if self.out_given < self.out_len && w.escapes == 0 => {
                return self.doubt_sent(w);
            }
            (Stage::Prompt, Final::Connect) if self.flags & Self::GUEST_UPLOADS != 0 => {
                return self.data(w, self.fetch_limit, 0);
            }
            (Stage::Prompt, Final::Ok) if self.flags & (Self::COUNTS | Self::PIPES) != 0 => {
                let pause = if self.flags & Self::PIPES != 0 {
                    w.silence.0
                } else {
                    0
                };
                return self.data(w, w.len.into(), pause);
            }
            // A result before all announced bytes were sent: the modem's position in the payload is unknown.
            (Stage::Data | Stage::Silence, _) => false,
            (_, Final::Error(_)) => true,
            (Stage::Prompt, _) => false,
            (_, Final::SendOk | Final::SendFail) => payload,
            (_, Final::Ok) if matches!(M::SEND_ENDS, Final::Ok) && self.flags & SENDS != 0 => true,
            (_, end) => matches!(end, Final::Ok) && !payload,
        };
        // An unexpected `CONNECT`: the modem is in data mode, and would send commands to a peer.
        if !legal && matches!(end, Final::Connect) {
            return self.violation_in(w, Waits::Data);
        }
        if !legal {
            return self.violation(w);
        }
        if w.escapes > 0 && self.out_given == 0 {
            // A `+++` that was not sent yet is not needed any more.
            self.out_len = 0;
            w.escapes -= 1;
        }
        self.framer.arm_prompt(None);
        self.tail_ends = 0;
        if end == M::SEND_ENDS && self.flags & SENDS != 0 {
            self.last_sent = Some(w.slot);
        }
        let fetched = self.flags & FETCHES != 0 && w.received.is_some_and(|count| count > 0);
        self.last_fetched = fetched.then_some(w.slot);
        w.send_failed = matches!(end, Final::SendFail);
        for urc in core::mem::take(&mut self.deferred) {
            self.urc(w, urc);
        }
        if core::mem::take(&mut self.missed) {
            w.ask_all();
        }
        let result = match end {
            Final::Error(code) => Err(AtError::Refused(code)),
            _ => Ok(()),
        };
        self.ended(w, result);
    }

    /// Returns whether this `OK` only accepts a command of [`Modem::TWICE`], whose final result is still to come.
    fn is_accepted_alone(&mut self) -> bool {
        let name = &self.name[..self.name_len.into()];
        let twice = |known: &&str| known.as_bytes().eq_ignore_ascii_case(name);
        M::TWICE.iter().any(twice)
            && self.out_given >= self.out_len
            && !core::mem::replace(&mut self.accepted, true)
    }

    pub(super) fn urc(&mut self, w: &mut World<'_>, urc: Urc) {
        match urc {
            Urc::Booted => {
                w.booted = true;
                if w.link == Link::Up {
                    // It comes late, or after a restart whose banner was lost: the echo of the liveness query shows
                    // which. A command from before a restart gets no answer.
                    w.suspect = true;
                    if self.stage != Stage::Idle {
                        self.deadline = sooner(w.now, self.deadline, after(w.now, BOOTED_PATIENCE));
                    }
                }
            }
            Urc::NetworkLost => w.network_lost = true,
            Urc::Closed { id } | Urc::Readable { id } => {
                if urc == (Urc::Closed { id }) {
                    w.close_again(id);
                }
                let Some(index) = w.with_id(id) else { return };
                let slot = &mut w.slots[index];
                let is_ours = match slot.phase {
                    Phase::Open => true,
                    Phase::Opening => slot.asked,
                    _ => false,
                };
                if is_ours {
                    slot.readable = true;
                    slot.announced |= urc == Urc::Readable { id };
                    slot.peer_closed |= urc == Urc::Closed { id };
                    if slot.peer_closed
                        && slot.phase == Phase::Opening
                        && let Some(parked) = &mut self.parked
                    {
                        let soon = after(w.now, CLOSED_PATIENCE);
                        parked.resume_at = sooner(w.now, parked.resume_at, soon);
                    }
                }
            }
            Urc::Opened { id, result } => match w.with_id(id) {
                Some(index) => {
                    let slot = &w.slots[index];
                    // Otherwise the URC came twice, or the user has dropped the connect and a close is under way.
                    let expected = slot.phase == Phase::Opening && slot.user && slot.asked;
                    if let (true, Some(open)) = (expected, &mut w.open) {
                        open.result = result;
                    }
                }
                None if id < 32 => w.stray |= 1 << id,
                None => {}
            },
            Urc::Other | Urc::Report | Urc::Restarted | Urc::Saving => {}
        }
    }

    /// Handles a result that belongs to no command. It can mean that noise made the announced length of the last send
    /// smaller: the modem took the beginning of the payload, and the rest as commands. The socket that sent last is given
    /// up, so that its peer gets no more.
    pub(super) fn doubt_sent(&mut self, w: &mut World<'_>) {
        trace!("stray result");
        if let Some(slot) = self.last_sent.take() {
            w.lose(slot, Loss::Grammar);
        }
        self.doubt_fetched(w);
    }

    /// Handles a line that may be the rest of fetched payload: a URC among the payload was counted as payload, and a line
    /// of the payload looked like the final result. The fetched data is not what the peer sent, so its socket is given up.
    fn doubt_fetched(&mut self, w: &mut World<'_>) {
        if let Some(slot) = self.last_fetched.take() {
            w.slots[usize::from(slot)].rx.clear();
            w.lose(slot, Loss::Grammar);
        }
    }

    /// Gives the exchange up, because the answer broke the grammar. The modem's output is skipped until the channel is
    /// synchronised.
    pub(super) fn violation(&mut self, w: &mut World<'_>) {
        self.violation_in(w, self.waits());
    }

    /// Gives the exchange up as [`violation`](Self::violation) does, where the modem is known to wait for other input than
    /// the stage says.
    pub(super) fn violation_in(&mut self, w: &mut World<'_>, waits: Waits) {
        if self.sends_frames() {
            // The modem still gets the rest of the frame. Only URCs can be missing among the lines.
            return w.ask_all();
        }
        if self.syncing == SyncProgress::InStep
            && self.stage != Stage::Idle
            && self.rescue == Rescue::Off
        {
            warn!("the answer does not follow the grammar");
            self.give_up_in(w, AtError::Garbled, waits);
        }
    }

    /// Has the channel synchronised, because the modem broke the grammar outside an answer.
    pub(super) fn lose_track(&mut self, w: &mut World<'_>) {
        if self.stage != Stage::Idle {
            self.violation(w);
        } else if w.link == Link::Up && self.syncing == SyncProgress::InStep {
            // This is handled like an exchange that broke the grammar. A bring-up synchronises by itself.
            self.flags = 0;
            self.give_up_in(w, AtError::Garbled, Waits::Line);
        }
    }

    /// Returns the input that the modem waits for, should the exchange be given up now.
    pub(super) fn waits(&self) -> Waits {
        match self.stage {
            Stage::Data
                if self.flags & (Self::QUOTES | Self::GUEST_QUOTES) != 0 && !Self::COUNTED =>
            {
                Waits::Quoted
            }
            Stage::Data | Stage::Silence if self.flags & Self::PIPES != 0 => Waits::Data,
            // After `+++` too: whether the modem has left data mode is not known before its result.
            Stage::Line if self.flags & (Self::COUNTS | Self::PIPES) != 0 => Waits::Data,
            Stage::Data | Stage::Silence => Waits::Counted,
            Stage::Prompt => Waits::Prompt,
            _ => Waits::Line,
        }
    }

    /// Sends up to [`COMMAND_LIMIT`] bytes of filler towards the announced number.
    pub(super) fn filler(&mut self, byte: u8) {
        let count = self.left.min(COMMAND_LIMIT);
        self.out[..count].fill(byte);
        self.submit(count);
    }

    /// Returns whether the deadline of the exchange has passed.
    pub(super) fn is_over(&self, w: &World<'_>) -> bool {
        past(w.now, self.deadline)
    }
}

/// Returns whether an unexpected line may be a URC that the backend does not know: it begins with a sign such as `+`, or
/// consists of words in capitals.
fn may_be_notice(line: &[u8]) -> bool {
    let word = |byte: &u8| byte.is_ascii_uppercase() || *byte == b' ';
    matches!(line, [] | [b'+' | b'#' | b'%' | b'*' | b'^', ..]) || line.iter().all(word)
}
