//! The nRF9160's transcripts.
//!
//! The first word of `# config:` is the firmware, as [`Nrf9160Profile::named`] knows it; then `apn NAME`,
//! `patched`. It has flow control, and lines end as this firmware's do.
//! The first word of `# simulator:` is the firmware too; then what is not as usual: `booting`, `online`,
//! `no-network-time`, `junk BYTES`, `file NAME ca|SIZE`, which is the test's own CA or so many bytes.

use std::rc::Rc;

use sectag::{Suites, Tag, TlsConfig};
use sectag_nrf9160::{Config, Nrf9160};
use sectag_simulator::{
    Boot, MemoryNetwork, NativeStore, Nrf9160Options, Nrf9160Profile, Simulator, Terminator,
};
use sectag_test_support::pki::Pki;

use super::script::bytes;
use super::{Answer, Backend};

/// The nRF9160's.
pub struct Nrf9160Transcripts;

/// What a modem that is well, on the network and empty of sockets answers.
const USUAL: [(&str, &str); 22] = [
    ("AT", ""),
    ("AT+CMEE=1", ""),
    ("AT+CMEE?", "+CMEE: 1"),
    ("AT#XDATACTRL?", "#XDATACTRL: 32,32"),
    ("AT#XSOCKETSELECT?", ""),
    ("AT#XAPOLL=,1,1", ""),
    ("AT#XCLOSE", ""),
    ("AT+CFUN?", "+CFUN: 1"),
    ("AT+CFUN=1", ""),
    ("AT+CFUN=4", ""),
    ("AT%XTIME=1", ""),
    ("AT+CEREG=1", ""),
    ("AT+CEREG?", "+CEREG: 1,1"),
    ("AT+CPIN?", "+CPIN: READY"),
    ("AT%CCLK?", "%CCLK: \"26/11/20,12:00:00+00\",0"),
    ("AT#XSSOCKETOPT=1,2,\"broker.sectag.test\"", ""),
    ("AT#XSSOCKETOPT=1,12,0", ""),
    ("AT#XSSOCKETOPT=0,1,2,\"broker.sectag.test\"", ""),
    ("AT#XSSOCKETOPT=0,1,12,0", ""),
    ("AT#XPOLL=0,0", ""),
    ("AT#XSOCKET=0", "#XSOCKET: 0,\"closed\""),
    ("AT#XCLOSE=0", "#XCLOSE: 0,0"),
];

fn profile(words: &[String]) -> Nrf9160Profile {
    let name = words.first().expect("the firmware comes first");
    Nrf9160Profile::named(name).unwrap_or_else(|_| panic!("there is no firmware {name:?}"))
}

/// Information lines, if any, and the end.
fn ok(lines: &str) -> Answer {
    let lines = if lines.is_empty() {
        String::new()
    } else {
        format!("\r\n{lines}\r\n")
    };
    format!("{lines}\r\nOK\r\n").as_str().into()
}

impl Backend for Nrf9160Transcripts {
    type Modem = Nrf9160;
    const FOLDER: &'static str = "nrf9160";
    const TLS: TlsConfig = TlsConfig::new(Tag(7)).suites(Suites::All);

    fn driver(&self, config: &[String]) -> Nrf9160 {
        let mut driver = Config::new().flow_control();
        let mut words = config.iter().skip(1);
        while let Some(word) = words.next() {
            driver = match word.as_str() {
                "apn" => {
                    let name = words.next().expect("apn needs a word").clone();
                    driver.apn(name.leak()).expect("an APN")
                }
                "patched" => driver.patched_native(),
                other => panic!("there is no configuration {other:?}"),
            };
        }
        Nrf9160::new(driver)
    }

    fn line_end(&self, config: &[String]) -> &'static [u8] {
        match profile(config).terminator {
            Terminator::CrLf => b"\r\n",
            Terminator::Cr => b"\r",
            Terminator::Lf => b"\n",
        }
    }

    fn usual(&self, config: &[String], line: &str) -> Answer {
        let profile = profile(config);
        let digest = "A5".repeat(32);
        let store = profile.native.map(|native| native.store);
        match line {
            "AT#XSLMVER" if !profile.serial_modem => ok(&format!("#XSLMVER: {}", profile.version)),
            "AT#XSMVER" if profile.serial_modem => ok(&format!("#XSMVER: {}", profile.version)),
            // Its lines have no CR LF in front (sheet 1.2).
            "AT#XCLAC" if store.is_some() => {
                "AT#XCLAC\r\nAT#XCMNG\r\nAT#XSSOCKET\r\n\r\nOK\r\n".into()
            }
            "AT#XCLAC" => "AT#XCLAC\r\nAT#XSSOCKET\r\n\r\nOK\r\n".into(),
            "AT%CMNG=1,7" if store.is_none() => ok(&format!("%CMNG: 7,0,\"{digest}\"")),
            "AT%CMNG=1,70" if store == Some(NativeStore::Mapped) => {
                ok(&format!("%CMNG: 70,0,\"{digest}\""))
            }
            "AT%CMNG=1,71" | "AT%CMNG=1,72" => "\r\n+CME ERROR: 513\r\n".into(),
            "AT#XCMNG=1" if store == Some(NativeStore::Settings) => {
                "#XCMNG: 7,0\r\n\r\nOK\r\n".into()
            }
            "AT#XSSOCKET=1,1,0,7,2" => ok("#XSSOCKET: 0,1,258"),
            "AT#XCONNECT=\"broker.sectag.test\",8883" => ok("#XCONNECT: 1"),
            "AT#XCONNECT=0,\"broker.sectag.test\",8883" => ok("#XCONNECT: 0,1"),
            _ => match USUAL.iter().find(|(asked, _)| *asked == line) {
                Some((_, answer)) => ok(answer),
                None => "\r\nERROR\r\n".into(),
            },
        }
    }

    fn is_banner(&self, said: &[u8]) -> bool {
        said.ends_with(b"Ready\r\n")
    }

    fn simulator(&self, setup: &[String], network: MemoryNetwork) -> Simulator {
        let mut options = Nrf9160Options {
            profile: profile(setup),
            ..Nrf9160Options::default()
        };
        let mut files = Vec::new();
        let mut words = setup.iter().skip(1).map(String::as_str);
        while let Some(word) = words.next() {
            let mut next = || {
                words
                    .next()
                    .unwrap_or_else(|| panic!("{word} needs a word"))
            };
            match word {
                "booting" => options.boot = Boot::Booting,
                "online" => options.functionality = 1,
                "no-network-time" => options.network_time = None,
                "junk" => options.ready_junk = bytes(next()),
                "no-factory-credentials" => options.factory_credentials = false,
                "file" => {
                    let name = next().to_owned();
                    let content = match next() {
                        "ca" => Pki::shared().ca_pem().to_string().into_bytes(),
                        size => vec![b'x'; size.parse().expect("a size")],
                    };
                    files.push((name, content));
                }
                other => panic!("there is no simulator {other:?}"),
            }
        }
        let modem = Simulator::nrf9160(options, Rc::new(network));
        for (name, content) in files {
            modem.put_file(&name, &content);
        }
        modem
    }
}
