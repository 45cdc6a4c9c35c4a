//! Comma-separated values (RFC 4180): the least that a spreadsheet writes and reads.

/// What is no table of this kind, in words; many programs call theirs CSV.
pub(super) fn doubt(content: &[u8]) -> Option<&'static str> {
    if content.starts_with(&[0xff, 0xfe]) || content.starts_with(&[0xfe, 0xff]) {
        return Some("it is in UTF-16: save it as CSV in UTF-8");
    }
    if content.contains(&b'\r') && !content.contains(&b'\n') {
        return Some("its lines end with CR alone: save it with LF, or CR and LF");
    }
    let first = content.split(|byte| *byte == b'\n').find(|line| {
        let begin = line.trim_ascii_start().first();
        begin.is_some_and(|byte| *byte != b'#')
    })?;
    let has = |wanted| first.contains(&wanted);
    if has(b',') {
        None
    } else if has(b';') {
        Some("its columns are separated by semicolons: save it with commas")
    } else if has(b'\t') {
        Some("its columns are separated by tabs: save it with commas")
    } else {
        None
    }
}

/// The records of a text, each with the number of the line that it begins at. Empty lines and lines that begin with #
/// are left out.
pub(super) fn read(text: &str) -> Result<Vec<(usize, Vec<String>)>, String> {
    let mut records = Vec::new();
    let mut line = 1;
    let text = text.trim_start_matches('\u{feff}');
    let mut chars = text.chars().peekable();
    while chars.peek().is_some() {
        let begin = line;
        let mut fields = vec![String::new()];
        let mut quoted = false;
        loop {
            let Some(c) = chars.next() else {
                if quoted {
                    return Err(format!("line {begin}: a quote that is not closed"));
                }
                break;
            };
            // There is always one.
            let last = fields.len() - 1;
            match c {
                '"' if quoted && chars.peek() == Some(&'"') => {
                    chars.next();
                    fields[last].push('"');
                }
                '"' if quoted || fields[last].trim().is_empty() => quoted = !quoted,
                ',' if !quoted => fields.push(String::new()),
                '\n' if !quoted => {
                    line += 1;
                    break;
                }
                c => {
                    line += usize::from(c == '\n');
                    fields[last].push(c);
                }
            }
        }
        let fields: Vec<String> = fields.iter().map(|field| field.trim().to_owned()).collect();
        let comment = fields[0].starts_with('#');
        if !comment && fields.iter().any(|field| !field.is_empty()) {
            records.push((begin, fields));
        }
    }
    Ok(records)
}

/// One record, with its line end.
pub(super) fn write(fields: &[&str]) -> String {
    let quoted: Vec<String> = fields
        .iter()
        .map(|field| {
            if field.contains([',', '"', '\n', '\r']) {
                format!("\"{}\"", field.replace('"', "\"\""))
            } else {
                (*field).to_owned()
            }
        })
        .collect();
    quoted.join(",") + "\n"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        let fields = ["a", "b, c", "d \"e\"", "", "two\nlines"];
        let text = format!("# remark\n\n{}{}", write(&fields), write(&["x"]));
        let records = read(&text).unwrap();
        assert_eq!(records.len(), 2);
        assert_eq!(records[0], (3, fields.map(String::from).to_vec()));
        assert_eq!(records[1], (5, vec!["x".to_owned()]));
    }

    #[test]
    fn what_other_programs_call_csv_is_named() {
        for (content, named) in [
            (&b"port;tag;ca\n"[..], Some("semicolons")),
            (b"# remark\nport\ttag\tca\n", Some("tabs")),
            (b"port,tag\rx,7\r", Some("CR alone")),
            (b"\xff\xfep\0", Some("UTF-16")),
            (b"# a; b\nport,tag\r\nx;y,7\r\n", None),
            (b"", None),
        ] {
            let found = doubt(content);
            assert_eq!(found.is_some(), named.is_some(), "{content:?}: {found:?}");
            assert!(
                found
                    .unwrap_or_default()
                    .contains(named.unwrap_or_default())
            );
        }
    }

    #[test]
    fn spreadsheets_of_other_systems_are_read() {
        let records = read("\u{feff}port, tag\r\n/dev/ttyUSB0 ,7").unwrap();
        assert_eq!(records[0].1, ["port", "tag"]);
        assert_eq!(records[1].1, ["/dev/ttyUSB0", "7"]);
        assert!(read("a,\"b").is_err());
    }
}
