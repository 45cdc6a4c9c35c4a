extern crate std;
use std::format;
use std::string::String;
use std::vec::Vec;

use embassy_futures::block_on;

use super::*;
use crate::Digest;
use crate::signer::Algorithm;

const NOW: DateTime = match DateTime::new(2026, 11, 28, 12, 0, 0) {
    Some(now) => now,
    None => panic!("it exists"),
};

/// A signer whose signature is the digest itself, so that a test can see what was signed.
struct Mirror {
    fails: bool,
}

impl Signer for Mirror {
    type Error = &'static str;
    type Signature = [u8; 32];
    const ALGORITHM: Algorithm = Algorithm::Es256;

    async fn sign(&mut self, digest: &Digest) -> Result<[u8; 32], &'static str> {
        if self.fails {
            return Err("the bus is silent");
        }
        Ok(*digest.as_bytes())
    }
}

fn make(claims: &Claims<'_>, room: usize) -> Result<String, TokenError<&'static str>> {
    let mut out = std::vec![0; room];
    let token = block_on(sign(&mut Mirror { fails: false }, claims, NOW, &mut out))?;
    Ok(token.expose().into())
}

fn decode(text: &str) -> Vec<u8> {
    let mut decoder = crate::inspect::Base64::new();
    let plain = text.replace('-', "+").replace('_', "/");
    let bytes = plain
        .bytes()
        .map(|character| decoder.push(character).unwrap());
    bytes.flatten().collect()
}

#[test]
fn a_token_has_three_parts_and_signs_the_first_two() {
    let more = [
        ("sub", Value::Text("a\"b\\\n\u{e9}")),
        ("n", Value::Number(7)),
        ("ok", Value::Truth(true)),
    ];
    let claims = Claims::new("project").lifetime(60).key_id("k1").with(&more);
    let token = make(&claims, 512).unwrap();
    let parts: Vec<&str> = token.split('.').collect();
    assert_eq!(
        decode(parts[0]),
        br#"{"alg":"ES256","typ":"JWT","kid":"k1"}"#
    );
    let expected = "{\"aud\":\"project\",\"iat\":1795867200,\"exp\":1795867260,\"sub\":\"a\\\"b\\\\\\u000a\u{e9}\",\"n\":7,\"ok\":true}";
    assert_eq!(String::from_utf8(decode(parts[1])).unwrap(), expected);
    let (signed, signature) = token.rsplit_once('.').unwrap();
    assert_eq!(decode(signature), Digest::of(signed.as_bytes()).as_bytes());
    assert_eq!(parts.len(), 3);
    assert!(!token.contains(['=', '+', '/']));
}

#[test]
fn every_room_below_the_needed_one_is_refused_and_says_what_is_needed() {
    let claims = Claims::new("project");
    let whole = make(&claims, 512).unwrap();
    assert_eq!(make(&claims, whole.len()).unwrap(), whole);
    for room in 0..whole.len() {
        let Err(TokenError::Invalid(Invalid::BufferTooSmall { needed })) = make(&claims, room)
        else {
            panic!("{room}");
        };
        assert!(needed > room && needed <= whole.len());
    }
}

#[test]
fn bad_input_is_refused_by_name() {
    let refused = |claims: Claims<'_>| match make(&claims, 512) {
        Err(TokenError::Invalid(invalid)) => invalid,
        other => panic!("{other:?}"),
    };
    let claims = Claims::new("project");
    for seconds in [0, MAX_LIFETIME + 1, u32::MAX] {
        assert_eq!(
            refused(claims.lifetime(seconds)),
            Invalid::Lifetime { seconds }
        );
    }
    assert!(make(&claims.lifetime(MAX_LIFETIME), 512).is_ok());
    assert_eq!(refused(Claims::new("")), Invalid::NoAudience);
    for names in [
        ["exp", "a"],
        ["a", "a"],
        ["a", "aud"],
        ["", "a"],
        ["iat", "b"],
    ] {
        let more = names.map(|name| (name, Value::Number(1)));
        assert_eq!(
            refused(claims.with(&more)),
            Invalid::ClaimTwice,
            "{names:?}"
        );
    }
    for now in [
        DateTime::new(2026, 10, 31, 23, 59, 59),
        DateTime::new(2080, 1, 6, 0, 0, 0),
    ] {
        let result = claims.check(now.unwrap());
        assert_eq!(result, Err(Invalid::ClockNotSet { now }));
        assert!(format!("{}", result.unwrap_err()).contains("set the clock"));
    }
    assert_eq!(claims.check(MIN_DATE), Ok(()));
    let mut out = [0; 512];
    let silent = block_on(sign(&mut Mirror { fails: true }, &claims, NOW, &mut out));
    assert_eq!(silent.unwrap_err(), TokenError::Signer("the bus is silent"));
}

#[test]
fn another_is_due_before_the_end() {
    let token = Token::new("secret-text", NOW, 3600);
    assert_eq!(
        token.renew_after(Duration::from_secs(300)),
        Duration::from_secs(3300)
    );
    assert_eq!(
        token.renew_after(Duration::from_secs(3000)),
        Duration::from_secs(1800)
    );
    assert_eq!(
        token.renew_after(Duration::from_secs(4000)),
        Duration::from_secs(1800)
    );
    assert_eq!(token.expires(), DateTime::new(2026, 11, 28, 13, 0, 0));
    assert_eq!(format!("{token:?}"), "(secret)");
}
