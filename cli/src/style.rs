//! How text looks on a terminal: colour for the words that count, lines broken between words. Elsewhere, and with
//! NO_COLOR for the colour, text stays as it is.

use console::{Style, Term, measure_text_width};

/// Where lines go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stream {
    Out,
    Err,
}

/// Text for a stream, broken at the terminal's width; what is broken off is indented by `indent` columns, or behind
/// its first word when that is `None`.
pub(crate) fn shown(text: &str, indent: Option<usize>, stream: Stream) -> String {
    let (term, colours) = match stream {
        Stream::Out => (Term::stdout(), console::colors_enabled()),
        Stream::Err => (Term::stderr(), console::colors_enabled_stderr()),
    };
    if !term.is_term() {
        return text.to_owned();
    }
    let text = &escaped(text);
    let width = term
        .size_checked()
        .map_or(80, |(_, columns)| usize::from(columns));
    let lines: Vec<String> = text
        .lines()
        .map(|line| {
            let indent = indent.unwrap_or_else(|| first_word(line));
            let broken = wrapped(line, indent, width);
            if colours { coloured(&broken) } else { broken }
        })
        .collect();
    lines.join("\n")
}

/// Text without what a terminal obeys: modems, brokers and files say what they like.
pub(crate) fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if c.is_control() && c != '\n' && c != '\t' {
            out.push_str(&format!("\\x{:02x}", u32::from(c)));
        } else {
            out.push(c);
        }
    }
    out
}

/// The columns of a label such as `hint:`, with the space behind it.
fn first_word(line: &str) -> usize {
    match line.split_once(' ') {
        Some((label, _)) if label.ends_with(':') => label.len() + 1,
        _ => 0,
    }
}

/// The least width of a column that is kept.
const COLUMN: usize = 24;

/// A line, broken between words where it is longer than `width`.
fn wrapped(line: &str, indent: usize, width: usize) -> String {
    // On a narrow terminal, a column of single words would be worse.
    let indent = if indent + COLUMN > width { 4 } else { indent };
    if measure_text_width(line) <= width {
        return line.to_owned();
    }
    let mut out = String::new();
    let mut column = 0;
    // Spaces within the line are kept: tables have them.
    for word in line.split_inclusive(' ') {
        let long = measure_text_width(word.trim_end());
        if column > indent && column + long > width {
            out.truncate(out.trim_end().len());
            out.push('\n');
            out.extend(std::iter::repeat_n(' ', indent));
            column = indent;
        }
        out.push_str(word);
        column += measure_text_width(word);
    }
    out
}

/// The word at the beginning, if it is one that counts.
fn coloured(line: &str) -> String {
    let style = match line.split([' ', '\t']).next().unwrap_or_default() {
        "error:" | "FAIL" => Style::new().red().bold(),
        "warning:" => Style::new().yellow().bold(),
        "hint:" => Style::new().cyan(),
        "ok" | "done" => Style::new().green(),
        _ => return line.to_owned(),
    };
    let (word, rest) = line.split_at(line.find([' ', '\t']).unwrap_or(line.len()));
    // Whether there is colour is decided by the stream, above.
    format!("{}{rest}", style.force_styling(true).apply_to(word))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_broken_between_words_and_indented() {
        assert_eq!(
            wrapped("hint: a port that is open in another program", 6, 30),
            "hint: a port that is open in\n      another program"
        );
        assert_eq!(wrapped("short", 6, 30), "short");
        // A table keeps its columns,
        assert_eq!(
            wrapped("ok    port    is open now, and it was before", 14, 38),
            "ok    port    is open now, and it was\n              before"
        );
        // where there is room for them.
        assert_eq!(
            wrapped("ok    port    is open now, and it was", 14, 20),
            "ok    port    is\n    open now, and it\n    was"
        );
        // A word that is longer than the line is not cut: it may be a command or a path.
        assert_eq!(
            wrapped("see also https://example.com/a/b", 4, 10),
            "see also\n    https://example.com/a/b"
        );
        // Where it would begin in the same column again, nothing is gained by a break.
        assert_eq!(
            wrapped("see https://example.com/a/b", 4, 10),
            "see https://example.com/a/b"
        );
    }

    #[test]
    fn a_terminal_is_given_nothing_to_obey() {
        assert_eq!(
            escaped("a\u{1b}]0;title\u{7}\r\u{9b}2J\tb\nc\u{e9}"),
            "a\\x1b]0;title\\x07\\x0d\\x9b2J\tb\nc\u{e9}"
        );
    }

    #[test]
    fn only_the_word_in_front_is_coloured() {
        assert_eq!(coloured("FAIL  it"), "\u{1b}[31m\u{1b}[1mFAIL\u{1b}[0m  it");
        assert_eq!(coloured("nothing"), "nothing");
    }
}
