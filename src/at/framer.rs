//! The line framer of an AT channel: bytes go in; lines, prompts and payload come out as events.
//!
//! It does no I/O and no allocation, takes O(1) work per byte, and never panics. The chunks in which input comes never
//! change the events, except that one payload may come in more or fewer parts.
//!
//! Payload is counted, never searched: after [`Framer::expect_payload`] the next n bytes are payload
//! whatever they contain.

/// The longest line that is kept, in bytes. A longer one is cut ([`Event::CutLine`]), or comes in pieces.
pub const LINE_LIMIT: usize = 256;

/// An event of the framer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event<'a> {
    /// A complete, non-empty line without its line end. It stays readable through
    /// [`Framer::line`] until the next call of [`Framer::next`].
    Line,
    /// A line longer than [`LINE_LIMIT`]; the first `LINE_LIMIT` bytes are kept.
    CutLine,
    /// The next `LINE_LIMIT` bytes of a line that goes on, where pieces are wanted. The last bytes of the line, if
    /// there are any, come as a [`Line`](Self::Line).
    Piece,
    /// The cue byte inside a line. [`Framer::line`] has the line up to the cue; it goes on after the cue, unless
    /// [`Framer::expect_payload_in_line`] is called.
    Cue,
    /// The data prompt, such as `> `, seen at the start of a line while armed. Disarms itself.
    Prompt,
    /// A part of the announced payload.
    Payload(&'a [u8]),
    /// The announced payload is complete.
    PayloadEnd,
    /// Bytes other than CR/LF directly after the payload: the announced count was wrong.
    PayloadOverrun,
}

/// The line framer of an AT channel: bytes go in, events come out.
#[cfg_attr(test, derive(Clone))]
#[derive(Debug)]
pub struct Framer {
    line: [u8; LINE_LIMIT],
    len: usize,
    cut: bool,
    /// The line in `line` was delivered; the next byte starts another.
    delivered: bool,
    /// Long lines come in pieces instead of being cut.
    pieces: bool,
    /// The last event was a piece, whose line goes on.
    goes_on: bool,
    /// The bytes in `line` are not the beginning of their line.
    continued: bool,
    mode: Mode,
    prompt: Prompt,
    /// The byte that closes payload inside a line, before the line ends.
    closes: Option<u8>,
    /// The number of line end bytes since the last payload, at most 255.
    ends: u8,
    /// The number of those in front of `line`.
    ends_before: u8,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mode {
    Lines,
    Payload {
        left: usize,
    },
    /// Directly after a payload: only CR or LF may come.
    Behind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Prompt {
    Off,
    Armed(u8),
    /// The prompt was reported; a space after it belongs to it.
    Space,
}

impl Framer {
    /// Makes a framer at the start of a line.
    pub const fn new() -> Self {
        Self {
            line: [0; LINE_LIMIT],
            len: 0,
            cut: false,
            delivered: false,
            pieces: false,
            goes_on: false,
            continued: false,
            mode: Mode::Lines,
            prompt: Prompt::Off,
            closes: None,
            ends: 0,
            ends_before: 0,
        }
    }

    /// Returns whether a line has begun and not ended.
    pub const fn is_amid_line(&self) -> bool {
        self.len > 0 && !self.delivered
    }

    /// Consumes `input` up to and including the next event, and returns the event; `None` when all input is consumed.
    ///
    /// Input after the event is not touched, so that the caller may first handle the event.
    pub fn next<'a>(&mut self, input: &mut &'a [u8]) -> Option<Event<'a>> {
        self.next_of::<false>(input, 0)
    }

