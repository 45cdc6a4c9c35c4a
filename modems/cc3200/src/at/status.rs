//! Who the module is and how it fares.

use core::fmt::Write;

use sectag::modem::{Full, HasClock, NotThere, Reports, There};
use sectag::{At, Status};

use super::Cc32xx;

impl Reports for Cc32xx {
    async fn status(at: &At<'_, Self>, status: &mut Status) {
        let version = at.modem(|modem| modem.version);
        let _ = status.manufacturer.insert(text("Texas Instruments"));
        if version != [0; 4] {
            let mut firmware = text("");
            let [a, b, c, d] = version;
            let _ = write!(firmware, "{a}.{b}.{c}.{d}");
            status.firmware = Some(firmware);
        }
        status.clock = Self::clock(at).await.ok().flatten();
    }
}

impl Full for Cc32xx {
    type Clock = There;
    type Sim = NotThere;
    type Lines = There;
}

fn text<const N: usize>(text: &str) -> heapless::String<N> {
    let mut whole = heapless::String::new();
    let _ = whole.push_str(text);
    whole
}
