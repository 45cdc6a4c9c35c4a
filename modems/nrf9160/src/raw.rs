//! What nobody may type, see [`sectag::Control::raw_at`].

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

pub(crate) static FORBIDDEN: [Forbidden; 34] = [
    // They prompt, block the channel, carry raw bytes, or change which socket is the current one.
    forbid("#XSOCKET*", SOCKET),
    forbid("#XSSOCKET*", SOCKET),
    forbid("#XCONNECT", SOCKET),
    forbid("#XCLOSE", SOCKET),
    forbid("#XBIND", SOCKET),
    forbid("#XLISTEN", SOCKET),
    forbid("#XACCEPT", SOCKET),
    forbid("#XSEND*", SOCKET),
    forbid("#XRECV*", SOCKET),
    forbid("#XPOLL", SOCKET),
    forbid("#XAPOLL", SOCKET),
    forbid("#XTCP*", NONE),
    forbid("#XUDP*", NONE),
    forbid("#XMQTT*", NONE),
    forbid("#XHTTP*", NONE),
    forbid("#XFTP*", NONE),
    forbid("#XTFTP*", NONE),
    forbid("#XGPS*", NONE),
    forbid("#XNRFCLOUD*", NONE),
    forbid("#XCMNG", STORE),
    forbid("%CMNG", STORE),
    forbid("%KEYGEN", "DeviceKeys::generate_key"),
    forbid("%JWT", "DeviceKeys::sign_token"),
    forbid("%XTIME", OURS),
    forbid("#XDATACTRL", OURS),
    forbid("#XSLMUART", OURS),
    forbid("+IPR", OURS),
    forbid("+CMEE", OURS),
    forbid("+CFUN", OURS),
    forbid("+CPIN", "Config::pin, which is tried once only"),
    forbid("#XSLEEP", NONE),
    forbid("#XSHUTDOWN", NONE),
    forbid("#XRESET", NONE),
    forbid("#XMODEMRESET", NONE),
];
