//! What stands in a recording instead of a secret: as many bytes, so that every count stays right.

/// Any content.
pub(crate) fn all(bytes: &mut [u8]) {
    bytes.fill(b'x');
}

/// What may be a line: its ends stay.
pub(crate) fn text(bytes: &mut [u8]) {
    for byte in bytes {
        if !matches!(byte, b'\r' | b'\n') {
            *byte = b'x';
        }
    }
}

/// The arguments of a command line or of an answer: what stands behind the first `=` or `:`. Quotes and
/// the commas between arguments stay.
pub(crate) fn arguments(line: &mut [u8]) {
    let start = line.iter().position(|byte| matches!(byte, b'=' | b':'));
    // An answer without a name is nothing but content.
    let start = start.map_or(0, |at| at + 1);
    let mut quoted = false;
    for byte in &mut line[start..] {
        match byte {
            b'"' => quoted = !quoted,
            b',' if !quoted => {}
            b'\r' | b'\n' | b' ' => {}
            _ => *byte = b'x',
        }
    }
}

#[cfg(test)]
mod tests {
    fn masked(line: &str) -> String {
        let mut bytes = line.as_bytes().to_vec();
        super::arguments(&mut bytes);
        String::from_utf8(bytes).unwrap()
    }

    #[test]
    fn arguments_keep_their_shape_only() {
        assert_eq!(
            masked("AT+QICSGP=1,1,\"iot\",\"me\",\"a,b=c\",2\r"),
            "AT+QICSGP=x,x,\"xxx\",\"xx\",\"xxxxx\",x\r"
        );
        assert_eq!(
            masked("\r\n+QICSGP: 1,\"iot\"\r\n"),
            "\r\n+QICSGP: x,\"xxx\"\r\n"
        );
        assert_eq!(masked("\r\nsecret\r\n"), "\r\nxxxxxx\r\n");
        assert_eq!(
            masked("AT+CSQ;+CPIN=12;+X=\"3\"\r"),
            "AT+CSQ;+CPIN=xxxxxx\"x\"\r"
        );
    }
}
