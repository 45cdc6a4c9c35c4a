//! When certificates end: from the modem where it tells, else read back.

use sectag::clock::DateTime;
use sectag::modem::Full;
use sectag::{CredentialError, Kind, NoPins, Tag};
use sectag_bg96::Config;
use sectag_integration_tests::Bench;
use sectag_integration_tests::recovery::Line;
use sectag_integration_tests::simulated::{World, virtually};
use sectag_integration_tests::unit::{Bg96Unit, Nrf9160Unit, Unit};
use sectag_simulator::Options;
use sectag_test_support::pki::{Pki, Validity};

const TAG: Tag = Tag(5);

/// Stores a certificate that ends soon beside a CA that does not, and asks.
fn ends<U: Unit>(unit: &U, command: &str) {
    let name = unit.name();
    let validity = Validity::from_ymd((2026, 1, 1), (2027, 3, 14));
    let client = Pki::shared().issue_client_valid("pump-17", validity);
    virtually(async || {
        let world = World::of(unit);
        let line = Line::default();
        let lives = world.attach_driver(line, unit.backend(), NoPins, async |bench| {
            let found = ask(bench, &client.cert_pem).await;
            assert_eq!(found, DateTime::new(2027, 3, 14, 0, 0, 0), "{name}");
        });
        lives.await.expect("it lives");
        assert!(world.count(command) > 0, "{name}: {:?}", world.commands());
    });
}

async fn ask<M: Full>(bench: Bench<M>, certificate: &str) -> Option<DateTime> {
    let control = bench.control;
    let ca = Pki::shared().ca_pem();
    for (kind, content) in [(Kind::Ca, &*ca), (Kind::ClientCertificate, certificate)] {
        control.store(TAG, kind, content.as_bytes()).await.unwrap();
    }
    let found = control.expires(TAG).await.unwrap();
    assert!(found.ca > found.client, "{found:?}");
    assert_eq!(found.soonest(), found.client);
    let nothing = control.expires(Tag(6)).await.unwrap();
    assert_eq!(nothing.soonest(), None);
    found.client
}

#[test]
fn a_modem_that_tells_is_asked() {
    let unit = Nrf9160Unit::new("2.1").with(|options| options.tells_expiry = true);
    ends(&unit, "AT%CERTEXPIRY=5,1");
    let unit = Nrf9160Unit::new("sm").with(|options| options.tells_expiry = true);
    ends(&unit, "AT%CERTEXPIRY=5,0");
}

/// What is known then is what was inspected when it was stored, and that is the application's to keep.
#[test]
fn one_that_neither_tells_nor_lets_read_says_so() {
    for name in ["2.1", "2.7-native"] {
        let unit = Nrf9160Unit::new(name);
        virtually(async || {
            let world = World::of(&unit);
            let line = Line::default();
            let lives = world.attach_driver(line, unit.backend(), NoPins, async |bench| {
                let ca = Pki::shared().ca_pem();
                let stored = bench.control.store(TAG, Kind::Ca, ca.as_bytes()).await;
                stored.unwrap();
                let found = bench.control.expires(TAG).await;
                assert_eq!(found, Err(CredentialError::Unreadable), "{name}");
            });
            lives.await.expect("it lives");
        });
    }
}

#[test]
fn a_modem_that_does_not_tell_is_read() {
    let (config, options) = (Config::new(), Options::default());
    ends(&Bg96Unit { config, options }, "AT+QFREAD");
}
