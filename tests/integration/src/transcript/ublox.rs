//! The transcripts of u-blox cellular modules.
//!
//! The first word of `# config:` is the model, as [`UbloxProfile::named`] knows it; then `apn NAME`.
//! The first word of `# simulator:` is the model too; then what is not as usual: `hex`, `echo`.

use std::rc::Rc;

use sectag::{Suites, Tag, TlsConfig};
use sectag_simulator::{MemoryNetwork, Simulator, UbloxData, UbloxOptions, UbloxProfile};
use sectag_ublox::cellular::{Config, UbloxCellular};

use super::{Answer, Backend};

/// Those of SARA, LARA, LENA and LEXI.
pub struct UbloxTranscripts;

/// What a module that is well, on the network and empty of sockets answers.
const USUAL: [(&str, &str); 35] = [
    ("AT", ""),
    ("ATE0", ""),
    ("AT+CMEE=1", ""),
    ("AT+CMEE?", "+CMEE: 1"),
    ("AT+UDCONF=1,0", ""),
    ("AT&D0", ""),
    ("AT&K0", ""),
    ("AT+UPSV=0", ""),
    ("AT+CGEREP=1", ""),
    ("AT+CTZU=1", ""),
    ("AT+CPIN?", "+CPIN: READY"),
    ("AT+CFUN?", "+CFUN: 1"),
    ("AT+CEREG?", "+CEREG: 0,1"),
    ("AT+CGREG?", "+CGREG: 0,1"),
    ("AT+CGACT?", "+CGACT: 1,1"),
    ("AT+CGACT=1,1", ""),
    ("AT+UPSND=0,8", "+UPSND: 0,8,1"),
    ("AT+CCLK?", "+CCLK: \"26/11/20,12:00:00+00\""),
    (
        "AT+USECMNG=4,0,\"st7_ca\"",
        "+USECMNG: 4,0,\"st7_ca\",\"A883A02DE0AD346426B3FB8A1B933D84\"",
    ),
    ("AT+USECPRF=0", ""),
    ("AT+USECPRF=0,1,3", ""),
    ("AT+USECPRF=0,3,\"st7_ca\"", ""),
    ("AT+USECPRF=0,4,\"broker.sectag.test\"", ""),
    ("AT+USECPRF=0,10,\"broker.sectag.test\"", ""),
    ("AT+USECPRF=0,0,3", ""),
    ("AT+USECPRF=0,0", "+USECPRF: 0,0,3"),
    ("AT+USECPRF=0,1", "+USECPRF: 0,1,3"),
    ("AT+USECPRF=0,3", "+USECPRF: 0,3,\"st7_ca\""),
    ("AT+USECPRF=0,4", "+USECPRF: 0,4,\"broker.sectag.test\""),
    ("AT+USECPRF=0,10", "+USECPRF: 0,10,\"broker.sectag.test\""),
    ("AT+USOCR=6", "+USOCR: 0"),
    ("AT+USOSEC=0,1,0", ""),
    ("AT+USOSEC=0", "+USOSEC: 0,1,0"),
    ("AT+USOCL=0", ""),
    ("AT+USORD=0,1024", "+USORD: 0,\"\""),
];

fn profile(words: &[String]) -> UbloxProfile {
    let name = words.first().map_or("sara-r5", String::as_str);
    UbloxProfile::named(name).unwrap_or_else(|_| panic!("there is no model {name:?}"))
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

impl Backend for UbloxTranscripts {
    type Modem = UbloxCellular;
    const FOLDER: &'static str = "ublox-cellular";
    const TLS: TlsConfig = TlsConfig::new(Tag(7)).suites(Suites::All);

    fn driver(&self, config: &[String]) -> UbloxCellular {
        let mut driver = Config::new();
        let mut words = config.iter().skip(1);
        while let Some(word) = words.next() {
            driver = match word.as_str() {
                "apn" => {
                    let name = words.next().expect("apn needs a word").clone();
                    driver.apn(name.leak()).expect("an APN")
                }
                other => panic!("there is no configuration {other:?}"),
            };
        }
        UbloxCellular::new(driver)
    }

    fn usual(&self, config: &[String], line: &str) -> Answer {
        let profile = profile(config);
        match line {
            "AT+CGMM" => ok(profile.model),
            "AT+CEREG?" if !profile.lte => "\r\nERROR\r\n".into(),
            line if line.starts_with("AT+USOCO=0,") && profile.connects_later => {
                "\r\nOK\r\n\r\n+UUSOCO: 0,0\r\n".into()
            }
            line if line.starts_with("AT+USOCO=0,") => ok(""),
            line if line.starts_with("AT+UPSND") && profile.data == UbloxData::Context => {
                "\r\nERROR\r\n".into()
            }
            _ => match USUAL.iter().find(|(asked, _)| *asked == line) {
                Some((_, answer)) => ok(answer),
                None => "\r\nERROR\r\n".into(),
            },
        }
    }

    /// There is none.
    fn is_banner(&self, _: &[u8]) -> bool {
        true
    }

    fn simulator(&self, setup: &[String], network: MemoryNetwork) -> Simulator {
        let mut options = UbloxOptions {
            profile: profile(setup),
            // What was seen was typed, or sent by another driver, at its own pace.
            strict_gap: false,
            ..UbloxOptions::default()
        };
        for word in setup.iter().skip(1) {
            match word.as_str() {
                "hex" => options.hex_mode = true,
                "echoes-imports" => options.echoes_imports = true,
                other => panic!("there is no simulator {other:?}"),
            }
        }
        Simulator::ublox(options, Rc::new(network))
    }
}
