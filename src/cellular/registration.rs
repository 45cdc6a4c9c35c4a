//! The answers about network registration (`+CREG`, `+CGREG`, `+CEREG`, 27.007).

use crate::at::{Fields, answer, decimal};

/// Returns `<stat>` of the answer to a query of registration: 1 home, 5 roaming, see
/// [`Registration`](crate::Registration). `None` where there is none, or the line is the URC with `<stat>` alone.
///
/// The answer is `<n>,<stat>[,"<area>",..]`. Some firmware leaves `<n>` out, so that it looks like the URC
/// (`<stat>[,"<area>",..]`): there a string follows the first number.
pub fn registration(text: &[u8], prefix: &str) -> Option<u8> {
    let mut fields = Fields::new(answer(text, prefix)?);
    let first = fields.byte()?;
    match fields.next() {
        Some([b'"', ..]) => Some(first),
        Some(second) => decimal(second)?.try_into().ok(),
        None => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_status_is_found_in_either_form() {
        let stat = |text: &str| registration(text.as_bytes(), "+CEREG:");
        assert_eq!(stat("+CEREG: 0,1"), Some(1));
        assert_eq!(stat("+CEREG: 2,5,\"2A\",\"1\",8"), Some(5));
        assert_eq!(stat("+CEREG: 4,0,\"0000\",\"00000000\", 0,0,0"), Some(0));
        assert_eq!(stat("+CEREG: 5,\"35c5\",\"00dcf406\",7"), Some(5));
        assert_eq!(stat("+CEREG:0,3"), Some(3));
        for none in ["+CEREG: 2", "+CEREG: x,1", "+CEREG: 0,x", "+CREG: 0,1", ""] {
            assert_eq!(stat(none), None, "{none}");
        }
    }
}
