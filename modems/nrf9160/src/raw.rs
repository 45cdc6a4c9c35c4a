//! What nobody may type, see [`sectag::Control::raw_at`].

use sectag::Forbidden;

pub(crate) static FORBIDDEN: [Forbidden; 31] = [
    // They prompt, block the channel, carry raw bytes, or change which socket is the current one.
    Forbidden::new("#XSOCKET*", Forbidden::SOCKET),
    Forbidden::new("#XSSOCKET*", Forbidden::SOCKET),
    Forbidden::new("#XCONNECT", Forbidden::SOCKET),
    Forbidden::new("#XCLOSE", Forbidden::SOCKET),
    Forbidden::new("#XBIND", Forbidden::SOCKET),
    Forbidden::new("#XLISTEN", Forbidden::SOCKET),
    Forbidden::new("#XACCEPT", Forbidden::SOCKET),
    Forbidden::new("#XSEND*", Forbidden::SOCKET),
    Forbidden::new("#XRECV*", Forbidden::SOCKET),
    Forbidden::new("#XPOLL", Forbidden::SOCKET),
    Forbidden::new("#XAPOLL", Forbidden::SOCKET),
    Forbidden::new("#XTCP*", Forbidden::NONE),
    Forbidden::new("#XUDP*", Forbidden::NONE),
    Forbidden::new("#XMQTT*", Forbidden::NONE),
    Forbidden::new("#XHTTP*", Forbidden::NONE),
    Forbidden::new("#XFTP*", Forbidden::NONE),
    Forbidden::new("#XTFTP*", Forbidden::NONE),
    Forbidden::new("#XGPS*", Forbidden::NONE),
    Forbidden::new("#XNRFCLOUD*", Forbidden::NONE),
    Forbidden::new("#XCMNG", Forbidden::STORE),
    Forbidden::new("%CMNG", Forbidden::STORE),
    Forbidden::new("%KEYGEN", "DeviceKeys::generate_key"),
    Forbidden::new("%JWT", "DeviceKeys::sign_token"),
    Forbidden::new("%XTIME", Forbidden::OURS),
    Forbidden::new("#XDATACTRL", Forbidden::OURS),
    Forbidden::new("#XSLMUART", Forbidden::OURS),
    Forbidden::new("+CFUN", Forbidden::OURS),
    Forbidden::new("#XSLEEP", "Control::sleep"),
    Forbidden::new("#XSHUTDOWN", Forbidden::NONE),
    Forbidden::new("#XRESET", Forbidden::NONE),
    Forbidden::new("#XMODEMRESET", Forbidden::NONE),
];
