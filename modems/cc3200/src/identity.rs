//! The identity of the chip for `Control::status`.

use core::fmt::Write;

use sectag::Status;

/// Sets the manufacturer, and the firmware of the network processor if its version is known.
pub(crate) fn tell(version: [u8; 4], status: &mut Status) {
    status.manufacturer = Some(text("Texas Instruments"));
    if version != [0; 4] {
        let mut firmware = text("");
        let [a, b, c, d] = version;
        let _ = write!(firmware, "{a}.{b}.{c}.{d}");
        status.firmware = Some(firmware);
    }
}

/// Returns as much of a text as fits.
pub(crate) fn text<const N: usize>(text: &str) -> heapless::String<N> {
    let mut whole = heapless::String::new();
    let _ = whole.push_str(text);
    whole
}
