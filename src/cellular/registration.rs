//! The answers about network registration (`+CREG`, `+CGREG`, `+CEREG`, 27.007).

use crate::at::{Fields, answer, decimal};
use crate::error::{BringUpError, Excerpt};

/// `<stat>` of a modem of which it is not known whether it is registered.
const UNKNOWN: u8 = 4;

/// What a modem answers about its registration while it is waited for.
#[derive(Clone, Copy)]
pub struct Registering {
    status: u8,
    unread: Option<Excerpt>,
}

impl Registering {
    /// The state before the first answer.
    pub const NEW: Self = Self {
        status: UNKNOWN,
        unread: None,
    };

    /// Takes the answer to a query by its prefix, and returns its `<stat>`. `None` is a refusal, as of a modem that does
    /// not know the query. A round of queries begins with `+CEREG:`.
    ///
    /// An answer that cannot be read counts as 4, unknown, so that the query is repeated: noise is over the next time.
    /// [`failure`](Self::failure) shows it where it is not.
    pub fn told(&mut self, text: Option<&[u8]>, prefix: &str) -> u8 {
        if prefix == "+CEREG:" {
            *self = Self::NEW;
        }
        let Some(text) = text else {
            return UNKNOWN;
        };
        let stat = registration(text, prefix);
        if stat.is_none() {
            self.unread.get_or_insert(Excerpt::of(text.trim_ascii()));
        }
        let stat = stat.unwrap_or(UNKNOWN);
        // Where there is no LTE, `+CEREG` says 0 or 4.
        if matches!(self.status, 0 | UNKNOWN) {
            self.status = stat;
        }
        stat
    }

    /// Returns the error of a modem that has not registered in time, and of which it is known or not whether it `heard` any
    /// cell.
    pub fn failure(&self, heard: Option<bool>) -> BringUpError {
        BringUpError::NotRegistered {
            status: self.status,
            heard,
            unread: self.unread,
        }
    }
}

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
    extern crate std;
    use std::string::ToString;

    use super::*;

    /// Says what the last round of queries has brought.
    #[test]
    fn an_answer_that_cannot_be_read_is_in_the_error() {
        for (lte, gprs, status, unread) in [
            (Some("+CEREG: 0,2"), Some("+CGREG: 0,0"), 2, None),
            (Some("+CEREG: 0,0"), Some("+CGREG: 0,3"), 3, None),
            // A modem without LTE, and one without anything else.
            (None, Some("+CGREG: 0,2"), 2, None),
            (Some("+CEREG: 0,0"), None, 0, None),
            (Some("+CEREG: 0,400"), None, 4, Some("\"+CEREG: 0,400\"")),
            (Some(""), Some("+CGREG: 0,2"), 2, Some("\"\"")),
            (Some("+CEREG: 0,2"), Some("+CGREG:"), 2, Some("\"+CGREG:\"")),
        ] {
            let mut registering = Registering::NEW;
            registering.told(Some(b"+CEREG: x"), "+CEREG:");
            registering.told(lte.map(str::as_bytes), "+CEREG:");
            registering.told(gprs.map(str::as_bytes), "+CGREG:");
            let BringUpError::NotRegistered {
                status: told,
                unread: kept,
                ..
            } = registering.failure(None)
            else {
                panic!("another error");
            };
            assert_eq!(told, status, "{lte:?} {gprs:?}");
            let kept = kept.map(|kept| kept.to_string());
            assert_eq!(kept.as_deref(), unread, "{lte:?} {gprs:?}");
            let text = registering.failure(None).to_string();
            assert!(unread.is_none_or(|unread| text.contains(unread)), "{text}");
        }
    }

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
