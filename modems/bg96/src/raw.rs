//! Commands that [`sectag::Control::raw_at`] refuses, and those that it need not follow with a
//! bring-up.

use sectag::Forbidden;

pub(crate) static FORBIDDEN: [Forbidden; 2] = [
    // Only the power key would bring the modem back.
    Forbidden::new("+QPOWD", "Control::power_off and Control::power_on"),
    Forbidden {
        name: "+CGACT",
        queries: true,
        instead: "AT+QIACT?: this one hangs the modem until it is reset (sheet 1.6)",
    },
];

/// Queries of battery and temperature.
pub(crate) static HARMLESS: [&str; 2] = ["+CBC", "+QTEMP"];
