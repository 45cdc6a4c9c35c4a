//! Commands that [`sectag::Control::raw_at`] refuses, and those that it need not follow with a
//! bring-up.

use sectag::Forbidden;

pub(crate) static FORBIDDEN: [Forbidden; 3] = [
    // Another speed outlives a reset (sheet 1.1), and only a pin ends sleep.
    Forbidden::new("#XSLMUART", Forbidden::OURS),
    Forbidden::new("#XSLEEP", Forbidden::NONE),
    Forbidden::new("#XSHUTDOWN", Forbidden::NONE),
];

/// Queries of the radio's reception.
pub(crate) static HARMLESS: [&str; 2] = ["%XMONITOR", "+CESQ"];
