//! What nobody may type, see [`sectag::Control::raw_at`].

use sectag::Forbidden;

pub(super) static FORBIDDEN: [Forbidden; 20] = [
    // They change the mode, or what the driver has set.
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
    // Peers beside the driver's.
    Forbidden::new("+UDCP", Forbidden::SOCKET),
    Forbidden::new("+UDCPC", Forbidden::SOCKET),
    Forbidden::new("+UDDRP", Forbidden::SOCKET),
    Forbidden::new("+UDSC", Forbidden::NONE),
    // They prompt.
    Forbidden::new("+USECMNG", Forbidden::STORE),
    Forbidden::new("+UFWUPD", Forbidden::NONE),
    // S-registers: what ends a line, and what leaves data mode.
    Forbidden::new("S*", Forbidden::OURS),
    Forbidden::new("+CSGT", Forbidden::OURS),
];
