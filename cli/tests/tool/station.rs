//! The tool with a module that joins the simulator's Wi-Fi network, over a pseudo terminal, byte by byte, with mosquitto
//! behind it: what every such module has to do alike.

use sectag_test_support::mosquitto::{Mosquitto, MosquittoOptions};
use sectag_test_support::pki::Pki;

use crate::process::{Modem, Tool};

pub(crate) const WIFI: [&str; 2] = ["--ssid", "workshop"];
const PSK: [(&str, &str); 1] = [("SECTAG_PSK", "correct horse battery")];
/// The broker, and the tag that [`Station::files`] are stored under.
pub(crate) const SERVER: [&str; 4] = ["--host", "broker.sectag.test", "--tag", "7"];

/// A module and its broker.
pub(crate) struct Station {
    modem: Modem,
    _broker: Mosquitto,
}

impl Station {
    pub(crate) fn start(name: &'static str) -> Self {
        let broker = Mosquitto::start(Pki::shared(), &MosquittoOptions::new()).unwrap();
        Self {
            modem: start(name, broker.port()),
            _broker: broker,
        }
    }

    /// The tool, with name and passphrase of the network.
    pub(crate) fn tool(&self, command: &[&str], options: &[&str]) -> Tool {
        let options = [&WIFI, options].concat();
        self.modem.start_tool(command, &options, &PSK, b"")
    }

    /// A retained message, and what is printed of it.
    pub(crate) fn what_is_published_comes_back(&self) {
        let sent = self.tool(&["publish"], &kept()).end().expect(0);
        for said in [
            "checked: certificate chain, certificate dates, name",
            "SNI sent",
        ] {
            assert!(sent.stderr.contains(said), "{said} in\n{}", sent.stderr);
        }
        let one = [&SERVER[..], &["-t", "a/#", "--count", "1"]].concat();
        let printed = self.tool(&["subscribe"], &one).end().expect(0).stdout;
        assert!(printed.contains("a/b ~\u{7f}OK"), "{printed}");
    }
}

/// Options of a publish of a retained message.
pub(crate) fn kept() -> Vec<&'static str> {
    let message = ["-t", "a/b", "-m", "~\u{7f}OK", "-q", "1", "-r"];
    [&SERVER[..], &message].concat()
}

/// A module whose broker is on this port.
pub(crate) fn start(name: &'static str, port: u16) -> Modem {
    let map = format!("broker.sectag.test:8883=127.0.0.1:{port}");
    Modem::start_named(name, &["--map", &map, "--chunk", "1"])
}
