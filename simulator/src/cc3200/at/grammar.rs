//! The grammar of the AT application: a name, and parameters whose number must match exactly (sheet
//! 1.2).

/// The reason why a line is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wrong {
    /// The command does not exist, or the line is no command.
    Command,
    /// Too few or too many commas.
    Count,
    /// The line has too few commas in front of data, so that the application overruns its buffer (sheet
    /// 1.2).
    Overrun,
    /// A parameter is not of its kind.
    Parameter(i32),
}

/// A command. Its parameters are without quotes, and without spaces around them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Command {
    pub(super) name: String,
    pub(super) args: Vec<String>,
    /// The bytes behind the last comma of a data command.
    pub(super) data: Vec<u8>,
}

/// Commands with a fixed number of parameters (sheet 1.4).
const COUNTS: [(&str, usize); 26] = [
    ("start", 0),
    ("stop", 1),
    ("test", 0),
    ("get", 2),
    ("wlanconnect", 7),
    ("wlandisconnect", 0),
    ("wlanscan", 2),
    ("wlanprofiledel", 1),
    ("wlanpolicyset", 3),
    ("wlansetmode", 1),
    ("netappgethostbyname", 2),
    ("netcfgget", 1),
    ("socket", 3),
    ("close", 1),
    ("connect", 4),
    ("recv", 3),
    ("select", 4),
    ("getsockopt", 3),
    ("fileopen", 3),
    ("fileread", 4),
    ("fileclose", 3),
    ("filedel", 2),
    ("filegetinfo", 2),
    ("filegetfilelist", 0),
    ("filectl", 4),
    ("netcfgset", 2),
];

/// Commands with any number of parameters.
const FREE: [&str; 2] = ["set", "setsockopt"];

/// Commands whose last parameter is data, with the number of commas in front of it.
const DATA: [(&str, usize); 2] = [("send", 3), ("filewrite", 4)];

impl Command {
    pub(super) fn parse(line: &[u8]) -> Result<Self, Wrong> {
        let end = line.iter().position(|byte| *byte == b'=');
        let (name, rest) = line.split_at(end.unwrap_or(line.len()));
        let name = String::from_utf8_lossy(name).trim().to_lowercase();
        let name = name.strip_prefix("at+").ok_or(Wrong::Command)?.trim();
        let rest = rest.get(1..);
        let command = |args, data| {
            let name = name.to_owned();
            Ok(Self { name, args, data })
        };
        if let Some((_, commas)) = DATA.iter().find(|known| known.0 == name) {
            let mut rest = rest.unwrap_or(&[]);
            let mut args = Vec::new();
            for _ in 0..*commas {
                let end = rest.iter().position(|byte| *byte == b',');
                let end = end.ok_or(Wrong::Overrun)?;
                args.push(String::from_utf8_lossy(&rest[..end]).trim().to_owned());
                rest = &rest[end + 1..];
            }
            return command(args, rest.to_vec());
        }
        let args = rest.map_or(Vec::new(), split);
        let fixed = COUNTS.iter().find(|known| known.0 == name);
        match fixed {
            Some((_, count)) if args.len() == *count => {}
            // No parameter is expected, and none was given.
            Some((_, 0)) if args.iter().all(String::is_empty) => {}
            Some(_) => return Err(Wrong::Count),
            None if FREE.contains(&name) => {}
            None => return Err(Wrong::Command),
        }
        command(args, Vec::new())
    }

    pub(super) fn text(&self, index: usize) -> &str {
        self.args.get(index).map_or("", String::as_str)
    }

    /// Returns a parameter that is a word of a list, in lower case.
    pub(super) fn word(&self, index: usize) -> String {
        self.text(index).to_lowercase()
    }

    /// Returns a parameter that is a number, as `strtoul` reads it: decimal, `0x..`, or octal behind a
    /// 0; a minus sign wraps.
    pub(super) fn number(&self, index: usize) -> Result<u32, Wrong> {
        let text = self.text(index);
        let (negative, digits) = match text.strip_prefix('-') {
            Some(digits) => (true, digits),
            None => (false, text),
        };
        let number = if let Some(hex) = digits.strip_prefix("0x") {
            u32::from_str_radix(hex, 16)
        } else if digits.len() > 1 && digits.starts_with('0') {
            u32::from_str_radix(digits, 8)
        } else {
            digits.parse()
        };
        let number = number.map_err(|_| Wrong::Parameter(-1))?;
        Ok(if negative {
            number.wrapping_neg()
        } else {
            number
        })
    }
}

/// Splits the parameters at commas outside quotes.
fn split(text: &[u8]) -> Vec<String> {
    let mut args = Vec::new();
    let mut rest = text;
    loop {
        let start = rest.iter().take_while(|byte| **byte == b' ').count();
        rest = &rest[start..];
        let (arg, behind) = match rest.strip_prefix(b"\"") {
            Some(inner) => {
                // A quote ends the text only directly in front of a delimiter.
                let end = inner.iter().enumerate().position(|(at, byte)| {
                    *byte == b'"' && matches!(inner.get(at + 1), None | Some(b','))
                });
                let end = end.unwrap_or(inner.len());
                (&inner[..end], inner.get(end + 1..).unwrap_or(&[]))
            }
            None => {
                let end = rest.iter().position(|byte| *byte == b',');
                rest.split_at(end.unwrap_or(rest.len()))
            }
        };
        args.push(String::from_utf8_lossy(arg).trim_end().to_owned());
        match behind.strip_prefix(b",") {
            Some(more) => rest = more,
            None => return args,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn args(line: &str) -> Vec<String> {
        Command::parse(line.as_bytes()).unwrap().args
    }

    #[test]
    fn lines_are_read_as_the_application_does() {
        assert_eq!(args("AT+Socket=INET,STREAM,SEC"), ["INET", "STREAM", "SEC"]);
        // A form that a user types.
        assert_eq!(args("AT+SetSockOpt =0,SOCKET,SECMETHOD,TLSV1_2").len(), 4);
        assert_eq!(
            args("at+wlanconnect=\"my, net\",,WPA_WPA2,\"a\"b\",,,"),
            ["my, net", "", "WPA_WPA2", "a\"b", "", "", ""]
        );
        assert_eq!(Command::parse(b"AT+Close=0,"), Err(Wrong::Count));
        assert_eq!(Command::parse(b"AT+FileClose=1"), Err(Wrong::Count));
        assert_eq!(Command::parse(b"AT"), Err(Wrong::Command));
        assert_eq!(Command::parse(b",,,,"), Err(Wrong::Command));
        assert_eq!(Command::parse(b"AT+Reset"), Err(Wrong::Command));
        assert_eq!(Command::parse(b"AT+Send=1,1"), Err(Wrong::Overrun));
        let send = Command::parse(b"AT+Send=1,1,4,a,b=").unwrap();
        assert_eq!((send.args.len(), &send.data[..]), (3, &b"a,b="[..]));
    }

    #[test]
    fn numbers_are_those_of_strtoul() {
        let number = |text: &str| {
            let command = Command::parse(format!("AT+Close={text}").as_bytes()).unwrap();
            command.number(0)
        };
        assert_eq!(number("17"), Ok(17));
        assert_eq!(number("0x1f"), Ok(31));
        assert_eq!(number("010"), Ok(8));
        assert_eq!(number("-1"), Ok(u32::MAX));
        assert_eq!(number("x"), Err(Wrong::Parameter(-1)));
    }
}
