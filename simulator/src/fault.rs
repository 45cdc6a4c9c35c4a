//! Named faults, for `sectag simulate --fault NAME[@K[:BEGINNING]]`. A fault happens to the K-th
//! command (from 1), or to every one. With a beginning, only commands that start with it count.

use crate::{Reaction, Script};

/// The names that [`fault`] knows, each with its effect.
pub const FAULTS: [(&str, &str); 4] = [
    ("silent", "the command is swallowed without an answer"),
    ("error", "the command is refused with ERROR"),
    ("garbage", "line noise instead of an answer"),
    ("reset", "the modem resets instead of answering"),
];

/// Returns the script of a named fault.
///
/// # Errors
/// A text for the user, if there is no such fault or K is not a number.
pub fn fault(text: &str) -> Result<Script, String> {
    let (name, which) = match text.split_once('@') {
        None => (text, None),
        Some((name, which)) => (name, Some(which)),
    };
    let (position, beginning) = match which {
        None => (None, String::new()),
        Some(which) => {
            let (position, beginning) = which.split_once(':').unwrap_or((which, ""));
            match position.parse::<u64>() {
                Ok(position) if position > 0 => (Some(position), beginning.to_owned()),
                _ => return Err(format!("{position:?} is no command number; the first is 1")),
            }
        }
    };
    let reaction = match name {
        "silent" => Reaction::Silent,
        "error" => Reaction::Reply(b"\r\nERROR\r\n".to_vec()),
        "garbage" => Reaction::Reply(b"\xf8\0\r\n+QS\xff\r\n".to_vec()),
        "reset" => Reaction::Reset,
        _ => {
            let known = FAULTS.map(|(name, _)| name).join(", ");
            return Err(format!("there is no fault {name:?}; there are {known}"));
        }
    };
    let mut count = 0;
    Ok(Box::new(move |line| {
        if !line.starts_with(beginning.as_bytes()) {
            return Reaction::Normal;
        }
        count += 1;
        if position.is_none_or(|position| position == count) {
            reaction.clone()
        } else {
            Reaction::Normal
        }
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_named_command_meets_the_fault() {
        let mut script = fault("reset@2").unwrap();
        assert_eq!(script(b"AT"), Reaction::Normal);
        assert_eq!(script(b"AT"), Reaction::Reset);
        assert_eq!(script(b"AT"), Reaction::Normal);
        let mut script = fault("error@2:AT+C").unwrap();
        assert_eq!(script(b"AT+CFUN?"), Reaction::Normal);
        assert_eq!(script(b"AT"), Reaction::Normal);
        assert!(matches!(script(b"AT+CEREG?"), Reaction::Reply(_)));
        assert_eq!(script(b"AT+CFUN?"), Reaction::Normal);
        assert!(FAULTS.iter().all(|(name, _)| fault(name).is_ok()));
        assert!(fault("nonsense").is_err());
        assert!(fault("reset@0").is_err());
    }
}
