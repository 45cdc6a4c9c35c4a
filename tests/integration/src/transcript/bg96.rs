//! The BG96's transcripts.
//!
//! Words of `# config:`: `apn NAME`, `pin PIN`, `ntp HOST`, `push`.
//! Words of `# simulator:`: the firmware, `bg96`, `bg96-v1`, `bg96-t4` or `eg25`; then what is not as
//! usual: `booting`, `lost-nv`, `no-network-time`, `locked PIN`, `quick-sim`, `refuses-data N`,
//! `left lost|hidden` (of the data connection), `silent-close`, `open-after MS`, `file NAME SIZE`. It has its factory settings: echo is on, and URCs
//! go to the USB port.

use std::rc::Rc;

use embassy_time::Duration;
use sectag::{CaScope, ServerName, Tag, TlsConfig};
use sectag_bg96::{Bg96, Config};
use sectag_simulator::{
    Boot, MemoryNetwork, OpenResultTiming, Options, PdpLeft, Profile, Sim, Simulator,
};

use super::{Answer, Backend};
use crate::scripted::ordinary_answer;

/// The BG96's.
pub struct Bg96Transcripts;

impl Backend for Bg96Transcripts {
    type Modem = Bg96;
    const FOLDER: &'static str = "bg96";
    const TLS: TlsConfig = TlsConfig::new(Tag(1)).ca_scope(CaScope::Private);

    fn driver(&self, config: &[String]) -> Bg96 {
        let mut driver = Config::new();
        let mut words = config.iter();
        while let Some(word) = words.next() {
            let mut text = || -> &'static str {
                let word = words
                    .next()
                    .unwrap_or_else(|| panic!("{word} needs a word"));
                word.clone().leak()
            };
            driver = match word.as_str() {
                "apn" => driver.apn(text()).expect("an APN"),
                "pin" => driver.pin(text()).expect("a PIN"),
                "ntp" => driver.ntp(ServerName::new(text()).expect("a name")),
                "push" => driver.direct_push(),
                other => panic!("there is no configuration {other:?}"),
            };
        }
        Bg96::new(driver)
    }

    fn usual(&self, _: &[String], line: &str) -> Answer {
        if line.starts_with("AT+QSSLOPEN=") {
            let id = line.split(',').nth(2).unwrap_or_default();
            return format!("\r\nOK\r\n\r\n+QSSLOPEN: {id},0\r\n")
                .as_str()
                .into();
        }
        // The marker of an upload; what else is uploaded is the transcript's own.
        if line.starts_with("AT+QFUPL=") && line.ends_with(",1,5") {
            let stored = |_: &[u8]| b"\r\n+QFUPL: 1,7800\r\n\r\nOK\r\n".to_vec();
            return Answer::Payload(b"\r\nCONNECT\r\n".to_vec(), 1, stored);
        }
        ordinary_answer(line).into()
    }

    fn is_banner(&self, said: &[u8]) -> bool {
        said.windows(3).any(|three| three == b"RDY")
    }

    fn simulator(&self, setup: &[String], network: MemoryNetwork) -> Simulator {
        let mut options = Options::default();
        let mut files = Vec::new();
        let mut words = setup.iter().map(String::as_str);
        while let Some(word) = words.next() {
            let mut next = || {
                words
                    .next()
                    .unwrap_or_else(|| panic!("{word} needs a word"))
            };
            match word {
                "bg96" => options.profile = Profile::BG96_LATER,
                "bg96-v1" => options.profile = Profile::BG96_V1,
                "bg96-t4" => options.profile = Profile::BG96_T4,
                "eg25" => options.profile = Profile::EG25,
                "booting" => options.boot = Boot::Booting,
                "lost-nv" => options.lost_nv = true,
                "quick-sim" => options.sim_init = Duration::from_ticks(0),
                "no-network-time" => options.network_time = None,
                "locked" => options.sim = Sim::PinRequired(next().to_owned()),
                "refuses-data" => options.pdp_refusal = Some(next().parse().expect("a number")),
                "left" => {
                    options.pdp_left = Some(match next() {
                        "lost" => PdpLeft::Lost,
                        "hidden" => PdpLeft::Hidden,
                        other => panic!("nothing is left {other:?}"),
                    });
                }
                "silent-close" => options.silent_close = true,
                "open-after" => {
                    let time = Duration::from_millis(next().parse().expect("milliseconds"));
                    options.open_result_timing = OpenResultTiming::Delayed(time);
                }
                "file" => {
                    let name = next().to_owned();
                    files.push((name, next().parse().expect("a size")));
                }
                other => panic!("there is no simulator {other:?}"),
            }
        }
        let modem = Simulator::bg96(options, Rc::new(network));
        for (name, size) in files {
            modem.put_file(&name, &vec![b'x'; size]);
        }
        modem
    }
}
