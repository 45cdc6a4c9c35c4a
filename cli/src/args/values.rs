//! What single options mean: names, numbers and topics, and what is refused at once.

use sectag::jwt::{Invalid, MAX_LIFETIME};
use sectag::{ServerName, Tag};

/// The port of MQTT over TLS (IANA: secure-mqtt).
const MQTT_PORT: u16 = 8883;

/// A host name and a port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Server {
    pub(crate) host: String,
    pub(crate) port: u16,
}

impl Server {
    /// A broker, whose port need not be given.
    pub(super) fn mqtt(text: &str) -> Result<Self, String> {
        no_scheme(text, ", MQTT over TLS is all there is")?;
        let bare = !text.contains(':') || text.ends_with(']');
        if bare {
            format!("{text}:{MQTT_PORT}").parse()
        } else {
            text.parse()
        }
    }
}

impl std::str::FromStr for Server {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        no_scheme(text, "")?;
        let (host, port) = text
            .rsplit_once(':')
            .ok_or("a host name, a colon and a port are needed")?;
        // IPv6 literals bring colons of their own.
        let host = host
            .strip_prefix('[')
            .and_then(|host| host.strip_suffix(']'))
            .unwrap_or(host);
        let port = port
            .parse()
            .ok()
            .filter(|port| *port != 0)
            .ok_or_else(|| format!("{port:?} is not a port number"))?;
        Ok(Self {
            host: parse_host(host)?,
            port,
        })
    }
}

pub(super) fn parse_tag(text: &str) -> Result<Tag, String> {
    text.parse()
        .map(Tag)
        .map_err(|_| "a tag is a number from 0 on".into())
}

fn parse_host(text: &str) -> Result<String, String> {
    ServerName::new(text)
        .map(|name| name.as_str().to_owned())
        .map_err(|_| "a host name has 1 to 253 letters, digits, dots and hyphens".into())
}

/// Refuses an address as browsers have it; `why` goes on behind "is not part of it".
fn no_scheme(text: &str, why: &str) -> Result<(), String> {
    text.split_once("://").map_or(Ok(()), |(scheme, rest)| {
        Err(format!(
            "{scheme}:// is not part of it{why}: give {}",
            rest.split('/').next().unwrap_or_default()
        ))
    })
}

/// How long a token is valid, in seconds.
pub(super) fn parse_lifetime(text: &str) -> Result<u32, String> {
    let seconds = text
        .parse()
        .map_err(|_| format!("a life is a number of seconds, 1 to {MAX_LIFETIME} (24 hours)"))?;
    if (1..=MAX_LIFETIME).contains(&seconds) {
        Ok(seconds)
    } else {
        Err(Invalid::Lifetime { seconds }.to_string())
    }
}

pub(super) fn parse_client_id(text: &str) -> Result<String, String> {
    if text.is_empty() || text.len() > 64 {
        return Err("a client id has 1 to 64 bytes".into());
    }
    Ok(text.into())
}

pub(super) fn parse_username(text: &str) -> Result<String, String> {
    if text.len() > 65_535 {
        return Err(format!(
            "it has {} bytes, and MQTT has room for 65535",
            text.len()
        ));
    }
    Ok(text.into())
}

pub(super) fn parse_topic(text: &str) -> Result<String, String> {
    if text.contains(['+', '#']) {
        return Err("+ and # are for subscriptions: a message has one topic".into());
    }
    parse_filter(text)
}

pub(super) fn parse_filter(text: &str) -> Result<String, String> {
    if text.is_empty() || text.len() > 1024 || text.contains('\0') {
        return Err("a topic has 1 to 1024 bytes, none of them zero".into());
    }
    let levels: Vec<&str> = text.split('/').collect();
    for (number, level) in levels.iter().enumerate() {
        let last = number + 1 == levels.len();
        if level.contains('#') && (*level != "#" || !last) {
            return Err("# stands for all that follows: alone, and behind the last /".into());
        }
        if level.contains('+') && *level != "+" {
            return Err("+ stands for one level: alone between two /".into());
        }
    }
    Ok(text.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn servers_are_names_or_literals_with_a_port() {
        let server = |text: &str| text.parse::<Server>();
        let expected = |host: &str, port| {
            Ok(Server {
                host: host.into(),
                port,
            })
        };
        assert_eq!(
            server("broker.example:8883"),
            expected("broker.example", 8883)
        );
        assert_eq!(server("[2001:db8::1]:443"), expected("2001:db8::1", 443));
        for bad in [
            "broker",
            "broker:",
            "broker:0",
            "broker:70000",
            ":1",
            "a b:1",
        ] {
            assert!(server(bad).is_err(), "{bad}");
        }
        assert_eq!(
            Server::mqtt("broker.example"),
            expected("broker.example", 8883)
        );
        assert_eq!(Server::mqtt("[2001:db8::1]"), expected("2001:db8::1", 8883));
        assert_eq!(
            Server::mqtt("broker.example:1"),
            expected("broker.example", 1)
        );
        assert!(Server::mqtt("broker.example:").is_err());
        let url = Server::mqtt("mqtts://broker.example:8883/").unwrap_err();
        assert!(url.ends_with("give broker.example:8883"), "{url}");
        assert!(server("https://broker.example:443/x").is_err());
    }

    #[test]
    fn wildcards_stand_alone_in_their_level() {
        for good in ["a", "/", "a/+/b", "+", "#", "a/#", "+/+/#", "a//b"] {
            assert!(parse_filter(good).is_ok(), "{good}");
        }
        for bad in ["", "a/#/b", "a#", "a/b#", "#/a", "a+", "a/+b/c", "++"] {
            assert!(parse_filter(bad).is_err(), "{bad}");
        }
        assert!(parse_topic("a/+").is_err());
    }
}
