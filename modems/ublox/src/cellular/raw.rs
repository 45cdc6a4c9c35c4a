//! Commands that [`sectag::Control::raw_at`] refuses (sheet B.1, B.2.1, B.2.2 and B.2.3).

use sectag::Forbidden;

const POWER: &str = "Control::power_off and Control::power_on";

pub(crate) static FORBIDDEN: [Forbidden; 34] = [
    // These prompt, or their answer carries raw bytes.
    Forbidden::new("+USOCR", Forbidden::SOCKET),
    Forbidden::new("+USOCO", Forbidden::SOCKET),
    Forbidden::new("+USOWR", Forbidden::SOCKET),
    Forbidden::new("+USORD", Forbidden::SOCKET),
    Forbidden::new("+USOCL", Forbidden::SOCKET),
    Forbidden::new("+USOSO", Forbidden::SOCKET),
    Forbidden::new("+USOST*", Forbidden::NONE),
    Forbidden::new("+USORF", Forbidden::NONE),
    Forbidden::new("+USOLI", Forbidden::NONE),
    Forbidden::new("+USODL", Forbidden::NONE),
    Forbidden::new("+UDWNFILE", Forbidden::NONE),
    Forbidden::new("+URDFILE", Forbidden::NONE),
    Forbidden::new("+URDBLOCK", Forbidden::NONE),
    Forbidden::new("+UHTTP*", Forbidden::NONE),
    Forbidden::new("+UFTP*", Forbidden::NONE),
    Forbidden::new("+UMQTT*", Forbidden::NONE),
    Forbidden::new("+UFWUPD", Forbidden::NONE),
    Forbidden::new("+USECMNG", Forbidden::STORE),
    // These are written on every open. A change in between would weaken the verification.
    Forbidden::new("+USECPRF", "TlsConfig"),
    Forbidden::new("+USOSEC", "TlsConfig"),
    Forbidden::new("+UDCONF", Forbidden::OURS),
    Forbidden::new("+UPSV", Forbidden::OURS),
    Forbidden::new("+UPSD", Forbidden::OURS),
    Forbidden::new("+UPSDA", Forbidden::OURS),
    Forbidden::new("+CGEREP", Forbidden::OURS),
    Forbidden::new("+CGDCONT", "Config::apn"),
    Forbidden::new("+CGACT", Forbidden::OURS),
    Forbidden::new("+UAUTHREQ", "Config::login"),
    Forbidden::new("+CFUN", POWER),
    Forbidden::new("+CPWROFF", POWER),
    Forbidden::new("&K*", "Config::flow_control"),
    Forbidden::new("+UMNOPROF", Forbidden::NONE),
    Forbidden::new("D", Forbidden::NONE),
    Forbidden::new("O", Forbidden::NONE),
];
