//! What a token is and what is wrong with it, as far as can be told without the server's key.

use sectag::clock::DateTime;
use sectag::jwt::MAX_LIFETIME;
use serde_json::{Map, Value};

use crate::args::ExplainToken;
use crate::failure::Failure;
use crate::input;
use crate::report::Report;
use crate::session;

/// A line about a token.
#[derive(Debug, PartialEq, Eq)]
enum Finding {
    Fact(String),
    /// A server refuses it for that.
    Problem(String),
}

const PARTS: [&str; 3] = ["header", "claims", "signature"];

/// Clocks that differ by so many seconds are no problem yet.
const SKEW: i64 = 60;

/// Units of time that makers take for seconds, and how many of each a second has.
const FINER: [(&str, f64); 3] = [
    ("milliseconds", 1e3),
    ("microseconds", 1e6),
    ("nanoseconds", 1e9),
];

/// The first second of the year 2100, which is later than [`DateTime`] has.
const END: f64 = 4_102_444_800.0;

pub(super) fn run(args: &ExplainToken, report: &Report) -> Result<(), Failure> {
    let mut token = args.token.clone();
    if token == "-" {
        token = input::line("TOKEN")?;
    }
    let now = session::host_clock().map(|now| now.to_unix() as i64);
    let findings = explain(&token, now);
    let mut problems = 0;
    for finding in &findings {
        let (text, problem) = match finding {
            Finding::Fact(text) => (text.clone(), false),
            Finding::Problem(text) => (format!("problem: {text}"), true),
        };
        problems += usize::from(problem);
        report.result(&text, |object| {
            object
                .text("finding", text.trim_start_matches("problem: "))
                .truth("problem", problem)
        })?;
    }
    match problems {
        0 => Ok(()),
        1 => Err(Failure::new(
            "a server refuses this token: the problem is named above",
        )),
        count => Err(Failure::new(format!(
            "a server refuses this token: {count} problems are named above"
        ))),
    }
}

fn explain(token: &str, now: Option<i64>) -> Vec<Finding> {
    let mut findings = Findings(Vec::new());
    let mut text = token.trim_end_matches(['\r', '\n']);
    if let Some(rest) = text.strip_prefix("Bearer ") {
        findings.problem("it begins with `Bearer `, which belongs in an HTTP header: an MQTT password is the token alone");
        text = rest;
    }
    if text.trim() != text {
        findings.problem("there are blanks around it: a server takes them as part of the token");
        text = text.trim();
    }
    let unquoted = text.trim_matches(['"', '\'']);
    if unquoted != text {
        findings.problem("there are quotes around it: they are no part of a token");
        text = unquoted;
    }
    if text.starts_with("SharedAccessSignature ") {
        findings.fact("this is an Azure SAS token, not a JWT");
        return findings.0;
    }
    if text.is_empty() {
        findings.problem("there is nothing in it, so the token was lost on its way here");
        return findings.0;
    }
    let parts: Vec<&str> = text.split('.').collect();
    match parts.len() {
        3 => findings.fact("3 parts: header, claims, signature"),
        5 => {
            findings.problem(
                "5 parts: this token is encrypted (JWE); brokers take signed ones of 3 parts (JWS)",
            );
            return findings.0;
        }
        2 => findings.problem("2 parts: the signature is missing, it was cut or never signed"),
        count => {
            findings.problem(format!("a JWT has 3 parts with dots between, and this has {count}: it was cut, or is not a JWT"));
            if count > 3 {
                return findings.0;
            }
        }
    }
    let decoded: Vec<Option<Vec<u8>>> = parts
        .iter()
        .zip(PARTS)
        .enumerate()
        .map(|(index, (part, name))| findings.part(index + 1, name, part))
        .collect();
    // Of a part that could not be decoded the reason is said, and nothing that only follows from it.
    let object = |bytes: &Vec<u8>| serde_json::from_slice::<Map<String, Value>>(bytes).ok();
    let mut algorithm = None;
    if let Some(Some(bytes)) = decoded.first() {
        match object(bytes) {
            Some(header) => algorithm = findings.header(&header),
            None => findings.problem("part 1 (header) is not a JSON object"),
        }
    }
    if let Some(Some(bytes)) = decoded.get(1) {
        match object(bytes) {
            Some(claims) => findings.claims(&claims, now),
            None => findings.problem("part 2 (claims) is not a JSON object"),
        }
    }
    if let Some(Some(signature)) = decoded.get(2) {
        findings.signature(signature, algorithm.as_deref());
    }
    findings.0
}

