//! ODIN-W2: a Wi-Fi station whose data mode is PPP (sheet A.3).

use core::fmt::Write as _;
use core::net::Ipv4Addr;

use embassy_time::{Duration, Instant};
use embedded_io_async::{Read, Write};
use heapless::String;
use sectag::wifi::{JoinFailure, Security, WifiConfig};
use sectag::{AtError, BringUpError};

use super::dialogue::{Dialogue, Said};
use super::failure::{at, has_none};

const SHORT: Duration = Duration::from_secs(5);
/// From the order to join to a network that is up: 4 s in the log of sheet E.1.
const JOIN: Duration = Duration::from_secs(30);
/// What may still come behind the answer to `ATO3` (sheet A.3.2).
const SETTLE: Duration = Duration::from_millis(500);
const QUIET: Duration = Duration::from_millis(100);

/// The module's own side of the PPP link. What is not said stays as the module has it: 172.30.0.251 from the factory.
#[derive(Clone, Copy, Debug, Default)]
pub struct Own {
    /// Tag 101: its address. Not the one it has as a station, which draws requests that nobody answers (sheet A.3.5).
    pub address: Option<Ipv4Addr>,
    /// Tag 102: the mask.
    pub mask: Option<Ipv4Addr>,
    /// Tag 104; that it is the first name server is an analogy.
    pub dns: Option<Ipv4Addr>,
    /// Tag 105; that it is the second is one too.
    pub dns2: Option<Ipv4Addr>,
    /// Tag 107, as the log of sheet E.1 has it.
    pub conflict_detection: bool,
}

/// What an ODIN-W2 needs to know.
#[derive(Clone, Copy, Debug)]
pub struct OdinW2 {
    /// The network to join.
    pub wifi: WifiConfig,
    /// Its side of the link.
    pub own: Own,
}

/// Joins the network and goes to PPP. When it returns, PPP begins with what is [`behind`](Dialogue::behind).
pub async fn odin_w2<R: Read, W: Write>(
    line: &mut Dialogue<R, W>,
    config: &OdinW2,
) -> Result<(), BringUpError> {
    line.wake().await.map_err(|error| match error {
        AtError::Timeout => BringUpError::NoAnswer,
        error => at("AT")(error),
    })?;
    let mut odin = false;
    let model = line.command(&["AT+GMM"], SHORT, |text| {
        // Between quotes on this family (sheet A.1.1).
        odin |= text.trim_matches('"').starts_with("ODIN-W2");
    });
    model.await.map_err(at("+GMM"))?;
    if !odin {
        return Err(has_none(
            "only ODIN-W2 has PPP among the short-range modules: use the TLS inside this one, with the modem name ublox-shortrange",
        ));
    }
    join(line, config).await?;
    line.ask(&["ATO3"], SHORT).await.map_err(at("O3"))?;
    line.skip_until_quiet(QUIET, SETTLE).await.map_err(at("O3"))
}

/// How far a join is, by what the module says unasked.
#[derive(Default)]
struct News {
    up: bool,
    refused: bool,
    /// The first reason why the network was lost; later ones cover it up.
    reason: Option<u16>,
}

impl News {
    fn hear(&mut self, text: &str) {
        if text.starts_with("+UUNU:") {
            self.up = true;
        } else if let Some(rest) = text.strip_prefix("+UUWLD:") {
            let reason = rest.split(',').nth(1).and_then(|it| it.trim().parse().ok());
            self.refused |= reason == Some(4);
            if self.reason.is_none() {
                self.reason = reason;
            }
        }
    }
}

async fn join<R: Read, W: Write>(
    line: &mut Dialogue<R, W>,
    config: &OdinW2,
) -> Result<(), BringUpError> {
    // A configuration that is in use cannot be written; one that is not answers ERROR here.
    match line.ask(&["AT+UWSCA=0,4"], SHORT).await {
        Ok(()) | Err(AtError::Refused(_)) => {}
        Err(error) => return Err(at("+UWSCA")(error)),
    }
    let wifi = &config.wifi;
    let kind = match wifi.security() {
        Security::Open => "1",
        _ => "2",
    };
    let station = at("+UWSC");
    // One that was in use is free some time after that.
    let deadline = Instant::now() + SHORT;
    loop {
        match line.ask(&["AT+UWSC=0,0,0"], SHORT).await {
            Err(AtError::Refused(_)) if Instant::now() < deadline => {}
            set => break set.map_err(&station)?,
        }
    }
    let name = ["AT+UWSC=0,2,\"", wifi.ssid(), "\""];
    line.ask(&name, SHORT).await.map_err(&station)?;
    line.ask(&["AT+UWSC=0,5,", kind], SHORT)
        .await
        .map_err(&station)?;
    if wifi.security() != Security::Open {
        let key = ["AT+UWSC=0,8,\"", wifi.key().expose().as_str(), "\""];
        line.ask(&key, SHORT).await.map_err(&station)?;
    }
    line.ask(&["AT+UWSC=0,100,2"], SHORT)
        .await
        .map_err(&station)?;
    // What may be said of this attempt may come from here on, also between commands.
    let mut news = News::default();
    let deadline = Instant::now() + JOIN;
    let joined = line.command(&["AT+UWSCA=0,3"], SHORT, |text| news.hear(text));
    joined.await.map_err(at("+UWSCA"))?;
    own_side(line, &config.own, &mut news).await?;
    while !news.up {
        let failure = match line.next(deadline).await {
            Ok((Said::Text, text)) => {
                news.hear(text);
                if !news.refused {
                    continue;
                }
                JoinFailure::Refused
            }
            Ok(_) => continue,
            Err(AtError::Timeout) => JoinFailure::NotFound,
            Err(error) => return Err(at("+UWSCA")(error)),
        };
        return Err(BringUpError::NotJoined {
            failure,
            reason: if news.refused { Some(4) } else { news.reason },
        });
    }
    Ok(())
}

/// Sets of the link what is configured, and nothing else.
async fn own_side<R: Read, W: Write>(
    line: &mut Dialogue<R, W>,
    own: &Own,
    news: &mut News,
) -> Result<(), BringUpError> {
    for (tag, address) in [
        ("101,", own.address),
        ("102,", own.mask),
        ("104,", own.dns),
        ("105,", own.dns2),
    ] {
        let Some(address) = address else { continue };
        let mut text = String::<15>::new();
        // The longest address has 15 characters.
        let _ = write!(text, "{address}");
        let parts = ["AT+UPPPC=", tag, &text];
        let set = line.command(&parts, SHORT, |text| news.hear(text));
        set.await.map_err(at("+UPPPC"))?;
    }
    if own.conflict_detection {
        let set = line.command(&["AT+UPPPC=107,1"], SHORT, |text| news.hear(text));
        set.await.map_err(at("+UPPPC"))?;
    }
    Ok(())
}
