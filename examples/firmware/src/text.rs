//! Text of a few words and numbers, without what `write!` would link.

use heapless::String;

/// Appends words and a number, as `write!` does. That would link number formatting of `core`, over a kilobyte, for these
/// few numbers. What does not fit is left out.
pub(crate) fn append(text: &mut String<96>, words: &str, number: u32) {
    let mut digits = [0; 10];
    let mut first = digits.len();
    let mut rest = number;
    loop {
        first -= 1;
        digits[first] = b'0' + (rest % 10) as u8;
        rest /= 10;
        if rest == 0 {
            break;
        }
    }
    let _ = text.push_str(words);
    for digit in &digits[first..] {
        let _ = text.push(char::from(*digit));
    }
}