struct Findings(Vec<Finding>);

impl Findings {
    fn fact(&mut self, text: impl Into<String>) {
        self.0.push(Finding::Fact(text.into()));
    }

    fn problem(&mut self, text: impl Into<String>) {
        self.0.push(Finding::Problem(text.into()));
    }

    /// Names what is no base64url, and decodes it all the same where what was meant is clear.
    fn part(&mut self, number: usize, name: &str, part: &str) -> Option<Vec<u8>> {
        let place = format!("part {number} ({name})");
        let body = part.trim_end_matches('=');
        let padding = &part[body.len()..];
        let wrong: Vec<&str> = [("+", '+'), ("/", '/')]
            .iter()
            .filter(|(_, character)| body.contains(*character))
            .map(|(shown, _)| *shown)
            .collect();
        if !wrong.is_empty() {
            let shown: Vec<String> = wrong.iter().map(|shown| format!("`{shown}`")).collect();
            self.problem(format!(
                "alphabet: {place} has {}, of the ordinary base64; a JWT takes the one for URLs, `-` for `+` and `_` for `/`",
                shown.join(" and ")
            ));
        }
        if !padding.is_empty() {
            self.problem(format!(
                "padding: {place} ends with `{padding}`; a JWT has no padding, leave it out"
            ));
        }
        let other = body.char_indices().find(|(_, character)| {
            !(character.is_ascii_alphanumeric() || "-_+/".contains(*character))
        });
        if let Some((at, character)) = other {
            self.problem(format!(
                "alphabet: {place} has {character:?} at character {}, which is in no base64",
                at + 1
            ));
            return None;
        }
        if body.len() % 4 == 1 {
            self.problem(format!(
                "{place} has {} characters, as no base64 has: it was cut",
                body.len()
            ));
            return None;
        }
        if part.is_empty() {
            self.problem(format!("{place} is empty"));
            return None;
        }
        Some(decode(body))
    }

    /// Returns the algorithm.
    fn header(&mut self, header: &Map<String, Value>) -> Option<String> {
        match header.get("typ").and_then(Value::as_str) {
            Some("JWT") | None => {}
            Some(other) => self.fact(format!(
                "type (typ): {other}, where servers expect JWT or none"
            )),
        }
        if let Some(id) = header.get("kid") {
            self.fact(format!("key id (kid): {id}"));
        }
        if let Some(critical) = header.get("crit") {
            self.problem(format!(
                "critical (crit): {critical}; a server must refuse what it does not understand of these (RFC 7515, 4.1.11), and brokers understand none"
            ));
        }
        if header
            .get("b64")
            .is_some_and(|b64| *b64 == Value::Bool(false))
        {
            self.problem("b64: false means that the claims are not encoded, which a JWT does not allow (RFC 7797, 7)");
        }
        let algorithm = match header.get("alg") {
            Some(Value::String(algorithm)) => algorithm.as_str(),
            Some(other) => {
                self.problem(format!("algorithm (alg): {other} is not a name"));
                return None;
            }
            None => {
                self.problem("algorithm: the header has no alg");
                return None;
            }
        };
        match algorithm {
            "ES256" => self.fact("algorithm: ES256; key type: ECDSA P-256"),
            "RS256" => self.fact("algorithm: RS256; key type: RSA"),
            "none" => self.problem("algorithm: none, so it is not signed and proves nothing"),
            "HS256" | "HS384" | "HS512" => self.problem(format!(
                "algorithm: {algorithm}; key type: a shared secret. A server that has a device's public key refuses it: sign with ES256 or RS256"
            )),
            "ES384" | "ES512" | "ES256K" | "EdDSA" | "PS256" | "RS384" | "RS512" => self.problem(format!(
                "algorithm: {algorithm}, which few brokers take: ES256 (ECDSA P-256) and RS256 (RSA) are what they document"
            )),
            other => self.problem(format!("algorithm: {other:?} is none that JWT knows")),
        }
        Some(algorithm.into())
    }