    /// Returns the next event as [`next`](Self::next) does, where payload may begin inside a line after the byte `cue`.
    pub fn next_with_cue<'a>(&mut self, input: &mut &'a [u8], cue: u8) -> Option<Event<'a>> {
        self.next_of::<true>(input, cue)
    }

    /// Returns the next event. If `CUES` is `false`, the code for cues is not linked.
    #[inline(always)]
    fn next_of<'a, const CUES: bool>(
        &mut self,
        input: &mut &'a [u8],
        cue: u8,
    ) -> Option<Event<'a>> {
        if self.delivered {
            self.delivered = false;
            self.cut = false;
            self.len = 0;
            self.continued = self.goes_on;
        }
        loop {
            match self.mode {
                Mode::Payload { left: 0 } => {
                    self.mode = Mode::Behind;
                    return Some(Event::PayloadEnd);
                }
                Mode::Payload { left } => {
                    if input.is_empty() {
                        return None;
                    }
                    let (part, rest) = input.split_at(left.min(input.len()));
                    *input = rest;
                    self.mode = Mode::Payload {
                        left: left - part.len(),
                    };
                    return Some(Event::Payload(part));
                }
                Mode::Behind => {
                    let &byte = input.first()?;
                    if CUES && let Some(closes) = self.closes.take() {
                        if byte == closes {
                            *input = &input[1..];
                            continue;
                        }
                        self.mode = Mode::Lines;
                        return Some(Event::PayloadOverrun);
                    }
                    self.mode = Mode::Lines;
                    if byte != b'\r' && byte != b'\n' {
                        return Some(Event::PayloadOverrun);
                    }
                }
                Mode::Lines => {
                    if let Some(event) = self.in_line::<CUES>(input, cue)? {
                        return Some(event);
                    }
                }
            }
        }
    }

    /// Returns the line of the last event.
    pub fn line(&self) -> &[u8] {
        &self.line[..self.len]
    }

    /// Returns the beginning of a line that has not ended; empty inside payload.
    pub fn unfinished(&self) -> &[u8] {
        match self.mode {
            Mode::Lines if !self.delivered => self.line(),
            _ => &[],
        }
    }

    /// Returns whether the line of the last event continues an earlier piece.
    pub fn is_continued(&self) -> bool {
        self.continued
    }

    /// Returns whether the last event was a piece, so that more of its line is to come.
    pub fn goes_on(&self) -> bool {
        self.goes_on
    }

    /// Drops the last piece up to `from`, and keeps the rest as the beginning of the next event's line.
    pub fn carry(&mut self, from: usize) {
        let from = from.min(self.len);
        self.line.copy_within(from..self.len, 0);
        self.len -= from;
        self.delivered = false;
        self.continued = true;
    }

    /// Sets whether long lines come in pieces or are cut, from the next byte on.
    pub fn want_pieces(&mut self, wanted: bool) {
        self.pieces = wanted;
    }

    /// Has the next `count` bytes taken as payload. Call it between the [`Event::Line`] of the header and the next
    /// [`next`](Self::next).
    pub fn expect_payload(&mut self, count: usize) {
        self.mode = Mode::Payload { left: count };
        self.ends = 0;
    }

    /// Has the next `count` bytes taken as payload inside a line, after which `closes`, if any, and the line end follow.
    /// Call it between [`Event::Cue`] and the next [`next_with_cue`](Self::next_with_cue).
    pub fn expect_payload_in_line(&mut self, count: usize, closes: Option<u8>) {
        self.expect_payload(count);
        self.closes = closes;
        // The line so far was the header, and is over.
        self.delivered = true;
    }

    /// Returns the number of line end bytes, CR or LF, between the last payload and the line of the last event, with
    /// those of lines in between; at most 255.
    pub fn ends_before_line(&self) -> u8 {
        self.ends_before
    }

    /// Returns the number of payload bytes that are still to come.
    pub fn payload_left(&self) -> usize {
        match self.mode {
            Mode::Payload { left } => left,
            _ => 0,
        }
    }

    /// Returns whether payload is complete, and no byte after it has come yet.
    pub fn is_behind_payload(&self) -> bool {
        matches!(self.mode, Mode::Behind | Mode::Payload { left: 0 })
    }

    /// Arms the prompt, which is this byte at the start of a line; `None` disarms it, so that the byte is ordinary text.
    pub fn arm_prompt(&mut self, prompt: Option<u8>) {
        self.prompt = prompt.map_or(Prompt::Off, Prompt::Armed);
    }

    /// Resets the framer to the start of a line, and drops the line or payload under way.
    pub fn reset(&mut self) {
        self.len = 0;
        self.cut = false;
        self.delivered = false;
        self.goes_on = false;
        self.continued = false;
        self.mode = Mode::Lines;
        self.prompt = Prompt::Off;
    }

    /// Consumes input of lines. Returns `None` when all input is consumed, and `Some(None)` for a blank line or a space
    /// after the prompt, after which the caller goes on.
    fn in_line<'a, const CUES: bool>(
        &mut self,
        input: &mut &'a [u8],
        cue: u8,
    ) -> Option<Option<Event<'a>>> {
        if CUES {
            // A closing byte is left from payload that was given up.
            self.closes = None;
        }
        if self.prompt == Prompt::Space {
            let &first = input.first()?;
            self.prompt = Prompt::Off;
            if first == b' ' {
                *input = &input[1..];
                return Some(None);
            }
        }
        if self.len == 0 {
            // Skips blank lines, and the CR LF in front of a line, whose CR may come in a chunk of its own.
            while let [end @ (b'\r' | b'\n'), rest @ ..] = *input {
                self.count_ends(1);
                if *end == b'\n' {
                    self.goes_on = false;
                    self.continued = false;
                }
                *input = rest;
            }
            if let (Prompt::Armed(prompt), [first, rest @ ..]) = (self.prompt, *input)
                && *first == prompt
            {
                *input = rest;
                self.prompt = Prompt::Space;
                return Some(Some(Event::Prompt));
            }
            if input.is_empty() {
                return None;
            }
        }
        let end = line_end(input);
        let (text, rest) = match end {
            Some(at) => (&input[..at], &input[at + 1..]),
            None => (*input, &input[input.len()..]),
        };
        if CUES
            && let Some(at) = text.iter().position(|&byte| byte == cue)
            && self.len + at < LINE_LIMIT
        {
            *input = &input[at + 1..];
            self.keep(&text[..=at]);
            return Some(Some(Event::Cue));
        }
        if self.pieces && self.len + text.len() > LINE_LIMIT {
            let (piece, _) = text.split_at(LINE_LIMIT - self.len);
            *input = &input[piece.len()..];
            self.keep(piece);
            self.delivered = true;
            self.goes_on = true;
            return Some(Some(Event::Piece));
        }
        *input = rest;
        self.keep(text);
        end?;
        self.goes_on = false;
        let kept = self.len;
        while self.len > 0 && !self.cut && self.line[self.len - 1] == b'\r' {
            self.len -= 1;
        }
        self.count_ends(1 + kept - self.len);
        if self.len == 0 {
            self.continued = false;
            return Some(None);
        }
        self.delivered = true;
        Some(Some(if self.cut {
            Event::CutLine
        } else {
            Event::Line
        }))
    }

    fn count_ends(&mut self, count: usize) {
        let count = count.try_into().unwrap_or(u8::MAX);
        self.ends = self.ends.saturating_add(count);
    }

    fn keep(&mut self, text: &[u8]) {
        if self.len == 0 {
            self.ends_before = self.ends;
        }
        let room = &mut self.line[self.len..];
        let (fits, more) = text.split_at(text.len().min(room.len()));
        room[..fits.len()].copy_from_slice(fits);
        self.len += fits.len();
        // A CR that does not fit belongs to the line end, so the line itself fits.
        if more.iter().any(|&byte| byte != b'\r') {
            self.cut = true;
        }
    }
}

