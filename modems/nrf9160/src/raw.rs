//! What nobody may type, see [`sectag::Control::raw_at`].

use sectag::Forbidden;

pub(crate) static FORBIDDEN: [Forbidden; 3] = [
    // Another speed outlives a reset (sheet 1.1), and from sleep only a pin wakes it.
    Forbidden::new("#XSLMUART", Forbidden::OURS),
    Forbidden::new("#XSLEEP", Forbidden::NONE),
    Forbidden::new("#XSHUTDOWN", Forbidden::NONE),
];

/// What the radio hears.
pub(crate) static HARMLESS: [&str; 2] = ["%XMONITOR", "+CESQ"];