    fn claims(&mut self, claims: &Map<String, Value>, now: Option<i64>) {
        match claims.get("aud") {
            Some(Value::String(audience)) if !audience.is_empty() => {
                self.fact(format!("audience (aud): {audience}"));
            }
            Some(Value::Array(audiences))
                if audiences.is_empty() || !audiences.iter().all(Value::is_string) =>
            {
                self.problem(format!(
                    "audiences (aud): {} is no list of names",
                    Value::Array(audiences.clone())
                ));
            }
            Some(Value::Array(audiences)) => self.fact(format!(
                "audiences (aud): {}",
                Value::Array(audiences.clone())
            )),
            Some(other) => self.problem(format!("audience (aud): {other} is not a name")),
            None => self.problem("audience: there is no aud, which brokers ask for"),
        }
        let issued = self.time(claims, "iat", "issued");
        let expires = self.time(claims, "exp", "expires");
        let not_before = self.time(claims, "nbf", "not before");
        if let (Some(now), Some(expires)) = (now, expires)
            && expires <= now
        {
            self.problem(format!(
                "expired: it ended {} s ago by this computer's clock",
                now - expires
            ));
        }
        for (begin, name) in [(issued, "issued (iat)"), (not_before, "valid (nbf)")] {
            if let (Some(now), Some(begin)) = (now, begin)
                && begin > now + SKEW
            {
                self.problem(format!(
                    "from the future: it is {name} only in {} s by this computer's clock: the clock of the maker is fast",
                    begin - now
                ));
            }
        }
        match (issued, expires) {
            (_, None) if !claims.contains_key("exp") => {
                self.problem("expiry: there is no exp, so it would never end; brokers refuse that");
            }
            (Some(issued), Some(expires)) if expires <= issued => {
                self.problem("it ends before it begins: exp is not behind iat");
            }
            (Some(issued), Some(expires)) if expires - issued > i64::from(MAX_LIFETIME) => {
                self.problem(format!(
                    "life: {} s, and brokers take 24 hours ({MAX_LIFETIME} s) at most",
                    expires - issued
                ));
            }
            (Some(issued), Some(expires)) => {
                self.fact(format!("life: {} s", expires - issued));
            }
            _ => {}
        }
        for (name, value) in claims {
            if !matches!(name.as_str(), "aud" | "iat" | "exp" | "nbf") {
                self.fact(format!("claim {name}: {value}"));
            }
        }
    }

    fn time(&mut self, claims: &Map<String, Value>, name: &str, word: &str) -> Option<i64> {
        let value = claims.get(name)?;
        let Some(seconds) = value.as_f64() else {
            self.problem(format!(
                "{word} ({name}): {value} is not a number; a JWT counts seconds since 1970 and does not quote them"
            ));
            return None;
        };
        // A fraction of a second is allowed, and of no use.
        let whole = seconds.floor() as i64;
        let date = u64::try_from(whole).ok().and_then(DateTime::from_unix);
        let Some(date) = date else {
            let is_now = |seconds: f64| {
                u64::try_from(seconds as i64)
                    .ok()
                    .and_then(DateTime::from_unix)
                    .is_some()
            };
            let finer = FINER.iter().find(|(_, unit)| is_now(seconds / unit));
            let why = match finer {
                Some((unit, _)) => format!("is in {unit}; a JWT counts seconds"),
                None if seconds >= END => "is behind the year 2099: no clock shows it".into(),
                None => "is before the year 2000: the clock of the maker was not set".into(),
            };
            self.problem(format!("{word} ({name}): {value} {why}"));
            return None;
        };
        self.fact(format!("{word} ({name}): {date}"));
        Some(whole)
    }

