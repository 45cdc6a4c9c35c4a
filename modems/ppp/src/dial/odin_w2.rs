//! The dialogue with ODIN-W2, a Wi-Fi module whose data mode can be PPP (sheet A.3).

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
/// The time limit of a join; the log of sheet E.1 took 4 s.
const JOIN: Duration = Duration::from_secs(30);
/// How long text may still follow the answer to `ATO3` (sheet A.3.2).
const SETTLE: Duration = Duration::from_millis(500);
const QUIET: Duration = Duration::from_millis(100);

/// The module's own side of the PPP link. A field that is `None` keeps the module's setting,
/// 172.30.0.251 from the factory.
#[derive(Clone, Copy, Debug, Default)]
pub struct Own {
    /// Tag 101: the address. It must not be the address of the Wi-Fi station, which would get requests
    /// that nothing answers (sheet A.3.5).
    pub address: Option<Ipv4Addr>,
    /// Tag 102: the network mask.
    pub mask: Option<Ipv4Addr>,
    /// Tag 104: the first name server, by analogy; no source says so.
    pub dns: Option<Ipv4Addr>,
    /// Tag 105: the second name server, by analogy; no source says so.
    pub dns2: Option<Ipv4Addr>,
    /// Tag 107: conflict detection, as in the log of sheet E.1.
    pub conflict_detection: bool,
}

/// The settings of an ODIN-W2.
#[derive(Clone, Copy, Debug)]
pub struct OdinW2 {
    /// The network to join.
    pub wifi: WifiConfig,
    /// The module's own side of the PPP link.
    pub own: Own,
}

/// Joins the network and enters PPP. When it returns, PPP begins with the bytes in
/// [`behind`](Dialogue::behind).
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
        // The name is in quotes on this family (sheet A.1.1).
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

/// The progress of a join, by the module's notices.
#[derive(Default)]
struct News {
    up: bool,
    refused: bool,
    /// The first reason code for a lost link; later ones hide it.
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
    // A configuration that is in use cannot be written. If it is not in use, the answer is ERROR.
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
    // A configuration that was in use can be written some time later.
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
    // From here on notices about this attempt may come, also between commands.
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

/// Writes the configured settings of the link, and no others.
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
