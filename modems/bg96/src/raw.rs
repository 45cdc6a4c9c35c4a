//! What nobody may type, see [`sectag::Control::raw_at`].

use sectag::Forbidden;

pub(crate) static FORBIDDEN: [Forbidden; 2] = [
    // Only the power key brings it back.
    Forbidden::new("+QPOWD", "Control::power_off and Control::power_on"),
    Forbidden {
        name: "+CGACT",
        queries: true,
        instead: "AT+QIACT?: this one hangs the modem until it is reset (sheet 1.6)",
    },
];

/// Battery and temperature.
pub(crate) static HARMLESS: [&str; 2] = ["+CBC", "+QTEMP"];