    fn signature(&mut self, signature: &[u8], algorithm: Option<&str>) {
        let len = signature.len();
        let der = matches!(signature, [0x30, inner, 0x02, ..] if usize::from(*inner) + 2 == len);
        match algorithm {
            Some("ES256") if der => self.problem("signature: in DER, as openssl makes it; ES256 takes the 64 bytes of r and s"),
            Some("ES256") if len == 64 => self.fact("signature: 64 bytes, as ES256 has; whether it is right only the public key tells"),
            Some("ES256") if len >= 256 => self.problem(format!("signature: {len} bytes are of an RSA key of {} bits, and the header says ES256: it was signed with another key or the header is wrong", len * 8)),
            Some("ES256") => self.problem(format!("signature: {len} bytes, and ES256 has 64: it was cut, or signed on another curve")),
            Some("RS256") if len >= 256 => self.fact(format!("signature: {len} bytes, of an RSA key of {} bits; whether it is right only the public key tells", len * 8)),
            Some("RS256") if len == 64 || der => self.problem("signature: it is one of ECDSA, and the header says RS256: it was signed with another key or the header is wrong"),
            Some("RS256") => self.problem(format!("signature: {len} bytes, and RS256 has 256 or more: it was cut, or the key is shorter than 2048 bits")),
            _ => {}
        }
    }
}

