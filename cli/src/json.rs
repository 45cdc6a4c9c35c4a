//! Just enough JSON to print: objects of texts, numbers and truths.

use std::fmt::Write;

/// An object under construction, on one line.
pub(crate) struct Object(String);

impl Object {
    pub(crate) fn new() -> Self {
        Self("{".into())
    }

    pub(crate) fn text(self, key: &str, value: &str) -> Self {
        let value = quote(value);
        self.raw(key, &value)
    }

    pub(crate) fn number(self, key: &str, value: u64) -> Self {
        self.raw(key, &value.to_string())
    }

    pub(crate) fn signed(self, key: &str, value: i64) -> Self {
        self.raw(key, &value.to_string())
    }

    pub(crate) fn truth(self, key: &str, value: bool) -> Self {
        self.raw(key, if value { "true" } else { "false" })
    }

    /// Text as it is; anything else in hex, under another key so that nobody takes one for the other.
    pub(crate) fn bytes(self, key: &str, value: &[u8]) -> Self {
        match std::str::from_utf8(value) {
            Ok(text) => self.text(key, text),
            Err(_) => {
                let hex: String = value.iter().map(|byte| format!("{byte:02x}")).collect();
                self.text(&format!("{key}_hex"), &hex)
            }
        }
    }

    pub(crate) fn texts(self, key: &str, values: &[impl AsRef<str>]) -> Self {
        let quoted: Vec<String> = values.iter().map(|value| quote(value.as_ref())).collect();
        self.raw(key, &format!("[{}]", quoted.join(",")))
    }

    /// Objects that are finished.
    pub(crate) fn objects(self, key: &str, values: &[String]) -> Self {
        self.raw(key, &format!("[{}]", values.join(",")))
    }

    pub(crate) fn finish(mut self) -> String {
        self.0.push('}');
        self.0
    }

    fn raw(mut self, key: &str, value: &str) -> Self {
        if self.0.len() > 1 {
            self.0.push(',');
        }
        self.0.push_str(&quote(key));
        self.0.push(':');
        self.0.push_str(value);
        self
    }
}

fn quote(text: &str) -> String {
    let mut quoted = String::from("\"");
    for c in text.chars() {
        match c {
            '"' => quoted.push_str("\\\""),
            '\\' => quoted.push_str("\\\\"),
            '\n' => quoted.push_str("\\n"),
            '\r' => quoted.push_str("\\r"),
            '\t' => quoted.push_str("\\t"),
            c if c < ' ' => {
                // Writing into a String cannot fail.
                let _ = write!(quoted, "\\u{:04x}", c as u32);
            }
            c => quoted.push(c),
        }
    }
    quoted.push('"');
    quoted
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_needs_escaping_is_escaped() {
        let object = Object::new()
            .text("a\"b", "c\\d\n\u{1}é")
            .number("n", 7)
            .truth("t", true)
            .bytes("p", b"\xff\x00");
        assert_eq!(
            object.finish(),
            r#"{"a\"b":"c\\d\n\u0001é","n":7,"t":true,"p_hex":"ff00"}"#
        );
        assert_eq!(Object::new().finish(), "{}");
    }
}
