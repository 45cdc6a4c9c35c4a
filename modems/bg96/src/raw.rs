//! What nobody may type (sheet 0 to 4), see [`sectag::Control::raw_at`].

use sectag::Forbidden;

const fn forbid(name: &'static str, instead: &'static str) -> Forbidden {
    Forbidden {
        name,
        queries: false,
        instead,
    }
}

const SOCKET: &str = "Sockets::connect, and the Socket's read, write and close";
const STORE: &str = "the methods of CredentialStore";
const NONE: &str = "nothing: the modem would leave line mode, and has no typed call for it";
const OURS: &str = "nothing: the driver needs this setting as it made it";
const POWER: &str = "Control::power_off and Control::power_on";

pub(crate) static FORBIDDEN: [Forbidden; 37] = [
    // They prompt, or their answer carries bytes that no line discipline applies to.
    forbid("+QSSLOPEN", SOCKET),
    forbid("+QSSLSEND", SOCKET),
    forbid("+QSSLRECV", SOCKET),
    forbid("+QSSLCLOSE", SOCKET),
    forbid("+QIOPEN", SOCKET),
    forbid("+QISEND*", SOCKET),
    forbid("+QIRD", SOCKET),
    forbid("+QISWTMD", SOCKET),
    forbid("+QFUPL", STORE),
    forbid("+QFDWL", STORE),
    forbid("+QFREAD", STORE),
    forbid("+QFWRITE", STORE),
    forbid("+QHTTP*", NONE),
    forbid("+QFTP*", NONE),
    forbid("+QMTPUB*", NONE),
    forbid("+QSMTP*", NONE),
    forbid("+CMGS", NONE),
    forbid("+CMGW", NONE),
    forbid("+CMGC", NONE),
    forbid("+CNMA", NONE),
    // The text of a short message may look like anything.
    forbid("+CMGR", NONE),
    forbid("+CMGL", NONE),
    forbid("+CGDATA", NONE),
    forbid("+CMUX", NONE),
    // Written on every open; in between, somebody else's would weaken the verification.
    forbid("+QSSLCFG", "TlsConfig"),
    forbid("+CPIN", "Config::pin, which is tried once only"),
    forbid("+IPR", OURS),
    forbid("+ICF", OURS),
    forbid("+IFC", "Config::flow_control"),
    forbid("+CMEE", OURS),
    forbid("+QURCCFG", OURS),
    forbid("+QINDCFG", OURS),
    forbid("+QISDE", OURS),
    forbid("+QSCLK", "Control::sleep"),
    forbid("+CFUN", POWER),
    forbid("+QPOWD", POWER),
    Forbidden {
        name: "+CGACT",
        queries: true,
        instead: "AT+QIACT?: this one hangs the modem until it is reset (sheet 1.6)",
    },
];