/// Base64 of either alphabet, without padding; every character was looked at.
fn decode(body: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut decoder = sectag::inspect::Base64::new();
    for character in body.bytes() {
        let plain = match character {
            b'-' => b'+',
            b'_' => b'/',
            other => other,
        };
        bytes.extend(decoder.push(plain).ok().flatten());
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: i64 = 1_795_867_200;

    fn encode(bytes: &[u8]) -> String {
        let mut text = vec![0; bytes.len().div_ceil(3) * 4];
        sectag::inspect::encode(bytes, &mut text);
        let text = String::from_utf8(text).unwrap();
        text.trim_end_matches('=')
            .replace('+', "-")
            .replace('/', "_")
    }

    fn token(header: &str, claims: &str, signature: &[u8]) -> String {
        [header.as_bytes(), claims.as_bytes(), signature]
            .map(encode)
            .join(".")
    }

    fn problems(token: &str) -> Vec<String> {
        let problem = |finding| match finding {
            Finding::Problem(text) => Some(text),
            Finding::Fact(_) => None,
        };
        explain(token, Some(NOW))
            .into_iter()
            .filter_map(problem)
            .collect()
    }

    const HEADER: &str = r#"{"alg":"ES256","typ":"JWT"}"#;
    const CLAIMS: &str = r#"{"aud":"p","iat":1795867200,"exp":1795870800}"#;

    #[test]
    fn a_good_one_has_no_problems_and_all_facts() {
        let good = token(HEADER, CLAIMS, &[7; 64]);
        assert_eq!(problems(&good), [""; 0]);
        let facts = format!("{:?}", explain(&good, Some(NOW)));
        for fact in [
            "ES256",
            "ECDSA P-256",
            "audience (aud): p",
            "2026-11-28",
            "life: 3600 s",
            "64 bytes",
        ] {
            assert!(facts.contains(fact), "{fact}: {facts}");
        }
    }

    /// The case of the issue: the third part in ordinary base64 with padding.
    #[test]
    fn alphabet_and_padding_are_named_apart_and_nothing_else() {
        let good = token(HEADER, CLAIMS, &[0xfb, 0xff, 0xbf].repeat(22)[..64]);
        let (signed, _) = good.rsplit_once('.').unwrap();
        let mut text = vec![0; 88];
        sectag::inspect::encode(&[0xfb, 0xef, 0xbf].repeat(22)[..64], &mut text);
        let ordinary = String::from_utf8(text).unwrap();
        assert!(ordinary.contains('+') && ordinary.contains('/') && ordinary.ends_with("=="));
        let found = problems(&format!("{signed}.{ordinary}"));
        assert_eq!(found.len(), 2, "{found:?}");
        assert!(
            found[0].starts_with("alphabet: part 3 (signature) has `+` and `/`"),
            "{found:?}"
        );
        assert!(
            found[1].starts_with("padding: part 3 (signature) ends with `==`"),
            "{found:?}"
        );
    }

    #[test]
    fn everything_that_a_server_refuses_is_named() {
        let one = |token: String, named: &str| {
            let found = problems(&token);
            assert!(
                found.len() == 1 && found[0].contains(named),
                "{named}: {found:?}"
            );
        };
        let claims = |text: &str| token(HEADER, text, &[7; 64]);
        one(
            claims(r#"{"aud":"p","iat":1795860000,"exp":1795863600}"#),
            "expired",
        );
        one(
            claims(r#"{"aud":"p","iat":1795868000,"exp":1795870800}"#),
            "from the future",
        );
        one(
            claims(r#"{"aud":"p","iat":1795867200,"exp":1795967200}"#),
            "24 hours",
        );
        one(claims(r#"{"iat":1795867200,"exp":1795870800}"#), "no aud");
        for audiences in ["[]", r#"["p",1]"#, r#"["p",null]"#] {
            let claims = format!(r#"{{"aud":{audiences},"iat":1795867200,"exp":1795870800}}"#);
            one(token(HEADER, &claims, &[7; 64]), "no list of names");
        }
        for (header, named) in [
            (r#"{"alg":"ES256","crit":["exp"]}"#, "crit"),
            (r#"{"alg":"ES256","b64":false}"#, "not encoded"),
            (r#"{"alg":256}"#, "256 is not a name"),
        ] {
            one(token(header, CLAIMS, &[7; 64]), named);
        }
        one(claims(r#"{"aud":"p","iat":1795867200}"#), "no exp");
        one(
            claims(r#"{"aud":"p","iat":1795867200,"exp":1795870800000}"#),
            "milliseconds",
        );
        one(
            claims(r#"{"aud":"p","iat":1795867200,"exp":"1795870800"}"#),
            "is not a number",
        );
        one(
            claims(r#"{"aud":"p","iat":315532800,"exp":1795870800}"#),
            "clock of the maker",
        );
        for (exp, named) in [
            ("1795870800000000", "microseconds"),
            ("1795870800000000000", "nanoseconds"),
            ("4102444800", "(exp): 4102444800 is behind the year 2099"),
            ("9223372036854775807", "9223372036854775807 is behind"),
            ("18446744073709551615", "18446744073709551615 is behind"),
            ("99999999999999999999", "is behind the year 2099"),
            ("1e308", "is behind the year 2099"),
            ("-1", "-1 is before the year 2000"),
            ("-9223372036854775808", "is before the year 2000"),
            ("-1e308", "is before the year 2000"),
        ] {
            let claims = format!(r#"{{"aud":"p","iat":1795867200,"exp":{exp}}}"#);
            one(token(HEADER, &claims, &[7; 64]), named);
        }
        // No number that JSON readers take.
        one(
            claims(r#"{"aud":"p","iat":1795867200,"exp":1e400}"#),
            "not a JSON object",
        );
        let fraction = claims(r#"{"aud":"p","iat":1795867200.5,"exp":1795870800.25}"#);
        assert_eq!(problems(&fraction), [""; 0]);
        one(claims("[]"), "not a JSON object");
        let signed = |algorithm: &str, signature: &[u8]| {
            token(&format!(r#"{{"alg":"{algorithm}"}}"#), CLAIMS, signature)
        };
        one(signed("ES256", &[7; 256]), "RSA key of 2048 bits");
        one(signed("ES256", &[7; 96]), "another curve");
        let mut der = [0; 70];
        der[..3].copy_from_slice(&[0x30, 68, 2]);
        one(signed("ES256", &der), "DER");
        one(signed("RS256", &[7; 64]), "ECDSA");
        one(signed("RS256", &[7; 128]), "cut");
        one(signed("none", &[7; 64]), "not signed");
        one(signed("HS256", &[7; 32]), "shared secret");
        let good = token(HEADER, CLAIMS, &[7; 64]);
        one(format!("Bearer {good}"), "HTTP header");
        one(format!("\"{good}\""), "quotes");
        one(format!("{good}.a.b"), "encrypted (JWE)");
        one(good[..good.len() - 1].into(), "it was cut");
        one(
            good.rsplit_once('.').unwrap().0.into(),
            "signature is missing",
        );
        one(String::new(), "nothing in it");
        // One problem for each part that cannot be decoded, and none that only follows from it.
        let damaged = problems("$.a.");
        assert_eq!(damaged.len(), 3, "{damaged:?}");
        for (problem, named) in damaged.iter().zip(["no base64", "it was cut", "is empty"]) {
            assert!(problem.contains(named), "{damaged:?}");
        }
        assert!(!problems("hello").is_empty());
    }
}
