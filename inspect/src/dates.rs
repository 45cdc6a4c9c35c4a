use crate::clock::DateTime;

/// Parses a UTCTime (`YYMMDDHHMMSSZ`) or GeneralizedTime (`YYYYMMDDHHMMSSZ`), which differ in length, in the single form
/// that RFC 5280 allows for each.
pub(super) fn parse(text: &[u8]) -> Option<DateTime> {
    let (digits, b"Z") = text.split_at_checked(text.len().checked_sub(1)?)? else {
        return None;
    };
    let pair = |index: usize| match digits.get(2 * index..)? {
        [tens @ b'0'..=b'9', ones @ b'0'..=b'9', ..] => Some((tens - b'0') * 10 + (ones - b'0')),
        _ => None,
    };
    let (year, rest) = match digits.len() {
        // RFC 5280, 4.1.2.5.1: years from 50 on are in the last century.
        12 => match pair(0)? {
            year @ 0..=49 => (2000 + u16::from(year), 1),
            year => (1900 + u16::from(year), 1),
        },
        14 => (u16::from(pair(0)?) * 100 + u16::from(pair(1)?), 2),
        _ => return None,
    };
    DateTime::new(
        year,
        pair(rest)?,
        pair(rest + 1)?,
        pair(rest + 2)?,
        pair(rest + 3)?,
        pair(rest + 4)?,
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_forms() {
        let date = DateTime::new(2026, 11, 20, 15, 15, 17);
        assert_eq!(parse(b"261120151517Z"), date);
        assert_eq!(parse(b"20261120151517Z"), date);
    }

    #[test]
    fn a_malformed_date_is_none() {
        let bad: [&[u8]; 9] = [
            b"",
            b"Z",
            b"991231235959Z",
            b"99991231235959Z",
            b"2611201515Z",
            b"261120151517",
            b"261120151517+0100",
            b"261320151517Z",
            b"26112015151xZ",
        ];
        for text in bad {
            assert_eq!(parse(text), None, "{}", text.escape_ascii());
        }
    }
}
