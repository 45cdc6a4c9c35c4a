//! Commands that [`sectag::Control::raw_at`] refuses.

use sectag::Forbidden;

pub(super) static FORBIDDEN: [Forbidden; 20] = [
    // These change the mode, or a setting of the driver.
    Forbidden::new("O*", Forbidden::NONE),
    Forbidden::new("&D*", Forbidden::OURS),
    Forbidden::new("+UMSM", Forbidden::OURS),
    Forbidden::new("+UMRS", Forbidden::OURS),
    Forbidden::new("+UDCFG", Forbidden::OURS),
    Forbidden::new("+UWSC", "Config::new"),
    Forbidden::new("+UWSCA", "Config::new"),
    Forbidden::new("+UWCFG", Forbidden::OURS),
    Forbidden::new("+UWAPCA", Forbidden::NONE),
    Forbidden::new("+UFACTORY", Forbidden::NONE),
    Forbidden::new("+UPPPC", Forbidden::NONE),
    Forbidden::new("+UDWS", Forbidden::NONE),
    // These open or close peers beside the driver's.
    Forbidden::new("+UDCP", Forbidden::SOCKET),
    Forbidden::new("+UDCPC", Forbidden::SOCKET),
    Forbidden::new("+UDDRP", Forbidden::SOCKET),
    Forbidden::new("+UDSC", Forbidden::NONE),
    // These prompt for payload.
    Forbidden::new("+USECMNG", Forbidden::STORE),
    Forbidden::new("+UFWUPD", Forbidden::NONE),
    // S-registers set the line end and the escape from data mode.
    Forbidden::new("S*", Forbidden::OURS),
    Forbidden::new("+CSGT", Forbidden::OURS),
];
