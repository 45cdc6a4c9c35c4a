//! What nobody may type (sheet 0 to 4), see [`sectag::Control::raw_at`].

use sectag::Forbidden;

const POWER: &str = "Control::power_off and Control::power_on";

pub(crate) static FORBIDDEN: [Forbidden; 24] = [
    // They prompt, or their answer carries bytes that no line discipline applies to.
    Forbidden::new("+QSSLOPEN", Forbidden::SOCKET),
    Forbidden::new("+QSSLSEND", Forbidden::SOCKET),
    Forbidden::new("+QSSLRECV", Forbidden::SOCKET),
    Forbidden::new("+QSSLCLOSE", Forbidden::SOCKET),
    Forbidden::new("+QIOPEN", Forbidden::SOCKET),
    Forbidden::new("+QISEND*", Forbidden::SOCKET),
    Forbidden::new("+QIRD", Forbidden::SOCKET),
    Forbidden::new("+QISWTMD", Forbidden::SOCKET),
    Forbidden::new("+QFUPL", Forbidden::STORE),
    Forbidden::new("+QFDWL", Forbidden::STORE),
    Forbidden::new("+QFREAD", Forbidden::STORE),
    Forbidden::new("+QFWRITE", Forbidden::STORE),
    Forbidden::new("+QHTTP*", Forbidden::NONE),
    Forbidden::new("+QFTP*", Forbidden::NONE),
    Forbidden::new("+QMTPUB*", Forbidden::NONE),
    Forbidden::new("+QSMTP*", Forbidden::NONE),
    // Written on every open; in between, somebody else's would weaken the verification.
    Forbidden::new("+QSSLCFG", "TlsConfig"),
    Forbidden::new("+QURCCFG", Forbidden::OURS),
    Forbidden::new("+QINDCFG", Forbidden::OURS),
    Forbidden::new("+QISDE", Forbidden::OURS),
    Forbidden::new("+QSCLK", "Control::sleep"),
    Forbidden::new("+CFUN", POWER),
    Forbidden::new("+QPOWD", POWER),
    Forbidden {
        name: "+CGACT",
        queries: true,
        instead: "AT+QIACT?: this one hangs the modem until it is reset (sheet 1.6)",
    },
];
