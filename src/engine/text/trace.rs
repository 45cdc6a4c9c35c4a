//! The trace of command lines and answers, without the arguments of secret commands.

use crate::fmt::Ascii;

/// The commands whose arguments are secret on every modem (27.007): PIN, passwords of facilities, the login to an access
/// point. Most are sent only by users. A name with a question mark is a query whose answer is secret.
static SECRET: [&str; 5] = ["+CPIN", "+CPWD", "+CLCK", "+CGAUTH", "+CGAUTH?"];

/// Returns whether a command line contains a secret command, at any place. A line without arguments, or without a query
/// whose answer is secret, has nothing to hide. Blanks that a user has typed do not count.
pub(crate) fn is_secret(line: &[u8], secret: &[&str]) -> bool {
    let has = |name: &[u8]| {
        (0..line.len()).any(|start| {
            let mut typed = line[start..].iter().filter(|byte| **byte != b' ');
            name.iter().all(|byte| {
                typed
                    .next()
                    .is_some_and(|typed| typed.eq_ignore_ascii_case(byte))
            })
        })
    };
    let arguments = line.contains(&b'=');
    let mut names = SECRET.iter().chain(secret);
    names.any(|name| (arguments || name.ends_with('?')) && has(name.as_bytes()))
}

pub(super) fn trace_command(line: &[u8], secret: bool) {
    match line
        .iter()
        .position(|&byte| byte == b'=')
        .filter(|_| secret)
    {
        Some(end) => trace!("> {}=(masked)", Ascii(&line[..end])),
        None => trace!("> {}", Ascii(line)),
    }
}

pub(super) fn trace_line(line: &[u8], hidden: bool) {
    // An echo repeats a command, which may be a secret one.
    let shown = if line.starts_with(b"AT") {
        &line[..2]
    } else {
        line
    };
    if hidden {
        trace!("< ({} bytes)", line.len());
    } else {
        trace!("< {}", Ascii(shown));
    }
}

#[cfg(test)]
mod tests {
    use super::is_secret;

    #[test]
    fn secret_commands_are_known_as_users_type_them() {
        let secret = ["+QSSLCFG=\"psk\""];
        for line in [
            "AT+CPIN=1234",
            "at+cpin = 1234",
            "AT+QSSLCFG= \"psk\",1",
            "AT+CSQ;+CPIN=1234",
        ] {
            assert!(is_secret(line.as_bytes(), &secret), "{line}");
        }
        for line in ["AT+CPIN?", "AT+QSSLCFG=\"sni\",1", "", " "] {
            assert!(!is_secret(line.as_bytes(), &secret), "{line}");
        }
    }
}