/// Returns the position of the first LF. It compares a word at a time, since every byte of every line passes here.
fn line_end(input: &[u8]) -> Option<usize> {
    const WIDTH: usize = size_of::<usize>();
    const ONES: usize = usize::MAX / 255;
    let (words, rest) = input.as_chunks::<WIDTH>();
    for (index, word) in words.iter().enumerate() {
        // An LF becomes a zero byte, and the lowest zero byte becomes the lowest byte whose top bit is set.
        let zeros = usize::from_le_bytes(*word) ^ (ONES * b'\n' as usize);
        let found = zeros.wrapping_sub(ONES) & !zeros & (ONES << 7);
        if found != 0 {
            return Some(index * WIDTH + found.trailing_zeros() as usize / 8);
        }
    }
    let at = rest.iter().position(|&byte| byte == b'\n')?;
    Some(input.len() - rest.len() + at)
}

impl Default for Framer {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    extern crate std;
    use std::string::String;
    use std::vec;
    use std::vec::Vec;

    use proptest::prelude::*;

    use super::*;

    #[derive(Debug, PartialEq, Clone)]
    enum Seen {
        Line(String),
        Cut(usize),
        Piece(String),
        Prompt,
        Payload(Vec<u8>),
        End,
        Overrun,
        Cue(String),
    }

    /// Runs the framer with a toy dialect: `#n` announces n bytes, `?` arms the prompt, `%` wants pieces.
    fn run<'a>(chunks: impl IntoIterator<Item = &'a [u8]>) -> Vec<Seen> {
        run_with(None, chunks)
    }

    /// Runs the toy dialect with a cue: after `=n` and the cue, n bytes of payload begin inside the line.
    fn run_with<'a>(cue: Option<u8>, chunks: impl IntoIterator<Item = &'a [u8]>) -> Vec<Seen> {
        let mut framer = Framer::new();
        let mut seen: Vec<Seen> = Vec::new();
        for mut chunk in chunks {
            loop {
                let event = match cue {
                    Some(cue) => framer.next_with_cue(&mut chunk, cue),
                    None => framer.next(&mut chunk),
                };
                let Some(event) = event else { break };
                match event {
                    Event::Cue => {
                        let line = String::from_utf8_lossy(framer.line()).into_owned();
                        let count = line.strip_prefix('=').map(|text| &text[..text.len() - 1]);
                        if let Some(count) = count.and_then(|count| count.parse().ok()) {
                            let closes = cue.filter(|&cue| cue == b'"');
                            framer.expect_payload_in_line(count, closes);
                        }
                        seen.push(Seen::Cue(line));
                    }
                    Event::Line => {
                        let line = String::from_utf8_lossy(framer.line()).into_owned();
                        if let Some(count) = line.strip_prefix('#').and_then(|n| n.parse().ok()) {
                            framer.expect_payload(count);
                        }
                        if line == "?" {
                            framer.arm_prompt(Some(b'>'));
                        }
                        if line == "%" {
                            framer.want_pieces(true);
                        }
                        seen.push(Seen::Line(line));
                    }
                    Event::CutLine => seen.push(Seen::Cut(framer.line().len())),
                    Event::Piece => {
                        let piece = String::from_utf8_lossy(framer.line()).into_owned();
                        seen.push(Seen::Piece(piece));
                    }
                    Event::Prompt => seen.push(Seen::Prompt),
                    Event::Payload(part) => match seen.last_mut() {
                        Some(Seen::Payload(all)) => all.extend_from_slice(part),
                        _ => seen.push(Seen::Payload(part.to_vec())),
                    },
                    Event::PayloadEnd => seen.push(Seen::End),
                    Event::PayloadOverrun => seen.push(Seen::Overrun),
                }
            }
        }
        seen
    }

    fn line(text: &str) -> Seen {
        Seen::Line(text.into())
    }

    #[test]
    fn echo_line_answer_and_result_are_lines() {
        let seen = run([&b"AT+X?\r\r\n+X: 1\r\n\r\nOK\r\n"[..]]);
        assert_eq!(seen, [line("AT+X?"), line("+X: 1"), line("OK")]);
    }

    #[test]
    fn payload_that_looks_like_lines_is_payload() {
        let seen = run([&b"\r\n#9\r\n\r\nOK\r\n> x\r\n\r\nOK\r\n"[..]]);
        let payload = Seen::Payload(b"\r\nOK\r\n> x".to_vec());
        assert_eq!(seen, [line("#9"), payload, Seen::End, line("OK")]);
    }

    #[test]
    fn payload_may_begin_inside_a_line() {
        let cue = |text: &str| Seen::Cue(text.into());
        let payload = |text: &[u8]| Seen::Payload(text.to_vec());
        let quotes = |text: &[u8]| run_with(Some(b'"'), [text]);
        assert_eq!(
            quotes(b"\r\n=5\"\"\r\nOK\"\r\n\r\nOK\r\n"),
            [cue("=5\""), payload(b"\"\r\nOK"), Seen::End, line("OK")]
        );
        assert_eq!(
            quotes(b"=0\"\"\r\nOK\n"),
            [cue("=0\""), Seen::End, line("OK")]
        );
        // A cue that begins no payload is a character of the line.
        assert_eq!(
            quotes(b"+X: \"a\"\r\n"),
            [cue("+X: \""), cue("+X: \"a\""), line("+X: \"a\"")]
        );
        // The closing quote is missing, or text stands after it.
        for (text, behind) in [
            (&b"=1\"ab\n"[..], "b"),
            (b"=1\"a\"b\n", "b"),
            (b"=1\"a\"\"\n", "\""),
        ] {
            let mut seen = quotes(text);
            seen.retain(|event| !matches!(event, Seen::Cue(text) if text == "\""));
            let expected = [
                cue("=1\""),
                payload(b"a"),
                Seen::End,
                Seen::Overrun,
                line(behind),
            ];
            assert_eq!(seen, expected);
        }
        // A comma has no closing character.
        let commas = run_with(Some(b','), [&b"=2,a,\r\nOK\r\n"[..]]);
        assert_eq!(commas, [cue("=2,"), payload(b"a,"), Seen::End, line("OK")]);
        // Without a cue the text is a line.
        assert_eq!(run([&b"=2\"ab\"\r\n"[..]]), [line("=2\"ab\"")]);
    }

    #[test]
    fn bytes_behind_the_payload_are_an_overrun() {
        let seen = run([&b"#2\r\nabc\r\nOK\r\n"[..]]);
        let payload = Seen::Payload(b"ab".to_vec());
        assert_eq!(
            seen,
            [
                line("#2"),
                payload,
                Seen::End,
                Seen::Overrun,
                line("c"),
                line("OK")
            ]
        );
    }

    #[test]
    fn line_ends_behind_payload_are_counted() {
        for (input, ends) in [
            (&b"#2\r\nab\r\n\r\nOK\r\n"[..], 4),
            (b"#2\r\nab\r\nOK\r\n", 2),
            (b"#2\r\nab\n\r\n\r\nOK\r\n", 5),
            (b"#2\r\nab\r\r\n\r\nOK\n", 5),
            (b"#0\r\n\r\nOK\r\r\n", 2),
            // The line ends of a line in between count too, wherever it comes.
            (b"#2\r\nab\r\n\r\nurc\r\n\r\nOK\r\n", 8),
            (b"#2\r\nab\r\n\r\n\r\nurc\r\nOK\r\n", 8),
        ] {
            for size in [1, 2, 3, input.len()] {
                let mut framer = Framer::new();
                let mut seen = None;
                for mut chunk in input.chunks(size) {
                    while let Some(event) = framer.next(&mut chunk) {
                        match framer.line() {
                            _ if event != Event::Line => {}
                            b"OK" => seen = Some(framer.ends_before_line()),
                            [b'#', digit] => framer.expect_payload(usize::from(digit - b'0')),
                            _ => {}
                        }
                    }
                }
                assert_eq!(seen, Some(ends), "{}", input.escape_ascii());
            }
        }
    }

    #[test]
    fn empty_payload_ends_before_the_next_byte() {
        assert_eq!(run([&b"#0\r\n"[..]]), [line("#0"), Seen::End]);
    }

    #[test]
    fn prompt_needs_no_line_end_and_counts_only_when_armed() {
        assert_eq!(run([&b"\r\n> \r\n"[..]]), [line("> ")]);
        assert_eq!(run([&b"?\r\n\r\n>"[..]]), [line("?"), Seen::Prompt]);
        let seen = run([&b"?\r\n+Q: >1\r\n\r\n> \r\nOK\r\n"[..]]);
        assert_eq!(seen, [line("?"), line("+Q: >1"), Seen::Prompt, line("OK")]);
    }

    #[test]
    fn over_long_line_is_cut_once() {
        let mut long = Vec::from([b'x'; LINE_LIMIT]);
        long.extend(b"\r\n");
        assert_eq!(run([&long[..]]), [line(&"x".repeat(LINE_LIMIT))]);
        long.insert(0, b'x');
        long.extend(b"OK\r\n");
        assert_eq!(run([&long[..]]), [Seen::Cut(LINE_LIMIT), line("OK")]);
    }

    #[test]
    fn long_lines_come_in_pieces_where_that_is_wanted() {
        for len in [
            LINE_LIMIT - 1,
            LINE_LIMIT,
            LINE_LIMIT + 1,
            2 * LINE_LIMIT,
            700,
        ] {
            let long: String = (0..len)
                .map(|at| (b'a' + (at % 26) as u8) as char)
                .collect();
            let seen = run([std::format!("%\r\n{long}\r\nOK\r\n").as_bytes()]);
            let mut whole = String::new();
            for (index, part) in seen[1..seen.len() - 1].iter().enumerate() {
                match part {
                    Seen::Piece(text) => whole.push_str(text),
                    Seen::Line(text) if index + 3 == seen.len() => whole.push_str(text),
                    other => panic!("{other:?}"),
                }
            }
            assert_eq!(whole, long);
            assert_eq!(seen.last(), Some(&line("OK")));
        }
    }

    #[test]
    fn only_what_goes_on_is_continued() {
        let mut framer = Framer::default();
        framer.want_pieces(true);
        let text = [&[b'x'; 300][..], b"\r\nOK\r\n"].concat();
        let mut input = &text[..];
        let mut seen = Vec::new();
        while let Some(event) = framer.next(&mut input) {
            let piece = event == Event::Piece;
            seen.push((piece, framer.line().len(), framer.is_continued()));
        }
        assert_eq!(
            seen,
            [(true, 256, false), (false, 44, true), (false, 2, false)]
        );
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2000))]
        #[test]
        fn chunk_boundaries_never_change_the_events(
            pieces in prop::collection::vec(prop_oneof![
                Just(b"\r\n".to_vec()), Just(b"\r".to_vec()), Just(b"\n".to_vec()), Just(b"> ".to_vec()), Just(b">".to_vec()),
                Just(b"?\r\n".to_vec()), Just(b"OK\r\n".to_vec()), Just(b"#3\r\n".to_vec()),
                Just(b"=3\"abc\"".to_vec()), Just(b"=9\"".to_vec()), Just(b"=0\"\"\r\n".to_vec()), Just(b"\"".to_vec()),
                Just(b"%\r\n".to_vec()), Just(b"#0\r\n".to_vec()), Just(b"#40\r\n".to_vec()), Just([b'y'; 300].to_vec()),
                prop::collection::vec(any::<u8>(), 0..12),
            ], 0..24),
            cuts in prop::collection::vec(1usize..40, 1..40),
            cue in prop::sample::select(&[None, Some(b'"'), Some(b',')][..]),
        ) {
            let bytes = pieces.concat();
            let run = |chunks: Vec<&[u8]>| run_with(cue, chunks);
            let whole = run(vec![&bytes[..]]);
            prop_assert_eq!(&whole, &run(bytes.chunks(1).collect()));
            let mut rest = &bytes[..];
            let mut chunks = Vec::new();
            for cut in cuts.iter().cycle() {
                if rest.is_empty() {
                    break;
                }
                let (chunk, behind) = rest.split_at((*cut).min(rest.len()));
                chunks.push(chunk);
                rest = behind;
            }
            prop_assert_eq!(&whole, &run(chunks));
        }
    }
}
